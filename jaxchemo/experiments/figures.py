"""The pictures worth having of methods on the problem of an experiment, drawn into a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxchemo import plotting
from jaxchemo._progress import Report, silent
from jaxchemo.domain import AbstractGrid, Grid, RadialGrid
from jaxchemo.experiments.outcome import Outcome
from jaxchemo.integrate import Solution
from jaxchemo.models import Model
from jaxchemo.plotting import style
from jaxchemo.plotting.frames import Frames

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxchemo.experiments.posed import Posed


def draw(experiment: "Posed", outcomes: Mapping[str, Outcome], folder: Path, report: Report = silent) -> list[Path]:
    """Draws what methods made of the problem of an experiment, and a film of it, into `folder`.

    On a grid in two or three dimensions these are slices, cross-sections, diagnostics and particles; on one axis,
    profiles; in free space, where the particles are, or the samples of a flow.

    **Arguments:**

    - `experiment`, `outcomes`: what was solved, and what came out by the name of the method.
    - `folder`: exists.
    - `report`: is told what is being drawn.

    **Returns:** the files.

    **Raises:** `OSError` if one cannot be written; `ImportError` where the extra [viz] is missing.
    """
    drawn: list[Path] = []

    def keep(name: str, figure: "Figure") -> None:
        drawn.append(folder / f"{name}.png")
        figure.savefig(drawn[-1])

    report("drawing figures")
    problem = next(iter(outcomes.values())).problem
    times = experiment.show_times
    solutions = {name: outcome.solution for name, outcome in outcomes.items()}
    if not isinstance(problem.domain, AbstractGrid):
        keep("positions", _positions(solutions))
        return drawn
    if len(problem.domain.shape) == 1:
        x, several = _axis(problem.domain), len(solutions) > 1
        frames = {name: Frames.of(problem, solution) for name, solution in solutions.items()}
        for name, of in frames.items():
            named = f"density_{name}" if several else "density"
            keep(named, plotting.kymograph(x, of.times, of.density, times=times or (), name=of.species))
        if isinstance(problem.model, Model):
            keep("diagnostics", plotting.diagnostics(problem, solutions))
        report("drawing the film")
        for name, of in frames.items():
            file = folder / (f"film_{name}.gif" if several else "film.gif")
            drawn.append(plotting.film(x, of.times, of.density, file, name=of.species))
        return drawn
    normal, slab, through = experiment.normal, experiment.slab, experiment.through(problem.domain.ndim)
    keep("density", plotting.density_slices(problem, solutions, times=times, normal=normal, thickness=slab))
    for signal in (signals := list(problem.model.signals)):
        file = "signal" if len(signals) == 1 else signal
        keep(file, plotting.signal_slices(problem, solutions, times=times, normal=normal, signal=signal))
    keep("cross_sections", plotting.cross_sections(problem, solutions, times=times, through=through, thickness=slab))
    keep("diagnostics", plotting.diagnostics(problem, solutions))
    with_particles = {name: solution for name, solution in solutions.items() if solution.final.positions is not None}
    for name, solution in with_particles.items():
        file = "particles" if len(with_particles) == 1 else f"particles_{name}"
        keep(file, plotting.particles(problem, solution, times=times, normal=normal))
    report("drawing the film")
    drawn.append(plotting.animate(problem, solutions, folder / "film.gif", normal=normal))
    return drawn


def _axis(grid: AbstractGrid) -> np.ndarray:
    assert isinstance(grid, Grid | RadialGrid)
    return np.asarray(grid.axes[0] if isinstance(grid, Grid) else grid.radii, float)


def _positions(solutions: Mapping[str, Solution], most: int = 2_000) -> "Figure":
    """Positions at a few times, seen along z in three dimensions: a row for each method."""
    fig = style.figure(12.0, 0.4 + 3.1 * len(solutions))
    panels = fig.subplots(len(solutions), 4, squeeze=False, sharex=True, sharey=True)
    for row, colour, (name, solution) in zip(panels, style.COLOURS, solutions.items(), strict=False):
        shown = np.linspace(0, len(solution.ts) - 1, 4).round().astype(int)
        for ax, k in zip(row, shown, strict=True):
            ax.plot(*np.asarray(solution.ys.positions[k], float)[:most, :2].T, ".", ms=2, alpha=0.5, color=colour)
            ax.set_title(f"{name}, t = {float(solution.ts[k]):.3g}", fontsize=10)
            ax.set(aspect="equal", xlabel=style.length_label(0), ylabel=style.length_label(1))
    return fig
