"""The whole particle step against scipy and hand-written numba kernels, for the particle-field method in 3D.

One step: deposit the cells, let them eat, look up the gradient of the food at each cell, drift, diffuse, reflect. The
peers are the classical recipe as the NSIPF paper describes it (`np.histogramdd`, then `scipy.interpolate.interpn` on
the gradient of the food: linear; one cubic call, where that is bearable; and, as the linear growth of the paper's times
with the number of particles suggests, one call per particle, timed on a few) and numba kernels on all cores (cloud in
cell).
The step's `jaxchemo linear` does exactly what numba's does; `default` is the library's more accurate scheme.

    python benchmarks/particle_step.py [--quick]
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, interleaved, save, table

import jaxchemo as jc
from jaxchemo.integrate import loop

DT, MOBILITY, CHI, MASS = 1e-3, 0.1, 1.0, 1.0
FEW = 200  # particles that stand for all where each is a call of its own
LINEAR: dict[str, Any] = dict(interpolator=jc.BSpline(1))


def box(n: int) -> jc.Grid:
    return jc.Grid.box((0.0,) * 3, (1.0,) * 3, (n,) * 3)


def problem_on(n: int) -> jc.Problem:
    return jc.Problem(
        jc.models.phks(MOBILITY, CHI),
        box(n),
        jc.initial.gaussian(mass=MASS, center=0.5, std=0.125),
        jc.initial.gaussian(amplitude=1.0, center=0.5, std=0.3),
    )


def ours(method: jc.ParticleField, n: int, steps: int):
    """A call that takes `steps` steps of the library's own loop."""
    problem, key = problem_on(n), jax.random.key(0)

    @eqx.filter_jit
    def advance(carry):
        zero, dt = jnp.zeros((), jnp.int32), jnp.asarray(DT)
        return loop.take_steps(problem, method, carry, zero, steps, jnp.zeros(()), dt, key, jc.Forward())

    carry = eqx.filter_jit(loop.start)(problem, method, key)
    return lambda: advance(carry)


def start(particles: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    problem = problem_on(n)
    x = problem.density["rho"].sample(jax.random.key(0), particles, box(n))
    return np.asarray(x, np.float32), np.asarray(problem.signal["c"].on_grid(box(n)), np.float32)


def with_scipy(particles: int, n: int, how: str):
    """The classical recipe: a histogram, an Euler step of the food, `interpn` of the gradient."""
    from scipy.interpolate import interpn

    x, c = start(particles, n)
    h = 1 / n
    centers = (np.arange(n) + 0.5) * h
    noise = np.random.default_rng(0)
    size = np.float32(math.sqrt(2 * MOBILITY * DT))

    def step():
        count = np.histogramdd(x, bins=(n, n, n), range=[(0, 1)] * 3)[0].astype(np.float32)
        food = c * (1 - DT * MASS / (particles * h**3) * count)
        inside = np.clip(x, centers[0], centers[-1])
        if how == "one cubic call":
            # One interpolation of the food itself: a gradient takes three more, or a finite difference.
            drift = interpn((centers,) * 3, food, inside, method="cubic")[:, None]
        else:
            slopes = np.stack(list(np.gradient(food, h)), axis=-1)
            drift = interpn((centers,) * 3, slopes, inside, method="linear")
        moved = x + CHI * DT * drift + size * noise.standard_normal(x.shape, np.float32)
        return 1 - np.abs(np.mod(moved, 2) - 1)

    return step


def per_particle(particles: int, n: int):
    """The drift of `FEW` particles, each looked up by a linear `interpn` call of its own."""
    from scipy.interpolate import interpn

    x, c = start(particles, n)
    centers = (np.arange(n) + 0.5) / n
    slopes = np.stack(list(np.gradient(c, 1 / n)), axis=-1)
    few = np.clip(x[:FEW], centers[0], centers[-1])
    return lambda: [interpn((centers,) * 3, slopes, one[None], method="linear") for one in few]


def with_numba(particles: int, n: int):
    """Hand-written kernels on all cores: a grid per thread for the deposit, loops for the rest."""
    import numba
    from numba import njit, prange

    threads = numba.get_num_threads()

    @njit(parallel=True, fastmath=True)
    def deposit(x, n, amount, parts):
        parts[:] = 0
        each = (x.shape[1] + parts.shape[0] - 1) // parts.shape[0]
        for k in prange(parts.shape[0]):
            for p in range(k * each, min((k + 1) * each, x.shape[1])):
                u, v, w = x[0, p] * n - 0.5, x[1, p] * n - 0.5, x[2, p] * n - 0.5
                i, j, m = int(np.floor(u)), int(np.floor(v)), int(np.floor(w))
                a, b, c = u - i, v - j, w - m
                for di in range(2):
                    wi = (a if di else 1 - a) * amount
                    ii = min(max(i + di, 0), n - 1)
                    for dj in range(2):
                        wj = wi * (b if dj else 1 - b)
                        jj = min(max(j + dj, 0), n - 1)
                        parts[k, ii, jj, min(max(m, 0), n - 1)] += wj * (1 - c)
                        parts[k, ii, jj, min(max(m + 1, 0), n - 1)] += wj * c

    @njit(parallel=True, fastmath=True)
    def eat(food, parts, dt):
        for i in prange(food.shape[0]):
            for j in range(food.shape[1]):
                for m in range(food.shape[2]):
                    total = np.float32(0)
                    for k in range(parts.shape[0]):
                        total += parts[k, i, j, m]
                    food[i, j, m] *= np.exp(-dt * total)

    @njit(parallel=True, fastmath=True)
    def move(x, food, n, drift, size):
        for p in prange(x.shape[1]):
            u, v, w = x[0, p] * n - 0.5, x[1, p] * n - 0.5, x[2, p] * n - 0.5
            i, j, m = int(np.floor(u)), int(np.floor(v)), int(np.floor(w))
            a, b, c = u - i, v - j, w - m
            i0, i1 = max(i, 0), min(i + 1, n - 1)
            j0, j1 = max(j, 0), min(j + 1, n - 1)
            m0, m1 = max(m, 0), min(m + 1, n - 1)
            f000, f001, f010, f011 = food[i0, j0, m0], food[i0, j0, m1], food[i0, j1, m0], food[i0, j1, m1]
            f100, f101, f110, f111 = food[i1, j0, m0], food[i1, j0, m1], food[i1, j1, m0], food[i1, j1, m1]
            z00, z01, z10, z11 = (
                f000 + c * (f001 - f000),
                f010 + c * (f011 - f010),
                f100 + c * (f101 - f100),
                f110 + c * (f111 - f110),
            )
            gx = (z10 + b * (z11 - z10)) - (z00 + b * (z01 - z00))
            gy = (1 - a) * (z01 - z00) + a * (z11 - z10)
            gz = (1 - a) * ((1 - b) * (f001 - f000) + b * (f011 - f010)) + a * (
                (1 - b) * (f101 - f100) + b * (f111 - f110)
            )
            for axis, g in ((0, gx), (1, gy), (2, gz)):
                y = x[axis, p] + drift * n * g + size * np.float32(np.random.normal())
                x[axis, p] = 1 - abs((y % 2) - 1)

    cloud, c = start(particles, n)
    x, food = np.ascontiguousarray(cloud.T), c.copy()
    parts = np.zeros((threads, n, n, n), np.float32)
    amount = np.float32(MASS / (particles / n**3))

    def step():
        deposit(x, n, amount, parts)
        eat(food, parts, np.float32(DT))
        move(x, food, n, np.float32(CHI * DT), np.float32(math.sqrt(2 * MOBILITY * DT)))

    return step


def candidates(particles: int, n: int) -> dict[str, tuple[float, Any]]:
    """Name: (steps per call, call)."""
    steps = max(1, 200_000 // particles)
    found: dict[str, tuple[float, Any]] = {
        "jaxchemo linear": (steps, ours(jc.ParticleField(particles, **LINEAR), n, steps)),
        "jaxchemo linear, three-point": (
            steps,
            ours(jc.ParticleField(particles, **LINEAR, increments=jc.ThreePoint()), n, steps),
        ),
        "jaxchemo default": (steps, ours(jc.ParticleField(particles), n, steps)),
    }
    try:
        found["numba, all cores"] = (1, with_numba(particles, n))
    except ImportError:
        print("numba is not installed: its rows are left out")
    found["scipy interpn linear"] = (1, with_scipy(particles, n, "linear"))
    if particles <= 20_000 and n <= 64:
        found["scipy interpn, one cubic call"] = (1, with_scipy(particles, n, "one cubic call"))
        found["scipy interpn, a linear call per particle"] = (FEW / particles, per_particle(particles, n))
    return found


def main() -> None:
    options = arguments(__doc__)
    sizes = [(20_000, 64)] if options.quick else [(p, n) for n in (64, 128) for p in (20_000, 200_000, 1_000_000)]
    rows = []
    for particles, n in sizes:
        calls = candidates(particles, n)
        seconds = interleaved({name: call for name, (_, call) in calls.items()}, rounds=3 if options.quick else 5)
        times = {name: seconds[name] / steps * 1e3 for name, (steps, _) in calls.items()}
        for name, ms in times.items():
            row = {"P": particles, "grid": f"{n}^3", "who": name, "ms per step": ms}
            rows.append({**row, "over jaxchemo linear": ms / times["jaxchemo linear"]})
        table("Whole particle step, float32", rows[-len(times) :])
    save(options, "particle_step", {"rows": rows})


if __name__ == "__main__":
    main()
