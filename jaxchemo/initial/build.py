"""The functions that users call to build initial conditions, with their arguments checked."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from jaxchemo import _checks
from jaxchemo.initial.conditions import AbstractProfile
from jaxchemo.initial.gridded import FromArray, Particles, Perturbed
from jaxchemo.initial.profiles import Ball, Function, Gaussian, Mixture, Ring, Uniform
from jaxchemo.initial.sized import Size


def _one_of(mass: ArrayLike | None, amplitude: ArrayLike | None) -> Size:
    if (mass is None) == (amplitude is None):
        raise ValueError(f"Give exactly one of `mass` and `amplitude`, got mass={mass}, amplitude={amplitude}.")
    if mass is not None:
        return Size(_checks.positive("mass", mass), is_mass=True)
    return Size(_checks.non_negative("amplitude", amplitude), is_mass=False)


def gaussian(
    *,
    mass: ArrayLike | None = None,
    amplitude: ArrayLike | None = None,
    center: ArrayLike | Sequence[float] = 0.0,
    std: ArrayLike | Sequence[float],
) -> Gaussian:
    """A Gaussian bump. What a domain cuts off is not there: walls do not reflect it, periodic boxes do not wrap it.

    **Arguments:**

    - `mass` or `amplitude`: its integral over the whole space, or its height; exactly one. A `Problem` warns where the
      domain holds less than 99.9% of the mass.
    - `center`: middle [length]; one number for all coordinates, or one each. Default 0.
    - `std`: standard deviation per coordinate, positive [length]; one number, or one each.

    **Raises:** `ValueError` naming the argument at fault.

    >>> bump = jc.initial.gaussian(mass=1.0, center=(0.0, 0.5), std=0.1)
    >>> round(float(bump(jnp.array([0.0, 0.5]))), 2)  # its height, 1 / (2 pi std^2)
    15.92
    """
    std = _vector("std", std, _checks.positive)
    return Gaussian(_one_of(mass, amplitude), _vector("center", center), std)


def mixture(parts: Sequence[AbstractProfile]) -> Mixture:
    """The sum of several profiles: `mixture([gaussian(...), gaussian(...)])`.

    Each is cut by the domain as it is alone. Particles are shared out by the mass that is left in the domain.

    **Raises:** `ValueError` without any part; `TypeError` for a part that no formula gives.

    >>> two = jc.initial.mixture([jc.initial.gaussian(amplitude=h, std=0.1) for h in (1.0, 2.0)])
    >>> float(two(jnp.zeros(2)))
    3.0
    """
    parts, what = _checks.several("parts", parts, "initial condition"), "initial conditions given by formulas"
    known = [_checks.instance("parts", part, AbstractProfile, what) for part in parts]
    return Mixture(tuple(part for p in known for part in (p.parts if isinstance(p, Mixture) else (p,))))


def ring(
    *,
    mass: ArrayLike | None = None,
    amplitude: ArrayLike | None = None,
    center: ArrayLike | Sequence[float] = 0.0,
    radius: ArrayLike,
    width: ArrayLike,
    axis: int = 2,
) -> Ring:
    """A ring in 2D, or a torus tube in 3D, with a Gaussian cross-section; cut by the domain as a `gaussian` is.

    **Arguments:**

    - `mass` or `amplitude`: its integral over the whole space, or its height on the ring; exactly one.
    - `center`: middle of the ring [length]. Default 0.
    - `radius`: radius of the ring, positive [length].
    - `width`: standard deviation of the cross-section, positive [length].
    - `axis`: in 3D, the coordinate axis that the ring turns about. Default 2, the last.

    **Raises:** `ValueError` naming the argument at fault.
    """
    if _checks.natural("axis", axis, at_least=0) > 2:
        raise ValueError(f"`axis` must be 0, 1 or 2, got {axis}.")
    axis = int(axis)
    radius, width = _checks.positive("radius", radius), _checks.positive("width", width)
    return Ring(_one_of(mass, amplitude), _vector("center", center), radius, width, axis)


def ball(
    *,
    mass: ArrayLike | None = None,
    amplitude: ArrayLike | None = None,
    center: ArrayLike | Sequence[float] = 0.0,
    radius: ArrayLike,
) -> Ball:
    """A uniform ball (disk in 2D, interval in 1D); cut by the domain as a `gaussian` is.

    **Arguments:**

    - `mass` or `amplitude`: its integral over the whole space, or its value inside; exactly one. Where a domain cuts
      it, the cells at its edge know its mass to about a percent.
    - `center`: middle [length]. Default 0.
    - `radius`: positive [length]. On a grid the field has no gradient in it; as particles it does.

    **Raises:** `ValueError` naming the argument at fault.
    """
    return Ball(_one_of(mass, amplitude), _vector("center", center), _checks.positive("radius", radius))


def uniform(*, mass: ArrayLike | None = None, amplitude: ArrayLike | None = None) -> Uniform:
    """The same value everywhere.

    **Arguments:** `mass` over the whole box, or `amplitude`, the value; exactly one.

    **Raises:** `ValueError` unless exactly one of them is given, `mass` positive, `amplitude` not negative.
    """
    return Uniform(_one_of(mass, amplitude))


def perturbed(value: ArrayLike, noise: ArrayLike = 0.01, seed: int = 0) -> Perturbed:
    """A uniform field with noise: `value * (1 + noise * u)`, `u` uniform in (-1, 1), independent in each cell.

    **Arguments:**

    - `value`: the mean, non-negative [units of the field].
    - `noise`: relative size of the perturbation, between 0 and 1 [dimensionless]. Default 0.01.
    - `seed`: of the noise. Default 0.

    **Raises:** `ValueError` or `TypeError` if `value` or `seed` is negative, or `noise` not between 0 and 1.
    """
    relative = _checks.non_negative("noise", noise)
    noise = _checks.require("noise", relative, noise, lambda a: a <= 1, "be at most 1, or the field turns negative")
    return Perturbed(_checks.non_negative("value", value), noise, _checks.natural("seed", seed, at_least=0))


def function(f: Callable[[Array], Array]) -> Function:
    """A function `f` that maps points `(..., d)` to non-negative values `(...)`, written with `jax.numpy`.

    Its mass is its integral over the domain. On periodic axes it is taken as it is, from wall to wall.

    **Raises:** `TypeError` if `f` is not a function. `Problem` refuses values that are negative or not finite.

    >>> jc.initial.function(lambda x: 1 + x[..., 0]).on_grid(jc.Grid.box(0.0, 1.0, shape=2)).round(2).tolist()
    [1.25, 1.75]
    """
    if not callable(f):
        raise TypeError(f"`f` must be a function of points (..., d), got {f!r}.")
    return Function(f)


def array(values: ArrayLike) -> FromArray:
    """Cell values `values` of the grid's shape, finite and non-negative.

    **Raises:** `ValueError` or `TypeError` unless all are finite numbers; `Problem` refuses what else does not fit.
    """
    return FromArray(_checks.real("values", values, arrays=True))


def particles(positions: ArrayLike, mass: ArrayLike = 1.0) -> Particles:
    """Particles at `positions` `(n, d)` [length] that share `mass` equally; on a grid, their histogram.

    **Raises:** `ValueError` unless `positions` are finite and `(n, d)`, with `n` at least 1, and `mass` is positive.

    >>> jc.initial.particles([[0.1], [0.2], [0.7]], mass=3.0).on_grid(jc.Grid.box(0.0, 1.0, shape=2)).tolist()
    [4.0, 2.0]
    """
    positions = _checks.real("positions", positions, arrays=True)
    if positions.ndim != 2:
        raise ValueError(f"`positions` must have shape (n, d), got {positions.shape}.")
    if not positions.size:
        raise ValueError(f"`positions` must hold at least one particle, got the shape {positions.shape}.")
    return Particles(positions, _checks.positive("mass", mass))


def _vector(name: str, value: ArrayLike | Sequence[float], check: Callable[..., Array] = _checks.real) -> Array:
    """One number for all coordinates, or one each."""
    if isinstance(value, tuple | list) and value:
        return jnp.stack([jnp.asarray(check(name, component), float) for component in value])
    vector = check(name, value, arrays=True)
    if vector.ndim > 1 or not vector.size:
        raise ValueError(f"`{name}` must be one number, or one for each coordinate, got the shape {vector.shape}.")
    return vector
