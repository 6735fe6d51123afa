"""Propagation of chaos: interacting particles approach those of the limit field, and the limit particles are free."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.experiments import PropagationOfChaos
from jaxchemo.methods.particles.signal_updates import Prescribed

SMALL = PropagationOfChaos(
    counts=(200, 3_200), num_reference=2**17, num_seeds=3, dt=0.02, t1=0.2, shape=(48,), betas=(0.6,)
)


@pytest.mark.slow
def test_the_distance_falls_as_one_over_the_root_of_the_number_of_particles():
    outcome = SMALL.run()
    fixed, shrinking = outcome.decays
    assert fixed.exponent == pytest.approx(-0.5, abs=3 * fixed.error + 0.05)
    # The kernel's bias, of order eps^2 ~ P^(-0.6), and its noise: between the two.
    assert -0.7 < shrinking.exponent < -0.2
    assert shrinking.widths[0] > shrinking.widths[1] and fixed.widths[0] == fixed.widths[1]
    assert all("distance ~ P^(" in line for line in SMALL.lines(outcome))
    assert set(SMALL.numbers(outcome)["decays"]) == {one.label for one in outcome.decays}


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`num_seeds` must be at least 2, got 1"):
        dataclasses.replace(SMALL, num_seeds=1)
    with pytest.raises(ValueError, match="`counts` must hold at least 2 numbers, got 1"):
        dataclasses.replace(SMALL, counts=(100,))


class TestPrescribed:
    grid = jc.Grid.box((-3.0, -3.0), (3.0, 3.0), (32, 32))

    def problem(self, **changes):
        parts = dict(
            model=jc.models.phks(0.1, 1.0),
            domain=self.grid,
            density=jc.initial.gaussian(mass=1.0, std=0.5),
            signal=jc.initial.gaussian(amplitude=2.0, std=0.8),
        )
        return jc.Problem(**{**parts, **changes})

    @pytest.mark.slow
    def test_particles_in_the_exposure_of_a_run_move_as_in_that_run(self):
        steps, key = 5, jax.random.key(0)
        method = jc.ParticleField(300)
        saveat = jc.SaveAt(every=1)
        run = jc.solve(self.problem(), method, t1=0.1, dt=0.02, key=key, saveat=saveat)
        exposures = 0.02 * jnp.cumsum(run.ys.density[:steps], axis=0)
        free = jc.ParticleField(300, update=Prescribed(exposures, self.grid, deposit_order=1))
        again = jc.solve(self.problem(), free, t1=0.1, dt=0.02, key=key, saveat=saveat)
        np.testing.assert_allclose(again.final.positions, run.final.positions, atol=1e-12)
        np.testing.assert_allclose(again.final.signal, run.final.signal, rtol=0.02)
        # At the start nothing has been eaten.
        np.testing.assert_allclose(again.ys.signal[0], run.ys.signal[0], rtol=1e-12)

    def test_what_it_cannot_use_is_refused(self):
        with pytest.raises(ValueError, match="`exposures` must have shape"):
            Prescribed(jnp.zeros((3, 8, 8)), self.grid)
        gridded = self.problem(signal=jc.initial.array(jnp.ones(self.grid.shape)))
        method = jc.ParticleField(10, update=Prescribed(jnp.zeros((3, 32, 32)), self.grid))
        with pytest.raises(TypeError, match="given by a formula"):
            jc.solve(gridded, method, t1=0.1, dt=0.1, key=jax.random.key(0))
