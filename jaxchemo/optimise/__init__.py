"""Optimisers of our own, where no library has what is needed."""

from jaxchemo.optimise.least_squares import Fit as Fit
from jaxchemo.optimise.least_squares import fit as fit
from jaxchemo.optimise.least_squares import normal_equations as normal_equations
