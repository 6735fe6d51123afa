"""A field that is not seen comes back from pictures that a finer grid made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.experiments import Band, RecoverSignal
from jaxchemo.experiments.recover.recover_signal import refined

TINY = RecoverSignal(shape=(20,), refinement=3, dt=0.025, times=(0.2, 0.4))


def test_a_finer_grid_has_the_same_field():
    def wave(grid):
        x = grid.centers
        return jnp.exp(0.3 * jnp.cos(np.pi * x[..., 0]) + 0.2 * jnp.cos(3 * np.pi * x[..., 1] / 2))

    coarse, fine = (jc.Grid.box((0, 0), (1, 2), shape) for shape in ((6, 10), (18, 30)))
    np.testing.assert_allclose(refined(wave(coarse), 3), wave(fine), rtol=1e-12)


def test_a_band_holds_what_is_between_its_ends():
    band = Band(jnp.ones(3), jnp.array([0.5, 0.8, 0.9]), jnp.array([1.5, 1.2, 1.1]))
    assert band.holds(jnp.array([0.6, 0.6, 1.0])).tolist() == [True, False, True]


@pytest.mark.slow
def test_the_field_comes_back_from_pictures_of_a_finer_grid():
    outcome = TINY.run(seed=1)
    numbers = TINY.numbers(outcome)
    assert outcome.fit.converged and numbers["unknowns"] == 400
    error = numbers["relative_error"]
    # The prior alone has an error of 1, and so coarse a grid nearly as much.
    assert error["centred"] < 0.3 and error["corrected"] < 0.5 * error["fitted"]
    assert 20 < numbers["directions_seen"] < 400
    # The pictures are not those of the grid that fits them.
    own, _ = jax.jit(TINY._pictures(1))({"food": outcome.truth})
    assert float(jnp.abs(own - outcome.observed).max()) > 0


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`refinement` must be at least 3"):
        RecoverSignal(refinement=2)
    with pytest.raises(ValueError, match="`observation_noise` must be positive"):
        RecoverSignal(observation_noise=0.0)
    with pytest.raises(ValueError, match="The pictures cannot be made, with dt=5: "):
        RecoverSignal(shape=(8,), refinement=3, dt=5.0, times=(10.0,)).run()
