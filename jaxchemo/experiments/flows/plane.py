"""Collapse in the plane without symmetry, and in a fluid: a flow beside Fourier modes and interacting particles."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo._progress import Report, silent
from jaxchemo.domain import FreeSpace
from jaxchemo.experiments.flows.base import Film, FlowExperiment, density_of
from jaxchemo.experiments.options import final_time, in_turn, option, positive, real, snapshots, whole
from jaxchemo.initial import gaussian, mixture
from jaxchemo.models import keller_segel
from jaxchemo.problem import Problem
from jaxchemo.references import FreePlane, free_plane


class Plane(NamedTuple):
    """What came out: the reference with its points, the flow's density there at each time, relative L2 errors, mean
    positions and mean squared distances from them by method, positions at the end, and residuals of the intervals."""

    exact: FreePlane
    flow: Float[np.ndarray, "t n n"]
    errors: list[float]
    means: dict[str, Float[np.ndarray, "t 2"]]
    spreads: dict[str, Float[np.ndarray, " t"]]
    positions: dict[str, Float[np.ndarray, "p 2"]]
    film: Film
    residuals: Float[np.ndarray, " intervals"]


def square_side(length: float) -> float:
    """The option `reference_half_width`."""
    return option(length, positive, "half of a side of the reference's square", "length", own_run=True)


def square_cells(number: int) -> int:
    """The option `reference_cells`."""
    return option(number, whole(16), "grid cells of the reference along each side of its square", own_run=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianPlane(FlowExperiment[Plane]):
    """A population that attracts itself in the plane, without symmetry.

    **Arguments:** those of `FlowExperiment`, and

    - `reference_half_width`: of the square of the reference, about `middle` [length]; `reference_cells`: on each of
      its sides.
    """

    t1: float = final_time(0.2)
    frames: int = snapshots(4)
    reference_half_width: float = square_side(5.0)
    reference_cells: int = square_cells(192)

    def run(self, seed: int = 0, report: Report = silent) -> Plane:
        """The flow, Fourier modes and interacting particles.

        **Raises:** as `jc.solve`.
        """
        problem, ts = self.problem(), self.times
        report("Fourier modes")
        exact = free_plane(
            problem, ts, half_width=self.reference_half_width, center=self.middle, cells=self.reference_cells
        )
        report("a flow is trained")
        solved = self.flow(seed)
        report("interacting particles")
        crowd = self.crowd(seed)
        report("what the flow says")
        flow = np.stack([density_of(solved, exact.points, t) for t in ts])
        clouds = {
            "flow": np.asarray(solved.ys.positions, float),
            "interacting particles": crowd[self.pictures :: self.pictures],
        }
        means = {name: x.mean(axis=1) for name, x in clouds.items()}
        spreads = {name: np.mean(np.sum((x - means[name][:, None]) ** 2, -1), axis=1) for name, x in clouds.items()}
        means["exact"] = np.stack([exact.mean(k) for k in range(len(ts))])
        spreads["exact"] = np.array([exact.spread(k) for k in range(len(ts))])
        errors = [float(np.linalg.norm(q - p) / np.linalg.norm(p)) for q, p in zip(flow, exact.p, strict=True)]
        ends = {name: x[-1, : self.num_particles] for name, x in clouds.items()}
        residuals = np.asarray(solved.stats["residuals"], float)
        return Plane(exact, flow, errors, means, spreads, ends, self.film(solved, crowd), residuals)

    def numbers(self, outcome: Plane) -> dict[str, Any]:
        """Errors, moments by method and residuals, ready for JSON."""
        return {
            "times": list(outcome.exact.ts),
            "relative_l2": outcome.errors,
            "means": {name: values.tolist() for name, values in outcome.means.items()},
            "spreads": {name: values.tolist() for name, values in outcome.spreads.items()},
            "residuals": outcome.residuals.tolist(),
        }

    def lines(self, outcome: Plane) -> list[str]:
        last = {name: values[-1] for name, values in outcome.spreads.items()}
        spreads = ", ".join(f"{name} {value:.4f}" for name, value in last.items())
        rows = [f"t = {t:.3g}: relative L2 {e:.4f}" for t, e in zip(outcome.exact.ts, outcome.errors, strict=True)]
        off = np.linalg.norm(outcome.means["flow"][-1] - outcome.means["exact"][-1])
        return [
            *rows,
            f"mean squared distance from the mean: {spreads}; the flow's mean is off by {off:.1e}",
        ]

    def draw(self, outcome: Plane, folder: Path) -> Path:
        from jaxchemo.experiments.flows.film import flow_film
        from jaxchemo.experiments.flows.plane_figure import plane

        plane(outcome, self.title).savefig(folder / "plane.png")
        flow_film(outcome.film, folder / "film.gif")
        return folder / "plane.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianTwoBumps(LagrangianPlane):
    """Two bumps, each of the critical mass, that fall into one another.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.LagrangianTwoBumps(frames=2)
    >>> experiment.title, experiment.times
    ('A flow follows two bumps into one', (0.1, 0.2))
    """

    name: ClassVar[str] = "lagrangian-two-bumps"
    title: ClassVar[str] = "A flow follows two bumps into one"
    description: ClassVar[str] = (
        "Two bumps of a population attract one another and merge. A flow that knows of no symmetry follows them, "
        "beside Fourier modes in the whole plane and interacting particles."
    )

    def problem(self, seed: int = 0) -> Problem:
        halves = [gaussian(mass=self.mass / 2, center=(side, 0.0), std=0.5) for side in (-1.0, 1.0)]
        return Problem(keller_segel(1.0, 1.0, relaxation=0), FreeSpace(2), mixture(halves))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianShear(LagrangianPlane):
    """A Gaussian in a jet, `v = (strength exp(-y^2), 0)`, that collapses as it is torn.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.LagrangianShear(strength=1.0)
    >>> experiment.title, experiment.view
    ('A flow follows a collapse in a jet', 4.0)
    """

    name: ClassVar[str] = "lagrangian-shear"
    title: ClassVar[str] = "A flow follows a collapse in a jet"
    description: ClassVar[str] = (
        "A jet tears a cloud that attracts itself. The flow carries both, beside Fourier modes in the "
        "whole plane and interacting particles."
    )

    strength: float = option(10.0, real, "largest velocity of the fluid", "length / time")
    reference_half_width: float = square_side(7.0)
    middle: tuple[float, float] = option(
        (0.65, 0.0), in_turn(real, real), "of the square that is drawn", "length", own_run=True
    )
    view: float = option(4.0, positive, "half of a side of the square that is drawn", "length", own_run=True)
    reference_cells: int = square_cells(256)

    def problem(self, seed: int = 0) -> Problem:
        def jet(x: Array) -> Array:
            return self.strength * jnp.stack([jnp.exp(-(x[..., 1] ** 2)), 0 * x[..., 0]], axis=-1)

        model = keller_segel(1.0, 1.0, relaxation=0, advection=jet)
        return Problem(model, FreeSpace(2), gaussian(mass=self.mass, std=1.0))
