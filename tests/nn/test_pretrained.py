"""Shipped weights: they load, are what was recorded, and do what they are for."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.nn.interpolators.pretrained import _SHIPPED
from jaxchemo.references import exact

NAMES = [recipe.name for recipe in jc.nn.RECIPES]


@pytest.mark.parametrize("name", NAMES)
def test_they_load_and_are_small(name):
    network = jc.nn.pretrained(name)
    about = jc.nn.metadata(_SHIPPED / f"{name}.json")
    recipe = next(recipe for recipe in jc.nn.RECIPES if recipe.name == name)
    assert network.scope.ndim == recipe.ndim
    assert about["recipe"] == json.loads(json.dumps(recipe.__dict__, default=lambda o: o.__dict__))
    assert about["metrics"]["validation"] < about["start"]["validation"]
    assert (_SHIPPED / f"{name}.npz").stat().st_size < 1e5


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in NAMES])
def test_their_metrics_are_those_recorded(name):
    """In single precision, as they were trained."""
    about = jc.nn.metadata(_SHIPPED / f"{name}.json")
    recipe = next(recipe for recipe in jc.nn.RECIPES if recipe.name == name)
    with jax.enable_x64(False):
        found = recipe.validate(jc.nn.pretrained(name), recipe.data(about["seed"]))
    # Single runs part where particles are sorted or round off differently on another machine; means do not.
    assert found["validation"] == pytest.approx(about["metrics"]["validation"], rel=0.03)


def test_saving_and_loading_changes_nothing(tmp_path):
    for network in (
        jc.nn.ScaleMixing(scales=(0, 1), width=4, scope=jc.nn.Scope(3, (1.0, 2.0)), key=jax.random.key(3)),
        jc.nn.SuperResolution(2, channels=3),
    ):
        jc.nn.save(tmp_path / "one", network, metrics={"validation": 0.5})
        again = jc.nn.load(tmp_path / "one")
        assert type(again) is type(network) and again.scope == network.scope
        assert again.network == network.network
        for a, b in zip(jax.tree.leaves(again.parameters), jax.tree.leaves(network.parameters), strict=True):
            np.testing.assert_array_equal(a, np.asarray(b, np.float32))
    assert jc.nn.metadata(tmp_path / "one")["metrics"] == {"validation": 0.5}


class TestBrokenFiles:
    @pytest.fixture
    def path(self, tmp_path):
        jc.nn.save(tmp_path / "one", jc.nn.ScaleMixing())
        return tmp_path / "one.json"

    def edit(self, path, **changes):
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def test_another_version(self, path):
        self.edit(path, format=99)
        with pytest.raises(ValueError, match=r"format 99, this version of jaxchemo reads 1: train them again"):
            jc.nn.load(path)

    def test_another_kind(self, path):
        self.edit(path, kind="Oracle")
        with pytest.raises(ValueError, match="'Oracle', which this version does not know"):
            jc.nn.load(path)

    def test_weights_that_do_not_fit(self, path):
        self.edit(path, config={"scales": [0, 1, 2], "width": 8})
        with pytest.raises(ValueError, match="`parameters` do not fit"):
            jc.nn.load(path)

    @pytest.mark.parametrize("factor, what", [(np.nan, "finite"), (1j, "real")])
    def test_weights_that_are_no_numbers(self, path, factor, what):
        with np.load(path.with_suffix(".npz")) as file:
            arrays = {name: factor * file[name] for name in file.files}
        np.savez(path.with_suffix(".npz"), **arrays)
        with pytest.raises(ValueError, match=rf"do not make a ScaleMixing: `parameters\[.*\]` must be {what}"):
            jc.nn.load(path)

    def test_a_configuration_that_does_not_exist(self, path):
        self.edit(path, config={"depth": 3})
        with pytest.raises(ValueError, match=r"do not make a ScaleMixing: .*'depth'"):
            jc.nn.load(path)

    @pytest.mark.parametrize("content", [b"", b"not a file of arrays", None])
    def test_a_broken_file_of_weights(self, path, content):
        weights = path.with_suffix(".npz")
        weights.write_bytes(weights.read_bytes()[:300] if content is None else content)
        with pytest.raises(ValueError, match="cannot be read"):
            jc.nn.load(path)

    def test_a_broken_description(self, path):
        path.write_text("{")
        with pytest.raises(ValueError, match="cannot be read"):
            jc.nn.load(path)

    def test_a_missing_file(self, path):
        path.with_suffix(".npz").unlink()
        with pytest.raises(FileNotFoundError):
            jc.nn.load(path)

    def test_a_name_there_is_not(self):
        with pytest.raises(ValueError, match=r"no network 'phks-4d'. There are: 'phks-2d', 'phks-3d', 'phks-3d-cnn'"):
            jc.nn.pretrained("phks-4d")


@pytest.mark.slow
def test_nsipf_follows_the_self_similar_solution():
    """S2 from t = 1 to 2: the mean squared distance from the origin grows in proportion to time."""
    particles = 50_000
    true = exact.self_similar(1.0, 1.0)
    half = 8.0
    problem = jc.Problem(
        model=jc.models.phks(1.0, 1.0),
        domain=jc.Grid.box((-half, -half), (half, half), (64, 64)),
        density=jc.initial.function(lambda x: true.density(x, 1.0)),
        signal=jc.initial.function(lambda x: true.signal(x, 1.0)),
    )
    method = jc.ParticleField(particles, interpolator=jc.nn.pretrained("phks-2d"))
    final = jc.solve(problem, method, t1=1.0, dt=0.005, key=jax.random.key(0), adjoint=jc.Forward()).final
    spread = float(jnp.mean(jnp.sum(final.positions**2, axis=1))) / 2.0
    assert spread == pytest.approx(5.104291, rel=0.01)
