"""What passes a face between two cells, for their densities and the drift between them: parts to exchange."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxchemo import _checks
from jaxchemo.fields.bernoulli import smaller_bernoulli

# Densities below and above, and cell Peclet numbers, that a flux is tried with when it is chosen.
BELOW, ABOVE, PECLET = np.array([1.0, 0.0, 0.7]), np.array([0.0, 1.0, 1.9]), 1e-3


class AbstractFlux(eqx.Module):
    """The flux of a density between the centres of two cells, linear in what the two hold.

    To make a flux, subclass this outside the package and write `across`, and nothing else. Numbers in its fields are
    differentiable. Whatever it returns, what leaves one cell enters the next: mass is exact.

    >>> class Hybrid(jc.AbstractFlux):  # centred up to a cell Peclet number of 2, beyond it upwind without diffusion
    ...     def across(self, below, above, w):
    ...         centred = 0.5 * w * (below + above) - (above - below)
    ...         return jnp.where(jnp.abs(w) < 2, centred, w * jnp.where(w > 0, below, above))
    >>> jc.FiniteVolume(flux=Hybrid())
    FiniteVolume(stepper=Strang(inner=SSPRK2(), spreading=None), flux=Hybrid())
    """

    @abc.abstractmethod
    def across(
        self, below: Float[Array, "*faces"], above: Float[Array, "*faces"], w: Float[Array, "*faces"]
    ) -> Float[Array, "*faces"]:
        """Flux through faces, positive upwards, over the conductance D / distance.

        In these units the exact flux is `w rho - d rho`, and nothing but `w` is left of mobility, drift and spacing. At
        `w = 0` it must be `below - above`, and for small `w` that of two equal densities `w` times the density. Its
        derivative in `w` is used for gradients: where it branches, both sides must be finite.

        **Arguments:**

        - `below`, `above`: density in the two cells, or at a wall and in its cell; in any unit.
        - `w`: cell Peclet number: velocity times distance over the diffusivity D, with crowding and limits in it,
          positive upwards [dimensionless].

        **Returns:** the flux, in the unit of the densities; linear in them.
        """

    @property
    def positive(self) -> bool:
        """Whether no cell draws on an empty one, at any `w`. Default `False`, which is always safe: the steps advised
        look at the weights of the two cells, and a density below zero is `RESULTS.negative_density`."""
        return False


class ScharfetterGummel(AbstractFlux):
    """The exact flux where flux and drift are constant between two centres: `B(-w) below - B(w) above`.

    Zero to round-off for `density = exp(potential / D)`. Centred differences for small `w`, upwind for large; second
    order, and positive at any cell Peclet number.

    **Source:** Scharfetter and Gummel, IEEE Trans. Electron Devices 16 (1969) 64; B is the Bernoulli function.

    >>> flux = jax.jit(jc.ScharfetterGummel().across)(1.0, jnp.exp(2.0), 2.0)
    >>> bool(abs(flux) < 1e-6)  # nothing flows where the density is exp(potential / D)
    True
    """

    def across(self, below, above, w):
        # B(-w) = B(w) + w leaves one evaluation of B, of the smaller of the two.
        upwind = jnp.where(w > 0, below, above)
        return w * upwind - smaller_bernoulli(w) * (above - below)

    @property
    def positive(self) -> bool:
        return True


class Centred(AbstractFlux):
    """The mean of the two densities drifts: `w (below + above) / 2 + below - above`, second order.

    Cheaper than `ScharfetterGummel`, and the textbook's. Not positive beyond a cell Peclet number `|w|` of 2, where it
    oscillates from cell to cell: a density that becomes negative ends a run as `RESULTS.negative_density`. Steady
    states are those of the equations to second order only.

    **Source:** Patankar, Numerical Heat Transfer and Fluid Flow (1980), section 5.2.

    >>> jc.Centred().across(below=0.0, above=1.0, w=3.0)  # upwards, out of an empty cell
    0.5
    """

    def across(self, below, above, w):
        return 0.5 * w * (below + above) - (above - below)


class Upwind(AbstractFlux):
    """The density drifts that the drift comes from: `w below + below - above` for `w > 0`, first order.

    Positive at any cell Peclet number. It adds a diffusivity of `|velocity| distance / 2`, so that peaks come out too
    wide by it. Its derivative jumps where the drift changes its sign: gradients there are those from below.

    **Source:** Courant, Isaacson and Rees, Comm. Pure Appl. Math. 5 (1952) 243.

    >>> float(jc.Upwind().across(below=0.0, above=1.0, w=3.0))  # never out of an empty cell: only diffusion, downwards
    -1.0
    """

    def across(self, below, above, w):
        return w * jnp.where(w > 0, below, above) - (above - below)

    @property
    def positive(self) -> bool:
        return True


class Bounding(AbstractFlux):
    """What stands in for a flux that may draw on empty cells where the loss of cells is to bound a step.

    With the weights p and q of the flux `p below - q above`, an explicit Euler step dt is positive where both are, up
    to the rate at which cells lose what they hold. Beyond, it is still stable in the sense of von Neumann while
    `dt (D / h^2) (p - q)^2 <= p + q`, for which either cell is taken to lose `(p - q)^2 / (2 (p + q))`. With centred
    differences that is `dt velocity^2 <= 2 D`.

    **Source:** Hindmarsh, Gresho and Griffiths, Int. J. Numer. Methods Fluids 4 (1984) 853, on centred differences.

    **Arguments:**

    - `flux`: the flux itself.
    - `drift_only`: bounds what drift alone does where diffusion is solved for. Default `False`.
    """

    flux: AbstractFlux
    drift_only: bool = eqx.field(static=True, default=False)

    def across(self, below, above, w):
        unit, none = jnp.ones_like(w), jnp.zeros_like(w)
        p, q = self.flux.across(unit, none, w), -self.flux.across(none, unit, w)
        swing = (p - q) ** 2 / (2 * jnp.maximum(p + q, jnp.finfo(w.dtype).tiny ** 0.5))
        if self.drift_only:
            return jnp.maximum(p - 1, swing) * below - jnp.maximum(q - 1, swing) * above
        negative = jnp.minimum(p, q) < 0
        p, q = (jnp.where(negative, jnp.maximum(weight, swing), weight) for weight in (p, q))
        return p * below - q * above


def check(flux: AbstractFlux) -> None:
    """Refuses a flux that does not map arrays to one of their shape, is not linear, or is not that of the equations for
    small `w`; its numbers are looked at only where they are known.

    **Raises:** `ValueError`, which says what it does instead.
    """
    if isinstance(flux, ScharfetterGummel | Centred | Upwind):
        return
    with jax.ensure_compile_time_eval():
        below, above = jnp.asarray(BELOW, float), jnp.asarray(ABOVE, float)
        trial = jax.eval_shape(flux.across, below, above, below)
        if trial.shape != below.shape or trial.dtype != below.dtype:
            raise ValueError(
                f"`flux` must map densities and Peclet numbers of one shape to fluxes of that shape and dtype: "
                f"{type(flux).__name__}.across made {trial.shape} of {trial.dtype} of {below.shape} of {below.dtype}."
            )
        for w in (0.0, PECLET, -PECLET, 3.0, -30.0):
            trial = flux.across(below, above, jnp.full_like(below, w))
            if not _checks.is_concrete(trial):
                return
            values = np.asarray(trial)
            size = 1e-4 * (1 + abs(values).max())
            if not abs(BELOW[2] * values[0] + ABOVE[2] * values[1] - values[2]) <= size:
                raise ValueError(f"`flux` must be linear in the two densities, {type(flux).__name__}.across is not.")
            even = values[0] + values[1]
            if abs(w) <= PECLET and not (abs(even - w) <= 0.01 * PECLET and abs(values[0] - 1) <= 0.01):
                raise ValueError(
                    f"`flux` must become `w rho + below - above` for small `w`, drift and diffusion: for w={w} "
                    f"{type(flux).__name__}.across gives {values[0]:.4g} for the densities (1, 0) and {even:.4g} for "
                    "(1, 1)."
                )
