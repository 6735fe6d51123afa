"""Face fluxes one by one: what each is, when it is positive, and what bounds a step with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo.domain import Grid
from jaxchemo.fields import AbstractFlux, Centred, Drift, ScharfetterGummel, Upwind, drift_diffusion, outflow_rate
from jaxchemo.fields.face_fluxes import Bounding, check

FLUXES = [ScharfetterGummel(), Centred(), Upwind()]
W = jnp.concatenate([-jnp.geomspace(1e-3, 50, 60), jnp.geomspace(1e-3, 50, 60)])


def weights(flux, w=W):
    """Those of `p below - q above`."""
    one, none = jnp.ones_like(w), jnp.zeros_like(w)
    return flux.across(one, none, w), -flux.across(none, one, w)


@pytest.mark.parametrize("flux", FLUXES, ids=repr)
def test_an_even_density_drifts_and_nothing_else(flux):
    p, q = weights(flux)
    np.testing.assert_allclose(p - q, W, rtol=1e-12, atol=1e-14)
    mirrored = weights(flux, -W)
    np.testing.assert_allclose(p, mirrored[1], rtol=1e-12)


@pytest.mark.parametrize("flux", FLUXES, ids=repr)
def test_positive_as_each_says(flux):
    p, q = weights(flux)
    where = jnp.minimum(p, q) >= 0
    assert bool(jnp.all(where)) == flux.positive
    np.testing.assert_array_equal(where, jnp.abs(W) <= 2 if isinstance(flux, Centred) else True)


@pytest.mark.parametrize("flux", FLUXES, ids=repr)
def test_gradients_without_any_drift(flux):
    """The slope at `w = 0` is the mean density; of upwind, which has a kink there, that from below."""
    at = jnp.array([0.0]), jnp.array([3.0]), jnp.array([1.0])
    slope = jax.grad(lambda w: flux.across(at[1], at[2], w).sum())(at[0])
    assert float(slope[0]) == (1.0 if isinstance(flux, Upwind) else 2.0)


@pytest.mark.parametrize("flux", FLUXES, ids=repr)
def test_the_bound_is_von_neumanns_where_the_flux_is_not_positive(flux):
    p, q = weights(flux)
    bound = sum(weights(Bounding(flux)))
    angle = jnp.linspace(0, jnp.pi, 400)[:, None]

    def amplification(dt):
        return jnp.abs(1 - dt * (p + q) * (1 - jnp.cos(angle)) - 1j * dt * (p - q) * jnp.sin(angle)).max(0)

    assert jnp.all(amplification(1 / bound) <= 1 + 1e-12)
    if isinstance(flux, Centred):
        assert jnp.all((amplification(1.1 / bound) > 1)[jnp.abs(W) > 3.3])
    inside = jnp.minimum(p, q) >= 0
    np.testing.assert_allclose(bound[inside], (p + q)[inside])


def test_drift_alone_where_diffusion_is_implicit():
    """One step `1 + dt (drift + diffusion) / (1 - dt diffusion)` of the waves of a centred flux."""
    p, q = weights(Centred())
    dt = 1 / sum(weights(Bounding(Centred(), drift_only=True)))
    angle = jnp.linspace(0, jnp.pi, 400)[:, None]
    spread, moved = 2 * dt * (1 - jnp.cos(angle)), dt * (p - q) * jnp.sin(angle)
    assert jnp.all(jnp.abs(1 - (spread + 1j * moved) / (1 + spread)) <= 1 + 1e-12)


@pytest.mark.slow
def test_centred_is_positive_up_to_the_step_that_it_is_given_and_a_peclet_number_of_two():
    grid = Grid.box(0.0, 1.0, 16)
    rng = np.random.default_rng(0)
    for peclet, positive in ((1.9, True), (2.2, False)):
        potential = jnp.asarray(np.cumsum(0.1 * peclet * rng.choice([-1.0, 1.0], 16)))
        rates = [drift_diffusion(jnp.eye(16)[k], 0.1, grid, [Drift(potential)], flux=Centred()) for k in range(16)]
        dt = (1 - 1e-13) / jnp.max(outflow_rate(jnp.ones(16), 0.1, grid, [Drift(potential)], flux=Centred()))
        assert bool(jnp.all(jnp.eye(16) + dt * jnp.stack(rates) >= 0)) == positive


class Square(AbstractFlux):
    """Not linear."""

    def across(self, below, above, w):
        return w * (below + above) ** 2 / 2 + below - above


class Twice(AbstractFlux):
    """Drifts twice as fast."""

    def across(self, below, above, w):
        return w * (below + above) + below - above


class Still(AbstractFlux):
    """Does not diffuse."""

    def across(self, below, above, w):
        return w * jnp.where(w > 0, below, above)


class Total(AbstractFlux):
    """One number for all faces."""

    def across(self, below, above, w):
        return jnp.sum(below - above)


@pytest.mark.parametrize(
    "flux, sentence",
    [
        (Square(), "must be linear in the two densities, Square.across is not"),
        (Twice(), r"for w=0.001 Twice.across gives 1.001 .* and 0.002 for \(1, 1\)"),
        (Still(), r"for w=0.0 Still.across gives 0 for the densities \(1, 0\)"),
        (Total(), r"fluxes of that shape and dtype: Total.across made \(\) of"),
    ],
    ids=["square", "twice", "still", "total"],
)
def test_what_is_no_flux_is_refused(flux, sentence):
    with pytest.raises(ValueError, match=sentence):
        check(flux)
