"""The options of an experiment on the command line, made of the fields of its dataclass."""

import dataclasses
import types
import typing
from typing import Any

from jaxchemo.cli.errors import Refused
from jaxchemo.cli.words import Read, floats, integers
from jaxchemo.experiments import Experiment, options


def flag(name: str) -> str:
    """The option on the command line that is the field of this name."""
    return f"--{name.replace('_', '-')}"


def declared(experiment: Experiment[Any]) -> list[tuple[str, dict[str, Any]]]:
    """What argparse is told of each field: how it is read and checked, its unit and its default.

    **Raises:** `TypeError` for a field of a type that no words of a command line make.
    """
    hints = typing.get_type_hints(type(experiment))
    made = []
    for name, option in options(experiment).items():
        metavar, nargs, read = _reader(name, hints[name])
        unit = f" [{option.unit}]" if option.unit else ""
        default = getattr(experiment, name)
        taken = getattr(experiment, option.otherwise) if default is None else default
        about = f"{option.about}{unit} (default: {_said(taken)})".replace("%", "%%")
        settings = {"dest": name, "metavar": metavar, "read": _checked(read, option.check), "help": about}
        made.append((flag(name), settings | ({"nargs": nargs} if nargs else {})))
    return made


def configured(experiment: Experiment[Any], given: dict[str, Any]) -> Experiment[Any]:
    """The experiment with the options that are given, `None` for those that are not.

    **Raises:** as `Experiment`.
    """
    names = options(experiment)
    return dataclasses.replace(experiment, **{n: given[n] for n in names if given.get(n) is not None})


def _checked(read: Read, check: Any) -> Read:
    def read_and_check(option: str, words: list[str]) -> Any:
        value = read(option, words)
        try:
            return check(option, value)
        except (ValueError, TypeError, OverflowError) as error:
            raise Refused(error) from error

    return read_and_check


def _reader(name: str, hint: Any) -> tuple[str, str | None, Read]:
    """What stands for the value, how many words it has, and how they are read, for the type of a field."""
    if isinstance(hint, types.UnionType):  # T | None
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    if hint is int:
        return "INT", None, lambda option, words: integers(option, words, "a whole number")[0]
    if hint is float:
        return "FLOAT", None, lambda option, words: floats(option, words, "a number")[0]
    parts = typing.get_args(hint) if typing.get_origin(hint) is tuple else ()
    if parts == (int, ...):
        return "INT", "*", integers
    if parts and set(parts) <= {float, int, ...}:
        return "FLOAT", "*", lambda option, words: _mixed(option, floats(option, words), parts)
    raise TypeError(
        f"`{name}` is of the type {hint}, which the command line does not read: int, float or tuples would do."
    )


def _mixed(option: str, values: tuple[float, ...], kinds: tuple[Any, ...]) -> tuple[float | int, ...]:
    """The values, as integers where the type says so."""
    if kinds[-1] is ... or len(kinds) != len(values):  # the check says how many there must be
        return values
    for value, kind in zip(values, kinds, strict=True):
        if kind is int and value != int(value):
            raise Refused(f"`{option}` must end with a whole number, got {value:g}.")
    return tuple(kind(value) for value, kind in zip(values, kinds, strict=True))


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_said, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
