"""Flows: maps of points that can be inverted, depend on time, and know the logarithm of their Jacobian."""

from jaxchemo.flows.actnorm import ActNorm as ActNorm
from jaxchemo.flows.actnorm import actnorm_from as actnorm_from
from jaxchemo.flows.base import AbstractBijection as AbstractBijection
from jaxchemo.flows.cdf import CDFLayer as CDFLayer
from jaxchemo.flows.coupling import AffineCoupling as AffineCoupling
from jaxchemo.flows.krnet import Block as Block
from jaxchemo.flows.krnet import Chain as Chain
from jaxchemo.flows.krnet import Reverse as Reverse
from jaxchemo.flows.krnet import krnet as krnet
from jaxchemo.flows.krnet import later as later
from jaxchemo.flows.rotation import Rotation as Rotation
from jaxchemo.flows.triangular import Carried as Carried
from jaxchemo.flows.triangular import Coupling as Coupling
from jaxchemo.flows.triangular import TriangularFlow as TriangularFlow
