"""What a trained flow knows at any time it has reached: places, densities, scores, velocities and the signal."""

import abc
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import erf
from jaxtyping import Array, Float

from jaxchemo._numerics import exponential_integral
from jaxchemo.flows import TriangularFlow
from jaxchemo.initial import AbstractProfile, Random
from jaxchemo.methods.base import AbstractContinuous, Points, cartesian
from jaxchemo.methods.flows.labels import Frame, Samples, initial_profile, samples_of
from jaxchemo.methods.free_space import Attraction
from jaxchemo.particles.mean_field import AbstractMeanField
from jaxchemo.problem import Problem


class AbstractPath(AbstractContinuous):
    """A density at any time that was reached, with the force and the signal that it makes; the signal in two dimensions
    up to a constant.

    **Fields:**

    - `problem`: what is solved; `estimator`: how the force is made of the sources.
    """

    problem: eqx.AbstractVar[Problem]
    estimator: eqx.AbstractVar[AbstractMeanField]

    @abc.abstractmethod
    def at(self, x: Float[Array, "n d"], t: Float[Array, ""]) -> tuple[Samples, Float[Array, "n d"]]:
        """What is known of points of a time, and their velocities."""

    @abc.abstractmethod
    def sources(self, t: Float[Array, ""]) -> Samples:
        """The sources of the field at a time."""

    def force(self, samples: Samples, t: Float[Array, ""]) -> Float[Array, "n d"]:
        """`F * p` at points of a time."""
        sources = self.sources(t)
        frame = Frame.of(sources, t)
        inside, others = frame.inside(samples), frame.inside(sources)
        force = self.estimator(inside.position, inside.log_p, inside.score, others.position)
        return force * frame.scale ** (1 - samples.position.shape[1])

    def potential(self, samples: Samples, t: Float[Array, ""]) -> Float[Array, " n"]:
        """The solution of `-lap u = p` at points of a time: in two dimensions up to a constant, with `-ln |x| / 2 pi`
        far away."""
        sources = self.sources(t)
        frame = Frame.of(sources, t)
        ndim, inside, others = samples.position.shape[1], frame.inside(samples), frame.inside(sources).position
        width = 3 * len(others) ** (-1 / ndim)

        def at_point(x: Array) -> Array:
            square = jnp.sum((x - others) ** 2, axis=1)
            safe = jnp.where(square > 0, square, 1)
            q = 0.5 * safe / width**2
            if ndim == 2:
                middle = jnp.euler_gamma - math.log(2 * width**2)
                return jnp.mean(jnp.where(square > 0, -jnp.log(safe) - exponential_integral(q), middle)) / (4 * math.pi)
            far = erf(jnp.sqrt(q)) / jnp.sqrt(safe)
            return jnp.mean(jnp.where(square > 0, far, math.sqrt(2 / math.pi) / width)) / (4 * math.pi)

        # Smeared over a width e, a density p has the potential u - e^2 p / 2 + O(e^4), as lap u = -p.
        smeared = jax.lax.map(at_point, inside.position) + 0.5 * width**2 * jnp.exp(inside.log_p)
        if ndim == 2:
            return smeared - jnp.log(frame.scale) / (2 * math.pi)
        return smeared / frame.scale

    def drift(self, samples: Samples, t: Float[Array, ""]) -> Float[Array, "n d"]:
        """The drift velocity of the density at a time, `U[p]`."""
        system = Attraction.of(self.problem)
        drift = system.pull * self.force(samples, t) - system.mobility * samples.score
        return drift if system.advection is None else drift + system.advection(samples.position)

    def log_prob(self, x, t):
        return self._evaluate(x, t, _log_prob)

    def density(self, x, t):
        return Attraction.of(self.problem).mass * jnp.exp(self.log_prob(x, t))

    def score(self, x, t):
        return self._evaluate(x, t, _score)

    def velocity(self, x, t):
        return self._evaluate(x, t, _velocity)

    def residual(self, x, t):
        return self._evaluate(x, t, _residual)

    def signal(self, x, t):
        return self._made() * self._evaluate(x, t, _signal)

    def signal_gradient(self, x, t):
        return self._made() * self._evaluate(x, t, _signal_gradient)

    def _made(self) -> Array:
        system = Attraction.of(self.problem)
        return system.made * system.mass

    def _evaluate(self, x: Points, t: Float[Array, ""], what: "Question") -> Array:
        points, ndim = jnp.asarray(x, float), self.problem.domain.ndim
        if points.shape[-1:] != (ndim,):
            raise ValueError(f"`x` must be points (..., {ndim}), got the shape {points.shape}.")
        values = _evaluated(self, points.reshape(-1, ndim), t, what)
        return values.reshape(points.shape[:-1] + values.shape[1:])


Question = Callable[[AbstractPath, Samples, Array, Array], Array]


@eqx.filter_jit  # compiled once for all times and all points of a number
def _evaluated(path: AbstractPath, x: Array, t: Array, what: Question) -> Array:
    return what(path, *path.at(x, t), t)


def _log_prob(path: AbstractPath, samples: Samples, velocity: Array, t: Array) -> Array:
    return samples.log_p


def _score(path: AbstractPath, samples: Samples, velocity: Array, t: Array) -> Array:
    return samples.score


def _velocity(path: AbstractPath, samples: Samples, velocity: Array, t: Array) -> Array:
    return velocity


def _residual(path: AbstractPath, samples: Samples, velocity: Array, t: Array) -> Array:
    return velocity - path.drift(samples, t)


def _signal(path: AbstractPath, samples: Samples, velocity: Array, t: Array) -> Array:
    return path.potential(samples, t)


def _signal_gradient(path: AbstractPath, samples: Samples, velocity: Array, t: Array) -> Array:
    return path.force(samples, t)


class FlowPath(AbstractPath):
    """The flow of all intervals, one after the other.

    **Fields:**

    - `problem`: whose initial density the labels have; `estimator`: how the force is made of the sources.
    - `frames`: the intervals `(k,)`; those not reached start at infinity, and leave everything where it is.
    - `flows`: their couplings, stacked.
    - `wavelengths`: of the waves among their features.
    - `seeds`: sources of the field at the initial time.
    """

    problem: Problem
    estimator: AbstractMeanField
    frames: Frame
    flows: TriangularFlow
    wavelengths: Float[Array, " f"]
    seeds: Float[Array, "s d"]

    @property
    def initial(self) -> AbstractProfile:
        """The density at the start."""
        return initial_profile(self.problem)

    def carried(self, samples: Samples, t: Float[Array, ""]) -> tuple[Samples, Float[Array, "n d"]]:
        """Points of the initial time at a later one, with what is known of them; and their velocities there."""

        def interval(
            now: tuple[Samples, Array], part: tuple[Frame, TriangularFlow]
        ) -> tuple[tuple[Samples, Array], None]:
            (samples, velocity), (frame, flow) = now, part
            inside, passed, phases = frame.inside(samples), frame.passed(t), frame.phases(self.wavelengths)
            moved = jax.vmap(flow.carry, (0, 0, None, None))(inside.position, inside.score, passed, phases)
            after = frame.outside(Samples(moved.position, inside.log_p - moved.log_det, moved.score))
            # Not even the last bit may depend on intervals that come later: frames are also saved before those are.
            begun = frame.start <= t
            after = jax.tree.map(lambda a, b: jnp.where(begun, a, b), after, samples)
            return (after, jnp.where(begun, frame.scale / frame.duration * moved.velocity, velocity)), None

        start = samples, jnp.zeros_like(samples.position)
        return jax.lax.scan(interval, start, (self.frames, self.flows))[0]

    def labels(self, x: Float[Array, "n d"], t: Float[Array, ""]) -> Float[Array, "n d"]:
        """Where points of a time come from."""

        def interval(x: Array, part: tuple[Frame, TriangularFlow]) -> tuple[Array, None]:
            frame, flow = part
            passed, phases = frame.passed(t), frame.phases(self.wavelengths)
            inside = (x - frame.center) / frame.scale
            back = jax.vmap(lambda y: flow.inverse_and_log_det(y, passed, phases)[0])(inside)
            return frame.center + frame.scale * back, None

        return jax.lax.scan(interval, x, (self.frames, self.flows), reverse=True)[0]

    def at(self, x: Float[Array, "n d"], t: Float[Array, ""]) -> tuple[Samples, Float[Array, "n d"]]:
        return self.carried(samples_of(self.initial, cartesian(self.problem), self.labels(x, t)), t)

    def sample(self, key, n, t):
        z = self.initial.sample(key, n, cartesian(self.problem), Random())
        return self.carried(samples_of(self.initial, cartesian(self.problem), z), t)[0].position

    def sources(self, t: Float[Array, ""]) -> Samples:
        return self.carried(samples_of(self.initial, cartesian(self.problem), self.seeds), t)[0]
