"""The studies of collapse, small."""

import numpy as np
import pytest

from jaxchemo.experiments import LagrangianGaussian


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
