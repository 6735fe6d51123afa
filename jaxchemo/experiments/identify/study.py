"""What a speed, the fronts behind it, and whole profiles tell of the same unknowns: three fits to one measurement."""

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo._progress import Report
from jaxchemo.experiments.options import rising
from jaxchemo.inference import (
    Direction,
    Fit,
    Gaussian,
    GridShift,
    Laplace,
    LogNormal,
    Posterior,
    Prediction,
    Profile,
    Simulation,
    fit,
    grid_shift,
    identify,
    laplace,
    profile,
)
from jaxchemo.inference.observations import last_passing
from jaxchemo.results import RESULTS

LEVEL = 0.9  # of all intervals
DATA_CELLS = 3  # the data are made with so many times the cells of the fit along the axis


class Seen(NamedTuple):
    """What is observed of a run: densities averaged over bins `(t, b)`, and the place of the front `(t,)` [length]."""

    profiles: Float[Array, "t b"]
    fronts: Float[Array, " t"]


@dataclasses.dataclass(frozen=True)
class Study:
    """What is unknown, and how it is observed.

    **Fields:**

    - `simulate`: a `Simulation` that predicts `Seen`, with so many times the cells of the fit along the axis.
    - `truth`: of the unknowns, by name; `priors`: of the same.
    - `front_noise`, `density_noise`: standard deviations of a front [length] and of a density in a bin
      [mass / length^d].
    - `profiled`: unknowns whose profile is followed for the densities, by runs far from the best fit.
    - `max_steps`: of each fit.
    """

    simulate: Callable[[int], Simulation]
    truth: Mapping[str, float]
    priors: Mapping[str, LogNormal]
    front_noise: float
    density_noise: float
    profiled: tuple[str, ...]
    max_steps: int

    @property
    def kinds(self) -> dict[str, tuple[Callable[[Seen], Array], float]]:
        """By kind of observation, what of `Seen` is measured, and its noise.

        The speed is the slope of a straight line through the fronts: it is known as well as they are.
        """
        times = np.asarray(self.simulate(1).ts)
        weights = (times - times.mean()) / np.sum((times - times.mean()) ** 2)
        return {
            "speed": (lambda seen: weights @ seen.fronts, self.front_noise * float(np.linalg.norm(weights))),
            "fronts": (lambda seen: seen.fronts, self.front_noise),
            "profiles": (lambda seen: seen.profiles, self.density_noise),
        }


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What one kind of observation tells.

    **Fields:**

    - `fit`, `known`: the most probable values, and how well they are known.
    - `directions`: of the unknowns, the best known first; `shift`: what the grid of the fit does to it.
    - `profiles`: of some unknowns, without the approximation by a normal distribution.
    - `seen`: what the fit predicts, of all that could be observed.
    """

    fit: Fit
    known: Laplace
    directions: tuple[Direction, ...]
    shift: GridShift
    profiles: tuple[Profile, ...]
    seen: Seen

    @property
    def determined(self) -> int:
        """Directions of which the data know more than the prior."""
        return sum(direction.seen for direction in self.directions)

    @property
    def spread(self) -> dict[str, float]:
        """Standard deviation of each unknown after the data, in those of its prior."""
        return dict(zip(self.fit.posterior.labels, np.asarray(self.known.std, float).tolist(), strict=True))


@dataclasses.dataclass(frozen=True)
class Told:
    """What was asked and measured, and what each kind of observation tells: `evidence` by kind, the poorest first."""

    study: Study
    measured: Seen
    evidence: dict[str, Evidence]

    def numbers(self) -> dict[str, Any]:
        """What each kind of observation tells, ready for JSON."""
        unknowns = {
            name: {"truth": self.study.truth[name], "median": float(prior.median), "factor": float(prior.factor)}
            for name, prior in self.study.priors.items()
        }
        return {"unknowns": unknowns, "kinds": {kind: _numbers(one) for kind, one in self.evidence.items()}}

    def lines(self) -> list[str]:
        """What each kind of observation determines and what not, in words."""
        return [line for kind, one in self.evidence.items() for line in _lines(kind, one, self.study.truth)]


def front(density: Float[Array, " n"], places: Float[Array, " n"], threshold: float) -> Float[Array, ""]:
    """Outermost place where a profile falls through a threshold, by a straight line between two cells [length].

    Differentiable; NaN where it is above nowhere, or still in the last cell: then there is no front to predict.
    """
    return jnp.where(density[-1] > threshold, jnp.nan, last_passing(density, places, threshold))


def binned(density: Float[Array, " n"], volumes: Float[Array, " #n"], bins: int) -> Float[Array, " b"]:
    """Means over bins of equally many cells, each cell by its volume."""
    weights = jnp.broadcast_to(volumes, density.shape).reshape(bins, -1)
    return jnp.sum(weights * density.reshape(bins, -1), axis=1) / jnp.sum(weights, axis=1)


def moving(name: str, value: Any) -> tuple[float, ...]:
    """Times between which a front moves: two or more, each later than the one before.

    **Raises:** `ValueError` or `TypeError` for anything else.
    """
    times = rising(name, value)
    if len(times) < 2:
        raise ValueError(f"`{name}` must hold at least 2 times, as a speed takes them, got {times}.")
    return times


def check_bins(bins: int, name: str, cells: int) -> None:
    """**Raises:** `ValueError` for bins that are not made of whole cells."""
    if cells % bins:
        raise ValueError(f"`bins` must divide the cells of the grid, `{name}`, {cells}, got {bins}.")


def tell(study: Study, seed: int, report: Report) -> Told:
    """Makes the measurement on a finer grid than that of the fits, and fits the unknowns to each kind of observation.

    **Raises:** `ValueError` where the truth cannot be run or shows no front, or a fit does not converge.
    """
    report(f"the measurement, on {DATA_CELLS} times the cells")
    clean, result = eqx.filter_jit(study.simulate(DATA_CELLS))(dict(study.truth))
    if not bool(result == RESULTS.successful):
        raise ValueError(f"Nothing can be observed, as the run of the truth does not go well: {RESULTS[result]}")
    if not bool(jnp.all(jnp.isfinite(clean.fronts))):
        raise ValueError(
            f"There is no front at some of the `times`, but {clean.fronts}: a lower `threshold`, other times or a "
            "longer domain would do."
        )
    keys = jax.random.split(jax.random.key(seed))
    measured = Seen(
        Gaussian(study.density_noise).draw(keys[0], clean.profiles),
        Gaussian(study.front_noise).draw(keys[1], clean.fronts),
    )
    coarse, fine = study.simulate(1), study.simulate(2)
    shown = eqx.filter_jit(coarse)
    kinds = study.kinds
    richest = list(kinds)[-1]
    posteriors = {
        kind: Posterior(study.priors, _observing(coarse, measure), measure(measured), Gaussian(noise))
        for kind, (measure, noise) in kinds.items()
    }
    report(f"what the {richest} tell")
    fits = {richest: fit(posteriors[richest], max_steps=study.max_steps, progress=False)}
    for kind, posterior in posteriors.items():
        if kind != richest:
            report(f"what the {kind} tell{'s' if kind == 'speed' else ''}")
            # A few fronts may have two optima, of which the medians can lead to the worse.
            starts = None, fits[richest].parameters
            several = [fit(posterior, start, max_steps=study.max_steps, progress=False) for start in starts]
            fits[kind] = min(several, key=lambda each: each.cost)
    evidence = {}
    for kind, (measure, _) in kinds.items():
        best = fits[kind]
        known = laplace(best)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it is in the numbers and in the lines
            shift = grid_shift(best, _observing(fine, measure))
        profiles: tuple[Profile, ...] = ()
        if kind == richest and study.profiled:
            report("profiles of " + " and ".join(study.profiled))
            profiles = profile(best, *study.profiled, level=LEVEL, max_steps=study.max_steps, progress=False)
        seen, _ = shown(best.parameters)
        evidence[kind] = Evidence(best, known, identify(best), shift, profiles, seen)
    return Told(study, measured, evidence)


def _lines(kind: str, one: Evidence, truth: Mapping[str, float]) -> list[str]:
    said = [f"{kind}: {one.determined} of {len(one.directions)} combinations are determined"]
    said += [f"    {direction}" for direction in one.directions]
    ends, spread = one.known.interval(LEVEL), one.spread
    for name, true in truth.items():
        low, high = (float(end) for end in ends[name])
        said.append(f"  {name:>14} {low:.4g} to {high:.4g}, {spread[name]:.2g} of the prior's width (truth {true:g})")
    name, worst = max(one.shift.relative.items(), key=lambda item: abs(item[1]))
    without = f"; without, {float(one.shift.corrected[name]):.4g}" if one.shift.worst > 0.5 else ""
    said.append(f"    the grid shifts {name} most, by {worst:+.2g} standard deviations{without}")
    said.append(f"    and a combination by {one.shift.worst:.2g}")
    return said + [f"    {each!r}" for each in one.profiles]


def _numbers(one: Evidence) -> dict[str, Any]:
    ends, spread = one.known.interval(LEVEL), one.spread
    return {
        "determined": one.determined,
        "directions": [dataclasses.asdict(direction) for direction in one.directions],
        "recovered": {
            name: {
                "value": float(value),
                "interval": [float(end) for end in ends[name]],
                "share_of_prior": spread[name],
                "grid_shift": one.shift.relative[name],
                "corrected": float(one.shift.corrected[name]),
            }
            for name, value in one.fit.parameters.items()
        },
        "profiles": {
            each.label: {
                # JSON has no infinity: an end that was not reached is null.
                "interval": [end if math.isfinite(end) else None for end in each.interval()],
                "below": each.below,
                "above": each.above,
            }
            for each in one.profiles
        },
        "grid_shift": one.shift.worst,
        "chi_square": one.fit.chi_square,
        "simulations": one.fit.simulations,
    }


def _observing(simulation: Simulation, measure: Callable[[Seen], Array]) -> Prediction:
    def predict(parameters: Mapping[str, Any], adjoint: Any = None) -> tuple[Array, RESULTS]:
        seen, result = simulation(parameters, adjoint)
        return measure(seen), result

    return predict
