"""Training in the closed loop: radial problems in a box, solved by particles, and the error of the final density."""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, ndtri
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo.domain import Grid
from jaxchemo.initial import Sobol, function, particles
from jaxchemo.integrate import Direct, solve
from jaxchemo.methods import Exposure, ParticleField
from jaxchemo.methods.particles.signal_updates import AbstractSignalUpdate
from jaxchemo.models import phks
from jaxchemo.nn.interpolators.radial import END, Numbers, Profiles, Shell, solve_radial
from jaxchemo.particles.increments import AbstractIncrements
from jaxchemo.particles.interpolators import AbstractInterpolator
from jaxchemo.problem import Problem

WIDTH = 0.25  # densities are compared after mollification by a Gaussian this wide
STEPS = 40  # of a whole run: fewer leave an error that a network would learn to undo
# Of problems that vary along 1, 2, 3 directions. With half of them along 1 or 2, those got better and the others worse.
_SHARES = {1: (1.0,), 2: (0.25, 0.75), 3: (0.15, 0.25, 0.6)}


class Case(eqx.Module):
    """One training problem in units of a cell, with the radial solution at its end.

    The box is `[0, n]^d`. A *corner* case has its centre in the corner: by symmetry its box, with walls that reflect,
    is one orthant of a box twice as wide, so that its particles count 2^d fold.

    **Fields:**

    - `mobility`, `sensitivity`, `mass`, `std`, `food`: of the problem; the population starts as a Gaussian.
    - `half_width`: from the centre to the wall; `corner`: 1 or 0.
    - `kernel_width`: of the Gaussian kernel that compares two densities.
    - `radii`, `potential`, `energy`: that kernel applied to the solution, at `radii`; and its mean over the solution.
    """

    mobility: Float[Array, ""]
    sensitivity: Float[Array, ""]
    mass: Float[Array, ""]
    std: Float[Array, ""]
    food: Shell
    half_width: Float[Array, ""]
    corner: Float[Array, ""]
    kernel_width: Float[Array, ""]
    radii: Float[Array, " r"]
    potential: Float[Array, " r"]
    energy: Float[Array, ""]

    def problem(self, num_particles: int, num_cells: int, key: PRNGKeyArray) -> Problem:
        """The problem, with random initial positions."""
        ndim = self.food.center.size
        grid = Grid.box((0.0,) * ndim, (float(num_cells),) * ndim, (num_cells,) * ndim)
        u = Sobol()(key, num_particles, ndim)
        x = jnp.where(self.food.directions > 0, self.food.center + self.std * ndtri(u), num_cells * u)
        x = jnp.stack(grid.fold(tuple(x.T)), axis=1)
        return Problem(phks(self.mobility, self.sensitivity), grid, particles(x, self.mass), function(self.food))

    def error(self, positions: Float[Array, "p d"]) -> Float[Array, ""]:
        """Squared relative L2 error of the mollified density, without a grid.

        The L2 product of two densities mollified by a Gaussian is the mean of a Gaussian kernel, of twice its variance,
        over pairs of their particles: the error is a maximum mean discrepancy.
        """
        y, s = positions - self.food.center, self.kernel_width
        pairs = jnp.ones(())
        for column in y.T:
            itself = jnp.exp(-((column[:, None] - column) ** 2) / (2 * s**2))
            image = jnp.exp(-((column[:, None] + column) ** 2) / (2 * s**2))
            pairs = pairs * (itself + self.corner * image) / (1 + self.corner)
        # The constant keeps the derivative finite for a particle in the very centre.
        distance = jnp.sqrt(jnp.sum((y * self.food.directions) ** 2, axis=1) + 1e-8)
        confined = jnp.interp(distance, self.radii, self.potential)
        flat = jnp.where(self.food.directions > 0, 1.0, _flat_potential(y, self.half_width, s))
        cross = jnp.mean(confined * jnp.prod(flat, axis=1))
        return 1 + (jnp.mean(pairs) - 2 * cross) / self.energy


def final_error(
    interpolator: AbstractInterpolator,
    case: Case,
    key: PRNGKeyArray,
    num_particles: int,
    num_cells: int,
    increments: AbstractIncrements,
) -> Float[Array, ""]:
    """`Case.error` at the end of a run with an interpolator, differentiable in its parameters."""
    place, move = jax.random.split(key)
    problem = case.problem(num_particles, num_cells, place)
    method = ParticleField(num_particles, update=Bounded(Exposure()), interpolator=interpolator, increments=increments)
    run = solve(problem, method, t1=END, dt=END / STEPS, key=move, adjoint=Direct(), throw=False)
    return case.error(run.final.positions)


class Bounded(AbstractSignalUpdate):
    """Another field update, with bounded derivatives by the positions of the particles; its values are the same.

    Where food is convex, paths part exponentially, and in strong food a few of them outweigh all others in a gradient
    through a run. Here what comes back through the drift of a particle is scaled down to `limit` times the median over
    all particles: gradients of different seeds then point the same way more often.
    """

    inner: AbstractSignalUpdate
    limit: float = eqx.field(static=True, default=0.3)

    def check(self, name, signal):
        self.inner.check(name, signal)

    def init(self, condition, grid):
        return self.inner.init(condition, grid)

    def step(self, stored, x, *rest):
        return self.inner.step(stored, x, *rest)

    def at_particles(self, stored, condition, signal, x, *rest):
        return self.inner.at_particles(stored, condition, signal, _bounded(self.limit, x), *rest)

    def on_grid(self, *args):
        return self.inner.on_grid(*args)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _bounded(limit, x):
    return x


def _forward(limit, x):
    return x, None


def _backward(limit, _, cotangent):
    size = jnp.sqrt(sum(c**2 for c in cotangent))
    most = limit * jnp.median(size)
    factor = jnp.where(size > most, most / jnp.where(size > most, size, 1), 1)
    return (tuple(c * factor for c in cotangent),)


_bounded.defvjp(_forward, _backward)


def draw_cases(seed: int, count: int, num_cells: int, ndim: int = 3) -> list[Case]:
    """About `count` random cases on `num_cells` cells along each axis.

    The problems are such as live in a box of about `[-4, 4]^d`, on grids of 16 to 80 cells along each axis.
    """
    rng = np.random.default_rng(seed)
    radial = rng.choice(np.arange(1, ndim + 1), count, p=_SHARES[ndim])
    corner = (rng.uniform(size=count) < 0.7).astype(float)
    half = np.where(corner > 0, num_cells, num_cells / 2)  # width of the box from its centre [cells]
    spacing = np.exp(rng.uniform(np.log(0.1), np.log(0.55), count))
    numbers = Numbers.draw(rng, half * spacing)
    cases = []
    for d in range(1, ndim + 1):
        these = np.flatnonzero(radial == d)
        profiles = solve_radial(numbers[these], d)
        for k, j in enumerate(these.tolist()):
            if profiles.good[k]:
                cases.append(_case(rng, numbers[j], profiles, k, num_cells, ndim, d, half[j], corner[j], spacing[j]))
    return [cases[k] for k in rng.permutation(len(cases))]


def _case(rng, numbers: Numbers, profiles: Profiles, k, num_cells, ndim, d, half, corner, h) -> Case:
    directions = rng.permuted((np.arange(ndim) < d).astype(float))
    shift = rng.uniform(-0.5, 0.5, ndim) * directions  # of the centre against the cells
    center = np.zeros(ndim) if corner else num_cells / 2 + shift
    food = Shell(numbers.amplitude, numbers.radius / h, numbers.width / h, jnp.asarray(center), jnp.asarray(directions))
    width = math.sqrt(2) * WIDTH * min(1.0, numbers.reach / 3.6) / h  # narrower for the small problems of small boxes
    share = profiles.density[k, -1] * profiles.shares
    share = share / np.sum(share)
    radii = profiles.radii * half
    potential = _radial_kernel(radii, width, d) @ share
    flat = np.mean(_flat_potential(np.linspace(-half, half, 2001), half, width))
    along = math.sqrt(2 * math.pi) * numbers.std / h / (1 + corner)  # integral of the population along a direction
    case = Case(
        numbers.mobility / h**2,
        1 / h**2,
        numbers.density * along**d * num_cells ** (ndim - d),
        numbers.std / h,
        food,
        half,
        corner,
        width,
        radii,
        potential,
        (potential @ share) * flat ** (ndim - d),
    )
    return jax.tree.map(lambda a: jnp.asarray(a, float), case)


def _flat_potential(y, half_width, s):
    """The kernel applied to a uniform density on `[-half_width, half_width]`."""
    k = math.sqrt(2) * s
    return s * math.sqrt(math.pi / 2) / (2 * half_width) * (erf((half_width - y) / k) + erf((half_width + y) / k))


def _radial_kernel(r: np.ndarray, s: float, d: int) -> np.ndarray:
    """A Gaussian kernel between points at the radii `r`, averaged over the sphere through the second one."""
    from scipy.special import i0e

    a, b = np.meshgrid(r, r, indexing="ij")
    near, z = np.exp(-((a - b) ** 2) / (2 * s**2)), a * b / s**2
    if d == 1:
        return 0.5 * (near + np.exp(-((a + b) ** 2) / (2 * s**2)))
    if d == 2:
        return near * i0e(z)
    return near * -np.expm1(-2 * z) / (2 * z)
