"""What observations of a moving population tell: fronts and bins are exact, and each kind determines what it can."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo.experiments import IdentifyBand, IdentifyExpansion
from jaxchemo.experiments.identify.study import Seen, binned, front

PLACES = jnp.arange(6) + 0.5
PROFILE = jnp.array([0.0, 3.0, 1.0, 4.0, 2.0, 0.0])


def test_a_front_is_the_outermost_place_where_a_profile_falls_and_moves_with_it():
    assert float(front(PROFILE, PLACES, 1.5)) == pytest.approx(4.75)
    assert float(front(PROFILE, PLACES, 3.0)) == pytest.approx(4.0)
    gradient = jax.grad(lambda profile: front(profile, PLACES, 1.5))(PROFILE)
    steps = 1e-6 * jnp.eye(6)
    differences = [(front(PROFILE + h, PLACES, 1.5) - front(PROFILE - h, PLACES, 1.5)) / 2e-6 for h in steps]
    np.testing.assert_allclose(gradient, differences, atol=1e-8)


@pytest.mark.parametrize("profile", [PROFILE / 10, PROFILE + 2, jnp.full(6, 1.5)])
def test_where_no_profile_falls_through_the_threshold_there_is_no_front(profile):
    assert jnp.isnan(front(profile, PLACES, 1.5))


def test_bins_keep_the_amount_in_them():
    volumes = jnp.array([1.0, 3.0, 5.0, 7.0, 9.0, 11.0])
    bins = binned(PROFILE, volumes, 3)
    np.testing.assert_allclose(bins * volumes.reshape(3, 2).sum(axis=1), (PROFILE * volumes).reshape(3, 2).sum(axis=1))
    np.testing.assert_allclose(binned(PROFILE, jnp.ones(1), 2), [4 / 3, 2.0])


def test_the_speed_is_the_slope_of_the_fronts_and_as_well_known_as_they_are():
    experiment = IdentifyBand(times=(10.0, 20.0, 40.0), front_noise=3.0)
    measure, noise = experiment.study().kinds["speed"]
    fronts = 7 + 2.5 * jnp.array(experiment.times) + jnp.array([0.1, -0.2, 0.4])
    (slope, _), covariance = np.polyfit(experiment.times, fronts, 1, cov="unscaled")
    assert float(measure(Seen(jnp.zeros((3, 2)), fronts))) == pytest.approx(slope)
    assert noise == pytest.approx(3 * np.sqrt(covariance[0, 0]))


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: IdentifyBand(bins=50), "`bins` must divide the cells of the grid, `shape`, 160, got 50"),
        (lambda: IdentifyExpansion(bins=30), "`bins` must divide the cells of the grid, `num_shells`, 100, got 30"),
        (lambda: IdentifyBand(times=(100.0,)), "`times` must hold at least 2 times, as a speed takes them"),
        (lambda: IdentifyExpansion(factor=1.0), "`factor` must be greater than 1, got 1.0"),
        (lambda: IdentifyBand(guess=(1.0, 2.0)), "`guess` must hold 4 numbers, got 2"),
        (lambda: IdentifyBand(threshold=50.0, times=(5.0, 10.0)).run(), "There is no front at some of the `times`"),
    ],
)
def test_bad_input_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.slow
def test_the_speed_of_a_band_determines_one_combination_its_fronts_two_and_its_profiles_three():
    experiment = IdentifyBand()
    told = experiment.run(seed=3)
    truth = told.study.truth
    assert {kind: one.determined for kind, one in told.evidence.items()} == {"speed": 1, "fronts": 2, "profiles": 3}
    for one in told.evidence.values():
        off = one.fit.z - one.fit.posterior.whitened(truth)
        # The unseen are off by what the priors are, and so is the posterior as wide.
        precision = np.linalg.inv(one.known.covariance)
        assert float(off @ precision @ off) < 20  # of chi-square with four degrees of freedom, one in two thousand
        assert one.shift.worst < 0.5
        assert one.directions[-1].weights["half"] ** 2 < 1 and one.spread["half"] > 0.9
    # Runs far from the fit say the same: the profile of the half-saturation is held by its prior on both sides.
    sensitivity, half = told.evidence["profiles"].profiles
    assert not sensitivity.above and "prior" in half.below and "prior" in half.above
    numbers = experiment.numbers(told)["kinds"]
    assert numbers["fronts"]["determined"] == 2 and len(numbers["profiles"]["profiles"]) == 2
    assert any("half: the data do not determine it" in line for line in experiment.lines(told))


@pytest.mark.slow
def test_the_fronts_of_a_colony_determine_what_its_speed_does_not_and_none_its_yield():
    told = IdentifyExpansion(times=(2.0, 3.0, 4.0, 5.0), radius=15.0, num_shells=60, dt=30.0).run(seed=3)
    determined = [one.determined for one in told.evidence.values()]
    assert determined == sorted(determined) and determined[0] == 1 and determined[-1] == 4
    first = told.evidence["speed"].directions[0]
    assert first.weights["growth"] > 0.9
    for one in told.evidence.values():
        assert one.spread["biomass"] > 0.99  # the nutrient is plenty: nothing tells how much is used
        off = one.fit.z - one.shift.shift - one.fit.posterior.whitened(told.study.truth)
        assert float(off @ np.linalg.inv(one.known.covariance) @ off) < 23  # as above, of five
