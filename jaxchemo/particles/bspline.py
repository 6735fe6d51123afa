"""B-splines: the one family of kernels by which particles and grids see each other."""

import functools
import math
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks

ORDERS = (0, 1, 2, 3)


def checked(name: str, order: Any) -> int:
    """`order`, after a check that it is one of `ORDERS`.

    **Raises:** `TypeError` for what is no integer, `ValueError` for another order; both name the argument `name`.
    """
    if _checks.natural(name, order, at_least=0) not in ORDERS:
        raise ValueError(f"`{name}` must be 0, 1, 2 or 3, got {order}.")
    return int(order)


def weights(offset: Float[Array, " p"], order: int) -> tuple[Float[Array, " p"], ...]:
    """Values of the centred B-spline at the `order + 1` nearest cell centres.

    **Arguments:**

    - `offset`: distance [cells] from a centre to the particle: from the centre below it, in `[0, 1]`, for odd orders;
      from the nearest one, in `[-1/2, 1/2]`, for even orders.
    - `order`: 0 (box), 1 (linear, "cloud in cell"), 2 (quadratic) or 3 (cubic).

    **Returns:** `order + 1` arrays, lowest cell first; they sum to 1 [dimensionless].

    **Raises:** `ValueError` for another order.
    """
    t = offset
    if order == 0:
        return (t * 0 + 1,)
    if order == 1:
        return (1 - t, t)
    if order == 2:
        low, high = 0.5 - t, 0.5 + t
        return (0.5 * low * low, 0.75 - t * t, 0.5 * high * high)
    if order == 3:
        s = 1 - t
        ends = (s * s * s / 6, t * t * t / 6)
        return (ends[0], 2 / 3 - t * t * (1 - t / 2), 2 / 3 - s * s * (1 - s / 2), ends[1])
    raise ValueError(f"`order` must be one of {ORDERS}, got {order}.")


def derivatives(offset: Float[Array, " p"], order: int) -> tuple[Float[Array, " p"], ...]:
    """Derivatives of `weights` with respect to `offset` [1/cell]; they sum to 0. Zero for order 0.

    **Raises:** `ValueError` for another order.
    """
    t = offset
    if order == 0:
        return (t * 0,)
    if order == 1:
        return (t * 0 - 1, t * 0 + 1)
    if order == 2:
        return (t - 0.5, -2 * t, t + 0.5)
    if order == 3:
        s = 1 - t
        return (-0.5 * s * s, t * (1.5 * t - 2), s * (2 - 1.5 * s), 0.5 * t * t)
    raise ValueError(f"`order` must be one of {ORDERS}, got {order}.")


@functools.cache
def at_integers(order: int) -> np.ndarray:
    """The centred B-spline of any order at the integers `-n..n` of its support: `[1, 4, 1]/6` for the cubic.

    Computed in rational arithmetic from `B_m(x) = sum_j (-1)^j C(m+1, j) (x + (m+1)/2 - j)_+^m / m!`
    (Schoenberg 1946), so that the tables of high orders lose nothing.
    """
    reach = order // 2
    values = []
    for k in range(-reach, reach + 1):
        total = Fraction(0)
        for j in range(order + 2):
            distance = k + Fraction(order + 1, 2) - j
            if distance > 0:
                total += (-1) ** j * math.comb(order + 1, j) * distance**order
        values.append(float(total / math.factorial(order)))
    return np.array(values)
