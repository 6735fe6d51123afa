"""The contract of methods that carry a flow over intervals, and which problems they take."""

import abc
import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.features import Feature
from jaxchemo.initial import Sobol
from jaxchemo.methods.base import AbstractMethod, cartesian
from jaxchemo.methods.flows.labels import Frame, initial_profile
from jaxchemo.methods.flows.path import AbstractPath
from jaxchemo.methods.free_space import Attraction
from jaxchemo.problem import Problem


class Past(eqx.Module):
    """What is known of the intervals so far, each in its place `(k,)`: frames, parameters, residuals, steps tried."""

    frame: Frame
    parameters: Float[Array, "k p"]
    residual: Float[Array, " k"]
    solves: Int[Array, " k"]


class AbstractFlow(AbstractMethod):
    """A flow advanced over intervals of its own: configuration only.

    Its state is a module with at least `t`, `count`, `result`, `seeds`, `sources`, `growth` and `past`.
    """

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
    def start(self, problem: Problem, t0: Float[Array, ""], key: PRNGKeyArray) -> Any:
        """Where a run begins."""

    @abc.abstractmethod
    def advance(self, problem: Problem, state: Any, until: Float[Array, ""]) -> Any:
        """One interval more; `until` is a time not to step over."""

    @abc.abstractmethod
    def path(self, problem: Problem, state: Any) -> AbstractPath:
        """The flow over all intervals of a run, to evaluate densities and the like."""

    @abc.abstractmethod
    def differentiable(self, problem: Problem, state: Any, key: PRNGKeyArray) -> Any:
        """A state of this problem and key, the same numbers, but with their derivative in the problem."""

    def check_parts(self, problem):
        start = Attraction.check(problem)
        if not start.smooth:
            raise TypeError(
                f"`density` must be positive and smooth everywhere, as a Gaussian or a mixture of them, got {start!r}."
            )

    def latest(self, problem: Problem) -> float:
        """No later than this a solution ends: by the fall of its second moment, where that can be told [time]."""
        system, space = Attraction.of(problem), cartesian(problem)
        if space.ndim != 2 or system.advection is not None:
            return math.inf
        with jax.ensure_compile_time_eval():
            fall = system.pull / (2 * math.pi) - 4 * system.mobility
            x = initial_profile(problem).sample(jax.random.key(0), 16_384, space, Sobol())
            spread = jnp.sum(jnp.var(x, axis=0))
        known = _checks.is_concrete(fall) and _checks.is_concrete(spread) and float(fall) > 0
        return float(spread / fall) if known else math.inf
