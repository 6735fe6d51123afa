"""Neural interpolators: networks, what they are trained on, training, and shipped weights."""

from jaxchemo.nn import _extra as _extra
from jaxchemo.nn.interpolators.pretrained import load as load
from jaxchemo.nn.interpolators.pretrained import metadata as metadata
from jaxchemo.nn.interpolators.pretrained import pretrained as pretrained
from jaxchemo.nn.interpolators.pretrained import save as save
from jaxchemo.nn.interpolators.recipes import RECIPES as RECIPES
from jaxchemo.nn.interpolators.recipes import ClosedLoop as ClosedLoop
from jaxchemo.nn.interpolators.recipes import Loop as Loop
from jaxchemo.nn.interpolators.recipes import Patches as Patches
from jaxchemo.nn.interpolators.scale_mixing import ScaleMixing as ScaleMixing
from jaxchemo.nn.interpolators.scope import Scope as Scope
from jaxchemo.nn.interpolators.super_resolution import Everywhere as Everywhere
from jaxchemo.nn.interpolators.super_resolution import Occupied as Occupied
from jaxchemo.nn.interpolators.super_resolution import SuperResolution as SuperResolution
from jaxchemo.nn.training import Recipe as Recipe
from jaxchemo.nn.training import Training as Training
from jaxchemo.nn.training import train as train
