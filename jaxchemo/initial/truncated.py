"""The normal distribution between two ends: how much of it lies there, and points that sample it."""

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Bool, Float


@jax.jit
def share(low: Float[Array, "..."], high: Float[Array, "..."]) -> Float[Array, "..."]:
    """Probability that a standard normal number lies between `low` and `high`."""
    below, above, _ = _left(low, high)
    return ndtr(above) - ndtr(below)


@jax.custom_jvp
def quantile(u: Float[Array, "..."], low: Float[Array, "..."], high: Float[Array, "..."]) -> Float[Array, "..."]:
    """The standard normal number between `low` and `high` below which lies the share `u` of those in between."""
    below, above, mirrored = _left(low, high)
    start, stop = ndtr(below), ndtr(above)
    p = start + jnp.where(mirrored, 1 - u, u) * (stop - start)
    # Where nothing lies in between there is no such number, but one that is finite is wanted.
    z = ndtri(jnp.maximum(p, jnp.finfo(p.dtype).tiny))
    return jnp.where(mirrored, -z, z)


@quantile.defjvp
def _quantile_jvp(primals, tangents):
    # Of `F(z) = (1 - u) F(low) + u F(high)`, with all densities relative to that at z: none underflows in a tail.
    u, low, high = primals
    du, dlow, dhigh = tangents
    z = quantile(u, low, high)
    relative = [jnp.exp(0.5 * (z - end) * (z + end)) for end in (low, high)]
    width = jnp.sqrt(2 * jnp.pi) * jnp.exp(0.5 * z**2) * share(low, high)
    return z, (1 - u) * relative[0] * dlow + u * relative[1] * dhigh + width * du


def _left(low: Array, high: Array) -> tuple[Array, Array, Bool[Array, "..."]]:
    """The two ends, or their mirror image: in the lower tail a probability keeps its digits, however small it is."""
    mirrored = low + high > 0
    return jnp.where(mirrored, -high, low), jnp.where(mirrored, -low, high), mirrored
