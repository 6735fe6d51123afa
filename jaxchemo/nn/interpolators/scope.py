"""What a network was trained on, so that a user hears when a problem is something else."""

import math
import warnings

import equinox as eqx
from jaxtyping import Array

from jaxchemo import _checks
from jaxchemo.domain import Grid


class Scope(eqx.Module):
    """Dimension and resolution of the problems that a network knows.

    **Arguments:**

    - `ndim`: dimension of the space.
    - `resolution`: least and most grid cells across the standard deviation of the smallest blob of the population.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> jc.nn.Scope(ndim=3, resolution=(0.6, 6.0))
    Scope(ndim=3, resolution=(0.6, 6.0))
    """

    ndim: int = eqx.field(static=True)
    resolution: tuple[float, float] = eqx.field(static=True)

    def __init__(self, ndim: int, resolution: tuple[float, float]):
        self.ndim = _checks.natural("ndim", ndim)
        given = _checks.several("resolution", resolution, "number", 2)
        low, high = (_checks.constant(_checks.positive, "resolution", cells) for cells in given)
        if low > high:
            raise ValueError(f"`resolution` must be the least and the most cells, got {low:g} and {high:g}.")
        self.resolution = (low, high)

    def check(self, grid: Grid, finest: Array | float) -> None:
        """Refuses another dimension, and warns of another resolution; `finest` is the smallest length [length].

        **Raises:** `ValueError` for a `grid` of another dimension.
        """
        if grid.ndim != self.ndim:
            raise ValueError(
                f"`interpolator`: the network was trained in {self.ndim}D, but the grid has {grid.ndim} dimensions: "
                f"another network, or the default Histospline(), would do."
            )
        if not _checks.is_concrete(finest) or not math.isfinite(finest):
            return
        cells = float(finest) / max(grid.spacing)
        low, high = self.resolution
        if not low / 1.5 <= cells <= 1.5 * high:
            warnings.warn(
                f"The network was trained on populations whose smallest blob is {low:g} to {high:g} grid cells wide; "
                f"here it is {cells:.3g} (a length of {float(finest):.3g} on a spacing of {max(grid.spacing):.3g}). "
                f"The default interpolator, Histospline(), may be better.",
                stacklevel=2,
            )
