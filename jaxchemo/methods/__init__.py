"""The methods, each a final module that holds configuration only."""

from jaxchemo.methods.agents import Agents as Agents
from jaxchemo.methods.base import AbstractMethod as AbstractMethod
from jaxchemo.methods.base import Snapshot as Snapshot
from jaxchemo.methods.base import StepInfo as StepInfo
from jaxchemo.methods.field_updates import AbstractFieldUpdate as AbstractFieldUpdate
from jaxchemo.methods.field_updates import Explicit as Explicit
from jaxchemo.methods.field_updates import Exponential as Exponential
from jaxchemo.methods.field_updates import Exposure as Exposure
from jaxchemo.methods.finite_volume import FiniteVolume as FiniteVolume
from jaxchemo.methods.fokker_planck import FokkerPlanck as FokkerPlanck
from jaxchemo.methods.kinetic import Kinetic as Kinetic
from jaxchemo.methods.particle_field import ParticleField as ParticleField
from jaxchemo.methods.spectral import ETDRK2 as ETDRK2
from jaxchemo.methods.spectral import ETDRK4 as ETDRK4
from jaxchemo.methods.spectral import Spectral as Spectral
from jaxchemo.methods.steppers import SSPRK2 as SSPRK2
from jaxchemo.methods.steppers import SSPRK3 as SSPRK3
from jaxchemo.methods.steppers import AbstractRungeKutta as AbstractRungeKutta
from jaxchemo.methods.steppers import AbstractStepper as AbstractStepper
from jaxchemo.methods.steppers import Adaptive as Adaptive
from jaxchemo.methods.steppers import Euler as Euler
from jaxchemo.methods.steppers import IMEXEuler as IMEXEuler
from jaxchemo.methods.steppers import IMEXRosenbrock as IMEXRosenbrock
from jaxchemo.methods.steppers import Strang as Strang
