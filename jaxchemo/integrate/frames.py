"""What a run has saved so far: frames in memory, and on disk if there is a store."""

import re
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from jaxchemo import _checks
from jaxchemo.domain import Grid
from jaxchemo.io import Store, Variable
from jaxchemo.problem import Problem


class Frames:
    """What `saveat.fn` gave, by the number of the save; `store` keeps it on disk too.

    **Arguments:**

    - `shapes`: of one frame, as `jax.eval_shape` gives them.
    - `store`: where frames are written. Default: nowhere.
    """

    def __init__(self, shapes: PyTree, store: Store | None = None):
        self._shapes, self._store = shapes, store
        self._kept: list[Any] = []

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, index: int, time: float, frame: PyTree) -> None:
        """Frame number `index`, the next one, at `time`."""
        frame = jax.tree.map(np.asarray, frame)
        if self._store is not None:
            self._store.write(index, time, named(frame))
        self._kept.append(frame)

    def recall(self, count: int) -> None:
        """The first `count` frames, from the store."""
        assert self._store is not None
        columns = [self._store.read(name, count) for name in named(self._shapes)]
        structure = jax.tree.structure(self._shapes)
        self._kept = [jax.tree.unflatten(structure, [column[k] for column in columns]) for k in range(count)]

    def put_back(self, stacked: PyTree, count: int) -> None:
        """The first `count` frames, stacked as `stacked` gives them."""
        self._kept = [jax.tree.map(lambda rows, k=k: np.asarray(rows[k]), stacked) for k in range(count)]

    def blank(self, count: int) -> PyTree:
        """Arrays of the shapes of `count` stacked frames."""
        return jax.tree.map(lambda leaf: np.zeros((count, *leaf.shape), leaf.dtype), self._shapes)

    def stacked(self) -> PyTree:
        """All frames, along a first axis; `None` if there is none."""
        return jax.tree.map(lambda *parts: np.stack(parts), *self._kept) if self._kept else None


def variables(problem: Problem, shapes: PyTree) -> dict[str, Variable]:
    """The variables of a store that holds frames of these shapes.

    **Raises:** `ValueError` for a name that a store cannot have, or that another variable or a coordinate has.
    """
    axes = coordinates(problem)
    sizes = {name: len(axis) for name, axis in axes.items()}
    named_variables: dict[str, Variable] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(shapes):
        name = _name(path)
        if name in named_variables or name in {"time", *axes} or not re.fullmatch(r"\w[\w .+-]*", name):
            raise ValueError(
                f"`saveat`: something that `fn` gives would be called {name!r} in the store, but names there must be "
                f"plain words, all different, and none of {_checks.listed(['time', *axes])}: another name would do."
            )
        dimensions = _dimensions(problem, leaf.shape)
        if any(sizes.get(d, n) != n for d, n in zip(dimensions, leaf.shape, strict=True)):
            dimensions = _numbered(name, leaf.shape)
        sizes |= zip(dimensions, leaf.shape, strict=True)
        named_variables[name] = Variable(dimensions, leaf.shape, leaf.dtype)
    return named_variables


def named(frame: PyTree) -> dict[str, Any]:
    """The arrays of a frame, by the names that they have in a store."""
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(frame)}


def coordinates(problem: Problem) -> dict[str, np.ndarray]:
    """Cell centres by dimension name [length]."""
    grid = problem.domain
    if isinstance(grid, Grid):
        return {name: np.asarray(axis) for name, axis in zip("xyz", grid.axes, strict=False)}
    radii = getattr(grid, "radii", None)
    return {} if radii is None else {"r": np.asarray(radii)}


def _dimensions(problem: Problem, shape: tuple[int, ...]) -> tuple[str, ...]:
    if shape == getattr(problem.domain, "shape", None):
        return tuple(coordinates(problem))
    if len(shape) == 2 and shape[1] == problem.domain.ndim:
        return ("particle", "component")
    return _numbered("dim", shape)


def _numbered(name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{name}_{k}" for k in range(len(shape)))


def _name(path: Any) -> str:
    parts = [str(getattr(p, "name", getattr(p, "key", getattr(p, "idx", p)))) for p in path]
    return "_".join(parts) or "value"
