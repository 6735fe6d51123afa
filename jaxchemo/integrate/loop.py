"""The time loop: fixed steps, time as `t0 + n dt`, randomness by step number, saving between compiled stretches."""

import itertools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxchemo.integrate.adjoint import AbstractAdjoint
from jaxchemo.methods.base import AbstractFixedStep
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class Carry(eqx.Module):
    """What the loop hands from step to step: the method's state, how it goes, and the first step that went wrong."""

    state: Any
    result: RESULTS
    failed_step: Int[Array, ""]


def start(problem: Problem, method: AbstractFixedStep, key: PRNGKeyArray | None) -> Carry:
    """The carry before the first step, which has gone wrong if a number of the problem is NaN."""
    state = method.init(problem, key=key)
    # Checks of what was not known when it was given left a NaN where they failed; see `_checks.require`.
    numbers = jax.tree.leaves(eqx.filter(problem, eqx.is_inexact_array))
    good = ~jnp.any(jnp.stack([jnp.any(jnp.isnan(part)) for part in numbers]))
    result = RESULTS.where(good, RESULTS.successful, RESULTS.out_of_range)
    return Carry(state, result, jnp.where(good, -1, 0).astype(jnp.int32))


def take_steps(
    problem: Problem,
    method: AbstractFixedStep,
    carry: Carry,
    n0: Int[Array, ""],
    steps: int | Int[Array, ""],
    t0: Float[Array, ""],
    dt: Float[Array, ""],
    key: PRNGKeyArray | None,
    adjoint: AbstractAdjoint,
) -> Carry:
    """`steps` steps from step number `n0` on."""

    def body(n: Array, carry: Carry) -> Carry:
        # Time and randomness come from the number of the step, never from a sum or a split along the way: a run in
        # chunks, or resumed, is then the same to the last bit.
        state, info = method.step(problem, carry.state, n, t0 + n * dt, dt, key=key)
        first = (carry.result == RESULTS.successful) & (info.result != RESULTS.successful)
        return Carry(
            state,
            RESULTS.where(carry.result == RESULTS.successful, info.result, carry.result),
            jnp.where(first, n, carry.failed_step).astype(jnp.int32),
        )

    return adjoint.repeat(body, carry, n0, steps)


def rollout(
    problem: Problem,
    method: AbstractFixedStep,
    carry: Carry,
    saves: tuple[int, ...],
    num_steps: int,
    t0: Float[Array, ""],
    dt: Float[Array, ""],
    key: PRNGKeyArray | None,
    adjoint: AbstractAdjoint,
    save: Callable[[Any], Any],
) -> tuple[Carry, Any]:
    """The whole run: the last carry, and `save(state)` after each of the steps `saves`, stacked (or `None`).

    Pure and without host effects. Equal stretches between saves are one compiled loop.
    """
    saved = []
    if saves and saves[0] == 0:
        saved.append(jax.tree.map(lambda a: a[None], save(carry.state)))
        saves = saves[1:]
    now = 0
    lengths = [b - a for a, b in itertools.pairwise((0, *saves))]
    for length, group in itertools.groupby(lengths):
        times = len(list(group))

        def stretch(carry: Carry, k: Array, now: int = now, length: int = length) -> tuple[Carry, Any]:
            n0 = now + k * length
            carry = take_steps(problem, method, carry, n0, length, t0, dt, key, adjoint)
            return carry, save(carry.state)

        carry, ys = jax.lax.scan(stretch, carry, jnp.arange(times))
        saved.append(ys)
        now += times * length
    carry = take_steps(problem, method, carry, jnp.asarray(now), num_steps - now, t0, dt, key, adjoint)
    return carry, jax.tree.map(lambda *parts: jnp.concatenate(parts), *saved) if saved else None
