"""Kernels with a memory: each against its published form as an integral over the past."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jaxchemo.models import (
    CountingNoise,
    Cue,
    ExponentialResponse,
    FilteredResponse,
    HalvingResponse,
    Persistent,
    RunAndTumble,
    brumley,
    celani_vergassola,
    son_menolascina,
    xie,
)


def signal(t):
    """In uM: even until 0, then it rises and swings."""
    return 1 + 0.01 * (t + np.sin(3 * t)) * (t > 0)


def slope(t):
    return 0.01 * (1 + 3 * np.cos(3 * t))


def followed(law, t1=2.0, steps=400):
    """The rate in the middle of the last step of a cell that met `signal`."""
    dt, zero = t1 / steps, jnp.zeros(1)
    memory = law.rest(Cue((zero,), (zero + 1,), zero + 1.0, zero))

    def step(memory, t):
        cue = Cue((zero,), (zero + 1,), zero + 1 + 0.01 * (t + jnp.sin(3 * t)), zero + 0.01 * (1 + 3 * jnp.cos(3 * t)))
        now = law.live(cue, memory, dt, lambda: zero)
        return now.memory, now.rate[0]

    _, rates = jax.lax.scan(step, memory, (jnp.arange(steps) + 0.5) * dt)
    return float(rates[-1]), t1 - 0.5 * dt


def remembered(kernel, t, of=lambda c: c):
    """`int K(s) of(c(t - s)) ds`, for a kernel without a mean."""
    return quad(lambda s: kernel(s) * (of(signal(t - s)) - of(1.0)), 0, t, epsabs=1e-13)[0]


class TestPublishedKernels:
    def test_celani_and_vergassola(self):
        found, t = followed(celani_vergassola(2.0, 30.0, 0.7))
        z = 1 / 0.7
        kernel = lambda s: z * (z * s - (z * s) ** 2 / 2) * np.exp(-z * s)  # noqa: E731
        assert found == pytest.approx(2.0 * (1 - 30 * remembered(kernel, t)), rel=1e-4)

    def test_xie(self):
        found, t = followed(xie())
        scale = 1.29 * 0.28 / (1.29 - 0.28)
        kernel = lambda s: scale * (np.exp(-s / 1.29) / 1.29 - np.exp(-s / 0.28) / 0.28)  # noqa: E731
        level = remembered(kernel, t, lambda c: np.log(1 + c / 0.39))
        assert found == pytest.approx(2.3 * (1 + 2.7 * level), rel=1e-4)

    def test_brumley_and_son(self):
        found, t = followed(brumley(gain=2.0, motor=10.0))
        state = quad(lambda s: np.exp(-s / 1.3) * 2.0 * slope(t - s), 0, t)[0]
        assert found == pytest.approx((1 + np.exp(-10 * state)) / 2 / 0.45, rel=1e-4)
        found, t = followed(son_menolascina(2.0))
        bound = quad(lambda s: np.exp(-s) * 100 / (100 + signal(t - s)) ** 2 * slope(t - s), 0, t)[0]
        assert found == pytest.approx(2 * np.exp(-660 * bound), rel=1e-4)

    def test_second_order_in_the_step(self):
        law, errors = celani_vergassola(2.0, 30.0, 0.3), []
        for steps in (10, 20, 40):
            found, t = followed(law, steps=steps)
            errors.append(abs(found - followed(law, t1=t + t / (2 * 2000 - 1), steps=2000)[0]))
        assert np.all(np.diff(np.log2(errors)) < -1.7)

    def test_even_signals_are_forgotten(self):
        zero = jnp.zeros(3)
        for law in (celani_vergassola(), xie(), brumley(), son_menolascina()):
            rest = Cue((zero,), (zero + 1,), zero + 7.0, zero)
            now = law.live(rest, law.rest(rest), 0.1, lambda: zero)
            np.testing.assert_allclose(now.rate, law.rate(rest))
            assert all(np.all(np.asarray(part) == 0) for part in now.memory)


def test_halving_is_its_formula():
    zero = jnp.zeros(())
    law = HalvingResponse(2.0, 3.0)
    assert float(law.rate(Cue((zero,), (zero,), zero, zero + 0.4))) == pytest.approx(1 + np.exp(-1.2))
    assert law.describe("c") == "2 (1 + exp(-3 d(c)/dt)) / 2"


def test_noise_has_its_variance():
    """After a long time `strength^2 / (2 time)`, on whatever steps."""
    noise = CountingNoise(608.0, precision=2.0)
    strength = 2 * np.sqrt(3 * 0.5 * 602.214 / (np.pi * 0.5 * 608.0 * 0.1**3)) / 602.214 * np.sqrt(0.1)
    assert float(noise.strength(jnp.asarray(0.5))) == pytest.approx(strength, rel=1e-6)
    law, zero = FilteredResponse(ExponentialResponse(1.0, 1.0), 0.8, noise), jnp.zeros(50_000)
    for dt in (0.1, 0.4):
        memory, key = (zero,), jax.random.key(0)
        cue = Cue((zero,), (zero + 1,), zero + 0.5, zero)
        for n in range(round(4 / dt)):
            drawn = jax.random.normal(jax.random.fold_in(key, n), zero.shape)
            memory = law.live(cue, memory, dt, lambda drawn=drawn: drawn).memory
        assert float(jnp.var(memory[0])) == pytest.approx(strength**2 / 1.6, rel=0.03)


def test_the_limit_keeps_what_comes_before_the_turn():
    swims = {"speed": 30.0, "turning": Persistent(0.33), "rotational_diffusion": 0.26}
    at_once = RunAndTumble(tumble_rate=ExponentialResponse(1.5, 20.0), **swims).to_keller_segel(3)
    times = (0.5, 0.2)
    filtered = RunAndTumble(tumble_rate=FilteredResponse(ExponentialResponse(1.5, 20.0), times), **swims)
    forgotten = 1.5 * 0.67 + 2 * 0.26
    kept = 1 / ((1 + 0.5 * forgotten) * (1 + 0.2 * forgotten))
    laws = [model.species["rho"].taxis["c"] for model in (at_once, filtered.to_keller_segel(3))]
    assert float(laws[1].chi / laws[0].chi) == pytest.approx(kept)
    assert repr(xie().response.of) == "LogBinding(dissociation=0.39)"


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"`times\[1\]` must be positive"):
        FilteredResponse(ExponentialResponse(1.0, 1.0), (1.0, 0.0))
    with pytest.raises(ValueError, match="at least one time"):
        FilteredResponse(ExponentialResponse(1.0, 1.0), ())
    with pytest.raises(TypeError, match="`response` must be"):
        FilteredResponse(1.0, 1.0)
    with pytest.raises(ValueError, match="`diffusivity` must be positive"):
        CountingNoise(-1.0)


def test_counting_noise_has_a_derivative_where_there_is_nothing_to_count():
    noise = CountingNoise(608.0)
    assert float(noise.strength(jnp.array(0.0))) == 0
    assert float(jax.grad(lambda signal: noise.strength(signal))(0.0)) == 0
