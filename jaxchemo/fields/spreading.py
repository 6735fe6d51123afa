"""One step of a signal that diffuses and decays at one rate everywhere: exact, Crank-Nicolson, or implicit Euler."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxchemo._numerics import mean_exponential
from jaxchemo.domain import AbstractGrid, Grid
from jaxchemo.fields.fluxes import diffusion
from jaxchemo.fields.helmholtz import inverse
from jaxchemo.fields.transforms import of_laplacian


class AbstractSpreading(eqx.Module):
    """A step of `d_t s = diffusivity lap s - decay s + source`, all coefficients fixed; stable for every `dt`.

    >>> [spreading.order for spreading in (jc.ExactLinear(), jc.CrankNicolson(), jc.ImplicitEuler())]
    [2, 2, 1]
    """

    @property
    @abc.abstractmethod
    def order(self) -> int:
        """Order of accuracy in the step [dimensionless]."""

    @abc.abstractmethod
    def share(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """Increment of a mode over a step, over `dt` times its rate at the beginning [dimensionless].

        `z` is `dt` times the rate at which the mode decays by itself [dimensionless].
        """

    @abc.abstractmethod
    def increment(
        self,
        rate: Float[Array, "*shape"],
        decay: Float[Array, ""],
        diffusivity: Float[Array, ""],
        dt: Float[Array, ""],
        grid: AbstractGrid,
        name: str | None,
    ) -> Float[Array, "*shape"]:
        """What a step adds to a field that changes at `rate` at its beginning."""

    def check(self, grid: AbstractGrid) -> None:
        """Refuses, in a sentence, a grid that it cannot work on. Default: refuses nothing."""

    def diffuse(
        self,
        field: Float[Array, "*shape"],
        source: Float[Array, "*#shape"] | float,
        decay: ArrayLike,
        diffusivity: ArrayLike,
        dt: ArrayLike,
        grid: AbstractGrid,
        *,
        name: str | None = None,
        t: ArrayLike = 0.0,
    ) -> Float[Array, "*shape"]:
        """The field one step later. Where nothing passes the walls, its integral is exact to round-off.

        **Arguments:**

        - `field`: cell values [concentration].
        - `source`: production [concentration / time].
        - `decay`: not negative, the same everywhere [1 / time].
        - `diffusivity`: not negative [length^2 / time].
        - `dt`: the step [time].
        - `grid`: the cells, with their boundaries.
        - `name`: the name of the field, by which a wall finds a prescribed value.
        - `t`: time at which wall values are taken, best the middle of the step [time].

        **Returns:** cell values [concentration].

        **Raises:** `TypeError` for a grid or a wall that it cannot solve on.
        """
        # Solved for is the increment, not the field: what is steady for the face fluxes stays so at every step.
        decay, diffusivity, dt = jnp.asarray(decay), jnp.asarray(diffusivity), jnp.asarray(dt)
        made = source - decay * field
        rate = made + diffusion(field, diffusivity, grid, name=name, t=t)
        added = self.increment(rate, decay, diffusivity, dt, grid, name)
        if grid.keeps_all(name):
            # Over a long step the round-off of what flows between the cells would add up to some.
            size = grid.integrate(jnp.ones_like(field))
            own = dt * self.share(dt * decay) * grid.integrate(made)
            added = added + (own - grid.integrate(added)) / size
        return (field + added).astype(field.dtype)


class ExactLinear(AbstractSpreading):
    """The exact solution of the semi-discrete equation, by fast transforms: on boxes only.

    It keeps a positive field positive, up to round-off, at every step.

    >>> round(1 - float(jc.ExactLinear().share(jnp.array(1.0))), 4)  # what decay leaves after its own time: exp(-1)
    0.3679
    """

    @property
    def order(self) -> int:
        return 2  # of a source that changes, taken in the middle of the step

    def share(self, z):
        return mean_exponential(z)

    def check(self, grid):
        """**Raises:** `TypeError` for a grid that is not a box."""
        if not isinstance(grid, Grid):
            raise TypeError(f"ExactLinear() needs the transforms of a box; for {grid!r} use CrankNicolson().")

    def increment(self, rate, decay, diffusivity, dt, grid, name):
        self.check(grid)
        assert isinstance(grid, Grid)
        return of_laplacian(lambda q: dt * self.share(dt * (decay + diffusivity * q)), rate, grid, name=name)


class CrankNicolson(AbstractSpreading):
    """The trapezoidal rule: second order, and stable, but not positive at steps far beyond the explicit one.

    >>> round(1 - 4 * jc.CrankNicolson().share(4.0), 4)  # four times the time of decay, where exp(-4) would be left
    -0.3333
    """

    @property
    def order(self) -> int:
        return 2

    def share(self, z):
        return 1 / (1 + 0.5 * z)

    def increment(self, rate, decay, diffusivity, dt, grid, name):
        return inverse(dt * rate, 1 + 0.5 * dt * decay, 0.5 * dt * diffusivity, grid, name=name)


class ImplicitEuler(AbstractSpreading):
    """Implicit Euler: first order, and positive at every step.

    >>> round(1 - 4 * jc.ImplicitEuler().share(4.0), 4)  # four times the time of decay, where exp(-4) would be left
    0.2
    """

    @property
    def order(self) -> int:
        return 1

    def share(self, z):
        return 1 / (1 + z)

    def increment(self, rate, decay, diffusivity, dt, grid, name):
        return inverse(dt * rate, 1 + dt * decay, dt * diffusivity, grid, name=name)
