"""Patterns in numbers: where a front is and how fast it moves, the spikes of a density, and how long its waves are."""

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float

from jaxchemo.domain import AbstractGrid, Grid, RadialGrid


def front(density: Float[ArrayLike, "*t n"], grid: AbstractGrid, threshold: float) -> Float[np.ndarray, "*t"]:
    """Outermost place at which a profile falls through a threshold, between two cells by a straight line [length].

    **Arguments:**

    - `density`: profiles on a grid in one dimension or on shells, `(n,)` or `(t, n)` for several times.
    - `grid`: of them.
    - `threshold`: density at the front [mass / length^d].

    **Returns:** a place for each profile; NaN where it stays below, the last cell where it never falls.

    **Raises:** `ValueError` for a `density` that does not fit the grid, or a `grid` of more dimensions.
    """
    u, x = np.atleast_2d(np.asarray(density, float)), _axis(grid)
    if u.shape[1:] != x.shape:
        raise ValueError(f"`density` must be profiles of {x.size} cells, as the grid has, got the shape {u.shape}.")
    fronts = np.full(len(u), np.nan)
    for k, profile in enumerate(u):
        above = np.flatnonzero(profile > threshold)
        if above.size:
            last = int(above[-1])
            fronts[k] = x[last]
            if last + 1 < x.size:
                share = (profile[last] - threshold) / (profile[last] - profile[last + 1])
                fronts[k] += share * (x[last + 1] - x[last])
    return fronts.reshape(np.shape(density)[:-1])


def front_speed(ts: Float[ArrayLike, " t"], places: Float[ArrayLike, " t"]) -> Float[np.ndarray, " t"]:
    """Speed of a front [length / time] from its `places` [length] at `ts` [time]; second order, first at the ends."""
    return np.gradient(np.asarray(places, float), np.asarray(ts, float))


class Spikes(NamedTuple):
    """The spikes of a density: their `places` [length], `heights` [mass / length^d] and `masses` [mass].

    Places are numbers in one dimension and on shells, points `(k, d)` in more.

    >>> jc.analysis.spikes(np.array([0.0, 1, 5, 1, 0, 2, 0, 0]), jc.Grid.box(0.0, 8.0, 8), threshold=1.0)
    Spikes(places=array([2.5, 5.5]), heights=array([5., 2.]), masses=array([7., 2.]))
    """

    places: Float[np.ndarray, "k *d"]
    heights: Float[np.ndarray, " k"]
    masses: Float[np.ndarray, " k"]


def spikes(density: Float[ArrayLike, "*shape"], grid: AbstractGrid, threshold: float = 0.0) -> Spikes:
    """The local maxima of a density that are higher than a threshold, and what belongs to each.

    Every cell belongs to the maximum that is reached from it by going to the highest of its neighbours, corners
    included, again and again.

    **Arguments:**

    - `density`: cell values on a box of any dimension, periodic or not, or on shells.
    - `grid`: of it.
    - `threshold`: what is lower is no spike [mass / length^d]. Default 0.

    **Returns:** the spikes in the order of their cells, in one dimension from left to right.

    **Raises:** `ValueError` for a `density` that has not the shape of the grid.
    """
    u = _on(density, grid)
    rings = grid.periodic if isinstance(grid, Grid) else (False,) * u.ndim
    # Ranks instead of values: equal cells have an order, so that no two neighbours point at one another.
    rank = np.empty(u.size, int)
    rank[np.argsort(u, axis=None, kind="stable")] = np.arange(u.size)
    rank = rank.reshape(u.shape)
    highest = rank.copy()
    for axis, ring in enumerate(rings):
        padded = np.pad(highest, [(int(a == axis),) * 2 for a in range(u.ndim)], mode="wrap" if ring else "edge")
        views = [np.take(padded, range(start, start + u.shape[axis]), axis) for start in (0, 1, 2)]
        highest = np.max(views, axis=0)
    cell_of = np.argsort(rank, axis=None)
    top = cell_of[highest.ravel()]
    while not np.array_equal(further := top[top], top):
        top = further
    amounts = (u * np.broadcast_to(np.asarray(grid.volumes, float), u.shape)).ravel()
    peaks, basin = np.unique(top, return_inverse=True)
    masses = np.bincount(basin, amounts)
    floors = np.full(peaks.size, np.inf)
    np.minimum.at(floors, basin, u.ravel())
    heights = u.ravel()[peaks]
    kept = (heights > threshold) & (heights > floors)  # what is flat has no spike
    if isinstance(grid, Grid) and grid.ndim > 1:
        places = np.asarray(grid.centers, float).reshape(-1, grid.ndim)[peaks]
    else:
        places = _axis(grid)[peaks]
    return Spikes(places[kept], heights[kept], masses[kept])


def wavelength(density: Float[ArrayLike, "*shape"], grid: Grid) -> float:
    """How long the waves of a pattern are: `2 pi` over their mean wavenumber, weighted by power [length].

    It grows while a pattern coarsens.

    **Arguments:**

    - `density`: cell values on a box. Between walls it is mirrored, which leaves no jump.
    - `grid`: of it.

    **Returns:** the length; NaN for what is flat.

    **Raises:** `ValueError` for a `density` that has not the shape of the grid.
    """
    u = _on(density, grid)
    for axis, ring in enumerate(grid.periodic):
        if not ring:
            u = np.concatenate([u, np.flip(u, axis)], axis)
    power = np.abs(np.fft.fftn(u - u.mean())) ** 2
    square = np.zeros(u.shape)
    for axis, (n, h) in enumerate(zip(u.shape, grid.spacing, strict=True)):
        shape = [-1 if a == axis else 1 for a in range(u.ndim)]
        square = square + (2 * np.pi * np.fft.fftfreq(n, h)).reshape(shape) ** 2
    total = power.sum()
    # Round-off of a flat field is no pattern.
    if not total > (np.finfo(float).eps * np.abs(u).max() * u.size) ** 2:
        return float("nan")
    return float(2 * np.pi * total / np.sum(power * np.sqrt(square)))


def _on(density: ArrayLike, grid: AbstractGrid) -> np.ndarray:
    u = np.asarray(density, float)
    if u.shape != grid.shape:
        raise ValueError(f"`density` must have the shape {grid.shape} of the grid, got {u.shape}.")
    return u


def _axis(grid: AbstractGrid) -> np.ndarray:
    if isinstance(grid, RadialGrid):
        return np.asarray(grid.radii, float)
    if isinstance(grid, Grid) and grid.ndim == 1:
        return np.asarray(grid.axes[0], float)
    raise ValueError(f"`grid` must have one dimension, or be a RadialGrid, got {grid!r}.")
