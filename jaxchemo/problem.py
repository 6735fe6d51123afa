"""A problem: a model, a domain and initial conditions, checked against one another when it is made."""

import dataclasses
import functools
import textwrap
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxchemo import _checks
from jaxchemo._types import Fields
from jaxchemo.domain import AbstractGrid, Dirichlet, FreeSpace, Grid, RadialGrid
from jaxchemo.features import Feature
from jaxchemo.initial import AbstractInitial
from jaxchemo.initial.profiles import Mixture
from jaxchemo.initial.sized import AbstractSized
from jaxchemo.models import AbstractGrowth, AbstractModel, Model, RunAndTumble, Signal


class Problem(eqx.Module):
    """What is solved: the same for every method.

    **Arguments:**

    - `model`: the physics, such as `jc.models.phks(0.1, 1.0)`.
    - `domain`: where: `Grid.box(...)`, `RadialGrid(...)` or `FreeSpace(...)`.
    - `density`: initial density of the species: one initial condition, or a dict by name.
    - `signal`: initial concentration of the signals, likewise; `None` where there is none, or where it is slaved.

    **Raises:** `ValueError` or `TypeError` that names the argument, for parts that do not fit one another: a missing or
    unknown name, a wrong shape or dimension, particles outside the box, a density of which less than a millionth lies
    in the domain, a feature narrower than one cell.

    Warns (`UserWarning`) where more than 0.1% of a condition that is given by its `mass` lies outside the domain: that
    part is not there.

    >>> model, grid = jc.models.phks(mobility=0.1, sensitivity=1.0), jc.Grid.box(-1.0, 1.0, shape=64)
    >>> cells, food = jc.initial.gaussian(mass=1.0, std=0.2), jc.initial.uniform(amplitude=2.0)
    >>> problem = jc.Problem(model, grid, density=cells, signal=food)
    >>> problem.signal
    {'c': Uniform(size=amplitude 2)}
    """

    model: AbstractModel
    domain: AbstractGrid | FreeSpace
    density: dict[str, AbstractInitial]
    signal: dict[str, AbstractInitial]

    def __init__(
        self,
        model: AbstractModel,
        domain: AbstractGrid | FreeSpace,
        density: AbstractInitial | Mapping[str, AbstractInitial],
        signal: AbstractInitial | Mapping[str, AbstractInitial] | None = None,
    ):
        self.model = _checks.instance("model", model, AbstractModel, "a Model such as jc.models.phks(0.1, 1.0)")
        self.domain = _checks.instance("domain", domain, (AbstractGrid, FreeSpace), "a domain such as jc.Grid.box(...)")
        free = [name for name, signal in model.signals.items() if not signal.slaved]
        self.density = _by_name("density", density, list(model.populations), self.domain)
        # What swimmers sense may be any field: they answer its changes.
        signed = not isinstance(self.model, Model)
        self.signal = _by_name("signal", signal, free, self.domain, signed=signed)
        if isinstance(self.model, Model) and self.model.advection is not None:
            _checks.of_points("advection", self.model.advection, self.domain.ndim, "velocities", vectors=True)
        _check_rates(self.model, self.domain)
        if isinstance(self.domain, AbstractGrid):
            _check_walls(self.model, self.domain)
        if isinstance(self.domain, AbstractGrid) and isinstance(self.model, Model):
            _check_sensed(self.model, self.signal, self.domain)

    def replace(self, **changes: Any) -> "Problem":
        """The same problem with other parts: `problem.replace(model=...)`.

        **Raises:** `TypeError` for a part that a problem has not; otherwise as the problem itself.
        """
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if unknown := set(changes) - set(parts):
            raise TypeError(f"A problem has {_checks.listed(parts)}, not {_checks.listed(sorted(unknown))}.")
        return Problem(**{**parts, **changes})

    def __repr__(self) -> str:
        parts = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self))
        return "Problem(\n" + textwrap.indent(",\n".join(parts), "  ") + "\n)"

    @property
    def continuum(self) -> Model:
        """The model, where it is one of densities.

        **Raises:** `TypeError` for one of swimmers.
        """
        what = "a Model of densities, such as `model.to_keller_segel()` makes of swimmers"
        return _checks.instance("model", self.model, Model, what)

    @property
    def swimmers(self) -> RunAndTumble:
        """The model, where it is one of swimmers.

        **Raises:** `TypeError` for one of densities.
        """
        return _checks.instance("model", self.model, RunAndTumble, "swimmers, jc.models.RunAndTumble(...)")

    @property
    def features(self) -> frozenset[Feature]:
        """What a method must know to solve it: of the model, and of the domain."""
        model, domain = self.model, self.domain
        has = {
            Feature.BOX: isinstance(domain, Grid),
            Feature.RADIAL: isinstance(domain, RadialGrid),
            Feature.FREE_SPACE: isinstance(domain, FreeSpace),
            Feature.SEVERAL_DIMENSIONS: domain.ndim > 1,
        }
        walls = domain.walls if isinstance(domain, AbstractGrid) else ()
        own = {feature for feature, there in has.items() if there}
        return model.features(domain.ndim).union(own, *(wall.features(model.populations) for wall in walls))

    def fields(self) -> tuple[Fields, Fields]:
        """Densities and signals on the grid at the initial time, by name, all of one dtype.

        **Raises:** `TypeError` in `FreeSpace`.
        """
        grid = _checks.instance("domain", self.domain, AbstractGrid, "a grid, to evaluate fields on")
        density = {name: condition.on_grid(grid) for name, condition in self.density.items()}
        signal = {name: condition.on_grid(grid) for name, condition in self.signal.items()}
        dtype = jnp.result_type(*density.values(), *signal.values())
        return jax.tree.map(lambda field: field.astype(dtype), (density, signal))


def _by_name(
    argument: str, given: Any, names: list[str], grid: AbstractGrid | FreeSpace, *, signed: bool = False
) -> dict[str, AbstractInitial]:
    if given is None:
        given = {}
    elif isinstance(given, AbstractInitial):
        if len(names) != 1:
            raise ValueError(f"`{argument}` must be a dict by name: the model has {_checks.listed(names)}.")
        given = {names[0]: given}
    elif not isinstance(given, Mapping):
        kind = f"{given!r} of type {type(given).__name__}"
        raise TypeError(f"`{argument}` must be an initial condition such as jc.initial.gaussian(...), got {kind}.")
    if set(given) != set(names):
        raise ValueError(
            f"`{argument}` must have an initial condition for {_checks.listed(names)}, got {_checks.listed(given)}."
        )
    for name, condition in given.items():
        label = argument if len(names) == 1 else f"{argument}[{name!r}]"
        _checks.instance(label, condition, AbstractInitial, "an initial condition such as jc.initial.gaussian(...)")
        condition.check(label, grid)
        if isinstance(grid, AbstractGrid):
            _check_resolved(label, condition, grid)
            condition.check_values(label, grid, signed=signed)
            _check_inside(label, condition, grid, needed=argument == "density")
    return {name: given[name] for name in names}


def _check_rates(model: AbstractModel, grid: AbstractGrid | FreeSpace) -> None:
    """Refuses kinetics and growth whose numbers are for other cells than those of the grid."""
    model = model.at(0.0)
    if isinstance(model, Model) and any(kind.mobility.ndim for kind in model.species.values()):
        return  # a batch of models, for jax.vmap; `solve` refuses it outside of that
    shape = grid.shape if isinstance(grid, AbstractGrid) else ()
    some = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
    fields = dict.fromkeys(model.populations, some), dict.fromkeys(model.signals, some)

    def check(what: str, law: Callable[[Fields, Fields], tuple[Any, ...]]) -> None:
        try:
            shapes = {rate.shape for rate in jax.eval_shape(lambda u, s: [jnp.asarray(x) for x in law(u, s)], *fields)}
        except (TypeError, ValueError):  # which shapes that do not broadcast are
            shapes = None
        if shapes is None or not shapes <= {(), shape}:
            raise ValueError(
                f"`model`: {what} has numbers that are not one, nor one for each cell of the grid, {shape}."
            )

    for name, signal in model.signals.items():
        check(f"the kinetics of signal {name!r}", functools.partial(_gain_and_loss, signal, name))
    for name, species in model.species.items() if isinstance(model, Model) else ():
        if species.growth is not None:
            check(f"the growth of species {name!r}", functools.partial(_growth, species.growth, name))


def _gain_and_loss(signal: Signal, name: str, densities: Fields, signals: Fields) -> tuple[Any, ...]:
    return signal.gain_and_loss(densities, signals, name)


def _growth(growth: AbstractGrowth, name: str, densities: Fields, signals: Fields) -> tuple[Any, ...]:
    return (growth.rate(densities[name], signals),)


def _check_walls(model: AbstractModel, grid: AbstractGrid) -> None:
    """Refuses walls that prescribe what the model has not, or values below zero of what cannot be negative."""
    bounded = [*model.populations]
    if isinstance(model, Model):
        bounded += [name for name, law in model.signals.items() if not law.slaved]
    for wall in grid.walls:
        if not isinstance(wall, Dirichlet):
            continue
        known = [*model.populations, *model.signals]
        if isinstance(wall.value, dict) and (unknown := set(wall.value) - set(known)):
            raise ValueError(
                f"`boundary`: {wall!r} prescribes {_checks.listed(sorted(unknown))}, but the model has "
                f"{_checks.listed(known)}."
            )
        for name in bounded:
            value = None if wall.closed(name)[0] else wall.value_of(name, 0.0)
            if value is not None and _checks.is_concrete(value) and not float(value) >= 0:
                raise ValueError(f"`boundary`: the value of {name!r} at {wall!r} must not be negative.")


def _check_sensed(model: Model, signal: Mapping[str, AbstractInitial], grid: AbstractGrid) -> None:
    """Refuses a signal that is zero somewhere, where its logarithm, or another law with no value at zero, is sensed."""
    for species, kind in model.at(0.0).species.items():
        for name, law in kind.taxis.items():
            at_zero = law.potential(jnp.zeros(()))
            if name not in signal or not _checks.is_concrete(at_zero) or bool(jnp.all(jnp.isfinite(at_zero))):
                continue
            lowest = jnp.min(signal[name].on_grid(grid))
            if _checks.is_concrete(lowest) and not float(lowest) > 0:
                raise ValueError(
                    f"`signal` {name!r} is {float(lowest):g} somewhere, where species {species!r} cannot sense it by "
                    f"{law!r}: give a signal that is positive everywhere, or a law with an `offset`."
                )


def _check_resolved(label: str, condition: AbstractInitial, grid: AbstractGrid) -> None:
    finest = condition.finest
    if not _checks.is_concrete(finest):
        return
    with jax.ensure_compile_time_eval():  # the cells are known, also where a problem is built under jit
        coarsest = max(float(jnp.min(length)) for length in grid.lengths)
    if float(finest) < coarsest:
        extent = np.array(grid.shape) * coarsest / max(float(finest), 1e-300)
        needed = tuple(int(np.ceil(n)) for n in extent)
        raise ValueError(
            f"`{label}` has a feature of size {float(finest):g}, narrower than one cell of the grid ({coarsest:g}). "
            f"A grid of at least {needed} cells, or a wider condition, would do."
        )


def _check_inside(label: str, condition: AbstractInitial, grid: AbstractGrid, *, needed: bool) -> None:
    """Warns where the domain holds less than the mass stated, and refuses a density, which is `needed`, if it is all
    elsewhere."""
    parts = condition.parts if isinstance(condition, Mixture) else (condition,)
    sized = [part for part in parts if isinstance(part, AbstractSized)]
    by_mass = np.array([part.size.is_mass for part in sized], bool)
    if not (needed or by_mass.any()) or not all(map(_checks.is_concrete, jax.tree.leaves(sized))):
        return
    with jax.ensure_compile_time_eval():
        space = FreeSpace(grid.ndim)
        whole = np.array([float(part.mass_in(space)) for part in sized])
        inside = np.array([float(part.mass_in(space if bool(part.fits(grid)) else grid)) for part in sized])
        heights = [float(part.size.height(part.volume(grid.ndim))) for part in sized]
    if needed and len(sized) == len(parts) and inside.sum() < 1e-6 * whole.sum():
        raise ValueError(
            f"`{label}` is not in the domain: of its integral over the whole space, {whole.sum():.3g}, only "
            f"{inside.sum():.2g} lies in {grid!r}. Move its `center`, or the domain."
        )
    stated, left = whole[by_mass].sum(), inside[by_mass].sum()
    if left < 0.999 * stated:
        instead = " and ".join(f"amplitude={h:.6g}" for h, mass in zip(heights, by_mass, strict=True) if mass)
        warnings.warn(
            f"`{label}` has {100 * (1 - left / stated):.2g}% of its mass outside {grid!r}. That part is not there: of "
            f"a mass of {stated:.6g} fields and particles have {left:.6g}. A larger domain or a narrower condition "
            f"would hold it; if the cut is meant, give the height instead of the mass: {instead}.",
            stacklevel=6,
        )
