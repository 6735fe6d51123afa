"""From unknown parameters to what would be measured: a run, and what is observed of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.integrate import SaveAt, solve
from jaxchemo.integrate.adjoint import AbstractAdjoint
from jaxchemo.methods.base import AbstractFixedStep, AbstractMethod
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

Parameters = Mapping[str, Any]


class Simulation(Shown):
    """A run whose problem depends on parameters, and what is observed of it at given times.

    **Arguments:**

    - `build`: from parameters by name to a `Problem`. What it does not take from them is fixed; what it uses twice is
      shared; initial conditions may depend on them too.
    - `method`: one without noise, such as `FiniteVolume()`: derivatives through the paths of particles are noise
      themselves, where particles act on one another.
    - `ts`: times of the observations, increasing [time]; the run ends with the last.
    - `observe`: from a `Snapshot` to an array, or several by name. Averages over bins of the detector rather than cells
      of the grid leave the grid free to be refined.
    - `dt`: time step [time], short enough for the fastest parameters that the priors allow: a step that is too long for
      some makes a wall that a fit may end at (it says so).
    - `t0`: start [time]. Default 0.

    **Raises:** `TypeError` or `ValueError` naming the argument at fault.

    >>> def build(parameters):
    ...     model = jc.models.Model({"u": jc.models.Species(parameters["mobility"])})
    ...     return jc.Problem(model, jc.Grid.box(0.0, 1.0, 16), jc.initial.gaussian(mass=1.0, center=0.5, std=0.1))
    >>> seen = dict(ts=(0.1, 0.2), observe=lambda snapshot: snapshot.density)
    >>> simulation = jc.inference.Simulation(build, jc.FiniteVolume(), **seen, dt=0.01)
    >>> densities, result = simulation({"mobility": 0.02})
    >>> densities.shape, bool(result == jc.RESULTS.successful)
    ((2, 16), True)
    """

    build: Callable[[Parameters], Problem]
    method: AbstractMethod
    ts: tuple[float, ...] = eqx.field(static=True)
    observe: Callable[[Any], Any]
    dt: float | None = eqx.field(static=True)
    t0: float = eqx.field(static=True)

    def __init__(
        self,
        build: Callable[[Parameters], Problem],
        method: AbstractMethod,
        *,
        ts: Sequence[float],
        observe: Callable[[Any], Any],
        dt: float | None = None,
        t0: float = 0.0,
    ):
        self.build = _checks.function("build", build, "from parameters by name to a Problem")
        self.observe = _checks.function("observe", observe, "from a Snapshot to an array")
        self.method = _checks.instance("method", method, AbstractMethod, "a method such as jc.FiniteVolume()")
        if self.method.stochastic:
            raise TypeError(
                f"`method` is {self.method!r}, whose noise would be fitted with the data, and whose derivatives are "
                "noise. FiniteVolume() solves for the density that particles sample; "
                "ParticleSimulation(simulation, method, key=...) predicts by particles with derivatives of the grid."
            )
        self.t0 = _checks.constant(_checks.real, "t0", t0)
        self.ts = tuple(_checks.constant(_checks.real, "ts", t) for t in ts)
        if not self.ts or list(self.ts) != sorted(set(self.ts)) or not self.ts[0] >= self.t0 < self.ts[-1]:
            raise ValueError(f"`ts` must be increasing times that begin at or after `t0`, {self.t0:g}, got {ts!r}.")
        if isinstance(self.method, AbstractFixedStep) == (dt is None):
            needs = "a time step, `dt=`" if dt is None else "no `dt`, as it chooses its own steps"
            raise TypeError(f"{self.method!r} takes {needs}.")
        self.dt = None if dt is None else _checks.constant(_checks.positive, "dt", dt)

    def __call__(self, parameters: Parameters, adjoint: AbstractAdjoint | None = None) -> tuple[Any, RESULTS]:
        """What would be observed, stacked along a first axis of times, and how the run ended.

        **Raises:** as `jc.solve`.
        """
        saveat = SaveAt(ts=self.ts, fn=self.observe)
        settings = {"t0": self.t0, "t1": self.ts[-1], "dt": self.dt, "saveat": saveat, "adjoint": adjoint}
        solution = solve(self.build(parameters), self.method, **settings, throw=False)
        return solution.ys, solution.result
