"""Lesson 01: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of, each_seed

from course_utils import load, nets, records

import keras  # isort: skip
from keras import layers, ops  # isort: skip

cell_with = cells_of("01_dense_to_conv")


@pytest.fixture(scope="module")
def lesson():
    """Give the functions that the lesson defines, and its pictures, as one object."""
    data = load("mnist", train=800, validation=400, test=400)
    names = {"np": np, "keras": keras, "layers": layers, "ops": ops, "data": data}
    names["course"] = SimpleNamespace(pick=lambda smoke, quick, full: quick)
    for text in [
        "def dense_classifier(",
        "def small_convnet(",
        "def shifted(",
        "def small_changes(",
        "def schedule_with_a_bug(",
        "def vgg_layers(",
    ]:
        exec(cell_with(text).split("\n\nplots.")[0], names)
    for text, end in [
        ("def shuffled(", "\n\n\nplots."),
        ("def network_with_a_bug(", "\n\n\n"),
        ("def report_with_a_bug(", "\n\n\n"),
        ("schedules = {", "\n\n\n"),
        ("rates = course.pick(", "\ngrid, "),
    ]:
        exec(cell_with(text).split(end)[0], names)
    source = cell_with("def accuracies(")
    source = source[source.index("def accuracies(") :].split("\n\n\n")[0]
    exec(source, names)
    return SimpleNamespace(**names, names=names)


# --- Parameters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "total", "places"),
    [
        ("dense_classifier", 236_682, {"Dense": [200_960, 32_896, 1_290]}),
        (
            "small_convnet",
            844_042,
            {"Conv2D": [320, 18_496], "Dense": [819_712, 5_130]},
        ),
    ],
)
def test_the_pair_has_its_exact_parameters(lesson, name, total, places):
    for build in (getattr(lesson, name), getattr(nets, name)):
        model = build()
        assert model.count_params() == total
        for kind, sizes in places.items():
            found = [x.count_params() for x in model.layers if type(x).__name__ == kind]
            assert found == sizes


@pytest.mark.parametrize("name", ["dense_classifier", "small_convnet"])
def test_the_printed_network_is_the_package_network(lesson, name):
    shape = {"input_shape": (12, 11, 2), "num_classes": 4}
    built = []
    for build in (getattr(lesson, name), getattr(nets, name)):
        keras.utils.set_random_seed(0)
        built.append(build(**shape, augmentation=lesson.small_changes()))
    printed, packaged = built
    for ours, theirs in zip(printed.get_weights(), packaged.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    x = np.random.default_rng(0).uniform(size=(3, 12, 11, 2)).astype("float32")
    outputs = [model.predict_on_batch(x) for model in built]
    np.testing.assert_allclose(*outputs, rtol=1e-5)
    np.testing.assert_allclose(outputs[0].sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("small_convnet", {"input_shape": (9, 28, 1)}, ValueError, "input_shape"),
        ("dense_classifier", {"input_shape": 28}, TypeError, "input_shape"),
        ("small_convnet", {"num_classes": 1}, ValueError, "num_classes"),
        ("dense_classifier", {"augmentation": "flip"}, TypeError, "augmentation"),
    ],
)
def test_a_wrong_argument_is_named(name, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(nets, name)(**arguments)


def test_most_of_the_convnet_is_one_dense_layer(lesson):
    model = lesson.small_convnet()
    sizes = {kind: [] for kind in (layers.Conv2D, layers.Dense)}
    for layer in model.layers:
        if type(layer) in sizes:
            sizes[type(layer)].append(layer.count_params())
    assert 0.965 < max(sizes[layers.Dense]) / model.count_params() < 0.975
    assert sum(sizes[layers.Conv2D]) == 18_816


def test_two_rules_leave_nine_numbers_of_576(lesson):
    names = dict(lesson.names)
    exec(cell_with("one_pixel = ").split("\n\nplots.")[0], names)
    assert names["weights"].shape == (16, 36)
    assert names["used"].size == 144
    assert np.unique(names["used"]).size == 9
    kernel = ops.convert_to_numpy(names["convolution"].kernel)[..., 0, 0]
    first = names["weights"][0].reshape(6, 6)
    np.testing.assert_allclose(first[:3, :3], kernel, rtol=1e-6)


def test_a_dense_first_layer_would_have_17_million(capsys):
    exec(cell_with("inputs, outputs = 28"), {})
    assert "16,981,120" in (printed := capsys.readouterr().out)
    assert "320" in printed


def test_vgg16_has_its_exact_parameters_where_the_lesson_says(lesson):
    table = lesson.vgg_layers(lesson.VGG16)
    sizes = [parameters for *_, parameters, _ in table]
    assert len(table) == 16
    assert sum(sizes) == 138_357_544
    assert sizes[13] == 102_764_544
    assert 0.74 < sizes[13] / sum(sizes) < 0.75
    assert [row[1] for row in table][12] == "14×14×512"
    work = [products for *_, products in table]
    assert 0.985 < sum(work[:13]) / sum(work) < 0.995
    blocks = [sum(r[2] for r in table if r[0] == f"block {k}") for k in range(1, 6)]
    assert max(blocks) < 8e6


def test_vgg16_is_counted_as_the_library_counts_it(lesson):
    """At 32×32 pixels: the same convolutions, and a smaller first dense layer."""
    library = keras.applications.VGG16(weights=None, input_shape=(32, 32, 3))
    table = lesson.vgg_layers(lesson.VGG16, side=32)
    ours = [parameters for *_, parameters, _ in table]
    theirs = [x.count_params() for x in library.layers if x.count_params()]
    assert ours == theirs


# --- Accuracy and its error -----------------------------------------------------------


def test_one_image_of_ten_thousand_is_an_eighth_of_the_error(capsys):
    exec(cell_with("for p, n in [("), {"np": np})
    printed = capsys.readouterr().out
    assert "99.00% of 10,000: ± 0.10%" in printed
    error = np.sqrt(0.9939 * 0.0061 / 10_000)
    assert 7 < error / (1 / 10_000) < 9


@pytest.mark.parametrize("seed", SEEDS)
def test_the_printed_standard_errors_are_the_spread_over_test_sets(seed, capsys):
    exec(cell_with("for p, n in [("), {"np": np})
    lines = capsys.readouterr().out.replace(",", "").splitlines()
    for line in lines:
        p, n, error = (float(x) for x in re.findall(r"\d+(?:\.\d+)?", line))
        draws = np.random.default_rng(seed).binomial(int(n), p / 100, 2000) / n
        assert 100 * draws.std() == pytest.approx(error, rel=0.07, abs=0.005)
    assert len(lines) == 4


# --- Training: one network of each kind, trained anew for each seed -------------------


def each_trained(model, images, labels, **options):
    """Train the model for each seed, from where it stands now; yield the seed."""
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    for seed in each_seed(model):
        model.fit(images, labels, epochs=4, verbose=0, **options)
        yield seed


@pytest.fixture(scope="module")
def trained(lesson, needs_real_images):
    """Accuracies on the test pictures, one row a seed: as they are, and moved by 2."""
    needs_real_images(lesson.data)
    data = lesson.data
    images, labels = data.x_train[:240], data.y_train[:240]
    kinds = {"dense": nets.dense_classifier, "convnet": nets.small_convnet}
    found = {}
    still, y = data.x_test, data.y_test
    moved = np.concatenate([lesson.shifted(still, 0, 2), lesson.shifted(still, -2, 0)])
    for name, build in kinds.items():
        for way in ("plain", "augmented", "shuffled"):
            changes = lesson.small_changes() if way == "augmented" else None
            order = lesson.shuffled if way == "shuffled" else lambda x: x
            model = build(augmentation=changes)
            rows = found[f"{name}, {way}"] = []
            for _ in each_trained(model, order(images), labels, batch_size=15):
                row = [lesson.accuracies([model], order(still), y)[0]]
                if way != "shuffled":
                    row.append(lesson.accuracies([model], moved, np.tile(y, 2))[0])
                rows.append(row)
    return {name: np.array(rows) for name, rows in found.items()}


def test_the_convnet_is_more_often_right(trained):
    ahead = trained["convnet, plain"][:, 0] - trained["dense, plain"][:, 0]
    assert ahead.mean() > 0


def test_a_shift_hurts_the_dense_network_more(trained):
    dense, convnet = trained["dense, plain"], trained["convnet, plain"]
    assert (dense[:, 0] - dense[:, 1] > 0.15).all()
    ahead = convnet[:, 1] - dense[:, 1]
    assert ahead.min() > 0
    assert ahead.mean() > 0.07
    assert (convnet[:, 1] < convnet[:, 0]).all()


def test_shuffled_pixels_cost_only_the_convnet(trained):
    lost = {
        name: trained[f"{name}, plain"][:, 0] - trained[f"{name}, shuffled"][:, 0]
        for name in ("dense", "convnet")
    }
    assert abs(lost["dense"].mean()) < 0.04
    assert (lost["convnet"] > 0.02).all()
    after = trained["convnet, shuffled"][:, 0] - trained["dense, shuffled"][:, 0]
    assert after.mean() < 0.005


def test_augmentation_teaches_a_shift(trained):
    for name in ("dense", "convnet"):
        gain = trained[f"{name}, augmented"][:, 1] - trained[f"{name}, plain"][:, 1]
        assert gain.min() > 0
        assert gain.mean() > 0.02
    dense, convnet = trained["dense, augmented"], trained["convnet, augmented"]
    assert (convnet[:, 1] - dense[:, 1]).mean() > 0.02


@pytest.fixture(scope="module")
def recorded():
    """Test accuracies of the recorded runs, by network."""
    names = ["dense", "dense_augmented", "convnet", "convnet_augmented"]
    found = {name: records.load(f"mnist/{name}") for name in names}
    for name, record in found.items():
        assert record.seeds == [0, 1, 2]
        assert record.recipe["data"]["train"] == 50_000
        assert record.recipe["augmented"] == name.endswith("_augmented")
    nets_of = {record.recipe["net"] for record in found.values()}
    assert nets_of == {"dense_classifier", "small_convnet"}
    return found


def test_with_all_pictures_augmentation_helps_the_convnet_alone(recorded):
    scores = {n: np.array(r.metrics["test_accuracy"]) for n, r in recorded.items()}
    assert scores["convnet_augmented"].min() > scores["convnet"].max()
    dense, changed = scores["dense"], scores["dense_augmented"]
    assert dense.min() < changed.max()
    assert changed.min() < dense.max()
    assert scores["convnet"].min() - max(*dense, *changed) > 0.01


def test_the_plain_convnet_knows_its_training_pictures_by_heart(recorded):
    last = {
        name: [curve[-1] for curve in record.curves["accuracy"]]
        for name, record in recorded.items()
    }
    assert min(last["convnet"]) > 0.998
    assert max(last["convnet_augmented"]) < 0.992


def test_maps_move_with_the_picture_by_four_pixels_and_no_others(lesson, capsys):
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        names = dict(lesson.names, networks={"convnet": [nets.small_convnet()]})
        exec(cell_with("maps = keras.Model("), names | {"pixels": np.arange(5)})
        printed = capsys.readouterr().out.splitlines()
        change = [float(line.rsplit(" ", 1)[1]) for line in printed]
        assert len(change) == 5
        assert change[4] < 1e-5
        assert min(change[:4]) > 1e-2


# --- The three bugs -------------------------------------------------------------------


def test_sigmoid_outputs_train_well_and_are_no_probabilities(lesson, needs_real_images):
    needs_real_images(lesson.data)
    data = lesson.data
    model = lesson.network_with_a_bug()
    loss = keras.losses.SparseCategoricalCrossentropy()
    for _ in each_trained(model, data.x_train, data.y_train):
        outputs = model.predict(data.x_test, verbose=0)
        assert np.mean(outputs.argmax(axis=1) == data.y_test) > 0.75
        assert np.mean(np.abs(outputs.sum(axis=1) - 1) > 0.1) > 0.9
        if keras.backend.backend() == "tensorflow":  # it trains the scores
            assert np.mean((outputs > 0.5).sum(axis=1) > 1) > 0.5
        else:
            assert np.median(outputs.sum(axis=1)) < 0.5
        values = [float(loss(data.y_test, k * outputs)) for k in (1, 0.5, 0.1)]
        np.testing.assert_allclose(values, values[0], rtol=1e-3)


def test_the_rate_that_decays_twice_is_the_famous_one(lesson):
    names = dict(lesson.names)
    exec(cell_with("def schedule_with_a_bug(").split("\n\nplots.")[0], names)
    assert f"{names['planned'][-1]:.3f}" == "0.376"
    assert f"{names['used'][-1]:.1e}" == "1.6e-07"
    assert names["planned"][0] == names["used"][0] == 0.5
    assert names["used"][60] < 0.002 < names["used"][55]


def test_keras_hands_the_decayed_rate_back(lesson):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    rates = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(
            float(ops.convert_to_numpy(model.optimizer.learning_rate))
        )
    )
    follow = keras.callbacks.LearningRateScheduler(lesson.schedule_with_a_bug)
    zeros = np.zeros((1, 1))
    model.fit(zeros, zeros, epochs=5, verbose=0, callbacks=[follow, watch])
    wanted = 0.5 / np.cumprod(1 + np.arange(5) / 300)
    np.testing.assert_allclose(rates, wanted, rtol=1e-5)


def test_two_swaps_cancel_in_the_table_and_not_in_the_choice(lesson, capsys):
    results = {"worse": [0.9, 0.7], "better": [0.2, 0.95]}
    assert lesson.report_with_a_bug(results) == "worse"
    worse, better = capsys.readouterr().out.splitlines()
    assert worse.split() == ["worse", "loss", "0.900", "accuracy", "70.0%"]
    assert better.split() == ["better", "loss", "0.200", "accuracy", "95.0%"]


# --- The grid -------------------------------------------------------------------------


def test_schedules_agree_at_a_good_rate_and_save_no_bad_one(lesson, needs_real_images):
    needs_real_images(lesson.data)
    data = lesson.data
    model = nets.dense_classifier()
    model.compile("sgd", "sparse_categorical_crossentropy")
    start = model.get_weights()

    def validated(rate, factor, seed):
        keras.utils.set_random_seed(seed)
        rng = np.random.default_rng(seed)
        model.set_weights([rng.permuted(w, axis=None) for w in start])
        follow = keras.callbacks.LearningRateScheduler(
            lambda epoch: float(rate * factor(epoch))
        )
        options = {"epochs": 4, "batch_size": 64, "verbose": 0}
        model.fit(data.x_train, data.y_train, callbacks=[follow], **options)
        return lesson.accuracies([model], data.x_validation, data.y_validation)[0]

    spreads = []
    for seed in SEEDS:
        table = np.array(
            [
                [validated(rate, factor, seed) for factor in lesson.schedules.values()]
                for rate in lesson.rates
            ]
        )
        assert max(table[0].max(), table[2].max()) < table[1].min()
        spreads.append(np.ptp(table, axis=1))
    low, good, high = np.mean(spreads, axis=0)
    assert good < 0.03
    assert min(low, high) > 2 * good
