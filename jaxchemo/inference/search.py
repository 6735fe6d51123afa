"""The search for the most probable parameters as one pure step: for a fit, several starts, profiles and calibration.

Gauss-Newton steps in a trust region. Lengths are standard deviations of the prior, so the first region has radius 1 and
nothing needs tuning.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxchemo.inference.posterior import Posterior
from jaxchemo.integrate import Forward
from jaxchemo.results import RESULTS

NARROW = 1e-3  # a trust region of so small a radius beside a refused point is a wall
NARROWEST = 1e-6
RETREATS = 7  # from a start that is refused: halfway to the medians of the priors six times, then to them


class ENDS(eqx.Enumeration):
    """Why a search ends."""

    searching = "it has not ended"
    settled = "nothing more is to be gained"
    beside = "it ends beside a point that is refused"
    stuck = "steps no longer lower the cost: its rounding errors are as large, or derivatives are wrong"
    no_derivatives = "its derivatives are not finite"
    no_start = "no run goes well from its start"


class Search(eqx.Module):
    """A search under way: the best point so far and what is known there, and the next trial.

    **Fields:**

    - `z`, `residuals`, `jacobian`, `cost`: of the best point; the cost is infinite before there is one.
    - `trial`, `expected`: what is tried next, and by how much it should lower the cost.
    - `radius`: of the region where the linear model is trusted [standard deviations of the prior].
    - `retreats`: how many times it may still come back from a start that is refused.
    - `runs`, `jacobians`: so far.
    - `well`: whether the last trial had a likelihood.
    - `refused`, `result`: whether a trial had none since the last step, and how its run ended.
    - `end`: why the search is over.
    """

    z: Float[Array, " p"]
    residuals: Float[Array, " n"]
    jacobian: Float[Array, "n p"]
    cost: Float[Array, ""]
    trial: Float[Array, " p"]
    expected: Float[Array, ""]
    radius: Float[Array, ""]
    retreats: Int[Array, ""]
    runs: Int[Array, ""]
    jacobians: Int[Array, ""]
    well: Bool[Array, ""]
    refused: Bool[Array, ""]
    result: RESULTS
    end: ENDS

    @property
    def running(self) -> Bool[Array, ""]:
        """Whether it goes on."""
        return self.end == ENDS.searching


def begin(posterior: Posterior, z: Float[Array, " p"], retreats: int = RETREATS) -> Search:
    """A search that tries `z` first; nothing has run yet."""
    n, p, dtype = jax.eval_shape(lambda z: posterior.residuals(z), z).size, z.size, z.dtype
    zero, infinite, none = jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype), jnp.zeros((), int)
    return Search(
        z=z,
        residuals=jnp.zeros(n, dtype),
        jacobian=jnp.zeros((n, p), dtype),
        cost=infinite,
        trial=z,
        expected=zero,
        radius=jnp.ones((), dtype),
        retreats=jnp.where(jnp.any(z != 0), retreats, none),
        runs=none,
        jacobians=none,
        well=jnp.array(True),
        refused=jnp.array(False),
        result=RESULTS.successful,
        end=ENDS.searching,
    )


def advance(posterior: Posterior, search: Search, free: Float[Array, " p"], tolerance: float | Array) -> Search:
    """One trial, taken if it is better, and what to try next. A search that is over stays as it is.

    **Arguments:**

    - `free`: 1 for entries of z that may change, 0 for those held.
    - `tolerance`: it is over where the next step would lower the cost by less [log units].
    """
    residuals, result = posterior.evaluated(search.trial, Forward())
    cost = 0.5 * (residuals @ residuals + search.trial @ search.trial)
    well, begun = jnp.isfinite(cost), jnp.isfinite(search.cost)
    # The difference of squares as a product: the costs themselves lose it in single precision.
    pairs = (search.residuals, residuals), (search.z, search.trial)
    lowered = sum(0.5 * (before - after) @ (before + after) for before, after in pairs)
    gained = jnp.where(well, lowered / search.expected, -jnp.inf)
    better = jnp.where(begun, gained > 1e-4, well)
    radius = jnp.where(begun, _radius(search, gained, well), search.radius)

    def linearised() -> Array:
        return jax.jacfwd(lambda z: posterior.residuals(z, Forward()))(search.trial)

    jacobian = jax.lax.cond(better, linearised, lambda: search.jacobian)
    z = jnp.where(better, search.trial, search.z)
    kept = jnp.where(better, residuals, search.residuals)
    step, expected = _step(jacobian, kept, z, free, radius)
    lost = ~begun & ~well
    # Towards the medians: a run from there most likely goes well.
    nearer = jnp.where(search.retreats > 1, 0.5, 0) * search.trial
    refused = ~better & (search.refused | ~well)
    after = Search(
        z=z,
        residuals=kept,
        jacobian=jacobian,
        cost=jnp.where(better, cost, search.cost),
        trial=jnp.where(lost, jnp.where(free > 0, nearer, search.trial), z + step),
        expected=expected,
        radius=radius,
        retreats=search.retreats - lost,
        runs=search.runs + 1,
        jacobians=search.jacobians + better,
        well=well,
        refused=refused,
        result=RESULTS.where(well, search.result, result),
        end=_end(expected < tolerance, radius, refused, jacobian),
    )
    over = ENDS.where(search.retreats > 0, ENDS.searching, ENDS.no_start)
    after = eqx.tree_at(lambda s: s.end, after, ENDS.where(lost, over, after.end))
    return jax.tree.map(lambda new, old: jnp.where(search.running, new, old), after, search)


def minimise(
    posterior: Posterior,
    z: Float[Array, " p"],
    free: Float[Array, " p"],
    *,
    tolerance: float,
    max_steps: int,
    retreats: int = RETREATS,
) -> Search:
    """A whole search, to be compiled: from `z`, with the entries of `free` that are 0 held."""

    def goes_on(search: Search) -> Array:
        return search.running & (search.runs < max_steps)

    def once(search: Search) -> Search:
        return advance(posterior, search, free, tolerance)

    return jax.lax.while_loop(goes_on, once, begin(posterior, z, retreats))


def sentence(result: RESULTS) -> str:
    """Why a trial was refused whose run ended so."""
    known = RESULTS[result]
    return "its prediction has no likelihood." if known == RESULTS[RESULTS.successful] else known


def _radius(search: Search, gained: Array, well: Array) -> Array:
    length = jnp.linalg.norm(search.trial - search.z)
    # Nothing is known of a refused point but that it is too far; of a poor one, that the region is too large.
    smaller = jnp.where(well, 0.25, 0.5) * length
    larger = jnp.maximum(search.radius, 2 * length)
    return jnp.where(gained > 0.75, larger, jnp.where(gained < 0.25, smaller, search.radius))


def _end(flat: Array, radius: Array, refused: Array, jacobian: Array) -> ENDS:
    end = ENDS.where(flat, ENDS.settled, ENDS.searching)
    end = ENDS.where(flat & refused & (radius < NARROW), ENDS.beside, end)
    end = ENDS.where(radius < NARROWEST, ENDS.where(refused, ENDS.beside, ENDS.stuck), end)
    return ENDS.where(jnp.all(jnp.isfinite(jacobian)), end, ENDS.no_derivatives)


def _step(jacobian: Array, residuals: Array, z: Array, free: Array, radius: Array) -> tuple[Array, Array]:
    """The minimum of the linear model's cost in a ball, and by how much it is lower.

    Damped until it is in the ball, by bisection on singular values: eigenvalues of `I + J^T J` would lose the 1, which
    is all that holds what the data do not see, in single precision.
    """
    finite = jnp.where(jnp.all(jnp.isfinite(jacobian)), jacobian, 0)
    stacked = jnp.concatenate([finite * free, jnp.eye(z.size, dtype=z.dtype)])
    left, values, right = jnp.linalg.svd(stacked, full_matrices=False)
    along = values * (jnp.concatenate([residuals, z * free]) @ left)  # the gradient
    squares = values**2  # at least 1, by the prior

    def size(damping: Array) -> Array:
        return jnp.linalg.norm(along / (squares + damping))

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        outside = size(middle) > radius
        return jnp.where(outside, middle, low), jnp.where(outside, high, middle)

    zero = jnp.zeros_like(radius)
    farthest = jnp.where(size(zero) > radius, jnp.linalg.norm(along) / radius, zero)
    damping = jax.lax.fori_loop(0, 60, halve, (zero, farthest))[1]
    step = along / (squares + damping)
    return -(step @ right) * free, along @ step - 0.5 * step @ (squares * step)
