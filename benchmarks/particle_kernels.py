"""Deposit, gather and normal increments, per call, against hand-written numba loops on one and two threads.

    python benchmarks/particle_kernels.py [--quick]

Everything is float32 in three dimensions, particles uniform in the box and in random order (the worst for the cache).
Ours is timed as a method uses it: inside a compiled loop whose carry it updates, compilation apart. The numba kernels
write into arrays allocated beforehand; their deposit on two threads gives each its own grid and adds them up. Without
numba its columns are left out.
"""

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, interleaved, save, table

from jaxchemo.domain import Grid
from jaxchemo.particles import deposit, gather

numba: Any = importlib.import_module("numba") if importlib.util.find_spec("numba") else None


def numba_kernels(order: int) -> tuple[Callable, Callable, Callable]:
    """Gather, serial deposit, and deposit of each thread onto its `own` grid: in the unit cube, mirrored by index."""
    size = order + 1
    zero, half, one, slope = (np.float32(v) for v in (0, 1 / 2, 1, 3 / 2))
    two, sixth, inner = (np.float32(v) for v in (2, 1 / 6, 2 / 3))

    @numba.njit(fastmath=True)
    def axis(x, n):
        u = x * np.float32(n) - half
        base = int(np.floor(u + half if order == 0 else u))
        t = u - np.float32(base)
        s = one - t
        if order == 0:
            w, d = (one, zero, zero, zero), (zero, zero, zero, zero)
        elif order == 1:
            w, d = (s, t, zero, zero), (-one, one, zero, zero)
        else:
            w = (
                s * s * s * sixth,
                inner - t * t * (one - half * t),
                inner - s * s * (one - half * s),
                t * t * t * sixth,
            )
            d = (-half * s * s, t * (slope * t - two), s * (two - slope * s), half * t * t)
        return base - order // 2, w, d

    @numba.njit
    def mirror(i, n):
        i = i if i >= 0 else -1 - i
        return i if i < n else 2 * n - 1 - i

    @numba.njit(parallel=True, fastmath=True)
    def gather_(x, y, z, field, value, gx, gy, gz):
        nx, ny, nz = field.shape
        for p in numba.prange(x.shape[0]):
            i, wx, dx = axis(x[p], nx)
            j, wy, dy = axis(y[p], ny)
            k, wz, dz = axis(z[p], nz)
            v = vx = vy = vz = np.float32(0)
            for a in range(size):
                ia = mirror(i + a, nx)
                q = qy = qz = np.float32(0)
                for b in range(size):
                    jb = mirror(j + b, ny)
                    s = sz = np.float32(0)
                    for c in range(size):
                        f = field[ia, jb, mirror(k + c, nz)]
                        s += f * wz[c]
                        sz += f * dz[c]
                    q += s * wy[b]
                    qy += s * dy[b]
                    qz += sz * wy[b]
                v += q * wx[a]
                vx += q * dx[a]
                vy += qy * wx[a]
                vz += qz * wx[a]
            value[p], gx[p], gy[p], gz[p] = v, vx * np.float32(nx), vy * np.float32(ny), vz * np.float32(nz)

    @numba.njit(fastmath=True)
    def some(x, y, z, field, low, high):
        nx, ny, nz = field.shape
        for p in range(low, high):
            i, wx, _ = axis(x[p], nx)
            j, wy, _ = axis(y[p], ny)
            k, wz, _ = axis(z[p], nz)
            for a in range(size):
                ia = mirror(i + a, nx)
                for b in range(size):
                    jb, w = mirror(j + b, ny), wx[a] * wy[b]
                    for c in range(size):
                        field[ia, jb, mirror(k + c, nz)] += w * wz[c]

    @numba.njit
    def deposit_(x, y, z, field):
        some(x, y, z, field, 0, x.shape[0])

    @numba.njit(parallel=True)
    def deposit_parallel(x, y, z, field, own):
        threads, num = own.shape[0], x.shape[0]
        for t in numba.prange(threads):
            own[t] = 0
            some(x, y, z, own[t], t * num // threads, (t + 1) * num // threads)
        for i in numba.prange(field.shape[0]):
            for t in range(threads):
                field[i] += own[t, i]

    return gather_, deposit_, deposit_parallel


def numba_normals() -> Callable:
    @numba.njit(parallel=True)
    def normals(x, y, z):
        for p in numba.prange(x.shape[0]):
            x[p], y[p], z[p] = np.random.normal(), np.random.normal(), np.random.normal()

    return normals


def ours(kernel: str, order: int, x: tuple, field: Any, calls: int) -> Callable[[], Any]:
    """Our kernel in a loop that moves the particles a little, lest the compiler takes it out of the loop."""
    grid = Grid.box((0, 0, 0), (1, 1, 1), field.shape)

    def step(_, state):
        x, field, key = state
        if kernel == "normals":
            key, now = jax.random.split(key)
            noise = jax.random.normal(now, (3, x[0].size), x[0].dtype)
            return tuple(jnp.abs(xi + 1e-12 * n) for xi, n in zip(x, noise, strict=True)), field, key
        if kernel == "gather":
            value, gradient = gather(field, x, grid, order)
            return tuple(jnp.abs(xi + 1e-12 * (value + g)) for xi, g in zip(x, gradient, strict=True)), field, key
        return tuple(xi * 0.999999 for xi in x), deposit(x, 1.0, grid, order, onto=field), key

    loop = jax.jit(lambda state: jax.lax.fori_loop(0, calls, step, state))
    return partial(loop, (x, field, jax.random.key(0)))


def peers(kernel: str, order: int, x: tuple, field: Any, calls: int) -> dict[str, Callable[[], Any]]:
    """The same by numba."""
    if numba is None:
        return {}
    x, field = tuple(np.array(xi) for xi in x), np.array(field)
    out = [np.empty_like(x[0]) for _ in range(4)]
    if kernel == "normals":
        single = double = partial(numba_normals(), *out[:3])
    else:
        gather_, deposit_, deposit_parallel = numba_kernels(order)
        single = double = partial(gather_, *x, field, *out)
        if kernel == "deposit":
            single, own = partial(deposit_, *x, field), np.zeros((2, *field.shape), field.dtype)
            double = partial(deposit_parallel, *x, field, own)

    def repeat(function, threads):
        numba.set_num_threads(threads)
        for _ in range(calls):
            function()

    contenders = {"numba 1": partial(repeat, single, 1)}
    if numba.config.NUMBA_NUM_THREADS > 1:
        contenders["numba 2"] = partial(repeat, double, 2)
    return contenders


def measure(kernel: str, order: int, num: int, n: int, rounds: int) -> dict[str, Any]:
    """A row of the table: milliseconds per call."""
    rng, calls = np.random.default_rng(0), max(2, 400_000 // num)
    x = tuple(jnp.asarray(rng.random(num), jnp.float32) for _ in range(3))
    field = jnp.asarray(rng.random((n, n, n)), jnp.float32)
    contenders = {"ours": ours(kernel, order, x, field, calls)} | peers(kernel, order, x, field, calls)
    row = {"kernel": kernel, "order": "" if kernel == "normals" else order, "P": num, "grid": f"{n}^3"}
    return row | {name: 1e3 * seconds / calls for name, seconds in interleaved(contenders, rounds).items()}


def main() -> None:
    options = arguments(__doc__)
    rounds = 3 if options.quick else 7
    rows = []
    for num in (20_000, 200_000) if options.quick else (20_000, 200_000, 1_000_000):
        rows.append(measure("normals", 0, num, 64, rounds))
        for n in (64,) if options.quick else (64, 128):
            rows += [measure(kernel, order, num, n, rounds) for kernel in ("deposit", "gather") for order in (0, 1, 3)]
    table("Milliseconds per call", rows)
    save(options, "particle_kernels", {"unit": "ms per call, median", "rows": rows})


if __name__ == "__main__":
    main()
