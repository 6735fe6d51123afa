"""The flow against laws that need no reference: energies, moments, exact states, and interacting particles."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from shared import attracting

import jaxchemo as jc
from jaxchemo.analysis import energy_distance, sliced_wasserstein
from jaxchemo.initial import AbstractProfile, Sobol
from jaxchemo.methods.flows.labels import samples_of
from jaxchemo.models import Model, Species, keller_segel
from jaxchemo.particles.mean_field import AbstractMeanField
from jaxchemo.references import radial_collapse

KEY = jax.random.key(0)
SMALL = {"num_labels": 256, "num_sources": 1024, "width": 8}
FEW = jc.LagrangianFlow(**SMALL, change=1.0, tolerance=0.05)
METHOD = jc.LagrangianFlow(num_labels=512, num_sources=2048, width=12, change=1.0, tolerance=0.05)


def posed(pull, start=None, ndim=2, **more):
    problem = attracting(pull, ndim, **more)
    return problem.replace(density=start) if start else problem


@eqx.filter_jit
def carried(path, seeds, t):
    """Points of the initial time at a later one, with log density, score, and the field and the velocity there."""
    samples, velocity = path.carried(samples_of(path.initial, path.problem.domain, seeds), t)
    return samples, velocity, path.force(samples, t), path.drift(samples, t)


def cloud(solution, t, key=7, n=2048):
    """As `carried`, of points that neither labels nor sources have seen."""
    path = solution.continuous
    seeds = path.initial.sample(jax.random.key(key), n, path.problem.domain, Sobol())
    return carried(path, seeds, jnp.asarray(t))


def squared(x):
    return np.sum(np.asarray(x) ** 2, axis=-1)


def distances(x, y):
    """Of all pairs."""
    x, y = np.asarray(x), np.asarray(y)
    return np.sqrt(sum((x[:, None, k] - y[None, :, k]) ** 2 for k in range(x.shape[1])))


def integral(rate, end, count=5):
    """Over time, from 0, by Gauss nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * end * sum(w * rate(0.5 * end * (t + 1)) for t, w in zip(nodes, weights, strict=True))


class Harmonic(AbstractMeanField):
    """`-(x - mean) / E|x - mean|^d`: a spring, as soft as it must be to scale as the Newtonian force does.

    A field sees places in units of the interval, and not the unit: springs of fixed strength cannot be told to it.
    """

    def __call__(self, x, log_p, score, sources):
        mean = jnp.mean(sources, axis=0)
        square = jnp.mean(jnp.sum((sources - mean) ** 2, axis=1))
        return -(x - mean) * square ** (-x.shape[1] / 2)


@pytest.mark.slow
@pytest.mark.parametrize(("std", "pull"), [((1.0, 0.5), 3.0), ((0.3, 0.2, 0.4), 0.5)])
def test_springs_keep_a_gaussian_one(std, pull):
    """reference/lagrangian_flow.md, 6.5: variances solve an equation of their own, each its own, and far from 1."""
    ndim, mobility, t1 = len(std), 0.7, 0.1 * len(std) * np.mean(std) ** 2
    center = np.array([0.5, -1.0, 0.3][:ndim])
    problem = posed(pull, ndim=ndim, mobility=mobility, std=std, center=center)
    method = jc.LagrangianFlow(num_labels=64, num_sources=4096, width=4, force=Harmonic(), change=0.25)
    solution = jc.solve(problem, method, key=KEY, t1=t1)

    def rate(t, v):
        return 2 * mobility - 2 * pull * v * v.sum() ** (-ndim / 2)

    variance = solve_ivp(rate, (0, t1), np.square(std), rtol=1e-10, atol=1e-12).y[:, -1]
    assert np.max(variance / (np.square(std) + 2 * mobility * t1)) < 0.95  # it is not diffusion alone
    x = center + np.sqrt(variance) * np.random.default_rng(0).normal(size=(100, ndim))
    wanted = -0.5 * np.sum((x - center) ** 2 / variance + np.log(2 * np.pi * variance), axis=1)
    np.testing.assert_allclose(solution.log_prob(x, t1), wanted, atol=3e-3)
    size = np.sqrt(np.mean(squared(solution.velocity(x, t1))))
    assert np.sqrt(np.mean(squared(solution.residual(x, t1)))) < 0.02 * size


class Critical(AbstractProfile):
    """`mass width^2 / (pi (width^2 + |x|^2)^2)`: at the mass of 8 pi spreading and attraction balance everywhere."""

    mass: float
    width: float

    def __call__(self, x):
        return jnp.exp(self.log_value(x))

    def log_value(self, x):
        return jnp.log(self.mass * self.width**2 / jnp.pi) - 2 * jnp.log(self.width**2 + jnp.sum(x**2, axis=-1))

    def on_grid(self, grid):
        return grid.average(self)

    def mass_in(self, grid):
        return jnp.asarray(self.mass)

    def place(self, u, grid):
        r, angle = self.width * jnp.sqrt(u[:, 0] / (1 - u[:, 0])), 2 * jnp.pi * u[:, 1]
        return jnp.stack([r * jnp.cos(angle), r * jnp.sin(angle)], axis=1)

    def uniforms(self, ndim):
        return ndim

    @property
    def finest(self):
        return self.width

    @property
    def unbounded(self):
        return True

    @property
    def smooth(self):
        return True


class TestStationaryStates:
    @pytest.mark.slow
    def test_the_critical_state_stays(self):
        """6.2. Its second moment is infinite."""
        problem = posed(8 * np.pi, Critical(8 * np.pi, 0.8))
        t1, path = jnp.asarray(0.1), jc.solve(problem, METHOD, key=KEY, t1=0.1).continuous
        r = np.array([0.05, 0.2, 0.5, 1, 2, 4, 8])
        x = jnp.asarray(r[:, None] * [0.6, 0.8])
        now, velocity = path.at(x, t1)
        start = problem.density["rho"]
        np.testing.assert_allclose(now.log_p, jnp.log(start(x) / (8 * np.pi)), atol=3e-3)
        # Spreading and attraction, each of them, are as large as the score.
        size = np.sqrt(np.mean(squared(now.score)))
        assert np.sqrt(np.mean(squared(velocity))) < 0.01 * size
        seeds = samples_of(start, problem.domain, start.sample(jax.random.key(1), 512, problem.domain, Sobol()))
        for samples, t in ((seeds, 0.0), (path.carried(seeds, t1)[0], t1)):
            assert np.sqrt(np.mean(squared(path.drift(samples, jnp.asarray(t))))) < 0.01 * size

    @pytest.mark.slow
    def test_rest_is_no_poor_fit(self):
        """Ornstein and Uhlenbeck at rest: a residual of round-off, beside a velocity of zero."""
        model = Model({"rho": Species(1.0)}, advection=lambda x: -x)
        problem = jc.Problem(model, jc.FreeSpace(2), jc.initial.gaussian(mass=1.0, std=1.0))
        solution = jc.solve(problem, jc.LagrangianFlow(num_labels=64, num_sources=256, width=4), key=KEY, t1=0.5)
        assert float(solution.stats["residuals"].max()) < 1e-6
        np.testing.assert_allclose(solution.final.positions, solution.continuous.seeds, atol=1e-6)


class TestLaws:
    """Sections 6.1 and 6.6, below and beyond the critical mass."""

    @pytest.fixture(
        scope="class",
        params=[(4 * np.pi, FEW), pytest.param((12 * np.pi, METHOD), marks=pytest.mark.slow)],
        ids=["spreading", "collapsing"],
    )
    @staticmethod
    def run(request):
        pull, method = request.param
        return pull, jc.solve(posed(pull), method, key=KEY, t1=0.1)

    @pytest.mark.slow
    def test_the_free_energy_falls_by_what_is_dissipated(self, run):
        """`d/dt (mobility E ln p - pull/2 E u) = -E|U|^2`, u by pairs of two independent clouds."""
        pull, solution = run

        def energy(t):
            one, other = cloud(solution, t)[0], cloud(solution, t, key=8)[0]
            potential = -np.mean(np.log(distances(one.position, other.position))) / (2 * np.pi)
            return 0.5 * float(jnp.mean(one.log_p) + jnp.mean(other.log_p)) - 0.5 * pull * potential

        # The solution's own signal, of which only differences count, is that of all pairs.
        one, other = cloud(solution, 0.1)[0].position[:256], cloud(solution, 0.1, key=8)[0].position
        pairs = -np.mean(np.log(distances(one, other)), axis=1) * pull / (2 * np.pi)
        np.testing.assert_allclose(solution.signal(one, 0.1), pairs, atol=0.01 * pull / (2 * np.pi))

        levels = [energy(t) for t in (0.0, 0.03, 0.06, 0.1)]
        assert np.all(np.diff(levels) < 0)
        dissipated = integral(lambda t: float(np.mean(squared(cloud(solution, t)[3]))), 0.1)
        assert levels[0] - levels[-1] == pytest.approx(dissipated, rel=0.01)

    def test_the_second_moment(self, run):
        """Its slope is `4 mobility - pull / 2 pi`; the field's share of it is right at any time."""
        pull, solution = run
        ends = [np.mean(squared(cloud(solution, t)[0].position)) for t in (0.0, 0.1)]
        slope = 4 - pull / (2 * np.pi)
        assert ends[1] - ends[0] == pytest.approx(0.1 * slope, abs=2e-3)
        for t in (0.0, 0.05, 0.1):
            samples, velocity, force, _ = cloud(solution, t)
            assert 2 * pull * float(jnp.mean(jnp.sum(samples.position * force, axis=1))) == pytest.approx(
                slope - 4, rel=0.01
            )
            assert 2 * float(jnp.mean(jnp.sum(samples.position * velocity, axis=1))) == pytest.approx(slope, abs=0.08)

    @pytest.mark.slow
    def test_the_second_moment_in_three_dimensions(self):
        """`6 mobility - pull / 4 pi E 1/|x - y|`, by pairs."""
        pull, t1 = 120.0, 0.1
        solution = jc.solve(posed(pull, ndim=3), jc.LagrangianFlow(**SMALL, change=1.0, tolerance=0.1), key=KEY, t1=t1)

        def near(t):
            one, other = cloud(solution, t)[0], cloud(solution, t, key=8)[0]
            return np.mean(1 / distances(one.position, other.position))

        ends = [np.mean(squared(cloud(solution, t)[0].position)) for t in (0.0, t1)]
        assert near(0.0) == pytest.approx(1 / np.sqrt(np.pi), rel=5e-3)
        assert ends[1] - ends[0] == pytest.approx(6 * t1 - pull / (4 * np.pi) * integral(near, t1), abs=3e-3)


@pytest.mark.slow
@pytest.mark.parametrize("strength", [1.0, 10.0])
def test_a_jet_carries_the_mean(strength):
    """T8: `d/dt E x = E v(x)`; attraction and spreading drop out of it. A cloud off the axis of the jet."""

    def jet(x):
        return strength * jnp.stack([jnp.exp(-(x[..., 1] ** 2)), 0 * x[..., 0]], axis=-1)

    problem = posed(8 * np.pi, advection=jet, center=(0.0, 0.5))
    method = jc.LagrangianFlow(num_labels=512, num_sources=2048, width=12, change=1.0, strain=0.25, tolerance=0.01)
    solution = jc.solve(problem, method, key=KEY, t1=0.1)

    def place(t):
        return np.asarray(cloud(solution, t, n=8192)[0].position)

    def wind(t):
        return np.array([strength * np.mean(np.exp(-(place(t)[:, 1] ** 2))), 0.0])

    moved = place(0.1).mean(axis=0) - place(0.0).mean(axis=0)
    np.testing.assert_allclose(moved, integral(wind, 0.1, 8), atol=5e-4)


@pytest.mark.slow
def test_interacting_particles_have_the_same_distribution():
    """T7: two bumps that merge. As close to every cloud of particles as these are to one another; not before."""
    bumps = [jc.initial.gaussian(mass=8 * np.pi, center=(side, 0.0), std=0.5) for side in (-1.0, 1.0)]
    problem = posed(16 * np.pi, jc.initial.mixture(bumps))
    particles = jc.InteractingParticles(2048)
    clouds = [jc.solve(problem, particles, t1=0.2, dt=0.004, key=jax.random.key(k)).final.positions for k in range(3)]
    solution = jc.solve(problem, METHOD, key=KEY, t1=0.2)
    now, before = (solution.sample(jax.random.key(0), 2048, t) for t in (0.2, 0.1))
    for distance in (energy_distance, lambda x, y: sliced_wasserstein(x, y, jax.random.key(3))):
        spread = max(distance(clouds[i], clouds[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
        assert max(distance(now, one) for one in clouds) < 1.5 * spread
        assert min(distance(before, one) for one in clouds) > 1.5 * spread


@pytest.mark.slow
def test_single_precision():
    """As a newcomer runs it."""
    with jax.enable_x64(False):
        problem = posed(16 * np.pi)
        solution = jc.solve(problem, METHOD, key=KEY, t1=0.2)
        r = np.linspace(0, 2.5, 26)
        x = r[:, None] * np.array([0.6, 0.8])
        found, residual, velocity = (ask(x, 0.2) for ask in (solution.log_prob, solution.residual, solution.velocity))
        assert {found.dtype, residual.dtype, solution.final.positions.dtype} == {jnp.dtype("float32")}
        again = solution.density(x, float(solution.stats["trusted_until"]))  # the time reached may be asked
    reference = radial_collapse(problem, (0.2,))
    p = reference.at(r, 0)
    assert np.max(np.abs(np.exp(found) - p)) < 0.03 * p[0]
    np.testing.assert_allclose(again, 16 * np.pi * np.exp(found), rtol=1e-3)
    assert float(np.max(solution.stats["residuals"])) < 0.05
    assert np.mean(squared(residual)) < 0.1**2 * np.mean(squared(velocity))
    assert np.mean(squared(solution.final.positions)) == pytest.approx(2 - 4 * 0.2, rel=0.01)


@pytest.mark.slow
def test_a_run_beyond_blow_up_keeps_what_came_before():
    """Blow-up is at 0.323, the bound of the moment at 0.5."""
    method = jc.LagrangianFlow(**SMALL, change=1.0, tolerance=0.2)
    with pytest.raises(jc.SolveError, match=r"At t=0\.3\d*: The density has grown beyond") as raised:
        jc.solve(posed(16 * np.pi), method, key=KEY, t1=0.45, saveat=jc.SaveAt(ts=(0.1, 0.2, 0.44)))
    solution = raised.value.solution
    reached = float(solution.stats["trusted_until"])
    np.testing.assert_allclose(solution.ts, [0.1, 0.2])
    assert solution.ys.positions.shape == (2, 1024, 2)
    np.testing.assert_allclose(np.mean(squared(solution.ys.positions), axis=1), [1.6, 1.2], rtol=0.02)
    assert np.all(np.isfinite(solution.density(np.zeros((1, 2)), reached)))
    with pytest.raises(ValueError, match=r"`t` must be a time that was reached, at most 0\.3"):
        solution.density(np.zeros((1, 2)), 0.4)


class TestBadInput:
    def test_a_mass_or_mobility_that_is_not_positive(self):
        for mass in (0.0, -1.0):
            with pytest.raises(ValueError, match="`mass` must be positive"):
                jc.initial.gaussian(mass=mass, std=1.0)
            with pytest.raises(ValueError, match="`mobility` must be positive"):
                keller_segel(mass, 1.0, relaxation=0)

    def test_points_have_no_density(self):
        points = jc.initial.particles(np.zeros((50, 2)), mass=1.0)
        with pytest.raises(TypeError, match="`density` must be positive and smooth everywhere, as a Gaussian"):
            jc.solve(posed(1.0, points), METHOD, key=KEY, t1=0.1)

    def test_a_height_of_zero_is_no_density(self):
        with pytest.raises(ValueError, match="`density` must be positive, got a mass of 0"):
            METHOD.check(posed(1.0, jc.initial.gaussian(amplitude=0.0, std=1.0)))

    @pytest.mark.parametrize("method", [METHOD, jc.InteractingParticles(50)], ids=["flow", "particles"])
    def test_a_radial_grid_is_not_the_whole_space(self, method):
        model, disc = keller_segel(1.0, 1.0, relaxation=0), jc.RadialGrid(1.0, 16, ndim=2)
        steps = {} if method is METHOD else {"dt": 0.01}
        with pytest.raises(TypeError, match="does not solve problems with a radial grid, nor with walls: FiniteVolume"):
            jc.solve(jc.Problem(model, disc, jc.initial.uniform(mass=1.0)), method, key=KEY, t1=0.1, **steps)

    def test_a_final_time_beyond_the_bound_of_the_moment(self):
        """`E|x - mean|^2 / (pull / 2 pi - 4 mobility)`, by the clock of the run, wherever the cloud is."""
        small = posed(16 * np.pi, std=(0.5, 0.3), center=(3.0, -2.0))
        assert METHOD.latest(small) == pytest.approx((0.25 + 0.09) / 4, rel=2e-3)
        with pytest.raises(ValueError, match=r"t0 \+ 0\.08[45]\d*: the second moment.*Got t1 - t0 = 0\.1\."):
            jc.run(small, METHOD, t0=1.0, key=KEY, t1=1.1, progress=False)
        bumps = [jc.initial.gaussian(mass=8 * np.pi, center=(side, 0.0), std=0.5) for side in (-1.0, 1.0)]
        assert METHOD.latest(posed(16 * np.pi, jc.initial.mixture(bumps))) == pytest.approx(1.5 / 4, rel=2e-3)
        assert METHOD.latest(posed(7.9 * np.pi)) == METHOD.latest(posed(60.0, ndim=3)) == np.inf
        wind = posed(16 * np.pi, advection=lambda x: 0 * x)
        assert METHOD.latest(wind) == np.inf
