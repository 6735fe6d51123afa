"""What acts on arrays over a grid: face fluxes, Laplacians, transforms, Helmholtz solves."""

from jaxchemo.fields.bernoulli import bernoulli as bernoulli
from jaxchemo.fields.bernoulli import bernoulli_pair as bernoulli_pair
from jaxchemo.fields.face_fluxes import AbstractFlux as AbstractFlux
from jaxchemo.fields.face_fluxes import Centred as Centred
from jaxchemo.fields.face_fluxes import ScharfetterGummel as ScharfetterGummel
from jaxchemo.fields.face_fluxes import Upwind as Upwind
from jaxchemo.fields.fluxes import Drift as Drift
from jaxchemo.fields.fluxes import convergence as convergence
from jaxchemo.fields.fluxes import diffusion as diffusion
from jaxchemo.fields.fluxes import drift_diffusion as drift_diffusion
from jaxchemo.fields.fluxes import drift_rate as drift_rate
from jaxchemo.fields.fluxes import fitted_flux as fitted_flux
from jaxchemo.fields.fluxes import outflow_rate as outflow_rate
from jaxchemo.fields.helmholtz import helmholtz as helmholtz
from jaxchemo.fields.helmholtz import inverse as inverse
from jaxchemo.fields.spreading import AbstractSpreading as AbstractSpreading
from jaxchemo.fields.spreading import CrankNicolson as CrankNicolson
from jaxchemo.fields.spreading import ExactLinear as ExactLinear
from jaxchemo.fields.spreading import ImplicitEuler as ImplicitEuler
from jaxchemo.fields.transforms import of_laplacian as of_laplacian
