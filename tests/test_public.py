"""The package as a newcomer meets it: light to import, its names listed, its errors kind."""

import subprocess
import sys

import jaxchemo as jc


def test_importing_is_light():
    heavy = ("flax", "optax", "diffrax", "optimistix", "zarr", "xarray", "matplotlib", "rich", "scipy.stats")
    code = f"import jaxchemo, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_method_says_how_it_is_set_up():
    for method in (jc.FiniteVolume(), jc.ParticleField(10)):
        assert type(method).__name__ in repr(method)
    assert "grad c" in repr(jc.models.phks(0.1, 1.0))
