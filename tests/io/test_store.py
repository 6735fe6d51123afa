"""A store shows whole frames only, says how its run ended, and never replaces what is not its own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from jaxchemo.io import Store, StoreError, Variable

xarray = pytest.importorskip("xarray")
LAYOUT = {"u": Variable(("x",), (4,), np.float32), "total": Variable((), (), np.float64)}
AXES = {"x": np.arange(4.0)}


def opened(path, run="#1", **options):
    return Store.opened(path, run, LAYOUT, AXES, {"method": "fv"}, **options)


def frame(k):
    return {"u": np.full(4, k, np.float32), "total": np.asarray(4.0 * k)}


def filled(path, count=3, run="#1", **options):
    with opened(path, run, **options) as store:
        for k in range(count):
            store.write(k, 0.1 * k, frame(k))
        store.close("complete", "successful")


def read(path):
    with xarray.open_zarr(path) as data:
        return data.load()


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_readers_see_whole_frames_at_every_moment(tmp_path):
    path = tmp_path / "s.zarr"
    with opened(path) as store:
        assert dict(read(path).sizes) == {"time": 0, "x": 4} and read(path).attrs["status"] == "running"
        for k in range(3):
            store.write(k, 0.1 * k, frame(k))
            data = read(path)
            assert data.sizes["time"] == k + 1 and data.attrs["frames"] == k + 1
            assert np.array_equal(data["u"][:, 0], np.arange(k + 1))
        store.close("complete", "successful")
    data = read(path)
    assert data.attrs["status"] == "complete" and data.attrs["result"] == "successful" and data.attrs["method"] == "fv"
    assert np.allclose(data["time"], [0, 0.1, 0.2]) and np.array_equal(data["total"], [0, 4, 8])
    assert not any(p.name.startswith(".") or p.suffix == ".partial" for p in tmp_path.rglob("*"))


def test_a_frame_that_was_cut_off_is_not_seen_and_is_written_again(tmp_path):
    path = tmp_path / "s.zarr"
    with pytest.raises(KeyboardInterrupt), opened(path) as store:
        store.write(0, 0.0, frame(0))
        store._array("u").resize((2, 4))  # what is done first of a frame
        store._array("u")[1] = 7.0
        (path / "u" / "c.abc.partial").write_bytes(b"half a chunk")
        raise KeyboardInterrupt
    data = read(path)
    assert data.sizes["time"] == 1 and data.attrs["status"] == "interrupted"
    with opened(path, frames=1) as store:
        assert not (path / "u" / "c.abc.partial").exists() and read(path).attrs["status"] == "running"
        assert np.array_equal(store.read("u", 1), [[0, 0, 0, 0]])
        store.write(1, 0.1, frame(1))
        store.close("complete", "successful")
    assert np.array_equal(read(path)["u"][:, 0], [0, 1])


def test_frames_beyond_the_checkpoint_are_forgotten(tmp_path):
    path = tmp_path / "s.zarr"
    filled(path)
    with opened(path, frames=2):
        assert read(path).sizes["time"] == 2
    with pytest.raises(StoreError, match="holds 2 frames, but its checkpoint comes after 3"), opened(path, frames=3):
        pass


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"frames": 0}, {"frames": 1, "overwrite": True}])
def test_what_is_not_a_store_is_left_alone(tmp_path, options):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "ch1.tex").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    before = files(tmp_path)
    for path in (thesis, tmp_path / "file"):
        with pytest.raises(StoreError), opened(path, **options):
            pass
    assert files(tmp_path) == before


def test_a_strangers_file_inside_a_store_is_not_lost(tmp_path):
    path = tmp_path / "s.zarr"
    filled(path)
    (path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"holds 'notes\.txt'"), opened(path, overwrite=True):
        pass
    assert (path / "notes.txt").read_text() == "mine" and read(path).sizes["time"] == 3


def test_the_working_directory_is_no_store(tmp_path, monkeypatch):
    (tmp_path / "ch1.tex").write_text("years of work")
    empty = tmp_path / "empty"
    empty.mkdir()
    for place in (tmp_path, empty):
        monkeypatch.chdir(place)
        with pytest.raises(StoreError), opened(".", overwrite=True):
            pass
    assert (tmp_path / "ch1.tex").exists()


def test_an_empty_folder_becomes_one(tmp_path):
    (tmp_path / "s").mkdir()
    filled(tmp_path / "s")
    assert read(tmp_path / "s").sizes["time"] == 3


def test_a_store_is_replaced_only_when_the_new_run_has_ended(tmp_path):
    path = tmp_path / "s.zarr"
    filled(path)
    with pytest.raises(StoreError, match="overwrite=True replaces it"), opened(path, "#2"):
        pass
    with opened(path, "#2", overwrite=True) as store:
        store.write(0, 0.0, frame(9))
        assert read(path).sizes["time"] == 3  # the old one
        store.close("failed", "The solution is no longer finite.")
    assert read(path).sizes["time"] == 1 and read(path).attrs["status"] == "failed"
    assert [p.name for p in tmp_path.iterdir()] == ["s.zarr"]


def test_an_interrupted_replacement_leaves_the_old_store_and_can_be_resumed(tmp_path):
    path = tmp_path / "s.zarr"
    filled(path)
    with pytest.raises(KeyboardInterrupt), opened(path, "#2", overwrite=True) as store:
        store.write(0, 0.0, frame(9))
        raise KeyboardInterrupt
    assert read(path).sizes["time"] == 3
    with opened(path, "#2", frames=1) as store:
        store.write(1, 0.1, frame(8))
        store.close("complete", "successful")
    assert np.array_equal(read(path)["u"][:, 0], [9, 8])
    assert [p.name for p in tmp_path.iterdir()] == ["s.zarr"]


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_kill_in_the_middle_of_a_swap_loses_neither(tmp_path, monkeypatch, moment):
    path = tmp_path / "s.zarr"
    filled(path)
    import os
    import shutil

    calls = []

    def killed(function):
        def wrapped(*args):
            calls.append(args)
            if len(calls) == moment:
                raise KeyboardInterrupt
            return function(*args)

        return wrapped

    with opened(path, "#2", overwrite=True) as store, monkeypatch.context() as patch:
        store.write(0, 0.0, frame(9))
        patch.setattr(os, "rename", killed(os.rename))
        patch.setattr(shutil, "rmtree", killed(shutil.rmtree))
        with pytest.raises(KeyboardInterrupt):
            store.close("complete", "successful")
    # The next one to look puts things in order.
    with pytest.raises(StoreError, match="There is a store"), opened(path, "#3"):
        pass
    assert read(path).sizes["time"] in (1, 3)


def test_two_runs_cannot_write_to_one(tmp_path):
    with opened(tmp_path / "s"), pytest.raises(StoreError, match="Another run is writing"), opened(tmp_path / "s"):
        pass


def test_metadata_of_one_frame_are_those_of_all_arrays(tmp_path):
    path = tmp_path / "s.zarr"
    filled(path)
    root = json.loads((path / "zarr.json").read_text())
    assert {name: m["shape"][0] for name, m in root["consolidated_metadata"]["metadata"].items()} == {
        "time": 3,
        "u": 3,
        "total": 3,
        "x": 4,
    }


def test_a_kill_while_a_store_is_created_is_not_in_the_way_of_the_next(tmp_path, monkeypatch):
    """What is there each time that a file is put in its place is what a kill would leave."""
    left, replace = [], Path.replace

    def watched(self, target):
        left.append(shutil.copytree(tmp_path / "whole", tmp_path / f"left{len(left)}"))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", watched)
        with opened(tmp_path / "whole" / "s"):
            pass
    assert len(left) > 5
    for folder in left:
        filled(folder / "s", overwrite=True)
        assert read(folder / "s").sizes["time"] == 3 and [path.name for path in folder.iterdir()] == ["s"]
