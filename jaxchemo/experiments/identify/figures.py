"""What each kind of observation tells, in one picture: data and fits, intervals, and combinations of unknowns."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from scipy.special import ndtri

from jaxchemo.experiments.identify.study import LEVEL, Told
from jaxchemo.inference import Direction
from jaxchemo.plotting import style

LEAST, MOST = 1e-4, 1e7  # of the information that is drawn
LETTERS = 80  # of a line in a panel


class Units(NamedTuple):
    """What the axes are called: the place and its unit, the unit of time, and the density with its unit."""

    place: str
    length: str
    time: str
    density: str


def evidence(told: Told, edges: Float[ArrayLike, " b"], times: Sequence[float], units: Units) -> Figure:
    """Above, the data, what the fits predict, and intervals; below, how well combinations are known by each kind.

    **Arguments:**

    - `told`: what came out.
    - `edges`: of the bins [length]; `times`: of the observations, both in the units that are named.
    - `units`: for the labels.
    """
    kinds, heights = list(told.evidence), [3.9, 0.7 + 0.42 * len(told.study.truth)]
    fig = style.figure(14.0, sum(heights))
    upper, lower = (fig.add_subfigure(part) for part in fig.add_gridspec(2, 1, height_ratios=heights))
    shapes, places, intervals = upper.subplots(1, 3, width_ratios=[1.15, 0.9, 1.1])
    _profiles(shapes, told, np.asarray(edges), times, units)
    _fronts(places, told, times, units)
    _intervals(intervals, told)
    for number, (ax, kind) in enumerate(zip(lower.subplots(1, len(kinds), sharex=True), kinds, strict=True)):
        combinations(ax, kind, told.evidence[kind].directions, style.COLOURS[number])
    return fig


def _profiles(ax: Axes, told: Told, edges: np.ndarray, times: Sequence[float], units: Units) -> None:
    middle = 0.5 * (edges[1:] + edges[:-1])
    kind, best = list(told.evidence.items())[-1]
    shades = _shades(len(times))
    for time, shade, seen, fitted in zip(times, shades, told.measured.profiles, best.seen.profiles, strict=True):
        ax.plot(middle, seen, ".", ms=3.5, color=shade)
        ax.plot(middle, fitted, color=shade, lw=1.5, label=f"{time:g} {units.time}")
    ax.set(xlabel=f"{units.place} [{units.length}]", ylabel=units.density, xlim=(edges[0], edges[-1]))
    ax.set_title(f"profiles: measured, and the fit to {kind}", fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    ax.grid(alpha=0.25)


def _shades(count: int) -> list[tuple[float, ...]]:
    """Colours of so many times, the later the brighter."""
    from matplotlib import colormaps

    return [tuple(colour) for colour in colormaps[style.DENSITY_MAP](np.linspace(0.0, 0.8, count))]


def _fronts(ax: Axes, told: Told, times: Sequence[float], units: Units) -> None:
    for number, (kind, one) in enumerate(told.evidence.items()):
        ax.plot(times, np.asarray(one.seen.fronts), label=f"fit to {kind}", **style.curve(number))
    ax.plot(times, np.asarray(told.measured.fronts), "ko", ms=5, mfc="none", label="measured")
    ax.set(xlabel=f"time [{units.time}]", ylabel=f"front: {units.place} [{units.length}]")
    ax.set_title("fronts, and their slope, the speed", fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    ax.grid(alpha=0.25)


def _intervals(ax: Axes, told: Told) -> None:
    """Of each unknown over its truth: the prior in grey, a bar for each kind, black ends for a profile."""
    study = told.study
    reach = float(ndtri(0.5 + LEVEL / 2))
    rows = {name: -row for row, name in enumerate(study.truth)}
    for name, row in rows.items():
        prior, true = study.priors[name], study.truth[name]
        ends = [float(prior.median) * float(prior.factor) ** (side * reach) / true for side in (-1, 1)]
        ax.fill_betweenx([row - 0.4, row + 0.4], *ends, color="0.9", lw=0, label="prior" if row == 0 else None)
    offsets = np.linspace(0.22, -0.22, len(told.evidence))
    for number, (offset, (kind, one)) in enumerate(zip(offsets, told.evidence.items(), strict=True)):
        for name, row in rows.items():
            low, high = (float(end) / study.truth[name] for end in one.known.interval(LEVEL)[name])
            value = float(one.fit.parameters[name]) / study.truth[name]
            bar = {"fmt": "o", "ms": 4, "color": style.COLOURS[number], "capsize": 3, "lw": 1.8}
            errors = [[value - low], [high - value]]
            ax.errorbar([value], [row + offset], xerr=errors, label=f"by {kind}" if row == 0 else None, **bar)
        for each in one.profiles:
            ends = np.asarray(each.interval()) / study.truth[each.label]
            ax.plot(ends, [rows[each.label] + offset - 0.13] * 2, "k|-", ms=5, lw=0.8)
    if any(one.profiles for one in told.evidence.values()):
        ax.plot([], [], "k|-", ms=5, lw=0.8, label="by its profile in cost")
    ax.axvline(1, color="black", lw=0.8, zorder=0)
    ax.set(xscale="log", xlabel="value / truth", yticks=list(rows.values()), ylim=(-len(rows) + 0.5, 0.5))
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticklabels([name.replace("_", "\n") for name in rows], fontsize=8)
    ax.set_title(f"{100 * LEVEL:g}% intervals", fontsize=10)
    ax.legend(frameon=False, fontsize=7.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.grid(alpha=0.25, axis="x")


def combinations(ax: Axes, kind: str, directions: Sequence[Direction], colour: str) -> None:
    """A bar for each combination, as long as the data of this kind know more of it than the prior did."""
    for row, direction in enumerate(directions):
        value = min(max(direction.information, LEAST), MOST)
        ax.barh(-row - 0.18, value - LEAST, left=LEAST, height=0.3, color=colour if direction.seen else "0.75")
        words = textwrap.fill(str(direction).rpartition(": ")[0].replace("_", " "), LETTERS)
        shade = "black" if direction.seen else "0.4"
        ax.text(
            1.3 * LEAST, -row + 0.06, words, fontsize=7.5, va="bottom", bbox={"pad": 0.5, "color": "white"}, color=shade
        )
    ax.axvline(1, color="black", lw=0.8, ls="--", zorder=0)
    ax.set(xscale="log", xlim=(LEAST, MOST), yticks=[], ylim=(-len(directions) + 0.5, 0.7))
    ax.set_xlabel("information: variance by the prior / by the noise", fontsize=9)
    determined = sum(direction.seen for direction in directions)
    ax.set_title(f"{kind}: {determined} of {len(directions)} combinations are determined", fontsize=10)
