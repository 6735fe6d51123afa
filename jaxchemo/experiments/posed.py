"""Experiments that state one problem, which any method that solves it may take; some are nothing but their problem."""

import abc
import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar, TypedDict, Unpack

import jax

from jaxchemo import _checks
from jaxchemo._progress import Report, silent
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import even_steps, full_shape, option, positive, several, snapshots, whole
from jaxchemo.experiments.outcome import Outcome, measure
from jaxchemo.integrate import SaveAt, Solution, run
from jaxchemo.methods import AbstractMethod, AbstractSelfPaced, FiniteVolume
from jaxchemo.problem import Problem


class Files(TypedDict, total=False):
    """Arguments of `jc.run` that say what is kept on disk, and what is shown."""

    store: str | Path | None
    checkpoint: str | Path | None
    resume: bool
    overwrite: bool
    progress: bool | str


class Posed(abc.ABC):
    """The part of an experiment that states one problem, and has it solved by a method.

    **Class attributes:**

    - `show_times`: snapshots worth drawing [time]. Default: a few, spread over the run.
    - `slab`: slices and lines of densities are averaged over this thickness [length]. Default 0: one layer of cells.

    >>> experiment = jc.experiments.find("keller-segel-1d")
    >>> isinstance(experiment, jc.experiments.Posed), experiment.problem().domain.shape
    (True, (800,))
    """

    show_times: ClassVar[tuple[float, ...] | None] = None
    slab: ClassVar[float] = 0.0

    @abc.abstractmethod
    def problem(self, seed: int = 0) -> Problem:
        """What is solved.

        **Arguments:**

        - `seed`: of what is random at the start, if anything is. Default 0.

        **Raises:** `ValueError` or `TypeError` naming the argument at fault.
        """

    @abc.abstractmethod
    def span(self, method: AbstractMethod) -> tuple[float, float, int]:
        """Final time and time step for a method [time], and the number of snapshots after the initial one."""

    @property
    def normal(self) -> int:
        """In 3D, the axis that slices are normal to."""
        return 2

    def through(self, ndim: int) -> tuple[float, ...]:
        """A point on the line, parallel to x, of the cross-sections worth drawing [length]."""
        return (0.0,) * ndim

    def solve(self, method: AbstractMethod, *, seed: int = 0, **files: Unpack[Files]) -> Solution:
        """Solves it by `method`, with `frames` snapshots saved after the initial one.

        **Arguments:**

        - `method`: such as `jc.FiniteVolume()`.
        - `seed`: of the random key, and of what is random at the start; not negative. Default 0.
        - `store`, `checkpoint`, `resume`, `overwrite`, `progress`: as `jc.run`, but that no progress is shown by
          default.

        **Raises:** as `jc.run`; `ValueError` or `TypeError` for another `seed`.
        """
        key = jax.random.key(_checks.natural("seed", seed, at_least=0))
        problem, (t1, dt, frames) = self.problem(seed), self.span(method)
        files.setdefault("progress", False)
        if isinstance(method, AbstractSelfPaced):
            saveat = SaveAt(ts=[t1 * k / frames for k in range(frames + 1)])
            return run(problem, method, t1=t1, key=key, saveat=saveat, **files)
        saveat = SaveAt(every=max(1, round(t1 / dt / frames)), t1=True)
        return run(problem, method, t1=t1, dt=dt, key=key, saveat=saveat, **files)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Simulation(Posed, Experiment[dict[str, Outcome]]):
    """An experiment that is nothing but its problem on a grid: a run by one method, or by several to be compared.

    All numbers are in the units of the model: a length, a time, a mass and a concentration of each signal.

    **Arguments** (each with a default; a subclass adds those of its physics):

    - `shape`: grid cells along each axis, or one number for all of them. Default: the experiment's own.
    - `t1`, `dt`: final time and time step [time]. Default of the step: one that keeps finite volumes positive.
    - `frames`: snapshots saved after the initial one. Default 25.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> experiment = jc.experiments.find("two-blobs")
    >>> isinstance(experiment, jc.experiments.Simulation), experiment.grid_shape, experiment.frames
    (True, (64, 64, 64), 25)
    """

    t1: float
    shape: tuple[int, ...] | None = option(
        None, several(whole(2)), "grid cells along each axis, or along all, by default by ndim", otherwise="grid_shape"
    )
    dt: float | None = option(
        None, positive, "time step, by default one that keeps fv positive", "time", otherwise="step"
    )
    frames: int = snapshots(25)

    @property
    @abc.abstractmethod
    def resolution(self) -> tuple[tuple[int, ...], float]:
        """Cells along each axis, and the time step on that grid: about half of what keeps finite volumes positive."""

    @property
    def grid_shape(self) -> tuple[int, ...]:
        """Cells along each axis: those given, or the experiment's own."""
        own, _ = self.resolution
        return own if self.shape is None else full_shape(self.shape, len(own))

    @property
    def step(self) -> float:
        """The time step [time]: that given, or the experiment's own, on finer grids smaller as the spacing's square."""
        if self.dt is not None:
            return self.dt
        own, dt = self.resolution
        # The step that keeps densities positive is diffusion's, which goes as the square of the spacing.
        finer = max(1.0, max(self.grid_shape) / own[0]) ** 2
        return self.t1 / even_steps(self.t1, dt / finer, self.frames)

    @property
    def sizes(self) -> dict[str, int]:
        shape, saved = self.grid_shape, round(min(self.frames, self.t1 / self.step) + 1)
        return {**super().sizes, "shape": 2 * math.prod(shape) * saved}  # a density and a signal

    def span(self, method: AbstractMethod) -> tuple[float, float, int]:
        return self.t1, self.step, self.frames

    def run(self, seed: int = 0, report: Report = silent) -> dict[str, Outcome]:
        """Solves it by finite volumes; `solve` takes other methods.

        **Raises:** as `jc.run`.
        """
        method = FiniteVolume()
        report(method.name)
        return {method.name: Outcome(self.problem(seed), method, self.solve(method, seed=seed))}

    def numbers(self, outcome: dict[str, Outcome]) -> dict[str, Any]:
        """How each run went, by method; of several, with the distance to the first."""
        return measure(outcome)

    def lines(self, outcome: dict[str, Outcome]) -> list[str]:
        rows = measure(outcome).items()
        return [f"{name}: mass {row['mass']:.4g}, smallest density {row['min_density']:.2g}" for name, row in rows]

    def draw(self, outcome: dict[str, Outcome], folder: Path) -> Path:
        from jaxchemo.experiments.figures import draw

        return draw(self, outcome, folder)[0]
