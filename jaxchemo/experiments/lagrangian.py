"""Collapse in the whole space, followed by a flow to its edge, beside the exact solution and interacting particles."""

import dataclasses
import math
import time
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxchemo import _checks
from jaxchemo.analysis import Distance, distance, radial_collapse
from jaxchemo.domain import FreeSpace
from jaxchemo.experiments.base import Study, even_steps
from jaxchemo.initial import gaussian
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import InteractingParticles, LagrangianFlow
from jaxchemo.models import keller_segel
from jaxchemo.particles.blobs import GaussianBlob
from jaxchemo.problem import Problem


class Collapse(NamedTuple):
    """What came out, at each time: densities over the mass along a radius, distances to the reference, the residual
    integral `int E|residual|^2 dt / 4 mobility`, mean squared radii by method, and positions at the end."""

    ts: Float[np.ndarray, " t"]
    radii: Float[np.ndarray, " r"]
    flow: Float[np.ndarray, "t r"]
    exact: Float[np.ndarray, "t r"]
    distances: list[Distance]
    integral: Float[np.ndarray, " t"]
    spreads: dict[str, Float[np.ndarray, " t"]]
    positions: dict[str, Float[np.ndarray, "p d"]]
    residuals: Float[np.ndarray, " intervals"]
    durations: Float[np.ndarray, " intervals"]
    predicted: float
    seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class LagrangianGaussian(Study):
    """A Gaussian of cells that attract one another more than they spread: `mobility = sensitivity = std = 1`.

    **Arguments:**

    - `pull`: mass of the cells; 8 pi is critical in the plane. `ndim`: dimension.
    - `t1`, `frames`: final time, and how many times are looked at.
    - `num_labels`, `num_sources`, `width`: of the flow. `num_particles`, `blob`, `dt`: of interacting particles.
    - `cells`: points of a radius that is drawn.
    """

    name: ClassVar[str] = "lagrangian-gaussian"
    title: ClassVar[str] = "A flow follows the collapse of a Gaussian"
    description: ClassVar[str] = (
        "Cells in the plane, of twice the critical mass. A normalizing flow is trained on nothing but the velocity "
        "that its own density asks for; beside it the radial solution and interacting particles."
    )
    busy: ClassVar[str] = "the flow is trained: a minute or two"
    dimensions: ClassVar[tuple[int, ...]] = (2,)

    pull: float = 16 * math.pi
    t1: float = 0.3
    frames: int = 6
    num_labels: int = 1024
    num_sources: int = 8192
    width: int = 24
    num_particles: int = 2048
    blob: float = 0.05
    dt: float = 1e-3
    cells: int = 121

    def problem(self) -> Problem:
        """What is solved."""
        model = keller_segel(1.0, 1.0, relaxation=0)
        return Problem(model, FreeSpace(self.dimensions[-1]), gaussian(mass=self.pull, std=1.0))

    def run(self, seed: int = 0) -> Collapse:
        """The flow, the radial reference and interacting particles.

        **Raises:** as `jc.solve`.
        """
        problem, key = self.problem(), jax.random.key(seed)
        ndim = problem.grid.ndim
        ts = tuple(self.t1 * (k + 1) / self.frames for k in range(self.frames))
        method = LagrangianFlow(num_labels=self.num_labels, num_sources=self.num_sources, width=self.width)
        started = time.perf_counter()
        found = solve(problem, method, t1=self.t1, key=key, saveat=SaveAt(ts=ts))
        seconds = time.perf_counter() - started
        reference = radial_collapse(problem, ts)
        steps = even_steps(self.t1, self.dt, self.frames)
        particles = InteractingParticles(self.num_particles, blob=GaussianBlob(self.blob))
        saveat = SaveAt(every=steps // self.frames)
        crowd = solve(
            problem, particles, t1=self.t1, dt=self.t1 / steps, key=key, saveat=saveat, adjoint=Forward()
        ).ys.positions
        radii = np.linspace(0, 3, _checks.natural("cells", self.cells, at_least=2))
        line = np.zeros((len(radii), ndim))
        line[:, 0] = radii
        flow = np.stack([np.exp(np.asarray(found.log_prob(line, t), float)) for t in ts])
        exact = np.stack([reference.at(radii, k) for k in range(len(ts))])
        squares = [
            float(jnp.mean(jnp.sum(found.residual(x, t) ** 2, axis=1)))
            for t, x in zip(ts, found.ys.positions[:, :512], strict=True)
        ]
        spreads = {
            "flow": np.asarray(jnp.mean(jnp.sum(found.ys.positions**2, axis=-1), axis=1), float),
            "exact": np.asarray(reference.spread),
            "interacting particles": np.asarray(jnp.mean(jnp.sum(crowd[1:] ** 2, axis=-1), axis=1), float),
        }
        last = np.asarray(found.final.positions, float)[: self.num_particles]
        ends = {"flow": last, "interacting particles": np.asarray(crowd[-1], float)}
        return Collapse(
            np.array(ts),
            radii,
            flow,
            exact,
            [distance(found, reference, k) for k in range(len(ts))],
            np.cumsum(squares) * self.t1 / self.frames / 4,
            spreads,
            ends,
            np.asarray(found.stats["residuals"], float),
            np.asarray(found.stats["durations"], float),
            self.t1 + 1 / float(found.stats["growth"]),
            seconds,
        )

    def numbers(self, found: Collapse) -> dict[str, Any]:
        """Distances to the reference over time, residuals of the intervals and how long it took, ready for JSON."""
        rows = zip(found.ts.tolist(), found.distances, found.integral.tolist(), strict=True)
        return {
            "distances": [{"t": t, **one._asdict(), "residual_integral": r} for t, one, r in rows],
            "residuals": found.residuals.tolist(),
            "durations": found.durations.tolist(),
            "second_moments": {name: values.tolist() for name, values in found.spreads.items()},
            "blow_up_predicted": found.predicted,
            "seconds_with_compilation": found.seconds,
        }

    def lines(self, found: Collapse) -> list[str]:
        rows = [
            f"t = {t:.3g}: relative L2 {one.l2:.4f}, KL {one.kl:.1e}, peak {one.peak:.4f} of the exact one"
            for t, one in zip(found.ts, found.distances, strict=True)
        ]
        about = f"{len(found.residuals)} intervals, {found.seconds:.0f} s with compilation"
        return [*rows, f"{about}; by the growth at the end, blow-up at about {found.predicted:.3f}"]

    def draw(self, found: Collapse, folder: Path) -> Path:
        from jaxchemo import plotting

        plotting.collapse(found, self.title).savefig(folder / "collapse.png")
        return folder / "collapse.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lagrangian3DGaussian(LagrangianGaussian):
    """The same in space, with a mass of 150: it blows up at 0.2442."""

    name: ClassVar[str] = "lagrangian-3d-gaussian"
    title: ClassVar[str] = "A flow follows a collapse in space"
    description: ClassVar[str] = (
        "Cells in space, so many that they collapse. The flow follows their density, whose core holds less and less of "
        "them, beside the radial solution and interacting particles."
    )
    busy: ClassVar[str] = "the flow is trained: some minutes"
    dimensions: ClassVar[tuple[int, ...]] = (3,)

    pull: float = 150.0
    t1: float = 0.22
    num_sources: int = 32_768
    width: int = 20
    blob: float = 0.1
