"""A model on a grid: rates of change of its cells, whole and in parts, for any time stepper."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxchemo._types import Fields
from jaxchemo.domain import AbstractGrid, Grid
from jaxchemo.fields import (
    AbstractFlux,
    AbstractSpreading,
    CrankNicolson,
    Drift,
    ExactLinear,
    ScharfetterGummel,
    convergence,
    diffusion,
    drift_diffusion,
    drift_rate,
    helmholtz,
    inverse,
    outflow_rate,
)
from jaxchemo.methods.grids.collapse import largest
from jaxchemo.methods.grids.steppers import AbstractSystem, exponential_step
from jaxchemo.models import Model

SHARE = 1e-3  # of the maximum: what a cell holds that counts as populated


class FieldState(eqx.Module):
    """Cell averages of the densities and signals, by name; also their rates of change (`None`: it stays as it is)."""

    density: dict[str, Any]
    signal: dict[str, Any]


class SemiDiscrete(AbstractSystem):
    """A model on a grid: ordinary differential equations for its cells."""

    model: Model
    grid: AbstractGrid
    flux: AbstractFlux = ScharfetterGummel()

    def check(self) -> None:
        """Refuses, in a sentence, a signal that cannot be solved for.

        **Raises:** `ValueError` for a slaved signal that does not diffuse, or not decay at one rate everywhere.
        """
        for name, law in self.model.signals.items():
            if law.slaved and not law.diffuses:
                raise ValueError(
                    f"The signal {name!r} is slaved and does not diffuse: give it a `diffusivity` or a `relaxation`."
                )
            if law.slaved and not self.model.decays_evenly(name):
                raise ValueError(
                    f"The signal {name!r} is slaved, so it must decay at one rate everywhere, as in "
                    f"Production(..., decay=...); where cells consume it, give it a `relaxation` > 0."
                )

    def start(self, density: Fields, signal: Fields) -> FieldState:
        """The state of these densities and signals; slaved signals, which are not given, follow from them."""
        like = next(iter(density.values()))
        slaved = {name: jnp.zeros_like(like) for name, law in self.model.signals.items() if law.slaved}
        in_order = {name: (signal | slaved)[name] for name in self.model.signals}
        return self.complete(FieldState(density, in_order), 0.0)

    def rates(self, state, t):
        density = dict(self.transport(state, t).density)
        for name, species in self.model.species.items():
            if species.growth is not None:
                density[name] = density[name] + state.density[name] * self._growth(name, state, t)
        return FieldState(density, {name: self._signal_rate(name, state, t) for name in self.model.signals})

    def transport(self, state, t):
        density = {
            name: drift_diffusion(
                state.density[name],
                self._diffusivity(name, state, t),
                self.grid,
                self._drifts(name, state, t),
                name=name,
                t=t,
                flux=self.flux,
            )
            for name in self.model.species
        }
        return FieldState(density, dict.fromkeys(self.model.signals))

    def react(self, state, t, dt, spreading, *, reverse):
        # The parts of the second half come in the opposite order of the first, which makes the whole step symmetric.
        parts = [*((self._signal, name) for name in self._free()), *((self._grow, name) for name in state.density)]
        for part, name in reversed(parts) if reverse else parts:
            state = part(name, state, t, dt, spreading)
        return self.complete(state, t + dt)

    def complete(self, state, t):
        signal = dict(state.signal)
        for name, law in self.model.at(t).signals.items():
            if law.slaved and law.diffusivity is not None:
                gain, loss = self._kinetics(name, state, t)
                source = jnp.broadcast_to(gain, self.grid.shape).astype(signal[name].dtype)
                signal[name] = helmholtz(source, loss, law.diffusivity, self.grid, name=name, t=t)
        return FieldState(state.density, signal)

    def implicit(self, rates, state, t, dt):
        density = {
            # The largest of diffusivities that differ: what is solved for may spread faster than it does, not slower.
            name: inverse(rate, 1.0, dt * jnp.max(self._diffusivity(name, state, t)), self.grid, name=name)
            for name, rate in rates.density.items()
        }
        signal, laws = {}, self.model.at(t).signals
        for name, rate in rates.signal.items():
            law, loss = laws[name], self._kinetics(name, state, t)[1]
            if rate is None:
                signal[name] = None
            elif law.diffusivity is None:
                signal[name] = rate / (1 + law.paced(dt) * loss)
            else:
                shift = 1 + law.paced(dt) * jnp.min(loss)
                signal[name] = inverse(rate, shift, law.paced(dt) * law.diffusivity, self.grid, name=name)
        return FieldState(density, signal)

    def drift_rates(self, state, t):
        def rate(name: str) -> Array:
            diffusivity, drifts = self._diffusivity(name, state, t), self._drifts(name, state, t)
            return drift_rate(state.density[name], diffusivity, self.grid, drifts, name=name, t=t, flux=self.flux)

        return [rate(name) for name in self.model.species]

    def net_rates(self, state, t):
        rates, lost = self.rates(state, t), []
        for now, change in ((state.density, rates.density), (state.signal, rates.signal)):
            for name, rate in change.items():
                if rate is not None:
                    populated = now[name] > SHARE * jnp.max(now[name])
                    lost.append(jnp.where(populated, -rate / jnp.where(populated, now[name], 1), 0))
        grown = [
            jnp.abs(self._growth(name, state, t))
            for name, species in self.model.species.items()
            if species.growth is not None
        ]
        return lost + grown

    def gathering(self, name: str, state: FieldState, place: tuple, t: Array | float) -> Float[Array, ""] | None:
        """How fast a species is drawn together in a cell by signals that the species make, over how fast it leaves it.

        `-size^2 div(V) / D` [dimensionless]; `None` where no such signal is climbed. Signals that diffuse are left out
        in one dimension, where they make no collapse.
        """
        causes = zip(self.model.species[name].taxis, self._drifts(name, state, t), strict=True)
        made = [drift for signal, drift in causes if self._gathers(signal, state, t)]
        if not made:
            return None
        u = state.density[name]
        diffusivity = self._diffusivity(name, state, t)
        spread = diffusivity[place] if diffusivity.ndim else diffusivity
        square = largest(self.grid, place).astype(u.dtype) ** 2
        return square * convergence(u, self.grid, made, place, name=name, t=t) / spread

    def _gathers(self, name: str, state: FieldState, t: Array | float) -> bool:
        """Whether the species make this signal, and can collapse by it."""
        if self.grid.ndim == 1 and self.model.signals[name].diffuses:
            return False
        return isinstance(self._kinetics(name, state, t)[0], jax.Array)

    def loss_rates(self, state: FieldState, t: Array | float, *, explicit: bool) -> list[Float[Array, "..."]]:
        """For each density how fast a cell loses what it holds by transport; if all of it is explicit, for each field
        and by everything [1 / time]."""
        rates = []
        for name, species in self.model.species.items():
            u = state.density[name]
            diffusivity, drifts = self._diffusivity(name, state, t), self._drifts(name, state, t)
            rate = outflow_rate(u, diffusivity, self.grid, drifts, name=name, t=t, flux=self.flux)
            if explicit and species.growth is not None:
                rate = rate - jnp.minimum(self._growth(name, state, t), 0)
            rates.append(rate)
        for name, law in self.model.at(t).signals.items():
            if not explicit or law.slaved:
                continue
            s = state.signal[name]
            rate = jnp.zeros_like(s) + self._kinetics(name, state, t)[1]
            if law.diffusivity is not None:
                rate = rate + outflow_rate(s, law.diffusivity, self.grid, name=name, t=t)
            rates.append(law.paced(rate))
        return rates

    def _diffusivity(self, name: str, state: FieldState, t: Array | float) -> Array:
        """Diffusivity of a species: one number, or one for each cell."""
        return self.model.at(t).species[name].diffusivity(state.density[name])

    def _growth(self, name: str, state: FieldState, t: Array | float) -> Array | float:
        """Growth rate of a species; zero if it does not grow."""
        growth = self.model.at(t).species[name].growth
        return 0.0 if growth is None else growth.rate(state.density[name], state.signal)

    def _drifts(self, name: str, state: FieldState, t: Array | float) -> list[Drift]:
        return [
            # A signal that does not diffuse has no boundary condition: its potential is continued, not fixed.
            Drift(
                law.potential(state.signal[signal]),
                signal if self.model.signals[signal].diffuses else None,
                law.potential,
                law.response,
                law.limit,
            )
            for signal, law in self.model.at(t).species[name].taxis.items()
        ]

    def _free(self) -> list[str]:
        """The signals that have an equation in time."""
        return [name for name, law in self.model.signals.items() if not law.slaved]

    def _kinetics(self, name: str, state: FieldState, t: Array | float) -> tuple[Array | float, Array | float]:
        """Production and loss rate of a signal."""
        return self.model.at(t).signals[name].gain_and_loss(state.density, state.signal, name)

    def _signal_rate(self, name: str, state: FieldState, t) -> Array | None:
        law, value = self.model.at(t).signals[name], state.signal[name]
        if law.slaved:
            return None
        gain, loss = self._kinetics(name, state, t)
        rate = gain - loss * value
        if law.diffusivity is not None:
            rate = rate + diffusion(value, law.diffusivity, self.grid, name=name, t=t)
        return jnp.broadcast_to(law.paced(rate), value.shape)

    def _signal(self, name: str, state: FieldState, t, dt, spreading: AbstractSpreading | None) -> FieldState:
        """A signal after a time `dt`, with everything else fixed."""
        middle = t + 0.5 * dt
        law, value = self.model.at(middle).signals[name], state.signal[name]
        if law.kinetics is None and law.diffusivity is None:
            return state

        def step(seen: Array, dt) -> Array:
            gain, loss = self._kinetics(name, with_signal(seen), middle)
            if law.diffusivity is None:
                return exponential_step(value, gain, loss, law.paced(dt))
            # What decays at one rate everywhere is solved with the spreading; the rest, where it is more, beside it.
            uniform = jnp.min(loss) if jnp.ndim(loss) else loss
            faster = jnp.exp(-0.5 * (loss - uniform) * law.paced(dt)) if jnp.ndim(loss) else 1.0
            spread = self._spreading(spreading).diffuse(
                faster * value, gain, uniform, law.diffusivity, law.paced(dt), self.grid, name=name, t=middle
            )
            return faster * spread

        def with_signal(new: Array) -> FieldState:
            return FieldState(state.density, state.signal | {name: new})

        # Rates are taken in the middle of the step. Where they do not depend on the signal itself, the compiler finds
        # that the first half step is not needed.
        return with_signal(step(step(value, 0.5 * dt), dt))

    def _spreading(self, chosen: AbstractSpreading | None) -> AbstractSpreading:
        if chosen is not None:
            return chosen
        return ExactLinear() if isinstance(self.grid, Grid) else CrankNicolson()

    def _grow(self, name: str, state: FieldState, t, dt, spreading) -> FieldState:
        if self.model.species[name].growth is None:
            return state
        u = state.density[name]

        middle = t + 0.5 * dt

        def grown(seen: FieldState, dt) -> FieldState:
            after = u * jnp.exp(dt * self._growth(name, seen, middle))
            return FieldState(state.density | {name: after}, state.signal)

        return grown(grown(state, 0.5 * dt), dt)
