"""Patterns in numbers: where a front is and how fast it moves, and the spikes of a profile."""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float

from jaxchemo.domain import AbstractGrid, Grid, RadialGrid


def front(density: Float[ArrayLike, "*t n"], grid: AbstractGrid, threshold: float) -> Float[np.ndarray, "*t"]:
    """Outermost place at which a profile falls through a threshold, between two cells by a straight line [length].

    **Arguments:**

    - `density`: profiles on a grid in one dimension or on shells, one or several in time.
    - `grid`: of them.
    - `threshold`: density at the front [mass / length^d].

    **Returns:** a place for each profile; NaN where it stays below, the last cell where it never falls.
    """
    u, x = np.atleast_2d(np.asarray(density, float)), _axis(grid)
    found = np.full(len(u), np.nan)
    for k, profile in enumerate(u):
        above = np.flatnonzero(profile > threshold)
        if above.size:
            last = int(above[-1])
            found[k] = x[last]
            if last + 1 < x.size:
                share = (profile[last] - threshold) / (profile[last] - profile[last + 1])
                found[k] += share * (x[last + 1] - x[last])
    return found.reshape(np.shape(density)[:-1])


def front_speed(ts: Float[ArrayLike, " t"], places: Float[ArrayLike, " t"]) -> Float[np.ndarray, " t"]:
    """Speed of a front from where it is at each time, second order inside [length / time]."""
    return np.gradient(np.asarray(places, float), np.asarray(ts, float))


class Spikes(NamedTuple):
    """The spikes of a profile: their `places` [length], `heights` [mass / length] and `masses` [mass]."""

    places: Float[np.ndarray, " k"]
    heights: Float[np.ndarray, " k"]
    masses: Float[np.ndarray, " k"]


def spikes(density: Float[ArrayLike, " n"], grid: AbstractGrid, threshold: float = 0.0) -> Spikes:
    """The local maxima of a profile that are higher than a threshold.

    **Arguments:**

    - `density`: a profile on a grid in one dimension.
    - `grid`: of it; periodic or not.
    - `threshold`: what is lower is no spike. Default 0.

    **Returns:** the spikes from left to right; the mass of one is that up to the lowest places between it and the next.
    """
    u, x = np.asarray(density, float), _axis(grid)
    ring = isinstance(grid, Grid) and grid.periodic[0]
    before, after = (np.roll(u, 1), np.roll(u, -1)) if ring else (np.r_[-np.inf, u[:-1]], np.r_[u[1:], -np.inf])
    tops = np.flatnonzero((u > before) & (u >= after) & (u > threshold))
    amounts = u * np.broadcast_to(np.asarray(grid.volumes, float), u.shape)
    if tops.size == 0:
        return Spikes(np.empty(0), np.empty(0), np.empty(0))
    valleys = [a + int(np.argmin(u[a:b])) for a, b in itertools.pairwise(tops)]
    masses = np.array([part.sum() for part in np.split(amounts, valleys)])
    if ring and tops.size > 1:  # what lies beyond the ends belongs to the last or to the first spike
        around = np.r_[tops[-1] : u.size, 0 : tops[0] + 1]
        valley = int(np.argmin(u[around])) + int(tops[-1])
        if valley < u.size:
            moved = amounts[valley:].sum()
            masses[[-1, 0]] += (-moved, moved)
        else:
            moved = amounts[: valley - u.size].sum()
            masses[[0, -1]] += (-moved, moved)
    return Spikes(x[tops], u[tops], masses)


def _axis(grid: AbstractGrid) -> np.ndarray:
    if isinstance(grid, RadialGrid):
        return np.asarray(grid.radii, float)
    if isinstance(grid, Grid) and grid.ndim == 1:
        return np.asarray(grid.axes[0], float)
    raise ValueError(f"`grid` must have one dimension, or be a RadialGrid, got {grid!r}.")
