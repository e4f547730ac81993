"""Drawings of networks and of convolutions, as pictures in the page itself.

`architecture` draws a network from the model: nothing on it is typed by hand. The
stepped figures show the arithmetic of a convolution one position at a time; they need
no kernel and no script, only the style sheet that they bring, and the arrow keys move
through the steps. `output_sizes` has settings to choose in the same way. All of it is
SVG and HTML, sharp at any size, in the colors of the page it stands in. Each drawing
also exists as text: `print(drawing)`.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from course_utils import _graph, _validate
from course_utils._explorable import explorable, places_panel
from course_utils._network_picture import draw_chain, needed_width, text_of
from course_utils._picture import MARGIN, STYLE, WIDTH, Canvas, Drawing, svg
from course_utils._stepped import (
    Step,
    a_square,
    convolution_numbers,
    convolution_step,
    depthwise_step,
    draw_counts,
    pointwise_step,
    separable_numbers,
    stepped,
    sum_words,
    zeros_around,
)
from course_utils._structure import count_words, structure

__all__ = [
    "Drawing",
    "architecture",
    "convolution_steps",
    "output_sizes",
    "separable_steps",
]


def architecture(
    model: Any,
    *,
    title: str,
    alt: str,
    merge: bool = True,
    nested: bool = False,
) -> Drawing:
    """Draw a network from the model itself: layers, shapes, parameters, shortcuts.

    Time runs downwards. A box says what its layers do, the shape that they put out and
    how many parameters they hold; paths that run side by side come together in an
    "add" or "concatenate".

    Args:
        model: a built functional or Sequential `keras.Model`.
        title: what the drawing is of, shown above it.
        alt: what it shows, for readers who cannot see it.
        merge: if True, a convolution shares its box with the normalization and the
            activation next to it, and blocks that repeat are drawn once; if False,
            each layer has a box.
        nested: whether models inside the model are opened. If not, each is one box.

    Returns:
        A `Drawing`: end a cell with it to see it, `print` it to read it.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a model that is not built or is no graph of layers, or an empty
            text.

    Example:
        >>> architecture(model, title="A residual block", alt="Two convolutions and …")
    """
    _graph.graph_model("model", model)
    title = _validate.string("title", title)
    alt = _validate.string("alt", alt)
    merge = _validate.boolean("merge", merge)
    nested = _validate.boolean("nested", nested)
    items = structure(_graph.follow(model, nested=nested), merge=merge)
    total = f"In total {count_words(model.count_params())}"
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    if trained != model.count_params():
        total += f", of which {trained:,} are trained"
    width = needed_width(items)
    canvas = Canvas()
    height = draw_chain(canvas, items, MARGIN, MARGIN, width - 2 * MARGIN)
    size = (width, height + 2 * MARGIN)
    lines = text_of(items)
    picture = svg(canvas, size, title, alt)
    if width > WIDTH:  # wider than a phone: it scrolls, by keyboard too
        wide = f'<svg style="min-width:{width:.0f}px" '
        picture = (
            '<div class="cd-wide" tabindex="0" role="group" '
            f'aria-label="{html.escape(title, quote=True)}, scrolls to the side">'
            + picture.replace("<svg ", wide, 1)
            + "</div>"
        )
    body = (
        picture
        + f'<p class="cd-note">{total}.</p>'
        + '<details class="cd-text"><summary>The same as text</summary>'
        + f"<pre>{html.escape(chr(10).join(lines))}</pre></details>"
    )
    text = "\n".join([title, "", *lines, "", f"{total}."])
    style = STYLE.replace("WIDTH", f"{width / 16 * 1.2:.1f}rem")
    return Drawing(title, alt, text, body, style)


def convolution_steps(
    size: int = 5,
    kernel_size: int = 3,
    strides: int = 1,
    padding: str = "valid",
    *,
    seed: int = 0,
) -> Drawing:
    """Show a convolution position by position, with the sum at each one.

    The numbers are computed: a picture of `size`×`size` small whole numbers, a kernel,
    and what the layer `Conv2D` makes of them. Where there are more than twelve
    positions, the first row, the start of the second and the last one are shown. Used
    in lessons 00, 01 and 05.

    Args:
        size: the side of the picture, from 2 to 8.
        kernel_size: the side of the kernel, from 1 to 5.
        strides: how far the kernel moves from one position to the next, from 1 to 4.
        padding: "valid" for none, "same" for zeros around the picture.
        seed: where the numbers come from.

    Returns:
        A `Drawing` with a row of buttons, one a step; the arrow keys move through them.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range, or a kernel larger than the picture.

    Example:
        >>> convolution_steps(5, 3, strides=2, padding="same")

    References:
        Dumoulin & Visin (2016), the arithmetic.
    """
    size = _validate.integer("size", size, low=2, high=8)
    kernel_size = _validate.integer("kernel_size", kernel_size, low=1, high=5)
    strides = _validate.integer("strides", strides, low=1, high=4)
    padding = _validate.choice("padding", padding, ("valid", "same"))
    seed = _validate.integer("seed", seed, low=0)
    if kernel_size > size:
        _validate.fail("kernel_size", f"at most `size`, {size}", kernel_size)
    padded, kernel, output, (before, after) = convolution_numbers(
        size, kernel_size, strides, padding, seed
    )
    n = len(output)

    zeros = before + after
    rule = (
        f"⌊({size} + {zeros} − {kernel_size}) / {strides}⌋ + 1 = {n} "
        f"position{'' if n == 1 else 's'} along each side"
    )
    edge = "no padding"
    if zeros:
        edge = f"{before} row{'' if before == 1 else 's'} of zeros before"
        edge += f" and {after} after, along each side"
    elif padding == "same":
        edge = "padding “same”, which adds no zeros here"
    title = (
        f"Convolution of {a_square(size)} picture with {a_square(kernel_size)} "
        f"kernel, stride {strides}, padding “{padding}”"
    )
    places = [(row, column) for row in range(n) for column in range(n)]
    chosen = places
    if len(places) > 12:
        chosen = list(dict.fromkeys([*places[: n + 1], places[-1]]))
    steps = [
        convolution_step(padded, kernel, output, strides, (before, size), None).named(
            "Start",
            f"The picture, with {edge}, and the kernel. It gives {rule}.",
        )
    ]
    for row, column in chosen:
        step = convolution_step(
            padded, kernel, output, strides, (before, size), (row, column)
        )
        window = padded[
            row * strides : row * strides + kernel_size,
            column * strides : column * strides + kernel_size,
        ]
        number = row * n + column + 1
        steps.append(
            step.named(
                str(number),
                f"Position {number} of {len(places)}: row {row + 1}, column "
                f"{column + 1} of the output. {sum_words(window, kernel)}",
            )
        )
    if len(chosen) < len(places):
        steps[0].words += " The positions in between work the same way."
    return stepped(title, steps)


def separable_steps(
    channels: int = 3, filters: int = 2, kernel_size: int = 3, *, seed: int = 0
) -> Drawing:
    """Show a depthwise separable convolution: each channel alone, then the mixing.

    The numbers are computed: small maps, one kernel a channel (depthwise), then one
    weight a channel for each filter (pointwise), and last the count of the weights.
    Taught in lesson 05.

    Args:
        channels: channels that come in, from 1 to 6.
        filters: filters of the pointwise convolution, from 1 to 6.
        kernel_size: the side of the depthwise kernels, from 1 to 4.
        seed: where the numbers come from.

    Returns:
        A `Drawing` with a row of buttons, one a step; the arrow keys move through them.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> separable_steps(channels=5, filters=3, kernel_size=3)

    References:
        Chollet (2017), section 1.
    """
    channels = _validate.integer("channels", channels, low=1, high=6)
    filters = _validate.integer("filters", filters, low=1, high=6)
    kernel_size = _validate.integer("kernel_size", kernel_size, low=1, high=4)
    seed = _validate.integer("seed", seed, low=0)
    maps, kernels, weights, middle, output = separable_numbers(
        channels, filters, kernel_size, seed
    )
    steps = []
    for channel in range(channels):
        step = depthwise_step(maps, kernels, middle, channel)
        window = maps[channel, :kernel_size, :kernel_size]
        first = sum_words(window, kernels[channel], "Its first number")
        steps.append(
            step.named(
                f"Depth {channel + 1}",
                f"Depthwise, channel {channel + 1} of {channels}: its own kernel of "
                f"{kernel_size}×{kernel_size} weights makes one map, and no other "
                f"channel takes part. {first}",
            )
        )
    for index in range(filters):
        step = pointwise_step(middle, weights, output, index)
        first = sum_words(
            middle[:, 0, 0], weights[index], "The first number of its map"
        )
        steps.append(
            step.named(
                f"Point {index + 1}",
                f"Pointwise, filter {index + 1} of {filters}: one weight for each of "
                f"the {channels} maps, the same at every position. {first}",
            )
        )
    depthwise, pointwise = channels * kernel_size**2, channels * filters
    plain = depthwise * filters
    canvas = Canvas()
    step = Step("", "", canvas, draw_counts(canvas, depthwise, pointwise, plain), "")
    step.alt = (
        f"Bars of the weights: ordinary {plain}, separable {depthwise + pointwise}."
    )
    steps.append(
        step.named(
            "Count",
            f"Weights, without biases: {depthwise} depthwise ({channels} × "
            f"{kernel_size}²) and {pointwise} pointwise ({channels} × {filters}), "
            f"{depthwise + pointwise} together. An ordinary convolution holds "
            f"{channels} × {filters} × {kernel_size}² = {plain}.",
        )
    )
    title = (
        f"Depthwise, then pointwise: {channels} channel{'' if channels == 1 else 's'} "
        f"in, {filters} filter{'' if filters == 1 else 's'} of "
        f"{kernel_size}×{kernel_size}"
    )
    return stepped(title, steps)


def output_sizes(
    size: int = 8,
    kernel_sizes: Sequence[int] = (1, 2, 3, 4, 5),
    strides: Sequence[int] = (1, 2, 3),
) -> Drawing:
    """Show how wide the output of a convolution is: choose window, stride and padding.

    One side of the picture is drawn, with every place at which the window can stand.
    Taught in lesson 00.

    Args:
        size: the side of the picture, from 2 to 12.
        kernel_sizes: the windows to choose from, each from 1 to `size`.
        strides: the strides to choose from, each from 1 to 6.

    Returns:
        A `Drawing` with a row of buttons for each setting, and a table of all sizes.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range, or nothing to choose from.

    Example:
        >>> output_sizes(8, kernel_sizes=(1, 3, 5), strides=(1, 2))

    References:
        Dumoulin & Visin (2016), the arithmetic.
    """
    size = _validate.integer("size", size, low=2, high=12)
    windows = _whole_numbers("kernel_sizes", kernel_sizes, high=size)
    steps = _whole_numbers("strides", strides, high=6)
    paddings = ("valid", "same")
    combinations = []
    for window, step, padding in itertools.product(windows, steps, paddings):
        zeros = zeros_around(size, window, step, padding)
        count = (size + sum(zeros) - window) // step + 1
        combinations.append((window, step, padding, zeros, count))
    most = (
        max(size + sum(zeros) for *_, zeros, _ in combinations),
        max(count for *_, count in combinations),
    )
    return explorable(
        f"A picture {size} wide: how wide is the output?",
        {
            "Window": [str(window) for window in windows],
            "Stride": [str(step) for step in steps],
            "Padding": paddings,
        },
        [
            places_panel(size, window, step, zeros, most)
            for window, step, _, zeros, _ in combinations
        ],
        start=(windows.index(3) if 3 in windows else 0, 0, 0),
        alt=f"One side of a picture, {size} cells, with every place of a window below "
        "it and the output below that. Buttons choose window, stride and padding.",
        columns=["window", "stride", "padding", "zeros before, after", "output"],
        rows=[
            [str(window), str(step), padding, f"{zeros[0]}, {zeros[1]}", str(count)]
            for window, step, padding, zeros, count in combinations
        ],
        width="25.5rem",
    )


def _whole_numbers(argument: str, values: Any, *, high: int) -> list[int]:
    """Return different whole numbers from 1 to `high`, at least one."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
        _validate.fail_type(argument, "a tuple or list of whole numbers", values)
    found = [
        _validate.integer(f"{argument}[{place}]", value, low=1, high=high)
        for place, value in enumerate(values)
    ]
    if not found or len(set(found)) < len(found):
        _validate.fail(argument, "one or more different whole numbers", values)
    return found
