"""Monotone triangular couplings: each coordinate in turn is moved by a network of all of them, a polynomial in time.

Any smooth map with positive pivots is a product of such couplings, one for each coordinate; affine couplings near the
identity cannot even contract a disc. Values, velocities, scores and densities are carried through them together.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.flows.base import AbstractBijection


class Carried(NamedTuple):
    """What a flow makes of a label at a time.

    **Fields:** the position `(d,)`, the velocity `d position / dt`, the score there (gradient of the log density), the
    log of the Jacobian's determinant, and the least slope of a coupling, which must stay positive.

    >>> from jaxchemo.flows import Carried
    >>> x, zero = jnp.array([1.0, 2.0]), jnp.array(0.0)
    >>> Carried(position=x, velocity=0 * x, score=-x, log_det=zero, least=zero + 1).score.tolist()  # at t = 0
    [-1.0, -2.0]
    """

    position: Float[Array, " d"]
    velocity: Float[Array, " d"]
    score: Float[Array, " d"]
    log_det: Float[Array, ""]
    least: Float[Array, ""]


class Coupling(AbstractBijection):
    """`x_k -> x_k + t A(x, t)`, for one coordinate k; the identity at t = 0 and at the start.

    `A` is linear in the features of all coordinates, plus a tanh network of them with two hidden layers; both are
    polynomials in time. The features are the coordinate itself (its asinh for the network) and waves, if any.

    **Arguments:**

    - `axis`, `ndim`: k, and the dimension.
    - `key`: a JAX random key, for the first weights.
    - `width`: of the hidden layers. Default 24.
    - `degree`: number of powers of time. Default 2.
    - `waves`: how many sine and cosine pairs of each coordinate. Default 0.

    **Raises:** `ValueError` or `TypeError` if `axis` is not one of the `ndim` coordinates, or a size below its least.

    >>> from jaxchemo.flows import Coupling
    >>> Coupling(axis=0, ndim=2, key=jax.random.key(0)).first.shape  # units, coordinates, features
    (24, 2, 1)
    """

    first: Float[Array, "w d f"]
    first_bias: Float[Array, " w"]
    second: Float[Array, "w w"]
    second_bias: Float[Array, " w"]
    out: Float[Array, "w p"]
    skip: Float[Array, "d f p"]
    shift: Float[Array, " p"]
    axis: int = eqx.field(static=True)

    def __init__(self, axis: int, ndim: int, *, key: PRNGKeyArray, width: int = 24, degree: int = 2, waves: int = 0):
        _checks.natural("ndim", ndim)
        if not 0 <= axis < ndim:
            raise ValueError(f"`axis` must be one of the {ndim} coordinates, got {axis}.")
        width, degree = _checks.natural("width", width), _checks.natural("degree", degree)
        # In a fluid of wavelength 1 a network without them misses three quarters of the velocity; with one pair, 5%.
        features = 1 + 2 * _checks.natural("waves", waves, at_least=0)
        weights, biases, hidden = jax.random.split(key, 3)
        size = jnp.full(features, 1 / jnp.sqrt(features)).at[0].set(1.0) * jnp.sqrt(2 / ndim)
        self.first = jax.random.normal(weights, (width, ndim, features), float) * size
        self.first_bias = jax.random.uniform(biases, (width,), float, -1, 1)
        self.second = 1.2 / jnp.sqrt(width) * jax.random.normal(hidden, (width, width), float)
        self.second_bias = jnp.zeros(width)
        # Coefficients of powers of time. With time as an input, a network fitted at a few times overfits in between:
        # the relative error of a density was 0.039, and is 0.0009 so.
        self.out = jnp.zeros((width, degree))
        self.skip = jnp.zeros((ndim, features, degree))
        self.shift = jnp.zeros(degree)
        self.axis = axis

    def transform_and_log_det(self, x, t, phases=None):
        a, _, slope, _ = self.streams(x, t, phases)
        return x.at[self.axis].add(t * a), jnp.log(1 + t * slope[self.axis])

    def inverse_and_log_det(self, y, t, phases=None):
        k = self.axis

        def newton(_: Any, x: Array) -> Array:
            a, _, slope, _ = self.streams(x, t, phases)
            return x.at[k].add((y[k] - x[k] - t * a) / (1 + t * slope[k]))

        # Eight steps reach 2e-15 in double precision. As their number is fixed, reverse mode passes through them.
        x = jax.lax.fori_loop(0, 12, newton, y)
        return x, -self.transform_and_log_det(x, t, phases)[1]

    def carry(self, point: Carried, t: Float[Array, ""], phases: Float[Array, "d f 2"] | None) -> Carried:
        """A label after this coupling, from what it was before."""
        k = self.axis
        a, rate, slope, bend = self.streams(point.position, t, phases)
        stretch = 1 + t * slope[k]
        velocity = point.velocity.at[k].add(a + t * rate + t * (slope @ point.velocity))
        score = point.score - t * bend / stretch
        along = score[k] / stretch
        score = (score - t * slope * along).at[k].set(along)
        least = jnp.minimum(point.least, stretch)
        return Carried(point.position.at[k].add(t * a), velocity, score, point.log_det + jnp.log(stretch), least)

    def streams(
        self, x: Float[Array, " d"], t: Float[Array, ""], phases: Float[Array, "d f 2"] | None
    ) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, " d"], Float[Array, " d"]]:
        """`A`, its derivative in time, its gradient, and the gradient of its derivative along the axis.

        By one pass forward: derivatives of derivatives by transformation would cost several times as much.
        """
        k = self.axis
        plain, (f, f1, f2) = _features(x, phases)
        value = jnp.einsum("wdf,df->w", self.first, f) + self.first_bias
        along = jnp.einsum("wdf,df->dw", self.first, f1)
        across = jnp.zeros_like(along).at[k].set(self.first[:, k] @ f2[k])
        value, along, across = _tanh(value, along, across, k)
        value, along, across = value @ self.second.T + self.second_bias, along @ self.second.T, across @ self.second.T
        value, along, across = _tanh(value, along, across, k)
        degree = self.shift.shape[0]
        powers = t ** jnp.arange(degree)
        rates = jnp.concatenate([jnp.zeros(1, x.dtype), jnp.arange(1, degree) * t ** jnp.arange(degree - 1)])
        g, g1, g2 = plain
        lifted, linear = value @ self.out, jnp.einsum("dfp,df->p", self.skip, g) + self.shift
        slope = along @ (self.out @ powers) + jnp.einsum("dfp,df,p->d", self.skip, g1, powers)
        bend = across @ (self.out @ powers)
        bend = bend.at[k].add(jnp.einsum("fp,f,p->", self.skip[k], g2[k], powers))
        return (lifted + linear) @ powers, (lifted + linear) @ rates, slope, bend


class TriangularFlow(AbstractBijection):
    """One coupling for each coordinate, in order: a map of the space that starts as the identity at t = 0.

    **Arguments:**

    - `ndim`: dimension, at least 1.
    - `key`: a JAX random key, for the first weights.
    - `width`, `degree`: of the couplings; defaults 24 and 2.
    - `waves`: sine and cosine pairs among the features; see `transform_and_log_det`. Default 0.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> from jaxchemo.flows import TriangularFlow
    >>> [coupling.axis for coupling in TriangularFlow(2, key=jax.random.key(0)).couplings]
    [0, 1]
    """

    couplings: tuple[Coupling, ...]

    def __init__(self, ndim: int, *, key: PRNGKeyArray, width: int = 24, degree: int = 2, waves: int = 0):
        keys = jax.random.split(key, _checks.natural("ndim", ndim))
        size = {"width": width, "degree": degree, "waves": waves}
        self.couplings = tuple(Coupling(k, ndim, key=keys[k], **size) for k in range(ndim))

    def transform_and_log_det(self, x, t, phases=None):
        """See the contract. `phases` are the wavenumber and the phase of each wave of each coordinate `(d, f, 2)`."""
        total = jnp.zeros((), x.dtype)
        for coupling in self.couplings:
            x, log_det = coupling.transform_and_log_det(x, t, phases)
            total = total + log_det
        return x, total

    def inverse_and_log_det(self, y, t, phases=None):
        total = jnp.zeros((), y.dtype)
        for coupling in reversed(self.couplings):
            y, log_det = coupling.inverse_and_log_det(y, t, phases)
            total = total + log_det
        return y, total

    def carry(
        self,
        label: Float[Array, " d"],
        score: Float[Array, " d"],
        t: Float[Array, ""],
        phases: Float[Array, "d f 2"] | None = None,
    ) -> Carried:
        """A label with a score, at a time: exact, coupling by coupling, without any matrix or inverse."""
        zero = jnp.zeros((), label.dtype)
        point = Carried(label, jnp.zeros_like(label), score, zero, zero + jnp.inf)
        for coupling in self.couplings:
            point = coupling.carry(point, t, phases)
        return point


def _features(x: Array, phases: Array | None) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Features `(d, f)` of the coordinates with two derivatives: those of the skip, and those of the network."""
    root = 1 / jnp.sqrt(1 + x * x)
    zero = jnp.zeros_like(x)
    plain, bent = (x, zero + 1, zero), (jnp.arcsinh(x), root, -x * root**3)
    if phases is None:
        return tuple(part[:, None] for part in plain), tuple(part[:, None] for part in bent)
    number, phase = phases[..., 0], phases[..., 1]
    sine, cosine = jnp.sin(number * x[:, None] + phase), jnp.cos(number * x[:, None] + phase)
    waves = (
        jnp.concatenate([sine, cosine], axis=1),
        jnp.concatenate([number * cosine, -number * sine], axis=1),
        jnp.concatenate([-(number**2) * sine, -(number**2) * cosine], axis=1),
    )

    def joined(parts: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(jnp.concatenate([part[:, None], wave], axis=1) for part, wave in zip(parts, waves, strict=True))

    return joined(plain), joined(bent)


def _tanh(value: Array, along: Array, across: Array, axis: int) -> tuple[Array, Array, Array]:
    """tanh of a layer, its gradient, and the gradient of its derivative along an axis."""
    h = jnp.tanh(value)
    first = 1 - h * h
    second = -2 * h * first
    return h, first * along, second * along[axis] * along + first * across
