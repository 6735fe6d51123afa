"""A first inference: mobility and sensitivity of the two blobs, from noisy pictures of them at three times."""

import contextlib
import dataclasses
import time
import warnings
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy.optimize import minimize

from jaxchemo._progress import Report, silent
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.food import TwoBlobs
from jaxchemo.experiments.options import above_one, grid_cells, in_turn, option, positive, rising, whole
from jaxchemo.inference import (
    Bins,
    Fit,
    Gaussian,
    GridShift,
    Laplace,
    LogNormal,
    ParticleSimulation,
    Posterior,
    SamplingNoise,
    Simulation,
    fit,
    fit_particles,
    grid_shift,
    laplace,
    sampling_noise,
)
from jaxchemo.methods import FiniteVolume, ParticleField
from jaxchemo.methods.base import box
from jaxchemo.models import phks
from jaxchemo.particles.increments import Antithetic
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

UNITS = {"mobility": "length² / time", "sensitivity": "length² / time / conc."}


@dataclasses.dataclass(frozen=True)
class Descent:
    """How an optimiser went down.

    **Fields:**

    - `simulations`: used so far, at each step; a derivative with respect to one parameter counts as one.
    - `cost`: the lowest so far, never rising: the negative log density after the data, up to a constant.
    - `seconds`: wall time, compilation included.
    """

    simulations: list[int]
    cost: list[float]
    seconds: float

    def simulations_to(self, target: float) -> int | None:
        """Simulations until the cost was first at most `target`; `None` if it never was."""
        return next((n for n, cost in zip(self.simulations, self.cost, strict=True) if cost <= target), None)

    def down_to(self, target: float) -> tuple[list[int], list[float]]:
        """Simulations and costs until the cost was first at most `target`, to be drawn against one another."""
        end = sum(cost > target for cost in self.cost) + 1
        return self.simulations[:end], self.cost[:end]


@dataclasses.dataclass(frozen=True)
class Recovery:
    """What was recovered.

    **Fields:**

    - `problem`: what was observed, with the true parameters, on the grid of the fit.
    - `fit`: the most probable parameters; `known`: how well the noise lets them be known.
    - `shift`: what the grid of the fit adds to its error.
    - `particles`: the most probable parameters where particles predict; `sampling`: what their noise does to them.
    - `trust_region`, `nelder_mead`: how the two optimisers went, with and without derivatives.
    - `target`: the cost at which they are compared.
    - `observed`, `fitted`: densities averaged over the bins of the detector, `(times, *bins)` [mass / length^2].

    >>> import dataclasses
    >>> [field.name for field in dataclasses.fields(jc.experiments.Recovery)][:4]
    ['problem', 'fit', 'known', 'shift']
    """

    problem: Problem
    fit: Fit
    known: Laplace
    shift: GridShift
    particles: Fit
    sampling: SamplingNoise
    trust_region: Descent
    nelder_mead: Descent
    target: float
    observed: np.ndarray
    fitted: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecoverParameters(Experiment[Recovery]):
    """Mobility and sensitivity of `two-blobs` in 2D, from pictures at a few times with independent Gaussian noise.

    The pictures are averages over the bins of a detector, of a run with three times the cells along each axis that the
    fit has. Steps in a trust region, with derivatives through the simulation, find the most probable parameters; one
    run on a grid twice as fine foretells what the grid does to them, which no misfit shows. Particles answer too: the
    mean of several runs, with derivatives of the grid, as those along paths are noise. Nelder-Mead, by scipy, goes down
    from the same start, and stops at the same cost.

    **Arguments:**

    - `mobility`, `sensitivity`: the truth, of `two-blobs` [length^2 / time], [length^2 / time / concentration].
    - `shape`: grid cells of the fit along each axis, a multiple of `bins`.
    - `bins`: of the detector, along each axis.
    - `dt`: time step of the fit [time]; finer grids have shorter ones, as the square of their spacing.
    - `times`: of the observations [time].
    - `observation_noise`: standard deviation of an observation [mass / length^2].
    - `guess`: medians of the priors of mobility and sensitivity, to start from.
    - `factor`: by which a parameter that is one standard deviation off differs from its guess; above 1.
    - `slack`: how far above the lowest cost the optimisers are compared; 0.005 is a tenth of an error bar.
    - `max_steps`: of each optimiser.
    - `num_particles`, `num_runs`: of the particles, in each run, and runs that are averaged.
    - `particle_dt`: their time step [time]. Their scheme is of first order in it: on 128^2 cells steps of 0.005, 0.0025
      and 0.00125 shifted mobility by -1.5, -1.0 and -0.8 standard deviations, all else equal.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.RecoverParameters(times=(0.2, 0.4))
    >>> experiment.title
    'Mobility and sensitivity from noisy pictures, by gradients'
    >>> experiment.guess
    (0.3, 0.4)
    """

    name: ClassVar[str] = "recover-parameters"
    title: ClassVar[str] = "Mobility and sensitivity from noisy pictures, by gradients"
    description: ClassVar[str] = (
        "Densities of the two blobs in 2D are observed with noise at three times. Gradients through the whole "
        "simulation recover mobility and sensitivity, with error bars of the noise and the shift by the grid; "
        "simulations are counted against Nelder-Mead."
    )

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    mobility: float = option(0.1, positive, "the truth: diffusivity of the population", "length² / time")
    sensitivity: float = option(1.0, positive, "the truth: drift per gradient of the food", "length² / time / conc.")
    shape: tuple[int, ...] = grid_cells((96,))
    bins: int = option(32, whole(2), "of the detector, along each axis")
    dt: float = option(0.001, positive, "time step of the fit", "time")
    times: tuple[float, ...] = option((0.15, 0.3, 0.45), rising, "of the observations", "time")
    observation_noise: float = option(0.05, positive, "standard deviation of an observation", "mass / length²")
    guess: tuple[float, float] = option((0.3, 0.4), in_turn(positive, positive), "mobility, sensitivity to start from")
    factor: float = option(4.0, above_one, "that is one standard deviation of the priors about the guess")
    slack: float = option(0.005, positive, "how far above the lowest cost the optimisers are compared")
    max_steps: int = option(50, whole(), "of each optimiser")
    num_particles: int = option(20_000, whole(), "number of particles, in each run of theirs")
    num_runs: int = option(8, whole(2), "runs of the particles that are averaged")
    particle_dt: float = option(0.0025, positive, "time step of the particles", "time")

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.system(1).grid_shape
        if any(n % self.bins for n in shape):
            raise ValueError(f"`bins` must divide the cells along each axis, {shape}, got {self.bins}.")

    def system(self, finer: int) -> TwoBlobs:
        """What is observed, with so many times the cells of the fit along each axis."""
        shape = tuple(finer * n for n in self.shape)
        return TwoBlobs(ndim=2, shape=shape, mobility=self.mobility, sensitivity=self.sensitivity)

    def pictures(self, finer: int) -> Simulation:
        """From mobility and sensitivity to what a detector without noise would see."""
        system = self.system(finer)
        problem = system.problem()

        def build(unknown: Any) -> Problem:
            return problem.replace(model=phks(unknown["mobility"], unknown["sensitivity"], system.consumption))

        return Simulation(
            build,
            FiniteVolume(),
            ts=self.times,
            observe=Bins.even(box(problem), self.bins),
            dt=self.dt / finer**2,
        )

    def run(self, seed: int = 0, report: Report = silent) -> Recovery:
        """Makes the observations, and recovers the parameters from them twice.

        **Raises:** as `jc.solve`; `ValueError` where the truth cannot be run, or the fit does not converge.
        """
        truth = {"mobility": self.mobility, "sensitivity": self.sensitivity}
        report("observations, on a grid three times as fine")
        clean, result = eqx.filter_jit(self.pictures(3))(truth)
        if not bool(result == RESULTS.successful):
            raise ValueError(f"Nothing can be observed, as the run of the truth does not go well: {RESULTS[result]}")
        observed = clean + self.observation_noise * jax.random.normal(jax.random.key(seed), clean.shape, clean.dtype)
        priors = {name: LogNormal(guess, self.factor) for name, guess in zip(truth, self.guess, strict=True)}
        posterior = Posterior(priors, self.pictures(1), observed, Gaussian(self.observation_noise))

        report("a trust region; derivatives through the simulation are compiled first")
        clock = time.perf_counter()
        best = fit(posterior, max_steps=self.max_steps, progress=False)
        steps = [step.simulations for step in best.steps], [step.cost for step in best.steps]
        descent = Descent(*steps, time.perf_counter() - clock)
        known = laplace(best)
        target = best.cost + self.slack
        report("Nelder-Mead")
        simplex = self._nelder_mead(posterior, target)
        report("what the grid does: one run with twice the cells along each axis")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it is in the numbers and in the figure
            shift = grid_shift(best, self.pictures(2))
            report("what particles say")
            particles, sampling = self._by_particles(posterior, best, jax.random.fold_in(jax.random.key(seed), 1))
        fitted, _ = eqx.filter_jit(posterior.predict)(best.parameters, None)
        problem = self.system(1).problem()
        answers = best, known, shift, particles, sampling
        return Recovery(problem, *answers, descent, simplex, target, np.asarray(observed), np.asarray(fitted))

    def numbers(self, outcome: Recovery) -> dict[str, Any]:
        """What was recovered and at what cost, ready for JSON; `simulations` are those to the target cost."""
        truth, ends = (self.mobility, self.sensitivity), outcome.known.interval(0.9)
        by_particles = laplace(outcome.particles).interval(0.9)
        recovered = {
            name: {
                "value": float(outcome.fit.parameters[name]),
                "interval": [float(end) for end in ends[name]],
                "grid_shift": outcome.shift.relative[name],
                "corrected": float(outcome.shift.corrected[name]),
                "particles": {
                    "value": float(outcome.particles.parameters[name]),
                    "interval": [float(end) for end in by_particles[name]],
                    "sampling_noise": outcome.sampling.relative[name],
                },
                "truth": true,
                "guess": guess,
            }
            for name, true, guess in zip(UNITS, truth, self.guess, strict=True)
        }
        descents = {"trust_region": outcome.trust_region, "nelder_mead": outcome.nelder_mead}
        return {
            "recovered": recovered,
            "correlation": float(outcome.known.correlation[0, 1]),
            "chi_square": outcome.fit.chi_square,
            "target_cost": outcome.target,
            **{
                name: {
                    "simulations": descent.simulations_to(outcome.target),
                    "cost": min(descent.cost),
                    "seconds": descent.seconds,
                }
                for name, descent in descents.items()
            },
        }

    def lines(self, outcome: Recovery) -> list[str]:
        numbers = self.numbers(outcome)
        lines = []
        for name, n in numbers["recovered"].items():
            low, high = n["interval"]
            lines.append(
                f"{name:>12} {n['value']:.4g}, 90% by the noise {low:.4g} to {high:.4g} (truth {n['truth']:g})"
            )
            shift = f"the grid shifts it by {n['grid_shift']:+.1f} standard deviations"
            lines.append(f"{'':>12} {shift}: without, {n['corrected']:.4g}")
            low, high = n["particles"]["interval"]
            noise = f"their noise moves it by {n['particles']['sampling_noise']:.1g} standard deviations"
            lines.append(f"{'':>12} by particles {n['particles']['value']:.4g}, {low:.4g} to {high:.4g}; {noise}")
        for name in ("trust_region", "nelder_mead"):
            simulations = numbers[name]["simulations"]
            lines.append(f"{name.replace('_', ' '):>20}: {simulations} simulations to the same cost")
        return lines

    def draw(self, outcome: Recovery, folder: Path) -> Path:
        from jaxchemo.experiments.recover import figures

        recovered = self.numbers(outcome)["recovered"]
        figure = figures.recovery(
            outcome.problem,
            times=self.times,
            observed=outcome.observed,
            fitted=outcome.fitted,
            noise=self.observation_noise,
            descents={
                "trust region, with derivatives": outcome.trust_region.down_to(outcome.target),
                "Nelder-Mead, without": outcome.nelder_mead.down_to(outcome.target),
            },
            lowest=outcome.fit.cost,
            target=outcome.target,
            values={name: {**recovered[name], "unit": unit} for name, unit in UNITS.items()},
        )
        figure.savefig(folder / "recovery.png")
        return folder / "recovery.png"

    def _by_particles(self, posterior: Posterior, best: Fit, key: Array) -> tuple[Fit, SamplingNoise]:
        """What particles say about the same pictures, and what their noise does to it."""
        method = ParticleField(self.num_particles, increments=Antithetic())
        settings = {"key": key, "num_runs": self.num_runs, "dt": self.particle_dt}
        predict = ParticleSimulation(self.pictures(1), method, **settings)
        alike = eqx.tree_at(lambda each: each.predict, posterior, predict)
        found = fit_particles(alike, best.parameters, max_steps=self.max_steps, progress=False)
        return found, sampling_noise(found)

    def _nelder_mead(self, posterior: Posterior, target: float) -> Descent:
        clock = time.perf_counter()
        log_density = jax.jit(posterior.log_density)
        simulations: list[int] = []
        lowest: list[float] = []

        def cost(z: np.ndarray) -> float:
            now = -float(log_density(jnp.asarray(z, float)))
            simulations.append(len(simulations) + 1)
            lowest.append(min([now, *lowest[-1:]]))
            if lowest[-1] <= target:
                raise _Reached
            return now

        corners = np.concatenate([np.zeros((1, 2)), 0.3 * np.eye(2)])  # edges of a third of the priors' deviation
        limits = {"initial_simplex": corners, "maxfev": 20 * self.max_steps, "xatol": 0.0, "fatol": 0.0}
        with contextlib.suppress(_Reached):
            minimize(cost, corners[0], method="Nelder-Mead", options=limits)
        return Descent(simulations, lowest, time.perf_counter() - clock)


class _Reached(Exception):
    """The cost to stop at."""
