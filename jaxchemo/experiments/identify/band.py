"""A travelling band: what its speed, its fronts and its profiles tell of the bacteria."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxchemo.domain import Grid
from jaxchemo.experiments.identify.base import AbstractIdentify
from jaxchemo.experiments.identify.study import Seen, binned, check_bins, front, moving
from jaxchemo.experiments.options import above_one, full_shape, grid_cells, in_turn, option, positive, whole
from jaxchemo.inference import Simulation
from jaxchemo.initial import function, uniform
from jaxchemo.methods import FiniteVolume
from jaxchemo.models import travelling_band
from jaxchemo.problem import Problem

UNITS = {"mobility": "μm² / s", "sensitivity": "μm² / s", "consumption": "μM μm² / s", "half": "μM"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdentifyBand(AbstractIdentify):
    """What a band of bacteria that leaves a pile at a wall tells of them, by how it is looked at.

    Mobility, sensitivity, consumption and the signal at half the uptake are fitted three times to the same run: to the
    speed of its front alone, to the places of the front, and to whole profiles. The measurement has three times the
    cells of the fits. In the band of 1971 the speed is that of the consumption alone; a band that starts as a pile
    leaves bacteria behind, and its speed sees the sensitivity too, in one combination.

    **Arguments** (lengths in micrometres, times in seconds, the signal in micromolar):

    - `mobility`, `sensitivity`, `consumption`, `half`: the truth, of `jc.models.travelling_band`; `offset`: known.
    - `height`, `width`: of the pile, half a Gaussian bell; `ahead`: the signal at the start.
    - `length`: of the channel; `shape`: grid cells of the fits, a multiple of `bins`; `dt`: their step. Finer grids
      have shorter ones, as the square of their spacing.
    - `times`: of the observations, two or more; `bins`: of a profile; `threshold`: density at the front.
    - `density_noise`, `front_noise`: standard deviations of an observation.
    - `guess`: medians of the priors, in the order of the truth; `factor`: what is one standard deviation off them.
    - `max_steps`: of each fit.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.IdentifyBand(front_noise=5.0)
    >>> experiment.title
    'What a travelling band tells of its bacteria'
    >>> experiment.study().truth["sensitivity"]
    3000.0
    """

    name: ClassVar[str] = "identify-band"
    title: ClassVar[str] = "What a travelling band tells of its bacteria"
    description: ClassVar[str] = (
        "Mobility, sensitivity, uptake and half-saturation of a band are fitted to its speed, to its fronts, and to "
        "its profiles. Each kind of observation determines some combinations of them and says nothing of the others."
    )
    dimensions: ClassVar[tuple[int, ...]] = (1,)
    unknowns: ClassVar[Mapping[str, str]] = UNITS
    profiled: ClassVar[tuple[str, ...]] = ("sensitivity", "half")
    axes: ClassVar[tuple[str, str, str, str]] = ("distance", "μm", "s", "density [1 / μm²]")

    mobility: float = option(300.0, positive, "the truth: diffusivity of the bacteria", UNITS["mobility"])
    sensitivity: float = option(3000.0, positive, "the truth: drift per relative gradient", UNITS["sensitivity"])
    consumption: float = option(0.126, positive, "the truth: of the signal, by each bacterium", UNITS["consumption"])
    half: float = option(2.0, positive, "the truth: signal at half the uptake", UNITS["half"])
    offset: float = option(3.5, positive, "signal at half the sensing, which is known", "μM")
    height: float = option(9.6, positive, "of the pile at the start", "1 / μm²")
    width: float = option(200.0, positive, "of the pile at the start", "μm")
    ahead: float = option(100.0, positive, "signal at the start", "μM")
    length: float = option(4800.0, positive, "of the channel", "μm")
    shape: tuple[int, ...] = grid_cells((160,))
    dt: float = option(0.1, positive, "time step of the fits", "s")
    times: tuple[float, ...] = option((150.0, 225.0, 300.0, 375.0), moving, "of the observations", "s")
    bins: int = option(80, whole(2), "of a profile")
    threshold: float = option(1.0, positive, "density at the front", "1 / μm²")
    density_noise: float = option(0.15, positive, "standard deviation of a density in a bin", "1 / μm²")
    front_noise: float = option(10.0, positive, "standard deviation of the place of a front", "μm")
    guess: tuple[float, float, float, float] = option(
        (500.0, 5000.0, 0.2, 4.0), in_turn(*[positive] * 4), "mobility, sensitivity, consumption, half to start from"
    )
    factor: float = option(2.0, above_one, "that is one standard deviation of the priors about the guess")
    max_steps: int = option(50, whole(), "of each fit")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bins(self.bins, "shape", *full_shape(self.shape, 1))

    @property
    def reach(self) -> float:
        return self.length

    def simulation(self, finer: int) -> Simulation:
        (cells,) = full_shape(self.shape, 1)
        grid = Grid.box(0.0, self.length, finer * cells)
        pile = function(lambda x: self.height * jnp.exp(-0.5 * (x[..., 0] / self.width) ** 2))

        def build(unknown: Any) -> Problem:
            known = {"offset": self.offset, "half": unknown["half"]}
            model = travelling_band(unknown["mobility"], unknown["sensitivity"], unknown["consumption"], **known)
            return Problem(model, grid, pile, uniform(amplitude=self.ahead))

        def observe(shown: Any) -> Seen:
            profile = binned(shown.density, grid.volumes, self.bins)
            return Seen(profile, front(shown.density, grid.axes[0], self.threshold))

        return Simulation(build, FiniteVolume(), ts=self.times, observe=observe, dt=self.dt / finer**2)
