"""What decides the numbers of a run, as fingerprints: whoever goes on with a run must have the same ones."""

import dataclasses
import functools
import hashlib
import os
import sys
import sysconfig
import types
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

MARK = "#"  # what a fingerprint begins with

# What these contain is said by their version, not by their code.
_LIBRARIES = tuple(
    str(folder) + os.sep
    for folder in (
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        Path(__file__).parents[1],
    )
)
# Whether two of these are one object or two equal ones may differ from process to process.
_VALUES = (tuple, frozenset, types.CodeType, types.MethodType, types.ModuleType, functools.partial)


def identity(**parts: Any) -> dict[str, str]:
    """What decides the numbers of a run, by name: numbers as they are, a fingerprint of all else; and the versions.

    **Arguments:**

    - `parts`: a problem, a method, a key, a step and the like: anything that `fingerprint` takes.

    **Returns:** texts by name: those of `parts`, then `precision`, `platform` and `versions`.

    **Raises:** `TypeError` for a part whose contents cannot be told.
    """
    packages = ("jaxchemo", "jax", "jaxlib", "equinox")
    return {
        # Numbers in the clear, so that a refusal to resume can say which is another.
        **{name: repr(part) if isinstance(part, int | float) else fingerprint(part) for name, part in parts.items()},
        "precision": jax.numpy.zeros(()).dtype.name,
        "platform": jax.default_backend(),
        "versions": ", ".join(f"{name} {_version(name)}" for name in packages),
    }


def fingerprint(value: Any) -> str:
    """A hash of everything in `value` at full precision, the same in every process.

    Of numbers and arrays all bits count; of objects the class and the fields; of functions the code, the defaults, what
    they close over, and the globals that they read. Functions of installed packages count by name.

    **Raises:** `TypeError` for an object whose contents cannot be told.
    """
    digest = hashlib.sha256()
    _Reader(digest).read(value)
    return MARK + digest.hexdigest()[:32]


class _Reader:
    """Feeds a value to a hash, piece by piece; each piece says its kind and its length, so that no two read alike."""

    def __init__(self, digest: Any):
        self._digest = digest
        self._seen: dict[int, tuple[int, Any]] = {}  # the objects themselves too, so that no id is used again

    def read(self, value: Any) -> None:
        """One value and all that is in it."""
        if value is None or isinstance(value, bool | int | str | bytes | complex | type(Ellipsis)):
            self._piece(type(value).__name__, repr(value))
        elif isinstance(value, float):
            self._piece("float", value.hex())
        elif isinstance(value, np.dtype | slice | range | jax.tree_util.PyTreeDef):
            self._piece(type(value).__name__, str(value))
        elif isinstance(value, jax.Array | np.ndarray | np.generic):
            self._array(value)
        elif isinstance(value, _VALUES):
            self._contents(value)
        elif id(value) in self._seen:
            self._piece("again", str(self._seen[id(value)][0]))
        else:
            self._seen[id(value)] = len(self._seen), value
            self._contents(value)

    def _contents(self, value: Any) -> None:
        if isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.ModuleType):
            self._piece("module", value.__name__)
        elif isinstance(value, Mapping):
            self._all("mapping", [part for item in value.items() for part in item])
        elif isinstance(value, set | frozenset):
            self._all("set", sorted(map(fingerprint, value)))
        elif isinstance(value, types.CodeType):
            parts = value.co_code, value.co_consts, value.co_names, value.co_varnames, value.co_freevars
            self._all("code", list(parts))
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.MethodType):
            self._all("method", [value.__self__, value.__func__])
        elif isinstance(value, functools.partial):
            self._all("partial", [value.func, value.args, value.keywords])
        elif isinstance(value, Sequence):
            self._all("sequence", [type(value), *value])
        elif dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            self._all("fields", [type(value), *([name, getattr(value, name, None)] for name in names)])
        elif hasattr(value, "__wrapped__"):  # what jit, vmap and their like make of a function
            self._all("wrapped", [type(value), value.__wrapped__])
        elif callable(value) and hasattr(value, "__name__"):  # built-in functions, ufuncs
            self._piece("callable", f"{getattr(value, '__module__', '')}.{value.__name__}")
        elif hasattr(value, "__dict__"):
            self._all("object", [type(value), vars(value)])
        elif type(value) is object:  # a sentinel: it has no contents
            self._piece("object", "")
        else:
            raise TypeError(
                f"What {value!r} of type {type(value).__name__} contains cannot be told, so a run with it cannot be "
                "recognised when it is resumed: an equinox.Module or a plain function in its place would do."
            )

    def _class(self, kind: type) -> None:
        """Its name if it is of an installed package, else its bases and its methods too."""
        module = sys.modules.get(kind.__module__)
        if kind.__module__ == "builtins" or _installed(getattr(module, "__file__", None) or ""):
            self._piece("class", f"{kind.__module__}.{kind.__qualname__}")
            return
        methods = {name: _plain(value) for name, value in vars(kind).items()}
        written = {name: value for name, value in methods.items() if isinstance(value, types.FunctionType)}
        self._all("class", [kind.__name__, list(kind.__bases__), sorted(written.items())])

    def _function(self, function: types.FunctionType) -> None:
        """What it closes over and its defaults; its name if it is of an installed package, else its code."""
        cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
        self._all("bound", [cells, function.__defaults__, function.__kwdefaults__])
        if _installed(function.__code__.co_filename):
            self._piece("function", f"{function.__module__}.{function.__qualname__}")
        else:
            read = _names_read(function.__code__) & function.__globals__.keys()
            self._all("written", [function.__code__, [[n, function.__globals__[n]] for n in sorted(read)]])

    def _array(self, value: Any) -> None:
        if isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
            self._piece("key", str(jax.random.key_impl(value)))
            value = jax.random.key_data(value)
        array = np.asarray(value)
        self._piece("array", f"{array.dtype} {array.shape}")
        if array.dtype == object:
            self._all("objects", list(array.flat))
        else:
            self._digest.update(np.ascontiguousarray(array).tobytes())

    def _all(self, kind: str, parts: list[Any]) -> None:
        self._piece(kind, str(len(parts)))
        for part in parts:
            self.read(part)

    def _piece(self, kind: str, text: str) -> None:
        self._digest.update(f"{kind}:{len(text)}:{text};".encode())


def _names_read(code: types.CodeType) -> set[str]:
    """Names that a function, or one defined in it, may look up among its globals."""
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*map(_names_read, inner))


def _filled(cell: types.CellType) -> bool:
    try:
        return bool([cell.cell_contents])
    except ValueError:  # a name that has no value yet
        return False


def _plain(member: Any) -> Any:
    """The function behind a member of a class: a method as equinox wraps it, a property, a static or class method."""
    for name in ("fget", "method", "__func__", "__wrapped__"):
        member = getattr(member, name, None) or member
    return member


def _installed(file: str) -> bool:
    return file.startswith(_LIBRARIES)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
