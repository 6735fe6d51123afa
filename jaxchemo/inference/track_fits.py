"""Unknown numbers of swimmers from measured tracks: Fisher's scoring with a particle filter."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._progress import bar
from jaxchemo._show import number
from jaxchemo.inference.filtering import increments, posed
from jaxchemo.inference.priors import AbstractPrior
from jaxchemo.inference.track_data import Tracks
from jaxchemo.inference.unknowns import AbstractUnknowns, named
from jaxchemo.models import RunAndTumble
from jaxchemo.problem import Problem

Build = Callable[[dict[str, Array]], tuple[RunAndTumble | Problem, ArrayLike]]

NEAR = 0.2  # steps shorter than this many standard deviations end a search
FRESH = 4  # pairs of keys, over which the end of a search is averaged


class TrackPosterior(AbstractUnknowns):
    names: tuple[str, ...] = eqx.field(static=True)
    priors: tuple[AbstractPrior, ...]
    build: Build = eqx.field(static=True)
    tracks: Tracks
    num_particles: int = eqx.field(static=True)
    substeps: int = eqx.field(static=True)

    def __init__(
        self,
        priors: Mapping[str, AbstractPrior],
        build: Build,
        tracks: Tracks,
        *,
        num_particles: int = 1000,
        substeps: int = 1,
    ):
        self.names, self.priors = named(priors)
        self.build = _checks.function("build", build, "from parameters by name to swimmers and the noise of positions")
        self.tracks = _checks.instance("tracks", tracks, Tracks, "Tracks, such as of read_tracks(path)")
        self.num_particles = _checks.natural("num_particles", num_particles, at_least=2)
        self.substeps = _checks.natural("substeps", substeps)

    def log_likelihoods(self, z: Float[Array, " k"], key: PRNGKeyArray) -> Float[Array, "p t"]:
        """Of each frame of each track after those before it."""
        swimmers, noise = self.build(self.parameters(z))
        return increments(swimmers, self.tracks, noise, self.num_particles, key=key, substeps=self.substeps)

    def scores(self, z: Float[Array, " k"], key: PRNGKeyArray) -> tuple[Float[Array, "p t"], Float[Array, "p t k"]]:
        """The same, and its derivatives in z."""

        def twice(z: Array) -> tuple[Array, Array]:
            value = self.log_likelihoods(z, key)
            return value, value

        scores, value = jax.jacfwd(twice, has_aux=True)(z)
        return value, scores
