"""An inference in one picture: observed and fitted, the descent of the cost, and the values that were recovered."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from jaxchemo.plotting import style
from jaxchemo.plotting.fields import extent_of
from jaxchemo.plotting.frames import box
from jaxchemo.problem import Problem


def recovery(
    problem: Problem,
    *,
    times: Sequence[float],
    observed: np.ndarray,
    fitted: np.ndarray,
    noise: float,
    descents: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    lowest: float,
    target: float,
    values: Mapping[str, Mapping[str, Any]],
) -> Figure:
    """Observed against fitted densities, the cost against simulations, and the recovered values against the truth.

    **Arguments:**

    - `problem`: on a `Grid.box` of two dimensions.
    - `times`: of the observations [time].
    - `observed`, `fitted`: densities `(k, *shape)` [mass / length^2].
    - `noise`: standard deviation of the observations [mass / length^2].
    - `descents`: for each optimiser, simulations used and the cost reached.
    - `lowest`, `target`: the lowest cost, and that at which the optimisers are compared.
    - `values`: for each parameter `value`, `interval` (of 90%), `corrected` (without the shift by the grid), those of
      the `particles`, `truth`, `guess`, and its `unit` as text.
    """
    grid, k = box(problem, 2), len(times)
    fig = style.figure(2.35 * k + 6.2, 6.8)
    left, right = (fig.add_subfigure(part) for part in fig.add_gridspec(1, 2, width_ratios=[2.35 * k + 0.9, 5.0]))
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
    style.label_outer([list(row) for row in axes], style.length_label(0), style.length_label(1))
    left.colorbar(images[1], ax=axes[:2], label=style.density_label(2), shrink=0.85, pad=0.01)
    left.colorbar(images[2], ax=axes[2:], label="difference / noise", shrink=0.9, pad=0.01)

    upper, lower = (right.add_subfigure(part) for part in right.add_gridspec(2, 1, height_ratios=[1.1, 1.0]))
    ax = upper.subplots()
    for n, (name, (simulations, cost)) in enumerate(descents.items()):
        # Below the line nothing is told apart any more, and a logarithm has no zero.
        above = np.maximum(np.asarray(cost) - lowest, (target - lowest) / 3)
        ax.plot(simulations, above, label=name, marker="os^D"[n % 4], ms=4, **style.curve(n))
    ax.set_ylim(bottom=(target - lowest) / 10)
    ax.axhline(target - lowest, color="0.5", lw=1, zorder=0)
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right"}
    ax.annotate("compared here", (0.3, target - lowest), (-3, -12), color="0.35", fontsize=9, **place)
    ax.set(xlabel="simulations (forward, and one for each derivative)", yscale="log")
    ax.set_ylabel("negative log density above its lowest")
    ax.legend(frameon=False)
    ax.grid(alpha=0.25)

    for ax, (name, known) in zip(lower.subplots(1, len(values), squeeze=False)[0], values.items(), strict=True):
        value, (low, high) = known["value"], known["interval"]
        ax.axhline(known["truth"], color="black", lw=1.2, label="truth")
        bar = {"fmt": "o", "color": style.COLOURS[0], "capsize": 6, "ms": 6}
        ax.errorbar([0], [value], yerr=[[value - low], [high - value]], label="fit, 90% by the noise", **bar)
        # The noise is the same, and positive numbers are known up to a factor.
        better, factor = known["corrected"], known["corrected"] / value
        bar |= {"fmt": "D", "color": style.COLOURS[1]}
        lengths = [[better - factor * low], [factor * high - better]]
        ax.errorbar([0.5], [better], yerr=lengths, label="without the shift by the grid", **bar)
        sampled = known["particles"]["value"]
        least, most = known["particles"]["interval"]
        bar |= {"fmt": "s", "color": style.COLOURS[2]}
        ax.errorbar([1.0], [sampled], yerr=[[sampled - least], [most - sampled]], label="by particles", **bar)
        ends = (low, high, factor * low, factor * high, least, most)
        spread = 1.2 * max(abs(end - known["truth"]) for end in ends)
        ax.set(xlim=(-0.75, 1.75), xticks=[], ylim=(known["truth"] - spread, known["truth"] + spread))
        label = f"(truth {known['truth']:g}, guess {known['guess']:g})"
        ax.set_title(f"{name} {low:.4g} to {high:.4g}\n{label}", fontsize=9)
        ax.set_ylabel(f"{name} [{known['unit']}]", fontsize=9)
        ax.tick_params(axis="y", labelsize=8)
        ax.grid(alpha=0.25, axis="y")
    handles, names = lower.axes[0].get_legend_handles_labels()
    lower.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return fig
