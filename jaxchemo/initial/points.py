"""Uniform points in the unit cube, pseudo-random or Sobol: initial conditions turn them into particles."""

import abc
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

DIRECTIONS = 24


class AbstractPoints(eqx.Module):
    """A way to draw points in the open unit cube.

    >>> class Even(jc.initial.AbstractPoints):
    ...     def __call__(self, key, n, dimension):
    ...         return jnp.stack(dimension * [(jnp.arange(n) + 0.5) / n], axis=1)
    >>> jc.initial.uniform(mass=1.0).sample(jax.random.key(0), 2, jc.Grid.box(0.0, 8.0, shape=4), Even()).tolist()
    [[2.0], [6.0]]
    """

    @abc.abstractmethod
    def __call__(self, key: PRNGKeyArray, n: int, dimension: int) -> Float[Array, "n dimension"]:
        """`n` points in the open cube `(0, 1)^dimension`."""


class Random(AbstractPoints):
    """Independent uniform points.

    >>> jc.initial.Random()(jax.random.key(0), n=1000, dimension=3).shape
    (1000, 3)
    """

    def __call__(self, key, n, dimension):
        # Not 0 and not 1, where the quantiles of unbounded profiles are infinite.
        tiny = float(jnp.finfo(jnp.result_type(float)).eps)
        return jax.random.uniform(key, (n, dimension), float, minval=tiny, maxval=1 - tiny)


class Sobol(AbstractPoints):
    """Sobol points with a random digital shift: each point is uniform, together they fill the cube evenly.

    Equal error needs far fewer particles for the initial condition; the later noise of a run is not reduced. A number
    of points that is a power of two is best balanced. **Source:** Joe and Kuo (2008) directions, as in scipy.

    **Raises:** `ValueError`, when points are drawn, for more than 2^24 of them.

    >>> u = jc.initial.Sobol()(jax.random.key(0), n=4, dimension=1)
    >>> sorted((4 * u[:, 0]).astype(int).tolist())  # one in each quarter
    [0, 1, 2, 3]
    """

    def __call__(self, key, n, dimension):
        if n > 2**DIRECTIONS:
            raise ValueError(f"`n` is {n}: Sobol() has 2^{DIRECTIONS} points at most; Random() has any number of them.")
        directions = jnp.asarray(_directions(dimension))
        index = jnp.arange(n, dtype=jnp.uint32)
        gray = index ^ (index >> 1)
        shift = jax.random.bits(key, (dimension,), jnp.uint32)
        bits = jnp.broadcast_to(shift, (n, dimension))
        for k in range(max(n - 1, 1).bit_length()):
            bits = bits ^ (((gray >> k) & 1)[:, None] * directions[k])
        # As many leading bits as the float surely holds, moved to the middle of their interval: never 0, never 1.
        kept = min(32, jnp.finfo(jnp.result_type(float)).nmant)
        return ((bits >> (32 - kept)).astype(float) + 0.5) * 2.0**-kept


@functools.cache
def _directions(dimension: int) -> np.ndarray:
    """The direction numbers, as 32-bit words: read off scipy's sequence, where point 2^(k+1) - 1 is direction k."""
    from scipy.stats import qmc  # imported here: only particle runs need it

    sequence = qmc.Sobol(dimension, scramble=False, bits=32)
    words, position = [], 0
    for k in range(DIRECTIONS):
        target = 2 ** (k + 1) - 1
        sequence.fast_forward(target - position)
        words.append((sequence.random(1)[0] * 2.0**32).astype(np.uint32))
        position = target + 1
    return np.stack(words)
