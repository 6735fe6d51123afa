"""A quadratic law from parameters to summaries of simulated data, learnt from a cloud of simulations."""

from collections.abc import Mapping
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from jaxchemo._progress import Show
from jaxchemo.inference.priors import AbstractPrior
from jaxchemo.inference.unknowns import known
from jaxchemo.results import RESULTS

WIDTH = 2.0  # of a cloud of simulations, in standard deviations of what is known
LEASH = 1.0  # of the next guess in a cloud [standard deviations of the cloud]
SHRUNK = 0.3  # share of the weights' covariance that is without correlations


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
        return self.coefficients @ features(self.within(parameters)), RESULTS.successful

    def widened(self, factor: float) -> "Surrogate":
        """The same where data scatter so many times as much."""
        parts = self.coefficients / factor, self.whitening / factor
        return eqx.tree_at(lambda law: (law.coefficients, law.whitening), self, parts)

    def within(self, parameters: Mapping[str, Any]) -> Float[Array, " p"]:
        """w: where in the cloud parameters are, in its standard deviations."""
        z = [jnp.ravel(prior.whitened(parameters[n])) for n, prior in zip(self.names, self.priors, strict=True)]
        return jnp.linalg.solve(self.scale, jnp.concatenate(z) - self.centre)

    def whitened(self, summaries: Float[Array, "*n m"]) -> Float[Array, "*n m"]:
        """Summaries of data as what it predicts."""
        return (summaries - self.constant) @ self.whitening.T


class Leashed(eqx.Module):
    """The same, and where in its cloud it is, as numbers that should be 0."""

    law: Surrogate

    def __call__(self, parameters: Mapping[str, Any], adjoint: Any = None) -> tuple[Float[Array, " m_and_p"], RESULTS]:
        predicted, result = self.law(parameters)
        return jnp.concatenate([predicted, self.law.within(parameters) / LEASH]), result


def features(w: Array) -> Array:
    """Entries of the last axis, and the products of all pairs of them."""
    first, second = np.triu_indices(w.shape[-1])
    return jnp.concatenate([w, w[..., first] * w[..., second]], axis=-1)


class Cloud:
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
            values = {
                k: prior.value(jnp.asarray(part[:, i], float)) for i, (k, prior) in enumerate(self.priors.items())
            }
            made.append(np.asarray(simulate(values, jax.random.fold_in(runs, first)), float))
            show(done + min(first + batch, n), "")
        summaries = np.concatenate(made)[:n]
        good = np.isfinite(summaries).all(axis=1)
        return w[:n][good], summaries[good]

    def distance(self, z: ArrayLike) -> float:
        """Of a point from the centre, 1 for a usual one of the cloud."""
        w = np.linalg.solve(self.root, np.asarray(z, float) - self.centre)
        return float(np.linalg.norm(w) / np.sqrt(w.size))

    def next_root(self, spread: np.ndarray, shrink: float) -> np.ndarray:
        """Of a cloud as wide as `WIDTH` times what is known, along no direction narrower than a share of this one."""
        inverse = np.linalg.inv(self.root)
        values, vectors = np.linalg.eigh(inverse @ (WIDTH**2 * spread) @ inverse.T)
        wide = self.root @ vectors * np.sqrt(np.maximum(values, shrink**2))
        return capped_root(wide @ wide.T)

    def law(self, w: np.ndarray, summaries: np.ndarray, size: float) -> Surrogate:
        design = np.concatenate([np.ones((len(w), 1)), np.asarray(features(jnp.asarray(w)), float)], axis=1)
        coefficients, *_ = np.linalg.lstsq(design, summaries, rcond=None)
        left = summaries - design @ coefficients
        freedom = len(w) - design.shape[1]
        covariance = left.T @ left / freedom
        # Of the data, and of the law where it will be used: within what is known, in the middle of the cloud.
        middle = np.concatenate([np.ones((len(w), 1)), np.asarray(features(jnp.asarray(w / WIDTH)), float)], axis=1)
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


def capped_root(covariance: np.ndarray) -> np.ndarray:
    """Of a covariance in which no direction is wider than the prior."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.minimum(values, 1.0))


def sandwich(jacobian: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Covariance of z of a fit with weights that are not the inverse of the covariance of the residuals."""
    flat, across = known(jacobian), np.swapaxes(jacobian, -1, -2)
    return flat @ (np.eye(jacobian.shape[-1]) + across @ covariance @ jacobian) @ flat


def expected(jacobian: np.ndarray, covariance: np.ndarray) -> tuple[float, float]:
    """Expected square of residuals after a fit, and how many independent ones would scatter alike."""
    left = np.eye(len(jacobian)) - jacobian @ known(jacobian) @ jacobian.T
    # What the prior leaves of a truth drawn from it counts as well.
    after = left @ (covariance + jacobian @ jacobian.T) @ left
    mean = float(np.trace(after))
    return mean, mean**2 / float(np.sum(after**2))
