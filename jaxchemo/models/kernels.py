"""Tumble rates that answer through a memory, and may mistake what they sense: the published kernels of swimmers."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, number
from jaxchemo.models.responses import AbstractResponse, ExponentialResponse, HalvingResponse, LinearResponse
from jaxchemo.models.tumbling import AbstractTumbling, Moment

MOLECULES = 602.214  # in a cubic micrometre at one micromolar


class CountingNoise(Shown):
    """What molecules at random do to a temporal derivative measured by a bacterium that counts them.

    `precision sqrt(3 c / (pi radius diffusivity T^3))` over a time T, `c` in molecules per volume: one measurement
    after the other, whatever the step of a run (Brumley et al. 2019, after Mora and Wingreen 2010).

    **Arguments:**

    - `diffusivity`: of the molecules, positive [um^2 / s].
    - `precision`: how far from the limit of physics, 1; at least 0. Default 6.
    - `radius`: of the bacterium, positive [um]. Default 0.5.
    - `duration`: T, of a measurement, positive [s]. Default 0.1, ours.

    **Raises:** `ValueError` or `TypeError` if `precision` is negative, or another not positive.

    >>> noise = jc.models.CountingNoise(diffusivity=608.0)  # of glutamate, at 1 nM
    >>> round(float(noise.strength(jnp.array(1e-3))), 4)
    0.0043
    """

    diffusivity: Float[Array, ""]
    precision: Float[Array, ""]
    radius: Float[Array, ""]
    duration: Float[Array, ""]

    def __init__(
        self, diffusivity: ArrayLike, precision: ArrayLike = 6.0, radius: ArrayLike = 0.5, duration: ArrayLike = 0.1
    ):
        self.diffusivity = _checks.positive("diffusivity", diffusivity, arrays=True)
        self.precision = _checks.non_negative("precision", precision, arrays=True)
        self.radius, self.duration = (
            _checks.positive("radius", radius, arrays=True),
            _checks.positive("duration", duration, arrays=True),
        )

    def strength(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        """Of the white noise on the derivative at a concentration in uM: its standard deviation over a unit time."""
        # White noise that over a time T averages to the error of one measurement: `sqrt(T)` times that error.
        square = 3 * signal / (math.pi * MOLECULES * self.radius * self.diffusivity)
        # A root has no derivative at zero, where a cell that counts nothing makes no error either.
        counted = square > 0
        return self.precision * jnp.where(counted, jnp.sqrt(jnp.where(counted, square, 1)), 0) / self.duration


class FilteredResponse(AbstractTumbling):
    """A response to what a swimmer remembers of the change of a signal: through one low-pass filter after the other.

    `t_1 dy_1/dt = dc/dt - y_1`, `t_2 dy_2/dt = y_1 - y_2`, ...: the response answers the last. Kernels with perfect
    adaptation are of this form: `K(s)` on the signal with a Laplace transform `gain z / ((1 + t_1 z) (1 + t_2 z) ...)`.

    **Arguments:**

    - `response`: such as `ExponentialResponse(rate, gain)`.
    - `times`: of the filters, positive [time].
    - `noise`: on the derivative, such as `CountingNoise(...)`. Default: none.

    **Raises:** `TypeError` for a `response` or `noise` of another kind; `ValueError` unless all times are positive.

    >>> law = jc.models.FilteredResponse(jc.models.ExponentialResponse(1.0, 0.5), times=(1.0, 0.1))
    >>> law.describe("c")
    '1 exp(-0.5 d(c)/dt), filtered over 1, 0.1'
    """

    response: AbstractResponse
    times: tuple[Float[Array, "..."], ...]
    noise: CountingNoise | None

    def __init__(
        self,
        response: AbstractResponse,
        times: ArrayLike | Sequence[ArrayLike],
        noise: CountingNoise | None = None,
    ):
        self.response = _checks.instance("response", response, AbstractResponse, "one such as ExponentialResponse(...)")
        listed = times if isinstance(times, list | tuple) else [times]
        if not listed:
            raise ValueError("`times` must have at least one time: the response itself has no filter.")
        self.times = tuple(_checks.positive(f"times[{k}]", time, arrays=True) for k, time in enumerate(listed))
        self.noise = _checks.instance("noise", noise, (CountingNoise, type(None)), "CountingNoise(...) or None")

    @property
    def senses(self) -> bool:
        return True

    @property
    def has_memory(self) -> bool:
        return True

    def rate(self, cue):
        return self.response.base * self.response.factor(jnp.zeros_like(cue.signal))

    def rest(self, cue):
        return tuple(jnp.zeros_like(cue.signal) + 0 * time for time in self.times)

    def live(self, cue, memory, dt, normal):
        came, later = cue.change * self.response.slope(cue.signal), []
        for k, (before, time) in enumerate(zip(memory, self.times, strict=True)):
            left = jnp.exp(-jnp.asarray(dt) / time)
            now = came + (before - came) * left
            if k == 0 and self.noise is not None:
                # What white noise is after the filter, exactly.
                strength = self.noise.strength(cue.signal) * self.response.slope(cue.signal)
                now = now + strength * jnp.sqrt((1 - left**2) / (2 * time)) * normal()
            later.append(now.astype(before.dtype))
            came = 0.5 * (before + now)  # what the next one sees in the mean of the step, to second order
        rate = self.response.base * self.response.factor(self.response.strength * came)
        return Moment(rate, None, tuple(later))

    def limit(self, cells, ndim, signal):
        """As for `LinearResponse`, with the share of the answer that comes before the direction is forgotten.

        `1 / ((1 + L t_1) (1 + L t_2) ...)`, for `L` the rate at which it is (de Gennes 2004; Celani and Vergassola
        2010). It assumes tumbles that are short against runs, and no noise.
        """
        forgotten = cells.reorientation(self.response.base, ndim)
        return self.response.climbing(cells, ndim, 1 / math.prod(1 + forgotten * time for time in self.times))

    def describe(self, signal):
        times = ", ".join(number(time) for time in self.times)
        noisy = "" if self.noise is None else ", with noise"
        return f"{self.response.describe(signal)}, filtered over {times}{noisy}"


def celani_vergassola(rate: ArrayLike = 1 / 0.67, gain: ArrayLike = 50.0, memory: ArrayLike = 1.0) -> FilteredResponse:
    """The kernel of Celani and Vergassola (2010): `rate (1 - gain int K(s) c(t - s) ds)`, `K = l (l s - (l s)^2/2)
    exp(-l s)` with `l = 1 / memory`: three filters. Negative rates are reported.

    Its swimmer: `RunAndTumble(30.0, celani_vergassola(), rotational_diffusion=0.26, tumble_duration=0.1)`.

    **Arguments:** `rate` [1 / s], `gain` [1 / uM], `memory` [s]. Defaults: those of MicrobeAgents.jl.

    **Raises:** `ValueError` or `TypeError` if `rate` or `memory` is not positive, or `gain` no number.

    >>> jc.models.RunAndTumble(30.0, jc.models.celani_vergassola(), rotational_diffusion=0.26).tumble_rate.describe("c")
    '1.49254 (1 - 50 d(c)/dt), filtered over 1, 1, 1'
    """
    time = _checks.positive("memory", memory, arrays=True)
    # The transform of K is `memory z / (1 + memory z)^3`: three filters of the derivative, times the memory.
    return FilteredResponse(LinearResponse(rate, _checks.real("gain", gain, arrays=True) * time), (time,) * 3)


def brumley(
    rate: ArrayLike = 1 / 0.45,
    gain: ArrayLike = 50.0,
    motor: ArrayLike = 50.0,
    memory: ArrayLike = 1.3,
    noise: CountingNoise | None = None,
) -> FilteredResponse:
    """Marine bacteria that count molecules (Brumley et al. 2019): `rate (1 + exp(-motor S)) / 2`, where
    `memory dS/dt = gain memory M - S` and M is the derivative that they measure, with its noise.

    Its swimmer: `RunAndTumble(46.5, brumley(), rotational_diffusion=0.035)`; it reverses and flicks, in turn.

    **Arguments:** `rate` [1 / s], `gain` [1 / uM], `motor` [dimensionless], `memory` [s]: defaults those of
    MicrobeAgents.jl. `noise`, such as `CountingNoise(608.0)` (glutamate): default none, since with these gains the
    exponent has a standard deviation of 9 at 1 nM already, and rates beyond any step.

    **Raises:** `ValueError` or `TypeError` if `rate` or `memory` is not positive, or `gain` or `motor` no number.
    """
    time = _checks.positive("memory", memory, arrays=True)
    strength = _checks.real("motor", motor, arrays=True) * _checks.real("gain", gain, arrays=True) * time
    return FilteredResponse(HalvingResponse(rate, strength), time, noise)


def xie(
    rate: ArrayLike = 2.3,
    gain: ArrayLike = 2.7,
    slow: ArrayLike = 1.29,
    fast: ArrayLike = 0.28,
    dissociation: ArrayLike = 0.39,
) -> FilteredResponse:
    """*V. alginolyticus* as it swims forward (Xie et al. 2019): `rate (1 - gain slow fast y)`, where y is the
    derivative of `ln(1 + c / dissociation)` through filters of both times. Negative rates are reported.

    As it swims backward: `xie(1.9, 1.6)`; it reverses and flicks, in turn.

    **Arguments:** `rate`, `gain` [1 / s], `slow`, `fast` [s], `dissociation` [uM]. Defaults: those of MicrobeAgents.jl.

    **Raises:** `ValueError` or `TypeError` if `gain` is no number, or another not positive.
    """
    slow, fast = _checks.positive("slow", slow, arrays=True), _checks.positive("fast", fast, arrays=True)
    strength = _checks.real("gain", gain, arrays=True) * slow * fast
    return FilteredResponse(LinearResponse(rate, strength, of=LogBinding(dissociation)), (slow, fast))


def son_menolascina(
    rate: ArrayLike = 1.0, gain: ArrayLike = 660.0, dissociation: ArrayLike = 100.0, memory: ArrayLike = 1.0
) -> FilteredResponse:
    """`rate exp(-gain y)` with y the derivative of the bound share of receptors, `c / (dissociation + c)`, filtered
    (Son, Menolascina and Stocker 2016).

    **Arguments:** `rate` [1 / s], default ours; `gain` [s], `dissociation` [uM], `memory` [s], those of
    MicrobeAgents.jl.

    **Raises:** `ValueError` or `TypeError` if `gain` is no number, or another not positive.
    """
    return FilteredResponse(ExponentialResponse(rate, gain, of=BoundShare(dissociation)), memory)


class LogBinding(Shown):
    """`ln(1 + c / dissociation)`."""

    dissociation: Float[Array, ""]

    def __init__(self, dissociation: ArrayLike):
        self.dissociation = _checks.positive("dissociation", dissociation, arrays=True)

    def __call__(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.log1p(signal / self.dissociation)


class BoundShare(Shown):
    """`c / (dissociation + c)`."""

    dissociation: Float[Array, ""]

    def __init__(self, dissociation: ArrayLike):
        self.dissociation = _checks.positive("dissociation", dissociation, arrays=True)

    def __call__(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        return signal / (self.dissociation + signal)
