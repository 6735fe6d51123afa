"""What is compiled, how often, and with what in it: once per problem shape, nothing that calls back, kept on disk."""

import logging
import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import jaxchemo as jc
from jaxchemo.analysis import diagnostics


def problem(mobility=0.1, chi=1.0, center=0.0, shape=(6, 7)):
    return jc.Problem(
        model=jc.models.phks(mobility, chi),
        domain=jc.Grid.box((-1.0, -1.0), (1.0, 1.0), shape),
        density=jc.initial.gaussian(mass=1.0, center=(center, 0.0), std=0.5),
        signal=jc.initial.gaussian(amplitude=2.0, std=0.5),
    )


@pytest.fixture
def compiled(caplog):
    """The names of the programs compiled since the last call."""
    jax.clear_caches()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):

        def names():
            found = [
                r.getMessage().split()[4] for r in caplog.records if "Finished XLA compilation of" in r.getMessage()
            ]
            caplog.clear()
            return found

        yield names


METHODS = {"fv": jc.FiniteVolume(), "adaptive": jc.FiniteVolume(jc.Adaptive()), "sipf": jc.ParticleField(40)}


@pytest.mark.parametrize("name", METHODS)
def test_a_repeated_call_compiles_nothing(name, compiled):
    """Not even with other numbers in the model and the conditions, another time step of as many steps, another key."""
    method = METHODS[name]

    def solve(p, seed, t0=0.0, dt=0.01):
        saveat = jc.SaveAt(every=2, fn=diagnostics(p))
        return jc.solve(p, method, t0=t0, t1=t0 + 6 * dt, dt=dt, key=jax.random.key(seed), saveat=saveat)

    solve(problem(), 0)
    assert compiled().count("jit(_solve)") == 1
    solve(problem(), 0)
    assert compiled() == []
    solve(problem(mobility=0.2, chi=3.0, center=0.2), 1, t0=1.0, dt=0.005)
    assert "jit(_solve)" not in compiled()


@pytest.mark.slow
def test_what_does_compile_again(compiled):
    """So that the test above can fail: another number of steps, another shape."""
    solve = lambda p, t1: jc.solve(p, jc.FiniteVolume(), t1=t1, dt=0.01)  # noqa: E731
    solve(problem(), 0.05)
    compiled()
    solve(problem(), 0.06)
    assert compiled().count("jit(_solve)") == 1
    solve(problem(shape=(6, 8)), 0.06)
    assert compiled().count("jit(_solve)") == 1


@pytest.mark.slow
def test_a_repeated_gradient_compiles_nothing(compiled):
    def loss(mobility):
        return jnp.sum(jc.solve(problem(mobility), jc.FiniteVolume(), t1=0.05, dt=0.01).final.density ** 2)

    gradient = jax.jit(jax.grad(loss))
    gradient(0.1)
    compiled()
    gradient(0.2)
    assert compiled() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_compiled_code_does_not_call_back(name):
    """No callback, print or raise: each would also keep the program out of the persistent cache."""

    def loss(p):
        saveat = jc.SaveAt(every=2, fn=diagnostics(p))
        solution = jc.solve(p, METHODS[name], t1=0.06, dt=0.01, key=jax.random.key(0), saveat=saveat)
        return jnp.sum(solution.final.density**2), solution

    for function in (loss, eqx.filter_value_and_grad(loss, has_aux=True)):
        program = eqx.filter_jit(function).lower(problem()).as_text()
        assert "stablehlo" in program and "callback" not in program


SCRIPT = """
import jax, jaxchemo as jc
problem = jc.Problem(jc.models.phks(0.1, 1.0), jc.Grid.box(-1.0, 1.0, 16),
                     jc.initial.gaussian(mass=1.0, std=0.3), jc.initial.uniform(amplitude=1.0))
jc.solve(problem, {method}, t1=0.05, dt=0.01, key=jax.random.key(0))
"""


@pytest.mark.parametrize("method", ["jc.FiniteVolume()", "jc.ParticleField(40)"])
def test_the_persistent_cache_gets_an_entry_and_is_used(method, tmp_path):
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_PLATFORMS": "cpu",
    }

    def entries():
        subprocess.run([sys.executable, "-c", SCRIPT.format(method=method)], env=environment, check=True, timeout=300)
        return {
            path.name for path in tmp_path.iterdir() if path.name.startswith("jit__solve") and "atime" not in path.name
        }

    first = entries()
    assert len(first) == 1
    assert entries() == first  # a second process adds none: it found the program
