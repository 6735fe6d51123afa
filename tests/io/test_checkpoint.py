"""A checkpoint is replaced whole or not at all, belongs to one run, and never replaces anything else."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxchemo.io import Checkpoint, CheckpointError, StoreError

RUN = {"problem": "#1", "dt": "0.1"}
TREE = {"x": jnp.arange(3.0), "n": jnp.asarray(4)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "c"
    with Checkpoint.opened(path, RUN, resume=False) as checkpoint:
        checkpoint.save({"steps": 5}, TREE)
    return path


def resumed(path, run=RUN, like=TREE):
    with Checkpoint.opened(path, run, resume=True) as checkpoint:
        return checkpoint.progress, checkpoint.restore(like)


def test_what_was_saved_is_restored(path):
    progress, tree = resumed(path)
    assert progress == {"steps": 5} and np.array_equal(tree["x"], TREE["x"]) and tree["n"] == 4
    assert sorted(p.name for p in path.parent.iterdir()) == ["c"]  # neither drafts nor locks are left


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b"",
        lambda b: b[:10],
        lambda b: b[:-1],
        lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:],  # one bit of the body
        lambda b: b.replace(b'"steps": 5', b'"steps": 9'),
        lambda b: b"[]",
        lambda b: b"{}\n",
        lambda b: bytes(range(256)) * 4,
        lambda b: b + b"more",
        lambda b: b.partition(b"\n")[2],
    ],
)
def test_a_broken_file_is_refused_and_left_alone(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"damaged|not a checkpoint"):
        resumed(path)
    assert path.read_bytes() == before


def test_a_state_of_other_shapes_is_refused(path):
    for like in (
        {"x": jnp.zeros(4), "n": jnp.asarray(0)},
        {"x": jnp.zeros(3, jnp.float32), "n": jnp.asarray(0)},
        {**TREE, "z": jnp.ones(2)},
    ):
        with pytest.raises(CheckpointError, match="does not fit this run"):
            resumed(path, like=like)


def test_another_run_is_told_what_differs(path):
    with pytest.raises(CheckpointError, match=r"another run: its dt is 0\.1, not 0\.2"):
        resumed(path, {**RUN, "dt": "0.2"})
    with pytest.raises(ValueError, match="another run: its problem is another"):
        resumed(path, {**RUN, "problem": "#2"})


def test_nothing_that_is_there_is_replaced_unasked(path, tmp_path):
    with pytest.raises(CheckpointError, match="resume=True goes on from it"):  # noqa: SIM117
        with Checkpoint.opened(path, RUN, resume=False):
            pass
    thesis = tmp_path / "ch1.tex"
    thesis.write_text("years of work")
    for options in ({"resume": True}, {"resume": False, "overwrite": True}):
        with pytest.raises(CheckpointError, match="left alone"):  # noqa: SIM117
            with Checkpoint.opened(thesis, RUN, **options):
                pass
    with pytest.raises(CheckpointError, match="is a folder"):  # noqa: SIM117
        with Checkpoint.opened(tmp_path, RUN, resume=False):
            pass
    assert thesis.read_text() == "years of work"


def test_an_old_one_lives_until_there_is_a_new_one(path):
    before = path.read_bytes()
    with Checkpoint.opened(path, {**RUN, "dt": "0.3"}, resume=False, overwrite=True) as checkpoint:
        assert checkpoint.progress is None and path.read_bytes() == before
        checkpoint.save({"steps": 1}, TREE)
    assert path.read_bytes() != before


def test_two_runs_cannot_write_to_one(path):
    with Checkpoint.opened(path, RUN, resume=True), pytest.raises(StoreError, match="Another run is writing"):
        resumed(path)
    assert resumed(path)[0] == {"steps": 5}


def test_no_code_hides_in_it(path):
    assert json.loads(path.read_bytes().split(b"\n")[1]) == {"run": RUN, "progress": {"steps": 5}}
