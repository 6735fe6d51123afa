"""Bands and fronts: profiles of densities and of a signal at several times, beside theory, and how far a front got."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxchemo.plotting import style


class Profiles(NamedTuple):
    """One run to draw: a row of `bands`.

    **Fields:**

    - `title`: above its panels.
    - `x`, `ts`: places [length] and times [time].
    - `fields`: by name, a row for each time: densities [mass / length^d] or concentrations.
    - `exact`: the same from theory, for some of the names.
    """

    title: str
    x: Float[np.ndarray, " n"]
    ts: Float[np.ndarray, " t"]
    fields: Mapping[str, Float[np.ndarray, "t n"]]
    exact: Mapping[str, Float[np.ndarray, "t n"]]


def bands(rows: Sequence[tuple[Profiles, Profiles]]) -> Figure:
    """For each run its densities and, to the right, its signals; theory in thin black lines.

    **Arguments:**

    - `rows`: densities and signals of each run.
    """
    fig = style.figure(9.6, 0.4 + 2.5 * len(rows))
    panels = fig.subplots(len(rows), 2, squeeze=False, sharex=True)
    for axes, row in zip(panels, rows, strict=True):
        for ax, run, label in zip(axes, row, ("density [mass / length]", "signal [concentration]"), strict=True):
            profiles(ax, run)
            ax.set_ylabel(label)
    for ax in panels[-1]:
        ax.set_xlabel(style.length_label(0))
    return fig


def profiles(ax: Axes, run: Profiles) -> None:
    """Draws the profiles of a run into a panel: a colour for each field, fainter the earlier."""
    for number, (name, values) in enumerate(run.fields.items()):
        shades, colour = np.linspace(0.35, 1, len(run.ts)), style.COLOURS[number % len(style.COLOURS)]
        for shade, profile in zip(shades, values, strict=True):
            label = name if shade == shades[-1] else None
            ax.plot(run.x, profile, color=colour, lw=1.8, alpha=float(shade), label=label)
        for k, profile in enumerate(run.exact.get(name, ())):
            ax.plot(run.x, profile, color="black", lw=0.8, ls="--", label="exact" if k + number == 0 else None)
    ax.set_title(run.title, fontsize=10)
    ax.set_xlim(run.x[0], run.x[-1])
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=9)


def expansion(
    density: Profiles,
    signals: Profiles,
    ts: Float[np.ndarray, " t"],
    front: Float[np.ndarray, " t"],
    speed: float,
    *,
    length: str,
    time: str,
) -> Figure:
    """A colony that expands: densities and signals over the radius, and where its front is.

    **Arguments:**

    - `density`, `signals`: profiles at some times; the signals are drawn as shares of what they were far outside.
    - `ts`, `front`: the radius of the front over time.
    - `speed`: of a front that only grows and diffuses, `2 sqrt(mobility growth)`, drawn for comparison.
    - `length`, `time`: the units.
    """
    fig = style.figure(11.4, 3.6)
    left, middle, right = fig.subplots(1, 3)
    profiles(left, density)
    left.set(xlabel=f"radius [{length}]", ylabel="density [OD]")
    profiles(middle, signals)
    middle.set(xlabel=f"radius [{length}]", ylabel="signal [share of the start]")
    right.plot(ts, front, **style.curve(0), label="front of the colony")
    first = int(np.flatnonzero(np.isfinite(front))[0])
    slow = front[first] + speed * (ts - ts[first])
    right.plot(ts, slow, **style.curve(1), label="by growth and diffusion alone")
    right.set(xlabel=f"time [{time}]", ylabel=f"radius [{length}]")
    right.set_title("front", fontsize=10)
    right.grid(alpha=0.25)
    right.legend(frameon=False, fontsize=9)
    return fig
