"""The three experiments of the NSIPF paper: one blob, two blobs, and annuli of food."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from jaxchemo.domain import Grid, NoFlux
from jaxchemo.experiments.base import Experiment
from jaxchemo.initial import AbstractInitial, AbstractProfile, gaussian, mixture, ring
from jaxchemo.models import phks
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoodExperiment(Experiment):
    """Cells in a box that climb a food which does not diffuse, and eat it; in two or three dimensions.

    The numbers are ours, chosen to show what arXiv 2510.13199 describes; the paper's own are not available.

    **Arguments:** those of `Experiment`, and

    - `mobility`: diffusivity of the cells [length^2 / time].
    - `sensitivity`: chi [length^2 / time / concentration].
    - `consumption`: food eaten per density of cells [length^d / mass / time].
    - `half_width`: the box is `[-half_width, half_width]^d` with walls that nothing passes [length].
    - `cells_2d`, `cells_3d`: cells of the grid along each axis.
    - `dt_2d`, `dt_3d`: time step on that grid [time].
    """

    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    slab: ClassVar[float] = 0.3  # a particle run is noisy cell by cell

    t1: float = 1.0
    mobility: float = 0.1
    sensitivity: float = 1.0
    consumption: float = 1.0
    half_width: float = 3.0
    cells_2d: int = 128
    cells_3d: int = 64
    dt_2d: float = 0.002
    dt_3d: float = 0.004

    @abc.abstractmethod
    def density(self, ndim: int) -> AbstractInitial:
        """The cells at the start."""

    @abc.abstractmethod
    def food(self, ndim: int) -> AbstractInitial:
        """The food at the start."""

    def problem(self, ndim: int | None = None, shape: int | Sequence[int] | None = None, seed: int = 0) -> Problem:
        shape = self.shape(ndim, shape)
        ndim = len(shape)
        return Problem(
            model=phks(self.mobility, self.sensitivity, self.consumption),
            domain=Grid.box((-self.half_width,) * ndim, (self.half_width,) * ndim, shape, NoFlux()),
            density=self.density(ndim),
            signal=self.food(ndim),
        )

    def resolution(self, ndim: int) -> tuple[int, float]:
        return (self.cells_2d, self.dt_2d) if ndim == 2 else (self.cells_3d, self.dt_3d)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneBlob(FoodExperiment):
    """One blob of cells in one blob of food.

    **Arguments:** those of `FoodExperiment`, and

    - `cell_density`: of the blob, at its centre [mass / length^d].
    - `cell_width`: its standard deviation [length].
    - `food_amplitude`: food at the centre [concentration].
    - `food_width`: its standard deviation [length].
    """

    name: ClassVar[str] = "one-blob"
    title: ClassVar[str] = "One blob in its food: it diffuses while it consumes"
    description: ClassVar[str] = (
        "A centred Gaussian blob of cells in a wider, centred Gaussian of food. The food holds the cells together at "
        "first; they eat it from the middle, and what is left around them then draws them outwards: the blob spreads "
        "and hollows."
    )
    show_times: ClassVar[tuple[float, ...]] = (0.0, 0.2, 0.48, 1.0)

    cell_density: float = 4.0
    cell_width: float = 0.35
    food_amplitude: float = 2.0
    food_width: float = 0.8
    dt_2d: float = 0.0025
    dt_3d: float = 0.005

    def density(self, ndim: int) -> AbstractInitial:
        return gaussian(amplitude=self.cell_density, center=(0.0,) * ndim, std=self.cell_width)

    def food(self, ndim: int) -> AbstractInitial:
        return gaussian(amplitude=self.food_amplitude, center=(0.0,) * ndim, std=self.food_width)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TwoBlobs(FoodExperiment):
    """Two blobs of cells beside one blob of food.

    **Arguments:** those of `FoodExperiment`, and

    - `cell_density`: of each blob, at its centre [mass / length^d].
    - `cell_width`: its standard deviation [length].
    - `distance`: of each blob from the middle, along x [length].
    - `food_amplitude`: food at the centre [concentration], much more than there are cells.
    - `food_width`: its standard deviation [length].
    """

    name: ClassVar[str] = "two-blobs"
    title: ClassVar[str] = "Two blobs beside their food: they gather at it"
    description: ClassVar[str] = (
        "Two off-centre Gaussian blobs of cells and one centred Gaussian of food, of which there is much more than of "
        "cells. The blobs move up the food from both sides, meet at its centre, and eat a hollow into it."
    )
    show_times: ClassVar[tuple[float, ...]] = (0.0, 0.1, 0.2, 0.5)

    cell_density: float = 0.8
    cell_width: float = 0.35
    distance: float = 1.3
    food_amplitude: float = 10.0
    food_width: float = 0.9
    t1: float = 0.5

    def density(self, ndim: int) -> AbstractInitial:
        sides = [(side * self.distance, *(0.0,) * (ndim - 1)) for side in (-1, 1)]
        return mixture([gaussian(amplitude=self.cell_density, center=x, std=self.cell_width) for x in sides])

    def food(self, ndim: int) -> AbstractInitial:
        return gaussian(amplitude=self.food_amplitude, center=(0.0,) * ndim, std=self.food_width)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annuli(FoodExperiment):
    """A blob of cells between rings of food: two, one above the other, in 3D; one around it in 2D.

    **Arguments:** those of `FoodExperiment`, and

    - `cell_density`: of the blob, at its centre [mass / length^d].
    - `cell_width`: its standard deviation [length].
    - `food_amplitude`: food on the rings [concentration].
    - `ring_radius`: of the rings, which turn about z [length].
    - `ring_height`: in 3D, the rings lie at `z = +-ring_height` [length].
    - `ring_width`: standard deviation of the rings' cross-section [length].
    """

    name: ClassVar[str] = "annuli"
    title: ClassVar[str] = "Rings of food: the cells gather along them"
    description: ClassVar[str] = (
        "A centred Gaussian blob of cells, and food in two rings above and below it (in 2D, in one ring around it). "
        "The cells spread until they feel the food, then climb it and collect along the rings."
    )
    show_times: ClassVar[tuple[float, ...]] = (0.0, 0.2, 0.48, 1.0)

    cell_density: float = 1.0
    cell_width: float = 0.5
    food_amplitude: float = 4.0
    ring_radius: float = 1.3
    ring_height: float = 0.8
    ring_width: float = 0.35

    @property
    def normal(self) -> int:
        return 1  # a plane that holds the rings' axis cuts each ring twice

    def through(self, ndim: int) -> tuple[float, ...]:
        return (0.0, 0.0) if ndim == 2 else (0.0, 0.0, self.ring_height)

    def density(self, ndim: int) -> AbstractInitial:
        return gaussian(amplitude=self.cell_density, center=(0.0,) * ndim, std=self.cell_width)

    def food(self, ndim: int) -> AbstractInitial:
        def at(center: tuple[float, ...]) -> AbstractProfile:
            return ring(amplitude=self.food_amplitude, center=center, radius=self.ring_radius, width=self.ring_width)

        if ndim == 2:
            return at((0.0, 0.0))
        return mixture([at((0.0, 0.0, side * self.ring_height)) for side in (-1, 1)])
