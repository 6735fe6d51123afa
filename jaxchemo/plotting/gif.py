"""How films are written: a figure, drawn once for each picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jaxchemo import _checks


def write(fig: Figure, pictures: int, show: Callable[[int], None], path: str | Path, seconds: float) -> Path:
    """Writes a GIF; `show(index)` brings the figure to a picture, and `seconds` is how long all of them run [s].

    **Returns:** the path of the file.

    **Raises:** `OSError` if the file cannot be written; `ImportError` where imageio is missing.
    """
    iio = _checks.package("imageio.v3", "jaxchemo[viz]")  # imported here: only films need it

    fig.set_dpi(90)
    canvas, images = FigureCanvasAgg(fig), []
    for index in range(pictures):
        show(index)
        canvas.draw()
        if index == 0:
            fig.set_layout_engine("none")  # laid out once, so that nothing jumps
        images.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    iio.imwrite(path, images, extension=".gif", duration=1000 * seconds / pictures, loop=0)
    return Path(path)
