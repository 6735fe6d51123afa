"""A case of malformed input: source code, the exception expected, and a word of its message."""

from typing import NamedTuple

V, T = ValueError, TypeError


class Case(NamedTuple):
    """Source code that must raise `error`, with `word` in the message."""

    source: str
    error: type[Exception]
    word: str
