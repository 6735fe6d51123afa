"""What tests of several rooms share: the problems that they solve, and how their errors fall."""

import numpy as np

import jaxchemo as jc
from jaxchemo.models import keller_segel


def exponent(x, y):
    """The power of `x` as which `y` goes."""
    return np.polyfit(np.log(x), np.log(y), 1)[0]


def two_blobs(n, *, ndim=2, mass=1.0, place=1.2, std=0.6, half=4.0, boundary=None, **changes):
    """Two groups of cells, left and right of the food that they eat."""
    blobs = [jc.initial.gaussian(mass=mass, center=(x,) + (0.0,) * (ndim - 1), std=std) for x in (-place, place)]
    parts = dict(
        model=jc.models.phks(0.1, 1.0),
        domain=jc.Grid.box((-half,) * ndim, (half,) * ndim, (n,) * ndim, boundary or jc.NoFlux()),
        density=jc.initial.mixture(blobs),
        signal=jc.initial.gaussian(amplitude=4.0, std=0.9),
    )
    return jc.Problem(**{**parts, **changes})


def attracting(pull, ndim=2, *, mobility=1.0, advection=None, **start):
    """A Gaussian of cells in free space that attract one another at once; beyond 8 pi, in the plane, they collapse."""
    model = keller_segel(mobility, 1.0, relaxation=0, advection=advection)
    return jc.Problem(model, jc.FreeSpace(ndim), jc.initial.gaussian(mass=pull, **({"std": 1.0} | start)))
