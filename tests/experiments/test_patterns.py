"""Patterns that form by themselves: what the studies find, draw and refuse."""

import dataclasses

import numpy as np
import pytest

from jaxchemo.experiments.patterns import KellerSegel1D, StabilityMap

SMALL = KellerSegel1D(length=20.0, cells=80, sensitivity=10.0, noise=0.1, t1=8.0, dt=2e-3, frames=8)
MAP = StabilityMap(sensitivities=(2.0, 6.0, 5), decays=(0.1, 0.4, 4), cells=16, dt=0.02, t1=4.0)


def test_spikes_form_and_nothing_is_lost(tmp_path):
    found = SMALL.run(seed=1)
    assert found.density.shape == (9, 80) and found.ts[-1] == pytest.approx(8.0)
    assert found.mass_drift < 1e-12 and found.density.min() > 0
    assert found.spikes[0] == 0 and abs(found.spikes[-1] - found.predicted) < 2
    assert SMALL.numbers(found)["spikes"] == found.spikes and "mass drift" in SMALL.lines(found)[1]
    assert SMALL.draw(found, tmp_path).is_file() and (tmp_path / "film.gif").stat().st_size > 1000
    again = SMALL.resized(40, 1e-2)
    assert (again.cells, again.dt) == (40, 1e-2)


def test_theory_and_runs_agree_on_where_patterns_form(tmp_path):
    found = MAP.run()
    np.testing.assert_allclose(found.critical, 2 * (1 + found.decays + 2 * np.sqrt(found.decays)), rtol=1e-6)
    assert found.rates.shape == (4, 5)
    assert np.all((found.rates > 0) == (found.sensitivities > found.critical[:, None]))
    for strength, decay, predicted, measured in found.runs:
        assert (measured > 0) == (predicted > 0) == (strength > 2 * (1 + decay + 2 * np.sqrt(decay)))
        assert measured == pytest.approx(predicted, abs=5e-3)
    assert "10 of 10" in MAP.lines(found)[0] and len(MAP.numbers(found)["runs"]) == 10
    assert MAP.draw(found, tmp_path).is_file()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`cells` must be at least 8, got 4"):
        dataclasses.replace(SMALL, cells=4).run()
