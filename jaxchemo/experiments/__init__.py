"""Named, ready-to-run experiments: a problem with every number written down, and what is worth drawing of it."""

from jaxchemo.experiments.base import Experiment as Experiment
from jaxchemo.experiments.base import Study as Study
from jaxchemo.experiments.catalogue import EXPERIMENTS as EXPERIMENTS
from jaxchemo.experiments.catalogue import find as find
from jaxchemo.experiments.catalogue import nearest as nearest
from jaxchemo.experiments.chaos import PropagationOfChaos as PropagationOfChaos
from jaxchemo.experiments.food import Annuli as Annuli
from jaxchemo.experiments.food import OneBlob as OneBlob
from jaxchemo.experiments.food import TwoBlobs as TwoBlobs
from jaxchemo.experiments.outcome import Outcome as Outcome
from jaxchemo.experiments.recover import RecoverParameters as RecoverParameters
from jaxchemo.experiments.recover import Recovery as Recovery
