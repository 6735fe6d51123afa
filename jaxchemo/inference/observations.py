"""What is observed of fields: values at points, averages and amounts in bins, moments, and the place of a front.

Each is a function of a `Snapshot` for `Simulation(observe=...)`. None of them tells the cells of the grid, so that a
grid can be refined under the same data. Several at once are a function of one's own:
`lambda shown: {"profile": profile(shown), "front": front(shown)}`.
"""

import abc
from collections.abc import Sequence
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.domain import Grid, RadialGrid
from jaxchemo.integrate.solution import between
from jaxchemo.methods import Snapshot


class AbstractObservation(Shown):
    """What is seen of one field: of `"density"` or `"signal"` where there is one, of one by its name where several."""

    field: eqx.AbstractVar[str]

    @abc.abstractmethod
    def __call__(self, shown: Snapshot) -> Any:
        """What is seen: an array, or several by name.

        **Raises:** `ValueError` for a snapshot that has no such field.
        """

    def of(self, shown: Snapshot) -> Float[Array, "*shape"]:
        """The field that is looked at."""
        kinds = {"density": shown.density, "signal": shown.signal}
        several = {name: part for parts in kinds.values() if isinstance(parts, dict) for name, part in parts.items()}
        there = {name: part for name, part in kinds.items() if part is not None and not isinstance(part, dict)}
        there |= several
        if self.field not in there:
            raise ValueError(f"`field` must be one of {_checks.listed(there)}, got {self.field!r}.")
        return there[self.field]


class AtPoints(AbstractObservation):
    """Values at points: linear between centres of cells along each axis, constant from the last of them to a wall.

    **Arguments:**

    - `domain`: of the problem, a `Grid` or a `RadialGrid`.
    - `points`: `(n, d)`, or `(n,)` in one dimension and for the distance from the centre of a `RadialGrid` [length].
    - `field`: default `"density"`.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault, also for points outside the domain.

    >>> grid = jc.Grid.box(0.0, 1.0, 10)
    >>> seen = jc.inference.AtPoints(grid, [0.5, 0.75])
    >>> seen(jc.methods.Snapshot(density=2 * grid.axes[0], signal=None)).round(2).tolist()
    [1.0, 1.5]
    """

    domain: Grid | RadialGrid = eqx.field(static=True)
    points: Float[Array, "n d"]
    field: str = eqx.field(static=True)

    def __init__(self, domain: Grid | RadialGrid, points: Float[ArrayLike, "n *d"], field: str = "density"):
        self.domain = _checks.instance("domain", domain, (Grid, RadialGrid), "a grid, such as jc.Grid.box(...)")
        self.field = _checks.instance("field", field, str, "'density', 'signal', or the name of one of several")
        axes = domain.ndim if isinstance(domain, Grid) else 1
        given = _checks.real("points", points, arrays=True)
        given = given[:, None] if given.ndim == axes == 1 else given
        if given.ndim != 2 or given.shape[1] != axes:
            raise ValueError(f"`points` must have the shape (n, {axes}), got {np.shape(points)}.")
        lower, upper = (domain.lower, domain.upper) if isinstance(domain, Grid) else ((0.0,), (domain.radius,))
        outside = np.any((np.asarray(given) < np.array(lower)) | (np.asarray(given) > np.array(upper)), axis=1)
        if outside.any():
            first = tuple(float(x) for x in np.asarray(given)[outside][0])
            raise ValueError(f"`points`: {outside.sum()} of {len(given)} are outside {domain!r}, such as {first}.")
        if isinstance(domain, RadialGrid):
            given = jnp.concatenate([given, jnp.zeros((len(given), domain.ndim - 1), given.dtype)], axis=1)
        self.points = given

    def __call__(self, shown: Snapshot) -> Float[Array, " n"]:
        return between(self.of(shown), self.points, self.domain)


class AbstractBins(AbstractObservation):
    """Bins along the axes of a grid."""

    grid: Grid = eqx.field(static=True)
    edges: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    field: str = eqx.field(static=True)

    def __init__(self, grid: Grid, edges: Sequence[Any], field: str = "density"):
        self.grid, self.edges = grid, _edges(grid, edges)
        self.field = _checks.instance("field", field, str, "'density', 'signal', or the name of one of several")

    @classmethod
    def even(cls, grid: Grid, count: int | Sequence[int], field: str = "density") -> Self:
        """Equal bins, so many along each axis, or along all of them.

        **Raises:** as `Bins`.
        """
        return cls(grid, _even(grid, count), field)

    def amounts(self, shown: Snapshot) -> Float[Array, "*bins"]:
        """Integrals over the bins of a field that is constant in each cell of the grid."""
        field = self.of(shown)
        for axis, along in enumerate(self.edges):
            faces = np.linspace(self.grid.lower[axis], self.grid.upper[axis], self.grid.cells[axis] + 1)
            low, high = (np.asarray(ends)[:, None] for ends in (along[:-1], along[1:]))
            lengths = np.maximum(np.minimum(high, faces[None, 1:]) - np.maximum(low, faces[None, :-1]), 0)
            field = jnp.moveaxis(jnp.tensordot(jnp.asarray(lengths, field.dtype), field, axes=(1, axis)), 0, axis)
        return field


class Bins(AbstractBins):
    """Averages over bins, such as the pixels of a camera: exact for what the cells of the grid hold.

    **Arguments:**

    - `grid`: of the problem, a `Grid`.
    - `edges`: of the bins along each axis, rising [length]; one list of them in one dimension. `Bins.even(grid, 32)`
      cuts the box into so many along each axis.
    - `field`: default `"density"`.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault, also for bins outside the grid.

    >>> grid = jc.Grid.box(0.0, 1.0, 4)
    >>> seen = jc.inference.Bins(grid, [0.0, 0.5, 0.75])
    >>> seen(jc.methods.Snapshot(density=jnp.array([1.0, 3.0, 5.0, 7.0]), signal=None)).tolist()
    [2.0, 5.0]
    """

    def __call__(self, shown: Snapshot) -> Float[Array, "*bins"]:
        seen = self.amounts(shown)
        for axis, edges in enumerate(self.edges):
            widths = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(seen.ndim)])
            seen = seen / widths
        return seen


class Amounts(AbstractBins):
    """What bins hold: masses, or expected counts where the density is a number of cells per volume.

    What is beyond a plane is one bin from there to the wall; what flows through the plane is its change in time.

    **Arguments:** as `Bins`.

    **Raises:** as `Bins`.

    >>> grid = jc.Grid.box(0.0, 1.0, 4)
    >>> beyond = jc.inference.Amounts(grid, [0.5, 1.0])
    >>> beyond(jc.methods.Snapshot(density=jnp.array([1.0, 3.0, 5.0, 7.0]), signal=None)).tolist()
    [3.0]
    """

    def __call__(self, shown: Snapshot) -> Float[Array, "*bins"]:
        return self.amounts(shown)


class Moments(AbstractObservation):
    """The amount of a field, its mean place, and its variance along each axis: `mass`, `mean`, `variance` by name.

    **Arguments:**

    - `grid`: of the problem, a `Grid`.
    - `field`: default `"density"`.

    **Raises:** `TypeError` for another domain.

    >>> grid = jc.Grid.box(0.0, 1.0, 4)
    >>> seen = jc.inference.Moments(grid)(jc.methods.Snapshot(density=jnp.ones(4), signal=None))
    >>> float(seen["mass"]), seen["mean"].tolist(), seen["variance"].tolist()  # those of the cells' centres
    (1.0, [0.5], [0.078125])
    """

    grid: Grid = eqx.field(static=True)
    field: str = eqx.field(static=True)

    def __init__(self, grid: Grid, field: str = "density"):
        self.grid = _checks.instance("grid", grid, Grid, "a box, jc.Grid.box(...)")
        self.field = _checks.instance("field", field, str, "'density', 'signal', or the name of one of several")

    def __call__(self, shown: Snapshot) -> dict[str, Array]:
        amounts = self.of(shown) * self.grid.cell_volume
        mass, axes = jnp.sum(amounts), tuple(range(self.grid.ndim))
        weights = amounts[..., None] / mass
        mean = jnp.sum(weights * self.grid.centers, axis=axes)
        return {"mass": mass, "mean": mean, "variance": jnp.sum(weights * (self.grid.centers - mean) ** 2, axis=axes)}


class Front(AbstractObservation):
    """The farthest place where a field passes a level, linear between the centres of cells; NaN where it does nowhere.

    Along a line, or along the radius of a `RadialGrid`. A fit refuses a run whose front is not there.

    **Arguments:**

    - `domain`: of the problem: a `Grid` of one dimension, or a `RadialGrid`.
    - `level`: that is passed, upwards or downwards [unit of the field].
    - `field`: default `"density"`.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> grid = jc.Grid.box(0.0, 1.0, 10)
    >>> front = jc.inference.Front(grid, level=0.5)
    >>> round(float(front(jc.methods.Snapshot(density=1 - grid.axes[0], signal=None))), 6)
    0.5
    """

    domain: Grid | RadialGrid = eqx.field(static=True)
    level: Float[Array, ""]
    field: str = eqx.field(static=True)

    def __init__(self, domain: Grid | RadialGrid, level: ArrayLike, field: str = "density"):
        self.domain = _checks.instance("domain", domain, (Grid, RadialGrid), "a grid, such as jc.Grid.box(...)")
        if isinstance(domain, Grid) and domain.ndim != 1:
            raise ValueError(f"`domain` must have one dimension for a front, or be a RadialGrid, got {domain!r}.")
        self.level = _checks.real("level", level)
        self.field = _checks.instance("field", field, str, "'density', 'signal', or the name of one of several")

    def __call__(self, shown: Snapshot) -> Float[Array, ""]:
        return last_passing(self.of(shown), self.domain.centers[:, 0], self.level)


def last_passing(
    field: Float[Array, " n"], places: Float[Array, " n"], level: Float[ArrayLike, ""]
) -> Float[Array, ""]:
    """The farthest of the places where a field passes a level, on straight lines between values; NaN for none."""
    above = field - level
    passes = (above[:-1] > 0) != (above[1:] > 0)
    last = above.size - 2 - jnp.argmax(passes[::-1])
    fall = above[last] - above[last + 1]
    # A fall of 1 where nothing passes, so that the derivative there is not NaN before it is chosen.
    place = places[last] + (places[last + 1] - places[last]) * above[last] / jnp.where(passes[last], fall, 1)
    return jnp.where(jnp.any(passes), place, jnp.nan)


def _edges(grid: Grid, edges: Sequence[Any]) -> tuple[tuple[float, ...], ...]:
    """Edges of bins along each axis, rising, within the grid."""
    _checks.instance("grid", grid, Grid, "a box, jc.Grid.box(...)")
    several = [edges] if grid.ndim == 1 and np.ndim(edges[0]) == 0 else list(edges)
    if len(several) != grid.ndim:
        raise ValueError(f"`edges` must be a list for each of {grid.ndim} axes, got {len(several)}.")
    made = []
    for axis, (given, low, high) in enumerate(zip(several, grid.lower, grid.upper, strict=True)):
        along = np.asarray(given, float)
        slack = 1e-9 * (high - low)
        if along.ndim != 1 or along.size < 2 or not np.all(np.diff(along) > 0):
            raise ValueError(f"`edges` along axis {axis} must be at least two rising numbers, got {given!r}.")
        if along[0] < low - slack or along[-1] > high + slack:
            ends = f"{along[0]:g} to {along[-1]:g}"
            raise ValueError(f"`edges` along axis {axis}, {ends}, must be within the grid, {low:g} to {high:g}.")
        made.append(tuple(along.tolist()))
    return tuple(made)


def _even(grid: Grid, count: int | Sequence[int]) -> list[np.ndarray]:
    _checks.instance("grid", grid, Grid, "a box, jc.Grid.box(...)")
    counts = _checks.one_or_several(count) * (grid.ndim if np.ndim(count) == 0 else 1)
    if len(counts) != grid.ndim:
        raise ValueError(f"`count` must be one number, or one for each of {grid.ndim} axes, got {count!r}.")
    parts = zip(grid.lower, grid.upper, counts, strict=True)
    return [np.linspace(low, high, _checks.natural("count", n) + 1) for low, high, n in parts]
