"""What holds for every named experiment."""

import warnings

import pytest

from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.catalogue import EXPERIMENTS

PROBLEMS = [(one, ndim) for one in EXPERIMENTS if isinstance(one, Experiment) for ndim in one.dimensions]


@pytest.mark.parametrize("experiment, ndim", PROBLEMS, ids=[f"{one.name}-{ndim}d" for one, ndim in PROBLEMS])
def test_no_experiment_states_more_mass_than_its_domain_holds(experiment, ndim):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        experiment.problem(ndim)
