"""Triangular couplings: what they carry is what the map, its inverse and its derivatives say."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo.flows import Coupling, TriangularFlow
from jaxchemo.optimise.least_squares import fit, normal_equations


def bent(flow, size=0.15):
    """The flow with all of its numbers moved."""
    leaves, structure = jax.tree.flatten(flow)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [leaf + size * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, moved)


@eqx.filter_jit
def forth(flow, x, t, phases):
    return flow.transform_and_log_det(x, t, phases)


@eqx.filter_jit
def derivatives(flow, x, t, phases):
    """Of the place: by the label and by the time."""
    return jax.jacfwd(lambda x, t: flow.transform_and_log_det(x, t, phases)[0], argnums=(0, 1))(x, t)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("ndim", "waves"), [pytest.param(1, 0, marks=SLOW), (2, 0), pytest.param(3, 0, marks=SLOW), (3, 1)]
)
class TestTriangularFlow:
    def case(self, ndim, waves):
        flow = bent(TriangularFlow(ndim, key=jax.random.key(0), width=8, waves=waves))
        phases = None if not waves else jnp.stack([jnp.full((ndim, 1), 2.0), jnp.full((ndim, 1), 0.3)], -1)
        return flow, jnp.array([0.3, -0.7, 0.5])[:ndim], jnp.asarray(0.6), phases

    @pytest.mark.slow
    def test_round_trips_and_determinants(self, ndim, waves):
        flow, x, t, phases = self.case(ndim, waves)
        y, log_det = forth(flow, x, t, phases)
        back, other = eqx.filter_jit(flow.inverse_and_log_det)(y, t, phases)
        np.testing.assert_allclose(back, x, atol=1e-13)
        assert float(other) == pytest.approx(-float(log_det), abs=1e-13)
        jacobian, _ = derivatives(flow, x, t, phases)
        assert float(log_det) == pytest.approx(float(jnp.linalg.slogdet(jacobian)[1]), abs=1e-13)

    def test_what_is_carried(self, ndim, waves):
        flow, x, t, phases = self.case(ndim, waves)
        one = eqx.filter_jit(flow.carry)(x, -x, t, phases)
        y, log_det = forth(flow, x, t, phases)
        np.testing.assert_allclose(one.position, y, atol=1e-14)
        assert float(one.log_det) == pytest.approx(float(log_det), abs=1e-14)
        jacobian, moves = derivatives(flow, x, t, phases)
        np.testing.assert_allclose(one.velocity, moves, atol=1e-13)

        def log_density(y):
            z, log_det = flow.inverse_and_log_det(y, t, phases)
            return -0.5 * z @ z + log_det

        np.testing.assert_allclose(one.score, jax.jit(jax.grad(log_density))(y), atol=1e-11)
        # The slopes of the couplings are the pivots of the whole Jacobian: ratios of its leading minors.
        minors = [1.0, *(np.linalg.det(jacobian[:k, :k]) for k in range(1, ndim + 1))]
        assert float(one.least) == pytest.approx(np.min(np.divide(minors[1:], minors[:-1])), abs=1e-13)

    def test_it_starts_as_the_identity(self, ndim, waves):
        flow, x, t, phases = self.case(ndim, waves)
        y, log_det = flow.transform_and_log_det(x, jnp.zeros(()), phases)
        np.testing.assert_array_equal(y, x)
        fresh = TriangularFlow(ndim, key=jax.random.key(0), width=8, waves=waves)
        np.testing.assert_array_equal(fresh.transform_and_log_det(x, t, phases)[0], x)
        assert float(log_det) == 0


def test_a_coupling_checks_its_axis():
    with pytest.raises(ValueError, match="`axis` must be one of the 2 coordinates, got 2"):
        Coupling(2, 2, key=jax.random.key(0))


class TestLeastSquares:
    def problem(self):
        x = jnp.linspace(-1, 1, 64)
        return x, jnp.exp(0.7 * x) - 0.2

    def test_it_finds_the_parameters(self):
        x, y = self.problem()

        def residual(parameters, datum, frozen):
            return jnp.array([jnp.exp(parameters[0] * datum[0]) + parameters[1] - datum[1]])

        found = fit(residual, lambda p: (jnp.zeros(64), jnp.all(p > -5)), jnp.zeros(2), (x, y), iterations=30, block=16)
        np.testing.assert_allclose(found.parameters, [0.7, -0.2], atol=1e-6)
        assert float(found.loss) < 1e-12

    def test_what_is_frozen_is_refreshed(self):
        """`a + frozen(a) - y` with `frozen = a / 2`: the fixed point, not the least squares of one round."""
        y = jnp.full(16, 3.0)

        def residual(parameters, datum, frozen):
            return parameters + frozen - datum

        found = fit(residual, lambda p: (jnp.full(16, 0.5) * p, jnp.all(p < 100)), jnp.zeros(1), y, iterations=50)
        assert float(found.parameters[0]) == pytest.approx(2.0, abs=1e-4)

    def test_forbidden_parameters_are_never_taken(self):
        y = jnp.full(16, 3.0)
        found = fit(lambda p, d, f: p - d, lambda p: (jnp.zeros(16), p[0] < 1.0), jnp.zeros(1), y)
        assert 0 <= float(found.parameters[0]) < 1

    def test_normal_equations_are_those_of_the_jacobian(self):
        x, y = self.problem()

        def residual(parameters, datum, frozen):
            return jnp.array([jnp.sin(parameters[0] * datum[0]) - datum[1], parameters[1] * datum[0] * frozen])

        parameters, frozen = jnp.array([0.4, 1.2]), jnp.cos(x)
        every = lambda p: jax.vmap(residual, (None, 0, 0))(p, (x, y), frozen).reshape(-1)  # noqa: E731
        matrix, gradient = normal_equations(residual, parameters, (x, y), frozen, block=16)
        j = jax.jacfwd(every)(parameters)
        np.testing.assert_allclose(matrix, j.T @ j / 128, rtol=1e-5)
        np.testing.assert_allclose(gradient, j.T @ every(parameters) / 128, rtol=1e-12)
