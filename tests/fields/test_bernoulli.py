import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxchemo.fields import bernoulli, bernoulli_pair

anything = st.floats(-1e4, 1e4, allow_subnormal=False)


def reference(w):
    w = np.asarray(w, np.float64)
    safe = np.where(w == 0, 1.0, w)
    with np.errstate(over="ignore"):
        return np.where(w == 0, 1.0, safe / np.expm1(safe))


def sample(dtype):
    """Everywhere, where |w| is of order one, and very near zero."""
    rng = np.random.default_rng(0)
    sign = rng.choice([-1, 1], 2000)
    return np.concatenate(
        [
            rng.uniform(-80, 80, 20_000),
            rng.uniform(-2, 2, 20_000),
            sign * 10.0 ** rng.uniform(-30, 0, 2000),
            [0.0, -0.0],
        ]
    ).astype(dtype)


@pytest.mark.parametrize("dtype, tolerance", [(jnp.bfloat16, 8e-3), (np.float32, 5e-7), (np.float64, 2e-15)])
def test_relative_error(dtype, tolerance):
    w = sample(dtype)
    down, up = jax.jit(bernoulli_pair)(jnp.asarray(w))
    assert down.dtype == up.dtype == dtype
    np.testing.assert_allclose(np.asarray(down, np.float64), reference(w), rtol=tolerance)
    np.testing.assert_allclose(np.asarray(up, np.float64), reference(-w.astype(np.float64)), rtol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_jumps(dtype):
    """Range reduction leaves no seams: over [0, 2] the function may only fall, up to round-off."""
    w = np.linspace(0, 2, 200_001).astype(dtype)
    steps = np.diff(np.asarray(bernoulli(jnp.asarray(w)), np.float64))
    assert steps.max() < 4 * np.finfo(dtype).eps


@given(w=anything)
def test_the_pair_is_the_function_at_both_signs(w):
    down, up = bernoulli_pair(jnp.array(w))
    assert down > 0 and up > 0
    assert float(down) == float(bernoulli(jnp.array(w)))
    assert float(up) == float(bernoulli(jnp.array(-w)))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(w=anything)
def test_derivatives_are_finite_everywhere(dtype, w):
    w = jnp.array(w, dtype)
    slope = jax.grad(bernoulli)
    assert -1 <= slope(w) <= 0
    assert 0 <= jax.grad(slope)(w) <= 0.17


@pytest.mark.parametrize("w", [0.0, 1e-3, -0.5, 0.74, 0.76, -3.0, 30.0, -200.0])
def test_derivatives_are_right(w):
    # B' = B(w) (1 - B(-w)) / w, and B is convex with B(0) = 1, B'(0) = -1/2, B''(0) = 1/6.
    derivative = float(jax.grad(bernoulli)(jnp.array(w)))
    second = float(jax.grad(jax.grad(bernoulli))(jnp.array(w)))
    h = 1e-4
    assert derivative == pytest.approx((reference(w + h) - reference(w - h)) / (2 * h), abs=1e-8)
    assert second == pytest.approx((reference(w + h) - 2 * reference(w) + reference(w - h)) / h**2, abs=1e-6)


@pytest.mark.parametrize("w", [1e10, -1e10, 1e30, -1e30])
def test_no_overflow_in_single_precision(w):
    value, slope = jax.value_and_grad(bernoulli)(jnp.array(w, jnp.float32))
    assert float(value) == pytest.approx(max(-w, 0.0))
    assert float(slope) == pytest.approx(-1.0 if w < 0 else 0.0)
