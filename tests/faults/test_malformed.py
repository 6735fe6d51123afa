"""Malformed input: refused by the package's own lines, in a sentence that names the argument; valid input works."""

import functools
import itertools
import operator
import traceback
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from faults.malformed import NUMBER_CASES, NUMBERS_VALID, PARTS, UNUSUAL, Case

import jaxchemo as jc
from jaxchemo import analysis, inference, initial, models, plotting, references
from jaxchemo.experiments.food import OneBlob
from jaxchemo.experiments.stability.stability_map import StabilityMap

PACKAGE = Path(jc.__file__).parent
GRID = jc.Grid.box(-1.0, 1.0, 16)
ONE = initial.uniform(amplitude=1.0)
PHKS = models.phks(0.1, 1.0)
PROBLEM = jc.Problem(PHKS, GRID, ONE, ONE)


def solve(**changes):
    """A run in ten steps, with other arguments."""
    arguments = {"problem": PROBLEM, "method": jc.FiniteVolume(), "t1": 0.1, "dt": 0.01} | changes
    return jc.solve(arguments.pop("problem"), arguments.pop("method"), **arguments)


@functools.cache
def namespace():
    """What the cases are written in."""
    weights = jc.nn.ScaleMixing().parameters
    return {
        **{"jax": jax, "jnp": jnp, "np": np, "jc": jc, "nan": float("nan"), "inf": float("inf")},
        **{
            "models": models,
            "initial": initial,
            "analysis": analysis,
            "inference": inference,
            "plotting": plotting,
            "references": references,
        },
        **{"StabilityMap": StabilityMap, "OneBlob": OneBlob},
        **{"GRID": GRID, "ONE": ONE, "PHKS": PHKS, "PROBLEM": PROBLEM, "solve": solve},
        "SLAVED": models.keller_segel(0.1, 1.0, relaxation=0),
        "UNEVEN": PROBLEM.replace(model=models.phks(0.1, 1.0, jnp.linspace(1.0, 2.0, 16))),
        "BUMP": initial.gaussian(mass=1.0, std=1.0),
        "SOLUTION": solve(saveat=jc.SaveAt(every=5)),
        "STATISTICS": solve(saveat=jc.SaveAt(every=5, fn=lambda snapshot: jnp.sum(snapshot.density))),
        "walled": lambda boundary: PROBLEM.replace(domain=jc.Grid.box(-1.0, 1.0, 16, boundary)),
        "changed": lambda mobility: PROBLEM.replace(model=models.phks(mobility, 1.0)),
        "scaled": lambda factor: jax.tree.map(lambda leaf: factor * leaf, weights),
        "iter_list": lambda: (ONE, ONE),
    }


@pytest.fixture(autouse=True)
def _as_users_run_it(monkeypatch):
    """Without the type checker that the tests put over some rooms: it would refuse in words of its own."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def evaluated(source):
    return eval(source, dict(namespace()))


def complaints(cases: list[Case]) -> list[str]:
    """Of each case that is not refused as it should be, how it was not."""
    found = []
    for case in cases:
        try:
            found.append(f"{case.source} is accepted: {evaluated(case.source)!r}")
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            ours = Path(last.filename).is_relative_to(PACKAGE)
            if type(error) is not case.error or not ours or case.word not in str(error):
                found.append(f"{case.source}: {type(error).__name__} at {last.filename}:{last.lineno}: {error}")
    return found


def unequal(pairs: list[tuple[str, str]]) -> list[str]:
    """Of each pair whose first is not what its second is, how it is not."""
    found = []
    for source, same in pairs:
        (ones, tree), (others, wanted) = (jax.tree.flatten(evaluated(text)) for text in (source, same))
        equal = len(ones) == len(others) and repr(tree) == repr(wanted)
        for one, other in zip(ones, others, strict=False):
            numbers = eqx.is_array_like(other) and np.allclose(one, other, rtol=1e-6, atol=0)
            equal &= bool(numbers or one == other)
        found += [] if equal else [f"{source} is not {same}"]
    return found


def by_call(cases):
    """The cases of each function or class."""
    name = operator.itemgetter(0)
    calls = ((str(case[0]).split("(")[0], case) for case in cases)
    return {key: [case for _, case in group] for key, group in itertools.groupby(sorted(calls, key=name), name)}


def test_the_table_is_large_and_has_no_case_twice():
    sources = [case.source for case in NUMBER_CASES + PARTS]
    assert len(PARTS) >= 300 and len(sources) == len(set(sources))


@pytest.mark.parametrize("cases", [pytest.param(cases, id=name) for name, cases in by_call(PARTS).items()])
def test_parts_are_refused(cases):
    assert complaints(cases) == []


@pytest.mark.slow
@pytest.mark.parametrize("cases", [pytest.param(cases, id=name) for name, cases in by_call(NUMBER_CASES).items()])
def test_numbers_are_refused(cases):
    assert complaints(cases) == []


@pytest.mark.parametrize("pairs", [pytest.param(pairs, id=name) for name, pairs in by_call(UNUSUAL).items()])
def test_what_is_unusual_works(pairs):
    assert unequal(pairs) == []


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [pytest.param(pairs, id=name) for name, pairs in by_call(NUMBERS_VALID).items()])
def test_numbers_of_every_kind_work(pairs):
    assert unequal(pairs) == []
