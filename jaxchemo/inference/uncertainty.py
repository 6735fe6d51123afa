"""How well parameters are known: a normal approximation about the most probable ones, and what data do not tell."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.special import ndtri

from jaxchemo import _checks
from jaxchemo._show import number
from jaxchemo.inference.fitting import Fit
from jaxchemo.inference.posterior import Posterior
from jaxchemo.integrate import Forward


@dataclasses.dataclass(frozen=True, repr=False)
class Laplace:
    """A normal distribution of z about the most probable value, whose precision is the curvature of the cost there.

    Parameters follow by their priors' own functions: intervals of positive ones are positive and lopsided. It is exact
    for linear predictions, and too narrow or too wide where the posterior is bent over its own width.

    **Fields:**

    - `posterior`: what is approximated.
    - `z`: its centre `(p,)`; `covariance`: of z `(p, p)` [dimensionless].

    >>> def line(parameters, adjoint=None):
    ...     return parameters["slope"] * jnp.arange(4.0), jc.RESULTS.successful
    >>> data, noise = jnp.array([0.0, 2.0, 4.0, 6.0]), jc.inference.Gaussian(0.1)
    >>> posterior = jc.inference.Posterior({"slope": jc.inference.Normal(0.0, 10.0)}, line, data, noise)
    >>> known = jc.inference.laplace(jc.inference.fit(posterior, progress=False))
    >>> [round(float(end), 3) for end in known.interval(0.9)["slope"]]  # 2 -+ 1.645 * 0.1 / 14^(1/2)
    [1.956, 2.044]
    """

    posterior: Posterior
    z: Float[Array, " p"]
    covariance: Float[Array, "p p"]

    @property
    def std(self) -> Float[Array, " p"]:
        """Standard deviations of z, in those of the prior."""
        return jnp.sqrt(jnp.diag(self.covariance))

    @property
    def correlation(self) -> Float[Array, "p p"]:
        """Of the entries of z."""
        return self.covariance / jnp.outer(self.std, self.std)

    def interval(self, level: float = 0.9) -> dict[str, tuple[Array, Array]]:
        """Ends of the interval of each unknown that holds it with this probability, equally likely beyond either end.

        Of a field, each number of which mixes many of z, from 4,000 draws.

        **Raises:** `ValueError` unless `0 < level < 1`.
        """
        _checks.probability("level", level)
        reach = float(ndtri(0.5 + level / 2)) * self.std
        # The functions of priors of single numbers rise, so that quantiles pass through them.
        lower, upper = (self.posterior.parameters(self.z + side * reach) for side in (-1, 1))
        mixed = [
            n for n, prior in zip(self.posterior.names, self.posterior.priors, strict=True) if not prior.elementwise
        ]
        if mixed:
            draws, ends = self.sample(jax.random.key(0), 4000), jnp.array([0.5 - level / 2, 0.5 + level / 2])
            for name in mixed:
                lower[name], upper[name] = jnp.quantile(draws[name], ends, axis=0)
        return {name: (lower[name], upper[name]) for name in self.posterior.names}

    def sample(self, key: PRNGKeyArray, n: int) -> dict[str, Array]:
        """`n` parameters at random, by name, along a first axis.

        **Raises:** `ValueError` or `TypeError` if `n` is not an integer of at least 1.
        """
        normal = jax.random.normal(key, (_checks.natural("n", n), self.z.size), self.z.dtype)
        return jax.vmap(self.posterior.parameters)(self.z + normal @ jnp.linalg.cholesky(self.covariance).T)

    def __repr__(self) -> str:
        centre = self.posterior.parameters(self.z)
        ends = {name: " to ".join(map(number, pair)) for name, pair in self.interval().items()}
        return "\n  ".join(["90% intervals", *(f"{name}: {number(centre[name])}, {ends[name]}" for name in centre)])


class Curvature(Protocol):
    """The matrix of second derivatives of the cost at z, given the Jacobian there: `gauss_newton` or `full_hessian`.

    >>> def prior_alone(posterior, z, jacobian):
    ...     return jnp.eye(z.size)
    >>> prior_alone(None, jnp.zeros(1), None).tolist()
    [[1.0]]
    """

    def __call__(
        self, posterior: Posterior, z: Float[Array, " p"], jacobian: Float[Array | np.ndarray, "n p"]
    ) -> Float[Array | np.ndarray, "p p"]: ...


def gauss_newton(
    posterior: Posterior, z: Float[Array, " p"], jacobian: Float[Array | np.ndarray, "n p"]
) -> Float[Array | np.ndarray, "p p"]:
    """`I + J^T J`: always positive definite, and needs no further simulation.

    >>> jc.inference.gauss_newton(None, jnp.zeros(2), jnp.array([[2.0, 0.0]])).tolist()
    [[5.0, 0.0], [0.0, 1.0]]
    """
    # In the precision of the Jacobian: that of a `Fit` is double, where single would lose the prior's 1.
    return jacobian.T @ jacobian + np.eye(z.size, dtype=jacobian.dtype)


def full_hessian(
    posterior: Posterior, z: Float[Array, " p"], jacobian: Float[Array | np.ndarray, "n p"]
) -> Float[Array, "p p"]:
    """All second derivatives, forward over forward: with those of the residuals, which bend a wide posterior.

    It costs about as much as `p` Jacobians.

    >>> def square(parameters, adjoint=None):
    ...     return parameters["x"][None] ** 2, jc.RESULTS.successful
    >>> prior, noise = jc.inference.Normal(0.0, 1.0), jc.inference.Gaussian(1.0)
    >>> posterior = jc.inference.Posterior({"x": prior}, square, jnp.zeros(1), noise)
    >>> jc.inference.full_hessian(posterior, jnp.ones(1), None).tolist()  # of x^4 / 2 + x^2 / 2
    [[7.0]]
    """
    return _hessian(posterior, z)


@eqx.filter_jit
def _hessian(posterior: Posterior, z: Array) -> Array:
    def cost(z: Array) -> Array:
        r = posterior.residuals(z, Forward())
        return 0.5 * (r @ r + z @ z)

    return jax.jacfwd(jax.jacfwd(cost))(z)


def laplace(fit: Fit, curvature: Curvature = gauss_newton) -> Laplace:
    """The normal approximation about the result of a fit.

    **Arguments:**

    - `fit`: converged.
    - `curvature`: its inverse is the covariance. Default `gauss_newton`; `full_hessian` has the curvature of the
      prediction too, which matters where residuals are large or the posterior is wide.

    **Returns:** a `Laplace`.

    **Raises:** `ValueError` for a fit that has not converged, as nothing is known of its surroundings, and for a
    curvature that is not positive definite.
    """
    _checks.instance("fit", fit, Fit, "a Fit, of jc.inference.fit(posterior)")
    _checks.function("curvature", curvature, "such as gauss_newton or full_hessian")
    if not fit.converged:
        raise ValueError(f"`fit` has not converged, as {fit.reason}: there is no maximum to approximate.")
    precision = np.asarray(curvature(fit.posterior, fit.z, fit.jacobian), float)
    values, vectors = np.linalg.eigh(precision) if np.isfinite(precision).all() else ([np.nan], None)
    if not values[0] > 0:
        along = "" if vectors is None else f" along {combination(fit.posterior.labels, vectors[:, 0])}"
        raise ValueError(
            f"`curvature` is not positive definite at the fit: its least eigenvalue is {values[0]:.3g}{along}, where "
            "the posterior is no hill. `gauss_newton` always is one; `profile` and `sample` show what is there."
        )
    return Laplace(fit.posterior, fit.z, jnp.asarray(np.linalg.inv(precision), fit.z.dtype))


def combination(labels: Sequence[str], weights: np.ndarray) -> str:
    """A direction in words: its large weights, the largest first."""
    sign = np.sign(weights[np.argmax(np.abs(weights))])  # of an eigenvector it means nothing
    pairs = sorted(zip(labels, (sign * weights).tolist(), strict=True), key=lambda item: -abs(item[1]))
    large = [(name, weight) for name, weight in pairs if abs(weight) > 0.1]
    return " ".join(f"{'-' if w < 0 else '+'} {abs(w):.2f} {name}" for name, w in large).removeprefix("+ ")


@dataclasses.dataclass(frozen=True)
class Direction:
    """A combination of unknowns, and how much more the data know of it than the prior did.

    **Fields:**

    - `information`: the prior's variance over that of the noise along it [dimensionless]; after the data the variance
      is `1 / (1 + information)` of the prior's.
    - `weights`: of the unknowns, in standard deviations of their priors, of unit length, by label.

    >>> direction = jc.inference.Direction(3.0, {"mobility": 0.8, "sensitivity": -0.6})
    >>> direction.seen, str(direction)
    (True, '0.80 mobility - 0.60 sensitivity: known to 0.5 of the prior')
    """

    information: float
    weights: dict[str, float]

    @property
    def seen(self) -> bool:
        """Whether the data know more of it than the prior."""
        return self.information > 1

    def __str__(self) -> str:
        words = combination(tuple(self.weights), np.array(list(self.weights.values())))
        if not self.seen:
            return f"{words}: the data do not determine it"
        return f"{words}: known to {1 / np.sqrt(1 + self.information):.2g} of the prior"


def identify(fit: Fit) -> tuple[Direction, ...]:
    """Which combinations of the unknowns the data determine, the best known first.

    The eigenvectors of `J^T J` in standard deviations of the prior: a combination of which the data know less than the
    prior did has a value below 1. Locally, about the fit; `print(*identify(fit), sep="\\n")` says it in words.

    **Raises:** `TypeError` for what is no `Fit`.
    """
    _checks.instance("fit", fit, Fit, "a Fit, of jc.inference.fit(posterior)")
    values, vectors = np.linalg.eigh(fit.jacobian.T @ fit.jacobian)
    labels = fit.posterior.labels

    def direction(value: float, vector: np.ndarray) -> Direction:
        sign = np.sign(vector[np.argmax(np.abs(vector))])  # of an eigenvector it means nothing
        return Direction(max(float(value), 0.0), dict(zip(labels, (sign * vector).tolist(), strict=True)))

    return tuple(direction(value, vector) for value, vector in zip(values[::-1], vectors.T[::-1], strict=True))
