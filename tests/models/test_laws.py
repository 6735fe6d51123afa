"""Sensitivities, kinetics and growth, each against its formula; and what makes them safe: slopes, signs, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxchemo.models import (
    Allee,
    Consumption,
    Custom,
    FluxLimited,
    HillGradient,
    Linear,
    Logarithmic,
    Logistic,
    LogWindow,
    Monod,
    Production,
    Receptor,
    Saturating,
    Sum,
    Uptake,
    VolumeFilling,
)

SENSITIVITIES = {
    "linear": (Linear(1.3), lambda s: 1.3 + 0 * s),
    "repellent": (Linear(-0.4), lambda s: -0.4 + 0 * s),
    "logarithmic": (Logarithmic(0.8), lambda s: 0.8 / s),
    "offset": (Logarithmic(0.8, 0.2), lambda s: 0.8 / (s + 0.2)),
    "receptor": (Receptor(2.0, 0.5), lambda s: 2.0 * 0.5 / (0.5 + s) ** 2),
    "window": (LogWindow(1.5, 0.1, 3.0), lambda s: 1.5 * (1 / (0.1 + s) - 1 / (3.0 + s))),
    "filling": (VolumeFilling(Receptor(2.0, 0.5), 4.0), lambda s: 2.0 * 0.5 / (0.5 + s) ** 2),
    "saturating": (Saturating(Linear(2.0), 3.0), lambda s: 2.0 + 0 * s),
    "flux limited": (FluxLimited(Logarithmic(0.8), 3.0), lambda s: 0.8 / s),
    "steepness": (HillGradient(2.0, 3.0), lambda s: 1.0 + 0 * s),
    "custom": (Custom(lambda s: 2.0 * jnp.sqrt(s)), lambda s: 1 / np.sqrt(s)),
}


@pytest.mark.parametrize("name", SENSITIVITIES)
@given(s=st.floats(1e-3, 1e3))
def test_slope_is_the_derivative_of_the_potential(name, s):
    law, slope = SENSITIVITIES[name]
    assert float(law.slope(jnp.array(s))) == pytest.approx(slope(s), rel=1e-12)
    assert float(jax.grad(law.potential)(jnp.array(s))) == pytest.approx(slope(s), rel=1e-12)


@pytest.mark.parametrize("name", SENSITIVITIES)
def test_drift_is_the_slope_times_the_gradient(name):
    """What particles use and what fluxes use are the same law: differences of the potential along a profile."""
    law, _ = SENSITIVITIES[name]
    x, h = jnp.linspace(0, 1, 9), 1e-5
    signal = lambda x: 0.4 + x**2  # noqa: E731
    differences = (law.potential(signal(x + h)) - law.potential(signal(x - h))) / (2 * h)
    np.testing.assert_allclose(law.slope(signal(x)) * 2 * x, differences, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", sorted(set(SENSITIVITIES) - {"filling", "saturating"}))
def test_without_crowding_there_is_no_response(name):
    assert SENSITIVITIES[name][0].response is None


@pytest.mark.parametrize("name", sorted(set(SENSITIVITIES) - {"flux limited", "steepness"}))
def test_without_a_bound_on_the_speed_there_is_no_limit(name):
    assert SENSITIVITIES[name][0].limit is None


def test_volume_filling():
    law = VolumeFilling(Linear(2.0), 4.0)
    np.testing.assert_allclose(law.response(jnp.array([0.0, 1.0, 4.0])), [1, 0.75, 0])
    assert law.describe("c", "rho") == "(1 - rho/4) 2 grad c"
    nested = VolumeFilling(VolumeFilling(Linear(2.0), 4.0), 2.0)
    np.testing.assert_allclose(nested.response(jnp.array([1.0])), [0.75 * 0.5])


def test_saturating():
    law = Saturating(Linear(2.0), 2.0, 3.0)
    np.testing.assert_allclose(law.response(jnp.array([-1e-9, 0.0, 2.0, 4.0])), [1, 1, 1 / 2, 1 / 9])
    assert np.isfinite(jax.jacrev(lambda p: Saturating(Linear(2.0), 2.0, p).response(jnp.zeros(2)))(3.0)).all()


def test_a_limited_drift_is_linear_in_shallow_gradients_and_bounded_in_steep_ones():
    law = FluxLimited(Linear(2.0), 3.0)
    speed = jnp.array([0.0, 1e-3, 0.05, 0.0599, 0.0601, 3.0, 1e4])
    np.testing.assert_allclose(speed * law.limit(speed), 3 * np.tanh(speed / 3), rtol=1e-9)
    assert float(jax.grad(law.limit)(0.0)) == 0
    hill = HillGradient(2.0, 3.0, 2.0)
    steep = jnp.array([0.0, 3.0, 1e4])
    np.testing.assert_allclose(steep * hill.limit(steep), [0, 1, 2], atol=1e-6)


@pytest.mark.parametrize(
    "law, text",
    [
        (Saturating(Linear(2.0)), "1/(1 + rho^2) 2 grad c"),
        (FluxLimited(Linear(2.0), 3.0), "limited to 3 of 2 grad c"),
        (HillGradient(2.0, 3.0), "2 |grad c|^1 / (3^1 + |grad c|^1) grad c/|grad c|"),
        (Custom(jnp.sqrt, response=lambda u: 1 / (1 + u)), "q(rho) grad sqrt(c)"),
        (Custom(jnp.sqrt, lambda u: 0.5, jnp.tanh), "q(rho) tanh(|grad sqrt(c)|) grad sqrt(c)"),
        (Linear(1.5), "1.5 grad c"),
        (Logarithmic(1.0, 0.5), "1 grad ln(c + 0.5)"),
        (Receptor(2.0, 0.25), "2 grad(c / (0.25 + c))"),
        (LogWindow(1.0, 0.5, 3.0), "1 grad ln((1 + c/0.5) / (1 + c/3))"),
    ],
)
def test_descriptions(law, text):
    assert law.describe("c", "rho") == text


RHO, NUTRIENT = jnp.array([0.0, 0.5, 2.0]), jnp.array([0.0, 0.3, 1.5])
KINETICS = {
    "consumption": (Consumption("rho", 0.7), lambda r, s: -0.7 * r * s),
    "production": (Production("rho", 0.7, 0.2), lambda r, s: 0.7 * r - 0.2 * s),
    "uptake": (Uptake("rho", 0.7, 0.4), lambda r, s: -0.7 * r * s / (s + 0.4)),
    "sum": (
        Sum(Production("rho", 0.7, 0.2), Uptake("rho", 0.3, 0.4), Consumption("rho")),
        lambda r, s: 0.7 * r - 0.2 * s - 0.3 * r * s / (s + 0.4) - r * s,
    ),
}


@pytest.mark.parametrize("name", KINETICS)
def test_kinetics_are_the_formula(name):
    law, formula = KINETICS[name]
    fields = {"rho": RHO}, {"c": NUTRIENT}, "c"
    total = law.production(*fields) - law.loss_rate(*fields) * NUTRIENT
    np.testing.assert_allclose(total + 0 * RHO, formula(RHO, NUTRIENT), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("name", KINETICS)
@given(rho=st.floats(0, 1e6), s=st.floats(0, 1e6))
def test_kinetics_are_production_and_loss_of_the_right_sign(name, rho, s):
    """What makes the exact step positive whatever its size."""
    law, _ = KINETICS[name]
    fields = {"rho": jnp.array(rho)}, {"c": jnp.array(s)}, "c"
    assert float(law.production(*fields)) >= 0
    assert 0 <= float(law.loss_rate(*fields)) < np.inf


def test_growth_is_the_formula():
    signals = {"n": NUTRIENT, "o": 2 * NUTRIENT}
    two = Monod({"n": 0.2, "o": 0.5}, 0.7)
    product = 0.7 * NUTRIENT / (NUTRIENT + 0.2) * 2 * NUTRIENT / (2 * NUTRIENT + 0.5)
    np.testing.assert_allclose(two.rate(RHO, signals), product)
    assert two.describe("rho") == "+ 0.7 rho n / (n + 0.2) o / (o + 0.5)" and two.nutrients == ("n", "o")
    np.testing.assert_allclose(Allee(0.5, 0.3, 2.0).rate(RHO, signals), 0.5 * (RHO / 0.3 - 1) * (1 - RHO / 2))
    assert Allee(0.5, 0.3).describe("rho") == "+ 0.5 rho (rho/0.3 - 1) (1 - rho/1)"
    np.testing.assert_allclose(Logistic(0.5, 2.0).rate(RHO, signals), 0.5 * (1 - RHO / 2))
    np.testing.assert_allclose(Monod("n", 0.5, 0.2).rate(RHO, signals), 0.5 * NUTRIENT / (NUTRIENT + 0.2))


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: Linear(jnp.nan), "`chi` must be finite"),
        (lambda: HillGradient(1.0, 0.1, 0.5), "`power` must be at least 1, got 0.5"),
        (lambda: Monod("n", 1.0), "`half` belongs to one nutrient; for several give a dict"),
        (lambda: Saturating(Linear(1.0), -1.0), "`half` must be positive, got -1.0"),
        (lambda: Logarithmic(1.0, -0.1), "`offset` must not be negative, got -0.1"),
        (lambda: Receptor(1.0, 0.0), "`dissociation` must be positive, got 0.0"),
        (lambda: LogWindow(1.0, 0.0, 1.0), "`inactive` must be positive"),
        (lambda: LogWindow(1.0, 1.0, -1.0), "`active` must be positive"),
        (lambda: VolumeFilling(Linear(1.0), 0.0), "`capacity` must be positive"),
        (lambda: Consumption("rho", -1.0), "`rate` must not be negative, got -1.0"),
        (lambda: Production("rho", -1.0), "`rate` must not be negative"),
        (lambda: Production("rho", 1.0, -1.0), "`decay` must not be negative"),
        (lambda: Uptake("rho", -1.0, 1.0), "`rate` must not be negative"),
        (lambda: Uptake("rho", 1.0, -0.1), "`half` must not be negative, got -0.1"),
        (lambda: Uptake("rho", 1.0, 0.1, {"n": 0.0}), "`limited_by` must be positive, got 0.0"),
        (lambda: Logistic(-1.0), "`speed` must not be negative"),
        (lambda: Logistic(1.0, 0.0), "`capacity` must be positive"),
        (lambda: Monod("n", -1.0, 1.0), "`speed` must not be negative"),
        (lambda: Monod("n", 1.0, 0.0), "`half` must be positive"),
    ],
)
def test_numbers_out_of_range_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: VolumeFilling(1.0, 2.0), "`law` must be a sensitivity"),
        (lambda: Sum(Linear(1.0)), "`parts` must be kinetics"),
        (lambda: Linear("1"), "`chi` must be a number"),
        (lambda: Linear(True), "`chi` must be real"),
    ],
)
def test_parts_of_the_wrong_kind_are_refused(build, message):
    with pytest.raises(TypeError, match=message):
        build()
