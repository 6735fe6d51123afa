"""Points in the unit cube: open, uniform, and for Sobol evenly spread at every scale."""

import jax
import numpy as np
import pytest
from scipy.stats import kstest, qmc

from jaxchemo.initial import Random, Sobol


@pytest.mark.parametrize("points", [Random(), Sobol()], ids=["random", "sobol"])
@pytest.mark.parametrize("double", [True, False])
def test_points_are_in_the_open_cube(points, double):
    with jax.enable_x64(double):
        u = np.asarray(points(jax.random.key(0), 3000, 3))
    assert u.dtype == (np.float64 if double else np.float32) and u.shape == (3000, 3)
    assert np.all((u > 0) & (u < 1))
    for axis in range(3):
        assert kstest(u[:, axis], "uniform").pvalue > 1e-3


@pytest.mark.parametrize("points", [Random(), Sobol()], ids=["random", "sobol"])
def test_a_key_decides_the_points(points):
    one, again, other = (np.asarray(points(jax.random.key(seed), 64, 2)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.any(one == other)


def test_sobol_is_scipys_sequence_up_to_a_shift():
    """In Gray-code order as there; one digital shift per dimension for all points."""
    ours = np.asarray(Sobol()(jax.random.key(4), 1024, 5))
    plain = qmc.Sobol(5, scramble=False, bits=32).random(1024)
    words = [(u * 2.0**32).astype(np.uint64) for u in (ours, plain)]
    shift = words[0] ^ words[1]
    assert np.all(shift == shift[0])


@pytest.mark.parametrize("k", [5, 10])
def test_sobol_fills_every_elementary_box_once(k):
    """A (0, k, 2)-net: each dyadic box of area 2^-k holds one point, however it is divided between the two axes."""
    u = np.asarray(Sobol()(jax.random.key(1), 2**k, 2))
    for a in range(k + 1):
        boxes = np.floor(u * [2**a, 2 ** (k - a)]).astype(int)
        assert len(np.unique(boxes, axis=0)) == 2**k


def test_each_sobol_point_is_uniform_over_keys():
    """Unbiased: over the shifts, any one point has the uniform law."""
    first = np.array([Sobol()(jax.random.key(seed), 7, 2)[6, 1] for seed in range(300)])
    assert kstest(first, "uniform").pvalue > 1e-3


def test_sobol_refuses_more_points_than_it_has():
    with pytest.raises(ValueError, match=r"`n` is 16777217: Sobol\(\) has 2\^24 points at most; Random\(\)"):
        Sobol()(jax.random.key(0), 2**24 + 1, 2)
