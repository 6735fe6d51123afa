"""An inference in one picture: observed and fitted, the descent of the misfit, and the values found."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from jaxchemo.domain import Grid
from jaxchemo.plotting import style
from jaxchemo.plotting.fields import extent_of


def recovery(
    grid: Grid,
    *,
    times: Sequence[float],
    observed: np.ndarray,
    fitted: np.ndarray,
    noise: float,
    descents: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    lowest: float,
    target: float,
    values: Mapping[str, Mapping[str, float]],
) -> Figure:
    """Observed against fitted densities, the misfit against simulations, and the recovered values against the truth.

    **Arguments:**

    - `grid`: of two dimensions.
    - `times`: of the observations [time].
    - `observed`, `fitted`: densities `(k, *shape)` [mass / length^2].
    - `noise`: standard deviation of the observations [mass / length^2].
    - `descents`: for each optimiser, simulations used and the misfit reached.
    - `lowest`, `target`: the lowest misfit, and that at which the optimisers are compared.
    - `values`: for each parameter `value`, `error` (one standard deviation), `truth` and `guess`, and as text its `unit`.
    """
    k = len(times)
    fig = style.figure(2.35 * k + 6.2, 6.8)
    left, right = fig.subfigures(1, 2, width_ratios=[2.35 * k + 0.9, 5.0])
    axes = left.subplots(3, k, squeeze=False, sharex=True, sharey=True)
    norm = PowerNorm(style.GAMMA, vmin=0.0, vmax=float(fitted.max()))
    residual = (observed - fitted) / noise
    rows = (
        ("observed", np.maximum(observed, 0.0), {"norm": norm, "cmap": style.DENSITY_MAP}),
        ("fitted", fitted, {"norm": norm, "cmap": style.DENSITY_MAP}),
        ("difference", residual, {"vmin": -4.0, "vmax": 4.0, "cmap": style.RESIDUAL_MAP}),
    )
    images = []
    for row, (name, fields, look) in zip(axes, rows, strict=True):
        for ax, time, field in zip(row, times, fields, strict=True):
            image = ax.imshow(field.T, origin="lower", extent=extent_of(grid, 0, 1), **look)
            ax.set_title(f"{name}, t = {time:g}", fontsize=9)
        images.append(image)
    style.label_outer(axes, style.length_label(0), style.length_label(1))
    left.colorbar(images[1], ax=axes[:2], label=style.density_label(2), shrink=0.85, pad=0.01)
    left.colorbar(images[2], ax=axes[2:], label="difference / noise", shrink=0.9, pad=0.01)

    upper, lower = right.subfigures(2, 1, height_ratios=[1.1, 1.0])
    ax = upper.subplots()
    for n, (name, (simulations, misfit)) in enumerate(descents.items()):
        colour, dashes, marker = style.COLOURS[n], style.DASHES[n], "os^D"[n % 4]
        above = np.asarray(misfit) - lowest
        ax.plot(np.asarray(simulations)[above > 0], above[above > 0], color=colour, ls=dashes, marker=marker, ms=4, lw=1.5, label=name)
    ax.axhline(target - lowest, color="0.5", lw=1, zorder=0)
    ax.annotate("compared here", (1.0, target - lowest), (-3, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
                ha="right", color="0.35", fontsize=9)  # fmt: skip
    ax.set(xlabel="simulations (forward, and one for each derivative)", yscale="log")
    ax.set_ylabel("½ Σ (difference / noise)², above its lowest")
    ax.legend(frameon=False)
    ax.grid(alpha=0.25)

    for ax, (name, found) in zip(lower.subplots(1, len(values), squeeze=False)[0], values.items(), strict=True):
        value, error = found["value"], found["error"]
        ax.axhline(found["truth"], color="black", lw=1.2, label="truth")
        ax.errorbar([0], [value], yerr=[error], fmt="o", color=style.COLOURS[0], capsize=6, ms=6, label="recovered ± 1σ")
        spread = 4 * max(error, abs(value - found["truth"]))
        ax.set(xlim=(-1, 1), xticks=[], ylim=(found["truth"] - spread, found["truth"] + spread))
        ax.set_title(f"{name} {value:.4g} ± {error:.1g}\n(truth {found['truth']:g}, guess {found['guess']:g})", fontsize=9)
        ax.set_ylabel(f"{name} [{found['unit']}]", fontsize=9)
        ax.tick_params(axis="y", labelsize=8)
        ax.grid(alpha=0.25, axis="y")
    lower.axes[0].legend(frameon=False, fontsize=8, loc="lower left")
    return fig
