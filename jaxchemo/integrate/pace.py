"""How a run gets from its start to its end, which is all that `solve` and `run` know of a method."""

import abc
import dataclasses
import math
from collections.abc import Callable
from typing import Any

from jaxtyping import PRNGKeyArray, PyTree

from jaxchemo import _checks
from jaxchemo.integrate.saveat import SaveAt
from jaxchemo.integrate.solution import Solution
from jaxchemo.io import Checkpoint
from jaxchemo.methods.base import AbstractMethod
from jaxchemo.models import Model
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where a run on the host stands.

    **Fields:**

    - `carry`: the state and how it goes, as arrays.
    - `done`: how much is done, of `AbstractPace.total`.
    - `advance`: what goes on from there, compiled.
    """

    carry: Any
    done: int
    advance: Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class AbstractPace(abc.ABC):
    """A run, checked and ready to begin: worked out on the host before anything is compiled.

    It is solved as a whole by `solve`; or on the host, piece by piece, by what comes after it here.

    **Fields:**

    - `problem`, `method`, `key`, `saveat`: as given to `solve`.
    - `t0`, `t1`: when it begins and ends [time].
    - `save_times`: when something is saved [time], increasing.
    """

    problem: Problem
    method: AbstractMethod
    key: PRNGKeyArray | None
    saveat: SaveAt
    t0: float
    t1: float
    save_times: tuple[float, ...]

    @abc.abstractmethod
    def solve(self) -> Solution:
        """The whole run: pure, for jit, vmap and grad."""

    @abc.abstractmethod
    def complaint(self, solution: Solution) -> str | None:
        """What went wrong, in a sentence, if that is known on the host now."""

    @property
    @abc.abstractmethod
    def numbers(self) -> dict[str, float]:
        """What decides the numbers of the run, beside the problem, the method, the key and what is saved."""

    @property
    @abc.abstractmethod
    def total(self) -> int:
        """How much there is to do."""

    @property
    @abc.abstractmethod
    def shapes(self) -> PyTree:
        """Of what is saved at a time."""

    @abc.abstractmethod
    def begin(self) -> Standing:
        """Before the first step, with everything compiled."""

    @abc.abstractmethod
    def resumed(self, saved: Checkpoint) -> tuple[int, int]:
        """How much is done, and how many frames are saved, as a checkpoint says that has some of it.

        **Raises:** `CheckpointError` where they are not those of this run.
        """

    @abc.abstractmethod
    def goes_on(self, now: Standing) -> bool:
        """Whether there is more to do."""

    @abc.abstractmethod
    def forward(self, now: Standing) -> Standing:
        """One piece more."""

    @abc.abstractmethod
    def well(self, now: Standing) -> bool:
        """Whether nothing went wrong so far."""

    @abc.abstractmethod
    def due(self, now: Standing, count: int) -> list[int]:
        """Numbers of the saves, after the first `count`, for which the time has come."""

    @abc.abstractmethod
    def frame(self, now: Standing, index: int) -> PyTree:
        """What is saved at the time of this number."""

    @abc.abstractmethod
    def progress(self, now: Standing, count: int) -> dict[str, Any]:
        """For a checkpoint: how much is done, and when the first `count` frames were saved."""

    @abc.abstractmethod
    def note(self, now: Standing) -> str:
        """A few words for a person who waits."""

    @abc.abstractmethod
    def steps(self, now: Standing) -> int:
        """How many steps of the method were taken."""

    @abc.abstractmethod
    def solution(self, now: Standing, count: int) -> Solution:
        """How it ended, with the times of the first `count` frames, but without the frames."""


def checked_span(t0: float, t1: float) -> tuple[float, float]:
    """The times of a run.

    **Raises:** `ValueError` naming the one at fault.
    """
    t0, t1 = (known(name, t, "a finite number known before compilation") for name, t in (("t0", t0), ("t1", t1)))
    if not t1 > t0:
        raise ValueError(f"`t1` must be larger than `t0`, got t0={t0:g} and t1={t1:g}.")
    return t0, t1


def check_run(problem: Problem, method: AbstractMethod, key: PRNGKeyArray | None) -> None:
    """Refuses, in a sentence, what the method does not solve, and what it needs and does not have.

    **Raises:** `ValueError` for a missing key, a batch of keys or of models; `TypeError` for what is no key; as the
    method's `check`.
    """
    if method.stochastic and key is None:
        raise ValueError(f"`key` is missing: {type(method).__name__} is stochastic, give key=jax.random.key(0).")
    if key is not None:
        _checks.random_key("key", key)
    model = problem.model.at(0.0)
    species = model.species if isinstance(model, Model) else {}
    for name, kind in species.items():
        if kind.mobility.ndim:
            raise ValueError(
                f"`problem`: the mobility of {name!r} has the shape {kind.mobility.shape}, so these are several "
                "models: solve them by jax.vmap."
            )
    method.check(problem)


def known(name: str, value: Any, what: str) -> float:
    """`value` as a Python float.

    **Raises:** `ValueError` if it is not a finite number, or not known.
    """
    number = _checks.constant(_checks.number, name, value) if _checks.is_concrete(value) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"`{name}` must be {what}, got {value!r}.")
    return number
