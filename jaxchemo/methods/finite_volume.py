"""Finite volumes with exponentially fitted face fluxes, on boxes and on radial shells: positive, with exact mass."""

import jax.numpy as jnp

from jaxchemo import _checks
from jaxchemo.domain import AbstractGrid
from jaxchemo.methods.base import AbstractMethod, Snapshot, StepInfo, by_kind, check_still
from jaxchemo.methods.resolution import warn_if_coarse
from jaxchemo.methods.semi_discrete import SemiDiscrete
from jaxchemo.methods.steppers import AbstractStepper, Adaptive, Strang
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class FiniteVolume(AbstractMethod):
    """Second-order finite volumes on a `Grid` or a `RadialGrid`.

    The flux between two cells is the exact one for a constant drift between them (Scharfetter and Gummel 1969), so an
    explicit step up to `stable_dt` keeps every density positive at any cell Peclet number, and mass is exact to
    round-off. A larger step is reported as `RESULTS.unstable_step`; nothing is ever clipped. Signals may stay in place,
    diffuse, or follow the cells at once (`relaxation=0`): those are solved for after every stage.

    Gradients are those of the discrete scheme, exact to round-off, with respect to the model and the initial fields.

    **Arguments:**

    - `stepper`: `Strang(SSPRK2())` (default: exact consumption, implicit signals, second order); `Euler()`, `SSPRK2()`,
      `SSPRK3()`; `IMEXEuler()`, `IMEXRosenbrock()` where diffusion limits the step; `Adaptive(...)` for references.
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
        check_still(problem)
        system = SemiDiscrete(problem.continuum, _cells(problem))
        system.check()
        if any(signal.diffuses for signal in problem.model.signals.values()):
            self.stepper.check(system.grid)
        warn_if_coarse(problem)

    def init(self, problem, *, key=None):
        return SemiDiscrete(problem.continuum, _cells(problem)).start(*problem.fields())

    def step(self, problem, state, n, t, dt, *, key=None):
        system = SemiDiscrete(problem.continuum, _cells(problem))
        state, went_well = self.stepper.advance(system, state, t, dt)
        # One pass over each field finds both a NaN, which a sum hands on, and a step beyond the stable one, which is
        # the only way for this scheme to turn negative. A minimum says the same, at three times the cost.
        deficit = sum(jnp.sum(jnp.where(u >= 0, 0, u)) for u in state.density.values())
        for name, one in problem.model.signals.items():
            s = state.signal[name]
            # Transforms are exact to round-off only; and what is slaved has no level of its own where nothing decays.
            lost = jnp.finfo(s.dtype).eps * s.size * jnp.max(s) if one.diffuses else 0
            deficit += jnp.sum(jnp.where((s >= -lost) | (one.slaved & jnp.isfinite(s)), 0, s))
        failed = RESULTS.solver_failed if isinstance(self.stepper, Adaptive) else RESULTS.unstable_step
        negative = (deficit < 0) & (not isinstance(self.stepper, Adaptive))
        result = RESULTS.where(jnp.asarray(went_well) & ~negative, RESULTS.successful, failed)
        return state, StepInfo(RESULTS.where(jnp.isfinite(deficit), result, RESULTS.nonfinite))

    def stable_dt(self, problem, state):
        """The largest Euler step that keeps every field positive, less five percent.

        The motion of the cells decides it, and signals and reactions where the stepper does not solve them implicitly;
        where it solves for the diffusion, the drift of the cells alone.
        """
        system = SemiDiscrete(problem.continuum, _cells(problem))
        fastest = [jnp.max(rate) for rate in self.stepper.fastest(system, state, 0.0)]
        return 0.95 / jnp.max(jnp.stack(fastest))

    def snapshot(self, problem, state):
        return Snapshot(by_kind(state.density), by_kind(state.signal))


def _cells(problem: Problem) -> AbstractGrid:
    """The grid, which a finite-volume scheme cannot do without."""
    return _checks.instance("grid", problem.grid, AbstractGrid, "cells, Grid.box(...) or RadialGrid(...)")
