"""A normalizing flow that follows the solution: trained without data, on the velocity that its own density asks for."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.flows import TriangularFlow
from jaxchemo.flows.least_squares import fit
from jaxchemo.initial import AbstractProfile, Sobol
from jaxchemo.methods.base import place
from jaxchemo.methods.flow_path import FlowPath
from jaxchemo.methods.free_space import Attraction
from jaxchemo.methods.labels import Frame, Swarm, swarm_of
from jaxchemo.particles.mean_field import AbstractMeanField, Richardson
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class Past(eqx.Module):
    """What is known of the intervals so far, each in its place `(k,)`: frames, parameters, residuals, steps tried."""

    frame: Frame
    parameters: Float[Array, "k p"]
    residual: Float[Array, " k"]
    solves: Int[Array, " k"]


class March(eqx.Module):
    """Where a run stands.

    **Fields:**

    - `t`: time reached; `labels`, `sources`: what is trained on, and what the field is made of, there.
    - `seeds`: the sources at the initial time.
    - `parameters`: of the flow over the last interval.
    - `growth`: fastest relative change of density at the end of it [1 / time]; `ceiling`: what a rejected interval says
      of the next [time]; `halvings`: how often it was rejected.
    - `past`: the intervals; `count`: how many; `result`: how it goes.
    """

    t: Float[Array, ""]
    labels: Swarm
    sources: Swarm
    seeds: Float[Array, "s d"]
    parameters: Float[Array, " p"]
    growth: Float[Array, ""]
    ceiling: Float[Array, ""]
    halvings: Int[Array, ""]
    past: Past
    count: Int[Array, ""]
    result: RESULTS


class LagrangianFlow(Shown):
    """A flow of triangular couplings, marched over intervals: on each it is trained until it moves as its density asks.

    ```
    d X / d t = U[p](X, t) = v - mobility grad ln p + strength mass (F * p)
    ```

    Each interval starts where the last one ended, exactly: labels carry their density and its score along, so that
    nothing is fitted twice and no inverse is needed. The residual `d X / d t - U` is least over labels and Gauss nodes
    in time, by Levenberg-Marquardt steps, the field `F * p` being made anew after each from sources that the flow
    itself moves. Intervals are as long as the density allows: shorter and shorter towards a collapse. One whose
    residual stays large is rejected and halved.

    For Keller-Segel models whose signal spreads at once (`relaxation=0`, no decay) and for models without signals, in
    `FreeSpace`, with or without advection, from a Gaussian or a mixture of them. Double precision is worth having
    (`jax.config.update("jax_enable_x64", True)`).

    **Arguments:**

    - `num_labels`: N, on which the residual is least. Default 1,024.
    - `num_sources`: S, which make the field. Default 8,192 in 2D, 32,768 in 3D.
    - `width`: of the couplings' hidden layers. Default 24 in 2D, 20 in 3D.
    - `degree`: powers of time, and Gauss nodes of an interval. Default 2.
    - `field`: `Richardson()` (default) or `Debiased()`.
    - `wavelengths`: of waves among the features of the couplings: those of a fluid that varies over lengths much
      shorter than the cloud [length]. Default: none.
    - `change`: of the log density over an interval, at most, for most of the mass. Default 0.5.
    - `strain`: of the fluid over an interval, at most. Default 0.5.
    - `tolerance`: residual over velocity, root mean squares, beyond which an interval is halved, three times at most.
      Default 0.02 in 2D, 0.05 in 3D.
    - `max_intervals`: how many there may be. Default 60.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    **Source:** the Lagrangian physics loss of arXiv 2510.14297 (Feng, Ng and Zhang); the rest is ours.
    """

    num_labels: int = eqx.field(static=True)
    num_sources: int | None = eqx.field(static=True)
    width: int | None = eqx.field(static=True)
    degree: int = eqx.field(static=True)
    field: AbstractMeanField
    wavelengths: Float[Array, " f"]
    change: Float[Array, ""]
    strain: Float[Array, ""]
    tolerance: Float[Array, ""] | None
    max_intervals: int = eqx.field(static=True)

    def __init__(
        self,
        *,
        num_labels: int = 1_024,
        num_sources: int | None = None,
        width: int | None = None,
        degree: int = 2,
        field: AbstractMeanField = Richardson(),
        wavelengths: Any = (),
        change: float = 0.5,
        strain: float = 0.5,
        tolerance: float | None = None,
        max_intervals: int = 60,
    ):
        self.num_labels = _checks.natural("num_labels", num_labels, at_least=16)
        if self.num_labels > 256 and self.num_labels % 256:
            raise ValueError(f"`num_labels` must be a multiple of 256, or less, got {num_labels}.")
        self.num_sources = None if num_sources is None else _checks.natural("num_sources", num_sources, at_least=16)
        self.width = None if width is None else _checks.natural("width", width)
        self.degree = _checks.natural("degree", degree)
        self.field = _checks.instance("field", field, AbstractMeanField, "Richardson() or Debiased()")
        self.wavelengths = jnp.atleast_1d(_checks.positive("wavelengths", jnp.asarray(wavelengths, float)))
        self.change, self.strain = _checks.positive("change", change), _checks.positive("strain", strain)
        self.tolerance = None if tolerance is None else _checks.positive("tolerance", tolerance)
        self.max_intervals = _checks.natural("max_intervals", max_intervals)

    @property
    def name(self) -> str:
        """Short name for tables and figures."""
        return "flow"

    def check(self, problem: Problem) -> None:
        """Refuses, in a sentence, a problem that the method cannot solve."""
        start = Attraction.check(problem)
        if not start.smooth:
            raise TypeError(
                f"`density` must be positive and smooth everywhere, as a Gaussian or a mixture of them, got {start!r}."
            )

    def latest(self, problem: Problem) -> float:
        """No later than this a solution ends: by the fall of its second moment, where that can be told [time]."""
        system, space = Attraction.of(problem), place(problem)
        if space.ndim != 2 or system.advection is not None:
            return math.inf
        with jax.ensure_compile_time_eval():
            fall = system.pull / (2 * math.pi) - 4 * system.mobility
            x = _initial(problem).sample(jax.random.key(0), 16_384, space, Sobol())
            spread = jnp.sum(jnp.var(x, axis=0))
        known = _checks.is_concrete(fall) and _checks.is_concrete(spread) and float(fall) > 0
        return float(spread / fall) if known else math.inf

    def flow(self, ndim: int, key: PRNGKeyArray) -> TriangularFlow:
        """The flow of an interval before it is trained: the identity."""
        width = (24 if ndim == 2 else 20) if self.width is None else self.width
        return TriangularFlow(ndim, key=key, width=width, degree=self.degree, waves=self.wavelengths.size)

    def start(self, problem: Problem, t0: Float[Array, ""], key: PRNGKeyArray) -> March:
        """Where a run begins."""
        space, initial = place(problem), _initial(problem)
        system, keys = Attraction.of(problem), jax.random.split(key, 3)
        sources = (8_192 if space.ndim == 2 else 32_768) if self.num_sources is None else self.num_sources
        labels, seeds = (
            initial.sample(k, n, space, Sobol()) for k, n in zip(keys, (self.num_labels, sources), strict=False)
        )
        swarm = swarm_of(initial, space, seeds)
        parameters, _ = ravel_pytree(self.flow(space.ndim, keys[2]))
        k, zero, count = self.max_intervals, jnp.zeros((), labels.dtype), jnp.zeros((), jnp.int32)
        rows = lambda *shape: jnp.zeros((k, *shape), labels.dtype)  # noqa: E731
        frames = Frame(jnp.full(k, jnp.inf), rows() + 1, rows() + 1, rows(space.ndim))
        past = Past(frames, rows(parameters.size), rows(), jnp.zeros(k, jnp.int32))

        def drift(x: Array) -> Array:
            spread = -system.mobility * jax.grad(initial.log_value)(x)
            return spread if system.advection is None else spread + system.advection(x)

        rates = jax.vmap(lambda x: jnp.trace(jax.jacfwd(drift)(x)))(seeds) - system.pull * jnp.exp(swarm.log_p)
        growth = jnp.quantile(jnp.abs(rates), 0.995)
        inf = zero + jnp.inf
        return March(
            zero + t0,
            swarm_of(initial, space, labels),
            swarm,
            seeds,
            parameters,
            growth,
            inf,
            count,
            past,
            count,
            RESULTS.successful,
        )

    def path(self, problem: Problem, march: March) -> FlowPath:
        """The flow over all intervals of a march, to be asked for densities and the like."""
        _, unravel = ravel_pytree(self.flow(problem.grid.ndim, jax.random.key(0)))
        flows = jax.vmap(unravel)(march.past.parameters)
        return FlowPath(problem, march.past.frame, flows, self.wavelengths, march.seeds, self.field)

    def advance(self, problem: Problem, march: March, until: Float[Array, ""]) -> March:
        """One interval more, or the same again with half its length; `until` is a time not to step over."""
        system, frame = Attraction.of(problem), self._next(problem, march, until)
        labels, sources = frame.inside(march.labels), frame.inside(march.sources)
        ndim, phases = labels.place.shape[-1], frame.phases(self.wavelengths)
        _, unravel = ravel_pytree(self.flow(ndim, jax.random.key(0)))
        points = _gauss_nodes(self.degree)
        data = labels.place, labels.score
        moved, pulled = frame.duration / frame.scale**2, frame.scale ** (2 - ndim) * system.pull

        def asked(x: Array, score: Array, field: Array) -> Array:
            found = moved * (pulled * field - system.mobility * score)
            if system.advection is None:
                return found
            return found + frame.duration / frame.scale * system.advection(frame.center + frame.scale * x)

        def residual(parameters: Array, label: tuple[Array, Array], fields: Array) -> Array:
            flow, (x, score) = unravel(parameters), label

            def one(t: Array, field: Array) -> Array:
                now = flow.carry(x, score, t, phases)
                return now.velocity - asked(now.place, now.score, field)

            return jax.vmap(one)(points, fields).reshape(-1)

        def refresh(parameters: Array) -> tuple[Array, Bool[Array, ""]]:
            flow = unravel(parameters)

            def one(t: Array) -> tuple[Array, Array]:
                now = jax.vmap(flow.carry, (0, 0, None, None))(labels.place, labels.score, t, phases)
                others = jax.vmap(lambda x: flow.transform_and_log_det(x, t, phases)[0])(sources.place)
                return self.field(now.place, labels.log_p - now.log_det, now.score, others), jnp.min(now.least)

            fields, least = jax.lax.map(one, points)
            return jnp.swapaxes(fields, 0, 1), jnp.all(least > 0.15) & jnp.all(jnp.isfinite(fields))

        warm = refresh(march.parameters)[1]
        fresh, _ = ravel_pytree(self.flow(ndim, jax.random.key(1)))
        found = fit(residual, refresh, jnp.where(warm, march.parameters, fresh), data)
        flow = unravel(found.parameters)
        now = jax.vmap(flow.carry, (0, 0, None, None))(*data, points[-1], phases)
        speed = jnp.mean(jnp.sum(jax.vmap(asked)(now.place, now.score, found.frozen[:, -1]) ** 2, axis=-1))
        rough = jnp.sqrt(found.loss / jnp.maximum(self.degree * speed, jnp.finfo(speed.dtype).tiny))
        tolerance = (0.02 if ndim == 2 else 0.05) if self.tolerance is None else self.tolerance
        rejected = (~(rough <= tolerance)) & (march.halvings < 3)
        accepted = self._accepted(march, frame, until, found, rough, flow, labels, sources, phases)
        again = eqx.tree_at(lambda m: (m.ceiling, m.halvings), march, (0.5 * frame.duration, march.halvings + 1))
        return jax.tree.map(lambda a, b: jnp.where(rejected, a, b), again, accepted)

    def _next(self, problem: Problem, march: March, until: Array) -> Frame:
        """The next interval: as long as the density and the fluid allow, in units of the core of the density."""
        system, x = Attraction.of(problem), march.sources.place
        longest = jnp.minimum(self.change / jnp.maximum(march.growth, jnp.finfo(x.dtype).tiny), march.ceiling)
        if (fluid := system.advection) is not None:
            strains = jax.vmap(lambda x: jnp.linalg.norm(jax.jacfwd(fluid)(x)))(x)
            worst = jnp.maximum(jnp.quantile(strains, 0.9), jnp.finfo(x.dtype).tiny)
            longest = jnp.minimum(longest, self.strain / worst)
        left = until - march.t
        duration = left / jnp.maximum(jnp.ceil(left / longest - 1e-6), 1)
        scale = jnp.exp(-jnp.max(march.sources.log_p) / x.shape[1]) / math.sqrt(2 * math.pi)
        return Frame(march.t, duration, scale, jnp.mean(x, axis=0))

    def _accepted(self, march, frame, until, found, rough, flow, labels, sources, phases) -> March:
        """The march after an interval."""
        one = jnp.ones((), labels.place.dtype)

        def carried(swarm: Swarm) -> Swarm:
            now = jax.vmap(flow.carry, (0, 0, None, None))(swarm.place, swarm.score, one, phases)
            return frame.outside(Swarm(now.place, swarm.log_p - now.log_det, now.score))

        after = carried(sources)
        rates = jax.vmap(lambda x: jax.jvp(lambda t: flow.transform_and_log_det(x, t, phases)[1], (one,), (one,))[1])(
            sources.place
        )
        growth = jnp.quantile(jnp.abs(rates), 0.995) / frame.duration
        t = frame.start + frame.duration
        record = Past(frame, found.parameters, rough, found.solves)
        past = jax.tree.map(lambda rows, row: rows.at[march.count].set(row), march.past, record)
        collapsing = self.change / growth < 1e-3 * (t - past.frame.start[0])
        result = RESULTS.where(collapsing, RESULTS.blow_up, RESULTS.successful)
        full = (march.count + 1 == self.max_intervals) & (frame.duration < 0.999 * (until - frame.start))
        result = RESULTS.where(full, RESULTS.capacity_exceeded, result)
        result = RESULTS.where(rough <= 0.3, result, RESULTS.poor_fit)
        finite = jnp.all(jnp.isfinite(after.place)) & jnp.all(jnp.isfinite(after.log_p))
        result = RESULTS.where(finite, result, RESULTS.nonfinite)
        return March(
            t,
            carried(labels),
            after,
            march.seeds,
            found.parameters,
            growth,
            jnp.full_like(t, jnp.inf),
            jnp.zeros_like(march.halvings),
            past,
            march.count + 1,
            result,
        )


def _initial(problem: Problem) -> AbstractProfile:
    (initial,) = problem.density.values()
    return _checks.instance("density", initial, AbstractProfile, "a Gaussian or a mixture of them")


def _gauss_nodes(count: int) -> Array:
    """Gauss nodes of an interval from 0 to 1."""
    return jnp.asarray(0.5 * (np.polynomial.legendre.leggauss(count)[0] + 1))
