"""`solve`: the pure verb, for jit, vmap and grad."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, Literal, overload

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.integrate import loop
from jaxchemo.integrate.adjoint import AbstractAdjoint, Remat
from jaxchemo.integrate.march import FlowSolution, solve_by_flow
from jaxchemo.integrate.saveat import SaveAt
from jaxchemo.integrate.solution import Solution, SolveError
from jaxchemo.methods.base import AbstractFixedStep
from jaxchemo.methods.flows.base import AbstractFlow
from jaxchemo.models import Model
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


@overload
def solve(
    problem: Problem,
    method: AbstractFixedStep,
    *,
    t0: float = 0.0,
    t1: float,
    dt: float | Literal["auto"],
    key: PRNGKeyArray | None = None,
    saveat: SaveAt = SaveAt(),
    adjoint: AbstractAdjoint = Remat(),
    throw: bool = True,
) -> Solution: ...


@overload
def solve(
    problem: Problem,
    method: AbstractFlow,
    *,
    t0: float = 0.0,
    t1: float,
    key: PRNGKeyArray | None = None,
    saveat: SaveAt = SaveAt(),
    throw: bool = True,
) -> FlowSolution: ...


def solve(
    problem: Problem,
    method: AbstractFixedStep | AbstractFlow,
    *,
    t0: float = 0.0,
    t1: float,
    dt: float | Literal["auto"] | None = None,
    key: PRNGKeyArray | None = None,
    saveat: SaveAt = SaveAt(),
    adjoint: AbstractAdjoint = Remat(),
    throw: bool = True,
) -> Solution | FlowSolution:
    """Solves a problem by a method. Pure: it can be jitted, vmapped and differentiated, and has no effects on the host.

    On one machine with one set of versions `solve` gives the same numbers each time, bit for bit, and so does `run`,
    whole, in chunks or resumed. Inside an outer `jax.jit`, `vmap` or `grad` the compiler arranges the same arithmetic
    anew, and the last bits differ: in single precision by some 1e-6 of the largest value after a hundred steps, and
    by more where small differences grow, as in a collapse or in the path of one particle.

    **Arguments:**

    - `problem`: what is solved.
    - `method`: how, such as `jc.FiniteVolume()` or `jc.ParticleField(20_000)`.
    - `t0`, `t1`: initial and final time; `t1 - t0` must be a whole number of steps. `t0` defaults to 0.
    - `dt`: step, positive; `"auto"` takes the largest that the method advises at the initial state. None is given for
      a flow (`LagrangianFlow`, `PriorFlow`), which has intervals of its own.
    - `key`: random key, for stochastic methods.
    - `saveat`: what to keep besides the final state. Default: only the final time.
    - `adjoint`: how gradients pass through the loop: `Remat()` (default, memory as the square root of the number of
      steps), `Direct()`, or `Forward()`.
    - `throw`: whether a run that went wrong raises. Under `jit`, `vmap` and `grad` the result is only known later:
      there it is reported in `Solution.result`.

    **Returns:** a `Solution`; of a flow a `FlowSolution`, whose density can be asked everywhere.

    **Raises:** `ValueError` or `TypeError` for bad input; `SolveError` for a run that went wrong, with its `solution`.
    """
    if key is not None:
        _checks.random_key("key", key)
    if isinstance(method, AbstractFlow):
        refuse_steps(dt=dt)
        t0, t1 = checked_span(problem, saveat, t0, t1)
        return solve_by_flow(problem, method, t0=t0, t1=t1, key=key, saveat=saveat, throw=throw)
    dt = _checks.given("dt", dt, "give a step, or 'auto'")
    plan = Plan.of(problem, method, t0=t0, t1=t1, dt=dt, key=key, saveat=saveat, adjoint=adjoint)
    start, step = jnp.asarray(plan.t0), jnp.asarray(plan.dt)  # arrays: another step is not another compilation
    solution = _solve(problem, method, start, step, key, plan.saves, plan.num_steps, saveat, adjoint)
    solution = dataclasses.replace(solution, ts=times(start, step, plan.saves))
    if throw:
        raise_if_failed(solution, plan, lambda: stable_step(problem, method, key))
    return solution


@dataclasses.dataclass(frozen=True)
class Plan:
    """The steps of a run, worked out on the host before anything is compiled."""

    t0: float
    dt: float
    num_steps: int
    saves: tuple[int, ...]

    @classmethod
    def of(
        cls,
        problem: Problem,
        method: AbstractFixedStep,
        *,
        t0: float,
        t1: float,
        dt: float | str,
        key: PRNGKeyArray | None,
        saveat: SaveAt,
        adjoint: AbstractAdjoint,
    ) -> "Plan":
        """Checks the arguments of a run against one another and counts its steps."""
        _checks.instance("method", method, AbstractFixedStep, "a method such as jc.FiniteVolume()")
        _checks.instance("adjoint", adjoint, AbstractAdjoint, "Remat(), Direct() or Forward()")
        t0, t1 = checked_span(problem, saveat, t0, t1)
        if method.stochastic and key is None:
            raise ValueError(f"`key` is missing: {type(method).__name__} is stochastic, give key=jax.random.key(0).")
        if key is not None:
            _checks.random_key("key", key)
        _check_single(problem)
        method.check(problem)
        if isinstance(dt, str):
            if dt != "auto":
                raise ValueError(f"`dt` must be a positive number or 'auto', got {dt!r}.")
            advised = _advised(problem, method, key)
            _check_countable(t0, t1, advised)
            num_steps = max(1, math.ceil((t1 - t0) / advised - 1e-9))
            dt = (t1 - t0) / num_steps
        else:
            dt = _known("dt", dt, "a positive number known before compilation, or 'auto'")
            if not dt > 0:
                raise ValueError(f"`dt` must be a positive number known before compilation, or 'auto', got {dt!r}.")
            _check_countable(t0, t1, dt)
            num_steps = round((t1 - t0) / dt)
            if num_steps < 1 or abs(num_steps * dt - (t1 - t0)) > 1e-6 * dt * max(1, num_steps):
                whole = max(1, math.ceil((t1 - t0) / dt))
                raise ValueError(
                    f"`dt` must divide t1 - t0 = {t1 - t0:g} into whole steps, got {dt:g}; "
                    f"dt={(t1 - t0) / whole:.10g} ({whole} steps) would do."
                )
        return cls(t0, dt, num_steps, saveat.steps(t0, dt, num_steps))


def refuse_steps(**options: Any) -> None:
    """Refuses, in a sentence, what a method that chooses its own intervals does not take."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"`{name}`: a flow has intervals of its own, leave it out; got {value!r}.")


def checked_span(problem: Problem, saveat: SaveAt, t0: float, t1: float) -> tuple[float, float]:
    """The times of a run, after a look at what every run is given."""
    _checks.instance("problem", problem, Problem, "a Problem")
    _checks.instance("saveat", saveat, SaveAt, "a SaveAt")
    t0, t1 = (_known(name, t, "a finite number known before compilation") for name, t in (("t0", t0), ("t1", t1)))
    if not t1 > t0:
        raise ValueError(f"`t1` must be larger than `t0`, got t0={t0:g} and t1={t1:g}.")
    return t0, t1


def _check_single(problem: Problem) -> None:
    """Refuses a batch of models, as `jax.vmap` makes them, where one is meant."""
    species = problem.model.species if isinstance(problem.model, Model) else {}
    for name, one in species.items():
        if one.mobility.ndim:
            raise ValueError(
                f"`problem`: the mobility of {name!r} has the shape {one.mobility.shape}, so these are several models: "
                "solve them by jax.vmap."
            )


def _known(name: str, value: Any, what: str) -> float:
    """`value` as a Python float."""
    known = _checks.constant(_checks.number, name, value) if _checks.is_concrete(value) else math.nan
    if not math.isfinite(known):
        raise ValueError(f"`{name}` must be {what}, got {value!r}.")
    return known


def _check_countable(t0: float, t1: float, dt: float) -> None:
    """Refuses steps that are too many to count, or too short for their times to differ."""
    if (t1 - t0) / dt >= 2**31:
        raise ValueError(
            f"`dt` must be a larger part of t1 - t0 = {t1 - t0:g}, got {dt:g}: {(t1 - t0) / dt:.3g} steps are more "
            "than can be counted (2^31)."
        )
    kind = jnp.result_type(float)

    def apart(latest: float, kind: Any) -> float:
        return float(np.spacing(np.asarray(latest, kind)))

    latest = max(abs(t0), abs(t1))
    if dt < apart(latest, kind):
        better = ["a larger `dt`"]
        better += ["t0=0"] if t0 and dt >= apart(t1 - t0, kind) else []
        better += ["double precision, jax_enable_x64,"] if dt >= apart(latest, float) else []
        raise ValueError(
            f"`dt` must be at least {apart(latest, kind):.3g}, which is how far apart two times of {kind.name} are at "
            f"t={latest:g}, got {dt:g}: {' or '.join(better)} would do."
        )


def _advised(problem: Problem, method: AbstractFixedStep, key: PRNGKeyArray | None) -> float:
    dt = stable_step(problem, method, key)
    if not _checks.is_concrete(dt):
        raise ValueError("`dt='auto'` depends on the problem's numbers, which are not known under jit, vmap or grad.")
    if not float(dt) > 0:
        raise ValueError(f"`dt='auto'`: the method gives no step here ({float(dt):g}); give a number.")
    return float(dt)


@eqx.filter_jit
def stable_step(problem: Problem, method: AbstractFixedStep, key: PRNGKeyArray | None) -> Array:
    """The step that the method advises at the initial state."""
    return method.stable_dt(problem, method.init(problem, key=key))


@eqx.filter_jit
def _solve(problem, method, t0, dt, key, saves, num_steps, saveat, adjoint) -> Solution:
    carry, ys = loop.rollout(
        problem,
        method,
        loop.start(problem, method, key),
        saves,
        num_steps,
        t0,
        dt,
        key,
        adjoint,
        lambda state: saveat.fn(method.snapshot(problem, state)),
    )
    return finish(problem, method, carry, ys, t0, dt, num_steps)


def finish(
    problem: Problem, method: AbstractFixedStep, carry: loop.Carry, ys: Any, t0: Any, dt: Any, num_steps: Any
) -> Solution:
    """The last carry and what was saved, as a `Solution` without its times."""
    good = jnp.where(carry.failed_step < 0, num_steps, carry.failed_step)
    trusted = t0 + good * dt
    result = method.second_look(problem, carry.result, trusted)
    stats = {
        "num_steps": jnp.asarray(num_steps),
        "dt": jnp.asarray(dt),
        "failed_step": carry.failed_step,
        "trusted_until": trusted,
    }
    return Solution(jnp.zeros(0), ys, method.snapshot(problem, carry.state), result, stats)


@functools.partial(jax.jit, static_argnums=2)
def times(t0: Float[Array, ""], dt: Float[Array, ""], saves: tuple[int, ...]) -> Float[Array, " k"]:
    """Times after so many steps [time]."""
    return t0 + jnp.asarray(saves, dt.dtype) * dt


def raise_if_failed(solution: Solution, plan: Plan, advised: Callable[[], Array]) -> None:
    """Raises `SolveError` if the run went wrong and this is known on the host now, with a step that would do."""
    failed = solution.stats["failed_step"]
    if not _checks.is_concrete(failed) or np.ndim(failed) > 0 or int(failed) < 0:
        return
    sentence = RESULTS[solution.result]
    t = plan.t0 + int(failed) * plan.dt
    if bool(solution.result == RESULTS.unstable_step):
        largest = float(advised())
        enough = 0 < largest < plan.dt
        sentence += (
            f" At the start, dt up to {largest:.3g} is advised, which 'auto' takes."
            if enough
            else f" It was stable at the start: try dt={plan.dt / 2:.3g}, and half of that if need be."
        )
    if bool((solution.result == RESULTS.unresolved) | (solution.result == RESULTS.blow_up)):
        sentence += f" The solution can be trusted until t={t:g}."
    raise SolveError(f"Step {int(failed)} (t={t:g}, dt={plan.dt:g}): {sentence}", solution)
