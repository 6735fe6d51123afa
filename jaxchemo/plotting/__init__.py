"""Figures and films of solutions: functions of a problem and its solutions that return matplotlib figures."""

from jaxchemo.plotting import _extra as _extra
from jaxchemo.plotting.animation import animate as animate
from jaxchemo.plotting.decay import decays as decays
from jaxchemo.plotting.diagnostics import diagnostics as diagnostics
from jaxchemo.plotting.fields import cross_sections as cross_sections
from jaxchemo.plotting.fields import density_slices as density_slices
from jaxchemo.plotting.fields import signal_slices as signal_slices
from jaxchemo.plotting.particles import particles as particles
from jaxchemo.plotting.profiles import film as film
from jaxchemo.plotting.profiles import kymograph as kymograph
from jaxchemo.plotting.table import comparison_table as comparison_table
from jaxchemo.plotting.training import training as training
