"""What the recipes of the lecture notes do, beside what they should: the numbers of docs/lecture_corrections.md.

python benchmarks/lecture_corrections.py [--quick]

The faulty recipes are written out here as they are described in docs/lecture_corrections.md, in numpy; the right ones
are those of the library. Everything in float64, with fixed seeds.
"""

import math
from collections.abc import Callable
from typing import Any

import _report
import jax
import jax.numpy as jnp
import numpy as np

import jaxchemo as jc
from jaxchemo.analysis import diffusivity, swimming
from jaxchemo.models import Directional, LinearResponse, Reversal, RunAndTumble

HALF, SPEED, DT = 100.0, 20.0, 0.01
Rates = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def faulty(rates: Rates, n: int, seconds: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Positions and directions: one random number serves two tests, rate times dt is a chance, walls turn nobody."""
    rng = np.random.default_rng(seed)
    x, direction = np.zeros(n), rng.choice([-1.0, 1.0], n)
    for _ in range(round(seconds / DT)):
        right, left = rates(x)
        drawn = rng.random(n)
        direction = np.where((direction > 0) & (drawn < np.maximum(right, 0) * DT), -1.0, direction)
        direction = np.where((direction < 0) & (drawn < np.maximum(left, 0) * DT), 1.0, direction)
        x = x + SPEED * DT * direction
        x = np.where(x > HALF, 2 * HALF - x, np.where(x < -HALF, -2 * HALF - x, x))  # positions only
    return x, direction


def outwards(bias: float) -> Rates:
    return lambda x: (1 + bias * np.tanh(x / 50), 1 - bias * np.tanh(x / 50))


def agents(bias: float, n: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """The same cells by the library; rates that the printed model makes negative are those of cells that never turn."""

    def rate(side: int):
        return lambda x: jnp.maximum(1 + side * bias * jnp.tanh(x[..., 0] / 50), 0)

    cells = RunAndTumble(SPEED, Directional(rate(1), rate(-1)), Reversal())
    grid = jc.Grid.box(-HALF, HALF, 50)
    start = jc.initial.particles(jnp.zeros((n, 1)), mass=1.0)
    run = jc.solve(
        jc.Problem(cells, grid, start), jc.Agents(n), t1=seconds, dt=DT, key=jax.random.key(0), adjoint=jc.Forward()
    )
    return np.asarray(run.final.positions[:, 0]), np.asarray(run.final.headings[:, 0])


def one_number_for_two_tests(quick: bool) -> list[dict[str, Any]]:
    n = 2_000 if quick else 20_000
    rows = []
    for name, bias, seconds in (("no bias, 15 s", 0.0, 15.0), ("bias 2, 40 s", 2.0, 40.0)):
        for recipe, (x, direction) in (
            ("lecture", faulty(outwards(bias), n, seconds)),
            ("right", agents(bias, n, seconds)),
        ):
            row = {"case": name, "recipe": recipe, "mean x": x.mean(), "error": x.std() / math.sqrt(n)}
            rows.append(row | {"to the right": float(np.mean(direction > 0))})
    return rows


def walls(quick: bool) -> list[dict[str, Any]]:
    """Share of cells within 0.2 of a wall, with right random numbers and no bias, after a minute."""
    n, seconds = (2_000, 30.0) if quick else (20_000, 60.0)
    rng = np.random.default_rng(1)
    x, direction = rng.uniform(-HALF, HALF, n), rng.choice([-1.0, 1.0], n)
    for _ in range(round(seconds / DT)):
        direction = np.where(rng.random(n) < DT, -direction, direction)
        x = x + SPEED * DT * direction
        x = np.where(x > HALF, 2 * HALF - x, np.where(x < -HALF, -2 * HALF - x, x))
    grid = jc.Grid.box(-HALF, HALF, 50)
    problem = jc.Problem(RunAndTumble(SPEED, 1.0, Reversal()), grid, jc.initial.uniform(mass=1.0))
    run = jc.solve(problem, jc.Agents(n), t1=seconds, dt=DT, key=jax.random.key(0), adjoint=jc.Forward())
    found = np.asarray(run.final.positions[:, 0])
    return [
        {"recipe": recipe, "share at the walls": float(np.mean(np.abs(places) > HALF - 0.2)), "even": 0.2 / HALF}
        for recipe, places in (("lecture: positions reflected only", x), ("right: direction too", found))
    ]


def steps(quick: bool) -> list[dict[str, Any]]:
    """Diffusivity of discrete turns, over `v^2 / 2 a`: formulas, and the library's measured."""
    rows = []
    for dt in (0.1, 0.3, 0.5):
        chances = {
            "rate dt": dt,
            "1 - exp(-rate dt)": 1 - math.exp(-dt),
            "(1 - exp(-2 rate dt)) / 2": 0.5 - 0.5 * math.exp(-2 * dt),
        }
        n = 2_000 if quick else 20_000
        problem = jc.Problem(
            RunAndTumble(SPEED, 1.0, Reversal()), jc.FreeSpace(1), jc.initial.particles(jnp.zeros((n, 1)), mass=1.0)
        )
        saveat, t1 = jc.SaveAt(every=round(15 / dt)), 2 * 15
        run = jc.solve(problem, jc.Agents(n), t1=round(t1 / dt) * dt, dt=dt, key=jax.random.key(3), saveat=saveat)
        one = diffusivity(run.ts, run.ys.positions)
        rows.append(
            {"dt": dt} | {name: dt * (1 - q) / q for name, q in chances.items()} | {"measured": one.value / 200}
        )
    return rows


def drift_signs() -> dict[str, float]:
    """Drift of cells with rates `a0 (1 -+ X v c_x)`: by the kinetic equations, and as the text has it."""
    rate, gain, slope = 1.0, 0.5, 0.02
    grid = jc.Grid.box(-400.0, 400.0, 400)
    cells = RunAndTumble(SPEED, LinearResponse(rate, gain), Reversal())
    start = jc.initial.gaussian(mass=1.0, center=0.0, std=20.0)
    problem = jc.Problem(cells, grid, start, jc.initial.function(lambda x: 10 + slope * x[..., 0]))
    run = jc.solve(problem, jc.Kinetic(), t1=15.0, dt=0.1, saveat=jc.SaveAt(every=50), adjoint=jc.Forward())
    means = np.asarray(run.ys.density) @ np.asarray(grid.axes[0]) * 2.0
    return {
        "measured": float((means[-1] - means[1]) / 10),
        "right: + X v^2 c_x": gain * SPEED**2 * slope,
        "lecture: - X v^2 c_x / a0": -gain * SPEED**2 * slope / rate,
    }


def spread_of_two_rates() -> dict[str, float]:
    """Growth of the variance at constant rates 1.5 and 0.5, over 2 t."""
    n = 20_000
    problem = jc.Problem(
        RunAndTumble(SPEED, Directional(1.5, 0.5), Reversal()),
        jc.FreeSpace(1),
        jc.initial.particles(jnp.zeros((n, 1)), mass=1.0),
    )
    run = jc.solve(problem, jc.Agents(n), t1=60.0, dt=0.05, key=jax.random.key(5), saveat=jc.SaveAt(every=600))
    return {
        "measured": diffusivity(run.ts, run.ys.positions).value,
        "right: 4 v^2 a+ a- / S^3": 4 * SPEED**2 * 0.75 / 8,
        "lecture: v^2 / S": SPEED**2 / 2,
    }


def lecture_keller_segel(sensitivity: float, seed: int, cells: int = 200, t1: float = 12.0) -> dict[str, float]:
    """The printed scheme: centred velocity, one-sided flux difference, explicit steps of 0.005, `max(u, 0)`."""
    h, dt = 100.0 / cells, 0.005
    rng = np.random.default_rng(seed)
    u = 1 + 0.01 * (rng.random(cells) - 0.5)
    v, mass, first, made = u.copy(), u.sum(), math.nan, math.nan
    with np.errstate(all="ignore"):
        for n in range(round(t1 / dt)):
            flux = u * (np.roll(v, -1) - np.roll(v, 1)) / (2 * h)
            spread_u, spread_v = ((np.roll(f, -1) - 2 * f + np.roll(f, 1)) / h**2 for f in (u, v))
            drift = sensitivity * (flux - np.roll(flux, 1)) / h
            u, v = u + dt * (spread_u - drift), v + dt * (20 * spread_v + u - v)
            if math.isnan(first) and u.min() < 0:
                first = (n + 1) * dt
            u = np.maximum(u, 0)
            if n + 1 == round(10 / dt):
                made = float(u.sum() / mass - 1)
            if not np.isfinite(u).all():
                return {"first negative": first, "infinite": (n + 1) * dt, "mass made by 10": made}
    return {"first negative": first, "infinite": math.nan, "mass made by 10": made}


def keller_segel(quick: bool) -> list[dict[str, Any]]:
    rows = []
    for sensitivity in (40.0, 25.0):
        for seed in range(1 if quick else 4):
            rows.append(
                {"recipe": "lecture", "sensitivity": sensitivity, "seed": seed}
                | lecture_keller_segel(sensitivity, seed)
            )
    noise = np.random.default_rng(0).random(800) - 0.5
    grid = jc.Grid.box(0.0, 100.0, 800, jc.Periodic())
    model = jc.models.keller_segel(1.0, 40.0, decay=1.0, diffusivity=20.0)
    problem = jc.Problem(model, grid, jc.initial.array(1 + 0.01 * noise), jc.initial.uniform(amplitude=1.0))
    end = jc.solve(problem, jc.FiniteVolume(), t1=2.0 if quick else 12.0, dt=2.5e-4, adjoint=jc.Forward()).final.density
    never = {"first negative": math.nan, "infinite": math.nan}
    made = float(jnp.sum(end) / jnp.sum(1 + 0.01 * noise) - 1)
    rows.append({"recipe": "right, 800 cells", "sensitivity": 40.0, "seed": 0} | never | {"mass made by 10": made})
    rows[-1]["lowest"] = float(jnp.min(end))
    return rows


def main() -> None:
    options = _report.arguments(__doc__)
    jax.config.update("jax_enable_x64", True)
    found = {
        "one random number for two tests": one_number_for_two_tests(options.quick),
        "walls": walls(options.quick),
        "diffusivity of discrete turns over v^2 / 2 a": steps(options.quick),
        "drift in a gradient": [drift_signs()],
        "spread at two rates": [spread_of_two_rates()],
        "Keller-Segel in one dimension": keller_segel(options.quick),
    }
    for title, rows in found.items():
        _report.table(title, rows)
    at_rest = float(swimming.mean_square(3.0, speed=SPEED, rate=1.0))
    print(f"\n<x^2> after 3 s, exact: {at_rest:.5f}")
    _report.save(options, "lecture_corrections", found)


if __name__ == "__main__":
    main()
