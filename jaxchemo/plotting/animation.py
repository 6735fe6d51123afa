"""Moving pictures: a GIF with a panel for each solution, and one for the signal."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.colors import PowerNorm

from jaxchemo.domain import Grid
from jaxchemo.integrate import Solution
from jaxchemo.plotting import gif, style
from jaxchemo.plotting.fields import extent_of, plane_of
from jaxchemo.plotting.frames import Frames, box, named
from jaxchemo.plotting.particles import Cloud, scatter
from jaxchemo.problem import Problem


def animate(
    problem: Problem,
    solutions: Solution | Mapping[str, Solution],
    path: str | Path,
    *,
    normal: int = 2,
    at: float = 0.0,
    seconds: float = 5.0,
    max_particles: int = 4000,
    species: str | None = None,
) -> Path:
    """Writes a GIF of all saved frames: particles where there are any, else the density, and the signal beside them.

    In 3D the density is integrated along an axis, and the signal is a slice.

    **Arguments:**

    - `problem`: on a `Grid.box` in two or three dimensions.
    - `solutions`: one, or several by name, with snapshots saved at the same times.
    - `path`: file to write.
    - `normal`, `at`: in 3D, the axis to look along, default 2, z, and where the signal's slice cuts it, 0 [length].
    - `seconds`: how long the film runs [s]. Default 5.
    - `max_particles`: at most so many are drawn. Default 4000.
    - `species`: name of the species. Default the first.

    **Returns:** the path of the file.

    **Raises:** `ValueError` for a problem or solution that cannot be drawn so; `OSError` if the file cannot be written;
    `ImportError` where imageio, of the extra [viz], is missing.
    """
    grid = box(problem, 2, 3)
    rows = {name: Frames.of(problem, solution, species) for name, solution in named(solutions).items()}
    first = next(iter(rows.values()))
    panels = [_panel(grid, name, row, normal, max_particles) for name, row in rows.items()]
    if first.signal is not None:
        panels.append(_Signal(grid, first, normal, at))
    fig = style.figure(3.7 * len(panels), 3.5)
    for ax, panel in zip(fig.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        panel.open(fig, ax)
    title = fig.suptitle(" ")

    def show(index: int) -> None:
        for panel in panels:
            panel.show(min(index, panel.count - 1))
        title.set_text(f"t = {first.times[index]:.3f} [time]")

    return gif.write(fig, len(first.times), show, path, seconds)


class _Picture:
    """A panel that shows one array for each frame."""

    def __init__(self, grid: Grid, pictures: list[np.ndarray], axes: tuple[int, int], name: str, label: str):
        self._grid, self._pictures, self._axes, self._name, self._label = grid, pictures, axes, name, label
        self._colours, self._gamma = style.DENSITY_MAP, style.GAMMA
        self.count = len(pictures)

    def open(self, fig, ax) -> None:
        right, up = self._axes
        norm = PowerNorm(self._gamma, vmin=0.0, vmax=max(float(p.max()) for p in self._pictures) or 1.0)
        first = self._pictures[0].T
        self._image = ax.imshow(
            first, origin="lower", extent=extent_of(self._grid, right, up), norm=norm, cmap=self._colours
        )
        fig.colorbar(self._image, ax=ax, label=self._label, shrink=0.85)
        ax.set_title(self._name, fontsize=10)
        ax.set(xlabel=style.length_label(right), ylabel=style.length_label(up))

    def show(self, index: int) -> None:
        self._image.set_data(self._pictures[index].T)


class _Signal(_Picture):
    """A panel that shows the signal of each frame, in 3D a slice of it."""

    def __init__(self, grid: Grid, frames: Frames, normal: int, at: float):
        assert frames.signal is not None and frames.signal_name is not None
        drawn = [plane_of(grid, field, normal, at, 0.0) for field in frames.signal]
        where = f", slice at {style.AXES[normal]} = {at:g}" if grid.ndim == 3 else ""
        label = style.signal_label(frames.signal_name)
        super().__init__(grid, [picture for picture, _ in drawn], drawn[0][1], f"signal{where}", label)
        self._colours, self._gamma = style.SIGNAL_MAP, 1.0


class _Particles:
    """A panel that shows the particles of each frame."""

    def __init__(self, grid: Grid, name: str, frames: Frames, normal: int, max_particles: int):
        self._grid, self._name, self._frames = grid, name, frames
        self.count = len(frames.times)
        self._clouds = [Cloud.of(grid, frames, i, max_particles) for i in range(self.count)]
        self._axes = (0, 1) if grid.ndim == 2 else tuple(a for a in range(3) if a != normal)

    def open(self, fig, ax) -> None:
        right, up = self._axes
        norm = PowerNorm(style.GAMMA, vmin=0.0, vmax=max(float(c[1].max(initial=0.0)) for c in self._clouds) or 1.0)
        self._points = scatter(ax, self._grid, *self._clouds[0], norm, right, up)
        fig.colorbar(self._points, ax=ax, label=style.density_label(self._grid.ndim, self._frames.species), shrink=0.85)
        title = f"{self._name}: particles".removeprefix(": ")
        ax.set_title(title, fontsize=10)
        ax.set(xlabel=style.length_label(right), ylabel=style.length_label(up))

    def show(self, index: int) -> None:
        x, density = self._clouds[index]
        self._points.set_offsets(x[:, list(self._axes)])
        self._points.set_array(density)


def _panel(grid: Grid, name: str, frames: Frames, normal: int, max_particles: int) -> _Picture | _Particles:
    if frames.positions is not None:
        return _Particles(grid, name, frames, normal, max_particles)
    if grid.ndim == 2:
        title = f"{name}: density".removeprefix(": ")
        return _Picture(grid, list(frames.density), (0, 1), title, style.density_label(2, frames.species))
    right, up = (a for a in range(3) if a != normal)
    along = style.AXES[normal]
    title = f"{name}: density, integrated along {along}".removeprefix(": ")
    columns = [field.sum(axis=normal) * grid.spacing[normal] for field in frames.density]
    return _Picture(grid, columns, (right, up), title, style.density_label(2, f"∫ {frames.species} d{along}"))
