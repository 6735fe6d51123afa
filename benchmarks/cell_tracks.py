"""Measured tracks of bacteria: speed, tumbles, turns and diffusion, and how cells differ, by simulated moments.

`--data FILE.csv` has a row for each frame of each track: `track, time_s, x_um, y_um, z_um` (or without `z_um`). Such
tracks were often smoothed by their authors, who may not say how: simulated ones pass through the same kind of
smoothing, whose strength is fitted too.

Tracks are fitted with all frames, and with every second, third and fourth: the numbers of the cells must not depend on
it. Beside them stands what a threshold on the turn from frame to frame gives, which does depend on it. Simulated tracks
of the fitted numbers, smoothed alike, are fitted from the priors as the measured ones were; the error bars are tried on
many more of them; and turning angles and displacements of simulated tracks are held against those measured.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _report
import jax
import jax.numpy as jnp
import numpy as np

from jaxchemo.inference import TrackCheck, TrackMatch, Tracks, check_tracks, match_tracks, read_tracks
from jaxchemo.inference.track_matches import UNITS
from jaxchemo.reports.tracks import distribution, warnings_of

THINNED = 1, 2, 3, 4
TURN = 35.0  # degrees from frame to frame: more is a tumble by the threshold rule
CELLS = "speed", "tumble_rate", "tumble_duration", "rotational_diffusion"


def threshold_rate(tracks: Tracks) -> float:
    """Tumbles per time by a rule: a turn from frame to frame of more than `TURN`, however many frames it lasts."""
    x, seen = np.asarray(tracks.positions, float), np.asarray(tracks.seen)
    d, there = np.diff(x, axis=1), seen[:, 1:] & seen[:, :-1]
    length = np.maximum(np.linalg.norm(d, axis=-1), 1e-9)
    cosine = np.sum(d[:, 1:] * d[:, :-1], axis=-1) / (length[:, 1:] * length[:, :-1])
    both = there[:, 1:] & there[:, :-1]
    turns = both & (cosine < np.cos(np.radians(TURN)))
    onsets = turns.copy()
    onsets[:, 1:] &= ~turns[:, :-1]
    return float(onsets.sum() / ((both & ~turns).sum() * float(tracks.dt)))


def shown(fit: TrackMatch, truth: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """A row for each number: value, interval, and truth where it is known."""
    ends, rows = fit.interval(0.9), []
    for name, value in fit.parameters.items():
        lower, upper = (float(end) for end in ends[name])
        row = {"number": name, "unit": UNITS[name], "value": float(value), "5%": lower, "95%": upper}
        if truth is not None:
            row |= {"truth": float(truth[name]), "inside": bool(lower <= float(truth[name]) <= upper)}
        rows.append(row)
    return rows


def invariance(fits: Mapping[int, TrackMatch], rules: Mapping[int, float]) -> list[dict[str, Any]]:
    """A row for each thinning: the numbers of the cells, with half their 90% intervals."""
    rows = []
    for k, fit in fits.items():
        row: dict[str, Any] = {"every": k, "frame [s]": float(fit.tracks.dt) * k}
        for name in CELLS:
            lower, upper = (float(end) for end in fit.interval(0.9)[name])
            row |= {f"{name} [{UNITS[name]}]": float(fit.parameters[name]), f"{name} +-": (upper - lower) / 2}
        row |= {"threshold rule [1/s]": rules[k], "misfit": fit.found.chi_square, "p": fit.found.p_value}
        row |= {"widened": fit.found.widened, "settled": fit.found.settled}
        rows.append(row)
    return rows


def moved(fits: Mapping[int, TrackMatch]) -> list[dict[str, Any]]:
    """By how much thinning moves each number, in standard deviations of what all frames say."""
    first, rows = fits[1].found, []
    posterior = first.fit.posterior
    for k, fit in fits.items():
        if k > 1:
            z = np.asarray(posterior.whitened(fit.parameters), float)
            apart = (z - np.asarray(first.fit.z, float)) / np.asarray(first.known.std, float)
            rows.append({"every": k} | dict(zip(posterior.names, apart.tolist(), strict=True)))
    return rows


def figure(
    checks: Sequence[TrackCheck], fits: Mapping[int, TrackMatch], rules: Mapping[int, float], path: Path
) -> None:
    """Tumble rate and duration by thinning, and the distributions."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn, panels = plt.subplots(2, 3, figsize=(13, 7.5), layout="constrained")
    for panel, name in zip(panels[0], ("tumble_rate", "tumble_duration", "rotational_diffusion"), strict=True):
        values = np.array([float(fit.parameters[name]) for fit in fits.values()])
        ends = np.array([[float(end) for end in fit.interval(0.9)[name]] for fit in fits.values()]).T
        panel.errorbar(list(fits), values, np.abs(ends - values), fmt="o", capsize=4, label="simulated moments, 90%")
        if name == "tumble_rate":
            panel.plot(list(rules), list(rules.values()), "x", color="C1", label=f"turns above {TURN:g} degrees")
            panel.legend(fontsize="small")
        panel.set(xlabel="every so many frames", ylabel=f"{name.replace('_', ' ')} [{UNITS[name]}]", xticks=list(fits))
        panel.set_ylim(bottom=0)
    for panel, check in zip(panels[1], checks, strict=True):
        distribution(panel, check)
        if check.edges[0] < 0:  # of cosines nearly all are near 1
            panel.set_yscale("log")
    panels[1, 0].legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, dpi=120)
    plt.close(drawn)


def study(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All that is said of one file."""
    tracks = read_tracks(path, missing=True)
    print(f"{path.name}: {tracks!r}", flush=True)
    n, key = 280 if options.quick else options.n, jax.random.key(0)
    clock = time.process_time()
    fits = {1: match_tracks(tracks, key=key, n=n)}
    print(repr(fits[1]), flush=True)
    for k in THINNED[1:]:
        try:
            fits[k] = match_tracks(tracks, key=jax.random.fold_in(key, k), thinned=k, near=fits[1], n=n, max_rounds=2)
        except ValueError as error:
            print(f"Every {k} frames: {error}", flush=True)
    rules = {k: threshold_rate(tracks.thinned(k)) for k in fits}
    tables: dict[str, Any] = {
        "all frames": shown(fits[1]),
        "thinned": invariance(fits, rules),
        "moved by thinning": moved(fits),
    }
    for title, rows in tables.items():
        _report.table(f"{path.name}, {title}", rows)
    out: dict[str, Any] = {
        "tracks": repr(tracks),
        "notes": fits[1].notes,
        "cpu s": time.process_time() - clock,
        **tables,
    }
    out["misfit"] = fits[1].found.misfit
    checks = check_tracks(fits[1], 20 if options.quick else 60, key=jax.random.key(1))
    rows = [{"distribution": c.name, "bins in 90% band": c.inside, "elsewhere": c.distance} for c in checks]
    _report.table(f"{path.name}, measured beside simulated", rows)
    out["predictive"] = [dataclasses.asdict(check) for check in checks]
    figure(checks, fits, rules, options.out / f"cell_tracks.{path.stem}.png")
    out |= recovered(fits[1], 1 if options.quick else options.recoveries, n, 50 if options.quick else options.sets)
    for note in fits[1].notes:
        print(note)
    for sentence in warnings_of(fits[1]):
        print(sentence)
    return out


def recovered(fit: TrackMatch, times: int, n: int, sets: int) -> dict[str, Any]:
    """Simulated tracks of the fitted numbers, smoothed alike, and fitted from the priors; then many by the same law."""
    rows, out = [], {}
    for k in range(times):
        one = {name: jnp.asarray(value)[None] for name, value in fit.parameters.items()}
        x = np.asarray(jax.jit(fit.simulator.tracks)(one, jax.random.key(100 + k)))[0]
        made = fit.simulator.summaries.rows.tracks(x, float(fit.tracks.dt))
        again = match_tracks(made, key=jax.random.key(200 + k), smoothing=fit.smoothing, n=n)
        rows += [{"set": k} | row for row in shown(again, fit.parameters)]
        print(f"set {k}: misfit {again.found.chi_square:.2f}, settled {again.found.settled}", flush=True)
        if k == 0:
            calibration = again.calibrate(sets, key=jax.random.key(2))
            print(repr(calibration), flush=True)
            covered = {f"{100 * level:g}%": calibration.coverage(level) for level in (0.5, 0.9)}
            covered["uneven ranks, p"] = calibration.flatness
            out["calibration"] = {**covered, "failed": calibration.failed, "sets": len(calibration.ranks)}
    _report.table("Simulated tracks, smoothed alike, fitted from the priors", rows)
    return {"recovered": rows, **out}


def main() -> None:
    parser = _report.parser(__doc__)
    parser.add_argument("--data", type=Path, nargs="+", help="CSV files of tracks")
    parser.add_argument("--n", type=int, default=400, help="simulations of a round")
    parser.add_argument("--sets", type=int, default=200, help="simulated data sets that error bars are tried on")
    parser.add_argument("--recoveries", type=int, default=2, help="simulated data sets that are fitted from the priors")
    options = parser.parse_args()
    if options.data is None:
        print("Nothing is measured without `--data FILE.csv`.")
        return
    results, refused = {}, 0
    for path in options.data:
        try:
            results[path.name] = study(path, options)
        except (ValueError, OSError) as error:
            refused += 1
            print(f"{path.name} is left out: {error}", file=sys.stderr)
    if results:
        _report.save(options, "cell_tracks", results)
    if refused:
        sys.exit(1)


if __name__ == "__main__":
    main()
