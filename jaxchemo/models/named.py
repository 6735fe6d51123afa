"""The named models of one signal and its cells: plain functions that compose a `Model` from the parts."""

from collections.abc import Callable, Sequence

from jaxtyping import Array, ArrayLike

from jaxchemo import _checks
from jaxchemo.models.bounded import Saturating, VolumeFilling
from jaxchemo.models.crowding import PowerLaw, SpaceFilling
from jaxchemo.models.kinetics import AbstractGrowth, Consumption, Logistic, Production, Sum, Uptake
from jaxchemo.models.model import Model, Signal, Species
from jaxchemo.models.schedules import Number, changing
from jaxchemo.models.sensitivity import AbstractSensitivity, Linear, Logarithmic


def phks(mobility: Number, sensitivity: Number | AbstractSensitivity, consumption: Number = 1.0) -> Model:
    """The parabolic-hyperbolic Keller-Segel system: cells climb a food that does not diffuse and eat it in place.

    ```
    d_t rho = div( mobility grad rho - sensitivity rho grad c )
    d_t c   = - consumption rho c
    ```

    **Arguments:**

    - `mobility`: diffusivity of the cells, positive [length^2 / time].
    - `sensitivity`: chi of the linear law [length^2 / time / concentration], or any sensitivity.
    - `consumption`: food eaten per cell and time, non-negative [1 / density / time]. Default 1.

    **Raises:** `ValueError` or `TypeError` if `mobility` is not positive, or `consumption` negative.

    **Source:** Corrias, Perthame and Zaag (2003, 2004); Kim and Xin, arXiv 2510.13199.

    >>> jc.models.phks(mobility=0.1, sensitivity=1.0)
    Model(
      d_t rho = div( 0.1 grad rho - rho 1 grad c )
      d_t c = - 1 rho c
    )
    """
    eaten = changing(_checks.non_negative, "consumption", consumption, arrays=True)
    return Model(
        species={"rho": Species(mobility, taxis={"c": law_of(sensitivity)})},
        signals={"c": Signal(Consumption("rho", eaten))},
    )


def log_consumption(mobility: Number, sensitivity: Number, consumption: Number = 1.0) -> Model:
    """Cells that climb the logarithm of the food they eat: the model of the travelling band.

    ```
    d_t rho = div( mobility grad rho - sensitivity rho grad ln c )
    d_t c   = - consumption rho c
    ```

    **Arguments:**

    - `mobility`: diffusivity of the cells, positive [length^2 / time].
    - `sensitivity`: chi [length^2 / time].
    - `consumption`: food eaten per cell and time, non-negative [1 / density / time]. Default 1.

    **Raises:** `ValueError` or `TypeError` if `mobility` is not positive, or `consumption` negative.

    **Source:** Keller and Segel (1971); Levine and Sleeman (1997) for this form of consumption.
    """
    return phks(mobility, Logarithmic(changing(_checks.real, "sensitivity", sensitivity)), consumption)


def keller_segel(
    mobility: Number,
    sensitivity: Number | AbstractSensitivity,
    relaxation: Number = 1.0,
    decay: Number = 0.0,
    diffusivity: Number = 1.0,
    production: Number = 1.0,
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
    - `relaxation`: epsilon [dimensionless]; the Python number 0 gives the parabolic-elliptic system. Default 1.
    - `decay`: k^2, non-negative [1 / time]. Default 0.
    - `diffusivity`: of the signal, non-negative [length^2 / time]. Default 1.
    - `production`: of the signal per cell, non-negative [concentration / density / time]. Default 1.
    - `growth`: of the cells. Default: none.
    - `advection`: velocity of the fluid, a function of points `(..., d)` [length / time]. Default: none.

    **Raises:** `ValueError` or `TypeError` if `mobility` is not positive, or another number negative, or no number.

    **Source:** Keller and Segel (1970), in the form of arXiv 2309.13554.

    >>> jc.models.keller_segel(1.0, 5.0, relaxation=0, decay=0.1)
    Model(
      d_t rho = div( 1 grad rho - rho 5 grad c )
      0 = 1 lap c + 1 rho - 0.1 c
    )
    """
    return Model(
        species={"rho": Species(mobility, {"c": law_of(sensitivity)}, growth)},
        signals={"c": Signal(secretion("rho", production, decay), diffusivity, relaxation)},
        advection=advection,
    )


def logistic_chemotaxis(
    sensitivity: Number, mobility: Number = 1.0, diffusivity: Number = 1.0, decay: Number = 0.1
) -> Model:
    """Cells that grow to a density of 1 and climb their signal the less the more they are: spots, stripes and mazes.

    ```
    d_t rho = div( mobility grad rho - sensitivity rho / (1 + rho^2) grad c ) + rho (1 - rho)
    d_t c   = diffusivity lap c - decay c + rho
    ```

    With mobility 1 the uniform state is unstable beyond `sensitivity = 2 (D + a + 2 sqrt(a D))`, where D is the
    diffusivity and a the decay: 3.4649 with the defaults.

    **Arguments:** `sensitivity` [length^2 / time / concentration], `mobility` and `diffusivity` [length^2 / time]
    (defaults 1), `decay` [1 / time] (default 0.1).

    **Raises:** `ValueError` or `TypeError` if `mobility` is not positive, or `diffusivity` or `decay` negative.

    **Source:** the chemotaxis preset of VisualPDE's documentation, whose defaults these are.
    """
    law = Saturating(Linear(changing(_checks.real, "sensitivity", sensitivity)))
    return keller_segel(mobility, law, 1.0, decay, diffusivity, growth=Logistic(1.0))


def volume_filling(
    mobility: Number,
    sensitivity: Number | AbstractSensitivity,
    room: ArrayLike | Callable[[Array], Array] = 1.0,
    relaxation: Number = 1.0,
    decay: Number = 1.0,
    diffusivity: Number = 1.0,
    production: Number = 1.0,
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
      capacity of `q = 1 - rho/capacity` [density]. Default 1.
    - the others: as `keller_segel`, with a decay of 1.

    **Raises:** as `keller_segel`, and `ValueError` if a number for `room` is not positive.

    **Source:** Painter and Hillen (2002).
    """
    law = VolumeFilling(law_of(sensitivity), room)
    motility = SpaceFilling(room) if callable(room) else None
    return Model(
        species={"rho": Species(mobility, {"c": law}, growth, motility)},
        signals={"c": Signal(secretion("rho", production, decay), diffusivity, relaxation)},
    )


def travelling_band(
    mobility: Number | Sequence[ArrayLike],
    sensitivity: Number | Sequence[ArrayLike],
    consumption: Number,
    offset: ArrayLike = 0.0,
    half: ArrayLike = 0.0,
    diffusivity: Number = 0.0,
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
    - `consumption`: of the signal per cell, non-negative [concentration / density / time].
    - `offset`: below which cells sense no ratio [concentration]. Default 0: the signal must then stay positive.
    - `half`: where the uptake is half of its largest [concentration]. Default 0: cells never slacken.
    - `diffusivity`: of the signal [length^2 / time]. Default 0.

    **Raises:** `ValueError` if there are not as many sensitivities as mobilities, or a number is out of its range.

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
    consumption = changing(_checks.non_negative, "consumption", consumption, arrays=True)
    eaten = Sum(*(Uptake(name, consumption, half) for name in names))
    return Model(
        species={
            name: Species(mobility, {"c": Logarithmic(changing(_checks.real, "sensitivity", chi), offset)})
            for name, mobility, chi in zip(names, mobilities, sensitivities, strict=True)
        },
        signals={"c": Signal(eaten if kinds[0] else eaten.parts[0], diffusivity)},
    )


def fisher(mobility: Number, growth: Number, capacity: Number) -> Model:
    """Fisher's equation: cells that spread and divide, as they close a wound.

    ```
    d_t u = div( mobility grad u ) + growth u (1 - u / capacity)
    ```

    **Arguments:**

    - `mobility`: diffusivity of the cells, positive [length^2 / time].
    - `growth`: rate of division of few cells, non-negative [1 / time].
    - `capacity`: density at which division ends, positive [density].

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    **Source:** Fisher (1937), Ann. Eugen. 7; Maini, McElwain and Leavesley (2004), Tissue Eng. 10.

    >>> jc.models.fisher(mobility=0.1, growth=2.0, capacity=3.0)
    Model(
      d_t u = div( 0.1 grad u ) + 2 u (1 - u/3)
    )
    """
    rate = changing(_checks.non_negative, "growth", growth, arrays=True)
    return Model({"u": Species(mobility, growth=Logistic(rate, capacity))}, {})


def porous_fisher(mobility: Number, growth: Number, capacity: Number, power: Number) -> Model:
    """Fisher's equation with cells that push one another: their fronts are sharp.

    ```
    d_t u = div( mobility (u / capacity)^power grad u ) + growth u (1 - u / capacity)
    ```

    **Arguments:**

    - `mobility`, `growth`, `capacity`: as of `fisher`; the mobility is that at the capacity.
    - `power`: positive [dimensionless].

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    **Source:** Jin et al. (2016), J. Theor. Biol. 390.

    >>> jc.models.porous_fisher(mobility=0.1, growth=2.0, capacity=3.0, power=1.0).species["u"].motility
    PowerLaw(power=1, scale=3)
    """
    rate = changing(_checks.non_negative, "growth", growth, arrays=True)
    cells = Species(mobility, growth=Logistic(rate, capacity), motility=PowerLaw(power, capacity))
    return Model({"u": cells}, {})


def law_of(sensitivity: Number | AbstractSensitivity, name: str = "sensitivity") -> AbstractSensitivity:
    """A law as it is; a number is the chi of the linear one."""
    if isinstance(sensitivity, AbstractSensitivity):
        return sensitivity
    return Linear(changing(_checks.real, name, sensitivity))


def secretion(species: str, production: Number, decay: Number) -> Production:
    """Production and decay by the arguments of a named model."""
    return Production(
        species,
        changing(_checks.non_negative, "production", production, arrays=True),
        changing(_checks.non_negative, "decay", decay, arrays=True),
    )
