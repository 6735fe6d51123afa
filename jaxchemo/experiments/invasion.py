"""A colony that dissolves the matrix it crawls along, and invades it."""

import dataclasses
import math
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo.domain import Grid, NoFlux
from jaxchemo.experiments.options import final_time, non_negative, one_of, option, positive, snapshots, whole
from jaxchemo.experiments.posed import Simulation
from jaxchemo.initial import function, gaussian, uniform
from jaxchemo.models import invasion
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True, kw_only=True)
class Invasion(Simulation):
    """A round colony in an uneven matrix, which its enzyme degrades: haptotaxis draws it into what is left.

    The numbers are ours, dimensionless.

    **Arguments:** those of `Simulation`, and

    - `ndim`: dimensions of the space, 2 or 3.
    - `mobility`, `sensitivity`: of the population, along the matrix; `degradation`: of the matrix by the enzyme;
      `diffusivity`, `production`, `decay`: of the enzyme.
    - `colony_width`: standard deviation of the colony; `half_width`: the box is `[-half_width, half_width]^d`.
    - `clumps`, `clump_width`: how many clumps the matrix has, and their standard deviation.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.Invasion(clumps=20)
    >>> experiment.title
    'A colony invades the matrix that it dissolves'
    >>> experiment.degradation
    10.0
    """

    name: ClassVar[str] = "invasion"
    title: ClassVar[str] = "A colony invades the matrix that it dissolves"
    description: ClassVar[str] = (
        "A colony secretes an enzyme that degrades the matrix around it, and climbs what is left of it: a ring "
        "leaves the colony and advances through the matrix, uneven as the matrix is."
    )
    show_times: ClassVar[tuple[float, ...] | None] = (0.0, 5.0, 10.0, 20.0)
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    own: ClassVar[Mapping[int, tuple[int, float]]] = {2: (160, 0.1), 3: (64, 0.1)}  # cells and step, by dimension

    ndim: int = option(2, one_of(*dimensions), "dimensions of the space, 2 or 3")
    t1: float = final_time(20.0)
    frames: int = snapshots(40)
    mobility: float = option(2e-4, positive, "diffusivity of the population")
    sensitivity: float = option(5e-3, non_negative, "drift per gradient of the matrix")
    degradation: float = option(10.0, non_negative, "of the matrix by the enzyme")
    diffusivity: float = option(5e-4, positive, "of the enzyme")
    production: float = option(0.1, non_negative, "of the enzyme, per density")
    decay: float = option(0.0, non_negative, "of the enzyme")
    colony_width: float = option(0.12, positive, "standard deviation of the colony")
    half_width: float = option(1.0, positive, "half of a side of the box")
    clumps: int = option(60, whole(), "number of clumps in the matrix")
    clump_width: float = option(0.12, positive, "standard deviation of a clump")

    @property
    def resolution(self) -> tuple[tuple[int, ...], float]:
        num_cells, dt = self.own[self.ndim]
        return (num_cells,) * self.ndim, dt

    def problem(self, seed: int = 0) -> Problem:
        shape, ndim = self.grid_shape, self.ndim
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
            density=gaussian(amplitude=1.0, center=(0.0,) * ndim, std=self.colony_width),
            signal={"matrix": function(matrix), "enzyme": uniform(amplitude=0.0)},
        )
