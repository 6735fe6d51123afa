"""The pathway of *E. coli*: what tables of mobility and sensitivity tell of its numbers, and what they hide."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from scipy.special import ndtri
from scipy.stats import chi2

from jaxchemo._progress import Report, silent
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.identify.study import LEVEL, above_one
from jaxchemo.experiments.options import in_turn, option, positive, real, whole
from jaxchemo.inference import (
    Direction,
    Fit,
    Gaussian,
    Laplace,
    LogNormal,
    Posterior,
    Prediction,
    Uniform,
    fit,
    identify,
    laplace,
)
from jaxchemo.models import Pathway, Persistent, Receptors, RunAndTumble, TwoStateMotor
from jaxchemo.models.pathway import Bound
from jaxchemo.results import RESULTS

SPEED = 25.0  # um / s, of the code that the tables come from
FORGETTING = 6.0  # adaptation is faster in bacteria that tumble more, as `exp(-6 bias)`, in the same code

# Tumble biases, and what was measured of bacteria that have them [um^2 / s].
MOBILITY = (
    np.linspace(0.01, 0.41, 21),
    np.array(
        [1722, 946, 698, 576, 500, 437, 363, 320, 275, 244, 210, 188, 167, 145, 130, 117, 104, 92, 84, 76, 66], float
    ),
)
SENSITIVITY = (
    np.linspace(0.025, 0.575, 12),
    np.array([7902, 8073, 5982, 4356, 3104, 2175, 1558, 1020, 900, 767, 420, 335], float),
)
TABLES = {"mobility": MOBILITY, "sensitivity": SENSITIVITY}
UNITS = {
    "diffusion": "1 / s",
    "switching": "1 / s",
    "persistence": "",
    "receptors": "",
    "adaptation": "s",
}


def coefficients(
    numbers: Mapping[str, ArrayLike], bias: Float[ArrayLike, " b"]
) -> tuple[Float[Array, " b"], Float[Array, " b"]]:
    """Mobility and sensitivity to the logarithm of a signal, of bacteria of these tumble biases, in three dimensions.

    **Arguments:**

    - `numbers`: `diffusion` of the heading [1 / s], `switching`: rate of the motor over its barrier [1 / s],
      `persistence`: mean cosine of a turn, `receptors`: in a cluster, and `adaptation`: its time in
      bacteria that hardly tumble [s].
    - `bias`: share of time that an adapted bacterium tumbles, between 0 and 1.

    **Returns:** both in um^2 / s.

    **Source:** the code behind Fu et al. (2018); Si, Wu, Ouyang and Tu (2012); Dufour et al. (2014).
    """

    def one(bias: Array) -> tuple[Array, Array]:
        motor = TwoStateMotor(numbers["switching"])
        receptors = Receptors(numbers["receptors"], 3.5, 55000.0)
        rest = motor.activity(bias)
        time = numbers["adaptation"] * jnp.exp(-FORGETTING * bias)
        both = 1 / (receptors.total * receptors.energy * rest * (1 - rest) * time)
        pathway = Pathway(receptors, motor, up=rest * both, down=(1 - rest) * both)
        turning = Persistent(numbers["persistence"])
        cells = RunAndTumble(SPEED, pathway, turning, rotational_diffusion=numbers["diffusion"])
        mobility, law = pathway.limit(cells, 3, jnp.asarray(0.0))
        assert isinstance(law.function, Bound)
        # Far above `inactive` and below `active`, binding is the number of receptors times the logarithm of the signal.
        return mobility, law.function.scale * receptors.total

    return jax.vmap(one)(jnp.asarray(bias, float))


@dataclasses.dataclass(frozen=True)
class TableEvidence:
    """What one table tells, or both.

    **Fields:**

    - `fit`, `known`: the most probable numbers, and how well they are known.
    - `directions`: of the numbers, the best known first.

    >>> import dataclasses
    >>> [field.name for field in dataclasses.fields(jc.experiments.TableEvidence)]
    ['fit', 'known', 'directions']
    """

    fit: Fit
    known: Laplace
    directions: tuple[Direction, ...]

    @property
    def turning(self) -> tuple[float, float, float]:
        """`(1 - persistence) switching`, and the ends of its 90% interval [1 / s].

        By the slope of its logarithm: each of its two numbers is so wide that their own curves would widen it.
        """

        def log_turning(z: Array) -> Array:
            numbers = self.known.posterior.parameters(z)
            return jnp.log((1 - numbers["persistence"]) * numbers["switching"])

        value, slope = jax.value_and_grad(log_turning)(self.known.z)
        reach = float(ndtri(0.5 + LEVEL / 2)) * float(jnp.sqrt(slope @ self.known.covariance @ slope))
        low, middle, high = (float(jnp.exp(value + side * reach)) for side in (-1, 0, 1))
        return middle, low, high

    @property
    def count(self) -> int:
        """Of the data."""
        return self.fit.residuals.size

    @property
    def misfit(self) -> float:
        """Sum of the squared residuals, in standard deviations of the noise: near `count` where a model fits."""
        return float(self.fit.residuals @ self.fit.residuals)

    @property
    def chance(self) -> float:
        """Of so large a misfit, if the model and its noise were true: each direction that is seen fits one datum."""
        seen = sum(direction.seen for direction in self.directions)
        return float(chi2.sf(self.misfit, self.count - seen))


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
