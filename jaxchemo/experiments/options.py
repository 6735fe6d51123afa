"""The options of an experiment: fields of a dataclass that carry their meaning, their unit, and what they may be."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from jaxchemo import _checks

T = TypeVar("T")

Check = Callable[[str, Any], Any]
"""Takes the name of an option and a value, and gives the value as it is kept, or raises in a sentence."""

KEY = "option"  # of the metadata of a field


class Option(NamedTuple):
    """What is known of an option, besides its type and its default, which are those of the field.

    **Fields:**

    - `check`: what it may be.
    - `about`: a phrase that says what it is.
    - `unit`: empty for a number without one.
    - `otherwise`: the property that holds what is taken where the value is `None`; empty where it cannot be.
    - `own_run`: whether it says nothing of the problem, and only the experiment's own run and figure look at it.
    """

    check: Check
    about: str
    unit: str
    otherwise: str
    own_run: bool


def option(default: T, check: Check, about: str, unit: str = "", *, otherwise: str = "", own_run: bool = False) -> T:
    """A field of an experiment: an option of it, in Python and on the command line.

    ```python
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Droplet(Experiment[float]):
        radius: float = option(1.0, positive, "of the droplet", "length")
    ```

    **Arguments:**

    - `default`: its value if it is not given.
    - `check`: what it may be: `positive`, `non_negative`, `real`, `whole()`, `one_of(2, 3)`, `several(positive)`, ...
    - `about`, `unit`: what it is, and in which unit. Default: dimensionless.
    - `otherwise`: where it may be `None`, the name of the property that holds what is then taken. Default: it may not.
    - `own_run`: whether it is of no use where a method is to solve the problem. Default: no.
    """
    metadata = {KEY: Option(check, about, unit, otherwise, own_run)}
    return dataclasses.field(default=default, metadata=metadata)  # type: ignore[return-value]  # as dataclasses do


def positive(name: str, value: Any) -> float:
    """A number above zero.

    **Raises:** `ValueError` or `TypeError` for anything else.
    """
    return _checks.constant(_checks.positive, name, value)


def above_one(name: str, value: Any) -> float:
    """A factor above one.

    **Raises:** `ValueError` or `TypeError` for anything else.
    """
    factor = real(name, value)
    if not factor > 1:
        raise ValueError(f"`{name}` must be greater than 1, got {value!r}.")
    return factor


def non_negative(name: str, value: Any) -> float:
    """A number that is zero or above.

    **Raises:** `ValueError` or `TypeError` for anything else.
    """
    return _checks.constant(_checks.non_negative, name, value)


def real(name: str, value: Any) -> float:
    """A finite number.

    **Raises:** `ValueError` or `TypeError` for anything else.
    """
    return _checks.constant(_checks.real, name, value)


def whole(at_least: int = 1) -> Check:
    """An integer of at least so much.

    **Raises:** as a check, `ValueError` or `TypeError` for anything else.
    """
    return lambda name, value: _checks.natural(name, value, at_least=at_least)


def one_of(*choices: int) -> Check:
    """One of a few integers.

    **Raises:** as a check, `ValueError` for anything else.
    """

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or value not in choices:
            raise ValueError(f"`{name}` must be {' or '.join(map(str, choices))}, got {value!r}.")
        return int(value)

    return check


def several(check: Check, at_least: int = 1, what: str = "number") -> Check:
    """A tuple of numbers, at least so many; one number stands for a tuple of one.

    **Raises:** as a check, `ValueError` for too few; as `check` for each.
    """

    def each(name: str, value: Any) -> tuple[Any, ...]:
        parts = tuple(check(name, part) for part in _checks.one_or_several(value))
        if len(parts) < at_least:
            raise ValueError(f"`{name}` must hold at least {at_least} {what}{'s' * (at_least > 1)}, got {len(parts)}.")
        return parts

    return each


def in_turn(*checks: Check) -> Check:
    """A tuple of as many numbers as there are checks.

    **Raises:** as a check, `ValueError` for another count; as each of `checks`.
    """

    def each(name: str, value: Any) -> tuple[Any, ...]:
        parts = _checks.one_or_several(value)
        if len(parts) != len(checks):
            raise ValueError(f"`{name}` must hold {len(checks)} numbers, got {len(parts)}.")
        return tuple(check(name, part) for check, part in zip(checks, parts, strict=True))

    return each


def rising(name: str, value: Any) -> tuple[float, ...]:
    """Times above zero, each later than the one before.

    **Raises:** `ValueError` or `TypeError` for anything else.
    """
    times = several(positive)(name, value)
    if any(later <= earlier for earlier, later in itertools.pairwise(times)):
        raise ValueError(f"`{name}` must rise from each to the next, got {times}.")
    return times


# --- Options that many experiments have: each means the same in all of them. ------------------------------------------


def final_time(default: float, unit: str = "time") -> float:
    """`t1` of an experiment."""
    return option(default, positive, "final time", unit)


def time_step(default: float, unit: str = "time") -> float:
    """`dt` of an experiment: at most so long, so that whole steps fit between snapshots."""
    return option(default, positive, "time step, at most", unit)


def snapshots(default: int) -> int:
    """`frames` of an experiment."""
    return option(default, whole(), "snapshots after the initial one")


def grid_cells(default: tuple[int, ...], at_least: int = 2) -> tuple[int, ...]:
    """`shape` of an experiment."""
    return option(default, several(whole(at_least)), "grid cells along each axis, or along all of them")


def full_shape(shape: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """Cells along each axis, of which one number may stand for all.

    **Raises:** `ValueError` for a wrong number of them.
    """
    whole_shape = shape * ndim if len(shape) == 1 else shape
    if len(whole_shape) != ndim:
        axes = "the only axis" if ndim == 1 else f"each of the {ndim} axes"
        raise ValueError(f"`shape` must be one number or one for {axes}, got {shape}.")
    return whole_shape


def even_steps(t1: float, dt: float, frames: int) -> int:
    """Steps of at most `dt` up to `t1`, as many between each two of `frames` snapshots."""
    # Rounding must not add a step where a whole number of them fits.
    return frames * math.ceil(t1 / (dt * frames) - 1e-9)
