"""What a named experiment is: a problem with every number written down, and what is worth drawing of it."""

import abc
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import jax

from jaxchemo import _checks
from jaxchemo.domain import Grid, NoFlux
from jaxchemo.initial import AbstractInitial
from jaxchemo.integrate import SaveAt, Solution, run
from jaxchemo.methods import AbstractMethod
from jaxchemo.models import phks
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment(abc.ABC):
    """Cells in a box that climb a food which does not diffuse, and eat it; in two or three dimensions.

    The numbers are ours, chosen to show what arXiv 2510.13199 describes; the paper's own are not available.
    All are in the units of the model: a length, a time, a mass of cells and a concentration of food.

    **Arguments** (each with a default; a subclass adds those of its initial conditions):

    - `mobility`: diffusivity of the cells [length^2 / time].
    - `sensitivity`: chi [length^2 / time / concentration].
    - `consumption`: food eaten per density of cells [length^d / mass / time].
    - `half_width`: the box is `[-half_width, half_width]^d` with walls that nothing passes [length].
    - `t1`: final time [time].
    - `cells_2d`, `cells_3d`: cells of the grid along each axis.
    - `dt_2d`, `dt_3d`: time step on that grid [time], about half of what keeps finite volumes positive.
    - `num_particles`: of the particle methods.
    - `frames`: snapshots saved after the initial one.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    show_times: ClassVar[tuple[float, ...]]  # snapshots worth drawing [time]

    mobility: float = 0.1
    sensitivity: float = 1.0
    consumption: float = 1.0
    half_width: float = 3.0
    t1: float = 1.0
    cells_2d: int = 128
    cells_3d: int = 64
    dt_2d: float = 0.002
    dt_3d: float = 0.004
    num_particles: int = 20_000
    frames: int = 25

    @abc.abstractmethod
    def density(self, ndim: int) -> AbstractInitial:
        """The cells at the start."""

    @abc.abstractmethod
    def food(self, ndim: int) -> AbstractInitial:
        """The food at the start."""

    @property
    def normal(self) -> int:
        """In 3D, the axis that slices are normal to."""
        return 2

    def through(self, ndim: int) -> tuple[float, ...]:
        """A point on the line, parallel to x, of the cross-sections worth drawing [length]."""
        return (0.0,) * ndim

    def problem(self, ndim: int = 3, shape: int | Sequence[int] | None = None) -> Problem:
        """What is solved.

        **Arguments:**

        - `ndim`: 2 or 3. Default 3.
        - `shape`: cells along each axis, or along all of them. Default `cells_2d` or `cells_3d`.

        **Raises:** `ValueError` or `TypeError` naming the argument at fault.
        """
        return Problem(
            model=phks(self.mobility, self.sensitivity, self.consumption),
            grid=Grid.box((-self.half_width,) * ndim, (self.half_width,) * ndim, self.shape(ndim, shape), NoFlux()),
            density=self.density(ndim),
            signal=self.food(ndim),
        )

    def shape(self, ndim: int, shape: int | Sequence[int] | None = None) -> tuple[int, ...]:
        """Cells along each axis: those given, or the experiment's own."""
        if ndim not in (2, 3):
            raise ValueError(f"`ndim` must be 2 or 3, got {ndim}.")
        if shape is None:
            shape = self.cells_2d if ndim == 2 else self.cells_3d
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        shape = shape * ndim if len(shape) == 1 else shape
        if len(shape) != ndim:
            raise ValueError(f"`shape` must be one number or one for each of the {ndim} axes, got {shape}.")
        return shape

    def step(self, ndim: int, shape: Sequence[int], t1: float | None = None) -> float:
        """The time step for a grid: the experiment's own, and on finer grids smaller as the square of the spacing."""
        own_cells, own_dt = (self.cells_2d, self.dt_2d) if ndim == 2 else (self.cells_3d, self.dt_3d)
        t1 = self.t1 if t1 is None else t1
        finer = max(1.0, max(shape) / own_cells) ** 2
        return t1 / (self.frames * math.ceil(t1 / (self.frames * own_dt / finer) - 1e-9))

    def solve(
        self,
        method: AbstractMethod,
        *,
        ndim: int = 3,
        shape: int | Sequence[int] | None = None,
        t1: float | None = None,
        dt: float | None = None,
        seed: int = 0,
        store: str | Path | None = None,
        progress: bool | str = False,
    ) -> Solution:
        """Solves it by `method`, with `frames` snapshots saved after the initial one.

        **Arguments:**

        - `method`: such as `jc.FiniteVolume()`.
        - `ndim`, `shape`: as `problem`.
        - `t1`, `dt`: final time and step [time]. Default: the experiment's own.
        - `seed`: of the random key.
        - `store`, `progress`: as `jc.run`.

        **Raises:** as `jc.run`.
        """
        t1 = float(_checks.positive("t1", self.t1 if t1 is None else t1))
        shape = self.shape(ndim, shape)
        dt = self.step(ndim, shape, t1) if dt is None else float(_checks.positive("dt", dt))
        saveat = SaveAt(every=max(1, round(t1 / dt / self.frames)), t1=True)
        key = jax.random.key(_checks.natural("seed", seed, at_least=0))
        problem = self.problem(ndim, shape)
        return run(problem, method, t1=t1, dt=dt, key=key, saveat=saveat, store=store, progress=progress)


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
    busy: ClassVar[str]  # what to say while it runs

    cells: int
    dt: float

    @abc.abstractmethod
    def run(self, seed: int = 0) -> Any:
        """Everything that was found."""

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
        """The same on another grid, or with another time step."""
        return dataclasses.replace(self, cells=cells or self.cells, dt=dt or self.dt)
