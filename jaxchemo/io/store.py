"""A zarr store that grows as a run goes on, and opens in xarray with named dimensions."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


class StoreError(OSError):
    """A store or checkpoint could not be written or read; what had been written before is intact."""


class Store:
    """Frames of a run on disk, one chunk per frame, indexed by time.

    Frames are written by index, so that writing one again after an interruption replaces it. `xarray.open_zarr(path)`
    reads the result.

    **Arguments:**

    - `path`: folder of the store; created, or opened if `resume`.
    - `coordinates`: coordinate arrays by dimension name.
    - `attributes`: anything that JSON can hold, kept as metadata.
    - `resume`: whether to go on with a store that exists. Default: start afresh.

    **Raises:** `StoreError` if the folder cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        coordinates: Mapping[str, np.ndarray] | None = None,
        attributes: Mapping[str, Any] | None = None,
        *,
        resume: bool = False,
    ):
        import zarr  # imported here: only runs that are stored need it

        self.path = Path(path)
        with _explained(self.path):
            self._group = zarr.open_group(str(self.path), mode="a" if resume else "w")
            self._group.attrs.update(json.loads(json.dumps(dict(attributes or {}), default=str)))
            for name, values in (coordinates or {}).items():
                if name not in self._group:
                    values = np.asarray(values)
                    self._group.create_array(name, data=values, dimension_names=[name])

    def write(self, index: int, time: float, frame: Mapping[str, tuple[tuple[str, ...], np.ndarray]]) -> None:
        """Frame number `index` at `time`: for each name, its dimensions and its values."""
        with _explained(self.path):
            self._put("time", index, np.asarray(time), ())
            for name, (dimensions, values) in frame.items():
                self._put(name, index, np.asarray(values), dimensions)

    def read(self, name: str, count: int) -> np.ndarray:
        """The first `count` frames of `name`."""
        with _explained(self.path):
            return np.asarray(self._array(name)[:count])

    def close(self) -> None:
        """Gathers the metadata in one place, so that readers open the store at once."""
        import zarr

        with _explained(self.path), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # zarr warns that readers of other languages may not know this part of version 3
            zarr.consolidate_metadata(self._group.store)

    def _array(self, name: str) -> Any:
        return self._group[name]

    def _put(self, name: str, index: int, values: np.ndarray, dimensions: tuple[str, ...]) -> None:
        if name not in self._group:
            self._group.create_array(
                name,
                shape=(0, *values.shape),
                chunks=(1, *(max(1, n) for n in values.shape)),
                dtype=values.dtype,
                dimension_names=["time", *dimensions],
            )
        array = self._array(name)
        if array.shape[0] <= index:
            array.resize((index + 1, *values.shape))
        array[index] = values


class _explained:
    """Turns the operating system's errors into ones that say what to do."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError) and not isinstance(error, StoreError):
            raise StoreError(
                f"Cannot write or read {str(self.path)!r}: {error}. "
                "A folder that can be written, with free space, would do."
            ) from error
