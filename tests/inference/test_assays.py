"""From tables to fits: exact solutions give their parameters back, and what does not fit together is refused."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import LogNormal, Measurements, Observable, Parameters, assay, doubts, fit_assay

FREE = 1e9  # a capacity that nothing comes near: Fisher's equation is linear then


def exact(x, t, mobility=0.05, growth=0.4):
    """Of a Gaussian that spreads and grows, without walls."""
    variance = 0.25 + 2 * mobility * t
    return 10 * np.exp(growth * t - 0.5 * x**2 / variance) / np.sqrt(2 * np.pi * variance)


def measured(times=(0.0, 1.0, 2.0), n=49, **changes):
    x = np.linspace(-4, 4, n)
    t, x = (part.ravel() for part in np.meshgrid(times, x, indexing="ij"))
    rows = ("",) * t.size
    table = Measurements(rows, rows, t, x[:, None], exact(x, t), std=np.full(t.size, 0.02), exposure=None)
    return dataclasses.replace(table, **changes)


PRIORS = Parameters({"mobility": LogNormal(0.1, 3.0), "growth": LogNormal(0.2, 3.0)}, {"capacity": FREE}, {})


def test_an_exact_solution_gives_its_parameters_back():
    made = assay(measured(), jc.models.fisher, parameters=PRIORS)
    found = fit_assay(made, progress=False)
    assert found.converged and doubts(found) == ()
    assert float(found.parameters["mobility"]) == pytest.approx(0.05, rel=0.03)
    assert float(found.parameters["growth"]) == pytest.approx(0.4, rel=0.01)


def test_a_step_that_the_fit_does_not_bear_well_is_shortened():
    slow = Parameters({"mobility": LogNormal(0.03, 1.5), "growth": LogNormal(0.2, 2.0)}, {"capacity": FREE}, {})
    made = assay(measured(times=(0.0, 0.75, 2.0), n=33), jc.models.fisher, parameters=slow, cells=100, dt=0.05)
    found = fit_assay(made, starts=2, progress=False)
    assert found.posterior.predict.dt < 0.03 and found.converged
    assert float(found.parameters["mobility"]) == pytest.approx(0.05, rel=0.1)
    assert made.finer(found).dt == pytest.approx(found.posterior.predict.dt / 4)


def test_times_that_no_step_meets_are_refused():
    with pytest.raises(ValueError, match=r"`measurements`: steps that meet all of .* are too many: times that"):
        assay(measured(times=(0.0, 1.0, np.e, np.pi)), jc.models.fisher, parameters=PRIORS)


def test_noise_that_is_not_given_is_that_of_the_residuals():
    rng = np.random.default_rng(1)
    table = measured(std=None)
    noisy = table.values + np.where(table.times > 0, 0.1, 0) * rng.normal(size=table.values.size)
    made = assay(dataclasses.replace(table, values=noisy), jc.models.fisher, parameters=PRIORS)
    found = fit_assay(made, progress=False)
    assert made.estimated and any("not given" in note for note in made.notes)
    assert float(jnp.mean(found.posterior.noise.std)) == pytest.approx(0.1, rel=0.2)


def test_what_is_missing_counts_for_nothing_and_columns_are_in_order():
    table = measured(n=33)
    values = table.values.copy()
    values[36] = np.nan
    made = assay(dataclasses.replace(table, values=values), jc.models.fisher, parameters=PRIORS)
    assert np.asarray(made.posterior.observed).tolist() == [[i != 3 for i in range(33)], [True] * 33]
    predicted, _ = made.posterior.predict({"mobility": 0.05, "growth": 0.4})
    np.testing.assert_allclose(predicted[0], exact(np.linspace(-4, 4, 33), 1.0), atol=0.1)


def test_two_dimensions_and_a_signal_that_nobody_has_measured():
    x, y = (part.ravel() for part in np.meshgrid(np.linspace(0, 1, 4), np.linspace(0, 1, 4), indexing="ij"))
    points, rows = np.tile(np.stack([x, y], 1), (2, 1)), ("",) * 32
    values = np.concatenate([1 + x, 1 + 0.5 * x])
    table = Measurements(rows, rows, np.repeat([0.0, 0.1], 16), points, values, std=np.ones(32), exposure=None)
    made = assay(table, jc.models.phks, cells=8)
    assert made.posterior.names == ("mobility", "sensitivity", "initial_c") and made.fixed == {"consumption": 1.0}
    assert np.isfinite(np.asarray(made.posterior.residuals(jnp.zeros(3)))).all()


def test_counts_have_the_noise_of_counts():
    table = measured(n=33, std=None, values=np.round(measured(n=33).values * 100), exposure=np.full(99, 100.0))
    made = assay(table, jc.models.fisher, parameters=PRIORS, observables={"": Observable(noise="poisson")})
    assert isinstance(made.posterior.noise, jc.inference.Poisson)
    assert fit_assay(made, progress=False).chi_square < 3


@pytest.mark.parametrize(
    "changes, options, sentence",
    [
        ({}, {"box": ((-3.0,), (3.0,))}, "`points`: .* are outside"),
        ({"times": np.zeros(147)}, {}, "must be of two times at least"),
        ({"times": np.repeat([0.0, 1.0, 1.0], 49)}, {}, "a column `replicate` would tell them apart"),
        ({}, {"parameters": Parameters({"speed": LogNormal(1.0, 2.0)}, {}, {})}, "fisher has no 'speed'"),
        ({}, {"observables": {"cells": Observable()}}, "`observables` lacks ''"),
        ({}, {"observables": {"": Observable("v")}}, "is of 'v', where there are the species"),
        ({"points": np.zeros((147, 1))}, {}, "at two places along x"),
        ({"exposure": np.ones(147)}, {}, "a column exposure, which is of counts"),
        ({}, {"observables": {"": Observable(noise="poisson")}}, "a column std, which is of normal noise"),
        (
            {},
            {"parameters": Parameters({}, {"mobility": 1.0, "growth": 1.0, "capacity": 1.0}, {})},
            "nothing is unknown of fisher",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        assay(measured(**changes), jc.models.fisher, **options)
