"""Figures and films of solutions: functions of a problem and its solutions that return matplotlib figures."""

from jaxchemo.plotting import _extra as _extra
from jaxchemo.plotting.animation import animate as animate
from jaxchemo.plotting.bands import Profiles as Profiles
from jaxchemo.plotting.bands import bands as bands
from jaxchemo.plotting.bands import expansion as expansion
from jaxchemo.plotting.collapse import collapse as collapse
from jaxchemo.plotting.decay import decays as decays
from jaxchemo.plotting.diagnostics import diagnostics as diagnostics
from jaxchemo.plotting.fields import cross_sections as cross_sections
from jaxchemo.plotting.fields import density_slices as density_slices
from jaxchemo.plotting.fields import signal_slices as signal_slices
from jaxchemo.plotting.flow_film import flow_film as flow_film
from jaxchemo.plotting.kolmogorov import kolmogorov as kolmogorov
from jaxchemo.plotting.particles import particles as particles
from jaxchemo.plotting.plane import free_plane as free_plane
from jaxchemo.plotting.profiles import film as film
from jaxchemo.plotting.profiles import kymograph as kymograph
from jaxchemo.plotting.recovery import recovery as recovery
from jaxchemo.plotting.stability import stability_map as stability_map
from jaxchemo.plotting.swimming import climbing as climbing
from jaxchemo.plotting.swimming import levels as levels
from jaxchemo.plotting.swimming import tracks_and_laws as tracks_and_laws
from jaxchemo.plotting.table import comparison_table as comparison_table
from jaxchemo.plotting.training import training as training
