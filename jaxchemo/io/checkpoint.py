"""Checkpoints: a run's state on disk, replaced whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

import equinox as eqx

from jaxchemo.io.store import _explained

Tree = TypeVar("Tree")


def save(path: str | Path, header: dict[str, Any], tree: Any) -> None:
    """Writes `header` (JSON) and the array leaves of `tree` to the file `path`, atomically.

    **Raises:** `StoreError` if it cannot be written; an earlier checkpoint is then still there.
    """
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".part")
        with open(draft, "wb") as file:
            file.write((json.dumps(header) + "\n").encode())
            eqx.tree_serialise_leaves(file, tree)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)


def load(path: str | Path, header: dict[str, Any], like: Tree) -> tuple[dict[str, Any], Tree]:
    """The header and the tree saved at `path`, for a run described by the same `header` keys.

    **Raises:** `ValueError` if the checkpoint belongs to another run; `StoreError` if it cannot be read.
    """
    path = Path(path)
    with _explained(path), open(path, "rb") as file:
        found = json.loads(file.readline())
        for key, value in header.items():
            if found.get(key) != value:
                raise ValueError(
                    f"The checkpoint {str(path)!r} belongs to another run: "
                    f"its {key} is {found.get(key)!r}, not {value!r}."
                )
        return found, eqx.tree_deserialise_leaves(file, like)
