"""Sources that gather cells: budgets and gradients are right, and the schedule that is found beats simpler ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo.experiments import GatherCells

SMALL = {"places": (3.0, 5.0), "target": (4.2, 5.8), "intervals": 3, "t1": 6.0, "shape": (40,), "dt": 0.05}


def test_what_is_released_is_what_the_signal_holds_without_decay_and_no_cell_is_lost():
    experiment = GatherCells(**SMALL, decay=0.0)
    strengths = jnp.array([[0.1, 0.4, 0.0, 0.2], [0.0, 0.3, 0.3, 0.0]])
    _, released, _ = experiment.outcome(strengths)
    densities, signals = experiment._course(np.asarray(strengths))
    spacing = experiment.length / 40
    np.testing.assert_allclose(densities.sum(axis=1), densities[0].sum(), rtol=1e-12)
    # Two seconds in each interval: 2 (0.25 + 0.2 + 0.1) and 2 (0.15 + 0.3 + 0.15).
    assert float(released) == pytest.approx(1.1 + 1.2)
    assert signals[-1].sum() * spacing == pytest.approx(float(released), rel=1e-3)


def test_the_target_counts_parts_of_cells():
    whole = GatherCells(**{**SMALL, "target": (0.0, 10.0)})
    nothing = jnp.zeros((2, 4))
    total = float(whole.outcome(nothing)[0])
    assert total == pytest.approx(1.0, abs=1e-4)  # the bell is cut off by a wall
    below, above = (GatherCells(**{**SMALL, "target": ends}) for ends in ((0.0, 2.1), (2.1, 10.0)))
    assert float(below.outcome(nothing)[0] + above.outcome(nothing)[0]) == pytest.approx(total, rel=1e-12)


def test_the_gradient_agrees_with_differences():
    experiment = GatherCells(**SMALL)
    strengths = jnp.array([[0.3, 0.2, 0.1, 0.05], [0.05, 0.2, 0.3, 0.1]])
    cost = jax.jit(experiment.cost)
    exact = jax.jit(jax.grad(experiment.cost))(strengths)
    for k, h in enumerate(1e-5 * jnp.eye(8).reshape(8, 2, 4)):
        difference = float(cost(strengths + h) - cost(strengths - h)) / 2e-5
        assert float(exact.ravel()[k]) == pytest.approx(difference, rel=1e-5, abs=1e-8)


def test_a_run_that_fails_costs_infinitely_much():
    # Explicit drift over many cells in one step.
    wild = GatherCells(**{**SMALL, "dt": 1.0, "sensitivity": 200.0, "shape": (200,)})
    assert float(wild.cost(jnp.ones((2, 4)))) == np.inf


@pytest.mark.slow
def test_the_schedule_found_beats_simpler_ones_and_holds_on_a_finer_grid():
    # A nearer target, half the intervals and cells: the default takes many times as long.
    near = {"start": 3.0, "places": (4.2, 5.7), "target": (5.3, 6.3), "t1": 12.0}
    outcome = GatherCells(**near, intervals=4, shape=(50,), dt=0.05, max_steps=20).run()
    costs = {name: plan.cost for name, plan in outcome.plans.items()}
    assert costs["optimal"] < 0.8 * min(costs["constant"], costs["pulse"])
    assert outcome.gradient_error < 1e-4
    assert outcome.finer.cost == pytest.approx(costs["optimal"], abs=0.03)  # cells of a fifth of the target
    assert outcome.again.cost == pytest.approx(outcome.finer.cost, abs=0.01)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"target": (8.0, 7.0)}, "`target` must be two rising places from 0 to 10"),
        ({"target": (9.0, 11.0)}, "`target` must be two rising places from 0 to 10"),
        ({"places": (3.0, 12.0)}, "`places` must lie in the channel, from 0 to 10"),
        ({"start": 10.0}, "`start` must lie in the channel"),
        ({"intervals": 1}, "`intervals` must be"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GatherCells(**options)
