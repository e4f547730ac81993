"""Pictures in the page itself: a canvas for SVG, and what a notebook shows."""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from typing import Any

_numbers = itertools.count(1)  # tells the drawings of one page apart


class Drawing:
    """A drawing that a notebook shows, with its words.

    Attributes:
        title: the finding or the subject, shown above it.
        alt: what the drawing shows, for readers who cannot see it.
        text: the same facts as plain text.
    """

    def __init__(self, title: str, alt: str, text: str, body: str, style: str) -> None:
        self.title = title
        self.alt = alt
        self.text = text
        self._body = body
        self._style = style

    def _repr_html_(self) -> str:
        # "@@" stands for the name within the page: a new one each time, so that a
        # drawing may come twice.
        name = f"course-drawing-{next(_numbers)}"
        style = self._style.replace("@@", name)
        return (
            f'<figure class="course-drawing" id="{name}"><style>{style}</style>'
            f'<figcaption class="cd-title">{html.escape(self.title)}</figcaption>'
            f"{self._body.replace('@@', name)}</figure>"
        )

    def __repr__(self) -> str:
        return self.text


WIDTH = 340  # of a drawing, in its own units: a phone's column, nearly
MARGIN = 4


class Canvas:
    """Collects the pieces of a picture."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def rect(
        self, kind: str, x: float, y: float, w: float, h: float, r: float = 7
    ) -> None:
        self.pieces.append(
            f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" '
            f'height="{_n(h)}" rx="{_n(r)}"/>'
        )

    def text(
        self, kind: str, x: float, y: float, words: str, anchor: str = "middle"
    ) -> None:
        self.pieces.append(
            f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">'
            f"{html.escape(words)}</text>"
        )

    def path(self, points: Sequence[tuple[float, float]], tip: bool = True) -> None:
        """Draw a line through the points, with rounded corners, and its tip."""
        (x, y), *rest = points
        drawn = f"M{_n(x)} {_n(y)}"
        for index, (x, y) in enumerate(rest, start=1):
            before = points[index - 1]
            if index == len(points) - 1:
                drawn += f"L{_n(x)} {_n(y - (5 if tip else 0))}"
                continue
            after = points[index + 1]
            ax, ay = _toward((x, y), before)
            bx, by = _toward((x, y), after)
            drawn += f"L{_n(ax)} {_n(ay)}Q{_n(x)} {_n(y)} {_n(bx)} {_n(by)}"
        self.pieces.append(f'<path class="cd-line" d="{drawn}"/>')
        if tip:
            corners = f"M{_n(x - 4)} {_n(y - 7)}h8L{_n(x)} {_n(y)}z"
            self.pieces.append(f'<path class="cd-tip" d="{corners}"/>')


def _toward(corner: tuple[float, float], other: tuple[float, float]) -> Any:
    """Return the point at which a rounded corner begins."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max(abs(dx), abs(dy))
    near = min(7.0, length / 2)
    if not length:
        return corner
    return corner[0] + dx / length * near, corner[1] + dy / length * near


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def svg(canvas: Canvas, size: tuple[float, float], title: str, alt: str) -> str:
    """Return the picture, named for those who cannot see it."""
    return (
        f'<svg viewBox="0 0 {_n(size[0])} {_n(size[1])}" role="img" '
        f'aria-labelledby="@@-title" aria-describedby="@@-desc" '
        f'xmlns="http://www.w3.org/2000/svg"><title id="@@-title">'
        f'{html.escape(title)}</title><desc id="@@-desc">{html.escape(alt)}</desc>'
        + "".join(canvas.pieces)
        + "</svg>"
    )


# Widths of characters as parts of the font size; what is not listed is a lower-case
# letter. Generous, since the reader's font is not known.
_WIDE = {
    **dict.fromkeys("ijl.,:;|!'()[]- ", 0.34),
    **dict.fromkeys("frtI/1", 0.44),
    **dict.fromkeys("mwMW→", 0.92),
    **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZ", 0.7),
}


def text_width(text: str, size: float) -> float:
    return size * sum(_WIDE.get(character, 0.58) for character in text)


def wrapped(text: str, room: float, size: float) -> list[str]:
    """Break a text into lines that fit; a word that does not fit is broken too."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        while text_width(word, size) > room and len(word) > 1:
            cut = len(word) - 1
            while cut > 1 and text_width(word[:cut], size) > room:
                cut -= 1
            if line:
                lines.append(line)
            lines.append(word[:cut])
            line, word = "", word[cut:]
        longer = f"{line} {word}".strip()
        if line and text_width(longer, size) > room:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line]


# The colors are the book's where its style sheet is, in either mode; elsewhere a light
# card of its own.
STYLE = """
#@@{background:var(--course-drawing,#fcfcfc);color:var(--course-ink,#12283a);
border:1px solid var(--course-edge,#cddbe6);border-radius:10px;box-sizing:border-box;
display:block;margin:0;max-width:100%;padding:10px 5px;width:WIDTH;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
line-height:1.45}
#@@ .cd-title{color:inherit;font-family:inherit;font-size:1rem;font-weight:650;
margin:0 5px 8px;opacity:1;text-align:left}
#@@ .cd-wide{overflow-x:auto}
#@@ svg{display:block;height:auto;width:100%}
#@@ .cd-box{fill:var(--course-card,#f4f8fb);stroke:var(--course-line,#4d5b66);
stroke-width:1.2}
#@@ .cd-weights{fill:var(--course-map-fill,#e3f1fb);
stroke:var(--course-map-edge,#0b5a8f);stroke-width:1.5}
#@@ .cd-join{fill:var(--course-exercise,#fff7ec);stroke:var(--course-accent,#c2410c);
stroke-width:1.6}
#@@ .cd-frame{fill:none;stroke:var(--course-line,#4d5b66);
stroke-dasharray:5 4;stroke-width:1.3}
#@@ text{fill:var(--course-ink,#12283a);font-size:13px}
#@@ .cd-words{font-size:14px;font-weight:650}
#@@ .cd-times{font-weight:650}
#@@ .cd-line{fill:none;stroke:var(--course-line,#4d5b66);stroke-width:1.5}
#@@ .cd-tip{fill:var(--course-line,#4d5b66)}
#@@ .cd-note{color:inherit;font-size:.92rem;margin:8px 5px 0}
#@@ .cd-text{border:0;margin:6px 5px 0;padding:0;background:none}
#@@ .cd-text summary{color:inherit;cursor:pointer;font-size:.92rem;min-height:0;
padding:6px 0}
#@@ .cd-text pre{background:none;border:0;color:inherit;font-size:.8rem;margin:0;
overflow-x:auto;padding:0;white-space:pre-wrap}
""".replace("\n", "")
