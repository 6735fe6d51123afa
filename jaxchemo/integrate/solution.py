"""What a run returns, by whatever method: what was saved, how it ended, and what is known between."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.domain import AbstractGrid, FreeSpace, Grid, NoFlux, Periodic, RadialGrid
from jaxchemo.methods.base import AbstractContinuous, Points, Snapshot
from jaxchemo.particles import gather
from jaxchemo.results import RESULTS


class Solution(eqx.Module):
    """The outcome of a run.

    Of a method on a grid, `density` and `signal` are interpolated between cell centres at times that were saved. A flow
    knows them anywhere, at any time that was reached, and `log_prob`, `score`, `velocity`, `residual`,
    `signal_gradient` and `sample` too. All of them take points `(..., d)` [length] and a time.

    **Fields:**

    - `ts`: times that were saved `(k,)` [time].
    - `ys`: what was saved, stacked along a first axis of length `k`.
    - `final`: the last state: `final.density` and `final.signal` where there is a grid, `final.positions` where there
      are particles.
    - `result`: how it ended, one of `RESULTS`.
    - `stats`: `trusted_until`, the time until which nothing went wrong. In steps that were given also `num_steps`, `dt`
      and `failed_step`, the step at which the run went wrong (-1: it did not). Of a flow `num_intervals`; of each
      interval `starts`, `durations`, `residuals` (over the velocity, root mean squares) and `solves`; and `growth`, the
      relative change of density at the end [1 / time], whose inverse estimates the time left to a collapse.
    - `domain`: the cells, or the space, without what happens at its walls.
    - `continuous`: the solution at any point and time, of a method that knows it; else `None`.

    >>> model = jc.models.Model({"rho": jc.models.Species(mobility=0.1)})
    >>> problem = jc.Problem(model, jc.Grid.box((0,), (1,), (8,)), jc.initial.uniform(mass=2.0))
    >>> solution = jc.solve(problem, jc.FiniteVolume(), t1=0.5, dt=0.05, saveat=jc.SaveAt(every=5))
    >>> solution.ts.tolist(), solution.ys.density.shape, float(solution.final.density[0])
    ([0.0, 0.25, 0.5], (3, 8), 2.0)
    """

    ts: Float[Array, " k"]
    ys: Any
    final: Snapshot
    result: RESULTS
    stats: dict[str, Any]
    domain: AbstractGrid | FreeSpace
    continuous: AbstractContinuous | None

    def density(self, x: Points, t: ArrayLike) -> Any:
        """Density [mass / length^d], `(...)`; by name where there are several species.

        **Raises:** `ValueError` for a time that was not saved or reached, or for points of another dimension;
        `TypeError` where it is not known.
        """
        if self.continuous is not None:
            return self.continuous.density(x, self._reached(t))
        return self._interpolated("density", x, t)

    def signal(self, x: Points, t: ArrayLike) -> Any:
        """Concentration of the signal, `(...)`; by name where there are several; of a flow in 2D up to a constant.

        **Raises:** as `density`.
        """
        if self.continuous is not None:
            return self.continuous.signal(x, self._reached(t))
        return self._interpolated("signal", x, t)

    def log_prob(self, x: Points, t: ArrayLike) -> Float[Array, "*batch"]:
        """Logarithm of the density over the mass, of a flow. **Raises:** as `density`."""
        return self._known("log_prob").log_prob(x, self._reached(t))

    def score(self, x: Points, t: ArrayLike) -> Float[Array, "*batch d"]:
        """Gradient of the log density [1 / length], of a flow. **Raises:** as `density`."""
        return self._known("score").score(x, self._reached(t))

    def velocity(self, x: Points, t: ArrayLike) -> Float[Array, "*batch d"]:
        """Velocity at which a flow carries the density [length / time]. **Raises:** as `density`."""
        return self._known("velocity").velocity(x, self._reached(t))

    def residual(self, x: Points, t: ArrayLike) -> Float[Array, "*batch d"]:
        """That velocity less the drift velocity of the density [length / time]. **Raises:** as `density`."""
        return self._known("residual").residual(x, self._reached(t))

    def signal_gradient(self, x: Points, t: ArrayLike) -> Float[Array, "*batch d"]:
        """Gradient of the signal [concentration / length], of a flow. **Raises:** as `density`."""
        return self._known("signal_gradient").signal_gradient(x, self._reached(t))

    def sample(self, key: PRNGKeyArray, n: int, t: ArrayLike) -> Float[Array, "n d"]:
        """`n` independent positions at a time [length], of a flow. **Raises:** as `density`, and for `n` below 1."""
        return self._known("sample").sample(key, _checks.natural("n", n), self._reached(t))

    def _known(self, question: str) -> AbstractContinuous:
        if self.continuous is None:
            has = "`final.positions`" if self.final.positions is not None else "`density` and `signal`"
            raise TypeError(
                f"`{question}` is known of flows only, jc.LagrangianFlow() and jc.PriorFlow(): this solution has {has}."
            )
        return self.continuous

    def _reached(self, t: ArrayLike) -> Array:
        reached = self.stats["trusted_until"]
        time = jnp.asarray(t, reached.dtype)
        if _checks.is_concrete(time) and _checks.is_concrete(reached) and float(time) > float(reached):
            raise ValueError(f"`t` must be a time that was reached, at most {float(reached):g}, got {float(time):g}.")
        return time

    def _interpolated(self, question: str, x: Points, t: ArrayLike) -> Any:
        if isinstance(self.domain, FreeSpace):
            raise TypeError(
                f"`{question}`: this solution is one of particles without a grid, `final.positions`; "
                "jc.LagrangianFlow() knows it everywhere."
            )
        field = getattr(self._frame(t), question)
        if field is None:
            raise TypeError(f"`{question}`: the model has none.")
        points = jnp.asarray(x, float)
        if points.shape[-1:] != (self.domain.ndim,):
            raise ValueError(f"`x` must be points (..., {self.domain.ndim}), got the shape {points.shape}.")
        flat, grid = points.reshape(-1, self.domain.ndim), self.domain
        return jax.tree.map(lambda values: between(values, flat, grid).reshape(points.shape[:-1]), field)

    def _frame(self, t: ArrayLike) -> Snapshot:
        """What was saved at a time."""
        end, ts = self.stats["trusted_until"], self.ts
        if not all(map(_checks.is_concrete, (jnp.asarray(t), end, ts))):
            raise TypeError("`t` must be known before compilation: under jit, vmap and grad take `ys` or `final`.")
        time = np.asarray(t, float).item()
        # Saved times may be in single precision, where `t` is not.
        close = 1e-5 * abs(time)
        whole = isinstance(self.ys, Snapshot)
        for k in np.flatnonzero(np.abs(np.asarray(ts, float) - time) <= close) if whole else ():
            return jax.tree.map(lambda rows, k=int(k): rows[k], self.ys)
        if bool(self.result == RESULTS.successful) and abs(float(end) - time) <= close:
            return self.final
        saved = sorted({*(np.asarray(ts, float).tolist() if whole else ()), float(end)})
        raise ValueError(
            f"`t` must be a time that was saved, of {', '.join(f'{s:.6g}' for s in saved)}, got {time:g}: "
            "`saveat=jc.SaveAt(ts=...)` saves others."
        )


def bare(domain: AbstractGrid | FreeSpace) -> AbstractGrid | FreeSpace:
    """The same cells, without the numbers and functions at their walls: nothing that `jax.jit` could not return."""
    if isinstance(domain, Grid):
        walls = tuple(Periodic() if ring else NoFlux() for ring in domain.periodic)
        return Grid(domain.lower, domain.upper, domain.cells, walls)
    if isinstance(domain, RadialGrid):
        return RadialGrid(domain.radius, domain.num_shells, domain.ndim, stretching=domain.stretching)
    return domain


def between(field: Float[Array, "*shape"], x: Float[Array, "n d"], domain: AbstractGrid) -> Float[Array, " n"]:
    """A field between cell centres, linear along each axis; it is constant from the last of them to a wall."""
    if isinstance(domain, Grid):
        return gather(field, tuple(x.T.astype(field.dtype)), domain, 1)[0]
    radii = domain.centers[:, 0]
    return jnp.interp(jnp.linalg.norm(x, axis=-1), radii, field)


class SolveError(RuntimeError):
    """A run that went wrong. `solution` holds everything up to and after the failure.

    >>> grid, model = jc.Grid.box((0,), (1,), (16,)), jc.models.Model({"rho": jc.models.Species(mobility=1.0)})
    >>> problem = jc.Problem(model, grid, jc.initial.gaussian(mass=1.0, center=0.5, std=0.1))
    >>> try:
    ...     jc.solve(problem, jc.FiniteVolume(jc.Euler()), t1=0.2, dt=0.1)
    ... except jc.SolveError as error:
    ...     print(bool(error.solution.result == jc.RESULTS.unstable_step))
    True
    """

    def __init__(self, message: str, solution: Any):
        super().__init__(message)
        self.solution = solution
