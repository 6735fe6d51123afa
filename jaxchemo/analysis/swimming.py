"""Exact laws of swimming cells in one dimension: free spreading, and where they are at rest."""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e, i1e
from jaxtyping import Array, Float

from jaxchemo.methods.base import box
from jaxchemo.methods.sensing import Surroundings
from jaxchemo.problem import Problem

Real = Float[Array, "..."] | float


def mean_square(t: Real, *, speed: Real, rate: Real) -> Real:
    """`<x^2>` of cells that start at 0 in even directions and reverse at a constant rate [length^2].

    `v^2 / 2 a^2 (2 a t - 1 + exp(-2 a t))` (Goldstein 1951).
    """
    z = 2 * rate * jnp.asarray(t, float)
    return speed**2 / (2 * rate**2) * (z + jnp.expm1(-z))


def mean_fourth_power(t: Real, *, speed: Real, rate: Real) -> Real:
    """`<x^4>` of the same cells, `3 v^4 / 2 a^4 (2 a^2 t^2 - 4 a t + 3 - (2 a t + 3) exp(-2 a t))` [length^4]."""
    z = 2 * rate * jnp.asarray(t, float)
    return 3 * speed**4 / (2 * rate**4) * (0.5 * z**2 - 2 * z + 3 - (z + 3) * jnp.exp(-z))


def propagator(x: Real, t: Real, *, speed: Real, rate: Real) -> Real:
    """Density of the same cells that have turned at least once; `exp(-rate t)` of all have not, half at each `+-v t`.

    `a exp(-a t) / 2 v (I0(a q) + t/q I1(a q))` with `q^2 = t^2 - x^2 / v^2`; zero beyond `v t` (Goldstein 1951).
    """
    square = jnp.asarray(t, float) ** 2 - (jnp.asarray(x, float) / speed) ** 2
    q = jnp.sqrt(jnp.where(square > 0, square, 1))
    inside = rate * jnp.exp(rate * (q - t)) / (2 * speed) * (i0e(rate * q) + t / q * i1e(rate * q))
    return jnp.where(square > 0, inside, 0)


def at_rest(problem: Problem) -> Float[Array, " n"]:
    """The stationary density between closed walls of a problem of swimming cells, `C / v exp(int (a- - a+) / v dx)`.

    For rates without memory, in one dimension, in the signal as it is at the start. It is that of the kinetic and the
    Fokker-Planck equation alike. By Gauss quadrature within the cells.

    **Arguments:**

    - `problem`: its grid, model and amount of cells.

    **Returns:** cell averages [mass / length].
    """
    grid = box(problem)
    model, h = problem.swimmers, grid.spacing[0]
    surroundings = Surroundings.of(problem)
    nodes, weights = (jnp.asarray(part) for part in np.polynomial.legendre.leggauss(4))
    ends = grid.lower[0] + h * jnp.arange(grid.shape[0] + 1)

    def slope(x: Array) -> Array:
        speed = model.speed_at((x,))
        cue = surroundings.cue(problem, (x,), (jnp.ones_like(x),), speed)
        ahead, back = model.tumble_rate.rate(cue), model.tumble_rate.rate(cue.turned())
        return jnp.broadcast_to(0.5 * (1 - model.turning.mean_cosine(1)) * (back - ahead) / speed, x.shape)

    def integral(start: Array, length: Array) -> Array:
        x = start[:, None] + 0.5 * length[:, None] * (1 + nodes)
        return 0.5 * length * (slope(x.reshape(-1)).reshape(x.shape) @ weights)

    across = integral(ends[:-1], jnp.full(grid.shape, h))
    below = jnp.cumsum(across) - across
    total = jnp.zeros(grid.shape)
    for node, weight in zip(nodes, weights, strict=True):
        reach = jnp.full(grid.shape, 0.5 * h * (1 + node))
        x = ends[:-1] + reach
        total = total + 0.5 * weight * jnp.exp(below + integral(ends[:-1], reach)) / model.speed_at((x,))
    (mass,) = (one.mass_in(grid) for one in problem.density.values())
    return mass * total / grid.integrate(total)
