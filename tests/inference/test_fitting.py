"""From data to parameters: exact where predictions are linear, and honest where a search cannot go on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import (
    Gaussian,
    LogNormal,
    Normal,
    Poisson,
    Posterior,
    Simulation,
    Uniform,
    fit,
    grid_shift,
    identify,
    laplace,
)
from jaxchemo.models import Model, Species

DESIGN = jnp.asarray(np.random.default_rng(0).normal(size=(6, 2)))


def linear(parameters, adjoint=None):
    return DESIGN @ jnp.stack([parameters["a"], parameters["b"]]), jc.RESULTS.successful


FREE = {"a": Normal(0.0, 2.0), "b": Normal(1.0, 3.0)}
LINEAR = Posterior(FREE, linear, jnp.arange(6.0), Gaussian(0.5))


def quiet(*arguments, **settings):
    return fit(*arguments, progress=False, **settings)


class TestLinear:
    """Where everything is normal, all is known in closed form."""

    def test_the_best_and_its_uncertainty_are_exact(self):
        best = quiet(LINEAR)
        precision = DESIGN.T @ DESIGN / 0.25 + jnp.diag(jnp.array([1 / 4, 1 / 9]))
        covariance = np.linalg.inv(precision)
        mean = covariance @ (DESIGN.T @ jnp.arange(6.0) / 0.25 + jnp.array([0.0, 1 / 9]))
        assert best.converged
        np.testing.assert_allclose([best.parameters["a"], best.parameters["b"]], mean, rtol=1e-6)
        known = laplace(best)
        np.testing.assert_allclose(known.covariance * jnp.outer(*[jnp.array([2.0, 3.0])] * 2), covariance, rtol=1e-9)
        low, high = known.interval(0.9)["a"]
        assert float(high - low) == pytest.approx(2 * 1.6448536 * np.sqrt(covariance[0, 0]), rel=1e-6)
        draws = known.sample(jax.random.key(0), 20_000)
        np.testing.assert_allclose(np.cov(draws["a"], draws["b"]), covariance, rtol=0.05)

    def test_the_log_density_has_its_maximum_there(self):
        best = quiet(LINEAR)
        np.testing.assert_allclose(jax.grad(LINEAR.log_density)(best.z), 0, atol=1e-6)
        assert float(LINEAR.log_density(best.z)) == pytest.approx(-best.cost)

    def test_what_the_data_know_is_said_in_words(self):
        def sum_only(parameters, adjoint=None):
            return jnp.full(3, parameters["a"] + parameters["b"]), jc.RESULTS.successful

        data, noise = jnp.array([1.0, 1.1, 0.9]), Gaussian(0.1)
        best = quiet(Posterior({"a": Normal(0.0, 1.0), "b": Normal(0.0, 1.0)}, sum_only, data, noise))
        known, unknown = identify(best)
        assert known.seen and known.information == pytest.approx(600)
        assert str(known) == "0.71 a + 0.71 b: known to 0.041 of the prior"
        assert not unknown.seen and str(unknown).endswith(": the data do not determine it")


def test_data_that_are_missing_count_for_nothing():
    data = jnp.arange(6.0).at[2].set(jnp.nan)
    with pytest.raises(ValueError, match="`data` must be finite: `missing=True` leaves out"):
        Posterior(FREE, linear, data, Gaussian(0.5))
    best = quiet(Posterior(FREE, linear, data, Gaussian(0.5), missing=True))
    few = jnp.delete(DESIGN, 2, axis=0)

    def fewer(parameters, adjoint=None):
        return few @ jnp.stack([parameters["a"], parameters["b"]]), jc.RESULTS.successful

    other = quiet(Posterior(FREE, fewer, jnp.delete(jnp.arange(6.0), 2), Gaussian(0.5)))
    np.testing.assert_allclose(best.z, other.z, rtol=1e-9)
    assert best.chi_square == pytest.approx(other.chi_square)


BINS = 16


def spreading(cells, dt):
    """A blob on a line, of which bins are counted; its mobility and its amount are not known."""

    def build(parameters):
        start = jc.initial.gaussian(mass=parameters["amount"], center=0.4, std=0.08)
        return jc.Problem(Model({"u": Species(parameters["mobility"])}), jc.Grid.box(0.0, 1.0, cells), start)

    return Simulation(
        build,
        jc.FiniteVolume(jc.SSPRK2()),
        ts=(0.5, 1.0),
        observe=lambda snapshot: snapshot.density.reshape(BINS, -1).mean(axis=1),
        dt=dt,
    )


PRIORS = {"mobility": LogNormal(0.01, 4.0), "amount": LogNormal(500.0, 2.0)}
TRUTH = {"mobility": 0.02, "amount": 800.0}


@pytest.fixture(scope="module")
def counted():
    """Counts drawn on a finer grid than any fit uses."""
    noise = Poisson(1 / BINS)
    predicted, _ = spreading(64, 0.002)(TRUTH)
    return noise, noise.draw(jax.random.key(3), predicted)


class TestCounts:
    def test_the_truth_is_within_its_error_bars_from_any_start(self, counted):
        noise, data = counted
        posterior = Posterior(PRIORS, spreading(32, 0.005), data, noise)
        first = quiet(posterior)
        other = quiet(posterior, {"mobility": 0.003, "amount": 2000.0})
        assert first.converged and other.converged and first.simulations <= 30
        np.testing.assert_allclose(first.z, other.z, atol=1e-2)
        known = laplace(first)
        assert np.all(np.abs(first.z - posterior.whitened(TRUTH)) < 3 * known.std)
        assert 0.4 < first.chi_square < 1.8
        assert "chi-square per datum" in repr(first) and "mobility" in repr(known)

    def test_the_derivative_is_that_of_differences(self, counted):
        noise, data = counted
        posterior = Posterior(PRIORS, spreading(32, 0.005), data, noise)
        z, h = jnp.array([0.3, -0.2]), 1e-5
        density = jax.jit(posterior.log_density)
        numeric = [(density(z + h * e) - density(z - h * e)) / (2 * h) for e in jnp.eye(2)]
        np.testing.assert_allclose(jax.grad(posterior.log_density)(z), numeric, rtol=1e-6)

    def test_what_the_grid_does_is_foretold(self):
        # So many that the noise is small beside the grid's error, and none of it in the data.
        noise, priors = Poisson(1 / BINS), PRIORS | {"amount": LogNormal(5e5, 2.0)}
        truth = TRUTH | {"amount": 8e5}
        data = spreading(128, 0.0005)(truth)[0] / BINS
        coarse = quiet(Posterior(priors, spreading(16, 0.01), data, noise))
        with pytest.warns(UserWarning, match="The grid shifts the fit by"):
            shift = grid_shift(coarse, spreading(32, 0.0025))
        actual = (coarse.z - coarse.posterior.whitened(truth)) / laplace(coarse).std
        assert abs(actual[0]) > 2
        assert shift.relative["mobility"] == pytest.approx(float(actual[0]), rel=0.25)
        with pytest.raises(ValueError, match=r"`data` has the shapes \(2, 16\), but \(2, 32\) are predicted"):
            grid_shift(coarse, lambda parameters, adjoint=None: (jnp.ones((2, 32)), jc.RESULTS.successful))
        error = [abs(float(value["mobility"]) / 0.02 - 1) for value in (coarse.parameters, shift.corrected)]
        assert error[1] < 0.3 * error[0]


class TestWhatGoesWrong:
    def wall(self, at, beyond=3.0):
        """A prediction that fails where `a` is beyond a wall; the data want it there."""

        def predict(parameters, adjoint=None):
            bad = parameters["a"] > at
            result = jc.RESULTS.where(bad, jc.RESULTS.unstable_step, jc.RESULTS.successful)
            return jnp.full(4, parameters["a"]), result

        return Posterior({"a": Normal(0.0, 2.0)}, predict, jnp.full(4, beyond), Gaussian(0.1))

    def test_a_search_that_ends_beside_a_refused_point_has_not_converged(self):
        best = quiet(self.wall(1.0))
        assert not best.converged and best.reason.startswith(
            "it ends beside a point that is refused: The step is larger"
        )
        assert float(best.parameters["a"]) == pytest.approx(1.0, abs=1e-2)
        assert any(step.refused for step in best.steps)
        with pytest.raises(ValueError, match="`fit` has not converged, as it ends beside"):
            laplace(best)

    def test_a_start_that_is_refused_is_left_for_the_median(self):
        best = quiet(self.wall(1.0, beyond=0.5), {"a": 5.0})
        assert best.converged and float(best.parameters["a"]) == pytest.approx(0.5, abs=1e-2)

    def test_no_run_that_goes_well_is_said(self):
        with pytest.raises(ValueError, match=r"No run goes well, from `start` down to the medians.*The step is larger"):
            quiet(self.wall(-1.0))

    def test_an_end_far_out_in_a_prior_is_said(self):
        def predict(parameters, adjoint=None):
            return jnp.full(4, parameters["a"]), jc.RESULTS.successful

        best = quiet(Posterior({"a": Uniform(0.0, 1.0)}, predict, jnp.full(4, 2.0), Gaussian(0.1)))
        assert not best.converged and "'a' ended at the edge of its prior" in best.reason

    def test_too_few_steps_are_said(self):
        best = quiet(LINEAR, {"a": 30.0, "b": 1.0}, max_steps=2)
        assert not best.converged and best.reason == "`max_steps`, 2, were not enough"

    def test_bad_input_is_refused(self):
        with pytest.raises(ValueError, match=r"`data` has the shapes \(5,\), but \(6,\) are predicted"):
            Posterior(FREE, linear, jnp.arange(5.0), Gaussian(0.5))
        with pytest.raises(ValueError, match="`data` must not be negative, as they are counts"):
            Posterior(FREE, linear, -jnp.arange(6.0), Poisson())
        with pytest.raises(ValueError, match="`parameters` must have a value for 'a' and 'b', got 'a'"):
            quiet(LINEAR, {"a": 1.0})
        with pytest.raises(ValueError, match=r"'a' is 2.0, which Uniform\(lower=0, upper=1\) excludes"):
            Posterior({"a": Uniform(0.0, 1.0), "b": Normal(0.0, 1.0)}, linear, jnp.arange(6.0), Gaussian(1.0)).whitened(
                {"a": 2.0, "b": 0.0}
            )
        with pytest.raises(TypeError, match=r"`priors.'a'.` must be a prior such as"):
            Posterior({"a": 1.0}, linear, jnp.arange(6.0), Gaussian(0.5))

    def test_simulations_are_checked(self):
        settings = dict(ts=(0.5,), observe=lambda snapshot: snapshot.density, dt=0.01)
        build = spreading(16, 0.01).build
        with pytest.raises(TypeError, match=r"whose noise would be fitted with the data.*FiniteVolume\(\)"):
            Simulation(build, jc.ParticleField(100), **settings)
        with pytest.raises(ValueError, match="`ts` must be increasing times that begin at or after `t0`"):
            Simulation(build, jc.FiniteVolume(), **{**settings, "ts": (1.0, 0.5)})
        with pytest.raises(ValueError, match="`ts` must be increasing times that begin at or after `t0`"):
            Simulation(build, jc.FiniteVolume(), **settings, t0=0.6)
        with pytest.raises(TypeError, match="takes a time step, `dt=`"):
            Simulation(build, jc.FiniteVolume(), **{**settings, "dt": None})
