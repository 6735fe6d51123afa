"""The first inference: parameters come back within their error bars, in fewer simulations than without gradients."""

import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.experiments import RecoverParameters
from jaxchemo.experiments.recover.recover_parameters import Descent

FEW = {"num_particles": 4_000, "num_runs": 4, "particle_dt": 0.005}
TINY = RecoverParameters(shape=(48,), bins=24, dt=0.003, times=(0.15, 0.3), guess=(0.15, 0.7), factor=2.0, **FEW)


def simulated(mobility, sensitivity):
    problem = TINY.system(1).problem()
    problem = problem.replace(model=jc.models.phks(mobility, sensitivity, TINY.system(1).consumption))
    run = jc.solve(problem, jc.FiniteVolume(), t1=TINY.times[-1], dt=TINY.dt, saveat=jc.SaveAt(ts=TINY.times))
    return np.asarray(run.ys.density).reshape(2, 24, 2, 24, 2).mean(axis=(2, 4)).ravel()


@pytest.mark.slow
def test_parameters_are_recovered_within_their_error_bars_once_the_grid_is_accounted_for():
    outcome = TINY.run(seed=2)
    truth = (TINY.mobility, TINY.sensitivity)
    assert max(abs(shift) for shift in outcome.shift.relative.values()) > 3
    whitened = outcome.fit.posterior.whitened
    true = whitened(dict(zip(("mobility", "sensitivity"), truth, strict=True)))
    off = whitened(outcome.shift.corrected) - true
    # The correction is right to second order, and the data have a ninth of the error of the grid themselves.
    allowed = 3 + 0.35 * np.abs(list(outcome.shift.relative.values()))
    assert np.all(np.abs(off) < allowed * outcome.known.std)
    # The errors are those of the noise, by how the densities differ a little to both sides of what was found.
    values = np.array([float(outcome.fit.parameters[name]) for name in ("mobility", "sensitivity")])
    sides = [[simulated(*values * (1 + h)) for h in (size, -size)] for size in 1e-4 * np.eye(2)]
    jacobian = np.stack([(up - down) / 2e-4 / TINY.observation_noise for up, down in sides])
    precision = jacobian @ jacobian.T * np.log(TINY.factor) ** 2 + np.eye(2)  # of z, the prior's included
    np.testing.assert_allclose(outcome.known.covariance, np.linalg.inv(precision), rtol=1e-4)
    # Particles on the same grid have less of its error, and other parts of their own.
    by_particles = whitened(outcome.particles.parameters) - true
    assert outcome.particles.converged and outcome.sampling.worst < 0.5
    assert np.linalg.norm(by_particles) < np.linalg.norm(outcome.fit.z - true)
    # The grid's error is hidden in a misfit that is that of the noise.
    assert outcome.fit.chi_square == pytest.approx(1, abs=5 * np.sqrt(2 / outcome.observed.size))
    few, many = (each.simulations_to(outcome.target) for each in (outcome.trust_region, outcome.nelder_mead))
    assert few is not None and many is not None and few < many


def test_simulations_are_counted_to_the_first_cost_that_is_low_enough():
    descent = Descent([3, 6, 9], [5.0, 2.0, 1.0], 0.0)
    assert descent.simulations_to(2.0) == 6
    assert descent.simulations_to(0.5) is None


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`observation_noise` must be positive"):
        RecoverParameters(observation_noise=0.0)
    with pytest.raises(ValueError, match="`guess` must be positive"):
        RecoverParameters(guess=(-1.0, 1.0))
    with pytest.raises(ValueError, match=r"`bins` must divide the cells along each axis, \(96, 96\), got 40"):
        RecoverParameters(bins=40)
