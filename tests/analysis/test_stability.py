"""Growth rates from a model's own terms: against theory, against runs, and their derivatives against differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import analysis
from jaxchemo.models import (
    Allee,
    Consumption,
    Custom,
    DensityDependent,
    FluxLimited,
    HillGradient,
    Linear,
    Logarithmic,
    Logistic,
    LogWindow,
    Model,
    Monod,
    PowerLaw,
    Production,
    Receptor,
    Room,
    Saturating,
    Signal,
    Species,
    Uptake,
    VolumeFilling,
)


def logistic(strength, diffusivity=1.0, decay=0.1):
    """The VisualPDE preset: saturating sensitivity, logistic growth."""
    v = Signal(Production("u", 1.0, decay), diffusivity=diffusivity)
    return Model({"u": Species(1.0, {"v": Saturating(Linear(strength))}, Logistic(1.0))}, {"v": v})


def minimal(law, mobility=1.0, diffusivity=20.0, relaxation=1.0):
    v = Signal(Production("u", 1.0, 1.0), diffusivity=diffusivity, relaxation=relaxation)
    return Model({"u": Species(mobility, {"v": law})}, {"v": v})


UNIFORM = {"u": 1.0, "v": 1.0}


class TestNumbers:
    """Those of reference/keller_segel.md, section 2.3."""

    def test_the_lecture_notes(self):
        model = minimal(Linear(40.0))
        rates = analysis.dispersion(model, UNIFORM, 2 * np.pi * 4 / 100)
        np.testing.assert_allclose(rates, [0.76983708, -3.09631191], atol=1e-8)
        peak = analysis.fastest(model, UNIFORM)
        assert float(peak.rate) == pytest.approx(1.175869, abs=1e-6)
        assert float(peak.wavenumber) ** 2 == pytest.approx(0.35767, abs=1e-5)
        band = analysis.unstable_band(model, UNIFORM)
        assert band is not None and band[1] ** 2 == pytest.approx(1.95, rel=1e-9)

    def test_the_classical_base_case(self):
        peak = analysis.fastest(minimal(Linear(5.0), 0.1, 1.0), UNIFORM)
        assert float(peak.rate) == pytest.approx(2.660355, abs=1e-6)
        assert float(peak.wavenumber) ** 2 == pytest.approx(9.86805, abs=1e-5)

    @pytest.mark.parametrize("strength, grows", [(3.3, False), (3.6, True)])
    def test_the_logistic_preset(self, strength, grows):
        model, state = logistic(strength), {"u": 1.0, "v": 10.0}
        assert bool(analysis.fastest(model, state).rate > 0) is grows
        assert (analysis.unstable_band(model, state) is not None) is grows

    @pytest.mark.slow
    def test_its_critical_strength_and_the_derivatives_of_it(self):
        def critical(diffusivity, decay):
            return analysis.critical_value(
                lambda strength: (logistic(strength, diffusivity, decay), {"u": 1.0, "v": 1 / decay}), 2.0, 6.0
            )

        found, slopes = jax.value_and_grad(critical, argnums=(0, 1))(1.0, 0.1)
        assert float(found) == pytest.approx(3.464911064, abs=1e-9)
        # c = 2 (D + a + 2 sqrt(a D))
        np.testing.assert_allclose(slopes, (2 + 2 * np.sqrt(0.1), 2 + 2 / np.sqrt(0.1)), rtol=1e-6)

    @pytest.mark.slow
    def test_no_critical_value_between_two_stable_ends(self):
        found = analysis.critical_value(lambda c: (logistic(c), {"u": 1.0, "v": 10.0}), 1.0, 2.0)
        assert bool(jnp.isnan(found))


def test_a_signal_that_follows_at_once_is_eliminated():
    k = jnp.array([0.3, 0.9])
    rates = analysis.dispersion(minimal(Linear(40.0), relaxation=0), UNIFORM, k)
    assert rates.shape == (2, 1)
    np.testing.assert_allclose(rates[:, 0], -(k**2) + 40 * k**2 / (1 + 20 * k**2), rtol=1e-12)
    slow = analysis.dispersion(minimal(Linear(40.0), relaxation=1e-7), UNIFORM, k)
    np.testing.assert_allclose(slow[:, 0], rates[:, 0], rtol=1e-4)


LAWS = {
    "linear": Linear(3.0),
    "receptor": Receptor(20.0, 2.0),
    "logarithmic": Logarithmic(4.0, 0.1),
    "window": LogWindow(6.0, 0.3, 5.0),
    "filling": VolumeFilling(Linear(6.0), 3.0),
    "filling late": VolumeFilling(Linear(4.0), Room(2.0, 3.0)),
    "saturating": Saturating(Linear(6.0), 1.5, 3.0),
    "flux limited": FluxLimited(Linear(3.0), 2.0),
    "steepness": HillGradient(0.6, 0.2),
    "custom": Custom(lambda s: 3.0 * s**2, response=lambda u: jnp.exp(-0.5 * u)),
}


QUICK = ("filling late",)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in LAWS]
)
def test_runs_grow_as_predicted(name):
    """Small waves on a grid, where the square of the wavenumber is that of the differences."""
    n, length = 32, 8.0
    grid, model = jc.Grid.box(0.0, length, n, jc.Periodic()), minimal(LAWS[name], 0.5, 1.0)
    k = np.sqrt((2 - 2 * np.cos(2 * np.pi / n)) / (length / n) ** 2)
    values, vectors = np.linalg.eig(np.asarray(analysis.linearised(model, UNIFORM, k)))
    best = np.argmax(values)
    wave = jnp.cos(2 * np.pi / length * grid.axes[0])
    start = [jc.initial.array(1 + 1e-6 * amplitude * wave) for amplitude in vectors[:, best]]
    method = jc.FiniteVolume(jc.Adaptive(1e-10, 1e-16))
    end = jc.solve(jc.Problem(model, grid, *start), method, t1=0.5, dt=0.5).final
    grown = 2 * jnp.mean((end.density - 1) * wave) / (1e-6 * vectors[0, best])
    assert values[best] == pytest.approx(float(analysis.growth_rate(model, UNIFORM, k)), rel=1e-10)
    assert float(jnp.log(grown)) / 0.5 == pytest.approx(values[best], rel=2e-5)


@pytest.mark.slow
def test_motility_slows_or_speeds_the_decay_of_a_wave():
    """The same, for diffusion that depends on the density: `D(2) = 0.5 (2/4)^2` and its wave."""
    cells = Species(0.5, motility=PowerLaw(2.0, 4.0))
    model, n = Model({"u": cells}), 32
    assert float(analysis.growth_rate(model, {"u": 2.0}, 1.5)) == pytest.approx(-0.5 * 0.25 * 1.5**2, rel=1e-12)
    grid = jc.Grid.box(0.0, 2 * np.pi, n, jc.Periodic())
    wave = jnp.cos(grid.axes[0])
    method = jc.FiniteVolume(jc.Adaptive(1e-10, 1e-16))
    end = jc.solve(jc.Problem(model, grid, jc.initial.array(2 + 1e-6 * wave)), method, t1=1.0, dt=1.0).final.density
    k = 2 * np.sin(np.pi / n) * n / (2 * np.pi)
    assert float(jnp.log(2e6 * jnp.mean((end - 2) * wave))) == pytest.approx(-0.125 * k**2, rel=2e-5)


@pytest.mark.parametrize("strength, pattern", [(3.3, False), (3.6, True)])
@pytest.mark.slow
def test_patterns_form_beyond_the_critical_strength_and_not_below(strength, pattern):
    wavelength = 2 * np.pi / float(analysis.fastest(logistic(3.6), {"u": 1.0, "v": 10.0}).wavenumber)
    grid = jc.Grid.box(0.0, 4 * wavelength, 128, jc.Periodic())
    wave = jc.initial.function(lambda x: 1 + 0.01 * jnp.cos(2 * np.pi * x[..., 0] / wavelength))
    problem = jc.Problem(logistic(strength), grid, wave, jc.initial.uniform(amplitude=10.0))
    end = jc.solve(problem, jc.FiniteVolume(), t1=400.0, dt=0.02, adjoint=jc.Forward()).final
    assert bool(jnp.ptp(end.density) > 0.1) is pattern


class TestUniformStates:
    def test_growth_and_decay_find_their_balance(self):
        state = analysis.uniform_state(logistic(3.0), {"u": 0.8, "v": 3.0})
        assert float(state["u"]) == pytest.approx(1) and float(state["v"]) == pytest.approx(10)

    def test_a_guess_of_other_names_is_refused(self):
        with pytest.raises(ValueError, match="`guess` must have a number for 'u' and 'v', got 'u'"):
            analysis.uniform_state(logistic(3.0), {"u": 0.8})

    def test_what_does_not_grow_keeps_its_density(self):
        found = analysis.uniform_state(minimal(Linear(1.0)), {"u": 2.5, "v": 1.0})
        assert float(found["u"]) == 2.5 and float(found["v"]) == pytest.approx(2.5)

    def test_the_threshold_of_an_allee_effect_is_one_of_three(self):
        def at(guess):
            return float(analysis.uniform_state(Model({"u": Species(1.0, growth=Allee(0.5, 0.3))}), {"u": guess})["u"])

        assert (
            at(0.28) == pytest.approx(0.3) and at(0.9) == pytest.approx(1) and at(-0.01) == pytest.approx(0, abs=1e-9)
        )

    def test_its_derivative(self):
        def level(decay):
            return analysis.uniform_state(logistic(3.0, 1.0, decay), {"u": 0.9, "v": 5.0})["v"]

        assert float(jax.grad(level)(0.1)) == pytest.approx(-100, rel=1e-6)


def test_growth_on_nutrients_is_in_the_matrix():
    model = Model(
        {"u": Species(0.2, {"n": Linear(0.3)}, Monod({"n": 0.5, "o": 0.2}, 1.1))},
        {"n": Signal(Uptake("u", 0.4, 0.3), diffusivity=0.7), "o": Signal(Consumption("u", 0.6), relaxation=2.0)},
    )
    u, n, o = at = np.array([0.8, 1.3, 0.9])
    k = 1.7

    def rates(w):
        u, n, o = w
        growth = 1.1 * u * n / (n + 0.5) * o / (o + 0.2)
        return np.array([growth, -0.4 * u * n / (n + 0.3), -0.6 * u * o / 2])

    expected = np.stack([(rates(at + 1e-6 * e) - rates(at - 1e-6 * e)) / 2e-6 for e in np.eye(3)], axis=1)
    expected += np.array([[-0.2, 0.3 * u, 0], [0, -0.7, 0], [0, 0, 0]]) * k**2
    found = analysis.linearised(model, {"u": u, "n": n, "o": o}, k)
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.slow
def test_derivatives_of_growth_rates_agree_with_differences():
    def rate(v):
        model = minimal(Receptor(v[0], v[1]), v[2], v[3], v[4])
        return jnp.stack([analysis.growth_rate(model, UNIFORM, 0.8), *analysis.fastest(model, UNIFORM)])

    at, h = jnp.array([20.0, 2.0, 0.5, 1.3, 0.7]), 1e-4
    numeric = np.stack([(rate(at + h * e) - rate(at - h * e)) / (2 * h) for e in jnp.eye(5)], axis=1)
    np.testing.assert_allclose(jax.jacrev(rate)(at), numeric, rtol=1e-5, atol=1e-6)


def test_a_state_without_a_number_for_each_is_refused():
    with pytest.raises(ValueError, match="`state` must have a number for 'u' and 'v', got 'u'"):
        analysis.dispersion(minimal(Linear(1.0)), {"u": 1.0}, 1.0)


# Laws of one's own, by functions without a name: each beside the built-in ones that it equals.
OWN = {
    "custom": (lambda c, a: grown(Custom(lambda s: c * s), a), lambda c, a: grown(Linear(c), a)),
    "room": (
        lambda c, a: grown(VolumeFilling(Linear(c), lambda u: 1 - u / 3), a),
        lambda c, a: grown(VolumeFilling(Linear(c), 3.0), a),
    ),
    "motility": (
        lambda c, a: grown(Linear(c), a, DensityDependent(lambda u: u**2)),
        lambda c, a: grown(Linear(c), a, PowerLaw(2.0)),
    ),
    "even flow": (
        lambda c, a: grown(Linear(c), a, fluid=lambda x: jnp.full_like(x, 0.7)),
        lambda c, a: grown(Linear(c), a),
    ),
}


def grown(law, decay, motility=None, fluid=None):
    v = Signal(Production("u", 1.0, decay), diffusivity=1.0)
    return Model({"u": Species(1.0, {"v": law}, Logistic(1.0), motility)}, {"v": v}, fluid)


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_laws_of_ones_own_are_taken_by_every_verb(name):
    state, decay = {"u": 1.0, "v": 2.0}, jnp.asarray(0.5)
    own, built_in = (build(jnp.asarray(9.0), decay) for build in OWN[name])

    def by_verb(model):
        steady = analysis.uniform_state(model, {"u": 1.2, "v": 0.3})
        return {
            "uniform_state": list(steady.values()),
            "linearised": analysis.linearised(model, state, 0.4),
            "dispersion": analysis.dispersion(model, state, 0.4),
            "growth_rate": analysis.growth_rate(model, state, 0.4),
            "fastest": analysis.fastest(model, state),
            "unstable_band": analysis.unstable_band(model, state),
        }

    found, expected = by_verb(own), by_verb(built_in)
    for verb, value in expected.items():
        np.testing.assert_allclose(found[verb], value, rtol=1e-9, err_msg=verb)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["room", "even flow"])  # half a minute each
def test_laws_of_ones_own_have_a_critical_value_and_derivatives(name):
    """Also where the number that is differentiated is one that a function has caught."""

    def critical(build):
        def of(decay):
            return analysis.critical_value(lambda c: (build(c, decay), {"u": 1.0, "v": 1 / decay}), 1.0, 20.0)

        return jax.value_and_grad(of)(0.5)

    def rate(build):
        return jax.value_and_grad(lambda c: analysis.fastest(build(c, 0.5), {"u": 1.0, "v": 2.0}).rate)(9.0)

    own, built_in = OWN[name]
    for verb in (critical, rate):
        found, expected = verb(own), verb(built_in)
        np.testing.assert_allclose(found, expected, rtol=1e-8)
        assert abs(float(expected[1])) > 1e-2


@pytest.mark.parametrize("name", OWN)
def test_steady_states_of_laws_of_ones_own_have_derivatives(name):
    own, _ = OWN[name]
    slope = jax.grad(lambda decay: analysis.uniform_state(own(9.0, decay), {"u": 1.2, "v": 0.3})["v"])(0.5)
    assert float(slope) == pytest.approx(-1 / 0.5**2, rel=1e-9)


def test_a_fluid_that_leaves_no_wave_its_shape_is_refused():
    still = minimal(Linear(40.0))
    shear = Model(still.species, still.signals, lambda x: jnp.stack([jnp.sin(x[..., 1]), 0 * x[..., 1]], -1))
    for verb in (lambda: analysis.fastest(shear, UNIFORM), lambda: analysis.dispersion(shear, UNIFORM, 0.3)):
        with pytest.raises(ValueError, match=r"`model.advection` is a fluid, .* flows faster here than there"):
            verb()
    assert float(analysis.fastest(Model(shear.species, shear.signals), UNIFORM).rate) == pytest.approx(
        1.175869, abs=1e-6
    )
    assert analysis.uniform_state(shear, UNIFORM)["v"] == 1
    squeezed = Model(still.species, still.signals, lambda x: -x)
    with pytest.raises(ValueError, match="is compressed somewhere"):
        analysis.uniform_state(squeezed, UNIFORM)
