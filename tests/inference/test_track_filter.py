"""Hidden runs and tumbles: the filter against closed forms, its score against differences, fits against truths."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import (
    LogNormal,
    Normal,
    Poisson,
    Posterior,
    TrackPosterior,
    Tracks,
    fit,
    fit_tracks,
    laplace,
    sample,
    track_log_likelihood,
)
from jaxchemo.inference.filtering import increments

NOISE = 0.5


def simulated(model, ndim, count, t1, frame, seed=0, dt=0.01):
    """Tracks of swimmers, with errors."""
    start = jc.initial.gaussian(mass=1.0, center=(0.0,) * ndim, std=1.0)
    problem = jc.Problem(model, jc.FreeSpace(ndim), density=start)
    saveat = jc.SaveAt(every=round(frame / dt))
    run = jc.solve(problem, jc.Agents(count), t1=t1, dt=dt, key=jax.random.key(seed), saveat=saveat)
    x = np.swapaxes(np.asarray(run.ys.positions), 0, 1)
    return Tracks(x + NOISE * np.random.default_rng(seed).normal(size=x.shape), frame)


@pytest.mark.slow
def test_straight_runs_in_one_dimension_have_their_closed_form():
    """Without tumbles a track is a line from anywhere about its first position, to the one side or to the other."""
    y = 2.0 * np.arange(8.0) + np.random.default_rng(0).normal(size=8) * NOISE
    tracks = Tracks(y[None, :, None], 0.1)

    def ours(speed):
        model = jc.models.RunAndTumble(speed, 0.0)
        return increments(model, tracks, NOISE, 64, key=jax.random.key(0))[0]

    def exact(speed, side):
        mean = y[0] + side * speed * 0.1 * jnp.arange(1, 8)
        covariance = NOISE**2 * (jnp.eye(7) + 1)
        return jax.scipy.stats.multivariate_normal.logpdf(y[1:], mean, covariance)

    (value, slope), (one, rises) = (
        jax.jvp(f, (19.0,), (1.0,)) for f in (lambda v: jnp.sum(ours(v)), lambda v: exact(v, 1.0))
    )
    # Half of the particles swim to the right, but for chance: the other side is out of the question.
    assert float(value) == pytest.approx(float(one) - math.log(2), abs=0.4)
    assert float(slope) == pytest.approx(float(rises), rel=1e-3)


@pytest.mark.slow
def test_the_score_is_the_slope_of_the_log_likelihood():
    """In the mean over random numbers, which differences share."""

    def build(z):
        return jc.models.RunAndTumble(
            20.0 * jnp.exp(z[0]), jnp.exp(z[1]), jc.models.Persistent(0.33), rotational_diffusion=0.062 * jnp.exp(z[2])
        )

    tracks = simulated(build(jnp.zeros(3)), 2, 4, 2.0, 0.2)

    def total(z, key):
        return jnp.sum(track_log_likelihood(build(z), tracks, NOISE * jnp.exp(z[3]), 200, key=key))

    at = jnp.array([0.002, 0.1, 0.2, 0.05])
    keys = jax.random.split(jax.random.key(0), 24)
    scores = jax.jit(lambda: jax.lax.map(lambda key: jax.jacfwd(total)(at, key), keys))()
    value = jax.jit(lambda z: jax.lax.map(lambda key: total(z, key), keys))
    for n, h in enumerate((0.004, 0.3, 0.3, 0.05)):
        apart = jnp.zeros(4).at[n].set(h)
        slopes = (value(at + apart) - value(at - apart)) / (2 * h)
        error = float(jnp.hypot(jnp.std(slopes), jnp.std(scores[:, n]))) / 24**0.5
        assert float(jnp.mean(scores[:, n])) == pytest.approx(float(jnp.mean(slopes)), abs=4 * error)
        assert 4 * error < 6 * float(jnp.std(scores[:, n])) + 2  # that the comparison says something


@pytest.mark.slow
def test_frames_that_are_missing_count_for_nothing():
    model = jc.models.RunAndTumble(20.0, 1.0, rotational_diffusion=0.062)
    full = simulated(model, 2, 2, 2.0, 0.1)
    seen = full.seen.at[:, 5:8].set(False)
    holes = Tracks(full.positions, 0.1, seen)
    each = increments(model, holes, NOISE, 100, key=jax.random.key(0))
    assert jnp.max(jnp.abs(each[:, 4:7])) < 0.3  # but for the chance with which particles are drawn anew
    moved = Tracks(jnp.where(seen[..., None], full.positions, 1e3), 0.1, seen)
    np.testing.assert_allclose(increments(model, moved, NOISE, 100, key=jax.random.key(0)), each)


@pytest.mark.slow
def test_a_fit_finds_the_numbers_of_swimmers():
    truth = {"speed": 20.0, "rate": 1.0, "diffusion": 0.062}

    def build(n):
        turning = jc.models.Persistent(0.33)
        return jc.models.RunAndTumble(n["speed"], n["rate"], turning, rotational_diffusion=n["diffusion"]), NOISE

    tracks = simulated(build(truth)[0], 2, 8, 6.0, 0.2, seed=3)
    priors = {"speed": LogNormal(21.0, 1.1), "rate": LogNormal(1.4, 2.0), "diffusion": LogNormal(0.09, 2.0)}
    posterior = TrackPosterior(priors, build, tracks, num_particles=50, substeps=1)
    best = fit_tracks(posterior, key=jax.random.key(0), progress=False)
    assert best.converged, best.reason
    std = np.sqrt(np.diag(np.linalg.inv(np.eye(3) + best.jacobian.T @ best.jacobian)))
    off = (np.asarray(posterior.whitened(truth)) - np.asarray(best.z)) / std
    assert np.abs(off).max() < 3.5 and max(best.particle_error.values()) < 1
    with pytest.raises(TypeError, match="`fit` must be a Fit"):
        laplace(best)  # its intervals are not calibrated


@pytest.mark.parametrize(
    "swimmers, sentence",
    [
        (jc.models.RunAndTumble(1.0, 1.0, jc.models.Reversal()), "Reversal() has no `log_density`"),
        (jc.models.RunAndTumble(1.0, np.ones(3)), "`swimmers` must all have the same numbers, got some of 3"),
        (jc.models.phks(0.1, 1.0), "`swimmers` must be swimmers, jc.models.RunAndTumble(...), or a Problem"),
    ],
)
def test_swimmers_that_cannot_be_followed_are_refused(swimmers, sentence):
    with pytest.raises((TypeError, ValueError), match=re.escape(sentence)):
        track_log_likelihood(swimmers, Tracks(np.zeros((1, 3, 2)), 0.1), 0.1, key=jax.random.key(0))


@pytest.mark.slow
def test_many_cells_give_the_median_of_their_rates_and_its_spread():
    """Turns that were seen, in one dimension: how often each cell turned is all that its track tells of its rate."""
    count, t1, dt = 60, 20.0, 0.01
    rates = np.exp(0.5 * np.random.default_rng(5).normal(size=count))
    start = jc.initial.gaussian(mass=1.0, center=(0.0,), std=1.0)
    problem = jc.Problem(jc.models.RunAndTumble(1.0, rates, jc.models.Reversal()), jc.FreeSpace(1), density=start)
    run = jc.solve(problem, jc.Agents(count), t1=t1, dt=dt, key=jax.random.key(0), saveat=jc.SaveAt(every=1))
    turns = np.sum(np.diff(np.asarray(run.ys.headings)[..., 0], axis=0) != 0, axis=0)

    def predict(numbers, adjoint=None):
        return t1 * numbers["median"] * jnp.exp(numbers["spread"] * numbers["cell"]), jc.RESULTS.successful

    priors = {"median": LogNormal(1.0, 3.0), "spread": LogNormal(0.4, 2.0), "cell": Normal(jnp.zeros(count), 1.0)}
    best = fit(Posterior(priors, predict, turns, Poisson()), progress=False)
    draws = sample(best, key=jax.random.key(1), draws=300, chains=2, progress=False)
    assert draws.divergences == 0 and max(draws.r_hat.values()) < 1.05
    numbers = {name: np.asarray(values) for name, values in draws.parameters.items()}
    for name, truth in (("median", 1.0), ("spread", 0.5)):
        values = np.log(numbers[name])
        assert abs(values.mean() - math.log(truth)) < 3 * values.std()
        assert values.std() < 0.25
    each = numbers["median"][..., None] * np.exp(numbers["spread"][..., None] * numbers["cell"])
    lower, upper = np.quantile(each, [0.05, 0.95], axis=(0, 1))
    assert 46 <= np.sum((lower < rates) & (rates < upper)) <= 60  # 54 are expected
