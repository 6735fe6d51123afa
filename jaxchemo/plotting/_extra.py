"""What figures need beyond the core: matplotlib, of the extra `[viz]`; imported before all else here."""

from jaxchemo import _checks

_checks.package("matplotlib", "jaxchemo[viz]")
