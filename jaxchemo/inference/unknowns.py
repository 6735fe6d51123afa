"""The unknowns of a posterior, by name, and the one vector of standard normal numbers that stands for all of them."""

import math
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.inference.priors import AbstractPrior


class AbstractUnknowns(eqx.Module):
    """What has priors by name, and is a function of one vector z of standard normal numbers.

    **Fields:**

    - `names`, `priors`: of the unknowns, in their order.
    """

    names: eqx.AbstractVar[tuple[str, ...]]
    priors: eqx.AbstractVar[tuple[AbstractPrior, ...]]

    @property
    def size(self) -> int:
        """Length of z: how many numbers are unknown."""
        return sum(math.prod(prior.shape) for prior in self.priors)

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each entry of z, with its index where an unknown has several numbers."""
        return tuple(
            name + (f"[{', '.join(map(str, index))}]" if prior.shape else "")
            for name, prior in zip(self.names, self.priors, strict=True)
            for index in np.ndindex(*prior.shape)
        )

    def parameters(self, z: Float[Array, " p"]) -> dict[str, Array]:
        """The unknowns, by name."""
        parts = zip(self.names, self.priors, self._cut(z), strict=True)
        return {name: prior.value(part) for name, prior, part in parts}

    def whitened(self, parameters: Mapping[str, Any]) -> Float[Array, " p"]:
        """The vector z that stands for these values.

        **Raises:** `ValueError` for another set of names, or values that a prior excludes.
        """
        if set(parameters) != set(self.names):
            names = _checks.listed(self.names)
            raise ValueError(f"`parameters` must have a value for {names}, got {_checks.listed(parameters)}.")
        parts = []
        for name, prior in zip(self.names, self.priors, strict=True):
            z = jnp.broadcast_to(prior.whitened(parameters[name]), prior.shape)
            if _checks.is_concrete(z) and not bool(jnp.all(jnp.isfinite(z))):
                raise ValueError(f"`parameters`: {name!r} is {parameters[name]!r}, which {prior!r} excludes.")
            parts.append(z.ravel())
        return jnp.concatenate(parts)

    def _cut(self, z: Float[Array, " p"]) -> list[Array]:
        shapes = [prior.shape for prior in self.priors]
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(jnp.split(z, ends), shapes, strict=True)]


def known(jacobian: Float[np.ndarray, "*n m p"]) -> Float[np.ndarray, "*n p p"]:
    """Covariance of z where residuals of variance 1 have this Jacobian, and z had variance 1 before them."""
    return np.linalg.inv(np.eye(jacobian.shape[-1]) + np.swapaxes(jacobian, -1, -2) @ jacobian)


def named(priors: Mapping[str, AbstractPrior]) -> tuple[tuple[str, ...], tuple[AbstractPrior, ...]]:
    """The names and the priors of a dict, which is not empty. **Raises:** `ValueError` or `TypeError` for others."""
    names = tuple(_checks.mapping("priors", priors, "priors"))
    if not names:
        raise ValueError("`priors` must name at least one unknown, got none.")
    what = "a prior such as LogNormal(0.1, 2.0)"
    return names, tuple(_checks.instance(f"priors[{name!r}]", priors[name], AbstractPrior, what) for name in names)
