"""Manufactured solutions: finite volumes are second order in space at every boundary and in every dimension."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shared import exponent

import jaxchemo as jc
from jaxchemo.models import (
    AbstractGrowth,
    AbstractKinetics,
    FluxLimited,
    HillGradient,
    Linear,
    Logarithmic,
    LogWindow,
    Model,
    Production,
    Receptor,
    Saturating,
    Signal,
    Species,
    Sum,
    VolumeFilling,
)

MOBILITY, DIFFUSIVITY, RELAXATION, PRODUCTION, DECAY = 0.3, 0.25, 0.6, 0.8, 0.4
LENGTHS = (1.0, 0.8, 0.9)
END = 0.2


class Source(AbstractKinetics):
    """Adds a function of time to a signal. A signal that stays in place, to which 1 is added, is the clock."""

    at: Callable = eqx.field(static=True)

    def production(self, densities, signals, name):
        return self.at(signals["clock"].ravel()[0])

    def loss_rate(self, densities, signals, name):
        return 0.0

    def describe(self, name):
        return "+ source"


class Immigration(AbstractGrowth):
    """Adds a function of time to a density."""

    at: Callable = eqx.field(static=True)

    def rate(self, density, signals):
        return self.at(signals["clock"].ravel()[0]) / density

    def describe(self, density):
        return "+ source"


# Profiles from 0 to 1, by their two ends: `p`eriodic, `c`losed (no slope) or `h`eld (zero, `H` something else). None
# is symmetric, and all are curved at their walls.
PROFILES = {
    "pp": lambda s: jnp.cos(2 * jnp.pi * s + 0.5),
    "cc": lambda s: s**2 * (3 - 2 * s) + s**2 * (1 - s) ** 2,
    "hh": lambda s: s * (1 - s) * (2 + s),
    "hH": lambda s: s * (2 - s / 2 - s**2 / 2),
    "ch": lambda s: 1 + s**2 - 2 * s**3,
    "hc": lambda s: 1 + (1 - s) ** 2 - 2 * (1 - s) ** 3,
}
# In a ball, of the square of the distance from its centre.
SHELLS = {"c": lambda q: q * (2 - q), "h": lambda q: (1 - q) * (1 + q / 2)}


def fields(profiles, law, kept_in=False):
    """A density and a signal, functions of a point and the time, of their profiles.

    Where the signal is held and the cells are kept in, drift and diffusion must cancel at the wall.
    """

    def v(x, t):
        p = profiles[1](x)
        return 1.5 + 0.3 * jnp.cos(2 * t) + 0.5 * jnp.exp(-t) * (p - 0.2 * p**2)

    def u(x, t):
        plain = 1.2 + 0.3 * jnp.sin(3 * t) + 0.4 * jnp.cos(t) * profiles[0](x)
        return plain * jnp.exp((law.potential(v(x, t)) - 1) / MOBILITY) if kept_in else plain

    return u, v


def sources(u, v, law):
    """What must be added to the equations of a density and a signal for these to solve them."""

    def flux(x, t):
        slope = jax.grad(lambda x: law.potential(v(x, t)))(x)
        factor = 1.0 if law.response is None else law.response(u(x, t))
        factor *= 1.0 if law.limit is None else law.limit(jnp.sqrt(slope @ slope + 1e-300))
        return MOBILITY * jax.grad(u)(x, t) - u(x, t) * factor * slope

    def of_density(x, t):
        return jax.grad(u, 1)(x, t) - jnp.trace(jax.jacfwd(flux)(x, t))

    def of_signal(x, t):
        spread = DIFFUSIVITY * jnp.trace(jax.hessian(v)(x, t))
        return RELAXATION * jax.grad(v, 1)(x, t) - spread - PRODUCTION * u(x, t) + DECAY * v(x, t)

    return of_density, of_signal


def compiled(f, most):
    """A function of a point and the time for any number of points up to `most`, compiled once for all."""
    each = jax.jit(jax.vmap(f, (0, None)))
    return lambda x, t: each(np.resize(x, (most, x.shape[-1])), t)[: x[..., 0].size].reshape(x.shape[:-1])


def polynomial(f, degree=6):
    """A function of the time from 0 to the end, by what it is at Chebyshev points: the same to a billionth."""
    times = END * (0.5 + 0.5 * np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1)))
    samples = np.stack([f(t) for t in times])
    powers = np.linalg.solve(np.vander(times), samples.reshape(degree + 1, -1)).reshape(samples.shape)
    return lambda t: jnp.polyval(powers, t)


def errors(grid, exact, needed, law, method, steps):
    """Largest errors of the density and the signal at the end."""
    to_u, to_v = (polynomial(lambda t, f=f: grid.average(lambda x: f(x, t), 2)) for f in needed)
    model = Model(
        {"u": Species(MOBILITY, {"v": law}, Immigration(to_u))},
        {
            "clock": Signal(Source(lambda t: 1.0)),
            "v": Signal(Sum(Production("u", PRODUCTION, DECAY), Source(to_v)), DIFFUSIVITY, RELAXATION),
        },
    )
    u, v = (jc.initial.array(grid.average(lambda x, f=f: f(x, 0.0))) for f in exact)
    problem = jc.Problem(model, grid, {"u": u}, {"clock": jc.initial.uniform(amplitude=0.0), "v": v})
    end = jc.solve(problem, method, t1=END, dt=END / steps).final
    found = zip((end.density, end.signal["v"]), exact, strict=True)
    return [float(jnp.max(jnp.abs(field - grid.average(lambda x, f=f: f(x, END))))) for field, f in found]


def box(kinds, law):
    """Boxes with the walls that the profiles of the density and the signal say, and the exact fields in them."""
    axes = range(len(kinds[0]))

    def product(ends):
        return lambda x: math.prod(PROFILES[ends[i]](x[i] / LENGTHS[i]) for i in axes)

    kept_in = any(a == "c" and b == "h" for ends in zip(*kinds, strict=True) for a, b in zip(*ends, strict=True))
    exact = fields([product(ends) for ends in kinds], law, kept_in)

    def wall(axis, end):
        place = jnp.array([LENGTHS[i] * (end if i == axis else 0.5) for i in axes])
        each = zip("uv", kinds, exact, strict=True)
        held = {name: lambda t, f=f: f(place, t) for name, ends, f in each if ends[axis][end] in "hH"}
        return jc.Dirichlet(held) if held else jc.NoFlux()

    walls = [jc.Periodic() if kinds[0][i] == "pp" else (wall(i, 0), wall(i, 1)) for i in axes]

    def grid(n):
        shape = [n, 3 * n // 4, 3 * n // 4][: len(axes)]
        return jc.Grid.box([0.0] * len(axes), LENGTHS[: len(axes)], shape, walls)

    return grid, exact


def ball(walls, ndim, law, stretching=0.0):
    """Balls of radius 1, whose wall holds the density or the signal or keeps them in."""
    profiles = [lambda x, wall=wall: SHELLS[wall](x @ x) for wall in walls]
    exact = fields(profiles, law, kept_in=walls == "ch")
    place = jnp.zeros(ndim).at[0].set(1.0)
    held = {name: lambda t, f=f: f(place, t) for name, wall, f in zip("uv", walls, exact, strict=True) if wall == "h"}
    boundary = jc.Dirichlet(held) if held else jc.NoFlux()
    return lambda n: jc.RadialGrid(1.0, n, ndim, boundary, stretching), exact


def orders(grid, exact, law, cells, method=jc.FiniteVolume(jc.SSPRK3())):
    """How the largest errors of the density and the signal fall with the spacing; steps go as its square."""
    most = math.prod(grid(cells[-1]).shape)
    needed = [compiled(f, most) for f in sources(*exact, law)]
    exact = [compiled(f, most) for f in exact]
    found = []
    for one in map(grid, cells):
        steps = math.ceil(0.25 * len(one.shape) / min(float(jnp.min(length)) for length in one.lengths) ** 2)
        found.append(errors(one, exact, needed, law, method, steps))
    return -exponent(cells, found)


LINEAR = Linear(0.7)
STEEPNESS = [HillGradient(1.5, 3.0, 3.0), FluxLimited(VolumeFilling(Receptor(1.5, 0.7), 4.0), 2.0)]
OTHERS = [Logarithmic(0.7, 0.1), LogWindow(0.8, 0.2, 3.0), Saturating(Linear(1.0), 1.5)]
# What holds the density and the signal at the low and the high end of each axis.
LINES = [
    ("ch", "hc"),
    *[pytest.param(ends, ends, marks=pytest.mark.slow) for ends in ("pp", "hH", "cc", "hh", "ch", "hc")],
    *[pytest.param(*case, marks=pytest.mark.slow) for case in [("cc", "hh"), ("hh", "cc")]],
]
PLANES = [("pp ch", "pp ch"), ("hh hh", "hh hh"), ("cc cc", "cc cc"), ("pp pp", "pp pp")]
BALLS = [
    *[
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [("ch", 3), ("cc", 2), ("hh", 3), ("cc", 3), ("hh", 2), ("ch", 2), ("hc", 2), ("hc", 3)]
    ],
]
BOXES = [
    ("ch pp cc", "ch pp cc", [16, 22, 32]),
    ("cc ch hc", "ch hh cc", [14, 20, 28]),
    ("hh hh hh", "hh hh hh", [18, 24, 36]),
]


@pytest.mark.slow
@pytest.mark.parametrize("u, v", LINES)
def test_on_a_line(u, v):
    assert min(orders(*box(([u], [v]), LINEAR), LINEAR, [24, 48, 96])) > 1.9


@pytest.mark.slow
def test_in_a_plane():
    assert min(orders(*box((["cc", "pp"], ["hc", "pp"]), LINEAR), LINEAR, [12, 20, 36])) > 1.9


@pytest.mark.slow
@pytest.mark.parametrize("u, v", PLANES)
def test_in_a_plane_between_other_walls(u, v):
    assert min(orders(*box((u.split(), v.split()), LINEAR), LINEAR, [24, 40, 64])) > 1.9


@pytest.mark.slow
@pytest.mark.parametrize("u, v, cells", BOXES)
def test_in_a_box(u, v, cells):
    assert min(orders(*box((u.split(), v.split()), LINEAR), LINEAR, cells)) > 1.9


@pytest.mark.parametrize("walls, ndim", BALLS)
def test_in_a_ball(walls, ndim):
    assert min(orders(*ball(walls, ndim, LINEAR), LINEAR, [16, 32, 64])) > 1.9


@pytest.mark.slow
@pytest.mark.parametrize("walls, ndim", [("cc", 2), ("hh", 3)])
def test_in_a_ball_of_shells_that_are_not_equal(walls, ndim):
    assert min(orders(*ball(walls, ndim, LINEAR, 1.0), LINEAR, [32, 64, 128])) > 1.9


@pytest.mark.slow
@pytest.mark.parametrize("law", STEEPNESS, ids=lambda law: type(law).__name__)
def test_laws_that_see_the_steepness_of_the_signal(law):
    assert min(orders(*box((["ch", "pp"], ["ch", "pp"]), law), law, [24, 40, 64])) > 1.9


@pytest.mark.slow
@pytest.mark.parametrize("law", OTHERS, ids=lambda law: type(law).__name__)
def test_laws_that_do_not(law):
    assert min(orders(*box((["ch"], ["ch"]), law), law, [24, 48, 96])) > 1.9


@pytest.mark.slow
def test_the_default_stepper():
    method = jc.FiniteVolume()
    assert min(orders(*box((["ch"], ["hc"]), LINEAR), LINEAR, [24, 48, 96], method)) > 1.9
    assert min(orders(*ball("ch", 3, LINEAR), LINEAR, [16, 32, 64], method)) > 1.9
