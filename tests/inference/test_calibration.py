"""Calibration: flat where all is right, uneven where data are of another law, and failures are counted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import Gaussian, LogNormal, Normal, Poisson, Posterior, Simulation, calibrate

DESIGN = jnp.asarray(np.random.default_rng(0).normal(size=(6, 2)))
PRIORS = {"a": Normal(0.0, 2.0), "b": Normal(1.0, 3.0)}


def linear(parameters, adjoint=None):
    return DESIGN @ jnp.stack([parameters["a"], parameters["b"]]), jc.RESULTS.successful


def shifted(parameters, adjoint=None):
    predicted, result = linear(parameters)
    return predicted + 0.4 * DESIGN[:, 0], result


def quiet(posterior, generate, n, **settings):
    return calibrate(posterior, generate, n, key=jax.random.key(0), progress=False, **settings)


LINEAR = Posterior(PRIORS, linear, jnp.zeros(6), Gaussian(0.5))


def test_a_normal_posterior_is_calibrated():
    outcome = quiet(LINEAR, linear, 990, batch=100)
    assert outcome.ranks.shape == (990, 2) and not outcome.failed
    for level in (0.5, 0.9, 0.95):
        error = 4 * np.sqrt(level * (1 - level) / 990)
        assert all(abs(share - level) < error for share in outcome.coverage(level).values())
        assert abs(np.mean(outcome.joint < level) - level) < error
    assert all(p > 1e-3 for p in outcome.flatness.values())
    assert outcome.counts.shape == (2, 20) and np.all(outcome.counts.sum(axis=1) == 990)
    assert "Of 990 data sets, 990 were fitted" in repr(outcome)


def test_data_of_another_law_show():
    outcome = quiet(LINEAR, shifted, 300)
    assert outcome.flatness["a"] < 1e-6 and outcome.flatness["b"] > 1e-3
    assert outcome.coverage(0.9)["a"] < 0.85


def test_missing_data_stay_missing():
    data = jnp.zeros(6).at[jnp.array([0, 3])].set(jnp.nan)
    outcome = quiet(Posterior(PRIORS, linear, data, Gaussian(0.5), missing=True), linear, 200)
    assert all(abs(share - 0.9) < 0.09 for share in outcome.coverage(0.9).values())


def test_failures_are_counted_with_their_reasons():
    def walled(parameters, adjoint=None):
        predicted, result = jnp.exp(parameters["a"]) * jnp.ones(4), jc.RESULTS.successful
        return predicted, jc.RESULTS.where(parameters["a"] > 1.0, jc.RESULTS.unstable_step, result)

    posterior = Posterior({"a": Normal(0.0, 1.0)}, walled, jnp.zeros(4), Poisson(5.0))
    outcome = quiet(posterior, walled, 100)
    lost = sum(count for reason, count in outcome.failed.items() if "the run of the truth" in reason)
    assert 8 <= lost <= 24 and any("The step is larger" in reason for reason in outcome.failed)
    assert len(outcome.ranks) + sum(outcome.failed.values()) == 100
    assert f"{lost} failed: no data, as the run of the truth does not go well: The step" in repr(outcome)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`data` has the shapes"):
        quiet(LINEAR, lambda parameters, adjoint=None: (jnp.zeros(5), jc.RESULTS.successful), 10)
    with pytest.raises(TypeError, match="`n` must be an integer"):
        quiet(LINEAR, linear, 1.5)

    def lost(parameters, adjoint=None):
        return jnp.zeros(6), jc.RESULTS.nonfinite

    with pytest.raises(ValueError, match="No fit converged: no data, as the run of the truth"):
        quiet(LINEAR, lost, 10)


def pictures(cells, dt):
    """PHKS on a line, in bins of a detector: a mobility, a sensitivity and an amount of food, none of them known."""

    def build(parameters):
        model = jc.models.phks(mobility=parameters["mobility"], sensitivity=parameters["sensitivity"])
        start = jc.initial.gaussian(mass=1.0, center=-0.2, std=0.2)
        food = jc.initial.gaussian(amplitude=parameters["food"], center=0.2, std=0.4)
        return jc.Problem(model, jc.Grid.box(-1.0, 1.0, cells), start, food)

    return Simulation(
        build,
        jc.FiniteVolume(jc.SSPRK2()),
        ts=(0.2, 0.4, 0.6),
        observe=lambda snapshot: snapshot.density.reshape(16, -1).mean(axis=1),
        dt=dt,
    )


@pytest.mark.slow
class TestPHKS:
    """Data of 64 cells and fits of 32."""

    priors = {"mobility": LogNormal(0.1, 1.5), "sensitivity": LogNormal(1.0, 1.5), "food": LogNormal(2.0, 1.3)}  # noqa: RUF012

    def calibrated(self, noise):
        posterior = Posterior(self.priors, pictures(32, 0.002), jnp.zeros((3, 16)), Gaussian(noise))
        return quiet(posterior, pictures(64, 0.001), 400)

    def test_intervals_hold_the_truth_as_often_as_they_say(self):
        outcome = self.calibrated(0.5)
        assert sum(outcome.failed.values()) <= 4
        for label, share in outcome.coverage(0.9).items():
            assert share == pytest.approx(0.9, abs=0.03), label
            assert outcome.flatness[label] > 1e-3

    def test_the_grid_shows_where_the_noise_is_small(self):
        assert self.calibrated(0.2).flatness["mobility"] < 1e-3
