"""jaxchemo: chemotaxis in JAX. One problem, many methods, gradients through whole trajectories."""

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from jaxchemo import initial as initial
from jaxchemo import models as models
from jaxchemo.domain import Dirichlet as Dirichlet
from jaxchemo.domain import FreeSpace as FreeSpace
from jaxchemo.domain import Grid as Grid
from jaxchemo.domain import NoFlux as NoFlux
from jaxchemo.domain import Periodic as Periodic
from jaxchemo.domain import RadialGrid as RadialGrid
from jaxchemo.fields import AbstractFlux as AbstractFlux
from jaxchemo.fields import Centred as Centred
from jaxchemo.fields import CrankNicolson as CrankNicolson
from jaxchemo.fields import ExactLinear as ExactLinear
from jaxchemo.fields import ImplicitEuler as ImplicitEuler
from jaxchemo.fields import ScharfetterGummel as ScharfetterGummel
from jaxchemo.fields import Upwind as Upwind
from jaxchemo.integrate import Direct as Direct
from jaxchemo.integrate import Forward as Forward
from jaxchemo.integrate import Remat as Remat
from jaxchemo.integrate import SaveAt as SaveAt
from jaxchemo.integrate import Solution as Solution
from jaxchemo.integrate import SolveError as SolveError
from jaxchemo.integrate import run as run
from jaxchemo.integrate import solve as solve
from jaxchemo.methods import ETDRK2 as ETDRK2
from jaxchemo.methods import ETDRK4 as ETDRK4
from jaxchemo.methods import SSPRK2 as SSPRK2
from jaxchemo.methods import SSPRK3 as SSPRK3
from jaxchemo.methods import Adaptive as Adaptive
from jaxchemo.methods import Agents as Agents
from jaxchemo.methods import Euler as Euler
from jaxchemo.methods import ExplicitUpdate as ExplicitUpdate
from jaxchemo.methods import ExponentialUpdate as ExponentialUpdate
from jaxchemo.methods import Exposure as Exposure
from jaxchemo.methods import FiniteVolume as FiniteVolume
from jaxchemo.methods import FokkerPlanck as FokkerPlanck
from jaxchemo.methods import IMEXEuler as IMEXEuler
from jaxchemo.methods import IMEXRosenbrock as IMEXRosenbrock
from jaxchemo.methods import InteractingParticles as InteractingParticles
from jaxchemo.methods import Kinetic as Kinetic
from jaxchemo.methods import LagrangianFlow as LagrangianFlow
from jaxchemo.methods import OnceAStep as OnceAStep
from jaxchemo.methods import ParticleField as ParticleField
from jaxchemo.methods import PriorFlow as PriorFlow
from jaxchemo.methods import Snapshot as Snapshot
from jaxchemo.methods import Spectral as Spectral
from jaxchemo.methods import Strang as Strang
from jaxchemo.methods import Thinning as Thinning
from jaxchemo.particles.blobs import AlgebraicBlob as AlgebraicBlob
from jaxchemo.particles.blobs import GaussianBlob as GaussianBlob
from jaxchemo.particles.increments import Antithetic as Antithetic
from jaxchemo.particles.increments import Normal as Normal
from jaxchemo.particles.increments import ThreePoint as ThreePoint
from jaxchemo.particles.interpolators import BSpline as BSpline
from jaxchemo.particles.interpolators import CubicSpline as CubicSpline
from jaxchemo.particles.interpolators import FixedWidth as FixedWidth
from jaxchemo.particles.interpolators import Histospline as Histospline
from jaxchemo.particles.interpolators import ModerateInteraction as ModerateInteraction
from jaxchemo.particles.mean_field import Debiased as Debiased
from jaxchemo.particles.mean_field import Richardson as Richardson
from jaxchemo.problem import Problem as Problem
from jaxchemo.results import RESULTS as RESULTS

if _TYPE_CHECKING:
    from jaxchemo import analysis as analysis
    from jaxchemo import experiments as experiments
    from jaxchemo import inference as inference
    from jaxchemo import nn as nn
    from jaxchemo import plotting as plotting
    from jaxchemo import references as references
    from jaxchemo import reports as reports

    __version__: str

# What these need (flax, scipy, matplotlib) takes a while to import: they open when they are first used.
_LAZY = ("analysis", "experiments", "inference", "nn", "plotting", "references", "reports")


def __getattr__(name: str) -> _Any:
    if name in _LAZY:
        return _importlib.import_module(f"jaxchemo.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("jaxchemo")
    raise AttributeError(f"module 'jaxchemo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, "__version__"})
