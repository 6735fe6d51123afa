"""How the parts of a problem read: on one line, with their numbers."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxchemo._checks import is_concrete


class Shown(eqx.Module):
    """A module whose `repr` shows numbers, where others show their kind and shape."""

    def __repr__(self) -> str:
        fields = (f"{field.name}={_shown(getattr(self, field.name))}" for field in dataclasses.fields(self))
        return f"{type(self).__name__}({', '.join(fields)})"


def number(value: Any) -> str:
    """A float leaf as a reader wants to see it: its value where it has one, unless that would fill the page."""
    if value is None:
        return "0"
    if isinstance(value, Shown):  # a schedule, which stands for a number
        return str(value)
    if not is_concrete(value):
        return "?"
    array = np.asarray(value)
    if array.size > 8:
        return f"{array.dtype}{list(array.shape)}"
    return f"{array.item():g}" if array.ndim == 0 else np.array2string(array, precision=4, separator=", ")


def called(function: Any, otherwise: str = "f") -> str:
    """The name of a function as it was given; `otherwise` for those without one."""
    name = getattr(function, "__name__", type(function).__name__)
    return otherwise if name == "<lambda>" else name


def _shown(value: Any) -> str:
    if isinstance(value, Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return "key"
    if isinstance(value, Array | np.ndarray):
        return number(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_shown(part)}" for key, part in value.items()) + "}"
    if type(value) in (tuple, list):
        inner = ", ".join(map(_shown, value)) + ("," if type(value) is tuple and len(value) == 1 else "")
        return f"({inner})" if type(value) is tuple else f"[{inner}]"
    return getattr(value, "__name__", None) or repr(value)
