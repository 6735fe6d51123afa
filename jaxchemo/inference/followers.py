"""Swimmers that may be the one of a track: each a Gaussian of positions, directions and speed about its own path."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxchemo.domain import Components
from jaxchemo.methods.swimmers.state import Swimmers
from jaxchemo.problem import Problem

CAP = 0.15  # standard deviation of a direction about the one that is drawn at a turn [rad]


class Followers(eqx.Module):
    """Swimmers, and the Gaussian of each about its mean, given when it turned and about whereto.

    **Fields:**

    - `mean`: position and speed, along the mean direction, of each.
    - `covariance`: of position [length] and of velocity over the mean speed [dimensionless] `(n, 2d, 2d)`.
    """

    mean: Swimmers
    covariance: Float[Array, "n m m"]

    def velocity(self) -> Float[Array, "n d"]:
        """The mean of each over the mean speed, as it runs: shorter than the pace, as its direction is not certain."""
        along = jnp.stack(self.mean.headings, axis=1)
        d = along.shape[1]
        pace = _pace(self.mean)
        across = jnp.trace(self.covariance[:, d:, d:], axis1=1, axis2=2) - _along(self.covariance, along)
        return along * (pace - across / (2 * pace))[:, None]

    def swims(self, problem: Problem) -> Float[Array, "n d"]:
        """The mean velocity of each now: zero while it tumbles [length / time]."""
        return jnp.stack([self.mean.velocity(problem) * p for p in self.mean.headings], axis=1)

    def after(self, problem: Problem, dt: Any) -> "Followers":
        """A time later: those that run move on, and their directions diffuse."""
        mean, d = self.mean, len(self.mean.positions)
        runs = jnp.ones(mean.positions[0].shape) if mean.tumbling is None else jnp.where(mean.tumbling, 0.0, 1.0)
        runs = runs.astype(mean.positions[0].dtype)
        speed = problem.swimmers.speed_at(mean.positions)
        diffusion = problem.swimmers.rotational_diffusion
        kept, reach = jnp.ones_like(runs), runs * speed * dt
        if diffusion is not None:
            # A direction u has the mean exp(-forgets) u after the time, and across it the mean square below.
            forgets = (d - 1) * diffusion * dt
            kept = jnp.where(runs > 0, jnp.exp(-forgets), kept)
            reach = reach * jnp.where(forgets > 1e-4, -jnp.expm1(-forgets) / forgets, 1 - 0.5 * forgets)
        across = jnp.zeros_like(kept) if diffusion is None else (1 - jnp.exp(-2 * d * diffusion * dt * runs)) / d
        u, pace = jnp.stack(mean.headings, axis=1), _pace(mean)
        sideways = (across * pace**2)[:, None, None] * (jnp.eye(d) - u[:, :, None] * u[:, None, :])
        xx, xv, vv = self.covariance[:, :d, :d], self.covariance[:, :d, d:], self.covariance[:, d:, d:]
        if d > 1:
            # A direction that is not certain makes the way along its mean uncertain, by the variance of a cosine.
            spread = (jnp.trace(vv, axis1=1, axis2=2) - _along(self.covariance, u) + (d - 1) * across) ** 2 / (
                2 * (d - 1)
            )
            xx = xx + ((reach**2 * spread / pace**2)[:, None, None]) * (u[:, :, None] * u[:, None, :])
        h, k, far = reach[:, None, None], kept[:, None, None], (runs * speed * dt)[:, None, None]
        xx = xx + h * (xv + jnp.swapaxes(xv, 1, 2)) + h**2 * vv + far**2 / 3 * sideways
        xv = k * (xv + h * vv) + far / 2 * sideways
        vv = k**2 * vv + sideways
        moved = self.velocity() * reach[:, None]
        x = tuple(xi + moved[:, axis] for axis, xi in enumerate(mean.positions))
        return Followers(dataclasses.replace(mean, positions=x), _joined(xx, xv, vv))

    def seen(self, y: Float[Array, " d"], noise: Array, there: Array) -> tuple["Followers", Float[Array, " n"]]:
        """Those that know the position of a frame, and the logarithm of the density that it had for each."""
        d = len(self.mean.positions)
        state = jnp.concatenate([jnp.stack(self.mean.positions, axis=1), self.velocity()], axis=1)
        before, covariance, total = state, self.covariance, jnp.zeros(len(state), state.dtype)
        for axis in range(d):  # one coordinate after the other: no matrix has to be inverted
            spread = covariance[:, axis, axis] + noise**2
            apart = y[axis] - state[:, axis]
            gain = jnp.where(there, covariance[:, :, axis] / spread[:, None], 0)
            total = total - 0.5 * apart**2 / spread - 0.5 * jnp.log(2 * jnp.pi * spread)
            state = state + gain * apart[:, None]
            covariance = covariance - gain[:, :, None] * covariance[:, axis, None, :]
        x, old = tuple(state[:, axis] for axis in range(d)), jnp.stack(self.mean.headings, axis=1)
        if d == 1:
            new = old
        else:
            v = state[:, d:]
            new = v / jnp.linalg.norm(v, axis=1, keepdims=True)
            covariance = _rotated(covariance, old, new)
        mean = dataclasses.replace(self.mean, positions=x, headings=tuple(new[:, axis] for axis in range(d)))
        if mean.pace is not None:
            faster = jnp.sum((state[:, d:] - before[:, d:]) * old, axis=1)
            mean = dataclasses.replace(mean, pace=mean.pace + faster)
        return Followers(mean, covariance), jnp.where(there, total, 0)

    def turned(self, problem: Problem, turns: Bool[Array, " n"], new: Components) -> "Followers":
        """Some of them with new directions, about each of which they lie in a small cap."""
        old, u = jnp.stack(self.mean.headings, axis=1), jnp.stack(new, axis=1)
        covariance, d = self.covariance, u.shape[1]
        pace = _pace(self.mean)
        along = _along(covariance, old)[:, None, None] * (u[:, :, None] * u[:, None, :])
        with_pace = jnp.einsum("nij,nj->ni", covariance[:, :d, d:], old)[:, :, None] * u[:, None, :]
        cap = (CAP**2 * pace**2)[:, None, None] * (jnp.eye(d) - u[:, :, None] * u[:, None, :])
        fresh = _joined(covariance[:, :d, :d], with_pace, along + (cap if d > 1 else 0))
        headings = tuple(jnp.where(turns, q, p) for q, p in zip(new, self.mean.headings, strict=True))
        chosen = jnp.where(turns[:, None, None], fresh, covariance)
        return Followers(dataclasses.replace(self.mean, headings=headings), chosen)

    def unsure_when(self, change: Float[Array, "n d"], dt: Any) -> "Followers":
        """Displaced by a change of velocity that came at any moment of a time, not in its middle [length / time]."""
        d = change.shape[1]
        jump = dt**2 / 12 * change[:, :, None] * change[:, None, :]
        return Followers(self.mean, self.covariance.at[:, :d, :d].add(jump))

    def taken(self, chosen: Array) -> "Followers":
        """Those of these numbers."""
        return jax.tree.map(lambda leaf: leaf[chosen] if jnp.ndim(leaf) else leaf, self)


def _pace(mean: Swimmers) -> Array:
    return jnp.ones_like(mean.positions[0]) if mean.pace is None else mean.pace


def _along(covariance: Array, u: Array) -> Array:
    """Variance of the pace: that of the velocity along the direction."""
    d = u.shape[1]
    return jnp.einsum("ni,nij,nj->n", u, covariance[:, d:, d:], u)


def _joined(xx: Array, xv: Array, vv: Array) -> Array:
    upper = jnp.concatenate([xx, xv], axis=2)
    return jnp.concatenate([upper, jnp.concatenate([jnp.swapaxes(xv, 1, 2), vv], axis=2)], axis=1)


def _rotated(covariance: Array, old: Array, new: Array) -> Array:
    """With velocities turned as the direction is, so that none lies across a direction that lay along it."""
    d = old.shape[1]
    both = old + new
    cosine = jnp.sum(old * new, axis=1)[:, None, None]
    turn = jnp.eye(d) - both[:, :, None] * both[:, None, :] / (1 + cosine) + 2 * new[:, :, None] * old[:, None, :]
    xv = jnp.einsum("nij,nkj->nik", covariance[:, :d, d:], turn)
    vv = jnp.einsum("nij,njk,nlk->nil", turn, covariance[:, d:, d:], turn)
    return _joined(covariance[:, :d, :d], xv, vv)
