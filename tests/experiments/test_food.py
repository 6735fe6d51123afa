"""The named experiments: they build, run with both methods in 2D and 3D, and show what they are said to show."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.experiments import EXPERIMENTS, Annuli, OneBlob, TwoBlobs, find
from jaxchemo.experiments.food import FoodExperiment

SIMULATIONS = [one for one in EXPERIMENTS if isinstance(one, FoodExperiment)]


@pytest.mark.parametrize(
    ("method", "ndim"),
    [
        pytest.param(jc.FiniteVolume(), 2, id="fv-2D", marks=pytest.mark.slow),
        pytest.param(jc.FiniteVolume(), 3, id="fv-3D"),
        pytest.param(jc.ParticleField(200), 2, id="sipf-2D"),
        pytest.param(jc.ParticleField(200), 3, id="sipf-3D", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("experiment", SIMULATIONS, ids=lambda one: one.name)
def test_two_steps(experiment, ndim, method):
    experiment = dataclasses.replace(experiment, ndim=ndim, shape=(18,), t1=0.01, dt=0.005)
    solution = experiment.solve(method)
    assert solution.result == jc.RESULTS.successful
    assert solution.ys.density.shape == (3, *(18,) * ndim)
    problem = experiment.problem()
    first, last = (float(problem.domain.integrate(jnp.asarray(solution.ys.density[k]))) for k in (0, -1))
    assert last == pytest.approx(first, rel=1e-12)
    assert np.min(solution.ys.density) >= 0


def final(kind: type[FoodExperiment]) -> tuple[jc.Problem, jc.Solution]:
    experiment = kind(ndim=2, shape=(48,), dt=0.005)
    return experiment.problem(), experiment.solve(jc.FiniteVolume())


def second_moment(problem: jc.Problem, density) -> float:
    weights = np.asarray(density) / np.sum(density)
    return float(np.sum(weights * np.sum(np.asarray(problem.domain.centers) ** 2, axis=-1)))


def test_one_blob_spreads_while_it_consumes():
    problem, solution = final(OneBlob)
    assert second_moment(problem, solution.final.density) > 2 * second_moment(problem, solution.ys.density[0])
    signal = np.asarray(solution.ys.signal)
    assert np.all(np.diff(signal.sum(axis=(1, 2))) < 0)
    hollow = signal[-1][24]
    assert hollow[24] < 0.9 * hollow.max()  # eaten most where the cells were


def test_two_blobs_gather_at_the_food():
    problem, solution = final(TwoBlobs)
    assert second_moment(problem, solution.final.density) < 0.3 * second_moment(problem, solution.ys.density[0])
    middle = solution.ys.density[:, 24, 24]
    assert middle[0] < 0.01 and middle.max() > 1.0
    assert np.max(solution.ys.signal[0]) > 10 * np.max(solution.ys.density[0])  # much more food than cells


def test_annuli_gather_the_cells_along_the_ring():
    experiment = Annuli()
    problem, solution = final(Annuli)
    radius = np.linalg.norm(np.asarray(problem.domain.centers), axis=-1)
    density = np.asarray(solution.final.density)
    on_ring = np.abs(radius - experiment.ring_radius) < 2 * experiment.ring_width
    assert density[on_ring].sum() > 0.9 * density.sum()


def test_the_same_seed_gives_the_same_particles_and_another_does_not():
    def positions(seed: int):
        experiment = OneBlob(ndim=2, shape=(18,), t1=0.01, dt=0.005)
        return experiment.solve(jc.ParticleField(200), seed=seed).final.positions

    assert np.array_equal(positions(1), positions(1))
    assert not np.array_equal(positions(1), positions(2))


@pytest.mark.parametrize(("ndim", "cells"), [(2, 128), (2, 256), (3, 64), (3, 96)])
@pytest.mark.parametrize("experiment", SIMULATIONS, ids=lambda one: one.name)
def test_the_steps_chosen_divide_the_run_and_its_frames(experiment, ndim, cells):
    steps = experiment.t1 / dataclasses.replace(experiment, ndim=ndim, shape=(cells,)).step
    assert steps == pytest.approx(round(steps)) and round(steps) % experiment.frames == 0


@pytest.mark.parametrize("experiment", SIMULATIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("cells", [128, 256])
def test_the_steps_chosen_keep_finite_volumes_stable(experiment, cells):
    experiment = dataclasses.replace(experiment, ndim=2, shape=(cells,))
    problem, method = experiment.problem(), jc.FiniteVolume()
    advised = float(eqx.filter_jit(lambda p: method.stable_dt(p, method.init(p)))(problem))
    assert experiment.step < 0.8 * advised


def test_find_names_the_nearest():
    assert find("two-blobs").name == "two-blobs"
    with pytest.raises(ValueError, match=r"no experiment 'anuli'. Did you mean 'annuli'\?"):
        find("anuli")
    with pytest.raises(ValueError, match="There are: one-blob, two-blobs"):
        find("xyzzy")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"ndim": 1}, "`ndim` must be 2 or 3, got 1"),
        ({"ndim": 2, "shape": (20, 20, 20)}, "`shape` must be one number or one for each of the 2 axes"),
        ({"ndim": 2, "shape": 4}, "narrower than one cell"),
    ],
)
def test_bad_sizes_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        OneBlob(**arguments).problem()


def test_bad_times_are_refused():
    with pytest.raises(ValueError, match="`dt` must be positive"):
        OneBlob(dt=-1.0)
    with pytest.raises(ValueError, match="`t1` must be positive"):
        OneBlob(t1=0.0)
