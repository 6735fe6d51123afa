"""Optimal control: when to release an attractant, and where, so that cells are in a target at the end."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from jaxtyping import Array, Float

from jaxchemo import initial
from jaxchemo._progress import Report, silent
from jaxchemo.domain import Grid
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import (
    even_steps,
    final_time,
    full_shape,
    grid_cells,
    in_turn,
    non_negative,
    option,
    positive,
    real,
    several,
    time_step,
    whole,
)
from jaxchemo.integrate import SaveAt, solve
from jaxchemo.methods import FiniteVolume
from jaxchemo.models import Decay, Logarithmic, Model, PiecewiseLinear, Signal, Species, Sum, Supply
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

FINER = 2  # times the cells, on the grid that checks the optimum
FRAMES = 50  # of the course that is drawn
NUDGE = 1e-3  # of the free numbers, where the gradient is compared with differences

Strengths = Float[Array, "sources times"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """A schedule of releases, and what it comes to.

    **Fields:**

    - `strengths`: of each source at each of the times between which it changes linearly `(s, k)` [amount / time].
    - `gathered`: share of the cells that is in the target at the end.
    - `released`: by all sources together [amount].
    - `cost`: `1 - gathered + price * released`.
    - `steps`: of the search that found it; `converged`: whether it ended before its steps did.

    >>> import dataclasses
    >>> [field.name for field in dataclasses.fields(jc.experiments.Plan)][:3]
    ['strengths', 'gathered', 'released']
    """

    strengths: Float[np.ndarray, "s k"]
    gathered: float
    released: float
    cost: float
    steps: int
    converged: bool


@dataclasses.dataclass(frozen=True)
class Gathering:
    """The best schedules of each kind, and the checks of the best of all.

    **Fields:**

    - `plans`: by name, `"constant"`, `"pulse"` and `"optimal"`.
    - `finer`: the optimal schedule on a grid of twice the cells; `again`: the best one there, searched from it.
    - `gradient_error`: of the derivative of the cost along a random direction, relative to a difference of costs.
    - `course`: density at a number of times by the optimal schedule `(t, x)` [mass / length]; `signal` likewise.
    - `times`: of these [time].
    - `ends`: densities at the end by plan `(x,)` [mass / length].

    >>> import dataclasses
    >>> [field.name for field in dataclasses.fields(jc.experiments.Gathering)][:2]
    ['plans', 'finer']
    """

    plans: dict[str, Plan]
    finer: Plan
    again: Plan
    gradient_error: float
    course: Float[np.ndarray, "t x"]
    signal: Float[np.ndarray, "t x"]
    times: Float[np.ndarray, " t"]
    ends: dict[str, Float[np.ndarray, " x"]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GatherCells(Experiment[Gathering]):
    """Cells in a channel that climb an attractant, which sources release: when should each of them, and how much?

    At the end as many cells as possible are to be in a target, and what is released has its price:
    `cost = 1 - gathered + price * released`. The attractant diffuses and decays, and cells sense its logarithm, so that
    a source close to the target is not felt from afar, and one at the start holds the cells back later. Gradients of
    the cost pass backwards through the whole run. The best schedule is compared with the best sources of constant
    strength, and with the best that release all in the first interval; and sought again on a finer grid.

    **Arguments:**

    - `mobility`, `sensitivity`, `threshold`: of the cells, whose drift is `sensitivity grad ln(c + threshold)`
      [length^2 / time], [concentration].
    - `diffusivity`, `decay`: of the attractant [length^2 / time], [1 / time].
    - `length`: of the channel; `start`, `width`: middle and standard deviation of the cells at the start [length].
    - `places`, `spread`: middles and standard deviation of the sources [length].
    - `target`: its two ends [length].
    - `most`: largest strength of a source [amount / time]; `price`: of what is released [1 / amount].
    - `intervals`: between whose ends a strength changes linearly; `t1`: end [time].
    - `shape`, `dt`: cells of the grid, and time step [time].
    - `max_steps`: of each search.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.GatherCells(intervals=4)
    >>> experiment.title
    'Sources that gather cells in a target'
    >>> experiment.knots.tolist()
    [0.0, 5.0, 10.0, 15.0, 20.0]
    """

    name: ClassVar[str] = "gather-cells"
    title: ClassVar[str] = "Sources that gather cells in a target"
    description: ClassVar[str] = (
        "Sources along a channel release an attractant, by a schedule that gradients through the whole run find: at "
        "the end as many cells as possible are in a target, and what is released has its price. Compared with "
        "constant sources and with a pulse, each as good as it can be."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)

    mobility: float = option(0.05, positive, "diffusivity of the cells", "length² / time")
    sensitivity: float = option(0.4, positive, "drift per relative gradient", "length² / time")
    threshold: float = option(0.01, positive, "concentration that cells feel", "concentration")
    diffusivity: float = option(0.5, positive, "of the attractant", "length² / time")
    decay: float = option(0.5, non_negative, "of the attractant", "1 / time")
    length: float = option(10.0, positive, "of the channel", "length")
    start: float = option(2.0, positive, "middle of the cells at the start", "length")
    width: float = option(0.5, positive, "standard deviation of the cells at the start", "length")
    places: tuple[float, ...] = option((3.5, 5.5, 7.5), several(positive), "of the sources", "length")
    spread: float = option(0.3, positive, "standard deviation of a source", "length")
    target: tuple[float, float] = option((7.0, 8.0), in_turn(real, real), "ends of the target", "length")
    most: float = option(1.0, positive, "largest strength of a source", "amount / time")
    price: float = option(0.02, non_negative, "of what is released", "1 / amount")
    intervals: int = option(8, whole(2), "between whose ends a strength changes linearly")
    t1: float = final_time(20.0)
    shape: tuple[int, ...] = grid_cells((100,))
    dt: float = time_step(0.02)
    max_steps: int = option(100, whole(), "of each search")

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.target
        if not 0 <= low < high <= self.length:
            raise ValueError(f"`target` must be two rising places from 0 to {self.length:g}, got {self.target}.")
        for name in ("start", "places"):
            values = np.atleast_1d(getattr(self, name))
            if (values >= self.length).any():
                raise ValueError(f"`{name}` must lie in the channel, from 0 to {self.length:g}, got {values.tolist()}.")

    @property
    def knots(self) -> Float[np.ndarray, " k"]:
        """Times between which a strength changes linearly [time]."""
        return np.linspace(0.0, self.t1, self.intervals + 1)

    def grid(self, finer: int = 1) -> Grid:
        """The channel, with so many times the cells."""
        (cells,) = full_shape(self.shape, 1)
        return Grid.box(0.0, self.length, finer * cells)

    def problem(self, strengths: Strengths, finer: int = 1) -> Problem:
        """Cells that climb what the sources release by a schedule.

        **Arguments:**

        - `strengths`: of each source at each of the knots, non-negative [amount / time].
        - `finer`: times the cells of the grid. Default 1.
        """
        grid = self.grid(finer)
        sources = []
        for place, row in zip(self.places, strengths, strict=True):
            bell = jnp.exp(-0.5 * ((grid.axes[0] - place) / self.spread) ** 2)
            sources.append(Supply(bell / grid.integrate(bell), PiecewiseLinear(self.knots.tolist(), row)))
        taxis = {"c": Logarithmic(self.sensitivity, self.threshold)}
        made = Signal(Sum(*sources, Decay(self.decay)), self.diffusivity)
        cells = initial.gaussian(mass=1.0, center=self.start, std=self.width)
        return Problem(
            Model({"rho": Species(self.mobility, taxis)}, {"c": made}), grid, cells, initial.uniform(amplitude=0.0)
        )

    def outcome(self, strengths: Strengths, finer: int = 1) -> tuple[Float[Array, ""], Float[Array, ""], RESULTS]:
        """Share of the cells in the target at the end, what is released [amount], and how the run ended."""
        solution = solve(self.problem(strengths, finer), FiniteVolume(), t1=self.t1, dt=self._step(finer), throw=False)
        grid, (low, high) = self.grid(finer), self.target
        edges = np.linspace(0.0, self.length, grid.shape[0] + 1)
        # A cell that the target ends in counts by the part of it that is inside.
        inside = np.maximum(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0.0)
        gathered = jnp.sum(inside * solution.final.density)
        return gathered, jnp.sum(jnp.trapezoid(strengths, self.knots, axis=1)), solution.result

    def cost(self, strengths: Strengths, finer: int = 1) -> Float[Array, ""]:
        """`1 - gathered + price * released`; infinite where a run does not go well, so that a search keeps away."""
        gathered, released, result = self.outcome(strengths, finer)
        return jnp.where(result == RESULTS.successful, 1 - gathered + self.price * released, jnp.inf)

    def strengths(self, free: Float[Array, "s k"]) -> Strengths:
        """Between zero and `most`, of numbers without bounds; of one column, constant."""
        return jnp.broadcast_to(self.most * jax.nn.sigmoid(free), (len(self.places), self.intervals + 1))

    def pulse(self, free: Float[Array, "s k"]) -> Strengths:
        """Strongest at once, and nothing after the first interval."""
        return jnp.where(self.knots > 0, 0.0, self.strengths(free))

    def run(self, seed: int = 0, report: Report = silent) -> Gathering:
        """Seeks the best schedule of each kind, and checks the best of all.

        **Raises:** as `jc.solve`; `ValueError` where no run goes well from where the search begins.
        """
        report("the best sources of constant strength")
        constant = self._sought(self.strengths, self._alone)
        report("the best pulse")
        pulse = self._sought(self.pulse, self._alone)
        report("the best schedule")
        # Not at the bounds, where a search would not get away from.
        starts = [self._relay, *(self._free(plan.strengths, 0.05) for plan in (constant, pulse))]
        error = self._gradient_error(self._relay, seed)
        optimal = self._sought(self.strengths, starts)
        report(f"the same on {FINER} times the cells")
        finer = self._plan(jnp.asarray(optimal.strengths), FINER, optimal.steps, optimal.converged)
        again = self._sought(self.strengths, [self._free(optimal.strengths, 1e-3)], FINER)
        plans = {"constant": constant, "pulse": pulse, "optimal": optimal}
        times = np.linspace(0.0, self.t1, FRAMES + 1)
        shown = {name: self._course(plan.strengths) for name, plan in plans.items()}
        densities, signals = shown["optimal"]
        ends = {name: course[0][-1] for name, course in shown.items()}
        return Gathering(plans, finer, again, error, densities, signals, times, ends)

    def numbers(self, outcome: Gathering) -> dict[str, Any]:
        """Schedules and what they come to, ready for JSON."""
        plans = {**outcome.plans, "on_finer_grid": outcome.finer, "sought_on_finer_grid": outcome.again}
        return {
            "knots": self.knots.tolist(),
            "plans": {name: {**vars(plan), "strengths": plan.strengths.tolist()} for name, plan in plans.items()},
            "gradient_error": outcome.gradient_error,
        }

    def lines(self, outcome: Gathering) -> list[str]:
        said = []
        for name, plan in outcome.plans.items():
            ended = f"{plan.steps} steps" if plan.converged else f"not converged in {plan.steps} steps"
            said.append(
                f"{name:>9}: {plan.gathered:.1%} of the cells in the target for {plan.released:.3g} released, "
                f"cost {plan.cost:.4f} ({ended})"
            )
        finer, again, best = outcome.finer, outcome.again, outcome.plans["optimal"]
        return [
            *said,
            f"on {FINER} times the cells the optimal schedule gathers {finer.gathered:.1%}, cost {finer.cost:.4f}; the "
            f"best one there {again.gathered:.1%} for {again.released:.3g}, cost {again.cost:.4f}",
            f"it differs by {np.abs(again.strengths - best.strengths).max():.2g} in strength at most",
            f"the gradient agrees with a difference of costs to {outcome.gradient_error:.1g}",
        ]

    def draw(self, outcome: Gathering, folder: Path) -> Path:
        from jaxchemo.experiments.steering import gather_figure

        gather_figure.gathering(self, outcome).savefig(folder / "gathered.png")
        return folder / "gathered.png"

    @property
    def _alone(self) -> list[Array]:
        """To start with one source at a time: where several are open, cells stay at the first, and nothing pays."""
        count = len(self.places)
        return [self._free(np.eye(count)[:, [k]] * 0.5 * self.most, 0.02) for k in range(count)]

    @property
    def _relay(self) -> Array:
        """To start with: each source open in its turn."""
        turn = np.minimum(len(self.places) * self.knots / self.t1, len(self.places) - 1).astype(int)
        return self._free(0.5 * self.most * (turn == np.arange(len(self.places))[:, None]), 0.02)

    def _free(self, strengths: Float[np.ndarray, "s k"], margin: float) -> Float[Array, "s k"]:
        share = jnp.clip(jnp.asarray(strengths) / self.most, margin, 1 - margin)
        return jnp.log(share / (1 - share))

    def _sought(self, made: Callable[[Array], Strengths], starts: list[Array], finer: int = 1) -> Plan:
        """The best of the schedules that searches from these free numbers end at: cells that reach no target tell
        nothing of the way there, so that one search may end at no release at all.

        Steps are quasi-Newton; those to runs that fail are refused.
        """

        @eqx.filter_jit
        def sought(start: Array) -> Any:
            def cost(free: Array, _: None) -> Array:
                return self.cost(made(free), finer)

            solver = optimistix.BFGS(rtol=1e-3, atol=1e-4)
            return optimistix.minimise(cost, solver, start, max_steps=self.max_steps, throw=False)

        plans = []
        for each in map(sought, starts):
            converged = bool(each.result == optimistix.RESULTS.successful)
            plans.append(self._plan(made(each.value), finer, int(each.stats["num_steps"]), converged))
        return min(plans, key=lambda plan: plan.cost)

    def _plan(self, strengths: Strengths, finer: int, steps: int, converged: bool) -> Plan:
        gathered, released, result = eqx.filter_jit(self.outcome)(strengths, finer)
        if not bool(result == RESULTS.successful):
            raise ValueError(f"A run of the sources does not go well, with dt={self.dt:g}: {RESULTS[result]}")
        cost = 1 - gathered + self.price * released
        return Plan(np.asarray(strengths), float(gathered), float(released), float(cost), steps, converged)

    def _gradient_error(self, free: Array, seed: int) -> float:
        cost = eqx.filter_jit(lambda free: self.cost(self.strengths(free)))
        along = jax.random.normal(jax.random.key(seed), free.shape, free.dtype)
        slope = float(jnp.sum(eqx.filter_jit(jax.grad(cost))(free) * along))
        difference = float(cost(free + NUDGE * along) - cost(free - NUDGE * along)) / (2 * NUDGE)
        return abs(slope / difference - 1)

    def _course(self, strengths: Float[np.ndarray, "s k"]) -> tuple[np.ndarray, np.ndarray]:
        steps = even_steps(self.t1, self.dt, FRAMES)
        saveat = SaveAt(every=steps // FRAMES, fn=lambda shown: (shown.density, shown.signal))
        settings = {"t1": self.t1, "dt": self.t1 / steps, "saveat": saveat}
        shown = solve(self.problem(jnp.asarray(strengths)), FiniteVolume(), **settings).ys
        return np.asarray(shown[0]), np.asarray(shown[1])

    def _step(self, finer: int) -> float:
        """Shorter on finer grids, as the square of their spacing [time]."""
        return self.t1 / even_steps(self.t1, self.dt / finer**2, FRAMES)
