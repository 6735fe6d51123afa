"""Kinetic equations of swimmers to the right and to the left: two streams, exact where they are at rest."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxchemo._numerics import mean_exponential
from jaxchemo.features import Feature
from jaxchemo.methods.base import AbstractFixedStep, Snapshot, StepInfo, box
from jaxchemo.methods.swimmers.surroundings import Surroundings, check_signals, faces, shown
from jaxchemo.models.run_and_tumble import DENSITY
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class Streams(eqx.Module):
    """Densities of those that swim to the right and to the left [mass / length], and their surroundings."""

    right: Float[Array, " n"]
    left: Float[Array, " n"]
    surroundings: Surroundings


class Kinetic(AbstractFixedStep):
    """The two-stream equations of `RunAndTumble` in one dimension, by well-balanced finite volumes.

    ```
    d_t p+ = - d_x (v p+) - a+ p+ + a- p-          d_t p- = + d_x (v p-) + a+ p+ - a- p-
    ```

    Between two cell centres the streams scatter as the stationary equations say, exactly: stationary states are those
    of the continuous equations, diffusion is right on cells longer than a run, and at the step `h / v`, which `'auto'`
    takes, streams move without any smearing. Positive, with exact mass.

    **Source:** Gosse and Toscani (2002).

    >>> model = jc.models.RunAndTumble(speed=2.0, tumble_rate=1.0)
    >>> problem = jc.Problem(model, jc.Grid.box((0,), (1,), (10,)), jc.initial.uniform(mass=1.0))
    >>> round(float(jc.Kinetic().stable_dt(problem, jc.Kinetic().init(problem))), 4)  # across a cell of 0.1
    0.05
    """

    solves: ClassVar = frozenset(
        {
            Feature.SWIMMERS,
            Feature.SEVERAL_SIGNALS,
            Feature.LOCAL_SIGNALS,
            Feature.DIFFUSING_SIGNALS,
            Feature.SLAVED_SIGNALS,
            Feature.OTHER_KINETICS,
            Feature.BOX,
            Feature.WALLS,
            Feature.ABSORBING_WALLS,
            Feature.SIGNAL_WALLS,
        }
    )

    @property
    def stochastic(self) -> bool:
        return False

    @property
    def name(self) -> str:
        return "kinetic"

    def check_parts(self, problem):
        """**Raises:** `ValueError` for a signal that cannot be solved for."""
        check_signals(problem)

    def init(self, problem, *, key=None):
        density = problem.fields()[0][DENSITY]
        return Streams(0.5 * density, 0.5 * density, Surroundings.of(problem))

    def step(self, problem, state, n, t, dt, *, key=None):
        grid, h = box(problem), box(problem).spacing[0]
        surroundings = state.surroundings.after(problem, state.right + state.left, t, 0.5 * dt)
        x = faces(grid, 0)
        at_faces, at_centres = problem.swimmers.speed_at(x), problem.swimmers.speed_at(grid.axes)
        right, left = at_centres * state.right, at_centres * state.left
        to_right, to_left, lowest = self._scatter(problem, surroundings, x, at_faces, right, left)
        gained = (dt / h * (to_right[:-1] - right), dt / h * (to_left[1:] - left))
        new = tuple((old + gain).astype(old.dtype) for old, gain in zip((state.right, state.left), gained, strict=True))
        surroundings = surroundings.after(problem, new[0] + new[1], t + 0.5 * dt, 0.5 * dt)
        smallest, total = jnp.minimum(jnp.min(new[0]), jnp.min(new[1])), jnp.sum(new[0] + new[1])
        began = jnp.minimum(jnp.min(state.right), jnp.min(state.left))
        negative = RESULTS.where(began >= 0, RESULTS.unstable_step, RESULTS.negative_input)
        result = RESULTS.where(smallest >= 0, RESULTS.successful, negative)
        result = RESULTS.where(lowest >= 0, result, RESULTS.negative_rate)
        result = RESULTS.where(jnp.isfinite(total), result, RESULTS.nonfinite)
        return Streams(new[0], new[1], surroundings), StepInfo(result)

    def stable_dt(self, problem, state):
        """The time in which the fastest swimmers cross a cell."""
        grid = box(problem)
        return grid.spacing[0] / jnp.max(problem.swimmers.speed_at(grid.axes))

    def snapshot(self, problem, state):
        return Snapshot(state.right + state.left, shown(problem, state.surroundings))

    def _scatter(
        self, problem: Problem, surroundings: Surroundings, x: tuple, speed: Array, right: Array, left: Array
    ) -> tuple[Array, Array, Array]:
        """Flux that leaves each face to the right and to the left, and the smallest tumble rate."""
        model = problem.swimmers
        grid = box(problem)
        cue = surroundings.cue(problem, x, (jnp.ones_like(x[0]),), speed)
        flips = 0.5 * (1 - model.turning.mean_cosine(1)) * grid.spacing[0] / speed
        rates = [jnp.broadcast_to(model.tumble_rate.rate(way), x[0].shape) for way in (cue, cue.turned())]
        closed, ring = grid.closed(0, DENSITY), grid.periodic[0]
        # At a wall there is only half a cell to cross.
        share = jnp.ones_like(x[0]) if ring else jnp.ones_like(x[0]).at[jnp.array((0, -1))].set(0.5)
        from_right, from_left = (share * flips * rate for rate in rates)
        before, after = (right[-1:], left[:1]) if ring else (jnp.zeros_like(right[:1]),) * 2
        incoming, opposing = jnp.concatenate([before, right]), jnp.concatenate([left, after])
        bias = from_right - from_left
        # At rest both streams r and l change by `-from_right r + from_left l` between two centres, so that their
        # difference, the flux, is constant there: solved for what comes in from the two sides.
        flux = (jnp.exp(-bias) * incoming - opposing) / (1 + from_left * mean_exponential(bias))
        for end, shut in ((0, closed[0]), (-1, closed[1])):
            if shut:
                flux = flux.at[end].set(0.0)
                incoming = incoming.at[end].set(right[-1] if end else left[0])
                opposing = opposing.at[end].set(right[-1] if end else left[0])
        return opposing + flux, incoming - flux, jnp.minimum(jnp.min(rates[0]), jnp.min(rates[1]))
