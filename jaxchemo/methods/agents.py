"""Swimming cells one by one: they run, sense, remember and tumble, as many as fit into memory."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.random import threefry_2x32
from jaxtyping import Array, Bool, Float, PRNGKeyArray, UInt32

from jaxchemo import _checks
from jaxchemo.domain import Components, FreeSpace, Grid
from jaxchemo.initial import AbstractPoints, Particles, Sobol
from jaxchemo.methods.base import INIT, NOISE, AbstractMethod, Snapshot, StepInfo, box, stream
from jaxchemo.methods.sensing import Surroundings, check_signals, shown
from jaxchemo.models.run_and_tumble import CELLS
from jaxchemo.models.tumbling import Cue, Moment
from jaxchemo.particles import bspline, deposit
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class Cells(eqx.Module):
    """Swimming cells and their surroundings.

    **Fields:**

    - `positions`, `headings`: one array `(P,)` for each axis [length], and the unit vectors along which they swim.
    - `memory`: what the tumble rate's law remembers of each cell, or `None`.
    - `tumbling`: which cells are tumbling, or `None` where that takes no time.
    - `pace`: the speed of each cell over the mean, or `None` where all are alike.
    - `weights`: mass of a cell: a number, or `(P,)` where walls absorb.
    - `surroundings`: the signals.
    """

    positions: Components
    headings: Components
    memory: Any
    tumbling: Bool[Array, " P"] | None
    pace: Float[Array, " P"] | None
    weights: Float[Array, "..."]
    surroundings: Surroundings


class Agents(AbstractMethod):
    """`RunAndTumble` cells one by one: half a run, a chance to turn, the other half.

    The chance of a turn is the one whose mean effect on the direction is that of the exact process over the step, with
    the rate in its middle: diffusivity, velocity autocorrelation and stationary laws are second order in the step, and
    free velocity autocorrelations exact. In one dimension it is the exact two-state transition.

    A tumble has no derivative along a path: gradients through a run of agents miss how parameters change who tumbles.
    Use `score_gradient` of `jaxchemo.inference`, or differentiate `Kinetic` or `FokkerPlanck`.

    **Arguments:**

    - `num_cells`: how many. Default 20,000.
    - `points`: initial positions: `Sobol()` (default) or `Random()`.
    - `deposit_order`: B-spline order of the density that cells make on the grid, 0 to 3. Default 1.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.
    """

    num_cells: int = eqx.field(static=True)
    points: AbstractPoints
    deposit_order: int = eqx.field(static=True)

    def __init__(self, num_cells: int = 20_000, *, points: AbstractPoints = Sobol(), deposit_order: int = 1):
        self.num_cells = _checks.natural("num_cells", num_cells)
        self.points = _checks.instance("points", points, AbstractPoints, "Sobol() or Random()")
        self.deposit_order = bspline.checked("deposit_order", deposit_order)

    @property
    def stochastic(self) -> bool:
        return True

    @property
    def name(self) -> str:
        return "agents"

    def check(self, problem):
        model, grid = problem.swimmers, _place(problem)
        check_signals(problem)
        if grid.ndim == 1 and model.rotational_diffusion is not None:
            raise ValueError("`rotational_diffusion` has no meaning in one dimension: leave it out.")
        condition = problem.density[CELLS]
        if isinstance(condition, Particles):
            if condition.positions.shape[0] != self.num_cells:
                raise ValueError(
                    f"`num_cells` is {self.num_cells}, but the initial condition has {condition.positions.shape[0]}."
                )
        elif isinstance(grid, FreeSpace):
            raise TypeError("In FreeSpace, `density` must be cells at given places, jc.initial.particles(...).")

    def init(self, problem, *, key=None):
        model, grid = problem.swimmers, _place(problem)
        key = stream(key, INIT)
        places, directions, speeds, tumbles = jax.random.split(key, 4)
        condition, n = problem.density[CELLS], self.num_cells
        if isinstance(condition, Particles):
            x = tuple(jnp.asarray(condition.positions).T)
            weight = jnp.asarray(condition.mass / n, x[0].dtype)
        else:
            x = tuple(condition.sample(places, n, box(problem), self.points).T)
            weight = jnp.asarray(condition.mass_in(box(problem)) / n, x[0].dtype)
        absorbing = isinstance(grid, Grid) and grid.absorbing
        headings = _anywhere(directions, n, grid.ndim, x[0].dtype)
        pace = None
        if model.speed_spread is not None:  # log-normal of mean 1
            width = jnp.sqrt(jnp.log1p(model.speed_spread**2))
            pace = jnp.exp(width * jax.random.normal(speeds, (n,), x[0].dtype) - 0.5 * width**2)
        surroundings = Surroundings.of(problem)
        cue = surroundings.cue(problem, x, headings, model.speed_at(x))
        memory, tumbling = model.tumble_rate.rest(cue), None
        now = model.tumble_rate.live(cue, memory, 0.0, lambda: jnp.zeros_like(x[0]))
        if (ends := self._end_rate(problem, now)) is not None:
            tumbling = jax.random.uniform(tumbles, (n,)) < now.rate / (now.rate + ends)
        weights = jnp.full(n, weight) if absorbing else weight
        return Cells(x, headings, memory, tumbling, pace, weights, surroundings)

    def step(self, problem, state, n, t, dt, *, key=None):
        model = problem.swimmers
        key = jax.random.fold_in(stream(key, NOISE), n)
        surroundings = state.surroundings
        if surroundings.fields:
            surroundings = surroundings.after(problem, self._density(problem, state), t, dt)
        x, headings, kept = self._run(problem, state, state.positions, state.headings, 0.5 * dt)
        cue = surroundings.cue(problem, x, headings, self._speed(problem, state, x))

        def normal() -> Array:
            return jax.random.normal(jax.random.fold_in(key, 1), x[0].shape, x[0].dtype)

        now = model.tumble_rate.live(cue, state.memory, dt, normal)
        # Written down once: fused into each of their uses, the laws of the cells would be evaluated again and again.
        x, now = jax.lax.optimization_barrier((x, now))
        rate = jnp.asarray(now.rate)
        word = _words(key, self.num_cells)
        # The highest bits say whether a cell turns; the others, mixed anew, whither.
        drawn = _uniform(word >> 8, 24, x[0].dtype)
        ends, tumbling = self._end_rate(problem, now), state.tumbling
        if tumbling is None or ends is None:
            turns = drawn < turn_chance(problem, cue, rate, dt)
        else:
            turns = tumbling & (drawn < _within(ends, dt))
            tumbling = jnp.where(tumbling, ~turns, drawn < _within(rate, dt))
        headings = self._turn(problem, headings, turns, tumbling, _mixed(word), dt)
        moved = eqx.tree_at(lambda s: s.tumbling, state, tumbling, is_leaf=lambda leaf: leaf is None)
        x, headings, still = self._run(problem, moved, x, headings, 0.5 * dt)
        weights = state.weights * (kept & still) if state.weights.ndim else state.weights
        # One small number a cell, and the worst of them: a reduction for each question would cost a third of the step.
        wrong = jnp.where(rate * dt <= 1, 0, 1)  # else cells would tumble more than once a step
        wrong = jnp.where(rate < 0, 2, wrong)
        worst = jnp.max(jnp.where(jnp.isfinite(sum(x)), wrong, 3).astype(jnp.int8))
        result = RESULTS.where(worst == 0, RESULTS.successful, RESULTS.unstable_step)
        result = RESULTS.where(worst == 2, RESULTS.negative_rate, result)
        result = RESULTS.where(worst == 3, RESULTS.nonfinite, result)
        return Cells(x, headings, now.memory, tumbling, state.pace, weights, surroundings), StepInfo(result)

    def stable_dt(self, problem, state):
        """A step in which a tenth of the fastest tumblers tumble, and cells cross no more than half a grid cell."""
        model = problem.swimmers
        cue = state.surroundings.cue(problem, state.positions, state.headings, model.speed_at(state.positions))
        now = model.tumble_rate.live(cue, state.memory, 0.0, lambda: jnp.zeros_like(cue.signal))
        rate = jnp.max(jnp.maximum(now.rate, 0))
        speed = jnp.max(self._speed(problem, state, state.positions))
        shortest = min(box(problem).spacing) if state.surroundings.fields else math.inf
        return jnp.minimum(0.1 / rate, 0.5 * shortest / speed)

    def snapshot(self, problem, state):
        density = self._density(problem, state) if isinstance(problem.grid, Grid) else None
        positions, headings = (jnp.stack(part, axis=1) for part in (state.positions, state.headings))
        return Snapshot(density, shown(problem, state.surroundings), positions, state.weights, headings, state.memory)

    def _density(self, problem: Problem, state: Cells) -> Array:
        grid = box(problem)
        return deposit(state.positions, state.weights / grid.cell_volume, grid, self.deposit_order)

    def _speed(self, problem: Problem, state: Cells, x: Components) -> Array:
        speed = problem.swimmers.speed_at(x)
        return speed if state.pace is None else speed * state.pace

    def _end_rate(self, problem: Problem, now: Moment) -> Array | None:
        if now.end_rate is None and problem.swimmers.tumble_duration is not None:
            return 1 / problem.swimmers.tumble_duration
        return now.end_rate

    def _run(self, problem: Problem, state: Cells, x: Components, headings: Components, dt: Any) -> tuple:
        """Positions and headings after a straight run, and which cells no wall has absorbed."""
        grid, speed = _place(problem), self._speed(problem, state, x)
        if state.tumbling is not None:
            speed = jnp.where(state.tumbling, 0, speed)
        moved = tuple((xi + dt * speed * p).astype(xi.dtype) for xi, p in zip(x, headings, strict=True))
        # What a wall folds it reflects: the slope of the fold is the sign of the heading.
        folded, reflected = jax.jvp(lambda *x: grid.fold(x), moved, headings)
        return folded, reflected, grid.keeps(moved)

    def _turn(
        self, problem: Problem, headings: Components, turns: Array, tumbling: Array | None, word: Array, dt: Any
    ) -> Components:
        """Headings after the tumbles, and after the diffusion of the others."""
        model, dtype = problem.swimmers, headings[0].dtype
        if len(headings) == 1:
            if tumbling is None:  # the chance was one to reverse
                return (jnp.where(turns, -headings[0], headings[0]),)
            back = model.turning.cosine(_uniform(word >> 8, 24, dtype), 1)
            return (jnp.where(turns, back * headings[0], headings[0]),)
        cosine = model.turning.cosine(_uniform(word >> 16, 16, dtype), len(headings))
        straight = _straight(problem, len(headings), dt)
        straight = straight if tumbling is None else jnp.where(tumbling, 1, straight)
        cosine = jnp.where(turns, cosine, straight).astype(dtype)
        return _rotated(headings, cosine, word & 0xFFFF)


def turn_chance(problem: Problem, cue: Cue, rate: Float[Array, "..."], dt: Any) -> Float[Array, "..."]:
    """Chance that a cell turns in a step, in one dimension that it reverses.

    It is the one that makes the mean direction after the step that of the exact process.
    """
    model, ndim = problem.swimmers, len(cue.position)
    kept = model.turning.mean_cosine(ndim)
    if ndim > 1:
        straight = _straight(problem, ndim, dt)
        return straight / (straight - kept) * _within((1 - kept) * rate, dt)
    both = 0.5 * (1 - kept) * (rate + model.tumble_rate.rate(cue.turned()))
    share = jnp.where(both > 0, 0.5 * (1 - kept) * rate / jnp.where(both > 0, both, 1), 0)
    return share * _within(both, dt)


def _place(problem: Problem) -> Grid | FreeSpace:
    return _checks.instance("grid", problem.grid, (Grid, FreeSpace), "a box or FreeSpace(ndim)")


def _straight(problem: Problem, ndim: int, dt: Any) -> Array | float:
    """Mean cosine of the turn that diffusion makes in a step."""
    diffusion = problem.swimmers.rotational_diffusion
    return 1.0 if diffusion is None else jnp.exp(-(ndim - 1) * diffusion * dt)


def _rotated(p: Components, cosine: Array, bits: UInt32[Array, " P"]) -> Components:
    """Directions turned by angles of these cosines, to any side."""
    square = jnp.maximum(1 - cosine * cosine, 0)
    # Round-off in the length, of which what is kept of the old direction takes out what there is.
    cosine = cosine * (1.5 - 0.5 * sum(q * q for q in p))
    if len(p) == 2:
        sine = _signed(jnp.sqrt(square), bits)
        return cosine * p[0] - sine * p[1], cosine * p[1] + sine * p[0]
    x, y, z = p
    share = _share(bits >> 2, x.dtype)
    along, across = _signed(jnp.sqrt(square * share), bits), _signed(jnp.sqrt(square * (1 - share)), bits >> 1)
    # Two directions across, without a branch (Duff et al. 2017): as those to the sides of a direction with z > 0, and
    # a mirror. Written so that compilers, which repeat what three components share, repeat no more than products.
    rise = 1 + jnp.abs(z)
    kept = (cosine * rise - along * x - across * y) / rise
    return kept * x + along, kept * y + across, jnp.copysign(jnp.ones((), x.dtype), z) * (kept * rise - cosine)


def _share(bits: UInt32[Array, " P"], dtype: Any) -> Array:
    """Squared cosine of a random angle, from 14 bits: a polynomial, whose errors are less than the steps of the angle.

    The square of the sine is the rest to one, whatever the errors: no length depends on them.
    """
    angle = (_uniform(bits & 0x3FFF, 14, dtype) - 0.5) * math.pi  # from the diagonal, doubled
    square, sine = angle * angle, jnp.zeros_like(angle)
    for k in reversed(range(6)):
        sine = sine * square + (-1) ** k / math.factorial(2 * k + 1)
    return jnp.clip(0.5 - 0.5 * sine * angle, 0, 1)


def _signed(size: Array, bits: UInt32[Array, " P"]) -> Array:
    """Either sign, as the lowest bit says."""
    return jnp.where((bits & 1) == 1, size, -size)


def _within(rate: Array, dt: Any) -> Array:
    """The chance that something happens within a step: to the digits of the number it is compared with."""
    return 1 - jnp.exp(-rate * dt)


def _anywhere(key: PRNGKeyArray, n: int, ndim: int, dtype: Any) -> Components:
    """Directions that are all alike."""
    if ndim == 1:
        return (jnp.where(jax.random.bernoulli(key, shape=(n,)), 1, -1).astype(dtype),)
    return _normalised(tuple(jax.random.normal(key, (ndim, n), dtype)))


def _normalised(p: Components) -> Components:
    length = jnp.sqrt(sum((q * q for q in p[1:]), p[0] * p[0]))
    return tuple(q / length for q in p)


def _words(key: PRNGKeyArray, n: int) -> UInt32[Array, " n"]:
    """Random words, one a cell: half the work of `jax.random.bits`, which makes two of each and throws one away."""
    data = jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
    if data.shape != (2,):  # not threefry's
        return jax.random.bits(key, (n,), jnp.uint32)
    return threefry_2x32(data, jax.lax.iota(jnp.uint32, n + n % 2))[:n]


def _uniform(bits: Array, count: int, dtype: Any) -> Array:
    """Numbers in (0, 1) from whole numbers of `count` bits, fewer than 32: signed ones are faster converted."""
    return (bits.astype(jnp.int32).astype(dtype) + 0.5) * 2.0**-count


def _mixed(word: UInt32[Array, " P"]) -> UInt32[Array, " P"]:
    """The bits of a word mixed among themselves (the finaliser of MurmurHash3)."""
    word = (word ^ (word >> 16)) * jnp.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * jnp.uint32(0xC2B2AE35)
    return word ^ (word >> 16)
