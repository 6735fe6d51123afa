"""What a run should keep, lose or grow: mass, extremes, moments and the entropy, as functions of fields on a grid."""

from collections.abc import Iterable, Sequence

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import entr
from jaxtyping import Array, ArrayLike, Float

from jaxchemo._numerics import cut
from jaxchemo.domain import AbstractGrid, Grid
from jaxchemo.methods import Snapshot
from jaxchemo.methods.base import by_name
from jaxchemo.models import Consumption, Linear, Model, Production
from jaxchemo.problem import Problem

Real = Float[Array, ""] | float


def mass(density: Float[Array, "*shape"], grid: AbstractGrid) -> Float[Array, ""]:
    """Integral of a field over the domain [units of the field x length^d]."""
    return grid.integrate(density)


def minimum(density: Float[Array, "*shape"]) -> Float[Array, ""]:
    """Smallest cell value [units of the field]; NaN if there is one."""
    return jnp.min(density)


def center_of_mass(density: Float[Array, "*shape"], grid: AbstractGrid) -> Float[Array, " d"]:
    """Mean position `(d,)` [length] of a density of the grid's shape; the origin on a `RadialGrid`, by symmetry."""
    if not isinstance(grid, Grid):
        return jnp.zeros(grid.ndim, density.dtype)
    # Axis by axis: an array of all centres would be d times as large as the density.
    first = [grid.integrate(density * _along(x, axis, grid)) for axis, x in enumerate(grid.axes)]
    return jnp.stack(first) / grid.integrate(density)


def second_moment(
    density: Float[Array, "*shape"], grid: AbstractGrid, center: ArrayLike | Sequence[float] = 0.0
) -> Float[Array, ""]:
    """Mean squared distance from `center`, `(1/M) int |x - center|^2 rho` [length^2].

    Cells count with their centres, which for cell averages is larger than the integral by `spacing^2 / 12` per axis.
    While the walls are not felt it grows at the rate `2 d mobility + (2 sensitivity / M) int rho x.grad c`.

    **Arguments:**

    - `density`: rho, of the grid's shape [mass / length^d].
    - `grid`: the cells.
    - `center`: one number for all coordinates, or one each [length]. Default 0.
    """
    center = jnp.broadcast_to(jnp.asarray(center), (grid.ndim,))
    if isinstance(grid, Grid):
        squares = [_along((x - a) ** 2, axis, grid) for axis, (x, a) in enumerate(zip(grid.axes, center, strict=True))]
        total = sum((grid.integrate(density * square) for square in squares[1:]), grid.integrate(density * squares[0]))
        return total / grid.integrate(density)
    radial = grid.integrate(density * jnp.sum(grid.centers**2, axis=-1)) / grid.integrate(density)
    return radial + jnp.sum(center**2)


def boltzmann(density: Float[Array, "*shape"], grid: AbstractGrid) -> Float[Array, ""]:
    """`int rho ln rho` [mass], with `0 ln 0 = 0`; infinite where a density is negative.

    The density counts in its own units, so that another unit of length adds a constant times the mass.
    """
    return grid.integrate(-entr(density))


def entropy(
    density: Float[Array, "*shape"],
    signal: Float[Array, "*shape"],
    grid: AbstractGrid,
    *,
    sensitivity: Real,
    consumption: Real = 1.0,
) -> Float[Array, ""]:
    """The entropy of the parabolic-hyperbolic system, which never grows while walls are closed.

    ```
    E = int rho ln rho + (sensitivity / 2 consumption) int |grad c|^2 / c
    dE/dt = - entropy_dissipation
    ```

    It needs no boundary condition on the signal. Gradients are taken at the faces between cells, where the scheme has
    its fluxes, so that the cross terms of the two parts cancel on the grid too, to second order. For particle runs it
    is biased by the noise of the deposit, and the mollified system does not obey it exactly.

    **Arguments:**

    - `density`, `signal`: rho [mass / length^d] and c [concentration], of the grid's shape, neither negative.
    - `grid`: the cells.
    - `sensitivity`: chi of the linear law [length^2 / time / concentration].
    - `consumption`: rate at which a density eats the food, positive [length^d / mass / time]. Default 1.

    **Returns:** E [mass].

    **Source:** Corrias, Perthame and Zaag (2004), with any rate of consumption.
    """
    # |grad c|^2 / c = 4 |grad sqrt(c)|^2, which is finite where the food is gone.
    food = _dirichlet_energy(jnp.sqrt(signal), grid)
    return boltzmann(density, grid) + 2 * sensitivity / consumption * food


def entropy_dissipation(
    density: Float[Array, "*shape"],
    signal: Float[Array, "*shape"],
    grid: AbstractGrid,
    *,
    mobility: Real,
    sensitivity: Real,
) -> Float[Array, ""]:
    """Rate at which `entropy` falls, `4 mobility int |grad sqrt(rho)|^2 + 2 sensitivity int rho |grad sqrt(c)|^2`.

    The arguments are those of `entropy`, and `mobility` of the population [length^2 / time]. It does not depend on how
    fast the food is eaten.

    **Returns:** the rate [mass / time], never negative.
    """
    # |grad rho|^2 / rho = 4 |grad sqrt(rho)|^2, which is finite where nobody is.
    spread = _dirichlet_energy(jnp.sqrt(density), grid)
    return 4 * mobility * spread + 2 * sensitivity * _dirichlet_energy(jnp.sqrt(signal), grid, weight=density)


def free_energy(
    density: Float[Array, "*shape"],
    signal: Float[Array, "*shape"],
    grid: AbstractGrid,
    *,
    mobility: Real,
    sensitivity: Real,
    production: Real = 1.0,
    decay: Real = 0.0,
    diffusivity: Real = 1.0,
) -> Float[Array, ""]:
    """What falls in time where a population climbs, linearly, a signal that it secretes, with no growth or open walls.

    `F = int mobility rho ln rho - chi rho c + chi / (2 production) (diffusivity |grad c|^2 + decay c^2)`

    **Arguments:**

    - `density`, `signal`: rho [mass / length^d], not negative, and c [concentration]; of the grid's shape.
    - `grid`: the cells.
    - `mobility`: of the population [length^2 / time]; `sensitivity`: chi [length^2 / time / concentration].
    - `production`, `decay`, `diffusivity`: of the signal [concentration length^d / mass / time], [1 / time],
      [length^2 / time]. Defaults 1, 0 and 1.

    **Returns:** F [mass length^2 / time].

    **Source:** Nagai, Senba and Yoshida (1997), with all rates.
    """
    population = mobility * boltzmann(density, grid) - sensitivity * grid.integrate(density * signal)
    field = diffusivity * _dirichlet_energy(signal, grid) + decay * grid.integrate(signal**2)
    return population + sensitivity / (2 * production) * field


class Diagnostics(eqx.Module):
    """A function of a `Snapshot` that gives a dict of numbers; `diagnostics` makes it, and says which.

    >>> grid, level = jc.Grid.box(0.0, 1.0, 4), jc.initial.uniform(amplitude=2.0)
    >>> watched = jc.analysis.diagnostics(jc.Problem(jc.models.phks(0.1, 1.0), grid, level, level))
    >>> sorted(jax.eval_shape(watched, jc.Snapshot(density=jnp.ones(4), signal=jnp.ones(4))))[:3]
    ['entropy', 'entropy_dissipation', 'mass']
    """

    model: Model
    grid: AbstractGrid

    def __call__(self, snapshot: Snapshot) -> dict[str, Float[Array, ""]]:
        densities = by_name(snapshot.density, list(self.model.species))
        signals = by_name(snapshot.signal, list(self.model.signals))
        values = {}
        for name, rho in densities.items():
            of = "" if len(densities) == 1 else f"[{name}]"
            values[f"mass{of}"] = mass(rho, self.grid)
            values[f"minimum{of}"] = minimum(rho)
            values[f"maximum{of}"] = jnp.max(rho)
            values[f"second_moment{of}"] = second_moment(rho, self.grid)
        for name, c in signals.items():
            of = "" if len(signals) == 1 else f"[{name}]"
            values[f"signal_mass{of}"] = mass(c, self.grid)
            values[f"signal_minimum{of}"] = minimum(c)
            values[f"signal_maximum{of}"] = jnp.max(c)
        if (numbers := _entropy_numbers(self.model)) is not None:
            mobility, chi, rate = numbers
            (rho,), (c,) = densities.values(), signals.values()
            values["entropy"] = entropy(rho, c, self.grid, sensitivity=chi, consumption=rate)
            values["entropy_dissipation"] = entropy_dissipation(rho, c, self.grid, mobility=mobility, sensitivity=chi)
        if (constants := _energy_numbers(self.model)) is not None:
            (rho,), (c,) = densities.values(), signals.values()
            values["free_energy"] = free_energy(rho, c, self.grid, **constants)
        return values


def signal_amounts(names: Iterable[str]) -> dict[str, str]:
    """Which of the diagnostics are amounts of a signal, by its name; `'signal'` where there is only one."""
    amounts = [key for key in names if key.startswith("signal_mass")]
    return {key.removeprefix("signal_mass").strip("[]") or "signal": key for key in amounts}


def diagnostics(problem: Problem) -> Diagnostics:
    """What to watch in a run of `problem`: `saveat=SaveAt(every=10, fn=diagnostics(problem))`.

    **Returns:** a function of a `Snapshot` that gives a dict of numbers: `mass`, `minimum`, `maximum`, `second_moment`
    (about the origin) of the density; `signal_mass`, `signal_minimum`, `signal_maximum` of the signal; with
    `[name]` appended where there are several; and, for one species that climbs and eats one signal that does not
    diffuse (PHKS), `entropy` and `entropy_dissipation`; for one that climbs a signal that it secretes, `free_energy`.

    **Raises:** `TypeError` for a problem without a grid.
    """
    if not isinstance(problem.domain, AbstractGrid):
        raise TypeError(
            f"`problem` must have a grid to integrate over, Grid.box(...) or RadialGrid(...), got {problem.domain!r}."
        )
    return Diagnostics(problem.continuum, problem.domain)


def _entropy_numbers(model: Model) -> tuple[Array, Array, Array] | None:
    """Mobility, sensitivity and rate of consumption of the models that have the entropy, `None` for the others."""
    if len(model.species) != 1 or len(model.signals) != 1:
        return None
    (species,), ((name, signal),) = model.species.values(), model.signals.items()
    law, kinetics = species.taxis.get(name), signal.kinetics
    if not (isinstance(law, Linear) and isinstance(kinetics, Consumption) and species.only_moves) or model.changes:
        return None
    if signal.diffuses or signal.relaxation is None:
        return None
    return species.mobility, law.chi, kinetics.rate / signal.relaxation


def _energy_numbers(model: Model) -> dict[str, Array] | None:
    """The constants of the models that have the free energy, `None` for the others."""
    if len(model.species) != 1 or len(model.signals) != 1:
        return None
    (species,), ((name, signal),) = model.species.values(), model.signals.items()
    law, kinetics = species.taxis.get(name), signal.kinetics
    if not (isinstance(law, Linear) and isinstance(kinetics, Production) and species.only_moves) or model.changes:
        return None
    if signal.diffusivity is None:
        return None
    rates = {"production": kinetics.rate, "decay": kinetics.decay, "diffusivity": signal.diffusivity}
    return {"mobility": species.mobility, "sensitivity": law.chi} | rates


def _dirichlet_energy(
    field: Float[Array, "*shape"], grid: AbstractGrid, weight: Float[Array, "*shape"] | None = None
) -> Float[Array, ""]:
    """`int weight |grad field|^2` from differences across faces; a closed wall is a face without one."""
    total = jnp.zeros((), field.dtype)
    for axis in range(field.ndim):
        square = (jnp.diff(grid.pad(field, axis), axis=axis) / grid.face_distance(axis)) ** 2
        if weight is not None:
            square = square * _halves(grid.pad(weight, axis), axis)
        total = total + grid.integrate(_halves(square, axis))
    return total


def _halves(values: Array, axis: int) -> Array:
    """Mean of each two neighbours along an axis."""
    return 0.5 * (cut(values, axis, None, -1) + cut(values, axis, 1, None))


def _along(values: Float[Array, " n"], axis: int, grid: Grid) -> Float[Array, "..."]:
    """Values along one axis, shaped to broadcast over the grid."""
    shape = [1] * grid.ndim
    shape[axis] = -1
    return values.reshape(shape)
