"""The page "Fit parameters" runs as written, and what it finds is right."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxchemo.inference import laplace

PAGE = Path(__file__).parent.parent / "docs" / "fit.md"


@pytest.mark.slow
def test_its_code_runs_and_finds_the_truth(capsys):
    names = {}
    with jax.enable_x64(False):  # as a newcomer runs it
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
            exec(compile(block, str(PAGE), "exec"), names)
        truth = names["posterior"].whitened(names["truth"])
        known, draws = names["known"], names["draws"]
    assert np.all(np.abs(known.z - truth) < 3 * known.std)
    for profile, label in zip(names["profiles"], names["posterior"].labels, strict=True):
        low, high = profile.interval(0.95)
        ends = known.interval(0.95)[label]
        np.testing.assert_allclose([low, high], ends, rtol=0.03)
        np.testing.assert_allclose(draws.interval(0.95)[label], ends, rtol=0.03)
    assert names["shift"].worst < 0.5
    # Of 100 data sets 90 hold it, give or take 3.
    assert all(0.8 < share <= 1 for share in names["checked"].coverage(0.9).values())
    # A field is known where it is eaten; bands about the peak are somewhat too narrow.
    inside = (names["low"] < names["hidden"]) & (names["hidden"] < names["high"])
    assert float(inside.mean()) > 0.6
    assert np.linalg.norm(names["seen"].parameters["food"] - names["hidden"]) < 0.1 * np.linalg.norm(names["hidden"])
    # Particles, and the derivatives of many of them in few cells, which are those of their density.
    followed = names["followed"]
    eaters = followed.posterior.whitened({"mobility": 0.1, "sensitivity": 1.0})
    assert followed.converged and np.all(np.abs(followed.z - eaters) < 4 * laplace(followed).std)
    places = np.linspace(-2, 2, 17)[:-1] + 0.125

    def place(sensitivity):
        seen, _ = names["eating"](128)({"mobility": 0.1, "sensitivity": sensitivity})
        return seen[-1] @ places * 0.25

    with jax.enable_x64(False):
        expected = jax.jacfwd(jax.jit(place))(1.0)
    assert names["slope"].noise == ()
    assert float(names["slope"].derivative["sensitivity"]) == pytest.approx(float(expected), rel=0.05)
    assert "known to" in capsys.readouterr().out
