"""The README's first example is a contract: it runs as written."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.slow
def test_the_first_example_runs_as_written():
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL).group(1)
    names = {}
    with jax.enable_x64(False):  # as a newcomer runs it
        exec(compile(code, "README.md", "exec"), names)
        value, gradient = jax.value_and_grad(names["misfit"], argnums=(0, 1))(0.12, 0.9)
    assert float(value) > 0 and gradient[0] > 0 > gradient[1]
    fv = names["fv"].final
    # Sampling noise of the food: 0.027, 0.013 and 0.007 for 5,000, 20,000 and 80,000 particles.
    for method in ("sipf", "nsipf"):
        signal = names[method].final.signal
        assert np.linalg.norm(fv.signal - signal) / np.linalg.norm(fv.signal) < 0.02
