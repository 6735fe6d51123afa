"""Exact solutions: the reference's numbers, the equations by finite differences, and the special functions."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special

from jaxchemo._numerics import exponential_integral
from jaxchemo.references import exact

LINEAR = {"mobility": 0.7, "sensitivity": 1.3, "speed": 0.9, "ahead": 1.0}
FRONT = {"mobility": 0.5, "sensitivity": 1.5, "behind": 1.2, "ahead": 2.0, "consumption": 0.8}


def residuals(solution, points, t, mobility, potential, consumption=1.0, h=1e-3):
    """Both equations at `points (n, d)` by central differences of fourth order, relative to their largest terms."""
    solution = jax.jit(solution)

    def derivative(f, x):
        return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)

    def divergence_at(x):
        def flux(axis, x):
            e = jnp.eye(x.shape[-1])[axis]
            along = lambda s: solution(x + s * e, t)  # noqa: E731
            slope = derivative(lambda s: along(s)[0], 0.0)
            return mobility * slope - along(0.0)[0] * derivative(lambda s: potential(along(s)[1]), 0.0)

        eye = jnp.eye(x.shape[-1])
        return sum(derivative(lambda s, a=a: flux(a, x + s * eye[a]), 0.0) for a in range(x.shape[-1]))

    rho, c = solution(points, t)
    rho_t = derivative(lambda s: solution(points, s)[0], t)
    c_t = derivative(lambda s: solution(points, s)[1], t)
    cells = np.abs(rho_t - divergence_at(points)) / np.max(np.abs(rho_t))
    food = np.abs(c_t + consumption * rho * c) / np.max(np.abs(c_t))
    return float(np.max(cells)), float(np.max(food))


def test_uniform():
    t = jnp.linspace(0, 2, 5)
    rho, c = exact.uniform(t, density=0.7, signal=2.0, consumption=1.5)
    np.testing.assert_array_equal(rho, np.full(5, 0.7))
    np.testing.assert_allclose(c, 2 * np.exp(-1.5 * 0.7 * np.linspace(0, 2, 5)), rtol=1e-15)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_gaussian_without_taxis_is_the_time_integral_of_its_density(ndim):
    numbers = {"mass": 1.7, "std": 0.4, "mobility": 0.3}
    r = np.array([0.0, 1e-9, 1e-3, 0.3, 0.62, 0.9, 2.0, 5.0])
    x = np.zeros((len(r), ndim))
    x[:, -1] = r
    solution = jax.jit(lambda x: exact.gaussian_without_taxis(x, 0.8, **numbers, signal=lambda x: 2.0 + x[..., -1]))
    rho, c = solution(jnp.array(x))

    def density(t, r):
        variance = 0.4**2 + 2 * 0.3 * t
        return 1.7 * np.exp(-(r**2) / (2 * variance)) / (2 * np.pi * variance) ** (ndim / 2)

    exposure = [scipy.integrate.quad(density, 0, 0.8, args=(ri,), epsabs=1e-15, epsrel=1e-13)[0] for ri in r]
    np.testing.assert_allclose(rho, density(0.8, r), rtol=1e-13)
    np.testing.assert_allclose(c, (2.0 + r) * np.exp(-np.array(exposure)), rtol=1e-13)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_gaussian_without_taxis_solves_the_equations(ndim):
    def solution(x, t):
        return exact.gaussian_without_taxis(
            x, t, mass=2.0, std=0.5, mobility=0.3, signal=lambda x: 1.5 + jnp.sin(x[..., 0])
        )

    points = jnp.array(np.random.default_rng(0).normal(size=(20, ndim)))
    assert max(residuals(solution, points, 0.4, 0.3, lambda c: 0 * c)) < 1e-8


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_gaussian_without_taxis_has_a_gradient_everywhere(ndim):
    @jax.jit
    def food(x):
        return exact.gaussian_without_taxis(x, 0.8, mass=1.7, std=0.4, mobility=0.3)[1]

    gradient = jax.jit(jax.grad(food))
    np.testing.assert_array_equal(gradient(jnp.zeros(ndim)), np.zeros(ndim))
    x = jnp.full(ndim, 0.3)
    for axis, slope in enumerate(gradient(x)):
        e = 1e-5 * jnp.eye(ndim)[axis]
        assert float(slope) == pytest.approx(float(food(x + e) - food(x - e)) / 2e-5, rel=1e-7)


def test_gaussian_without_taxis_refuses_four_dimensions():
    with pytest.raises(ValueError, match="`x` must have 1, 2 or 3 coordinates, got 4"):
        exact.gaussian_without_taxis(jnp.zeros((5, 4)), 1.0, mass=1.0, std=1.0, mobility=1.0)


# Amplitude, food; mass, m2/t, ln K; rows of y, C, N (mobility = sensitivity = 1).
SELF_SIMILAR = [
    (1.0, 1.0, 21.38662496, 5.104291, -1.60567830),
    (2.0, 1.0, 37.66454136, 5.264707, -2.41475699),
    (1.0, 0.5, 16.75072550, 4.508681, -1.94606796),
]
PROFILES = {
    0.25: [(0.012508, 0.996888), (0.000339, 1.969660), (0.008867, 0.993265)],
    0.5: [(0.049561, 0.987144), (0.004964, 1.888177), (0.034755, 0.972636)],
    1: [(0.190274, 0.942023), (0.059200, 1.652596), (0.127778, 0.884952)],
    2: [(0.617466, 0.682131), (0.427670, 1.128419), (0.357588, 0.526022)],
    3: [(0.913558, 0.262779), (0.840379, 0.488472), (0.472523, 0.169064)],
    4: [(0.989831, 0.049283), (0.979866, 0.097589), (0.496899, 0.030104)],
}


@pytest.mark.parametrize("row", range(3))
def test_self_similar_reproduces_the_reference(row):
    amplitude, food, mass, spread, log_K = SELF_SIMILAR[row]
    profile = exact.self_similar(amplitude, food)
    C, N = eqx.filter_jit(profile.C), eqx.filter_jit(profile.N)
    assert profile.mass == pytest.approx(mass, abs=6e-9)
    assert profile.spread == pytest.approx(spread, abs=6e-7)
    assert profile.log_K == pytest.approx(log_K, abs=6e-9)
    y = np.array(list(PROFILES))
    expected = np.array([PROFILES[key][row] for key in PROFILES])
    np.testing.assert_allclose(C(y), expected[:, 0], atol=6e-7)
    np.testing.assert_allclose(N(y), expected[:, 1], atol=6e-7)


def test_self_similar_solves_the_equations():
    """Other numbers than the reference's, mobility and sensitivity too."""
    profile = exact.self_similar(1.4, 0.8, mobility=0.6, sensitivity=1.7)
    solution = lambda x, t: (profile.density(x, t), profile.signal(x, t))  # noqa: E731
    points = jnp.array(np.random.default_rng(1).uniform(-2, 2, (30, 2)))
    assert max(residuals(solution, points, 1.3, 0.6, lambda c: 1.7 * c)) < 1e-7


def test_self_similar_mass_and_spread_are_those_of_its_profile():
    profile = exact.self_similar(1.4, 0.8, mobility=0.6, sensitivity=1.7)
    y = np.linspace(0, 20, 40_001)
    density = np.asarray(profile.N(y))
    mass = scipy.integrate.simpson(2 * np.pi * y * density, x=y)
    assert profile.mass == pytest.approx(mass, rel=1e-9)
    assert profile.spread == pytest.approx(scipy.integrate.simpson(2 * np.pi * y**3 * density, x=y) / mass, rel=1e-9)


@pytest.mark.slow
def test_self_similar_at_the_ends():
    profile = exact.self_similar(1.0, 1.0)
    assert float(profile.C(0.0)) == 0 and float(profile.N(0.0)) == 1.0
    assert float(profile.C(1e-12)) == pytest.approx(np.exp(profile.log_K) * 1e-24, rel=1e-9)
    assert float(profile.C(1e3)) == pytest.approx(1.0, abs=1e-10) and float(profile.N(1e3)) == 0
    slope = jax.grad(lambda x: profile.density(x, 1.0))(jnp.zeros(2))
    np.testing.assert_array_equal(slope, np.zeros(2))


@pytest.mark.parametrize("name", ["amplitude", "food", "mobility", "sensitivity"])
def test_self_similar_refuses(name):
    with pytest.raises(ValueError, match=f"`{name}` must be positive, got -1"):
        exact.self_similar(**({"amplitude": 1.0, "food": 1.0} | {name: -1.0}))


def test_plane_wave_reproduces_the_reference():
    rho, c = exact.plane_wave(jnp.array([0.0, 1.0, 3.0]), **LINEAR)
    np.testing.assert_allclose(c, [0.131985, 0.407462, 0.885826], atol=6e-7)
    np.testing.assert_allclose(rho, [1.478559, 0.681782, 0.126681], atol=6e-7)


def test_plane_wave_solves_the_equations():
    solution = lambda x, t: exact.plane_wave(x[..., 0], t, **LINEAR)  # noqa: E731
    points = jnp.linspace(-1.0, 5.0, 40)[:, None]
    assert max(residuals(solution, points, 0.3, 0.7, lambda c: 1.3 * c)) < 1e-8


def test_plane_wave_has_the_right_gradients():
    """Newton's iteration is not differentiated, its fixed point is."""

    @jax.jit
    def value(parameters):
        rho, c = exact.plane_wave(jnp.linspace(-1, 4, 7), 0.2, **dict(zip(LINEAR, parameters, strict=True)))
        return jnp.sum(jnp.sin(rho) + c**2)

    at = jnp.array(list(LINEAR.values()))
    for i, slope in enumerate(jax.jit(jax.grad(value))(at)):
        e = 1e-5 * jnp.eye(len(at))[i]
        assert float(slope) == pytest.approx(float(value(at + e) - value(at - e)) / 2e-5, rel=1e-7)


def test_logarithmic_wave_is_the_formula():
    z = np.linspace(-3, 3, 7)
    rho, c = exact.logarithmic_wave(jnp.array(z), 0.0, **FRONT)
    s = np.sqrt(1.5 * 0.8 * 1.2)
    np.testing.assert_allclose(rho, s**2 / (1.5 * 0.8) / (1 + np.exp(s * z / 0.5)), rtol=1e-14)
    np.testing.assert_allclose(c, 2.0 * (1 + np.exp(-s * z / 0.5)) ** (-0.5 / 1.5), rtol=1e-14)


def test_logarithmic_wave_solves_the_equations():
    solution = lambda x, t: exact.logarithmic_wave(x[..., 0], t, **FRONT)  # noqa: E731
    points = jnp.linspace(-3.0, 3.0, 40)[:, None]
    assert max(residuals(solution, points, 0.3, 0.5, lambda c: 1.5 * jnp.log(c), 0.8)) < 1e-8


def test_logarithmic_wave_does_not_overflow():
    rho, c = exact.logarithmic_wave(jnp.array([-1e5, 1e5]), 0.0, **FRONT)
    np.testing.assert_array_equal(rho, [1.2, 0.0])
    np.testing.assert_array_equal(c, [0.0, 2.0])


def test_waves_move():
    for wave, numbers, speed in (
        (exact.plane_wave, LINEAR, 0.9),
        (exact.logarithmic_wave, FRONT, np.sqrt(1.5 * 0.8 * 1.2)),
    ):
        x = jnp.linspace(0, 2, 5)
        at = jax.jit(functools.partial(wave, **numbers))
        for there, here in zip(at(x + speed * 0.7, 0.7), at(x, 0.0), strict=True):
            np.testing.assert_allclose(there, here, rtol=1e-12)


def test_exponential_integral():
    x = np.logspace(-12, 2.5, 2000)
    np.testing.assert_allclose(exponential_integral(jnp.array(x)), scipy.special.exp1(x), rtol=5e-14)
    back = exact._inverse_exponential_integral(jnp.array(scipy.special.exp1(x)))
    np.testing.assert_allclose(back, x, rtol=5e-14)


def test_self_similar_can_be_compiled():
    """As an initial condition and as a wall it is evaluated inside compiled code."""
    profile = exact.self_similar(1.0, 1.0)
    x = jnp.array([[0.3, -0.4], [1.0, 2.0]])
    np.testing.assert_allclose(jax.jit(lambda p, x: p.density(x, 2.0))(profile, x), profile.density(x, 2.0), rtol=1e-14)
