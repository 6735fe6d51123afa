"""Tracks: what is read, what is filled up, and a sentence with file, line and column for what cannot be."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo.inference import Tracks, read_tracks


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "tracks.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def written(table, tracks, dt, starts):
    """A table of tracks, rounded as such tables are, the rows of all tracks in the order of time."""
    rows = [
        (start + n * dt, f"{name},{start + n * dt:.4f}," + ",".join(f"{x:.3f}" for x in point))
        for name, (track, start) in enumerate(zip(tracks, starts, strict=True))
        for n, point in enumerate(track)
        if np.isfinite(point).all()
    ]
    return table("track,time_s,x_um,y_um,z_um\n" + "\n".join(row for _, row in sorted(rows)))


def test_tracks_are_read_back_whatever_their_lengths_starts_and_gaps(table):
    random = np.random.default_rng(0)
    tracks = [random.normal(size=(n, 3)).round(3) for n in (2, 40, 300)]
    tracks[2][[5, 6, 100]] = np.nan
    path = written(table, tracks, 1 / 15, [0.0, 0.2, 1.0])
    read = read_tracks(path, missing=True)
    assert float(read.dt) == pytest.approx(1 / 15, rel=1e-5)
    for n, track in enumerate(tracks):
        seen = np.asarray(read.seen[n])
        assert seen.sum() == np.isfinite(track[:, 0]).sum() and not seen[len(track) :].any()
        np.testing.assert_allclose(read.positions[n][seen], track[np.isfinite(track[:, 0])])
    assert not np.asarray(read.positions)[~np.asarray(read.seen)].any()
    with pytest.raises(ValueError, match="where frames were left out before: `missing=True`"):
        read_tracks(path)


def test_thinned_tracks_are_those_of_a_slower_camera():
    x = np.arange(22.0).reshape(1, 11, 2)
    seen = np.ones((1, 11), bool)
    seen[0, 3] = False
    thin = Tracks(x, 0.1, seen).thinned(3)
    assert thin.positions[0, :, 0].tolist() == [0, 0, 12, 18] and thin.seen[0].tolist() == [True, False, True, True]
    assert float(thin.dt) == pytest.approx(0.3)
    both = Tracks.of([np.zeros((3, 2)), np.ones((11, 2))], 0.1)
    assert both.thinned(4).num_tracks == 1  # the shorter has one frame left
    with pytest.raises(ValueError, match="`k` is 20, and no track has two frames so far apart"):
        both.thinned(20)


def test_tracks_pass_through_transformations():
    made = jax.vmap(lambda shift: Tracks(shift + jnp.ones((2, 4, 2)), 0.1))(jnp.arange(3.0))
    assert made.positions.shape == (3, 2, 4, 2) and made.positions[2, 0, 0, 0] == 3


@pytest.mark.parametrize(
    "rows, sentence",
    [
        ("track,time_s,x_um,y_um,colour\n1,0,0,0,red\n", "line 1: unknown columns 'colour'; track, time_s"),
        ("track,time_s,x_um\n1,0,0\n", "line 1: there is no column 'y_um'"),
        ("track,time_s,x_um,y_um\n1,0,0,0\n1,0.1,1,1\n2,0,1,1\n", "track '2' has one frame"),
        ("track,time_s,x_um,y_um\n1,0,0,0\n1,0.1,1,nan\n", "line 3, column 'y_um': this is 'nan'"),
        ("track,time_s,x_um,y_um\n1,0,0,0\n1,0.1,1,0\n1,0.1,1,1\n", "line 4, column 'time_s': this is 0.1, no later"),
        ("track,time_s,x_um,y_um\n1,0,0,0\n1,0.1,1,0\n1,0.25,1,1\n1,0.4,1,1\n", "off even times"),
        (
            "track,time,x,y\n1,0,0,0\n1,0.1,1,0\n1,0.2,1,1\n1,0.4,1,1\n",
            "line 5, column 'time': this is 0.4, where",
        ),
    ],
)
def test_tables_that_are_none_are_refused_with_the_place(table, rows, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_tracks(table(rows))


@pytest.mark.parametrize(
    "make, sentence",
    [
        (
            lambda: Tracks(np.zeros((3, 2)), 0.1),
            "`positions` must be of the shape (tracks, frames, 1 to 3), got",
        ),
        (lambda: Tracks(np.zeros((1, 3, 2)), 0.0), "`dt` must be positive"),
        (lambda: Tracks(np.zeros((1, 3, 2)), 0.1, np.ones((1, 2), bool)), "`seen` must be True or False, (1, 3)"),
        (lambda: Tracks(np.full((1, 3, 2), np.nan), 0.1, np.ones((1, 3), bool)), "`positions` must be finite where"),
        (
            lambda: Tracks.of([[[0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]], 0.1),
            "of each track, track 0 has fewer",
        ),
        (lambda: Tracks.of([[[np.nan, 0.0], [0.0, 0.0], [1.0, 1.0]]], 0.1), "begin where each track is first seen"),
        (lambda: Tracks.of([np.zeros((3, 2)), np.zeros((3, 3))], 0.1), "`tracks` must all be (frames, d)"),
        (lambda: Tracks(np.zeros((0, 3, 2)), 0.1), "at least two frames of each track, there are none"),
    ],
)
def test_tracks_that_are_none_are_refused(make, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make()
