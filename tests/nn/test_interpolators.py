"""Networks as interpolators: exact on constants, free of units, symmetric, differentiable; and what they refuse."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.nn.interpolators.super_resolution import refine
from jaxchemo.particles import deposit
from jaxchemo.particles.interpolators import Sampling


def shaken(interpolator, size=0.3):
    """With every parameter moved at random: an untrained network is the classical scheme, and would test nothing."""
    leaves, structure = jax.tree.flatten(interpolator.parameters)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [p + size * jax.random.normal(k, p.shape) for k, p in zip(keys, leaves, strict=True)]  # double precision
    return eqx.tree_at(lambda i: i.parameters, interpolator, jax.tree.unflatten(structure, moved))


def mixing(ndim):
    return shaken(jc.nn.ScaleMixing())


def convolutional(ndim):
    return shaken(jc.nn.SuperResolution(ndim, channels=4), 0.1)


def in_blocks(ndim):
    whole = convolutional(ndim)
    return jc.nn.SuperResolution(ndim, whole.parameters, channels=4, coverage=jc.nn.Occupied(5))


NETWORKS = [mixing, convolutional, in_blocks]


def box(ndim, boundary=jc.NoFlux(), n=12):
    return jc.Grid.box((0.0,) * ndim, (1.0,) * ndim, (n,) * ndim, boundary)


def sampling(scale=1.0):
    return Sampling(1, jnp.asarray(0.05 * scale), jnp.asarray(0.01))


def cloud(ndim, n=200, seed=0):
    return tuple(jax.random.uniform(jax.random.key(seed), (ndim, n)))


def field_of(grid, n=400):
    """The exposure of particles, with empty cells in it."""
    x = tuple(0.25 + 0.5 * xi for xi in cloud(grid.ndim, n, seed=3))
    return deposit(x, 0.05, grid, 1)


@eqx.filter_jit
def seen(interpolator, field, x, grid, scale=1.0):
    value, slope = interpolator.at(interpolator.prepare(field, grid, sampling(scale)), x, grid)
    return jnp.stack([value, *slope])


@pytest.mark.parametrize(
    "ndim, boundary",
    [
        (2, jc.NoFlux()),
        (2, jc.Periodic()),
        pytest.param(3, jc.NoFlux(), marks=pytest.mark.slow),
        pytest.param(3, jc.Periodic(), marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("network", NETWORKS)
class TestEveryNetwork:
    def test_constants_are_exact(self, network, ndim, boundary):
        grid = box(ndim, boundary)
        found = seen(network(ndim), jnp.full(grid.shape, 3.7), cloud(ndim), grid)
        np.testing.assert_allclose(found[0], 3.7, rtol=1e-10)
        np.testing.assert_allclose(found[1:], 0, atol=1e-8)

    def test_units_scale_out(self, network, ndim, boundary):
        grid, interpolator = box(ndim, boundary), network(ndim)
        field, x = field_of(grid), cloud(ndim)
        once, thousandfold = seen(interpolator, field, x, grid), seen(interpolator, 1e3 * field, x, grid, 1e3)
        np.testing.assert_allclose(thousandfold, 1e3 * once, rtol=1e-8, atol=1e-8 * float(jnp.max(jnp.abs(once))) * 1e3)

    def test_the_symmetries_of_the_grid_are_kept(self, network, ndim, boundary):
        grid, interpolator = box(ndim, boundary), network(ndim)
        field, x = field_of(grid), cloud(ndim)
        plain = seen(interpolator, field, x, grid)
        flipped = seen(interpolator, jnp.flip(field, 0), (1 - x[0], *x[1:]), grid).at[1].multiply(-1)
        np.testing.assert_allclose(flipped, plain, rtol=1e-8, atol=1e-8)
        turned = seen(interpolator, jnp.swapaxes(field, 0, 1), (x[1], x[0], *x[2:]), grid)
        order = [0, 2, 1, *range(3, ndim + 1)]
        np.testing.assert_allclose(turned[jnp.array(order)], plain, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("ndim", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_untrained_networks_are_the_classical_schemes(ndim):
    grid, x = box(ndim), cloud(ndim)
    field = field_of(grid)
    for network, classical in (
        (jc.nn.ScaleMixing(), jc.Histospline(3)),
        (jc.nn.SuperResolution(ndim), jc.Histospline(2)),
    ):
        np.testing.assert_allclose(seen(network, field, x, grid), seen(classical, field, x, grid), atol=1e-11)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_refining_a_quadratic_spline_changes_nothing(ndim):
    grid = box(ndim, jc.Periodic(), 8)
    coarse = jax.random.normal(jax.random.key(0), grid.shape)
    finer = jc.Grid.box(grid.lower, grid.upper, (16,) * ndim, jc.Periodic())
    x = cloud(ndim)
    same = refine(jnp.pad(coarse, 1, mode="wrap"), ndim)
    for a, b in zip(
        jax.tree.leaves(jc.BSpline(2).at(coarse, x, grid)),
        jax.tree.leaves(jc.BSpline(2).at(same, x, finer)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("ndim", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_occupied_blocks_give_what_the_whole_grid_gives(ndim):
    grid = box(ndim, n=13)  # not a multiple of the blocks
    field, x = field_of(grid), cloud(ndim)
    np.testing.assert_allclose(
        seen(in_blocks(ndim), field, x, grid), seen(convolutional(ndim), field, x, grid), atol=1e-12
    )


@pytest.mark.parametrize("network", [convolutional, in_blocks])
def test_the_gradient_of_the_convolutional_one_is_that_of_its_value(network):
    grid, interpolator = box(2), network(2)
    field, x, step = field_of(grid), cloud(2), 1e-5
    found = seen(interpolator, field, x, grid)
    for axis in range(2):
        ahead = tuple(xi + step * (k == axis) for k, xi in enumerate(x))
        behind = tuple(xi - step * (k == axis) for k, xi in enumerate(x))
        slope = (seen(interpolator, field, ahead, grid)[0] - seen(interpolator, field, behind, grid)[0]) / (2 * step)
        np.testing.assert_allclose(found[axis + 1], slope, rtol=1e-5, atol=1e-4)


def test_scale_mixing_mixes_gradients_of_the_scales():
    """With weights that do not depend on the particle, and alike for both, the gradient is that of the value."""
    interpolator = jc.nn.ScaleMixing()
    bias = jnp.array([0.4, -0.3, 0.4, -0.3])
    interpolator = eqx.tree_at(lambda i: i.parameters["params"]["Dense_2"]["bias"], interpolator, bias)
    grid, step = box(2), 1e-5
    field, x = field_of(grid), cloud(2)
    ahead, behind = (seen(interpolator, field, (x[0] + s, x[1]), grid)[0] for s in (step, -step))
    found = seen(interpolator, field, x, grid)
    np.testing.assert_allclose(found[1], (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-4)
    assert float(jnp.max(jnp.abs(found[0] - seen(jc.Histospline(), field, x, grid)[0]))) > 1e-3


@pytest.mark.parametrize("network", NETWORKS)
def test_derivatives_in_field_positions_and_parameters_agree_with_differences(network):
    grid, interpolator = box(2, n=10), network(2)

    def total(at):
        field, x, parameters = at
        used = eqx.tree_at(lambda i: i.parameters, interpolator, parameters)
        return jnp.sum(jnp.sin(seen(used, field, x, grid)))

    both = jax.jit(lambda at, along: jax.jvp(total, (at,), (along,)))
    step = 1e-4

    for seed in range(5):
        # Nowhere constant: there the convolutional network has a kink.
        field = field_of(grid) + jax.random.uniform(jax.random.key(seed), grid.shape)
        at = (field, cloud(2, 20, seed), interpolator.parameters)
        keys = iter(jax.random.split(jax.random.key(seed + 1), 100))
        along = jax.tree.map(lambda a, keys=keys: 0.01 * jax.random.normal(next(keys), a.shape), at)
        ahead, behind = (both(jax.tree.map(lambda a, d, s=s: a + s * d, at, along), along)[0] for s in (step, -step))
        difference = float(ahead - behind) / (2 * step)
        assert float(both(at, along)[1]) == pytest.approx(difference, rel=1e-5, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [jc.nn.ScaleMixing, pytest.param(lambda **more: jc.nn.SuperResolution(2, **more), marks=pytest.mark.slow)],
    ids=["mixing", "convolutional"],
)
def test_straight_through_holds_what_the_network_sees(network):
    grid, x = box(2), cloud(2)
    field = field_of(grid)
    exact, held = shaken(network()), shaken(network(straight_through=True))

    def gradients(interpolator):
        def total(field, parameters):
            used = eqx.tree_at(lambda i: i.parameters, interpolator, parameters)
            return jnp.sum(seen(used, field, x, grid) ** 2)

        return jax.jit(jax.grad(total, argnums=(0, 1)))(field, interpolator.parameters)

    np.testing.assert_array_equal(seen(exact, field, x, grid), seen(held, field, x, grid))
    (by_field, by_weights), (field_held, weights_held) = gradients(exact), gradients(held)
    assert not np.allclose(by_field, field_held)
    for a, b in zip(*map(jax.tree.leaves, (by_weights, weights_held)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


class TestRefusals:
    def problem(self, ndim=2, n=16, std=0.5):
        return jc.Problem(
            model=jc.models.phks(0.1, 1.0),
            domain=jc.Grid.box((-4.0,) * ndim, (4.0,) * ndim, (n,) * ndim),
            density=jc.initial.gaussian(mass=1.0, std=std),
            signal=jc.initial.gaussian(amplitude=1.0, std=1.0),
        )

    def run(self, interpolator, **more):
        method = jc.ParticleField(50, interpolator=interpolator)
        return jc.solve(self.problem(**more), method, t1=0.1, dt=0.1, key=jax.random.key(0))

    @pytest.mark.parametrize("name", ["phks-3d", "phks-3d-cnn"])
    def test_a_network_of_another_dimension(self, name):
        with pytest.raises(ValueError, match=r"3D, but the grid has 2 dimensions"):
            self.run(jc.nn.pretrained(name))

    @pytest.mark.slow
    def test_a_spacing_far_from_what_it_was_trained_on_is_warned_of(self):
        network = jc.nn.ScaleMixing(scope=jc.nn.Scope(2, (0.6, 6.0)))
        with pytest.warns(UserWarning, match=r"0.6 to 6 grid cells wide; here it is 16 .*spacing of 0.125"):
            self.run(network, n=64, std=2.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.run(network)

    def test_scale_mixing_without_exposure(self):
        method = jc.ParticleField(50, interpolator=jc.nn.ScaleMixing(), update=jc.ExponentialUpdate())
        with pytest.raises(ValueError, match=r"update=Exposure\(\)"):
            jc.solve(self.problem(), method, t1=0.1, dt=0.1, key=jax.random.key(0))

    @pytest.mark.parametrize("scales", [(0.0,), (1.0, 2.0), (0.0, 2.0, 1.0)])
    def test_scales_that_do_not_increase_from_zero(self, scales):
        with pytest.raises(ValueError, match="`scales`"):
            jc.nn.ScaleMixing(scales=scales)

    def test_parameters_of_another_size(self):
        parameters = jc.nn.ScaleMixing(width=8).parameters
        with pytest.raises(ValueError, match=r"`parameters` do not fit.*Dense_0/bias.*\(8,\).*\(16,\)"):
            jc.nn.ScaleMixing(parameters)
        with pytest.raises(ValueError, match="`parameters` do not fit"):
            jc.nn.SuperResolution(2, parameters)

    def test_a_dimension_there_is_not(self):
        with pytest.raises(ValueError, match="`ndim` must be 1, 2 or 3, got 4"):
            jc.nn.SuperResolution(4)
