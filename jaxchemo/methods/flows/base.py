"""What methods share that carry a flow over intervals: which problems they take, and what is known of the intervals."""

import abc
import dataclasses
import math
from typing import Any, ClassVar, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxchemo import _checks
from jaxchemo.features import Feature
from jaxchemo.initial import Sobol
from jaxchemo.methods.base import AbstractSelfPaced, Snapshot, cartesian
from jaxchemo.methods.flows.labels import Frame, Samples, initial_profile
from jaxchemo.methods.flows.path import AbstractPath
from jaxchemo.methods.free_space import Attraction
from jaxchemo.problem import Problem


class Past(eqx.Module):
    """What is known of the intervals so far, each in its place `(k,)`: frames, parameters, residuals, steps tried."""

    frame: Frame
    parameters: Float[Array, "k p"]
    residual: Float[Array, " k"]
    solves: Int[Array, " k"]


class AbstractFlowState(eqx.Module):
    """Where a run of a flow stands.

    **Fields:**

    - `sources`: points of the density now, which make the force; `seeds`: what they started from.
    - `growth`: fastest relative change of density at the end of the last interval [1 / time].
    - `past`: the intervals; `count`: how many of them there are.
    """

    sources: eqx.AbstractVar[Samples]
    seeds: eqx.AbstractVar[Float[Array, "s d"]]
    growth: eqx.AbstractVar[Float[Array, ""]]
    past: eqx.AbstractVar[Past]
    count: eqx.AbstractVar[Int[Array, ""]]


State = TypeVar("State", bound=AbstractFlowState)


class AbstractFlow(AbstractSelfPaced):
    """A flow that is carried over intervals of its own: configuration only. Its state is an `AbstractFlowState`."""

    solves: ClassVar = frozenset(
        {
            Feature.DENSITIES,
            Feature.ADVECTION,
            Feature.SLAVED_SIGNALS,
            Feature.FREE_SPACE,
            Feature.SEVERAL_DIMENSIONS,
        }
    )

    @property
    def stochastic(self) -> bool:
        return True

    @abc.abstractmethod
    def path(self, problem: Problem, state: Any) -> AbstractPath:
        """The flow over all intervals that there is room for, to evaluate densities and the like."""

    def check_parts(self, problem):
        """**Raises:** `ValueError` or `TypeError` for another system; `TypeError` for a density that is not smooth."""
        start = Attraction.check(problem)
        if not start.smooth:
            raise TypeError(
                f"`density` must be positive and smooth everywhere, as a Gaussian or a mixture of them, got {start!r}."
            )

    def snapshot(self, problem, state):
        return _shown(problem, state.sources)

    def snapshot_at(self, problem, state, t):
        return _shown(problem, self.path(problem, state).sources(t))

    def continuous(self, problem, state):
        return self.path(problem, used(state))

    def stats(self, state):
        past = used(state).past
        return {
            "num_intervals": state.count,
            "starts": past.frame.start,
            "durations": past.frame.duration,
            "residuals": past.residual,
            "solves": past.solves,
            "growth": state.growth,
        }

    def note(self, state, t):
        if not int(state.count):
            return "first interval"
        last, end = int(state.count) - 1, float(t + 1 / state.growth)
        residual = float(state.past.residual[last])
        return f"t = {float(t):.4g}, interval {last + 1}, residual {residual:.1%}, blow-up not before {end:.4g}"

    def latest(self, problem):
        """No later than this a solution ends: by the fall of its second moment, where that can be told [time]."""
        system, space = Attraction.of(problem), cartesian(problem)
        if space.ndim != 2 or system.advection is not None:
            return math.inf
        with jax.ensure_compile_time_eval():
            # In the plane the second moment of a mass of one changes at 4 mobility - pull / 2 pi, whatever its shape.
            fall = system.pull / (2 * math.pi) - 4 * system.mobility
            x = initial_profile(problem).sample(jax.random.key(0), 16_384, space, Sobol())
            spread = jnp.sum(jnp.var(x, axis=0))
        known = _checks.is_concrete(fall) and _checks.is_concrete(spread) and float(fall) > 0
        return float(spread / fall) if known else math.inf


def used(state: State) -> State:
    """A state without the places of intervals that were not needed, where their number is known."""
    if not _checks.is_concrete(state.count):
        return state
    count = max(int(state.count), 1)
    return dataclasses.replace(state, past=jax.tree.map(lambda rows: rows[:count], state.past))


def _shown(problem: Problem, samples: Samples) -> Snapshot:
    return Snapshot(None, None, samples.position, Attraction.of(problem).mass / samples.position.shape[0])
