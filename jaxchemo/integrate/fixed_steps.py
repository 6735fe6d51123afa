"""Runs in steps that are given: counted beforehand, one compiled loop, on the host in chunks of it."""

import dataclasses
import functools
import math
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.integrate import loop
from jaxchemo.integrate.adjoint import AbstractAdjoint, Forward, Remat
from jaxchemo.integrate.pace import AbstractPace, Standing, check_run, known
from jaxchemo.integrate.saveat import SaveAt
from jaxchemo.integrate.solution import Solution, bare
from jaxchemo.io import Checkpoint, CheckpointError
from jaxchemo.methods.base import AbstractFixedStep
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


@dataclasses.dataclass(frozen=True)
class FixedSteps(AbstractPace):
    """Steps of one length.

    **Fields** (those of `AbstractPace`, and):

    - `dt`: the step [time]; `num_steps`: how many; `saves`: after which of them something is saved.
    - `adjoint`: how gradients pass through the loop.
    - `chunk`: steps on the host between two looks at how it goes.
    """

    method: AbstractFixedStep
    dt: float
    num_steps: int
    saves: tuple[int, ...]
    adjoint: AbstractAdjoint
    chunk: int

    @classmethod
    def of(
        cls,
        problem: Problem,
        method: AbstractFixedStep,
        t0: float,
        t1: float,
        *,
        dt: float | Literal["auto"] | None,
        key: PRNGKeyArray | None,
        saveat: SaveAt,
        adjoint: AbstractAdjoint | None,
        chunk: int | None = None,
    ) -> "FixedSteps":
        """Checks the arguments of a run against one another, and counts its steps.

        **Raises:** `ValueError` or `TypeError` naming the argument at fault.
        """
        adjoint = _adjoint(method, adjoint)
        check_run(problem, method, key)
        dt = _checks.given("dt", dt, "give a step, or 'auto'")
        if isinstance(dt, str):
            if dt != "auto":
                raise ValueError(f"`dt` must be a positive number or 'auto', got {dt!r}.")
            advised = _advised(problem, method, key)
            _check_countable(t0, t1, advised)
            # The step that is advised may divide the run but for round-off: that is not one step more.
            num_steps = max(1, math.ceil((t1 - t0) / advised - 1e-9))
            dt = (t1 - t0) / num_steps
        else:
            dt = known("dt", dt, "a positive number known before compilation, or 'auto'")
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
        saves = saveat.steps(t0, dt, num_steps)
        chunk = max(1, num_steps // 50) if chunk is None else _checks.natural("chunk", chunk)
        when = tuple(t0 + n * dt for n in saves)
        return cls(problem, method, key, saveat, t0, t1, when, dt, num_steps, saves, adjoint, chunk)

    def solve(self) -> Solution:
        start, step = self._clock
        arguments = self.problem, self.method, start, step, self.key, self.saves, self.num_steps
        solution = _solve(*arguments, self.saveat, self.adjoint)
        return dataclasses.replace(solution, ts=_times(start, step, self.saves), domain=bare(self.problem.domain))

    def complaint(self, solution: Solution) -> str | None:
        failed = solution.stats["failed_step"]
        if not _checks.is_concrete(failed) or np.ndim(failed) > 0 or int(failed) < 0:
            return None
        sentence = RESULTS[solution.result]
        t = self.t0 + int(failed) * self.dt
        if bool(solution.result == RESULTS.unstable_step):
            largest = float(_stable_step(self.problem, self.method, self.key))
            enough = 0 < largest < self.dt
            sentence += (
                f" At the start, dt up to {largest:.3g} is advised, which 'auto' takes."
                if enough
                else f" It was stable at the start: try dt={self.dt / 2:.3g}, and half of that if need be."
            )
        if bool((solution.result == RESULTS.unresolved) | (solution.result == RESULTS.blow_up)):
            sentence += f" The solution can be trusted until t={t:g}."
        return f"Step {int(failed)} (t={t:g}, dt={self.dt:g}): {sentence}"

    @property
    def numbers(self) -> dict[str, float]:
        return {"t0": self.t0, "dt": self.dt}

    @property
    def total(self) -> int:
        return self.num_steps

    @property
    def shapes(self) -> Any:
        state = eqx.filter_eval_shape(loop.start, self.problem, self.method, self.key).state
        return eqx.filter_eval_shape(_saved, self.problem, self.method, self.saveat, state)

    def begin(self) -> Standing:
        carry = eqx.filter_jit(loop.start)(self.problem, self.method, self.key)
        count = jnp.asarray(0)
        arguments = self.problem, self.method, carry, count, count, *self._clock, self.key
        jax.block_until_ready(_save(self.problem, self.method, self.saveat, carry.state))
        return Standing(carry, 0, _advance.lower(*arguments).compile())

    def resumed(self, saved: Checkpoint) -> tuple[int, int]:
        """Steps done and frames saved. **Raises:** `CheckpointError` for later ends and for other saves."""
        assert saved.progress is not None
        done, saves = saved.progress["steps"], tuple(saved.progress["saves"])
        if not 0 < done <= self.num_steps:
            raise CheckpointError(
                f"The checkpoint {str(saved.path)!r} is at t={self.t0 + done * self.dt:g}, after the end of this run: "
                "a later `t1` would do."
            )
        if saves != tuple(n for n in self.saves if n <= done):
            raise CheckpointError(
                f"The checkpoint {str(saved.path)!r} was written with saves at t="
                f"{[float(f'{self.t0 + n * self.dt:.6g}') for n in saves]}, and this run has others up to there: the "
                "same `saveat` would do, or to start afresh with overwrite=True."
            )
        return done, len(saves)

    def goes_on(self, now: Standing) -> bool:
        return now.done < self.num_steps and self.well(now)

    def forward(self, now: Standing) -> Standing:
        # Up to the edge of a chunk, the next save or the end, whichever comes first.
        edges = [now.done - now.done % self.chunk + self.chunk, self.num_steps]
        stop = min([*edges, *(n for n in self.saves if n > now.done)])
        span = jnp.asarray(now.done), jnp.asarray(stop - now.done)
        carry = now.advance(self.problem, self.method, now.carry, *span, *self._clock, self.key)
        return dataclasses.replace(now, carry=jax.block_until_ready(carry), done=stop)

    def well(self, now: Standing) -> bool:
        return int(now.carry.failed_step) < 0

    def due(self, now: Standing, count: int) -> list[int]:
        if now.done and not self.well(now):
            return []
        return [k for k in range(count, len(self.saves)) if self.saves[k] == now.done]

    def frame(self, now: Standing, index: int) -> Any:
        return _save(self.problem, self.method, self.saveat, now.carry.state)

    def progress(self, now: Standing, count: int) -> dict[str, Any]:
        return {"steps": now.done, "saves": self.saves[:count]}

    def note(self, now: Standing) -> str:
        return ""

    def steps(self, now: Standing) -> int:
        return now.done

    def solution(self, now: Standing, count: int) -> Solution:
        start, step = self._clock
        end = eqx.filter_jit(_finish)(self.problem, self.method, now.carry, None, start, step, jnp.asarray(now.done))
        ts = _times(start, step, self.saves[:count])
        return dataclasses.replace(end, ts=ts, domain=bare(self.problem.domain))

    @property
    def _clock(self) -> tuple[Array, Array]:
        return jnp.asarray(self.t0), jnp.asarray(self.dt)  # arrays: another step is not another compilation


def _adjoint(method: AbstractFixedStep, adjoint: AbstractAdjoint | None) -> AbstractAdjoint:
    """The one that is given, or the one that fits the method.

    **Raises:** `ValueError` for one that the method cannot honour.
    """
    if adjoint is None:
        return Remat() if method.reverse_mode else Forward()
    _checks.instance("adjoint", adjoint, AbstractAdjoint, "Remat(), Direct() or Forward()")
    if isinstance(adjoint, Forward) and not method.forward_mode:
        raise ValueError(f"`adjoint`: {method!r} has derivatives in reverse mode only: Remat() or Direct() would do.")
    if not isinstance(adjoint, Forward) and not method.reverse_mode:
        raise ValueError(f"`adjoint`: {method!r} has derivatives in forward mode only: Forward() would do.")
    return adjoint


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
    dt = _stable_step(problem, method, key)
    if not _checks.is_concrete(dt):
        raise ValueError("`dt='auto'` depends on the problem's numbers, which are not known under jit, vmap or grad.")
    if not float(dt) > 0:
        raise ValueError(f"`dt='auto'`: the method gives no step here ({float(dt):g}); give a number.")
    return float(dt)


@eqx.filter_jit
def _stable_step(problem: Problem, method: AbstractFixedStep, key: PRNGKeyArray | None) -> Array:
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
    return _finish(problem, method, carry, ys, t0, dt, num_steps)


@eqx.filter_jit
def _advance(problem, method, carry, n0, steps, t0, dt, key):
    # The number of steps is an argument of the compiled code, so chunks of every length share it.
    return loop.take_steps(problem, method, carry, n0, steps, t0, dt, key, Forward())


def _saved(problem: Problem, method: AbstractFixedStep, saveat: SaveAt, state: Any) -> Any:
    return saveat.fn(method.snapshot(problem, state))


_save = eqx.filter_jit(_saved)


def _finish(
    problem: Problem, method: AbstractFixedStep, carry: loop.Carry, ys: Any, t0: Any, dt: Any, num_steps: Any
) -> Solution:
    """The last carry and what was saved, as a `Solution` without its times and its domain."""
    good = jnp.where(carry.failed_step < 0, num_steps, carry.failed_step)
    trusted = t0 + good * dt
    result = method.second_look(problem, carry.result, trusted)
    stats = {
        "num_steps": jnp.asarray(num_steps),
        "dt": jnp.asarray(dt),
        "failed_step": carry.failed_step,
        "trusted_until": trusted,
    }
    final = method.snapshot(problem, carry.state)
    return Solution(jnp.zeros(0), ys, final, result, stats, bare(problem.domain), None)


@functools.partial(jax.jit, static_argnums=2)
def _times(t0: Float[Array, ""], dt: Float[Array, ""], saves: tuple[int, ...]) -> Float[Array, " k"]:
    """Times after so many steps [time]."""
    return t0 + jnp.asarray(saves, dt.dtype) * dt
