"""How well a field is known: the few directions that the data see, and the prior in all others."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.inference.descent import FieldFit
from jaxchemo.inference.directions import Directions, directions_of
from jaxchemo.inference.posterior import Posterior, Prediction
from jaxchemo.results import RESULTS


@dataclasses.dataclass(frozen=True, repr=False)
class FieldLaplace:
    """A normal distribution of z about the most probable field, with the Gauss-Newton matrix `I + J^T J` for precision.

    Of `J^T J` only the directions are kept of which the data know something, so that the covariance is
    `I - U diag(w / (1 + w)) U^T`: smooth fields leave few.

    **Fields:**

    - `posterior`: what is approximated.
    - `z`: its centre `(p,)`.
    - `directions`: w, U, and how many products with `J^T J` they took: `information`, `vectors`, `products`.

    >>> def blurred(parameters, adjoint=None):
    ...     return jnp.convolve(parameters["food"], jnp.full(5, 0.2), mode="same"), jc.RESULTS.successful
    >>> line = jc.Grid.box(0.0, 1.0, 64)
    >>> priors = {"food": jc.inference.GaussianField(line, mean=2.0, std=0.5, length=0.2)}
    >>> data, noise = 2 + jnp.sin(6 * line.axes[0]), jc.inference.Gaussian(0.02)
    >>> found = jc.inference.fit_field(jc.inference.Posterior(priors, blurred, data, noise), progress=False)
    >>> known = jc.inference.laplace_field(found)
    >>> known
    The data know more than the prior of 8 directions of 64
    >>> lower, upper = known.interval(0.9, key=jax.random.key(0))["food"]
    >>> bool(jnp.all(lower < upper))
    True
    """

    posterior: Posterior
    z: Float[Array, " p"]
    directions: Directions

    @property
    def seen(self) -> int:
        """How many directions the data know better than the prior did."""
        return int(jnp.sum(self.directions.information > 1))

    def sample(self, key: PRNGKeyArray, n: int) -> dict[str, Array]:
        """`n` values of the unknowns at random, by name, along a first axis.

        **Raises:** `ValueError` or `TypeError` if `n` is not an integer of at least 1.
        """
        normal = jax.random.normal(key, (_checks.natural("n", n), self.z.size), self.z.dtype)
        draws = self.z + jax.vmap(self.directions.root)(normal)
        return jax.vmap(self.posterior.parameters)(draws)

    def interval(self, level: float = 0.9, *, key: PRNGKeyArray, n: int = 1000) -> dict[str, tuple[Array, Array]]:
        """Ends of the interval, for each number of each unknown, that holds it with this probability; from `n` draws.

        **Raises:** `ValueError` unless `0 < level < 1`; as `sample`.
        """
        _checks.probability("level", level)
        ends = jnp.array([0.5 - level / 2, 0.5 + level / 2])
        draws = self.sample(key, n)
        return {name: tuple(jnp.quantile(draws[name], ends, axis=0)) for name in self.posterior.names}

    def __repr__(self) -> str:
        return f"The data know more than the prior of {self.seen} directions of {self.z.size:,}"


def laplace_field(fit: FieldFit, *, least: float = 0.1) -> FieldLaplace:
    """The normal approximation about the most probable field.

    **Arguments:**

    - `fit`: converged.
    - `least`: information below which a direction is left to the prior, positive; 0.1 makes error bars too long by at
      most 5%. Default 0.1.

    **Returns:** a `FieldLaplace`.

    **Raises:** `ValueError` for a fit that has not converged: nothing is known of its surroundings.

    **Source:** Bui-Thanh, Ghattas, Martin and Stadler (2013), SIAM J. Sci. Comput. 35.
    """
    _checks.instance("fit", fit, FieldFit, "a FieldFit, of jc.inference.fit_field(posterior)")
    least = _checks.constant(_checks.positive, "least", least)
    if not fit.converged:
        raise ValueError(f"`fit` has not converged, as {fit.reason}: there is no maximum to approximate.")

    return FieldLaplace(fit.posterior, fit.z, directions_of(fit.posterior, fit.z, least))


def centred(known: FieldLaplace) -> FieldLaplace:
    """The same about the middle of the posterior rather than its peak: far apart where many directions are seen.

    Where the data would see all directions a little better, the posterior is a little narrower in each, and there are
    fewer fields of high density: the peak is drawn there by as many log units as directions are seen. A food that is
    higher altogether is seen better, and the most probable one was too high by several error bars. One Newton step on
    the density with the volume that it leaves to all others, `cost + log det(I + J^T J) / 2`, takes that back.

    **Arguments:**

    - `known`: by `laplace_field`.

    **Returns:** a `FieldLaplace` with another centre, about which it is no longer the most probable field.

    **Raises:** `ValueError` where second derivatives are not finite.

    **Source:** Tierney and Kadane (1986), J. Am. Stat. Assoc. 81.
    """
    _checks.instance("known", known, FieldLaplace, "a FieldLaplace, of jc.inference.laplace_field(fit)")
    force = _volume_force(known.posterior, known.z, known.directions)
    if not bool(jnp.all(jnp.isfinite(force))):
        raise ValueError("`known` cannot be centred: second derivatives of its prediction are not finite.")
    return dataclasses.replace(known, z=known.z - known.directions.covariance(force))


@eqx.filter_jit
def _volume_force(posterior: Posterior, z: Array, seen: Directions) -> Array:
    """The gradient of `log det(I + J^T J) / 2`, in the directions that are kept."""

    def volume(z: Array) -> Array:
        along = jax.vmap(lambda u: jax.jvp(posterior.residuals, (z,), (u,))[1])(seen.vectors.T)
        return 0.5 * jnp.sum(jnp.sum(along**2, axis=1) / (1 + seen.information))

    return jax.grad(volume)(z)


def corrected(known: FieldLaplace, finer: Prediction) -> FieldLaplace:
    """The same about the field that a grid without error would have given, by one run at twice the resolution.

    To second order the error of a prediction on the grid of the fit is 4/3 of the difference between the two, and the
    fit answers to it as to data that are shifted by as much: `grid_shift` for fields. Error bars are of noise, and do
    not hold what the grid does.

    **Arguments:**

    - `known`: by `laplace_field`, of predictions that do not depend on the grid, such as averages over bins.
    - `finer`: what the posterior predicts, from the same unknowns, with twice the cells along each axis (and a step to
      match).

    **Returns:** a `FieldLaplace` with another centre.

    **Raises:** `ValueError` for a finer run that does not go well, or predicts arrays of other shapes.
    """
    _checks.instance("known", known, FieldLaplace, "a FieldLaplace, of jc.inference.laplace_field(fit)")
    _checks.function("finer", finer, "from parameters by name to a prediction and a result")
    force, result = _force(known.posterior, finer, known.z)
    if not bool(result == RESULTS.successful) or not bool(jnp.all(jnp.isfinite(force))):
        raise ValueError(f"`finer` does not go well at the fit: {RESULTS[result]}")
    return dataclasses.replace(known, z=known.z - known.directions.covariance(force))


@eqx.filter_jit
def _force(posterior: Posterior, finer: Prediction, z: Array) -> tuple[Array, RESULTS]:
    """What the error of the grid adds to the gradient of the cost, and how the finer run ended."""
    predicted, result = finer(posterior.parameters(z), None)
    residuals, pull = jax.vjp(posterior.residuals, z)
    return pull(4 / 3 * (posterior.misfit(predicted) - residuals))[0], result
