"""What tracks say in a few numbers: means over pairs of displacements, from which swimmers' numbers are found again.

All are of displacements over a lag long enough that localisation errors and smoothing matter little: how long they
are, how they turn from one to another, how often swimmers rest, and how much tracks differ. Some are of single frames:
they say what the errors and the smoothing are.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.inference.track_data import Tracks
from jaxchemo.inference.track_rows import Rows

LAG = 4 / 15  # over which displacements are taken [s]
APART = 1, 2, 4  # lags between displacements that are compared
TURNS = 45.0, 90.0, 135.0  # degrees
SLOW = 0.25, 0.5, 0.75  # of the mean speed of a track
FEWEST = 100  # pairs of which a number is made


# By name, sums over each track `(p,)` of what is averaged, and how many pairs it has.
Sums = dict[str, tuple[Array, Array]]


class TrackSummaries:
    """Some thirty numbers of tracks that were seen in certain frames, of which only every so many are used.

    **Arguments:**

    - `tracks`: in which frames each is seen, and the time between them.
    - `thinned`: take every so many frames. Default 1: all.
    - `rows`, `apart`: where frames are, and which displacements are compared, of simulated tracks. Default: those of
      `tracks` themselves.

    **Raises:** `ValueError` or `TypeError` if tracks are so short that fewer than `FEWEST` pairs of displacements can
    be compared, or for bad input.

    >>> x = np.cumsum(np.random.default_rng(0).normal(size=(20, 100, 2)), axis=1)
    >>> tracks = jc.inference.Tracks(x, dt=1 / 15)
    >>> summaries = jc.inference.TrackSummaries(tracks)
    >>> summaries.names[0], summaries(summaries.rows.taken(tracks.positions)).shape == (len(summaries.names),)
    ('log mean speed', True)
    """

    rows: Rows
    thinned: int
    lag: int
    ndim: int
    apart: tuple[int, ...]
    dt: float

    def __init__(
        self, tracks: Tracks, thinned: int = 1, rows: Rows | None = None, apart: tuple[int, ...] | None = None
    ):
        _checks.instance("tracks", tracks, Tracks, "Tracks, as read_tracks gives them")
        self.thinned = _checks.natural("thinned", thinned)
        self.rows = Rows.of(tracks) if rows is None else rows
        self.dt = float(tracks.dt)
        self.ndim = tracks.ndim
        self.lag = self.thinned * max(1, round(LAG / (self.thinned * self.dt)))
        if apart is not None:
            self.apart = apart
            return
        counted = {m: int(self._both(m).sum()) for m in APART}
        self.apart = tuple(m for m in APART if counted[m] >= FEWEST)
        if self.apart[:2] != APART[:2]:
            raise ValueError(
                f"`tracks` are too short, or too few: {counted[2]} pairs of displacements over {self.lag} frames can "
                f"be compared, {FEWEST} are needed."
            )

    def _both(self, m: int) -> np.ndarray:
        """Where a displacement begins after which, m lags later, another begins, both within a track."""
        first = self.rows.pairs(self.lag, self.thinned)
        shift = m * self.lag
        if shift >= len(first):
            return np.zeros((0, first.shape[1]), bool)
        between = self.rows.track[shift : len(first)] == self.rows.track[: len(first) - shift]
        gap = self.rows.frame[shift : len(first)] - self.rows.frame[: len(first) - shift]
        return first[:-shift] & first[shift:] & between & (gap == shift)

    def sums(self, x: Float[Array, "t r d"]) -> Sums:
        """Of each track, from positions in rows [length]."""
        track, count = jnp.maximum(self.rows.track, 0), self.rows.num_tracks
        made: Sums = {}

        def add(name: str, values: Array, where: np.ndarray) -> None:
            """`values` (t', r) of pairs, each for the track where it begins."""
            n = len(where)
            each = jnp.where(where, values, 0)
            total = jax.ops.segment_sum(each.ravel(), track[:n].ravel(), count)
            number = np.bincount(np.asarray(self.rows.track)[:n][where], minlength=count)
            made[name] = total, jnp.asarray(number, x.dtype)

        lag, one = self.lag, self.thinned
        moved = self.rows.pairs(lag, self.thinned)
        d = (x[lag:] - x[:-lag]) / (lag * self.dt)
        square = jnp.sum(d**2, axis=-1)
        speed = jnp.sqrt(square)
        add("speed", speed, moved)
        add("square", square, moved)
        total, number = made["speed"]
        usual = (total / jnp.maximum(number, 1))[track[: len(moved)]]
        for share in SLOW:
            add(f"slower than {share:g}", 1.0 * (speed < share * usual), moved)
        heading = d / jnp.maximum(speed, 1e-6 * jnp.max(speed))[..., None]
        for m in self.apart:
            both, shift = self._both(m), m * lag
            n = len(both)
            add(f"product {m}", jnp.sum(d[:n] * d[shift : shift + n], axis=-1), both)
            cosine = jnp.sum(heading[:n] * heading[shift : shift + n], axis=-1)
            add(f"cosine {m}", cosine, both)
            add(f"squared cosine {m}", cosine**2, both)
            if m <= 2:
                for turn in TURNS:
                    add(f"turn {m} above {turn:g}", 1.0 * (cosine < np.cos(np.radians(turn))), both)
            if m == 1:
                bend = (d[shift : shift + n] - d[:n]) ** 2
                add("bend", jnp.sum(bend[..., :2], axis=-1), both)
                if self.ndim == 3:
                    add("bend z", bend[..., 2], both)
        # Second differences from one frame to the next: the errors of positions, and what smoothing has left of them.
        near = self.rows.pairs(2 * one, one)
        a = x[2 * one :] - 2 * x[one:-one] + x[: -2 * one]
        for axes, label in ((slice(0, 2), "xy"), (slice(2, 3), "z"))[: self.ndim - 1]:
            part = a[..., axes]
            add(f"kink {label}", jnp.mean(part**2, axis=-1), near)
            if one == 1 and label == "xy":
                size = jnp.sqrt(jnp.sum(jnp.where(near[..., None], part**2, 0)) / (near.sum() * part.shape[-1]))
                add(f"straight {label}", jnp.mean(1.0 * (jnp.abs(part) < 0.1 * size), axis=-1), near)
        return made

    def combined(self, parts: Sums, weight: Float[Array, " p"] | None = None) -> dict[str, Array]:
        """The numbers, by name; `weight` says how often each track counts. Default: once."""
        w = jnp.ones(self.rows.num_tracks) if weight is None else weight

        def mean(name: str) -> Array:
            total, number = parts[name]
            return jnp.sum(w * total) / jnp.sum(w * number)

        def spread(name: str) -> Array:
            """Variance of the means of tracks, those of many pairs counting more."""
            total, number = parts[name]
            each, share = total / jnp.maximum(number, 1), w * number / jnp.sum(w * number)
            return jnp.sum(share * (each - jnp.sum(share * each)) ** 2)

        speed, square = mean("speed"), mean("square")
        out = {
            "log mean speed": jnp.log(speed),
            "log mean squared speed": jnp.log(square / speed**2),
            "log spread of speed": jnp.log(spread("speed") / speed**2),
            "log spread of turns": jnp.log(spread("cosine 1")),
        }
        for name in parts:
            if name.startswith("product"):
                out[name] = mean(name) / square
            elif name.startswith(("slower", "cosine", "squared", "turn", "straight")):
                out[name] = mean(name)
        out["log bend"] = jnp.log(mean("bend") / square)
        if self.ndim == 3:
            out["log bend z"] = jnp.log(mean("bend z") / mean("bend"))
        out["log kink xy"] = jnp.log(mean("kink xy"))
        if self.ndim == 3:
            out["log kink z"] = jnp.log(mean("kink z"))
        return out

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers."""
        shape = jax.ShapeDtypeStruct((*self.rows.track.shape, self.ndim), jnp.float32)
        listed: list[str] = []  # as a function returns them, JAX would sort them
        jax.eval_shape(lambda x: listed.extend(self.combined(self.sums(x))), shape)
        return tuple(listed)

    def __call__(self, x: Float[Array, "t r d"], weight: Float[Array, " p"] | None = None) -> Float[Array, " k"]:
        """From positions in rows [length] to the numbers."""
        return jnp.stack([*self.combined(self.sums(x), weight).values()])
