"""What follows a track: Gaussians that move, turn and see as swimmers do, and directions of the right weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference.filtering import posed
from jaxchemo.inference.followers import Followers
from jaxchemo.inference.guided import dot, drawn_directions
from jaxchemo.methods.swimmers.agents import started


def followers(ndim, n=5, **numbers):
    """Swimmers with any covariance whose directions vary across their mean only."""
    model = jc.models.RunAndTumble(20.0, 1.0, jc.models.Persistent(0.33), **numbers)
    problem = posed(model, ndim)
    random = np.random.default_rng(ndim)
    u = random.normal(size=(n, ndim))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    x, p = tuple(jnp.asarray(random.normal(size=(ndim, n)))), tuple(jnp.asarray(u.T))
    mean = started(problem, x, p, jnp.ones(()), jax.random.key(0), jax.random.key(1))[0]
    across = np.eye(ndim) - u[:, :, None] * u[:, None, :]
    mix = random.normal(size=(n, 2 * ndim, 2 * ndim))
    mix[:, ndim:] = 0.1 * across @ mix[:, ndim:]
    return problem, Followers(mean, jnp.asarray(mix @ mix.swapaxes(1, 2)))


@pytest.mark.slow
@pytest.mark.parametrize("ndim", [2, 3])
def test_two_halves_of_a_run_are_the_whole(ndim):
    """To the second order of its length."""
    problem, start = followers(ndim, rotational_diffusion=0.1)

    def apart(dt):
        once, twice = start.after(problem, dt), start.after(problem, dt / 2).after(problem, dt / 2)
        np.testing.assert_allclose(jnp.stack(once.mean.positions), jnp.stack(twice.mean.positions), atol=1e-2 * dt)
        return float(jnp.max(jnp.abs(once.covariance - twice.covariance)))

    assert apart(1e-2) < 1e-4 * float(jnp.max(start.covariance))
    assert apart(5e-3) < 0.3 * apart(1e-2)


@pytest.mark.parametrize("ndim", [2, 3])
def test_moments_of_a_run_are_those_of_the_process(ndim):
    """Of a swimmer with a direction that is known: its mean displacement, and to second order the mean square."""
    d, dt, speed = 0.3, 0.2, 20.0
    problem, start = followers(ndim, rotational_diffusion=d)
    sharp = Followers(start.mean, jnp.zeros_like(start.covariance))
    later = sharp.after(problem, dt)
    forgets = (ndim - 1) * d
    moved = dot(
        later.mean.headings, tuple(b - a for a, b in zip(start.mean.positions, later.mean.positions, strict=True))
    )
    np.testing.assert_allclose(moved, speed * (1 - np.exp(-forgets * dt)) / forgets, rtol=1e-6)
    square = moved**2 + jnp.trace(later.covariance[:, :ndim, :ndim], axis1=1, axis2=2)
    exact = 2 * speed**2 / forgets**2 * (forgets * dt - 1 + np.exp(-forgets * dt))
    np.testing.assert_allclose(square, exact, rtol=(forgets * dt) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_seeing_a_position_is_conditioning(ndim):
    _, start = followers(ndim)
    y, noise = jnp.arange(1.0, ndim + 1), jnp.array(0.7)
    later, density = start.seen(y, noise, jnp.array(True))
    xx = start.covariance[:, :ndim, :ndim] + noise**2 * jnp.eye(ndim)
    x = jnp.stack(start.mean.positions, axis=1)
    exact = jax.vmap(lambda m, c: jax.scipy.stats.multivariate_normal.logpdf(y, m, c))(x, xx)
    np.testing.assert_allclose(density, exact, rtol=1e-6)
    gain = start.covariance[:, :ndim, :ndim] @ jnp.linalg.inv(xx)
    there = x + jnp.einsum("nij,nj->ni", gain, y - x)
    np.testing.assert_allclose(jnp.stack(later.mean.positions, axis=1), there, rtol=1e-6)
    unseen, nothing = start.seen(y, noise, jnp.array(False))
    assert not jnp.any(nothing)
    np.testing.assert_allclose(unseen.covariance, start.covariance, atol=1e-9)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_direction_stays_without_variance_along_itself(ndim):
    _, start = followers(ndim)
    later, _ = start.seen(jnp.ones(ndim), jnp.array(0.5), jnp.array(True))
    u = jnp.stack(later.mean.headings, axis=1)
    np.testing.assert_allclose(jnp.sum(u * u, axis=1), 1, rtol=1e-6)
    assert jnp.max(jnp.abs(jnp.einsum("nij,nj->ni", later.covariance[:, ndim:, ndim:], u))) < 1e-9


def test_a_pace_that_varies_survives_turns():
    problem, start = followers(2, speed_spread=0.2)
    u = jnp.stack(start.mean.headings, axis=1)
    along = 0.04 * u[:, :, None] * u[:, None, :]
    start = Followers(dataclasses.replace(start.mean, pace=jnp.ones(5)), start.covariance.at[:, 2:, 2:].set(along))
    new = (jnp.zeros(5), jnp.ones(5))
    turned = start.turned(problem, jnp.array([True] * 4 + [False]), new)
    np.testing.assert_allclose(turned.covariance[:4, 3, 3], 0.04, rtol=1e-6)  # along the new direction
    np.testing.assert_allclose(turned.covariance[4], start.covariance[4])


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("mean", [0.0, 0.33, -0.5])
def test_directions_drawn_towards_targets_weigh_as_the_law_has_them(ndim, mean):
    n, law = 40_000, jc.models.Persistent(mean)
    old = tuple(jnp.full(n, float(axis == 0)) for axis in range(ndim))
    x = tuple(jnp.zeros(n) for _ in range(ndim))
    targets = tuple(jnp.array([1.0, -0.5, 2.0]) * (axis + 0.5) for axis in range(ndim))
    new, log_weights = drawn_directions(law, old, x, targets, jax.random.key(0))
    np.testing.assert_allclose(dot(new, new), 1, rtol=1e-5)
    weights, cosine = jnp.exp(log_weights), dot(new, old)

    def error(values):
        return 4 * float(jnp.std(values)) / n**0.5 + 1e-6

    assert float(jnp.mean(weights)) == pytest.approx(1, abs=error(weights))
    assert float(jnp.mean(weights * cosine)) == pytest.approx(mean, abs=error(weights * cosine))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_densities_of_turns_are_those_that_are_drawn(ndim):
    law, u = jc.models.Persistent(0.4), (jnp.arange(20_000) + 0.5) / 20_000
    cosine = law.cosine(u, ndim)
    # Of all directions alike the density is 1: its mean over the law's own draws of exp(-log density) is the measure.
    assert float(jnp.mean(jnp.exp(-law.log_density(cosine, ndim)))) == pytest.approx(1, rel=2e-3)
    assert not jnp.any(jc.models.Isotropic().log_density(cosine, ndim))
    assert jc.models.Reversal().log_density(cosine, ndim) is None


@pytest.mark.slow
def test_the_path_of_swimmers_that_tumble_and_diffuse_has_a_derivative():
    """A turn by nothing, of those that tumble, once had none."""

    def far(diffusion):
        problem = posed(jc.models.RunAndTumble(1.0, 1.0, rotational_diffusion=diffusion, tumble_duration=0.5), 2)
        state = agents.init(problem, key=jax.random.key(0))
        state = state.turned(problem, jnp.zeros(50, bool), jnp.arange(50, dtype=jnp.uint32) << 8, 0.1)
        return jnp.mean(state.headings[0] ** 3)

    agents = jc.Agents(50)
    assert bool(
        jnp.any(
            agents.init(posed(jc.models.RunAndTumble(1.0, 1.0, tumble_duration=0.5), 2), key=jax.random.key(0)).tumbling
        )
    )

    _, slope = jax.jvp(far, (0.3,), (1.0,))
    central = (far(0.3 + 1e-4) - far(0.3 - 1e-4)) / 2e-4
    assert float(slope) == pytest.approx(float(central), rel=1e-3)
