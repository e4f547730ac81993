"""A network's boxes, forks and arrows on a canvas, and the same in lines of text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from course_utils._picture import MARGIN, WIDTH, Canvas, text_width, wrapped
from course_utils._structure import Box, Column, Fork, Item, Repeat

_GAP = 20  # between two boxes, room for an arrow
_HARD = "\u00a0"  # a space that no line breaks at
_LANE = 26  # for a shortcut without layers
_BETWEEN = 10  # between paths side by side
_NARROWEST = 128  # a path with boxes
_FONT, _SMALL = 14.0, 13.0
_BOLD = 1.1  # how much wider bold letters are
_LINE = 18
_PAD = 8


def needed_width(items: Sequence[Item]) -> float:
    return max(WIDTH, _least_width(items) + 2 * MARGIN)


def _least_width(items: Sequence[Item]) -> float:
    widths = [0.0]
    for item in items:
        if isinstance(item, Fork):
            boxed = [path for path in item.paths if path]
            plain = len(item.paths) - len(boxed)
            inner = sum(max(_NARROWEST, _least_width(path)) for path in boxed)
            inner += _BETWEEN * (len(boxed) - 1)
            widths.append(inner + 2 * _LANE * plain + (16 if item.alike > 1 else 0))
        elif isinstance(item, Repeat):
            widths.append(_least_width(item.items) + 12)
        elif isinstance(item, Column):
            widths.append(_NARROWEST + _lanes_width(item))
    return max(widths)


def draw_chain(
    canvas: Canvas, items: Sequence[Item], x: float, y: float, w: float
) -> float:
    """Draw items below each other; return the height. Lines meet at the middle."""
    middle, top = x + w / 2, y
    for index, item in enumerate(items):
        if index and not isinstance(item, (Fork, Column)):
            before = items[index - 1]
            if not isinstance(before, (Fork, Column)):
                canvas.path([(middle, y), (middle, y + _GAP)])
                y += _GAP
        if isinstance(item, Box):
            y += _draw_box(canvas, item, x, y, w)
        elif isinstance(item, Repeat):
            y += _draw_repeat(canvas, item, x, y, w)
        elif isinstance(item, Fork):
            y += _draw_fork(canvas, item, x, y, w, arrive=index + 1 < len(items))
        else:
            y += _draw_column(canvas, item, x, y, w, arrive=index + 1 < len(items))
    return y - top


def _box_lines(box: Box, w: float) -> tuple[list[str], list[str]]:
    words = _together(f" →{_HARD}".join(box.parts))
    room = min(w, WIDTH - 2 * MARGIN) - 2 * _PAD
    # Shape and parameters each stay on one line, if they can.
    facts = " ".join(part.replace(" ", _HARD) for part in box.facts.split(" · "))
    if text_width(box.facts, _SMALL) <= room:
        facts = box.facts
    return (
        wrapped(words[:1].upper() + words[1:], room, _FONT * _BOLD),
        wrapped(facts, room, _SMALL),
    )


def _together(words: str) -> str:
    """Keep a number with what it counts, and a name of two words together."""
    words = re.sub(r"([\d,]+) (filters?|units?|groups)", rf"\1{_HARD}\2", words)
    words = re.sub(r"(stride|dilation) (\d)", rf"\1{_HARD}\2", words)
    return words.replace("batch norm", f"batch{_HARD}norm")


def _draw_box(canvas: Canvas, box: Box, x: float, y: float, w: float) -> float:
    """Draw a box as wide as it may be, in the middle; return its height."""
    width = min(w, WIDTH - 2 * MARGIN)
    words, facts = _box_lines(box, w)
    if box.role in ("join", "input"):  # as wide as its words
        longest = [text_width(line, _FONT * _BOLD) for line in words]
        longest += [text_width(line, _SMALL) for line in facts]
        width = min(width, max(longest) + 4 * _PAD)
    height = _LINE * (len(words) + len(facts)) + _PAD + 2
    left = x + (w - width) / 2
    round_end = box.role in ("join", "input")
    canvas.rect(f"cd-box cd-{box.role}", left, y, width, height, 16 if round_end else 7)
    line = y + _LINE
    for text in words:
        canvas.text("cd-words", x + w / 2, line, text)
        line += _LINE
    for text in facts:
        canvas.text("cd-facts", x + w / 2, line, text)
        line += _LINE
    return height


def _draw_repeat(canvas: Canvas, item: Repeat, x: float, y: float, w: float) -> float:
    place = len(canvas.pieces)
    head = 24.0
    inner = draw_chain(canvas, item.items, x + 6, y + head, w - 12)
    height = head + inner + 8
    frame = Canvas()
    frame.rect("cd-frame", x, y, w, height, 10)
    frame.text("cd-times", x + 10, y + 16, f"{item.times} times", "start")
    canvas.pieces[place:place] = frame.pieces
    if not isinstance(item.items[0], (Fork, Column)):
        canvas.path([(x + w / 2, y), (x + w / 2, y + head)])
    else:
        canvas.path([(x + w / 2, y), (x + w / 2, y + head + 1)], tip=False)
    canvas.path([(x + w / 2, y + height - 8), (x + w / 2, y + height)], tip=False)
    return height


def _draw_fork(
    canvas: Canvas, item: Fork, x: float, y: float, w: float, arrive: bool
) -> float:
    """Draw paths side by side, from one line to one line; return the height."""
    boxed = [path for path in item.paths if path]
    plain = len(item.paths) - len(boxed)
    margin = _LANE * plain
    frame = 8 if item.alike > 1 else 0
    room = w - 2 * margin - 2 * frame - _BETWEEN * (len(boxed) - 1)
    widths = _shared_out(room, boxed)
    middle, top, leave = x + w / 2, y + _GAP + 6, _GAP + 6
    if item.alike > 1:
        top += 24

    # Once to know the heights, then in place.
    heights = [
        draw_chain(Canvas(), path, 0, 0, width)
        for path, width in zip(boxed, widths, strict=True)
    ]
    tallest = max(heights, default=_GAP)
    bottom = top + tallest
    if item.alike > 1:
        canvas.rect("cd-frame", x, top - 26, w, tallest + 36, 10)
        canvas.text(
            "cd-times", x + 10, top - 9, f"{item.alike} times side by side", "start"
        )
    turn, end = y + 9, bottom + leave / 2
    left = x + margin + frame
    for path, width, height in zip(boxed, widths, heights, strict=True):
        center = left + width / 2
        begin = top + (tallest - height) / 2
        draw_chain(canvas, path, left, begin, width)
        tip = not isinstance(path[0], (Fork, Column))
        if abs(center - middle) < 0.5:
            canvas.path([(middle, y), (middle, begin)], tip=tip)
            canvas.path([(middle, begin + height), (middle, end)], tip=False)
        else:
            canvas.path(
                [(middle, y), (middle, turn), (center, turn), (center, begin)], tip=tip
            )
            canvas.path(
                [(center, begin + height), (center, end), (middle, end)], tip=False
            )
        left += width + _BETWEEN
    for lane in range(plain):
        right = x + w - margin + _LANE * (lane + 0.5)
        canvas.path(
            [(middle, y), (middle, turn), (right, turn), (right, end), (middle, end)],
            tip=False,
        )
    finish = bottom + leave
    canvas.path([(middle, end), (middle, finish)], tip=arrive)
    return finish - y


def _shared_out(room: float, paths: Sequence[Sequence[Item]]) -> list[float]:
    """Return the width of each path: more where there is more to say."""
    least = [max(_NARROWEST, _least_width(path)) for path in paths]
    spare = room - sum(least)
    words = [
        max(
            20,
            *(len(" → ".join(item.parts)) for item in path if isinstance(item, Box)),
            0,
        )
        for path in paths
    ]
    return [
        width + spare * count / sum(words)
        for width, count in zip(least, words, strict=True)
    ]


def _lanes(item: Column) -> list[tuple[int, int, int]]:
    """Give each arrow that passes a box a lane of its own: (from, to, lane)."""
    taken: list[list[tuple[int, int]]] = []
    placed = []
    for a, b in sorted(item.arrows, key=lambda arrow: (arrow[1] - arrow[0], arrow)):
        if b - a == 1:
            continue
        for lane in itertools.count():
            if lane == len(taken):
                taken.append([])
            if all(b <= c or a >= d for c, d in taken[lane]):
                taken[lane].append((a, b))
                placed.append((a, b, lane))
                break
    return placed


def _lanes_width(item: Column) -> float:
    lanes = {lane for _, _, lane in _lanes(item)}
    return 12.0 * (len(lanes) + 1) if lanes else 0.0


def _draw_column(
    canvas: Canvas, item: Column, x: float, y: float, w: float, arrive: bool
) -> float:
    """Draw boxes in one column, arrows past them at its right; return the height."""
    middle = x + w / 2
    side = _lanes_width(item)
    inner_w = w - 2 * side
    straight = {a for a, b in item.arrows if b - a == 1}
    spans: dict[int, tuple[float, float]] = {-1: (y, y)}
    at = y
    for index, box in enumerate(item.boxes):
        if index - 1 in straight:
            canvas.path([(middle, at), (middle, at + _GAP + 8)])
        at += _GAP + 8
        height = _draw_box(canvas, box, x + side, at, inner_w)
        spans[index] = (at, at + height)
        at += height
    last = len(item.boxes)
    finish = at + _GAP + 8
    if last - 1 in straight:
        canvas.path([(middle, at), (middle, finish)], tip=arrive)
    spans[last] = (finish, finish)
    for a, b, lane in _lanes(item):
        right = x + w - side + 12 * (lane + 1)
        leave, enter = spans[a][1] + 7, spans[b][0] - 11
        start = middle + 14 if a >= 0 else middle
        stop = middle + 30 if b < last else middle
        canvas.path(
            [
                (start, spans[a][1]),
                (start, leave),
                (right, leave),
                (right, enter),
                (stop, enter),
                (stop, spans[b][0]),
            ],
            tip=b < last or arrive,
        )
    return finish - y


def text_of(items: Sequence[Item], depth: int = 0) -> list[str]:
    """Return the network as lines of text, paths indented."""
    indent = "  " * depth
    lines: list[str] = []
    for item in items:
        if isinstance(item, Box):
            lines.append(indent + _box_text(item))
        elif isinstance(item, Repeat):
            lines.append(f"{indent}{item.times} times:")
            lines += text_of(item.items, depth + 1)
        elif isinstance(item, Fork):
            paths = len(item.paths) * item.alike
            lines.append(f"{indent}{paths} paths side by side:")
            for number, path in enumerate(item.paths, start=1):
                name = f"path {number}"
                if item.alike > 1:
                    name = f"each of the {item.alike} paths"
                if path:
                    lines.append(f"{indent}  {name}:")
                    lines += text_of(path, depth + 2)
                else:
                    lines.append(f"{indent}  {name}: nothing (the shortcut)")
        else:
            lines += _column_text(item, indent)
    return lines


def _box_text(box: Box) -> str:
    words = " → ".join(box.parts)
    return f"{words[:1].upper()}{words[1:]}: {box.facts}"


def _column_text(item: Column, indent: str) -> list[str]:
    lines = [f"{indent}layers whose paths cross:"]
    names = {-1: "what comes before", len(item.boxes): "what follows"}
    for index, box in enumerate(item.boxes):
        sources = [a for a, b in item.arrows if b == index]
        words = ", ".join(names.get(a, f"({a + 1})") for a in sources)
        lines.append(f"{indent}  ({index + 1}) {_box_text(box)}; reads {words}")
    sources = [a for a, b in item.arrows if b == len(item.boxes)]
    words = ", ".join(names.get(a, f"({a + 1})") for a in sources)
    lines.append(f"{indent}  what follows reads {words}")
    return lines
