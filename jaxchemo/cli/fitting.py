"""The command `fit`: from a table of measurements, or of tracks, to a report."""

import shlex
import warnings
from pathlib import Path

from jaxchemo.cli.commands import begin, refusing, say_where
from jaxchemo.cli.errors import Failed, Refused
from jaxchemo.cli.folder import Options, Place, results
from jaxchemo.cli.laws import find_law
from jaxchemo.cli.limits import check_memory, need


def fit(place: Place, given: Options) -> None:
    """Fits a model to measurements, and leaves a report and a summary in a folder.

    A fit that has not converged is reported as such, and the command then ends with the exit code 1.

    **Raises:** `Refused` for tables or options that cannot be taken; `Failed` where the fit has not
    converged.
    """
    need("rich", "matplotlib")
    import jax

    if given["model"] is None:
        if not _of_tracks(given["measurements"]):
            raise Refused("the following arguments are required: --model (only tables of tracks go without)")
        _fit_tracks(place, given)
        return
    with jax.enable_x64(True):  # rounding of single precision is of the size of what ends a search
        _fit(place, given)


def _of_tracks(table: Path) -> bool:
    """Whether the columns are those of tracks."""
    try:
        with table.open(encoding="utf-8-sig") as file:
            columns = {name.strip() for name in file.readline().split(",")}
    except (OSError, UnicodeDecodeError):
        return False
    return {"track", "x_um", "y_um"} <= columns or {"track_id", "x", "y"} <= columns


def _fit_tracks(place: Place, given: Options) -> None:
    """From a table of tracks to the numbers of the cells, and a page about them."""
    import jax

    from jaxchemo import inference, reports
    from jaxchemo.experiments.outcome import surroundings

    command, key = _command(place, given), jax.random.key(0)
    with results(place, given, dict) as made, refusing(place):
        console = begin(place, made, f"swimmers fitted to {given['measurements']}")
        found = inference.match_tracks(inference.read_tracks(given["measurements"], missing=given["missing"]), key=key)
        console.print(repr(found), highlight=False)
        calibration = found.calibrate(100, key=jax.random.fold_in(key, 1))
        page = made.new / "report.html"
        reports.report_tracks(found, page, calibration=calibration, title=f"{place.name}: swimmers", command=command)
        intervals = found.interval(0.9)
        made.summarise(
            {
                "parameters": {name: float(value) for name, value in found.parameters.items()},
                "intervals": {name: [float(end) for end in ends] for name, ends in intervals.items()},
                "misfit": found.found.chi_square,
                "p_value": found.found.p_value,
                "widened": found.found.widened,
                "settled": found.found.settled,
                "reason": found.found.reason,
                "held": calibration.coverage(0.9),
                "notes": list(found.notes),
                "command": command,
                **surroundings(),
            }
        )
    say_where(console, place)
    if not found.found.settled:
        raise Failed(f"the search has not settled, as {found.found.reason}; the report has what there is.")


def _fit(place: Place, given: Options) -> None:
    from jaxchemo import inference, reports
    from jaxchemo.experiments.outcome import surroundings

    law, command = find_law(given["model"]), _command(place, given)
    with results(place, given, dict) as made, refusing(place):
        console = begin(place, made, f"{given['model']} fitted to {given['measurements']}")
        table = inference.read_measurements(given["measurements"], missing=given["missing"])
        cells, ndim = given["cells"], table.points.shape[1]
        if cells is not None:
            check_memory(cells**ndim, "--cells")
        assay = inference.assay(
            table,
            law,
            parameters=None if given["parameters"] is None else inference.read_parameters(given["parameters"]),
            observables=None if given["observables"] is None else inference.read_observables(given["observables"]),
            box=_box(given["box"], ndim),
            cells=cells,
            dt=given["dt"],
        )
        for note in assay.notes:
            console.print(note, highlight=False)
        found = inference.fit_assay(assay)
        known = inference.laplace(found) if found.converged else None
        console.print(repr(found), highlight=False)
        if known is not None:
            console.print(repr(known), highlight=False)
        doubts = inference.doubts(found)
        for sentence in doubts:
            warnings.warn(sentence, stacklevel=1)
        title = f"{place.name}: {given['model']}"
        reports.report(found, made.new / "report.html", assay, title=title, command=command)
        intervals = {} if known is None else known.interval(0.9)
        made.summarise(
            {
                "model": given["model"],
                "parameters": {name: float(value) for name, value in found.parameters.items()},
                "intervals": {name: [float(end) for end in ends] for name, ends in intervals.items()},
                "fixed": dict(assay.fixed),
                "chi_square_per_datum": found.chi_square,
                "converged": found.converged,
                "reason": found.reason,
                "doubts": doubts,
                "notes": assay.notes,
                "command": command,
                **surroundings(),
            }
        )
    say_where(console, place)
    if not found.converged:
        raise Failed(f"the fit has not converged, as {found.reason}; the report has what there is.")


def _box(ends: tuple[float, ...] | None, ndim: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if ends is None:
        return None
    if len(ends) != 2 * ndim:
        raise ValueError(
            f"`--box` must have a lower and an upper end along each of {ndim} axes, got {len(ends)} numbers."
        )
    return ends[::2], ends[1::2]


def _command(place: Place, given: Options) -> str:
    """The words that repeat it."""
    words = ["jaxchemo", "fit", str(given["measurements"])]
    for name in ("model", "parameters", "observables", "box", "cells", "dt"):
        if given[name] is not None:
            value = given[name] if isinstance(given[name], tuple) else (given[name],)
            words += [f"--{name}", *map(str, value)]
    words += ["--missing"] * bool(given["missing"])
    return shlex.join([*words, "--out", str(place.folder)])
