"""One self-contained HTML page about tracks: the numbers of the cells, and whether simulated ones look like them."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxchemo import _checks
from jaxchemo._show import number
from jaxchemo.inference import Calibration, TrackCheck, TrackMatch, check_tracks
from jaxchemo.inference.track_matches import UNITS
from jaxchemo.reports.html import bullets, document, figure, paragraph, table, text

FAR = 2.0  # standard deviations by which a summary is off that the page names


def report_tracks(
    fit: TrackMatch,
    path: str | Path,
    *,
    calibration: Calibration | None = None,
    title: str = "Tracks",
    command: str = "",
) -> Path:
    """Writes one HTML file that needs nothing else: numbers with intervals, what was assumed, what is not described.

    **Arguments:**

    - `fit`: by `jc.inference.match_tracks`.
    - `path`: file to write.
    - `calibration`: of the intervals, by `fit.calibrate`. Default: the page says that there is none.
    - `title`: of the page; `command`: that repeats it. Default: none is shown.

    **Returns:** the path.

    **Raises:** `TypeError` for what is no `TrackMatch`; `OSError` if the file cannot be written.
    """
    _checks.instance("fit", fit, TrackMatch, "a TrackMatch, of jc.inference.match_tracks(tracks, key=key)")
    body = [f"<h1>{text(title)}</h1>", paragraph(repr(fit.tracks))]
    body += [paragraph(sentence, "warning") for sentence in warnings_of(fit)]
    body += ["<h2>The cells</h2>", _numbers(fit)]
    body += ["<h2>What was assumed</h2>", bullets(fit.notes)]
    body += ["<h2>Measured and simulated tracks</h2>"]
    checks = check_tracks(fit, key=jax.random.key(0))
    caption = "Black: measured. The band holds 90% of simulated tracks of numbers as likely as the intervals say."
    body += [figure(drawn(checks), caption), bullets(map(repr, checks))]
    body += ["<h2>Summaries</h2>", *_misfit(fit), "<h2>The intervals</h2>", *_calibrated(fit, calibration)]
    path = Path(path)
    path.write_text(document(title, body, command), encoding="utf-8")
    return path


def warnings_of(fit: TrackMatch) -> list[str]:
    """What a reader must know before any number, in sentences."""
    found, said = fit.found, []
    if not found.settled:
        said.append(f"The search has not settled: {found.reason}. What follows is where it ended.")
    if found.widened > 1:
        said.append(
            f"Run and tumble swimmers do not describe these tracks: the misfit is {found.chi_square:.1f} times the "
            f"expected one (p = {found.p_value:.1g}). Intervals are {found.widened:.1f} times as wide as noise alone "
            "makes them, and numbers are those of the swimmers whose tracks look most like these."
        )
    return said


def drawn(checks: Sequence[TrackCheck]) -> Figure:
    """A panel for each distribution."""
    made = Figure(figsize=(4 * len(checks), 3.2), layout="constrained")
    for panel, check in zip(np.ravel(made.subplots(1, len(checks))), checks, strict=True):
        distribution(panel, check)
        if check.edges[0] < 0:  # of cosines nearly all are near 1
            panel.set_yscale("log")
        panel.legend(fontsize="small")
    return made


def distribution(axes: Axes, check: TrackCheck) -> None:
    """What was measured, and the band of what is simulated."""
    axes.stairs(check.upper, check.edges, baseline=check.lower, fill=True, alpha=0.4, label="simulated, 90%")
    axes.stairs(check.measured, check.edges, color="k", label="measured")
    axes.set(title=check.name, xlabel=check.label, ylabel="share")


def _numbers(fit: TrackMatch) -> str:
    ends, posterior = fit.interval(0.9), fit.found.fit.posterior
    rows = [
        (name, number(fit.parameters[name]), " to ".join(map(number, ends[name])), repr(prior), UNITS[name])
        for name, prior in zip(posterior.names, posterior.priors, strict=True)
    ]
    return table(("number", "value", "90% interval", "prior", "unit"), rows)


def _misfit(fit: TrackMatch) -> list[str]:
    far = {name: off for name, off in fit.found.misfit.items() if abs(off) > FAR}
    if not far:
        return [paragraph(f"All of {len(fit.found.names)} summaries are within {FAR:g} of their standard deviations.")]
    words = f"Of {len(fit.found.names)} summaries, these are off by more than {FAR:g} standard deviations of noise:"
    return [paragraph(words), table(("summary", "measured above fitted"), [(k, f"{v:+.1f}") for k, v in far.items()])]


def _calibrated(fit: TrackMatch, calibration: Calibration | None) -> list[str]:
    if calibration is None:
        return [paragraph("They were not tried on simulated tracks.", "warning")]
    covered = calibration.coverage(0.9)
    words = f"Of {len(calibration.ranks)} sets of simulated tracks, intervals of 90% held the truth in these shares:"
    if fit.found.widened > 1:
        words = f"Before they were widened, as simulated tracks have no such misfit. {words}"
    return [paragraph(words), table(("number", "held"), [(k, f"{100 * v:.0f}%") for k, v in covered.items()])]
