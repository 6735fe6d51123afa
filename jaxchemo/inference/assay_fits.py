"""Fits of an assay: from several starts, with a time step that the best bears well, and the noise that is left."""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from jaxchemo import _checks, initial
from jaxchemo.inference.assays import Assay, longest_step, step_of
from jaxchemo.inference.fitting import Fit, fit, multistart
from jaxchemo.inference.noise import Gaussian
from jaxchemo.inference.posterior import Posterior
from jaxchemo.inference.simulation import Simulation
from jaxchemo.integrate import solve
from jaxchemo.methods import FiniteVolume

SHORTENED = 5  # times that the step of a fit is shortened


def fit_assay(assay: Assay, *, starts: int = 8, max_steps: int = 50, progress: bool | str = True) -> Fit:
    """Fits an assay from several starts, with a time step that the best fit bears well.

    Near its limit of stability a run is wrong before it is refused, and what lies beyond is never tried: a fit there
    looks better known than it is. So the step is shortened until it is at most half of the stable one at the fit. Where
    the noise is not given, its width is that of the residuals, one for each observable.

    **Arguments:**

    - `assay`: of `jc.inference.assay`.
    - `starts`: drawn from the priors, at least 2. Default 8.
    - `max_steps`, `progress`: as `fit`.

    **Raises:** as `multistart`; `RuntimeError` where no step is short enough.
    """
    _checks.instance("assay", assay, Assay, "an Assay, of jc.inference.assay(measurements, law)")
    posterior = assay.posterior
    for _ in range(SHORTENED):
        begun = multistart(posterior, starts, key=jax.random.key(0), max_steps=max_steps, progress=progress)
        found = _with_its_noise(assay, begun.best, max_steps, progress)
        stable = _stable_dt(found)
        if 2 * step_of(posterior) <= stable:
            return found
        times = np.array([assay.start, *assay.times])
        posterior = _with_step(assay, found.posterior, longest_step(times, 0.4 * stable))
    raise RuntimeError(
        f"The time step was shortened {SHORTENED} times, and still is too long at {found!r}: narrower priors of what "
        "makes it fast would do."
    )


def _with_its_noise(assay: Assay, found: Fit, max_steps: int, progress: bool | str) -> Fit:
    """The fit with the width of the noise that its residuals have, where it is not given."""
    posterior, noise = found.posterior, found.posterior.noise
    if not assay.estimated or not isinstance(noise, Gaussian):
        return found
    width = np.asarray(noise.std, float)
    names = np.array([column.observable for column in assay.columns])
    for _ in range(3):  # the width changes little after the first: the prior is wide
        r = np.asarray(found.residuals, float).reshape(posterior.data.shape)
        factor = np.ones(names.size)
        for name in set(names.tolist()):
            of_it = np.asarray(posterior.observed)[:, names == name].sum()
            free = max(of_it - posterior.size / len(set(names.tolist())), 1)
            factor[names == name] = max(np.sqrt(np.sum(r[:, names == name] ** 2) / free), 1e-6)
        width = width * factor
        posterior = eqx.tree_at(lambda each: each.noise, posterior, Gaussian(width))
        found = fit(posterior, found.parameters, max_steps=max_steps, progress=progress)
        if np.all(np.abs(factor - 1) < 0.01):
            break
    return found


def _stable_dt(found: Fit) -> float:
    """The stable step where the fitted run begins and where it ends."""
    simulation = found.posterior.predict
    assert isinstance(simulation, Simulation)
    problem = simulation.build(found.parameters)
    end = solve(problem, FiniteVolume(), t0=simulation.t0, t1=simulation.ts[-1], dt=simulation.dt, throw=False).final
    later = problem.replace(density=_again(end.density), signal=_again(end.signal))
    method = FiniteVolume()
    return float(min(method.stable_dt(each, method.init(each)) for each in (problem, later)))


def _again(fields: Any) -> Any:
    """Fields of a snapshot as initial conditions."""
    return jax.tree.map(initial.array, fields)


def _with_step(assay: Assay, posterior: Posterior, dt: float) -> Posterior:
    return eqx.tree_at(lambda each: each.predict, posterior, assay.simulation(assay.cells, dt))
