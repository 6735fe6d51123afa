"""The state of swimmers, and what they do between two events: they run straight, sense and remember."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt32

from jaxchemo.domain import Components
from jaxchemo.methods.base import cartesian
from jaxchemo.methods.swimmers import headings
from jaxchemo.methods.swimmers.surroundings import Surroundings
from jaxchemo.models.tumbling import Cue, Moment
from jaxchemo.problem import Problem


class Swimmers(eqx.Module):
    """Swimmers and their surroundings.

    **Fields:**

    - `positions`, `headings`: one array `(P,)` for each axis [length], and the unit vectors along which they swim.
    - `memory`: what the tumble rate's law remembers of each swimmer, or `None`.
    - `tumbling`: which of them are tumbling, or `None` where that takes no time.
    - `pace`: the speed of each over the mean [dimensionless], or `None` where all are alike.
    - `weights`: mass of a swimmer: a number, or `(P,)` where walls absorb.
    - `surroundings`: the signals.
    """

    positions: Components
    headings: Components
    memory: Any
    tumbling: Bool[Array, " P"] | None
    pace: Float[Array, " P"] | None
    weights: Float[Array, "..."]
    surroundings: Surroundings

    def speed(self, problem: Problem) -> Float[Array, "..."]:
        """Of each swimmer, whether it runs now or not [length / time]."""
        speed = problem.swimmers.speed_at(self.positions)
        return speed if self.pace is None else speed * self.pace

    def velocity(self, problem: Problem) -> Float[Array, "..."]:
        """Speed of each swimmer now: zero while it tumbles [length / time]."""
        speed = self.speed(problem)
        return speed if self.tumbling is None else jnp.where(self.tumbling, 0, speed)

    def cue(self, problem: Problem) -> Cue:
        """What each swimmer meets."""
        return self.surroundings.cue(problem, self.positions, self.headings, self.velocity(problem))

    def moment(self, problem: Problem) -> Moment:
        """The rates of each swimmer at this moment."""
        cue = self.cue(problem)
        return problem.swimmers.tumble_rate.live(cue, self.memory, 0.0, lambda: jnp.zeros_like(cue.signal))

    def after(self, problem: Problem, dt: Float[Array, "..."] | float) -> "Swimmers":
        """The swimmers after a straight run of this time, one for all or one each; what walls absorb has no weight."""
        grid, speed = cartesian(problem), self.velocity(problem)
        moved = tuple((x + dt * speed * p).astype(x.dtype) for x, p in zip(self.positions, self.headings, strict=True))
        # What a wall folds it reflects: the slope of the fold is the sign of the heading.
        folded, reflected = jax.jvp(lambda *x: grid.fold(x), moved, self.headings)
        weights = self.weights * grid.keeps(moved) if self.weights.ndim else self.weights
        return dataclasses.replace(self, positions=folded, headings=reflected, weights=weights)

    def turned(self, problem: Problem, turns: Bool[Array, " P"], word: UInt32[Array, " P"], dt: Any) -> "Swimmers":
        """The swimmers after the tumbles of some, and after the diffusion of the directions of the others that run."""
        model, p = problem.swimmers, self.headings
        if len(p) == 1:
            back = model.turning.cosine(headings.uniform(word >> 8, 24, p[0].dtype), 1)
            return dataclasses.replace(self, headings=(jnp.where(turns, back * p[0], p[0]),))
        cosine = model.turning.cosine(headings.uniform(word >> 16, 16, p[0].dtype), len(p))
        straight = kept_by_diffusion(problem, dt)
        straight = straight if self.tumbling is None else jnp.where(self.tumbling, 1, straight)
        cosine = jnp.where(turns, cosine, straight).astype(p[0].dtype)
        return dataclasses.replace(self, headings=headings.rotated(p, cosine, word & 0xFFFF))


def end_rate(problem: Problem, now: Moment) -> Float[Array, "..."] | None:
    """Rate at which tumbles end: that of the tumble rate's law, or else of the model's `tumble_duration`."""
    if now.end_rate is None and problem.swimmers.tumble_duration is not None:
        return 1 / problem.swimmers.tumble_duration
    return now.end_rate


def kept_by_diffusion(problem: Problem, dt: Any) -> Array | float:
    """Mean cosine of the turn that rotational diffusion makes in a time."""
    diffusion = problem.swimmers.rotational_diffusion
    return 1.0 if diffusion is None else jnp.exp(-(cartesian(problem).ndim - 1) * diffusion * dt)
