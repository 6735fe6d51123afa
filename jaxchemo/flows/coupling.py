"""The layer in which some coordinates set, through a network, how far the others are moved and scaled."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.flows.actnorm import limited
from jaxchemo.flows.base import AbstractBijection


class Dense(Shown):
    """`weight h + bias`."""

    weight: Float[Array, "out in"]
    bias: Float[Array, " out"]

    def __call__(self, h: Float[Array, " in"]) -> Float[Array, " out"]:
        return self.weight @ h + self.bias


class AffineCoupling(AbstractBijection):
    """`y2 = x2 (1 + alpha tanh(s)) + exp(beta) tanh(q)` and `y1 = x1`, with `(s, q)` a network's answer to `[x1, t]`.

    The identity at the start, as the network's last layer is zero. With a smooth activation the layer is smooth, at
    every point. One layer scales by `1 - alpha` to `1 + alpha` only: to concentrate strongly takes many of them, or an
    `ActNorm`.

    **Arguments:**

    - `ndim`: number of coordinates, at least 2.
    - `split`: the first `split` coordinates are x1, the rest x2; between 1 and `ndim - 1`.
    - `key`: a JAX random key, for the network's weights (Glorot normal).
    - `width`, `depth`: the network has `depth` hidden layers of `width` units.
    - `alpha`: largest change of scale, between 0 and 1 [dimensionless].
    - `flip`: whether x1 and x2 change roles, so that the last coordinates set how the first ones move.
    - `activation`: a function of an array, tanh by default. The published ReLU makes the score jump.

    **Raises:** `TypeError` or `ValueError` naming the argument at fault.

    **Source:** KRnet (Tang, Wan and Liao 2020; code MJfadeaway/DAS), without its time and with tanh for its ReLU.

    >>> from jaxchemo.flows import AffineCoupling
    >>> layer = AffineCoupling(ndim=3, split=1, key=jax.random.key(0))
    >>> layer.network[0].weight.shape  # from one coordinate and the time to 24 units
    (24, 2)
    """

    network: tuple[Dense, ...]
    beta: Float[Array, " moved"]  # log of the largest shift [dimensionless], cut off at +-5 as published
    split: int = eqx.field(static=True)
    alpha: float = eqx.field(static=True)
    flip: bool = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        ndim: int,
        split: int,
        *,
        key: PRNGKeyArray,
        width: int = 24,
        depth: int = 2,
        alpha: float = 0.6,
        flip: bool = False,
        activation: Callable = jnp.tanh,
    ):
        ndim, self.split = _checks.natural("ndim", ndim, at_least=2), _checks.natural("split", split)
        if split >= ndim:
            raise ValueError(f"`split` must be smaller than `ndim`, got split={split}, ndim={ndim}.")
        width, depth = _checks.natural("width", width), _checks.natural("depth", depth)
        self.alpha = _checks.constant(_checks.positive, "alpha", alpha)
        if self.alpha >= 1:
            raise ValueError(f"`alpha` must lie between 0 and 1, got {alpha}: the layer could not be inverted.")
        self.flip, self.activation = bool(flip), _checks.function("activation", activation)
        kept = ndim - split if flip else split
        moved = ndim - kept
        self.beta = jnp.zeros(moved)

        sizes = [kept + 1] + depth * [width]
        glorot = jax.nn.initializers.glorot_normal(in_axis=1, out_axis=0)
        hidden = [
            Dense(glorot(k, (above, below)), jnp.zeros(above))
            for k, below, above in zip(jax.random.split(key, depth), sizes[:-1], sizes[1:], strict=True)
        ]
        self.network = (*hidden, Dense(jnp.zeros((2 * moved, width)), jnp.zeros(2 * moved)))

    def transform_and_log_det(self, x, t):
        kept, moved = self._parts(x)
        scale, shift = self._scale_and_shift(kept, t)
        return self._joined(kept, moved * scale + shift), jnp.sum(jnp.log(scale))

    def inverse_and_log_det(self, y, t):
        kept, moved = self._parts(y)
        scale, shift = self._scale_and_shift(kept, t)
        return self._joined(kept, (moved - shift) / scale), -jnp.sum(jnp.log(scale))

    def _scale_and_shift(self, kept, t):
        h = jnp.append(kept, jnp.asarray(t, kept.dtype))
        *hidden, last = self.network
        for dense in hidden:
            h = self.activation(dense(h))
        s, q = jnp.split(last(h), 2)
        return 1 + self.alpha * jnp.tanh(s), jnp.exp(limited(self.beta)) * jnp.tanh(q)

    def _parts(self, x):
        first, rest = x[: self.split], x[self.split :]
        return (rest, first) if self.flip else (first, rest)

    def _joined(self, kept, moved):
        return jnp.concatenate((moved, kept) if self.flip else (kept, moved))
