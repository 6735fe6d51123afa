"""A run goes on from a checkpoint only if it is that very run, and loses nothing that was there."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from run_support import QUIET, interrupted_at, problem, same

import jaxchemo as jc
from jaxchemo.io import CheckpointError, StoreError

BASE = dict(t1=0.1, dt=0.005, key=jax.random.key(1), saveat=jc.SaveAt(every=5), **QUIET, chunk=5)


def cut(tmp_path, method=jc.ParticleField(50), **changes):
    """Files of a run that was interrupted after 10 of its 20 steps."""
    settings = {**BASE, "problem": problem(), **changes}
    files = dict(checkpoint=tmp_path / "c", store=tmp_path / "s.zarr")
    with interrupted_at(10), pytest.raises(KeyboardInterrupt):
        jc.run(settings.pop("problem"), method, **settings, **files)
    return files


def law(chi):
    return jc.Problem(
        jc.models.Model(
            {"rho": jc.models.Species(0.1, {"c": jc.models.Custom(lambda s: chi * s)})},
            {"c": jc.models.Signal(jc.models.Consumption("rho", 1.0))},
        ),
        problem().domain,
        problem().density["rho"],
        problem().signal["c"],
    )


OTHERS = {
    "key": dict(key=jax.random.key(2)),
    "density": dict(problem=problem(density=jc.initial.gaussian(mass=7.0, std=0.2))),
    "mobility": dict(problem=problem(model=jc.models.phks(0.1000001, 1.0))),
    "wall": dict(problem=problem(domain=jc.Grid.box((-1, -1), (1, 1), (16, 16), (jc.NoFlux(), jc.Periodic())))),
    "step": dict(dt=0.0025),
    "start": dict(t0=0.05, t1=0.15),
    "saves": dict(saveat=jc.SaveAt(every=2)),
    "what is saved": dict(saveat=jc.SaveAt(every=5, fn=lambda s: s.density)),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_another_run_is_refused(tmp_path, change):
    files = cut(tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    settings = {**BASE, "problem": problem(), **change}
    with pytest.raises(CheckpointError, match=r"belongs to another run|was written with saves"):
        jc.run(settings.pop("problem"), jc.ParticleField(50), **settings, **files, resume=True)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.slow
def test_a_method_of_other_numbers_and_a_law_of_other_constants_are_refused(tmp_path):
    files = cut(tmp_path)
    with pytest.raises(CheckpointError, match="its method is another"):
        jc.run(problem(), jc.ParticleField(50, deposit_order=2), **BASE, **files, resume=True)
    (tmp_path / "law").mkdir()
    files = cut(tmp_path / "law", jc.FiniteVolume(), problem=law(1.0))
    with pytest.raises(CheckpointError, match="its problem is another"):
        jc.run(law(1.5), jc.FiniteVolume(), **BASE, **files, resume=True)
    assert same(
        jc.run(law(1.0), jc.FiniteVolume(), **BASE, **files, resume=True),
        jc.solve(law(1.0), jc.FiniteVolume(), **SOLVE),
    )


SOLVE = {name: BASE[name] for name in ("t1", "dt", "key", "saveat")}


@pytest.mark.slow
def test_an_earlier_end_is_refused_and_a_later_one_goes_on(tmp_path):
    files = cut(tmp_path)
    with pytest.raises(CheckpointError, match="a later `t1` would do"):
        jc.run(problem(), jc.ParticleField(50), **{**BASE, "t1": 0.025}, **files, resume=True)
    longer = {**BASE, "t1": 0.15}
    found = jc.run(problem(), jc.ParticleField(50), **longer, **files, resume=True)
    assert same(found, jc.solve(problem(), jc.ParticleField(50), **{**SOLVE, "t1": 0.15}))


@pytest.mark.slow
def test_without_a_store_the_checkpoint_keeps_the_frames(tmp_path):
    with interrupted_at(10), pytest.raises(KeyboardInterrupt):
        jc.run(problem(), jc.ParticleField(50), **BASE, checkpoint=tmp_path / "c")
    found = jc.run(problem(), jc.ParticleField(50), **BASE, checkpoint=tmp_path / "c", resume=True)
    whole = jc.solve(problem(), jc.ParticleField(50), **SOLVE)
    assert same(found, whole) and np.array_equal(found.ts, whole.ts) and found.ts.dtype == whole.ts.dtype


def test_a_mistyped_checkpoint_or_a_lost_store_lose_nothing(tmp_path):
    files = cut(tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(StoreError, match="There is a store"):
        jc.run(problem(), jc.ParticleField(50), **BASE, store=files["store"], checkpoint=tmp_path / "k", resume=True)
    with pytest.raises(StoreError, match="not the one that the checkpoint was written beside"):
        jc.run(
            problem(), jc.ParticleField(50), **BASE, store=tmp_path / "t", checkpoint=files["checkpoint"], resume=True
        )
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_the_advice_to_overwrite_works_and_the_ended_run_can_be_resumed(tmp_path):
    files = cut(tmp_path)
    with pytest.raises(CheckpointError, match="overwrite=True") as caught:
        jc.run(problem(), jc.ParticleField(50), **BASE, **files)
    assert "resume=True" in str(caught.value)
    first = jc.run(problem(), jc.ParticleField(50), **BASE, **files, overwrite=True)
    again = jc.run(problem(), jc.ParticleField(50), **BASE, **files, resume=True)
    assert same(first, again)


@pytest.mark.parametrize(
    ("fn", "word"),
    [
        (lambda s: {"a": {"b_c": s.density}, "a_b": {"c": s.density}}, "'a_b_c'"),
        (lambda s: {"time": s.density}, "'time'"),
        (lambda s: {"x": s.density}, "'x'"),
        (lambda s: {"a/b": s.density}, "'a/b'"),
    ],
)
def test_names_that_a_store_cannot_have_are_refused_before_anything_runs(tmp_path, fn, word):
    settings = {**BASE, "saveat": jc.SaveAt(every=5, fn=fn)}
    with pytest.raises(ValueError, match=re.escape(word)):
        jc.run(problem(), jc.FiniteVolume(), **settings, store=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_statistics_of_any_shape_open_in_xarray(tmp_path):
    xarray = pytest.importorskip("xarray")

    def statistics(snapshot):
        return {"a": jnp.ones((3, 2)), "b": snapshot.positions, "c": jnp.ones(4), "d": jnp.ones(5)}

    settings = {**BASE, "saveat": jc.SaveAt(every=10, fn=statistics)}
    jc.run(problem(), jc.ParticleField(50), **settings, store=tmp_path / "s")
    with xarray.open_zarr(tmp_path / "s") as data:
        assert data["a"].shape == (3, 3, 2) and data["b"].shape == (3, 50, 2) and data["d"].shape == (3, 5)


def test_run_stays_on_the_host():
    def end(mobility):
        model = jc.models.phks(mobility, 1.0)
        return jc.run(problem(model=model), jc.FiniteVolume(), **BASE).final.density

    for transformed in (jax.jit(end), jax.grad(lambda d: jnp.sum(end(d)))):
        with pytest.raises(TypeError, match="`run` works on the host"):
            transformed(0.1)
    with pytest.raises(TypeError, match="`run` works on the host"):
        jax.vmap(end)(jnp.array([0.1, 0.2]))
    with pytest.raises(TypeError, match="`run` works on the host"):
        jax.jit(lambda: jc.run(problem(), jc.FiniteVolume(), **BASE).final.density)()
