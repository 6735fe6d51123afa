"""Distances between densities, and grids of different fineness."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.analysis import coarsen, relative_distance
from jaxchemo.particles import mollify

GRID = jc.Grid.box((0.0, 0.0), (1.0, 2.0), (12, 20))


def fields(seed=0):
    rng = np.random.default_rng(seed)
    return jnp.array(rng.uniform(0, 1, GRID.shape)), jnp.array(rng.uniform(0, 1, GRID.shape))


def test_distance_is_the_formula():
    a, b = fields()
    assert float(relative_distance(a, a, GRID)) == 0
    assert float(relative_distance(1.1 * b, b, GRID, width=0.2)) == pytest.approx(0.1, rel=1e-12)
    assert float(relative_distance(a, b, GRID)) == pytest.approx(float(jnp.linalg.norm(a - b) / jnp.linalg.norm(b)))


def test_both_are_mollified_alike():
    a, b = fields()
    smooth_a, smooth_b = mollify(a, GRID, 0.3), mollify(b, GRID, 0.3)
    expected = float(jnp.linalg.norm(smooth_a - smooth_b) / jnp.linalg.norm(smooth_b))
    assert float(relative_distance(a, b, GRID, width=0.3)) == pytest.approx(expected, rel=1e-12)
    assert expected < 0.3 * float(relative_distance(a, b, GRID))  # noise at the grid scale hardly counts


def test_radial_distance_weighs_shells_by_their_volume():
    grid = jc.RadialGrid(1.0, 2, ndim=3)
    a, b = jnp.array([1.0, 1.0]), jnp.array([1.0, 2.0])
    assert float(relative_distance(a, b, grid)) == pytest.approx(np.sqrt(7 / (1 + 7 * 4)))


@pytest.mark.parametrize("width", [-0.1, float("nan"), float("inf")])
def test_width_is_refused(width):
    with pytest.raises(ValueError, match="`width` must be a finite length, not negative"):
        relative_distance(*fields(), GRID, width=width)


def test_shapes_are_refused():
    a, b = fields()
    with pytest.raises(ValueError, match=r"`density` has shape \(3,\), but the grid has shape \(12, 20\)"):
        relative_distance(jnp.ones(3), b, GRID)
    with pytest.raises(ValueError, match="`reference` has shape"):
        relative_distance(a, b.T, GRID)
    with pytest.raises(TypeError, match="`grid` must be a box"):
        relative_distance(jnp.ones(4), jnp.ones(4), jc.RadialGrid(1.0, 4, ndim=2), width=0.1)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_coarse_averages_are_those_of_the_coarse_grid(ndim):
    """Quadratics are averaged exactly on both grids, so block means must agree to round-off."""
    f = lambda x: 1 + jnp.sum(x * jnp.arange(1.0, ndim + 1), axis=-1) ** 2  # noqa: E731
    shape = (4, 3, 5)[:ndim]
    fine = jc.Grid.box(
        (0.0,) * ndim, (1.0, 2.0, 3.0)[:ndim], tuple(n * k for n, k in zip(shape, (3, 2, 4), strict=False))
    )
    coarse = jc.Grid.box((0.0,) * ndim, (1.0, 2.0, 3.0)[:ndim], shape)
    np.testing.assert_allclose(coarsen(fine.average(f), shape), coarse.average(f), rtol=1e-13)


@pytest.mark.parametrize("shape", [(5, 20), (12,), (24, 20)])
def test_coarsening_that_does_not_fit_is_refused(shape):
    with pytest.raises(ValueError, match="`shape` must divide the shape of the field"):
        coarsen(fields()[0], shape)
