"""Runs killed at random moments, half of them inside a write: nothing written is lost, and they end the same."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

WORKER = Path(__file__).with_name("worker.py")
KILLS = int(os.environ.get("JAXCHEMO_KILLS", "8"))  # of each kind; a flow, which compiles much, takes a third
pytestmark = pytest.mark.slow


class Run:
    """A run in a process of its own; what it says goes to a file, as nobody reads a pipe while it runs."""

    def __init__(self, kind, folder, kill, surroundings):
        folder.mkdir(exist_ok=True)
        stream, self._said = tempfile.mkstemp()
        arguments = [sys.executable, str(WORKER), kind, str(folder), kill]
        self.process = subprocess.Popen(arguments, env=surroundings, stdout=subprocess.DEVNULL, stderr=stream)
        os.close(stream)

    def end(self):
        """How it ended, and what it said."""
        code = self.process.wait(timeout=300)
        said = Path(self._said)
        text = said.read_text()
        said.unlink()
        return code, text


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts runs, which share what they compile."""
    surroundings = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled"))}
    return lambda kind, folder, kill="never": Run(kind, folder, kill, surroundings)


def ended(run):
    code, said = run.end()
    assert code == 0, said[-2000:]


def numbers(folder):
    with np.load(folder / "final.npz") as saved:
        return [saved[name] for name in saved.files]


def frames(folder):
    """What a reader sees of the store right now, loaded whole."""
    xarray = pytest.importorskip("xarray")
    with xarray.open_zarr(folder / "s.zarr") as data:
        return data.load()


@pytest.mark.parametrize("kind", ["fields", "particles", "agents", "flow"])
def test_a_run_killed_again_and_again_ends_the_same(kind, start, tmp_path):
    ended(start(kind, tmp_path / "whole"))
    whole, effort = numbers(tmp_path / "whole"), json.loads((tmp_path / "whole" / "effort.json").read_text())
    stored = frames(tmp_path / "whole")
    rng, folder, killed = np.random.default_rng(0), tmp_path / "cut", 0
    while killed < (KILLS // 3 if kind == "flow" else KILLS):
        left = effort["writes"] // 3
        moment = f"write:{rng.integers(1, left)}" if killed % 2 else f"after:{rng.uniform(0, 0.3):.3f}"
        code, said = start(kind, folder, moment).end()
        if code == 0:  # it came to its end first: another one
            assert all(map(np.array_equal, numbers(folder), whole))
            folder = tmp_path / f"cut{killed}"
            continue
        assert code == -9, said[-2000:]
        killed += 1
        if (folder / "s.zarr").exists():
            seen = frames(folder)
            n = seen.sizes["time"]
            assert seen.attrs["status"] in ("running", "complete") and seen.equals(stored.isel(time=slice(0, n)))
    ended(start(kind, folder))
    assert all(map(np.array_equal, numbers(folder), whole))
    assert frames(folder).equals(stored) and frames(folder).attrs["status"] == "complete"
    assert not [p for p in folder.rglob("*") if p.name.startswith(".") or "partial" in p.name]


def test_a_reader_beside_a_writer_sees_whole_frames_each_time(start, tmp_path):
    ended(start("fields", tmp_path / "whole"))
    stored, folder = frames(tmp_path / "whole"), tmp_path / "live"
    looks, counts = 0, set()
    while looks < 100:
        run = start("fields", folder)
        while run.process.poll() is None:
            if (folder / "s.zarr").exists():
                seen = frames(folder)
                counts.add(seen.sizes["time"])
                assert seen.equals(stored.isel(time=slice(0, seen.sizes["time"])))
                looks += 1
            else:
                time.sleep(0.001)
        ended(run)
        folder = tmp_path / f"live{looks}"
    assert len(counts) > 3  # it was looked at while it grew


def test_two_writers_cannot_share_a_store(start, tmp_path):
    first, second = (start("particles", tmp_path / "both") for _ in range(2))
    (code, said), (other, also) = first.end(), second.end()
    if code or other:  # else the second came when the first had ended, and found all done
        assert sorted((code, other)) == [0, 1] and "Another run is writing" in said + also
    assert frames(tmp_path / "both").attrs["status"] == "complete"


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk of its own needs the right to mount one")
def test_a_full_disk_keeps_what_there_is_and_the_run_goes_on_when_there_is_space(start, tmp_path):
    ended(start("particles", tmp_path / "whole"))
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        code, said = start("particles", disk / "run").end()
        assert code == 1 and "No space left" in said and "StoreError" in said
        seen = frames(disk / "run")
        n = seen.sizes["time"]
        assert n > 0 and seen.equals(frames(tmp_path / "whole").isel(time=slice(0, n)))
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        ended(start("particles", disk / "run"))
        assert all(map(np.array_equal, numbers(disk / "run"), numbers(tmp_path / "whole")))
        assert frames(disk / "run").equals(frames(tmp_path / "whole"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        code, said = start("particles", disk / "run").end()
        assert code == 1 and "Read-only file system" in said and "StoreError" in said
        assert frames(disk / "run").equals(frames(tmp_path / "whole"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
