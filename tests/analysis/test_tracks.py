"""Statistics of tracks, on tracks whose laws are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import jaxchemo as jc
from jaxchemo import analysis
from jaxchemo.analysis import swimming
from jaxchemo.models import Directional, ExponentialResponse, HillMotor, Pathway, Receptors, Reversal, RunAndTumble


@pytest.fixture(scope="module")
def run():
    cells = RunAndTumble(20.0, 1.0, Reversal())
    problem = jc.Problem(cells, jc.FreeSpace(1), jc.initial.particles(jnp.zeros((10_000, 1)), mass=1.0))
    return jc.solve(
        problem,
        jc.Agents(10_000),
        t1=20.0,
        dt=0.05,
        key=jax.random.key(2),
        saveat=jc.SaveAt(every=2),
        adjoint=jc.Forward(),
    )


def test_spreading(run):
    found = analysis.mean_squared_displacement(run.ys.positions)
    exact = swimming.mean_square(run.ts, speed=20.0, rate=1.0)
    np.testing.assert_allclose(found[1:], exact[1:], rtol=0.06)
    assert float(swimming.mean_square(3.0, speed=20.0, rate=1.0)) == pytest.approx(1000.49575, rel=1e-8)
    assert float(swimming.mean_fourth_power(3.0, speed=20.0, rate=1.0)) == pytest.approx(2154645.9, rel=1e-7)
    one = analysis.diffusivity(run.ts, run.ys.positions)
    assert one.value == pytest.approx(200, rel=0.06)


def test_the_fourth_power_keeps_its_digits_at_short_times():
    # v^4 t^4 (1 - 4 a t / 5 + 2 a^2 t^2 / 5 - ...); both of its branches are right where they meet, 2 a t = 1.
    with jax.enable_x64(False):
        early = float(swimming.mean_fourth_power(1e-3, speed=20.0, rate=1.0)) / 20**4 / 1e-12
    assert early == pytest.approx(1 - 0.8e-3, rel=1e-6)
    around = [float(swimming.mean_fourth_power(0.5 + h, speed=1.0, rate=1.0)) for h in (-1e-12, 1e-12)]
    assert around[0] == pytest.approx(around[1], rel=1e-11)


def test_memory_of_the_direction(run):
    found = analysis.autocorrelation(run.ys.headings)
    ts = np.asarray(run.ts)
    early = ts < 2
    np.testing.assert_allclose(found[early], np.exp(-2 * ts[early]), atol=0.01)
    assert found[0] == pytest.approx(1)


def test_drift_and_its_error(run):
    found = analysis.drift(run.ts, run.ys.positions)
    assert abs(found.value) < 3 * found.error
    assert found.error == pytest.approx(np.sqrt(1000.0 * 7.6 / 400 / 1e4), rel=0.2)


def test_run_times_are_exponential(run):
    found = analysis.run_times(run.ts, run.ys.headings)
    # Two turns within a frame go unseen; those that are seen are 0.1 s apart or more.
    assert found.mean() == pytest.approx(1.1, abs=0.06)
    assert found.std() == pytest.approx(1.0, abs=0.08)


def test_missing_frames_are_named():
    tracks = np.zeros((5, 4, 2))
    tracks[3, 2] = np.nan
    for statistic in (analysis.mean_squared_displacement, analysis.autocorrelation):
        with pytest.raises(ValueError, match="1 missing frames, the first of agent 2 at frame 3: cut the tracks"):
            statistic(tracks)
    with pytest.raises(ValueError, match="must have the shape"):
        analysis.autocorrelation(np.zeros((1, 3, 2)))


def test_the_propagator_has_all_but_the_atoms():
    x = jnp.linspace(-60.0, 60.0, 20_001)
    density = swimming.propagator(x, 3.0, speed=20.0, rate=1.0)
    mass, second = (float(jnp.trapezoid(density * x**k, x)) for k in (0, 2))
    assert mass == pytest.approx(1 - np.exp(-3.0), rel=1e-4)
    assert second + 3600 * np.exp(-3.0) == pytest.approx(1000.49575, rel=1e-4)
    assert float(swimming.propagator(61.0, 3.0, speed=20.0, rate=1.0)) == 0


@pytest.mark.slow
def test_at_rest_is_the_law_of_the_rates():
    law = Directional(lambda x: 1 + 0.5 * jnp.tanh(x[..., 0] / 50), lambda x: 1 - 0.5 * jnp.tanh(x[..., 0] / 50))
    grid = jc.Grid.box(-100.0, 100.0, 40)
    problem = jc.Problem(RunAndTumble(20.0, law, Reversal()), grid, jc.initial.uniform(mass=3.0))
    wanted = grid.average(lambda x: jnp.cosh(x[..., 0] / 50) ** -2.5)
    np.testing.assert_allclose(swimming.at_rest(problem), 3 * wanted / grid.integrate(wanted), rtol=1e-6)


class TestInformation:
    def cells(self, noise=0.05):
        pathway = Pathway(Receptors(6, 18.2, 3000.0), HillMotor(0.2, 0.15), up=0.02, down=0.02, noise=noise)
        return RunAndTumble(20.0, pathway, rotational_diffusion=0.062)

    def test_it_is_that_of_a_gaussian_channel(self):
        """By quadrature of the spectra of what is met and of what fluctuates."""
        cells, steepness = self.cells(), 1e-3
        law = cells.tumble_rate
        forgotten = float(cells.reorientation(law.motor.start_rate(law.resting_activity), 3))
        time, level = float(law.adaptation_time), 200.0
        answer = 6 * level * (1 / (18.2 + level) - 1 / (3000 + level))
        running = 1 - float(law.motor.bias(law.resting_activity))
        met = lambda w: (  # noqa: E731
            running * (20 * steepness) ** 2 / 3 * 2 * forgotten / (forgotten**2 + w**2)
        )
        fluctuates = 2 * (6 * 1.7 * 0.05) ** 2 / time
        wanted = quad(lambda w: np.log1p(answer**2 * met(w) / fluctuates), 0, np.inf)[0] / (2 * np.pi)
        found = float(swimming.information_rate(cells, 3, level, steepness))
        assert found == pytest.approx(wanted, rel=1e-6)
        # In shallow gradients it grows as their square.
        shallow = [float(swimming.information_rate(cells, 3, level, g)) for g in (1e-5, 2e-5)]
        assert shallow[1] / shallow[0] == pytest.approx(4, rel=1e-3)

    def test_without_noise_there_is_no_rate(self):
        with pytest.raises(TypeError, match="without noise they learn everything"):
            swimming.information_rate(self.cells(None), 3, 200.0, 1e-3)

    def test_tumbles_tell_of_two_directions(self):
        """An exponential response in one dimension: half of the cells tumble at `a exp(x)`, half at `a exp(-x)`."""
        law = ExponentialResponse(2.0, 1.5)
        start = jc.initial.particles(jnp.zeros((4000, 1)), mass=1.0)
        problem = jc.Problem(
            RunAndTumble(20.0, law, Reversal()), jc.FreeSpace(1), start, jc.initial.function(lambda x: 0.02 * x[..., 0])
        )
        run = jc.solve(problem, jc.Agents(4000), t1=0.1, dt=0.1, key=jax.random.key(0), saveat=jc.SaveAt(ts=(0.0,)))
        rates = np.asarray(swimming.tumble_rates(problem, run.ys))
        right = np.asarray(run.ys.headings[..., 0]) > 0
        np.testing.assert_allclose(rates, 2 * np.exp(np.where(right, -0.6, 0.6)), rtol=1e-6)
        share = right.mean()
        mean = 2 * (share * np.exp(-0.6) + (1 - share) * np.exp(0.6))
        wanted = sum(w * 2 * np.exp(z) * np.log(2 * np.exp(z) / mean) for w, z in ((share, -0.6), (1 - share, 0.6)))
        one = analysis.tumble_information(rates)
        assert one.value == pytest.approx(wanted, rel=1e-5) and 0 < one.error < 0.1 * wanted
        with pytest.raises(ValueError, match="`rates` must be positive"):
            analysis.tumble_information(-rates)
