"""Tells, after a step, peaks of density that cells of a grid no longer resolve, and those that blow up."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxchemo.domain import AbstractGrid, Grid, RadialGrid
from jaxchemo.models import Linear, Production
from jaxchemo.problem import Problem

GATHERS, PINNED = 4.0, 16.0  # 8 (size of a cell / core radius)^2, of a peak that grows and of any peak
SHRUNK, CELLS = 100.0, 4.0  # how far a core has shrunk that blows up, and how many cells its radius must still have


def unresolved(
    before: Float[Array, "*shape"], after: Float[Array, "*shape"], drawn: Float[Array, "*#shape"], grid: AbstractGrid
) -> Bool[Array, ""]:
    """Whether a peak of density is narrower than the cells can show.

    A peak u with a drift V has the core radius `l = sqrt(8 D / -div V)`, which is that of the spike
    `u / (1 + r^2 / l^2)^2` in two dimensions. It is unresolved where the radius is below 1.4 cells while it grows, and
    below 0.7 cells at all: there the grid alone can hold it together.

    **Arguments:**

    - `before`, `after`: the density before and after a step.
    - `drawn`: `-size^2 div(V) / D` for cells of this size, by signals that cells make [dimensionless].
    """
    gathered = (drawn >= GATHERS) & (after > before) | (drawn >= PINNED) & (after > 0)
    return jnp.any(gathered & _highest(after, grid))


def _highest(density: Float[Array, "*shape"], grid: AbstractGrid) -> Bool[Array, "*shape"]:
    """Which cells hold no less than any that they share a face with."""
    highest = jnp.ones((), bool)
    for axis in range(density.ndim):
        first = jnp.moveaxis(density, axis, 0)
        ring = isinstance(grid, Grid) and grid.periodic[axis]
        below = jnp.concatenate([first[-1:] if ring else first[:1], first[:-1]])
        above = jnp.concatenate([first[1:], first[:1] if ring else first[-1:]])
        highest = highest & jnp.moveaxis((first >= below) & (first >= above), 0, axis)
    return highest


def core(problem: Problem) -> Float[Array, ""] | None:
    """`8 mobility / pull` of the one species that climbs, linearly, the one signal that it makes: squared core radius
    times density; `None` for other models, and in one dimension, where nothing blows up."""
    grid, model = problem.grid, problem.continuum
    if grid.ndim == 1 or len(model.species) != 1 or len(model.signals) != 1:
        return None
    (species,), ((name, signal),) = model.species.values(), model.signals.items()
    law, kinetics = species.taxis.get(name), signal.kinetics
    if not (isinstance(law, Linear) and isinstance(kinetics, Production) and signal.diffusivity is not None):
        return None
    numbers = (species.mobility, law.chi, kinetics.rate, signal.diffusivity)
    if not species.only_moves or any(jnp.ndim(one) for one in numbers):
        return None
    return 8 * species.mobility * signal.diffusivity / jnp.maximum(law.chi * kinetics.rate, jnp.finfo(float).tiny)


def blows_up(
    before: Float[Array, "*shape"],
    after: Float[Array, "*shape"],
    start: Float[Array, ""],
    factor: Float[Array, ""],
    grid: AbstractGrid,
) -> Bool[Array, ""]:
    """Whether the core of the highest peak has shrunk a hundredfold, is still resolved, and grows.

    Its radius `l = sqrt(factor / u)` must have four cells; and in two dimensions there must be `4 pi mobility / pull`
    of mass within it, half of what a collapse takes along. Both do not depend on the grid.

    **Arguments:**

    - `before`, `after`: the density before and after a step; `start`: the highest at the start of the run.
    - `factor`: of `core`.
    """
    place = jnp.unravel_index(jnp.argmax(after), after.shape)
    peak = after[place]
    lengths = [jnp.broadcast_to(length, after.shape)[place] for length in grid.lengths]
    radius = jnp.sqrt(factor / peak)
    shrunk = (peak >= SHRUNK**2 * start) & (start > 0) & (peak > before[place])
    resolved = radius >= CELLS * jnp.max(jnp.stack(lengths))
    if isinstance(grid, RadialGrid):
        resolved = resolved & (place[0] == 0)

    def holds() -> Bool[Array, ""]:
        middle = jnp.zeros(grid.ndim) if isinstance(grid, RadialGrid) else grid.centers[place]
        away = jnp.linalg.norm(grid.centers - middle, axis=-1)
        within = jnp.clip((radius - away) / grid.lengths[0] + 0.5, 0, 1)
        return grid.integrate(within * after) >= 0.5 * jnp.pi * factor

    if grid.ndim > 2:
        return shrunk & resolved
    return jax.lax.cond(shrunk & resolved, holds, lambda: jnp.zeros((), bool))
