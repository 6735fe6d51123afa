"""The layer that mixes all coordinates linearly."""

import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.flows.base import AbstractBijection


class Rotation(AbstractBijection):
    """`y = L U x`, with L unit lower and U upper triangular: the identity at the start, and constant in time.

    Called a rotation where it comes from, although it also stretches and shears. It can be inverted as long as no
    diagonal entry of U is zero; nothing keeps them away from there.

    **Arguments:**

    - `ndim`: number of coordinates, at least 1.

    **Raises:** `ValueError` naming the argument at fault.

    **Source:** KRnet (Tang, Wan and Liao 2020; code MJfadeaway/DAS).

    >>> from jaxchemo.flows import Rotation
    >>> Rotation(2).transform_and_log_det(jnp.array([1.0, 2.0]), 0.0)[0].tolist()
    [1.0, 2.0]
    """

    factors: Float[Array, "d d"]  # L below the diagonal, U on and above it [dimensionless]

    def __init__(self, ndim: int):
        self.factors = jnp.eye(_checks.natural("ndim", ndim))

    def transform_and_log_det(self, x, t):
        mixed = jnp.triu(self.factors) @ x
        return mixed + jnp.tril(self.factors, -1) @ mixed, self._log_det()

    def inverse_and_log_det(self, y, t):
        mixed = solve_triangular(self.factors, y, lower=True, unit_diagonal=True)
        return solve_triangular(self.factors, mixed), -self._log_det()

    def _log_det(self):
        return jnp.sum(jnp.log(jnp.abs(jnp.diagonal(self.factors))))
