"""Where a problem lives: what a scheme needs to know of any grid, the box of equal cells, and free space."""

import abc
import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from jaxchemo import _checks
from jaxchemo._types import Components
from jaxchemo.domain.boundary import AbstractBoundary, Mixed, NoFlux, Periodic, Transform, identity


class AbstractGrid(eqx.Module):
    """Cells and faces: what a finite-volume scheme needs to know of a geometry, one array axis at a time."""

    @property
    @abc.abstractmethod
    def ndim(self) -> int:
        """Dimension of the space [dimensionless]."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of a field on this grid."""

    @property
    @abc.abstractmethod
    def centers(self) -> Float[Array, "*shape d"]:
        """Cell centres [length]."""

    @property
    @abc.abstractmethod
    def volumes(self) -> Float[Array, "*#shape"]:
        """Cell volumes [length^d], broadcastable to a field."""

    @property
    @abc.abstractmethod
    def lengths(self) -> tuple[Float[Array, "*#shape"], ...]:
        """Size of the cells along each array axis [length]."""

    @abc.abstractmethod
    def pad(
        self,
        field: Float[Array, "..."],
        axis: int,
        *,
        name: str | None = None,
        t: ArrayLike = 0.0,
        transform: Transform = identity,
    ) -> Float[Array, "..."]:
        """`field` with one ghost cell at both ends of `axis`, as its boundary says."""

    @abc.abstractmethod
    def closed(self, axis: int, name: str | None) -> tuple[bool, bool]:
        """Whether nothing of the field `name` passes the two ends of `axis`."""

    @abc.abstractmethod
    def keeps_all(self, name: str | None) -> bool:
        """Whether nothing of the field `name` leaves the domain or comes in."""

    @property
    @abc.abstractmethod
    def walls(self) -> tuple[AbstractBoundary, ...]:
        """What happens at each end of each axis."""

    @abc.abstractmethod
    def face_distance(self, axis: int) -> Float[Array, "..."] | float:
        """Distance between the cell centres on the two sides of each face of `axis`, ghosts included [length]."""

    @abc.abstractmethod
    def divergence(self, flux: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
        """Outflow per volume of each cell through its two faces along `axis`; `flux` has one more face than cells.

        It is in units of the flux over a length.
        """

    @abc.abstractmethod
    def average(self, function: Callable[[Array], Array], order: int = 3) -> Float[Array, "*shape"]:
        """Cell averages of `function`, which maps points `(..., d)` to values `(...)`, by Gauss quadrature.

        **Arguments:**

        - `function`: of points `(*shape, d)` [length].
        - `order`: points along each axis of a cell. Default 3: in a box, polynomials of degree 5 are exact.
        """

    def integrate(self, field: Float[Array, "*shape"]) -> Float[Array, ""]:
        """Integral of a field over the domain [units of the field x length^d]."""
        return jnp.sum(field * self.volumes)


class Grid(AbstractGrid):
    """A box of equal cells in one, two or three dimensions. Build it with `Grid.box`.

    The spacing may differ between the axes; fields are arrays of shape `shape` in the order of the axes.

    >>> grid = jc.Grid.box((-1, -1), (1, 1), shape=(64, 32))
    >>> grid.spacing
    (0.03125, 0.0625)
    >>> grid.centers.shape
    (64, 32, 2)
    """

    lower: tuple[float, ...] = eqx.field(static=True)
    upper: tuple[float, ...] = eqx.field(static=True)
    cells: tuple[int, ...] = eqx.field(static=True)
    boundaries: tuple[AbstractBoundary, ...]

    @classmethod
    def box(
        cls,
        lower: float | Sequence[float],
        upper: float | Sequence[float],
        shape: int | Sequence[int],
        boundary: AbstractBoundary | Sequence[AbstractBoundary | tuple[AbstractBoundary, AbstractBoundary]] = NoFlux(),
    ) -> "Grid":
        """A box `[lower, upper]` cut into `shape` equal cells.

        **Arguments:**

        - `lower`, `upper`: corners [length]; a number for one dimension.
        - `shape`: number of cells along each axis, at least 2.
        - `boundary`: one boundary for all axes, or one per axis, or a `(low, high)` pair per axis. Default `NoFlux()`.

        **Raises:** `ValueError` or `TypeError` naming the argument at fault.
        """
        lower, upper = _corner("lower", lower), _corner("upper", upper)
        sizes = _checks.one_or_several(shape)
        if not 1 <= len(lower) <= 3:
            raise ValueError(f"`lower` must have 1, 2 or 3 coordinates, got {len(lower)}.")
        if not len(lower) == len(upper) == len(sizes):
            raise ValueError(f"`lower`, `upper` and `shape` must agree in length, got {lower}, {upper} and {sizes}.")
        if not all(math.isfinite(a) and math.isfinite(b) and a < b for a, b in zip(lower, upper, strict=True)):
            raise ValueError(f"`lower` must be finite and smaller than `upper` on each axis, got {lower} and {upper}.")
        cells = tuple(_checks.natural("shape", n, at_least=2) for n in sizes)
        for a, b, n in zip(lower, upper, cells, strict=True):
            if (b - a) / n < np.spacing(np.asarray(max(abs(a), abs(b)), jnp.result_type(float))):
                raise ValueError(
                    f"`shape`: {n} cells between `lower` {a:g} and `upper` {b:g} are too narrow to be told apart in "
                    f"{jnp.result_type(float).name}."
                )
        if isinstance(boundary, AbstractBoundary):
            return cls(lower, upper, cells, (boundary,) * len(cells))
        if not isinstance(boundary, Sequence) or isinstance(boundary, str):
            raise TypeError(
                "`boundary` must be a boundary such as NoFlux() or Periodic(), one per axis, or a (low, high) pair per "
                f"axis, got {boundary!r}."
            )
        if len(boundary) != len(cells):
            raise ValueError(f"`boundary` must be one object or one per axis ({len(cells)}), got {len(boundary)}.")
        return cls(lower, upper, cells, tuple(_side(side) for side in boundary))

    @property
    def ndim(self) -> int:
        return len(self.cells)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.cells

    @property
    def spacing(self) -> tuple[float, ...]:
        """Cell size along each axis [length]."""
        return tuple((b - a) / n for a, b, n in zip(self.lower, self.upper, self.cells, strict=True))

    @property
    def cell_volume(self) -> float:
        """Volume of one cell [length^d]."""
        return math.prod(self.spacing)

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Which axes wrap around; a particle's kernel is mirrored at the walls of the others."""
        return tuple(isinstance(side, Periodic) for side in self.boundaries)

    @property
    def absorbing(self) -> bool:
        """Whether any wall takes particles out."""
        return any(side.absorbs for side in self.boundaries)

    @property
    def axes(self) -> tuple[Float[Array, " n"], ...]:
        """Cell centres along each axis [length]."""
        return tuple(
            lower + (jnp.arange(n, dtype=float) + 0.5) * h
            for lower, n, h in zip(self.lower, self.cells, self.spacing, strict=True)
        )

    @property
    def centers(self) -> Float[Array, "*shape d"]:
        return jnp.stack(jnp.meshgrid(*self.axes, indexing="ij"), axis=-1)

    @property
    def volumes(self) -> Float[Array, "*#shape"]:
        return jnp.full((1,) * self.ndim, self.cell_volume)

    @property
    def lengths(self) -> tuple[Float[Array, "*#shape"], ...]:
        return tuple(jnp.full((1,) * self.ndim, h) for h in self.spacing)

    def pad(self, field, axis, *, name=None, t=0.0, transform=identity):
        first = jnp.moveaxis(field, axis, 0)
        return jnp.moveaxis(self.boundaries[axis].pad(first, 1, name=name, t=t, transform=transform), 0, axis)

    def closed(self, axis, name):
        return self.boundaries[axis].closed(name)

    def keeps_all(self, name):
        return all(ring or all(self.closed(axis, name)) for axis, ring in enumerate(self.periodic))

    @property
    def walls(self):
        return tuple(end for side in self.boundaries for end in side.ends)

    def face_distance(self, axis):
        return self.spacing[axis]

    def divergence(self, flux, axis):
        return jnp.diff(flux, axis=axis) / self.spacing[axis]

    def average(self, function, order=3):
        # In a Gaussian whose standard deviation is one cell, the value at the centre is 4% above the average.
        nodes, weights = np.polynomial.legendre.leggauss(order)
        total = jnp.zeros(self.shape)
        for index in np.ndindex(*(order,) * self.ndim):
            shift = jnp.array([0.5 * h * nodes[i] for h, i in zip(self.spacing, index, strict=True)])
            total = total + math.prod(0.5 * weights[i] for i in index) * function(self.centers + shift)
        return total

    def fold(self, x: Components) -> Components:
        """Particle coordinates after a step, brought back into the box by the boundary of each axis."""
        walls = zip(self.boundaries, x, self.lower, self.upper, strict=True)
        return tuple(side.fold(xi, a, b) for side, xi, a, b in walls)

    def keeps(self, x: Components) -> Array | bool:
        """Which particles survive a step to `x` (before folding): `True` where no wall absorbs."""
        kept: Array | bool = True
        for side, xi, a, b in zip(self.boundaries, x, self.lower, self.upper, strict=True):
            kept = kept & side.keeps(xi, a, b)
        return kept

    def cell_of(self, x: Components) -> tuple[Int[Array, " p"], ...]:
        """Index of the cell that holds each particle; particles on the upper wall belong to the last cell."""
        return tuple(
            jnp.clip(jnp.floor((xi - a) / h).astype(jnp.int32), 0, n - 1)
            for xi, a, h, n in zip(x, self.lower, self.spacing, self.cells, strict=True)
        )

    def __repr__(self) -> str:
        sides = self.boundaries[0] if len(set(map(repr, self.boundaries))) == 1 else self.boundaries
        return f"Grid.box({self.lower}, {self.upper}, shape={self.cells}, boundary={sides})"


def _corner(name: str, value: Any) -> tuple[float, ...]:
    return tuple(_checks.constant(_checks.number, name, a) for a in _checks.one_or_several(value))


def _side(given: Any) -> AbstractBoundary:
    """The boundary of an axis, from one object or from a (low, high) pair."""
    if isinstance(given, tuple):
        if len(given) != 2:
            raise ValueError(f"`boundary`: the ends of an axis are a (low, high) pair, got {given!r}.")
        return Mixed(*given)
    return _checks.instance("boundary", given, AbstractBoundary, "a boundary such as NoFlux()")


class FreeSpace(eqx.Module):
    """The whole space: no grid and no walls, for methods whose particles or flows need none.

    **Arguments:**

    - `ndim`: dimension of the space, 1, 2 or 3.

    **Raises:** `ValueError` or `TypeError` if `ndim` is not 1, 2 or 3.

    >>> jc.FreeSpace(2)
    FreeSpace(ndim=2)
    """

    ndim: int = eqx.field(static=True)

    def __init__(self, ndim: int):
        self.ndim = _checks.natural("ndim", ndim)
        if self.ndim > 3:
            raise ValueError(f"`ndim` must be 1, 2 or 3, got {ndim}.")

    def fold(self, x: Components) -> Components:
        """Positions as they are: there is no wall."""
        return x

    def keeps(self, x: Components) -> Array | bool:
        """No particle is ever lost."""
        return True
