"""What networks need: flax, looked for before all else of this room."""

from jaxchemo import _checks

_checks.package("flax", "jaxchemo")
