"""Implicit diffusion on localised cells: positive to the round-off of its solves, with advice that works."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.methods.grids.finite_volume import ROUND_OFF

STEPPERS = [jc.IMEXRosenbrock(), jc.IMEXEuler()]
SLOW = pytest.mark.slow


def cells(grid, std=0.4, food=0.0, dtype=np.float64):
    """A narrow Gaussian, in food or in none."""
    parts = jc.initial.gaussian(amplitude=6.3, std=std), jc.initial.gaussian(amplitude=food, std=1.2)
    rho, c = (jc.initial.array(part.on_grid(grid).astype(dtype)) for part in parts)
    return jc.Problem(jc.models.phks(0.1, 1.0), grid, rho, c)


def box(ndim, n):
    return jc.Grid.box((-4.0,) * ndim, (4.0,) * ndim, (n,) * ndim)


@pytest.mark.parametrize(
    "grid",
    [box(2, 48), *(pytest.param(grid, marks=SLOW) for grid in (box(1, 128), box(3, 24), jc.RadialGrid(4.0, 64, 2)))],
    ids=lambda grid: f"{type(grid).__name__} {grid.shape}",
)
@pytest.mark.parametrize("stepper", [STEPPERS[0], pytest.param(STEPPERS[1], marks=SLOW)], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_localised_cells_are_not_refused(grid, stepper, dtype):
    problem = cells(grid, food=2.0, dtype=dtype)
    for dt in (1e-3, 1e-2):
        run = jc.solve(problem, jc.FiniteVolume(stepper), t1=20 * dt, dt=dt, saveat=jc.SaveAt(every=1))
        assert run.final.density.dtype == dtype
        lowest = np.asarray(run.ys.density).reshape(21, -1).min(1) / np.asarray(run.ys.density).reshape(21, -1).max(1)
        assert lowest.min() > -ROUND_OFF * np.finfo(dtype).eps
        mass = grid.integrate(run.ys.density[0])
        assert float(grid.integrate(run.final.density)) == pytest.approx(
            float(mass), rel=float(40 * np.finfo(dtype).eps)
        )


@pytest.mark.parametrize("stepper", [STEPPERS[0], pytest.param(STEPPERS[1], marks=SLOW)], ids=repr)
def test_a_step_that_is_really_too_large_is_still_told(stepper):
    end = jc.solve(cells(box(2, 48), food=4.0), jc.FiniteVolume(stepper), t1=0.3, dt=0.3, throw=False)
    assert end.result == jc.RESULTS.unstable_step
    density = end.final.density
    assert float(jnp.min(density)) < -1e3 * ROUND_OFF * np.finfo(float).eps * float(jnp.max(density))


@pytest.mark.slow
def test_a_narrow_peak_turns_negative_at_a_step_that_is_too_large():
    """Of two stages `2.414 K^2 - 1.414 K` of the shortest waves is left, less than nothing for K below 0.59."""
    point = np.zeros(64)
    point[32] = 1.0
    problem = cells(box(1, 64)).replace(density=jc.initial.array(point))
    method = jc.FiniteVolume(jc.IMEXRosenbrock())
    assert jc.solve(problem, method, t1=2.0, dt=1.0, throw=False).result == jc.RESULTS.unstable_step
    assert jc.solve(problem, method, t1=2.0, dt="auto").result == jc.RESULTS.successful


@pytest.mark.slow
@pytest.mark.parametrize("stepper", STEPPERS, ids=repr)
def test_auto_is_a_number_wherever_something_happens(stepper):
    method = jc.FiniteVolume(stepper)
    for problem in (cells(box(2, 48)), cells(box(2, 48), food=2.0), cells(jc.RadialGrid(4.0, 64, 2), food=2.0)):
        assert 0 < float(jax.jit(method.stable_dt)(problem, method.init(problem))) < 10
        assert jc.solve(problem, method, t1=1.0, dt="auto").result == jc.RESULTS.successful


@pytest.mark.parametrize("method", [jc.FiniteVolume(jc.IMEXRosenbrock()), jc.Spectral()], ids=["fv", "spectral"])
def test_where_nothing_happens_auto_is_one_step(method):
    flat = jc.initial.uniform(amplitude=1.0)
    grid = jc.Grid.box(0.0, 1.0, 8, jc.Periodic())
    model = jc.models.Model({"u": jc.models.Species(0.1, {"v": jc.models.Linear(1.0)})}, {"v": jc.models.Signal()})
    run = jc.solve(jc.Problem(model, grid, flat, flat), method, t1=3.0, dt="auto")
    assert int(run.stats["num_steps"]) == 1
    np.testing.assert_allclose(run.final.density, 1.0, rtol=1e-12)


def test_a_nan_on_shells_is_a_result():
    def run(bad):  # a value that is not known when the problem is built: it would be refused
        density = jc.initial.function(lambda x: jnp.where(x[..., 0] > 0.5, bad, 1.0))
        problem = cells(jc.RadialGrid(1.0, 8, 2)).replace(density=density, signal=jc.initial.uniform(amplitude=1.0))
        return jc.solve(problem, jc.FiniteVolume(jc.IMEXEuler()), t1=0.1, dt=0.05)

    end = jax.jit(run)(jnp.nan)
    assert end.result == jc.RESULTS.nonfinite and int(end.stats["failed_step"]) == 0
