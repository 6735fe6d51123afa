"""Smoothing of tracks: what it minimises, what it leaves alone, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats
from scipy.optimize import minimize

from jaxchemo.inference import MovingAverage, TrendFilter, Unsmoothed

NOISY = np.random.default_rng(0).normal(size=(24, 3)).cumsum(axis=0)
ALL = jnp.ones((23, 3), bool)
trend = jax.jit(lambda x, strength, joined=ALL: TrendFilter(strength).smoothed(x, joined))
average = jax.jit(lambda x, width, joined=ALL: MovingAverage(width).smoothed(x, joined))


def test_trend_filter_is_at_the_minimum_of_its_objective():
    y, strength = NOISY[:, 0], 0.4

    def dual(u: np.ndarray) -> float:  # bounded, where the primal has kinks
        spread = np.convolve(u, [1, -2, 1])
        return 0.5 * float(np.sum((y - spread) ** 2))

    best = minimize(dual, np.zeros(22), bounds=[(-strength, strength)] * 22, method="L-BFGS-B", options={"ftol": 1e-14})
    exact = y - np.convolve(best.x, [1, -2, 1])
    ours = trend(NOISY, strength)[:, 0]

    def objective(x: np.ndarray) -> float:
        return 0.5 * float(np.sum((x - y) ** 2)) + strength * float(np.sum(np.abs(np.diff(x, 2))))

    assert objective(exact) <= objective(np.asarray(ours)) <= 1.003 * objective(exact)
    assert np.abs(np.asarray(ours) - exact).max() < 0.1 * np.abs(exact - y).max()


@settings(max_examples=10, deadline=None)
@given(slope=floats(-3, 3), strength=floats(0, 5), start=floats(-10, 10))
def test_a_straight_run_stays_as_it_is(slope, strength, start):
    line = start + slope * jnp.arange(24.0)[:, None] * jnp.ones(3)
    assert Unsmoothed().smoothed(line, ALL) == pytest.approx(np.asarray(line))
    assert trend(line, strength) == pytest.approx(np.asarray(line), abs=1e-6)
    assert average(line, strength)[10:14] == pytest.approx(np.asarray(line)[10:14], abs=1e-6)


@pytest.mark.parametrize("cut", [2, 9])
def test_tracks_in_one_lane_are_smoothed_as_if_they_were_alone(cut):
    first, rest = slice(0, cut), slice(cut, None)
    lanes = np.repeat(NOISY[:, :1], 3, axis=1)
    lanes[rest, 1], lanes[first, 2] = 7.0, -5.0  # other neighbours
    joined = ALL.at[cut - 1].set(False)
    for smooth in (trend, average):
        both, before, after = smooth(lanes, 1.5, joined).T
        assert both[first] == pytest.approx(np.asarray(before[first]), abs=1e-9)
        assert both[rest] == pytest.approx(np.asarray(after[rest]), abs=1e-9)


def test_each_lane_has_its_own_strength():
    strengths = jnp.array([0.0, 0.3, 3.0])
    for smooth in (trend, average):
        together = smooth(NOISY, strengths)
        alone = [smooth(NOISY, jnp.full(3, s))[:, k] for k, s in enumerate(strengths)]
        assert together == pytest.approx(np.stack(alone, axis=1), abs=1e-9)
        rough = jnp.sum(jnp.abs(jnp.diff(together, 2, axis=0)), axis=0)
        assert rough[1] < rough[0]
        assert together[:, 0] == pytest.approx(NOISY[:, 0], abs=1e-4)


def test_smoothing_has_a_derivative_in_its_strength():
    def rough(strength):
        return jnp.sum(trend(NOISY, strength) ** 2)

    step = 1e-5
    differences = (rough(0.3 + step) - rough(0.3 - step)) / (2 * step)
    assert jax.jvp(rough, (0.3,), (1.0,))[1] == pytest.approx(float(differences), rel=1e-3)


@pytest.mark.parametrize("kind", [TrendFilter, MovingAverage])
def test_a_negative_strength_is_refused(kind):
    with pytest.raises(ValueError, match="not be negative, got -1"):
        kind(-1.0)
