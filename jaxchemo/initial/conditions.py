"""Initial conditions: one object is evaluated on a grid, at a point, and sampled as particles."""

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.domain import AbstractGrid, FreeSpace, Grid
from jaxchemo.initial.points import AbstractPoints, Random


class AbstractInitial(Shown):
    """A non-negative field at the initial time.

    >>> bump = jc.initial.gaussian(mass=2.0, std=0.1)
    >>> float(bump.mass_in(jc.FreeSpace(2)))
    2.0
    >>> bump.sample(jax.random.key(0), 100, jc.FreeSpace(2)).shape
    (100, 2)
    """

    @abc.abstractmethod
    def on_grid(self, grid: AbstractGrid) -> Float[Array, "*shape"]:
        """Cell averages on a grid."""

    @abc.abstractmethod
    def mass_in(self, grid: AbstractGrid | FreeSpace) -> Float[Array, ""]:
        """Its integral over the domain [units of the field x length^d]: what lies outside is not there."""

    @abc.abstractmethod
    def place(self, u: Float[Array, "n k"], grid: Grid | FreeSpace) -> Float[Array, "n d"]:
        """Points of the unit cube turned into positions whose density is the normalised field.

        Where it `overflows`, that is the field in the whole space.
        """

    def uniforms(self, ndim: int) -> int:
        """How many uniform numbers `place` takes for a position in `ndim` dimensions. Default: as many."""
        return ndim

    @property
    def finest(self) -> Array | float:
        """Smallest length in it that a grid must resolve [length]. Default: infinity, there is none."""
        return math.inf

    @property
    def overflows(self) -> bool:
        """Whether `place` may give positions outside a box; `sample` draws them anew. Default: no."""
        return False

    @property
    def unbounded(self) -> bool:
        """Whether it is known, and can be sampled, in the whole space."""
        return False

    @property
    def smooth(self) -> bool:
        """Whether it is positive and smooth in the whole space, so that its logarithm has derivatives."""
        return False

    def check(self, name: str, grid: AbstractGrid | FreeSpace) -> None:
        """Refuses, in words about the argument `name`, a condition that does not fit the grid.

        **Raises:** `ValueError` or `TypeError`.
        """

    def check_values(self, name: str, grid: AbstractGrid, *, signed: bool) -> None:
        """Refuses values on a grid that are not finite or, unless it is `signed`, negative, where they are known.

        **Raises:** `ValueError`.
        """

    @eqx.filter_jit
    def sample(
        self,
        key: PRNGKeyArray,
        n: int,
        grid: Grid | FreeSpace,
        points: AbstractPoints = Random(),
    ) -> Float[Array, "n d"]:
        """`n` particle positions in the domain, whose density is the normalised field there.

        Nothing is brought in from outside, on periodic axes neither. Positions follow the numbers of the field
        pathwise; those that the formula of a ring or a ball puts outside are drawn anew from its cell averages.

        **Arguments:**

        - `key`: random key; with Sobol points it shifts the whole set.
        - `n`: number of particles.
        - `grid`: a box, or `FreeSpace`.
        - `points`: `Random()` (default) or `Sobol()`.

        **Raises:** `TypeError` for a field that is known on a grid only, in `FreeSpace`.
        """
        x = self.place(points(key, n, self.uniforms(grid.ndim)), grid)
        if isinstance(grid, Grid) and self.overflows:
            x = _drawn_anew(self, x, jax.random.fold_in(key, 1), grid)
        # Round-off can put a position that belongs to a wall a last digit behind it.
        return jnp.stack(grid.fold(tuple(x.T)), axis=1)


def _drawn_anew(
    condition: AbstractInitial, x: Float[Array, "n d"], key: PRNGKeyArray, grid: Grid
) -> Float[Array, "n d"]:
    """Positions of which those outside the box are replaced by others inside.

    Whatever share is outside, all of them then have the density of the field in the box.
    """
    outside = jnp.any((x < jnp.array(grid.lower)) | (x > jnp.array(grid.upper)), axis=1, keepdims=True)

    def replaced(x: Array) -> Array:
        u = Random()(key, x.shape[0], grid.ndim)
        return jnp.where(outside, in_cells(condition.on_grid(grid), u, grid), x).astype(x.dtype)

    return jax.lax.cond(jnp.any(outside), replaced, lambda x: x, x)


def in_cells(field: Float[Array, "*shape"], u: Float[Array, "n d"], grid: Grid) -> Float[Array, "n d"]:
    """Points of the unit cube turned into positions whose density is that of these cell averages.

    Rosenblatt's map of a piecewise constant density: each coordinate by its own conditional distribution, which keeps
    the evenness of Sobol points and is differentiable in the cell averages.
    """
    x, row = [], jnp.zeros(u.shape[0], jnp.int32)
    for axis in range(grid.ndim):
        n = grid.shape[axis]
        share = field.sum(tuple(range(axis + 1, grid.ndim))).reshape(-1)
        total = jnp.concatenate([jnp.zeros(1, share.dtype), jnp.cumsum(share)])
        start, stop = total[row * n], total[(row + 1) * n]
        target = start + u[:, axis] * (stop - start)
        cell = jnp.clip(jnp.searchsorted(total, target, side="right") - 1, row * n, (row + 1) * n - 1)
        width = jnp.where(share[cell] > 0, share[cell], 1)
        inside = jnp.clip((target - total[cell]) / width, 0, 1)
        x.append(grid.lower[axis] + grid.spacing[axis] * (cell - row * n + inside))
        row = cell
    return jnp.stack(x, axis=1)


def cells(grid: AbstractGrid | FreeSpace) -> AbstractGrid:
    """The grid, for a field that is known, or bounded, by its cells only.

    **Raises:** `TypeError` for another domain.
    """
    return _checks.instance("domain", grid, AbstractGrid, "a grid: this field is not known in the whole space")


def box(grid: AbstractGrid | FreeSpace) -> Grid:
    """The box, for a field that fills it or is known by its cells.

    **Raises:** `TypeError` for another domain.
    """
    return _checks.instance("domain", grid, Grid, "a box, jc.Grid.box(...): this field is not known in the whole space")


class AbstractProfile(AbstractInitial):
    """A field given by a formula, known at every point.

    >>> isinstance(jc.initial.gaussian(mass=1.0, std=0.1), jc.initial.AbstractProfile)
    True
    >>> isinstance(jc.initial.array([1.0, 2.0]), jc.initial.AbstractProfile)
    False
    """

    @abc.abstractmethod
    def __call__(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch"]:
        """The field at points `x`."""

    def log_value(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch"]:
        """Its logarithm, also where it is too small to be a number."""
        return jnp.log(self(x))


class AbstractGridded(AbstractInitial):
    """A field known by its cell values only."""

    def mass_in(self, grid):
        return cells(grid).integrate(self.on_grid(cells(grid)))

    def place(self, u, grid):
        return in_cells(self.on_grid(box(grid)), u, box(grid))
