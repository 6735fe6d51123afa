"""Tumble rates, turns, the pathway and the limits of swimming cells, each against its formula."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxchemo import models
from jaxchemo.models import (
    Cue,
    Directional,
    ExponentialResponse,
    HillMotor,
    Isotropic,
    LinearResponse,
    Pathway,
    Persistent,
    Receptors,
    Reversal,
    RunAndTumble,
    SaturatingResponse,
    Spontaneous,
    TwoStateMotor,
)

TAR = Receptors(6.0, 18.2, 3000.0)


def cue(along, signal=2.0, passing=0.0):
    along = jnp.asarray(along, float)
    return Cue((jnp.zeros_like(along),), (jnp.ones_like(along),), jnp.full_like(along, signal), along, passing)


class TestRates:
    @given(st.floats(-3, 3), st.floats(0.1, 2), st.floats(0.1, 2))
    def test_each_law_is_its_formula_and_the_same_for_small_changes(self, change, rate, gain):
        laws = {
            LinearResponse: lambda z: 1 - z,
            ExponentialResponse: lambda z: np.exp(-z),
            SaturatingResponse: lambda z: 1 - np.tanh(z),
        }
        for kind, factor in laws.items():
            law = kind(rate, gain)
            assert float(law.rate(cue(change))) == pytest.approx(rate * factor(gain * change), rel=1e-12)
            assert float(kind(rate, gain, jnp.log).rate(cue(change))) == pytest.approx(
                rate * factor(gain * change / 2), rel=1e-12
            )
            slope = jax.grad(lambda z, law=law: law.rate(cue(z)))(0.0)
            assert float(slope) == pytest.approx(-rate * gain)

    def test_a_cell_that_turns_meets_the_opposite(self):
        one = cue(0.5, passing=0.1)
        assert float(one.change) == pytest.approx(0.6) and float(one.turned().change) == pytest.approx(-0.4)
        law = Directional(2.0, lambda x: 1 + x[..., 0])
        assert float(law.rate(one)) == 2.0 and float(law.rate(one.turned())) == 1.0

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Spontaneous(-1.0), "`rate` must not be negative"),
            (lambda: LinearResponse(0.0, 1.0), "`rate` must be positive"),
            (lambda: Persistent(1.0), "`mean` must lie between -1 and 1"),
            (lambda: RunAndTumble(0.0, 1.0), "`speed` must be positive"),
            (lambda: RunAndTumble(1.0, -2.0), "`tumble_rate` must not be negative"),
            (lambda: RunAndTumble(1.0, ExponentialResponse(1.0, 1.0), signals={}), "the one signal that is sensed"),
            (lambda: HillMotor(0.2, 1.5), "`bias` must lie between 0 and 1"),
            (lambda: Receptors(6.0, -1.0, 3.0), "`inactive` must be positive"),
            (lambda: Receptors(np.array([6.0, 2.0]), 1.0, 3.0), "must have one number for each kind"),
            (
                lambda: RunAndTumble(1.0, 1.0, signals={"c": models.Signal(models.Consumption("u"))}),
                "the species 'u', but the model has 'rho'",
            ),
        ],
    )
    def test_what_is_refused(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()
        with pytest.raises(TypeError, match="`of` must be a function"):
            ExponentialResponse(1.0, 1.0, "log")

    def test_equations_say_it(self):
        shown = repr(RunAndTumble(20.0, ExponentialResponse(1.0, 0.5, jnp.log), Persistent(0.33)))
        assert "swimmers run at 20, tumble at rate 1 exp(-0.5 d(log c)/dt), and turn by Persistent(mean=0.33)" in shown


class TestTurns:
    @pytest.mark.parametrize("ndim", [1, 2, 3])
    @pytest.mark.parametrize("law", [Isotropic(), Reversal(), Persistent(0.33), Persistent(-0.6), Persistent(0.0)])
    def test_the_mean_cosine_is_what_it_says(self, law, ndim):
        u = (jnp.arange(2**14) + 0.5) / 2**14
        cosine = law.cosine(u, ndim)
        assert float(jnp.mean(cosine)) == pytest.approx(float(law.mean_cosine(ndim)), abs=1e-4)
        assert float(jnp.max(jnp.abs(cosine))) <= 1

    def test_in_three_dimensions_it_is_the_law_of_von_mises_and_fisher(self):
        mean = Persistent(0.5).cosine((jnp.arange(2**14) + 0.5) / 2**14, 3)
        k = 1.7968  # coth k - 1/k = 0.5
        assert 1 / np.tanh(k) - 1 / k == pytest.approx(0.5, abs=1e-4)
        wanted = [np.log(np.exp(-k) + q * 2 * np.sinh(k)) / k for q in (0.1, 0.5, 0.9)]
        np.testing.assert_allclose(np.quantile(mean, [0.1, 0.5, 0.9]), wanted, atol=1e-3)


class TestPathway:
    """reference/swimming_cells.md, section 8."""

    def test_activities_and_adapted_methylation(self):
        found = [float(TAR.activity(c, 1.5)) for c in (0.0, 10.0, 100.0)]
        np.testing.assert_allclose(found, [0.9939402, 0.9236189, 0.00265408], rtol=1e-6)
        np.testing.assert_allclose([TAR.adapted(0.0, 0.5), TAR.adapted(100.0, 0.5)], [1, 2.0812745], rtol=1e-7)

    def run(self, law, signal, memory, seconds, dt=0.05):
        def step(memory, c):
            return law.live(cue(0.0, c), memory, dt, lambda: 0.0).memory, law.receptors.activity(c, memory)

        levels = jnp.asarray([signal(k * dt) for k in range(round(seconds / dt))])
        return jax.lax.scan(step, memory, levels)

    @pytest.mark.slow
    @settings(max_examples=15)
    @given(st.floats(0.1, 5000), st.floats(0.5, 3.0))
    def test_adaptation_is_perfect(self, signal, methylation):
        law = Pathway(TAR, HillMotor(0.2, 0.15, 0.25), up=0.2, down=0.6)
        memory, activity = self.run(law, lambda t: signal, jnp.asarray(methylation), 60.0)
        assert float(activity[-1]) == pytest.approx(0.25, abs=1e-3)
        assert float(law.rest(cue(0.0, signal))) == pytest.approx(float(memory), abs=1e-2)

    def test_only_fold_changes_are_felt_between_the_constants(self):
        receptors = Receptors(6.0, 1e-3, 1e6)
        law = Pathway(receptors, HillMotor(0.2, 0.15), up=0.05, down=0.05)
        answers = []
        for level in (1.0, 30.0):
            rest = law.rest(cue(0.0, level))
            answers.append(self.run(law, lambda t, c=level: c * (1.2 if t > 1 else 1.0), rest, 30.0)[1])
        np.testing.assert_allclose(answers[0], answers[1], rtol=5e-3)
        assert float(jnp.min(answers[0])) < 0.3

    def test_small_changes_are_forgotten_in_the_adaptation_time(self):
        law = models.kalinin()
        assert float(law.adaptation_time) == pytest.approx(39.2, abs=0.1)
        rest = law.rest(cue(0.0, 100.0))
        _, activity = self.run(law, lambda t: 100.0, rest + 1e-4, float(law.adaptation_time))
        change = activity - law.resting_activity
        assert float(change[-1] / change[0]) == pytest.approx(np.exp(-1), rel=5e-3)

    def test_noise_has_the_width_it_says(self):
        law = Pathway(TAR, HillMotor(0.2, 0.15), up=0.5, down=0.5, noise=0.01)
        rest, n = law.rest(cue(0.0, 50.0)), 4000

        def step(memory, key):
            now = law.live(cue(jnp.zeros(n), 50.0), memory, 0.01, lambda: jax.random.normal(key, (n,)))
            return now.memory, None

        keys = jax.random.split(jax.random.key(0), 600)
        memory, _ = jax.lax.scan(step, jnp.full(n, rest), keys)
        assert float(jnp.std(memory)) == pytest.approx(0.01, rel=0.05)

    def test_motors(self):
        motor = HillMotor(0.2, 0.15)
        assert float(motor.bias(jnp.asarray(0.5))) == pytest.approx(0.15)
        runs = 1 / float(motor.start_rate(jnp.asarray(0.5)))
        assert runs == pytest.approx(0.2 / 0.15 - 0.2)
        switch = TwoStateMotor()
        activity = switch.activity(0.14)
        assert float(activity) == pytest.approx(0.42512, abs=1e-5) and float(switch.bias(activity)) == pytest.approx(
            0.14
        )

    def test_mean_field_of_fu_et_al(self):
        cells = RunAndTumble(25.0, models.fu(0.14), Persistent(0.33), rotational_diffusion=0.062)
        law = cells.tumble_rate
        assert float(law.adaptation_time) == pytest.approx(8.6342, abs=1e-4)
        assert float(cells.reorientation(law.motor.start_rate(law.resting_activity), 3)) == pytest.approx(
            0.475425, abs=1e-6
        )
        limit = cells.to_keller_segel(3)
        mobility, taxis = limit.species["rho"].mobility, limit.species["rho"].taxis["c"]
        assert float(mobility) == pytest.approx(376.86, abs=0.01)
        window = taxis.potential(jnp.asarray(50.0)) / (np.log((1 + 50 / 3.5) / (1 + 50 / 55000)))
        assert float(window / mobility) == pytest.approx(10.166, abs=1e-3)

    def test_several_kinds_of_receptors_add_up(self):
        one, two = Receptors(6.0, 10.0, 500.0), Receptors(np.array([2.0, 4.0]), np.full(2, 10.0), np.full(2, 500.0))
        assert float(one.binding(jnp.asarray(70.0))) == pytest.approx(float(two.binding(jnp.asarray(70.0))))
        assert models.dpcb().receptors.sizes.shape == (3,)

    def test_whole_numbers_of_receptors_are_powers(self):
        inactive, active = np.array([18.2, 70.0]), np.array([3000.0, 1000.0])
        for whole, real in (
            (Receptors(6, 18.2, 3000.0), TAR),
            (Receptors((2, 4), inactive, active), Receptors(np.array([2.0, 4.0]), inactive, active)),
        ):
            assert isinstance(whole.sizes, tuple) and not isinstance(real.sizes, tuple)
            signal, methylation = jnp.array([0.0, 1.0, 300.0, 1e5]), jnp.array([-40.0, 1.2, 2.3, 60.0])
            found, wanted = whole.activity(signal, methylation), real.activity(signal, methylation)
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-100)  # what is nothing has a floor
            low = jnp.float32(-40.0)
            assert np.isfinite(jax.grad(lambda m, whole=whole: whole.activity(jnp.float32(1.0), m))(low))
            assert float(whole.adapted(100.0, 0.3)) == pytest.approx(float(real.adapted(100.0, 0.3)))


class TestLimits:
    """reference/swimming_cells.md, section 3."""

    def test_mobility_with_persistence_and_rotational_diffusion(self):
        cells = RunAndTumble(20.0, 1.0, Persistent(0.33), rotational_diffusion=0.062)
        for ndim, wanted in ((3, 167.93), (2, 273.22)):
            assert float(cells.to_keller_segel(ndim).species["rho"].mobility) == pytest.approx(wanted, abs=0.01)
        assert not cells.to_keller_segel(3).species["rho"].taxis

    def test_one_dimension(self):
        cells = RunAndTumble(20.0, LinearResponse(1.5, 0.3), Reversal())
        species = cells.to_keller_segel(1).species["rho"]
        assert float(species.mobility) == pytest.approx(400 / 3)
        assert float(species.taxis["c"].slope(jnp.asarray(1.0))) == pytest.approx(0.3 * 400)
        logs = RunAndTumble(20.0, ExponentialResponse(1.5, 0.3, jnp.log), Reversal()).to_keller_segel(1)
        assert float(logs.species["rho"].taxis["c"].slope(jnp.asarray(4.0))) == pytest.approx(0.3 * 400 / 4)

    def test_time_on_the_spot_and_a_spread_of_speeds(self):
        still = RunAndTumble(20.0, 2.0, tumble_duration=0.125).to_keller_segel(3).species["rho"].mobility
        assert float(still) == pytest.approx(0.8 * 400 / 6)
        spread = RunAndTumble(20.0, 2.0, speed_spread=0.5).to_keller_segel(3).species["rho"].mobility
        assert float(spread) == pytest.approx(1.25 * 400 / 6)

    def test_gradients_reach_the_numbers(self):
        def mobility(speed, rate):
            return RunAndTumble(speed, rate, Persistent(0.2)).to_keller_segel(3).species["rho"].mobility

        slopes = jax.grad(mobility, argnums=(0, 1))(20.0, 1.0)
        np.testing.assert_allclose(slopes, (2 * 20 / 2.4, -400 / 2.4), rtol=1e-12)

    def test_a_gradient_too_steep_for_it_is_warned_of_with_the_number(self):
        cells = RunAndTumble(20.0, LinearResponse(1.5, 0.3), Reversal())
        with pytest.warns(UserWarning, match=r"would change by 0\.6 of itself \(drift 12 of a speed of 20\)"):
            cells.to_keller_segel(1, steepest=0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cells.to_keller_segel(1, steepest=0.01)

    def test_places_have_no_limit(self):
        for cells in (RunAndTumble(lambda x: 1 + x[..., 0] ** 2, 1.0), RunAndTumble(1.0, Directional(1.0, 2.0))):
            with pytest.raises(TypeError, match="FokkerPlanck would do"):
                cells.to_keller_segel(1)
