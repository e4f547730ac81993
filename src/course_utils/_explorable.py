"""Figures with settings: buttons choose which picture is shown, without a script.

Every picture is made beforehand, so that the figure works in a page without a kernel.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Mapping, Sequence

from course_utils._picture import MARGIN, STYLE, WIDTH, Canvas, Drawing, svg
from course_utils._stepped import STEP_STYLE


def explorable(
    title: str,
    settings: Mapping[str, Sequence[str]],
    panels: Sequence[str],
    *,
    start: Sequence[int],
    alt: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: str,
) -> Drawing:
    """Put pictures into one figure: a row of radio buttons a setting chooses one.

    Args:
        title: the finding, shown above the figure.
        settings: name of a setting -> its values, as words.
        panels: the HTML of one picture for each combination, the last setting fastest.
        start: for each setting the value that is chosen at first, from 0.
        alt: what the figure shows, in words.
        columns: headings of the table that says the same.
        rows: the cells of that table.
        width: the widest that the figure gets, in CSS units.
    """
    groups = []
    for place, (name, values) in enumerate(settings.items()):
        buttons = "".join(
            f'<input type="radio" name="@@-{place}" id="@@-{place}-{index}"'
            f"{' checked' if index == start[place] else ''}>"
            f'<label for="@@-{place}-{index}">{html.escape(value)}</label>'
            for index, value in enumerate(values)
        )
        groups.append(
            f"<fieldset><legend>{html.escape(name)}</legend>{buttons}</fieldset>"
        )
    rules = []
    chosen = itertools.product(*(range(len(values)) for values in settings.values()))
    for number, choice in enumerate(chosen, start=1):
        picked = "".join(
            f":has(#@@-{place}-{index}:checked)" for place, index in enumerate(choice)
        )
        rules.append(f"#@@{picked} .cd-panels>:nth-child({number}){{display:block}}")
    # A browser that cannot follow the buttons shows every picture, one below the other.
    rules.append("@supports not selector(:has(*)){#@@ .cd-panel{display:block}}")
    shown = ""
    for number, panel in enumerate(panels, start=1):
        for name in ("@@-title", "@@-desc"):  # no name comes twice in a page
            panel = panel.replace(name, f"{name}-{number}")
        shown += f'<div class="cd-panel">{panel}</div>'
    table = _table(title, columns, rows)
    body = (
        f'{"".join(groups)}<div class="cd-panels" aria-live="polite">{shown}</div>'
        '<details class="cd-text"><summary>The same as a table</summary>'
        f'<div class="cd-wide" tabindex="0" role="group" aria-label="Table, scrolls '
        f'to the side">{table}</div></details>'
    )
    lines = [title, "", "  ".join(columns), *("  ".join(row) for row in rows)]
    style = STYLE.replace("WIDTH", width) + STEP_STYLE + _STYLE + "".join(rules)
    return Drawing(title, alt, "\n".join(lines), body, style)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<table><caption class="cd-hidden">{html.escape(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    )


def places_panel(
    size: int,
    kernel_size: int,
    strides: int,
    zeros: tuple[int, int],
    most: tuple[int, int],
) -> str:
    """Draw every place of a window along one side of a picture, and the output.

    Args:
        size: the side of the picture, without the zeros.
        kernel_size: the side of the window.
        strides: from one place to the next.
        zeros: how many zeros stand before and after.
        most: the greatest number of cells and of places in the figure.
    """
    canvas = Canvas()
    before, after = zeros
    total = size + before + after
    places = [*range(0, total - kernel_size + 1, strides)]
    cell = min(30.0, (WIDTH - 2 * MARGIN) / most[0])
    seen = {column for place in places for column in range(place, place + kernel_size)}
    canvas.text("cd-caption", MARGIN, 13, "Input", "start")
    for column in range(total):
        kind = "cd-cell" if before <= column < before + size else "cd-pad"
        left = MARGIN + column * cell
        canvas.rect(kind, left, 20, cell, cell, 0)
        if kind == "cd-pad":
            canvas.text("cd-zero", left + cell / 2, 20 + cell / 2 + 4.6, "0")
    top = 20 + cell + 6
    for place in places:
        left = MARGIN + place * cell + 2
        canvas.rect("cd-made", left, top, kernel_size * cell - 4, 9, 4)
        top += 13
    top = 20 + cell + 6 + 13 * most[1] + 8
    canvas.text("cd-caption", MARGIN, top + 13, "Output", "start")
    for index in range(len(places)):
        canvas.rect("cd-now", MARGIN + index * cell, top + 20, cell, cell, 0)
    count = len(places)
    missed = len([c for c in range(before, before + size) if c not in seen])
    added = before + after
    words = (
        f"⌊({size} + {added} − {kernel_size}) / {strides}⌋ + 1 = {count} "
        f"place{'' if count == 1 else 's'}."
    )
    if missed:
        words += f" {missed} of {size} pixels {'is' if missed == 1 else 'are'} never "
        words += "looked at."
    alt = (
        f"{size} cells in a row with {before} zeros before and {after} after; a window "
        f"of {kernel_size} has {count} places, {strides} apart, and the output has "
        f"{count} cells."
    )
    picture = svg(canvas, (WIDTH, top + 20 + cell + 2), "Places of the window", alt)
    return f"{picture}<p>{html.escape(words)}</p>"


_STYLE = """
#@@ fieldset{margin:0 0 2px}
#@@ legend{color:inherit;float:left;font-size:.92rem;font-weight:600;margin:0 5px 0;
min-width:6.5em;padding:12px 0;line-height:1;width:auto}
#@@ .cd-panel p{min-height:3em}
#@@ .cd-panel img{display:block;height:auto;max-width:100%}
#@@ table{border-collapse:collapse;color:inherit;font-size:.85rem;
font-variant-numeric:tabular-nums}
#@@ th,#@@ td{border:1px solid var(--course-line,#4d5b66);color:inherit;
padding:3px 8px;text-align:right}
""".replace("\n", "")
