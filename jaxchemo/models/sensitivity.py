"""How cells respond to a signal: each law is the gradient of a potential, so fields and particles share it."""

import abc
from collections.abc import Callable, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, called, number
from jaxchemo.models.crowding import Room, power

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
    """`V = chi grad s`, the classical law (Keller and Segel 1970). `chi` [length^2 / time / concentration]."""

    chi: Float[Array, ""]

    def __init__(self, chi: ArrayLike):
        self.chi = _checks.real("chi", chi)

    def potential(self, signal):
        return self.chi * signal

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
        self.active = _checks.require(
            "active",
            _checks.positive("active", active),
            active,
            lambda a: a > self.inactive,
            f"be larger than `inactive`, {inactive!r}",
        )

    def potential(self, signal):
        return self.chi * (jnp.log1p(signal / self.inactive) - jnp.log1p(signal / self.active))

    def describe(self, signal, density):
        ki, ka = number(self.inactive), number(self.active)
        return f"{number(self.chi)} grad ln((1 + {signal}/{ki}) / (1 + {signal}/{ka}))"


class VolumeFilling(AbstractSensitivity):
    """Any law, switched off where cells fill the space: times the room that is left (Painter and Hillen 2002).

    **Arguments:**

    - `law`: the sensitivity of a lone cell.
    - `room`: q, from densities to the share of space that is left, elementwise: `Room(capacity, power)` or any
      function; a number is the capacity of `q = 1 - density/capacity`. Other q change the diffusion of the cells too:
      give their species `motility=SpaceFilling(q)`.
    """

    law: AbstractSensitivity
    room: Callable[[Array], Array]

    def __init__(self, law: AbstractSensitivity, room: ArrayLike | Callable[[Array], Array]):
        self.law = _checks.instance("law", law, AbstractSensitivity, "a sensitivity such as Linear(1.0)")
        self.room = room if callable(room) else Room(room)

    def potential(self, signal):
        return self.law.potential(signal)

    @property
    def response(self):
        return _product(self.law.response, self.room)

    @property
    def limit(self):
        return self.law.limit

    def describe(self, signal, density):
        left = self.room.describe(density) if isinstance(self.room, Room) else f"q({density})"
        return f"({left}) {self.law.describe(signal, density)}"


class Saturating(AbstractSensitivity):
    """Any law, weaker where cells are many: times `1 / (1 + (density/half)^power)`.

    `power=1` limits the flux of cells by their density (Velazquez 2004), `power=2` is the form of the VisualPDE demo.

    **Arguments:**

    - `law`: the sensitivity of a lone cell.
    - `half`: density at which half of it is left, positive. Default 1.
    - `power`: positive [dimensionless]. Default 2.
    """

    law: AbstractSensitivity
    half: Float[Array, ""]
    power: Float[Array, ""]

    def __init__(self, law: AbstractSensitivity, half: ArrayLike = 1.0, power: ArrayLike = 2.0):
        self.law = _checks.instance("law", law, AbstractSensitivity, "a sensitivity such as Linear(1.0)")
        self.half = _checks.positive("half", half)
        self.power = _checks.positive("power", power)

    def potential(self, signal):
        return self.law.potential(signal)

    @property
    def response(self):
        return _product(self.law.response, lambda density: 1 / (1 + power(density / self.half, self.power)))

    @property
    def limit(self):
        return self.law.limit

    def describe(self, signal, density):
        crowd = density if number(self.half) == "1" else f"({density}/{number(self.half)})"
        return f"1/(1 + {crowd}^{number(self.power)}) {self.law.describe(signal, density)}"


class FluxLimited(AbstractSensitivity):
    """Any law, at a bounded speed: `V = v tanh(G/v) grad potential / G` with `G = |grad potential|`, so `|V| < v`.

    Cells swim no faster than they can (Rivero, Tranquillo, Buettner and Lauffenburger 1989).

    **Arguments:**

    - `law`: the sensitivity in shallow gradients.
    - `speed`: the largest drift, positive [length / time].
    """

    law: AbstractSensitivity
    speed: Float[Array, ""]

    def __init__(self, law: AbstractSensitivity, speed: ArrayLike):
        self.law = _checks.instance("law", law, AbstractSensitivity, "a sensitivity such as Linear(1.0)")
        self.speed = _checks.positive("speed", speed)

    def potential(self, signal):
        return self.law.potential(signal)

    @property
    def response(self):
        return self.law.response

    def limit(self, speed):
        inner = 1.0 if self.law.limit is None else self.law.limit(speed)
        z = speed * inner / self.speed
        small = jnp.abs(z) < 0.02
        safe = jnp.where(small, 1.0, z)
        return inner * jnp.where(small, 1 - z**2 / 3 + 2 * z**4 / 15, jnp.tanh(safe) / safe)

    def describe(self, signal, density):
        return f"limited to {number(self.speed)} of {self.law.describe(signal, density)}"


class HillGradient(AbstractSensitivity):
    """`V = v G^n / (K^n + G^n) grad s / G` with `G = |grad s|`: cells answer the steepness, and saturate.

    **Arguments:**

    - `speed`: v, the largest drift; negative for a repellent [length / time].
    - `half`: K, the steepness of half that drift, positive [concentration / length].
    - `power`: n, at least 1 [dimensionless]. Default 1.
    """

    speed: Float[Array, ""]
    half: Float[Array, ""]
    power: Float[Array, ""]

    def __init__(self, speed: ArrayLike, half: ArrayLike, power: ArrayLike = 1.0):
        self.speed = _checks.real("speed", speed)
        self.half = _checks.positive("half", half)
        self.power = _checks.require(
            "power",
            _checks.positive("power", power),
            power,
            lambda a: a >= 1,
            "be at least 1",  # below, flat signals would drive cells
        )

    def potential(self, signal):
        return signal

    def limit(self, speed):
        ratio = speed / self.half
        return self.speed / self.half * ratio ** (self.power - 1) / (1 + ratio**self.power)

    def describe(self, signal, density):
        n, k = number(self.power), number(self.half)
        return (
            f"{number(self.speed)} |grad {signal}|^{n} / ({k}^{n} + |grad {signal}|^{n}) grad {signal}/|grad {signal}|"
        )


class Custom(AbstractSensitivity):
    """A law of your own, from functions: `V = response(density) * limit(|grad f(s)|) * grad f(s)`.

    ```
    Custom(lambda s: 2.0 * jnp.sqrt(s))
    Custom(lambda s: 3.0 * s, response=lambda u: jnp.exp(-u))
    ```

    **Arguments:**

    - `potential`: `f`, from concentrations to potentials, elementwise [length^2 / time].
    - `response`: factor on the drift as a function of the density, elementwise, or one number for all densities
      [dimensionless]. Default: none.
    - `limit`: factor on the drift as a function of its speed, likewise [dimensionless]. Default: none.

    A function that is an `equinox.Module` brings its numbers along as leaves, so that they can be differentiated.
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


def _product(inner: Factor | None, outer: Factor) -> Factor:
    """Two factors in one, of which the inner law may have none."""
    return outer if inner is None else lambda x: inner(x) * outer(x)
