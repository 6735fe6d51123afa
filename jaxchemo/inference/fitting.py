"""The most probable parameters: searches from one start or several, and why each of them ended.

In forward mode a Jacobian by p unknowns cost 1.3, 2, 3 and 4.5 simulations at p = 1, 4, 8 and 16 (measured), where
differences take p + 1 of them; far beyond 16 unknowns reverse mode is cheaper.
"""

import dataclasses
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._progress import bar
from jaxchemo._show import number
from jaxchemo.inference.particles import noise_of, warn_if_loud
from jaxchemo.inference.posterior import Posterior
from jaxchemo.inference.search import ENDS, Search, advance, begin, sentence

AGREE = 0.05  # fits whose costs differ by less are the same [log units]


@dataclasses.dataclass(frozen=True)
class Step:
    """One trial of a fit.

    **Fields:**

    - `cost`: lowest half squared sum of residuals and z so far, infinite before any [dimensionless].
    - `simulations`: so far; a Jacobian counts as one for each unknown.
    - `refused`: why the trial was refused, empty if its run went well.

    >>> jc.inference.Step(cost=12.5, simulations=6, refused="").simulations
    6
    """

    cost: float
    simulations: int
    refused: str


class AbstractFit:
    """Where a search for the most probable parameters ended: `posterior`, `z`, `residuals` and `steps`."""

    posterior: Posterior
    z: Float[Array, " p"]
    residuals: Float[Array, " n"]
    steps: tuple[Step, ...]

    @property
    def parameters(self) -> dict[str, Array]:
        """The unknowns, by name."""
        return self.posterior.parameters(self.z)

    @property
    def cost(self) -> float:
        """Negative log density, up to a constant: half the squared sums of residuals and z."""
        return cost_of(self.residuals, self.z)

    @property
    def chi_square(self) -> float:
        """Squared residuals over the number of data; where model and noise are right about 1, less the share of
        directions that the data see."""
        return float(self.residuals @ self.residuals) / self.posterior.count

    @property
    def simulations(self) -> int:
        """Used; a Jacobian is counted as one for each unknown, a gradient in reverse mode as five."""
        return self.steps[-1].simulations


def cost_of(residuals: Float[Array, " n"], z: Float[Array, " p"]) -> float:
    """Half the squared sums of residuals and z, in double precision."""
    both = np.concatenate([np.asarray(residuals, float), np.asarray(z, float)])
    return 0.5 * float(both @ both)


@dataclasses.dataclass(frozen=True, repr=False)
class Fit(AbstractFit):
    """The most probable parameters, and how they were reached.

    **Fields:**

    - `posterior`: what was maximised.
    - `z`: where, in standard normal numbers `(p,)`.
    - `residuals`, `jacobian`: of the data there, `(n,)` and `(n, p)` [dimensionless].
    - `steps`: all trials, those of starts that were refused among them.
    - `converged`: whether nothing more is to be gained; `reason` says why the search ended.

    >>> def line(parameters, adjoint=None):
    ...     return parameters["slope"] * jnp.arange(4.0), jc.RESULTS.successful
    >>> data, noise = jnp.array([0.0, 2.1, 3.9, 6.0]), jc.inference.Gaussian(0.1)
    >>> posterior = jc.inference.Posterior({"slope": jc.inference.Normal(0.0, 10.0)}, line, data, noise)
    >>> found = jc.inference.fit(posterior, progress=False)
    >>> round(float(found.parameters["slope"]), 2), found.converged
    (1.99, True)
    """

    posterior: Posterior
    z: Float[Array, " p"]
    residuals: Float[Array, " n"]
    jacobian: Float[np.ndarray, "n p"]
    steps: tuple[Step, ...]
    converged: bool
    reason: str

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={number(value)}" for name, value in self.parameters.items())
        refused = sum(bool(step.refused) for step in self.steps)
        return (
            f"Fit({values}; chi-square per datum {self.chi_square:.3g}, {self.simulations} simulations, {refused} of "
            f"{len(self.steps)} trials refused; {self.reason})"
        )


def fit(
    posterior: Posterior,
    start: Mapping[str, Any] | None = None,
    *,
    max_steps: int = 50,
    tolerance: float = 1e-4,
    progress: bool | str = True,
) -> Fit:
    """The parameters of highest posterior density.

    A trial whose run does not go well (an unstable step, NaN, a collapse), or whose cost is no lower, is refused, and
    the next is nearer. A search that ends beside a refused point, or far out in a prior, is not converged, and says so.
    Warns (`UserWarning`) where particles predict whose noise is not small beside that of the data.

    **Arguments:**

    - `posterior`: what is maximised; its simulation needs derivatives in forward mode.
    - `start`: parameters to begin with. Default: the medians of the priors. If the run from there does not go well, the
      search begins nearer to the medians, at half the distance, a quarter, and so on.
    - `max_steps`: trials at most, refused starts included. Default 50.
    - `tolerance`: a search ends where the next step would lower the cost by less [log units]; a hundredth of an error
      bar is 5e-5. Default 1e-4.
    - `progress`: whether to show a bar, or its text. Default `True`.

    **Returns:** a `Fit`.

    **Raises:** `ValueError` or `TypeError` for bad input, and for parameters without a run that goes well.
    """
    _checks.instance("posterior", posterior, Posterior, "a Posterior")
    z = jnp.zeros(posterior.size) if start is None else posterior.whitened(start)
    found = fitted(posterior, z, max_steps, tolerance, progress)
    warn_if_loud(noise_of(posterior, found.z, found.jacobian))
    return found


def fitted(posterior: Posterior, z: Float[Array, " p"], max_steps: int, tolerance: float, progress: bool | str) -> Fit:
    """A search from one start.

    **Raises:** as `fit`.
    """
    (found,) = _fits(posterior, z[None], max_steps, tolerance, progress)
    if isinstance(found, Fit):
        return found
    values = {name: number(value) for name, value in posterior.parameters(jnp.zeros_like(z)).items()}
    raise ValueError(
        f"No run goes well, from `start` down to the medians of the priors, {values}: {found} Other "
        "priors, or a shorter `dt` of the simulation, would do."
    )


@dataclasses.dataclass(frozen=True, repr=False)
class Multistart:
    """Searches from several starts: the best of them, and how many agree on it.

    **Fields:**

    - `fits`: that found a run that goes well, the lowest cost first.
    - `lost`: why no run goes well from the others, a sentence each.

    >>> def square(parameters, adjoint=None):
    ...     return parameters["x"][None] ** 2, jc.RESULTS.successful
    >>> prior, noise = jc.inference.Normal(0.5, 1.0), jc.inference.Gaussian(0.1)
    >>> posterior = jc.inference.Posterior({"x": prior}, square, jnp.ones(1), noise)
    >>> found = jc.inference.multistart(posterior, 8, key=jax.random.key(0), progress=False)
    >>> round(float(found.best.parameters["x"]), 2), 0 < found.agree < 8  # the others are at -1
    (1.0, True)
    """

    fits: tuple[Fit, ...]
    lost: tuple[str, ...]

    @property
    def best(self) -> Fit:
        """The fit of lowest cost."""
        return self.fits[0]

    @property
    def agree(self) -> int:
        """How many have converged to the cost of the best, within `AGREE`."""
        return sum(each.converged and each.cost < self.best.cost + AGREE for each in self.fits)

    @property
    def simulations(self) -> int:
        """Used by all of them, a Jacobian counted as one for each unknown."""
        return sum(each.simulations for each in self.fits)

    def __repr__(self) -> str:
        other = [each.cost - self.best.cost for each in self.fits if each.converged]
        worse = [cost for cost in other if cost >= AGREE]
        reasons = [*(each.reason for each in self.fits if not each.converged), *self.lost]
        lines = [f"{self.agree} of {len(self.fits) + len(self.lost)} starts agree on the best, {self.best!r}"]
        if worse:
            lines.append(f"{len(worse)} end at other optima, worse by {min(worse):.3g} to {max(worse):.3g} log units")
        lines += [f"{count} did not converge: {reason}" for reason, count in Counter(reasons).items()]
        return "\n  ".join(lines)


def multistart(
    posterior: Posterior,
    n: int = 10,
    *,
    key: PRNGKeyArray,
    max_steps: int = 50,
    tolerance: float = 1e-4,
    progress: bool | str = True,
) -> Multistart:
    """The best of several fits, from starts that are drawn from the priors, all at once.

    Warns (`UserWarning`) where no two of them agree: there may be a better one then; and of particles as `fit` does.

    **Arguments:**

    - `posterior`, `max_steps`, `tolerance`, `progress`: as `fit`.
    - `n`: starts, at least 2. Default 10.
    - `key`: random key of the starts.

    **Returns:** a `Multistart`.

    **Raises:** `ValueError` or `TypeError` for bad input, and if no run goes well from any start.
    """
    _checks.instance("posterior", posterior, Posterior, "a Posterior")
    _checks.natural("n", n, at_least=2)
    starts = jax.random.normal(_checks.random_key("key", key), (n, posterior.size))
    found = _fits(posterior, starts, max_steps, tolerance, progress)
    fits = sorted((each for each in found if isinstance(each, Fit)), key=lambda each: each.cost)
    lost = tuple(each for each in found if not isinstance(each, Fit))
    if not fits:
        raise ValueError(
            f"No run goes well, from {n} draws of the priors down to their medians: {lost[0]} Other priors, or a "
            "shorter `dt` of the simulation, would do."
        )
    outcome = Multistart(tuple(fits), lost)
    if outcome.agree < 2:
        warnings.warn(f"No two starts agree: {outcome!r}", stacklevel=2)
    warn_if_loud(noise_of(posterior, outcome.best.z, outcome.best.jacobian))
    return outcome


def _fits(
    posterior: Posterior, starts: Float[Array, "s p"], max_steps: int, tolerance: float, progress: bool | str
) -> list[Fit | str]:
    """From each start a fit, or why no run goes well."""
    _checks.natural("max_steps", max_steps)
    tolerance = _checks.constant(_checks.positive, "tolerance", tolerance)
    searches = jax.vmap(lambda z: begin(posterior, z))(starts)
    steps: list[list[Step]] = [[] for _ in starts]
    with bar(progress, max_steps, "fit") as show:
        show(0, "compiling")
        for trial in range(max_steps):
            running = np.asarray(searches.running)
            if not running.any():
                break
            searches = _advance(posterior, searches, tolerance)
            for lane in np.flatnonzero(running):
                steps[lane].append(_last(_one(searches, int(lane))))
            show(trial + 1, f"cost {min(each[-1].cost for each in steps):.6g}")
    return [_ended(posterior, _one(searches, lane), steps[lane], max_steps) for lane in range(len(starts))]


@eqx.filter_jit
def _advance(posterior: Posterior, searches: Search, tolerance: float) -> Search:
    free = jnp.ones(posterior.size)
    if searches.cost.size == 1:  # alone it linearises only where it must; several at once linearise at every trial
        return jax.tree.map(lambda x: x[None], advance(posterior, _one(searches, 0), free, tolerance))
    return jax.vmap(lambda search: advance(posterior, search, free, tolerance))(searches)


def _one(searches: Search, lane: int) -> Search:
    return jax.tree.map(lambda x: x[lane], searches)


def _last(search: Search) -> Step:
    simulations = int(search.runs) + int(search.jacobians) * search.z.size
    return Step(float(search.cost), simulations, "" if bool(search.well) else sentence(search.result))


def _ended(posterior: Posterior, search: Search, steps: list[Step], max_steps: int) -> Fit | str:
    if not np.isfinite(float(search.cost)):
        return sentence(search.result)
    converged, reason = search.end == ENDS.settled, ENDS[search.end]
    if search.end == ENDS.beside:
        reason += f": {sentence(search.result)}"
    elif search.running:
        reason = f"`max_steps`, {max_steps}, were not enough"
    elif converged and (far := far_out(posterior, search.z)):
        converged, reason = False, far
    jacobian = np.asarray(search.jacobian, float)
    return Fit(posterior, search.z, search.residuals, jacobian, tuple(steps), bool(converged), reason)


def far_out(posterior: Posterior, z: Float[Array, " p"]) -> str:
    """Names what is so far out that its prior holds it back, not the data; nothing where all is well."""
    farthest = np.concatenate([np.full(prior.shape, prior.farthest).ravel() for prior in posterior.priors])
    out = [label for label, far in zip(posterior.labels, np.abs(np.asarray(z)) > farthest, strict=True) if far]
    return f"{_checks.listed(out)} ended at the edge of its prior, which the data would leave" if out else ""
