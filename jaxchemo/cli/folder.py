"""The folder of results: new ones are made beside the old ones, and take their place when they are complete."""

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxchemo.cli.errors import Failed, Refused
from jaxchemo.cli.interrupt import Interruption
from jaxchemo.io.claim import claimed
from jaxchemo.io.errors import StoreError
from jaxchemo.io.store import check_ours

_MARK = "jaxchemo run 1"
_PICTURES = (".png", ".gif")

Options = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a command writes, and what is to become of an unfinished run there.

    **Fields:**

    - `command`, `name`: what is run.
    - `folder`: of the results.
    - `resume`, `afresh`: go on with an unfinished run in it, or discard it.
    - `interruption`: is told what there is to say if it ends early.
    """

    command: str
    name: str
    folder: Path
    resume: bool
    afresh: bool
    interruption: Interruption


class Results:
    """Results that are being made.

    They grow in the hidden folder `.unfinished` of the folder of results, beside the state of the runs that make them.
    An interrupted run leaves it there, and it can be gone on with.

    **Fields:**

    - `options`: of the command, all of them.
    - `resumed`: whether an unfinished run is gone on with.
    - `new`: folder for the results.
    """

    def __init__(self, place: Place, options: Options, resumed: bool):
        self._place, self._folder = place, place.folder
        self.options, self.resumed = options, resumed
        self.new = _unfinished(place.folder) / "results"

    def checkpoint(self, name: str) -> Path:
        """The file for the state of a run."""
        return _unfinished(self._folder) / f"{name}.checkpoint"

    def store(self, name: str) -> Path:
        """The folder for a store, which will replace the one that the old results have, if that is one of ours.

        **Raises:** `StoreError` if it is not.
        """
        if (self._folder / name).exists():
            check_ours(self._folder / name)
        return self.new / name

    def summarise(self, summary: dict[str, Any]) -> None:
        """Writes the summary, after everything else: with the names of all that is there."""
        files = sorted({path.name for path in _visible(self.new)} | {"summary.json"})
        text = json.dumps({**summary, "files": files}, indent=2, ensure_ascii=False, default=float)
        (self.new / "summary.json").write_text(text + "\n", encoding="utf-8")

    def interrupted(self) -> str:
        """What there is to say when it ends early."""
        if _finished(self._folder).exists():
            return "interrupted; the results are complete, and the next command in the folder moves them into place."
        if not _checkpoints(self._folder):
            return "interrupted before there was anything to keep; what the folder held before is as it was."
        again = _again(self._place.command, self._place.name, self._folder)
        return f"interrupted; what is done is kept in {str(_unfinished(self._folder))!r}, and `{again}` goes on."


@contextlib.contextmanager
def results(place: Place, given: Options, complete: Callable[[Options], Options]) -> Iterator[Results]:
    """Results, from options of which `given` are on the command line (`None`: not) and `complete` makes all there are.

    When the context ends well, they are put into place.

    **Raises:** `Refused` if the folder cannot be written, holds what is not ours under a name of ours, or an unfinished
    run that is not this one.
    """
    folder = place.folder
    _check_writable(folder)
    unfinished = _unfinished(folder)
    with _refusing(), claimed(unfinished):
        _put_into_place(folder)
        there = _record(folder)
        if place.resume and there is None:
            raise Refused(f"`--resume`: there is no unfinished run in {str(folder)!r}; without `--resume` one begins.")
        if place.resume and (there["command"], there["name"]) == (place.command, place.name):
            given = {key: there["options"].get(key) if value is None else value for key, value in given.items()}
        record = {"jaxchemo": _MARK, "command": place.command, "name": place.name, "options": complete(given)}
        record = json.loads(json.dumps(record, default=str))
        if there is not None and there != record and not place.afresh:
            raise Refused(_other(folder, there, record))
        made = Results(place, record["options"], resumed=there is not None and not place.afresh)
        place.interruption.sentence = made.interrupted
        try:
            if not made.resumed:
                _clear(unfinished)
                made.new.mkdir(parents=True)
                (unfinished / "run.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
            yield made
        except Failed:
            for file in _checkpoints(folder):
                file.unlink()  # nobody goes on from there; what was computed before stays to be looked at
            raise
        except BaseException:
            if not _checkpoints(folder):
                _clear(unfinished)
            raise
        # One rename makes the results complete; what comes after it, the next command can do if this one is killed.
        os.rename(unfinished, _finished(folder))
        _put_into_place(folder)
        place.interruption.sentence = lambda: "interrupted; the results are complete."


def _unfinished(folder: Path) -> Path:
    return folder / ".unfinished"


def _finished(folder: Path) -> Path:
    """Results that are complete, on their way to where they belong."""
    return folder / ".finished"


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _checkpoints(folder: Path) -> list[Path]:
    return list(_unfinished(folder).glob("*.checkpoint"))


def _record(folder: Path) -> Any:
    """Which run is unfinished; `None` if there is none that could be gone on with."""
    unfinished = _unfinished(folder)
    if not unfinished.exists():
        return None
    try:
        record = json.loads((unfinished / "run.json").read_text(encoding="utf-8"))
        ours = record["jaxchemo"] == _MARK and {"command", "name", "options"} <= record.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        ours, record = False, None
    if not ours and all(path.is_dir() or path.name == "run.json" for path in unfinished.rglob("*")):
        return None  # killed before it had begun
    if not ours:
        raise Refused(f"`--out`: {str(unfinished)!r} is there and was not made by jaxchemo. Another folder would do.")
    return record if _checkpoints(folder) else None


def _clear(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _put_into_place(folder: Path) -> None:
    """Moves complete results to where they belong. Cut off, it is done by the next command in the folder."""
    done = _finished(folder)
    new = done / "results"
    if not new.exists():
        return _clear(done)
    for name in _stale(folder, new):
        (folder / name).unlink(missing_ok=True)
    for path in sorted(_visible(new), key=lambda path: path.name == "summary.json"):
        target = folder / path.name
        if target.is_dir():
            try:
                check_ours(target)
            except StoreError as error:
                raise Refused(
                    f"`--out`: the results are complete, in {str(new)!r}, but one is in the way: {error}"
                ) from error
            (done / "old").mkdir(exist_ok=True)
            os.rename(target, done / "old" / path.name)
        os.replace(path, target)
    _clear(done)


def _stale(folder: Path, new: Path) -> list[str]:
    """Pictures of the old results that the new ones do not have: they would stand beside numbers of another run."""
    names = _listed(folder) - _listed(new) if (new / "summary.json").exists() else set()
    return [name for name in names if Path(name).name == name and name.endswith(_PICTURES)]


def _listed(folder: Path) -> set[str]:
    """The files that belong to a summary."""
    try:
        return set(map(str, json.loads((folder / "summary.json").read_text(encoding="utf-8"))["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _other(folder: Path, there: Any, asked: Any) -> str:
    """Why an unfinished run is not gone on with, and what would do."""
    again = _again(there["command"], there["name"], folder)
    if (there["command"], there["name"]) != (asked["command"], asked["name"]):
        what = f"an unfinished `jaxchemo {there['command']} {there['name']}`"
    else:
        names = [n for n in asked["options"] if there["options"].get(n) != asked["options"][n]]
        differ = (
            f"--{n.replace('_', '-')} is {_said(there['options'].get(n))} there, {_said(asked['options'][n])} here"
            for n in names
        )
        what = f"an unfinished run with other options ({', '.join(differ)})"
    return (
        f"`--out`: {str(folder)!r} holds {what}: `{again}` goes on with it, `--afresh` discards it, and another folder "
        "leaves it as it is."
    )


def _said(value: Any) -> str:
    if value is None:
        return "not given"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _again(command: str, name: str, folder: Path) -> str:
    return f"jaxchemo {command} {name} --out {shlex.quote(str(folder))} --resume"


def _check_writable(folder: Path) -> None:
    """Creates the folder, and makes sure that it can be written before anything is computed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        why = f"cannot write to {str(folder)!r} ({getattr(error, 'strerror', None) or error})"
        raise Refused(f"`--out`: {why}. Another folder would do.") from error


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise Refused(f"`--out`: {error}") from error
