"""Noise: half the squared residuals are the log likelihood, smooth where prediction and data agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxchemo.inference import Gaussian, NegativeBinomial, Poisson

COUNTS = np.array([0.0, 1.0, 2.0, 7.0, 40.0, 1000.0])
MEANS = np.array([0.3, 1.0, 2.5, 6.99, 55.0, 1000.1])


def test_normal_noise_is_scipys():
    expected = stats.norm(MEANS, 0.7).logpdf(COUNTS)
    np.testing.assert_allclose(Gaussian(0.7).log_likelihood(jnp.asarray(MEANS), jnp.asarray(COUNTS)), expected)


def test_counts_are_scipys():
    found = Poisson(2.0).log_likelihood(jnp.asarray(MEANS), jnp.asarray(COUNTS))
    np.testing.assert_allclose(found, stats.poisson(2 * MEANS).logpmf(COUNTS), rtol=1e-10, atol=1e-10)


def test_varied_counts_are_scipys():
    found = NegativeBinomial(5.0, 2.0).log_likelihood(jnp.asarray(MEANS), jnp.asarray(COUNTS))
    expected = stats.nbinom(5.0, 5 / (5 + 2 * MEANS)).logpmf(COUNTS)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("noise", [Poisson(), NegativeBinomial(3.0)], ids=repr)
@pytest.mark.parametrize("count", [0.0, 1.0, 50.0])
def test_residuals_rise_smoothly_through_agreement(noise, count):
    means = jnp.linspace(0.9 * count + 0.01, 1.1 * count + 0.02, 401)

    def residual(mean):
        return noise.residuals(mean, jnp.asarray(count))

    slopes = jax.vmap(jax.grad(residual))(means)
    values = jax.vmap(residual)(means)
    assert bool(jnp.all(jnp.isfinite(slopes))) and bool(jnp.all(slopes > 0))
    np.testing.assert_allclose(slopes[1:-1], (values[2:] - values[:-2]) / (means[2:] - means[:-2]), rtol=5e-3)
    # The second differences show no kink, where the two forms of it meet.
    bends = np.diff(np.asarray(slopes), 2) / np.asarray(slopes[1:-1])
    assert np.max(np.abs(bends)) < 0.1 if count == 0 else np.max(np.abs(bends)) < 1e-5


@pytest.mark.parametrize("noise, variance", [(Poisson(3.0), 6.0), (NegativeBinomial(4.0, 3.0), 6 + 36 / 4)], ids=repr)
def test_draws_have_mean_and_variance(noise, variance):
    draws = np.asarray(noise.draw(jax.random.key(0), jnp.full(100_000, 2.0)))
    assert draws.mean() == pytest.approx(6.0, abs=5 * np.sqrt(variance / 1e5))
    assert draws.var() == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize("noise", [Poisson(), NegativeBinomial(3.0)], ids=repr)
def test_a_mean_below_zero_has_no_likelihood(noise):
    assert bool(jnp.isnan(noise.residuals(jnp.asarray(-0.1), jnp.asarray(2.0))))


def test_numbers_out_of_range_are_refused():
    for build, name in ((lambda: Gaussian(0.0), "std"), (lambda: Poisson(-1.0), "exposure")):
        with pytest.raises(ValueError, match=f"`{name}` must be positive"):
            build()
    with pytest.raises(ValueError, match="`size` must be positive"):
        NegativeBinomial(0.0)
