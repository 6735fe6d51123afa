"""Prefilters: the splines they promise, and the order of accuracy that comes of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shared import exponent

from jaxchemo.domain.boundary import NoFlux, Periodic
from jaxchemo.domain.grid import Grid
from jaxchemo.particles import bspline, deposit, gather, mollify, prefilter

WALLS = pytest.mark.parametrize("walls", [NoFlux(), Periodic()], ids=["walls", "periodic"])


def smooth(x, y):
    """Even about the walls of the unit square and periodic on it."""
    return 1 + jnp.cos(2 * jnp.pi * x) * jnp.cos(4 * jnp.pi * y) / 2


def quadrature(n):
    """Particles on the unit interval that integrate, exactly, piecewise polynomials of `n` cells; weights in cells.

    Four Gauss points in every half cell: kernels of even orders change polynomial at faces, odd ones at centres.
    """
    nodes, weights = np.polynomial.legendre.leggauss(4)
    x = (np.arange(2 * n)[:, None] + (nodes + 1) / 2) / (2 * n)
    return jnp.asarray(x.ravel()), jnp.asarray(np.tile(weights / 4, 2 * n))


@pytest.mark.parametrize("order, expected", [
    (2, [1 / 8, 3 / 4, 1 / 8]),
    (3, [1 / 6, 4 / 6, 1 / 6]),
    (4, np.array([1, 76, 230, 76, 1]) / 384),
    (5, np.array([1, 26, 66, 26, 1]) / 120),
])  # fmt: skip
def test_the_bands_are_b_splines_at_the_integers(order, expected):
    np.testing.assert_allclose(bspline.at_integers(order), expected, rtol=1e-15)


@WALLS
@pytest.mark.parametrize("order", (1, 2, 3))
def test_the_spline_passes_through_its_data(order, walls):
    grid = Grid.box((0, -1), (1, 2), (9, 6), walls)
    data = jnp.asarray(np.random.default_rng(0).normal(size=grid.shape))
    centers = tuple(grid.centers[..., a].ravel() for a in range(2))
    value, _ = gather(prefilter(data, grid, order), centers, grid, order)
    np.testing.assert_allclose(value, data.ravel(), atol=1e-12)


@WALLS
@pytest.mark.parametrize("deposit_order, gather_order", [(0, 2), (0, 3), (1, 2), (1, 3), (2, 1)])
def test_the_histospline_deposits_back_to_its_data(deposit_order, gather_order, walls):
    """Depositing the spline itself, a density, returns the data: its kernels' blur is removed."""
    grid = Grid.box(0.0, 1.0, 8, walls)
    data = jnp.asarray(np.random.default_rng(0).normal(size=8))
    coefficients = prefilter(data, grid, gather_order, deposit_order)
    x, weights = quadrature(8)
    density, _ = gather(coefficients, (x,), grid, gather_order)
    np.testing.assert_allclose(deposit((x,), density * weights, grid, deposit_order), data, atol=1e-12)


@pytest.mark.slow
@WALLS
@pytest.mark.parametrize("deposit_order", (0, 1))
def test_a_smooth_density_is_recovered_to_fourth_order_and_its_gradient_to_third(deposit_order, walls):
    rng, sizes = np.random.default_rng(1), (24, 36, 54)
    points = tuple(jnp.asarray(rng.uniform(size=400)) for _ in range(2))
    exact = smooth(*points)
    exact_slope = jax.grad(lambda x: jnp.sum(smooth(x, points[1])))(points[0])
    errors, slope_errors = [], []
    for n in sizes:
        grid = Grid.box((0, 0), (1, 1), (n, n), walls)
        line, weights = quadrature(n)
        x, y = (a.ravel() for a in jnp.meshgrid(line, line))
        amount = smooth(x, y) * jnp.outer(weights, weights).ravel()
        density = deposit((x, y), amount, grid, deposit_order)
        value, gradient = gather(prefilter(density, grid, 3, deposit_order), points, grid, 3)
        errors.append(jnp.sqrt(jnp.mean((value - exact) ** 2)))
        slope_errors.append(jnp.sqrt(jnp.mean((gradient[0] - exact_slope) ** 2)))
    assert -exponent(sizes, errors) == pytest.approx(4.0, abs=0.25)
    assert -exponent(sizes, slope_errors) == pytest.approx(3.0, abs=0.3)


@WALLS
@pytest.mark.parametrize("gather_order, deposit_order", [(2, None), (3, None), (3, 0), (3, 1), (1, 1)])
def test_sums_and_constants_are_kept(gather_order, deposit_order, walls):
    grid = Grid.box((0, 0, 0), (1, 2, 3), (5, 7, 6), walls)
    data = jnp.asarray(np.random.default_rng(0).normal(size=grid.shape))
    assert jnp.sum(prefilter(data, grid, gather_order, deposit_order)) == pytest.approx(float(jnp.sum(data)), abs=1e-11)
    ones = prefilter(jnp.ones(grid.shape), grid, gather_order, deposit_order)
    np.testing.assert_allclose(ones, 1.0, atol=1e-13)


@pytest.mark.parametrize("order", (0, 1))
def test_linear_splines_need_no_filter(order):
    grid = Grid.box(0.0, 1.0, 8)
    data = jnp.arange(8.0)
    assert prefilter(data, grid, order) is data


@WALLS
@pytest.mark.parametrize("width", (0.01, 0.1, 0.5))
def test_mollification_keeps_the_sum_and_the_sign_and_adds_its_variance(width, walls):
    grid = Grid.box((0, 0), (8, 4), (64, 16), walls)
    spike = jnp.zeros(grid.shape).at[32, 8].set(1.0)
    blob = mollify(spike, grid, width)
    assert jnp.sum(blob) == pytest.approx(1.0, abs=1e-12)
    assert jnp.all(blob >= -1e-15)
    x = grid.centers[..., 0]
    mean = jnp.sum(blob * x)
    assert jnp.sum(blob * (x - mean) ** 2) == pytest.approx(width**2, rel=1e-6)


def test_filters_keep_the_precision_of_the_field():
    grid = Grid.box(0.0, 1.0, 8)
    field = jnp.ones(8, jnp.float32)
    assert prefilter(field, grid, 3, 1).dtype == mollify(field, grid, 0.1).dtype == jnp.float32


@pytest.mark.parametrize("arguments", [(4,), (3, 4), (-1, 0), (3, -1)])
def test_orders_that_do_not_exist_are_refused(arguments):
    grid = Grid.box(0.0, 1.0, 8)
    with pytest.raises(ValueError, match="order"):
        prefilter(jnp.ones(8), grid, *arguments)
