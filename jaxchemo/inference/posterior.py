"""What is believed of parameters after data: a function of standard normal numbers, for any optimiser or sampler."""

from collections.abc import Mapping
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.inference.noise import AbstractNoise
from jaxchemo.inference.priors import AbstractPrior
from jaxchemo.inference.unknowns import AbstractUnknowns, named
from jaxchemo.integrate.adjoint import AbstractAdjoint
from jaxchemo.results import RESULTS


class Prediction(Protocol):
    """What parameters by name lead to, and whether a run went well: a `Simulation`, or a function of one's own.

    >>> def line(parameters, adjoint=None):
    ...     return parameters["slope"] * jnp.arange(3.0), jc.RESULTS.successful
    >>> line({"slope": 2.0})[0].tolist()
    [0.0, 2.0, 4.0]
    """

    def __call__(
        self, parameters: Mapping[str, Any], adjoint: AbstractAdjoint | None = None
    ) -> tuple[Any, RESULTS]: ...


class Posterior(AbstractUnknowns):
    """Parameters with their priors, what they predict, and the data.

    All of it is a function of one vector z of standard normal numbers before the data: `log_density(z)` is up to a
    constant `-|r|^2 / 2 - |z|^2 / 2`, with the residuals r of `residuals(z)`. Both are pure: jit, vmap and
    differentiate them.

    **Arguments:**

    - `priors`: of the unknowns, by name: `{"mobility": LogNormal(0.1, 2.0)}`.
    - `predict`: a `Simulation`, or any function from parameters by name (and an adjoint, which it may ignore) to a
      prediction and one of `RESULTS`.
    - `data`: measured, of the structure and shapes of the prediction.
    - `noise`: of the data: `Gaussian(std)`, `Poisson(exposure)` or `NegativeBinomial(size, exposure)`; for data that
      are several arrays by name, one for all or one for each, by name.
    - `missing`: whether data that are NaN were not measured and count for nothing. By default they are refused.

    **Raises:** `ValueError` or `TypeError` for parts that do not fit one another: data of other shapes than the
    prediction, or that are NaN, infinite, or, as counts, negative.

    >>> def line(parameters, adjoint=None):
    ...     return parameters["slope"] * jnp.arange(4.0), jc.RESULTS.successful
    >>> priors = {"slope": jc.inference.Normal(0.0, 10.0)}
    >>> data, noise = jnp.array([0.1, 1.9, 4.2, 5.8]), jc.inference.Gaussian(0.1)
    >>> posterior = jc.inference.Posterior(priors, line, data, noise)
    >>> posterior.residuals(posterior.whitened({"slope": 2.0})).round(2).tolist()
    [-1.0, 1.0, -2.0, 2.0]
    """

    names: tuple[str, ...] = eqx.field(static=True)  # JAX sorts the keys of a dict
    priors: tuple[AbstractPrior, ...]
    predict: Prediction
    data: Any
    noise: AbstractNoise | dict[str, AbstractNoise]
    observed: Any

    def __init__(
        self,
        priors: Mapping[str, AbstractPrior],
        predict: Prediction,
        data: Any,
        noise: AbstractNoise | Mapping[str, AbstractNoise],
        *,
        missing: bool = False,
    ):
        self.names, self.priors = named(priors)
        self.predict = _checks.function("predict", predict, "from parameters by name to a prediction and a result")
        data = jax.tree.map(lambda values: jnp.asarray(values, float), data)
        if not jax.tree.leaves(data):
            raise ValueError("`data` must have at least one number, got none.")
        self.noise = _noise(noise, data)
        for kind, values in zip(self._noises(data), jax.tree.leaves(data), strict=True):
            _check_measured(values, counts=kind.counts, missing=missing)
        self.observed = jax.tree.map(jnp.isfinite, data)
        # A number stands where nothing was measured, so that no NaN gets into derivatives.
        self.data = jax.tree.map(lambda values, there: jnp.where(there, values, 0), data, self.observed)
        jax.eval_shape(self.residuals, jnp.zeros(self.size))

    @property
    def count(self) -> int:
        """How many numbers were measured."""
        return sum(int(np.sum(there)) for there in jax.tree.leaves(self.observed))

    def residuals(self, z: Float[Array, " p"], adjoint: AbstractAdjoint | None = None) -> Float[Array, " n"]:
        """Residuals of the data, zero where nothing was measured; NaN where a run did not go well.

        **Arguments:**

        - `z`: as `whitened` makes it.
        - `adjoint`: how derivatives pass through the simulation. Default: as `jc.solve`.
        """
        return self.evaluated(z, adjoint)[0]

    def evaluated(
        self, z: Float[Array, " p"], adjoint: AbstractAdjoint | None = None
    ) -> tuple[Float[Array, " n"], RESULTS]:
        """The residuals, and how the run ended."""
        predicted, result = self.predict(self.parameters(z), adjoint)
        return jnp.where(result == RESULTS.successful, self.misfit(predicted), jnp.nan), result

    def misfit(self, predicted: Any) -> Float[Array, " n"]:
        """Residuals of the data about a prediction, in one vector; zero where nothing was measured.

        **Raises:** `ValueError` for a prediction of other shapes than the data.
        """
        shapes = [jax.tree.map(lambda leaf: tuple(jnp.shape(leaf)), tree) for tree in (predicted, self.data)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"`data` has the shapes {shapes[1]}, but {shapes[0]} are predicted.")

        def of(noise: AbstractNoise, predicted: Array, data: Array, there: Array) -> Array:
            # Where nothing was measured the prediction may be anything, also what makes no residual.
            safe = jnp.where(there, predicted, 1)
            return jnp.where(there, noise.residuals(safe, data), 0).ravel()

        leaves = map(jax.tree.leaves, (predicted, self.data, self.observed))
        return jnp.concatenate(list(map(of, self._noises(self.data), *leaves)))

    def expected(self, predicted: Any) -> Any:
        """The mean of the data, of what is predicted, in the structure of the data: counts, where they are counts."""
        leaves, structure = jax.tree.flatten(predicted)
        noises = self._noises(self.data)
        return structure.unflatten(noise.expected(leaf) for noise, leaf in zip(noises, leaves, strict=True))

    def drawn(self, key: PRNGKeyArray, predicted: Any) -> Any:
        """Data at random, of what is predicted; zero where nothing was measured.

        **Arguments:**

        - `key`: random key.
        - `predicted`: of the structure and shapes of the data.
        """
        leaves, structure = jax.tree.flatten(predicted)
        there = jax.tree.leaves(self.observed)
        keys = jax.random.split(key, len(leaves))
        drawn = [
            jnp.where(seen, noise.draw(key, jnp.where(seen, leaf, 1)), 0)
            for noise, key, leaf, seen in zip(self._noises(self.data), keys, leaves, there, strict=True)
        ]
        return jax.tree.unflatten(structure, drawn)

    def log_density(self, z: Float[Array, " p"], adjoint: AbstractAdjoint | None = None) -> Float[Array, ""]:
        """Log density of z after the data, up to a constant: minus infinity where a run did not go well.

        **Arguments:** as `residuals`.
        """
        r = self.residuals(z, adjoint)
        value = -0.5 * (r @ r) - 0.5 * (z @ z)
        return jnp.where(jnp.isfinite(value), value, -jnp.inf)

    # As a function of z alone: `jax.jit(posterior.log_density)` asks whether it is the same posterior as before.
    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def _noises(self, data: Any) -> list[AbstractNoise]:
        """The noise of each array of the data, in the order of its leaves."""
        if isinstance(self.noise, AbstractNoise):
            return [self.noise] * len(jax.tree.leaves(data))
        return [self.noise[name] for name in sorted(data) for _ in jax.tree.leaves(data[name])]


def _noise(noise: AbstractNoise | Mapping[str, AbstractNoise], data: Any) -> AbstractNoise | dict[str, AbstractNoise]:
    """One for all data, or one for each of several by name."""
    what = "a noise such as Gaussian(0.1)"
    if not isinstance(noise, Mapping):
        return _checks.instance("noise", noise, AbstractNoise, what)
    if not isinstance(data, Mapping) or set(data) != set(noise):
        there = _checks.listed(data) if isinstance(data, Mapping) else "one array"
        raise ValueError(f"`noise` has the names {_checks.listed(noise)}, but `data` has {there}.")
    return {name: _checks.instance(f"noise[{name!r}]", noise[name], AbstractNoise, what) for name in noise}


def _check_measured(values: Array, *, counts: bool, missing: bool) -> None:
    if not values.size:
        raise ValueError("`data` must have at least one number in each array, got none.")
    if not _checks.is_concrete(values):
        return
    known = np.asarray(values)
    if np.isinf(known).any() or (np.isnan(known).any() and not missing):
        raise ValueError("`data` must be finite: `missing=True` leaves out what is NaN, and was not measured.")
    if counts and (known[~np.isnan(known)] < 0).any():
        raise ValueError("`data` must not be negative, as they are counts: Gaussian(std) takes any numbers.")
