"""`solve`: what it keeps, what it refuses, how it fails; and that it is pure under every transformation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import integrate

PROBLEM = jc.Problem(
    model=jc.models.phks(0.1, 1.0),
    domain=jc.Grid.box((-1.0, -1.0), (1.0, 1.0), (8, 8)),
    density=jc.initial.gaussian(mass=1.0, std=0.4),
    signal=jc.initial.gaussian(amplitude=2.0, std=0.5),
)
FV = jc.FiniteVolume()


def run(problem=PROBLEM, method=FV, t1=0.2, dt=0.01, **settings):
    return jc.solve(problem, method, t1=t1, dt=dt, **settings)


def test_the_final_time_is_kept_by_default():
    solution = run()
    np.testing.assert_allclose(solution.ts, [0.2])
    np.testing.assert_array_equal(solution.ys.density[0], solution.final.density)
    assert int(solution.stats["num_steps"]) == 20 and int(solution.stats["failed_step"]) == -1
    assert float(solution.stats["dt"]) == 0.01
    assert solution.result == jc.RESULTS.successful and jc.RESULTS[solution.result] == "successful"


SAVES = {
    "ts": (jc.SaveAt(ts=[0.2, 0.03, 0.0]), [0, 3, 20]),
    "every": (jc.SaveAt(every=7), [0, 7, 14]),
    "every and t1": (jc.SaveAt(every=7, t1=True), [0, 7, 14, 20]),
    "ts and t1": (jc.SaveAt(ts=[0.05], t1=True), [5, 20]),
    "one time": (jc.SaveAt(ts=0.11), [11]),
    "uneven": (jc.SaveAt(ts=[0.01, 0.02, 0.05, 0.08, 0.19]), [1, 2, 5, 8, 19]),
}


@pytest.mark.parametrize("name", SAVES)
def test_what_is_saved_when(name):
    """The saved states are those of shorter runs, bit for bit; and saving changes nothing."""
    saveat, steps = SAVES[name]
    solution, whole = run(saveat=saveat), run(saveat=jc.SaveAt(every=1))
    assert saveat.steps(0.0, 0.01, 20) == tuple(steps)
    np.testing.assert_allclose(solution.ts, 0.01 * np.array(steps), rtol=1e-14)
    np.testing.assert_array_equal(solution.ys.density, whole.ys.density[np.array(steps)])
    np.testing.assert_array_equal(solution.final.density, whole.final.density)
    np.testing.assert_array_equal(solution.final.signal, run().final.signal)


def test_nothing_saved():
    solution = run(saveat=jc.SaveAt(t1=False))
    assert solution.ys is None and solution.ts.shape == (0,)
    np.testing.assert_array_equal(solution.final.density, run().final.density)


def test_functions_of_the_state_are_saved():
    saveat = jc.SaveAt(every=5, fn=lambda snapshot: {"peak": jnp.max(snapshot.density), "c": snapshot.signal})
    solution, fields = run(saveat=saveat), run(saveat=jc.SaveAt(every=5))
    assert set(solution.ys) == {"peak", "c"}
    np.testing.assert_array_equal(solution.ys["peak"], fields.ys.density.max((1, 2)))
    np.testing.assert_array_equal(solution.ys["c"], fields.ys.signal)


def test_time_is_the_start_plus_whole_steps():
    """A wall that follows the clock sees `t0 + n dt`, not a sum of rounded steps."""
    walls = [(jc.Dirichlet({"rho": lambda t: t}), jc.NoFlux())]
    problem = jc.Problem(
        jc.models.phks(0.1, 1.0),
        jc.Grid.box(0.0, 1.0, 4, walls),
        jc.initial.uniform(amplitude=0.0),
        jc.initial.uniform(amplitude=1.0),
    )
    early = run(problem, t1=0.2)
    late = jc.solve(problem, FV, t0=1.0, t1=1.2, dt=0.01)
    assert float(late.final.density.sum()) > 5 * float(early.final.density.sum())
    np.testing.assert_allclose(late.ts, [1.2])


def test_results_are_the_same_under_jit():
    solution = eqx.filter_jit(run)(PROBLEM)
    np.testing.assert_array_equal(solution.final.density, run().final.density)


@pytest.mark.parametrize("method", [FV, jc.ParticleField(64)], ids=["fv", "sipf"])
def test_vmap_is_a_loop(method):
    key = jax.random.key(0)

    def final(mobility, center):
        density = jc.initial.gaussian(mass=1.0, center=center, std=0.4)
        problem = PROBLEM.replace(model=jc.models.phks(mobility, 1.0), density=density)
        solution = run(problem, method, key=key)
        return solution.final.density, solution.final.signal, solution.stats["failed_step"]

    mobilities, centers = jnp.array([0.05, 0.1, 0.3]), jnp.array([[0.0, 0.0], [0.1, -0.3], [0.4, 0.2]])
    together = jax.vmap(final)(mobilities, centers)
    for i in range(3):
        for one, many in zip(final(mobilities[i], centers[i]), together, strict=True):
            np.testing.assert_allclose(many[i], one, rtol=1e-12, atol=1e-15)


@pytest.mark.slow
def test_vmap_over_keys_of_a_stochastic_method():
    keys = jax.random.split(jax.random.key(0), 2)
    method = jc.ParticleField(64)
    together = jax.vmap(lambda key: run(method=method, key=key).final.positions)(keys)
    for i in range(2):
        np.testing.assert_allclose(together[i], run(method=method, key=keys[i]).final.positions, rtol=1e-12, atol=1e-14)
    assert not np.any(together[0] == together[1])


@pytest.mark.parametrize("adjoint", [jc.Direct(), jc.Forward(), jc.Remat(segments=3)], ids=str)
def test_the_adjoint_does_not_change_the_values(adjoint):
    np.testing.assert_array_equal(run(adjoint=adjoint).final.density, run().final.density)


@pytest.mark.slow
@pytest.mark.parametrize("method", [FV, jc.ParticleField(64)], ids=["fv", "sipf"])
def test_a_loop_in_pieces_is_the_whole(method):
    """The carry and the step number go from one piece to the next, and nothing else."""
    key, zero, dt = jax.random.key(2), jnp.asarray(0.0), jnp.asarray(0.01)
    start = eqx.filter_jit(integrate.loop.start)(PROBLEM, method, key)

    def final(*pieces):
        carry, now = start, 0
        for steps in pieces:
            ahead = eqx.filter_jit(integrate.loop.take_steps)
            carry = ahead(PROBLEM, method, carry, jnp.asarray(now), steps, zero, dt, key, jc.Remat())
            now += steps
        return jax.tree.leaves(carry.state)

    for pieces in ((1, 19), (7, 7, 6)):
        for one, whole in zip(final(*pieces), final(20), strict=True):
            np.testing.assert_array_equal(one, whole)


def broken_after(t):
    """A problem whose wall turns to NaN at a known time."""
    walls = [(jc.Dirichlet({"rho": lambda now: jnp.where(now > t, jnp.nan, 1.0)}), jc.NoFlux())]
    return jc.Problem(
        jc.models.phks(0.1, 1.0),
        jc.Grid.box(0.0, 1.0, 8, walls),
        jc.initial.uniform(amplitude=1.0),
        jc.initial.uniform(amplitude=1.0),
    )


@pytest.mark.parametrize("stepper", [jc.Euler(), jc.Strang()], ids=["euler", "strang"])
def test_nan_is_a_result_with_its_step(stepper):
    method = jc.FiniteVolume(stepper)
    after = 0.055 if isinstance(stepper, jc.Euler) else 0.065  # Euler looks at the clock at the start of a step only
    solution = run(broken_after(after), method, throw=False)
    assert solution.result == jc.RESULTS.nonfinite
    assert int(solution.stats["failed_step"]) == 6
    with pytest.raises(jc.SolveError, match=r"Step 6 \(t=0.06, dt=0.01\): The solution is no longer finite") as caught:
        run(broken_after(after), method)
    assert int(caught.value.solution.stats["failed_step"]) == 6


def test_nan_in_the_initial_fields_is_found_at_the_first_step():
    """Where it is not known when the problem is built; where it is, `Problem` refuses it."""

    def outcome(value, part):
        nan = jc.initial.function(lambda x: jnp.where(x[..., 0] > 0.5, value, 1.0))
        solution = run(PROBLEM.replace(**{part: nan}))
        return solution.result, solution.stats["failed_step"]

    for part in ("density", "signal"):
        result, failed = eqx.filter_jit(outcome)(jnp.nan * jnp.ones(()), part)
        assert result == jc.RESULTS.nonfinite and int(failed) == 0
        with pytest.raises(ValueError, match=f"`{part}` must be finite and not negative, but the function is nan at"):
            outcome(jnp.nan, part)


OUT_OF_RANGE = {
    "mobility": lambda value: PROBLEM.replace(model=jc.models.phks(value, 1.0)),
    "consumption": lambda value: PROBLEM.replace(model=jc.models.phks(0.1, 1.0, value)),
    "mass": lambda value: PROBLEM.replace(density=jc.initial.gaussian(mass=value, std=0.4)),
    "active": lambda value: PROBLEM.replace(model=jc.models.phks(0.1, jc.models.LogWindow(1.0, 0.05, value))),
}


@pytest.mark.parametrize(
    "name, method", [*((name, FV) for name in OUT_OF_RANGE), ("mobility", jc.ParticleField(16))], ids=str
)
def test_a_number_out_of_range_that_is_known_late_is_a_result(name, method):
    """And built outside of the transformation, as the result advises, the problem says which it is."""
    build = OUT_OF_RANGE[name]

    def outcome(value):
        solution = run(build(value), method, t1=0.01, dt=0.005, key=jax.random.key(0))
        return solution.result, solution.stats["failed_step"]

    result, failed = jax.vmap(outcome)(jnp.array([-0.1, 0.1]))
    assert (result == jc.RESULTS.out_of_range).tolist() == [True, False]
    assert (result == jc.RESULTS.successful).tolist() == [False, True]
    assert failed.tolist() == [0, -1]
    assert "built outside of them, with the same numbers" in jc.RESULTS[jc.RESULTS.out_of_range]
    with pytest.raises(ValueError, match=f"`{name}` must .*-0.1"):
        build(-0.1)


@pytest.mark.parametrize("better", [{"t0": 0.0, "t1": 0.1}, {"t1": 1e6 + 0.25, "dt": 0.0625}, "double"], ids=str)
def test_times_that_single_precision_cannot_tell_apart_are_refused(better):
    """And what the message says would do does."""
    settings = {"t0": 1e6, "t1": 1e6 + 0.1, "dt": 0.01}
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r"`dt` must be at least 0.0625.* at t=1e\+06, got 0.01: a larger `dt` or t0=0"),
    ):
        run(**settings)
    with jax.enable_x64(better == "double"):
        settings |= {} if better == "double" else better
        problem = jax.tree.map(lambda a: jnp.asarray(a, float) if eqx.is_inexact_array(a) else a, PROBLEM)
        solution = run(problem, saveat=jc.SaveAt(every=1), **settings)
        assert solution.result == jc.RESULTS.successful and len(set(solution.ts.tolist())) == len(solution.ts) > 3


@pytest.mark.slow
def test_forward_mode_says_what_to_take_for_reverse():
    def total(mobility, adjoint=jc.Forward()):
        problem = PROBLEM.replace(model=jc.models.phks(mobility, 1.0))
        return jnp.sum(run(problem, t1=0.02, adjoint=adjoint).final.density ** 2)

    for transformed in (jax.grad(total), jax.jit(jax.grad(total)), lambda at: jax.vjp(total, at)[1](1.0)):
        with pytest.raises(
            ValueError, match=r"`adjoint`: Forward\(\) has no .* reverse mode .*: give Remat\(\) or Direct"
        ):
            transformed(0.1)
    forward = float(jax.jacfwd(total)(0.1))
    for adjoint in (jc.Remat(), jc.Direct()):
        assert jax.grad(total)(0.1, adjoint) == pytest.approx(forward, rel=1e-10)


def test_an_inner_solver_that_gives_up_is_a_result_with_its_step():
    solution = run(broken_after(0.065), jc.FiniteVolume(jc.Adaptive(max_steps=100)), throw=False)
    assert solution.result == jc.RESULTS.solver_failed and int(solution.stats["failed_step"]) == 6


def test_an_unstable_step_is_a_result_with_its_step():
    """The first step after which a density is negative, as saving every step shows."""
    problem = PROBLEM.replace(model=jc.models.phks(0.1, 0.0))
    dt = 1.5 * 0.25**2 / (4 * 0.1)  # where the fastest mode grows by 2.5 at each step, from round-off
    solution = jc.solve(problem, FV, t1=80 * dt, dt=dt, saveat=jc.SaveAt(every=1), throw=False)
    assert solution.result == jc.RESULTS.unstable_step
    lowest = np.asarray(solution.ys.density).min((1, 2))
    first = int(np.argmax(lowest < 0)) - 1  # the state after step n is saved as number n + 1
    assert first > 10
    assert int(solution.stats["failed_step"]) == first
    with pytest.raises(jc.SolveError, match=f"Step {first} .*larger than the scheme's stable one"):
        jc.solve(problem, FV, t1=80 * dt, dt=dt)


def test_failure_under_vmap_and_jit_is_only_reported():
    def failed(mobility):
        solution = run(PROBLEM.replace(model=jc.models.phks(mobility, 1.0)))
        return solution.stats["failed_step"]

    good, bad = jax.jit(jax.vmap(failed))(jnp.array([0.1, 10.0]))
    assert int(good) == -1 and int(bad) >= 0


@pytest.mark.slow
def test_dt_auto_takes_the_advice():
    for method in (FV, jc.ParticleField(64)):
        key = jax.random.key(0)
        advice = eqx.filter_jit(lambda method, key: method.stable_dt(PROBLEM, method.init(PROBLEM, key=key)))
        advised = float(advice(method, key))
        solution = run(method=method, dt="auto", t1=0.5, key=key)
        steps = int(solution.stats["num_steps"])
        assert steps == max(1, int(np.ceil(0.5 / advised)))
        assert float(solution.stats["dt"]) == pytest.approx(0.5 / steps)
        np.testing.assert_allclose(solution.ts, [0.5])


GOOD = {"problem": PROBLEM, "method": FV, "t1": 0.2, "dt": 0.01}


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"problem": PROBLEM.model}, TypeError, "`problem` must be a Problem"),
        ({"method": jc.FiniteVolume}, TypeError, "`method` must be a method such as"),
        ({"method": "fv"}, TypeError, "`method` must be a method such as"),
        ({"saveat": [0.1]}, TypeError, "`saveat` must be a SaveAt"),
        ({"adjoint": "direct"}, TypeError, r"`adjoint` must be Remat\(\), Direct\(\) or Forward\(\)"),
        ({"t1": float("nan")}, ValueError, "`t1` must be a finite number known before compilation"),
        ({"t0": float("inf")}, ValueError, "`t0` must be a finite number"),
        ({"t1": -1.0}, ValueError, "`t1` must be larger than `t0`, got t0=0 and t1=-1"),
        ({"t0": 0.2}, ValueError, "`t1` must be larger than `t0`"),
        ({"dt": 0.0}, ValueError, "`dt` must be a positive number known before compilation, or 'auto', got 0.0"),
        ({"dt": -0.01}, ValueError, "`dt` must be a positive number"),
        ({"dt": float("nan")}, ValueError, "`dt` must be a positive number"),
        ({"dt": "small"}, ValueError, "`dt` must be a positive number or 'auto', got 'small'"),
        (
            {"dt": 0.03},
            ValueError,
            r"`dt` must divide t1 - t0 = 0.2 into whole steps, got 0.03; dt=0.0285\d* \(7 steps\)",
        ),
        ({"dt": 1.0}, ValueError, r"`dt` must divide .* dt=0.2 \(1 steps\) would do"),
        ({"method": jc.ParticleField(10)}, ValueError, "`key` is missing: ParticleField is stochastic"),
        ({"method": jc.ParticleField(10), "key": 0}, TypeError, "`key` must be a random key .*, got 0"),
        ({"saveat": jc.SaveAt(ts=[0.055])}, ValueError, "`ts` holds 0.055, which is not a step of the run"),
        ({"saveat": jc.SaveAt(ts=[0.3])}, ValueError, "`ts` holds 0.3, .* the nearest step is at t=0.2"),
        ({"saveat": jc.SaveAt(ts=[-0.1])}, ValueError, "`ts` holds -0.1, .* the nearest step is at t=0"),
        (
            {"problem": PROBLEM.replace(domain=jc.FreeSpace(2))},
            TypeError,
            r"`domain`: FiniteVolume does not solve problems with the whole space: a large `jc.Grid.box\(...\)` stands",
        ),
    ],
)
def test_refused(changes, error, message):
    settings = GOOD | changes
    with pytest.raises(error, match=message):
        jc.solve(settings.pop("problem"), settings.pop("method"), **settings)


@pytest.mark.parametrize("name", ["t0", "t1", "dt"])
def test_steps_must_be_known_before_compilation(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a .*number known before compilation"):
        jax.jit(lambda value: run(**{name: value}).final.density)(0.1)


def test_auto_needs_numbers():
    with pytest.raises(ValueError, match="`dt='auto'` depends on the problem's numbers"):
        jax.jit(lambda m: run(PROBLEM.replace(model=jc.models.phks(m, 1.0)), dt="auto").final.density)(0.1)


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: jc.SaveAt(ts=[0.1], every=2), ValueError, "Give `ts` or `every`, not both"),
        (lambda: jc.SaveAt(every=0), ValueError, "`every` must be at least 1, got 0"),
        (lambda: jc.SaveAt(every=1.5), TypeError, "`every` must be an integer, got 1.5"),
        (lambda: jc.SaveAt(fn="density"), TypeError, "`fn` must be a function of a Snapshot, got 'density'"),
        (lambda: jc.Remat(segments=0), ValueError, "`segments` must be at least 1, got 0"),
        (lambda: jc.FiniteVolume("euler"), TypeError, "`stepper` must be a stepper such as"),
        (lambda: jc.FiniteVolume(jc.Euler), TypeError, "`stepper` must be a stepper such as"),
        (lambda: jc.Strang(jc.Strang()), TypeError, "`transport` must be Euler"),
        (lambda: jc.Adaptive(rtol=0.0), ValueError, "`rtol` must be positive"),
        (lambda: jc.Adaptive(atol=-1.0), ValueError, "`atol` must be positive"),
        (lambda: jc.Adaptive(max_steps=0), ValueError, "`max_steps` must be at least 1"),
    ],
)
def test_settings_are_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()
