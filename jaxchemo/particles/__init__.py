"""What acts on positions: B-spline kernels, deposit and gather, and the filters that undo their blur."""

from jaxchemo.particles import bspline
from jaxchemo.particles.prefilter import mollify, prefilter
from jaxchemo.particles.transfer import deposit, gather

__all__ = ["bspline", "deposit", "gather", "mollify", "prefilter"]
