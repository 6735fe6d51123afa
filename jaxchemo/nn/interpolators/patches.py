"""Supervised training on patches: smooth fields and their degraded versions, downsampled, shifted and blurred."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo.domain import Grid
from jaxchemo.nn.interpolators.radial import TIMES, Numbers, solve_radial
from jaxchemo.particles.interpolators import AbstractInterpolator, Sampling
from jaxchemo.references.self_similar import self_similar

CELLS = 20  # of a patch along each axis
_MARGIN = 6  # cells at its edges that are seen, but not judged: the field goes on beyond a patch
_POINTS = 256  # at which a patch is judged
_FINE = 4  # points per cell and axis by which the blur is computed
_DEPOSIT = 1  # order of the deposit that blurs
_COUNTS = (30.0, 1e5)  # particles that made a steep cell of a patch: the fewer, the noisier it is
_NODES = (np.arange((CELLS + 2) * _FINE) + 0.5) / _FINE - 1


class Patch(eqx.Module):
    """A field as a grid sees it, in units of a cell, and the truth at some points.

    **Fields:**

    - `field`: of a deposit of order 1, on a box of `CELLS` cells along each axis, in units of its steepest slope.
    - `points`, `values`, `slopes`: places, and the field and its gradient there.
    """

    field: Float[Array, "..."]
    points: Float[Array, "m d"]
    values: Float[Array, " m"]
    slopes: Float[Array, "m d"]

    def error(self, interpolator: AbstractInterpolator) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Mean squares of the errors of gradient and value (per cell), over the mean square of the gradient."""
        ndim = self.points.shape[-1]
        grid = Grid.box((0.0,) * ndim, (float(CELLS),) * ndim, (CELLS,) * ndim)
        # Nothing here is noisy: as if an infinite number of particles had made the field.
        sampling = Sampling(_DEPOSIT, jnp.asarray(0.0), jnp.asarray(0.0))
        value, slope = interpolator.at(interpolator.prepare(self.field, grid, sampling), tuple(self.points.T), grid)
        size = jnp.mean(jnp.sum(self.slopes**2, axis=1))
        missed = jnp.mean(jnp.sum((jnp.stack(slope, axis=1) - self.slopes) ** 2, axis=1))
        return missed / size, jnp.mean((value - self.values) ** 2) / size


def draw_patches(seed: int, count: int, ndim: int) -> Patch:
    """Patches, stacked along a first axis.

    In two dimensions the images are members of the self-similar family, the food and the exposure of a population that
    starts at one point; in three, exposures of radial solutions that vary along one, two or three directions, turned at
    random. All carry the shot noise of a random number of particles.
    """
    rng = np.random.default_rng(seed)
    sources = _self_similar(rng, max(4, count // 8)) if ndim == 2 else _radial(rng, max(12, count // 4), ndim)
    cut = eqx.filter_jit(functools.partial(_cut, ndim=ndim))
    patches = []
    for _ in range(count):
        radii, values, where, directions, spacing = sources[rng.integers(len(sources))]
        frame = np.linalg.qr(rng.normal(size=(ndim, ndim)))[0][:, :directions]
        away = where(rng.uniform()) / spacing  # of the middle of the patch from the centre of the solution
        toward = frame @ _direction(rng, directions)
        center = 0.5 * CELLS + rng.uniform(-0.5, 0.5, ndim) - away * toward
        points = rng.uniform(_MARGIN, CELLS - _MARGIN, (_POINTS, ndim))
        slopes = np.gradient(values, radii / spacing)
        noise = rng.normal(size=(_NODES.size,) * ndim) * np.exp(-0.5 * rng.uniform(*np.log(_COUNTS)))
        patches.append(cut(*map(jnp.asarray, (radii / spacing, values, slopes, frame, center, points, noise))))
    return jax.tree.map(lambda *parts: jnp.stack(parts), *patches)


def _direction(rng, d: int) -> np.ndarray:
    v = rng.normal(size=d)
    return v / np.linalg.norm(v)


def _cut(radii, values, slopes, frame, center, points, noise, *, ndim: int) -> Patch:
    """A patch of the field `values(r)`, where r is the distance from `center` along the directions of `frame`."""

    def along(x: Array) -> tuple[Array, Array]:
        inside = (x - center) @ frame
        return inside, jnp.sqrt(jnp.sum(inside**2, axis=-1) + 1e-12)

    # The mean deposit of particles: the field under a tent of one cell on either side, by midpoints.
    field = jnp.interp(along(jnp.stack(jnp.meshgrid(*(_NODES,) * ndim, indexing="ij"), axis=-1))[1], radii, values)
    size = jnp.max(jnp.abs(slopes))
    # `noise` is that of the counts on the fine points, for as many particles in a cell that holds a steep step.
    field = field + noise * jnp.sqrt(jnp.abs(field) * size * _FINE**ndim)
    tent = jnp.asarray(_blur(), field.dtype)
    for _ in range(ndim):
        field = jnp.moveaxis(jnp.tensordot(tent, field, axes=(1, 0)), 0, -1)
    inside, distance = along(points)
    value = jnp.interp(distance, radii, values)
    slope = (jnp.interp(distance, radii, slopes) / distance)[:, None] * (inside @ frame.T)
    return Patch(field / size, points, value / size, slope / size)


def _blur() -> np.ndarray:
    """From values on the fine points, which reach one cell beyond the patch, to what a deposit of order 1 gives."""
    tent = np.maximum(0, 1 - np.abs(np.arange(CELLS)[:, None] + 0.5 - _NODES[None, :]))
    return tent / tent.sum(axis=1, keepdims=True)


def _radial(rng, count: int, ndim: int) -> list:
    spacing = np.exp(rng.uniform(np.log(0.1), np.log(0.55), count))
    directions = rng.integers(1, ndim + 1, count)
    numbers = Numbers.draw(rng, np.full(count, 4.0))
    sources = []
    for d in range(1, ndim + 1):
        these = np.flatnonzero(directions == d)
        profiles = solve_radial(numbers[these], d)
        for k, j in enumerate(these):
            if not profiles.good[k]:
                continue
            time = rng.integers(len(TIMES))
            radii = profiles.radii * numbers.reach[j]
            within = np.cumsum(profiles.density[k, time] * profiles.shares)
            where = functools.partial(np.interp, xp=within / within[-1], fp=radii)  # as the population is spread
            sources.append((radii, profiles.exposure[k, time], where, d, spacing[j]))
    return sources


def _self_similar(rng, count: int) -> list:
    sources = []
    for _ in range(count):
        amplitude, food = rng.uniform(0.7, 2.0), rng.uniform(0.3, 1.5)
        exact = self_similar(amplitude, food)
        start, stop = 1.0, rng.uniform(1.2, 3.0)
        radii = np.linspace(0.0, 12.0, 400) + 1e-3
        point = jnp.stack([jnp.asarray(radii), jnp.zeros(400)], axis=-1)
        later = np.asarray(exact.signal(point, stop), float)
        field = later if rng.uniform() < 0.5 else np.log(np.asarray(exact.signal(point, start), float) / later)
        within = np.cumsum(np.asarray(exact.density(point, stop), float) * radii)
        where = functools.partial(np.interp, xp=within / within[-1], fp=radii)
        sources.append((radii, field, where, 2, np.exp(rng.uniform(np.log(0.15), np.log(1.2)))))
    return sources
