"""A flow that follows collapse: its errors, and what they cost, beside what else solves the same problem.

Cells with mobility 1, sensitivity 1 and a mass `pull`, from N(0, I) unless said, in the whole plane or space. Errors
are those of the density over the mass against the radial solution (or, for two bumps and in a shear, against Fourier
modes in the plane): relative L2, KL(flow | exact), the peak and the second moment about the mean over the exact ones.
Never by the moment alone, which is blind, nor by the residual, which cannot see a biased field. `mean off by` is that
of the sources, which are off by 2e-4 to 5e-4 before anything moves. Float64.

Seeds give the random shifts of the quasi-random labels and sources and the first weights. `seconds` are those of a
whole run on the cores that the process may use, `core seconds` those that all its threads took together, both without
compilation: `compile seconds` are those of a first run to a hundredth of the time, where it was not compiled before.

The same table has `PriorFlow`, a KRnet from a Gaussian trained by Adam on the plain loss, as far as the published way
is known. Derivatives in the mass are those through the trained flow, beside differences of the radial solution.

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
from jaxchemo.models import keller_segel
from jaxchemo.references import FreePlane, distance, free_plane, radial_collapse

PI = math.pi


def problem(pull: float, ndim: int = 2, advection: Callable | None = None, start: Any = None) -> jc.Problem:
    model = keller_segel(1.0, 1.0, relaxation=0, advection=advection)
    start = jc.initial.gaussian(mass=pull, std=1.0) if start is None else start
    return jc.Problem(model, jc.FreeSpace(ndim), start)


def timed(posed: jc.Problem, method: Any, t1: float, seed: int) -> tuple[jc.Solution, dict[str, float]]:
    start, cpu = time.perf_counter(), time.process_time()
    solution = jc.solve(posed, method, t1=t1, key=jax.random.key(seed))
    jax.block_until_ready(solution.final)
    took = {"seconds": time.perf_counter() - start, "core seconds": time.process_time() - cpu}
    return solution, took


def compiled(posed: jc.Problem, method: Any, t1: float) -> float:
    start = time.perf_counter()
    jax.block_until_ready(jc.solve(posed, method, key=jax.random.key(0), t1=t1 / 100, throw=False).final)
    return time.perf_counter() - start


def radial(name: str, posed: jc.Problem, method: Any, ts: tuple[float, ...], seeds: int) -> list[dict]:
    """Rows for each seed and time."""
    start = time.perf_counter()
    reference = radial_collapse(posed, ts)
    exact, rows, first = time.perf_counter() - start, [], compiled(posed, method, ts[-1])
    for seed in range(seeds):
        solution, took = timed(posed, method, ts[-1], seed)
        for k, t in enumerate(ts):
            row = {"problem": name, "method": method.name, "t": t, "seed": seed}
            found = distance(solution, reference, k)
            row |= {"L2": found.l2, "KL": found.kl, "peak": found.peak, "m2": found.spread}
            if k == len(ts) - 1:
                residual = float(np.max(np.asarray(solution.stats["residuals"])))
                row |= took | {"compile seconds": first, "radial seconds": exact}
                row |= {"intervals": int(solution.stats["num_intervals"]), "residual": residual}
            rows.append(row)
    return rows


def plane(name: str, posed: jc.Problem, method: Any, t1: float, seeds: int, **options: Any) -> list[dict]:
    """Rows for each seed, against Fourier modes."""
    start = time.perf_counter()
    exact = free_plane(posed, (t1,), **options)
    spectral, rows, first = time.perf_counter() - start, [], compiled(posed, method, t1)
    for seed in range(seeds):
        solution, took = timed(posed, method, t1, seed)
        rows.append({"problem": name, "method": method.name, "t": t1, "seed": seed, **beside(solution, exact, t1)})
        rows[-1] |= took | {"compile seconds": first, "spectral seconds": spectral}
        rows[-1] |= {"residual": float(np.max(np.asarray(solution.stats["residuals"])))}
    return rows


def derivatives(name: str, pull: float, ndim: int, method: jc.LagrangianFlow, ends: float) -> list[dict]:
    """Of the second moment and the peak in the mass, at half, three quarters and nine tenths of the blow-up time."""
    ts = tuple(share * ends for share in (0.5, 0.75, 0.9))

    def told(pull: Any) -> tuple[jax.Array, jax.Array]:
        found = jc.solve(problem(pull, ndim), method, key=jax.random.key(0), t1=ts[-1], saveat=jc.SaveAt(ts=ts))
        squares = jnp.mean(jnp.sum(found.ys.positions**2, axis=-1), axis=1)
        return squares, jnp.stack([found.log_prob(jnp.zeros(ndim), t) for t in ts])

    def exact(pull: float) -> tuple[np.ndarray, np.ndarray]:
        found = radial_collapse(problem(pull, ndim), ts)
        return found.spread, np.log([found.at(np.zeros(1), k)[0] for k in range(len(ts))])

    start = time.perf_counter()
    jax.block_until_ready(told(pull))
    plain = time.perf_counter()
    _, (squares, peaks) = jax.block_until_ready(jax.jvp(told, (pull,), (1.0,)))
    took, step = time.perf_counter() - plain, 2e-3 * pull
    (high, top), (low, bottom) = exact(pull + step), exact(pull - step)
    return [
        {
            "problem": name,
            "t / blow-up": share,
            "d m2": float(squares[k]),
            "radial d m2": (high[k] - low[k]) / (2 * step),
            "d log peak": float(peaks[k]),
            "radial d log peak": (top[k] - bottom[k]) / (2 * step),
            "seconds with compilation": plain - start,
            "with derivative": took,
        }
        for k, share in enumerate((0.5, 0.75, 0.9))
    ]


def beside(solution: jc.Solution, exact: FreePlane, t: float) -> dict[str, float]:
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
    """The Kolmogorov fluid of wavelength 1: residual over velocity, the mean law (zero), and how the run ended."""
    method = jc.LagrangianFlow(num_sources=8192, width=24, wavelengths=wavelengths)
    start = time.perf_counter()
    found = jc.solve(problem(60.0, 3, waves), method, key=jax.random.key(0), t1=0.2, throw=False)
    seconds = time.perf_counter() - start
    x, residuals = np.asarray(found.final.positions), np.asarray(found.stats["residuals"])
    row = {"waves among the features": len(wavelengths), "residual": float(residuals.max())}
    row |= {"mean off by": float(np.max(np.abs(x.mean(axis=0)))), "reached": float(found.stats["trusted_until"])}
    return row | {"result": jc.RESULTS[found.result], "seconds with compilation": seconds}


def in_the_plane(quick: bool, flow: jc.LagrangianFlow, prior: jc.PriorFlow, seeds: int) -> dict[str, list]:
    rows = radial("T6, 16 pi", problem(16 * PI), flow, (0.25,) if quick else (0.25, 0.3, 0.32), seeds)
    rows += radial("T6, 16 pi", problem(16 * PI), prior, (0.1,) if quick else (0.1, 0.2, 0.25), min(seeds, 2))
    rows += radial("T5, 4 pi", problem(4 * PI), flow, (0.5,), seeds)
    if not quick:
        rows += radial("T5, 4 pi", problem(4 * PI), prior, (0.5,), 1)
        for share in (10, 24):
            ends = radial_collapse(problem(share * PI), (5.0 if share == 10 else 1.0,)).gave_up
            assert ends is not None
            rows += radial(f"{share} pi, 75%", problem(share * PI), flow, (0.75 * ends,), seeds)
        rows += radial("6 pi", problem(6 * PI), flow, (1.0,), seeds)
    table("In the plane, against the radial solution", rows)
    took = min(row["seconds"] for row in rows if "seconds" in row and row["problem"].startswith("T6"))
    rival = [particles(problem(16 * PI), 0.25, took)]
    table("T6 at 0.25 by interacting particles", rival)
    return {"plane": rows, "particles": rival}


def without_symmetry(quick: bool, flow: jc.LagrangianFlow, prior: jc.PriorFlow, seeds: int) -> dict[str, list]:
    halves = [jc.initial.gaussian(mass=8 * PI, center=(side, 0.0), std=0.5) for side in (-1.0, 1.0)]
    bumps = problem(16 * PI, start=jc.initial.mixture(halves))
    rows = plane("T7, two bumps", bumps, flow, 0.2, seeds, half_width=5.0)
    if not quick:
        rows += plane("T7, two bumps", bumps, prior, 0.2, 1, half_width=5.0)
        for strength in (1.0, 10.0):
            posed, middle = problem(16 * PI, advection=shear(strength)), (0.065 * strength, 0.0)
            for method, count in ((flow, seeds), (prior, 1)) if strength == 1 else ((flow, seeds),):
                name, size = f"T8, shear {strength:g}", {"half_width": 7.0, "cells": 256, "center": middle}
                rows += plane(name, posed, method, 0.2, count, **size)
    table("In the plane, against Fourier modes", rows)
    return {"fourier": rows}


def in_space(flow: jc.LagrangianFlow, seeds: int) -> dict[str, list]:
    rows = radial("T9, 150", problem(150.0, 3), flow, (0.122, 0.183, 0.2197, 0.232), seeds)
    rows += radial("T9, 60", problem(60.0, 3), flow, (0.25, 0.5, 1.0), seeds)
    table("In space, against the radial solution", rows)
    return {"space": rows}


def in_a_fluid() -> dict[str, list]:
    rows = [fluid_in_space(()), fluid_in_space((1.0,))]
    table("T10, a Kolmogorov fluid in space, 60", rows)
    return {"fluid": rows}


def differentiated(quick: bool, flow: jc.LagrangianFlow) -> dict[str, list]:
    rows = derivatives("T6, 16 pi", 16 * PI, 2, flow, 0.3233)
    if not quick:
        rows += derivatives("T9, 150", 150.0, 3, flow, 0.24416)
    table("Derivatives in the mass, through the flow and by differences of the radial solution", rows)
    return {"derivatives": rows}


def main() -> None:
    options = arguments(__doc__)
    jax.config.update("jax_enable_x64", True)
    quick, seeds = options.quick, 1 if options.quick else 3
    small: dict[str, Any] = {"num_labels": 512, "num_sources": 2048, "width": 12, "change": 1.0, "tolerance": 0.05}
    large: dict[str, Any] = {} if jax.default_backend() == "cpu" else {"num_labels": 4096, "num_sources": 65_536}
    flow = jc.LagrangianFlow(**small) if quick else jc.LagrangianFlow(**large)
    hurried: dict[str, Any] = {"steps": 100, "intervals": 2} if quick else {}
    prior = jc.PriorFlow(**hurried, tolerance=10.0)  # to the end, also where it would be stopped for its residual
    parts = [
        lambda: in_the_plane(quick, flow, prior, seeds),
        lambda: differentiated(quick, flow),
        lambda: without_symmetry(quick, flow, prior, seeds),
    ]
    parts += [] if quick else [lambda: in_space(flow, seeds), in_a_fluid]
    results: dict[str, Any] = {"cores": len(os.sched_getaffinity(0))}
    for part in parts:
        results |= part()
        save(options, "lagrangian_flow", results)  # after every part: a run that is cut off loses nothing


if __name__ == "__main__":
    main()
