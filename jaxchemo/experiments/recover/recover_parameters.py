"""A first inference: mobility and sensitivity of the two blobs, from noisy pictures of them at three times."""

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Float
from scipy.optimize import minimize

from jaxchemo._progress import Report, silent
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.food import TwoBlobs
from jaxchemo.experiments.options import grid_cells, in_turn, option, positive, rising, whole
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import FiniteVolume
from jaxchemo.models import phks
from jaxchemo.problem import Problem

NAMES = ("mobility", "sensitivity")
UNITS = ("length² / time", "length² / time / conc.")


@dataclasses.dataclass(frozen=True)
class Descent:
    """How an optimiser went down.

    **Fields:**

    - `simulations`: used so far, at each step; a derivative with respect to one parameter counts as one.
    - `misfit`: the lowest so far, never rising, half the sum of squared differences over the noise.
    - `values`: parameters it ended with.
    - `seconds`: wall time, compilation included.
    """

    simulations: list[int]
    misfit: list[float]
    values: tuple[float, ...]
    seconds: float

    def simulations_to(self, target: float) -> int | None:
        """Simulations until the misfit was first at most `target`; `None` if it never was."""
        return next((n for n, m in zip(self.simulations, self.misfit, strict=True) if m <= target), None)

    def down_to(self, target: float) -> tuple[list[int], list[float]]:
        """Simulations and misfits until the misfit was first at most `target`, to be drawn against one another."""
        end = sum(m > target for m in self.misfit) + 1
        return self.simulations[:end], self.misfit[:end]


@dataclasses.dataclass(frozen=True)
class Recovery:
    """What was recovered.

    **Fields:**

    - `problem`: what was observed, with the true parameters.
    - `values`, `errors`: mobility and sensitivity, and one standard deviation of each [length^2 / time],
      [length^2 / time / concentration].
    - `correlation`: of their errors [dimensionless].
    - `levenberg_marquardt`, `nelder_mead`: how the two optimisers went, with and without gradients.
    - `target`: the misfit at which they are compared.
    - `observed`, `fitted`: densities `(times, *shape)` [mass / length^2].

    >>> import dataclasses
    >>> [field.name for field in dataclasses.fields(jc.experiments.Recovery)][:4]
    ['problem', 'values', 'errors', 'correlation']
    """

    problem: Problem
    values: tuple[float, ...]
    errors: tuple[float, ...]
    correlation: float
    levenberg_marquardt: Descent
    nelder_mead: Descent
    target: float
    observed: np.ndarray
    fitted: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecoverParameters(Experiment[Recovery]):
    """Mobility and sensitivity of `two-blobs` in 2D, from densities at a few times with independent Gaussian noise.

    Gradients through the simulation feed Levenberg-Marquardt in the logarithms of the parameters; scipy's Nelder-Mead
    starts from the same guess and stops at the same misfit. The data come from the scheme that fits them, so the error
    bars are those of the noise alone.

    **Arguments:**

    - `mobility`, `sensitivity`: the truth, of `two-blobs` [length^2 / time], [length^2 / time / concentration].
    - `shape`: grid cells along each axis.
    - `dt`: time step [time].
    - `times`: of the observations [time].
    - `observation_noise`: standard deviation of an observation [mass / length^2].
    - `guess`: mobility and sensitivity to start from.
    - `slack`: how far above the lowest misfit the optimisers are compared; 0.005 is a tenth of an error bar.
    - `max_steps`: of each optimiser.

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
        "simulation recover mobility and sensitivity with error bars; simulations are counted against Nelder-Mead."
    )

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    mobility: float = option(0.1, positive, "the truth: diffusivity of the population", "length² / time")
    sensitivity: float = option(1.0, positive, "the truth: drift per gradient of the food", "length² / time / conc.")
    shape: tuple[int, ...] = grid_cells((48,))
    dt: float = option(0.005, positive, "time step", "time")
    times: tuple[float, ...] = option((0.15, 0.3, 0.45), rising, "of the observations", "time")
    observation_noise: float = option(0.05, positive, "standard deviation of an observation", "mass / length²")
    guess: tuple[float, float] = option((0.3, 0.4), in_turn(positive, positive), "mobility, sensitivity to start from")
    slack: float = option(0.005, positive, "how far above the lowest misfit the optimisers are compared")
    max_steps: int = option(50, whole(), "of each optimiser")

    @property
    def system(self) -> TwoBlobs:
        """What is observed."""
        return TwoBlobs(ndim=2, shape=self.shape, mobility=self.mobility, sensitivity=self.sensitivity)

    def run(self, seed: int = 0, report: Report = silent) -> Recovery:
        """Makes the observations, and recovers the parameters from them twice.

        **Raises:** as `jc.solve`.
        """
        start, problem = jnp.log(jnp.asarray(self.guess)), self.system.problem()
        truth = jnp.log(jnp.asarray([self.mobility, self.sensitivity]))
        report("observations")
        clean = eqx.filter_jit(self._densities)(problem, truth)
        observed = clean + self.observation_noise * jax.random.normal(jax.random.key(seed), clean.shape, clean.dtype)

        def residuals(logs: Float[Array, " p"], _: Any = None) -> Float[Array, " n"]:
            return ((self._densities(problem, logs) - observed) / self.observation_noise).ravel()

        report("Levenberg-Marquardt; gradients through the simulation are compiled first")
        marquardt = self._levenberg_marquardt(residuals, start)
        target = min(marquardt.misfit) + self.slack
        report("Nelder-Mead")
        simplex = self._nelder_mead(residuals, start, target)

        report("error bars")
        best = jnp.log(jnp.asarray(marquardt.values))
        jacobian = np.asarray(jax.jit(jax.jacfwd(residuals))(best), float)
        # In the logarithms: the residuals are in units of the noise, so the inverse of J^T J is their covariance.
        covariance = np.linalg.inv(jacobian.T @ jacobian)
        deviation = np.sqrt(np.diag(covariance))
        return Recovery(
            problem,
            marquardt.values,
            tuple(float(v * s) for v, s in zip(marquardt.values, deviation, strict=True)),
            float(covariance[0, 1] / deviation.prod()),
            marquardt,
            simplex,
            target,
            np.asarray(observed),
            np.asarray(eqx.filter_jit(self._densities)(problem, best)),
        )

    def numbers(self, outcome: Recovery) -> dict[str, Any]:
        """What was recovered and at what cost, ready for JSON; `simulations` are those to the target misfit."""
        truth = (self.mobility, self.sensitivity)
        columns = zip(outcome.values, outcome.errors, truth, self.guess, strict=True)
        keys = ("value", "error", "truth", "guess")
        descents = {"levenberg_marquardt": outcome.levenberg_marquardt, "nelder_mead": outcome.nelder_mead}
        return {
            "recovered": {n: dict(zip(keys, column, strict=True)) for n, column in zip(NAMES, columns, strict=True)},
            "correlation": outcome.correlation,
            "target_misfit": outcome.target,
            **{
                name: {
                    "simulations": descent.simulations_to(outcome.target),
                    "misfit": min(descent.misfit),
                    "seconds": descent.seconds,
                }
                for name, descent in descents.items()
            },
        }

    def lines(self, outcome: Recovery) -> list[str]:
        numbers = self.numbers(outcome)
        lines = [
            f"{name:>12} {n['value']:.4g} ± {n['error']:.1g}   (truth {n['truth']:g}, guess {n['guess']:g})"
            for name, n in numbers["recovered"].items()
        ]
        for name in ("levenberg_marquardt", "nelder_mead"):
            simulations = numbers[name]["simulations"]
            lines.append(f"{name.replace('_', '-'):>20}: {simulations} simulations to the same misfit")
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
                "Levenberg-Marquardt, with gradients": outcome.levenberg_marquardt.down_to(outcome.target),
                "Nelder-Mead, without": outcome.nelder_mead.down_to(outcome.target),
            },
            lowest=min(outcome.levenberg_marquardt.misfit),
            target=outcome.target,
            values={name: {**recovered[name], "unit": unit} for name, unit in zip(NAMES, UNITS, strict=True)},
        )
        figure.savefig(folder / "recovery.png")
        return folder / "recovery.png"

    def _densities(self, problem: Problem, logs: Float[Array, " p"]) -> Float[Array, "k x y"]:
        mobility, sensitivity = jnp.exp(logs)
        problem = problem.replace(model=phks(mobility, sensitivity, self.system.consumption))
        saveat = SaveAt(ts=self.times, fn=lambda snapshot: snapshot.density)
        t1 = max(self.times)
        return solve(problem, FiniteVolume(), t1=t1, dt=self.dt, saveat=saveat, adjoint=Forward(), throw=False).ys

    def _levenberg_marquardt(self, residuals, start) -> Descent:
        solver, options, tags = optx.LevenbergMarquardt(rtol=1e-3, atol=1e-3), {"jac": "fwd"}, frozenset()
        count = jax.eval_shape(residuals, start).size

        def with_aux(logs, args):
            # Scaled to a mean square of one, for which the solver's first damping is the right size.
            return residuals(logs) / count**0.5, None

        clock = time.perf_counter()
        struct = jax.eval_shape(residuals, start)
        state = solver.init(with_aux, start, None, options, struct, None, tags)
        step = eqx.filter_jit(lambda y, state: solver.step(with_aux, y, None, options, state, tags)[:2])
        logs, simulations, misfit = start, [], []
        for _ in range(self.max_steps):
            logs, state = step(logs, state)
            # A step simulates once at its new point, and once more for the derivative by each parameter.
            simulations.append((1 + len(start)) * (len(simulations) + 1))
            misfit.append(count * _half_square(state.f_info.residual))
            if bool(state.terminate):
                break
        return Descent(simulations, misfit, _values(logs), time.perf_counter() - clock)

    def _nelder_mead(self, residuals, start, target: float) -> Descent:
        clock = time.perf_counter()
        compiled = jax.jit(residuals)
        simulations: list[int] = []
        misfit: list[float] = []
        best = np.asarray(start, float)

        def objective(logs: np.ndarray) -> float:
            nonlocal best
            now = _half_square(compiled(jnp.asarray(logs, start.dtype)))
            now = now if np.isfinite(now) else np.inf
            if not misfit or now < misfit[-1]:
                best = np.array(logs)
            simulations.append(len(simulations) + 1)
            misfit.append(min([now, *misfit[-1:]]))
            if misfit[-1] <= target:
                raise _Reached
            return now

        first = np.asarray(start, float)
        corners = np.concatenate([first[None], first + 0.3 * np.eye(len(first))])  # edges of about 30 percent
        limits = {"initial_simplex": corners, "maxfev": 20 * self.max_steps, "xatol": 0.0, "fatol": 0.0}
        with contextlib.suppress(_Reached):
            minimize(objective, first, method="Nelder-Mead", options=limits)
        return Descent(simulations, misfit, _values(best), time.perf_counter() - clock)


class _Reached(Exception):
    """The misfit to stop at."""


def _half_square(residuals: Any) -> float:
    return 0.5 * float(np.sum(np.asarray(residuals, np.float64) ** 2))


def _values(logs: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in np.exp(np.asarray(logs, np.float64)))
