"""Boundaries: what happens at the two ends of one axis, to a field on the grid and to a particle in the box."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxchemo import _checks
from jaxchemo._show import Shown
from jaxchemo.features import Feature

Transform = Callable[[Array], Array]


def identity(value: Array) -> Array:
    """The transform that changes nothing."""
    return value


class AbstractBoundary(Shown):
    """What happens at the two ends of one axis, to a field on the grid and to a particle in the box.

    To make one, subclass this outside the package: the page "Extend it" of the documentation has an example.
    """

    @abc.abstractmethod
    def pad(
        self,
        field: Float[Array, " n *rest"],
        width: int = 1,
        *,
        name: str | None = None,
        t: ArrayLike = 0.0,
        transform: Transform = identity,
    ) -> Float[Array, " m *rest"]:
        """Ghost cells: `field` extended by `width` cells at both ends of its first axis, for stencils.

        **Arguments:**

        - `field`: cell values `(n, ...)`, the axis of this boundary first.
        - `width`: ghost cells on each side. Default 1.
        - `name`: which species or signal the field is; a wall that prescribes values looks its value up by it. Default:
          none, for which nothing is prescribed.
        - `t`: time, for values that change. Default 0.
        - `transform`: applied to a prescribed value, for a field that is a function of the named one. Default: none.

        **Returns:** `(n + 2 width, ...)` values.

        **Raises:** `ValueError` if an axis with a wall that continues a field has a single cell.
        """

    @abc.abstractmethod
    def fold(self, x: Float[Array, " p"], lower: float, upper: float) -> Float[Array, " p"]:
        """Coordinates `(P,)` after a step, brought back into `[lower, upper]` [length]."""

    @abc.abstractmethod
    def keeps(self, x: Float[Array, " p"], lower: float, upper: float) -> Array | bool:
        """Which particles survive a step to `x` (before folding); `True` where no wall absorbs."""

    @property
    @abc.abstractmethod
    def absorbs(self) -> bool:
        """Whether particles can be lost here: if not, no weights are carried for them."""

    @abc.abstractmethod
    def closed(self, name: str | None) -> tuple[bool, bool]:
        """Whether nothing of the field `name` passes the lower and the upper end."""

    @property
    def reflects(self) -> bool:
        """Whether ghost cells mirror a field where it is `closed`, and about a value where it is not.

        That is all that implicit steps and exact spreading solve for; between other walls they are refused. Default:
        no.
        """
        return False

    def features(self, populations: Sequence[str]) -> frozenset[Feature]:
        """What a method must know of this wall, for populations of these names."""
        return frozenset({Feature.WALLS, Feature.ABSORBING_WALLS} if self.absorbs else {Feature.WALLS})

    @property
    def ends(self) -> tuple["AbstractBoundary", "AbstractBoundary"]:
        """What happens at the lower and at the upper end."""
        return self, self


class NoFlux(AbstractBoundary):
    """Zero *total* flux: neither diffusion nor taxis carries anything through the wall.

    For a field this is even reflection about the wall, which is a face between cells; for a particle it is specular
    reflection. The two describe the same physics, so mass is conserved to round-off at both levels.

    >>> jc.NoFlux().pad(jnp.array([1.0, 2.0, 3.0])).tolist()  # ghost cells mirror the field
    [1.0, 1.0, 2.0, 3.0, 3.0]
    >>> round(float(jc.NoFlux().fold(jnp.array(1.25), 0.0, 1.0)), 3)  # a particle is reflected
    0.75
    """

    def pad(self, field, width=1, *, name=None, t=0.0, transform=identity):
        return jnp.pad(field, [(width, width)] + [(0, 0)] * (field.ndim - 1), mode="symmetric")

    def fold(self, x, lower, upper):
        # A triangle wave folds any number of crossings at once, and its slope is +-1 almost everywhere,
        # so a gradient through a reflection is right. A clip would pile particles up at the wall.
        length = upper - lower
        return lower + length - jnp.abs(jnp.mod(x - lower, 2 * length) - length)

    def keeps(self, x, lower, upper):
        return True

    @property
    def absorbs(self) -> bool:
        return False

    @property
    def reflects(self) -> bool:
        return True

    def closed(self, name):
        return True, True


class Periodic(AbstractBoundary):
    """The two ends are the same place: fields wrap around and so do particles.

    >>> jc.Periodic().pad(jnp.array([1.0, 2.0, 3.0])).tolist()
    [3.0, 1.0, 2.0, 3.0, 1.0]
    """

    def pad(self, field, width=1, *, name=None, t=0.0, transform=identity):
        return jnp.pad(field, [(width, width)] + [(0, 0)] * (field.ndim - 1), mode="wrap")

    def fold(self, x, lower, upper):
        # Of a position just below `lower`, round-off may make `upper` itself: the same place, in the last cell.
        return lower + jnp.mod(x - lower, upper - lower)

    def keeps(self, x, lower, upper):
        return True

    @property
    def absorbs(self) -> bool:
        return False

    @property
    def reflects(self) -> bool:
        return True

    def closed(self, name):
        return False, False

    def features(self, populations):
        return frozenset()


class Dirichlet(AbstractBoundary):
    """Prescribed values at the wall; a particle that reaches it is absorbed.

    Nothing passes of a species or signal without a prescribed value: `Dirichlet({"oxygen": 1.0})` fixes the oxygen and
    keeps the cells in. The signal that they sense there is continued linearly.

    **Arguments:**

    - `value`: one number for every field, or a dict by the name of the species or signal. A value is the same along
      the whole wall; it may be a function of time, `value(t)`. Default 0, the absorbing wall. [units of the field]

    **Raises:** `ValueError` or `TypeError` for anything else. `Problem` refuses names that its model has not. It also
    refuses values below zero, except of signals that follow the cells at once and of those that swimmers sense, which
    have no level of their own.

    >>> wall = jc.Dirichlet({"oxygen": 1.0})
    >>> wall.closed("rho"), wall.closed("oxygen")
    ((True, True), (False, False))
    """

    value: Any

    def __init__(self, value: ArrayLike | Callable | Mapping[str, ArrayLike | Callable] = 0.0):
        def leaf(name, v):
            if not callable(v):
                return _checks.real(name, v)
            _checks.of_time(name, v)
            return v

        if isinstance(value, Mapping):
            named = _checks.mapping("value", value, "values at the wall")
            if not named:
                raise ValueError(
                    "`value` must prescribe at least one field, got an empty dict: NoFlux() lets nothing through."
                )
            self.value = {key: leaf(f"value[{key!r}]", v) for key, v in named.items()}
        else:
            self.value = leaf("value", value)

    def value_of(self, name: str | None, t: ArrayLike) -> Any:
        """The value prescribed for the field `name` at time `t`, or `None`."""
        if name is None:
            return None
        value = self.value.get(name) if isinstance(self.value, dict) else self.value
        return value(t) if callable(value) else value

    def pad(self, field, width=1, *, name=None, t=0.0, transform=identity):
        """See the contract. **Raises:** `ValueError` if a field without a value here has a single cell."""
        value = self.value_of(name, t)
        if value is None:
            if field.shape[0] < 2:
                raise ValueError(f"An axis with a Dirichlet wall needs at least 2 cells, got {field.shape[0]}.")
            # What has no value here does not diffuse, and needs none: mirrored, its slope and the drift would vanish.
            steps = jnp.arange(1, width + 1, dtype=field.dtype).reshape((-1,) + (1,) * (field.ndim - 1))
            low = field[:1] + jnp.flip(steps, 0) * (field[:1] - field[1:2])
            high = field[-1:] + steps * (field[-1:] - field[-2:-1])
        else:
            # The wall is a face between cells: odd reflection about the value puts it there, to second order.
            wall = jnp.asarray(transform(value), field.dtype)
            low = 2 * wall - jnp.flip(field[:width], 0)
            high = 2 * wall - jnp.flip(field[-width:], 0)
        return jnp.concatenate([low, field, high])

    def fold(self, x, lower, upper):
        return jnp.clip(x, lower, upper)  # an absorbed particle rests on the wall that took it, with weight zero

    def keeps(self, x, lower, upper):
        return (x >= lower) & (x <= upper)

    @property
    def absorbs(self) -> bool:
        return True

    @property
    def reflects(self) -> bool:
        return True

    def closed(self, name):
        free = isinstance(self.value, dict) and name not in self.value
        return free, free

    def empties(self, name: str) -> bool:
        """Whether the field `name` is kept at zero for good, as far as is known: its particles are lost here, and none
        come in."""
        value = self.value.get(name) if isinstance(self.value, dict) else self.value
        if value is None or callable(value) or not _checks.is_concrete(value):
            return False
        return not np.asarray(value)  # of numpy: inside jit JAX would trace even what is known

    def features(self, populations):
        features = {Feature.WALLS}
        for name in populations:
            if self.closed(name)[0]:
                features.add(Feature.SIGNAL_WALLS)
            else:
                features.add(Feature.ABSORBING_WALLS if self.empties(name) else Feature.SUPPLYING_WALLS)
        return frozenset(features)


class Mixed(AbstractBoundary):
    """A different boundary at each end of an axis, such as a closed one and an open one. Periodic ends come in pairs.

    **Arguments:**

    - `low`, `high`: what happens at the lower and at the upper end, `NoFlux()` or `Dirichlet(...)`.

    **Raises:** `TypeError` if an end is no boundary, or `Periodic` or `Mixed` itself.

    >>> jc.Grid.box(0.0, 1.0, 8, boundary=[(jc.NoFlux(), jc.Dirichlet(1.0))]).boundaries
    (Mixed(low=NoFlux(), high=Dirichlet(value=1)),)
    """

    low: AbstractBoundary
    high: AbstractBoundary

    def __check_init__(self):
        for name, side in (("low", self.low), ("high", self.high)):
            _checks.instance(name, side, AbstractBoundary, "NoFlux() or Dirichlet(...)")
            if isinstance(side, Periodic | Mixed):
                raise TypeError(f"`{name}` must be what happens at one wall, NoFlux() or Dirichlet(...), got {side!r}.")

    def pad(self, field, width=1, *, name=None, t=0.0, transform=identity):
        low = self.low.pad(field, width, name=name, t=t, transform=transform)[:width]
        high = self.high.pad(field, width, name=name, t=t, transform=transform)[-width:]
        return jnp.concatenate([low, field, high])

    def fold(self, x, lower, upper):
        # A step that crosses both walls is far beyond any stable one, so one wall at a time is enough.
        below, above = self.low.fold(x, lower, upper), self.high.fold(x, lower, upper)
        return jnp.where(x < lower, below, jnp.where(x > upper, above, x))

    def keeps(self, x, lower, upper):
        below, above = self.low.keeps(x, lower, upper), self.high.keeps(x, lower, upper)
        return jnp.where(x < lower, below, jnp.where(x > upper, above, True))

    @property
    def absorbs(self) -> bool:
        return self.low.absorbs or self.high.absorbs

    @property
    def reflects(self) -> bool:
        return self.low.reflects and self.high.reflects

    def closed(self, name):
        return self.low.closed(name)[0], self.high.closed(name)[1]

    @property
    def ends(self):
        return self.low, self.high
