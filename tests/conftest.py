"""What every test runs under: double precision, checked types, and property tests that repeat."""

import gc
import os
from pathlib import Path

import hypothesis
import jax
import jaxtyping

os.environ.setdefault("MPLBACKEND", "Agg")
jax.config.update("jax_enable_x64", True)

# Before jaxchemo is first imported: shapes and types are then checked at run time in the rooms that compute.
# The rooms that users hand things to check their arguments themselves, and are tested for the words that they say.
COMPUTING = [
    "_numerics",
    "fields",
    "particles",
    "analysis",
    "initial.points",
    "methods.base",
    "methods.particles.signal_updates",
    "integrate.loop",
]
if not os.environ.get("JAXCHEMO_NO_TYPECHECK"):
    jaxtyping.install_import_hook([f"jaxchemo.{room}" for room in COMPUTING], "typechecker.checked")

# No deadline: the first example of a property also pays for its compilation.
hypothesis.settings.register_profile(
    "jaxchemo",
    deadline=None,
    max_examples=25,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
hypothesis.settings.load_profile("jaxchemo")

# Traced programs are objects by the million that live on: looking through them all for cycles took a tenth of the time.
gc.set_threshold(100_000, 50, 100)

MAPS = Path("/proc/self/maps")  # of Linux


def pytest_configure(config) -> None:
    """Takes the cache of compiled programs from the processes that tests start; JAX has read here where it is.

    Whatever is loaded from it says so at length on stderr, which some tests read, and some let fill.
    """
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)


def pytest_runtest_teardown() -> None:
    """Lets compiled programs go before they have used up the memory maps of a process, 65,530: XLA would crash."""
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > 30_000:
        jax.clear_caches()
        gc.collect()
