"""`run`: the host loop for long work, over chunks of the same rollout: progress, storage, restart."""

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import Any, Literal, overload

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from jaxchemo import _checks, _progress
from jaxchemo.integrate import loop
from jaxchemo.integrate.adjoint import Forward
from jaxchemo.integrate.frames import Frames, coordinates, variables
from jaxchemo.integrate.march import FlowSolution, run_by_flow
from jaxchemo.integrate.saveat import SaveAt
from jaxchemo.integrate.solution import Solution
from jaxchemo.integrate.solve import Plan, checked_span, finish, raise_if_failed, refuse_steps, stable_step, times
from jaxchemo.io import Checkpoint, CheckpointError, Store, fingerprint, identity
from jaxchemo.methods.base import AbstractFixedStep
from jaxchemo.methods.flows.base import AbstractFlow
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


@overload
def run(
    problem: Problem,
    method: AbstractFixedStep,
    *,
    t0: float = 0.0,
    t1: float,
    dt: float | Literal["auto"],
    key: PRNGKeyArray | None = None,
    saveat: SaveAt = SaveAt(),
    store: str | Path | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | str = True,
    chunk: int | None = None,
    throw: bool = True,
) -> Solution: ...


@overload
def run(
    problem: Problem,
    method: AbstractFlow,
    *,
    t0: float = 0.0,
    t1: float,
    key: PRNGKeyArray | None = None,
    saveat: SaveAt = SaveAt(),
    checkpoint: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | str = True,
    throw: bool = True,
) -> FlowSolution: ...


def run(
    problem: Problem,
    method: AbstractFixedStep | AbstractFlow,
    *,
    t0: float = 0.0,
    t1: float,
    dt: float | Literal["auto"] | None = None,
    key: PRNGKeyArray | None = None,
    saveat: SaveAt = SaveAt(),
    store: str | Path | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | str = True,
    chunk: int | None = None,
    throw: bool = True,
) -> Solution | FlowSolution:
    """Solves a problem on the host, chunk by chunk: the same numbers as `solve`, bit for bit, with effects.

    A run that goes wrong stops at the end of its chunk; whatever was saved before is kept, in memory and on disk. So it
    is with one that is interrupted or killed: its store can be read at once, and with a checkpoint it can be resumed,
    to the same numbers.

    **Arguments** (those of `solve`, without `adjoint`, and):

    - `store`: folder of a zarr store that is written as the run goes on, a new one. Default: none.
    - `checkpoint`: file that holds the state after each chunk, or each interval of a flow, a new one. Without a `store`
      it also holds what was saved; with many large frames, a store is faster. Default: none.
    - `resume`: go on from `checkpoint` if it is there, which must be of this very run: the same problem, method, key,
      step, saves so far and versions. `t1` may be later.
    - `overwrite`: replace a store and a checkpoint that are there, once the new ones are. Nothing else is replaced.
    - `progress`: show a progress bar; a string is its label. Default true.
    - `chunk`: steps per chunk. Default: a fiftieth of the run.

    A flow takes neither `dt` nor `store` nor `chunk`; its progress tells the residual of the last interval
    and before when the density will not blow up, by its growth.

    **Returns:** a `Solution`, saved arrays as numpy arrays. Its `stats` also hold `compile_seconds`, `seconds` (without
    compilation) and `seconds_per_step`.

    **Raises:** as `solve`; `StoreError` (an `OSError`) if the disk cannot be written, or holds something there already;
    `CheckpointError` (one too, and a `ValueError`) for a checkpoint that is broken or belongs to another run.
    """
    if resume and checkpoint is None:
        raise ValueError("`resume` needs `checkpoint`, the file to go on from.")
    _check_host((problem, method, key))
    if isinstance(method, AbstractFlow):
        refuse_steps(dt=dt, store=store, chunk=chunk)
        t0, t1 = checked_span(problem, saveat, t0, t1)
        files = {"checkpoint": checkpoint, "resume": resume, "overwrite": overwrite}
        return run_by_flow(
            problem, method, t0=t0, t1=t1, key=key, saveat=saveat, progress=progress, throw=throw, **files
        )
    dt = _checks.given("dt", dt, "give a step, or 'auto'")
    plan = Plan.of(problem, method, t0=t0, t1=t1, dt=dt, key=key, saveat=saveat, adjoint=Forward())
    chunk = max(1, plan.num_steps // 50) if chunk is None else _checks.natural("chunk", chunk)
    start_time, step_size = jnp.asarray(plan.t0), jnp.asarray(plan.dt)
    what = identity(problem=problem, method=method, key=key, saveat=saveat.fn, t0=plan.t0, dt=plan.dt)
    save = eqx.filter_jit(lambda p, m, state: saveat.fn(m.snapshot(p, state)))

    with contextlib.ExitStack() as files:
        saved = None
        if checkpoint is not None:
            saved = files.enter_context(Checkpoint.opened(checkpoint, what, resume=resume, overwrite=overwrite))
        done, count = _resumed(plan, saved)
        begin = eqx.filter_jit(loop.start)
        shapes = eqx.filter_eval_shape(save, problem, method, eqx.filter_eval_shape(begin, problem, method, key).state)
        disk = None
        if store is not None:
            about = {"method": repr(method), "model": repr(problem.model), "domain": repr(problem.domain)}
            about |= {"t0": plan.t0, "t1": float(t1), "dt": plan.dt}
            layout = variables(problem, shapes), coordinates(problem), about
            place = {"frames": count if done else None, "overwrite": overwrite}
            disk = files.enter_context(Store.opened(store, fingerprint(what), *layout, **place))
        frames = Frames(shapes, disk)

        show = files.enter_context(_progress.bar(progress, plan.num_steps, method.name))
        show(done, "compiling")
        clock = time.perf_counter()
        carry = begin(problem, method, key)
        arguments = (problem, method, carry, jnp.asarray(0), jnp.asarray(0), start_time, step_size, key)
        advance = _advance.lower(*arguments).compile()
        first = jax.block_until_ready(save(problem, method, carry.state))
        compile_seconds = time.perf_counter() - clock

        if saved is not None and done:
            blank = None if disk is not None else frames.blank(count)
            carry, stacked = saved.restore((carry, blank))
            frames.put_back(stacked, count) if disk is None else frames.recall(count)
        elif 0 in plan.saves:
            frames.add(0, plan.t0, first)
        show(done)

        seconds, resumed_at = 0.0, done
        for stop in _stops(done, plan, chunk):
            clock = time.perf_counter()
            span = (jnp.asarray(done), jnp.asarray(stop - done))
            carry = jax.block_until_ready(advance(problem, method, carry, *span, start_time, step_size, key))
            seconds += time.perf_counter() - clock
            done = stop
            failed = int(carry.failed_step) >= 0
            if stop in plan.saves and not failed:
                frames.add(plan.saves.index(stop), plan.t0 + stop * plan.dt, save(problem, method, carry.state))
            if saved is not None and not failed:
                stacked = frames.stacked() if disk is None else None
                saved.save({"steps": done, "saves": plan.saves[: len(frames)]}, (carry, stacked))
            show(done)
            if failed:
                break
        solution = eqx.filter_jit(finish)(problem, method, carry, None, start_time, step_size, jnp.asarray(done))
        if disk is not None:
            well = bool(solution.result == RESULTS.successful)
            disk.close("complete" if well else "failed", RESULTS[solution.result])
    per_step = seconds / max(1, done - resumed_at)
    stats = solution.stats | {"compile_seconds": compile_seconds, "seconds": seconds, "seconds_per_step": per_step}
    ts = times(start_time, step_size, plan.saves[: len(frames)])
    solution = dataclasses.replace(solution, ts=ts, ys=frames.stacked(), stats=stats)
    if throw:
        raise_if_failed(solution, plan, lambda: stable_step(problem, method, key))
    return solution


@eqx.filter_jit
def _advance(problem, method, carry, n0, steps, t0, dt, key):
    # The number of steps is an argument of the compiled code, so chunks of every length share it.
    return loop.take_steps(problem, method, carry, n0, steps, t0, dt, key, Forward())


def _check_host(parts: Any) -> None:
    """Refuses, in a sentence, to run inside a transformation."""
    if not all(map(_checks.is_concrete, (*jax.tree.leaves(parts), jnp.zeros(())))):
        raise TypeError(
            "`run` works on the host, not inside jit, vmap or grad: `solve` takes the same arguments there."
        )


def _resumed(plan: Plan, saved: Checkpoint | None) -> tuple[int, int]:
    """Steps that are done, and frames that were saved.

    **Raises:** `CheckpointError` where they are not those of this plan.
    """
    if saved is None or saved.progress is None:
        return 0, 0
    done, saves = saved.progress["steps"], tuple(saved.progress["saves"])
    if not 0 < done <= plan.num_steps:
        raise CheckpointError(
            f"The checkpoint {str(saved.path)!r} is at t={plan.t0 + done * plan.dt:g}, after the end of this run: a "
            "later `t1` would do."
        )
    if saves != tuple(n for n in plan.saves if n <= done):
        raise CheckpointError(
            f"The checkpoint {str(saved.path)!r} was written with saves at t="
            f"{[float(f'{plan.t0 + n * plan.dt:.6g}') for n in saves]}, and this run has others up to there: the same "
            "`saveat` would do, or to start afresh with overwrite=True."
        )
    return done, len(saves)


def _stops(done: int, plan: Plan, chunk: int) -> list[int]:
    """Steps at which the host looks in: chunk edges, saves, and the end."""
    edges = {*range(0, plan.num_steps, chunk), *plan.saves, plan.num_steps}
    return sorted(n for n in edges if n > done)
