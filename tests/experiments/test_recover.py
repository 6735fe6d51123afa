"""The first inference: parameters come back within their error bars, in fewer simulations than without gradients."""

import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.experiments import RecoverParameters
from jaxchemo.experiments.recover.recover_parameters import Descent

TINY = RecoverParameters(shape=(24,), dt=0.025, times=(0.15, 0.3), observation_noise=0.05)


def simulated(mobility, sensitivity):
    problem = TINY.system.problem()
    problem = problem.replace(model=jc.models.phks(mobility, sensitivity, TINY.system.consumption))
    run = jc.solve(problem, jc.FiniteVolume(), t1=TINY.times[-1], dt=TINY.dt, saveat=jc.SaveAt(ts=TINY.times))
    return np.asarray(run.ys.density).ravel()


@pytest.mark.slow
def test_parameters_are_recovered_within_three_error_bars():
    outcome = TINY.run(seed=2)
    truth = (TINY.system.mobility, TINY.system.sensitivity)
    for value, error, true in zip(outcome.values, outcome.errors, truth, strict=True):
        assert abs(value - true) < 3 * error
    # The errors are those of the noise, by how the densities differ a little to both sides of what was found.
    sides = [[simulated(*np.array(outcome.values) * (1 + h)) for h in (size, -size)] for size in 1e-4 * np.eye(2)]
    jacobian = np.stack([(up - down) / 2e-4 / TINY.observation_noise for up, down in sides])
    errors = outcome.values * np.sqrt(np.diag(np.linalg.inv(jacobian @ jacobian.T)))
    np.testing.assert_allclose(outcome.errors, errors, rtol=1e-4)
    # The misfit at the optimum is that of the noise: half the number of observations.
    count = outcome.observed.size
    assert outcome.levenberg_marquardt.misfit[-1] == pytest.approx(count / 2, rel=5 / np.sqrt(count))
    # Two optimisers that share nothing find the same values.
    for one, other, error in zip(outcome.values, outcome.nelder_mead.values, outcome.errors, strict=True):
        assert abs(one - other) < 0.5 * error


def test_simulations_are_counted_to_the_first_misfit_that_is_low_enough():
    descent = Descent([3, 6, 9], [5.0, 2.0, 1.0], (1.0,), 0.0)
    assert descent.simulations_to(2.0) == 6
    assert descent.simulations_to(0.5) is None


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`observation_noise` must be positive"):
        RecoverParameters(observation_noise=0.0)
    with pytest.raises(ValueError, match="`guess` must be positive"):
        RecoverParameters(guess=(-1.0, 1.0))
