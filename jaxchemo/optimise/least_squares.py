"""Levenberg-Marquardt for residuals that also depend on something frozen, which is refreshed after every step.

Of our own, because the normal equations are summed block by block (the Jacobian of all labels would not fit), and what
is frozen must be made anew before a step is accepted: neither is what general solvers do.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Fit(NamedTuple):
    """The best parameters, what was frozen for them, the mean squared residual, and how many steps were tried.

    >>> from jaxchemo.optimise import Fit
    >>> Fit(parameters=jnp.zeros(2), frozen=None, loss=jnp.array(0.5), solves=jnp.array(3)).parameters.shape
    (2,)
    """

    parameters: Float[Array, " p"]
    frozen: Any
    loss: Float[Array, ""]
    solves: Int[Array, ""]


class _Search(NamedTuple):
    parameters: Array
    frozen: Any
    loss: Array
    damping: Array
    steps: Array
    solves: Array
    done: Array


def fit(
    residual: Callable[[Float[Array, " p"], Any, Any], Float[Array, " m"]],
    refresh: Callable[[Float[Array, " p"]], tuple[Any, Bool[Array, ""]]],
    parameters: Float[Array, " p"],
    data: Any,
    *,
    iterations: int = 12,
    tries: int = 5,
    block: int = 256,
) -> Fit:
    """Least squares over `residual(parameters, datum, frozen datum)`, from where `refresh` allows it.

    **Arguments:**

    - `residual`: of one datum, `(m,)`.
    - `refresh`: from parameters to what is frozen, with one entry for each datum, and whether they are allowed.
    - `parameters`: the start; `data`: stacked along a first axis, a whole number of blocks.
    - `iterations`: accepted steps at most; a search also ends where one gains less than 2%. Default 12.
    - `tries`: dampings for each step. Default 5. `block`: data whose Jacobian is in memory at a time. Default 256.

    **Raises:** `TypeError` if the data are no whole number of blocks.

    >>> from jaxchemo.optimise import fit
    >>> def residual(p, datum, frozen):
    ...     return p[0] * datum[:1] - datum[1:]  # a slope through the origin
    >>> data, nothing = jnp.array([[1.0, 2.0], [2.0, 4.0]]), lambda p: (jnp.zeros(2), jnp.array(True))
    >>> fit(residual, nothing, jnp.zeros(1), data).parameters.round(3).tolist()
    [2.0]
    """

    def loss(parameters: Array, frozen: Any) -> Array:
        every = jax.vmap(residual, (None, 0, 0))(parameters, data, frozen)
        return jnp.mean(jnp.sum(every**2, axis=-1))

    def attempt(search: _Search, normal: tuple[Array, Array]) -> tuple[_Search, Array]:
        matrix, gradient = normal
        diagonal = jnp.diag(matrix)
        # With the last layer of a network at zero, the others' columns are zero: the mean keeps the matrix regular.
        damped = matrix + jnp.diag(search.damping * (diagonal + 1e-3 * jnp.mean(diagonal)))
        step = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(damped), gradient)
        candidate = search.parameters - step
        frozen, allowed = refresh(candidate)
        now = loss(candidate, frozen)
        better = allowed & (now < search.loss)
        kept = jax.tree.map(
            lambda new, old: jnp.where(better, new, old),
            (candidate, frozen, now),
            (search.parameters, search.frozen, search.loss),
        )
        damping = jnp.where(better, jnp.maximum(search.damping / 4, 1e-7), search.damping * 8)
        gained = better & (now < 0.98 * search.loss)
        (parameters, frozen, now) = kept
        counts = search.steps + better, search.solves + 1
        return _Search(parameters, frozen, now, damping, *counts, ~gained), better

    def step(search: _Search) -> _Search:
        normal = normal_equations(residual, search.parameters, data, search.frozen, block=block)

        def body(state: tuple[_Search, Array, Array]) -> tuple[_Search, Array, Array]:
            after, better = attempt(state[0], normal)
            return after, better, state[2] + 1

        start = search, jnp.zeros((), bool), jnp.zeros((), jnp.int32)
        after, _, _ = jax.lax.while_loop(lambda state: ~state[1] & (state[2] < tries), body, start)
        return after

    frozen, allowed = refresh(parameters)
    first = jnp.where(allowed, loss(parameters, frozen), jnp.inf)
    zero = jnp.zeros((), jnp.int32)
    start = _Search(parameters, frozen, first, jnp.full_like(first, 1e-3), zero, zero, ~jnp.isfinite(first))
    end = jax.lax.while_loop(lambda search: ~search.done & (search.steps < iterations), step, start)
    return Fit(end.parameters, end.frozen, end.loss, end.solves)


def normal_equations(
    residual: Callable[[Float[Array, " p"], Any, Any], Float[Array, " m"]],
    parameters: Float[Array, " p"],
    data: Any,
    frozen: Any,
    *,
    block: int = 256,
) -> tuple[Float[Array, "p p"], Float[Array, " p"]]:
    """`J^T J` `(p, p)`, summed in single precision, and `J^T r` `(p,)`, both over the number of residuals.

    **Arguments:** as `fit`; `frozen` has one entry for each datum.

    **Raises:** `TypeError` if the data are no whole number of blocks.
    """
    jacobian = jax.jacrev(residual)

    def add(total: tuple[Array, Array], part: Any) -> tuple[tuple[Array, Array], None]:
        datum, fixed = part
        r = jax.vmap(residual, (None, 0, 0))(parameters, datum, fixed).reshape(-1)
        j = jax.vmap(jacobian, (None, 0, 0))(parameters, datum, fixed).reshape(r.size, -1)
        # The matrix only shapes a step, which is accepted by its loss: single precision will do.
        small = j.astype(jnp.float32)
        return (total[0] + (small.T @ small).astype(j.dtype), total[1] + j.T @ r), None

    count = jax.tree.leaves(data)[0].shape[0]
    size = min(block, count)
    blocks = jax.tree.map(lambda a: a.reshape(count // size, size, *a.shape[1:]), (data, frozen))
    p = parameters.shape[0]
    (matrix, gradient), _ = jax.lax.scan(add, (jnp.zeros((p, p), parameters.dtype), jnp.zeros_like(parameters)), blocks)
    shape = jax.eval_shape(residual, parameters, *jax.tree.map(lambda a: a[0], (data, frozen))).shape
    return matrix / (count * shape[0]), gradient / (count * shape[0])
