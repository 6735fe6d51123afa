"""The commands: what each does, in what order, and what it says."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxchemo import _progress
from jaxchemo.cli.errors import Failed, Refused
from jaxchemo.cli.fields import configured, flag
from jaxchemo.cli.folder import Options, Place, Results, results
from jaxchemo.cli.limits import check_memory, check_steps, need
from jaxchemo.cli.methods import NETWORK, find_methods, known_methods, solving

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from jaxchemo.experiments import Experiment, Posed
    from jaxchemo.problem import Problem


def list_all() -> None:
    """Lists experiments, methods and networks.

    **Raises:** `Refused` where the extra [cli] is missing.
    """
    need("rich")
    from rich.table import Table

    from jaxchemo.experiments import EXPERIMENTS
    from jaxchemo.nn import RECIPES

    console = _console()
    table = Table("experiment", "what it shows", "dimensions", title="Experiments", title_justify="left")
    for experiment in EXPERIMENTS:
        table.add_row(experiment.name, experiment.title, ", ".join(map(str, experiment.dimensions)))
    console.print(table)
    table = Table("method", "what it is", title="Methods", title_justify="left")
    for name, method in known_methods().items():
        table.add_row(name, method.about)
    console.print(table)
    table = Table("network", "what it is", "dimensions", title="Networks", title_justify="left")
    for recipe in RECIPES:
        table.add_row(recipe.name, recipe.title, str(recipe.ndim))
    console.print(table)


def run(place: Place, given: Options) -> None:
    """Runs an experiment, or has its problem solved by a method; leaves a summary and figures in a folder.

    **Raises:** `Refused` for options or a folder that cannot be taken; `Failed` if the run goes wrong.
    """
    from jaxchemo.experiments import Simulation, find

    experiment, method = find(place.name), given.pop("method", None)
    methods = None if method is None else [method]
    _perform(experiment, place, {"methods": methods, **given}, int(isinstance(experiment, Simulation)))


def compare(place: Place, given: Options) -> None:
    """Has the problem of an experiment solved by several methods, and compares them in a table and in figures.

    **Raises:** as `run`; `Refused` for an experiment that states no single problem.
    """
    from jaxchemo.experiments import Posed, find

    experiment, names = find(place.name), given.get("methods")
    if not isinstance(experiment, Posed):
        alone = f"jaxchemo run {place.name}"
        raise Refused(f"{place.name!r} makes its own runs, and is not one run by several methods: `{alone}` would do.")
    if names is not None:
        given["methods"] = [*dict.fromkeys(part.strip() for part in names.split(",") if part.strip())]
        if not given["methods"]:
            raise Refused(f"`--methods` must name at least one method, got {names!r}.")
    _perform(experiment, place, given, 2)


def train(place: Place, given: Options) -> None:
    """Trains a network, and leaves its weights, how they were made, and the loss curve in a folder.

    **Raises:** as `run`; `Refused` for a name that no network has.
    """
    need("rich", "matplotlib")
    from jaxchemo import nn, plotting
    from jaxchemo.experiments import nearest
    from jaxchemo.experiments.outcome import surroundings

    name, recipes = place.name, {recipe.name: recipe for recipe in nn.RECIPES}
    if name not in recipes:
        raise Refused(f"There is no network {name!r}. {nearest(name, [*recipes])}")

    def complete(given: Options) -> Options:
        return _filled(given, {"seed": 0, "epochs": recipes[name].epochs})

    with results(place, given, complete) as made, refusing(place):
        seed, recipe = made.options["seed"], dataclasses.replace(recipes[name], epochs=made.options["epochs"])
        console = begin(place, made, recipe.title)
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
    say_where(console, place)


def _perform(experiment: "Experiment[Any]", place: Place, given: Options, most: int) -> None:
    """Runs an experiment: by methods of its own, or by those that are given; by default by `most` that solve it."""
    need("rich", "matplotlib", "imageio", *(["zarr"] if most or given.get("methods") else []))
    from jaxchemo.experiments import Posed
    from jaxchemo.experiments.outcome import describe, surroundings

    def complete(given: Options) -> Options:
        with refusing(place):
            return _all_options(experiment, given, most)

    with results(place, given, complete) as made, refusing(place):
        experiment, seed = configured(experiment, made.options), made.options["seed"]
        console = begin(place, made, experiment.title)
        if made.options["methods"]:
            assert isinstance(experiment, Posed)
            numbers, table = _solve(experiment, place, made, console)
        else:
            with _progress.stages(experiment.name) as report:
                outcome = experiment.run(seed, report)
                report("drawing")
                experiment.draw(outcome, made.new)
            numbers, table = experiment.numbers(outcome), "\n".join(experiment.lines(outcome))
        made.summarise({**describe(experiment, seed), **numbers, "resumed": made.resumed, **surroundings()})
    console.print(table)
    say_where(console, place)


def _solve(experiment: "Posed", place: Place, made: Results, console: "Console") -> "tuple[Options, Table]":
    """Has the problem solved by each method and draws it: what there is for the summary, and a table to print."""
    from jaxchemo.experiments.figures import draw
    from jaxchemo.experiments.outcome import Outcome, measure
    from jaxchemo.plotting import comparison_table

    options, seed = made.options, made.options["seed"]
    network = None if options["network"] is None else Path(options["network"])
    problem, named = experiment.problem(seed), find_methods(options["methods"], experiment)
    console.print(f"in {problem.domain.ndim}D, by {', '.join(named)}:")
    console.print(_equations(problem), style="cyan", highlight=False)
    outcomes: dict[str, Outcome] = {}
    for name, method in {name: chosen.build(experiment, network) for name, chosen in named.items()}.items():
        solution = experiment.solve(
            method,
            seed=seed,
            store=made.store("solution.zarr" if len(named) == 1 else f"solution_{name}.zarr"),
            checkpoint=made.checkpoint(name),
            resume=True,
            overwrite=True,
            progress=f"{name:>10}",
        )
        outcomes[name] = Outcome(problem, method, solution)
    runs = measure(outcomes)
    with _progress.stages(place.name) as report:
        draw(experiment, outcomes, made.new, report)
    numbers = {"runs": runs} if len(runs) > 1 else next(iter(runs.values()))
    about = {"equations": _equations(problem).splitlines(), "domain": repr(problem.domain), "ndim": problem.domain.ndim}
    return about | numbers, comparison_table(runs)


def _all_options(experiment: "Experiment[Any]", given: Options, most: int) -> Options:
    """Every option of a run, as it will be, after a look at each."""
    from jaxchemo.experiments import Posed, Simulation, options

    experiment = configured(experiment, given)
    values = dataclasses.asdict(experiment)
    for option, size in experiment.sizes.items():
        check_memory(size, flag(option))
    if isinstance(experiment, Simulation):
        check_steps(experiment.t1, experiment.step)
    elif {"t1", "dt"} <= values.keys():
        check_steps(values["t1"], values["dt"])
    names = given.get("methods") or solving(experiment)[:most]
    network, named = given.get("network"), {}
    if isinstance(experiment, Posed):
        named = find_methods(names, experiment)
    if network is not None:
        from jaxchemo import nn

        if NETWORK not in named:
            raise Refused(f"`--network` is for the method {NETWORK}, which is not among those chosen.")
        nn.load(Path(network))
    if named:
        of_methods = {option for method in known_methods().values() for option in method.uses} & values.keys()
        for option in sorted(of_methods - {option for method in named.values() for option in method.uses}):
            if given.get(option) is not None:
                raise Refused(f"`{flag(option)}` does not apply to {', '.join(named)}: it has no use for it.")
            values[option] = None
        for option in (option for option, declared in options(experiment).items() if declared.own_run):
            if given.get(option) is not None:
                raise Refused(f"`{flag(option)}` is for the experiment's own runs: without `--method` it would do.")
            values[option] = None
    return {"methods": [*named], **values, "seed": given["seed"] or 0, "network": network}


@contextlib.contextmanager
def refusing(place: Place) -> Iterator[None]:
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


_TOO_LARGE = "there is not enough memory for that: a smaller `--shape` or fewer particles would do."


def _filled(given: Options, defaults: Options) -> Options:
    return {name: defaults[name] if value is None else value for name, value in given.items()}


def _equations(problem: "Problem") -> str:
    """What is solved, as text."""
    return problem.model.equations()


def begin(place: Place, made: Results, title: str) -> "Console":
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


def say_where(console: "Console", place: Place) -> None:
    """Says what is in the folder now."""
    files = ", ".join(sorted(path.name for path in place.folder.iterdir() if not path.name.startswith(".")))
    console.print(f"Written to {place.folder}: {files}", highlight=False)


COMMANDS: dict[str, Callable[[Place, Options], None]] = {"run": run, "compare": compare, "train": train}
