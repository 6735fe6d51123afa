"""How well particles see their food: splines and networks, on problems that no choice was ever made on.

Five problems in [-4, 4]^3 that are not radial (two blobs, rings, three drawn at random), grids of 16^3, 32^3 and 64^3,
1,000 to 50,000 particles, normal and antithetic increments, several seeds. For each interpolator two errors against
finite volumes on 192^3 cells: of the final density (relative L2 after mollification by 0.25), and of the gradient of
the food at the particles (root mean square over that of the initial gradient, mean of two times). The floor is the
density error of as many independent samples. Prints a table for each problem and writes JSON:

    python benchmarks/interpolators.py            # about an hour on two cores
    python benchmarks/interpolators.py --quick    # two problems, few sizes: minutes
"""

import dataclasses
import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, save, table
from particle_field_accuracy import CASES, END, HALF, WIDTH, Case, Reference, box, floor

import jaxchemo as jc
from jaxchemo.models import Consumption, Model, Signal
from jaxchemo.particles import mollify
from jaxchemo.particles.interpolators import Histospline, Sampling

DT = 0.01
HALFWAY = round(0.5 * END / DT)

EXPONENTIAL = dict(deposit_order=0, update=jc.ExponentialUpdate())
SCHEMES = {
    "histogram / trilinear": lambda: dict(**EXPONENTIAL, interpolator=jc.BSpline(1)),
    "histogram / cubic spline": lambda: dict(**EXPONENTIAL, interpolator=jc.CubicSpline()),
    "default": dict,
    "phks-3d": lambda: dict(interpolator=jc.nn.pretrained("phks-3d")),
    "phks-3d-cnn": lambda: dict(interpolator=jc.nn.pretrained("phks-3d-cnn")),
}
INCREMENTS = {"normal": jc.Normal(), "antithetic": jc.Antithetic()}
SEEDS = {1_000: 8, 5_000: 4, 20_000: 3, 50_000: 2}
Problems = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Truth:
    """A problem, its finite-volume density, and the exposure on the octant at half time and at the end."""

    case: Case
    reference: Reference
    exposures: jax.Array


def truth(name: str, cells: int) -> Truth:
    """Finite volumes on one octant; a trace that is eaten like the food, but not felt, records the exposure."""
    case = CASES[name]()
    octant = jc.Grid.box((0.0,) * 3, (HALF,) * 3, (cells,) * 3)
    eaten = {name: Signal(Consumption("rho")) for name in ("c", "trace")}
    traced = {"c": case.signal, "trace": jc.initial.uniform(amplitude=1.0)}
    problem = jc.Problem(Model(case.model.species, eaten), octant, case.density, traced)
    steps = 2 * math.ceil(0.5 * END / _stable(problem))
    saveat = jc.SaveAt(ts=(0.5 * END, END), fn=lambda now: (now.density, now.signal["trace"]))
    densities, traces = jc.solve(problem, jc.FiniteVolume(), t1=END, dt=END / steps, saveat=saveat).ys
    mass = octant.integrate(densities[-1])
    square = sum(x.reshape([-1 if a == b else 1 for b in range(3)]) ** 2 for a, x in enumerate(octant.axes))
    moment = float(octant.integrate(densities[-1] * square) / mass)
    exposures = jnp.stack([Histospline().prepare(-jnp.log(one), octant, Sampling(0, *_noiseless())) for one in traces])
    return Truth(case, Reference(octant, densities[-1], moment, 8 * float(mass)), exposures)


def _stable(problem: jc.Problem) -> float:
    method = jc.FiniteVolume()
    return float(eqx.filter_jit(lambda p: method.stable_dt(p, method.init(p)))(problem))


def _noiseless() -> tuple[jax.Array, jax.Array]:
    return jnp.zeros(()), jnp.zeros(())


@eqx.filter_jit
def errors(problem: jc.Problem, method: jc.ParticleField, exposures, mollified, octant, key) -> jax.Array:
    """Density error, second moment and gradient error of one run."""
    start, condition, box_of = problem.density["rho"], problem.signal["c"], problem.domain
    assert isinstance(start, jc.initial.Particles)
    assert isinstance(condition, jc.initial.AbstractProfile) and isinstance(box_of, jc.Grid)
    weight = start.mass / method.num_particles
    state, missed = method.init(problem, key=key), []

    def advance(state, first, last):
        def step(n, state):
            return method.step(problem, state, n, n * DT, DT, key=key)[0]

        return jax.lax.fori_loop(first, last, step, state)

    signal = problem.model.signals["c"]
    for k, exposure in enumerate(exposures):
        state = advance(state, k * HALFWAY, (k + 1) * HALFWAY)
        x = state.positions["rho"]
        elapsed = (k + 1) * HALFWAY * DT
        diffused = 2 * problem.continuum.species["rho"].mobility * elapsed
        sampling = Sampling(method.deposit_order, weight * elapsed / box_of.cell_volume, diffused)
        _, seen = method.update.at_particles(
            state.stored["c"], condition, signal, x, box_of, method.interpolator, {"rho": sampling}, 0.0
        )
        folded = tuple(jnp.abs(xi) for xi in x)
        total, slope = Histospline().at(exposure, folded, octant)
        food, pull = jax.vjp(lambda *xs: condition(jnp.stack(xs, axis=-1)), *x)
        initial = pull(jnp.ones_like(food))
        true = [jnp.exp(-total) * (g0 - food * jnp.sign(xi) * g) for g0, g, xi in zip(initial, slope, x, strict=True)]
        missed.append(sum(jnp.mean((a - b) ** 2) for a, b in zip(seen, true, strict=True)))
    x = jnp.stack(state.positions["rho"], axis=1)
    grid = box(64)
    histogram = jnp.zeros(grid.shape).at[grid.cell_of(tuple(x.T))].add(weight / grid.cell_volume)
    density = jnp.linalg.norm(mollify(histogram, grid, WIDTH) - mollified) / jnp.linalg.norm(mollified)
    return jnp.stack([density, jnp.mean(jnp.sum(x**2, axis=1)), jnp.mean(jnp.sqrt(jnp.stack(missed)))])


def initial_slope(case: Case, x: jax.Array) -> float:
    """Root mean square of the gradient of the food at the particles, at the start."""
    slopes = jax.vmap(jax.grad(case.signal))(x)
    return float(jnp.sqrt(jnp.mean(jnp.sum(slopes**2, axis=1))))


def runs(true: Truth, scheme: str, kind: str, n: int, particles: int, seeds: int) -> np.ndarray:
    """Density error, relative error of the second moment and gradient error, for each seed."""
    case, ref, found = true.case, true.reference, []
    method = jc.ParticleField(particles, increments=INCREMENTS[kind], **SCHEMES[scheme]())
    for seed in range(seeds):
        place, move = jax.random.split(jax.random.key(seed))
        # Given as particles and as a function, because on 16^3 cells a problem says no to blobs narrower than a cell.
        x = case.density.sample(place, particles, box(n), jc.initial.Sobol())
        start = jc.initial.particles(x, ref.mass)
        problem = jc.Problem(case.model, box(n), start, jc.initial.function(case.signal))
        density, moment, gradient = errors(problem, method, true.exposures, ref.mollified, ref.octant, move)
        found.append((float(density), float(moment) / ref.second_moment - 1, float(gradient) / initial_slope(case, x)))
    return np.array(found)


def compare(problems: Problems, grids: tuple[int, ...], numbers: tuple[int, ...], cells: int, few: bool) -> list[dict]:
    truths = {name: truth(name, cells) for name in problems}
    lowest = {(name, p): floor(truths[name].reference, p, 3) for name in problems for p in numbers}
    rows = []
    # Problems come last, as those of one structure share what is compiled.
    for n, p in itertools.product(grids, numbers):
        for kind, scheme, name in itertools.product(INCREMENTS, SCHEMES, problems):
            seeds = min(2, SEEDS[p]) if few else SEEDS[p]
            found = runs(truths[name], scheme, kind, n, p, seeds)
            row = {"problem": name, "grid": n, "particles": p, "increments": kind, "scheme": scheme}
            row |= {"density": found[:, 0].mean(), "s.e.": _error(found[:, 0])}
            row |= {"floor": lowest[name, p], "moment": found[:, 1].mean()}
            row |= {"gradient": found[:, 2].mean(), "seeds": seeds}
            rows.append(row | {"each": found[:, 0].tolist()})
        # A process may only map so many programs into its memory.
        jax.clear_caches()
    return rows


def against_the_default(rows: list[dict]) -> list[dict]:
    """The rows with the ratios of their errors to those of the default scheme."""
    base = {_cell(row): row for row in rows if row["scheme"] == "default"}
    found = []
    for row in rows:
        default = base[_cell(row)]
        ratios = np.array(row["each"]) / np.array(default["each"])  # the same seeds
        more = {"over default": row["density"] / default["density"], "its s.e.": _error(ratios)}
        found.append(row | more | {"gradient over default": row["gradient"] / default["gradient"]})
    return found


def summary(rows: list[dict]) -> list[dict]:
    """For each scheme and grid: mean and extremes, over the cells of the table, of its error over the default's."""
    found = []
    for scheme in SCHEMES:
        for kind in INCREMENTS:
            for n in (*sorted({row["grid"] for row in rows}), "all"):
                these = [
                    r for r in rows if r["scheme"] == scheme and r["increments"] == kind and n in (r["grid"], "all")
                ]
                ratios = np.array([row["over default"] for row in these])
                slopes = np.array([row["gradient over default"] for row in these])
                line = {"scheme": scheme, "increments": kind, "grid": n, "cells": len(these)}
                line |= {"mean over default": ratios.mean(), "best": ratios.min(), "worst": ratios.max()}
                found.append(line | {"gradient over default": slopes.mean()})
    return found


def best_classical(rows: list[dict]) -> list[dict]:
    """For each network: in how many cells it beats the best classical scheme by 15%, beyond two standard errors."""
    classical = ("histogram / trilinear", "histogram / cubic spline", "default")
    lowest: dict = {}
    for row in rows:
        if row["scheme"] in classical:
            lowest[_cell(row)] = min(lowest.get(_cell(row), math.inf), row["density"])
    found = []
    for scheme in SCHEMES:
        if scheme not in classical:
            these = [row for row in rows if row["scheme"] == scheme]
            ratios = np.array([row["density"] / lowest[_cell(row)] for row in these])
            clear = [r + 2 * row["its s.e."] < 1 for r, row in zip(ratios, these, strict=True)]
            line = {"scheme": scheme, "cells": len(these), "mean over the best classical": ratios.mean()}
            found.append(line | {"15% better, beyond noise": int(np.sum((ratios <= 0.85) & clear))})
    return found


def _cell(row: dict) -> tuple:
    return tuple(row[k] for k in ("problem", "grid", "particles", "increments"))


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def main() -> None:
    options = arguments(__doc__)
    if options.quick:
        rows = compare(("two", "rings"), (16, 32), (1_000, 5_000), 64, True)
    else:
        rows = compare(tuple(CASES), (16, 32, 64), tuple(SEEDS), 96, False)
    rows = against_the_default(rows)
    for name in dict.fromkeys(row["problem"] for row in rows):
        hidden = ("problem", "each", "seeds")
        table(name, [{k: v for k, v in row.items() if k not in hidden} for row in rows if row["problem"] == name])
    table("Density error over the default scheme's, all problems and numbers of particles", summary(rows))
    table("Networks against the best classical scheme of each cell", best_classical(rows))
    save(options, "interpolators", {"rows": rows, "summary": summary(rows), "best": best_classical(rows)})


if __name__ == "__main__":
    main()
