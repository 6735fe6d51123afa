"""Named, ready-to-run experiments: a problem with every number written down, and what is worth drawing of it."""

from jaxchemo.experiments.bands import GrowthExpansion as GrowthExpansion
from jaxchemo.experiments.bands import TravellingBand as TravellingBand
from jaxchemo.experiments.base import Experiment as Experiment
from jaxchemo.experiments.base import Study as Study
from jaxchemo.experiments.catalogue import EXPERIMENTS as EXPERIMENTS
from jaxchemo.experiments.catalogue import find as find
from jaxchemo.experiments.catalogue import nearest as nearest
from jaxchemo.experiments.chaos import PropagationOfChaos as PropagationOfChaos
from jaxchemo.experiments.food import Annuli as Annuli
from jaxchemo.experiments.food import OneBlob as OneBlob
from jaxchemo.experiments.food import TwoBlobs as TwoBlobs
from jaxchemo.experiments.invasion import Invasion as Invasion
from jaxchemo.experiments.lagrangian import Lagrangian3DGaussian as Lagrangian3DGaussian
from jaxchemo.experiments.lagrangian import LagrangianGaussian as LagrangianGaussian
from jaxchemo.experiments.lagrangian_plane import LagrangianShear as LagrangianShear
from jaxchemo.experiments.lagrangian_plane import LagrangianTwoBumps as LagrangianTwoBumps
from jaxchemo.experiments.outcome import Outcome as Outcome
from jaxchemo.experiments.patterns import KellerSegel1D as KellerSegel1D
from jaxchemo.experiments.patterns import KellerSegel2D as KellerSegel2D
from jaxchemo.experiments.recover import RecoverParameters as RecoverParameters
from jaxchemo.experiments.recover import Recovery as Recovery
from jaxchemo.experiments.stability import StabilityMap as StabilityMap
from jaxchemo.experiments.swimming import AgentsVsPDE as AgentsVsPDE
from jaxchemo.experiments.swimming import GradientClimbing3D as GradientClimbing3D
from jaxchemo.experiments.swimming import RunAndTumble1D as RunAndTumble1D
