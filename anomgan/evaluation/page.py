"""Reports as one HTML file that holds its pictures."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from anomgan.data.own_files import HTML
from anomgan.machine.names import escaped

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#222}table{border-collapse:collapse}td,th{padding:.2rem 1rem .2rem 0;text-align:left;"
    "border-bottom:1px solid #ddd}td+td{font-variant-numeric:tabular-nums}img{max-width:100%}"
)


def page(title: str, body: Sequence[str]) -> str:
    """A whole page from its title and the parts of its body, all of them HTML."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{HTML}'
        f"<title>{title}</title><style>{STYLE}</style>" + "\n".join(body) + "</html>\n"
    )


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(escaped(text))}</p>"


def embedded(picture: Path, about: str) -> str:
    """A PNG within the page; `about` is plain text for those who cannot see it."""
    data = base64.b64encode(picture.read_bytes()).decode()
    return f'<img alt="{html.escape(about)}" src="data:image/png;base64,{data}">'


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """A table of plain text."""
    lines = ["<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"] if head else []
    for row in rows:
        lines.append(
            "<tr>" + "".join(f"<td>{html.escape(escaped(cell))}</td>" for cell in row) + "</tr>"
        )
    return "<table>" + "\n".join(lines) + "</table>"
