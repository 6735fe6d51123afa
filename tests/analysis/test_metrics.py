"""Distances between densities, and grids of different fineness."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxchemo as jc
from jaxchemo.analysis import coarsen, energy_distance, relative_distance, sliced_wasserstein
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


def clouds(n, m, ndim, seed=0):
    rng = np.random.default_rng(seed)
    return jnp.array(rng.normal(0, 1, (n, ndim))), jnp.array(rng.normal(0.5, 2, (m, ndim)))


class TestEnergyDistance:
    def test_along_a_line_it_is_that_of_distributions(self):
        """`2 int (F - G)^2`, without the pairs of a point and itself."""
        x, y = clouds(40, 27, 1)
        inner = [np.abs(a - a.T).sum() / len(a) ** 2 for a in (np.asarray(x), np.asarray(y))]
        whole = scipy.stats.energy_distance(x[:, 0], y[:, 0]) ** 2
        expected = whole + sum(inner) - inner[0] * 40 / 39 - inner[1] * 27 / 26
        assert float(energy_distance(x, y, block=16)) == pytest.approx(expected, rel=1e-12)

    def test_points_that_are_shifted(self):
        x = jnp.zeros((5, 3))
        assert float(energy_distance(x, x + jnp.array([3.0, 0.0, 4.0]))) == pytest.approx(10)

    @pytest.mark.slow
    def test_gaussians(self):
        """`E|N(a, s^2)|` is known; and one law is not far from itself."""
        rng = np.random.default_rng(1)
        x, z = (jnp.array(rng.normal(0, 1, (8000, 1))) for _ in range(2))

        def apart(a, s):
            return scipy.stats.foldnorm.mean(a / s, scale=s)

        expected = 2 * apart(0.5, np.sqrt(5)) - apart(0, np.sqrt(2)) - apart(0, np.sqrt(8))
        assert float(energy_distance(x, 0.5 + 2 * z)) == pytest.approx(expected, rel=0.1)
        assert abs(float(energy_distance(x, z))) < 2e-3

    def test_bad_input_is_refused(self):
        x, y = clouds(4, 4, 2)
        with pytest.raises(ValueError, match="`x` must be two or more points"):
            energy_distance(x[:1], y)
        with pytest.raises(ValueError, match="`x` and `y` must have as many dimensions, got 2 and 1"):
            energy_distance(x, y[:, :1])
        with pytest.raises(ValueError, match="`block` must be at least 1"):
            energy_distance(x, y, block=0)


class TestSlicedWasserstein:
    key = jax.random.key(0)

    def test_along_a_line_it_is_exact(self):
        """Against a cloud in which every point is there as often as makes the sizes equal."""
        x, y = clouds(6, 4, 1)
        many = [np.sort(np.repeat(np.asarray(a)[:, 0], k)) for a, k in ((x, 2), (y, 3))]
        expected = np.sqrt(np.mean((many[0] - many[1]) ** 2))
        assert float(sliced_wasserstein(x, y, self.key, 3)) == pytest.approx(expected, rel=1e-12)

    def test_shifts(self):
        """A shift by a is `a . n` along n: its mean square is `|a|^2 / d`."""
        x, _ = clouds(50, 2, 3)
        assert float(sliced_wasserstein(x, x, self.key)) == 0
        assert float(sliced_wasserstein(x[:, :1], x[:, :1] - 2.5, self.key)) == pytest.approx(2.5)
        shift = jnp.array([1.0, 2.0, 2.0])
        assert float(sliced_wasserstein(x, x + shift, self.key, 4000)) == pytest.approx(np.sqrt(3), rel=0.05)

    def test_gaussians(self):
        """W2 of N(0, 1) and N(a, s^2) is the root of `a^2 + (1 - s)^2`; quantiles stand for the laws."""
        x = jnp.array(scipy.stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000))[:, None]
        assert float(sliced_wasserstein(x, 0.3 + 1.4 * x, self.key, 2)) == pytest.approx(0.5, rel=1e-3)

    def test_bad_input_is_refused(self):
        x, y = clouds(4, 4, 2)
        with pytest.raises(ValueError, match="`directions` must be at least 1"):
            sliced_wasserstein(x, y, self.key, 0)
        with pytest.raises(ValueError, match="`y` must be two or more points"):
            sliced_wasserstein(x, y[:1], self.key)
