"""Lesson 06: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of, each_seed

from course_utils import blocks, costs, gradients, load, nets, records

import keras  # isort: skip
from keras import layers, ops  # isort: skip

cell_with = cells_of("06_mini_xception")


@pytest.fixture(scope="module")
def lesson():
    """Give the functions that the lesson defines as one object."""
    names = {"np": np, "keras": keras, "layers": layers}
    for text in (
        "def plain_convnet(",
        "def separable_block(",
        "def mini_xception(",
        "def body_with_a_bug(",
        "def standard_error(",
        "def report_with_a_bug(",
        "def classify_with_a_bug(",
        "def xception(",
    ):
        cell = cell_with(text)
        start = "def " if "import partial" not in cell else "from "
        exec(
            cell[cell.index(start) :].split("\n\n\nfor ")[0].split("\n\n\nmodel")[0],
            names,
        )
    return SimpleNamespace(**names)


def trained_parameters(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


# --- Exact numbers --------------------------------------------------------------------


def test_mini_xception_has_exact_parameters_and_a_map_of_six(lesson):
    for model in (lesson.mini_xception(), nets.mini_xception()):
        assert model.count_params() == 721_857
        assert trained_parameters(model) == 718_849
        first = next(x for x in model.layers if isinstance(x, layers.Conv2D))
        assert first.count_params() == 2_400
        last = [x for x in model.layers if len(x.output.shape) == 4][-1]
        assert last.output.shape[1:] == (6, 6, 512)


def test_the_lessons_plain_convnet_is_the_packages(lesson):
    ours, kept = (
        lesson.plain_convnet(input_shape=(80, 80, 3)),
        nets.plain_convnet(input_shape=(80, 80, 3)),
    )
    ours.set_weights(kept.get_weights())
    x = np.random.default_rng(0).uniform(0, 255, (2, 80, 80, 3))
    np.testing.assert_allclose(
        ours.predict_on_batch(x), kept.predict_on_batch(x), rtol=1e-6
    )


def test_the_plain_convnet_has_nine_maps_and_exact_parameters(lesson):
    model = nets.plain_convnet()
    assert model.count_params() == lesson.plain_convnet().count_params() == 991_041
    kinds = (layers.Conv2D, layers.MaxPooling2D)
    maps = [x.output.shape for x in model.layers if isinstance(x, kinds)]
    assert [shape[1] for shape in maps] == [178, 89, 87, 43, 41, 20, 18, 9, 7]
    largest = max(x.count_params() for x in model.layers)
    assert largest > model.count_params() / 2


def test_ordinary_convolutions_cost_almost_seven_times_the_parameters():
    ordinary = nets.mini_xception(separable=False)
    assert 6 < ordinary.count_params() / 721_857 < 7
    assert costs.flops(ordinary) > 5 * costs.flops(nets.mini_xception())


def test_the_bug_leaves_half_a_network(lesson):
    for filters in [(32, 64, 128, 256, 512), (512,)]:
        model = lesson.body_with_a_bug(filters, (180, 180, 3))
        assert model.count_params() == 304_897
        last = [x for x in model.layers if len(x.output.shape) == 4][-1]
        assert last.output.shape[1:3] == (88, 88)


# --- The printed code is the package's ------------------------------------------------


def equal_models(build_ours, build_theirs, shape):
    built = []
    for build in (build_ours, build_theirs):
        keras.utils.set_random_seed(0)
        built.append(build())
    ours, theirs = built
    for first, second in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    rng = np.random.default_rng(1)
    weights = [rng.uniform(0.2, 1, w.shape) for w in ours.get_weights()]
    x = rng.uniform(0, 255, (3, *shape)).astype("float32")
    for model in built:
        model.set_weights([w / max(1, w.size) ** 0.4 for w in weights])
    np.testing.assert_allclose(
        ours.predict_on_batch(x), theirs.predict_on_batch(x), rtol=1e-5
    )
    y = np.zeros((3, *ours.output.shape[1:]), "float32")
    slopes = [gradients.weight_gradients(m, x, y, "mse")[1].values() for m in built]
    for first, second in zip(*slopes, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("side", [8, 9])
def test_the_printed_block_is_the_package_block(lesson, side):
    def build(block):
        inputs = keras.Input((side, side, 4))
        return keras.Model(inputs, block(inputs, 6))

    equal_models(
        lambda: build(lesson.separable_block),
        lambda: build(blocks.separable_block),
        (side, side, 4),
    )


def test_the_printed_net_is_the_package_net(lesson):
    ours = lesson.mini_xception(input_shape=(24, 24, 3))
    theirs = nets.mini_xception(input_shape=(24, 24, 3))
    theirs.set_weights(ours.get_weights())
    x = np.random.default_rng(0).uniform(0, 255, (4, 24, 24, 3))
    np.testing.assert_allclose(
        ours.predict_on_batch(x), theirs.predict_on_batch(x), rtol=1e-5
    )
    assert np.ptp(ours.predict_on_batch(x)) > 0


def test_the_printed_xception_is_the_library_xception(lesson):
    shape = {"input_shape": (71, 71, 3)}
    ours = lesson.xception(**shape)
    library = keras.applications.Xception(weights=None, **shape)
    assert ours.count_params() == library.count_params() == 22_910_480
    assert ours.count_params() - ours.layers[-1].count_params() == 20_861_480
    rng = np.random.default_rng(0)
    ranges = {"gamma": (0.8, 1.2), "moving_variance": (0.3, 0.6)}
    weights = [
        rng.uniform(*ranges.get(v.path.rpartition("/")[2], (-0.1, 0.1)), v.shape)
        if len(v.shape) == 1
        else value
        for v, value in zip(library.weights, library.get_weights(), strict=True)
    ]
    for model in (ours, library):
        model.set_weights(weights)
    x = rng.uniform(-1, 1, (2, 71, 71, 3)).astype("float32")
    x[1] = np.linspace(-1, 1, 71)[:, None, None]  # one of noise, one of gray stripes
    features = []
    for model in (ours, library):
        pooled = keras.Model(model.input, model.layers[-2].output)
        features.append(ops.convert_to_numpy(pooled(x, training=False)))
    assert features[0].shape == (2, 2048)
    assert np.abs(features[1][0] - features[1][1]).max() > 1e-3
    np.testing.assert_allclose(*features, rtol=1e-4, atol=1e-6)


def test_the_middle_flow_has_more_than_half_of_the_parameters():
    inputs = keras.Input((5, 5, 728))
    outputs = blocks.separable_block(
        inputs, [728] * 3, strides=1, normalization="after"
    )
    block = keras.Model(inputs, outputs)
    assert trained_parameters(block) == 1_613_976
    assert 8 * block.count_params() == 12_946_752 > 22_910_480 / 2


# --- Augmentation ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_augmentation_changes_images_in_training_only(seed):
    augment = nets.augmentation(seed=seed)
    x = np.random.default_rng(seed).uniform(0, 255, (8, 16, 16, 3)).astype("float32")
    same = ops.convert_to_numpy(augment(x, training=False))
    np.testing.assert_array_equal(same, x)
    changed = ops.convert_to_numpy(augment(x, training=True))
    assert changed.shape == x.shape
    assert (np.abs(changed - x).max((1, 2, 3)) > 1).mean() > 0.5
    again = ops.convert_to_numpy(augment(x, training=True))
    assert np.abs(again - changed).max() > 1


@pytest.mark.parametrize("seed", SEEDS)
def test_empty_corners_are_filled_from_the_image(seed):
    augment = nets.augmentation(seed=seed)
    gray = np.full((8, 16, 16, 3), 200, "float32")
    changed = ops.convert_to_numpy(augment(gray, training=True))
    np.testing.assert_allclose(changed, 200, rtol=1e-4)


# --- The live ablation ----------------------------------------------------------------


@pytest.fixture(scope="module")
def last_losses():
    """Train small versions of the three networks for each seed; the last losses."""
    data = load(
        "cats_vs_dogs",
        train=128,
        validation=0,
        test=0,
        image_size=24,
        dtype="uint8",
    )
    found = {}
    for name, options in {
        "mini": {},
        "no residual": {"residual": False},
        "no normalization": {"normalization": False},
    }.items():
        model = nets.mini_xception(
            input_shape=(24, 24, 3), filters=(8, 16, 32, 64), dropout=0, **options
        )
        model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")
        found[name] = []
        for _ in each_seed(model):
            run = model.fit(
                data.x_train, data.y_train[:, None], epochs=6, batch_size=32, verbose=0
            )
            found[name].append(run.history["loss"][-1])
    return {name: np.array(losses) for name, losses in found.items()}


def test_without_normalization_training_takes_longer_to_begin(last_losses):
    assert (last_losses["no normalization"] > 0.6).all()
    assert (last_losses["mini"] < last_losses["no normalization"] - 0.05).all()


def test_without_shortcuts_a_normalized_net_of_this_depth_still_learns(last_losses):
    assert (last_losses["no residual"] < last_losses["no normalization"] - 0.03).all()


# --- Chance ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_standard_error_is_the_spread_of_measured_accuracies(lesson, seed):
    rng = np.random.default_rng(seed)
    for accuracy in (0.5, 0.8, 0.9):
        measured = rng.binomial(1000, accuracy, 4000) / 1000
        np.testing.assert_allclose(
            measured.std(), lesson.standard_error(accuracy), rtol=0.06
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_of_fifty_epochs_is_nearly_three_points_too_good(lesson, seed):
    rng = np.random.default_rng(seed)
    reports = [
        lesson.report_with_a_bug(*rng.binomial(1000, 0.80, size=(2, 50)) / 1000)
        for _ in range(500)
    ]
    assert 0.825 < np.mean(reports) < 0.83


# --- Rescaled twice -------------------------------------------------------------------


@pytest.fixture(scope="module")
def bright_or_dark(lesson):
    """Train a net on bytes, and on pixels from 0 to 1, for each seed; see both used.

    Class 1 is brighter. Each entry: the labels, the net's answers to what it was
    trained on, and those through the lesson's helper.
    """
    model = nets.mini_xception(input_shape=(12, 12, 3), filters=(8, 8), dropout=0)
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    start = model.get_weights()
    found = {}
    for divisor in (1, 255):
        for seed in SEEDS:
            rng = np.random.default_rng(seed)
            y = np.arange(32) % 2
            x = rng.integers(0, 120, (32, 12, 12, 3)) + 120 * y[:, None, None, None]
            model.set_weights([rng.permuted(w, axis=None) for w in start])
            pixels = (x / divisor).astype("float32")
            model.fit(pixels, y[:, None], epochs=20, batch_size=8, verbose=0)
            usual = model.predict_on_batch(pixels)[:, 0]
            helped = [
                lesson.classify_with_a_bug(model, image) for image in x.astype("uint8")
            ]
            found[divisor, seed] = y, usual, np.array(helped)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_pixels_rescaled_twice_get_nearly_one_answer(bright_or_dark, seed):
    y, usual, helped = bright_or_dark[1, seed]
    assert ((usual > 0.5) == y).mean() > 0.9
    assert np.ptp(helped) < 0.1 * np.ptp(usual)
    assert ((helped > 0.5) == y).mean() < 0.7


@pytest.mark.parametrize("seed", SEEDS)
def test_a_net_that_is_trained_on_dark_pixels_gets_used_to_them(bright_or_dark, seed):
    y, usual, helped = bright_or_dark[255, seed]
    assert ((usual > 0.5) == y).mean() > 0.9
    np.testing.assert_allclose(helped, usual, atol=1e-3)


# --- Recorded runs --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [n for n in records.names() if n.startswith("cats_vs_dogs/")] or [None]
)
def test_a_recorded_run_is_of_the_net_that_the_lesson_names(name):
    if name is None:
        pytest.skip("nothing is recorded yet")
    record = records.load(name)
    (profile,) = {run["profile"] for run in record.runs}
    assert profile in ("quick", "full")  # never a rehearsal
    assert record.recipe["data"]["image_size"] == {"quick": 80, "full": 180}[profile]
    assert len(record.metrics["test_accuracy"]) == len(record.seeds)
    assert all(0.5 <= value <= 1 for value in record.metrics["test_accuracy"])


def test_the_recorded_runs_say_what_the_lesson_says():
    """Replace these claims, and the lesson's words, when other runs are recorded."""
    mini, plain, augmented = (
        records.load(f"cats_vs_dogs/{name}")
        for name in ("mini_xception", "plain_convnet", "plain_convnet_augmented")
    )
    assert len(mini.seeds) >= 3
    lowest = min(mini.metrics["test_accuracy"])
    ends = {
        record.name: [run["curves"]["val_accuracy"][-1] for run in record.runs]
        for record in (mini, plain, augmented)
    }
    for other in (plain, augmented):
        assert len(other.seeds) >= 3
        best = max(other.metrics["test_accuracy"])
        assert lowest - best > 2 * np.sqrt(best * (1 - best) / 1000)
        assert min(ends[mini.name]) > max(ends[other.name])
    # The figure's text: about 80, about 72, and the augmented lower with a wide range.
    means = [np.mean(ends[record.name]) for record in (mini, plain, augmented)]
    assert 0.78 < means[0] < 0.82
    assert 0.71 < means[1] < 0.74
    assert means[2] < means[1]
    assert np.ptp(ends[augmented.name]) > 2 * np.ptp(ends[plain.name])
    # Lower on average, but not settled: the ranges overlap.
    varied, unvaried = (r.metrics["test_accuracy"] for r in (augmented, plain))
    assert np.mean(varied) < np.mean(unvaried)
    assert max(varied) > min(unvaried)
    losses = [[r["curves"]["loss"][-1] for r in x.runs] for x in (plain, augmented)]
    assert min(losses[1]) > max(losses[0])
    for run in (*plain.runs, *augmented.runs):  # little to protect from
        held_out = run["curves"]["val_loss"]
        assert held_out[-1] - min(held_out) < 0.03
    gaps = [
        [r["curves"]["val_loss"][-1] - r["curves"]["loss"][-1] for r in x.runs]
        for x in (plain, augmented)
    ]
    assert min(gaps[0]) > max(gaps[1])  # where overfitting begins
    assert {run["profile"] for run in plain.runs} == {"quick"}
    assert plain.recipe["epochs"] == 15


def test_the_full_size_runs_say_what_the_lesson_says():
    """Replace these claims, and the lesson's words, when other runs are recorded."""
    plain, mini = (
        records.load(f"cats_vs_dogs/{name}_brief")
        for name in ("plain_convnet", "mini_xception")
    )
    for record in (plain, mini):
        assert record.recipe["data"]["image_size"] == 180
        assert record.seeds == [0]
        assert record.recipe["augmented"]
        assert record.recipe["batch_size"] == 16
    assert (plain.recipe["epochs"], mini.recipe["epochs"]) == (50, 60)
    assert plain.recipe["learning_rate"] < mini.recipe["learning_rate"]
    assert plain.recipe["schedule"] == "one_cycle"
    spent = [record.runs[0]["seconds"] for record in (plain, mini)]
    assert 50 < spent[0] / 60 < 60
    assert 80 < spent[1] / 60 < 90
    rise, fast = (np.array(r.curves["val_accuracy"][0]) for r in (plain, mini))
    ahead = fast[: len(rise)] > rise
    assert ahead[38:].all()
    assert not ahead[37]
    assert np.count_nonzero(ahead[1:] != ahead[:-1]) >= 10  # the lines cross often
    jumps, steps = (np.abs(np.diff(line[3:40])).mean() for line in (fast, rise))
    assert jumps > 2 * steps
    assert np.ptp(fast[-8:]) < 0.01  # it levels off
    (grown,), (end,) = (r.metrics["test_accuracy"] for r in (plain, mini))
    assert grown >= 0.83  # the course's aim for the plain net at full size
    apart = (end - grown) / np.sqrt(sum(p * (1 - p) / 1000 for p in (grown, end)))
    assert 2 < apart < 3
    assert mini.curves["accuracy"][0][-1] - fast[-1] > 0.05  # it has begun to overfit
    gains = [
        r.metrics["test_accuracy"][0]
        - np.mean(records.load(f"cats_vs_dogs/{small}").metrics["test_accuracy"])
        for r, small in ((plain, "plain_convnet_augmented"), (mini, "mini_xception"))
    ]
    assert gains[0] > gains[1] > 0.05


def test_the_recorded_parts_say_what_the_lesson_says():
    parts = {
        name.partition("/")[2]: 100
        * np.array(records.load(name).metrics["test_accuracy"])
        for name in records.names()
        if name.startswith("mini_xception_parts/")
    }
    whole, without = parts.pop("mini_xception"), parts.pop("no_normalization")
    assert set(parts) == {"flatten_head", "inner_relu", "no_residual", "no_separable"}
    assert all(len(score) >= 3 for score in (whole, without, *parts.values()))
    # More than guessing, by over four standard errors; all seeds alike; 16 behind.
    assert without.min() - 50 > 4 * 100 * np.sqrt(0.25 / 1000)
    assert np.ptp(without) < 1
    assert whole.mean() - without.mean() == pytest.approx(16, abs=0.5)
    assert 56.5 < without.mean() < 57.5
    # The figure's text: five bars from 70 to 75, their ranges overlapping the whole's.
    for score in (whole, *parts.values()):
        assert 70 < score.mean() < 75
        assert score.min() < whole.max()
        assert score.max() > whole.min()
        # Less than two seeds of the same network differ.
        assert abs(score.mean() - whole.mean()) < np.ptp(whole)
