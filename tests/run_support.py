"""What tests of runs share: a small problem, an interrupt, and what it means for two solutions to be the same."""

import contextlib

import jax
import numpy as np

import jaxchemo as jc
from jaxchemo.io import Checkpoint

QUIET = dict(progress=False)


def problem(**changes):
    parts = dict(
        model=jc.models.phks(0.1, 1.0),
        domain=jc.Grid.box((-1, -1), (1, 1), (16, 16)),
        density=jc.initial.gaussian(mass=1.0, std=0.2),
        signal=jc.initial.gaussian(amplitude=2.0, std=0.4),
    )
    return jc.Problem(**{**parts, **changes})


def same(a, b):
    leaves = zip(jax.tree.leaves((a.ys, a.final)), jax.tree.leaves((b.ys, b.final)), strict=True)
    return all(np.array_equal(x, y) for x, y in leaves)


@contextlib.contextmanager
def interrupted_at(step):
    """Stands for Ctrl-C: right after the checkpoint of this step."""
    save = Checkpoint.save

    def saved(self, progress, tree):
        save(self, progress, tree)
        if progress.get("steps") == step:
            raise KeyboardInterrupt

    Checkpoint.save = saved
    try:
        yield
    finally:
        Checkpoint.save = save
