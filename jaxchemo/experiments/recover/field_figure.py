"""A hidden field in one picture: what was seen, what was behind it, and where the truth leaves the band."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from jaxchemo.domain import Grid
from jaxchemo.plotting import style
from jaxchemo.plotting.fields import extent_of


def hidden_field(
    grid: Grid,
    *,
    time: float,
    observed: np.ndarray,
    truth: np.ndarray,
    bands: Mapping[str, tuple[np.ndarray, ...]],
) -> Figure:
    """Above: the last picture, the truth, and the last estimate. Below: its spread, and how far each is off.

    **Arguments:**

    - `grid`: a box of two dimensions.
    - `time`: of the picture [time]; `observed`: densities in it [mass / length^2].
    - `truth`: the field [concentration].
    - `bands`: two estimates, by name: the field, and the lower and upper ends of its 90% band [concentration].
    """
    look = {"origin": "lower", "extent": extent_of(grid, 0, 1)}
    fig = style.figure(12.0, 7.2)
    axes = fig.subplots(2, 3, sharex=True, sharey=True)
    name, (estimate, lower, upper) = list(bands.items())[-1]
    food = {"vmin": float(truth.min()), "vmax": float(truth.max()), "cmap": style.SIGNAL_MAP}
    for ax, title, field, label, settings in (
        (axes[0, 0], f"observed, t = {time:g}", observed, style.density_label(2), {"cmap": style.DENSITY_MAP}),
        (axes[0, 1], "true food at the start", truth, style.signal_label(), food),
        (axes[0, 2], f"recovered, {name}", estimate, style.signal_label(), food),
        (axes[1, 0], "half of the 90% band", (upper - lower) / 2 / estimate, "over the estimate", {"cmap": "cividis"}),
    ):
        image = ax.imshow(field.T, **look, **settings)
        ax.set_title(title, fontsize=9)
        fig.colorbar(image, ax=ax, label=label, shrink=0.85)
    for ax, (name, (estimate, lower, upper)) in zip(axes[1, 1:], bands.items(), strict=True):
        # In half bands, on either side its own: beyond 1 the truth is outside.
        off = (estimate - truth) / np.where(truth < estimate, estimate - lower, upper - estimate)
        image = ax.imshow(off.T, **look, vmin=-3, vmax=3, cmap=style.RESIDUAL_MAP)
        outside = np.argwhere(np.abs(off) > 1)
        x, y = (np.asarray(line)[outside[:, k]] for k, line in enumerate(grid.axes))
        ax.plot(x, y, ".", color="black", ms=2)
        share = 1 - len(outside) / off.size
        ax.set_title(f"{name}: truth in the band in {share:.0%} of cells\n(dots: outside)", fontsize=9)
        fig.colorbar(image, ax=ax, label="(estimate - truth) / half band", shrink=0.85)
    style.label_outer([list(row) for row in axes], style.length_label(0), style.length_label(1))
    return fig
