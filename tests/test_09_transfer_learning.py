"""Lesson 09: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of, functions_in

from course_utils import fit, load, pretrained

import keras  # isort: skip
from keras import layers, ops  # isort: skip
from scipy import stats  # isort: skip

SIDE = 64
ROOT = Path(__file__).resolve().parents[1]
LESSON = ROOT / "lessons" / "09_transfer_learning.md"
RECORDED = ROOT / "results" / "printed" / "09_transfer_learning.txt"
cell_with = cells_of("09_transfer_learning")


@pytest.fixture(scope="module")
def lesson():
    """Give the functions that the lesson defines, and its images, as one object."""
    data = load(
        "cats_vs_dogs",
        train=160,
        validation=80,
        test=8,
        image_size=SIDE,
        dtype="uint8",
    )
    names = {"np": np, "keras": keras, "layers": layers, "ops": ops, "stats": stats}
    names |= {"data": data, "fit": fit}
    for text in (
        "def classifier(",
        "def train_head(",
        "def small_model(",
        "def change_late(",
        "def freeze_with_a_bug(",
        "def prepare_with_a_bug(",
        "def compare(",
        "def five_class_net(",
    ):
        exec(functions_in(cell_with(text)), names)
    return SimpleNamespace(**names, names=names)


@pytest.fixture(scope="module")
def net(lesson):
    return pretrained.load("efficientnet-lite0", input_shape=lesson.data.image_shape)


@pytest.fixture(scope="module")
def parts(lesson, net):
    """Run the lesson's own cut; give both parts, and a function that computes."""
    names = {**lesson.names, "net": net}
    exec(cell_with('get_layer("block_6d")'), names)
    lower, upper = names["lower"], names["upper"]

    def features(pixels):
        return upper.predict(lower.predict(pixels, verbose=0), verbose=0)

    return SimpleNamespace(lower=lower, upper=upper, features=features)


@pytest.fixture(scope="module")
def features(lesson, parts):
    data = lesson.data
    return SimpleNamespace(
        train=parts.features(data.x_train), validation=parts.features(data.x_validation)
    )


def accuracy(weights, x, y):
    kernel, bias = weights
    return (((x @ kernel + bias)[:, 0] > 0) == (y == 1)).mean()


@pytest.fixture(scope="module")
def heads(lesson, features):
    """The weights of a classifier for each seed; it is compiled only once."""
    keras.utils.set_random_seed(0)  # the dropout draws its own seed when it is built
    head = lesson.compiled(lesson.classifier(), 0.02)
    start = [np.zeros(w.shape) for w in head.get_weights()]
    found = {}
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        head.set_weights(start)
        x, y = features.train, lesson.data.y_train
        fit(head, x, y, batch_size=80, epochs=10, curve=False)
        found[seed] = head.get_weights()
    return found


# --- Features -------------------------------------------------------------------------


def test_the_two_parts_are_the_whole(lesson, net, parts):
    whole = keras.Model(net.input, net.get_layer("pooling").output)
    x = lesson.data.x_test[:4]
    np.testing.assert_allclose(
        parts.features(x), whole.predict(x, verbose=0), rtol=1e-4, atol=1e-5
    )
    assert parts.upper.output.shape == (None, 1280)


def test_only_1281_numbers_are_trained(lesson, net):
    names = {**lesson.names, "net": net}
    exec(cell_with("def classifier("), names)
    try:
        assert names["size_of"](names["whole"].trainable_weights) == 1_281
        assert names["size_of"](names["whole"].non_trainable_weights) == 3_413_024
    finally:
        net.trainable = True
        for layer in net.layers:
            layer.trainable = True


@pytest.mark.parametrize("seed", SEEDS)
def test_a_new_end_learns_from_the_features(lesson, features, heads, seed):
    """Three standard errors above chance, from 160 labels and images of 64 pixels."""
    y = lesson.data.y_validation
    least = 0.5 + 3 * (0.25 / len(y)) ** 0.5
    assert accuracy(heads[seed], features.validation, y) > least


def test_the_breeds_and_the_cats_are_as_many_as_the_text_says():
    text = cell_with("scores[:, 151:269]")
    assert "scores[:, 281:286]" in text
    assert 269 - 151 == 118
    assert 286 - 281 == 5


def test_with_no_training_the_scores_of_breeds_and_cats_tell_dogs(
    lesson, net, features
):
    """On images of 64 pixels the two lie closer than the lesson's, and yet apart."""
    data = lesson.data
    x = np.concatenate([features.train, features.validation])
    y = np.concatenate([data.y_train, data.y_validation])
    names = {"net": net, "features": {"test": x}, "data": SimpleNamespace(y_test=y)}
    exec(cell_with("scores[:, 151:269]"), names)
    assert names["accuracy"] > 0.55
    dogs, cats = (
        names["scores"][:, of].max(axis=1) for of in (slice(151, 269), slice(281, 286))
    )
    ahead = dogs - cats
    found = stats.mannwhitneyu(ahead[y == 1], ahead[y == 0], alternative="greater")
    assert found.pvalue < 0.001


def test_without_the_weights_of_xception_one_line_says_so(
    lesson, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (block,) = re.findall(
        r"```python\n(.*?)```", LESSON.read_text(encoding="utf-8"), re.DOTALL
    )
    large = SimpleNamespace(image_shape=(144, 144, 3))
    exec(block, {**lesson.names, "pretrained": pretrained, "data": large})
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("No Xception here: the weights of Xception are not here")


# --- The scale of the pixels ----------------------------------------------------------


def test_the_scales_are_what_arrives(lesson, net):
    names = {**lesson.names, "net": net, "lower": None, "upper": None}
    exec(cell_with("def pixels_for("), names)
    scaled = keras.Model(net.input, net.get_layer("scaling").output)
    pixels = lesson.data.x_test[:2].astype("float32")
    for scale in names["scales"].values():
        arriving = scale(pixels)
        found = scaled.predict(names["pixels_for"](arriving), verbose=0)
        np.testing.assert_allclose(found, arriving, atol=1e-4)
    own = names["scales"]["−1 to 1, as trained"](pixels)
    np.testing.assert_allclose(names["pixels_for"](own), pixels, atol=1e-3)


def test_pixels_scaled_twice_destroy_the_answer(lesson, parts, features, heads):
    data = lesson.data
    y = data.y_validation
    twice = parts.features(data.x_validation.astype("float32") / 255)
    for seed in SEEDS:
        right = accuracy(heads[seed], features.validation, y)
        wrong = accuracy(heads[seed], twice, y)
        assert wrong < 0.65
        assert wrong < right - 0.15


# --- Freezing -------------------------------------------------------------------------


def outcome(text):
    return {"it moves": "moves", "it stays": "stays"}.get(text, "error")


TABLE = {
    "tensorflow": ("stays", "moves", "stays"),
    "jax": ("stays", "error", "error"),
    "torch": ("stays", "stays", "error"),
}


def test_each_backend_does_what_the_table_says(lesson):
    found = (
        outcome(lesson.freeze_early()),
        outcome(lesson.change_late(False, False)),
        outcome(lesson.change_late(True, False)),
    )
    assert found == TABLE[keras.backend.backend()]
    assert outcome(lesson.change_late(False, True)) == "stays"
    assert outcome(lesson.change_late(True, True)) == "moves"


def test_the_table_in_the_text_is_the_one_that_is_tested():
    text = LESSON.read_text(encoding="utf-8").replace("**", "")
    words = {"moves": "still moves", "stays": "stays", "error": "error"}
    for place, order in enumerate(
        ["freeze, train", "train, freeze", "train, unfreeze"]
    ):
        row = next(
            line
            for line in text.splitlines()
            if line.startswith(f"| compile, {order}") and line.count("|") == 5
        )
        found = [cell.strip() for cell in row.split("|")[2:5]]
        for backend, cell in zip(("tensorflow", "jax", "torch"), found, strict=True):
            expected = words[TABLE[backend][place]]
            if "unfreeze" in order and expected == "stays":
                expected = "does not move"
            assert cell == expected, (order, backend)


def test_the_model_counts_nine_although_more_may_move(lesson):
    model, part = lesson.small_model()
    lesson.train(model)
    model = lesson.freeze_with_a_bug(model, part)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 9


@pytest.fixture(scope="module")
def tuning(lesson, parts):
    """Give a function that fine-tunes anew as the lesson does; it is compiled once."""
    data, upper = lesson.data, parts.upper
    maps = parts.lower.predict(data.x_train, verbose=0)
    kept = upper.get_weights()
    for layer in upper.layers:
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
    head = lesson.classifier()
    model = keras.Sequential([keras.Input(upper.input.shape[1:]), upper, head])
    lesson.compiled(model, 1e-4)
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    fresh = [ops.convert_to_numpy(v) for v in optimizer.variables]

    def tune(weights, rate, seed, steps):
        keras.utils.set_random_seed(seed)
        upper.set_weights(kept)
        head.set_weights(weights)
        for variable, value in zip(optimizer.variables, fresh, strict=True):
            variable.assign(value)
        optimizer.learning_rate = rate
        order = np.random.default_rng(seed).permutation(len(maps))
        for chosen in order[: steps * 16].reshape(steps, 16):
            model.train_on_batch(maps[chosen], data.y_train[chosen])

    validation = parts.lower.predict(data.x_validation, verbose=0)
    yield SimpleNamespace(
        tune=tune, model=model, upper=upper, kept=kept, validation=validation
    )
    upper.set_weights(kept)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_high_rate_moves_the_weights_far_and_a_low_one_does_not(tuning, heads, seed):
    """The distance the upper part travels in two steps, against its own size."""
    upper, kept = tuning.upper, tuning.kept
    norms = [la for la in upper.layers if isinstance(la, layers.BatchNormalization)]
    assert norms
    assert not any(norm.trainable_variables for norm in norms)
    size = np.sqrt(sum((w**2).sum() for w in kept if w.ndim > 1))
    moved = {}
    for rate in (1e-4, 1e-2):
        tuning.tune(heads[seed], rate, seed, steps=2)
        pairs = zip(upper.get_weights(), kept, strict=True)
        moved[rate] = np.sqrt(sum(((new - old) ** 2).sum() for new, old in pairs))
    assert 0 < moved[1e-4] < 0.05 * size
    assert moved[1e-2] > 20 * moved[1e-4]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_low_rate_keeps_the_accuracy_and_a_high_one_brings_it_to_chance(
    lesson, features, heads, tuning, seed
):
    """Three standard errors each way, from 160 labels and images of 64 pixels."""
    y = lesson.data.y_validation
    alone = accuracy(heads[seed], features.validation, y)
    after = {}
    for rate in (1e-4, 1e-2):
        tuning.tune(heads[seed], rate, seed, steps=10)
        p = tuning.model.predict_on_batch(tuning.validation)[:, 0]
        after[rate] = ((p > 0.5) == (y == 1)).mean()
    assert alone - after[1e-4] < 3 * np.sqrt(alone * (1 - alone) / len(y))
    assert abs(after[1e-2] - 0.5) < 3 * np.sqrt(0.25 / len(y))


def test_the_recorded_run_says_the_same_at_the_lesson_s_size():
    text = RECORDED.read_text(encoding="utf-8")
    line = re.compile(r"^(.+?):? +([\d.]+)% of ([\d,]+) (?:test|validation) images$")
    found = {}
    for match in filter(None, map(line.match, text.splitlines())):
        share, images = float(match[2]) / 100, int(match[3].replace(",", ""))
        found[match[1]] = share, np.sqrt(share * (1 - share) / images)
    alone, error = found["features alone"]
    for name in ("low rate", "low rate, norms free"):
        assert abs(found[name][0] - alone) < 3 * error
    by_chance, error = found["high rate"]
    assert abs(by_chance - 0.5) < 3 * error
    untrained, error = found["no training"]
    assert untrained > 0.5 + 20 * error


# --- Statistics -----------------------------------------------------------------------


def test_99_53_and_99_50_do_not_differ_whatever_the_images(capsys):
    names = {"np": np, "stats": stats}
    exec(cell_with("for mistakes in (47, 50)"), names)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == ["99.53%", "99.50%"]
    assert all("standard error 0.07" in line for line in printed)
    exec(cell_with("for shared in (0, 20, 40, 47)"), names)
    assert capsys.readouterr().out.splitlines()[-1].endswith("p = 0.25")
    smallest = min(
        stats.binomtest(47 - shared, 97 - 2 * shared).pvalue for shared in range(48)
    )
    assert smallest == pytest.approx(0.25)


def test_the_intervals_of_the_two_overlap():
    low, high = (
        stats.binomtest(10_000 - k, 10_000).proportion_ci(method="wilson")
        for k in (50, 47)
    )
    shared = low.high - high.low
    assert shared > 0.8 * (high.high - high.low)


def test_wilson_never_leaves_0_to_1():
    for right in (0, 1, 9, 10):
        interval = stats.binomtest(right, 10).proportion_ci(method="wilson")
        assert 0 <= interval.low <= right / 10 <= interval.high <= 1


def test_four_against_none_has_the_p_value_of_the_quiz(lesson, capsys):
    first, second = np.zeros(10, bool), np.zeros(10, bool)
    second[:4] = True
    lesson.compare(first, second)
    printed = capsys.readouterr().out
    assert "0 and 4 images by one alone, p = " in printed
    assert float(printed.split("p = ")[1]) == pytest.approx(0.125, abs=0.006)
    lesson.compare(first, first)
    assert "0 and 0 images by one alone, p = 1\n" in capsys.readouterr().out
    assert stats.binomtest(0, 4).pvalue == 0.125
    assert stats.binomtest(1, 6).pvalue > 0.125  # 5 against 1


# --- A transfer of our own ------------------------------------------------------------


def test_few_labels_are_worth_more_with_features_lent(lesson):
    """A net that has learned five of the rendered kinds lends to the other five."""
    kinds = load("shapes", train=1, validation=0, test=0).class_names
    options = {"image_size": 32, "validation": 0, "test": 0}
    known = load("shapes", classes=kinds[::2], train=1000, **options)
    new = load("shapes", classes=kinds[1::2], train=500, **options)
    lesson.names["ten"] = known
    keras.utils.set_random_seed(0)
    body, whole = lesson.five_class_net()
    lesson.compiled(whole, 0.002, "sparse_categorical_crossentropy")
    start = whole.get_weights()
    whole.optimizer.build(whole.trainable_variables)
    fresh = [ops.convert_to_numpy(v) for v in whole.optimizer.variables]

    def train(x, y, epochs, seed):
        """Start the same compiled net anew, with the numbers of each kernel mixed."""
        rng = np.random.default_rng(seed)
        mixed = [rng.permutation(w.ravel()).reshape(w.shape) for w in start]
        whole.set_weights(mixed)
        for variable, value in zip(whole.optimizer.variables, fresh, strict=True):
            variable.assign(value)
        keras.utils.set_random_seed(seed)
        fit(whole, x, y, batch_size=25, epochs=epochs, curve=False)

    train(known.x_train, known.y_train, 4, 0)
    lent = body.predict(new.x_train, verbose=0)
    found = []
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(new.x_train))
        few, rest = order[:25], order[25:]
        train(new.x_train[few], new.y_train[few], 20, seed)
        alone = whole.predict(new.x_train[rest], verbose=0).argmax(1)
        # The nearest class mean is an end that needs no training.
        means = [lent[few][new.y_train[few] == k].mean(axis=0) for k in range(5)]
        distances = [((lent[rest] - mean) ** 2).sum(axis=1) for mean in means]
        with_features = np.argmin(distances, axis=0)
        y = new.y_train[rest]
        found.append(((with_features == y).mean(), (alone == y).mean()))
    with_features, alone = np.mean(found, axis=0)
    assert with_features > 0.24  # guessing: 0.2
    assert with_features > alone
