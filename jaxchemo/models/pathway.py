"""The sensing pathway of *E. coli*: receptors, adaptation by methylation, and the motor; with published numbers."""

import abc
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.models.sensitivity import Custom
from jaxchemo.models.tumbling import AbstractTumbling, Moment


class Receptors(Shown):
    """A cluster of receptors that switch together (Monod, Wyman and Changeux), adapted by their methylation `m`.

    `activity = 1 / (1 + exp f)`, `f = N energy (neutral - m) + sum_k n_k ln((1 + c / inactive_k) / (1 + c / active_k))`

    **Arguments:**

    - `sizes`: receptors of each kind in a cluster, n_k; N is their sum. A number for one kind. Python integers are part
      of the structure, and much faster: powers take the place of logarithms.
    - `inactive`, `active`: dissociation constants of each kind, inactive and active, positive [concentration].
    - `energy`: of a methyl group, positive [thermal energies]. Default 1.7.
    - `neutral`: methylation at which an unbound cluster is half active [methyl groups per receptor]. Default 1.

    **Raises:** `ValueError` unless `sizes`, `inactive`, `active` and `energy` are positive, the first three as many.

    >>> receptors = jc.models.Receptors(6, 18.2, 3000.0)
    >>> round(float(receptors.adapted(100.0, activity=0.5)), 3)
    2.081
    """

    sizes: Float[Array, " k"] | tuple[int, ...]
    inactive: Float[Array, " k"]
    active: Float[Array, " k"]
    energy: Float[Array, ""]
    neutral: Float[Array, ""]

    def __init__(
        self,
        sizes: ArrayLike | Sequence[int],
        inactive: ArrayLike,
        active: ArrayLike,
        energy: ArrayLike = 1.7,
        neutral: ArrayLike = 1.0,
    ):
        parts = {"sizes": sizes, "inactive": inactive, "active": active}
        kinds = [
            jnp.atleast_1d(jnp.asarray(_checks.positive(name, value, arrays=True), float))
            for name, value in parts.items()
        ]
        if len({kind.shape for kind in kinds}) > 1 or kinds[0].ndim != 1:
            shapes = ", ".join(str(kind.shape) for kind in kinds)
            raise ValueError(f"`sizes`, `inactive` and `active` must have one number for each kind, got {shapes}.")
        self.sizes, self.inactive, self.active = kinds
        given = sizes if isinstance(sizes, list | tuple) else (sizes,)
        whole = tuple(size for size in given if isinstance(size, int))
        if len(whole) == len(self.sizes):
            self.sizes = whole
        self.energy = _checks.positive("energy", energy, arrays=True)
        self.neutral = _checks.real("neutral", neutral, arrays=True)

    @property
    def total(self) -> Array | int:
        """Receptors in a cluster, N."""
        return sum(self.sizes) if isinstance(self.sizes, tuple) else jnp.sum(self.sizes)

    def binding(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        """Free energy of binding, `sum_k n_k ln((1 + c/KI) / (1 + c/KA))` [thermal energies]."""
        terms = [n * jnp.log(ratio) for n, ratio in zip(self.sizes, self._ratios(signal), strict=True)]
        return jnp.asarray(sum(terms[1:], terms[0]))

    def free_energy(self, signal: Float[Array, "..."], methylation: Float[Array, "..."]) -> Float[Array, "..."]:
        """Free energy of the active cluster over the inactive one [thermal energies]."""
        return self.total * self.energy * (self.neutral - methylation) + self.binding(signal)

    def activity(self, signal: Float[Array, "..."], methylation: Float[Array, "..."]) -> Float[Array, "..."]:
        """Share of active clusters."""
        if not isinstance(self.sizes, tuple):
            return jax.nn.sigmoid(-self.free_energy(signal, methylation))
        # e^f, each kind with its share of the methyl groups: a factor alone might leave the range of numbers.
        free = jnp.exp(self.energy * (self.neutral - methylation))
        powers = [(free * ratio) ** n for n, ratio in zip(self.sizes, self._ratios(signal), strict=True)]
        # No further than to where the activity is nothing: beyond the range of numbers it would have no derivative.
        factor = jnp.minimum(math.prod(powers[1:], start=powers[0]), float(jnp.finfo(free.dtype).max) ** 0.4)
        return 1 / (1 + factor)

    def adapted(self, signal: Float[Array, "..."], activity: ArrayLike) -> Float[Array, "..."]:
        """Methylation at which a signal leaves the clusters this active."""
        activity = jnp.asarray(activity)
        free = jnp.log(1 / activity - 1)
        return self.neutral + (self.binding(signal) - free) / (self.total * self.energy)

    def _ratios(self, signal: Float[Array, "..."]) -> list[Array]:
        """`(1 + c/KI) / (1 + c/KA)` of each kind."""
        return [(1 + signal / low) / (1 + signal / high) for low, high in zip(self.inactive, self.active, strict=True)]


class AbstractMotor(Shown):
    """How the activity of the receptors makes a bacterium tumble."""

    @abc.abstractmethod
    def start_rate(self, activity: Float[Array, "..."]) -> Float[Array, "..."]:
        """Rate at which runs end [1 / time]."""

    @abc.abstractmethod
    def end_rate(self, activity: Float[Array, "..."]) -> Float[Array, "..."]:
        """Rate at which tumbles end [1 / time]."""

    def bias(self, activity: Float[Array, "..."]) -> Float[Array, "..."]:
        """Share of time that a bacterium tumbles [dimensionless]."""
        start = self.start_rate(activity)
        return start / (start + self.end_rate(activity))


class HillMotor(AbstractMotor):
    """Tumbles of one mean duration; `bias = 1 / (1 + (half / activity)^power)`.

    **Arguments:**

    - `duration`: mean of a tumble, positive [time].
    - `bias`: share of time that an adapted bacterium tumbles, between 0 and 1.
    - `activity`: of an adapted bacterium, between 0 and 1. Default 0.5.
    - `power`: positive. Default 10.3 (Cluzel, Surette and Leibler 2000). A Python integer is part of the structure,
      and much faster.

    **Raises:** `ValueError` if `duration` or `power` is not positive, or `bias` or `activity` not between 0 and 1.

    >>> motor = jc.models.HillMotor(duration=0.2, bias=0.15)
    >>> round(float(motor.bias(jnp.array(0.5))), 3)  # of an adapted bacterium, as given
    0.15
    """

    duration: Float[Array, ""]
    half: Float[Array, ""]
    power: Float[Array, ""] | int

    def __init__(self, duration: ArrayLike, bias: ArrayLike, activity: ArrayLike = 0.5, power: ArrayLike = 10.3):
        self.duration = _checks.positive("duration", duration, arrays=True)
        exact = _checks.positive("power", power, arrays=True)
        self.power = power if isinstance(power, int) else exact
        bias, activity = _share("bias", bias), _share("activity", activity)
        self.half = activity * (1 / bias - 1) ** (1 / exact)

    def start_rate(self, activity):
        ratio = activity / self.half
        if isinstance(self.power, int):
            return ratio**self.power / self.duration
        return jnp.exp(self.power * jnp.log(ratio)) / self.duration

    def end_rate(self, activity):
        return 1 / self.duration


class TwoStateMotor(AbstractMotor):
    """A switch over a barrier: both rates follow CheY-P, `w exp(-F/2)` and `w exp(F/2)`, `F = g/2 - g Y / (Y + K)`.

    **Arguments:**

    - `rate`: w, positive [1 / time]. Default 1.3 /s.
    - `height`: g [thermal energies]. Default 40.
    - `dissociation`: K of CheY-P at the motor, positive [concentration]. Default 3.06 uM.
    - `most`: CheY-P at full activity, positive [concentration]. Default 6 uM.

    **Raises:** `ValueError` or `TypeError` if an argument is not positive.

    >>> motor = jc.models.TwoStateMotor()
    >>> round(float(motor.activity(bias=0.14)), 3)
    0.425
    """

    rate: Float[Array, ""]
    height: Float[Array, ""]
    dissociation: Float[Array, ""]
    most: Float[Array, ""]

    def __init__(
        self, rate: ArrayLike = 1.3, height: ArrayLike = 40.0, dissociation: ArrayLike = 3.06, most: ArrayLike = 6.0
    ):
        self.rate = _checks.positive("rate", rate, arrays=True)
        self.height = _checks.positive("height", height, arrays=True)
        self.dissociation = _checks.positive("dissociation", dissociation, arrays=True)
        self.most = _checks.positive("most", most, arrays=True)

    def barrier(self, activity: Float[Array, "..."]) -> Float[Array, "..."]:
        """F, the free energy of tumbling over running [thermal energies]."""
        bound = self.most * activity / (self.most * activity + self.dissociation)
        return self.height * (0.5 - bound)

    def start_rate(self, activity):
        return self.rate * jnp.exp(-0.5 * self.barrier(activity))

    def end_rate(self, activity):
        return self.rate * jnp.exp(0.5 * self.barrier(activity))

    def activity(self, bias: ArrayLike) -> Float[Array, ""]:
        """The activity at which a bacterium tumbles this share of its time.

        **Raises:** `ValueError` if `bias` does not lie between 0 and 1.
        """
        bound = 0.5 - jnp.log(1 / _share("bias", bias) - 1) / self.height
        return self.dissociation * bound / (1 - bound) / self.most


class Pathway(AbstractTumbling):
    """Tumbling as *E. coli* does it: receptors sense, methylation remembers, the motor tumbles.

    What a bacterium remembers is its methylation, `dm/dt = up (1 - activity) - down activity`: whatever the signal is,
    if it stays, the activity comes back to `up / (up + down)`.

    **Arguments:**

    - `receptors`: such as `Receptors(6.0, 18.2, 3000.0)`.
    - `motor`: `HillMotor(...)` or `TwoStateMotor()`.
    - `up`, `down`: rates of methylation and demethylation, positive [1 / time].
    - `noise`: standard deviation that fluctuations give the methylation of an adapted bacterium. Default: none.

    **Raises:** `TypeError` for `receptors` or a `motor` of another kind; `ValueError` unless the numbers are positive.

    **Source:** Tu, Shimizu and Berg (2008); Kalinin et al. (2009); for the fluctuations, Emonet and Cluzel (2008).

    >>> receptors, motor = jc.models.Receptors(6, 18.2, 3000.0), jc.models.HillMotor(0.2, bias=0.15)
    >>> pathway = jc.models.Pathway(receptors, motor, up=0.005, down=0.005)
    >>> float(pathway.resting_activity), round(float(pathway.adaptation_time))
    (0.5, 39)
    """

    receptors: Receptors
    motor: AbstractMotor
    up: Float[Array, ""]
    down: Float[Array, ""]
    noise: Float[Array, ""] | None

    def __init__(
        self,
        receptors: Receptors,
        motor: AbstractMotor,
        up: ArrayLike,
        down: ArrayLike,
        noise: ArrayLike | None = None,
    ):
        self.receptors = _checks.instance("receptors", receptors, Receptors, "Receptors(...)")
        self.motor = _checks.instance("motor", motor, AbstractMotor, "HillMotor(...) or TwoStateMotor()")
        self.up, self.down = _checks.positive("up", up, arrays=True), _checks.positive("down", down, arrays=True)
        self.noise = None if noise is None else _checks.positive("noise", noise, arrays=True)

    @property
    def senses(self) -> bool:
        return True

    @property
    def has_memory(self) -> bool:
        return True

    @property
    def resting_activity(self) -> Float[Array, ""]:
        """Activity of a bacterium that is adapted, to whatever signal."""
        return self.up / (self.up + self.down)

    @property
    def adaptation_time(self) -> Float[Array, ""]:
        """Time in which a small change of the activity is forgotten [time]."""
        a = self.resting_activity
        return 1 / (self.receptors.total * self.receptors.energy * a * (1 - a) * (self.up + self.down))

    def rate(self, cue):
        return self.motor.start_rate(self.resting_activity + jnp.zeros_like(cue.signal))

    def rest(self, cue):
        return self.receptors.adapted(cue.signal, self.resting_activity)

    def live(self, cue, memory, dt, normal):
        activity = self.receptors.activity(cue.signal, memory)
        change = self.up - (self.up + self.down) * activity
        # In the middle of the step, by the slope of the activity: second order for the price of one evaluation.
        slope = self.receptors.total * self.receptors.energy * activity * (1 - activity)
        middle = activity + 0.5 * dt * change * slope
        later = memory + dt * (self.up - (self.up + self.down) * middle)
        if self.noise is not None:
            later = later + self.noise * jnp.sqrt(2 * dt / self.adaptation_time) * normal()
        return Moment(self.motor.start_rate(middle), self.motor.end_rate(middle), later.astype(memory.dtype))

    def limit(self, cells, ndim, signal):
        """Mean-field mobility and sensitivity (Si, Wu, Ouyang and Tu 2012; Dufour et al. 2014), about adapted ones."""
        rest = self.resting_activity
        free = jnp.log(1 / rest - 1)

        def log_forgotten(free: Array) -> Array:
            return jnp.log(cells.reorientation(self.motor.start_rate(jax.nn.sigmoid(-free)), ndim))

        value, slope = jax.value_and_grad(log_forgotten)(free)
        mobility = cells.spread(self.motor.start_rate(rest), ndim, running=1 - self.motor.bias(rest))
        # The free energy that a swimmer still feels of a slope, against what it has already forgotten by adapting.
        share = self.adaptation_time / (self.adaptation_time + jnp.exp(-value))
        return mobility, Custom(Bound(self.receptors, -slope * share * mobility))

    def describe(self, signal):
        return f"of a pathway that senses {signal} by {self.receptors!r}, with {self.motor!r}"


class Bound(Shown):
    """`scale` times the free energy of binding: the chemotactic potential of swimmers with these receptors."""

    receptors: Receptors
    scale: Float[Array, ""]

    def __call__(self, signal: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.scale * self.receptors.binding(signal)


def kalinin() -> Pathway:
    """Kalinin et al. (2009), Tu et al. (2008), Shimizu et al. (2010), as in Guadayol's model: uM and s.

    Its adapted tumble bias and tumble duration, 0.15 and 0.2 s, are ours.
    """
    receptors = Receptors(6.0, 18.0, 18.0 / 0.0062)
    return Pathway(receptors, HillMotor(0.2, 0.15), up=0.005, down=0.005)


def dpcb() -> Pathway:
    """Three kinds of binding sites: methyl-aspartate, serine, and a weak one; numbers published with the DPCB code, uM.

    How many receptors are of each kind, two, and adaptation and motor, those of `kalinin`, are ours.
    """
    receptors = Receptors(np.full(3, 2.0), np.array((18.2, 70.0, 1500.0)), np.array((3000.0, 1000.0, 3500.0)))
    return Pathway(receptors, HillMotor(0.2, 0.15), up=0.005, down=0.005)


def fu(bias: ArrayLike = 0.14, adaptation_time: ArrayLike | None = None) -> Pathway:
    """Bacteria of a given tumble bias, as in the code behind Fu et al. (2018): uM and s.

    **Arguments:**

    - `bias`: share of time that an adapted bacterium tumbles, between 0 and 1. Default 0.14.
    - `adaptation_time`: positive [s]. Default `20 exp(-6 bias)`.

    **Raises:** `ValueError` if `bias` does not lie between 0 and 1, or `adaptation_time` is not positive.
    """
    receptors, motor = Receptors(6.0, 3.5, 55000.0), TwoStateMotor()
    bias = _share("bias", bias)
    time = (
        20 * jnp.exp(-6 * bias)
        if adaptation_time is None
        else _checks.positive("adaptation_time", adaptation_time, arrays=True)
    )
    rest = motor.activity(bias)
    both = 1 / (6.0 * receptors.energy * rest * (1 - rest) * time)
    return Pathway(receptors, motor, up=rest * both, down=(1 - rest) * both)


def _share(name: str, value: ArrayLike) -> Float[Array, ""]:
    share = _checks.positive(name, value, arrays=True)
    return _checks.require(name, share, value, lambda a: a < 1, "lie between 0 and 1")
