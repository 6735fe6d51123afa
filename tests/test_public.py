"""The package as a newcomer meets it: light to import, its names listed, its errors kind."""

import importlib
import subprocess
import sys

import pytest

import jaxchemo as jc


def test_importing_is_light():
    heavy = ("flax", "optax", "diffrax", "optimistix", "zarr", "xarray", "matplotlib", "rich", "scipy.stats")
    code = f"import jaxchemo, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "missing, brought_by, room",
    [("matplotlib", r"jaxchemo\[viz\]", "jaxchemo.plotting"), ("flax", "jaxchemo", "jaxchemo.nn")],
)
def test_a_room_names_the_package_that_it_lacks(monkeypatch, missing, brought_by, room):
    for name in [name for name in sys.modules if name.startswith((missing + ".", room))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf'{missing} is missing here .*: `pip install "{brought_by}"` brings it'):
        importlib.import_module(room)


def test_films_and_tables_name_the_package_that_they_lack(monkeypatch, tmp_path):
    from matplotlib.figure import Figure

    from jaxchemo.plotting import comparison_table, gif

    for name in [name for name in sys.modules if name.startswith(("imageio", "rich"))]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("imageio", "imageio.v3", "rich"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'imageio.v3 is missing here .*: `pip install "jaxchemo\[viz\]"` brings it'):
        gif.write(Figure(), 1, lambda index: None, tmp_path / "film.gif", 1.0)
    with pytest.raises(ImportError, match=r'rich is missing here .*: `pip install "jaxchemo\[cli\]"` brings it'):
        comparison_table({})


def test_every_method_says_how_it_is_set_up():
    fields = jc.FiniteVolume(jc.Strang(jc.SSPRK3()))
    assert repr(fields) == ("FiniteVolume(stepper=Strang(inner=SSPRK3(), spreading=None), flux=ScharfetterGummel())")
    particles = jc.ParticleField(10, deposit_order=2, increments=jc.ThreePoint())
    assert repr(particles) == (
        "ParticleField(num_particles=10, deposit_order=2, update=Exposure(), interpolator=Histospline(), "
        "increments=ThreePoint(), points=Sobol(), mollifier=None)"
    )
