"""Swimmers with a whole pathway that climb gradients, beside the mean-field theory."""

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
from jaxchemo.domain import FreeSpace
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import (
    even_steps,
    final_time,
    non_negative,
    option,
    positive,
    real,
    several,
    time_step,
    whole,
)
from jaxchemo.initial import function, particles
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import Agents
from jaxchemo.models import (
    Persistent,
    RunAndTumble,
    fu,
)
from jaxchemo.problem import Problem


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

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.GradientClimbing3D(steepness=(0.5,))
    >>> experiment.title
    'Swimmers with receptors, memory and motors climb gradients'
    >>> experiment.num_agents
    10000
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.settling < self.t1:
            raise ValueError(f"`settling` must be less than `t1`, got {self.settling:g} and {self.t1:g} s.")

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
        return {"drifts": [dict(zip(keys, (g, d.value, d.error, v, b), strict=True)) for g, d, v, b in rows]}

    def lines(self, outcome: Climb) -> list[str]:
        rows = zip(outcome.steepness, outcome.drifts, outcome.theory, self._bits(outcome), strict=True)
        return [
            f"{g:g}/mm: drift {d.value:.3f} ± {d.error:.3f} μm/s, mean field {v:.3f}; in tumbles {b:.2g} bits/s"
            for g, d, v, b in rows
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
        return [nats.value / math.log(2) for nats in outcome.information]

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
