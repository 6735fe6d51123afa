"""What came out of an experiment, in numbers: for tables, and for the summary that stays on disk."""

import dataclasses
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxchemo.analysis import relative_distance
from jaxchemo.analysis.invariants import signal_amounts
from jaxchemo.domain import AbstractGrid
from jaxchemo.experiments.base import Experiment
from jaxchemo.integrate import Solution
from jaxchemo.methods import AbstractFixedStep
from jaxchemo.plotting.diagnostics import history
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

WIDTH = 0.25  # densities are compared after both are mollified by a Gaussian this wide [length]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A problem, a method and the solution that `Experiment.solve` made of them."""

    problem: Problem
    method: AbstractFixedStep
    solution: Solution

    def numbers(self, reference: "Outcome | None" = None) -> dict[str, Any]:
        """How the run went, ready for JSON.

        **Arguments:**

        - `reference`: the outcome that the final density is compared with, on the same grid. Default: none.

        **Returns:** the names and units are:

        - `method`, `result`: the method's parts, and how it ended.
        - `shape`, `num_particles`, `num_steps`, `dt`, `t1`: what was run; `None` where there are no particles.
        - `compile_seconds`, `seconds`, `milliseconds_per_step`: of what was computed now, not before an interruption;
          the last is `None` if that was nothing.
        - `mass_drift`: largest relative change of mass, `None` where cells grow; `min_density`, over all saved frames
          [mass / length^d].
        - `mass`, `second_moment`: at the end [mass], [length^2].
        - `signal_left`: at the end [share of the start]; `None` where there was none, by name if there are several.
        - `distance`: relative L2 distance of the final densities, mollified over `WIDTH`; `None` without a reference.
        """
        stats, grid = self.solution.stats, self.problem.domain
        assert isinstance(grid, AbstractGrid)
        found = history(self.problem, self.solution)
        grows = any(one.growth is not None for one in self.problem.continuum.species.values())
        amounts = {name: found[key] for name, key in signal_amounts(found).items()}
        left = {name: float(amount[-1] / amount[0]) if amount[0] else None for name, amount in amounts.items()}
        distance = None
        if reference is not None:
            densities = self.solution.final.density, reference.solution.final.density
            distance = float(relative_distance(*densities, grid, WIDTH))
        return {
            "method": repr(self.method),
            "result": RESULTS[self.solution.result],
            "shape": list(grid.shape),
            "num_particles": getattr(self.method, "num_particles", None),
            "num_steps": int(stats["num_steps"]),
            "dt": float(stats["dt"]),
            "t1": float(self.solution.ts[-1]),
            "compile_seconds": float(stats["compile_seconds"]),
            "seconds": float(stats["seconds"]),
            "milliseconds_per_step": 1e3 * float(stats["seconds_per_step"]) or None,
            "mass_drift": None if grows else float(np.max(np.abs(found["mass"] / found["mass"][0] - 1))),
            "min_density": float(np.min(found["minimum"])),
            "mass": float(found["mass"][-1]),
            "second_moment": float(found["second_moment"][-1]),
            "signal_left": next(iter(left.values())) if len(left) == 1 else left,
            "distance": distance,
        }


def describe(experiment: Experiment, problem: Problem) -> dict[str, Any]:
    """The experiment and its problem, ready for JSON: every parameter, and the equations solved."""
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "parameters": dataclasses.asdict(experiment),
        "equations": problem.model.equations().splitlines(),
        "domain": repr(problem.domain),
    }


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
    return {name: one.numbers(None if one is first else first) for name, one in outcomes.items()}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
