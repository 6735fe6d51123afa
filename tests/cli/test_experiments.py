"""Every listed experiment, small, through the command line and in single precision, as users run it."""

import functools
import json

import jax
import pytest

from jaxchemo.cli import main, methods
from jaxchemo.cli.errors import Refused
from jaxchemo.cli.methods import find_methods, known_methods
from jaxchemo.experiments import EXPERIMENTS, Posed, options
from jaxchemo.methods import METHODS

# Problems and the features that they have do not change from test to test.
posed = functools.cache(lambda experiment: experiment.problem())
solving = functools.cache(methods.solving)

PICTURES = {".png", ".gif"}
FLOW = "--num-labels 128 --num-sources 512 --hidden-units 8 --num-particles 64 --dt 0.01 --frames 2 --pictures 1"
SMALL = {
    "one-blob": "--t1 0.1 --frames 2 --shape 20",
    "two-blobs": "--t1 0.1 --frames 2 --shape 20 --method sipf --num-particles 500",
    "annuli": "--t1 0.1 --frames 2 --shape 24 --ndim 2",
    "recover-parameters": "--times 0.1 0.2 --shape 20 --bins 10 --dt 0.02 --num-particles 500 --particle-dt 0.02",
    "recover-signal": "--times 0.2 0.4 --shape 12 --refinement 3 --dt 0.05",
    "propagation-of-chaos": (
        "--counts 100 400 --num-reference 4096 --num-seeds 2 --t1 0.1 --betas 0.6 --shape 32 --dt 0.05"
    ),
    "keller-segel-1d": ("--length 20 --sensitivity 10 --noise-height 0.1 --t1 1 --frames 4 --shape 80 --dt 2e-3"),
    "keller-segel-2d": "--length 40 --shape 40 --modes 10 --dt 0.1 --t1 1 --frames 2",
    "stability-map": "--sensitivities 2 6 4 --decays 0.1 0.4 3 --t1 1 --shape 16 --dt 0.05",
    "travelling-band": "--t1 40 --frames 2 --shape 200 --dt 0.2",
    "growth-expansion": "--t1 1800 --frames 3 --num-shells 60 --dt 20",
    "identify-band": "--times 60 120 --shape 60 --length 3000 --bins 30 --dt 1 --max-steps 30",
    "identify-expansion": "--times 2 4 --num-shells 40 --radius 12 --bins 20 --dt 60",
    "identify-pathway": "--max-steps 60",
    "gather-cells": "--intervals 2 --places 3 5 --target 4 6 --shape 40 --dt 0.05 --t1 2 --max-steps 3",
    "invasion": "--frames 2 --ndim 3 --shape 20 --t1 0.4",
    "run-and-tumble-1d": "--num-agents 400 --shown 3 --t1 2 --frames 4 --shape 20 --dt 0.05",
    "gradient-climbing-3d": "--steepness 0.3 0.6 --t1 4 --settling 2 --num-agents 100 --dt 0.05",
    "agents-vs-pde": "--num-agents 500 --times 1 2 --shape 100 --dt 0.05",
    "lagrangian-subcritical": f"{FLOW} --t1 0.1 --num-radii 5",
    "lagrangian-gaussian": f"{FLOW} --t1 0.1 --num-radii 5",
    "lagrangian-two-bumps": f"{FLOW} --t1 0.02 --reference-cells 64",
    "lagrangian-shear": f"{FLOW} --t1 0.02 --reference-cells 64",
    # Its own final time: one that single precision rounds down.
    "lagrangian-3d-gaussian": f"{FLOW} --mass 30 --num-radii 5",
    "lagrangian-kolmogorov": f"{FLOW} --t1 0.02 --num-seeds 2 --slice-points 11".replace("units 8", "units 12"),
}
# By a method, where the experiment makes its own runs otherwise.
BY_METHOD = {
    "keller-segel-1d spectral": "--length 20 --sensitivity 10 --t1 0.1 --frames 4 --shape 80 --dt 2e-3",
    "growth-expansion fv": "--t1 1800 --frames 3 --num-shells 60 --dt 20",
    "run-and-tumble-1d agents": "--num-agents 400 --t1 2 --frames 4 --shape 20 --dt 0.05",
    "run-and-tumble-1d kinetic": "--t1 2 --frames 4 --shape 20",
    "agents-vs-pde fokker-planck": "--times 1 2 --shape 100",
    "lagrangian-gaussian particles": "--t1 0.1 --num-particles 64 --dt 0.01 --frames 2",
    "lagrangian-gaussian flow": "--t1 0.1 --num-labels 128 --num-sources 512 --hidden-units 8 --frames 2",
    "lagrangian-3d-gaussian particles": "--t1 0.1 --num-particles 64 --dt 0.01 --frames 2",
}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_it_runs_and_leaves_a_summary_and_pictures(experiment, tmp_path, capsys):
    with jax.enable_x64(False):
        code = main(["run", experiment.name, "--out", str(tmp_path), *SMALL[experiment.name].split()])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert f"{experiment.name}: " in printed.err  # what it is at, one line for each stage
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["experiment"] == experiment.name and summary["precision"] == "float32"
    there = {path.name for path in tmp_path.iterdir()}
    assert there == set(summary["files"])
    pictures = [path for path in tmp_path.iterdir() if path.suffix in PICTURES]
    assert pictures and all(path.stat().st_size > 1000 for path in pictures)


@pytest.mark.slow
@pytest.mark.parametrize("line", BY_METHOD)
def test_a_method_that_solves_its_problem_can_be_chosen(line, tmp_path, capsys):
    name, method = line.split()
    assert main(["run", name, "--method", method, "--out", str(tmp_path), *BY_METHOD[line].split()]) == 0
    assert method in capsys.readouterr().out
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["result"] == "successful" and summary["equations"]
    pictures = [path for path in tmp_path.iterdir() if path.suffix in PICTURES]
    assert pictures and all(path.stat().st_size > 1000 for path in pictures)


@pytest.mark.parametrize("command", ["run", "compare"])
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_its_help_shows_every_option_with_unit_and_default(experiment, command, capsys):
    assert main([command, experiment.name, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert experiment.title in said
    for name, option in options(experiment).items():
        unit = f"[{option.unit}]" if option.unit else ""
        default = getattr(experiment, name)
        shown = said.split(f"--{name.replace('_', '-')} ")[1]
        assert unit in shown and "(default: " in shown
        if isinstance(default, int | float):
            assert f"(default: {default if isinstance(default, int) else f'{default:.6g}'})" in shown
    assert ("--method" in said) == isinstance(experiment, Posed)


def test_every_public_method_has_a_name():
    known = known_methods().values()
    assert {method.kind for method in known} == set(METHODS)
    solved = {name for experiment in EXPERIMENTS for name in solving(experiment)}
    assert solved == set(known_methods())  # each can be run on at least one experiment


@pytest.mark.parametrize("name", known_methods())
@pytest.mark.parametrize("experiment", [e for e in EXPERIMENTS if isinstance(e, Posed)], ids=lambda e: e.name)
def test_a_method_is_taken_where_it_solves_the_problem_and_else_those_that_do_are_named(name, experiment):
    if name not in solving(experiment):
        with pytest.raises(
            Refused, match=rf"{name} does not solve problems with .*: {solving(experiment)[0]}.* would do"
        ):
            find_methods([name], experiment)
        return
    method = find_methods([name], experiment)[name].build(experiment, None)
    method.check(posed(experiment))
    for option in ("num_particles", "num_agents"):
        if hasattr(method, option) and hasattr(experiment, option):
            assert getattr(method, option) == getattr(experiment, option)
