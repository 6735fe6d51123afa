"""One self-contained HTML page about a fit: figures, intervals, and in words what the data do not determine."""

import itertools
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import jax
import numpy as np

from jaxchemo import _checks
from jaxchemo._show import number
from jaxchemo.inference import Assay, Fit, GridShift, Laplace, Profile, doubts, grid_shift, identify, laplace, profile
from jaxchemo.reports import figures
from jaxchemo.reports.html import bullets, document, figure, paragraph, table, text


def report(
    fit: Fit,
    path: str | Path,
    assay: Assay,
    *,
    title: str = "A fit",
    command: str = "",
    profiles: bool = True,
    progress: bool | str = True,
) -> Path:
    """Writes one HTML file that needs nothing else, to be read on a screen of any size or printed.

    It has the equations, data and fit with a band for new data, residuals, intervals, correlations, profiles, what the
    data determine and what not, what the grid does to the result, how the search ended, versions, and how to repeat it.
    A fit that has not converged has no error bars: the page says so first.

    **Arguments:**

    - `fit`: of `assay`, by `jc.inference.fit_assay`.
    - `path`: file to write.
    - `assay`: what was fitted.
    - `title`: of the page.
    - `command`: that repeats it. Default: none is shown.
    - `profiles`: whether to follow profiles, some dozen fits at once.
    - `progress`: as `jc.inference.fit`.

    **Returns:** the path.

    **Raises:** `TypeError` for what is no `Fit` or `Assay`; `OSError` if the file cannot be written.
    """
    _checks.instance("fit", fit, Fit, "a Fit, of jc.inference.fit_assay(assay)")
    _checks.instance("assay", assay, Assay, "an Assay, of jc.inference.assay(measurements, law)")
    known = why = None
    if fit.converged:
        try:
            known = laplace(fit)
        except ValueError as error:
            why = str(error)
    else:
        why = f"The search has not converged, as {fit.reason}. What follows is where it ended, without error bars."
    body: list[str] = [f"<h1>{text(title)}</h1>"]
    said = [*([] if why is None else [why]), *doubts(fit)]
    body += [paragraph(sentence, "warning") for sentence in said]
    body += ["<h2>Model</h2>", f"<pre>{text(assay.model(fit.parameters).equations())}</pre>"]
    body += ["<h2>Parameters</h2>", _parameters(fit, assay, known)]
    body += ["<h2>What was assumed</h2>", bullets(assay.notes)]
    if known is not None:
        body += _of_a_fit_with_error_bars(fit, assay, known, profiles, progress)
    body += ["<h2>Search</h2>", _search(fit)]
    page = document(title, body, command)
    path = Path(path)
    path.write_text(page, encoding="utf-8")
    return path


def _of_a_fit_with_error_bars(
    fit: Fit, assay: Assay, known: Laplace, profiles: bool, progress: bool | str
) -> Iterable[str]:
    ends = figures.band(known, jax.random.key(0))
    inside = _share_inside(fit, ends)
    yield "<h2>Data and fit</h2>"
    words = f"The band holds 90% of new data, by the normal approximation; {100 * inside:.0f}% of these data lie in it."
    yield figure(figures.data_and_fit(assay, fit, ends), words)
    yield figure(figures.residuals(assay, fit), "What the fit leaves, in standard deviations of the noise.")
    alike = _neighbours(fit, assay)
    if alike > 0.3:
        yield paragraph(
            f"Residuals of neighbouring points correlate by {alike:.2f}, where independent noise has none: the model "
            "lacks something, or the noise is not independent, and the error bars are too narrow.",
            "warning",
        )
    yield "<h2>What the data determine</h2>"
    yield from _identified(fit, known)
    yield figure(figures.correlations(known), "Correlations of the unknowns after the data.")
    if profiles:
        yield "<h2>Profiles</h2>"
        yield from _profiled(fit, progress)
    yield "<h2>The grid</h2>"
    yield from _of_the_grid(fit, assay)


def _parameters(fit: Fit, assay: Assay, known: Laplace | None) -> str:
    rows = []
    intervals = {} if known is None else known.interval(0.9)
    for name, prior in zip(fit.posterior.names, fit.posterior.priors, strict=True):
        between = " to ".join(map(number, intervals[name])) if name in intervals else "not known"
        unit = assay.units.get(name, "")
        rows.append((name, number(fit.parameters[name]), between, repr(prior), unit))
    rows += [(name, f"{value:g}", "held", "", assay.units.get(name, "")) for name, value in assay.fixed.items()]
    return table(("parameter", "value", "90% interval", "prior", "unit"), rows)


def _share_inside(fit: Fit, ends: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    data, there = np.asarray(fit.posterior.data), np.asarray(fit.posterior.observed)
    return float(np.mean(((data >= ends[1]) & (data <= ends[2]))[there]))


def _neighbours(fit: Fit, assay: Assay) -> float:
    """Correlation of the residuals of neighbours along a line; 0 where there is no line."""
    if len(assay.columns[0].point) > 1:
        return 0.0
    r = np.asarray(fit.residuals, float).reshape(np.shape(fit.posterior.data))
    r = np.where(np.asarray(fit.posterior.observed), r, 0)  # what is missing counts for nothing
    series: dict[tuple[str, str], list[int]] = {}
    for index in sorted(range(len(assay.columns)), key=lambda i: assay.columns[i].point):
        series.setdefault((assay.columns[index].observable, assay.columns[index].replicate), []).append(index)
    product = sum(float(np.sum(r[:, each[:-1]] * r[:, each[1:]])) for each in series.values())
    return product / max(float(np.sum(r**2)), np.finfo(float).tiny)


def _identified(fit: Fit, known: Laplace) -> Iterable[str]:
    directions = identify(fit)
    unseen = [direction for direction in directions if not direction.seen]
    if unseen:
        many = "combinations" if len(unseen) > 1 else "combination"
        yield paragraph(
            f"Of {len(directions)} combinations of the unknowns these data do not determine {len(unseen)}: what is "
            f"said of the {many} below is what the prior said. Along it parameters may change together, and the fit "
            "stays as good.",
            "warning",
        )
    else:
        yield paragraph("All combinations of the unknowns are known better after the data than before.")
    yield bullets(str(direction) for direction in directions)
    correlation = np.asarray(known.correlation, float)
    labels = fit.posterior.labels
    pairs = [(i, j) for i, j in itertools.combinations(range(len(labels)), 2) if abs(correlation[i, j]) > 0.9]
    for i, j in pairs:
        yield paragraph(
            f"{labels[i]} and {labels[j]} correlate by {correlation[i, j]:.2f}: one is hardly known without the other."
        )


def _profiled(fit: Fit, progress: bool | str) -> Iterable[str]:
    labels = [
        label
        for name, prior in zip(fit.posterior.names, fit.posterior.priors, strict=True)
        for label in fit.posterior.labels
        if prior.elementwise and label.split("[")[0] == name
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        each: Sequence[Profile] = profile(fit, *labels, level=0.9, progress=progress)
    yield from (paragraph(str(warning.message), "warning") for warning in caught)
    words = "The grey line is the rise at which the 90% interval ends."
    yield figure(figures.profiles(each), words)
    rows = [(p.label, " to ".join(map(number, p.interval())), p.below or "-", p.above or "-") for p in each]
    yield table(("parameter", "90% interval by profile", "not followed below, as", "not followed above, as"), rows)


def _of_the_grid(fit: Fit, assay: Assay) -> Iterable[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the page says it
            shift: GridShift = grid_shift(fit, assay.finer(fit))
    except ValueError as error:
        yield paragraph(f"How much the grid shifts the result is not known: {error}", "warning")
        return
    each = ", ".join(f"{label} {value:+.2g}" for label, value in shift.relative.items())
    yield paragraph(
        "One run on a grid of twice the cells foretells by how much the grid has shifted the fit, in standard "
        f"deviations of its error bars: {each}; the combination that is shifted most, {shift.worst:.2g}."
    )
    corrected = ", ".join(f"{name} = {number(value)}" for name, value in shift.corrected.items())
    if shift.worst > 0.5:
        yield paragraph(
            f"That is more than half an error bar: take a finer grid. Without the shift, to second order: {corrected}.",
            "warning",
        )
    else:
        yield paragraph(f"The grid is fine enough for these data. Without the shift, to second order: {corrected}.")


def _search(fit: Fit) -> str:
    refused: dict[str, int] = {}
    for step in fit.steps:
        if step.refused:
            refused[step.refused] = refused.get(step.refused, 0) + 1
    lines = [
        f"{'Converged' if fit.converged else 'Not converged'}: {fit.reason}.",
        f"{len(fit.steps)} trials and {fit.simulations} simulations in the last search, a Jacobian counted as one for "
        "each unknown.",
        f"Chi-square per datum: {fit.chi_square:.3g}.",
        *(f"{count} trials were refused: {reason}" for reason, count in refused.items()),
    ]
    return bullets(lines)
