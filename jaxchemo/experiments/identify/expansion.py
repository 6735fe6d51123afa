"""A colony that grows and spreads: what the speed of its front, its fronts and its profiles tell of the bacteria."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxchemo.domain import RadialGrid
from jaxchemo.experiments.identify.base import AbstractIdentify
from jaxchemo.experiments.identify.study import Seen, binned, check_bins, front, moving
from jaxchemo.experiments.options import above_one, in_turn, option, positive, whole
from jaxchemo.inference import Simulation
from jaxchemo.initial import function, uniform
from jaxchemo.methods import FiniteVolume
from jaxchemo.models import growth_expansion
from jaxchemo.problem import Problem

HOUR = 3600.0
UNITS = {
    "mobility": "mm² / s",
    "sensitivity": "mm² / s",
    "growth": "1 / s",
    "uptake_growing": "mM / OD",
    "biomass": "OD / mM",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdentifyExpansion(AbstractIdentify):
    """What a colony that grows and follows an attractant tells of its bacteria, by how it is looked at.

    Mobility, sensitivity, growth rate, the attractant taken up by growth and the biomass that a nutrient makes are
    fitted three times to the same run: to the mean speed of its front alone, to the radius of the front over hours, and
    to whole profiles. The measurement has three times the shells of the fits. As long as the nutrient is plenty,
    nothing tells how much of it is used.

    **Arguments** (lengths in millimetres, densities in OD, concentrations in millimolar):

    - `mobility`, `sensitivity`, `growth`, `uptake_growing`, `biomass`: the truth, of
      `jc.models.growth_expansion`, whose other constants are known.
    - `drop_density`, `drop_radius`: of the drop at the start, a Gaussian bell; `nutrient`, `attractant`: at the start.
    - `radius`: of the dish; `num_shells`: of the fits' grid, a multiple of `bins`; `dt`: their step. Finer grids have
      shorter ones, as the square of their spacing.
    - `times`: of the observations [h], two or more; `bins`: of a profile; `threshold`: density at the front.
    - `density_noise`, `front_noise`: standard deviations of an observation.
    - `guess`: medians of the priors, in the order of the truth; `factor`: what is one standard deviation off them.
    - `max_steps`: of each fit.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.IdentifyExpansion(times=(2.0, 4.0))
    >>> experiment.title
    'What a colony that expands tells of its bacteria'
    >>> experiment.simulation(1).ts
    (7200.0, 14400.0)
    """

    name: ClassVar[str] = "identify-expansion"
    title: ClassVar[str] = "What a colony that expands tells of its bacteria"
    description: ClassVar[str] = (
        "Mobility, sensitivity, growth, uptake and yield of a colony are fitted to the speed of its front, to its "
        "fronts over hours, and to its profiles. Each kind of observation determines some combinations of them and "
        "says nothing of the others."
    )
    dimensions: ClassVar[tuple[int, ...]] = (2,)
    unknowns: ClassVar[Mapping[str, str]] = UNITS
    profiled: ClassVar[tuple[str, ...]] = ()  # they take as long as all the rest
    axes: ClassVar[tuple[str, str, str, str]] = ("radius", "mm", "h", "density [OD]")

    mobility: float = option(50.2e-6, positive, "the truth: diffusivity of the bacteria", UNITS["mobility"])
    sensitivity: float = option(315e-6, positive, "the truth: drift per relative gradient", UNITS["sensitivity"])
    growth: float = option(1.9166e-4, positive, "the truth: largest growth rate", UNITS["growth"])
    uptake_growing: float = option(1.25, positive, "the truth: attractant per growth", UNITS["uptake_growing"])
    biomass: float = option(0.064, positive, "the truth: grown per nutrient", UNITS["biomass"])
    drop_density: float = option(0.029, positive, "in the middle of the drop at the start", "OD")
    drop_radius: float = option(1.0, positive, "of the drop at the start", "mm")
    nutrient: float = option(40.0, positive, "at the start", "mM")
    attractant: float = option(0.1, positive, "at the start", "mM")
    radius: float = option(20.0, positive, "of the dish", "mm")
    num_shells: int = option(100, whole(8), "shells of the grid of the fits")
    dt: float = option(20.0, positive, "time step of the fits", "s")
    times: tuple[float, ...] = option((2.0, 3.0, 4.0, 5.0, 6.0, 7.0), moving, "of the observations", "h")
    bins: int = option(20, whole(2), "of a profile")
    threshold: float = option(0.02, positive, "density at the front", "OD")
    density_noise: float = option(0.01, positive, "standard deviation of a density in a bin", "OD")
    front_noise: float = option(0.1, positive, "standard deviation of the radius of a front", "mm")
    guess: tuple[float, float, float, float, float] = option(
        (40e-6, 400e-6, 1.5e-4, 1.0, 0.1),
        in_turn(*[positive] * 5),
        "mobility, sensitivity, growth, uptake, biomass to start from",
    )
    factor: float = option(2.0, above_one, "that is one standard deviation of the priors about the guess")
    max_steps: int = option(50, whole(), "of each fit")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bins(self.bins, "num_shells", self.num_shells)

    @property
    def reach(self) -> float:
        return self.radius

    def simulation(self, finer: int) -> Simulation:
        grid = RadialGrid(self.radius, finer * self.num_shells, 2)

        def bell(x: Any) -> Any:
            return self.drop_density * jnp.exp(-0.5 * jnp.sum(x**2, axis=-1) / self.drop_radius**2)

        start = function(bell)
        signals = {"attractant": uniform(amplitude=self.attractant), "nutrient": uniform(amplitude=self.nutrient)}

        def build(unknown: Any) -> Problem:
            return Problem(growth_expansion(**unknown), grid, start, signals)

        def observe(shown: Any) -> Seen:
            profile = binned(shown.density, grid.volumes, self.bins)
            return Seen(profile, front(shown.density, grid.radii, self.threshold))

        times = tuple(HOUR * time for time in self.times)
        return Simulation(build, FiniteVolume(), ts=times, observe=observe, dt=self.dt / finer**2)
