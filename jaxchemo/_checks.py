"""The door: bad input is refused here, in sentences that name the argument, the value and what would do."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

T = TypeVar("T")


def is_concrete(x: Any) -> bool:
    """Whether `x` has a value now: tracers (inside jit, grad, vmap) do not, and are let through unchecked."""
    return not isinstance(x, Tracer)


def real(name: str, value: Any) -> Float[Array, "..."]:
    """`value` as a floating-point array leaf: differentiable, and the same compiled code for every value of it."""
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must be a number or an array of numbers, got {value!r}.") from error
    if jnp.iscomplexobj(array) or array.dtype == jnp.bool_:
        raise TypeError(f"`{name}` must be real, got {value!r}.")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        # A Python integer keeps its weak type, so that it never decides the precision of a run.
        array = jnp.asarray(float(value)) if isinstance(value, int) else array.astype(float)
    if not np.all(np.isfinite(_known(array, value))):
        raise ValueError(f"`{name}` must be finite, got {value!r}.")
    return array


def positive(name: str, value: Any) -> Float[Array, "..."]:
    """As `real`, and greater than zero wherever the value is known."""
    array = real(name, value)
    if not np.all(_known(array, value) > 0):
        raise ValueError(f"`{name}` must be positive, got {value!r}.")
    return array


def non_negative(name: str, value: Any) -> Float[Array, "..."]:
    """As `real`, and at least zero wherever the value is known."""
    array = real(name, value)
    if not np.all(_known(array, value) >= 0):
        raise ValueError(f"`{name}` must not be negative, got {value!r}.")
    return array


def constant(check: Callable[[str, Any], Array], name: str, value: Any) -> float:
    """`value`, after `check`, as a Python number: for what is part of the structure, also inside jit."""
    if not is_concrete(value):
        raise TypeError(f"`{name}` must be known before compilation, got {value!r}.")
    with jax.ensure_compile_time_eval():
        return float(check(name, value))


def _known(array: Array, value: Any) -> np.ndarray:
    """The numbers in `array`, made of `value`; none where they are not known."""
    # Inside jit even a literal becomes a tracer, but the literal itself can still be looked at.
    known = array if is_concrete(array) else value
    return np.asarray(known) if all(map(is_concrete, jax.tree.leaves(known))) else np.empty(0)


def natural(name: str, value: Any, *, at_least: int = 1) -> int:
    """`value` as a Python integer of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"`{name}` must be an integer, got {value!r}.")
    if value < at_least:
        raise ValueError(f"`{name}` must be at least {at_least}, got {value}.")
    return int(value)


def instance(name: str, value: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """`value` itself if it is a `kind`; `what` says in the user's words what was expected."""
    if not isinstance(value, kind):
        raise TypeError(f"`{name}` must be {what}, got {value!r} of type {type(value).__name__}.")
    return value


def function(name: str, value: Any, what: str = "a function of an array") -> Any:
    """`value` itself if it can be called."""
    if not callable(value):
        raise TypeError(f"`{name}` must be {what}, got {value!r}.")
    return value


def given(name: str, value: T | None, what: str) -> T:
    """`value`, unless it is missing; `what` says what to give."""
    if value is None:
        raise ValueError(f"`{name}` is missing: {what}.")
    return value


def listed(items: Iterable[str]) -> str:
    """`'a', 'b' and 'c'`."""
    quoted = [repr(item) for item in items]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted) or "nothing"
