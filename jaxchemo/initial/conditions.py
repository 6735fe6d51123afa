"""Initial conditions: one object is evaluated on a grid, at a point, and sampled as particles."""

import abc
import math

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo._show import Shown
from jaxchemo.domain import AbstractGrid, Grid
from jaxchemo.initial.points import AbstractPoints, Random


class AbstractInitial(Shown):
    """A non-negative field at the initial time."""

    @abc.abstractmethod
    def on_grid(self, grid: AbstractGrid) -> Float[Array, "*shape"]:
        """Cell averages on a grid."""

    @abc.abstractmethod
    def mass_in(self, grid: AbstractGrid) -> Float[Array, ""]:
        """Its integral [units of the field x length^d]."""

    @abc.abstractmethod
    def place(self, u: Float[Array, "n k"], grid: Grid) -> Float[Array, "n d"]:
        """Points of the unit cube turned into positions whose density is the normalised field."""

    @abc.abstractmethod
    def uniforms(self, ndim: int) -> int:
        """How many uniform numbers `place` takes for a position in `ndim` dimensions."""

    @property
    @abc.abstractmethod
    def finest(self) -> Array | float:
        """Smallest length in it that a grid must resolve [length]; infinity where there is none."""

    def check(self, name: str, grid: AbstractGrid) -> None:
        """Refuses, in words about the argument `name`, a condition that does not fit the grid."""

    def sample(
        self,
        key: PRNGKeyArray,
        n: int,
        grid: Grid,
        points: AbstractPoints = Random(),
    ) -> Float[Array, "n d"]:
        """`n` particle positions in the box of `grid`, each with the field as its density.

        **Arguments:**

        - `key`: random key; with Sobol points it shifts the whole set.
        - `n`: number of particles.
        - `grid`: the box; what falls outside is brought back by its boundaries.
        - `points`: `Random()` (default) or `Sobol()`.
        """
        x = self.place(points(key, n, self.uniforms(grid.ndim)), grid)
        return jnp.stack(grid.fold(tuple(x.T)), axis=1)


class AbstractProfile(AbstractInitial):
    """A field given by a formula, known at every point."""

    @abc.abstractmethod
    def __call__(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch"]:
        """The field at points `x`."""


class AbstractGridded(AbstractInitial):
    """A field known by its cell values only."""

    def mass_in(self, grid):
        return grid.integrate(self.on_grid(grid))

    def place(self, u, grid):
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
