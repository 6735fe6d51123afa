"""From one swimmer to the population: tracks and laws, a climb, and four levels of one problem."""

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxchemo._progress import Report, silent
from jaxchemo.analysis import Estimate, drift, swimming, tumble_information
from jaxchemo.domain import FreeSpace, Grid, NoFlux
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import (
    even_steps,
    final_time,
    full_shape,
    grid_cells,
    non_negative,
    option,
    positive,
    real,
    rising,
    several,
    snapshots,
    time_step,
    whole,
)
from jaxchemo.experiments.posed import Posed
from jaxchemo.initial import function, gaussian, particles, uniform
from jaxchemo.integrate import Forward, SaveAt, Solution, solve
from jaxchemo.methods import AbstractFixedStep, AbstractFlow, Agents, FiniteVolume, FokkerPlanck, Kinetic
from jaxchemo.models import (
    Consumption,
    Directional,
    ExponentialResponse,
    Persistent,
    Reversal,
    RunAndTumble,
    Signal,
    fu,
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
    shown: int = option(25, whole(), "tracks that are drawn")
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

    def span(self, method: AbstractFixedStep | AbstractFlow) -> tuple[float, float, int]:
        dt = _stable(method, self.problem(), self.dt, 1.0)
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


class Climb(NamedTuple):
    """Drift measured and expected at each steepness, what tumbles then tell of the climb at most [nats / time], and
    mean paths in two landscapes, measured and expected."""

    steepness: list[float]
    drifts: list[Estimate]
    theory: list[float]
    information: list[Estimate]
    ts: Float[np.ndarray, " t"]
    paths: dict[str, Float[np.ndarray, " t"]]
    expected: dict[str, Float[np.ndarray, " t"]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientClimbing3D(Experiment[Climb]):
    """*E. coli* with their whole pathway in exponential and linear gradients, beside the mean-field theory.

    **Arguments** (micrometres, micromolar and seconds):

    - `speed`, `persistence`, `rotational_diffusion`, `tumble_bias`: of the swimmers, those of Fu et al. (2018).
    - `level`: of the signal where they start; `steepness`: of its logarithm [1 / mm].
    - `num_agents`: agents; `dt`, `t1`: step and final time; `settling`: time before the drift is measured.
    """

    name: ClassVar[str] = "gradient-climbing-3d"
    title: ClassVar[str] = "Swimmers with receptors, memory and motors climb gradients"
    description: ClassVar[str] = (
        "Each swimmer binds the signal, adapts, and tumbles by its motor. In exponential gradients it climbs at a "
        "constant speed, which is compared with what linear response says of the pathway; in a linear one it slows "
        "down as the relative steepness falls."
    )
    dimensions: ClassVar[tuple[int, ...]] = (3,)

    speed: float = option(25.0, positive, "of the swimmers", "μm / s")
    persistence: float = option(0.33, real, "mean cosine of the angle by which they turn")
    rotational_diffusion: float = option(0.062, non_negative, "of their heading", "1 / s")
    tumble_bias: float = option(0.14, positive, "share of the time in which they tumble")
    level: float = option(200.0, positive, "of the signal at the start", "μM")
    steepness: tuple[float, ...] = option(
        (0.1, 0.2, 0.4, 0.7, 1.0), several(positive), "of the logarithm of the signal", "1 / mm"
    )
    num_agents: int = option(10_000, whole(2), "number of agents")
    dt: float = time_step(0.02, "s")
    t1: float = final_time(80.0, "s")
    settling: float = option(40.0, non_negative, "time before the drift is measured", "s")

    def model(self) -> RunAndTumble:
        """The swimmers, with the pathway of Fu et al. (2018)."""
        turning = Persistent(self.persistence)
        diffusion = self.rotational_diffusion
        return RunAndTumble(self.speed, fu(self.tumble_bias), turning, rotational_diffusion=diffusion)

    def run(self, seed: int = 0, report: Report = silent) -> Climb:
        """Swimmers in all gradients, and in a linear one of the middle steepness.

        **Raises:** as `jc.solve`.
        """
        law = self.model().to_keller_segel(3, self.level).species["rho"].taxis["c"]
        drifts, theory, information, ts = [], [], [], np.empty(0)
        middle = self.steepness[len(self.steepness) // 2]
        paths, expected = {}, {}
        for number, steepness in enumerate(self.steepness):
            report(f"an exponential gradient of {steepness:g} / mm")
            g = steepness / 1000
            ts, x, rates = self._climb(lambda x, g=g: self.level * jnp.exp(g * x[..., 0]), seed + number)
            late = ts >= self.settling - 1e-9
            drifts.append(drift(ts[late], x[late]))
            information.append(tumble_information(rates[late]))
            theory.append(float(law.slope(jnp.asarray(self.level)) * self.level * g))
            if steepness == middle:
                paths["exponential"], expected["exponential"] = x[..., 0].mean(axis=1), theory[-1] * ts
        report("a linear gradient")
        slope = self.level * middle / 1000
        _, x, _ = self._climb(lambda x: self.level + slope * x[..., 0], seed + len(self.steepness))
        paths["linear"], expected["linear"] = x[..., 0].mean(axis=1), np.zeros_like(ts)
        for k in range(len(ts) - 1):  # the mean position, as if all swimmers were there
            speed = float(law.slope(jnp.asarray(self.level + slope * expected["linear"][k])) * slope)
            expected["linear"][k + 1] = expected["linear"][k] + (ts[k + 1] - ts[k]) * speed
        return Climb(list(self.steepness), drifts, theory, information, ts, paths, expected)

    def numbers(self, outcome: Climb) -> dict[str, Any]:
        """Drift measured, its error, the drift of theory and the information in tumbles at each steepness, for JSON."""
        keys = ("steepness_per_mm", "drift", "standard_error", "theory", "bits_per_second_at_most")
        rows = zip(outcome.steepness, outcome.drifts, outcome.theory, self._bits(outcome), strict=True)
        return {"drifts": [dict(zip(keys, (g, one.value, one.error, v, b), strict=True)) for g, one, v, b in rows]}

    def lines(self, outcome: Climb) -> list[str]:
        rows = zip(outcome.steepness, outcome.drifts, outcome.theory, self._bits(outcome), strict=True)
        return [
            f"{g:g}/mm: drift {one.value:.3f} ± {one.error:.3f} μm/s, mean field {v:.3f}; in tumbles {b:.2g} bits/s"
            for g, one, v, b in rows
        ]

    def draw(self, outcome: Climb, folder: Path) -> Path:
        from jaxchemo.experiments.swimming import figures

        drifts = [(estimate.value, estimate.error) for estimate in outcome.drifts]
        figure = figures.climbing(
            outcome.steepness, drifts, outcome.theory, outcome.ts, outcome.paths, outcome.expected
        )
        figure.savefig(folder / "climbing.png")
        return folder / "climbing.png"

    def _bits(self, outcome: Climb) -> list[float]:
        return [one.value / math.log(2) for one in outcome.information]

    def _climb(self, signal, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times, and positions and tumble rates of all agents at each."""
        start = particles(jnp.zeros((self.num_agents, 3)), mass=1.0)
        problem = Problem(self.model(), FreeSpace(3), start, function(signal))
        steps = even_steps(self.t1, self.dt, 20)
        saveat, key = SaveAt(every=steps // 20), jax.random.key(seed)
        method = Agents(self.num_agents)
        run = solve(problem, method, t1=self.t1, dt=self.t1 / steps, key=key, saveat=saveat, adjoint=Forward())
        rates = swimming.tumble_rates(problem, run.ys)
        return np.asarray(run.ts, float), np.asarray(run.ys.positions, float), np.asarray(rates, float)


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

    def span(self, method: AbstractFixedStep | AbstractFlow) -> tuple[float, float, int]:
        dt, t1 = _stable(method, self.problem(), self.dt, 0.8), self.times[-1]
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
            dt = _stable(method, posed, self.dt, 0.8)
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


def _stable(method: AbstractFixedStep | AbstractFlow, problem: Problem, dt: float, share: float) -> float:
    """The step of agents, and for equations a share of the longest that is stable [time]."""
    if method.stochastic or isinstance(method, AbstractFlow):
        return dt
    return share * float(method.stable_dt(problem, method.init(problem)))
