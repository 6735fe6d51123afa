"""Which arguments of a law are parameters, and priors for those that a laboratory says nothing of."""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxchemo import _checks
from jaxchemo.inference.priors import AbstractPrior, LogNormal, Uniform
from jaxchemo.inference.tables import Measurements, Observable, Parameters
from jaxchemo.models import Model

Law = Callable[..., Model]


def number_arguments(law: Law) -> dict[str, Any]:
    """The arguments of a law that are numbers, and their defaults: `inspect.Parameter.empty` for none.

    **Raises:** `TypeError` for a law that needs what is no number.

    >>> list(jc.inference.laws.number_arguments(jc.models.fisher))
    ['mobility', 'growth', 'capacity']
    """
    _checks.function("law", law, "from numbers to a Model")
    made = {}
    for name, argument in inspect.signature(law).parameters.items():
        if float in typing.get_args(argument.annotation) and not isinstance(argument.default, tuple):
            made[name] = argument.default
        elif argument.default is inspect.Parameter.empty:
            raise TypeError(f"`law` needs {name!r}, which is no single number: a function without it would do.")
    return made


def model_of(law: Law, values: Mapping[str, Any]) -> Model:
    """The model of a law with these values; initial ones are no arguments of it."""
    return law(**{name: value for name, value in values.items() if not name.startswith("initial_")})


@dataclasses.dataclass(frozen=True)
class Scales:
    """Sizes of the data, for priors where none is given."""

    length: float
    time: float
    density: float

    @staticmethod
    def of(measurements: Measurements, lower: tuple[float, ...], upper: tuple[float, ...]) -> "Scales":
        """Those of measurements in a box."""
        values = measurements.values if measurements.exposure is None else measurements.values / measurements.exposure
        largest = float(np.nanmax(np.abs(values)))
        length, time = max(np.subtract(upper, lower)), float(np.ptp(measurements.times))
        return Scales(float(length), time, largest or 1.0)

    def prior(self, name: str) -> AbstractPrior:
        """A wide one: a factor of ten each way is one standard deviation, but for powers."""
        # A tenth of the domain is crossed by diffusion in the time of the experiment.
        spread = (0.1 * self.length) ** 2 / self.time
        if name == "power":
            return Uniform(0.0, 4.0)
        if name == "capacity":
            return LogNormal(self.density, 3.0)
        if name == "consumption":
            return LogNormal(1 / (self.density * self.time), 10.0)
        if name in ("mobility", "diffusivity", "sensitivity"):
            return LogNormal(spread, 10.0)
        return LogNormal(1 / self.time if name in ("growth", "decay", "production") else 1.0, 10.0)


def complete(
    law: Law,
    given: Parameters | None,
    scales: Scales,
    measurements: Measurements,
    seen: Mapping[str, Observable],
) -> tuple[Parameters, list[str]]:
    """Priors of all that is unknown and values of all else, and what is to be said of them."""
    arguments, notes = number_arguments(law), []
    priors = {} if given is None else dict(given.priors)
    fixed = {} if given is None else dict(given.fixed)
    needed = [name for name, default in arguments.items() if default is inspect.Parameter.empty]
    at_medians = {name: 1.0 for name in needed if name not in fixed} | fixed
    plain = model_of(law, {name: value for name, value in at_medians.items() if name in arguments})
    first = measurements.times == measurements.times.min()
    measured = {seen[name].of for name, begins in zip(measurements.observables, first, strict=True) if begins}
    starts = [f"initial_{name}" for name, signal in plain.signals.items() if not signal.slaved and name not in measured]
    known = [*arguments, *starts]
    if strange := [name for name in (*priors, *fixed) if name not in known]:
        raise ValueError(f"`parameters`: {law.__name__} has no {_checks.listed(strange)}; it has {known}.")
    made = {name: scales.prior(name) for name in (*needed, *starts) if name not in priors and name not in fixed}
    if made:
        said = ", ".join(f"{name} {prior!r}" for name, prior in made.items())
        notes.append(f"Priors that were not given are wide, of the sizes and times of the data: {said}.")
    held = [name for name in arguments if name not in (*needed, *priors, *fixed)]
    fixed |= {name: float(arguments[name]) for name in held}
    if held:
        notes.append(f"Held at its default: {', '.join(f'{name} = {fixed[name]:g}' for name in held)}.")
    priors |= made
    if not priors:
        raise ValueError(f"`parameters`: nothing is unknown of {law.__name__}; at least one of {known} needs a prior.")
    return Parameters(priors, fixed, {} if given is None else given.units), notes
