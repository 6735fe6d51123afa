"""What swimmers sense: a signal given by a formula, or fields on a grid that the swimmers themselves change."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo._types import Fields
from jaxchemo.domain import AbstractGrid, Components, FreeSpace, Grid
from jaxchemo.initial import AbstractProfile
from jaxchemo.methods.base import box, by_kind
from jaxchemo.methods.grids.semi_discrete import FieldState, SemiDiscrete
from jaxchemo.models import Model, Species
from jaxchemo.models.run_and_tumble import DENSITY
from jaxchemo.models.tumbling import Cue
from jaxchemo.particles import gather
from jaxchemo.problem import Problem


class Surroundings(eqx.Module):
    """The signals of swimmers: their fields [concentration], and how fast those change in place [the same / time]."""

    fields: Fields
    rates: Fields

    @classmethod
    def of(cls, problem: Problem) -> "Surroundings":
        """The fields at the initial time; none where a formula gives the signal."""
        if not on_grid(problem):
            return cls({}, {})
        signal = _system(problem).start(*problem.fields()).signal
        return cls(signal, jax.tree.map(jnp.zeros_like, signal))

    def after(self, problem: Problem, density: Float[Array, "*shape"], t: Any, dt: Any) -> "Surroundings":
        """The fields a time `dt` later, changed by swimmers of this density; formulas stay as they are."""
        if not self.fields:
            return self
        state = FieldState({DENSITY: density}, self.fields)
        later = _system(problem).react(state, t, dt, None, reverse=False).signal
        return Surroundings(later, jax.tree.map(lambda new, old: (new - old) / dt, later, self.fields))

    def cue(self, problem: Problem, x: Components, heading: Components, speed: Any) -> Cue:
        """What swimmers at `x` meet that run along `heading`."""
        name = problem.swimmers.sensed
        if name is None:
            zero = jnp.zeros_like(x[0])
            return Cue(x, heading, zero, zero)
        if not self.fields:
            formula = problem.signal[name]
            assert isinstance(formula, AbstractProfile)
            moved = tuple(speed * p for p in heading)
            value, along = jax.jvp(lambda *x: formula(jnp.stack(x, axis=-1)), x, moved)
            return Cue(x, heading, value, along)
        value, gradient = gather(self.fields[name], x, box(problem), 1)
        along = speed * sum(p * g for p, g in zip(heading, gradient, strict=True))
        return Cue(x, heading, value, along, gather(self.rates[name], x, box(problem), 1)[0])


def on_grid(problem: Problem) -> bool:
    """Whether the signals live on the grid: not where the only one stays as its formula says."""
    model = problem.swimmers
    if not model.signals:
        return False
    stays = all(part.kinetics is None and not part.diffuses for part in model.signals.values())
    return not (stays and all(isinstance(part, AbstractProfile) for part in problem.signal.values()))


def makes_what_it_senses(problem: Problem) -> bool:
    """Whether swimmers climb a signal that they make, and can collapse by it: not in 1D, where it diffuses."""
    name = problem.swimmers.sensed
    if name is None or not on_grid(problem):
        return False
    signal, density = problem.swimmers.signals[name], {DENSITY: jnp.zeros(())}
    made = signal.gain_and_loss(density, dict.fromkeys(problem.swimmers.signals, jnp.zeros(())), name)[0]
    return isinstance(made, jax.Array) and not (problem.domain.ndim == 1 and signal.diffuses)


def check_signals(problem: Problem) -> None:
    """Refuses, in a sentence, signals that cannot be sensed or solved for.

    **Raises:** `TypeError` for signals on a grid in `FreeSpace`, `ValueError` for those that cannot be solved for.
    """
    if not on_grid(problem):
        return
    if isinstance(problem.domain, FreeSpace):
        raise TypeError(
            "`domain` must be a box for signals that change or are given on one; in FreeSpace give a formula, such as "
            "jc.initial.function(...)."
        )
    _system(problem).check()


def _system(problem: Problem) -> SemiDiscrete:
    grid = _checks.instance("domain", problem.domain, AbstractGrid, "cells, Grid.box(...)")
    return SemiDiscrete(Model({DENSITY: Species(1.0)}, problem.swimmers.signals), grid)


def faces(grid: Grid, axis: int) -> Components:
    """Centres of all faces across an axis, the walls included: a flat array for each coordinate [length]."""
    lines = [
        grid.lower[a] + grid.spacing[a] * (jnp.arange(n + (a == axis), dtype=float) + 0.5 * (a != axis))
        for a, n in enumerate(grid.shape)
    ]
    return tuple(x.reshape(-1) for x in jnp.meshgrid(*lines, indexing="ij"))


def shown(problem: Problem, surroundings: Surroundings) -> Any:
    """The signals of a snapshot: an array, a dict by name where there are several, `None` where there is none."""
    fields = surroundings.fields
    if not fields and isinstance(problem.domain, AbstractGrid):
        fields = {name: part.on_grid(problem.domain) for name, part in problem.signal.items()}
    return by_kind(fields)
