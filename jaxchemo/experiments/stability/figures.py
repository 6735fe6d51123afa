"""A map of growth rates over two parameters, with the boundary that theory predicts and runs on both sides of it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from jaxchemo.plotting import style


def stability_map(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " m"],
    rates: Float[np.ndarray, "m n"],
    boundary: Float[np.ndarray, " m"],
    runs: Sequence[tuple[float, float, bool]],
    *,
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Growth rate of the fastest wave over two parameters.

    **Arguments:**

    - `x`, `y`: values of the parameters; `rates`: growth rate at each pair [1 / time].
    - `boundary`: value of `x` at which the rate is zero, for each `y`.
    - `runs`: pairs that were run, and whether a wave grew there.
    - `xlabel`, `ylabel`: names of the parameters, with units.
    """
    fig = style.figure(6.4, 4.6)
    ax = fig.subplots()
    size = float(np.max(np.abs(rates)))
    norm = TwoSlopeNorm(0.0, -size, size)
    image = ax.pcolormesh(x, y, rates, cmap=style.RESIDUAL_MAP, norm=norm, shading="nearest", rasterized=True)
    fig.colorbar(image, ax=ax, label="growth rate of the fastest wave [1 / time]")
    ax.plot(boundary, y, color="black", lw=2, label="critical value")
    for grew, marker, label in ((True, "o", "run: a pattern grows"), (False, "s", "run: it decays")):
        points = np.array([(a, b) for a, b, g in runs if g is grew]).reshape(-1, 2)
        face = "black" if grew else "white"
        ax.plot(*points.T, ls="", marker=marker, color="black", markerfacecolor=face, ms=6, label=label)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    ax.legend(loc="upper left", framealpha=0.9)
    return fig
