"""All experiments, and how one is found by its name."""

import difflib
from typing import Any

from jaxchemo.experiments.bands.growth import GrowthExpansion
from jaxchemo.experiments.bands.travelling import TravellingBand
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.chaos import PropagationOfChaos
from jaxchemo.experiments.flows.collapse import Lagrangian3DGaussian, LagrangianGaussian, LagrangianSubcritical
from jaxchemo.experiments.flows.kolmogorov import LagrangianKolmogorov
from jaxchemo.experiments.flows.plane import LagrangianShear, LagrangianTwoBumps
from jaxchemo.experiments.food import Annuli, OneBlob, TwoBlobs
from jaxchemo.experiments.identify.band import IdentifyBand
from jaxchemo.experiments.identify.expansion import IdentifyExpansion
from jaxchemo.experiments.identify.pathway import IdentifyPathway
from jaxchemo.experiments.invasion import Invasion
from jaxchemo.experiments.patterns import KellerSegel1D, KellerSegel2D
from jaxchemo.experiments.recover.recover_parameters import RecoverParameters
from jaxchemo.experiments.recover.recover_signal import RecoverSignal
from jaxchemo.experiments.stability.stability_map import StabilityMap
from jaxchemo.experiments.steering.gather import GatherCells
from jaxchemo.experiments.swimming.climbing import GradientClimbing3D
from jaxchemo.experiments.swimming.levels import AgentsVsPDE
from jaxchemo.experiments.swimming.tracks import RunAndTumble1D

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    OneBlob(),
    TwoBlobs(),
    Annuli(),
    RecoverParameters(),
    RecoverSignal(),
    PropagationOfChaos(),
    KellerSegel1D(),
    KellerSegel2D(),
    StabilityMap(),
    TravellingBand(),
    IdentifyBand(),
    GrowthExpansion(),
    IdentifyExpansion(),
    IdentifyPathway(),
    Invasion(),
    GatherCells(),
    RunAndTumble1D(),
    GradientClimbing3D(),
    AgentsVsPDE(),
    LagrangianSubcritical(),
    LagrangianGaussian(),
    LagrangianTwoBumps(),
    LagrangianShear(),
    Lagrangian3DGaussian(),
    LagrangianKolmogorov(),
)


def find(name: str) -> Experiment[Any]:
    """The experiment of this name.

    **Raises:** `ValueError` that names the nearest one.
    """
    known = {experiment.name: experiment for experiment in EXPERIMENTS}
    if name not in known:
        raise ValueError(f"There is no experiment {name!r}. {nearest(name, list(known))}")
    return known[name]


def nearest(name: str, known: list[str]) -> str:
    """A sentence with the name that was probably meant, or with all there are."""
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(known)}."
