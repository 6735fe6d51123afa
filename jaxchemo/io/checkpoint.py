"""Checkpoints: a run's state on disk, replaced whole or not at all, and known again by what decides its numbers."""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import equinox as eqx

from jaxchemo.io.claim import claimed
from jaxchemo.io.errors import CheckpointError, explained
from jaxchemo.io.identity import MARK

Tree = TypeVar("Tree")

_MARK = b"jaxchemo checkpoint 1 "


class Checkpoint:
    """The file that holds the state of one run.

    Its first line is a checksum of the rest: one line of JSON, which says whose it is and how far the run is, and the
    arrays of the state.

    **Arguments** of `opened`:

    - `path`: the file; a new one, or a checkpoint.
    - `run`: what decides the numbers of the run, see `identity`.
    - `resume`: whether to go on from the file if it is there.
    - `overwrite`: whether a checkpoint that is there may be replaced, once there is a new one.

    **Raises:** `CheckpointError` if the file is there and is not to be gone on from, or cannot be; `StoreError` if
    another run writes to it, or the folder cannot be written.

    >>> import tempfile
    >>> from jaxchemo.io import Checkpoint
    >>> with Checkpoint.opened(tempfile.mkdtemp() + "/run.checkpoint", {"seed": "0"}, resume=True) as checkpoint:
    ...     checkpoint.save({"steps": 10}, jnp.arange(3))
    ...     checkpoint.path.name
    'run.checkpoint'
    """

    def __init__(self, path: Path, run: Mapping[str, str]):
        self.path, self._run = path, dict(run)
        self.progress: dict[str, Any] | None = None
        self._body = b""

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls, path: str | Path, run: Mapping[str, str], *, resume: bool, overwrite: bool = False
    ) -> Iterator[Self]:
        """The checkpoint, claimed for this process as long as the context lasts; see the class.

        **Raises:** `CheckpointError` or `StoreError`, as the class.
        """
        path = Path(path)
        with explained(path):
            path = path.resolve()
        with claimed(path):
            checkpoint = cls(path, run)
            with explained(path):
                there = path.exists()
            if there:
                checkpoint._look(resume, overwrite)
            yield checkpoint

    def _look(self, resume: bool, overwrite: bool) -> None:
        """Reads what is there, or makes sure that it may be replaced."""
        with explained(self.path):
            if self.path.is_dir():
                raise CheckpointError(f"`checkpoint` must be a file, but {str(self.path)!r} is a folder.")
            with open(self.path, "rb") as file:
                ours = file.read(len(_MARK)) == _MARK
        if not ours:
            raise CheckpointError(
                f"{str(self.path)!r} is not a checkpoint of this version, and is left alone: give another file, or "
                "remove it to start afresh."
            )
        if resume:
            self._read()
        elif not overwrite:
            raise CheckpointError(
                f"The checkpoint {str(self.path)!r} is there already: resume=True goes on from it, overwrite=True "
                "starts afresh and replaces it."
            )

    def _read(self) -> None:
        with explained(self.path):
            mark, _, rest = self.path.read_bytes().partition(b"\n")
        if hashlib.sha256(rest).hexdigest().encode() != mark.removeprefix(_MARK):
            raise CheckpointError(
                f"The checkpoint {str(self.path)!r} is damaged (its checksum is wrong): start afresh, with "
                "overwrite=True or another file."
            )
        line, _, self._body = rest.partition(b"\n")
        header = json.loads(line)
        theirs = header["run"]
        if differ := [name for name, value in self._run.items() if theirs.get(name) != value]:
            notes = [
                f"its {name} is another"
                if self._run[name].startswith(MARK)
                else f"its {name} is {theirs.get(name)}, not {self._run[name]}"
                for name in differ
            ]
            raise CheckpointError(
                f"The checkpoint {str(self.path)!r} belongs to another run: {'; '.join(notes)}. Resume the run that it "
                "belongs to, or start afresh with overwrite=True or another file."
            )
        self.progress = header["progress"]

    def restore(self, like: Tree) -> Tree:
        """The state, in the structure and the shapes of `like`.

        **Raises:** `CheckpointError` if it does not fit.
        """
        try:
            return eqx.tree_deserialise_leaves(io.BytesIO(self._body), like)
        except Exception as error:  # equinox and numpy have many ways to say that arrays do not fit
            raise CheckpointError(
                f"The checkpoint {str(self.path)!r} does not fit this run ({error}): start afresh, with overwrite=True "
                "or another file."
            ) from error

    def save(self, progress: dict[str, Any], tree: Any) -> None:
        """Replaces the file by one with this progress (JSON) and the arrays of `tree`, atomically.

        **Raises:** `StoreError` if it cannot be written; an earlier checkpoint is then still there.
        """
        body = io.BytesIO()
        body.write((json.dumps({"run": self._run, "progress": progress}) + "\n").encode())
        eqx.tree_serialise_leaves(body, tree)
        rest = body.getvalue()
        draft = self.path.with_name(f".{self.path.name}.part")
        with explained(self.path):
            try:
                with open(draft, "wb") as file:
                    file.write(_MARK + hashlib.sha256(rest).hexdigest().encode() + b"\n")
                    file.write(rest)
                    file.flush()
                    # Else, after a crash of the machine, the name may stand for contents that never reached the disk.
                    os.fsync(file.fileno())
                os.replace(draft, self.path)
            except OSError:
                draft.unlink(missing_ok=True)
                raise
