"""What instruments see of a run: values at points, means over bins, moments and fronts, as parts of a `Simulation`.

Each is differentiable and none depends on the cells of the grid, so that the grid can be refined under the same data.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo.domain import Grid

Field = Callable[[Any], Float[Array, "..."]]
"""Which field of a `Snapshot` is seen."""


def density(snapshot: Any) -> Float[Array, "..."]:
    """The density of the only species.

    >>> jc.inference.density(jc.Snapshot(jnp.ones(3), None)).tolist()
    [1.0, 1.0, 1.0]
    """
    return snapshot.density


class At(eqx.Module):
    """Values at points, between the nearest cell centres linearly along each axis.

    **Arguments:**

    - `grid`: of the run.
    - `points`: `(n, d)` [length], inside the box; `(n,)` in one dimension.
    - `field`: from a `Snapshot` to a field on the grid. Default: the density of the only species.

    **Raises:** `ValueError` for points outside the box.

    >>> grid = jc.Grid.box(0.0, 1.0, 4)
    >>> jc.inference.At(grid, [0.25, 0.5])(jc.Snapshot(grid.axes[0], None)).tolist()
    [0.25, 0.5]
    """

    grid: Grid
    points: Float[Array, "n d"]
    field: Field

    def __init__(self, grid: Grid, points: Float[ArrayLike, "n d"], field: Field = density):
        self.grid = _check_grid(grid)
        array = np.asarray(_checks.real("points", points, arrays=True))
        array = array[:, None] if array.ndim == 1 and grid.ndim == 1 else array
        if array.ndim != 2 or array.shape[1] != grid.ndim:
            raise ValueError(f"`points` must have the shape (n, {grid.ndim}), got {array.shape}.")
        out = ((array < np.array(grid.lower)) | (array > np.array(grid.upper))).any(axis=1)
        if out.any():
            raise ValueError(
                f"`points` must be inside of the box from {grid.lower} to {grid.upper}, got "
                f"{tuple(array[out][0].tolist())} ({out.sum()} of {len(array)} are outside)."
            )
        self.points = jnp.asarray(array)
        self.field = _checks.function("field", field, "from a Snapshot to a field")

    def __call__(self, snapshot: Any) -> Float[Array, " n"]:
        padded = self.field(snapshot)
        for axis in range(
            self.grid.ndim
        ):  # a ghost cell beyond each wall, so that a point beside it has two neighbours
            padded = self.grid.pad(padded, axis)
        lower, spacing = jnp.asarray(self.grid.lower), jnp.asarray(self.grid.spacing)
        return map_coordinates(padded, list(((self.points - lower) / spacing + 0.5).T), order=1, mode="nearest")


class BinMeans(eqx.Module):
    """Means over bins in one dimension, exact for what is constant in each cell.

    **Arguments:**

    - `grid`: of the run, one-dimensional.
    - `edges`: of the bins, increasing, inside the box `(n + 1,)` [length].
    - `field`: as of `At`.

    **Raises:** `ValueError` for another grid, or edges that do not increase or lie outside.

    >>> grid = jc.Grid.box(0.0, 1.0, 4)
    >>> jc.inference.BinMeans(grid, [0.0, 0.5, 0.75])(jc.Snapshot(jnp.array([1.0, 3.0, 5.0, 7.0]), None)).tolist()
    [2.0, 5.0]
    """

    grid: Grid
    edges: Float[Array, " m"]
    field: Field

    def __init__(self, grid: Grid, edges: Float[ArrayLike, " m"], field: Field = density):
        self.grid = _one_dimensional(grid)
        ends = np.asarray(_checks.real("edges", edges, arrays=True))
        inside = ends.ndim == 1 and ends.size > 1 and ends[0] >= grid.lower[0] and ends[-1] <= grid.upper[0]
        if not inside or (np.diff(ends) <= 0).any():
            raise ValueError(
                f"`edges` must be increasing numbers between {grid.lower[0]:g} and {grid.upper[0]:g}, got {ends}."
            )
        self.edges, self.field = jnp.asarray(ends), _checks.function("field", field, "from a Snapshot to a field")

    def __call__(self, snapshot: Any) -> Float[Array, " n"]:
        values = self.field(snapshot)
        total = jnp.concatenate([jnp.zeros(1, values.dtype), jnp.cumsum(values)]) * self.grid.spacing[0]
        faces = jnp.linspace(self.grid.lower[0], self.grid.upper[0], self.grid.cells[0] + 1)
        return jnp.diff(jnp.interp(self.edges, faces, total)) / jnp.diff(self.edges)


class Moments(eqx.Module):
    """Mass, mean place and variance along each axis, in one array `(1 + 2 d,)`.

    **Arguments:** `grid` of the run, and `field`, as of `At`.

    >>> grid = jc.Grid.box(-1.0, 1.0, 2)
    >>> jc.inference.Moments(grid)(jc.Snapshot(jnp.array([1.0, 1.0]), None)).tolist()
    [2.0, 0.0, 0.25]
    """

    grid: Grid
    field: Field

    def __init__(self, grid: Grid, field: Field = density):
        self.grid = _check_grid(grid)
        self.field = _checks.function("field", field, "from a Snapshot to a field")

    def __call__(self, snapshot: Any) -> Float[Array, " m"]:
        values, centers = self.field(snapshot), self.grid.centers
        mass = self.grid.integrate(values)
        mean = jnp.stack([self.grid.integrate(values * centers[..., i]) for i in range(self.grid.ndim)]) / mass
        apart = (centers - mean) ** 2
        variance = jnp.stack([self.grid.integrate(values * apart[..., i]) for i in range(self.grid.ndim)]) / mass
        return jnp.concatenate([mass[None], mean, variance])


class Front(eqx.Module):
    """Where a field falls below a level for the last time from left to right, in one dimension [length].

    Between two cell centres it moves smoothly with the field. NaN where the field does not pass the level so, so that
    a fit refuses such a trial.

    **Arguments:**

    - `grid`: of the run, one-dimensional.
    - `level`: positive [unit of the field].
    - `field`: as of `At`.

    >>> grid = jc.Grid.box(0.0, 1.0, 4)
    >>> float(jc.inference.Front(grid, 1.0)(jc.Snapshot(jnp.array([2.0, 2.0, 0.0, 0.0]), None)))
    0.5
    """

    grid: Grid
    level: Float[Array, ""]
    field: Field

    def __init__(self, grid: Grid, level: ArrayLike, field: Field = density):
        self.grid, self.level = _one_dimensional(grid), _checks.positive("level", level)
        self.field = _checks.function("field", field, "from a Snapshot to a field")

    def __call__(self, snapshot: Any) -> Float[Array, ""]:
        values = self.field(snapshot)
        passes = (values[:-1] >= self.level) & (values[1:] < self.level)
        i = passes.size - 1 - jnp.argmax(passes[::-1])
        # Where nothing passes the quotient may be 0 / 0: a number stands there, so that no NaN gets into derivatives.
        fall = jnp.where(passes[i], values[i] - values[i + 1], 1)
        place = self.grid.axes[0][i] + self.grid.spacing[0] * (values[i] - self.level) / fall
        return jnp.where(passes[i], place, jnp.nan)


def _check_grid(grid: Any) -> Grid:
    return _checks.instance("grid", grid, Grid, "a Grid of equal cells, Grid.box(...)")


def _one_dimensional(grid: Any) -> Grid:
    if _check_grid(grid).ndim != 1:
        raise ValueError(f"`grid` must have one dimension, got {grid.ndim}.")
    return grid
