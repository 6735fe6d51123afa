"""How figures look: colours, sizes and labels in one place. Nothing is set globally, nothing is shown on a screen."""

from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision tell apart; lines also differ in their dashes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
DENSITY_MAP, SIGNAL_MAP, RESIDUAL_MAP = "viridis", "magma", "PuOr"
GAMMA = 0.5  # densities on a square-root scale: what spreads stays visible beside what gathers

AXES = "xyz"
_POWERS = {1: "", 2: "²", 3: "³"}


def figure(width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained") -> Figure:
    """An empty figure of `width` x `height` inches that belongs to nobody: not to pyplot, not to a window."""
    fig = Figure(figsize=(width, height), dpi=110, layout=layout)
    FigureCanvasAgg(fig)
    return fig


def length_label(axis: int) -> str:
    """`x [length]`."""
    return f"{AXES[axis]} [length]"


def density_label(ndim: int, name: str = "rho") -> str:
    """`density rho [mass / length³]`."""
    return f"density {name} [mass / length{_POWERS[ndim]}]"


def signal_label(name: str = "c") -> str:
    """`signal c [concentration]`."""
    return f"signal {name} [concentration]"


def curve(number: int) -> dict[str, Any]:
    """How the curve of solution `number` is drawn."""
    return {"color": COLOURS[number % len(COLOURS)], "ls": DASHES[number % len(DASHES)], "lw": 1.8}


def panels(
    rows: int, columns: int, *, size: float = 2.6, extra: float = 0.9, share: bool = True
) -> tuple[Figure, list[list[Axes]]]:
    """A grid of square panels of `size` inches, with `extra` inches for labels and a colour bar."""
    fig = figure(columns * size + extra, rows * size + 0.75, "compressed")
    axes = fig.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    return fig, [list(row) for row in axes]


def label_outer(axes: Sequence[Sequence[Axes]], xlabel: str, ylabel: str) -> None:
    """Names the lowest x axes and the leftmost y axes of a grid of panels."""
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    for row in axes:
        row[0].set_ylabel(ylabel)
