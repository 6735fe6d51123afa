"""Stochastic interacting particle-field (SIPF): particles follow the signal that they consume on a grid."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxchemo import _checks
from jaxchemo.domain import Components, Grid
from jaxchemo.features import Feature
from jaxchemo.initial import AbstractPoints, Particles, Sobol
from jaxchemo.methods.base import INIT, NOISE, AbstractFixedStep, Snapshot, StepInfo, box, by_kind, stream
from jaxchemo.methods.particles.signal_updates import AbstractSignalUpdate, Exposure
from jaxchemo.particles import bspline, deposit, mollify
from jaxchemo.particles.increments import AbstractIncrements, Normal
from jaxchemo.particles.interpolators import AbstractInterpolator, AbstractMollifier, Histospline, Sampling
from jaxchemo.problem import Problem
from jaxchemo.results import RESULTS


class ParticleState(eqx.Module):
    """Particles and what they have made of the signals.

    **Fields:**

    - `positions`: per species, a tuple of `d` arrays `(P,)` [length]: one array per axis is what the hot loop works on.
    - `weights`: per species, the mass of a particle: a number, or `(P,)` where walls absorb.
    - `stored`: per signal, what the method's field update keeps.
    """

    positions: dict[str, Components]
    weights: dict[str, Float[Array, "..."]]
    stored: dict[str, Any]


class ParticleField(AbstractFixedStep):
    """Particles `dX = sensitivity grad c dt + sqrt(2 mobility) dW`, whose deposit changes the signal on the grid.

    Mass is exact by construction. **Source:** the NSIPF paper (arXiv 2510.13199) for the particle-field system; its own
    variant is `ParticleField(P, deposit_order=0, update=ExplicitUpdate(), interpolator=CubicSpline())`. What is solved
    is the system regularised over the width of the deposit kernel, and of the `mollifier` where one is given.

    Derivatives are those of the path of one key, and `jax.grad` cannot say whether they mean anything: where particles
    are few for the grid, neighbouring paths part at a rate that the noise sets, and derivatives grow with them. Two
    blobs in 2D were seen in bins up to t = 0.45 on 128^2 cells, of which 1,000 to 2,500 hold 99% of them. With 1,000,
    4,000, 16,000 and 64,000 particles the derivative of one key by mobility was off by 9e7, 260, 3 and 0.8 times its
    size, and that by sensitivity by 1e7, 90, 0.9 and 0.2 times (medians of 8 keys); at t = 0.15 alone by 140, 4, 1.0
    and 0.4, and by 39, 1.2, 0.35 and 0.16. `jc.inference.pathwise` averages over keys and warns where the mean is noise
    still; `jc.inference.ParticleSimulation` has a grid's derivatives.

    With `deposit_order=0` the histogram has no derivative with respect to the positions, so that along a path it is not
    seen how particles change the signal, whatever their number; with `BSpline(0)` as interpolator there is no taxis at
    all. Use order 1 or higher where derivatives matter.

    **Arguments:**

    - `num_particles`: particles per species. Default 20,000.
    - `deposit_order`: B-spline order of the deposit, 0 (histogram) to 3. Default 1, cloud in cell.
    - `update`: how the signal is stored and consumed: `Exposure()` (default), `ExponentialUpdate()` or
      `ExplicitUpdate()`.
    - `interpolator`: how particles see the field: `Histospline()` (default), `CubicSpline()`, `BSpline(order)`, or a
      network such as `jc.nn.pretrained("phks-3d")`.
    - `increments`: Brownian increments: `Normal()` (default), `ThreePoint()`, `Antithetic()`.
    - `points`: initial positions: `Sobol()` (default) or `Random()`.
    - `mollifier`: an extra Gaussian kernel, `FixedWidth(eps)` or `ModerateInteraction(scale, beta)`. Default: none.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault.

    >>> method = jc.ParticleField(10_000, increments=jc.Antithetic(), interpolator=jc.BSpline(2))
    >>> method.num_particles, method.increments, method.interpolator
    (10000, Antithetic(of=Normal()), BSpline(order=2))
    """

    solves: ClassVar = frozenset(
        {
            Feature.DENSITIES,
            Feature.SEVERAL_SPECIES,
            Feature.CROWDING,
            Feature.FLUX_LIMIT,
            Feature.NONLINEAR_SENSING,
            Feature.SEVERAL_SIGNALS,
            Feature.LOCAL_SIGNALS,
            Feature.OTHER_KINETICS,
            Feature.BOX,
            Feature.SEVERAL_DIMENSIONS,
            Feature.WALLS,
            Feature.ABSORBING_WALLS,
        }
    )

    num_particles: int = eqx.field(static=True)
    deposit_order: int = eqx.field(static=True)
    update: AbstractSignalUpdate
    interpolator: AbstractInterpolator
    increments: AbstractIncrements
    points: AbstractPoints
    mollifier: AbstractMollifier | None

    def __init__(
        self,
        num_particles: int = 20_000,
        *,
        deposit_order: int = 1,
        update: AbstractSignalUpdate = Exposure(),
        interpolator: AbstractInterpolator = Histospline(),
        increments: AbstractIncrements = Normal(),
        points: AbstractPoints = Sobol(),
        mollifier: AbstractMollifier | None = None,
    ):
        self.num_particles = _checks.natural("num_particles", num_particles)
        self.deposit_order = bspline.checked("deposit_order", deposit_order)
        self.update = _checks.instance(
            "update", update, AbstractSignalUpdate, "Exposure(), ExponentialUpdate() or ExplicitUpdate()"
        )
        self.interpolator = _checks.instance("interpolator", interpolator, AbstractInterpolator, "an interpolator")
        self.increments = _checks.instance("increments", increments, AbstractIncrements, "Normal() or the like")
        self.points = _checks.instance("points", points, AbstractPoints, "Sobol() or Random()")
        self.mollifier = _checks.instance(
            "mollifier", mollifier, (AbstractMollifier, type(None)), "a mollifier or None"
        )

    @property
    def stochastic(self) -> bool:
        return True

    @property
    def name(self) -> str:
        return "sipf"

    def check_parts(self, problem):
        """**Raises:** `ValueError` or `TypeError` for a grid, a signal or initial particles that do not fit."""
        grid = box(problem)
        finest = jnp.min(jnp.stack([jnp.asarray(condition.finest, float) for condition in problem.density.values()]))
        self.interpolator.check(grid, finest)
        for name, signal in problem.model.signals.items():
            self.update.check(name, signal)
        for name, condition in problem.density.items():
            if isinstance(condition, Particles) and condition.positions.shape[0] != self.num_particles:
                raise ValueError(
                    f"`num_particles` is {self.num_particles}, but the initial condition of {name!r} has "
                    f"{condition.positions.shape[0]} particles."
                )

    def init(self, problem, *, key=None):
        grid = box(problem)
        key = stream(key, INIT)
        positions, weights = {}, {}
        for i, (name, condition) in enumerate(problem.density.items()):
            x = condition.sample(jax.random.fold_in(key, i), self.num_particles, grid, self.points)
            positions[name] = tuple(x.T)
            weight = jnp.asarray(condition.mass_in(grid) / self.num_particles, x.dtype)
            weights[name] = jnp.full(self.num_particles, weight) if grid.absorbing else weight
        stored = {name: self.update.init(condition, grid) for name, condition in problem.signal.items()}
        return ParticleState(positions, weights, stored)

    def step(self, problem, state, n, t, dt, *, key=None):
        grid, model = box(problem), problem.continuum
        key = jax.random.fold_in(stream(key, NOISE), n)
        # The signal first, then the particles in what is left of it: either order is first order in the step.
        stored = self.update.step(
            state.stored, state.positions, state.weights, model.signals, grid, dt, self.deposit_order, self._width(grid)
        )
        samplings = self._samplings(problem, state.weights, (jnp.asarray(n) + 1) * dt)
        positions, weights = {}, {}
        for i, (name, species) in enumerate(model.species.items()):
            x = state.positions[name]
            drift = self._drift(problem, name, x, state.weights[name], stored, samplings)
            noise = self.increments(jax.random.fold_in(key, i), x, grid)
            size = jnp.sqrt(2 * species.mobility * dt)
            moved = tuple((xi + dt * v + size * z).astype(xi.dtype) for xi, v, z in zip(x, drift, noise, strict=True))
            positions[name] = grid.fold(moved)
            alive = grid.keeps(moved)
            weights[name] = state.weights[name] * alive if grid.absorbing else state.weights[name]
        result = RESULTS.where(_finite(positions), RESULTS.successful, RESULTS.nonfinite)
        return ParticleState(positions, weights, stored), StepInfo(result)

    def stable_dt(self, problem, state):
        """A step in which a particle diffuses and drifts by no more than half a cell in the mean."""
        bounds = []
        samplings = self._samplings(problem, state.weights, 0.0)
        for name, species in problem.continuum.species.items():
            x = state.positions[name]
            drift = self._drift(problem, name, x, state.weights[name], state.stored, samplings)
            for h, v in zip(box(problem).spacing, drift, strict=True):
                bounds.append((0.5 * h) ** 2 / (2 * species.mobility))
                bounds.append(0.5 * h / jnp.maximum(jnp.sqrt(jnp.mean(v**2)), jnp.finfo(jnp.result_type(v)).tiny))
        return jnp.min(jnp.stack(bounds))

    def snapshot(self, problem, state):
        grid = box(problem)
        width = self._width(grid)
        density = {
            name: mollify(deposit(x, state.weights[name] / grid.cell_volume, grid, self.deposit_order), grid, width)
            for name, x in state.positions.items()
        }
        signal = {
            name: self.update.on_grid(stored, problem.signal[name], problem.model.signals[name], grid, width)
            for name, stored in state.stored.items()
        }
        positions = {name: jnp.stack(x, axis=1) for name, x in state.positions.items()}
        return Snapshot(by_kind(density), by_kind(signal), by_kind(positions), by_kind(state.weights))

    def _width(self, grid: Grid) -> float:
        return 0.0 if self.mollifier is None else self.mollifier.width(self.num_particles, grid.ndim)

    def _samplings(self, problem: Problem, weights: dict[str, Any], elapsed: Array | float) -> dict[str, Sampling]:
        """How the particles of each species have sampled the exposure of the time `elapsed`."""
        cell = box(problem).cell_volume

        def sampling(name: str, weight: Array) -> Sampling:
            diffused = 2 * problem.continuum.species[name].mobility * elapsed
            return Sampling(self.deposit_order, elapsed * jnp.max(weight) / cell, diffused)

        return {name: sampling(name, weight) for name, weight in weights.items()}

    def _drift(
        self,
        problem: Problem,
        name: str,
        x: Components,
        weights: Float[Array, "..."],
        stored: dict[str, Any],
        samplings: dict[str, Sampling],
    ) -> tuple[Float[Array, " p"] | float, ...]:
        grid, model = box(problem), problem.continuum
        drift: tuple[Any, ...] = (0.0,) * grid.ndim
        for signal, law in model.species[name].taxis.items():
            value, gradient = self.update.at_particles(
                stored[signal],
                problem.signal[signal],
                model.signals[signal],
                x,
                grid,
                self.interpolator,
                samplings,
                self._width(grid),
            )
            strength = law.strength(value, gradient)
            if law.response is not None:
                density = deposit(x, weights / grid.cell_volume, grid, self.deposit_order)
                at_particles = self.interpolator.at(self.interpolator.prepare(density, grid, None), x, grid)[0]
                strength = strength * law.response(at_particles)
            drift = tuple(v + strength * g for v, g in zip(drift, gradient, strict=True))
        return drift


def _finite(positions: dict[str, Components]) -> Bool[Array, ""]:
    # A sum is finite only if every term is, and it is the cheapest look at all of them.
    return jnp.all(jnp.stack([jnp.isfinite(jnp.sum(xi)) for x in positions.values() for xi in x]))
