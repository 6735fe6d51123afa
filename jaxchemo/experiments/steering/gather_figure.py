"""Cells that are gathered in one picture: when the sources release, where the cells are, and what simpler plans do."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from jaxchemo.plotting import style

if TYPE_CHECKING:
    from jaxchemo.experiments.steering.gather import GatherCells, Gathering


def gathering(experiment: "GatherCells", outcome: "Gathering") -> Figure:
    """Above, the optimal schedule and the density and signal that it makes in time; below, ends and costs of all."""
    fig = style.figure(12.5, 7.2)
    (plan, density, signal), (again, ends, costs) = fig.subplots(2, 3)
    (low, high), knots = experiment.target, experiment.knots
    optimal = outcome.plans["optimal"]
    for ax, shown, title in (
        (plan, optimal, "sources: optimal schedule"),
        (again, outcome.again, "sources: the same, sought on twice the cells"),
    ):
        for number, (place, row) in enumerate(zip(experiment.places, shown.strengths, strict=True)):
            ax.plot(knots, row, "o-", ms=3.5, color=style.COLOURS[number], label=f"at x = {place:g}")
        ax.set(xlabel="time", ylabel="strength [amount / time]", ylim=(-0.04 * experiment.most, 1.3 * experiment.most))
        ax.set_title(title, fontsize=10)
        ax.legend(frameon=False, fontsize=8, loc="upper center", ncols=3, columnspacing=0.9, handlelength=1.2)
        ax.grid(alpha=0.25)
    extent = (0.0, experiment.t1, 0.0, experiment.length)
    for ax, field, title, label, colours in (
        (density, outcome.course, "cells", style.density_label(1), style.DENSITY_MAP),
        (signal, outcome.signal, "attractant", style.signal_label(), style.SIGNAL_MAP),
    ):
        image = ax.imshow(field.T, origin="lower", extent=extent, aspect="auto", cmap=colours)
        for end in (low, high):
            ax.axhline(end, color="white", lw=0.9, ls="--")
        ax.set(xlabel="time", ylabel=style.length_label(0))
        ax.set_title(f"{title}, optimal schedule (dashed: target)", fontsize=10)
        fig.colorbar(image, ax=ax, label=label, shrink=0.9)
    x = np.asarray(experiment.grid().axes[0])
    for number, (name, profile) in enumerate(outcome.ends.items()):
        ends.plot(x, profile, label=name, **style.curve(number))
    ends.axvspan(low, high, color="0.9", lw=0, zorder=0, label="target")
    ends.set(xlabel=style.length_label(0), ylabel=style.density_label(1))
    ends.set_title("cells at the end", fontsize=10)
    ends.legend(frameon=False, fontsize=8)
    ends.grid(alpha=0.25)
    for row, (_, one) in enumerate(outcome.plans.items()):
        paid = one.cost - (1 - one.gathered)
        costs.barh(-row, 1 - one.gathered, color="0.55", label="cells not gathered" if row == 0 else None)
        costs.barh(-row, paid, left=1 - one.gathered, color="0.8", label="price of the release" if row == 0 else None)
        costs.text(one.cost + 0.02, -row, f"{one.cost:.3f}", va="center", fontsize=9)
    costs.set(yticks=[-row for row in range(len(outcome.plans))], yticklabels=list(outcome.plans), xlabel="cost")
    costs.set(xlim=(0.0, 1.2 * max(one.cost for one in outcome.plans.values())), ylim=(-len(outcome.plans) + 0.5, 1.0))
    costs.set_title("what each comes to", fontsize=10)
    costs.legend(frameon=False, fontsize=7.5, loc="upper right", ncols=2, columnspacing=0.8, handlelength=1.0)
    return fig
