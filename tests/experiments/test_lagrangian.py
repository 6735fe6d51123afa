"""The studies of collapse, small."""

import numpy as np
import pytest

from jaxchemo.experiments import LagrangianGaussian, LagrangianShear, LagrangianTwoBumps


@pytest.mark.slow
def test_a_flow_follows_a_gaussian(tmp_path):
    study = LagrangianGaussian(
        t1=0.2, frames=2, num_labels=256, num_sources=1024, width=8, num_particles=256, dt=0.01, cells=31
    )
    found = study.run(seed=1)
    assert [one.l2 < 0.05 for one in found.distances] == [True, True]
    assert found.spreads["flow"] == pytest.approx(found.spreads["exact"], rel=0.01)
    assert found.spreads["interacting particles"] == pytest.approx(found.spreads["exact"], rel=0.2)
    assert np.all(np.diff(found.integral) > 0) and 0.2 < found.predicted < 0.5
    assert "relative L2" in study.lines(found)[0] and "blow-up at about" in study.lines(found)[-1]
    assert study.numbers(found)["distances"][1]["t"] == pytest.approx(0.2)
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
    assert study.draw(found, tmp_path).is_file()
