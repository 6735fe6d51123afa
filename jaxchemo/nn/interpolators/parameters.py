"""The parameters of a network: new ones, or given ones that must fit."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree

from jaxchemo import _checks


def initial_or_given(
    network: nn.Module, parameters: PyTree | None, key: PRNGKeyArray | None, example: Array
) -> dict[str, Any]:
    """`parameters` if they fit the network, or new ones.

    **Raises:** `ValueError` or `TypeError` that says which parameters are missing, in excess, of another shape, or no
    finite real numbers.
    """
    key = jax.random.key(0) if key is None else _checks.random_key("key", key)
    if parameters is None:
        return dict(network.init(key, example))
    wanted = shapes(jax.eval_shape(network.init, key, example))
    given = shapes(_checks.mapping("parameters", parameters, "the parameters of layers"))
    if wanted != given:
        wrong = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
        name = wrong[0]
        raise ValueError(
            f"`parameters` do not fit this network ({len(wrong)} of {len(wanted)} differ): {name!r} has shape "
            f"{given.get(name)}, it should have {wanted.get(name)}. They may be of another version or size."
        )
    for name, leaf in named(parameters).items():
        _checks.real(f"parameters[{name!r}]", leaf, arrays=True)
    return parameters


def applied(network: nn.Module, parameters: PyTree, x: Array) -> Array:
    """The network's output, in the precision of `x`."""
    y = network.apply(jax.tree.map(lambda p: p.astype(x.dtype), parameters), x)
    assert isinstance(y, jax.Array)
    return y


def shapes(parameters: PyTree) -> dict[str, tuple[int, ...]]:
    """Shapes by name."""
    return {name: np.shape(leaf) for name, leaf in named(parameters).items()}


def named(parameters: PyTree) -> dict[str, Any]:
    """Leaves by name: `params/Dense_0/kernel`."""
    leaves = jax.tree_util.tree_leaves_with_path(parameters)
    return {"/".join(str(part.key) for part in path): leaf for path, leaf in leaves}
