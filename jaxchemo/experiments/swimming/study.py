"""From one swimming cell to the population: tracks and laws, cells that climb, and four levels of one problem."""

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxchemo import _checks
from jaxchemo._progress import Report, silent
from jaxchemo.analysis import Estimate, drift, swimming, tumble_information
from jaxchemo.domain import FreeSpace, Grid, NoFlux
from jaxchemo.experiments.base import Study, even_steps
from jaxchemo.initial import function, gaussian, particles, uniform
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import Agents, FiniteVolume, FokkerPlanck, Kinetic
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
class RunAndTumble1D(Study):
    """Cells between two walls that turn more often the further out they are: agents beside the laws they obey.

    The rates are `a0 (1 +- b tanh(x / l))` for cells that swim to the right and to the left, as in the lecture notes,
    with a `b` that keeps them positive.

    **Arguments** (micrometres and seconds):

    - `speed`, `rate`, `bias`, `scale`: v, a0, b and l.
    - `half_width`: the box is `[-half_width, half_width]`; `cells`: of its grid.
    - `num_agents`: agents; `shown`: tracks drawn; `dt`, `t1`, `frames`.
    """

    name: ClassVar[str] = "run-and-tumble-1d"
    title: ClassVar[str] = "Cells that run and turn, and the laws of their crowd"
    description: ClassVar[str] = (
        "Single cells run to the right or to the left and turn more often on their way out. Their tracks, where they "
        "come to rest beside the exact law, and their mean and variance beside the kinetic equations."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    speed: float = 20.0
    rate: float = 1.0
    bias: float = 0.5
    scale: float = 50.0
    half_width: float = 100.0
    cells: int = 50
    num_agents: int = 20_000
    shown: int = 25
    dt: float = 0.02
    t1: float = 60.0
    frames: int = 120

    def problem(self) -> Problem:
        """What is solved: all cells start in the middle."""

        def turning(side: float):
            return lambda x: self.rate * (1 + side * self.bias * jnp.tanh(x[..., 0] / self.scale))

        cells = RunAndTumble(self.speed, Directional(turning(1), turning(-1)), Reversal())
        grid = Grid.box(-self.half_width, self.half_width, _checks.natural("cells", self.cells, at_least=4), NoFlux())
        return Problem(cells, grid, gaussian(mass=1.0, center=0.0, std=4 * self.half_width / self.cells))

    def run(self, seed: int = 0, report: Report = silent) -> Tracks:
        """Agents, and the kinetic and the Fokker-Planck equation.

        **Raises:** as `jc.solve`.
        """
        problem, key = self.problem(), jax.random.key(seed)
        grid = problem.domain
        assert isinstance(grid, Grid)
        steps = even_steps(self.t1, self.dt, self.frames)
        every = {"dt": self.t1 / steps, "saveat": SaveAt(every=steps // self.frames)}
        report("agents")
        agents = solve(problem, Agents(self.num_agents), t1=self.t1, key=key, adjoint=Forward(), **every)
        x = np.asarray(agents.ys.positions[..., 0], float)
        centres, h = np.asarray(grid.axes[0], float), grid.spacing[0]
        densities, moments = {"agents": np.asarray(agents.final.density, float)}, {}
        moments["agents"] = x.mean(axis=1), x.var(axis=1)
        for method in (Kinetic(), FokkerPlanck()):
            report(method.name)
            advised = float(method.stable_dt(problem, method.init(problem)))
            finer = even_steps(self.t1, advised, self.frames)
            often = {"dt": self.t1 / finer, "saveat": SaveAt(every=finer // self.frames)}
            run = solve(problem, method, t1=self.t1, adjoint=Forward(), **often)
            u = np.asarray(run.ys.density, float) * h
            mean = u @ centres
            densities[method.name] = np.asarray(run.final.density, float)
            moments[method.name] = mean, u @ centres**2 - mean**2 + h**2 / 12
        rest = np.asarray(swimming.at_rest(problem), float)
        densities["at rest, exact"] = rest
        variance = float(rest @ (centres**2 + h**2 / 12) * h)
        error = float((x[-1] ** 2).std() / math.sqrt(self.num_agents))
        return Tracks(np.asarray(agents.ts, float), x[:, : self.shown], centres, densities, moments, variance, error)

    def numbers(self, found: Tracks) -> dict[str, Any]:
        """Mean and variance at the end, by level, and the exact variance at rest, ready for JSON."""
        ends = {name: {"mean": float(m[-1]), "variance": float(v[-1])} for name, (m, v) in found.moments.items()}
        return {"ends": ends, "variance_at_rest": found.variance_at_rest, "standard_error": found.error}

    def lines(self, found: Tracks) -> list[str]:
        ends = ", ".join(f"{name} {v[-1]:.0f}" for name, (_, v) in found.moments.items())
        return [f"variance at the end: {ends} (± {found.error:.0f}); at rest {found.variance_at_rest:.0f} μm²"]

    def draw(self, found: Tracks, folder: Path) -> Path:
        from jaxchemo.experiments.swimming import figures

        laws = {name: law for name, law in found.densities.items() if name != "agents"}
        figure = figures.tracks_and_laws(
            found.ts, found.tracks, found.x, found.densities["agents"], laws, found.moments
        )
        figure.savefig(folder / "tracks.png")
        return folder / "tracks.png"


class Climb(NamedTuple):
    """Drift found and expected at each steepness, what tumbles then tell of the climb at most [nats / time], and mean
    paths in two landscapes, found and expected."""

    steepness: list[float]
    found: list[Estimate]
    theory: list[float]
    information: list[Estimate]
    ts: Float[np.ndarray, " t"]
    paths: dict[str, Float[np.ndarray, " t"]]
    expected: dict[str, Float[np.ndarray, " t"]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientClimbing3D(Study):
    """*E. coli* with their whole pathway in exponential and linear gradients, beside the mean-field theory.

    **Arguments** (micrometres, micromolar and seconds):

    - `speed`, `persistence`, `rotational_diffusion`, `bias`: of the cells, those of Fu et al. (2018).
    - `level`: of the signal where cells start; `steepness`: of its logarithm [1 / mm].
    - `cells`: agents; `dt`, `t1`: step and final time; `settling`: time before the drift is measured.
    """

    name: ClassVar[str] = "gradient-climbing-3d"
    title: ClassVar[str] = "Cells with receptors, memory and motors climb gradients"
    description: ClassVar[str] = (
        "Each cell binds the signal, adapts, and tumbles by its motor. In exponential gradients it climbs at a "
        "constant speed, which is compared with what linear response says of the pathway; in a linear one it slows "
        "down as the relative steepness falls."
    )
    dimensions: ClassVar[tuple[int, ...]] = (3,)

    speed: float = 25.0
    persistence: float = 0.33
    rotational_diffusion: float = 0.062
    bias: float = 0.14
    level: float = 200.0
    steepness: tuple[float, ...] = (0.1, 0.2, 0.4, 0.7, 1.0)
    cells: int = 10_000
    dt: float = 0.02
    t1: float = 80.0
    settling: float = 40.0

    def model(self) -> RunAndTumble:
        """The cells, with the pathway of Fu et al. (2018)."""
        turning = Persistent(self.persistence)
        diffusion = self.rotational_diffusion
        return RunAndTumble(self.speed, fu(self.bias), turning, rotational_diffusion=diffusion)

    def run(self, seed: int = 0, report: Report = silent) -> Climb:
        """Cells in all gradients, and in a linear one of the middle steepness.

        **Raises:** as `jc.solve`.
        """
        law = self.model().to_keller_segel(3, self.level).species["rho"].taxis["c"]
        found, theory, information, ts = [], [], [], np.empty(0)
        middle = self.steepness[len(self.steepness) // 2]
        paths, expected = {}, {}
        for number, steepness in enumerate(self.steepness):
            report(f"an exponential gradient of {steepness:g} / mm")
            g = steepness / 1000
            ts, x, rates = self._climb(lambda x, g=g: self.level * jnp.exp(g * x[..., 0]), seed + number)
            late = ts >= self.settling - 1e-9
            found.append(drift(ts[late], x[late]))
            information.append(tumble_information(rates[late]))
            theory.append(float(law.slope(jnp.asarray(self.level)) * self.level * g))
            if steepness == middle:
                paths["exponential"], expected["exponential"] = x[..., 0].mean(axis=1), theory[-1] * ts
        report("a linear gradient")
        slope = self.level * middle / 1000
        _, x, _ = self._climb(lambda x: self.level + slope * x[..., 0], seed + len(self.steepness))
        paths["linear"], expected["linear"] = x[..., 0].mean(axis=1), np.zeros_like(ts)
        for k in range(len(ts) - 1):  # the mean position, as if all cells were there
            speed = float(law.slope(jnp.asarray(self.level + slope * expected["linear"][k])) * slope)
            expected["linear"][k + 1] = expected["linear"][k] + (ts[k + 1] - ts[k]) * speed
        return Climb(list(self.steepness), found, theory, information, ts, paths, expected)

    def numbers(self, found: Climb) -> dict[str, Any]:
        """Drift found, its error, the drift of theory and the information in tumbles at each steepness, for JSON."""
        keys = ("steepness_per_mm", "drift", "standard_error", "theory", "bits_per_second_at_most")
        rows = zip(found.steepness, found.found, found.theory, self._bits(found), strict=True)
        return {"drifts": [dict(zip(keys, (g, one.value, one.error, v, b), strict=True)) for g, one, v, b in rows]}

    def lines(self, found: Climb) -> list[str]:
        rows = zip(found.steepness, found.found, found.theory, self._bits(found), strict=True)
        return [
            f"{g:g}/mm: drift {one.value:.3f} ± {one.error:.3f} μm/s, mean field {v:.3f}; in tumbles {b:.2g} bits/s"
            for g, one, v, b in rows
        ]

    def draw(self, found: Climb, folder: Path) -> Path:
        from jaxchemo.experiments.swimming import figures

        drifts = [(one.value, one.error) for one in found.found]
        figure = figures.climbing(found.steepness, drifts, found.theory, found.ts, found.paths, found.expected)
        figure.savefig(folder / "climbing.png")
        return folder / "climbing.png"

    def _bits(self, found: Climb) -> list[float]:
        return [one.value / math.log(2) for one in found.information]

    def _climb(self, signal, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times, and positions and tumble rates of all cells at each."""
        count = _checks.natural("cells", self.cells, at_least=2)
        start = particles(jnp.zeros((count, 3)), mass=1.0)
        problem = Problem(self.model(), FreeSpace(3), start, function(signal))
        steps = even_steps(self.t1, self.dt, 20)
        saveat, key = SaveAt(every=steps // 20), jax.random.key(seed)
        run = solve(problem, Agents(count), t1=self.t1, dt=self.t1 / steps, key=key, saveat=saveat, adjoint=Forward())
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
class AgentsVsPDE(Study):
    """Cells that eat what they climb: agents, kinetic equations, Fokker-Planck and Keller-Segel, on one picture.

    **Arguments** (micrometres and seconds):

    - `speed`, `rate`, `gain`: of cells that answer exponentially; `consumption`, `diffusivity`, `level`: of the signal.
    - `mass`, `center`, `std`: of the cells at the start.
    - `length`, `cells`: of the channel; `num_agents`: agents; `dt`: their step; `times`: shown, the last is the end.
    """

    name: ClassVar[str] = "agents-vs-pde"
    title: ClassVar[str] = "One population on four levels: agents, kinetic, Fokker-Planck, Keller-Segel"
    description: ClassVar[str] = (
        "Cells eat a signal that they climb, and so drive a wave of it before them. The same rate makes agents tumble, "
        "scatters the streams of the kinetic equations, and gives drift and diffusion to their limits."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    speed: float = 20.0
    rate: float = 5.0
    gain: float = 0.3
    consumption: float = 1.0
    diffusivity: float = 50.0
    level: float = 5.0
    mass: float = 30.0
    center: float = 60.0
    std: float = 15.0
    length: float = 400.0
    cells: int = 400
    num_agents: int = 40_000
    dt: float = 0.02
    times: tuple[float, ...] = (2.0, 8.0, 20.0)

    def run(self, seed: int = 0, report: Report = silent) -> Levels:
        """All four.

        **Raises:** as `jc.solve`.
        """
        grid = Grid.box(0.0, self.length, _checks.natural("cells", self.cells, at_least=8), NoFlux())
        eaten = {"c": Signal(Consumption("rho", self.consumption), self.diffusivity)}
        swimmers = RunAndTumble(self.speed, ExponentialResponse(self.rate, self.gain), Reversal(), signals=eaten)
        start = gaussian(mass=self.mass, center=self.center, std=self.std), uniform(amplitude=self.level)
        problem = Problem(swimmers, grid, *start)
        density, signal = {}, {}
        for name, posed, method in (
            ("agents", problem, Agents(self.num_agents)),
            ("kinetic", problem, Kinetic()),
            ("Fokker-Planck", problem, FokkerPlanck()),
            ("Keller-Segel", Problem(swimmers.to_keller_segel(1), grid, *start), FiniteVolume()),
        ):
            report(name)
            key = jax.random.key(seed)
            dt = self.dt if method.stochastic else 0.8 * float(method.stable_dt(posed, method.init(posed)))
            unit = min(np.diff((0.0, *self.times)))
            dt = unit / math.ceil(unit / dt)
            saveat = SaveAt(ts=self.times)
            run = solve(posed, method, t1=self.times[-1], dt=dt, key=key, saveat=saveat, adjoint=Forward())
            density[name], signal[name] = np.asarray(run.ys.density, float), np.asarray(run.ys.signal, float)
        last = density["kinetic"][-1]
        distances = {name: float(np.abs(one[-1] - last).sum() / last.sum()) for name, one in density.items()}
        return Levels(np.asarray(grid.axes[0], float), list(self.times), density, signal, distances)

    def numbers(self, found: Levels) -> dict[str, Any]:
        """Relative L1 distances of the final densities to that of the kinetic equations, ready for JSON."""
        masses = {name: float(one[-1].sum() * self.length / self.cells) for name, one in found.density.items()}
        return {"distance_to_kinetic": found.distances, "masses": masses}

    def lines(self, found: Levels) -> list[str]:
        said = ", ".join(f"{name} {gap:.3f}" for name, gap in found.distances.items() if name != "kinetic")
        return [f"L1 distance to the kinetic equations at the end: {said}"]

    def draw(self, found: Levels, folder: Path) -> Path:
        from jaxchemo.experiments.swimming import figures

        figures.levels(found.x, found.ts, found.density, found.signal).savefig(folder / "levels.png")
        return folder / "levels.png"
