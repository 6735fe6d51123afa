"""What flows from a standard normal prior know at any time that they have reached."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxchemo.flows import AbstractBijection
from jaxchemo.methods.flows.labels import Frame, Samples
from jaxchemo.methods.flows.path import AbstractPath
from jaxchemo.particles.mean_field import AbstractMeanField
from jaxchemo.problem import Problem


def log_prob(flow: AbstractBijection, x: Float[Array, " d"], t: Float[Array, ""]) -> Float[Array, ""]:
    """Of the density that the flow, from points to those of the prior, pulls back: `ln N(T(x)) + ln |det dT/dx|`."""
    z, log_det = flow.transform_and_log_det(x, t)
    return log_det - 0.5 * jnp.sum(z**2) - 0.5 * z.size * math.log(2 * math.pi)


def moved(
    flow: AbstractBijection, z: Float[Array, " d"], t: Float[Array, ""]
) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
    """The position of a label of the prior at a time, and its velocity: one pass forward through the inverse."""
    return jax.jvp(lambda t: flow.inverse_and_log_det(z, t)[0], (t,), (jnp.ones_like(t),))


def positions(flow: AbstractBijection, z: Float[Array, "n d"], t: Float[Array, ""]) -> Float[Array, "n d"]:
    """The positions of labels at a time."""
    return jax.vmap(lambda z: flow.inverse_and_log_det(z, t)[0])(z)


def samples_at(flow: AbstractBijection, x: Float[Array, "n d"], t: Float[Array, ""]) -> Samples:
    """Points of a time, with their log density and its gradient."""
    values, scores = jax.vmap(jax.value_and_grad(lambda x: log_prob(flow, x, t)))(x)
    return Samples(x, values, scores)


class PriorPath(AbstractPath):
    """The flows of all intervals, each of them from the prior. At a joint, the one that ends there is taken.

    **Fields:**

    - `problem`: what is solved; `estimator`: how the force is made of the sources.
    - `frames`: the intervals `(k,)`; those not reached start at infinity.
    - `flows`: from points to labels, stacked.
    - `seeds`: labels of the sources, from the prior.
    """

    problem: Problem
    estimator: AbstractMeanField
    frames: Frame
    flows: AbstractBijection
    seeds: Float[Array, "s d"]

    def at(self, x, t):
        frame, flow = self._interval(t)
        tau = frame.passed(t)
        inside = (x - frame.center) / frame.scale
        labels = jax.vmap(lambda x: flow.transform_and_log_det(x, tau)[0])(inside)
        velocity = jax.vmap(lambda z: moved(flow, z, tau)[1])(labels)
        return frame.outside(samples_at(flow, inside, tau)), frame.scale / frame.duration * velocity

    def sample(self, key, n, t):
        frame, flow = self._interval(t)
        z = jax.random.normal(key, (n, self.seeds.shape[1]), self.seeds.dtype)
        return frame.center + frame.scale * positions(flow, z, frame.passed(t))

    def sources(self, t):
        frame, flow = self._interval(t)
        return frame.outside(samples_at(flow, positions(flow, self.seeds, frame.passed(t)), frame.passed(t)))

    def _interval(self, t: Array) -> tuple[Frame, AbstractBijection]:
        """The interval of a time, and its flow."""
        # A joint is known to rounding only.
        k = jnp.maximum(jnp.sum(self.frames.start + 1e-5 * self.frames.duration < t) - 1, 0)
        parameters, rest = eqx.partition((self.frames, self.flows), eqx.is_array)
        return eqx.combine(jax.tree.map(lambda rows: rows[k], parameters), rest)
