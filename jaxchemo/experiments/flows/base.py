"""What experiments with a flow share: a population that attracts itself, and interacting particles beside the flow."""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo.experiments.base import Experiment, OutcomeT
from jaxchemo.experiments.options import (
    even_steps,
    final_time,
    in_turn,
    option,
    positive,
    real,
    snapshots,
    time_step,
    whole,
)
from jaxchemo.experiments.posed import Posed
from jaxchemo.initial import AbstractPoints, Sobol
from jaxchemo.integrate import Forward, SaveAt, Solution, solve
from jaxchemo.methods import AbstractMethod, InteractingParticles, LagrangianFlow
from jaxchemo.particles.blobs import GaussianBlob


class Film(NamedTuple):
    """What a film shows: times, points of a square along each axis [length], the flow's density over the mass there (in
    three dimensions on the slice through the middle) [1 / length^d], and positions by method [length]."""

    ts: Float[np.ndarray, " t"]
    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    density: Float[np.ndarray, "t n n"]
    clouds: dict[str, Float[np.ndarray, "t p d"]]


def population(mass: float) -> float:
    """The option `mass`."""
    return option(mass, positive, "of the population; in the plane 8 pi is critical", "mass")


def sources(number: int) -> int:
    """The option `num_sources`."""
    return option(number, whole(16), "number of points that make the flow's attraction")


def units(number: int) -> int:
    """The option `hidden_units`."""
    return option(number, whole(), "units of the hidden layers in the flow's networks")


def smoothing(width: float) -> float:
    """The option `blob_width`."""
    return option(width, positive, "width over which each interacting particle is smoothed", "length")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowExperiment(Posed, Experiment[OutcomeT]):
    """A population that attracts itself in the whole plane or space: `mobility = sensitivity = 1`.

    **Arguments:**

    - `mass`: of the population; 8 pi is critical in the plane.
    - `t1`, `frames`: final time, and how many times are looked at; `pictures`: of a film, for each of them.
    - `num_labels`, `num_sources`, `hidden_units`: of the flow. `num_particles`, `blob_width`, `dt`: of interacting
      particles.
    - `middle`, `view`: middle, and half of a side, of the square that is drawn [length].

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> jc.experiments.LagrangianShear(num_particles=500).interacting_particles()
    InteractingParticles(num_particles=500, blob=GaussianBlob(width=0.05), points=Sobol(), block=64)
    """

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    mass: float = population(16 * math.pi)
    t1: float = final_time(0.3)
    frames: int = snapshots(6)
    pictures: int = option(5, whole(), "pictures of the film for each snapshot", own_run=True)
    num_labels: int = option(1024, whole(16), "number of points at which the flow's residual is least")
    # Measured on a Gaussian at t = 0.25: a relative L2 error of 0.0009 to 0.0027; with 4096, of 0.0025 to 0.0031.
    num_sources: int = sources(8192)
    hidden_units: int = units(24)
    num_particles: int = option(2048, whole(2), "number of interacting particles")
    blob_width: float = smoothing(0.05)
    dt: float = time_step(1e-3)
    middle: tuple[float, float] = option(
        (0.0, 0.0), in_turn(real, real), "of the square that is drawn", "length", own_run=True
    )
    view: float = option(3.0, positive, "half of a side of the square that is drawn", "length", own_run=True)

    @property
    def times(self) -> tuple[float, ...]:
        """The times that are looked at, without the initial one."""
        return tuple(self.t1 * (k + 1) / self.frames for k in range(self.frames))

    def span(self, method: AbstractMethod) -> tuple[float, float, int]:
        return self.t1, self.t1 / even_steps(self.t1, self.dt, self.frames), self.frames

    @property
    def waves(self) -> tuple[float, ...]:
        """Wavelengths among the features of the flow [length]."""
        return ()

    def lagrangian_flow(self, wavelengths: Sequence[float] | None = None) -> LagrangianFlow:
        """The flow, as a method; `wavelengths` of its waves. Default: `waves`."""
        wavelengths = self.waves if wavelengths is None else wavelengths
        return LagrangianFlow(
            num_labels=self.num_labels, num_sources=self.num_sources, width=self.hidden_units, wavelengths=wavelengths
        )

    def interacting_particles(self, points: AbstractPoints = Sobol()) -> InteractingParticles:
        """Interacting particles, as a method; `points` they start from."""
        return InteractingParticles(self.num_particles, blob=GaussianBlob(self.blob_width), points=points)

    def flow(self, seed: int, wavelengths: Sequence[float] | None = None, throw: bool = True) -> Solution:
        """The flow, solved, with its sources at `times`; `wavelengths` of its waves, and `throw`, as `jc.solve`.

        **Raises:** as `jc.solve`.
        """
        method, saveat = self.lagrangian_flow(wavelengths), SaveAt(ts=self.times)
        return solve(self.problem(), method, t1=self.t1, key=jax.random.key(seed), saveat=saveat, throw=throw)

    def crowd(self, seed: int, points: AbstractPoints = Sobol()) -> Float[np.ndarray, "t p d"]:
        """Interacting particles, at the initial time and at all those of a film; `points` they start from.

        **Raises:** as `jc.solve`.
        """
        shots = self.frames * self.pictures
        steps = even_steps(self.t1, self.dt, shots)
        problem, method = self.problem(), self.interacting_particles(points)
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
        key = jax.random.key(0)  # the same samples at all times
        cloud = np.stack([sample_of(flow, key, crowd.shape[1], t) for t in ts])
        return Film(ts, x, y, density, {"flow": cloud, "interacting particles": crowd})


def density_of(flow: Solution, x: Float[np.ndarray, "*batch d"], t: float) -> Float[np.ndarray, "*batch"]:
    """The flow's density over the mass at points of a time."""
    return np.exp(np.asarray(_log_prob(flow, jnp.asarray(x, float), jnp.asarray(t, float)), float))


def sample_of(flow: Solution, key: Array, n: int, t: float) -> Float[np.ndarray, "n d"]:
    """Positions, drawn from the flow's density of a time."""
    return np.asarray(_sample(flow, key, n, jnp.asarray(t, float)), float)


# Compiled once for all times.
@eqx.filter_jit
def _log_prob(flow: Solution, x: Array, t: Array) -> Array:
    return flow.log_prob(x, t)


@eqx.filter_jit
def _sample(flow: Solution, key: Array, n: int, t: Array) -> Array:
    return flow.sample(key, n, t)
