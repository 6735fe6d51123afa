"""Profiles: the lowest cost at each value of one unknown, and the interval of values that the data allow."""

import dataclasses
import math
import operator
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtri

from jaxchemo import _checks
from jaxchemo._progress import bar
from jaxchemo._show import number
from jaxchemo.inference.fitting import AGREE, Fit
from jaxchemo.inference.posterior import Posterior
from jaxchemo.inference.search import ENDS, Search, minimise, sentence
from jaxchemo.inference.uncertainty import Laplace, laplace

SPACING = 0.5  # of points along the root of twice the cost, where the profile of a normal posterior is a straight line
FINEST = 1e-3  # steps shorter than this part of the posterior's standard deviation end at a wall
MOST = 40  # points on a side


@dataclasses.dataclass(frozen=True, repr=False)
class Profile:
    """The cost along one unknown, with all others as good as they can be.

    **Fields:**

    - `posterior`: what is profiled; `label`: which entry of z is held.
    - `z`: at each point, `(n, p)`, those of the held entry increasing.
    - `cost`: lowest at each, above that of the fit `(n,)` [log units].
    - `misfit`: the part of it that is of the data and not of the prior `(n,)`.
    - `level`: of the interval up to whose ends it was followed.
    - `below`, `above`: why it could not be followed so far on that side; empty where it could.

    >>> def line(parameters, adjoint=None):
    ...     return parameters["slope"] * jnp.arange(4.0), jc.RESULTS.successful
    >>> data, noise = jnp.array([0.0, 2.0, 4.0, 6.0]), jc.inference.Gaussian(0.1)
    >>> posterior = jc.inference.Posterior({"slope": jc.inference.Normal(0.0, 10.0)}, line, data, noise)
    >>> (profile,) = jc.inference.profile(jc.inference.fit(posterior, progress=False), progress=False)
    >>> [round(end, 3) for end in profile.interval(0.9)]  # 2 -+ 1.645 * 0.1 / 14^(1/2)
    [1.956, 2.044]
    """

    posterior: Posterior
    label: str
    z: Float[np.ndarray, "n p"]
    cost: Float[np.ndarray, " n"]
    misfit: Float[np.ndarray, " n"]
    level: float
    below: str
    above: str

    @property
    def values(self) -> Float[np.ndarray, " n"]:
        """Of the unknown at each point, in its unit."""
        return self._values(self.z)

    def interval(self, level: float | None = None) -> tuple[float, float]:
        """Ends of the values whose cost is below half the quantile of chi-square: where the root of twice it crosses.

        An end that was not reached is that of the prior: 0 or infinity, say.

        **Arguments:**

        - `level`: at most that of the profile, its default.

        **Raises:** `ValueError` for another.
        """
        level = self.level if level is None else level
        if not 0 < level <= self.level:
            raise ValueError(f"`level` must be above 0 and at most that of the profile, {self.level:g}, got {level!r}.")
        held = self.z[:, self._index]
        middle = held[np.argmin(self.cost)]
        root = np.sign(held - middle) * np.sqrt(2 * np.maximum(self.cost, 0))
        across, ends = PchipInterpolator(held, root), []
        for side, outermost, otherwise in ((-1, np.min, -np.inf), (1, np.max, np.inf)):
            crossings = across.solve(side * _reach(level), extrapolate=False)
            ends.append(outermost(crossings) if crossings.size else otherwise)
        z = np.tile(self.z[np.argmin(self.cost)], (2, 1))
        z[:, self._index] = ends
        lower, upper = self._values(z)
        return float(lower), float(upper)

    @property
    def _index(self) -> int:
        return self.posterior.labels.index(self.label)

    def _values(self, z: np.ndarray) -> np.ndarray:
        # Unknowns are made of their own entries of z alone, and so are their labels.
        made = jax.vmap(self.posterior.parameters)(jnp.asarray(z, float))
        flat = [np.asarray(made[name], float).reshape(len(z), -1) for name in self.posterior.names]
        return np.concatenate(flat, axis=1)[:, self._index]

    def __repr__(self) -> str:
        lower, upper = map(number, self.interval())
        said = [f"below, {self.below}" if self.below else "", f"above, {self.above}" if self.above else ""]
        words = "; ".join([f"{self.label}: {100 * self.level:g}% {lower} to {upper}", *filter(None, said)])
        return f"Profile({words})"


def profile(
    fit: Fit,
    *labels: str,
    level: float = 0.95,
    max_steps: int = 50,
    tolerance: float = 1e-4,
    progress: bool | str = True,
) -> tuple[Profile, ...]:
    """Profiles of the posterior density: of each unknown the best cost at every value, followed out to an interval.

    On each side points are added, from the fit outwards and all profiles at once, until the cost has risen by half the
    quantile of chi-square, by steps that adapt to its slope; each search begins where the last two point to. A side
    that ends before, beside values where no run goes well or no search settles, says why; so does one where not the
    data but the prior holds the value. With priors much wider than what the data allow these are profile likelihoods.
    Warns (`UserWarning`) where it finds a lower cost than that of the fit.

    **Arguments:**

    - `fit`: converged.
    - `labels`: of `fit.posterior.labels`. Default: all.
    - `level`: of the intervals, `0 < level < 1`. Default 0.95.
    - `max_steps`, `tolerance`, `progress`: of each search, as `fit`.

    **Returns:** a `Profile` for each label.

    **Raises:** `ValueError` or `TypeError` for bad input, unknown labels, numbers that are no unknown but the mode of a
    field, and a fit that has not converged.

    **Source:** Raue et al. (2009), Bioinformatics 25.
    """
    known = laplace(fit)
    _checks.probability("level", level)
    _checks.natural("max_steps", max_steps)
    tolerance = _checks.constant(_checks.positive, "tolerance", tolerance)
    chosen = labels or fit.posterior.labels
    _check_labels(fit.posterior, chosen)
    sides = [_Side(fit, known, label, sign, level) for label in chosen for sign in (-1, 1)]
    held = jnp.asarray([side.index for side in sides])
    with bar(progress, None, "profile") as show:
        show(0, "compiling")
        for _ in range(MOST):
            if all(side.over for side in sides):
                break
            trials = jnp.asarray(np.array([side.trial for side in sides]), fit.z.dtype)
            found = _minima(fit.posterior, trials, held, tolerance, max_steps)
            for lane, side in enumerate(sides):
                side.take(jax.tree.map(operator.itemgetter(lane), found))
            show(0, f"{sum(side.over for side in sides)} of {len(sides)} ends found")
    profiles = tuple(
        _joined(fit, label, below, above, level)
        for label, below, above in zip(chosen, sides[::2], sides[1::2], strict=True)
    )
    lowest = min(profiles, key=lambda each: each.cost.min())
    if lowest.cost.min() < -AGREE:
        best = fit.posterior.parameters(jnp.asarray(lowest.z[np.argmin(lowest.cost)], fit.z.dtype))
        values = ", ".join(f"{name}={number(value)}" for name, value in best.items())
        warnings.warn(
            f"The profile of {lowest.label!r} finds a cost lower than that of the fit by {-lowest.cost.min():.3g} log "
            f"units, at {values}: fit again from there.",
            stacklevel=2,
        )
    return profiles


class _Side:
    """One side of one profile, followed outwards point by point."""

    def __init__(self, fit: Fit, known: Laplace, label: str, sign: int, level: float):
        self.fit, self.index = fit, fit.posterior.labels.index(label)
        self.points, self.costs, self.misfits = [np.asarray(fit.z, float)], [0.0], [0.0]
        self.std, self.target = float(known.std[self.index]), _reach(level)
        # Where the posterior is normal the others follow along this way.
        column = np.asarray(known.covariance, float)[self.index]
        self.way = sign * column / column[self.index]
        self.step, self.over = SPACING * self.std, False
        self.why = f"{MOST} points were not enough"

    @property
    def trial(self) -> np.ndarray:
        """Where the next search begins; where the last ended, if there is no more to do."""
        return self.points[-1] + (0 if self.over else self.step) * self.way

    def take(self, search: Search) -> None:
        """Adds the point that a search has found, if it has, and sets the next step."""
        if self.over:
            return
        cost, root = float(search.cost) - self.fit.cost, math.sqrt(2 * max(self.costs[-1], 0))
        rise = math.sqrt(2 * max(cost, 0)) - root if search.end == ENDS.settled else math.inf
        if rise > 3 * SPACING:
            self.step *= 0.5
            if self.step < FINEST * self.std:
                self.over, self.why = True, "it jumps" if math.isfinite(rise) else _obstacle(search)
            return
        residuals = np.asarray(search.residuals, float), np.asarray(self.fit.residuals, float)
        self.costs.append(cost)
        self.misfits.append(0.5 * float(residuals[0] @ residuals[0] - residuals[1] @ residuals[1]))
        self.points.append(np.asarray(search.z, float))
        self.way = (self.points[-1] - self.points[-2]) / self.step
        missing = self.target - root - rise
        if missing <= 0:
            # Half of the rise is all that the prior does where it knows as much as the data.
            self.over, self.why = True, "" if self.misfits[-1] > 0.5 * cost else "held by its prior, not by the data"
        elif rise > 0:
            # A little beyond the end, so that it lies between two points.
            self.step *= min(max(min(SPACING, missing + 0.1) / rise, 0.5), 2.0)
        else:
            self.step *= 2.0


@eqx.filter_jit
def _minima(posterior: Posterior, trials: Array, held: Array, tolerance: float, max_steps: int) -> Search:
    def one(trial: Array, index: Array) -> Search:
        free = jnp.ones_like(trial).at[index].set(0)
        return minimise(posterior, trial, free, tolerance=tolerance, max_steps=max_steps, retreats=0)

    return jax.vmap(one)(trials, held)


def _obstacle(search: Search) -> str:
    if search.end == ENDS.no_start or search.end == ENDS.beside:
        return f"the next values are refused: {sentence(search.result)}"
    return "a search with the next value held does not settle: " + (
        "its steps were not enough" if search.running else ENDS[search.end]
    )


def _joined(fit: Fit, label: str, below: _Side, above: _Side, level: float) -> Profile:
    z, cost, misfit = (
        np.array([*getattr(below, name)[:0:-1], *getattr(above, name)]) for name in ("points", "costs", "misfits")
    )
    return Profile(fit.posterior, label, z, cost, misfit, level, below.why, above.why)


def _reach(level: float) -> float:
    """The root of the quantile of chi-square of one degree of freedom."""
    return float(ndtri(0.5 + level / 2))


def _check_labels(posterior: Posterior, labels: tuple[str, ...]) -> None:
    fields = [name for name, prior in zip(posterior.names, posterior.priors, strict=True) if not prior.elementwise]
    for label in labels:
        if label not in posterior.labels:
            raise ValueError(f"`labels` must be of {_checks.listed(posterior.labels)}, got {label!r}.")
        if label.split("[")[0] in fields:
            raise ValueError(f"`labels`: {label!r} is of a field, whose numbers are each made of all entries of z.")
