"""The flow against exact solutions and the radial reference, and what its solution says of itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from shared import attracting

import jaxchemo as jc
from jaxchemo import _progress
from jaxchemo.models import Model, Species, keller_segel
from jaxchemo.references import distance, radial_collapse

KEY = jax.random.key(0)
SMALL = {"num_labels": 256, "num_sources": 1024, "width": 8}


def collapsing():
    return attracting(16 * np.pi)


def linear(advection=None, **start):
    model = Model({"rho": Species(1.3)}, advection=advection)
    return jc.Problem(model, jc.FreeSpace(2), jc.initial.gaussian(mass=2.0, **start))


def normal(x, mean, variance):
    """Density of independent coordinates."""
    x, variance = np.asarray(x), np.asarray(variance)
    return np.prod(np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance), axis=-1)


X = np.random.default_rng(0).normal(size=(200, 2))


class TestExactSolutions:
    """reference/lagrangian_flow.md, section 6.5."""

    @pytest.mark.slow
    def test_diffusion(self):
        solution = jc.solve(linear(center=(0.5, -1.0), std=0.7), jc.LagrangianFlow(**SMALL), key=KEY, t1=0.5)
        for t in (0.0, 0.2, 0.5):
            wanted = 2 * normal(X, (0.5, -1.0), 0.49 + 2 * 1.3 * t)
            np.testing.assert_allclose(solution.density(X, t), wanted, rtol=5e-3, atol=1e-4)

    @pytest.mark.slow
    def test_a_linear_drift(self):
        """Ornstein and Uhlenbeck: towards the origin along x, at twice the pace along y."""
        pace = jnp.array([1.0, 2.0])
        solution = jc.solve(
            linear(lambda x: -pace * x, center=(1.0, -1.0), std=0.7), jc.LagrangianFlow(**SMALL), key=KEY, t1=0.5
        )
        t, th = 0.5, np.asarray(pace)
        variance = 1.3 / th + (0.49 - 1.3 / th) * np.exp(-2 * th * t)
        wanted = 2 * normal(X, np.array([1.0, -1.0]) * np.exp(-th * t), variance)
        np.testing.assert_allclose(solution.density(X, t), wanted, rtol=1e-2, atol=1e-4)

    @pytest.mark.slow
    def test_the_divergence_bound(self):
        """`KL(q | p) <= 1/(4 mobility) int E|residual|^2 dt` without attraction, on a flow that is trained badly."""
        problem = linear(lambda x: jnp.stack([jnp.sin(2 * x[..., 1]), 0 * x[..., 0]], -1), std=1.0)
        few = jc.LagrangianFlow(
            num_labels=16, num_sources=512, width=1, degree=1, tolerance=10.0, change=3.0, strain=3.0
        )
        good = jc.LagrangianFlow(num_labels=512, num_sources=512, width=12, change=0.5, strain=0.5)
        q, p = (jc.solve(problem, method, key=KEY, t1=0.4, throw=False) for method in (few, good))
        x = q.sample(jax.random.key(0), 4000, 0.4)
        logs = np.asarray(q.log_prob(x, 0.4) - p.log_prob(x, 0.4))
        kl = np.mean(logs - 1 + np.exp(-logs))  # the same mean, with hardly any noise
        times = 0.4 * (np.arange(8) + 0.5) / 8
        square = [
            float(jnp.mean(jnp.sum(q.residual(q.sample(jax.random.key(1), 2000, t), t) ** 2, axis=1))) for t in times
        ]
        assert 1e-3 < kl < 0.4 * np.mean(square) / (4 * 1.3)


class TestCollapse:
    @pytest.fixture(scope="class")
    @staticmethod
    def run():
        problem = collapsing()
        method = jc.LagrangianFlow(num_labels=512, num_sources=2048, width=12, change=1.0, tolerance=0.05)
        return problem, jc.solve(problem, method, key=KEY, t1=0.25, saveat=jc.SaveAt(ts=(0.1, 0.25)))

    @pytest.mark.slow
    def test_the_radial_reference(self, run):
        """The size for continuous integration of reference/lagrangian_recipe.md, section 5."""
        problem, solution = run
        reference = radial_collapse(problem, (0.1, 0.25))
        for k in range(2):
            found = distance(solution, reference, k)
            assert found.l2 < 0.03 and found.kl < 5e-4
            assert found.peak == pytest.approx(1, abs=0.05) and found.spread == pytest.approx(1, abs=0.01)

    @pytest.mark.slow
    def test_what_the_solution_says(self, run):
        problem, solution = run
        x, t = jnp.asarray(X[:40]), 0.2
        scores = jax.vmap(jax.grad(lambda x: solution.log_prob(x, t)))(x)
        np.testing.assert_allclose(solution.score(x, t), scores, atol=1e-10)
        np.testing.assert_allclose(solution.density(x, 0.0), problem.density["rho"](x), rtol=1e-10)
        grid = np.linspace(-5, 5, 101)
        points = np.stack(np.meshgrid(grid, grid), axis=-1)
        assert float(solution.density(points, t).sum()) * 0.01 == pytest.approx(16 * np.pi, rel=2e-3)
        moved = solution.continuous.labels(x + 1e-4 * solution.velocity(x, t), jnp.asarray(t + 1e-4))
        np.testing.assert_allclose(moved, solution.continuous.labels(x, jnp.asarray(t)), atol=2e-7)
        asked = np.sqrt(np.mean(np.sum(np.asarray(solution.velocity(x, t)) ** 2, axis=1)))
        assert np.sqrt(np.mean(np.sum(np.asarray(solution.residual(x, t)) ** 2, axis=1))) < 0.05 * asked
        # Stein's identity: the score alone.
        y = solution.continuous.sources(jnp.asarray(t))
        assert -float(jnp.mean(jnp.sum(y.position * y.score, axis=1))) == pytest.approx(2, rel=2e-3)
        np.testing.assert_allclose(solution.ys.positions[-1], solution.final.positions, atol=1e-10)
        drawn = solution.sample(jax.random.key(0), 4000, t)
        assert float(jnp.mean(jnp.sum(drawn**2, axis=1))) == pytest.approx(2 - 4 * t, rel=0.1)

    @pytest.mark.slow
    def test_the_signal_is_that_of_the_density(self, run):
        """By the closed form at the start; its gradient pulls towards the middle."""
        _, solution = run
        x = np.linspace(0.2, 2.5, 12)[:, None] * np.array([0.6, 0.8])
        r = np.linalg.norm(x, axis=1)
        pulled = -16 * np.pi * (1 - np.exp(-(r**2) / 2)) / (2 * np.pi * r)
        np.testing.assert_allclose(np.asarray(solution.signal_gradient(x, 0.0)) @ [0.6, 0.8], pulled, rtol=5e-3)
        value = np.asarray(solution.signal(x, 0.0))
        fine = np.linspace(r[0], r[-1], 2001)
        slope = -8 * (1 - np.exp(-(fine**2) / 2)) / fine
        total = np.cumsum(0.5 * (slope[1:] + slope[:-1]) * np.diff(fine))
        np.testing.assert_allclose(value - value[0], np.interp(r, fine[1:], total, left=0), atol=0.05)


@pytest.mark.slow
def test_a_run_can_be_resumed(tmp_path, capsys, monkeypatch):
    """Interval by interval on the host: `solve` bit for bit, with a bar that says how it goes, and a state on disk."""
    problem, method = collapsing(), jc.LagrangianFlow(**SMALL, change=1.0, tolerance=0.1)
    file, saveat = tmp_path / "flow.checkpoint", jc.SaveAt(ts=(0.0, 0.02, 0.1))
    more = {"key": KEY, "saveat": saveat, "store": tmp_path / "flow.zarr", "checkpoint": file}
    monkeypatch.setattr(_progress, "SECONDS", 0.0)  # as if it took long
    first = jc.run(problem, method, t1=0.1, progress=True, **more)
    assert "residual" in capsys.readouterr().err and file.exists()
    whole = jc.solve(problem, method, key=KEY, t1=0.1, saveat=saveat)
    np.testing.assert_array_equal(first.density(X, 0.1), whole.density(X, 0.1))
    np.testing.assert_array_equal(first.ys.positions, whole.ys.positions)
    with xr.open_zarr(tmp_path / "flow.zarr") as stored:
        np.testing.assert_array_equal(stored["positions"], whole.ys.positions)
        np.testing.assert_array_equal(stored["time"], [0.0, 0.02, 0.1])
    longer = jc.run(problem, method, t1=0.15, resume=True, progress=False, **more)
    np.testing.assert_array_equal(longer.ys.positions, whole.ys.positions)
    count = int(first.stats["num_intervals"])
    np.testing.assert_array_equal(longer.stats["starts"][:count], first.stats["starts"])
    assert float(longer.stats["trusted_until"]) == pytest.approx(0.15) and len(longer.stats["starts"]) > count
    np.testing.assert_allclose(longer.density(X, 0.1), first.density(X, 0.1), rtol=1e-9)
    with pytest.raises(ValueError, match="belongs to another run"):
        jc.run(problem, jc.LagrangianFlow(**SMALL), key=KEY, t1=0.15, checkpoint=file, resume=True, progress=False)


@pytest.mark.slow
def test_a_flow_that_cannot_follow_says_so():
    """A fluid of short waves in space: without waves among the features nothing but the residual notices."""

    def waves(x):
        return jnp.sin(2 * jnp.pi * jnp.stack([x[..., 2], x[..., 0], x[..., 1]], axis=-1))

    problem = attracting(60.0, 3, advection=waves)
    with pytest.raises(
        jc.SolveError, match="does not move at the drift velocity of its density: more `width`, the `wavelengths`"
    ):
        jc.solve(problem, jc.LagrangianFlow(**SMALL), key=KEY, t1=0.02)
    method = jc.LagrangianFlow(**SMALL, wavelengths=1.0, tolerance=0.2)
    followed = jc.solve(problem, method, key=KEY, t1=0.02)
    # The fluid carries along x where the sine of z is positive, and so on around: by `d/dt <x sin 2 pi z> = 1/2`, of
    # which some diffuses away, and no more than at the rate of the wave. A flow without waves would know nothing of it.
    before, after = (np.asarray(followed.continuous.sources(jnp.asarray(t)).position) for t in (0.0, 0.02))
    gained = np.subtract(*(np.mean(x * np.sin(2 * np.pi * np.roll(x, 1, axis=1)), axis=0) for x in (after, before)))
    rate = 4 * np.pi**2
    assert np.all((0.5 / rate * (1 - np.exp(-0.02 * rate)) < gained) & (gained < 0.5 * 0.02))
    np.testing.assert_allclose(followed.final.positions.mean(axis=0), 0, atol=5e-3)


@pytest.mark.slow
def test_the_number_of_intervals_is_bounded():
    """One is enough for a short run, and too few for a long one: what was reached is kept."""
    method = jc.LagrangianFlow(**SMALL, tolerance=0.2, max_intervals=1)
    assert bool(jc.solve(collapsing(), method, key=KEY, t1=0.05).result == jc.RESULTS.successful)
    with pytest.raises(jc.SolveError, match="A larger capacity would do") as raised:
        jc.solve(collapsing(), method, key=KEY, t1=0.2)
    assert 0.05 < float(raised.value.solution.stats["trusted_until"]) < 0.2


@pytest.mark.slow
def test_a_collapse_is_reported():
    """Before the moment law's bound of 0.5 the density blows up, at 0.323: the run says so, and keeps what it has."""
    method = jc.LagrangianFlow(num_labels=256, num_sources=1024, width=8, change=1.0, tolerance=0.2, max_intervals=40)
    solution = jc.solve(collapsing(), method, key=KEY, t1=0.4, throw=False)
    assert bool(solution.result == jc.RESULTS.blow_up)
    assert 0.3 < float(solution.stats["trusted_until"]) < 0.345
    assert float(solution.density(np.zeros(2), float(solution.stats["trusted_until"]))) > 50 * 16 * np.pi * 0.159


def test_bad_input_is_refused():
    flow = jc.LagrangianFlow(**SMALL)
    with pytest.raises(ValueError, match=r"`t1` must not be later than t0 \+ 0.5000.*second moment"):
        jc.solve(collapsing(), flow, key=KEY, t1=0.6)
    for name, value, own in (("dt", 0.1, "steps"), ("adjoint", jc.Remat(), "derivatives")):
        with pytest.raises(ValueError, match=f"`{name}`: LagrangianFlow has {own} of its own, leave it out; got"):
            jc.solve(collapsing(), flow, key=KEY, t1=0.1, **{name: value})
    with pytest.raises(ValueError, match="`chunk`: LagrangianFlow has steps of its own"):
        jc.run(collapsing(), flow, key=KEY, t1=0.1, chunk=2)
    with pytest.raises(ValueError, match="`key` is missing: LagrangianFlow is stochastic"):
        jc.solve(collapsing(), flow, t1=0.1)
    with pytest.raises(ValueError, match="`every` counts steps"):
        jc.solve(collapsing(), flow, key=KEY, t1=0.1, saveat=jc.SaveAt(every=2))
    with pytest.raises(TypeError, match="`density` must be positive and smooth everywhere"):
        ball = jc.initial.ball(mass=1.0, center=(0.0, 0.0), radius=1.0)
        jc.solve(collapsing().replace(density=ball), flow, key=KEY, t1=0.1)
    box = jc.Problem(keller_segel(1.0, 1.0, relaxation=0), jc.Grid.box(-1.0, 1.0, 8), jc.initial.uniform(mass=1.0))
    with pytest.raises(
        TypeError, match="LagrangianFlow does not solve problems with a box, nor with walls: FiniteVolume"
    ):
        jc.solve(box, flow, key=KEY, t1=0.1)
    with pytest.raises(ValueError, match="`ts` must lie between t0=0 and t1=0"):
        jc.solve(collapsing(), flow, key=KEY, t1=0.1, saveat=jc.SaveAt(ts=(0.2,)))
    for name, value in (("num_labels", 300), ("tolerance", 0.0), ("wavelengths", -1.0), ("width", 0)):
        with pytest.raises(ValueError, match=f"`{name}`"):
            jc.LagrangianFlow(**{name: value})
    with pytest.raises(ValueError, match="`dt` is missing"):
        jc.solve(collapsing(), jc.InteractingParticles(8), t1=0.1, key=jax.random.key(0))
