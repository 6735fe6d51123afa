"""What a named experiment is: a problem with every number written down, and what is worth drawing of it."""

import abc
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import jax

from jaxchemo import _checks
from jaxchemo._progress import Report, silent
from jaxchemo.integrate import SaveAt, Solution, run
from jaxchemo.methods import AbstractFixedStep
from jaxchemo.problem import Problem


def even_steps(t1: float, dt: float, frames: int) -> int:
    """Steps of at most `dt` up to `t1`, as many between each two of `frames` snapshots."""
    return frames * math.ceil(t1 / (dt * frames) - 1e-9)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment(abc.ABC):
    """One problem, in the dimensions it is made for, and for every method that can solve it.

    All numbers are in the units of the model: a length, a time, a mass of cells and a concentration of each signal.

    **Arguments** (each with a default; a subclass adds those of its physics):

    - `t1`: final time [time].
    - `num_particles`: of the particle methods.
    - `frames`: snapshots saved after the initial one.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    show_times: ClassVar[tuple[float, ...]]  # snapshots worth drawing [time]
    dimensions: ClassVar[tuple[int, ...]]  # the last is what one gets without asking
    slab: ClassVar[float] = 0.0  # slices and lines of densities are averaged over this thickness [length]

    t1: float
    num_particles: int = 20_000
    frames: int = 25

    def __post_init__(self) -> None:
        _checks.constant(_checks.positive, "t1", self.t1)
        _checks.natural("num_particles", self.num_particles)
        _checks.natural("frames", self.frames)

    @abc.abstractmethod
    def problem(self, ndim: int | None = None, shape: int | Sequence[int] | None = None, seed: int = 0) -> Problem:
        """What is solved.

        **Arguments:**

        - `ndim`: one of `dimensions`. Default the last of them.
        - `shape`: cells along each axis, or along all of them. Default: the experiment's own.
        - `seed`: of what is random at the start, if anything is.

        **Raises:** `ValueError` or `TypeError` naming the argument at fault.
        """

    @abc.abstractmethod
    def resolution(self, ndim: int) -> tuple[int, float]:
        """Cells along each axis, and the time step on that grid: about half of what keeps finite volumes positive."""

    @property
    def normal(self) -> int:
        """In 3D, the axis that slices are normal to."""
        return 2

    def through(self, ndim: int) -> tuple[float, ...]:
        """A point on the line, parallel to x, of the cross-sections worth drawing [length]."""
        return (0.0,) * ndim

    def shape(self, ndim: int | None = None, shape: int | Sequence[int] | None = None) -> tuple[int, ...]:
        """Cells along each axis: those given, or the experiment's own."""
        ndim = self.dimensions[-1] if ndim is None else ndim
        if ndim not in self.dimensions:
            raise ValueError(f"`ndim` must be {' or '.join(map(str, self.dimensions))}, got {ndim}.")
        if shape is None:
            shape = self.resolution(ndim)[0]
        shape = tuple(_checks.natural("shape", n, at_least=2) for n in _checks.one_or_several(shape))
        shape = shape * ndim if len(shape) == 1 else shape
        if len(shape) != ndim:
            raise ValueError(f"`shape` must be one number or one for each of the {ndim} axes, got {shape}.")
        return shape

    def step(self, ndim: int, shape: Sequence[int], t1: float | None = None) -> float:
        """The time step for a grid: the experiment's own, and on finer grids smaller as the square of the spacing."""
        own_cells, own_dt = self.resolution(ndim)
        t1 = self.t1 if t1 is None else t1
        finer = max(1.0, max(shape) / own_cells) ** 2
        return t1 / even_steps(t1, own_dt / finer, self.frames)

    def solve(
        self,
        method: AbstractFixedStep,
        *,
        ndim: int | None = None,
        shape: int | Sequence[int] | None = None,
        t1: float | None = None,
        dt: float | None = None,
        seed: int = 0,
        store: str | Path | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        overwrite: bool = False,
        progress: bool | str = False,
    ) -> Solution:
        """Solves it by `method`, with `frames` snapshots saved after the initial one.

        **Arguments:**

        - `method`: such as `jc.FiniteVolume()`.
        - `ndim`, `shape`: as `problem`.
        - `t1`, `dt`: final time and step [time]. Default: the experiment's own.
        - `seed`: of the random key, and of what is random at the start.
        - `store`, `checkpoint`, `resume`, `overwrite`, `progress`: as `jc.run`.

        **Raises:** as `jc.run`.
        """
        t1 = float(_checks.positive("t1", self.t1 if t1 is None else t1))
        shape = self.shape(ndim, shape)
        dt = self.step(len(shape), shape, t1) if dt is None else float(_checks.positive("dt", dt))
        saveat = SaveAt(every=max(1, round(t1 / dt / self.frames)), t1=True)
        key = jax.random.key(_checks.natural("seed", seed, at_least=0))
        problem = self.problem(len(shape), shape, seed)
        files = {"store": store, "checkpoint": checkpoint, "resume": resume, "overwrite": overwrite}
        return run(problem, method, t1=t1, dt=dt, key=key, saveat=saveat, progress=progress, **files)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study(abc.ABC):
    """An experiment that is not one run by one method: it makes its own runs, and draws what it found.

    **Arguments:**

    - `cells`: of the grid along each axis.
    - `dt`: time step [time].
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    axes: ClassVar[int] = 1  # of the space that `cells` divides
    dimensions: ClassVar[tuple[int, ...]]

    cells: int
    dt: float

    def __post_init__(self) -> None:
        _checks.natural("cells", self.cells, at_least=2)
        _checks.constant(_checks.positive, "dt", self.dt)

    @abc.abstractmethod
    def run(self, seed: int = 0, report: Report = silent) -> Any:
        """Everything that was found; `report` is told in a few words what begins, as a study takes its time."""

    @abc.abstractmethod
    def numbers(self, found: Any) -> dict[str, Any]:
        """What was found, ready for JSON."""

    @abc.abstractmethod
    def lines(self, found: Any) -> list[str]:
        """What was found, in a few lines for a reader."""

    @abc.abstractmethod
    def draw(self, found: Any, folder: Path) -> Path:
        """Draws it into `folder`, and returns the file."""

    def resized(self, cells: int | None, dt: float | None) -> Self:
        """The same on another grid, or with another time step; `None` leaves it as it is."""
        changes = {"cells": cells, "dt": dt}
        return dataclasses.replace(self, **{name: value for name, value in changes.items() if value is not None})
