"""A KRnet from a Gaussian: its density and motion, and training against exact solutions and the radial reference."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from shared import attracting

import jaxchemo as jc
from jaxchemo.flows import krnet, later
from jaxchemo.methods.flows.labels import Frame
from jaxchemo.methods.flows.prior import PriorFlow
from jaxchemo.methods.flows.prior_path import PriorPath
from jaxchemo.models import Model, Species
from jaxchemo.references import distance, radial_collapse

KEY = jax.random.key(0)
TINY = {"depth": 2, "width": 8, "num_labels": 64, "num_sources": 128, "num_times": 2, "num_seeds": 1024}
X = np.random.default_rng(0).normal(size=(20, 2))


def collapsing(pull=4 * np.pi):
    return attracting(pull, center=(0.5, -1.0))


@eqx.filter_jit
def _asked(path, x, t):
    return path.at(x, t)


def asked(path, x, t, block=1000):
    """Log density, score and velocity: always of so many points at a time, so that it is compiled once for a path."""
    blocks = np.resize(x, (-(-len(x) // block), block, 2))
    found = [(s.log_p, s.score, v) for s, v in (_asked(path, jnp.asarray(part), jnp.asarray(t)) for part in blocks)]
    return tuple(np.concatenate(parts)[: len(x)] for parts in zip(*found, strict=True))


@eqx.filter_jit
def _sources(path, t):
    return path.sources(t).position


class TestPath:
    """Two intervals of flows with noise for parameters: what holds for any flow, trained or not."""

    @pytest.fixture(scope="class")
    @staticmethod
    def path():
        flat, unravel = ravel_pytree(PriorFlow(**TINY).flow(2, jax.random.key(0)))
        flows = jax.vmap(unravel)(flat + 0.3 * jax.random.normal(jax.random.key(1), (2, flat.size)))
        places = jnp.full(2, 0.7), jnp.tile(jnp.array([0.5, -1.0]), (2, 1))
        frames = Frame(jnp.array([1.0, 1.2]), jnp.full(2, 0.2), *places)
        return PriorPath(collapsing(), jc.Debiased(), frames, flows, jax.random.normal(jax.random.key(2), (20, 2)))

    @pytest.fixture(scope="class")
    @staticmethod
    def plane():
        axis = np.linspace(-11, 11, 111)
        return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)

    @pytest.mark.slow
    def test_the_density_integrates_to_one(self, path, plane):
        for t in (1.0, 1.3):
            assert np.exp(asked(path, plane, t)[0]).sum() * 0.2**2 == pytest.approx(1, abs=1e-4)

    def test_the_score_is_the_slope_of_the_log_density(self, path):
        h, score = 1e-5, asked(path, X, 1.1)[1]
        for k, step in enumerate(h * np.eye(2)):
            slope = (asked(path, X + step, 1.1)[0] - asked(path, X - step, 1.1)[0]) / (2 * h)
            np.testing.assert_allclose(score[:, k], slope, rtol=1e-6, atol=1e-7)

    def test_the_velocity_is_that_of_a_label(self, path):
        h = 1e-5
        before, x, after = (np.asarray(_sources(path, jnp.asarray(t))) for t in (1.3 - h, 1.3, 1.3 + h))
        wanted = (after - before) / (2 * h)
        np.testing.assert_allclose(asked(path, x, 1.3)[2], wanted, rtol=1e-6, atol=1e-6)

    def test_density_and_velocity_fit_together(self, path):
        """The continuity equation along the motion: `d ln p / dt = -div velocity`, by differences."""
        h, t = 1e-4, 1.1
        velocity = asked(path, X, t)[2]
        after, before = (asked(path, X + s * h * velocity, t + s * h)[0] for s in (1, -1))
        ends = [(asked(path, X + step, t)[2], asked(path, X - step, t)[2]) for step in h * np.eye(2)]
        div = sum((up - down)[:, k] / (2 * h) for k, (up, down) in enumerate(ends))
        np.testing.assert_allclose((after - before) / (2 * h), -div, rtol=1e-4, atol=1e-5)

    @pytest.mark.slow
    def test_samples_have_the_density(self, path, plane):
        """By the entropy: the mean of `-ln p` over samples, and over the plane."""
        x = path.sample(jax.random.key(3), 20_000, jnp.asarray(1.3))
        drawn, log_p = -asked(path, x, 1.3)[0], asked(path, plane, 1.3)[0]
        entropy = -np.sum(np.exp(log_p) * log_p) * 0.2**2
        assert drawn.mean() == pytest.approx(entropy, abs=5 * drawn.std() / 20_000**0.5)

    def test_at_a_joint_the_interval_that_ends_there_is_asked(self, path):
        before, joint, after = (asked(path, X, t)[0] for t in (1.2 - 1e-7, 1.2, 1.2 + 1e-4))
        np.testing.assert_allclose(joint, before, atol=1e-4)
        assert np.abs(joint - after).max() > 0.01


@pytest.mark.parametrize("bins", [0, 4])
def test_a_flow_goes_on_in_time(bins):
    flow = krnet(2, key=jax.random.key(0), depth=2, width=8, bins=bins)
    flat, unravel = ravel_pytree(flow)
    flow = unravel(flat + 0.3 * jax.random.normal(jax.random.key(1), flat.shape))
    run = eqx.filter_jit(lambda flow, t: jax.vmap(flow.transform_and_log_det, (0, None))(jnp.asarray(X), t))
    for t in (0.0, 0.4):
        for found, wanted in zip(run(later(flow, 0.7), jnp.asarray(t)), run(flow, jnp.asarray(t + 0.7)), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.slow
def test_the_initial_density_is_met():
    """Two unequal bumps, which are not the prior: by Kullback and Leibler, over points that it was not fitted to."""
    bumps = jc.initial.mixture(
        [jc.initial.gaussian(mass=m, center=(s, 3.0), std=0.8) for m, s in ((3.0, -1.0), (1.0, 1.0))]
    )
    problem = collapsing().replace(density=bumps)
    method = PriorFlow(num_labels=64, num_seeds=2048, steps=600)
    state = eqx.filter_jit(method.init)(problem, key=KEY)
    path = method.path(problem, eqx.tree_at(lambda m: m.past.parameters, state, state.parameters[None].repeat(5, 0)))
    x = np.asarray(bumps.sample(jax.random.key(1), 4000, problem.domain))
    exact = np.log(np.asarray(bumps(x)) / 4.0)
    variance = np.mean(np.var(x, axis=0))
    round_ = -np.sum((x - x.mean(axis=0)) ** 2, axis=1) / (2 * variance) - np.log(2 * np.pi * variance)
    assert np.mean(exact - asked(path, x, 0.0)[0]) < 0.01 < 0.05 < np.mean(exact - round_)


@pytest.mark.slow
def test_below_the_critical_mass_it_spreads_as_it_should():
    """Attraction slows the spread of 4 pi: against the radial solution. With its sign turned, or without it, or
    without any motion the mean squared distance from the centre would be 3.5, 3.0 or 2.0, not 2.5."""
    problem, t1 = collapsing(), 0.25
    method = PriorFlow(num_labels=128, num_sources=256, intervals=2, steps=500, tolerance=1.0)
    solution = jc.solve(problem, method, key=KEY, t1=t1)
    assert int(solution.stats["num_intervals"]) == 2 and float(solution.stats["trusted_until"]) == t1
    np.testing.assert_allclose(solution.stats["durations"], t1 / 2)
    found = distance(solution, radial_collapse(problem, (t1,)), 0)
    assert found.spread == pytest.approx(1, abs=0.03) and found.l2 < 0.1
    spread = jnp.mean(jnp.sum((solution.final.positions - jnp.array([0.5, -1.0])) ** 2, axis=1))
    assert float(spread) == pytest.approx(2.5, rel=0.03)


@pytest.mark.slow
def test_diffusion_and_a_drift():
    """Without a signal, in a fluid that flows to the origin: Ornstein and Uhlenbeck."""
    model = Model({"rho": Species(1.3)}, advection=lambda x: -x)
    start = jc.initial.gaussian(mass=2.0, center=(1.0, -1.0), std=0.7)
    problem = jc.Problem(model, jc.FreeSpace(2), start)
    solution = jc.solve(problem, PriorFlow(**TINY, intervals=2, steps=300, rate=1e-2), key=KEY, t1=0.4)
    mean, variance = np.exp(-0.4) * np.array([1.0, -1.0]), 1.3 + (0.49 - 1.3) * np.exp(-0.8)
    np.testing.assert_allclose(solution.final.positions.mean(axis=0), mean, atol=0.03)
    wanted = -np.sum((X - mean) ** 2, axis=1) / (2 * variance) - np.log(2 * np.pi * variance)
    np.testing.assert_allclose(solution.log_prob(X, 0.4), wanted, atol=0.15)


def test_bad_input_is_refused():
    for name, value in (
        ("intervals", 0),
        ("steps", 0),
        ("rate", 0.0),
        ("num_labels", 3),
        ("num_sources", 3),
        ("num_times", 0),
        ("num_seeds", 3),
        ("anchor", -1.0),
        ("depth", 3),
        ("width", 0),
        ("bins", 5),
        ("tolerance", 0.0),
    ):
        with pytest.raises(ValueError, match=f"`{name}`"):
            PriorFlow(**{name: value})
    with pytest.raises(TypeError, match="`force` must be"):
        PriorFlow(force=jc.GaussianBlob(0.1))
    with pytest.raises(TypeError, match="`density` must be positive and smooth everywhere"):
        ball = jc.initial.ball(mass=1.0, center=(0.0, 0.0), radius=1.0)
        PriorFlow().check(collapsing().replace(density=ball))
    with pytest.raises(ValueError, match=r"`t1` must not be later than t0 \+ 0.5000"):
        jc.solve(collapsing(16 * np.pi), PriorFlow(), key=KEY, t1=0.6)
    assert PriorFlow().latest(collapsing(16 * np.pi)) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.slow
def test_a_run_can_be_resumed_and_is_not_differentiated(tmp_path):
    """Interval by interval on the host, as `solve`; a run to the same end goes on where it was stopped."""
    file = tmp_path / "flow.checkpoint"
    method = PriorFlow(**TINY, intervals=2, steps=4, tolerance=100.0)
    first = jc.run(collapsing(), method, key=KEY, t1=0.02, checkpoint=file, progress=False)
    whole = jc.solve(collapsing(), method, key=KEY, t1=0.02)
    np.testing.assert_array_equal(first.log_prob(X, 0.02), whole.log_prob(X, 0.02))
    again = jc.run(collapsing(), method, key=KEY, t1=0.02, checkpoint=file, resume=True, progress=False)
    np.testing.assert_array_equal(again.final.positions, first.final.positions)
    with pytest.raises(TypeError, match="a PriorFlow is not differentiated"):
        jax.grad(lambda pull: jc.solve(collapsing(pull), method, key=KEY, t1=0.02).final.positions.sum())(4 * np.pi)
