"""What crowding does to cells: the room that is left, and random motion that depends on the density."""

import abc
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, called, number
from jaxchemo.models.schedules import Number, changing


class Room(Shown):
    """The share of space that is left, `q(rho) = 1 - (rho / capacity)^power` (Wang and Hillen 2007).

    **Arguments:**

    - `capacity`: density at which there is no room left, positive [density].
    - `power`: positive; the larger, the later cells notice one another [dimensionless]. Default 1.

    **Raises:** `ValueError` or `TypeError` if `capacity` or `power` is not a positive number.

    >>> jc.models.Room(capacity=2.0)(jnp.array([0.0, 1.0, 2.0])).tolist()
    [1.0, 0.5, 0.0]
    """

    capacity: Float[Array, ""]
    power: Float[Array, ""] | None

    def __init__(self, capacity: Number, power: ArrayLike = 1.0):
        self.capacity = changing(_checks.positive, "capacity", capacity)
        # One is structure: the classical law needs no power at all.
        exact = _checks.positive("power", power)
        self.power = None if isinstance(power, int | float | np.number) and power == 1 else exact

    def __call__(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Share of space that is left at a density, elementwise [dimensionless]; negative beyond the capacity."""
        return 1 - power(density / self.capacity, self.power)

    def describe(self, density: str) -> str:
        """The share in words of the model's equations."""
        filled = f"{density}/{number(self.capacity)}"
        return f"1 - {filled}" if self.power is None else f"1 - ({filled})^{number(self.power)}"


class AbstractMotility(Shown):
    """Random motion that depends on the density: `D(rho) = mobility * factor(rho)`."""

    @abc.abstractmethod
    def factor(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Factor on the mobility, not negative, elementwise [dimensionless]."""

    @abc.abstractmethod
    def describe(self, density: str) -> str:
        """The factor in words of the model's equations, such as `'rho^2'`."""


class PowerLaw(AbstractMotility):
    """`D(rho) = mobility (rho / scale)^power`: cells that push one another, as a gas through a porous medium.

    Nothing moves by diffusion where there is nothing, so that a population has a sharp front (Barenblatt 1952).

    **Arguments:**

    - `power`: n, positive [dimensionless].
    - `scale`: density at which the mobility is what it says, positive [density]. Default 1.

    **Raises:** `ValueError` or `TypeError` if `power` or `scale` is not a positive number.

    >>> jc.models.PowerLaw(2.0).factor(jnp.array([0.0, 0.5, 1.0])).tolist()
    [0.0, 0.25, 1.0]
    """

    power: Float[Array, ""]
    scale: Float[Array, ""]

    def __init__(self, power: Number, scale: Number = 1.0):
        self.power = changing(_checks.positive, "power", power)
        self.scale = changing(_checks.positive, "scale", scale)

    def factor(self, density):
        return power(density / self.scale, self.power)

    def describe(self, density):
        base = density if number(self.scale) == "1" else f"({density}/{number(self.scale)})"
        return f"{base}^{number(self.power)}"


class SpaceFilling(AbstractMotility):
    """`D(rho) = mobility (q - rho q')`: the diffusion of cells that jump only where there is room.

    It belongs to `VolumeFilling(law, q)` with the same `q`. For `Room(capacity)` it is the constant 1, and not needed.

    **Arguments:**

    - `room`: q, from densities to the share of space left, elementwise: `Room(capacity, power)` or any function.

    **Raises:** `TypeError` if `room` is not a function.

    **Source:** Painter and Hillen (2002).

    >>> law = jc.models.SpaceFilling(jc.models.Room(capacity=1.0, power=2.0))
    >>> round(float(law.factor(jnp.array(0.5))), 3)  # q - rho q' = 1 + rho^2
    1.25
    """

    room: Callable[[Array], Array]

    def __init__(self, room: Callable[[Array], Array]):
        self.room = _checks.function("room", room)

    def factor(self, density):
        left, change = jax.jvp(self.room, (density,), (density,))
        return left - change

    def describe(self, density):
        return f"(q - {density} q')" + ("" if not isinstance(self.room, Room) else f"[{self.room.describe(density)}]")


class DensityDependent(AbstractMotility):
    """A law of your own: `D(rho) = mobility * function(rho)`, such as `DensityDependent(lambda u: 1 / (1 + u))`.

    **Arguments:**

    - `function`: from densities to factors, not negative, elementwise. One that is an `equinox.Module` brings its
      numbers along as leaves.

    **Raises:** `TypeError` if `function` is not a function.

    >>> law = jc.models.DensityDependent(lambda u: 1 / (1 + u))
    >>> float(jc.models.Species(mobility=0.5, motility=law).diffusivity(jnp.array(1.0)))
    0.25
    """

    function: Callable[[Array], Array]

    def __init__(self, function: Callable[[Array], Array]):
        self.function = _checks.function("function", function)

    def factor(self, density):
        return self.function(density)

    def describe(self, density):
        return f"{called(self.function)}({density})"


def power(base: Float[Array, "..."], exponent: Float[Array, ""] | None) -> Float[Array, "..."]:
    """`base ** exponent`, and zero where the base is not positive; `None` stands for 1."""
    if exponent is None:
        return base
    # A power of zero has no derivative in the exponent, and what round-off turned negative has no power.
    return jnp.where(base > 0, jnp.where(base > 0, base, 1) ** exponent, 0)
