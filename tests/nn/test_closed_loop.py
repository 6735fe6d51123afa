"""NSIPF in the closed loop: mass and positivity, gradients through whole trajectories, and what the networks gain."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from particle_field_accuracy import CASES, closed_loop, reference
from shared import two_blobs

import jaxchemo as jc

KEY = jax.random.key(0)


def problem(mobility=0.1, sensitivity=1.0, ndim=2):
    food = jc.initial.gaussian(amplitude=2.0, std=0.9)
    return two_blobs(16, ndim=ndim, model=jc.models.phks(mobility, sensitivity), signal=food)


def shaken(interpolator):
    moved = jax.tree.map(
        lambda p: p + 0.1 * jax.random.normal(jax.random.key(p.size), p.shape), interpolator.parameters
    )
    return eqx.tree_at(lambda i: i.parameters, interpolator, moved)


@pytest.mark.slow
@pytest.mark.parametrize("name, ndim", [("phks-2d", 2), ("phks-3d", 3)])
def test_mass_and_signs_are_kept(name, ndim):
    method = jc.ParticleField(500, interpolator=jc.nn.pretrained(name))
    frames = jc.solve(problem(ndim=ndim), method, t1=0.2, dt=0.02, key=KEY, saveat=jc.SaveAt(every=5)).ys
    mass = np.sum(np.asarray(frames.density), axis=tuple(range(1, ndim + 1)))
    np.testing.assert_allclose(mass, mass[0], rtol=1e-12)
    assert float(jnp.min(frames.density)) >= 0
    assert float(jnp.min(frames.signal)) >= 0
    assert bool(jnp.all(jnp.diff(frames.signal, axis=0) <= 1e-12))


@pytest.mark.slow
@pytest.mark.parametrize(
    "network", [jc.nn.ScaleMixing, lambda: jc.nn.SuperResolution(2, channels=3)], ids=["mixing", "convolutional"]
)
def test_gradients_through_a_trajectory_agree_with_differences(network):
    """In the physics and in the network's weights: derivatives are exact unless the network is `straight_through`."""
    start = shaken(network())

    def second_moment(at):
        mobility, sensitivity, parameters = at
        interpolator = eqx.tree_at(lambda i: i.parameters, start, parameters)
        method = jc.ParticleField(60, interpolator=interpolator)
        run = jc.solve(problem(mobility, sensitivity), method, t1=0.1, dt=0.02, key=KEY, throw=False)
        return jnp.mean(jnp.sum(run.final.positions**2 * jnp.array([1.0, 0.3]), axis=1))

    at = (jnp.asarray(0.1), jnp.asarray(1.0), start.parameters)
    both, step = jax.jit(jax.value_and_grad(second_moment)), 1e-5
    gradient = both(at)[1]
    keys = iter(jax.random.split(jax.random.key(5), 100))
    towards = {
        "mobility": (jnp.asarray(0.1), jnp.asarray(0.0), jax.tree.map(jnp.zeros_like, start.parameters)),
        "sensitivity": (jnp.asarray(0.0), jnp.asarray(1.0), jax.tree.map(jnp.zeros_like, start.parameters)),
        "weights": (
            jnp.asarray(0.0),
            jnp.asarray(0.0),
            jax.tree.map(lambda p: jax.random.normal(next(keys), p.shape), start.parameters),
        ),
    }
    for name, along in towards.items():
        moved = [both(jax.tree.map(lambda a, d, s=s: a + s * d, at, along))[0] for s in (step, -step)]
        expected = float(moved[0] - moved[1]) / (2 * step)
        found = sum(float(jnp.sum(g * d)) for g, d in zip(*map(jax.tree.leaves, (gradient, along)), strict=True))
        assert found == pytest.approx(expected, rel=1e-5), name
        assert abs(expected) > 1e-6, name


@pytest.mark.slow
def test_the_network_is_better_on_a_coarse_grid_and_not_worse_on_a_fine_one():
    """Rows of the table that `benchmarks/interpolators.py` prints, for one of its problems."""
    case = CASES["two"]()
    ref = reference(case, 64)
    for n, most in ((24, 0.85), (32, 1.05)):
        default, neural = (
            closed_loop(case, ref, jc.ParticleField(5_000, increments=jc.Antithetic(), **more), n, 3)[0].mean()
            for more in ({}, {"interpolator": jc.nn.pretrained("phks-3d")})
        )
        assert neural <= most * default
