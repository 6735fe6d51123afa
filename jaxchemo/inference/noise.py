"""How measurements scatter about what is predicted: residuals whose half squared sum is the negative log likelihood.

A Gaussian of constant width on counts is wrong twice: it makes too much of small counts and too little of large ones.
The signed roots of the deviance keep the exact likelihood of counts in a least-squares fit, and its Gauss-Newton
matrix is the Fisher information where the prediction is right.
"""

import abc
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._show import Shown


class AbstractNoise(Shown):
    """The distribution of measurements about their prediction, each independent of the others.

    **Class attributes:**

    - `counts`: whether measurements are counts, which cannot be negative.
    """

    counts: ClassVar[bool] = True

    @abc.abstractmethod
    def residuals(self, predicted: Float[Array, "*n"], data: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """Residuals r [dimensionless]: the log likelihood is `normalisation(data) - r^2 / 2`."""

    @abc.abstractmethod
    def normalisation(self, data: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """Log likelihood of data that are predicted exactly."""

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray, predicted: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """Measurements at random, of what is predicted."""

    def expected(self, predicted: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """The mean of the data, of what is predicted: that itself, unless counts are of an exposure."""
        return predicted

    def log_likelihood(self, predicted: Float[Array, "*n"], data: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """Logarithm of the probability (counts) or of its density [1 / unit of the data]."""
        return self.normalisation(data) - 0.5 * self.residuals(predicted, data) ** 2


class Gaussian(AbstractNoise):
    """Normal noise of known width.

    **Arguments:**

    - `std`: standard deviation, positive [unit of the data]; a number, or an array that the data broadcast with.

    **Raises:** `ValueError` or `TypeError` if it is not positive.

    >>> float(jc.inference.Gaussian(0.5).residuals(jnp.array(2.0), jnp.array(1.0)))
    2.0
    """

    counts: ClassVar = False

    std: Float[Array, "..."]

    def __init__(self, std: ArrayLike):
        self.std = _checks.positive("std", std, arrays=True)

    def residuals(self, predicted, data):
        return (predicted - data) / self.std

    def normalisation(self, data):
        return jnp.broadcast_to(-jnp.log(self.std) - 0.5 * jnp.log(2 * jnp.pi), data.shape)

    def draw(self, key, predicted):
        return predicted + self.std * jax.random.normal(key, predicted.shape, predicted.dtype)


class Poisson(AbstractNoise):
    """Counts of independent events, such as cells in the field of a microscope.

    **Arguments:**

    - `exposure`: expected count over the prediction, positive [1 / unit of the prediction]: the area that is counted,
      where densities are predicted. A number, or an array that the data broadcast with. Default 1.

    **Raises:** `ValueError` or `TypeError` if it is not positive.

    >>> counts = jc.inference.Poisson(exposure=4.0)
    >>> float(counts.residuals(jnp.array(2.0), jnp.array(0.0)))  # (2 * 8)^(1/2)
    4.0
    """

    exposure: Float[Array, "..."]

    def __init__(self, exposure: ArrayLike = 1.0):
        self.exposure = _checks.positive("exposure", exposure, arrays=True)

    def expected(self, predicted):
        return self.exposure * predicted

    def residuals(self, predicted, data):
        mean = self.expected(predicted)
        return (mean - data) * _root(2 * _curvature(mean, data) / mean)

    def normalisation(self, data):
        return xlogy(data, data) - data - gammaln(data + 1)

    def draw(self, key, predicted):
        return jax.random.poisson(key, self.expected(predicted)).astype(predicted.dtype)


class NegativeBinomial(AbstractNoise):
    """Counts that vary by more than chance: of variance `mean + mean^2 / size`.

    **Arguments:**

    - `size`: positive [dimensionless]; the relative variation beyond chance is `size^(-1/2)`.
    - `exposure`: as of `Poisson`. Default 1.

    **Raises:** `ValueError` or `TypeError` naming the argument that is not positive.

    >>> counts = jc.inference.NegativeBinomial(size=10.0)
    >>> draws = counts.draw(jax.random.key(0), jnp.full(20_000, 5.0))
    >>> round(float(draws.mean()), 1), abs(float(draws.var()) / (5 + 2.5) - 1) < 0.05
    (5.0, True)
    """

    size: Float[Array, ""]
    exposure: Float[Array, "..."]

    def __init__(self, size: ArrayLike, exposure: ArrayLike = 1.0):
        self.size = _checks.positive("size", size)
        self.exposure = _checks.positive("exposure", exposure, arrays=True)

    def expected(self, predicted):
        return self.exposure * predicted

    def residuals(self, predicted, data):
        mean = self.expected(predicted)
        # The deviance is the difference of two Poisson ones, of the counts and of the counts and `size` together.
        both = mean + self.size
        inside = _curvature(mean, data) / mean - _curvature(both, data + self.size) / both
        return (mean - data) * _root(2 * inside)

    def normalisation(self, data):
        k = self.size
        chance = gammaln(data + k) - gammaln(k) - gammaln(data + 1)
        return chance + xlogy(data, data) + k * jnp.log(k) - (data + k) * jnp.log(data + k)

    def draw(self, key, predicted):
        rate, count = jax.random.split(key)
        mean = self.expected(predicted)
        varied = mean / self.size * jax.random.gamma(rate, self.size, mean.shape, mean.dtype)
        return jax.random.poisson(count, varied).astype(predicted.dtype)


def _curvature(mean: Array, data: Array) -> Array:
    """`(mean - data + data log(data / mean)) mean / (mean - data)^2`: 1/2 where they agree, 1 for no counts.

    With it the deviance is a square, so that its signed root is smooth where prediction and data agree.
    """
    u = (mean - data) / mean
    near = jnp.abs(u) < 0.02
    # Without counts the logarithm has no derivative, and none is needed: the value is 1 whatever the mean.
    far = jnp.where(near | (data == 0), 0.5, u)
    value = (far + (1 - far) * jnp.log1p(-far)) / far**2
    small = jnp.where(near, u, 0)
    series = sum(small**k / ((k + 1) * (k + 2)) for k in range(7))
    return jnp.where(near, series, jnp.where(data == 0, 1, value))


def _root(square: Array) -> Array:
    """Of what is positive but where a mean is not: NaN there, so that the step is refused."""
    return jnp.sqrt(jnp.where(square > 0, square, jnp.nan))
