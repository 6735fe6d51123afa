"""Initial conditions known by cell values or by particles: arrays, noise, and particles that the user has."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.domain import FreeSpace, Grid
from jaxchemo.initial.conditions import AbstractGridded


class FromArray(AbstractGridded):
    """Cell values that the user has; see `array`."""

    values: Float[Array, "..."]

    def on_grid(self, grid):
        return self.values

    def check(self, name, grid):
        """**Raises:** `ValueError` for another shape than the grid's, or a negative value."""
        if isinstance(grid, FreeSpace):
            raise ValueError(f"`{name}`: an array has values on a grid, but the domain is {grid!r}.")
        if self.values.shape != grid.shape:
            raise ValueError(f"`{name}` has shape {self.values.shape}, but the grid has shape {grid.shape}.")
        if _checks.is_concrete(self.values) and np.any(np.asarray(self.values) < 0):
            lowest = float(np.min(np.asarray(self.values)))
            raise ValueError(f"`{name}` must not be negative, its smallest value is {lowest:g}.")


class Perturbed(AbstractGridded):
    """A uniform field with independent noise in each cell; see `perturbed`."""

    value: Float[Array, ""]
    noise: Float[Array, ""]
    seed: int = eqx.field(static=True)

    def on_grid(self, grid):
        u = jax.random.uniform(jax.random.key(self.seed), grid.shape, minval=-1.0, maxval=1.0)
        return self.value * (1 + self.noise * u)


class Particles(AbstractGridded):
    """Particles that the user has, all of the same weight; see `particles`.

    >>> ours = jc.initial.particles(np.array([[0.1, 0.2], [0.3, 0.4]]))
    >>> ours.sample(jax.random.key(0), 2, jc.FreeSpace(2)).round(1).tolist() == ours.positions.round(1).tolist()
    True
    """

    positions: Float[Array, "n d"]
    mass: Float[Array, ""]

    def on_grid(self, grid):
        grid = _checks.instance("domain", grid, Grid, "a box, jc.Grid.box(...)")
        cell = grid.cell_of(tuple(self.positions.T))
        return jnp.zeros(grid.shape).at[cell].add(self.mass / (self.positions.shape[0] * grid.cell_volume))

    def mass_in(self, grid):
        return self.mass

    def place(self, u, grid):
        """The particles themselves. **Raises:** `ValueError` if as many are not wanted."""
        if u.shape[0] != self.positions.shape[0]:
            raise ValueError(f"The initial condition has {self.positions.shape[0]} particles, the method {u.shape[0]}.")
        return self.positions

    @property
    def unbounded(self):
        return True

    def check(self, name, grid):
        """**Raises:** `ValueError` for another dimension than the domain's, or a particle outside a box."""
        if not isinstance(grid, Grid | FreeSpace) or self.positions.shape[1] != grid.ndim:
            raise ValueError(
                f"`{name}`: positions of dimension {self.positions.shape[1]} do not fit the grid {grid!r}."
            )
        if isinstance(grid, Grid) and _checks.is_concrete(self.positions):
            x = np.asarray(self.positions)
            outside = np.any((x < np.array(grid.lower)) | (x > np.array(grid.upper)), axis=1)
            if outside.any():
                first = int(np.argmax(outside))
                raise ValueError(
                    f"`{name}`: {int(outside.sum())} of {len(x)} particles lie outside the box {grid.lower} to "
                    f"{grid.upper}, the first is particle {first} at {x[first].tolist()}."
                )
