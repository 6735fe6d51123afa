"""Particles that attract one another through a signal that spreads at once: the Newtonian force of blobs of mass."""

import abc
import math

import jax
import jax.numpy as jnp
from jax.scipy.special import erf
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown


class AbstractBlob(Shown):
    """A point mass smeared over a `width` [length], so that the force between two stays finite."""

    width: Float[Array, ""]

    @abc.abstractmethod
    def kernel(self, square: Float[Array, "..."], width: Float[Array, "..."], ndim: int) -> Float[Array, "..."]:
        """`k` of the force `-k z` at a squared distance `|z|^2` from a unit mass of a width [1 / length^ndim]."""


class GaussianBlob(AbstractBlob):
    """Mass spread as a Gaussian: errors of the force are second order in the width.

    **Arguments:**

    - `width`: standard deviation, positive [length].

    **Raises:** `TypeError` or `ValueError` for a width that is not a positive number.

    >>> jc.InteractingParticles(500, blob=jc.GaussianBlob(0.1))
    InteractingParticles(num_particles=500, blob=GaussianBlob(width=0.1), points=Sobol(), block=64)
    """

    width: Float[Array, ""]

    def __init__(self, width: ArrayLike):
        self.width = _checks.positive("width", width)

    def kernel(self, square, width, ndim):
        # Close by, series: right to 7e-8 up to this q, where in single precision the formulas lose ten times as much by
        # cancellation. They also have no derivative at zero.
        q = 0.5 * square / width**2
        near = q < 0.05
        far = jnp.where(near, 1, q)
        if ndim == 2:
            series = 1 - q / 2 * (1 - q / 3 * (1 - q / 4))
            return jnp.where(near, series, (1 - jnp.exp(-far)) / far) / (4 * math.pi * width**2)
        root = jnp.sqrt(far)
        enclosed = erf(root) - 2 / math.sqrt(math.pi) * root * jnp.exp(-far)
        series = 4 / math.sqrt(math.pi) * (1 / 3 - q * (1 / 5 - q * (1 / 14 - q / 54)))
        return jnp.where(near, series, enclosed / (far * root)) / (8 * math.sqrt(2) * math.pi * width**3)


class AlgebraicBlob(AbstractBlob):
    """`-z / (2 pi (|z|^2 + width^2))` in 2D, `-z / (4 pi (|z|^2 + width^2)^1.5)` in 3D: cheap, with long tails.

    **Arguments:**

    - `width`: positive [length].

    **Raises:** `TypeError` or `ValueError` for a width that is not a positive number.

    >>> round(float(jc.AlgebraicBlob(0.5).kernel(1.0, 0.5, ndim=2)), 4)  # 1 / (2 pi 1.25)
    0.1273
    """

    width: Float[Array, ""]

    def __init__(self, width: ArrayLike):
        self.width = _checks.positive("width", width)

    def kernel(self, square, width, ndim):
        smeared = square + width**2
        return 1 / (2 * math.pi * smeared) if ndim == 2 else 1 / (4 * math.pi * smeared * jnp.sqrt(smeared))


def attraction(
    targets: Float[Array, "n d"],
    sources: Float[Array, "s d"],
    blob: AbstractBlob,
    widths: Float[Array, " n"] | None = None,
    *,
    block: int = 64,
) -> Float[Array, "n d"]:
    """Mean force of unit sources, `-(1/s) sum k(|x - y|) (x - y)`, at each target: towards where they are.

    It is the gradient of the signal that solves `-lap c = density`, in two and three dimensions, for a mass of one
    [1 / length^(d - 1)].

    **Arguments:**

    - `targets`, `sources`: points [length]. A source at the target itself exerts no force.
    - `blob`: how a source is smeared.
    - `widths`: of the blobs for each target [length]. Default: the blob's own.
    - `block`: targets at a time, which bounds the memory to `block * s` numbers.
    """
    n, ndim = targets.shape
    widths = jnp.broadcast_to(blob.width, (n,)) if widths is None else widths
    block = min(block, n)
    full = -(-n // block) * block
    columns = tuple(sources.T)

    @jax.checkpoint  # the pairs are made again in a reverse pass, not kept
    def of_block(part: tuple[Array, Array]) -> Array:
        x, width = part
        apart = [x[:, k, None] - columns[k][None, :] for k in range(ndim)]
        k = blob.kernel(jnp.asarray(sum(z * z for z in apart)), width[:, None], ndim)
        return jnp.stack([-jnp.mean(k * z, axis=1) for z in apart], axis=-1)

    padded = jnp.concatenate([targets, jnp.broadcast_to(targets[:1], (full - n, ndim))])
    wide = jnp.concatenate([widths, jnp.broadcast_to(widths[:1], (full - n,))])
    forces = jax.lax.map(of_block, (padded.reshape(-1, block, ndim), wide.reshape(-1, block)))
    return forces.reshape(full, ndim)[:n]
