"""Directions of swimmers: how they are drawn and turned, from as few random bits as will do.

Everywhere an array for each axis: steps with arrays `(3, n)` took five times as long on one core.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.random import threefry_2x32
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from jaxchemo.domain import Components


def anywhere(key: PRNGKeyArray, n: int, ndim: int, dtype: Any) -> Components:
    """Directions of `n` swimmers, drawn evenly: one array `(n,)` for each axis."""
    if ndim == 1:
        return (jnp.where(jax.random.bernoulli(key, shape=(n,)), 1, -1).astype(dtype),)
    p = tuple(jax.random.normal(key, (ndim, n), dtype))
    length = jnp.sqrt(sum((q * q for q in p[1:]), p[0] * p[0]))
    return tuple(q / length for q in p)


def rotated(p: Components, cosine: Float[Array, " P"], bits: UInt32[Array, " P"]) -> Components:
    """Directions turned by angles of these cosines, to any side, which 16 random bits choose."""
    square = jnp.maximum(1 - cosine * cosine, 0)
    # Round-off in the length, of which what is kept of the old direction takes out what there is.
    cosine = cosine * (1.5 - 0.5 * sum(q * q for q in p))
    if len(p) == 2:
        sine = _signed(_root(square), bits)
        return cosine * p[0] - sine * p[1], cosine * p[1] + sine * p[0]
    x, y, z = p
    share = _share(bits >> 2, x.dtype)
    along, across = _signed(_root(square * share), bits), _signed(_root(square * (1 - share)), bits >> 1)
    # Two directions across, without a branch (Duff et al. 2017): as those to the sides of a direction with z > 0, and
    # a mirror. Written so that compilers, which repeat what three components share, repeat no more than products.
    rise = 1 + jnp.abs(z)
    kept = (cosine * rise - along * x - across * y) / rise
    return kept * x + along, kept * y + across, jnp.copysign(jnp.ones((), x.dtype), z) * (kept * rise - cosine)


def words(key: PRNGKeyArray, n: int) -> UInt32[Array, " n"]:
    """Random words: half the work of `jax.random.bits`, which makes two of each and throws one away."""
    data = jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
    if data.shape != (2,):  # not threefry's
        return jax.random.bits(key, (n,), jnp.uint32)
    return threefry_2x32(data, jax.lax.iota(jnp.uint32, n + n % 2))[:n]


def uniform(bits: UInt32[Array, " P"], count: int, dtype: Any) -> Float[Array, " P"]:
    """Numbers in (0, 1) from whole numbers of `count` bits, fewer than 32: signed ones are faster converted."""
    return (bits.astype(jnp.int32).astype(dtype) + 0.5) * 2.0**-count


def mixed(word: UInt32[Array, " P"]) -> UInt32[Array, " P"]:
    """The bits of a word mixed among themselves (the finaliser of MurmurHash3)."""
    word = (word ^ (word >> 16)) * jnp.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * jnp.uint32(0xC2B2AE35)
    return word ^ (word >> 16)


def _share(bits: UInt32[Array, " P"], dtype: Any) -> Array:
    """Squared cosine of a random angle, from 14 bits: a polynomial, whose errors are less than the steps of the angle.

    With cosine and sine themselves a step of agents took three times as long. The square of the sine is the rest to
    one, whatever the errors: no length depends on them.
    """
    angle = (uniform(bits & 0x3FFF, 14, dtype) - 0.5) * math.pi  # from the diagonal, doubled
    square, sine = angle * angle, jnp.zeros_like(angle)
    for k in reversed(range(6)):
        sine = sine * square + (-1) ** k / math.factorial(2 * k + 1)
    return jnp.clip(0.5 - 0.5 * sine * angle, 0, 1)


def _root(square: Array) -> Array:
    """A root that has a derivative where it is zero: of swimmers that keep their direction."""
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def _signed(size: Array, bits: UInt32[Array, " P"]) -> Array:
    """Either sign, as the lowest bit says."""
    return jnp.where((bits & 1) == 1, size, -size)
