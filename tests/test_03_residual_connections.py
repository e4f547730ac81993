"""Lesson 03: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import solutions_of
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


def test_parameters_that_the_text_names():
    """Those of exercises 1 and 5, and of the quiz."""
    count = solutions_of.canonical("03_residual_connections", "residual.count")
    answer = solutions_of.run_cell(count, "<count>")["answer"]
    inputs = keras.Input((20, 20, 48))
    block = blocks.residual_block(inputs, 96, pooling=True)
    model = keras.Model(inputs, block)
    assert model.count_params() == answer
    assert block.shape == (None, 10, 10, 96)
    assert 100_000 < answer < 150_000
    sizes = [layer.count_params() for layer in model.layers]
    assert sum(size > 0 for size in sizes) == 3

    inputs = keras.Input((28, 28, 64))
    block = blocks.residual_block(inputs, 64, pooling=True)
    assert block.shape == (None, 14, 14, 64)
    sizes = [layer.count_params() for layer in keras.Model(inputs, block).layers]
    assert sorted(size for size in sizes if size) == [4_160, 36_928, 36_928]

    answer = solutions_of.canonical(
        "03_residual_connections", "residual.pre_activation"
    )
    block = solutions_of.run_cell(answer, "<block>")["pre_activation_block"]
    for filters, size in [(6, 684), (10, 1_562)]:
        inputs = keras.Input((8, 8, 6))
        weights = keras.Model(inputs, block(inputs, filters)).trainable_weights
        assert sum(np.prod(weight.shape) for weight in weights) == size


# --- Signals and gradients by depth ---------------------------------------------------

DEPTH = 50


def one_model_for_all_seeds(tower):
    """Build once, which costs most: later calls shuffle the numbers of each kernel."""
    models, rng = {}, np.random.default_rng(0)

    def another_start(*arguments, **options):
        key = repr((arguments, options))
        if key not in models:
            models[key] = tower(*arguments, **options)
        else:
            start = models[key].get_weights()
            models[key].set_weights([rng.permuted(w, axis=None) for w in start])
        return models[key]

    return another_start


@pytest.fixture(scope="module")
def by_depth(lesson):
    """Profiles of four of the lesson's networks, each (spread, slope), over seeds."""
    names = {**lesson.names, "depth": DEPTH, "seeds": SEEDS}
    names |= {"x_train": lesson.x_train[:8], "y_train": lesson.y_train[:8]}
    names["tower"] = one_model_for_all_seeds(lesson.tower)
    exec(cell_with("def profile("), names)
    profile, residual_block = names["profile"], lesson.residual_block
    glorot = {"kernel_initializer": "glorot_uniform"}
    return {
        "plain, Glorot": profile(blocks.plain_block, **glorot),
        "plain, He": profile(blocks.plain_block),
        "residual, Glorot": profile(residual_block, **glorot),
        "residual, He": profile(residual_block),
    }


def test_without_shortcuts_and_with_glorot_the_gradient_vanishes(by_depth):
    _, slope = by_depth["plain, Glorot"]
    assert (slope[:, 0] / slope[:, -1] < 1e-6).all()
    falls = slope[:, 1:] / slope[:, :-1]
    assert (np.median(falls, axis=1) > 1.5).all()


def test_with_shortcuts_the_gradient_grows_by_ten_to_fifty(by_depth):
    _, slope = by_depth["residual, Glorot"]
    ratio = slope[:, 0] / slope[:, -1]
    assert 10 < np.median(ratio) < 50
    assert ((ratio > 5) & (ratio < 100)).all()


def test_he_keeps_the_gradient_of_a_plain_network(by_depth):
    spread, slope = by_depth["plain, He"]
    ratio = slope[:, 0] / slope[:, -1]
    assert ((ratio > 0.05) & (ratio < 20)).all()
    powers = np.log10(spread.max(axis=1) / spread.min(axis=1))
    assert (powers < 2.5).all()


def test_shortcuts_without_normalization_explode(by_depth):
    spread, _ = by_depth["residual, He"]
    assert (spread[:, -1] / spread[:, 0] > 500).all()
    middle = spread.shape[1] // 2
    for half in (spread[:, : middle + 1], spread[:, middle:]):
        factor = (half[:, -1] / half[:, 0]) ** (1 / (half.shape[1] - 1))
        assert ((factor > 1.15) & (factor < 3**0.5)).all()  # less than 1 + 2, rooted


def test_a_zero_start_is_flat(lesson):
    lesson.names.update(depth=10, seeds=SEEDS)
    spread, _ = lesson.profile(lesson.residual_block, zero_init=True)
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
    assert (np.abs(plain) < 0.4).all()
    assert np.abs(plain).mean() < 0.2
    assert (small > 0.55).all()
    assert (full < 0.45).all()
    assert full.mean() > plain.mean()


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
    """Train the lesson's three networks: size, and losses, near and far, by seed.

    On fewer images than the lesson's, and only kernels train: Adam's work on many
    small variables is half of compiling.
    """
    kinds = {
        "plain 8": (blocks.plain_block, 8),
        "plain 32": (blocks.plain_block, 32),
        "residual 32": (blocks.residual_block, 32),
    }
    sizes, found = {}, {}
    x, y = lesson.x_train, lesson.y_train
    for name, (block, depth) in kinds.items():
        options = {"pooling_at": (0, 1), "normalization": True}
        model = lesson.tower(block, depth - 2, **options)
        sizes[name] = model.count_params()
        for variable in model.trainable_variables:
            variable.trainable = variable.path.endswith("kernel")
        model.compile(keras.optimizers.Adam(0.002), lesson.loss)
        found[name] = []
        for seed in each_seed(model):
            run = model.fit(x, y, epochs=6, batch_size=32, verbose=0)
            far = lesson.loss_along(model, seed) if depth > 8 else []
            found[name].append((run.history["loss"][-1], far))
    return SimpleNamespace(sizes=sizes, runs=found)


def last_losses(trained, name):
    return np.array([loss for loss, _ in trained.runs[name]])


def test_the_two_deep_networks_differ_by_two_projections(trained):
    plain, residual = trained.sizes["plain 32"], trained.sizes["residual 32"]
    assert residual - plain == 2 * (16 * 16 + 4 * 16)  # each with its normalization
    assert residual / plain < 1.01
    assert 10_000 < plain < 100_000


def test_a_deep_plain_network_trains_worse_than_a_shallow_one(trained):
    assert (last_losses(trained, "plain 32") > last_losses(trained, "plain 8")).all()


def test_shortcuts_end_the_degradation(trained):
    residual = last_losses(trained, "residual 32")
    for plain in (last_losses(trained, f"plain {depth}") for depth in (8, 32)):
        assert (residual < plain).all()
        assert residual.mean() < plain.mean() - 0.3


def test_far_from_the_trained_weights_the_plain_loss_is_higher(trained):
    plain, residual = (
        np.median([(values[0], values[-1]) for _, values in trained.runs[name]], axis=1)
        for name in ("plain 32", "residual 32")
    )
    assert (plain > 10 * residual).all()
    assert (residual > 10 * np.log(10)).all()  # much worse than guessing


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
