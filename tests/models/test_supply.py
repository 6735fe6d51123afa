"""A signal that is released from outside: exact solutions, with a strength that changes in time, by each method."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.models import Decay, Model, PiecewiseLinear, Signal, Species, Sum, Supply

MOBILITY, DECAY, DIFFUSIVITY, T1 = 0.1, 0.7, 0.05, 2.0


def problem(n, rate, diffusivity=DIFFUSIVITY, ring=False):
    grid = jc.Grid.box(0.0, 2.0, 2 * n, jc.Periodic()) if ring else jc.Grid.box(0.0, 1.0, n)
    made = Sum(Supply(1 + jnp.cos(jnp.pi * grid.axes[0]), rate), Decay(DECAY))
    model = Model({"u": Species(MOBILITY)}, {"c": Signal(made, diffusivity)})
    return jc.Problem(model, grid, jc.initial.uniform(amplitude=1.0), jc.initial.uniform(amplitude=0.0))


def exact(grid, response):
    """Each cosine by itself: `response(k)` is what a source of strength one leaves, of a mode that fades at rate k."""
    return response(DECAY) + response(DECAY + DIFFUSIVITY * jnp.pi**2) * jnp.cos(jnp.pi * grid.axes[0])


@pytest.mark.parametrize(("method", "ring"), [(jc.FiniteVolume(), False), (jc.Spectral(), True)])
def test_a_constant_supply_against_the_exact_solution(method, ring):
    case = problem(64, 3.0, ring=ring)
    found = jc.solve(case, method, t1=T1, dt=0.01).final.signal
    truth = exact(case.domain, lambda k: 3.0 * (1 - np.exp(-k * T1)) / k)
    np.testing.assert_allclose(found, truth, atol=2e-4 * float(truth.max()))


def test_a_supply_that_grows_is_followed_to_second_order():
    def error(n, dt):
        case = problem(n, PiecewiseLinear([0.0, T1], [0.0, 2 * T1]))
        found = jc.solve(case, jc.FiniteVolume(), t1=T1, dt=dt).final.signal
        truth = exact(case.domain, lambda k: 2 * (k * T1 - 1 + np.exp(-k * T1)) / k**2)
        return float(jnp.abs(found - truth).max())

    coarse, fine = error(16, 0.1), error(32, 0.05)
    assert coarse < 0.01 and 3.5 < coarse / fine < 4.5


def test_particles_meet_the_same_supply():
    case = problem(32, 3.0, diffusivity=0.0)
    method = jc.ParticleField(100, update=jc.ExponentialUpdate())
    found = jc.solve(case, method, t1=T1, dt=0.01, key=jax.random.key(0)).final.signal
    bell = 1 + np.cos(np.pi * np.asarray(case.domain.axes[0]))
    np.testing.assert_allclose(found, 3.0 * bell * (1 - np.exp(-DECAY * T1)) / DECAY, rtol=1e-3)


def test_equations_say_what_is_released_and_negative_releases_are_refused():
    signal = Signal(Sum(Supply(jnp.ones(4), 2.0), Supply(0.5), Decay(1.0)))
    assert signal.kinetics.describe("c") == "+ 2 f(x) + 1 0.5 - 1 c"
    with pytest.raises(ValueError, match="`field` must not be negative"):
        Supply(jnp.array([0.0, -1.0]))
    with pytest.raises(ValueError, match="`rate` must not be negative"):
        Supply(1.0, PiecewiseLinear([0.0, 1.0], [0.0, -1.0]))
