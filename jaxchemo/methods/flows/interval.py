"""One interval of a flow: what its parameters must satisfy, and how they depend on what it starts from."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxchemo.flows import Carried, TriangularFlow
from jaxchemo.methods.flows.labels import Frame, Samples
from jaxchemo.methods.free_space import Attraction
from jaxchemo.optimise.least_squares import normal_equations
from jaxchemo.particles.mean_field import AbstractMeanField

T = TypeVar("T")


class Interval(eqx.Module):
    """The residual of a flow over an interval, in the units of its frame.

    **Fields:**

    - `system`: the numbers of the problem; `frame`: the units.
    - `labels`, `sources`: where the residual is least, and what the field is made of, at the start of the interval.
    - `force`: how it is made; `None` where nothing attracts.
    - `wavelengths`: of the waves among the flow's features `(f,)`.
    - `nodes`: times at which the residual is least, between 0 and 1 `(q,)`.
    - `unravel`: the flow with given parameters.
    """

    system: Attraction
    frame: Frame
    labels: Samples
    sources: Samples
    force: AbstractMeanField | None
    wavelengths: Float[Array, " f"]
    nodes: Float[Array, " q"]
    unravel: Callable[[Float[Array, " p"]], TriangularFlow] = eqx.field(static=True)

    @property
    def data(self) -> tuple[Float[Array, "n d"], Float[Array, "n d"]]:
        """Labels and their scores: what `residual` takes one of."""
        return self.labels.position, self.labels.score

    def moved(self, flow: TriangularFlow, samples: Samples, t: Float[Array, ""]) -> Carried:
        """Points of the start of the interval at a time of it, all in its units."""
        phases = self.frame.phases(self.wavelengths)
        return jax.vmap(flow.carry, (0, 0, None, None))(samples.position, samples.score, t, phases)

    def drift(self, x: Float[Array, " d"], score: Float[Array, " d"], field: Float[Array, " d"]) -> Float[Array, " d"]:
        """The drift velocity of the density at a point."""
        return self.frame.velocity(self.system, x, score, field)

    def speed(self, samples: Samples, fields: Float[Array, "n d"]) -> Float[Array, ""]:
        """Mean square of the drift velocity, but no less than a hundredth of those of its parts: at rest these
        balance, and a residual is none that is small beside them."""
        still, drift = jnp.zeros_like(samples.position), jax.vmap(self.drift)
        fluid = drift(samples.position, still, still)
        spread = drift(samples.position, samples.score, still) - fluid
        parts = drift(samples.position, samples.score, fields), spread, fluid
        whole, spread, carried = (jnp.mean(jnp.sum(part**2, axis=-1)) for part in parts)
        return jnp.maximum(whole, 0.01 * jnp.maximum(spread, carried))

    def residual(
        self, parameters: Float[Array, " p"], label: tuple[Float[Array, " d"], Float[Array, " d"]], fields: Array
    ) -> Float[Array, " qd"]:
        """Velocity less drift velocity, of a label with its score at all nodes, in the fields there `(q, d)`."""
        flow, phases = self.unravel(parameters), self.frame.phases(self.wavelengths)

        def at_node(t: Array, field: Array) -> Array:
            now = flow.carry(*label, t, phases)
            return now.velocity - self.drift(now.position, now.score, field)

        return jax.vmap(at_node)(self.nodes, fields).reshape(-1)

    def fields(self, parameters: Float[Array, " p"]) -> Float[Array, "n q d"]:
        """`F * p` at the labels, at all nodes, from sources that the flow itself moves."""
        labels, flow, phases = self.labels, self.unravel(parameters), self.frame.phases(self.wavelengths)
        if self.force is None:
            return jnp.zeros((len(labels.position), self.nodes.size, labels.position.shape[-1]), labels.position.dtype)
        force = self.force

        def at_node(t: Array) -> Array:
            now = self.moved(flow, labels, t)
            others = jax.vmap(lambda x: flow.transform_and_log_det(x, t, phases)[0])(self.sources.position)
            return force(now.position, labels.log_p - now.log_det, now.score, others)

        return jnp.swapaxes(jax.lax.map(at_node, self.nodes), 0, 1)

    def monotone(self, parameters: Float[Array, " p"]) -> Bool[Array, ""]:
        """Whether the flow is one to one by a margin, as far as the labels can tell."""
        # Far below the slopes of flows that fit, which were 0.64 and more (measured).
        flow = self.unravel(parameters)
        least = jax.vmap(lambda t: jnp.min(self.moved(flow, self.labels, t).least))(self.nodes)
        return jnp.all(least > 0.15)

    def refresh(self, parameters: Float[Array, " p"]) -> tuple[Float[Array, "n q d"], Bool[Array, ""]]:
        """Fields that parameters make, and whether these are allowed."""
        return self.fields(parameters), self.monotone(parameters)

    def after(self, flow: TriangularFlow, samples: Samples) -> Samples:
        """Points at the end of the interval, in the units of the problem."""
        now = self.moved(flow, samples, jnp.ones((), samples.position.dtype))
        return self.frame.outside(Samples(now.position, samples.log_p - now.log_det, now.score))

    def differentiable(self, parameters: Float[Array, " p"], rounds: int = 5) -> Float[Array, " p"]:
        """Trained parameters, the same numbers, but with their derivative in all that the interval is made of.

        They are where the residual `r` is least, `J^T r = 0`, so that `d parameters = -(J^T J)^-1 J^T dr` where `dr`
        also holds what the moved sources do to the field: hence some rounds.
        """
        still, optimum = detached(self), jax.lax.stop_gradient(parameters)
        fields = still.fields(optimum)
        matrix, _ = normal_equations(still.residual, optimum, still.data, fields)
        diagonal = jnp.diag(matrix)
        factor = jax.scipy.linalg.cho_factor(matrix + 1e-5 * jnp.diag(diagonal + 1e-3 * jnp.mean(diagonal)))
        every = jax.vmap(Interval.residual, (None, None, 0, 0))
        _, pull = jax.vjp(lambda p: every(still, p, still.data, fields), optimum)

        def improve(p: Array, _: Any) -> tuple[Array, None]:
            r = every(self, p, self.data, self.fields(p))
            step = jax.scipy.linalg.cho_solve(factor, pull(r)[0] / r.size)
            return p - (step - jax.lax.stop_gradient(step)), None  # zero, but for its derivative

        return jax.lax.scan(improve, optimum, length=rounds)[0]


def gauss_nodes(count: int) -> Float[Array, " q"]:
    """Gauss nodes of an interval from 0 to 1: polynomials with no residual there are of order `2 count` in time."""
    return jnp.asarray(0.5 * (np.polynomial.legendre.leggauss(count)[0] + 1))


def detached(tree: T) -> T:
    """The same numbers, without their derivatives."""
    arrays, rest = eqx.partition(tree, eqx.is_inexact_array)
    return eqx.combine(jax.lax.stop_gradient(arrays), rest)
