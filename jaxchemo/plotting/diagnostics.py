"""What a run keeps, loses and grows, over time: mass, extremes, second moment, food and entropy."""

from collections.abc import Callable, Mapping

import jax
import numpy as np
from matplotlib.figure import Figure

from jaxchemo.analysis import diagnostics as diagnostics_of
from jaxchemo.analysis.invariants import signal_amounts
from jaxchemo.domain import AbstractGrid
from jaxchemo.integrate import Solution
from jaxchemo.plotting import style
from jaxchemo.plotting.frames import Frames, named
from jaxchemo.problem import Problem

_Values = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def diagnostics(problem: Problem, solutions: Solution | Mapping[str, Solution]) -> Figure:
    """Diagnostics over time, a panel for each and a curve for each solution.

    Drawn are the relative change of mass, the smallest and largest density, the second moment, the share of each signal
    that is left (the amount of one that was not there), and the entropy or the free energy of models that have one:
    those that `jc.analysis.diagnostics` gives.

    **Arguments:**

    - `problem`: of one species, on any grid.
    - `solutions`: one, or several by name, with saved snapshots.

    **Raises:** `ValueError` for a problem or solution that cannot be drawn so.
    """
    if len(problem.continuum.species) != 1:
        raise ValueError(f"Diagnostics are drawn for one species, the model has {problem.model!r}.")
    runs = {
        name: (Frames.of(problem, solution), history(problem, solution)) for name, solution in named(solutions).items()
    }
    density = style.density_label(problem.domain.ndim)
    curves: list[tuple[str, str, str, _Values]] = [
        ("mass", "mass", "change [share of the start]", lambda h: h["mass"] / h["mass"][0] - 1),
        ("minimum", "smallest density", density, lambda h: h["minimum"]),
        ("maximum", "largest density", density, lambda h: h["maximum"]),
        ("second_moment", "second moment", "mean |x|² [length²]", lambda h: h["second_moment"]),
        ("entropy", "entropy", "E [mass]", lambda h: h["entropy"]),
        ("free_energy", "free energy", "F", lambda h: h["free_energy"]),
    ]
    numbers = next(iter(runs.values()))[1]
    for name, key in signal_amounts(numbers).items():
        curves.insert(-2, (key, *_amount(name, key, numbers[key][0])))
    shown = [c for c in curves if c[0] in numbers]
    columns = 3
    rows = -(-len(shown) // columns)
    fig = style.figure(3.5 * columns, 2.6 * rows + 0.3)
    panels = fig.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for ax in panels[len(shown) :]:
        ax.set_axis_off()
    for ax, (key, title, label, value) in zip(panels, shown, strict=False):
        for k, (name, (frames, numbers)) in enumerate(runs.items()):
            # Biased by the noise of the deposit: beside that of a smooth run, the curve would mislead.
            if key == "entropy" and frames.positions is not None and len(runs) > 1:
                continue
            ax.plot(frames.times, value(numbers), label=name, **style.curve(k))
        ax.set(xlabel="t [time]", ylabel=label)
        ax.set_title(title, fontsize=10)
        ax.xaxis.set_tick_params(labelbottom=True)
        ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useOffset=False)
        ax.grid(alpha=0.25)
    if len(runs) > 1:
        panels[0].legend(frameon=False)
    return fig


def _amount(name: str, key: str, start: float) -> tuple[str, str, _Values]:
    """Title, label and values of the panel of a signal."""
    if start > 0:
        return f"{name} left", "[share of the start]", lambda h: h[key] / h[key][0]
    return f"{name}, total", "[concentration × length^d]", lambda h: h[key]


def history(problem: Problem, solution: Solution) -> dict[str, np.ndarray]:
    """The diagnostics of every saved snapshot, each `(k,)`, by name; units and errors as `jc.analysis.diagnostics`."""
    numbers = {key: np.asarray(value) for key, value in jax.lax.map(diagnostics_of(problem), solution.ys).items()}
    # Summed in double precision: in single precision the rounding of the sum is larger than the drift of the run.
    assert isinstance(problem.domain, AbstractGrid)
    masses = Frames.of(problem, solution).density * np.asarray(problem.domain.volumes)
    return {**numbers, "mass": masses.reshape(len(masses), -1).sum(axis=1, dtype=np.float64)}
