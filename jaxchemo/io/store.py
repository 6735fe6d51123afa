"""A zarr store that grows as a run goes on, opens in xarray at every moment, and never replaces what is not its own."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from jaxchemo.io.claim import claimed
from jaxchemo.io.errors import StoreError, explained

_MARK = "store 1"  # how a store of ours is known, and of which format it is


class Variable(NamedTuple):
    """What is saved under a name: the `dimensions` (their names), `shape` and `dtype` of a frame of it.

    >>> from jaxchemo.io import Variable
    >>> Variable(dimensions=("x", "y"), shape=(64, 32), dtype=np.float32).shape
    (64, 32)
    """

    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: Any


class Store:
    """Frames of a run on disk, one chunk per frame, indexed by time; `xarray.open_zarr(path)` reads them.

    All metadata stand once more in the root's `zarr.json`, which readers go by and which is replaced whole, after the
    data of a frame: so a reader sees whole frames only, while the run goes on and after it was killed. The attribute
    `status` is "running", "complete", "interrupted" or "failed", `result` says how the run ended, `run` whose it is.

    **Arguments** of `opened`:

    - `path`: folder of the store: a new or an empty one.
    - `run`: fingerprint of what decides the numbers of the run.
    - `variables`: what a frame has, by name.
    - `coordinates`: coordinate arrays by dimension name.
    - `attributes`: anything that JSON can hold, kept as metadata.
    - `frames`: go on with the store of this run, after so many frames. Default `None`: start afresh.
    - `overwrite`: whether a store that is there may be replaced. The new one then grows beside it, in the hidden folder
      `.NAME.partial`, and takes its place when the run has ended.

    **Raises:** `StoreError` if the folder holds anything else, another run writes to it, or it cannot be written;
    `ImportError` where zarr, of the extra [io], is missing.

    >>> import tempfile
    >>> from jaxchemo.io import Store, Variable
    >>> with Store.opened(tempfile.mkdtemp(), "a run", {"mass": Variable((), (), np.float32)}) as store:
    ...     store.write(0, 0.5, {"mass": np.asarray(1.0)})
    ...     store.read("time", 1).tolist()
    [0.5]
    """

    def __init__(self, path: Path, folder: Path, attributes: dict[str, Any], names: tuple[str, ...]):
        self.path, self._folder, self._attributes, self._names = path, folder, attributes, names
        self._arrays: dict[str, Any] = {}

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls,
        path: str | Path,
        run: str,
        variables: Mapping[str, Variable],
        coordinates: Mapping[str, np.ndarray] | None = None,
        attributes: Mapping[str, Any] | None = None,
        *,
        frames: int | None = None,
        overwrite: bool = False,
    ) -> Iterator[Self]:
        """The store, claimed for this process as long as the context lasts; see the class.

        **Raises:** `StoreError` or `ImportError`, as the class.
        """
        given = Path(path)
        with explained(given):
            path = given.resolve()
        with claimed(path):
            with explained(given):
                _finish_swap(path)
                if frames is None:
                    about = {**(attributes or {}), "run": run}
                    store = cls._created(path, variables, coordinates or {}, about, overwrite)
                else:
                    store = cls._continued(path, variables, run, frames)
            try:
                yield store
            except BaseException as error:  # Ctrl-C too: what there is stays, and says what it is
                with contextlib.suppress(StoreError):
                    store.close("interrupted", f"{type(error).__name__}: {error}".rstrip(": "))
                raise

    @classmethod
    def _created(
        cls,
        path: Path,
        variables: Mapping[str, Variable],
        coordinates: Mapping[str, np.ndarray],
        attributes: Mapping[str, Any],
        overwrite: bool,
    ) -> Self:
        if path == Path.cwd() or not path.name:
            raise StoreError(f"`store` must be a folder of its own, not {str(path)!r}: a new one inside it would do.")
        replaces = path.exists() and (not path.is_dir() or any(path.iterdir()))
        if replaces:
            check_ours(path)
            if not overwrite:
                raise StoreError(
                    f"There is a store at {str(path)!r} already: overwrite=True replaces it when the new run has "
                    "ended; resume=True goes on with it, from its checkpoint; another folder would do too."
                )
        draft = _draft(path)
        if draft.exists():  # of a run that was killed, maybe before it had written anything
            _check_no_strangers(draft)
            shutil.rmtree(draft)
        ours = {"jaxchemo": _MARK, "frames": 0}  # from the first file on
        group = _zarr().open_group(str(draft), mode="w-", attributes=ours)
        for name, values in coordinates.items():
            group.create_array(name, data=np.asarray(values), dimension_names=[name])
        for name, variable in {"time": Variable((), (), np.float64), **variables}.items():
            group.create_array(
                name,
                shape=(0, *variable.shape),
                chunks=(1, *(max(1, n) for n in variable.shape)),
                dtype=variable.dtype,
                dimension_names=["time", *variable.dimensions],
            )
        plain = json.loads(json.dumps(dict(attributes), default=str))
        store = cls(path, draft, {**ours, **plain, "status": "running"}, tuple(variables))
        store._publish(0)
        if not replaces:
            os.rename(draft, path)
            store._folder = path
        return store

    @classmethod
    def _continued(cls, path: Path, variables: Mapping[str, Variable], run: str, frames: int) -> Self:
        for folder in (_draft(path), path):
            attributes = _attributes(folder)
            if attributes is not None and attributes.get("run") == run:
                break
        else:
            raise StoreError(
                f"The store {str(path)!r} is not the one that the checkpoint was written beside (it is gone, or of "
                "another run), so the frames saved before are not there: start afresh with overwrite=True."
            )
        there = attributes["frames"]
        if there < frames:
            raise StoreError(
                f"The store {str(path)!r} holds {there} frames, but its checkpoint comes after {frames}: it is not "
                "whole any more. Start afresh with overwrite=True."
            )
        for orphan in folder.rglob("*.partial"):  # writes that were cut off
            orphan.unlink()
        store = cls(path, folder, {**attributes, "status": "running"}, tuple(variables))
        store._attributes.pop("result", None)
        store._publish(frames)
        return store

    def write(self, index: int, time: float, frame: Mapping[str, np.ndarray]) -> None:
        """Frame number `index`, the next one, at `time`: an array for each name.

        **Raises:** `StoreError` if it cannot be written.
        """
        with explained(self.path):
            for name, values in {**frame, "time": np.asarray(time)}.items():
                array = self._array(name)
                if array.shape[0] <= index:
                    array.resize((index + 1, *values.shape))
                array[index] = values
            self._publish(index + 1)

    def read(self, name: str, count: int) -> np.ndarray:
        """The first `count` frames of `name`, stacked along a first axis.

        **Raises:** `StoreError` if they cannot be read.
        """
        with explained(self.path):
            return np.asarray(self._array(name)[:count])

    def close(self, status: str, result: str) -> None:
        """Says how the run ended; a store that replaces another one takes its place if the run was not interrupted.

        **Raises:** `StoreError` if that cannot be written.
        """
        with explained(self.path):
            self._attributes |= {"status": status, "result": result}
            self._publish(self._attributes["frames"])
            if self._folder != self.path and status != "interrupted":
                os.rename(self.path, _old(self.path))
                _finish_swap(self.path)
                self._folder = self.path
                self._arrays.clear()

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            self._arrays[name] = _zarr().open_array(str(self._folder / name), mode="r+")
        return self._arrays[name]

    def _publish(self, frames: int) -> None:
        """Replaces the root's metadata: what readers see, so many frames of everything."""
        self._attributes["frames"] = frames
        arrays = sorted(child.parent.name for child in self._folder.glob("*/zarr.json"))
        metadata = {name: json.loads((self._folder / name / "zarr.json").read_text()) for name in arrays}
        for name in ("time", *self._names):
            metadata[name]["shape"][0] = frames
        root = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": self._attributes,
            "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": metadata},
        }
        draft = self._folder / "zarr.json.partial"
        draft.write_text(json.dumps(root))
        os.replace(draft, self._folder / "zarr.json")


def _draft(path: Path) -> Path:
    """Where the store grows that will replace the one at `path`."""
    return path.with_name(f".{path.name}.partial")


def _attributes(folder: Path) -> dict[str, Any] | None:
    """What a store of ours says of itself; `None` for any other folder."""
    try:
        root = json.loads((folder / "zarr.json").read_text())
        attributes = root["attributes"]
        return attributes if attributes["jaxchemo"] == _MARK and attributes["frames"] >= 0 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_ours(folder: Path) -> None:
    """Refuses, in a sentence, a folder that is anything but a store of ours.

    **Raises:** `StoreError` that names what is in the way.
    """
    if _attributes(folder) is None:
        raise StoreError(
            f"{str(folder)!r} is there and is not a store of jaxchemo: it is left alone, give a new folder."
        )
    _check_no_strangers(folder)


def _check_no_strangers(folder: Path) -> None:
    """Refuses, in a sentence, a folder with anything in it that no run wrote."""
    known = _attributes(folder) is not None
    for child in folder.iterdir():
        if known and (child.name == "zarr.json" or (child / "zarr.json").exists()):
            continue
        files = [child, *child.rglob("*")] if child.is_dir() else [child]
        if any(file.is_file() and file.suffix != ".partial" for file in files):
            raise StoreError(
                f"The store {str(folder)!r} holds {child.name!r}, which no run wrote there: it is left alone. Move "
                "that elsewhere, or give a new folder."
            )


def _finish_swap(path: Path) -> None:
    """Ends a replacement that was begun: the new store moves in where the old one moved out, and that one goes."""
    draft, old = _draft(path), _old(path)
    if not old.exists():
        return
    if not path.exists():
        os.rename(draft if draft.exists() else old, path)
    if old.exists():
        check_ours(old)
        shutil.rmtree(old)


def _old(path: Path) -> Path:
    """Where the store that was at `path` waits until the new one is there."""
    return path.with_name(f".{path.name}.old")


def _zarr() -> Any:
    try:
        import zarr  # imported here: only runs that are stored need it
    except ImportError as error:
        raise ImportError("`store` needs zarr: pip install 'jaxchemo[io]'.") from error
    return zarr
