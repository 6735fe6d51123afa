"""What every test runs under: double precision, checked types, and property tests that repeat."""

import os

import hypothesis
import jax
import jaxtyping

os.environ.setdefault("MPLBACKEND", "Agg")
jax.config.update("jax_enable_x64", True)

# Before jaxchemo is first imported: every shape and type written in the package is then checked at run time.
if not os.environ.get("JAXCHEMO_NO_TYPECHECK"):
    jaxtyping.install_import_hook("jaxchemo", "beartype.beartype")

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
