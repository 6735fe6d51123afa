"""Exact solutions of the parabolic-hyperbolic system and its relatives: what every solver can be measured against.

Those that do not say otherwise solve, for a constant `consumption` (1 unless it is an argument),

    d_t rho = div( mobility grad rho - rho grad potential(c) ),     d_t c = - consumption rho c

and all can be evaluated inside compiled code, at any shape of points: as initial conditions (`jc.initial.function`) and
as values at a wall (`jc.Dirichlet`).
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, gammaln
from jaxtyping import Array, ArrayLike, Float

from jaxchemo._numerics import entire_exponential_integral, exponential_integral
from jaxchemo._types import Real
from jaxchemo.references.self_similar import SelfSimilar as SelfSimilar
from jaxchemo.references.self_similar import self_similar as self_similar

Pair = tuple[Float[Array, "..."], Float[Array, "..."]]


def uniform(t: Real, *, density: Real, signal: Real, consumption: Real = 1.0) -> Pair:
    """Nothing moves: `rho` stays and `c = signal exp(-consumption density t)`, with any potential.

    **Arguments:**

    - `t`: time.
    - `density`, `signal`: the initial values, the same everywhere.
    - `consumption`: food eaten per cell and time. Default 1.

    **Returns:** `(rho, c)`.

    >>> rho, c = jc.references.exact.uniform(1.0, density=2.0, signal=3.0)
    >>> float(rho), round(float(c), 3)
    (2.0, 0.406)
    """
    rho, time = jnp.broadcast_arrays(jnp.asarray(density, float), jnp.asarray(t, float))
    return rho, signal * jnp.exp(-consumption * rho * time)


def gaussian_without_taxis(
    x: Float[Array, "*batch d"],
    t: Real,
    *,
    mass: Real,
    std: Real,
    mobility: Real,
    signal: Callable[[Array], Array] | Real = 1.0,
) -> Pair:
    """A Gaussian of cells that spreads without taxis (potential 0), and what it leaves of the food.

    ```
    rho = mass (2 pi s^2)^(-d/2) exp(-r^2 / 2 s^2),     s(t)^2 = std^2 + 2 mobility t
    c   = signal(x) exp(-I),                            I = int_0^t rho
    1D:  I = mass / (mobility sqrt(2 pi))  [ q exp(-r^2 / 2 q^2) + r sqrt(pi/2) erf(r / sqrt(2) q) ]_{q=std}^{q=s}
    2D:  I = mass / (4 pi mobility)        [ E1(r^2 / 2 s^2) - E1(r^2 / 2 std^2) ]
    3D:  I = mass / (4 pi mobility r)      [ erf(r / sqrt(2) std) - erf(r / sqrt(2) s) ]
    ```

    **Arguments:**

    - `x`: points `(..., d)`, `d` 1, 2 or 3, from the middle of the Gaussian [length].
    - `t`: time, not negative; broadcasts against the points.
    - `mass`: of all cells.
    - `std`: initial standard deviation per coordinate, positive [length].
    - `mobility`: positive [length^2 / time].
    - `signal`: the initial food, a number or a function that maps points `(..., d)` to values `(...)`. Default 1.

    **Returns:** `(rho, c)`.

    **Raises:** `ValueError` for more than three dimensions.
    """
    ndim = x.shape[-1]
    if ndim not in (1, 2, 3):
        raise ValueError(f"`x` must have 1, 2 or 3 coordinates, got {ndim}.")
    square = jnp.sum(x**2, axis=-1)
    s0, s = jnp.asarray(std, square.dtype), jnp.sqrt(std**2 + 2 * mobility * jnp.asarray(t))
    rho = mass * jnp.exp(-0.5 * square / s**2) / (2 * math.pi * s**2) ** (ndim / 2)
    # r itself has no derivative at the origin; where it does not matter, any positive number will do for it.
    tiny = square < 1e-16 * s0**2
    r = jnp.sqrt(jnp.where(tiny, s0**2, square))
    if ndim == 1:

        def q(width: Array) -> Array:
            far = r * math.sqrt(math.pi / 2) * erf(r / (math.sqrt(2) * width))
            return width * jnp.exp(-0.5 * square / width**2) + jnp.where(tiny, 0.0, far)

        exposure = mass / (mobility * math.sqrt(2 * math.pi)) * (q(s) - q(s0))
    elif ndim == 2:
        exposure = mass / (4 * math.pi * mobility) * _exponential_integral_difference(square, s0, s)
    else:
        middle = math.sqrt(2 / math.pi) * (1 / s0 - 1 / s)
        away = (erf(r / (math.sqrt(2) * s0)) - erf(r / (math.sqrt(2) * s))) / r
        exposure = mass / (4 * math.pi * mobility) * jnp.where(tiny, middle, away)
    food = signal(x) if callable(signal) else signal
    return rho, food * jnp.exp(-exposure)


def plane_wave(
    x: Float[ArrayLike, "..."] | float,
    t: Real = 0.0,
    *,
    mobility: Real,
    sensitivity: Real,
    speed: Real,
    ahead: Real,
) -> Pair:
    """The plane wave of the linear law, `potential(c) = sensitivity c`; unbounded far behind, so for bounded intervals.

    ```
    z = x - speed t,     E1(sensitivity c / mobility) = E1(sensitivity ahead / mobility) + exp(-speed z / mobility)
    rho = (speed^2 / mobility) exp( (sensitivity c - speed z) / mobility )
    ```

    **Arguments:**

    - `x`: coordinate along the wave [length]; in 2D and 3D, one of them.
    - `t`: time; broadcasts against `x`. Default 0.
    - `mobility`, `sensitivity`: mu and chi, positive; `sensitivity ahead / mobility` up to about 30.
    - `speed`: of the wave, positive [length / time].
    - `ahead`: the food far ahead of it, positive.

    **Returns:** `(rho, c)`.

    **Source:** derived by a first integral of the wave; the tests check its residual.
    """
    z = jnp.asarray(x, float) - speed * jnp.asarray(t, float)
    k = sensitivity / mobility
    least = exponential_integral(jnp.asarray(k * ahead, float))
    c = _inverse_exponential_integral(least + jnp.exp(-speed * z / mobility)) / k
    return speed**2 / mobility * jnp.exp((sensitivity * c - speed * z) / mobility), c


def logarithmic_wave(
    x: Float[ArrayLike, "..."] | float,
    t: Real = 0.0,
    *,
    mobility: Real,
    sensitivity: Real,
    behind: Real,
    ahead: Real,
    consumption: Real = 1.0,
) -> Pair:
    """The front of cells that climb `potential(c) = sensitivity ln c` and eat what they climb: bounded and smooth.

    ```
    z = x - s t,     s = sqrt(sensitivity consumption behind)
    rho = behind / (1 + exp(s z / mobility)),     c = ahead (1 + exp(-s z / mobility))^(-mobility / sensitivity)
    ```

    **Arguments:**

    - `x`: coordinate along the wave [length].
    - `t`: time; broadcasts against `x`. Default 0.
    - `mobility`, `sensitivity`: D and chi, positive [length^2 / time].
    - `behind`: density far behind the front, positive.
    - `ahead`: food far ahead of it, positive.
    - `consumption`: food eaten per cell and time, positive. Default 1.

    **Returns:** `(rho, c)`.

    **Source:** Levine and Sleeman (1997) for the model; derived as above; the tests check its residual.
    """
    s = jnp.sqrt(sensitivity * consumption * behind)
    phase = s * (jnp.asarray(x, float) - s * jnp.asarray(t, float)) / mobility
    return behind * jax.nn.sigmoid(-phase), ahead * jnp.exp(-mobility / sensitivity * jax.nn.softplus(-phase))


def _exponential_integral_difference(square: Array, s0: Array, s: Array) -> Array:
    """`E1(square / 2 s^2) - E1(square / 2 s0^2)`, also at the origin where each of them is infinite."""
    a, b = 0.5 * square / s**2, 0.5 * square / s0**2
    near = b < 1
    inside = 2 * jnp.log(s / s0) + entire_exponential_integral(jnp.where(near, a, 0.0))
    inside = inside - entire_exponential_integral(jnp.where(near, b, 0.0))
    outside = exponential_integral(jnp.where(near, 1.0, a)) - exponential_integral(jnp.where(near, 1.0, b))
    return jnp.where(near, inside, outside)


def _inverse_exponential_integral(value: Array) -> Array:
    """The `x` with `E1(x) = value`, by Newton's method for `ln x`, in which E1 is convex and falls."""

    def improve(log_x: Array, target: Array) -> Array:
        x = jnp.exp(log_x)
        return log_x + jnp.exp(x) * (exponential_integral(x) - target)

    fixed = jax.lax.stop_gradient(value)
    # From below the root Newton's method never overshoots. These are below it, as E1(x) is larger than -gamma - ln x
    # and than exp(-x) / (1 + x).
    size = jnp.maximum(-jnp.log(fixed), 0.0)
    start = jnp.maximum(-np.euler_gamma - fixed, jnp.log(size - jnp.log1p(size)))
    log_root = jax.lax.fori_loop(0, 6, lambda i, log_x: improve(log_x, fixed), start)
    # One more step, which alone is differentiated: at the root its derivative is that of the inverse function.
    return jnp.exp(improve(jax.lax.stop_gradient(log_root), value))


def travelling_band(
    x: Real,
    t: Real,
    *,
    mobility: Real,
    sensitivity: Real,
    consumption: Real,
    cells: Real,
    ahead: Real,
) -> Pair:
    """The travelling band of Keller and Segel (1971), for cells that consume at a constant rate (`Uptake` with half 0).

    ```
    rho_t = mobility rho_xx - sensitivity (rho (ln c)_x)_x,      c_t = - consumption rho
    c   = ahead (1 + E)^(-1/(a-1)),        E = exp(-v z / mobility),   z = x - v t,   v = consumption cells / ahead
    rho = ahead v^2 / (consumption mobility (a-1)) E (1 + E)^(-a/(a-1)),               a = sensitivity / mobility
    ```

    **Arguments:**

    - `x`, `t`: position, from where `E = 1` at time 0, and time; they broadcast.
    - `mobility`, `sensitivity`: of the cells; the sensitivity must be the larger one [length^2 / time].
    - `consumption`: of the signal per cell and time.
    - `cells`: in the band per area [mass / length^(d-1)].
    - `ahead`: the signal far ahead, positive [concentration].

    **Returns:** `(rho, c)`.

    **Source:** Keller and Segel, J. theor. Biol. 30 (1971) 235.
    """
    speed = consumption * cells / ahead
    log_e = -speed * (x - speed * jnp.asarray(t)) / mobility
    more = jnp.logaddexp(0.0, log_e)  # ln(1 + E), which must not overflow far behind
    ratio = sensitivity / mobility
    height = ahead * speed**2 / (consumption * mobility * (ratio - 1))
    # One exponential for both factors: apart, far behind, the first overflows and the second vanishes.
    return height * jnp.exp(log_e - ratio / (ratio - 1) * more), ahead * jnp.exp(-more / (ratio - 1))


def phenotype_band(
    x: Real,
    t: Real,
    *,
    mobilities: Sequence[Real],
    ratio: Real,
    consumption: Real,
    speed: Real,
    ahead: Real,
    phases: Sequence[Real],
    offset: Real = 0.0,
) -> tuple[list[Float[Array, "..."]], Float[Array, "..."]]:
    """A travelling band of several phenotypes whose sensitivities are all `ratio` times their mobilities.

    ```
    c + offset = (ahead + offset) (1 + sum_i E_i)^(-1/(ratio-1)),      E_i = exp(-speed (x - speed t - phase_i) / mob_i)
    rho_i = (ahead + offset) speed^2 / (consumption (ratio-1) mob_i) E_i (1 + sum_j E_j)^(-ratio/(ratio-1))
    ```

    The phenotypes with the larger mobility lead. With an offset it holds ahead of the point where `c = 0`. With one
    phenotype, phase 0 and no offset it is `travelling_band`.

    **Arguments:**

    - `x`, `t`: position and time; they broadcast.
    - `mobilities`: of each phenotype [length^2 / time].
    - `ratio`: of sensitivity and mobility, larger than 1.
    - `consumption`: of the signal per cell and time, the same for all.
    - `speed`: of the band, `consumption` times all its cells per area over `ahead + offset` [length / time].
    - `ahead`: the signal far ahead, positive [concentration].
    - `phases`: where each `E_i = 1` at time 0: they set how many cells of each kind there are [length].
    - `offset`: concentration below which cells sense no ratio. Default 0.

    **Returns:** `([rho_1, ...], c)`.

    **Raises:** `ValueError` if there are not as many `phases` as `mobilities`.

    **Source:** Fu et al., Nature Communications 9 (2018) 2177; here from the equations.
    """
    z = x - speed * jnp.asarray(t)
    logs = [-speed * (z - phase) / mobility for mobility, phase in zip(mobilities, phases, strict=True)]
    more = jnp.logaddexp(0.0, jax.nn.logsumexp(jnp.stack(jnp.broadcast_arrays(*logs)), axis=0))
    height = (ahead + offset) * speed**2 / (consumption * (ratio - 1))
    densities = [
        height / mobility * jnp.exp(log - ratio / (ratio - 1) * more)
        for mobility, log in zip(mobilities, logs, strict=True)
    ]
    return densities, (ahead + offset) * jnp.exp(-more / (ratio - 1)) - offset


def barenblatt(
    x: Float[Array, "*batch d"], t: Real, *, mobility: Real, power: Real, mass: Real
) -> Float[Array, "*batch"]:
    """A population that spreads by pushing from a point, `d_t rho = div(mobility rho^power grad rho)`: `PowerLaw`.

    `rho = t^-a (C - k |x|^2 t^(-2a/d))^(1/power)` where that is positive, and zero beyond:  `a = d / (d power + 2)`,
    `k = a power / (2 d mobility)`, and C from the mass.

    **Arguments:**

    - `x`: points `(..., d)` [length]; `t`: time since all was in one point, positive; it broadcasts with the points.
    - `mobility`: at density 1 [length^2 / time]; `power`: positive [dimensionless]; `mass`: of the population.

    **Returns:** the density at the points.

    **Source:** Barenblatt (1952); Vazquez, The Porous Medium Equation (2007).
    """
    d = x.shape[-1]
    a = d / (d * power + 2)
    k = a * power / (2 * d * mobility)
    # int (C - k r^2)^(1/n) = pi^(d/2) Gamma(1 + 1/n) / Gamma(1 + 1/n + d/2) C^(1/n + d/2) k^(-d/2)
    n = 1 / jnp.asarray(power, float)
    ball = math.pi ** (d / 2) * jnp.exp(gammaln(1 + n) - gammaln(1 + n + d / 2)) * k ** (-d / 2)
    level = (mass / ball) ** (1 / (n + d / 2))
    left = level - k * jnp.sum(x**2, axis=-1) * t ** (-2 * a / d)
    return t**-a * jnp.where(left > 0, jnp.where(left > 0, left, 1) ** n, 0)
