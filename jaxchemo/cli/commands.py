"""The commands: what each does, in what order, and what it says."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jaxchemo import _progress
from jaxchemo.cli.folder import Options, Place, Results, results
from jaxchemo.cli.limits import check_memory, check_steps, need
from jaxchemo.cli.methods import Parts, find_methods, known_methods
from jaxchemo.cli.options import Failed, Refused

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import TypeIs

    from jaxchemo.experiments import Experiment, Study


def list_all() -> None:
    """Lists experiments, methods and networks."""
    need("rich")
    from rich.table import Table

    from jaxchemo.experiments import EXPERIMENTS
    from jaxchemo.nn import RECIPES

    console = _console()
    table = Table("experiment", "what it shows", "dimensions", title="Experiments", title_justify="left")
    for one in EXPERIMENTS:
        table.add_row(one.name, one.title, ", ".join(map(str, one.dimensions)))
    console.print(table)
    table = Table("method", "what it is", title="Methods", title_justify="left")
    for name, one in known_methods().items():
        table.add_row(name, one.about)
    console.print(table)
    table = Table("network", "what it is", "dimensions", title="Networks", title_justify="left")
    for recipe in RECIPES:
        table.add_row(recipe.name, recipe.title, str(recipe.ndim))
    console.print(table)


def run(place: Place, given: Options) -> None:
    """Runs an experiment by one method, and leaves its solution, a summary and figures in a folder."""
    experiment, method = _experiment(place.name), given.pop("method")
    if _is_simulation(experiment):
        return _simulate(experiment, place, {"methods": None if method is None else [method], **given}, ["fv"])
    unused = {"method": method, **{option: given.pop(option) for option in ("ndim", "particles", "t1", "network")}}
    for option in (option for option, value in unused.items() if value is not None):
        raise Refused(f"`--{option}` does not apply to {place.name!r}: it takes --shape, --dt, --seed and --out.")
    return _study(experiment, place, given)


def compare(place: Place, given: Options) -> None:
    """Runs an experiment by several methods and compares them, in a table and in figures."""
    experiment, names = _experiment(place.name), given["methods"]
    if not _is_simulation(experiment):
        alone = f"jaxchemo run {place.name}"
        raise Refused(f"{place.name!r} makes its own runs, and is not one run by several methods: `{alone}` would do.")
    if names is not None:
        given["methods"] = [*dict.fromkeys(part.strip() for part in names.split(",") if part.strip())]
        if not given["methods"]:
            raise Refused(f"`--methods` must name at least one method, got {names!r}.")
    return _simulate(experiment, place, given, ["fv", "sipf"])


def train(place: Place, given: Options) -> None:
    """Trains a network, and leaves its weights, how they were made, and the loss curve in a folder."""
    need("rich", "matplotlib")
    from jaxchemo import nn, plotting
    from jaxchemo.experiments import nearest
    from jaxchemo.experiments.outcome import surroundings

    name, recipes = place.name, {recipe.name: recipe for recipe in nn.RECIPES}
    if name not in recipes:
        raise Refused(f"There is no network {name!r}. {nearest(name, [*recipes])}")

    def complete(given: Options) -> Options:
        return _filled(given, {"seed": 0, "epochs": recipes[name].epochs})

    with results(place, given, complete) as made, _refusing(place):
        seed, recipe = made.options["seed"], dataclasses.replace(recipes[name], epochs=made.options["epochs"])
        console = _begin(place, made, recipe.title)
        clock = time.perf_counter()
        trained = nn.train(recipe, seed=seed, checkpoint=made.checkpoint("training"), progress=True)
        record = {
            "title": recipe.title,
            "recipe": dataclasses.asdict(recipe),
            "seed": seed,
            "metrics": {measure: values[-1] for measure, values in trained.history.items()},
            "start": trained.start,
            "seconds": None if made.resumed else round(time.perf_counter() - clock, 1),
            **surroundings(),
            "history": trained.history,
        }
        nn.save(made.new / name, trained.interpolator, **record)
        figure = plotting.training(trained.history, trained.start, title=f"{name}: {recipe.title}")
        figure.savefig(made.new / "loss.png")
    for measure, value in record["metrics"].items():
        before = f"   (before training {trained.start[measure]:.4g})" if measure in trained.start else ""
        console.print(f"{measure:>12} {value:.4g}{before}")
    _say_where(console, place)


def _simulate(experiment: "Experiment", place: Place, given: Options, default: list[str]) -> None:
    need("rich", "zarr", "matplotlib", "imageio")
    from jaxchemo.experiments.figures import draw
    from jaxchemo.experiments.outcome import Outcome, describe, measure, surroundings
    from jaxchemo.plotting import comparison_table

    def complete(given: Options) -> Options:
        with _refusing(place):
            return _all_options(experiment, given, default)

    outcomes: dict[str, Outcome] = {}
    with results(place, given, complete) as made, _refusing(place):
        options = made.options
        ndim, shape, seed = options["ndim"], tuple(options["shape"]), options["seed"]
        parts = Parts(options["particles"], ndim, options["network"] and Path(options["network"]))
        problem = experiment.problem(ndim, shape, seed)
        methods = {name: one.build(parts) for name, one in find_methods(options["methods"]).items()}
        console = _begin(place, made, f"{experiment.title}, in {ndim}D")
        console.print(problem.model.equations(), style="cyan", highlight=False)
        for name, method in methods.items():
            store = made.store("solution.zarr" if len(methods) == 1 else f"solution_{name}.zarr")
            solution = experiment.solve(
                method,
                ndim=ndim,
                shape=shape,
                t1=options["t1"],
                dt=options["dt"],
                seed=seed,
                store=store,
                checkpoint=made.checkpoint(name),
                resume=True,
                overwrite=True,
                progress=f"{name:>10}",
            )
            outcomes[name] = Outcome(problem, method, solution)
        runs = measure(outcomes)
        with _progress.stages(experiment.name) as report:
            draw(experiment, problem, {name: one.solution for name, one in outcomes.items()}, made.new, report)
        numbers = {"runs": runs} if len(runs) > 1 else next(iter(runs.values()))
        about = {**describe(experiment, problem), "ndim": ndim, "seed": seed, "resumed": made.resumed}
        made.summarise({**about, **numbers, **surroundings()})
    console.print(comparison_table(runs))
    _say_where(console, place)


def _all_options(experiment: "Experiment", given: Options, default: list[str]) -> Options:
    """Every option of a simulation, as it will be run, after a look at each."""
    from jaxchemo import nn

    named = find_methods(given["methods"] or default)
    particles, network = given["particles"], given["network"]
    if not any(one.particles for one in named.values()):
        if particles is not None:
            raise Refused(f"`--particles` does not apply to {', '.join(named)}: it has none.")
    elif particles is None:
        particles = experiment.num_particles
    if network is not None:
        if "nsipf" not in named:
            raise Refused("`--network` is for the method nsipf, which is not among those chosen.")
        nn.load(network)
    shape = experiment.shape(given["ndim"], given["shape"])
    ndim, t1 = len(shape), given["t1"] or experiment.t1
    check_memory(ndim * (particles or 0), "--particles")
    check_memory(2 * math.prod(shape), "--shape")  # a density and a signal
    dt = given["dt"] or experiment.step(ndim, shape, t1)
    check_steps(t1, dt)
    check_memory(2 * math.prod(shape) * round(min(experiment.frames, t1 / dt) + 1), "--shape")
    numbers = {"ndim": ndim, "shape": shape, "particles": particles, "t1": t1, "dt": dt, "seed": given["seed"] or 0}
    return {"methods": [*named], **numbers, "network": network}


def _study(study: "Study", place: Place, given: Options) -> None:
    need("rich", "matplotlib", "imageio")
    from jaxchemo.experiments.outcome import surroundings

    shape = given["shape"]
    if shape is not None and len(set(shape)) > 1:
        raise Refused(f"`--shape` must be one number for {study.name!r}, got {' '.join(map(str, shape))}.")

    def complete(given: Options) -> Options:
        return _filled(given, {"shape": [study.cells], "dt": study.dt, "seed": 0})

    with results(place, given, complete) as made, _refusing(place):
        cells, dt, seed = made.options["shape"][0], made.options["dt"], made.options["seed"]
        check_memory(cells**study.axes, "--shape")
        study = study.resized(cells, dt)
        console = _begin(place, made, study.title)
        with _progress.stages(study.name) as report:
            found = study.run(seed, report)
            report("drawing")
            study.draw(found, made.new)
        named = {"experiment": study.name, "title": study.title, "parameters": dataclasses.asdict(study)}
        made.summarise({**named, "seed": seed, **study.numbers(found), **surroundings()})
    for line in study.lines(found):
        console.print(line)
    _say_where(console, place)


@contextlib.contextmanager
def _refusing(place: Place) -> Iterator[None]:
    """Turns what goes wrong in a run into one sentence: what is refused, and what failed."""
    import jax

    from jaxchemo.integrate import SolveError
    from jaxchemo.io import CheckpointError, StoreError

    try:
        yield
    except (SolveError, FloatingPointError) as error:
        raise Failed(error) from error
    except CheckpointError as error:
        raise Refused(
            f"`--out`: the unfinished run in {str(place.folder)!r} cannot be gone on with, as its state is damaged or "
            "was written by other versions: `--afresh` discards it."
        ) from error
    except StoreError:
        raise  # of the folder
    except MemoryError as error:
        raise Refused(_TOO_LARGE) from error
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise Refused(_TOO_LARGE) from error
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise Refused(error) from error


_TOO_LARGE = "there is not enough memory for that: a smaller `--shape` or fewer `--particles` would do."


def _filled(given: Options, defaults: Options) -> Options:
    return {name: defaults[name] if value is None else value for name, value in given.items()}


def _experiment(name: str) -> "Experiment | Study":
    from jaxchemo.experiments import find

    try:
        return find(name)
    except ValueError as error:
        raise Refused(error) from error


def _is_simulation(experiment: "Experiment | Study") -> "TypeIs[Experiment]":
    from jaxchemo.experiments import Experiment

    return isinstance(experiment, Experiment)


def _begin(place: Place, made: Results, title: str) -> "Console":
    """Says what begins, or goes on."""
    console = _console()
    console.print(f"{place.name}: {title}")
    if made.resumed:
        console.print(f"going on with the unfinished run in {str(place.folder)!r}", highlight=False)
    return console


def _console() -> "Console":
    from rich.console import Console

    console = Console(markup=False)  # what stands in brackets is a unit or a name, and no style
    # A pipe or a log has no width of its own: wide enough for the tables.
    return console if console.is_terminal else Console(width=110, markup=False)


def _say_where(console: "Console", place: Place) -> None:
    files = ", ".join(sorted(path.name for path in place.folder.iterdir() if not path.name.startswith(".")))
    console.print(f"Written to {place.folder}: {files}", highlight=False)


COMMANDS: dict[str, Callable[[Place, Options], None]] = {"run": run, "compare": compare, "train": train}
