"""Swimming cells one by one: they run, sense, remember and tumble, as many as fit into memory."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxchemo import _checks
from jaxchemo.domain import Dirichlet, FreeSpace, Grid
from jaxchemo.initial import AbstractPoints, Particles, Sobol
from jaxchemo.methods.base import INIT, NOISE, AbstractMethod, Snapshot, StepInfo, box, place, stream
from jaxchemo.methods.cells import Cells, end_rate
from jaxchemo.methods.events import AbstractEvents, OnceAStep
from jaxchemo.methods.headings import anywhere
from jaxchemo.methods.sensing import Surroundings, check_signals, check_walls, shown
from jaxchemo.models.run_and_tumble import CELLS
from jaxchemo.particles import bspline, deposit
from jaxchemo.problem import Problem


class Agents(AbstractMethod):
    """`RunAndTumble` cells one by one.

    Cells may differ: each number of the model may be one for all, or an array `(num_cells,)`.

    On a CPU, many cells that meet a formula go faster in blocks of some 20,000, which fit into its cache:
    `jax.lax.map(lambda key: jc.solve(problem, Agents(20_000), key=key, ...), jax.random.split(key, blocks))`.

    A tumble has no derivative along a path: gradients through a run of agents miss how parameters change who tumbles.
    Use `score_gradient` of `jaxchemo.inference`, or differentiate `Kinetic` or `FokkerPlanck`.

    **Arguments:**

    - `num_cells`: how many. Default 20,000.
    - `points`: initial positions: `Sobol()` (default) or `Random()`.
    - `events`: when they tumble: `OnceAStep()` (default), second order in the step, or `Thinning(bound)`, exact.
    - `deposit_order`: B-spline order of the density that cells make on the grid, 0 to 3. Default 1.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.
    """

    num_cells: int = eqx.field(static=True)
    points: AbstractPoints
    events: AbstractEvents
    deposit_order: int = eqx.field(static=True)

    def __init__(
        self,
        num_cells: int = 20_000,
        *,
        points: AbstractPoints = Sobol(),
        events: AbstractEvents = OnceAStep(),
        deposit_order: int = 1,
    ):
        self.num_cells = _checks.natural("num_cells", num_cells)
        self.points = _checks.instance("points", points, AbstractPoints, "Sobol() or Random()")
        self.events = _checks.instance("events", events, AbstractEvents, "OnceAStep() or Thinning(bound)")
        self.deposit_order = bspline.checked("deposit_order", deposit_order)

    @property
    def stochastic(self) -> bool:
        return True

    @property
    def name(self) -> str:
        return "agents"

    def check(self, problem):
        model, grid = problem.swimmers, place(problem)
        check_signals(problem)
        check_walls(problem)
        for wall in grid.walls if isinstance(grid, Grid) else ():
            if isinstance(wall, Dirichlet) and wall.closed(CELLS)[0]:
                raise ValueError(
                    f"`grid`: {wall!r} holds a signal and keeps the cells in, which agents cannot follow: FokkerPlanck "
                    "would do, or NoFlux() walls."
                )
        if grid.ndim == 1 and model.rotational_diffusion is not None:
            raise ValueError("`rotational_diffusion` has no meaning in one dimension: leave it out.")
        self.events.check(problem)
        if (shape := model.shape(grid.ndim)) not in ((), (self.num_cells,)):
            raise ValueError(f"Numbers that differ between cells must have the shape ({self.num_cells},), got {shape}.")
        condition = problem.density[CELLS]
        if isinstance(condition, Particles):
            if condition.positions.shape[0] != self.num_cells:
                raise ValueError(
                    f"`num_cells` is {self.num_cells}, but the initial condition has {condition.positions.shape[0]}."
                )
        elif isinstance(grid, FreeSpace) and not condition.unbounded:
            raise TypeError(f"In FreeSpace, `density` must be known everywhere, as a Gaussian is, got {condition!r}.")

    def init(self, problem, *, key=None):
        model, grid = problem.swimmers, place(problem)
        key = stream(key, INIT)
        places, directions, speeds, tumbles = jax.random.split(key, 4)
        condition, n = problem.density[CELLS], self.num_cells
        if isinstance(condition, Particles):
            x = tuple(jnp.asarray(condition.positions).T)
            weight = jnp.asarray(condition.mass / n, x[0].dtype)
        else:
            x = tuple(condition.sample(places, n, grid, self.points).T)
            weight = jnp.asarray(condition.mass_in(grid) / n, x[0].dtype)
        absorbing = isinstance(grid, Grid) and grid.absorbing
        headings = anywhere(directions, n, grid.ndim, x[0].dtype)
        pace = None
        if model.speed_spread is not None:  # log-normal of mean 1
            width = jnp.sqrt(jnp.log1p(model.speed_spread**2))
            pace = jnp.exp(width * jax.random.normal(speeds, (n,), x[0].dtype) - 0.5 * width**2)
        weights = jnp.full(n, weight) if absorbing else weight
        cells = Cells(x, headings, None, None, pace, weights, Surroundings.of(problem))
        cells = dataclasses.replace(cells, memory=model.tumble_rate.rest(cells.cue(problem)))
        now = cells.moment(problem)
        if (ends := end_rate(problem, now)) is None:
            return cells
        tumbling = jax.random.uniform(tumbles, (n,)) < now.rate / (now.rate + ends)
        return dataclasses.replace(cells, tumbling=tumbling)

    def step(self, problem, state, n, t, dt, *, key=None):
        if state.surroundings.fields:
            later = state.surroundings.after(problem, self._density(problem, state), t, dt)
            state = dataclasses.replace(state, surroundings=later)
        state, result = self.events.advance(problem, state, dt, jax.random.fold_in(stream(key, NOISE), n))
        return state, StepInfo(result)

    def stable_dt(self, problem, state):
        """As `events` advises, and where fields are on a grid no more than that cells cross half a cell of it."""
        longest = self.events.longest(state.moment(problem).rate)
        shortest = min(box(problem).spacing) if state.surroundings.fields else math.inf
        return jnp.minimum(longest, 0.5 * shortest / jnp.max(state.speed(problem)))

    def snapshot(self, problem, state):
        density = self._density(problem, state) if isinstance(problem.grid, Grid) else None
        positions, headings = (jnp.stack(part, axis=1) for part in (state.positions, state.headings))
        return Snapshot(density, shown(problem, state.surroundings), positions, state.weights, headings, state.memory)

    def _density(self, problem: Problem, state: Cells) -> Array:
        grid = box(problem)
        return deposit(state.positions, state.weights / grid.cell_volume, grid, self.deposit_order)
