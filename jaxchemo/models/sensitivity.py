"""How cells respond to a signal: each law is the gradient of a potential, so fields and particles share it."""

import abc
from collections.abc import Callable, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, called, number
from jaxchemo.models.schedules import Number, changing

Factor: TypeAlias = Callable[[Float[Array, "..."]], Float[Array, "..."] | float]
"""A factor on the drift [dimensionless]: one value for each that it is given, or one number for all."""


class AbstractSensitivity(Shown):
    """The drift `V = response(density) * limit(|grad potential|) * grad potential(signal)` of a species along a signal.

    A grid scheme needs only differences of `potential`, which is what lets its face flux be fitted exactly; a particle
    needs its slope, which is derived from it, so that the two can never disagree. A law of your own that has one of the
    two factors defines it as a method, `def response(self, density)`.
    """

    @abc.abstractmethod
    def potential(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        """Chemotactic potential [length^2 / time] of a signal, elementwise."""

    @property
    def response(self) -> Factor | None:
        """Factor on the drift as a function of the density; `None` where crowding does not matter."""
        return None

    @property
    def limit(self) -> Factor | None:
        """Factor on the drift as a function of `|grad potential|` [length / time]; `None` where there is no limit."""
        return None

    @abc.abstractmethod
    def describe(self, signal: str, density: str) -> str:
        """The drift in words of the model's equations, such as `'1 grad c'`."""

    def slope(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        """Derivative of the potential: the drift of a lone cell is `slope(signal) * grad signal`."""
        return jax.jvp(self.potential, (signal,), (jnp.ones_like(signal),))[1]

    def strength(self, signal: Float[Array, "..."], gradient: Sequence[Float[Array, "..."]]) -> Float[Array, "..."]:
        """Factor on the gradient of a signal, given by its components: the drift of a lone cell is both multiplied."""
        slope = self.slope(signal)
        if self.limit is None:
            return slope
        # So small that no speed notices; a root has no derivative at zero.
        speed = jnp.sqrt(slope**2 * sum(g**2 for g in gradient) + jnp.finfo(slope.dtype).tiny)
        return slope * self.limit(speed)


class Linear(AbstractSensitivity):
    """`V = chi grad s`, the classical law (Keller and Segel 1970).

    **Arguments:**

    - `chi`: strength, negative for cells that flee [length^2 / time / concentration].

    **Raises:** `ValueError` or `TypeError` if `chi` is not one finite number.

    >>> float(jc.models.Linear(2.0).potential(jnp.array(3.0)))
    6.0
    """

    chi: Float[Array, ""]

    def __init__(self, chi: Number):
        self.chi = changing(_checks.real, "chi", chi)

    def potential(self, signal):
        return self.chi * signal

    def describe(self, signal, density):
        return f"{number(self.chi)} grad {signal}"


class Logarithmic(AbstractSensitivity):
    """`V = chi grad ln(s + offset)`, Weber-Fechner sensing (Keller and Segel 1971).

    **Arguments:**

    - `chi`: strength [length^2 / time].
    - `offset`: below which the response levels off, at least 0 [concentration]. Default 0: the signal must then stay
      positive, as it does under consumption.

    **Raises:** `ValueError` or `TypeError` if `chi` is not one finite number, or `offset` is negative.

    >>> float(jc.models.Logarithmic(2.0, offset=0.5).slope(jnp.array(0.5)))
    2.0
    """

    chi: Float[Array, ""]
    offset: Float[Array, ""]

    def __init__(self, chi: Number, offset: Number = 0.0):
        self.chi = changing(_checks.real, "chi", chi)
        self.offset = changing(_checks.non_negative, "offset", offset)

    def potential(self, signal):
        return self.chi * jnp.log(signal + self.offset)

    def describe(self, signal, density):
        return f"{number(self.chi)} grad ln({signal} + {number(self.offset)})"


class Receptor(AbstractSensitivity):
    """`V = chi K / (K + s)^2 grad s`: the slope of receptor occupancy (Lapidus and Schiller 1976).

    **Arguments:**

    - `chi`: strength [length^2 / time].
    - `dissociation`: K, where half of the receptors are bound, positive [concentration].

    **Raises:** `ValueError` or `TypeError` if `chi` is not one finite number, or `dissociation` not positive.

    >>> float(jc.models.Receptor(chi=2.0, dissociation=1.0).potential(jnp.array(1.0)))  # half of them are bound
    1.0
    """

    chi: Float[Array, ""]
    dissociation: Float[Array, ""]

    def __init__(self, chi: Number, dissociation: Number):
        self.chi = changing(_checks.real, "chi", chi)
        self.dissociation = changing(_checks.positive, "dissociation", dissociation)

    def potential(self, signal):
        return self.chi * signal / (self.dissociation + signal)

    def describe(self, signal, density):
        k = number(self.dissociation)
        return f"{number(self.chi)} grad({signal} / ({k} + {signal}))"


class LogWindow(AbstractSensitivity):
    """`V = chi grad ln((1 + s/K_I) / (1 + s/K_A))`: logarithmic between the two affinities of a receptor, flat outside.

    **Arguments:**

    - `chi`: strength [length^2 / time].
    - `inactive`, `active`: the dissociation constants K_I < K_A, positive [concentration].

    **Raises:** `ValueError` or `TypeError` if `chi` is not one finite number, or not `0 < inactive < active`.

    >>> law = jc.models.LogWindow(chi=1.0, inactive=0.001, active=1000.0)
    >>> round(float(law.slope(jnp.array(0.5))), 1)  # chi / s, as of the logarithm
    2.0
    """

    chi: Float[Array, ""]
    inactive: Float[Array, ""]
    active: Float[Array, ""]

    def __init__(self, chi: Number, inactive: ArrayLike, active: ArrayLike):
        self.chi = changing(_checks.real, "chi", chi)
        self.inactive = _checks.positive("inactive", inactive)
        self.active = _checks.require(
            "active",
            _checks.positive("active", active),
            active,
            lambda a: a > self.inactive,
            f"be larger than `inactive`, {inactive!r}",
        )

    def potential(self, signal):
        # The difference of two logarithms, each by log1p: where s << K the sum 1 + s/K is 1 in float32.
        return self.chi * (jnp.log1p(signal / self.inactive) - jnp.log1p(signal / self.active))

    def describe(self, signal, density):
        ki, ka = number(self.inactive), number(self.active)
        return f"{number(self.chi)} grad ln((1 + {signal}/{ki}) / (1 + {signal}/{ka}))"


class Custom(AbstractSensitivity):
    """A law of your own, from functions: `V = response(density) * limit(|grad f(s)|) * grad f(s)`.

    **Arguments:**

    - `potential`: `f`, from concentrations to potentials, elementwise [length^2 / time].
    - `response`: factor on the drift as a function of the density, elementwise, or one number for all densities
      [dimensionless]. Default: none.
    - `limit`: factor on the drift as a function of its speed, likewise [dimensionless]. Default: none.

    A function that is an `equinox.Module` brings its numbers along as leaves, so that they can be differentiated.

    **Raises:** `TypeError` if `potential`, `response` or `limit` is not a function.

    >>> float(jc.models.Custom(lambda s: 2.0 * jnp.sqrt(s)).slope(jnp.array(4.0)))
    0.5
    >>> law = jc.models.Custom(lambda s: 3.0 * s, response=lambda u: jnp.exp(-u))
    >>> float(law.response(jnp.array(0.0)))
    1.0
    """

    function: Callable[[Array], Array]
    crowding: Factor | None
    limiter: Factor | None

    def __init__(
        self,
        potential: Callable[[Array], Array],
        response: Factor | None = None,
        limit: Factor | None = None,
    ):
        self.function = _checks.function("potential", potential)
        self.crowding = None if response is None else _checks.function("response", response)
        self.limiter = None if limit is None else _checks.function("limit", limit)

    def potential(self, signal):
        return self.function(signal)

    @property
    def response(self):
        return self.crowding

    @property
    def limit(self):
        return self.limiter

    def describe(self, signal, density):
        call = f"grad {called(self.function)}({signal})"
        limit = "" if self.limiter is None else f"{called(self.limiter, 'l')}(|{call}|) "
        response = "" if self.crowding is None else f"{called(self.crowding, 'q')}({density}) "
        return response + limit + call
