"""The named models of the field: plain functions that compose a `Model` from the parts."""

from collections.abc import Callable, Sequence
from typing import Any

from jaxtyping import Array, ArrayLike

from jaxchemo import _checks
from jaxchemo.models.crowding import SpaceFilling
from jaxchemo.models.kinetics import (
    AbstractGrowth,
    Consumption,
    Decay,
    Degradation,
    Logistic,
    Monod,
    Production,
    Sum,
    Uptake,
)
from jaxchemo.models.model import Model, Signal, Species
from jaxchemo.models.sensitivity import AbstractSensitivity, Linear, Logarithmic, LogWindow, Saturating, VolumeFilling


def phks(mobility: ArrayLike, sensitivity: ArrayLike | AbstractSensitivity, consumption: ArrayLike = 1.0) -> Model:
    """The parabolic-hyperbolic Keller-Segel system: cells climb a food that does not diffuse and eat it in place.

    ```
    d_t rho = div( mobility grad rho - sensitivity rho grad c )
    d_t c   = - consumption rho c
    ```

    **Arguments:**

    - `mobility`: diffusivity of the cells, positive [length^2 / time].
    - `sensitivity`: chi of the linear law [length^2 / time / concentration], or any sensitivity.
    - `consumption`: food eaten per cell and time, non-negative. Default 1.

    **Source:** Corrias, Perthame and Zaag (2003, 2004); Kim and Xin, arXiv 2510.13199.
    """
    return Model(
        species={"rho": Species(mobility, taxis={"c": _law(sensitivity)})},
        signals={"c": Signal(Consumption("rho", _checks.non_negative("consumption", consumption, arrays=True)))},
    )


def log_consumption(mobility: ArrayLike, sensitivity: ArrayLike, consumption: ArrayLike = 1.0) -> Model:
    """Cells that climb the logarithm of the food they eat: the model of the travelling band.

    ```
    d_t rho = div( mobility grad rho - sensitivity rho grad ln c )
    d_t c   = - consumption rho c
    ```

    **Arguments:**

    - `mobility`: diffusivity of the cells, positive [length^2 / time].
    - `sensitivity`: chi [length^2 / time].
    - `consumption`: food eaten per cell and time, non-negative. Default 1.

    **Source:** Keller and Segel (1971); Levine and Sleeman (1997) for this form of consumption.
    """
    return phks(mobility, Logarithmic(_checks.real("sensitivity", sensitivity)), consumption)


def keller_segel(
    mobility: ArrayLike,
    sensitivity: ArrayLike | AbstractSensitivity,
    relaxation: ArrayLike = 1.0,
    decay: ArrayLike = 0.0,
    diffusivity: ArrayLike = 1.0,
    production: ArrayLike = 1.0,
    growth: AbstractGrowth | None = None,
    advection: Callable[[Array], Array] | None = None,
) -> Model:
    """The parabolic Keller-Segel system: cells climb a signal that they secrete.

    ```
    d_t rho            = div( mobility grad rho - sensitivity rho grad c ) + growth
    relaxation d_t c   = diffusivity lap c - decay c + production rho
    ```

    **Arguments:**

    - `mobility`: diffusivity of the cells, positive [length^2 / time].
    - `sensitivity`: chi of the linear law [length^2 / time / concentration], or any sensitivity: with those of
      `jc.models` and `growth` this is the minimal model and its classical variants (Hillen and Painter 2009).
    - `relaxation`: epsilon; the Python number 0 gives the parabolic-elliptic system. Default 1.
    - `decay`: k^2, non-negative. Default 0.
    - `diffusivity`: of the signal, non-negative. Default 1.
    - `production`: of the signal per cell and time, non-negative. Default 1.
    - `growth`: of the cells. Default: none.
    - `advection`: velocity of the fluid, a function of points `(..., d)` [length / time]. Default: none.

    **Source:** Keller and Segel (1970), in the form of arXiv 2309.13554.
    """
    return Model(
        species={"rho": Species(mobility, {"c": _law(sensitivity)}, growth)},
        signals={"c": Signal(_made("rho", production, decay), diffusivity, relaxation)},
        advection=advection,
    )


def logistic_chemotaxis(
    sensitivity: ArrayLike, mobility: ArrayLike = 1.0, diffusivity: ArrayLike = 1.0, decay: ArrayLike = 0.1
) -> Model:
    """Cells that grow to a density of 1 and climb their signal the less the more they are: spots, stripes and mazes.

    ```
    d_t rho = div( mobility grad rho - sensitivity rho / (1 + rho^2) grad c ) + rho (1 - rho)
    d_t c   = diffusivity lap c - decay c + rho
    ```

    With mobility 1 the uniform state is unstable beyond `sensitivity = 2 (D + a + 2 sqrt(a D))`, where D is the
    diffusivity and a the decay: 3.4649 with the defaults.

    **Arguments:** `sensitivity` [length^2 / time / concentration], `mobility` and `diffusivity` [length^2 / time],
    `decay` [1 / time].

    **Source:** the chemotaxis preset of VisualPDE's documentation, whose defaults these are.
    """
    law = Saturating(Linear(_checks.real("sensitivity", sensitivity)))
    return keller_segel(mobility, law, 1.0, decay, diffusivity, growth=Logistic(1.0))


def volume_filling(
    mobility: ArrayLike,
    sensitivity: ArrayLike | AbstractSensitivity,
    room: ArrayLike | Callable[[Array], Array] = 1.0,
    relaxation: ArrayLike = 1.0,
    decay: ArrayLike = 1.0,
    diffusivity: ArrayLike = 1.0,
    production: ArrayLike = 1.0,
    growth: AbstractGrowth | None = None,
) -> Model:
    """Cells that go only where there is room: they gather in plateaus, and never blow up.

    ```
    d_t rho            = div( mobility (q - rho q') grad rho - sensitivity rho q grad c ) + growth,     q = q(rho)
    relaxation d_t c   = diffusivity lap c - decay c + production rho
    ```

    **Arguments:**

    - `mobility`: diffusivity of a lone cell, positive [length^2 / time].
    - `sensitivity`: of a lone cell: chi of the linear law [length^2 / time / concentration], or any sensitivity.
    - `room`: q, from densities to the share of space left: `Room(capacity, power)` or any function; a number is the
      capacity of `q = 1 - rho/capacity`. Default 1.
    - the others: as `keller_segel`, with a decay of 1.

    **Source:** Painter and Hillen (2002).
    """
    law = VolumeFilling(_law(sensitivity), room)
    motility = SpaceFilling(room) if callable(room) else None
    return Model(
        species={"rho": Species(mobility, {"c": law}, growth, motility)},
        signals={"c": Signal(_made("rho", production, decay), diffusivity, relaxation)},
    )


def travelling_band(
    mobility: ArrayLike | Sequence[ArrayLike],
    sensitivity: ArrayLike | Sequence[ArrayLike],
    consumption: ArrayLike,
    offset: ArrayLike = 0.0,
    half: ArrayLike = 0.0,
    diffusivity: ArrayLike = 0.0,
) -> Model:
    """The travelling band of 1971, of one kind of cells or of several phenotypes that share what they eat.

    ```
    d_t rho_i = div( mobility_i grad rho_i - sensitivity_i rho_i grad ln(c + offset) )
    d_t c     = diffusivity lap c - consumption (sum_i rho_i) c / (c + half)
    ```

    With the defaults, the band of `N` cells per area moves at `consumption N / c0`, whatever the mobility and the
    sensitivity; see `jc.references.exact.travelling_band` and `phenotype_band`.

    **Arguments:**

    - `mobility`: diffusivity of the cells, positive [length^2 / time]; a sequence for several phenotypes, which are
      then named `rho_1`, `rho_2`, ...; one alone is named `rho`.
    - `sensitivity`: chi, larger than the mobility [length^2 / time]; as many.
    - `consumption`: of the signal per cell and time, non-negative.
    - `offset`: concentration below which cells sense no ratio. Default 0: the signal must then stay positive.
    - `half`: concentration of half the uptake. Default 0: cells never slacken.
    - `diffusivity`: of the signal. Default 0.

    **Raises:** `ValueError` if there are not as many sensitivities as mobilities.

    **Source:** Keller and Segel (1971); Fu et al., Nature Communications 9 (2018) 2177 for phenotypes.
    """
    kinds = isinstance(mobility, Sequence), isinstance(sensitivity, Sequence)
    both = (mobility, sensitivity)
    mobilities, sensitivities = ([given] if not isinstance(given, Sequence) else given for given in both)
    if kinds[0] != kinds[1] or len(mobilities) != len(sensitivities) or not mobilities:
        raise ValueError(
            f"`mobility` and `sensitivity` must have one number for each phenotype, got {mobility!r} and "
            f"{sensitivity!r}."
        )
    names = [f"rho_{k + 1}" for k in range(len(mobilities))] if kinds[0] else ["rho"]
    consumption = _checks.non_negative("consumption", consumption, arrays=True)
    eaten = Sum(*(Uptake(name, consumption, half) for name in names))
    return Model(
        species={
            name: Species(mobility, {"c": Logarithmic(_checks.real("sensitivity", chi), offset)})
            for name, mobility, chi in zip(names, mobilities, sensitivities, strict=True)
        },
        signals={"c": Signal(eaten if kinds[0] else eaten.parts[0], diffusivity)},
    )


def growth_expansion(
    mobility: ArrayLike = 50.2e-6,
    sensitivity: ArrayLike = 315e-6,
    growth: ArrayLike = 1.9166e-4,
    *,
    diffusivity: ArrayLike = 800e-6,
    inactive: ArrayLike = 1e-3,
    active: ArrayLike = 3e-2,
    half_growth: ArrayLike = 0.05,
    half_uptake: ArrayLike = 1e-3,
    biomass: ArrayLike = 0.064,
    uptake_growing: ArrayLike = 1.25,
    uptake_resting: ArrayLike = 2.1389e-4,
) -> Model:
    """A colony that grows on a nutrient and outruns its growth by following an attractant that it eats up.

    ```
    d_t rho = div( mobility grad rho - sensitivity rho grad ln((1 + a/inactive) / (1 + a/active)) ) + growth g(n) rho
    d_t a   = diffusivity lap a - (uptake_growing growth g(n) + uptake_resting) rho a / (a + half_uptake)
    d_t n   = diffusivity lap n - growth / biomass g(n) rho,              g(n) = n / (n + half_growth)
    ```

    **Arguments** (the defaults are those published for *E. coli* in soft agar; rho in OD, concentrations in mM, lengths
    in mm, times in s):

    - `mobility`, `sensitivity`, `diffusivity` [mm^2 / s].
    - `growth`: largest growth rate [1 / s].
    - `inactive`, `active`: the window in which cells sense ratios [mM].
    - `half_growth`, `half_uptake`: concentrations of half the growth and of half the uptake [mM].
    - `biomass`: grown per nutrient [OD / mM].
    - `uptake_growing`: attractant per growth [mM / OD]; `uptake_resting`: without growth [mM / OD / s].

    **Source:** Cremer et al., Nature 575 (2019) 658; the numbers are those of the code published with it.
    """
    growth, biomass = _checks.non_negative("growth", growth), _checks.positive("biomass", biomass)
    half_growth, half_uptake = (
        _checks.positive("half_growth", half_growth),
        _checks.non_negative("half_uptake", half_uptake),
    )
    uptake_growing = _checks.non_negative("uptake_growing", uptake_growing)
    uptake_resting = _checks.non_negative("uptake_resting", uptake_resting)
    eaten_growing = Uptake("rho", uptake_growing * growth, half_uptake, {"nutrient": half_growth})
    eaten = Sum(eaten_growing, Uptake("rho", uptake_resting, half_uptake))
    law = LogWindow(_checks.real("sensitivity", sensitivity), inactive, active)
    return Model(
        species={"rho": Species(mobility, {"attractant": law}, Monod("nutrient", growth, half_growth))},
        signals={
            "attractant": Signal(eaten, diffusivity),
            "nutrient": Signal(Uptake("rho", growth / biomass, half_growth), diffusivity),
        },
    )


def invasion(
    mobility: ArrayLike = 1e-3,
    sensitivity: ArrayLike | AbstractSensitivity = 5e-3,
    *,
    degradation: ArrayLike = 10.0,
    diffusivity: ArrayLike = 1e-3,
    production: ArrayLike = 0.1,
    decay: ArrayLike = 0.0,
    growth: AbstractGrowth | None = None,
) -> Model:
    """Haptotaxis: cells climb a matrix that does not move, and that their enzyme degrades.

    ```
    d_t rho    = div( mobility grad rho - sensitivity rho grad matrix ) + growth
    d_t matrix = - degradation enzyme matrix
    d_t enzyme = diffusivity lap enzyme + production rho - decay enzyme
    ```

    **Arguments:** rates and diffusivities as in the equations, non-negative; the defaults are ours, dimensionless.

    **Source:** the system solved in arXiv 2407.05626, after Anderson et al. (2000).
    """
    return Model(
        species={"rho": Species(mobility, {"matrix": _law(sensitivity)}, growth)},
        signals={
            "matrix": Signal(Degradation("enzyme", _checks.non_negative("degradation", degradation, arrays=True))),
            "enzyme": Signal(_made("rho", production, decay), diffusivity),
        },
    )


def attraction_repulsion(
    mobility: ArrayLike,
    attraction: ArrayLike | AbstractSensitivity,
    repulsion: ArrayLike | AbstractSensitivity,
    *,
    diffusivities: tuple[ArrayLike, ArrayLike] = (1.0, 1.0),
    productions: tuple[ArrayLike, ArrayLike] = (1.0, 1.0),
    decays: tuple[ArrayLike, ArrayLike] = (1.0, 1.0),
    relaxation: ArrayLike = 1.0,
) -> Model:
    """Cells that secrete two signals, climb the `attractant` and flee the `repellent`.

    ```
    d_t rho = div( mobility grad rho - attraction rho grad attractant + repulsion rho grad repellent )
    relaxation d_t s = diffusivity lap s + production rho - decay s        for each signal
    ```

    **Arguments:**

    - `mobility`: diffusivity of the cells, positive [length^2 / time].
    - `attraction`: chi, or any sensitivity; `repulsion`: xi, positive for flight, or any sensitivity, with its sign.
    - `diffusivities`, `productions`, `decays`: of the attractant and of the repellent. Defaults 1.
    - `relaxation`: of both; the Python number 0 makes them follow at once. Default 1.

    **Source:** Luca, Chavez-Ross, Edelstein-Keshet and Mogilner (2003).
    """
    towards = _law(attraction, "attraction")
    away = repulsion if isinstance(repulsion, AbstractSensitivity) else Linear(-_checks.real("repulsion", repulsion))
    rates = _pair("productions", productions, _rate)
    losses = _pair("decays", decays, _rate)
    _pair("diffusivities", diffusivities, _checks.non_negative)
    signals = {
        name: Signal(Production("rho", rate, decay), diffusivity, relaxation)
        for name, rate, decay, diffusivity in zip(
            ("attractant", "repellent"), rates, losses, diffusivities, strict=True
        )
    }
    return Model({"rho": Species(mobility, {"attractant": towards, "repellent": away})}, signals)


def two_species(
    mobilities: tuple[ArrayLike, ArrayLike],
    sensitivities: tuple[ArrayLike | AbstractSensitivity, ArrayLike | AbstractSensitivity],
    *,
    diffusivity: ArrayLike = 1.0,
    productions: tuple[ArrayLike, ArrayLike] = (1.0, 1.0),
    decay: ArrayLike = 0.0,
    relaxation: ArrayLike = 1.0,
    growths: tuple[AbstractGrowth | None, AbstractGrowth | None] = (None, None),
) -> Model:
    """Two species that secrete and climb one signal, each in its own way.

    ```
    d_t rho_i        = div( mobility_i grad rho_i - sensitivity_i rho_i grad c ) + growth_i,        i = 1, 2
    relaxation d_t c = diffusivity lap c - decay c + production_1 rho_1 + production_2 rho_2
    ```

    **Arguments:**

    - `mobilities`, `sensitivities`, `productions`, `growths`: of the species `rho_1` and `rho_2`; a sensitivity is chi
      or any law, negative for cells that flee.
    - `diffusivity`, `decay`, `relaxation`: of the signal; a relaxation of the Python number 0 makes it follow at once.

    **Source:** Wolansky (2002); Espejo, Stevens and Velazquez (2009) for the conditions of blow-up.
    """
    names = ("rho_1", "rho_2")
    laws = _pair("sensitivities", sensitivities, lambda name, value: _law(value, name))
    rates = _pair("productions", productions, _rate)
    grow = _checks.several("growths", growths, "growth law", 2)
    parts = zip(names, _pair("mobilities", mobilities, _checks.positive), laws, grow, strict=True)
    made = (Production(name, rate) for name, rate in zip(names, rates, strict=True))
    return Model(
        species={name: Species(mobility, {"c": law}, growth) for name, mobility, law, growth in parts},
        signals={
            "c": Signal(Sum(*made, Decay(_checks.non_negative("decay", decay, arrays=True))), diffusivity, relaxation)
        },
    )


def _law(sensitivity: ArrayLike | AbstractSensitivity, name: str = "sensitivity") -> AbstractSensitivity:
    if isinstance(sensitivity, AbstractSensitivity):
        return sensitivity
    return Linear(_checks.real(name, sensitivity))


def _made(species: str, production: ArrayLike, decay: ArrayLike) -> Production:
    return Production(
        species,
        _checks.non_negative("production", production, arrays=True),
        _checks.non_negative("decay", decay, arrays=True),
    )


def _rate(name: str, value: Any) -> Any:
    """A rate of kinetics, which may differ from cell to cell."""
    return _checks.non_negative(name, value, arrays=True)


def _pair(name: str, values: Any, check: Callable[[str, Any], Any]) -> tuple[Any, Any]:
    """Both of two values, each after a check."""
    first, second = _checks.several(name, values, "number", 2)
    return check(f"{name}[0]", first), check(f"{name}[1]", second)
