"""Lesson 05: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of, each_seed, functions_in

from course_utils import blocks, costs, fit, load, restart

import keras  # isort: skip
from keras import layers, ops  # isort: skip

cell_with = cells_of("05_separable_convolution")


@pytest.fixture(scope="module")
def lesson():
    """Give the functions that the lesson defines, and its images, as one object."""
    names = {"np": np, "keras": keras, "layers": layers, "ops": ops, "costs": costs}
    data = load("cifar10", train=384, validation=0, test=128, image_size=16)
    mean, spread = data.x_train.mean(), data.x_train.std()
    names |= {"data": data, "side": 16}
    names["x_train"] = (data.x_train - mean) / spread
    names["x_test"] = (data.x_test - mean) / spread
    for text in (
        "def convolve(",
        "def run(",
        "def filter_each(",
        "def mix(",
        "by_hand = ",
        "product = ",
        "def parameters_with_a_bug(",
        "def layer_with_a_bug(",
        "def intensity(",
        "def small_net(",
        "def share_of_patterns(",
        "def grouped_convolution(",
        "def grouped_net(",
    ):
        source = cell_with(text)
        if text in ("def share_of_patterns(", "def parameters_with_a_bug("):
            source = source.split("\n\n\n")[0]
        exec(source, names)
    exec(functions_in(cell_with("def stack(")), names)
    for name in ("correlations", "typical"):
        source = cell_with(f"def {name}(")
        start = source.index(f"def {name}(")
        exec(source[start:].split("\n\n\n")[0], names)
    return SimpleNamespace(**names, names=names)


# --- The three convolutions by hand ---------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [1, 3, 4])
def test_the_convolutions_by_hand_are_those_of_the_layers(lesson, seed, size):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(7, 6, 4)).astype("float32")
    kernel = rng.normal(size=(size, size, 4, 3)).astype("float32")
    patterns = rng.normal(size=(size, size, 4, 1)).astype("float32")
    weights = rng.normal(size=(1, 1, 4, 3)).astype("float32")
    filtered = lesson.filter_each(image, patterns)
    layer = layers.SeparableConv2D(3, size, use_bias=False)
    layer.build((None, *image.shape))
    layer.set_weights([patterns, weights])
    for ours, keras_own in [
        (lesson.convolve(image, kernel), ops.conv(image[None], kernel)),
        (filtered, ops.depthwise_conv(image[None], patterns)),
        (lesson.mix(image, weights), ops.conv(image[None], weights)),
        (lesson.mix(filtered, weights), layer(image[None])),
        (lesson.convolve(image, patterns * weights), layer(image[None])),
    ]:
        theirs = ops.convert_to_numpy(keras_own)[0]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_cells_say_that_all_are_the_same(lesson, capsys):
    names = dict(lesson.names)
    for text in ("filtered = run(", "mixed = run(", "by_hand = ", "product = "):
        exec(cell_with(text), names)
    said = capsys.readouterr().out.splitlines()
    assert [line.endswith("same: True") for line in said] == [True] * 4


def test_a_separable_kernel_has_rank_one_for_each_channel(lesson):
    assert lesson.share_of_patterns(lesson.product, 1) == pytest.approx(1)
    assert lesson.share_of_patterns(lesson.kernel, 1) < 0.9


# --- Counting -------------------------------------------------------------------------


def test_five_channels_and_three_filters_have_exact_counts(lesson, capsys):
    exec(cell_with('("ordinary", layers.Conv2D(3, 3)'), dict(lesson.names))
    numbers = [int(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert numbers == [138, 68, 63]


def test_the_opening_counts_are_those_of_the_layers():
    inputs = keras.Input((4, 4, 512))
    sizes = [
        keras.Model(inputs, layer(512, 3)(inputs)).count_params()
        for layer in (layers.Conv2D, layers.SeparableConv2D)
    ]
    assert sizes == [2_359_808, 267_264]


@pytest.mark.parametrize(
    ("channels", "filters", "size"), [(5, 3, 3), (32, 128, 3), (16, 4, 5)]
)
def test_the_ratio_of_parameters_and_operations_is_that_of_the_formula(
    channels, filters, size
):
    inputs = keras.Input((8, 8, channels))
    pair, plain = (
        keras.Model(
            inputs, layer(filters, size, padding="same", use_bias=False)(inputs)
        )
        for layer in (layers.SeparableConv2D, layers.Conv2D)
    )
    ratio = 1 / filters + 1 / size**2
    assert pair.count_params() / plain.count_params() == pytest.approx(ratio)
    assert costs.flops(pair) / costs.flops(plain) == pytest.approx(ratio)


@pytest.mark.parametrize(("filters", "quoted"), [(128, "0.12"), (4, "0.36")])
def test_the_ratios_the_prose_quotes(filters, quoted):
    inputs = keras.Input((8, 8, 16))
    pair, plain = (
        keras.Model(inputs, layer(filters, 3, use_bias=False)(inputs)).count_params()
        for layer in (layers.SeparableConv2D, layers.Conv2D)
    )
    assert f"{pair / plain:.2f}" == quoted
    (lesson,) = (Path(__file__).parents[1] / "lessons").glob("05_*.md")
    text = " ".join(lesson.read_text(encoding="utf-8").split())
    assert f"{filters} filters the ratio is {quoted}" in text


# --- The two bugs ---------------------------------------------------------------------


def test_the_formula_with_a_bug_is_right_by_accident_only(lesson):
    agrees = []
    for channels, filters, m in [(64, 64, 1), (64, 128, 1), (128, 64, 1), (64, 64, 2)]:
        layer = layers.SeparableConv2D(filters, 3, depth_multiplier=m)
        layer.build((None, 8, 8, channels))
        formula = lesson.parameters_with_a_bug(channels, filters, 3, m)
        agrees.append(layer.count_params() == formula)
    assert agrees == [True, False, False, False]


def test_the_cheap_layer_mixes_no_channels(lesson, capsys):
    exec(cell_with("noticed = "), dict(lesson.names))
    first, second = capsys.readouterr().out.splitlines()
    assert "4 of 64" in first
    assert "64 of 64" in second
    assert lesson.cheap.output.shape == lesson.proper.output.shape
    assert lesson.cheap.count_params() == 640
    assert lesson.proper.count_params() == 1_232


# --- Time -----------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
def test_with_few_channels_the_time_does_not_follow_the_operations(lesson, training):
    def excess(channels):
        """By how much the ratio of the times exceeds that of the operations."""
        options = {"padding": "same", "use_bias": False}
        models = [
            lesson.stack(lambda n, kind=kind: kind(n, 3, **options), channels)
            for kind in (layers.SeparableConv2D, layers.Conv2D)
        ]
        pair, plain = (
            costs.latency(model, 16, training, repeats=50) / costs.flops(model)
            for model in models
        )
        return pair / plain

    # Whatever else the machine does disturbs single times: a median, and more of them
    # where that is not enough.
    found = []
    while len(found) < 9 and (not found or np.median(found) <= 1.5):
        found += [excess(channels) for channels in (8, 12, 16)]
    assert np.median(found) > 1.5, found


# --- Arithmetic intensity -------------------------------------------------------------


def intensities(lesson, name, counts):
    make = lesson.makers[name]
    return [lesson.intensity(lesson.stack(make, n, count=1)) for n in counts]


def test_more_channels_do_not_raise_the_intensity_of_depthwise(lesson):
    few, many = intensities(lesson, "depthwise 3×3", (16, 128))
    assert few == pytest.approx(many)
    assert 2.1 < few < 2.25


@pytest.mark.parametrize("name", ["ordinary 3×3", "pointwise"])
def test_more_channels_raise_the_intensity_of_the_others(lesson, name):
    depthwise = intensities(lesson, "depthwise 3×3", (128,))[0]
    few, many = intensities(lesson, name, (16, 128))
    assert many > 3 * few
    assert many > 8 * depthwise


def test_the_formula_for_the_ordinary_convolution(lesson):
    n, k, s = 32, 3, lesson.side
    (measured,) = intensities(lesson, "ordinary 3×3", (n,))
    moved = 4 * (2 * s**2 * n + k**2 * n * n)
    assert measured == pytest.approx(2 * s**2 * k**2 * n * n / moved)


# --- Correlated channels, separable kernels -------------------------------------------


@pytest.fixture(scope="module")
def trained(lesson):
    """Train the lesson's small net for each seed: kernels before, after, features."""

    def build():
        model = lesson.small_net()
        lesson.compile_for_training(model)
        return model

    def kernels():
        return [net.get_layer(f"conv_{i}").get_weights()[0] for i in (1, 2, 3)]

    found, net = [], build()
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        restart(net, build)
        before = kernels()
        fit(net, lesson.x_train, lesson.data.y_train, epochs=6, curve=False)
        found.append((before, kernels(), lesson.features(net)))
    return found


def test_deep_features_are_not_independent(lesson, trained):
    for _, _, features in trained:
        for maps in features:
            assert 0.05 < lesson.typical(lesson.correlations(maps)) < 0.6


def test_colors_of_photographs_are_more_correlated_than_deep_features(
    lesson, trained, needs_real_images
):
    needs_real_images(lesson.data)
    colors = lesson.typical(lesson.correlations(lesson.x_test))
    assert colors > 0.7
    for _, _, features in trained:
        for maps in features:
            assert lesson.typical(lesson.correlations(maps)) < 0.7 * colors


def test_correlations_tell_copies_from_strangers(lesson):
    rng = np.random.default_rng(0)
    first = rng.normal(size=(4, 20, 20, 1))
    strangers = rng.normal(size=(4, 20, 20, 1))
    table = lesson.correlations(np.concatenate([first, -2 * first, strangers], -1))
    assert table[0, 1] == pytest.approx(-1)
    assert abs(table[0, 2]) < 0.1


def test_random_kernels_are_not_separable_and_training_helps_a_little(lesson, trained):
    for before, after, _ in trained:
        for i in (1, 2):
            start = lesson.share_of_patterns(before[i], 1)
            end = lesson.share_of_patterns(after[i], 1)
            assert 0.2 < start < 0.24
            assert start < end < 0.7
            assert lesson.share_of_patterns(after[i], 9) == pytest.approx(1)


# --- From Inception to Xception -------------------------------------------------------


@pytest.mark.parametrize("groups", [1, 2, 4, 8, 16, 32])
def test_each_doubling_of_the_groups_halves_the_spatial_kernels(lesson, groups):
    inputs = keras.Input((8, 8, 32))
    for function in (lesson.grouped_convolution, blocks.grouped_convolution):
        model = keras.Model(inputs, function(inputs, 32, groups=groups))
        assert model.count_params() == 1_024 + 9_216 // groups + 32


@pytest.mark.parametrize("groups", [1, 4, 8])
def test_the_printed_function_is_the_package_function(lesson, groups):
    built = []
    for function in (lesson.grouped_convolution, blocks.grouped_convolution):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((6, 6, 4))
        built.append(keras.Model(inputs, function(inputs, 8, groups=groups)))
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype("float32")
    printed, packaged = (model.predict_on_batch(x) for model in built)
    np.testing.assert_allclose(printed, packaged, rtol=1e-5, atol=1e-6)


def test_112_filters_make_the_separable_net_as_large_as_the_ordinary_one(lesson):
    ordinary = lesson.grouped_net(32, 1).count_params()
    assert abs(lesson.grouped_net(112, 112).count_params() / ordinary - 1) < 0.05
    assert lesson.grouped_net(32, 32).count_params() < 0.25 * ordinary


@pytest.fixture(scope="module")
def results(lesson, needs_real_images):
    """Train three nets for each seed: a row of (last training loss, test accuracy)."""
    needs_real_images(lesson.data)
    data = load("cifar10", train=384, validation=0, test=1000, image_size=16)
    mean, spread = data.x_train.mean(), data.x_train.std()
    x_train, x_test = (data.x_train - mean) / spread, (data.x_test - mean) / spread
    found = {}
    for size in [(32, 1), (32, 32), (112, 112)]:
        model = lesson.grouped_net(*size)
        lesson.compile_for_training(model)
        found[size] = []
        for _ in each_seed(model):
            options = {"epochs": 5, "batch_size": 32, "verbose": 0}
            history = model.fit(x_train, data.y_train, **options).history
            _, accuracy = model.evaluate(x_test, data.y_test, verbose=0)
            found[size].append((history["loss"][-1], accuracy))
    return {size: np.transpose(rows) for size, rows in found.items()}


def test_with_a_fifth_of_the_weights_the_accuracy_hardly_falls(results):
    (loss, accuracy), (least_loss, most) = results[32, 32], results[32, 1]
    assert (accuracy > 0.2).all()  # guessing has 0.1
    assert accuracy.mean() > most.mean() - 0.05
    assert 0 < (loss - least_loss).mean() < 0.2  # a little higher


def test_at_equal_size_the_separable_net_fits_better(results):
    assert (results[112, 112][0] < results[32, 1][0]).all()
