"""The exact travelling bands of 1971: alone, shared by two phenotypes, and with a receptor's limits."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxchemo._progress import Report, silent
from jaxchemo.domain import Grid
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import (
    even_steps,
    final_time,
    full_shape,
    grid_cells,
    option,
    positive,
    real,
    snapshots,
    time_step,
)
from jaxchemo.initial import function
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import FiniteVolume
from jaxchemo.methods.base import by_name
from jaxchemo.models import Model, travelling_band
from jaxchemo.problem import Problem
from jaxchemo.references import exact

Rows = dict[str, Float[np.ndarray, "t n"]]


class Band(NamedTuple):
    """One run: cell centres, times, densities and the signal at each; from theory, where there is one; and errors.

    `error` is the relative L1 distance of each density to theory at the end, `speed` how fast the steepest place of the
    signal moved [length / time].
    """

    title: str
    x: Float[np.ndarray, " n"]
    ts: Float[np.ndarray, " t"]
    fields: Rows
    exact: Rows
    error: dict[str, float]
    speed: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class TravellingBand(Experiment[list[Band]]):
    """The travelling band of Keller and Segel (1971), alone, of two phenotypes, and with a receptor's limits.

    **Arguments** (lengths in micrometres, times in seconds, the signal in micromolar):

    - `mobility`, `sensitivity`: of the bacteria; `consumption`: of the signal, by each of them and time.
    - `amount`: bacteria per area; `ahead`: the signal far ahead.
    - `offset`, `half`: in the last run, the concentrations of half the sensing and of half the uptake.
    - `lower`, `upper`: ends of the channel; `shape`: cells of its grid; `dt`, `t1`, `frames`: the step, the
      final time, snapshots.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.TravellingBand(t1=400.0)
    >>> experiment.title
    'Bacteria that follow what they eat travel in a band'
    >>> experiment.sensitivity
    3000.0
    """

    name: ClassVar[str] = "travelling-band"
    title: ClassVar[str] = "Bacteria that follow what they eat travel in a band"
    description: ClassVar[str] = (
        "Bacteria climb the ratio of a signal that they consume. The band keeps its shape and moves at a speed that "
        "depends on neither mobility nor sensitivity; two phenotypes share one band, the better climbers ahead; and "
        "where they sense no ratio of little, the band loses some."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    mobility: float = option(300.0, positive, "diffusivity of the bacteria", "μm² / s")
    sensitivity: float = option(3000.0, positive, "drift per relative gradient of the signal", "μm² / s")
    consumption: float = option(0.126, positive, "of the signal, by each bacterium", "μM μm² / s")
    amount: float = option(2400.0, positive, "bacteria per area", "1 / μm²")
    ahead: float = option(100.0, positive, "signal far ahead of the band", "μM")
    offset: float = option(3.5, positive, "in the last run, signal at half the sensing", "μM")
    half: float = option(0.5, positive, "in the last run, signal at half the uptake", "μM")
    lower: float = option(-8000.0, real, "end of the channel behind the band", "μm")
    upper: float = option(4000.0, real, "end of the channel ahead of the band", "μm")
    shape: tuple[int, ...] = grid_cells((1200,), at_least=8)
    dt: float = time_step(0.1, "s")
    t1: float = final_time(800.0, "s")
    frames: int = snapshots(4)

    def run(self, seed: int = 0, report: Report = silent) -> list[Band]:
        """The three bands, by finite volumes.

        **Raises:** as `jc.solve`.
        """
        speed = self.consumption * self.amount / self.ahead
        law = {"consumption": self.consumption, "ahead": self.ahead}
        ratio = self.sensitivity / self.mobility

        def alone(x, t):
            numbers = {"mobility": self.mobility, "sensitivity": self.sensitivity, "cells": self.amount}
            rho, c = exact.travelling_band(x, t, **numbers, **law)
            return {"rho": rho, "c": c}

        both = [self.mobility * 2 / 3, self.mobility * 4 / 3]

        def shared(x, t):
            # Phases at which both phenotypes have their share where the band is.
            phases = [0.0, -0.5 * self.mobility / speed]
            densities, c = exact.phenotype_band(x, t, mobilities=both, ratio=ratio, speed=speed, phases=phases, **law)
            return {"rho_1": densities[0], "rho_2": densities[1], "c": c}

        single = self.mobility, self.sensitivity, self.consumption
        pair = both, [ratio * mobility for mobility in both], self.consumption
        limited = travelling_band(*single, offset=self.offset, half=self.half)
        return [
            self._travel(report, "the band of 1971", travelling_band(*single), alone, alone),
            self._travel(report, "two phenotypes in one band", travelling_band(*pair), shared, shared),
            self._travel(report, "with the limits of a receptor", limited, alone, None),
        ]

    def numbers(self, outcome: list[Band]) -> dict[str, Any]:
        """Speed and error of each band, ready for JSON."""
        theory = self.consumption * self.amount / self.ahead
        runs = {band.title: {"speed": band.speed, "error": band.error} for band in outcome}
        return {"speed_of_theory": theory, "bands": runs}

    def lines(self, outcome: list[Band]) -> list[str]:
        theory = self.consumption * self.amount / self.ahead
        said = []
        for band in outcome:
            error = f", L1 error {max(band.error.values()):.1e}" if band.error else ""
            said.append(f"{band.title}: speed {band.speed:.4g} (in theory {theory:.4g}){error}")
        return said

    def draw(self, outcome: list[Band], folder: Path) -> Path:
        from jaxchemo.experiments.bands import figures

        rows = []
        for band in outcome:
            parts = []
            for names in ([n for n in band.fields if n != "c"], ["c"]):
                fields = {n: band.fields[n] for n in names}
                theory = {n: band.exact[n] for n in names if n in band.exact}
                parts.append(figures.Profiles(band.title, band.x, band.ts, fields, theory))
            rows.append((parts[0], parts[1]))
        figures.bands(rows).savefig(folder / "bands.png")
        return folder / "bands.png"

    def _travel(self, report: Report, title: str, model: Model, start, theory) -> Band:
        report(title)
        grid = Grid.box(self.lower, self.upper, full_shape(self.shape, 1))
        begin = {n: function(lambda x, n=n: start(x[..., 0], 0.0)[n]) for n in (*model.species, "c")}
        density = {n: begin[n] for n in model.species}
        steps = even_steps(self.t1, self.dt, self.frames)
        saveat = SaveAt(every=steps // self.frames)
        problem = Problem(model, grid, density, begin["c"])
        run = solve(problem, FiniteVolume(), t1=self.t1, dt=self.t1 / steps, saveat=saveat, adjoint=Forward())
        ts = np.asarray(run.ts, float)
        shown = by_name(run.ys.density, list(model.species)) | {"c": run.ys.signal}
        fields = {name: np.asarray(value, float) for name, value in shown.items()}
        wanted: Rows = {}
        if theory is not None:
            for n in fields:
                at = [grid.average(lambda x, n=n, t=t: theory(x[..., 0], float(t))[n]) for t in ts]
                wanted[n] = np.asarray(jnp.stack(at), float)
        error = {n: float(np.abs(fields[n] - w)[-1].sum() / w[-1].sum()) for n, w in wanted.items() if n != "c"}
        x = np.asarray(grid.axes[0], float)
        places = [float(np.interp(0.5 * self.ahead, c, x)) for c in fields["c"]]
        return Band(title, x, ts, fields, wanted, error, (places[-1] - places[0]) / float(ts[-1] - ts[0]))
