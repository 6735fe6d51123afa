"""Runs killed at random moments, half of them inside a write: nothing written is lost, and they end the same."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

WORKER = Path(__file__).with_name("worker.py")
KILLS = int(os.environ.get("JAXCHEMO_KILLS", "8"))  # of each kind; a flow, which compiles much, takes a third
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts a run in a process of its own; all of them share what they compile."""
    surroundings = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled"))}

    def start(kind, folder, kill="never"):
        folder.mkdir(exist_ok=True)
        arguments = [sys.executable, str(WORKER), kind, str(folder), kill]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(arguments, env=surroundings, **pipes)

    return start


def ended(process):
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 0, errors[-2000:]


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
    stored = None if kind == "flow" else frames(tmp_path / "whole")
    rng, folder, killed = np.random.default_rng(0), tmp_path / "cut", 0
    while killed < (KILLS // 3 if kind == "flow" else KILLS):
        left = effort["writes"] // 3
        moment = f"write:{rng.integers(1, left)}" if killed % 2 else f"after:{rng.uniform(0, 0.3):.3f}"
        process = start(kind, folder, moment)
        errors = process.communicate(timeout=300)[1]
        if process.returncode == 0:  # it came to its end first: another one
            assert all(map(np.array_equal, numbers(folder), whole))
            folder = tmp_path / f"cut{killed}"
            continue
        assert process.returncode == -9, errors[-2000:]
        killed += 1
        if stored is not None and (folder / "s.zarr").exists():
            seen = frames(folder)
            n = seen.sizes["time"]
            assert seen.attrs["status"] in ("running", "complete") and seen.equals(stored.isel(time=slice(0, n)))
    ended(start(kind, folder))
    assert all(map(np.array_equal, numbers(folder), whole))
    if stored is not None:
        assert frames(folder).equals(stored) and frames(folder).attrs["status"] == "complete"
    assert not [p for p in folder.rglob("*") if p.name.startswith(".") or "partial" in p.name]


def test_a_reader_beside_a_writer_sees_whole_frames_each_time(start, tmp_path):
    ended(start("fields", tmp_path / "whole"))
    stored, folder = frames(tmp_path / "whole"), tmp_path / "live"
    looks, counts = 0, set()
    while looks < 100:
        process = start("fields", folder)
        while process.poll() is None:
            if (folder / "s.zarr").exists():
                seen = frames(folder)
                counts.add(seen.sizes["time"])
                assert seen.equals(stored.isel(time=slice(0, seen.sizes["time"])))
                looks += 1
            else:
                time.sleep(0.001)
        ended(process)
        folder = tmp_path / f"live{looks}"
    assert len(counts) > 3  # it was looked at while it grew


def test_two_writers_cannot_share_a_store(start, tmp_path):
    first, second = (start("particles", tmp_path / "both") for _ in range(2))
    codes = sorted((first.wait(timeout=300), second.wait(timeout=300)))
    errors = first.stderr.read() + second.stderr.read()
    if codes != [0, 0]:  # else the second came when the first had ended, and found all done
        assert codes == [0, 1] and "Another run is writing" in errors
    assert frames(tmp_path / "both").attrs["status"] == "complete"


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk of its own needs the right to mount one")
def test_a_full_disk_keeps_what_there_is_and_the_run_goes_on_when_there_is_space(start, tmp_path):
    ended(start("particles", tmp_path / "whole"))
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        process = start("particles", disk / "run")
        errors = process.communicate(timeout=300)[1]
        assert process.returncode == 1 and "No space left" in errors and "StoreError" in errors
        seen = frames(disk / "run")
        n = seen.sizes["time"]
        assert n > 0 and seen.equals(frames(tmp_path / "whole").isel(time=slice(0, n)))
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        ended(start("particles", disk / "run"))
        assert all(map(np.array_equal, numbers(disk / "run"), numbers(tmp_path / "whole")))
        assert frames(disk / "run").equals(frames(tmp_path / "whole"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        process = start("particles", disk / "run")
        errors = process.communicate(timeout=300)[1]
        assert process.returncode == 1 and "Read-only file system" in errors and "StoreError" in errors
        assert frames(disk / "run").equals(frames(tmp_path / "whole"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
