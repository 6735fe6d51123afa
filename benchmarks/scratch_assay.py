"""Measured scratch assays: how well Fisher's and the porous Fisher equation fit them, from ten random starts each.

One row for each CSV file of `--data FOLDER`, with the columns Position [um], Time [h] and AvgDens [cells / um^2], as
published by Jin et al. (2016, J. Theor. Biol. 390). The first time is the initial condition. The measure is that of
Lagergren et al. (2020, PLOS Comput. Biol. 16): the mean of `(u - data)^2 |u|^-0.4`, in cells / mm^2; over the later
times, and over all of them, at the first of which the residual is zero.
"""

import csv
import time
from pathlib import Path
from typing import Any

import _report
import jax
import jax.numpy as jnp
import numpy as np

import jaxchemo as jc
from jaxchemo.inference import AbstractNoise, AbstractPrior, LogNormal, Posterior, Simulation, Uniform, fit
from jaxchemo.models import Logistic, Model, PowerLaw, Species


class Weighted(AbstractNoise):
    """Noise whose standard deviation is `|u|^0.2`: the published measure is the mean square of its residuals."""

    counts = False

    def residuals(self, predicted, data):
        return (predicted - data) / jnp.abs(predicted) ** 0.2

    def normalisation(self, data):
        return jnp.zeros_like(data)

    def draw(self, key, predicted):
        return predicted + jnp.abs(predicted) ** 0.2 * jax.random.normal(key, predicted.shape)


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions [mm], times [h], and mean densities `(t, x)` [cells / mm^2]."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    x, t, u = (np.array([float(row[name]) for row in rows]) for name in ("Position", "Time", "AvgDens"))
    xs, ts = np.unique(x), np.unique(t)
    table = np.full((ts.size, xs.size), np.nan)
    table[np.searchsorted(ts, t), np.searchsorted(xs, x)] = 1e6 * u
    return xs / 1000, ts, table


def posterior(law: str, x: np.ndarray, t: np.ndarray, u: np.ndarray) -> Posterior:
    width = x[1] - x[0]
    grid = jc.Grid.box(float(x[0] - width / 2), float(x[-1] + width / 2), x.size)
    start = jc.initial.array(u[0])

    def build(p: Any) -> jc.Problem:
        motility = PowerLaw(p["power"], p["capacity"]) if law == "porous Fisher" else None
        cells = Species(p["mobility"], growth=Logistic(p["growth"], p["capacity"]), motility=motility)
        return jc.Problem(Model({"u": cells}), grid, start)

    simulation = Simulation(
        build,
        jc.FiniteVolume(jc.SSPRK3()),
        ts=[float(time) for time in t[1:]],
        observe=lambda snapshot: snapshot.density,
        dt=0.25,
        t0=float(t[0]),
    )
    priors: dict[str, AbstractPrior] = {
        "mobility": LogNormal(1e-3, 5.0),  # mm^2 / h
        "growth": LogNormal(0.05, 3.0),  # 1 / h
        "capacity": LogNormal(2000.0, 2.0),  # cells / mm^2
    }
    if law == "porous Fisher":
        priors["power"] = Uniform(0.0, 4.0)
    return Posterior(priors, simulation, u[1:], Weighted())


def main() -> None:
    parser = _report.parser(__doc__)
    parser.add_argument("--data", type=Path, help="folder of the CSV files")
    options = parser.parse_args()
    if options.data is None:
        print("Nothing is measured without `--data FOLDER`: the CSV files are published with Jin et al. (2016).")
        return
    starts = 2 if options.quick else 10
    jax.config.update("jax_enable_x64", True)
    rows = []
    for path in sorted(options.data.glob("*.csv")):
        x, t, u = read(path)
        for law in ("Fisher", "porous Fisher"):
            problem = posterior(law, x, t, u)
            fits, clock = [], time.perf_counter()
            fits.append(fit(problem, progress=False))
            compiled = time.perf_counter() - clock
            clock = time.perf_counter()
            for key in jax.random.split(jax.random.key(0), starts):
                z = jax.random.normal(key, (problem.size,))
                fits.append(fit(problem, problem.parameters(z), progress=False))
            seconds = time.perf_counter() - clock
            best = min(fits, key=lambda each: each.cost)
            rows.append(
                {
                    "data": path.name,
                    "law": law,
                    "measure": best.chi_square,
                    "over all times": best.chi_square * (t.size - 1) / t.size,
                    **{name: float(value) for name, value in best.parameters.items()},
                    "converged": sum(each.converged for each in fits[1:]),
                    "worst": max(each.chi_square for each in fits[1:]),
                    "simulations": float(np.mean([each.simulations for each in fits[1:]])),
                    "first [s]": compiled,
                    "starts [s]": seconds,
                }
            )
            print(repr(best))
    _report.table("Scratch assays", rows)
    _report.save(options, "scratch_assay", {"rows": rows})


if __name__ == "__main__":
    main()
