"""What parameters the data support: likelihoods of tracks, their information, and gradients of what is random."""

from jaxchemo.inference.tracks import Score as Score
from jaxchemo.inference.tracks import fisher_information as fisher_information
from jaxchemo.inference.tracks import log_likelihood as log_likelihood
from jaxchemo.inference.tracks import score_gradient as score_gradient
