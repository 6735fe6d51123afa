"""Attraction in a fluid of short waves: a flow that has waves among its features, and one without that is found out."""

import dataclasses
import math
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo._progress import Report, silent
from jaxchemo.analysis import energy_distance, sliced_wasserstein
from jaxchemo.domain import FreeSpace
from jaxchemo.experiments.flows.base import FlowStudy, density_of, sample_of
from jaxchemo.initial import Random, gaussian
from jaxchemo.integrate import Solution
from jaxchemo.models import keller_segel
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class Fit(NamedTuple):
    """How a flow did: residual over velocity and duration of each interval, the time it reached, how it ended in a
    sentence, and the seconds it took, with compilation."""

    residuals: Float[np.ndarray, " intervals"]
    durations: Float[np.ndarray, " intervals"]
    reached: float
    successful: bool
    result: str
    seconds: float


class Apart(NamedTuple):
    """Distances between clouds of as many points: of the flow's from each seed of interacting particles, and among
    these, at each time."""

    flow: Float[np.ndarray, "t seeds"]
    seeds: Float[np.ndarray, "t pairs"]


class Kolmogorov(NamedTuple):
    """What came out: both fits by name; at each time the means of the flow and of interacting particles, and distances
    by name; at the end, points of the slice z = 0 along an axis, the density over the mass and the velocity there, and
    positions by method."""

    ts: Float[np.ndarray, " t"]
    fits: dict[str, Fit]
    means: dict[str, Float[np.ndarray, "t 3"]]
    distances: dict[str, Apart]
    x: Float[np.ndarray, " n"]
    density: Float[np.ndarray, "n n"]
    velocity: Float[np.ndarray, "n n 3"]
    positions: dict[str, Float[np.ndarray, "p 3"]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianKolmogorov(FlowStudy):
    """A Gaussian of cells in space, too few to collapse, in `v = strength sin(2 pi (z, x, y) / wavelength)`.

    By symmetry their mean stays where it is. The flow is trained twice: with the waves of the fluid among its features,
    and without. Clouds of a few thousand points are too noisy to tell a flow that is wrong by its distance from
    interacting particles; its residual tells.

    **Arguments:** those of `FlowStudy`, and

    - `strength`, `wavelength`: of the fluid [length / time], [length].
    - `seeds`: runs of interacting particles.
    - `cells`: points along each axis of the slice that is drawn.
    """

    name: ClassVar[str] = "lagrangian-kolmogorov"
    title: ClassVar[str] = "A flow follows cells in a fluid of short waves"
    description: ClassVar[str] = (
        "Cells in space attract one another in a fluid whose waves are shorter than their cloud. A flow that has these "
        "waves among its features follows; one without them does not, and says so."
    )
    dimensions: ClassVar[tuple[int, ...]] = (3,)
    axes: ClassVar[int] = 2

    pull: float = 60.0
    t1: float = 0.2
    frames: int = 4
    blob: float = 0.1
    strength: float = 1.0
    wavelength: float = 1.0
    seeds: int = 3
    cells: int = 81

    def problem(self) -> Problem:
        def waves(x: Array) -> Array:
            return self.strength * jnp.sin(2 * math.pi / self.wavelength * jnp.roll(x, 1, axis=-1))

        model = keller_segel(1.0, 1.0, relaxation=0, advection=waves)
        return Problem(model, FreeSpace(3), gaussian(mass=self.pull, std=1.0))

    def run(self, seed: int = 0, report: Report = silent) -> Kolmogorov:
        """Both flows, and interacting particles.

        **Raises:** as `jc.solve`; not for the flow without waves.
        """
        seeds, cells = (
            _checks.natural("seeds", self.seeds, at_least=2),
            _checks.natural("cells", self.cells, at_least=2),
        )
        problem, ts = self.problem(), self.times
        report("a flow with waves is trained")
        found, fit = self._fit(problem, seed, (self.wavelength,))
        report("a flow without waves is trained")
        _, without = self._fit(problem, seed, (), throw=False)
        report("interacting particles")
        # Independent points, as those drawn from the flow: an even start would bring seeds closer to one another.
        runs = [self.crowd(problem, seed + k, Random())[self.pictures :: self.pictures] for k in range(seeds)]
        report("what the flow says")
        clouds = np.stack([sample_of(found, jax.random.key(seed), self.num_particles, t) for t in ts])
        key = jax.random.key(seed)
        measures = {
            "energy distance": energy_distance,
            "sliced Wasserstein": lambda x, y: sliced_wasserstein(x, y, key),
        }
        distances = {
            name: Apart(_table(measure, [(clouds, one) for one in runs]), _table(measure, list(combinations(runs, 2))))
            for name, measure in measures.items()
        }
        x = np.linspace(-self.view, self.view, cells)
        square = np.stack([*np.meshgrid(x, x, indexing="ij"), np.zeros((cells, cells))], axis=-1)
        return Kolmogorov(
            ts=np.array(ts),
            fits={"with waves": fit, "without": without},
            means={
                "flow": np.asarray(found.ys.positions, float).mean(axis=1),
                "interacting particles": np.stack([one.mean(axis=1) for one in runs]).mean(axis=0),
            },
            distances=distances,
            x=x,
            density=density_of(found, square, self.t1),
            velocity=np.asarray(found.velocity(square, self.t1), float),
            positions={"flow": clouds[-1], "interacting particles": runs[0][-1]},
        )

    def numbers(self, found: Kolmogorov) -> dict[str, Any]:
        """Both fits, means, and distances from and among the seeds of interacting particles, ready for JSON."""
        fits = {
            name: {**fit._asdict(), "residuals": fit.residuals.tolist(), "durations": fit.durations.tolist()}
            for name, fit in found.fits.items()
        }
        distances = {
            name: {"flow": one.flow.tolist(), "among_seeds": one.seeds.tolist()}
            for name, one in found.distances.items()
        }
        means = {name: values.tolist() for name, values in found.means.items()}
        return {"times": found.ts.tolist(), "fits": fits, "means": means, "distances": distances}

    def lines(self, found: Kolmogorov) -> list[str]:
        rows = ["| flow | intervals | residual / velocity | reached | seconds | result |", "|---|---|---|---|---|---|"]
        for name, fit in found.fits.items():
            size = f"{fit.residuals.min():.1%} to {fit.residuals.max():.1%}"
            rows.append(
                f"| {name} | {len(fit.residuals)} | {size} | {fit.reached:.3g} | {fit.seconds:.0f} | {fit.result} |"
            )
        for name, one in found.distances.items():
            flow, seeds = (f"{d[-1].min():.1e} to {d[-1].max():.1e}" for d in one)
            rows.append(f"{name} at the end: flow from interacting particles {flow}, among their seeds {seeds}")
        off = {name: float(np.linalg.norm(x, axis=1).max()) for name, x in found.means.items()}
        said = ", ".join(f"{name} {value:.1e}" for name, value in off.items())
        return [*rows, f"the mean stays at 0 within: {said}"]

    def draw(self, found: Kolmogorov, folder: Path) -> Path:
        from jaxchemo.experiments.flows.kolmogorov_figure import kolmogorov

        kolmogorov(found, self.title).savefig(folder / "kolmogorov.png")
        return folder / "kolmogorov.png"

    def _fit(
        self, problem: Problem, seed: int, wavelengths: Sequence[float], throw: bool = True
    ) -> tuple[Solution, Fit]:
        started = time.perf_counter()
        found = self.flow(problem, seed, wavelengths, throw)
        residuals, durations = (np.asarray(found.stats[name], float) for name in ("residuals", "durations"))
        seconds = time.perf_counter() - started
        good = bool(found.result == RESULTS.successful)
        reached = float(found.stats["trusted_until"])
        return found, Fit(residuals, durations, reached, good, RESULTS[found.result], seconds)


def _table(measure: Any, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Float[np.ndarray, "t pairs"]:
    """A distance of each pair of clouds at each time."""
    measured = jax.jit(measure)
    rows = [[float(measured(jnp.asarray(x), jnp.asarray(y))) for x, y in zip(*pair, strict=True)] for pair in pairs]
    return np.array(rows).T
