"""Where a problem lives: grids, free space, and boundaries that fields and particles share."""

from jaxchemo._types import Components as Components
from jaxchemo.domain.boundary import AbstractBoundary as AbstractBoundary
from jaxchemo.domain.boundary import Dirichlet as Dirichlet
from jaxchemo.domain.boundary import Mixed as Mixed
from jaxchemo.domain.boundary import NoFlux as NoFlux
from jaxchemo.domain.boundary import Periodic as Periodic
from jaxchemo.domain.grid import AbstractGrid as AbstractGrid
from jaxchemo.domain.grid import FreeSpace as FreeSpace
from jaxchemo.domain.grid import Grid as Grid
from jaxchemo.domain.radial import RadialGrid as RadialGrid
