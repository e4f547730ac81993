"""Figures in steps: one picture a step, chosen by radio buttons, without a script."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils._picture import MARGIN, STYLE, WIDTH, Canvas, Drawing, svg


@dataclass
class Step:
    """One step: a short name, the words, and the picture with its own words."""

    name: str
    words: str
    canvas: Canvas
    height: float
    alt: str

    def named(self, name: str, words: str) -> Step:
        self.name, self.words = name, words
        return self


def convolution_numbers(
    size: int, kernel_size: int, strides: int, padding: str, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """Return picture with its zeros, kernel, output, and the zeros before and after."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 4, (size, size))
    kernel = rng.integers(-1, 2, (kernel_size, kernel_size))
    around = zeros_around(size, kernel_size, strides, padding)
    padded = np.pad(image, around)
    return padded, kernel, _correlate(padded, kernel, strides), around


def separable_numbers(
    channels: int, filters: int, kernel_size: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Return maps, depthwise kernels, pointwise weights, their maps, the output."""
    rng = np.random.default_rng(seed)
    side = kernel_size + 1
    maps = rng.integers(0, 4, (channels, side, side))
    kernels = rng.integers(-1, 2, (channels, kernel_size, kernel_size))
    weights = rng.integers(-1, 3, (filters, channels))
    middle = np.stack(
        [_correlate(one, kernel, 1) for one, kernel in zip(maps, kernels, strict=True)]
    )
    return maps, kernels, weights, middle, np.tensordot(weights, middle, axes=1)


def zeros_around(
    size: int, kernel_size: int, strides: int, padding: str
) -> tuple[int, int]:
    """Return the rows of zeros before and after, as Keras adds them."""
    if padding == "valid":
        return 0, 0
    places = -(-size // strides)
    total = max(0, (places - 1) * strides + kernel_size - size)
    return total // 2, total - total // 2


def _correlate(image: np.ndarray, kernel: np.ndarray, strides: int) -> np.ndarray:
    """Return what a convolution layer of one channel makes of an image."""
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return (windows[::strides, ::strides] * kernel).sum(axis=(2, 3))


def sum_words(values: np.ndarray, weights: np.ndarray, name: str = "The sum") -> str:
    """Return the products that are added, in words of numbers."""
    pairs = [
        (int(value), int(weight))
        for value, weight in zip(values.ravel(), weights.ravel(), strict=True)
    ]
    result = sum(value * weight for value, weight in pairs)
    if len(pairs) > 9:
        return f"{name}: {len(pairs)} products, together {_minus(result)}."
    words = " + ".join(f"{_signed(value)}·{_signed(weight)}" for value, weight in pairs)
    return f"{name}: {words}\u00a0=\u00a0{_minus(result)}."


def a_square(side: int) -> str:
    return f"{'an' if side == 8 else 'a'} {side}×{side}"


def _minus(value: Any) -> str:
    return str(int(value)).replace("-", "−")


def _signed(value: int) -> str:
    return f"({_minus(value)})" if value < 0 else str(value)


def _grid(
    canvas: Canvas,
    values: np.ndarray,
    x: float,
    y: float,
    cell: float,
    *,
    caption: str,
    kinds: Any = None,
    shown: Any = None,
) -> float:
    """Draw numbers in cells below a caption; return the height."""
    rows, columns = values.shape
    canvas.text("cd-caption", x, y + 13, caption, "start")
    y += 20
    for row in range(rows):
        for column in range(columns):
            kind = kinds[row][column] if kinds is not None else "cd-cell"
            left, top = x + column * cell, y + row * cell
            canvas.rect(kind, left, top, cell, cell, 0)
            if shown is None or shown[row][column]:
                words = _minus(values[row, column])
                text = "cd-zero" if kind == "cd-pad" else "cd-number"
                if len(words) > 2:
                    text = "cd-long"
                canvas.text(text, left + cell / 2, top + cell / 2 + 4.6, words)
    return 20 + rows * cell


def convolution_step(
    padded: np.ndarray,
    kernel: np.ndarray,
    output: np.ndarray,
    strides: int,
    inside: tuple[int, int],
    place: tuple[int, int] | None,
) -> Step:
    """Draw the picture, the kernel and the output up to one position."""
    canvas = Canvas()
    total, k, n = len(padded), len(kernel), len(output)
    before, size = inside
    kinds = [
        [
            "cd-cell"
            if before <= row < before + size and before <= column < before + size
            else "cd-pad"
            for column in range(total)
        ]
        for row in range(total)
    ]
    done = -1 if place is None else place[0] * n + place[1]
    shown = [[row * n + column <= done for column in range(n)] for row in range(n)]
    made = [
        [
            "cd-now" if (row, column) == place else "cd-made" if seen else "cd-cell"
            for column, seen in enumerate(line)
        ]
        for row, line in enumerate(shown)
    ]
    room = WIDTH - 2 * MARGIN
    beside = room / (total + max(k, n) + 0.8)
    cell = min(30.0, beside)
    stacked = beside < 23
    if stacked:
        cell = min(30.0, room / max(total, k + n + 1))
    caption = "Picture and zeros" if total > size else "Picture"
    if stacked and n < 3:
        caption = "Picture"
    height = _grid(canvas, padded, MARGIN, 0, cell, caption=caption, kinds=kinds)
    if stacked:
        _grid(canvas, kernel, MARGIN, height + 10, cell, caption="Kernel")
        left = MARGIN + max(k * cell, 52) + cell
        low = _grid(
            canvas,
            output,
            left,
            height + 10,
            cell,
            caption="Output",
            kinds=made,
            shown=shown,
        )
        height += 10 + max(low, 20 + k * cell)
    else:
        left = MARGIN + (total + 0.8) * cell
        low = _grid(canvas, kernel, left, 0, cell, caption="Kernel") + 10
        low += _grid(
            canvas, output, left, low, cell, caption="Output", kinds=made, shown=shown
        )
        height = max(height, low)
    alt = f"A picture of {size}×{size} numbers, a kernel and an output of {n}×{n}"
    if place is not None:
        row, column = place[0] * strides, place[1] * strides
        canvas.rect(
            "cd-window", MARGIN + column * cell, 20 + row * cell, k * cell, k * cell, 2
        )
        alt += (
            f"; the kernel lies on rows {row + 1} to {row + k} and columns "
            f"{column + 1} to {column + k}"
        )
        if total > size:
            alt += ", zeros included"
        alt += f", and the output there is {_minus(output[place])}"
    return Step("", "", canvas, height + 2, alt + ".")


def depthwise_step(
    maps: np.ndarray, kernels: np.ndarray, middle: np.ndarray, channel: int
) -> Step:
    """Draw a channel, its kernel and its map, and the maps so far."""
    canvas = Canvas()
    side, k = maps.shape[1], kernels.shape[1]
    room = WIDTH - 2 * MARGIN
    cell = min(30.0, room / (side + k + 2 + 2.4))
    x = float(MARGIN)
    low = _grid(canvas, maps[channel], x, 0, cell, caption=f"Channel {channel + 1}")
    center = 20 + side * cell / 2 + 5
    x += side * cell
    canvas.text("cd-sign", x + 0.6 * cell, center, "∗")
    x += 1.2 * cell
    _grid(canvas, kernels[channel], x, 0, cell, caption="Its kernel")
    x += k * cell
    canvas.text("cd-sign", x + 0.6 * cell, center, "=")
    x += 1.2 * cell
    _grid(
        canvas,
        middle[channel],
        x,
        0,
        cell,
        caption="Map",
        kinds=[["cd-now"] * 2] * 2,
    )
    low = max(low, 20 + 2 * cell) + 12
    low += _strip(canvas, middle, low, "Map", channel)
    alt = (
        f"Channel {channel + 1} of {side}×{side} numbers, its kernel of {k}×{k} and "
        "the map of 2×2 that they make."
    )
    return Step("", "", canvas, low + 2, alt)


def pointwise_step(
    middle: np.ndarray, weights: np.ndarray, output: np.ndarray, index: int
) -> Step:
    """Draw the maps with one filter's weights, their sum, and the outputs so far."""
    canvas = Canvas()
    low = _strip(canvas, middle, 0, "Map", len(middle) - 1, weights[index])
    canvas.text("cd-sign", MARGIN + 8, low + 38, "=")
    low += 6
    low += _strip(canvas, output, low, "Output", index, indent=18)
    count = len(middle)
    alt = (
        f"{count} map{'' if count == 1 else 's'} of 2×2 numbers, each with a weight, "
        f"added up to output {index + 1} of {len(output)}."
    )
    return Step("", "", canvas, low + 2, alt)


def _strip(
    canvas: Canvas,
    maps: np.ndarray,
    y: float,
    name: str,
    last: int,
    weights: np.ndarray | None = None,
    indent: float = 0,
) -> float:
    """Draw small maps in a row: those up to `last` with numbers; return the height."""
    room = WIDTH - 2 * MARGIN - indent
    pitch = min(110.0, room / len(maps))
    cell = min(32.0, (pitch - 5) / 2)
    for number, one in enumerate(maps):
        x = MARGIN + indent + number * pitch
        caption = f"{name} {number + 1}"
        if weights is not None:
            caption = f"× {_minus(weights[number])}"
        elif pitch < 60:
            caption = str(number + 1)
        now = number == last and weights is None
        kind = "cd-now" if now else "cd-made" if number <= last else "cd-cell"
        _grid(
            canvas,
            one,
            x,
            y,
            cell,
            caption=caption,
            kinds=[[kind] * 2] * 2,
            shown=[[number <= last] * 2] * 2,
        )
    return 20 + 2 * cell


def draw_counts(canvas: Canvas, depthwise: int, pointwise: int, plain: int) -> float:
    """Draw the two counts of weights as bars."""
    room = WIDTH - 2 * MARGIN
    scale = room / max(plain, depthwise + pointwise)
    canvas.text("cd-caption", MARGIN, 13, f"Ordinary: {plain} weights", "start")
    canvas.rect("cd-pad", MARGIN, 20, plain * scale, 24, 2)
    canvas.text(
        "cd-caption",
        MARGIN,
        69,
        f"Separable: {depthwise} + {pointwise} = {depthwise + pointwise} weights",
        "start",
    )
    canvas.rect("cd-made", MARGIN, 76, depthwise * scale, 24, 2)
    canvas.rect("cd-now", MARGIN + depthwise * scale, 76, pointwise * scale, 24, 2)
    return 104.0


def stepped(title: str, steps: Sequence[Step]) -> Drawing:
    """Put steps into one figure: radio buttons choose which one is shown."""
    height = max(step.height for step in steps)
    buttons, panels, rules = [], [], []
    last = len(steps)
    for number, step in enumerate(steps, start=1):
        checked = " checked" if number == 1 else ""
        label = f"Step {number} of {last}: {step.words.split(':')[0].split('.')[0]}"
        buttons.append(
            f'<input type="radio" name="@@-step" id="@@-{number}"{checked} '
            f'aria-label="{html.escape(label, quote=True)}">'
            f'<label for="@@-{number}" aria-hidden="true">{step.name}</label>'
        )
        moves = "".join(
            f'<label for="@@-{number + way}" aria-hidden="true">{words}</label>'
            for way, words in ((-1, "← Back"), (1, "Next →"))
            if 1 <= number + way <= last
        )
        picture = svg(step.canvas, (WIDTH, height), f"Step {number}", step.alt)
        picture = picture.replace("@@-title", f"@@-title-{number}")
        picture = picture.replace("@@-desc", f"@@-desc-{number}")
        panels.append(
            f'<div class="cd-panel">{picture}<p>{html.escape(step.words)}</p>'
            f'<div class="cd-moves">{moves}</div></div>'
        )
        rules.append(
            f"#@@-{number}:checked~.cd-panels>:nth-child({number}){{display:block}}"
        )
    body = (
        '<fieldset><legend class="cd-hidden">Steps (arrow keys move)</legend>'
        + "".join(buttons)
        + f'<div class="cd-panels" aria-live="polite">{"".join(panels)}</div>'
        + "</fieldset>"
    )
    lines = [title, ""]
    for number, step in enumerate(steps, start=1):
        lines.append(f"Step {number}: {step.words}")
        lines.append(f"  {step.alt}")
    alt = f"{title}, in {last} steps. " + steps[0].words
    style = STYLE.replace("WIDTH", "25.5rem") + STEP_STYLE + "".join(rules)
    return Drawing(title, alt, "\n".join(lines), body, style)


STEP_STYLE = """
#@@ fieldset{border:0;position:relative;margin:0;min-width:0;padding:0}
#@@ .cd-hidden,#@@ input{clip-path:inset(50%);height:1px;margin:0;overflow:hidden;
position:absolute;white-space:nowrap;width:1px}
#@@ label{border:1.5px solid var(--course-map-edge,#0b5a8f);border-radius:8px;
box-sizing:border-box;color:var(--course-ink,#12283a);cursor:pointer;
display:inline-block;font-size:.92rem;font-weight:600;line-height:1;margin:0 0 6px 5px;
min-height:40px;min-width:40px;padding:12px 9px;text-align:center;user-select:none}
#@@ input:checked+label{background:var(--course-map-edge,#0b5a8f);
color:var(--course-drawing,#fcfcfc)}
#@@ input:focus-visible+label{outline:3px solid var(--course-accent,#c2410c);
outline-offset:2px}
#@@ .cd-panel{display:none;padding-top:6px}
#@@ .cd-panel p{color:inherit;font-size:.95rem;margin:10px 5px;min-height:6.2em}
#@@ .cd-moves{display:flex;justify-content:space-between;margin:0 5px 0 0}
#@@ .cd-cell{fill:var(--course-card,#f4f8fb);stroke:var(--course-line,#4d5b66)}
#@@ .cd-pad{fill:none;stroke:var(--course-line,#4d5b66);stroke-dasharray:3 2}
#@@ .cd-made{fill:var(--course-map-fill,#e3f1fb);stroke:var(--course-line,#4d5b66)}
#@@ .cd-now{fill:var(--course-exercise,#fff7ec);stroke:var(--course-accent,#c2410c);
stroke-width:2}
#@@ .cd-window{fill:none;stroke:var(--course-accent,#c2410c);stroke-width:3.5}
#@@ .cd-caption{font-weight:650}
#@@ .cd-sign{font-size:18px;font-weight:650}
#@@ .cd-number{font-variant-numeric:tabular-nums}
#@@ .cd-long{font-size:11px}
#@@ .cd-zero{font-style:italic}
@media (prefers-reduced-motion:no-preference){
#@@ .cd-panel{animation:cd-appear .18s ease-out}
@keyframes cd-appear{from{opacity:.35}to{opacity:1}}}
""".replace("\n", "")
