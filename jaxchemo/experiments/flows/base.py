"""What studies of a flow share: cells that attract one another, followed by a flow beside interacting particles."""

import abc
import dataclasses
import math
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.experiments.base import Study, even_steps
from jaxchemo.initial import AbstractPoints, Sobol
from jaxchemo.integrate import Forward, SaveAt, Solution, solve
from jaxchemo.methods import InteractingParticles, LagrangianFlow
from jaxchemo.particles.blobs import GaussianBlob
from jaxchemo.problem import Problem


class Film(NamedTuple):
    """What a film shows: times, points of a square along each axis, the flow's density over the mass there (in three
    dimensions on the slice through the middle), and positions by method."""

    ts: Float[np.ndarray, " t"]
    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    density: Float[np.ndarray, "t n n"]
    clouds: dict[str, Float[np.ndarray, "t p d"]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowStudy(Study):
    """Cells that attract one another in the whole plane or space: `mobility = sensitivity = 1`.

    **Arguments:**

    - `pull`: mass of the cells; 8 pi is critical in the plane.
    - `t1`, `frames`: final time, and how many times are looked at; `pictures`: of a film, for each of them.
    - `num_labels`, `num_sources`, `width`: of the flow. `num_particles`, `blob`, `dt`: of interacting particles.
    - `middle`, `view`: middle, and half of a side, of the square that is drawn [length].
    """

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    pull: float = 16 * math.pi
    t1: float = 0.3
    frames: int = 6
    pictures: int = 5
    num_labels: int = 1024
    num_sources: int = 8192
    width: int = 24
    num_particles: int = 2048
    blob: float = 0.05
    dt: float = 1e-3
    middle: tuple[float, float] = (0.0, 0.0)
    view: float = 3.0

    @abc.abstractmethod
    def problem(self) -> Problem:
        """What is solved."""

    @property
    def times(self) -> tuple[float, ...]:
        """The times that are looked at, without the initial one."""
        return tuple(self.t1 * (k + 1) / self.frames for k in range(self.frames))

    def flow(self, problem: Problem, seed: int, wavelengths: Any = (), throw: bool = True) -> Solution:
        """The flow, with its sources at `times`; `wavelengths` of its waves, and `throw`, as `jc.solve`.

        **Raises:** as `jc.solve`.
        """
        method = LagrangianFlow(
            num_labels=self.num_labels, num_sources=self.num_sources, width=self.width, wavelengths=wavelengths
        )
        return solve(problem, method, t1=self.t1, key=jax.random.key(seed), saveat=SaveAt(ts=self.times), throw=throw)

    def crowd(self, problem: Problem, seed: int, points: AbstractPoints = Sobol()) -> Float[np.ndarray, "t p d"]:
        """Interacting particles, at the initial time and at all those of a film; `points` they start from.

        **Raises:** as `jc.solve`.
        """
        shots = self.frames * _checks.natural("pictures", self.pictures)
        steps = even_steps(self.t1, self.dt, shots)
        method = InteractingParticles(self.num_particles, blob=GaussianBlob(self.blob), points=points)
        key, saveat = jax.random.key(seed), SaveAt(every=steps // shots)
        run = solve(problem, method, t1=self.t1, dt=self.t1 / steps, key=key, saveat=saveat, adjoint=Forward())
        return np.asarray(run.ys.positions, float)

    def film(self, flow: Solution, crowd: Float[np.ndarray, "t p d"], points: int = 81) -> Film:
        """The flow beside a crowd, on so many points along each axis."""
        ndim, shots = crowd.shape[-1], len(crowd) - 1
        ts = self.t1 * np.arange(shots + 1) / shots
        x, y = (np.linspace(c - self.view, c + self.view, points) for c in self.middle)
        square = np.zeros((points, points, ndim))
        square[..., 0], square[..., 1] = x[:, None], y
        density = np.stack([density_of(flow, square, t) for t in ts])
        key = jax.random.key(0)  # the same cells at all times
        cloud = np.stack([sample_of(flow, key, crowd.shape[1], t) for t in ts])
        return Film(ts, x, y, density, {"flow": cloud, "interacting particles": crowd})


def density_of(flow: Solution, x: Float[np.ndarray, "*batch d"], t: float) -> Float[np.ndarray, "*batch"]:
    """The flow's density over the mass at points of a time."""
    return np.exp(np.asarray(_log_prob(flow, jnp.asarray(x, float), jnp.asarray(t, float)), float))


def sample_of(flow: Solution, key: Array, n: int, t: float) -> Float[np.ndarray, "n d"]:
    """Positions of cells, drawn from the flow's density of a time."""
    return np.asarray(_sample(flow, key, n, jnp.asarray(t, float)), float)


# Compiled once for all times.
@eqx.filter_jit
def _log_prob(flow: Solution, x: Array, t: Array) -> Array:
    return flow.log_prob(x, t)


@eqx.filter_jit
def _sample(flow: Solution, key: Array, n: int, t: Array) -> Array:
    return flow.sample(key, n, t)
