"""Designs: exact for lines, greedy in order, and told of the times of a simulation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import Gaussian, Normal, Posterior, design

DESIGN = np.random.default_rng(1).normal(size=(7, 3, 2))  # candidates, numbers of each, unknowns
PRIORS = {"a": Normal(0.0, 1.0), "b": Normal(0.0, 1.0)}


def linear(parameters, adjoint=None):
    theta = jnp.stack([parameters["a"], parameters["b"]])
    return {"few": DESIGN[:, 0] @ theta, "more": DESIGN[:, 1:] @ theta}, jc.RESULTS.successful


POSTERIOR = Posterior(PRIORS, linear, {"few": jnp.zeros(7), "more": jnp.zeros((7, 2))}, Gaussian(0.7))


def exact(chosen):
    rows = DESIGN[list(chosen)].reshape(-1, 2) / 0.7
    return 0.5 * np.linalg.slogdet(np.eye(2) + rows.T @ rows)[1]


def test_information_is_that_of_the_rows():
    plan = design(POSTERIOR, 3, key=jax.random.key(0), draws=4)
    np.testing.assert_allclose(plan.alone, [exact([c]) for c in range(7)])
    np.testing.assert_allclose(plan.nats, [exact(plan.order[: n + 1]) for n in range(3)])
    assert plan.together == pytest.approx(exact(range(7))) and plan.lost == 0
    assert plan.order[0] == int(np.argmax(plan.alone))
    assert plan.nats[1] == pytest.approx(max(exact([plan.order[0], c]) for c in range(7) if c != plan.order[0]))
    assert plan.nats[2] >= (1 - np.exp(-1)) * max(map(exact, itertools.combinations(range(7), 3)))


def test_times_of_a_simulation_are_named():
    def build(parameters):
        start = jc.initial.gaussian(mass=1.0, center=0.5, std=0.05)
        return jc.Problem(
            jc.models.Model({"u": jc.models.Species(parameters["mobility"])}), jc.Grid.box(0.0, 1.0, 16), start
        )

    # A blob is flat at the end, where nothing of its mobility is left to be seen.
    run = jc.inference.Simulation(
        build, jc.FiniteVolume(jc.SSPRK2()), ts=(0.05, 0.2, 8.0), observe=lambda snapshot: snapshot.density, dt=0.01
    )
    priors = {"mobility": jc.inference.LogNormal(0.05, 1.3)}
    plan = design(Posterior(priors, run, jnp.zeros((3, 16)), Gaussian(0.5)), 2, key=jax.random.key(0), draws=4)
    assert set(plan.chosen) == {0.05, 0.2} and plan.alone[2] < 0.01 < plan.nats[0]
    assert "by all 3 candidates" in repr(plan)


def test_draws_that_do_not_run_are_said():
    def walled(parameters, adjoint=None):
        result = jc.RESULTS.where(parameters["a"] > 0, jc.RESULTS.nonfinite, jc.RESULTS.successful)
        return parameters["a"] * jnp.ones(3), result

    plan = design(Posterior({"a": Normal(0.0, 1.0)}, walled, jnp.zeros(3), Gaussian(1.0)), 1, key=jax.random.key(0))
    assert 0.2 < plan.lost < 0.8 and "of the draws of the priors do not run" in repr(plan)
    assert plan.nats[0] == pytest.approx(0.5 * np.log(2))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`k` must be at most the number of candidates, 7, got 8"):
        design(POSTERIOR, 8, key=jax.random.key(0))
    uneven = Posterior(
        PRIORS, lambda p, adjoint=None: ((jnp.ones(2) * p["a"], jnp.ones(3) * p["b"]), jc.RESULTS.successful),
        (jnp.zeros(2), jnp.zeros(3)), Gaussian(1.0),
    )  # fmt: skip
    with pytest.raises(ValueError, match="`posterior` must have data with one first axis"):
        design(uneven, 1, key=jax.random.key(0))
