"""Which observations tell most: expected information, and a greedy choice of a few among many."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.inference.calibration import simulated
from jaxchemo.inference.posterior import Posterior
from jaxchemo.inference.simulation import Simulation
from jaxchemo.integrate import Forward
from jaxchemo.results import RESULTS


@dataclasses.dataclass(frozen=True, repr=False)
class Design:
    """Observations in the order in which they should be made.

    **Fields:**

    - `order`: indices among the candidates, the most telling first.
    - `candidates`: what they are: the times of a `Simulation`, otherwise indices.
    - `nats`: expected information of the first, the first two, and so on `(k,)`.
    - `alone`: of each candidate alone `(c,)`; `together`: of all [nats].
    - `lost`: which part of the draws of the priors had no run that goes well, and counts for nothing.

    >>> order = dict(order=(2, 0), candidates=(0.5, 1.0, 2.0), nats=jnp.array([1.5, 1.9]))
    >>> jc.inference.Design(**order, alone=jnp.array([0.7, 0.9, 1.5]), together=2.0, lost=0.0)
    Design(2, 0.5: 1.5, 1.9 nats, of 2 by all 3 candidates)
    """

    order: tuple[int, ...]
    candidates: tuple[float, ...]
    nats: Float[np.ndarray, " k"]
    alone: Float[np.ndarray, " c"]
    together: float
    lost: float

    @property
    def chosen(self) -> tuple[float, ...]:
        """The candidates in that order."""
        return tuple(self.candidates[index] for index in self.order)

    def __repr__(self) -> str:
        names, nats = (", ".join(f"{x:.3g}" for x in np.asarray(each)) for each in (self.chosen, self.nats))
        lost = f"; {100 * self.lost:.0f}% of the draws of the priors do not run" if self.lost else ""
        of = f"of {self.together:.3g} by all {len(self.candidates)} candidates"
        return f"Design({names}: {nats} nats, {of}{lost})"


def design(posterior: Posterior, k: int, *, key: PRNGKeyArray, draws: int = 32) -> Design:
    """The `k` most telling of the candidates along the first axis of the data: times of a `Simulation`, for example.

    Each is the one that adds most to the expected information `1/2 log det(I + J^T J)`: the mean, over draws of the
    priors and of data, of by how much the normal approximation is narrower than the prior. No candidate is chosen
    twice. The greedy choice has at least 63% of the information of the best one. Values of the data count for nothing:
    those of an experiment that has not been made may be zeros.

    **Arguments:**

    - `posterior`: with all candidates along the first axis of its data.
    - `k`: how many are chosen.
    - `key`: random key of the draws.
    - `draws`: of the priors. Default 32.

    **Returns:** a `Design`.

    **Raises:** `ValueError` or `TypeError` for bad input, fewer candidates than `k`, and where no draw has a run that
    goes well.

    **Source:** Nemhauser, Wolsey and Fisher (1978), Math. Program. 14, for the 63%.
    """
    _checks.instance("posterior", posterior, Posterior, "a Posterior")
    _checks.natural("k", k)
    _checks.natural("draws", draws)
    counts = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(posterior.data)}
    if len(counts) > 1 or () in counts:
        raise ValueError(f"`posterior` must have data with one first axis, of candidates; theirs are {counts}.")
    ((count,),) = counts
    if k > count:
        raise ValueError(f"`k` must be at most the number of candidates, {count}, got {k}.")
    keys = jax.random.split(_checks.random_key("key", key), draws)
    jacobians, well = map(np.asarray, _jacobians(posterior, keys))
    if not well.any():
        raise ValueError("`posterior`: no draw of its priors has a run that goes well; a shorter `dt` would do.")
    # Where each residual belongs, in the order of `Posterior.misfit`.
    rows = np.concatenate([
        np.repeat(np.arange(count), np.size(leaf) // count) for leaf in jax.tree.leaves(posterior.data)
    ])  # fmt: skip
    good = jacobians[well].astype(float)
    squares = np.array([np.einsum("sni,snj->sij", part, part) for part in (good[:, rows == c] for c in range(count))])

    def nats(chosen: list[int]) -> float:
        return float(np.mean(0.5 * np.linalg.slogdet(np.eye(posterior.size) + squares[chosen].sum(axis=0))[1]))

    order: list[int] = []
    for _ in range(k):
        order.append(max(set(range(count)) - set(order), key=lambda each: nats([*order, each])))
    return Design(
        order=tuple(order),
        candidates=posterior.predict.ts if isinstance(posterior.predict, Simulation) else tuple(range(count)),
        nats=np.array([nats(order[: n + 1]) for n in range(k)]),
        alone=np.array([nats([each]) for each in range(count)]),
        together=nats(list(range(count))),
        lost=1 - float(well.mean()),
    )


@eqx.filter_jit
def _jacobians(posterior: Posterior, keys: Array) -> tuple[Array, Array]:
    """Of data drawn for each key, where they were made, and whether that run went well."""

    def one(key: Array) -> tuple[Array, Array]:
        truth_key, noise_key = jax.random.split(key)
        z = jax.random.normal(truth_key, (posterior.size,))
        predicted, result = posterior.predict(posterior.parameters(z), Forward())
        of_data = simulated(posterior, predicted, noise_key)
        jacobian = jax.jacfwd(lambda z: of_data.residuals(z, Forward()))(z)
        return jacobian, (result == RESULTS.successful) & jnp.all(jnp.isfinite(jacobian))

    return jax.vmap(one)(keys)
