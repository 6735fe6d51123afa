"""From tables of measurements and a named law to a posterior: the first time is where each run begins."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.interpolate import PchipInterpolator

from jaxchemo import _checks, initial
from jaxchemo.domain import Grid
from jaxchemo.inference.fitting import Fit
from jaxchemo.inference.laws import Law, Scales, complete, model_of
from jaxchemo.inference.noise import AbstractNoise, Gaussian, NegativeBinomial, Poisson
from jaxchemo.inference.observations import AtPoints
from jaxchemo.inference.posterior import Posterior, Prediction
from jaxchemo.inference.simulation import Simulation
from jaxchemo.inference.tables import Measurements, Observable, Parameters
from jaxchemo.methods import FiniteVolume
from jaxchemo.models import Model
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True)
class Column:
    """A place that is measured at every time: one series of the data."""

    observable: str
    replicate: str
    point: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Assay:
    """What was measured and a law that may be behind it, ready to be fitted.

    **Fields:**

    - `posterior`: its data have a row for each time after the first, and a column for each of `columns`.
    - `simulation`: the same prediction, from numbers of cells along each axis and time steps; `cells`: of `posterior`.
    - `law`: the function that makes the model; `fixed`: those of its arguments that are held.
    - `start`: the first time, and `times`: those of the rows [time].
    - `columns`: observable, replicate and place of each.
    - `units`: of parameters and observables, by name, where they are given.
    - `estimated`: whether the standard deviation of the noise is not given, so that `fit_assay` takes it from the fit.
    - `notes`: sentences on what was assumed.

    >>> import dataclasses
    >>> [field.name for field in dataclasses.fields(jc.inference.Assay)][:4]
    ['posterior', 'simulation', 'cells', 'law']
    """

    posterior: Posterior
    simulation: Callable[[int, float], Simulation]
    cells: int
    law: Law
    fixed: Mapping[str, float]
    start: float
    times: tuple[float, ...]
    columns: tuple[Column, ...]
    units: Mapping[str, str]
    estimated: bool
    notes: tuple[str, ...]

    def finer(self, fit: Fit) -> Prediction:
        """What is predicted with twice the cells along each axis, for `grid_shift` of a fit of this assay."""
        # The stable step of what moves explicitly falls with the square of the spacing.
        return self.simulation(2 * self.cells, step_of(fit.posterior) / 4)

    def model(self, parameters: Mapping[str, Any]) -> Model:
        """The model with these unknowns."""
        return model_of(self.law, {**self.fixed, **parameters})


def assay(
    measurements: Measurements,
    law: Law,
    *,
    parameters: Parameters | None = None,
    observables: Mapping[str, Observable] | None = None,
    box: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    cells: int | None = None,
    dt: float | None = None,
) -> Assay:
    """Poses the fit of a law to measurements of densities and signals at points and times.

    Each run begins with the measurements of the first time, the mean over replicates, between points by monotone
    cubics: they are not fitted, and their noise is taken for what was there. A signal that is not measured then begins
    everywhere with the value of the unknown `initial_NAME`. Walls are closed.

    **Arguments:**

    - `measurements`: of two times at least.
    - `law`: from numbers to a `Model`, such as `jc.models.fisher`. Its arguments are the parameters: those with a
      default are held there unless `parameters` has them.
    - `parameters`: priors and values. Default: a wide log-normal prior for each argument without a default, from the
      sizes and times of the data.
    - `observables`: by name, what is measured. Default: the only species, with normal noise whose width is the column
      `std` of the measurements, or is taken from the fit.
    - `box`: lower and upper corner of the domain [length]. Default: half the spacing of points beyond the outermost.
    - `cells`: along each axis. Default: twice the number of places along the first.
    - `dt`: time step [time]. Default: such that there are 400; `fit_assay` shortens it where a fit needs it.

    **Returns:** an `Assay`.

    **Raises:** `ValueError` or `TypeError` for what does not fit together.

    >>> x = np.linspace(0.0, 1.0, 5)
    >>> rows = dict(observables=("",) * 10, replicates=("",) * 10, times=np.repeat([0.0, 1.0], 5))
    >>> values = np.concatenate([np.exp(-x), 1.2 * np.exp(-x)])
    >>> table = jc.inference.Measurements(**rows, points=np.tile(x, 2)[:, None], values=values, std=None, exposure=None)
    >>> jc.inference.assay(table, jc.models.fisher).posterior.names
    ('mobility', 'growth', 'capacity')
    """
    _checks.instance("measurements", measurements, Measurements, "Measurements, of read_measurements(file)")
    times = np.unique(measurements.times)
    if times.size < 2:
        raise ValueError(f"`measurements` must be of two times at least, as the first begins the runs, got {times}.")
    seen = (
        {name: Observable() for name in dict.fromkeys(measurements.observables)} if observables is None else observables
    )
    if strange := set(measurements.observables) - set(seen):
        raise ValueError(f"`observables` lacks {_checks.listed(strange)}, which is measured.")
    lower, upper = _box(measurements.points) if box is None else box
    scales = Scales.of(measurements, lower, upper)
    chosen, notes = complete(law, parameters, scales, measurements, seen)
    # The names of species and signals, of any of its models.
    prototype = model_of(
        law, {**chosen.fixed, **{name: prior.value(jnp.zeros(())) for name, prior in chosen.priors.items()}}
    )
    of = {name: _kind(prototype, observable, name) for name, observable in seen.items()}
    start = _beginnings(measurements, of, prototype, times[0])

    def simulation(cells: int, dt: float) -> Simulation:
        grid = Grid.box(lower, upper, (cells,) * len(lower))
        return _simulation(grid, law, chosen.fixed, start, _observer(grid, columns, of, prototype), times, dt)

    columns = tuple(dict.fromkeys(_columns(measurements)))
    along = np.unique(measurements.points[:, 0]).size
    cells = 2 * max(along, 8) if cells is None else _checks.natural("cells", cells, at_least=2)
    dt = (
        longest_step(times, float(times[-1] - times[0]) / 400)
        if dt is None
        else _checks.constant(_checks.positive, "dt", dt)
    )
    data, std, exposure = _blocks(measurements, columns, times[1:])
    noise, estimated = _noise(seen, columns, data, std, exposure)
    if estimated:
        notes.append("The standard deviation of the noise is not given: it is that of the residuals of the fit.")
    notes.append(
        f"Each run begins at t = {times[0]:g} with what was measured then, taken as exact, between points by monotone "
        "cubics."
    )
    posterior = Posterior(chosen.priors, simulation(cells, dt), data, noise, missing=True)
    units = {**chosen.units, **{name: each.unit for name, each in seen.items() if each.unit}}
    later = tuple(map(float, times[1:]))
    return Assay(
        posterior, simulation, cells, law, chosen.fixed, float(times[0]), later, columns, units, estimated, tuple(notes)
    )


def step_of(posterior: Posterior) -> float:
    """The time step of the runs of an assay [time]."""
    simulation = posterior.predict
    assert isinstance(simulation, Simulation) and simulation.dt is not None
    return simulation.dt


def longest_step(times: Float[np.ndarray, " t"], longest: float) -> float:
    """The longest step that is not above `longest`, and of which a whole number leads from the first time to each.

    **Raises:** `ValueError` for times that have no step in common.
    """
    span = float(times[-1] - times[0])
    shares = [Fraction((t - times[0]) / span).limit_denominator(20_000) for t in times[1:].tolist()]
    # They are then right to a billionth of the span.
    common = math.lcm(*(share.denominator for share in shares))
    if common > 200_000:
        raise ValueError(
            f"`measurements`: steps that meet all of {times} are too many: times that are rounded would do."
        )
    return span / (common * math.ceil(span / common / longest))


def _kind(model: Model, observable: Observable, name: str) -> tuple[str, str]:
    """Whether an observable is a density or a signal, and which."""
    species, signals = list(model.populations), list(model.signals)
    if not observable.of and len(species) == 1:
        return "density", species[0]
    if observable.of in species:
        return "density", observable.of
    if observable.of in signals:
        return "signal", observable.of
    raise ValueError(
        f"`observables`: {name!r} is of {observable.of!r}, where there are the species {species} and signals {signals}."
    )


def _beginnings(
    measurements: Measurements, of: Mapping[str, tuple[str, str]], model: Model, t0: float
) -> dict[str, Callable[[Grid], np.ndarray]]:
    """For each species, and each signal that was measured, its field at the first time as a function of the grid."""
    made = {}
    for name, (_, field) in of.items():
        rows = (measurements.times == t0) & (np.array(measurements.observables) == name)
        rows &= np.isfinite(measurements.values)
        if rows.any() and field not in made:
            values = measurements.values[rows]
            values = values if measurements.exposure is None else values / measurements.exposure[rows]
            made[field] = _interpolated(measurements.points[rows], values, name)
    for species in model.populations:
        if species not in made:
            raise ValueError(f"`measurements` must have the density of {species!r} at the first time, {t0:g}.")
    return made


def _interpolated(points: Float[np.ndarray, "n d"], values: np.ndarray, name: str) -> Callable[[Grid], np.ndarray]:
    axes = [np.unique(column) for column in points.T]
    total, count = (np.zeros([axis.size for axis in axes]) for _ in range(2))
    where = tuple(np.searchsorted(axis, column) for axis, column in zip(axes, points.T, strict=True))
    np.add.at(total, where, values)
    np.add.at(count, where, 1)
    if (count == 0).any() or min(total.shape) < 2:
        raise ValueError(
            f"`measurements`: at the first time, {name or 'the density'} must be measured at all points of a lattice "
            f"of two or more along each axis, got {len(points)} points for {total.size}."
        )
    mean = total / count

    def field(grid: Grid) -> np.ndarray:
        # Straight lines would widen what is narrow, and take it for a lower mobility; this one has no overshoot either,
        # so that densities stay positive. Beyond the outermost points the field is that of them.
        values = mean
        for k, (axis, centers) in enumerate(zip(axes, grid.axes, strict=True)):
            inside = np.clip(np.asarray(centers), axis[0], axis[-1])
            values = PchipInterpolator(axis, values, axis=k)(inside)
        return values

    return field


def _simulation(
    grid: Grid,
    law: Law,
    fixed: Mapping[str, float],
    start: Mapping[str, Callable[[Grid], np.ndarray]],
    observe: Callable[[Any], Array],
    times: np.ndarray,
    dt: float,
) -> Simulation:
    fields = {name: initial.array(f(grid)) for name, f in start.items()}

    def build(parameters: Mapping[str, Any]) -> Problem:
        values = {**fixed, **parameters}
        model = model_of(law, values)
        free = [name for name, signal in model.signals.items() if not signal.slaved]
        signals = {
            name: fields[name]
            if name in fields
            else initial.array(jnp.broadcast_to(values[f"initial_{name}"], grid.shape))
            for name in free
        }
        return Problem(model, grid, {name: fields[name] for name in model.populations}, signals or None)

    later = [float(t) for t in times[1:]]
    return Simulation(build, FiniteVolume(), ts=later, observe=observe, dt=dt, t0=float(times[0]))


def _observer(
    grid: Grid, columns: tuple[Column, ...], of: Mapping[str, tuple[str, str]], model: Model
) -> Callable[[Any], Array]:
    """What is seen at the places of all columns, in their order."""
    several = {"density": len(model.populations) > 1, "signal": len(model.signals) > 1}
    groups: dict[str, list[int]] = {}
    for index, column in enumerate(columns):
        kind, name = of[column.observable]
        groups.setdefault(name if several[kind] else kind, []).append(index)
    parts = [AtPoints(grid, np.array([columns[i].point for i in each]), field) for field, each in groups.items()]
    order = np.argsort([index for indices in groups.values() for index in indices])
    return lambda shown: jnp.concatenate([part(shown) for part in parts])[order]


def _box(points: Float[np.ndarray, "n d"]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    lower, upper = [], []
    for axis, column in zip("xyz", points.T, strict=False):
        places = np.unique(column)
        if places.size < 2:
            raise ValueError(
                f"`measurements` must be at two places along {axis} at least, got {places}; or give `box`."
            )
        half = 0.5 * float(np.diff(places).min())
        lower.append(float(places[0]) - half)
        upper.append(float(places[-1]) + half)
    return tuple(lower), tuple(upper)


def _columns(measurements: Measurements) -> list[Column]:
    points = [tuple(map(float, point)) for point in measurements.points]
    return [Column(*each) for each in zip(measurements.observables, measurements.replicates, points, strict=True)]


def _blocks(
    measurements: Measurements, columns: tuple[Column, ...], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Values `(t, n)`, NaN where there is none, and their standard deviations and exposures, 1 there."""
    place = {column: index for index, column in enumerate(columns)}
    data = np.full((times.size, len(columns)), np.nan)
    std, exposure = (None if c is None else np.ones_like(data) for c in (measurements.std, measurements.exposure))
    filled = np.zeros(data.shape, bool)
    for row, (t, column) in enumerate(zip(measurements.times, _columns(measurements), strict=True)):
        if t < times[0]:
            continue
        at = int(np.searchsorted(times, t)), place[column]
        if filled[at]:
            raise ValueError(
                f"`measurements` has two values of {column.observable or 'the density'} at t = {t:g} and "
                f"{column.point}: a column `replicate` would tell them apart."
            )
        filled[at], data[at] = True, measurements.values[row]
        for block, values in ((std, measurements.std), (exposure, measurements.exposure)):
            if block is not None and values is not None:
                block[at] = values[row]
    return data, std, exposure


def _noise(
    seen: Mapping[str, Observable],
    columns: tuple[Column, ...],
    data: np.ndarray,
    std: np.ndarray | None,
    exposure: np.ndarray | None,
) -> tuple[AbstractNoise, bool]:
    """The noise of all columns, and whether its width is not known."""
    used = [seen[column.observable] for column in columns]
    kinds = {each.noise for each in used}
    if len(kinds) > 1:
        raise ValueError(f"`observables` must have one kind of noise, got {_checks.listed(sorted(kinds))}.")
    (kind,) = kinds
    if kind == "gaussian":
        if exposure is not None:
            raise ValueError("`measurements` has a column exposure, which is of counts: noise poisson would do.")
        if std is not None:
            return Gaussian(std), False
        names = np.array([column.observable for column in columns])
        # Where the search begins; the residuals say what it is.
        guess = {name: 0.1 * float(np.nanmax(np.abs(data[:, names == name]))) or 1.0 for name in set(names.tolist())}
        missing = [each.number is None for each in used]
        if any(missing) and not all(missing):
            raise ValueError("`observables` must all have a `number`, the standard deviation, or none of them.")
        width = [guess[n] if each.number is None else each.number for n, each in zip(names, used, strict=True)]
        return Gaussian(np.array(width)), any(missing)
    if std is not None:
        raise ValueError("`measurements` has a column std, which is of normal noise and not of counts.")
    if kind == "poisson":
        numbers = np.array([1.0 if each.number is None else each.number for each in used])
        return Poisson(numbers if exposure is None else exposure), False
    sizes = {each.number for each in used}
    if len(sizes) > 1:
        raise ValueError(f"`observables` must have one size of negative binomials, got {sorted(map(str, sizes))}.")
    return NegativeBinomial(float(sizes.pop() or 1.0), 1.0 if exposure is None else exposure), False
