"""Where in the space of parameters patterns form at all: linear theory, and runs on both sides of its boundary."""

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxchemo._progress import Report, silent
from jaxchemo.analysis import critical_value, fastest, linearised
from jaxchemo.domain import Grid, NoFlux
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import (
    even_steps,
    final_time,
    full_shape,
    grid_cells,
    in_turn,
    option,
    positive,
    time_step,
    whole,
)
from jaxchemo.initial import function
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import FiniteVolume, IMEXRosenbrock
from jaxchemo.models import Model, logistic_chemotaxis
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True)
class Map:
    """Growth rates over both parameters, critical sensitivities, and the runs: where, predicted and measured rate."""

    sensitivities: Float[np.ndarray, " n"]
    decays: Float[np.ndarray, " m"]
    rates: Float[np.ndarray, "m n"]
    critical: Float[np.ndarray, " m"]
    runs: list[tuple[float, float, float, float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StabilityMap(Experiment[Map]):
    """Where patterns form in the logistic model, over sensitivity and decay: theory, and runs on both sides.

    **Arguments:**

    - `sensitivities`, `decays`: first and last value of each, and how many.
    - `diffusivity`: of the signal [length^2 / time].
    - `aside`: the runs have sensitivities by this share below and above the critical ones.
    - `shape`: cells of a run on half a wave between walls; `dt`: its step, `t1`: how long it grows [time].

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.StabilityMap(aside=0.05)
    >>> experiment.title
    'Where patterns form: linear theory beside runs'
    >>> experiment.decays
    (0.02, 0.6, 30)
    """

    name: ClassVar[str] = "stability-map"
    title: ClassVar[str] = "Where patterns form: linear theory beside runs"
    description: ClassVar[str] = (
        "The growth rate of the fastest wave about the uniform state of the logistic model, from the model's own "
        "terms; the sensitivity at which it is zero; and runs on both sides, in which that wave grows or decays."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    sensitivities: tuple[float, float, int] = option(
        (2.0, 8.0, 61), in_turn(positive, positive, whole(2)), "first, last, and how many", "length² / time / conc."
    )
    decays: tuple[float, float, int] = option(
        (0.02, 0.6, 30), in_turn(positive, positive, whole(2)), "of the signal: first, last, and how many", "1 / time"
    )
    diffusivity: float = option(1.0, positive, "of the signal", "length² / time")
    aside: float = option(0.08, positive, "share by which runs are below and above the critical sensitivities")
    shape: tuple[int, ...] = grid_cells((32,))
    dt: float = time_step(0.01)
    t1: float = final_time(10.0)

    def run(self, seed: int = 0, report: Report = silent) -> Map:
        """Growth rates, critical sensitivities, and runs at five decays.

        **Raises:** as `jc.solve`.
        """
        c, a = (np.linspace(*values) for values in (self.sensitivities, self.decays))

        def rate(strength, decay):
            return fastest(*self._state(strength, decay), 200.0, 0.5).rate

        def critical(decay):
            return critical_value(lambda strength: self._state(strength, decay), 1.0, 20.0, 200.0, 0.5)

        report("growth rates")
        rates = jax.jit(jax.vmap(jax.vmap(rate, (0, None)), (None, 0)))(jnp.asarray(c), jnp.asarray(a))
        report("critical sensitivities")
        bounds = np.asarray(jax.lax.map(jax.jit(critical), jnp.asarray(a)))
        runs = []
        report("runs on both sides")
        for k in np.linspace(0, len(a) - 1, 7).round().astype(int)[1:-1]:
            for side in (-1, 1):
                strength, decay = float(bounds[k]) * (1 + side * self.aside), float(a[k])
                runs.append((strength, decay, *self._grow(strength, decay)))
        return Map(c, a, np.asarray(rates), bounds, runs)

    def numbers(self, outcome: Map) -> dict[str, Any]:
        """Critical sensitivities, and each run with the rate predicted and the rate measured, ready for JSON."""
        keys = ("sensitivity", "decay", "predicted_rate", "measured_rate")
        return {
            "decays": outcome.decays.tolist(),
            "critical_sensitivities": outcome.critical.tolist(),
            "runs": [dict(zip(keys, run, strict=True)) for run in outcome.runs],
        }

    def lines(self, outcome: Map) -> list[str]:
        right = sum((predicted > 0) == (measured > 0) for *_, predicted, measured in outcome.runs)
        worst = max(abs(predicted - measured) for *_, predicted, measured in outcome.runs)
        return [
            f"{right} of {len(outcome.runs)} runs grow or decay as predicted",
            f"largest difference of a growth rate from the predicted one: {worst:.1e}",
        ]

    def draw(self, outcome: Map, folder: Path) -> Path:
        from jaxchemo.experiments.stability import figures

        figure = figures.stability_map(
            outcome.sensitivities,
            outcome.decays,
            outcome.rates,
            outcome.critical,
            [(strength, decay, measured > 0) for strength, decay, _, measured in outcome.runs],
            xlabel="sensitivity [length² / time / concentration]",
            ylabel="decay of the signal [1 / time]",
        )
        figure.savefig(folder / "stability.png")
        return folder / "stability.png"

    def _state(self, strength, decay) -> tuple[Model, dict[str, Any]]:
        model = logistic_chemotaxis(strength, 1.0, self.diffusivity, decay)
        return model, {"rho": 1.0, "c": 1 / decay}

    def _grow(self, strength: float, decay: float) -> tuple[float, float]:
        """Rate at which the fastest wave should grow, and the one at which it does: its logarithm over time."""
        model, state = self._state(strength, decay)
        wave = fastest(model, state, 200.0, 0.5)
        half = math.pi / float(wave.wavenumber)
        grid = Grid.box(0.0, half, full_shape(self.shape, 1), NoFlux())

        values, vectors = np.linalg.eig(np.asarray(linearised(model, state, wave.wavenumber)))
        vector = np.real(vectors[:, np.argmax(np.real(values))])

        def bump(level, size):
            # So small that linear theory still holds after it has grown.
            height = 1e-3 * float(size / vector[0])
            return function(lambda x: level + height * jnp.cos(math.pi * x[..., 0] / half))

        problem = Problem(model, grid, bump(1.0, vector[0]), bump(state["c"], vector[1]))
        steps = even_steps(self.t1, self.dt, 1)
        saveat = SaveAt(every=steps)
        method = FiniteVolume(IMEXRosenbrock())
        run = solve(problem, method, t1=self.t1, dt=self.t1 / steps, saveat=saveat, adjoint=Forward())
        shape = jnp.cos(math.pi * grid.axes[0] / half)
        first, last = (float(jnp.mean(density * shape)) for density in run.ys.density)
        return float(wave.rate), math.log(abs(last / first)) / self.t1
