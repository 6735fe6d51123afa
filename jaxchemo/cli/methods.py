"""What the methods are called on the command line, and how they are built."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxchemo.cli.options import Refused

if TYPE_CHECKING:
    from jaxchemo.methods import AbstractFixedStep


class Parts(NamedTuple):
    """What methods are built from."""

    particles: int
    ndim: int
    network: Path | None


class Named(NamedTuple):
    """A method: what it is, how it is built, and whether it has particles."""

    about: str
    build: "Callable[[Parts], AbstractFixedStep]"
    particles: bool


def known_methods() -> dict[str, Named]:
    """All methods by name."""
    import jaxchemo as jc

    def paper(parts: Parts) -> jc.ParticleField:
        return jc.ParticleField(
            parts.particles, deposit_order=0, update=jc.ExplicitUpdate(), interpolator=jc.CubicSpline()
        )

    def neural(parts: Parts) -> jc.ParticleField:
        shipped = "phks-2d" if parts.ndim == 2 else "phks-3d"
        network = jc.nn.pretrained(shipped) if parts.network is None else jc.nn.load(parts.network)
        return jc.ParticleField(parts.particles, interpolator=network)

    def default(parts: Parts) -> jc.ParticleField:
        return jc.ParticleField(parts.particles)

    return {
        "fv": Named("finite volumes with fitted fluxes", lambda parts: jc.FiniteVolume(), False),
        "sipf": Named("particles and field: cloud in cell, exposure, histospline", default, True),
        "spectral": Named("Fourier modes with exponential time differencing", lambda parts: jc.Spectral(), False),
        "nsipf": Named("the same with a trained network as interpolator", neural, True),
        "sipf-paper": Named("particles and field as in the paper: histogram, explicit, cubic spline", paper, True),
    }


def find_methods(names: list[str]) -> dict[str, Named]:
    """Those methods.

    **Raises:** `Refused` for a name that there is not, with the nearest one.
    """
    from jaxchemo.experiments import nearest

    known = known_methods()
    for name in names:
        if name not in known:
            raise Refused(f"There is no method {name!r}. {nearest(name, list(known))}")
    return {name: known[name] for name in names}
