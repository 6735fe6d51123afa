"""Face fluxes: exponentially fitted transport that conserves mass and keeps densities positive at any cell Peclet number."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo.domain import AbstractGrid, Grid
from jaxchemo.fields.bernoulli import bernoulli_pair


def _identity(value: Array) -> Array:
    return value


class Drift(NamedTuple):
    """One cause of drift: the velocity `crowding(density) * grad potential`.

    **Arguments:**

    - `potential`: chemotactic potential in each cell [length^2 / time].
    - `name`: the signal that the potential is a function of; a wall that prescribes it looks its value up by this name.
    - `transform`: that function, from the signal to the potential. Default: the potential is the signal.
    - `crowding`: factor on the drift [dimensionless] as a function of density, taken at faces as the mean of the two
      cells. Default `None`: no crowding.
    """

    potential: Float[Array, "..."]
    name: str | None = None
    transform: Callable[[Array], Array] = _identity
    crowding: Callable[[Array], Array | float] | None = None


def fitted_flux(
    below: Float[Array, "*faces"],
    above: Float[Array, "*faces"],
    w: Float[Array, "*faces"],
    conductance: ArrayLike,
) -> Float[Array, "*faces"]:
    """Scharfetter-Gummel flux through faces [density x length / time], positive upwards.

    Exact for constant flux between two centres, so zero to round-off where `density = exp(potential / D)`. Centred
    differences for small `w`, upwind for large (Scharfetter and Gummel 1969).

    **Arguments:**

    - `below`, `above`: density in the cells on the two sides [density].
    - `w`: potential above minus potential below, over the diffusivity D [dimensionless].
    - `conductance`: D over the distance of the two centres [length / time].
    """
    into_below, into_above = bernoulli_pair(w)
    return conductance * (into_above * below - into_below * above)


def drift_diffusion(
    density: Float[Array, "*shape"],
    mobility: ArrayLike,
    grid: AbstractGrid,
    drifts: Sequence[Drift] = (),
    *,
    name: str | None = None,
    t: ArrayLike = 0.0,
) -> Float[Array, "*shape"]:
    """`div(D grad rho - rho V)` with `V = sum crowding * grad potential`, by fitted fluxes: d rho/dt of transport alone.

    The sum over cells times their volumes vanishes to round-off unless a wall is open.

    **Arguments:**

    - `density`: rho [amount / length^d].
    - `mobility`: D, positive: one number, or one per cell (arithmetic mean at faces) [length^2 / time].
    - `grid`: the cells, with their boundaries.
    - `drifts`: the causes of drift; their velocities add up. Default: none, plain diffusion.
    - `name`: the name of the density, by which a wall finds a prescribed value.
    - `t`: time, for wall values that change [time].
    """
    rate = jnp.zeros_like(density)
    for axis in range(density.ndim):
        below, above = _sides(grid.pad(density, axis, name=name, t=t), axis)
        conductance = _at_faces(mobility, grid, axis) / grid.face_distance(axis)
        if drifts:
            flux = fitted_flux(below, above, _peclet(density, mobility, grid, drifts, axis, name, t), conductance)
        else:
            flux = conductance * (below - above)
        rate = rate - grid.divergence(flux, axis)
    return rate


def diffusion(
    field: Float[Array, "*shape"],
    diffusivity: ArrayLike,
    grid: AbstractGrid,
    *,
    name: str | None = None,
    t: ArrayLike = 0.0,
) -> Float[Array, "*shape"]:
    """`div(D grad field)`; the arguments are those of `drift_diffusion`."""
    return drift_diffusion(field, diffusivity, grid, name=name, t=t)


def outflow_rate(
    density: Float[Array, "*shape"],
    mobility: ArrayLike,
    grid: AbstractGrid,
    drifts: Sequence[Drift] = (),
    *,
    name: str | None = None,
    t: ArrayLike = 0.0,
) -> Float[Array, "*shape"]:
    """Rate at which a cell loses what it holds through its faces [1 / time]; the arguments are those of `drift_diffusion`.

    An explicit Euler step of `drift_diffusion` keeps every density non-negative while `dt * max(outflow_rate) <= 1`.
    """
    rate = jnp.zeros_like(density)
    for axis in range(density.ndim):
        conductance = _at_faces(mobility, grid, axis) / grid.face_distance(axis)
        w = _peclet(density, mobility, grid, drifts, axis, name, t) if drifts else _sides_like(density, axis)
        down, up = (conductance * weight for weight in bernoulli_pair(w))
        down, up = _own_walls(down, up, density, grid, axis, name, t)
        # A divergence takes the difference of a cell's two faces. With what leaves upwards on every other face and minus
        # what leaves downwards on the rest, it is their sum: right in every other cell, and in the rest the other way round.
        shape = [1] * density.ndim
        shape[axis] = -1
        odd = (jnp.arange(density.shape[axis] + 1) % 2 == 1).reshape(shape)
        even_cells = grid.divergence(jnp.where(odd, up, -down), axis)
        odd_cells = grid.divergence(jnp.where(odd, -down, up), axis)
        rate = rate + jnp.where(jax.lax.slice_in_dim(odd, 0, -1, axis=axis), odd_cells, even_cells)
    return rate


def _sides(padded: Array, axis: int) -> tuple[Array, Array]:
    """What is below and above each face."""
    return jax.lax.slice_in_dim(padded, 0, -1, axis=axis), jax.lax.slice_in_dim(padded, 1, None, axis=axis)


def _sides_like(density, axis):
    shape = list(density.shape)
    shape[axis] += 1
    return jnp.zeros(shape, density.dtype)


def _at_faces(values: ArrayLike, grid: AbstractGrid, axis: int) -> Array:
    """Mean of the two cells of each face; beyond a wall, a cell's own value."""
    values = jnp.asarray(values)
    if values.ndim == 0:
        return values
    ends = "wrap" if isinstance(grid, Grid) and grid.periodic[axis] else "edge"
    widths = [(int(i == axis), int(i == axis)) for i in range(values.ndim)]
    below, above = _sides(jnp.pad(values, widths, mode=ends), axis)
    return 0.5 * (below + above)


def _peclet(density, mobility, grid, drifts, axis, name, t) -> Array:
    """Potential difference across each face over the mobility there: the cell Peclet number."""
    total = 0.0
    for potential, signal, transform, crowding in drifts:
        below, above = _sides(grid.pad(potential, axis, name=signal, t=t, transform=transform), axis)
        factor = 1.0 if crowding is None else crowding(density)
        if jnp.ndim(factor):
            low, high = _sides(grid.pad(factor, axis, name=name, t=t, transform=crowding), axis)
            factor = 0.5 * (low + high)
        total = total + factor * (above - below)
    return total / _at_faces(mobility, grid, axis)


def _own_walls(down, up, density, grid, axis, name, t):
    """At a wall the ghost depends on the cell itself, and what comes back from it is not lost."""
    n = density.shape[axis]

    def share(cell, ghost):
        own = jnp.zeros_like(density).at[(slice(None),) * axis + (cell,)].set(1)
        tangent = jax.jvp(lambda u: grid.pad(u, axis, name=name, t=t), (density,), (own,))[1]
        return jax.lax.index_in_dim(tangent, ghost, axis, keepdims=False)

    first, last = (slice(None),) * axis + (0,), (slice(None),) * axis + (n,)
    low, high = share(0, 0), share(n - 1, n + 1)
    return down.at[first].add(-low * up[first]), up.at[last].add(-high * down[last])
