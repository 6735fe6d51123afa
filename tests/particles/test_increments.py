"""Brownian increments: moments, and what antithetic pairs do and do not change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.particles.increments import morton

GRID = jc.Grid.box((-1,) * 3, (1,) * 3, (8,) * 3)
N = 200_000


def cloud(n, key=0):
    x = jax.random.uniform(jax.random.key(key), (3, n), minval=-1.0, maxval=1.0)
    return tuple(x)


KINDS = [jc.Normal(), jc.ThreePoint(), jc.Antithetic(), jc.Antithetic(jc.ThreePoint())]


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_moments_are_those_of_a_normal_up_to_the_fifth(kind):
    z = np.stack(kind(jax.random.key(1), cloud(N), GRID))
    for power, exact, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (5, 0, 945)):
        assert np.allclose((z**power).mean(axis=1), exact, atol=5 * np.sqrt(spread * 2 / N))
    assert np.allclose(np.corrcoef(z), np.eye(3), atol=5 * np.sqrt(2 / N))


def test_three_point_increments_have_variance_one_exactly():
    z = np.asarray(jc.ThreePoint()(jax.random.key(0), cloud(1000), GRID)[0])
    jump = np.max(z)
    assert set(np.round(np.unique(z / jump))) == {-1.0, 0.0, 1.0}
    assert 2 * (171 / 1024) * jump**2 == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 1000, 1001])
def test_antithetic_pairs_cancel_and_are_close(n):
    x = cloud(n)
    z = jc.Antithetic()(jax.random.key(2), x, GRID)
    order = np.argsort(np.asarray(morton(x, GRID)), kind="stable")
    first, second = order[0 : 2 * (n // 2) : 2], order[1 : 2 * (n // 2) : 2]
    for axis in z:
        assert np.array_equal(np.asarray(axis)[first], -np.asarray(axis)[second])
    if n >= 1000:
        apart = sum((np.asarray(c)[first] - np.asarray(c)[second]) ** 2 for c in x)
        assert np.sqrt(np.median(apart)) < 0.5 * (8 / n) ** (1 / 3) * 3  # about the mean distance of neighbours


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_morton_curve_visits_each_half_and_each_quarter_in_turn(ndim):
    grid = jc.Grid.box((0,) * ndim, (1,) * ndim, (8,) * ndim)
    n = 8
    cells = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n] * ndim, indexing="ij"), -1).reshape(-1, ndim)
    code = np.asarray(morton(tuple(jnp.asarray(cells.T)), grid)).astype(np.int64)
    assert len(np.unique(code)) == n**ndim
    blocks = cells[np.argsort(code)].reshape(2**ndim, -1, ndim)
    assert np.all(
        np.ptp(blocks, axis=1) < 0.5
    )  # the first 2^-d of the curve fills one block of half the size, and so on
    walls = tuple(jnp.array([0.0, 1.0]) for _ in range(ndim))
    ends = np.asarray(morton(walls, grid)).astype(np.int64)
    assert ends[0] == 0 and ends[1] >= code.max()
