"""How errors fall: curves on logarithmic axes, with the spread over seeds and slopes to compare with."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from jaxchemo.plotting import style


def decays(
    x: Sequence[float],
    curves: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    ylabel: str,
    slopes: Sequence[float] = (),
    title: str = "",
) -> Figure:
    """Errors against a number, on logarithmic axes.

    **Arguments:**

    - `x`: what they are drawn against, one entry per row of a curve.
    - `curves`: by name, errors `(len(x), seeds)`; drawn are the root mean square and the extremes.
    - `xlabel`, `ylabel`: of the axes.
    - `slopes`: of straight lines to compare with, drawn grey from the first point of the first curve.
    - `title`: over the figure.
    """
    fig = style.figure(6.4, 4.6)
    ax = fig.subplots()
    first = None
    for number, (name, values) in enumerate(curves.items()):
        mean = np.sqrt(np.mean(values**2, axis=1))
        first = mean[0] if first is None else first
        look = style.curve(number)
        ax.plot(x, mean, marker="os^D"[number % 4], ms=5, label=name, **look)
        ax.fill_between(x, values.min(axis=1), values.max(axis=1), color=look["color"], alpha=0.15, lw=0)
    for slope in slopes:
        line = (first or 1.0) * (np.asarray(x, float) / x[0]) ** slope
        ax.plot(x, line, color="0.5", lw=1, label=f"slope {slope:g}", zorder=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log", title=title)
    ax.grid(alpha=0.25, which="both")
    ax.legend(frameon=False)
    return fig
