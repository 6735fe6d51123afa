"""Points that a flow carries, with what it knows of the density at them, and the units of an interval."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo.domain import FreeSpace, Grid
from jaxchemo.initial import AbstractProfile
from jaxchemo.methods.free_space import Attraction
from jaxchemo.problem import Problem


class Samples(eqx.Module):
    """Points that the flow carries, with what it knows of the density there: exact but for round-off."""

    position: Float[Array, "n d"]
    log_p: Float[Array, " n"]
    score: Float[Array, "n d"]


class Frame(eqx.Module):
    """The units of an interval: places are `center + scale * x`, times `start + duration * t` with t from 0 to 1."""

    start: Float[Array, ""]
    duration: Float[Array, ""]
    scale: Float[Array, ""]
    center: Float[Array, " d"]

    @classmethod
    def of(cls, samples: Samples, start: Float[Array, ""], duration: ArrayLike = 1.0) -> "Frame":
        """In units of the core of the density that they are drawn from, from a time on."""
        # A normal density with this maximum has this standard deviation.
        ndim = samples.position.shape[-1]
        scale = jnp.exp(-jnp.max(samples.log_p) / ndim) / math.sqrt(2 * math.pi)
        return cls(start, jnp.asarray(duration, scale.dtype), scale, jnp.mean(samples.position, axis=0))

    def inside(self, samples: Samples) -> Samples:
        """Samples in the units of the interval."""
        ndim = samples.position.shape[-1]
        log_p = samples.log_p + ndim * jnp.log(self.scale)
        return Samples((samples.position - self.center) / self.scale, log_p, samples.score * self.scale)

    def outside(self, samples: Samples) -> Samples:
        """The samples in the units of the problem again."""
        ndim = samples.position.shape[-1]
        log_p = samples.log_p - ndim * jnp.log(self.scale)
        return Samples(self.center + self.scale * samples.position, log_p, samples.score / self.scale)

    def passed(self, t: Float[Array, ""]) -> Float[Array, ""]:
        """How much of the interval is over at a time: 0 before it, 1 after it."""
        return jnp.clip((t - self.start) / self.duration, 0, 1)

    def velocity(
        self,
        system: Attraction,
        x: Float[Array, "*n d"],
        score: Float[Array, "*n d"],
        field: Float[Array, "*n d"],
    ) -> Float[Array, "*n d"]:
        """`U[p]` of a system at points, from the score and from `F * p` there, all in the units of the interval."""
        # In 3D the field gains 1 / scale. Without it the residual was as small, and the second moment 7% too large: no
        # residual sees a wrong factor in the physics.
        pull = self.scale ** (2 - x.shape[-1]) * system.pull
        drift = self.duration / self.scale**2 * (pull * field - system.mobility * score)
        if system.advection is None:
            return drift
        return drift + self.duration / self.scale * system.advection(self.center + self.scale * x)

    def phases(self, wavelengths: Float[Array, " f"]) -> Float[Array, "d f 2"] | None:
        """Wavenumber and phase of waves that stand still in space, for each coordinate."""
        if not wavelengths.size:
            return None
        number = jnp.broadcast_to(2 * math.pi / wavelengths, (self.center.size, wavelengths.size))
        return jnp.stack([number * self.scale, number * self.center[:, None]], axis=-1)


def initial_profile(problem: Problem) -> AbstractProfile:
    """The density at the start. **Raises:** `TypeError` for one that is no formula."""
    (initial,) = problem.density.values()
    return _checks.instance("density", initial, AbstractProfile, "a Gaussian or a mixture of them")


def samples_of(initial: AbstractProfile, space: Grid | FreeSpace, x: Float[Array, "n d"]) -> Samples:
    """Points at the initial time, with their log density and its gradient."""
    values, scores = jax.vmap(jax.value_and_grad(initial.log_value))(x)
    return Samples(x, values - jnp.log(initial.mass_in(space)), scores)
