"""How far long work on the host is: a bar on a terminal, and a few plain lines in a pipe or a log."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

SECONDS = 2.0  # at least, between two lines that say how much is done

Report = Callable[[str], None]  # is told what begins now, in a few words


class Show(Protocol):
    """Says how much is done, and a few words beside it."""

    def __call__(self, done: int, note: str = "") -> None: ...


def silent(stage: str) -> None:
    """The `Report` that tells nobody."""


@contextlib.contextmanager
def bar(progress: bool | str, total: int | None, label: str) -> Iterator[Show]:
    """A function `show(done, note)` that says on stderr how much of `total` is done, and a few words beside it.

    On a terminal this is a bar (without rich: lines, as elsewhere). In a pipe or a log it is a line for each note while
    nothing is done yet, such as "compiling", and then one for every tenth, unless the work is done within seconds.

    **Arguments:**

    - `progress`: whether to show anything, or the text to show in place of `label`.
    - `total`: how much there is to do; `None` if that is not known: only what is being done is told then.
    - `label`: what the work is called.
    """
    label = progress if isinstance(progress, str) else label
    columns = None if progress is False else _columns(total)
    if progress is False:
        yield lambda done, note="": None
    elif columns is None:
        yield _Lines(label.strip(), total)
    else:
        from rich.console import Console
        from rich.progress import Progress

        with Progress(*columns, console=Console(stderr=True)) as shown:
            task = shown.add_task(label, total=total, note="")
            yield lambda done, note="": shown.update(task, completed=done, note=note)


@contextlib.contextmanager
def stages(label: str) -> Iterator[Report]:
    """A function that says on stderr what begins now, for work of which nobody knows how much there is."""
    with bar(True, None, label) as show:
        yield lambda stage: show(0, stage)


class _Lines:
    """What is done, line by line, of what takes longer than a moment."""

    def __init__(self, label: str, total: int | None):
        self._label, self._total = label, total
        self._note, self._tenth, self._last = "", 0, time.monotonic()

    def __call__(self, done: int, note: str = "") -> None:
        if done == 0 or self._total is None:
            if note not in ("", self._note):
                self._note = note
                self._say(note)
            return
        share, now = done / self._total, time.monotonic()
        if int(10 * share) > self._tenth and now - self._last > SECONDS:
            self._tenth = int(10 * share)
            self._say(f"{share:.0%}  {note}".rstrip())

    def _say(self, text: str) -> None:
        self._last = time.monotonic()
        print(f"{self._label}: {text}", file=sys.stderr, flush=True)


def _columns(total: int | None) -> tuple[Any, ...] | None:
    """The parts of a bar, or `None` where there is no terminal that could draw it, or no rich."""
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
    except ImportError:  # the bar is a comfort of the [cli] extra, not a need
        return None
    console = Console(stderr=True)
    if not (console.is_jupyter or (console.is_interactive and sys.stderr.isatty())):
        return None
    label, note = TextColumn("{task.description}"), TextColumn("{task.fields[note]}")
    if total is None:
        return SpinnerColumn(), label, TimeElapsedColumn(), note
    return label, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), note
