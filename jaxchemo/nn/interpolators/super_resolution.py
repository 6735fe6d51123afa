"""Super-resolution: a convolutional network that turns a coarse field into one on half the spacing."""

import abc
import functools
import math
from collections.abc import Callable

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxchemo import _checks
from jaxchemo._numerics import cut
from jaxchemo.domain import Grid
from jaxchemo.nn.interpolators.parameters import applied, initial_or_given
from jaxchemo.nn.interpolators.scope import Scope
from jaxchemo.particles import gather, prefilter
from jaxchemo.particles.interpolators import AbstractInterpolator

_ORDER = 2  # quadratic splines on cells and on their halves are nested, so refining the classical part is exact
_REACH = 5  # cells from which a value of the correction depends on the field


class SuperResolutionNetwork(nn.Module):
    """A correction on half the spacing, of the size of what the field varies within a few cells.

    Convolutions with kernels of the grid's own symmetries, so that the network has them too: a 3^d kernel is then d + 1
    numbers, for a cell and for its neighbours across faces, edges and corners; and so is the last one, which doubles
    the resolution. The last layer starts at zero: an untrained network corrects nothing.

    Maps a field with `_REACH` cells of padding on every side to the correction, without padding.
    """

    ndim: int
    channels: int = 8

    @nn.compact
    def __call__(self, field: Float[Array, "*padded"]) -> Float[Array, "*finer"]:
        field = field[..., None]
        mean = self._smooth(field)
        rough = self._inner(field) - mean
        square = self._smooth(rough**2)
        # Where the field is constant to round-off there is nothing to correct, and nothing to divide by.
        safe = square + (1e-5 * self._inner(mean)) ** 2
        unit = jnp.sqrt(jnp.where(safe > 0, safe, 1))
        scale = square / unit
        shape = self._inner(rough) / unit
        level = jnp.log1p(jnp.abs(self._inner(mean)) / unit) / 5
        hidden = jnp.concatenate([shape, level], axis=-1)
        for _ in range(2):
            hidden = nn.silu(nn.Dense(self.channels)(jnp.concatenate(self._shells(hidden), axis=-1)))
        # What is linear in the field goes past the nonlinear layers.
        linear = self._inner(jnp.concatenate(self._shells(shape), axis=-1))
        taps = nn.Dense(self.ndim + 1, kernel_init=nn.initializers.zeros, use_bias=False)(
            jnp.concatenate([hidden, linear], axis=-1)
        )
        correction = sum(_symmetric(taps[..., k], self.ndim, _near, _far)[k] for k in range(self.ndim + 1))
        return refine(self._inner(self._inner(scale))[..., 0], self.ndim) * correction

    def _inner(self, x: Array) -> Array:
        for axis in range(self.ndim):
            x = _middle(x, axis)
        return x

    def _smooth(self, x: Array) -> Array:
        for axis in range(self.ndim):
            x = 0.5 * _middle(x, axis) + 0.25 * _sides(x, axis)
        return x

    def _shells(self, x: Array) -> list[Array]:
        """For each cell: itself, and the sums over its neighbours across faces, edges, corners."""
        return _symmetric(x, self.ndim, _middle, _sides)


Along = Callable[[Array, int], Array]


def _symmetric(x: Array, ndim: int, along: Along, other: Along) -> list[Array]:
    """Sums over the ways to apply `other` along k of the axes and `one` along the rest, for k = 0 to `ndim`."""
    sums = [x]
    for axis in range(ndim):
        same, moved = [along(s, axis) for s in sums], [other(s, axis) for s in sums]
        sums = [same[0], *(a + b for a, b in zip(same[1:], moved[:-1], strict=True)), moved[-1]]
    return sums


def _middle(x: Array, axis: int) -> Array:
    return cut(x, axis, 1, -1)


def _sides(x: Array, axis: int) -> Array:
    return cut(x, axis, None, -2) + cut(x, axis, 2, None)


def _near(x: Array, axis: int) -> Array:
    """Each cell twice: the value for both its halves."""
    return jnp.repeat(_middle(x, axis), 2, axis=axis)


def _far(x: Array, axis: int) -> Array:
    """For the two halves of each cell, its neighbour on that side."""
    pair = jnp.stack([cut(x, axis, None, -2), cut(x, axis, 2, None)], axis=axis + 1)
    return pair.reshape(*x.shape[:axis], -1, *x.shape[axis + 1 :])


def refine(coefficients: Float[Array, "..."], ndim: int) -> Float[Array, "..."]:
    """The same quadratic spline on half the spacing, from coefficients with one cell of padding along `ndim` axes."""
    for axis in range(ndim):
        coefficients = 0.75 * _near(coefficients, axis) + 0.25 * _far(coefficients, axis)
    return coefficients


def pad(field: Float[Array, "*shape"], grid: Grid, width: int) -> Float[Array, "*padded"]:
    """`field` with `width` cells on every side: mirrored at walls, continued along periodic axes."""
    for axis, periodic in enumerate(grid.periodic):
        ends = [(width, width) if a == axis else (0, 0) for a in range(field.ndim)]
        field = jnp.pad(field, ends, mode="wrap" if periodic else "symmetric")
    return field


class AbstractCoverage(eqx.Module):
    """Where on the grid a network is evaluated."""

    @abc.abstractmethod
    def apply(
        self, network: Callable[[Array], Array], padded: Float[Array, "*padded"], grid: Grid
    ) -> Float[Array, "*finer"]:
        """`network` on a field that has `_REACH` cells of padding."""


class Everywhere(AbstractCoverage):
    """On the whole grid at once.

    >>> jc.nn.pretrained("phks-2d").coverage
    Everywhere()
    """

    def apply(self, network, padded, grid):
        return network(padded)


class Occupied(AbstractCoverage):
    """Block by block, only where particles have been: elsewhere the field and its correction are zero. Same values.

    **Arguments:**

    - `size`: cells of a block along each axis. Default 16.

    **Raises:** `ValueError` or `TypeError` if `size` is not an integer of at least 1.

    >>> weights = jc.nn.pretrained("phks-2d").parameters
    >>> jc.nn.SuperResolution(2, weights, channels=16, coverage=jc.nn.Occupied(size=8)).coverage
    Occupied(size=8)
    """

    size: int = eqx.field(static=True, default=16, converter=functools.partial(_checks.natural, "size"))

    def apply(self, network, padded, grid):
        counts = [-(-n // self.size) for n in grid.shape]
        short = [(0, self.size * k - n) for k, n in zip(counts, grid.shape, strict=True)]
        padded = jnp.pad(padded, short)
        window = (self.size + 2 * _REACH,) * grid.ndim
        blank = jnp.zeros((2 * self.size,) * grid.ndim, padded.dtype)

        def block(finer: Array, index: Array) -> tuple[Array, None]:
            start = [i * self.size for i in jnp.unravel_index(index, counts)]
            seen = jax.lax.dynamic_slice(padded, start, window)
            # A loop over blocks, and no vmap: that would turn the condition into a choice, and evaluate all blocks.
            refined = jax.lax.cond(jnp.any(seen != 0), network, lambda _: blank, seen)
            return jax.lax.dynamic_update_slice(finer, refined.astype(finer.dtype), [2 * s for s in start]), None

        finer = jnp.zeros([2 * self.size * k for k in counts], padded.dtype)
        finer, _ = jax.lax.scan(block, finer, jnp.arange(math.prod(counts)))
        return finer[tuple(slice(0, 2 * n) for n in grid.shape)]


class SuperResolution(AbstractInterpolator):
    """The convolutional interpolator of the NSIPF paper: the field on half the spacing, gathered smoothly.

    The classical part is a quadratic histospline; the network adds a correction, proportional to what the field varies
    within a few cells. So constants are exact, units scale out, the grid's symmetries are kept, and the gradient that
    moves the particles is that of the spline through the output.

    **Arguments:**

    - `ndim`: dimension of the space, 1 to 3.
    - `parameters`: of the network; `None` (default) for a new one, which is `Histospline(2)` until it is trained.
    - `channels`: of its two hidden layers. Default 8.
    - `coverage`: where it is evaluated: `Everywhere()` (default) or `Occupied()`.
    - `straight_through`: whether derivatives of a run pass through the classical part only, as if the correction did
      not depend on the field (the *straight-through* choice). The values are the same. Default `False`: exact.
    - `scope`: what it was trained on. Default `None`: unknown.
    - `key`: random key for new parameters. Default `jax.random.key(0)`.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    **Source:** arXiv 2510.13199 for super-resolution of the field; layers and sizes are ours.

    >>> network = jc.nn.SuperResolution(2, jc.nn.pretrained("phks-2d").parameters, channels=16)
    >>> jc.ParticleField(20_000, interpolator=network).interpolator.network.channels
    16
    """

    parameters: PyTree[Float[Array, "..."]]
    network: SuperResolutionNetwork = eqx.field(static=True)
    coverage: AbstractCoverage
    straight_through: bool = eqx.field(static=True)
    scope: Scope | None

    def __init__(
        self,
        ndim: int,
        parameters: PyTree | None = None,
        *,
        channels: int = 8,
        coverage: AbstractCoverage = Everywhere(),
        straight_through: bool = False,
        scope: Scope | None = None,
        key: PRNGKeyArray | None = None,
    ):
        ndim = _checks.natural("ndim", ndim)
        if ndim > 3:
            raise ValueError(f"`ndim` must be 1, 2 or 3, got {ndim}.")
        self.network = SuperResolutionNetwork(ndim, _checks.natural("channels", channels))
        self.coverage = _checks.instance("coverage", coverage, AbstractCoverage, "Everywhere() or Occupied()")
        self.straight_through = _checks.flag("straight_through", straight_through)
        self.scope = _checks.instance("scope", scope, (Scope, type(None)), "a Scope or None")
        self.parameters = initial_or_given(self.network, parameters, key, jnp.zeros((1 + 2 * _REACH,) * ndim))

    def check(self, grid, finest):
        """Whether it is made, and was trained, for this.

        **Raises:** `ValueError` for a `grid` of another dimension; as `Scope.check`.
        """
        made = self.network.ndim
        if grid.ndim != made:
            raise ValueError(
                f"`interpolator`: the network is made for {made}D, but the grid has {grid.ndim} dimensions."
            )
        if self.scope is not None:
            self.scope.check(grid, finest)

    def prepare(self, field, grid, sampling):
        order = None if sampling is None else sampling.deposit_order
        classical = refine(pad(prefilter(field, grid, _ORDER, order), grid, 1), grid.ndim)
        seen = jax.lax.stop_gradient(field) if self.straight_through else field

        def correction(block: Array) -> Array:
            return applied(self.network, self.parameters, block)

        return classical + self.coverage.apply(correction, pad(seen, grid, _REACH), grid).astype(classical.dtype)

    def at(self, prepared, x, grid):
        finer = Grid(grid.lower, grid.upper, tuple(2 * n for n in grid.shape), grid.boundaries)
        return gather(prepared, x, finer, _ORDER)
