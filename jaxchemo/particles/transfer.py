"""Between particles and grid: deposit (particles onto cells) and gather (cells at particles), each other's adjoint."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from jaxchemo.domain.grid import Components, Grid
from jaxchemo.particles import bspline


class _Axis(NamedTuple):
    cells: tuple[Int[Array, " p"], ...]
    weights: tuple[Float[Array, " p"], ...]
    offset: Float[Array, " p"]


def _axis(x, lower, spacing, n, order, periodic) -> _Axis:
    even = order % 2 == 0
    u = (x - lower) / spacing
    base = jnp.floor(u if even else u - 0.5)
    offset = u - base - 0.5
    first = jnp.clip(base, -1, n).astype(jnp.int32) - (order // 2)
    cells = []
    for k in range(order + 1):
        i = first + k
        if periodic:
            i = jnp.where(i < 0, i + n, i)
            i = jnp.where(i >= n, i - n, i)
        else:
            i = jnp.where(i < 0, -1 - i, i)
            i = jnp.where(i >= n, 2 * n - 1 - i, i)
        cells.append(i)
    return _Axis(tuple(cells), bspline.weights(offset, order), offset)


def _stencil(x: Components, grid: Grid, order: int) -> list[_Axis]:
    if order not in bspline.ORDERS:
        raise ValueError(f"`order` must be one of {bspline.ORDERS}, got {order}.")
    if len(x) != grid.ndim:
        raise ValueError(f"`x` must have one array per axis of the grid ({grid.ndim}), got {len(x)}.")
    if min(grid.shape) <= order:
        raise ValueError(f"`order` {order} needs at least {order + 1} cells on each axis, got a grid of {grid.shape}.")
    return [
        _axis(xi, a, h, n, order, wraps)
        for xi, a, h, n, wraps in zip(x, grid.lower, grid.spacing, grid.shape, grid.periodic, strict=True)
    ]


def _flat(cells, shape):
    index = cells[0]
    for i, n in zip(cells[1:], shape[1:], strict=True):
        index = index * n + i
    return index


def deposit(
    x: Components,
    amount: ArrayLike | Float[Array, " p"],
    grid: Grid,
    order: int,
    *,
    onto: Float[Array, "*shape"] | None = None,
) -> Float[Array, "*shape"]:
    """Spread what the particles carry over the cells around them: `field[g] += amount * prod_a B(x_a - g_a)`.

    The kernel wraps around on periodic axes and is mirrored at walls, so the sum over all cells of what is added is
    the sum of `amount`, to round-off. Deposit and the value of `gather` are adjoint: `<deposit(x, a), f> = <a, gather(f, x)>`.

    **Arguments:**

    - `x`: coordinates inside the box [length], a tuple of `d` arrays of shape `(P,)`.
    - `amount`: what each particle carries, a number or one per particle. Divide by `grid.cell_volume` for a density.
    - `grid`: where.
    - `order`: B-spline order, 0 (histogram: the derivative with respect to `x` is zero) to 3.
    - `onto`: field to add to; zeros of the dtype of `x` by default. Given one, the work is O(P), whatever the grid's size.

    **Returns:** the field [units of `amount`].

    **Raises:** `ValueError` naming the argument at fault.
    """
    axes = _stencil(x, grid, order)
    field = jnp.zeros(grid.shape, x[0].dtype) if onto is None else onto
    if field.shape != grid.shape:
        raise ValueError(f"`onto` must have the shape of the grid, {grid.shape}, got {field.shape}.")
    flat = field.reshape(-1)
    axes = jax.lax.optimization_barrier(axes)
    for corner in itertools.product(range(order + 1), repeat=grid.ndim):
        index = _flat([a.cells[k] for a, k in zip(axes, corner, strict=True)], grid.shape)
        w = amount
        for a, k in zip(axes, corner, strict=True):
            w = w * a.weights[k]
        index, w = jax.lax.optimization_barrier((index, jnp.asarray(w, flat.dtype)))
        flat = flat.at[index].add(w, mode="promise_in_bounds")
    return flat.reshape(grid.shape)


def gather(
    field: Float[Array, "*shape"], x: Components, grid: Grid, order: int
) -> tuple[Float[Array, " p"], Components]:
    """Value and gradient at the particles of the spline `sum_g field[g] prod_a B(x_a - g_a)`.

    **Arguments:**

    - `field`: spline coefficients, one per cell [any unit]. They are the values themselves for orders 0 and 1; for
      higher orders see `prefilter`.
    - `x`: coordinates inside the box [length], a tuple of `d` arrays of shape `(P,)`.
    - `grid`: where.
    - `order`: B-spline order, 0 (nearest cell: the gradient is zero) to 3.

    **Returns:** the values `(P,)` and their exact gradient, a tuple of `d` arrays `(P,)` [unit/length].

    **Raises:** `ValueError` naming the argument at fault.
    """
    axes = _stencil(x, grid, order)
    if field.shape != grid.shape:
        raise ValueError(f"`field` must have the shape of the grid, {grid.shape}, got {field.shape}.")
    flat = field.reshape(-1)
    slopes = [
        tuple(d / h for d in bspline.derivatives(a.offset, order)) for a, h in zip(axes, grid.spacing, strict=True)
    ]
    axes, slopes = jax.lax.optimization_barrier((axes, slopes))
    value, gradient = 0.0, [0.0] * grid.ndim
    for corner in itertools.product(range(order + 1), repeat=grid.ndim):
        index = _flat([a.cells[k] for a, k in zip(axes, corner, strict=True)], grid.shape)
        v = flat.at[index].get(mode="promise_in_bounds")
        ws = [a.weights[k] for a, k in zip(axes, corner, strict=True)]
        w = v
        for wi in ws:
            w = w * wi
        value = value + w
        for i in range(grid.ndim):
            g = v * slopes[i][corner[i]]
            for j in range(grid.ndim):
                if j != i:
                    g = g * ws[j]
            gradient[i] = gradient[i] + g
        value, gradient = jax.lax.optimization_barrier((value, gradient))
    return value, tuple(gradient)
