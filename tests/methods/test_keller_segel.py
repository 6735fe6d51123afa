"""Signals that diffuse, in time or at once: dispersion, exact laws, orders, and what stays positive."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shared import exponent

import jaxchemo as jc
from jaxchemo.models import Consumption, Linear, Logistic, Model, Monod, Production, Signal, Species, Sum, Uptake

# The lecture's own grid is too coarse for its spikes, which is said and tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore:The cells of the grid")

STEPPERS = [
    jc.Strang(),
    jc.Strang(spreading=jc.CrankNicolson()),
    jc.Strang(spreading=jc.ImplicitEuler()),
    jc.SSPRK2(),
    jc.IMEXEuler(),
    jc.IMEXRosenbrock(),
]


def lecture(chi=40.0, diffusivity=20.0, relaxation=1.0):
    """The one-dimensional system of the lecture notes."""
    v = Signal(Production("u", 1.0, 1.0), diffusivity=diffusivity, relaxation=relaxation)
    return Model({"u": Species(1.0, {"v": Linear(chi)})}, {"v": v})


def rates_of_growth(mode, n, length, relaxation):
    """Eigenvalues and vectors of the lecture's system on a grid, about the uniform state 1."""
    q = (2 - 2 * np.cos(2 * np.pi * mode / n)) / (length / n) ** 2
    if relaxation == 0:  # the signal follows: (1 + 20 q) v = u
        return np.array([-q + 40 * q / (1 + 20 * q)]), np.array([[1.0], [1 / (1 + 20 * q)]])
    values, vectors = np.linalg.eig(np.array([[-q, 40 * q], [1 / relaxation, -(1 + 20 * q) / relaxation]]))
    order = np.argsort(values)
    return values[order[::-1]], vectors[:, order[::-1]]


@pytest.mark.parametrize("relaxation", [1.0, 0.3, 0])
def test_small_waves_grow_as_the_discrete_dispersion_says(relaxation):
    n, length, mode = 200, 100.0, 4
    grid = jc.Grid.box(0.0, length, n, jc.Periodic())
    values, vectors = rates_of_growth(mode, n, length, relaxation)
    if relaxation == 1.0:  # of the continuum 0.76983708 and -3.09631191
        np.testing.assert_allclose(values, [0.7694, -3.0941], atol=1e-4)
    wave = jnp.cos(2 * np.pi * mode / length * grid.axes[0])
    u, v = (jc.initial.array(1 + 1e-7 * amplitude * wave) for amplitude in vectors[:, 0])
    problem = jc.Problem(lecture(relaxation=relaxation), grid, u, v if relaxation else None)
    end = jc.solve(problem, jc.FiniteVolume(jc.Adaptive(1e-11, 1e-17)), t1=0.5, dt=0.5).final
    grown = 2 * jnp.mean((end.density - 1) * wave) / (1e-7 * vectors[0, 0])
    assert float(jnp.log(grown) / 0.5) == pytest.approx(values[0], rel=1e-6)


@functools.cache
def in_waves(relaxation):
    """A problem, and its density at t = 0.2."""
    grid = jc.Grid.box(0.0, 4.0, 24)
    start = jc.initial.function(lambda x: 1 + 0.5 * jnp.cos(np.pi / 4 * x[..., 0]))
    problem = jc.Problem(lecture(8.0, 1.5, relaxation), grid, start, start if relaxation else None)
    return problem, jc.solve(problem, jc.FiniteVolume(jc.Adaptive(1e-11, 1e-13)), t1=0.2, dt=0.2).final.density


# At once, `spreading` takes no step: the first is enough.
@pytest.mark.slow
@pytest.mark.parametrize(
    "stepper, relaxation",
    [(stepper, 1.0) for stepper in STEPPERS] + [(stepper, 0) for stepper in (STEPPERS[0], *STEPPERS[3:])],
    ids=lambda value: repr(value)[:44],
)
def test_the_steppers_own_order_in_time(stepper, relaxation):
    problem, reference = in_waves(relaxation)
    steps, errors = 0.2 / np.array([50, 100, 200]), []
    for dt in steps:
        end = jc.solve(problem, jc.FiniteVolume(stepper), t1=0.2, dt=float(dt)).final
        errors.append(float(jnp.max(jnp.abs(end.density - reference))))
    order = 2 if relaxation == 0 and isinstance(stepper, jc.Strang) else stepper.order  # at once, it takes no step
    assert exponent(steps, errors) == pytest.approx(order, abs=0.15)


def advised(method, problem):
    """The step that a method says is stable at the start."""
    return float(jax.jit(lambda: method.stable_dt(problem, method.init(problem)))())


@pytest.mark.parametrize("stepper", [jc.IMEXEuler(), jc.IMEXRosenbrock()], ids=repr)
class TestImplicitDiffusion:
    def test_what_is_steady_stays_at_every_step(self, stepper):
        """`ln u - chi v` is constant: zero flux through every face, whatever the cells resolve."""
        grid = jc.Grid.box((0.0, 0.0), (4.0, 2.0), (12, 9))
        hill = jc.initial.function(lambda x: 2 + jnp.cos(np.pi / 4 * x[..., 0]) + 0.2 * x[..., 1] ** 2)
        model = Model({"u": Species(0.3, {"v": Linear(1.7)})}, {"v": Signal()})
        potential = hill.on_grid(grid)
        start = jc.initial.array(jnp.exp(1.7 * potential / 0.3))
        end = jc.solve(jc.Problem(model, grid, start, hill), jc.FiniteVolume(stepper), t1=5.0, dt=0.5).final
        np.testing.assert_allclose(end.density, start.on_grid(grid), rtol=1e-9)

    @pytest.mark.slow
    def test_diffusion_does_not_limit_the_step(self, stepper):
        grid = jc.Grid.box(0.0, 100.0, 400, jc.Periodic())
        wave = jc.initial.function(lambda x: 1 + 0.01 * jnp.cos(8 * np.pi / 100 * x[..., 0]))
        problem = jc.Problem(lecture(4.0), grid, wave, wave)
        explicit = jc.FiniteVolume(jc.SSPRK2())
        limit = advised(explicit, problem)
        found = jc.solve(problem, jc.FiniteVolume(stepper), t1=4.0, dt=0.04).final
        assert 20 * limit < 0.04
        reference = jc.solve(problem, jc.FiniteVolume(), t1=4.0, dt=0.005).final
        assert float(jnp.max(jnp.abs(found.density - reference.density))) < 2e-4
        assert float(grid.integrate(found.density)) == pytest.approx(100.0, rel=1e-12)

    def test_its_advice_knows_the_drift_only(self, stepper):
        grid = jc.Grid.box(0.0, 1.0, 10)
        slope = jc.initial.function(lambda x: 3.0 * x[..., 0])
        model = Model({"u": Species(1e-3, {"v": Linear(2.0)})}, {"v": Signal()})
        problem = jc.Problem(model, grid, jc.initial.uniform(amplitude=1.0), slope)
        method = jc.FiniteVolume(stepper)
        # Far from diffusion a cell is left at velocity / width = 6 / 0.1. With implicit Euler a wall that is all but
        # empty goes below zero in the third such step, so it is advised half.
        trials = 2 if isinstance(stepper, jc.IMEXEuler) else 1
        advice = advised(method, problem)
        assert advice == pytest.approx(0.95 / 60 / trials, rel=1e-2)
        assert jc.solve(problem, method, t1=20 * advice, dt=advice).result == jc.RESULTS.successful


def reacting():
    """Growth and kinetics that depend on themselves and on one another, and a signal of each kind."""
    nutrient = Signal(Uptake("u", 1.5, 0.4), diffusivity=0.3)
    enzyme = Signal(Sum(Production("u", 0.7, 0.2), Consumption("w", 0.3)), relaxation=0.5)
    cells = Species(0.1, {"nutrient": Linear(0.5)}, Monod("nutrient", 1.2, 0.3))
    others = Species(0.2, {"enzyme": Linear(0.3)}, Logistic(0.9, 2.0))
    return Model({"u": cells, "w": others}, {"nutrient": nutrient, "enzyme": enzyme})


@pytest.mark.slow
def test_reactions_that_depend_on_themselves_are_second_order_too():
    grid = jc.Grid.box(0.0, 2.0, 12)
    bump = jc.initial.function(lambda x: 0.6 + 0.4 * jnp.cos(np.pi / 2 * x[..., 0]))
    flat = jc.initial.uniform(amplitude=0.8)
    problem = jc.Problem(reacting(), grid, {"u": bump, "w": flat}, {"nutrient": flat, "enzyme": bump})
    ends = [
        jc.solve(problem, jc.FiniteVolume(stepper), t1=1.0, dt=dt).final
        for stepper, dt in [(jc.Adaptive(1e-11, 1e-13), 1.0), *((jc.Strang(), 1 / n) for n in (40, 80, 160))]
    ]
    reference, *found = (jnp.stack([*end.density.values(), *end.signal.values()]) for end in ends)
    errors = [jnp.max(jnp.abs(one - reference), axis=1) for one in found]
    slopes = -exponent([40, 80, 160], np.array(errors))
    np.testing.assert_allclose(slopes, 2, atol=0.15)


class TestEllipticPlane:
    """-lap c = rho: the second moment is linear in time, and steady profiles are known."""

    def gaussian(self, cells, radius=12.0, stretching=2.0):
        # The gradient of the signal inside a ball does not know where its wall is.
        grid = jc.RadialGrid(radius, cells, 2, jc.Dirichlet({"c": 0.0}), stretching=stretching)
        model = jc.models.keller_segel(1.0, 1.0, relaxation=0)
        return jc.Problem(model, grid, jc.initial.gaussian(mass=4 * np.pi, std=1.0))

    def test_half_the_critical_mass(self):
        centers = []
        for cells in (50, 100):
            problem = self.gaussian(cells)
            grid = problem.domain
            assert isinstance(grid, jc.RadialGrid)
            end = jc.solve(problem, jc.FiniteVolume(), t1=1.0, dt="auto").final
            mass = float(grid.integrate(end.density))
            assert mass == pytest.approx(float(grid.integrate(problem.fields()[0]["rho"])), rel=1e-12)
            square = grid.average(lambda x: jnp.sum(x**2, axis=-1))
            # From 2, by 4 mobility (1 - mass / critical mass) = 2 in a time 1.
            moment = float(grid.integrate(end.density * square)) / mass
            assert moment == pytest.approx(4, rel=0.01 * (50 / cells) ** 2)
            centers.append(float(end.density[0]))
        exact = centers[1] + (centers[1] - centers[0]) / 3
        assert exact == pytest.approx(1.275453, rel=2e-5)  # reference/keller_segel.md, 5.2

    @pytest.mark.slow
    def test_the_critical_profile_stays(self):
        grid = jc.RadialGrid(30.0, 120, 2, jc.Dirichlet({"c": 0.0}), stretching=5.0)
        profile = jc.initial.function(lambda x: 8 / (1 + jnp.sum(x**2, axis=-1)) ** 2)
        problem = jc.Problem(jc.models.keller_segel(1.0, 1.0, relaxation=0), grid, profile)
        density = problem.fields()[0]["rho"]
        end = jc.solve(problem, jc.FiniteVolume(), t1=0.2, dt="auto").final
        inner = grid.radii < 5
        assert float(jnp.max(jnp.abs(end.density / density - 1) * inner)) < 0.01

    def test_on_a_torus_the_mean_makes_nothing(self):
        grid = jc.Grid.box((0.0, 0.0), (1.0, 2.0), (12, 10), jc.Periodic())
        problem = jc.Problem(jc.models.keller_segel(1.0, 1.0, relaxation=0), grid, jc.initial.uniform(amplitude=3.0))
        end = jc.solve(problem, jc.FiniteVolume(), t1=0.1, dt=1e-3).final
        np.testing.assert_allclose(end.density, 3.0, rtol=1e-13)
        np.testing.assert_allclose(end.signal, 0.0, atol=1e-13)


@pytest.mark.parametrize("wall", [jc.NoFlux(), jc.Periodic()], ids=repr)
def test_the_amount_of_signal_is_exact(wall):
    grid = jc.Grid.box((0.0, 0.0), (3.0, 2.0), (12, 10), wall)
    model = jc.models.keller_segel(0.5, 1.0, relaxation=0.4, decay=0.7)
    start = jc.initial.gaussian(mass=2.0, center=(1.2, 0.9), std=0.4)
    signal = jc.initial.gaussian(amplitude=1.0, center=(2.0, 1.0), std=0.5)
    problem = jc.Problem(model, grid, start, signal)
    density, c = (fields[name] for fields, name in zip(problem.fields(), ("rho", "c"), strict=True))
    mass, before = grid.integrate(density), grid.integrate(c)
    end = jc.solve(problem, jc.FiniteVolume(), t1=0.3, dt=0.003).final
    kept = np.exp(-0.7 * 0.3 / 0.4)
    assert float(grid.integrate(end.density)) == pytest.approx(float(mass), rel=1e-13)
    assert float(grid.integrate(end.signal)) == pytest.approx(float(kept * before + mass / 0.7 * (1 - kept)), rel=1e-12)


@pytest.mark.parametrize("cells, peaks, highest", [(200, 9, 31.0), pytest.param(800, 8, 78.0, marks=pytest.mark.slow)])
def test_the_lecture_notes_pattern(cells, peaks, highest):
    grid = jc.Grid.box(0.0, 100.0, cells, jc.Periodic())
    noise = np.repeat(1 + 0.01 * (np.random.RandomState(0).rand(200) - 0.5), cells // 200)
    problem = jc.Problem(lecture(), grid, jc.initial.array(noise), jc.initial.array(noise))
    u = jc.solve(problem, jc.FiniteVolume(), t1=10.0, dt=0.2 / cells).final.density
    assert float(grid.integrate(u)) == pytest.approx(float(grid.integrate(jnp.asarray(noise))), rel=1e-12)
    assert 0 < float(jnp.min(u)) < 2e-4
    assert int(jnp.sum((u > jnp.roll(u, 1)) & (u > jnp.roll(u, -1)) & (u > 1))) == peaks
    assert float(jnp.max(u)) == pytest.approx(highest, rel=0.02)


def test_a_nutrient_that_is_held_at_the_wall_feeds_cells_that_stay_in():
    grid = jc.Grid.box(0.0, 1.0, 20, [(jc.Dirichlet({"n": 1.0}), jc.NoFlux())])
    model = Model({"u": Species(0.1, {"n": Linear(0.2)})}, {"n": Signal(Uptake("u", 0.5, 0.1), diffusivity=0.5)})
    problem = jc.Problem(model, grid, jc.initial.uniform(amplitude=2.0), jc.initial.uniform(amplitude=0.0))
    end = jc.solve(problem, jc.FiniteVolume(), t1=5.0, dt=0.005).final
    assert float(grid.integrate(end.density)) == pytest.approx(2.0, rel=1e-12)
    assert float(1.5 * end.signal[0] - 0.5 * end.signal[1]) == pytest.approx(1, abs=0.01)  # at the wall
    assert float(jnp.min(end.signal)) > 0
    assert bool(jnp.all(jnp.diff(end.signal) < 0)) and bool(jnp.all(jnp.diff(end.density) < 0))


@pytest.mark.slow
def test_gradients_pass_through_solves_and_spreading():
    grid = jc.Grid.box((0.0, 0.0), (3.0, 2.0), (9, 8))
    start = jc.initial.gaussian(mass=2.0, center=(1.2, 0.9), std=0.5)

    def f(v):
        waves = Signal(Production("rho", v[2], v[3]), diffusivity=v[4], relaxation=v[5])
        slaved = Signal(Production("rho", v[2], v[3]), diffusivity=v[4], relaxation=0)
        model = Model({"rho": Species(v[0], {"a": Linear(v[1]), "b": Linear(-0.3)})}, {"a": waves, "b": slaved})
        problem = jc.Problem(model, grid, start, {"a": jc.initial.uniform(amplitude=0.2)})
        end = jc.solve(problem, jc.FiniteVolume(), t1=0.2, dt=0.02, throw=False).final
        return jnp.sum(jnp.sin(3 * end.density)) + jnp.sum(end.signal["b"] ** 2)

    at, step = jnp.array([0.3, 1.2, 0.8, 0.5, 0.6, 0.7]), 1e-5
    both = jax.jit(jax.value_and_grad(f))
    numeric = [(both(at + step * e)[0] - both(at - step * e)[0]) / (2 * step) for e in jnp.eye(6)]
    np.testing.assert_allclose(both(at)[1], numeric, rtol=1e-6)


class TestRefusals:
    def solve(self, signal, grid=jc.Grid.box(0.0, 1.0, 8), stepper=jc.Strang()):
        model = Model({"rho": Species(1.0, {"c": Linear(1.0)})}, {"c": signal})
        start = None if signal.slaved else jc.initial.uniform(amplitude=1.0)
        problem = jc.Problem(model, grid, jc.initial.uniform(amplitude=1.0), start)
        return jc.solve(problem, jc.FiniteVolume(stepper), t1=0.1, dt=0.01)

    def test_a_slaved_signal_that_nothing_places(self):
        with pytest.raises(ValueError, match="'c' is slaved and does not diffuse: give it a `diffusivity`"):
            self.solve(Signal(Production("rho", 1.0, 1.0), relaxation=0))

    def test_a_slaved_signal_that_is_consumed(self):
        with pytest.raises(ValueError, match="'c' is slaved, so it must decay at one rate everywhere"):
            self.solve(Signal(Consumption("rho"), diffusivity=1.0, relaxation=0))

    def test_a_transform_on_shells(self):
        signal, ball = Signal(Production("rho"), diffusivity=1.0), jc.RadialGrid(1.0, 8, 2)
        with pytest.raises(TypeError, match=r"ExactLinear\(\) needs the transforms of a box; .* CrankNicolson\(\)"):
            self.solve(signal, ball, jc.Strang(spreading=jc.ExactLinear()))
        assert self.solve(signal, ball).result == jc.RESULTS.successful

    def test_a_spreading_that_is_none(self):
        with pytest.raises(TypeError, match="`spreading` must be ExactLinear"):
            jc.Strang(spreading="implicit")


@pytest.mark.parametrize("relaxation", [1.0, 0])
def test_production_may_differ_from_cell_to_cell(relaxation):
    grid, made = jc.Grid.box(0.0, 1.0, 24), jnp.linspace(0.5, 1.5, 24)
    model = Model(
        {"u": Species(0.3)}, {"v": Signal(Production("u", made, 1.0), diffusivity=0.2, relaxation=relaxation)}
    )
    flat = jc.initial.uniform(amplitude=1.0)
    problem = jc.Problem(model, grid, flat, flat if relaxation else None)
    signal = jc.solve(problem, jc.FiniteVolume(), t1=0.1, dt=0.01).final.signal
    assert float(jnp.mean(signal)) == pytest.approx(1.0, rel=1e-12)
    assert bool(jnp.all(jnp.diff(signal) > 0))
