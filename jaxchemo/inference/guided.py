"""Swimmers that are drawn where they were seen next: far fewer of them are then needed to follow a track."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from jaxchemo.domain import Components
from jaxchemo.methods.swimmers import headings
from jaxchemo.methods.swimmers.proposals import AbstractProposal
from jaxchemo.models.turning import Persistent

TOWARDS = 0.75  # share of the directions that are drawn towards what was seen; the others by the law of turning
SHARPNESS = 0.9  # mean cosine of the former about the line to where it was seen
LEAST = 0.2  # chance at least with which an event is tried


class Guided(AbstractProposal):
    """Turns at any moment of a step, and often towards where the swimmer was seen next.

    **Fields:**

    - `targets`: places where it was seen next, an array `(j,)` for each axis [length].
    """

    targets: Components

    def moment(self, key, x):
        # The moment of a turn is even over a step, and so is that of a small change of direction: both displace a
        # swimmer as the process itself does, to second moments, where turns in the middle would leave gaps.
        return jax.random.uniform(jax.random.fold_in(key, 2), x.shape, x.dtype)

    def chance(self, chance):
        return jnp.where(chance > 0, jnp.clip(chance, LEAST, 1 - LEAST), 0)

    def turned(self, problem, agents, turns, word, key, dt):
        law, old, ndim = problem.swimmers.turning, agents.headings, len(agents.headings)
        agents = agents.turned(problem, turns, word, dt)
        drawn = jax.lax.stop_gradient(agents.headings)
        if (density := law.log_density(_dot(drawn, old), ndim)) is None:
            return agents, 0.0  # the direction is a smooth function of what it was
        likely = jax.lax.stop_gradient(density)
        if ndim > 1:
            drawn, likely = self.towards(agents.positions, drawn, jax.random.fold_in(key, 3), law, old)
            density = law.log_density(_dot(drawn, old), ndim)
        new = tuple(jnp.where(turns, d, p) for d, p in zip(drawn, agents.headings, strict=True))
        agents = eqx.tree_at(lambda each: each.headings, agents, new)
        return agents, jnp.where(turns, density - likely, 0)

    def towards(
        self, x: Components, drawn: Components, key: PRNGKeyArray, law: Any = None, old: Components | None = None
    ) -> tuple[Components, Array]:
        """Some of the directions that a law made are drawn anew, towards one of the targets.

        **Returns:** the directions, and the logarithm of their density over that of all directions alike; neither has
        a derivative. Without a law those given are of all directions alike.
        """
        ndim, guide, count = len(x), Persistent(SHARPNESS), self.targets[0].shape[0]
        x, old = jax.lax.stop_gradient((x, old))
        away = tuple(target[:, None] - xi for target, xi in zip(self.targets, x, strict=True))
        length = jnp.sqrt(sum(a * a for a in away))
        aims = tuple(jnp.where(length > 0, a / jnp.where(length > 0, length, 1), float(axis == 0)) for axis, a in enumerate(away))
        word, bits = (headings.words(k, x[0].shape[0]) for k in jax.random.split(key))
        # Which target, or none; in the lower bits the side.
        share = headings.uniform(word >> 8, 24, x[0].dtype)
        chosen = jnp.minimum((share * (count / TOWARDS)).astype(int), count)
        aim = tuple(jnp.take_along_axis(a, jnp.minimum(chosen, count - 1)[None], axis=0)[0] for a in aims)
        cosine = guide.cosine(headings.uniform(bits >> 8, 24, x[0].dtype), ndim)
        seen = headings.rotated(aim, cosine, headings.mixed(bits) & 0xFFFF)
        new = tuple(jnp.where(chosen < count, s, d) for s, d in zip(seen, drawn, strict=True))
        others = 0.0 if law is None or old is None else law.log_density(_dot(new, old), ndim)
        near = sum(jnp.exp(guide.log_density(_dot(new, tuple(a[n] for a in aims)), ndim)) for n in range(count))
        density = (1 - TOWARDS) * jnp.exp(others) + (TOWARDS / count) * near
        return jax.lax.stop_gradient((new, jnp.log(density)))


def _dot(a: Components, b: Components) -> Array:
    return jnp.asarray(sum(p * q for p, q in zip(a, b, strict=True)))
