"""Profiles of the whole space that have a mass or a height, and of which a domain holds all or a part."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxchemo._show import Shown, number
from jaxchemo.domain import AbstractGrid, FreeSpace
from jaxchemo.initial.conditions import AbstractProfile


class Size(Shown):
    """How much there is of a profile: its integral over the whole space, or its height."""

    value: Float[Array, ""]
    is_mass: bool = eqx.field(static=True)

    def __repr__(self) -> str:
        return f"{'mass' if self.is_mass else 'amplitude'} {number(self.value)}"

    def height(self, volume: Array) -> Array:
        """Height of a profile whose integral is `volume` times its height."""
        return self.value / volume if self.is_mass else self.value

    def mass(self, volume: Array) -> Array:
        """Integral of such a profile."""
        return self.value if self.is_mass else self.value * volume


class AbstractSized(AbstractProfile):
    """A profile known in the whole space; in a domain it is the same formula, and what lies outside is not there."""

    size: eqx.AbstractVar[Size]

    @abc.abstractmethod
    def volume(self, ndim: int) -> Float[Array, ""]:
        """Its integral over the whole space, over its height [length^d]."""

    def mass_in(self, grid):
        if isinstance(grid, FreeSpace):
            return self.size.mass(self.volume(grid.ndim))
        return grid.integrate(self.on_grid(grid))

    def fits(self, grid: AbstractGrid) -> Bool[Array, ""]:
        """Whether all of it is known to lie in the domain, but for less than a millionth."""
        return jnp.zeros((), bool)

    @property
    def unbounded(self):
        return True
