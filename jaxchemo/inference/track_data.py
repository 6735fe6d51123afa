"""Measured tracks of swimmers: positions frame by frame, of as many swimmers as were seen, for as long as each was."""

from collections.abc import Sequence
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxchemo import _checks
from jaxchemo._show import number
from jaxchemo.inference.tables import Table

_COLUMNS = {"track": "track_id", "time_s": "time", "x_um": "x", "y_um": "y", "z_um": "z"}  # the second as well


class Tracks(eqx.Module):
    """Positions of swimmers at evenly spaced times, which begin with the first frame in which each was seen.

    **Arguments:**

    - `positions`: `(p, t, d)`, of `p` tracks in 1 to 3 dimensions, the shorter ones filled up with anything [length].
    - `dt`: between frames, positive [time].
    - `seen`: in which frames each was located, `(p, t)`. Default: wherever its position is not NaN.

    Positions that were not seen are replaced by zeros.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault: a track that is not seen in its first frame,
    or in fewer than two; positions that were seen and are not finite.

    >>> tracks = jc.inference.Tracks(jnp.arange(12.0).reshape(2, 3, 2), dt=0.1)
    >>> tracks, tracks.thinned(2).positions.shape
    (Tracks(2 tracks in 2D, 3 frames of 0.1 at most, 6 positions), (2, 2, 2))
    """

    positions: Float[Array, "p t d"]
    seen: Bool[Array, "p t"]
    dt: Float[Array, ""]

    def __init__(self, positions: Float[ArrayLike, "p t d"], dt: ArrayLike, seen: Bool[ArrayLike, "p t"] | None = None):
        x = _checks.number("positions", positions, arrays=True)
        if x.ndim != 3 or not 1 <= x.shape[2] <= 3:
            raise ValueError(f"`positions` must be of the shape (tracks, frames, 1 to 3), got {x.shape}.")
        there = jnp.all(jnp.isfinite(x), axis=-1) if seen is None else jnp.asarray(seen)
        if there.dtype != bool or there.shape != x.shape[:2]:
            raise ValueError(f"`seen` must be True or False, {x.shape[:2]}, got {there.dtype} {there.shape}.")
        if _checks.is_concrete(there) and _checks.is_concrete(x):
            _check(np.asarray(x), np.asarray(there))
        self.positions = jnp.where(there[..., None], x, 0)
        self.seen, self.dt = there, _checks.positive("dt", dt)

    @classmethod
    def of(cls, tracks: Sequence[Float[ArrayLike, "_ d"]], dt: ArrayLike) -> "Tracks":
        """Of tracks of different lengths, each `(t, d)` with NaN where it was not seen [length].

        **Raises:** as `Tracks`; `ValueError` for tracks of different dimensions.

        >>> jc.inference.Tracks.of([np.zeros((3, 2)), np.ones((5, 2))], dt=0.1).seen.sum(axis=1).tolist()
        [3, 5]
        """
        parts = [np.asarray(track, float) for track in _checks.several("tracks", tracks, "track")]
        dims = {part.shape[-1] if part.ndim == 2 else None for part in parts}
        if len(dims) > 1 or None in dims:
            raise ValueError(f"`tracks` must all be (frames, d), got {_checks.listed([str(p.shape) for p in parts])}.")
        padded = np.full((len(parts), max(map(len, parts)), parts[0].shape[1]), np.nan)
        for row, part in zip(padded, parts, strict=True):
            row[: len(part)] = part
        return cls(padded, dt)

    @property
    def ndim(self) -> int:
        """Of space."""
        return self.positions.shape[2]

    @property
    def num_tracks(self) -> int:
        """How many swimmers were followed."""
        return self.positions.shape[0]

    def thinned(self, k: int) -> "Tracks":
        """Every `k`-th frame, from the first on; tracks of which fewer than two are left are left out.

        **Raises:** `ValueError` or `TypeError` if `k` is not an integer of at least 1, or nothing is left.
        """
        k = _checks.natural("k", k)
        seen = np.asarray(self.seen)[:, ::k]
        enough = seen.sum(axis=1) > 1
        if not enough.any():
            raise ValueError(f"`k` is {k}, and no track has two frames so far apart.")
        return Tracks(self.positions[enough, ::k], k * self.dt, seen[enough])

    def __repr__(self) -> str:
        count, frames, ndim = self.positions.shape
        total = int(jnp.sum(self.seen)) if _checks.is_concrete(self.seen) else "?"
        return f"Tracks({count} tracks in {ndim}D, {frames} frames of {number(self.dt)} at most, {total} positions)"


def read_tracks(path: str | Path, *, missing: bool = False) -> Tracks:
    """Reads tracks, a position a row.

    **Arguments:**

    - `path`: of a CSV file with the columns `track` (any name), `time_s` [s], `x_um`, `y_um` and, in 3D, `z_um` [um];
      or `track_id`, `time`, `x`, `y`, `z` for them. The rows of a track come in the order of time.
    - `missing`: whether a track may leave out frames, in which it was not located. By default that is refused.

    **Raises:** `ValueError` with the file, and the line and the column or the track at fault: unknown columns, numbers
    that are none, times that are no multiples of one step, tracks of a single frame; `OSError` if it cannot be read.

    >>> import tempfile
    >>> file = tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False)
    >>> _ = file.write("track,time_s,x_um,y_um\\n1,0,0,0\\n1,0.1,2,0\\n2,0.3,5,5\\n2,0.4,5,7\\n2,0.5,5,9\\n")
    >>> file.close()
    >>> jc.inference.read_tracks(file.name)
    Tracks(2 tracks in 2D, 3 frames of 0.1 at most, 5 positions)
    """
    missing = _checks.flag("missing", missing)
    table = Table(path, _COLUMNS, ("track", "time_s", "x_um", "y_um"))
    axes = [axis for axis in ("x_um", "y_um", "z_um") if axis in table.columns]
    points, times = np.stack([table.numbers(axis) for axis in axes], axis=1), table.numbers("time_s")
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(table.texts("track")):
        rows.setdefault(name, []).append(row)
    tracks = [np.array(each) for each in rows.values()]
    if single := [name for name, each in rows.items() if len(each) < 2]:
        raise ValueError(f"{table.path}: track {single[0]!r} has one frame: at least two are needed.")
    indices, dt = _numbered(table, times, tracks, missing)
    made = [np.full((index[-1] + 1, len(axes)), np.nan) for index in indices]
    for positions, index, each in zip(made, indices, tracks, strict=True):
        positions[index] = points[each]
    return Tracks.of(made, dt)


def _numbered(
    table: Table, times: np.ndarray, tracks: list[np.ndarray], missing: bool
) -> tuple[list[np.ndarray], float]:
    """The number that each frame has in its track, and the time between two [time]; refuses times that are uneven."""
    steps = [np.diff(times[each]) for each in tracks]
    for each, step in zip(tracks, steps, strict=True):
        if not (step > 0).all():
            late = each[1 + np.argmin(step > 0)]
            raise table.error(late, "time_s", f"is {times[late]:g}, no later than the frame of this track before it")
    usual = np.median(np.concatenate(steps))
    indices = [np.concatenate([[0], np.cumsum(np.rint(step / usual).astype(int))]) for step in steps]
    # Times are often rounded: all tracks together know the step better than any two frames do.
    dt = sum(np.sum(step) for step in steps) / max(sum(index[-1] for index in indices), 1)
    for each, index in zip(tracks, indices, strict=True):
        off = np.abs(times[each] - times[each[0]] - dt * index)
        if off.max() > 0.1 * dt or (np.diff(index) < 1).any():
            worst = each[off.argmax()]
            raise table.error(worst, "time_s", f"is {times[worst]:g}, {off.max():.2g} off even times, {dt:.4g} apart")
        if not missing and (np.diff(index) > 1).any():
            gap = each[1 + np.argmax(np.diff(index) > 1)]
            what = f"is {times[gap]:g}, where frames were left out before: `missing=True` would take them"
            raise table.error(gap, "time_s", what)
    return indices, float(dt)


def _check(positions: np.ndarray, seen: np.ndarray) -> None:
    """Refuses tracks that say nothing, and positions that are none."""
    if not np.isfinite(positions[seen]).all():
        raise ValueError("`positions` must be finite where they were seen: `seen` says where they were not.")
    if not seen.any() or (seen.sum(axis=1) < 2).any():
        at = "there are none" if not seen.size else f"track {int(np.argmin(seen.sum(axis=1)))} has fewer"
        raise ValueError(f"`positions` must hold at least two frames of each track, {at}.")
    if not seen[:, 0].all():
        late = int(np.argmin(seen[:, 0]))
        raise ValueError(f"`positions` must begin where each track is first seen, as track {late} does not.")
