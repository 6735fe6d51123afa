"""What every method can be measured against: exact solutions, and solvers that share no code with the methods."""

from jaxchemo.references import exact as exact
from jaxchemo.references.free_plane import FreePlane as FreePlane
from jaxchemo.references.free_plane import free_plane as free_plane
from jaxchemo.references.radial_collapse import Distance as Distance
from jaxchemo.references.radial_collapse import RadialCollapse as RadialCollapse
from jaxchemo.references.radial_collapse import distance as distance
from jaxchemo.references.radial_collapse import radial_collapse as radial_collapse
