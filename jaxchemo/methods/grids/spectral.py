"""Fourier pseudo-spectral solutions on periodic boxes, with exponential time differencing: for smooth problems."""

import abc
import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex

from jaxchemo import _checks
from jaxchemo._numerics import phi
from jaxchemo.domain import Grid
from jaxchemo.features import Feature
from jaxchemo.methods.base import AbstractFixedStep, Snapshot, StepInfo, by_kind
from jaxchemo.methods.grids.resolution import warn_if_coarse
from jaxchemo.models import Model
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS

Modes = dict[str, Complex[Array, "..."]]


class ModesState(eqx.Module):
    """Fourier coefficients of the densities, and of the signals that have an equation in time, by name."""

    density: Modes
    signal: Modes


class AbstractExponential(eqx.Module):
    """A step of `d_t w = L w + N(w)` that solves the linear part, diagonal and not positive, exactly."""

    @property
    @abc.abstractmethod
    def order(self) -> int:
        """Order of accuracy in the step [dimensionless]."""

    @abc.abstractmethod
    def step(self, linear: Any, nonlinear: Any, state: ModesState, dt: ArrayLike) -> ModesState:
        """The state one step later; `linear` has a rate for each mode, `nonlinear` maps states to rates of change."""


class ETDRK2(AbstractExponential):
    """Second order, two evaluations a step. **Source:** Cox and Matthews (2002), equation 22.

    >>> jc.Spectral(jc.ETDRK2(), kept=1.0)
    Spectral(stepper=ETDRK2(), kept=1.0)
    """

    @property
    def order(self) -> int:
        return 2

    def step(self, linear, nonlinear, state, dt):
        z = jax.tree.map(lambda rate: dt * rate, linear)
        first = nonlinear(state)
        ahead = jax.tree.map(lambda z, w, n: jnp.exp(z) * w + dt * phi(z, 1)[1] * n, z, state, first)
        second = nonlinear(ahead)
        return jax.tree.map(lambda z, a, n, m: a + dt * phi(z, 2)[2] * (m - n), z, ahead, first, second)


class ETDRK4(AbstractExponential):
    """Fourth order, four evaluations a step. **Source:** Cox and Matthews (2002), equations 26 to 29.

    >>> y = jc.ETDRK4().step(jnp.array(-1.0), lambda y: jnp.ones(()), jnp.zeros(()), dt=1.0)  # d_t y = -y + 1
    >>> round(float(y), 4)  # 1 - exp(-1): exact for rates that do not change
    0.6321
    """

    @property
    def order(self) -> int:
        return 4

    def step(self, linear, nonlinear, state, dt):
        z = jax.tree.map(lambda rate: dt * rate, linear)

        def half(start, rates):
            return jax.tree.map(lambda z, w, n: jnp.exp(z / 2) * w + dt / 2 * phi(z / 2, 1)[1] * n, z, start, rates)

        at_start = nonlinear(state)
        a = half(state, at_start)
        at_a = nonlinear(a)
        at_b = nonlinear(half(state, at_a))
        at_c = nonlinear(half(a, jax.tree.map(lambda b, n: 2 * b - n, at_b, at_start)))

        def combine(z, w, n, na, nb, nc):
            _, phi_1, phi_2, phi_3 = phi(z, 3)
            rates = (phi_1 - 3 * phi_2 + 4 * phi_3) * n + (2 * phi_2 - 4 * phi_3) * (na + nb) + (4 * phi_3 - phi_2) * nc
            return jnp.exp(z) * w + dt * rates

        return jax.tree.map(combine, z, state, at_start, at_a, at_b, at_c)


class Spectral(AbstractFixedStep):
    """Fourier modes on a periodic `Grid`: errors fall faster than any power of the spacing where all is smooth.

    Diffusion and decay are exact; products are taken on the grid, and so is what a `motility` adds to a mobility. Mass
    is exact to round-off. Densities are not kept positive: one that turns negative by more than a millionth of its
    maximum is reported as `RESULTS.negative_density`; more cells, or `FiniteVolume`, will do. Fields in a snapshot are
    cell averages, as those of `FiniteVolume`.

    **Arguments:**

    - `stepper`: `ETDRK4()` (default) or `ETDRK2()`.
    - `kept`: share of the modes along each axis that products may come from and go to; 2/3 (default) leaves products of
      two fields free of aliasing, 1 keeps all.

    **Raises:** `TypeError` for another stepper, `ValueError` for `kept` that is not positive and at most 1.

    >>> jc.Spectral().stepper
    ETDRK4()
    """

    solves: ClassVar = frozenset(
        {
            Feature.DENSITIES,
            Feature.SEVERAL_SPECIES,
            Feature.GROWTH,
            Feature.MOTILITY,
            Feature.CROWDING,
            Feature.FLUX_LIMIT,
            Feature.NONLINEAR_SENSING,
            Feature.SEVERAL_SIGNALS,
            Feature.LOCAL_SIGNALS,
            Feature.DIFFUSING_SIGNALS,
            Feature.SLAVED_SIGNALS,
            Feature.OTHER_KINETICS,
            Feature.BOX,
            Feature.SEVERAL_DIMENSIONS,
        }
    )

    stepper: AbstractExponential
    kept: float = eqx.field(static=True)

    def __init__(self, stepper: AbstractExponential = ETDRK4(), kept: float = 2 / 3):
        self.stepper = _checks.instance("stepper", stepper, AbstractExponential, "ETDRK2() or ETDRK4()")
        self.kept = _checks.constant(_checks.positive, "kept", kept)
        if self.kept > 1:
            raise ValueError(f"`kept` must be at most 1, got {kept!r}.")

    @property
    def stochastic(self) -> bool:
        return False

    @property
    def name(self) -> str:
        return "spectral"

    def check_parts(self, problem):
        """**Raises:** `ValueError` for a slaved signal that does not diffuse, or not decay at one rate everywhere."""
        _equations(problem, self.kept).check()
        warn_if_coarse(problem)

    def init(self, problem, *, key=None):
        density, signal = problem.fields()
        equations = _equations(problem, self.kept)
        modes = [{name: equations.modes(field) for name, field in fields.items()} for fields in (density, signal)]
        return ModesState(*modes)

    def step(self, problem, state, n, t, dt, *, key=None):
        equations = _equations(problem, self.kept)
        state = self.stepper.step(equations.linear(state), equations.nonlinear, state, dt)
        fields = [equations.averages(modes) for modes in state.density.values()]
        lowest = jnp.min(jnp.stack([jnp.min(u) + 1e-6 * jnp.max(jnp.abs(u)) for u in fields]))
        total = sum(jnp.sum(jnp.abs(modes)) for modes in jax.tree.leaves(state))
        result = RESULTS.where(lowest >= 0, RESULTS.successful, RESULTS.negative_density)
        return state, StepInfo(RESULTS.where(jnp.isfinite(total), result, RESULTS.nonfinite))

    def stable_dt(self, problem, state):
        """A step in which no drift turns the phase of the shortest mode by more than one radian, and reactions that
        modes do not solve change nothing by more than a factor of e; infinite where nothing of this happens."""
        equations = _equations(problem, self.kept)
        density, signal, modes = equations.fields(state)
        shortest = max(math.pi / h for h in equations.grid.spacing)
        speeds = [
            jnp.sum(jnp.stack([jnp.max(jnp.abs(v)) for v in equations.drift(name, density, signal, modes)]))
            for name in problem.continuum.species
        ]
        rates = [shortest * speed for speed in speeds]
        for name, species in problem.continuum.species.items():
            if species.growth is not None:
                rates.append(jnp.max(jnp.abs(species.growth.rate(density[name], signal))))
        for name, law in problem.continuum.signals.items():
            loss = law.gain_and_loss(density, signal, name)[1]
            if jnp.ndim(loss):
                rates.append(jnp.max(jnp.abs(law.paced(loss))))
        return 1 / jnp.max(jnp.stack(rates))

    def snapshot(self, problem, state):
        equations = _equations(problem, self.kept)
        signal = equations.fields(state)[2]
        density = {name: equations.averages(modes) for name, modes in state.density.items()}
        return Snapshot(by_kind(density), by_kind({name: equations.averages(modes) for name, modes in signal.items()}))


def _equations(problem: Problem, kept: float) -> "_Equations":
    assert isinstance(problem.domain, Grid)
    return _Equations(problem.continuum, problem.domain, kept)


class _Equations(eqx.Module):
    """A model on a periodic box, in Fourier modes."""

    model: Model
    grid: Grid
    kept: float = eqx.field(static=True)

    def check(self) -> None:
        for name, law in self.model.signals.items():
            if law.slaved and not (law.diffuses and self.model.decays_evenly(name)):
                raise ValueError(
                    f"The signal {name!r} is slaved: it must diffuse, and decay at one rate everywhere. "
                    "Where cells consume it, give it a `relaxation` > 0."
                )

    def modes(self, averages: Array) -> Array:
        """Fourier coefficients of a field that has these cell averages."""
        return jnp.fft.rfftn(averages) / self._blur(averages.dtype)

    def averages(self, modes: Array) -> Array:
        """Cell averages of a field."""
        return self.values(modes * self._blur(modes.real.dtype))

    def values(self, modes: Array) -> Array:
        """A field at the cell centres."""
        return jnp.fft.irfftn(modes, s=self.grid.shape)

    def linear(self, state: ModesState) -> ModesState:
        """Rate of decay of each mode by diffusion and by what decays at one rate everywhere."""
        density, signal, _ = self.fields(state)
        square = self._square(next(iter(density.values())).dtype)
        rates = {}
        for name in state.signal:
            law = self.model.signals[name]
            loss = law.gain_and_loss(density, signal, name)[1]
            spread = 0.0 if law.diffusivity is None else law.diffusivity * square
            decay = loss if jnp.ndim(loss) == 0 else 0.0
            rates[name] = -jnp.broadcast_to(law.paced(spread + decay), square.shape)
        return ModesState({name: -self.model.species[name].mobility * square for name in state.density}, rates)

    def nonlinear(self, state: ModesState) -> ModesState:
        """Rates of change by all else."""
        density, signal, modes = self.fields(state)
        mask, waves = self._mask(), self._wavenumbers(next(iter(density.values())).dtype)
        rates = {}
        for name, u in density.items():
            rate = jnp.zeros_like(state.density[name])
            species = self.model.species[name]
            for k, v in zip(waves, self.drift(name, density, signal, modes), strict=True):
                carried = u * v
                if species.motility is not None:
                    slope = self.values(mask * 1j * k * state.density[name])
                    carried = carried - (species.diffusivity(u) - species.mobility) * slope
                rate = rate - 1j * k * jnp.fft.rfftn(carried)
            if species.growth is not None:
                rate = rate + jnp.fft.rfftn(u * species.growth.rate(u, signal))
            rates[name] = mask * rate
        made = {}
        for name in state.signal:
            law = self.model.signals[name]
            gain, loss = law.gain_and_loss(density, signal, name)
            rate = gain - (loss * signal[name] if jnp.ndim(loss) else 0.0)
            field = jnp.broadcast_to(law.paced(rate), self.grid.shape)
            made[name] = mask * jnp.fft.rfftn(field.astype(signal[name].dtype))
        return ModesState(rates, made)

    def drift(self, name: str, density: dict, signal: dict, modes: Modes) -> list[Array]:
        """Velocity of a species along each axis, at the cell centres; `modes` are those of the signals."""
        mask, waves = self._mask(), self._wavenumbers(density[name].dtype)
        total: list[Any] = [jnp.zeros_like(density[name])] * self.grid.ndim
        for sensed, law in self.model.species[name].taxis.items():
            slopes = [self.values(mask * 1j * k * modes[sensed]) for k in waves]
            strength = law.strength(signal[sensed], slopes)
            if law.response is not None:
                strength = strength * law.response(density[name])
            total = [v + strength * g for v, g in zip(total, slopes, strict=True)]
        return total

    def fields(self, state: ModesState) -> tuple[dict[str, Array], dict[str, Array], Modes]:
        """Densities and all signals at the cell centres, of the modes that are kept; and all modes of the signals."""
        mask = self._mask()
        density = {name: self.values(mask * modes) for name, modes in state.density.items()}
        signal = {name: self.values(mask * modes) for name, modes in state.signal.items()}
        modes, like = dict(state.signal), next(iter(density.values()))
        for name, law in self.model.signals.items():
            if law.slaved and law.diffusivity is not None:
                gain, loss = law.gain_and_loss(density, signal, name)
                total = loss + law.diffusivity * self._square(like.dtype)
                share = jnp.where(total > 0, 1 / jnp.where(total > 0, total, 1), 0)
                modes[name] = share * jnp.fft.rfftn(jnp.broadcast_to(gain, like.shape).astype(like.dtype))
        followed = {name: self.values(mask * modes[name]) for name in modes.keys() - signal.keys()}
        return density, signal | followed, {name: modes[name] for name in self.model.signals}

    def _square(self, dtype) -> Array:
        """Squared length of the wavevector of each mode."""
        return jnp.asarray(sum(k**2 for k in self._wavenumbers(dtype)))

    def _wavenumbers(self, dtype) -> list[Array]:
        """Along each axis [1 / length], laid out for the modes."""
        cycles = zip(self._cycles(), self.grid.spacing, strict=True)
        return [jnp.asarray(2 * np.pi / h * k, dtype) for k, h in cycles]

    def _mask(self) -> Array:
        """Which modes are kept; never the highest of an even number of cells."""
        # Its sine vanishes at all centres, so that its slope cannot be told from the cosine that is left.
        keep = np.ones((), bool)
        for cycles, n in zip(self._cycles(), self.grid.cells, strict=True):
            k = np.abs(np.rint(cycles * n))
            keep = keep & (k <= self.kept * n / 2) & (k < n / 2)
        return jnp.asarray(keep)

    def _blur(self, dtype) -> Array:
        """What averaging over a cell makes of each mode."""
        return jnp.asarray(math.prod(np.sinc(k) for k in self._cycles()), dtype)

    def _cycles(self) -> list[np.ndarray]:
        """Cycles per cell along each axis, laid out for the modes of a real transform."""
        last = self.grid.ndim - 1
        return [
            (np.fft.rfftfreq(n) if axis == last else np.fft.fftfreq(n)).reshape(
                [-1 if a == axis else 1 for a in range(self.grid.ndim)]
            )
            for axis, n in enumerate(self.grid.cells)
        ]
