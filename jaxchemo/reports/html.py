"""What the pages of reports are made of: one HTML file each, with its pictures, that needs nothing else."""

import base64
import html
import io
from collections.abc import Iterable, Sequence

from matplotlib.figure import Figure

from jaxchemo.experiments.outcome import surroundings

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2rem; border-bottom: 1px solid var(--line); }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption, footer { font-size: .875rem; opacity: .8; }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.warning { border-left: 4px solid #d55e00; padding-left: .75rem; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
"""


def document(title: str, body: Iterable[str], command: str = "") -> str:
    """The whole page: what it says, how to repeat it, and with which versions it was made."""
    made = surroundings()
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    repeat = ["<h2>To repeat it</h2>", f"<pre>{text(command)}</pre>"] if command else []
    footer = f"<footer>{text(versions)}; {text(made['device'])}; {text(made['precision'])}</footer>"
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            *body,
            *repeat,
            footer,
            "</body>\n</html>\n",
        ]
    )


def text(words: str) -> str:
    """Words as they are, whatever signs are in them."""
    return html.escape(words)


def paragraph(words: str, kind: str = "") -> str:
    """One paragraph; of the kind `"warning"` it is marked."""
    return f'<p class="{kind}">{text(words)}</p>' if kind else f"<p>{text(words)}</p>"


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{text(line)}</li>" for line in lines) + "</ul>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls where it is too wide."""
    top = "".join(f"<th>{text(cell)}</th>" for cell in header)
    lines = ["<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return f'<div class="wide"><table><tr>{top}</tr>{"".join(lines)}</table></div>'


def figure(drawn: Figure, caption: str) -> str:
    """A picture within the page, and what it shows."""
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=130, bbox_inches="tight")
    code = base64.b64encode(file.getvalue()).decode()
    alt = text(caption)
    return f'<figure><img alt="{alt}" src="data:image/png;base64,{code}"><figcaption>{alt}</figcaption></figure>'
