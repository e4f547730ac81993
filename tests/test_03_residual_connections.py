"""Lesson 03: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of, each_seed

from course_utils import blocks, gradients, load

import keras  # isort: skip
from keras import layers, ops  # isort: skip

cell_with = cells_of("03_residual_connections")


@pytest.fixture(scope="module")
def lesson():
    """Give the functions that the lesson defines, and its images, as one object."""
    data = load("cifar10", train=256, validation=0, test=0, image_size=16)
    names = {"np": np, "keras": keras, "layers": layers, "ops": ops}
    names |= {"gradients": gradients, "blocks": blocks, "y_train": data.y_train}
    names["x_train"] = (data.x_train - data.x_train.mean()) / data.x_train.std()
    names["loss"] = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    names["distances"] = [-1.0, 1.0]
    for text in ("def residual_block(", "def tower(", "def profile(", "def slopes("):
        exec(cell_with(text), names)
    for text, end in [
        ("def show(", "\n\n\n"),
        ("def block_with_a_bug(", "\n\n\n"),
        ("def build_with_a_bug(", "\n\n\n"),
        ("def autocorrelation(", "\n\n\n"),
        ("def direction(", "\n\n\n"),
        ("def loss_along(", "\n\n\n"),
    ]:
        exec(cell_with(text).split(end)[0], names)
    return SimpleNamespace(**names, names=names)


# --- The three cases ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "layer_sizes", "output"),
    [
        (0, {"stem": 896, "conv_1": 9_248, "conv_2": 9_248, "sum": 0}, (30, 30, 32)),
        (
            1,
            {"stem": 896, "conv_1": 18_496, "conv_2": 36_928, "projection": 2_112},
            (30, 30, 64),
        ),
        (
            2,
            {"conv_1": 18_496, "conv_2": 36_928, "projection": 2_112, "pool": 0},
            (15, 15, 64),
        ),
    ],
)
def test_the_three_cases_have_exact_parameters_and_shapes(case, layer_sizes, output):
    names = {"keras": keras, "layers": layers, "show": lambda model: model}
    for text in ["def show(", 'name="projection")(stem)', "strides=2, name="][
        : case + 1
    ]:
        source = cell_with(text)
        source = source.split("\n\n\n")[-1] if "def show" in text else source
        *body, last = source.splitlines()
        exec("\n".join([*body, "model = " + last]), names)
    model = names["model"]
    sizes = {layer.name: layer.count_params() for layer in model.layers}
    assert {name: sizes[name] for name in layer_sizes} == layer_sizes
    assert model.input.shape == (None, 32, 32, 3)
    assert model.output.shape == (None, *output)


@pytest.mark.parametrize(
    ("shape", "filters", "options"),
    [
        ((6, 6, 4), 4, {}),
        ((6, 6, 4), 5, {}),
        ((7, 7, 4), 4, {"pooling": True}),
        ((7, 7, 4), 5, {"pooling": True, "zero_init": True}),
        ((6, 6, 4), 4, {"kernel_initializer": "glorot_uniform"}),
    ],
)
def test_the_printed_block_is_the_package_block(lesson, shape, filters, options):
    built = []
    for block in (lesson.residual_block, blocks.residual_block):
        keras.utils.set_random_seed(0)
        inputs = keras.Input(shape)
        built.append(keras.Model(inputs, block(inputs, filters, **options)))
    printed, packaged = built
    for ours, theirs in zip(printed.get_weights(), packaged.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=w.shape) for w in printed.get_weights()]
    x = rng.normal(size=(3, *shape)).astype("float32")
    for model in built:
        model.set_weights(weights)
    np.testing.assert_allclose(
        printed.predict_on_batch(x), packaged.predict_on_batch(x), rtol=1e-5
    )
    y = np.zeros((3, *printed.output.shape[1:]), "float32")
    slopes = [gradients.weight_gradients(m, x, y, "mse")[1].values() for m in built]
    for ours, theirs in zip(*slopes, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


# --- Signals and gradients by depth ---------------------------------------------------

DEPTH = 12


@pytest.fixture(scope="module")
def by_depth(lesson):
    """Profiles of the lesson's five networks, each (spread, slope), over the seeds."""
    names = lesson.names
    names |= {"depth": DEPTH, "seeds": SEEDS}
    glorot = {"kernel_initializer": "glorot_uniform"}
    return {
        "plain, Glorot": lesson.profile(blocks.plain_block, **glorot),
        "plain, He": lesson.profile(blocks.plain_block),
        "residual, Glorot": lesson.profile(lesson.residual_block, **glorot),
        "residual, He": lesson.profile(lesson.residual_block),
        "residual, zero init": lesson.profile(lesson.residual_block, zero_init=True),
    }


def test_without_shortcuts_and_with_glorot_the_gradient_vanishes(by_depth):
    _, slope = by_depth["plain, Glorot"]
    assert (slope[:, 0] / slope[:, -1] < 0.2).all()
    falls = slope[:, 1:] / slope[:, :-1]
    assert (np.median(falls, axis=1) > 1.5).all()


def test_with_shortcuts_the_gradient_does_not_shrink(by_depth):
    _, slope = by_depth["residual, Glorot"]
    ratio = slope[:, 0] / slope[:, -1]
    assert ((ratio > 1) & (ratio < 100)).all()


def test_he_keeps_the_gradient_of_a_plain_network(by_depth):
    _, slope = by_depth["plain, He"]
    ratio = slope[:, 0] / slope[:, -1]
    assert ((ratio > 0.03) & (ratio < 30)).all()


def test_shortcuts_without_normalization_explode(by_depth):
    spread, _ = by_depth["residual, He"]
    factor = (spread[:, -1] / spread[:, 0]) ** (2 / (DEPTH - 2))
    assert ((factor > 1.2) & (factor < 1.7)).all()  # 25 blocks: hundreds


def test_a_zero_start_is_flat(by_depth):
    spread, _ = by_depth["residual, zero init"]
    np.testing.assert_allclose(spread, spread[:, :1] + 0 * spread, rtol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_main_path_has_about_twice_the_mean_square_of_its_input(seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((16, 16, 64))
    x = blocks.plain_block(inputs, 64, activation="relu")
    model = keras.Model(inputs, x)
    model.layers[-1].activation = keras.activations.linear
    maps = np.random.default_rng(seed).normal(size=(8, 16, 16, 64))
    maps = np.maximum(maps, 0).astype("float32")
    ratio = (model.predict_on_batch(maps) ** 2).mean() / (maps**2).mean()
    assert 1.2 < ratio < 2.8


@pytest.mark.parametrize("seed", SEEDS)
def test_zeros_in_both_kernels_would_never_move(seed):
    x = np.random.default_rng(seed).uniform(0, 1, (4, 6, 6, 3)).astype("float32")
    for initializer, moves in (("zeros", False), ("he_normal", True)):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((6, 6, 3))
        block = blocks.residual_block(
            inputs, 3, kernel_initializer=initializer, zero_init=True
        )
        model = keras.Model(inputs, block)
        _, slopes = gradients.weight_gradients(model, x, 0 * x, "mse")
        first, _, last, _ = slopes.values()
        assert not first.any()
        assert last.any() == moves
        weights = [
            w - 0.1 * slope
            for w, slope in zip(model.get_weights(), slopes.values(), strict=True)
        ]
        model.set_weights(weights)
        _, slopes = gradients.weight_gradients(model, x, 0 * x, "mse")
        assert next(iter(slopes.values())).any() == moves


# --- Shattered gradients --------------------------------------------------------------


def test_deep_plain_slopes_are_noise_and_small_branches_are_not(lesson):
    def alike(depth, scale):
        walks = [lesson.slopes(depth, seed, scale) for seed in SEEDS]
        return np.array([lesson.autocorrelation(walk)[1] for walk in walks])

    one, plain = alike(1, None), alike(24, None)
    full, small = alike(50, 1.0), alike(50, 0.1)
    assert (one > 0.9).all()
    assert (np.abs(plain) < 0.2).all()
    assert (small > 0.55).all()
    assert (full < 0.35).all()
    assert (full > plain).mean() > 0.5


def test_slopes_are_those_of_the_function(lesson):
    """A walk without standardized layers has a piecewise constant slope."""
    walk = lesson.slopes(1, 0)
    rng = np.random.default_rng(0)
    rng.normal(0, 0.1, (0, 2, 200, 200))
    first, bias, last = rng.normal(size=(3, 1, 200)).astype("float32")
    active = lesson.line * first + bias > 0
    np.testing.assert_allclose(walk, (active * first * last).sum(1), rtol=1e-3)


# --- Training -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(lesson):
    """Train the lesson's three networks for each seed; loss, and loss far away.

    The deep ones have 24 layers in place of the lesson's 32, and only kernels train:
    Adam's work on many small variables is half of compiling.
    """
    kinds = {
        "plain 8": (blocks.plain_block, 8),
        "plain 24": (blocks.plain_block, 24),
        "residual 24": (blocks.residual_block, 24),
    }
    found = {}
    x, y = lesson.x_train, lesson.y_train
    for name, (block, depth) in kinds.items():
        options = {"pooling_at": (0, 1), "normalization": True}
        model = lesson.tower(block, depth - 2, **options)
        for variable in model.trainable_variables:
            variable.trainable = variable.path.endswith("kernel")
        model.compile(keras.optimizers.Adam(0.005), lesson.loss)
        found[name] = []
        for seed in each_seed(model):
            run = model.fit(x, y, epochs=3, batch_size=32, verbose=0)
            far = lesson.loss_along(model, seed) if depth > 8 else []
            found[name].append((run.history["loss"][-1], far))
    return found


def last_losses(trained, name):
    return np.array([loss for loss, _ in trained[name]])


def test_a_deep_plain_network_trains_worse_than_a_shallow_one(trained):
    assert (last_losses(trained, "plain 24") > last_losses(trained, "plain 8")).all()


def test_shortcuts_end_the_degradation(trained):
    residual = last_losses(trained, "residual 24")
    assert (residual < last_losses(trained, "plain 24") - 0.2).all()
    assert (residual < last_losses(trained, "plain 8")).mean() > 0.5


def test_far_from_the_trained_weights_the_plain_loss_is_higher(trained):
    far = {
        name: np.median([(values[0], values[-1]) for _, values in runs], axis=1)
        for name, runs in trained.items()
        if name != "plain 8"
    }
    assert (far["plain 24"] > 5 * far["residual 24"]).all()


# --- Is the input preserved? ----------------------------------------------------------


def run_cells(lesson, *texts):
    names = dict(lesson.names)
    for text in texts:
        exec(cell_with(text), names)
    return SimpleNamespace(**names)


def test_a_main_path_can_erase_its_input(lesson):
    found = run_cells(lesson, "eraser = ")
    assert found.x.min() > 0
    assert found.total == 0.0
    assert not found.gradient.any()
    assert not found.eraser.predict_on_batch(found.x).any()


def test_a_strided_projection_reads_a_quarter(lesson, capsys):
    found = run_cells(lesson, "def positions_read(", "unread = ")
    read = found.positions_read(found.projection)
    assert read.mean() == 0.25
    assert read[::2, ::2].all()
    assert found.positions_read(found.whole).all()
    assert found.unread.sum() == 675
    assert np.abs(found.difference).max() == 0
    assert np.abs(found.noisy - found.maps).max() > 1


# --- The three bugs -------------------------------------------------------------------


def test_valid_pooling_gives_seven_where_the_shortcut_gives_eight(lesson, capsys):
    lesson.block_with_a_bug(keras.Input((30, 30, 3)), 8)
    with pytest.raises(ValueError, match=r"\b8\b"):
        lesson.block_with_a_bug(keras.Input((15, 15, 3)), 8)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "main path (15, 15), shortcut (15, 15)",
        "main path (7, 7), shortcut (8, 8)",
    ]


def test_the_loop_bug_leaves_one_block(lesson):
    sizes = {
        lesson.build_with_a_bug(
            blocks.residual_block, filters, (32, 32, 3)
        ).count_params()
        for filters in [(16,), (32, 16), (64, 32, 16)]
    }
    assert sizes == {4_026}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_softmax_over_one_unit_knows_one_answer(seed):
    keras.utils.set_random_seed(seed)
    x = np.random.default_rng(seed).normal(size=(8, 16)).astype("float32")
    y = np.array([[0.0], [1.0]] * 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = keras.Sequential(
            [keras.Input((16,)), layers.Dense(1, activation="softmax")]
        )
        np.testing.assert_allclose(head.predict_on_batch(x), 1, atol=1e-6)
        _, slopes = gradients.weight_gradients(head, x, y, lambda y, p: p)
        assert max(np.abs(slope).max() for slope in slopes.values()) < 1e-6
        _, slopes = gradients.weight_gradients(head, x, y, "binary_crossentropy")
    largest = max(np.abs(slope).max() for slope in slopes.values())
    if keras.backend.backend() == "tensorflow":  # it computes from the score
        assert largest > 1e-3
    else:
        assert largest == 0
