"""The pure step of a search: the ball's minimum is exact, entries can be held, and many searches are as one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import jaxchemo as jc
from jaxchemo.inference import Gaussian, Normal, Posterior, fit, multistart
from jaxchemo.inference.search import _step, minimise


def bent(parameters, adjoint=None):
    a, b = parameters["a"], parameters["b"]
    return jnp.stack([jnp.exp(a) - b, a + b**2, jnp.sin(b)]), jc.RESULTS.successful


POSTERIOR = Posterior({"a": Normal(0.0, 1.0), "b": Normal(0.0, 1.0)}, bent, jnp.array([2.0, 1.0, 0.4]), Gaussian(0.2))


@pytest.mark.parametrize("radius", [0.1, 1.0, 100.0])
def test_the_step_is_the_minimum_in_the_ball(radius):
    rng = np.random.default_rng(0)
    jacobian, residuals, z = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=3)
    step, expected = _step(*map(jnp.asarray, (jacobian, residuals, z)), jnp.ones(3), jnp.asarray(radius))

    def cost(s):
        return 0.5 * np.sum((residuals + jacobian @ s) ** 2) + 0.5 * np.sum((z + s) ** 2)

    inside = {"type": "ineq", "fun": lambda s: radius**2 - s @ s, "jac": lambda s: -2 * s}
    best = minimize(cost, np.zeros(3), constraints=inside, method="SLSQP", options={"ftol": 1e-14})
    np.testing.assert_allclose(step, best.x, atol=1e-5)
    assert float(expected) == pytest.approx(cost(np.zeros(3)) - cost(np.asarray(step)))


def test_single_precision_keeps_what_only_the_prior_holds():
    # Data that see one direction a million times better than the prior, and another not at all.
    jacobian = jnp.array([[1e3, 1e3]], jnp.float32)
    z = jnp.array([0.5, 0.0], jnp.float32)
    step, _ = _step(jacobian, jnp.zeros(1, jnp.float32), z, jnp.ones(2, jnp.float32), jnp.float32(10.0))
    np.testing.assert_allclose(step, [-0.25, 0.25], atol=1e-3)


def test_held_entries_stay_and_the_others_are_best():
    search = eqx.filter_jit(minimise)(
        POSTERIOR, jnp.array([0.3, 0.5]), jnp.array([1.0, 0.0]), tolerance=1e-9, max_steps=50
    )
    assert float(search.z[1]) == 0.5
    slope = jax.grad(POSTERIOR.log_density)(search.z)
    assert abs(float(slope[0])) < 1e-4 < abs(float(slope[1]))


def test_many_at_once_are_as_each_alone():
    starts = jax.random.normal(jax.random.key(0), (4, 2))
    together = multistart(POSTERIOR, 4, key=jax.random.key(0), progress=False)
    alone = sorted(
        (fit(POSTERIOR, POSTERIOR.parameters(z), progress=False) for z in starts), key=lambda each: each.cost
    )
    for one, other in zip(together.fits, alone, strict=True):
        np.testing.assert_allclose(one.z, other.z, atol=1e-8)
        assert (one.simulations, len(one.steps), one.reason) == (other.simulations, len(other.steps), other.reason)


class TestMultistart:
    def square(self, parameters, adjoint=None):
        bad = parameters["x"] > 2.0
        return parameters["x"][None] ** 2, jc.RESULTS.where(bad, jc.RESULTS.nonfinite, jc.RESULTS.successful)

    def test_other_optima_are_counted(self):
        posterior = Posterior({"x": Normal(0.2, 1.0)}, self.square, jnp.ones(1), Gaussian(0.1))
        found = multistart(posterior, 12, key=jax.random.key(1), progress=False)
        starts = jax.random.normal(jax.random.key(1), (12, 1))[:, 0] + 0.2
        assert float(found.best.parameters["x"]) == pytest.approx(1.0, abs=0.01)
        assert found.agree == int(np.sum(starts > 0)) and found.agree < 12
        assert f"{found.agree} of 12 starts agree" in repr(found) and "end at other optima, worse by" in repr(found)
        assert found.simulations == sum(each.simulations for each in found.fits)

    def test_starts_that_do_not_agree_are_warned_of(self):
        posterior = Posterior({"x": Normal(0.2, 1.0)}, self.square, jnp.ones(1), Gaussian(0.1))
        with pytest.warns(UserWarning, match="No two starts agree"):
            multistart(posterior, 2, key=jax.random.key(0), max_steps=1, progress=False)

    def test_no_run_that_goes_well_is_said(self):
        posterior = Posterior({"x": Normal(20.0, 1.0)}, self.square, jnp.ones(1), Gaussian(0.1))
        with pytest.raises(ValueError, match="No run goes well, from 3 draws of the priors down to their medians"):
            multistart(posterior, 3, key=jax.random.key(0), progress=False)
