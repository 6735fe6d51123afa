"""A model is species that move and signals that they sense and change: physics as data, without grids or time steps."""

import abc
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, called, number
from jaxchemo._types import Fields
from jaxchemo.features import Feature
from jaxchemo.models.crowding import AbstractMotility
from jaxchemo.models.kinetics import AbstractGrowth, AbstractKinetics, Production
from jaxchemo.models.schedules import Number, at, changing, schedules
from jaxchemo.models.sensitivity import AbstractSensitivity, Linear


class Species(Shown):
    """Cells that diffuse, drift along signals, and may grow.

    **Arguments:**

    - `mobility`: diffusivity of the random motion, positive [length^2 / time]. Here as in most laws and signals a
      schedule such as `Sigmoid(...)` may stand for the number.
    - `taxis`: the sensitivity to each signal, by the signal's name. Default: none.
    - `growth`: growth law, or `None`. Default `None`.
    - `motility`: how the mobility depends on the density, such as `PowerLaw(2.0)`. Default `None`: not at all.

    **Raises:** `ValueError` if the mobility is not positive, or a law does not act on each value by itself; `TypeError`
    for parts of the wrong kind.

    >>> jc.models.Species(0.1, taxis={"c": jc.models.Linear(1.0)}, growth=jc.models.Logistic(0.5))
    Species(mobility=0.1, taxis={'c': Linear(chi=1)}, growth=Logistic(speed=0.5, capacity=1), motility=None)
    """

    mobility: Float[Array, ""]
    taxis: dict[str, AbstractSensitivity]
    growth: AbstractGrowth | None
    motility: AbstractMotility | None

    def __init__(
        self,
        mobility: Number,
        taxis: Mapping[str, AbstractSensitivity] | None = None,
        growth: AbstractGrowth | None = None,
        motility: AbstractMotility | None = None,
    ):
        self.mobility = changing(_checks.positive, "mobility", mobility)
        self.taxis = {
            name: _checks.instance(f"taxis[{name!r}]", law, AbstractSensitivity, "a sensitivity such as Linear(1.0)")
            for name, law in ({} if taxis is None else _checks.mapping("taxis", taxis, "sensitivities")).items()
        }
        for name, law in at(self.taxis, 0.0).items():
            _check_elementwise(f"taxis[{name!r}]", potential=law.potential, response=law.response, limit=law.limit)
        self.growth = _checks.instance("growth", growth, (AbstractGrowth, type(None)), "a growth law or None")
        what = "a law such as PowerLaw(2.0), or None"
        self.motility = _checks.instance("motility", motility, (AbstractMotility, type(None)), what)
        if self.motility is not None:
            _check_elementwise("motility", factor=at(self.motility, 0.0).factor)

    @property
    def only_moves(self) -> bool:
        """Whether cells neither grow nor move the less or the more for being many."""
        return self.growth is None and self.motility is None

    @property
    def features(self) -> frozenset[Feature]:
        """What a method must know to move these cells."""
        laws = self.taxis.values()
        has = {
            Feature.GROWTH: self.growth is not None,
            Feature.MOTILITY: self.motility is not None,
            Feature.CROWDING: any(law.response is not None for law in laws),
            Feature.FLUX_LIMIT: any(law.limit is not None for law in laws),
            Feature.NONLINEAR_SENSING: not all(isinstance(law, Linear) for law in laws),
            Feature.SCHEDULES: bool(schedules(self)),
        }
        return frozenset(feature for feature, there in has.items() if there)

    def diffusivity(self, density: Float[Array, "..."]) -> Float[Array, "..."]:
        """Diffusivity of the random motion at a density [length^2 / time]; one number where it depends on none."""
        return self.mobility if self.motility is None else self.mobility * self.motility.factor(density)


class Signal(Shown):
    """A chemical that cells sense: `relaxation d_t s = diffusivity lap s + kinetics`.

    **Arguments:**

    - `kinetics`: what cells do to it, or `None`. Default `None`.
    - `diffusivity`: non-negative [length^2 / time]. The Python number 0 (default) means that the signal does not
      diffuse at all: an ordinary differential equation in each point, without boundary condition; methods know it.
    - `relaxation`: epsilon, non-negative [dimensionless]. Default 1. The Python number 0 means slaved (elliptic).

    **Raises:** `ValueError` for negative values; `TypeError` for kinetics of the wrong kind.

    >>> jc.models.Signal(jc.models.Production("rho", decay=0.1), diffusivity=2.0)
    Signal(kinetics=Production(species='rho', rate=1, decay=0.1), diffusivity=2, relaxation=1)
    >>> jc.models.Signal(relaxation=0).slaved
    True
    """

    kinetics: AbstractKinetics | None
    diffusivity: Float[Array, ""] | None
    relaxation: Float[Array, ""] | None

    def __init__(
        self,
        kinetics: AbstractKinetics | None = None,
        diffusivity: Number = 0.0,
        relaxation: Number = 1.0,
    ):
        self.kinetics = _checks.instance("kinetics", kinetics, (AbstractKinetics, type(None)), "kinetics or None")
        # Zero changes the kind of equation, not only a number in it: so it is part of the structure.
        spreads = changing(_checks.non_negative, "diffusivity", diffusivity)
        self.diffusivity = None if _is_zero(diffusivity) else spreads
        self.relaxation = None if _is_zero(relaxation) else changing(_checks.positive, "relaxation", relaxation)

    def paced(self, rate: Array | float) -> Float[Array, "..."]:
        """`rate` over the relaxation: what the kinetics and the diffusion of the signal come to, per time."""
        return jnp.asarray(rate) if self.relaxation is None else rate / self.relaxation

    def gain_and_loss(self, densities: Fields, signals: Fields, name: str) -> tuple[Array | float, Array | float]:
        """Production [concentration / time] and loss rate [1 / time] of this signal, known as `name`; zero if none."""
        if self.kinetics is None:
            return 0.0, 0.0
        fields = densities, signals, name
        return self.kinetics.production(*fields), self.kinetics.loss_rate(*fields)

    @property
    def features(self) -> frozenset[Feature]:
        """What a method must know to follow this signal."""
        if self.slaved:
            features = {Feature.SLAVED_SIGNALS}
        else:
            features = {Feature.DIFFUSING_SIGNALS if self.diffuses else Feature.LOCAL_SIGNALS}
        only_made = isinstance(self.kinetics, Production) and _is_zero_now(self.kinetics.decay)
        features |= set() if self.kinetics is None or only_made else {Feature.OTHER_KINETICS}
        return frozenset(features | ({Feature.SCHEDULES} if schedules(self) else set()))

    @property
    def diffuses(self) -> bool:
        """Whether the signal spreads by itself."""
        return self.diffusivity is not None

    @property
    def slaved(self) -> bool:
        """Whether the signal follows the density at once (elliptic), so that it has no initial condition."""
        return self.relaxation is None


def _check_elementwise(name: str, **parts: Callable[[Array], Array | float] | None) -> None:
    """Refuses a law of which a part does not give one value for each that it is given, or one number for all."""
    array = jax.ShapeDtypeStruct((3, 2), float)
    for what, part in parts.items():
        if part is None:
            continue
        try:
            shape = jax.eval_shape(lambda x, part=part: jnp.asarray(part(x)), array).shape
        except Exception as error:
            raise ValueError(
                f"`{name}`: its {what} fails on an array of shape (3, 2) ({type(error).__name__}: {error}). It must be "
                "written with jax.numpy, and act on each value by itself."
            ) from error
        if shape != (3, 2) and (shape or what == "potential"):
            raise ValueError(
                f"`{name}` must act on each value by itself, but its {what} of an array of shape (3, 2) has the shape "
                f"{shape}."
            )


def check_kinetics(signals: Mapping[str, Signal], populations: Sequence[str]) -> None:
    """Refuses kinetics that name a species or a signal that is not there."""
    for name, signal in signals.items():
        for part in getattr(signal.kinetics, "parts", (signal.kinetics,)):
            if (eater := getattr(part, "species", None)) is not None:
                _must_know("species", eater, populations, f"the kinetics of signal {name!r} name")
            for other in () if part is None else part.needs:
                _must_know("signal", other, signals, f"the kinetics of signal {name!r} name")


def _must_know(kind: str, name: str, known: Collection[str], who: str) -> None:
    if name not in known:
        raise ValueError(f"{who} the {kind} {name!r}, but the model has {_checks.listed(sorted(known))}.")


def _is_zero(value) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(value == 0)


def _is_zero_now(value: Array) -> bool:
    """Whether an array is zero throughout, as far as is known: under a transformation it is taken to be."""
    return not _checks.is_concrete(value) or not np.any(np.asarray(value))


class AbstractModel(eqx.Module):
    """Physics: kinds of cells, and the signals that they sense and change. A `Model` or a `RunAndTumble`."""

    signals: eqx.AbstractVar[dict[str, Signal]]

    @property
    @abc.abstractmethod
    def populations(self) -> tuple[str, ...]:
        """Names of the kinds of cells that have a density."""

    @abc.abstractmethod
    def features(self, ndim: int) -> frozenset[Feature]:
        """What a method must know to solve this model in so many dimensions."""

    @property
    def changes(self) -> bool:
        """Whether a number in it changes in time."""
        return bool(schedules(self))

    def at(self, t: Float[ArrayLike, ""]) -> Self:
        """The model with the numbers that it has at a time, in the place of its schedules."""
        return at(self, t) if self.changes else self

    def signal_features(self) -> frozenset[Feature]:
        """Those of the signals."""
        several = {Feature.SEVERAL_SIGNALS} if len(self.signals) > 1 else set()
        return frozenset(several).union(*(signal.features for signal in self.signals.values()))

    @abc.abstractmethod
    def equations(self) -> str:
        """The equations actually solved, one a line, with the numbers in them."""

    def signal_equations(self) -> list[str]:
        """Those of the signals."""
        lines = []
        for name, signal in self.signals.items():
            left = "0" if signal.slaved else f"d_t {name}"
            if not signal.slaved and number(signal.relaxation) != "1":
                left = f"{number(signal.relaxation)} {left}"
            terms = [f"{number(signal.diffusivity)} lap {name}"] if signal.diffuses else []
            terms += [signal.kinetics.describe(name)] if signal.kinetics is not None else []
            lines.append(f"{left} = {' '.join(terms) or '0'}")
        return lines

    def decays_evenly(self, name: str) -> bool:
        """Whether the loss rate of a signal is one number, the same everywhere."""
        kinetics = at(self.signals[name].kinetics, 0.0)
        if kinetics is None:
            return True
        some = jax.ShapeDtypeStruct((2,), float)
        fields = dict.fromkeys(self.populations, some), dict.fromkeys(self.signals, some)
        return not jax.eval_shape(lambda u, s: jnp.asarray(kinetics.loss_rate(u, s, name)), *fields).ndim

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n  " + self.equations().replace("\n", "\n  ") + "\n)"


class Model(AbstractModel):
    """Species and signals by name. `print(model.equations())` shows the equations actually solved.

    **Arguments:**

    - `species`: the species by name, at least one.
    - `signals`: the signals by name. Default: none.
    - `advection`: velocity of the fluid that carries cells and signals, a function from points `(..., d)` to vectors
      `(..., d)` [length / time]. Default: none.

    **Raises:** `ValueError` if a species senses, or a kinetics or growth names, something the model does not have.

    >>> bacteria = jc.models.Species(0.1, {"c": jc.models.Linear(1.0)})
    >>> model = jc.models.Model({"rho": bacteria}, {"c": jc.models.Signal(jc.models.Consumption("rho"))})
    >>> print(model.equations())
    d_t rho = div( 0.1 grad rho - rho 1 grad c )
    d_t c = - 1 rho c
    """

    species: dict[str, Species]
    signals: dict[str, Signal]
    advection: Callable[[Array], Array] | None

    def __init__(
        self,
        species: Mapping[str, Species],
        signals: Mapping[str, Signal] | None = None,
        advection: Callable[[Array], Array] | None = None,
    ):
        what = "a function from points (..., d) to velocities (..., d)"
        self.advection = None if advection is None else _checks.function("advection", advection, what)
        named = {
            "species": _checks.mapping("species", species, "a Species each"),
            "signals": {} if signals is None else _checks.mapping("signals", signals, "a Signal each"),
        }
        self.species = {
            k: _checks.instance(f"species[{k!r}]", v, Species, "a Species") for k, v in named["species"].items()
        }
        self.signals = {
            k: _checks.instance(f"signals[{k!r}]", v, Signal, "a Signal") for k, v in named["signals"].items()
        }
        if not self.species:
            raise ValueError("`species` must name at least one species, got none.")
        if both := set(self.species) & set(self.signals):
            raise ValueError(f"A species and a signal share the name {_checks.listed(sorted(both))}.")
        for name, kind in self.species.items():
            for signal in kind.taxis:
                _must_know("signal", signal, self.signals, f"species {name!r} senses")
            for nutrient in () if kind.growth is None else kind.growth.nutrients:
                _must_know("signal", nutrient, self.signals, f"the growth of species {name!r} needs")
        check_kinetics(self.signals, tuple(self.species))

    @property
    def populations(self) -> tuple[str, ...]:
        return tuple(self.species)

    def features(self, ndim: int) -> frozenset[Feature]:
        has = {
            Feature.DENSITIES: True,
            Feature.SEVERAL_SPECIES: len(self.species) > 1,
            Feature.ADVECTION: self.advection is not None,
        }
        own = {feature for feature, there in has.items() if there}
        return self.signal_features().union(own, *(species.features for species in self.species.values()))

    def equations(self) -> str:
        lines = []
        for name, kind in self.species.items():
            drifts = "".join(f" - {name} {law.describe(signal, name)}" for signal, law in kind.taxis.items())
            drifts += "" if self.advection is None else f" - {name} {called(self.advection, 'v')}(x)"
            growth = f" {kind.growth.describe(name)}" if kind.growth is not None else ""
            motility = f" {kind.motility.describe(name)}" if kind.motility is not None else ""
            lines.append(f"d_t {name} = div( {number(kind.mobility)}{motility} grad {name}{drifts} ){growth}")
        return "\n".join([*lines, *self.signal_equations()])
