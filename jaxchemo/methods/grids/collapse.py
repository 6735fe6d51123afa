"""Tells, after a step, peaks of density that cells of a grid no longer resolve, and those that blow up."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxchemo.domain import AbstractGrid, RadialGrid
from jaxchemo.models import Linear, Production
from jaxchemo.problem import Problem

GATHERS, PINNED = 4.0, 16.0  # 8 (size of a cell / core radius)^2, of a peak that grows and of any peak
# How far a core has shrunk that blows up, and how many cells its radius must still have. A mass of 6 pi, which does not
# collapse, shrinks 26-fold on its way (measured), where a hundredfold is within 4% of the time of collapse.
SHRUNK, CELLS = 100.0, 4.0


def highest(density: Float[Array, "*shape"]) -> tuple[Int[Array, ""], ...]:
    """Index of the cell with the highest density."""
    place = []
    while density.ndim:  # one axis at a time: a search over all cells at once is ten times slower on XLA's CPU backend
        place.append(jnp.argmax(jnp.max(density, axis=tuple(range(1, density.ndim)))))
        density = density[place[-1]]
    return tuple(place)


def largest(grid: AbstractGrid, place: tuple[Int[Array, ""], ...]) -> Float[Array, ""]:
    """Size of the cell at `place` along the axis where it is largest [length]."""
    return jnp.max(jnp.stack([jnp.broadcast_to(length, grid.shape)[place] for length in grid.lengths]))


def unresolved(before: Float[Array, ""], after: Float[Array, ""], drawn: Float[Array, ""] | float) -> Bool[Array, ""]:
    """Whether the highest peak of density is narrower than the cells can show.

    With the drift V it has the core radius `l = sqrt(8 D / -div V)`, which is that of the spike
    `u / (1 + r^2 / l^2)^2` in two dimensions. It is unresolved where the radius is below 1.4 cells while it grows, and
    below 0.7 cells at all: there the grid alone can hold it together.

    **Arguments:**

    - `before`, `after`: the density there before and after a step.
    - `drawn`: `-size^2 div(V) / D` for the cell, by signals that the species make [dimensionless].
    """
    return (drawn >= GATHERS) & (after > before) | (drawn >= PINNED)


def core(problem: Problem) -> Float[Array, ""] | None:
    """`8 mobility / pull` of the one species that climbs, linearly, the one signal that it makes: squared core radius
    times density; `None` for other models or numbers that change, and in one dimension, where nothing blows up."""
    grid, model = problem.domain, problem.continuum
    if grid.ndim == 1 or model.changes or len(model.species) != 1 or len(model.signals) != 1:
        return None
    (species,), ((name, signal),) = model.species.values(), model.signals.items()
    law, kinetics = species.taxis.get(name), signal.kinetics
    if not (isinstance(law, Linear) and isinstance(kinetics, Production) and signal.diffusivity is not None):
        return None
    numbers = (species.mobility, law.chi, kinetics.rate, signal.diffusivity)
    if not species.only_moves or any(jnp.ndim(number) for number in numbers):
        return None
    return 8 * species.mobility * signal.diffusivity / jnp.maximum(law.chi * kinetics.rate, jnp.finfo(float).tiny)


def blows_up(
    density: Float[Array, "*shape"],
    place: tuple[Int[Array, ""], ...],
    start: Float[Array, ""],
    factor: Float[Array, ""],
    grid: AbstractGrid,
) -> Bool[Array, ""]:
    """Whether the core of the highest peak has shrunk a hundredfold, and is still resolved.

    Its radius `l = sqrt(factor / u)` must have four cells; and in two dimensions there must be `4 pi mobility / pull`
    of mass within it, half of what a collapse takes along. Both do not depend on the grid.

    **Arguments:**

    - `density`, with its highest value at `place`; `start`: the highest at the start of the run.
    - `factor`: of `core`.
    """
    peak = density[place]
    radius = jnp.sqrt(factor / peak)
    small = (peak >= SHRUNK**2 * start) & (start > 0) & (radius >= CELLS * largest(grid, place))
    radial = isinstance(grid, RadialGrid)
    if radial:
        small = small & (place[0] == 0)

    def holds() -> Bool[Array, ""]:
        middle = 0.0 if radial else grid.centers[place]
        away = jnp.linalg.norm(grid.centers - middle, axis=-1)
        within = jnp.clip((radius - away) / grid.lengths[0] + 0.5, 0, 1)
        return grid.integrate(within * density) >= 0.5 * jnp.pi * factor

    return small if grid.ndim > 2 else jax.lax.cond(small, holds, lambda: jnp.zeros((), bool))
