"""Lesson 12: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

import contextlib
import io
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import solutions_of
from lesson_code import SEEDS, cells_of
from scipy import ndimage

from course_utils import gradients, interpret, judge, load, nets, plots, pretrained

import keras  # isort: skip
from keras import ops  # isort: skip

SIZE, LAYER = 64, "block_3b_expand_norm"
LESSON = Path(__file__).parents[1] / "lessons" / "12_feature_visualization.md"
cell_with = cells_of("12_feature_visualization")


def run_cell(text, names, start=None, end=None):
    """Run a cell, or a part of it, and return what it printed."""
    source = cell_with(text)
    if start is not None:
        source = source[source.index(start) :]
    if end is not None:
        source = source[: source.index(end)]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(source, names)
    return printed.getvalue()


@pytest.fixture(scope="module")
def names(needs_real_images):
    """The names of the lesson, on smaller images and with fewer filters."""
    data = load(
        "cats_vs_dogs", train=60, validation=0, test=0, image_size=SIZE, dtype="uint8"
    )
    needs_real_images(data)
    net = pretrained.load(
        "efficientnet-lite0", include_top=False, input_shape=(SIZE, SIZE, 3)
    )
    part = keras.Model(net.input, net.get_layer(LAYER).output)
    height, width, channels = part.output.shape[1:]
    frame = np.ones((SIZE, SIZE), bool)
    frame[8:-8, 8:-8] = False
    found = {
        **{"np": np, "keras": keras, "ops": ops, "ndimage": ndimage, "plots": plots},
        **{"gradients": gradients, "interpret": interpret, "judge": judge},
        **{"size": SIZE, "layer": LAYER, "net": net, "part": part, "steps": 20},
        **{"height": height, "width": width, "frame": frame},
        "photographs": data.x_train,
        "filters": np.linspace(0, channels - 1, 6).astype(int),
        "course": SimpleNamespace(pick=lambda smoke, quick, full: quick),
    }
    for text in ("def responses_of(", "def variants(", "def scores(", "def alike("):
        end = "\n\ndeviations = " if "variants" in text else None
        run_cell(text, found, end=end)
    found["deviations"] = found["compared_with"](data.x_train, part)
    return found


@pytest.fixture(scope="module")
def found(names):
    """Pictures of the four ways, and their scores, one row a seed."""
    run_cell("recipes = {", names)
    names["judged"] = {
        way: names["scores"](names["deviations"], pictures)
        for way, pictures in names["found"].items()
    }
    return names


def response(rows, variant):
    return rows[variant][:, 0]


def found_again(rows, variant):
    return rows[variant][:, 1]


# --- Parameters -----------------------------------------------------------------------


def test_the_first_convolutions_of_xception_have_exact_parameters():
    names = {"nets": nets, "interpret": interpret}
    printed = run_cell("xception = nets.xception(", names)
    counts = [int(line.split()[-1].replace(",", "")) for line in printed.splitlines()]
    assert counts == [864, 18_432, 8_768, 17_536, 8_192, 33_920]


def test_what_the_lesson_offers_for_xception_runs(monkeypatch):
    """Without its weights, which need a network, and with one step."""
    text = LESSON.read_text(encoding="utf-8")
    (offered,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    monkeypatch.setattr(pretrained, "_with_weights", lambda build, *_: build())
    one_step = SimpleNamespace(visualize=partial(interpret.visualize, steps=1))
    names = {"pretrained": pretrained, "interpret": one_step, "plots": plots}
    names |= {"size": 96, "shape": (96, 96, 3), "colors": np.eye(3)}
    exec(offered, names)
    assert names["seen"].images.shape == (8, 96, 96, 3)
    part = keras.Model(
        names["xception"].input, names["xception"].get_layer(names["seen"].layer).output
    )
    again = ops.convert_to_numpy(part(names["seen"].images))[:, 1:-1, 1:-1]
    means = again.mean(axis=(1, 2))[np.arange(8), names["seen"].filters]
    np.testing.assert_allclose(names["seen"].scores, means, rtol=1e-3, atol=1e-4)


# --- The plain ascent -----------------------------------------------------------------


@pytest.fixture(scope="module")
def climbs(names):
    """The lesson's own ascent from other noise, once a seed."""
    own = dict(names)
    run_cell("def response(", own)
    run_cell("def ascend(", own)
    slope_at = gradients.gradient_function(own["response"])
    runs = []
    for seed in SEEDS:
        noise = np.random.default_rng(seed).standard_normal((1, SIZE, SIZE, 3))
        runs.append(own["ascend"](slope_at, 127.5 + 5 * noise, 20))
    return SimpleNamespace(runs=runs, slope_at=slope_at, wanted=own["wanted"])


def test_the_response_grows_and_the_pixels_stay_in_range(climbs):
    for images, responses in climbs.runs:
        assert len(images) == 21
        assert responses[-1] > 2.5 * responses[0]
        assert responses[-1] > responses[5] > responses[0]
        assert images[-1].min() >= 0
        assert images[-1].max() <= 255
        first_step = images[1] - images[0]
        assert np.isclose(np.sqrt((first_step**2).mean()), 3, rtol=1e-3)


def test_the_picture_leaves_photographs_behind_and_loses_much_when_moved(names, climbs):
    best = names["deviations"](names["photographs"])[:, climbs.wanted].max()
    for images, _ in climbs.runs:
        z = {
            name: names["deviations"](image)[0, climbs.wanted]
            for name, image in names["variants"](images[-1]).items()
        }
        assert z["at rest"] > 2 * best
        assert z["moved"] < 0.9 * z["at rest"]
        assert z["blurred"] < 0.9 * z["at rest"]


def test_the_response_comes_back_on_the_grid_of_the_strides(names, climbs):
    own = dict(names)
    own["wanted"] = climbs.wanted
    for own["images"], _ in climbs.runs:
        run_cell("shifts = range(", own, end="print(")
        by_shift = own["by_shift"]
        off_the_grid = by_shift[[1, 2, 3, 5, 6, 7]]
        assert off_the_grid.max() < by_shift[0]
        assert by_shift[8] > 1.1 * off_the_grid[3:].max()
        assert by_shift[4] > 1.1 * by_shift[[3, 5]].max()


def test_behind_a_relu6_there_may_be_nothing_to_climb():
    clipped = keras.layers.ReLU(6.0)
    values = np.array([-1.0, 3.0, 7.0], "float32")
    _, slope = gradients.value_and_gradient(
        lambda x: ops.sum(clipped(x)), values, compile=False
    )
    np.testing.assert_array_equal(slope, [0, 1, 0])


# --- Spot the bug: each pixel on its own ----------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("side", [1, 5, 20])
def test_normalizing_each_pixel_makes_a_step_of_the_sides_length(seed, side):
    names = {"np": np, "ops": ops}
    run_cell("def step_with_a_bug(", names, end="\n\nfor side")
    shape = (1, side, side, 3)
    slope = np.random.default_rng(seed).normal(0, 0.01, shape).astype("float32")
    assert np.isclose(np.linalg.norm(names["step_with_a_bug"](slope)), side, rtol=1e-4)
    unit_step = solutions_of.run_cell(
        solutions_of.canonical(LESSON.stem, "filters.normalize"), "<normalize>"
    )["unit_step"]
    assert np.isclose(np.linalg.norm(unit_step(slope)), 1, rtol=1e-4)


def test_the_bug_moves_pixels_that_hardly_matter(names, climbs):
    own = dict(names)
    run_cell("def step_with_a_bug(", own, end="\n\nfor side")
    frame = names["frame"]
    for images, _ in climbs.runs:
        _, slope = climbs.slope_at(images[0])
        shares = []
        for step in (slope, own["step_with_a_bug"](slope)):
            energy = (step[0] ** 2).sum(axis=-1)
            shares.append(energy[frame].sum() / energy.sum())
        assert shares[0] < 0.5 * frame.mean()
        assert np.isclose(shares[1], frame.mean(), rtol=1e-3)


# --- Four ways ------------------------------------------------------------------------


def test_every_way_leaves_photographs_behind(found):
    photographs = found["deviations"](found["photographs"])[:, found["filters"]]
    best = np.median(photographs.max(axis=0))
    for rows in found["judged"].values():
        for variant in rows:
            assert (response(rows, variant) > 1.5 * best).all(), variant


def test_the_raw_way_is_highest_at_rest_and_lowest_when_moved(found):
    judged = found["judged"]
    for way in ("jitter", "waves", "colors"):
        gap = response(judged["raw"], "at rest") - response(judged[way], "at rest")
        assert (gap > 0).all(), way
        gap = response(judged["raw"], "moved") - response(judged[way], "moved")
        assert np.mean(gap) < 0, way


def test_jitter_keeps_the_response_of_a_moved_picture(found):
    kept = {
        way: response(rows, "moved") / response(rows, "at rest")
        for way, rows in found["judged"].items()
    }
    assert (kept["raw"] < 0.8).all()
    for way in ("jitter", "waves", "colors"):
        assert (kept[way] > 0.75).all(), way
        assert (kept[way] > kept["raw"] + 0.1).all(), way


def test_waves_and_colors_score_no_better_than_jitter(found):
    jitter = response(found["judged"]["jitter"], "moved").mean()
    for way in ("waves", "colors"):
        mean = response(found["judged"][way], "moved").mean()
        assert mean < 1.2 * jitter, way


def test_a_trained_networks_filters_are_found_again(found):
    for rows in found["judged"].values():
        assert (found_again(rows, "moved") > 0.8).all()


# --- The edge -------------------------------------------------------------------------


def test_without_a_border_the_edge_takes_part(found):
    printed = run_cell("with_edge = [", found)
    shares = [float(word.strip("%,")) / 100 for word in printed.split() if "%" in word]
    at_edge, energy, at_edge_without, energy_without = shares[:4]
    assert at_edge > found["ring"].mean()
    assert at_edge_without < 0.1
    assert energy > 1.5 * energy_without


# --- Seeds ----------------------------------------------------------------------------


@pytest.mark.parametrize(("way", "most"), [("raw", 0.2), ("colors", 0.7)])
def test_two_seeds_are_other_images_and_the_same_to_the_network(found, way, most):
    for one, other in ((0, 1), (0, 2), (1, 2)):
        first, second = found["found"][way][one], found["found"][way][other]
        pixels = np.diag(found["alike"](first, second)).mean()
        table = found["alike"](found["of_others"](first), found["of_others"](second))
        assert pixels < most
        assert np.diag(table).mean() > max(0.8, pixels)
        assert (table.argmax(axis=1) == np.arange(len(table))).mean() > 0.8


# --- The shuffled network -------------------------------------------------------------


def test_a_shuffled_network_is_exposed_by_moving_its_pictures(found):
    run_cell("shuffled = judge.randomized(", found)
    raw, colors = (
        found["scores"](found["shuffled_deviations"], found["shuffled_found"][way])
        for way in ("raw", "colors")
    )
    photographs = found["shuffled_deviations"](found["photographs"])
    best = np.median(photographs[:, found["filters"]].max(axis=0))
    assert (response(raw, "at rest") > 1.5 * best).all()
    assert (found_again(raw, "at rest") > 0.8).all()
    assert (response(raw, "moved") < 0.3 * response(raw, "at rest")).all()
    assert (found_again(raw, "moved") <= 0.5).all()
    trained = found["judged"]["colors"]
    assert (response(colors, "moved") < 0.5 * response(trained, "moved")).all()


# --- Spot the bug: one compiled function for each filter ------------------------------


def test_eight_filters_are_traced_eight_times_or_once():
    names = {"np": np, "keras": keras, "ops": ops, "gradients": gradients}
    names["noise"] = np.random.default_rng(0).uniform(0, 255, (1, 96, 96, 3))
    run_cell("def slopes_with_a_bug(", names)
    run_cell("toy = keras.Sequential(", names)
    assert len(names["runs"]) == 8
    repaired = solutions_of.run_cell(
        solutions_of.canonical(LESSON.stem, "filters.traces"), "<traces>"
    )["slopes_of_filters"]
    names["runs"].clear()
    slopes = repaired(
        names["response_of"], names["noise"][:, :20, :20], range(8), names["compiled"]
    )
    np.testing.assert_allclose(slopes, names["slopes"], rtol=1e-4, atol=1e-7)
    # PyTorch traces nothing: the function runs at each call.
    torch = keras.backend.backend() == "torch"
    assert len(names["runs"]) == (8 if torch else 1)
