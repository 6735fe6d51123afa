"""What parameters data support: from measurements to parameters, how well they are known, and what stays unknown."""

from jaxchemo.inference.fitting import Fit as Fit
from jaxchemo.inference.fitting import Step as Step
from jaxchemo.inference.fitting import fit as fit
from jaxchemo.inference.noise import AbstractNoise as AbstractNoise
from jaxchemo.inference.noise import Gaussian as Gaussian
from jaxchemo.inference.noise import NegativeBinomial as NegativeBinomial
from jaxchemo.inference.noise import Poisson as Poisson
from jaxchemo.inference.posterior import Posterior as Posterior
from jaxchemo.inference.posterior import Prediction as Prediction
from jaxchemo.inference.priors import AbstractPrior as AbstractPrior
from jaxchemo.inference.priors import GaussianField as GaussianField
from jaxchemo.inference.priors import LogNormal as LogNormal
from jaxchemo.inference.priors import Normal as Normal
from jaxchemo.inference.priors import Uniform as Uniform
from jaxchemo.inference.resolution import GridShift as GridShift
from jaxchemo.inference.resolution import grid_shift as grid_shift
from jaxchemo.inference.simulation import Simulation as Simulation
from jaxchemo.inference.tracks import Score as Score
from jaxchemo.inference.tracks import fisher_information as fisher_information
from jaxchemo.inference.tracks import log_likelihood as log_likelihood
from jaxchemo.inference.tracks import score_gradient as score_gradient
from jaxchemo.inference.uncertainty import Direction as Direction
from jaxchemo.inference.uncertainty import Laplace as Laplace
from jaxchemo.inference.uncertainty import identify as identify
from jaxchemo.inference.uncertainty import laplace as laplace
