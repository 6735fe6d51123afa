"""One-dimensional fields in time: a map of space and time beside profiles, and a film of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from jaxchemo.plotting import gif, style


def kymograph(
    x: Float[np.ndarray, " n"],
    ts: Float[np.ndarray, " t"],
    density: Float[np.ndarray, "t n"],
    *,
    times: Sequence[float] = (),
    name: str = "rho",
) -> Figure:
    """Density over space and time, and its profiles at some times.

    **Arguments:**

    - `x`, `ts`: cell centres [length] and times [time].
    - `density`: a row for each time [mass / length].
    - `times`: of the profiles; the nearest saved ones are drawn. Default: the first and the last.
    - `name`: of the species. Default "rho".
    """
    chosen = [int(np.argmin(np.abs(ts - t))) for t in (times or (ts[0], ts[-1]))]
    fig = style.figure(9.6, 3.9)
    left, right = fig.subplots(1, 2, width_ratios=(1.15, 1))
    # Nearly empty places reach down to any power of ten: four are enough, and the rest is one colour.
    low, high = np.percentile(density, 2), density.max()
    norm = LogNorm(max(low, high * 1e-4), high)
    image = left.pcolormesh(x, ts, density, cmap=style.DENSITY_MAP, norm=norm, shading="nearest", rasterized=True)
    fig.colorbar(image, ax=left, label=style.density_label(1, name), extend="min")
    left.set(xlabel=style.length_label(0), ylabel="time [time]")
    for number, k in enumerate(chosen):
        right.plot(x, density[k], label=f"t = {ts[k]:g}", **style.curve(number))
    right.set(xlabel=style.length_label(0), ylabel=style.density_label(1, name), xlim=(x[0], x[-1]))
    right.legend(frameon=False)
    right.grid(alpha=0.25)
    return fig


def film(
    x: Float[np.ndarray, " n"],
    ts: Float[np.ndarray, " t"],
    density: Float[np.ndarray, "t n"],
    path: str | Path,
    *,
    seconds: float = 6.0,
    name: str = "rho",
) -> Path:
    """Writes a GIF of the profiles.

    **Arguments:** as `kymograph`, and

    - `path`: file to write.
    - `seconds`: how long it runs [s]. Default 6.

    **Returns:** the path of the file.

    **Raises:** `OSError` if the file cannot be written; `ImportError` where imageio, of the extra [viz], is missing.
    """
    fig = style.figure(6.4, 3.4)
    ax = fig.subplots()
    (line,) = ax.plot(x, density[0], **style.curve(0))
    ax.set(xlabel=style.length_label(0), ylabel=style.density_label(1, name))
    ax.set(xlim=(x[0], x[-1]), ylim=(0, 1.05 * density.max()))
    ax.grid(alpha=0.25)
    ax.set_title(" ")

    def show(index: int) -> None:
        line.set_ydata(density[index])
        ax.set_title(f"t = {ts[index]:.3g}")

    return gif.write(fig, len(ts), show, path, seconds)
