"""Swimming cells one by one: steps of cells per second against vectorised numpy and hand-written numba, float32.

Two kinds of cells: in one dimension, with a constant tumble rate and reversals; and in three, with the pathway of
*E. coli*, tumbles that take time, and rotational diffusion. The peers have the physics of ours, but a whole run at the
end of a step, where ours has a half before and a half after the turn. `numpy` and `numba, scalar` are as one would
write them first. `numba, branch-free` is the best that we could write: one loop without a branch, fast math, a 32-bit
hash for random words (ours are threefry's), polynomials for angles, signs for Gaussian kicks, and neither exponentials
nor logarithms: it carries the concentration and the Boltzmann factor of each cell, which its formula allows.

Everything runs on one core: XLA without its threads and the process held to one core (both set below, before jax is
imported), numba and numpy serially. With an accelerator neither is set, and the peers are left out.

    python benchmarks/agents.py [--quick]
"""

import math
import os
import shutil
import time
from collections.abc import Callable
from typing import Any, NamedTuple

if shutil.which("nvidia-smi") is None:
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
    if hasattr(os, "sched_setaffinity"):  # Linux: threads started later stay there too
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, interleaved, save, table

import jaxchemo as jc
from jaxchemo.integrate import loop
from jaxchemo.models import HillMotor, Pathway, Receptors, Reversal, RunAndTumble

DT, SPEED, RATE = 0.01, 20.0, 1.0
SIZE, ENERGY, NEUTRAL, INACTIVE, ACTIVE = 6, 1.7, 1.0, 18.2, 3000.0
UP, DOWN, DURATION, BIAS, POWER, DIFFUSION = 0.02, 0.04, 0.2, 0.15, 10, 0.06
SIGNAL, LENGTH = 100.0, 2000.0
REST = UP / (UP + DOWN)
HALF = REST * (1 / BIAS - 1) ** (1 / POWER)
HELD = NEUTRAL + (math.log((1 + SIGNAL / INACTIVE) / (1 + SIGNAL / ACTIVE)) - math.log(1 / REST - 1) / SIZE) / ENERGY
KICK, ENDS, TURNS = math.sqrt(2 * DIFFUSION * DT), -math.expm1(-DT / DURATION), -0.5 * math.expm1(-2 * RATE * DT)
BLOCK = 20000
ONE_D, PATHWAY = "1D, constant rate", "3D, pathway"


class Contestant(NamedTuple):
    """A call that takes `steps` steps, and one that says where the cells are along x."""

    steps: int
    call: Callable[[], Any]
    places: Callable[[], np.ndarray]


def problem_of(kind: str, cells: int) -> jc.Problem:
    ndim = 1 if kind == ONE_D else 3
    start = jc.initial.particles(jnp.zeros((cells, ndim)), mass=1.0)
    if kind == ONE_D:
        return jc.Problem(RunAndTumble(SPEED, RATE, Reversal()), jc.FreeSpace(1), start)
    receptors = Receptors(SIZE, INACTIVE, ACTIVE, ENERGY, NEUTRAL)
    law = Pathway(receptors, HillMotor(DURATION, BIAS, REST, POWER), UP, DOWN)
    model = RunAndTumble(SPEED, law, rotational_diffusion=DIFFUSION, tumble_duration=DURATION)
    return jc.Problem(
        model, jc.FreeSpace(3), start, jc.initial.function(lambda x: SIGNAL * jnp.exp(x[..., 0] / LENGTH))
    )


def ours(kind: str, cells: int, steps: int) -> Contestant:
    """The library's own loop, which goes on from call to call."""
    problem, method, key = problem_of(kind, cells), jc.Agents(cells), jax.random.key(0)
    advance = compiled(problem, method, steps)
    state: list[Any] = [eqx.filter_jit(loop.start)(problem, method, key), 0]

    def call():
        state[0] = advance(state[0], jnp.asarray(state[1], jnp.int32))
        state[1] += steps
        return state[0]

    return Contestant(steps, call, lambda: np.asarray(state[0].state.positions[0], float))


def in_blocks(kind: str, cells: int, steps: int) -> Contestant:
    """The same, a block that fits into the cache at a time, for cells that only meet a formula: a `lax.map`."""
    problem, method, count = problem_of(kind, BLOCK), jc.Agents(BLOCK), cells // BLOCK
    keys = jax.random.split(jax.random.key(0), count)

    @eqx.filter_jit
    def advance(carries, n):
        zero, dt = jnp.zeros(()), jnp.asarray(DT)
        return jax.lax.map(
            lambda one: loop.take_steps(problem, method, one[0], n, steps, zero, dt, one[1], jc.Forward()),
            (carries, keys),
        )

    starts = eqx.filter_jit(lambda: jax.lax.map(lambda key: loop.start(problem, method, key), keys))
    state: list[Any] = [starts(), 0]

    def call():
        state[0] = advance(state[0], jnp.asarray(state[1], jnp.int32))
        state[1] += steps
        return state[0]

    return Contestant(steps, call, lambda: np.asarray(state[0].state.positions[0], float).reshape(-1))


def compiled(problem: jc.Problem, method: jc.Agents, steps: int) -> Any:
    @eqx.filter_jit
    def advance(carry, n):
        zero, dt = jnp.zeros(()), jnp.asarray(DT)
        return loop.take_steps(problem, method, carry, n, steps, zero, dt, jax.random.key(0), jc.Forward())

    return advance


def anywhere(cells: int, rng: np.random.Generator) -> np.ndarray:
    p = rng.standard_normal((3, cells), np.float32)
    return p / np.sqrt(np.sum(p * p, axis=0))


def with_numpy(kind: str, cells: int, steps: int) -> Contestant:
    rng = np.random.default_rng(1)
    x = np.zeros((1 if kind == ONE_D else 3, cells), np.float32)

    def one_d():
        for _ in range(steps):
            turns = rng.random(cells, np.float32) < TURNS
            np.negative(sign, out=sign, where=turns)
            x[0] += np.float32(SPEED * DT) * sign

    def pathway():
        nonlocal tumbling, m
        for _ in range(steps):
            c = np.float32(SIGNAL) * np.exp(x[0] / np.float32(LENGTH))
            free = SIZE * (ENERGY * (NEUTRAL - m) + np.log((1 + c / INACTIVE) / (1 + c / ACTIVE)))
            activity = 1 / (1 + np.exp(free))
            rate = (activity / np.float32(HALF)) ** POWER / DURATION
            m += np.float32(DT) * (UP - (UP + DOWN) * activity)
            drawn = rng.random(cells, np.float32)
            ends = tumbling & (drawn < ENDS)
            starts = ~tumbling & (drawn < 1 - np.exp(-rate * DT))
            p[:] += np.float32(KICK) * ~tumbling * rng.standard_normal(p.shape, np.float32)
            p[:] /= np.sqrt(np.sum(p * p, axis=0))
            turned = np.flatnonzero(ends)
            p[:, turned] = anywhere(len(turned), rng)
            tumbling = (tumbling & ~ends) | starts
            x[:] += np.float32(SPEED * DT) * ~tumbling * p

    sign = np.where(rng.random(cells) < 0.5, 1, -1).astype(np.float32)
    p, tumbling, m = anywhere(cells, rng), rng.random(cells) < BIAS, np.full(cells, HELD, np.float32)
    return Contestant(steps, one_d if kind == ONE_D else pathway, lambda: x[0].astype(float))


def numba_one_d(cells: int, steps: int) -> dict[str, Contestant]:
    from numba import njit

    word = _numba_words()
    F, U = np.float32, np.uint32
    move, chance = F(SPEED * DT), F(TURNS)

    @njit
    def scalar(x, sign, steps):
        for i in range(x.size):
            place, way = x[i], sign[i]
            for _ in range(steps):
                if np.random.random() < chance:
                    way = -way
                place += move * way
            x[i], sign[i] = place, way

    @njit(fastmath=True, error_model="numpy")
    def branch_free(x, sign, keys):
        for k in range(keys.shape[0]):
            a, b = keys[k]
            for i in range(x.size):
                drawn = F(np.int32(word(i, a, b) >> U(8))) * F(2.0**-24)
                way = -sign[i] if drawn < chance else sign[i]
                sign[i] = way
                x[i] += move * way

    def contestant(steps, step):
        rng = np.random.default_rng(2)
        x, sign = np.zeros(cells, F), np.where(rng.random(cells) < 0.5, 1, -1).astype(F)
        return Contestant(steps, lambda: step(x, sign, rng), lambda: x.astype(float))

    few = max(1, steps // 10)
    return {
        "numba, scalar": contestant(few, lambda x, sign, rng: scalar(x, sign, few)),
        "numba, branch-free": contestant(steps, lambda x, sign, rng: branch_free(x, sign, _keys(steps, rng))),
    }


def numba_pathway(cells: int, steps: int) -> dict[str, Contestant]:
    from numba import njit

    word, mixed = _numba_words(), _numba_mixed()
    F, U = np.float32, np.uint32
    one, half, third = F(1), F(0.5), F(1 / 3)
    low, high, over_half, per_duration = F(1 / INACTIVE), F(1 / ACTIVE), F(1 / HALF), F(DT / DURATION)
    up, both, kick, ends_chance = F(UP), F(UP + DOWN), F(KICK), F(ENDS)
    move, slope, charge = F(SPEED * DT), F(1 / LENGTH), F(-SIZE * ENERGY * DT)

    @njit
    def scalar(steps, x, y, z, p_, q_, r_, run, m_):
        for i in range(x.size):
            p, q, r, m, running = p_[i], q_[i], r_[i], m_[i], run[i] > 0
            for _ in range(steps):
                c = SIGNAL * math.exp(x[i] / LENGTH)
                free = SIZE * (ENERGY * (NEUTRAL - m) + math.log((1 + c / INACTIVE) / (1 + c / ACTIVE)))
                activity = 1 / (1 + math.exp(free))
                rate = (activity / HALF) ** POWER / DURATION
                m += DT * (UP - (UP + DOWN) * activity)
                if running:
                    p += KICK * np.random.normal()
                    q += KICK * np.random.normal()
                    r += KICK * np.random.normal()
                    running = np.random.random() >= 1 - math.exp(-rate * DT)
                elif np.random.random() < ENDS:
                    p, q, r = np.random.normal(), np.random.normal(), np.random.normal()
                    running = True
                length = math.sqrt(p * p + q * q + r * r)
                p, q, r = p / length, q / length, r / length
                if running:
                    x[i] += SPEED * DT * p
                    y[i] += SPEED * DT * q
                    z[i] += SPEED * DT * r
            p_[i], q_[i], r_[i], m_[i], run[i] = p, q, r, m, running

    @njit(fastmath=True, error_model="numpy")
    def branch_free(keys, x, y, z, p_, q_, r_, run, c_, e_):
        for k in range(keys.shape[0]):
            a, b = keys[k]
            for i in range(x.size):
                c, e, was = c_[i], e_[i], run[i] > half
                ratio = (one + c * low) / (one + c * high)
                square = ratio * ratio
                activity = one / (one + e * (square * square * square))
                felt = activity * over_half
                square = felt * felt
                fourth = square * square
                tumbles = fourth * fourth * square * per_duration
                fall = charge * (up - both * activity)
                e_[i] = e * (one + fall * (one + half * fall * (one + third * fall)))
                w = word(i, a, b)
                v = mixed(w ^ U(0x9E3779B9))
                drawn = F(np.int32(w >> U(8))) * F(2.0**-24)
                ends, starts = drawn < ends_chance, drawn < tumbles / (one + half * tumbles)
                height = F(np.int32(v >> U(16))) * F(2 / 65536) - F(1 - 1 / 65536)
                width = math.sqrt(one - height * height)
                t = F(np.int32(v & U(0x7FFF))) * F(1 / 32768) - half
                s = t * t
                along = one + s * (F(-4.934802) + s * (F(4.058712) + s * (F(-1.335263) + s * F(0.235331))))
                across = F(2.5501640) + s * (F(-0.5992645) + s * F(0.082146))
                across = t * (F(3.1415927) + s * (F(-5.1677128) + s * across))
                along = along if (v & U(0x8000)) != U(0) else -along
                p = p_[i] + (kick if (w & U(1)) != U(0) else -kick)
                q = q_[i] + (kick if (w & U(2)) != U(0) else -kick)
                r = r_[i] + (kick if (w & U(4)) != U(0) else -kick)
                shrink = one / math.sqrt(p * p + q * q + r * r)
                p = p * shrink if was else (height if ends else p_[i])
                q = q * shrink if was else (width * along if ends else q_[i])
                r = r * shrink if was else (width * across if ends else r_[i])
                runs = (F(0) if starts else one) if was else (one if ends else F(0))
                step = move * runs
                p_[i], q_[i], r_[i], run[i] = p, q, r, runs
                x[i] += step * p
                y[i] += step * q
                z[i] += step * r
                gain = slope * step * p
                c_[i] = c * (one + gain * (one + half * gain))

    def contestant(steps, step, *memory):
        rng = np.random.default_rng(3)
        x, p = np.zeros((3, cells), F), anywhere(cells, rng)
        run = (rng.random(cells) >= BIAS).astype(F)
        own = [np.full(cells, one, F) for one in memory]
        return Contestant(steps, lambda: step(rng, *x, *p, run, *own), lambda: x[0].astype(float))

    few, factor = max(1, steps // 10), math.exp(SIZE * ENERGY * (NEUTRAL - HELD))

    def hashed(rng, *state):
        branch_free(_keys(steps, rng), *state)

    return {
        "numba, scalar": contestant(few, lambda rng, *state: scalar(few, *state), HELD),
        "numba, branch-free": contestant(steps, hashed, SIGNAL, factor),
    }


def _numba_mixed():
    from numba import njit

    U = np.uint32

    @njit(inline="always")
    def mixed(h):
        h = U((h ^ (h >> U(16))) * U(0x7FEB352D))
        h = U((h ^ (h >> U(15))) * U(0x846CA68B))
        return U(h ^ (h >> U(16)))

    return mixed


def _numba_words():
    """A random word of a cell in a step: a hash of its number and two keys."""
    from numba import njit

    U, mixed = np.uint32, _numba_mixed()

    @njit(inline="always")
    def word(i, a, b):
        return mixed(U(mixed(U(U(U(i) * U(0x9E3779B1)) ^ a)) + b))

    return word


def _keys(steps: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 2**32, (steps, 2), dtype=np.uint32)


def contestants(kind: str, cells: int, steps: int) -> dict[str, Contestant]:
    found = {"jaxchemo": ours(kind, cells, steps)}
    if jax.default_backend() != "cpu":
        return found
    found["jaxchemo, in blocks"] = in_blocks(kind, cells, steps)
    found["numpy"] = with_numpy(kind, cells, max(1, steps // 20))
    try:
        found |= (numba_one_d if kind == ONE_D else numba_pathway)(cells, steps)
    except ImportError:
        print("numba is not installed: its rows are left out")
    return found


def speeds(kind: str, cells: int, quick: bool) -> list[dict[str, Any]]:
    """Millions of steps of cells per second, the first call apart."""
    found, first = contestants(kind, cells, 200), {}
    for name, one in found.items():
        start = time.perf_counter()
        jax.block_until_ready(one.call())
        first[name] = time.perf_counter() - start
    seconds = interleaved({name: one.call for name, one in found.items()}, rounds=3 if quick else 9)
    rates = {name: one.steps * cells / seconds[name] / 1e6 for name, one in found.items()}
    numba = [rate for name, rate in rates.items() if name.startswith("numba")]
    return [
        {
            "cells": kind,
            "who": name,
            "M cell steps per s": rate,
            "ms per step": 1e-3 * cells / rate,
            "compilation s": max(first[name] - seconds[name], 0.0),
            "over the best numba": rate / max(numba, default=math.nan),
        }
        for name, rate in rates.items()
    ]


def agreement(kind: str, cells: int, seconds: float) -> list[dict[str, Any]]:
    """Mean and spread along x after a while, and how many standard errors they are from ours."""
    rows, mean, spread = [], 0.0, 0.0
    for name, one in contestants(kind, cells, 100).items():
        for _ in range(round(seconds / DT) // one.steps):
            one.call()
        x = one.places()
        if not rows:
            mean, spread = x.mean(), x.std()
        # Of the difference of two samples; that of the spread by the fourth moment.
        error = math.sqrt(2 / cells) * x.std()
        wide = math.sqrt((np.mean((x - x.mean()) ** 4) / x.var() - x.var()) / (2 * cells))
        off = abs(x.mean() - mean) / error, abs(x.std() - spread) / wide
        row = {"cells": kind, "who": name, "mean x": x.mean(), "spread x": x.std(), "error of the mean": error / 2**0.5}
        rows.append({**row, "mean off by errors": off[0], "spread off by errors": off[1], "agrees": max(off) < 4})
    return rows


def scaling(kind: str, sizes: list[int], quick: bool) -> list[dict[str, Any]]:
    """Time and memory of ours against the number of cells."""
    rows = []
    for cells in sizes:
        steps = max(2, min(2000, (10**6 if quick else 10**7) // cells))
        one = ours(kind, cells, steps)
        seconds = interleaved({"ours": one.call}, rounds=3 if quick else 5)["ours"] / steps
        problem, method = problem_of(kind, cells), jc.Agents(cells)
        carry = eqx.filter_jit(loop.start)(problem, method, jax.random.key(0))
        program = compiled(problem, method, steps).lower(carry, jnp.zeros((), jnp.int32)).compile()
        used = program.compiled.memory_analysis()
        state = sum(leaf.nbytes for leaf in jax.tree.leaves(eqx.filter(carry, eqx.is_array)))
        rows.append(
            {
                "cells": kind,
                "P": cells,
                "us per step": seconds * 1e6,
                "M cell steps per s": cells / seconds / 1e6,
                "bytes a cell, state": state / cells,
                "bytes a cell, program": (used.output_size_in_bytes + used.temp_size_in_bytes) / cells,
            }
        )
    return rows


def exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Slopes of time and memory over the number of cells, both in logarithms."""
    size = np.log([row["P"] for row in rows])
    memory = [row["P"] * row["bytes a cell, program"] for row in rows]
    return {
        "time": float(np.polyfit(size, np.log([row["us per step"] for row in rows]), 1)[0]),
        "memory": float(np.polyfit(size, np.log(memory), 1)[0]),
    }


def main() -> None:
    options = arguments(__doc__)
    cells = 10_000 if options.quick else 100_000
    speed = [row for kind in (ONE_D, PATHWAY) for row in speeds(kind, cells, options.quick)]
    table(f"{cells} cells, float32, dt = {DT}, one core", speed)
    sizes = [10**k for k in ((3, 4) if options.quick else (3, 4, 5, 6))]
    growth, fitted = [], {}
    for kind in (ONE_D, PATHWAY):
        growth += (rows := scaling(kind, sizes, options.quick))
        fitted[kind] = exponents(rows)
    table("jaxchemo against the number of cells", growth)
    table("Exponents", [{"cells": kind, **found} for kind, found in fitted.items()])
    same = []
    if not options.quick:
        same = [row for kind in (ONE_D, PATHWAY) for row in agreement(kind, cells, 20.0)]
        table("After 20 s", same)
    results = {"speed": speed, "scaling": growth, "exponents": fitted, "agreement": same}
    save(options, "agents", results)
    if not all(row["agrees"] for row in same):
        raise SystemExit("The contestants do not agree: see the last table.")


if __name__ == "__main__":
    main()
