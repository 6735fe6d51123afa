"""Fields of unknowns: exact where predictions are linear, as with a Jacobian elsewhere, and honest where stuck."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import (
    Gaussian,
    GaussianField,
    LogNormal,
    Normal,
    Posterior,
    Simulation,
    centred,
    corrected,
    fit,
    fit_field,
    laplace_field,
)
from jaxchemo.inference.directions import directions_of, largest

P, N = 40, 25
DESIGN = jnp.asarray(np.random.default_rng(0).normal(size=(N, P)) * np.geomspace(30, 0.01, N)[:, None])
DATA = jnp.asarray(np.random.default_rng(1).normal(size=N)) * 5


def linear(parameters, adjoint=None):
    return DESIGN @ parameters["a"], jc.RESULTS.successful


LINEAR = Posterior({"a": Normal(jnp.zeros(P), 1.0)}, linear, DATA, Gaussian(1.0))


def quiet(*arguments, **settings):
    return fit_field(*arguments, progress=False, **settings)


class TestLinear:
    """Where everything is normal, all is known in closed form."""

    precision = np.eye(P) + DESIGN.T @ DESIGN
    mean = np.linalg.solve(precision, DESIGN.T @ DATA)

    def test_the_best_is_exact(self):
        best = quiet(LINEAR, tolerance=1e-12)
        assert best.converged
        np.testing.assert_allclose(best.z, self.mean, atol=1e-6)
        # The gradient is that of the log density, and a product, a gradient are counted as they are priced.
        np.testing.assert_allclose(best.gradient, -jax.grad(LINEAR.log_density)(best.z), atol=1e-9)
        assert (best.simulations - 5 * best.gradients) % 2 == 0 and best.simulations > 5 * best.gradients

    def test_the_tolerance_bounds_what_is_left(self):
        lowest = quiet(LINEAR, tolerance=1e-12).cost
        for tolerance in (1.0, 1e-2, 1e-4):
            best = quiet(LINEAR, tolerance=tolerance)
            assert best.converged and 0 <= best.cost - lowest < 2 * tolerance

    def test_the_covariance_is_exact_where_no_direction_is_left_out(self):
        known = laplace_field(quiet(LINEAR), least=1e-6)
        covariance = np.linalg.inv(self.precision)
        np.testing.assert_allclose(jax.vmap(known.directions.covariance)(jnp.eye(P)), covariance, atol=1e-4)
        root = np.asarray(jax.vmap(known.directions.root)(jnp.eye(P)))
        np.testing.assert_allclose(root @ root, covariance, atol=1e-4)
        draws = known.sample(jax.random.key(0), 40_000)["a"]
        np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.03)
        low, high = known.interval(0.9, key=jax.random.key(1), n=20_000)["a"]
        np.testing.assert_allclose(high - low, 2 * 1.6448536 * np.sqrt(np.diag(covariance)), rtol=0.06)

    def test_a_direction_that_is_left_out_makes_error_bars_longer_but_not_by_much(self):
        known = laplace_field(quiet(LINEAR), least=0.1)
        std = np.sqrt(np.diag(jax.vmap(known.directions.covariance)(jnp.eye(P))))
        exact = np.sqrt(np.diag(np.linalg.inv(self.precision)))
        assert np.all(std > exact * (1 - 1e-3)) and np.all(std < exact * 1.05)
        values = np.linalg.eigvalsh(DESIGN.T @ DESIGN)
        assert known.directions.information.size == np.sum(values > 0.1)
        assert known.seen == np.sum(values > 1)
        assert repr(known) == f"The data know more than the prior of {known.seen} directions of 40"

    def test_what_the_grid_does_is_taken_back(self):
        error = jnp.linspace(-1.0, 2.0, N)

        def finer(parameters, adjoint=None):
            return linear(parameters)[0] - 0.75 * error, jc.RESULTS.successful

        moved = corrected(laplace_field(quiet(LINEAR, tolerance=1e-12), least=1e-6), finer)
        # As if the predictions had been lower by the error of the grid.
        exact = np.linalg.solve(self.precision, DESIGN.T @ (DATA + error))
        np.testing.assert_allclose(moved.z, exact, atol=1e-4)
        with pytest.raises(ValueError, match="`finer` does not go well at the fit: The step is larger"):
            corrected(moved, lambda parameters, adjoint=None: (DATA, jc.RESULTS.unstable_step))


def test_what_a_symmetric_matrix_has_twice_is_found_twice():
    values = np.array([9.0, 9.0, 9.0, 4.0, 4.0, 0.5, *np.full(94, 1e-3)])
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(100, 100)))[0]
    matrix = turn * values @ turn.T
    found, vectors, products = largest(lambda block: matrix @ block, 100, 0.1)
    np.testing.assert_allclose(found, values[:6], rtol=1e-6)
    np.testing.assert_allclose(matrix @ vectors, vectors * found, atol=1e-3)
    assert products < 100


def pushed(cells, dt):
    """Bins of a population in 1D that climbs a food which is unknown in 16 cells."""

    def build(parameters):
        food = jc.initial.array(jnp.repeat(parameters["food"], cells // 16))
        line = jc.Grid.box(0.0, 4.0, cells)
        return jc.Problem(jc.models.phks(0.2, 0.5), line, jc.initial.uniform(amplitude=0.5), food)

    return Simulation(
        build,
        jc.FiniteVolume(),
        ts=(0.2, 0.4),
        observe=lambda snapshot: snapshot.density.reshape(16, -1).mean(axis=1),
        dt=dt,
    )


@pytest.fixture(scope="module")
def food():
    """An unknown food, seen on a finer grid than that of the fit."""
    prior = GaussianField(jc.Grid.box(0.0, 4.0, 16), mean=2.0, std=0.5, length=1.0)
    truth = prior.value(jax.random.normal(jax.random.key(0), (16,)))
    clean, _ = pushed(64, 0.002)({"food": truth})
    data = Gaussian(0.03).draw(jax.random.key(1), clean)
    return Posterior({"food": prior}, pushed(16, 0.04), data, Gaussian(0.03))


class TestField:
    def test_it_is_what_a_fit_with_a_jacobian_finds(self, food):
        best, other = quiet(food, tolerance=1e-6), fit(food, tolerance=1e-8, progress=False)
        assert best.converged and other.converged
        assert best.cost == pytest.approx(other.cost, abs=1e-5)
        np.testing.assert_allclose(best.z, other.z, atol=5e-3)
        values = np.linalg.eigvalsh(other.jacobian.T @ other.jacobian)[::-1]
        kept = laplace_field(best).directions
        np.testing.assert_allclose(kept.information, values[: kept.information.size], rtol=1e-2)
        assert "16 unknowns; chi-square per datum" in repr(best)

    def test_products_are_those_with_the_jacobian(self, food):
        z = 0.1 * jnp.arange(16.0)
        jacobian = np.asarray(jax.jacfwd(lambda z: food.residuals(z, jc.Forward()))(z))
        seen = directions_of(food, z, 1e-9)
        matrix = seen.vectors * seen.information @ seen.vectors.T
        np.testing.assert_allclose(matrix, jacobian.T @ jacobian, atol=1e-6)

    def test_the_gradient_is_that_of_differences(self, food):
        z, h = 0.1 * jnp.arange(16.0), 1e-5
        density, along = jax.jit(food.log_density), jnp.ones(16) / 4
        numeric = (density(z + h * along) - density(z - h * along)) / (2 * h)
        assert float(jax.grad(food.log_density)(z) @ along) == pytest.approx(float(numeric), rel=1e-6)


def test_the_middle_is_far_from_the_peak_where_many_directions_are_seen():
    """Numbers that are seen the better the larger a factor of them all is, whose own density is known exactly."""
    count, noise = 100, 0.5

    def predict(parameters, adjoint=None):
        return parameters["scale"] * parameters["parts"], jc.RESULTS.successful

    priors = {"scale": LogNormal(1.0, 1.3), "parts": Normal(jnp.zeros(count), 1.0)}
    signal, scatter = jax.random.normal(jax.random.key(0), (2, count))
    data = 1.2 * signal + noise * scatter
    posterior = Posterior(priors, predict, data, Gaussian(noise))
    # Without the parts, over which the integral is known: data are normal, of variance scale^2 + noise^2.
    z = np.linspace(-4, 4, 4001)
    variance = 1.3 ** (2 * z) + noise**2
    log = -0.5 * z**2 - 0.5 * count * np.log(variance) - 0.5 * float(data @ data) / variance
    weight = np.exp(log - log.max())
    exact = np.sum(z * weight) / np.sum(weight)
    width = np.sqrt(np.sum((z - exact) ** 2 * weight) / np.sum(weight))
    peak = laplace_field(quiet(posterior, tolerance=1e-8), least=1e-3)
    middle = centred(peak)
    scale = posterior.labels.index("scale")
    off = [abs(float(known.z[scale]) - exact) / width for known in (peak, middle)]
    assert off[0] > 3 and off[1] < 0.3


class TestWhatGoesWrong:
    def wall(self, at, beyond=3.0):
        """A prediction that fails where the first number is beyond a wall; the data want it there."""

        def predict(parameters, adjoint=None):
            bad = parameters["a"][0] > at
            return parameters["a"], jc.RESULTS.where(bad, jc.RESULTS.unstable_step, jc.RESULTS.successful)

        return Posterior({"a": Normal(jnp.zeros(3), 2.0)}, predict, jnp.full(3, beyond), Gaussian(0.1))

    def test_a_search_that_ends_beside_a_refused_point_has_not_converged(self):
        best = quiet(self.wall(1.0))
        assert not best.converged and best.reason.startswith("it ends beside a point that is refused: The step is")
        assert any(step.refused for step in best.steps)
        assert 0.9 < float(best.parameters["a"][0]) <= 1.0 and best.cost == best.steps[-1].cost
        with pytest.raises(ValueError, match="`fit` has not converged, as it ends beside"):
            laplace_field(best)

    def test_a_refused_point_on_the_way_does_no_harm(self):
        best = quiet(self.wall(1.0, beyond=0.9))
        assert best.converged and float(best.parameters["a"][0]) == pytest.approx(0.9, abs=1e-2)

    def test_a_start_that_is_refused_is_left_for_the_median(self):
        best = quiet(self.wall(1.0, beyond=0.5), {"a": jnp.full(3, 5.0)})
        assert best.converged and best.steps[0].refused and np.isinf(best.steps[0].cost)
        assert float(best.parameters["a"][0]) == pytest.approx(0.5, abs=1e-2)

    def test_no_run_that_goes_well_is_said(self):
        with pytest.raises(ValueError, match=r"No run goes well, from `start` down to the medians.*The step is larger"):
            quiet(self.wall(-1.0))

    def test_derivatives_that_are_not_finite_are_said(self):
        def predict(parameters, adjoint=None):
            return jnp.sqrt(jnp.abs(parameters["a"])), jc.RESULTS.successful

        posterior = Posterior({"a": Normal(jnp.zeros(3), 1.0)}, predict, jnp.ones(3), Gaussian(0.1))
        with pytest.raises(ValueError, match="derivatives are not finite"):
            quiet(posterior)

    def test_too_few_steps_are_said(self):
        best = quiet(LINEAR, max_steps=2)
        assert not best.converged and best.reason == "`max_steps`, 2, were not enough"

    def test_bad_input_is_refused(self):
        with pytest.raises(TypeError, match="`posterior` must be a Posterior"):
            quiet({"a": 1.0})
        with pytest.raises(ValueError, match="`tolerance` must be positive"):
            quiet(LINEAR, tolerance=0.0)
        with pytest.raises(TypeError, match="`fit` must be a FieldFit"):
            laplace_field(LINEAR)
        with pytest.raises(ValueError, match=r"`level` must be between 0 and 1, got 1\.5"):
            laplace_field(quiet(LINEAR)).interval(1.5, key=jax.random.key(0))
