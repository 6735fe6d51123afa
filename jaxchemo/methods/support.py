"""Which method solves what: a table, as the methods themselves say.

`python -m jaxchemo.methods.support README.md` writes it into a file, between two comments.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxchemo.features import Feature
from jaxchemo.methods.base import AbstractMethod

_PLACE = re.compile(r"(<!-- which method solves what -->\n).*?(<!-- end -->)", re.DOTALL)


def table(methods: Sequence[type[AbstractMethod]]) -> str:
    """A markdown table with a row for each feature of a problem, and a column for each method.

    **Arguments:**

    - `methods`: the methods, such as `[jc.FiniteVolume, jc.Spectral]`.
    """
    rows = [["problems with", *(f"`{method.__name__}`" for method in methods)], ["---", *[":-:"] * len(methods)]]
    rows += [[feature.value, *("x" if feature in method.solves else "" for method in methods)] for feature in Feature]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(path: Path, methods: Sequence[type[AbstractMethod]]) -> None:
    """Puts the table of these methods between the two comments in a file.

    **Raises:** `ValueError` if they are not in it.
    """
    text = path.read_text(encoding="utf-8")
    if not _PLACE.search(text):
        raise ValueError(f"{str(path)!r} has no comment `<!-- which method solves what -->` and `<!-- end -->`.")
    path.write_text(_PLACE.sub(lambda match: match[1] + table(methods) + match[2], text), encoding="utf-8")


if __name__ == "__main__":
    from jaxchemo.methods import METHODS

    for name in sys.argv[1:]:
        write(Path(name), METHODS)
