"""The host loop: the same numbers as `solve`, and nothing lost when a run is cut, resumed or goes wrong."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from run_support import QUIET, interrupted_at, problem, same

import jaxchemo as jc
from jaxchemo.io import StoreError

KEY = jax.random.key(1)


SETTINGS = dict(t1=0.2, dt=0.005, key=KEY, saveat=jc.SaveAt(every=8))


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [jc.FiniteVolume(), jc.ParticleField(200), jc.ParticleField(201, increments=jc.Antithetic())], ids=str
)
def test_chunked_is_whole_bit_for_bit(method, tmp_path):
    whole = jc.solve(problem(), method, **SETTINGS)
    chunked = jc.run(problem(), method, **SETTINGS, **QUIET, chunk=7)
    assert same(whole, chunked)
    assert np.array_equal(whole.ts, chunked.ts)

    # Killed after the second chunk, and gone on with from the file alone.
    disk = dict(store=tmp_path / "s.zarr", checkpoint=tmp_path / "c")
    with pytest.raises(KeyboardInterrupt), interrupted_at(16):
        jc.run(problem(), method, **SETTINGS, **QUIET, **disk, chunk=7)
    resumed = jc.run(problem(), method, **SETTINGS, **QUIET, **disk, chunk=5, resume=True)
    assert same(whole, resumed)


def test_the_store_opens_with_named_dimensions(tmp_path):
    xarray = pytest.importorskip("xarray")
    end = jc.run(problem(), jc.ParticleField(50), **SETTINGS, **QUIET, store=tmp_path / "s.zarr")
    with xarray.open_zarr(tmp_path / "s.zarr") as stored:
        assert stored["density"].dims == ("time", "x", "y") and stored["positions"].dims == (
            "time",
            "particle",
            "component",
        )
        assert np.array_equal(stored["density"], end.ys.density)
        assert np.allclose(stored["time"], end.ts) and np.allclose(stored["x"], problem().domain.axes[0])
        assert "div(" in stored.attrs["model"]


def test_statistics_may_be_saved_instead_of_fields(tmp_path):
    saveat = jc.SaveAt(every=1, fn=lambda snapshot: {"largest": jnp.max(snapshot.density)})
    end = jc.run(problem(), jc.FiniteVolume(), t1=0.05, dt=0.005, saveat=saveat, **QUIET, store=tmp_path / "s.zarr")
    assert end.ys["largest"].shape == (11,) and np.all(np.diff(end.ys["largest"]) != 0)


def test_a_run_that_goes_wrong_stops_and_keeps_what_was_saved(tmp_path):
    # The step is fine at first; the cells gather until it is too large for their drift.
    steep = problem(model=jc.models.phks(0.02, 6.0), signal=jc.initial.gaussian(amplitude=8.0, std=0.25))
    settings = dict(t1=2.0, dt=0.008, saveat=jc.SaveAt(every=1), **QUIET, chunk=2, store=tmp_path / "s.zarr")
    with pytest.raises(jc.SolveError, match="larger than the scheme's stable one") as caught:
        jc.run(steep, jc.FiniteVolume(), **settings)
    end = caught.value.solution
    assert end.result == jc.RESULTS.unstable_step
    failed = int(end.stats["failed_step"])
    assert 0 <= failed < 249 and int(end.stats["num_steps"]) <= failed + 2
    assert len(end.ts) == failed + 1 and np.all(end.ys.density >= 0)
    whole = jc.solve(steep, jc.FiniteVolume(), t1=2.0, dt=0.008, throw=False)
    assert int(whole.stats["failed_step"]) == failed


def test_the_clock_tells_compilation_from_stepping():
    stats = jc.run(problem(), jc.FiniteVolume(), t1=0.05, dt=0.005, **QUIET).stats
    assert stats["compile_seconds"] > 0 and stats["seconds"] > 0
    assert stats["seconds_per_step"] == pytest.approx(stats["seconds"] / 10)


def test_a_bar_is_shown_where_it_is_asked_for(capsys):
    jc.run(problem(), jc.FiniteVolume(), t1=0.05, dt=0.005, progress="two blobs")
    assert "two blobs" in capsys.readouterr().err
    jc.run(problem(), jc.FiniteVolume(), t1=0.05, dt=0.005, progress=False)
    assert capsys.readouterr().err == ""


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for where in ({"store": tmp_path / "file" / "s.zarr"}, {"checkpoint": tmp_path / "file" / "c"}):
        with pytest.raises(StoreError, match="Cannot write or read"):
            jc.run(problem(), jc.FiniteVolume(), t1=0.05, dt=0.005, **QUIET, **where)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    where = tmp_path / "c"
    jc.run(problem(), jc.FiniteVolume(), t1=0.05, dt=0.005, **QUIET, checkpoint=where)
    before = where.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        jc.run(problem(), jc.FiniteVolume(), t1=0.05, dt=0.005, **QUIET, checkpoint=where, overwrite=True)
    assert where.read_bytes() == before


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    where = dict(checkpoint=tmp_path / "c")
    jc.run(problem(), jc.FiniteVolume(), t1=0.05, dt=0.005, **QUIET, **where)
    other = problem(model=jc.models.phks(0.2, 1.0))
    with pytest.raises(ValueError, match="belongs to another run"):
        jc.run(other, jc.FiniteVolume(), t1=0.05, dt=0.005, **QUIET, **where, resume=True)
    with pytest.raises(ValueError, match="`resume` needs `checkpoint`"):
        jc.run(other, jc.FiniteVolume(), t1=0.05, dt=0.005, **QUIET, resume=True)
