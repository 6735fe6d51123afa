"""When swimmers tumble: once a step at most, with the right chance; or at the very moments, by thinning."""

import abc
import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int8, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.methods.swimmers import headings
from jaxchemo.methods.swimmers.state import Swimmers, end_rate, kept_by_diffusion
from jaxchemo.models.tumbling import Cue
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class AbstractEvents(Shown):
    """How the moments at which swimmers tumble are determined."""

    @property
    def reverse_mode(self) -> bool:
        """Whether derivatives pass through it in reverse mode. Default: yes."""
        return True

    def check(self, problem: Problem) -> None:
        """Refuses, in a sentence, swimmers whose tumbles it cannot determine. **Raises:** `ValueError`.

        Default: refuses none.
        """

    @abc.abstractmethod
    def tumble(self, problem: Problem, agents: Swimmers, dt: Any, key: PRNGKeyArray) -> tuple[Swimmers, RESULTS]:
        """The swimmers a time `dt` later, in the surroundings that they have now, and how it went."""

    @abc.abstractmethod
    def longest(self, rate: Float[Array, "..."], ends: Float[Array, "..."] | None = None) -> Float[Array, ""] | float:
        """Advice: the longest step for swimmers that tumble, and end a tumble, at these rates [time]."""


class OnceAStep(AbstractEvents):
    """Half a run, a chance to turn, the other half: the default, and the fastest.

    The chance of a turn is the one whose mean effect on the direction is that of the exact process over the step, with
    the rate in its middle: diffusivity, velocity autocorrelation and stationary laws are second order in the step, and
    free velocity autocorrelations exact. In one dimension it is the exact two-state transition. Where tumbles take
    time, at most two of their beginnings and ends are in a step, of which one is a turn: second order as well.

    >>> round(float(jc.OnceAStep().longest(jnp.array([1.0, 4.0]))), 6)  # the step that is advised for these rates
    0.025
    """

    def tumble(self, problem, agents, dt, key):
        law, count = problem.swimmers.tumble_rate, agents.positions[0].shape[0]
        agents = agents.after(problem, 0.5 * dt)
        x, cue = agents.positions, agents.cue(problem)

        def normal() -> Array:
            return jax.random.normal(jax.random.fold_in(key, 1), x[0].shape, x[0].dtype)

        now = law.live(cue, agents.memory, dt, normal)
        # Written down once: fused into each of their uses, the laws of the swimmers would be evaluated again and again.
        x, now = jax.lax.optimization_barrier((x, now))
        agents = dataclasses.replace(agents, positions=x, memory=now.memory)
        rate = jnp.asarray(now.rate)
        word = headings.words(key, count)
        # The highest bits say whether a swimmer turns; the others, mixed anew, in which direction.
        drawn = headings.uniform(word >> 8, 24, x[0].dtype)
        ends, tumbling, word = end_rate(problem, now), agents.tumbling, headings.mixed(word)
        if tumbling is None or ends is None:
            turns = drawn < turn_chance(problem, cue, rate, dt)
        else:
            # Who begins to tumble within a step may also end it there, and the other way round: in half a step in the
            # mean. Without it runs and tumbles would last half a step too long, a first-order error.
            first = _within(jnp.where(tumbling, ends, rate), dt)
            second = first * _within(jnp.where(tumbling, rate, ends), 0.5 * dt)
            turns = jnp.where(tumbling, drawn < first, drawn < second)
            tumbling = tumbling ^ (drawn < first) ^ (drawn < second)
            agents = dataclasses.replace(agents, tumbling=tumbling)
        if tumbling is None and len(x) == 1:  # the chance was one to reverse
            agents = dataclasses.replace(agents, headings=(jnp.where(turns, -agents.headings[0], agents.headings[0]),))
        else:
            agents = agents.turned(problem, turns, word, dt)
        agents = agents.after(problem, 0.5 * dt)
        # One small number each, and the worst of them: a reduction for each question would cost a third of the step.
        return agents, _verdict(_worst(agents, rate, 1 / dt), RESULTS.unstable_step)

    def longest(self, rate, ends=None):
        """A step in which a tenth of the fastest tumblers tumble, and half of the tumbles end."""
        longest = 0.1 / jnp.max(jnp.maximum(rate, 0))
        return longest if ends is None else jnp.minimum(longest, 0.5 / jnp.max(ends))


class Thinning(AbstractEvents):
    """Swimmers tumble at the very moments of the process, whatever the step: exact for rates that depend on no memory.

    Candidates come at the rate `bound`, and each is accepted with the share of it that the rate has there (Lewis and
    Shedler 1979). What swimmers remember is followed from one candidate to the next, to second order: a higher bound
    makes it finer. Fields on a grid stay as they are within a step. A rate above the bound is reported as
    `RESULTS.rate_exceeded`.

    The cost is that of one step for each candidate of the swimmer that has most of them. No derivative in reverse mode.

    **Arguments:**

    - `bound`: a rate that no swimmer exceeds, neither as it runs nor as it tumbles, positive [1 / time].

    **Raises:** `TypeError` or `ValueError` for a bound that is not a positive number.

    >>> jc.Agents(1_000, events=jc.Thinning(2.0)).reverse_mode
    False
    """

    bound: Float[Array, ""]

    def __init__(self, bound: ArrayLike):
        self.bound = _checks.positive("bound", bound)

    @property
    def reverse_mode(self) -> bool:
        return False  # how many candidates there are is known only when it runs

    def check(self, problem):
        """**Raises:** `ValueError` for directions that diffuse."""
        if problem.swimmers.rotational_diffusion is not None:
            raise ValueError("`events`: Thinning has no exact runs where directions diffuse; OnceAStep() would do.")

    def tumble(self, problem, agents, dt, key):
        left = jnp.full_like(agents.positions[0], dt)
        start = _Candidate(jnp.zeros((), jnp.int32), agents, left, jnp.zeros((), jnp.int8))
        done = jax.lax.while_loop(
            lambda now: jnp.any(now.left > 0) & (now.worst == 0), lambda now: self._next(problem, now, key), start
        )
        return done.agents, _verdict(done.worst, RESULTS.rate_exceeded)

    def longest(self, rate, ends=None):
        return jnp.inf

    def _next(self, problem: Problem, now: "_Candidate", key: PRNGKeyArray) -> "_Candidate":
        """Every swimmer after its next candidate, or at the end of the step if that comes first."""
        agents, law = now.agents, problem.swimmers.tumble_rate
        dtype, count = now.left.dtype, now.left.shape[0]
        key = jax.random.fold_in(key, now.number)
        waits, chances, turns = headings.words(key, 3 * count).reshape(3, count)
        wait = -jnp.log(headings.uniform(waits >> 8, 24, dtype)) / self.bound
        passed = jnp.minimum(wait, now.left)
        if law.has_memory:

            def normal() -> Array:
                return jax.random.normal(jax.random.fold_in(key, 1), (count,), dtype)

            middle = agents.after(problem, 0.5 * passed)
            memory = law.live(middle.cue(problem), agents.memory, passed, normal).memory
            agents = dataclasses.replace(middle.after(problem, 0.5 * passed), memory=memory)
        else:
            agents = agents.after(problem, passed)
        moment = agents.moment(problem)
        rate, tumbling, ends = jnp.broadcast_to(moment.rate, (count,)), agents.tumbling, end_rate(problem, moment)
        if tumbling is not None and ends is not None:
            rate = jnp.where(tumbling, ends, rate)
        happens = (wait < now.left) & (headings.uniform(chances >> 8, 24, dtype) * self.bound < rate)
        if tumbling is None:
            agents = agents.turned(problem, happens, turns, 0.0)
        else:
            agents = dataclasses.replace(agents, tumbling=tumbling ^ happens)
            agents = agents.turned(problem, happens & tumbling, turns, 0.0)
        return _Candidate(now.number + 1, agents, now.left - passed, _worst(agents, rate, self.bound))


class _Candidate(NamedTuple):
    """Swimmers at their candidates of one number, the time that each has left, and the worst that went wrong."""

    number: Array
    agents: Swimmers
    left: Array
    worst: Array


def turn_chance(problem: Problem, cue: Cue, rate: Float[Array, "..."], dt: Any) -> Float[Array, "..."]:
    """Chance that a swimmer turns in a step, in one dimension that it reverses [dimensionless].

    It is the one that makes the mean direction after the step that of the exact process.
    """
    model, ndim = problem.swimmers, len(cue.position)
    kept = model.turning.mean_cosine(ndim)
    if ndim > 1:
        # (1 - chance) straight + chance kept = straight exp(-(1 - kept) rate dt), the mean cosine of the exact process.
        straight = kept_by_diffusion(problem, dt)
        return straight / (straight - kept) * _within((1 - kept) * rate, dt)
    # Two states that reverse at the rates a and b: a / (a + b) (1 - exp(-(a + b) dt)) is the chance of the other.
    both = 0.5 * (1 - kept) * (rate + model.tumble_rate.rate(cue.turned()))
    share = jnp.where(both > 0, 0.5 * (1 - kept) * rate / jnp.where(both > 0, both, 1), 0)
    return share * _within(both, dt)


def _within(rate: Array, dt: Any) -> Array:
    """The chance that something happens within a step: to the digits of the number it is compared with."""
    return 1 - jnp.exp(-rate * dt)


def _worst(agents: Swimmers, rate: Array, bound: Array | float) -> Int8[Array, ""]:
    """0 where all is well; 1 for a rate above the bound, 2 for a negative one, 3 for swimmers that are nowhere."""
    wrong = jnp.where(rate <= bound, 0, 1)
    wrong = jnp.where(rate < 0, 2, wrong)
    return jnp.max(jnp.where(jnp.isfinite(sum(agents.positions)), wrong, 3).astype(jnp.int8))


def _verdict(worst: Int8[Array, ""], exceeded: RESULTS) -> RESULTS:
    result = RESULTS.where(worst == 0, RESULTS.successful, exceeded)
    result = RESULTS.where(worst == 2, RESULTS.negative_rate, result)
    return RESULTS.where(worst == 3, RESULTS.nonfinite, result)
