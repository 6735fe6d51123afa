"""A density in the plane as a flow follows it, beside the exact one and the particles of both."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from jaxchemo.plotting import style

if TYPE_CHECKING:
    from jaxchemo.experiments.flows.plane import Plane


def plane(outcome: "Plane", title: str = "") -> Figure:
    """Densities over time, of the flow and exact; the difference at the end; positions at the end by method.

    **Arguments:**

    - `outcome`: what a `LagrangianPlane` found; `title`: of the figure.
    """
    exact, columns = outcome.exact, len(outcome.exact.ts)
    x, y = exact.points[:, 0, 0], exact.points[0, :, 1]
    fig = style.figure(2.7 * columns + 0.8, 8.0)
    axes = fig.subplots(3, columns, squeeze=False)
    middle = exact.mean(columns - 1)
    reach = 2.5 * np.sqrt(exact.spread(0))
    for k, t in enumerate(exact.ts):
        norm = PowerNorm(style.GAMMA, 0, exact.p[k].max())
        for row, (name, p) in enumerate((("flow", outcome.flow[k]), ("exact", exact.p[k]))):
            shown = axes[row, k].pcolormesh(x, y, p.T, norm=norm, cmap=style.DENSITY_MAP, rasterized=True)
            axes[row, k].set_title(f"{name}, t = {t:.3g}", fontsize=10)
        fig.colorbar(shown, ax=axes[:2, k], location="top", shrink=0.8, label="density / mass [1 / length²]")
    last = axes[2]
    difference = outcome.flow[-1] - exact.p[-1]
    size = np.abs(difference).max()
    shown = last[0].pcolormesh(x, y, difference.T, vmin=-size, vmax=size, cmap=style.RESIDUAL_MAP, rasterized=True)
    last[0].set_title("flow less exact at the end", fontsize=10)
    ticks = np.array([-1, 0, 1]) * float(f"{0.8 * size:.1g}")
    fig.colorbar(shown, ax=last[0], location="bottom", label="[1 / length²]", ticks=ticks)
    for ax, (name, z), colour in zip(last[1:], outcome.positions.items(), style.COLOURS, strict=False):
        ax.plot(*z.T, ".", ms=2, alpha=0.5, color=colour)
        ax.set_title(f"{name} at the end", fontsize=10)
    for ax in [*axes[:2].ravel(), *last[: 1 + len(outcome.positions)]]:
        ax.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(-reach, reach), aspect="equal")
        ax.set(xlabel="x [length]", ylabel="y [length]")
    for ax in last[1 + len(outcome.positions) :]:
        ax.set_axis_off()
    fig.suptitle(title)
    return fig
