"""Reads scratch assays from CSV files in the columns of Jin et al. (2016, J. Theor. Biol. 390); says what they lack."""

import csv
import dataclasses
import re
import warnings
from pathlib import Path

import numpy as np


@dataclasses.dataclass(frozen=True)
class Measured:
    """A scratch assay: evenly spaced positions [mm], times [h], mean densities `(t, x)` [cells / mm^2].

    `counts` are those of each replicate `(r, t, x)`, `area` is that of the strip of one count [mm^2], where known. What
    was not measured is NaN.
    """

    name: str
    x: np.ndarray
    t: np.ndarray
    density: np.ndarray
    counts: np.ndarray | None
    area: float

    def after(self, skipped: int) -> "Measured":
        """The same without its first positions."""
        counts = None if self.counts is None else self.counts[..., skipped:]
        return dataclasses.replace(self, x=self.x[skipped:], density=self.density[:, skipped:], counts=counts)

    @property
    def width(self) -> float:
        """Of the strip that is counted at a position [mm]."""
        return float(self.x[1] - self.x[0])


def read(path: Path) -> Measured:
    """A CSV file. **Raises:** `ValueError` that says what it lacks."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [{str(k).strip(): v for k, v in row.items()} for row in csv.DictReader(file)]
    columns = list(rows[0]) if rows else []
    each = [name for name in columns if re.fullmatch(r"Dens\d+", name)]
    mean = ["AvgDens"] if "AvgDens" in columns else each
    if lacking := [name for name in ("Position", "Time") if name not in columns] + ([] if mean else ["AvgDens"]):
        raise ValueError(f"no column {', '.join(lacking)} among {', '.join(columns) or 'no columns, or no row'}.")

    def column(name: str) -> np.ndarray:
        try:
            return np.array([float(row[name]) if (row[name] or "").strip() else np.nan for row in rows])
        except ValueError as error:
            raise ValueError(f"column {name} has what is no number ({error}).") from error

    x, t = column("Position"), column("Time")
    if np.isnan(x).any() or np.isnan(t).any():
        raise ValueError("a row has no Position or no Time.")
    xs, ts = np.unique(x), np.unique(t)
    if xs.size < 3 or ts.size < 2:
        raise ValueError(f"it has {xs.size} positions and {ts.size} times: at least 3 and 2 are needed.")
    step = np.diff(xs).min()
    k = np.rint((x - xs[0]) / step).astype(int)
    if np.abs(x - xs[0] - k * step).max() > 0.05 * step:
        raise ValueError(f"the positions are not evenly spaced, by {step:g} um.")
    n = np.searchsorted(ts, t)
    if np.unique(n * (k.max() + 1) + k).size < len(rows):
        raise ValueError("it has several rows for one position and time.")

    def table(values: np.ndarray) -> np.ndarray:
        made = np.full((ts.size, k.max() + 1), np.nan)
        made[n, k] = values
        return made

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no replicate is NaN, as it should be
        density = 1e6 * table(np.nanmean([column(name) for name in mean], axis=0))
    if np.isnan(density[0]).any():
        raise ValueError("a density at the first time is missing, which is the initial condition.")
    counted = [name.replace("Dens", "Num_Cells") for name in each]
    pairs = [(column(c), column(d)) for c, d in zip(counted, each, strict=True) if c in columns]
    counts = np.stack([table(c) for c, _ in pairs]) if pairs else None
    ratios = np.concatenate([c[d > 0] / d[d > 0] for c, d in pairs]) if pairs else np.zeros(0)
    area = float(np.median(ratios)) / 1e6 if ratios.size else np.nan
    x_mm = (xs[0] + step * np.arange(k.max() + 1)) / 1000
    return Measured(path.stem, x_mm, ts, density, counts if ratios.size else None, area)
