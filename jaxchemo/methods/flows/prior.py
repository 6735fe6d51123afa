"""The published way with flows, as far as it is known: from a prior, by Adam; to compare `LagrangianFlow` with."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.flows import AbstractBijection, krnet, later
from jaxchemo.initial import Sobol
from jaxchemo.methods.base import StepInfo, cartesian
from jaxchemo.methods.flows.base import AbstractFlow, AbstractFlowState, Past
from jaxchemo.methods.flows.labels import Frame, Samples, initial_profile, samples_of
from jaxchemo.methods.flows.prior_path import PriorPath, samples_at
from jaxchemo.methods.flows.prior_training import Misfit, divergence, misfit, prior, trained
from jaxchemo.methods.free_space import Attraction
from jaxchemo.particles.mean_field import AbstractMeanField, Debiased
from jaxchemo.results import RESULTS


class PriorState(AbstractFlowState):
    """Where a run stands.

    **Fields** (those of `AbstractFlowState`, with Adam's steps for `solves` and as `seeds` the labels of the sources,
    from the prior; those of the initial time are drawn from the initial density, and):

    - `parameters`: with which the flow of the next interval starts.
    """

    sources: Samples
    seeds: Float[Array, "s d"]
    parameters: Float[Array, " p"]
    growth: Float[Array, ""]
    past: Past
    count: Int[Array, ""]


class PriorFlow(AbstractFlow):
    """A KRnet from a Gaussian, trained by Adam on the plain Lagrangian loss.

    ```
    p(x, t) = N(T(x, t); 0, I) |det dT/dx|,    X = T^-1(z, t),    loss = E |dX/dt - U[p](X, t)|^2 + anchor KL(p_m | p)
    ```

    Over each of a number of equal intervals of time one KRnet that depends on time is trained by Adam: on the mean
    square of the residual over labels z of the prior and times of the interval, all drawn anew for each step, and on
    the divergence, at its start, from the density p_m with which the interval before ended. It starts from the network
    before, continued in time.

    **What is published** of this way, and is done here: the normalised system, its Lagrangian form, a loss on it
    without data that controls the divergence, "time-marching strategies" (the abstract of arXiv 2510.14297); KRnet
    (code). **What is not known to us**, and chosen here: the loss as it is displayed, how time enters, the size of the
    network, the optimiser and its rates, the weight of the initial density, how the attraction is estimated and how
    points are drawn (Sobol), and the warm start. Departures from KRnet: tanh for ReLU, and no last layer by default, as
    both make the score of the density jump. No number obtained here is a number of that paper.

    `LagrangianFlow` takes the same problems, and is faster and far more accurate.

    **Arguments:**

    - `intervals`: of equal length, from the start to the final time. Default 5.
    - `steps`: of Adam in each of them. Default 1,200.
    - `rate`: of learning, at the start of an interval; falls to zero as a cosine. Default 3e-3.
    - `num_labels`, `num_sources`: drawn for each time of each step; labels are what the residual is averaged over, and
      sources make the attraction. Default 256 and 512.
    - `num_times`: of each step, a random one in each equal part of the interval. Default 4.
    - `anchor`: weight of the initial density of an interval. Default 100.
    - `depth`, `width`: couplings of the KRnet in a stage, and hidden units of their networks. Default 6 and 24.
    - `bins`: of its last layer, 32 as published; with 0 it is left out, which trains far better. Default 0.
    - `rotations`: whether its stages begin with a linear layer. Default no.
    - `force`: `Debiased()` (default) or `Richardson()`.
    - `num_seeds`: points that stand for the density at the end of an interval. Default 4,096.
    - `tolerance`: residual over velocity, root mean squares, beyond which a run ends as `poor_fit`. Default 0.3.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    **Source:** arXiv 2510.14297 (Feng, Ng and Zhang), its abstract; KRnet: code MJfadeaway/DAS.

    >>> method = jc.PriorFlow(intervals=3, steps=500)
    >>> method.name, method.intervals * method.steps
    ('prior-flow', 1500)
    """

    intervals: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    rate: Float[Array, ""]
    num_labels: int = eqx.field(static=True)
    num_sources: int = eqx.field(static=True)
    num_times: int = eqx.field(static=True)
    anchor: Float[Array, ""]
    depth: int = eqx.field(static=True)
    width: int = eqx.field(static=True)
    bins: int = eqx.field(static=True)
    rotations: bool = eqx.field(static=True)
    force: AbstractMeanField
    num_seeds: int = eqx.field(static=True)
    tolerance: Float[Array, ""]

    def __init__(
        self,
        *,
        intervals: int = 5,
        steps: int = 1_200,
        rate: float = 3e-3,
        num_labels: int = 256,
        num_sources: int = 512,
        num_times: int = 4,
        anchor: float = 100.0,
        depth: int = 6,
        width: int = 24,
        bins: int = 0,
        rotations: bool = False,
        force: AbstractMeanField = Debiased(),
        num_seeds: int = 4_096,
        tolerance: float = 0.3,
    ):
        self.intervals, self.steps = _checks.natural("intervals", intervals), _checks.natural("steps", steps)
        self.rate, self.anchor = _checks.positive("rate", rate), _checks.non_negative("anchor", anchor)
        self.num_labels = _checks.natural("num_labels", num_labels, at_least=16)
        self.num_sources = _checks.natural("num_sources", num_sources, at_least=16)
        self.num_times = _checks.natural("num_times", num_times)
        self.num_seeds = _checks.natural("num_seeds", num_seeds, at_least=16)
        self.depth, self.width = _checks.natural("depth", depth), _checks.natural("width", width)
        self.bins, self.rotations = _checks.natural("bins", bins, at_least=0), _checks.flag("rotations", rotations)
        for name, value in (("depth", self.depth), ("bins", self.bins)):
            if value % 2:
                raise ValueError(f"`{name}` must be even, got {value}.")
        self.force = _checks.instance("force", force, AbstractMeanField, "Debiased() or Richardson()")
        self.tolerance = _checks.positive("tolerance", tolerance)

    @property
    def name(self) -> str:
        return "prior-flow"

    def flow(self, ndim: int, key: PRNGKeyArray) -> AbstractBijection:
        """From points to labels, before it is trained: the identity."""
        size = {"depth": self.depth, "width": self.width, "bins": self.bins, "rotations": self.rotations}
        return krnet(ndim, key=key, **size)

    def init(self, problem, *, key=None):
        """The flow, fitted to the initial density. **Raises:** `ValueError` without a key."""
        key = _checks.given("key", key, "a stochastic method needs one, jax.random.key(0)")
        space, initial = cartesian(problem), initial_profile(problem)
        ndim, keys = space.ndim, jax.random.split(key, 4)
        x = initial.sample(keys[0], self.num_seeds, space, Sobol())
        sources = samples_of(initial, space, x)
        center = jnp.mean(x, axis=0)
        scale = jnp.sqrt(jnp.mean((x - center) ** 2))
        k, zero = self.intervals, jnp.zeros((), x.dtype)
        parameters, unravel = ravel_pytree(self.flow(ndim, keys[1]))
        # The unit of length is the same in all intervals, so that a network can go on where the last one ended.
        row = jnp.zeros(k, x.dtype)
        frames = Frame(row + jnp.inf, row + 1, row + scale, jnp.tile(center, (k, 1)))
        past = Past(frames, jnp.zeros((k, parameters.size), x.dtype), row, jnp.zeros(k, jnp.int32))
        inside = Frame(zero, zero + 1, scale, center).inside(sources)

        def loss(parameters: Array, key: PRNGKeyArray) -> tuple[Array, None]:
            return divergence(unravel(parameters), self._some(inside, key)), None

        parameters, _ = trained(loss, parameters, keys[2], steps=self.steps, rate=self.rate)
        seeds = prior(keys[3], self.num_seeds, ndim)
        count = jnp.zeros((), jnp.int32)
        return PriorState(sources=sources, seeds=seeds, parameters=parameters, growth=zero, past=past, count=count)

    def path(self, problem, state):
        _, unravel = ravel_pytree(self.flow(problem.domain.ndim, jax.random.key(0)))
        flows = jax.vmap(unravel)(state.past.parameters)
        return PriorPath(problem, self.force, state.past.frame, flows, state.seeds)

    def advance(self, problem, state, t, until, *, key=None):
        """One interval more, of those that are left until then. **Raises:** `ValueError` without a key."""
        key = jax.random.split(_checks.given("key", key, "a stochastic method needs one, jax.random.key(0)"), 4)[2]
        duration = (until - t) / jnp.maximum(self.intervals - state.count, 1)
        every = state.past.frame
        frame = Frame(t, duration, every.scale[0], every.center[0])
        system, ndim, before = Attraction.of(problem), state.seeds.shape[1], frame.inside(state.sources)
        force = self.force if problem.continuum.signals else None
        _, unravel = ravel_pytree(self.flow(ndim, jax.random.key(0)))
        # Velocities count in units of mobility over length.
        weight = (frame.scale**2 / (system.mobility * duration)) ** 2

        def at_a_time(flow: AbstractBijection, n: Array, key: PRNGKeyArray) -> Misfit:
            jitter, mine, other = jax.random.split(key, 3)
            tau = (n + jax.random.uniform(jitter)) / self.num_times
            # Sources of their own: a label that attracts itself would be nearer than any other.
            labels, others = prior(mine, self.num_labels, ndim), prior(other, self.num_sources, ndim)
            return misfit(flow, system, force, frame, tau, labels, others)

        def loss(parameters: Array, key: PRNGKeyArray) -> tuple[Array, Misfit]:
            flow, (now, past) = unravel(parameters), jax.random.split(key)
            times = jnp.arange(self.num_times), jax.random.split(now, self.num_times)
            mean = jax.tree.map(jnp.mean, jax.vmap(functools.partial(at_a_time, flow))(*times))
            return weight * mean.residual + self.anchor * divergence(flow, self._some(before, past)), mean

        key = jax.random.fold_in(key, state.count)
        parameters, course = trained(loss, state.parameters, key, steps=self.steps, rate=self.rate)
        last: Misfit = jax.tree.map(lambda rows: jnp.mean(rows[-max(1, self.steps // 10) :]), course)
        rough = jnp.sqrt(last.residual / jnp.maximum(last.speed, jnp.finfo(duration.dtype).tiny))
        end = jnp.where(state.count + 1 < self.intervals, t + duration, until)
        after, result = self._arrived(state, frame, unravel(parameters), parameters, rough)
        return after, end, StepInfo(result)

    def replay(self, problem, state, *, key=None):
        """**Raises:** `TypeError`: it is not differentiated in the problem."""
        raise TypeError("`method`: a PriorFlow is not differentiated in its problem; a LagrangianFlow is.")

    def _some(self, samples: Samples, key: PRNGKeyArray) -> Samples:
        """Some of the points, as many as there are labels in a step."""
        chosen = jax.random.randint(key, (self.num_labels * self.num_times,), 0, samples.log_p.shape[0])
        return jax.tree.map(lambda rows: rows[chosen], samples)

    def _arrived(
        self, state: PriorState, frame: Frame, flow: AbstractBijection, parameters: Array, rough: Array
    ) -> tuple[PriorState, RESULTS]:
        """The state after an interval, and how it went."""
        unit = jnp.ones((), parameters.dtype)
        moving = jax.vmap(lambda z: jax.jvp(lambda t: flow.inverse_and_log_det(z, t), (unit,), (unit,)))
        (x, _), (_, rates) = moving(state.seeds)
        sources = frame.outside(samples_at(flow, x, unit))
        record = Past(frame, parameters, rough, jnp.asarray(self.steps, jnp.int32))
        past = jax.tree.map(lambda rows, row: rows.at[state.count].set(row), state.past, record)
        result = RESULTS.where(rough <= self.tolerance, RESULTS.successful, RESULTS.poor_fit)
        result = RESULTS.where(state.count < self.intervals, result, RESULTS.capacity_exceeded)
        finite = jnp.all(jnp.isfinite(x)) & jnp.all(jnp.isfinite(sources.log_p))
        result = RESULTS.where(finite, result, RESULTS.nonfinite)
        growth, on = jnp.quantile(jnp.abs(rates), 0.995) / frame.duration, ravel_pytree(later(flow))[0]
        after = PriorState(
            sources=sources, seeds=state.seeds, parameters=on, growth=growth, past=past, count=state.count + 1
        )
        return after, result
