"""Measured scratch assays: Fisher's equation, the porous Fisher equation, one with a delay, and what tells them apart.

`--data FOLDER` holds CSV files as Jin et al. published theirs (2016, J. Theor. Biol. 390): a row for each `Position`
[um] and `Time` [h], with `AvgDens` or `Dens1`, `Dens2`, ... [cells / um^2], and, for the likelihood of the counts
themselves, `Num_Cells1`, `Num_Cells2`, ... Rows may lack, and columns stand in any order.

The measure is that of Lagergren et al. (2020, PLOS Comput. Biol. 16, e1008462, and its code): the mean over all times
of `(u - data)^2 max(u, 1)^-0.4` in cells / mm^2, where the first time is the initial condition, so that its residuals
are zero, and the first position is left out, data and domain. Their numbers for 12,000, 16,000 and 20,000 cells: Fisher
557.3, 619.1, 964.2; porous Fisher 540.3, 566.9, 928.4; delay 317.2, 393.2, 386.5. They fixed the capacity at 1,700
cells / mm^2, which is an unknown here. `--keep-first` takes all positions.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import _report
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _scratch_data import Measured, read
from jaxtyping import Array, Float
from scipy.optimize import minimize_scalar

import jaxchemo as jc
from jaxchemo.inference import (
    AbstractNoise,
    AbstractPrior,
    Fit,
    LogNormal,
    NegativeBinomial,
    Normal,
    Posterior,
    Simulation,
    Uniform,
    fit,
    grid_shift,
    laplace,
)
from jaxchemo.models import DensityDependent, Logistic, Model, PowerLaw, Sigmoid, Species

CELLS = 1  # of the grid, for each position; the shift that this makes is in the table
FASTEST = 2e-2  # mobility that the time step is made for [mm^2 / h]: that of random starts in the densest places
SIZES = (1.0, 1e4)  # of the negative binomial noise


class Partly(eqx.Module):
    """`share + (1 - share) (u / scale)^power`: cells of which some move however few they are."""

    share: Float[Array, ""]
    law: PowerLaw

    def __call__(self, density: Array) -> Array:
        return self.share + (1 - self.share) * self.law.factor(density)


def fisher(p: Mapping[str, Any], scale: Array) -> Species:
    """`d_t u = D lap u + r u (1 - u / K)`."""
    return Species(p["mobility"], growth=Logistic(p["growth"], p["capacity"]))


def porous(p: Mapping[str, Any], scale: Array) -> Species:
    """Mobility `D (u / scale)^m`: amid the data D is known without the power, at the capacity it is not."""
    growth = Logistic(p["growth"], p["capacity"])
    return Species(p["mobility"], growth=growth, motility=PowerLaw(p["power"], scale))


def delayed(p: Mapping[str, Any], scale: Array) -> Species:
    """Mobility `D0 + D (u / scale)^m`, and this and the growth times `1 / (1 + exp(-(t - time) / width))`."""
    mobility, growth = (Sigmoid(0.0, p[name], p["time"], p["width"]) for name in ("mobility", "growth"))
    motility = DensityDependent(Partly(p["share"], PowerLaw(p["power"], scale)))
    return Species(mobility, growth=Logistic(growth, p["capacity"]), motility=motility)


LAWS: dict[str, tuple[Callable[[Mapping[str, Any], Array], Species], tuple[str, ...]]] = {
    "Fisher": (fisher, ("mobility", "growth", "capacity")),
    "porous Fisher": (porous, ("mobility", "growth", "capacity", "power")),
    "delay": (delayed, ("mobility", "growth", "capacity", "power", "share", "time", "width")),
}


def priors(names: tuple[str, ...], data: Measured) -> dict[str, AbstractPrior]:
    """Wide: one standard deviation is a factor of 2.5 in the mobility, and of 2 in the growth."""
    hours = float(data.t[-1] - data.t[0])
    every: dict[str, AbstractPrior] = {
        "mobility": LogNormal(7e-4, 2.5),  # mm^2 / h
        "growth": LogNormal(0.06, 2.0),  # 1 / h
        "capacity": LogNormal(float(np.nanmax(data.density)), 1.5),  # cells / mm^2
        "power": Uniform(0.0, 4.0),
        "share": Uniform(0.0, 1.0),
        "time": Normal(float(data.t[0]) + hours / 6, hours / 6),  # h
        "width": LogNormal(hours / 10, 2.0),  # h
    }
    return {name: every[name] for name in names}


class Assay(eqx.Module):
    """From unknowns to the problem. A module with arrays for leaves, so that files of one shape share compiled code."""

    cells: Callable[[Mapping[str, Any], Array], Species]
    grid: jc.Grid
    start: Float[Array, " n"]
    scale: Float[Array, ""]

    def __call__(self, p: Mapping[str, Any]) -> jc.Problem:
        return jc.Problem(Model({"u": self.cells(p, self.scale)}), self.grid, jc.initial.array(self.start))


class Strips(eqx.Module):
    """Mean density in each strip that is counted, and the same for each replicate where there are several."""

    count: int = eqx.field(static=True)
    replicates: int | None = eqx.field(static=True, default=None)

    def __call__(self, snapshot: Any) -> Float[Array, "*replicates x"]:
        means = jnp.mean(snapshot.density.reshape(self.count, -1), axis=1)
        return means if self.replicates is None else jnp.broadcast_to(means, (self.replicates, self.count))


class Weighted(AbstractNoise):
    """Noise of standard deviation `scale max(u, 1)^0.2`: the published measure is its mean squared residual."""

    counts: ClassVar = False

    scale: Float[Array, ""]

    def residuals(self, predicted, data):
        return (predicted - data) / (self.scale * jnp.maximum(jnp.abs(predicted), 1) ** 0.2)

    def normalisation(self, data):
        return jnp.broadcast_to(-jnp.log(self.scale), data.shape)

    def draw(self, key, predicted):
        return predicted + self.scale * jnp.maximum(predicted, 1) ** 0.2 * jax.random.normal(key, predicted.shape)


def simulation(law: str, data: Measured, start: np.ndarray, cells: int, replicates: int | None = None) -> Simulation:
    """What a law predicts for the later times, on a grid with so many cells for each strip."""
    half, size = data.width / 2, data.width / cells
    grid = jc.Grid.box(float(data.x[0] - half), float(data.x[-1] + half), data.x.size * cells)
    scale = jnp.asarray(float(np.nanmean(data.density)))
    # Steps end at all times, to the minute, and keep densities positive at the fastest mobility.
    shared = np.gcd.reduce(np.rint(60 * np.diff(data.t)).astype(int)) / 60
    return Simulation(
        Assay(LAWS[law][0], grid, jnp.repeat(jnp.asarray(start), cells), scale),
        jc.FiniteVolume(jc.SSPRK3()),
        ts=[float(t) for t in data.t[1:]],
        observe=Strips(data.x.size, replicates),
        t0=float(data.t[0]),
        dt=float(shared / np.ceil(shared / (size**2 / (2 * FASTEST)))),
    )


def least_squares(law: str, data: Measured, starts: int) -> tuple[dict[str, Any], Fit]:
    """The best of random starts by the published measure, and with the scale of the noise that it leaves."""
    first = data.density[0]
    simulated = simulation(law, data, first, CELLS)
    known = priors(LAWS[law][1], data)

    def posterior(scale: float) -> Posterior:
        return Posterior(known, simulated, data.density[1:], Weighted(jnp.asarray(scale)), missing=True)

    guess = 0.1 * float(np.nanmean(data.density)) ** 0.8  # errors of a tenth
    problem = posterior(guess)
    clock = time.process_time()  # of the processors: others may be at work
    fits = [fit(problem, progress=False)]
    compiled, clock = time.process_time() - clock, time.process_time()
    for key in jax.random.split(jax.random.key(0), starts):
        z = jax.random.normal(key, (problem.size,))
        fits.append(fit(problem, problem.parameters(z), progress=False))
    seconds = time.process_time() - clock
    best = min(fits, key=lambda each: each.cost)
    number, later = int(np.isfinite(data.density[1:]).sum()), best.chi_square * guess**2
    # Over all times, at the first of which the residuals are zero.
    share = number / (number + first.size)
    measures = [each.chi_square * guess**2 * share for each in fits[1:]]
    unknowns = problem.size + 1
    row = {
        "data": data.name,
        "law": law,
        "measure": later * share,
        "worst start": max(measures),
        "starts": len(measures),
        "converged": sum(each.converged for each in fits[1:]),
        "within 0.1%": sum(m < 1.001 * later * share for m in measures),
        "AIC": number * np.log(later) + 2 * unknowns,
        "BIC": number * np.log(later) + np.log(number) * unknowns,
        "simulations": float(np.mean([each.simulations for each in fits[1:]])),
        "first [cpu s]": compiled,
        "starts [cpu s]": seconds,
    }
    scale = float(np.sqrt(later * number / (number - problem.size)))
    outcomes = [{"measure": m, "reason": each.reason} for m, each in zip(measures, fits[1:], strict=True)]
    return row | {"outcomes": outcomes}, fit(posterior(scale), best.parameters, progress=False)


def counted(law: str, data: Measured, near: Mapping[str, Any]) -> tuple[dict[str, Any], Fit]:
    """The fit of the counts of all replicates, of negative binomial noise whose size is the most likely one.

    The initial density of a strip is the mean of what its counts say by Jeffreys' rule: none is exactly empty.
    """
    assert data.counts is not None
    there = np.isfinite(data.counts)
    start = (np.nansum(data.counts[:, 0], axis=0) + 0.5) / (there[:, 0].sum(axis=0) * data.area)
    simulated = simulation(law, data, start, CELLS, len(data.counts))
    later = np.moveaxis(data.counts[:, 1:], 0, 1)
    known, fits = priors(LAWS[law][1], data), {}

    def cost(log_size: float) -> float:
        noise = NegativeBinomial(jnp.asarray(np.exp(log_size)), jnp.asarray(data.area))
        problem = Posterior(known, simulated, later, noise, missing=True)
        latest = min(fits, key=lambda one: abs(one - log_size), default=None)
        found = fit(problem, near if latest is None else fits[latest].parameters, progress=False)
        fits[log_size] = found
        return found.cost - float(jnp.sum(jnp.where(problem.observed, noise.normalisation(problem.data), 0)))

    found = minimize_scalar(cost, bounds=np.log(SIZES).tolist(), method="bounded", options={"xatol": 0.01})
    best = fits[float(found.x)]
    log_likelihood = -float(found.fun) + 0.5 * float(best.z @ best.z)
    unknowns = best.posterior.size + 1
    row = {
        "data": data.name,
        "law": law,
        "log likelihood": log_likelihood,
        "AIC": 2 * unknowns - 2 * log_likelihood,
        "BIC": np.log(np.isfinite(later).sum()) * unknowns - 2 * log_likelihood,
        "size": float(np.exp(found.x)),
        "deviance per count": best.chi_square,
        "converged": best.converged,
        "fits": len(fits),
    }
    return row, best


def intervals(name: str, law: str, noise: str, found: Fit, finer: Simulation | None = None) -> list[dict[str, Any]]:
    """A row for each unknown: its value, its 90% interval, and by how much the grid shifts it."""
    if not found.converged:
        print(f"{name}, {law}, {noise}: no intervals, as {found.reason}.")
        return []
    ends, shift = laplace(found).interval(), None
    if finer is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the table shows it
            shift = grid_shift(found, finer)
    rows = []
    for unknown, value in found.parameters.items():
        row = {"data": name, "law": law, "noise": noise, "unknown": unknown, "value": float(value)}
        row |= {"5%": float(ends[unknown][0]), "95%": float(ends[unknown][1])}
        rows.append(row if shift is None else row | {"grid shift [sd]": shift.relative[unknown]})
    return rows


def figure(data: Measured, fits: Mapping[str, Fit], path: Path) -> None:
    """Data and fits, a panel for each law."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn, panels = plt.subplots(1, len(fits), figsize=(5 * len(fits), 4), sharey=True, layout="constrained")
    for panel, (law, found) in zip(panels, fits.items(), strict=True):
        predicted, _ = found.posterior.predict(found.parameters)
        for k, hours in enumerate(data.t):
            panel.plot(data.x, data.density[k], ".", color=f"C{k}")
            panel.plot(data.x, data.density[0] if k == 0 else predicted[k - 1], color=f"C{k}", label=f"{hours:g} h")
        panel.set(title=f"{data.name}: {law}", xlabel="position [mm]")
    panels[0].set(ylabel="density [cells / mm$^2$]")
    panels[0].legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, dpi=120)
    plt.close(drawn)


def study(path: Path, options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """All rows for one file."""
    data = read(path).after(0 if options.keep_first else 1)
    rows: dict[str, list[dict[str, Any]]] = {"least squares": [], "counts": [], "unknowns": []}
    fits = {}
    for law in LAWS:
        row, fits[law] = least_squares(law, data, 2 if options.quick else 10)
        rows["least squares"].append(row)
        print(f"{data.name}, {law}: measure {row['measure']:.1f}", flush=True)
        finer = simulation(law, data, data.density[0], 2 * CELLS)
        rows["unknowns"] += intervals(data.name, law, "weighted", fits[law], finer)
        if data.counts is not None:
            row, found = counted(law, data, fits[law].parameters)
            rows["counts"].append(row)
            rows["unknowns"] += intervals(data.name, law, "counts", found)
    figure(data, fits, options.out / f"scratch_assay.{data.name}.png")
    return rows


def main() -> None:
    parser = _report.parser(__doc__)
    parser.add_argument("--data", type=Path, help="folder of the CSV files")
    parser.add_argument("--keep-first", action="store_true", help="take the first position too")
    options = parser.parse_args()
    if options.data is None:
        print("Nothing is measured without `--data FOLDER`: the CSV files are published with Jin et al. (2016).")
        return
    paths = sorted(options.data.glob("*.csv"))
    if not paths:
        sys.exit(f"There is no CSV file in {options.data}.")
    jax.config.update("jax_enable_x64", True)
    tables: dict[str, list[dict[str, Any]]] = {}
    refused = 0
    for path in paths:
        try:
            rows = study(path, options)
        except ValueError as error:
            refused += 1
            print(f"{path.name} is left out: {error}", file=sys.stderr)
            continue
        for title, made in rows.items():
            tables.setdefault(title, []).extend(made)
    for title, made in tables.items():
        _report.table(
            f"Scratch assays, {title}", [{k: v for k, v in row.items() if not isinstance(v, list)} for row in made]
        )
    _report.save(
        options, "scratch_assay", {"positions": "all" if options.keep_first else "without the first", **tables}
    )
    if refused:
        sys.exit(1)


if __name__ == "__main__":
    main()
