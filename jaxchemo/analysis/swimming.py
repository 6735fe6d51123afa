"""Laws of swimmers: free spreading and rest in one dimension, both exact; and what they learn as they climb."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e, i1e
from jaxtyping import Array, Float

from jaxchemo._numerics import phi
from jaxchemo._types import Real
from jaxchemo.methods import Snapshot
from jaxchemo.methods.base import box
from jaxchemo.methods.swimmers.surroundings import Surroundings, on_grid
from jaxchemo.models import Pathway, RunAndTumble
from jaxchemo.problem import Problem


def mean_square(t: Real, *, speed: Real, rate: Real) -> Real:
    """`<x^2>` of swimmers that start at 0 in even directions and reverse at a constant rate [length^2].

    `v^2 / 2 a^2 (2 a t - 1 + exp(-2 a t))` (Goldstein 1951).

    **Arguments:** the time `t`, the `speed` v [length / time] and the `rate` a, positive [1 / time].
    """
    z = 2 * rate * jnp.asarray(t, float)
    return speed**2 / (2 * rate**2) * (z + jnp.expm1(-z))


def mean_fourth_power(t: Real, *, speed: Real, rate: Real) -> Real:
    """`<x^4>` of the same swimmers, `3 v^4 / 2 a^4 (2 a^2 t^2 - 4 a t + 3 - (2 a t + 3) exp(-2 a t))` [length^4].

    **Arguments:** those of `mean_square`.
    """
    z = 2 * rate * jnp.asarray(t, float)
    # At short times all terms up to the third power cancel: without them it is a series.
    early = z**4 * (1 / 6 - (z + 3) * phi(-jnp.minimum(z, 1), 4)[4])
    late = 0.5 * z**2 - 2 * z + 3 - (z + 3) * jnp.exp(-z)
    return 3 * speed**4 / (2 * rate**4) * jnp.where(z < 1, early, late)


def propagator(x: Real, t: Real, *, speed: Real, rate: Real) -> Real:
    """Density at `x` of the same swimmers that have turned; `exp(-rate t)` of all have not, half at each `+-v t`.

    `a exp(-a t) / 2 v (I0(a q) + t/q I1(a q))` with `q^2 = t^2 - x^2 / v^2`; zero beyond `v t` (Goldstein 1951).

    **Arguments:** the place `x` [length], and those of `mean_square`.

    **Returns:** the density of a population of 1 [1 / length].
    """
    # I0 and I1 overflow at long times: their scaled forms leave exp(a (q - t)), whose exponent is never positive.
    square = jnp.asarray(t, float) ** 2 - (jnp.asarray(x, float) / speed) ** 2
    # Beyond v t the root is that of 1: a root of less would make the derivative NaN, though the density is zero there.
    q = jnp.sqrt(jnp.where(square > 0, square, 1))
    inside = rate * jnp.exp(rate * (q - t)) / (2 * speed) * (i0e(rate * q) + t / q * i1e(rate * q))
    return jnp.where(square > 0, inside, 0)


def at_rest(problem: Problem) -> Float[Array, " n"]:
    """The stationary density between closed walls of a problem of swimmers, `C / v exp(int (a- - a+) / v dx)`.

    For rates without memory, in one dimension, in the signal as it is at the start. It is that of the kinetic and the
    Fokker-Planck equation alike. By Gauss quadrature within the grid cells.

    **Arguments:**

    - `problem`: its grid, model and amount of swimmers.

    **Returns:** cell averages [mass / length].

    **Raises:** `TypeError` for a problem without swimmers or without a box.
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
    (mass,) = (condition.mass_in(grid) for condition in problem.density.values())
    return mass * total / grid.integrate(total)


def tumble_rates(problem: Problem, snapshots: Snapshot) -> Float[Array, "t p"]:
    """The rate at which each swimmer would tumble at each saved time, from what it meets and remembers [1 / time].

    **Arguments:**

    - `problem`: swimmers, all of one speed, in a signal that a formula gives.
    - `snapshots`: the `ys` of a run of `Agents`.

    **Returns:** a row for each of the `t` saved times, a column for each of the `p` agents.

    **Raises:** `TypeError` for signals on a grid, and for swimmers of different speeds.
    """
    model = problem.swimmers
    if on_grid(problem) or model.speed_spread is not None:
        raise TypeError("Rates are known for swimmers of one speed, in a signal that a formula gives.")
    surroundings = Surroundings.of(problem)

    def at(shown: Snapshot) -> Array:
        x, p = tuple(shown.positions.T), tuple(shown.headings.T)
        cue = surroundings.cue(problem, x, p, model.speed_at(x))
        now = model.tumble_rate.live(cue, shown.memory, 0.0, lambda: jnp.zeros_like(x[0]))
        return jnp.broadcast_to(now.rate, x[0].shape)

    return jax.lax.map(at, snapshots)


def information_rate(swimmers: RunAndTumble, ndim: int, signal: Real, steepness: Real) -> Float[Array, ""]:
    """What the receptors of a climbing swimmer learn of its way through their noise [nats / time]; over ln 2, bits.

    `(sqrt(L^2 + B) - L) / 2` with `B = (b g v)^2 L t r / (d (N e s)^2)`: the rate of a Gaussian channel, `1/4 pi int
    ln(1 + S/N) d omega`. A swimmer in a shallow gradient of relative steepness g meets a signal `d ln c/dt` of variance
    `r (g v)^2 / d` that is forgotten at the rate L of its direction; r is the share of time that it runs. Its free
    energy answers with `b = d f / d ln c`, and fluctuates with its methylation: standard deviation s, `N e` each. Both
    are remembered for the adaptation time t.

    Assumed: linear response, Gaussian signals, and no noise but that of the methylation. How such a rate bounds the
    drift, with noise as measured: Mattingly, Kamino, Machta and Emonet (2021).

    **Arguments:**

    - `swimmers`: with a `Pathway` that has a `noise`, all alike; `ndim`: dimension of space, 1 to 3.
    - `signal`: to which they are adapted [concentration]; `steepness`: g, of its logarithm [1 / length].

    **Raises:** `TypeError` for swimmers without such a pathway, or with a speed that depends on the place.
    """
    law = swimmers.tumble_rate
    if not isinstance(law, Pathway) or law.noise is None:
        raise TypeError(
            f"`swimmers` must have a Pathway with a `noise`, got {law!r}: without noise they learn everything."
        )
    if callable(swimmers.speed):
        raise TypeError("`swimmers` must have a speed that depends on no place.")
    level, rest = jnp.asarray(signal, float), law.resting_activity
    answer = level * jax.jvp(law.receptors.binding, (level,), (jnp.ones_like(level),))[1]
    forgotten = swimmers.reorientation(law.motor.start_rate(rest), ndim)
    noise = law.receptors.total * law.receptors.energy * law.noise
    running = 1 - law.motor.bias(rest)
    clarity = (answer * steepness * swimmers.speed / noise) ** 2 * forgotten * law.adaptation_time * running / ndim
    return 0.5 * (jnp.sqrt(forgotten**2 + clarity) - forgotten)
