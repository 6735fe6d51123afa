"""What came out of a method on the problem of an experiment, in numbers: for tables, and for the summary on disk."""

import dataclasses
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxchemo.analysis import relative_distance, second_moment
from jaxchemo.domain import AbstractGrid
from jaxchemo.experiments.base import Experiment
from jaxchemo.integrate import Solution
from jaxchemo.methods import AbstractMethod
from jaxchemo.models import Model
from jaxchemo.plotting.frames import Frames
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

WIDTH = 0.25  # densities are compared after both are mollified by a Gaussian this wide [length]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A problem, a method and the solution that `Posed.solve` made of them.

    >>> level, method = jc.initial.uniform(amplitude=1.0), jc.FiniteVolume()
    >>> problem = jc.Problem(jc.models.phks(0.1, 1.0), jc.Grid.box(0.0, 1.0, 4), level, level)
    >>> outcome = jc.experiments.Outcome(problem, method, jc.solve(problem, method, t1=0.1, dt=0.1))
    >>> outcome.numbers()["result"]
    'successful'
    """

    problem: Problem
    method: AbstractMethod
    solution: Solution

    def numbers(self, reference: "Outcome | None" = None) -> dict[str, Any]:
        """How the run went, ready for JSON.

        **Arguments:**

        - `reference`: the outcome that the final density is compared with, on the same grid. Default: none.

        **Returns:** the names and units are below; what a method or a domain does not have is `None`.

        - `method`, `result`: the method's parts, and how it ended.
        - `shape`, `num_particles`, `num_steps`, `dt`, `t1`: what was run; `num_steps` counts the intervals of a flow.
        - `compile_seconds`, `seconds`, `milliseconds_per_step`: of what was computed now, not before an interruption;
          the last is `None` if that was nothing.
        - `mass_drift`: largest relative change of mass, `None` where the population grows; `min_density`, over all
          saved frames [mass / length^d].
        - `mass`, `second_moment`: at the end [mass], [length^2].
        - `signal_left`: at the end [share of the start]; `None` where there was none, by name if there are several.
        - `distance`: relative L2 distance of the final densities, mollified over `WIDTH`; `None` without a reference.

        **Raises:** `ValueError` for a solution without snapshots, or a reference on another grid.
        """
        stats, grid = self.solution.stats, self.problem.domain
        step = stats.get("seconds_per_step")
        steps = stats.get("num_steps", stats.get("num_intervals"))
        numbers = {
            "method": repr(self.method),
            "result": RESULTS[self.solution.result],
            "shape": list(grid.shape) if isinstance(grid, AbstractGrid) else None,
            "num_particles": getattr(self.method, "num_particles", getattr(self.method, "num_agents", None)),
            "num_steps": None if steps is None else int(steps),
            "dt": _number(stats.get("dt")),
            "t1": float(self.solution.ts[-1]),
            "compile_seconds": _number(stats.get("compile_seconds")),
            "seconds": _number(stats.get("seconds")),
            "milliseconds_per_step": None if step is None else 1e3 * float(step) or None,
            **(self._on_grid(grid) if isinstance(grid, AbstractGrid) else self._in_free_space()),
            "distance": None,
        }
        if reference is not None and isinstance(grid, AbstractGrid):
            densities = self.solution.final.density, reference.solution.final.density
            numbers["distance"] = float(relative_distance(*densities, grid, WIDTH))
        return numbers

    def _on_grid(self, grid: AbstractGrid) -> dict[str, Any]:
        model, volumes = self.problem.model, np.asarray(grid.volumes)
        frames = Frames.of(self.problem, self.solution)
        masses = _integrals(frames.density, volumes)
        grows = isinstance(model, Model) and any(kind.growth is not None for kind in model.species.values())
        left = {}
        for name in model.signals:
            amounts = _integrals(Frames.of(self.problem, self.solution, signal=name).signal, volumes)
            left[name] = float(amounts[-1] / amounts[0]) if amounts[0] else None
        return {
            "mass_drift": None if grows else float(np.max(np.abs(masses / masses[0] - 1))),
            "min_density": float(np.min(frames.density)),
            "mass": float(masses[-1]),
            "second_moment": float(second_moment(jnp.asarray(frames.density[-1]), grid)),
            "signal_left": next(iter(left.values())) if len(left) == 1 else left or None,
        }

    def _in_free_space(self) -> dict[str, Any]:
        """There is no grid to integrate over: the particles, or the samples of a flow, say where the mass is."""
        positions = np.asarray(self.solution.ys.positions[-1], float)
        spread = float(np.mean(np.sum(positions**2, axis=-1)))
        unknown = dict.fromkeys(("mass_drift", "min_density", "mass", "signal_left"))
        return {**unknown, "second_moment": spread}


def describe(experiment: Experiment[Any], seed: int) -> dict[str, Any]:
    """The experiment, ready for JSON, with every option."""
    parameters = dataclasses.asdict(experiment)
    return {"experiment": experiment.name, "title": experiment.title, "parameters": parameters, "seed": seed}


def surroundings() -> dict[str, Any]:
    """Where it ran, ready for JSON: the device, the precision, and the versions of what matters."""
    device = jax.devices()[0]
    cores = f", {os.cpu_count()} cores" if device.platform == "cpu" else ""
    packages = ("jaxchemo", "jax", "jaxlib", "equinox", "numpy")
    return {
        "device": f"{device.device_kind} ({device.platform}{cores})",
        "precision": jnp.zeros(()).dtype.name,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in packages}},
    }


def measure(outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, Any]]:
    """The numbers of several outcomes by name, each with its distance to the first."""
    first = next(iter(outcomes.values()))
    return {name: outcome.numbers(None if outcome is first else first) for name, outcome in outcomes.items()}


def _integrals(frames: Any, volumes: np.ndarray) -> np.ndarray:
    """The integral of each frame, summed in double precision: in single, the rounding is larger than the drift."""
    weighted = np.asarray(frames) * volumes
    return weighted.reshape(len(weighted), -1).sum(axis=1, dtype=np.float64)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
