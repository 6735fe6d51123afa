"""Profiles: exact where the posterior is normal, along the valley where it is not, and open sides say why."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

import jaxchemo as jc
from jaxchemo.inference import Gaussian, GaussianField, LogNormal, Normal, Posterior, fit, laplace, profile

DESIGN = jnp.asarray(np.random.default_rng(0).normal(size=(6, 2)))


def linear(parameters, adjoint=None):
    return DESIGN @ jnp.stack([parameters["a"], parameters["b"]]), jc.RESULTS.successful


def quiet(*arguments, **settings):
    return profile(fit(*arguments, progress=False), progress=False, **settings)


def test_the_profile_of_a_normal_posterior_is_its_normal_interval():
    posterior = Posterior({"a": Normal(0.0, 2.0), "b": Normal(1.0, 3.0)}, linear, jnp.arange(6.0), Gaussian(0.5))
    best = fit(posterior, progress=False)
    profiles = profile(best, progress=False)
    assert [each.label for each in profiles] == ["a", "b"]
    for each in profiles:
        for level in (0.5, 0.9, 0.95):
            ends = [float(end) for end in laplace(best).interval(level)[each.label]]
            np.testing.assert_allclose(each.interval(level), ends, rtol=1e-6)
        assert each.below == each.above == "" and each.cost.min() == 0
        assert np.all(np.diff(each.values) > 0) and 8 <= len(each.values) <= 14


def product(parameters, adjoint=None):
    """Seen: a product, and one factor to a third: the valley is bent."""
    a, b = parameters["a"], parameters["b"]
    return jnp.stack([a * b, a]), jc.RESULTS.successful


def test_a_bent_valley_is_followed():
    posterior = Posterior(
        {"a": LogNormal(1.0, 5.0), "b": LogNormal(1.0, 5.0)},
        product,
        jnp.array([1.0, 1.2]),
        Gaussian(jnp.array([0.02, 0.4])),
    )
    best = fit(posterior, progress=False)
    (each,) = profile(best, "b", level=0.9, progress=False, tolerance=1e-8)

    def lowest(z):
        def cost(y):
            return -float(posterior.log_density(jnp.array([y, z])))

        return minimize_scalar(cost, bracket=(-z - 0.1, -z + 0.1), tol=1e-10).fun - best.cost

    ends = [
        brentq(lambda z: lowest(z) - 0.5 * 1.6448536**2, *between, xtol=1e-6)
        for between in ((-2, best.z[1]), (best.z[1], 2))
    ]
    expected = [float(posterior.parameters(jnp.array([0.0, end]))["b"]) for end in ends]
    np.testing.assert_allclose(each.interval(), expected, rtol=2e-3)
    # The normal approximation misses by much more.
    assert abs(float(laplace(best).interval(0.9)["b"][1]) / expected[1] - 1) > 0.05


class TestOpenSides:
    def test_a_wall_is_named(self):
        def predict(parameters, adjoint=None):
            bad = parameters["a"] > 1.1
            result = jc.RESULTS.where(bad, jc.RESULTS.unstable_step, jc.RESULTS.successful)
            return parameters["a"][None], result

        (each,) = quiet(Posterior({"a": Normal(0.0, 10.0)}, predict, jnp.ones(1), Gaussian(0.1)))
        assert each.below == "" and each.above.startswith("the next values are refused: The step is larger")
        lower, upper = each.interval()
        assert lower == pytest.approx(1 - 1.96 * 0.1, abs=1e-3) and upper == np.inf
        assert each.values[-1] == pytest.approx(1.1, abs=1e-3)
        assert each.interval(0.5)[1] == pytest.approx(1 + 0.6745 * 0.1, abs=1e-3)

    def test_what_only_the_prior_holds_is_said(self):
        def saturating(parameters, adjoint=None):
            return jnp.tanh(parameters["a"])[None], jc.RESULTS.successful

        (each,) = quiet(Posterior({"a": LogNormal(1.0, 10.0)}, saturating, jnp.array([0.95]), Gaussian(0.1)))
        assert each.above == "held by its prior, not by the data" and each.below == ""
        assert "above, held by its prior" in repr(each)

    def test_a_lower_cost_than_the_fit_is_warned_of(self):
        def two(parameters, adjoint=None):
            a = parameters["a"]
            return jnp.stack([a**2, 0.3 * (a - 1.0)]), jc.RESULTS.successful

        posterior = Posterior({"a": Normal(0.0, 3.0)}, two, jnp.array([1.0, 0.0]), Gaussian(0.5))
        local = fit(posterior, {"a": -0.9}, progress=False)
        assert local.converged and float(local.parameters["a"]) < 0
        with pytest.warns(UserWarning, match="finds a cost lower than that of the fit by .* fit again from there"):
            profile(local, level=0.999, progress=False)


def test_bad_input_is_refused():
    grid = jc.Grid.box(0.0, 1.0, 4)

    def predict(parameters, adjoint=None):
        return parameters["field"], jc.RESULTS.successful

    best = fit(
        Posterior({"field": GaussianField(grid, 1.0, 0.5, 0.3)}, predict, jnp.ones(4), Gaussian(0.1)), progress=False
    )
    with pytest.raises(ValueError, match=r"`labels`: 'field\[0\]' is of a field"):
        profile(best, progress=False)
    with pytest.raises(ValueError, match=r"`labels` must be of .*got 'speed'"):
        profile(best, "speed", progress=False)
    with pytest.raises(ValueError, match=r"`level` must be between 0 and 1, got 1\.5"):
        profile(best, level=1.5, progress=False)
