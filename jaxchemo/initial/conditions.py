"""Initial conditions: one object is evaluated on a grid, at a point, and sampled as particles."""

import abc
import math

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.domain import AbstractGrid, FreeSpace, Grid
from jaxchemo.initial.points import AbstractPoints, Random


class AbstractInitial(Shown):
    """A non-negative field at the initial time."""

    @abc.abstractmethod
    def on_grid(self, grid: AbstractGrid) -> Float[Array, "*shape"]:
        """Cell averages on a grid."""

    @abc.abstractmethod
    def mass_in(self, grid: AbstractGrid | FreeSpace) -> Float[Array, ""]:
        """Its integral [units of the field x length^d]."""

    @abc.abstractmethod
    def place(self, u: Float[Array, "n k"], grid: Grid | FreeSpace) -> Float[Array, "n d"]:
        """Points of the unit cube turned into positions whose density is the normalised field."""

    @abc.abstractmethod
    def uniforms(self, ndim: int) -> int:
        """How many uniform numbers `place` takes for a position in `ndim` dimensions."""

    @property
    @abc.abstractmethod
    def finest(self) -> Array | float:
        """Smallest length in it that a grid must resolve [length]; infinity where there is none."""

    @property
    def unbounded(self) -> bool:
        """Whether it is known, and can be sampled, in the whole space."""
        return False

    @property
    def smooth(self) -> bool:
        """Whether it is positive and smooth in the whole space, so that its logarithm has derivatives."""
        return False

    def check(self, name: str, grid: AbstractGrid | FreeSpace) -> None:
        """Refuses, in words about the argument `name`, a condition that does not fit the grid."""

    def check_values(self, name: str, grid: AbstractGrid, *, signed: bool) -> None:
        """Refuses values on a grid that are not finite or, unless it is `signed`, negative, where they are known."""

    def sample(
        self,
        key: PRNGKeyArray,
        n: int,
        grid: Grid | FreeSpace,
        points: AbstractPoints = Random(),
    ) -> Float[Array, "n d"]:
        """`n` particle positions in the domain, each with the field as its density.

        **Arguments:**

        - `key`: random key; with Sobol points it shifts the whole set.
        - `n`: number of particles.
        - `grid`: a box; what falls outside is brought back by its boundaries. Or `FreeSpace`.
        - `points`: `Random()` (default) or `Sobol()`.
        """
        x = self.place(points(key, n, self.uniforms(grid.ndim)), grid)
        return jnp.stack(grid.fold(tuple(x.T)), axis=1)


def cells(grid: AbstractGrid | FreeSpace) -> AbstractGrid:
    """The grid, for a field that is known, or bounded, by its cells only."""
    return _checks.instance("grid", grid, AbstractGrid, "a grid: this field is not known in the whole space")


def box(grid: AbstractGrid | FreeSpace) -> Grid:
    """The box, for a field that fills it or is known by its cells."""
    return _checks.instance("grid", grid, Grid, "a box, jc.Grid.box(...): this field is not known in the whole space")


class AbstractProfile(AbstractInitial):
    """A field given by a formula, known at every point."""

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
        grid = box(grid)
        # Rosenblatt's map of a piecewise constant density: each coordinate by its own conditional distribution, which
        # keeps the evenness of Sobol points and is differentiable in the cell values.
        mass = self.on_grid(grid)
        x, row = [], jnp.zeros(u.shape[0], jnp.int32)
        for axis in range(grid.ndim):
            n = grid.shape[axis]
            share = mass.sum(tuple(range(axis + 1, grid.ndim))).reshape(-1)
            total = jnp.concatenate([jnp.zeros(1, share.dtype), jnp.cumsum(share)])
            start, stop = total[row * n], total[(row + 1) * n]
            target = start + u[:, axis] * (stop - start)
            cell = jnp.clip(jnp.searchsorted(total, target, side="right") - 1, row * n, (row + 1) * n - 1)
            width = jnp.where(share[cell] > 0, share[cell], 1)
            inside = jnp.clip((target - total[cell]) / width, 0, 1)
            x.append(grid.lower[axis] + grid.spacing[axis] * (cell - row * n + inside))
            row = cell
        return jnp.stack(x, axis=1)

    def uniforms(self, ndim):
        return ndim

    @property
    def finest(self):
        return math.inf
