"""How cells respond to a signal: each law is the gradient of a potential, so fields and particles share it."""

import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, number


class AbstractSensitivity(Shown):
    """The drift `V = response(density) * grad potential(signal)` of a species up (or down) a signal.

    A grid scheme needs only differences of `potential`, which is what lets its face flux be fitted exactly; a particle
    needs its slope, which is derived from it, so that the two can never disagree.
    """

    @abc.abstractmethod
    def potential(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        """Chemotactic potential [length^2 / time] of a signal, elementwise."""

    @abc.abstractmethod
    def response(self, density: Float[Array, "..."]) -> Float[Array, "..."] | float:
        """Factor on the drift where cells are crowded [dimensionless]; 1 where crowding does not matter."""

    @abc.abstractmethod
    def describe(self, signal: str, density: str) -> str:
        """The drift in words of the model's equations, such as `'1 grad c'`."""

    def slope(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        """Derivative of the potential: the drift of a lone cell is `slope(signal) * grad signal`."""
        return jax.jvp(self.potential, (signal,), (jnp.ones_like(signal),))[1]


class Linear(AbstractSensitivity):
    """`V = chi grad s`, the classical law (Keller and Segel 1970). `chi` [length^2 / time / concentration]."""

    chi: Float[Array, ""]

    def __init__(self, chi: ArrayLike):
        self.chi = _checks.real("chi", chi)

    def potential(self, signal):
        return self.chi * signal

    def response(self, density):
        return 1.0

    def describe(self, signal, density):
        return f"{number(self.chi)} grad {signal}"


class Logarithmic(AbstractSensitivity):
    """`V = chi grad ln(s + offset)`, Weber-Fechner sensing (Keller and Segel 1971).

    **Arguments:**

    - `chi`: strength [length^2 / time].
    - `offset`: concentration below which the response levels off, at least 0. Default 0: the signal must then stay
      positive, as it does under consumption.
    """

    chi: Float[Array, ""]
    offset: Float[Array, ""]

    def __init__(self, chi: ArrayLike, offset: ArrayLike = 0.0):
        self.chi = _checks.real("chi", chi)
        self.offset = _checks.non_negative("offset", offset)

    def potential(self, signal):
        return self.chi * jnp.log(signal + self.offset)

    def response(self, density):
        return 1.0

    def describe(self, signal, density):
        return f"{number(self.chi)} grad ln({signal} + {number(self.offset)})"


class Receptor(AbstractSensitivity):
    """`V = chi K / (K + s)^2 grad s`: the slope of receptor occupancy (Lapidus and Schiller 1976).

    **Arguments:**

    - `chi`: strength [length^2 / time].
    - `dissociation`: K, the concentration of half occupancy, positive.
    """

    chi: Float[Array, ""]
    dissociation: Float[Array, ""]

    def __init__(self, chi: ArrayLike, dissociation: ArrayLike):
        self.chi = _checks.real("chi", chi)
        self.dissociation = _checks.positive("dissociation", dissociation)

    def potential(self, signal):
        return self.chi * signal / (self.dissociation + signal)

    def response(self, density):
        return 1.0

    def describe(self, signal, density):
        k = number(self.dissociation)
        return f"{number(self.chi)} grad({signal} / ({k} + {signal}))"


class LogWindow(AbstractSensitivity):
    """`V = chi grad ln((1 + s/K_I) / (1 + s/K_A))`: logarithmic between the two affinities of a receptor, flat outside.

    **Arguments:**

    - `chi`: strength [length^2 / time].
    - `inactive`, `active`: the dissociation constants K_I < K_A, positive [concentration].
    """

    chi: Float[Array, ""]
    inactive: Float[Array, ""]
    active: Float[Array, ""]

    def __init__(self, chi: ArrayLike, inactive: ArrayLike, active: ArrayLike):
        self.chi = _checks.real("chi", chi)
        self.inactive = _checks.positive("inactive", inactive)
        self.active = _checks.positive("active", active)

    def potential(self, signal):
        return self.chi * (jnp.log1p(signal / self.inactive) - jnp.log1p(signal / self.active))

    def response(self, density):
        return 1.0

    def describe(self, signal, density):
        ki, ka = number(self.inactive), number(self.active)
        return f"{number(self.chi)} grad ln((1 + {signal}/{ki}) / (1 + {signal}/{ka}))"


class VolumeFilling(AbstractSensitivity):
    """Any law, switched off where cells fill the space: times `1 - density/capacity` (Painter and Hillen 2002).

    **Arguments:**

    - `law`: the sensitivity of a lone cell.
    - `capacity`: density at which there is no room left, positive.
    """

    law: AbstractSensitivity
    capacity: Float[Array, ""]

    def __init__(self, law: AbstractSensitivity, capacity: ArrayLike):
        self.law = _checks.instance("law", law, AbstractSensitivity, "a sensitivity such as Linear(1.0)")
        self.capacity = _checks.positive("capacity", capacity)

    def potential(self, signal):
        return self.law.potential(signal)

    def response(self, density):
        return self.law.response(density) * (1 - density / self.capacity)

    def describe(self, signal, density):
        return f"(1 - {density}/{number(self.capacity)}) {self.law.describe(signal, density)}"
