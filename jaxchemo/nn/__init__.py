"""Neural interpolators: networks, what they are trained on, training, and shipped weights."""

from jaxchemo.nn import _extra as _extra
from jaxchemo.nn.pretrained import load as load
from jaxchemo.nn.pretrained import metadata as metadata
from jaxchemo.nn.pretrained import pretrained as pretrained
from jaxchemo.nn.pretrained import save as save
from jaxchemo.nn.recipes import RECIPES as RECIPES
from jaxchemo.nn.recipes import ClosedLoop as ClosedLoop
from jaxchemo.nn.recipes import Loop as Loop
from jaxchemo.nn.recipes import Patches as Patches
from jaxchemo.nn.scale_mixing import ScaleMixing as ScaleMixing
from jaxchemo.nn.scope import Scope as Scope
from jaxchemo.nn.super_resolution import Everywhere as Everywhere
from jaxchemo.nn.super_resolution import Occupied as Occupied
from jaxchemo.nn.super_resolution import SuperResolution as SuperResolution
from jaxchemo.nn.training import Recipe as Recipe
from jaxchemo.nn.training import Training as Training
from jaxchemo.nn.training import train as train
