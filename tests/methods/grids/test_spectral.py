"""The spectral method: exact growth of waves, orders, agreement with finite volumes, gradients, and what it refuses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import analysis
from jaxchemo.models import (
    Consumption,
    FluxLimited,
    Linear,
    Logistic,
    Model,
    Production,
    Saturating,
    Signal,
    Species,
    Sum,
)


def smooth(n, relaxation=1.0, **changes):
    grid = jc.Grid.box((0.0, 0.0), (4.0, 3.0), (n, n), jc.Periodic())
    waves = jc.initial.function(lambda x: 1 + 0.5 * jnp.cos(np.pi / 2 * x[..., 0]) * jnp.sin(2 * np.pi / 3 * x[..., 1]))
    model = jc.models.keller_segel(0.5, 1.5, relaxation, decay=0.7, diffusivity=0.3)
    return jc.Problem(
        **({"model": model, "domain": grid, "density": waves, "signal": waves if relaxation else None} | changes)
    )


def everything():
    """Growth, consumption beside decay, crowding and a bounded speed, two species, signals of every kind."""
    still = Signal(Consumption("w", 0.4), relaxation=0.5)
    mixed = Signal(Sum(Production("u", 0.8, 0.3), Consumption("w", 0.2)), diffusivity=0.2)
    slaved = Signal(Production("w", 1.0, 0.5), diffusivity=0.4, relaxation=0)
    u = Species(0.3, {"mixed": FluxLimited(Linear(1.1), 0.8), "still": Linear(0.4)}, Logistic(0.6, 1.5))
    return Model(
        {"u": u, "w": Species(0.2, {"slaved": Saturating(Linear(0.7), 1.2)})},
        {
            "still": still,
            "mixed": mixed,
            "slaved": slaved,
        },
    )


def of_everything(n):
    plain = smooth(n)
    return smooth(
        n,
        model=everything(),
        density=dict.fromkeys("uw", plain.density["rho"]),
        signal=dict.fromkeys(("still", "mixed"), plain.signal["c"]),
    )


def distance(a, b):
    pairs = zip(jax.tree.leaves((a.density, a.signal)), jax.tree.leaves((b.density, b.signal)), strict=True)
    return max(float(jnp.max(jnp.abs(x - y))) for x, y in pairs)


def final(problem, method, dt):
    return jc.solve(problem, method, t1=0.4, dt=dt).final


@functools.cache
def reference(relaxation):
    return final(smooth(16, relaxation), jc.Spectral(), 0.4 / 1280)


@pytest.mark.slow
@pytest.mark.parametrize("stepper, steps", [(jc.ETDRK2(), (40, 80, 160)), (jc.ETDRK4(), (40, 80, 160))], ids=repr)
@pytest.mark.parametrize("relaxation", [1.0, 0])
def test_the_steppers_own_order_in_time(stepper, steps, relaxation):
    problem, wanted = smooth(16, relaxation), reference(relaxation)
    errors = [distance(final(problem, jc.Spectral(stepper), 0.4 / n), wanted) for n in steps]
    assert np.log2(errors[-2] / errors[-1]) == pytest.approx(stepper.order, abs=0.25)


@pytest.mark.slow
def test_errors_fall_faster_than_any_power_of_the_spacing():
    fine = final(smooth(48), jc.Spectral(kept=1.0), 0.005).density
    errors = []
    for n in (6, 12, 24):
        coarse = fine.reshape(n, 48 // n, n, 48 // n).mean((1, 3))
        errors.append(float(jnp.max(jnp.abs(final(smooth(n), jc.Spectral(kept=1.0), 0.005).density - coarse))))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders[1] > 6 and orders[1] > orders[0] + 1 and errors[-1] < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "build",
    # The last has in it what the first two have.
    [
        pytest.param(smooth, marks=pytest.mark.slow),
        pytest.param(lambda n: smooth(n, 0), marks=pytest.mark.slow),
        of_everything,
    ],
    ids=["in time", "at once", "everything"],
)
def test_finite_volumes_agree_to_their_second_order(build):
    """The two share no code but the model."""
    errors = [
        distance(final(build(n), jc.FiniteVolume(), 0.002), final(build(n), jc.Spectral(), 0.004)) for n in (16, 32)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.35)
    assert errors[1] < 0.02


@pytest.mark.slow
def test_waves_grow_as_the_continuum_says():
    model = Model({"u": Species(1.0, {"v": Linear(40.0)})}, {"v": Signal(Production("u", 1.0, 1.0), diffusivity=20.0)})
    k = 2 * np.pi * 4 / 100
    values, vectors = np.linalg.eig(np.asarray(analysis.linearised(model, {"u": 1.0, "v": 1.0}, k)))
    grid = jc.Grid.box(0.0, 100.0, 32, jc.Periodic())
    wave = jnp.cos(k * grid.axes[0])
    start = [jc.initial.array(1 + 1e-7 * amplitude * wave) for amplitude in vectors[:, np.argmax(values)]]
    end = jc.solve(jc.Problem(model, grid, *start), jc.Spectral(), t1=0.5, dt=0.01).final
    grown = 2 * jnp.mean((end.density - 1) * wave) / (1e-7 * vectors[0, np.argmax(values)])
    assert float(jnp.log(grown)) / 0.5 == pytest.approx(0.76983708, rel=1e-6)


@pytest.mark.slow
def test_mass_is_exact_and_fields_are_cell_averages():
    problem = smooth(24)
    run = jc.solve(problem, jc.Spectral(), t1=0.4, dt=0.01, saveat=jc.SaveAt(every=10))
    mass = jnp.sum(run.ys.density, axis=(1, 2))
    np.testing.assert_allclose(mass, jnp.sum(problem.fields()[0]["rho"]), rtol=1e-14)
    method = jc.Spectral()
    start = method.snapshot(problem, method.init(problem))
    np.testing.assert_allclose(start.density, problem.fields()[0]["rho"], atol=1e-14)
    assert float(method.stable_dt(problem, method.init(problem))) > 0.01


@pytest.mark.slow
def test_gradients_agree_with_differences():
    def f(v):
        model = jc.models.keller_segel(v[0], v[1], v[2], decay=v[3], diffusivity=v[4])
        end = final(smooth(8, model=model), jc.Spectral(), 0.02)
        return jnp.sum(jnp.sin(3 * end.density) + end.signal**2)

    at, h = jnp.array([0.5, 1.5, 1.0, 0.7, 0.3]), 1e-5
    both = jax.jit(jax.value_and_grad(f))
    numeric = [(both(at + h * e)[0] - both(at - h * e)[0]) / (2 * h) for e in jnp.eye(5)]
    np.testing.assert_allclose(both(at)[1], numeric, rtol=1e-6)


class TestRefusals:
    def test_walls(self):
        box = jc.Grid.box((0.0, 0.0), (4.0, 3.0), (8, 8), [jc.Periodic(), jc.NoFlux()])
        with pytest.raises(TypeError, match=r"problems with walls: FiniteVolume would do; .*Periodic\(\)"):
            final(smooth(8, domain=box), jc.Spectral(), 0.1)

    def test_a_slaved_signal_that_is_consumed(self):
        model = Model({"rho": Species(1.0, {"c": Linear(1.0)})}, {"c": Signal(Consumption("rho"), 1.0, 0)})
        with pytest.raises(ValueError, match="'c' is slaved: it must diffuse, and decay at one rate everywhere"):
            final(smooth(8, model=model, signal=None), jc.Spectral(), 0.1)

    def test_a_density_that_turns_negative_is_told(self):
        spike = jc.initial.gaussian(mass=1.0, center=(2.0, 1.5), std=0.5)
        model = jc.models.keller_segel(1e-3, 5.0, 1.0)
        with pytest.raises(jc.SolveError, match="The density has become negative"):
            final(smooth(12, model=model, density=spike), jc.Spectral(), 0.02)

    @pytest.mark.parametrize("kept", [0.0, 1.5])
    def test_a_share_that_is_none(self, kept):
        with pytest.raises(ValueError, match="`kept`"):
            jc.Spectral(kept=kept)
