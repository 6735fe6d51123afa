"""How gradients pass through the time loop: directly, with rematerialisation, or forward only."""

import abc
import math
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array

from jaxchemo import _checks

Carry = TypeVar("Carry")


class AbstractAdjoint(eqx.Module):
    """A way to repeat a step; all ways give the same values, and differ in how they can be differentiated.

    >>> int(jc.Direct().repeat(lambda n, total: total + n, 0, start=0, steps=4))  # 0 + 1 + 2 + 3
    6
    """

    @abc.abstractmethod
    def repeat(self, body: Callable[[Array, Carry], Carry], carry: Carry, start: Array, steps: Any) -> Carry:
        """`carry` after `steps` times `carry = body(n, carry)`, with `n` counting from `start`.

        `steps` is a Python integer; `Forward` also takes one that is known only when it runs.
        """


class Direct(AbstractAdjoint):
    """Stores the state after every step: the fastest gradient, with memory proportional to the number of steps.

    >>> halved = lambda y: jc.Direct().repeat(lambda n, y: 0.5 * y, y, start=0, steps=3)
    >>> float(jax.grad(halved)(1.0))
    0.125
    """

    def repeat(self, body, carry, start, steps):
        return _scan(body, carry, start, steps)


class Remat(AbstractAdjoint):
    """Stores one state in `sqrt(steps)` and computes the others again: reverse-mode memory grows as `sqrt(steps)`.

    **Arguments:**

    - `segments`: number of stored states between two saves; `None` (default) takes the square root of the steps.

    **Raises:** `TypeError` or `ValueError` if it is not an integer of at least 1.

    >>> halved = lambda y: jc.Remat(segments=2).repeat(lambda n, y: 0.5 * y, y, start=0, steps=4)
    >>> float(jax.grad(halved)(1.0))
    0.0625
    """

    segments: int | None = eqx.field(
        static=True, default=None, converter=lambda k: None if k is None else _checks.natural("segments", k)
    )

    def repeat(self, body, carry, start, steps):
        if steps == 0:
            return carry
        inner = math.ceil(steps / self.segments) if self.segments else math.ceil(math.sqrt(steps))
        outer, rest = divmod(steps, inner)

        def segment(k, carry):
            return _scan(body, carry, start + k * inner, inner)

        carry = _scan(segment, carry, 0, outer)
        return jax.checkpoint(lambda carry: _scan(body, carry, start + outer * inner, rest))(carry)


class Forward(AbstractAdjoint):
    """Forward mode only (`jax.jvp`, `jax.jacfwd`): nothing is stored; best for few parameters.

    **Raises:** `ValueError` under `jax.grad`.

    >>> halved = lambda y: jc.Forward().repeat(lambda n, y: 0.5 * y, y, start=0, steps=3)
    >>> [float(part) for part in jax.jvp(halved, (2.0,), (1.0,))]  # the value and its derivative
    [0.25, 0.125]
    """

    def repeat(self, body, carry, start, steps):
        def cond(loop):
            return loop[0] < steps

        def once(loop):
            k, carry = loop
            return k + 1, body(start + k, carry)

        last = jax.lax.while_loop(cond, once, (0, carry))[1]
        return jax.tree.map(lambda x: _forward_only.bind(x) if eqx.is_inexact_array(x) else x, last)


def _refuse_reverse(*_):
    raise ValueError(
        "`adjoint`: Forward() has no derivatives in reverse mode (jax.grad, jax.vjp): give Remat() or Direct(), where "
        "the method has them, or take jax.jvp or jax.jacfwd."
    )


# The identity, with a sentence in place of its transpose: reverse mode meets it before the loop, which JAX refuses.
_forward_only = Primitive("forward_only")
_forward_only.def_impl(lambda x: x)
_forward_only.def_abstract_eval(lambda x: x)
mlir.register_lowering(_forward_only, lambda _, x: [x])
batching.defvectorized(_forward_only)
ad.deflinear2(_forward_only, _refuse_reverse)


def _scan(body: Callable[[Array, Carry], Carry], carry: Carry, start: Array | int, steps: int) -> Carry:
    if steps == 0:
        return carry
    # What a step computes on its way is computed again for the gradient: to store it took twice as long, and ten times
    # the memory.
    once = jax.checkpoint(lambda c, k: (body(start + k, c), None), prevent_cse=False)
    return jax.lax.scan(once, carry, jnp.arange(steps))[0]
