"""Cosine transforms by real Fourier transforms of the same length: what waves between closed walls are made of.

`jax.scipy.fft` takes a complex transform instead, which costs two to three times as much.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from jaxchemo._numerics import cut


def cosine(field: Float[Array, "*shape"], axis: int) -> Float[Array, "*shape"]:
    """`2 sum_j field_j cos(pi k (2 j + 1) / 2 n)` along an axis (DCT-II). **Source:** Makhoul (1980)."""
    n = field.shape[axis]
    # Cells in the order 0, 2, 4, ..., 5, 3, 1 make cosines of half waves the real part of turned Fourier modes.
    ordered = [cut(field, axis, 0, None, 2), jnp.flip(cut(field, axis, 1, None, 2), axis)]
    modes = jnp.fft.rfft(jnp.concatenate(ordered, axis), axis=axis)
    turned = 2 * modes * _turn(n, axis, modes, -1)
    return jnp.concatenate([turned.real, jnp.flip(-cut(turned.imag, axis, 1, (n + 1) // 2), axis)], axis)


def inverse_cosine(modes: Float[Array, "*shape"], axis: int) -> Float[Array, "*shape"]:
    """The field of which `cosine` makes these modes."""
    n = modes.shape[axis]
    half = n // 2 + 1
    real, tail = cut(modes, axis, 0, half), jnp.flip(cut(modes, axis, n - half + 1, None), axis)
    imaginary = -jnp.concatenate([jnp.zeros_like(cut(real, axis, 0, 1)), tail], axis)
    turned = 0.5 * lax.complex(real, imaginary)
    ordered = jnp.fft.irfft(turned * _turn(n, axis, turned, 1), n=n, axis=axis)
    even, odd = cut(ordered, axis, 0, (n + 1) // 2), cut(ordered, axis, (n + 1) // 2, None)
    odd = jnp.pad(jnp.flip(odd, axis), [(0, n % 2 * int(a == axis)) for a in range(modes.ndim)])
    together = jnp.stack([even, odd], axis + 1)
    shape = [2 * even.shape[axis] if a == axis else size for a, size in enumerate(modes.shape)]
    return cut(together.reshape(shape), axis, 0, n)


def _turn(n: int, axis: int, modes: Array, sign: int) -> Array:
    """`exp(sign i pi k / 2 n)` for each mode k along an axis."""
    k = np.arange(modes.shape[axis]).reshape([-1 if a == axis else 1 for a in range(modes.ndim)])
    return jnp.asarray(np.exp(sign * 0.5j * np.pi * k / n), modes.dtype)
