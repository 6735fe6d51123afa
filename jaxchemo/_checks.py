"""Bad input is refused here, in sentences that name the argument, the value and what would do."""

import importlib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

T = TypeVar("T")


def is_concrete(x: Any) -> bool:
    """Whether `x` has a value now: tracers (inside jit, grad, vmap) do not."""
    return not isinstance(x, Tracer)


def compiling() -> bool:
    """Whether this runs inside `jit`, where nothing that is computed has a value yet."""
    return not is_concrete(jnp.zeros(()))


def number(name: str, value: Any, *, arrays: bool = False) -> Array:
    """As `real`, but infinity and NaN will do."""
    try:
        # A Python integer keeps its weak type, so that it never decides the precision of a run.
        plain = isinstance(value, int) and not isinstance(value, bool)
        array = jnp.asarray(float(value) if plain else value)
    except (TypeError, ValueError, OverflowError) as error:
        what = "a number or an array of numbers" if arrays else "a number"
        raise TypeError(f"`{name}` must be {what}, got {value!r}.") from error
    if not jnp.issubdtype(array.dtype, jnp.number) or jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise TypeError(f"`{name}` must be real, got {value!r}.")
    if array.ndim and not arrays:
        raise ValueError(f"`{name}` must be one number, got an array of shape {array.shape}.")
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)


def real(name: str, value: Any, *, arrays: bool = False) -> Array:
    """`value` as a floating-point array leaf: differentiable, and the same compiled code for every value of it.

    It must be one number, unless `arrays` will do as well.
    """
    array = number(name, value, arrays=arrays)
    return require(name, array, value, lambda a: abs(a) < np.inf, "be finite")


def positive(name: str, value: Any, *, arrays: bool = False) -> Array:
    """As `real`, and greater than zero."""
    return require(name, real(name, value, arrays=arrays), value, lambda a: a > 0, "be positive")


def non_negative(name: str, value: Any, *, arrays: bool = False) -> Array:
    """As `real`, and at least zero."""
    return require(name, real(name, value, arrays=arrays), value, lambda a: a >= 0, "not be negative")


def require(name: str, array: Array, value: Any, good: Callable[[Any], Any], what: str) -> Array:
    """`array`, made of `value`, which must be `good` in all its elements; `what` says so in words.

    Where its value is not known yet (inside jit, grad, vmap), what is not good becomes NaN, so that no run with it can
    end as successful: `RESULTS.out_of_range` reports it.
    """
    known = _known(array, value)
    verdict = good(array if known is None else known)
    if is_concrete(verdict):
        if not np.all(verdict):
            raise ValueError(f"`{name}` must {what}, got {value!r}.")
        return array
    return jnp.where(verdict, array, jnp.nan)


def constant(check: Callable[[str, Any], Array], name: str, value: Any) -> float:
    """`value`, after `check`, as a Python number: for what is part of the structure, also inside jit."""
    if not is_concrete(value):
        raise TypeError(f"`{name}` must be known before compilation, got {value!r}.")
    with jax.ensure_compile_time_eval():
        check(name, value)
    return float(value)


def probability(name: str, value: float) -> float:
    """A number between 0 and 1, neither of them."""
    if not 0 < value < 1:
        raise ValueError(f"`{name}` must be between 0 and 1, got {value!r}.")
    return value


def _known(array: Array, value: Any) -> np.ndarray | None:
    """The numbers in `array`, made of `value`; `None` where they are not known."""
    # Inside jit even a literal becomes a tracer, but the literal itself can still be looked at.
    known = array if is_concrete(array) else value
    return np.asarray(known) if all(map(is_concrete, jax.tree.leaves(known))) else None


def natural(name: str, value: Any, *, at_least: int = 1) -> int:
    """`value` as a Python integer of at least `at_least`."""
    if isinstance(value, bool) or not is_concrete(value):
        raise TypeError(f"`{name}` must be an integer, got {value!r}.")
    try:
        whole = operator.index(value)  # also of numpy's integers, and of arrays without axes
    except TypeError as error:
        raise TypeError(f"`{name}` must be an integer, got {value!r}.") from error
    if whole < at_least:
        raise ValueError(f"`{name}` must be at least {at_least}, got {whole}.")
    return whole


def instance(name: str, value: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """`value` itself if it is a `kind`; `what` says in the user's words what was expected."""
    if not isinstance(value, kind):
        raise TypeError(f"`{name}` must be {what}, got {value!r} of type {type(value).__name__}.")
    return value


def flag(name: str, value: Any) -> bool:
    """`value` as a Python bool."""
    return bool(instance(name, value, (bool, np.bool_), "True or False"))


def function(name: str, value: Any, what: str = "a function of an array") -> Any:
    """`value` itself if it can be called."""
    if not callable(value):
        raise TypeError(f"`{name}` must be {what}, got {value!r}.")
    return value


def mapping(name: str, value: Any, what: str) -> dict[str, Any]:
    """`value` as a dict by names; `what` says of what."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"`{name}` must be a dict from names to {what}, got {value!r}.")
    return dict(value)


def one_or_several(value: Any) -> tuple[Any, ...]:
    """The parts of a list, a tuple or an array; anything else is the only part."""
    listed = isinstance(value, list | tuple) or (isinstance(value, np.ndarray | Array) and np.ndim(value))
    return tuple(value) if listed else (value,)


def several(name: str, value: Any, what: str, count: int | None = None) -> tuple[Any, ...]:
    """`value` as a tuple, of at least one or of `count` parts; `what` says of what, in the singular."""
    if isinstance(value, str | Mapping) or not (isinstance(value, Sequence) or np.ndim(value)):
        raise TypeError(f"`{name}` must be a sequence of {what}s, got {value!r}.")
    parts = tuple(value)
    if count is None and not parts:
        raise ValueError(f"`{name}` must hold at least one {what}, got none.")
    if count not in (None, len(parts)):
        raise ValueError(f"`{name}` must hold {count} {what}s, got {len(parts)}.")
    return parts


def of_points(name: str, f: Callable[[Array], Any], ndim: int, values: str, *, vectors: bool = False) -> None:
    """Refuses a user's function that does not map points `(5, ndim)` to values `(5,)`, or to `vectors` `(5, ndim)`."""
    shape = (5, ndim) if vectors else (5,)
    points = np.full((5, ndim), 0.5, jnp.result_type(float))
    try:
        made = jax.eval_shape(lambda: jnp.asarray(f(jnp.asarray(points))))
    except Exception as error:
        raise _failed(name, error, f"points (5, {ndim})") from error
    if made.shape != shape or not jnp.issubdtype(made.dtype, jnp.floating):
        raise ValueError(
            f"`{name}`: the function must map points (5, {ndim}) to {values} {shape}, it gave {made.shape} of "
            f"{made.dtype}."
        )
    try:
        f(points)  # type: ignore
    except IndexError as error:  # which JAX does not raise: it takes the last coordinate instead
        raise _failed(name, error, f"points (5, {ndim})") from error
    except Exception:  # it need not take arrays of numpy
        return


def of_time(name: str, f: Callable[[Array], Any]) -> None:
    """Refuses a user's function of time that does not give one number."""
    try:
        made = jax.eval_shape(lambda: jnp.asarray(f(jnp.zeros(()))))
    except Exception as error:
        raise _failed(name, error, "a time") from error
    if made.shape:
        raise ValueError(f"`{name}`: the function must give one number for a time, it gave the shape {made.shape}.")


def _failed(name: str, error: Exception, what: str) -> ValueError:
    said = str(error).splitlines()
    return ValueError(
        f"`{name}`: the function fails on {what} ({type(error).__name__}: {said[0] if said else 'no more is said'}). "
        "It must be written with jax.numpy."
    )


def random_key(name: str, value: Any) -> Array:
    """`value` itself if it is one random key."""
    kind = getattr(value, "dtype", None) if isinstance(value, Array) else None
    typed = kind is not None and jnp.issubdtype(kind, jax.dtypes.prng_key)
    if not typed and not (kind == jnp.uint32 and value.shape[-1:] in ((2,), (4,))):  # the older ones, PRNGKey
        raise TypeError(f"`{name}` must be a random key such as jax.random.key(0), got {value!r}.")
    batch = value.shape if typed else value.shape[:-1]
    if batch:
        raise ValueError(
            f"`{name}` must be one random key, got keys of shape {batch}: take one, or jax.vmap over them."
        )
    return value


def package(name: str, brought_by: str) -> ModuleType:
    """A package that only parts of the house need, imported; `brought_by` is what pip installs to have it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f'{name} is missing here ({error}): `pip install "{brought_by}"` brings it.') from error


def given(name: str, value: T | None, what: str) -> T:
    """`value`, unless it is missing; `what` says what to give."""
    if value is None:
        raise ValueError(f"`{name}` is missing: {what}.")
    return value


def listed(items: Iterable[str]) -> str:
    """`'a', 'b' and 'c'`."""
    quoted = [repr(item) for item in items]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted) or "nothing"
