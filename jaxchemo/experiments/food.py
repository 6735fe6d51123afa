"""The three experiments of the NSIPF paper: one blob, two blobs, and annuli of food."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from jaxchemo.domain import Grid, NoFlux
from jaxchemo.experiments.options import final_time, non_negative, one_of, option, positive, whole
from jaxchemo.experiments.posed import Simulation
from jaxchemo.initial import AbstractInitial, AbstractProfile, gaussian, mixture, ring
from jaxchemo.models import phks
from jaxchemo.problem import Problem


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoodExperiment(Simulation):
    """A population in a box that climbs a food which does not diffuse, and eats it; in two or three dimensions.

    The numbers are ours, chosen to show what arXiv 2510.13199 describes; the paper's own are not available.

    **Arguments:** those of `Simulation`, and

    - `ndim`: dimensions of the space, 2 or 3.
    - `num_particles`: of the methods that have particles.
    - `mobility`: diffusivity of the population [length^2 / time].
    - `sensitivity`: chi [length^2 / time / concentration].
    - `consumption`: food eaten per density [length^d / mass / time].
    - `half_width`: the box is `[-half_width, half_width]^d` with walls that nothing passes [length].

    **Raises:** `ValueError` or `TypeError` naming the option at fault.
    """

    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    slab: ClassVar[float] = 0.3  # a particle run is noisy cell by cell
    own: ClassVar[Mapping[int, tuple[int, float]]] = {2: (128, 0.002), 3: (64, 0.004)}  # cells and step, by dimension

    ndim: int = option(3, one_of(*dimensions), "dimensions of the space, 2 or 3")
    t1: float = final_time(1.0)
    mobility: float = option(0.1, positive, "diffusivity of the population", "length² / time")
    sensitivity: float = option(1.0, non_negative, "drift per gradient of the food", "length² / time / conc.")
    consumption: float = option(1.0, non_negative, "food eaten per density", "length^d / mass / time")
    num_particles: int = option(20_000, whole(), "number of particles, for methods that have them")
    half_width: float = option(3.0, positive, "half of a side of the box", "length")

    @property
    def resolution(self) -> tuple[tuple[int, ...], float]:
        num_cells, dt = self.own[self.ndim]
        return (num_cells,) * self.ndim, dt

    @property
    @abc.abstractmethod
    def density(self) -> AbstractInitial:
        """The population at the start."""

    @property
    @abc.abstractmethod
    def food(self) -> AbstractInitial:
        """The food at the start."""

    @property
    def origin(self) -> tuple[float, ...]:
        """The middle of the box [length]."""
        return (0.0,) * self.ndim

    def problem(self, seed: int = 0) -> Problem:
        far = (self.half_width,) * self.ndim
        return Problem(
            model=phks(self.mobility, self.sensitivity, self.consumption),
            domain=Grid.box(tuple(-x for x in far), far, self.grid_shape, NoFlux()),
            density=self.density,
            signal=self.food,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneBlob(FoodExperiment):
    """One blob in one blob of food.

    **Arguments:** those of `FoodExperiment`, and

    - `peak_density`: at the centre of the blob [mass / length^d]; `peak_width`: its standard deviation [length].
    - `food_amplitude`: food at the centre [concentration]; `food_width`: its standard deviation [length].

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.OneBlob(ndim=2, shape=(64,))
    >>> experiment.title
    'One blob in its food: it diffuses while it consumes'
    >>> experiment.grid_shape, experiment.peak_density
    ((64, 64), 4.0)
    """

    name: ClassVar[str] = "one-blob"
    title: ClassVar[str] = "One blob in its food: it diffuses while it consumes"
    description: ClassVar[str] = (
        "A centred Gaussian blob in a wider, centred Gaussian of food. The food holds the blob together at first; it "
        "is eaten from the middle, and what is left around it then draws the population outwards: the blob spreads "
        "and hollows."
    )
    show_times: ClassVar[tuple[float, ...] | None] = (0.0, 0.2, 0.48, 1.0)
    own: ClassVar[Mapping[int, tuple[int, float]]] = {2: (128, 0.0025), 3: (64, 0.005)}

    peak_density: float = option(4.0, positive, "density at the centre of the blob", "mass / length^d")
    peak_width: float = option(0.35, positive, "standard deviation of the blob", "length")
    food_amplitude: float = option(2.0, positive, "food at its centre", "concentration")
    food_width: float = option(0.8, positive, "standard deviation of the food", "length")

    @property
    def density(self) -> AbstractInitial:
        return gaussian(amplitude=self.peak_density, center=self.origin, std=self.peak_width)

    @property
    def food(self) -> AbstractInitial:
        return gaussian(amplitude=self.food_amplitude, center=self.origin, std=self.food_width)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TwoBlobs(FoodExperiment):
    """Two blobs beside one blob of food.

    **Arguments:** those of `FoodExperiment`, and

    - `peak_density`: at the centre of each blob [mass / length^d]; `peak_width`: its standard deviation [length].
    - `distance`: of each blob from the middle, along x [length].
    - `food_amplitude`: food at the centre [concentration], much more than the density; `food_width`: its standard
      deviation [length].

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.TwoBlobs(ndim=2)
    >>> experiment.title
    'Two blobs beside their food: they gather at it'
    >>> experiment.grid_shape, experiment.distance
    ((128, 128), 1.3)
    """

    name: ClassVar[str] = "two-blobs"
    title: ClassVar[str] = "Two blobs beside their food: they gather at it"
    description: ClassVar[str] = (
        "Two off-centre Gaussian blobs and one centred Gaussian of food, of which there is much more than the blobs "
        "can eat. They move up the food from both sides, meet at its centre, and eat a hollow into it."
    )
    show_times: ClassVar[tuple[float, ...] | None] = (0.0, 0.1, 0.2, 0.5)

    t1: float = final_time(0.5)
    peak_density: float = option(0.8, positive, "density at the centre of each blob", "mass / length^d")
    peak_width: float = option(0.35, positive, "standard deviation of each blob", "length")
    distance: float = option(1.3, positive, "distance of each blob from the middle", "length")
    food_amplitude: float = option(10.0, positive, "food at its centre", "concentration")
    food_width: float = option(0.9, positive, "standard deviation of the food", "length")

    @property
    def density(self) -> AbstractInitial:
        sides = [(side * self.distance, *self.origin[1:]) for side in (-1, 1)]
        return mixture([gaussian(amplitude=self.peak_density, center=x, std=self.peak_width) for x in sides])

    @property
    def food(self) -> AbstractInitial:
        return gaussian(amplitude=self.food_amplitude, center=self.origin, std=self.food_width)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annuli(FoodExperiment):
    """A blob between rings of food: two, one above the other, in 3D; one around it in 2D.

    **Arguments:** those of `FoodExperiment`, and

    - `peak_density`: at the centre of the blob [mass / length^d]; `peak_width`: its standard deviation [length].
    - `food_amplitude`: food on the rings [concentration].
    - `ring_radius`: of the rings, which turn about z; `ring_width`: standard deviation of their cross-section [length].
    - `ring_height`: in 3D, the rings lie at `z = +-ring_height` [length].

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.Annuli(ndim=2)
    >>> experiment.title
    'Rings of food: the population gathers along them'
    >>> experiment.ring_radius
    1.3
    """

    name: ClassVar[str] = "annuli"
    title: ClassVar[str] = "Rings of food: the population gathers along them"
    description: ClassVar[str] = (
        "A centred Gaussian blob, and food in two rings above and below it (in 2D, in one ring around it). The blob "
        "spreads until it feels the food, then climbs it and collects along the rings."
    )
    show_times: ClassVar[tuple[float, ...] | None] = (0.0, 0.2, 0.48, 1.0)

    peak_density: float = option(1.0, positive, "density at the centre of the blob", "mass / length^d")
    peak_width: float = option(0.5, positive, "standard deviation of the blob", "length")
    food_amplitude: float = option(4.0, positive, "food on the rings", "concentration")
    ring_radius: float = option(1.3, positive, "radius of the rings", "length")
    ring_height: float = option(0.8, non_negative, "in 3D, the rings' height above and below the middle", "length")
    ring_width: float = option(0.35, positive, "standard deviation of the rings' cross-section", "length")

    @property
    def normal(self) -> int:
        return 1  # a plane that holds the rings' axis cuts each ring twice

    def through(self, ndim: int) -> tuple[float, ...]:
        return (0.0, 0.0) if ndim == 2 else (0.0, 0.0, self.ring_height)

    @property
    def density(self) -> AbstractInitial:
        return gaussian(amplitude=self.peak_density, center=self.origin, std=self.peak_width)

    @property
    def food(self) -> AbstractInitial:
        def at(center: tuple[float, ...]) -> AbstractProfile:
            return ring(amplitude=self.food_amplitude, center=center, radius=self.ring_radius, width=self.ring_width)

        if self.ndim == 2:
            return at((0.0, 0.0))
        return mixture([at((0.0, 0.0, side * self.ring_height)) for side in (-1, 1)])
