"""Forces of blobs and of smooth densities, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import ndtri
from scipy.special import erf

from jaxchemo.initial import Sobol
from jaxchemo.particles.blobs import AlgebraicBlob, GaussianBlob, attraction
from jaxchemo.particles.mean_field import Debiased, Richardson


def enclosed(r, ndim, std=1.0):
    """The share of a Gaussian within a radius."""
    z = np.asarray(r) / std
    return 1 - np.exp(-(z**2) / 2) if ndim == 2 else erf(z / np.sqrt(2)) - np.sqrt(2 / np.pi) * z * np.exp(-(z**2) / 2)


def force(x, ndim, std=1.0):
    """`F * p` of a Gaussian: towards its middle, by what is within."""
    r = np.linalg.norm(x, axis=1, keepdims=True)
    return -x / r * enclosed(r, ndim, std) / ((2 * np.pi * r) if ndim == 2 else 4 * np.pi * r**2)


def normal(key, n, ndim):
    return ndtri(Sobol()(jax.random.key(key), n, ndim))


@pytest.mark.parametrize("ndim", [2, 3])
class TestBlobs:
    def test_a_gaussian_pulls_with_what_is_within(self, ndim):
        r = jnp.concatenate([jnp.array([1e-9, 1e-4]), jnp.linspace(0.01, 3, 200)])
        kernel = GaussianBlob(1.0).kernel(r**2, jnp.asarray(0.4), ndim)
        exact = enclosed(r, ndim, 0.4) / ((2 * np.pi) * r**2 if ndim == 2 else 4 * np.pi * r**3)
        np.testing.assert_allclose(kernel[2:], exact[2:], rtol=2e-6)
        np.testing.assert_allclose(kernel[:2], exact[3] + 0 * kernel[:2], rtol=2e-3)
        slope = jax.vmap(jax.grad(lambda s: GaussianBlob(1.0).kernel(s, jnp.asarray(0.4), ndim)))(r**2)
        assert np.all(np.isfinite(slope)) and np.all(slope < 0)

    def test_the_largest_force_is_as_the_theory_says(self, ndim):
        r = jnp.linspace(0, 3, 30_001)
        largest = {
            AlgebraicBlob: 1 / (4 * np.pi * 0.2) if ndim == 2 else 1 / (6 * np.sqrt(3) * np.pi * 0.04),
            GaussianBlob: 0.45126 / (2 * np.pi * 0.2) if ndim == 2 else None,
        }
        for kind, wanted in largest.items():
            found = float(jnp.max(r * kind(1.0).kernel(r**2, jnp.asarray(0.2), ndim)))
            assert wanted is None or found == pytest.approx(wanted, rel=1e-4)

    def test_what_pulls_is_pulled(self, ndim):
        x = jax.random.normal(jax.random.key(0), (130, ndim))
        for blob in (GaussianBlob(0.1), AlgebraicBlob(0.1)):
            pulled = attraction(x, x, blob, block=32)
            np.testing.assert_allclose(pulled.sum(axis=0), 0, atol=1e-12 * float(jnp.abs(pulled).sum()))
            one = attraction(x[:1], x, blob)
            np.testing.assert_allclose(one[0], pulled[0], rtol=1e-12)
            moved = attraction(x + 3.0, x + 3.0, blob)
            np.testing.assert_allclose(moved, pulled, rtol=1e-9, atol=1e-12)

    @pytest.mark.slow
    def test_derivatives_are_those_of_differences(self, ndim):
        x = jax.random.normal(jax.random.key(0), (9, ndim))
        total = lambda x: jnp.sum(jnp.sin(attraction(x, x, GaussianBlob(0.3), block=4)))  # noqa: E731
        way = jax.random.normal(jax.random.key(1), x.shape)
        numeric = (total(x + 1e-5 * way) - total(x - 1e-5 * way)) / 2e-5
        assert float(jnp.vdot(jax.grad(total)(x), way)) == pytest.approx(float(numeric), rel=1e-7)


class TestMeanField:
    """On N(0, I): reference/lagrangian_recipe.md 1.4 and lagrangian_recipe_3d.md 2."""

    def error(self, field, ndim, sources):
        found = []
        for key in range(3):
            x = normal(10 + key, 512, ndim)
            log_p = -0.5 * jnp.sum(x**2, axis=1) - 0.5 * ndim * jnp.log(2 * jnp.pi)
            f, exact = field(x, log_p, -x, normal(20 + key, sources, ndim)), force(x, ndim)
            found.append(np.sum((f - exact) ** 2) / np.sum(exact**2))
        return np.sqrt(np.mean(found))

    @pytest.mark.slow
    def test_in_two_dimensions(self):
        debiased, richardson = self.error(Debiased(), 2, 4096), self.error(Richardson(), 2, 4096)
        assert debiased < 1e-3 and richardson < 6e-4 and richardson < debiased

    @pytest.mark.slow
    def test_in_three_dimensions(self):
        assert self.error(Debiased(), 3, 16_384) < 4e-3
        assert self.error(Richardson(), 3, 16_384) < 2e-3

    @pytest.mark.slow
    def test_without_the_bias_taken_out_it_is_far_off(self):
        x, sources, exact = normal(10, 512, 2), normal(20, 1024, 2), force(normal(10, 512, 2), 2)
        log_p = -0.5 * jnp.sum(x**2, axis=1) - jnp.log(2 * jnp.pi)

        def off(found):
            return np.sqrt(np.sum((found - exact) ** 2) / np.sum(exact**2))

        assert off(attraction(x, sources, GaussianBlob(0.2))) > 1e-2
        assert off(Richardson()(x, log_p, -x, sources)) < 4e-3


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`width` must be positive"):
        GaussianBlob(0.0)
    with pytest.raises(ValueError, match="`spread` must be positive"):
        Debiased(spread=-1.0)
