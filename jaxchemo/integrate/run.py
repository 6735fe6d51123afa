"""`run`: the host loop for long work, piece by piece: progress, storage, restart."""

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from jaxchemo import _checks, _progress
from jaxchemo.integrate.frames import Frames, coordinates, variables
from jaxchemo.integrate.pace import AbstractPace, Standing
from jaxchemo.integrate.saveat import SaveAt
from jaxchemo.integrate.solution import Solution
from jaxchemo.integrate.solve import paced, raised
from jaxchemo.io import Checkpoint, Store, fingerprint, identity
from jaxchemo.methods.base import AbstractMethod
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


def run(
    problem: Problem,
    method: AbstractMethod,
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
) -> Solution:
    """Solves a problem on the host, chunk by chunk: the same numbers as `solve`, bit for bit, with effects.

    A run that goes wrong stops at the end of its chunk; whatever was saved before is kept, in memory and on disk. So it
    is with one that is interrupted or killed: its store can be read at once, and with a checkpoint it can be resumed,
    to the same numbers.

    **Arguments** (those of `solve`, without `adjoint`, and):

    - `store`: folder of a zarr store that is written as the run goes on, a new one. Default: none.
    - `checkpoint`: file that holds the state after each chunk, or each step that a method chooses, a new one. Without a
      `store` it also holds what was saved; with many large frames, a store is faster. Default: none.
    - `resume`: go on from `checkpoint` if it is there, which must be of this very run: the same problem, method, key,
      step, saves so far and versions. `t1` may be later.
    - `overwrite`: replace a store and a checkpoint that are there, once the new ones are. Nothing else is replaced.
    - `progress`: show a progress bar; a string is its label. Default true.
    - `chunk`: steps per chunk. Default: a fiftieth of the run. None is given to a method that chooses its own steps.

    The progress of a flow tells the residual of the last interval, and before when the density will not blow up, by
    its growth.

    **Returns:** a `Solution`, saved arrays as numpy arrays. Its `stats` also hold `compile_seconds`, `seconds` (without
    compilation) and `seconds_per_step`.

    **Raises:** as `solve`; `TypeError` inside jit, vmap and grad; `StoreError` (an `OSError`) if the disk cannot be
    written, or holds something there already; `CheckpointError` (one too, and a `ValueError`) for a checkpoint that is
    broken or belongs to another run.
    """
    if resume and checkpoint is None:
        raise ValueError("`resume` needs `checkpoint`, the file to go on from.")
    _check_host((problem, method, key))
    pace = paced(problem, method, t0=t0, t1=t1, dt=dt, key=key, saveat=saveat, adjoint=None, chunk=chunk)
    what = identity(problem=problem, method=method, key=key, saveat=saveat.fn, **pace.numbers)

    with contextlib.ExitStack() as files:
        saved, done, count = None, 0, 0
        if checkpoint is not None:
            saved = files.enter_context(Checkpoint.opened(checkpoint, what, resume=resume, overwrite=overwrite))
            done, count = (0, 0) if saved.progress is None else pace.resumed(saved)
        disk = None
        if store is not None:
            about = {"method": repr(method), "model": repr(problem.model), "domain": repr(problem.domain)}
            layout = variables(problem, pace.shapes), coordinates(problem), about | pace.numbers | {"t1": pace.t1}
            place = {"frames": count if done else None, "overwrite": overwrite}
            disk = files.enter_context(Store.opened(store, fingerprint(what), *layout, **place))
        frames = Frames(pace.shapes, disk)

        show = files.enter_context(_progress.bar(progress, pace.total, method.name))
        show(done, "compiling")
        clock = time.perf_counter()
        now = pace.begin()
        compile_seconds = time.perf_counter() - clock
        if saved is not None and done:
            carry, stacked = saved.restore((now.carry, None if disk is not None else frames.blank(count)))
            now = dataclasses.replace(now, carry=carry, done=done)
            frames.put_back(stacked, count) if disk is None else frames.recall(count)
        _take(frames, pace, now)
        show(done, pace.note(now))

        seconds, steps_before = 0.0, pace.steps(now)
        while pace.goes_on(now):
            clock = time.perf_counter()
            now = pace.forward(now)
            seconds += time.perf_counter() - clock
            _take(frames, pace, now)
            if saved is not None and pace.well(now):
                stacked = frames.stacked() if disk is None else None
                saved.save(pace.progress(now, len(frames)), (now.carry, stacked))
            show(now.done, pace.note(now))
        solution = pace.solution(now, len(frames))
        if disk is not None:
            well = bool(solution.result == RESULTS.successful)
            disk.close("complete" if well else "failed", RESULTS[solution.result])
    per_step = seconds / max(1, pace.steps(now) - steps_before)
    stats = solution.stats | {"compile_seconds": compile_seconds, "seconds": seconds, "seconds_per_step": per_step}
    solution = dataclasses.replace(solution, ys=frames.stacked(), stats=stats)
    return raised(solution, pace) if throw else solution


def _take(frames: Frames, pace: AbstractPace, now: Standing) -> None:
    """Saves what is due."""
    for index in pace.due(now, len(frames)):
        frames.add(index, pace.save_times[index], pace.frame(now, index))


def _check_host(parts: Any) -> None:
    """Refuses, in a sentence, to run inside a transformation."""
    if not all(map(_checks.is_concrete, (*jax.tree.leaves(parts), jnp.zeros(())))):
        raise TypeError(
            "`run` works on the host, not inside jit, vmap or grad: `solve` takes the same arguments there."
        )
