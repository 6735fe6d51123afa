"""Initial conditions, each of them for fields and for particles."""

from jaxchemo.initial.conditions import AbstractInitial as AbstractInitial
from jaxchemo.initial.conditions import AbstractProfile as AbstractProfile
from jaxchemo.initial.conditions import Particles as Particles
from jaxchemo.initial.conditions import array as array
from jaxchemo.initial.conditions import ball as ball
from jaxchemo.initial.conditions import function as function
from jaxchemo.initial.conditions import gaussian as gaussian
from jaxchemo.initial.conditions import mixture as mixture
from jaxchemo.initial.conditions import particles as particles
from jaxchemo.initial.conditions import perturbed as perturbed
from jaxchemo.initial.conditions import ring as ring
from jaxchemo.initial.conditions import uniform as uniform
from jaxchemo.initial.points import AbstractPoints as AbstractPoints
from jaxchemo.initial.points import Random as Random
from jaxchemo.initial.points import Sobol as Sobol
