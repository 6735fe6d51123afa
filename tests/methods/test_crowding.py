"""Diffusion that depends on the density: sharp fronts, plateaus, and the same from every method."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shared import exponent

import jaxchemo as jc
from jaxchemo import analysis, models
from jaxchemo.references import exact

PUSHED = dict(mobility=0.7, power=1.0, mass=0.4)


def spreading(n, ndim, power=1.0):
    grid = jc.Grid.box((-2.0,) * ndim, (2.0,) * ndim, (n,) * ndim)
    model = models.Model({"rho": models.Species(0.7, motility=models.PowerLaw(power))})
    law = PUSHED | {"power": power}
    return jc.Problem(model, grid, jc.initial.function(lambda x: exact.barenblatt(x, 0.5, **law))), law


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ndim", "sizes", "order"),
    [(1, (50, 100, 200), 2.0), pytest.param(2, (32, 64, 128), 2.0, marks=pytest.mark.slow)],
)
def test_a_population_that_pushes_spreads_as_barenblatt_says(ndim, sizes, order):
    errors = []
    for n in sizes:
        problem, law = spreading(n, ndim)
        end = jc.solve(problem, jc.FiniteVolume(), t0=0.5, t1=1.0, dt="auto").final.density
        grid = problem.domain
        assert isinstance(grid, jc.Grid)
        wanted = problem.replace(density=jc.initial.function(lambda x, law=law: exact.barenblatt(x, 1.0, **law)))
        errors.append(float(jnp.sum(jnp.abs(end - wanted.fields()[0]["rho"]))) * grid.cell_volume)
        assert float(jnp.min(end)) >= 0
        assert float(grid.integrate(end)) == pytest.approx(0.4, rel=2e-3)
        assert int(jnp.sum(end > 1e-12)) < int(jnp.sum(end >= 0))  # there is a front, and nothing beyond
    # The front is a kink, which second order in the mean survives, but for how it falls between the cells.
    assert -exponent(sizes, errors) == pytest.approx(order, abs=0.2)


def test_gradients_through_a_front_are_those_of_the_scheme():
    problem, _ = spreading(40, 1, power=2.0)

    def spread(mobility, power):
        model = models.Model({"rho": models.Species(mobility, motility=models.PowerLaw(power))})
        end = jc.solve(problem.replace(model=model), jc.FiniteVolume(), t0=0.5, t1=0.55, dt=5e-4).final.density
        return analysis.second_moment(end, problem.domain)

    at, h = (0.7, 2.0), 1e-5
    both = jax.jit(jax.value_and_grad(spread, argnums=(0, 1)))
    for k, slope in enumerate(both(*at)[1]):
        up, down = (tuple(a + s * h * (i == k) for i, a in enumerate(at)) for s in (1, -1))
        assert float(slope) == pytest.approx(float(both(*up)[0] - both(*down)[0]) / (2 * h), rel=1e-6)


@pytest.mark.slow
def test_spectral_and_finite_volumes_agree_at_second_order():
    model = models.volume_filling(0.3, 2.0, models.Room(3.0, 2.0), growth=models.Logistic(0.5))
    start = jc.initial.function(lambda x: 1 + 0.4 * jnp.cos(x[..., 0]) * jnp.sin(x[..., 1]))
    flat = jc.initial.uniform(amplitude=1.0)
    gaps = []
    for n in (24, 48, 96):
        grid = jc.Grid.box((0.0, 0.0), (2 * np.pi, 2 * np.pi), (n, n), jc.Periodic())
        problem = jc.Problem(model, grid, start, flat)
        fv, spectral = (
            jc.solve(problem, method, t1=0.5, dt=dt).final.density
            for method, dt in ((jc.FiniteVolume(), 0.5 * 0.05 * (24 / n) ** 2), (jc.Spectral(), 0.01))
        )
        gaps.append(float(jnp.linalg.norm(fv - spectral) / jnp.linalg.norm(spectral)))
    assert -exponent([24, 48, 96], gaps) == pytest.approx(2, abs=0.1)


@pytest.mark.slow
def test_cells_that_need_room_gather_in_plateaus():
    grid = jc.Grid.box(0.0, 20.0, 200)
    noise = jc.initial.function(lambda x: 0.5 + 0.01 * jnp.cos(jnp.pi * x[..., 0] / 5))
    for room, power in ((1.0, 1), (models.Room(1.0, 3.0), 3)):
        model = models.volume_filling(0.1, 2.0, room)
        problem = jc.Problem(model, grid, noise, jc.initial.uniform(amplitude=0.5))
        end = jc.solve(problem, jc.FiniteVolume(), t1=60.0, dt=0.01, adjoint=jc.Forward()).final
        rho, c = np.asarray(end.density), np.asarray(end.signal)
        assert 0 <= rho.min() < 0.1 and 0.9 < rho.max() < 1
        assert rho.mean() == pytest.approx(0.5, rel=1e-12)
        # They rest: what spreads, by q - rho q', is what climbs, by rho q, but for what a few cells across a side err.
        between = 0.5 * (rho[1:] + rho[:-1])
        q, q_slope = 1 - between**power, -power * between ** (power - 1)
        spreads = 0.1 * (q - between * q_slope) * np.diff(rho) / grid.spacing[0]
        climbs = 2.0 * between * q * np.diff(c) / grid.spacing[0]
        np.testing.assert_allclose(spreads, climbs, atol=0.12 * climbs.max())


def test_particles_refuse_it():
    problem, _ = spreading(16, 2)
    with pytest.raises(TypeError, match="a mobility that depends on the density: FiniteVolume would do"):
        jc.solve(problem, jc.ParticleField(10), t1=0.1, dt=0.1, key=jax.random.key(0))
