"""The options of the command line: how they are read, and refused in one line."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

LARGEST_SEED = 2**32 - 1  # beyond, two seeds would be the same one in single precision


class Refused(Exception):
    """Input that cannot be run, with a sentence that says why."""


class Failed(Exception):
    """A run that went wrong, with a sentence that says how."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(f"{message}; `{self.prog} --help` shows what there is.")


class _Option(argparse.Action):
    """An option that is given at most once, and read as a whole: `read(option, words)`."""

    def __init__(self, *args: Any, read: Callable[[str, list[str]], Any], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._read = read

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        name = option_string or str(self.metavar)
        if getattr(namespace, self.dest) is not None:
            raise Refused(f"`{name}` is given twice.")
        setattr(namespace, self.dest, self._read(name, values if isinstance(values, list) else [values]))


def _whole(
    least: int, most: int | None = None, what: str = "a whole number"
) -> Callable[[str, list[str]], tuple[int, ...]]:
    def read(option: str, words: list[str]) -> tuple[int, ...]:
        try:
            values = tuple(int(word) for word in words)
        except ValueError:
            raise Refused(f"`{option}` must be {what}, got {' '.join(words)!r}.") from None
        if not values:
            raise Refused(f"`{option}` must be {what}, got nothing.")
        for value in values:
            if value < least:
                raise Refused(f"`{option}` must be at least {least}, got {value}.")
            if most is not None and value > most:
                raise Refused(f"`{option}` must be at most {most}, got {value}.")
        return values

    return read


def _one(read: Callable[[str, list[str]], tuple[int, ...]]) -> Callable[[str, list[str]], int]:
    return lambda option, words: read(option, words)[0]


def _positive(option: str, words: list[str]) -> float:
    try:
        value = float(words[0])
    except ValueError:
        raise Refused(f"`{option}` must be a number, got {words[0]!r}.") from None
    if not math.isfinite(value):
        raise Refused(f"`{option}` must be finite, got {words[0]}.")
    if not value > 0:
        raise Refused(f"`{option}` must be positive, got {words[0]}.")
    return value


def _text(option: str, words: list[str]) -> str:
    if not words[0].strip() or "\0" in words[0]:
        raise Refused(f"`{option}` must not be empty, got {words[0]!r}.")
    return words[0]


def _path(option: str, words: list[str]) -> Path:
    return Path(_text(option, words))


_NAME = ("name", {"metavar": "NAME", "read": _text, "help": "which one; `jaxchemo list` shows them"})
_PLACE = [
    ("--out", {"metavar": "FOLDER", "read": _path, "help": "folder to write (default: out/NAME)"}),
    ("--seed", {"metavar": "INT", "read": _one(_whole(0, LARGEST_SEED)), "help": "of the random numbers (default: 0)"}),
]
_AGAIN = [
    (
        "--resume",
        {
            "action": "store_true",
            "help": "go on with the unfinished run in the folder; options that are not given are those it has",
        },
    ),
    ("--afresh", {"action": "store_true", "help": "discard an unfinished run in the folder, and begin"}),
]
_SIMULATION = [
    ("--ndim", {"metavar": "{1,2,3}", "read": _one(_whole(1, what="1, 2 or 3")), "help": "dimensions of the space"}),
    (
        "--shape",
        {
            "metavar": "INT",
            "nargs": "*",
            "read": _whole(1, what="whole numbers"),
            "help": "cells of the grid, one number or one for each axis",
        },
    ),
    ("--particles", {"metavar": "INT", "read": _one(_whole(1)), "help": "particles, for methods that have them"}),
    ("--t1", {"metavar": "FLOAT", "read": _positive, "help": "final time"}),
    ("--dt", {"metavar": "FLOAT", "read": _positive, "help": "time step"}),
    (
        "--network",
        {
            "metavar": "FILE",
            "read": _path,
            "help": "weights for nsipf, from `jaxchemo train` (default: those shipped for the dimension)",
        },
    ),
]
_METHOD = ("--method", {"metavar": "METHOD", "read": _text, "help": "name of the method (default: fv)"})
_METHODS = (
    "--methods",
    {
        "metavar": "METHOD,METHOD",
        "read": _text,
        "help": "names of the methods, separated by commas; distances are to the first (default: fv,sipf)",
    },
)
_EPOCHS = ("--epochs", {"metavar": "INT", "read": _one(_whole(1)), "help": "how long (default: the network's)"})

_COMMANDS = {
    "list": ("list experiments, methods and networks", []),
    "run": (
        "run an experiment by one method; leaves its solution, a summary and figures in a folder",
        [_NAME, _METHOD, *_PLACE, *_SIMULATION, *_AGAIN],
    ),
    "compare": (
        "run an experiment by several methods and compare them, in a table and in figures",
        [_NAME, _METHODS, *_PLACE, *_SIMULATION, *_AGAIN],
    ),
    "train": (
        "train a network; leaves its weights, how they were made, and the loss curve in a folder",
        [_NAME, *_PLACE, _EPOCHS, *_AGAIN],
    ),
}


def read(argv: Sequence[str] | None) -> tuple[str, dict[str, Any]]:
    """The command, and its options by name; `None` for what is not given.

    **Raises:** `Refused` for what cannot be read, `SystemExit` after help was shown.
    """
    parser = _Parser("jaxchemo", description="Chemotaxis in JAX: one problem, many methods.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for command, (about, options) in _COMMANDS.items():
        one = commands.add_parser(command, help=about, description=about.capitalize() + ".", allow_abbrev=False)
        for name, settings in options:
            one.add_argument(name, **({"action": _Option} | settings))
    options = vars(parser.parse_args(argv))
    if options.get("resume") and options.get("afresh"):
        raise Refused("`--resume` goes on with the unfinished run and `--afresh` discards it: give one of them.")
    return options.pop("command"), options
