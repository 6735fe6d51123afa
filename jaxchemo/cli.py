"""The command line: `jaxchemo list`, `run NAME`, `compare NAME`, `train NAME`. Names live here, and only here."""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro

# What is heavy (experiments, figures) is imported by the commands that need it, so that `--help` is quick.
if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import TypeIs

    from jaxchemo.experiments import Experiment, Study
    from jaxchemo.methods import AbstractMethod


class Refused(Exception):
    """Input that cannot be run, with a sentence that says why."""


def _numbers(option: str, kind: type, metavar: str, what: str, nargs: int | Literal["*"] = 1) -> Any:
    """How the numbers of an option are read: refused in one line, where tyro would draw a box."""

    def read(words: list[str]) -> Any:
        try:
            values = tuple(kind(word) for word in words)
        except ValueError:
            raise Refused(f"`{option}` must be {what}, got {' '.join(words)!r}.") from None
        return values[0] if nargs == 1 else values

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=nargs,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: value is None or isinstance(value, kind | tuple),
        str_from_instance=lambda value: [str(value)],
    )


_PLAIN = tyro.conf.arg(help_behavior_hint=" ")  # the help texts say what the defaults are
Name = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME", help_behavior_hint=" ")]
Method = Annotated[str | None, tyro.conf.arg(metavar="METHOD", help_behavior_hint=" ")]
Methods = Annotated[str, tyro.conf.arg(metavar="METHOD,METHOD", help_behavior_hint=" ")]
Folder = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint=" ")]
Dimensions = Annotated[int | None, _numbers("--ndim", int, "{1,2,3}", "1, 2 or 3"), _PLAIN]
Cells = Annotated[tuple[int, ...] | None, _numbers("--shape", int, "INT [INT ...]", "whole numbers", "*"), _PLAIN]
Particles = Annotated[int | None, _numbers("--particles", int, "INT", "a whole number"), _PLAIN]
FinalTime = Annotated[float | None, _numbers("--t1", float, "FLOAT", "a number"), _PLAIN]
Step = Annotated[float | None, _numbers("--dt", float, "FLOAT", "a number"), _PLAIN]
Seed = Annotated[int | None, _numbers("--seed", int, "INT", "a whole number"), _PLAIN]
Epochs = Annotated[int | None, _numbers("--epochs", int, "INT", "a whole number"), _PLAIN]
Network = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint=" ")]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code: 0, 1 for a run that went wrong, 2 for input that is refused."""
    commands = {"list": list_experiments, "run": run, "compare": compare, "train": train}
    try:
        return tyro.extras.subcommand_cli_from_dict(
            commands,
            prog="jaxchemo",
            description="Chemotaxis in JAX: one problem, many methods.",
            args=argv,
        )
    except SystemExit as stop:  # tyro's own refusals, and --help
        return stop.code if isinstance(stop.code, int) else 2 * bool(stop.code)
    except Refused as error:
        print(f"jaxchemo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("jaxchemo: interrupted", file=sys.stderr)
        return 130


def list_experiments() -> int:
    """Lists experiments, methods and networks."""
    from rich.table import Table

    from jaxchemo.experiments import EXPERIMENTS

    console = _console()
    table = Table("experiment", "what it shows", "dimensions", title="Experiments", title_justify="left")
    for one in EXPERIMENTS:
        table.add_row(one.name, one.title, ", ".join(map(str, one.dimensions)))
    console.print(table)
    table = Table("method", "what it is", title="Methods", title_justify="left")
    for name, (about, _) in _methods().items():
        table.add_row(name, about)
    console.print(table)
    from jaxchemo.nn import RECIPES

    table = Table("network", "what it is", "dimensions", title="Networks", title_justify="left")
    for recipe in RECIPES:
        table.add_row(recipe.name, recipe.title, str(recipe.ndim))
    console.print(table)
    return 0


def run(
    name: Name,
    method: Method = None,
    out: Folder = None,
    ndim: Dimensions = None,
    shape: Cells = None,
    particles: Particles = None,
    t1: FinalTime = None,
    dt: Step = None,
    seed: Seed = None,
    network: Network = None,
) -> int:
    """Runs an experiment by one method, and leaves its solution, a summary and figures in a folder.

    Args:
        name: Name of the experiment; `jaxchemo list` shows them.
        method: Name of the method. Default: fv.
        out: Folder to write. Default: out/NAME.
        ndim: Dimensions of the space. Default: the most that the experiment is made for.
        shape: Cells of the grid, one number or one for each axis. Default: the experiment's.
        particles: Particles, for methods that have them. Default: the experiment's.
        t1: Final time. Default: the experiment's.
        dt: Time step. Default: the experiment's.
        seed: Of the random numbers. Default: 0.
        network: Weights for nsipf, from `jaxchemo train`. Default: those shipped for the dimension.
    """
    experiment = _experiment(name)
    folder = _folder(out, name)
    if not _is_simulation(experiment):
        given = {"--method": method, "--ndim": ndim, "--particles": particles, "--t1": t1, "--network": network}
        for option in (option for option, value in given.items() if value is not None):
            raise Refused(f"`{option}` does not apply to {name!r}: it takes --shape, --dt, --seed and --out.")
        return _study(experiment, folder, shape, dt, seed)
    return _simulate(experiment, [method or "fv"], folder, ndim, shape, particles, t1, dt, seed, network)


def compare(
    name: Name,
    methods: Methods = "fv,sipf",
    out: Folder = None,
    ndim: Dimensions = None,
    shape: Cells = None,
    particles: Particles = None,
    t1: FinalTime = None,
    dt: Step = None,
    seed: Seed = None,
    network: Network = None,
) -> int:
    """Runs an experiment by several methods and compares them, in a table and in figures.

    Args:
        name: Name of the experiment; `jaxchemo list` shows them.
        methods: Names of the methods, separated by commas; distances are to the first. Default: fv,sipf.
        out: Folder to write. Default: out/NAME.
        ndim: Dimensions of the space. Default: the most that the experiment is made for.
        shape: Cells of the grid, one number or one for each axis. Default: the experiment's.
        particles: Particles, for methods that have them. Default: the experiment's.
        t1: Final time. Default: the experiment's.
        dt: Time step. Default: the experiment's.
        seed: Of the random numbers. Default: 0.
        network: Weights for nsipf, from `jaxchemo train`. Default: those shipped for the dimension.
    """
    experiment = _experiment(name)
    if not _is_simulation(experiment):
        raise Refused(
            f"{name!r} makes its own runs, and is not one run by several methods: `jaxchemo run {name}` would do."
        )
    chosen = list(dict.fromkeys(part.strip() for part in methods.split(",") if part.strip()))
    if not chosen:
        raise Refused(f"`--methods` must name at least one method, got {methods!r}.")
    return _simulate(experiment, chosen, _folder(out, name), ndim, shape, particles, t1, dt, seed, network)


def train(name: Name, out: Folder = None, seed: Seed = None, epochs: Epochs = None) -> int:
    """Trains a network, and leaves its weights, how they were made, and the loss curve in a folder.

    An interrupted training goes on from its last epoch when it is started again.

    Args:
        name: Name of the network; `jaxchemo list` shows them.
        out: Folder to write. Default: out/NAME.
        seed: Of the data, the first weights and the batches. Default: 0.
        epochs: How long. Default: the network's.
    """
    import dataclasses
    import time

    from jaxchemo import nn, plotting
    from jaxchemo.experiments import nearest
    from jaxchemo.experiments.outcome import surroundings

    recipes = {recipe.name: recipe for recipe in nn.RECIPES}
    if name not in recipes:
        raise Refused(f"There is no network {name!r}. {nearest(name, list(recipes))}")
    folder, console, recipe = _folder(out, name), _console(), recipes[name]
    if epochs is not None:
        if epochs < 1:
            raise Refused(f"`--epochs` must be at least 1, got {epochs}.")
        recipe = dataclasses.replace(recipe, epochs=epochs)
    console.print(f"[bold]{name}[/bold]: {recipe.title}")
    checkpoint, clock = folder / "training.checkpoint", time.perf_counter()
    try:
        resumed = checkpoint.exists()
        if resumed:
            console.print(f"going on from {checkpoint}")
        trained = nn.train(recipe, seed=seed or 0, checkpoint=checkpoint, progress=True)
    except FloatingPointError as error:
        print(f"jaxchemo: {error}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, OSError) as error:
        raise Refused(error) from error
    seconds = None if resumed else round(time.perf_counter() - clock, 1)
    record = {
        "title": recipe.title,
        "recipe": dataclasses.asdict(recipe),
        "seed": seed or 0,
        "metrics": {measure: values[-1] for measure, values in trained.history.items()},
        "start": trained.start,
        "seconds": seconds,
        **surroundings(),
        "history": trained.history,
    }
    nn.save(folder / name, trained.interpolator, **record)
    plotting.training(trained.history, trained.start, title=f"{name}: {recipe.title}").savefig(folder / "loss.png")
    checkpoint.unlink(missing_ok=True)
    for measure, value in record["metrics"].items():
        before = f"   (before training {trained.start[measure]:.4g})" if measure in trained.start else ""
        console.print(f"{measure:>12} {value:.4g}{before}")
    _say_where(console, folder)
    return 0


def _simulate(experiment, names, folder, ndim, shape, particles, t1, dt, seed, network) -> int:
    from jaxchemo.experiments.figures import draw
    from jaxchemo.experiments.outcome import Outcome, describe, measure, surroundings
    from jaxchemo.integrate import SolveError
    from jaxchemo.plotting import comparison_table

    console = _console()
    outcomes = {}
    try:
        chosen = {name: _method(name) for name in names}
        if particles is not None and particles < 1:
            raise Refused(f"`--particles` must be at least 1, got {particles}.")
        if network is not None and "nsipf" not in names:
            raise Refused("`--network` is for the method nsipf, which is not among those asked for.")
        seed = seed or 0
        problem = experiment.problem(ndim, shape, seed)
        ndim = problem.grid.ndim
        parts = Parts(particles or experiment.num_particles, ndim, network)
        methods = {name: build(parts) for name, build in chosen.items()}
        console.print(f"[bold]{experiment.name}[/bold] in {ndim}D: {experiment.title}")
        console.print(problem.model.equations(), style="cyan", highlight=False)
        for name, method in methods.items():
            store = folder / ("solution.zarr" if len(names) == 1 else f"solution_{name}.zarr")
            options = {"t1": t1, "dt": dt, "seed": seed, "store": store, "progress": f"{name:>10}"}
            solution = experiment.solve(method, ndim=ndim, shape=shape, **options)
            outcomes[name] = Outcome(problem, method, solution)
    except SolveError as error:
        print(f"jaxchemo: {error}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, OSError) as error:
        raise Refused(error) from error
    runs = measure(outcomes)
    runs_or_run = {"runs": runs} if len(runs) > 1 else next(iter(runs.values()))
    _write(folder, {**describe(experiment, problem), "ndim": ndim, "seed": seed, **runs_or_run, **surroundings()})
    with console.status("drawing") as status:
        solutions = {name: one.solution for name, one in outcomes.items()}
        draw(experiment, problem, solutions, folder, lambda path: status.update(f"drawing, {path.name} is there"))
    console.print(comparison_table(runs))
    _say_where(console, folder)
    return 0


def _study(study, folder, shape, dt, seed) -> int:
    import dataclasses

    from jaxchemo.experiments.outcome import surroundings

    console = _console()
    if shape is not None and len(set(shape)) > 1:
        raise Refused(f"`--shape` must be one number for {study.name!r}, got {shape}.")
    console.print(f"[bold]{study.name}[/bold]: {study.title}")
    try:
        study = study.resized(shape and shape[0], dt)
        with console.status(study.busy):
            found = study.run(seed or 0)
    except (ValueError, TypeError) as error:
        raise Refused(error) from error
    named = {"experiment": study.name, "title": study.title, "parameters": dataclasses.asdict(study)}
    _write(folder, {**named, "seed": seed or 0, **study.numbers(found), **surroundings()})
    study.draw(found, folder)
    for line in study.lines(found):
        console.print(line)
    _say_where(console, folder)
    return 0


class Parts(NamedTuple):
    """What methods are built from."""

    particles: int
    ndim: int
    network: Path | None


def _methods() -> dict[str, tuple[str, Callable[[Parts], "AbstractMethod"]]]:
    """What each method's name stands for, and how it is built."""
    import jaxchemo as jc

    def paper(parts: Parts) -> jc.ParticleField:
        return jc.ParticleField(parts.particles, deposit_order=0, field=jc.Explicit(), interpolator=jc.CubicSpline())

    def neural(parts: Parts) -> jc.ParticleField:
        shipped = "phks-2d" if parts.ndim == 2 else "phks-3d"
        network = jc.nn.pretrained(shipped) if parts.network is None else jc.nn.load(parts.network)
        return jc.ParticleField(parts.particles, interpolator=network)

    return {
        "fv": ("finite volumes with fitted fluxes", lambda parts: jc.FiniteVolume()),
        "sipf": (
            "particles and field: cloud in cell, exposure, histospline",
            lambda parts: jc.ParticleField(parts.particles),
        ),
        "spectral": ("Fourier modes with exponential time differencing", lambda parts: jc.Spectral()),
        "nsipf": ("the same with a trained network as interpolator", neural),
        "sipf-paper": ("particles and field as in the paper: histogram, explicit, cubic spline", paper),
    }


def _method(name: str) -> Callable[[Parts], "AbstractMethod"]:
    from jaxchemo.experiments import nearest

    known = _methods()
    if name not in known:
        raise Refused(f"There is no method {name!r}. {nearest(name, list(known))}")
    return known[name][1]


def _experiment(name: str) -> "Experiment | Study":
    from jaxchemo.experiments import find

    try:
        return find(name)
    except ValueError as error:
        raise Refused(error) from error


def _is_simulation(experiment: "Experiment | Study") -> "TypeIs[Experiment]":
    from jaxchemo.experiments import Experiment

    return isinstance(experiment, Experiment)


def _folder(out: Path | None, name: str) -> Path:
    """The folder to write, created and found writable before anything is computed."""
    folder = Path("out") / name if out is None else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = f"cannot write to {str(folder)!r} ({error.strerror})"
        raise Refused(f"`--out`: {why}. Another folder would do.") from error
    return folder


def _write(folder: Path, summary: dict[str, Any]) -> None:
    text = json.dumps(summary, indent=2, ensure_ascii=False, default=float)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    # A pipe or a log has no width of its own: wide enough for the tables.
    return console if console.is_terminal else Console(width=110)


def _say_where(console: "Console", folder: Path) -> None:
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    console.print(f"Written to [bold]{folder}[/bold]: {files}", highlight=False)
