"""Draws: those of the normal law where the posterior is normal, and of quadrature where it is not."""

import importlib
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import Gaussian, LogNormal, Normal, Posterior, fit, full_hessian, laplace, sample
from jaxchemo.inference.sampling import _forward

DESIGN = jnp.asarray(np.random.default_rng(0).normal(size=(6, 2)))


def linear(parameters, adjoint=None):
    return DESIGN @ jnp.stack([parameters["a"], parameters["b"]]), jc.RESULTS.successful


LINEAR = Posterior({"a": Normal(0.0, 2.0), "b": Normal(1.0, 3.0)}, linear, jnp.arange(6.0), Gaussian(0.5))


def product(parameters, adjoint=None):
    a, b = parameters["a"], parameters["b"]
    return jnp.stack([a * b, a]), jc.RESULTS.successful


BENT = Posterior(
    {"a": LogNormal(1.0, 3.0), "b": LogNormal(1.0, 3.0)},
    product,
    jnp.array([1.0, 1.2]),
    Gaussian(jnp.array([0.3, 0.5])),
)


def quiet(posterior, **settings):
    return sample(fit(posterior, progress=False), key=jax.random.key(0), progress=False, **settings)


def test_few_draws_are_warned_of_and_shown():
    with pytest.warns(UserWarning, match="effective samples, less than 400: intervals are coarse"):
        samples = quiet(LINEAR, draws=20, chains=2, warmup=20)
    assert samples.z.shape == (2, 20, 2) and samples.parameters["a"].shape == (2, 20)
    assert samples.gradients >= 40 and samples.warmup >= 40
    assert "90% intervals, of 2 chains of 20 draws" in repr(samples) and "a: " in repr(samples)


def test_the_gradient_in_forward_mode_is_the_other():
    z = jnp.array([0.3, -0.4])
    value, gradient = jax.value_and_grad(_forward(BENT))(z)
    assert float(value) == pytest.approx(float(BENT.log_density(z)))
    np.testing.assert_allclose(gradient, jax.grad(BENT.log_density)(z), rtol=1e-12)


def test_without_numpyro_it_says_what_to_install(monkeypatch):
    best = fit(LINEAR, progress=False)
    known = importlib.import_module

    def missing(name, *rest):
        if name == "numpyro":
            raise ImportError("No module named 'numpyro'")
        return known(name, *rest)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r'pip install "jaxchemo\[inference\]"'):
        sample(best, key=jax.random.key(0), progress=False)


def test_bad_input_is_refused():
    best = fit(LINEAR, progress=False)
    with pytest.raises(ValueError, match="`acceptance` must be between 0 and 1"):
        sample(best, key=jax.random.key(0), acceptance=1.5, progress=False)
    with pytest.raises(ValueError, match="`draws` must be at least 4"):
        sample(best, key=jax.random.key(0), draws=1, progress=False)


@pytest.mark.slow
class TestLaws:
    def test_a_normal_posterior_is_the_normal_approximation(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # nothing speaks against these
            samples = quiet(LINEAR, draws=2000)
        known = laplace(fit(LINEAR, progress=False))
        # Five standard errors, by the effective samples.
        error = 5 / np.sqrt(min(samples.effective.values()))
        np.testing.assert_allclose((samples.z.mean(axis=(0, 1)) - known.z) / known.std, 0, atol=error)
        covariance = np.cov(samples.z.reshape(-1, 2).T)
        np.testing.assert_allclose(covariance, known.covariance, atol=error * 1.5 * float(np.max(known.covariance)))
        assert 1000 * min(samples.effective.values()) / samples.gradients > 150
        assert not samples.doubts

    @pytest.mark.parametrize("curvature", [jc.inference.gauss_newton, full_hessian])
    def test_a_bent_posterior_has_the_moments_of_quadrature(self, curvature):
        samples = quiet(BENT, draws=4000, curvature=curvature)
        axis = jnp.linspace(-6, 6, 601)
        density = np.exp(jax.vmap(lambda a: jax.vmap(lambda b: BENT.log_density(jnp.stack([a, b])))(axis))(axis))
        density /= density.sum()
        for entry, marginal in enumerate((density.sum(axis=1), density.sum(axis=0))):
            draws = samples.z[..., entry].ravel()
            mean = float(marginal @ axis)
            std = float(np.sqrt(marginal @ (axis - mean) ** 2))
            error = 5 / np.sqrt(min(samples.effective.values()))
            assert draws.mean() == pytest.approx(mean, abs=error * std)
            # The errors of moments and tails are those of correlated draws of a heavy tail: twice as large.
            assert draws.std() == pytest.approx(std, rel=2 * error)
            quantiles = np.interp([0.05, 0.95], np.cumsum(marginal), axis)
            np.testing.assert_allclose(np.quantile(draws, [0.05, 0.95]), quantiles, atol=2 * error * std)
        known = laplace(fit(BENT, progress=False))
        assert float(known.std[1]) != pytest.approx(std, rel=0.1)  # which the normal approximation misses
