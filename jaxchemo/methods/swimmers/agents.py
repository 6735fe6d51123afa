"""Swimmers one by one: they run, sense, remember and tumble, as many as fit into memory."""

import dataclasses
import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.domain import Components, FreeSpace, Grid
from jaxchemo.features import Feature
from jaxchemo.initial import AbstractPoints, Particles, Sobol
from jaxchemo.methods.base import INIT, NOISE, AbstractFixedStep, Snapshot, StepInfo, box, cartesian, stream
from jaxchemo.methods.swimmers.events import AbstractEvents, OnceAStep
from jaxchemo.methods.swimmers.headings import anywhere
from jaxchemo.methods.swimmers.state import Swimmers, end_rate
from jaxchemo.methods.swimmers.surroundings import Surroundings, check_signals, shown
from jaxchemo.models.run_and_tumble import DENSITY
from jaxchemo.particles import bspline, deposit
from jaxchemo.problem import Problem


class Agents(AbstractFixedStep):
    """`RunAndTumble` swimmers one by one.

    They may differ: each number of the model may be the same for all, or an array `(num_agents,)`.

    On a CPU, many agents that meet a formula go faster in blocks of some 20,000, which fit into its cache:
    `jax.lax.map(lambda key: jc.solve(problem, Agents(20_000), key=key, ...), jax.random.split(key, blocks))`.

    A tumble has no derivative along a path: gradients through a run of agents miss how parameters change who tumbles.
    Use `score_gradient` of `jaxchemo.inference`, or differentiate `Kinetic` or `FokkerPlanck`.

    **Arguments:**

    - `num_agents`: how many. Default 20,000.
    - `points`: initial positions: `Sobol()` (default) or `Random()`.
    - `events`: when they tumble: `OnceAStep()` (default), second order in the step, or `Thinning(bound)`, exact.
    - `deposit_order`: B-spline order of the density that agents make on the grid, 0 to 3. Default 1.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> jc.Agents(1_000, events=jc.Thinning(bound=2.0))
    Agents(num_agents=1000, points=Sobol(), events=Thinning(bound=2), deposit_order=1)
    """

    solves: ClassVar = frozenset(
        {
            Feature.SWIMMERS,
            Feature.SEVERAL_SIGNALS,
            Feature.LOCAL_SIGNALS,
            Feature.DIFFUSING_SIGNALS,
            Feature.SLAVED_SIGNALS,
            Feature.OTHER_KINETICS,
            Feature.MEMORY,
            Feature.TUMBLE_DURATION,
            Feature.SPEED_SPREAD,
            Feature.OWN_NUMBERS,
            Feature.ROTATIONAL_DIFFUSION,
            Feature.BOX,
            Feature.FREE_SPACE,
            Feature.SEVERAL_DIMENSIONS,
            Feature.WALLS,
            Feature.ABSORBING_WALLS,
        }
    )

    num_agents: int = eqx.field(static=True)
    points: AbstractPoints
    events: AbstractEvents
    deposit_order: int = eqx.field(static=True)

    def __init__(
        self,
        num_agents: int = 20_000,
        *,
        points: AbstractPoints = Sobol(),
        events: AbstractEvents = OnceAStep(),
        deposit_order: int = 1,
    ):
        self.num_agents = _checks.natural("num_agents", num_agents)
        self.points = _checks.instance("points", points, AbstractPoints, "Sobol() or Random()")
        self.events = _checks.instance("events", events, AbstractEvents, "OnceAStep() or Thinning(bound)")
        self.deposit_order = bspline.checked("deposit_order", deposit_order)

    @property
    def stochastic(self) -> bool:
        return True

    @property
    def name(self) -> str:
        return "agents"

    @property
    def reverse_mode(self) -> bool:
        return self.events.reverse_mode

    def check_parts(self, problem):
        """**Raises:** `ValueError` or `TypeError` for a domain, numbers, signals or a density that do not fit."""
        model, grid = problem.swimmers, cartesian(problem)
        check_signals(problem)
        if grid.ndim == 1 and model.rotational_diffusion is not None:
            raise ValueError("`rotational_diffusion` has no meaning in one dimension: leave it out.")
        self.events.check(problem)
        if (shape := model.shape(grid.ndim)) not in ((), (self.num_agents,)):
            raise ValueError(
                f"Numbers that differ between agents must have the shape ({self.num_agents},), got {shape}."
            )
        condition = problem.density[DENSITY]
        if isinstance(condition, Particles):
            if condition.positions.shape[0] != self.num_agents:
                raise ValueError(
                    f"`num_agents` is {self.num_agents}, but the initial condition has {condition.positions.shape[0]}."
                )
        elif isinstance(grid, FreeSpace) and not condition.unbounded:
            raise TypeError(f"In FreeSpace, `density` must be known everywhere, as a Gaussian is, got {condition!r}.")

    def init(self, problem, *, key=None):
        grid, key = cartesian(problem), stream(key, INIT)
        places, directions, speeds, tumbles = jax.random.split(key, 4)
        condition, n = problem.density[DENSITY], self.num_agents
        if isinstance(condition, Particles):
            x = tuple(jnp.asarray(condition.positions).T)
            weight = jnp.asarray(condition.mass / n, x[0].dtype)
        else:
            x = tuple(condition.sample(places, n, grid, self.points).T)
            weight = jnp.asarray(condition.mass_in(grid) / n, x[0].dtype)
        absorbing = isinstance(grid, Grid) and grid.absorbing
        headings = anywhere(directions, n, grid.ndim, x[0].dtype)
        weights = jnp.full(n, weight) if absorbing else weight
        return started(problem, x, headings, weights, speeds, tumbles)[0]

    def step(self, problem, state, n, t, dt, *, key=None):
        if state.surroundings.fields:
            later = state.surroundings.after(problem, self._density(problem, state), t, dt)
            state = dataclasses.replace(state, surroundings=later)
        state, result = self.events.tumble(problem, state, dt, jax.random.fold_in(stream(key, NOISE), n))
        return state, StepInfo(result)

    def stable_dt(self, problem, state):
        """As `events` advises, and where fields are on a grid no more than that agents cross half a cell of it."""
        now = state.moment(problem)
        longest = self.events.longest(now.rate, end_rate(problem, now))
        shortest = min(box(problem).spacing) if state.surroundings.fields else math.inf
        return jnp.minimum(longest, 0.5 * shortest / jnp.max(state.speed(problem)))

    def snapshot(self, problem, state):
        density = self._density(problem, state) if isinstance(problem.domain, Grid) else None
        positions, headings = (jnp.stack(part, axis=1) for part in (state.positions, state.headings))
        return Snapshot(density, shown(problem, state.surroundings), positions, state.weights, headings, state.memory)

    def _density(self, problem: Problem, state: Swimmers) -> Array:
        grid = box(problem)
        return deposit(state.positions, state.weights / grid.cell_volume, grid, self.deposit_order)


def started(
    problem: Problem, x: Components, headings: Components, weights: Array, speeds: PRNGKeyArray, tumbles: PRNGKeyArray
) -> tuple[Swimmers, Array | None]:
    """Swimmers that have long been where they are, and the share of time that each of them tumbles.

    Two keys draw their speeds and who of them is tumbling; `None` where that takes no time.
    """
    model, n = problem.swimmers, x[0].shape[0]
    pace = None
    if model.speed_spread is not None:  # log-normal of mean 1
        width = jnp.sqrt(jnp.log1p(model.speed_spread**2))
        pace = jnp.exp(width * jax.random.normal(speeds, (n,), x[0].dtype) - 0.5 * width**2)
    agents = Swimmers(x, headings, None, None, pace, weights, Surroundings.of(problem))
    agents = dataclasses.replace(agents, memory=model.tumble_rate.rest(agents.cue(problem)))
    now = agents.moment(problem)
    if (ends := end_rate(problem, now)) is None:
        return agents, None
    # At the start as many tumble as would after a long time at these rates.
    share = jnp.broadcast_to(now.rate / (now.rate + ends), (n,))
    return dataclasses.replace(agents, tumbling=jax.random.uniform(tumbles, (n,)) < share), share
