"""Gradients of short runs in every number of every sensitivity, and in the fields they begin with."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxchemo as jc
from jaxchemo.models import (
    Custom,
    FluxLimited,
    HillGradient,
    Linear,
    Logarithmic,
    LogWindow,
    Model,
    Production,
    Receptor,
    Saturating,
    Signal,
    Species,
    VolumeFilling,
)


class Root(eqx.Module):
    """A potential with two numbers of its own."""

    scale: jax.Array
    offset: jax.Array

    def __call__(self, signal):
        return self.scale * jnp.sqrt(signal + self.offset)


class Fading(eqx.Module):
    """A factor that falls off, in the density or in the speed."""

    rate: jax.Array

    def __call__(self, value):
        return jnp.exp(-self.rate * value)


LAWS = {
    "linear": Linear(1.3),
    "receptor": Receptor(2.0, 0.7),
    "logarithmic": Logarithmic(0.8, 0.1),
    "window": LogWindow(1.2, 0.2, 3.0),
    "filling": VolumeFilling(Receptor(2.0, 0.7), 5.0),
    "saturating": Saturating(Linear(1.5), 1.2, 1.7),
    "flux limited": FluxLimited(Logarithmic(0.8, 0.1), 0.6),
    "steepness": HillGradient(0.9, 0.5, 1.6),
    "custom": Custom(Root(jnp.array(1.4), jnp.array(0.2)), Fading(jnp.array(0.3)), Fading(jnp.array(0.5))),
}
TAXES = {name: {"a": law} for name, law in LAWS.items()} | {"two signals": {"a": Linear(1.1), "b": Receptor(-0.8, 0.5)}}
SHAPE, LENGTHS = (6, 5), (1.2, 1.0)


def noise(seed, low, high):
    return np.random.default_rng(seed).uniform(low, high, SHAPE)


def problem_of(species, moved, wall):
    """Cells that climb what they make, as their species says; the first fields are moved in random directions."""
    grid = jc.Grid.box((0.0, 0.0), LENGTHS, SHAPE, wall)
    x, y = jnp.moveaxis(grid.centers, -1, 0)
    wave = jnp.sin(2 * jnp.pi * x / LENGTHS[0] + 0.4) + 0.7 * jnp.cos(2 * jnp.pi * y / LENGTHS[1] + 0.9)
    fields = {
        name: jc.initial.array(1.2 + 0.3 * jnp.roll(wave, k, 0) + one * noise(k, -1, 1))
        for k, (name, one) in enumerate(moved.items())
    }
    signals = {name: Signal(Production("u", 0.8, 0.5), 0.2, 0.7) for name in species.taxis}
    return jc.Problem(Model({"u": species}, signals), grid, {"u": fields.pop("u")}, fields)


def check(taxis, method, wall):
    """The gradient of a number that every cell has a part in, in one vector of all numbers, against differences."""
    numbers, rest = eqx.partition((Species(0.15, taxis), dict.fromkeys(["u", *taxis], jnp.zeros(()))), eqx.is_array)
    at, unravel = ravel_pytree(numbers)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(numbers)]

    def value(x):
        problem = problem_of(*eqx.combine(unravel(x), rest), wall)
        end = jc.solve(problem, method, t1=0.1, dt=0.005, adjoint=jc.Direct(), throw=False).final
        return sum(jnp.sum(noise(9, 0.5, 1.5) * field**2) for field in jax.tree.leaves((end.density, end.signal)))

    # Of sixth order: at a step of a thousandth only round-off is left, 1e-16 / 1e-3 of the value.
    both, step = jax.jit(jax.value_and_grad(value)), 1e-3 * jnp.eye(at.size)
    weights = {1: 45 / 60e-3, 2: -9 / 60e-3, 3: 1 / 60e-3}
    numeric = np.array([sum(w * (both(at + k * e)[0] - both(at - k * e)[0]) for k, w in weights.items()) for e in step])
    gradient = both(at)[1]
    assert len(paths) == at.size
    assert np.all(np.abs(numeric) > 1e-4), dict(zip(paths, numeric, strict=True))  # each number counts
    np.testing.assert_allclose(gradient, numeric, rtol=1e-7, atol=1e-9, err_msg=str(paths))


QUICK = ("two signals",)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in TAXES]
)
def test_gradients_of_finite_volumes(name):
    check(TAXES[name], jc.FiniteVolume(jc.SSPRK2()), jc.NoFlux())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["saturating", "flux limited", "two signals"])
def test_gradients_of_finite_volumes_between_open_walls(name):
    check(TAXES[name], jc.FiniteVolume(), [jc.Periodic(), (jc.NoFlux(), jc.Dirichlet({"u": 1.1, "a": 1.3}))])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logarithmic", "saturating", "flux limited", "custom", "two signals"])
def test_gradients_of_the_spectral_method(name):
    check(TAXES[name], jc.Spectral(), jc.Periodic())
