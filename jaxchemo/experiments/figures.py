"""The pictures worth having of an experiment, drawn into a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jaxchemo import plotting
from jaxchemo._progress import Report, silent
from jaxchemo.experiments.base import Experiment
from jaxchemo.integrate import Solution
from jaxchemo.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    experiment: Experiment,
    problem: Problem,
    solutions: Mapping[str, Solution],
    folder: Path,
    report: Report = silent,
) -> list[Path]:
    """Draws the solutions of an experiment, and a film of them, into `folder`.

    **Arguments:**

    - `experiment`, `problem`, `solutions`: what was solved, and the solutions by name.
    - `folder`: exists.
    - `report`: is told what is being drawn.

    **Returns:** the files.
    """
    ndim = problem.domain.ndim
    times, normal, through, slab = experiment.show_times, experiment.normal, experiment.through(ndim), experiment.slab
    drawn: list[Path] = []

    def keep(name: str, figure: "Figure") -> None:
        drawn.append(folder / f"{name}.png")
        figure.savefig(drawn[-1])

    report("drawing figures")
    keep("density", plotting.density_slices(problem, solutions, times=times, normal=normal, thickness=slab))
    for signal in (signals := list(problem.model.signals)):
        file = "signal" if len(signals) == 1 else signal
        keep(file, plotting.signal_slices(problem, solutions, times=times, normal=normal, signal=signal))
    keep("cross_sections", plotting.cross_sections(problem, solutions, times=times, through=through, thickness=slab))
    keep("diagnostics", plotting.diagnostics(problem, solutions))
    with_particles = {name: one for name, one in solutions.items() if one.final.positions is not None}
    for name, one in with_particles.items():
        file = "particles" if len(with_particles) == 1 else f"particles_{name}"
        keep(file, plotting.particles(problem, one, times=times, normal=normal))
    report("drawing the film")
    drawn.append(plotting.animate(problem, solutions, folder / "film.gif", normal=normal))
    return drawn
