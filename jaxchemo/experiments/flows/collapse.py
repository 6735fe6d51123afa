"""Collapse in the whole space, followed by a flow to its edge, beside the exact solution and interacting particles."""

import abc
import dataclasses
import math
import time
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxchemo import _checks
from jaxchemo._progress import Report, silent
from jaxchemo.analysis import DivergenceBound, divergence_bound
from jaxchemo.domain import FreeSpace
from jaxchemo.experiments.flows.base import Film, FlowStudy, density_of
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
class GaussianCollapse(FlowStudy):
    """A Gaussian of cells that attract one another: `std = 1`.

    **Arguments:** those of `FlowStudy`, and

    - `cells`: points of a radius that is drawn.
    """

    cells: int = 121

    @property
    @abc.abstractmethod
    def space(self) -> FreeSpace:
        """Where they are."""

    def problem(self) -> Problem:
        return Problem(keller_segel(1.0, 1.0, relaxation=0), self.space, gaussian(mass=self.pull, std=1.0))

    def run(self, seed: int = 0, report: Report = silent) -> Collapse:
        """The flow, the radial reference and interacting particles.

        **Raises:** as `jc.solve`.
        """
        radii = np.linspace(0, 3, _checks.natural("cells", self.cells, at_least=2))
        problem, ts, started = self.problem(), self.times, time.perf_counter()
        report("a flow is trained")
        found = self.flow(problem, seed)
        residuals = np.asarray(found.stats["residuals"], float)
        seconds = time.perf_counter() - started
        report("the radial solution")
        reference = radial_collapse(problem, ts)
        report("interacting particles")
        crowd = self.crowd(problem, seed)
        report("what the flow says")
        line = radii[:, None] * np.eye(problem.domain.ndim)[0]
        flow = np.stack([density_of(found, line, t) for t in (0.0, *ts)])
        positions = np.asarray(found.ys.positions, float)
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
            distances=[distance(found, reference, k) for k in range(len(ts))],
            bound=divergence_bound(found),
            spreads=spreads,
            positions={"flow": positions[-1, : self.num_particles], "interacting particles": crowd[-1]},
            film=self.film(found, crowd),
            residuals=residuals,
            durations=np.asarray(found.stats["durations"], float),
            predicted=self.t1 + 1 / float(found.stats["growth"]) if flow[-1, 0] > flow[0, 0] else None,
            seconds=seconds,
        )

    def numbers(self, found: Collapse) -> dict[str, Any]:
        """Distances to the reference over time, residuals of the intervals and how long it took, ready for JSON."""
        names = ("residual_integral", "bound_in_exact_field", "bound_closed")
        rows = []
        for t, one in zip(found.ts.tolist(), found.distances, strict=True):
            bounds = zip(names, found.bound.at(t), strict=True)
            rows.append({"t": t, **one._asdict(), **{k: b if math.isfinite(b) else None for k, b in bounds}})
        return {
            "distances": rows,
            "residuals": found.residuals.tolist(),
            "durations": found.durations.tolist(),
            "second_moments": {name: values.tolist() for name, values in found.spreads.items()},
            "blow_up_predicted": found.predicted,
            "seconds_with_compilation": found.seconds,
        }

    def lines(self, found: Collapse) -> list[str]:
        rows = [
            "| t | relative L2 | peak / exact | KL | residual integral | bound, exact field | bound, closed |",
            "|---|---|---|---|---|---|---|",
        ]
        for t, one in zip(found.ts, found.distances, strict=True):
            bounds = " | ".join(f"{value:.1e}" for value in found.bound.at(t))
            rows.append(f"| {t:.3g} | {one.l2:.4f} | {one.peak:.4f} | {one.kl:.1e} | {bounds} |")
        about = f"{len(found.residuals)} intervals, {found.seconds:.0f} s with compilation"
        end = "" if found.predicted is None else f"; by the growth at the end, blow-up at about {found.predicted:.3f}"
        return [*rows, about + end]

    def draw(self, found: Collapse, folder: Path) -> Path:
        from jaxchemo.experiments.flows.collapse_figure import collapse
        from jaxchemo.experiments.flows.film import flow_film

        collapse(found, self.title).savefig(folder / "collapse.png")
        flow_film(found.film, folder / "film.gif")
        return folder / "collapse.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianGaussian(GaussianCollapse):
    """In the plane, with twice the critical mass: it blows up at about 0.325."""

    name: ClassVar[str] = "lagrangian-gaussian"
    title: ClassVar[str] = "A flow follows the collapse of a Gaussian"
    description: ClassVar[str] = (
        "Cells in the plane, of twice the critical mass. A normalizing flow is trained on nothing but the drift "
        "velocity of its own density; beside it the radial solution and interacting particles."
    )

    @property
    def space(self) -> FreeSpace:
        return FreeSpace(2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianSubcritical(GaussianCollapse):
    """In the plane, with half the critical mass: it spreads, and its divergence is bounded by the residual alone."""

    name: ClassVar[str] = "lagrangian-subcritical"
    title: ClassVar[str] = "A flow follows cells too few to collapse"
    description: ClassVar[str] = (
        "Cells in the plane, of half the critical mass, spread more slowly than they would alone. What the flow's "
        "residual proves of its divergence from the exact solution, beside the divergence itself."
    )

    pull: float = 4 * math.pi
    t1: float = 0.5

    @property
    def space(self) -> FreeSpace:
        return FreeSpace(2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lagrangian3DGaussian(GaussianCollapse):
    """In space, with a mass of 150: it blows up at 0.2442."""

    name: ClassVar[str] = "lagrangian-3d-gaussian"
    title: ClassVar[str] = "A flow follows a collapse in space"
    description: ClassVar[str] = (
        "Cells in space, so many that they collapse. The flow follows their density, whose core holds less and less of "
        "them, beside the radial solution and interacting particles."
    )
    dimensions: ClassVar[tuple[int, ...]] = (3,)

    pull: float = 150.0
    t1: float = 0.22
    num_sources: int = 32_768
    width: int = 20
    blob: float = 0.1

    @property
    def space(self) -> FreeSpace:
        return FreeSpace(3)
