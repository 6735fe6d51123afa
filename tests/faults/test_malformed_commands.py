"""Malformed command lines: refused with exit code 2, in one line that says what is wrong, and leaves nothing."""

import shlex

import pytest

from jaxchemo.cli import main

# The command line, and what the one line must hold. `OUT` is a folder that could be written.
CASES = [
    # No command, or one that there is not.
    ("", "COMMAND"),
    ("walk", "'walk'"),
    ("walk one-blob", "'walk'"),
    ("Run one-blob", "'Run'"),
    ("--colour", "COMMAND"),
    ("list x", "unrecognized arguments: x"),
    ("list --out OUT", "unrecognized arguments: --out"),
    # No name, a wrong one, or two.
    ("run", "NAME"),
    ("compare", "NAME"),
    ("train", "NAME"),
    ("run --out OUT", "NAME"),
    ("run ''", "NAME"),
    ("run ' '", "NAME"),
    ("run two-blob --out OUT", "Did you mean 'two-blobs'?"),
    ("run 0 --out OUT", "There is no experiment '0'"),
    ("run TWO_BLOBS! --out OUT", "Did you mean 'two-blobs'?"),
    ("run ../one-blob --out OUT", "There is no experiment '../one-blob'"),
    ("run one-blob two-blobs --out OUT", "unrecognized arguments: two-blobs"),
    ("compare nothing-like-it --out OUT", "There are: one-blob,"),
    ("compare stability-map --out OUT", "`jaxchemo run stability-map` would do"),
    ("compare recover-parameters --methods fv --out OUT", "`--methods` does not apply to 'recover-parameters'"),
    ("train phks-5d --out OUT", "There is no network 'phks-5d'"),
    ("train one-blob --out OUT", "There is no network 'one-blob'"),
    # Options that there are not, or not there.
    ("run one-blob --out OUT --colour red", "unrecognized arguments: --colour red"),
    ("run one-blob --out OUT --meth fv", "unrecognized arguments: --meth fv"),
    ("run one-blob --out OUT -x", "unrecognized arguments: -x"),
    ("run one-blob --out OUT --methods fv", "unrecognized arguments: --methods fv"),
    ("compare one-blob --out OUT --method fv", "unrecognized arguments: --method fv"),
    ("train phks-2d --out OUT --dt 0.1", "unrecognized arguments: --dt 0.1"),
    ("run one-blob --out OUT --epochs 3", "unrecognized arguments: --epochs 3"),
    ("run one-blob --out OUT --resume yes", "unrecognized arguments: yes"),
    ("run one-blob --out OUT --resume=yes", "--resume"),
    ("run one-blob --out OUT --resume --afresh", "`--afresh`"),
    ("train phks-2d --out OUT --resume --afresh", "`--afresh`"),
    ("run one-blob --out OUT --resume", "`--resume`: there is no unfinished run"),
    ("compare one-blob --out OUT --resume", "`--resume`: there is no unfinished run"),
    ("run stability-map --out OUT --resume", "`--resume`: there is no unfinished run"),
    ("train phks-2d --out OUT --resume", "`--resume`: there is no unfinished run"),
    # Options without a value, or twice.
    ("run one-blob --out", "--out"),
    ("run one-blob --out OUT --method", "--method"),
    ("run one-blob --out OUT --ndim", "--ndim"),
    ("run one-blob --out OUT --shape", "`--shape`"),
    ("run one-blob --out OUT --num-particles", "--num-particles"),
    ("run one-blob --out OUT --t1", "--t1"),
    ("run one-blob --out OUT --dt", "--dt"),
    ("run one-blob --out OUT --seed", "--seed"),
    ("run one-blob --out OUT --network", "--network"),
    ("compare one-blob --out OUT --methods", "--methods"),
    ("train phks-2d --out OUT --epochs", "--epochs"),
    ("run one-blob --out OUT --dt 0.1 --dt 0.2", "`--dt` is given twice"),
    ("run one-blob --out OUT --seed 1 --seed 1", "`--seed` is given twice"),
    ("run one-blob --out OUT --out OUT", "`--out` is given twice"),
    ("run one-blob --out OUT --shape 20 --shape 30", "`--shape` is given twice"),
    # Methods.
    ("run one-blob --out OUT --method spif", "Did you mean 'sipf'?"),
    ("run one-blob --out OUT --method ''", "`--method`"),
    ("run one-blob --out OUT --method fv,sipf", "There is no method 'fv,sipf'"),
    ("compare one-blob --out OUT --methods ,", "`--methods`"),
    ("compare one-blob --out OUT --methods ''", "`--methods`"),
    ("compare one-blob --out OUT --methods fv,xyz", "There is no method 'xyz'"),
    ("compare one-blob --out OUT --methods fv;sipf", "There is no method 'fv;sipf'"),
    ("run one-blob --out OUT --method spectral --ndim 2", "spectral does not solve problems with walls: fv, sipf"),
    ("run stability-map --out OUT --method fv", "`--method` does not apply to 'stability-map'"),
    # Dimensions.
    ("run one-blob --out OUT --ndim 4", "`--ndim` must be 2 or 3, got 4"),
    ("run one-blob --out OUT --ndim 0", "`--ndim` must be 2 or 3, got 0"),
    ("run one-blob --out OUT --ndim -2", "`--ndim` must be 2 or 3, got -2"),
    ("run one-blob --out OUT --ndim two", "`--ndim` must be a whole number, got 'two'"),
    ("run one-blob --out OUT --ndim 2.0", "`--ndim` must be a whole number, got '2.0'"),
    ("run keller-segel-2d --out OUT --ndim 3", "`--ndim` does not apply to 'keller-segel-2d'"),
    ("run invasion --out OUT --ndim 1", "`--ndim` must be 2 or 3, got 1"),
    ("run stability-map --out OUT --ndim 1", "`--ndim` does not apply"),
    # Cells.
    ("run one-blob --out OUT --shape 0", "`--shape` must be at least 2, got 0"),
    ("run one-blob --out OUT --shape 20 0 20", "`--shape` must be at least 2, got 0"),
    ("run one-blob --out OUT --shape -5", "`--shape` must be at least 2, got -5"),
    ("run one-blob --out OUT --shape 20.0", "`--shape` must be whole numbers, got '20.0'"),
    ("run one-blob --out OUT --shape 20 x", "`--shape` must be whole numbers, got '20 x'"),
    ("run one-blob --out OUT --shape nan", "`--shape` must be whole numbers, got 'nan'"),
    ("run one-blob --out OUT --shape 1e3", "`--shape` must be whole numbers, got '1e3'"),
    ("run one-blob --out OUT --shape 20 20", "`shape` must be one number or one for each of the 3 axes"),
    ("run one-blob --out OUT --shape 20 20 20 20", "`shape` must be one number or one for each of the 3 axes"),
    ("run one-blob --out OUT --shape 8", "narrower than one cell"),
    ("run one-blob --out OUT --shape 100000 100000 100000", "`--shape`: at least"),
    ("run one-blob --out OUT --shape 99999999999999999999", "`--shape`: at least"),
    ("compare one-blob --out OUT --ndim 2 --shape 1000000", "`--shape`: at least"),
    ("run propagation-of-chaos --out OUT --shape 1000000", "`--shape`: at least"),
    ("run stability-map --out OUT --shape 1000000000000", "`--shape`: at least"),
    ("run stability-map --out OUT --shape 0", "`--shape` must be at least 2, got 0"),
    ("run stability-map --out OUT --shape -3", "`--shape` must be at least 2, got -3"),
    ("run stability-map --out OUT --shape 32 16", "`shape` must be one number or one for the only axis"),
    ("run run-and-tumble-1d --out OUT --shape 2", "`--shape` must be at least 4, got 2"),
    # Particles.
    ("run one-blob --out OUT --method sipf --num-particles 0", "`--num-particles` must be at least 1, got 0"),
    ("run one-blob --out OUT --method sipf --num-particles -1", "`--num-particles` must be at least 1, got -1"),
    ("run one-blob --out OUT --method sipf --num-particles 1e4", "`--num-particles` must be a whole number, got '1e4'"),
    (
        "run one-blob --out OUT --method sipf --num-particles many",
        "`--num-particles` must be a whole number, got 'many'",
    ),
    ("run one-blob --out OUT --method sipf --num-particles 1000000000000", "`--num-particles`: at least"),
    ("run one-blob --out OUT --method fv --num-particles 100", "`--num-particles` does not apply to fv"),
    ("run stability-map --out OUT --num-particles 100", "`--num-particles` does not apply to 'stability-map'"),
    # Times.
    ("run one-blob --out OUT --t1 0", "`--t1` must be positive, got 0"),
    ("run one-blob --out OUT --t1 -1", "`--t1` must be positive, got -1"),
    ("run one-blob --out OUT --t1 nan", "`--t1` must be finite, got nan"),
    ("run one-blob --out OUT --t1 inf", "`--t1` must be finite, got inf"),
    ("run one-blob --out OUT --t1 1e400", "`--t1` must be finite, got 1e400"),
    ("run one-blob --out OUT --t1 soon", "`--t1` must be a number, got 'soon'"),
    ("run one-blob --out OUT --t1 1,5", "`--t1` must be a number, got '1,5'"),
    ("run one-blob --out OUT --t1 1e300", "steps"),
    ("run agents-vs-pde --out OUT --t1 1", "`--t1` does not apply"),
    ("run stability-map --out OUT --t1 -1", "`--t1` must be positive, got -1"),
    ("run one-blob --out OUT --dt 0", "`--dt` must be positive, got 0"),
    ("run one-blob --out OUT --dt -0.1", "`--dt` must be positive, got -0.1"),
    ("run one-blob --out OUT --dt=-1e-3", "`--dt` must be positive, got -0.001"),
    ("run one-blob --out OUT --dt nan", "`--dt` must be finite, got nan"),
    ("run one-blob --out OUT --dt inf", "`--dt` must be finite, got inf"),
    ("run one-blob --out OUT --dt -inf", "--dt"),
    ("run one-blob --out OUT --dt auto", "`--dt` must be a number, got 'auto'"),
    ("run one-blob --out OUT --dt 0.3", "`dt` must divide t1 - t0 = 1 into whole steps"),
    ("run one-blob --out OUT --dt 2", "`dt` must divide t1 - t0 = 1 into whole steps"),
    ("run one-blob --out OUT --dt 1e-12", "`--dt`: 1e+12 steps"),
    ("run one-blob --out OUT --dt 1e-320", "`--dt`"),
    ("run stability-map --out OUT --dt 0", "`--dt` must be positive, got 0"),
    ("run stability-map --out OUT --dt -0.01", "`--dt` must be positive, got -0.01"),
    ("run recover-parameters --out OUT --dt nan", "`--dt` must be finite, got nan"),
    ("run stability-map --out OUT --dt 1e-12", "`--dt`: 1e+13 steps"),
    ("run lagrangian-gaussian --out OUT --t1 soon", "`--t1` must be a number, got 'soon'"),
    ("run lagrangian-gaussian --out OUT --t1 0", "`--t1` must be positive, got 0"),
    # Options of one experiment.
    (
        "run stability-map --out OUT --frames 3",
        "`--frames` does not apply to 'stability-map', which has --sensitivities",
    ),
    ("run one-blob --out OUT --num-agents 3", "`--num-agents` does not apply to 'one-blob'"),
    ("run one-blob --out OUT --num_particles 3", "unrecognized arguments: --num_particles 3"),
    ("run one-blob --out OUT --frames 0", "`--frames` must be at least 1, got 0"),
    ("run one-blob --out OUT --mobility -1", "`--mobility` must be positive, got -1"),
    ("run one-blob --out OUT --mobility", "--mobility"),
    ("run recover-parameters --out OUT --guess 0.3", "`--guess` must hold 2 numbers, got 1"),
    ("run recover-parameters --out OUT --guess 0.3 -1", "`--guess` must be positive, got -1"),
    ("run recover-parameters --out OUT --guess", "`--guess` must be numbers, got nothing"),
    ("run recover-parameters --out OUT --times 0.3 0.1", "`--times` must rise"),
    ("run stability-map --out OUT --decays 0.1 0.4 2.5", "`--decays` must end with a whole number"),
    ("run propagation-of-chaos --out OUT --counts 100", "`--counts` must hold at least 2 numbers, got 1"),
    ("run propagation-of-chaos --out OUT --counts 100 1.5", "`--counts` must be whole numbers, got '100 1.5'"),
    ("run gradient-climbing-3d --out OUT --num-agents 1", "`--num-agents` must be at least 2, got 1"),
    ("run gradient-climbing-3d --out OUT --num-agents 10000000000000", "`--num-agents`: at least"),
    # Methods and experiments that do not go together.
    (
        "run lagrangian-gaussian --out OUT --method fv",
        "fv does not solve problems with the whole space: flow, particles",
    ),
    ("run agents-vs-pde --out OUT --method sipf", "single swimmers: agents, kinetic, fokker-planck would do"),
    ("compare invasion --out OUT --methods fv,spectral", "spectral does not solve problems with walls: fv would do"),
    ("run lagrangian-gaussian --out OUT --method flow --num-particles 9", "`--num-particles` does not apply to flow"),
    ("run run-and-tumble-1d --out OUT --method kinetic --num-agents 9", "`--num-agents` does not apply to kinetic"),
    ("run lagrangian-gaussian --out OUT --method flow --num-radii 9", "`--num-radii` is for the experiment's own runs"),
    ("compare lagrangian-gaussian --out OUT --pictures 9", "`--pictures` is for the experiment's own runs"),
    ("run lagrangian-gaussian --out OUT --network FILE", "`--network` does not apply"),
    # Seeds and epochs.
    ("run one-blob --out OUT --seed -1", "`--seed` must be at least 0, got -1"),
    ("run one-blob --out OUT --seed 1.5", "`--seed` must be a whole number, got '1.5'"),
    ("run one-blob --out OUT --seed x", "`--seed` must be a whole number, got 'x'"),
    ("run one-blob --out OUT --seed 4294967296", "`--seed` must be at most 4294967295"),
    ("run stability-map --out OUT --seed 100000000000000000000", "`--seed` must be at most"),
    ("train phks-2d --out OUT --seed -1", "`--seed` must be at least 0, got -1"),
    ("train phks-2d --out OUT --epochs 0", "`--epochs` must be at least 1, got 0"),
    ("train phks-2d --out OUT --epochs -2", "`--epochs` must be at least 1, got -2"),
    ("train phks-2d --out OUT --epochs 1.5", "`--epochs` must be a whole number, got '1.5'"),
    # Networks.
    ("run one-blob --out OUT --network FILE", "`--network` is for the method nsipf"),
    ("compare one-blob --out OUT --methods fv,sipf --network FILE", "`--network` is for the method nsipf"),
    ("run one-blob --out OUT --method nsipf --network /nowhere", "No such file"),
    ("run one-blob --out OUT --method nsipf --network FILE", "FILE"),
    ("run one-blob --out OUT --method nsipf --network ''", "`--network`"),
    ("run stability-map --out OUT --network FILE", "`--network` does not apply"),
    # Folders.
    ("run one-blob --out ''", "`--out`"),
    ("run one-blob --out FILE", "`--out`: cannot write to"),
    ("run one-blob --out FILE/below", "`--out`: cannot write to"),
    ("run stability-map --out FILE", "`--out`: cannot write to"),
    ("train phks-2d --out FILE", "`--out`: cannot write to"),
    ("run one-blob --out /proc/nowhere", "`--out`: cannot write to"),
    ("run one-blob --out FOREIGN", "is not a store of jaxchemo"),
    ("compare one-blob --methods fv --out FOREIGN", "is not a store of jaxchemo"),
    ("run one-blob --out TAKEN", "was not made by jaxchemo"),
    ("run stability-map --out TAKEN", "was not made by jaxchemo"),
    ("train phks-2d --out TAKEN", "was not made by jaxchemo"),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """What stands for the words in capitals: places that are in the way."""
    root = tmp_path_factory.mktemp("places")
    (root / "FILE").write_text("not a folder, and no weights")
    for name in ("FOREIGN/solution.zarr", "TAKEN/.unfinished"):
        (root / name).mkdir(parents=True)
        (root / name / "thesis.tex").write_text("chapter one")
    return {name: root / name for name in ("FILE", "FOREIGN", "TAKEN", "OUT")}


@pytest.mark.parametrize(("line", "sentence"), CASES, ids=[line for line, _ in CASES])
def test_it_is_refused_in_one_line(line, sentence, places, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)
    for name, place in places.items():
        words = [str(place) + word.removeprefix(name) if word.startswith(name) else word for word in words]
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.err.startswith("jaxchemo: ") and said.err.count("\n") == 1 and "Traceback" not in said.err
    assert not set("╭│╰") & set(said.err + said.out)
    assert sentence in said.err
    assert not list(tmp_path.iterdir()) and not list(places["OUT"].glob("*")) and not list(places["OUT"].glob(".*"))
    assert (places["FOREIGN"] / "solution.zarr/thesis.tex").exists() and (places["TAKEN"] / ".unfinished").exists()


def test_there_are_enough_and_no_two_alike():
    assert len({line for line, _ in CASES}) == len(CASES) >= 160


def test_help_is_no_error(capsys):
    for line in (["--help"], ["run", "--help"], ["compare", "-h"], ["train", "--help"], ["list", "--help"]):
        assert main(line) == 0
        assert "usage: jaxchemo" in capsys.readouterr().out
