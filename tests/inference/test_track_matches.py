"""Fits of tracks: numbers of swimmers come back from what was made of them, and tracks that say nothing are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo.inference import Tracks, TrackSummaries, match_tracks
from jaxchemo.inference.track_matches import TrackSimulator

TRUTH = {
    "speed": 20.0,
    "speed_spread": 0.2,
    "tumble_rate": 1.0,
    "tumble_rate_spread": 0.3,
    "tumble_duration": 0.15,
    "persistence": 0.33,
    "rotational_diffusion": 0.06,
    "rotational_diffusion_spread": 0.3,
    "error": 0.3,
    "error_z": 0.6,
    "smoothing": 0.4,
}
DT = 1 / 15


def simulator(count: int, frames: int, ndim: int = 3, smoothing: str = "trend", thinned: int = 1) -> TrackSimulator:
    """Of so many tracks, of half to all of the frames."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(frames // 2, frames, count)
    tracks = Tracks.of([rng.normal(size=(n, ndim)).cumsum(axis=0) for n in lengths], DT)
    return TrackSimulator(TrackSummaries(tracks, thinned), smoothing)


def made(sim: TrackSimulator, changed: dict[str, float] | None = None, seed: int = 0) -> Tracks:
    one = {name: jnp.array([value]) for name, value in (TRUTH | (changed or {})).items()}
    x = np.asarray(jax.jit(sim.tracks)(one, jax.random.key(seed)))[0]
    return sim.summaries.rows.tracks(x, DT)


@pytest.mark.slow
def test_simulated_tracks_swim_as_fast_and_scatter_as_much_as_they_should():
    sim = simulator(40, 60, smoothing="none")
    still = {"tumble_rate": 1e-4, "rotational_diffusion": 1e-6, "speed_spread": 1e-3}
    tracks = made(sim, still)
    x, seen = np.asarray(tracks.positions), np.asarray(tracks.seen)
    # Runs are straight: second differences are of the errors alone, six times their variance.
    bent = np.diff(x, 2, axis=1)[seen[:, 2:]]
    for axis, error in enumerate((0.3, 0.3, 0.6)):
        assert np.std(bent[:, axis]) == pytest.approx(error * np.sqrt(6), rel=0.1)
    last = seen.sum(axis=1) - 1
    apart = np.linalg.norm(x[np.arange(40), last] - x[:, 0], axis=1) / (last * DT)
    assert np.median(apart) == pytest.approx(20.0, rel=0.02)


def test_summaries_are_invariant_under_rotation_about_z():
    tracks = Tracks(np.random.default_rng(1).normal(size=(30, 60, 3)).cumsum(axis=1), DT)
    s = TrackSummaries(tracks)
    turned = np.asarray(tracks.positions) @ np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    rotated = Tracks(turned, DT, tracks.seen)
    summed = jax.jit(s)
    both = [np.asarray(summed(s.rows.taken(each.positions))) for each in (tracks, rotated)]
    assert both[1] == pytest.approx(both[0], rel=1e-6, abs=1e-9)


@pytest.mark.slow
def test_weights_of_tracks_count_as_copies_of_them():
    tracks = Tracks(np.random.default_rng(1).normal(size=(20, 60, 2)).cumsum(axis=1), DT)
    s = TrackSummaries(tracks)
    weight = np.ones(20)
    weight[3] = 2.0
    weight[5] = 0.0
    order = [k for k in range(20) if k != 5] + [3]
    copied = Tracks(np.asarray(tracks.positions)[order], DT, np.asarray(tracks.seen)[order])
    again = TrackSummaries(copied, apart=s.apart)
    weighted = np.asarray(jax.jit(s)(s.rows.taken(tracks.positions), jnp.asarray(weight)))
    plain = np.asarray(jax.jit(again)(again.rows.taken(copied.positions)))
    # What is straight is measured by second differences of all tracks alike.
    ours = [k for k, name in enumerate(s.names) if not name.startswith("straight")]
    assert weighted[ours] == pytest.approx(plain[ours], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("thinned", [1, 2, 3, 4])
def test_thinned_tracks_have_the_same_lag(thinned):
    sim = simulator(60, 100, thinned=thinned)
    assert sim.summaries.lag % thinned == 0
    assert sim.summaries.lag * DT == pytest.approx(4 / 15, abs=1.01 * DT)


@pytest.mark.slow
def test_numbers_of_swimmers_come_back():
    tracks = made(simulator(50, 120), seed=3)
    found = match_tracks(tracks, key=jax.random.key(0), n=270, frames=3000, progress=False)
    assert found.smoothing == "trend"
    assert found.found.widened == 1
    z = found.found.fit.posterior.whitened(TRUTH) - found.found.fit.z
    away = np.asarray(z / found.found.known.std)
    # Eleven numbers: one beyond three of its error bars comes by chance in 3% of data sets.
    assert np.abs(away).max() < 3.2


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        (Tracks(np.zeros((5, 4, 2)) + np.arange(4.0)[:, None], DT), "`tracks` are too short, or too few"),
        (Tracks(np.arange(400.0).reshape(4, 100, 1), DT), "must move along two or three axes"),
        (Tracks(np.zeros((4, 100, 3)), DT), "must move along two or three axes"),
    ],
)
def test_tracks_that_say_nothing_are_refused(tracks, message):
    with pytest.raises(ValueError, match=message):
        match_tracks(tracks, key=jax.random.key(0), progress=False)


def test_an_unknown_smoothing_is_refused():
    with pytest.raises(ValueError, match="`smoothing` must be one of 'none', 'trend' and 'average', got 'median'"):
        match_tracks(Tracks(np.ones((2, 9, 2)), DT), key=jax.random.key(0), smoothing="median")
