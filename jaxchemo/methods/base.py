"""The contract of a method: configuration only; what it solves, its state, and one of two paces to go on from it."""

import abc
import inspect
import math
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

Points = Float[ArrayLike, "*batch d"]


class Snapshot(eqx.Module):
    """What a state looks like to a user; an array where the model has one of the kind, a dict by name where several.

    **Fields:**

    - `density`: density of the species, shape of the grid [mass / length^d].
    - `signal`: concentration of the signals, shape of the grid; `None` where the model has none.
    - `positions`: particle positions `(P, d)` [length]; `None` for methods without particles.
    - `weights`: mass of each particle: a number, or `(P,)` where walls absorb; `None` without particles.
    - `headings`: unit vectors `(P, d)` along which agents swim; `None` for particles that do not.
    - `memory`: what each agent remembers; `None` for others.

    >>> grid = jc.Grid.box((0, 0), (1, 1), (8, 8))
    >>> start = {"density": jc.initial.uniform(mass=1.0), "signal": jc.initial.uniform(amplitude=2.0)}
    >>> problem, method = jc.Problem(jc.models.phks(0.1, 1.0), grid, **start), jc.FiniteVolume()
    >>> snapshot = method.snapshot(problem, method.init(problem))
    >>> snapshot.density.shape, float(snapshot.signal[0, 0]), snapshot.positions
    ((8, 8), 2.0, None)
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
    """One of the random streams of a run with this key. **Raises:** `ValueError` where there is none."""
    return jax.random.fold_in(_checks.given("key", key, "a stochastic method needs one, jax.random.key(0)"), number)


def box(problem: Problem) -> Grid:
    """The grid of a problem that needs one with axes. **Raises:** `TypeError` for another domain."""
    return _checks.instance("domain", problem.domain, Grid, "a box, jc.Grid.box(...)")


def cartesian(problem: Problem) -> Grid | FreeSpace:
    """Where particles move: a box or the whole space. **Raises:** `TypeError` for another domain."""
    return _checks.instance("domain", problem.domain, (Grid, FreeSpace), "a box or FreeSpace(ndim)")


class StepInfo(eqx.Module):
    """What a step reports: `result`, one of `RESULTS`.

    >>> info = jc.methods.StepInfo(jc.RESULTS.unstable_step)
    >>> bool(info.result == jc.RESULTS.successful)
    False
    """

    result: RESULTS


class AbstractContinuous(eqx.Module):
    """A solution that is known at any point, and at any time that was reached.

    All methods take points `(..., d)` [length] and a time [time].

    **Raises:** `ValueError` for points of another dimension.

    **Fields:**

    - `problem`: whose solution it is.
    """

    problem: eqx.AbstractVar[Problem]

    @abc.abstractmethod
    def log_prob(self, x: Points, t: Float[Array, ""]) -> Float[Array, "*batch"]:
        """Logarithm of the density over the mass."""

    @abc.abstractmethod
    def density(self, x: Points, t: Float[Array, ""]) -> Float[Array, "*batch"]:
        """Density [mass / length^d]."""

    @abc.abstractmethod
    def score(self, x: Points, t: Float[Array, ""]) -> Float[Array, "*batch d"]:
        """Gradient of the log density [1 / length]."""

    @abc.abstractmethod
    def velocity(self, x: Points, t: Float[Array, ""]) -> Float[Array, "*batch d"]:
        """Velocity that carries the density [length / time]."""

    @abc.abstractmethod
    def residual(self, x: Points, t: Float[Array, ""]) -> Float[Array, "*batch d"]:
        """That velocity less the drift velocity of the density [length / time]."""

    @abc.abstractmethod
    def signal(self, x: Points, t: Float[Array, ""]) -> Float[Array, "*batch"]:
        """Concentration of the signal."""

    @abc.abstractmethod
    def signal_gradient(self, x: Points, t: Float[Array, ""]) -> Float[Array, "*batch d"]:
        """Gradient of the signal [concentration / length]."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, n: int, t: Float[Array, ""]) -> Float[Array, "n d"]:
        """Independent positions [length]."""


class AbstractMethod(Shown):
    """A way to solve a problem: a final module that holds configuration only.

    What it goes through is a state, `init` first. How it goes on is one of two paces: in steps that are given
    (`AbstractFixedStep`), or in steps of its own (`AbstractSelfPaced`).

    **Class attributes:**

    - `solves`: the features of problems that it solves; a problem with any other is refused.

    >>> method = jc.FiniteVolume()
    >>> method.name, method.stochastic
    ('fv', False)
    """

    solves: ClassVar[frozenset[Feature]] = frozenset()

    @property
    @abc.abstractmethod
    def stochastic(self) -> bool:
        """Whether it needs a random key."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Short name for tables, figures and the command line."""

    def check(self, problem: Problem) -> None:
        """Refuses, in a sentence, a problem that the method cannot solve.

        **Raises:** `TypeError` for one that has a feature which is not among those that it `solves`; `TypeError` or
        `ValueError` for one that does not fit the method's own numbers and parts.
        """
        if unknown := problem.features - self.solves:
            raise TypeError(_refusal(type(self).__name__, problem.features, unknown))
        self.check_parts(problem)

    def check_parts(self, problem: Problem) -> None:
        """Refuses, in a sentence, a problem that does not fit the method's own numbers and parts.

        Default: refuses none. **Raises:** `TypeError` or `ValueError`, in methods that do.
        """

    @abc.abstractmethod
    def init(self, problem: Problem, *, key: PRNGKeyArray | None = None) -> Any:
        """The state at the initial time. Of the key of the run it takes `stream(key, INIT)`, or folds it otherwise.

        **Raises:** `ValueError` without a key, of stochastic methods.
        """

    @abc.abstractmethod
    def snapshot(self, problem: Problem, state: Any) -> Snapshot:
        """The state as a user sees it."""


class AbstractFixedStep(AbstractMethod):
    """A method that goes from one time to the next in steps that are given to it.

    >>> method = jc.Agents(1_000, events=jc.Thinning(2.0))
    >>> method.forward_mode, method.reverse_mode  # which derivatives pass through a step
    (True, False)
    """

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

    @abc.abstractmethod
    def stable_dt(self, problem: Problem, state: Any) -> Float[Array, ""]:
        """Advice: the largest step that keeps the scheme's promises from this state on [time]."""

    def second_look(self, problem: Problem, result: RESULTS, t: Array | float) -> RESULTS:
        """`result` of a run, which went wrong at `t` if it did, after a look at what it was given: once a run."""
        return result

    @property
    def forward_mode(self) -> bool:
        """Whether derivatives pass through a step in forward mode (`jax.jvp`, `jax.jacfwd`). Default: yes."""
        return True

    @property
    def reverse_mode(self) -> bool:
        """Whether derivatives pass through a step in reverse mode (`jax.grad`, `jax.vjp`). Default: yes."""
        return True


class AbstractSelfPaced(AbstractMethod):
    """A method that chooses its own steps up to a time: intervals of a flow, or steps by a tolerance.

    How many there may be is its own affair; it ends a run by a result of a step.

    >>> isinstance(jc.LagrangianFlow(), jc.methods.AbstractSelfPaced)
    True
    """

    @abc.abstractmethod
    def advance(
        self, problem: Problem, state: Any, t: Float[Array, ""], until: Float[Array, ""], *, key: PRNGKeyArray | None
    ) -> tuple[Any, Float[Array, ""], StepInfo]:
        """The state one step later, and its time: never beyond `until`, and exactly that in the end.

        A step that failed and is to be tried again leaves the time as it is.
        """

    @abc.abstractmethod
    def snapshot_at(self, problem: Problem, state: Any, t: Float[Array, ""]) -> Snapshot:
        """What a user would have seen at a time that was passed; the same numbers, whatever came later."""

    @abc.abstractmethod
    def continuous(self, problem: Problem, state: Any) -> AbstractContinuous | None:
        """The solution at any point and time; `None` where the method does not know it."""

    @abc.abstractmethod
    def stats(self, state: Any) -> dict[str, Any]:
        """What is worth knowing of the steps, by name."""

    @abc.abstractmethod
    def note(self, state: Any, t: Float[Array, ""]) -> str:
        """Where a run stands, in a few words for a person who waits."""

    def replay(self, problem: Problem, state: Any, *, key: PRNGKeyArray | None) -> Any:
        """The last state of a run of this problem and key, the same numbers, but with their derivative in the problem.

        Times, grids and whatever was chosen on the way are fixed. Default: there is none.

        **Raises:** `TypeError` where there is none.
        """
        raise TypeError(f"`method`: {type(self).__name__} is not differentiated in its problem.")

    def latest(self, problem: Problem) -> float:
        """No later than this after its start a solution ends, as far as is known [time]. Default: never."""
        return math.inf


def methods() -> list[type[AbstractMethod]]:
    """All methods that have been defined so far, in the package and outside of it."""

    def below(kind: type[AbstractMethod]) -> Iterable[type[AbstractMethod]]:
        for method in kind.__subclasses__():
            yield from [] if inspect.isabstract(method) else [method]
            yield from below(method)

    return list(below(AbstractMethod))


def _refusal(method: str, features: frozenset[Feature], unknown: frozenset[Feature]) -> str:
    """Why a method does not solve a problem with these features, and what would do."""
    in_order = [feature for feature in Feature if feature in unknown]
    argument = "domain" if all(feature.of_domain for feature in in_order) else "model"
    shown = [feature for feature in in_order if feature.of_domain == (argument == "domain")]
    what = ", nor with ".join(feature.value for feature in shown)
    sentence = f"`{argument}`: {method} does not solve problems with {what}"
    others = [method.__name__ for method in methods() if features <= method.solves]
    advice = [" or ".join(filter(None, (", ".join(others[:-1]), others[-1]))) + " would do"] if others else []
    advice += dict.fromkeys(feature.advice for feature in shown if feature.advice)
    if advice:
        return f"{sentence}: {'; '.join(advice)}."
    (domain,) = features & {Feature.BOX, Feature.RADIAL, Feature.FREE_SPACE}
    return f"{sentence}, and no other method does in {domain.value}."
