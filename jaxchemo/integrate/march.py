"""Methods that choose their own intervals: advanced to the final time, and evaluated afterwards."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from jaxchemo import _checks, _progress
from jaxchemo.integrate.saveat import SaveAt
from jaxchemo.integrate.solution import SolveError
from jaxchemo.io import Checkpoint, CheckpointError, identity
from jaxchemo.methods.base import Snapshot
from jaxchemo.methods.flows.base import AbstractFlow
from jaxchemo.methods.flows.interval import detached
from jaxchemo.methods.flows.labels import Samples
from jaxchemo.methods.flows.path import AbstractPath
from jaxchemo.methods.free_space import Attraction
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

Points = Float[ArrayLike, "*batch d"]


class FlowSolution(eqx.Module):
    """The outcome of a run of a flow: a density that can be evaluated anywhere, at any time that was reached.

    **Fields:**

    - `ts`, `ys`: times that were saved `(k,)`, and what was saved, stacked.
    - `final`: the last state: `final.positions`, sources of the field, each of the weight `final.weights`.
    - `result`: how it ended, one of `RESULTS`.
    - `stats`: `t`, the time reached; `num_intervals`; of each interval `starts`, `durations`, `residuals` (over the
      velocity, root mean squares) and `solves`; and `growth`, the relative change of density at the end [1 / time],
      whose inverse estimates the time left to a collapse.
    - `path`: the flow itself.

    All methods take points `(..., d)` and a time.
    """

    ts: Float[Array, " k"]
    ys: Any
    final: Snapshot
    result: RESULTS
    stats: dict[str, Any]
    path: AbstractPath

    def log_prob(self, x: Points, t: ArrayLike) -> Float[Array, "*batch"]:
        """Logarithm of the density over the mass."""
        return self._evaluate(x, t, _log_prob)

    def density(self, x: Points, t: ArrayLike) -> Float[Array, "*batch"]:
        """Density of the cells [mass / length^d]."""
        return Attraction.of(self.path.problem).mass * jnp.exp(self.log_prob(x, t))

    def score(self, x: Points, t: ArrayLike) -> Float[Array, "*batch d"]:
        """Gradient of the log density [1 / length]."""
        return self._evaluate(x, t, _score)

    def velocity(self, x: Points, t: ArrayLike) -> Float[Array, "*batch d"]:
        """Velocity at which the flow carries the density [length / time]."""
        return self._evaluate(x, t, _velocity)

    def residual(self, x: Points, t: ArrayLike) -> Float[Array, "*batch d"]:
        """That velocity less the drift velocity of the density [length / time]."""
        return self._evaluate(x, t, _residual)

    def signal(self, x: Points, t: ArrayLike) -> Float[Array, "*batch"]:
        """Concentration of the signal; in two dimensions up to a constant."""
        return self._made() * self._evaluate(x, t, _signal)

    def signal_gradient(self, x: Points, t: ArrayLike) -> Float[Array, "*batch d"]:
        """Gradient of the signal [concentration / length]."""
        return self._made() * self._evaluate(x, t, _signal_gradient)

    def sample(self, key: PRNGKeyArray, n: int, t: ArrayLike) -> Float[Array, "n d"]:
        """`n` independent positions of cells at a time [length]."""
        return self.path.sample(key, _checks.natural("n", n), self._time(t))

    def _made(self) -> Array:
        system = Attraction.of(self.path.problem)
        return system.made * system.mass

    def _evaluate(self, x: Points, t: ArrayLike, what: Any) -> Array:
        points, time = jnp.asarray(x, float), self._time(t)
        ndim = self.path.problem.domain.ndim
        if points.shape[-1:] != (ndim,):
            raise ValueError(f"`x` must be points (..., {ndim}), got the shape {points.shape}.")
        found = _evaluated(self.path, points.reshape(-1, ndim), time, what)
        return found.reshape(points.shape[:-1] + found.shape[1:])

    def _time(self, t: ArrayLike) -> Array:
        reached = self.stats["t"]
        time = jnp.asarray(t, reached.dtype)
        if _checks.is_concrete(time) and _checks.is_concrete(reached) and float(time) > float(reached):
            raise ValueError(f"`t` must be a time that was reached, at most {float(reached):g}, got {float(time):g}.")
        return time


@eqx.filter_jit  # compiled once for all times and all points of a number
def _evaluated(
    path: AbstractPath, x: Array, t: Array, what: Callable[[AbstractPath, Samples, Array, Array], Array]
) -> Array:
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


def solve_by_flow(
    problem: Problem,
    method: AbstractFlow,
    *,
    t0: float,
    t1: float,
    key: PRNGKeyArray | None,
    saveat: SaveAt,
    throw: bool,
) -> FlowSolution:
    """As `solve`, for a flow."""
    ts = _checked(problem, method, t0, t1, saveat)
    key = jax.random.key(0) if key is None else key
    posed = _explicit(problem)
    state = _march(detached(posed), method, jnp.asarray(t0, float), jnp.asarray(t1, float), key)
    return _solution(problem, method, _differentiable(_short(state), method, posed, key), ts, saveat, throw)


def run_by_flow(
    problem: Problem,
    method: AbstractFlow,
    *,
    t0: float,
    t1: float,
    key: PRNGKeyArray | None,
    saveat: SaveAt,
    checkpoint: str | Path | None,
    resume: bool,
    overwrite: bool,
    progress: bool | str,
    throw: bool,
) -> FlowSolution:
    """As `run`, for a flow: interval by interval."""
    ts = _checked(problem, method, t0, t1, saveat)
    key, until = jax.random.key(0) if key is None else key, jnp.asarray(t1, float)
    what = identity(problem=problem, method=method, key=key, t0=t0)
    with contextlib.ExitStack() as files:
        saved = None
        if checkpoint is not None:
            saved = files.enter_context(Checkpoint.opened(checkpoint, what, resume=resume, overwrite=overwrite))
        show = files.enter_context(_progress.bar(progress, 1000, method.name))
        show(0, "compiling")
        state = eqx.filter_jit(method.start)(problem, jnp.asarray(t0, float), key)
        if saved is not None and saved.progress is not None:
            state = saved.restore(state)
            if float(state.t) > float(until):
                raise CheckpointError(
                    f"The checkpoint {str(saved.path)!r} is at t={float(state.t):g}, after the end of this run: "
                    "a later `t1` would do."
                )
        advance = eqx.filter_jit(type(method).advance)
        while _goes_on(state, until):
            before = int(state.count)
            state = jax.block_until_ready(advance(method, problem, state, until))
            if int(state.count) > before and saved is not None:
                saved.save({"intervals": int(state.count)}, state)
            show(round(1000 * (float(state.t) - t0) / (t1 - t0)), _said(state))
    return _solution(problem, method, _short(state), ts, saveat, throw)


def _said(state: Any) -> str:
    """Where a state stands, in a few words."""
    if not int(state.count):
        return "first interval"
    last, end = int(state.count) - 1, float(state.t + 1 / state.growth)
    rough = float(state.past.residual[last])
    return f"t = {float(state.t):.4g}, interval {last + 1}, residual {rough:.1%}, blow-up not before {end:.4g}"


def _checked(problem: Problem, method: AbstractFlow, t0: float, t1: float, saveat: SaveAt) -> tuple[float, ...]:
    """The times to save at, after a look at everything that is given."""
    method.check(problem)
    if t1 - t0 > method.latest(problem) * (1 + 1e-6):
        raise ValueError(
            f"`t1` must not be later than t0 + {method.latest(problem):.6g}: the second moment of the density falls "
            f"to zero there, so the solution ends before. Got t1 - t0 = {t1 - t0:g}."
        )
    return saveat.times(t0, t1)


def _solution(
    problem: Problem, method: AbstractFlow, state: Any, ts: tuple[float, ...], saveat: SaveAt, throw: bool
) -> FlowSolution:
    if _checks.is_concrete(state.t):  # which is exactly the last time, in its own precision, if that was reached
        ts = tuple(t for t in ts if bool(jnp.asarray(t, state.t.dtype) <= state.t))
    solution = _finish(problem, method, state, ts, saveat)
    if throw and _checks.is_concrete(state.t) and not bool(solution.result == RESULTS.successful):
        raise SolveError(f"At t={float(state.t):g}: {RESULTS[solution.result]}", solution)
    return solution


def _short(state: Any) -> Any:
    """A state without the places of intervals that were not needed, where their number is known."""
    if not _checks.is_concrete(state.count):
        return state
    used = max(int(state.count), 1)
    return eqx.tree_at(lambda m: m.past, state, jax.tree.map(lambda rows: rows[:used], state.past))


def _explicit(problem: Problem) -> Problem:
    """The problem, with what the fluid's function closes over made a part of it, if that is being differentiated."""
    fluid = problem.continuum.advection
    if fluid is None:
        return problem
    open_ = eqx.filter_closure_convert(fluid, jnp.zeros(problem.domain.ndim, float))
    if all(_checks.is_concrete(leaf) for leaf in jax.tree.leaves(open_)):
        return problem  # the function itself, which is not compiled again in the next run
    return eqx.tree_at(lambda problem: problem.model.advection, problem, open_)


@eqx.filter_custom_jvp
def _differentiable(state: Any, method: AbstractFlow, problem: Problem, key: PRNGKeyArray) -> Any:
    """A state that was trained with the problem held, with its derivative in the problem."""
    return state


@_differentiable.def_jvp
def _differentiable_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    (state, method, problem, key), (_, _, moved, _) = primals, tangents
    return state, eqx.filter_jvp(lambda problem: _replay(problem, method, state, key), (problem,), (moved,))[1]


@eqx.filter_jit
def _replay(problem: Problem, method: AbstractFlow, state: Any, key: PRNGKeyArray) -> Any:
    return method.differentiable(problem, state, key)


@eqx.filter_jit
def _march(problem: Problem, method: AbstractFlow, t0: Array, t1: Array, key: PRNGKeyArray) -> Any:
    start = method.start(problem, t0, key)
    return jax.lax.while_loop(
        lambda state: _goes_on(state, t1), lambda state: method.advance(problem, state, t1), start
    )


def _goes_on(state: Any, until: Array) -> Array:
    # The last interval ends at `until` exactly: a tolerance would have to know the precision.
    return (state.t < until) & (state.result == RESULTS.successful)


@eqx.filter_jit
def _finish(problem: Problem, method: AbstractFlow, state: Any, ts: Sequence[float], saveat: SaveAt) -> FlowSolution:
    path, past = method.path(problem, state), state.past
    weight = Attraction.of(problem).mass / state.seeds.shape[0]

    def shown(samples: Samples) -> Snapshot:
        return Snapshot(None, None, samples.position, weight)

    ys = [saveat.fn(shown(path.sources(jnp.asarray(t, state.t.dtype)))) for t in ts]
    stats = {
        "t": state.t,
        "num_intervals": state.count,
        "starts": past.frame.start,
        "durations": past.frame.duration,
        "residuals": past.residual,
        "solves": past.solves,
        "growth": state.growth,
    }
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *ys) if ys else None
    return FlowSolution(jnp.asarray(ts), stacked, shown(state.sources), state.result, stats, path)
