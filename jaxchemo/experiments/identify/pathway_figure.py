"""Tables of mobility and sensitivity in one picture: the fits, what is determined, and what is hidden."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxchemo.experiments.identify.figures import combinations
from jaxchemo.experiments.identify.pathway_tables import TABLES, TableEvidence, coefficients
from jaxchemo.plotting import style


def tables(evidence: Mapping[str, TableEvidence]) -> Figure:
    """Above, both tables with the fits, and draws of the two numbers that hide behind one another; below, combinations.

    **Arguments:** `evidence`: by the table that was fitted; the last of them is of both.
    """
    heights = [3.9, 3.1]
    fig = style.figure(14.0, sum(heights))
    upper, lower = (fig.add_subfigure(part) for part in fig.add_gridspec(2, 1, height_ratios=heights))
    mobility, sensitivity, hidden = upper.subplots(1, 3)
    for number, (ax, name) in enumerate(((mobility, "mobility"), (sensitivity, "sensitivity"))):
        _table(ax, name, number, evidence)
    _hidden(hidden, evidence["both"])
    for number, (ax, name) in enumerate(zip(lower.subplots(1, len(evidence), sharex=True), evidence, strict=True)):
        combinations(ax, name, evidence[name].directions, style.COLOURS[number])
    return fig


def _table(ax: Axes, name: str, place: int, evidence: Mapping[str, TableEvidence]) -> None:
    bias, measured = TABLES[name]
    fine = np.linspace(bias[0], bias[-1], 200)
    for number, (kind, one) in enumerate(evidence.items()):
        curve = coefficients(one.fit.parameters, fine)[place]
        # A fit to the other table alone was never shown this one.
        other = {"ls": ":", "lw": 1.3} if kind not in (name, "both") else {"ls": "-", "lw": 3.0 - number}
        ax.plot(fine, curve, color=style.COLOURS[number], label=f"fit to {kind}", **other)
    ax.plot(bias, measured, "ko", ms=4.5, mfc="none", label="published table")
    ax.set(yscale="log", xlabel="tumble bias", ylabel=f"{name} [μm² / s]")
    ax.set_title(f"{name} of bacteria by their tumble bias", fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    ax.grid(alpha=0.25)


def _hidden(ax: Axes, one: TableEvidence) -> None:
    """The misfit against the motor's rate and the persistence: a valley along which neither can be told."""
    posterior, best = one.fit.posterior, one.fit.parameters
    turning, *_ = one.turning
    persistence, rate = np.linspace(-0.15, 0.85, 61), np.geomspace(0.3, 8.0, 81)

    def misfit(persistence: Array, rate: Array) -> Array:
        z = posterior.whitened({**best, "persistence": persistence, "switching": rate})
        return jnp.sum(posterior.residuals(z) ** 2)

    excess = jax.jit(jax.vmap(jax.vmap(misfit, (0, None)), (None, 0)))(persistence, rate) - one.misfit
    filled = ax.contourf(persistence, rate, np.maximum(excess, 0), (0, 1, 4, 9, 25, 100), cmap="cividis", extend="max")
    ax.figure.colorbar(filled, ax=ax, label="misfit above the least", shrink=0.9)
    line = turning / (1 - persistence)
    ax.plot(persistence, line, "w--", lw=1.2, label=f"(1 - persistence) × rate = {turning:.2g} / s")
    ax.set(yscale="log", ylim=(rate[0], rate[-1]), xlabel="persistence of a turn", ylabel="rate of the motor [1 / s]")
    ax.set_yticks([0.3, 0.5, 1, 2, 4, 8], ["0.3", "0.5", "1", "2", "4", "8"])
    ax.minorticks_off()
    ax.set_title("both tables: only a product is determined", fontsize=10)
    ax.legend(frameon=True, facecolor="0.4", labelcolor="white", fontsize=8, loc="lower right")
