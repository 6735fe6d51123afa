"""Functions of the Laplacian, Helmholtz equations and implicit steps, against the explicit operator they undo."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import exponent

from jaxchemo.domain import Dirichlet, Grid, Mixed, NoFlux, Periodic, RadialGrid
from jaxchemo.fields import CrankNicolson, ExactLinear, ImplicitEuler, diffusion, helmholtz, of_laplacian

SIDES = {
    "ring": Periodic(),
    "closed": NoFlux(),
    "held": Dirichlet(0.0),
    "held above": Mixed(NoFlux(), Dirichlet(0.0)),
    "held below": Mixed(Dirichlet(0.0), NoFlux()),
    "open to others": Dirichlet({"other": 1.0}),
}
PAIRS = list(itertools.product(SIDES, SIDES))
BALLS = [(ndim, wall) for ndim in (1, 2, 3) for wall in (NoFlux(), Dirichlet(0.7), Dirichlet({"other": 0.7}))]
SPREADINGS = [ExactLinear(), CrankNicolson(), ImplicitEuler()]


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@eqx.filter_jit
def put_back(source, grid):
    """The operator on what `helmholtz` makes of a source."""
    s = helmholtz(source, 0.8, 1.3, grid, name="s", t=0.0)
    return 0.8 * s - diffusion(s, 1.3, grid, name="s", t=0.0)


@pytest.mark.parametrize("pair", PAIRS, ids=" x ".join)
def test_the_laplacian_is_that_of_the_fluxes(pair):
    grid = Grid.box((0.0, 0.0), (1.0, 2.0), (5, 6), [SIDES[side] for side in pair])
    field = noise(grid.shape)
    both = jax.jit(lambda f: (of_laplacian(lambda q: -q, f, grid, name="s"), diffusion(f, 1.0, grid, name="s")))
    np.testing.assert_allclose(*both(field), atol=1e-11)


@pytest.mark.slow
@given(n=st.integers(2, 9), side=st.sampled_from(list(SIDES)))
def test_doing_nothing_to_the_modes_does_nothing(n, side):
    grid = Grid.box(0.0, 1.0, n, [SIDES[side]])
    field = noise(grid.shape, n)
    same = jax.jit(lambda field: of_laplacian(jnp.ones_like, field, grid, name="s"))
    np.testing.assert_allclose(same(field), field, atol=1e-13)


@pytest.mark.parametrize(
    "shape, sides", [((6, 4, 5), ("closed", "ring", "held")), ((7, 3, 4), ("ring", "ring", "ring"))]
)
def test_helmholtz_in_three_dimensions(shape, sides):
    grid = Grid.box((0.0,) * 3, (1.0, 2.0, 1.5), shape, [SIDES[side] for side in sides])
    source = noise(shape)
    np.testing.assert_allclose(put_back(source, grid), source, atol=1e-11)


@pytest.mark.parametrize("ndim, wall", BALLS, ids=repr)
def test_helmholtz_on_shells(ndim, wall):
    grid = RadialGrid(2.0, 15, ndim, wall, stretching=1.5)
    source = noise(grid.shape)
    np.testing.assert_allclose(put_back(source, grid), source, atol=1e-10)


def test_values_at_the_walls_are_in_it():
    grid = Grid.box(0.0, 1.0, 8, [(Dirichlet({"s": lambda t: 2 * t}), Dirichlet(3.0))])
    s = helmholtz(jnp.zeros(8), 0.0, 1.0, grid, name="s", t=0.5)
    np.testing.assert_allclose(s, 1 + 2 * grid.axes[0], atol=1e-13)  # a straight line from 1 to 3


@pytest.mark.parametrize(
    "grid", [Grid.box((0.0, 0.0), (1.0, 2.0), (6, 5)), RadialGrid(1.0, 9, 2), RadialGrid(1.0, 9, 3)], ids=repr
)
def test_without_a_level_the_mean_is_taken_off(grid):
    source = noise(grid.shape)
    s, found = jax.jit(lambda source: (s := helmholtz(source, 0.0, 1.3, grid), -diffusion(s, 1.3, grid)))(source)
    mean = grid.integrate(jnp.asarray(source)) / grid.integrate(jnp.ones(grid.shape))
    np.testing.assert_allclose(found, source - mean, atol=1e-10)
    assert float(grid.integrate(s)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("spreading", SPREADINGS, ids=repr)
def test_a_wave_decays_as_each_rule_says(spreading):
    grid = Grid.box(0.0, 1.0, 16, NoFlux())
    wave = jnp.cos(3 * np.pi * grid.axes[0])
    z = 0.02 * (0.5 + 1.3 * (2 - 2 * np.cos(3 * np.pi / 16)) * 16**2)
    expected = {"ExactLinear": np.exp(-z), "CrankNicolson": (1 - z / 2) / (1 + z / 2), "ImplicitEuler": 1 / (1 + z)}
    found = spreading.diffuse(wave, 0.0, 0.5, 1.3, 0.02, grid)
    np.testing.assert_allclose(found, expected[type(spreading).__name__] * wave, atol=1e-13)


@pytest.mark.parametrize("grid", [Grid.box(0.0, 1.0, 12), RadialGrid(1.0, 12, 3)], ids=repr)
@pytest.mark.parametrize("spreading", SPREADINGS, ids=repr)
def test_orders_in_the_step(spreading, grid):
    if isinstance(spreading, ExactLinear) and isinstance(grid, RadialGrid):
        with pytest.raises(TypeError, match="use CrankNicolson"):
            spreading.diffuse(jnp.ones(12), 0.0, 0.0, 1.0, 0.1, grid)
        return
    steps = (1, 2) if isinstance(spreading, ExactLinear) else (8, 16, 32)
    start, source = jnp.exp(-4 * jnp.linspace(0, 1, 12) ** 2), jnp.linspace(0.0, 1.0, 12)

    @eqx.filter_jit
    def end(n, rule):
        def step(_, field):
            return rule.diffuse(field, source, 0.3, 0.2, 0.4 / n, grid)

        return jax.lax.fori_loop(0, n, step, start)

    reference = end(2000, CrankNicolson())
    errors = [float(jnp.max(jnp.abs(end(n, spreading) - reference))) for n in steps]
    if isinstance(spreading, ExactLinear):
        assert max(errors) < 1e-6
    else:
        assert exponent(steps, errors) == pytest.approx(-spreading.order, abs=0.1)


@pytest.mark.slow
@given(
    seed=st.integers(0, 100),
    dt=st.floats(1e-3, 1e3),
    side=st.sampled_from(list(SIDES)),
    spreading=st.sampled_from([ExactLinear(), ImplicitEuler()]),
)
def test_what_is_positive_stays_so_and_what_is_closed_keeps_its_mass(seed, dt, side, spreading):
    grid = Grid.box(0.0, 1.0, 10, [SIDES[side]])
    field = jax.random.uniform(jax.random.key(seed), (10,)) ** 8
    found = spreading.diffuse(field, 0.0, 0.0, 0.3, dt, grid, name="s")
    assert float(jnp.min(found)) > -1e-14  # round-off of the transforms
    if side in ("ring", "closed", "open to others"):
        assert float(jnp.sum(found)) == pytest.approx(float(jnp.sum(field)), rel=1e-13)


@pytest.mark.parametrize("grid", [Grid.box(0.0, 1.0, 6), RadialGrid(1.0, 6, 2, Dirichlet(0.5))], ids=repr)
def test_gradients_agree_with_differences(grid):
    def f(v):
        s = helmholtz(v[0] * jnp.arange(6.0) ** 2, v[1], v[2], grid, name="s")
        s = CrankNicolson().diffuse(s, 1.0, v[1], v[2], v[3], grid, name="s")
        return jnp.sum(jnp.sin(s))

    at, step = jnp.array([1.0, 0.7, 1.3, 0.2]), 1e-5
    both = jax.jit(jax.value_and_grad(f))
    numeric = [(both(at + step * e)[0] - both(at - step * e)[0]) / (2 * step) for e in jnp.eye(4)]
    np.testing.assert_allclose(both(at)[1], numeric, rtol=1e-6)


@pytest.mark.slow
def test_single_precision_stays_so():
    grid = Grid.box(0.0, 1.0, 8)
    field = jnp.ones(8, jnp.float32)
    assert helmholtz(field, 1.0, 1.0, grid).dtype == jnp.float32
    assert ExactLinear().diffuse(field, 0.0, 0.1, 1.0, 0.1, grid).dtype == jnp.float32
    assert helmholtz(field, 1.0, 1.0, RadialGrid(1.0, 8, 2)).dtype == jnp.float32
