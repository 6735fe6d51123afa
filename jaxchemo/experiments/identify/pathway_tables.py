"""Published tables of the mobility and the sensitivity of *E. coli*, their formulas, and what a fit to them tells."""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from scipy.special import ndtri
from scipy.stats import chi2

from jaxchemo.experiments.identify.study import LEVEL
from jaxchemo.inference import Direction, Fit, Laplace
from jaxchemo.models import Pathway, Persistent, Receptors, RunAndTumble, TwoStateMotor
from jaxchemo.models.pathway import Bound

SPEED = 25.0  # um / s, of the code that the tables come from
FORGETTING = 6.0  # adaptation is faster in bacteria that tumble more, as `exp(-6 bias)`, in the same code

# Tumble biases, and what was measured of bacteria that have them [um^2 / s].
MOBILITY = (
    np.linspace(0.01, 0.41, 21),
    np.array(
        [1722, 946, 698, 576, 500, 437, 363, 320, 275, 244, 210, 188, 167, 145, 130, 117, 104, 92, 84, 76, 66], float
    ),
)
SENSITIVITY = (
    np.linspace(0.025, 0.575, 12),
    np.array([7902, 8073, 5982, 4356, 3104, 2175, 1558, 1020, 900, 767, 420, 335], float),
)
TABLES = {"mobility": MOBILITY, "sensitivity": SENSITIVITY}


def coefficients(
    numbers: Mapping[str, ArrayLike], bias: Float[ArrayLike, " b"]
) -> tuple[Float[Array, " b"], Float[Array, " b"]]:
    """Mobility and sensitivity to the logarithm of a signal, of bacteria of these tumble biases, in three dimensions.

    **Arguments:**

    - `numbers`: `diffusion` of the heading [1 / s], `switching`: rate of the motor over its barrier [1 / s],
      `persistence`: mean cosine of a turn, `receptors`: in a cluster, and `adaptation`: its time in
      bacteria that hardly tumble [s].
    - `bias`: share of time that an adapted bacterium tumbles, between 0 and 1.

    **Returns:** both in um^2 / s.

    **Source:** the code behind Fu et al. (2018); Si, Wu, Ouyang and Tu (2012); Dufour et al. (2014).
    """

    def one(bias: Array) -> tuple[Array, Array]:
        motor = TwoStateMotor(numbers["switching"])
        receptors = Receptors(numbers["receptors"], 3.5, 55000.0)
        rest = motor.activity(bias)
        time = numbers["adaptation"] * jnp.exp(-FORGETTING * bias)
        both = 1 / (receptors.total * receptors.energy * rest * (1 - rest) * time)
        pathway = Pathway(receptors, motor, up=rest * both, down=(1 - rest) * both)
        turning = Persistent(numbers["persistence"])
        cells = RunAndTumble(SPEED, pathway, turning, rotational_diffusion=numbers["diffusion"])
        mobility, law = pathway.limit(cells, 3, jnp.asarray(0.0))
        assert isinstance(law.function, Bound)
        # Far above `inactive` and below `active`, binding is the number of receptors times the logarithm of the signal.
        return mobility, law.function.scale * receptors.total

    return jax.vmap(one)(jnp.asarray(bias, float))


@dataclasses.dataclass(frozen=True)
class TableEvidence:
    """What one table tells, or both.

    **Fields:**

    - `fit`, `known`: the most probable numbers, and how well they are known.
    - `directions`: of the numbers, the best known first.

    >>> import dataclasses
    >>> [field.name for field in dataclasses.fields(jc.experiments.TableEvidence)]
    ['fit', 'known', 'directions']
    """

    fit: Fit
    known: Laplace
    directions: tuple[Direction, ...]

    @property
    def turning(self) -> tuple[float, float, float]:
        """`(1 - persistence) switching`, and the ends of its 90% interval [1 / s].

        By the slope of its logarithm: each of its two numbers is so wide that their own curves would widen it.
        """

        def log_turning(z: Array) -> Array:
            numbers = self.known.posterior.parameters(z)
            return jnp.log((1 - numbers["persistence"]) * numbers["switching"])

        value, slope = jax.value_and_grad(log_turning)(self.known.z)
        reach = float(ndtri(0.5 + LEVEL / 2)) * float(jnp.sqrt(slope @ self.known.covariance @ slope))
        low, middle, high = (float(jnp.exp(value + side * reach)) for side in (-1, 0, 1))
        return middle, low, high

    @property
    def count(self) -> int:
        """Of the data."""
        return self.fit.residuals.size

    @property
    def misfit(self) -> float:
        """Sum of the squared residuals, in standard deviations of the noise: near `count` where a model fits."""
        return float(self.fit.residuals @ self.fit.residuals)

    @property
    def chance(self) -> float:
        """Of so large a misfit, if the model and its noise were true: each direction that is seen fits one datum."""
        seen = sum(direction.seen for direction in self.directions)
        return float(chi2.sf(self.misfit, self.count - seen))
