"""What is probably a mistake in a fit: units that cannot be, unknowns that do nothing, fewer data than unknowns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxchemo import _checks
from jaxchemo.inference.fitting import Fit
from jaxchemo.inference.posterior import Posterior
from jaxchemo.results import RESULTS

APART = 1e4  # data and predictions that differ by more are of different units: between um^2 and mm^2 there is 1e6


def doubts(fit: Fit) -> tuple[str, ...]:
    """Sentences on what is probably a mistake; none if all is well.

    - data, and predictions at the medians of the priors, whose largest values differ by more than ten thousand;
    - unknowns that change no prediction;
    - fewer data than unknowns.

    **Raises:** `TypeError` for what is no `Fit`.

    >>> def line(parameters, adjoint=None):
    ...     return parameters["slope"] * jnp.arange(4.0), jc.RESULTS.successful
    >>> priors = {"slope": jc.inference.Normal(0.0, 10.0), "unused": jc.inference.Normal(0.0, 1.0)}
    >>> posterior = jc.inference.Posterior(priors, line, jnp.arange(4.0), jc.inference.Gaussian(0.1))
    >>> jc.inference.doubts(jc.inference.fit(posterior, progress=False))
    ("'unused' changes nothing that is predicted: its interval is that of its prior.",)
    """
    _checks.instance("fit", fit, Fit, "a Fit, of jc.inference.fit(posterior)")
    posterior, said = fit.posterior, []
    if posterior.count < posterior.size:
        said.append(
            f"There are {posterior.count} data for {posterior.size} unknowns: some are known by their priors alone."
        )
    idle = [label for label, column in zip(posterior.labels, fit.jacobian.T, strict=True) if not column.any()]
    if idle:
        its, change = ("its", "changes") if len(idle) == 1 else ("their", "change")
        held = f"{its} interval{'' if len(idle) == 1 else 's'} {'is that' if len(idle) == 1 else 'are those'}"
        said.append(f"{_checks.listed(idle)} {change} nothing that is predicted: {held} of {its} prior.")
    return (*said, *_scales(posterior))


def _scales(posterior: Posterior) -> list[str]:
    predicted, well = _medians(posterior)
    if not bool(well):
        return []

    def largest(values: Array, there: Array) -> float:
        return float(jnp.max(jnp.where(there, jnp.abs(values), 0)))

    observed = jax.tree.leaves(posterior.observed)
    data, model = (
        max(map(largest, jax.tree.leaves(values), observed))
        for values in (posterior.data, posterior.expected(predicted))
    )
    if not 0 < data < np.inf or not 0 < model < np.inf or 1 / APART < model / data < APART:
        return []
    return [
        f"The largest datum is {data:.3g} and the largest prediction, at the medians of the priors, {model:.3g}: are "
        "they in the same units? Between densities per um^2 and per mm^2 there is a factor of 1e6."
    ]


@eqx.filter_jit
def _medians(posterior: Posterior) -> tuple[Array, Array]:
    predicted, result = posterior.predict(posterior.parameters(jnp.zeros(posterior.size)), None)
    return predicted, result == RESULTS.successful
