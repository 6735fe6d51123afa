"""Swimmers between two walls in one dimension: tracks, and the laws that their density and moments obey."""

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxchemo._progress import Report, silent
from jaxchemo.analysis import swimming
from jaxchemo.domain import Grid, NoFlux
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import (
    even_steps,
    final_time,
    full_shape,
    grid_cells,
    non_negative,
    option,
    positive,
    snapshots,
    whole,
)
from jaxchemo.experiments.posed import Posed
from jaxchemo.experiments.swimming.steps import stable
from jaxchemo.initial import gaussian
from jaxchemo.integrate import Forward, SaveAt, Solution, solve
from jaxchemo.methods import AbstractFixedStep, AbstractMethod, Agents, FokkerPlanck, Kinetic
from jaxchemo.models import (
    Directional,
    Reversal,
    RunAndTumble,
)
from jaxchemo.problem import Problem


class Tracks(NamedTuple):
    """What came out: times, some tracks, cell centres, final densities, and mean and variance over time, by level."""

    ts: Float[np.ndarray, " t"]
    tracks: Float[np.ndarray, "t p"]
    x: Float[np.ndarray, " n"]
    densities: dict[str, Float[np.ndarray, " n"]]
    moments: dict[str, tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]]
    variance_at_rest: float
    error: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunAndTumble1D(Posed, Experiment[Tracks]):
    """Swimmers between two walls that turn more often the further out they are: agents beside the laws they obey.

    The rates are `a0 (1 +- b tanh(x / l))` for swimmers to the right and to the left, as in the lecture notes,
    with a `b` that keeps them positive.

    **Arguments** (micrometres and seconds):

    - `speed`, `rate`, `contrast`, `scale`: v, a0, b and l.
    - `half_width`: the box is `[-half_width, half_width]`; `shape`: cells of its grid.
    - `num_agents`: agents; `shown`: tracks drawn; `dt`, `t1`, `frames`.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.RunAndTumble1D(contrast=0.8)
    >>> experiment.title
    'Swimmers that run and turn, and the laws of their crowd'
    >>> experiment.rate
    1.0
    """

    name: ClassVar[str] = "run-and-tumble-1d"
    title: ClassVar[str] = "Swimmers that run and turn, and the laws of their crowd"
    description: ClassVar[str] = (
        "Single swimmers run to the right or to the left and turn more often on their way out. Their tracks, where "
        "they come to rest beside the exact law, and their mean and variance beside the kinetic equations."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    speed: float = option(20.0, positive, "of the swimmers", "μm / s")
    rate: float = option(1.0, positive, "a0 of the tumble rates a0 (1 ± b tanh(x / l))", "1 / s")
    contrast: float = option(0.5, non_negative, "b of the tumble rates, below 1")
    scale: float = option(50.0, positive, "l of the tumble rates", "μm")
    half_width: float = option(100.0, positive, "half of the length of the box", "μm")
    shape: tuple[int, ...] = grid_cells((50,), at_least=4)
    num_agents: int = option(20_000, whole(), "number of agents")
    shown: int = option(25, whole(), "tracks that are drawn", own_run=True)
    dt: float = option(0.02, positive, "time step of the agents; other methods take what is stable", "s")
    t1: float = final_time(60.0, "s")
    frames: int = snapshots(120)

    def problem(self, seed: int = 0) -> Problem:
        """What is solved: all swimmers start in the middle."""
        (num_cells,) = full_shape(self.shape, 1)

        def turning(side: float):
            return lambda x: self.rate * (1 + side * self.contrast * jnp.tanh(x[..., 0] / self.scale))

        swimmers = RunAndTumble(self.speed, Directional(turning(1), turning(-1)), Reversal())
        grid = Grid.box(-self.half_width, self.half_width, num_cells, NoFlux())
        return Problem(swimmers, grid, gaussian(mass=1.0, center=0.0, std=4 * self.half_width / num_cells))

    def span(self, method: AbstractMethod) -> tuple[float, float, int]:
        dt = stable(method, self.problem(), self.dt, 1.0)
        return self.t1, self.t1 / even_steps(self.t1, dt, self.frames), self.frames

    def run(self, seed: int = 0, report: Report = silent) -> Tracks:
        """Agents, and the kinetic and the Fokker-Planck equation.

        **Raises:** as `jc.solve`.
        """
        problem, key = self.problem(), jax.random.key(seed)
        grid = problem.domain
        assert isinstance(grid, Grid)

        def solved(method: AbstractFixedStep) -> Solution:
            report(method.name)
            t1, dt, frames = self.span(method)
            saveat = SaveAt(every=round(t1 / dt) // frames)
            return solve(problem, method, t1=t1, dt=dt, key=key, saveat=saveat, adjoint=Forward())

        agents = solved(Agents(self.num_agents))
        x = np.asarray(agents.ys.positions[..., 0], float)
        centres, h = np.asarray(grid.axes[0], float), grid.spacing[0]
        densities, moments = {"agents": np.asarray(agents.final.density, float)}, {}
        moments["agents"] = x.mean(axis=1), x.var(axis=1)
        for method in (Kinetic(), FokkerPlanck()):
            run = solved(method)
            u = np.asarray(run.ys.density, float) * h
            # Averages say nothing of where swimmers are within a cell: spread evenly, they have the variance h^2 / 12.
            mean = u @ centres
            densities[method.name] = np.asarray(run.final.density, float)
            moments[method.name] = mean, u @ centres**2 - mean**2 + h**2 / 12
        rest = np.asarray(swimming.at_rest(problem), float)
        densities["at rest, exact"] = rest
        variance = float(rest @ (centres**2 + h**2 / 12) * h)
        error = float((x[-1] ** 2).std() / math.sqrt(self.num_agents))
        return Tracks(np.asarray(agents.ts, float), x[:, : self.shown], centres, densities, moments, variance, error)

    def numbers(self, outcome: Tracks) -> dict[str, Any]:
        """Mean and variance at the end, by level, and the exact variance at rest, ready for JSON."""
        ends = {name: {"mean": float(m[-1]), "variance": float(v[-1])} for name, (m, v) in outcome.moments.items()}
        return {"ends": ends, "variance_at_rest": outcome.variance_at_rest, "standard_error": outcome.error}

    def lines(self, outcome: Tracks) -> list[str]:
        ends = ", ".join(f"{name} {v[-1]:.0f}" for name, (_, v) in outcome.moments.items())
        return [f"variance at the end: {ends} (± {outcome.error:.0f}); at rest {outcome.variance_at_rest:.0f} μm²"]

    def draw(self, outcome: Tracks, folder: Path) -> Path:
        from jaxchemo.experiments.swimming import figures

        laws = {name: law for name, law in outcome.densities.items() if name != "agents"}
        figure = figures.tracks_and_laws(
            outcome.ts, outcome.tracks, outcome.x, outcome.densities["agents"], laws, outcome.moments
        )
        figure.savefig(folder / "tracks.png")
        return folder / "tracks.png"
