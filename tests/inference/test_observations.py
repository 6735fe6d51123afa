"""What instruments see: exact for fields of which that is known, and with derivatives as differences have them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import At, BinMeans, Front, Moments


def seen(values):
    return jc.Snapshot(jnp.asarray(values), None)


def test_points_are_exact_for_what_is_linear_along_each_axis():
    grid = jc.Grid.box((0.0, -1.0), (1.0, 2.0), (8, 12))
    points = np.array([[0.2, 0.3], [0.5, 1.1], [0.9, -0.7]])

    def plane(x):
        return 1 + 2 * x[..., 0] - x[..., 1] + x[..., 0] * x[..., 1]

    found = At(grid, points)(seen(plane(grid.centers)))
    np.testing.assert_allclose(found, plane(points), rtol=1e-12)


def test_a_point_beside_a_periodic_wall_has_a_neighbour_beyond_it():
    grid = jc.Grid.box(0.0, 1.0, 4, jc.Periodic())
    assert float(At(grid, [0.0])(seen([1.0, 0.0, 0.0, 3.0]))[0]) == pytest.approx(2.0)


def test_bins_keep_mass():
    grid = jc.Grid.box(0.0, 2.0, 10)
    edges = np.array([0.0, 0.33, 1.07, 2.0])
    values = np.random.default_rng(0).uniform(size=10)
    means = BinMeans(grid, edges)(seen(values))
    assert float(means @ np.diff(edges)) == pytest.approx(values.sum() * 0.2)


def test_moments_of_a_gaussian():
    grid = jc.Grid.box((-4.0, -4.0), (4.0, 4.0), (64, 64))
    shape = jnp.exp(-0.5 * (((grid.centers - jnp.array([0.3, -0.2])) / jnp.array([0.4, 0.7])) ** 2).sum(-1))
    mass, *others = Moments(grid)(seen(2 * shape))
    assert float(mass) == pytest.approx(4 * np.pi * 0.28, rel=1e-6)
    np.testing.assert_allclose(others, [0.3, -0.2, 0.16, 0.49], rtol=1e-4)


def test_a_front_moves_smoothly_and_is_nan_where_there_is_none():
    grid = jc.Grid.box(0.0, 10.0, 40)

    def place(shift):
        return Front(grid, 0.5)(seen(jax.nn.sigmoid(-(grid.axes[0] - shift))))

    shifts = jnp.linspace(4.0, 5.0, 7)
    np.testing.assert_allclose(jax.vmap(place)(shifts), shifts, atol=2e-3)
    slope = (place(4.43 + 1e-6) - place(4.43 - 1e-6)) / 2e-6
    assert float(jax.grad(place)(4.43)) == pytest.approx(float(slope), rel=1e-5)
    assert np.isnan(float(Front(grid, 2.0)(seen(jax.nn.sigmoid(-grid.axes[0])))))


@pytest.mark.parametrize(
    "make",
    [lambda g: At(g, [0.31, 0.77]), lambda g: BinMeans(g, [0.1, 0.4, 0.9]), Moments],
    ids=["at", "bins", "moments"],
)
def test_derivatives_are_those_of_differences(make):
    grid = jc.Grid.box(0.0, 1.0, 6)
    observe, at = make(grid), jnp.array([1.0, 2.0, 4.0, 3.0, 2.0, 1.0])
    along = jnp.array([0.3, -1.0, 0.5, 0.2, 0.9, -0.4])
    _, slope = jax.jvp(lambda u: observe(seen(u)), (at,), (along,))
    difference = (observe(seen(at + 1e-6 * along)) - observe(seen(at - 1e-6 * along))) / 2e-6
    np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-8)


def test_what_lies_outside_is_refused():
    grid = jc.Grid.box(0.0, 1.0, 4)
    with pytest.raises(ValueError, match=r"`points` must be inside of the box .* \(1 of 2 are outside\)"):
        At(grid, [0.5, 1.5])
    with pytest.raises(ValueError, match="`edges` must be increasing numbers between 0 and 1"):
        BinMeans(grid, [0.0, 1.2])
    with pytest.raises(ValueError, match="`grid` must have one dimension, got 2"):
        Front(jc.Grid.box((0.0, 0.0), (1.0, 1.0), (4, 4)), 1.0)
