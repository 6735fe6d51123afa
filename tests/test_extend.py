"""The page "Extend it" runs as written, does what it says, and counts right."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import experiments

PAGE = Path(__file__).parent.parent / "docs" / "extend.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def page():
    names = {}
    with jax.enable_x64(False):  # as a newcomer runs it
        for block in BLOCKS:
            exec(compile(block, str(PAGE), "exec"), names)
    return names


def distance(one, other):
    return float(jnp.linalg.norm(one - other) / jnp.linalg.norm(other))


def test_fields_and_particles_agree_on_a_law_of_ones_own(page):
    assert "2 exp(-c / 0.5) grad c" in repr(page["model"])
    assert distance(page["particles"].final.signal, page["fields"].final.signal) < 0.01
    drifted = page["fields"].density(np.array([[0.5, 0.0], [-0.5, 0.0]]), 0.5)
    assert drifted[0] > 2 * drifted[1]  # they are drawn towards the food


def test_a_flux_of_ones_own_is_close_to_the_exact_one(page):
    hybrid, fields = page["hybrid"].final.density, page["fields"].final.density
    assert 0 < distance(hybrid, fields) < 0.02
    grid = page["problem"].domain
    assert float(grid.integrate(hybrid)) == pytest.approx(float(grid.integrate(fields)), rel=1e-6)


def test_a_boundary_of_ones_own_leaks_at_the_rate_of_its_slowest_mode(page):
    room, leaked = page["room"], page["leaked"]
    n, leak = 20, 0.5
    matrix = np.diag(-2 * np.ones(n)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    matrix[0, 0] = matrix[-1, -1] = -1 - leak
    rates, modes = np.linalg.eigh(0.5 * n**2 * matrix)
    exact = modes @ (np.exp(0.5 * rates) * (modes.T @ np.ones(n)))
    np.testing.assert_allclose(leaked.final.signal, exact, rtol=1e-3)
    assert float(room.domain.integrate(leaked.final.density)) == pytest.approx(1.0, rel=1e-5)
    with pytest.raises(TypeError, match=r"neither mirrored nor fixed at Leaky.*: an explicit stepper would do"):
        jc.solve(room, jc.FiniteVolume(), t1=0.5, dt="auto")


def test_a_method_of_ones_own_is_exact_and_refuses_what_it_does_not_solve(page):
    decay = np.exp(-0.1 * 4 * np.pi**2 * 0.5)
    start = page["ring"].fields()[0]["rho"]
    np.testing.assert_allclose(page["waves"].final.density, 1 + decay * (start - 1), rtol=1e-5)
    highest = float(jnp.max(start)) - 1
    assert float(page["slope"]) == pytest.approx(-4 * np.pi**2 * 0.5 * decay * highest, rel=1e-4)
    with pytest.raises(TypeError, match="Diffusion does not solve problems with a sensitivity that is not linear, nor"):
        jc.solve(page["problem"], page["Diffusion"](), t1=0.5, dt=0.5)


def test_an_experiment_of_ones_own_runs_and_draws(page, tmp_path):
    spreading, variances = page["spreading"], page["variances"]
    np.testing.assert_allclose(variances, [0.25 + 2 * 0.1 * 0.5, 0.25 + 2 * 0.3 * 0.5], rtol=0.01)
    assert spreading.lines(variances)[0] == f"mobility 0.1: variance {variances[0]:.3f}"
    assert spreading.draw(variances, tmp_path).is_file()
    assert experiments.options(spreading)["mobilities"].unit == "length² / time"
    with pytest.raises(ValueError, match="`t1` must be positive"):
        page["Spreading"](t1=0.0)


def test_the_lines_of_the_table_are_those_of_the_classes():
    classes = {}
    for block in BLOCKS:
        for found in re.finditer(
            r"^(?:@.*\n)?class (\w+)\((?:\w+\.)*(\w+)(?:\[.*\])?\):\n(?:(?:    .*)?\n)*", block, re.MULTILINE
        ):
            classes[found[2]] = len([line for line in found[0].splitlines() if line.strip()])
    rows = re.findall(
        r"^\| an? .*? \| `(?:\w+\.)*(\w+)` \| 1 \| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows and {base: int(lines) for base, lines in rows} == classes
