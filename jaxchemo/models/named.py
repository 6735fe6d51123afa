"""The named models of the field: plain functions that compose a `Model` from the parts."""

from jaxtyping import ArrayLike

from jaxchemo import _checks
from jaxchemo.models.kinetics import Consumption, Production
from jaxchemo.models.model import Model, Signal, Species
from jaxchemo.models.sensitivity import AbstractSensitivity, Linear, Logarithmic


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
        signals={"c": Signal(Consumption("rho", consumption))},
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
    return phks(mobility, Logarithmic(sensitivity), consumption)


def keller_segel(
    mobility: ArrayLike,
    sensitivity: ArrayLike | AbstractSensitivity,
    relaxation: ArrayLike = 1.0,
    decay: ArrayLike = 0.0,
) -> Model:
    """The parabolic Keller-Segel system: cells climb a signal that they secrete.

    ```
    d_t rho            = div( mobility grad rho - sensitivity rho grad c )
    relaxation d_t c   = lap c - decay c + rho
    ```

    **Arguments:**

    - `mobility`: diffusivity of the cells, positive [length^2 / time].
    - `sensitivity`: chi of the linear law [length^2 / time / concentration], or any sensitivity.
    - `relaxation`: epsilon; the Python number 0 gives the parabolic-elliptic system. Default 1.
    - `decay`: k^2, non-negative. Default 0.

    **Source:** Keller and Segel (1970), in the form of arXiv 2309.13554.
    """
    return Model(
        species={"rho": Species(mobility, taxis={"c": _law(sensitivity)})},
        signals={"c": Signal(Production("rho", 1.0, decay), diffusivity=1.0, relaxation=relaxation)},
    )


def _law(sensitivity: ArrayLike | AbstractSensitivity) -> AbstractSensitivity:
    if isinstance(sensitivity, AbstractSensitivity):
        return sensitivity
    return Linear(_checks.real("sensitivity", sensitivity))
