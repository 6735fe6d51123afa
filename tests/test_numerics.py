import decimal
import math
from decimal import Decimal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo._numerics import cut, entire_exponential_integral, exponential_integral, mean_exponential, phi

PRECISIONS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(autouse=True)
def fifty_digits():
    with decimal.localcontext(prec=50):
        yield


def everywhere(dtype, sign):
    """Zero, its neighbourhood, both sides of one where series end, and far away."""
    sizes = np.concatenate([[1e-30, 1e-12], np.logspace(-8, 1.3, 40), [np.nextafter(1.0, 0.0), 1.0]])
    return np.concatenate([[0.0], sizes, sign * sizes]).astype(dtype)


def exact_phi(z, k):
    """By its series, in decimal numbers of so many digits that nothing is lost."""
    z, total, term = Decimal(float(z)), Decimal(0), 1 / Decimal(math.factorial(k))
    for n in range(1, 150):
        total, term = total + term, term * z / (n + k)
    return total


def exact_entire_exponential_integral(x):
    x, total, term = Decimal(float(x)), Decimal(0), Decimal(-1)
    for n in range(1, 150):
        term *= -x / n
        total += term / n
    return total


def exact_exponential_integral(x):
    gamma = Decimal("0.57721566490153286060651209008240243104215933593992")
    return exact_entire_exponential_integral(x) - gamma - Decimal(float(x)).ln()


def check(found, exact, units):
    """That numbers are right to some units of round-off of their dtype."""
    expected = np.array([float(one) for one in exact])
    np.testing.assert_allclose(np.asarray(found, float), expected, rtol=units * np.finfo(found.dtype).eps, atol=1e-36)


@PRECISIONS
@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_phi(dtype, k):
    z = everywhere(dtype, -1)
    values, slopes = jax.vmap(jax.value_and_grad(lambda z: phi(z, k)[k]))(jnp.array(z))
    assert values.dtype == slopes.dtype == dtype
    exact = [exact_phi(one, k) for one in z]
    check(values, exact, 40)
    # The derivative of the series: of phi_k it is phi_k - k phi_{k+1}.
    check(slopes, [value - k * exact_phi(one, k + 1) for value, one in zip(exact, z, strict=True)], 80)


def test_phi_far_from_zero():
    z = -np.logspace(-12, 4, 200)

    def exact(k, z):
        z = Decimal(z)
        return float((z.exp() - sum(z**n / math.factorial(n) for n in range(k))) / z**k)

    with decimal.localcontext(prec=90):
        for k, found in enumerate(phi(jnp.array(z), 3)):
            np.testing.assert_allclose(found, [exact(k, float(one)) for one in z], rtol=1e-13, atol=1e-300)
    assert [float(found[0]) for found in phi(jnp.zeros(1), 3)] == [1, 1, 1 / 2, 1 / 6]


@PRECISIONS
def test_mean_exponential(dtype):
    z = everywhere(dtype, -1)
    values, slopes = jax.vmap(jax.value_and_grad(mean_exponential))(jnp.array(z))
    check(values, [exact_phi(-one, 1) for one in z], 4)
    check(slopes, [exact_phi(-one, 2) - exact_phi(-one, 1) for one in z], 16)
    second = jax.grad(jax.grad(mean_exponential))
    assert float(second(jnp.zeros((), dtype))) == pytest.approx(1 / 3, rel=1e-6)
    far = jnp.array([200.0, 1e30], dtype)
    np.testing.assert_allclose(mean_exponential(far), 1 / far, rtol=1e-6)
    assert np.all(np.isfinite(jax.vmap(jax.grad(mean_exponential))(far)))


@PRECISIONS
def test_exponential_integral(dtype):
    x = np.concatenate([np.logspace(-12, 1.5, 80), [np.nextafter(dtype(1), dtype(0)), 1.0]]).astype(dtype)
    values, slopes = jax.vmap(jax.value_and_grad(exponential_integral))(jnp.array(x))
    assert values.dtype == slopes.dtype == dtype
    check(values, [exact_exponential_integral(one) for one in x], 16)
    check(slopes, [-Decimal(float(-one)).exp() / Decimal(float(one)) for one in x], 4)


@PRECISIONS
def test_exponential_integral_without_its_pole(dtype):
    x = np.concatenate([[0.0], np.logspace(-12, 0, 60)]).astype(dtype)
    values, slopes = jax.vmap(jax.value_and_grad(entire_exponential_integral))(jnp.array(x))
    check(values, [exact_entire_exponential_integral(one) for one in x], 4)
    check(slopes, [exact_phi(-one, 1) for one in x], 4)


def test_cuts_are_those_of_numpy():
    array = np.arange(60).reshape(3, 4, 5)
    np.testing.assert_array_equal(cut(jnp.array(array), 0, 1, None), array[1:])
    np.testing.assert_array_equal(cut(jnp.array(array), 1, None, -1), array[:, :-1])
    np.testing.assert_array_equal(cut(jnp.array(array), 2, 1, None, 2), array[:, :, 1::2])
