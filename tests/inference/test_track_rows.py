"""Tracks in rows: every frame is there once, and pairs are of one track."""

import numpy as np
from hypothesis import given, settings
from hypothesis.strategies import integers, lists

from jaxchemo.inference import Rows, Tracks
from jaxchemo.inference.track_rows import NOTHING


@settings(max_examples=5, deadline=None)
@given(lengths=lists(integers(2, 12), min_size=1, max_size=8))
def test_every_frame_is_in_the_rows_once(lengths):
    tracks = Tracks.of([np.arange(2.0 * n).reshape(n, 2) + 100 * k for k, n in enumerate(lengths)], dt=0.1)
    rows = Rows.of(tracks)
    there = rows.track != NOTHING
    assert sorted(zip(rows.track[there], rows.frame[there], strict=True)) == [
        (k, f) for k, n in enumerate(lengths) for f in range(n)
    ]
    assert rows.num_tracks == len(lengths) and rows.num_frames == max(lengths)
    x = np.asarray(rows.taken(tracks.positions))
    assert (x[there] == np.asarray(tracks.positions)[rows.track[there], rows.frame[there]]).all()


@settings(max_examples=20, deadline=None)
@given(lengths=lists(integers(2, 12), min_size=1, max_size=8), lag=integers(1, 14), every=integers(1, 4))
def test_pairs_are_all_those_of_each_track(lengths, lag, every):
    rows = Rows.of_frames([np.arange(n) for n in lengths])
    expected = sum(len(range(0, max(n - lag, 0), every)) for n in lengths)
    assert rows.pairs(lag, every).sum() == expected


def test_nothing_is_joined_over_a_gap():
    rows = Rows.of_frames([np.array([0, 1, 4, 5, 6])])
    assert rows.joined[:, 0].tolist() == [True, False, True, True]
    assert rows.pairs(2)[:, 0].tolist() == [False, False, True]
