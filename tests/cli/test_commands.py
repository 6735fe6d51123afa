"""The command line: what it leaves behind, and how it refuses."""

import json
import os
import subprocess
import sys

import jax.numpy as jnp
import pytest

from jaxchemo.analysis import relative_distance
from jaxchemo.cli import commands, main
from jaxchemo.cli.folder import Place
from jaxchemo.cli.interrupt import Interruption
from jaxchemo.experiments import TwoBlobs
from jaxchemo.experiments.outcome import WIDTH

SMALL = ["--ndim", "2", "--shape", "18", "--t1", "0.02", "--dt", "0.005"]
TINY = [*SMALL, "--num-particles", "100"]


def test_list(capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("one-blob", "two-blobs", "annuli", "recover-parameters", "fv", "sipf"))


def test_what_stands_in_brackets_is_printed(tmp_path, capsys):
    place = Place("run", "one-blob", tmp_path / "out[s]", False, False, Interruption())
    place.folder.mkdir()
    commands.say_where(commands._console(), place)
    assert "out[s]" in "".join(capsys.readouterr().out.split())


def test_run_leaves_what_was_promised(tmp_path, capsys):
    xarray = pytest.importorskip("xarray")
    assert main(["run", "one-blob", "--method", "sipf", "--out", str(tmp_path), "--seed", "3", *TINY]) == 0
    printed = capsys.readouterr().out
    assert "mass drift" in printed and "compile [s]" in printed

    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["experiment"] == "one-blob" and summary["seed"] == 3
    assert summary["parameters"]["mobility"] == 0.1
    assert summary["result"] == "successful" and summary["num_particles"] == 100 and summary["shape"] == [18, 18]
    assert summary["mass_drift"] < 1e-12 and summary["min_density"] >= 0
    assert summary["compile_seconds"] > 0 and summary["milliseconds_per_step"] > 0
    assert {"device", "precision", "versions", "equations"} <= set(summary)

    store = xarray.open_zarr(tmp_path / "solution.zarr")
    assert store.density.dims == ("time", "x", "y") and store.sizes["time"] == 5
    names = {path.name for path in tmp_path.iterdir()}
    pictures = {f"{n}.png" for n in ("density", "signal", "cross_sections", "diagnostics", "particles")}
    assert pictures | {"film.gif"} <= names


@pytest.mark.slow
def test_compare_measures_the_distance_to_the_first(tmp_path, capsys):
    xarray = pytest.importorskip("xarray")
    assert main(["compare", "two-blobs", "--methods", "fv, sipf", "--out", str(tmp_path), *TINY]) == 0
    assert "distance to fv" in capsys.readouterr().out
    runs = json.loads((tmp_path / "summary.json").read_text())["runs"]
    assert list(runs) == ["fv", "sipf"]
    ends = [xarray.open_zarr(tmp_path / f"solution_{name}.zarr").density[-1].values for name in ("sipf", "fv")]
    apart = relative_distance(*map(jnp.asarray, ends), TwoBlobs(ndim=2, shape=(18,)).problem().domain, WIDTH)
    assert runs["fv"]["distance"] is None and runs["sipf"]["distance"] == pytest.approx(float(apart), rel=1e-6)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["run", "two-blob"], "There is no experiment 'two-blob'. Did you mean 'two-blobs'?"),
        (
            ["compare", "nothing-like-it"],
            "There are: one-blob, two-blobs, annuli, recover-parameters, recover-signal, propagation-",
        ),
        (["run", "one-blob", "--method", "spif"], "There is no method 'spif'. Did you mean 'sipf'?"),
        (
            ["compare", "one-blob", "--methods", "fv,xyz"],
            "There is no method 'xyz'. There are: fv, sipf, spectral, ",
        ),
        (["run", "one-blob", "--method", "nsipf", "--network", "/nowhere"], "No such file"),
        (["run", "one-blob", "--network", "weights"], "`--network` is for the method nsipf"),
        (["train", "phks-5d"], "There is no network 'phks-5d'. Did you mean"),
        (["train", "phks-2d", "--epochs", "0"], "`--epochs` must be at least 1, got 0."),
        (["compare", "one-blob", "--methods", ","], "`--methods` must name at least one method"),
        (["run", "one-blob", "--dt", "-0.1"], "`--dt` must be positive, got -0.1."),
        (["run", "one-blob", "--dt", "0.3"], "`dt` must divide t1 - t0 = 1 into whole steps"),
        (["run", "one-blob", "--dt", "quick"], "`--dt` must be a number, got 'quick'."),
        (["run", "one-blob", "--ndim", "4"], "`--ndim` must be 2 or 3, got 4."),
        (["run", "one-blob", "--shape", "20", "x"], "`--shape` must be whole numbers, got '20 x'."),
        (["run", "one-blob", "--shape", "8"], "narrower than one cell"),
        (
            ["run", "one-blob", "--method", "sipf", "--num-particles", "0"],
            "`--num-particles` must be at least 1, got 0.",
        ),
        (["run", "one-blob", "--seed", "-1"], "`--seed` must be at least 0, got -1."),
        (["run", "recover-parameters", "--method", "fv"], "`--method` does not apply to 'recover-parameters'"),
        (["compare", "recover-parameters"], "'recover-parameters' makes its own runs"),
    ],
)
def test_bad_input_is_refused_in_one_line(argv, sentence, tmp_path, capsys):
    assert main([*argv, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("jaxchemo: ") and sentence in error
    assert error.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["run", "one-blob", "--out", str(tmp_path / "file" / "out")]) == 2
    assert "`--out`: cannot write to" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_a_folder_without_permission_is_refused(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["run", "one-blob", "--out", str(tmp_path)]) == 2
    assert "`--out`: cannot write to" in capsys.readouterr().err


def test_a_run_that_goes_wrong_says_at_which_step(tmp_path, capsys):
    options = ["--ndim", "2", "--shape", "32", "--t1", "1", "--dt", "0.25", "--out", str(tmp_path)]
    assert main(["run", "two-blobs", *options]) == 1
    error = capsys.readouterr().err
    assert "Step 0" in error and "smaller `dt`" in error


@pytest.mark.parametrize("argv", [[], ["run"], ["walk", "one-blob"], ["run", "one-blob", "--colour", "red"]])
def test_a_command_line_that_cannot_be_read(argv, capsys):
    assert main(argv) == 2


def test_help_is_quick_to_import():
    heavy = ("matplotlib", "zarr", "optimistix", "imageio")
    code = f"import sys, jaxchemo.cli; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
def test_train_leaves_weights_that_nsipf_can_use(tmp_path, capsys, monkeypatch):
    from jaxchemo import nn

    tiny = nn.Patches(
        name="phks-2d", title="tiny", ndim=2, epochs=2, updates=2, channels=2, batch=2, patches=8, held_out=2
    )
    monkeypatch.setattr(nn, "RECIPES", (tiny,))
    out = tmp_path / "trained"
    assert main(["train", "phks-2d", "--out", str(out), "--seed", "3", "--epochs", "1"]) == 0
    assert "validation" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"phks-2d.npz", "phks-2d.json", "loss.png"}
    about = json.loads((out / "phks-2d.json").read_text())
    assert about["seed"] == 3 and about["recipe"]["epochs"] == 1 and "validation" in about["metrics"]
    options = ["--network", str(out / "phks-2d.json"), "--out", str(tmp_path / "run"), *TINY]
    assert main(["run", "one-blob", "--method", "nsipf", *options]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "SuperResolution" in summary["method"]
