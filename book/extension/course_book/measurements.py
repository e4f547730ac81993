"""The directive `measurements`: the tables of `results/benchmarks.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Measurements(SphinxDirective):
    """Show measured tables, or say that nothing has been measured yet.

    The one argument is the file's path from the folder of the course.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / self.arguments[0]
        self.env.note_dependency(str(path))
        if not path.is_file():
            text = (
                f"Nothing has been measured for this copy yet: the file "
                f"{self.arguments[0]} is not there. Run make bench, then make book."
            )
            return [nodes.paragraph(text=text)]
        return show(json.loads(path.read_text(encoding="utf-8")))


def show(content: dict[str, Any]) -> list[nodes.Node]:
    """Return measured tables, each below what its numbers come from, notes below."""
    shown: list[nodes.Node] = []
    for table in content["tables"]:
        shown.append(nodes.rubric(text=table["title"]))
        shown.append(_provenance(table.get("provenance") or content["provenance"]))
        shown.append(_table(table["columns"], table["rows"]))
        if table.get("note"):
            shown.append(nodes.paragraph(text=table["note"]))
    return shown


def _provenance(facts: dict[str, Any]) -> nodes.Node:
    """Return a list of what the numbers come from."""
    items = nodes.field_list()
    for name, value in facts.items():
        if not value:
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{key} {version}" for key, version in value.items())
        body: nodes.Node = nodes.Text(str(value))
        if name == "command":
            body = nodes.literal(text=str(value))
        items += nodes.field(
            "",
            nodes.field_name(text=name.replace("_", " ").capitalize()),
            nodes.field_body("", nodes.paragraph("", "", body)),
        )
    return items


def _table(columns: list[str], rows: list[list[Any]]) -> nodes.Node:
    """Return a table whose numbers are aligned to the right."""
    group = nodes.tgroup(cols=len(columns))
    group += [nodes.colspec(colwidth=1) for _ in columns]
    group += nodes.thead("", _row(columns))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group, classes=["measured"])


def _row(values: list[Any]) -> nodes.Node:
    row = nodes.row()
    for value in values:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        text = "" if value is None else f"{value:,}" if number else str(value)
        entry = nodes.entry("", nodes.paragraph(text=text))
        if number:
            entry["classes"].append("text-right")
        row += entry
    return row


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("measurements", Measurements)
