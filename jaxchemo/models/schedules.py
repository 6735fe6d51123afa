"""Numbers of a law that change in time: cells that set out late, rates that follow a measured course."""

import abc
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, called, number

T = TypeVar("T")

SETTLED = 30.0  # widths from its middle a sigmoid has come within 1e-13 of its end


class AbstractSchedule(Shown):
    """A number that changes in time: stands wherever a law, a species or a signal takes one number.

    Laws are written for numbers: `model.at(t)` puts those of one time in the place of schedules, and methods that solve
    such models do so at the time of each stage of a step.

    **Fields:**

    - `turns`: times `(k,)` at which it has its lowest and its highest values [time]. They are checked where a number
      must be positive, and the advice on a time step looks at them.
    """

    turns: eqx.AbstractVar[Float[Array, " k"]]

    @abc.abstractmethod
    def __call__(self, t: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        """The number at a time, or at several [unit of the number]."""

    @abc.abstractmethod
    def describe(self) -> str:
        """The number in words of the model's equations, as a function of t."""

    def __str__(self) -> str:
        return self.describe()


class Sigmoid(AbstractSchedule):
    """From one number to another: `before + (after - before) / (1 + exp(-(t - time) / width))`.

    With `before=0` the delay of cells that have been scratched, transferred or starved: Lagergren et al. (2020) write
    it `1 / (1 + exp(-b0 - b1 t))` with `b1 = 1 / width` and `b0 = -time / width`.

    **Arguments:**

    - `before`, `after`: the number long before and long after [unit of the number].
    - `time`: when it is halfway [time].
    - `width`: positive [time]; a quarter to three quarters of the way take 2.2 widths.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    **Source:** Lagergren, Nardini, Baker, Simpson and Flores, PLOS Comput. Biol. 16 (2020) e1008462.

    >>> late = jc.models.Sigmoid(before=0.0, after=0.2, time=10.0, width=4.0)
    >>> round(float(late(10.0)), 3)
    0.1
    >>> jc.models.Model({"u": jc.models.Species(late)})
    Model(
      d_t u = div( (0.2 / (1 + exp(-(t - 10)/4))) grad u )
    )
    """

    before: Float[Array, ""]
    after: Float[Array, ""]
    time: Float[Array, ""]
    width: Float[Array, ""]

    def __init__(self, before: ArrayLike, after: ArrayLike, time: ArrayLike, width: ArrayLike):
        self.before, self.after = _checks.real("before", before), _checks.real("after", after)
        self.time, self.width = _checks.real("time", time), _checks.positive("width", width)

    def __call__(self, t):
        z = (t - self.time) / self.width
        # Two shares rather than one and a difference: what is between positive numbers stays so in any precision.
        return self.before * jax.nn.sigmoid(-z) + self.after * jax.nn.sigmoid(z)

    @property
    def turns(self):
        return self.time + self.width * jnp.array([-SETTLED, SETTLED])

    def describe(self):
        before, after, time, width = map(number, (self.before, self.after, self.time, self.width))
        up = f"{after} / (1 + exp(-(t - {time})/{width}))"
        return f"({up})" if before == "0" else f"({before} / (1 + exp((t - {time})/{width})) + {up})"


class PiecewiseLinear(AbstractSchedule):
    """Straight from each value to the next; the first before the first time, and the last after the last.

    A course that was measured, such as a temperature or a dose; two times make a ramp.

    **Arguments:**

    - `times`: increasing, two or more [time].
    - `values`: as many [unit of the number].

    **Raises:** `ValueError` or `TypeError` for times that do not increase, or another number of values.

    >>> ramp = jc.models.PiecewiseLinear(times=[1.0, 3.0], values=[0.0, 4.0])
    >>> ramp(jnp.array([0.0, 2.0, 5.0])).tolist()
    [0.0, 2.0, 4.0]
    """

    times: Float[Array, " k"]
    values: Float[Array, " k"]

    def __init__(self, times: Sequence[float] | Array, values: Sequence[ArrayLike] | Array):
        array = _several("times", times)
        self.times = _checks.require("times", array, times, lambda a: (a[1:] > a[:-1]).all(), "increase")
        self.values = _several("values", values)
        if self.values.size != self.times.size:
            raise ValueError(f"`values` must be one for each of the {self.times.size} times, got {self.values.size}.")

    def __call__(self, t):
        return jnp.interp(t, self.times, self.values)

    @property
    def turns(self):
        return self.times

    def describe(self):
        if self.times.size > 4:
            return f"f(t)[{number(self.values[0])} to {number(self.values[-1])}]"
        corners = zip(self.values, self.times, strict=True)
        return f"f(t)[{', '.join(f'{number(value)} at {number(t)}' for value, t in corners)}]"


class Course(AbstractSchedule):
    """A function of time of your own, such as `Course(lambda t: 1 + 0.5 * jnp.sin(t), turns=(-jnp.pi/2, jnp.pi/2))`.

    **Arguments:**

    - `function`: from a time to a number, written with `jax.numpy`. One that is an `equinox.Module` brings its numbers
      along as leaves.
    - `turns`: times at which it has its lowest and its highest values [time]: of one period, where it is periodic.

    **Raises:** `TypeError` or `ValueError` for what is no such function, and without turns.

    >>> day = jc.models.Course(lambda t: 1 + 0.5 * jnp.cos(2 * jnp.pi * t / 24), turns=(0.0, 12.0))
    >>> float(day(12.0))
    0.5
    """

    function: Callable[[Array], Array]
    turns: Float[Array, " k"]

    def __init__(self, function: Callable[[Array], Array], turns: Sequence[float]):
        self.function = _checks.function("function", function, "a function of time")
        _checks.of_time("function", function)
        self.turns = jnp.atleast_1d(_checks.real("turns", jnp.asarray(turns, float), arrays=True))
        if not self.turns.size:
            raise ValueError("`turns` must name a time at which the function is lowest, or highest, got none.")

    def __call__(self, t):
        return self.function(jnp.asarray(t))

    def describe(self):
        return f"{called(self.function)}(t)"


Number: TypeAlias = ArrayLike | AbstractSchedule
"""What most laws take: a number, or one that changes in time."""


def is_schedule(part: Any) -> bool:
    """Whether a part of a model is a number that changes in time."""
    return isinstance(part, AbstractSchedule)


def schedules(tree: Any) -> list[AbstractSchedule]:
    """All schedules in a model or a part of one."""
    return [part for part in jax.tree.leaves(tree, is_leaf=is_schedule) if is_schedule(part)]


def at(tree: T, t: Float[ArrayLike, ""]) -> T:
    """A model or a part of one with the numbers of one time in the place of its schedules."""
    return jax.tree.map(lambda part: part(t) if is_schedule(part) else part, tree, is_leaf=is_schedule)


def changing(check: Callable[..., Array], name: str, value: Any, **options: Any) -> Array:
    """`value` after a `check` of `_checks`, or a schedule whose lowest and highest values pass it.

    Laws are written for arrays, which `at` gives them: so that is what this claims to return.
    """
    if not is_schedule(value):
        return check(name, value, **options)
    extremes = check(name, value(value.turns), arrays=True)
    if _checks.is_concrete(extremes):
        return value
    good = jnp.all(jnp.isfinite(extremes))
    return jax.tree.map(lambda leaf: jnp.where(good, leaf, jnp.nan) if eqx.is_inexact_array(leaf) else leaf, value)


def _several(name: str, given: Any) -> Array:
    one_by_one = isinstance(given, list | tuple) and given  # some of them may be traced
    array = _checks.real(name, jnp.stack([_checks.real(name, n) for n in given]) if one_by_one else given, arrays=True)
    if array.ndim != 1 or array.size < 2:
        raise ValueError(f"`{name}` must be two or more numbers, got {given!r}.")
    return array
