"""The figures of the course, in one style.

Colors are Okabe and Ito's (2008), which people with color-vision deficiencies can tell
apart; markers and line styles say the same a second time. The background is opaque and
nearly white, so that a figure stays legible on a dark page. Legends lie off the data.

Every function asks for a `title` (the finding) and an `alt` (what the picture shows,
for readers who cannot see it) and returns a `CourseFigure`. End a notebook cell with it
and it is shown once, at twice the screen's resolution, with its alternative text.
"""

from __future__ import annotations

import base64
import functools
import html
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from PIL import Image

from course_utils import _validate
from course_utils._explorable import explorable as _explorable
from course_utils._picture import Drawing
from course_utils.training import metric_words

__all__ = [
    "CourseFigure",
    "bars",
    "depth_profile",
    "explorable",
    "heat_map",
    "image_grid",
    "lines",
    "timeline",
    "training_curves",
]

BACKGROUND = "#fbfbf9"
INK = "#1f2328"
COLORS = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # bluish green
    "#CC79A7",  # reddish purple
    "#000000",  # black
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1.5, 2)))
# The dashes move on by one each time the colors start again, so that no two of the
# series look alike.
MOST_SERIES = len(COLORS) * 2

# The tracks of a timeline: plain, and three that differ without color.
_HATCHES = (None, "///", "...", "xxx")

_WIDTH, _HEIGHT = 7.0, 4.0  # inches
_SCREEN_DPI = 96  # CSS pixels an inch
_DPI = 2 * _SCREEN_DPI  # sharp on screens with two device pixels a CSS pixel
_FONT = 10.5
_MOST_MARKERS = 14
_STYLE: dict[str, Any] = {
    "figure.facecolor": BACKGROUND,
    "savefig.facecolor": BACKGROUND,
    "axes.facecolor": BACKGROUND,
    "axes.edgecolor": "#6e7781",
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#dfe1de",
    "grid.linewidth": 0.8,
    "font.family": ["DejaVu Sans"],
    "font.size": _FONT,
    "axes.labelsize": _FONT,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.title_fontsize": 10,
    "legend.frameon": False,
    "figure.titlesize": 12,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "axes.xmargin": 0.015,
}


class _Canvas(FigureCanvasAgg):
    """A canvas that knows the mathematics it has read for other figures.

    Tick labels such as 10⁻³ are mathematics to Matplotlib, and reading one takes
    milliseconds; it remembers them for one figure only.
    """

    _reader: Any = None

    def get_renderer(self) -> Any:
        renderer: Any = super().get_renderer()
        if _Canvas._reader is None:
            _Canvas._reader = getattr(renderer, "mathtext_parser", None)
        renderer.mathtext_parser = _Canvas._reader
        return renderer


class CourseFigure(Figure):
    """A Matplotlib figure that carries its alternative text.

    It lives outside `matplotlib.pyplot`, so a notebook shows it where a cell returns it
    and nowhere else. Save it as any figure: `figure.savefig("curve.png")`.

    Attributes:
        alt: what the figure shows, in words.
        shades: whether it shows continuous colors or photographs, which a palette
            would spoil.
    """

    def __init__(self, *args: Any, alt: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alt = alt
        self.shades = False
        _Canvas(self)

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Save the figure, in the course's style whatever the current one is."""
        with _style():
            super().savefig(*args, **kwargs)

    def to_png(self) -> bytes:
        """Return the figure as the bytes of a PNG file, two pixels a CSS pixel."""
        image = self._drawn()
        buffer = io.BytesIO()
        stored = image if self.shades else _with_palette(image)
        stored.save(buffer, "PNG", dpi=(_DPI, _DPI))
        return buffer.getvalue()

    def _drawn(self) -> Image.Image:
        """Lay out and draw; `savefig` would walk through the figure once more."""
        engine: Any = self.get_layout_engine()
        dpi = self.dpi
        try:
            with _style():
                self.dpi = _DPI
                if engine is not None:
                    engine.execute(self)
                    self.set_layout_engine("none")
                canvas: Any = self.canvas
                canvas.draw()
                size = canvas.get_width_height()
                pixels = Image.frombuffer("RGBA", size, canvas.buffer_rgba())
                return pixels.convert("RGB")
        finally:
            self.dpi = dpi
            if engine is not None:
                self.set_layout_engine(engine)

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        width, height = (
            round(inches * _SCREEN_DPI) for inches in self.get_size_inches()
        )
        data = {"image/png": self.to_png(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt, "width": width, "height": height}}

    def __repr__(self) -> str:
        return f"CourseFigure({self.alt!r})"


def lines(
    x: Any,
    series: Mapping[str, Any],
    *,
    xlabel: str,
    ylabel: str,
    log: bool = False,
    title: str,
    alt: str,
) -> CourseFigure:
    """Draw one line a series; several seeds become a median with their range.

    Args:
        x: positions along the horizontal axis, shape (n,), in the units of `xlabel`.
        series: label -> values of shape (n,), or (seeds, n) for several seeds.
        xlabel: what the horizontal axis shows, with its unit.
        ylabel: what the vertical axis shows, with its unit.
        log: whether the vertical axis is logarithmic. Zeros, which it cannot show, are
            drawn at its lower end, and the axis says so.
        title: the finding, in a sentence.
        alt: what the figure shows, for readers who cannot see it.

    Returns:
        A CourseFigure, 7 inches wide.

    Raises:
        ValueError: an empty `series`, NaN or infinite values, a length that is not that
            of `x`, negative values with `log=True`, or an empty text.
        TypeError: an argument of the wrong type.

    Example:
        >>> lines([1, 2, 3], {"measured": [4.0, 5.0, 6.0]}, xlabel="Shift (pixels)",
        ...       ylabel="Error (%)", title="The error grows with the shift",
        ...       alt="A line that rises from 4 to 6 percent.")
    """
    positions = _validate.array("x", x, ndim=1).astype(float)
    values = _series("series", series, len(positions))
    return _line_figure(
        {label: (positions, array) for label, array in values.items()},
        xlabel=xlabel,
        ylabel=ylabel,
        log=_validate.boolean("log", log),
        title=title,
        alt=alt,
        integers=bool(np.all(positions == np.round(positions))),
    )


def depth_profile(
    x: Any,
    series: Mapping[str, Any],
    *,
    xlabel: str = "Layer",
    ylabel: str,
    log: bool = True,
    title: str,
    alt: str,
) -> CourseFigure:
    """Draw a quantity layer by layer: one line a network, seeds as a band.

    Args:
        x: the layers, shape (n,), counted from the input.
        series: label -> values of shape (n,), or (seeds, n): then the line is the
            median of the seeds and the band reaches from their least to their greatest.
        xlabel: what the horizontal axis shows.
        ylabel: what the vertical axis shows, with its unit.
        log: whether the vertical axis is logarithmic. Zeros (a gradient that
            underflowed) are drawn at its lower end, and the axis says so.
        title: the finding, in a sentence.
        alt: what the figure shows, for readers who cannot see it.

    Returns:
        A CourseFigure, 7 inches wide. Taught in lesson 02.

    Raises:
        ValueError: an empty `series`, NaN or infinite values, a length that is not that
            of `x`, negative values with `log=True`, or an empty text.
        TypeError: an argument of the wrong type.

    Example:
        >>> depth_profile([1, 2, 3], {"sigmoid": [[1e-6, 1e-4, 1e-2]]},
        ...               ylabel="Gradient norm", title="The gradient shrinks",
        ...               alt="A line that rises from 1e-6 in layer 1 to 1e-2.")
    """
    positions = _validate.array("x", x, ndim=1).astype(float)
    values = _series("series", series, len(positions))
    return _line_figure(
        {label: (positions, array) for label, array in values.items()},
        xlabel=xlabel,
        ylabel=ylabel,
        log=_validate.boolean("log", log),
        title=title,
        alt=alt,
        integers=True,
    )


def explorable(
    x: Any,
    curves: Mapping[Any, Mapping[str, Any]],
    *,
    setting: str,
    xlabel: str,
    ylabel: str,
    log: bool = False,
    start: Any = None,
    title: str,
    alt: str,
) -> Drawing:
    """Draw lines for several values of a setting; buttons choose one of them.

    All pictures have the same axes, so that what moves is the data. The figure needs no
    kernel and no script: it works in a page, by mouse and by the arrow keys, and a
    table below it says the same.

    Args:
        x: positions along the horizontal axis, shape (n,), in the units of `xlabel`.
        curves: value of the setting -> series as in `lines`: label -> values of shape
            (n,), or (seeds, n). Every value has the same labels.
        setting: what the buttons choose, with its unit.
        xlabel: what the horizontal axis shows, with its unit.
        ylabel: what the vertical axis shows, with its unit.
        log: whether the vertical axis is logarithmic.
        start: the value that is shown first; None stands for the first one.
        title: the finding, in a sentence.
        alt: what the figure shows and how it changes with the setting, for readers who
            cannot see it.

    Returns:
        A `Drawing`: end a cell with it to see it, `print` it to read its table.

    Raises:
        ValueError: no curves, values with different labels, an unknown `start`, or
            anything that `lines` refuses.
        TypeError: an argument of the wrong type.

    Example:
        >>> explorable([1, 2], {1: {"line": [1, 2]}, 2: {"line": [2, 4]}},
        ...            setting="Slope", xlabel="x", ylabel="y", title="Steeper",
        ...            alt="A line through the origin that gets steeper.")
    """
    if not isinstance(curves, Mapping):
        _validate.fail_type("curves", "a dict of value -> series", curves)
    if not curves:
        _validate.fail("curves", "at least one value of the setting", curves)
    setting = _validate.string("setting", setting)
    title, alt = _validate.string("title", title), _validate.string("alt", alt)
    values = list(curves)
    start = values[0] if start is None else start
    if start not in values:
        _validate.fail("start", f"one of {', '.join(map(str, values))}", start)
    positions = _validate.array("x", x, ndim=1).astype(float)
    checked = {
        value: _series(f"curves[{value!r}]", series, len(positions))
        for value, series in curves.items()
    }
    labels = list(checked[values[0]])
    figures = {}
    for value, series in checked.items():
        if list(series) != labels:
            _validate.fail_with_words(
                f"curves[{value!r}]", f"the labels {labels}", f"{list(series)}"
            )
        figures[value] = lines(
            positions,
            series,
            xlabel=xlabel,
            ylabel=ylabel,
            log=log,
            title=f"{setting}: {value}",
            alt=f"{setting} {value}. "
            + "; ".join(
                f"{label} goes from {_middle(array)[0]:.3g} to {_middle(array)[-1]:.3g}"
                for label, array in series.items()
            )
            + ".",
        )
    _share_axes(list(figures.values()))
    shown = np.unique(np.linspace(0, len(positions) - 1, 6).round().astype(int))
    rows = [
        [
            str(value),
            f"{positions[place]:g}",
            *(f"{_middle(series[label])[place]:.3g}" for label in labels),
        ]
        for value, series in checked.items()
        for place in shown
    ]
    return _explorable(
        title,
        {setting: [str(value) for value in values]},
        [_embedded(figure) for figure in figures.values()],
        start=[values.index(start)],
        alt=alt,
        columns=[setting, xlabel, *labels],
        rows=rows,
        width="43rem",
    )


def _middle(array: np.ndarray) -> np.ndarray:
    """Return the median of the seeds."""
    return np.median(np.atleast_2d(array), axis=0)


def _share_axes(figures: Sequence[CourseFigure]) -> None:
    """Give all figures the widest limits of any of them."""
    for get, set_ in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
        limits = [getattr(figure.axes[0], get)() for figure in figures]
        low, high = min(low for low, _ in limits), max(high for _, high in limits)
        for figure in figures:
            getattr(figure.axes[0], set_)(low, high)


def _embedded(figure: CourseFigure) -> str:
    """Return the figure as an HTML image that carries its own data."""
    width, height = (round(i * _SCREEN_DPI) for i in figure.get_size_inches())
    data = base64.b64encode(figure.to_png()).decode()
    return (
        f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{html.escape(figure.alt, quote=True)}">'
    )


def training_curves(
    histories: Any,
    *,
    metric: str = "loss",
    log: bool = False,
    title: str,
    alt: str,
) -> CourseFigure:
    """Draw a metric epoch by epoch, for one run or for several networks and seeds.

    Args:
        histories: what `fit` returned. One History draws its metric, and the validation
            metric beside it where there is one. A dict label -> History, or label ->
            list of History (one a seed), draws `metric` of each, seeds as median and
            range.
        metric: the curve to draw, such as "loss", "accuracy" or "val_accuracy".
        log: whether the vertical axis is logarithmic.
        title: the finding, in a sentence.
        alt: what the figure shows, for readers who cannot see it.

    Returns:
        A CourseFigure, 7 inches wide.

    Raises:
        ValueError: no history, an unknown metric, seeds with different numbers of
            epochs, NaN or infinite values, or an empty text.
        TypeError: something that is not a History.

    Example:
        >>> training_curves({"plain": [first, second], "residual": [third, fourth]},
        ...                 metric="val_accuracy", title="Shortcuts help",
        ...                 alt="The residual net is above the plain one throughout.")
    """
    metric = _validate.string("metric", metric)
    drawn: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if isinstance(histories, Mapping):
        if not histories:
            _validate.fail("histories", "at least one labeled History", histories)
        for label, runs in histories.items():
            place = f"histories[{label!r}]"
            one = not isinstance(runs, (list, tuple))
            runs = [runs] if one else list(runs)
            if not runs:
                _validate.fail(place, "at least one History", runs)
            rows = [_curve(place, run, metric) for run in runs]
            if len({len(row) for row in rows}) > 1:
                lengths = ", ".join(str(len(row)) for row in rows)
                _validate.fail_with_words(
                    place, "runs with the same number of epochs", f"{lengths} epochs"
                )
            values = rows[0] if one else np.stack(rows)
            drawn[_validate.string("histories", label)] = (_epochs(rows[0]), values)
    else:
        training = _curve("histories", histories, metric)
        other = "val_" + metric
        if other in _curves("histories", histories):
            validation = _curve("histories", histories, other)
            drawn["training"] = (_epochs(training), training)
            drawn["validation"] = (_epochs(validation), validation)
        else:
            drawn[metric_words(metric)] = (_epochs(training), training)
    return _line_figure(
        drawn,
        xlabel="Epoch",
        ylabel=metric_words(metric).capitalize(),
        log=_validate.boolean("log", log),
        title=title,
        alt=alt,
        integers=True,
        argument="histories",
    )


def heat_map(
    values: Any,
    *,
    xlabel: str,
    ylabel: str,
    colorbar: str,
    xticks: Sequence[Any] | None = None,
    yticks: Sequence[Any] | None = None,
    log: bool = False,
    title: str,
    alt: str,
) -> CourseFigure:
    """Draw a table of numbers as colors, the first row on top.

    Numbers of one sign run from dark to light (viridis). Where both signs occur, blue
    is negative, red is positive and zero is white. A small table, of at most 8 rows and
    8 columns, also prints its numbers.

    Args:
        values: shape (rows, columns).
        xlabel: what the columns are, with their unit.
        ylabel: what the rows are, with their unit.
        colorbar: what the colors mean, with its unit.
        xticks: one label a column; None counts from 0. Where there is no room for all,
            every few are shown.
        yticks: one label a row; None counts from 0.
        log: whether colors follow the logarithm. Zeros get the lowest color, and the
            color bar says so.
        title: the finding, in a sentence.
        alt: what the figure shows, for readers who cannot see it.

    Returns:
        A CourseFigure, 7 inches wide.

    Raises:
        ValueError: NaN or infinite values, not two axes, a number of tick labels that
            is not that of the rows or columns, negative values with `log=True`, or an
            empty text.
        TypeError: an argument of the wrong type.

    Example:
        >>> heat_map([[1e-6, 1e-3], [1e-2, 1.0]], xlabel="Step", ylabel="Layer",
        ...          colorbar="Gradient norm", log=True, title="Training revives it",
        ...          alt="Colors brighten from the first layer to the last.")
    """
    table = _validate.array("values", values, ndim=2).astype(float)
    rows, columns = table.shape
    bar_label = _validate.string("colorbar", colorbar)
    x_names = _tick_labels("xticks", xticks, columns)
    y_names = _tick_labels("yticks", yticks, rows)
    figure, axes = _canvas(title, alt, height=4.4)
    figure.shades = True
    norm: Normalize
    cmap = "viridis"
    shown = table
    if _validate.boolean("log", log):
        (shown,), floor = _on_log_scale("values", [table])
        if floor is not None:
            bar_label += f" (0 shown as {_power(floor)})"
        low, high = shown.min(), shown.max()
        norm = LogNorm(low, high if high > low else low * 10)
    elif table.min() < 0 < table.max():
        reach = np.abs(table).max()
        norm, cmap = Normalize(-reach, reach), "RdBu_r"
    else:
        norm = Normalize(table.min(), table.max())
    with _style():
        image = axes.imshow(
            shown, aspect="auto", interpolation="nearest", norm=norm, cmap=cmap
        )
        axes.grid(False)
        axes.spines[:].set_visible(False)
        _set_ticks(axes.xaxis, x_names, columns, most=12)
        _set_ticks(axes.yaxis, y_names, rows, most=14)
        bar = figure.colorbar(image, ax=axes, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(_wrapped("colorbar", bar_label, 3.4, _FONT))
        _label_axes(figure, axes, xlabel, ylabel)
        if rows <= 8 and columns <= 8:
            texts = np.reshape(_number_texts(table.ravel()), table.shape)
            for (row, column), text in np.ndenumerate(texts):
                red, green, blue, _ = image.cmap(norm(shown[row, column]))
                dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
                axes.text(
                    column,
                    row,
                    text,
                    ha="center",
                    va="center",
                    fontsize=10,
                    color="white" if dark else "black",
                )
    return figure


def bars(
    labels: Sequence[str],
    values: Any,
    *,
    errors: Any = None,
    xlabel: str,
    ylabel: str,
    title: str,
    alt: str,
) -> CourseFigure:
    """Draw one bar a label from zero, its number at its end where there is room.

    Args:
        labels: the names under the bars, n of them.
        values: shape (n,), in the units of `ylabel`.
        errors: half the length of each error bar, shape (n,), or below and above, shape
            (2, n). Say in `ylabel` or `title` what they are.
        xlabel: what the labels are.
        ylabel: what the bars show, with its unit.
        title: the finding, in a sentence.
        alt: what the figure shows, for readers who cannot see it.

    Returns:
        A CourseFigure, 7 inches wide.

    Raises:
        ValueError: numbers of labels, values and errors that differ, NaN or infinite
            values, negative errors, or an empty text.
        TypeError: an argument of the wrong type.

    Example:
        >>> bars(["plain", "residual"], [71.2, 80.4], errors=[0.5, 0.4], xlabel="Net",
        ...      ylabel="Accuracy (%), ± standard error", title="Shortcuts help",
        ...      alt="Two bars: plain 71.2 percent, residual 80.4 percent.")
    """
    names = _names("labels", labels)
    heights = _validate.array("values", values, shape=(len(names),)).astype(float)
    spans = np.zeros((2, len(names)))
    if errors is not None:
        spans = _validate.array("errors", errors, ndim=(1, 2)).astype(float)
        if spans.shape not in ((len(names),), (2, len(names))):
            _validate.fail(
                "errors", f"shape ({len(names)},) or (2, {len(names)})", spans
            )
        if (spans < 0).any():
            _validate.fail_with_words(
                "errors", "lengths of at least 0", f"{spans.min():g}"
            )
        spans = np.broadcast_to(spans, (2, len(names)))
    figure, axes = _canvas(title, alt)
    with _style():
        places = np.arange(len(names))
        axes.bar(places, heights, width=0.62, color=COLORS[0], zorder=2)
        if errors is not None:
            axes.errorbar(
                places, heights, yerr=spans, fmt="none", ecolor=INK, capsize=5, zorder=3
            )
        room = (_WIDTH - 1.2) / len(names)
        numbers = _number_texts(heights)
        if max(_width_inches(text, 10) for text in numbers) > room:
            numbers = []
        for place, text in enumerate(numbers):
            below, above = spans[:, place]
            up = heights[place] >= 0
            axes.annotate(
                text,
                (place, heights[place] + above if up else heights[place] - below),
                xytext=(0, 3 if up else -3),
                textcoords="offset points",
                ha="center",
                va="bottom" if up else "top",
                fontsize=10,
            )
        axes.axhline(0, color="#6e7781", linewidth=0.8)
        axes.margins(y=0.12)
        axes.grid(False, axis="x")
        axes.set_xlim(-0.6, len(names) - 0.4)
        if room >= 0.6:
            texts = [_wrapped("labels", name, room, 10) for name in names]
            axes.set_xticks(places, texts)
        else:
            axes.set_xticks(
                places, names, rotation=45, ha="right", rotation_mode="anchor"
            )
        axes.tick_params(axis="x", length=0)
        _label_axes(figure, axes, xlabel, ylabel)
    return figure


def image_grid(
    images: Any,
    *,
    labels: Sequence[Any] | None = None,
    columns: int = 8,
    masks: Any = None,
    title: str,
    alt: str,
) -> CourseFigure:
    """Draw images side by side, each with its label below.

    Args:
        images: shape (n, height, width), (n, height, width, 1) or
            (n, height, width, 3); bytes from 0 to 255, or floats from 0 to 1.
        labels: n texts to print under the images; None prints nothing.
        columns: images in a row, from 1 to 20.
        masks: booleans of shape (n, height, width); each is drawn as an outline.
        title: the finding, in a sentence.
        alt: what the figure shows, for readers who cannot see it.

    Returns:
        A CourseFigure, 7 inches wide and as high as the rows need.

    Raises:
        ValueError: another shape, values out of range, NaN, numbers of labels or masks
            that differ from that of the images, or an empty text.
        TypeError: an argument of the wrong type.

    Example:
        >>> image_grid(data.x_train[:8], labels=names, title="Eight training images",
        ...            alt="Eight small photographs: a frog, two trucks, ...")
    """
    pictures = _pictures(images)
    count, height, width = pictures.shape[:3]
    columns = min(_validate.integer("columns", columns, 1, 20), count)
    texts = None if labels is None else _names("labels", labels, count)
    outlines = None
    if masks is not None:
        outlines = _validate.array("masks", masks, shape=(count, height, width))
        if not np.isin(outlines, (0, 1)).all():
            _validate.fail("masks", "booleans", outlines)
    rows = -(-count // columns)

    # One set of axes for all: its unit is the inch, its origin the top left corner.
    # (A set of axes an image takes seconds where there are many.)
    margin, gap = 0.15, 0.08
    cell = min((_WIDTH - 2 * margin + gap) / columns - gap, 2.2)
    cell_height = cell * height / width
    figure = _figure(title, alt, height=1.0, constrained=False)
    figure.shades = True
    wrapped = _wrapped("title", title, _WIDTH - 2 * margin, 12)
    head = 0.12 + 0.21 * (wrapped.count("\n") + 1)
    short = []
    if texts is not None:
        short = [_wrapped("labels", text, cell, 10) for text in texts]
    most_lines = max((text.count("\n") + 1 for text in short), default=0)
    label_height = 0.07 + 0.165 * most_lines if short else 0.0
    step = cell_height + label_height + gap
    total = head + 0.1 + rows * step + 0.08
    figure.set_size_inches(_WIDTH, total)
    left = (_WIDTH - columns * (cell + gap) + gap) / 2
    with _style():
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.text(margin, 0.1, wrapped, fontsize=12, va="top", fontweight="bold")
        for index, picture in enumerate(pictures):
            x = left + (index % columns) * (cell + gap)
            y = head + 0.1 + (index // columns) * step
            axes.imshow(
                picture,
                cmap="gray",
                vmin=0,
                vmax=1 if picture.dtype.kind == "f" else 255,
                extent=(x, x + cell, y + cell_height, y),
                interpolation="antialiased",
            )
            if outlines is not None and outlines[index].any():
                _outline(axes, outlines[index], x, y, cell, cell_height)
            if short:
                for number, line in enumerate(short[index].split("\n")):
                    axes.text(
                        x + cell / 2,
                        y + cell_height + 0.16 + 0.165 * number,
                        line,
                        fontsize=10,
                        ha="center",
                        va="baseline",
                    )
        axes.set(xlim=(0, _WIDTH), ylim=(total, 0), aspect="auto")
    return figure


def timeline(
    rows: Mapping[str, Mapping[str, Any]],
    *,
    xlabel: str,
    title: str,
    alt: str,
) -> CourseFigure:
    """Draw bars in time: who was at work when, one group of tracks a row.

    Args:
        rows: label -> {track -> starts and ends, shape (n, 2)}, in the units of
            `xlabel`. Every row has the same tracks, at most four.
        xlabel: what the horizontal axis shows, with its unit.
        title: the finding, in a sentence.
        alt: what the figure shows, for readers who cannot see it.

    Returns:
        A CourseFigure, 7 inches wide and as high as the rows need. Taught in lesson 08.

    Raises:
        ValueError: no row, rows with different tracks, an end before its start, NaN or
            infinite values, or an empty text.
        TypeError: an argument of the wrong type.

    Example:
        >>> timeline({"one after the other": {"cook": [[0, 2], [3, 5]],
        ...                                   "eat": [[2, 3], [5, 6]]}},
        ...          xlabel="Time (minutes)", title="Nobody eats while the cook works",
        ...          alt="Two tracks of bars that take turns.")
    """
    checked: dict[str, dict[str, np.ndarray]] = {}
    names: list[str] = []
    if not isinstance(rows, Mapping):
        _validate.fail_type("rows", "a dict of label -> tracks", rows)
    if not rows:
        _validate.fail("rows", "at least one labeled row", rows)
    for label, tracks in rows.items():
        place = f"rows[{_validate.string('rows', label)!r}]"
        if not isinstance(tracks, Mapping):
            _validate.fail_type(place, "a dict of track -> starts and ends", tracks)
        names = names or [_validate.string(place, name) for name in tracks]
        if list(tracks) != names or not 1 <= len(names) <= len(_HATCHES):
            expected = "the same tracks in every row, from one to four"
            _validate.fail_with_words(place, expected, ", ".join(map(str, tracks)))
        checked[label] = {}
        for name, spans in tracks.items():
            array = _validate.array(f"{place}[{name!r}]", spans, shape=(None, 2))
            if (array[:, 1] < array[:, 0]).any():
                _validate.fail_with_words(
                    f"{place}[{name!r}]", "ends after starts", "an end before its start"
                )
            checked[label][name] = array.astype(float)
    group = len(names) + 0.7
    height = 1.1 + 0.26 * group * len(checked)
    figure, axes = _canvas(title, alt, height=height)
    with _style():
        for number, tracks in enumerate(checked.values()):
            for track, spans in enumerate(tracks.values()):
                axes.broken_barh(
                    np.stack([spans[:, 0], spans[:, 1] - spans[:, 0]], axis=1),
                    (number * group + track + 0.06, 0.88),
                    facecolor=COLORS[track],
                    hatch=_HATCHES[track],
                    edgecolor=BACKGROUND,
                    linewidth=0.8,
                )
        middles = [number * group + len(names) / 2 for number in range(len(checked))]
        texts = [_wrapped("rows", label, 1.7, 10) for label in checked]
        axes.set_yticks(middles, texts)
        axes.tick_params(axis="y", length=0)
        axes.grid(False, axis="y")
        axes.set_ylim(len(checked) * group - 0.5, -0.2)
        axes.set_xlim(left=0)
        axes.set_xlabel(_wrapped("xlabel", xlabel, _WIDTH - 1.5, _FONT))
        handles = [
            Patch(facecolor=COLORS[track], hatch=_HATCHES[track], edgecolor=BACKGROUND)
            for track in range(len(names))
        ]
        _legend(figure, handles, names)
    return figure


def _run_summary(
    history: Any, *, title: str, alt: str, metric: str | None = None
) -> CourseFigure:
    """Draw the small figure that `fit` leaves: loss, and one metric beside it.

    Args:
        history: what `fit` collected, with at least one step.
        title: one line.
        alt: what the figure shows.
        metric: the curve of the second panel; None draws the loss alone.

    Returns:
        A CourseFigure, 7 inches wide and 2.4 high.
    """
    figure, first = _canvas(title, alt, height=2.5, columns=1 if metric is None else 2)
    panels = [first] if metric is None else list(first)
    with _style():
        for axes, name in zip(panels, ["loss", metric], strict=False):
            if name is None:
                continue
            axes.set(xlabel="Epoch", ylabel=metric_words(name).capitalize())
            steps = history.steps.get(name, [])
            if len(steps) > 1:
                whole = max(history.steps_per_epoch, 1)
                x, y = _thinned(np.arange(1, len(steps) + 1) / whole, np.array(steps))
                axes.plot(x, y, color=COLORS[0], alpha=0.3, linewidth=1)
            for place, key in enumerate([name, "val_" + name]):
                curve = history.curves.get(key)
                if curve:
                    x = np.arange(1, len(curve) + 1)
                    axes.plot(x, curve, **_look(place, len(curve)))
            axes.xaxis.set_major_locator(_whole_numbers(7))
            axes.set_xlim(left=0)
        handles = [Line2D([], [], color=COLORS[0], alpha=0.4, linewidth=1)]
        names = ["loss of each step"]
        for place, key in enumerate(["loss", "val_loss"]):
            if history.curves.get(key):
                handles.append(Line2D([], [], **_look(place, 1)))
                names.append(["training, mean of the epoch", "validation"][place])
        _legend(figure, handles, names)
    return figure


# ------------------------------------------------------------------------------ parts


def _style() -> Any:
    """Return a context in which Matplotlib draws as the course does."""
    return matplotlib.style.context(["default", _STYLE])


def _figure(
    title: str, alt: str, *, height: float = _HEIGHT, constrained: bool = True
) -> CourseFigure:
    _validate.string("title", title)
    if alt is None or (isinstance(alt, str) and not alt.strip()):
        raise ValueError(
            "`alt`: expected a sentence that says what the figure shows, got "
            f"{alt!r}. Readers who cannot see the figure get this text in its place."
        )
    _validate.string("alt", alt)
    with _style():
        layout = "constrained" if constrained else None
        return CourseFigure(
            alt=" ".join(alt.split()), figsize=(_WIDTH, height), layout=layout
        )


def _canvas(
    title: str, alt: str, *, height: float = _HEIGHT, columns: int = 1
) -> tuple[CourseFigure, Any]:
    figure = _figure(title, alt, height=height)
    wrapped = _wrapped("title", title, _WIDTH - 0.3, 12)
    figure.set_size_inches(_WIDTH, height + 0.2 * wrapped.count("\n"))
    with _style():
        figure.suptitle(
            wrapped, x=0.15 / _WIDTH, ha="left", fontsize=12, fontweight="bold"
        )
        engine: Any = figure.get_layout_engine()
        engine.set(w_pad=0.12, h_pad=0.1)
        return figure, figure.subplots(1, columns)


@functools.lru_cache(maxsize=1024)
def _width_inches(text: str, size: float, bold: bool = False) -> float:
    """Measure a line of text, in the pixels that it will be drawn with."""
    with _style():
        font = FontProperties(size=size, weight="bold" if bold else "normal")
        figure = _ruler()
        piece = Text(0, 0, text, fontproperties=font)
        piece.set_figure(figure)
        canvas: Any = figure.canvas
        return piece.get_window_extent(canvas.get_renderer()).width / _DPI


@functools.lru_cache(maxsize=1)
def _ruler() -> Figure:
    """Return a figure that text is measured in, and that nobody sees."""
    figure = Figure(figsize=(1, 1), dpi=_DPI)
    _Canvas(figure)
    return figure


def _wrapped(argument: str, text: str, inches: float, size: float) -> str:
    """Break `text` into lines of at most `inches`, never inside $mathematics$."""
    text = _validate.string(argument, text)
    bold = argument == "title"
    done: list[str] = []
    try:
        for paragraph in text.strip().split("\n"):
            words = re.findall(r"(?:\$[^$]*\$|\S)+", paragraph)
            line = " ".join(words)
            if _width_inches(line, size, bold) <= inches:
                done.append(line)
                continue
            line = ""
            for word in words:
                longer = f"{line} {word}" if line else word
                if line and _width_inches(longer, size, bold) > inches:
                    done.append(line)
                    longer = word
                while "$" not in longer and (
                    _width_inches(longer, size, bold) > 1.12 * inches
                ):
                    width = _width_inches(longer, size, bold)
                    cut = max(1, int(len(longer) * inches / width))
                    done.append(longer[:cut])
                    longer = longer[cut:]
                line = longer
            done.append(line)
        for line in done:  # unreadable mathematics shows itself here
            _width_inches(line, size, bold)
    except ValueError as error:
        raise ValueError(
            f"`{argument}`: expected text in which $…$ is mathematics that Matplotlib "
            f"can read, got {text!r}."
        ) from error
    return "\n".join(done)


def _label_axes(figure: Figure, axes: Any, xlabel: str, ylabel: str) -> None:
    height = figure.get_size_inches()[1]
    axes.set_xlabel(_wrapped("xlabel", xlabel, _WIDTH - 1.5, _FONT))
    axes.set_ylabel(_wrapped("ylabel", ylabel, height - 1.1, _FONT))


def _legend(
    figure: Figure, handles: list[Any], names: list[str], note: str | None = None
) -> None:
    """Put a legend under the axes, in as many columns as there is room for.

    The figure grows by what the legend needs, so the axes stay as high as without it.
    """
    names = [_wrapped("series", name, _WIDTH - 1.1, 10) for name in names]
    widths = [
        max(_width_inches(line, 10) for line in name.split("\n")) for name in names
    ]
    handle, between = 0.56, 0.24  # inches: the drawn sample, the space after a column
    columns = len(names)
    while columns > 1:
        rows = -(-len(names) // columns)
        blocks = [widths[k : k + rows] for k in range(0, len(widths), rows)]
        if sum(max(block) + handle + between for block in blocks) <= _WIDTH - 0.2:
            break
        columns -= 1
    rows = -(-len(names) // columns)
    columns = -(-len(names) // rows)
    tallest = max(name.count("\n") + 1 for name in names)
    needed = 0.2 * rows * tallest + (0.2 if note else 0.0) + 0.1
    width, height = figure.get_size_inches()
    height += needed - 0.2
    figure.set_size_inches(width, height)
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, needed / height, 1, 1 - needed / height))
    legend = figure.legend(
        handles,
        names,
        loc="lower left",
        bbox_to_anchor=(0.13 / width, 0.1 / height),
        ncols=columns,
        handlelength=3.2,
        title=note,
        alignment="left",
        borderpad=0,
        columnspacing=1.4,
        borderaxespad=0,
    )
    legend.set_in_layout(False)


def _whole_numbers(most: int) -> MaxNLocator:
    return MaxNLocator(most, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)


def _look(place: int, points: int) -> dict[str, Any]:
    """Return color, marker and dashes of the series at `place`."""
    turn, place_in_turn = divmod(place, len(COLORS))
    every = max(1, math.ceil(points / _MOST_MARKERS))
    # Markers of different series start at different points, so as not to hide.
    start = (place * every // 3) % every
    return {
        "color": COLORS[place_in_turn],
        "marker": MARKERS[(place_in_turn + 3 * turn) % len(MARKERS)],
        "linestyle": DASHES[(place_in_turn + turn) % len(DASHES)],
        "markevery": (start, every),
        "markeredgecolor": BACKGROUND,
        "markeredgewidth": 0.6,
    }


def _series(argument: str, series: Any, length: int) -> dict[str, np.ndarray]:
    if not isinstance(series, Mapping):
        _validate.fail_type(argument, "a dict of label -> values", series)
    if not series:
        _validate.fail(argument, "at least one labeled series", series)
    if len(series) > MOST_SERIES:
        _validate.fail_with_words(
            argument, f"at most {MOST_SERIES} series", f"{len(series)}"
        )
    checked = {}
    for label, values in series.items():
        _validate.string(argument, label)
        place = f"{argument}[{label!r}]"
        array = _validate.array(place, values, ndim=(1, 2)).astype(float)
        if array.shape[-1] != length:
            _validate.fail(place, f"{length} values, as many as `x` has", array)
        checked[label] = array
    return checked


def _line_figure(
    drawn: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    xlabel: str,
    ylabel: str,
    log: bool,
    title: str,
    alt: str,
    integers: bool,
    argument: str = "series",
) -> CourseFigure:
    if len(drawn) > MOST_SERIES:
        _validate.fail_with_words(argument, f"at most {MOST_SERIES}", f"{len(drawn)}")
    figure, axes = _canvas(title, alt)
    labels = list(drawn)
    positions = [drawn[label][0] for label in labels]
    values = [drawn[label][1] for label in labels]
    _validate.string("ylabel", ylabel)
    if log:
        values, floor = _on_log_scale(argument, values, labels)
        if floor is not None:
            ylabel = f"{ylabel}\n(0 drawn at {_power(floor)})"
    seeds = [array.shape[0] if array.ndim == 2 else 1 for array in values]
    same = len(set(seeds)) == 1
    names, handles = [], []
    with _style():
        for place, (label, x, array) in enumerate(
            zip(labels, positions, values, strict=True)
        ):
            look = _look(place, len(x))
            rows = np.atleast_2d(array)
            if len(rows) > 1:
                axes.fill_between(
                    x,
                    rows.min(0),
                    rows.max(0),
                    color=look["color"],
                    alpha=0.2,
                    linewidth=0,
                )
            axes.plot(x, np.median(rows, 0), **look)
            names.append(label if same else f"{label} ({_seed_words(len(rows))})")
            line = Line2D([], [], **{**look, "markevery": None})
            patch = Patch(color=look["color"], alpha=0.2, linewidth=0)
            handles.append((patch, line) if len(rows) > 1 else line)
        if log:
            axes.set_yscale("log")
        if integers:
            axes.xaxis.set_major_locator(_whole_numbers(12))
        _label_axes(figure, axes, xlabel, ylabel)
        note = None
        if same and seeds[0] > 1:
            note = _seed_words(seeds[0]).capitalize() + ":"
        _legend(figure, handles, names, note)
    return figure


def _seed_words(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"median and range of {seeds} seeds"


def _on_log_scale(
    argument: str, arrays: list[np.ndarray], labels: list[str] | None = None
) -> tuple[list[np.ndarray], float | None]:
    """Lift zeros to a floor below the least positive value; negatives are refused.

    Returns:
        The arrays, and the floor where one was needed (else None).
    """
    for index, array in enumerate(arrays):
        if (array < 0).any():
            place = argument if labels is None else f"{argument}[{labels[index]!r}]"
            _validate.fail_with_words(
                place, "no negative value with log=True", f"{array.min():g}"
            )
    if not any((array == 0).any() for array in arrays):
        return arrays, None
    positive = [array[array > 0] for array in arrays]
    least = min((part.min() for part in positive if part.size), default=1.0)
    floor = 10.0 ** max(math.floor(math.log10(least)) - 1, -307)
    return [np.where(array == 0, floor, array) for array in arrays], floor


def _power(value: float) -> str:
    exponent = math.log10(value)
    if abs(exponent - round(exponent)) < 1e-9:
        return f"$10^{{{round(exponent)}}}$"
    return f"{value:.2g}"


def _curves(argument: str, history: Any) -> Mapping[str, Any]:
    # Keras' own History keeps its curves under the name `history`.
    curves = getattr(history, "curves", getattr(history, "history", None))
    if not isinstance(curves, Mapping):
        _validate.fail_type(argument, "a History, as `fit` returns", history)
    return curves


def _curve(argument: str, history: Any, metric: str) -> np.ndarray:
    curves = _curves(argument, history)
    if metric not in curves:
        _validate.choice("metric", metric, curves)
    return _validate.array(f"{argument} ({metric})", curves[metric], ndim=1).astype(
        float
    )


def _epochs(curve: np.ndarray) -> np.ndarray:
    return np.arange(1, len(curve) + 1)


def _thinned(x: np.ndarray, y: np.ndarray, most: int = 400) -> tuple[Any, Any]:
    """Average neighbors until at most `most` points are left."""
    group = -(-len(x) // most)
    if group == 1:
        return x, y
    whole = len(x) // group * group
    return x[:whole].reshape(-1, group).mean(1), y[:whole].reshape(-1, group).mean(1)


def _names(argument: str, labels: Any, count: int | None = None) -> list[str]:
    if isinstance(labels, (str, bytes, Mapping)) or not isinstance(labels, Iterable):
        _validate.fail_type(argument, "a list of texts", labels)
    names = [str(label) for label in labels]
    if not names:
        _validate.fail(argument, "at least one text", labels)
    if count is not None and len(names) != count:
        _validate.fail_with_words(argument, f"{count} texts", f"{len(names)}")
    for name in names:
        _validate.string(argument, name)
    return names


def _tick_labels(argument: str, ticks: Any, count: int) -> list[str] | None:
    return None if ticks is None else _names(argument, ticks, count)


def _set_ticks(axis: Any, names: list[str] | None, count: int, most: int) -> None:
    if names is None:
        axis.set_major_locator(_whole_numbers(most))
        return
    longest = max(len(name) for name in names)
    if axis.axis_name == "x":
        most = max(2, min(most, int(5.2 / (0.09 * longest + 0.12))))
    every = -(-count // most)
    axis.set_ticks(range(0, count, every), names[::every])


def _number_texts(values: np.ndarray) -> list[str]:
    """Write numbers that stand side by side, all with the same decimals."""
    sizes = np.abs(values[values != 0])
    if sizes.size and (sizes.max() >= 1e7 or sizes.max() > 1e4 * sizes.min()):
        texts = [f"{value:.1e}" if value else "0" for value in values]
    elif (values == np.round(values)).all():
        texts = [f"{value:,.0f}" for value in values]
    else:
        decimals = 2 - math.floor(math.log10(sizes.max()))
        texts = [f"{value:,.{max(decimals, 0)}f}" for value in values]
    return [text.replace("-", "\N{MINUS SIGN}") for text in texts]


def _pictures(images: Any) -> np.ndarray:
    expected = (
        "images of shape (n, height, width), (n, height, width, 1) or "
        "(n, height, width, 3)"
    )
    pictures = _validate.array("images", images)
    if pictures.ndim == 2 or (pictures.ndim == 3 and pictures.shape[-1] == 3):
        _validate.fail("images", expected + "; for one image write image[None]", images)
    if pictures.ndim == 4 and pictures.shape[-1] == 1:
        pictures = pictures[..., 0]
    if pictures.ndim not in (3, 4) or (pictures.ndim == 4 and pictures.shape[-1] != 3):
        _validate.fail("images", expected, pictures)
    if pictures.dtype.kind == "b":
        pictures = pictures.astype(np.uint8) * 255
    low, high = pictures.min(), pictures.max()
    if pictures.dtype.kind == "f":
        if low < -1e-6 or high > 1 + 1e-6:
            _validate.fail_with_words(
                "images",
                "floats from 0 to 1 (or bytes, dtype uint8)",
                f"values from {low:g} to {high:g}",
            )
        return np.clip(pictures, 0, 1).astype(np.float32)
    if low < 0 or high > 255:
        _validate.fail_with_words(
            "images", "integers from 0 to 255", f"values from {low} to {high}"
        )
    return pictures.astype(np.uint8)


def _outline(
    axes: Any, mask: np.ndarray, x: float, y: float, width: float, height: float
) -> None:
    # A border of zeros closes the outline of a mask that touches the edge.
    padded = np.pad(mask.astype(float), 1)
    rows, columns = mask.shape
    xs = x + (np.arange(-1, columns + 1) + 0.5) * width / columns
    ys = y + (np.arange(-1, rows + 1) + 0.5) * height / rows
    xs, ys = np.clip(xs, x, x + width), np.clip(ys, y, y + height)
    # Light on dark: seen on any image.
    for color, thickness in (("black", 3.0), ("#F0E442", 1.4)):
        axes.contour(xs, ys, padded, [0.5], colors=color, linewidths=thickness)


def _with_palette(image: Image.Image) -> Image.Image:
    """Give a drawing of a few colors a palette: a third of the bytes."""
    drawing = image.quantize(
        256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    # The quick method rounds colors down; take the mean of what each stands for.
    places = np.asarray(drawing).ravel()
    pixels = np.asarray(image).reshape(-1, 3)
    counts = np.maximum(np.bincount(places, minlength=256), 1)
    sums = [np.bincount(places, pixels[:, k], 256) for k in range(3)]
    palette = np.rint(np.stack(sums, axis=1) / counts[:, None]).astype(np.uint8)
    drawing.putpalette(palette.tobytes())
    return drawing
