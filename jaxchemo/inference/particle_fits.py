"""Fits to what particles predict: a few runs of theirs, and a smooth search between."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxchemo import _checks
from jaxchemo.inference.fitting import Fit, fitted
from jaxchemo.inference.particles import Corrected, ParticleSimulation, SamplingNoise, noise_of, warn_if_loud
from jaxchemo.inference.posterior import Posterior
from jaxchemo.inference.unknowns import known

SETTLED = 0.1  # standard deviations of the posterior


def fit_particles(
    posterior: Posterior,
    start: Mapping[str, Any] | None = None,
    *,
    rounds: int = 6,
    max_steps: int = 50,
    tolerance: float = 1e-4,
    progress: bool | str = True,
) -> Fit:
    """The most probable parameters of a prediction by particles.

    First the grid alone is fitted; then, round by round, what particles say at its result is added to its prediction,
    and it is fitted again, until a round moves no parameter by more than a tenth of an error bar (or the noise of the
    particles, where that is more). At the end predictions are those of the particles and derivatives those of the grid;
    its `posterior` predicts the same, smoothly, so that `laplace`, `identify`, `profile` and `sample` take it as it is.
    Warns (`UserWarning`) where the noise of the particles is above 0.3 of that of the data, or moves an estimate by 0.3
    of its error bar: `sampling_noise` has the numbers.

    **Arguments:**

    - `posterior`: whose `predict` is a `ParticleSimulation`.
    - `start`, `max_steps`, `tolerance`, `progress`: as `fit`, of each round.
    - `rounds`: at most. Default 6.

    **Returns:** a `Fit`, which counts simulations of the grid and, one by one, runs of the particles.

    **Raises:** `ValueError` or `TypeError` for bad input, and for parameters without a run that goes well.
    """
    _checks.instance("posterior", posterior, Posterior, "a Posterior")
    predict = _checks.instance(
        "posterior.predict", posterior.predict, ParticleSimulation, "a ParticleSimulation, as others need only `fit`"
    )
    _checks.natural("rounds", rounds)
    z = jnp.zeros(posterior.size) if start is None else posterior.whitened(start)
    found = fitted(_predicting(posterior, predict.simulation), z, max_steps, tolerance, progress)
    if not found.converged:
        return dataclasses.replace(found, reason=f"on the grid alone {found.reason}")
    moved, noise = np.inf, None
    for _ in range(rounds):
        corrected = predict.about(found.parameters)
        last, found = found, fitted(_predicting(posterior, corrected), found.z, max_steps, tolerance, progress)
        found = dataclasses.replace(found, steps=_after(last, found, predict.num_runs))
        noise = noise_of(found.posterior, found.z, found.jacobian)
        moved = float(np.max(np.abs(found.z - last.z) / np.sqrt(np.diag(known(found.jacobian)))))
        if not found.converged or moved < max(SETTLED, noise.worst if noise else 0.0):
            break
    else:
        reason = (
            f"`rounds`, {rounds}, were not enough: the last moved it by {moved:.2g} standard deviations, as the noise "
            "of the particles may do. More runs or particles would do."
        )
        found = dataclasses.replace(found, converged=False, reason=reason)
    warn_if_loud(noise)
    return found


def sampling_noise(fit: Fit) -> SamplingNoise:
    """What the noise of particles does to a fit, which error bars leave out.

    Warns (`UserWarning`) where it is above 0.3 of that of the data, or moves an estimate by 0.3 of its error bar. It is
    told by how runs differ: what they share, as particles that are too few for their grid do, it does not see.

    **Arguments:**

    - `fit`: of a posterior that predicts by particles.

    **Returns:** a `SamplingNoise`.

    **Raises:** `TypeError` for what is no `Fit`, or a fit without particles.
    """
    _checks.instance("fit", fit, Fit, "a Fit, of fit_particles(posterior)")
    kinds = ParticleSimulation, Corrected
    _checks.instance("fit.posterior.predict", fit.posterior.predict, kinds, "a ParticleSimulation")
    noise = noise_of(fit.posterior, fit.z, fit.jacobian)
    assert noise is not None
    warn_if_loud(noise)
    return noise


def _predicting(posterior: Posterior, predict: Any) -> Posterior:
    return eqx.tree_at(lambda each: each.predict, posterior, predict)


def _after(last: Fit, found: Fit, runs: int) -> tuple[Any, ...]:
    """All steps so far; costs of one round are not those of another."""
    before = last.simulations + runs
    return (
        *last.steps,
        *(dataclasses.replace(step, simulations=step.simulations + before) for step in found.steps),
    )
