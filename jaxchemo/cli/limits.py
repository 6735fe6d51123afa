"""What a machine can hold, and what is installed: looked at before anything runs."""

import importlib.util
import os

from jaxchemo.cli.errors import Refused

_MOST_STEPS = 2**31 - 1  # that are counted in whole numbers of single precision
_EXTRAS = {"rich": "cli", "zarr": "io", "xarray": "io", "matplotlib": "viz", "imageio": "viz", "numpyro": "inference"}


def need(*modules: str) -> None:
    """Makes sure that what a command uses is installed.

    **Raises:** `Refused` that names the extra.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise Refused(f"{module} is not installed: it comes with the extra [{_EXTRAS[module]}] of jaxchemo.")


def check_memory(numbers: int, option: str) -> None:
    """Refuses what cannot fit: so many numbers at least, because of an option.

    **Raises:** `Refused` if they need more than all memory of the machine.
    """
    import jax.numpy as jnp

    needed, there = numbers * jnp.zeros(()).dtype.itemsize, _memory()
    if there is not None and needed > there:
        raise Refused(
            f"`{option}`: at least {needed / 2**30:,.0f} GiB would be needed, and this machine has "
            f"{there / 2**30:,.0f} GiB; a smaller number would do."
        )


def check_steps(t1: float, dt: float) -> None:
    """Refuses what would never end: more steps than are counted.

    **Raises:** `Refused` for more than 2^31 - 1 of them.
    """
    if t1 / dt > _MOST_STEPS:
        raise Refused(f"`--dt`: {t1 / dt:.3g} steps of {dt:g} up to t = {t1:g} are more than {_MOST_STEPS:,}.")


def _memory() -> int | None:
    """Memory of the machine [bytes]; `None` where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
