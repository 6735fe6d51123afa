"""Parameters by simulated moments: those for which simulated summaries are those of the data.

Where data have no likelihood that can be written down, as when somebody smoothed them, but can be simulated, a few
numbers of them say what parameters are (McFadden 1989; Gourieroux, Monfort and Renault 1993). Simulations about the
best guess teach a quadratic law from parameters to summaries, and how summaries scatter about it; a least-squares fit
of that law gives a better guess, about which simulations are drawn anew, nearer together.
"""

import dataclasses
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray
from scipy import stats

from jaxchemo import _checks
from jaxchemo._progress import bar
from jaxchemo._show import number
from jaxchemo.inference.calibration import Calibration
from jaxchemo.inference.fitting import Fit, far_out, fit
from jaxchemo.inference.noise import Gaussian
from jaxchemo.inference.posterior import Posterior
from jaxchemo.inference.priors import AbstractPrior
from jaxchemo.inference.search import ENDS, minimise
from jaxchemo.inference.surrogates import (
    WIDTH,
    Cloud,
    Leashed,
    Simulator,
    Surrogate,
    capped_root,
    expected,
    sandwich,
)
from jaxchemo.inference.uncertainty import Laplace

INSIDE = 1.5  # a guess farther out in its cloud is an extrapolation [root mean square of the cloud's own w]
DOUBTFUL = 0.01  # of a misfit so improbable the model does not describe the data: intervals are widened
NARROWED = 2.0  # a cloud that would have to become narrower than by this is not the last
SHRINK, HELD = 0.3, 0.7  # by which a cloud may become narrower, and if its guess is at the end of the leash
STILL = 1.0  # a round that moves the guess by less is the last [standard deviations of what is known]


@dataclasses.dataclass(frozen=True, repr=False)
class Match:
    """Parameters whose simulated summaries are those of the data.

    **Fields:**

    - `fit`: of the last quadratic law; `known`: what is known by it, of z.
    - `data`: summaries `(m,)`, and their `names`.
    - `widened`: by which error bars are wider as the model does not describe the data; 1 where it may.
    - `settled`: whether the last round changed no more than is known; `reason` says why it ended.
    - `simulations`: used in all rounds, each of one data set.
    - `lost`: how many of them gave summaries that are not finite, and were left out.

    >>> def noisy(parameters, key):  # two measurements of a length, and of its square
    ...     x = parameters["x"]
    ...     return jnp.stack([x, x**2], axis=1) + 0.1 * jax.random.normal(key, (x.size, 2))
    >>> prior = {"x": jc.inference.LogNormal(1.0, 2.0)}
    >>> found = jc.inference.match(prior, noisy, [2.0, 4.0], key=jax.random.key(0), n=100, progress=False)
    >>> found.settled, bool(abs(found.parameters["x"] - 2) < 0.1)
    (True, True)
    """

    fit: Fit
    known: Laplace
    data: Float[np.ndarray, " m"]
    names: tuple[str, ...]
    widened: float
    settled: bool
    reason: str
    simulations: int
    lost: int

    @property
    def parameters(self) -> dict[str, Array]:
        """The unknowns, by name."""
        return self.fit.parameters

    def interval(self, level: float = 0.9) -> dict[str, tuple[Array, Array]]:
        """As `Laplace.interval`. **Raises:** `ValueError` unless `0 < level < 1`."""
        return self.known.interval(level)

    @property
    def surrogate(self) -> Surrogate:
        """The quadratic law from parameters to summaries."""
        law = self.fit.posterior.predict
        assert isinstance(law, Surrogate)
        return law

    @property
    def misfit(self) -> dict[str, float]:
        """By name, how far each summary of the data is above what was fitted, in standard deviations, not widened."""
        root = np.linalg.inv(np.asarray(self.surrogate.whitening, float))
        apart = -root @ np.asarray(self.fit.residuals, float)
        std = np.sqrt(np.diag(root @ np.asarray(self.surrogate.covariance, float) @ root.T)) / self.widened
        return dict(zip(self.names, (apart / std).tolist(), strict=True))

    @property
    def square(self) -> float:
        """Of the whitened residuals, not widened."""
        return self.widened**2 * float(np.sum(np.square(np.asarray(self.fit.residuals, float))))

    @property
    def expected(self) -> tuple[float, float]:
        """What `square` is in the mean if the model is right, and how many independent residuals would scatter so.

        **Source:** Satterthwaite (1946).
        """
        jacobian = self.widened * self.fit.jacobian
        return expected(jacobian, np.asarray(self.surrogate.covariance, float))

    @property
    def chi_square(self) -> float:
        """Squared residuals over what is expected if the model is right: then about 1."""
        return self.square / self.expected[0]

    @property
    def p_value(self) -> float:
        """Probability of a misfit as large if the model is right."""
        freedom = self.expected[1]
        return float(stats.chi2.sf(self.chi_square * freedom, freedom))

    def __repr__(self) -> str:
        ends = self.interval()
        lines = [
            f"{n}: {number(v)}, 90% {number(ends[n][0])} to {number(ends[n][1])}" for n, v in self.parameters.items()
        ]
        lines.append(
            f"misfit {self.chi_square:.2f} times the expected one, p = {self.p_value:.2g}; {self.simulations} "
            f"simulations; {self.reason}"
        )
        if self.widened > 1:
            lines.append(f"The model does not describe the data: intervals were widened {self.widened:.2g} times.")
        return "\n  ".join(["Match", *lines])


def match(
    priors: Mapping[str, AbstractPrior],
    simulate: Simulator,
    data: Float[ArrayLike, " m"] | Sequence[float],
    *,
    key: PRNGKeyArray,
    names: Sequence[str] | None = None,
    n: int = 400,
    batch: int = 10,
    max_rounds: int = 6,
    size: float = 1.0,
    start: tuple[ArrayLike, ArrayLike] | None = None,
    progress: bool | str = True,
) -> Match:
    """Parameters by simulated moments, from the priors in rounds of simulations that come nearer together.

    Each round draws `n` sets of parameters about the guess, as wide as twice what is known, and at most as the priors;
    regresses their summaries on z, up to squares; and takes the covariance of what is left as that of the data: it has
    the noise of a data set, and what the quadratic law lacks; that of the law itself is added. Weights are the inverse
    of this covariance with its correlations reduced, and error bars those of such weights (the sandwich of Huber 1967).
    Where the misfit says that the model does not describe the data, they are widened by its root (Birge 1932).

    **Arguments:**

    - `priors`: of the unknowns, by name, each of single numbers.
    - `simulate`: from parameters by name, each `(n,)`, and a key to summaries `(n, m)`, each of a simulated data set.
    - `data`: summaries of the data `(m,)`; best such that they are nearly linear in z and nearly normal: logarithms of
      what is positive and varies by factors.
    - `key`: random key.
    - `names`: of the summaries. Default: numbers.
    - `n`: simulations of a round, at least three times the coefficients of the law. Default 400.
    - `batch`: sets of parameters that are simulated at once. Default 10.
    - `max_rounds`: at most; the first is as wide as the priors. Default 6.
    - `size`: how many times as large as the data a simulated data set is, whose covariance is so much smaller.
    - `start`: centre `(p,)` and covariance `(p, p)` of z of the first cloud. Default: the priors.
    - `progress`: whether to show a bar, or its text. Default `True`.

    **Returns:** a `Match`.

    **Raises:** `ValueError` or `TypeError` for bad input, and where too few simulations have finite summaries.

    >>> def uniform(parameters, key):  # mean and variance of 1,000 numbers
    ...     x = parameters["width"][:, None] * jax.random.uniform(key, (parameters["width"].size, 1000))
    ...     return jnp.log(jnp.stack([x.mean(axis=1), x.var(axis=1)], axis=1))
    >>> prior, data = {"width": jc.inference.LogNormal(1.0, 2.0)}, np.log([1.5, 0.75])
    >>> found = jc.inference.match(prior, uniform, data, key=jax.random.key(0), n=100, progress=False)
    >>> round(float(found.parameters["width"]), 1)
    3.0
    """
    target = np.asarray(data, float)
    if target.ndim != 1 or not target.size or not np.isfinite(target).all():
        raise ValueError(f"`data` must be finite summaries (m,), got {data!r}.")
    labels = tuple(map(str, range(target.size))) if names is None else tuple(names)
    if len(labels) != target.size:
        raise ValueError(f"`names` must name each of {target.size} summaries, got {len(labels)}.")
    _checks.random_key("key", key)
    _checks.natural("batch", batch)
    _checks.natural("max_rounds", max_rounds)
    size = _checks.constant(_checks.positive, "size", size)
    kinds = {
        name: _checks.instance(f"priors[{name!r}]", prior, AbstractPrior, "a prior of one number")
        for name, prior in _checks.mapping("priors", priors, "priors").items()
    }
    if any(prior.shape for prior in kinds.values()):
        raise ValueError("`priors` must be of single numbers: a quadratic law of many has too many coefficients.")
    p = len(kinds)
    count = 1 + p + p * (p + 1) // 2
    _checks.natural("n", n, at_least=3 * count + target.size)
    centre, root = np.zeros(p), np.eye(p)
    if start is not None:
        centre, root = np.asarray(start[0], float), capped_root(WIDTH**2 * np.asarray(start[1], float))
    found, settled, used, lost = None, False, 0, 0
    with bar(progress, max_rounds * n, "match") as show:
        show(0, "compiling")
        for turn in range(max_rounds):
            cloud = Cloud(kinds, centre, root)
            w, made = cloud.simulated(simulate, n, batch, jax.random.fold_in(key, turn), show, turn * n)
            used, lost = used + n, lost + n - len(w)
            if len(w) < 2 * count + target.size:
                raise ValueError(
                    f"{n - len(w)} of {n} simulations gave summaries that are not finite, too many for a fit: narrower "
                    "`priors`, or other summaries, would do."
                )
            law, widened = cloud.law(w, made, size), 1.0
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                held, found = _fits(kinds, law, target)
                if (excess := _excess(found, law)) is not None:
                    # Where the model does not describe the data, they say as much less: also beside the priors.
                    widened = math.sqrt(excess)
                    law = law.widened(widened)
                    held, found = _fits(kinds, law, target)
            jacobian, z = held.jacobian[:-p], np.asarray(held.z, float)
            out = cloud.distance(found.z)
            spread = sandwich(jacobian, np.asarray(law.covariance, float))
            moved = float(np.max(np.abs(z - centre) / np.sqrt(np.diag(spread))))
            closer = cloud.next_root(spread, SHRINK if cloud.distance(z) < 1 else HELD)
            narrowed = np.linalg.norm(np.linalg.solve(closer, cloud.root), 2)
            settled = bool(turn > 0 and out <= INSIDE and moved < STILL and narrowed < NARROWED)
            if settled:
                break
            centre, root = z, closer
    assert found is not None
    reason = (
        "the last round moved it by less than what is known"
        if settled
        else f"`max_rounds`, {max_rounds}, were not enough"
    )
    if not found.converged:
        settled, reason = False, found.reason
    covariance = jnp.asarray(sandwich(found.jacobian, np.asarray(law.covariance, float)), float)
    known_z = Laplace(found.posterior, found.z, covariance)
    return Match(found, known_z, target, labels, widened, settled, reason, used, lost)


def _fits(priors: Mapping[str, AbstractPrior], law: Surrogate, target: np.ndarray) -> tuple[Fit, Fit]:
    """By the quadratic law: kept near the middle of its cloud, beyond which it is nothing; and from there on free."""
    posterior = Posterior(priors, law, law.whitened(jnp.asarray(target, float)), Gaussian(1.0))
    data = jnp.concatenate([posterior.data, jnp.zeros(posterior.size)])
    leashed = Posterior(priors, Leashed(law), data, Gaussian(1.0))
    held = fit(leashed, posterior.parameters(law.centre), progress=False)
    return held, fit(posterior, held.parameters, progress=False)


def _excess(found: Fit, law: Surrogate) -> float | None:
    """Mean square of the residuals over the expected one, where it is too large for a model that is right."""
    mean, freedom = expected(found.jacobian, np.asarray(law.covariance, float))
    r = np.asarray(found.residuals, float)
    excess = float(r @ r) / mean
    return excess if stats.chi2.sf(excess * freedom, freedom) < DOUBTFUL else None


def calibrate_match(
    found: Match,
    simulate: Simulator,
    n: int = 400,
    *,
    key: PRNGKeyArray,
    batch: int = 10,
    progress: bool | str = True,
) -> tuple[Calibration, Float[np.ndarray, " k"]]:
    """How often the error bars of a match hold the truth, in simulated data sets about it, as large as simulated ones.

    Truths are drawn from what is known, data of them simulated, and each fitted by the quadratic law of the match.

    **Arguments:**

    - `found`: whose error bars are tried: those for data as large as a simulated set, where `size` of the match was
      not 1, and not widened.
    - `simulate`, `batch`, `progress`: as `match`.
    - `n`: data sets. Default 400: coverage of 90% is then known to 1.5%.
    - `key`: random key.

    **Returns:** a `Calibration`, and of each data set that was fitted its chi-square.

    **Raises:** `ValueError` or `TypeError` for bad input, and if no fit converges.
    """
    _checks.instance("found", found, Match, "a Match")
    _checks.natural("n", n)
    law = found.surrogate.widened(1 / found.widened)
    posterior = eqx.tree_at(lambda each: each.predict, found.fit.posterior, law)
    cloud = Cloud(
        dict(zip(law.names, law.priors, strict=True)),
        np.asarray(found.fit.z, float),
        np.linalg.cholesky(np.asarray(found.known.covariance, float)) / found.widened,
    )
    with bar(progress, n, "calibrate") as show:
        show(0, "compiling")
        w, made = cloud.simulated(simulate, n, batch, key, show, 0)
    truths = cloud.centre + w @ cloud.root.T
    z, residuals, jacobians, ends = _refits(posterior, law.whitened(jnp.asarray(made)))
    reasons = [
        ENDS[end] if end != ENDS.settled else far_out(posterior, each) for end, each in zip(ends, z, strict=True)
    ]
    good = np.array([not reason for reason in reasons])
    if not good.any():
        raise ValueError(f"No fit converged: {reasons[0]}")
    apart, jacobians = (truths - z)[good], jacobians[good]
    covariances = sandwich(jacobians, float(law.relative) * np.asarray(law.covariance, float))
    precision, std = np.linalg.inv(covariances), np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    distance = np.einsum("ni,nij,nj->n", apart, precision, apart)
    ranks, joint = stats.norm.cdf(apart / std), stats.chi2.cdf(distance, z.shape[1])
    failed = dict(Counter(filter(None, reasons)))
    return Calibration(posterior.labels, ranks, joint, failed), np.sum(residuals[good] ** 2, axis=1)


def refit(found: Match, summaries: Float[ArrayLike, "n m"]) -> Float[np.ndarray, "n p"]:
    """z of other data by the quadratic law of a match, such as of tracks drawn again with replacement."""
    law = found.surrogate
    return _refits(found.fit.posterior, law.whitened(jnp.asarray(summaries, float)))[0]


def _refits(posterior: Posterior, data: Array) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[ENDS]]:
    z, residuals, jacobians, ends = _minimised(posterior, data)
    each = [jax.tree.map(lambda x, i=i: x[i], ends) for i in range(len(z))]
    return np.asarray(z, float), np.asarray(residuals, float), np.asarray(jacobians, float), each


@eqx.filter_jit
def _minimised(posterior: Posterior, data: Array) -> tuple[Array, Array, Array, ENDS]:
    law = posterior.predict
    assert isinstance(law, Surrogate)
    start = law.centre

    def one(row: Array):
        of_data = eqx.tree_at(lambda each: each.data, posterior, row)
        search = minimise(of_data, start, jnp.ones_like(start), tolerance=1e-4, max_steps=50)
        return search.z, search.residuals, search.jacobian, search.end

    return jax.vmap(one)(data)
