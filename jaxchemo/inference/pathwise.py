"""Derivatives along the paths of particles, with their noise: a mean over several keys, and a warning."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks

# One run that explodes makes a standard error that is as large as the mean, and never larger: a check that waits for
# more would not see it.
UNCERTAIN = 0.3


@dataclasses.dataclass(frozen=True, repr=False)
class Pathwise:
    """Derivatives along paths, averaged over runs, and how far they can be trusted.

    **Fields:**

    - `value`: the mean of the function, an array.
    - `derivative`: by parameter, the mean of its derivative, of the shape of the value and then of the parameter.
    - `error`: the standard errors of these means, by parameter.
    - `num_runs`: that were averaged.

    >>> mean, error = {"x": jnp.array([3.0, 4.0])}, {"x": jnp.array([0.3, 0.4])}
    >>> jc.inference.Pathwise(jnp.zeros(2), mean, error, num_runs=8)
    Pathwise(x: relative error 0.1; 8 runs)
    """

    value: Array
    derivative: dict[str, Array]
    error: dict[str, Array]
    num_runs: int

    @property
    def relative(self) -> dict[str, float]:
        """The size of the error over that of the derivative, by parameter; 0 for one that is surely 0."""
        return {name: _relative(self.derivative[name], self.error[name]) for name in self.derivative}

    @property
    def noise(self) -> tuple[str, ...]:
        """Parameters whose derivative is noise: not finite, or known to no better than 0.3 of itself."""
        return tuple(name for name, value in self.relative.items() if not value <= UNCERTAIN)

    def __repr__(self) -> str:
        each = ", ".join(f"{name}: relative error {value:.2g}" for name, value in self.relative.items())
        return f"Pathwise({each}; {self.num_runs} runs)"


def pathwise(
    function: Callable[[dict[str, Array], PRNGKeyArray], Array],
    parameters: Mapping[str, Any],
    *,
    key: PRNGKeyArray,
    num_runs: int = 8,
    reverse: bool = False,
) -> Pathwise:
    """Derivatives of what particles do, along their paths: of several keys, with their mean and its standard error.

    `jax.grad` of a run with a key returns the derivative of that one run, and cannot say whether it means anything.
    Where particles act on one another through a field that they are too few for, neighbouring paths part at a rate that
    the noise sets, and derivatives grow with them. Warns (`UserWarning`) where the mean is not finite, or its standard
    error is above 0.3 of it; as long tails hide from a few runs, an error near that is a lower bound. What all runs
    share, such as a bias of few particles, no spread shows.

    **Arguments:**

    - `function`: from parameters by name and a key to an array, such as a mean position at the end of a run.
    - `parameters`: where, by name.
    - `key`: random key, which is split for the runs.
    - `num_runs`: at least 4. Default 8.
    - `reverse`: whether in reverse mode, for many parameters and few values; else in forward mode. Default `False`.

    **Returns:** a `Pathwise`.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> def end(parameters, key):  # of free particles: a path's derivative is right, and its mean is surely 0.5
    ...     noise = jax.random.normal(key, (1_000,))
    ...     return jnp.mean((parameters["x"] + parameters["width"] * noise) ** 2)
    >>> found = jc.inference.pathwise(end, {"x": 1.0, "width": 0.5}, key=jax.random.key(0))
    >>> {name: round(float(value), 1) for name, value in found.derivative.items()}
    {'width': 1.0, 'x': 2.0}
    """
    _checks.function("function", function, "from parameters by name and a key to an array")
    if not isinstance(parameters, Mapping) or not parameters:
        raise TypeError(f"`parameters` must be a dict of at least one number by name, got {parameters!r}.")
    at = {name: _checks.real(f"parameters[{name!r}]", value, arrays=True) for name, value in parameters.items()}
    keys = jax.random.split(_checks.random_key("key", key), _checks.natural("num_runs", num_runs, at_least=4))
    _checks.flag("reverse", reverse)
    shape = jax.eval_shape(function, at, keys[0])
    if not (hasattr(shape, "shape") and jnp.issubdtype(shape.dtype, jnp.floating)):
        raise TypeError(f"`function` must return an array of real numbers, got {shape!r}.")
    values, slopes = _each(function, at, keys, reverse)
    mean = {name: jnp.mean(slope, axis=0) for name, slope in slopes.items()}
    error = {name: jnp.std(slope, axis=0, ddof=1) / num_runs**0.5 for name, slope in slopes.items()}
    found = Pathwise(jnp.mean(values, axis=0), mean, error, num_runs)
    if found.noise:
        shares = ", ".join(f"{found.relative[name]:.2g} of that by {name!r}" for name in found.noise)
        warnings.warn(
            f"Derivatives along paths are noise: their standard error over {num_runs} runs is {shares}. More particles "
            "or a shorter time would do; ParticleSimulation has the derivatives of a grid, which are without noise.",
            stacklevel=2,
        )
    return found


@eqx.filter_jit
def _each(
    function: Callable[[Any, PRNGKeyArray], Array], at: dict[str, Array], keys: PRNGKeyArray, reverse: bool
) -> tuple[Float[Array, "k *shape"], dict[str, Array]]:
    """Value and derivative of each run."""

    def twice(parameters: dict[str, Array], key: PRNGKeyArray) -> tuple[Array, Array]:
        value = function(parameters, key)
        return value, value

    slope = (jax.jacrev if reverse else jax.jacfwd)(twice, has_aux=True)

    def run(key: PRNGKeyArray) -> tuple[Array, dict[str, Array]]:
        slopes, value = slope(at, key)
        return value, slopes

    return jax.lax.map(run, keys)


def _relative(mean: Array, error: Array) -> float:
    size, off = (float(np.linalg.norm(np.asarray(values, float).ravel())) for values in (mean, error))
    return 0.0 if size == off == 0 else off / size if size else float("inf")
