"""Tracks of different lengths laid out end to end in rows of one length: nearly every number in them is a position."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from jaxchemo.inference.track_data import Tracks

NOTHING = -1  # in place of a track where there is none


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Which frame of which track is where: time runs along the first axis, rows along the second.

    **Fields:**

    - `track`: number of the track, or `NOTHING`, `(t, r)`; `frame`: of that track.
    - `num_tracks`, `num_frames`: how many tracks there are, and the frames of the longest.

    >>> tracks = jc.inference.Tracks.of([np.zeros((3, 2)), np.ones((2, 2)), np.ones((5, 2))], dt=0.1)
    >>> jc.inference.Rows.of(tracks).track.T.tolist()  # the longest first
    [[2, 2, 2, 2, 2], [0, 0, 0, 1, 1]]
    """

    track: Int[np.ndarray, "t r"]
    frame: Int[np.ndarray, "t r"]
    num_tracks: int
    num_frames: int

    @classmethod
    def of(cls, tracks: Tracks) -> "Rows":
        """Of all frames in which a swimmer was seen; between stretches of a track nothing is joined."""
        seen = np.asarray(tracks.seen)
        return cls.of_frames([np.flatnonzero(row) for row in seen])

    @classmethod
    def of_frames(cls, frames: "list[np.ndarray]") -> "Rows":
        """Of the frames of each track, in the order of time."""
        lengths = np.array([len(each) for each in frames])
        longest = int(lengths.max())
        rows: list[list[int]] = []
        room: list[int] = []
        for number in np.argsort(-lengths, kind="stable"):  # each into the first row that has room for it
            fits = np.flatnonzero(np.array(room, int) >= lengths[number])
            if fits.size:
                rows[fits[0]].append(int(number))
                room[fits[0]] -= int(lengths[number])
            else:
                rows.append([int(number)])
                room.append(longest - int(lengths[number]))
        track = np.full((longest, len(rows)), NOTHING, np.int32)
        frame = np.zeros((longest, len(rows)), np.int32)
        for k, row in enumerate(rows):
            numbers = np.concatenate([np.full(lengths[n], n) for n in row])
            track[: len(numbers), k] = numbers
            frame[: len(numbers), k] = np.concatenate([frames[n] for n in row])
        return cls(track, frame, len(frames), 1 + int(frame.max()))

    @property
    def joined(self) -> Bool[np.ndarray, "t-1 r"]:
        """Whether a frame and the next are of one track, one frame apart."""
        return self.pairs(1)

    def pairs(self, lag: int, every: int = 1) -> Bool[np.ndarray, "t-lag r"]:
        """Which frames, of every so many of their track, have one of the same track `lag` frames later."""
        if lag >= len(self.track):
            return np.zeros((0, self.track.shape[1]), bool)
        early, late = slice(None, -lag), slice(lag, None)
        same = (self.track[early] == self.track[late]) & (self.track[early] != NOTHING)
        return same & (self.frame[late] - self.frame[early] == lag) & (self.frame[early] % every == 0)

    def taken(self, positions: Float[Array, "p t d"]) -> Float[Array, "t r d"]:
        """Positions of tracks in this order; zeros where there is none."""
        values = jnp.asarray(positions)[np.maximum(self.track, 0), self.frame]
        return jnp.where((self.track != NOTHING)[..., None], values, 0)

    def tracks(self, x: Float[ArrayLike, "t r d"], dt: float) -> Tracks:
        """Tracks of positions in this order, frames `dt` apart: what `taken` undoes."""
        there, values = self.track != NOTHING, np.asarray(x, float)
        positions = np.full((self.num_tracks, self.num_frames, values.shape[-1]), np.nan)
        positions[self.track[there], self.frame[there]] = values[there]
        return Tracks(positions, dt)
