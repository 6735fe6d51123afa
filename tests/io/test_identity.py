"""Whatever decides the numbers of a run shows in its fingerprint, and nothing else does."""

import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.io import fingerprint, identity


def times(chi):
    return lambda s: chi * s


def law(chi):
    return jc.models.Custom(times(chi))


class Scaled(eqx.Module):
    by: float

    def __call__(self, x):
        return self.by * x


def reads_a_global(x):
    return FACTOR * x


FACTOR = 2.0


ALIKE = [
    (times(2.0), times(2.0)),
    (law(1.5), law(1.5)),
    (jc.FiniteVolume(), jc.FiniteVolume()),
    (jax.random.key(3), jax.random.key(3)),
    (Scaled(1.0), Scaled(1.0)),
    ((1, (2.0, "a")), (1, (2.0, "a"))),
]
APART = [
    (times(2.0), times(2.5)),
    (law(1.5), law(1.25)),
    (jc.models.phks(0.1, 1.0), jc.models.phks(0.1 * (1 + 1e-12), 1.0)),
    (jc.initial.gaussian(mass=1.0, std=0.2), jc.initial.gaussian(mass=7.0, std=0.2)),
    (jc.Dirichlet(1.0), jc.Dirichlet(1.0 + 1e-9)),
    (jc.Dirichlet(lambda t: t), jc.Dirichlet(lambda t: 2 * t)),
    (jax.random.key(3), jax.random.key(4)),
    (jax.random.key(3), jax.random.key(3, impl="rbg")),
    (jc.FiniteVolume(), jc.FiniteVolume(jc.SSPRK3())),
    (jc.FiniteVolume(jc.Adaptive()), jc.FiniteVolume(jc.Adaptive(rtol=1e-6))),
    (jnp.ones(3), jnp.ones((3, 1))),
    (jnp.ones(3), np.ones(3, np.float32)),
    (Scaled(1.0), Scaled(2.0)),
    (eqx.Partial(times, 1.0), eqx.Partial(times, 2.0)),
    (1, 1.0),
    (1, True),
    ("1", 1),
    ([1, 2], [[1], 2]),
    (jnp.sin, jnp.cos),
    (jax.jit(times(1.0)), jax.jit(times(2.0))),
]


@pytest.mark.parametrize(("a", "b"), ALIKE)
def test_equal_contents_read_alike(a, b):
    assert fingerprint(a) == fingerprint(b)


@pytest.mark.parametrize(("a", "b"), APART)
def test_other_contents_do_not(a, b):
    assert fingerprint(a) != fingerprint(b)


def test_globals_that_a_function_reads_count(monkeypatch):
    before = fingerprint(reads_a_global)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert fingerprint(reads_a_global) != before


def test_a_method_that_was_edited_counts():
    one, other = ({}, {})
    for factor, place in ((1, one), (2, other)):
        source = (
            f"class Law(eqx.Module):\n    a: float\n    def __call__(self, x):\n        return {factor} * self.a * x\n"
        )
        exec(source, {"eqx": eqx, "__name__": "study"}, place)
    assert fingerprint(one["Law"](1.0)) != fingerprint(other["Law"](1.0))


def test_another_process_reads_the_same():
    source = (
        "import jax, jaxchemo as jc; from jaxchemo.io import fingerprint; jax.config.update('jax_enable_x64', True);"
        "print(fingerprint((jc.models.growth_expansion(), jc.LagrangianFlow(), jc.FiniteVolume(jc.Adaptive()),"
        " jc.models.Custom(lambda s: 2 * s), {'a', 'b', 'c'})))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", source], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_what_cannot_be_told_is_refused():
    with pytest.raises(TypeError, match="cannot be told"):
        fingerprint(iter([1]))


def test_precision_and_versions_count():
    now = identity(dt=0.1)
    assert now["dt"] == "0.1" and now["precision"] == "float64" and f"jax {jax.__version__}" in now["versions"]
