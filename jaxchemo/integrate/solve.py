"""`solve`: the pure verb, for jit, vmap and grad."""

from typing import Any, Literal

from jaxtyping import PRNGKeyArray

from jaxchemo import _checks
from jaxchemo.integrate.adjoint import AbstractAdjoint
from jaxchemo.integrate.fixed_steps import FixedSteps
from jaxchemo.integrate.own_steps import OwnSteps
from jaxchemo.integrate.pace import AbstractPace, checked_span
from jaxchemo.integrate.saveat import SaveAt
from jaxchemo.integrate.solution import Solution, SolveError
from jaxchemo.methods.base import AbstractFixedStep, AbstractMethod, AbstractSelfPaced
from jaxchemo.problem import Problem


def solve(
    problem: Problem,
    method: AbstractMethod,
    *,
    t0: float = 0.0,
    t1: float,
    dt: float | Literal["auto"] | None = None,
    key: PRNGKeyArray | None = None,
    saveat: SaveAt = SaveAt(),
    adjoint: AbstractAdjoint | None = None,
    throw: bool = True,
) -> Solution:
    """Solves a problem by a method. Pure: it can be jitted, vmapped and differentiated, and has no effects on the host.

    On one machine with one set of versions `solve` gives the same numbers each time, bit for bit, and so does `run`,
    whole, in chunks or resumed. Inside an outer `jax.jit`, `vmap` or `grad` the compiler arranges the same arithmetic
    anew, and the last bits differ: in single precision by some 1e-6 of the largest value after a hundred steps, and
    by more where small differences grow, as in a collapse or in the path of one particle.

    **Arguments:**

    - `problem`: what is solved.
    - `method`: how, such as `jc.FiniteVolume()` or `jc.ParticleField(20_000)`.
    - `t0`, `t1`: initial and final time [time]; `t1 - t0` must be a whole number of steps. `t0` defaults to 0.
    - `dt`: step, positive [time]; `"auto"` takes the largest that the method advises at the initial state. None is
      given to a method that chooses its own steps (`LagrangianFlow`, `PriorFlow`).
    - `key`: random key, for stochastic methods.
    - `saveat`: what to keep besides the final state. Default: only the final time.
    - `adjoint`: how gradients pass through the loop: `Remat()` (memory as the square root of the number of steps),
      `Direct()`, or `Forward()`. Default: `Remat()`, or `Forward()` where the method has no other. None is given to a
      method that chooses its own steps, which has derivatives of its own.
    - `throw`: whether a run that went wrong raises. Under `jit`, `vmap` and `grad` the result is only known later:
      there it is reported in `Solution.result`.

    **Returns:** a `Solution`.

    **Raises:** `ValueError` or `TypeError` for bad input; `SolveError` for a run that went wrong, with its `solution`.

    >>> model = jc.models.Model({"rho": jc.models.Species(mobility=0.1)})
    >>> problem = jc.Problem(model, jc.Grid.box((0,), (1,), (8,)), jc.initial.uniform(mass=2.0))
    >>> solution = jc.solve(problem, jc.FiniteVolume(), t1=0.5, dt=0.05)
    >>> solution.final.density.shape, round(float(problem.domain.integrate(solution.final.density)), 4)
    ((8,), 2.0)
    """
    pace = paced(problem, method, t0=t0, t1=t1, dt=dt, key=key, saveat=saveat, adjoint=adjoint)
    solution = pace.solve()
    return raised(solution, pace) if throw else solution


def paced(
    problem: Problem, method: AbstractMethod, *, t0: float, t1: float, saveat: SaveAt, **options: Any
) -> AbstractPace:
    """A run, at the pace of its method, after a look at everything that is given.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.
    """
    _checks.instance("problem", problem, Problem, "a Problem")
    _checks.instance("saveat", saveat, SaveAt, "a SaveAt")
    if isinstance(method, AbstractFixedStep):
        return FixedSteps.of(problem, method, *checked_span(t0, t1), saveat=saveat, **options)
    paced = _checks.instance("method", method, AbstractSelfPaced, "a method such as jc.FiniteVolume()")
    return OwnSteps.of(problem, paced, *checked_span(t0, t1), saveat=saveat, **options)


def raised(solution: Solution, pace: AbstractPace) -> Solution:
    """The solution, if nothing is known to have gone wrong.

    **Raises:** `SolveError`, with the solution, otherwise.
    """
    if complaint := pace.complaint(solution):
        raise SolveError(complaint, solution)
    return solution
