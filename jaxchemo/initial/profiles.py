"""Initial conditions given by formulas: bumps, rings, balls, uniform fields, sums, and a user's own function."""

import math
from collections.abc import Callable, Iterator

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, logsumexp, ndtri
from jaxtyping import Array, Bool, Float

from jaxchemo import _checks
from jaxchemo.domain import AbstractGrid, FreeSpace, Grid
from jaxchemo.initial import truncated
from jaxchemo.initial.conditions import AbstractProfile, box, cells, in_cells
from jaxchemo.initial.sized import AbstractSized, Size


class Gaussian(AbstractSized):
    """A Gaussian bump, `height * exp(-|x - center|^2 / (2 std^2))`; see `gaussian`."""

    size: Size
    center: Float[Array, "..."]
    std: Float[Array, "..."]

    def volume(self, ndim):
        return (2 * math.pi) ** (ndim / 2) * jnp.prod(jnp.broadcast_to(self.std, (ndim,)))

    def __call__(self, x):
        height = self.size.height(self.volume(x.shape[-1]))
        return height * jnp.exp(-0.5 * jnp.sum(((x - self.center) / self.std) ** 2, axis=-1))

    def log_value(self, x):
        height = self.size.height(self.volume(x.shape[-1]))
        return jnp.log(height) - 0.5 * jnp.sum(((x - self.center) / self.std) ** 2, axis=-1)

    def on_grid(self, grid):
        return grid.average(self)

    def mass_in(self, grid):
        whole = self.size.mass(self.volume(grid.ndim))
        if isinstance(grid, Grid):
            return whole * jnp.prod(truncated.share(*self._walls(grid)))
        return whole if isinstance(grid, FreeSpace) else super().mass_in(grid)

    def place(self, u, grid):
        z = truncated.quantile(u, *self._walls(grid)) if isinstance(grid, Grid) else ndtri(u)
        return self.center + self.std * z

    def _walls(self, grid: Grid) -> tuple[Array, Array]:
        """The two ends of each axis, in standard deviations from the centre."""
        low, high = ((jnp.array(wall) - self.center) / self.std for wall in (grid.lower, grid.upper))
        return low, high

    @property
    def finest(self):
        return jnp.min(self.std)

    @property
    def smooth(self):
        return True

    def check(self, name, grid):
        _check_lengths(name, grid, center=self.center, std=self.std)


class Ring(AbstractSized):
    """A ring (2D) or torus tube (3D) with a Gaussian cross-section; see `ring`."""

    size: Size
    center: Float[Array, "..."]
    radius: Float[Array, ""]
    width: Float[Array, ""]
    axis: int = eqx.field(static=True)

    def _split(self, x: Array) -> tuple[Array, Array]:
        """Squared distance from the ring's axis, and height above its plane (zero in 2D)."""
        y = x - self.center
        if y.shape[-1] == 2:
            return jnp.sum(y**2, axis=-1), jnp.zeros_like(y[..., 0])
        # Not the whole square less that of the height: near the axis that is round-off, and may be negative.
        across = jnp.delete(y, self.axis, axis=-1)
        return jnp.sum(across**2, axis=-1), y[..., self.axis]

    def _cumulative(self, s: Array) -> Array:
        """Integral of `r exp(-(r - radius)^2 / (2 width^2))` over `0 < r < s`."""
        w, k = self.width, math.sqrt(2)
        edge = w**2 * (jnp.exp(-((self.radius / w) ** 2) / 2) - jnp.exp(-(((s - self.radius) / w) ** 2) / 2))
        bulk = self.radius * w * math.sqrt(math.pi / 2)
        return edge + bulk * (erf((s - self.radius) / (k * w)) + erf(self.radius / (k * w)))

    def volume(self, ndim):
        tube = 1.0 if ndim == 2 else math.sqrt(2 * math.pi) * self.width
        return 2 * math.pi * tube * self._cumulative(self.radius + 20 * self.width)

    def __call__(self, x):
        flat, z = self._split(x)
        # The distance itself has no gradient on the axis; there the field is flat, and zero is the right answer.
        on_axis = flat == 0
        s = jnp.where(on_axis, 0, jnp.sqrt(jnp.where(on_axis, 1, flat)))
        height = self.size.height(self.volume(x.shape[-1]))
        return height * jnp.exp(-((s - self.radius) ** 2 + z**2) / (2 * self.width**2))

    def on_grid(self, grid):
        return grid.average(self)

    def fits(self, grid):
        reach = jnp.full(grid.ndim, self.radius + 6 * self.width)
        if grid.ndim == 3:
            reach = reach.at[self.axis].set(6 * self.width)
        return _within(self.center, reach, grid)

    def place(self, u, grid):
        # The quantile has no formula: it is interpolated in a table of the distribution of distances from the axis.
        nodes = jnp.linspace(jnp.maximum(self.radius - 7 * self.width, 0), self.radius + 7 * self.width, 2048)
        table = self._cumulative(nodes)
        s = jnp.interp(table[0] + u[:, 0] * (table[-1] - table[0]), table, nodes)
        angle = 2 * math.pi * u[:, 1]
        flat = [s * jnp.cos(angle), s * jnp.sin(angle)]
        if grid.ndim == 3:
            flat.insert(self.axis, self.width * ndtri(u[:, 2]))
        return self.center + jnp.stack(flat, axis=1)

    @property
    def overflows(self):
        return True

    @property
    def finest(self):
        return self.width

    def check(self, name, grid):
        """**Raises:** `ValueError` for a domain of another kind or dimension."""
        if grid.ndim not in (2, 3) or not isinstance(grid, Grid | FreeSpace):
            raise ValueError(f"`{name}`: a ring lives on a Grid in 2 or 3 dimensions or in FreeSpace, not on {grid!r}.")
        _check_lengths(name, grid, center=self.center)


class Ball(AbstractSized):
    """A constant inside a ball and zero outside; see `ball`."""

    size: Size
    center: Float[Array, "..."]
    radius: Float[Array, ""]

    def volume(self, ndim):
        return math.pi ** (ndim / 2) / math.gamma(ndim / 2 + 1) * self.radius**ndim

    def __call__(self, x):
        height = self.size.height(self.volume(x.shape[-1]))
        return jnp.where(jnp.sum((x - self.center) ** 2, axis=-1) <= self.radius**2, height, 0.0)

    def on_grid(self, grid):
        average = grid.average(self)
        if not self.size.is_mass:
            return average
        # A few points tell little of a cell that the edge cuts, and the mass would be off by a percent; it is put right
        # where the whole ball lies in the domain.
        total = grid.integrate(average)
        return average * jnp.where(self.fits(grid) & (total > 0), self.size.value / jnp.where(total > 0, total, 1), 1)

    def fits(self, grid):
        return _within(self.center, self.radius, grid)

    def place(self, u, grid):
        # A normal vector has no preferred direction; a share u of the ball lies within its radius times u^(1/d).
        direction = ndtri(u[:, 1:])
        direction = direction / jnp.linalg.norm(direction, axis=1, keepdims=True)
        return self.center + self.radius * u[:, :1] ** (1 / grid.ndim) * direction

    def uniforms(self, ndim):
        return ndim + 1

    @property
    def overflows(self):
        return True

    @property
    def finest(self):
        return self.radius

    def check(self, name, grid):
        _check_lengths(name, grid, center=self.center)


class Uniform(AbstractProfile):
    """The same value everywhere in the box; see `uniform`."""

    size: Size

    def __call__(self, x):
        if self.size.is_mass:
            raise ValueError(
                "A uniform field given by its mass has no value without a grid: give `amplitude`, its value."
            )
        return jnp.broadcast_to(self.size.value, x.shape[:-1])

    def on_grid(self, grid):
        return jnp.broadcast_to(self.size.height(grid.integrate(jnp.ones(grid.shape))), grid.shape)

    def mass_in(self, grid):
        return self.size.mass(cells(grid).integrate(jnp.ones(cells(grid).shape)))

    def place(self, u, grid):
        grid = box(grid)
        return jnp.array(grid.lower) + u * (jnp.array(grid.upper) - jnp.array(grid.lower))


class Mixture(AbstractProfile):
    """The sum of several profiles; see `mixture`."""

    parts: tuple[AbstractProfile, ...]

    def __call__(self, x):
        return sum((part(x) for part in self.parts[1:]), self.parts[0](x))

    def log_value(self, x):
        return logsumexp(jnp.stack([part.log_value(x) for part in self.parts]), axis=0)

    def on_grid(self, grid):
        return sum((part.on_grid(grid) for part in self.parts[1:]), self.parts[0].on_grid(grid))

    def mass_in(self, grid):
        return sum((part.mass_in(grid) for part in self.parts[1:]), self.parts[0].mass_in(grid))

    def place(self, u, grid):
        # Which part a particle belongs to is decided by the last number, so a gradient in the masses of the parts does
        # not reach the positions; it reaches the total mass.
        # A part that overflows is placed in the whole space, and drawn anew with all others that lie outside.
        space = FreeSpace(grid.ndim)
        share = jnp.stack([jnp.asarray(part.mass_in(space if part.overflows else grid)) for part in self.parts])
        edges = jnp.cumsum(share / share.sum())[:-1]
        which = jnp.searchsorted(edges, u[:, -1], side="right")
        placed = jnp.stack([part.place(u[:, : part.uniforms(grid.ndim)], grid) for part in self.parts])
        return jnp.take_along_axis(placed, which[None, :, None], axis=0)[0]

    @property
    def overflows(self):
        return any(part.overflows for part in self.parts)

    def uniforms(self, ndim):
        return 1 + max(part.uniforms(ndim) for part in self.parts)

    @property
    def finest(self):
        return jnp.min(jnp.stack([jnp.asarray(part.finest, float) for part in self.parts]))

    @property
    def unbounded(self):
        return all(part.unbounded for part in self.parts)

    @property
    def smooth(self):
        return all(part.smooth for part in self.parts)

    def check(self, name, grid):
        for part in self.parts:
            part.check(name, grid)

    def check_values(self, name, grid, *, signed):
        for part in self.parts:
            part.check_values(name, grid, signed=signed)


class Function(AbstractProfile):
    """A user's own function of position; see `function`."""

    f: Callable[[Array], Array]

    def __call__(self, x):
        return self.f(x)

    def on_grid(self, grid):
        return grid.average(self)

    def mass_in(self, grid):
        return cells(grid).integrate(self.on_grid(cells(grid)))

    def place(self, u, grid):
        return in_cells(self.on_grid(box(grid)), u, box(grid))

    def check(self, name, grid):
        _checks.of_points(name, self.f, grid.ndim, "values")

    def check_values(self, name, grid, *, signed):
        """**Raises:** `ValueError` with the first place where the function has such a value."""
        if _checks.compiling():
            return
        for points in _blocks(grid):
            values = self.f(points)
            if not _checks.is_concrete(values):
                return
            values = np.asarray(values)
            bad = ~(np.isfinite(values) if signed else (values >= 0) & np.isfinite(values))
            if bad.any():
                first = np.unravel_index(int(np.argmax(bad)), bad.shape)
                place = ", ".join(f"{x:.6g}" for x in np.asarray(points[first]))
                wanted = "finite" if signed else "finite and not negative"
                raise ValueError(f"`{name}` must be {wanted}, but the function is {values[first]:g} at ({place}).")


def _blocks(grid: AbstractGrid, most: int = 2**20) -> Iterator[Array]:
    """The cell centres of a grid, some `most` at a time."""
    if not isinstance(grid, Grid):
        yield grid.centers
        return
    first, *others = (np.asarray(axis) for axis in grid.axes)  # with numpy there is nothing to compile
    rows = max(1, most // math.prod(grid.shape[1:]))
    for start in range(0, grid.shape[0], rows):
        yield jnp.asarray(np.stack(np.meshgrid(first[start : start + rows], *others, indexing="ij"), axis=-1))


def _within(center: Array, reach: Array, grid: AbstractGrid) -> Bool[Array, ""]:
    """Whether all that is no further than `reach` from the centre, along each axis, lies in the domain."""
    if isinstance(grid, Grid):
        low, high = jnp.array(grid.lower), jnp.array(grid.upper)
    else:  # it holds its centre by definition
        high = jnp.sum(grid.lengths[0])
        low = -high
    return jnp.all((center - reach >= low) & (center + reach <= high))


def _check_lengths(name: str, grid: AbstractGrid | FreeSpace, **values: Array) -> None:
    for key, value in values.items():
        if value.ndim > 0 and value.shape != (grid.ndim,):
            raise ValueError(
                f"`{name}`: {key} has {value.shape[0]} coordinates, but the grid has {grid.ndim} dimensions."
            )
        radial = isinstance(grid, AbstractGrid) and not isinstance(grid, Grid)
        if radial and _checks.is_concrete(value):
            off = np.any(np.asarray(value) != 0) if key == "center" else np.ptp(np.asarray(value)) > 0
            if off:
                raise ValueError(
                    f"`{name}`: only a condition that is symmetric about 0 fits a radial grid, {key}={value}."
                )
