"""Collapse in the whole space, followed by a flow to its edge, beside the exact solution and interacting particles."""

import abc
import dataclasses
import math
import time
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxchemo._progress import Report, silent
from jaxchemo.analysis import DivergenceBound, divergence_bound
from jaxchemo.domain import FreeSpace
from jaxchemo.experiments.flows.base import Film, FlowExperiment, density_of, population, smoothing, sources, units
from jaxchemo.experiments.options import final_time, option, whole
from jaxchemo.initial import gaussian
from jaxchemo.models import keller_segel
from jaxchemo.problem import Problem
from jaxchemo.references import Distance, distance, radial_collapse


class Collapse(NamedTuple):
    """What came out, at each time: densities over the mass along a radius, distances to the reference and what bounds
    them, mean squared radii by method, and positions at the end; the film; residuals and durations of the intervals,
    the time of blow-up that the growth at the end predicts (`None`: the density falls), and the seconds it took."""

    ts: Float[np.ndarray, " t"]
    radii: Float[np.ndarray, " r"]
    flow: Float[np.ndarray, "t r"]
    exact: Float[np.ndarray, "t r"]
    distances: list[Distance]
    bound: DivergenceBound
    spreads: dict[str, Float[np.ndarray, " t"]]
    positions: dict[str, Float[np.ndarray, "p d"]]
    film: Film
    residuals: Float[np.ndarray, " intervals"]
    durations: Float[np.ndarray, " intervals"]
    predicted: float | None
    seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class GaussianCollapse(FlowExperiment[Collapse]):
    """A Gaussian population that attracts itself: `std = 1`.

    **Arguments:** those of `FlowExperiment`, and

    - `num_radii`: points of the radius that is drawn.
    """

    num_radii: int = option(121, whole(2), "points of the radius that is drawn", own_run=True)

    @property
    @abc.abstractmethod
    def space(self) -> FreeSpace:
        """Where it is."""

    def problem(self, seed: int = 0) -> Problem:
        return Problem(keller_segel(1.0, 1.0, relaxation=0), self.space, gaussian(mass=self.mass, std=1.0))

    def run(self, seed: int = 0, report: Report = silent) -> Collapse:
        """The flow, the radial reference and interacting particles.

        **Raises:** as `jc.solve`.
        """
        radii = np.linspace(0, 3, self.num_radii)
        problem, ts, started = self.problem(), self.times, time.perf_counter()
        report("a flow is trained")
        solved = self.flow(seed)
        residuals = np.asarray(solved.stats["residuals"], float)
        seconds = time.perf_counter() - started
        report("the radial solution")
        reference = radial_collapse(problem, ts)
        report("interacting particles")
        crowd = self.crowd(seed)
        report("what the flow says")
        line = radii[:, None] * np.eye(problem.domain.ndim)[0]
        flow = np.stack([density_of(solved, line, t) for t in (0.0, *ts)])
        positions = np.asarray(solved.ys.positions, float)
        spreads = {
            "flow": np.mean(np.sum(positions**2, axis=-1), axis=1),
            "exact": np.asarray(reference.spread),
            "interacting particles": np.mean(np.sum(crowd[self.pictures :: self.pictures] ** 2, axis=-1), axis=1),
        }
        return Collapse(
            ts=np.array(ts),
            radii=radii,
            flow=flow[1:],
            exact=np.stack([reference.at(radii, k) for k in range(len(ts))]),
            distances=[distance(solved, reference, k) for k in range(len(ts))],
            bound=divergence_bound(solved),
            spreads=spreads,
            positions={"flow": positions[-1, : self.num_particles], "interacting particles": crowd[-1]},
            film=self.film(solved, crowd),
            residuals=residuals,
            durations=np.asarray(solved.stats["durations"], float),
            # Close to a collapse at T the peak grows as 1 / (T - t), and so its logarithm at the rate 1 / (T - t).
            predicted=self.t1 + 1 / float(solved.stats["growth"]) if flow[-1, 0] > flow[0, 0] else None,
            seconds=seconds,
        )

    def numbers(self, outcome: Collapse) -> dict[str, Any]:
        """Distances to the reference over time, residuals of the intervals and how long it took, ready for JSON."""
        names = ("residual_integral", "bound_in_exact_field", "bound_closed")
        rows = []
        for t, apart in zip(outcome.ts.tolist(), outcome.distances, strict=True):
            bounds = zip(names, outcome.bound.at(t), strict=True)
            rows.append({"t": t, **apart._asdict(), **{k: b if math.isfinite(b) else None for k, b in bounds}})
        return {
            "distances": rows,
            "residuals": outcome.residuals.tolist(),
            "durations": outcome.durations.tolist(),
            "second_moments": {name: values.tolist() for name, values in outcome.spreads.items()},
            "blow_up_predicted": outcome.predicted,
            "seconds_with_compilation": outcome.seconds,
        }

    def lines(self, outcome: Collapse) -> list[str]:
        rows = [
            "| t | relative L2 | peak / exact | KL | residual integral | bound, exact field | bound, closed |",
            "|---|---|---|---|---|---|---|",
        ]
        for t, apart in zip(outcome.ts, outcome.distances, strict=True):
            bounds = " | ".join(f"{value:.1e}" for value in outcome.bound.at(t))
            rows.append(f"| {t:.3g} | {apart.l2:.4f} | {apart.peak:.4f} | {apart.kl:.1e} | {bounds} |")
        about = f"{len(outcome.residuals)} intervals, {outcome.seconds:.0f} s with compilation"
        end = (
            "" if outcome.predicted is None else f"; by the growth at the end, blow-up at about {outcome.predicted:.3f}"
        )
        return [*rows, about + end]

    def draw(self, outcome: Collapse, folder: Path) -> Path:
        from jaxchemo.experiments.flows.collapse_figure import collapse
        from jaxchemo.experiments.flows.film import flow_film

        collapse(outcome, self.title).savefig(folder / "collapse.png")
        flow_film(outcome.film, folder / "film.gif")
        return folder / "collapse.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianGaussian(GaussianCollapse):
    """In the plane, with twice the critical mass: it blows up at about 0.325. Its spread would vanish only at 0.5.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.LagrangianGaussian(t1=0.25)
    >>> experiment.title, experiment.space
    ('A flow follows the collapse of a Gaussian', FreeSpace(ndim=2))
    """

    name: ClassVar[str] = "lagrangian-gaussian"
    title: ClassVar[str] = "A flow follows the collapse of a Gaussian"
    description: ClassVar[str] = (
        "A population in the plane, of twice the critical mass. A normalizing flow is trained on nothing but the drift "
        "velocity of its own density; beside it the radial solution and interacting particles."
    )

    @property
    def space(self) -> FreeSpace:
        return FreeSpace(2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianSubcritical(GaussianCollapse):
    """In the plane, with half the critical mass: it spreads, and its divergence is bounded by the residual alone.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.LagrangianSubcritical(frames=3)
    >>> experiment.title
    'A flow follows a population too small to collapse'
    >>> experiment.t1
    0.5
    """

    name: ClassVar[str] = "lagrangian-subcritical"
    title: ClassVar[str] = "A flow follows a population too small to collapse"
    description: ClassVar[str] = (
        "A population in the plane, of half the critical mass, spreads more slowly than by diffusion. What the flow's "
        "residual proves of its divergence from the exact solution, beside the divergence itself."
    )

    mass: float = population(4 * math.pi)
    t1: float = final_time(0.5)

    @property
    def space(self) -> FreeSpace:
        return FreeSpace(2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lagrangian3DGaussian(GaussianCollapse):
    """In space, with a mass of 150: it blows up at 0.2442.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.Lagrangian3DGaussian(t1=0.2)
    >>> experiment.title
    'A flow follows a collapse in space'
    >>> experiment.mass
    150.0
    """

    name: ClassVar[str] = "lagrangian-3d-gaussian"
    title: ClassVar[str] = "A flow follows a collapse in space"
    description: ClassVar[str] = (
        "A population in space, so large that it collapses. The flow follows its density, whose core holds less and "
        "less of it, beside the radial solution and interacting particles."
    )
    dimensions: ClassVar[tuple[int, ...]] = (3,)

    mass: float = population(150.0)
    t1: float = final_time(0.22)
    # Measured at t = 0.22: a relative L2 error of 0.003 to 0.004; with 16,384 sources and 16 units, of 0.012 to 0.013.
    num_sources: int = sources(32_768)
    hidden_units: int = units(20)
    blob_width: float = smoothing(0.1)

    @property
    def space(self) -> FreeSpace:
        return FreeSpace(3)
