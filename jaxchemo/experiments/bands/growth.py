"""A colony that grows, eats up an attractant, and follows it outwards."""

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxchemo._progress import Report, silent
from jaxchemo.analysis import front
from jaxchemo.domain import RadialGrid
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import (
    even_steps,
    final_time,
    option,
    positive,
    snapshots,
    time_step,
    whole,
)
from jaxchemo.experiments.posed import Posed
from jaxchemo.initial import function, uniform
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import AbstractMethod, FiniteVolume
from jaxchemo.models import growth_expansion
from jaxchemo.problem import Problem


class Colony(NamedTuple):
    """What came out: radii [mm], times [h], profiles at each, and the radius of the front [mm]."""

    r: Float[np.ndarray, " n"]
    ts: Float[np.ndarray, " t"]
    density: Float[np.ndarray, "t n"]
    signals: dict[str, Float[np.ndarray, "t n"]]
    front: Float[np.ndarray, " t"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GrowthExpansion(Posed, Experiment[Colony]):
    """A drop of *E. coli* on soft agar: the colony grows, eats up the attractant, and follows it outwards.

    The constants are those of `jc.models.growth_expansion`, with lengths in millimetres and times in seconds.

    **Arguments:**

    - `radius`: of the dish [mm]; `num_shells`: of its grid; `dt`, `t1`: step and final time [s]; `frames`: snapshots.
    - `drop_radius`, `drop_density`: of the drop at the start [mm], [OD].
    - `nutrient`, `attractant`: concentrations at the start [mM].
    - `threshold`: density at the front [OD].

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.GrowthExpansion(threshold=0.01)
    >>> experiment.title
    'A colony outruns its growth by following an attractant'
    >>> experiment.num_shells
    500
    """

    name: ClassVar[str] = "growth-expansion"
    title: ClassVar[str] = "A colony outruns its growth by following an attractant"
    description: ClassVar[str] = (
        "Bacteria grow on a nutrient and eat up an attractant that they climb: a thin front leads, far faster "
        "than growth and diffusion could, and the colony grows in behind it."
    )
    dimensions: ClassVar[tuple[int, ...]] = (2,)

    radius: float = option(20.0, positive, "of the dish", "mm")
    num_shells: int = option(500, whole(8), "shells of the grid")
    dt: float = time_step(2.0, "s")
    t1: float = final_time(28_800.0, "s")
    frames: int = snapshots(32)
    drop_radius: float = option(1.0, positive, "of the drop at the start", "mm")
    drop_density: float = option(0.029, positive, "of the drop at the start", "OD")
    nutrient: float = option(40.0, positive, "at the start", "mM")
    attractant: float = option(0.1, positive, "at the start", "mM")
    threshold: float = option(0.02, positive, "density at the front", "OD", own_run=True)

    def problem(self, seed: int = 0) -> Problem:
        grid = RadialGrid(self.radius, self.num_shells, 2)
        start = function(lambda x: jnp.where(jnp.sum(x**2, axis=-1) < self.drop_radius**2, self.drop_density, 0.0))
        signals = {
            "attractant": uniform(amplitude=self.attractant),
            "nutrient": uniform(amplitude=self.nutrient),
        }
        return Problem(growth_expansion(), grid, start, signals)

    def span(self, method: AbstractMethod) -> tuple[float, float, int]:
        return self.t1, self.t1 / even_steps(self.t1, self.dt, self.frames), self.frames

    def run(self, seed: int = 0, report: Report = silent) -> Colony:
        """Solves it by finite volumes.

        **Raises:** as `jc.solve`.
        """
        report("a colony grows")
        problem, (t1, dt, frames) = self.problem(seed), self.span(FiniteVolume())
        saveat = SaveAt(every=round(t1 / dt) // frames)
        run = solve(problem, FiniteVolume(), t1=t1, dt=dt, saveat=saveat, adjoint=Forward())
        grid = problem.domain
        assert isinstance(grid, RadialGrid)
        density = np.asarray(run.ys.density, float)
        signals = {name: np.asarray(value, float) for name, value in run.ys.signal.items()}
        hours = np.asarray(run.ts, float) / 3600
        return Colony(np.asarray(grid.radii, float), hours, density, signals, front(density, grid, self.threshold))

    def numbers(self, outcome: Colony) -> dict[str, Any]:
        """Radius of the front at each time, the speed at the end and that of growth and diffusion, ready for JSON."""
        return {
            "hours": outcome.ts.tolist(),
            "front_mm": outcome.front.tolist(),
            "speed_mm_per_h": self._speed(outcome),
            "growth_and_diffusion_mm_per_h": self._slow(),
            "min_density": float(outcome.density.min()),
        }

    def lines(self, outcome: Colony) -> list[str]:
        radii = ", ".join(
            f"{r:.2f} mm at {t:g} h" for t, r in zip(outcome.ts, outcome.front, strict=True) if t in (2, 6)
        )
        return [
            f"front: {radii or f'{outcome.front[-1]:.2f} mm at the end'}",
            f"speed at the end {self._speed(outcome):.2f} mm/h; growth and diffusion alone {self._slow():.2f} mm/h",
        ]

    def draw(self, outcome: Colony, folder: Path) -> Path:
        from jaxchemo.experiments.bands import figures

        shown = np.linspace(0, len(outcome.ts) - 1, 5).round().astype(int)
        title = "at " + ", ".join(f"{outcome.ts[k]:g}" for k in shown) + " h"
        inside = outcome.r <= 1.15 * np.nanmax(outcome.front)
        r, ts = outcome.r[inside], outcome.ts[shown]
        density = figures.Profiles(title, r, ts, {"bacteria": outcome.density[shown][:, inside]}, {})
        shares = {name: value[shown][:, inside] / value[0].max() for name, value in outcome.signals.items()}
        signals = figures.Profiles(title, r, ts, shares, {})
        units = {"length": "mm", "time": "h"}
        figure = figures.expansion(density, signals, outcome.ts, outcome.front, self._slow(), **units)
        figure.savefig(folder / "expansion.png")
        return folder / "expansion.png"

    def _speed(self, outcome: Colony) -> float:
        # Over the last two intervals, or the one that there is.
        first = max(len(outcome.ts) - 3, 0)
        return float((outcome.front[-1] - outcome.front[first]) / (outcome.ts[-1] - outcome.ts[first]))

    def _slow(self) -> float:
        """Speed of a front that grows and diffuses, `2 sqrt(mobility growth)` [mm / h]."""
        bacteria = self.problem().continuum.species["rho"]
        growth = float(getattr(bacteria.growth, "speed", 0.0))
        return 3600 * 2 * math.sqrt(float(bacteria.mobility) * growth)
