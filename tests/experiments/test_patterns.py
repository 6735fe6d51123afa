"""Patterns that form by themselves: what the experiments find, draw and refuse."""

import dataclasses

import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import analysis
from jaxchemo.experiments import (
    GrowthExpansion,
    Invasion,
    KellerSegel1D,
    KellerSegel2D,
    Outcome,
    StabilityMap,
    TravellingBand,
)
from jaxchemo.experiments.figures import draw

SMALL = KellerSegel1D(length=40.0, shape=(160,), noise_height=0.1, t1=6.0, dt=1e-3, frames=8)
MAP = StabilityMap(sensitivities=(2.0, 6.0, 5), decays=(0.1, 0.4, 4), shape=(16,), dt=0.02, t1=4.0)


@pytest.mark.slow
def test_spikes_form_and_nothing_is_lost(tmp_path):
    outcome = SMALL.run(seed=1)
    assert outcome.density.shape == (9, 160) and outcome.ts[-1] == pytest.approx(6.0)
    assert outcome.mass_drift < 1e-12 and outcome.density.min() > 0
    assert outcome.spikes[0] == 0 and outcome.spikes[-1] == round(outcome.predicted) == 4
    assert SMALL.numbers(outcome)["spikes"] == outcome.spikes and "mass drift" in SMALL.lines(outcome)[1]
    assert SMALL.draw(outcome, tmp_path).is_file() and (tmp_path / "film.gif").stat().st_size > 1000


@pytest.mark.slow
def test_theory_and_runs_agree_on_where_patterns_form(tmp_path):
    outcome = MAP.run()
    np.testing.assert_allclose(outcome.critical, 2 * (1 + outcome.decays + 2 * np.sqrt(outcome.decays)), rtol=1e-6)
    assert outcome.rates.shape == (4, 5)
    assert np.all((outcome.rates > 0) == (outcome.sensitivities > outcome.critical[:, None]))
    for strength, decay, predicted, measured in outcome.runs:
        assert (measured > 0) == (predicted > 0) == (strength > 2 * (1 + decay + 2 * np.sqrt(decay)))
        assert measured == pytest.approx(predicted, abs=5e-3)
    assert "10 of 10" in MAP.lines(outcome)[0] and len(MAP.numbers(outcome)["runs"]) == 10
    assert MAP.draw(outcome, tmp_path).is_file()


class TestMazes:
    SMALL = KellerSegel2D(length=40.0, shape=(40,), modes=10, t1=30.0, dt=0.1, frames=6)

    @pytest.mark.slow
    def test_the_noise_is_the_same_on_every_grid(self):
        problems = [dataclasses.replace(self.SMALL, shape=(n,)).problem(seed=3) for n in (20, 40)]
        coarse, fine = (problem.fields()[0]["rho"] for problem in problems)
        halved = fine.reshape(20, 2, 20, 2).mean((1, 3))
        np.testing.assert_allclose(coarse, halved, atol=2e-3)
        assert float(coarse.std()) == pytest.approx(0.01, rel=0.3) and float(coarse.mean()) == pytest.approx(1)
        other = dataclasses.replace(self.SMALL, shape=(20,)).problem(seed=4)
        assert np.abs(other.fields()[0]["rho"] - coarse).max() > 0.01

    @pytest.mark.slow
    def test_two_methods_make_the_same_maze_of_the_predicted_wavelength(self, tmp_path):
        experiment = dataclasses.replace(self.SMALL, shape=(80,), modes=20, dt=0.05, t1=18.0)
        methods = (jc.FiniteVolume(), jc.Spectral())
        runs = {method.name: experiment.solve(method) for method in methods}
        fv, spectral = (np.asarray(run.final.density) for run in runs.values())
        assert np.linalg.norm(fv - spectral) < 0.1 * np.linalg.norm(spectral - spectral.mean())
        assert fv.min() >= 0
        problem = experiment.problem()
        fastest = analysis.fastest(problem.model, {"rho": 1.0, "c": 10.0})
        predicted = 2 * np.pi / float(fastest.wavenumber)
        assert analysis.wavelength(fv, problem.domain) == pytest.approx(predicted, rel=0.05)
        for run in runs.values():
            growth = np.diff(np.log(run.ys.density.std(axis=(1, 2)))) / np.diff(run.ts)
            assert growth[3] == pytest.approx(float(fastest.rate), rel=0.1)  # once the fastest waves are all there is
        outcomes = {method.name: Outcome(problem, method, runs[method.name]) for method in methods}
        files = {path.name for path in draw(experiment, outcomes, tmp_path)}
        assert files == {"density.png", "signal.png", "cross_sections.png", "diagnostics.png", "film.gif"}


@pytest.mark.slow
class TestInvasion:
    def test_a_ring_of_cells_leaves_and_the_matrix_is_dissolved(self, tmp_path):
        experiment, method = Invasion(ndim=2, shape=(64,), frames=4), jc.FiniteVolume()
        run, problem = experiment.solve(method), experiment.problem()
        assert run.final.density.shape == (64, 64)
        first, last = (np.asarray(run.ys.signal["matrix"][k]) for k in (0, -1))
        assert np.all(last <= first) and last[32, 32] < 1e-3 < 0.4 < last[0, 0]
        along = np.asarray(run.final.density)[32]
        assert along[40:60].max() > 1.5 * along[44]  # a crest ahead of a trough
        outcomes = {"fv": Outcome(problem, method, run)}
        assert {"matrix.png", "enzyme.png"} < {p.name for p in draw(experiment, outcomes, tmp_path)}

    def test_in_three_dimensions(self):
        run = Invasion(ndim=3, shape=(20,), frames=2, t1=1.0, dt=0.25).solve(jc.FiniteVolume())
        assert run.final.density.shape == (20, 20, 20) and float(run.final.density.min()) >= 0


@pytest.mark.slow
def test_bands_travel_as_theory_says(tmp_path):
    experiment = TravellingBand(shape=(600,), t1=200.0, dt=0.2)
    outcome = experiment.run()
    for band in outcome[:2]:
        assert band.speed == pytest.approx(3.024, rel=2e-3) and max(band.error.values()) < 5e-3
    assert outcome[2].speed < 2.98
    numbers = experiment.numbers(outcome)
    assert numbers["speed_of_theory"] == pytest.approx(3.024) and len(numbers["bands"]) == 3
    assert "the band of 1971: speed 3.02" in experiment.lines(outcome)[0]
    assert experiment.draw(outcome, tmp_path).is_file()


@pytest.mark.slow
def test_a_colony_outruns_its_growth(tmp_path):
    experiment = GrowthExpansion(radius=10.0, num_shells=250, dt=4.0, t1=6 * 3600.0, frames=6)
    outcome = experiment.run()
    assert outcome.front[2] == pytest.approx(1.47, rel=0.02) and outcome.front[-1] == pytest.approx(5.17, rel=0.02)
    assert outcome.density.min() >= 0
    numbers = experiment.numbers(outcome)
    assert numbers["growth_and_diffusion_mm_per_h"] == pytest.approx(0.706, rel=1e-3)
    assert numbers["speed_mm_per_h"] > 1.2
    assert "5.1" in experiment.lines(outcome)[0]
    assert experiment.draw(outcome, tmp_path).is_file()


@pytest.mark.slow
def test_a_colony_has_a_speed_between_two_frames_too(tmp_path):
    experiment = GrowthExpansion(num_shells=60, dt=20.0, t1=1800.0, frames=1)
    outcome = experiment.run()
    expected = (outcome.front[1] - outcome.front[0]) / 0.5
    assert experiment.numbers(outcome)["speed_mm_per_h"] == pytest.approx(expected)
    assert experiment.draw(outcome, tmp_path).is_file()


def test_bad_input_is_refused():
    with pytest.raises(
        ValueError, match=r"`shape` must be one number or one for each of the 2 axes, got \(20, 20, 20\)"
    ):
        KellerSegel2D(shape=(20, 20, 20))
    with pytest.raises(ValueError, match="`ndim` must be 2 or 3, got 1"):
        Invasion(ndim=1)
    with pytest.raises(ValueError, match="`shape` must be at least 8, got 4"):
        dataclasses.replace(SMALL, shape=(4,))
