"""The examples of docstrings run as written, and show what they say; every public class has one."""

import doctest
import importlib
import inspect
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc

WALKED = [module for module in pkgutil.walk_packages(jc.__path__, "jaxchemo.") if module.name != "jaxchemo.__main__"]
MODULES = [module.name for module in WALKED]
ROOMS = [m.name for m in WALKED if m.ispkg and m.name.count(".") == 1 and m.name != "jaxchemo.cli"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_examples_show_what_they_say(name):
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    with jax.enable_x64(False):  # as a newcomer runs it
        for example in finder.find(importlib.import_module(name), globs={"jc": jc, "jax": jax, "jnp": jnp, "np": np}):
            runner.run(example)
    assert runner.failures == 0


def test_every_public_class_that_can_be_made_has_an_example():
    public = {
        kind
        for room in map(importlib.import_module, ROOMS)
        for name, kind in vars(room).items()
        if inspect.isclass(kind) and kind.__module__.startswith("jaxchemo") and not name.startswith("_")
    }
    assert len(public) > 150
    lacking = {kind.__name__ for kind in public if ">>>" not in (kind.__doc__ or "") and not inspect.isabstract(kind)}
    assert lacking == set()
