"""The experiments with flows, small."""

import imageio.v3 as iio
import numpy as np
import pytest

from jaxchemo.experiments import (
    LagrangianGaussian,
    LagrangianKolmogorov,
    LagrangianShear,
    LagrangianSubcritical,
    LagrangianTwoBumps,
)
from jaxchemo.references import radial_collapse


@pytest.mark.slow
def test_a_flow_follows_a_gaussian(tmp_path):
    experiment = LagrangianGaussian(
        t1=0.2, frames=2, num_labels=256, num_sources=1024, hidden_units=8, num_particles=256, dt=0.01, num_radii=31
    )
    outcome = experiment.run(seed=1)
    assert [one.l2 < 0.05 for one in outcome.distances] == [True, True]
    assert outcome.spreads["flow"] == pytest.approx(outcome.spreads["exact"], rel=0.01)
    assert outcome.spreads["interacting particles"] == pytest.approx(outcome.spreads["exact"], rel=0.2)
    # The density in the middle grows the fastest, by the reference too.
    peaks = [radial_collapse(experiment.problem(), (0.199, 0.2)).at(np.zeros(1), k)[0] for k in (0, 1)]
    assert outcome.predicted - 0.2 == pytest.approx(0.001 / np.log(peaks[1] / peaks[0]), rel=0.05)
    bound = outcome.bound
    assert np.all(np.diff(bound.residual) > 0) and np.all(bound.closed[1:] > bound.residual[1:])
    for t, one in zip(outcome.ts, outcome.distances, strict=True):
        assert 0 < one.kl < bound.at(t)[1] < bound.at(t)[2]
    assert "relative L2" in experiment.lines(outcome)[0] and "blow-up at about" in experiment.lines(outcome)[-1]
    assert len(set(line.count("|") for line in experiment.lines(outcome)[:4])) == 1  # a table
    assert experiment.numbers(outcome)["distances"][1]["t"] == pytest.approx(0.2)
    assert experiment.draw(outcome, tmp_path).is_file()
    film = iio.imread(tmp_path / "film.gif")
    assert len(film) == 11 and film.shape[-1] == 3 and np.any(film[0] != film[-1])


@pytest.mark.slow
def test_the_residual_bounds_the_divergence_of_too_small_a_population():
    experiment = LagrangianSubcritical(
        t1=0.25,
        frames=2,
        pictures=1,
        num_labels=256,
        num_sources=1024,
        hidden_units=8,
        num_particles=64,
        dt=0.05,
        num_radii=5,
    )
    outcome = experiment.run()
    assert outcome.predicted is None and "blow-up" not in experiment.lines(outcome)[-1]
    for t, one in zip(outcome.ts, outcome.distances, strict=True):
        _, exact_field, closed = outcome.bound.at(t)
        assert one.kl < exact_field < closed < 1e-2


@pytest.mark.slow
def test_a_flow_without_the_waves_of_the_fluid_is_found_out(tmp_path):
    small = {
        "num_labels": 256,
        "num_sources": 512,
        "hidden_units": 12,
        "num_particles": 128,
        "dt": 0.01,
        "slice_points": 11,
    }
    experiment = LagrangianKolmogorov(t1=0.05, frames=1, pictures=1, num_seeds=2, **small)
    outcome = experiment.run()
    good, bad = outcome.fits["with waves"], outcome.fits["without"]
    assert good.successful and good.residuals.max() < 0.15 and good.reached == pytest.approx(0.05)
    assert not bad.successful and bad.residuals[-1] > 0.3 and bad.reached < 0.05
    assert "does not move at the drift velocity of its density" in experiment.lines(outcome)[3]
    np.testing.assert_allclose(outcome.means["flow"], 0, atol=5e-3)
    assert outcome.distances["energy distance"].flow.shape == (1, 2)
    assert np.all(outcome.distances["sliced Wasserstein"].flow < 0.6)
    assert experiment.numbers(outcome)["fits"]["without"]["reached"] == bad.reached
    assert experiment.draw(outcome, tmp_path).is_file()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [LagrangianTwoBumps, LagrangianShear])
def test_flows_in_the_plane(kind, tmp_path):
    small = {
        "num_labels": 256,
        "num_sources": 1024,
        "hidden_units": 8,
        "num_particles": 256,
        "dt": 0.005,
        "reference_cells": 96,
    }
    experiment = kind(t1=0.05, frames=2, **small)
    outcome = experiment.run()
    assert max(outcome.errors) < 0.05 and outcome.residuals.max() < 0.1
    assert outcome.spreads["flow"] == pytest.approx(outcome.spreads["exact"], rel=0.02)
    assert outcome.spreads["interacting particles"] == pytest.approx(outcome.spreads["exact"], rel=0.2)
    np.testing.assert_allclose(outcome.means["flow"], outcome.means["exact"], atol=0.01)
    assert "relative L2" in experiment.lines(outcome)[0] and len(experiment.numbers(outcome)["relative_l2"]) == 2
    assert experiment.draw(outcome, tmp_path).is_file() and len(iio.imread(tmp_path / "film.gif")) == 11
