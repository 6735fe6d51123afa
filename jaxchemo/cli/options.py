"""The options of the command line: how they are read, and refused in one line."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from jaxchemo.cli.errors import Refused
from jaxchemo.cli.words import Read, floats, only, path, text, whole

if TYPE_CHECKING:
    from jaxchemo.experiments import Experiment

LARGEST_SEED = 2**32 - 1  # beyond, two seeds would be the same one in single precision


class _Parser(argparse.ArgumentParser):
    """A parser that refuses in a sentence; `about` makes the last words of its help when they are asked for."""

    about: Callable[[], str] | None = None

    def error(self, message: str) -> NoReturn:
        raise Refused(f"{message}; `{self.prog} --help` shows what there is.")

    def format_help(self) -> str:
        self.epilog = None if self.about is None else self.about()
        return super().format_help()


class _Option(argparse.Action):
    """An option that is given at most once, and read as a whole: `read(option, words)`."""

    def __init__(self, *args: Any, read: Read, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._read = read

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        name = option_string or str(self.metavar)
        if getattr(namespace, self.dest) is not None:
            raise Refused(f"`{name}` is given twice.")
        setattr(namespace, self.dest, self._read(name, values if isinstance(values, list) else [values]))


Declared = tuple[str, dict[str, Any]]  # a flag, and what argparse is told of it

_NAME: Declared = ("name", {"metavar": "NAME", "read": text, "help": "which one; `jaxchemo list` shows them"})
_PLACE: list[Declared] = [
    ("--out", {"metavar": "FOLDER", "read": path, "help": "folder to write (default: out/NAME)"}),
    ("--seed", {"metavar": "INT", "read": only(whole(0, LARGEST_SEED)), "help": "of the random numbers (default: 0)"}),
]
_AGAIN: list[Declared] = [
    (
        "--resume",
        {
            "action": "store_true",
            "help": "go on with the unfinished run in the folder; options that are not given are those it has",
        },
    ),
    ("--afresh", {"action": "store_true", "help": "discard an unfinished run in the folder, and begin"}),
]
_METHOD: Declared = ("--method", {"metavar": "METHOD", "read": text, "help": "the method; those that apply are below"})
_METHODS: Declared = (
    "--methods",
    {
        "metavar": "METHOD,METHOD",
        "read": text,
        "help": "the methods, separated by commas; distances are to the first (default: two of those below)",
    },
)
_NETWORK: Declared = (
    "--network",
    {
        "metavar": "FILE",
        "read": path,
        "help": "weights for nsipf, from `jaxchemo train` (default: those shipped for the dimension)",
    },
)
_EPOCHS: Declared = (
    "--epochs",
    {"metavar": "INT", "read": only(whole(1)), "help": "how long (default: the network's)"},
)
_FIT: list[Declared] = [
    (
        "measurements",
        {
            "metavar": "MEASUREMENTS",
            "read": path,
            "help": "CSV file: time, x [, y, z], value, ...; or track, time_s, x_um, y_um [, z_um]",
        },
    ),
    (
        "--model",
        {"metavar": "NAME", "read": text, "help": "a named model, of those below; not for tracks"},
    ),
    ("--parameters", {"metavar": "FILE", "read": path, "help": "CSV file: name, prior, ... (default: wide priors)"}),
    ("--observables", {"metavar": "FILE", "read": path, "help": "CSV file: observable, of, noise, number"}),
    (
        "--box",
        {
            "metavar": "FLOAT",
            "nargs": "+",
            "read": floats,
            "help": "lower and upper end of the domain along each axis (default: half a spacing beyond the points)",
        },
    ),
    ("--cells", {"metavar": "INT", "read": only(whole(2)), "help": "along each axis (default: two for each place)"}),
    ("--dt", {"metavar": "FLOAT", "read": only(floats), "help": "time step (default: 400 of them)"}),
    (
        "--missing",
        {"action": "store_true", "help": "leave out values that are empty or NaN, which are refused otherwise"},
    ),
    ("--out", {"metavar": "FOLDER", "read": path, "help": "folder to write (default: out/ and the name of the file)"}),
]
_COMMANDS: dict[str, tuple[str, list[Declared]]] = {
    "list": ("list experiments, methods and networks", []),
    "run": ("run an experiment; leaves a summary and figures in a folder", [_NAME, *_PLACE, *_AGAIN]),
    "compare": (
        "run an experiment by several methods and compare them, in a table and in figures",
        [_NAME, *_PLACE, *_AGAIN],
    ),
    "fit": ("fit a model to measurements; leaves a report in HTML and a summary in a folder", _FIT),
    "train": (
        "train a network; leaves its weights, how they were made, and the loss curve in a folder",
        [_NAME, *_PLACE, _EPOCHS, *_AGAIN],
    ),
}


def read(argv: Sequence[str] | None) -> tuple[str, dict[str, Any]]:
    """The command, and its options by name; `None` for what is not given.

    **Raises:** `Refused` for what cannot be read, `SystemExit` after help was shown.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    experiment = _meant(words)
    while True:
        known, unknown = _parser(experiment).parse_known_args(words)
        options = vars(known)
        command = options.pop("command")
        if command not in ("run", "compare") or (experiment is not None and experiment.name == options["name"]):
            break
        experiment = _experiment(options["name"])  # an option's value, or nothing at all, looked like the name
    if unknown:
        _refuse(command, experiment, unknown)
    if options.get("resume") and options.get("afresh"):
        raise Refused("`--resume` goes on with the unfinished run and `--afresh` discards it: give one of them.")
    return command, options


def _meant(words: list[str]) -> "Experiment[Any] | None":
    """The experiment whose options the words most probably are: those of the first name among them."""
    if not words or words[0] not in ("run", "compare") or len(words) == 1 or words[1] in ("-h", "--help"):
        return None
    from jaxchemo.experiments import catalogue

    known = {experiment.name: experiment for experiment in catalogue.EXPERIMENTS}
    return next((known[word] for word in words[1:] if word in known), None)


def _experiment(name: str) -> "Experiment[Any]":
    from jaxchemo.experiments import find

    try:
        return find(name)
    except ValueError as error:
        raise Refused(error) from error


def _parser(experiment: "Experiment[Any] | None") -> argparse.ArgumentParser:
    """The parser, with the options of an experiment for the commands that take one."""
    parser = _Parser("jaxchemo", description="Chemotaxis in JAX: one problem, many methods.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for command, (about, declared) in _COMMANDS.items():
        sub = commands.add_parser(command, help=about, description=about.capitalize() + ".", allow_abbrev=False)
        _add(sub, declared)
        if command == "fit":
            sub.about = _models
        if command not in ("run", "compare"):
            continue
        if experiment is None:
            sub.about = lambda: "Every experiment has options of its own: `jaxchemo run NAME --help` shows them."
            continue
        sub.usage = f"jaxchemo {command} {experiment.name} [options]"
        sub.description = f"{experiment.title}. {experiment.description}"
        sub.about = lambda experiment=experiment: _methods_of(experiment)
        _add(sub.add_argument_group(f"options of {experiment.name}"), _options_of(experiment, command))
    return parser


def _add(parser: argparse._ActionsContainer, declared: list[Declared]) -> None:
    for name, settings in declared:
        told: dict[str, Any] = {"action": _Option, **settings}
        parser.add_argument(name, **told)


def _options_of(experiment: "Experiment[Any]", command: str) -> list[Declared]:
    from jaxchemo.cli.fields import declared
    from jaxchemo.experiments import Posed, Simulation

    method = [_METHOD if command == "run" else _METHODS] if isinstance(experiment, Posed) else []
    return [*method, *declared(experiment), *([_NETWORK] if isinstance(experiment, Simulation) else [])]


def _methods_of(experiment: "Experiment[Any]") -> str:
    """Which methods there are for an experiment, in a sentence for its help."""
    from jaxchemo.cli.methods import solving
    from jaxchemo.experiments import Simulation

    names = solving(experiment)
    if not names:
        return "It makes its own runs: there is no method to choose."
    default = names[0] if isinstance(experiment, Simulation) else "none, and the experiment makes its own runs"
    return f"Methods that solve it: {', '.join(names)} (default of --method: {default})."


def _models() -> str:
    """Which models can be fitted, in a sentence for the help."""
    from jaxchemo.cli.laws import laws

    return f"Models: {', '.join(laws())}."


def _refuse(command: str, experiment: "Experiment[Any] | None", unknown: list[str]) -> NoReturn:
    """Says of words that no option takes whether another experiment would."""
    flag, program = unknown[0].split("=")[0], f"jaxchemo {command}"
    if experiment is not None:
        from jaxchemo.experiments import EXPERIMENTS

        program += f" {experiment.name}"
        others = {name for other in EXPERIMENTS for name, _ in _options_of(other, command)}
        if flag in others:
            have = ", ".join(name for name, _ in _options_of(experiment, command))
            raise Refused(f"`{flag}` does not apply to {experiment.name!r}, which has {have}.")
    raise Refused(f"unrecognized arguments: {' '.join(unknown)}; `{program} --help` shows what there is.")
