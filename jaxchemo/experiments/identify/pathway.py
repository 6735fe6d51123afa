"""The pathway of *E. coli*: what tables of mobility and sensitivity tell of its numbers, and what they hide."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from jaxchemo._progress import Report, silent
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.identify.pathway_tables import TABLES, TableEvidence, coefficients
from jaxchemo.experiments.identify.study import LEVEL
from jaxchemo.experiments.options import above_one, in_turn, option, positive, real, whole
from jaxchemo.inference import (
    Gaussian,
    LogNormal,
    Posterior,
    Prediction,
    Uniform,
    fit,
    identify,
    laplace,
)
from jaxchemo.results import RESULTS

UNITS = {
    "diffusion": "1 / s",
    "switching": "1 / s",
    "persistence": "",
    "receptors": "",
    "adaptation": "s",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdentifyPathway(Experiment[dict[str, TableEvidence]]):
    """What tables of mobility and sensitivity against the tumble bias tell of the pathway of *E. coli*.

    Five numbers of the model of Fu et al. (2018) are fitted to the mobilities, to the sensitivities, and to both: 21
    and 12 numbers published in the comments of that model's code, from bacteria followed one by one. How exactly they
    were measured is not said there, so that the noise is an assumption, and the misfit says what it is worth. No run is
    made: mobility and sensitivity are formulas.

    The motor's rate and the persistence of turns count only as `(1 - persistence) switching`. Nothing else of them can
    be learnt from such tables, whatever their precision. The sensitivities fit to 15%; the mobilities fall faster with
    the tumble bias than the model's, whatever its numbers, so that an interval from them is one of the wrong model.

    **Arguments:**

    - `noise`: assumed standard deviation of the logarithm of a number in the tables.
    - `guess`: medians of the priors of rotational diffusion [1 / s], switching [1 / s], receptors, and the adaptation
      time of bacteria that hardly tumble [s]: those of the published model.
    - `factor`: what is one standard deviation of these priors.
    - `persistence`: ends of its prior, an even one.
    - `max_steps`: of each fit.

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.IdentifyPathway(noise=0.2)
    >>> experiment.title
    'What mobility and sensitivity tell of the pathway'
    >>> list(experiment.priors)
    ['diffusion', 'switching', 'persistence', 'receptors', 'adaptation']
    """

    name: ClassVar[str] = "identify-pathway"
    title: ClassVar[str] = "What mobility and sensitivity tell of the pathway"
    description: ClassVar[str] = (
        "Five numbers of the chemotaxis pathway of E. coli are fitted to published tables of mobility and sensitivity "
        "against the tumble bias. The motor's rate and the persistence of turns count only in one combination, and the "
        "model does not fit the tables to the noise that is assumed."
    )
    dimensions: ClassVar[tuple[int, ...]] = (3,)

    noise: float = option(0.15, positive, "standard deviation of the logarithm of a number in the tables")
    guess: tuple[float, float, float, float] = option(
        (0.062, 1.3, 6.0, 20.0),
        in_turn(*[positive] * 4),
        "rotational diffusion [1 / s], switching [1 / s], receptors, adaptation time [s] to start from",
    )
    factor: float = option(2.0, above_one, "that is one standard deviation of the priors about the guess")
    persistence: tuple[float, float] = option((-0.2, 0.9), in_turn(real, real), "ends of its prior")
    max_steps: int = option(100, whole(), "of each fit")

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.persistence
        if not -1 < low < high < 1:
            raise ValueError(f"`persistence` must be two rising numbers between -1 and 1, got {self.persistence}.")

    @property
    def priors(self) -> dict[str, LogNormal | Uniform]:
        """Of the numbers of the pathway."""
        diffusion, switching, receptors, time = (LogNormal(median, self.factor) for median in self.guess)
        return dict(zip(UNITS, (diffusion, switching, Uniform(*self.persistence), receptors, time), strict=True))

    def posterior(self, *tables: str) -> Posterior:
        """What is believed of the numbers after some of the tables, `"mobility"` and `"sensitivity"`."""
        data = {table: jnp.log(TABLES[table][1]) for table in tables}
        return Posterior(self.priors, _predicting(tables), data, Gaussian(self.noise))

    def run(self, seed: int = 0, report: Report = silent) -> dict[str, TableEvidence]:
        """Fits the numbers to each table, and to both.

        **Raises:** `ValueError` where a fit does not converge.
        """
        found = {}
        for name, tables in {**{table: (table,) for table in TABLES}, "both": tuple(TABLES)}.items():
            report(f"what {'both tables tell' if name == 'both' else f'the table of {name} tells'}")
            best = fit(self.posterior(*tables), max_steps=self.max_steps, progress=False)
            found[name] = TableEvidence(best, laplace(best), identify(best))
        return found

    def numbers(self, outcome: dict[str, TableEvidence]) -> dict[str, Any]:
        """By table, misfit, combinations, values and intervals, ready for JSON."""
        return {name: _numbers(one) for name, one in outcome.items()}

    def lines(self, outcome: dict[str, TableEvidence]) -> list[str]:
        """What each table determines and what not, and whether the model fits, in words."""
        said = []
        for name, one in outcome.items():
            seen = sum(direction.seen for direction in one.directions)
            said.append(f"{name}: {seen} of {len(one.directions)} combinations are determined")
            said += [f"    {direction}" for direction in one.directions]
            for label, (low, high) in one.known.interval(LEVEL).items():
                spread = float(one.known.std[one.fit.posterior.labels.index(label)])
                unit = f" {UNITS[label]}" if UNITS[label] else ""
                said.append(f"  {label:>20} {float(low):.3g} to {float(high):.3g}{unit}, {spread:.2g} of the prior")
            _, low, high = one.turning
            said.append(f"    (1 - persistence) switching {low:.3g} to {high:.3g} 1 / s")
            said.append(f"    {self._fits(one)}")
        return said

    def draw(self, outcome: dict[str, TableEvidence], folder: Path) -> Path:
        from jaxchemo.experiments.identify import pathway_figure

        pathway_figure.tables(outcome).savefig(folder / "pathway.png")
        return folder / "pathway.png"

    def _fits(self, one: TableEvidence) -> str:
        misfit = f"misfit {one.misfit:.3g} for {one.count} numbers at a noise of {self.noise:.0%}"
        if one.chance > 0.05:
            return f"{misfit}: the model fits them"
        needed = self.noise * (one.misfit / one.count) ** 0.5
        return (
            f"{misfit}, by chance in {one.chance:.1g} of cases: the model does not fit them, and the intervals are too "
            f"narrow. It is off by {needed:.0%} in the mean square"
        )


def _predicting(tables: tuple[str, ...]) -> Prediction:
    def predict(parameters: Mapping[str, Any], adjoint: Any = None) -> tuple[dict[str, Array], RESULTS]:
        places = {"mobility": 0, "sensitivity": 1}
        made = {table: jnp.log(coefficients(parameters, TABLES[table][0])[places[table]]) for table in tables}
        return made, RESULTS.successful

    return predict


def _numbers(one: TableEvidence) -> dict[str, Any]:
    ends = one.known.interval(LEVEL)
    return {
        "directions": [dataclasses.asdict(direction) for direction in one.directions],
        "recovered": {
            name: {
                "value": float(value),
                "interval": [float(end) for end in ends[name]],
                "share_of_prior": float(share),
            }
            for (name, value), share in zip(one.fit.parameters.items(), one.known.std, strict=True)
        },
        "turning": dict(zip(("value", "low", "high"), one.turning, strict=True)),
        "misfit": one.misfit,
        "count": one.count,
        "chance": one.chance,
    }
