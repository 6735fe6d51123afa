"""Patterns that form by themselves: spikes in one dimension, spots in two."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo._progress import Report, silent
from jaxchemo.analysis import fastest, spikes
from jaxchemo.domain import Grid, Periodic
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import (
    even_steps,
    final_time,
    full_shape,
    grid_cells,
    option,
    positive,
    snapshots,
    time_step,
    whole,
)
from jaxchemo.experiments.posed import Posed, Simulation
from jaxchemo.initial import array, function, uniform
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import AbstractMethod, FiniteVolume
from jaxchemo.models import Model, keller_segel, logistic_chemotaxis
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True)
class Gathering:
    """What came out: cell centres and times, the density at each, and how many spikes there were."""

    x: Float[np.ndarray, " n"]
    ts: Float[np.ndarray, " t"]
    density: Float[np.ndarray, "t n"]
    spikes: list[int]
    mass_drift: float
    predicted: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class KellerSegel1D(Posed, Experiment[Gathering]):
    """A population that is spread evenly, but for a little noise, on a ring: it gathers in spikes.

    **Arguments:**

    - `mobility`, `diffusivity`: of population and signal [length^2 / time].
    - `sensitivity`: chi [length^2 / time / concentration]; `decay`: of the signal [1 / time].
    - `length`: of the ring [length]; `shape`: cells of its grid; `noise_height`: of the noise on a density of 1.
    - `t1`, `dt`, `frames`: final time and step [time], and snapshots after the first.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.KellerSegel1D(length=50.0)
    >>> experiment.title
    'A population on a ring gathers in spikes'
    >>> experiment.sensitivity
    40.0
    """

    name: ClassVar[str] = "keller-segel-1d"
    title: ClassVar[str] = "A population on a ring gathers in spikes"
    description: ClassVar[str] = (
        "A population that secretes what it climbs, spread evenly but for a little noise. The waves that linear theory "
        "says grow fastest win and become spikes; those that are close merge."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    mobility: float = option(1.0, positive, "diffusivity of the population", "length² / time")
    diffusivity: float = option(20.0, positive, "of the signal", "length² / time")
    sensitivity: float = option(40.0, positive, "drift per gradient of the signal", "length² / time / conc.")
    decay: float = option(1.0, positive, "of the signal", "1 / time")
    length: float = option(100.0, positive, "of the ring", "length")
    shape: tuple[int, ...] = grid_cells((800,), at_least=8)
    noise_height: float = option(0.01, positive, "of the noise on a density of 1")
    t1: float = final_time(20.0)
    dt: float = time_step(2.5e-4)
    frames: int = snapshots(100)

    def model(self) -> Model:
        return keller_segel(self.mobility, self.sensitivity, 1.0, self.decay, self.diffusivity)

    def problem(self, seed: int = 0) -> Problem:
        (num_cells,) = full_shape(self.shape, 1)
        noise = np.random.default_rng(seed).uniform(-0.5, 0.5, num_cells)
        start = array(1 + self.noise_height * noise), uniform(amplitude=1 / self.decay)
        return Problem(self.model(), Grid.box(0.0, self.length, num_cells, Periodic()), *start)

    def span(self, method: AbstractMethod) -> tuple[float, float, int]:
        return self.t1, self.t1 / even_steps(self.t1, self.dt, self.frames), self.frames

    def run(self, seed: int = 0, report: Report = silent) -> Gathering:
        """Solves it by finite volumes.

        **Raises:** as `jc.solve`.
        """
        problem, (t1, dt, frames) = self.problem(seed), self.span(FiniteVolume())
        grid = problem.domain
        assert isinstance(grid, Grid)
        report("spikes form")
        saveat = SaveAt(every=round(t1 / dt) // frames)
        run = solve(problem, FiniteVolume(), t1=t1, dt=dt, saveat=saveat, adjoint=Forward())
        density = np.asarray(run.ys.density, float)
        masses = density.sum(axis=1)
        wave = fastest(self.model(), {"rho": 1.0, "c": 1 / self.decay})
        predicted = self.length * float(wave.wavenumber) / (2 * math.pi) if float(wave.rate) > 0 else 0.0
        # Twice the mean density: what is higher is a spike, and no wave that has just begun to grow.
        counts = [spikes(u, grid, threshold=2.0).places.size for u in density]
        drift = float(np.max(np.abs(masses / masses[0] - 1)))
        return Gathering(np.asarray(grid.axes[0]), np.asarray(run.ts), density, counts, drift, predicted)

    def numbers(self, outcome: Gathering) -> dict[str, Any]:
        """Spikes at each time, the number that linear theory predicts, mass drift and extremes, ready for JSON."""
        return {
            "times": outcome.ts.tolist(),
            "spikes": outcome.spikes,
            "predicted_waves": outcome.predicted,
            "mass_drift": outcome.mass_drift,
            "min_density": float(outcome.density.min()),
            "max_density": float(outcome.density.max()),
        }

    def lines(self, outcome: Gathering) -> list[str]:
        low, high, count = outcome.density.min(), outcome.density.max(), outcome.spikes[-1]
        return [
            f"{count} spikes at t = {outcome.ts[-1]:g}; the fastest wave fits {outcome.predicted:.1f} times",
            f"density from {low:.2g} to {high:.3g}, mass drift {outcome.mass_drift:.1e}",
        ]

    def draw(self, outcome: Gathering, folder: Path) -> Path:
        from jaxchemo import plotting

        times = [share * self.t1 for share in (0.0, 0.36, 0.46, 1.0)]
        figure = plotting.kymograph(outcome.x, outcome.ts, outcome.density, times=times)
        figure.savefig(folder / "spikes.png")
        plotting.film(outcome.x, outcome.ts, outcome.density, folder / "film.gif")
        return folder / "spikes.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class KellerSegel2D(Simulation):
    """A population that grows and secretes what it climbs, spread evenly but for a little smooth noise, on a torus.

    **Arguments:** those of `Simulation`, and

    - `sensitivity`: chi [length^2 / time / concentration]; `mobility`, `diffusivity`: of population and signal
      [length^2 / time]; `decay`: of the signal [1 / time].
    - `length`: of the torus along each axis [length].
    - `noise`: root mean square of the noise on a density of 1; `modes`: twice as many as there are of its shortest
      waves along an axis.

    The voids of the pattern are nearly empty and have steep sides: `Spectral` needs a much finer grid to stay positive.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.KellerSegel2D(shape=(80,))
    >>> experiment.title
    'Dots and mazes from noise: growing and gathering'
    >>> experiment.grid_shape
    (80, 80)
    """

    name: ClassVar[str] = "keller-segel-2d"
    title: ClassVar[str] = "Dots and mazes from noise: growing and gathering"
    description: ClassVar[str] = (
        "A population grows to a density of 1 and climbs a signal it secretes, the less the denser it is. Beyond a "
        "critical sensitivity the even state is unstable: waves of the length that linear theory predicts grow, and "
        "become dots that join to a maze of threads."
    )
    show_times: ClassVar[tuple[float, ...] | None] = (0.0, 20.0, 40.0, 100.0)
    dimensions: ClassVar[tuple[int, ...]] = (2,)

    t1: float = final_time(100.0)
    frames: int = snapshots(50)
    sensitivity: float = option(6.0, positive, "drift per gradient of the signal", "length² / time / conc.")
    mobility: float = option(1.0, positive, "diffusivity of the population", "length² / time")
    diffusivity: float = option(1.0, positive, "of the signal", "length² / time")
    decay: float = option(0.1, positive, "of the signal", "1 / time")
    length: float = option(80.0, positive, "of the torus along each axis", "length")
    noise: float = option(0.01, positive, "root mean square of the noise on a density of 1")
    modes: int = option(40, whole(2), "twice as many as there are of the noise's shortest waves along an axis")

    def model(self) -> Model:
        """The logistic model with these numbers."""
        return logistic_chemotaxis(self.sensitivity, self.mobility, self.diffusivity, self.decay)

    def problem(self, seed: int = 0) -> Problem:
        grid = Grid.box((0.0, 0.0), (self.length, self.length), self.grid_shape, Periodic())
        start = function(_noise(self.length, self.modes, self.noise, seed))
        return Problem(self.model(), grid, start, uniform(amplitude=1 / self.decay))

    @property
    def resolution(self) -> tuple[tuple[int, ...], float]:
        return (160, 160), 0.04

    def through(self, ndim: int) -> tuple[float, ...]:
        return (0.5 * self.length,) * ndim


def _noise(length: float, modes: int, size: float, seed: int) -> Callable[[Float[Array, "*batch 2"]], Array]:
    """`1 + ` waves of random phase that fit on the torus, all of one height: the same field on every grid."""
    rng = np.random.default_rng(seed)
    k = rng.integers(-(modes // 2), modes // 2 + 1, (80, 2))
    k = jnp.asarray(2 * np.pi / length * k[np.any(k != 0, axis=1)])
    phases = jnp.asarray(rng.uniform(0, 2 * np.pi, len(k)))

    def value(x: Float[Array, "*batch 2"]) -> Array:
        def add(total, wave):
            return total + jnp.cos(x @ wave[0].astype(x.dtype) + wave[1]), None

        total, _ = jax.lax.scan(add, jnp.zeros(x.shape[:-1], x.dtype), (k, phases))
        return 1 + size * math.sqrt(2 / len(k)) * total

    return value
