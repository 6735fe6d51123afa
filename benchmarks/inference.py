"""What a fit costs: simulations beside other optimisers, the price of a gradient, and a field of unknowns.

python benchmarks/inference.py [--quick]

Optimisers start at the prior's median and at draws from the prior, in the same whitened coordinates, and run until the
misfit is 0.005 above its lowest, a tenth of an error bar. A Jacobian by p unknowns counts as p simulations. The data
are made on a grid of twice the resolution. Seconds are of the processor, without compilation.

- scipy: `least_squares` (trf) and L-BFGS-B, both by finite differences, and Nelder-Mead; edges of the simplex 0.3.
- cma: CMA-ES with sigma 0.3, one seed. Without the extra [bench] it is left out.

The field is fitted by `fit_field` and, for its count alone, by `fit`, whose Jacobians take as many simulations as those
by differences: that is Gauss-Newton without derivatives. scipy's L-BFGS-B is given our gradients, and charged for each
what differences would take, 1,025 simulations.
"""

import contextlib
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import _report
import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

import jaxchemo as jc
from jaxchemo.experiments import RecoverSignal
from jaxchemo.inference import (
    AbstractPrior,
    Gaussian,
    LogNormal,
    Normal,
    Posterior,
    Simulation,
    fit,
    fit_field,
    laplace_field,
)

CAP = 3000  # simulations, after which an optimiser is stopped
SLACK = 0.005

# Of two blobs beside a blob of food: the truth, and the factor by which a prior's median is off.
BLOBS = {
    "mobility": (0.1, 2.0),
    "sensitivity": (1.0, 0.5),
    "consumption": (1.0, 2.0),
    "food width": (0.9, 1.2),
    "food": (5.0, 0.8),
    "blob width": (0.4, 1.2),
    "blob height": (1.5, 0.8),
}


def blobs(p: int) -> Posterior:
    """Pictures of two blobs in 2D, with the first p numbers unknown; the eighth is where the food is."""
    fixed = {name: value for name, (value, _) in BLOBS.items()} | {"place": 0.0}
    unknown = list(fixed)[:p]
    priors: dict[str, AbstractPrior] = {
        name: LogNormal(BLOBS[name][0] * BLOBS[name][1], 2.0) for name in unknown if name in BLOBS
    }
    if "place" in unknown:
        priors["place"] = Normal(0.2, 0.3)

    def simulation(cells: int, dt: float) -> Simulation:
        grid = jc.Grid.box((-3, -3), (3, 3), (cells, cells))

        def build(parameters: Any) -> jc.Problem:
            now = fixed | dict(parameters)
            blob = {"amplitude": now["blob height"], "std": now["blob width"]}
            cells = jc.initial.mixture([jc.initial.gaussian(center=(x, 0.0), **blob) for x in (-1.2, 1.2)])
            food = jc.initial.gaussian(amplitude=now["food"], center=(0.0, now["place"]), std=now["food width"])
            return jc.Problem(
                jc.models.phks(now["mobility"], now["sensitivity"], now["consumption"]), grid, cells, food
            )

        def observe(snapshot: Any) -> jax.Array:
            n = cells // 24
            return snapshot.density.reshape(24, n, 24, n).mean((1, 3))

        return Simulation(build, jc.FiniteVolume(), ts=(0.15, 0.3, 0.45), observe=observe, dt=dt)

    return posterior(priors, simulation(24, 0.015), simulation(48, 0.0075), fixed, 0.05)


def band() -> Posterior:
    """Profiles of a band that travels away from a wall, in 1D, with four numbers unknown."""
    truth = {"mobility": 300.0, "sensitivity": 3000.0, "consumption": 0.126, "half": 2.0}
    medians = {"mobility": 500.0, "sensitivity": 5000.0, "consumption": 0.2, "half": 4.0}

    def simulation(cells: int, dt: float) -> Simulation:
        def build(p: Any) -> jc.Problem:
            model = jc.models.travelling_band(
                p["mobility"], p["sensitivity"], p["consumption"], offset=3.5, half=p["half"]
            )
            pile = jc.initial.function(lambda x: 9.6 * jnp.exp(-0.5 * (x[..., 0] / 200) ** 2))
            return jc.Problem(model, jc.Grid.box(0.0, 2400.0, cells), pile, jc.initial.uniform(amplitude=100.0))

        def observe(snapshot: Any) -> jax.Array:
            return snapshot.density.reshape(80, -1).mean(axis=1)

        return Simulation(build, jc.FiniteVolume(), ts=(150.0, 225.0, 300.0, 375.0), observe=observe, dt=dt)

    priors = {name: LogNormal(median, 2.0) for name, median in medians.items()}
    return posterior(priors, simulation(80, 0.25), simulation(160, 0.125), truth, 0.15)


def posterior(priors: Any, coarse: Simulation, fine: Simulation, truth: dict[str, float], noise: float) -> Posterior:
    clean = jax.jit(lambda: fine({name: truth[name] for name in priors})[0])()
    return Posterior(priors, coarse, Gaussian(noise).draw(jax.random.key(0), clean), Gaussian(noise))


class Reached(Exception):
    """The misfit to stop at, or the simulations that are allowed."""


class Meter:
    """Counts simulations until a misfit is reached."""

    def __init__(self, run: Callable[[Any], Any], target: float):
        self.run, self.target, self.count, self.reached = run, target, 0, False

    def residuals(self, z: np.ndarray) -> np.ndarray:
        """Those of data and prior; large where a run does not go well."""
        self.count += 1
        both = np.concatenate([np.asarray(self.run(jnp.asarray(z))), z])
        self.reached = bool(0.5 * both @ both <= self.target)
        if self.reached or self.count > CAP:
            raise Reached
        return np.nan_to_num(both, nan=1e3)

    def cost(self, z: np.ndarray) -> float:
        both = self.residuals(z)
        return 0.5 * float(both @ both)


def peers() -> dict[str, Callable[[Meter, np.ndarray], Any]]:
    """What each does with a meter and a start."""

    def least_squares(meter: Meter, z: np.ndarray) -> None:
        stops = {"xtol": None, "ftol": 1e-15, "gtol": None}
        optimize.least_squares(meter.residuals, z, jac="2-point", method="trf", diff_step=1e-6, **stops)

    def quasi_newton(meter: Meter, z: np.ndarray) -> None:
        optimize.minimize(meter.cost, z, method="L-BFGS-B", options={"eps": 1e-6, "maxfun": CAP, "ftol": 1e-15})

    def simplex(meter: Meter, z: np.ndarray) -> None:
        corners = np.vstack([z, z + 0.3 * np.eye(z.size)])
        options = {"initial_simplex": corners, "maxfev": CAP, "xatol": 0.0, "fatol": 0.0}
        optimize.minimize(meter.cost, z, method="Nelder-Mead", options=options)

    def evolution(meter: Meter, z: np.ndarray) -> None:
        import cma

        cma.fmin2(meter.cost, z, 0.3, {"verbose": -9, "seed": 1, "tolx": 0, "tolfun": 0, "tolfunhist": 0})

    known = {
        "least squares, differences": least_squares,
        "L-BFGS, differences": quasi_newton,
        "Nelder-Mead": simplex,
        "CMA-ES": evolution,
    }
    if importlib.util.find_spec("cma") is None:
        print("Without cma, of the extra [bench], CMA-ES is left out.")
        del known["CMA-ES"]
    return known


def optimisers(name: str, problem: Posterior, starts: int) -> list[dict[str, Any]]:
    draws = [0.7 * jax.random.normal(jax.random.key(k), (problem.size,)) for k in range(1, starts)]
    begins = [jnp.zeros(problem.size), *draws]
    run = jax.jit(lambda z: problem.residuals(z, jc.Forward()))
    run(begins[0])
    best = [fit(problem, problem.parameters(z), tolerance=1e-8, progress=False) for z in begins]
    target = min(each.cost for each in best) + SLACK
    rows = []
    for number, (z, found) in enumerate(zip(begins, best, strict=True)):
        start = "median" if number == 0 else f"draw {number}"
        row = {"problem": name, "unknowns": problem.size, "start": start}
        clock = time.process_time()
        fit(problem, problem.parameters(z), progress=False)
        seconds = time.process_time() - clock
        count = next((s.simulations for s in found.steps if s.cost <= target), None)
        rows.append(row | {"optimiser": "fit", "simulations": count, "cpu s": seconds})
        for peer, go in peers().items():
            meter, clock = Meter(run, target), time.process_time()
            with contextlib.suppress(Reached):
                go(meter, np.asarray(z, float))
            count = meter.count if meter.reached else None
            rows.append(row | {"optimiser": peer, "simulations": count, "cpu s": time.process_time() - clock})
    return rows


def processor(call: Callable[[], Any], rounds: int) -> float:
    """Median processor seconds of a call, after one that compiles."""
    jax.block_until_ready(call())
    seconds = []
    for _ in range(rounds):
        clock = time.process_time()
        jax.block_until_ready(call())
        seconds.append(time.process_time() - clock)
    return float(np.median(seconds))


def prices(cells: int, rounds: int) -> list[dict[str, Any]]:
    """Of derivatives by the first k cosines of the food, in simulations of the same run."""
    grid = jc.Grid.box((-3, -3), (3, 3), (cells, cells))
    prior = jc.inference.GaussianField(grid, mean=2.0, std=0.5, length=1.0)
    # From the longest wave to the shortest.
    square = np.arange(cells) ** 2
    order = np.argsort(np.add.outer(square, square).ravel(), kind="stable")

    def predicted(adjoint: Any, z: jax.Array) -> jax.Array:
        modes = jnp.zeros(cells**2).at[order[: z.size]].set(z)
        food = jc.initial.array(prior.value(modes.reshape(cells, cells)))
        problem = jc.Problem(jc.models.phks(0.1, 0.5), grid, jc.initial.uniform(amplitude=0.5), food)
        return jc.solve(problem, jc.FiniteVolume(), t1=0.1, dt=0.002, adjoint=adjoint, throw=False).final.density

    rows = []
    for k in (1, 2, 4, 8, 16, 256, 1024, 10_000):
        if k > cells**2:
            continue
        z = jnp.full(k, 0.1)
        row: dict[str, Any] = {"unknowns": k}
        run = jax.jit(lambda z: predicted(jc.Forward(), z))
        once = processor(lambda run=run, z=z: run(z), rounds)
        if k <= 16:
            jacobian = jax.jit(jax.jacfwd(lambda z: predicted(jc.Forward(), z)))
            row["forward Jacobian"] = processor(lambda f=jacobian, z=z: f(z), rounds) / once
        for name, adjoint in (("Remat()", jc.Remat()), ("Direct()", jc.Direct())):
            gradient = jax.jit(jax.value_and_grad(lambda z, a=adjoint: 0.5 * jnp.sum(predicted(a, z) ** 2)))
            row[f"reverse gradient, {name}"] = processor(lambda f=gradient, z=z: f(z), rounds) / once
        rows.append(row)
    return rows


def field(cells: int) -> list[dict[str, Any]]:
    """A field of unknowns to its optimum, in simulations."""
    experiment = RecoverSignal(shape=(cells,), refinement=3)
    start = experiment.run(seed=1).fit
    problem, best = start.posterior, start.cost
    clock = time.process_time()
    found = fit_field(problem, tolerance=1e-4, progress=False)
    seconds = time.process_time() - clock
    newton = fit(problem, tolerance=1e-4, progress=False)
    slope = jax.jit(jax.value_and_grad(lambda z: -problem.log_density(z)))
    costs: list[float] = []

    def descend(z: np.ndarray) -> tuple[float, np.ndarray]:
        cost, gradient = slope(jnp.asarray(z))
        costs.append(float(cost))
        return costs[-1], np.asarray(gradient)

    stops = {"maxiter": 3000, "maxfun": 3000, "maxcor": 20, "ftol": 0.0, "gtol": 0.0}
    clock = time.process_time()
    optimize.minimize(descend, np.zeros(problem.size), jac=True, method="L-BFGS-B", options=stops)
    other = time.process_time() - clock
    best = min(best, newton.cost, *costs)
    rows = []
    for slack in (1.0, 0.01):
        reached = next((n + 1 for n, cost in enumerate(costs) if cost <= best + slack), None)
        ours = next((step.simulations for step in found.steps if step.cost <= best + slack), None)
        theirs = next((step.simulations for step in newton.steps if step.cost <= best + slack), None)
        for name, count, took in (
            ("fit_field", ours, seconds),
            ("L-BFGS-B, reverse gradients", reached and 5 * reached, other),
            ("Gauss-Newton, differences (counted)", theirs, None),
            ("L-BFGS-B, differences (counted)", reached and (problem.size + 1) * reached, None),
        ):
            rows.append(
                {
                    "unknowns": problem.size,
                    "above the lowest": slack,
                    "optimiser": name,
                    "simulations": count,
                    "over fit_field": count and ours and count / ours,
                    "cpu s": took,
                }
            )
    known = laplace_field(found)
    print(f"{found!r}\n{known!r}, by {known.directions.products} products")
    return rows


def main() -> None:
    options = _report.arguments(__doc__)
    jax.config.update("jax_enable_x64", True)
    results: dict[str, Any] = {"optimisers": []}
    for name, problem in (("blobs", blobs(2)), ("blobs", blobs(4)), ("blobs", blobs(8)), ("band", band())):
        results["optimisers"] += optimisers(name, problem, 1 if options.quick else 3)
    _report.table(f"Simulations to the lowest misfit + {SLACK}", results["optimisers"])
    _report.save(options, "inference", results)
    results["field"] = field(12 if options.quick else 32)
    _report.table("A field to its optimum", results["field"])
    _report.save(options, "inference", results)
    results["derivatives"] = prices(32 if options.quick else 100, 3 if options.quick else 7)
    _report.table("Derivatives, in simulations", results["derivatives"])
    _report.save(options, "inference", results)


if __name__ == "__main__":
    main()
