"""Simulated moments: truths are found again, error bars hold them, and a model that is wrong is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo.inference import LogNormal, Normal, calibrate_match, match
from jaxchemo.inference.matched import refit

COUNT = 400
PRIORS = {"mean": LogNormal(1.0, 2.0), "shape": LogNormal(3.0, 1.5)}


def gamma(parameters, key):
    """Summaries of `COUNT` numbers of a gamma law, whose likelihood nobody writes down."""
    shape = parameters["shape"][:, None]
    x = parameters["mean"][:, None] / shape * jax.random.gamma(key, jnp.broadcast_to(shape, (len(shape), COUNT)))
    return jnp.log(jnp.stack([x.mean(axis=1), x.var(axis=1), jnp.quantile(x, 0.2, axis=1)], axis=1))


def truth(mean, shape):
    return {"mean": jnp.array([mean]), "shape": jnp.array([shape])}


@pytest.fixture(scope="module")
def found():
    data = gamma(truth(1.7, 4.0), jax.random.key(5))[0]
    return match(PRIORS, jax.jit(gamma), data, key=jax.random.key(0), n=150, batch=50, progress=False)


@pytest.mark.slow
def test_error_bars_are_those_of_the_sample(found):
    assert found.settled
    lower, upper = (float(end) for end in found.interval(0.9)["mean"])
    assert lower < 1.7 < upper
    # The mean of 400 numbers of variance mean^2 / shape: no method can know it better.
    error = 1.7 / np.sqrt(4.0 * COUNT)
    assert (upper - lower) / (2 * 1.645) == pytest.approx(error, rel=0.15)


@pytest.mark.slow
def test_a_model_that_is_right_has_the_expected_misfit(found):
    assert found.p_value > 0.01 and found.widened == 1
    assert all(abs(value) < 3 for value in found.misfit.values())


@pytest.mark.slow
def test_a_model_that_is_wrong_is_told(found):
    x = np.random.default_rng(0).normal(5.0, 0.3, COUNT)
    x[:80] = 0.3  # no gamma law has such a tail
    data = np.log([x.mean(), x.var(), np.quantile(x, 0.2)])
    wrong = match(PRIORS, jax.jit(gamma), data, key=jax.random.key(0), n=150, batch=50, progress=False)
    assert not wrong.settled or wrong.widened > 1


@pytest.mark.slow
def test_nothing_is_learnt_from_summaries_that_do_not_change():
    def noise(parameters, key):
        return jax.random.normal(key, (parameters["x"].size, 2))

    blind = match({"x": Normal(0.0, 1.0)}, noise, [0.3, 0.1], key=jax.random.key(0), n=100, batch=50, progress=False)
    assert float(blind.known.std[0]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
def test_a_larger_data_set_says_more():
    data = gamma(truth(1.7, 4.0), jax.random.key(5))[0]
    one, four = (
        match(PRIORS, jax.jit(gamma), data, size=size, key=jax.random.key(0), n=400, batch=100, progress=False)
        for size in (1.0, 0.25)
    )
    assert np.asarray(four.known.std / one.known.std) == pytest.approx(0.5, rel=0.15)


@pytest.mark.slow
def test_refits_of_the_same_data_end_where_the_fit_did(found):
    assert refit(found, found.data[None])[0] == pytest.approx(np.asarray(found.fit.z), abs=0.02)


@pytest.mark.slow
def test_intervals_hold_the_truth():
    data = gamma(truth(1.7, 4.0), jax.random.key(5))[0]
    found = match(PRIORS, jax.jit(gamma), data, key=jax.random.key(1), n=1000, batch=100, progress=False)
    calibration, squares = calibrate_match(
        found, jax.jit(gamma), 1000, key=jax.random.key(9), batch=100, progress=False
    )
    for share in calibration.coverage(0.9).values():
        assert share == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / 1000))
    assert np.mean(squares) == pytest.approx(found.expected[0], rel=0.2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n": 10}, "`n` must be at least 21, got 10"),
        ({"data": [1.0, np.nan, 2.0]}, "`data` must be finite"),
        ({"names": ["one"]}, "`names` must name each of 3 summaries, got 1"),
        ({"size": 0.0}, "`size` must be positive"),
        ({"priors": {"x": Normal(jnp.zeros(3), 1.0)}}, "single numbers"),
    ],
)
def test_bad_input_is_refused(changed, message):
    given = {"priors": PRIORS, "simulate": gamma, "data": np.zeros(3), "n": 100} | changed
    with pytest.raises(ValueError, match=message):
        match(**given, key=jax.random.key(0), progress=False)


def test_simulations_without_finite_summaries_are_counted():
    def sometimes(parameters, key):
        made = gamma(parameters, key)
        return jnp.where(parameters["mean"][:, None] > 1.0, made, jnp.nan)

    with pytest.raises(ValueError, match="not finite, too many"):
        match(PRIORS, sometimes, np.zeros(3), key=jax.random.key(0), n=30, progress=False)
