"""Sentences on probable mistakes: each where it belongs, and none where all is well."""

import jax.numpy as jnp
import pytest

import jaxchemo as jc
from jaxchemo.inference import Gaussian, Normal, Poisson, Posterior, doubts, fit

PRIORS = {"slope": Normal(1.0, 1.0)}


def line(parameters, adjoint=None):
    return parameters["slope"] * jnp.arange(1.0, 5.0), jc.RESULTS.successful


def of(priors, data, noise, predict=line):
    return doubts(fit(Posterior(priors, predict, jnp.asarray(data), noise), progress=False))


def test_nothing_is_said_where_all_is_well():
    assert of(PRIORS, [1.0, 2.0, 3.0, 4.0], Gaussian(0.1)) == ()
    assert of(PRIORS, [1e6, 2e6, 3e6, 4e6], Poisson(exposure=1e6)) == ()


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_that_cannot_be(factor):
    (sentence,) = of({"slope": Normal(1.0, 1.0)}, factor * jnp.arange(1.0, 5.0), Gaussian(factor))
    assert "are they in the same units" in sentence and "1e6" in sentence


def test_unknowns_that_do_nothing():
    (sentence,) = of({**PRIORS, "idle": Normal(0.0, 1.0)}, [1.0, 2.0, 3.0, 4.0], Gaussian(0.1))
    assert sentence == "'idle' changes nothing that is predicted: its interval is that of its prior."


def test_fewer_data_than_unknowns():
    def bent(parameters, adjoint=None):
        return (parameters["slope"] + parameters["bend"])[None], jc.RESULTS.successful

    (sentence,) = of({**PRIORS, "bend": Normal(0.0, 1.0)}, [1.0], Gaussian(0.1), bent)
    assert sentence == "There are 1 data for 2 unknowns: some are known by their priors alone."
