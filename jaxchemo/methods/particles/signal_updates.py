"""How particles change a signal that does not diffuse: on the grid, or through the exposure that they leave behind."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxchemo import _checks
from jaxchemo.domain import Components, Grid
from jaxchemo.initial import AbstractInitial, AbstractProfile
from jaxchemo.methods.grids.steppers import exponential_step
from jaxchemo.models import Consumption, Signal
from jaxchemo.particles import deposit, gather, mollify, prefilter
from jaxchemo.particles.interpolators import AbstractInterpolator, Sampling

Positions = dict[str, Components]
Weights = dict[str, Float[Array, "..."]]
Sensed = tuple[Float[Array, " p"], Components]


class AbstractSignalUpdate(eqx.Module):
    """A signal that particles consume: what is stored of it, how a step changes it, and how particles feel it."""

    @abc.abstractmethod
    def check(self, name: str, signal: Signal) -> None:
        """Refuses, in a sentence, a signal that it cannot represent. **Raises:** `TypeError` or `ValueError`."""

    @abc.abstractmethod
    def init(self, condition: AbstractInitial, grid: Grid) -> Any:
        """What is stored of the signal at the initial time."""

    @abc.abstractmethod
    def step(
        self,
        stored: dict[str, Any],
        x: Positions,
        weights: Weights,
        signals: dict[str, Signal],
        grid: Grid,
        dt: Array | float,
        deposit_order: int,
        width: float,
    ) -> dict[str, Any]:
        """What is stored one step later, for particles at `x` that carry `weights` [mass]."""

    @abc.abstractmethod
    def at_particles(
        self,
        stored: Any,
        condition: AbstractInitial,
        signal: Signal,
        x: Components,
        grid: Grid,
        interpolator: AbstractInterpolator,
        samplings: dict[str, Sampling],
        width: float,
    ) -> tuple[Float[Array, " p"], Components]:
        """Value `(P,)` and gradient of the signal at the particles.

        `samplings` says for each species how its particles would have sampled their own exposure.
        """

    @abc.abstractmethod
    def on_grid(
        self, stored: Any, condition: AbstractInitial, signal: Signal, grid: Grid, width: float
    ) -> Float[Array, "*shape"]:
        """The signal on the grid."""


class Exposure(AbstractSignalUpdate):
    """The grid holds the exposure, the time integral of density, and the signal is `s0(x) exp(-rate * exposure)`.

    Exact in time for the density it is given, so `0 <= s <= s0` wherever the exposure is not negative; the initial
    signal is never interpolated, and filters act when the particles look, so they never damage what is stored. A step
    touches only the cells around particles: what it costs does not grow with the grid (an interpolator's own filter
    may). The most accurate form measured, and the default. It needs a signal that is only consumed.

    >>> grid = jc.Grid.box((0, 0), (1, 1), (8, 8))
    >>> exposure, _ = jc.Exposure().init(jc.initial.uniform(amplitude=2.0), grid)  # none of it yet
    >>> exposure.shape, float(exposure.max())
    ((8, 8), 0.0)
    """

    def check(self, name, signal):
        """**Raises:** `TypeError` for kinetics other than `Consumption`, `ValueError` for rates that vary in space."""
        _consumption(name, signal)

    def init(self, condition, grid):
        blank = jnp.zeros(grid.shape)
        if isinstance(condition, AbstractProfile):
            return blank, None
        return blank, prefilter(condition.on_grid(grid), grid, 3, deposit_order=0)  # cell averages

    def step(self, stored, x, weights, signals, grid, dt, deposit_order, width):
        def after(name: str, kept: Any) -> Any:
            species = _consumption(name, signals[name]).species
            amount = weights[species] * (dt / grid.cell_volume)
            return deposit(x[species], amount, grid, deposit_order, onto=kept[0]), kept[1]

        return {name: after(name, kept) for name, kept in stored.items()}

    def at_particles(self, stored, condition, signal, x, grid, interpolator, samplings, width):
        exposure, coefficients = stored
        eaten = _consumption("s", signal)
        rate = signal.paced(eaten.rate)
        prepared = interpolator.prepare(mollify(exposure, grid, width), grid, samplings[eaten.species])
        total, slope = interpolator.at(prepared, x, grid)
        if isinstance(condition, AbstractProfile):
            start = _value_and_gradient(condition, x)
        else:
            start = gather(coefficients, x, grid, 3)
        return _left(start, (total, slope), rate)

    def on_grid(self, stored, condition, signal, grid, width):
        rate = signal.paced(_consumption("s", signal).rate)
        return condition.on_grid(grid) * jnp.exp(-rate * mollify(stored[0], grid, width))


class Prescribed(AbstractSignalUpdate):
    """An exposure that is given, step by step, whatever the particles do: they are then independent of one another.

    These are the limit particles of propagation of chaos: with the same key, they take the same random steps as the
    particles of any other run.

    **Arguments:**

    - `exposures`: the exposure after each step, `(steps, *shape)` [mass x time / length^d]; later it stays the last.
    - `grid`: of the exposures; the same box as the problem's, with other cells if need be.
    - `deposit_order`: B-spline order that smeared them. Default 0: they are cell averages.

    **Raises:** `ValueError` for exposures of another shape than the grid's.
    """

    coefficients: Float[Array, "steps *shape"]
    grid: Grid

    def __init__(self, exposures: Float[Array, "steps *shape"], grid: Grid, deposit_order: int = 0):
        if exposures.shape[1:] != grid.shape:
            raise ValueError(f"`exposures` must have shape (steps, *{grid.shape}), got {exposures.shape}.")
        self.coefficients = jax.vmap(lambda exposure: prefilter(exposure, grid, 3, deposit_order))(exposures)
        self.grid = grid

    def check(self, name, signal):
        _consumption(name, signal)

    def init(self, condition, grid):
        _checks.instance("signal", condition, AbstractProfile, "an initial condition given by a formula")
        return jnp.zeros((), jnp.int32)

    def step(self, stored, x, weights, signals, grid, dt, deposit_order, width):
        return {name: step + 1 for name, step in stored.items()}

    def at_particles(self, stored, condition, signal, x, grid, interpolator, samplings, width):
        assert isinstance(condition, AbstractProfile)
        exposure = gather(self._now(stored), x, self.grid, 3)
        return _left(_value_and_gradient(condition, x), exposure, signal.paced(_consumption("s", signal).rate))

    def on_grid(self, stored, condition, signal, grid, width):
        centers = tuple(grid.centers.reshape(-1, grid.ndim).T)
        exposure = gather(self._now(stored), centers, self.grid, 3)[0].reshape(grid.shape)
        return condition.on_grid(grid) * jnp.exp(-signal.paced(_consumption("s", signal).rate) * exposure)

    def _now(self, step: Int[Array, ""]) -> Float[Array, "*shape"]:
        """Spline coefficients after so many steps: none before the first, and after the last those of the last."""
        return jnp.where(step > 0, self.coefficients[step - 1], 0)


class AbstractOnGrid(AbstractSignalUpdate):
    """The grid holds the signal itself, and each step advances its kinetics with the density fixed."""

    @abc.abstractmethod
    def integrate(self, value: Array, production: Array | float, loss_rate: Array | float, dt: Array | float) -> Array:
        """`value` after a time `dt` of `production - loss_rate * value`."""

    def check(self, name, signal):
        pass

    def init(self, condition, grid):
        return condition.on_grid(grid)

    def step(self, stored, x, weights, signals, grid, dt, deposit_order, width):
        densities = {
            name: mollify(deposit(xs, weights[name] / grid.cell_volume, grid, deposit_order), grid, width)
            for name, xs in x.items()
        }

        def after(name: str, value: Array) -> Array:
            kinetics = signals[name].kinetics
            if kinetics is None:
                return value
            gain, loss = kinetics.production(densities, stored, name), kinetics.loss_rate(densities, stored, name)
            return self.integrate(value, gain, loss, signals[name].paced(dt))

        return {name: after(name, value) for name, value in stored.items()}

    def at_particles(self, stored, condition, signal, x, grid, interpolator, samplings, width):
        return interpolator.at(interpolator.prepare(stored, grid, None), x, grid)

    def on_grid(self, stored, condition, signal, grid, width):
        return stored


class ExponentialUpdate(AbstractOnGrid):
    """Solves the kinetics of each step exactly, with the density fixed: the signal stays positive always.

    >>> left = jc.ExponentialUpdate().integrate(jnp.ones(()), production=0.0, loss_rate=20.0, dt=0.1)
    >>> round(float(left), 4)  # exp(-2)
    0.1353
    """

    def integrate(self, value, production, loss_rate, dt):
        return exponential_step(value, production, loss_rate, dt)


class ExplicitUpdate(AbstractOnGrid):
    """An explicit Euler step of the kinetics, as in the NSIPF paper.

    It keeps the signal positive only while `dt * max(density) <= 1`; a histogram of few particles has a large maximum.

    >>> jc.ExplicitUpdate().integrate(1.0, production=0.0, loss_rate=20.0, dt=0.1)
    -1.0
    """

    def integrate(self, value, production, loss_rate, dt):
        return value + dt * (production - loss_rate * value)


def _consumption(name: str, signal: Signal) -> Consumption:
    """The kinetics of a signal that is only consumed. **Raises:** `TypeError` or `ValueError` for others."""
    if not isinstance(signal.kinetics, Consumption):
        raise TypeError(
            f"Exposure() represents a signal that is only consumed, Consumption(...); signal {name!r} has "
            f"{signal.kinetics!r}. ParticleField(..., update=ExponentialUpdate()) would do."
        )
    if signal.kinetics.rate.ndim:
        raise ValueError(
            f"Exposure() represents a signal that is consumed at one rate everywhere; that of {name!r} has the shape "
            f"{signal.kinetics.rate.shape}. ParticleField(..., update=ExponentialUpdate()) would do."
        )
    return signal.kinetics


def _left(start: Sensed, exposure: Sensed, rate: Array) -> Sensed:
    """What is left of a signal, and its gradient, from those of the initial signal and of the exposure."""
    left = jnp.exp(-rate * exposure[0])
    slopes = zip(start[1], exposure[1], strict=True)
    return start[0] * left, tuple(left * (g0 - rate * start[0] * g) for g0, g in slopes)


def _value_and_gradient(condition: AbstractProfile, x: Components) -> tuple[Array, Components]:
    """A profile and its gradient at many points: the points do not mix, so one reverse pass gives all gradients."""
    value, pull = jax.vjp(lambda *xs: condition(jnp.stack(xs, axis=-1)), *x)
    return value, pull(jnp.ones_like(value))
