"""How accurate the particle-field schemes are in the closed loop, against finite volumes and against perfect sampling.

Density error: relative L2 distance of the densities at the final time, both mollified by a Gaussian of width 0.25 on a
64^3 grid. The floor is that error for as many independent samples drawn from the reference itself. Prints two tables
and writes JSON:

    python benchmarks/particle_field_accuracy.py            # about 5 minutes on two cores
    python benchmarks/particle_field_accuracy.py --quick
"""

import dataclasses
import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from _report import arguments, save, table

import jaxchemo as jc
from jaxchemo.particles import mollify

HALF = 4.0  # the box is [-4, 4]^3
END = 0.5
WIDTH = 0.25  # of the mollification in the error


@dataclasses.dataclass(frozen=True)
class Case:
    """A problem that is even in each coordinate, so that its reference needs one octant only."""

    model: jc.models.Model
    density: jc.initial.AbstractProfile
    signal: jc.initial.AbstractProfile
    dt: float


def _two() -> Case:
    blobs = [jc.initial.gaussian(mass=1.5, center=(x, 0.0, 0.0), std=0.4) for x in (-1.2, 1.2)]
    food = jc.initial.gaussian(amplitude=8.0, std=0.9)
    return Case(jc.models.phks(0.1, 1.0), jc.initial.mixture(blobs), food, 0.005)


def _rings() -> Case:
    food = [jc.initial.ring(amplitude=4.0, center=(0.0, 0.0, z), radius=1.1, width=0.4) for z in (-0.6, 0.6)]
    return Case(jc.models.phks(0.1, 1.0), jc.initial.gaussian(mass=3.0, std=0.5), jc.initial.mixture(food), 0.005)


def _random(seed: int) -> Case:
    """Cells in 4 or 8 blobs, food in an anisotropic Gaussian and eight more; everything drawn from `seed`."""
    draw = np.random.default_rng(seed).uniform
    center = np.array([draw(0.5, 1.3), draw(0.0, 0.9), draw(0.0, 0.7)])
    center[2] = 0.0 if draw() < 0.5 else center[2]
    std, mobility, mass = draw(0.3, 0.5), draw(0.06, 0.13), draw(2, 5)
    main = jc.initial.gaussian(amplitude=draw(3, 8), std=(draw(0.6, 1.3), draw(0.4, 1.0), draw(0.4, 1.2)))
    height, offset, width = draw(2, 5), np.array([draw(0.6, 1.5), draw(0, 1.2), draw(0, 1.2)]), draw(0.35, 0.6)
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    places = np.unique(signs * center, axis=0)
    cells = [jc.initial.gaussian(mass=mass / len(places), center=tuple(p), std=std) for p in places]
    food = [jc.initial.gaussian(amplitude=height, center=tuple(s * offset), std=width) for s in signs]
    return Case(jc.models.phks(mobility, 1.0), jc.initial.mixture(cells), jc.initial.mixture([main, *food]), 0.01)


CASES = {
    "two": _two,
    "rings": _rings,
    **{f"random-{k}": functools.partial(_random, 9100 + k) for k in (1, 2, 3)},
}

SCHEMES = {
    "histogram / trilinear": dict(deposit_order=0, update=jc.ExponentialUpdate(), interpolator=jc.BSpline(1)),
    "histogram / cubic spline": dict(deposit_order=0, update=jc.ExponentialUpdate(), interpolator=jc.CubicSpline()),
    "CIC / CIC": dict(deposit_order=1, update=jc.ExponentialUpdate(), interpolator=jc.BSpline(1)),
    "default": {},
}


@dataclasses.dataclass(frozen=True)
class Reference:
    """Finite volumes on one octant: the density there, and its second moment over the whole box."""

    octant: jc.Grid
    density: jax.Array
    second_moment: float
    mass: float

    @functools.cached_property
    def mollified(self) -> jax.Array:
        block = self.octant.shape[0] // 32
        coarse = self.density.reshape(32, block, 32, block, 32, block).mean((1, 3, 5))
        for axis in range(3):
            coarse = jnp.concatenate([jnp.flip(coarse, axis), coarse], axis)
        return mollify(coarse, box(64), WIDTH)


def box(n: int) -> jc.Grid:
    return jc.Grid.box((-HALF,) * 3, (HALF,) * 3, (n,) * 3)


def reference(case: Case, n: int = 96) -> Reference:
    octant = jc.Grid.box((0.0,) * 3, (HALF,) * 3, (n,) * 3)
    problem = jc.Problem(case.model, octant, case.density, case.signal)
    density = jc.solve(problem, jc.FiniteVolume(), t1=END, dt="auto").final.density
    mass = octant.integrate(density)
    square = sum(x.reshape([-1 if a == b else 1 for b in range(3)]) ** 2 for a, x in enumerate(octant.axes))
    return Reference(octant, density, float(octant.integrate(density * square) / mass), 8 * float(mass))


def error(positions: jax.Array, ref: Reference) -> tuple[float, float]:
    """Relative L2 error of the mollified density, and relative error of the second moment."""
    cloud = jc.initial.particles(jnp.clip(positions, -HALF, HALF), mass=ref.mass)
    seen = mollify(cloud.on_grid(box(64)), box(64), WIDTH)
    distance = jnp.linalg.norm(seen - ref.mollified) / jnp.linalg.norm(ref.mollified)
    return float(distance), float(jnp.mean(jnp.sum(positions**2, axis=1)) / ref.second_moment - 1)


def floor(ref: Reference, particles: int, seeds: int) -> float:
    """Mean error of `particles` independent samples from the reference."""
    errors = []
    for seed in range(seeds):
        where, side = jax.random.split(jax.random.key(1000 + seed))
        x = jc.initial.array(ref.density).sample(where, particles, ref.octant)
        errors.append(error(x * jax.random.rademacher(side, x.shape, x.dtype), ref)[0])
    return float(np.mean(errors))


def closed_loop(
    case: Case, ref: Reference, method: jc.ParticleField, n: int, seeds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Density errors and second-moment errors of runs with different keys."""
    problem = jc.Problem(case.model, box(n), case.density, case.signal)
    ends = [
        jc.solve(problem, method, t1=END, dt=case.dt, key=jax.random.key(seed)).final.positions for seed in range(seeds)
    ]
    errors, moments = zip(*(error(x, ref) for x in ends), strict=True)
    return np.array(errors), np.array(moments)


def schemes_table(cells: int = 96, seeds: int = 2, particles: int = 20_000, n: int = 32) -> list[dict]:
    rows = []
    for name in ("two", "rings"):
        case = CASES[name]()
        ref = reference(case, cells)
        lowest = floor(ref, particles, 3)
        for scheme, options in SCHEMES.items():
            errors, moments = closed_loop(case, ref, jc.ParticleField(particles, **options), n, seeds)
            rows.append(
                {
                    "problem": name,
                    "scheme": scheme,
                    "density error": errors.mean(),
                    "over floor": errors.mean() / lowest,
                    "second moment": moments.mean(),
                }
            )
    return rows


def increments_table(cells: int = 96, seeds: int = 8, particles: int = 5_000, n: int = 64) -> list[dict]:
    rows = []
    for name in ("two", "random-1"):
        case = CASES[name]()
        ref = reference(case, cells)
        first = None
        for kind in (jc.Normal(), jc.ThreePoint(), jc.Antithetic(), jc.Antithetic(jc.ThreePoint())):
            errors, moments = closed_loop(case, ref, jc.ParticleField(particles, increments=kind), n, seeds)
            first = first or errors.mean()
            rows.append(
                {
                    "problem": name,
                    "increments": repr(kind),
                    "density error": errors.mean(),
                    "over normal": errors.mean() / first,
                    "second moment": moments.mean(),
                    "its s.e.": moments.std(ddof=1) / math.sqrt(seeds),
                }
            )
    return rows


def main() -> None:
    options = arguments(__doc__)
    cells, seeds = (64, 2) if options.quick else (96, 8)
    schemes = schemes_table(cells, 2)
    table("Closed loop, 32^3, P = 20,000, t = 0.5", schemes)
    increments = increments_table(cells, seeds)
    table(f"Increments, 64^3, P = 5,000, {seeds} seeds", increments)
    save(options, "particle_field_accuracy", {"schemes": schemes, "increments": increments})


if __name__ == "__main__":
    main()
