"""SIPF: exact solutions, agreement with finite volumes, gradients, what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import shared
from scipy.special import exp1
from shared import exponent

import jaxchemo as jc

KEY = jax.random.key(0)


def two_blobs(n=32, **changes):
    return shared.two_blobs(n, **({"mass": 1.5, "std": 0.4} | changes))


def ensemble(problem, method, t1, dt, seeds):
    """The final snapshots of runs with different keys, stacked."""

    def one(key):
        return jc.solve(problem, method, t1=t1, dt=dt, key=key, adjoint=jc.Forward()).final

    return jax.vmap(one)(jax.random.split(KEY, seeds))


class TestNoTaxis:
    """S1: Gaussian cells that do not feel the food; the food that is left is known in closed form."""

    mobility, mass, std, t1 = 0.1, 3.0, 0.5, 1.0

    def problem(self, n):
        return two_blobs(
            n,
            model=jc.models.phks(self.mobility, 0.0),
            density=jc.initial.gaussian(mass=self.mass, std=self.std),
            signal=jc.initial.gaussian(amplitude=1.0, std=1.0),
        )

    def exact(self, grid):
        square = np.sum(np.asarray(grid.centers) ** 2, axis=-1)
        later = self.std**2 + 2 * self.mobility * self.t1
        exposure = (
            self.mass / (4 * np.pi * self.mobility) * (exp1(square / (2 * later)) - exp1(square / (2 * self.std**2)))
        )
        return np.exp(-square / 2) * np.exp(-exposure)

    @pytest.mark.slow
    def test_the_error_falls_as_one_over_the_root_of_the_number_of_particles(self):
        problem = self.problem(32)
        exact = self.exact(problem.domain)
        numbers = [500, 2_000, 8_000, 32_000]
        errors = []
        for number in numbers:
            method = jc.ParticleField(number, points=jc.initial.Random())
            food = ensemble(problem, method, self.t1, 0.02, 6).signal
            # The mean over seeds holds what is not sampling (time step, grid): the spread about it is what must fall.
            errors.append(float(jnp.sqrt(jnp.mean(jnp.var(food, axis=0)))))
        assert exponent(numbers, errors) == pytest.approx(-0.5, abs=0.1)
        assert np.linalg.norm(np.mean(food, 0) - exact) / np.linalg.norm(exact) < 0.02

    @pytest.mark.slow
    def test_the_error_is_first_order_in_the_step(self):
        # A histogram has the cell averages of the exposure in the mean, so that what is left is the error of the step.
        problem = self.problem(128)
        total = float(np.sum(self.exact(problem.domain)))
        steps = [0.2, 0.1, 0.05]
        method = jc.ParticleField(2**16, deposit_order=0)
        errors = [float(jnp.mean(ensemble(problem, method, self.t1, dt, 4).signal.sum((1, 2)))) - total for dt in steps]
        assert exponent(steps, np.abs(errors)) == pytest.approx(1.0, abs=0.2)

    @pytest.mark.slow
    def test_in_three_dimensions_the_food_left_is_the_closed_form(self):
        from scipy.special import erf

        grid = jc.Grid.box((-3,) * 3, (3,) * 3, (48,) * 3)
        problem = self.problem(32).replace(
            domain=grid, density=jc.initial.gaussian(mass=3.0, std=0.5), signal=jc.initial.uniform(amplitude=1.0)
        )
        r = np.sqrt(np.sum(np.asarray(grid.centers) ** 2, axis=-1))
        late = np.sqrt(0.25 + 2 * 0.1 * 0.5)
        exposure = 3 / (4 * np.pi * 0.1 * r) * (erf(r / (np.sqrt(2) * 0.5)) - erf(r / (np.sqrt(2) * late)))
        eaten = 1 - np.exp(-exposure)
        numbers, errors = [2**14, 2**16, 2**18], []
        for number in numbers:
            food = jc.solve(problem, jc.ParticleField(number), t1=0.5, dt=0.01, key=KEY).final.signal
            errors.append(distance(1 - food, eaten))
        # Nothing but sampling: no bias of grid, kernel or step shows down to two percent.
        assert exponent(numbers, errors) == pytest.approx(-0.5, abs=0.05)
        assert errors[-1] < 0.03


def distance(a, b):
    return float(jnp.linalg.norm(a - b) / jnp.linalg.norm(b))


@pytest.mark.slow
def test_agrees_with_finite_volumes_ever_better_as_particles_become_many():
    from jaxchemo.particles import mollify

    problem = two_blobs(64)
    # On the particles' own grid finite volumes err by 1.5%, more than many particles do: so on a finer one.
    fine = jc.solve(two_blobs(256), jc.FiniteVolume(), t1=0.5, dt=0.00125).final.density
    reference = mollify(fine.reshape(64, 4, 64, 4).mean((1, 3)), problem.domain, 0.25)
    distances = []
    for number in (1_000, 8_000, 64_000):
        method = jc.ParticleField(number, points=jc.initial.Random())
        ends = ensemble(problem, method, 0.5, 0.005, 3)
        # Finite volumes hold cell averages, so the particles are counted in cells.
        counted = [jc.initial.particles(x, mass=3.0).on_grid(problem.domain) for x in ends.positions]
        distances.append(np.mean([distance(mollify(u, problem.domain, 0.25), reference) for u in counted]))
        assert distances[-1] < 2.5 * number**-0.5  # as many independent samples of this density err by 2 / sqrt(P)
    assert exponent([1_000, 8_000, 64_000], distances) == pytest.approx(-0.5, abs=0.15)


@pytest.mark.slow
def test_all_forms_of_the_field_agree_where_steps_are_small():
    exposure, exponential, explicit = (
        jc.solve(
            two_blobs(), jc.ParticleField(4_000, update=u, interpolator=jc.BSpline(1)), t1=0.2, dt=0.001, key=KEY
        ).final.signal
        for u in (jc.Exposure(), jc.ExponentialUpdate(), jc.ExplicitUpdate())
    )
    assert distance(exponential, exposure) < 5e-3 and distance(explicit, exposure) < 5e-3


@pytest.mark.slow
@pytest.mark.parametrize("update", [jc.Exposure(), jc.ExponentialUpdate()], ids=repr)
@pytest.mark.parametrize("order", [0, 1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_food_only_falls_and_mass_is_exact(update, order):
    problem = two_blobs()
    method = jc.ParticleField(500, deposit_order=order, update=update)
    run = jc.solve(problem, method, t1=0.5, dt=0.05, key=KEY, saveat=jc.SaveAt(every=1))
    assert np.all(np.diff(run.ys.signal, axis=0) <= 0) and np.all(run.ys.signal >= 0)
    masses = run.ys.density.sum((1, 2)) * problem.domain.cell_volume
    assert np.allclose(masses, 3.0, rtol=1e-13)
    assert np.all(np.abs(run.ys.positions) <= 4)


@pytest.mark.slow
def test_a_gridded_initial_signal_is_felt_as_its_formula_is():
    problem = two_blobs(64)
    gridded = problem.replace(signal=jc.initial.array(problem.signal["c"].on_grid(problem.domain)))
    a, b = (jc.solve(p, jc.ParticleField(2_000), t1=0.2, dt=0.01, key=KEY).final.positions for p in (problem, gridded))
    assert np.max(np.abs(a - b)) < 1e-4


@pytest.mark.slow
def test_a_mollifier_spreads_the_density_and_its_width_is_what_it_says():
    problem = two_blobs(64, density=jc.initial.gaussian(mass=1.0, std=0.3))
    x = problem.domain.centers
    for mollifier in (jc.FixedWidth(0.4), jc.ModerateInteraction(40.0, beta=0.9)):
        width = mollifier.width(10_000, 2)
        state = jc.ParticleField(10_000, mollifier=mollifier).init(problem, key=KEY)
        density = jc.ParticleField(10_000, mollifier=mollifier).snapshot(problem, state).density
        second = problem.domain.integrate(density * jnp.sum(x**2, -1)) / problem.domain.integrate(density)
        cells = problem.domain.spacing[0] ** 2 * 2 / 6  # the variance of the deposit kernel itself
        assert float(second) == pytest.approx(2 * (0.3**2 + width**2) + cells, rel=0.03)
    assert jc.ModerateInteraction(1.0, 0.5).width(10_000, 2) == pytest.approx(0.1)


@pytest.mark.slow
def test_absorbing_walls_take_mass_out():
    grid = jc.Grid.box((-1, -1), (1, 1), (16, 16), boundary=jc.Dirichlet(0.0))
    problem = two_blobs(domain=grid, density=jc.initial.uniform(mass=1.0), signal=jc.initial.uniform(amplitude=0.0))
    fields = jc.solve(problem, jc.FiniteVolume(), t1=0.5, dt=0.005).final.density
    end = jc.solve(problem, jc.ParticleField(5_000), t1=0.5, dt=0.001, key=KEY).final
    assert float(end.weights.sum()) < 0.75
    # Particles that cross and come back within a step are missed: an error of the root of the step.
    assert float(end.weights.sum()) == pytest.approx(float(grid.integrate(fields)), rel=0.05)


@pytest.mark.slow
def test_walls_reflect_and_periodic_axes_wrap():
    for boundary in (jc.NoFlux(), jc.Periodic()):
        grid = jc.Grid.box((-1, -1), (1, 1), (16, 16), boundary=boundary)
        problem = two_blobs(domain=grid, density=jc.initial.uniform(mass=1.0), signal=jc.initial.uniform(amplitude=1.0))
        end = jc.solve(problem, jc.ParticleField(20_000), t1=1.0, dt=0.05, key=KEY).final
        assert np.all(np.abs(end.positions) <= 1)
        counts = np.histogram(np.asarray(end.positions)[:, 0], 8, (-1, 1))[0]
        assert np.max(np.abs(counts - 2500)) < 5 * np.sqrt(2500)  # a uniform cloud stays uniform up to the wall


class TestGradients:
    method = jc.ParticleField(100)

    def functional(self, problem, method=None, adjoint=jc.Remat()):
        end = jc.solve(problem, method or self.method, t1=0.1, dt=0.02, key=KEY, adjoint=adjoint).final
        x = end.positions
        return jnp.mean(jnp.sum(x**2, axis=1)) + jnp.mean(jnp.sin(x[:, 0])) + 0.1 * jnp.sum(end.signal) / 1024

    def check(self, f, at, directions):
        """The gradient of `f`, along each direction, against central differences."""
        both = jax.jit(jax.value_and_grad(f))
        gradient = both(at)[1]
        for direction in directions:
            numeric = (both(at + 1e-6 * direction)[0] - both(at - 1e-6 * direction)[0]) / 2e-6
            analytic = float(jnp.vdot(gradient, direction))
            assert analytic == pytest.approx(float(numeric), rel=1e-5)
            assert abs(analytic) > 1e-6

    @pytest.mark.slow
    @pytest.mark.parametrize("adjoint", [jc.Remat(), pytest.param(jc.Direct(), marks=pytest.mark.slow)], ids=repr)
    def test_in_every_leaf_of_the_model(self, adjoint):
        self.check(
            lambda v: self.functional(two_blobs(model=jc.models.phks(*v)), adjoint=adjoint),
            jnp.array([0.1, 1.0, 1.0]),
            np.eye(3),
        )

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "method",
        [
            jc.ParticleField(200, deposit_order=2, update=jc.ExponentialUpdate(), interpolator=jc.CubicSpline()),
            jc.ParticleField(200, deposit_order=3, update=jc.ExplicitUpdate(), interpolator=jc.BSpline(3)),
            jc.ParticleField(200, mollifier=jc.FixedWidth(0.3), increments=jc.ThreePoint()),
        ],
        ids=["exponential", "explicit", "mollified"],
    )
    def test_for_other_choices(self, method):
        self.check(
            lambda v: self.functional(two_blobs(model=jc.models.phks(*v)), method), jnp.array([0.1, 1.0]), np.eye(2)
        )

    @pytest.mark.slow
    def test_in_forward_mode(self):
        def f(v):
            return self.functional(two_blobs(model=jc.models.phks(0.1, v)), adjoint=jc.Forward())

        tangent = jax.jvp(f, (jnp.array(1.0),), (jnp.array(1.0),))[1]
        backward = jax.grad(lambda v: self.functional(two_blobs(model=jc.models.phks(0.1, v))))(jnp.array(1.0))
        assert float(tangent) == pytest.approx(float(backward), rel=1e-10)

    @pytest.mark.slow
    def test_in_the_initial_conditions(self):
        def f(v):
            density = jc.initial.gaussian(mass=v[0], center=(v[1], 0.0), std=v[2])
            signal = jc.initial.gaussian(amplitude=v[3], std=v[4])
            return self.functional(two_blobs(density=density, signal=signal))

        self.check(f, jnp.array([3.0, 0.5, 0.4, 4.0, 0.9]), np.eye(5))

    @pytest.mark.slow
    def test_in_the_initial_positions(self):
        start = two_blobs().density["rho"].sample(jax.random.key(5), 100, two_blobs().domain)
        direction = jax.random.normal(jax.random.key(3), start.shape)
        self.check(lambda x: self.functional(two_blobs(density=jc.initial.particles(x, mass=3.0))), start, [direction])

    @pytest.mark.slow
    def test_through_a_histogram_it_misses_how_particles_change_the_food(self):
        # The docstring says so; with order 1 the same derivative of the food in the starting point is right.
        def food(v, order):
            density = jc.initial.gaussian(mass=3.0, center=(v, 0.0), std=0.4)
            method = jc.ParticleField(200, deposit_order=order)
            end = jc.solve(two_blobs(density=density), method, t1=0.1, dt=0.02, key=KEY).final
            return jnp.sum(end.signal * two_blobs().domain.centers[..., 0])

        histogram, cloud = (float(jax.grad(food)(jnp.array(0.3), order)) for order in (0, 1))
        numeric = (food(0.3 + 1e-6, 1) - food(0.3 - 1e-6, 1)) / 2e-6
        # All that is left is what of the mass a wall cuts off as the blob moves: some 1e-18 of it.
        assert abs(histogram) < 1e-15
        assert cloud == pytest.approx(float(numeric), rel=1e-5) and abs(cloud) > 0.1


@pytest.mark.slow
def test_a_batch_of_parameters_is_a_loop_over_them():
    def end(chi):
        problem = two_blobs(model=jc.models.phks(0.1, chi))
        return jc.solve(problem, jc.ParticleField(300), t1=0.1, dt=0.02, key=KEY).final.positions

    chis = jnp.array([0.5, 1.0, 2.0])
    assert np.allclose(jax.vmap(end)(chis), jnp.stack([end(chi) for chi in chis]), rtol=1e-12, atol=1e-13)


@pytest.mark.slow
def test_a_batch_of_keys_is_a_loop_over_them():
    def end(key):
        return jc.solve(two_blobs(), jc.ParticleField(300), t1=0.1, dt=0.02, key=key).final.positions

    keys = jax.random.split(KEY, 3)
    assert np.allclose(jax.vmap(end)(keys), jnp.stack([end(key) for key in keys]), rtol=1e-12, atol=1e-13)


@pytest.mark.slow
def test_two_species_may_share_one_food():
    model = jc.models.Model(
        {"a": jc.models.Species(0.1, {"c": jc.models.Linear(1.0)}), "b": jc.models.Species(0.05)},
        {"c": jc.models.Signal(jc.models.Sum(jc.models.Consumption("a"), jc.models.Consumption("b", 2.0)))},
    )
    density = {name: jc.initial.gaussian(mass=1.0, std=0.5) for name in "ab"}
    problem = two_blobs(model=model, density=density)
    with pytest.raises(TypeError, match=r"Exposure\(\) represents a signal that is only consumed"):
        jc.solve(problem, jc.ParticleField(100), t1=0.1, dt=0.1, key=KEY)
    particles = jc.solve(
        problem, jc.ParticleField(20_000, update=jc.ExponentialUpdate()), t1=0.2, dt=0.005, key=KEY
    ).final
    fields = jc.solve(problem, jc.FiniteVolume(), t1=0.2, dt=0.005).final
    assert set(particles.density) == {"a", "b"}
    assert distance(particles.signal, fields.signal) < 0.02


class TestRefuses:
    def test_a_missing_key(self):
        with pytest.raises(ValueError, match="`key` is missing"):
            jc.solve(two_blobs(), jc.ParticleField(10), t1=1.0, dt=0.1)

    def test_a_radial_grid(self):
        problem = two_blobs(
            domain=jc.RadialGrid(4.0, 32, 2),
            density=jc.initial.gaussian(mass=1.0, std=0.4),
            signal=jc.initial.uniform(amplitude=1),
        )
        with pytest.raises(
            TypeError, match="`domain`: ParticleField does not solve problems with a radial grid: FiniteVolume would do"
        ):
            jc.solve(problem, jc.ParticleField(10), t1=1.0, dt=0.1, key=KEY)

    def test_a_signal_that_diffuses(self):
        with pytest.raises(TypeError, match="signals that diffuse in time: FiniteVolume would do"):
            jc.solve(two_blobs(model=jc.models.keller_segel(1.0, 1.0)), jc.ParticleField(10), t1=1.0, dt=0.1, key=KEY)

    @pytest.mark.parametrize(
        ("wall", "what"),
        [
            (jc.Dirichlet(1.0), "hold a density above zero"),
            (jc.Dirichlet({"c": 0.0}), "hold a signal and let no cells"),
        ],
        ids=["supplies", "of the food only"],
    )
    def test_walls_that_do_not_absorb_particles(self, wall, what):
        grid = jc.Grid.box((-4, -4), (4, 4), (32, 32), boundary=wall)
        with pytest.raises(TypeError, match=f"walls that {what}.*: FiniteVolume would do"):
            jc.solve(two_blobs(domain=grid), jc.ParticleField(10), t1=1.0, dt=0.1, key=KEY)

    def test_another_number_of_particles_than_the_initial_condition_has(self):
        problem = two_blobs(density=jc.initial.particles(np.zeros((7, 2))))
        with pytest.raises(ValueError, match="`num_particles` is 10"):
            jc.solve(problem, jc.ParticleField(10), t1=1.0, dt=0.1, key=KEY)

    @pytest.mark.parametrize(
        ("options", "argument"),
        [
            ({"num_particles": 0}, "num_particles"),
            ({"num_particles": 10.5}, "num_particles"),
            ({"deposit_order": 4}, "deposit_order"),
            ({"update": "exposure"}, "update"),
            ({"interpolator": jc.Normal()}, "interpolator"),
        ],
    )
    def test_settings_out_of_range(self, options, argument):
        with pytest.raises((ValueError, TypeError), match=f"`{argument}`"):
            jc.ParticleField(**options)


@pytest.mark.slow
def test_a_run_that_turns_to_nan_says_when():
    problem = two_blobs(
        signal=jc.initial.function(lambda x: jnp.where(jnp.abs(x[..., 0] - 2) < 0.1, jnp.nan, x[..., 1] ** 2))
    )
    end = jc.solve(problem, jc.ParticleField(500), t1=2.0, dt=0.05, key=KEY, throw=False)
    assert end.result == jc.RESULTS.nonfinite
    assert 0 <= int(end.stats["failed_step"]) < 40
    with pytest.raises(jc.SolveError, match="no longer finite"):
        jc.solve(problem, jc.ParticleField(500), t1=2.0, dt=0.05, key=KEY)
