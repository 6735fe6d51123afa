"""The page about tracks: one file, with its pictures, that says first what does not hold."""

import dataclasses
import re

import jax
import numpy as np
import pytest

from jaxchemo.inference import Tracks, match_tracks
from jaxchemo.reports import report_tracks
from jaxchemo.reports.tracks import warnings_of


@pytest.fixture(scope="module")
def found():
    """Of random walks, which no swimmer makes."""
    x = np.cumsum(np.random.default_rng(0).normal(size=(20, 50, 2)), axis=1)
    tracks = Tracks(x, 1 / 15)
    return match_tracks(tracks, key=jax.random.key(0), n=250, frames=1000, max_rounds=1, progress=False)


@pytest.mark.slow
def test_page_stands_alone_and_says_first_what_does_not_hold(found, tmp_path):
    page = report_tracks(found, tmp_path / "page.html", title="<walks>", command="jaxchemo fit walks.csv").read_text()
    assert "&lt;walks&gt;" in page and "jaxchemo fit walks.csv" in page
    assert page.count("data:image/png;base64,") == 1
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.index("The search has not settled") < page.index("<h2>The cells</h2>")
    for name in found.parameters:
        assert f"<td>{name}</td>" in page
    assert "They were not tried on simulated tracks." in page


@pytest.mark.slow
def test_warnings_are_those_of_the_fit(found):
    match = dataclasses.replace(found.found, settled=True, widened=1.0)
    assert warnings_of(dataclasses.replace(found, found=match)) == []
    doubtful = dataclasses.replace(found, found=dataclasses.replace(match, widened=3.0))
    assert (
        "do not describe these tracks" in warnings_of(doubtful)[0] and "3.0 times as wide" in warnings_of(doubtful)[0]
    )
