"""What the residual of a flow says of its divergence from the exact solution, for collapse from a round Gaussian."""

import math
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo.integrate import Solution
from jaxchemo.methods.free_space import Attraction
from jaxchemo.references.radial_collapse import followed, quadrature, radial_collapse

NODES, WEIGHTS = np.polynomial.legendre.leggauss(3)
# The constants c of `divergence_bound`, by dimension.
HARDY_LITTLEWOOD_SOBOLEV = {2: 1 / math.sqrt(math.pi), 3: math.sqrt(math.pi) / 4 * (4 / math.sqrt(math.pi)) ** (1 / 3)}


class DivergenceBound(NamedTuple):
    """Bounds of `KL(flow | exact)` over time, all zero at the start; see `divergence_bound`.

    **Fields:**

    - `ts`: times, from the initial one [time].
    - `residual`: the integral of the mean squared residual over `4 mobility` [dimensionless].
    - `exact_field`: the bound by the residual in the exact field [dimensionless].
    - `closed`: the bound by the residual and norms alone [dimensionless].

    >>> bound = jc.analysis.DivergenceBound(np.array([0.0, 0.5]), *np.array([[0.0, 0.5], [0.0, 1.0], [0.0, 2.0]]))
    >>> bound.at(0.25)
    (0.25, 0.5, 1.0)
    """

    ts: Float[np.ndarray, " t"]
    residual: Float[np.ndarray, " t"]
    exact_field: Float[np.ndarray, " t"]
    closed: Float[np.ndarray, " t"]

    def at(self, t: float) -> tuple[float, float, float]:
        """`residual`, `exact_field` and `closed` at a time, by straight lines between those that are known."""
        residual, exact_field, closed = (float(np.interp(t, self.ts, values)) for values in self[1:])
        return residual, exact_field, closed


def divergence_bound(solution: Solution, *, radii: int = 64, ways: int = 24) -> DivergenceBound:
    """Bounds of `KL(q | p)`, the flow's density q and the exact p, from its residual `delta = velocity - U[q]`.

    The flow moves q at its velocity exactly and starts from p, so, where both are smooth and fall off fast enough to
    integrate by parts,

    ```
    d/dt KL <= E_q |delta + pull F * (q - p)|^2 / (4 mobility)
    ```

    - `exact_field` is the integral of that, with `F * p` from the radial solution: `delta + pull F * (q - p)` is the
      residual in the exact field. No constant is left out.
    - `closed` bounds the second term as well, by the inequality of Hardy, Littlewood and Sobolev with Lieb's constant
      and by `int |q - p|^2 / max(p, q) <= 2 KL`: in d dimensions
      `E_q |F * (q - p)|^2 <= 2 c^2 |q|_d |max(p, q)|_d KL`, `c = 1 / sqrt(pi)` in the plane, 0.5812 in space. It is
      what a solution of `K' = (sqrt(E_q |delta|^2) + pull c sqrt(2 |q|_d |max(p, q)|_d K))^2 / (4 mobility)` from 0
      reaches. It grows exponentially, and says nothing where the norms are large: close to a collapse.
    - `residual` is the integral of `E_q |delta|^2 / (4 mobility)`: a bound where nothing attracts. Elsewhere it is what
      `closed` starts as, and no bound by itself.

    Means are taken by quadrature over radii and directions, and at three Gauss nodes of each interval; the residual is
    that in the field of the flow's own sources, whose error it does not see.

    **Arguments:**

    - `solution`: of a Keller-Segel problem from one round Gaussian, without advection.
    - `radii`, `ways`: how many radii and directions the quadrature has. Default 64 and 24.

    **Raises:** `TypeError` for a solution that is not a flow's; `ValueError` or `TypeError` for other problems.
    """
    problem = followed(solution)
    system, ndim = Attraction.of(problem), problem.domain.ndim
    mobility, pull, constant = float(system.mobility), float(system.pull), HARDY_LITTLEWOOD_SOBOLEV[ndim]
    starts, durations = (np.asarray(solution.stats[name], float)[:, None] for name in ("starts", "durations"))
    lengths = (0.5 * WEIGHTS * durations).ravel()
    times = (starts + 0.5 * (NODES + 1) * durations).ravel()
    reference = radial_collapse(problem, tuple(times))
    rows = np.zeros((len(reference.ts) + 1, 3))
    for k, t in enumerate(reference.ts):
        points = quadrature(solution, reference, k, radii, ways)
        now = _Look(*(np.asarray(part, float) for part in _look(solution, jnp.asarray(points.x), jnp.asarray(t))))
        p, field = reference.at(points.r, k), reference.field(points.r, k)[..., None] * points.outward
        drift = -mobility * now.score - pull * field
        own = points.integral(now.q * np.sum(now.residual**2, axis=-1)) / (4 * mobility)
        exact = points.integral(now.q * np.sum((now.velocity - drift) ** 2, axis=-1)) / (4 * mobility)
        norms = points.integral(now.q**ndim) * points.integral(np.maximum(now.q, p) ** ndim)
        pulled = 2 * (pull * constant) ** 2 * norms ** (1 / ndim) / (4 * mobility)
        residual, exact_field, closed = rows[k]
        rows[k + 1] = (
            residual + lengths[k] * own,
            exact_field + lengths[k] * exact,
            _grown(closed, own, pulled, lengths[k]),
        )
    ts = np.append(starts[0], starts[0] + np.cumsum(lengths[: len(reference.ts)]))
    return DivergenceBound(ts, *rows.T)


class _Look(NamedTuple):
    """Density over the mass, score, velocity and residual at points `(r, w)`."""

    q: np.ndarray
    score: np.ndarray
    velocity: np.ndarray
    residual: np.ndarray


@eqx.filter_jit
def _look(solution: Solution, x: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    return jnp.exp(solution.log_prob(x, t)), solution.score(x, t), solution.velocity(x, t), solution.residual(x, t)


def _grown(k: float, own: float, pulled: float, length: float, steps: int = 64) -> float:
    """`k' = (sqrt(own) + sqrt(pulled k))^2` over a length of time, by the midpoint rule."""

    def rate(k: float) -> float:
        speed = math.sqrt(own) + math.sqrt(pulled * k)
        return speed * speed

    for _ in range(steps):
        k += length / steps * rate(k + 0.5 * length / steps * rate(k))
    return k
