"""How likely measured tracks are, when nobody saw who tumbled: many swimmers follow each of them."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo import initial as initials
from jaxchemo.domain import Components, FreeSpace
from jaxchemo.inference.followers import CAP, Followers
from jaxchemo.inference.guided import drawn_directions, first_directions
from jaxchemo.inference.track_data import Tracks
from jaxchemo.methods.swimmers import headings
from jaxchemo.methods.swimmers.agents import started
from jaxchemo.methods.swimmers.events import turn_chance
from jaxchemo.methods.swimmers.state import end_rate
from jaxchemo.models import RunAndTumble
from jaxchemo.problem import Problem

AHEAD = 3  # frames to come, towards which turns are tried
FEW = 0.5  # effective share of particles, below which they are drawn anew
TRIED = 0.2  # chance at least with which an event is tried in a step
OTHERWISE = 0.02  # promise of one that does not swim towards what is seen next, against one that does


def track_log_likelihood(
    swimmers: RunAndTumble | Problem,
    tracks: Tracks,
    noise: ArrayLike,
    num_particles: int = 200,
    *,
    key: PRNGKeyArray,
    substeps: int = 1,
) -> Float[Array, " p"]:
    """Logarithm of the density of each track's positions after the first: runs, tumbles and directions are not seen.

    By a particle filter. Each particle draws when a swimmer tumbles and about whereto it turns, by the laws of the
    model and more often towards where it was seen next, which its weight makes good; about such a path position,
    direction and speed are a Gaussian, followed as by an extended Kalman filter. A turn takes place at any moment of a
    step, and there is at most one in it. In one dimension without tumbles that is exact; elsewhere the Gaussians are an
    approximation, good where directions are known to a few tenths of a radian. For 16 tracks of 100 frames (0.1 s,
    speed 20 um/s, one tumble a second, error 0.5 um) the standard deviation of one estimate was 0.5 a track with 200
    particles, and 0.3 with 1,000; of swimmers drawn without Gaussians, it was 0.75 with 4,000.

    Its derivative, in forward mode (`jax.jvp`, `jax.jacfwd`), is the particles' estimate of Fisher's score; with one
    `key` for all parameters differences of values are less noisy. Rates that depend on the place, a signal or a memory
    are taken along the mean path of each particle.

    **Arguments:**

    - `swimmers`: a `RunAndTumble` model, or a problem of one in `FreeSpace`, with a signal that a formula gives. Speeds
      that differ by `speed_spread` are taken as normal, not log-normal.
    - `tracks`: measured; frames that were not seen count for nothing.
    - `noise`: standard deviation of the error of a position along each axis, positive [length].
    - `num_particles`: of each track. Default 200.
    - `key`: random key.
    - `substeps`: of a frame. Default 1; frames in which swimmers tumble more than once need more.

    **Returns:** a number for each of the `p` tracks [logarithm of 1 / length^(d times frames)].

    **Raises:** `ValueError` or `TypeError` for swimmers that cannot be followed: in a box, each with numbers of its
    own, or with turns that have no density.

    **Source:** Doucet, de Freitas, Murphy and Russell (2000); weights with derivatives: Scibior and Wood (2021),
    arXiv 2106.10314.

    >>> tracks = jc.inference.Tracks(2.0 * jnp.arange(10.0)[None, :, None] * jnp.array([1.0, 0.0]), dt=0.1)
    >>> def log_likelihood(speed):
    ...     model = jc.models.RunAndTumble(speed, 1.0)
    ...     return float(jc.inference.track_log_likelihood(model, tracks, 0.5, 50, key=jax.random.key(0))[0])
    >>> log_likelihood(20.0) > log_likelihood(15.0)
    True
    """
    return jnp.sum(increments(swimmers, tracks, noise, num_particles, key=key, substeps=substeps), axis=1)


def increments(
    swimmers: RunAndTumble | Problem,
    tracks: Tracks,
    noise: ArrayLike,
    num_particles: int = 200,
    *,
    key: PRNGKeyArray,
    substeps: int = 1,
    batch: int = 16,
) -> Float[Array, "p t"]:
    """The logarithm of the density of each frame after those before it; zero, but for chance, where it was not seen."""
    problem = posed(swimmers, tracks.ndim)
    noise = _checks.positive("noise", noise)
    _checks.natural("num_particles", num_particles, at_least=2)
    _checks.natural("substeps", substeps)
    _checks.random_key("key", key)
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(jnp.arange(tracks.num_tracks))

    def one(track: tuple[Array, Array, Array]) -> Array:
        positions, seen, draw = track
        return _filtered(problem, positions, seen, draw, tracks.dt, noise, num_particles, substeps)

    return jax.lax.map(one, (tracks.positions, tracks.seen, keys), batch_size=min(batch, tracks.num_tracks))


def posed(swimmers: RunAndTumble | Problem, ndim: int) -> Problem:
    """The problem of swimmers that can be followed. **Raises:** `TypeError` or `ValueError` for others."""
    if isinstance(swimmers, RunAndTumble):
        start = initials.gaussian(mass=1.0, center=(0.0,) * ndim, std=1.0)
        swimmers = Problem(swimmers, FreeSpace(ndim), density=start)
    what = "swimmers, jc.models.RunAndTumble(...), or a Problem of them"
    if not isinstance(swimmers, Problem) or not isinstance(swimmers.model, RunAndTumble):
        raise TypeError(f"`swimmers` must be {what}, got {swimmers!r}.")
    model = swimmers.swimmers
    if not isinstance(swimmers.domain, FreeSpace) or swimmers.domain.ndim != ndim:
        raise ValueError(f"`swimmers` must be in FreeSpace({ndim}), as the tracks are, got {swimmers.domain!r}.")
    if shape := model.shape(ndim):
        raise ValueError(f"`swimmers` must all have the same numbers, got some of {shape[0]}: jax.vmap over them.")
    if ndim == 1 and model.rotational_diffusion is not None:
        raise ValueError("`rotational_diffusion` has no meaning in one dimension: leave it out.")
    if model.turning.log_density(jnp.zeros(()), ndim) is None and not (ndim == 1 and model.tumble_duration is None):
        raise TypeError(f"`swimmers`: {model.turning!r} has no `log_density`, by which turns are weighed.")
    return swimmers


class _Cloud(NamedTuple):
    """Those that follow a track, and the logarithms of their weights."""

    followers: Followers
    log_weights: Array


def _filtered(
    problem: Problem,
    positions: Array,
    seen: Array,
    key: PRNGKeyArray,
    dt: Array,
    noise: Array,
    count: int,
    substeps: int,
) -> Array:
    targets = _targets(positions, seen)
    cloud = _begun(problem, positions[0], targets[0], key, noise, count)
    step = dt / substeps

    def frame(cloud: _Cloud, at: tuple[Array, Array, Array, Any, Array]) -> tuple[_Cloud, Array]:
        y, there, target, coming, n = at
        aims = tuple(target.T)
        frame_key = jax.random.fold_in(key, n)

        def substep(cloud: _Cloud, m: Array) -> tuple[_Cloud, None]:
            cloud = _lived(problem, cloud, aims, step, jax.random.fold_in(frame_key, m))
            promise = _promise(problem, cloud.followers, y, there, dt - (m + 1) * step, noise)
            return _resampled(cloud, promise, jax.random.fold_in(frame_key, -1 - m)), None

        if substeps > 1:
            cloud = jax.lax.scan(substep, cloud, jnp.arange(substeps - 1))[0]
        cloud = _lived(problem, cloud, aims, step, jax.random.fold_in(frame_key, substeps - 1))
        followers, log_density = cloud.followers.seen(y, noise, there)
        log_weights = cloud.log_weights + log_density
        total = jax.nn.logsumexp(log_weights)
        cloud = _Cloud(followers, log_weights - total)
        promise = _promise(problem, followers, coming[0], coming[1], dt, noise)
        return _resampled(cloud, promise, jax.random.fold_in(frame_key, substeps)), total

    following = jnp.roll(positions, -1, axis=0), seen & jnp.roll(seen, -1).at[-1].set(False)
    frames = positions[1:], seen[1:], targets[1:], tuple(part[1:] for part in following), jnp.arange(1, len(positions))
    return jax.lax.scan(frame, cloud, frames)[1]


def _begun(problem: Problem, y: Array, target: Array, key: PRNGKeyArray, noise: Array, count: int) -> _Cloud:
    """Where it was first seen, in any direction, and as after a long time."""
    d = y.size
    directions, speeds, tumbles = jax.random.split(jax.random.fold_in(key, 0), 3)
    x: Components = tuple(jnp.broadcast_to(yi, (count,)) for yi in y)
    p, log_weights = first_directions(x, tuple(target.T), directions)
    agents, share = started(problem, x, p, jnp.ones((), y.dtype), speeds, tumbles)
    if agents.pace is not None:
        agents = dataclasses.replace(agents, pace=jnp.ones_like(agents.pace))
    if share is not None and agents.tumbling is not None:
        has = jnp.where(agents.tumbling, share, 1 - share)
        log_weights = log_weights + jnp.log(has / jax.lax.stop_gradient(has))
    u = jnp.stack(p, axis=1)
    along = u[:, :, None] * u[:, None, :]
    spread = 0.0 if problem.swimmers.speed_spread is None else problem.swimmers.speed_spread**2
    vv = spread * along + CAP**2 * (jnp.eye(d) - along) * (d > 1)
    covariance = jnp.zeros((count, 2 * d, 2 * d), y.dtype)
    covariance = covariance.at[:, :d, :d].set(noise**2 * jnp.eye(d)).at[:, d:, d:].set(vv)
    return _Cloud(Followers(agents, covariance), log_weights - jnp.log(count))


def _lived(problem: Problem, cloud: _Cloud, aims: Components, dt: Array, key: PRNGKeyArray) -> _Cloud:
    """A step later: half a run, a chance of an event, the other half; weighed by how likely what happened is."""
    law = problem.swimmers.tumble_rate
    draws, memories, turning = jax.random.split(key, 3)
    followers = cloud.followers.after(problem, 0.5 * dt)
    mean, x = followers.mean, followers.mean.positions
    cue = mean.cue(problem)
    now = law.live(cue, mean.memory, dt, lambda: jax.random.normal(memories, x[0].shape, x[0].dtype))
    mean = dataclasses.replace(mean, memory=now.memory)
    followers = Followers(mean, followers.covariance)
    before = followers.swims(problem)
    rate, ends, tumbling = jnp.asarray(now.rate), end_rate(problem, now), mean.tumbling
    if tumbling is None or ends is None:
        chance = turn_chance(problem, cue, rate, dt)
    else:
        # A tumble begins and ends at even moments of two steps: of this chance it takes the right time in the mean.
        chance = jnp.where(tumbling, ends, rate) * dt
    chance = jnp.broadcast_to(chance, x[0].shape)
    tried = jax.lax.stop_gradient(jnp.where(chance > 0, jnp.clip(chance, TRIED, 1 - TRIED), 0))
    happens = headings.uniform(headings.words(draws, x[0].shape[0]) >> 8, 24, x[0].dtype) < tried
    log_weights = cloud.log_weights + jnp.log(
        jnp.where(happens, chance / jnp.where(tried > 0, tried, 1), (1 - chance) / (1 - tried))
    )
    if tumbling is None and len(x) == 1:  # the chance was one to reverse
        followers = followers.turned(problem, happens, tuple(-p for p in mean.headings))
    else:
        turns = happens if tumbling is None else happens & tumbling
        new, likelier = drawn_directions(problem.swimmers.turning, mean.headings, x, aims, turning)
        followers = followers.turned(problem, turns, new)
        log_weights = log_weights + jnp.where(turns, likelier, 0)
        if tumbling is not None:
            mean = dataclasses.replace(followers.mean, tumbling=tumbling ^ happens)
            followers = Followers(mean, followers.covariance)
    followers = followers.unsure_when(followers.swims(problem) - before, dt)
    return _Cloud(followers.after(problem, 0.5 * dt), log_weights)


def _promise(problem: Problem, followers: Followers, y: Array, there: Array, dt: Array, noise: Array) -> Array:
    """Logarithm of about how likely each is where the track is seen next, when it is too early to weigh it by that."""
    d = y.size
    then = jax.lax.stop_gradient(followers).after(problem, dt)
    apart = sum((yi - x) ** 2 for yi, x in zip(y, then.mean.positions, strict=True))
    spread = jnp.trace(then.covariance[:, :d, :d], axis1=1, axis2=2) / d + noise**2
    return jax.lax.stop_gradient(jnp.where(there, jnp.log(jnp.exp(-0.5 * apart / spread) + OTHERWISE), 0))


def _resampled(cloud: _Cloud, promise: Array, key: PRNGKeyArray) -> _Cloud:
    """Drawn anew by weight and promise, where few of them have much; weights keep the derivatives that they had."""
    log_share = jax.nn.log_softmax(jax.lax.stop_gradient(cloud.log_weights) + promise)
    share, count = jnp.exp(log_share), promise.size
    ends = jnp.cumsum(share)
    # Systematic: evenly spaced, with one random number for all.
    places = (jnp.arange(count) + jax.random.uniform(key, dtype=share.dtype)) / count * ends[-1]
    drawn = jnp.minimum(jnp.searchsorted(ends, places), count - 1)
    few = FEW * count * jnp.sum(share**2) > 1
    chosen = jnp.where(few, drawn, jnp.arange(count))
    log_weights = cloud.log_weights[chosen]
    # Scibior and Wood (2021): each weighs what it did over how often it was drawn, which has no derivative.
    even = log_weights - log_share[chosen] - jnp.log(count)
    return _Cloud(cloud.followers.taken(chosen), jnp.where(few, even, log_weights))


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
