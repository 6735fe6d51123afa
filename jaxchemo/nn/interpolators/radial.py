"""Radial solutions with random numbers, all solved at once: what the networks are trained on."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxchemo.domain import RadialGrid
from jaxchemo.initial import function, gaussian, uniform
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import FiniteVolume
from jaxchemo.models import Consumption, Linear, Model, Signal, Species
from jaxchemo.problem import Problem

END = 0.5  # final time of every solution
TIMES = (0.1, 0.2, 0.3, 0.4, 0.5)  # at which it is kept
SHELLS, _STEPS = 240, 2000


class Shell(eqx.Module):
    """Food in a Gaussian shell about a point, an axis or a plane: `directions` is 1 along the axes that matter."""

    amplitude: Float[ArrayLike, ""]
    radius: Float[ArrayLike, ""]
    width: Float[ArrayLike, ""]
    center: Float[Array, " d"]
    directions: Float[Array, " d"]

    def __call__(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch"]:
        square = jnp.sum(((x - self.center) * self.directions) ** 2, axis=-1)
        distance = jnp.sqrt(square + 1e-8 * self.width**2)
        return jnp.asarray(self.amplitude) * jnp.exp(-((distance - self.radius) ** 2) / (2 * self.width**2))


class Numbers(eqx.Module):
    """The numbers of radial problems with sensitivity 1 and consumption 1, one entry each.

    **Fields:**

    - `mobility`: of the population, a Gaussian of standard deviation `std` and central density `density` at the start.
    - `amplitude`, `radius`, `width`: of the food, a Gaussian shell; a ball where the radius is 0.
    - `reach`: radius of the ball that it is solved in.
    """

    mobility: Float[np.ndarray, " n"]
    density: Float[np.ndarray, " n"]
    std: Float[np.ndarray, " n"]
    amplitude: Float[np.ndarray, " n"]
    radius: Float[np.ndarray, " n"]
    width: Float[np.ndarray, " n"]
    reach: Float[np.ndarray, " n"]

    @classmethod
    def draw(cls, rng: np.random.Generator, reach: Float[np.ndarray, " n"]) -> "Numbers":
        """Problems that fit into balls of these radii: of the usual size in large ones, smaller in small ones."""
        count = reach.size

        def between(low: float, high: float) -> np.ndarray:
            return np.exp(rng.uniform(np.log(low), np.log(high), count))

        scale = np.minimum(1, reach / 3.6)
        hollow = rng.uniform(size=count) < 0.5
        return cls(
            mobility=between(0.05, 0.14) * scale**2,
            density=between(0.7, 8),
            std=between(0.28, 0.6) * scale,
            amplitude=between(2, 10) * scale**2,
            radius=hollow * between(0.6, 1.5) * scale,
            width=between(0.4, 1.2) * scale,
            reach=reach,
        )

    def __getitem__(self, index: np.ndarray | int) -> "Numbers":
        return jax.tree.map(lambda a: a[index], self)


class Profiles(eqx.Module):
    """Radial solutions.

    **Fields:**

    - `radii`: middles of the shells, in units of `reach`; `shares`: their volumes, in units of the ball.
    - `density`, `exposure`: at `TIMES`.
    - `good`: which runs went well and stayed clear of the wall.
    """

    radii: Float[np.ndarray, " r"]
    shares: Float[np.ndarray, " r"]
    density: Float[np.ndarray, "n t r"]
    exposure: Float[np.ndarray, "n t r"]
    good: np.ndarray


def solve_radial(numbers: Numbers, ndim: int) -> Profiles:
    """The solutions in `ndim` dimensions, by finite volumes on shells."""
    grid = RadialGrid(1.0, SHELLS, ndim)

    @eqx.filter_jit
    @jax.vmap
    def all_of(numbers: Numbers):
        r = numbers.reach
        food = Shell(numbers.amplitude, numbers.radius / r, numbers.width / r, jnp.zeros(ndim), jnp.ones(ndim))
        population = Species(numbers.mobility / r**2, taxis={"c": Linear(1 / r**2)})
        # A trace that is uniform at first and eaten like the food, but not felt, records the exposure.
        eaten = {name: Signal(Consumption("rho")) for name in ("c", "trace")}
        problem = Problem(
            Model({"rho": population}, eaten),
            grid,
            gaussian(amplitude=numbers.density, std=numbers.std / r),
            {"c": function(food), "trace": uniform(amplitude=1.0)},
        )
        saveat = SaveAt(ts=TIMES, fn=lambda now: (now.density, -jnp.log(now.signal["trace"])))
        run = solve(problem, FiniteVolume(), t1=END, dt=END / _STEPS, saveat=saveat, adjoint=Forward(), throw=False)
        return *run.ys, run.stats["failed_step"]

    density, exposure, failed = map(np.asarray, all_of(jax.tree.map(lambda a: jnp.asarray(a, float), numbers)))
    radii = np.asarray(grid.radii, float)
    shares = np.diff((np.arange(SHELLS + 1) / SHELLS) ** ndim)
    mass = np.sum(density[:, -1] * shares, axis=1)
    far = np.sum((density[:, -1] * shares)[:, radii > 0.85], axis=1)
    good = (failed < 0) & np.isfinite(density).all(axis=(1, 2)) & (far < 0.004 * mass)
    return Profiles(radii, shares, density, exposure, good)
