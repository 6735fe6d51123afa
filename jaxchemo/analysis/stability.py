"""Linear stability of uniform states, from a model's own terms: growth rates, patterns, critical parameters."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxchemo import _checks
from jaxchemo._show import called
from jaxchemo.models import Model

State = Mapping[str, ArrayLike]


def linearised(model: Model, state: State, k: ArrayLike) -> Float[Array, "n n"]:
    """The matrix `A` of `d_t w = A w` for waves `w exp(i k x)` about a uniform state, densities first.

    Signals that follow the densities at once are eliminated: what is left has an equation in time.
    In a fluid that flows evenly (`advection`), the waves are those in the frame that moves with it.

    **Arguments:**

    - `model`: the physics.
    - `state`: the density of each species and the concentration of each signal, by name. It must be steady for the
      growth rates to mean what they say; see `uniform_state`.
    - `k`: wavenumber [1 / length].

    **Returns:** `A` [1 / time], with a row and a column for each equation in time.

    **Raises:** `ValueError` if the state lacks a name, or has one too many; where the fluid flows faster at one place
    than at another, which stretches waves, or a number changes in time, so that none grows at one rate.
    """
    _check_fluid(model, lambda slopes: slopes, "flows faster here than there, which leaves no wave its shape")
    _check_steady(model)
    names = [*model.species, *model.signals]
    if set(state) != set(names):
        raise ValueError(
            f"`state` must have a number for {_checks.listed(names)}, got {_checks.listed(sorted(state))}."
        )
    at = jnp.stack([jnp.asarray(state[name], float) for name in names])
    square = jnp.asarray(k) ** 2
    matrix = jax.jacfwd(lambda w: _reactions(model, names, w))(at)
    for i, species in enumerate(model.species.values()):
        matrix = matrix.at[i, i].add(-species.diffusivity(at[i]) * square)
        for signal, law in species.taxis.items():
            s, u = at[names.index(signal)], at[i]
            drift = law.strength(s, (jnp.zeros_like(s),))
            if law.response is not None:
                drift = drift * law.response(u)
            matrix = matrix.at[i, names.index(signal)].add(u * drift * square)
    for j, signal in enumerate(model.signals.values(), len(model.species)):
        if signal.diffusivity is not None:
            matrix = matrix.at[j, j].add(-signal.diffusivity * square)
    free = jnp.array([k for k, name in enumerate(names) if not _slaved(model, name)])
    slaved = jnp.array([k for k, name in enumerate(names) if _slaved(model, name)], int)
    reduced = matrix[free][:, free]
    if slaved.size:
        # Their rows are zero at every moment: the Schur complement leaves the equations of the others.
        follows = -jnp.linalg.solve(matrix[slaved][:, slaved], matrix[slaved][:, free])
        reduced = reduced + matrix[free][:, slaved] @ follows
    pace = jnp.stack([model.signals[n].paced(1.0) if n in model.signals else jnp.ones(()) for n in names])
    return reduced * pace[free][:, None]


def dispersion(model: Model, state: State, k: Float[ArrayLike, "*modes"]) -> Complex[Array, "*modes n"]:
    """Growth rates of waves about a uniform state, the fastest first [1 / time].

    Differentiable in the model and in the state.

    **Arguments:** those of `linearised`; `k` may be an array.

    **Returns:** for each wavenumber as many rates as there are equations in time, complex where a wave oscillates.

    **Raises:** as `linearised`.
    """

    return _dispersion(model, _numbers(state), jnp.asarray(k, float))


@eqx.filter_jit
def _dispersion(model: Model, state: dict[str, Array], k: Array) -> Array:
    def rates(wavenumber: Array) -> Array:
        values = _eigenvalues(linearised(model, state, wavenumber))
        return values[jnp.argsort(-values.real)]

    return jax.lax.map(rates, k.ravel()).reshape(*k.shape, -1)


def growth_rate(model: Model, state: State, k: ArrayLike) -> Float[Array, ""]:
    """Real part of the fastest growth rate at one wavenumber [1 / time]; arguments and errors as `linearised`."""
    return dispersion(model, state, jnp.asarray(k, float))[0].real


class Fastest(NamedTuple):
    """The wave that grows fastest: its `wavenumber` [1 / length] and growth `rate` [1 / time]."""

    wavenumber: Float[Array, ""]
    rate: Float[Array, ""]


def fastest(model: Model, state: State, longest: float = 1e3, shortest: float = 1e-2) -> Fastest:
    """The wave that grows fastest about a uniform state. Pure, and differentiable.

    **Arguments:**

    - `model`, `state`: as `linearised`.
    - `longest`, `shortest`: wavelengths between which it is looked for [length]. Defaults 1000 and 0.01.

    **Raises:** as `linearised`.
    """
    return _fastest(model, _numbers(state), jnp.log(2 * jnp.pi / jnp.array([longest, shortest], float)))


@eqx.filter_jit
def _fastest(model: Model, state: dict[str, Array], bounds: Array) -> Fastest:
    def rate(log_k: Array) -> Array:
        return growth_rate(model, state, jnp.exp(log_k))

    constants = _without_derivatives((model, state))
    low, high = bounds
    for _ in range(6):  # each look narrows the interval twentyfold
        points = jnp.linspace(low, high, 41)
        rates = dispersion(constants[0], constants[1], jnp.exp(points))[:, 0].real
        best = jnp.argmax(rates)
        low, high = points[jnp.maximum(best - 1, 0)], points[jnp.minimum(best + 1, 40)]
    at = jax.lax.stop_gradient(0.5 * (low + high))
    inside = (at > bounds[0] + 1e-3) & (at < bounds[1] - 1e-3)
    # One Newton step, whose derivative is that of the maximum by the implicit function theorem. By differences, because
    # eigenvalues have first derivatives only.
    h = float(jnp.finfo(at.dtype).eps) ** 0.25
    below, middle, above = rate(at - h), rate(at), rate(at + h)
    curvature = jax.lax.stop_gradient(above - 2 * middle + below) / h**2
    step = (above - below) / (2 * h) / jnp.where(curvature < 0, curvature, -1)
    at = at - jnp.where(inside & (curvature < 0), step, 0)
    return Fastest(jnp.exp(at), rate(at))


def unstable_band(
    model: Model, state: State, longest: float = 1e3, shortest: float = 1e-2
) -> tuple[float, float] | None:
    """The lowest and the highest wavenumber that grow [1 / length]; `None` where none does.

    **Arguments:** those of `fastest`; a band that reaches beyond `longest` or `shortest` ends there.

    **Raises:** as `linearised`.
    """
    from scipy.optimize import brentq

    peak = fastest(model, state, longest, shortest)
    if not float(peak.rate) > 0:
        return None

    def edge(outer: float) -> float:
        def rate(k: float) -> float:
            return float(growth_rate(model, state, k))

        inner = float(peak.wavenumber)
        if rate(outer) > 0:
            return outer
        root: Any = brentq(rate, min(inner, outer), max(inner, outer))
        return root

    return edge(2 * jnp.pi / longest), edge(2 * jnp.pi / shortest)


def critical_value(
    build: Callable[[Array], tuple[Model, State]],
    low: float,
    high: float,
    longest: float = 1e3,
    shortest: float = 1e-2,
) -> Float[Array, ""]:
    """The value of a parameter at which a uniform state loses its stability.

    Pure: its derivative in everything that `build` closes over is that of the implicit function theorem.

    **Arguments:**

    - `build`: from the parameter to a model and a uniform state of it.
    - `low`, `high`: values with a stable and an unstable state, in either order.
    - `longest`, `shortest`: as `fastest`.

    **Returns:** the value; NaN where both ends are stable, or both unstable.

    **Raises:** as `linearised`.
    """

    def margin(value: Array) -> Array:
        return fastest(*build(value), longest, shortest).rate

    ends = jnp.asarray(low, float), jnp.asarray(high, float)
    first = margin(ends[0])

    def halve(_, bracket):
        a, b = bracket
        middle = 0.5 * (a + b)
        same = (margin(middle) > 0) == (first > 0)
        return jnp.where(same, middle, a), jnp.where(same, b, middle)

    a, b = jax.lax.stop_gradient(jax.lax.fori_loop(0, 40, halve, ends))
    root = 0.5 * (a + b)
    # Bisection has no derivative. One Newton step from its end has that of the implicit function theorem.
    slope = jax.lax.stop_gradient(jax.grad(margin)(root))
    root = root - margin(root) / slope
    return jnp.where((first > 0) == (margin(ends[1]) > 0), jnp.nan, root)


def uniform_state(model: Model, guess: State) -> dict[str, Array]:
    """The uniform steady state next to a guess: densities without growth keep theirs, all else comes to rest.

    **Arguments:**

    - `model`: the physics.
    - `guess`: the density of each species and the concentration of each signal, by name.

    **Returns:** a number by name. Differentiable in the model and in the densities that are kept.

    **Raises:** an error of the root finder where there is none near; `ValueError` for a guess of other names, and where
    the fluid is compressed, which leaves no state uniform, or a number changes in time.
    """
    import optimistix

    _check_fluid(
        model, lambda slopes: jnp.trace(slopes, axis1=1, axis2=2), "is compressed somewhere, so no state stays uniform"
    )
    _check_steady(model)
    names = [*model.species, *model.signals]
    if set(guess) != set(names):
        raise ValueError(f"`guess` must have a number for {_checks.listed(names)}, got {_checks.listed(guess)}.")
    kept = {name: guess[name] for name, species in model.species.items() if species.growth is None}
    sought = {name: jnp.asarray(value, float) for name, value in guess.items() if name not in kept}

    def residual(sought, args):
        model, kept = args
        everything = jnp.stack([jnp.asarray((sought | kept)[name], float) for name in names])
        return {
            name: rate for name, rate in zip(names, _reactions(model, names, everything), strict=True) if name in sought
        }

    solver = optimistix.Newton(rtol=1e-12, atol=1e-12)
    solved = optimistix.root_find(residual, solver, sought, (model, kept)).value if sought else {}
    return {name: jnp.asarray((solved | kept)[name], float) for name in names}


def _numbers(state: State) -> dict[str, Array]:
    return {name: jnp.asarray(value, float) for name, value in state.items()}


def _reactions(model: Model, names: list[str], w: Array) -> Array:
    """Growth of the densities and kinetics of the signals of a uniform state."""
    values = dict(zip(names, w, strict=True))
    density = {name: values[name] for name in model.species}
    signal = {name: values[name] for name in model.signals}
    rates = []
    for name, species in model.species.items():
        u = density[name]
        rates.append(jnp.zeros_like(u) if species.growth is None else u * species.growth.rate(u, signal))
    for name, law in model.signals.items():
        gain, loss = law.gain_and_loss(density, signal, name)
        rates.append(jnp.asarray(gain - loss * signal[name], w.dtype))
    return jnp.stack(rates)


def _eigenvalues(matrix: Float[Array, "n n"]) -> Complex[Array, " n"]:
    """Eigenvalues with their first derivatives, by perturbation theory: JAX has none for matrices without symmetry."""
    fixed = jax.lax.stop_gradient(matrix)
    values, left, right = jax.lax.linalg.eig(fixed)
    change = left.conj().T @ (matrix - fixed) @ right
    overlap = jnp.sum(left.conj() * right, axis=0)
    return values + jnp.diag(change) / overlap


def _slaved(model: Model, name: str) -> bool:
    return name in model.signals and model.signals[name].slaved


def _without_derivatives(tree: Any) -> Any:
    """The same numbers, as constants; what is not an array, such as the function of a law, stays as it is."""
    numbers, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.lax.stop_gradient(numbers), rest)


def _check_steady(model: Model) -> None:
    """Refuses a model of which a number changes in time: no wave grows at one rate, and no state stays."""
    if model.changes:
        raise ValueError("`model` has numbers that change in time: `model.at(t)` has those of one time.")


def _check_fluid(model: Model, of: Callable[[Array], Array], what: str) -> None:
    """Refuses a fluid that is known to have a velocity gradient of which `of` does not vanish."""
    velocity = model.advection
    if velocity is None:
        return
    for ndim in (1, 2, 3):  # the function alone knows the dimension of its space
        points = np.random.default_rng(0).uniform(-3, 3, (64, ndim)).astype(jnp.result_type(float))
        try:
            if eqx.filter_eval_shape(velocity, points).shape != points.shape:
                continue
        except (TypeError, ValueError, IndexError):
            continue
        with jax.ensure_compile_time_eval():  # under jit too
            slopes = jax.vmap(jax.jacfwd(velocity))(jnp.asarray(points))
            largest, scale = (jnp.max(jnp.abs(array)) for array in (of(slopes), slopes))
        # A derivative that should vanish is left with the rounding of single precision.
        if _checks.is_concrete(largest) and float(largest) > 1e-4 * float(scale):
            raise ValueError(
                f"`model.advection` is a fluid, {called(velocity, 'v')}(x), that {what}: give the same model in a "
                "still one, Model(model.species, model.signals)."
            )
