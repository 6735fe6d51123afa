"""Between particles and grid: deposit (particles onto cells) and gather (cells at particles), each other's adjoint.

The hot path of the package. What measured best on CPUs, and why the code is as it is:

- Along the last axis the cells of a kernel lie side by side in memory, so one index moves `order + 1` values: a *run*.
- At walls the kernel is folded back by its weights, not by its indices: runs stay contiguous and inside the field.
  That needs neither padding nor copying, so the work is O(P) whatever the size of the grid.
- Sums are taken one axis at a time: the value and the components of the gradient share all partial sums.
- Over the first axes of a wide kernel there are loops, which cost no time and compile the derivative of a cubic gather
  in a tenth of it (1.5 s, unrolled 15 s). For orders 0 and 1 they are unrolled.
- What lost: all runs in one gather, windows over several axes, packed tables, one grid per half of the particles (no
  faster); explicit barriers (no effect). Loops over chunks of particles that fit the cache were 15 to 20% faster
  forward, but in reverse they would touch the whole grid once a chunk.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from jaxchemo.domain.grid import Components, Grid
from jaxchemo.particles import bspline


class _Axis(NamedTuple):
    """The cells that each particle touches along one axis, and its kernel there."""

    cells: tuple[Int[Array, " p"], ...]
    contiguous: bool
    weights: tuple[Float[Array, " p"], ...]
    slopes: tuple[Float[Array, " p"], ...]


def deposit(
    x: Components,
    amount: ArrayLike,
    grid: Grid,
    order: int,
    *,
    onto: Float[Array, "*shape"] | None = None,
) -> Float[Array, "*shape"]:
    """Spread what the particles carry over the cells around them: `field[g] += amount * prod_a B(x_a - g_a)`.

    The kernel wraps around periodic axes and is mirrored at walls, so the cells gain exactly what the particles carry.
    Deposit and the values of `gather` are adjoint: `sum(deposit(x, a) * f) = sum(a * gather(f, x)[0])`.

    **Arguments:**

    - `x`: coordinates inside the box [length], a tuple of `d` arrays of shape `(P,)`.
    - `amount`: what each particle carries, a number or an array `(P,)`. Divide by `grid.cell_volume` for a density.
    - `grid`: where; more than `order` cells along each axis.
    - `order`: B-spline order: 0 (histogram), 1 ("cloud in cell"), 2 or 3. A histogram is piecewise constant in `x`, so
      for order 0 the derivative with respect to `x` is **zero**, and a gradient taken along paths is blind to it.
    - `onto`: field to add to, by default zeros of the dtype of `x`. Given one (carried in a loop, or donated) the work
      is O(P) and in place, whatever the number of cells.

    **Returns:** the field [units of `amount`].

    **Raises:** `ValueError` naming the argument at fault.

    **Source:** Hockney and Eastwood, *Computer Simulation Using Particles* (1988), chapter 5.
    """
    axes = _axes(x, grid, order)
    if onto is None:
        onto = jnp.zeros(grid.shape, x[0].dtype)
    elif onto.shape != grid.shape:
        raise ValueError(f"`onto` must have the shape of the grid, {grid.shape}, got {onto.shape}.")
    amount = jnp.broadcast_to(jnp.asarray(amount, onto.dtype), x[0].shape)
    return _scatter(onto.reshape(-1), axes, grid.shape, jnp.int32(0), amount).reshape(grid.shape)


def gather(
    field: Float[Array, "*shape"], x: Components, grid: Grid, order: int
) -> tuple[Float[Array, " p"], Components]:
    """Value and gradient at the particles of the spline `sum_g field[g] prod_a B(x_a - g_a)`.

    The kernel wraps around periodic axes and is mirrored at walls. O(P), whatever the number of cells.

    **Arguments:**

    - `field`: spline coefficients, one per cell [any unit]: for orders 0 and 1 the values at the cell centres, for
      higher orders what `prefilter` makes of them.
    - `x`: coordinates inside the box [length], a tuple of `d` arrays of shape `(P,)`.
    - `grid`: where; more than `order` cells along each axis.
    - `order`: B-spline order: 0 (nearest cell: the gradient is **zero**), 1 (linear), 2 or 3.

    **Returns:** the values `(P,)` and their exact gradient, a tuple of `d` arrays `(P,)` [unit/length].

    **Raises:** `ValueError` naming the argument at fault.
    """
    axes = _axes(x, grid, order)
    if field.shape != grid.shape:
        raise ValueError(f"`field` must have the shape of the grid, {grid.shape}, got {field.shape}.")
    value, *gradient = _contract(field.reshape(-1), axes, grid.shape, jnp.int32(0))
    return value, tuple(gradient)


def _axes(x: Components, grid: Grid, order: int) -> list[_Axis]:
    if order not in bspline.ORDERS:
        raise ValueError(f"`order` must be one of {bspline.ORDERS}, got {order!r}.")
    if len(x) != grid.ndim:
        raise ValueError(f"`x` must be a tuple of one array per axis of the grid ({grid.ndim}), got {len(x)}.")
    if min(grid.shape) <= order:
        raise ValueError(f"`grid` must have more than `order` = {order} cells along each axis, got {grid.shape}.")
    geometry = zip(x, grid.lower, grid.spacing, grid.shape, grid.periodic, strict=True)
    return [_axis(xi, lower, h, n, order, periodic) for xi, lower, h, n, periodic in geometry]


def _axis(x: Float[Array, " p"], lower: float, spacing: float, n: int, order: int, periodic: bool) -> _Axis:
    even = order % 2 == 0
    u = (x - lower) * (1 / spacing) - 0.5  # in cells, from the centre of the first
    centre = jnp.floor(u + 0.5 if even else u)
    if not periodic:
        # Round-off at a wall must not lead beyond the cells that `_fold` mirrors: indices below are not checked.
        centre = jnp.clip(centre, 0 if even else -1, n - 1)
    offset = u - centre
    weights, slopes = bspline.weights(offset, order), bspline.derivatives(offset, order)
    first = centre.astype(jnp.int32) - order // 2
    if periodic:
        first = jnp.mod(first, n)
        cells = tuple(jnp.where(first + k < n, first + k, first + k - n) for k in range(order + 1))
    else:
        start = jnp.clip(first, 0, n - 1 - order)
        cells = tuple(start + k for k in range(order + 1))
        weights, slopes = _fold(weights, start - first), _fold(slopes, start - first)
    return _Axis(cells, not periodic, weights, tuple(s * (1 / spacing) for s in slopes))


def _fold(weights: tuple[Float[Array, " p"], ...], shift: Int[Array, " p"]) -> tuple[Float[Array, " p"], ...]:
    """Weights of a kernel mirrored at a wall, on the `order + 1` cells next to it.

    `shift` counts the kernel's cells outside the box: positive below the lower wall, negative above the upper one.
    """
    size = len(weights)

    def mirrored(w: tuple, outside: int) -> list:
        target = [k - outside if k >= outside else outside - 1 - k for k in range(size)]
        return [sum(w[k] for k in range(size) if target[k] == cell) for cell in range(size)]

    folded = list(weights)
    for outside in range(1, size // 2 + 1):
        low, high = mirrored(weights, outside), mirrored(weights[::-1], outside)[::-1]
        folded = [
            jnp.where(shift == outside, a, jnp.where(shift == -outside, b, w))
            for w, a, b in zip(folded, low, high, strict=True)
        ]
    return tuple(folded)


def _contract(flat: Array, axes: Sequence[_Axis], shape: Sequence[int], index: Array) -> list[Float[Array, " p"]]:
    """Sums over the cells of `axes`: with their weights, then with the slopes of each axis in place of its weights."""
    axis, *rest = axes
    stride = math.prod(shape[1:])

    def part(cell, weight, slope):
        value, *gradient = _contract(flat, rest, shape[1:], index + cell * stride)
        return [weight * value, slope * value, *(weight * g for g in gradient)]

    if not rest:
        values = _take(flat, axis, index)
        return [_total(map(jnp.multiply, values, kernel)) for kernel in (axis.weights, axis.slopes)]
    if not _is_wide(axis):
        parts = [part(*row) for row in zip(axis.cells, axis.weights, axis.slopes, strict=True)]
        return [_total(column) for column in zip(*parts, strict=True)]

    def add(sums, row):
        return [total + p for total, p in zip(sums, part(*row), strict=True)], None

    zero = jnp.zeros(axis.weights[0].shape, jnp.result_type(flat, axis.weights[0]))
    return jax.lax.scan(add, [zero] * (len(axes) + 1), _rows(axis))[0]


def _scatter(flat: Array, axes: Sequence[_Axis], shape: Sequence[int], index: Array, amount: Array) -> Array:
    """`flat` with `amount` times the kernel of `axes` added."""
    axis, *rest = axes
    stride = math.prod(shape[1:])

    def add(flat, row):
        cell, weight, _ = row
        return _scatter(flat, rest, shape[1:], index + cell * stride, (amount * weight).astype(flat.dtype)), None

    if not rest:
        return _add(flat, axis, index, [(amount * w).astype(flat.dtype) for w in axis.weights])
    if not _is_wide(axis):
        for row in zip(axis.cells, axis.weights, axis.slopes, strict=True):
            flat, _ = add(flat, row)
        return flat
    return jax.lax.scan(add, flat, _rows(axis))[0]


def _total(terms: Iterable[Array]) -> Array:
    return functools.reduce(jnp.add, terms)


def _is_wide(axis: _Axis) -> bool:
    return len(axis.cells) > 2


def _rows(axis: _Axis) -> tuple[Array, Array, Array]:
    return jnp.stack(axis.cells), jnp.stack(axis.weights), jnp.stack(axis.slopes)


def _take(flat: Array, axis: _Axis, index: Array) -> list[Float[Array, " p"]]:
    """The values at the cells of the last axis."""
    if not axis.contiguous:
        return [flat.at[index + cell].get(mode="promise_in_bounds") for cell in axis.cells]
    numbers = jax.lax.GatherDimensionNumbers(offset_dims=(1,), collapsed_slice_dims=(), start_index_map=(0,))
    start, size = (index + axis.cells[0])[:, None], len(axis.cells)
    run = jax.lax.gather(flat, start, numbers, (size,), mode="promise_in_bounds")
    return [run[:, k] for k in range(size)]


def _add(flat: Array, axis: _Axis, index: Array, amounts: Sequence[Float[Array, " p"]]) -> Array:
    """`flat` with `amounts` added at the cells of the last axis."""
    if not axis.contiguous:
        for cell, amount in zip(axis.cells, amounts, strict=True):
            flat = flat.at[index + cell].add(amount, mode="promise_in_bounds")
        return flat
    numbers = jax.lax.ScatterDimensionNumbers(
        update_window_dims=(1,), inserted_window_dims=(), scatter_dims_to_operand_dims=(0,)
    )
    start = (index + axis.cells[0])[:, None]
    return jax.lax.scatter_add(flat, start, jnp.stack(amounts).T, numbers, mode="promise_in_bounds")
