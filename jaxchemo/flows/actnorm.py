"""The layer that moves and scales each coordinate, and how a layer's numbers vary over the time of an interval."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo.flows.base import AbstractBijection

LOG_SCALE_LIMIT = 5.0


def in_time(coefficients: Float[Array, "3 ..."], t: Float[Array, ""]) -> Float[Array, "..."]:
    """The quadratic in time with these coefficients, constant term first."""
    constant, slope, curvature = coefficients
    return constant + t * (slope + t * curvature)


def limited(s: Float[Array, "..."]) -> Float[Array, "..."]:
    """`s` cut off at +-5, as published: a scale between 1/148 and 148, which no training step can overflow."""
    return jnp.clip(s, -LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)


class ActNorm(AbstractBijection):
    """`y = exp(s) (x + b)` in each coordinate, with `s` and `b` quadratic in time: the identity at the start.

    It is linear in the point, so it never harms a score. `s` is cut off at +-5 as published: beyond that the layer
    stays the same and its gradient in `s` is zero, so scale the points to about unit size first.

    **Arguments:**

    - `ndim`: number of coordinates, at least 1.

    **Raises:** `ValueError` naming the argument at fault.

    **Source:** KRnet (Tang, Wan and Liao 2020; code MJfadeaway/DAS), where `s` and `b` are constant.

    >>> from jaxchemo.flows import ActNorm
    >>> y, log_det = ActNorm(2).transform_and_log_det(jnp.array([1.0, 2.0]), jnp.array(0.5))
    >>> y.tolist(), float(log_det)
    ([1.0, 2.0], 0.0)
    """

    log_scale: Float[Array, "3 d"]  # coefficients of 1, t and t^2 [dimensionless]
    shift: Float[Array, "3 d"]  # coefficients of 1, t and t^2 [unit of the points]

    def __init__(self, ndim: int):
        self.log_scale = self.shift = jnp.zeros((3, _checks.natural("ndim", ndim)))

    def transform_and_log_det(self, x, t):
        s = limited(in_time(self.log_scale, t))
        return jnp.exp(s) * (x + in_time(self.shift, t)), jnp.sum(s)

    def inverse_and_log_det(self, y, t):
        s = limited(in_time(self.log_scale, t))
        return jnp.exp(-s) * y - in_time(self.shift, t), -jnp.sum(s)


def actnorm_from(samples: ArrayLike) -> ActNorm:
    """The layer, constant in time, that gives these samples mean 0 and standard deviation 1 in each coordinate.

    **Arguments:**

    - `samples`: points of shape `(n, d)`, with at least two of them [any unit].

    **Returns:** an `ActNorm` of `d` coordinates.

    **Raises:** `ValueError` if the samples have another shape, or a spread that is zero or outside of e^-5 to e^5.

    **Source:** as `ActNorm`; its code takes a third of this log-scale.
    """
    points = _checks.real("samples", samples, arrays=True)
    if points.ndim != 2 or len(points) < 2 or points.shape[1] < 1:
        raise ValueError(f"`samples` must have shape (n, d) with n at least 2, got shape {points.shape}.")
    spread = jnp.std(points, axis=0)
    s = -jnp.log(spread)
    if _checks.is_concrete(s) and not jnp.all(jnp.abs(s) <= LOG_SCALE_LIMIT):
        raise ValueError(f"`samples` must have a standard deviation between e^-5 and e^5, got {spread}: scale them.")
    layer, constant = ActNorm(points.shape[1]), jnp.zeros((3, points.shape[1])).at[0]
    return eqx.tree_at(
        lambda layer: (layer.log_scale, layer.shift), layer, (constant.set(s), constant.set(-jnp.mean(points, axis=0)))
    )
