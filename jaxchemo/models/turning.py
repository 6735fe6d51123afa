"""Which way a bacterium swims after a tumble: the distribution of the cosine of the turning angle."""

import abc

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown


class AbstractTurning(Shown):
    """A distribution of turning angles that is the same all around the old direction."""

    @abc.abstractmethod
    def mean_cosine(self, ndim: int) -> Float[Array, ""] | float:
        """Mean cosine of the angle, between -1 and 1: 0 for no memory of the direction, 1 for no turn."""

    @abc.abstractmethod
    def cosine(self, u: Float[Array, "..."], ndim: int) -> Float[Array, "..."]:
        """The cosine that belongs to a uniform number in (0, 1); in one dimension 1 or -1."""

    def log_density(self, cosine: Float[Array, "..."], ndim: int) -> Float[Array, "..."] | None:
        """Logarithm of how much likelier a new direction is than if all were alike, by the cosine of the turn.

        Default: `None`, of a law that has no density. With one, tracks are filtered with far fewer particles.
        """
        return None


class Isotropic(AbstractTurning):
    """All directions alike.

    >>> jc.models.Isotropic().cosine(jnp.array([0.0, 0.5, 1.0]), ndim=3).tolist()
    [-1.0, 0.0, 1.0]
    """

    def mean_cosine(self, ndim):
        return 0.0

    def cosine(self, u, ndim):
        if ndim == 1:
            return jnp.where(u < 0.5, -1.0, 1.0).astype(u.dtype)
        return 2 * u - 1 if ndim == 3 else jnp.cos(jnp.pi * u)

    def log_density(self, cosine, ndim):
        return jnp.zeros_like(cosine)


class Reversal(AbstractTurning):
    """Back along the old path, always: the tumble of a swimmer in one dimension.

    >>> jc.models.Reversal().mean_cosine(ndim=1)
    -1.0
    """

    def mean_cosine(self, ndim):
        return -1.0

    def cosine(self, u, ndim):
        return jnp.full_like(u, -1)


class Persistent(AbstractTurning):
    """A turn of given mean cosine: in 3D a von Mises-Fisher law, in 2D a wrapped Cauchy law, in 1D a chance to reverse.

    **Arguments:**

    - `mean`: mean cosine, between -1 and 1; 0.33 for *E. coli* (Berg and Brown 1972). [dimensionless]

    **Raises:** `ValueError` or `TypeError` if `mean` is not a number between -1 and 1.

    >>> jc.models.Persistent(0.33).cosine(jnp.array([0.6, 0.7]), ndim=1).tolist()  # it reverses one time in three
    [1.0, -1.0]
    """

    mean: Float[Array, ""]

    def __init__(self, mean: ArrayLike):
        self.mean = _checks.require(
            "mean",
            _checks.real("mean", mean, arrays=True),
            mean,
            lambda a: abs(a) < 1,
            "lie between -1 and 1 (Reversal() always turns back)",
        )

    def mean_cosine(self, ndim):
        return self.mean

    def cosine(self, u, ndim):
        mean = self.mean.astype(u.dtype)
        if ndim == 1:
            return jnp.where(u < 0.5 * (1 + mean), 1.0, -1.0).astype(u.dtype)
        if ndim == 2:  # a Moebius map of a uniform angle
            turn = jnp.cos(jnp.pi * u)
            return ((1 + mean**2) * turn + 2 * mean) / (1 + mean**2 + 2 * mean * turn)
        size, sign = jnp.abs(mean), jnp.where(mean < 0, -1, 1)
        k = _concentration(size)
        # The inverse of the distribution function with exp(2k) taken out of it, so that nothing overflows however
        # sharp the turn is. For k to 0 it is 0/0, and the law is the isotropic one.
        cosine = 1 + jnp.log(u + (1 - u) * jnp.exp(-2 * k)) / k
        return sign * jnp.where(size < 1e-3, 2 * u - 1, jnp.clip(cosine, -1, 1))

    def log_density(self, cosine, ndim):
        mean = self.mean.astype(cosine.dtype)
        if ndim == 1:
            return jnp.log1p(mean * cosine)
        if ndim == 2:
            return jnp.log((1 - mean**2) / (1 + mean**2 - 2 * mean * cosine))
        k = _concentration(jnp.abs(mean))
        along = jnp.where(mean < 0, -cosine, cosine)
        density = jnp.log(2 * k) - jnp.log1p(-jnp.exp(-2 * k)) + k * (along - 1)
        return jnp.where(jnp.abs(mean) < 1e-3, 0, density)  # as `cosine` has it


def _concentration(mean: Float[Array, ""]) -> Float[Array, ""]:
    """k of `coth k - 1/k = mean`, by Newton's method from Banerjee et al. (2005)."""
    # Below, coth k - 1/k = k/3 - ... is a difference of large numbers: `cosine` takes another formula there.
    mean = jnp.maximum(mean, 1e-3)
    k = mean * (3 - mean**2) / (1 - mean**2)
    for _ in range(4):
        coth = 1 / jnp.tanh(k)
        slope = jnp.maximum(1 - coth**2 + 1 / k**2, 1e-12)
        k = jnp.maximum(k - (coth - 1 / k - mean) / slope, 1e-3)
    return k
