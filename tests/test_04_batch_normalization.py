"""Lesson 04: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of

from course_utils import blocks, gradients, load, nets

import keras  # isort: skip
from keras import layers, ops  # isort: skip

cell_with = cells_of("04_batch_normalization")
IMAGES = 384


def base_names():
    names = {"np": np, "keras": keras, "layers": layers, "ops": ops, "nets": nets}
    return names | {"gradients": gradients, "blocks": blocks}


def run_cells(names, *texts):
    names = dict(names)
    for text in texts:
        exec(cell_with(text), names)
    return SimpleNamespace(**names)


@pytest.fixture(scope="module")
def lesson():
    """Give the functions that the lesson defines, and its images, as one object."""
    data = load("cifar10", train=IMAGES, validation=0, test=256, image_size=16)
    names = base_names() | {"data": data, "seeds": SEEDS, "count": IMAGES}
    names["loss"] = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    names |= {"center": data.x_train.mean(), "scale": data.x_train.std()}
    names["scaled"] = lambda pixels: (pixels - names["center"]) / names["scale"]
    names |= {"x_train": names["scaled"](data.x_train), "y_train": data.y_train}
    names |= {"x_test": names["scaled"](data.x_test), "y_test": data.y_test}
    for text in ("def convnet(", "def start_anew(", "def tower(", "def recalibrate("):
        exec(cell_with(text).split("\n\n\ntrain(")[0], names)
    exec(cell_with("def accuracy(").split("\n\n\n")[0], names)
    return SimpleNamespace(**names, names=names)


@pytest.fixture(scope="module")
def shallow(lesson):
    """Small networks of the lesson's kind, built and compiled once."""
    return SimpleNamespace(
        plain=lesson.convnet(3),
        normalized=lesson.convnet(3, lesson.normalize),
        behind=lesson.convnet(3, after=lesson.normalize),
    )


def over_seeds(function):
    return np.array([function(seed) for seed in SEEDS])


# --- The algorithm --------------------------------------------------------------------


def test_the_algorithm_by_hand_is_the_layer():
    found = run_cells(
        base_names(),
        "gamma = np.array(",
        "from_layer = ",
        "mean of the batch:",
        "at_inference = ",
    )
    np.testing.assert_allclose(found.y, found.from_layer, atol=1e-5)
    np.testing.assert_allclose(found.y.mean(axis=0), found.beta, atol=1e-5)
    np.testing.assert_allclose(found.y.std(axis=0), found.gamma, rtol=3e-3)
    np.testing.assert_allclose(found.by_hand, found.at_inference, atol=1e-5)
    assert np.abs(found.at_inference - found.from_layer).max() > 1
    run_cells(vars(found), "after 101 batches:")
    warm = ops.convert_to_numpy(found.layer(found.x, training=False))
    np.testing.assert_allclose(warm, found.from_layer, atol=1e-2)


@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.99])
@pytest.mark.parametrize("seed", SEEDS)
def test_running_statistics_keep_a_share_of_momentum(seed, momentum):
    x = np.random.default_rng(seed).normal(2, 3, (8, 5, 5, 3)).astype("float32")
    layer = layers.BatchNormalization(momentum=momentum)
    layer(x, training=True)
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    moving = [ops.convert_to_numpy(v) for v in layer.non_trainable_variables]
    np.testing.assert_allclose(moving[0], (1 - momentum) * mean, rtol=1e-4)
    kept = momentum + (1 - momentum) * variance  # the batch's own variance, by n
    np.testing.assert_allclose(moving[1], kept, rtol=1e-4)


def test_32_channels_have_128_parameters_of_which_64_train():
    found = run_cells(base_names(), "layer.build((None, 28, 28, 32))")
    assert found.layer.count_params() == 128
    assert found.trainable == 64


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ported_average_remembers_nothing(seed):
    names = base_names() | {"rng": np.random.default_rng(seed)}
    source = cell_with("def update_with_a_bug(").replace("range(200)", "range(90)")
    exec(source, names)
    ported, from_keras = np.array([names["ported"], names["from_keras"]])[:, 40:]
    assert np.std(ported) > 2 * np.std(from_keras)
    assert abs(ported.mean() - 3) < 0.3
    assert abs(from_keras.mean() - 3) < 0.3


# --- Dead biases ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bias_before_the_layer_has_no_gradient(seed):
    keras.utils.set_random_seed(seed)
    names = base_names() | {"rng": np.random.default_rng(seed)}
    slopes = run_cells(names, "bias_initializer=").slopes
    largest = {path: np.abs(slope).max() for path, slope in slopes.items()}
    assert largest["conv/bias"] < 1e-5
    assert largest["conv/kernel"] > 1e-3
    assert largest["norm/beta"] > 1e-3


def test_the_classic_resnet50_has_26560_dead_biases():
    found = run_cells(base_names(), "resnet = nets.resnet50(")
    assert found.dead == 26_560
    assert found.kept == 53_120
    for layer in found.resnet.layers:  # each convolution feeds a normalization only
        if isinstance(layer, layers.Conv2D):
            (reader,) = (node.operation for node in layer._outbound_nodes)
            assert isinstance(reader, layers.BatchNormalization)


def test_the_bottleneck_of_exercise_3_has_379392_trainable_parameters():
    inputs = keras.Input((8, 8, 256))
    x = inputs
    for filters, size in [(128, 1), (128, 3), (512, 1)]:
        x = layers.Conv2D(filters, size, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
    side = layers.Conv2D(512, 1, use_bias=False)(inputs)
    model = keras.Model(inputs, x + layers.BatchNormalization()(side))
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trainable == 379_392


# --- Training -------------------------------------------------------------------------


def test_it_lowers_the_loss_and_allows_a_rate_of_1(lesson, shallow):
    def last(model, rate):
        return over_seeds(lambda s: lesson.train(model, rate, seed=s, epochs=3)[-1])

    plain = {rate: last(shallow.plain, rate) for rate in (0.1, 3)}
    normalized = {rate: last(shallow.normalized, rate) for rate in (0.1, 1, 10)}
    assert (normalized[0.1] < plain[0.1]).all()
    assert (normalized[1] < plain[0.1]).all()
    assert (np.nan_to_num(plain[3], nan=9.0) > 2.25).all()
    assert (np.nan_to_num(normalized[10], nan=9.0) > 2.25).all()


def test_it_makes_depth_trainable_at_each_rate(lesson):
    def last(model):
        """Loss in the end, a row a rate; a net that broke has learned nothing."""
        rows = [
            over_seeds(lambda s, r=rate: lesson.train(model, r, seed=s, epochs=3)[-1])
            for rate in (0.1, 0.3, 1)
        ]
        return np.nan_to_num(rows, nan=np.log(10))

    plain = last(lesson.convnet(9)).min(axis=0)  # each seed at its best rate
    assert (plain > 2.2).all()  # guessing has 2.30
    assert (last(lesson.convnet(9, lesson.normalize)) < plain - 0.05).all()


def test_behind_the_relu_it_trains_a_little_faster(lesson, shallow):
    before, after = (
        over_seeds(lambda s, m=model: lesson.train(m, 0.1, seed=s, epochs=3)[-1])
        for model in (shallow.normalized, shallow.behind)
    )
    assert (after < before - 0.05).all()  # seed by seed
    assert after.max() < before.min()  # the ranges do not overlap


def test_with_it_the_gradient_holds_further(lesson, shallow):
    walk = lesson.names | {
        "course": SimpleNamespace(pick=lambda **sizes: sizes["quick"])
    }
    exec(cell_with("def along_gradient("), walk)
    walk["steps"] = np.array([0.0, 0.03, 1.5])
    found = {}
    for name in ("plain", "normalized"):
        model = getattr(shallow, name)
        slopes_of = gradients.weight_gradient_function(
            model, lesson.loss, training=True
        )
        found[name] = over_seeds(
            lambda s, model=model, of=slopes_of: walk["along_gradient"](model, of, s)
        )
    assert (found["plain"][:, 0] == 0).all()
    for changes in found.values():
        assert (changes[:, 1] < 0).all()  # near by, both keep the promise
    assert (found["normalized"][:, 2] < found["plain"][:, 2] - 0.1).all()


# --- Depth at the start ---------------------------------------------------------------


def test_a_relu_and_a_normalization_make_a_factor_of_1_21():
    z = np.random.default_rng(0).normal(size=10**6)
    variance = np.maximum(z, 0).var()
    assert abs(variance - (0.5 - 1 / (2 * np.pi))) < 0.003
    assert round(np.sqrt(0.5 / (0.5 - 1 / (2 * np.pi))), 2) == 1.21
    assert round(np.pi / (np.pi - 1), 2) == 1.47


def test_alone_it_makes_gradients_explode_and_with_shortcuts_it_does_not(lesson):
    names = dict(lesson.names)
    exec(cell_with("def profile(").replace("seeds[:2]", "seeds"), names)

    def growth(block, depth, **options):
        """Factors by which the gradient grows from block to block, a row a seed."""
        rows = names["profile"](block, depth, **options)
        return rows[:, :-1] / rows[:, 1:]

    plain = growth(blocks.plain_block, 8).prod(axis=1) ** (1 / 6)
    assert plain.mean() < 1.1
    normalized = growth(blocks.plain_block, 8, normalization=True)
    a_layer = normalized.prod(axis=1) ** (1 / 6)
    assert 1.12 < a_layer.mean() < 1.3
    assert a_layer.mean() > plain.mean() + 0.05
    # With shortcuts less, and the deeper the block, the less.
    residual = growth(blocks.residual_block, 20, normalization=True)
    assert (residual.prod(axis=1) ** (1 / 18)).mean() < a_layer.mean() - 0.05
    first, last = residual[:, :4].prod(axis=1), residual[:, -4:].prod(axis=1)
    assert np.log(last / first).mean() < -0.2


# --- Where it fails -------------------------------------------------------------------


def test_cold_statistics_lose_accuracy_and_a_few_batches_bring_it_back(lesson):
    cold = lesson.convnet(3, lambda x: layers.BatchNormalization(momentum=0.99)(x))
    x, y = lesson.x_test, lesson.y_test
    shares = {"cold": [], "batch": [], "mended": []}
    for seed in SEEDS:
        for layer in cold.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = 0.99
        lesson.train(cold, 0.3, seed=seed, epochs=6)
        shares["cold"].append(lesson.accuracy(cold, x, y))
        shares["batch"].append(lesson.accuracy(cold, x, y, training=True))
        lesson.recalibrate(cold, lesson.x_train, batches=20)
        shares["mended"].append(lesson.accuracy(cold, x, y))
    cold, batch, mended = (np.array(shares[k]) for k in ("cold", "batch", "mended"))
    assert batch.mean() > cold.mean() + 0.01
    assert mended.mean() > cold.mean() + 0.01


def test_reading_an_accuracy_leaves_the_model_alone(lesson, shallow):
    before = shallow.normalized.get_weights()
    lesson.accuracy(shallow.normalized, lesson.x_test, lesson.y_test, training=True)
    for old, new in zip(before, shallow.normalized.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_sorted_batches_open_a_gap_that_group_normalization_has_not(lesson, shallow):
    grouped = lesson.convnet(3, lambda x: layers.GroupNormalization(groups=4)(x))
    names = lesson.names | {"normalized": shallow.normalized, "grouped": grouped}
    source = cell_with("gaps = {}").split("gaps = {}")[0]
    source = "\n".join(s for s in source.splitlines() if "grouped =" not in s)
    exec(source, names)
    model, x, y = shallow.normalized, names["x_sorted"], names["y_train"]
    mixed = names["together"]
    found = []
    for seed in SEEDS:
        gaps = {}
        for order, places in (("sorted", slice(None)), ("mixed", mixed)):
            options = {"x": x[places], "y": y[places], "shuffle": False}
            last = lesson.train(model, 0.1, seed=seed, epochs=6, **options)[-1]
            at_inference = model.evaluate(x[places], y[places], verbose=0)
            gaps[order] = at_inference - last
        found.append(gaps["sorted"] - gaps["mixed"])
    assert min(found) > 0
    assert np.mean(found) > 0.08
    lesson.start_anew(grouped, 0)
    scores = [grouped(x[:8], training=mode) for mode in (True, False)]
    np.testing.assert_allclose(*map(ops.convert_to_numpy, scores), atol=1e-5)


def test_batches_of_two_do_not_break_it_here(lesson, shallow):
    model, x, y = shallow.normalized, lesson.x_train[:192], lesson.y_train[:192]
    for seed in SEEDS:
        options = {"epochs": 3, "batch_size": 2, "x": x, "y": y}
        first, *_, last = lesson.train(model, 0.02, seed=seed, **options)
        assert last < first - 0.05
        assert model.evaluate(x, y, verbose=0) < np.log(10)


# --- Freezing -------------------------------------------------------------------------


def test_trainable_freezes_the_statistics_and_a_mode_in_the_call_does_not():
    names = base_names()
    exec(cell_with("def moved_by_fit(").split("\n\n\nfor ")[0], names)
    moved = names["moved_by_fit"]
    assert moved("nothing") > 0.05
    assert moved("training=False") > 0.05
    assert moved("trainable=False") == 0


def test_statistics_belong_to_a_domain(lesson, shallow):
    model, night = shallow.normalized, lesson.scaled(0.25 * lesson.data.x_train)
    tests = lesson.x_test, lesson.scaled(0.25 * lesson.data.x_test)
    found = []
    for seed in SEEDS:
        lesson.train(model, 0.3, seed=seed, epochs=5)
        frozen = [lesson.accuracy(model, x, lesson.y_test) for x in tests]
        lesson.recalibrate(model, night, batches=20)
        moved = [lesson.accuracy(model, x, lesson.y_test) for x in tests]
        found.append(frozen + moved)
    day, dark, day_after, dark_after = np.transpose(found)
    assert dark.mean() < day.mean() - 0.05
    assert dark_after.mean() > dark.mean() + 0.02
    assert day_after.mean() < day.mean()


# --- The mode in the call -------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mode_baked_in_is_seen_by_a_plain_call_alone(seed):
    rng = np.random.default_rng(seed)
    names = base_names() | {
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "x_train": rng.normal(1, 1, (32, 16, 16, 3)).astype("float32"),
        "y_train": rng.integers(0, 10, 32),
        "x_test": rng.normal(1, 1, (16, 16, 16, 3)).astype("float32"),
    }
    keras.utils.set_random_seed(seed)
    exec(cell_with("def block_with_a_bug("), names)
    baked, x = names["baked"], names["x_test"]

    def ask(scores_of):
        before = ops.convert_to_numpy(baked.get_layer("norm").moving_mean)
        alone, company = scores_of(x[:1]), scores_of(x)[:1]
        after = ops.convert_to_numpy(baked.get_layer("norm").moving_mean)
        return np.abs(company - alone).max(), np.abs(after - before).max()

    change, step = ask(lambda x: baked.predict(x, verbose=0))
    assert change < 1e-4
    assert step == 0
    change, step = ask(lambda x: ops.convert_to_numpy(baked(x, training=False)))
    assert change < 1e-4
    assert step == 0
    change, step = ask(lambda x: ops.convert_to_numpy(baked(x)))
    assert change > 1e-3
    assert step > 1e-3
