"""Shells of a ball: areas of faces and volumes of cells, for radially symmetric solutions in any dimension."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.domain.boundary import AbstractBoundary, Mixed, NoFlux, Periodic, identity
from jaxchemo.domain.grid import AbstractGrid


class RadialGrid(AbstractGrid):
    """Shells of a ball in any dimension, for radially symmetric solutions: areas of the faces, volumes of the shells.

    **Arguments:**

    - `radius`: outer radius [length].
    - `num_shells`: number of shells, at least 2.
    - `ndim`: dimension of the space, at least 1. In one dimension the "ball" is `[-radius, radius]`, kept by symmetry.
    - `boundary`: the outer wall. Default `NoFlux()`.
    - `stretching`: b, 0 for equal shells (default); larger values refine the centre, faces at `R sinh(b i/N)/sinh(b)`.
      No larger than leaves shells that can be told apart [dimensionless].

    **Raises:** `ValueError` naming the argument at fault.

    >>> ball = jc.RadialGrid(radius=2.0, num_shells=100, ndim=3, stretching=2.0)
    >>> round(float(ball.volumes.sum()), 2)  # 4/3 pi 2^3
    33.51
    """

    radius: float = eqx.field(static=True)
    num_shells: int = eqx.field(static=True)
    dimension: int = eqx.field(static=True)
    stretching: float = eqx.field(static=True)
    outer: AbstractBoundary

    def __init__(
        self,
        radius: float,
        num_shells: int,
        ndim: int,
        boundary: AbstractBoundary = NoFlux(),
        stretching: float = 0.0,
    ):
        self.radius = _checks.constant(_checks.positive, "radius", radius)
        self.num_shells = _checks.natural("num_shells", num_shells, at_least=2)
        self.dimension = _checks.natural("ndim", ndim)
        self.stretching = _checks.constant(_checks.non_negative, "stretching", stretching)
        if isinstance(boundary, Periodic | Mixed):
            raise TypeError(
                f"`boundary` of a RadialGrid is its outer wall, NoFlux() or Dirichlet(...), got {boundary!r}."
            )
        self.outer = _checks.instance("boundary", boundary, AbstractBoundary, "a boundary such as NoFlux()")
        self._check_shells()

    def _check_shells(self) -> None:
        """Refuses shells that are too thin, or too small, to be numbers of their own in the current precision."""
        kind = jnp.result_type(float)
        with np.errstate(all="ignore"):
            faces, volumes = self._faces.astype(kind), np.asarray(self._volumes, kind)
            apart = np.all(np.diff(faces) > 0) and np.all(np.isfinite(faces))
            large = np.all((volumes >= np.finfo(kind).tiny) & np.isfinite(volumes))
        if not (apart and large):
            raise ValueError(
                f"`stretching` {self.stretching:g}, with `radius` {self.radius:g} and `num_shells` {self.num_shells}, "
                f"leaves shells that are no longer apart, or have no volume, in {kind.name}."
            )

    @property
    def ndim(self) -> int:
        return self.dimension

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.num_shells,)

    @property
    def _faces(self) -> np.ndarray:
        # In double precision: volumes are differences of powers, of which float32 would keep few digits.
        i = np.arange(self.num_shells + 1) / self.num_shells
        b = self.stretching
        return self.radius * (np.sinh(b * i) / np.sinh(b) if b > 0 else i)

    @property
    def _sphere(self) -> float:
        return 2 * math.pi ** (self.ndim / 2) / math.gamma(self.ndim / 2)

    @property
    def radii(self) -> Float[Array, " n"]:
        """Middle of each shell [length]."""
        return jnp.asarray(0.5 * (self._faces[1:] + self._faces[:-1]))

    @property
    def centers(self) -> Float[Array, "*shape d"]:
        # The points lie on one ray: a radial function of d coordinates can be evaluated on a radial grid as it is.
        return jnp.zeros((self.num_shells, self.ndim)).at[:, 0].set(self.radii)

    @property
    def volumes(self) -> Float[Array, "*#shape"]:
        return jnp.asarray(self._volumes)

    @property
    def _volumes(self) -> np.ndarray:
        return self._sphere * np.diff(self._faces**self.ndim) / self.ndim

    @property
    def areas(self) -> Float[Array, " faces"]:
        """Area of each face [length^(d-1)]; zero at the centre in two dimensions and more."""
        return jnp.asarray(self._sphere * self._faces ** (self.ndim - 1))

    @property
    def lengths(self) -> tuple[Float[Array, "*#shape"], ...]:
        return (jnp.asarray(np.diff(self._faces)),)

    def pad(self, field, axis, *, name=None, t=0.0, transform=identity):
        return Mixed(NoFlux(), self.outer).pad(field, 1, name=name, t=t, transform=transform)

    def closed(self, axis, name):
        return True, self.outer.closed(name)[1]

    def keeps_all(self, name):
        return all(self.closed(0, name))

    @property
    def walls(self):
        return (self.outer,)

    def face_distance(self, axis):
        # The ghost before the first shell is its mirror image, on the other side of the centre.
        middle = 0.5 * (self._faces[1:] + self._faces[:-1])
        ends = 2 * (self._faces[-1] - middle[-1])
        return jnp.asarray(np.concatenate([[2 * middle[0]], np.diff(middle), [ends]]))

    def divergence(self, flux, axis):
        return jnp.diff(self.areas.astype(flux.dtype) * flux) / self.volumes.astype(flux.dtype)

    def average(self, function, order=3):
        nodes, weights = np.polynomial.legendre.leggauss(order)
        low, high = self._faces[:-1], self._faces[1:]
        total = jnp.zeros(self.shape)
        for node, weight in zip(nodes, weights, strict=True):
            r = 0.5 * (low + high) + 0.5 * (high - low) * node
            share = 0.5 * weight * self._sphere * r ** (self.ndim - 1) * (high - low)
            total = total + share * function(jnp.zeros((self.num_shells, self.ndim)).at[:, 0].set(r))
        return total / self.volumes

    def __repr__(self) -> str:
        return (
            f"RadialGrid(radius={self.radius:g}, num_shells={self.num_shells}, ndim={self.ndim}, boundary={self.outer})"
        )
