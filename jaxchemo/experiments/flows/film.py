"""A film of a flow: its density, and its samples beside interacting particles."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm

from jaxchemo.plotting import gif, style

if TYPE_CHECKING:
    from jaxchemo.experiments.flows.base import Film


def flow_film(film: "Film", path: str | Path, *, seconds: float = 6.0) -> Path:
    """Writes a GIF of the density, in colours on a logarithmic scale, and of positions by method.

    In three dimensions the density is that on a slice, and positions are seen along z.

    **Arguments:**

    - `film`: of an experiment with a flow; `path`: file to write.
    - `seconds`: how long it runs [s]. Default 6.

    **Returns:** the path of the file.

    **Raises:** `OSError` if the file cannot be written; `ImportError` where imageio, of the extra [viz], is missing.
    """
    ndim = next(iter(film.clouds.values())).shape[-1]
    fig = style.figure(3.5 * (1 + len(film.clouds)) + 0.6, 3.7)
    first, *others = fig.subplots(1, 1 + len(film.clouds))
    high = film.density.max()
    norm = LogNorm(max(film.density[0].min(), 1e-3 * film.density[0].max()), high)
    shown = film.density[0].T
    image = first.pcolormesh(film.x, film.y, shown, norm=norm, cmap=style.DENSITY_MAP, shading="nearest")
    first.set_facecolor(image.get_cmap()(0.0))  # where there is nothing
    power = {2: "²", 3: "³"}[ndim]
    fig.colorbar(image, ax=first, label=f"density / mass [1 / length{power}]", shrink=0.85, extend="min")
    first.set_title("flow: density" if ndim == 2 else "flow: density at z = 0", fontsize=10)
    dots = []
    for ax, (name, cloud), colour in zip(others, film.clouds.items(), style.COLOURS, strict=False):
        dots += ax.plot(*cloud[0, :, :2].T, ".", ms=2, alpha=0.5, color=colour)
        ax.set_title(f"{name}: samples" if name == "flow" else name, fontsize=10)
    for ax in (first, *others):
        ax.set(xlabel=style.length_label(0), ylabel=style.length_label(1), aspect="equal")
        ax.set(xlim=(film.x[0], film.x[-1]), ylim=(film.y[0], film.y[-1]))
    title = fig.suptitle(" ")

    def show(index: int) -> None:
        image.set_array(np.asarray(film.density[index].T))
        for dot, cloud in zip(dots, film.clouds.values(), strict=True):
            dot.set_data(*cloud[index, :, :2].T)
        title.set_text(f"t = {film.ts[index]:.3f} [time]")

    return gif.write(fig, len(film.ts), show, path, seconds)
