"""Flows made of layers: one after the other, on some of the coordinates, and the published KRnet."""

from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.flows.actnorm import ActNorm
from jaxchemo.flows.base import AbstractBijection
from jaxchemo.flows.cdf import CDFLayer
from jaxchemo.flows.coupling import AffineCoupling
from jaxchemo.flows.rotation import Rotation

T = TypeVar("T", bound=AbstractBijection)


class Chain(AbstractBijection):
    """Layers in their order, the inverse in reverse order; without any layer, the identity.

    **Arguments:**

    - `layers`: bijections of the same number of coordinates, the first to be applied first.

    **Raises:** `TypeError` naming the layer that is none.

    >>> from jaxchemo.flows import Chain, Reverse
    >>> Chain([Reverse(), Reverse()]).transform_and_log_det(jnp.array([1.0, 2.0]), 0.0)[0].tolist()
    [1.0, 2.0]
    """

    layers: tuple[AbstractBijection, ...]

    def __init__(self, layers):
        self.layers = tuple(_bijection(f"layers[{n}]", layer) for n, layer in enumerate(layers))

    def transform_and_log_det(self, x, t):
        total = jnp.zeros((), x.dtype)
        for layer in self.layers:
            x, log_det = layer.transform_and_log_det(x, t)
            total = total + log_det
        return x, total

    def inverse_and_log_det(self, y, t):
        total = jnp.zeros((), y.dtype)
        for layer in reversed(self.layers):
            y, log_det = layer.inverse_and_log_det(y, t)
            total = total + log_det
        return y, total


class Block(AbstractBijection):
    """A layer on the first `size` coordinates; those after them are left as they are.

    **Arguments:**

    - `layer`: a bijection of `size` coordinates.
    - `size`: number of coordinates that it acts on, at least 1.

    **Raises:** `TypeError` or `ValueError` naming the argument at fault.

    >>> from jaxchemo.flows import Block, Reverse
    >>> Block(Reverse(), size=2).transform_and_log_det(jnp.array([1.0, 2.0, 3.0]), 0.0)[0].tolist()
    [2.0, 1.0, 3.0]
    """

    layer: AbstractBijection
    size: int = eqx.field(static=True)

    def __init__(self, layer: AbstractBijection, size: int):
        self.layer, self.size = _bijection("layer", layer), _checks.natural("size", size)

    def transform_and_log_det(self, x, t):
        active, log_det = self.layer.transform_and_log_det(x[: self.size], t)
        return jnp.concatenate([active, x[self.size :]]), log_det

    def inverse_and_log_det(self, y, t):
        active, log_det = self.layer.inverse_and_log_det(y[: self.size], t)
        return jnp.concatenate([active, y[self.size :]]), log_det


class Reverse(AbstractBijection):
    """The coordinates in reverse order.

    >>> from jaxchemo.flows import Reverse
    >>> Reverse().transform_and_log_det(jnp.array([1.0, 2.0]), 0.0)[0].tolist()
    [2.0, 1.0]
    """

    def transform_and_log_det(self, x, t):
        return x[::-1], jnp.zeros((), x.dtype)

    def inverse_and_log_det(self, y, t):
        return self.transform_and_log_det(y, t)


def krnet(
    ndim: int,
    *,
    key: PRNGKeyArray,
    depth: int = 6,
    width: int = 24,
    bins: int = 32,
    shrink: float = 0.9,
    rotations: bool = False,
) -> Chain:
    """KRnet, from points to those of a standard normal distribution: the identity at the start.

    In stages. Each mixes the active coordinates, by `depth` times an `ActNorm`, an `AffineCoupling` and a `Reverse`,
    and then sets the last of them aside: later stages neither move nor see it. The one that remains goes through an
    `ActNorm` and a `CDFLayer`. Because of that last layer the score of the density jumps.

    **Arguments:**

    - `ndim`: number of coordinates, at least 1.
    - `key`: a JAX random key, for the weights of the networks.
    - `depth`: couplings in a stage, even.
    - `width`: hidden units of the first stage's networks, which have two hidden layers.
    - `bins`: of the `CDFLayer`, even; 0 leaves that layer out, and the score is smooth.
    - `shrink`: width of the networks over that in the stage before, greater than 0 and at most 1.
    - `rotations`: whether each stage of couplings begins with a `Rotation`.

    **Returns:** a `Chain` of one `Block` per stage.

    **Raises:** `ValueError` naming the argument at fault.

    **Source:** KRnet (Tang, Wan and Liao 2020; code MJfadeaway/DAS, whose defaults these are). There constant in time,
    and its networks have ReLU activations.
    """
    ndim, depth = _checks.natural("ndim", ndim), _checks.natural("depth", depth)
    if depth % 2:
        raise ValueError(f"`depth` must be even, got {depth}: every second coupling moves what the first one kept.")
    width, shrink = _checks.natural("width", width), _checks.constant(_checks.positive, "shrink", shrink)
    if shrink > 1:
        raise ValueError(f"`shrink` must be at most 1, got {shrink}.")
    keys = jax.random.split(key, (ndim, depth))

    stages = []
    for stage, size in enumerate(range(ndim, 1, -1)):
        narrowed = max(1, round(width * shrink**stage))
        layers = [Rotation(size)] if rotations else []
        for n in range(depth):
            split = 1 if n % 2 else size - 1
            layers += [ActNorm(size), AffineCoupling(size, split, key=keys[stage, n], width=narrowed), Reverse()]
        stages.append(Block(Chain(layers), size))
    last = [ActNorm(1), CDFLayer(1, bins)] if bins else [ActNorm(1)]
    return Chain([*stages, Block(Chain(last), 1)])


def later(flow: T, by: ArrayLike = 1.0) -> T:
    """The same flow with its time counted from `by` on: what it is at t, `flow` is at t + `by`.

    Exact, as time enters all layers as a quadratic or as an input of a network. So a network that was trained over one
    interval of time can go on in the next.
    """

    def polynomial(coefficients: Array) -> Array:
        constant, slope, curvature = coefficients
        return jnp.stack([constant + by * (slope + by * curvature), slope + 2 * by * curvature, curvature])

    def continued(layer: Any) -> Any:
        if isinstance(layer, ActNorm):
            return eqx.tree_at(lambda a: (a.log_scale, a.shift), layer, replace_fn=polynomial)
        if isinstance(layer, CDFLayer):
            return eqx.tree_at(lambda a: a.weights, layer, replace_fn=polynomial)
        if isinstance(layer, AffineCoupling):
            return eqx.tree_at(lambda a: a.network[0].bias, layer, replace_fn=lambda b: b + by * _of_time(layer))
        return layer

    return jax.tree.map(continued, flow, is_leaf=lambda layer: isinstance(layer, ActNorm | CDFLayer | AffineCoupling))


def _of_time(layer: AffineCoupling) -> Array:
    """What the first layer of a coupling's network makes of the time, its last input."""
    return layer.network[0].weight[:, -1]


def _bijection(name: str, layer: AbstractBijection) -> AbstractBijection:
    return _checks.instance(name, layer, AbstractBijection, "a bijection, such as an ActNorm()")
