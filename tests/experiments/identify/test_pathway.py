"""The pathway behind published tables: its formulas, what the tables cannot tell, and that the model does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo.experiments import IdentifyPathway
from jaxchemo.experiments.identify.pathway_tables import TABLES, coefficients

PUBLISHED = {"diffusion": 0.062, "switching": 1.3, "persistence": 0.33, "receptors": 6.0, "adaptation": 20.0}


@pytest.fixture(scope="module")
def told():
    experiment = IdentifyPathway()
    return experiment, experiment.run()


def test_mobility_and_sensitivity_are_those_that_the_published_code_quotes():
    mobility, sensitivity = coefficients(PUBLISHED, jnp.array([0.14]))
    assert float(mobility[0]) == pytest.approx(376.86, abs=0.01)
    assert float(sensitivity[0] / mobility[0]) == pytest.approx(10.166, abs=1e-3)


def test_a_faster_motor_with_more_persistent_turns_is_the_same_to_both_tables():
    other = {**PUBLISHED, "persistence": 0.6, "switching": 1.3 * (1 - 0.33) / (1 - 0.6)}
    for one, two in zip(coefficients(PUBLISHED, [0.05, 0.3]), coefficients(other, [0.05, 0.3]), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


def test_derivatives_agree_with_differences():
    posterior = IdentifyPathway().posterior("mobility", "sensitivity")
    z = jnp.array([0.3, -0.2, 0.1, 0.4, -0.3])
    exact = jax.jit(jax.jacfwd(posterior.residuals))(z)
    residuals, steps = jax.jit(posterior.residuals), 1e-5 * jnp.eye(5)
    differences = [(residuals(z + h) - residuals(z - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(exact, jnp.stack(differences, axis=1), atol=1e-7)


def test_one_combination_is_unseen_by_each_table_and_by_both_and_it_is_the_one_that_leaves_the_product(told):
    for one in told[1].values():
        jacobian = one.fit.jacobian
        z = one.fit.z
        product = jax.grad(lambda z, p=one.fit.posterior: _log_turning(p.parameters(z)))(z)
        aside = np.zeros(5)
        aside[1], aside[2] = -product[2], product[1]  # of the motor's rate and the persistence
        np.testing.assert_allclose(jacobian @ aside, 0, atol=1e-6)
        assert one.directions[-1].information < 1 < one.directions[0].information


def test_both_know_the_product_far_better_than_its_parts_and_only_the_sensitivities_fit(told):
    experiment, evidence = told
    value, low, high = evidence["both"].turning
    assert 1.3 < low < value < high < 1.7
    parts = evidence["both"].known.interval(0.9)["switching"]
    assert np.log(float(parts[1]) / float(parts[0])) > 5 * np.log(high / low)
    # The misfit of 71 that a trial found counts that of the priors too.
    both = evidence["both"]
    assert both.count == sum(len(table[1]) for table in TABLES.values()) == 33
    assert 2 * both.fit.cost == pytest.approx(71, abs=1)
    assert both.chance < 0.01 < 0.05 < evidence["sensitivity"].chance
    assert "the model does not fit them" in "\n".join(experiment.lines({"both": both}))


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: IdentifyPathway(persistence=(0.9, 0.1)), "`persistence` must be two rising numbers between -1 and 1"),
        (lambda: IdentifyPathway(persistence=(0.0, 1.0)), "`persistence` must be two rising numbers between -1 and 1"),
        (lambda: IdentifyPathway(guess=(1.0, 2.0)), "`guess` must hold 4 numbers, got 2"),
        (lambda: IdentifyPathway(factor=0.5), "`factor` must be greater than 1, got 0.5"),
    ],
)
def test_bad_input_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def _log_turning(numbers):
    return jnp.log((1 - numbers["persistence"]) * numbers["switching"])
