"""A field that is not seen: the food at the start, from noisy pictures of the population that climbs and eats it."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import initial
from jaxchemo._progress import Report, silent
from jaxchemo.domain import Grid
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.options import full_shape, grid_cells, option, positive, rising, whole
from jaxchemo.fields.cosine import cosine, inverse_cosine
from jaxchemo.inference import (
    Bins,
    FieldFit,
    FieldLaplace,
    Gaussian,
    GaussianField,
    Posterior,
    Simulation,
    centred,
    corrected,
    fit_field,
    laplace_field,
)
from jaxchemo.methods import FiniteVolume
from jaxchemo.models import phks
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

LEVEL, DRAWS = 0.9, 1000  # of the bands that are drawn


@dataclasses.dataclass(frozen=True)
class Band:
    """What is known of the food: in each cell a value, and the ends of the interval that holds it with 90%.

    **Fields:**

    - `middle`, `lower`, `upper`: `(x, y)` [concentration].

    >>> band = jc.experiments.Band(jnp.array([1.0]), jnp.array([0.8]), jnp.array([1.3]))
    >>> band.holds(jnp.array([1.5])).tolist()
    [False]
    """

    middle: Float[Array, "x y"]
    lower: Float[Array, "x y"]
    upper: Float[Array, "x y"]

    @classmethod
    def of(cls, known: FieldLaplace, key: Array) -> "Band":
        """About the centre of what is known."""
        return cls(known.posterior.parameters(known.z)["food"], *known.interval(LEVEL, key=key, n=DRAWS)["food"])

    def holds(self, food: Float[Array, "x y"]) -> Float[Array, "x y"]:
        """In which cells this food lies between the ends."""
        return (self.lower < food) & (food < self.upper)


@dataclasses.dataclass(frozen=True)
class SignalRecovery:
    """What was recovered of a field.

    **Fields:**

    - `grid`: of the food that is looked for.
    - `truth`: the food that made the pictures `(x, y)` [concentration].
    - `observed`: densities `(times, x, y)` [mass / length^2].
    - `fit`, `known`: the most probable food, and which directions of it the data see.
    - `fitted`, `corrected`, `centred`: the food with its band: about the most probable one, then without the error of
      the grid, and then about the middle of the posterior.

    >>> import dataclasses
    >>> [field.name for field in dataclasses.fields(jc.experiments.SignalRecovery)][:3]
    ['grid', 'truth', 'observed']
    """

    grid: Grid
    truth: Float[Array, "x y"]
    observed: Float[Array, "t x y"]
    fit: FieldFit
    known: FieldLaplace
    fitted: Band
    corrected: Band
    centred: Band


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecoverSignal(Experiment[SignalRecovery]):
    """The food at the start of an even population in 2D, one unknown in each cell, from densities at a few times.

    The food is drawn from a Gaussian random field, and the pictures are made on a grid `refinement` times finer than
    that of the fit. A run at twice the resolution of the fit then says what its grid has done to it. Over ten seeds the
    truth was in its 90% band in 9% of the cells as fitted, and in 56% without the error of the grid (52% where the grid
    of the fit made the pictures): what is left is that the most probable food is too high altogether.

    **Arguments:**

    - `mobility`, `sensitivity`: of the population, known [length^2 / time], [length^2 / time / concentration].
    - `median`, `spread`, `length`: of the food: its median [concentration], the standard deviation of its logarithm,
      and the distance over which it changes [length].
    - `cells`: even density at the start [mass / length^2].
    - `half_width`: the box is `[-half_width, half_width]^2` with walls that nothing passes [length].
    - `shape`: grid cells of the fit along each axis, in each of which the food is unknown.
    - `refinement`: cells of the pictures' grid along each axis, for one of the fit; at least 3.
    - `dt`: time step of the fit [time]; on finer grids it is shorter by the square of the refinement.
    - `times`: of the observations [time].
    - `observation_noise`: standard deviation of an observation [mass / length^2].

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.RecoverSignal(shape=(16,))
    >>> experiment.title
    'A food that nobody sees, from pictures of those who eat it'
    >>> experiment.prior.shape
    (16, 16)
    """

    name: ClassVar[str] = "recover-signal"
    title: ClassVar[str] = "A food that nobody sees, from pictures of those who eat it"
    description: ClassVar[str] = (
        "The food at the start is unknown in every cell of a grid; densities of the population that climbs it are "
        "observed with noise at three times. Gradients through the simulation find the most probable food, products "
        "with its derivatives how well it is known, one finer run what the grid has done to it, and second derivatives "
        "how far its peak is from its middle."
    )

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    mobility: float = option(0.3, positive, "diffusivity of the population", "length² / time")
    sensitivity: float = option(0.5, positive, "drift per gradient of the food", "length² / time / conc.")
    median: float = option(2.0, positive, "of the food", "concentration")
    spread: float = option(0.5, positive, "standard deviation of the logarithm of the food")
    length: float = option(1.0, positive, "over which the food changes", "length")
    cells: float = option(0.5, positive, "density at the start", "mass / length²")
    half_width: float = option(3.0, positive, "half of a side of the box", "length")
    shape: tuple[int, ...] = grid_cells((32,))
    refinement: int = option(4, whole(3), "cells of the pictures' grid along each axis, for one of the fit")
    dt: float = option(0.02, positive, "time step of the fit", "time")
    times: tuple[float, ...] = option((0.2, 0.4, 0.6), rising, "of the observations", "time")
    observation_noise: float = option(0.03, positive, "standard deviation of an observation", "mass / length²")

    @property
    def prior(self) -> GaussianField:
        """Of the food."""
        return GaussianField(self._grid(1), self.median, self.spread, self.length)

    def run(self, seed: int = 0, report: Report = silent) -> SignalRecovery:
        """Makes the pictures, and recovers the food from them.

        **Raises:** `ValueError` where the fit does not converge; as `jc.solve`.
        """
        field, noise, band = jax.random.split(jax.random.key(seed), 3)
        report(f"pictures, on a grid {self.refinement} times finer")
        truth = self.prior.value(jax.random.normal(field, self.prior.shape))
        scatter = Gaussian(self.observation_noise)
        clean, result = eqx.filter_jit(self._pictures(self.refinement))({"food": truth})
        if not bool(result == RESULTS.successful):
            raise ValueError(f"The pictures cannot be made, with dt={self.dt:g}: {RESULTS[result]}")
        observed = scatter.draw(noise, clean)
        report("the most probable food; gradients through the simulation are compiled first")
        fit = fit_field(Posterior({"food": self.prior}, self._pictures(1), observed, scatter), progress=False)
        report("what the data know of it")
        known = laplace_field(fit)
        finer = self._pictures(2)
        stages = known, corrected(known, finer), corrected(centred(known), finer)
        bands = (Band.of(stage, band) for stage in stages)
        return SignalRecovery(self._grid(1), truth, observed, fit, known, *bands)

    def numbers(self, outcome: SignalRecovery) -> dict[str, Any]:
        """What was recovered and at what cost, ready for JSON; errors are of the logarithm, over that of the prior."""
        size = jnp.linalg.norm(jnp.log(outcome.truth / self.median))

        def error(band: Band) -> float:
            return float(jnp.linalg.norm(jnp.log(band.middle / outcome.truth)) / size)

        bands = {"fitted": outcome.fitted, "corrected": outcome.corrected, "centred": outcome.centred}
        return {
            "unknowns": outcome.fit.z.size,
            "directions_seen": outcome.known.seen,
            "chi_square": outcome.fit.chi_square,
            "gradients": outcome.fit.gradients,
            "simulations": outcome.fit.simulations,
            "relative_error": {name: error(band) for name, band in bands.items()},
            "share_in_90_percent_band": {name: float(b.holds(outcome.truth).mean()) for name, b in bands.items()},
        }

    def lines(self, outcome: SignalRecovery) -> list[str]:
        n = self.numbers(outcome)
        lines = [
            f"{n['unknowns']:,} unknowns, of which the data see {n['directions_seen']} directions; found by "
            f"{n['gradients']} gradients, {n['simulations']} simulations in all",
        ]
        for name, words in (
            ("fitted", "as fitted"),
            ("corrected", "without the error of the grid"),
            ("centred", "and about the middle"),
        ):
            share, error = n["share_in_90_percent_band"][name], n["relative_error"][name]
            lines.append(
                f"{words:>30}: error {error:.2g} of the prior's, truth in its 90% band in {share:.1%} of cells"
            )
        return lines

    def draw(self, outcome: SignalRecovery, folder: Path) -> Path:
        from jaxchemo.experiments.recover import field_figure

        figure = field_figure.hidden_field(
            outcome.grid,
            time=self.times[-1],
            observed=np.asarray(outcome.observed[-1]),
            truth=np.asarray(outcome.truth),
            bands={
                "as fitted": tuple(map(np.asarray, dataclasses.astuple(outcome.fitted))),
                "middle, without the error of the grid": tuple(map(np.asarray, dataclasses.astuple(outcome.centred))),
            },
        )
        figure.savefig(folder / "field.png")
        return folder / "field.png"

    def _grid(self, factor: int) -> Grid:
        shape = tuple(factor * n for n in full_shape(self.shape, 2))
        return Grid.box((-self.half_width,) * 2, (self.half_width,) * 2, shape)

    def _pictures(self, factor: int) -> Simulation:
        """Densities in the cells of the fit, of a run on a grid so many times finer."""
        grid = self._grid(factor)

        def build(parameters: Any) -> Problem:
            food = initial.array(refined(parameters["food"], factor))
            return Problem(phks(self.mobility, self.sensitivity), grid, initial.uniform(amplitude=self.cells), food)

        observe = Bins.even(grid, full_shape(self.shape, 2))
        return Simulation(build, FiniteVolume(), ts=self.times, observe=observe, dt=self.dt / factor**2)


def refined(field: Float[Array, "x y"], factor: int) -> Float[Array, "u v"]:
    """A positive field on a grid with so many times the cells along each axis: its logarithm has the same cosines."""
    log = jnp.log(field)
    for axis, n in enumerate(field.shape):
        more = [(0, 0), (0, 0)]
        more[axis] = (0, (factor - 1) * n)
        log = factor * inverse_cosine(jnp.pad(cosine(log, axis), more), axis)
    return jnp.exp(log)
