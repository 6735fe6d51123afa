"""Patterns that form by themselves: spikes in one dimension, spots in two."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo._progress import Report, silent
from jaxchemo.analysis import fastest, spikes
from jaxchemo.domain import Grid, Periodic
from jaxchemo.experiments.base import Experiment, Study, even_steps
from jaxchemo.initial import array, function, uniform
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import FiniteVolume
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
class KellerSegel1D(Study):
    """Cells that are spread evenly, but for a little noise, on a ring: they gather in spikes.

    **Arguments:**

    - `mobility`, `diffusivity`: of cells and signal [length^2 / time].
    - `sensitivity`: chi [length^2 / time / concentration]; `decay`: of the signal [1 / time].
    - `length`, `cells`: of the ring [length]; `noise`: height of the noise on a density of 1.
    - `t1`, `dt`, `frames`: final time and step [time], and snapshots after the first.
    """

    name: ClassVar[str] = "keller-segel-1d"
    title: ClassVar[str] = "Cells on a ring gather in spikes"
    description: ClassVar[str] = (
        "Cells that secrete what they climb, spread evenly but for a little noise. The waves that linear theory says "
        "grow fastest win and become spikes; those that are close merge."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    mobility: float = 1.0
    diffusivity: float = 20.0
    sensitivity: float = 40.0
    decay: float = 1.0
    length: float = 100.0
    cells: int = 800
    noise: float = 0.01
    t1: float = 20.0
    dt: float = 2.5e-4
    frames: int = 100

    def model(self) -> Model:
        return keller_segel(self.mobility, self.sensitivity, 1.0, self.decay, self.diffusivity)

    def run(self, seed: int = 0, report: Report = silent) -> Gathering:
        """Solves it by finite volumes.

        **Raises:** as `jc.solve`.
        """
        grid = Grid.box(0.0, self.length, _checks.natural("cells", self.cells, at_least=8), Periodic())
        noise = np.random.default_rng(seed).uniform(-0.5, 0.5, self.cells)
        start = array(1 + self.noise * noise), uniform(amplitude=1 / self.decay)
        steps = even_steps(self.t1, self.dt, self.frames)
        saveat = SaveAt(every=steps // self.frames)
        problem = Problem(self.model(), grid, *start)
        report("spikes form")
        run = solve(problem, FiniteVolume(), t1=self.t1, dt=self.t1 / steps, saveat=saveat, adjoint=Forward())
        density = np.asarray(run.ys.density, float)
        masses = density.sum(axis=1)
        wave = fastest(self.model(), {"rho": 1.0, "c": 1 / self.decay})
        predicted = self.length * float(wave.wavenumber) / (2 * math.pi) if float(wave.rate) > 0 else 0.0
        counts = [spikes(u, grid, threshold=2.0).places.size for u in density]
        drift = float(np.max(np.abs(masses / masses[0] - 1)))
        return Gathering(np.asarray(grid.axes[0]), np.asarray(run.ts), density, counts, drift, predicted)

    def numbers(self, found: Gathering) -> dict[str, Any]:
        """Spikes at each time, the number that linear theory predicts, mass drift and extremes, ready for JSON."""
        return {
            "times": found.ts.tolist(),
            "spikes": found.spikes,
            "predicted_waves": found.predicted,
            "mass_drift": found.mass_drift,
            "min_density": float(found.density.min()),
            "max_density": float(found.density.max()),
        }

    def lines(self, found: Gathering) -> list[str]:
        return [
            f"{found.spikes[-1]} spikes at t = {found.ts[-1]:g}; the fastest wave fits {found.predicted:.1f} times",
            f"density from {found.density.min():.2g} to {found.density.max():.3g}, mass drift {found.mass_drift:.1e}",
        ]

    def draw(self, found: Gathering, folder: Path) -> Path:
        from jaxchemo import plotting

        times = [share * self.t1 for share in (0.0, 0.36, 0.46, 1.0)]
        figure = plotting.kymograph(found.x, found.ts, found.density, times=times)
        figure.savefig(folder / "spikes.png")
        plotting.film(found.x, found.ts, found.density, folder / "film.gif")
        return folder / "spikes.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class KellerSegel2D(Experiment):
    """Cells that grow and secrete what they climb, spread evenly but for a little smooth noise, on a torus.

    **Arguments:** those of `Experiment`, and

    - `sensitivity`: chi [length^2 / time / concentration]; `mobility`, `diffusivity`: of cells and signal
      [length^2 / time]; `decay`: of the signal [1 / time].
    - `length`, `cells`: of the torus along each axis [length]; `dt`: the step on that grid [time].
    - `noise`: root mean square of the noise on a density of 1; its shortest wave is as long as eight cells.

    The voids of the pattern are nearly empty and have steep sides: `Spectral` needs a much finer grid to stay positive.
    """

    name: ClassVar[str] = "keller-segel-2d"
    title: ClassVar[str] = "Dots and mazes from noise: cells that grow and gather"
    description: ClassVar[str] = (
        "Cells that grow to a density of 1 and climb a signal they secrete, the less the more they are. Beyond a "
        "critical sensitivity the even state is unstable: waves of the length that linear theory predicts grow, and "
        "become dots that join to a maze of threads."
    )
    show_times: ClassVar[tuple[float, ...]] = (0.0, 20.0, 40.0, 100.0)
    dimensions: ClassVar[tuple[int, ...]] = (2,)

    t1: float = 100.0
    frames: int = 50
    sensitivity: float = 6.0
    mobility: float = 1.0
    diffusivity: float = 1.0
    decay: float = 0.1
    length: float = 80.0
    cells: int = 160
    dt: float = 0.04
    noise: float = 0.01

    def model(self) -> Model:
        """The logistic model with these numbers."""
        return logistic_chemotaxis(self.sensitivity, self.mobility, self.diffusivity, self.decay)

    def problem(self, ndim: int | None = None, shape: int | Sequence[int] | None = None, seed: int = 0) -> Problem:
        shape = self.shape(ndim, shape)
        grid = Grid.box((0.0, 0.0), (self.length, self.length), shape, Periodic())
        start = function(_noise(self.length, self.cells // 4, self.noise, seed))
        return Problem(self.model(), grid, start, uniform(amplitude=1 / self.decay))

    def resolution(self, ndim: int) -> tuple[int, float]:
        return self.cells, self.dt

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
