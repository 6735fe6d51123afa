"""Experiments that ask what a speed, fronts and profiles tell: what they share besides their options."""

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxchemo._progress import Report, silent
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.identify.study import Study, Told, tell
from jaxchemo.inference import LogNormal, Simulation


class AbstractIdentify(Experiment[Told]):
    """Bacteria whose unknown numbers are fitted to the speed of a front, to its places, and to whole profiles.

    **Class attributes:**

    - `unknowns`: units of the unknowns, by name, each an option that holds the truth, in the order of `guess`.
    - `profiled`: unknowns whose profile is followed.
    - `axes`: in figures, the distance and its unit, the unit of time, and the density with its unit.
    """

    unknowns: ClassVar[Mapping[str, str]]
    profiled: ClassVar[tuple[str, ...]]
    axes: ClassVar[tuple[str, str, str, str]]

    times: tuple[float, ...]
    bins: int
    front_noise: float
    density_noise: float
    guess: tuple[float, ...]
    factor: float
    max_steps: int

    @property
    @abc.abstractmethod
    def reach(self) -> float:
        """Where profiles end [length]."""

    @abc.abstractmethod
    def simulation(self, finer: int) -> Simulation:
        """From the unknowns to what would be observed, `Seen`, with so many times the cells of the fits."""

    def study(self) -> Study:
        """The unknowns and how they are observed."""
        priors = {name: LogNormal(guess, self.factor) for name, guess in zip(self.unknowns, self.guess, strict=True)}
        return Study(
            simulate=self.simulation,
            truth={name: getattr(self, name) for name in self.unknowns},
            priors=priors,
            front_noise=self.front_noise,
            density_noise=self.density_noise,
            profiled=self.profiled,
            max_steps=self.max_steps,
        )

    def run(self, seed: int = 0, report: Report = silent) -> Told:
        """Makes the measurement, and fits the unknowns to each kind of observation.

        **Raises:** as `jc.solve`; `ValueError` where the truth cannot be run or shows no front, or a fit does not
        converge.
        """
        return tell(self.study(), seed, report)

    def numbers(self, outcome: Told) -> dict[str, Any]:
        """By kind of observation, combinations, values and intervals of the unknowns, ready for JSON."""
        return outcome.numbers()

    def lines(self, outcome: Told) -> list[str]:
        return outcome.lines()

    def draw(self, outcome: Told, folder: Path) -> Path:
        from jaxchemo.experiments.identify import figures

        edges = jnp.linspace(0.0, self.reach, self.bins + 1)
        figure = figures.evidence(outcome, edges, self.times, figures.Units(*self.axes))
        figure.savefig(folder / "identified.png")
        return folder / "identified.png"
