"""Propagation of chaos, measured: particles that interact, beside particles in the limit field, with the same noise."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxchemo._progress import Report, silent
from jaxchemo.domain import Grid
from jaxchemo.experiments.base import Experiment
from jaxchemo.experiments.food import TwoBlobs
from jaxchemo.experiments.options import final_time, grid_cells, option, positive, several, whole
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

    counts: tuple[int, ...]
    decays: tuple[Decay, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PropagationOfChaos(Experiment[Chaos]):
    """Interacting and limit particles of `two-blobs` in 2D, which start alike and take the same random steps.

    With a kernel of fixed width the limit field is that of the regularised system, and the distance falls as
    `P^(-1/2)`. With a kernel that narrows, `width = scale P^(-beta/2)` (moderate interaction), it is that of the system
    itself, and the bias of the kernel, of second order in its width, competes with the noise.

    **Arguments:**

    - `shape`: grid cells along each axis.
    - `dt`, `t1`: time step and final time [time].
    - `counts`: numbers of particles; `num_reference`: of those that make the limit field.
    - `num_seeds`: runs for each.
    - `kernel_width`: of the fixed kernel [length].
    - `kernel_scale`, `betas`: of the kernels that narrow [length], [dimensionless].

    **Raises:** `ValueError` or `TypeError` naming the option at fault.

    >>> experiment = jc.experiments.PropagationOfChaos(counts=(500, 2_000))
    >>> experiment.title
    'Interacting particles approach independent ones as they become many'
    >>> experiment.kernel_width
    0.3
    """

    name: ClassVar[str] = "propagation-of-chaos"
    title: ClassVar[str] = "Interacting particles approach independent ones as they become many"
    description: ClassVar[str] = (
        "Particles that feel the food they eat, and particles in the limit field, start at the same places and take "
        "the same random steps. Their distance is measured against their number, for kernels of fixed and shrinking "
        "width."
    )

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    shape: tuple[int, ...] = grid_cells((64,))
    dt: float = option(0.01, positive, "time step", "time")
    t1: float = final_time(0.3)
    counts: tuple[int, ...] = option(
        (500, 2_000, 8_000, 32_000), several(whole(), at_least=2), "numbers of particles that are compared"
    )
    num_reference: int = option(2**20, whole(), "number of particles that make the limit field")
    num_seeds: int = option(4, whole(2), "number of runs for each number of particles")
    kernel_width: float = option(0.3, positive, "of the kernel of fixed width", "length")
    kernel_scale: float = option(1.0, positive, "of the kernels that narrow, scale P^(-beta / 2)", "length")
    betas: tuple[float, ...] = option((0.3, 0.6), several(positive), "of the kernels that narrow")

    @property
    def system(self) -> TwoBlobs:
        """What the particles move in."""
        return TwoBlobs(ndim=2, shape=self.shape, t1=self.t1, dt=self.dt)

    def run(self, seed: int = 0, report: Report = silent) -> Chaos:
        """Measures the distances.

        **Raises:** as `jc.solve`.
        """
        mollifiers: dict[str, AbstractMollifier] = {f"fixed width {self.kernel_width:g}": FixedWidth(self.kernel_width)}
        for beta in self.betas:
            mollifiers[f"width {self.kernel_scale:g} P^(-{beta:g}/2)"] = ModerateInteraction(self.kernel_scale, beta)
        decays = tuple(self._decay(label, mollifier, seed, report) for label, mollifier in mollifiers.items())
        return Chaos(self.counts, decays)

    def numbers(self, outcome: Chaos) -> dict[str, Any]:
        """For each kernel its widths, the distances, and the fitted exponent with its error, ready for JSON."""
        decays = {
            decay.label: {
                "exponent": decay.exponent,
                "error": decay.error,
                "widths": decay.widths,
                "distances": decay.mean.tolist(),
            }
            for decay in outcome.decays
        }
        return {"particles": list(outcome.counts), "decays": decays}

    def lines(self, outcome: Chaos) -> list[str]:
        return [f"{d.label:>24}: distance ~ P^({d.exponent:.2f} ± {d.error:.2f})" for d in outcome.decays]

    def draw(self, outcome: Chaos, folder: Path) -> Path:
        from jaxchemo import plotting

        curves = {f"{d.label}: {d.exponent:.2f} ± {d.error:.2f}": d.distances for d in outcome.decays}
        figure = plotting.decays(
            outcome.counts,
            curves,
            xlabel="number of particles",
            ylabel="distance to the limit particles [length]",
            slopes=(-0.5,),
        )
        figure.savefig(folder / "distances.png")
        return folder / "distances.png"

    def _decay(self, label: str, mollifier: AbstractMollifier, seed: int, report: Report) -> Decay:
        problem = self.system.problem()
        report(f"{label}: the limit field, of {self.num_reference} particles")
        limit = self._limit(self.kernel_width if isinstance(mollifier, FixedWidth) else 0.0)
        distances = np.empty((len(self.counts), self.num_seeds))
        for i, number in enumerate(self.counts):
            report(f"{label}: {number} particles")
            real = ParticleField(number, mollifier=mollifier, points=Random())
            free = ParticleField(number, update=limit, points=Random())
            for k in range(self.num_seeds):
                key = jax.random.key(seed * self.num_seeds + k)
                ends = [
                    solve(problem, method, t1=self.t1, dt=self.dt, key=key, adjoint=Forward()).final.positions
                    for method in (real, free)
                ]
                distances[i, k] = float(jnp.sqrt(jnp.mean(jnp.sum((ends[0] - ends[1]) ** 2, axis=1))))
        slopes = [np.polyfit(np.log(self.counts), np.log(column), 1)[0] for column in distances.T]
        widths = [mollifier.width(number, 2) for number in self.counts]
        return Decay(
            label, widths, distances, float(np.mean(slopes)), float(np.std(slopes, ddof=1) / self.num_seeds**0.5)
        )

    def _limit(self, width: float) -> Prescribed:
        """The exposures of a great many particles, which take the same steps in time as the few."""
        problem = self.system.problem()
        grid = problem.domain
        assert isinstance(grid, Grid)
        mollifier = FixedWidth(width) if width > 0 else None
        method = ParticleField(self.num_reference, mollifier=mollifier, increments=Antithetic(), points=Random())
        saveat = SaveAt(every=1, fn=lambda now: now.density)
        key = jax.random.key(2**31)  # not that of any other run
        densities = solve(problem, method, t1=self.t1, dt=self.dt, key=key, saveat=saveat, adjoint=Forward()).ys
        return Prescribed(self.dt * jnp.cumsum(densities[:-1], axis=0), grid, method.deposit_order)
