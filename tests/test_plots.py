"""The figures: honest bands and axes, one image with its alternative text."""

from __future__ import annotations

import base64
import functools
import io
import sys

import matplotlib
import matplotlib.style
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib.collections import PolyCollection
from nbclient import NotebookClient
from PIL import Image

from course_utils import plots
from course_utils.training import History

WORDS = {"title": "The finding", "alt": "What the figure shows."}
LABELS = {"xlabel": "Layer", "ylabel": "Norm"}
CURVES = {1: {"line": [1, 2]}, 20: {"line": [[20, 40], [22, 44], [24, 48]]}}


def history(losses, **curves):
    return History("run", len(losses), {"loss": list(losses), **curves})


def make(name, **changes):
    """Return a small figure of each kind."""
    arguments = {
        "lines": {"x": [1, 2, 3], "series": {"a": [1, 2, 3]}, **LABELS},
        "depth_profile": {"x": [1, 2], "series": {"a": [1e-3, 1]}, "ylabel": "Norm"},
        "heat_map": {"values": [[1, 2], [3, 4]], "colorbar": "Norm", **LABELS},
        "image_grid": {"images": np.zeros((3, 8, 8, 3), "uint8")},
        "training_curves": {"histories": history([2.0, 1.0])},
        "bars": {"labels": ["a", "b"], "values": [1, 2], **LABELS},
        "timeline": {"rows": {"a": {"make": [[0, 1]]}}, "xlabel": "Time (ms)"},
        "explorable": {"x": [1, 2], "curves": CURVES, "setting": "Slope", **LABELS},
    }[name]
    return getattr(plots, name)(**{**arguments, **WORDS, **changes})


KINDS = ["lines", "depth_profile", "heat_map", "image_grid", "training_curves", "bars"]
KINDS += ["timeline"]


@functools.cache
def shown(name):
    """Return a small figure of each kind, and what a notebook gets of it."""
    figure = make(name)
    return figure, *figure._repr_mimebundle_()


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(figure.to_png())).convert("RGB"))


def legend_texts(figure):
    legend = figure.legends[0]
    return [legend.get_title().get_text(), *(t.get_text() for t in legend.get_texts())]


@pytest.mark.parametrize("name", KINDS)
def test_a_figure_is_one_sharp_opaque_image_with_its_alternative_text(name):
    figure, data, metadata = shown(name)
    assert set(data) == {"image/png", "text/plain"}
    assert data["text/plain"] == figure.alt == WORDS["alt"]
    assert metadata["image/png"]["alt"] == WORDS["alt"]
    image = Image.open(io.BytesIO(data["image/png"]))
    assert metadata["image/png"]["width"] == 672
    assert image.width == 2 * 672
    assert abs(image.height - 2 * metadata["image/png"]["height"]) <= 2
    rgba = np.asarray(image.convert("RGBA"))
    assert (rgba[..., 3] == 255).all()
    assert rgba[0, 0, :3].min() > 240  # nearly white, whatever the page's color
    assert len(data["image/png"]) < 80_000


@pytest.mark.parametrize("name", ["lines", "heat_map", "image_grid"])
def test_a_picture_leaves_its_figure_as_it_was(name):
    figure = make(name)
    engine, dpi, size = figure.get_layout_engine(), figure.dpi, figure.bbox.size
    figure.to_png()
    assert figure.get_layout_engine() is engine
    assert figure.dpi == dpi
    assert (figure.bbox.size == size).all()


def test_the_palette_keeps_the_colors_that_fill_a_figure():
    figure, *_ = shown("bars")
    found = {tuple(color) for color in pixels(figure).reshape(-1, 3)[::7]}
    for color in (plots.BACKGROUND, plots.COLORS[0]):
        wanted = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
        assert min(np.abs(np.subtract(c, wanted)).max() for c in found) <= 1


@pytest.mark.parametrize("name", KINDS)
def test_no_text_is_smaller_than_ten_points(name):
    figure, *_ = shown(name)
    sizes = [t.get_fontsize() for t in figure.findobj(matplotlib.text.Text)]
    assert min(sizes) >= 10


@pytest.mark.parametrize("name", ["bars", "image_grid"])
def test_the_current_style_of_matplotlib_changes_nothing(name):
    _, data, _ = shown(name)
    with matplotlib.style.context(["dark_background", {"font.size": 30}]):
        assert make(name).to_png() == data["image/png"]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("alt", ["", "  ", None])
def test_alternative_text_is_asked_for_and_the_error_tells_why(name, alt):
    with pytest.raises(ValueError, match=r"`alt`.*Readers who cannot see"):
        make(name, alt=alt)


@pytest.mark.parametrize("name", KINDS)
def test_a_long_title_wraps_inside_the_figure(name):
    figure = make(name, title="A finding that goes on " * 8)
    figure.draw_without_rendering()
    width = figure.bbox.width
    for text in figure.findobj(matplotlib.text.Text):
        if "A finding" in text.get_text():
            assert text.get_text().count("\n") >= 1
            assert text.get_window_extent().x1 <= width


def test_figures_are_unknown_to_pyplot():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    make("lines")
    assert plt.get_fignums() == before


def test_seeds_become_a_median_and_a_band_over_their_whole_range():
    values = np.array([[1.0, 10.0], [2.0, 30.0], [9.0, 20.0]])
    figure = plots.lines([0, 1], {"net": values}, **LABELS, **WORDS)
    axes = figure.axes[0]
    assert axes.lines[0].get_ydata().tolist() == [2.0, 20.0]
    band = next(c for c in axes.collections if isinstance(c, PolyCollection))
    corners = band.get_paths()[0].vertices
    assert corners[corners[:, 0] == 0][:, 1].min() == 1
    assert corners[corners[:, 0] == 0][:, 1].max() == 9
    assert legend_texts(figure) == ["Median and range of 3 seeds:", "net"]


def test_the_legend_tells_the_seeds_of_each_line_where_they_differ():
    series = {"a": np.ones((2, 3)), "b": np.ones((4, 3)), "c": np.ones(3)}
    texts = legend_texts(plots.lines([1, 2, 3], series, **LABELS, **WORDS))
    assert texts[1:] == [
        "a (median and range of 2 seeds)",
        "b (median and range of 4 seeds)",
        "c (one seed)",
    ]


def test_every_series_looks_different_without_its_color():
    series = {str(k): [k, k] for k in range(plots.MOST_SERIES)}
    axes = plots.lines([1, 2], series, **LABELS, **WORDS).axes[0]
    looks = [(line.get_marker(), str(line._dash_pattern)) for line in axes.lines]
    assert len(set(looks[:7])) == 7
    colors = [line.get_color() for line in axes.lines]
    assert len(set(zip(looks, colors, strict=True))) == plots.MOST_SERIES
    for first, second in zip(looks[:7], looks[7:], strict=True):  # of one color
        assert first[0] != second[0]
        assert first[1] != second[1]


def test_the_legend_lies_off_the_data():
    series = {f"a network with a long name {k}": [k, k] for k in range(9)}
    figure = plots.lines([1, 2], series, **LABELS, **WORDS)
    figure.draw_without_rendering()
    legend, axes = figure.legends[0].get_window_extent(), figure.axes[0]
    assert legend.y1 < axes.xaxis.label.get_window_extent().y0
    assert legend.y0 >= 0
    assert legend.x1 <= figure.bbox.width
    assert axes.get_window_extent().height / figure.dpi > 2


def test_zeros_on_a_log_axis_are_drawn_at_a_floor_that_the_axis_names():
    figure = plots.depth_profile(
        [1, 2, 3], {"net": [0.0, 3e-5, 1.0]}, ylabel="Norm", **WORDS
    )
    axes = figure.axes[0]
    assert axes.lines[0].get_ydata().tolist() == pytest.approx([1e-6, 3e-5, 1.0])
    assert axes.get_ylabel() == "Norm\n(0 drawn at $10^{-6}$)"


def test_a_log_axis_survives_nothing_but_zeros_and_the_least_numbers():
    tiny = np.array([1e-45, 1e-38], "float32")
    for values in ([0, 0], tiny, [3.0, 3.0]):
        figure = plots.depth_profile([1, 2], {"net": values}, ylabel="Norm", **WORDS)
        figure.draw_without_rendering()


def test_a_log_heat_map_names_its_floor_on_the_color_bar():
    figure = plots.heat_map(
        [[0, 1e-3], [1e-2, 1]], colorbar="Norm", log=True, **LABELS, **WORDS
    )
    assert figure.axes[1].get_ylabel() == "Norm (0 shown as $10^{-4}$)"
    figure.draw_without_rendering()


def test_a_heat_map_with_both_signs_has_its_middle_at_zero():
    image = make("heat_map", values=[[-1, 0], [2, 3]]).axes[0].images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-3, 3)


def test_a_small_heat_map_prints_its_numbers_and_a_constant_one_is_drawn():
    texts = [t.get_text() for t in make("heat_map").axes[0].texts]
    assert texts == ["1", "2", "3", "4"]
    for log in (False, True):
        make("heat_map", values=np.ones((20, 20)), log=log).draw_without_rendering()


def test_bars_start_at_zero_and_carry_their_numbers():
    axes = make("bars", values=[71.23, -80.4], errors=[0.5, 0.4]).axes[0]
    assert axes.get_ylim()[0] < 0 < axes.get_ylim()[1]
    assert [t.get_text() for t in axes.texts] == ["71.2", "\N{MINUS SIGN}80.4"]


def test_one_history_draws_training_beside_validation():
    figure = make("training_curves", histories=history([2, 1], val_loss=[3, 2]))
    assert legend_texts(figure)[1:] == ["training", "validation"]
    assert figure.axes[0].lines[1].get_ydata().tolist() == [3, 2]


def test_histories_of_several_seeds_become_bands():
    runs = [history([2, 1]), history([4, 3]), history([6, 5])]
    figure = make("training_curves", histories={"plain": runs, "other": runs[:1]})
    assert legend_texts(figure)[1:] == [
        "plain (median and range of 3 seeds)",
        "other (one seed)",
    ]
    assert figure.axes[0].lines[0].get_ydata().tolist() == [4, 3]


def test_an_image_keeps_its_place_and_its_colors():
    images = np.zeros((2, 4, 4, 3), "float32")
    images[0, :2, :, 0] = 1  # the upper half of the first one is red
    picture = pixels(make("image_grid", images=images, columns=2))
    red = (picture == [255, 0, 0]).all(-1)
    black = (picture == [0, 0, 0]).all(-1)
    assert red[:, :672].any()
    assert not red[:, 672:].any()
    column = np.flatnonzero(red.any(0))[10]
    assert np.flatnonzero(red[:, column]).max() < np.flatnonzero(black[:, column]).max()


def test_a_mask_is_drawn_as_an_outline_even_at_the_border():
    images = np.full((1, 16, 16), 128, "uint8")
    plain = pixels(make("image_grid", images=images))
    for mask in (np.ones((1, 16, 16), bool), np.eye(16, dtype=bool)[None]):
        marked = pixels(make("image_grid", images=images, masks=mask))
        assert ((marked == [0xF0, 0xE4, 0x42]).all(-1)).sum() > 100
        assert marked.shape == plain.shape


def test_a_hundred_images_take_no_set_of_axes_each():
    figure = make("image_grid", images=np.zeros((100, 8, 8)), columns=20)
    assert len(figure.axes) == 1


WRONG = [
    ("lines", {"x": []}, ValueError, "`x`.*empty"),
    ("lines", {"x": [[1, 2]]}, ValueError, "`x`.*1 axes"),
    ("lines", {"x": "abc"}, TypeError, "`x`"),
    ("lines", {"series": {}}, ValueError, "`series`.*at least one"),
    ("lines", {"series": [1, 2, 3]}, TypeError, "`series`.*dict"),
    ("lines", {"series": {"a": [1, 2]}}, ValueError, r"`series\['a'\]`.*3 values"),
    ("lines", {"series": {"a": [1, np.nan, 2]}}, ValueError, r"\['a'\]`.*1 NaN"),
    ("lines", {"series": {"a": [1, np.inf, 2]}}, ValueError, r"\['a'\]`.*infinite"),
    ("lines", {"series": {1: [1, 2, 3]}}, TypeError, "`series`"),
    ("lines", {"series": {"a": [-1, 2, 3]}, "log": True}, ValueError, "negative"),
    ("lines", {"series": {str(k): [1, 2, 3] for k in range(15)}}, ValueError, "14"),
    ("lines", {"log": "yes"}, TypeError, "`log`"),
    ("lines", {"title": ""}, ValueError, "`title`"),
    ("lines", {"title": r"$\notacommand{$"}, ValueError, "`title`.*mathematics"),
    ("lines", {"xlabel": ""}, ValueError, "`xlabel`"),
    ("lines", {"ylabel": 3}, TypeError, "`ylabel`"),
    ("lines", {"alt": 3}, TypeError, "`alt`"),
    ("depth_profile", {"series": {"a": [[np.nan, 1]]}}, ValueError, "NaN"),
    ("depth_profile", {"x": None}, TypeError, "`x`"),
    ("heat_map", {"values": [1, 2]}, ValueError, "`values`.*2 axes"),
    ("heat_map", {"values": [[1, np.nan]]}, ValueError, "`values`.*NaN"),
    ("heat_map", {"values": np.zeros((0, 3))}, ValueError, "`values`.*empty"),
    ("heat_map", {"values": [[-1, 1]], "log": True}, ValueError, "`values`.*negative"),
    ("heat_map", {"xticks": ["a"]}, ValueError, "`xticks`.*2 texts"),
    ("heat_map", {"yticks": 3}, TypeError, "`yticks`"),
    ("heat_map", {"colorbar": ""}, ValueError, "`colorbar`"),
    ("bars", {"labels": "ab"}, TypeError, "`labels`"),
    ("bars", {"labels": []}, ValueError, "`labels`"),
    ("bars", {"values": [1]}, ValueError, "`values`"),
    ("bars", {"values": [1, np.nan]}, ValueError, "`values`.*NaN"),
    ("bars", {"errors": [1]}, ValueError, "`errors`"),
    ("bars", {"errors": [1, -1]}, ValueError, "`errors`.*at least 0"),
    ("training_curves", {"histories": {}}, ValueError, "`histories`"),
    ("training_curves", {"histories": {"a": []}}, ValueError, r"histories\['a'\]"),
    ("training_curves", {"histories": 3}, TypeError, "`histories`.*History"),
    ("training_curves", {"histories": {"a": [3]}}, TypeError, "History"),
    ("training_curves", {"metric": "los"}, ValueError, "did you mean 'loss'"),
    ("training_curves", {"histories": history([1, np.nan])}, ValueError, "NaN"),
    (
        "training_curves",
        {"histories": {"a": [history([1, 2]), history([1])]}},
        ValueError,
        r"histories\['a'\].*2, 1 epochs",
    ),
    ("image_grid", {"images": []}, ValueError, "`images`.*empty"),
    ("image_grid", {"images": np.zeros((8, 8))}, ValueError, r"image\[None\]"),
    ("image_grid", {"images": np.zeros((8, 8, 3))}, ValueError, r"image\[None\]"),
    ("image_grid", {"images": np.zeros((2, 8, 8, 5))}, ValueError, "`images`"),
    ("image_grid", {"images": np.full((2, 8, 8), 7.0)}, ValueError, "0 to 1"),
    ("image_grid", {"images": np.full((2, 8, 8), 300)}, ValueError, "0 to 255"),
    ("image_grid", {"images": np.full((2, 8, 8), np.nan)}, ValueError, "NaN"),
    ("image_grid", {"labels": ["a"]}, ValueError, "`labels`.*3 texts"),
    ("image_grid", {"columns": 0}, ValueError, "`columns`"),
    ("image_grid", {"columns": 2.0}, TypeError, "`columns`"),
    ("image_grid", {"masks": np.zeros((3, 4, 4), bool)}, ValueError, "`masks`"),
    ("image_grid", {"masks": np.full((3, 8, 8), 5)}, ValueError, "`masks`.*booleans"),
    ("explorable", {"curves": [1, 2]}, TypeError, "`curves`.*dict"),
    ("explorable", {"curves": {}}, ValueError, "`curves`.*at least one"),
    ("explorable", {"curves": {1: {"a": [1, 2, 3]}}}, ValueError, r"curves\[1\]"),
    (
        "explorable",
        {"curves": {1: {"a": [1, 2]}, 2: {"b": [1, 2]}}},
        ValueError,
        r"`curves\[2\]`.*\['a'\].*\['b'\]",
    ),
    ("explorable", {"start": 3}, ValueError, "`start`.*1, 20"),
    ("explorable", {"setting": ""}, ValueError, "`setting`"),
    ("explorable", {"alt": ""}, ValueError, "`alt`"),
]


@pytest.mark.parametrize(("name", "changes", "error", "message"), WRONG)
def test_wrong_arguments_are_named(name, changes, error, message):
    with pytest.raises(error, match=message):
        make(name, **changes)


def test_what_can_be_explored_has_the_same_axes_and_a_table_of_medians():
    limits = []
    share = plots._share_axes

    def spy(figures):
        share(figures)
        limits.extend((f.axes[0].get_xlim(), f.axes[0].get_ylim()) for f in figures)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plots, "_share_axes", spy)
        figure = make("explorable", start=20)
    assert limits[0] == limits[1]
    assert limits[0][1][0] <= 1
    assert limits[0][1][1] >= 48
    page = BeautifulSoup(figure._repr_html_(), "html.parser")
    images = page.select(".cd-panel img")
    assert [image["alt"] for image in images] == [
        "Slope 1. line goes from 1 to 2.",
        "Slope 20. line goes from 22 to 44.",
    ]
    for image in images:
        data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
        size = Image.open(io.BytesIO(data)).size
        assert size[0] == 2 * int(image["width"])
        assert abs(size[1] - 2 * int(image["height"])) <= 1
        assert image["width"] == "672"
    rows = [[c.text for c in row.select("th, td")] for row in page.select("tr")]
    assert rows == [
        ["Slope", "Layer", "line"],
        ["1", "1", "1"],
        ["1", "2", "2"],
        ["20", "1", "22"],
        ["20", "2", "44"],
    ]
    chosen = [button.has_attr("checked") for button in page.select("input")]
    assert chosen == [False, True]


def test_a_notebook_shows_a_figure_once_with_its_alternative_text():
    draw = (
        "plots.lines([1, 2], {'a': [1, 2]}, xlabel='x', ylabel='y', title='t', "
        "alt='A rising line.')"
    )
    cells = [
        f"from course_utils import plots\n{draw}",
        f"%matplotlib inline\n{draw}",
        f"import matplotlib.pyplot as plt\nfigure = {draw}",
        f"{draw};",
        f"from IPython.display import display\ndisplay({draw})",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(c) for c in cells]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert [len(output) for output in outputs] == [1, 1, 0, 0, 1]
    for index in (0, 1, 4):
        (output,) = outputs[index]
        assert set(output.data) == {"image/png", "text/plain"}
        assert output.metadata["image/png"]["alt"] == "A rising line."
        assert output.metadata["image/png"]["width"] == 672
        assert output.data["text/plain"] == "A rising line."


def test_plots_need_no_framework():
    # The module itself must not pull Keras in: `setup` has to come before it.
    source = sys.modules["course_utils.plots"].__file__
    with open(source, encoding="utf-8") as file:
        assert "import keras" not in file.read()
