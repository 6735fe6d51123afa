"""How likely measured tracks are, when nobody saw who tumbled: swimmers by the thousand follow each of them."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo import initial as initials
from jaxchemo.domain import Components, FreeSpace
from jaxchemo.inference.guided import Guided
from jaxchemo.inference.track_data import Tracks
from jaxchemo.methods.swimmers.agents import started
from jaxchemo.methods.swimmers.events import OnceAStep
from jaxchemo.methods.swimmers.headings import anywhere
from jaxchemo.methods.swimmers.state import Swimmers
from jaxchemo.methods.swimmers.surroundings import on_grid
from jaxchemo.models import RunAndTumble
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

AHEAD = 3  # frames to come, towards which turns are tried
FEW = 0.5  # effective share of particles, below which they are drawn anew
SLACK, OTHERWISE = 0.05, 0.02


def track_log_likelihood(
    swimmers: RunAndTumble | Problem,
    tracks: Tracks,
    noise: ArrayLike,
    num_particles: int = 1000,
    *,
    key: PRNGKeyArray,
    substeps: int = 1,
) -> Float[Array, " p"]:
    """Logarithm of the density of each track's positions after the first, by a particle filter."""
    return jnp.sum(increments(swimmers, tracks, noise, num_particles, key=key, substeps=substeps), axis=1)


def increments(
    swimmers: RunAndTumble | Problem,
    tracks: Tracks,
    noise: ArrayLike,
    num_particles: int = 1000,
    *,
    key: PRNGKeyArray,
    substeps: int = 1,
    batch: int = 16,
) -> Float[Array, "p t"]:
    """The logarithm of the density of each frame after those before it, zero where nothing was seen."""
    problem = posed(swimmers, tracks.ndim)
    noise = _checks.positive("noise", noise)
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(jnp.arange(tracks.num_tracks))

    def one(track: tuple[Array, Array, Array]) -> Array:
        return _filtered(problem, *track, tracks.dt, noise, num_particles, substeps)

    return jax.lax.map(one, (tracks.positions, tracks.seen, keys), batch_size=min(batch, tracks.num_tracks))


def posed(swimmers: RunAndTumble | Problem, ndim: int) -> Problem:
    """The problem of swimmers that can be followed. **Raises:** `TypeError` or `ValueError` for others."""
    if isinstance(swimmers, RunAndTumble):
        swimmers = Problem(swimmers, FreeSpace(ndim), density=initials.gaussian(mass=1.0, center=(0.0,) * ndim, std=1.0))
    return swimmers


class _Cloud(NamedTuple):
    """Swimmers that may be the one of a track.

    Each stands for the Gaussian of positions that it may have begun at, given all its turns: its position is the mean,
    and the variance is the same for all.
    """

    agents: Swimmers
    log_weights: Array
    variance: Array
    well: Array


def _filtered(
    problem: Problem, positions: Array, seen: Array, key: PRNGKeyArray, dt: Array, noise: Array, count: int, substeps: int
) -> Array:
    ndim, dtype = positions.shape[1], positions.dtype
    targets = _targets(positions, seen)
    cloud = _begun(problem, positions[0], targets[0], key, noise, count)
    step = dt / substeps

    def frame(cloud: _Cloud, at: tuple[Array, Array, Array, Any, Array]) -> tuple[_Cloud, Array]:
        y, there, target, coming, n = at
        guided = Guided(tuple(target.T))
        frame_key = jax.random.fold_in(key, n)

        def moved(cloud: _Cloud, m: Array | int) -> _Cloud:
            draw = jax.random.fold_in(frame_key, m)
            agents, result, likelier = OnceAStep().proposed(problem, cloud.agents, step, draw, guided)
            well = cloud.well & (result == RESULTS.successful)
            return _Cloud(agents, cloud.log_weights + likelier, cloud.variance, well)

        def substep(cloud: _Cloud, m: Array) -> tuple[_Cloud, None]:
            cloud = moved(cloud, m)
            promise = _promise(problem, cloud, y, there, dt - (m + 1) * step, noise)
            return _resampled(cloud, promise, jax.random.fold_in(frame_key, -1 - m)), None

        if substeps > 1:
            cloud = jax.lax.scan(substep, cloud, jnp.arange(substeps - 1))[0]
        cloud = moved(cloud, substeps - 1)
        agents = cloud.agents
        apart = tuple(yi - x for yi, x in zip(y, agents.positions, strict=True))
        spread = cloud.variance + noise**2
        log_density = -0.5 * sum(a * a for a in apart) / spread - 0.5 * ndim * jnp.log(2 * jnp.pi * spread)
        gain = jnp.where(there, cloud.variance / spread, 0)
        x = tuple(xi + gain * a for xi, a in zip(agents.positions, apart, strict=True))
        agents = eqx.tree_at(lambda each: each.positions, agents, x)
        log_weights = cloud.log_weights + jnp.where(there, log_density, 0)
        total = jax.nn.logsumexp(log_weights)
        cloud = _Cloud(agents, log_weights - total, cloud.variance * (1 - gain), cloud.well)
        promise = _promise(problem, cloud, *coming, dt, noise)
        return _resampled(cloud, promise, jax.random.fold_in(frame_key, substeps)), jnp.where(cloud.well, total, jnp.nan)

    following = jnp.roll(positions, -1, axis=0), seen & jnp.roll(seen, -1).at[-1].set(False)
    frames = positions[1:], seen[1:], targets[1:], tuple(part[1:] for part in following), jnp.arange(1, len(positions))
    return jax.lax.scan(frame, cloud, frames)[1].astype(dtype)


def _begun(problem: Problem, y: Array, target: Array, key: PRNGKeyArray, noise: Array, count: int) -> _Cloud:
    """Where it was first seen, in any direction, and as after a long time."""
    ndim = y.size
    directions, guides, speeds, tumbles = jax.random.split(jax.random.fold_in(key, 0), 4)
    x: Components = tuple(jnp.broadcast_to(yi, (count,)) for yi in y)
    p, log_weights = anywhere(directions, count, ndim, y.dtype), jnp.zeros(count, y.dtype)
    if ndim > 1:
        p, likely = Guided(tuple(target.T)).towards(x, p, guides)
        log_weights = -likely
    agents, share = started(problem, x, p, jnp.ones((), y.dtype), speeds, tumbles)
    if share is not None:
        has = jnp.where(agents.tumbling, share, 1 - share)
        log_weights = log_weights + jnp.log(has / jax.lax.stop_gradient(has))
    log_weights = log_weights - jnp.log(count)
    return _Cloud(agents, log_weights, noise**2, jnp.array(True))


def _promise(problem: Problem, cloud: _Cloud, y: Array, there: Array, dt: Array, noise: Array) -> Array:
    """Logarithm of about how likely each is where the track is seen next: those that have just turned still look poor."""
    next_x = cloud.agents.after(problem, dt).positions
    apart = sum((yi - x) ** 2 for yi, x in zip(y, next_x, strict=True))
    spread = cloud.variance + noise**2 + SLACK * sum((a - b) ** 2 for a, b in zip(next_x, cloud.agents.positions, strict=True))
    near = jnp.exp(-0.5 * apart / spread)
    return jax.lax.stop_gradient(jnp.where(there, jnp.log(near + OTHERWISE), 0))


def _resampled(cloud: _Cloud, promise: Array, key: PRNGKeyArray) -> _Cloud:
    """Drawn anew by their weights and promise, where few of them have much; weights keep the derivatives that they had."""
    log_share = jax.nn.log_softmax(jax.lax.stop_gradient(cloud.log_weights) + promise)
    share, count = jnp.exp(log_share), promise.size
    ends = jnp.cumsum(share)
    # Systematic: evenly spaced, with one random number for all.
    places = (jnp.arange(count) + jax.random.uniform(key, dtype=share.dtype)) / count * ends[-1]
    drawn = jnp.minimum(jnp.searchsorted(ends, places), count - 1)
    few = 1 < FEW * count * jnp.sum(share**2)
    chosen = jnp.where(few, drawn, jnp.arange(count))
    agents = jax.tree.map(lambda leaf: leaf[chosen] if jnp.ndim(leaf) else leaf, cloud.agents)
    log_weights = cloud.log_weights[chosen]
    # Scibior and Wood (2021): each weighs what it did over how often it was drawn, which has no derivative.
    even = log_weights - log_share[chosen] - jnp.log(count)
    return _Cloud(agents, jnp.where(few, even, log_weights), cloud.variance, cloud.well)


def _targets(positions: Array, seen: Array) -> Array:
    """For each frame the places where it is seen in it and next, `(t, AHEAD, d)`; at the end the last."""
    count = len(seen)
    number = jnp.where(seen, jnp.arange(count), count)
    coming = jax.lax.cummin(number, reverse=True)  # the frame itself, if it is seen
    last = jnp.max(jnp.where(seen, jnp.arange(count), 0))
    each = [jnp.minimum(coming, last)]
    for _ in range(AHEAD - 1):
        after = jnp.concatenate([coming[1:], jnp.array([count])])
        each.append(jnp.minimum(after[jnp.minimum(each[-1], count - 1)], last))
    return positions[jnp.stack(each, axis=1)]
