"""Cells that dissolve the matrix they crawl along, and invade it."""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo.domain import Grid, NoFlux
from jaxchemo.experiments.base import Experiment
from jaxchemo.initial import function, gaussian, uniform
from jaxchemo.models import invasion
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True, kw_only=True)
class Invasion(Experiment):
    """A round colony in an uneven matrix, which its enzyme degrades: haptotaxis draws the cells into what is left.

    The numbers are ours, dimensionless.

    **Arguments:** those of `Experiment`, and

    - `mobility`, `sensitivity`: of the cells, along the matrix; `degradation`: of the matrix by the enzyme;
      `diffusivity`, `production`, `decay`: of the enzyme.
    - `width`: standard deviation of the colony; `half_width`: the box is `[-half_width, half_width]^d`.
    - `clumps`, `clump_width`: how many clumps the matrix has, and their standard deviation.
    - `cells_2d`, `cells_3d`, `dt_2d`, `dt_3d`: cells along each axis, and time steps on those grids.
    """

    name: ClassVar[str] = "invasion"
    title: ClassVar[str] = "A colony invades the matrix that it dissolves"
    description: ClassVar[str] = (
        "Cells secrete an enzyme that degrades the matrix around them, and climb what is left of it: a ring of cells "
        "leaves the colony and advances through the matrix, uneven as the matrix is."
    )
    show_times: ClassVar[tuple[float, ...]] = (0.0, 5.0, 10.0, 20.0)
    dimensions: ClassVar[tuple[int, ...]] = (3, 2)

    t1: float = 20.0
    frames: int = 40
    mobility: float = 2e-4
    sensitivity: float = 5e-3
    degradation: float = 10.0
    diffusivity: float = 5e-4
    production: float = 0.1
    decay: float = 0.0
    width: float = 0.12
    half_width: float = 1.0
    clumps: int = 60
    clump_width: float = 0.12
    cells_2d: int = 160
    cells_3d: int = 64
    dt_2d: float = 0.1
    dt_3d: float = 0.1

    def problem(self, ndim: int | None = None, shape: int | Sequence[int] | None = None, seed: int = 0) -> Problem:
        shape = self.shape(ndim, shape)
        ndim = len(shape)
        rng = np.random.default_rng(seed)
        places = jnp.asarray(rng.uniform(-self.half_width, self.half_width, (self.clumps, ndim)))
        # In every dimension, half of the matrix is in clumps.
        height = 0.5 * (2 * self.half_width) ** ndim / self.clumps / (2 * math.pi * self.clump_width**2) ** (ndim / 2)

        def matrix(x: Float[Array, "*batch d"]) -> Array:
            def add(total, place):
                square = jnp.sum((x - place.astype(x.dtype)) ** 2, axis=-1)
                return total + height * jnp.exp(-0.5 * square / self.clump_width**2), None

            return jax.lax.scan(add, jnp.full(x.shape[:-1], 0.5, x.dtype), places)[0]

        numbers = {k: getattr(self, k) for k in ("degradation", "diffusivity", "production", "decay")}
        return Problem(
            model=invasion(self.mobility, self.sensitivity, **numbers),
            domain=Grid.box((-self.half_width,) * ndim, (self.half_width,) * ndim, shape, NoFlux()),
            density=gaussian(amplitude=1.0, center=(0.0,) * ndim, std=self.width),
            signal={"matrix": function(matrix), "enzyme": uniform(amplitude=0.0)},
        )

    def resolution(self, ndim: int) -> tuple[int, float]:
        return (self.cells_2d, self.dt_2d) if ndim == 2 else (self.cells_3d, self.dt_3d)
