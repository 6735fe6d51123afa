"""The directions that the data see: the few large eigenvalues of `J^T J`, by products with vectors and no Jacobian."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo.inference.posterior import Posterior
from jaxchemo.integrate import Forward

BLOCK = 16  # vectors that are multiplied at once


class Directions(eqx.Module):
    """The precision `I + U diag(w) U^T` of z: the prior, and what the data know.

    **Fields:**

    - `information`: w, the prior's variance over that of the noise in each direction that is kept, falling `(k,)`.
    - `vectors`: U, of unit length `(p, k)`.
    - `products`: with `J^T J`, that it took.

    >>> from jaxchemo.inference.directions import Directions
    >>> seen = Directions(jnp.array([3.0]), jnp.array([[1.0], [0.0]]), products=2)
    >>> seen.covariance(jnp.ones(2)).tolist(), seen.root(jnp.ones(2)).tolist()
    ([0.25, 1.0], [0.5, 1.0])
    """

    information: Float[Array, " k"]
    vectors: Float[Array, "p k"]
    products: int = eqx.field(static=True)

    def covariance(self, vector: Float[Array, " p"]) -> Float[Array, " p"]:
        """The inverse of the precision, times a vector."""
        return self._with(1 / (1 + self.information), vector)

    def root(self, vector: Float[Array, " p"]) -> Float[Array, " p"]:
        """The symmetric square root of the covariance, times a vector."""
        return self._with(1 / jnp.sqrt(1 + self.information), vector)

    def _with(self, values: Array, vector: Array) -> Array:
        return vector + self.vectors @ ((values - 1) * (self.vectors.T @ vector))


def directions_of(posterior: Posterior, z: Float[Array, " p"], least: float) -> Directions:
    """All directions in which the data have at least so much information; one of NaN where derivatives are not finite.

    Products with `J^T J`, in forward and then in reverse mode, make a Krylov space block by block until it holds them.
    Blocks also find what a symmetric problem has twice.

    **Source:** Musco and Musco (2015), NeurIPS 28: Randomized block Krylov methods.
    """

    def times(block: np.ndarray) -> np.ndarray:
        return np.asarray(_information(posterior, z, jnp.asarray(block, z.dtype)), float)

    values, vectors, products = largest(times, z.size, least)
    return Directions(jnp.asarray(values, z.dtype), jnp.asarray(vectors, z.dtype), products)


def largest(
    times: Callable[[np.ndarray], np.ndarray], size: int, least: float
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "p k"], int]:
    """Eigenvalues of at least so much, falling, their vectors, and the products it took.

    **Arguments:** `times`, the product of a symmetric matrix of no negative eigenvalues with columns; its `size`.
    """
    basis, images = np.empty((size, 0)), np.empty((size, 0))
    block = np.random.default_rng(0).normal(size=(size, min(BLOCK, size)))
    while True:
        # Twice, as rounding leaves some of what is already there.
        for _ in range(2):
            block = np.linalg.qr(block - basis @ (basis.T @ block))[0]
        basis, images = np.hstack([basis, block]), np.hstack([images, times(block)])
        if not np.isfinite(images).all():
            return np.full(1, np.nan), np.full((size, 1), np.nan), basis.shape[1]
        inner = basis.T @ images
        values, mix = np.linalg.eigh(0.5 * (inner + inner.T))
        values, vectors = values[::-1], basis @ mix[:, ::-1]
        kept = values > least
        error = np.linalg.norm(images @ mix[:, ::-1] - vectors * values, axis=0)
        room = size - basis.shape[1]
        # One that lies between others of its own information may still be turned among them, which does no harm.
        if room == 0 or (not kept.all() and (error[kept] < 0.05 * (1 + values[kept])).all()):
            return values[kept], vectors[:, kept], basis.shape[1]
        block = images[:, -block.shape[1] :][:, :room]


@eqx.filter_jit
def _information(posterior: Posterior, z: Array, block: Array) -> Array:
    """`J^T J` times each column."""
    _, pull = jax.vjp(posterior.residuals, z)

    def times(vector: Array) -> Array:
        return pull(jax.jvp(lambda z: posterior.residuals(z, Forward()), (z,), (vector,))[1])[0]

    return jax.vmap(times, in_axes=1, out_axes=1)(block)
