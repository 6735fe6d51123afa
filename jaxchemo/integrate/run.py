"""`run`: the host loop for long work, over chunks of the same rollout: progress, storage, restart."""

import dataclasses
import time
from pathlib import Path
from typing import Any, Literal, overload

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxchemo import _checks, _progress
from jaxchemo.domain import Grid
from jaxchemo.integrate import loop
from jaxchemo.integrate.adjoint import Forward
from jaxchemo.integrate.march import FlowSolution, run_by_flow
from jaxchemo.integrate.saveat import SaveAt
from jaxchemo.integrate.solution import Solution
from jaxchemo.integrate.solve import Plan, checked_span, finish, raise_if_failed, refuse_steps, stable_step
from jaxchemo.io import Store
from jaxchemo.io import checkpoint as checkpoints
from jaxchemo.methods.base import AbstractMethod
from jaxchemo.methods.flow_base import AbstractFlow
from jaxchemo.problem import Problem


@overload
def run(
    problem: Problem,
    method: AbstractMethod,
    *,
    t0: float = 0.0,
    t1: float,
    dt: float | Literal["auto"],
    key: PRNGKeyArray | None = None,
    saveat: SaveAt = SaveAt(),
    store: str | Path | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
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
    progress: bool | str = True,
    throw: bool = True,
) -> FlowSolution: ...


def run(
    problem: Problem,
    method: AbstractMethod | AbstractFlow,
    *,
    t0: float = 0.0,
    t1: float,
    dt: float | Literal["auto"] | None = None,
    key: PRNGKeyArray | None = None,
    saveat: SaveAt = SaveAt(),
    store: str | Path | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool | str = True,
    chunk: int | None = None,
    throw: bool = True,
) -> Solution | FlowSolution:
    """Solves a problem on the host, chunk by chunk: the same numbers as `solve`, bit for bit, with effects.

    A run that goes wrong stops at the end of its chunk; whatever was saved before is kept, in memory and on disk.

    **Arguments** (those of `solve`, without `adjoint`, and):

    - `store`: folder of a zarr store that is written as the run goes on. Default: none.
    - `checkpoint`: file that holds the state after each chunk, or each interval of a flow. Default: none.
    - `resume`: go on from `checkpoint` if it exists. What was saved before is read back from `store`, if there is one.
    - `progress`: show a progress bar; a string is its label. Default true.
    - `chunk`: steps per chunk. Default: a fiftieth of the run.

    A flow takes neither `dt` nor `store` nor `chunk`; its progress tells the residual of the last interval
    and before when the density will not blow up, by its growth.

    **Returns:** a `Solution`, saved arrays as numpy arrays. Its `stats` also hold `compile_seconds`, `seconds` (without
    compilation) and `seconds_per_step`.

    **Raises:** as `solve`; `StoreError` (an `OSError`) if the disk cannot be written; `ValueError` if the checkpoint
    belongs to another run.
    """
    if resume and checkpoint is None:
        raise ValueError("`resume` needs `checkpoint`, the file to go on from.")
    if isinstance(method, AbstractFlow):
        refuse_steps(dt=dt, store=store, chunk=chunk)
        t0, t1 = checked_span(problem, saveat, t0, t1)
        options = {"checkpoint": checkpoint, "resume": resume, "progress": progress, "throw": throw}
        return run_by_flow(problem, method, t0=t0, t1=t1, key=key, saveat=saveat, **options)
    dt = _checks.given("dt", dt, "give a step, or 'auto'")
    plan = Plan.of(problem, method, t0=t0, t1=t1, dt=dt, key=key, saveat=saveat, adjoint=Forward())
    chunk = max(1, plan.num_steps // 50) if chunk is None else _checks.natural("chunk", chunk)
    start_time, step_size = jnp.asarray(plan.t0), jnp.asarray(plan.dt)

    clock = time.perf_counter()
    carry = eqx.filter_jit(loop.start)(problem, method, key)
    arguments = (problem, method, carry, jnp.asarray(0), jnp.asarray(0), start_time, step_size, key)
    advance = _advance.lower(*arguments).compile()
    save = eqx.filter_jit(lambda p, m, state: saveat.fn(m.snapshot(p, state)))
    jax.block_until_ready(save(problem, method, carry.state))
    compile_seconds = time.perf_counter() - clock

    header = {
        "method": repr(method),
        "model": repr(problem.model),
        "grid": repr(problem.grid),
        "dt": plan.dt,
        "t0": plan.t0,
    }
    done, resumed = 0, False
    if resume and checkpoint is not None and Path(checkpoint).exists():
        found, carry = checkpoints.load(checkpoint, header, carry)
        done, resumed = found["steps"], True
    disk = None if store is None else Store(store, _coordinates(problem), {**header, "t1": t1}, resume=resumed)
    frames = _Frames(problem, disk, plan)
    if resumed and disk is not None:
        frames.recall(disk, save(problem, method, carry.state), sum(n <= done for n in plan.saves))

    seconds = 0.0
    with _progress.bar(progress, plan.num_steps, method.name) as show:
        show(done)
        if not resumed and 0 in plan.saves:
            frames.add(0, save(problem, method, carry.state))
        for stop in _stops(done, plan, chunk):
            clock = time.perf_counter()
            count = (jnp.asarray(done), jnp.asarray(stop - done))
            carry = jax.block_until_ready(advance(problem, method, carry, *count, start_time, step_size, key))
            seconds += time.perf_counter() - clock
            done = stop
            failed = int(carry.failed_step) >= 0
            if stop in plan.saves and not failed:
                frames.add(plan.saves.index(stop), save(problem, method, carry.state))
            if checkpoint is not None and not failed:
                checkpoints.save(checkpoint, {**header, "steps": done}, carry)
            show(done)
            if failed:
                break
    if disk is not None:
        disk.close()
    solution = eqx.filter_jit(finish)(problem, method, carry, None, None, start_time, step_size, jnp.asarray(done))
    clocks = {"compile_seconds": compile_seconds, "seconds": seconds, "seconds_per_step": seconds / max(1, done)}
    stats = {**solution.stats, **clocks}
    solution = dataclasses.replace(solution, ts=frames.times(), ys=frames.stacked(), stats=stats)
    if throw:
        raise_if_failed(solution, plan, lambda: stable_step(problem, method, key))
    return solution


@eqx.filter_jit
def _advance(problem, method, carry, n0, steps, t0, dt, key):
    # The number of steps is an argument of the compiled code, so chunks of every length share it.
    return loop.advance(problem, method, carry, n0, steps, t0, dt, key, Forward())


def _stops(done: int, plan: Plan, chunk: int) -> list[int]:
    """Steps at which the host looks in: chunk edges, saves, and the end."""
    edges = {*range(0, plan.num_steps, chunk), *plan.saves, plan.num_steps}
    return sorted(n for n in edges if n > done)


class _Frames:
    """What has been saved so far, in memory and on disk."""

    def __init__(self, problem: Problem, disk: Store | None, plan: Plan):
        self._problem, self._disk, self._plan = problem, disk, plan
        self._kept: dict[int, Any] = {}

    def add(self, index: int, frame: Any) -> None:
        frame = jax.tree.map(np.asarray, frame)
        self._kept[index] = frame
        if self._disk is not None:
            named = {_name(path): (self._dimensions(a), a) for path, a in jax.tree_util.tree_leaves_with_path(frame)}
            self._disk.write(index, self._plan.t0 + self._plan.saves[index] * self._plan.dt, named)

    def recall(self, disk: Store, like: Any, count: int) -> None:
        """Frames that were written before an interruption."""
        paths, structure = jax.tree_util.tree_flatten_with_path(like)
        columns = [disk.read(_name(path), count) for path, _ in paths]
        for index in range(count):
            self._kept[index] = jax.tree.unflatten(structure, [column[index] for column in columns])

    def stacked(self) -> Any:
        frames = [self._kept[index] for index in sorted(self._kept)]
        return jax.tree.map(lambda *parts: np.stack(parts), *frames) if frames else None

    def times(self) -> np.ndarray:
        return self._plan.t0 + np.array([self._plan.saves[i] for i in sorted(self._kept)], float) * self._plan.dt

    def _dimensions(self, values: np.ndarray) -> tuple[str, ...]:
        grid = self._problem.grid
        if values.shape == getattr(grid, "shape", None):
            return tuple(_coordinates(self._problem))
        if values.ndim == 2 and values.shape[1] == grid.ndim:
            return ("particle", "component")
        return tuple(f"dim_{k}" for k in range(values.ndim))


def _name(path: Any) -> str:
    parts = [str(getattr(p, "name", getattr(p, "key", getattr(p, "idx", p)))) for p in path]
    return "_".join(parts) or "value"


def _coordinates(problem: Problem) -> dict[str, np.ndarray]:
    grid = problem.grid
    if isinstance(grid, Grid):
        return {name: np.asarray(axis) for name, axis in zip("xyz", grid.axes, strict=False)}
    radii = getattr(grid, "radii", None)
    return {} if radii is None else {"r": np.asarray(radii)}
