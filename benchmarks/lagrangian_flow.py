"""A flow that follows collapse: its errors, and what they cost, beside what else solves the same problem.

Cells with mobility 1, sensitivity 1 and a mass `pull`, from N(0, I) unless said, in the whole plane or space. Errors
are those of the density over the mass against the radial solution (or, for two bumps and in a shear, against Fourier
modes in the plane): relative L2, KL(flow | exact), the peak and the second moment about the mean over the exact ones.
Never by the moment alone, which is blind, nor by the residual, which cannot see a biased field. Float64.

Seeds give the random shifts of the quasi-random labels and sources and the first weights. `seconds` are those of a
whole run on the cores that the process may use; a run that is `first` of its kind was also compiled in them.

    python benchmarks/lagrangian_flow.py [--quick]
"""

import math
import os
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, save, table

import jaxchemo as jc
from jaxchemo.analysis import FreePlane, distance, free_plane, radial_collapse
from jaxchemo.models import keller_segel

PI = math.pi


def problem(pull: float, ndim: int = 2, advection: Callable | None = None, start: Any = None) -> jc.Problem:
    model = keller_segel(1.0, 1.0, relaxation=0, advection=advection)
    start = jc.initial.gaussian(mass=pull, std=1.0) if start is None else start
    return jc.Problem(model, jc.FreeSpace(ndim), start)


def timed(posed: jc.Problem, method: jc.LagrangianFlow, t1: float, seed: int) -> tuple[jc.FlowSolution, float, float]:
    start, cpu = time.perf_counter(), time.process_time()
    solution = jc.solve(posed, method, t1=t1, key=jax.random.key(seed))
    jax.block_until_ready(solution.final)
    return solution, time.perf_counter() - start, time.process_time() - cpu


def radial(name: str, posed: jc.Problem, method: jc.LagrangianFlow, ts: tuple[float, ...], seeds: int) -> list[dict]:
    """Rows for each seed and time."""
    start = time.perf_counter()
    reference = radial_collapse(posed, ts)
    exact, rows = time.perf_counter() - start, []
    for seed in range(seeds):
        solution, seconds, cpu = timed(posed, method, ts[-1], seed)
        for k, t in enumerate(ts):
            found = distance(solution, reference, k)
            row = {"problem": name, "t": t, "seed": seed, "L2": found.l2, "KL": found.kl, "peak": found.peak}
            if k == len(ts) - 1:
                residual = float(np.max(np.asarray(solution.stats["residuals"])))
                row |= {"m2": found.spread, "seconds": seconds, "cpu seconds": cpu, "radial seconds": exact}
                row |= {"intervals": int(solution.stats["num_intervals"]), "residual": residual, "first": seed == 0}
            rows.append(row)
    return rows


def plane(name: str, posed: jc.Problem, method: jc.LagrangianFlow, t1: float, seeds: int, **options: Any) -> list[dict]:
    """Rows for each seed, against Fourier modes."""
    start = time.perf_counter()
    exact = free_plane(posed, (t1,), **options)
    spectral, rows = time.perf_counter() - start, []
    for seed in range(seeds):
        solution, seconds, cpu = timed(posed, method, t1, seed)
        rows.append({"problem": name, "t": t1, "seed": seed, **beside(solution, exact, t1)})
        rows[-1] |= {"seconds": seconds, "cpu seconds": cpu, "spectral seconds": spectral, "first": seed == 0}
    return rows


def beside(solution: jc.FlowSolution, exact: FreePlane, t: float) -> dict[str, float]:
    inner = np.max(np.abs(exact.points - exact.mean(0)), axis=-1) < 4.5
    q, p = np.asarray(jnp.exp(solution.log_prob(exact.points[inner], t))), np.maximum(exact.p[0][inner], 1e-12)
    x = np.asarray(solution.final.positions)
    off = np.linalg.norm(x.mean(axis=0) - exact.mean(0))
    spread = np.mean(np.sum((x - x.mean(axis=0)) ** 2, axis=1))
    return {
        "L2": math.sqrt(np.sum((q - p) ** 2) / np.sum(p**2)),
        "KL": float(np.sum(q * np.log(q / p) - q + p) * exact.area),
        "peak": float(q.max() / p.max()),
        "m2": float(spread / exact.spread(0)),
        "mean off by": float(off),
    }


def particles(posed: jc.Problem, t1: float, seconds: float) -> dict[str, Any]:
    """Interacting particles for about as long as the flow took, and the error of their kernel density at its best."""
    reference, count = radial_collapse(posed, (t1,)), 1024

    def run() -> np.ndarray:
        method = jc.InteractingParticles(count, blob=jc.GaussianBlob(0.05))
        dt = t1 / round(t1 / 1e-3)
        end = jc.solve(posed, method, t1=t1, dt=dt, key=jax.random.key(0), adjoint=jc.Forward()).final
        return np.asarray(jax.block_until_ready(end.positions))

    while True:
        run()
        start = time.perf_counter()
        x = run()
        took = time.perf_counter() - start
        if 4 * took > seconds or count >= 16_384:
            break
        count *= 2
    r, angles = np.linspace(0.01, 3, 150), 2 * PI * np.arange(16) / 16
    points = r[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    square = np.sum((points[:, :, None] - x.astype(np.float32)) ** 2, axis=-1)
    exact, errors = reference.at(r, 0), {}
    for width in (0.05, 0.1, 0.15, 0.2, 0.3):  # the rival may choose
        found = np.exp(-square / (2 * width**2)).mean(axis=(1, 2)) / (2 * PI * width**2)
        errors[width] = math.sqrt(np.sum(r * (found - exact) ** 2) / np.sum(r * exact**2))
    best = min(errors, key=errors.__getitem__)
    return {"particles": count, "seconds": took, "flow seconds": seconds, "kernel width": best, "L2": errors[best]}


def shear(strength: float) -> Callable:
    return lambda x: strength * jnp.stack([jnp.exp(-(x[..., 1] ** 2)), 0 * x[..., 0]], axis=-1)


def waves(x: jax.Array) -> jax.Array:
    return jnp.sin(2 * PI * jnp.stack([x[..., 2], x[..., 0], x[..., 1]], axis=-1))


def fluid_in_space(wavelengths: tuple[float, ...]) -> dict[str, Any]:
    """The Kolmogorov fluid of wavelength 1: residual over velocity, the mean law (nought), and how the run ended."""
    method = jc.LagrangianFlow(num_sources=8192, width=24, wavelengths=wavelengths)
    start = time.perf_counter()
    found = jc.solve(problem(60.0, 3, waves), method, t1=0.2, throw=False)
    seconds = time.perf_counter() - start
    x, residuals = np.asarray(found.final.positions), np.asarray(found.stats["residuals"])
    row = {"waves among the features": len(wavelengths), "residual": float(residuals.max())}
    row |= {"mean off by": float(np.max(np.abs(x.mean(axis=0)))), "reached": float(found.stats["t"])}
    return row | {"result": jc.RESULTS[found.result], "seconds with compilation": seconds}


def main() -> None:
    options = arguments(__doc__)
    jax.config.update("jax_enable_x64", True)
    seeds = 1 if options.quick else 3
    small = {"num_labels": 512, "num_sources": 2048, "width": 12, "change": 1.0, "tolerance": 0.05}
    flow = jc.LagrangianFlow(**small) if options.quick else jc.LagrangianFlow()
    rows = radial("T6, 16 pi", problem(16 * PI), flow, (0.25,) if options.quick else (0.25, 0.3, 0.32), seeds)
    rows += radial("T5, 4 pi", problem(4 * PI), flow, (0.5,), seeds)
    if not options.quick:
        for share in (10, 24):
            ends = radial_collapse(problem(share * PI), (5.0 if share == 10 else 1.0,)).gave_up
            assert ends is not None
            rows += radial(f"{share} pi, 75%", problem(share * PI), flow, (0.75 * ends,), seeds)
        rows += radial("6 pi", problem(6 * PI), flow, (1.0,), seeds)
    table("In the plane, against the radial solution", rows)
    halves = [jc.initial.gaussian(mass=8 * PI, center=(side, 0.0), std=0.5) for side in (-1.0, 1.0)]
    bumps = problem(16 * PI, start=jc.initial.mixture(halves))
    flat = plane("T7, two bumps", bumps, flow, 0.2, seeds, half_width=5.0)
    if not options.quick:
        for strength in (1.0, 10.0):
            posed = problem(16 * PI, advection=shear(strength))
            middle = (0.065 * strength, 0.0)
            flat += plane(f"T8, shear {strength:g}", posed, flow, 0.2, seeds, half_width=7.0, cells=256, center=middle)
    table("In the plane, against Fourier modes", flat)
    space, fluid = [], []
    if not options.quick:
        space = radial("T9, 150", problem(150.0, 3), flow, (0.122, 0.183, 0.2197, 0.232), seeds)
        space += radial("T9, 60", problem(60.0, 3), flow, (0.25, 0.5, 1.0), seeds)
        table("In space, against the radial solution", space)
        fluid = [fluid_in_space(()), fluid_in_space((1.0,))]
        table("T10, a Kolmogorov fluid in space, 60", fluid)
    took = min(row["seconds"] for row in rows if "seconds" in row and row["problem"].startswith("T6"))
    rival = [particles(problem(16 * PI), 0.25, took)]
    table("T6 at 0.25 by interacting particles", rival)
    results = {"plane": rows, "fourier": flat, "space": space, "fluid": fluid, "particles": rival}
    save(options, "lagrangian_flow", {**results, "cores": len(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main()
