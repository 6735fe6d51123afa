"""Scale mixing: a bank of heat kernels and a small network that weighs them at each particle."""

import itertools
import math
from collections.abc import Sequence

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxchemo import _checks
from jaxchemo.domain import Grid
from jaxchemo.nn.interpolators.parameters import applied, initial_or_given
from jaxchemo.nn.interpolators.scope import Scope
from jaxchemo.particles import gather, mollify, prefilter
from jaxchemo.particles.interpolators import AbstractInterpolator, Sampling

_ORDER = 3  # of the splines in the bank


class MixingNetwork(nn.Module):
    """From the features of a particle to the weights of the coarser scales, for the value and for the gradient.

    The last layer starts at zero: an untrained network leaves everything to the finest scale.
    """

    scales: int
    width: int = 16

    @nn.compact
    def __call__(self, features: Float[Array, "p f"]) -> Float[Array, "p 2 k"]:
        hidden = nn.silu(nn.Dense(self.width)(features))
        hidden = nn.silu(nn.Dense(self.width)(hidden))
        weights = nn.Dense(2 * (self.scales - 1), kernel_init=nn.initializers.zeros)(hidden)
        return weights.reshape(-1, 2, self.scales - 1)


class ScaleMixing(AbstractInterpolator):
    """A histospline whose smoothness is chosen at each particle by a small network.

    The field is seen at several scales: as it is, and mollified by Gaussians a few cells wide, each a histospline. At a
    particle a network of features (how the scales differ, how steep and how aligned their gradients are, how many
    particles made the field, how far they diffused meanwhile) gives each scale a weight, for the value and for the
    gradient. The weights sum to one, so constants are exact whatever the network says; the features are ratios, so
    they scale out of the field's units and do not change under the symmetries of the grid.

    The gradient at a particle is the weighted gradient of the scales, not the gradient of the weighted value: what
    moves the particles is chosen, and trained, by itself (a *coarse gradient*, as the NSIPF paper calls it).

    **Arguments:**

    - `parameters`: of the network; `None` (default) for a new one, which is the default scheme, `Histospline(3)`,
      until it is trained.
    - `scales`: standard deviations of the Gaussians [cells], increasing from 0. Default `(0, 1, 2)`.
    - `width`: of the network's two hidden layers. Default 16.
    - `straight_through`: whether derivatives of a run hold the features, as if they did not depend on the particles
      (the *straight-through* choice). The values are the same. Derivatives in the network's parameters are then tamer,
      and trained so; those in the physics are incomplete. Default `False`: derivatives are exact.
    - `scope`: what it was trained on. Default `None`: unknown.
    - `key`: random key for new parameters. Default `jax.random.key(0)`.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> network = jc.nn.ScaleMixing(jc.nn.pretrained("phks-3d").parameters, straight_through=True)
    >>> jc.ParticleField(20_000, interpolator=network).interpolator.scales
    (0.0, 1.0, 2.0)
    """

    parameters: PyTree[Float[Array, "..."]]
    scales: tuple[float, ...] = eqx.field(static=True)
    network: MixingNetwork = eqx.field(static=True)
    straight_through: bool = eqx.field(static=True)
    scope: Scope | None

    def __init__(
        self,
        parameters: PyTree | None = None,
        *,
        scales: Sequence[float] = (0.0, 1.0, 2.0),
        width: int = 16,
        straight_through: bool = False,
        scope: Scope | None = None,
        key: PRNGKeyArray | None = None,
    ):
        given = _checks.several("scales", scales, "number")
        self.scales = tuple(_checks.constant(_checks.real, "scales", scale) for scale in given)
        increasing = all(a < b for a, b in itertools.pairwise(self.scales))
        if len(self.scales) < 2 or self.scales[0] != 0 or not increasing:
            raise ValueError(f"`scales` must be two or more numbers that increase from 0, got {scales}.")
        self.network = MixingNetwork(len(self.scales), _checks.natural("width", width))
        self.straight_through = _checks.flag("straight_through", straight_through)
        self.scope = _checks.instance("scope", scope, (Scope, type(None)), "a Scope or None")
        blank = jnp.zeros((1, 3 * len(self.scales)))
        self.parameters = initial_or_given(self.network, parameters, key, blank)

    def check(self, grid, finest):
        """Whether it was trained for this.

        **Raises:** as `Scope.check`.
        """
        if self.scope is not None:
            self.scope.check(grid, finest)

    def prepare(self, field, grid, sampling):
        """The field at each scale, as splines.

        **Raises:** `ValueError` for a field of point values (`sampling=None`): no particles made it.
        """
        if sampling is None:
            raise ValueError(
                "ScaleMixing must know how many particles made a field: use ParticleField(..., update=Exposure())."
            )
        size = math.prod(grid.spacing) ** (1 / grid.ndim)
        smooth = [field if scale == 0 else mollify(field, grid, scale * size) for scale in self.scales]
        return [prefilter(field, grid, _ORDER, sampling.deposit_order) for field in smooth], sampling

    def at(self, prepared, x, grid):
        fields, sampling = prepared
        seen = [gather(field, x, grid, _ORDER) for field in fields]
        values = jnp.stack([value for value, _ in seen], axis=-1)
        slopes = [jnp.stack(axis, axis=-1) for axis in zip(*(gradient for _, gradient in seen), strict=True)]
        features = _features(values, [g * h for g, h in zip(slopes, grid.spacing, strict=True)], grid, sampling)
        if self.straight_through:
            features = jax.lax.stop_gradient(features)
        # The finest scale takes what is left: so the weights sum to one, and constants are exact.
        coarser = applied(self.network, self.parameters, features)
        weights = jnp.concatenate([1 - jnp.sum(coarser, axis=-1, keepdims=True), coarser], axis=-1)
        weights = weights.astype(values.dtype)
        value = jnp.sum(weights[:, 0] * values, axis=-1)
        return value, tuple(jnp.sum(weights[:, 1] * g, axis=-1) for g in slopes)


def _features(
    values: Float[Array, "p k"], steps: list[Float[Array, "p k"]], grid: Grid, sampling: Sampling
) -> Float[Array, "p f"]:
    """What the network knows of a particle; `steps` are the components of the gradients, per cell."""
    # Everything is measured in quanta, what one particle leaves in a cell, so that it has no units.
    quantum = jnp.maximum(sampling.quantum, jnp.finfo(values.dtype).tiny ** 0.25)
    values, steps = values / quantum, [g / quantum for g in steps]
    # A third of a particle where there is none, smoothly: its logarithm is a feature, and derivatives pass through it.
    level = jnp.sqrt(values[:, -1] ** 2 + 0.3**2)
    square = sum((g**2 for g in steps), jnp.asarray(1e-6, values.dtype))
    steepness = jnp.sqrt(square) / level[:, None]
    inner = sum((g[:, 1:] * g[:, :-1] for g in steps), jnp.zeros((), values.dtype))
    aligned = inner / jnp.sqrt(square[:, 1:] * square[:, :-1])
    differences = jnp.tanh(2 * (values[:, :-1] - values[:, 1:]) / level[:, None])
    cells = sampling.diffused / math.prod(grid.spacing) ** (2 / grid.ndim)
    mixed = 0.5 * jnp.log(jnp.maximum(cells, 1e-6) / 2) * jnp.ones_like(level)
    columns = [0.5 * jnp.log(level), mixed]
    return jnp.concatenate(
        [jnp.stack(columns, axis=-1), differences, 0.5 * jnp.log(steepness + 0.01), aligned], axis=-1
    )
