"""Propagation of chaos, measured: particles that interact, beside particles in the limit field, with the same noise."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxchemo import _checks
from jaxchemo._progress import Report, silent
from jaxchemo.domain import Grid
from jaxchemo.experiments.base import Study
from jaxchemo.experiments.food import TwoBlobs
from jaxchemo.initial import Random
from jaxchemo.integrate import Forward, SaveAt, solve
from jaxchemo.methods import ParticleField
from jaxchemo.methods.particles.signal_updates import Prescribed
from jaxchemo.particles.increments import Antithetic
from jaxchemo.particles.interpolators import AbstractMollifier, FixedWidth, ModerateInteraction


@dataclasses.dataclass(frozen=True)
class Decay:
    """How the distance to the limit particles falls with their number.

    **Fields:**

    - `label`: of the mollifier.
    - `widths`: of the kernel, for each number of particles [length].
    - `distances`: root mean square of `|X_i - Xbar_i|` at the end, `(numbers, seeds)` [length].
    - `exponent`, `error`: of `distance ~ P^exponent`, fitted, and its standard error over seeds.
    """

    label: str
    widths: list[float]
    distances: Float[np.ndarray, "numbers seeds"]
    exponent: float
    error: float

    @property
    def mean(self) -> Float[np.ndarray, " numbers"]:
        """Root mean square over seeds."""
        return np.sqrt(np.mean(self.distances**2, axis=1))


@dataclasses.dataclass(frozen=True)
class Chaos:
    """What was measured: the numbers of particles, and one `Decay` per mollifier."""

    particles: tuple[int, ...]
    decays: tuple[Decay, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PropagationOfChaos(Study):
    """Interacting and limit particles of `two-blobs` in 2D, which start alike and take the same random steps.

    With a kernel of fixed width the limit field is that of the regularised system, and the distance falls as
    `P^(-1/2)`. With a kernel that narrows, `width = scale P^(-beta/2)` (moderate interaction), it is that of the system
    itself, and the bias of the kernel, of second order in its width, competes with the noise.

    **Arguments:**

    - `system`: the experiment; its own numbers.
    - `cells`: of the grid along each axis.
    - `dt`, `t1`: time step and final time [time].
    - `particles`: numbers of them; `reference`: of those that make the limit field.
    - `seeds`: runs for each.
    - `width`: of the fixed kernel [length].
    - `scale`, `betas`: of the kernels that narrow [length], [dimensionless].
    """

    name: ClassVar[str] = "propagation-of-chaos"
    title: ClassVar[str] = "Interacting particles approach independent ones as they become many"
    description: ClassVar[str] = (
        "Particles that feel the food they eat, and particles in the limit field, start at the same places and take "
        "the same random steps. Their distance is measured against their number, for kernels of fixed and shrinking "
        "width."
    )

    dimensions: ClassVar[tuple[int, ...]] = (2,)
    axes: ClassVar[int] = 2

    system: TwoBlobs = dataclasses.field(default_factory=TwoBlobs)
    cells: int = 64
    dt: float = 0.01
    t1: float = 0.3
    particles: tuple[int, ...] = (500, 2_000, 8_000, 32_000)
    reference: int = 2**20
    seeds: int = 4
    width: float = 0.3
    scale: float = 1.0
    betas: tuple[float, ...] = (0.3, 0.6)

    def run(self, seed: int = 0, report: Report = silent) -> Chaos:
        """Measures the distances.

        **Raises:** `ValueError` if an argument is out of its range.
        """
        _checks.natural("seeds", self.seeds, at_least=2)
        if len(self.particles) < 2 or min(self.particles) < 1:
            raise ValueError(f"`particles` must be two or more numbers, got {self.particles}.")
        mollifiers: dict[str, AbstractMollifier] = {f"fixed width {self.width:g}": FixedWidth(self.width)}
        for beta in self.betas:
            mollifiers[f"width {self.scale:g} P^(-{beta:g}/2)"] = ModerateInteraction(self.scale, beta)
        decays = tuple(self._decay(label, mollifier, seed, report) for label, mollifier in mollifiers.items())
        return Chaos(tuple(self.particles), decays)

    def numbers(self, found: Chaos) -> dict[str, Any]:
        """For each kernel its widths, the distances, and the fitted exponent with its error, ready for JSON."""
        decays = {
            decay.label: {
                "exponent": decay.exponent,
                "error": decay.error,
                "widths": decay.widths,
                "distances": decay.mean.tolist(),
            }
            for decay in found.decays
        }
        return {"particles": list(found.particles), "decays": decays}

    def lines(self, found: Chaos) -> list[str]:
        return [f"{one.label:>24}: distance ~ P^({one.exponent:.2f} ± {one.error:.2f})" for one in found.decays]

    def draw(self, found: Chaos, folder: Path) -> Path:
        from jaxchemo import plotting

        curves = {f"{one.label}: {one.exponent:.2f} ± {one.error:.2f}": one.distances for one in found.decays}
        figure = plotting.decays(
            found.particles,
            curves,
            xlabel="number of particles",
            ylabel="distance to the limit particles [length]",
            slopes=(-0.5,),
        )
        figure.savefig(folder / "distances.png")
        return folder / "distances.png"

    def _decay(self, label: str, mollifier: AbstractMollifier, seed: int, report: Report) -> Decay:
        problem = self.system.problem(2, self.cells)
        report(f"{label}: the limit field, of {self.reference} particles")
        limit = self._limit(self.width if isinstance(mollifier, FixedWidth) else 0.0)
        distances = np.empty((len(self.particles), self.seeds))
        for i, number in enumerate(self.particles):
            report(f"{label}: {number} particles")
            real = ParticleField(number, mollifier=mollifier, points=Random())
            free = ParticleField(number, update=limit, points=Random())
            for k in range(self.seeds):
                key = jax.random.key(seed * self.seeds + k)
                ends = [
                    solve(problem, method, t1=self.t1, dt=self.dt, key=key, adjoint=Forward()).final.positions
                    for method in (real, free)
                ]
                distances[i, k] = float(jnp.sqrt(jnp.mean(jnp.sum((ends[0] - ends[1]) ** 2, axis=1))))
        slopes = [np.polyfit(np.log(self.particles), np.log(column), 1)[0] for column in distances.T]
        widths = [mollifier.width(number, 2) for number in self.particles]
        return Decay(label, widths, distances, float(np.mean(slopes)), float(np.std(slopes, ddof=1) / self.seeds**0.5))

    def _limit(self, width: float) -> Prescribed:
        """The exposures of a great many particles, which take the same steps in time as the few."""
        problem = self.system.problem(2, self.cells)
        grid = problem.domain
        assert isinstance(grid, Grid)
        mollifier = FixedWidth(width) if width > 0 else None
        method = ParticleField(self.reference, mollifier=mollifier, increments=Antithetic(), points=Random())
        saveat = SaveAt(every=1, fn=lambda now: now.density)
        key = jax.random.key(2**31)  # not that of any other run
        densities = solve(problem, method, t1=self.t1, dt=self.dt, key=key, saveat=saveat, adjoint=Forward()).ys
        return Prescribed(self.dt * jnp.cumsum(densities[:-1], axis=0), grid, method.deposit_order)
