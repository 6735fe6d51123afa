"""The contract of a method: configuration only, with `init` and `step`; and the snapshot that every method can show."""

import abc
import inspect
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.domain import FreeSpace, Grid
from jaxchemo.features import Feature
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

INIT, NOISE = 0, 1  # random streams of a run


class Snapshot(eqx.Module):
    """What a state looks like to a user; an array where the model has one of the kind, a dict by name where several.

    **Fields:**

    - `density`: density of the species, shape of the grid [mass / length^d].
    - `signal`: concentration of the signals, shape of the grid; `None` where the model has none.
    - `positions`: particle positions `(P, d)` [length]; `None` for methods without particles.
    - `weights`: mass of each particle: a number, or `(P,)` where walls absorb; `None` without particles.
    - `headings`: unit vectors `(P, d)` along which cells swim; `None` for particles that do not.
    - `memory`: what each swimming cell remembers; `None` for others.
    """

    density: Any
    signal: Any
    positions: Any = None
    weights: Any = None
    headings: Any = None
    memory: Any = None


def by_kind(fields: dict[str, Any]) -> Any:
    """The only field there is, or all of them by name."""
    if not fields:
        return None
    return next(iter(fields.values())) if len(fields) == 1 else fields


def by_name(shown: Any, names: Sequence[str]) -> dict[str, Any]:
    """What `by_kind` made of fields of these names, by name again."""
    if shown is None:
        return {}
    return shown if isinstance(shown, dict) else {names[0]: shown}


def stream(key: PRNGKeyArray | None, number: int) -> PRNGKeyArray:
    """One of the random streams of a run with this key."""
    return jax.random.fold_in(_checks.given("key", key, "a stochastic method needs one, jax.random.key(0)"), number)


def box(problem: Problem) -> Grid:
    """The grid of a problem that needs one with axes."""
    return _checks.instance("domain", problem.domain, Grid, "a box, jc.Grid.box(...)")


def cartesian(problem: Problem) -> Grid | FreeSpace:
    """Where particles move: a box or the whole space."""
    return _checks.instance("domain", problem.domain, (Grid, FreeSpace), "a box or FreeSpace(ndim)")


class StepInfo(eqx.Module):
    """What a step reports: `result`, one of `RESULTS`."""

    result: RESULTS


class AbstractMethod(Shown):
    """A way to solve a problem: a final module that holds configuration only.

    **Class attributes:**

    - `solves`: the features of problems that it solves; a problem with any other is refused.
    """

    solves: ClassVar[frozenset[Feature]] = frozenset()

    @property
    @abc.abstractmethod
    def stochastic(self) -> bool:
        """Whether it needs a random key."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Short name for tables and figures."""

    def check(self, problem: Problem) -> None:
        """Refuses, in a sentence, a problem that the method cannot solve.

        **Raises:** `TypeError` for one that has a feature which is not among those that it `solves`; `TypeError` or
        `ValueError` for one that does not fit the method's own numbers and parts.
        """
        if unknown := problem.features - self.solves:
            raise TypeError(_refusal(type(self).__name__, problem.features, unknown))
        self.check_parts(problem)

    def check_parts(self, problem: Problem) -> None:
        """Refuses, in a sentence, a problem that does not fit the method's own numbers and parts. Default: none."""


class AbstractFixedStep(AbstractMethod):
    """A method that goes from one time to the next in steps, which are given to it."""

    @abc.abstractmethod
    def init(self, problem: Problem, *, key: PRNGKeyArray | None = None) -> Any:
        """The state at the initial time."""

    @abc.abstractmethod
    def step(
        self,
        problem: Problem,
        state: Any,
        n: Int[ArrayLike, ""],
        t: Array | float,
        dt: Array | float,
        *,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Any, StepInfo]:
        """The state one step later. `n` is the global step, `key` the key of the whole run: fold them together."""

    def second_look(self, problem: Problem, result: RESULTS, t: Array | float) -> RESULTS:
        """`result` of a run, which went wrong at `t` if it did, after a look at what it was given: once a run."""
        return result

    @abc.abstractmethod
    def stable_dt(self, problem: Problem, state: Any) -> Float[Array, ""]:
        """Advice: the largest step that keeps the scheme's promises from this state on [time]."""

    @abc.abstractmethod
    def snapshot(self, problem: Problem, state: Any) -> Snapshot:
        """The state as a user sees it."""


def methods() -> list[type[AbstractMethod]]:
    """All methods that have been defined so far, in the package and outside of it."""

    def below(kind: type[AbstractMethod]) -> Iterable[type[AbstractMethod]]:
        for one in kind.__subclasses__():
            yield from [] if inspect.isabstract(one) else [one]
            yield from below(one)

    return list(below(AbstractMethod))


def _refusal(method: str, features: frozenset[Feature], unknown: frozenset[Feature]) -> str:
    """Why a method does not solve a problem with these features, and what would do."""
    in_order = [feature for feature in Feature if feature in unknown]
    argument = "domain" if all(feature.of_domain for feature in in_order) else "model"
    shown = [feature for feature in in_order if feature.of_domain == (argument == "domain")]
    sentence = f"`{argument}`: {method} does not solve problems with {', nor with '.join(one.value for one in shown)}"
    others = [one.__name__ for one in methods() if features <= one.solves]
    advice = [" or ".join(filter(None, (", ".join(others[:-1]), others[-1]))) + " would do"] if others else []
    advice += dict.fromkeys(feature.advice for feature in shown if feature.advice)
    if advice:
        return f"{sentence}: {'; '.join(advice)}."
    (domain,) = features & {Feature.BOX, Feature.RADIAL, Feature.FREE_SPACE}
    return f"{sentence}, and no other method does in {domain.value}."
