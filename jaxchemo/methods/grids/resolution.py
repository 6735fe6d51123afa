"""Says beforehand where a grid is too coarse for the spikes that a model will make on it."""

import math
import warnings

import jax
import numpy as np

from jaxchemo import _checks
from jaxchemo.domain import Grid
from jaxchemo.models import Linear, Production
from jaxchemo.problem import Problem


def spike_width(problem: Problem) -> float | None:
    """Half-width of the spikes that an even density in one dimension will gather in [length].

    A narrow spike of mass M is `sech^2(x / width)` with `width = 4 D D_s / (chi g M)`, for the diffusivities D of the
    species and D_s of the signal, the sensitivity chi and the production g; and its mass is that of one of the waves
    that grow fastest about the even state.

    **Returns:** the width; `None` where there is no such prediction: in more dimensions, for other models than one
    species that climbs, linearly, one signal that it makes, for even states that are stable, for wide spikes, and
    where the numbers are not known yet (inside `jit`).
    """
    grid, model = problem.domain, problem.continuum
    if not isinstance(grid, Grid) or grid.ndim != 1 or len(model.species) != 1 or len(model.signals) != 1:
        return None
    (species,), ((name, signal),) = model.species.values(), model.signals.items()
    law, kinetics = species.taxis.get(name), signal.kinetics
    if not (isinstance(law, Linear) and isinstance(kinetics, Production) and signal.diffuses):
        return None
    if not species.only_moves or model.changes:
        return None
    (start,), length = problem.density.values(), grid.upper[0] - grid.lower[0]
    numbers = jax.tree.leaves(model)
    if not all(map(_checks.is_concrete, (*numbers, *jax.tree.leaves(start)))) or any(number.ndim for number in numbers):
        return None
    with jax.ensure_compile_time_eval():
        mean = float(start.mass_in(grid)) / length
        numbers = (species.mobility, law.chi, kinetics.rate, kinetics.decay, signal.diffusivity)
        mobility, chi, made, decay, diffusivity = (float(number) for number in numbers if number is not None)
        pace = 0.0 if signal.relaxation is None else float(signal.relaxation)
    if not chi * made * mean > 0:
        return None
    k = (2 if grid.periodic[0] else 1) * np.pi / length * np.arange(1, grid.cells[0] // 2 + 1)
    q = k**2
    fades, climbs = diffusivity * q + decay, chi * mean * made * q
    if pace:  # the larger root of (rate + mobility q) (pace rate + fades) = climbs
        half = 0.5 * (mobility * q + fades / pace)
        rate = -half + np.sqrt(np.maximum(half**2 - (mobility * q * fades - climbs) / pace, 0))
    else:
        rate = -mobility * q + climbs / fades
    best = int(np.argmax(rate))
    width = 4 * mobility * diffusivity / (chi * made * mean * 2 * np.pi / k[best])
    return float(width) if rate[best] > 0 and decay * width**2 < 0.1 * diffusivity else None


def warn_if_coarse(problem: Problem) -> None:
    """Warns where the cells are wider than the spikes will be, with both numbers and how many cells would do."""
    width = spike_width(problem)
    if width is None:
        return
    assert isinstance(problem.domain, Grid)
    spacing, cells = problem.domain.spacing[0], problem.domain.cells[0]
    if spacing > width:
        enough = math.ceil(2 * cells * spacing / width - 1e-6)
        warnings.warn(
            f"The cells of the grid are {spacing:.3g} wide, but spikes of half-width {width:.3g} are predicted: their "
            f"number and masses will be right, their heights will not. {enough} cells would do.",
            stacklevel=2,
        )
