"""The three experiments of the NSIPF paper: one blob, two blobs, and annuli of food."""

import dataclasses
from typing import ClassVar

from jaxchemo.experiments.base import Experiment
from jaxchemo.initial import AbstractInitial, AbstractProfile, gaussian, mixture, ring


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneBlob(Experiment):
    """One blob of cells in one blob of food.

    **Arguments:** those of `Experiment`, and

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
class TwoBlobs(Experiment):
    """Two blobs of cells beside one blob of food.

    **Arguments:** those of `Experiment`, and

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
class Annuli(Experiment):
    """A blob of cells between rings of food: two, one above the other, in 3D; one around it in 2D.

    **Arguments:** those of `Experiment`, and

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
