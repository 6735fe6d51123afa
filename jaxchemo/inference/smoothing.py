"""What was done to tracks before they were published: the smoothing that simulated ones must pass through as well."""

import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxchemo import _checks
from jaxchemo._show import Shown

SWEEPS = 20  # of the alternating search; the objective is then within 0.3% of its minimum
RELAXED = 1.7  # how far each sweep goes beyond its own step
STIFFNESS = 3.0  # of its coupling, over the strength: 1 takes four times the sweeps


class AbstractSmoothing(Shown):
    """A smoothing of positions along time, each axis for itself."""

    @abc.abstractmethod
    def smoothed(
        self, positions: Float[Array, "t *lanes"], joined: Bool[Array, "t-1 *lanes"]
    ) -> Float[Array, "t *lanes"]:
        """Positions after it.

        **Arguments:**

        - `positions`: one series for each lane, along the first axis [length].
        - `joined`: whether a frame and the next are of one track; several tracks may follow one another in a lane.
        """


class Unsmoothed(AbstractSmoothing):
    """Nothing was done.

    >>> jc.inference.Unsmoothed().smoothed(jnp.array([0.0, 1.0, 0.0]), jnp.array([True, True])).tolist()
    [0.0, 1.0, 0.0]
    """

    def smoothed(self, positions, joined):
        return positions


class TrendFilter(AbstractSmoothing):
    """The line of few kinks: minimises `|x - y|^2 / 2 + strength |second difference of x|_1`, y being the positions.

    The velocity along each axis is then constant over stretches of frames, and the axes change at different frames.

    **Arguments:**

    - `strength`: not negative [length], a number or one for each lane.

    **Raises:** `ValueError` or `TypeError` if it is negative, or not a number.

    **Source:** Kim, Koh, Boyd and Gorinevsky (2009); the alternating direction method of Ramdas and Tibshirani (2016).

    >>> corner = jnp.abs(jnp.arange(-3.0, 4.0)) + jnp.array([0.0, 0.1, -0.1, 0.0, 0.1, -0.1, 0.0])
    >>> smooth = jc.inference.TrendFilter(0.2).smoothed(corner, jnp.ones(6, bool))
    >>> int(jnp.sum(jnp.abs(jnp.diff(smooth, 2)) > 0.01))  # one kink is left
    1
    """

    strength: Float[Array, "..."]

    def __init__(self, strength: ArrayLike):
        self.strength = _checks.non_negative("strength", strength, arrays=True)

    def smoothed(self, positions, joined):
        if len(positions) < 3:
            return positions
        inside = (joined[1:] & joined[:-1]).astype(positions.dtype)
        # Without any strength the weight would be 0/0; at this one nothing changes but rounding.
        strength = jnp.maximum(self.strength, 1e-6).astype(positions.dtype)
        coupling = STIFFNESS * strength
        solve = _factorised(coupling * inside)

        def adjoint(kinks: Array) -> Array:
            return _spread(coupling * inside * kinks, (1, -2, 1))

        def sweep(_: int, state: tuple[Array, Array]) -> tuple[Array, Array]:
            kinks, dual = state
            bent = inside * jnp.diff(solve(positions + adjoint(kinks - dual)), 2, axis=0)
            # Relaxed beyond the step itself, which takes about half as many sweeps (Eckstein and Bertsekas 1992).
            total = RELAXED * bent + (1 - RELAXED) * kinks + dual
            kinks = jnp.sign(total) * jnp.maximum(jnp.abs(total) - strength / coupling, 0)
            return kinks, total - kinks

        none = jnp.zeros_like(inside * positions[1:-1])
        kinks, dual = jax.lax.fori_loop(0, SWEEPS, sweep, (none, none))
        return solve(positions + adjoint(kinks - dual))


class MovingAverage(AbstractSmoothing):
    """Mean over neighbouring frames of the same track, with weights of a Gaussian shape.

    **Arguments:**

    - `width`: standard deviation of the weights, not negative [frames], a number or one for each lane; 0 does nothing.
    - `reach`: how many frames to either side count. Default 8.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> jumping = jnp.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    >>> [round(float(x), 2) for x in jc.inference.MovingAverage(2.0).smoothed(jumping, jnp.ones(5, bool))[2:4]]
    [0.49, 0.51]
    """

    width: Float[Array, "..."]
    reach: int

    def __init__(self, width: ArrayLike, reach: int = 8):
        self.width = _checks.non_negative("width", width, arrays=True)
        self.reach = _checks.natural("reach", reach)

    def smoothed(self, positions, joined):
        width = jnp.maximum(self.width, 1e-3).astype(positions.dtype)
        total, weights = positions, jnp.ones_like(positions)
        together = joined
        for lag in range(1, min(self.reach, len(positions) - 1) + 1):
            # Frames so far apart are of one track if all between them are joined.
            together = together if lag == 1 else together[:-1] & joined[lag - 1 :]
            weight = jnp.exp(-0.5 * (lag / width) ** 2) * together.astype(positions.dtype)
            total = total.at[lag:].add(weight * positions[:-lag]).at[:-lag].add(weight * positions[lag:])
            weights = weights.at[lag:].add(weight).at[:-lag].add(weight)
        return total / weights


def _spread(kinks: Array, weights: tuple[float, float, float]) -> Array:
    """Adds each number, times the weights, to its frame and the two after it."""
    end = jnp.zeros_like(kinks[:2])
    shifted = [jnp.concatenate([end[:before], kinks, end[before:]]) for before in range(3)]
    return sum((weight * part for weight, part in zip(weights, shifted, strict=True)), jnp.zeros(()))


def _factorised(coupling: Array):
    """Solves `(1 + D^T coupling D) x = b` for second differences D: five diagonals, by their L D L^T, along time."""
    end = jnp.zeros_like(coupling[:2])
    diagonal, first = 1 + _spread(coupling, (1, 4, 1)), _spread(coupling, (-2, -2, 0))
    second = jnp.concatenate([coupling, end])
    zero, one = end[0], jnp.ones_like(end[0])

    def factor(before, now):
        (d1, l1, d2, m1, m2), (a0, a1, a2) = before, now
        d = a0 - l1**2 * d1 - m2**2 * d2
        lower = (a1 - m1 * l1 * d1) / d
        return (d, lower, d1, a2 / d, m1), (d, lower, a2 / d)

    _, (d, lower, lowest) = jax.lax.scan(factor, (one, zero, one, zero, zero), (diagonal, first, second))
    after = jnp.concatenate([end[:1], lower[:-1]]), jnp.concatenate([end, lowest[:-2]])

    def substitute(before, now):
        (x1, x2), (b, p1, p2) = before, now
        x = b - p1 * x1 - p2 * x2
        return (x, x1), x

    def solve(b: Array) -> Array:
        start = jnp.zeros_like(b[0]), jnp.zeros_like(b[0])
        shape = b.shape
        _, w = jax.lax.scan(substitute, start, (b, *(jnp.broadcast_to(p, shape) for p in after)))
        rest = (w / d, jnp.broadcast_to(lower, shape), jnp.broadcast_to(lowest, shape))
        return jax.lax.scan(substitute, start, rest, reverse=True)[1]

    return solve
