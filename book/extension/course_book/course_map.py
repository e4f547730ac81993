"""The directive `course-map`: a picture of the lessons and what each one needs.

It is drawn like the networks of the course: the lessons are a stack of layers, and a
need that skips lessons is a shortcut around them. Which lessons exist is looked up, so
a new lesson changes its mark from "planned" by being there.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

WIDTH = 446
LEFT = 118  # room for the arcs
ROW = 52  # height of a lesson's row
BOX = 42  # height of a lesson's box
PART = 46  # height of a part's heading
LANE = 12  # distance between two arcs that run side by side


class CourseMap(SphinxDirective):
    """Draw the map that a YAML file describes; the file's path is the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / self.arguments[0]
        self.env.note_dependency(str(path))
        parts = yaml.safe_load(path.read_text(encoding="utf-8"))
        pages = {
            Path(name).name[:2]: name
            for name in self.env.found_docs
            if name.startswith("lessons/")
        }
        here = self.env.app.builder.get_target_uri(self.env.docname)
        links = {
            number: relative_uri(here, self.env.app.builder.get_target_uri(name))
            for number, name in pages.items()
        }
        return [nodes.raw("", draw(parts, links), format="html")]


def draw(parts: list[dict[str, Any]], links: dict[str, str]) -> str:
    """Return the map as an SVG figure.

    Args:
        parts: each with a `title` and `lessons`; a lesson has `number`, `title` and
            `needs`, a list of numbers.
        links: address of each lesson that exists, by number.

    Returns:
        HTML; colors come from the page's style sheet, so it follows dark mode.
    """
    y = 8
    places: dict[str, float] = {}
    headings, boxes = [], []
    for part in parts:
        headings.append(
            f'<text class="map-part" x="{LEFT}" y="{y + 28}">'
            f"{html.escape(part['title'])}</text>"
        )
        y += PART
        for lesson in part["lessons"]:
            places[lesson["number"]] = y + BOX / 2
            boxes.append(_box(lesson, y, links.get(lesson["number"], "")))
            y += ROW
    arcs = _arcs(parts, places)
    label = html.escape(describe(parts, links), quote=True)
    missing = "Lessons marked “planned” are not written yet."
    note = "" if places.keys() <= links.keys() else f" {missing}"
    return (
        f'<figure class="course-map"><svg viewBox="0 0 {WIDTH} {y + 4}" role="group" '
        f'aria-label="{label}" xmlns="http://www.w3.org/2000/svg">\n'
        '<defs><marker id="map-tip" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="6" markerHeight="6" orient="auto-start-reverse">'
        '<path class="map-tip" d="M0 0 8 4 0 8z"/></marker></defs>\n'
        + "\n".join([*headings, *arcs, *boxes])
        + "\n</svg>\n<figcaption>The lessons as a network: each box is a layer, and a "
        "curve on the left is a shortcut that leads from a lesson to a later one that "
        f"needs it.{note}</figcaption></figure>"
    )


def describe(parts: list[dict[str, Any]], links: dict[str, str]) -> str:
    """Return the map in words, for those who cannot see it."""
    sentences = ["Map of the course."]
    for part in parts:
        lessons = []
        for lesson in part["lessons"]:
            needs = ", ".join(lesson["needs"])
            state = "" if lesson["number"] in links else ", planned"
            after = f", after {needs}" if needs else ""
            lessons.append(f"{lesson['number']} {lesson['title']}{after}{state}")
        sentences.append(f"{part['title']}: {'; '.join(lessons)}.")
    return " ".join(sentences)


def _box(lesson: dict[str, Any], y: float, link: str) -> str:
    state = "open" if link else "planned"
    parts = [
        f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - 2}" height="{BOX}" rx="9"/>',
        f'<text class="map-number" x="{LEFT + 14}" y="{y + 27}">'
        f"{lesson['number']}</text>",
        f'<text class="map-title" x="{LEFT + 44}" y="{y + (27 if link else 19)}">'
        f"{html.escape(lesson['title'])}</text>",
    ]
    if not link:
        parts.append(
            f'<text class="map-state" x="{LEFT + 44}" y="{y + 34}">planned</text>'
        )
    body = "".join(parts)
    if link:
        body = f'<a href="{html.escape(link, quote=True)}">{body}</a>'
    return f'<g class="map-lesson map-{state}">{body}</g>'


def _arcs(parts: list[dict[str, Any]], places: dict[str, float]) -> list[str]:
    """Return a path for each need; no two arcs that overlap share a lane."""
    spans = sorted(
        (places[lesson["number"]] - places[need], places[need])
        for part in parts
        for lesson in part["lessons"]
        for need in lesson["needs"]
    )
    lanes: list[list[tuple[float, float]]] = []
    paths = []
    for length, start in spans:
        end = start + length
        if length <= ROW:
            x = LEFT + 24
            paths.append(
                f'<path class="map-step" d="M{x} {start + BOX / 2}'
                f'V{end - BOX / 2 - 1}" marker-end="url(#map-tip)"/>'
            )
            continue
        taken = [any(a < end and start < b for a, b in lane) for lane in lanes]
        lane = taken.index(False) if False in taken else len(lanes)
        lanes[lane:] = lanes[lane:] or [[]]
        lanes[lane].append((start, end))
        # Arcs leave a box below its middle and arrive above it.
        paths.append(_arc(LEFT - 22 - LANE * lane, start + 7, end - 7))
    return paths


def _arc(x: float, start: float, end: float) -> str:
    return (
        f'<path class="map-skip" d="M{LEFT} {start}H{x + 12}Q{x} {start} {x} '
        f'{start + 12}V{end - 12}Q{x} {end} {x + 12} {end}H{LEFT - 2}" '
        'marker-end="url(#map-tip)"/>'
    )


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("course-map", CourseMap)
