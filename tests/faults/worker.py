"""A run in a process of its own, which may kill itself: `python worker.py KIND FOLDER KILL`.

KILL is `never`, `write:K` (at the K-th time that a file in FOLDER is opened for writing or moved), or `after:S` (S
seconds after the first step). A run that ends leaves its numbers in FOLDER/final.npz, and what it took in effort.json.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

kind, folder, kill = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

import jax  # noqa: E402

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)

import numpy as np  # noqa: E402

import jaxchemo as jc  # noqa: E402

KEY = jax.random.key(1)


def swimming():
    signal = jc.initial.function(lambda x: 1 + 0.1 * x[..., 0])
    cells = jc.models.RunAndTumble(1.0, jc.models.ExponentialResponse(2.0, 0.5))
    return jc.Problem(cells, jc.Grid.box((-1, -1), (1, 1), (16, 16)), jc.initial.gaussian(mass=1.0, std=0.2), signal)


def eating():
    return jc.Problem(
        jc.models.phks(0.1, 1.0),
        jc.Grid.box((-1, -1), (1, 1), (16, 16)),
        jc.initial.gaussian(mass=1.0, std=0.2),
        jc.initial.gaussian(amplitude=2.0, std=0.4),
    )


def collapsing():
    return jc.Problem(
        jc.models.keller_segel(1.0, 1.0, relaxation=0), jc.FreeSpace(2), jc.initial.gaussian(mass=9.0, std=1.0)
    )


STEPS = dict(t1=0.2, dt=0.001, chunk=4, saveat=jc.SaveAt(every=10), store=folder / "s.zarr")
RUNS = {
    "fields": (eating, jc.FiniteVolume(), STEPS),
    "particles": (eating, jc.ParticleField(100), STEPS),
    "agents": (swimming, jc.Agents(100), STEPS),
    "flow": (
        collapsing,
        jc.LagrangianFlow(num_labels=64, num_sources=64, width=4, change=0.02, tolerance=1.0),
        dict(t1=0.2, saveat=jc.SaveAt(ts=tuple(0.02 * k for k in range(1, 11))), store=folder / "s.zarr"),
    ),
}


def main() -> None:
    how, _, when = kill.partition(":")
    problem, method, settings = RUNS[kind]
    writes, clock = 0, time.perf_counter()

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, args: tuple) -> None:
        nonlocal writes
        writing = event == "os.rename" or (event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR))
        if writing and str(folder) in str(args[0]):
            writes += 1
            if how == "write" and writes == int(when):
                die()

    if how == "after":
        names = sys.modules["jaxchemo.integrate.run"].__dict__
        take = names["_take"]

        def begun(*args):
            threading.Timer(float(when), die).start()
            names["_take"] = take
            return take(*args)

        names["_take"] = begun
    sys.addaudithook(watch)
    end = jc.run(
        problem(), method, key=KEY, checkpoint=folder / "c", resume=True, overwrite=True, progress=False, **settings
    )
    leaves = jax.tree.leaves((end.ts, end.ys, end.final))
    np.savez(folder / "final.npz", *map(np.asarray, leaves))
    seconds = float(end.stats.get("seconds", time.perf_counter() - clock))
    (folder / "effort.json").write_text(json.dumps({"writes": writes, "seconds": seconds}))


main()
