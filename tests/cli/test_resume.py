"""Runs that were interrupted, through the command line: what is kept, and that going on gives the same."""

import dataclasses
import json
import re
import shlex
from typing import ClassVar

import numpy as np
import pytest
from run_support import interrupted_at

from jaxchemo.cli import commands, main
from jaxchemo.experiments import Experiment, catalogue, figures
from jaxchemo.experiments.options import option, whole
from jaxchemo.integrate import SolveError

TINY = ["--ndim", "2", "--shape", "18", "--t1", "0.02", "--dt", "0.005"]


@pytest.fixture
def quick(monkeypatch):
    """Figures are not what is tested here."""

    def draw(experiment, outcomes, folder, report):
        report("drawing figures")
        (folder / "density.png").write_text(", ".join(outcomes))

    monkeypatch.setattr(figures, "draw", draw)


def frames(store):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(store), mode="r")
    assert group.attrs["status"] == "complete"
    return {name: np.asarray(group[name]) for name in ("time", "density", "signal")}


def same(a, b):
    a, b = frames(a), frames(b)
    return all(np.array_equal(a[name], b[name]) for name in a)


def advised(error):
    """The command that a message says would do."""
    return shlex.split(re.search(r"`jaxchemo ([^`]*)`", error).group(1))


@pytest.mark.slow
def test_an_interrupted_run_goes_on_as_it_says(tmp_path, quick, capsys):
    out, whole = tmp_path / "out", tmp_path / "whole"
    assert main(["run", "one-blob", "--out", str(whole), *TINY]) == 0
    assert main(["run", "one-blob", "--out", str(out), *TINY, "--seed", "3"]) == 0  # old results
    old = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    capsys.readouterr()
    with interrupted_at(2):
        assert main(["run", "one-blob", "--out", str(out), *TINY]) == 130
    error = capsys.readouterr().err.splitlines()[-1]
    assert "is kept in" in error and frames(out / "solution.zarr")["time"].size == 5
    assert old == {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert json.loads(old["summary.json"])["seed"] == 3

    assert main(["run", "one-blob", "--out", str(out), *TINY[:-1], "0.01"]) == 2
    error = capsys.readouterr().err
    assert "--dt is 0.005 there, 0.01 here" in error and "`--afresh` discards it" in error

    assert main(advised(error)) == 0  # without any of the options
    assert "going on with the unfinished run" in capsys.readouterr().out
    assert same(out / "solution.zarr", whole / "solution.zarr")
    summary = json.loads((out / "summary.json").read_text())
    assert summary["resumed"] and summary["seed"] == 0 and summary["num_steps"] == 4
    assert not (out / ".unfinished").exists()


def test_the_same_command_goes_on_and_a_broken_state_is_refused(tmp_path, quick, capsys):
    line = ["run", "one-blob", "--out", str(tmp_path), *TINY]
    with interrupted_at(2):
        assert main(line) == 130
    state = tmp_path / ".unfinished/fv.checkpoint"
    whole = state.read_bytes()
    state.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    capsys.readouterr()
    assert main(line) == 2
    error = capsys.readouterr().err
    assert "cannot be gone on with" in error and "`--afresh` discards it" in error and error.count("\n") == 1
    state.write_bytes(whole)
    assert main(line) == 0
    assert "going on with the unfinished run" in capsys.readouterr().out
    with interrupted_at(2):
        assert main(line) == 130
    state.write_bytes(b"")
    assert main([*line, "--afresh"]) == 0
    assert "going on" not in capsys.readouterr().out and not state.exists()


@pytest.mark.slow
def test_a_run_that_fails_can_be_run_again_with_another_step(tmp_path, quick, capsys):
    options = ["--ndim", "2", "--shape", "32", "--t1", "1", "--out", str(tmp_path)]
    assert main(["run", "two-blobs", *options, "--dt", "0.125"]) == 1
    assert "Step " in capsys.readouterr().err
    assert (tmp_path / ".unfinished/results/solution.zarr").is_dir()  # what there was, to be looked at
    assert main(["run", "two-blobs", *options, "--dt", "0.03125"]) == 0
    assert frames(tmp_path / "solution.zarr")["time"][-1] == 1


@pytest.mark.slow
def test_of_several_methods_those_that_are_done_are_not_done_again(tmp_path, quick, capsys):
    line = ["compare", "one-blob", "--methods", "fv,sipf", "--num-particles", "50", *TINY, "--out"]
    assert main([*line, str(tmp_path / "whole")]) == 0
    begun = []
    solve = catalogue.OneBlob.solve

    def second_stops(self, method, **options):
        begun.append(method.name)
        if len(begun) == 2:
            with interrupted_at(3):
                return solve(self, method, **options)
        return solve(self, method, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue.OneBlob, "solve", second_stops)
        assert main([*line, str(tmp_path / "out")]) == 130
    capsys.readouterr()
    assert main(["compare", "one-blob", "--out", str(tmp_path / "out"), "--resume"]) == 0
    for name in ("solution_fv.zarr", "solution_sipf.zarr"):
        assert same(tmp_path / "out" / name, tmp_path / "whole" / name)
    runs, whole = (json.loads((tmp_path / name / "summary.json").read_text())["runs"] for name in ("out", "whole"))
    assert runs["fv"]["milliseconds_per_step"] is None  # nothing was computed, so nothing was timed
    assert runs["sipf"]["distance"] == whole["sipf"]["distance"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Small(Experiment[int]):
    """An experiment that counts."""

    name: ClassVar[str] = "small"
    title: ClassVar[str] = "An experiment that counts"
    description: ClassVar[str] = "It counts."
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    count: int = option(3, whole(), "how far")

    def run(self, seed=0, report=lambda stage: None):
        report("counting")
        if seed == 1:
            raise KeyboardInterrupt
        if seed == 2:
            raise SolveError("Step 7: it broke.", None)
        if seed == 3:
            raise MemoryError
        report("adding")
        return self.count

    def numbers(self, outcome):
        return {"counted": outcome}

    def lines(self, outcome):
        return [f"counted {outcome}"]

    def draw(self, outcome, folder):
        (folder / "small.png").write_text(str(outcome))
        return folder / "small.png"


def test_an_experiment_says_its_stages_and_keeps_old_results(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalogue, "EXPERIMENTS", (Small(),))
    line = ["run", "small", "--out", str(tmp_path)]
    assert main(line) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == ["small: counting", "small: adding", "small: drawing"] and "counted 3" in said.out
    assert (tmp_path / "small.png").read_text() == "3"
    for seed, code, sentence in ((1, 130, "as it was"), (2, 1, "Step 7: it broke."), (3, 2, "not enough memory")):
        assert main([*line, "--count", "5", "--seed", str(seed)]) == code
        assert sentence in capsys.readouterr().err.splitlines()[-1]
        assert (tmp_path / "small.png").read_text() == "3"
        assert json.loads((tmp_path / "summary.json").read_text())["counted"] == 3
    assert main([*line, "--count", "5"]) == 0
    assert (tmp_path / "small.png").read_text() == "5"


def test_what_is_not_installed_is_named(tmp_path, monkeypatch, capsys):
    find = commands.need.__globals__["importlib"].util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "zarr" else find(name, *rest))
    assert main(["run", "one-blob", "--out", str(tmp_path)]) == 2
    assert "zarr is not installed: it comes with the extra [io]" in capsys.readouterr().err
