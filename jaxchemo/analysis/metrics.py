"""How far two densities are from one another, fairly: after the same smoothing and on the same cells."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.domain import AbstractGrid, Grid
from jaxchemo.particles import mollify


def relative_distance(
    density: Float[Array, "..."],
    reference: Float[Array, "..."],
    grid: AbstractGrid,
    width: float = 0.0,
) -> Float[Array, ""]:
    """Relative L2 distance `|density - reference| / |reference|` after both are mollified alike [dimensionless].

    A density of particles is noisy at the grid scale, so the plain distance says more about bins than about the
    solution: with a common Gaussian of a few spacings it measures what both can show.

    **Arguments:**

    - `density`, `reference`: two fields on `grid`; see `coarsen` for one that is finer.
    - `grid`: the cells.
    - `width`: standard deviation of the Gaussian [length], not negative. Default 0: none. Only on a `Grid`.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.
    """
    for name, field in (("density", density), ("reference", reference)):
        if field.shape != grid.shape:
            raise ValueError(f"`{name}` has shape {field.shape}, but the grid has shape {grid.shape}.")
    if not (math.isfinite(width) and width >= 0):
        raise ValueError(f"`width` must be a finite length, not negative, got {width!r}.")
    difference = density - reference
    if width > 0:
        box: Grid = _checks.instance("grid", grid, Grid, "a box, Grid.box(...), to mollify on (or `width=0`)")
        # Mollification is linear, so the difference is smoothed rather than each of its terms.
        difference, reference = mollify(difference, box, float(width)), mollify(reference, box, float(width))
    return jnp.sqrt(grid.integrate(difference**2) / grid.integrate(reference**2))


def coarsen(field: Float[Array, "..."], shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Cell averages on a coarser grid of the same box: means over blocks of cells, so the integral stays.

    **Arguments:**

    - `field`: cell averages on the finer grid [any unit].
    - `shape`: cells of the coarser one; each number must divide that of `field`.

    **Raises:** `ValueError` if the shapes do not fit.
    """
    shape = tuple(_checks.natural("shape", n) for n in shape)
    if len(shape) != field.ndim or any(fine % n for fine, n in zip(field.shape, shape, strict=True)):
        raise ValueError(f"`shape` must divide the shape of the field, {field.shape}, axis by axis, got {shape}.")
    blocks = [size for n, fine in zip(shape, field.shape, strict=True) for size in (n, fine // n)]
    return jnp.mean(field.reshape(blocks), axis=tuple(range(1, 2 * field.ndim, 2)))
