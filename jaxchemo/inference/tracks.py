"""Tracks of swimmers: how likely they are, what they tell, and the derivatives that no path carries."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.domain import Grid
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import Agents
from jaxchemo.methods.swimmers.events import turn_chance
from jaxchemo.methods.swimmers.surroundings import Surroundings, on_grid
from jaxchemo.problem import Problem


def log_likelihood(
    problem: Problem,
    ts: Float[ArrayLike, " t"],
    positions: Float[ArrayLike, "t p d"],
    headings: Float[ArrayLike, "t p d"],
) -> Float[Array, " p"]:
    """Logarithm of the chance of each agent's turns, given where it was: by the chances with which `Agents` turn.

    Differentiable in the tumble rate of the problem's model. A turn is a heading that changes between two frames: at
    all without rotational diffusion, by more than half a radian with it. In one dimension it is exact for tracks that
    `Agents` saved at every step; elsewhere but for turns that cannot be told from none.

    **Arguments:**

    - `problem`: swimmers without walls, with a rate that has no memory, and a signal that a formula gives.
    - `ts`: evenly spaced times [time]; `positions`, `headings`: at each [length], [dimensionless].

    **Returns:** a number for each of the `p` agents [dimensionless].

    **Raises:** `TypeError` for swimmers with a memory, with walls, or in a signal that changes; `ValueError` for
    missing frames.
    """
    model = problem.swimmers
    if model.tumble_rate.has_memory or model.tumble_duration is not None or on_grid(problem):
        raise TypeError("Likelihoods are for rates without memory or duration, in a signal that a formula gives.")
    if isinstance(problem.domain, Grid) and not all(problem.domain.periodic):
        raise TypeError("Likelihoods are for swimmers without walls: FreeSpace, or a periodic box.")
    x, p, times = jnp.asarray(positions), jnp.asarray(headings), jnp.asarray(ts)
    known = [np.asarray(part) for part in (positions, headings) if _checks.is_concrete(part)]
    if not all(np.isfinite(part).all() for part in known):
        raise ValueError("`positions` and `headings` must have no missing frames: cut the tracks there.")
    dt = times[1] - times[0]
    # Without rotational diffusion only a turn changes a heading by more than the rounding of single precision.
    closeness = math.cos(0.5) if model.rotational_diffusion is not None else 1 - 1e-4
    surroundings = Surroundings.of(problem)

    def step(total: Array, frames: tuple[Array, Array, Array]) -> tuple[Array, None]:
        place, before, after = (tuple(part.T) for part in frames)
        speed = model.speed_at(place)
        # Where `Agents` decide on a turn: half a run later, still in the old direction.
        middle = tuple(xi + 0.5 * dt * speed * q for xi, q in zip(place, before, strict=True))
        cue = surroundings.cue(problem, middle, before, model.speed_at(middle))
        chance = turn_chance(problem, cue, model.tumble_rate.rate(cue), dt)
        turned = sum(q * r for q, r in zip(before, after, strict=True)) < closeness
        return total + jnp.where(turned, jnp.log(chance), jnp.log1p(-chance)), None

    return jax.lax.scan(step, jnp.zeros(x.shape[1], x.dtype), (x[:-1], p[:-1], p[1:]))[0]


class Score(NamedTuple):
    """A mean over agents, its gradient in parameters, and the standard error of that gradient; see `score_gradient`.

    **Fields:**

    - `value`: the mean, in the unit of the statistic.
    - `gradient`, `error`: pytrees as the parameters.

    >>> numbers = {"rate": jnp.array(-800.0)}, {"rate": jnp.array(20.0)}
    >>> score = jc.inference.Score(jnp.array(1000.0), *numbers)
    >>> float(score.gradient["rate"] / score.error["rate"])
    -40.0
    """

    value: Float[Array, ""]
    gradient: Any
    error: Any


def score_gradient(
    statistic: Callable[[Float[Array, "p d"]], Float[Array, " p"]],
    build: Callable[[Any], Problem],
    parameters: Any,
    num_agents: int,
    *,
    t1: float,
    dt: float,
    key: PRNGKeyArray,
) -> Score:
    """Gradient of the mean of a statistic of agents in parameters of their tumble rate, by likelihood ratios.

    A turn is a jump, so that no derivative flows along the path of an agent through who turns when: what does flow,
    with respect to rates, is zero. The score does it: `mean of (f - b) d log L`, with for each agent the mean of all
    others as the baseline `b`. Unbiased for the discrete process in one dimension; elsewhere as far as `log_likelihood`
    is exact. Its variance grows with the number of turns: for the second moment of 10,000 free agents, its standard
    error was 2.5% of the derivative after 3 mean runs and 5% after 10.

    Where nothing but the speed changes, and the rate depends on no place, `jax.grad` through `solve` is right and much
    better: turns then stay where they are. For swimmers in fields differentiate `Kinetic` or `FokkerPlanck`.

    **Arguments:**

    - `statistic`: from the final positions `(p, d)` to a number for each agent `(p,)`.
    - `build`: from parameters to a problem, as `log_likelihood` takes it.
    - `parameters`: a pytree of numbers.
    - `num_agents`: agents; at least 2.
    - `t1`, `dt`, `key`: as `jc.solve`.

    **Raises:** `ValueError` or `TypeError` for fewer than two agents; as `jc.solve` and `log_likelihood`.

    **Source:** Glynn (1990); the baseline leaves each agent out of its own.
    """
    _checks.natural("num_agents", num_agents, at_least=2)
    problem = build(parameters)
    every = SaveAt(every=1)
    run = solve(problem, Agents(num_agents), t1=t1, dt=dt, key=key, saveat=every, adjoint=Forward())
    values = statistic(run.final.positions)
    others = (jnp.sum(values) - values) / (num_agents - 1)
    tracks = run.ts, run.ys.positions, run.ys.headings
    # Forward mode: there are many agents and few parameters, and nothing of the path is kept in memory.
    scores = jax.jacfwd(lambda numbers: log_likelihood(build(numbers), *tracks))(parameters)

    def each(score: Array) -> Array:
        return (values - others).reshape((-1,) + (1,) * (score.ndim - 1)) * score

    gradient = jax.tree.map(lambda score: jnp.mean(each(score), axis=0), scores)
    error = jax.tree.map(lambda score: jnp.std(each(score), axis=0) / math.sqrt(num_agents), scores)
    return Score(jnp.mean(values), gradient, error)


def fisher_information(
    build: Callable[[Float[Array, " k"]], Problem],
    parameters: Float[Array, " k"],
    ts: Float[ArrayLike, " t"],
    positions: Float[ArrayLike, "t p d"],
    headings: Float[ArrayLike, "t p d"],
) -> Float[Array, "k k"]:
    """What one track tells of parameters of the tumble rate: the mean over tracks of the score times itself.

    The standard error of an estimate from `n` such tracks is at best the root of the diagonal of its inverse, over the
    root of n (Cramer and Rao). A swimmer that turns at a constant rate a for a time T gives `T / a`.

    **Arguments:** `build` from parameters `(k,)` to a problem, and the tracks, as `log_likelihood` takes them. The
    tracks must be those of swimmers with these parameters: at others the mean score is not zero.

    **Returns:** `(k, k)`, in the inverse units of the parameters.

    **Raises:** as `log_likelihood`.
    """
    scores = jax.jacfwd(lambda numbers: log_likelihood(build(numbers), ts, positions, headings))(parameters)
    return jnp.mean(scores[:, :, None] * scores[:, None, :], axis=0)
