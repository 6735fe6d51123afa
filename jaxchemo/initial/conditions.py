"""Initial conditions: one object is evaluated on a grid, at a point, and sampled as particles."""

import abc
import math
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, ndtri
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.domain import AbstractGrid, Grid
from jaxchemo.initial.points import AbstractPoints, Random


class AbstractInitial(eqx.Module):
    """A non-negative field at the initial time."""

    @abc.abstractmethod
    def on_grid(self, grid: AbstractGrid) -> Float[Array, "*shape"]:
        """Cell averages on a grid."""

    @abc.abstractmethod
    def mass_in(self, grid: AbstractGrid) -> Float[Array, ""]:
        """Its integral [units of the field x length^d]."""

    @abc.abstractmethod
    def place(self, u: Float[Array, "n k"], grid: Grid) -> Float[Array, "n d"]:
        """Points of the unit cube turned into positions whose density is the normalised field."""

    @abc.abstractmethod
    def uniforms(self, ndim: int) -> int:
        """How many uniform numbers `place` takes for a position in `ndim` dimensions."""

    @property
    @abc.abstractmethod
    def finest(self) -> Array | float:
        """Smallest length in it that a grid must resolve [length]; infinity where there is none."""

    def check(self, name: str, grid: AbstractGrid) -> None:
        """Refuses, in words about the argument `name`, a condition that does not fit the grid."""

    def sample(
        self,
        key: PRNGKeyArray,
        n: int,
        grid: Grid,
        points: AbstractPoints = Random(),
    ) -> Float[Array, "n d"]:
        """`n` particle positions in the box of `grid`, each with the field as its density.

        **Arguments:**

        - `key`: random key; with Sobol points it shifts the whole set.
        - `n`: number of particles.
        - `grid`: the box; what falls outside is brought back by its boundaries.
        - `points`: `Random()` (default) or `Sobol()`.
        """
        x = self.place(points(key, n, self.uniforms(grid.ndim)), grid)
        return jnp.stack(grid.fold(tuple(x.T)), axis=1)


class AbstractProfile(AbstractInitial):
    """A field given by a formula, known at every point."""

    @abc.abstractmethod
    def __call__(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch"]:
        """The field at points `x`."""


class AbstractGridded(AbstractInitial):
    """A field known by its cell values only."""

    def mass_in(self, grid):
        return grid.integrate(self.on_grid(grid))

    def place(self, u, grid):
        # Rosenblatt's map of a piecewise constant density: each coordinate by its own conditional distribution, which
        # keeps the evenness of Sobol points and is differentiable in the cell values.
        mass = self.on_grid(grid)
        x, row = [], jnp.zeros(u.shape[0], jnp.int32)
        for axis in range(grid.ndim):
            n = grid.shape[axis]
            share = mass.sum(tuple(range(axis + 1, grid.ndim))).reshape(-1)
            total = jnp.concatenate([jnp.zeros(1, share.dtype), jnp.cumsum(share)])
            start, stop = total[row * n], total[(row + 1) * n]
            target = start + u[:, axis] * (stop - start)
            cell = jnp.clip(jnp.searchsorted(total, target, side="right") - 1, row * n, (row + 1) * n - 1)
            width = jnp.where(share[cell] > 0, share[cell], 1)
            inside = jnp.clip((target - total[cell]) / width, 0, 1)
            x.append(grid.lower[axis] + grid.spacing[axis] * (cell - row * n + inside))
            row = cell
        return jnp.stack(x, axis=1)

    def uniforms(self, ndim):
        return ndim

    @property
    def finest(self):
        return math.inf


class Size(eqx.Module):
    """How much there is of a profile: its integral, or its height."""

    value: Float[Array, ""]
    is_mass: bool = eqx.field(static=True)

    def height(self, volume: Array) -> Array:
        """Height of a profile whose integral is `volume` times its height."""
        return self.value / volume if self.is_mass else self.value

    def mass(self, volume: Array) -> Array:
        """Integral of such a profile."""
        return self.value if self.is_mass else self.value * volume


class Gaussian(AbstractProfile):
    """A Gaussian bump, `height * exp(-|x - center|^2 / (2 std^2))`; see `gaussian`."""

    size: Size
    center: Float[Array, "..."]
    std: Float[Array, "..."]

    def _volume(self, ndim: int) -> Array:
        return (2 * math.pi) ** (ndim / 2) * jnp.prod(jnp.broadcast_to(self.std, (ndim,)))

    def __call__(self, x):
        height = self.size.height(self._volume(x.shape[-1]))
        return height * jnp.exp(-0.5 * jnp.sum(((x - self.center) / self.std) ** 2, axis=-1))

    def on_grid(self, grid):
        return grid.average(self)

    def mass_in(self, grid):
        return self.size.mass(self._volume(grid.ndim))

    def place(self, u, grid):
        return self.center + self.std * ndtri(u)

    def uniforms(self, ndim):
        return ndim

    @property
    def finest(self):
        return jnp.min(self.std)

    def check(self, name, grid):
        _check_lengths(name, grid, center=self.center, std=self.std)


class Ring(AbstractProfile):
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
        flat = jnp.sum(y**2, axis=-1) - y[..., self.axis] ** 2
        return flat, y[..., self.axis]

    def _cumulative(self, s: Array) -> Array:
        """Integral of `r exp(-(r - radius)^2 / (2 width^2))` over `0 < r < s`."""
        w, k = self.width, math.sqrt(2)
        edge = w**2 * (jnp.exp(-((self.radius / w) ** 2) / 2) - jnp.exp(-(((s - self.radius) / w) ** 2) / 2))
        bulk = self.radius * w * math.sqrt(math.pi / 2)
        return edge + bulk * (erf((s - self.radius) / (k * w)) + erf(self.radius / (k * w)))

    def _volume(self, ndim: int) -> Array:
        tube = 1.0 if ndim == 2 else math.sqrt(2 * math.pi) * self.width
        return 2 * math.pi * tube * self._cumulative(self.radius + 20 * self.width)

    def __call__(self, x):
        flat, z = self._split(x)
        # The distance itself has no gradient on the axis; there the field is flat, and zero is the right answer.
        on_axis = flat == 0
        s = jnp.where(on_axis, 0, jnp.sqrt(jnp.where(on_axis, 1, flat)))
        height = self.size.height(self._volume(x.shape[-1]))
        return height * jnp.exp(-((s - self.radius) ** 2 + z**2) / (2 * self.width**2))

    def on_grid(self, grid):
        return grid.average(self)

    def mass_in(self, grid):
        return self.size.mass(self._volume(grid.ndim))

    def place(self, u, grid):
        nodes = jnp.linspace(jnp.maximum(self.radius - 7 * self.width, 0), self.radius + 7 * self.width, 2048)
        table = self._cumulative(nodes)
        s = jnp.interp(table[0] + u[:, 0] * (table[-1] - table[0]), table, nodes)
        angle = 2 * math.pi * u[:, 1]
        flat = [s * jnp.cos(angle), s * jnp.sin(angle)]
        if grid.ndim == 3:
            flat.insert(self.axis, self.width * ndtri(u[:, 2]))
        return self.center + jnp.stack(flat, axis=1)

    def uniforms(self, ndim):
        return ndim

    @property
    def finest(self):
        return self.width

    def check(self, name, grid):
        if grid.ndim not in (2, 3) or not isinstance(grid, Grid):
            raise ValueError(f"`{name}`: a ring lives on a Grid in 2 or 3 dimensions, the grid is {grid!r}.")
        _check_lengths(name, grid, center=self.center)


class Ball(AbstractProfile):
    """A constant inside a ball and zero outside; see `ball`."""

    size: Size
    center: Float[Array, "..."]
    radius: Float[Array, ""]

    def _volume(self, ndim: int) -> Array:
        return math.pi ** (ndim / 2) / math.gamma(ndim / 2 + 1) * self.radius**ndim

    def __call__(self, x):
        height = self.size.height(self._volume(x.shape[-1]))
        return jnp.where(jnp.sum((x - self.center) ** 2, axis=-1) <= self.radius**2, height, 0.0)

    def on_grid(self, grid):
        average = grid.average(self)
        if not self.size.is_mass:
            return average
        # A few points tell little of a cell that the edge cuts, and the mass would be off by a percent; it is put right
        # where the whole ball lies in the domain. (A radial grid holds its centre by definition.)
        center = jnp.broadcast_to(self.center, (grid.ndim,))
        if isinstance(grid, Grid):
            low, high = jnp.array(grid.lower), jnp.array(grid.upper)
        else:
            high = jnp.sum(grid.lengths[0])
            low = -high
        fits = jnp.all((center - self.radius >= low) & (center + self.radius <= high))
        total = grid.integrate(average)
        return average * jnp.where(fits & (total > 0), self.size.value / jnp.where(total > 0, total, 1), 1)

    def mass_in(self, grid):
        return self.size.mass(self._volume(grid.ndim))

    def place(self, u, grid):
        direction = ndtri(u[:, 1:])
        direction = direction / jnp.linalg.norm(direction, axis=1, keepdims=True)
        return self.center + self.radius * u[:, :1] ** (1 / grid.ndim) * direction

    def uniforms(self, ndim):
        return ndim + 1

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
        return self.size.mass(grid.integrate(jnp.ones(grid.shape)))

    def place(self, u, grid):
        return jnp.array(grid.lower) + u * (jnp.array(grid.upper) - jnp.array(grid.lower))

    def uniforms(self, ndim):
        return ndim

    @property
    def finest(self):
        return math.inf


class Mixture(AbstractProfile):
    """The sum of several profiles; see `mixture`."""

    parts: tuple[AbstractProfile, ...]

    def __call__(self, x):
        return sum((part(x) for part in self.parts[1:]), self.parts[0](x))

    def on_grid(self, grid):
        return sum((part.on_grid(grid) for part in self.parts[1:]), self.parts[0].on_grid(grid))

    def mass_in(self, grid):
        return sum((part.mass_in(grid) for part in self.parts[1:]), self.parts[0].mass_in(grid))

    def place(self, u, grid):
        # Which part a particle belongs to is decided by the last number, so a gradient in the masses of the parts does
        # not reach the positions; it reaches the total mass.
        share = jnp.stack([jnp.asarray(part.mass_in(grid)) for part in self.parts])
        edges = jnp.cumsum(share / share.sum())[:-1]
        which = jnp.searchsorted(edges, u[:, -1], side="right")
        placed = jnp.stack([part.place(u[:, : part.uniforms(grid.ndim)], grid) for part in self.parts])
        return jnp.take_along_axis(placed, which[None, :, None], axis=0)[0]

    def uniforms(self, ndim):
        return 1 + max(part.uniforms(ndim) for part in self.parts)

    @property
    def finest(self):
        return jnp.min(jnp.stack([jnp.asarray(part.finest, float) for part in self.parts]))

    def check(self, name, grid):
        for part in self.parts:
            part.check(name, grid)


class Function(AbstractProfile):
    """A user's own function of position; see `function`."""

    f: Callable[[Array], Array]

    def __call__(self, x):
        return self.f(x)

    def on_grid(self, grid):
        return grid.average(self)

    def mass_in(self, grid):
        return grid.integrate(self.on_grid(grid))

    def place(self, u, grid):
        return FromArray(self.on_grid(grid)).place(u, grid)

    def uniforms(self, ndim):
        return ndim

    @property
    def finest(self):
        return math.inf

    def check(self, name, grid):
        points = jax.ShapeDtypeStruct((5, grid.ndim), jnp.zeros(0).dtype)
        shape = eqx.filter_eval_shape(self.f, points).shape
        if shape != (5,):
            raise ValueError(
                f"`{name}`: the function must map points (5, {grid.ndim}) to values (5,), it gave {shape}."
            )


class FromArray(AbstractGridded):
    """Cell values that the user has; see `array`."""

    values: Float[Array, "..."]

    def on_grid(self, grid):
        return self.values

    def check(self, name, grid):
        if self.values.shape != grid.shape:
            raise ValueError(f"`{name}` has shape {self.values.shape}, but the grid has shape {grid.shape}.")
        if _checks.is_concrete(self.values) and np.any(np.asarray(self.values) < 0):
            lowest = float(np.min(np.asarray(self.values)))
            raise ValueError(f"`{name}` must not be negative, its smallest value is {lowest:g}.")


class Perturbed(AbstractGridded):
    """A uniform field with independent noise in each cell; see `perturbed`."""

    value: Float[Array, ""]
    noise: Float[Array, ""]
    seed: int = eqx.field(static=True)

    def on_grid(self, grid):
        u = jax.random.uniform(jax.random.key(self.seed), grid.shape, minval=-1.0, maxval=1.0)
        return self.value * (1 + self.noise * u)


class Particles(AbstractGridded):
    """Particles that the user has, all of the same weight; see `particles`."""

    positions: Float[Array, "n d"]
    mass: Float[Array, ""]

    def on_grid(self, grid):
        grid = _checks.instance("grid", grid, Grid, "a box, jc.Grid.box(...)")
        cell = grid.cell_of(tuple(self.positions.T))
        return jnp.zeros(grid.shape).at[cell].add(self.mass / (self.positions.shape[0] * grid.cell_volume))

    def mass_in(self, grid):
        return self.mass

    def place(self, u, grid):
        if u.shape[0] != self.positions.shape[0]:
            raise ValueError(f"The initial condition has {self.positions.shape[0]} particles, the method {u.shape[0]}.")
        return self.positions

    def check(self, name, grid):
        if not isinstance(grid, Grid) or self.positions.shape[1] != grid.ndim:
            raise ValueError(
                f"`{name}`: positions of dimension {self.positions.shape[1]} do not fit the grid {grid!r}."
            )
        if _checks.is_concrete(self.positions):
            x = np.asarray(self.positions)
            outside = np.any((x < np.array(grid.lower)) | (x > np.array(grid.upper)), axis=1)
            if outside.any():
                first = int(np.argmax(outside))
                raise ValueError(
                    f"`{name}`: {int(outside.sum())} of {len(x)} particles lie outside the box {grid.lower} to "
                    f"{grid.upper}, the first is particle {first} at {x[first].tolist()}."
                )


def _check_lengths(name: str, grid: AbstractGrid, **values: Array) -> None:
    for key, value in values.items():
        if value.ndim > 0 and value.shape != (grid.ndim,):
            raise ValueError(
                f"`{name}`: {key} has {value.shape[0]} coordinates, but the grid has {grid.ndim} dimensions."
            )
        radial = not isinstance(grid, Grid)
        if radial and _checks.is_concrete(value):
            off = np.any(np.asarray(value) != 0) if key == "center" else np.ptp(np.asarray(value)) > 0
            if off:
                raise ValueError(
                    f"`{name}`: only a condition that is symmetric about 0 fits a radial grid, {key}={value}."
                )


def _one_of(mass: ArrayLike | None, amplitude: ArrayLike | None) -> Size:
    if (mass is None) == (amplitude is None):
        raise ValueError(f"Give exactly one of `mass` and `amplitude`, got mass={mass}, amplitude={amplitude}.")
    if mass is not None:
        return Size(_checks.positive("mass", mass), is_mass=True)
    return Size(_checks.non_negative("amplitude", amplitude), is_mass=False)


def gaussian(
    *,
    mass: ArrayLike | None = None,
    amplitude: ArrayLike | None = None,
    center: ArrayLike | Sequence[float] = 0.0,
    std: ArrayLike | Sequence[float],
) -> Gaussian:
    """A Gaussian bump.

    **Arguments:**

    - `mass` or `amplitude`: its integral over the whole space, or its height; exactly one.
    - `center`: middle [length]; one number for all coordinates, or one each. Default 0.
    - `std`: standard deviation per coordinate, positive [length]; one number, or one each.

    **Raises:** `ValueError` naming the argument at fault.
    """
    std = _checks.positive("std", _vector("std", std))
    return Gaussian(_one_of(mass, amplitude), _vector("center", center), std)


def mixture(parts: Sequence[AbstractProfile]) -> Mixture:
    """The sum of several profiles: `mixture([gaussian(...), gaussian(...)])`. Particles are shared out by mass."""
    if not parts:
        raise ValueError("`parts` must hold at least one initial condition, got none.")
    return Mixture(
        tuple(_checks.instance("parts", p, AbstractProfile, "initial conditions given by formulas") for p in parts)
    )


def ring(
    *,
    mass: ArrayLike | None = None,
    amplitude: ArrayLike | None = None,
    center: ArrayLike | Sequence[float] = 0.0,
    radius: ArrayLike,
    width: ArrayLike,
    axis: int = 2,
) -> Ring:
    """A ring in 2D, or a torus tube in 3D, with a Gaussian cross-section.

    **Arguments:**

    - `mass` or `amplitude`: its integral, or its height on the ring; exactly one.
    - `center`: middle of the ring [length]. Default 0.
    - `radius`: radius of the ring, positive [length].
    - `width`: standard deviation of the cross-section, positive [length].
    - `axis`: in 3D, the coordinate axis that the ring turns about. Default 2, the last.

    **Raises:** `ValueError` naming the argument at fault.
    """
    if axis not in (0, 1, 2):
        raise ValueError(f"`axis` must be 0, 1 or 2, got {axis}.")
    radius, width = _checks.positive("radius", radius), _checks.positive("width", width)
    return Ring(_one_of(mass, amplitude), _vector("center", center), radius, width, axis)


def ball(
    *,
    mass: ArrayLike | None = None,
    amplitude: ArrayLike | None = None,
    center: ArrayLike | Sequence[float] = 0.0,
    radius: ArrayLike,
) -> Ball:
    """A uniform ball (disk in 2D, interval in 1D).

    **Arguments:**

    - `mass` or `amplitude`: its integral, or its value inside; exactly one.
    - `center`: middle [length]. Default 0.
    - `radius`: positive [length]. On a grid the field has no gradient in it; as particles it does.
    """
    return Ball(_one_of(mass, amplitude), _vector("center", center), _checks.positive("radius", radius))


def uniform(*, mass: ArrayLike | None = None, amplitude: ArrayLike | None = None) -> Uniform:
    """The same value everywhere: `mass` over the whole box, or `amplitude`, the value; exactly one."""
    return Uniform(_one_of(mass, amplitude))


def perturbed(value: ArrayLike, noise: ArrayLike = 0.01, seed: int = 0) -> Perturbed:
    """A uniform field with noise: `value * (1 + noise * u)`, `u` uniform in (-1, 1), independent in each cell.

    **Arguments:**

    - `value`: the mean, non-negative.
    - `noise`: relative size of the perturbation, between 0 and 1. Default 0.01.
    - `seed`: of the noise. Default 0.
    """
    noise = _checks.non_negative("noise", noise)
    if _checks.is_concrete(noise) and float(noise) > 1:
        raise ValueError(f"`noise` must be at most 1, or the field turns negative, got {float(noise):g}.")
    return Perturbed(_checks.non_negative("value", value), noise, _checks.natural("seed", seed, at_least=0))


def function(f: Callable[[Array], Array]) -> Function:
    """A function `f` that maps points `(..., d)` to non-negative values `(...)`, written with `jax.numpy`."""
    if not callable(f):
        raise TypeError(f"`f` must be a function of points (..., d), got {f!r}.")
    return Function(f)


def array(values: ArrayLike) -> FromArray:
    """Cell values `values` of the grid's shape, finite and non-negative."""
    return FromArray(_checks.real("values", values))


def particles(positions: ArrayLike, mass: ArrayLike = 1.0) -> Particles:
    """Particles at `positions` `(n, d)` [length] that share `mass` equally; on a grid, their histogram."""
    positions = _checks.real("positions", positions)
    if positions.ndim != 2:
        raise ValueError(f"`positions` must have shape (n, d), got {positions.shape}.")
    return Particles(positions, _checks.positive("mass", mass))


def _vector(name: str, value: ArrayLike | Sequence[float]) -> Array:
    return _checks.real(
        name, jnp.stack([jnp.asarray(v, float) for v in value]) if isinstance(value, tuple | list) else value
    )
