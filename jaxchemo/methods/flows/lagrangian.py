"""A normalizing flow that follows the solution: trained without data, on the drift velocity of its own density."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.flows import TriangularFlow
from jaxchemo.initial import Sobol
from jaxchemo.methods.base import StepInfo, cartesian
from jaxchemo.methods.flows.base import AbstractFlow, AbstractFlowState, Past, used
from jaxchemo.methods.flows.interval import Interval, detached, gauss_nodes
from jaxchemo.methods.flows.labels import Frame, Samples, initial_profile, samples_of
from jaxchemo.methods.flows.path import FlowPath
from jaxchemo.methods.free_space import Attraction
from jaxchemo.optimise.least_squares import Fit, fit
from jaxchemo.particles.mean_field import AbstractMeanField, Richardson
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class LagrangianState(AbstractFlowState):
    """Where a run stands.

    **Fields** (those of `AbstractFlowState`, `seeds` being the sources at the initial time, and):

    - `labels`: what is trained on, now.
    - `parameters`: of the flow over the last interval.
    - `ceiling`: what a rejected interval says of the next [time]; `halvings`: how often it was rejected.
    """

    labels: Samples
    sources: Samples
    seeds: Float[Array, "s d"]
    parameters: Float[Array, " p"]
    growth: Float[Array, ""]
    ceiling: Float[Array, ""]
    halvings: Int[Array, ""]
    past: Past
    count: Int[Array, ""]


class LagrangianFlow(AbstractFlow):
    """A flow of triangular couplings, over intervals: each is trained to move at the drift velocity of its density.

    ```
    d X / d t = U[p](X, t) = v - mobility grad ln p + strength mass (F * p)
    ```

    Each interval starts where the last one ended, exactly: labels carry their density and its score along, so that
    nothing is fitted twice and no inverse is needed. The residual `d X / d t - U` is least over labels and Gauss nodes
    in time, by Levenberg-Marquardt steps, the field `F * p` being made anew after each from sources that the flow
    itself moves. Intervals are as long as the density allows: shorter and shorter towards a collapse. One whose
    residual stays large is rejected and halved.

    That a flow is one to one is checked at labels and sources, not built in: one that is not is rejected.

    Derivatives of what a solution says pass through the optimum of each interval, not through the steps of its
    training: in the numbers of the model, of the fluid, and of the initial density but for the shares of a mixture's
    parts (which part a source belongs to has no derivative). They are first derivatives, of `solve` only.

    For Keller-Segel models whose signal spreads at once (`relaxation=0`, no decay) and for models without signals, in
    `FreeSpace`, with or without advection, from a Gaussian or a mixture of them. Double precision is worth having
    (`jax.config.update("jax_enable_x64", True)`).

    **Arguments:**

    - `num_labels`: N, on which the residual is least; at least 16, and beyond 256 a multiple of it. Default 1,024.
    - `num_sources`: S, which make the field, at least 16. Default 8,192 in 2D, 32,768 in 3D.
    - `width`: of the couplings' hidden layers. Default 24 in 2D, 20 in 3D.
    - `degree`: powers of time, and Gauss nodes of an interval. Default 2.
    - `force`: `Richardson()` (default) or `Debiased()`.
    - `wavelengths`: of waves among the features of the couplings: those of a fluid that varies over lengths much
      shorter than the cloud [length]. Default: none.
    - `change`: of the log density over an interval, at most, for most of the mass. Default 0.5.
    - `strain`: of the fluid over an interval, at most. Default 0.5.
    - `tolerance`: residual over velocity, root mean squares, beyond which an interval is halved, three times at most.
      Default 0.02 in 2D, 0.05 in 3D.
    - `max_intervals`: how many there may be. Default 60.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    **Source:** the Lagrangian physics loss of arXiv 2510.14297 (Feng, Ng and Zhang); the rest is ours.

    >>> method = jc.LagrangianFlow(num_sources=4_096, force=jc.Debiased())
    >>> method.num_sources, method.force, method.degree
    (4096, Debiased(spread=None, widest=None), 2)
    """

    num_labels: int = eqx.field(static=True)
    num_sources: int | None = eqx.field(static=True)
    width: int | None = eqx.field(static=True)
    degree: int = eqx.field(static=True)
    force: AbstractMeanField
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
        force: AbstractMeanField = Richardson(),
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
        self.force = _checks.instance("force", force, AbstractMeanField, "Richardson() or Debiased()")
        self.wavelengths = jnp.atleast_1d(_checks.positive("wavelengths", wavelengths, arrays=True))
        self.change, self.strain = _checks.positive("change", change), _checks.positive("strain", strain)
        self.tolerance = None if tolerance is None else _checks.positive("tolerance", tolerance)
        self.max_intervals = _checks.natural("max_intervals", max_intervals)

    @property
    def name(self) -> str:
        return "flow"

    def flow(self, ndim: int, key: PRNGKeyArray) -> TriangularFlow:
        """The flow of an interval before it is trained: the identity."""
        width = (24 if ndim == 2 else 20) if self.width is None else self.width
        return TriangularFlow(ndim, key=key, width=width, degree=self.degree, waves=self.wavelengths.size)

    def init(self, problem, *, key=None):
        key = _checks.given("key", key, "a stochastic method needs one, jax.random.key(0)")
        system, initial = Attraction.of(problem), initial_profile(problem)
        labels, sources = self._begin(problem, key)
        ndim, dtype = labels.position.shape[-1], labels.position.dtype
        parameters, _ = ravel_pytree(self.flow(ndim, jax.random.split(key, 3)[2]))
        k, zero, count = self.max_intervals, jnp.zeros((), dtype), jnp.zeros((), jnp.int32)
        frames = Frame(jnp.full(k, jnp.inf, dtype), jnp.ones(k, dtype), jnp.ones(k, dtype), jnp.zeros((k, ndim), dtype))
        past = Past(frames, jnp.zeros((k, parameters.size), dtype), jnp.zeros(k, dtype), jnp.zeros(k, jnp.int32))

        def drift(x: Array) -> Array:
            spread = -system.mobility * jax.grad(initial.log_value)(x)
            return spread if system.advection is None else spread + system.advection(x)

        divergence = jax.vmap(lambda x: jnp.trace(jax.jacfwd(drift)(x)))(sources.position)
        rates = divergence - system.pull * jnp.exp(sources.log_p)
        growth = jnp.quantile(jnp.abs(rates), 0.995)
        return LagrangianState(
            labels=labels,
            sources=sources,
            seeds=sources.position,
            parameters=parameters,
            growth=growth,
            ceiling=zero + jnp.inf,
            halvings=count,
            past=past,
            count=count,
        )

    def path(self, problem, state):
        flows = jax.vmap(self._unravel(problem))(state.past.parameters)
        return FlowPath(problem, self.force, state.past.frame, flows, self.wavelengths, state.seeds)

    def advance(self, problem, state, t, until, *, key=None):
        """One interval more; or the same again with half its length, where its residual stayed too large."""
        frame, last = self._next(problem, state, t, until)
        interval, ndim = self._interval(problem, frame, state.labels, state.sources), problem.domain.ndim
        fresh, _ = ravel_pytree(self.flow(ndim, jax.random.key(1)))
        # Where the last interval ended: from the identity each time the error was five times as large (measured).
        warm = jnp.where(interval.monotone(state.parameters), state.parameters, fresh)
        optimum = fit(interval.residual, interval.refresh, warm, interval.data)
        flow = interval.unravel(optimum.parameters)
        now = interval.moved(flow, interval.labels, interval.nodes[-1])
        speed = interval.speed(Samples(now.position, now.log_det, now.score), optimum.frozen[:, -1])
        rough = jnp.sqrt(optimum.loss / jnp.maximum(self.degree * speed, jnp.finfo(speed.dtype).tiny))
        tolerance = (0.02 if ndim == 2 else 0.05) if self.tolerance is None else self.tolerance
        # Where it ends is known by its number: a sum of floats might fall short of the time to arrive at.
        end = jnp.where(last, until, frame.start + frame.duration)
        accepted, result = self._accepted(state, interval, end, until, optimum, rough)
        good = (rough <= tolerance) & (result != RESULTS.nonfinite)
        rejected = ~good & (state.halvings < 3)
        halved = dataclasses.replace(state, ceiling=0.5 * frame.duration, halvings=state.halvings + 1)
        after = jax.tree.map(lambda a, b: jnp.where(rejected, a, b), halved, accepted)
        info = StepInfo(RESULTS.where(rejected, RESULTS.successful, result))
        return after, jnp.where(rejected, t, end), info

    def replay(self, problem, state, *, key=None):
        """The same state, with its derivative in the problem.

        From interval to interval labels and sources carry their derivatives along, and each optimum its own, see
        `Interval.differentiable`. Where intervals begin and end, and their units, are fixed: the exact answer
        does not depend on them.

        **Raises:** `ValueError` without a key.
        """
        key = _checks.given("key", key, "a stochastic method needs one, jax.random.key(0)")
        taken = detached(used(state))
        (labels, sources), seeds, parameters = _replayed(problem, self, taken, key)
        rows = detached(state).past.parameters.at[: len(parameters)].set(parameters)
        return eqx.tree_at(
            lambda s: (s.labels, s.sources, s.seeds, s.past.parameters), state, (labels, sources, seeds, rows)
        )

    def replayed(
        self, problem: Problem, state: LagrangianState, key: PRNGKeyArray
    ) -> tuple[tuple[Samples, Samples], Float[Array, "s d"], Float[Array, "k p"]]:
        """Labels and sources at the end, the sources at the start, and all parameters, with their derivatives."""
        begun = self._begin(problem, key)

        @jax.checkpoint
        def once(both: tuple[Samples, Samples], frame: Frame, optimum: Array) -> tuple[tuple[Samples, Samples], Array]:
            interval = self._interval(problem, frame, *both)
            parameters = interval.differentiable(optimum)
            flow = interval.unravel(parameters)
            return (interval.after(flow, interval.labels), interval.after(flow, interval.sources)), parameters

        def body(both: tuple[Samples, Samples], row: Any) -> tuple[tuple[Samples, Samples], Array]:
            k, frame, parameters = row
            return jax.lax.cond(k < state.count, once, lambda *rest: (rest[0], rest[2]), both, frame, parameters)

        rows = jnp.arange(len(state.past.solves)), state.past.frame, state.past.parameters
        both, parameters = jax.lax.scan(body, begun, rows)
        return both, begun[1].position, parameters

    def _begin(self, problem: Problem, key: PRNGKeyArray) -> tuple[Samples, Samples]:
        """Labels and sources at the initial time."""
        # Sobol points: independent ones made the error of the density more than ten times as large (measured).
        space, initial = cartesian(problem), initial_profile(problem)
        sources = (8_192 if space.ndim == 2 else 32_768) if self.num_sources is None else self.num_sources
        keys = jax.random.split(key, 3)
        labels, others = (
            samples_of(initial, space, initial.sample(k, n, space, Sobol()))
            for k, n in zip(keys, (self.num_labels, sources), strict=False)
        )
        return labels, others

    def _unravel(self, problem: Problem) -> Callable[[Float[Array, " p"]], TriangularFlow]:
        return ravel_pytree(self.flow(problem.domain.ndim, jax.random.key(0)))[1]

    def _interval(self, problem: Problem, frame: Frame, labels: Samples, sources: Samples) -> Interval:
        """An interval that starts from labels and sources in the units of the problem."""
        return Interval(
            Attraction.of(problem),
            frame,
            frame.inside(labels),
            frame.inside(sources),
            self.force if problem.continuum.signals else None,
            self.wavelengths,
            gauss_nodes(self.degree),
            self._unravel(problem),
        )

    def _next(self, problem: Problem, state: LagrangianState, t: Array, until: Array) -> tuple[Frame, Bool[Array, ""]]:
        """The next interval: as long as the density and the fluid allow, in units of the core of the density.

        Also whether it is the last one before `until`.
        """
        system, x = Attraction.of(problem), state.sources.position
        longest = jnp.minimum(self.change / jnp.maximum(state.growth, jnp.finfo(x.dtype).tiny), state.ceiling)
        if (fluid := system.advection) is not None:
            strains = jax.vmap(lambda x: jnp.linalg.norm(jax.jacfwd(fluid)(x)))(x)
            worst = jnp.maximum(jnp.quantile(strains, 0.9), jnp.finfo(x.dtype).tiny)
            longest = jnp.minimum(longest, self.strain / worst)
        left = until - t
        pieces = jnp.maximum(jnp.ceil(left / longest - 1e-6), 1)
        return Frame.of(state.sources, t, left / pieces), pieces == 1

    def _accepted(
        self, state: LagrangianState, interval: Interval, end: Array, until: Array, optimum: Fit, rough: Array
    ) -> tuple[LagrangianState, RESULTS]:
        """The state after an interval that ends at `end`, and how it went."""
        frame, flow, phases = (
            interval.frame,
            interval.unravel(optimum.parameters),
            interval.frame.phases(self.wavelengths),
        )
        unit = jnp.ones((), end.dtype)
        labels, sources = interval.after(flow, interval.labels), interval.after(flow, interval.sources)
        rates = jax.vmap(lambda x: jax.jvp(lambda t: flow.transform_and_log_det(x, t, phases)[1], (unit,), (unit,))[1])(
            interval.sources.position
        )
        growth = jnp.quantile(jnp.abs(rates), 0.995) / frame.duration
        record = Past(frame, optimum.parameters, rough, optimum.solves)
        past = jax.tree.map(lambda rows, row: rows.at[state.count].set(row), state.past, record)
        # About `1 / growth` is left to a collapse: the next interval would be a thousandth of the time that has passed.
        collapsing = self.change / growth < 1e-3 * (end - past.frame.start[0])
        result = RESULTS.where(collapsing, RESULTS.blow_up, RESULTS.successful)
        full = (state.count + 1 == self.max_intervals) & (end < until)
        result = RESULTS.where(full, RESULTS.capacity_exceeded, result)
        # The only alarm: a fit whose residual was 75% of the velocity had the right mean and second moment (measured).
        result = RESULTS.where(rough <= 0.3, result, RESULTS.poor_fit)
        finite = jnp.all(jnp.isfinite(sources.position)) & jnp.all(jnp.isfinite(sources.log_p))
        result = RESULTS.where(finite, result, RESULTS.nonfinite)
        after = LagrangianState(
            labels=labels,
            sources=sources,
            seeds=state.seeds,
            parameters=optimum.parameters,
            growth=growth,
            ceiling=jnp.full_like(end, jnp.inf),
            halvings=jnp.zeros_like(state.halvings),
            past=past,
            count=state.count + 1,
        )
        return after, result


@eqx.filter_jit
def _replayed(problem: Problem, method: LagrangianFlow, state: LagrangianState, key: PRNGKeyArray) -> Any:
    return method.replayed(problem, state, key)
