"""Functions of the Laplacian on a box, by fast transforms: its eigenvectors are waves that fit between the walls."""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo.domain import AbstractGrid, Grid
from jaxchemo.fields.cosine import cosine, inverse_cosine


def of_laplacian(
    function: Callable[[Float[Array, "..."]], Float[Array, "..."]],
    field: Float[Array, "*shape"],
    grid: Grid,
    *,
    name: str | None = None,
) -> Float[Array, "*shape"]:
    """`function(-lap)` applied to a field; `lap` is the Laplacian of `diffusion`, with zero at the walls.

    Periodic axes take a Fourier transform, axes between two `NoFlux` walls a cosine and between two `Dirichlet` walls a
    sine transform; one of each is half of an axis between two `Dirichlet` walls. The result is exact to round-off, and
    the eigenvalues are those of the second-order differences of the face fluxes, so that the two always agree.

    **Arguments:**

    - `function`: from the eigenvalues of `-lap`, at least 0 [1 / length^2], to factors of the modes: `lambda q:
      jnp.exp(-D * t * q)` diffuses a field over a time, `lambda q: 1 / (k + D * q)` solves a Helmholtz equation.
    - `field`: cell values.
    - `grid`: the cells, with their boundaries.
    - `name`: the name of the field: a `Dirichlet` wall that prescribes no value for it lets nothing through.

    **Returns:** cell values of the result.

    **Raises:** `TypeError` for a wall at which the field is neither mirrored nor fixed.
    """
    check_reflects(grid)
    closed = [grid.closed(axis, name) for axis in range(grid.ndim)]
    for axis, (low, high) in enumerate(closed):
        if low != high:  # mirrored at the closed wall
            parts = (jnp.flip(field, axis), field)
            field = jnp.concatenate(parts if low else parts[::-1], axis)
    sizes, rings = field.shape, [axis for axis in range(grid.ndim) if grid.periodic[axis]]
    cosines = [axis for axis, ends in enumerate(closed) if all(ends)]
    sines = [axis for axis in range(grid.ndim) if axis not in rings and axis not in cosines]
    for axis in cosines:
        field = cosine(field, axis)
    for axis in sines:
        field = jnp.flip(cosine(_alternating(field, axis), axis), axis)
    modes = jnp.fft.rfftn(field, axes=rings) if rings else field
    q = jnp.zeros((), field.dtype)
    for axis, (n, h) in enumerate(zip(sizes, grid.spacing, strict=True)):
        k = np.arange(modes.shape[axis])
        turn = math.pi * (2 * k if axis in rings else k + (axis in sines)) / n  # from cell to cell
        q = q + _along(axis, grid.ndim, jnp.asarray(4 * np.sin(turn / 2) ** 2 / h**2, field.dtype))
    modes = modes * function(q)
    field = jnp.fft.irfftn(modes, s=[sizes[axis] for axis in rings], axes=rings) if rings else modes
    for axis in sines:
        field = _alternating(inverse_cosine(jnp.flip(field, axis), axis), axis)
    for axis in cosines:
        field = inverse_cosine(field, axis)
    own = [slice(-n, None) if low else slice(n) for n, (low, _) in zip(grid.cells, closed, strict=True)]
    return field[tuple(own)]


def check_reflects(grid: AbstractGrid) -> None:
    """Refuses walls at which a field is neither mirrored nor fixed, which is all that can be solved for.

    **Raises:** `TypeError` naming the wall.
    """
    for wall in grid.walls:
        if not wall.reflects:
            raise TypeError(
                f"`boundary`: a field is neither mirrored nor fixed at {wall!r}, and cannot be solved for there: an "
                "explicit stepper would do, jc.FiniteVolume(jc.SSPRK2())."
            )


def _alternating(field: Array, axis: int) -> Array:
    """Every second cell with its sign changed, which makes a cosine transform a sine transform read backwards."""
    signs = 1 - 2 * (np.arange(field.shape[axis]) % 2)
    return field * _along(axis, field.ndim, jnp.asarray(signs, field.dtype))


def _along(axis: int, ndim: int, values: Array) -> Array:
    """A line of values, laid along one axis of an array."""
    return values.reshape([-1 if k == axis else 1 for k in range(ndim)])
