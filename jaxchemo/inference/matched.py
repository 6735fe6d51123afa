"""Parameters by simulated moments: those for which simulated summaries are those of the data.

Where data have no likelihood that can be written down, as when somebody smoothed them, but can be simulated, a few
numbers of them say what parameters are (McFadden 1989; Gourieroux, Monfort and Renault 1993). Simulations about the
best guess teach a quadratic law from parameters to summaries, and how summaries scatter about it; a least-squares fit of
that law gives a better guess, about which simulations are drawn anew, nearer together.
"""

import dataclasses
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray
from scipy import stats

from jaxchemo import _checks
from jaxchemo._progress import Show, bar
from jaxchemo._show import number
from jaxchemo.inference.calibration import Calibration
from jaxchemo.inference.fitting import Fit, far_out, fit
from jaxchemo.inference.noise import Gaussian
from jaxchemo.inference.posterior import Posterior
from jaxchemo.inference.priors import AbstractPrior
from jaxchemo.inference.search import ENDS, minimise
from jaxchemo.inference.uncertainty import Laplace
from jaxchemo.results import RESULTS

WIDTH = 2.0  # of a cloud of simulations, in standard deviations of what is known
INSIDE = 1.5  # a guess farther out in its cloud is an extrapolation [root mean square of the cloud's own w]
SHRUNK = 0.3  # share of the weights' covariance that is without correlations
DOUBTFUL = 0.01  # of a misfit so improbable the model does not describe the data: intervals are widened
LEASH = 1.0  # of the next guess in a cloud [standard deviations of the cloud]
NARROWED = 2.0  # a cloud that would have to become narrower than by this is not the last
SHRINK, HELD = 0.3, 0.7  # by which a cloud may become narrower, and if its guess is at the end of the leash
STILL = 1.0  # a round that moves the guess by less is the last [standard deviations of what is known]


class Simulator(Protocol):
    """Summaries of simulated data, for several sets of parameters at once, each with random numbers of its own.

    >>> def coin(parameters, key):  # the share of heads in 100 throws
    ...     heads = jax.random.uniform(key, (100, *parameters["p"].shape)) < parameters["p"]
    ...     return jnp.mean(1.0 * heads, axis=0)[:, None]
    >>> coin({"p": jnp.array([0.0, 1.0])}, jax.random.key(0)).tolist()
    [[0.0], [1.0]]
    """

    def __call__(self, parameters: Mapping[str, Array], key: PRNGKeyArray) -> Float[Array, "n m"]: ...


class Surrogate(eqx.Module):
    """Summaries as a quadratic function of z, less what they are at the centre, whitened: a `Prediction`.

    **Fields:**

    - `names`, `priors`: of the unknowns.
    - `centre`, `scale`: of the cloud of simulations, `z = centre + scale w`, `(p,)` and `(p, p)`.
    - `constant`: summaries at the centre `(m,)`.
    - `coefficients`: of `w` and of its products, whitened `(m, p + p (p + 1) / 2)`.
    - `whitening`: `(m, m)`, from the summaries of data to numbers that are weighted alike.
    - `covariance`: of these about what is predicted, `(m, m)`; `relative`: that of a simulated data set over it.

    >>> prior, one = jc.inference.Normal(0.0, 1.0), jnp.ones(1)
    >>> eye, coefficients = jnp.eye(1), jnp.array([[2.0, 1.0]])
    >>> law = jc.inference.Surrogate(("x",), (prior,), 0 * one, eye, one, coefficients, eye, eye, one[0])
    >>> law({"x": 3.0})[0].tolist(), law.whitened(jnp.array([5.0])).tolist()  # 2 * 3 + 3^2; 5 - 1
    ([15.0], [4.0])
    """

    names: tuple[str, ...] = eqx.field(static=True)
    priors: tuple[AbstractPrior, ...]
    centre: Float[Array, " p"]
    scale: Float[Array, "p p"]
    constant: Float[Array, " m"]
    coefficients: Float[Array, "m k"]
    whitening: Float[Array, "m m"]
    covariance: Float[Array, "m m"]
    relative: Float[Array, ""]

    def __call__(self, parameters: Mapping[str, Any], adjoint: Any = None) -> tuple[Float[Array, " m"], RESULTS]:
        return self.coefficients @ _features(self.within(parameters)), RESULTS.successful

    def within(self, parameters: Mapping[str, Any]) -> Float[Array, " p"]:
        """w: where in the cloud parameters are, in its standard deviations."""
        z = [jnp.ravel(prior.whitened(parameters[n])) for n, prior in zip(self.names, self.priors, strict=True)]
        return jnp.linalg.solve(self.scale, jnp.concatenate(z) - self.centre)

    def whitened(self, summaries: Float[Array, "*n m"]) -> Float[Array, "*n m"]:
        """Summaries of data as what it predicts."""
        return (summaries - self.constant) @ self.whitening.T


class _Leashed(eqx.Module):
    """The same, and where in its cloud it is, as numbers that should be 0."""

    law: Surrogate

    def __call__(self, parameters: Mapping[str, Any], adjoint: Any = None) -> tuple[Float[Array, " m_and_p"], RESULTS]:
        predicted, result = self.law(parameters)
        return jnp.concatenate([predicted, self.law.within(parameters) / LEASH]), result


def _features(w: Array) -> Array:
    first, second = np.triu_indices(w.shape[-1])
    return jnp.concatenate([w, w[..., first] * w[..., second]], axis=-1)


@dataclasses.dataclass(frozen=True, repr=False)
class Match:
    """Parameters whose simulated summaries are those of the data.

    **Fields:**

    - `fit`: of the last quadratic law; `known`: what is known by it, of z.
    - `data`: summaries `(m,)`, and their `names`.
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
        """By name, how far each summary of the data is above what was fitted, in its standard deviations."""
        root = np.linalg.inv(np.asarray(self.surrogate.whitening, float))
        apart = -root @ np.asarray(self.fit.residuals, float)
        return dict(zip(self.names, (apart / np.linalg.norm(root, axis=1)).tolist(), strict=True))

    @property
    def chi_square(self) -> float:
        """Squared residuals over what is expected if the model is right: about 1, within `2 / freedom` squared."""
        return float(np.sum(np.square(np.asarray(self.fit.residuals, float)))) / self.expected_square

    @property
    def expected_square(self) -> float:
        """Of the residuals, if the model is right."""
        return self._expected[0]

    @property
    def freedom(self) -> float:
        """Number of independent residuals whose mean square scatters like theirs (Satterthwaite 1946)."""
        return self._expected[1]

    @property
    def p_value(self) -> float:
        """Probability of a misfit as large if the model is right."""
        return float(stats.chi2.sf(self.chi_square * self.freedom, self.freedom))

    @property
    def widened(self) -> float:
        """By which intervals are wider as the model does not describe the data; 1 where it may."""
        return math.sqrt(max(self.chi_square, 1.0)) if self.p_value < DOUBTFUL else 1.0

    @property
    def _expected(self) -> tuple[float, float]:
        return _expected(self.fit.jacobian, np.asarray(self.surrogate.covariance, float))

    def __repr__(self) -> str:
        ends = self.interval()
        lines = [f"{n}: {number(v)}, 90% {number(ends[n][0])} to {number(ends[n][1])}" for n, v in self.parameters.items()]
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
    data: Float[ArrayLike, " m"],
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
    kinds = {name: _checks.instance(f"priors[{name!r}]", prior, AbstractPrior, "a prior of one number")
             for name, prior in _checks.mapping("priors", priors, "priors").items()}
    if any(prior.shape for prior in kinds.values()):
        raise ValueError("`priors` must be of single numbers: a quadratic law of many has too many coefficients.")
    p = len(kinds)
    count = 1 + p + p * (p + 1) // 2
    _checks.natural("n", n, at_least=3 * count + target.size)
    centre, root = np.zeros(p), np.eye(p)
    if start is not None:
        centre, root = np.asarray(start[0], float), _root(WIDTH**2 * np.asarray(start[1], float))
    found, settled, used, lost = None, False, 0, 0
    with bar(progress, max_rounds * n, "match") as show:
        show(0, "compiling")
        for turn in range(max_rounds):
            cloud = _Cloud(kinds, centre, root)
            w, made = cloud.simulated(simulate, n, batch, jax.random.fold_in(key, turn), show, turn * n)
            used, lost = used + n, lost + n - len(w)
            if len(w) < 2 * count + target.size:
                raise ValueError(
                    f"{n - len(w)} of {n} simulations gave summaries that are not finite, too many for a fit: narrower "
                    "`priors`, or other summaries, would do."
                )
            law = cloud.law(w, made, size)
            posterior = Posterior(kinds, law, law.whitened(jnp.asarray(target, float)), Gaussian(1.0))
            # Beyond its cloud the quadratic law is nothing: a leash keeps the next guess near it.
            leashed = Posterior(kinds, _Leashed(law), jnp.concatenate([posterior.data, jnp.zeros(p)]), Gaussian(1.0))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                held = fit(leashed, posterior.parameters(law.centre), progress=False)
                found = fit(posterior, held.parameters, progress=False)
            jacobian, z = held.jacobian[:-p], np.asarray(held.z, float)
            out = cloud.distance(found.z)
            # Where the model does not describe the data, as much less is known.
            known = _sandwich(jacobian, np.asarray(law.covariance, float) * max(1.0, _excess(held, jacobian, law)))
            moved = float(np.max(np.abs(z - centre) / np.sqrt(np.diag(known))))
            closer = cloud.next_root(known, SHRINK if cloud.distance(z) < 1 else HELD)
            narrowed = np.linalg.norm(np.linalg.solve(closer, cloud.root), 2)
            settled = turn > 0 and out <= INSIDE and moved < STILL and narrowed < NARROWED
            if settled:
                break
            centre, root = z, closer
    assert found is not None
    reason = "the last round moved it by less than what is known" if settled else f"`max_rounds`, {max_rounds}, were not enough"
    if not found.converged:
        settled, reason = False, found.reason
    made = Match(found, Laplace(found.posterior, found.z, jnp.eye(p)), target, labels, settled, reason, used, lost)
    covariance = _sandwich(found.jacobian, made.widened**2 * np.asarray(made.surrogate.covariance, float))
    return dataclasses.replace(made, known=Laplace(found.posterior, found.z, jnp.asarray(covariance, float)))


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
    law, posterior = found.surrogate, found.fit.posterior
    cloud = _Cloud(
        dict(zip(law.names, law.priors, strict=True)),
        np.asarray(found.fit.z, float),
        np.linalg.cholesky(np.asarray(found.known.covariance, float)) / found.widened,
    )
    with bar(progress, n, "calibrate") as show:
        show(0, "compiling")
        w, made = cloud.simulated(simulate, n, batch, key, show, 0)
    truths = cloud.centre + w @ cloud.root.T
    z, residuals, jacobians, ends = _refits(posterior, law.whitened(jnp.asarray(made)))
    reasons = [ENDS[end] if end != ENDS.settled else far_out(posterior, each) for end, each in zip(ends, z, strict=True)]
    good = np.array([not reason for reason in reasons])
    if not good.any():
        raise ValueError(f"No fit converged: {reasons[0]}")
    apart, jacobians = (truths - z)[good], jacobians[good]
    covariances = _sandwich(jacobians, float(law.relative) * np.asarray(law.covariance, float))
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
def _minimised(posterior: Posterior, data: Array):
    start = posterior.whitened({n: p.value(z) for n, p, z in zip(posterior.names, posterior.priors, posterior.predict.centre, strict=True)})  # type: ignore

    def one(row: Array):
        of_data = eqx.tree_at(lambda each: each.data, posterior, row)
        search = minimise(of_data, start, jnp.ones_like(start), tolerance=1e-4, max_steps=50)
        return search.z, search.residuals, search.jacobian, search.end

    return jax.vmap(one)(data)


class _Cloud:
    """Parameters about a centre, and what simulations of them say."""

    def __init__(self, priors: Mapping[str, AbstractPrior], centre: np.ndarray, root: np.ndarray):
        self.priors, self.centre, self.root = priors, centre, root

    def simulated(
        self, simulate: Simulator, n: int, batch: int, key: PRNGKeyArray, show: Show, done: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """w of `n` draws and their summaries, without those that are not finite."""
        draws, runs = jax.random.split(key)
        full = -(-n // batch) * batch
        w = np.asarray(jax.random.normal(draws, (full, len(self.centre))), float)
        z = self.centre + w @ self.root.T
        made = []
        for first in range(0, full, batch):
            part = z[first : first + batch]
            values = {k: prior.value(jnp.asarray(part[:, i], float)) for i, (k, prior) in enumerate(self.priors.items())}
            made.append(np.asarray(simulate(values, jax.random.fold_in(runs, first)), float))
            show(done + min(first + batch, n), "")
        summaries = np.concatenate(made)[:n]
        good = np.isfinite(summaries).all(axis=1)
        return w[:n][good], summaries[good]

    def distance(self, z: ArrayLike) -> float:
        """Of a point from the centre, 1 for a usual one of the cloud."""
        w = np.linalg.solve(self.root, np.asarray(z, float) - self.centre)
        return float(np.linalg.norm(w) / np.sqrt(w.size))

    def next_root(self, known: np.ndarray, shrink: float) -> np.ndarray:
        """Of a cloud as wide as `WIDTH` times what is known, along no direction narrower than a share of this one."""
        inverse = np.linalg.inv(self.root)
        values, vectors = np.linalg.eigh(inverse @ (WIDTH**2 * known) @ inverse.T)
        wide = self.root @ vectors * np.sqrt(np.maximum(values, shrink**2))
        return _root(wide @ wide.T)

    def law(self, w: np.ndarray, summaries: np.ndarray, size: float) -> Surrogate:
        design = np.concatenate([np.ones((len(w), 1)), np.asarray(_features(jnp.asarray(w)), float)], axis=1)
        coefficients, *_ = np.linalg.lstsq(design, summaries, rcond=None)
        left = summaries - design @ coefficients
        freedom = len(w) - design.shape[1]
        covariance = left.T @ left / freedom
        # Of the data, and of the law where it will be used: within what is known, in the middle of the cloud.
        middle = np.concatenate([np.ones((len(w), 1)), np.asarray(_features(jnp.asarray(w / WIDTH)), float)], axis=1)
        leverage = np.mean(np.sum(middle @ np.linalg.pinv(design.T @ design) * middle, axis=1))
        covariance = covariance * (size + leverage)
        # Weights are not the best ones: those make most of tiny differences of summaries, where models err first.
        shrunk = (1 - SHRUNK) * covariance + SHRUNK * np.diag(np.diag(covariance))
        whitening = np.linalg.inv(np.linalg.cholesky(shrunk))
        return Surrogate(
            tuple(self.priors),
            tuple(self.priors.values()),
            jnp.asarray(self.centre, float),
            jnp.asarray(self.root, float),
            jnp.asarray(coefficients[0], float),
            jnp.asarray(whitening @ coefficients[1:].T, float),
            jnp.asarray(whitening, float),
            jnp.asarray(whitening @ covariance @ whitening.T, float),
            jnp.asarray((1 + leverage) / (size + leverage), float),
        )


def _root(covariance: np.ndarray) -> np.ndarray:
    """Of a covariance in which no direction is wider than the prior."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.minimum(values, 1.0))


def _known(jacobian: np.ndarray) -> np.ndarray:
    return np.linalg.inv(np.eye(jacobian.shape[-1]) + np.swapaxes(jacobian, -1, -2) @ jacobian)


def _sandwich(jacobian: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Covariance of z of a fit with weights that are not the inverse of the covariance of the residuals."""
    flat, across = _known(jacobian), np.swapaxes(jacobian, -1, -2)
    return flat @ (np.eye(jacobian.shape[-1]) + across @ covariance @ jacobian) @ flat


def _excess(held: Fit, jacobian: np.ndarray, law: Surrogate) -> float:
    """Mean square of the residuals of summaries, over the expected one."""
    r = np.asarray(held.residuals, float)[: len(jacobian)]
    return float(r @ r) / _expected(jacobian, np.asarray(law.covariance, float))[0]


def _expected(jacobian: np.ndarray, covariance: np.ndarray) -> tuple[float, float]:
    """Expected square of residuals after a fit, and how many independent ones would scatter alike."""
    left = np.eye(len(jacobian)) - jacobian @ _known(jacobian) @ jacobian.T
    # What the prior leaves of a truth drawn from it counts as well.
    after = left @ (covariance + jacobian @ jacobian.T) @ left
    mean = float(np.trace(after))
    return mean, mean**2 / float(np.sum(after**2))
