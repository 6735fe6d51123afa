"""Several runs side by side, as a table for the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jaxchemo import _checks

if TYPE_CHECKING:
    from rich.table import Table


def comparison_table(runs: Mapping[str, Mapping[str, Any]], title: str = "") -> "Table":
    """A `rich` table with a row for each run.

    **Arguments:**

    - `runs`: by name, the numbers that `jaxchemo.experiments.Outcome.numbers` gives.
    - `title`: above the table. Default: none.

    **Raises:** `ImportError` where rich, of the extra [cli], is missing.
    """
    _checks.package("rich", "jaxchemo[cli]")
    from rich.table import Table  # imported here: of the [cli] extra
    from rich.text import Text

    first = next(iter(runs), "")
    table = Table(title=title or None, title_justify="left")
    table.add_column("method")
    for heading in ("grid", "particles", "compile [s]", "step [ms]", "mass drift", "min density"):
        table.add_column(Text(heading), justify="right")  # a unit in brackets is no style
    if len(runs) > 1:
        table.add_column(Text(f"distance to {first}"), justify="right")
    for name, n in runs.items():
        row = [
            Text(name),
            "-" if n["shape"] is None else "×".join(map(str, n["shape"])),
            "-" if n["num_particles"] is None else f"{n['num_particles']:,}",
            "-" if n["compile_seconds"] is None else f"{n['compile_seconds']:.1f}",
            "-" if n["milliseconds_per_step"] is None else f"{n['milliseconds_per_step']:.2f}",
            "-" if n["mass_drift"] is None else f"{n['mass_drift']:.1e}",
            "-" if n["min_density"] is None else f"{n['min_density']:.1e}",
        ]
        if len(runs) > 1:
            row.append("-" if n["distance"] is None else f"{n['distance']:.4f}")
        table.add_row(*row)
    return table
