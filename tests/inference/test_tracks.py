"""Likelihoods, their information, and score gradients, against the derivatives of exact laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import inference
from jaxchemo.analysis import swimming
from jaxchemo.models import Directional, ExponentialResponse, Persistent, Reversal, RunAndTumble

KEY = jax.random.key(4)


def free(rate, n=10_000, speed=20.0):
    start = jc.initial.particles(jnp.zeros((n, 1)), mass=1.0)
    return jc.Problem(RunAndTumble(speed, rate, Reversal()), jc.FreeSpace(1), start)


@pytest.mark.slow
def test_the_score_gradient_is_that_of_the_exact_law():
    found = inference.score_gradient(
        lambda x: x[:, 0] ** 2, lambda rate: free(rate), jnp.asarray(1.0), 10_000, t1=3.0, dt=0.05, key=KEY
    )
    exact = jax.grad(lambda rate: swimming.mean_square(3.0, speed=20.0, rate=rate))(1.0)
    assert abs(float(found.gradient - exact)) < 3 * float(found.error)
    assert float(found.error) < 0.05 * abs(float(exact))
    assert float(found.value) == pytest.approx(1000.5, rel=0.04)


def test_the_path_carries_no_derivative_of_the_rate_but_that_of_the_speed():
    def square(speed, rate):
        run = jc.solve(free(rate, 2_000, speed), jc.Agents(2_000), t1=3.0, dt=0.05, key=KEY)
        return jnp.mean(run.final.positions**2)

    slopes = jax.grad(square, argnums=(0, 1))(20.0, 1.0)
    assert float(slopes[0]) == pytest.approx(2 * float(square(20.0, 1.0)) / 20, rel=1e-9)
    assert float(slopes[1]) == 0  # which is wrong, and why there is a score


@pytest.mark.slow
def test_two_rates_at_once():
    def build(rates):
        return free(Directional(rates[0], rates[1]))

    found = inference.score_gradient(lambda x: x[:, 0], build, jnp.array([1.5, 0.5]), 10_000, t1=4.0, dt=0.05, key=KEY)

    def mean(rates):  # v s (t - (1 - exp(-S t)) / S), from even directions
        total = jnp.sum(rates)
        return 20 * (rates[1] - rates[0]) / total * (4 - (1 - jnp.exp(-total * 4)) / total)

    exact = jax.grad(mean)(jnp.array([1.5, 0.5]))
    assert bool(jnp.all(jnp.abs(found.gradient - exact) < 3 * found.error))


@pytest.mark.slow
def test_information_of_a_constant_rate():
    n = 4_000
    run = jc.solve(
        free(0.8, n), jc.Agents(n), t1=5.0, dt=0.02, key=KEY, saveat=jc.SaveAt(every=1), adjoint=jc.Forward()
    )
    tracks = run.ts, run.ys.positions, run.ys.headings
    found = inference.fisher_information(lambda a: free(a[0], n), jnp.array([0.8]), *tracks)
    assert found.shape == (1, 1)
    assert float(found[0, 0]) == pytest.approx(5.0 / 0.8, rel=0.08)
    # The most likely rate is turns over time.
    slope = jax.jit(jax.grad(lambda a: jnp.sum(inference.log_likelihood(free(a, n), *tracks))))
    turns = float(np.sum(np.diff(np.asarray(run.ys.headings[..., 0]), axis=0) != 0))
    low, high = 0.5, 1.2
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if float(slope(middle)) > 0 else (low, middle)
    assert middle == pytest.approx(turns / (5.0 * n), rel=0.02)


@pytest.mark.slow
def test_cells_that_sense_in_three_dimensions_tell_their_gain():
    n = 3_000

    def build(numbers):
        cells = RunAndTumble(20.0, ExponentialResponse(1.0, numbers[0]), Persistent(0.2))
        start = jc.initial.particles(jnp.zeros((n, 3)), mass=1.0)
        return jc.Problem(cells, jc.FreeSpace(3), start, jc.initial.function(lambda x: 0.1 * x[..., 0]))

    at = jnp.array([0.3])
    run = jc.solve(build(at), jc.Agents(n), t1=5.0, dt=0.05, key=KEY, saveat=jc.SaveAt(every=1), adjoint=jc.Forward())
    tracks = run.ts, run.ys.positions, run.ys.headings
    score = jax.jacfwd(lambda numbers: inference.log_likelihood(build(numbers), *tracks))(at)[:, 0]
    # At the truth the mean of the score is zero, and its variance is the information.
    assert abs(float(score.mean())) < 3 * float(score.std()) / np.sqrt(n)
    found = inference.fisher_information(build, at, *tracks)
    assert float(found[0, 0]) == pytest.approx(float(score.var()), rel=0.02)


def test_what_is_refused():
    n = 3
    problem = free(1.0, n)
    ts, x, p = jnp.arange(3.0), jnp.zeros((3, n, 1)), jnp.ones((3, n, 1))
    with pytest.raises(ValueError, match="no missing frames"):
        inference.log_likelihood(problem, ts, x.at[1, 0].set(jnp.nan), p)
    walls = problem.replace(domain=jc.Grid.box(-1.0, 1.0, 4))
    with pytest.raises(TypeError, match="swimmers without walls"):
        inference.log_likelihood(walls, ts, x, p)
    slow = problem.replace(model=RunAndTumble(1.0, 1.0, tumble_duration=0.1))
    with pytest.raises(TypeError, match="without memory or duration"):
        inference.log_likelihood(slow, ts, x, p)
