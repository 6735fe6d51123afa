"""Tracks of simulated swimmers, seen as measured ones were: as long, with errors, and smoothed."""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import initial
from jaxchemo.domain import FreeSpace
from jaxchemo.inference.smoothing import MovingAverage, TrendFilter, Unsmoothed
from jaxchemo.inference.track_rows import Rows
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods.swimmers.agents import Agents
from jaxchemo.models import Persistent, RunAndTumble
from jaxchemo.problem import Problem

STEP = 1 / 60  # of the agents at most [s]
MOST = (
    0.999  # events in a step: draws from a prior that would have more stand in one run with others, and must not end it
)
SMOOTHINGS = {"none": Unsmoothed, "trend": TrendFilter, "average": MovingAverage}


def swimmers(p: Mapping[str, Array], key: PRNGKeyArray, count: int, step: float) -> RunAndTumble:
    """`count` swimmers for each of `n` sets of numbers: the first of all sets first."""

    def each(name: str, draw: PRNGKeyArray) -> Float[Array, " swimmers"]:
        """Log-normal, of given mean and relative standard deviation."""
        width = jnp.sqrt(jnp.log1p(p[name + "_spread"] ** 2))[:, None]
        normal = jax.random.normal(draw, (width.shape[0], count))
        return (p[name][:, None] * jnp.exp(width * normal - 0.5 * width**2)).ravel()

    def every(values: Array) -> Float[Array, " swimmers"]:
        return jnp.repeat(values, count)

    speeds, rates, diffusions = jax.random.split(key, 3)
    return RunAndTumble(
        each("speed", speeds),
        jnp.minimum(each("tumble_rate", rates), MOST / step),
        Persistent(every(p["persistence"])),
        rotational_diffusion=each("rotational_diffusion", diffusions),
        tumble_duration=every(p["tumble_duration"]),
    )


def simulated_tracks(
    p: Mapping[str, Float[Array, " n"]],
    key: PRNGKeyArray,
    rows: Rows,
    dt: float,
    ndim: int,
    smoothing: str,
) -> Float[Array, "n t r d"]:
    """Tracks of swimmers of `n` sets of numbers, in the rows of the measured ones [length]."""
    own, moving, errors = jax.random.split(key, 3)
    sets, count = p["speed"].shape[0], rows.num_tracks
    steps = math.ceil(dt / STEP - 1e-6)
    model = swimmers(p, own, count, dt / steps)
    start = initial.particles(jnp.zeros((sets * count, ndim)))
    problem = Problem(model, FreeSpace(ndim), start)
    save = SaveAt(every=steps, fn=lambda snapshot: snapshot.positions)
    t1 = max(rows.num_frames - 1, 1) * dt
    run = solve(
        problem, Agents(sets * count), t1=t1, dt=dt / steps, key=moving, saveat=save, adjoint=Forward(), throw=False
    )
    x = run.ys.reshape(-1, sets, count, ndim)[rows.frame, :, jnp.maximum(rows.track, 0)]  # (t, r, n, d)
    noise = jnp.stack([p["error"], p["error"], p.get("error_z", p["error"])][:ndim], axis=-1)
    x = x + noise * jax.random.normal(errors, x.shape)
    if smoothing != "none":
        joined = jnp.broadcast_to(rows.joined[:, :, None, None], (len(x) - 1, *x.shape[1:]))
        x = SMOOTHINGS[smoothing](p["smoothing"][:, None]).smoothed(x, joined)
    return jnp.moveaxis(x, 2, 0)
