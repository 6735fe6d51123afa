"""Training: deterministic, resumable, in the closed loop and on patches; and its data against exact answers."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.nn.interpolators.closed_loop import END, draw_cases, final_error
from jaxchemo.nn.interpolators.patches import CELLS, draw_patches
from jaxchemo.nn.interpolators.radial import SHELLS, Numbers, solve_radial
from jaxchemo.particles import mollify


class Shared(jc.nn.Patches):
    """Patches that are drawn once for all the tests that train on them, however they do."""

    def data(self, seed):
        return drawn(seed)


TINY = Shared(name="tiny", title="a tiny one", ndim=2, epochs=3, updates=4, channels=3, batch=4, patches=12, held_out=4)
drawn = functools.cache(functools.partial(jc.nn.Patches.data, TINY))
CLOSED = jc.nn.ClosedLoop(
    name="closed", title="a tiny one", ndim=2, epochs=2, updates=2, loops=(jc.nn.Loop(12, 64),), cases=6, held_out=2
)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


@pytest.fixture(scope="module")
def trained():
    return jc.nn.train(TINY)


class TestTraining:
    @pytest.mark.slow
    def test_it_learns(self, trained):
        assert trained.history["validation"][-1] < trained.start["validation"]
        assert list(trained.history) == ["loss", "validation", "value"]
        assert [len(values) for values in trained.history.values()] == [3, 3, 3]

    @pytest.mark.slow
    def test_the_same_seed_gives_the_same_network_and_another_seed_another(self, trained):
        again = jc.nn.train(TINY)
        assert same(again.interpolator, trained.interpolator)
        assert again.history == trained.history
        assert not same(jc.nn.train(TINY, seed=1).interpolator, trained.interpolator)

    def test_an_interrupted_training_goes_on_and_ends_the_same(self, trained, tmp_path, monkeypatch):
        gradient, calls = jc.nn.Patches.gradient, []

        def interrupted(self, *args):
            calls.append(1)
            if len(calls) == 7:  # in the second epoch
                raise KeyboardInterrupt
            return gradient(self, *args)

        path = tmp_path / "training"
        with monkeypatch.context() as patch:
            patch.setattr(jc.nn.Patches, "gradient", interrupted)
            with pytest.raises(KeyboardInterrupt):
                jc.nn.train(TINY, checkpoint=path)
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(jc.nn.Patches, "gradient", lambda self, *a: (calls.append(1), gradient(self, *a))[1])
            resumed = jc.nn.train(TINY, checkpoint=path)
        assert len(calls) == 8  # the first epoch is not done again
        assert same(resumed.interpolator, trained.interpolator)
        assert resumed.history == trained.history

    def test_a_checkpoint_of_another_training_is_refused(self, tmp_path):
        path = tmp_path / "training"
        jc.nn.train(dataclasses.replace(TINY, epochs=1), checkpoint=path)
        with pytest.raises(ValueError, match="belongs to another run: its seed is 0, not 1"):
            jc.nn.train(dataclasses.replace(TINY, epochs=1), seed=1, checkpoint=path)

    def test_a_training_that_diverges_says_so(self):
        with pytest.raises(FloatingPointError, match="no longer finite in epoch 1"):
            jc.nn.train(dataclasses.replace(TINY, learning_rate=1e300, averaging=0.0))

    @pytest.mark.slow
    def test_the_closed_loop_is_trained_and_deterministic(self):
        one, two = jc.nn.train(CLOSED), jc.nn.train(CLOSED)
        assert one.start["validation"] == pytest.approx(1.0)  # untrained it is the default scheme
        assert same(one.interpolator, two.interpolator)
        assert not same(one.interpolator, CLOSED.start(jax.random.key(0)))


class TestRadialSolutions:
    def test_without_food_the_exposure_is_that_of_a_spreading_gaussian(self):
        # S1 of the reference in two dimensions: no taxis, a known exposure.
        from scipy.special import exp1

        mobility, density, std = 0.1, 2.0, 0.5
        numbers = Numbers(*(np.array([v]) for v in (mobility, density, std, 1e-9, 0.0, 1.0, 4.0)))
        found = solve_radial(numbers, 2)
        r = found.radii * 4.0
        mass, later = density * 2 * np.pi * std**2, std**2 + 2 * mobility * END
        exact = mass / (4 * np.pi * mobility) * (exp1(r**2 / (2 * later)) - exp1(r**2 / (2 * std**2)))
        assert found.good.all()
        np.testing.assert_allclose(found.exposure[0, -1], exact, atol=2e-3 * exact.max())
        assert found.radii.shape == (SHELLS,)


@pytest.fixture(scope="module")
def cases():
    return draw_cases(0, 12, 16, ndim=2)


class TestCases:
    @pytest.mark.slow
    def test_the_error_without_a_grid_is_that_of_mollified_densities(self, cases):
        """Against the same error taken on a fine grid, for particles somewhere."""
        case = next(c for c in cases if float(c.food.directions.sum()) == 2 and float(c.corner) == 0)
        box = jc.Grid.box((0.0, 0.0), (16.0, 16.0), (512, 512))
        spread = float(case.std)
        x = 8 + 0.5 * spread * jax.random.normal(jax.random.key(0), (300, 2))
        width = float(case.kernel_width) / np.sqrt(2)
        seen = mollify(jc.initial.particles(x, mass=1.0).on_grid(box), box, width)
        distance = jnp.sqrt(jnp.sum((x - case.food.center) ** 2, axis=1))
        height = 2 * np.pi * float(case.kernel_width) ** 2  # here a kernel of height 1, there a product of mass 1
        cross = float(jnp.mean(jnp.interp(distance, case.radii, case.potential))) / height
        expected = 1 + (float(box.integrate(seen**2)) - 2 * cross) / (float(case.energy) / height)
        assert float(case.error(x)) == pytest.approx(expected, rel=5e-3)

    @pytest.mark.slow
    def test_particles_drawn_from_the_start_are_far_and_those_of_a_run_are_near(self, cases):
        for case in cases[:3]:
            start = case.problem(512, 16, jax.random.key(0)).density["rho"].positions
            end = final_error(jc.Histospline(), case, jax.random.key(0), 512, 16, jc.Normal())
            assert 0 < float(end) < min(0.2, float(case.error(start)))

    @pytest.mark.slow
    def test_a_corner_case_is_one_part_of_a_symmetric_cloud(self, cases):
        case = next(c for c in cases if float(c.corner) == 1)
        x = jnp.abs(jax.random.normal(jax.random.key(0), (50, 2))) * 3
        mirrored = jnp.concatenate([x * jnp.array(s) for s in ((1, 1), (-1, 1), (1, -1), (-1, -1))])
        whole = dataclasses.replace(case, corner=jnp.zeros(()))
        assert float(case.error(x)) == pytest.approx(float(whole.error(mirrored)), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("ndim", [2, 3])
def test_patches_are_fields_under_the_deposit_with_the_truth_beside_them(ndim):
    patches = draw_patches(0, 6, ndim)
    assert patches.field.shape == (6,) + (CELLS,) * ndim
    slope, value = jax.vmap(lambda patch: patch.error(jc.Histospline()))(patches)
    # The spline knows nothing of noise and little of what the cells do not resolve, but it sees the same field.
    assert float(jnp.median(slope)) < 0.2 and float(jnp.median(value)) < 0.05
    wrong = jax.vmap(lambda patch: dataclasses.replace(patch, slopes=-patch.slopes).error(jc.Histospline())[0])(patches)
    assert float(jnp.min(wrong)) > 1
