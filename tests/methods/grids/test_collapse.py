"""Collapse on grids: unresolved in time, a blow-up where no grid decides, and nothing where nothing collapses."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.models import Linear, LinearResponse, Model, Production, RunAndTumble, Signal, Species

AT_ONCE = jc.models.keller_segel(1.0, 1.0, relaxation=0, decay=1.0)
SLOW = pytest.mark.slow


def cloud(n=32, mass=100.0, std=0.5, boundary=jc.NoFlux()):
    """Four times the critical mass, in a square that is four wide; it collapses at t = 0.032."""
    grid = jc.Grid.box((-2.0, -2.0), (2.0, 2.0), (n, n), boundary)
    return jc.Problem(AT_ONCE, grid, jc.initial.gaussian(mass=mass, std=std))


def disc(shells, stretching=0.0):
    """The same on a disc of the same area."""
    grid = jc.RadialGrid(4 / np.sqrt(np.pi), shells, 2, stretching=stretching)
    return jc.Problem(AT_ONCE, grid, jc.initial.gaussian(mass=100.0, std=0.5))


class TestUnresolved:
    @pytest.mark.parametrize(
        "stepper, dt",
        [
            (jc.Strang(), 2e-3),
            pytest.param(jc.Strang(), 2e-4, marks=SLOW),
            pytest.param(jc.Strang(), "auto", marks=SLOW),
            pytest.param(jc.Adaptive(1e-6, 1e-8), 2e-2, marks=SLOW),
            pytest.param(jc.Adaptive(1e-6, 1e-8), 1e-3, marks=SLOW),
            (jc.IMEXRosenbrock(), 2e-3),
            pytest.param(jc.IMEXRosenbrock(), 2e-4, marks=SLOW),
            pytest.param(jc.IMEXRosenbrock(), "auto", marks=SLOW),
            pytest.param(jc.SSPRK3(), 1e-3, marks=SLOW),
        ],
        ids=str,
    )
    def test_a_collapse_ends_while_its_peak_has_a_few_cells(self, stepper, dt):
        problem = cloud()
        with pytest.raises(jc.SolveError, match=r"narrower than the grid .* trusted until t=0\.02") as caught:
            jc.solve(problem, jc.FiniteVolume(stepper), t1=0.1, dt=dt, saveat=jc.SaveAt(every=1))
        solution = caught.value.solution
        assert solution.result == jc.RESULTS.unresolved
        trusted, step = float(solution.stats["trusted_until"]), float(solution.stats["dt"])
        assert trusted == pytest.approx(int(solution.stats["failed_step"]) * step)
        # By itself it would be found at 0.0238, in the step that goes past.
        assert trusted <= 0.0245 < trusted + step + 0.001
        densest = np.asarray(solution.ys.density[int(solution.stats["failed_step"])]).max()
        assert densest * 0.125**2 < 0.05 * 100  # the artefact holds a quarter of the mass in one cell

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "coarse, least",
        [
            (cloud(16), 0.25),  # two cells per standard deviation: little more than the start is resolved
            (cloud(32), 0.6),
            (cloud(33), 0.6),
            (disc(16), 0.6),
            (disc(64), 0.8),
            (disc(32, 2.0), 0.8),
        ],
    )
    def test_until_then_the_density_is_right(self, coarse, least):
        settings = dict(t1=0.032, dt=2e-5, saveat=jc.SaveAt(every=10), adjoint=jc.Forward(), throw=False)
        method = jc.FiniteVolume(jc.IMEXRosenbrock())
        fine = disc(500, 6.0)
        reference, found = (jc.solve(one, method, **settings) for one in (fine, coarse))
        assert found.result == jc.RESULTS.unresolved
        k = int(found.stats["failed_step"]) // 10
        assert k > least * 160  # of the time of the collapse
        radii, value = np.asarray(fine.domain.radii), np.asarray(reference.ys.density[k])
        exact = coarse.domain.average(lambda x: jnp.interp(jnp.linalg.norm(x, axis=-1), radii, value), order=6)
        off = jnp.abs(found.ys.density[k] - exact)
        assert float(coarse.domain.integrate(off)) < 0.05 * 100

    @pytest.mark.slow
    def test_under_jit_vmap_and_grad(self):
        def end(mass):
            return jc.solve(cloud(16, mass), jc.FiniteVolume(), t1=0.1, dt=0.005, throw=False)

        single, collapsed = jax.jit(jax.vmap(lambda mass: end(mass).stats["failed_step"]))(jnp.array([10.0, 100.0]))
        assert int(single) == -1 and int(collapsed) > 0
        assert bool(jnp.isfinite(jax.grad(lambda mass: jnp.sum(end(mass).final.density ** 2))(100.0)))

    @pytest.mark.slow
    def test_more_cells_or_shells_go_further(self):
        ends = [
            float(
                jc.solve(one, jc.FiniteVolume(jc.IMEXRosenbrock()), t1=0.04, dt=1e-4, throw=False).stats[
                    "trusted_until"
                ]
            )
            for one in (cloud(16), cloud(32), cloud(64), disc(32, 3.0))
        ]
        assert ends[0] < ends[1] < ends[2] < 0.0325 and ends[1] < ends[3]

    @pytest.mark.slow
    def test_what_a_grid_holds_together_is_not_resolved(self):
        """Below 8 pi a point spreads, but a grid pins it from about 5 pi on."""
        for mass, fails in ((4 * np.pi, False), (6 * np.pi, True), (9 * np.pi, True)):
            point = np.zeros((24, 24))
            point[12, 12] = mass * 36
            solution = jc.solve(
                cloud(24).replace(density=jc.initial.array(point)), jc.FiniteVolume(), t1=0.1, dt="auto", throw=False
            )
            assert (solution.result == jc.RESULTS.unresolved) == fails

    @pytest.mark.slow
    def test_a_signal_that_does_not_diffuse_gathers_cells_in_one_dimension_too(self):
        model = Model({"u": Species(0.1, {"s": Linear(1.0)})}, {"s": Signal(Production("u"))})
        start = jc.initial.function(lambda x: 1 + 0.2 * jnp.cos(np.pi * x[..., 0]))
        problem = jc.Problem(model, jc.Grid.box(0.0, 1.0, 64), start, jc.initial.uniform(amplitude=0.0))
        solution = jc.solve(problem, jc.FiniteVolume(), t1=10.0, dt=5e-4, throw=False, adjoint=jc.Forward())
        assert solution.result == jc.RESULTS.unresolved
        # On 128 and 256 cells it ends at 0.877 and 0.875, when the peak is two and four times as high.
        assert float(solution.stats["trusted_until"]) == pytest.approx(0.875, rel=0.01)

    @pytest.mark.slow
    def test_modes_say_so_without_advice_on_the_step_alone(self):
        for dt in (2e-3, 2e-4):
            with pytest.raises(jc.SolveError, match=r"more cells will do.*FiniteVolume says up to when") as caught:
                jc.solve(cloud(boundary=jc.Periodic()), jc.Spectral(), t1=0.1, dt=dt)
            assert caught.value.solution.result == jc.RESULTS.negative_density

    @pytest.mark.slow
    def test_swimming_cells_that_make_what_they_climb(self):
        signal = Signal(Production("rho", 1.0, 1.0), diffusivity=1.0, relaxation=0)
        cells = RunAndTumble(2.0, LinearResponse(2.0, 0.5), signals={"c": signal})
        for mass, result in ((100.0, jc.RESULTS.unresolved), (1.0, jc.RESULTS.successful)):
            problem = cloud(24).replace(model=cells, density=jc.initial.gaussian(mass=mass, std=0.5))
            solution = jc.solve(problem, jc.FokkerPlanck(), t1=0.1, dt=5e-4, throw=False)
            assert solution.result == result


def spreading():
    """What starts narrower than a cell, or uneven, and only spreads or stays."""
    rng = np.random.default_rng(0)
    grid = cloud(24).domain
    point = np.zeros((24, 24))
    point[12, 12] = 36 * 4 * np.pi
    yield "a point", cloud(24).replace(density=jc.initial.array(point))
    yield "particles", cloud(24).replace(density=jc.initial.particles(rng.normal(0, 0.5, (200, 2)), mass=10.0))
    yield "a ball", cloud(24).replace(density=jc.initial.ball(mass=20.0, center=(0.0, 0.0), radius=0.8))
    yield "noise", cloud(24).replace(density=jc.initial.array(rng.uniform(0, 1.5, (24, 24))))
    room = jc.models.volume_filling(0.1, 2.0, 1.0)
    noise = jc.initial.array(0.5 + 0.01 * rng.uniform(-1, 1, (24, 24)))
    yield "room", jc.Problem(room, grid, noise, jc.initial.uniform(amplitude=0.5))


@pytest.mark.slow
@pytest.mark.parametrize("problem", [pytest.param(problem, id=name) for name, problem in spreading()])
def test_nothing_is_told_of_what_does_not_collapse(problem):
    steps = 2000
    solution = jc.solve(problem, jc.FiniteVolume(), t1=2.0, dt=2.0 / steps, adjoint=jc.Forward())
    assert solution.result == jc.RESULTS.successful
    assert float(solution.stats["trusted_until"]) == pytest.approx(2.0)


class TestBlowUp:
    """reference/keller_segel.md, section 6, B2, on a disc: mass 10 pi; and its control of 6 pi."""

    def run(self, peak, shells, t1, dt):
        start = jc.initial.gaussian(amplitude=peak, std=1 / np.sqrt(168))
        signal = jc.initial.gaussian(amplitude=peak / 2, std=1 / np.sqrt(84))
        grid = jc.RadialGrid(0.5, shells, 2, stretching=7.0)
        problem = jc.Problem(jc.models.keller_segel(1.0, 1.0, decay=1.0), grid, start, signal)
        saveat = jc.SaveAt(every=5, fn=lambda shown: shown.density[0])
        return jc.solve(
            problem,
            jc.FiniteVolume(jc.IMEXRosenbrock()),
            t1=t1,
            dt=dt,
            saveat=saveat,
            adjoint=jc.Forward(),
            throw=False,
        )

    @pytest.mark.slow
    def test_the_time_does_not_move_with_the_grid(self):
        times = []
        for shells in (100, 200, 400):
            solution = self.run(840.0, shells, 2e-4, 1e-7)
            assert solution.result == jc.RESULTS.blow_up
            times.append(float(solution.stats["trusted_until"]))
            assert 7.5e6 < float(solution.ys[int(solution.stats["failed_step"]) // 5]) < 9e6
        assert np.ptp(times) < 0.03 * times[-1]
        assert times[-1] == pytest.approx(1.47e-4, rel=0.02)

    @pytest.mark.slow
    def test_a_peak_that_rises_660_fold_and_falls_is_none(self):
        for shells in (100, 200):
            solution = self.run(504.0, shells, 1e-3, 2e-7)
            assert solution.result == jc.RESULTS.successful
            peaks = np.asarray(solution.ys)
            assert peaks.max() == pytest.approx(3.336e5, rel=0.01) and peaks[-1] < 0.95 * peaks.max()

    @pytest.mark.slow
    @pytest.mark.parametrize("mass, result", [(80.0, jc.RESULTS.blow_up), (20.0, jc.RESULTS.successful)], ids=str)
    def test_in_three_dimensions(self, mass, result):
        model = jc.models.keller_segel(1.0, 1.0, relaxation=0, decay=0.01)
        grid = jc.RadialGrid(4.0553, 100, 3, stretching=7.0)
        problem = jc.Problem(model, grid, jc.initial.ball(mass=mass, center=(0.0, 0.0, 0.0), radius=1.0))
        method = jc.FiniteVolume(jc.IMEXRosenbrock())
        solution = jc.solve(problem, method, t1=0.07, dt=1e-6, adjoint=jc.Forward(), throw=False)
        assert solution.result == result
        if mass == 80.0:
            assert float(solution.stats["trusted_until"]) == pytest.approx(0.066, rel=0.05)


def followed(problem, method, t1, dt):
    """What the advice of each message leads to: the last result, and how often it was followed."""
    for times in range(8):
        try:
            return jc.solve(problem, method, t1=t1, dt=dt).result, times
        except jc.SolveError as error:
            result, message = error.solution.result, str(error)
            if result != jc.RESULTS.unstable_step:
                return result, times
            found = re.search(r"dt up to (\S+) is advised|try dt=(\S+),", message)
            assert found, message
            dt = t1 / np.ceil(t1 / float(found[1] or found[2]))
    raise AssertionError("a circle of messages")


STEPPERS = [jc.IMEXRosenbrock(), jc.IMEXEuler(), jc.Strang(), jc.Euler(), jc.SSPRK3()]


@pytest.mark.slow
@pytest.mark.parametrize("stepper", STEPPERS, ids=repr)
class TestAdviceWorks:
    def test_where_there_is_a_solution(self, stepper):
        grid = jc.Grid.box((-4.0, -4.0), (4.0, 4.0), (32, 32))
        start = jc.initial.gaussian(mass=2.0, std=0.4), jc.initial.gaussian(amplitude=4.0, std=1.2)
        problem = jc.Problem(jc.models.phks(0.1, 1.0), grid, *start)
        for dt in (0.25, "auto"):
            result, _ = followed(problem, jc.FiniteVolume(stepper), 1.0, dt)
            assert result == jc.RESULTS.successful

    def test_where_cells_collapse(self, stepper):
        result, times = followed(cloud(24), jc.FiniteVolume(stepper), 0.1, 0.02)
        assert result == jc.RESULTS.unresolved and times <= 3


@pytest.mark.slow
def test_adaptive_steps_that_give_up_go_on_with_a_smaller_step():
    method = jc.FiniteVolume(jc.Adaptive(1e-4, 1e-6, max_steps=20))
    for dt, result in ((0.5, jc.RESULTS.solver_failed), (0.02, jc.RESULTS.successful)):
        solution = jc.solve(cloud(24, mass=5.0), method, t1=0.5, dt=dt, throw=False)
        assert solution.result == result
        assert "smaller `dt`" in jc.RESULTS[jc.RESULTS.solver_failed]


class TestWhatIsNegativeFromTheStart:
    """No step mends it, and no message says so."""

    MODEL = jc.models.phks(0.1, 1.0)
    FLAT = jc.initial.uniform(amplitude=1.0)

    @pytest.mark.parametrize("part", ["density", "signal"])
    def test_in_a_field(self, part):
        grid = jc.Grid.box(0.0, 1.0, 8)

        @eqx.filter_jit  # where numbers are not known yet, nothing can refuse them
        def result(values):
            fields = dict(density=self.FLAT, signal=self.FLAT) | {part: jc.initial.array(values)}
            return jc.solve(jc.Problem(self.MODEL, grid, **fields), jc.FiniteVolume(), t1=0.01, dt=1e-3).result

        assert result(jnp.linspace(-0.3, 1.0, 8)) == jc.RESULTS.negative_input
        assert "no `dt` mends that" in jc.RESULTS[jc.RESULTS.negative_input]

    @pytest.mark.parametrize("stepper", [jc.Strang(), pytest.param(jc.IMEXRosenbrock(), marks=SLOW)], ids=repr)
    def test_at_a_wall(self, stepper):
        walls = [(jc.Dirichlet({"rho": lambda t: 1 - 40 * t}), jc.NoFlux())]
        problem = jc.Problem(self.MODEL, jc.Grid.box(0.0, 1.0, 8, walls), self.FLAT, self.FLAT)
        with pytest.raises(jc.SolveError, match="or a wall holds one there: no `dt` mends that"):
            jc.solve(problem, jc.FiniteVolume(stepper), t1=1.0, dt=0.01)
