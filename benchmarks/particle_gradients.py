"""Derivatives of particle runs beside those of the density: along paths, by weights, by the law, and by the grid.

python benchmarks/particle_gradients.py [--quick]

Two blobs of PHKS in 2D on 128^2 cells, seen as averages over 32^2 bins at three times. The reference is the derivative
by finite volumes, extrapolated from 256^2 and 512^2 cells. Estimators:

- paths: forward mode through the run of one key;
- law: the density's own tangent on the grid, advanced by the step of finite volumes linearised about what the particles
  of one key hold at that time;
- weights: of the sensitivity, the likelihood ratio of each path, with the feedback of the weighted particles on food;
- grid: finite volumes on the cells of the particles, as `ParticleSimulation` has it.
"""

import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, save, table

import jaxchemo as jc
from jaxchemo.experiments import TwoBlobs
from jaxchemo.inference import Bins, Pathwise, Simulation
from jaxchemo.methods.base import NOISE, Snapshot, box, stream
from jaxchemo.particles import deposit

TRUTH = {"mobility": 0.1, "sensitivity": 1.0}
TIMES, BINS, NOISE_OF_DATA, PRIOR = (0.15, 0.3, 0.45), 32, 0.05, np.log(4.0)


def pose(cells: int):
    problem = TwoBlobs(ndim=2, shape=(cells,)).problem()

    def build(unknown):
        return problem.replace(model=jc.models.phks(unknown["mobility"], unknown["sensitivity"]))

    return build, Bins.even(box(problem), BINS)


def fields(cells: int, dt: float) -> Simulation:
    build, seen = pose(cells)
    return Simulation(build, jc.FiniteVolume(), ts=TIMES, observe=seen, dt=dt)


def with_slopes(predict) -> tuple[np.ndarray, np.ndarray]:
    """The prediction at the truth `(n,)` and its relative derivatives `(n, 2)`."""

    def by_logarithm(logarithms):
        return predict({name: jnp.exp(value) for name, value in logarithms.items()})

    at = {name: jnp.log(value) for name, value in TRUTH.items()}
    value, slopes = jax.jit(lambda at: (by_logarithm(at), jax.jacfwd(by_logarithm)(at)))(at)
    return _flat(value), np.stack([_flat(slopes[name]) for name in TRUTH], axis=1)


def _flat(values: Any) -> np.ndarray:
    return np.asarray(values, float).ravel()


class Along:
    """What one key of a method gives: values and derivatives by three estimators."""

    def __init__(self, method: jc.ParticleField, cells: int, dt: float):
        self.method, self.dt, (self.build, self.seen) = method, dt, pose(cells)
        self.every, self.fv = round(TIMES[0] / dt), jc.FiniteVolume()

    def path(self, unknown, key):
        saveat, problem = jc.SaveAt(ts=TIMES, fn=self.seen), self.build(unknown)
        run = {"t1": TIMES[-1], "dt": self.dt, "key": key, "throw": False}
        return jc.solve(problem, self.method, **run, saveat=saveat, adjoint=jc.Forward()).ys

    def law(self, key) -> np.ndarray:
        """Derivatives by the tangent of the density about what particles hold."""
        return np.stack([_flat(self._law(key, name)) for name in TRUTH], axis=1)

    @eqx.filter_jit
    def _law(self, key, name: str):
        problem, (species,) = self.build(TRUTH), self.build(TRUTH).density
        (signal,) = problem.signal
        start = self.fv.init(problem)

        def stepped(logarithm, state, n):
            changed = self.build({**TRUTH, name: jnp.exp(logarithm)})
            return self.fv.step(changed, state, n, n * self.dt, self.dt)[0]

        def once(carry, n):
            particles, tangent = carry
            shown = self.method.snapshot(problem, particles)
            base = eqx.tree_at(lambda s: (s.density[species], s.signal[signal]), start, (shown.density, shown.signal))
            tangent = jax.jvp(lambda v, s: stepped(v, s, n), (jnp.log(TRUTH[name]), base), (jnp.ones(()), tangent))[1]
            particles = self.method.step(problem, particles, n, n * self.dt, self.dt, key=key)[0]
            return (particles, tangent), self.seen(Snapshot(tangent.density[species], None))

        first = self.method.init(problem, key=key), jax.tree.map(jnp.zeros_like, start)
        steps = jnp.arange(round(TIMES[-1] / self.dt))
        return jax.lax.scan(once, first, steps)[1][self.every - 1 :: self.every]

    @eqx.filter_jit
    def weights(self, key):
        """The derivative by the logarithm of the sensitivity, from the likelihood ratios of paths."""
        method, problem = self.method, self.build(TRUTH)
        (species,), grid = problem.density, box(problem)
        noise_key = stream(key, NOISE)

        def once(carry, n):
            state, stored, score = carry
            w, x = state.weights[species], state.positions[species]
            after = method.step(problem, state, n, n * self.dt, self.dt, key=key)[0]
            # The exposure is linear in weights: that of the scores is the tangent of the exposure.
            weighted = {species: w * score}
            laws = problem.continuum.signals
            stored = method.update.step(
                stored, state.positions, weighted, laws, grid, self.dt, method.deposit_order, 0.0
            )

            def drift(logarithm, exposures):
                changed = self.build({**TRUTH, "sensitivity": jnp.exp(logarithm)})
                samplings = method._samplings(changed, state.weights, (n + 1) * self.dt)
                return method._drift(changed, species, x, w, exposures, samplings)

            change = jax.jvp(drift, (jnp.zeros(()), after.stored), (jnp.ones(()), stored))[1]
            drawn = method.increments(jax.random.fold_in(jax.random.fold_in(noise_key, n), 0), x, grid)
            size = jnp.sqrt(self.dt / (2 * TRUTH["mobility"]))
            score = score + size * sum(v * z for v, z in zip(change, drawn, strict=True))
            score = score - jnp.mean(score)  # of mean 0 in law: no mass is made
            density = deposit(after.positions[species], w * score / grid.cell_volume, grid, method.deposit_order)
            return (after, stored, score), self.seen(Snapshot(density, None))

        state = method.init(problem, key=key)
        first = state, jax.tree.map(jnp.zeros_like, state.stored), jnp.zeros(method.num_particles)
        steps = jnp.arange(round(TIMES[-1] / self.dt))
        return jax.lax.scan(once, first, steps)[1][self.every - 1 :: self.every]


def off(slope: np.ndarray, reference: np.ndarray, times: slice = slice(None)) -> float:
    """The size of an error over that of the reference, at some of the times."""
    slope, reference = (values.reshape(len(TIMES), -1)[times] for values in (slope, reference))
    return float(np.linalg.norm(slope - reference) / np.linalg.norm(reference))


def at_each(slopes: list[np.ndarray], reference: np.ndarray, column: int) -> list[float]:
    """The median over keys of the relative error, at each time."""
    return [
        float(np.median([off(each[:, column], reference[:, column], slice(k, k + 1)) for each in slopes]))
        for k in range(len(TIMES))
    ]


def resolution(shift, choices: list[tuple[int, int, float]], num_keys: int) -> list[dict]:
    """How the values of particles shift a fit, by their number, their cells and their step."""
    rows = []
    for num_particles, cells, dt in choices:
        runs = Along(jc.ParticleField(num_particles, increments=jc.Antithetic()), cells, dt)
        seen = jax.jit(lambda key, runs=runs: runs.path({n: jnp.asarray(v) for n, v in TRUTH.items()}, key))
        shifts = np.stack([shift(_flat(seen(key))) for key in jax.random.split(jax.random.key(11), num_keys)])
        row = {"particles": num_particles, "cells": cells, "dt": dt}
        for k, name in enumerate(TRUTH):
            row[f"shift of {name}"] = float(shifts[:, k].mean())
            row[f"its standard error, {name}"] = float(shifts[:, k].std(ddof=1) / np.sqrt(num_keys))
        rows.append(row)
    table("Antithetic increments: shift of a fit by particles [posterior standard deviations]", rows)
    return rows


def main() -> None:
    options = arguments(__doc__)
    cells, dt, num_keys = (64, 0.005, 4) if options.quick else (128, 0.0025, 8)
    grids = [with_slopes(lambda p, s=fields(n * cells, dt / n**2): s(p, jc.Forward())[0]) for n in (1, 2, 4)]
    coarse = grids[0]
    reference = tuple(b + (b - a) / 3 for a, b in zip(grids[1], grids[2], strict=True))
    scaled = reference[1] * PRIOR / NOISE_OF_DATA
    covariance = np.linalg.inv(scaled.T @ scaled + np.eye(2))
    sd = np.sqrt(np.diag(covariance))
    grid = {name: off(coarse[1][:, k], reference[1][:, k]) for k, name in enumerate(TRUTH)}
    by_grid = [
        {"cells": n * cells, **{name: off(slope[:, k], reference[1][:, k]) for k, name in enumerate(TRUTH)}}
        for n, (_, slope) in zip((1, 2, 4), grids, strict=True)
    ]

    def shift(value: np.ndarray) -> np.ndarray:
        """Of a fit with the grid's derivatives, in standard deviations of the posterior."""
        return -covariance @ (coarse[1] * PRIOR / NOISE_OF_DATA).T @ (value - reference[0]) / NOISE_OF_DATA / sd

    for row, (value, _) in zip(by_grid, grids, strict=True):
        row |= {f"shift of {name}": float(v) for name, v in zip(TRUTH, shift(value), strict=True)}
    table("The same, and the shift of a fit by the grid [posterior standard deviations]", by_grid)
    choices = [(16_000, 128, 0.005), (16_000, 128, 0.0025), (16_000, 128, 0.00125), (64_000, 256, 0.00125)]
    steps = resolution(shift, [(4_000, 64, 0.005)] if options.quick else choices, num_keys)
    methods = [(n, jc.Normal()) for n in ((1_000, 4_000) if options.quick else (1_000, 4_000, 16_000, 64_000))]
    methods += [] if options.quick else [(16_000, jc.Antithetic()), (64_000, jc.Antithetic())]
    derivatives, values = [], []
    for num_particles, increments in methods:
        runs = Along(jc.ParticleField(num_particles, increments=increments), cells, dt)
        keys = list(jax.random.split(jax.random.key(5), num_keys))
        clock = time.perf_counter()
        path = jax.lax.map(lambda key, runs=runs: _paths(runs, key), jnp.stack(keys))
        jax.block_until_ready(path)
        seconds = (time.perf_counter() - clock) / num_keys
        seen, slopes = np.asarray(path[0], float), list(np.asarray(path[1], float))
        found = {
            "paths": slopes,
            "law": [runs.law(key) for key in keys],
            "weights": [np.stack([np.full(seen.shape[1], np.nan), _flat(runs.weights(key))], axis=1) for key in keys],
        }
        common = {"particles": num_particles, "increments": type(increments).__name__}
        for kind, each in found.items():
            for k, name in enumerate(TRUTH):
                if kind == "weights" and k == 0:
                    continue
                columns = np.stack([slope[:, k] for slope in each])
                mean, error = columns.mean(0), columns.std(0, ddof=1) / np.sqrt(num_keys)
                told = Pathwise(jnp.zeros(1), {name: mean}, {name: error}, num_keys)
                by_time = at_each(each, reference[1], k)
                derivatives.append(
                    {
                        **common,
                        "by": kind,
                        "of": name,
                        **{f"one key, t={t:g}": value for t, value in zip(TIMES, by_time, strict=True)},
                        "one key, all": float(np.median([off(c, reference[1][:, k]) for c in columns])),
                        "worst key": float(np.max([off(c, reference[1][:, k]) for c in columns])),
                        "mean of keys": off(mean, reference[1][:, k]),
                        "its standard error": told.relative[name],
                        "warned": bool(told.noise),
                        "grid": grid[name],
                    }
                )
        shifts = np.stack([shift(value) for value in seen])
        row = {**common, "noise of one run / data": float(np.sqrt(seen.var(0, ddof=1).mean())) / NOISE_OF_DATA}
        for k, name in enumerate(TRUTH):
            row[f"shift of {name}"] = float(shifts[:, k].mean())
            row[f"its standard error, {name}"] = float(shifts[:, k].std(ddof=1) / np.sqrt(num_keys))
            row[f"of one run, {name}"] = float(shifts[:, k].std(ddof=1))
        values.append(row | {"seconds of one run with derivatives along its path": seconds})
        table(f"{num_particles} particles: relative errors of derivatives", derivatives[-5:])
        table("Shift of a fit by particles with the grid's derivatives [posterior standard deviations]", values[-1:])
    settings = {"cells": cells, "dt": dt, "keys": num_keys, "bins": BINS, "times": TIMES, "noise": NOISE_OF_DATA}
    results = {"settings": settings, "grids": by_grid, "resolution": steps}
    save(options, "particle_gradients", results | {"derivatives": derivatives, "values": values})


def _paths(runs: Along, key):
    def by_logarithm(logarithms):
        return runs.path({name: jnp.exp(value) for name, value in logarithms.items()}, key).ravel()

    at = {name: jnp.log(value) for name, value in TRUTH.items()}
    slopes = jax.jacfwd(by_logarithm)(at)
    return by_logarithm(at), jnp.stack([slopes[name] for name in TRUTH], axis=1)


if __name__ == "__main__":
    main()
