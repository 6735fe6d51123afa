"""Weights on disk: a file of arrays, and beside it a text: what they are, how they were made, how good they are."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxchemo import _checks
from jaxchemo.nn.interpolators.parameters import named
from jaxchemo.nn.interpolators.scale_mixing import ScaleMixing
from jaxchemo.nn.interpolators.scope import Scope
from jaxchemo.nn.interpolators.super_resolution import SuperResolution
from jaxchemo.particles.interpolators import AbstractInterpolator

FORMAT = 1
_SHIPPED = resources.files("jaxchemo.nn.interpolators") / "weights"


def pretrained(name: str) -> ScaleMixing | SuperResolution:
    """A network that is shipped with the package.

    **Arguments:**

    - `name`: `"phks-3d"` (scale mixing, trained in the closed loop: the best), `"phks-3d-cnn"` (convolutional, as in
      the NSIPF paper) or `"phks-2d"` (convolutional).

    **Raises:** `ValueError` that names those there are; as `load`.

    >>> jc.nn.pretrained("phks-3d").scope
    Scope(ndim=3, resolution=(0.6, 6.0))
    """
    known = sorted(file.name[: -len(".json")] for file in _SHIPPED.iterdir() if file.name.endswith(".json"))
    if name not in known:
        raise ValueError(f"There is no network {name!r}. There are: {', '.join(map(repr, known))}.")
    with resources.as_file(_SHIPPED / f"{name}.json") as path, resources.as_file(_SHIPPED / f"{name}.npz"):
        return load(path)


def load(path: str | Path) -> ScaleMixing | SuperResolution:
    """The interpolator that `save` wrote: from `NAME.json` and, beside it, `NAME.npz`; `path` is that of either.

    **Raises:** `TypeError` for what is no path; `ValueError` for files that are broken or of another version;
    `FileNotFoundError` if one is missing.
    """
    about = metadata(path)
    path = Path(path).with_suffix(".json")
    try:
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            flat = {key: jnp.asarray(file[key]) for key in file.files}
        kind, config = about["kind"], dict(about["config"])
        scope = about["scope"] and Scope(int(about["scope"]["ndim"]), tuple(about["scope"]["resolution"]))
        parameters = _nested(flat)
    except FileNotFoundError:
        raise
    except Exception as error:  # zip, numpy and missing keys each have their own kinds
        raise ValueError(f"The weights {str(path.with_suffix('.npz'))!r} cannot be read ({error}).") from error
    kinds = {"ScaleMixing": ScaleMixing, "SuperResolution": SuperResolution}
    if kind not in kinds:
        raise ValueError(
            f"The weights {str(path)!r} are of an interpolator {kind!r}, which this version does not know."
        )
    try:
        return kinds[kind](parameters=parameters, scope=scope or None, **config)
    except (ValueError, TypeError) as error:
        raise ValueError(f"The weights {str(path)!r} do not make a {kind}: {error}") from error


def metadata(path: str | Path) -> dict[str, Any]:
    """What is written beside weights: kind, configuration, scope, recipe, metrics, versions.

    **Raises:** `TypeError` for what is no path; `ValueError` for a broken file or another version of the format;
    `FileNotFoundError` if it is missing.
    """
    path = Path(_checks.instance("path", path, (str, Path), "the path of a file")).with_suffix(".json")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        version = about["format"]
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"The description of weights {str(path)!r} cannot be read ({error!r}).") from error
    if version != FORMAT:
        raise ValueError(
            f"The weights {str(path)!r} are of format {version}, this version of jaxchemo reads {FORMAT}: "
            f"train them again with `jaxchemo train`."
        )
    return about


def save(path: str | Path, interpolator: AbstractInterpolator, **about: Any) -> None:
    """Writes `NAME.npz` and `NAME.json`.

    **Arguments:**

    - `path`: of either file.
    - `interpolator`: a `ScaleMixing` or a `SuperResolution`.
    - `about`: what else to write down, such as recipe and metrics.

    **Raises:** `TypeError` for another interpolator; `OSError` if a file cannot be written.
    """
    if isinstance(interpolator, ScaleMixing):
        config: dict[str, Any] = {"scales": interpolator.scales, "width": interpolator.network.width}
    elif isinstance(interpolator, SuperResolution):
        config = {"ndim": interpolator.network.ndim, "channels": interpolator.network.channels}
    else:
        raise TypeError(
            f"`interpolator` must be a ScaleMixing or a SuperResolution, got {type(interpolator).__name__}."
        )
    path, scope = Path(path), interpolator.scope
    kept = None if scope is None else {"ndim": scope.ndim, "resolution": scope.resolution}
    record = {"format": FORMAT, "kind": type(interpolator).__name__, "config": config, "scope": kept, **about}
    arrays = {name: np.asarray(leaf, np.float32) for name, leaf in named(interpolator.parameters).items()}
    np.savez(path.with_suffix(".npz"), allow_pickle=False, **arrays)
    text = json.dumps(record, indent=1, default=float, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, leaf in flat.items():
        *folders, last = name.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = leaf
    return tree
