"""What is known of an unknown before the data: each is made of standard normal numbers.

A fit is then plain least squares, `|residuals|^2 / 2 + |z|^2 / 2` without bounds and without Jacobian terms; a step of
length 1 is one standard deviation of the prior, and eigenvalues of `J^T J` compare what data say with what was known.
"""

import abc
import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, number
from jaxchemo.domain import Grid, NoFlux
from jaxchemo.fields.cosine import cosine, inverse_cosine


class AbstractPrior(Shown):
    """A number or an array of numbers that is not known, as a function of independent standard normal numbers.

    **Class attributes:**

    - `farthest`: standard normal numbers beyond it say that the prior holds the value back, not the data.
    - `elementwise`: whether each number of the unknown is made of one standard normal number.
    """

    farthest: ClassVar[float] = 4.0
    elementwise: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the unknown, and of the standard normal numbers that it is made of; `()` for one number."""

    @abc.abstractmethod
    def value(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The unknown that standard normal numbers make."""

    @abc.abstractmethod
    def whitened(self, value: Float[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
        """The standard normal numbers that make a value; not finite for one that the prior excludes."""


class Normal(AbstractPrior):
    """Any real number.

    **Arguments:**

    - `mean`, `std`: of the unknown, in its unit; numbers or arrays of one shape, `std` positive.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> float(jc.inference.Normal(2.0, 0.5).value(jnp.array(1.0)))
    2.5
    """

    mean: Float[Array, "..."]
    std: Float[Array, "..."]

    def __init__(self, mean: ArrayLike, std: ArrayLike):
        self.mean = _checks.real("mean", mean, arrays=True)
        self.std = _checks.positive("std", std, arrays=True)
        _same_shape(mean=self.mean, std=self.std)

    @property
    def shape(self):
        return jnp.broadcast_shapes(self.mean.shape, self.std.shape)

    def value(self, z):
        return self.mean + self.std * z

    def whitened(self, value):
        return (jnp.asarray(value) - self.mean) / self.std


class LogNormal(AbstractPrior):
    """A positive number, known up to a factor.

    **Arguments:**

    - `median`: as likely too large as too small, positive, in the unit of the unknown; a number or an array.
    - `factor`: two thirds of the probability lie between `median / factor` and `median * factor`; above 1.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> mobility = jc.inference.LogNormal(median=0.2, factor=2.0)
    >>> [round(float(mobility.value(jnp.array(z))), 3) for z in (-1.0, 0.0, 1.0)]
    [0.1, 0.2, 0.4]
    """

    median: Float[Array, "..."]
    factor: Float[Array, "..."]

    def __init__(self, median: ArrayLike, factor: ArrayLike):
        self.median = _checks.positive("median", median, arrays=True)
        array = _checks.real("factor", factor, arrays=True)
        self.factor = _checks.require("factor", array, factor, lambda a: a > 1, "be greater than 1")
        _same_shape(median=self.median, factor=self.factor)

    @property
    def shape(self):
        return jnp.broadcast_shapes(self.median.shape, self.factor.shape)

    def value(self, z):
        return self.median * jnp.exp(jnp.log(self.factor) * z)

    def whitened(self, value):
        return jnp.log(jnp.asarray(value) / self.median) / jnp.log(self.factor)


class Uniform(AbstractPrior):
    """A number between two ends, all equally likely.

    **Arguments:**

    - `lower`, `upper`: ends, in the unit of the unknown; numbers or arrays of one shape, `lower < upper`.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> float(jc.inference.Uniform(1.0, 3.0).value(jnp.array(0.0)))
    2.0
    """

    farthest: ClassVar = 2.5  # within 0.6% of an end

    lower: Float[Array, "..."]
    upper: Float[Array, "..."]

    def __init__(self, lower: ArrayLike, upper: ArrayLike):
        self.lower = _checks.real("lower", lower, arrays=True)
        self.upper = _checks.real("upper", upper, arrays=True)
        _same_shape(lower=self.lower, upper=self.upper)
        _checks.require("upper", self.upper, upper, lambda a: a > self.lower, f"be above `lower`, {number(self.lower)}")

    @property
    def shape(self):
        return jnp.broadcast_shapes(self.lower.shape, self.upper.shape)

    def value(self, z):
        # From the nearer end, so that a value beside an end keeps its distance from it in floating point.
        width = self.upper - self.lower
        return jnp.where(z < 0, self.lower + width * ndtr(z), self.upper - width * ndtr(-z))

    def whitened(self, value):
        width, value = self.upper - self.lower, jnp.asarray(value)
        below, above = (value - self.lower) / width, (self.upper - value) / width
        return jnp.where(below < above, ndtri(below), -ndtri(above))


class GaussianField(AbstractPrior):
    """A smooth field on a box: the logarithm of it, or the field itself, is Gaussian and the same everywhere.

    Cosine modes of a box with closed walls, with a spectrum that makes a squared-exponential correlation in the inside.

    **Arguments:**

    - `grid`: of the field, a `Grid.box` with closed walls.
    - `mean`: median of the field [unit of the field]; positive unless `positive=False`.
    - `std`: standard deviation, averaged over the box: of the logarithm [dimensionless], or of the field itself.
    - `length`: over which the field changes, positive [length].
    - `positive`: whether the field is. Default `True`.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> prior = jc.inference.GaussianField(jc.Grid.box((0, 0), (1, 1), (8, 8)), mean=2.0, std=0.5, length=0.3)
    >>> prior.value(jnp.zeros((8, 8))).shape
    (8, 8)
    """

    elementwise: ClassVar = False

    grid: Grid
    mean: Float[Array, ""]
    std: Float[Array, ""]
    length: float = eqx.field(static=True)
    positive: bool = eqx.field(static=True)

    def __init__(self, grid: Grid, mean: ArrayLike, std: ArrayLike, length: float, positive: bool = True):
        self.grid = _checks.instance("grid", grid, Grid, "a box, jc.Grid.box(...)")
        if not all(isinstance(wall, NoFlux) for wall in self.grid.walls):
            raise ValueError(f"`grid` must have closed walls, NoFlux(), which its cosine modes have; got {grid!r}.")
        self.mean = (_checks.positive if positive else _checks.real)("mean", mean)
        self.std = _checks.positive("std", std)
        self.length = _checks.constant(_checks.positive, "length", length)
        self.positive = positive

    @property
    def shape(self):
        return self.grid.shape

    def value(self, z):
        field = z * self._amplitudes
        for axis in range(z.ndim):
            field = inverse_cosine(field, axis)
        return self.mean * jnp.exp(self.std * field) if self.positive else self.mean + self.std * field

    def whitened(self, value):
        field = jnp.asarray(value)
        field = (jnp.log(field / self.mean) if self.positive else field - self.mean) / self.std
        for axis in range(field.ndim):
            field = cosine(field, axis)
        return field / self._amplitudes

    @property
    def _amplitudes(self) -> np.ndarray:
        """Of the modes, in the norm of `inverse_cosine`: a field of variance 1, averaged over the box."""
        waves = [np.pi * np.arange(n) / (n * h) for n, h in zip(self.shape, self.grid.spacing, strict=True)]
        square = sum(np.meshgrid(*[k**2 for k in waves], indexing="ij"))
        # A correlation exp(-r^2 / (2 length^2)) has the spectrum exp(-k^2 length^2 / 2): amplitudes are its root.
        # No mode is left out altogether, so that every field can be whitened.
        amplitude = np.exp(-0.25 * self.length**2 * square) + 1e-6
        # Along each axis a mode of amplitude a has the mean square (a / 2n)^2 for k = 0, twice that for others; in a
        # stationary field all have the same.
        first = [np.where(np.arange(n) == 0, 2.0, 1.0) for n in self.shape]
        amplitude *= np.sqrt(math.prod(np.meshgrid(*first, indexing="ij")))
        squares = [np.where(np.arange(n) == 0, 1.0, 2.0) / (2 * n) ** 2 for n in self.shape]
        weights = math.prod(np.meshgrid(*squares, indexing="ij"))
        return amplitude / np.sqrt(np.sum(weights * amplitude**2))


def _same_shape(**arrays: Array) -> None:
    try:
        jnp.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = _checks.listed([f"{name} {array.shape}" for name, array in arrays.items()])
        raise ValueError(f"The parts of a prior must have one shape, got {shapes}.") from None
