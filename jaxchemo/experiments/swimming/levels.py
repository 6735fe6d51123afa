"""One population on four levels of description: agents, kinetic, Fokker-Planck and Keller-Segel."""

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxchemo._progress import Report, silent
from jaxchemo.domain import Grid, NoFlux
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import (
    even_steps,
    full_shape,
    grid_cells,
    non_negative,
    option,
    positive,
    real,
    rising,
    whole,
)
from jaxchemo.experiments.posed import Posed
from jaxchemo.experiments.swimming.steps import stable
from jaxchemo.initial import gaussian, uniform
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import AbstractMethod, Agents, FiniteVolume, FokkerPlanck, Kinetic
from jaxchemo.models import (
    Consumption,
    ExponentialResponse,
    Reversal,
    RunAndTumble,
    Signal,
)
from jaxchemo.problem import Problem


class Levels(NamedTuple):
    """Cell centres, times, and at each the density and the signal from each level of description."""

    x: Float[np.ndarray, " n"]
    ts: list[float]
    density: dict[str, Float[np.ndarray, "t n"]]
    signal: dict[str, Float[np.ndarray, "t n"]]
    distances: dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AgentsVsPDE(Posed, Experiment[Levels]):
    """Swimmers that eat what they climb: agents, kinetic equations, Fokker-Planck and Keller-Segel, on one picture.

    **Arguments** (micrometres and seconds):

    - `speed`, `rate`, `gain`: of swimmers that answer exponentially; `consumption`, `diffusivity`, `level`: of the
      signal.
    - `mass`, `center`, `std`: of the swimmers at the start.
    - `length`: of the channel; `shape`: cells of its grid; `num_agents`: agents; `dt`: their step; `times`:
      shown, the last is the end.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.AgentsVsPDE(num_agents=10_000)
    >>> experiment.title
    'One population on four levels: agents, kinetic, Fokker-Planck, Keller-Segel'
    >>> experiment.times
    (2.0, 8.0, 20.0)
    """

    name: ClassVar[str] = "agents-vs-pde"
    title: ClassVar[str] = "One population on four levels: agents, kinetic, Fokker-Planck, Keller-Segel"
    description: ClassVar[str] = (
        "Swimmers eat a signal that they climb, and so drive a wave of it before them. The same rate makes agents "
        "tumble, scatters the streams of the kinetic equations, and gives drift and diffusion to their limits."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    speed: float = option(20.0, positive, "of the swimmers", "μm / s")
    rate: float = option(5.0, positive, "at which they tumble where the signal does not change", "1 / s")
    gain: float = option(0.3, positive, "of the answer to the signal's rate of change", "s / concentration")
    consumption: float = option(1.0, non_negative, "of the signal per density", "μm conc. / s")
    diffusivity: float = option(50.0, non_negative, "of the signal", "μm² / s")
    level: float = option(5.0, positive, "of the signal at the start", "concentration")
    mass: float = option(30.0, positive, "of the population", "mass")
    center: float = option(60.0, real, "of the population at the start", "μm")
    std: float = option(15.0, positive, "standard deviation of the population at the start", "μm")
    length: float = option(400.0, positive, "of the channel", "μm")
    shape: tuple[int, ...] = grid_cells((400,), at_least=8)
    num_agents: int = option(40_000, whole(), "number of agents")
    dt: float = option(0.02, positive, "time step of the agents; other methods take what is stable", "s")
    times: tuple[float, ...] = option((2.0, 8.0, 20.0), rising, "that are shown; the last is the end", "s")

    def problem(self, seed: int = 0) -> Problem:
        grid = Grid.box(0.0, self.length, full_shape(self.shape, 1), NoFlux())
        eaten = {"c": Signal(Consumption("rho", self.consumption), self.diffusivity)}
        swimmers = RunAndTumble(self.speed, ExponentialResponse(self.rate, self.gain), Reversal(), signals=eaten)
        start = gaussian(mass=self.mass, center=self.center, std=self.std), uniform(amplitude=self.level)
        return Problem(swimmers, grid, *start)

    def span(self, method: AbstractMethod) -> tuple[float, float, int]:
        dt, t1 = stable(method, self.problem(), self.dt, 0.8), self.times[-1]
        return t1, t1 / even_steps(t1, dt, 20), 20

    def run(self, seed: int = 0, report: Report = silent) -> Levels:
        """All four.

        **Raises:** as `jc.solve`.
        """
        problem = self.problem()
        grid, limit = problem.domain, problem.replace(model=problem.swimmers.to_keller_segel(1))
        assert isinstance(grid, Grid)
        density, signal = {}, {}
        for name, posed, method in (
            ("agents", problem, Agents(self.num_agents)),
            ("kinetic", problem, Kinetic()),
            ("Fokker-Planck", problem, FokkerPlanck()),
            ("Keller-Segel", limit, FiniteVolume()),
        ):
            report(name)
            key = jax.random.key(seed)
            dt = stable(method, posed, self.dt, 0.8)
            unit = min(np.diff((0.0, *self.times)))
            dt = unit / math.ceil(unit / dt)
            saveat = SaveAt(ts=self.times)
            run = solve(posed, method, t1=self.times[-1], dt=dt, key=key, saveat=saveat, adjoint=Forward())
            density[name], signal[name] = np.asarray(run.ys.density, float), np.asarray(run.ys.signal, float)
        last = density["kinetic"][-1]
        distances = {name: float(np.abs(rho[-1] - last).sum() / last.sum()) for name, rho in density.items()}
        return Levels(np.asarray(grid.axes[0], float), list(self.times), density, signal, distances)

    def numbers(self, outcome: Levels) -> dict[str, Any]:
        """Relative L1 distances of the final densities to that of the kinetic equations, ready for JSON."""
        masses = {name: float(rho[-1].sum() * self.length / rho.shape[-1]) for name, rho in outcome.density.items()}
        return {"distance_to_kinetic": outcome.distances, "masses": masses}

    def lines(self, outcome: Levels) -> list[str]:
        said = ", ".join(f"{name} {gap:.3f}" for name, gap in outcome.distances.items() if name != "kinetic")
        return [f"L1 distance to the kinetic equations at the end: {said}"]

    def draw(self, outcome: Levels, folder: Path) -> Path:
        from jaxchemo.experiments.swimming import figures

        figures.levels(outcome.x, outcome.ts, outcome.density, outcome.signal).savefig(folder / "levels.png")
        return folder / "levels.png"
