"""Grids too coarse for the spikes that will form: the width that is predicted, and the warning with the number."""

import warnings

import jax
import jax.numpy as jnp
import pytest

import jaxchemo as jc
from jaxchemo import analysis
from jaxchemo.methods.grids.resolution import spike_width


def ring(n, sensitivity=40.0, model=None, density=None):
    model = jc.models.keller_segel(1.0, sensitivity, 1.0, 1.0, 20.0) if model is None else model
    start = jc.initial.uniform(amplitude=1.0) if density is None else density
    signal = None if model.signals["c"].slaved else jc.initial.uniform(amplitude=1.0)
    return jc.Problem(model, jc.Grid.box(0.0, 100.0, n, jc.Periodic()), start, signal)


def test_the_width_is_that_of_the_wave_that_grows_fastest():
    """reference/keller_segel.md, section 11: mass of about 10, width 0.2."""
    for relaxation in (1.0, 0):
        model = jc.models.keller_segel(1.0, 40.0, relaxation, 1.0, 20.0)
        state = {"rho": 1.0, "c": 1.0}
        mass = 2 * jnp.pi / analysis.fastest(model, state).wavenumber
        # On a ring of 100 only whole waves fit.
        assert spike_width(ring(200, model=model)) == pytest.approx(80 / (40 * float(mass)), rel=0.06)


def test_the_warning_has_the_numbers():
    with pytest.warns(UserWarning, match=r"cells of the grid are 0.5 wide, but spikes of half-width 0.2 .* 1000 cells"):
        jc.FiniteVolume().check(ring(200))
    with pytest.warns(UserWarning, match="1000 cells would do"):
        jc.Spectral().check(ring(200))


@pytest.mark.parametrize(
    "problem",
    [
        ring(1000),
        ring(200, sensitivity=0.9),  # the even state is stable
        ring(200, model=jc.models.keller_segel(1.0, 40.0, 1.0, 1.0, 20.0, production=jnp.linspace(0.5, 1.5, 200))),
        ring(200, model=jc.models.logistic_chemotaxis(6.0)),
        ring(200, model=jc.models.phks(1.0, 2.0)),
        ring(200, model=jc.models.keller_segel(1.0, jc.models.Receptor(40.0, 1.0), decay=1.0)),
    ],
)
def test_no_warning_where_there_is_no_such_spike(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jc.FiniteVolume().check(problem)


def test_numbers_that_are_not_known_yet_are_let_through():
    def width(mobility):
        assert spike_width(ring(200, model=jc.models.keller_segel(mobility, 40.0, 1.0, 1.0, 20.0))) is None
        return mobility

    jax.jit(width)(1.0)
