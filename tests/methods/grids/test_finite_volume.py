"""Finite volumes against exact solutions: orders as slopes, conservation, positivity, what goes wrong and when."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import shared
from shared import exponent

import jaxchemo as jc
from jaxchemo.analysis import boltzmann, diagnostics
from jaxchemo.methods.grids.semi_discrete import FieldState, SemiDiscrete
from jaxchemo.references import exact


class Wall(eqx.Module):
    """The exact density at a wall, as a function of time."""

    wave: object
    place: float

    def __call__(self, t):
        return self.wave(self.place, t)[0]


class Plane(eqx.Module):
    """S3: the plane wave of the linear law."""

    model: jc.models.Model = eqx.field(default_factory=lambda: jc.models.phks(0.7, 1.3))
    ends: tuple = (0.0, 4.0)

    def __call__(self, x, t):
        return exact.plane_wave(x, t, mobility=0.7, sensitivity=1.3, speed=0.9, ahead=1.0)


class Front(eqx.Module):
    """S4: the front of the logarithmic law."""

    model: jc.models.Model = eqx.field(default_factory=lambda: jc.models.log_consumption(0.5, 0.8, 1.2))
    ends: tuple = (-4.0, 4.0)

    def __call__(self, x, t):
        return exact.logarithmic_wave(x, t, mobility=0.5, sensitivity=0.8, behind=1.0, ahead=1.0, consumption=1.2)


WAVES = [Plane(), Front()]
NAMES = ["linear law", "logarithmic law"]
DISTANCE = 0.4  # time that the waves travel


def wave_problem(wave, n):
    low, high = wave.ends
    walls = tuple(jc.Dirichlet({"rho": Wall(wave, place)}) for place in (low, high))
    grid = jc.Grid.box(low, high, n, boundary=[walls])
    at = [jc.initial.function(lambda x, k=k: wave(x[..., 0], 0.0)[k]) for k in (0, 1)]
    return jc.Problem(wave.model, grid, *at)


def wave_error(wave, n, method, dt):
    problem = wave_problem(wave, n)
    end = jc.solve(problem, method, t1=DISTANCE, dt=dt).final
    rho, c = (problem.domain.average(lambda x, k=k: wave(x[..., 0], DISTANCE)[k]) for k in (0, 1))
    return float(jnp.max(jnp.abs(end.density - rho))), float(jnp.max(jnp.abs(end.signal - c)))


@functools.cache
def semi_discrete(kind):
    """The density of a wave at the end on 16 cells, without an error of time steps."""
    settings = dict(t1=DISTANCE, dt=DISTANCE)
    return jc.solve(wave_problem(kind(), 16), jc.FiniteVolume(jc.Adaptive(1e-12, 1e-13)), **settings).final.density


class TestWaves:
    @pytest.mark.slow
    @pytest.mark.parametrize("wave", WAVES, ids=NAMES)
    def test_second_order_in_space(self, wave):
        cells = [24, 48, 96, 192]
        method = jc.FiniteVolume(jc.Adaptive(rtol=1e-7, atol=1e-9))
        errors = np.array([wave_error(wave, n, method, DISTANCE) for n in cells])
        for kind in (0, 1):
            assert exponent(cells, errors[:, kind]) == pytest.approx(-2, abs=0.2)
        assert errors[-1].max() < 4e-4

    @pytest.mark.slow
    @pytest.mark.parametrize("wave", [pytest.param(WAVES[0], marks=pytest.mark.slow), WAVES[1]], ids=NAMES)
    @pytest.mark.parametrize("stepper", [jc.Euler(), jc.SSPRK2(), jc.SSPRK3(), jc.Strang()], ids=repr)
    def test_the_steppers_own_order_in_time(self, wave, stepper):
        # Against the semi-discrete solution on the same grid, so that the error of space is not in it.
        problem, reference = wave_problem(wave, 16), semi_discrete(type(wave))
        steps = DISTANCE / np.array([40, 80, 160])
        errors = []
        for dt in steps:
            end = jc.solve(problem, jc.FiniteVolume(stepper), t1=DISTANCE, dt=float(dt)).final
            errors.append(float(jnp.max(jnp.abs(end.density - reference))))
        assert exponent(steps, errors) == pytest.approx(stepper.order, abs=0.2)

    @pytest.mark.slow
    def test_an_implicit_solver_gives_the_same(self):
        import diffrax

        problem = wave_problem(Front(), 24)
        ends = [
            jc.solve(problem, jc.FiniteVolume(stepper), t1=DISTANCE, dt=DISTANCE).final.density
            for stepper in (jc.Adaptive(1e-9, 1e-11), jc.Adaptive(1e-9, 1e-11, solver=diffrax.Kvaerno5()))
        ]
        assert np.allclose(*ends, rtol=1e-7)


class TestManufactured:
    """S5: fields that solve the equations with sources, in two dimensions, on cells that are not square."""

    mobility, sensitivity = 0.3, 0.8

    def density(self, x, t):
        return 1 + 0.4 * jnp.cos(2 * jnp.pi * x[0]) * jnp.cos(jnp.pi * x[1]) * jnp.exp(-t)

    def signal(self, x, t):
        return 2 + 0.5 * jnp.sin(2 * jnp.pi * x[0]) * jnp.cos(jnp.pi * x[1]) * jnp.cos(t)

    def source(self, x, t):
        def flux(x):
            gradients = jax.grad(self.density)(x, t), jax.grad(self.signal)(x, t)
            return -self.mobility * gradients[0] + self.sensitivity * self.density(x, t) * gradients[1]

        rho, c = self.density(x, t), self.signal(x, t)
        rates = jax.grad(self.density, 1)(x, t), jax.grad(self.signal, 1)(x, t)
        return rates[0] + jnp.trace(jax.jacfwd(flux)(x)), rates[1] + rho * c

    def error(self, n):
        grid = jc.Grid.box((0.0, 0.0), (1.0, 1.0), (n, n // 2), boundary=[jc.Periodic(), jc.NoFlux()])
        system = SemiDiscrete(jc.models.phks(self.mobility, self.sensitivity), grid)

        def fields(t):
            return [grid.average(jnp.vectorize(lambda x, f=f: f(x, t), signature="(d)->()")) for f in self.both]

        def rates(state, t):
            rate, added = system.rates(state, t), jnp.vectorize(lambda x: self.source(x, t), signature="(d)->(),()")
            extra = [grid.average(lambda x, k=k: added(x)[k]) for k in (0, 1)]
            return FieldState({"rho": rate.density["rho"] + extra[0]}, {"c": rate.signal["c"] + extra[1]})

        steps = n * n // 16
        dt = 0.1 / steps
        start = FieldState(*({name: field} for name, field in zip(("rho", "c"), fields(0.0), strict=True)))
        end = jax.jit(
            lambda state: jax.lax.fori_loop(0, steps, lambda k, y: jc.SSPRK3().stages(rates, y, k * dt, dt), state)
        )(start)
        rho, c = fields(0.1)
        return float(jnp.max(jnp.abs(end.density["rho"] - rho))), float(jnp.max(jnp.abs(end.signal["c"] - c)))

    @property
    def both(self):
        return self.density, self.signal

    @pytest.mark.slow
    def test_second_order_in_space(self):
        cells = [16, 32, 64]
        errors = np.array([self.error(n) for n in cells])
        for kind in (0, 1):
            assert exponent(cells, errors[:, kind]) == pytest.approx(-2, abs=0.2), errors


def test_uniform_fields_follow_the_formula():
    for grid in (jc.Grid.box((0, 0), (1, 1), (4, 4)), jc.RadialGrid(1.0, 8, 3), jc.Grid.box(0, 1, 5, jc.Periodic())):
        start = dict(density=jc.initial.uniform(amplitude=0.7), signal=jc.initial.uniform(amplitude=2.0))
        problem = jc.Problem(jc.models.phks(0.1, 1.0, 1.5), grid, **start)
        end = jc.solve(problem, jc.FiniteVolume(), t1=1.0, dt=0.01).final
        rho, c = exact.uniform(1.0, density=0.7, signal=2.0, consumption=1.5)
        assert np.allclose(end.density, rho, rtol=1e-13) and np.allclose(end.signal, c, rtol=1e-12)


class TestSelfSimilar:
    """S2, from t = 1 to t = 2 on shells."""

    def run(self, n):
        profile = exact.self_similar(1.0, 1.0)
        grid = jc.RadialGrid(20.0, n, 2, stretching=2.0)
        at = [jc.initial.function(lambda x, f=f: f(x, 1.0)) for f in (profile.density, profile.signal)]
        problem = jc.Problem(jc.models.phks(1.0, 1.0), grid, *at)
        end = jc.solve(problem, jc.FiniteVolume(), t0=1.0, t1=2.0, dt="auto").final
        rho, c = (grid.average(lambda x, f=f: f(x, 2.0)) for f in (profile.density, profile.signal))
        apart = float(grid.integrate(jnp.abs(end.density - rho)) / grid.integrate(rho))
        return profile, diagnostics(problem)(end), apart, float(jnp.max(jnp.abs(end.signal - c)))

    @pytest.mark.slow
    def test_mass_spread_and_order(self):
        cells, errors = [50, 100, 200], []
        for n in cells:
            profile, found, apart, food = self.run(n)
            errors.append((apart, food))
        assert float(found["mass"]) == pytest.approx(profile.mass, rel=1e-6)
        assert float(found["second_moment"]) == pytest.approx(2 * profile.spread, rel=0.01)
        assert np.allclose([exponent(cells, column) for column in zip(*errors, strict=True)], -2, atol=0.25)


# S6: unit mass of std 0.5 in food exp(-r^2/2) at t = 0.5. mobility: second moment, rho(0), food, c(0), int rho ln rho
BLOB = {
    1.0: (3.24586, 0.073778, 15.50781, 0.915995, -4.36809),
    0.1: (0.706460, 0.512678, 15.40569, 0.752209, -2.07790),
}


def blob(grid, mobility):
    start = dict(density=jc.initial.gaussian(mass=1.0, std=0.5), signal=jc.initial.gaussian(amplitude=1.0, std=1.0))
    return jc.Problem(jc.models.phks(mobility, 1.0), grid, **start)


def at_the_middle(values, radii):
    # Even and smooth there, so two shells give it to fourth order.
    (a, b), (s, t) = values[:2], radii[:2] ** 2
    return float((a * t - b * s) / (t - s))


@pytest.mark.slow
@pytest.mark.parametrize("mobility", BLOB)
def test_one_blob_on_shells_against_the_reference(mobility):
    grid = jc.RadialGrid(8.0, 160, 3, stretching=2.0)
    problem = blob(grid, mobility)
    end = jc.solve(problem, jc.FiniteVolume(), t1=0.5, dt="auto").final
    found = diagnostics(problem)(end)
    values = (
        float(found["second_moment"]),
        at_the_middle(end.density, grid.radii),
        float(found["signal_mass"]),
        at_the_middle(end.signal, grid.radii),
        float(boltzmann(end.density, grid)),
    )
    assert values == pytest.approx(BLOB[mobility], rel=0.005)


@pytest.mark.slow
def test_one_blob_in_a_box_against_the_reference():
    grid = jc.Grid.box((-4,) * 3, (4,) * 3, (64,) * 3)
    problem = blob(grid, 0.1)
    end = jc.solve(problem, jc.FiniteVolume(), t1=0.5, dt="auto").final
    found = diagnostics(problem)(end)
    second, middle, _, food, _ = BLOB[0.1]
    assert float(found["second_moment"]) == pytest.approx(second, rel=0.02)
    assert float(end.density[31:33, 31:33, 31:33].mean()) == pytest.approx(middle, rel=0.02)
    assert float(end.signal[31:33, 31:33, 31:33].mean()) == pytest.approx(food, rel=0.02)
    # The box is narrower than the reference's ball: compare the food that was eaten, all of it near the middle.
    eaten = float(found["signal_mass"]) - float(grid.integrate(problem.signal["c"].on_grid(grid)))
    assert eaten == pytest.approx(15.40569 - (2 * np.pi) ** 1.5, rel=0.02)


def two_blobs(n=24, boundary=None, **changes):
    return shared.two_blobs(n, place=1.0, std=0.5, half=3.0, boundary=boundary, **changes)


class TestIdentities:
    @pytest.mark.slow
    @pytest.mark.parametrize("stepper", [jc.Strang(), jc.SSPRK3(), jc.Euler()], ids=repr)
    def test_mass_positivity_food_and_entropy_along_a_run(self, stepper):
        problem = two_blobs(64, signal=jc.initial.gaussian(amplitude=1.0, std=0.9))
        settings = dict(t1=0.4, dt=0.004, saveat=jc.SaveAt(every=2))
        run = jc.solve(problem, jc.FiniteVolume(stepper), **settings)
        assert np.all(run.ys.density > 0) and np.all(run.ys.signal >= 0)
        assert np.all(np.diff(run.ys.signal, axis=0) <= 0)
        watched = jax.vmap(diagnostics(problem))(run.ys)
        assert np.ptp(watched["mass"]) < 1e-12 * watched["mass"][0]
        energy, lost = np.asarray(watched["entropy"]), np.asarray(watched["entropy_dissipation"])
        assert np.all(np.diff(energy) < 0)
        balance = energy[-1] - energy[0] + np.trapezoid(lost, run.ts)
        assert abs(balance) < 0.02 * (energy[0] - energy[-1])

    @pytest.mark.slow
    def test_the_balance_of_the_entropy_becomes_exact_with_the_grid(self):
        off = []
        for n in (32, 64, 128):
            problem = two_blobs(n)
            settings = dict(t1=0.1, dt=0.0005, saveat=jc.SaveAt(every=5, fn=diagnostics(problem)))
            watched = jc.solve(problem, jc.FiniteVolume(), **settings).ys
            energy = watched["entropy"]
            times = np.linspace(0, 0.1, len(energy))
            off.append(abs(float(energy[-1] - energy[0] + np.trapezoid(watched["entropy_dissipation"], times))))
        assert exponent([32, 64, 128], off) == pytest.approx(-2, abs=0.4)

    @pytest.mark.slow
    @pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-12), (np.float32, 1e-5)])
    def test_mass_over_ten_thousand_steps(self, dtype, bound):
        base = two_blobs(24)
        start = {
            k: jc.initial.array(getattr(base, k)[name].on_grid(base.domain).astype(dtype))
            for k, name in (("density", "rho"), ("signal", "c"))
        }
        end = jc.solve(base.replace(**start), jc.FiniteVolume(), t1=20.0, dt=0.002).final
        assert end.density.dtype == dtype
        masses = [np.asarray(field, float).sum() for field in (start["density"].values, end.density)]
        assert abs(masses[1] / masses[0] - 1) <= bound

    @pytest.mark.parametrize("boundary", [jc.NoFlux(), jc.Periodic()], ids=repr)
    @pytest.mark.parametrize("stepper", [jc.Euler(), jc.SSPRK2(), jc.SSPRK3(), jc.Strang()], ids=repr)
    def test_positive_and_conservative_at_cell_peclet_100(self, boundary, stepper):
        problem = two_blobs(24, boundary, model=jc.models.phks(1e-3, 1.0))
        potential = np.asarray(problem.signal["c"].on_grid(problem.domain))
        assert np.max(np.abs(np.diff(potential, axis=0))) / 1e-3 > 100
        run = jc.solve(problem, jc.FiniteVolume(stepper), t1=0.5, dt="auto", saveat=jc.SaveAt(every=1))
        assert np.all(run.ys.density >= 0)
        assert np.allclose(run.ys.density.sum((1, 2)), run.ys.density[0].sum(), rtol=1e-13)

    @pytest.mark.slow
    def test_radial_and_box_agree_on_radial_data(self):
        start = dict(density=jc.initial.gaussian(mass=1.0, std=0.4), signal=jc.initial.gaussian(amplitude=2.0, std=0.8))
        shells = jc.Problem(jc.models.phks(0.1, 1.0), jc.RadialGrid(3.0, 200, 2), **start)
        box = jc.Problem(jc.models.phks(0.1, 1.0), jc.Grid.box((-3, -3), (3, 3), (144, 144)), **start)
        moments = [
            float(diagnostics(p)(jc.solve(p, jc.FiniteVolume(), t1=0.3, dt="auto").final)["second_moment"])
            for p in (shells, box)
        ]
        assert moments[0] == pytest.approx(moments[1], rel=2e-3)


class TestWhatGoesWrong:
    def test_an_unstable_step_says_when(self):
        end = jc.solve(two_blobs(), jc.FiniteVolume(), t1=2.0, dt=0.2, throw=False)
        assert end.result == jc.RESULTS.unstable_step
        failed = int(end.stats["failed_step"])
        before = jc.solve(two_blobs(), jc.FiniteVolume(), t1=0.2 * max(failed, 1), dt=0.2, throw=False)
        assert failed == 0 or before.result == jc.RESULTS.successful
        with pytest.raises(jc.SolveError, match=rf"Step {failed} .*stable one") as caught:
            jc.solve(two_blobs(), jc.FiniteVolume(), t1=2.0, dt=0.2)
        assert caught.value.solution.result == jc.RESULTS.unstable_step

    def test_a_nan_says_when(self):
        hole = jc.initial.function(lambda x: jnp.where(x[..., 0] > 2.9, jnp.nan, 1.0))
        end = jc.solve(two_blobs(signal=hole), jc.FiniteVolume(), t1=0.1, dt=0.01, throw=False)
        assert end.result == jc.RESULTS.nonfinite and int(end.stats["failed_step"]) == 0

    @pytest.mark.slow
    def test_the_advised_step_is_sharp(self):
        # Cells of one colour of a checkerboard lose all they have in 1/0.95 of the advised step, and no sooner.
        n = 16
        board = np.indices((n, n)).sum(0) % 2 * 1.0
        problem = two_blobs(n, jc.Periodic(), model=jc.models.phks(0.1, 0.0), density=jc.initial.array(board))
        method = jc.FiniteVolume(jc.Euler())
        state = method.init(problem)
        dt = float(jax.jit(method.stable_dt)(problem, FieldState(state.density, {"c": jnp.zeros((n, n))}))) / 0.95
        for factor, keeps in ((0.999, True), (1.001, False)):
            after, _ = jax.jit(method.step)(problem, state, 0, 0.0, jnp.asarray(factor * dt))
            assert bool(jnp.all(after.density["rho"] >= 0)) is keeps

    def test_auto_is_stable_and_whole(self):
        run = jc.solve(two_blobs(), jc.FiniteVolume(), t1=0.3, dt="auto")
        steps = int(run.stats["num_steps"])
        assert run.result == jc.RESULTS.successful and steps * float(run.stats["dt"]) == pytest.approx(0.3)

    def test_refuses_free_space_and_what_is_no_stepper(self):
        with pytest.raises(TypeError, match=r"the whole space: a large `jc.Grid.box\(...\)` stands for it"):
            jc.solve(two_blobs(domain=jc.FreeSpace(2)), jc.FiniteVolume(), t1=1.0, dt=0.1)
        with pytest.raises(TypeError, match="`stepper`"):
            jc.FiniteVolume("rk4")
