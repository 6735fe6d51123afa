"""Names for the kinds of arrays that pass between the parts of the package."""

from jaxtyping import Array, Float

Real = Float[Array, "..."] | float
"""One number, or an array of them."""

Fields = dict[str, Float[Array, "..."]]
"""Densities or signals by name."""

Components = tuple[Float[Array, " p"], ...]
"""Coordinates of particles [length]: one array of shape `(P,)` per axis."""

PerAxis = tuple[Float[Array, "..."], ...]
"""Coordinates or vectors at points in an array of any shape: one array per axis."""
