"""Derivatives through trained flows, without unrolling their training, against exact laws and the radial reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shared import attracting

import jaxchemo as jc
from jaxchemo.models import Model, Species
from jaxchemo.references import radial_collapse

KEY = jax.random.key(0)
FLOW = jc.LagrangianFlow(num_labels=512, num_sources=2048, width=12, change=1.0, tolerance=0.05)
PULL, T = 16 * np.pi, 0.15


def collapsing(pull, mobility, std):
    return attracting(pull, mobility=mobility, std=std)


def told(numbers):
    """Mean squared distance from the centre and log density there, of a collapse with pull, mobility and size given."""
    solution = jc.solve(collapsing(*numbers), FLOW, key=KEY, t1=T)
    square = jnp.mean(jnp.sum(solution.final.positions**2, axis=-1))
    return jnp.stack([square, solution.log_prob(jnp.zeros(2), T)])


def peak(numbers):
    return np.log(radial_collapse(collapsing(*numbers), (T,)).at(np.zeros(1), 0)[0])


@pytest.mark.slow
class TestCollapse:
    numbers = np.array([PULL, 1.0, 1.0])

    @pytest.fixture(scope="class")
    @staticmethod
    def forward():
        return np.asarray(jax.jacfwd(told)(jnp.asarray(TestCollapse.numbers)))

    def test_the_moment_law(self, forward):
        """`E|x|^2 = 2 std^2 + (4 mobility - pull / 2 pi) t`."""
        np.testing.assert_allclose(forward[0], [-T / (2 * np.pi), 4 * T, 4.0], rtol=0.01)

    def test_the_peak(self, forward):
        """Against differences of the radial solution, which does not move its flow's labels."""
        steps = np.diag([0.1, 2e-3, 2e-3])
        wanted = [(peak(self.numbers + h) - peak(self.numbers - h)) / (2 * h.sum()) for h in steps]
        np.testing.assert_allclose(forward[1], wanted, rtol=0.03)

    def test_forward_and_reverse_agree(self, forward):
        """Also under jit; what is solved is the same with and without the derivative."""
        value, backward = jax.jit(jax.value_and_grad(lambda numbers: told(numbers)[1]))(jnp.asarray(self.numbers))
        np.testing.assert_allclose(backward, forward[1], rtol=1e-4)  # sums of pairs are in single precision
        np.testing.assert_allclose(value, told(self.numbers)[1], rtol=1e-9)


@pytest.mark.slow
def test_the_strength_of_a_fluid():
    """A number that the fluid's function closes over; without attraction, by the exact solution."""
    flow = jc.LagrangianFlow(num_labels=256, num_sources=1024, width=8)
    rate, t = 0.8, 0.4

    def variance(rate):
        model = Model({"rho": Species(1.3)}, advection=lambda x: -rate * x)
        posed = jc.Problem(model, jc.FreeSpace(2), jc.initial.gaussian(mass=1.0, std=0.7))
        return jnp.mean(jc.solve(posed, flow, key=KEY, t1=t).final.positions ** 2)

    def exact(rate):
        return 1.3 / rate + (0.49 - 1.3 / rate) * jnp.exp(-2 * rate * t)

    value, slope = jax.value_and_grad(variance)(rate)
    assert float(value) == pytest.approx(float(exact(rate)), rel=3e-3)
    assert float(slope) == pytest.approx(float(jax.grad(exact)(rate)), rel=1e-2)


@pytest.mark.slow
def test_in_space():
    """`E|x|^2` and the density in the middle, where cells first gather and then spread."""
    flow = jc.LagrangianFlow(num_labels=512, num_sources=4096, width=12, change=1.0)

    def told(pull):
        solution = jc.solve(attracting(pull, 3), flow, key=KEY, t1=0.25)
        square = jnp.mean(jnp.sum(solution.final.positions**2, axis=-1))
        return jnp.stack([square, solution.log_prob(jnp.zeros(3), 0.25)])

    def exact(pull):
        found = radial_collapse(attracting(pull, 3), (0.25,))
        return np.array([found.spread[0], np.log(found.at(np.zeros(1), 0)[0])])

    square, peak = jax.jvp(told, (60.0,), (1.0,))[1]
    wanted = (exact(60.6) - exact(59.4)) / 1.2
    assert float(square) == pytest.approx(wanted[0], rel=0.01)
    assert float(peak) == pytest.approx(wanted[1], rel=0.03)
