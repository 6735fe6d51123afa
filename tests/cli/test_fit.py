"""`jaxchemo fit`: a report from tables, and one line for what cannot be fitted."""

import json

import numpy as np
import pytest

from jaxchemo.cli import main
from jaxchemo.cli.laws import laws


@pytest.fixture
def tables(tmp_path):
    """Measurements of what spreads and grows without walls, exactly, and priors."""
    lines = ["time,x,value,std"]
    for t in (0.0, 1.0, 2.0):
        variance = 0.25 + 0.1 * t
        for x in np.linspace(-4, 4, 33):
            value = 10 * np.exp(0.4 * t - 0.5 * x**2 / variance) / np.sqrt(2 * np.pi * variance)
            lines.append(f"{t},{x},{value},0.05")
    (tmp_path / "profiles.csv").write_text("\n".join(lines) + "\n")
    rows = ["name,median,factor,estimate,value", "mobility,0.1,3,1,", "growth,0.2,3,1,", "capacity,,,0,1e9"]
    (tmp_path / "parameters.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_named_models_of_numbers_can_be_fitted():
    assert {"fisher", "porous-fisher", "phks", "keller-segel", "travelling-band", "growth-expansion"} <= set(laws())


@pytest.mark.slow
def test_tables_become_a_report(tables, capsys):
    files = [str(tables / name) for name in ("profiles.csv", "parameters.csv")]
    assert main(["fit", files[0], "--model", "fisher", "--parameters", files[1], "--out", str(tables / "out")]) == 0
    assert "90% intervals" in capsys.readouterr().out
    summary = json.loads((tables / "out" / "summary.json").read_text())
    assert summary["converged"] and summary["precision"] == "float64"
    assert summary["parameters"]["mobility"] == pytest.approx(0.05, rel=0.05)
    assert summary["parameters"]["growth"] == pytest.approx(0.4, rel=0.02)
    assert summary["fixed"]["capacity"] == 1e9 and "--parameters" in summary["command"]
    assert sorted(path.name for path in (tables / "out").iterdir()) == ["report.html", "summary.json"]


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--model", "fischer"], "there is no model 'fischer'"),
        ([], "the following arguments are required: --model"),
        (["--model", "fisher", "--cells", "1"], "`--cells` must be at least 2, got 1"),
        (
            ["--model", "fisher", "--box", "0", "1", "2"],
            "`--box` must have a lower and an upper end along each of 1 axes",
        ),
        (["--model", "fisher", "--box", "-1", "1"], "are outside Grid.box"),
        (["--model", "fisher", "--parameters", "nowhere.csv"], "No such file or directory: 'nowhere.csv'"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_line(tables, capsys, words, sentence):
    assert main(["fit", str(tables / "profiles.csv"), "--out", str(tables / "out"), *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not (tables / "out" / "summary.json").exists()


def test_unknown_columns_are_refused_by_name(tables, capsys):
    table = tables / "tracks.csv"
    table.write_text("track,time,x,value\n1,0,0,1\n")
    assert main(["fit", str(table), "--model", "fisher", "--out", str(tables / "out")]) == 2
    assert "line 1: unknown columns 'track'" in capsys.readouterr().err
