"""Runs at a method's own pace: steps that it chooses, up to the final time; on the host one by one."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.integrate.adjoint import AbstractAdjoint
from jaxchemo.integrate.pace import AbstractPace, Standing, check_run
from jaxchemo.integrate.saveat import SaveAt
from jaxchemo.integrate.solution import Solution, bare
from jaxchemo.io import Checkpoint, CheckpointError
from jaxchemo.methods.base import AbstractSelfPaced
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

PARTS = 1000  # of the time from start to end that progress is told in


class Carry(eqx.Module):
    """What goes from step to step: the method's state, its time, the number of steps, and how it goes."""

    state: Any
    t: Float[Array, ""]
    steps: Array
    result: RESULTS


@dataclasses.dataclass(frozen=True)
class OwnSteps(AbstractPace):
    """Steps that the method chooses."""

    method: AbstractSelfPaced

    @classmethod
    def of(
        cls,
        problem: Problem,
        method: AbstractSelfPaced,
        t0: float,
        t1: float,
        *,
        key: PRNGKeyArray | None,
        saveat: SaveAt,
        dt: Any = None,
        adjoint: AbstractAdjoint | None = None,
        chunk: Any = None,
    ) -> "OwnSteps":
        """Checks the arguments of a run against one another.

        **Raises:** `ValueError` or `TypeError` naming the argument at fault.
        """
        what = {"dt": (dt, "steps of its own"), "chunk": (chunk, "steps of its own")}
        for name, (value, has) in (what | {"adjoint": (adjoint, "derivatives of its own")}).items():
            if value is not None:
                raise ValueError(f"`{name}`: {type(method).__name__} has {has}, leave it out; got {value!r}.")
        check_run(problem, method, key)
        latest = method.latest(problem)
        if t1 - t0 > latest * (1 + 1e-6):
            raise ValueError(
                f"`t1` must not be later than t0 + {latest:.6g}: the second moment of the density falls to zero there, "
                f"so the solution ends before. Got t1 - t0 = {t1 - t0:g}."
            )
        return cls(problem, method, key, saveat, t0, t1, saveat.times(t0, t1))

    def solve(self) -> Solution:
        problem = _explicit(self.problem)
        start, end = jnp.asarray(self.t0, float), jnp.asarray(self.t1, float)
        carry = _rollout(_detached(problem), self.method, start, end, self.key)
        state = _with_derivative(carry.state, self.method, problem, self.key)
        carry = eqx.tree_at(lambda c: c.state, carry, state)
        ts = self._reached(carry)
        rows = [_save(problem, self.method, self.saveat, state, jnp.asarray(t, float)) for t in ts]
        ys = jax.tree.map(lambda *parts: jnp.stack(parts), *rows) if rows else None
        return self._finished(problem, carry, ts, ys)

    def complaint(self, solution: Solution) -> str | None:
        t = solution.stats["trusted_until"]
        if not _checks.is_concrete(t) or bool(solution.result == RESULTS.successful):
            return None
        return f"At t={float(t):g}: {RESULTS[solution.result]}"

    @property
    def numbers(self) -> dict[str, float]:
        return {"t0": self.t0}

    @property
    def total(self) -> int:
        return PARTS

    @property
    def shapes(self) -> Any:
        state = eqx.filter_eval_shape(_begin, self.problem, self.method, self._end, self.key).state
        return eqx.filter_eval_shape(_saved, self.problem, self.method, self.saveat, state, self._end)

    def begin(self) -> Standing:
        start = jnp.asarray(self.t0, float)
        carry = _begin(self.problem, self.method, start, self.key)
        arguments = self.problem, self.method, carry, self._end, self.key
        return Standing(carry, 0, _step.lower(*arguments).compile())

    def resumed(self, saved: Checkpoint) -> tuple[int, int]:
        """Progress and frames saved. **Raises:** `CheckpointError` for later ends and for other saves."""
        assert saved.progress is not None
        reached, saves = saved.progress["t"], tuple(saved.progress["saves"])
        if reached > float(self._end):
            raise CheckpointError(
                f"The checkpoint {str(saved.path)!r} is at t={reached:g}, after the end of this run: a later `t1` "
                "would do."
            )
        if saves != tuple(t for t in self.save_times if float(jnp.asarray(t, float)) <= reached):
            raise CheckpointError(
                f"The checkpoint {str(saved.path)!r} was written with saves at t={[float(f'{t:.6g}') for t in saves]}, "
                "and this run has others up to there: the same `saveat` would do, or to start afresh with "
                "overwrite=True."
            )
        return self._done(reached), len(saves)

    def goes_on(self, now: Standing) -> bool:
        return bool(_goes_on(now.carry, self._end))

    def forward(self, now: Standing) -> Standing:
        carry = jax.block_until_ready(now.advance(self.problem, self.method, now.carry, self._end, self.key))
        return dataclasses.replace(now, carry=carry, done=self._done(float(carry.t)))

    def well(self, now: Standing) -> bool:
        return bool(now.carry.result == RESULTS.successful)

    def due(self, now: Standing, count: int) -> list[int]:
        if not int(now.carry.steps):
            return []  # what was at the start may depend on the first step, which continues a network
        return list(range(count, len(self._reached(now.carry))))

    def frame(self, now: Standing, index: int) -> Any:
        t = jnp.asarray(self.save_times[index], float)
        return _save(self.problem, self.method, self.saveat, now.carry.state, t)

    def progress(self, now: Standing, count: int) -> dict[str, Any]:
        return {"t": float(now.carry.t), "saves": self.save_times[:count]}

    def note(self, now: Standing) -> str:
        return self.method.note(now.carry.state, now.carry.t)

    def steps(self, now: Standing) -> int:
        return int(now.carry.steps)

    def solution(self, now: Standing, count: int) -> Solution:
        return self._finished(self.problem, now.carry, self.save_times[:count], None)

    @property
    def _end(self) -> Array:
        return jnp.asarray(self.t1, float)

    def _done(self, t: float) -> int:
        return round(PARTS * (t - self.t0) / (self.t1 - self.t0))

    def _reached(self, carry: Carry) -> tuple[float, ...]:
        """The times to save at, as far as is known that they were reached."""
        if not _checks.is_concrete(carry.t):
            return self.save_times
        return tuple(t for t in self.save_times if bool(jnp.asarray(t, float) <= carry.t))

    def _finished(self, problem: Problem, carry: Carry, ts: tuple[float, ...], ys: Any) -> Solution:
        stats = {"trusted_until": carry.t} | self.method.stats(carry.state)
        final = self.method.snapshot(problem, carry.state)
        known = self.method.continuous(problem, carry.state)
        return Solution(jnp.asarray(ts, float), ys, final, carry.result, stats, bare(problem.domain), known)


@eqx.filter_jit
def _begin(problem: Problem, method: AbstractSelfPaced, t0: Array, key: PRNGKeyArray | None) -> Carry:
    return Carry(method.init(problem, key=key), t0, jnp.zeros((), jnp.int32), RESULTS.successful)


@eqx.filter_jit
def _step(problem: Problem, method: AbstractSelfPaced, carry: Carry, until: Array, key: PRNGKeyArray | None) -> Carry:
    state, t, info = method.advance(problem, carry.state, carry.t, until, key=key)
    return Carry(state, t, carry.steps + 1, info.result)


def _rollout(problem: Problem, method: AbstractSelfPaced, t0: Array, t1: Array, key: PRNGKeyArray | None) -> Carry:
    carry = _begin(problem, method, t0, key)
    if not all(map(_checks.is_concrete, jax.tree.leaves(carry))):
        return jax.lax.while_loop(
            lambda carry: _goes_on(carry, t1), lambda carry: _step(problem, method, carry, t1, key), carry
        )
    # The steps that `run` takes, compiled as they are there: inside a loop the compiler would round them differently.
    while bool(_goes_on(carry, t1)):
        carry = _step(problem, method, carry, t1, key)
    return carry


def _goes_on(carry: Carry, until: Array) -> Array:
    # The last step ends at `until` exactly: a tolerance would have to know the precision.
    return (carry.t < until) & (carry.result == RESULTS.successful)


def _saved(problem: Problem, method: AbstractSelfPaced, saveat: SaveAt, state: Any, t: Array) -> Any:
    return saveat.fn(method.snapshot_at(problem, state, t))


_save = eqx.filter_jit(_saved)


def _explicit(problem: Problem) -> Problem:
    """The problem, with what the fluid's function closes over made a part of it, if that is being differentiated."""
    fluid = getattr(problem.model, "advection", None)
    if fluid is None:
        return problem
    open_ = eqx.filter_closure_convert(fluid, jnp.zeros(problem.domain.ndim, float))
    if all(_checks.is_concrete(leaf) for leaf in jax.tree.leaves(open_)):
        return problem  # the function itself, which is not compiled again in the next run
    return eqx.tree_at(lambda problem: problem.model.advection, problem, open_)


def _detached(problem: Problem) -> Problem:
    """The same numbers, without their derivatives."""
    numbers, rest = eqx.partition(problem, eqx.is_inexact_array)
    return eqx.combine(jax.lax.stop_gradient(numbers), rest)


@eqx.filter_custom_jvp
def _with_derivative(state: Any, method: AbstractSelfPaced, problem: Problem, key: PRNGKeyArray | None) -> Any:
    """A state that was reached with the problem's numbers fixed, with its derivative in them."""
    return state


@_with_derivative.def_jvp
def _with_derivative_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (state, method, problem, key), (_, _, moved, _) = primals, tangents
    return state, eqx.filter_jvp(lambda problem: method.replay(problem, state, key=key), (problem,), (moved,))[1]
