"""Finite volumes on boxes and radial shells, with exact mass: by exponentially fitted, positive fluxes or by others."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxchemo import _checks
from jaxchemo.domain import AbstractGrid
from jaxchemo.features import Feature
from jaxchemo.fields import AbstractFlux, ScharfetterGummel, face_fluxes
from jaxchemo.methods.base import AbstractFixedStep, Snapshot, StepInfo, by_kind
from jaxchemo.methods.grids.collapse import blows_up, core, highest, unresolved
from jaxchemo.methods.grids.resolution import warn_if_coarse
from jaxchemo.methods.grids.semi_discrete import FieldState, SemiDiscrete
from jaxchemo.methods.grids.steppers import AbstractStepper, Adaptive, Strang
from jaxchemo.models.schedules import schedules
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

ROUND_OFF = 16  # units of the dtype: eight times the largest that transforms have been seen to leave of a maximum
TRIALS, HALVINGS = 16, 12  # steps that advice on implicit steppers is tried with, and how often it is halved at most


class CollapsingState(eqx.Module):
    """Cell averages by name, and the highest density at the start, of a model that can blow up."""

    density: dict[str, Any]
    signal: dict[str, Any]
    start: Float[Array, ""]


class FiniteVolume(AbstractFixedStep):
    """Second-order finite volumes on a `Grid` or a `RadialGrid`.

    By default the flux between two cells is the exact one for a constant drift between them (Scharfetter and Gummel
    1969), so an explicit step up to `stable_dt` keeps every density positive at any cell Peclet number. Mass is exact
    to round-off. A larger step is reported as `RESULTS.unstable_step`; nothing is ever clipped. Signals may stay in
    place, diffuse, or follow the densities at once (`relaxation=0`): those are solved for after every stage.

    What is solved for (signals that diffuse, and with `IMEXEuler` and `IMEXRosenbrock` the densities) is positive to
    round-off: a value below zero by up to 16 units of the dtype (2e-6 in float32) times the maximum is let through.

    Cells that climb a signal which they make may collapse beyond any grid. A run ends as `RESULTS.unresolved` once a
    peak of density grows although its core radius `sqrt(8 D / -div V)` (of the spike `u / (1 + r^2 / l^2)^2` in two
    dimensions) is below 1.4 cells, or is below 0.7 cells at all. When it does, the density has an error of about 4% of
    the mass (2% to 5% measured on boxes and discs, in the L1 norm). In one dimension spikes stay finite where their
    signal diffuses, with the right masses: nothing is reported. Where the model is that of `keller_segel` with a linear
    law, a run ends as `RESULTS.blow_up` once the core has shrunk a hundredfold, still has four cells per radius and, in
    two dimensions, `4 pi D / chi` of mass within it: a criterion that does not move with the grid, which a `RadialGrid`
    with `stretching` can reach. A run of `6 pi`, whose peak rises 660-fold and falls again, does not fulfil it.

    Gradients are those of the discrete scheme, exact to round-off, with respect to the model and the initial fields.

    **Arguments:**

    - `stepper`: `Strang(SSPRK2())` (default: exact consumption, implicit signals, second order); `Euler()`, `SSPRK2()`,
      `SSPRK3()`; `IMEXEuler()`, `IMEXRosenbrock()` where diffusion limits the step; `Adaptive(...)` for references.
    - `flux`: what passes a face between two cells. `ScharfetterGummel()` (default); `Upwind()`, positive too and first
      order; `Centred()`, second order and positive only up to a cell Peclet number of 2; or a subclass of
      `AbstractFlux`. Where a flux is not positive, densities below zero end a run as `RESULTS.negative_density`,
      with `Adaptive` those beyond a hundred times its tolerance.

    **Raises:** `TypeError` for other things, and `ValueError` for a flux that is not one of these equations.

    >>> jc.FiniteVolume(jc.IMEXRosenbrock(), flux=jc.Upwind())
    FiniteVolume(stepper=IMEXRosenbrock(), flux=Upwind())
    """

    solves: ClassVar = frozenset(
        {
            Feature.DENSITIES,
            Feature.SEVERAL_SPECIES,
            Feature.GROWTH,
            Feature.MOTILITY,
            Feature.CROWDING,
            Feature.FLUX_LIMIT,
            Feature.NONLINEAR_SENSING,
            Feature.SEVERAL_SIGNALS,
            Feature.LOCAL_SIGNALS,
            Feature.DIFFUSING_SIGNALS,
            Feature.SLAVED_SIGNALS,
            Feature.OTHER_KINETICS,
            Feature.SCHEDULES,
            Feature.BOX,
            Feature.RADIAL,
            Feature.SEVERAL_DIMENSIONS,
            Feature.WALLS,
            Feature.ABSORBING_WALLS,
            Feature.SUPPLYING_WALLS,
            Feature.SIGNAL_WALLS,
        }
    )

    stepper: AbstractStepper
    flux: AbstractFlux

    def __init__(self, stepper: AbstractStepper = Strang(), flux: AbstractFlux = ScharfetterGummel()):
        self.stepper = _checks.instance("stepper", stepper, AbstractStepper, "a stepper such as SSPRK2()")
        self.flux = _checks.instance("flux", flux, AbstractFlux, "a flux through faces such as Upwind()")
        face_fluxes.check(self.flux)

    @property
    def stochastic(self) -> bool:
        return False

    @property
    def name(self) -> str:
        return "fv"

    @property
    def forward_mode(self) -> bool:
        return self.stepper.forward_mode

    def check_parts(self, problem):
        """**Raises:** `TypeError` or `ValueError` for a domain or a signal that it cannot solve on or for."""
        system = self._system(problem)
        system.check()
        if any(signal.diffuses for signal in problem.model.signals.values()):
            self.stepper.check(system.grid)
        warn_if_coarse(problem)

    def init(self, problem, *, key=None):
        state = self._system(problem).start(*problem.fields())
        if core(problem) is None:
            return state
        return CollapsingState(state.density, state.signal, jnp.max(next(iter(state.density.values()))))

    def _system(self, problem: Problem) -> SemiDiscrete:
        """The ordinary differential equations of the grid's cells."""
        return SemiDiscrete(problem.continuum, _cells(problem), self.flux)

    def step(self, problem, state, n, t, dt, *, key=None):
        system = self._system(problem)
        before = FieldState(state.density, state.signal)
        if problem.model.changes:  # what follows at once was found for a run from time 0
            before = system.complete(before, t)
        after, went_well = self.stepper.step(system, before, t, dt)
        deficit = self._deficit(system, after)
        collapse = self._collapse(problem, system, *jax.lax.stop_gradient((state, after)), t + dt)
        if isinstance(self.stepper, Adaptive):
            result = RESULTS.where(jnp.asarray(went_well), collapse, RESULTS.solver_failed)
        else:
            result = RESULTS.where(deficit < 0, RESULTS.unstable_step, collapse)
        if not self.flux.positive:
            result = RESULTS.where(self._negative(after), RESULTS.negative_density, result)
        result = RESULTS.where(jnp.isfinite(deficit), result, RESULTS.nonfinite)
        if isinstance(state, CollapsingState):
            after = CollapsingState(after.density, after.signal, state.start)
        return after, StepInfo(result)

    def _deficit(self, system: SemiDiscrete, state: FieldState) -> Array:
        """What is missing from zero in all cells together, beyond round-off; NaN where anything is not finite."""
        # One pass over each field finds both a NaN, which a sum hands on, and a step beyond the stable one, which is
        # the only way for this scheme to turn negative. A minimum says the same, at three times the cost.
        deficit = sum(_below_zero(u, self.stepper.implicit) for u in state.density.values())
        for name, law in system.model.signals.items():
            s = state.signal[name]
            # What is slaved has no level of its own where nothing decays.
            deficit += jnp.sum(jnp.where(jnp.isfinite(s), 0, s)) if law.slaved else _below_zero(s, law.diffuses)
        return jnp.asarray(deficit)

    def _negative(self, state: FieldState) -> Bool[Array, ""]:
        """Whether a density is below zero, by more than what the stepper itself leaves."""
        if isinstance(self.stepper, Adaptive):
            # What is within the tolerance of each step adds up along a run.
            allowed = {k: 100 * (self.stepper.atol + self.stepper.rtol * jnp.max(u)) for k, u in state.density.items()}
            return jnp.any(jnp.stack([jnp.min(u) < -allowed[name] for name, u in state.density.items()]))
        return jnp.asarray(sum(_below_zero(u, self.stepper.implicit) for u in state.density.values())) < 0

    def second_look(self, problem, result, t):
        """What was negative from the start, or is kept so by a wall, is neither the step's nor the flux's."""
        grid = _cells(problem)

        def given() -> Bool[Array, ""]:
            density, signal = problem.fields()
            below = [jnp.min(field) < 0 for field in (density | signal).values()]
            for name, field in (density | signal).items():
                if name in density or problem.model.signals[name].diffuses:
                    walls = [grid.pad(jnp.zeros_like(field), axis, name=name, t=t) for axis in range(field.ndim)]
                    below += [jnp.min(wall) < 0 for wall in walls]
            return jnp.any(jnp.stack(below))

        below_zero = (result == RESULTS.unstable_step) | (result == RESULTS.negative_density)
        negative = jax.lax.cond(below_zero, given, lambda: jnp.zeros((), bool))
        return RESULTS.where(negative, RESULTS.negative_input, result)

    def _collapse(
        self, problem: Problem, system: SemiDiscrete, before: FieldState | CollapsingState, after: FieldState, t: Any
    ) -> RESULTS:
        """Whether a density has gathered beyond what the grid resolves, or what any grid would."""
        result = RESULTS.successful
        for name, u in after.density.items():
            place = highest(u)
            drawn = system.gathering(name, after, place, t)
            if drawn is not None:
                lost = unresolved(before.density[name][place], u[place], drawn)
                result = RESULTS.where(lost, RESULTS.unresolved, result)
            factor = core(problem)
            if isinstance(before, CollapsingState) and factor is not None:
                collapsing = blows_up(u, place, before.start, factor, system.grid)
                result = RESULTS.where(collapsing, RESULTS.blow_up, result)
        return result

    def stable_dt(self, problem, state):
        """The largest Euler step that keeps every field positive, less five percent.

        The transport of the densities decides it, and signals and reactions where the stepper does not solve them
        implicitly. Where cell Peclet numbers are too high for a flux that is not always positive, its bound is that of
        stability, for centred fluxes `2 D / velocity^2` (von Neumann), because no step is positive. Where the stepper
        solves for the diffusion, the drift decides it, and how fast cells of the grid that hold more than a thousandth
        of the maximum lose it on balance; that is halved until 16 steps keep every field positive. Infinite where
        nothing happens. Where numbers change in time, the shortest of the steps at the turns of all of them.
        """
        system = self._system(problem)
        state = jax.lax.stop_gradient(FieldState(state.density, state.signal))
        if not system.model.changes:
            return self._stable_dt(system, state)

        def at_turn(t: Array) -> Array:
            return self._stable_dt(SemiDiscrete(system.model.at(t), system.grid, system.flux), state)

        turns = jnp.concatenate([schedule.turns for schedule in schedules(system.model)])
        return jnp.min(jax.lax.map(at_turn, jax.lax.stop_gradient(turns)))

    def _stable_dt(self, system: SemiDiscrete, state: FieldState) -> Array:
        fastest = [jnp.max(rate) for rate in self.stepper.fastest(system, state, 0.0)]
        dt = 0.95 / jnp.max(jnp.stack(fastest))
        if not self.stepper.implicit:
            return dt

        def fails(trial: tuple[Array, Array]) -> Array:
            def step(now: FieldState, k: Array) -> tuple[FieldState, Array]:
                now, _ = self.stepper.step(system, now, k * trial[0], trial[0])
                return now, self._deficit(system, now)

            lacking = jax.lax.scan(step, state, jnp.arange(TRIALS))[1]
            return ~jnp.all(lacking >= 0) & (trial[1] < HALVINGS) & jnp.isfinite(trial[0])

        halved, halvings = jax.lax.while_loop(fails, lambda trial: (0.5 * trial[0], trial[1] + 1), (dt, jnp.asarray(0)))
        return jnp.where(halvings < HALVINGS, halved, dt)  # where none will do, the step is not what is wrong

    def snapshot(self, problem, state):
        return Snapshot(by_kind(state.density), by_kind(state.signal))


def _below_zero(field: Array, solved: bool) -> Array:
    """Sum of what is negative, by more than round-off where the field is solved for."""
    least = -ROUND_OFF * jnp.finfo(field.dtype).eps * jnp.max(field) if solved else 0
    return jnp.sum(jnp.where(field >= least, 0, field))


def _cells(problem: Problem) -> AbstractGrid:
    """The grid. **Raises:** `TypeError` for a domain without cells."""
    return _checks.instance("domain", problem.domain, AbstractGrid, "cells, Grid.box(...) or RadialGrid(...)")
