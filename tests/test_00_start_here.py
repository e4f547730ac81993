"""Lesson 00: its exact numbers, nearly all about the width of an output.

Keras says how wide an output is, and a gradient which pixels were looked at. The
functions under test are the lesson's own: its cells are run from its Markdown.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import solutions_of
from lesson_code import cells_of, functions_in

from course_utils import check, gradients

import keras  # isort: skip
from keras import layers, ops  # isort: skip

cell_with = cells_of("00_start_here")
TIMES = Path(__file__).parents[1] / "results" / "lesson_times.json"


def canonical(exercise):
    """Return what the canonical answer of an exercise defines."""
    source = solutions_of.canonical("00_start_here", exercise)
    return solutions_of.run_cell(source, f"<{exercise}>")


output_size = canonical("start.output_size")["output_size"]


def width(n, window, stride=1, padding="valid"):
    """How wide Keras makes the output."""
    layer = layers.Conv1D(1, window, strides=stride, padding=padding)
    return layer(keras.Input((n, 1))).shape[1]


def pixels_read(n, window, stride):
    """How many places of the window look at each pixel, by the gradient."""
    ones = np.ones((window, 1, 1), "float32")
    _, gradient = gradients.value_and_gradient(
        lambda x: ops.sum(ops.conv(x, ones, strides=stride)), np.ones((1, n, 1))
    )
    return gradient[0, :, 0]


# --- How wide is the output? ----------------------------------------------------------


def test_widths_that_the_cells_print(capsys):
    names = {"keras": keras, "layers": layers}
    exec(cell_with("for stride in (1, 2, 3)"), names)
    exec(cell_with('for padding in ("valid", "same")'), names)
    assert capsys.readouterr().out.splitlines() == [
        "stride 1: 6 wide",
        "stride 2: 3 wide",
        "stride 3: 2 wide",
        'padding="valid": 6 wide',
        'padding="same": 8 wide',
    ]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5])
def test_the_formula_gives_what_keras_gives(window, stride):
    for n, padding in [(8, 0), (9, 1), (12, 2)]:
        maps = layers.ZeroPadding1D(padding)(keras.Input((n, 1)))
        found = layers.Conv1D(1, window, strides=stride)(maps).shape[1]
        assert output_size(n, window, stride, padding) == found


def test_the_stride_of_2_never_looks_at_the_last_of_8_pixels():
    assert (8 - 3) % 2 == 1
    assert np.flatnonzero(pixels_read(8, 3, stride=2) == 0).tolist() == [7]


def test_windows_that_look_at_every_pixel_with_a_stride_of_2():
    missed = {
        window: np.flatnonzero(pixels_read(8, window, stride=2) == 0).tolist()
        for window in (1, 2, 3, 4, 5)
    }
    assert missed == {1: [1, 3, 5, 7], 2: [], 3: [7], 4: [], 5: [7]}


def test_same_may_pad_one_side_only():
    def zeros_around(window, stride):
        """Count the zeros under the first and the last place of a window of ones."""
        ones = np.ones((window, 1, 1), "float32")
        x = np.ones((1, 8, 1), "float32")
        found = ops.conv(x, ones, strides=stride, padding="same")
        sums = ops.convert_to_numpy(found)[0, :, 0]
        return window - sums[0], window - sums[-1]

    assert zeros_around(3, stride=1) == (1, 1)
    assert zeros_around(3, stride=2) == (0, 1)
    assert zeros_around(4, stride=2) == (1, 1)
    assert zeros_around(5, stride=2) == (1, 2)


@pytest.mark.parametrize("window", [1, 3, 5, 7])
def test_same_keeps_the_width_as_half_of_the_window_does(window):
    assert width(8, window, padding="same") == 8
    assert output_size(8, window, padding=(window - 1) // 2) == 8


def test_filters_set_the_channels_and_not_the_size():
    image = keras.Input((8, 12, 1))
    for filters in (1, 5):
        assert layers.Conv2D(filters, 3)(image).shape == (None, 6, 10, filters)


def test_a_lesson_takes_the_time_and_the_memory_that_it_may():
    times = json.loads(TIMES.read_text(encoding="utf-8"))["lessons"]
    for name, lesson in times.items():
        long = name[:2] in ("06", "10")
        assert lesson["smoke"]["seconds"] <= 20, name
        assert lesson["quick"]["seconds"] <= (240 if long else 120), name
        gibibytes = max(run["memory_mib"] for run in lesson.values()) / 1024
        assert gibibytes <= (6 if name[:2] in ("08", "09", "10") else 4), name


# --- Exercises ------------------------------------------------------------------------


def test_sizes_that_the_hint_names():
    for size, expected in [(output_size(8, 3), 6), (output_size(8, 3, stride=2), 3)]:
        assert size == expected
        assert type(size) is int


def test_each_of_the_two_layers_halves_the_width():
    first = layers.ZeroPadding2D(3)(keras.Input((224, 224, 3)))
    first = layers.Conv2D(4, 7, strides=2)(first)
    second = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(first))
    assert (first.shape[2], second.shape[2]) == (112, 56)
    assert canonical("start.stem_width")["answer"] == 56


def test_three_windows_of_3_give_26_24_and_22():
    maps, found = keras.Input((28, 1)), []
    for _ in range(3):
        maps = layers.Conv1D(1, 3)(maps)
        found.append(maps.shape[1])
    assert found == [26, 24, 22]


def test_the_bug_gives_the_first_width_three_times():
    names = {}
    source = functions_in(cell_with("def widths("))
    exec(source, names)
    assert names["widths"](28, [3, 3, 3]) == [26, 26, 26]
    assert canonical("start.stale_name")["answer"] == "n"
    stale, fresh = (
        "found.append(n - filter_size + 1)",
        "n -= filter_size - 1; found += [n]",
    )
    exec(source.replace(stale, fresh), names)
    assert names["widths"](28, [3, 3, 3]) == [26, 24, 22]


# --- Self-quiz ------------------------------------------------------------------------


def test_padding_that_keeps_the_width_for_a_window_of_5():
    for n in (5, 8, 20):
        assert output_size(n, 5, padding=1) == n - 2
        assert output_size(n, 5, padding=2) == n
        assert output_size(n, 5, padding=4) == n + 4


def test_inputs_that_a_stride_of_2_makes_3_wide():
    fitting = [n for n in range(3, 20) if width(n, 3, stride=2) == 3]
    assert fitting == [7, 8]
    assert width(6, 3, stride=2) == 2
    assert width(9, 3, stride=2) == 4
    assert pixels_read(8, 3, stride=2)[-1] == 0


def test_a_misspelled_name_is_an_error(monkeypatch):
    monkeypatch.delenv("COURSE_CHECK", raising=False)

    def misspelled(n, filter_size, stride=1, padding=0):
        return (n + 2 * padding - fitler_size) // stride + 1  # noqa: F821

    result = check("start.output_size", misspelled)
    assert result.state == "error"
    assert "NameError" in str(result)
