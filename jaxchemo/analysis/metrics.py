"""How far two densities are from one another, fairly: after the same smoothing and on the same cells; or two clouds."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

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

    **Raises:** `ValueError` if the shapes do not fit; `TypeError` for a `shape` that is not of integers.
    """
    shape = tuple(_checks.natural("shape", n) for n in shape)
    if len(shape) != field.ndim or any(fine % n for fine, n in zip(field.shape, shape, strict=True)):
        raise ValueError(f"`shape` must divide the shape of the field, {field.shape}, axis by axis, got {shape}.")
    blocks = [size for n, fine in zip(shape, field.shape, strict=True) for size in (n, fine // n)]
    return jnp.mean(field.reshape(blocks), axis=tuple(range(1, 2 * field.ndim, 2)))


def energy_distance(x: Float[Array, "n d"], y: Float[Array, "m _"], *, block: int = 256) -> Float[Array, ""]:
    """Energy distance `2 E|X - Y| - E|X - X'| - E|Y - Y'|` of two laws, from independent samples [length].

    It is zero for one law with itself, and positive for any two others. This estimate of it is unbiased, and so a
    little below zero now and then. All pairs are looked at, `block * m` at a time.

    **Arguments:**

    - `x`, `y`: at least two points each, `(n, d)` and `(m, d)` [length].
    - `block`: points at a time. Default 256.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    **Source:** Székely and Rizzo, J. Stat. Plan. Inference 143 (2013).
    """
    n, m = _clouds(x, y)
    block = _checks.natural("block", block)
    # A pair of one cloud counts twice in its sum, a point and itself not at all.
    return 2 * _apart(x, y, block) / (n * m) - _apart(x, x, block) / (n * (n - 1)) - _apart(y, y, block) / (m * (m - 1))


def sliced_wasserstein(
    x: Float[Array, "n d"], y: Float[Array, "m _"], key: PRNGKeyArray, directions: int = 64
) -> Float[Array, ""]:
    """Sliced Wasserstein distance: root mean square, over random directions, of the distances W2 along them [length].

    Along a line W2 is exact, also for clouds of different sizes: quantiles beside quantiles.

    **Arguments:**

    - `x`, `y`: at least two points each, `(n, d)` and `(m, d)` [length].
    - `key`: of the directions. With the same key, distances of several clouds are comparable.
    - `directions`: how many. Default 64.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.
    """
    n, m = _clouds(x, y)
    lines = jax.random.normal(key, (_checks.natural("directions", directions), x.shape[1]), x.dtype)
    # A normalised Gaussian vector has no preferred direction; points of a cube would favour its corners.
    lines = lines / jnp.linalg.norm(lines, axis=1, keepdims=True)
    steps = np.unique(np.concatenate([np.arange(n + 1) * m, np.arange(m + 1) * n]))  # of both quantiles, over n m
    shares, places = np.diff(steps) / (n * m), steps[:-1]

    def along(line: Array) -> Array:
        apart = jnp.sort(x @ line)[places // m] - jnp.sort(y @ line)[places // n]
        return jnp.sum(jnp.asarray(shares, x.dtype) * apart**2)

    return jnp.sqrt(jnp.mean(jax.lax.map(along, lines)))


def _clouds(x: Array, y: Array) -> tuple[int, int]:
    """How many points there are in each."""
    for name, points in (("x", x), ("y", y)):
        if points.ndim != 2 or len(points) < 2:
            raise ValueError(f"`{name}` must be two or more points (n, d), got the shape {points.shape}.")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"`x` and `y` must have as many dimensions, got {x.shape[1]} and {y.shape[1]}.")
    return len(x), len(y)


def _apart(x: Array, y: Array, block: int) -> Array:
    """Sum of the distances of all pairs."""
    return jnp.sum(jax.lax.map(lambda a: jnp.sum(jnp.linalg.norm(a - y, axis=1)), x, batch_size=block))
