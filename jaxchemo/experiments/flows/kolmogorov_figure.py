"""A population in a fluid of short waves, as a flow follows them, and how one knows whether it does."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from jaxchemo.plotting import style

if TYPE_CHECKING:
    from jaxchemo.experiments.flows.kolmogorov import Kolmogorov


def kolmogorov(outcome: "Kolmogorov", title: str = "") -> Figure:
    """Density and velocity on a slice, and positions; residuals, distances to interacting particles, means over time.

    **Arguments:**

    - `outcome`: what a `LagrangianKolmogorov` found; `title`: of the figure.
    """
    fig = style.figure(15.6, 7.4)
    (slice_, through, *clouds), (residual, energy, sliced, mean) = fig.subplots(2, 4)
    x, step = outcome.x, max(1, len(outcome.x) // 20)
    image = slice_.pcolormesh(x, x, outcome.density.T, cmap=style.DENSITY_MAP, shading="nearest", rasterized=True)
    fig.colorbar(image, ax=slice_, label="density / mass [1 / length³]", location="bottom", shrink=0.9)
    few = slice(step // 2, None, step)
    right, up = (outcome.velocity[few, few, axis].T for axis in (0, 1))
    slice_.quiver(x[few], x[few], right, up, color="white", width=0.004)
    slice_.set_title("flow: density and velocity at z = 0", fontsize=10)
    size = np.abs(outcome.velocity[..., 2]).max()
    shown = {"vmin": -size, "vmax": size, "cmap": style.RESIDUAL_MAP, "shading": "nearest", "rasterized": True}
    image = through.pcolormesh(x, x, outcome.velocity[..., 2].T, **shown)
    fig.colorbar(image, ax=through, label="[length / time]", location="bottom", shrink=0.9)
    through.set_title("flow: velocity along z at z = 0", fontsize=10)
    for ax, (name, z), colour in zip(clouds, outcome.positions.items(), style.COLOURS, strict=False):
        ax.plot(*z[:, :2].T, ".", ms=2, alpha=0.5, color=colour)
        ax.set_title(f"{name}, seen along z", fontsize=10)
    for ax in (slice_, through, *clouds):
        ax.set(xlabel=style.length_label(0), ylabel=style.length_label(1), aspect="equal")
        ax.set(xlim=(x[0], x[-1]), ylim=(x[0], x[-1]))
    for number, (name, fit) in enumerate(outcome.fits.items()):
        edges = np.append(0.0, np.cumsum(fit.durations))
        said = name if fit.successful else f"{name}: stopped at t = {fit.reached:.2g}"
        residual.stairs(fit.residuals, edges, label=said, baseline=None, **style.curve(number))
        residual.plot(edges[-1], fit.residuals[-1], "o" if fit.successful else "x", color=style.COLOURS[number])
    residual.set(xlabel="t [time]", ylabel="residual / velocity", yscale="log", ylim=(None, 1.2))
    residual.set_title("residual of each interval", fontsize=10)
    for ax, (name, apart) in zip((energy, sliced), outcome.distances.items(), strict=True):
        for number, (label, values) in enumerate(
            (("flow, from each seed", apart.flow), ("among the seeds", apart.seeds))
        ):
            for line in values.T:
                ax.plot(outcome.ts, line, marker="o", ms=3, label=label, **style.curve(number))
                label = None
        ax.set(xlabel="t [time]", ylabel=f"{name} [length]")
        ax.set_title("from interacting particles", fontsize=10)
    for number, (name, values) in enumerate(outcome.means.items()):
        mean.plot(outcome.ts, np.linalg.norm(values, axis=1), marker="o", ms=3, label=name, **style.curve(number))
    mean.set(xlabel="t [time]", ylabel="|mean position| [length]", yscale="log")
    mean.set_title("zero by symmetry", fontsize=10)
    for ax in (residual, energy, sliced, mean):
        ax.locator_params(axis="x", nbins=6)
        ax.legend(frameon=False, fontsize=8)
        ax.grid(alpha=0.25)
    fig.suptitle(title)
    return fig
