"""The page of a report: valid, alone, and honest about what is not known."""

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import LogNormal, Measurements, Parameters, assay, fit_assay
from jaxchemo.reports import report

VOID = {"meta", "img", "!doctype"}


class Page(HTMLParser):
    """Collects text and sources, and refuses tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def posed():
    # Heat from a Gaussian, exactly: not made by the scheme that fits it.
    x = np.linspace(-3, 3, 25)
    t, x = (part.ravel() for part in np.meshgrid([0.0, 1.0, 2.0], x, indexing="ij"))
    variance = 0.3 + 2 * 0.05 * t
    values = np.exp(-0.5 * x**2 / variance) / np.sqrt(variance)
    rows = ("",) * t.size
    table = Measurements(rows, rows, t, x[:, None], values, std=np.full(t.size, 0.05), exposure=None)
    priors = Parameters({"mobility": LogNormal(0.1, 3.0), "capacity": LogNormal(5.0, 3.0)}, {"growth": 0.0}, {})
    made = assay(table, jc.models.fisher, parameters=dataclasses.replace(priors, units={"mobility": "mm^2/h"}))
    return made, fit_assay(made, progress=False)


def test_a_page_is_whole_and_needs_nothing_else(posed, tmp_path):
    made, found = posed
    page = Page(report(found, tmp_path / "a.html", made, title="Cells < 5 & more", profiles=False).read_text())
    words = " ".join(page.words)
    assert len(page.sources) == 3 and all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "Cells < 5 & more" in words and "mm^2/h" in words and "mobility" in words
    # Without growth the capacity does nothing, and the page says so twice.
    assert "'capacity' changes nothing that is predicted" in words
    assert "Of 2 combinations of the unknowns these data do not determine 1" in words
    assert "The grid" in words and "twice the cells" in words


@pytest.mark.slow
def test_profiles_are_drawn_and_say_what_ends_them(posed, tmp_path):
    made, found = posed
    page = Page(report(found, tmp_path / "a.html", made, progress=False).read_text())
    assert len(page.sources) == 4 and "held by its prior, not by the data" in " ".join(page.words)


def test_without_convergence_there_are_no_error_bars(posed, tmp_path):
    made, found = posed
    ended = dataclasses.replace(found, converged=False, reason="`max_steps`, 1, were not enough")
    words = " ".join(Page(report(ended, tmp_path / "a.html", made).read_text()).words)
    assert "The search has not converged" in words and "not known" in words and "The grid" not in words


def test_what_is_no_fit_is_refused(posed, tmp_path):
    with pytest.raises(TypeError, match="`fit` must be a Fit"):
        report(posed[0], tmp_path / "a.html", posed[0])
