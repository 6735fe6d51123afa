"""Laws of sensitivity that crowding weakens, or that a largest speed bounds; most of them change another law."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import number
from jaxchemo.models.crowding import Room, power
from jaxchemo.models.schedules import Number, changing
from jaxchemo.models.sensitivity import AbstractSensitivity, Factor


class VolumeFilling(AbstractSensitivity):
    """Any law, switched off where cells fill the space: times the room that is left (Painter and Hillen 2002).

    **Arguments:**

    - `law`: the sensitivity of a lone cell.
    - `room`: q, from densities to the share of space that is left, elementwise: `Room(capacity, power)` or any
      function; a number is the capacity of `q = 1 - density/capacity`. Other q change the diffusion of the cells too:
      give their species `motility=SpaceFilling(q)`.

    **Raises:** `TypeError` unless `law` is a sensitivity; `ValueError` if a number for `room` is not positive.

    >>> law = jc.models.VolumeFilling(jc.models.Linear(1.0), room=2.0)
    >>> law.response(jnp.array([0.0, 1.0, 2.0])).tolist()
    [1.0, 0.5, 0.0]
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
    - `half`: at which half of it is left, positive [density]. Default 1.
    - `power`: positive [dimensionless]. Default 2.

    **Raises:** `TypeError` unless `law` is a sensitivity; `ValueError` if `half` or `power` is not positive.

    >>> law = jc.models.Saturating(jc.models.Linear(1.0), half=2.0)
    >>> law.response(jnp.array([0.0, 2.0])).tolist()
    [1.0, 0.5]
    """

    law: AbstractSensitivity
    half: Float[Array, ""]
    power: Float[Array, ""]

    def __init__(self, law: AbstractSensitivity, half: Number = 1.0, power: ArrayLike = 2.0):
        self.law = _checks.instance("law", law, AbstractSensitivity, "a sensitivity such as Linear(1.0)")
        self.half = changing(_checks.positive, "half", half)
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

    **Raises:** `TypeError` unless `law` is a sensitivity; `ValueError` if `speed` is not positive.

    >>> jc.models.FluxLimited(jc.models.Linear(1.0), speed=2.0).describe("c", "rho")
    'limited to 2 of 1 grad c'
    """

    law: AbstractSensitivity
    speed: Float[Array, ""]

    def __init__(self, law: AbstractSensitivity, speed: Number):
        self.law = _checks.instance("law", law, AbstractSensitivity, "a sensitivity such as Linear(1.0)")
        self.speed = changing(_checks.positive, "speed", speed)

    def potential(self, signal):
        return self.law.potential(signal)

    @property
    def response(self):
        return self.law.response

    def limit(self, speed):
        inner = 1.0 if self.law.limit is None else self.law.limit(speed)
        z = speed * inner / self.speed
        # tanh(z)/z is 0/0 where the signal is flat; the next term of its series is 17/315 z^6, here below 4e-12.
        small = jnp.abs(z) < 0.02
        safe = jnp.where(small, 1.0, z)
        return inner * jnp.where(small, 1 - z**2 / 3 + 2 * z**4 / 15, jnp.tanh(safe) / safe)

    def describe(self, signal, density):
        return f"limited to {number(self.speed)} of {self.law.describe(signal, density)}"


class HillGradient(AbstractSensitivity):
    """`V = v G^n / (K^n + G^n) grad s / G` with `G = |grad s|`: cells answer the steepness, up to a largest drift.

    **Arguments:**

    - `speed`: v, the largest drift; negative for a repellent [length / time].
    - `half`: K, the steepness of half that drift, positive [concentration / length].
    - `power`: n, at least 1 [dimensionless]. Default 1.

    **Raises:** `ValueError` or `TypeError` if `speed` is not finite, `half` not positive, or `power` below 1.

    >>> law = jc.models.HillGradient(speed=3.0, half=0.5)
    >>> float(0.5 * law.limit(jnp.array(0.5)))  # half of the largest drift where the steepness is 0.5
    1.5
    """

    speed: Float[Array, ""]
    half: Float[Array, ""]
    power: Float[Array, ""]

    def __init__(self, speed: Number, half: Number, power: ArrayLike = 1.0):
        self.speed = changing(_checks.real, "speed", speed)
        self.half = changing(_checks.positive, "half", half)
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
        # V / G with the quotient taken out: at G = 0 nothing is divided, and flat signals drive no one.
        ratio = speed / self.half
        return self.speed / self.half * ratio ** (self.power - 1) / (1 + ratio**self.power)

    def describe(self, signal, density):
        n, k = number(self.power), number(self.half)
        return (
            f"{number(self.speed)} |grad {signal}|^{n} / ({k}^{n} + |grad {signal}|^{n}) grad {signal}/|grad {signal}|"
        )


def _product(inner: Factor | None, outer: Factor) -> Factor:
    """Two factors in one, of which the inner law may have none."""
    return outer if inner is None else lambda x: inner(x) * outer(x)
