"""The command line: `jaxchemo list`, `jaxchemo run NAME`, `jaxchemo compare NAME`. Names live here, and only here."""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

# What is heavy (experiments, figures) is imported by the commands that need it, so that `--help` is quick.
if TYPE_CHECKING:
    from rich.console import Console

    from jaxchemo.experiments import Experiment, RecoverParameters
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
Dimensions = Annotated[int | None, _numbers("--ndim", int, "{2,3}", "2 or 3"), _PLAIN]
Cells = Annotated[tuple[int, ...] | None, _numbers("--shape", int, "INT [INT ...]", "whole numbers", "*"), _PLAIN]
Particles = Annotated[int | None, _numbers("--particles", int, "INT", "a whole number"), _PLAIN]
FinalTime = Annotated[float | None, _numbers("--t1", float, "FLOAT", "a number"), _PLAIN]
Step = Annotated[float | None, _numbers("--dt", float, "FLOAT", "a number"), _PLAIN]
Seed = Annotated[int | None, _numbers("--seed", int, "INT", "a whole number"), _PLAIN]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code: 0, 1 for a run that went wrong, 2 for input that is refused."""
    commands = {"list": list_experiments, "run": run, "compare": compare}
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
    """Lists experiments and methods."""
    from rich.table import Table

    from jaxchemo.experiments import EXPERIMENTS

    console = _console()
    table = Table("experiment", "what it shows", "dimensions", title="Experiments", title_justify="left")
    for one in EXPERIMENTS:
        table.add_row(one.name, one.title, "2" if _is_inference(one) else "2, 3")
    console.print(table)
    table = Table("method", "what it is", title="Methods", title_justify="left")
    for name, (about, _) in _methods().items():
        table.add_row(name, about)
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
) -> int:
    """Runs an experiment by one method, and leaves its solution, a summary and figures in a folder.

    Args:
        name: Name of the experiment; `jaxchemo list` shows them.
        method: Name of the method. Default: fv.
        out: Folder to write. Default: out/NAME.
        ndim: Dimensions of the space. Default: 3.
        shape: Cells of the grid, one number or one for each axis. Default: the experiment's.
        particles: Particles, for methods that have them. Default: the experiment's.
        t1: Final time. Default: the experiment's.
        dt: Time step. Default: the experiment's.
        seed: Of the random numbers. Default: 0.
    """
    experiment = _experiment(name)
    folder = _folder(out, name)
    if _is_inference(experiment):
        given = {"--method": method, "--ndim": ndim, "--particles": particles, "--t1": t1}
        for option in (option for option, value in given.items() if value is not None):
            raise Refused(f"`{option}` does not apply to {name!r}: it takes --shape, --dt, --seed and --out.")
        return _recover(experiment, folder, shape, dt, seed)
    return _simulate(experiment, [method or "fv"], folder, ndim, shape, particles, t1, dt, seed)


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
) -> int:
    """Runs an experiment by several methods and compares them, in a table and in figures.

    Args:
        name: Name of the experiment; `jaxchemo list` shows them.
        methods: Names of the methods, separated by commas; distances are to the first. Default: fv,sipf.
        out: Folder to write. Default: out/NAME.
        ndim: Dimensions of the space. Default: 3.
        shape: Cells of the grid, one number or one for each axis. Default: the experiment's.
        particles: Particles, for methods that have them. Default: the experiment's.
        t1: Final time. Default: the experiment's.
        dt: Time step. Default: the experiment's.
        seed: Of the random numbers. Default: 0.
    """
    experiment = _experiment(name)
    if _is_inference(experiment):
        raise Refused(f"{name!r} is an inference, not one run by several methods: `jaxchemo run {name}` would do.")
    chosen = list(dict.fromkeys(part.strip() for part in methods.split(",") if part.strip()))
    if not chosen:
        raise Refused(f"`--methods` must name at least one method, got {methods!r}.")
    return _simulate(experiment, chosen, _folder(out, name), ndim, shape, particles, t1, dt, seed)


def _simulate(experiment, names, folder, ndim, shape, particles, t1, dt, seed) -> int:
    ndim, seed = 3 if ndim is None else ndim, seed or 0
    from jaxchemo.experiments.figures import draw
    from jaxchemo.experiments.outcome import Outcome, describe, measure, surroundings
    from jaxchemo.integrate import SolveError
    from jaxchemo.plotting import comparison_table

    console = _console()
    outcomes = {}
    try:
        methods = {name: _method(name, particles or experiment.num_particles, particles) for name in names}
        problem = experiment.problem(ndim, shape)
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


def _recover(experiment, folder, shape, dt, seed) -> int:
    import dataclasses

    from jaxchemo.experiments.figures import draw_recovery
    from jaxchemo.experiments.outcome import surroundings

    console = _console()
    if shape is not None and len(set(shape)) > 1:
        raise Refused(f"`--shape` must be one number for {experiment.name!r}, got {shape}.")
    changes = {"cells": shape and shape[0], "dt": dt}
    experiment = dataclasses.replace(experiment, **{k: v for k, v in changes.items() if v is not None})
    console.print(f"[bold]{experiment.name}[/bold]: {experiment.title}")
    try:
        with console.status("recovering: compiling gradients through the simulation takes most of the time"):
            found = experiment.run(seed or 0)
    except (ValueError, TypeError) as error:
        raise Refused(error) from error
    named = {"experiment": experiment.name, "title": experiment.title, "parameters": dataclasses.asdict(experiment)}
    numbers = experiment.numbers(found)
    _write(folder, {**named, "seed": seed or 0, **numbers, **surroundings()})
    draw_recovery(experiment, found, folder / "recovery.png")
    for name, n in numbers["recovered"].items():
        console.print(f"{name:>12} {n['value']:.4g} ± {n['error']:.1g}   (truth {n['truth']:g}, guess {n['guess']:g})")
    for name in ("levenberg_marquardt", "nelder_mead"):
        simulations = numbers[name]["simulations"]
        console.print(f"{name.replace('_', '-'):>20}: {simulations} simulations to the same misfit")
    _say_where(console, folder)
    return 0


def _methods() -> dict[str, tuple[str, Callable[[int], "AbstractMethod"]]]:
    """What each method's name stands for, and how it is built for a number of particles."""
    import jaxchemo as jc

    def paper(particles: int) -> jc.ParticleField:
        return jc.ParticleField(particles, deposit_order=0, field=jc.Explicit(), interpolator=jc.CubicSpline())

    return {
        "fv": ("finite volumes with fitted fluxes", lambda particles: jc.FiniteVolume()),
        "sipf": ("particles and field: cloud in cell, exposure, histospline", jc.ParticleField),
        "sipf-paper": ("particles and field as in the paper: histogram, explicit, cubic spline", paper),
    }


def _method(name: str, particles: int, asked: int | None) -> "AbstractMethod":
    from jaxchemo.experiments import nearest

    known = _methods()
    if name not in known:
        raise Refused(f"There is no method {name!r}. {nearest(name, list(known))}")
    if asked is not None and asked < 1:
        raise Refused(f"`--particles` must be at least 1, got {asked}.")
    return known[name][1](particles)


def _experiment(name: str) -> "Experiment | RecoverParameters":
    from jaxchemo.experiments import find

    try:
        return find(name)
    except ValueError as error:
        raise Refused(error) from error


def _is_inference(experiment: Any) -> bool:
    from jaxchemo.experiments import RecoverParameters

    return isinstance(experiment, RecoverParameters)


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
