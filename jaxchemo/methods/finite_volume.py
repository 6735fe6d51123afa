"""Finite volumes with exponentially fitted face fluxes, on boxes and on radial shells: positive, with exact mass."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.domain import AbstractGrid
from jaxchemo.fields import Drift, diffusion, drift_diffusion, outflow_rate
from jaxchemo.methods.base import AbstractMethod, Snapshot, StepInfo, by_kind
from jaxchemo.methods.steppers import (
    AbstractRungeKutta,
    AbstractStepper,
    AbstractSystem,
    Adaptive,
    Strang,
    exponential_step,
)
from jaxchemo.models import Model
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class FieldState(eqx.Module):
    """Cell averages of the densities and signals, by name; also their rates of change (`None`: it stays as it is)."""

    density: dict[str, Any]
    signal: dict[str, Any]


class FiniteVolume(AbstractMethod):
    """Second-order finite volumes on a `Grid` or a `RadialGrid`.

    The flux between two cells is the exact one for a constant drift between them (Scharfetter and Gummel 1969), so an
    explicit step up to `stable_dt` keeps every density positive at any cell Peclet number, and mass is exact to
    round-off. A larger step is reported as `RESULTS.unstable_step`; nothing is ever clipped.

    Gradients are those of the discrete scheme, exact to round-off, with respect to the model and the initial fields.

    **Arguments:**

    - `stepper`: `Strang(SSPRK2())` (default: exact consumption, second order), `Euler()`, `SSPRK2()`, `SSPRK3()`, or
      `Adaptive(...)` for references.
    """

    stepper: AbstractStepper

    def __init__(self, stepper: AbstractStepper = Strang()):
        self.stepper = _checks.instance("stepper", stepper, AbstractStepper, "a stepper such as SSPRK2()")

    @property
    def stochastic(self) -> bool:
        return False

    @property
    def name(self) -> str:
        return "fv"

    def check(self, problem):
        _cells(problem)
        for name, signal in problem.model.signals.items():
            if signal.slaved:
                raise TypeError(
                    f"FiniteVolume steps signals in time, but {name!r} is slaved: give it a `relaxation` > 0."
                )

    def init(self, problem, *, key=None):
        return FieldState(*problem.fields())

    def step(self, problem, state, n, t, dt, *, key=None):
        system = SemiDiscrete(problem.model, _cells(problem))
        state, went_well = self.stepper.advance(system, state, t, dt)
        # One pass over each field finds both a NaN, which a sum hands on, and a step beyond the stable one, which is
        # the only way for this scheme to turn negative. A minimum says the same, at three times the cost.
        deficit = sum(jnp.sum(jnp.where(u >= 0, 0, u)) for u in (*state.density.values(), *state.signal.values()))
        failed = RESULTS.solver_failed if isinstance(self.stepper, Adaptive) else RESULTS.unstable_step
        negative = (deficit < 0) & (not isinstance(self.stepper, Adaptive))
        result = RESULTS.where(jnp.asarray(went_well) & ~negative, RESULTS.successful, failed)
        return state, StepInfo(RESULTS.where(jnp.isfinite(deficit), result, RESULTS.nonfinite))

    def stable_dt(self, problem, state):
        """The largest explicit Euler step that keeps every field positive, less five percent.

        Transport decides it, and reactions where the stepper does not solve them exactly.
        """
        system = SemiDiscrete(problem.model, _cells(problem))
        explicit = isinstance(self.stepper, AbstractRungeKutta)
        fastest = [jnp.max(rate) for rate in system.loss_rates(state, 0.0, reactions=explicit)]
        return 0.95 / jnp.max(jnp.stack(fastest))

    def snapshot(self, problem, state):
        return Snapshot(by_kind(state.density), by_kind(state.signal))


def _cells(problem: Problem) -> AbstractGrid:
    """The grid, which a finite-volume scheme cannot do without."""
    return _checks.instance("grid", problem.grid, AbstractGrid, "cells, Grid.box(...) or RadialGrid(...)")


class SemiDiscrete(AbstractSystem):
    """A model on a grid: ordinary differential equations for its cells."""

    model: Model
    grid: AbstractGrid

    def rates(self, state, t):
        moved = self.transport(state, t)
        density, signal = dict(moved.density), dict(moved.signal)
        for name, species in self.model.species.items():
            if species.growth is not None:
                u = state.density[name]
                density[name] = density[name] + u * species.growth.rate(u, state.signal)
        for name, one in self.model.signals.items():
            value, rate = state.signal[name], signal[name]
            rate = jnp.zeros_like(value) if rate is None else rate
            if one.kinetics is not None:
                gain = one.kinetics.production(state.density, state.signal, name)
                loss = one.kinetics.loss_rate(state.density, state.signal, name)
                rate = rate + one.paced(gain - loss * value)
            signal[name] = rate
        return FieldState(density, signal)

    def transport(self, state, t):
        density = {
            name: drift_diffusion(
                state.density[name], one.mobility, self.grid, self._drifts(name, state), name=name, t=t
            )
            for name, one in self.model.species.items()
        }
        signal = {
            name: None
            if one.diffusivity is None
            else one.paced(diffusion(state.signal[name], one.diffusivity, self.grid, name=name, t=t))
            for name, one in self.model.signals.items()
        }
        return FieldState(density, signal)

    def react(self, state, dt, *, reverse):
        density, signal = state.density, state.signal
        for part in (self._grow, self._kinetics) if reverse else (self._kinetics, self._grow):
            density, signal = part(density, signal, dt)
        return FieldState(density, signal)

    def loss_rates(self, state: FieldState, t: Array | float, *, reactions: bool) -> list[Float[Array, "..."]]:
        """For each field, how fast a cell loses what it holds: by transport, and if asked by reactions [1 / time]."""
        rates = []
        for name, one in self.model.species.items():
            u = state.density[name]
            rate = outflow_rate(u, one.mobility, self.grid, self._drifts(name, state), name=name, t=t)
            if reactions and one.growth is not None:
                rate = rate - jnp.minimum(one.growth.rate(u, state.signal), 0)
            rates.append(rate)
        for name, one in self.model.signals.items():
            s = state.signal[name]
            rate = jnp.zeros_like(s)
            if one.diffusivity is not None:
                rate = outflow_rate(s, one.diffusivity, self.grid, name=name, t=t)
            if reactions and one.kinetics is not None:
                rate = rate + one.kinetics.loss_rate(state.density, state.signal, name)
            rates.append(one.paced(rate))
        return rates

    def _drifts(self, name: str, state: FieldState) -> list[Drift]:
        return [
            # A signal that does not diffuse has no boundary condition: its potential is continued, not fixed.
            Drift(
                law.potential(state.signal[signal]),
                signal if self.model.signals[signal].diffuses else None,
                law.potential,
                law.response,
            )
            for signal, law in self.model.species[name].taxis.items()
        ]

    def _kinetics(self, density, signal, dt):
        def one(name: str, value: Array) -> Array:
            kinetics = self.model.signals[name].kinetics
            if kinetics is None:
                return value
            gain, loss = kinetics.production(density, signal, name), kinetics.loss_rate(density, signal, name)
            return exponential_step(value, gain, loss, self.model.signals[name].paced(dt))

        return density, {name: one(name, value) for name, value in signal.items()}

    def _grow(self, density, signal, dt):
        grown = {
            name: u if (growth := self.model.species[name].growth) is None else u * jnp.exp(dt * growth.rate(u, signal))
            for name, u in density.items()
        }
        return grown, signal
