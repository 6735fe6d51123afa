"""Fields on a grid: slices of density and signal over time, and cross-sections of several methods in one picture."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from jaxchemo import _checks
from jaxchemo.domain import Grid
from jaxchemo.integrate import Solution
from jaxchemo.plotting import style
from jaxchemo.plotting.frames import Frames, box, named
from jaxchemo.problem import Problem


def density_slices(
    problem: Problem,
    solutions: Solution | Mapping[str, Solution],
    *,
    times: Sequence[float] | None = None,
    normal: int = 2,
    at: float = 0.0,
    thickness: float = 0.0,
    species: str | None = None,
) -> Figure:
    """Density over time: a row for each solution, a column for each time. In 3D, a slice.

    **Arguments:**

    - `problem`: on a `Grid.box` in two or three dimensions.
    - `solutions`: one, or several by name, with saved snapshots.
    - `times`: times to show; the nearest saved ones are taken. Default: four over the run.
    - `normal`, `at`: in 3D, the axis that the slice is normal to, and where it cuts it [length]. Default z = 0.
    - `thickness`: in 3D, the thickness of the slab that is averaged over [length]. Default 0, one layer of cells.
    - `species`: name of the species. Default the first.

    **Raises:** `ValueError` for a problem or solution that cannot be drawn so.
    """
    grid = box(problem, 2, 3)
    rows = {name: Frames.of(problem, solution, species) for name, solution in named(solutions).items()}
    label = style.density_label(grid.ndim, next(iter(rows.values())).species)
    fields = {name: (row, row.density) for name, row in rows.items()}
    return _slices(grid, fields, times, normal, at, thickness, label, style.DENSITY_MAP, style.GAMMA)


def signal_slices(
    problem: Problem,
    solutions: Solution | Mapping[str, Solution],
    *,
    times: Sequence[float] | None = None,
    normal: int = 2,
    at: float = 0.0,
    thickness: float = 0.0,
    signal: str | None = None,
) -> Figure:
    """The signal over time, drawn as `density_slices` draws the density.

    **Arguments:** as `density_slices`, and

    - `signal`: name of the signal, in place of a species. Default the first.

    **Raises:** `ValueError` for a problem or solution that cannot be drawn so, or without a signal.
    """
    grid = box(problem, 2, 3)
    rows = {name: Frames.of(problem, solution, signal=signal) for name, solution in named(solutions).items()}
    first = next(iter(rows.values()))
    if first.signal is None or first.signal_name is None:
        raise ValueError("The model has no signal to draw.")
    fields = {name: (row, row.signal) for name, row in rows.items()}
    label = style.signal_label(first.signal_name)
    return _slices(grid, fields, times, normal, at, thickness, label, style.SIGNAL_MAP, 1.0)


def cross_sections(
    problem: Problem,
    solutions: Solution | Mapping[str, Solution],
    *,
    times: Sequence[float] | None = None,
    axis: int = 0,
    through: Sequence[float] | None = None,
    thickness: float = 0.0,
    species: str | None = None,
) -> Figure:
    """Density along a line, one panel for each time and one curve for each solution.

    **Arguments:** as `density_slices`, and

    - `axis`: the axis that the line is parallel to. Default 0, x.
    - `through`: a point on the line [length]. Default the middle of the box.
    - `thickness`: side of the beam around the line that is averaged over [length]. Default 0, one row of cells.

    **Raises:** `ValueError` for a problem or solution that cannot be drawn so, or a line outside of the box.
    """
    grid = box(problem, 1, 2, 3)
    rows = {name: Frames.of(problem, solution, species) for name, solution in named(solutions).items()}
    first = next(iter(rows.values()))
    middle = [(a + b) / 2 for a, b in zip(grid.lower, grid.upper, strict=True)]
    point = tuple(middle if through is None else through)
    if len(point) != grid.ndim or not 0 <= axis < grid.ndim:
        raise ValueError(f"`axis` and `through` must fit {grid.ndim} dimensions, got axis={axis}, through={point}.")
    shown = first.nearest(times)
    fig, panels = style.panels(1, len(shown), size=3.0, extra=0.4)
    for ax, index in zip(panels[0], shown, strict=True):
        time = first.times[index]
        for k, (name, row) in enumerate(rows.items()):
            line = row.density[row.nearest([time])[0]]
            for other in reversed([a for a in range(grid.ndim) if a != axis]):
                line = _layer(grid, line, other, point[other], thickness)
            ax.plot(np.asarray(grid.axes[axis]), line, label=name, **style.curve(k))
        ax.set_title(f"t = {time:.3g}")
        ax.grid(alpha=0.25)
    if len(rows) > 1:
        panels[0][0].legend(frameon=False)
    style.label_outer(panels, style.length_label(axis), style.density_label(grid.ndim, first.species))
    where = ", ".join(f"{style.AXES[a]} = {point[a]:g}" for a in range(grid.ndim) if a != axis)
    beam = f", averaged over a beam of side {thickness:g}" if thickness > 0 and grid.ndim > 1 else ""
    fig.suptitle(f"Density along {style.AXES[axis]}" + (f" at {where}{beam}" if where else ""), fontsize=11)
    return fig


def plane_of(
    grid: Grid, field: np.ndarray, normal: int, at: float, thickness: float
) -> tuple[np.ndarray, tuple[int, int]]:
    """A field of a 2D or 3D grid as a picture, and the axes to the right and upwards in it."""
    if grid.ndim == 2:
        return field, (0, 1)
    right, up = (a for a in range(3) if a != normal)
    return _layer(grid, field, normal, at, thickness), (right, up)


def extent_of(grid: Grid, right: int, up: int) -> tuple[float, float, float, float]:
    """Corners of a picture whose axes are `right` and `up`, as matplotlib wants them."""
    return grid.lower[right], grid.upper[right], grid.lower[up], grid.upper[up]


def _slices(grid, fields, times, normal, at, thickness, label, colour_map, gamma) -> Figure:
    if not 0 <= normal < 3:
        raise ValueError(f"`normal` must be 0, 1 or 2, got {normal}.")
    first = next(iter(fields.values()))[0]
    shown = [first.times[i] for i in first.nearest(times)]
    pictures = [
        [plane_of(grid, field[row.nearest([t])[0]], normal, at, thickness) for t in shown]
        for row, field in fields.values()
    ]
    norm = PowerNorm(gamma, vmin=0.0, vmax=max(float(np.max(p)) for row in pictures for p, _ in row) or 1.0)
    fig, axes = style.panels(len(pictures), len(shown))
    for row, drawn, name in zip(axes, pictures, fields, strict=True):
        for ax, (picture, (right, up)), t in zip(row, drawn, shown, strict=True):
            ax.imshow(picture.T, origin="lower", extent=extent_of(grid, right, up), norm=norm, cmap=colour_map)
            ax.set_title(f"{name}  t = {t:.3g}".strip(), fontsize=10)
    right, up = pictures[0][0][1]
    style.label_outer(axes, style.length_label(right), style.length_label(up))
    fig.colorbar(axes[0][0].images[0], ax=[ax for row in axes for ax in row], label=label, shrink=0.9, pad=0.01)
    if grid.ndim == 3:
        slab = f", averaged over a slab of thickness {thickness:g}" if thickness > 0 else ""
        fig.suptitle(f"Slice at {style.AXES[normal]} = {at:g}{slab}", fontsize=11)
    return fig


def _layer(grid: Grid, field: np.ndarray, axis: int, at: float, thickness: float) -> np.ndarray:
    """The mean of `field` over `|x_axis - at| <= thickness / 2`, at least one layer of cells."""
    _checks.non_negative("thickness", thickness)
    if not grid.lower[axis] <= at <= grid.upper[axis]:
        raise ValueError(f"The cut at {style.AXES[axis]} = {at:g} is outside the box {grid.lower} to {grid.upper}.")
    distance = np.abs(np.asarray(grid.axes[axis]) - at)
    # A cut through a face is as near to one layer as to the other, but for rounding: both are taken.
    chosen = np.flatnonzero(distance <= max(thickness / 2, distance.min()) * (1 + 1e-5))
    return np.take(field, chosen, axis=axis).mean(axis=axis)
