"""What networks need: flax, looked for before all else that is imported here."""

from jaxchemo import _checks

_checks.package("flax", "jaxchemo")
