"""Words of a command line, read as numbers, texts and paths, or refused in a sentence."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxchemo.cli.errors import Refused

Read = Callable[[str, list[str]], Any]
"""Takes the name of an option and its words, and gives the value, or raises `Refused`."""


def text(option: str, words: list[str]) -> str:
    """A word that says something.

    **Raises:** `Refused` for an empty one.
    """
    if not words[0].strip() or "\0" in words[0]:
        raise Refused(f"`{option}` must not be empty, got {words[0]!r}.")
    return words[0]


def path(option: str, words: list[str]) -> Path:
    """A path of a file or a folder.

    **Raises:** `Refused` for an empty one.
    """
    return Path(text(option, words))


def integers(option: str, words: list[str], what: str = "whole numbers") -> tuple[int, ...]:
    """One or several integers.

    **Raises:** `Refused` for other words, or none.
    """
    try:
        values = tuple(int(word) for word in words)
    except ValueError:
        raise Refused(f"`{option}` must be {what}, got {' '.join(words)!r}.") from None
    if not values:
        raise Refused(f"`{option}` must be {what}, got nothing.")
    return values


def floats(option: str, words: list[str], what: str = "numbers") -> tuple[float, ...]:
    """One or several finite numbers.

    **Raises:** `Refused` for other words, or none.
    """
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        raise Refused(f"`{option}` must be {what}, got {' '.join(words)!r}.") from None
    if not values:
        raise Refused(f"`{option}` must be {what}, got nothing.")
    for word, value in zip(words, values, strict=True):
        if not math.isfinite(value):
            raise Refused(f"`{option}` must be finite, got {word}.")
    return values


def whole(least: int, most: int | None = None) -> Callable[[str, list[str]], tuple[int, ...]]:
    """Integers between two, both included.

    **Raises:** when it reads, `Refused` for others.
    """

    def read(option: str, words: list[str]) -> tuple[int, ...]:
        values = integers(option, words, "a whole number")
        for value in values:
            if value < least:
                raise Refused(f"`{option}` must be at least {least}, got {value}.")
            if most is not None and value > most:
                raise Refused(f"`{option}` must be at most {most}, got {value}.")
        return values

    return read


def only(read: Callable[[str, list[str]], tuple[Any, ...]]) -> Read:
    """The only value of an option that takes one word."""
    return lambda option, words: read(option, words)[0]
