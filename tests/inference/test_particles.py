"""Predictions by particles: their values, a grid's derivatives, and noise that is told."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import (
    Bins,
    Fit,
    Gaussian,
    LogNormal,
    ParticleSimulation,
    Posterior,
    SamplingNoise,
    Simulation,
    fit,
    fit_particles,
    laplace,
    sampling_noise,
)
from jaxchemo.inference.fitting import Step

GRID = jc.Grid.box(0.0, 1.0, 16)


def free(unknown):
    model = jc.models.Model({"u": jc.models.Species(unknown["mobility"])})
    return jc.Problem(model, GRID, jc.initial.gaussian(mass=1.0, center=0.4, std=0.12))


SEEN = {"ts": (0.05, 0.1), "observe": Bins.even(GRID, 4)}
FIELDS = Simulation(free, jc.FiniteVolume(), **SEEN, dt=0.01)
KEY, AT = jax.random.key(3), {"mobility": jnp.array(0.05)}


def particles(method=jc.ParticleField(64), num_runs=3, **settings):
    return ParticleSimulation(FIELDS, method, key=KEY, num_runs=num_runs, **settings)


@pytest.mark.slow
def test_the_value_is_the_mean_of_runs_and_its_error_is_theirs():
    predicted, result = particles()(AT)
    settings = {"t1": 0.1, "dt": 0.01, "saveat": jc.SaveAt(ts=SEEN["ts"], fn=SEEN["observe"])}
    solve = jax.jit(lambda key: jc.solve(free(AT), jc.ParticleField(64), **settings, key=key, throw=False).ys)
    runs = np.stack([solve(key) for key in jax.random.split(KEY, 3)])
    assert bool(result == jc.RESULTS.successful)
    np.testing.assert_allclose(predicted, runs.mean(0), rtol=1e-9)
    np.testing.assert_allclose(particles().error(AT), runs.std(0, ddof=1) / np.sqrt(3), rtol=1e-9, atol=1e-12)
    assert np.std(runs, axis=0).max() > 0.05  # so that a mean is not any one of them


def test_its_derivative_is_that_of_the_grid_and_its_value_is_not():
    def along(predict):
        return jax.jvp(lambda p: predict(p)[0], (AT,), ({"mobility": jnp.ones(())},))

    (value, slope), (of_grid, slope_of_grid) = jax.jit(lambda: (along(particles()), along(FIELDS)))()
    np.testing.assert_allclose(slope, slope_of_grid, rtol=1e-9, atol=1e-12)
    assert np.abs(slope).max() > 1 and np.abs(value - of_grid).max() > 0.01


@pytest.mark.slow
def test_derivatives_are_those_of_the_grid_in_reverse_mode_and_to_second_order():
    weights = jnp.arange(8.0)
    for derivative in (jax.grad, jax.hessian, lambda f: jax.grad(lambda p: jax.grad(f)(p)["mobility"])):
        both, grid = (
            jax.tree.leaves(jax.jit(derivative(lambda p, s=s: weights @ s(p)[0].ravel()))(AT))[0]
            for s in (particles(), FIELDS)
        )
        assert float(both) == pytest.approx(float(grid), rel=1e-9) and abs(float(grid)) > 0.1


@pytest.mark.slow
def test_paired_increments_have_less_noise():
    normal, paired = (
        particles(jc.ParticleField(64, increments=each), 8).error(AT) for each in (jc.Normal(), jc.Antithetic())
    )
    assert np.linalg.norm(paired) < 0.7 * np.linalg.norm(normal)


@pytest.mark.slow
def test_about_a_point_it_is_the_particles_there_and_moves_with_the_grid():
    about = particles().about(AT)
    np.testing.assert_allclose(about(AT)[0], particles()(AT)[0], rtol=1e-9)
    off = {"mobility": jnp.array(0.06)}
    np.testing.assert_allclose(about(off)[0] - about(AT)[0], FIELDS(off)[0] - FIELDS(AT)[0], atol=1e-9)


@pytest.mark.slow
def test_a_run_that_does_not_go_well_speaks_for_all():
    fast = {"mobility": jnp.array(1.0)}  # the grid's step is too long for it, that of particles is not
    assert bool(particles()(fast)[1] == jc.RESULTS.unstable_step)
    with pytest.raises(ValueError, match=r"`parameters`: no particles run with .* stable one"):
        particles().about(fast)


def test_the_noise_of_a_fit_is_that_of_estimates_from_single_runs():
    """Where predictions are linear the estimate from each run is known, and its spread is what is told."""
    design = jnp.asarray(np.random.default_rng(1).normal(size=(2, 4, 2)))

    def linear(parameters, adjoint=None):
        return design @ jnp.stack([parameters["a"], parameters["b"]]), jc.RESULTS.successful

    about = particles().about(AT)
    seen = about.difference + 0.05 * jnp.asarray(np.random.default_rng(2).normal(size=(3, 2, 4)))
    linear_about = eqx.tree_at(lambda each: (each.particles, each.seen), about, (Linear(linear), seen))
    priors = {name: LogNormal(1.0, 2.0) for name in ("a", "b")}
    posterior = Posterior(priors, linear_about, jnp.ones((2, 4)), Gaussian(0.1))
    z = jnp.array([0.1, -0.2])
    jacobian = np.asarray(jax.jacfwd(posterior.residuals)(z), float)
    found = Fit(posterior, z, posterior.residuals(z), jacobian, (Step(1.0, 1, ""),), True, "")
    covariance = np.linalg.inv(jacobian.T @ jacobian + np.eye(2))
    estimates = np.stack([-covariance @ jacobian.T @ np.ravel(run) / 0.1 for run in seen])
    expected = estimates.std(0, ddof=1) / np.sqrt(3) / np.sqrt(np.diag(covariance))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        noise = sampling_noise(found)
    np.testing.assert_allclose(list(noise.relative.values()), expected, rtol=1e-6)
    error = np.std(seen, axis=0, ddof=1) / np.sqrt(3)
    assert noise.ratio == pytest.approx(np.sqrt(np.mean(error**2)) / 0.1, rel=1e-6)


class Linear(eqx.Module):
    """What stands for the grid in a correction."""

    simulation: object


def test_it_reads_as_what_it_is_made_of():
    assert repr(particles()).startswith("ParticleSimulation(simulation=Simulation(build=free, method=FiniteVolume(")
    assert ", key=key, num_runs=3, dt=0.01, build=free, " in repr(particles())


def test_advice_is_for_what_is_worst():
    noise = SamplingNoise(ratio=0.1, relative={"a": 0.4, "b": 0.2}, num_runs=8)
    assert noise.worst == 0.4 and noise.enough == 32  # for 0.2
    assert np.isnan(SamplingNoise(ratio=0.1, relative={"a": float("nan")}, num_runs=8).worst)


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match=r"`method` is FiniteVolume\(.* has no noise"):
        particles(jc.FiniteVolume())  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="`simulation` must be a Simulation on a grid"):
        ParticleSimulation(free, jc.ParticleField(64), key=KEY)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`num_runs` must be at least 2, got 1"):
        particles(num_runs=1)
    with pytest.raises(ValueError, match=r"predictions of the shapes \(2, 64, 1\), the grid to \(2, 4\): `observe`"):
        particles(observe=lambda shown: shown.positions)(AT)
    with pytest.raises(TypeError, match=r"ParticleSimulation\(simulation, method, key=...\) predicts by particles"):
        Simulation(free, jc.ParticleField(64), **SEEN, dt=0.01)
    posterior = Posterior({"mobility": LogNormal(0.05, 2.0)}, FIELDS, jnp.ones((2, 4)), Gaussian(0.1))
    with pytest.raises(TypeError, match=r"`posterior.predict` must be a ParticleSimulation, as others need only `fit`"):
        fit_particles(posterior)


# --- whole fits, on a problem whose particles follow the food that they eat ----------------------------------------

TRUTH, PRIORS = (
    {"mobility": 0.1, "sensitivity": 1.0},
    {"mobility": LogNormal(0.2, 2.0), "sensitivity": LogNormal(0.7, 2.0)},
)


def eaters(cells):
    grid = jc.Grid.box(-2.0, 2.0, cells)
    start, food = jc.initial.gaussian(mass=1.0, center=-0.7, std=0.4), jc.initial.gaussian(amplitude=2.0, std=0.6)

    def build(unknown):
        return jc.Problem(jc.models.phks(unknown["mobility"], unknown["sensitivity"]), grid, start, food)

    dt = 0.01 * (64 / cells) ** 2
    return Simulation(build, jc.FiniteVolume(), ts=(0.2, 0.4), observe=Bins.even(grid, 16), dt=dt)


def posed(num_particles, num_runs=8):
    clean, _ = jax.jit(eaters(128))(TRUTH)
    data = clean + 0.03 * jax.random.normal(jax.random.key(1), clean.shape)
    predict = ParticleSimulation(eaters(64), jc.ParticleField(num_particles), key=KEY, num_runs=num_runs)
    return Posterior(PRIORS, predict, data, Gaussian(0.03))


@pytest.mark.slow
def test_a_fit_to_particles_is_at_rest_and_near_the_truth():
    posterior = posed(4_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit_particles(posterior, progress=False)
    assert found.converged
    # With the particles' own residuals, at its end, a step by the grid's derivatives is short.
    residuals = np.asarray(posterior.residuals(found.z), float)
    covariance = np.linalg.inv(found.jacobian.T @ found.jacobian + np.eye(2))
    step = covariance @ (found.jacobian.T @ residuals + np.asarray(found.z))
    sd = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(step) < 0.3 * sd)
    known = laplace(found)
    np.testing.assert_allclose(known.std, sd, rtol=1e-5)
    assert np.all(np.abs(found.z - posterior.whitened(TRUTH)) < 4 * sd)
    alone = fit(Posterior(PRIORS, eaters(64), posterior.data, Gaussian(0.03)), progress=False)
    assert np.any(np.abs(found.z - alone.z) > 0.3 * sd)  # that of the grid is another
    plain = fit(posterior, progress=False)
    assert plain.converged and np.all(np.abs(plain.z - found.z) < 0.5 * sd)


@pytest.mark.slow
def test_loud_particles_are_told_and_the_advice_helps():
    with pytest.warns(UserWarning, match=r"The noise of the particles is not small .* `num_runs=\d+`"):
        found = fit_particles(posed(400), progress=False)
    with pytest.warns(UserWarning, match="not small"):
        told = sampling_noise(found)
    assert told.worst > 0.3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        better = fit_particles(posed(400, told.enough), progress=False)
        assert sampling_noise(better).worst < 0.3
