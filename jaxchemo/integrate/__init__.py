"""The time loop: `solve` for transformations, `run` for long work on the host."""

from jaxchemo.integrate.adjoint import AbstractAdjoint as AbstractAdjoint
from jaxchemo.integrate.adjoint import Direct as Direct
from jaxchemo.integrate.adjoint import Forward as Forward
from jaxchemo.integrate.adjoint import Remat as Remat
from jaxchemo.integrate.run import run as run
from jaxchemo.integrate.saveat import SaveAt as SaveAt
from jaxchemo.integrate.solution import Solution as Solution
from jaxchemo.integrate.solution import SolveError as SolveError
from jaxchemo.integrate.solve import solve as solve
