"""Priors: each is what it says of standard normal numbers, and goes back to them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import jaxchemo as jc
from jaxchemo.inference import GaussianField, LogNormal, Normal, Uniform

BOX = jc.Grid.box((0.0, 0.0), (2.0, 3.0), (16, 24))
PRIORS = {
    "normal": (Normal(2.0, 0.5), stats.norm(2.0, 0.5)),
    "lognormal": (LogNormal(0.2, 3.0), stats.lognorm(np.log(3.0), scale=0.2)),
    "uniform": (Uniform(-1.0, 3.0), stats.uniform(-1.0, 4.0)),
}


@pytest.mark.parametrize("name", PRIORS)
@given(z=st.floats(-6, 6))
def test_quantiles_pass_through(name, z):
    prior, law = PRIORS[name]
    value = prior.value(jnp.asarray(z))
    expected = law.isf(stats.norm.sf(z)) if z > 0 else law.ppf(stats.norm.cdf(z))  # from the nearer end
    assert float(value) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    # A uniform value far out is told from its end by few digits.
    assert float(prior.whitened(value)) == pytest.approx(z, rel=1e-9, abs=1e-6)


def test_what_a_prior_excludes_has_no_finite_number():
    assert not np.isfinite(Uniform(0.0, 1.0).whitened(1.5))
    assert not np.isfinite(LogNormal(1.0, 2.0).whitened(-1.0))


def test_arrays_have_numbers_for_each():
    prior = LogNormal(jnp.array([1.0, 2.0]), 2.0)
    assert prior.shape == (2,)
    np.testing.assert_allclose(prior.value(jnp.array([1.0, -1.0])), [2.0, 1.0])


class TestField:
    prior = GaussianField(BOX, mean=2.0, std=0.7, length=0.5)

    def test_it_goes_back(self):
        z = jax.random.normal(jax.random.key(0), BOX.shape)
        # Modes of which there is a millionth come back with as few digits.
        np.testing.assert_allclose(self.prior.whitened(self.prior.value(z)), z, atol=1e-5)

    def test_its_variance_and_its_correlation_are_what_they_say(self):
        z = jax.random.normal(jax.random.key(1), (4000, *BOX.shape))
        fields = np.log(np.asarray(jax.jit(jax.vmap(self.prior.value))(z)) / 2.0) / 0.7
        assert np.mean(fields**2) == pytest.approx(1.0, abs=0.02)
        middle, shift = fields[:, 8, 12], 4
        apart = shift * BOX.spacing[1]
        together = np.mean(middle * fields[:, 8, 12 + shift]) / np.mean(middle**2)
        assert together == pytest.approx(np.exp(-(apart**2) / (2 * 0.5**2)), abs=0.06)

    def test_it_may_have_either_sign(self):
        prior = GaussianField(BOX, mean=0.0, std=1.0, length=0.5, positive=False)
        field = prior.value(jax.random.normal(jax.random.key(2), BOX.shape))
        assert float(field.min()) < 0 < float(field.max())

    def test_it_needs_closed_walls(self):
        with pytest.raises(ValueError, match=r"`grid` must have closed walls, NoFlux\(\)"):
            GaussianField(jc.Grid.box(0.0, 1.0, 8, jc.Periodic()), 1.0, 1.0, 0.2)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Normal(0.0, 0.0), "`std` must be positive"),
        (lambda: LogNormal(-1.0, 2.0), "`median` must be positive"),
        (lambda: LogNormal(1.0, 1.0), "`factor` must be greater than 1"),
        (lambda: Uniform(1.0, 1.0), "`upper` must be above `lower`, 1"),
        (lambda: Normal(jnp.zeros(2), jnp.ones(3)), r"must have one shape, got 'mean \(2,\)' and 'std \(3,\)'"),
        (lambda: GaussianField(BOX, 0.0, 1.0, 0.1), "`mean` must be positive"),
        (lambda: GaussianField(BOX, 1.0, 1.0, 0.0), "`length` must be positive"),
    ],
)
def test_numbers_out_of_range_are_refused(build, says):
    with pytest.raises(ValueError, match=says):
        build()
