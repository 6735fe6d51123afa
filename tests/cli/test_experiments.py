"""Every listed experiment, small, through the command line and in single precision, as users run it."""

import dataclasses
import json

import jax
import pytest

from jaxchemo.cli import main
from jaxchemo.experiments import EXPERIMENTS, catalogue

PICTURES = {".png", ".gif"}
FLOW = dict(num_labels=128, num_sources=512, width=8, num_particles=64, dt=0.01, frames=2, pictures=1)
SMALL = {
    "one-blob": (dict(t1=0.1, frames=2), ["--shape", "20"]),
    "two-blobs": (dict(t1=0.1, frames=2), ["--shape", "20", "--method", "sipf", "--particles", "500"]),
    "annuli": (dict(t1=0.1, frames=2), ["--shape", "24", "--ndim", "2"]),
    "recover-parameters": (dict(times=(0.1, 0.2)), ["--shape", "20", "--dt", "0.05"]),
    "propagation-of-chaos": (
        dict(particles=(100, 400), reference=4096, seeds=2, t1=0.1, betas=(0.6,)),
        ["--shape", "32", "--dt", "0.05"],
    ),
    "keller-segel-1d": (
        dict(length=20.0, sensitivity=10.0, noise=0.1, t1=1.0, frames=4),
        ["--shape", "80", "--dt", "2e-3"],
    ),
    "keller-segel-2d": (dict(length=40.0, cells=40, dt=0.1, t1=1.0, frames=2), []),
    "stability-map": (
        dict(sensitivities=(2.0, 6.0, 4), decays=(0.1, 0.4, 3), t1=1.0),
        ["--shape", "16", "--dt", "0.05"],
    ),
    "travelling-band": (dict(t1=40.0, frames=2), ["--shape", "200", "--dt", "0.2"]),
    "growth-expansion": (dict(hours=0.5, frames=3), ["--shape", "60", "--dt", "20"]),
    "invasion": (dict(frames=2), ["--shape", "20", "--t1", "0.4"]),
    "run-and-tumble-1d": (dict(num_agents=400, shown=3, t1=2.0, frames=4), ["--shape", "20", "--dt", "0.05"]),
    "gradient-climbing-3d": (dict(steepness=(0.3, 0.6), t1=4.0, settling=2.0), ["--shape", "100", "--dt", "0.05"]),
    "agents-vs-pde": (dict(num_agents=500, times=(1.0, 2.0)), ["--shape", "100", "--dt", "0.05"]),
    "lagrangian-subcritical": ({**FLOW, "t1": 0.1}, ["--shape", "5"]),
    "lagrangian-gaussian": ({**FLOW, "t1": 0.1}, ["--shape", "5"]),
    "lagrangian-two-bumps": ({**FLOW, "t1": 0.02}, ["--shape", "64"]),
    "lagrangian-shear": ({**FLOW, "t1": 0.02}, ["--shape", "64"]),
    # Its own final time: one that single precision rounds down.
    "lagrangian-3d-gaussian": ({**FLOW, "pull": 30.0}, ["--shape", "5"]),
    "lagrangian-kolmogorov": ({**FLOW, "t1": 0.02, "seeds": 2, "width": 12}, ["--shape", "11"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: one.name)
def test_it_runs_and_leaves_a_summary_and_pictures(experiment, tmp_path, monkeypatch, capsys):
    fields, options = SMALL[experiment.name]
    monkeypatch.setattr(catalogue, "EXPERIMENTS", (dataclasses.replace(experiment, **fields),))
    with jax.enable_x64(False):
        code = main(["run", experiment.name, "--out", str(tmp_path), *options])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert f"{experiment.name}: " in said.err  # what it is at, one line for each stage
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["experiment"] == experiment.name and summary["precision"] == "float32"
    there = {path.name for path in tmp_path.iterdir()}
    assert there == set(summary["files"])
    pictures = [path for path in tmp_path.iterdir() if path.suffix in PICTURES]
    assert pictures and all(path.stat().st_size > 1000 for path in pictures)
