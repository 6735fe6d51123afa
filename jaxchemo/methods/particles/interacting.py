"""Interacting particles in the whole space: each diffuses, and is pulled by all others through the signal."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.domain import Components
from jaxchemo.features import Feature
from jaxchemo.initial import AbstractPoints, Particles, Sobol
from jaxchemo.methods.base import INIT, NOISE, AbstractFixedStep, Snapshot, StepInfo, cartesian, stream
from jaxchemo.methods.free_space import Attraction
from jaxchemo.particles.blobs import AbstractBlob, GaussianBlob, attraction
from jaxchemo.results import RESULTS


class Crowd(eqx.Module):
    """Particles: an array `(P,)` for each axis [length]."""

    positions: Components


class InteractingParticles(AbstractFixedStep):
    """`dX = v dt - (strength mass / P) sum_j F(X - X_j) dt + sqrt(2 mobility) dW`: every pair, no grid.

    For Keller-Segel models whose signal spreads at once (`relaxation=0`, no decay), in `FreeSpace`, with or without
    advection. The cost grows as the square of the number of particles. What is solved is the system of blobs: near
    collapse they must be narrower than the core.

    Derivatives are those of the path of one key. Pairs are smooth over the width of a blob, so that they fare better
    than those of `ParticleField`: of the mean square distance by sensitivity, in the plane at 12 pi of mass, one key of
    500 particles is uncertain by 4% at t = 0.1, and by 6% (blobs of 0.3) or 17% (0.05) at t = 0.2, near collapse. Of
    what is seen closer up, or later, `jc.inference.pathwise` says what they are worth.

    **Arguments:**

    - `num_particles`: P. Default 2,048.
    - `blob`: `GaussianBlob(width)` or `AlgebraicBlob(width)`. Default: a Gaussian of width 0.05.
    - `points`: initial positions: `Sobol()` (default) or `Random()`.
    - `block`: particles whose pairs are in memory at a time. Default 64.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    **Source:** the interacting particle method beside which arXiv 2510.14297 compares its flows.

    >>> jc.InteractingParticles(1_000, blob=jc.AlgebraicBlob(0.1))
    InteractingParticles(num_particles=1000, blob=AlgebraicBlob(width=0.1), points=Sobol(), block=64)
    """

    solves: ClassVar = frozenset(
        {
            Feature.DENSITIES,
            Feature.ADVECTION,
            Feature.SLAVED_SIGNALS,
            Feature.FREE_SPACE,
            Feature.SEVERAL_DIMENSIONS,
        }
    )

    num_particles: int = eqx.field(static=True)
    blob: AbstractBlob
    points: AbstractPoints
    block: int = eqx.field(static=True)

    def __init__(
        self,
        num_particles: int = 2_048,
        *,
        blob: AbstractBlob | None = None,
        points: AbstractPoints = Sobol(),
        block: int = 64,
    ):
        self.num_particles = _checks.natural("num_particles", num_particles, at_least=2)
        blob = GaussianBlob(0.05) if blob is None else blob
        self.blob = _checks.instance("blob", blob, AbstractBlob, "GaussianBlob(width) or AlgebraicBlob(width)")
        self.points = _checks.instance("points", points, AbstractPoints, "Sobol() or Random()")
        self.block = _checks.natural("block", block)

    @property
    def stochastic(self) -> bool:
        return True

    @property
    def name(self) -> str:
        return "ipm"

    def check_parts(self, problem):
        """**Raises:** `ValueError` or `TypeError` for another system, and for another number of initial particles."""
        start = Attraction.check(problem)
        if isinstance(start, Particles) and start.positions.shape[0] != self.num_particles:
            raise ValueError(
                f"`num_particles` is {self.num_particles}, but the initial condition has {start.positions.shape[0]}."
            )

    def init(self, problem, *, key=None):
        (start,) = problem.density.values()
        return Crowd(tuple(start.sample(stream(key, INIT), self.num_particles, cartesian(problem), self.points).T))

    def step(self, problem, state, n, t, dt, *, key=None):
        system, x = Attraction.of(problem), jnp.stack(state.positions, axis=1)
        noise = jax.random.normal(jax.random.fold_in(stream(key, NOISE), n), x.shape, x.dtype)
        moved = x + dt * self._drift(system, x) + jnp.sqrt(2 * system.mobility * dt) * noise
        moved = moved.astype(x.dtype)
        result = RESULTS.where(jnp.all(jnp.isfinite(moved)), RESULTS.successful, RESULTS.nonfinite)
        return Crowd(tuple(moved.T)), StepInfo(result)

    def stable_dt(self, problem, state):
        """A step in which particles diffuse, and are pulled, by no more than half the width of their blobs."""
        system = Attraction.of(problem)
        fastest = jnp.max(jnp.linalg.norm(self._drift(system, jnp.stack(state.positions, axis=1)), axis=1))
        half = 0.5 * self.blob.width
        return jnp.minimum(half**2 / (2 * system.mobility), half / jnp.maximum(fastest, jnp.finfo(half.dtype).tiny))

    def snapshot(self, problem, state):
        weight = Attraction.of(problem).mass / self.num_particles
        return Snapshot(None, None, jnp.stack(state.positions, axis=1), weight)

    def _drift(self, system: Attraction, x: Float[Array, "p d"]) -> Float[Array, "p d"]:
        pulled = system.pull * attraction(x, x, self.blob, block=self.block)
        return pulled if system.advection is None else pulled + system.advection(x)
