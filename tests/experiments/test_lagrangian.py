"""The studies of collapse, small."""

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
    study = LagrangianGaussian(
        t1=0.2, frames=2, num_labels=256, num_sources=1024, width=8, num_particles=256, dt=0.01, cells=31
    )
    found = study.run(seed=1)
    assert [one.l2 < 0.05 for one in found.distances] == [True, True]
    assert found.spreads["flow"] == pytest.approx(found.spreads["exact"], rel=0.01)
    assert found.spreads["interacting particles"] == pytest.approx(found.spreads["exact"], rel=0.2)
    # The density in the middle grows the fastest, by the reference too.
    peaks = [radial_collapse(study.problem(), (0.199, 0.2)).at(np.zeros(1), k)[0] for k in (0, 1)]
    assert found.predicted - 0.2 == pytest.approx(0.001 / np.log(peaks[1] / peaks[0]), rel=0.05)
    bound = found.bound
    assert np.all(np.diff(bound.residual) > 0) and np.all(bound.closed[1:] > bound.residual[1:])
    for t, one in zip(found.ts, found.distances, strict=True):
        assert 0 < one.kl < bound.at(t)[1] < bound.at(t)[2]
    assert "relative L2" in study.lines(found)[0] and "blow-up at about" in study.lines(found)[-1]
    assert len(set(line.count("|") for line in study.lines(found)[:4])) == 1  # a table
    assert study.numbers(found)["distances"][1]["t"] == pytest.approx(0.2)
    assert study.draw(found, tmp_path).is_file()
    film = iio.imread(tmp_path / "film.gif")
    assert len(film) == 11 and film.shape[-1] == 3 and np.any(film[0] != film[-1])


@pytest.mark.slow
def test_the_residual_bounds_the_divergence_of_too_few_cells():
    study = LagrangianSubcritical(
        t1=0.25, frames=2, pictures=1, num_labels=256, num_sources=1024, width=8, num_particles=64, dt=0.05, cells=5
    )
    found = study.run()
    assert found.predicted is None and "blow-up" not in study.lines(found)[-1]
    for t, one in zip(found.ts, found.distances, strict=True):
        _, exact_field, closed = found.bound.at(t)
        assert one.kl < exact_field < closed < 1e-2


@pytest.mark.slow
def test_a_flow_without_the_waves_of_the_fluid_is_found_out(tmp_path):
    small = {"num_labels": 256, "num_sources": 512, "width": 12, "num_particles": 128, "dt": 0.01, "cells": 11}
    study = LagrangianKolmogorov(t1=0.05, frames=1, pictures=1, seeds=2, **small)
    found = study.run()
    good, bad = found.fits["with waves"], found.fits["without"]
    assert good.successful and good.residuals.max() < 0.15 and good.reached == pytest.approx(0.05)
    assert not bad.successful and bad.residuals[-1] > 0.3 and bad.reached < 0.05
    assert "does not move at the drift velocity of its density" in study.lines(found)[3]
    np.testing.assert_allclose(found.means["flow"], 0, atol=5e-3)
    assert found.distances["energy distance"].flow.shape == (1, 2)
    assert np.all(found.distances["sliced Wasserstein"].flow < 0.6)
    assert study.numbers(found)["fits"]["without"]["reached"] == bad.reached
    assert study.draw(found, tmp_path).is_file()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [LagrangianTwoBumps, LagrangianShear])
def test_flows_in_the_plane(kind, tmp_path):
    small = {"num_labels": 256, "num_sources": 1024, "width": 8, "num_particles": 256, "dt": 0.005, "cells": 96}
    study = kind(t1=0.05, frames=2, **small)
    found = study.run()
    assert max(found.errors) < 0.05 and found.residuals.max() < 0.1
    assert found.spreads["flow"] == pytest.approx(found.spreads["exact"], rel=0.02)
    assert found.spreads["interacting particles"] == pytest.approx(found.spreads["exact"], rel=0.2)
    np.testing.assert_allclose(found.means["flow"], found.means["exact"], atol=0.01)
    assert "relative L2" in study.lines(found)[0] and len(study.numbers(found)["relative_l2"]) == 2
    assert study.draw(found, tmp_path).is_file() and len(iio.imread(tmp_path / "film.gif")) == 11
