"""What a solution says: invariants, metrics and exact solutions to compare with."""

from jaxchemo.analysis import exact as exact
from jaxchemo.analysis.invariants import Diagnostics as Diagnostics
from jaxchemo.analysis.invariants import boltzmann as boltzmann
from jaxchemo.analysis.invariants import center_of_mass as center_of_mass
from jaxchemo.analysis.invariants import diagnostics as diagnostics
from jaxchemo.analysis.invariants import entropy as entropy
from jaxchemo.analysis.invariants import entropy_dissipation as entropy_dissipation
from jaxchemo.analysis.invariants import mass as mass
from jaxchemo.analysis.invariants import minimum as minimum
from jaxchemo.analysis.invariants import second_moment as second_moment
from jaxchemo.analysis.metrics import coarsen as coarsen
from jaxchemo.analysis.metrics import relative_distance as relative_distance
