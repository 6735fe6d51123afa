"""From one swimmer to the population: what the experiments find, draw and refuse."""

import numpy as np
import pytest

from jaxchemo.experiments import AgentsVsPDE, GradientClimbing3D, RunAndTumble1D


@pytest.mark.slow
def test_tracks_and_their_laws(tmp_path):
    experiment = RunAndTumble1D(num_agents=4000, t1=30.0, frames=30, shown=5, dt=0.05)
    outcome = experiment.run(seed=1)
    assert outcome.tracks.shape == (31, 5) and set(outcome.moments) == {"agents", "kinetic", "fokker-planck"}
    assert outcome.variance_at_rest == pytest.approx(1265.438, rel=5e-3)
    for _, variance in outcome.moments.values():
        assert variance[-1] == pytest.approx(outcome.variance_at_rest, abs=4 * outcome.error)
    assert np.sum(outcome.densities["at rest, exact"]) * 4 == pytest.approx(1)
    assert outcome.densities["kinetic"] == pytest.approx(outcome.densities["at rest, exact"], rel=0.02)
    assert "variance at the end: agents" in experiment.lines(outcome)[0]
    assert experiment.numbers(outcome)["standard_error"] == outcome.error
    assert experiment.draw(outcome, tmp_path).is_file()


@pytest.mark.slow
def test_swimmers_with_a_pathway_climb_as_the_mean_field_says(tmp_path):
    experiment = GradientClimbing3D(num_agents=4000, steepness=(0.3, 0.6), t1=60.0, settling=30.0, dt=0.05)
    outcome = experiment.run()
    for one, theory in zip(outcome.drifts, outcome.theory, strict=True):
        assert one.value == pytest.approx(theory, abs=3 * one.error)
        assert theory > 5 * one.error
    assert outcome.expected["linear"][-1] < outcome.expected["exponential"][-1]
    assert len(experiment.numbers(outcome)["drifts"]) == 2 and "mean field" in experiment.lines(outcome)[1]
    assert experiment.draw(outcome, tmp_path).is_file()


@pytest.mark.slow
def test_four_levels_of_one_population(tmp_path):
    experiment = AgentsVsPDE(shape=(200,), num_agents=20_000, dt=0.05, times=(2.0, 8.0))
    outcome = experiment.run()
    assert outcome.distances["Fokker-Planck"] < 0.03 and outcome.distances["Keller-Segel"] < 0.04
    assert outcome.distances["agents"] < 0.1
    numbers = experiment.numbers(outcome)
    assert all(mass == pytest.approx(30, rel=5e-3) for mass in numbers["masses"].values())
    assert "L1 distance" in experiment.lines(outcome)[0] and experiment.draw(outcome, tmp_path).is_file()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`shape` must be at least 4, got 2"):
        RunAndTumble1D(shape=(2,))


def test_a_drift_that_is_never_measured_is_refused():
    with pytest.raises(ValueError, match="`settling` must be less than `t1`, got 80 and 80 s"):
        GradientClimbing3D(settling=80.0)
