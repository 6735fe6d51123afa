"""The named models of several signals, or of several species: plain functions, as those of `named`."""

from collections.abc import Callable
from typing import Any

from jaxtyping import ArrayLike

from jaxchemo import _checks
from jaxchemo.models.kinetics import AbstractGrowth, Decay, Degradation, Monod, Production, Sum, Uptake
from jaxchemo.models.model import Model, Signal, Species
from jaxchemo.models.named import law_of, secretion
from jaxchemo.models.sensitivity import AbstractSensitivity, Linear, LogWindow


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

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

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

    **Raises:** `ValueError` or `TypeError` if `mobility` is not positive, or a rate or `diffusivity` negative.

    **Source:** the system solved in arXiv 2407.05626, after Anderson et al. (2000).
    """
    return Model(
        species={"rho": Species(mobility, {"matrix": law_of(sensitivity)}, growth)},
        signals={
            "matrix": Signal(Degradation("enzyme", _checks.non_negative("degradation", degradation, arrays=True))),
            "enzyme": Signal(secretion("rho", production, decay), diffusivity),
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
    - `attraction`: chi, or any sensitivity; `repulsion`: xi, positive for flight, or any sensitivity, with its sign
      [length^2 / time / concentration].
    - `diffusivities` [length^2 / time], `productions` [concentration / density / time], `decays` [1 / time]: of the
      attractant and of the repellent. Defaults 1.
    - `relaxation`: of both [dimensionless]; the Python number 0 makes them follow at once. Default 1.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault, also where it is not a pair.

    **Source:** Luca, Chavez-Ross, Edelstein-Keshet and Mogilner (2003).
    """
    towards = law_of(attraction, "attraction")
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
      or any law, negative for cells that flee. `productions` are 1 by default, `growths` none.
    - `diffusivity` [length^2 / time] (default 1), `decay` [1 / time] (default 0), `relaxation` [dimensionless] (default
      1): of the signal; a relaxation of the Python number 0 makes it follow at once.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault, also where it is not a pair.

    **Source:** Wolansky (2002); Espejo, Stevens and Velazquez (2009) for the conditions of blow-up.
    """
    names = ("rho_1", "rho_2")
    laws = _pair("sensitivities", sensitivities, lambda name, value: law_of(value, name))
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


def _rate(name: str, value: Any) -> Any:
    """A rate of kinetics, which may differ from cell to cell."""
    return _checks.non_negative(name, value, arrays=True)


def _pair(name: str, values: Any, check: Callable[[str, Any], Any]) -> tuple[Any, Any]:
    """Both of two values, each after a check."""
    first, second = _checks.several(name, values, "number", 2)
    return check(f"{name}[0]", first), check(f"{name}[1]", second)
