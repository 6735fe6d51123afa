"""Derivatives along paths: right where paths are free, and never noise without a word."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import Pathwise, pathwise

WIDE = jc.Grid.box(-4.0, 4.0, 16)
KEY = jax.random.key(2)


def spread(parameters, key):
    """The mean square of the places of free particles, in a box that they do not fill."""
    model = jc.models.Model({"u": jc.models.Species(parameters["mobility"])})
    problem = jc.Problem(model, WIDE, jc.initial.gaussian(mass=1.0, std=0.5))
    x = jc.solve(problem, jc.ParticleField(256), t1=0.5, dt=0.1, key=key, throw=False).final.positions
    return jnp.mean(x**2)


def walk(parameters, key):
    """The mean square of free walkers after ten steps to t = 0.5."""
    steps = jax.random.normal(key, (10, 256))
    return jnp.mean((jnp.sqrt(2 * parameters["mobility"] * 0.05) * steps.sum(0)) ** 2)


def test_free_walkers_have_the_derivative_of_their_law():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pathwise(walk, {"mobility": 0.2}, key=KEY)
    error = float(found.error["mobility"])
    assert 0 < error < 0.1
    assert float(found.derivative["mobility"]) == pytest.approx(2 * 0.5, abs=4 * error)  # of 2 D t


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
def test_free_particles_have_the_derivative_of_their_law(reverse):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pathwise(spread, {"mobility": 0.2}, key=KEY, reverse=reverse)
    error = float(found.error["mobility"])
    assert error < 0.2
    assert float(found.derivative["mobility"]) == pytest.approx(2 * 0.5, abs=4 * error)  # of 2 D t
    assert float(found.value) == pytest.approx(0.25 + 2 * 0.2 * 0.5, abs=0.1)


def chaos(parameters, key):
    """Sixty turns of a map that doubles distances, from a place that the key chooses."""
    x = parameters["start"] + 0.1 * jax.random.uniform(key)
    for _ in range(60):
        x = 4 * x * (1 - x)
    return x


def test_chaos_is_told():
    with pytest.warns(UserWarning, match=r"paths are noise: their standard error over 8 runs is .* of that by 'start'"):
        found = pathwise(chaos, {"start": 0.3}, key=KEY)
    assert found.noise == ("start",) and abs(float(found.derivative["start"])) > 1e6


def test_a_derivative_that_is_not_finite_is_told():
    with pytest.warns(UserWarning, match="is nan of that by 'x'"):
        pathwise(lambda p, key: jnp.sqrt(p["x"] - p["x"]) + jax.random.normal(key), {"x": 1.0}, key=KEY)


def test_one_run_that_explodes_is_seen():
    """Alone it makes an error as large as the mean: a check that waited for more would not see it."""
    slopes = np.array([1.0, 1.0, 1.0, 1e9])
    mean, error = slopes.mean(), slopes.std(ddof=1) / 2
    assert error / mean == pytest.approx(1, rel=1e-6) and error / mean < 1
    assert Pathwise(jnp.zeros(()), {"x": mean}, {"x": error}, 4).noise == ("x",)


def test_means_and_errors_are_over_runs_for_arrays_and_each_parameter():
    def function(parameters, key):
        return parameters["scale"] * jax.random.normal(key, (3,)) + parameters["shift"] @ jnp.ones((2, 3))

    with pytest.warns(UserWarning, match=r"of that by 'scale'. More"):
        found = pathwise(function, {"scale": 2.0, "shift": jnp.array([1.0, 0.0])}, key=KEY, num_runs=5)
    drawn = np.stack([jax.random.normal(key, (3,)) for key in jax.random.split(KEY, 5)])
    np.testing.assert_allclose(found.derivative["scale"], drawn.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.error["scale"], drawn.std(0, ddof=1) / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(found.derivative["shift"], np.ones((3, 2)))
    assert found.relative["shift"] == 0


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`num_runs` must be at least 4, got 3"):
        pathwise(chaos, {"start": 0.3}, key=KEY, num_runs=3)
    with pytest.raises(TypeError, match=r"`parameters` must be a dict of at least one number by name, got 0.3"):
        pathwise(chaos, 0.3, key=KEY)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"`function` must return an array of real numbers, got \{"):
        pathwise(lambda p, key: {"x": p["x"]}, {"x": 0.3}, key=KEY)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="`key` must be a random key"):
        pathwise(chaos, {"start": 0.3}, key=0)  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
def test_few_particles_that_eat_are_told_and_many_on_few_cells_are_not():
    def end(num_particles, cells):
        grid = jc.Grid.box((-2.0, -2.0), (2.0, 2.0), (cells, cells))
        start, food = jc.initial.gaussian(mass=1.0, std=0.4), jc.initial.gaussian(amplitude=10.0, std=0.9)

        def density(parameters, key):
            problem = jc.Problem(jc.models.phks(0.1, parameters["sensitivity"]), grid, start, food)
            run = jc.solve(problem, jc.ParticleField(num_particles), t1=0.3, dt=0.01, key=key, throw=False)
            return jc.inference.Bins.even(grid, 8)(run.final)

        return density

    with pytest.warns(UserWarning, match="by 'sensitivity'"):
        few = pathwise(end(200, 64), {"sensitivity": 1.0}, key=KEY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        many = pathwise(end(8_000, 16), {"sensitivity": 1.0}, key=KEY)
    assert many.relative["sensitivity"] < 0.1 < few.relative["sensitivity"]
