"""Finite volumes by other face fluxes, and by a user's own: orders, mass, positivity, gradients, what goes wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.models import FluxLimited, Linear, Model, PowerLaw, Production, Signal, Species

FLUXES = [jc.ScharfetterGummel(), jc.Centred(), jc.Upwind()]


class Patankar(jc.AbstractFlux):
    """A user's own: the power law of Patankar (1980), with its coefficient free."""

    coefficient: jax.Array | float = 0.1

    def across(self, below, above, w):
        diffusing = jnp.maximum(0, 1 - self.coefficient * jnp.abs(w)) ** 5
        return w * jnp.where(w > 0, below, above) - diffusing * (above - below)


def in_a_hollow(cells, mobility=0.5, pull=1.0, start=0.6):
    """Cells in the field of force of a signal that nothing changes, `60 - pull x^2 / 2`: Ornstein and Uhlenbeck's."""
    model = Model({"rho": Species(mobility, {"c": Linear(1.0)})}, {"c": Signal()})
    grid = jc.Grid.box(-4.0, 4.0, cells)
    density = jc.initial.gaussian(mass=1.0, center=(1.0,), std=start)
    return jc.Problem(model, grid, density, jc.initial.function(lambda x: 60 - 0.5 * pull * x[..., 0] ** 2))


@pytest.mark.parametrize("flux, order", [*zip(FLUXES, (2, 2, 1), strict=True), (Patankar(), 2)], ids=repr)
def test_order_in_space_against_the_exact_solution(flux, order):
    cells, errors, t = [48, 96, 192], [], 0.5
    mean, variance = np.exp(-t), 0.36 * np.exp(-2 * t) + 0.5 * (1 - np.exp(-2 * t))
    for n in cells:
        problem = in_a_hollow(n)
        end = jc.solve(problem, jc.FiniteVolume(flux=flux), t1=t, dt=0.5 * (8 / n) ** 2 / 2).final
        exact = problem.domain.average(
            lambda x: jnp.exp(-((x[..., 0] - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
        )
        errors.append(float(jnp.max(jnp.abs(end.density - exact))))
    slope = np.polyfit(np.log(cells), np.log(errors), 1)[0]
    assert slope == pytest.approx(-order, abs=0.2), errors


def secreting(grid, law=Linear(1.0), **species):
    signal = Signal(Production("rho", 1.0, 1.0), 1.0, relaxation=1.0)
    model = Model({"rho": Species(0.5, {"c": law}, **species)}, {"c": signal})
    return jc.Problem(model, grid, jc.initial.gaussian(amplitude=0.6, std=0.5), jc.initial.uniform(amplitude=0.5))


BOX = jc.Grid.box((-2.0, -1.5), (2.0, 1.5), (16, 12), jc.Periodic())
SOLVED = {
    "diffusing signal": secreting(BOX),
    "limited": secreting(BOX, law=FluxLimited(Linear(1.0), 0.3)),
    "porous medium": secreting(BOX, motility=PowerLaw(1.0)),
    "shells": secreting(jc.RadialGrid(2.0, 20, ndim=3, stretching=2.0)),
    "volume filling": jc.Problem(
        jc.models.volume_filling(0.5, 1.5),
        BOX,
        jc.initial.gaussian(amplitude=0.5, std=0.5),
        jc.initial.uniform(amplitude=0.1),
    ),
    "consumed": jc.Problem(
        jc.models.phks(0.1, 1.0),
        jc.Grid.box((-2.0, -2.0), (2.0, 2.0), (16, 16)),
        jc.initial.gaussian(mass=1.0, std=0.5),
        jc.initial.gaussian(amplitude=1.0, std=0.9),
    ),
}
STEPPERS = [jc.Strang(), jc.SSPRK3(), jc.IMEXRosenbrock()]


@pytest.mark.parametrize("flux", FLUXES, ids=repr)
@pytest.mark.parametrize("name", [pytest.param(k, marks=[pytest.mark.slow] * (k != "shells")) for k in SOLVED])
def test_each_solves_what_finite_volumes_solve(name, flux):
    problem = SOLVED[name]
    steppers = STEPPERS if name == "diffusing signal" else STEPPERS[:2]
    ends = [jc.solve(problem, jc.FiniteVolume(one, flux), t1=0.1, dt="auto").final.density for one in steppers]
    mass = problem.domain.integrate(problem.density["rho"].on_grid(problem.domain))
    for end in ends:
        assert float(problem.domain.integrate(end)) == pytest.approx(float(mass), rel=1e-13)
        np.testing.assert_allclose(end, ends[0], atol=0.02 * float(ends[0].max()))
    usual = jc.solve(problem, jc.FiniteVolume(), t1=0.1, dt="auto").final.density
    np.testing.assert_allclose(ends[0], usual, atol=0.15 * float(usual.max()))


def steep(flux_peclet=40.0):
    """Cells that are carried at one speed into a wall, at any cell Peclet number."""
    model = Model({"rho": Species(0.1, {"c": Linear(1.0)})}, {"c": Signal()})
    grid = jc.Grid.box(0.0, 1.0, 32)
    block = jc.initial.function(lambda x: jnp.where(jnp.abs(x[..., 0] - 0.3) < 0.1, 1.0, 0.0))
    return jc.Problem(model, grid, block, jc.initial.function(lambda x: 0.1 * flux_peclet * 32 * x[..., 0]))


@pytest.mark.parametrize("stepper", [jc.Euler(), jc.SSPRK2(), jc.Strang(jc.SSPRK3())], ids=repr)
def test_upwind_is_positive_at_its_own_step_and_any_peclet_number(stepper):
    run = jc.solve(steep(), jc.FiniteVolume(stepper, jc.Upwind()), t1=0.005, dt="auto", saveat=jc.SaveAt(every=1))
    assert np.all(run.ys.density >= 0)
    assert np.allclose(run.ys.density.sum(1), run.ys.density[0].sum(), rtol=1e-13)
    method, problem = jc.FiniteVolume(stepper, jc.Upwind()), steep()
    # A cell loses 1 / h^2 times D (2 + |w|): sharp, so that a cell that is alone is empty after 1 / 0.95 of it.
    assert float(method.stable_dt(problem, method.init(problem))) == pytest.approx(0.95 / (0.1 * 32**2 * 42))


@pytest.mark.parametrize(
    "stepper", [jc.Strang(), jc.IMEXEuler(), pytest.param(jc.Adaptive(1e-6, 1e-8), marks=pytest.mark.slow)], ids=repr
)
def test_centred_says_that_it_became_negative(stepper):
    method = jc.FiniteVolume(stepper, jc.Centred())
    dt = "auto" if not isinstance(stepper, jc.Adaptive) else 1e-4
    end = jc.solve(steep(), method, t1=1e-3, dt=dt, throw=False)
    assert end.result == jc.RESULTS.negative_density
    assert bool(jnp.all(jnp.isfinite(end.final.density)))
    with pytest.raises(jc.SolveError, match=r"centred fluxes .*: more cells will do.* ScharfetterGummel or Upwind"):
        jc.solve(steep(), method, t1=1e-3, dt=dt)
    for other in (jc.ScharfetterGummel(), jc.Upwind()) if not stepper.implicit else ():
        end = jc.solve(steep(), jc.FiniteVolume(stepper, other), t1=1e-3, dt=dt, throw=False)
        assert end.result == jc.RESULTS.successful


@pytest.mark.slow
def test_centred_is_stable_at_its_own_step_beyond_a_peclet_number_of_two():
    """A smooth density in a hollow so steep that Peclet numbers rise to 8 where the cells are."""
    problem = in_a_hollow(64, mobility=0.05, pull=4.0, start=0.5)
    method = jc.FiniteVolume(jc.Euler(), jc.Centred())
    state = method.init(problem)
    dt = method.stable_dt(problem, state)
    fastest = 4.0 * (4.0 - 0.125)  # at the last inner face
    assert float(dt) == pytest.approx(0.95 * 2 * 0.05 / fastest**2, rel=0.05)

    def step(n, now):
        return method.step(problem, now, n, n * dt, dt)[0]

    end = jax.jit(lambda now: jax.lax.fori_loop(0, 4000, step, now))(state)
    assert float(jnp.max(jnp.abs(end.density["rho"]))) < 4.0  # the steady state is 3.57 high


def test_what_was_negative_from_the_start_is_not_the_fluxs():
    @jax.jit  # outside of it the problem itself says so
    def result(lift):
        problem = in_a_hollow(32).replace(density=jc.initial.function(lambda x: lift + jnp.sin(x[..., 0])))
        return jc.solve(problem, jc.FiniteVolume(flux=jc.Centred()), t1=0.01, dt=1e-3).result

    assert result(0.0) == jc.RESULTS.negative_input
    assert result(1.0) == jc.RESULTS.successful


@pytest.mark.slow
@pytest.mark.parametrize("flux", [*FLUXES, Patankar()], ids=repr)
def test_gradients_are_those_of_finite_differences(flux):
    def loss(numbers):
        model = jc.models.phks(numbers[0], numbers[1])
        start = jc.initial.gaussian(mass=1.0, std=0.5), jc.initial.gaussian(amplitude=numbers[2], std=0.9)
        problem = jc.Problem(model, jc.Grid.box((-2.0, -2.0), (2.0, 2.0), (12, 10)), *start)
        return jnp.sum(jc.solve(problem, jc.FiniteVolume(flux=flux), t1=0.1, dt=0.01).final.density ** 2)

    at, h = jnp.array([0.3, 1.0, 1.5]), 1e-5
    loss = jax.jit(loss)
    differences = [(loss(at + h * one) - loss(at - h * one)) / (2 * h) for one in jnp.eye(3)]
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(at), differences, rtol=1e-6)


@pytest.mark.slow
def test_a_users_own_under_jit_and_grad_in_a_number_of_its_own():
    problem = SOLVED["consumed"]

    @jax.jit
    def loss(coefficient):
        method = jc.FiniteVolume(flux=Patankar(coefficient))
        return jnp.sum(jc.solve(problem, method, t1=0.1, dt=0.01).final.density ** 2)

    plain = jc.solve(problem, jc.FiniteVolume(flux=Patankar()), t1=0.1, dt=0.01).final.density
    assert float(loss(0.1)) == pytest.approx(float(jnp.sum(plain**2)), rel=1e-12)
    slope, h = jax.grad(loss)(0.08), 1e-5
    assert float(slope) == pytest.approx(float(loss(0.08 + h) - loss(0.08 - h)) / (2 * h), rel=1e-6)
    auto = jc.solve(problem, jc.FiniteVolume(flux=Patankar()), t1=0.1, dt="auto")
    assert auto.result == jc.RESULTS.successful


def test_a_flux_is_checked_where_it_is_chosen():
    with pytest.raises(TypeError, match="`flux` must be a flux through faces such as Upwind"):
        jc.FiniteVolume(flux="upwind")
