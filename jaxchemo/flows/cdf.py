"""The layer that reshapes each coordinate by itself, through a piecewise quadratic increasing function."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.flows.actnorm import in_time
from jaxchemo.flows.base import AbstractBijection


class CDFLayer(AbstractBijection):
    """In each coordinate, the integral of a positive piecewise linear slope between `-bound` and `bound`.

    The identity at the start, and always beyond the bounds. The bins are narrow at 0 and grow outwards by a constant
    ratio; the logarithms of the slopes at their edges are, up to a constant that keeps the bounds in place, the
    weights: quadratic in time.

    Only continuously differentiable: a log-density is continuous, but its *score jumps* at the edges of the bins, and
    an average of the score's derivatives misses those jumps. Leave the layer out where the score drives the motion.

    **Arguments:**

    - `ndim`: number of coordinates, at least 1.
    - `bins`: number of bins, even and at least 2.
    - `bound`: where the layer ends [unit of the points].
    - `ratio`: width of a bin over that of its inner neighbour, greater than 1 [dimensionless].

    **Raises:** `ValueError` naming the argument at fault.

    **Source:** KRnet (Tang, Wan and Liao 2020; code MJfadeaway/DAS), where the weights are constant.

    >>> from jaxchemo.flows import CDFLayer
    >>> CDFLayer(ndim=2, bins=32).weights.shape  # powers of time, coordinates, edges within the bounds
    (3, 2, 31)
    """

    weights: Float[Array, "3 d inner"]  # coefficients of 1, t and t^2 [dimensionless], one per edge within the bounds
    bound: float = eqx.field(static=True)
    ratio: float = eqx.field(static=True)

    def __init__(self, ndim: int, bins: int = 32, bound: float = 50.0, ratio: float = 1.2):
        ndim, bins = _checks.natural("ndim", ndim), _checks.natural("bins", bins, at_least=2)
        if bins % 2:
            raise ValueError(f"`bins` must be even, got {bins}: the bins are the same on both sides of 0.")
        self.bound = _checks.constant(_checks.positive, "bound", bound)
        self.ratio = _checks.constant(_checks.positive, "ratio", ratio)
        if self.ratio <= 1:
            raise ValueError(f"`ratio` must be greater than 1, got {ratio}.")
        self.weights = jnp.zeros((3, ndim, bins - 1))

    def transform_and_log_det(self, x, t):
        y, log_slope = jax.vmap(_forward)(x, self._pieces(t, x.dtype))
        return y, jnp.sum(log_slope)

    def inverse_and_log_det(self, y, t):
        x, log_slope = jax.vmap(_backward)(y, self._pieces(t, y.dtype))
        return x, jnp.sum(log_slope)

    def _edges(self) -> np.ndarray:
        half = (self.weights.shape[-1] + 1) // 2
        outwards = self.bound * (self.ratio ** np.arange(half + 1) - 1) / (self.ratio**half - 1)
        return np.concatenate([-outwards[:0:-1], outwards])

    def _pieces(self, t, dtype) -> Float[Array, "d 4 bins+2"]:
        """Of each bin: left edge, displacement `y - x` there, slope there, and half the change of slope per length.

        The two ends of the axis are bins of slope 1, which start at `-bound` and at `bound`.
        """
        edges = jnp.asarray(self._edges(), dtype)
        widths = jnp.diff(edges)
        shares = (widths[1:] + widths[:-1]) / jnp.sum(widths[1:] + widths[:-1])
        weights = in_time(self.weights, t)
        inner = jnp.exp(weights - jax.nn.logsumexp(weights, axis=-1, b=shares, keepdims=True))
        slopes = jnp.pad(inner, ((0, 0), (1, 1)), constant_values=1)

        # Displacements are sums of small numbers where images would be differences of large ones. The last is zero.
        # In the unit interval, where the layer was published, float32 loses 6e-6 of a coordinate.
        moved = jnp.cumsum(((slopes[:, 1:] + slopes[:, :-1]) / 2 - 1) * widths, axis=-1)[:, :-1]
        bends = jnp.diff(slopes) / (2 * widths)
        return jnp.stack(
            [
                jnp.broadcast_to(jnp.pad(edges, (1, 0), mode="edge"), (len(slopes), len(edges) + 1)),
                jnp.pad(moved, ((0, 0), (2, 1))),
                jnp.pad(slopes, ((0, 0), (1, 0)), constant_values=1),
                jnp.pad(bends, ((0, 0), (1, 1))),
            ],
            axis=1,
        )


def _forward(x, pieces):
    lefts, *_ = pieces
    left, moved, slope, bend = pieces[:, jnp.sum(x >= lefts[1:])]
    along = x - left
    return x + moved + along * (slope - 1 + bend * along), jnp.log(slope + 2 * bend * along)


def _backward(y, pieces):
    lefts, displacements, slopes, _ = pieces
    bin = jnp.sum(y >= (lefts + displacements)[1:])
    left, moved, slope, bend = pieces[:, bin]
    rise = y - (left + moved)
    # The slope lies between those at the ends of the bin. Where it falls steeply, round-off could make it imaginary.
    least = jnp.minimum(slope, slopes[jnp.minimum(bin + 1, len(slopes) - 1)])
    here = jnp.sqrt(jnp.maximum(slope**2 + 4 * bend * rise, least**2))
    return left + 2 * rise / (slope + here), -jnp.log(here)
