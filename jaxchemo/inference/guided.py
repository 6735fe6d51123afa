"""New directions of swimmers, drawn where they were seen next: far fewer of them are then needed to follow a track."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo.domain import Components
from jaxchemo.methods.swimmers import headings
from jaxchemo.models.turning import AbstractTurning, Isotropic, Persistent

TOWARDS = 0.75  # share of the directions that are drawn towards what was seen; the others by the law of turning
SHARPNESS = 0.9  # mean cosine of the former about the line to where it was seen


def drawn_directions(
    law: AbstractTurning, old: Components, x: Components, targets: Components, key: PRNGKeyArray
) -> tuple[Components, Float[Array, " n"]]:
    """Directions after a turn, many of them towards one of the places where the swimmer was seen next.

    **Arguments:**

    - `law`: of the turn, with a density; `old`: directions before it, `(n,)` for each axis.
    - `x`: where they turn, `(n,)` for each axis; `targets`: where it was seen, `(j,)` for each axis [length].
    - `key`: random key.

    **Returns:** the directions, which carry no derivative, and the logarithm of how much likelier they are than they
    were made, which does.
    """
    ndim, guide, (count, n) = len(x), Persistent(SHARPNESS), (targets[0].shape[0], x[0].shape[0])
    ours, which, turns, sides = (headings.words(k, n) for k in jax.random.split(key, 4))
    dtype = x[0].dtype
    before, x = jax.lax.stop_gradient((old, x))
    plain = jax.lax.stop_gradient(law.cosine(headings.uniform(ours >> 8, 24, dtype), ndim))
    if ndim == 1:
        new = (plain * before[0],)
        density = _likely(law, new, old)
        return new, density - jax.lax.stop_gradient(density)
    drawn = headings.rotated(before, plain, headings.mixed(ours) & 0xFFFF)
    away = tuple(target[:, None] - xi for target, xi in zip(targets, x, strict=True))
    length = jnp.sqrt(dot(away, away))
    far = length > 0
    aims = tuple(jnp.where(far, a / jnp.where(far, length, 1), float(axis == 0)) for axis, a in enumerate(away))
    # Which target, or none of them.
    share = headings.uniform(which >> 8, 24, dtype)
    chosen = jnp.minimum((share * (count / TOWARDS)).astype(int), count)
    aim = tuple(jnp.take_along_axis(a, jnp.minimum(chosen, count - 1)[None], axis=0)[0] for a in aims)
    seen = headings.rotated(aim, guide.cosine(headings.uniform(turns >> 8, 24, dtype), ndim), sides & 0xFFFF)
    new = tuple(jnp.where(chosen < count, s, d) for s, d in zip(seen, drawn, strict=True))
    density = _likely(law, new, old)
    near = sum(jnp.exp(_likely(guide, new, tuple(a[j] for a in aims))) for j in range(count))
    made = (1 - TOWARDS) * jnp.exp(density) + (TOWARDS / count) * near
    return jax.lax.stop_gradient(new), density - jax.lax.stop_gradient(jnp.log(made))


def first_directions(x: Components, targets: Components, key: PRNGKeyArray) -> tuple[Components, Float[Array, " n"]]:
    """As `drawn_directions`, of swimmers that may swim anywhere."""
    anywhere, towards = jax.random.split(key)
    p = headings.anywhere(anywhere, x[0].shape[0], len(x), x[0].dtype)
    return drawn_directions(Isotropic(), p, x, targets, towards)


def dot(a: Components, b: Components) -> Array:
    """Of vectors given by their components."""
    return jnp.asarray(sum(p * q for p, q in zip(a, b, strict=True)))


def _likely(law: AbstractTurning, new: Components, old: Components) -> Array:
    density = law.log_density(dot(new, old), len(old))
    assert density is not None  # tracks are refused without
    return density
