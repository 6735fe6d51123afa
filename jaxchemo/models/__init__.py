"""The physics, as data: species that move, signals that they sense and change, and the named models made of them."""

from jaxchemo.models.kinetics import AbstractGrowth as AbstractGrowth
from jaxchemo.models.kinetics import AbstractKinetics as AbstractKinetics
from jaxchemo.models.kinetics import Allee as Allee
from jaxchemo.models.kinetics import Consumption as Consumption
from jaxchemo.models.kinetics import Logistic as Logistic
from jaxchemo.models.kinetics import Monod as Monod
from jaxchemo.models.kinetics import Production as Production
from jaxchemo.models.kinetics import Sum as Sum
from jaxchemo.models.kinetics import Uptake as Uptake
from jaxchemo.models.model import Model as Model
from jaxchemo.models.model import Signal as Signal
from jaxchemo.models.model import Species as Species
from jaxchemo.models.named import keller_segel as keller_segel
from jaxchemo.models.named import log_consumption as log_consumption
from jaxchemo.models.named import phks as phks
from jaxchemo.models.sensitivity import AbstractSensitivity as AbstractSensitivity
from jaxchemo.models.sensitivity import Custom as Custom
from jaxchemo.models.sensitivity import FluxLimited as FluxLimited
from jaxchemo.models.sensitivity import HillGradient as HillGradient
from jaxchemo.models.sensitivity import Linear as Linear
from jaxchemo.models.sensitivity import Logarithmic as Logarithmic
from jaxchemo.models.sensitivity import LogWindow as LogWindow
from jaxchemo.models.sensitivity import Receptor as Receptor
from jaxchemo.models.sensitivity import Saturating as Saturating
from jaxchemo.models.sensitivity import VolumeFilling as VolumeFilling
