"""The most probable parameters: Gauss-Newton steps in a trust region, with derivatives in forward mode.

Lengths are standard deviations of the prior, so the first region has radius 1 and nothing needs tuning. In forward
mode a Jacobian by p unknowns cost 1.3, 2, 3 and 4.5 simulations at p = 1, 4, 8 and 16 (measured), where differences
take p + 1 of them; far beyond 16 unknowns reverse mode is cheaper.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo._progress import bar
from jaxchemo._show import number
from jaxchemo.inference.posterior import Posterior
from jaxchemo.integrate import Forward
from jaxchemo.results import RESULTS

NARROW = 1e-3  # a trust region of so small a radius beside a refused point is a wall

# Why a search ends.
SETTLED = "nothing more is to be gained"
BESIDE = "it ends beside a point that is refused: "
STUCK = "steps no longer lower the cost: its rounding errors are as large, or derivatives are wrong"


@dataclasses.dataclass(frozen=True)
class Step:
    """One trial of a fit.

    **Fields:**

    - `cost`: lowest half squared sum of residuals and z so far [dimensionless].
    - `simulations`: so far; a Jacobian counts as one for each unknown.
    - `refused`: why the trial was refused, empty if its run went well.

    >>> jc.inference.Step(cost=12.5, simulations=6, refused="").simulations
    6
    """

    cost: float
    simulations: int
    refused: str


@dataclasses.dataclass(frozen=True, repr=False)
class Fit:
    """The most probable parameters, and how they were reached.

    **Fields:**

    - `posterior`: what was maximised.
    - `z`: where, in standard normal numbers `(p,)`.
    - `residuals`, `jacobian`: of the data there, `(n,)` and `(n, p)` [dimensionless].
    - `steps`: all trials.
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

    @property
    def parameters(self) -> dict[str, Array]:
        """The unknowns, by name."""
        return self.posterior.parameters(self.z)

    @property
    def cost(self) -> float:
        """Negative log density, up to a constant: half the squared sums of residuals and z."""
        return _cost(self.residuals, self.z)

    @property
    def chi_square(self) -> float:
        """Squared residuals over the number of data; about 1 where model and noise are right."""
        count = sum(int(np.sum(there)) for there in jax.tree.leaves(self.posterior.observed))
        return float(self.residuals @ self.residuals) / count

    @property
    def simulations(self) -> int:
        """Used, a Jacobian counted as one for each unknown."""
        return self.steps[-1].simulations

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

    **Arguments:**

    - `posterior`: what is maximised; its simulation needs derivatives in forward mode.
    - `start`: parameters to begin with. Default: the medians of the priors. If the run from there does not go well, the
      search begins nearer to the medians, at half the distance, a quarter, and so on.
    - `max_steps`: trials at most. Default 50.
    - `tolerance`: a search ends where the next step would lower the cost by less [log units]; a hundredth of an error
      bar is 5e-5. Default 1e-4.
    - `progress`: whether to show a bar, or its text. Default `True`.

    **Returns:** a `Fit`.

    **Raises:** `ValueError` or `TypeError` for bad input, and for parameters without a run that goes well.
    """
    _checks.instance("posterior", posterior, Posterior, "a Posterior")
    _checks.natural("max_steps", max_steps)
    tolerance = _checks.constant(_checks.positive, "tolerance", tolerance)
    z = jnp.zeros(posterior.size) if start is None else posterior.whitened(start)
    with bar(progress, max_steps, "fit") as show:
        show(0, "compiling")
        search = _Search.begun(posterior, z)
        while search.why is None and len(search.steps) < max_steps:
            search.attempt(tolerance)
            show(len(search.steps), f"cost {search.cost:.6g}")
    reason = search.why or f"`max_steps`, {max_steps}, were not enough"
    converged = search.why == SETTLED
    if converged and (far := _far_out(posterior, search.z)):
        converged, reason = False, far
    return Fit(posterior, search.z, search.residuals, search.jacobian, tuple(search.steps), converged, reason)


class _Search:
    """A search under way: the best point so far, what is known there, and the region that is trusted."""

    def __init__(self, posterior: Posterior, z: Array, residuals: Array, simulations: int):
        self.posterior, self.z, self.residuals, self.simulations = posterior, z, residuals, simulations
        self.cost, self.radius, self.refused = _cost(residuals, z), 1.0, ""
        self.why: str | None = None
        self._linearise()
        self.steps = [Step(self.cost, self.simulations, "")]

    @classmethod
    def begun(cls, posterior: Posterior, z: Array) -> "_Search":
        medians = jnp.zeros_like(z)
        nearer = [z * 0.5**halvings for halvings in range(7)] if bool(jnp.any(z)) else []
        for simulations, trial in enumerate([*nearer, medians], start=1):
            residuals, result = _run(posterior, trial)
            if bool(jnp.all(jnp.isfinite(residuals))):
                return cls(posterior, trial, residuals, simulations)
        values = {name: number(value) for name, value in posterior.parameters(medians).items()}
        raise ValueError(
            f"No run goes well, from `start` down to the medians of the priors, {values}: {_sentence(result)} Other "
            "priors, or a shorter `dt` of the simulation, would do."
        )

    def attempt(self, tolerance: float) -> None:
        """One trial in the region, taken if it is better."""
        matrix = self.jacobian.T @ self.jacobian + np.eye(self.z.size)
        gradient = self.jacobian.T @ np.asarray(self.residuals, float) + np.asarray(self.z, float)
        step = _step(matrix, gradient, self.radius)
        expected = -float(gradient @ step + 0.5 * step @ matrix @ step)
        length = float(np.linalg.norm(step))
        if expected < tolerance:
            self.why = BESIDE + self.refused if self.refused and self.radius < NARROW else SETTLED
            return
        trial = self.z + jnp.asarray(step, self.z.dtype)
        residuals, result = _run(self.posterior, trial)
        self.simulations += 1
        cost = _cost(residuals, trial)
        gained = (self.cost - cost) / expected if np.isfinite(cost) else -np.inf
        refused = "" if np.isfinite(cost) else _sentence(result)
        self.refused = refused or self.refused
        if gained > 0.75:
            self.radius = max(self.radius, 2 * length)
        elif gained < 0.25:
            # Nothing is known of a refused point but that it is too far; of a poor one, that the region is too large.
            self.radius = (0.5 if refused else 0.25) * length
        if gained > 1e-4:
            self.z, self.residuals, self.cost, self.refused = trial, residuals, cost, ""
            self._linearise()
        self.steps.append(Step(self.cost, self.simulations, refused))
        if self.radius < 1e-6:
            self.why = BESIDE + self.refused if self.refused else STUCK

    def _linearise(self) -> None:
        self.jacobian = np.asarray(_jacobian(self.posterior, self.z), float)
        self.simulations += self.z.size
        if not np.isfinite(self.jacobian).all():
            self.why = "its derivatives are not finite"


@eqx.filter_jit
def _run(posterior: Posterior, z: Array) -> tuple[Array, RESULTS]:
    return posterior.evaluated(z, Forward())


@eqx.filter_jit
def _jacobian(posterior: Posterior, z: Array) -> Array:
    return jax.jacfwd(lambda z: posterior.residuals(z, Forward()))(z)


def _step(matrix: np.ndarray, gradient: np.ndarray, radius: float) -> np.ndarray:
    """The minimum of the quadratic model in a ball: damped until it is in it, by bisection on its eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)  # at least 1, by the prior
    along = vectors.T @ gradient

    def size(damping: float) -> float:
        return float(np.linalg.norm(along / (values + damping)))

    low, high = 0.0, float(np.linalg.norm(gradient)) / radius
    if size(0.0) <= radius:
        high = 0.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if size(middle) > radius else (low, middle)
    return -vectors @ (along / (values + high))


def _cost(residuals: Array, z: Array) -> float:
    both = np.concatenate([np.asarray(residuals, float), np.asarray(z, float)])
    return 0.5 * float(both @ both)


def _sentence(result: RESULTS) -> str:
    known = RESULTS[result]
    return "its prediction has no likelihood." if known == RESULTS[RESULTS.successful] else known


def _far_out(posterior: Posterior, z: Array) -> str:
    """Names what ended so far out that its prior holds it back, not the data."""
    farthest = np.concatenate([np.full(prior.shape, prior.farthest).ravel() for prior in posterior.priors])
    out = [label for label, far in zip(posterior.labels, np.abs(np.asarray(z)) > farthest, strict=True) if far]
    return f"{_checks.listed(out)} ended at the edge of its prior, which the data would leave" if out else ""
