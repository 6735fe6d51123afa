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

from jaxchemo._progress import Report, silent
from jaxchemo.analysis import energy_distance, sliced_wasserstein
from jaxchemo.domain import FreeSpace
from jaxchemo.experiments.flows.base import FlowExperiment, density_of, population, sample_of, smoothing
from jaxchemo.experiments.options import final_time, option, positive, real, snapshots, whole
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
class LagrangianKolmogorov(FlowExperiment[Kolmogorov]):
    """A Gaussian in space, too small to collapse, in `v = strength sin(2 pi (z, x, y) / wavelength)`.

    By symmetry its mean stays where it is. The flow is trained twice: with the waves of the fluid among its features,
    and without. Clouds of a few thousand points are too noisy to tell a flow that is wrong by its distance from
    interacting particles; its residual tells.

    **Arguments:** those of `FlowExperiment`, and

    - `strength`, `wavelength`: of the fluid [length / time], [length].
    - `num_seeds`: runs of interacting particles.
    - `slice_points`: points along each axis of the slice that is drawn.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.LagrangianKolmogorov(wavelength=0.5)
    >>> experiment.title
    'A flow follows a population in a fluid of short waves'
    >>> experiment.waves
    (0.5,)
    """

    name: ClassVar[str] = "lagrangian-kolmogorov"
    title: ClassVar[str] = "A flow follows a population in a fluid of short waves"
    description: ClassVar[str] = (
        "A population in space attracts itself in a fluid whose waves are shorter than its cloud. A flow that has "
        "these waves among its features follows; one without them does not, and says so."
    )
    dimensions: ClassVar[tuple[int, ...]] = (3,)

    mass: float = population(60.0)
    t1: float = final_time(0.2)
    frames: int = snapshots(4)
    blob_width: float = smoothing(0.1)
    strength: float = option(1.0, real, "largest velocity of the fluid", "length / time")
    wavelength: float = option(1.0, positive, "of the fluid", "length")
    num_seeds: int = option(3, whole(2), "number of runs of interacting particles", own_run=True)
    slice_points: int = option(81, whole(2), "points along each axis of the slice that is drawn", own_run=True)

    @property
    def waves(self) -> tuple[float, ...]:
        return (self.wavelength,)

    def problem(self, seed: int = 0) -> Problem:
        def waves(x: Array) -> Array:
            return self.strength * jnp.sin(2 * math.pi / self.wavelength * jnp.roll(x, 1, axis=-1))

        model = keller_segel(1.0, 1.0, relaxation=0, advection=waves)
        return Problem(model, FreeSpace(3), gaussian(mass=self.mass, std=1.0))

    def run(self, seed: int = 0, report: Report = silent) -> Kolmogorov:
        """Both flows, and interacting particles.

        **Raises:** as `jc.solve`; not for the flow without waves.
        """
        ts, points = self.times, self.slice_points
        report("a flow with waves is trained")
        solved, fit = self._fit(seed, self.waves)
        report("a flow without waves is trained")
        _, without = self._fit(seed, (), throw=False)
        report("interacting particles")
        # Independent points, as those drawn from the flow: an even start would bring seeds closer to one another.
        runs = [self.crowd(seed + k, Random())[self.pictures :: self.pictures] for k in range(self.num_seeds)]
        report("what the flow says")
        clouds = np.stack([sample_of(solved, jax.random.key(seed), self.num_particles, t) for t in ts])
        key = jax.random.key(seed)
        measures = {
            "energy distance": energy_distance,
            "sliced Wasserstein": lambda x, y: sliced_wasserstein(x, y, key),
        }
        distances = {
            name: Apart(_table(measure, [(clouds, run) for run in runs]), _table(measure, list(combinations(runs, 2))))
            for name, measure in measures.items()
        }
        x = np.linspace(-self.view, self.view, points)
        square = np.stack([*np.meshgrid(x, x, indexing="ij"), np.zeros((points, points))], axis=-1)
        return Kolmogorov(
            ts=np.array(ts),
            fits={"with waves": fit, "without": without},
            means={
                "flow": np.asarray(solved.ys.positions, float).mean(axis=1),
                "interacting particles": np.stack([run.mean(axis=1) for run in runs]).mean(axis=0),
            },
            distances=distances,
            x=x,
            density=density_of(solved, square, self.t1),
            velocity=np.asarray(solved.velocity(square, self.t1), float),
            positions={"flow": clouds[-1], "interacting particles": runs[0][-1]},
        )

    def numbers(self, outcome: Kolmogorov) -> dict[str, Any]:
        """Both fits, means, and distances from and among the seeds of interacting particles, ready for JSON."""
        fits = {
            name: {**fit._asdict(), "residuals": fit.residuals.tolist(), "durations": fit.durations.tolist()}
            for name, fit in outcome.fits.items()
        }
        distances = {
            name: {"flow": apart.flow.tolist(), "among_seeds": apart.seeds.tolist()}
            for name, apart in outcome.distances.items()
        }
        means = {name: values.tolist() for name, values in outcome.means.items()}
        return {"times": outcome.ts.tolist(), "fits": fits, "means": means, "distances": distances}

    def lines(self, outcome: Kolmogorov) -> list[str]:
        rows = ["| flow | intervals | residual / velocity | reached | seconds | result |", "|---|---|---|---|---|---|"]
        for name, fit in outcome.fits.items():
            size = f"{fit.residuals.min():.1%} to {fit.residuals.max():.1%}"
            rows.append(
                f"| {name} | {len(fit.residuals)} | {size} | {fit.reached:.3g} | {fit.seconds:.0f} | {fit.result} |"
            )
        for name, apart in outcome.distances.items():
            flow, seeds = (f"{d[-1].min():.1e} to {d[-1].max():.1e}" for d in apart)
            rows.append(f"{name} at the end: flow from interacting particles {flow}, among their seeds {seeds}")
        off = {name: float(np.linalg.norm(x, axis=1).max()) for name, x in outcome.means.items()}
        said = ", ".join(f"{name} {value:.1e}" for name, value in off.items())
        return [*rows, f"the mean stays at 0 within: {said}"]

    def draw(self, outcome: Kolmogorov, folder: Path) -> Path:
        from jaxchemo.experiments.flows.kolmogorov_figure import kolmogorov

        kolmogorov(outcome, self.title).savefig(folder / "kolmogorov.png")
        return folder / "kolmogorov.png"

    def _fit(self, seed: int, wavelengths: Sequence[float], throw: bool = True) -> tuple[Solution, Fit]:
        started = time.perf_counter()
        solved = self.flow(seed, wavelengths, throw)
        residuals, durations = (np.asarray(solved.stats[name], float) for name in ("residuals", "durations"))
        seconds = time.perf_counter() - started
        good, reached = bool(solved.result == RESULTS.successful), float(solved.stats["trusted_until"])
        return solved, Fit(residuals, durations, reached, good, RESULTS[solved.result], seconds)


def _table(measure: Any, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Float[np.ndarray, "t pairs"]:
    """A distance of each pair of clouds at each time."""
    measured = jax.jit(measure)
    rows = [[float(measured(jnp.asarray(x), jnp.asarray(y))) for x, y in zip(*pair, strict=True)] for pair in pairs]
    return np.array(rows).T
