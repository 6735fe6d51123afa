"""Single swimming bacteria: they run straight, tumble at a rate that they sense, and may change what they sense."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import number
from jaxchemo._types import PerAxis
from jaxchemo.features import Feature
from jaxchemo.models.model import AbstractModel, Model, Signal, Species, check_kinetics
from jaxchemo.models.tumbling import AbstractTumbling, Cue, Spontaneous, at
from jaxchemo.models.turning import AbstractTurning, Isotropic

DENSITY = "rho"  # the name of the density of swimmers


class RunAndTumble(AbstractModel):
    """Bacteria that run and tumble: solved as `Agents`, as `Kinetic` equations, and in their limits.

    **Arguments:**

    - `speed`: of the swimmers, positive: a number, or a function of points `(..., d)` [length / time].
    - `tumble_rate`: a law such as `ExponentialResponse(1.0, 0.5)`, or a number [1 / time].
    - `turning`: the new direction: `Isotropic()` (default), `Reversal()` or `Persistent(mean)`.
    - `rotational_diffusion`: of the direction during runs, in 2D and 3D [1 / time]. Default: none.
    - `tumble_duration`: mean time that a swimmer stays on the spot [time]. Default: none.
    - `speed_spread`: relative standard deviation of the speed between swimmers, which is then log-normal
      [dimensionless]. Default: none.
    - `signals`: what is sensed, one `Signal` by name, whose kinetics may name the species `'rho'`: the swimmers.
      Default: one that stays as it is, `c`, for laws that sense; none for others.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> jc.models.RunAndTumble(20.0, 1.0, jc.models.Persistent(0.33), rotational_diffusion=0.062)
    RunAndTumble(
      swimmers run at 20, tumble at rate 1, and turn by Persistent(mean=0.33)
      their direction diffuses at rate 0.062
    )
    """

    speed: Any
    tumble_rate: AbstractTumbling
    turning: AbstractTurning
    rotational_diffusion: Float[Array, ""] | None
    tumble_duration: Float[Array, ""] | None
    speed_spread: Float[Array, ""] | None
    signals: dict[str, Signal]

    def __init__(
        self,
        speed: ArrayLike | Callable[[Array], Array],
        tumble_rate: AbstractTumbling | ArrayLike,
        turning: AbstractTurning = Isotropic(),
        *,
        rotational_diffusion: ArrayLike | None = None,
        tumble_duration: ArrayLike | None = None,
        speed_spread: ArrayLike | None = None,
        signals: Mapping[str, Signal] | None = None,
    ):
        self.speed = speed if callable(speed) else _checks.positive("speed", speed, arrays=True)
        if not isinstance(tumble_rate, AbstractTumbling):
            tumble_rate = Spontaneous(_checks.non_negative("tumble_rate", tumble_rate, arrays=True))
        self.tumble_rate = tumble_rate
        self.turning = _checks.instance("turning", turning, AbstractTurning, "a law such as Isotropic()")
        optional = {
            "rotational_diffusion": rotational_diffusion,
            "tumble_duration": tumble_duration,
            "speed_spread": speed_spread,
        }
        for name, value in optional.items():
            setattr(self, name, None if value is None else _checks.positive(name, value, arrays=True))
        given = {"c": Signal()} if tumble_rate.senses else {}
        given = given if signals is None else _checks.mapping("signals", signals, "a Signal each")
        self.signals = {k: _checks.instance(f"signals[{k!r}]", v, Signal, "a Signal") for k, v in given.items()}
        if tumble_rate.senses and len(self.signals) != 1:
            raise ValueError(f"`signals` must name the one signal that is sensed, got {_checks.listed(self.signals)}.")
        check_kinetics(self.signals, self.populations)

    @property
    def populations(self) -> tuple[str, ...]:
        return (DENSITY,)

    @property
    def sensed(self) -> str | None:
        """Name of the signal that swimmers sense; `None` if they sense none."""
        return next(iter(self.signals)) if self.tumble_rate.senses else None

    def features(self, ndim: int) -> frozenset[Feature]:
        has = {
            Feature.SWIMMERS: True,
            Feature.MEMORY: self.tumble_rate.has_memory,
            Feature.TUMBLE_DURATION: self.tumble_duration is not None,
            Feature.SPEED_SPREAD: self.speed_spread is not None,
            Feature.OWN_NUMBERS: bool(self.shape(ndim)),
            Feature.ROTATIONAL_DIFFUSION: self.rotational_diffusion is not None,
        }
        return self.signal_features() | {feature for feature, there in has.items() if there}

    def equations(self) -> str:
        speed = number(self.speed) if not callable(self.speed) else "f(x)"
        lines = [f"swimmers run at {speed}, tumble at rate {self.tumble_rate.describe(self.sensed or '')}"]
        lines[0] += f", and turn by {self.turning!r}"
        if self.rotational_diffusion is not None:
            lines.append(f"their direction diffuses at rate {number(self.rotational_diffusion)}")
        if self.tumble_duration is not None:
            lines.append(f"a tumble takes {number(self.tumble_duration)} in the mean")
        if self.speed_spread is not None:
            lines.append(f"speeds differ between swimmers by {number(self.speed_spread)} of their mean")
        return "\n".join([*lines, *self.signal_equations()])

    def speed_at(self, x: PerAxis) -> Float[Array, "..."]:
        """Mean speed of swimmers at points, given by their coordinates [length / time]."""
        return at(self.speed, x)

    def shape(self, ndim: int) -> tuple[int, ...]:
        """Of the numbers that swimmers have: `()` where all are alike, `(P,)` where each has its own.

        **Raises:** `ValueError` if some numbers are for other swimmers than others.
        """

        def numbers() -> list[Array]:
            zero = jnp.zeros(())
            cue = Cue((zero,) * ndim, (zero,) * ndim, zero, zero)
            law = self.tumble_rate
            own = (self.rotational_diffusion, self.tumble_duration, self.turning.mean_cosine(ndim))
            values = (self.speed_at(cue.position), law.rate(cue), law.rest(cue), *own)
            return [jnp.asarray(number) for number in jax.tree.leaves(values)]

        try:
            return np.broadcast_shapes(*(number.shape for number in jax.eval_shape(numbers)))
        except ValueError as error:
            raise ValueError(f"Numbers that differ between swimmers must be for the same swimmers: {error}") from error

    def reorientation(self, rate: Float[Array, "..."], ndim: int) -> Float[Array, "..."]:
        """Rate at which the direction is forgotten during a run: by tumbles and by diffusion [1 / time]."""
        forgotten = rate * (1 - self.turning.mean_cosine(ndim))
        return forgotten if self.rotational_diffusion is None else forgotten + (ndim - 1) * self.rotational_diffusion

    def running(self, rate: Float[Array, "..."]) -> Float[Array, "..."] | float:
        """Share of time that swimmers run which tumble at a rate [dimensionless]."""
        return 1.0 if self.tumble_duration is None else 1 / (1 + rate * self.tumble_duration)

    def spread(
        self,
        rate: Float[Array, "..."],
        ndim: int,
        *,
        speed: Float[Array, "..."] | None = None,
        running: Float[Array, "..."] | None = None,
    ) -> Float[Array, "..."]:
        """Diffusivity of swimmers that tumble at a rate [length^2 / time].

        **Arguments:**

        - `rate`, `ndim`: the rate while they run [1 / time], and the dimension of space.
        - `speed`: their mean speed [length / time]. Default: the model's, which then depends on no place.
        - `running`: share of time that they run. Default: as the model's `tumble_duration` says.
        """
        square = jnp.square(self.speed if speed is None else speed)
        if self.speed_spread is not None:
            square = square * (1 + self.speed_spread**2)
        share = self.running(rate) if running is None else running
        return share * square / (ndim * self.reorientation(rate, ndim))

    def to_keller_segel(self, ndim: int, signal: ArrayLike = 0.0, steepest: ArrayLike | None = None) -> Model:
        """The population on scales on which swimmers have tumbled often: mobility and sensitivity by linear response.

        `mobility = v^2 / (d L)` and `V = v^2 (1 - a) X / (d L) grad c`, where `L` is the rate at which the direction is
        forgotten, `a` the mean cosine of a turn, and `X` the fall of the tumble rate with `dc/dt`; both times the share
        of time that they run. For a pathway, see `Pathway`.

        **Arguments:**

        - `ndim`: dimension of the space, 1 to 3.
        - `signal`: concentration to which they are adapted, for laws that depend on it. Default 0.
        - `steepest`: the steepest gradient that it is meant for [concentration / length]; a warning says where linear
          response does not reach so far. Default: none is given, nothing is checked.

        **Raises:** `TypeError` if the speed or the rate depends on the place: use `FokkerPlanck`; if swimmers differ.

        **Source:** Schnitzer (1993); Celani and Vergassola (2010); with rotational diffusion, Locsei (2007).

        >>> swimmers = jc.models.RunAndTumble(20.0, jc.models.ExponentialResponse(rate=1.0, gain=0.5))
        >>> print(swimmers.to_keller_segel(ndim=1).equations())
        d_t rho = div( 400 grad rho - rho 200 grad c )
        d_t c = 0
        """
        if callable(self.speed):
            raise TypeError("A limit needs a speed that depends on no place: FokkerPlanck would do.")
        if shape := self.shape(ndim):
            raise TypeError(f"These are {shape[0]} swimmers, each with its own limit: jax.vmap over their numbers.")
        mobility, law = self.tumble_rate.limit(self, ndim, jnp.asarray(signal, float))
        if law is not None and steepest is not None:
            drift = jnp.abs(law.slope(jnp.asarray(signal, float)) * jnp.asarray(steepest))
            change = ndim * drift / self.speed
            # An exponential law drifts at `tanh(change)` of the speed in one dimension: at 0.3 that is 3% less.
            if _checks.is_concrete(change) and float(change) > 0.3:
                slope, speed = number(jnp.asarray(steepest)), number(self.speed)
                warnings.warn(
                    f"In a gradient of {slope} the tumble rate would change by {float(change):.2g} of itself (drift "
                    f"{float(drift):.3g} of a speed of {speed}): linear response holds where that is small. Agents, "
                    f"Kinetic or FokkerPlanck would do.",
                    stacklevel=2,
                )
        return Model({DENSITY: Species(mobility, {} if law is None else {str(self.sensed): law})}, self.signals)
