"""The methods, each a final module that holds configuration only."""

from jaxchemo.methods.base import AbstractContinuous as AbstractContinuous
from jaxchemo.methods.base import AbstractFixedStep as AbstractFixedStep
from jaxchemo.methods.base import AbstractMethod as AbstractMethod
from jaxchemo.methods.base import AbstractSelfPaced as AbstractSelfPaced
from jaxchemo.methods.base import Snapshot as Snapshot
from jaxchemo.methods.base import StepInfo as StepInfo
from jaxchemo.methods.base import methods as methods
from jaxchemo.methods.flows.base import AbstractFlow as AbstractFlow
from jaxchemo.methods.flows.lagrangian import LagrangianFlow as LagrangianFlow
from jaxchemo.methods.flows.prior import PriorFlow as PriorFlow
from jaxchemo.methods.grids.finite_volume import FiniteVolume as FiniteVolume
from jaxchemo.methods.grids.spectral import ETDRK2 as ETDRK2
from jaxchemo.methods.grids.spectral import ETDRK4 as ETDRK4
from jaxchemo.methods.grids.spectral import Spectral as Spectral
from jaxchemo.methods.grids.steppers import SSPRK2 as SSPRK2
from jaxchemo.methods.grids.steppers import SSPRK3 as SSPRK3
from jaxchemo.methods.grids.steppers import AbstractRungeKutta as AbstractRungeKutta
from jaxchemo.methods.grids.steppers import AbstractStepper as AbstractStepper
from jaxchemo.methods.grids.steppers import Adaptive as Adaptive
from jaxchemo.methods.grids.steppers import Euler as Euler
from jaxchemo.methods.grids.steppers import IMEXEuler as IMEXEuler
from jaxchemo.methods.grids.steppers import IMEXRosenbrock as IMEXRosenbrock
from jaxchemo.methods.grids.steppers import Strang as Strang
from jaxchemo.methods.particles.interacting import InteractingParticles as InteractingParticles
from jaxchemo.methods.particles.particle_field import ParticleField as ParticleField
from jaxchemo.methods.particles.signal_updates import AbstractSignalUpdate as AbstractSignalUpdate
from jaxchemo.methods.particles.signal_updates import ExplicitUpdate as ExplicitUpdate
from jaxchemo.methods.particles.signal_updates import ExponentialUpdate as ExponentialUpdate
from jaxchemo.methods.particles.signal_updates import Exposure as Exposure
from jaxchemo.methods.swimmers.agents import Agents as Agents
from jaxchemo.methods.swimmers.events import AbstractEvents as AbstractEvents
from jaxchemo.methods.swimmers.events import OnceAStep as OnceAStep
from jaxchemo.methods.swimmers.events import Thinning as Thinning
from jaxchemo.methods.swimmers.fokker_planck import FokkerPlanck as FokkerPlanck
from jaxchemo.methods.swimmers.kinetic import Kinetic as Kinetic

METHODS: tuple[type[AbstractMethod], ...] = tuple(methods())
"""The methods of the package: all that are imported here."""
