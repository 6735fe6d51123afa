"""How cells change a signal, and how they grow: each law written as production minus loss, so positivity is exact.

`kinetics = production - loss_rate * signal` with both parts non-negative (Patankar's form): with production and rate
frozen over a step the signal has an exact, positive solution, whatever the step size. Each number may be one for all,
or one for each cell of the grid.
"""

import abc
import math
from collections.abc import Mapping

import equinox as eqx
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown, number
from jaxchemo._types import Fields
from jaxchemo.models.schedules import Number, changing


class AbstractKinetics(Shown):
    """What happens to a signal at a point: `kinetics(rho, s) = production(rho, s) - loss_rate(rho, s) * s`."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the other signals that it depends on."""
        return ()

    @abc.abstractmethod
    def production(self, densities: Fields, signals: Fields, name: str) -> Float[Array, "..."] | float:
        """Production of signal `name` [concentration / time], non-negative."""

    @abc.abstractmethod
    def loss_rate(self, densities: Fields, signals: Fields, name: str) -> Float[Array, "..."] | float:
        """Loss rate of signal `name` [1 / time], non-negative."""

    @abc.abstractmethod
    def describe(self, name: str) -> str:
        """The terms as the model's equations print them."""


class Consumption(AbstractKinetics):
    """`- rate * rho * s`: the species eats the signal where it meets it.

    **Arguments:**

    - `species`: name of the species that eats.
    - `rate`: consumption per density and time, non-negative [1 / density / time]. Default 1.

    **Raises:** `TypeError` unless `species` is a name; `ValueError` if `rate` is negative.

    >>> eaten = jc.models.Consumption("rho", rate=3.0)
    >>> float(eaten.loss_rate({"rho": jnp.array(2.0)}, {"c": jnp.array(0.5)}, "c"))
    6.0
    """

    species: str = eqx.field(static=True)
    rate: Float[Array, ""]

    def __init__(self, species: str, rate: Number = 1.0):
        self.species = _checks.instance("species", species, str, "the name of a species")
        self.rate = changing(_checks.non_negative, "rate", rate, arrays=True)

    def production(self, densities, signals, name):
        return 0.0

    def loss_rate(self, densities, signals, name):
        return self.rate * densities[self.species]

    def describe(self, name):
        return f"- {number(self.rate)} {self.species} {name}"


class Production(AbstractKinetics):
    """`rate * rho - decay * s`: the species secretes the signal, which decays by itself.

    **Arguments:**

    - `species`: name of the species that secretes.
    - `rate`: production per density and time, non-negative [concentration / density / time]. Default 1.
    - `decay`: decay rate, non-negative [1 / time]. Default 0.

    **Raises:** `TypeError` unless `species` is a name; `ValueError` if `rate` or `decay` is negative.

    >>> made = jc.models.Production("rho", rate=3.0, decay=0.1)
    >>> float(made.production({"rho": jnp.array(2.0)}, {"c": jnp.array(0.5)}, "c"))
    6.0
    """

    species: str = eqx.field(static=True)
    rate: Float[Array, ""]
    decay: Float[Array, ""]

    def __init__(self, species: str, rate: Number = 1.0, decay: Number = 0.0):
        self.species = _checks.instance("species", species, str, "the name of a species")
        self.rate = changing(_checks.non_negative, "rate", rate, arrays=True)
        self.decay = changing(_checks.non_negative, "decay", decay, arrays=True)

    def production(self, densities, signals, name):
        return self.rate * densities[self.species]

    def loss_rate(self, densities, signals, name):
        return self.decay

    def describe(self, name):
        lasts = _checks.is_concrete(self.decay) and not np.any(self.decay)
        return f"+ {number(self.rate)} {self.species}" + ("" if lasts else f" - {number(self.decay)} {name}")


class Uptake(AbstractKinetics):
    """`- rate * rho * s / (s + half)`: Michaelis-Menten (Monod) uptake, which saturates where there is plenty.

    **Arguments:**

    - `species`: name of the species that takes up.
    - `rate`: largest uptake per density and time, non-negative [concentration / density / time].
    - `half`: concentration of half the largest rate, non-negative [concentration]; 0 for an uptake that never slackens,
      `- rate * rho`, as in the travelling band of Keller and Segel (1971): the signal must then stay positive.
    - `limited_by`: other signals without which there is no uptake, by name the concentration of half the rate: a factor
      `n / (n + half)` for each [concentration]. Default: none.

    **Raises:** `TypeError` unless `species` is a name and `limited_by` a dict; `ValueError` if `rate` or `half` is
    negative, or a concentration in `limited_by` not positive.

    >>> jc.models.Uptake("rho", rate=2.0, half=0.1, limited_by={"oxygen": 0.2}).describe("food")
    '- 2 rho food / (food + 0.1) oxygen / (oxygen + 0.2)'
    """

    species: str = eqx.field(static=True)
    rate: Float[Array, ""]
    half: Float[Array, ""]
    limited_by: dict[str, Float[Array, ""]]

    def __init__(self, species: str, rate: Number, half: Number, limited_by: Mapping[str, Number] | None = None):
        self.species = _checks.instance("species", species, str, "the name of a species")
        self.rate = changing(_checks.non_negative, "rate", rate, arrays=True)
        self.half = changing(_checks.non_negative, "half", half, arrays=True)
        others = {} if limited_by is None else _checks.mapping("limited_by", limited_by, "concentrations")
        self.limited_by = {name: changing(_checks.positive, "limited_by", k, arrays=True) for name, k in others.items()}

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(self.limited_by)

    def production(self, densities, signals, name):
        return 0.0

    def loss_rate(self, densities, signals, name):
        rate = self.rate * densities[self.species] / (signals[name] + self.half)
        return rate * math.prod(signals[other] / (signals[other] + k) for other, k in self.limited_by.items())

    def describe(self, name):
        factors = "".join(f" {n} / ({n} + {number(k)})" for n, k in [(name, self.half), *self.limited_by.items()])
        return f"- {number(self.rate)} {self.species}{factors}"


class Decay(AbstractKinetics):
    """`- rate * s`: the signal decays by itself. `rate` non-negative [1 / time], default 1.

    **Raises:** `ValueError` or `TypeError` if `rate` is negative or not a number.

    >>> jc.models.Signal(jc.models.Decay(0.5)).kinetics.describe("c")
    '- 0.5 c'
    """

    rate: Float[Array, ""]

    def __init__(self, rate: Number = 1.0):
        self.rate = changing(_checks.non_negative, "rate", rate, arrays=True)

    def production(self, densities, signals, name):
        return 0.0

    def loss_rate(self, densities, signals, name):
        return self.rate

    def describe(self, name):
        return f"- {number(self.rate)} {name}"


class Degradation(AbstractKinetics):
    """`- rate * m * s`: another signal, such as an enzyme, degrades this one where they meet.

    **Arguments:**

    - `enzyme`: name of the signal that degrades.
    - `rate`: degradation per concentration of it and time, non-negative [1 / concentration / time]. Default 1.

    **Raises:** `TypeError` unless `enzyme` is a name; `ValueError` if `rate` is negative.

    >>> jc.models.Degradation("enzyme", rate=10.0).describe("matrix")
    '- 10 enzyme matrix'
    """

    enzyme: str = eqx.field(static=True)
    rate: Float[Array, ""]

    def __init__(self, enzyme: str, rate: Number = 1.0):
        self.enzyme = _checks.instance("enzyme", enzyme, str, "the name of a signal")
        self.rate = changing(_checks.non_negative, "rate", rate, arrays=True)

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.enzyme,)

    def production(self, densities, signals, name):
        return 0.0

    def loss_rate(self, densities, signals, name):
        return self.rate * signals[self.enzyme]

    def describe(self, name):
        return f"- {number(self.rate)} {self.enzyme} {name}"


class Supply(AbstractKinetics):
    """`+ rate * field`: the signal is released from outside, such as by a pipette, whatever the cells do.

    **Arguments:**

    - `field`: where it is released, non-negative: a value for each cell of the grid, of its shape, or one for all
      [1 / length^d, or as `rate` has it].
    - `rate`: how much is released, non-negative; a schedule opens and closes the source [so that `rate * field` is
      concentration / time]. Default 1.

    **Raises:** `ValueError` or `TypeError` if `field` or `rate` is negative or not a number.

    >>> pulse = jc.models.PiecewiseLinear([0.0, 1.0, 2.0], [0.0, 3.0, 0.0])
    >>> supply = jc.models.Supply(jnp.array([0.0, 2.0, 0.0]), pulse)
    >>> model = jc.models.Model({"u": jc.models.Species(1.0)}, {"c": jc.models.Signal(supply)}).at(0.5)
    >>> model.signals["c"].kinetics.production({}, {}, "c").tolist()
    [0.0, 3.0, 0.0]
    """

    field: Float[Array, "..."]
    rate: Float[Array, ""]

    def __init__(self, field: ArrayLike, rate: Number = 1.0):
        self.field = _checks.non_negative("field", field, arrays=True)
        self.rate = changing(_checks.non_negative, "rate", rate)

    def production(self, densities, signals, name):
        return self.rate * self.field

    def loss_rate(self, densities, signals, name):
        return 0.0

    def describe(self, name):
        return f"+ {number(self.rate)} {number(self.field) if not self.field.ndim else 'f(x)'}"


class Sum(AbstractKinetics):
    """Several kinetics at once, such as production and uptake; their terms add up.

    **Raises:** `ValueError` without any part; `TypeError` for a part that is not kinetics.

    >>> jc.models.Sum(jc.models.Production("rho"), jc.models.Uptake("rho", 1.0, 0.1)).describe("c")
    '+ 1 rho - 1 rho c / (c + 0.1)'
    """

    parts: tuple[AbstractKinetics, ...]

    def __init__(self, *parts: AbstractKinetics):
        parts = _checks.several("parts", parts, "part")
        checked = [_checks.instance("parts", p, AbstractKinetics, "kinetics") for p in parts]
        self.parts = tuple(part for p in checked for part in (p.parts if isinstance(p, Sum) else (p,)))

    def production(self, densities, signals, name):
        return sum((part.production(densities, signals, name) for part in self.parts), 0.0)

    def loss_rate(self, densities, signals, name):
        return sum((part.loss_rate(densities, signals, name) for part in self.parts), 0.0)

    def describe(self, name):
        return " ".join(part.describe(name) for part in self.parts)


class AbstractGrowth(Shown):
    """Growth per cell: `growth(rho, s) = rate(rho, s) * rho`."""

    @property
    def nutrients(self) -> tuple[str, ...]:
        """Names of the signals that it depends on."""
        return ()

    @abc.abstractmethod
    def rate(self, density: Float[Array, "..."], signals: Fields) -> Float[Array, "..."]:
        """Net growth rate of a cell [1 / time]."""

    @abc.abstractmethod
    def describe(self, density: str) -> str:
        """The term as the model's equations print it."""


class Logistic(AbstractGrowth):
    """`speed * rho * (1 - rho/capacity)`. `speed` non-negative [1 / time]; `capacity` positive [density], default 1.

    **Raises:** `ValueError` or `TypeError` if `speed` is negative or `capacity` not positive.

    >>> jc.models.Logistic(speed=0.5, capacity=2.0).rate(jnp.array([0.0, 1.0, 2.0]), {}).tolist()
    [0.5, 0.25, 0.0]
    """

    speed: Float[Array, ""]
    capacity: Float[Array, ""]

    def __init__(self, speed: Number, capacity: Number = 1.0):
        self.speed = changing(_checks.non_negative, "speed", speed, arrays=True)
        self.capacity = changing(_checks.positive, "capacity", capacity, arrays=True)

    def rate(self, density, signals):
        return self.speed * (1 - density / self.capacity)

    def describe(self, density):
        return f"+ {number(self.speed)} {density} (1 - {density}/{number(self.capacity)})"


class Allee(AbstractGrowth):
    """`speed * rho * (rho/threshold - 1) * (1 - rho/capacity)`: too few cells die out (strong Allee effect).

    **Arguments:**

    - `speed`: death rate of a lone cell, non-negative [1 / time].
    - `threshold`: density below which a population shrinks, positive [density].
    - `capacity`: density at which it stops growing, larger than the threshold [density]. Default 1.

    **Raises:** `ValueError` if `speed` is negative, `threshold` not positive, or `capacity` not larger than it.

    >>> jc.models.Allee(speed=1.0, threshold=0.5).rate(jnp.array([0.0, 0.5, 1.0]), {}).tolist()
    [-1.0, 0.0, 0.0]
    """

    speed: Float[Array, ""]
    threshold: Float[Array, ""]
    capacity: Float[Array, ""]

    def __init__(self, speed: Number, threshold: ArrayLike, capacity: ArrayLike = 1.0):
        self.speed = changing(_checks.non_negative, "speed", speed, arrays=True)
        self.threshold = _checks.positive("threshold", threshold, arrays=True)
        self.capacity = _checks.require(
            "capacity",
            _checks.positive("capacity", capacity, arrays=True),
            capacity,
            lambda a: a > self.threshold,
            f"be larger than `threshold`, {threshold!r}",
        )

    def rate(self, density, signals):
        return self.speed * (density / self.threshold - 1) * (1 - density / self.capacity)

    def describe(self, density):
        low, high = number(self.threshold), number(self.capacity)
        return f"+ {number(self.speed)} {density} ({density}/{low} - 1) (1 - {density}/{high})"


class Monod(AbstractGrowth):
    """`speed * rho * n / (n + half)` on a nutrient `n`, or on several at once: the product of their fractions.

    **Arguments:**

    - `nutrient`: name of the signal that feeds the growth, or a dict from names to concentrations of half the rate.
    - `speed`: largest growth rate, non-negative [1 / time].
    - `half`: concentration of half the largest rate, positive [concentration]; only for one nutrient.

    **Raises:** `ValueError` if `speed` is negative or a concentration not positive, or if `half` is given with a dict
    or missing without one.

    >>> growth = jc.models.Monod("food", speed=1.0, half=0.5)
    >>> float(growth.rate(jnp.array(1.0), {"food": jnp.array(0.5)}))
    0.5
    """

    speed: Float[Array, ""]
    halves: dict[str, Float[Array, ""]]

    def __init__(self, nutrient: str | Mapping[str, Number], speed: Number, half: Number | None = None):
        if isinstance(nutrient, str) == (half is None):
            raise ValueError("`half` belongs to one nutrient; for several give a dict, such as {'n': 0.1, 'o': 0.2}.")
        self.speed = changing(_checks.non_negative, "speed", speed, arrays=True)
        if isinstance(nutrient, str):
            self.halves = {nutrient: changing(_checks.positive, "half", half, arrays=True)}
        else:
            several = _checks.mapping("nutrient", nutrient, "concentrations, or one name")
            self.halves = {
                name: changing(_checks.positive, f"nutrient[{name!r}]", value, arrays=True)
                for name, value in several.items()
            }

    @property
    def nutrients(self) -> tuple[str, ...]:
        return tuple(self.halves)

    def rate(self, density, signals):
        fractions = (signals[name] / (signals[name] + half) for name, half in self.halves.items())
        return math.prod(fractions, start=self.speed)

    def describe(self, density):
        fractions = " ".join(f"{n} / ({n} + {number(half)})" for n, half in self.halves.items())
        return f"+ {number(self.speed)} {density} {fractions}"
