"""Swimmers' numbers from measured tracks of any smoothing: speed, tumbles, turns, diffusion, and how cells differ."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._show import number
from jaxchemo.inference.calibration import Calibration
from jaxchemo.inference.matched import Match, calibrate_match, match
from jaxchemo.inference.priors import AbstractPrior, LogNormal, Normal
from jaxchemo.inference.swimming_tracks import SMOOTHINGS, simulated_tracks
from jaxchemo.inference.track_data import Tracks
from jaxchemo.inference.track_rows import Rows
from jaxchemo.inference.track_summaries import TrackSummaries

UNITS = {
    "speed": "um/s",
    "speed_spread": "",
    "tumble_rate": "1/s",
    "tumble_rate_spread": "",
    "tumble_duration": "s",
    "persistence": "",
    "rotational_diffusion": "1/s",
    "rotational_diffusion_spread": "",
    "error": "um",
    "error_z": "um",
    "smoothing": "",
}
NUISANCE = "error", "error_z", "smoothing"  # how tracks were seen, not how cells swim
KINKED = 0.25  # of straight stretches: more are there only if velocities were made piecewise constant


@dataclasses.dataclass(frozen=True, repr=False)
class TrackMatch:
    """Swimmers' numbers, and what was assumed of their tracks.

    **Fields:**

    - `tracks`: as measured; `thinned`: of which every so many frames were used.
    - `found`: the `Match`.
    - `smoothing`: what tracks are assumed to have passed through: `'none'`, `'trend'` or `'average'`.
    - `notes`: what was assumed, in sentences.
    - `summaries`, `simulator`: of the tracks, and of simulated ones.
    - `moving`: the tracks without axes along which nothing moves.

    >>> x = np.cumsum(np.random.default_rng(0).normal(size=(20, 50, 2)), axis=1)  # no swimmers at all
    >>> tracks, few = jc.inference.Tracks(x, dt=1 / 15), {"n": 250, "frames": 1000, "max_rounds": 1}
    >>> made = jc.inference.match_tracks(tracks, key=jax.random.key(0), progress=False, **few)
    >>> made.smoothing, made.found.settled
    ('average', False)
    """

    tracks: Tracks
    thinned: int
    found: Match
    smoothing: str
    notes: tuple[str, ...]
    summaries: TrackSummaries
    simulator: "TrackSimulator"
    moving: Tracks

    @property
    def parameters(self) -> dict[str, Array]:
        """By name; units are in `UNITS`."""
        return self.found.parameters

    def interval(self, level: float = 0.9) -> dict[str, tuple[Array, Array]]:
        """As `Match.interval`."""
        return self.found.interval(level)

    def calibrate(self, n: int = 400, *, key: PRNGKeyArray, progress: bool | str = True) -> Calibration:
        """How often intervals hold the truth of simulated tracks, as `calibrate_match`."""
        return calibrate_match(self.found, self.simulator, n, key=key, progress=progress)[0]

    def __repr__(self) -> str:
        return f"TrackMatch of {self.tracks!r}\n  {self.found!r}"


class TrackSimulator:
    """From numbers of swimmers to the summaries of tracks as these, `(n,)` to `(n, m)`: a `Simulator`."""

    def __init__(self, summaries: TrackSummaries, smoothing: str):
        self.summaries, self.smoothing = summaries, smoothing

        @jax.jit
        def simulate(p: Mapping[str, Array], key: PRNGKeyArray) -> Array:
            return jax.lax.map(summaries, self.tracks(p, key))

        self.compiled = simulate

    def tracks(self, p: Mapping[str, Array], key: PRNGKeyArray) -> Float[Array, "n t r d"]:
        """Positions in rows [length]."""
        s = self.summaries
        return simulated_tracks(p, key, s.rows, s.dt, s.ndim, self.smoothing)

    def __call__(self, parameters: Mapping[str, Array], key: PRNGKeyArray) -> Float[Array, "n m"]:
        return self.compiled(dict(parameters), key)


def match_tracks(
    tracks: Tracks,
    *,
    key: PRNGKeyArray,
    thinned: int = 1,
    priors: Mapping[str, AbstractPrior] | None = None,
    smoothing: str | None = None,
    near: TrackMatch | None = None,
    n: int = 300,
    frames: int = 15_000,
    max_rounds: int = 8,
    progress: bool | str = True,
) -> TrackMatch:
    """Numbers of swimmers whose simulated tracks look as these do: by simulated moments, see `match`.

    Cells run at speeds and tumble at rates that differ between them, log-normally, of which `speed` and `tumble_rate`
    are the means, `speed_spread` and `tumble_rate_spread` the relative standard deviations. Tumbles take exponential
    times, during which a cell stays on the spot, and end with a turn of mean cosine `persistence`. Positions have
    independent errors of standard deviation `error`, along z `error_z`, and then are smoothed.

    **Arguments:**

    - `tracks`: in 2D or 3D; [um] and [s], for which the priors are meant. An axis without movement is left out.
    - `key`: random key.
    - `thinned`: use every so many frames. Default 1: all.
    - `priors`: in place of the usual ones, by name. Those are wide, but for the mean cosine of a turn, which is that of
      *E. coli*, 0.33 with a standard deviation of 0.15 (Berg and Brown 1972).
    - `smoothing`: `'none'`, `'trend'` (a `TrendFilter`) or `'average'` (a `MovingAverage`), of unknown strength.
      Default: `'trend'` where velocities are constant over stretches of frames, otherwise `'average'`, which may come
      out as none.
    - `near`: of the same tracks with all frames: where a fit of thinned ones begins, and what it takes over of errors
      and smoothing, which thinned tracks do not show.
    - `frames`: of the simulated tracks of a data set, about. Default 15,000.
    - `n`, `max_rounds`, `progress`: as `match`.

    **Returns:** a `TrackMatch`.

    **Raises:** `ValueError` or `TypeError` for bad input, tracks too short or too few, and where nothing moves.
    """
    _checks.instance("tracks", tracks, Tracks, "Tracks, as read_tracks gives them")
    if smoothing is not None and smoothing not in SMOOTHINGS:
        raise ValueError(f"`smoothing` must be one of {_checks.listed(SMOOTHINGS)}, got {smoothing!r}.")
    moving, notes = _moving(tracks)
    measured = TrackSummaries(moving, thinned)
    data = np.asarray(jax.jit(measured)(measured.rows.taken(moving.positions)), float)
    if not np.isfinite(data).all():
        odd = [name for name, value in zip(measured.names, data, strict=True) if not np.isfinite(value)]
        raise ValueError(f"`tracks` have no finite {_checks.listed(odd)}: nothing moves in them, or nothing turns.")
    named = dict(zip(measured.names, data.tolist(), strict=True))
    if near is not None:
        smoothing = near.smoothing
    if smoothing is None:
        smoothing = "trend" if named.get("straight xy", 0.0) > KINKED else "average"
    rows, size = _as_many(moving, _checks.natural("frames", frames, at_least=1000))
    simulator = TrackSimulator(TrackSummaries(moving, thinned, rows, measured.apart), smoothing)
    every = _priors(named, moving.ndim, smoothing)
    own = {} if priors is None else _checks.mapping("priors", priors, "priors")
    if odd := set(own) - set(every):
        raise ValueError(f"`priors` has {_checks.listed(sorted(odd))}, but the unknowns are {_checks.listed(every)}.")
    every |= own
    start = None
    if near is not None:
        every, start = _taken_over(every, near)
    notes += _said(smoothing, moving, near)
    found = match(
        every,
        simulator,
        data,
        key=key,
        names=measured.names,
        n=n,
        max_rounds=max_rounds,
        size=size,
        start=start,
        progress=progress,
    )
    return TrackMatch(tracks, thinned, found, smoothing, tuple(notes), measured, simulator, moving)


def _moving(tracks: Tracks) -> tuple[Tracks, list[str]]:
    """Without axes along which nothing moves."""
    x, seen = np.asarray(tracks.positions, float), np.asarray(tracks.seen)
    steps = np.diff(x, axis=1)[seen[:, 1:] & seen[:, :-1]]
    size = np.sqrt(np.mean(steps**2, axis=0))
    moves = size > 1e-3 * size.max()
    if moves.sum() < 2:
        raise ValueError("`tracks` must move along two or three axes.")
    notes = []
    if not moves.all():
        still = "xyz"[int(np.argmin(moves))]
        notes.append(f"Nothing moves along {still}, which was left out: the cells are taken to swim in a plane.")
    elif tracks.ndim == 2:
        notes.append("Two axes were measured: the cells are taken to swim in this plane.")
    return Tracks(x[..., moves], float(tracks.dt), seen), notes


def _as_many(tracks: Tracks, wanted: int) -> tuple[Rows, float]:
    """Rows of about so many frames, as those of the tracks, and how many times as many as these they are."""
    frames = [np.flatnonzero(row) for row in np.asarray(tracks.seen)]
    total = sum(map(len, frames))
    if total > 1.5 * wanted:
        every = round(total / wanted)
        order = sorted(range(len(frames)), key=lambda k: len(frames[k]))
        chosen = [frames[k] for k in sorted(order[every // 2 :: every])]
    else:
        chosen = frames * max(1, round(wanted / total))
    some = Rows.of_frames(chosen)
    return some, sum(map(len, chosen)) / total


def _priors(named: Mapping[str, float], ndim: int, smoothing: str) -> dict[str, AbstractPrior]:
    speed = math.exp(named["log mean speed"])
    # Errors of independent frames have second differences of 6 times their variance, less what smoothing took.
    jitter = math.sqrt(math.exp(named["log kink xy"]) / 6)
    error = jitter * (1.0 if smoothing == "none" else 2.5)
    # E. coli (Berg and Brown 1972), and wide. The turn is the narrowest: where the model does not describe the data,
    # few large turns and many small ones are hard to tell from one another.
    priors: dict[str, AbstractPrior] = {
        "speed": LogNormal(1.1 * speed, 1.4),
        "speed_spread": LogNormal(0.3, 1.8),
        "tumble_rate": LogNormal(1.0, 2.0),
        "tumble_rate_spread": LogNormal(0.5, 1.6),
        "tumble_duration": LogNormal(0.15, 1.7),
        "persistence": Normal(0.33, 0.15),
        "rotational_diffusion": LogNormal(0.1, 2.0),
        "rotational_diffusion_spread": LogNormal(0.5, 1.6),
        "error": LogNormal(error, 2.5),
    }
    if ndim == 3:
        ratio = math.exp(0.5 * named["log kink z"] - 0.5 * named["log kink xy"])
        priors["error_z"] = LogNormal(error * ratio, 2.5)
    if smoothing == "trend":
        priors["smoothing"] = LogNormal(2 * error, 3.0)
    if smoothing == "average":
        priors["smoothing"] = LogNormal(0.7, 2.0)
    return priors


def _taken_over(
    priors: dict[str, AbstractPrior], near: TrackMatch
) -> tuple[dict[str, AbstractPrior], tuple[np.ndarray, np.ndarray]]:
    """Priors with what is known of errors and smoothing, and where to start: z and its covariance."""
    ends = near.interval(0.6827)
    for name in set(NUISANCE) & set(priors):
        lower, upper = (float(end) for end in ends[name])
        priors[name] = LogNormal(math.sqrt(lower * upper), max(math.sqrt(upper / lower), 1.001))
    old, names = near.found.fit.posterior, list(priors)
    centre = np.array([float(priors[name].whitened(near.parameters[name])) for name in names])
    # Thinned tracks say less: a cloud somewhat wider than what all frames say is near enough.
    width = np.array([1.0 if name in NUISANCE else 1.5 for name in names])
    scale = width * np.array([_slope(priors[n], old.priors[old.names.index(n)], near.parameters[n]) for n in names])
    return priors, (centre, np.asarray(near.found.known.covariance, float) * np.outer(scale, scale))


def _slope(new: AbstractPrior, old: AbstractPrior, value: Any) -> float:
    """Of the new z in the old one."""
    z = old.whitened(value)
    return float(jax.grad(lambda z: new.whitened(old.value(z)))(z))


def _said(smoothing: str, tracks: Tracks, near: TrackMatch | None) -> list[str]:
    through = {
        "none": "no smoothing",
        "trend": "a trend filter of unknown strength, which makes velocities piecewise constant as these are",
        "average": "a moving average of unknown width, which may be none",
    }[smoothing]
    notes = [f"Errors of positions are independent and Gaussian, and tracks have passed through {through}."]
    if near is not None:
        notes.append("Errors and smoothing are as known from all frames.")
    if tracks.num_tracks < 30:
        notes.append(f"There are {number(tracks.num_tracks)} tracks: what differs between cells is hardly known.")
    notes.append("Chemical conditions are not known: rates and durations are those of the cells as they were.")
    return notes
