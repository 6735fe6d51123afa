"""What a named experiment is: options, a run, and what the outcome says, in numbers, lines and pictures."""

import abc
import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from jaxchemo._progress import Report, silent
from jaxchemo.experiments.options import KEY, Option, full_shape

OutcomeT = TypeVar("OutcomeT")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment(abc.ABC, Generic[OutcomeT]):
    """A named experiment: a frozen dataclass whose fields are its options, with a default for each.

    A subclass names itself, declares its fields with `option`, and says what `run` does and what is to be seen of what
    comes out. One that states a single problem derives from `Posed` too, so that every method that solves the problem
    may take it. `jaxchemo run NAME` is built from the fields.

    **Class attributes:**

    - `name`, `title`, `description`: for the command line and for figures.
    - `dimensions`: of the space, all that it can be run in.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.find("two-blobs")
    >>> isinstance(experiment, jc.experiments.Experiment), experiment.dimensions
    (True, (2, 3))
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    dimensions: ClassVar[tuple[int, ...]]

    def __post_init__(self) -> None:
        for name, declared in options(self).items():
            value = getattr(self, name)
            if value is not None or not declared.otherwise:
                object.__setattr__(self, name, declared.check(name, value))  # frozen for all others
        _ = self.sizes  # which refuses a grid with a wrong number of axes

    @abc.abstractmethod
    def run(self, seed: int = 0, report: Report = silent) -> OutcomeT:
        """Everything that it is made for.

        **Arguments:**

        - `seed`: of all that is random. Default 0.
        - `report`: is told in a few words what begins, as an experiment takes its time. Default: nobody is told.

        **Raises:** as `jc.solve`.
        """

    @abc.abstractmethod
    def numbers(self, outcome: OutcomeT) -> dict[str, Any]:
        """What came out, ready for JSON."""

    @abc.abstractmethod
    def lines(self, outcome: OutcomeT) -> list[str]:
        """What came out, in a few lines for a reader."""

    @abc.abstractmethod
    def draw(self, outcome: OutcomeT, folder: Path) -> Path:
        """Draws what came out into a folder that exists, and returns the first of the files.

        **Raises:** `OSError` if a file cannot be written; `ImportError` where the extra [viz] is missing.
        """

    @property
    def sizes(self) -> dict[str, int]:
        """By option, how many numbers there will be at least because of it: so what no machine holds is refused."""
        values = {name: getattr(self, name) for name in options(self)}
        sizes = {name: value for name, value in values.items() if name.startswith("num_")}
        if "shape" in values:
            sizes["shape"] = math.prod(full_shape(values["shape"] or (2,), self.dimensions[-1]))
        return sizes


def options(experiment: Experiment[Any] | type[Experiment[Any]]) -> dict[str, Option]:
    """The options of an experiment by the name of their field.

    **Raises:** `TypeError` for a field that is not declared as one.
    """
    declared = {field.name: field.metadata.get(KEY) for field in dataclasses.fields(experiment)}
    for name, known in declared.items():
        if known is None:
            raise TypeError(f"`{name}` is no option: declare it as `{name}: float = option(1.0, positive, ...)`.")
    return {name: known for name, known in declared.items() if known is not None}
