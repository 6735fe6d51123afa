"""Time steps for fields: explicit Runge-Kutta, splitting with exact reactions, and adaptive or implicit references."""

import abc
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaxchemo import _checks
from jaxchemo._numerics import mean_exponential
from jaxchemo.domain import AbstractGrid
from jaxchemo.fields import AbstractSpreading

State = Any
Scalar = Array | float
Rates = Callable[[State, Scalar], State]


class AbstractSystem(eqx.Module):
    """A semi-discretisation: rates of change on a grid, whole and in its two parts."""

    @abc.abstractmethod
    def rates(self, state: State, t: Scalar) -> State:
        """Rates of change of everything."""

    @abc.abstractmethod
    def transport(self, state: State, t: Scalar) -> State:
        """Rates of change of the densities by what moves between cells; `None` for what does not move."""

    @abc.abstractmethod
    def react(
        self, state: State, t: Scalar, dt: Scalar, spreading: AbstractSpreading | None, *, reverse: bool
    ) -> State:
        """Everything else over a time `dt` from `t`: growth, kinetics, and signals that spread.

        `reverse` takes the opposite order of its parts.
        """

    @abc.abstractmethod
    def complete(self, state: State, t: Scalar) -> State:
        """The state with the signals that follow the densities at once."""

    @abc.abstractmethod
    def implicit(self, rates: State, state: State, t: Scalar, dt: Scalar) -> State:
        """`(1 - dt A)^-1 rates`; `A` is the diffusion of everything and the decay of the signals at `state` and `t`."""

    @abc.abstractmethod
    def loss_rates(self, state: State, t: Scalar, *, explicit: bool) -> list[Array]:
        """How fast cells lose their densities by transport; if all is `explicit`, how fast anything by everything."""

    @abc.abstractmethod
    def drift_rates(self, state: State, t: Scalar) -> list[Array]:
        """How fast cells lose their densities by drift alone."""

    @abc.abstractmethod
    def net_rates(self, state: State, t: Scalar) -> list[Array]:
        """How fast cells that hold a fair share lose it on balance, and how fast anything grows by itself."""


class AbstractStepper(eqx.Module):
    """One step of a semi-discretisation.

    >>> [stepper.order for stepper in (jc.Euler(), jc.Strang(), jc.SSPRK3())]
    [1, 2, 3]
    """

    @property
    @abc.abstractmethod
    def order(self) -> int:
        """Order of accuracy in the step [dimensionless]."""

    @property
    def implicit(self) -> bool:
        """Whether densities are solved for, so that they are positive to round-off only."""
        return False

    @property
    def forward_mode(self) -> bool:
        """Whether derivatives pass through it in forward mode. Default: yes."""
        return True

    def check(self, grid: AbstractGrid) -> None:
        """Refuses, in a sentence, a grid that it cannot work on. **Raises:** `TypeError`. Default: refuses none."""

    @abc.abstractmethod
    def fastest(self, system: AbstractSystem, state: State, t: Scalar) -> list[Array]:
        """The rates of loss that limit a step [1 / time]."""

    @abc.abstractmethod
    def step(self, system: AbstractSystem, state: State, t: Scalar, dt: Scalar) -> tuple[State, Bool[Array, ""] | bool]:
        """The state one step later, and whether the step itself went well."""


class AbstractRungeKutta(AbstractStepper):
    """Strong-stability-preserving Runge-Kutta: convex combinations of Euler steps, so positive wherever Euler is.

    >>> y = jc.SSPRK3().stages(lambda y, t: -y, jnp.ones(()), t=0.0, dt=0.1)  # d_t y = -y
    >>> round(float(y), 4)  # exp(-0.1)
    0.9048
    """

    @property
    @abc.abstractmethod
    def tableau(self) -> tuple[tuple[float, float], ...]:
        """For each stage, the share of the initial state that is mixed into its Euler step, and its time in steps."""

    def stages(
        self,
        rates: Rates,
        state: State,
        t: Scalar,
        dt: Scalar,
        complete: Callable[[State, Scalar], State] = lambda state, t: state,
    ) -> State:
        """The state one step later, for rates of change `rates(state, t)`; `complete` mends what they leave alone."""

        def stage(now: State, row: Array | tuple[float, float, float]) -> tuple[State, None]:
            share, offset, following = row
            # Without a barrier the compiler computes what stages share, the weights of every face, before the loop, and
            # reads it back from memory in each: half as slow again at 128^3.
            now = jax.lax.optimization_barrier(now)

            def mixed(rate: Array | None, first: Array, last: Array) -> Array:
                return last if rate is None else (share * first + (1 - share) * (last + dt * rate)).astype(last.dtype)

            mean = jax.tree.map(mixed, rates(now, t + offset * dt), state, now, is_leaf=lambda rate: rate is None)
            return complete(mean, t + following * dt), None

        ends = (*(offset for _, offset in self.tableau[1:]), 1.0)
        rows = [(*row, end) for row, end in zip(self.tableau, ends, strict=True)]
        if len(rows) == 1:
            return stage(state, rows[0])[0]
        # A loop, if a short one: unrolled, the CPU compiler computes the stage before again in each flux of the next.
        return jax.lax.scan(stage, state, jnp.asarray(rows))[0]

    def fastest(self, system, state, t):
        return system.loss_rates(state, t, explicit=True)

    def step(self, system, state, t, dt):
        return self.stages(system.rates, state, t, dt, system.complete), True


class Euler(AbstractRungeKutta):
    """Explicit Euler, first order.

    >>> jc.FiniteVolume(jc.Euler())
    FiniteVolume(stepper=Euler(), flux=ScharfetterGummel())
    """

    @property
    def order(self) -> int:
        return 1

    @property
    def tableau(self):
        return ((0.0, 0.0),)


class SSPRK2(AbstractRungeKutta):
    """Heun's method, second order. **Source:** Shu and Osher (1988), equation 2.16.

    >>> jc.FiniteVolume(jc.SSPRK2())
    FiniteVolume(stepper=SSPRK2(), flux=ScharfetterGummel())
    """

    @property
    def order(self) -> int:
        return 2

    @property
    def tableau(self):
        return ((0.0, 0.0), (0.5, 1.0))


class SSPRK3(AbstractRungeKutta):
    """The three-stage third-order method. **Source:** Shu and Osher (1988), equation 2.18.

    >>> jc.SSPRK3().tableau
    ((0.0, 0.0), (0.75, 1.0), (0.3333333333333333, 0.5))
    """

    @property
    def order(self) -> int:
        return 3

    @property
    def tableau(self):
        return ((0.0, 0.0), (0.75, 1.0), (1 / 3, 0.5))


class Strang(AbstractStepper):
    """Half a step of reactions, a step of the densities' transport, half a step of reactions: second order.

    Kinetics and growth are integrated exponentially (consumption as `s exp(-dt rho)`), so what is positive stays so at
    every step. A signal that diffuses spreads and decays implicitly in the same halves: its diffusivity does not limit
    the step, only the transport of the densities does.

    **Arguments:**

    - `transport`: the step of the densities. Default `SSPRK2()`.
    - `spreading`: the step of signals that diffuse: `ExactLinear()`, `CrankNicolson()` or `ImplicitEuler()`. Default
      `None`: exact on boxes, Crank-Nicolson on shells.

    **Raises:** `TypeError` for other parts.

    >>> jc.Strang(jc.SSPRK3(), spreading=jc.CrankNicolson())
    Strang(inner=SSPRK3(), spreading=CrankNicolson())
    """

    inner: AbstractRungeKutta
    spreading: AbstractSpreading | None

    def __init__(self, transport: AbstractRungeKutta = SSPRK2(), spreading: AbstractSpreading | None = None):
        self.inner = _checks.instance("transport", transport, AbstractRungeKutta, "Euler(), SSPRK2() or SSPRK3()")
        self.spreading = _checks.instance(
            "spreading", spreading, (AbstractSpreading, type(None)), "ExactLinear(), CrankNicolson() or ImplicitEuler()"
        )

    @property
    def order(self) -> int:
        return min(2, self.inner.order, 2 if self.spreading is None else self.spreading.order)

    def check(self, grid):
        if self.spreading is not None:
            self.spreading.check(grid)

    def fastest(self, system, state, t):
        return system.loss_rates(state, t, explicit=False)

    def step(self, system, state, t, dt):
        half = 0.5 * dt
        state = system.react(state, t, half, self.spreading, reverse=False)
        # The transport begins at `t`, with what follows at once in a law or a wall of that time; one solve where the
        # time does not matter, as the compiler finds.
        state = system.complete(state, t)
        state = self.inner.stages(system.transport, state, t, dt, system.complete)
        return system.react(state, t + half, half, self.spreading, reverse=True), True


class AbstractIMEX(AbstractStepper):
    """Implicit diffusion and decay, explicit drift."""

    @property
    def implicit(self) -> bool:
        return True

    def fastest(self, system, state, t):
        return [*system.drift_rates(state, t), *system.net_rates(state, t)]


class IMEXEuler(AbstractIMEX):
    """Implicit diffusion and decay, explicit drift and the rest: first order, limited by the drift only.

    The whole rate of change, with its fitted fluxes, is damped by `(1 - dt A)^-1`, where `A` is the diffusion of
    everything and the decay of signals: what is steady for the fitted fluxes stays exactly as it is at every step. Not
    positive at every step: a step that is too large is reported, as always, but for the round-off of the solves (see
    `FiniteVolume`).

    >>> stepper = jc.IMEXEuler()
    >>> stepper.order, stepper.implicit
    (1, True)
    """

    @property
    def order(self) -> int:
        return 1

    def step(self, system, state, t, dt):
        rates = system.implicit(system.rates(state, t), state, t, dt)
        return system.complete(_moved(state, (dt, rates)), t + dt), True


class IMEXRosenbrock(AbstractIMEX):
    """As `IMEXEuler`, second order: the two-stage Rosenbrock method that keeps its order whatever is implicit.

    **Source:** Verwer, Spee, Blom and Hundsdorfer, SIAM J. Sci. Comput. 20 (1999) 1456, ROS2 with gamma = 1 - 1/sqrt 2.

    >>> jc.FiniteVolume(jc.IMEXRosenbrock())
    FiniteVolume(stepper=IMEXRosenbrock(), flux=ScharfetterGummel())
    """

    @property
    def order(self) -> int:
        return 2

    def step(self, system, state, t, dt):
        part = (1 - math.sqrt(0.5)) * dt
        first = system.implicit(system.rates(state, t), state, t, part)
        ahead = system.complete(_moved(state, (dt, first)), t + dt)
        rest = _moved(system.rates(ahead, t + dt), (-2.0, first))
        second = system.implicit(rest, state, t, part)
        return system.complete(_moved(state, (1.5 * dt, first), (0.5 * dt, second)), t + dt), True


def _moved(state: State, *moves: tuple[Scalar, State]) -> State:
    """A state plus multiples of rates; what has no rate stays."""

    def moved(value: Array | None, *rates: Array | None) -> Array | None:
        if value is None or rates[0] is None:
            return value
        changes = [factor * rate for (factor, _), rate in zip(moves, rates, strict=True) if rate is not None]
        return sum(changes, value).astype(value.dtype)

    return jax.tree.map(moved, state, *(rates for _, rates in moves), is_leaf=lambda leaf: leaf is None)


class Adaptive(AbstractStepper):
    """Adaptive steps of a diffrax solver within each step: for reference solutions and stiff problems.

    `dt` is then only how often the run looks in. Positivity holds to the tolerance, not exactly. Gradients are
    reverse-mode, and of first order: second derivatives need steps of a fixed number, such as those of `SSPRK3()`.

    **Arguments:**

    - `rtol`, `atol`: relative [dimensionless] and absolute tolerance [unit of the fields], positive. Defaults 1e-8 and
      1e-10.
    - `solver`: a diffrax solver. Default `diffrax.Tsit5()`; `diffrax.Kvaerno5()` where the problem is stiff and small.
    - `max_steps`: largest number of inner steps in one step. Default 100,000.

    **Raises:** `TypeError` or `ValueError` naming the argument at fault.

    >>> reference = jc.FiniteVolume(jc.Adaptive(rtol=1e-6, atol=1e-8))
    >>> reference.stepper.rtol, reference.forward_mode
    (1e-06, False)
    """

    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    solver: Any
    max_steps: int = eqx.field(static=True)

    def __init__(self, rtol: float = 1e-8, atol: float = 1e-10, solver: Any = None, max_steps: int = 100_000):
        import diffrax  # imported here: a plain run needs none of it

        self.rtol, self.atol = (
            _checks.constant(_checks.positive, "rtol", rtol),
            _checks.constant(_checks.positive, "atol", atol),
        )
        solver = diffrax.Tsit5() if solver is None else solver
        self.solver = _checks.instance("solver", solver, diffrax.AbstractSolver, "a solver of diffrax, or None")
        self.max_steps = _checks.natural("max_steps", max_steps)

    @property
    def order(self) -> int:
        return int(self.solver.order(None))

    @property
    def forward_mode(self) -> bool:
        return False  # diffrax stores checkpoints for reverse mode

    def fastest(self, system, state, t):
        return system.loss_rates(state, t, explicit=False)

    def step(self, system, state, t, dt):
        import diffrax

        end = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, args: _rates(system, y, jnp.asarray(t))),
            self.solver,
            t0=t,
            t1=t + dt,
            dt0=None,
            y0=state,
            stepsize_controller=diffrax.PIDController(rtol=self.rtol, atol=self.atol),
            max_steps=self.max_steps,
            throw=False,
        )
        last = system.complete(jax.tree.map(lambda y: y[-1], end.ys), jnp.asarray(t + dt))
        return last, end.result == diffrax.RESULTS.successful


def _rates(system: AbstractSystem, state: State, t: Array) -> State:
    """Rates of change of everything, with zeros for what follows at once."""
    state = system.complete(state, t)
    rates = system.rates(state, t)
    # The rates come first: where they are `None`, the state has an array.
    return jax.tree.map(lambda r, y: jnp.zeros_like(y) if r is None else r, rates, state, is_leaf=lambda r: r is None)


def exponential_step(value: Array, production: Scalar, rate: Scalar, dt: Scalar) -> Array:
    """`y' = production - rate y` over `dt` with both fixed: exact, and positive for every step."""
    decayed = value * jnp.exp(-rate * dt)
    if isinstance(production, float) and production == 0.0:
        return decayed
    return decayed + production * dt * mean_exponential(jnp.asarray(rate * dt))
