"""Swimming cells as agents, as kinetic equations and in their limit: exact laws, and one another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import i0e, i1e
from shared import exponent

import jaxchemo as jc
from jaxchemo import analysis
from jaxchemo.analysis import swimming
from jaxchemo.models import (
    Consumption,
    Directional,
    ExponentialResponse,
    FilteredResponse,
    Isotropic,
    LinearResponse,
    Persistent,
    Reversal,
    RunAndTumble,
    SaturatingResponse,
    Signal,
    celani_vergassola,
    fu,
)

KEY = jax.random.key(0)


def at_origin(n, ndim):
    return jc.initial.particles(jnp.zeros((n, ndim)), mass=1.0)


def released(cells, ndim, n, t1, dt, key=KEY):
    problem = jc.Problem(cells, jc.FreeSpace(ndim), at_origin(n, ndim))
    return jc.solve(problem, jc.Agents(n), t1=t1, dt=dt, key=key, adjoint=jc.Forward()).final


def within(sample, wanted, errors=3.0):
    sample = np.asarray(sample)
    assert abs(sample.mean() - wanted) < errors * sample.std() / np.sqrt(sample.size)


class TestFreeCells:
    """reference/swimming_cells.md, sections 3 to 5: v = 20, a = 1."""

    def test_moments_and_ballistic_cells(self):
        x = np.asarray(released(RunAndTumble(20.0, 1.0, Reversal()), 1, 40_000, 3.0, 0.02).positions[:, 0])
        within(x**2, 1000.49575)
        within(x**4, 2154645.9)
        within(np.abs(x) > 60 - 1e-3, np.exp(-3))  # discrete turns: two steps at least back and forth

    @pytest.mark.slow
    def test_order_two_in_the_step(self):
        """`<x^2>` of the discrete process is known: the direction's memory is exact, the sums over steps are not."""
        errors = []
        for dt in (1.0, 0.5):
            x = np.asarray(released(RunAndTumble(20.0, 1.0, Reversal()), 1, 40_000, 3.0, dt).positions[:, 0])
            steps = round(3 / dt)
            memory = np.exp(-2 * dt * np.abs(np.subtract.outer(np.arange(steps + 1), np.arange(steps + 1))))
            half = np.ones(steps + 1)
            half[[0, -1]] = 0.5  # half runs at both ends
            discrete = (20 * dt) ** 2 * half @ memory @ half
            within(x**2, discrete)
            errors.append(np.mean(x**2) / 1000.49575 - 1)
        assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.3)

    @pytest.mark.parametrize("ndim", [2, 3])
    def test_spread_with_persistence_and_rotational_diffusion(self, ndim):
        cells = RunAndTumble(20.0, 1.0, Persistent(0.33), rotational_diffusion=0.062)
        end = released(cells, ndim, 20_000, 10.0, 0.1)
        time = 1 / (0.67 + (ndim - 1) * 0.062)
        within(np.sum(np.asarray(end.positions) ** 2, axis=1), 800 * time * (10 - time * (1 - np.exp(-10 / time))))
        np.testing.assert_allclose(np.linalg.norm(end.headings, axis=1), 1, rtol=1e-12)
        # All directions are alike: second moments of the headings.
        square = np.asarray(end.headings).T @ np.asarray(end.headings) / 20_000
        np.testing.assert_allclose(square, np.eye(ndim) / ndim, atol=0.01)

    @pytest.mark.slow
    def test_velocities_are_forgotten_exponentially(self):
        cells = RunAndTumble(1.0, 0.8, Persistent(-0.2), rotational_diffusion=0.3)
        problem = jc.Problem(cells, jc.FreeSpace(3), at_origin(20_000, 3))
        run = jc.solve(problem, jc.Agents(20_000), t1=1.5, dt=0.25, key=KEY, saveat=jc.SaveAt(every=1))
        together = np.sum(np.asarray(run.ys.headings) * np.asarray(run.ys.headings[0]), axis=-1)
        for t, one in zip(np.asarray(run.ts), together, strict=True):
            if t > 0:
                within(one, np.exp(-(0.8 * 1.2 + 0.6) * t))

    @pytest.mark.slow
    def test_two_rates(self):
        """`D = 4 v^2 a+ a- / (a+ + a-)^3` and drift `v (a- - a+) / (a+ + a-)`."""
        cells = RunAndTumble(20.0, Directional(1.5, 0.5), Reversal())
        x = np.asarray(released(cells, 1, 20_000, 60.0, 0.05).positions[:, 0])
        within(x, -10.0 * (60 - 0.5))  # from even directions, which are forgotten in 1/2
        assert x.var() / 120 == pytest.approx(4 * 400 * 0.75 / 8, rel=0.04)

    @pytest.mark.slow
    def test_tumbles_that_take_time(self):
        cells = RunAndTumble(20.0, 2.0, tumble_duration=0.5)
        x = np.asarray(released(cells, 3, 20_000, 40.0, 0.05).positions)
        assert np.sum(x**2) / 20_000 / (6 * 40) == pytest.approx(
            float(cells.to_keller_segel(3).species["rho"].mobility), rel=0.05
        )

    @pytest.mark.slow
    @pytest.mark.parametrize("dt, allowed", [(0.1, 0.02), (0.05, 0.01)])
    def test_runs_and_tumbles_last_as_long_as_they_should_in_coarse_steps_too(self, dt, allowed):
        """A first-order error would be of 9 and 4% in the turns, and of 4 and 2% in the share of time that they run."""
        cells, count, t1 = RunAndTumble(20.0, 1.0, tumble_duration=0.15), 10_000, 10.0
        problem, saveat = jc.Problem(cells, jc.FreeSpace(3), at_origin(count, 3)), jc.SaveAt(every=1)
        run = jc.solve(problem, jc.Agents(count), t1=t1, dt=dt, key=KEY, saveat=saveat, adjoint=jc.Forward())
        x, p = np.asarray(run.ys.positions), np.asarray(run.ys.headings)
        turns = np.sum(np.sum(p[1:] * p[:-1], axis=-1) < 1 - 1e-4)
        assert turns / count == pytest.approx(t1 / 1.15, rel=allowed)
        path = np.sum(np.linalg.norm(np.diff(x, axis=0), axis=-1))
        assert path / count == pytest.approx(20 * t1 / 1.15, rel=0.5 * allowed)

    def test_steps_that_are_advised_are_shorter_than_tumbles(self):
        problem = jc.Problem(RunAndTumble(20.0, 1.0, tumble_duration=0.05), jc.FreeSpace(2), at_origin(100, 2))
        agents = jc.Agents(100)
        assert float(agents.stable_dt(problem, agents.init(problem, key=KEY))) == pytest.approx(0.025)

    def test_speeds_that_differ(self):
        cells = RunAndTumble(20.0, 1.0, speed_spread=0.3)
        problem = jc.Problem(cells, jc.FreeSpace(2), at_origin(20_000, 2))
        state = jc.Agents(20_000).init(problem, key=KEY)
        within(state.pace, 1.0)
        assert float(jnp.std(state.pace)) == pytest.approx(0.3, rel=0.03)


class TestKinetic:
    @pytest.mark.slow
    def test_moments_at_second_order(self):
        errors = []
        for n in (101, 201, 401):
            grid = jc.Grid.box(-100.0, 100.0, n)
            start = jc.initial.array(jnp.zeros(n).at[n // 2].set(n / 200))
            problem = jc.Problem(RunAndTumble(20.0, 1.0, Reversal()), grid, start)
            end = jc.solve(problem, jc.Kinetic(), t1=3.0, dt="auto").final.density
            errors.append(abs(float(jnp.sum(end * grid.axes[0] ** 4)) * 200 / n / 2154645.9 - 1))
            assert float(jnp.sum(end)) * 200 / n == pytest.approx(1, rel=1e-12)
        assert -exponent([101, 201, 401], errors) == pytest.approx(2, abs=0.2)

    @pytest.mark.slow
    def test_the_propagator_between_its_atoms(self):
        n, length = 801, 160.0
        grid = jc.Grid.box(-length / 2, length / 2, n)
        start = jc.initial.array(jnp.zeros(n).at[n // 2].set(n / length))
        problem = jc.Problem(RunAndTumble(20.0, 1.0, Reversal()), grid, start)
        steps = 300  # of length h / v
        end = jc.solve(problem, jc.Kinetic(), t1=steps * length / n / 20, dt=length / n / 20).final.density
        t, x = steps * length / n / 20, np.asarray(grid.axes[0])
        inside = np.abs(x) < 0.9 * 20 * t
        q = np.sqrt(t**2 - (x[inside] / 20) ** 2)
        exact = np.exp(q - t) / 40 * (i0e(q) + t / q * i1e(q))
        found = np.asarray(end)
        # Streams of one place occupy every second cell: a mean of two of each kind.
        smooth = 0.25 * np.roll(found, 1) + 0.5 * found + 0.25 * np.roll(found, -1)
        np.testing.assert_allclose(smooth[inside], exact, rtol=5e-3)

    @pytest.mark.parametrize("wall", [jc.NoFlux(), jc.Periodic()])
    def test_an_even_population_stays_even(self, wall):
        grid = jc.Grid.box(0.0, 50.0, 20, wall)
        problem = jc.Problem(RunAndTumble(20.0, 1.0, Reversal()), grid, jc.initial.uniform(amplitude=2.0))
        end = jc.solve(problem, jc.Kinetic(), t1=5.0, dt="auto").final.density
        np.testing.assert_allclose(end, 2.0, rtol=1e-12)


def bump(x):
    return 1 + jnp.exp(-(x[..., 0] ** 2) / 1800)


OUTWARDS = Directional(lambda x: 1 + 0.5 * jnp.tanh(x[..., 0] / 50), lambda x: 1 - 0.5 * jnp.tanh(x[..., 0] / 50))
STATIONARY = {
    "tanh": (RunAndTumble(20.0, OUTWARDS, Reversal()), lambda x: np.cosh(x / 50) ** -2.5),
    "speed": (RunAndTumble(lambda x: 20 + 0.1 * x[..., 0], 1.0, Reversal()), lambda x: 1 / (20 + 0.1 * x)),
    "sensing": (RunAndTumble(20.0, LinearResponse(1.0, 0.5), Reversal()), lambda x: np.exp(bump(x[..., None]))),
}


class TestStationaryLaws:
    """reference/swimming_cells.md, section 6: kinetic, Fokker-Planck and agents come to rest in the same law."""

    def problem(self, name, n=100):
        cells, law = STATIONARY[name]
        grid = jc.Grid.box(-100.0, 100.0, n)
        signal = jc.initial.function(bump) if name == "sensing" else None
        return jc.Problem(cells, grid, jc.initial.uniform(mass=1.0), signal), law

    @pytest.mark.slow
    @pytest.mark.parametrize("method", [jc.Kinetic(), jc.FokkerPlanck()], ids=lambda one: one.name)
    @pytest.mark.parametrize("name", STATIONARY)
    def test_fields_at_second_order(self, name, method):
        errors = []
        for n in (25, 50, 100):
            problem, law = self.problem(name, n)
            end = jc.solve(problem, method, t1=300.0, dt="auto", adjoint=jc.Forward()).final.density
            x = np.asarray(problem.domain.axes[0])
            fine = x[:, None] + 200 / n * (np.arange(20) / 20 - 0.475)
            wanted = law(fine).mean(axis=1)
            errors.append(np.max(np.abs(np.asarray(end) / (wanted / wanted.sum() * n / 200) - 1)))
            assert float(jnp.min(end)) >= 0
        assert -exponent([25, 50, 100], errors) == pytest.approx(2, abs=0.25)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", STATIONARY)
    def test_agents_within_their_errors(self, name):
        problem, law = self.problem(name)
        end = jc.solve(problem, jc.Agents(20_000), t1=120.0, dt=0.05, key=KEY, adjoint=jc.Forward()).final
        x = np.linspace(-100, 100, 4001)
        weights = law(x) / law(x).sum()
        found = np.asarray(end.positions[:, 0])
        within(found**2, float(weights @ x**2))
        within(found, float(weights @ x))

    def test_the_reference_variance(self):
        _, law = self.problem("tanh")
        x = np.linspace(-100, 100, 20001)
        assert law(x) @ x**2 / law(x).sum() == pytest.approx(1265.438, rel=1e-4)


class TestWalls:
    @pytest.mark.parametrize("ndim", [1, pytest.param(2, marks=pytest.mark.slow), 3])
    def test_an_even_population_stays_even_at_the_walls(self, ndim):
        grid = jc.Grid.box((0.0,) * ndim, (10.0,) * ndim, (10,) * ndim)
        problem = jc.Problem(RunAndTumble(20.0, 1.0, Reversal()), grid, jc.initial.uniform(mass=1.0))
        end = jc.solve(problem, jc.Agents(20_000), t1=3.0, dt=0.1, key=KEY, adjoint=jc.Forward()).final
        near = np.mean(np.asarray(end.positions)[:, 0] < 1.0)
        assert near == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / 20_000))
        within(np.asarray(end.headings)[:, 0], 0.0)

    @pytest.mark.slow
    def test_walls_that_absorb(self):
        grid = jc.Grid.box(0.0, 10.0, 200, jc.Dirichlet(0.0))
        problem = jc.Problem(RunAndTumble(20.0, 4.0, Reversal()), grid, jc.initial.uniform(mass=1.0))
        left = {}
        for method, dt in ((jc.Kinetic(), "auto"), (jc.FokkerPlanck(), "auto"), (jc.Agents(20_000), 0.005)):
            end = jc.solve(problem, method, t1=1.0, dt=dt, key=KEY, adjoint=jc.Forward()).final
            left[method.name] = float(jnp.sum(end.density)) * 0.05
        assert left["agents"] == pytest.approx(left["kinetic"], abs=4 * np.sqrt(left["kinetic"] / 20_000) + 0.005)
        assert left["fokker-planck"] < left["kinetic"]  # runs are not short against the box: its cells leave too soon

    def test_periodic(self):
        grid = jc.Grid.box(0.0, 10.0, 10, jc.Periodic())
        problem = jc.Problem(
            RunAndTumble(20.0, 1.0, Reversal()), grid, jc.initial.gaussian(mass=1.0, center=5.0, std=1.0)
        )
        end = jc.solve(problem, jc.Agents(2_000), t1=3.0, dt=0.1, key=KEY).final.positions
        assert float(end.min()) >= 0 and float(end.max()) <= 10


class TestClimbing:
    @pytest.mark.parametrize("kind", [LinearResponse, ExponentialResponse, SaturatingResponse])
    @pytest.mark.slow
    def test_cells_climb_at_the_speed_of_linear_response(self, kind):
        slope, gain = 0.02, 0.5
        cells = RunAndTumble(20.0, kind(1.0, gain), Persistent(0.33), rotational_diffusion=0.062)
        signal = jc.initial.function(lambda x: 50 + slope * x[..., 0])
        problem = jc.Problem(cells, jc.FreeSpace(3), at_origin(40_000, 3), signal)
        end = jc.solve(problem, jc.Agents(40_000), t1=30.0, dt=0.1, key=KEY, adjoint=jc.Forward()).final
        forgotten = 0.67 + 2 * 0.062
        drift = float(cells.to_keller_segel(3).species["rho"].taxis["c"].slope(jnp.asarray(50.0))) * slope
        assert drift == pytest.approx(gain * 400 * 0.67 * slope / (3 * forgotten))
        x = np.asarray(end.positions)[:, 0]
        settling = 30 - (1 - np.exp(-forgotten * 30)) / forgotten  # from even directions
        # Linear response holds to second order in gain * v * slope = 0.2: a few percent of the drift.
        assert x.mean() == pytest.approx(drift * settling, abs=3 * x.std() / 200 + 0.04 * drift * settling)

    @pytest.mark.slow
    def test_kinetic_tends_to_fokker_planck_as_cells_tumble_faster(self):
        gaps = []
        for rate in (4.0, 8.0, 16.0):
            grid = jc.Grid.box(0.0, 10.0, 200)
            cells = RunAndTumble(np.sqrt(2 * rate), ExponentialResponse(rate, 0.3 / rate), Reversal())
            signal = jc.initial.function(lambda x: jnp.exp(-((x[..., 0] - 7) ** 2) / 4))
            problem = jc.Problem(cells, grid, jc.initial.gaussian(mass=1.0, center=4.0, std=1.0), signal)
            ends = [
                jc.solve(problem, method, t1=1.0, dt="auto", adjoint=jc.Forward()).final.density
                for method in (jc.Kinetic(), jc.FokkerPlanck())
            ]
            gaps.append(float(jnp.sum(jnp.abs(ends[0] - ends[1])) * 0.05))
        # Runs shorten as one over the root of the rate; the limit is first order in one over the rate.
        assert -exponent([4, 8, 16], gaps) == pytest.approx(1, abs=0.2)

    @pytest.mark.slow
    def test_all_levels_of_cells_that_eat_what_they_climb_agree(self):
        grid = jc.Grid.box(0.0, 100.0, 200)
        cells = RunAndTumble(
            20.0, ExponentialResponse(10.0, 0.05), Reversal(), signals={"c": Signal(Consumption("rho", 2.0), 5.0)}
        )
        start = jc.initial.gaussian(mass=20.0, center=30.0, std=6.0), jc.initial.uniform(amplitude=5.0)
        problem = jc.Problem(cells, grid, *start)
        continuum = jc.Problem(cells.to_keller_segel(1), grid, *start)
        runs = {
            "kinetic": jc.solve(problem, jc.Kinetic(), t1=8.0, dt="auto", adjoint=jc.Forward()).final,
            "limit": jc.solve(problem, jc.FokkerPlanck(), t1=8.0, dt="auto", adjoint=jc.Forward()).final,
            "fields": jc.solve(continuum, jc.FiniteVolume(), t1=8.0, dt="auto", adjoint=jc.Forward()).final,
            "agents": jc.solve(problem, jc.Agents(40_000), t1=8.0, dt=0.01, key=KEY, adjoint=jc.Forward()).final,
        }
        x = np.asarray(grid.axes[0])
        means = {name: float(jnp.sum(one.density * x) / jnp.sum(one.density)) for name, one in runs.items()}
        spreads = {
            name: float(np.sqrt(np.sum(one.density * (x - means[name]) ** 2) / np.sum(one.density)))
            for name, one in runs.items()
        }
        for name, one in runs.items():
            assert float(jnp.sum(one.density) * 0.5) == pytest.approx(20, rel=2e-3), name
            assert means[name] == pytest.approx(means["kinetic"], abs=0.3), name
            assert spreads[name] == pytest.approx(spreads["kinetic"], rel=0.03), name
            gap = float(jnp.linalg.norm(one.signal - runs["kinetic"].signal) / jnp.linalg.norm(one.signal))
            assert gap < 0.02, name
        assert means["kinetic"] > 30.5 and spreads["kinetic"] > 12


class TestGradients:
    @pytest.mark.parametrize("method", [jc.Kinetic(), jc.FokkerPlanck()], ids=lambda one: one.name)
    def test_through_kinetic_and_fokker_planck_for_every_parameter(self, method):
        grid = jc.Grid.box(0.0, 10.0, 24)
        signal = jc.initial.function(lambda x: jnp.exp(-((x[..., 0] - 7) ** 2) / 4))
        start = jc.initial.gaussian(mass=1.0, center=4.0, std=1.0)

        def mean(numbers):
            speed, rate, gain, cosine, eaten = numbers
            cells = RunAndTumble(
                speed,
                ExponentialResponse(rate, gain),
                Persistent(cosine),
                signals={"c": Signal(Consumption("rho", eaten))},
            )
            end = jc.solve(jc.Problem(cells, grid, start, signal), method, t1=0.6, dt=0.02).final.density
            return jnp.sum(end * grid.axes[0] ** 2)

        at, h = jnp.array([3.0, 4.0, 0.3, -0.8, 0.5]), 1e-5
        both = jax.jit(jax.value_and_grad(mean))
        for k in range(5):
            step = h * (jnp.arange(5) == k)
            numeric = float(both(at + step)[0] - both(at - step)[0]) / (2 * h)
            assert float(both(at)[1][k]) == pytest.approx(numeric, rel=1e-6), k


class TestRefusals:
    def problem(self, cells, grid=None, signal=None):
        grid = jc.Grid.box(0.0, 10.0, 20) if grid is None else grid
        return jc.Problem(cells, grid, jc.initial.uniform(mass=1.0), signal)

    def test_a_rate_that_turns_negative_is_a_result(self):
        signal = jc.initial.function(lambda x: x[..., 0])
        problem = self.problem(RunAndTumble(20.0, LinearResponse(1.0, 0.1), Reversal()), signal=signal)
        for method in (jc.Agents(100), jc.Kinetic()):
            with pytest.raises(jc.SolveError, match="tumble rate has become negative"):
                jc.solve(problem, method, t1=0.1, dt=0.005, key=KEY)

    def test_a_step_with_more_than_one_tumble_says_which_would_do(self):
        problem = self.problem(RunAndTumble(20.0, 5.0))
        with pytest.raises(jc.SolveError, match=r"At the start, dt up to 0\.02 is advised"):
            jc.solve(problem, jc.Agents(100), t1=3.0, dt=0.3, key=KEY)
        uneven = problem.replace(density=jc.initial.gaussian(mass=1.0, center=5.0, std=0.5))
        with pytest.raises(jc.SolveError, match=r"dt up to 0\.025 is advised"):
            jc.solve(uneven, jc.Kinetic(), t1=3.0, dt=0.3)

    @pytest.mark.slow
    def test_walls_that_hold_a_signal_keep_the_cells_in(self):
        held = jc.Grid.box(0.0, 10.0, 20, jc.Dirichlet({"c": 1.0}))
        cells = RunAndTumble(1.0, 1.0, signals={"c": Signal(Consumption("rho"), 1.0)})
        problem = self.problem(cells, held, signal=jc.initial.uniform(amplitude=1.0))
        for method in (jc.Kinetic(), jc.FokkerPlanck()):
            end = jc.solve(problem, method, t1=5.0, dt="auto").final.density
            assert float(jnp.sum(end)) * 0.5 == pytest.approx(1.0, rel=1e-5)
        with pytest.raises(TypeError, match="walls that hold a signal and let no cells through: FokkerPlanck or Kin"):
            jc.Agents(9).check(problem)

    def test_what_methods_refuse(self):
        plane = jc.Grid.box((0.0, 0.0), (1.0, 1.0), (4, 4))
        cells = RunAndTumble(1.0, 1.0)
        with pytest.raises(TypeError, match="two or three dimensions: Agents or FokkerPlanck would do"):
            jc.solve(self.problem(cells, plane), jc.Kinetic(), t1=1.0, dt=0.1)
        with pytest.raises(TypeError, match="tumbles that take time: Agents or FokkerPlanck would do"):
            jc.solve(self.problem(RunAndTumble(1.0, 1.0, tumble_duration=0.1)), jc.Kinetic(), t1=1.0, dt=0.1)
        sensing = self.problem(RunAndTumble(1.0, jc.models.kalinin()), signal=jc.initial.uniform(amplitude=1.0))
        for method in (jc.Kinetic(), jc.FokkerPlanck()):
            with pytest.raises(TypeError, match=r"that remember: Agents would do; `model.to_keller_segel\(\)`"):
                jc.solve(sensing, method, t1=1.0, dt=0.1)
        with pytest.raises(ValueError, match="`rotational_diffusion` has no meaning in one dimension"):
            jc.solve(
                self.problem(RunAndTumble(1.0, 1.0, rotational_diffusion=1.0)), jc.Agents(9), t1=1.0, dt=0.1, key=KEY
            )
        with pytest.raises(TypeError, match=r"swimmers: .*; `model.to_keller_segel\(\)` makes a model of densities"):
            jc.solve(self.problem(cells), jc.FiniteVolume(), t1=1.0, dt=0.1)
        densities = jc.Problem(jc.models.Model({"u": jc.models.Species(1.0)}), plane, jc.initial.uniform(mass=1.0))
        with pytest.raises(
            TypeError, match="`model`: Agents does not solve problems with population densities: FiniteVolume"
        ):
            jc.solve(densities, jc.Agents(9), t1=1.0, dt=0.1, key=KEY)
        supplied = self.problem(cells, jc.Grid.box(0.0, 10.0, 20, jc.Dirichlet(1.0)))
        for method in (jc.Agents(9), jc.Kinetic(), jc.FokkerPlanck()):
            with pytest.raises(TypeError, match=r"hold a density above zero: .*a wall that holds 0 absorbs cells"):
                method.check(supplied)
        with pytest.raises(TypeError, match="in FreeSpace give a formula"):
            jc.solve(
                jc.Problem(
                    RunAndTumble(1.0, ExponentialResponse(1.0, 1.0), signals={"c": Signal(Consumption("rho"))}),
                    jc.FreeSpace(1),
                    at_origin(9, 1),
                    jc.initial.function(lambda x: x[..., 0]),
                ),
                jc.Agents(9),
                t1=1.0,
                dt=0.1,
                key=KEY,
            )


class TestThinning:
    """The event-driven sampler: exact whatever the step."""

    def test_free_cells(self):
        problem = jc.Problem(RunAndTumble(20.0, 1.0, Reversal()), jc.FreeSpace(1), at_origin(40_000, 1))
        thinned = jc.Agents(40_000, events=jc.Thinning(2.5))
        x = np.asarray(jc.solve(problem, thinned, t1=3.0, dt=3.0, key=KEY).final.positions[:, 0])
        within(x**2, 1000.49575)
        within(x**4, 2154645.9)
        within(np.abs(x) > 60 - 1e-9, np.exp(-3))

    @pytest.mark.slow
    @pytest.mark.parametrize("ndim", [2, 3])
    def test_persistence_and_tumbles_that_take_time(self, ndim):
        """The diffusivity is that of runs, times the share of time that cells run."""
        cells = RunAndTumble(20.0, 1.0, Persistent(0.33), tumble_duration=0.5)
        problem = jc.Problem(cells, jc.FreeSpace(ndim), at_origin(20_000, ndim))
        run = jc.solve(
            problem,
            jc.Agents(20_000, events=jc.Thinning(2.0)),
            t1=60.0,
            dt=20.0,
            key=KEY,
            saveat=jc.SaveAt(every=1),
            adjoint=jc.Forward(),
        )
        growth = np.sum(np.asarray(run.ys.positions[3]) ** 2, -1) - np.sum(np.asarray(run.ys.positions[1]) ** 2, -1)
        within(growth, 2 * ndim * 40 * float(cells.spread(jnp.asarray(1.0), ndim)))

    @pytest.mark.slow
    def test_at_rest_between_walls(self):
        """Rates that depend on the place, and steps in which cells meet walls and turn many times."""
        box = jc.Grid.box(-100.0, 100.0, 60, jc.NoFlux())
        problem = jc.Problem(RunAndTumble(20.0, OUTWARDS, Reversal()), box, jc.initial.uniform(mass=1.0))
        thinned = jc.Agents(20_000, events=jc.Thinning(1.5))
        x = np.asarray(jc.solve(problem, thinned, t1=120.0, dt=20.0, key=KEY).final.positions[:, 0])
        within(x**2, 1265.438)
        within(x, 0.0)

    @pytest.mark.slow
    def test_it_climbs_as_small_steps_do(self):
        """With a memory, which candidates follow to second order: as many of them as make no difference."""
        law = FilteredResponse(ExponentialResponse(1.0, 20.0), (0.5, 0.5))
        formula = jc.initial.function(lambda x: 0.002 * x[..., 0])
        problem = jc.Problem(RunAndTumble(20.0, law, Isotropic()), jc.FreeSpace(3), at_origin(40_000, 3), formula)
        ends = [
            np.asarray(jc.solve(problem, method, t1=20.0, dt=dt, key=KEY, adjoint=jc.Forward()).final.positions[:, 0])
            for method, dt in ((jc.Agents(40_000, events=jc.Thinning(12.0)), 1.0), (jc.Agents(40_000), 0.02))
        ]
        error = np.hypot(*(x.std() / np.sqrt(x.size) for x in ends))
        assert abs(ends[0].mean() - ends[1].mean()) < 3 * error
        assert ends[0].mean() > 20 * error

    def test_bad_input_is_refused(self):
        problem = jc.Problem(RunAndTumble(20.0, 3.0, Reversal()), jc.FreeSpace(1), at_origin(100, 1))
        with pytest.raises(jc.SolveError, match="exceeded the bound of Thinning: a larger `bound` will do"):
            jc.solve(problem, jc.Agents(100, events=jc.Thinning(2.9)), t1=1.0, dt=1.0, key=KEY)
        # Nothing bounds a step of the exact sampler: 'auto' takes one for the whole run.
        end = jc.solve(problem, jc.Agents(100, events=jc.Thinning(3.0)), t1=1.0, dt="auto", key=KEY)
        assert int(end.stats["num_steps"]) == 1
        cells = RunAndTumble(20.0, 1.0, rotational_diffusion=0.1)
        with pytest.raises(ValueError, match=r"directions diffuse; OnceAStep\(\) would do"):
            jc.solve(
                jc.Problem(cells, jc.FreeSpace(2), at_origin(9, 2)),
                jc.Agents(9, events=jc.Thinning(3.0)),
                t1=1.0,
                dt=1.0,
                key=KEY,
            )
        with pytest.raises(ValueError, match="`bound` must be positive"):
            jc.Thinning(0.0)


class TestCellsThatDiffer:
    """Numbers of the model that are arrays: one for each cell."""

    @pytest.mark.slow
    def test_each_has_its_own_pathway(self):
        bias = jnp.where(jnp.arange(20_000) < 10_000, 0.05, 0.3)
        cells = RunAndTumble(25.0, fu(bias), Persistent(0.33), rotational_diffusion=0.062)
        even = jc.initial.function(lambda x: 100.0 + 0 * x[..., 0])
        problem = jc.Problem(cells, jc.FreeSpace(3), at_origin(20_000, 3), even)
        state = jc.Agents(20_000).init(problem, key=KEY)
        np.testing.assert_allclose(cells.tumble_rate.motor.bias(cells.tumble_rate.resting_activity), bias, rtol=1e-6)
        within(np.asarray(state.tumbling[:10_000], float), 0.05)
        within(np.asarray(state.tumbling[10_000:], float), 0.3)

    @pytest.mark.slow
    def test_each_spreads_by_itself(self):
        rate, speed = jnp.where(jnp.arange(20_000) < 10_000, 1.0, 4.0), jnp.linspace(10.0, 30.0, 20_000)
        x = np.asarray(released(RunAndTumble(speed, rate, Reversal()), 1, 20_000, 3.0, 0.02).positions[:, 0])
        wanted = np.asarray(swimming.mean_square(3.0, speed=speed, rate=rate))
        within(x[:10_000] ** 2 / wanted[:10_000], 1.0)
        within(x[10_000:] ** 2 / wanted[10_000:], 1.0)

    def test_bad_input_is_refused(self):
        cells = RunAndTumble(20.0, jnp.ones(50), Reversal())
        with pytest.raises(ValueError, match=r"must have the shape \(100,\), got \(50,\)"):
            jc.solve(jc.Problem(cells, jc.FreeSpace(1), at_origin(100, 1)), jc.Agents(100), t1=1.0, dt=0.1, key=KEY)
        with pytest.raises(ValueError, match="must be for the same swimmers"):
            RunAndTumble(jnp.full(40, 20.0), jnp.ones(50), Reversal()).shape(1)
        with pytest.raises(TypeError, match=r"50 swimmers, each with its own limit: jax.vmap"):
            cells.to_keller_segel(1)
        grid = jc.Grid.box(0.0, 100.0, 49, jc.NoFlux())
        for method in (jc.Kinetic(), jc.FokkerPlanck()):
            with pytest.raises(TypeError, match="swimmers that each have numbers of their own: Agents would do"):
                jc.solve(jc.Problem(cells, grid, jc.initial.uniform(mass=1.0)), method, t1=1.0, dt="auto")


@pytest.mark.slow
def test_a_kernel_climbs_as_linear_response_says():
    cells = RunAndTumble(30.0, celani_vergassola(gain=40.0), rotational_diffusion=0.26)
    formula = jc.initial.function(lambda x: 100 + 2.5e-4 * x[..., 0])
    problem = jc.Problem(cells, jc.FreeSpace(3), at_origin(100_000, 3), formula)
    saveat = jc.SaveAt(ts=(10.0, 160.0))
    run = jc.solve(problem, jc.Agents(100_000), t1=160.0, dt=0.1, key=KEY, saveat=saveat, adjoint=jc.Forward())
    found = analysis.drift(run.ts, run.ys.positions)
    theory = float(cells.to_keller_segel(3).species["rho"].taxis["c"].chi) * 2.5e-4
    assert abs(found.value - theory) < 3 * found.error < 0.2 * theory
