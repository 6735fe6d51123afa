"""Predictions by particles: their values, with the derivatives of a grid that solves the same problem."""

import dataclasses
import math
import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.inference.posterior import Posterior
from jaxchemo.inference.simulation import Parameters, Simulation
from jaxchemo.inference.unknowns import known
from jaxchemo.integrate import SaveAt, solve
from jaxchemo.integrate.adjoint import AbstractAdjoint
from jaxchemo.methods.base import AbstractFixedStep
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

LOUD = 0.3  # noise of particles beside that of data: error bars that leave it out are 4% too short
QUIET = 0.2  # what is advised, as the spread of eight runs is itself known to a quarter only


class ParticleSimulation(Shown):
    """Predicts by particles, the mean of several runs, and takes derivatives from a grid that solves the same problem.

    Derivatives along the paths of particles that act on one another grow with every step, and say nothing where
    particles are few: see `pathwise`. The grid's are those of the density that particles sample, without noise; where
    values differ, by noise, by how a method smooths, or by too few particles, the value is that of the particles. Keys
    are fixed, so that a prediction is a function: but a rough one, and `fit` may find no rest on it. `fit_particles`
    asks the particles a few times only, and searches on a smooth function between. What counts as one simulation of a
    fit is `num_runs` runs.

    **Arguments:**

    - `simulation`: on a grid; its problem, times and observation are those of the particles too.
    - `method`: of particles. `ParticleField(20_000, increments=jc.Antithetic())` has less noise for the same cost.
    - `key`: random key of all runs.
    - `num_runs`: runs, at least 2, that are averaged; what their mean is uncertain by falls as their root. Default 8.
    - `dt`: time step of the particles [time]. Default: that of the simulation.
    - `build`, `observe`: for the particles, where they are others than the grid's: `FreeSpace` for one, and moments of
      `shown.positions`. Predictions have the same shapes.

    **Raises:** `TypeError` or `ValueError` naming the argument at fault.

    >>> grid = jc.Grid.box(0.0, 1.0, 32)
    >>> def build(parameters):
    ...     model = jc.models.Model({"u": jc.models.Species(parameters["mobility"])})
    ...     return jc.Problem(model, grid, jc.initial.gaussian(mass=1.0, center=0.5, std=0.1))
    >>> fields = jc.inference.Simulation(
    ...     build, jc.FiniteVolume(), ts=(0.1,), observe=jc.inference.Bins.even(grid, 4), dt=0.005
    ... )
    >>> particles = jc.inference.ParticleSimulation(fields, jc.ParticleField(1_000), key=jax.random.key(0))
    >>> at = {"mobility": 0.1}
    >>> bool(abs(particles(at)[0] - fields(at)[0]).max() < 5 * particles.error(at).max())
    True
    >>> slope, of_fields = (jax.jacfwd(lambda p: each(p)[0])(at)["mobility"] for each in (particles, fields))
    >>> bool(jnp.allclose(slope, of_fields))
    True
    """

    simulation: Simulation
    method: AbstractFixedStep
    key: PRNGKeyArray
    num_runs: int = eqx.field(static=True)
    dt: float = eqx.field(static=True)
    build: Callable[[Parameters], Problem]
    observe: Callable[[Any], Any]

    def __init__(
        self,
        simulation: Simulation,
        method: AbstractFixedStep,
        *,
        key: PRNGKeyArray,
        num_runs: int = 8,
        dt: float | None = None,
        build: Callable[[Parameters], Problem] | None = None,
        observe: Callable[[Any], Any] | None = None,
    ):
        self.simulation = _checks.instance("simulation", simulation, Simulation, "a Simulation on a grid")
        what = "a method of particles such as ParticleField(20_000)"
        self.method = _checks.instance("method", method, AbstractFixedStep, what)
        if not self.method.stochastic:
            raise TypeError(f"`method` is {method!r}, which has no noise: Simulation(build, method, ...) takes it.")
        self.key = _checks.random_key("key", key)
        self.num_runs = _checks.natural("num_runs", num_runs, at_least=2)
        step = simulation.dt if dt is None else _checks.constant(_checks.positive, "dt", dt)
        self.dt = _checks.given("dt", step, "a time step of the particles, as the simulation has none")
        self.build = _checks.function("build", build or simulation.build, "from parameters by name to a Problem")
        self.observe = _checks.function("observe", observe or simulation.observe, "from a Snapshot to an array")

    def __call__(self, parameters: Parameters, adjoint: AbstractAdjoint | None = None) -> tuple[Any, RESULTS]:
        """The mean of what would be observed, with the grid's derivatives, and how the runs ended.

        One that did not go well, also on the grid, speaks for all.

        **Raises:** as `jc.solve`; `ValueError` where particles and grid predict arrays of other shapes.
        """
        of_grid, result = self.simulation(parameters, adjoint)
        runs, ended = self.runs(jax.lax.stop_gradient(parameters))
        return _valued(_same(_mean(runs), of_grid), of_grid), RESULTS.where(result == RESULTS.successful, ended, result)

    def runs(self, parameters: Parameters) -> tuple[Any, RESULTS]:
        """What would be observed of each run, along a first axis, and how they ended.

        Without any derivatives to rely on: those of the paths are `pathwise`'s matter.

        **Raises:** as `jc.solve`.
        """
        saveat = SaveAt(ts=self.simulation.ts, fn=self.observe)
        settings = {"t0": self.simulation.t0, "t1": self.simulation.ts[-1], "dt": self.dt, "saveat": saveat}
        problem = self.build(parameters)

        def run(key: PRNGKeyArray) -> tuple[Any, RESULTS]:
            solution = solve(problem, self.method, **settings, key=key, throw=False)
            return solution.ys, solution.result

        # One after another: particles fill the machine as it is.
        seen, ended = jax.lax.map(run, jax.random.split(self.key, self.num_runs))
        worst = jnp.argmax(jax.vmap(lambda each: each != RESULTS.successful)(ended))
        return seen, jax.tree.map(lambda each: each[worst], ended)

    def error(self, parameters: Parameters) -> Any:
        """The standard error of the prediction, of the shapes of the data; it has no part of what all runs share.

        **Raises:** as `jc.solve`.
        """
        runs, _ = self.runs(parameters)
        return jax.tree.map(lambda each: jnp.std(each, axis=0, ddof=1) / math.sqrt(self.num_runs), runs)

    def about(self, parameters: Parameters) -> "Corrected":
        """The grid's prediction, and what the particles add to it at these parameters: theirs there, and smooth.

        **Raises:** as `jc.solve`; `ValueError` if a run does not go well.
        """
        difference, runs, result = _compared(self, dict(parameters))
        if not bool(result == RESULTS.successful):
            raise ValueError(f"`parameters`: no particles run with {dict(parameters)!r}: {RESULTS[result]}")
        return Corrected(self, difference, runs)


class Corrected(Shown):
    """A prediction by a grid, shifted by a constant to that of particles at certain parameters.

    Made by `ParticleSimulation.about(parameters)`. Smooth, and far cheaper than particles.

    **Fields:**

    - `particles`: a `ParticleSimulation`.
    - `difference`: between particles and grid, of the shapes of the data.
    - `seen`: what was observed of each run of the particles, along a first axis.

    >>> def build(parameters):
    ...     model = jc.models.Model({"u": jc.models.Species(parameters["mobility"])})
    ...     return jc.Problem(model, jc.Grid.box(0.0, 1.0, 16), jc.initial.gaussian(mass=1.0, center=0.5, std=0.1))
    >>> fields = jc.inference.Simulation(
    ...     build, jc.FiniteVolume(), ts=(0.1,), observe=lambda shown: shown.density, dt=0.01
    ... )
    >>> particles = jc.inference.ParticleSimulation(fields, jc.ParticleField(100), key=jax.random.key(0))
    >>> at = {"mobility": 0.1}
    >>> bool(jnp.allclose(particles.about(at)(at)[0], particles(at)[0], atol=1e-5))
    True
    """

    particles: ParticleSimulation
    difference: Any
    seen: Any

    def __call__(self, parameters: Parameters, adjoint: AbstractAdjoint | None = None) -> tuple[Any, RESULTS]:
        """What would be observed, and how the run on the grid ended.

        **Raises:** as `jc.solve`.
        """
        of_grid, result = self.particles.simulation(parameters, adjoint)
        return jax.tree.map(jnp.add, of_grid, self.difference), result


@dataclasses.dataclass(frozen=True, repr=False)
class SamplingNoise:
    """What the noise of particles does to a fit, by how their runs differ.

    **Fields:**

    - `ratio`: standard error of the prediction over the noise of the data, root of the mean of squares.
    - `relative`: by label, the standard error of an estimate that is the particles' alone [standard deviations of the
      posterior].
    - `num_runs`: that were averaged.

    >>> jc.inference.SamplingNoise(ratio=0.1, relative={"mobility": 0.6}, num_runs=8).enough
    72
    """

    ratio: float
    relative: dict[str, float]
    num_runs: int

    @property
    def worst(self) -> float:
        """The largest of all of them."""
        return float(np.max([self.ratio, *self.relative.values()]))  # NaN, if there is one

    @property
    def enough(self) -> int:
        """Runs after which the worst should be 0.2."""
        return max(2, math.ceil(self.num_runs * (self.worst / QUIET) ** 2 - 1e-9))

    def __repr__(self) -> str:
        each = ", ".join(f"{label} {value:.2g}" for label, value in self.relative.items())
        return (
            f"SamplingNoise({self.ratio:.2g} of the noise of the data; standard errors of estimates, in standard "
            f"deviations of the posterior: {each}; {self.num_runs} runs)"
        )


def noise_of(posterior: Posterior, z: Float[Array, " p"], jacobian: Float[np.ndarray, "n p"]) -> SamplingNoise | None:
    """What the noise of particles does to a fit that ended at `z`; nothing where no particles predict."""
    if not isinstance(posterior.predict, ParticleSimulation | Corrected):
        return None
    turns = np.asarray(_turns(posterior, z), float)
    runs = len(turns)
    ratio = float(np.sqrt(np.sum(np.var(turns, axis=0, ddof=1)) / runs / posterior.count))
    covariance = known(jacobian)
    shifts = np.std(turns @ jacobian @ covariance, axis=0, ddof=1) / math.sqrt(runs)
    relative = shifts / np.sqrt(np.diag(covariance))
    return SamplingNoise(ratio, dict(zip(posterior.labels, relative.tolist(), strict=True)), runs)


def warn_if_loud(noise: SamplingNoise | None, stacklevel: int = 3) -> None:
    """Warns (`UserWarning`) of particles whose noise is not small beside that of the data."""
    if noise is not None and not noise.worst <= LOUD:
        count = f"`num_runs={noise.enough}`" if math.isfinite(noise.worst) else "More runs"
        warnings.warn(
            f"The noise of the particles is not small beside that of the data: {noise!r}. {count}, as many times "
            "more particles, or increments=Antithetic() would do; error bars leave this noise out.",
            stacklevel=stacklevel,
        )


@eqx.filter_jit
def _compared(particles: ParticleSimulation, parameters: Parameters) -> tuple[Any, Any, RESULTS]:
    """What particles add to the grid, each of their runs, and how the runs ended."""
    of_grid, result = particles.simulation(parameters)
    runs, ended = particles.runs(parameters)
    difference = jax.tree.map(jnp.subtract, _same(_mean(runs), of_grid), of_grid)
    return difference, runs, RESULTS.where(result == RESULTS.successful, ended, result)


@eqx.filter_jit
def _turns(posterior: Posterior, z: Float[Array, " p"]) -> Float[Array, "k n"]:
    """By how much each run would change the residuals, to first order, were it the prediction."""
    predict, parameters = posterior.predict, posterior.parameters(z)
    assert isinstance(predict, ParticleSimulation | Corrected)
    runs = predict.seen if isinstance(predict, Corrected) else predict.runs(parameters)[0]
    predicted = predict(parameters)[0] if isinstance(predict, Corrected) else _mean(runs)

    def turn(run: Any) -> Array:
        off = jax.tree.map(lambda each, mean: each - mean, run, _mean(runs))
        return jax.jvp(posterior.misfit, (predicted,), (off,))[1]

    return jax.vmap(turn)(runs)


def _mean(runs: Any) -> Any:
    return jax.tree.map(lambda each: jnp.mean(each, axis=0), runs)


def _same(seen: Any, of_grid: Any) -> Any:
    """What particles predict, in the structure, shapes and precision of the grid's."""
    shapes = [jax.tree.map(lambda leaf: tuple(jnp.shape(leaf)), tree) for tree in (seen, of_grid)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"`method` leads to predictions of the shapes {shapes[0]}, the grid to {shapes[1]}: `observe` must give "
            "the same for particles."
        )
    return jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), seen, of_grid)


@jax.custom_jvp
def _valued(seen: Any, of_grid: Any) -> Any:
    """The first, with derivatives of the second, in every mode."""
    return seen


@_valued.defjvp
def _(primals, tangents):
    return _valued(*primals), tangents[1]
