"""Tables of a laboratory, CSV files in the spirit of PEtab: measurements, parameters with priors, and observables."""

import csv
import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxchemo import _checks
from jaxchemo.inference.priors import AbstractPrior, LogNormal, Normal, Uniform

# Names of ours, and those that PEtab has for the same.
_MEASUREMENTS = {
    "observable": "observableId",
    "time": "time",
    "value": "measurement",
    "x": "x",
    "y": "y",
    "z": "z",
    "replicate": "replicateId",
    "std": "noiseParameters",
    "exposure": "exposure",
}
_PARAMETERS = {
    "name": "parameterId",
    "estimate": "estimate",
    "value": "nominalValue",
    "lower": "lowerBound",
    "upper": "upperBound",
    "scale": "parameterScale",
    "prior": "priorType",
    "median": "median",
    "factor": "factor",
    "mean": "mean",
    "std": "std",
    "unit": "unit",
}
_OBSERVABLES = {
    "observable": "observableId",
    "of": "observableFormula",
    "noise": "noiseDistribution",
    "number": "noiseFormula",
    "unit": "unit",
}
NOISES = {"gaussian": "std", "poisson": "exposure", "negative_binomial": "size"}
"""Kinds of noise, and what the number of each is."""


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Measured values, one a row.

    **Fields:**

    - `observables`, `replicates`: names `(n,)`, empty where the table has no such column.
    - `times` [time], `points` `(n, d)` [length], `values` `(n,)`, NaN where nothing was measured.
    - `std`: standard deviations [unit of the values]; `exposure` [1 / unit of the prediction]; `None` without a column.

    >>> rows = dict(observables=("",), replicates=("",), times=np.zeros(1), points=np.zeros((1, 2)), values=np.ones(1))
    >>> jc.inference.Measurements(**rows, std=None, exposure=None).points.shape
    (1, 2)
    """

    observables: tuple[str, ...]
    replicates: tuple[str, ...]
    times: Float[np.ndarray, " n"]
    points: Float[np.ndarray, "n d"]
    values: Float[np.ndarray, " n"]
    std: Float[np.ndarray, " n"] | None
    exposure: Float[np.ndarray, " n"] | None


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Which parameters are unknown, with their priors, and which are held.

    **Fields:**

    - `priors`: of the unknowns, by name.
    - `fixed`: values of the others, by name.
    - `units`: for the report, by name.

    >>> jc.inference.Parameters({"mobility": jc.inference.LogNormal(0.1, 2.0)}, {"decay": 0.0}, {}).fixed
    {'decay': 0.0}
    """

    priors: Mapping[str, AbstractPrior]
    fixed: Mapping[str, float]
    units: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Observable:
    """What is measured under a name, and how it scatters.

    **Fields:**

    - `of`: a species or a signal of the model; empty for its only species.
    - `noise`: `"gaussian"`, `"poisson"` or `"negative_binomial"`.
    - `number`: standard deviation, exposure or size; `None` if it is in the table of measurements, or not known.
    - `unit`: for the report.

    >>> jc.inference.Observable().noise
    'gaussian'
    """

    of: str = ""
    noise: str = "gaussian"
    number: float | None = None
    unit: str = ""


def read_measurements(path: str | Path, *, missing: bool = False) -> Measurements:
    """Reads measured values, one a row.

    **Arguments:**

    - `path`: of a CSV file with the columns `time`, `x` (and `y`, `z`) and `value`, and if wanted `observable`,
      `replicate`, `std` and `exposure`; or PEtab's names `measurement`, `observableId`, `replicateId` and
      `noiseParameters` for them.
    - `missing`: whether values that are empty or NaN were not measured. By default they are refused.

    **Raises:** `ValueError` with the file, the line and the column at fault; `OSError` if it cannot be read.

    >>> import tempfile
    >>> file = tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False)
    >>> _ = file.write("time,x,value\\n0,1.5,10\\n1,1.5,8\\n"); file.close()
    >>> jc.inference.read_measurements(file.name).values.tolist()
    [10.0, 8.0]
    """
    table = Table(path, _MEASUREMENTS, ("time", "x", "value"))
    axes = [axis for axis in ("x", "y", "z") if axis in table.columns]
    if axes == ["x", "z"]:
        raise ValueError(f"{table.path}: there is a column 'z', and no column 'y'.")
    std, exposure = (table.numbers(c, positive=True) if c in table.columns else None for c in ("std", "exposure"))
    return Measurements(
        observables=table.texts("observable"),
        replicates=table.texts("replicate"),
        times=table.numbers("time"),
        points=np.stack([table.numbers(axis) for axis in axes], axis=1),
        values=table.numbers("value", missing=missing),
        std=std,
        exposure=exposure,
    )


def read_parameters(path: str | Path) -> Parameters:
    """Reads parameters, one a row.

    What is to be estimated has a `prior`: `lognormal` of `median` and `factor`, `normal` of `mean` and `std`, or
    `uniform` between `lower` and `upper`. Without that column the numbers that are there say which. PEtab's bounds on
    a logarithmic `parameterScale` become the log-normal prior that holds 95% between them.

    **Arguments:**

    - `path`: of a CSV file with the column `name`, and of `estimate` (0 or 1, default 1), `value` (of what is not
      estimated), `prior`, `median`, `factor`, `mean`, `std`, `lower`, `upper`, `scale` (lin, log, log10) and `unit`
      those that are needed; or PEtab's names `parameterId`, `nominalValue`, `lowerBound`, `upperBound`,
      `parameterScale` and `priorType`.

    **Raises:** as `read_measurements`.

    >>> import tempfile
    >>> file = tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False)
    >>> _ = file.write("name,median,factor,estimate,value\\nmobility,0.1,2,1,\\ndecay,,,0,0.5\\n"); file.close()
    >>> jc.inference.read_parameters(file.name)
    Parameters(priors={'mobility': LogNormal(median=0.1, factor=2)}, fixed={'decay': 0.5}, units={})
    """
    table = Table(path, _PARAMETERS, ("name",))
    priors: dict[str, AbstractPrior] = {}
    fixed: dict[str, float] = {}
    units: dict[str, str] = {}
    for row, name in enumerate(table.texts("name")):
        if not name or name in priors or name in fixed:
            raise table.error(row, "name", f"is {name!r}, which is " + ("given twice" if name else "no name"))
        if unit := table.text(row, "unit"):
            units[name] = unit
        chosen = table.text(row, "estimate").lower() or "1"
        if chosen not in ("0", "1", "true", "false"):
            raise table.error(row, "estimate", f"is {chosen!r}: 0 or 1 would do")
        if chosen in ("0", "false"):
            fixed[name] = table.number(row, "value")
        else:
            priors[name] = _prior(table, row)
    return Parameters(priors, fixed, units)


def read_observables(path: str | Path) -> dict[str, Observable]:
    """Reads observables, one a row.

    **Arguments:**

    - `path`: of a CSV file with the column `observable`, and if wanted `of` (a species or signal), `noise` (gaussian,
      poisson or negative_binomial), `number` (its standard deviation, exposure or size) and `unit`; or PEtab's names
      `observableId`, `observableFormula`, `noiseDistribution` (`normal` is gaussian) and `noiseFormula`.

    **Returns:** `Observable`s by name.

    **Raises:** as `read_measurements`.

    >>> import tempfile
    >>> file = tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False)
    >>> _ = file.write("observable,of,noise,number\\ncells,rho,poisson,2500\\n"); file.close()
    >>> jc.inference.read_observables(file.name)
    {'cells': Observable(of='rho', noise='poisson', number=2500.0, unit='')}
    """
    table = Table(path, _OBSERVABLES, ("observable",))
    made: dict[str, Observable] = {}
    for row, name in enumerate(table.texts("observable")):
        if name in made:
            raise table.error(row, "observable", f"is {name!r}, which is given twice")
        noise = table.text(row, "noise").lower().replace("-", "_") or "gaussian"
        noise = {"normal": "gaussian"}.get(noise, noise)
        if noise not in NOISES:
            raise table.error(row, "noise", f"is {noise!r}: {', '.join(NOISES)} are known")
        number = table.number(row, "number", positive=True) if table.text(row, "number") else None
        if noise == "negative_binomial" and number is None:
            raise table.error(row, "number", "is empty, where the size of a negative binomial is needed")
        made[name] = Observable(table.text(row, "of"), noise, number, table.text(row, "unit"))
    return made


def _prior(table: "Table", row: int) -> AbstractPrior:
    kind = table.text(row, "prior").lower().replace("_", "").replace("-", "")
    if not kind:
        numbers = {"lognormal": ("median", "factor"), "normal": ("mean", "std"), "uniform": ("lower", "upper")}
        there = [kind for kind, pair in numbers.items() if all(table.text(row, name) for name in pair)]
        if len(there) != 1:
            pairs = "; ".join(" and ".join(pair) for pair in numbers.values())
            raise table.error(row, "name", f"needs one prior, and has {_checks.listed(there)}: of {pairs}")
        kind = there[0]
    scale = table.text(row, "scale").lower() or "lin"
    if scale not in ("lin", "log", "log10"):
        raise table.error(row, "scale", f"is {scale!r}: lin, log or log10 would do")
    try:
        if kind == "lognormal":
            return LogNormal(table.number(row, "median"), table.number(row, "factor"))
        if kind == "normal":
            return Normal(table.number(row, "mean"), table.number(row, "std"))
        if kind == "uniform" and scale == "lin":
            return Uniform(table.number(row, "lower"), table.number(row, "upper"))
        if kind in ("uniform", "loguniform"):
            lower, upper = (table.number(row, name, positive=True) for name in ("lower", "upper"))
            return LogNormal(math.sqrt(lower * upper), (upper / lower) ** (1 / (2 * 1.96)))
    except (ValueError, TypeError) as error:
        if str(error).startswith(str(table.path)):  # a number that cannot be read says so itself
            raise
        raise table.error(row, "name", f"has a bad prior: {error}") from error
    raise table.error(row, "prior", f"is {kind!r}: lognormal, normal and uniform are known")


class Table:
    """The rows of a CSV file, and where each number stands in it."""

    def __init__(self, path: str | Path, names: Mapping[str, str], needed: tuple[str, ...]):
        self.path = Path(path)
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file)
                header = [name.strip() for name in next(reader, [])]
                rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{self.path}: this is no CSV file in UTF-8 ({error}).") from error
        ours = {alias: name for name, alias in names.items()} | {name: name for name in names}
        unknown = [name for name in header if name not in ours]
        if unknown:
            raise ValueError(
                f"{self.path}, line 1: unknown columns {_checks.listed(unknown)}; {', '.join(names)} are known."
            )
        self.columns = [ours[name] for name in header]
        self._header = dict(zip(self.columns, header, strict=True))
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"{self.path}, line 1: a column is given twice: {', '.join(header)}.")
        lacking = [name for name in needed if name not in self.columns]
        if lacking:
            raise ValueError(f"{self.path}, line 1: there is no column {_checks.listed(lacking)}.")
        if not rows:
            raise ValueError(f"{self.path}: there are no rows below the names of the columns.")
        for line, row in rows:
            if len(row) != len(header):
                raise ValueError(f"{self.path}, line {line}: {len(row)} cells, where there are {len(header)} columns.")
        self._lines = [line for line, _ in rows]
        self._rows = [dict(zip(self.columns, (cell.strip() for cell in row), strict=True)) for _, row in rows]

    def error(self, row: int, column: str, what: str) -> ValueError:
        name = self._header.get(column, column)
        return ValueError(f"{self.path}, line {self._lines[row]}, column {name!r}: this {what}.")

    def text(self, row: int, column: str) -> str:
        return self._rows[row].get(column, "")

    def texts(self, column: str) -> tuple[str, ...]:
        return tuple(self.text(row, column) for row in range(len(self._rows)))

    def number(self, row: int, column: str, *, missing: bool = False, positive: bool = False) -> float:
        word = self.text(row, column)
        if missing and word.lower() in ("", "nan", "na"):
            return math.nan
        try:
            value = float(word)
        except ValueError:
            raise self.error(row, column, f"is {word!r}, where a number is needed") from None
        if not math.isfinite(value):
            raise self.error(row, column, f"is {word!r}, where a finite number is needed")
        if positive and not value > 0:
            raise self.error(row, column, f"is {word}, where a positive number is needed")
        return value

    def numbers(self, column: str, *, missing: bool = False, positive: bool = False) -> Float[np.ndarray, " n"]:
        rows = range(len(self._rows))
        return np.array([self.number(row, column, missing=missing, positive=positive) for row in rows])
