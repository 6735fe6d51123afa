"""The Keller-Segel system in the whole space, with a signal that spreads at once: what its free-space methods share."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxchemo._checks import is_concrete
from jaxchemo.domain import FreeSpace
from jaxchemo.initial import AbstractInitial
from jaxchemo.models import Linear, Production
from jaxchemo.problem import Problem


class Attraction(eqx.Module):
    """The system of `p = density / mass`: `p_t + div(p U) = 0`, `U = v - mobility grad ln p + strength mass (F * p)`.

    `F(z) = -z / (2 pi |z|^2)` in two dimensions, `-z / (4 pi |z|^3)` in three.

    **Fields:**

    - `mobility`: of the species [length^2 / time].
    - `strength`: sensitivity times production over the diffusivity of the signal; 0 without a signal.
    - `made`: production over diffusivity: `grad c = made mass (F * p)`.
    - `mass`: of the species [mass].
    - `advection`: v, a function of points [length / time]; or `None`.
    """

    mobility: Float[Array, ""]
    strength: Float[Array, ""]
    made: Float[Array, ""]
    mass: Float[Array, ""]
    advection: Callable[[Array], Array] | None

    @classmethod
    def of(cls, problem: Problem) -> "Attraction":
        """The numbers of a problem, which has passed `check`."""
        model = problem.continuum
        (species,), (start,) = model.species.values(), problem.density.values()
        zero, mass = jnp.zeros(()), jnp.asarray(start.mass_in(problem.domain))
        if not model.signals:
            return cls(species.mobility, zero, zero, mass, model.advection)
        ((name, signal),) = model.signals.items()
        law, kinetics = species.taxis[name], signal.kinetics
        assert isinstance(law, Linear) and isinstance(kinetics, Production) and signal.diffusivity is not None
        made = kinetics.rate / signal.diffusivity
        return cls(species.mobility, law.chi * made, made, mass, model.advection)

    @property
    def pull(self) -> Float[Array, ""]:
        """`strength mass`, the number that decides over collapse [length^d / time]: in 2D 8 pi mobility is critical."""
        return self.strength * self.mass

    @staticmethod
    def check(problem: Problem) -> AbstractInitial:
        """The initial density, if the problem is such a system.

        **Raises:** `ValueError` for another domain or model, or without mass; `TypeError` for a density that is not
        known in the whole space.
        """
        grid, model = problem.domain, problem.continuum
        if not isinstance(grid, FreeSpace):
            raise ValueError(f"`domain` must be the whole space, jc.FreeSpace(2) or (3), got {grid!r}.")
        if len(model.species) != 1 or len(model.signals) > 1:
            raise ValueError("`model` must have one species and at most one signal, as jc.models.keller_segel has.")
        (species,), (start,) = model.species.values(), problem.density.values()
        if model.changes:
            raise ValueError("`model`: its numbers must not change in time, as of `model.at(t)` they do not.")
        if not species.only_moves:
            raise ValueError("`model`: the cells must not grow, and their mobility not depend on their density.")
        for name, signal in model.signals.items():
            if grid.ndim == 1:
                raise ValueError("`domain`: a signal that spreads at once needs two or three dimensions.")
            kinetics, law = signal.kinetics, species.taxis.get(name)
            made = isinstance(kinetics, Production) and not (is_concrete(kinetics.decay) and float(kinetics.decay) > 0)
            if not (signal.slaved and signal.diffuses and made):
                raise ValueError(
                    f"`model`: the signal {name!r} must spread at once and not decay, as that of "
                    "jc.models.keller_segel(mobility, sensitivity, relaxation=0) does."
                )
            if not isinstance(law, Linear):
                raise ValueError(f"`model`: the sensitivity must be Linear(chi), got {law!r}.")
        if not start.unbounded:
            raise TypeError(f"`density` must be known in the whole space, as a Gaussian is, got {start!r}.")
        mass = start.mass_in(grid)
        if is_concrete(mass) and not float(mass) > 0:
            raise ValueError(f"`density` must be positive, got a mass of {float(mass):g}.")
        return start
