"""Tumble rates that answer the change of a signal along the path at once: linear, exponential and saturating."""

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, called, number
from jaxchemo.models.sensitivity import AbstractSensitivity, Custom, Linear
from jaxchemo.models.tumbling import AbstractTumbling

if TYPE_CHECKING:
    from jaxchemo.models.run_and_tumble import RunAndTumble


class AbstractResponse(AbstractTumbling):
    """A rate that answers the temporal derivative of a signal, or of a function of it, without memory."""

    base: eqx.AbstractVar[Float[Array, ""]]
    strength: eqx.AbstractVar[Float[Array, ""]]
    of: eqx.AbstractVar[Callable[[Array], Array] | None]

    @property
    def senses(self) -> bool:
        return True

    @abc.abstractmethod
    def factor(self, felt: Float[Array, "..."]) -> Float[Array, "..."]:
        """Factor on the rate; `felt` is the gain times the temporal derivative [dimensionless]."""

    def slope(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        """Derivative of what is sensed with respect to the signal."""
        unit = jnp.ones_like(signal)
        return unit if self.of is None else jax.jvp(self.of, (signal,), (unit,))[1]

    def rate(self, cue):
        change = cue.change if self.of is None else cue.change * self.slope(cue.signal)
        return self.base * self.factor(self.strength * change)

    def limit(self, cells, ndim, signal):
        return self.climbing(cells, ndim, 1.0)

    def climbing(
        self, cells: "RunAndTumble", ndim: int, kept: Float[Array, "..."] | float
    ) -> tuple[Float[Array, ""], AbstractSensitivity]:
        """Mobility and sensitivity of a population, where a share of the response is kept until directions change."""
        zero = jnp.zeros_like(self.base)
        fall = -jax.jvp(self.factor, (zero,), (jnp.ones_like(zero),))[1] * self.base * self.strength
        mobility = cells.spread(self.base, ndim)
        chi = mobility * (1 - cells.turning.mean_cosine(ndim)) * fall * kept
        return mobility, Linear(chi) if self.of is None else Custom(Scaled(self.of, chi))

    def _felt(self, signal: str) -> str:
        of = "" if self.of is None else f"{called(self.of)} "
        return f"{number(self.strength)} d({of}{signal})/dt"


class LinearResponse(AbstractResponse):
    """`rate (1 - gain dc/dt)`, negative where the signal rises too steeply: runs report it, nothing is cut off.

    **Arguments:**

    - `rate`: in an even signal, positive [1 / time].
    - `gain`: X, positive for an attractant [time / concentration].
    - `of`: what of the signal is sensed, such as `jnp.log`. Default: the signal itself.

    **Raises:** `ValueError` or `TypeError` if `rate` is not positive, `gain` no number, or `of` no function.

    >>> jc.models.LinearResponse(rate=1.0, gain=0.5, of=jnp.log).describe("c")
    '1 (1 - 0.5 d(log c)/dt)'
    """

    base: Float[Array, ""]
    strength: Float[Array, ""]
    of: Callable[[Array], Array] | None

    def __init__(self, rate: ArrayLike, gain: ArrayLike, of: Callable[[Array], Array] | None = None):
        self.base, self.strength, self.of = _response(rate, gain, of)

    def factor(self, felt):
        return 1 - felt

    def describe(self, signal):
        return f"{number(self.base)} (1 - {self._felt(signal)})"


class ExponentialResponse(AbstractResponse):
    """`rate exp(-gain dc/dt)`: positive in every gradient, with a drift that saturates.

    **Arguments:** as `LinearResponse`: `rate` in an even signal, positive [1 / time]; `gain` [time / concentration];
    `of`: what of the signal is sensed. Default: the signal itself.

    **Raises:** `ValueError` or `TypeError` if `rate` is not positive, `gain` no number, or `of` no function.

    >>> jc.models.RunAndTumble(20.0, jc.models.ExponentialResponse(rate=1.0, gain=0.5))
    RunAndTumble(
      swimmers run at 20, tumble at rate 1 exp(-0.5 d(c)/dt), and turn by Isotropic()
      d_t c = 0
    )
    """

    base: Float[Array, ""]
    strength: Float[Array, ""]
    of: Callable[[Array], Array] | None

    def __init__(self, rate: ArrayLike, gain: ArrayLike, of: Callable[[Array], Array] | None = None):
        self.base, self.strength, self.of = _response(rate, gain, of)

    def factor(self, felt):
        return jnp.exp(-felt)

    def describe(self, signal):
        return f"{number(self.base)} exp(-{self._felt(signal)})"


class SaturatingResponse(AbstractResponse):
    """`rate (1 - tanh(gain dc/dt))`: positive, and never more than twice the base.

    **Arguments:** as `LinearResponse`: `rate` in an even signal, positive [1 / time]; `gain` [time / concentration];
    `of`: what of the signal is sensed. Default: the signal itself.

    **Raises:** `ValueError` or `TypeError` if `rate` is not positive, `gain` no number, or `of` no function.

    >>> law = jc.models.SaturatingResponse(rate=1.0, gain=0.5)
    >>> law.factor(jnp.array([-100.0, 0.0, 100.0])).tolist()  # down a steep slope, nowhere, up
    [2.0, 1.0, 0.0]
    """

    base: Float[Array, ""]
    strength: Float[Array, ""]
    of: Callable[[Array], Array] | None

    def __init__(self, rate: ArrayLike, gain: ArrayLike, of: Callable[[Array], Array] | None = None):
        self.base, self.strength, self.of = _response(rate, gain, of)

    def factor(self, felt):
        return 1 - jnp.tanh(felt)

    def describe(self, signal):
        return f"{number(self.base)} (1 - tanh({self._felt(signal)}))"


class HalvingResponse(AbstractResponse):
    """`rate (1 + exp(-gain dc/dt)) / 2`: positive, and never less than half the base.

    **Arguments:** as `LinearResponse`: `rate` in an even signal, positive [1 / time]; `gain` [time / concentration];
    `of`: what of the signal is sensed. Default: the signal itself.

    **Raises:** `ValueError` or `TypeError` if `rate` is not positive, `gain` no number, or `of` no function.

    >>> law = jc.models.HalvingResponse(rate=1.0, gain=0.5)
    >>> law.factor(jnp.array([0.0, 100.0])).tolist()  # nowhere, and up a steep slope
    [1.0, 0.5]
    """

    base: Float[Array, ""]
    strength: Float[Array, ""]
    of: Callable[[Array], Array] | None

    def __init__(self, rate: ArrayLike, gain: ArrayLike, of: Callable[[Array], Array] | None = None):
        self.base, self.strength, self.of = _response(rate, gain, of)

    def factor(self, felt):
        return 0.5 * (1 + jnp.exp(-felt))

    def describe(self, signal):
        return f"{number(self.base)} (1 + exp(-{self._felt(signal)})) / 2"


class Scaled(Shown):
    """`scale * of(s)`."""

    of: Callable[[Array], Array]
    scale: Float[Array, ""]

    def __call__(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.scale * self.of(signal)


def _response(rate: ArrayLike, gain: ArrayLike, of: Any) -> tuple[Array, Array, Any]:
    if of is not None:
        _checks.function("of", of, "a function of a concentration, such as jnp.log")
    return _checks.positive("rate", rate, arrays=True), _checks.real("gain", gain, arrays=True), of
