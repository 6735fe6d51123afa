"""Finite volumes with numbers that change in time: exact solutions, orders, masses, gradients, advice on the step."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.models import Linear, Logistic, Model, PiecewiseLinear, PowerLaw, Production, Sigmoid, Signal, Species

STEPPERS = [jc.Euler(), jc.SSPRK2(), jc.SSPRK3(), jc.Strang(), jc.IMEXEuler(), jc.IMEXRosenbrock()]
NAMES = [repr(stepper) for stepper in STEPPERS]
GRID = jc.Grid.box(-1.0, 1.0, 64)
BUMP = jc.initial.gaussian(mass=1.0, center=0.0, std=0.1)


def integral(late, t):
    """Of a sigmoid that begins at zero, from 0 to t."""
    after, time, width = (float(number) for number in (late.after, late.time, late.width))
    return after * width * (np.logaddexp(0, (t - time) / width) - np.logaddexp(0, -time / width))


def end(model, stepper, t1, steps, start=BUMP, grid=GRID, t0=0.0, signal=None):
    problem = jc.Problem(model, grid, start, signal)
    return jc.solve(problem, jc.FiniteVolume(stepper), t0=t0, t1=t1, dt=(t1 - t0) / steps).final


def order(errors):
    return [np.log2(coarse / fine) for coarse, fine in itertools.pairwise(errors)]


@pytest.mark.parametrize("stepper", STEPPERS, ids=NAMES)
def test_a_gaussian_spreads_by_the_integral_of_its_mobility(stepper):
    """Cells of one size add exactly twice the mobility to the variance, so that only the error in time is left."""
    late = Sigmoid(0.0, 0.01, time=0.8, width=0.2)
    x = GRID.centers[..., 0]
    errors = []
    for steps in (30, 60, 120):
        density = end(Model({"u": Species(late)}), stepper, 1.0, steps).density
        start = jc.Problem(Model({"u": Species(late)}), GRID, BUMP).fields()[0]["u"]
        assert float(GRID.integrate(density)) == pytest.approx(1.0, abs=1e-13)
        gained = float(GRID.integrate(x**2 * (density - start)))
        errors.append(abs(gained - 2 * integral(late, 1.0)))
    # Of SSPRK3 too: its stages are Simpson's rule, which is of fourth order for what depends on the time alone.
    assert min(order(errors)) > stepper.order - 0.3


@pytest.mark.parametrize("stepper", STEPPERS, ids=NAMES)
def test_logistic_growth_follows_its_closed_form(stepper):
    late = Sigmoid(0.0, 3.0, time=0.8, width=0.2)
    model = Model({"u": Species(0.1, growth=Logistic(late, 2.0))})
    exact = 2 / (1 + (2 / 0.3 - 1) * np.exp(-integral(late, 1.0)))
    even = jc.initial.uniform(amplitude=0.3)
    grid = jc.Grid.box(0.0, 1.0, 4)
    errors = [abs(float(end(model, stepper, 1.0, n, even, grid).density[0]) - exact) for n in (20, 40, 80)]
    assert min(order(errors)) > stepper.order - 0.3


def test_a_delay_of_everything_is_another_clock():
    """Where mobility and growth have one factor of time, the solution is the old one at the integral of the factor."""
    delay = Sigmoid(0.0, 1.0, time=0.6, width=0.2)
    scaled = [Sigmoid(0.0, number, delay.time, delay.width) for number in (0.01, 1.5)]

    def model(mobility, growth):
        return Model({"u": Species(mobility, growth=Logistic(growth, 5.0), motility=PowerLaw(1.5, 4.0))})

    late = end(model(*scaled), jc.SSPRK3(), 1.5, 600).density
    plain = end(model(0.01, 1.5), jc.SSPRK3(), integral(delay, 1.5), 600).density
    np.testing.assert_allclose(late, plain, atol=2e-7)


def everything(slaved):
    """Every kind of number changes."""
    rising, falling = Sigmoid(0.5, 2.0, 0.05, 0.02), PiecewiseLinear([0.0, 0.1], [2.0, 1.0])
    made = Production("u", rising, decay=falling)
    signal = Signal(made, falling, relaxation=0) if slaved else Signal(made, falling, relaxation=rising)
    return Model({"u": Species(PiecewiseLinear([0.0, 0.1], [0.1, 0.3]), {"c": Linear(rising)})}, {"c": signal})


@pytest.mark.parametrize("slaved", [True, False], ids=["slaved", "free"])
@pytest.mark.parametrize("stepper", STEPPERS, ids=NAMES)
def test_each_stepper_keeps_its_order_and_the_mass(stepper, slaved):
    free = None if slaved else jc.initial.uniform(amplitude=1.0)
    grid, start = jc.Grid.box(-1.0, 1.0, 16), jc.initial.gaussian(mass=1.0, center=0.2, std=0.15)
    model, mass = everything(slaved), float(grid.integrate(start.on_grid(grid)))
    exact = end(model, jc.Adaptive(1e-11, 1e-13), 0.1, 1, start, grid, signal=free)
    errors = []
    for steps in (40, 80, 160):
        found = end(model, stepper, 0.1, steps, start, grid, signal=free)
        assert float(grid.integrate(found.density)) == pytest.approx(mass, rel=1e-13)
        errors.append(float(jnp.max(jnp.abs(found.density - exact.density))))
    assert errors[-1] < 3e-3
    assert min(order(errors)) > stepper.order - 0.35


def test_a_schedule_that_is_constant_is_a_number():
    still = PiecewiseLinear([0.0, 1.0], [0.1, 0.1])
    signal = jc.initial.uniform(amplitude=1.0)
    found = [
        end(jc.models.keller_segel(mobility, 2.0, 1.0, 0.5), jc.Strang(), 0.1, 100, signal=signal)
        for mobility in (still, 0.1)
    ]
    np.testing.assert_allclose(found[0].density, found[1].density, rtol=1e-12)


def test_a_run_may_begin_at_any_time():
    """Two runs, the second from where the first has ended, are one; also where the signal follows at once."""
    model, grid = everything(slaved=True), jc.Grid.box(-1.0, 1.0, 16)
    start = jc.initial.gaussian(mass=1.0, center=0.2, std=0.15)
    whole = end(model, jc.SSPRK2(), 0.1, 100, start, grid)
    half = end(model, jc.SSPRK2(), 0.05, 50, start, grid)
    rest = end(model, jc.SSPRK2(), 0.1, 50, jc.initial.array(half.density), grid, t0=0.05)
    np.testing.assert_allclose(rest.density, whole.density, rtol=1e-12)


@pytest.mark.parametrize("stepper", [jc.Strang(), jc.SSPRK3(), jc.IMEXRosenbrock()], ids=repr)
def test_the_advice_on_a_step_looks_ahead(stepper):
    """What hardly moves at first limits no step, but will."""
    late = Model({"u": Species(Sigmoid(1e-6, 0.05, time=0.1, width=0.01), growth=Logistic(1.0))})
    problem, method = jc.Problem(late, GRID, BUMP), jc.FiniteVolume(stepper)
    advised = float(method.stable_dt(problem, method.init(problem)))
    then = problem.replace(model=late.at(1.0))
    assert advised == pytest.approx(float(method.stable_dt(then, method.init(then))), rel=1e-6)
    assert bool(jc.solve(problem, method, t1=0.3, dt="auto").result == jc.RESULTS.successful)


@pytest.mark.parametrize("stepper", STEPPERS, ids=NAMES)
def test_single_precision_stays_single(stepper):
    model = Model({"u": Species(Sigmoid(0.0, 0.01, 0.5, 0.1), growth=Logistic(Sigmoid(0.0, 0.01, 0.5, 0.1)))})
    start = jc.initial.array(np.ones(64, np.float32))
    assert end(model, stepper, 0.01, 10, start).density.dtype == jnp.float32


@pytest.mark.parametrize("stepper", [jc.Strang(), jc.SSPRK3(), jc.IMEXRosenbrock()], ids=repr)
def test_gradients_in_a_schedule_are_those_of_differences(stepper):
    numbers = jnp.array([0.02, 0.3, 0.05, 1.0])
    grid = jc.Grid.box(-1.0, 1.0, 24)
    wavy = jc.initial.array(1 + 0.5 * jnp.sin(3 * grid.centers[..., 0]))

    def misfit(numbers):
        after, time, width, growth = numbers
        mobility, speed = (Sigmoid(0.0, number, time, width) for number in (after, growth))
        model = Model({"u": Species(mobility, growth=Logistic(speed, 3.0), motility=PowerLaw(1.0))})
        density = end(model, stepper, 0.4, 40, wavy, grid).density
        return jnp.sum(density**2 * jnp.arange(24.0))

    gradient, forward = jax.grad(misfit)(numbers), jax.jacfwd(misfit)(numbers)
    run = jax.jit(misfit)
    steps = 1e-5 * jnp.diag(numbers)
    differences = [(run(numbers + s) - run(numbers - s)) / (2 * jnp.sum(s)) for s in steps]
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(forward, gradient, rtol=1e-8, atol=1e-10)
