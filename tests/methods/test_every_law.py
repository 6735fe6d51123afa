"""Every law in every method that takes it: one step of each, against the formula and against each other."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import analysis, models
from jaxchemo.models import (
    Consumption,
    Custom,
    DensityDependent,
    FluxLimited,
    HillGradient,
    Linear,
    Logarithmic,
    LogWindow,
    Model,
    Receptor,
    Room,
    Saturating,
    Signal,
    Species,
    VolumeFilling,
)
from jaxchemo.models.kinetics import AbstractGrowth, AbstractKinetics
from jaxchemo.models.sensitivity import AbstractSensitivity


class Affine(eqx.Module):
    """A factor whose numbers are leaves."""

    at_zero: jax.Array
    slope: jax.Array

    def __call__(self, x):
        return self.at_zero + self.slope * x


class Stimulus(AbstractSensitivity):
    """A user's own law, with both factors as methods."""

    def potential(self, signal):
        return jnp.sin(signal)

    def response(self, density):
        return jnp.exp(-density)

    def limit(self, speed):
        return 1 / (1 + speed**2)

    def describe(self, signal, density):
        return f"exp(-{density}) grad sin({signal})"


def half(x):
    return 0.5


def no_dimension(x):
    return jnp.asarray(0.5)


def one(x):
    return 1.0


def identity(s):
    return s


CONSTANT = {
    "response of one number": (Custom(identity, response=half), lambda u, s, g: 0.5 * g),
    "response of an array without dimension": (Custom(identity, response=no_dimension), lambda u, s, g: 0.5 * g),
    "limit of one number": (Custom(identity, limit=half), lambda u, s, g: 0.5 * g),
    "limit of an array without dimension": (Custom(identity, limit=no_dimension), lambda u, s, g: 0.5 * g),
    "room of one number": (VolumeFilling(Linear(2.0), half), lambda u, s, g: g),
    "both of one number": (Custom(identity, response=half, limit=lambda v: 3), lambda u, s, g: 1.5 * g),
    "number in a composite": (Saturating(Custom(identity, half)), lambda u, s, g: 0.5 * g / (1 + u**2)),
    "factors of one": (Custom(identity, one, one), lambda u, s, g: g),
}


def limited(v, most):
    """`v` at a bounded speed."""
    return most * np.tanh(v / most)


LAWS = CONSTANT | {
    "linear": (Linear(1.3), lambda u, s, g: 1.3 * g),
    "repellent": (Linear(-0.4), lambda u, s, g: -0.4 * g),
    "logarithmic": (Logarithmic(0.8, 0.2), lambda u, s, g: 0.8 * g / (s + 0.2)),
    "receptor": (Receptor(2.0, 0.5), lambda u, s, g: g / (0.5 + s) ** 2),
    "window": (LogWindow(1.5, 0.1, 3.0), lambda u, s, g: 1.5 * (1 / (0.1 + s) - 1 / (3.0 + s)) * g),
    "filling": (VolumeFilling(Linear(2.0), 4.0), lambda u, s, g: 2 * (1 - u / 4) * g),
    "filling late": (VolumeFilling(Linear(2.0), Room(3.0, 2.0)), lambda u, s, g: 2 * (1 - u**2 / 9) * g),
    "saturating": (Saturating(Linear(2.0), 1.5, 3.0), lambda u, s, g: 2 * g / (1 + (u / 1.5) ** 3)),
    "flux limited": (FluxLimited(Linear(2.0), 1.5), lambda u, s, g: limited(2 * g, 1.5)),
    "steepness": (HillGradient(2.0, 1.5, 3.0), lambda u, s, g: 2 * g**3 / (1.5**3 + np.abs(g) ** 3)),
    "custom": (Custom(lambda s: 2 * jnp.sqrt(s)), lambda u, s, g: g / np.sqrt(s)),
    "response with leaves": (
        Custom(identity, Affine(jnp.array(1.0), jnp.array(-0.2))),
        lambda u, s, g: (1 - 0.2 * u) * g,
    ),
    "limit with leaves": (
        Custom(identity, limit=Affine(jnp.array(1.0), jnp.array(0.3))),
        lambda u, s, g: (1 + 0.3 * np.abs(g)) * g,
    ),
    "a law of one's own": (Stimulus(), lambda u, s, g: np.exp(-u) * np.cos(s) * g / (1 + (np.cos(s) * g) ** 2)),
    "all at once": (
        FluxLimited(Saturating(VolumeFilling(Receptor(2.0, 0.5), 4.0)), 1.0),
        lambda u, s, g: (1 - u / 4) / (1 + u**2) * limited(g / (0.5 + s) ** 2, 1.0),
    ),
}


def test_every_public_law_is_here():
    public = {v for v in vars(models).values() if isinstance(v, type) and issubclass(v, AbstractSensitivity)}
    tested = {type(law) for law, _ in LAWS.values()}
    assert public - {AbstractSensitivity} <= tested


KEY = jax.random.key(0)
MOBILITY, CELLS, PARTICLES, DT = 0.3, 64, 4096, 1e-7
GRID = jc.Grid.box(0.0, 2 * np.pi, CELLS, jc.Periodic())
FIELDS = {
    "Strang": jc.FiniteVolume(),
    "IMEXEuler": jc.FiniteVolume(jc.IMEXEuler()),
    "IMEXRosenbrock": jc.FiniteVolume(jc.IMEXRosenbrock()),
    "Spectral": jc.Spectral(),
}


def density(x):
    return 1 + 0.5 * np.cos(x)


def signal(x):
    return 1.5 + 0.8 * np.sin(x) + 0.2 * np.cos(2 * x)


def gradient(x):
    return 0.8 * np.cos(x) - 0.4 * np.sin(2 * x)


def problem(law, start):
    """Cells that follow, by this law, a food of which they eat nothing."""
    model = Model({"u": Species(MOBILITY, {} if law is None else {"s": law})}, {"s": Signal(Consumption("u", 0.0))})
    food = jc.initial.function(lambda x: 1.5 + 0.8 * jnp.sin(x[..., 0]) + 0.2 * jnp.cos(2 * x[..., 0]))
    return jc.Problem(model, GRID, start, food)


def exact_rate(drift):
    """Rate of change of the cell averages, by what passes the faces."""
    x = np.linspace(0, 2 * np.pi, CELLS + 1)
    flux = density(x) * drift(density(x), signal(x), gradient(x)) + MOBILITY * 0.5 * np.sin(x)
    return -np.diff(flux) / (2 * np.pi / CELLS)


def rate_of_fields(law, method):
    """Rate of change of the cell averages of the density, by one short step."""
    given = problem(law, jc.initial.function(lambda x: 1 + 0.5 * jnp.cos(x[..., 0])))
    method.check(given)
    state = method.init(given)
    later, _ = method.step(given, state, 0, 0.0, DT)
    before, after = (method.snapshot(given, one).density for one in (state, later))
    return (after - before) / DT


def drift_of_particles(law, x):
    """Velocity of particles along the signal: what they move by beyond the same particles that sense nothing."""
    moved = []
    for one_law in (law, None):
        given = problem(one_law, jc.initial.particles(x[:, None], mass=2 * np.pi))
        method = jc.ParticleField(PARTICLES)
        method.check(given)
        state, _ = method.step(given, method.init(given, key=KEY), 0, 0.0, DT, key=KEY)
        moved.append(state.positions["u"][0])
    return (moved[0] - moved[1]) / DT


def quantiles():
    """Points that sample the density evenly: its inverse distribution function by Newton's method."""
    share = 2 * np.pi * (np.arange(PARTICLES) + 0.5) / PARTICLES
    x = share.copy()
    for _ in range(50):
        x -= (x + 0.5 * np.sin(x) - share) / density(x)
    return x


@pytest.mark.parametrize("name", LAWS)
def test_one_law_in_every_method(name):
    """Fields to the square of a cell or the kink of a limit, particles to what 4096 even points make of the density."""
    law, drift = LAWS[name]
    rates = {"exact": exact_rate(drift)} | {key: rate_of_fields(law, method) for key, method in FIELDS.items()}
    size = np.max(np.abs(rates["exact"]))
    for first, second in itertools.combinations(rates, 2):
        assert np.max(np.abs(rates[first] - rates[second])) < 0.01 * size, (first, second)
    x = quantiles()
    exact = drift(density(x), signal(x), gradient(x))
    assert np.max(np.abs(drift_of_particles(law, x) - exact)) < 1e-3 * np.max(np.abs(exact))


@pytest.mark.parametrize("name", ["response of one number", "limit of one number", "all at once"])
def test_adaptive_steps_take_the_same_law(name):
    law, drift = LAWS[name]
    exact, rate = exact_rate(drift), rate_of_fields(law, jc.FiniteVolume(jc.Adaptive(1e-12, 1e-14)))
    assert np.max(np.abs(rate - exact)) < 0.01 * np.max(np.abs(exact))


@pytest.mark.parametrize("name", LAWS)
def test_small_waves_feel_the_same_law(name):
    """The linear theory, against the formula in the shallowest of gradients."""
    law, drift = LAWS[name]
    matrix = analysis.linearised(problem(law, jc.initial.uniform(amplitude=1.2)).continuum, {"u": 1.2, "s": 0.7}, 2.0)
    shallow = 1e-9
    assert float(matrix[0, 1]) == pytest.approx(1.2 * 4 * drift(1.2, 0.7, shallow) / shallow, rel=1e-6, abs=1e-12)


class Terms(AbstractKinetics):
    """Production and loss at rates given as they are: Python numbers, or arrays of any shape."""

    gain: float | jax.Array
    loss: float | jax.Array

    def production(self, densities, signals, name):
        return self.gain

    def loss_rate(self, densities, signals, name):
        return self.loss

    def describe(self, name):
        return f"+ {self.gain} - {self.loss} {name}"


class Steady(AbstractGrowth):
    """Growth at a rate given as it is."""

    speed: float | jax.Array

    def rate(self, density, signals):
        return self.speed

    def describe(self, density):
        return f"+ {self.speed} {density}"


ON_GRID = {
    key: jc.ParticleField(64, update=update)
    for key, update in [("own", jc.ExponentialUpdate()), ("euler", jc.ExplicitUpdate())]
}
FORMS = {"number": float, "no dimension": jnp.asarray, "array": lambda value: jnp.full(CELLS, value)}


@pytest.mark.parametrize("gain, loss", [(0.7, 0.2), (0.0, 0.2)])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("diffusivity", [0.0, 0.1])
def test_constant_terms_in_every_method(gain, loss, form, diffusivity):
    """Rates that are numbers are the same as arrays of them; all is flat, so that nothing else happens."""
    kinetics = Terms(FORMS[form](gain), FORMS[form](loss))
    signals = {"s": Signal(kinetics, diffusivity=diffusivity)}
    for key, method in (FIELDS if diffusivity else FIELDS | ON_GRID).items():
        grows = None if key in ON_GRID else Steady(FORMS[form](0.3))
        model = Model({"u": Species(MOBILITY, growth=grows, motility=None)}, signals)
        given = jc.Problem(model, GRID, *[jc.initial.uniform(amplitude=a) for a in (1.2, 0.5)])
        state = method.init(given, key=KEY)
        later, _ = method.step(given, state, 0, 0.0, DT, key=KEY)
        before, after = (method.snapshot(given, one) for one in (state, later))
        np.testing.assert_allclose((after.signal - before.signal) / DT, gain - 0.5 * loss, rtol=1e-5, err_msg=key)
        if grows is not None:
            np.testing.assert_allclose((after.density - before.density) / DT, 0.36, rtol=1e-5, err_msg=key)


@pytest.mark.parametrize("factor", [half, no_dimension])
def test_a_constant_motility_is_a_smaller_mobility(factor):
    x = jnp.asarray(GRID.axes[0])
    for key, method in FIELDS.items():
        rates = []
        for cells in (Species(0.3, motility=DensityDependent(factor)), Species(0.15)):
            given = jc.Problem(Model({"u": cells}), GRID, jc.initial.array(2 + jnp.cos(x)))
            state = method.init(given)
            later, _ = method.step(given, state, 0, 0.0, DT)
            before, after = (method.snapshot(given, one).density for one in (state, later))
            rates.append((after - before) / DT)
        np.testing.assert_allclose(*rates, atol=1e-6, err_msg=key)
