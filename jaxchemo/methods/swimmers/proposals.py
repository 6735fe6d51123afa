"""How events of swimmers are drawn: as they are, or more often where they are needed, and then weighed."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Bool, Float, PRNGKeyArray, UInt32

from jaxchemo.methods.swimmers.state import Swimmers
from jaxchemo.problem import Problem


class AbstractProposal(eqx.Module):
    """Draws what happens to swimmers in a step."""

    @abc.abstractmethod
    def moment(self, key: PRNGKeyArray, x: Float[Array, " P"]) -> Float[Array, " P"] | float:
        """When in a step something happens to each swimmer, in parts of the step, of the precision of `x`."""

    @abc.abstractmethod
    def chance(self, chance: Float[Array, "..."]) -> Float[Array, "..."]:
        """The chance with which it makes events happen, of the one that they have."""

    @abc.abstractmethod
    def turned(
        self,
        problem: Problem,
        agents: Swimmers,
        turns: Bool[Array, " P"],
        word: UInt32[Array, " P"],
        key: PRNGKeyArray,
        dt: Any,
    ) -> tuple[Swimmers, Float[Array, " P"] | float]:
        """As `Swimmers.turned`, and the logarithm of how much likelier the new directions are than it made them."""


class Natural(AbstractProposal):
    """As they are, in the middle of the step."""

    def moment(self, key, x):
        return 0.5

    def chance(self, chance):
        return chance

    def turned(self, problem, agents, turns, word, key, dt):
        return agents.turned(problem, turns, word, dt), 0.0
