"""Transport between cells by face fluxes, with exact mass: rates of change, and what bounds a step."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Int

from jaxchemo._numerics import cut
from jaxchemo.domain import AbstractGrid, Grid
from jaxchemo.domain.boundary import identity
from jaxchemo.fields.face_fluxes import AbstractFlux, Bounding, ScharfetterGummel


class Drift(NamedTuple):
    """One cause of drift: the velocity `crowding(density) * limit(|grad potential|) * grad potential`.

    **Arguments:**

    - `potential`: chemotactic potential in each cell [length^2 / time].
    - `name`: the signal that the potential is a function of; a wall that prescribes it looks its value up by this name.
    - `transform`: that function, from the signal to the potential. Default: the potential is the signal.
    - `crowding`: factor on the drift [dimensionless] as a function of density, taken at faces as the mean of the two
      cells. Default `None`: no crowding.
    - `limit`: factor on the drift as a function of its speed [dimensionless]; across a face, the speed along it is the
      root mean square of the two cells. Default `None`: no limit.

    >>> from jaxchemo.fields import Drift, drift_diffusion
    >>> grid, up = jc.Grid.box((0,), (1,), (4,)), Drift(potential=jnp.arange(4.0))  # a velocity of 4
    >>> rate = jax.jit(lambda density: drift_diffusion(density, 1.0, grid, [up]))(jnp.ones(4))
    >>> rate.round(3).tolist()  # closed walls: from the lowest cell into the highest
    [-16.0, 0.0, 0.0, 16.0]
    """

    potential: Float[Array, "..."]
    name: str | None = None
    transform: Callable[[Array], Array] = identity
    crowding: Callable[[Array], Array | float] | None = None
    limit: Callable[[Array], Array | float] | None = None


def fitted_flux(
    below: Float[Array, "*faces"],
    above: Float[Array, "*faces"],
    w: Float[Array, "*faces"],
    conductance: Float[Array, "..."] | float,
) -> Float[Array, "*faces"]:
    """Scharfetter-Gummel flux through faces, positive upwards [density x length / time].

    `(D / distance) (B(-w) below - B(w) above)`, see `ScharfetterGummel`.

    **Arguments:**

    - `below`, `above`: density in the cells on the two sides.
    - `w`: potential above minus potential below, over the diffusivity D [dimensionless].
    - `conductance`: D over the distance of the two centres [length / time].
    """
    return conductance * ScharfetterGummel().across(below, above, w)


def drift_diffusion(
    density: Float[Array, "*shape"],
    mobility: ArrayLike,
    grid: AbstractGrid,
    drifts: Sequence[Drift] = (),
    *,
    name: str | None = None,
    t: ArrayLike = 0.0,
    flux: AbstractFlux = ScharfetterGummel(),
) -> Float[Array, "*shape"]:
    """`div(D grad rho - rho V)` with `V = sum crowding * grad potential`, by fluxes through faces.

    The sum over cells times their volumes vanishes to round-off unless a wall is open.

    **Arguments:**

    - `density`: rho [amount / length^d].
    - `mobility`: D: one positive number, or one per cell, not negative (arithmetic mean at faces) [length^2 / time].
    - `grid`: the cells, with their boundaries.
    - `drifts`: the causes of drift; their velocities add up. Default: none, plain diffusion.
    - `name`: the name of the density, by which a wall finds a prescribed value.
    - `t`: time, for wall values that change [time].
    - `flux`: the flux between two cells. Default: the exponentially fitted one.

    **Returns:** the rate of change in each cell [amount / length^d / time].
    """
    rate = jnp.zeros_like(density)
    for axis in range(density.ndim):
        rate = rate - _outflow(density, mobility, grid, drifts, axis, name, t, density, flux)
    return rate


def diffusion(
    field: Float[Array, "*shape"],
    diffusivity: ArrayLike,
    grid: AbstractGrid,
    *,
    name: str | None = None,
    t: ArrayLike = 0.0,
) -> Float[Array, "*shape"]:
    """`div(D grad field)` [unit of the field / time]; the arguments are those of `drift_diffusion`."""
    return drift_diffusion(field, diffusivity, grid, name=name, t=t)


def outflow_rate(
    density: Float[Array, "*shape"],
    mobility: ArrayLike,
    grid: AbstractGrid,
    drifts: Sequence[Drift] = (),
    *,
    name: str | None = None,
    t: ArrayLike = 0.0,
    flux: AbstractFlux = ScharfetterGummel(),
) -> Float[Array, "*shape"]:
    """Rate at which each cell loses what it holds through its faces [1 / time].

    An explicit Euler step of `drift_diffusion` keeps every density non-negative while `dt * max(outflow_rate) <= 1`,
    with a flux that is not positive only where cell Peclet numbers allow it; beyond, the rate is raised so that the
    step is stable. The arguments are those of `drift_diffusion`.
    """
    bounding = flux if flux.positive else Bounding(flux)
    return _drained(density, mobility, grid, drifts, name, t, bounding)


def drift_rate(
    density: Float[Array, "*shape"],
    mobility: ArrayLike,
    grid: AbstractGrid,
    drifts: Sequence[Drift] = (),
    *,
    name: str | None = None,
    t: ArrayLike = 0.0,
    flux: AbstractFlux = ScharfetterGummel(),
) -> Float[Array, "*shape"]:
    """As `outflow_rate`, by drift alone: what bounds a step where diffusion is solved for [1 / time]."""
    if not flux.positive:
        drifting = Bounding(flux, drift_only=True)
        return _drained(density, mobility, grid, drifts, name, t, drifting) if drifts else jnp.zeros_like(density)
    with_drift = _drained(density, mobility, grid, drifts, name, t, flux)
    return with_drift - _drained(density, mobility, grid, [], name, t, flux)


def _drained(density, mobility, grid: AbstractGrid, drifts, name, t, flux: AbstractFlux) -> Array:
    """Rate at which each cell loses what it holds by a flux: the diagonal of a linear operator."""
    rate = jnp.zeros_like(density)
    for axis, n in enumerate(density.shape):
        # Colour the cells so that neighbours differ, also around a ring, fill one colour at a time, and look how fast
        # it drains. Walls that mirror or prescribe the density are then in it.
        colors = jnp.where((jnp.arange(n) == n - 1) & (n % 2 == 1), 2, jnp.arange(n) % 2)
        filled = (colors == jnp.arange(3)[:, None]).reshape([3] + [n if i == axis else 1 for i in range(density.ndim)])
        filled = jnp.broadcast_to(filled, (3, *density.shape)).astype(density.dtype)
        outflow = functools.partial(_outflow, density, mobility, grid, drifts, axis, name, t, flux=flux)
        drained = jax.vmap(lambda tangent, outflow=outflow: jax.jvp(outflow, (density,), (tangent,))[1])(filled)
        rate = rate + jnp.sum(filled * drained, axis=0)
    return rate


def convergence(
    density: Float[Array, "*shape"],
    grid: AbstractGrid,
    drifts: Sequence[Drift],
    place: tuple[Int[Array, ""], ...],
    *,
    name: str | None = None,
    t: ArrayLike = 0.0,
) -> Float[Array, ""]:
    """`-div V` in one cell: how fast a drift draws an even density together there [1 / time].

    `place` is the index of the cell; the other arguments are those of `drift_diffusion`.
    """
    drawn = jnp.zeros((), density.dtype)
    whole = any(cause.limit is not None for cause in drifts)  # a limit looks at the slopes along the faces as well
    for axis in range(density.ndim):

        def line(field: Array, axis: int = axis) -> Array:
            start = [0 if i == axis else k for i, k in enumerate(place)]
            return lax.dynamic_slice(field, start, [n if i == axis else 1 for i, n in enumerate(field.shape)])

        seen, here = density, place
        causes = list(drifts)
        if not whole:
            seen, here = line(density), tuple(k if i == axis else 0 for i, k in enumerate(place))
            causes = [cause._replace(potential=line(cause.potential)) for cause in drifts]
        drawn = drawn - _outflow(seen, 1.0, grid, causes, axis, name, t, None)[here]
    return drawn


def _outflow(density, mobility, grid: AbstractGrid, drifts, axis: int, name, t, carried, flux: Any = None) -> Array:
    """Outflow per volume, along one axis, of a density `carried` by the drift and diffusivity at `density`.

    `carried=None` is a unit density that only drifts, for which no `flux` is needed.
    """
    mobility = jnp.asarray(mobility)
    distance = jnp.asarray(grid.face_distance(axis), density.dtype)
    # One mobility for all cells multiplies what they hold, and divides the potentials: its gradient is then two sums
    # over cells, not over the faces of every axis. Half the time of the whole gradient in 3D.
    shared = mobility.ndim == 0
    scale = mobility if shared else 1.0

    square = [_speed_along(cause, grid, axis, t) if cause.limit is not None else None for cause in drifts]

    def passing(faces, distance) -> Array:
        diffusivity = 1.0 if shared else faces.mean(mobility)
        if not drifts:
            below, above = faces.sides(scale * carried, name, lambda value: scale * value)
            return diffusivity / distance * (below - above)
        rise: Any = 0.0
        for cause, along in zip(drifts, square, strict=True):
            transform = cause.transform
            low, high = faces.sides(cause.potential / scale, cause.name, lambda s, f=transform: f(s) / scale)
            factor = 1.0 if cause.crowding is None else faces.mean(jnp.asarray(cause.crowding(density)))
            if cause.limit is not None:
                across = (scale * (high - low) / distance) ** 2
                # So small that no speed notices; a root has no derivative at zero.
                factor = factor * cause.limit(jnp.sqrt(across + faces.mean(along) + jnp.finfo(across.dtype).tiny))
            rise = rise + factor * (high - low)
        if carried is None:
            return scale * rise / distance
        below, above = faces.sides(scale * carried, name, lambda value: scale * value)
        if not shared:
            # Where cells hardly diffuse, fitted fluxes go upwind, as they do at a thousandth of the drift: so nothing
            # is divided by zero, and nothing changes. Others gain a diffusivity of a thousandth of the drift times a
            # cell, where upwind has half of it anyway. A root, because derivatives divide by the square.
            still = jnp.finfo(below.dtype).tiny ** 0.5
            diffusivity = jnp.maximum(diffusivity, jnp.abs(rise) / 1000) + still
        w, conductance = rise / diffusivity, diffusivity / distance
        return conductance * flux.across(below, above, w)

    # Inner faces read their two cells from slices, and only walls that are not closed need ghosts. To pad whole arrays
    # first is shorter, and five times slower on XLA's CPU backend: it fuses the pad into the flux and no longer
    # vectorises it. Six fluxes per cell in one pass, rolled arrays and a concatenation with the walls also lost.
    inside = passing(_Inside(axis), distance[1:-1] if distance.ndim else distance)
    total = jnp.pad(inside, [(int(i == axis),) * 2 for i in range(inside.ndim)])
    closed = grid.closed(axis, name)
    if not all(closed):
        walls = _Walls(axis, grid, t)
        reach = (distance[jnp.array((0, -1))] if distance.ndim else distance) * (1.0 if walls.ring else 0.5)
        walls = passing(walls, reach)
        for end, place in ((0, 0), (1, total.shape[axis] - 1)):
            if not closed[end]:
                wall = cut(walls, axis, end, end + 1)
                total = lax.dynamic_update_slice_in_dim(total, wall, place, axis)
    return grid.divergence(total, axis)


def _speed_along(cause: Drift, grid: AbstractGrid, axis: int, t: ArrayLike) -> Array:
    """Square of the gradient of a potential along the faces of an axis, in each cell."""
    total = jnp.zeros_like(cause.potential)
    for other in range(total.ndim):
        if other != axis:
            padded = grid.pad(cause.potential, other, name=cause.name, t=t, transform=cause.transform)
            rise = cut(padded, other, 2, None) - cut(padded, other, None, -2)
            total = total + (rise / (2 * jnp.asarray(grid.face_distance(other), total.dtype))) ** 2
    return total


class _Inside(NamedTuple):
    """The faces of an axis that lie between two cells."""

    axis: int

    def sides(self, cells, name=None, transform=identity) -> tuple[Array, Array]:
        """Values below and above each face."""
        return cut(cells, self.axis, None, -1), cut(cells, self.axis, 1, None)

    def mean(self, cells: Array) -> Array:
        """Mean of the cells below and above each face; one number is its own mean."""
        if not cells.ndim:
            return cells
        below, above = self.sides(cells)
        return 0.5 * (below + above)


class _Walls(NamedTuple):
    """The two end faces of an axis, where one side is a ghost."""

    axis: int
    grid: AbstractGrid
    t: ArrayLike

    @property
    def ring(self) -> bool:
        """Whether the two ends are one face."""
        return isinstance(self.grid, Grid) and self.grid.periodic[self.axis]

    def sides(self, cells, name=None, transform=identity) -> tuple[Array, Array]:
        """Values below and above each face: two cells on a ring, else the last cell and the wall half a cell away."""
        # No boundary looks further than two cells from its ends.
        ends = jnp.concatenate([cut(cells, self.axis, None, 2), cut(cells, self.axis, -2, None)], self.axis)
        padded = self.grid.pad(ends, self.axis, name=name, t=self.t, transform=transform)
        ghost, first, last, beyond = (jnp.take(padded, jnp.array([k]), self.axis) for k in (0, 1, 4, 5))
        if not self.ring:
            # Fitted between the cell and the wall: between the cell and its ghost, the flux would carry the ghost's
            # negative density with the drift, and an absorbing wall would drain cells that drift away from it.
            ghost, beyond = 0.5 * (ghost + first), 0.5 * (last + beyond)
        return jnp.concatenate([ghost, last], self.axis), jnp.concatenate([first, beyond], self.axis)

    def mean(self, cells: Array) -> Array:
        """Mean of the cells below and above each face: of one and the same cell at a wall, of both ends on a ring."""
        if not cells.ndim:
            return cells
        ends = jnp.take(cells, jnp.array((0, -1)), self.axis)
        return 0.5 * (ends + jnp.flip(ends, self.axis)) if self.ring else ends
