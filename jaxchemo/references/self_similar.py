"""The self-similar solution in the plane: cells that start at one point in uniform food, exact up to a table."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks

_NODES = 4096


class SelfSimilar(eqx.Module):
    """`rho = N(y)/t`, `c = C(y)`, `y = |x|/sqrt(t)`; see `self_similar`.

    **Fields:**

    - `amplitude`, `food`, `mobility`, `sensitivity`: as given.
    - `mass`: of all cells.
    - `spread`: `m2/t`, the mean squared distance from the origin over time: it does not change [length^2 / time].
    - `log_K`: the number K of `C ~ K y^(2A)` near the origin, as its logarithm.
    - `first`, `last`, `table`: the ends of `ln y`, and `ln C` at equally spaced values of it.

    >>> solution = jc.references.exact.self_similar(amplitude=1.0, food=1.0)
    >>> round(solution.mass, 3), round(solution.spread, 3)
    (21.387, 5.104)
    """

    amplitude: float = eqx.field(static=True)
    food: float = eqx.field(static=True)
    mobility: float = eqx.field(static=True)
    sensitivity: float = eqx.field(static=True)
    mass: float = eqx.field(static=True)
    spread: float = eqx.field(static=True)
    log_K: float = eqx.field(static=True)
    first: float = eqx.field(static=True)
    last: float = eqx.field(static=True)
    table: Float[np.ndarray, " nodes"]

    def C(self, y: Float[ArrayLike, "..."] | float) -> Float[Array, "..."]:
        """Food at the distance `y`, in units of the square root of time."""
        # ln C has the slope 2 N in ln y, so a cubic Hermite interpolant needs no derivative that is not exact.
        y = jnp.asarray(y, float)
        step = (self.last - self.first) / (_NODES - 1)
        log_y = jnp.log(jnp.where(y > 0, y, 1.0))
        inside = jnp.clip(log_y, self.first, self.last)
        i = jnp.clip(((inside - self.first) / step).astype(jnp.int32), 0, _NODES - 2)
        u = (inside - self.first) / step - i
        table = jnp.asarray(self.table, y.dtype)
        slopes = 2 * step * self._density(jnp.exp(self.first + step * jnp.arange(_NODES)), jnp.exp(table))
        low, high, down, up = table[i], table[i + 1], slopes[i], slopes[i + 1]
        cubic = low + u * (down + u * (3 * (high - low) - 2 * down - up + u * (2 * (low - high) + down + up)))
        before = self.log_K + 2 * self.amplitude * log_y
        value = jnp.exp(jnp.where(log_y < self.first, before, cubic))
        return jnp.where(y > 0, value, 0.0)

    def N(self, y: Float[ArrayLike, "..."] | float) -> Float[Array, "..."]:
        """Density of cells at the distance `y`, times time: `A exp(sensitivity C / mobility - y^2 / (4 mobility))`."""
        return self._density(jnp.asarray(y, float), self.C(y))

    def density(self, x: Float[Array, "*batch 2"], t: ArrayLike) -> Float[Array, "*batch"]:
        """`rho` at points `x` [mass / length^2]."""
        return self.N(self._scaled(x, t)) / t

    def signal(self, x: Float[Array, "*batch 2"], t: ArrayLike) -> Float[Array, "*batch"]:
        """`c` at points `x`."""
        return self.C(self._scaled(x, t))

    def _density(self, y: Array, food: Array) -> Array:
        return self.amplitude * jnp.exp(self.sensitivity / self.mobility * food - y**2 / (4 * self.mobility))

    @staticmethod
    def _scaled(x: Array, t: ArrayLike) -> Array:
        square = jnp.sum(x**2, axis=-1) / t
        return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)


def self_similar(amplitude: float, food: float, mobility: float = 1.0, sensitivity: float = 1.0) -> SelfSimilar:
    """The self-similar solution of the parabolic-hyperbolic system in two dimensions.

    ```
    rho = N(y)/t,   c = C(y),   y = |x|/sqrt(t),   from rho(0) = mass delta_0 and c(0) = food
    N = A exp( sensitivity C / mobility - y^2 / (4 mobility) ),   y C' = 2 N C,   C(0) = 0,   C(inf) = food
    ```

    **Arguments:**

    - `amplitude`: A, positive: the density at the origin, times time; with `food` it sets the mass.
    - `food`: the initial food, the same everywhere, positive.
    - `mobility`, `sensitivity`: mu and chi, positive. Default 1.

    **Returns:** a `SelfSimilar` with the profiles `N`, `C` and the fields `density(x, t)`, `signal(x, t)`.

    **Raises:** `ValueError` naming the argument at fault.

    **Source:** the family of Corrias, Perthame and Zaag (2003, 2004), made explicit here.
    Shooting on `ln K` with `ln y` as the variable, so `C` is never negative; about ten digits are right.
    """
    from scipy.integrate import solve_ivp  # imported here: only this needs it
    from scipy.optimize import brentq

    names = {"amplitude": amplitude, "food": food, "mobility": mobility, "sensitivity": sensitivity}
    A, c_inf, mu, chi = (float(_checks.positive(name, value)) for name, value in names.items())

    # From where C is proportional to y^(2A) to 13 digits, to where there are no cells any more.
    depth = (32 + max(math.log(chi * c_inf / mu), 0)) / (2 * A)
    first = 0.5 * math.log(mu) - max(depth, 16.0)
    last = 0.5 * math.log(4 * mu * (40 + chi * c_inf / mu))
    ceiling = math.log(c_inf) + 0.5

    def rates(log_y, state):
        square = math.exp(2 * log_y)
        n = A * math.exp(chi / mu * math.exp(min(state[0], ceiling)) - square / (4 * mu))
        return [2 * n, 2 * math.pi * square * n, 2 * math.pi * square**2 * n]

    def shoot(log_K, **more):
        start = [log_K + 2 * A * first, math.pi * A * math.exp(2 * first), 0.5 * math.pi * A * math.exp(4 * first)]
        return solve_ivp(rates, (first, last), start, method="DOP853", rtol=1e-12, atol=1e-14, **more)

    def miss(log_K):
        return min(shoot(log_K).y[0, -1], ceiling) - math.log(c_inf)

    # Without taxis `ln C` would rise by less, so this is too high; C only grows with K.
    high = math.log(c_inf) + A * (np.euler_gamma - math.log(4 * mu))
    low = high - 1.0
    while miss(low) > 0:
        low -= 2 * (high - low)
    log_K: Any = brentq(miss, low, high + 1e-9, xtol=1e-13)
    end = shoot(log_K, t_eval=np.linspace(first, last, _NODES), max_step=0.05)
    mass, moment = float(end.y[1, -1]), float(end.y[2, -1])
    return SelfSimilar(A, c_inf, mu, chi, mass, moment / mass, float(log_K), first, last, end.y[0])
