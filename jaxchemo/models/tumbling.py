"""How often a swimmer tumbles, from what it meets on its way: one law for agents, kinetic equations and limits."""

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, called, number
from jaxchemo._types import PerAxis
from jaxchemo.models.sensitivity import AbstractSensitivity

if TYPE_CHECKING:
    from jaxchemo.models.run_and_tumble import RunAndTumble


class Cue(NamedTuple):
    """What a swimmer meets.

    **Fields:**

    - `position`, `heading`: one array for each axis [length], and the unit vector along which it swims.
    - `signal`: the concentration where it is.
    - `along`, `passing`: how fast that changes by its own motion, `v . grad s`, and in place, `d_t s`, by default 0
      [concentration / time].

    >>> here, right = (jnp.array([0.0]),), (jnp.array([1.0]),)
    >>> cue = jc.models.Cue(here, right, signal=jnp.array([2.0]), along=jnp.array([0.5]), passing=0.25)
    >>> cue.change.tolist(), cue.turned().change.tolist()
    ([0.75], [-0.25])
    """

    position: PerAxis
    heading: PerAxis
    signal: Float[Array, "..."]
    along: Float[Array, "..."]
    passing: Float[Array, "..."] | float = 0.0

    @property
    def change(self) -> Float[Array, "..."]:
        """Temporal derivative of the signal along the path [concentration / time]."""
        return self.along + self.passing

    def turned(self) -> "Cue":
        """The same for one that swims the other way."""
        return self._replace(heading=tuple(-p for p in self.heading), along=-self.along)


class Moment(NamedTuple):
    """What a swimmer does in a step: the rate at which it tumbles, that at which tumbles end, and what it remembers.

    The second is `None` where the model's `tumble_duration` holds; both [1 / time].
    """

    rate: Float[Array, "..."]
    end_rate: Float[Array, "..."] | None
    memory: Any


class AbstractTumbling(Shown):
    """A tumble rate, which may depend on where a swimmer is, its direction, what it senses and what it remembers."""

    @property
    @abc.abstractmethod
    def senses(self) -> bool:
        """Whether it depends on a signal."""

    @property
    def has_memory(self) -> bool:
        """Whether it depends on more than what a swimmer meets now."""
        return False

    @abc.abstractmethod
    def rate(self, cue: Cue) -> Float[Array, "..."]:
        """Tumbles per time of a running swimmer, one that is adapted if it has a memory [1 / time]."""

    def rest(self, cue: Cue) -> Any:
        """The memory of a swimmer that has long been where it is; `None` for laws without one."""
        return None

    def live(self, cue: Cue, memory: Any, dt: ArrayLike, normal: Callable[[], Array]) -> "Moment":
        """What a swimmer does in a step, to which the cue belongs as its middle, and what it then remembers.

        **Arguments:**

        - `cue`: what it meets.
        - `memory`: at the beginning of the step.
        - `dt`: the step [time].
        - `normal`: draws a standard normal number for each swimmer.
        """
        return Moment(self.rate(cue), None, memory)

    @abc.abstractmethod
    def describe(self, signal: str) -> str:
        """The rate in words, such as `'1 exp(-0.5 dc/dt)'`."""

    @abc.abstractmethod
    def limit(
        self, cells: "RunAndTumble", ndim: int, signal: Float[Array, ""]
    ) -> tuple[Float[Array, ""], AbstractSensitivity | None]:
        """Mobility [length^2 / time] and sensitivity of a population that has tumbled often, about a signal.

        **Raises:** `TypeError` where the law has no such limit.
        """


class Spontaneous(AbstractTumbling):
    """A rate that depends on nothing, or on the place: a number, or a function of points `(..., d)` [1 / time].

    **Raises:** `ValueError` or `TypeError` if `rate` is neither a function nor non-negative numbers.

    >>> jc.models.RunAndTumble(20.0, jc.models.Spontaneous(0.5)).to_keller_segel(ndim=1)
    Model(
      d_t rho = div( 800 grad rho )
    )
    """

    base: Any

    def __init__(self, rate: ArrayLike | Callable[[Array], Array]):
        self.base = _rate("rate", rate)

    @property
    def senses(self) -> bool:
        return False

    def rate(self, cue):
        return at(self.base, cue.position)

    def limit(self, cells, ndim, signal):
        """They spread, and drift nowhere. **Raises:** `TypeError` if the rate depends on the place."""
        if callable(self.base):
            raise TypeError(f"A limit needs a rate that depends on no place, got {self!r}: FokkerPlanck would do.")
        return cells.spread(self.base, ndim), None

    def describe(self, signal):
        return _said(self.base)


class Directional(AbstractTumbling):
    """In one dimension, a rate for bacteria that swim to the right and another for those that swim to the left.

    **Arguments:**

    - `right`, `left`: a+ and a-, numbers or functions of points `(..., 1)`, not negative [1 / time].

    **Raises:** `ValueError` or `TypeError` if a rate is neither a function nor non-negative numbers.

    >>> jc.models.Directional(right=0.5, left=1.0).describe("")
    '0.5 to the right, 1 to the left'
    """

    right: Any
    left: Any

    def __init__(self, right: ArrayLike | Callable[[Array], Array], left: ArrayLike | Callable[[Array], Array]):
        self.right, self.left = _rate("right", right), _rate("left", left)

    @property
    def senses(self) -> bool:
        return False

    def rate(self, cue):
        return jnp.where(cue.heading[0] > 0, at(self.right, cue.position), at(self.left, cue.position))

    def limit(self, cells, ndim, signal):
        """There is none. **Raises:** `TypeError`."""
        raise TypeError(f"{self!r} has no Keller-Segel limit: FokkerPlanck would do.")

    def describe(self, signal):
        return f"{_said(self.right)} to the right, {_said(self.left)} to the left"


def _rate(name: str, given: ArrayLike | Callable[[Array], Array]) -> Any:
    return given if callable(given) else _checks.non_negative(name, given, arrays=True)


def at(law: Array | Callable[[Array], Array], x: PerAxis) -> Float[Array, "..."]:
    """A number, or a function of points `(..., d)`, at points given by their coordinates."""
    return jnp.asarray(law(jnp.stack(x, axis=-1))) if callable(law) else law


def _said(rate: Any) -> str:
    return f"{called(rate)}(x)" if callable(rate) else number(rate)
