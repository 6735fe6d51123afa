"""Functions whose plain formulas lose their digits, and cuts of arrays: what schemes of every kind need."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped


def cut(
    array: Shaped[Array, "..."], axis: int, start: int | None, stop: int | None, step: int | None = None
) -> Shaped[Array, "..."]:
    """`array[start:stop:step]` along one axis, not counted from the end."""
    return array[(slice(None),) * axis + (slice(start, stop, step),)]


def phi(z: Float[Array, "*shape"], most: int) -> list[Float[Array, "*shape"]]:
    """The functions of exponential integrators, `phi_0 = exp` and `phi_k(z) = (phi_{k-1}(z) - 1/(k-1)!) / z`.

    **Arguments:**

    - `z`: of any sign and size, also zero [dimensionless].
    - `most`: k of the last function.

    **Returns:** `phi_0` to `phi_most`, right to round-off, with derivatives of every order.
    """
    # Up to |z| = 1 by their series, which has no quotient to cancel in a derivative; beyond, little cancels.
    small = jnp.abs(z) < 1
    near, far = jnp.where(small, z, 0), jnp.where(small, -1, z)
    terms = 20 if jnp.finfo(z.dtype).bits > 32 else 12
    values = [jnp.exp(z)]
    for k in range(1, most + 1):
        series = jnp.zeros_like(z)
        for n in reversed(range(terms)):
            series = series * near + 1 / math.factorial(n + k)
        values.append(jnp.where(small, series, (values[-1] - 1 / math.factorial(k - 1)) / far))
    return values


def mean_exponential(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`(1 - exp(-z)) / z`, the mean of `exp(-z s)` for s from 0 to 1; see `phi`."""
    return phi(-z, 1)[1]


# `x exp(x) E1(x)` for `x >= 1` as polynomials in `1 - 6 / (x + 2)`, which is between -1 and 1: interpolated between
# Chebyshev's points, with 80 digits, from the continued fraction of E1. They are right to 4e-16 and to 3e-8.
_TAIL = (
    0.8253825996042233,
    0.19036949703167028,
    -0.024300313654297693,
    0.010133650726294774,
    -0.0025078525716297597,
    0.0011289559895088738,
    -0.00033798582168924145,
    0.00016176781473154115,
    -5.219386331324312e-05,
    2.6534600651056657e-05,
    -8.722564463303483e-06,
    4.766371650778963e-06,
    -1.5199230186409375e-06,
    8.890715773399018e-07,
    -2.8456403267432337e-07,
    2.3632504815784711e-07,
    -1.9585121499443844e-08,
    -2.75743686997547e-08,
    -4.489338971788105e-08,
    6.855981083232386e-08,
    3.1295269544601924e-08,
    -2.8291138829579403e-08,
    -1.6280812153419734e-08,
    8.212966545980813e-09,
    3.983871892522027e-09,
)
_SHORT_TAIL = (
    0.8253825996042233,
    0.19036958900999884,
    -0.024300341085112327,
    0.010131829583801903,
    -0.0025073086879116124,
    0.0011388930332576137,
    -0.0003409641673204435,
    0.00014020668405728332,
    -4.568680954437231e-05,
    4.5790020002517e-05,
    -1.4614695665459935e-05,
)


@jax.custom_jvp
def exponential_integral(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`E1(x)`, the integral of `exp(-t) / t` over `t > x`, for positive `x` [dimensionless].

    Right to round-off. (That of `jax.scipy.special` takes minutes to compile, and a millisecond a number.)
    """
    small, large = jnp.where(x < 1, x, 1), jnp.where(x < 1, 1, x)
    near = entire_exponential_integral(small) - np.euler_gamma - jnp.log(small)
    tail = _polynomial(_TAIL if jnp.finfo(x.dtype).bits > 32 else _SHORT_TAIL, 1 - 6 / (large + 2))
    return jnp.where(x < 1, near, jnp.exp(-large) / large * tail)


exponential_integral.defjvps(lambda dx, value, x: -jnp.exp(-x) / x * dx)


def entire_exponential_integral(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`E1(x) + gamma + ln x`, which is smooth also at zero, for `0 <= x <= 1` [dimensionless]."""
    terms = 18 if jnp.finfo(x.dtype).bits > 32 else 10
    return x * _polynomial(tuple((-1) ** n / ((n + 1) * math.factorial(n + 1)) for n in range(terms)), x)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    total = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total
