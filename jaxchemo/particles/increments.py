"""Brownian increments of mean 0 and variance 1: independent, cheaper, or antithetic between neighbours."""

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, UInt32

from jaxchemo import _checks
from jaxchemo.domain import Components, Grid


class AbstractIncrements(eqx.Module):
    """Random increments of a step, one per particle and axis, each with mean 0 and variance 1."""

    @abc.abstractmethod
    def __call__(self, key: PRNGKeyArray, x: Components, grid: Grid) -> Components:
        """Increments for particles at `x`, a tuple of `d` arrays `(P,)` [dimensionless]."""


class Normal(AbstractIncrements):
    """Independent normal increments.

    >>> jc.ParticleField(1_000).increments  # the default
    Normal()
    """

    def __call__(self, key, x, grid):
        keys = jax.random.split(key, len(x))
        return tuple(jax.random.normal(k, xi.shape, xi.dtype) for k, xi in zip(keys, x, strict=True))


class ThreePoint(AbstractIncrements):
    """Three-point increments, -sqrt(3), 0, sqrt(3) with weights 1/6, 2/3, 1/6: the moments of a normal up to the fifth.

    First- and second-order weak schemes keep their order in the step, for a third of the cost: one random word per
    particle. A single step is not Gaussian, so do not use it for one-step statistics. **Source:** Kloeden and Platen
    (1992), section 14.1.

    >>> grid = jc.Grid.box((0,), (1,), (8,))
    >>> (z,) = jax.jit(lambda key, x: jc.ThreePoint()(key, (x,), grid))(jax.random.key(0), jnp.zeros(1_000))
    >>> np.unique(z).size
    3
    """

    def __call__(self, key, x, grid):
        word = jax.random.bits(key, x[0].shape, jnp.uint32)
        # Ten bits an axis: 171 of 1024 values go up and 171 down, and the jump is scaled to variance 1 exactly.
        jump = math.sqrt(1024 / 342)

        def axis(k: int, like: Array) -> Array:
            ten = (word >> (10 * k)) & 1023
            sign = (ten < 171).astype(like.dtype) - (ten >= 853).astype(like.dtype)
            return jump * sign

        return tuple(axis(k, xi) for k, xi in enumerate(x))


class Antithetic(AbstractIncrements):
    """Opposite increments for neighbours in space, so that most of the sampling noise of the density cancels.

    Particles are ordered along a Morton curve and each pair of neighbours shares one increment with opposite signs. The
    law of each particle is unchanged; particles of a run are then not independent, so error bars need several keys.

    **Arguments:**

    - `of`: the increments that are paired. Default `Normal()`.

    **Raises:** `TypeError` for other things than increments.

    >>> jc.ParticleField(1_000, increments=jc.Antithetic(jc.ThreePoint())).increments
    Antithetic(of=ThreePoint())
    """

    of: AbstractIncrements

    def __init__(self, of: AbstractIncrements = Normal()):
        self.of = _checks.instance("of", of, AbstractIncrements, "Normal() or ThreePoint()")

    def __call__(self, key, x, grid):
        num_particles = x[0].size
        order = jnp.argsort(morton(x, grid))
        # Pairs: groups of four or eight, Sobol points along the curve and matched moments left as much noise or more in
        # most cases (measured).
        half = (num_particles + 1) // 2
        drawn = self.of(key, tuple(xi[:half] for xi in x), grid)
        paired = (jnp.stack([z, -z], axis=1).reshape(-1)[:num_particles] for z in drawn)
        return tuple(jnp.zeros_like(z).at[order].set(z, unique_indices=True) for z in paired)


def morton(x: Components, grid: Grid) -> UInt32[Array, " p"]:
    """Position along the Morton (Z-order) curve through the box: close numbers are close in space."""
    bits = 32 // len(x) if len(x) < 3 else 10
    code = jnp.zeros((), jnp.uint32)
    for axis, (xi, lower, upper) in enumerate(zip(x, grid.lower, grid.upper, strict=True)):
        scaled = (xi - lower) * (2.0**bits / (upper - lower))
        # No more than a little below 2^bits: what reaches the upper wall would not fit into the integer.
        cell = jnp.clip(scaled, 0, 2.0**bits * (1 - 2.0**-20)).astype(jnp.uint32)
        code = code | (_spread(cell, len(x)) << axis)
    return code


def _spread(v: UInt32[Array, " p"], dimension: int) -> UInt32[Array, " p"]:
    """The bits of `v` with `dimension - 1` zeros between them."""
    if dimension == 2:
        for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
            v = (v | (v << shift)) & jnp.uint32(mask)
    elif dimension == 3:
        for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
            v = (v | (v << shift)) & jnp.uint32(mask)
    return v
