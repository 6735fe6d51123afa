"""What a solution says: invariants, metrics and exact solutions to compare with."""

from jaxchemo.analysis import exact as exact
from jaxchemo.analysis.invariants import Diagnostics as Diagnostics
from jaxchemo.analysis.invariants import boltzmann as boltzmann
from jaxchemo.analysis.invariants import center_of_mass as center_of_mass
from jaxchemo.analysis.invariants import diagnostics as diagnostics
from jaxchemo.analysis.invariants import entropy as entropy
from jaxchemo.analysis.invariants import entropy_dissipation as entropy_dissipation
from jaxchemo.analysis.invariants import free_energy as free_energy
from jaxchemo.analysis.invariants import mass as mass
from jaxchemo.analysis.invariants import minimum as minimum
from jaxchemo.analysis.invariants import second_moment as second_moment
from jaxchemo.analysis.metrics import coarsen as coarsen
from jaxchemo.analysis.metrics import relative_distance as relative_distance
from jaxchemo.analysis.patterns import Spikes as Spikes
from jaxchemo.analysis.patterns import front as front
from jaxchemo.analysis.patterns import front_speed as front_speed
from jaxchemo.analysis.patterns import spikes as spikes
from jaxchemo.analysis.patterns import wavelength as wavelength
from jaxchemo.analysis.stability import critical_value as critical_value
from jaxchemo.analysis.stability import dispersion as dispersion
from jaxchemo.analysis.stability import fastest as fastest
from jaxchemo.analysis.stability import growth_rate as growth_rate
from jaxchemo.analysis.stability import linearised as linearised
from jaxchemo.analysis.stability import uniform_state as uniform_state
from jaxchemo.analysis.stability import unstable_band as unstable_band
