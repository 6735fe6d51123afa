"""The Fokker-Planck limit of swimmers: drift and diffusion from the rates at which they tumble."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxchemo.features import Feature
from jaxchemo.fields import fitted_flux
from jaxchemo.methods.base import AbstractFixedStep, Snapshot, StepInfo, box
from jaxchemo.methods.grids.collapse import highest, unresolved
from jaxchemo.methods.swimmers.surroundings import (
    Surroundings,
    check_signals,
    faces,
    makes_what_it_senses,
    shown,
)
from jaxchemo.models.run_and_tumble import DENSITY
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class Population(eqx.Module):
    """The density of the swimmers [mass / length^d], and their surroundings."""

    density: Float[Array, "*shape"]
    surroundings: Surroundings


class FokkerPlanck(AbstractFixedStep):
    """The density of `RunAndTumble` swimmers that have tumbled often, by fitted finite volumes, in 1D to 3D.

    In one dimension the flux is `(v / S) ((a- - a+) p - d_x (v p))` with the rates a+ and a- at which the two streams
    reverse, and their sum S: exact in stationary states, and first order in the bias otherwise. In two and three it is
    linear response: `(v / d L) ( - (1 - a) r p - grad (v p))`, where r is the change of the tumble rate for those that
    swim along an axis, a the mean cosine of a turn, and L the rate at which the direction is forgotten.

    Positive up to `stable_dt`, with exact mass. Swimmers that climb, in two or three dimensions, a signal they make
    may collapse: a grid that no longer resolves it ends the run as `RESULTS.unresolved`, as in `FiniteVolume`.

    >>> model = jc.models.RunAndTumble(speed=1.0, tumble_rate=2.0)
    >>> problem = jc.Problem(model, jc.Grid.box((0, 0), (1, 1), (8, 8)), jc.initial.uniform(mass=1.0))
    >>> problem.features <= jc.FokkerPlanck.solves, problem.features <= jc.Kinetic.solves  # two dimensions
    (True, False)
    """

    solves: ClassVar = frozenset(
        {
            Feature.SWIMMERS,
            Feature.SEVERAL_SIGNALS,
            Feature.LOCAL_SIGNALS,
            Feature.DIFFUSING_SIGNALS,
            Feature.SLAVED_SIGNALS,
            Feature.OTHER_KINETICS,
            Feature.TUMBLE_DURATION,
            Feature.SPEED_SPREAD,
            Feature.ROTATIONAL_DIFFUSION,
            Feature.BOX,
            Feature.SEVERAL_DIMENSIONS,
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
        return "fokker-planck"

    def check_parts(self, problem):
        """**Raises:** `ValueError` for a signal that cannot be solved for."""
        check_signals(problem)

    def init(self, problem, *, key=None):
        return Population(problem.fields()[0][DENSITY], Surroundings.of(problem))

    def step(self, problem, state, n, t, dt, *, key=None):
        density = state.density
        surroundings = state.surroundings.after(problem, density, t, 0.5 * dt)
        laws = self._laws(problem, surroundings)
        # The mean of the start and of two Euler steps is positive wherever those are.
        ahead = density + dt * self._rate(problem, density, laws)
        new = (0.5 * density + 0.5 * (ahead + dt * self._rate(problem, ahead, laws))).astype(density.dtype)
        surroundings = surroundings.after(problem, new, t + 0.5 * dt, 0.5 * dt)
        result = RESULTS.where(self._narrow(problem, density, new, laws), RESULTS.unresolved, RESULTS.successful)
        negative = RESULTS.where(jnp.min(density) >= 0, RESULTS.unstable_step, RESULTS.negative_input)
        result = RESULTS.where(jnp.min(new) >= 0, result, negative)
        lowest = jnp.min(jnp.stack([jnp.min(conductance) for _, conductance, _ in laws]))
        result = RESULTS.where(lowest >= 0, result, RESULTS.negative_rate)
        result = RESULTS.where(jnp.isfinite(jnp.sum(new)), result, RESULTS.nonfinite)
        return Population(new, surroundings), StepInfo(result)

    def stable_dt(self, problem, state):
        """The largest Euler step that keeps the density positive, less five percent."""
        grid = box(problem)
        speed = jnp.max(problem.swimmers.speed_at(tuple(grid.centers.reshape(-1, grid.ndim).T)))
        lost = [
            jnp.max(conductance * (2 + jnp.abs(w))) / h * speed
            for (w, conductance, _), h in zip(self._laws(problem, state.surroundings), grid.spacing, strict=True)
        ]
        return 0.95 / sum(lost)

    def snapshot(self, problem, state):
        return Snapshot(state.density, shown(problem, state.surroundings))

    def _laws(self, problem: Problem, surroundings: Surroundings) -> list[tuple[Array, Array, Any]]:
        """For each axis, at its faces: drift over diffusion across a cell, conductance, and which ends are closed."""
        model, grid = problem.swimmers, box(problem)
        laws = []
        for axis in range(grid.ndim):
            x = faces(grid, axis)
            shape = [n + (a == axis) for a, n in enumerate(grid.shape)]
            speed = jnp.broadcast_to(model.speed_at(x), x[0].shape)
            heading = tuple(jnp.full_like(x[0], a == axis) for a in range(grid.ndim))
            cue = surroundings.cue(problem, x, heading, speed)
            if grid.ndim == 1:
                ahead, back = (jnp.broadcast_to(model.tumble_rate.rate(way), x[0].shape) for way in (cue, cue.turned()))
                rate, rise = 0.5 * (ahead + back), 0.5 * (ahead - back)
            else:
                still = cue._replace(along=jnp.zeros_like(cue.along))
                rate, rise = jax.jvp(
                    lambda along, still=still: jnp.broadcast_to(
                        model.tumble_rate.rate(still._replace(along=along)), along.shape
                    ),
                    (still.along,),
                    (cue.along,),
                )
            h = grid.spacing[axis]
            w = -h * (1 - model.turning.mean_cosine(grid.ndim)) * rise / speed
            conductance = model.spread(rate, grid.ndim, speed=speed) / (speed * h)
            if not grid.periodic[axis]:
                # Between the last cell and a wall there is only half a cell.
                nearer = jnp.ones(shape[axis]).at[jnp.array((0, -1))].set(0.5)
                nearer = jnp.broadcast_to(nearer.reshape([-1 if a == axis else 1 for a in range(grid.ndim)]), shape)
                w, conductance = w.reshape(shape) * nearer, conductance.reshape(shape) / nearer
            laws.append((w.reshape(shape), conductance.reshape(shape), grid.closed(axis, DENSITY)))
        return laws

    def _narrow(self, problem: Problem, before: Array, after: Array, laws: list[tuple[Array, Array, Any]]) -> Any:
        """Whether the swimmers have gathered in a peak that the grid does not resolve."""
        if not makes_what_it_senses(problem):
            return False
        drawn = jnp.zeros_like(before)
        for axis, (w, _, closed) in enumerate(laws):
            w = jnp.moveaxis(w, axis, 0)
            for end, shut in ((0, closed[0]), (-1, closed[1])):
                w = w.at[end].set(0.0) if shut else w
            drawn = drawn - jnp.moveaxis(jnp.diff(w, axis=0), 0, axis)
        before, after, drawn = jax.lax.stop_gradient((before, after, drawn))
        place = highest(after)
        return unresolved(before[place], after[place], drawn[place])

    def _rate(self, problem: Problem, density: Array, laws: list[tuple[Array, Array, Any]]) -> Array:
        grid, rate = box(problem), jnp.zeros_like(density)
        speed = problem.swimmers.speed_at(tuple(grid.centers.reshape(-1, grid.ndim).T))
        carried = density * (speed.reshape(grid.shape) if speed.ndim else speed)
        for axis, (w, conductance, closed) in enumerate(laws):
            padded = jnp.moveaxis(grid.pad(carried, axis, name=DENSITY), axis, 0)
            if not grid.periodic[axis]:  # the value at the wall itself
                padded = padded.at[0].set(0.5 * (padded[0] + padded[1])).at[-1].set(0.5 * (padded[-1] + padded[-2]))
            flux = fitted_flux(padded[:-1], padded[1:], jnp.moveaxis(w, axis, 0), jnp.moveaxis(conductance, axis, 0))
            for end, shut in ((0, closed[0]), (-1, closed[1])):
                flux = flux.at[end].set(0.0) if shut else flux
            rate = rate - grid.divergence(jnp.moveaxis(flux, 0, axis), axis)
        return rate
