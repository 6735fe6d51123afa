"""Helmholtz equations on any grid, by fast transforms on boxes and by tridiagonal solves on shells."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo.domain import AbstractGrid, Grid, RadialGrid
from jaxchemo.fields.fluxes import diffusion
from jaxchemo.fields.transforms import check_reflects, of_laplacian


def helmholtz(
    source: Float[Array, "*shape"],
    shift: ArrayLike,
    diffusivity: ArrayLike,
    grid: AbstractGrid,
    *,
    name: str | None = None,
    t: ArrayLike = 0.0,
) -> Float[Array, "*shape"]:
    """The field `s` with `shift s - diffusivity lap s = source`, to round-off of the discrete equation.

    Where nothing fixes the level of the field (no `shift`, and no wall that holds a value), the mean of the source is
    taken off, as on a closed domain nothing else can be solved, and the mean of the field is zero.

    **Arguments:**

    - `source`: cell values [amount / length^d / time].
    - `shift`: not negative, the same everywhere [1 / time].
    - `diffusivity`: positive [length^2 / time].
    - `grid`: the cells, with their boundaries.
    - `name`: the name of the field, by which a wall finds a prescribed value.
    - `t`: time, for wall values that change [time].

    **Returns:** cell values of `s` [amount / length^d].

    **Raises:** `TypeError` for a wall at which the field is neither mirrored nor fixed, and for another kind of grid.
    """
    walls = diffusion(jnp.zeros_like(source), diffusivity, grid, name=name, t=t)
    return inverse(source + walls, shift, diffusivity, grid, name=name)


def inverse(
    rate: Float[Array, "*shape"],
    shift: ArrayLike,
    diffusivity: ArrayLike,
    grid: AbstractGrid,
    *,
    name: str | None = None,
) -> Float[Array, "*shape"]:
    """As `helmholtz`, with zero at the walls that prescribe a value.

    **Raises:** as `helmholtz`.
    """
    if isinstance(grid, Grid):

        def factor(q: Array) -> Array:
            # The inner `where` keeps 1/0 out of the derivative of the branch that is not taken.
            total = shift + diffusivity * q
            return jnp.where(total > 0, 1 / jnp.where(total > 0, total, 1), 0)

        return of_laplacian(factor, rate, grid, name=name)
    if isinstance(grid, RadialGrid):
        check_reflects(grid)
        numbers = jnp.asarray(shift, rate.dtype), jnp.asarray(diffusivity, rate.dtype)
        return _on_shells(rate, *numbers, grid, grid.closed(0, name)[1])
    raise TypeError(f"`grid` must be a Grid or a RadialGrid, got {grid!r}.")


def _on_shells(rate: Array, shift: Array, diffusivity: Array, grid: RadialGrid, closed: bool) -> Array:
    import lineax

    conductance = jnp.asarray(grid.areas / grid.face_distance(0), rate.dtype)
    # The centre is a mirror. The wall is half as far from the last centre as the ghost behind it.
    conductance = conductance.at[0].set(0.0).at[-1].multiply(0.0 if closed else 2.0)
    volumes = grid.volumes.astype(rate.dtype)
    inner = -diffusivity * conductance[1:-1]
    diagonal = shift * volumes + diffusivity * (conductance[:-1] + conductance[1:])
    amount = rate * volumes
    if closed:
        # Without a shift all levels would do: the mean of the source is taken off and the last cell set to zero, which
        # changes nothing else. Then the mean is.
        level = shift <= 0
        amount = amount - jnp.where(level, jnp.sum(amount) / jnp.sum(volumes), 0) * volumes
        diagonal = diagonal.at[-1].add(jnp.where(level, -inner[-1], 0))
    operator = lineax.TridiagonalLinearOperator(diagonal, inner, inner)
    solved = lineax.linear_solve(operator, amount, lineax.Tridiagonal(), throw=False).value
    if closed:
        solved = solved - jnp.where(shift <= 0, jnp.sum(solved * volumes) / jnp.sum(volumes), 0)
    return solved.astype(rate.dtype)
