"""Initial conditions, each of them for fields and for particles."""

from jaxchemo.initial.build import array as array
from jaxchemo.initial.build import ball as ball
from jaxchemo.initial.build import function as function
from jaxchemo.initial.build import gaussian as gaussian
from jaxchemo.initial.build import mixture as mixture
from jaxchemo.initial.build import particles as particles
from jaxchemo.initial.build import perturbed as perturbed
from jaxchemo.initial.build import ring as ring
from jaxchemo.initial.build import uniform as uniform
from jaxchemo.initial.conditions import AbstractInitial as AbstractInitial
from jaxchemo.initial.conditions import AbstractProfile as AbstractProfile
from jaxchemo.initial.gridded import Particles as Particles
from jaxchemo.initial.points import AbstractPoints as AbstractPoints
from jaxchemo.initial.points import Random as Random
from jaxchemo.initial.points import Sobol as Sobol
