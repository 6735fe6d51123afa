"""The named models that the command line can fit: those of `jaxchemo.models` whose arguments are numbers."""

import inspect
from typing import TYPE_CHECKING

from jaxchemo.cli.errors import Refused

if TYPE_CHECKING:
    from jaxchemo.inference.laws import Law


def laws() -> "dict[str, Law]":
    """The models by name, with hyphens: functions that return a `Model` and need nothing but numbers."""
    from jaxchemo import models
    from jaxchemo.inference.laws import number_arguments

    made = {}
    for name, law in inspect.getmembers(models, inspect.isfunction):
        if inspect.signature(law).return_annotation is not models.Model:
            continue
        try:
            number_arguments(law)
        except TypeError:
            continue
        made[name.replace("_", "-")] = law
    return made


def find_law(name: str) -> "Law":
    """The model of a name.

    **Raises:** `Refused` for a name that there is not, with the nearest one.
    """
    from jaxchemo.experiments import nearest

    known = laws()
    if name.replace("_", "-") not in known:
        raise Refused(f"`--model`: there is no model {name!r}. {nearest(name, list(known))}")
    return known[name.replace("_", "-")]
