"""Cosine transforms: those of scipy, for every length, along every axis, in both precisions, and differentiable."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
from hypothesis import given
from hypothesis import strategies as st

from jaxchemo.fields.cosine import cosine, inverse_cosine


@functools.partial(jax.jit, static_argnums=1)
def both(field, axis):
    return cosine(field, axis), inverse_cosine(field, axis)


@pytest.mark.slow
@given(st.integers(1, 17), st.integers(0, 2))
def test_they_are_those_of_scipy(n, axis):
    shape = [3, 2, 4]
    shape[axis] = n
    field = np.random.default_rng(n).normal(size=shape)
    there, back = both(field, axis)
    np.testing.assert_allclose(there, scipy.fft.dct(field, axis=axis), atol=1e-13)
    np.testing.assert_allclose(back, scipy.fft.idct(field, axis=axis), atol=1e-13)


@pytest.mark.parametrize("n", [8, 9])
def test_single_precision_stays_single(n):
    field = jnp.asarray(np.random.default_rng(n).normal(size=n), jnp.float32)
    back = inverse_cosine(cosine(field, 0), 0)
    assert back.dtype == jnp.float32
    np.testing.assert_allclose(back, field, atol=1e-6)


def test_the_transpose_of_the_gradient_is_a_cosine_transform_too():
    n = 6
    matrix = jax.jacrev(lambda field: cosine(field, 0))(jnp.zeros(n))
    k, j = np.mgrid[:n, :n]
    np.testing.assert_allclose(matrix, 2 * np.cos(np.pi * k * (2 * j + 1) / (2 * n)), atol=1e-13)
