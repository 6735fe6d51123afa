"""What a flow from a prior is trained on: the plain Lagrangian loss, and the density that an interval starts with."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo.flows import AbstractBijection
from jaxchemo.initial import Sobol
from jaxchemo.methods.flows.labels import Frame, Samples
from jaxchemo.methods.flows.prior_path import log_prob, moved, positions, samples_at
from jaxchemo.methods.free_space import Attraction
from jaxchemo.particles.mean_field import AbstractMeanField


class Misfit(NamedTuple):
    """Mean squares of `dX/dt - U[p]` and of `U[p]`, in units of the frame."""

    residual: Float[Array, ""]
    speed: Float[Array, ""]


def misfit(
    flow: AbstractBijection,
    system: Attraction,
    field: AbstractMeanField | None,
    frame: Frame,
    t: Float[Array, ""],
    labels: Float[Array, "n d"],
    others: Float[Array, "s d"],
) -> Misfit:
    """The Lagrangian loss at a time of an interval; `others` are the labels of the sources, which make the field."""
    x, velocity = jax.vmap(lambda z: moved(flow, z, t))(labels)
    samples = samples_at(flow, x, t)
    force = jnp.zeros_like(x)
    if field is not None:
        force = field(x, samples.log_p, samples.score, positions(flow, others, t))
    drift = frame.velocity(system, x, samples.score, force)
    return Misfit(jnp.mean(jnp.sum((velocity - drift) ** 2, axis=-1)), jnp.mean(jnp.sum(drift**2, axis=-1)))


def divergence(flow: AbstractBijection, points: Samples) -> Float[Array, ""]:
    """KL(p | flow) at the start of an interval, from points of the density p, in units of the frame."""
    zero = jnp.zeros((), points.log_p.dtype)
    more = jax.vmap(lambda x: log_prob(flow, x, zero))(points.position) - points.log_p
    # The mean of `exp(more) - 1` is zero. With it every term is least, and zero, where the densities agree: the
    # gradient has no noise there.
    return jnp.mean(jnp.expm1(more) - more)


def trained(
    loss: Callable[[Float[Array, " p"], PRNGKeyArray], tuple[Float[Array, ""], Any]],
    parameters: Float[Array, " p"],
    key: PRNGKeyArray,
    *,
    steps: int,
    rate: Float[Array, ""],
) -> tuple[Float[Array, " p"], Any]:
    """Parameters after steps of Adam, its rate falling to zero as a cosine, and what the loss returned besides.

    **Arguments:**

    - `loss`: from parameters and a key, to be drawn from anew in each step, to the loss and what is to be kept besides.
    - `parameters`: the start; `key`: of all steps.
    - `steps`, `rate`: how many, and the rate of the first.
    """
    import optax  # imported here: only training needs it

    schedule = optax.cosine_decay_schedule(-1.0, steps)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.scale_by_schedule(schedule))

    def step(state: tuple[Array, Any], n: Array) -> tuple[tuple[Array, Any], Any]:
        parameters, moments = state
        gradient, told = jax.grad(loss, has_aux=True)(parameters, jax.random.fold_in(key, n))
        change, moments = optimiser.update(gradient, moments)
        return (parameters + rate * jnp.asarray(change), moments), told

    (parameters, _), course = jax.lax.scan(step, (parameters, optimiser.init(parameters)), jnp.arange(steps))
    return parameters, course


def prior(key: PRNGKeyArray, n: int, ndim: int) -> Float[Array, "n d"]:
    """Points of the standard normal distribution, spread evenly."""
    return ndtri(Sobol()(key, n, ndim))
