"""One progress bar for all long work on the host."""

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Show(Protocol):
    def __call__(self, done: int, note: str = "") -> None: ...


@contextlib.contextmanager
def bar(progress: bool | str, total: int, label: str) -> Iterator[Show]:
    """A function `show(done, note)` that says how much of `total` is done, and a few words beside it.

    `progress` is whether to show anything, or the text to show in place of `label`.
    """
    if progress is False:
        yield lambda done, note="": None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:  # the bar is a comfort of the [cli] extra, not a need
        yield lambda done, note="": None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True)) as shown:
        task = shown.add_task(progress if isinstance(progress, str) else label, total=total, note="")
        yield lambda done, note="": shown.update(task, completed=done, note=note)
