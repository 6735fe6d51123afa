"""Particles over time, coloured by the density around them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from jaxchemo.domain import Grid
from jaxchemo.integrate import Solution
from jaxchemo.plotting import style
from jaxchemo.plotting.frames import Frames, box
from jaxchemo.problem import Problem


def particles(
    problem: Problem,
    solution: Solution,
    *,
    times: Sequence[float] | None = None,
    normal: int = 2,
    max_particles: int = 6000,
    species: str | None = None,
) -> Figure:
    """Particles over time, a column for each time; in 3D seen in perspective, and below projected onto a plane.

    **Arguments:**

    - `problem`: on a `Grid.box` in two or three dimensions.
    - `solution`: of a method with particles, with saved snapshots.
    - `times`: times to show; the nearest saved ones are taken. Default: four over the run.
    - `normal`: in 3D, the axis that is looked along in the projection. Default 2, z.
    - `max_particles`: at most so many are drawn, chosen at random. Default 6000.
    - `species`: name of the species. Default the first.

    **Raises:** `ValueError` for a problem or solution that cannot be drawn so.
    """
    grid = box(problem, 2, 3)
    frames = Frames.of(problem, solution, species)
    if frames.positions is None:
        raise ValueError("`solution` has no particles to draw: it comes from a method without them.")
    shown = frames.nearest(times)
    clouds = [Cloud.of(grid, frames, i, max_particles) for i in shown]
    norm = PowerNorm(style.GAMMA, vmin=0.0, vmax=max(float(c[1].max(initial=0.0)) for c in clouds) or 1.0)
    right, up = (0, 1) if grid.ndim == 2 else tuple(a for a in range(3) if a != normal)

    flat_row = grid.ndim - 2
    fig = style.figure(2.7 * len(shown) + 0.9, 2.75 * (grid.ndim - 1) + 0.35)
    axes, points = [], []
    for column, (index, (x, density)) in enumerate(zip(shown, clouds, strict=True)):
        if grid.ndim == 3:
            ax = fig.add_subplot(2, len(shown), column + 1, projection="3d")
            _perspective(ax, grid, x, density, norm)
            ax.set_title(f"t = {frames.times[index]:.3g}", fontsize=10)
            axes.append(ax)
        ax = fig.add_subplot(grid.ndim - 1, len(shown), flat_row * len(shown) + column + 1)
        points.append(scatter(ax, grid, x, density, norm, right, up))
        if grid.ndim == 2:
            ax.set_title(f"t = {frames.times[index]:.3g}", fontsize=10)
        ax.set_xlabel(style.length_label(right))
        if column == 0:
            ax.set_ylabel(style.length_label(up))
        axes.append(ax)
    label = style.density_label(grid.ndim, frames.species)
    fig.colorbar(points[0], ax=axes, label=label, shrink=0.85, pad=0.01)
    return fig


class Cloud:
    """Positions and the density around each of them, the densest last so that they are drawn on top."""

    @staticmethod
    def of(grid: Grid, frames: Frames, index: int, max_particles: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame `index`, thinned to at most `max_particles`: positions `(n, d)` and densities `(n,)`."""
        assert frames.positions is not None
        x = frames.positions[index]
        # Chosen at random: Sobol points come in an order in which every fourth fills a quarter of the box.
        x = x[np.random.default_rng(0).permutation(len(x))[:max_particles]]
        h, low, n = np.array(grid.spacing), np.array(grid.lower), np.array(grid.shape)
        # A particle on the upper wall counts for the last cell.
        cells = np.minimum(np.maximum(((x - low) / h).astype(int), 0), n - 1)
        density = frames.density[index][tuple(cells.T)]
        order = np.argsort(density)
        return x[order], density[order]


def scatter(ax: Axes, grid: Grid, x: np.ndarray, density: np.ndarray, norm: Normalize, right: int, up: int):
    """Draws positions in the plane of the axes `right` and `up`; returns what a colour bar needs."""
    points = ax.scatter(x[:, right], x[:, up], c=density, s=2.0, lw=0, norm=norm, cmap=style.DENSITY_MAP)
    ax.set_xlim(grid.lower[right], grid.upper[right])
    ax.set_ylim(grid.lower[up], grid.upper[up])
    ax.set_aspect("equal")
    return points


def _perspective(ax, grid: Grid, x: np.ndarray, density: np.ndarray, norm: Normalize) -> None:
    ax.scatter(*x.T, c=density, s=1.5, lw=0, norm=norm, cmap=style.DENSITY_MAP, depthshade=False)
    ax.set_box_aspect([b - a for a, b in zip(grid.lower, grid.upper, strict=True)], zoom=1.2)
    ax.tick_params(labelsize=7, pad=-2)
    for axis, name in enumerate(style.AXES):
        getattr(ax, f"set_{name}label")(name, labelpad=-6)
        getattr(ax, f"set_{name}lim")(grid.lower[axis], grid.upper[axis])
    ax.view_init(elev=22, azim=-60)
