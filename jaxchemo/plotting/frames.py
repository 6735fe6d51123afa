"""What a solution has to show: its saved snapshots as numpy arrays, for one species and one signal."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from jaxchemo import _checks
from jaxchemo.domain import Grid
from jaxchemo.integrate import Solution
from jaxchemo.methods import Snapshot
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True)
class Frames:
    """The saved snapshots of a run.

    **Fields:**

    - `times`: `(k,)` [time].
    - `density`: of one species, `(k, *shape)` [mass / length^d].
    - `signal`: one signal, `(k, *shape)` [concentration], or `None`.
    - `positions`: particles of the species, `(k, P, d)` [length], or `None`.
    - `species`, `signal_name`: their names in the model.
    """

    times: np.ndarray
    density: np.ndarray
    signal: np.ndarray | None
    positions: np.ndarray | None
    species: str
    signal_name: str | None

    @classmethod
    def of(
        cls, problem: Problem, solution: Solution, species: str | None = None, signal: str | None = None
    ) -> "Frames":
        """The frames of `solution`, for the named species and signal; the first ones of the model by default.

        **Raises:** `ValueError` if the solution holds no snapshots, or the model no such name.
        """
        shots = solution.ys
        if not isinstance(shots, Snapshot) or len(solution.ts) == 0:
            raise ValueError("`solution` holds no snapshots: solve with saveat=jc.SaveAt(every=...) and no `fn`.")
        model = problem.model
        species = _chosen("species", species, model.populations)
        name = _chosen("signal", signal, model.signals) if model.signals else None
        return cls(
            np.asarray(solution.ts, float),
            _array(shots.density, species),
            None if name is None else _array(shots.signal, name),
            None if shots.positions is None else _array(shots.positions, species),
            species,
            name,
        )

    def nearest(self, times: Sequence[float] | None, count: int = 4) -> list[int]:
        """Indices of the frames nearest to `times`; `count` frames spread over the run by default."""
        if times is None:
            return sorted({round(i) for i in np.linspace(0, len(self.times) - 1, count)})
        return list(dict.fromkeys(int(np.argmin(np.abs(self.times - t))) for t in times))


def named(solutions: Solution | Mapping[str, Solution]) -> dict[str, Solution]:
    """Solutions by the name they are drawn with; a single one has none.

    **Raises:** `ValueError` for an empty mapping.
    """
    if isinstance(solutions, Solution):
        return {"": solutions}
    if not solutions:
        raise ValueError("`solutions` must hold at least one solution, got none.")
    return dict(solutions)


def box(problem: Problem, *dimensions: int) -> Grid:
    """The problem's grid, if it is a box of one of these dimensions.

    **Raises:** `ValueError` if it is not.
    """
    grid = problem.domain
    if not isinstance(grid, Grid) or grid.ndim not in dimensions:
        wanted = " or ".join(f"{d}" for d in dimensions)
        raise ValueError(f"This figure is drawn for a Grid.box in {wanted} dimensions, the problem has {grid!r}.")
    return grid


def _chosen(kind: str, name: str | None, known: Collection[str]) -> str:
    if name is None:
        return next(iter(known))
    if name not in known:
        raise ValueError(f"`{kind}` must be one of {_checks.listed(known)}, got {name!r}.")
    return name


def _array(value: Any, name: str) -> np.ndarray:
    return np.asarray(value[name] if isinstance(value, dict) else value)
