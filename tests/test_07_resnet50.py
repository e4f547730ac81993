"""Lesson 07: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of, each_seed
from PIL import Image

from course_utils import blocks, gradients, images, load, nets, pretrained, shapes

import keras  # isort: skip
from keras import layers, ops  # isort: skip

cell_with = cells_of("07_resnet50")


@pytest.fixture(scope="module")
def lesson():
    """Give the functions that the lesson defines, as one object."""
    names = {"np": np, "keras": keras, "layers": layers, "ops": ops, "blocks": blocks}
    for text in (
        "def conv_bn(",
        "def identity_block(",
        "def convolutional_block(",
        "def resnet50(",
        "def cifar_resnet(",
        "def strided_block(",
        "def plain_net(",
        "def stack_with_a_bug(",
        "def stack_by_name(",
    ):
        exec(cell_with(text), names)
    exec(cell_with("def phone_picture(").split("\n\n\nlarge")[0], names)
    return SimpleNamespace(**names, names=names)


def counts(model):
    """Return (all, trained) parameters."""
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    return model.count_params(), trained


def random_weights(model, seed):
    """Weights that keep signals alive, with running statistics that are not trivial."""
    rng = np.random.default_rng(seed)
    values = []
    for variable in model.variables:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            fan_in = int(np.prod(shape[:-1]))
            values.append(rng.normal(0, np.sqrt(1 / fan_in), shape))
        else:
            values.append(rng.uniform(0.6, 1.4, shape))
    return values


# --- The blocks and the whole network -------------------------------------------------


def test_a_bottleneck_has_seventeen_times_fewer_weights():
    names = {}
    exec(cell_with("two_wide = "), names)
    inputs = keras.Input((8, 8, 256))
    wide = layers.Conv2D(256, 3, use_bias=False)(inputs)
    wide = keras.Model(inputs, layers.Conv2D(256, 3, use_bias=False)(wide))
    x = inputs
    for filters, size in [(64, 1), (64, 3), (256, 1)]:
        x = layers.Conv2D(filters, size, use_bias=False)(x)
    assert names["two_wide"] == wide.count_params()
    assert names["narrow"] == keras.Model(inputs, x).count_params()
    assert round(names["two_wide"] / names["narrow"]) == 17


@pytest.mark.parametrize(
    ("name", "channels", "options"),
    [
        ("identity_block", 12, {}),
        ("convolutional_block", 5, {}),
        ("convolutional_block", 12, {"strides": 1}),
    ],
)
def test_the_printed_block_is_the_package_block(lesson, name, channels, options):
    inputs = keras.Input((6, 6, channels))
    ours, theirs = (
        keras.Model(inputs, getattr(home, name)(inputs, 3, **options))
        for home in (lesson, blocks)
    )
    numbers = random_weights(ours, 0)
    x = np.random.default_rng(1).normal(size=(3, 6, 6, channels)).astype("float32")
    y = np.zeros((3, *ours.output.shape[1:]), "float32")
    found = []
    for model in (ours, theirs):
        model.set_weights(numbers)
        slopes = gradients.weight_gradients(model, x, y, "mse")[1].values()
        found.append([ops.convert_to_numpy(model(x)), *slopes])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def small(lesson):
    return lesson.resnet50(input_shape=(64, 64, 3), num_classes=6)


def maps_of(model):
    """Return the model without its head."""
    return keras.Model(model.input, model.layers[-2].input)


def test_resnet_50_has_its_exact_parameters(lesson, small):
    assert counts(small) == (23_600_006, 23_546_886)
    fixed = sum(int(np.prod(v.shape)) for v in small.non_trainable_variables)
    assert fixed == 53_120
    assert maps_of(small).output.shape == (None, 2, 2, 2048)
    whole = lesson.resnet50()
    assert whole.count_params() == 25_636_712
    assert (whole.input.shape, whole.output.shape) == (
        (None, 224, 224, 3),
        (None, 1000),
    )


@pytest.fixture(scope="module")
def library():
    return keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3))


def test_with_the_same_weights_it_gives_the_outputs_of_the_library(lesson, library):
    ours = lesson.resnet50(input_shape=(64, 64, 3))
    package = nets.resnet50(input_shape=(64, 64, 3))
    assert ours.count_params() == library.count_params() == 25_636_712
    for seed in SEEDS:
        numbers = random_weights(library, seed)
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(2, 64, 64, 3)).astype("float32")
        found = []
        for model in (library, ours, package):
            model.set_weights(numbers)
            found.append(ops.convert_to_numpy(model(x)))
        # The two images must get answers of their own, or equality means little.
        assert np.abs(found[0][0] - found[0][1]).max() > 1e-6
        np.testing.assert_allclose(found[1], found[0], rtol=1e-4)
        np.testing.assert_allclose(found[2], found[0], rtol=1e-4)


def test_the_comparison_sees_biases_and_normalizations_that_are_mixed_up(lesson):
    names = dict(lesson.names)
    keras.utils.set_random_seed(SEEDS[0])
    exec(cell_with("theirs = keras.applications"), names)
    p, numbers = names["p"], names["numbers"]
    np.testing.assert_allclose(names["q"], p, atol=1e-6)
    flat = [i for i, w in enumerate(numbers[:-1]) if w.ndim == 1]
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        one = rng.choice(flat)
        shape = numbers[one].shape
        other = rng.choice([i for i in flat if i != one and numbers[i].shape == shape])
        mixed_up = list(numbers)
        mixed_up[one], mixed_up[other] = numbers[other], numbers[one]
        names["ours"].set_weights(mixed_up)
        found = ops.convert_to_numpy(names["ours"](names["x"]))
        assert np.abs(found - p).max() > 1e-4


def test_a_fixed_pooling_makes_the_head_depend_on_the_size(lesson, small):
    names = dict(lesson.names, small=small)
    exec(cell_with("flat = (last_map"), names)
    assert (names["flat"], names["total"]) == (18_432, 23_698_310)
    large = lesson.resnet50(num_classes=6)
    assert large.count_params() == 23_600_006
    body = maps_of(large)
    x = layers.Flatten()(layers.AveragePooling2D(2)(body.output))
    assert x.shape == (None, 18_432)
    fixed = keras.Model(body.input, layers.Dense(6)(x))
    assert fixed.count_params() == 23_698_310
    x = layers.Flatten()(layers.AveragePooling2D(2)(maps_of(small).output))
    assert x.shape == (None, 2_048)


def test_fifty_three_kernels_have_twenty_shapes(small):
    kernels = [tuple(w.shape) for w in small.trainable_variables if len(w.shape) == 4]
    assert (len(kernels), len(set(kernels))) == (53, 20)


# --- The family of CIFAR-10 -----------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "trained"),
    [(20, 269_722), (32, 464_154), (56, 853_018), (110, 1_727_962)],
)
def test_the_cifar_family_has_its_exact_parameters(depth, trained):
    assert counts(nets.cifar_resnet(depth=depth))[1] == trained


@pytest.mark.parametrize("depth", [8, 14])
def test_the_printed_family_with_option_a_is_the_package_s(lesson, depth):
    def option_a(x, filters):
        new = (filters - x.shape[-1]) // 2
        return ops.pad(x[:, ::2, ::2], [[0, 0], [0, 0], [0, 0], [new, new]])

    sizes = {"depth": depth, "input_shape": (16, 16, 3), "num_classes": 6}
    ours = lesson.cifar_resnet(shortcut=option_a, **sizes)
    theirs = nets.cifar_resnet(**sizes)
    x = np.random.default_rng(1).normal(size=(3, 16, 16, 3)).astype("float32")
    numbers = random_weights(ours, 0)
    found = []
    for model in (ours, theirs):
        model.set_weights(numbers)
        found.append(ops.convert_to_numpy(model(x)))
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)
    assert found[0].std(axis=0).max() > 1e-3  # the images do not all look alike


def test_option_b_costs_two_projections():
    names = {"np": np, "keras": keras, "layers": layers, "depths": [20]}
    names["family"] = [nets.cifar_resnet(depth=20)]
    exec(cell_with("def cifar_resnet("), names)
    exec(cell_with("def projection("), names)
    assert names["trained"][0] == 269_722
    added = names["trained"][1] - names["trained"][0]
    assert added == 16 * 32 + 32 * 64 + 2 * (32 + 64)
    assert round(added / names["trained"][0], 2) == 0.01


# --- Spot the bug: the strides --------------------------------------------------------


def test_the_buggy_network_has_its_exact_size(lesson):
    model = lesson.resnet_with_a_bug()
    weighted = [n for n in model.layers if isinstance(n, (layers.Conv2D, layers.Dense))]
    assert (model.count_params(), len(weighted)) == (261_238, 22)
    sides = [n.output.shape[1] for n in model.layers if isinstance(n, layers.Add)]
    assert sides == [32, 16, 8, 4, 2, 1, 1]


@pytest.fixture(scope="module")
def photographs():
    return load("cifar10", train=256, validation=0, test=0)


def test_most_of_the_buggy_network_has_no_gradient(lesson, photographs):
    # Eight of nine taps of three kernels on 1×1, five of nine from 2×2 to 1×1.
    never = 8 * (32 * 32 + 32 * 128 + 128 * 128) + 5 * 32 * 32
    assert never == 177_152
    model = lesson.resnet_with_a_bug()
    slopes_on = gradients.weight_gradient_function(
        model, "sparse_categorical_crossentropy"
    )
    start = model.get_weights()
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        model.set_weights([rng.permuted(w, axis=None) for w in start])
        _, slopes = slopes_on(photographs.x_train[:64], photographs.y_train[:64])
        kernels = [slope for slope in slopes.values() if slope.ndim == 4]
        idle = sum(int((kernel == 0).sum()) for kernel in kernels)
        assert idle >= never > 2 / 3 * 261_238
        last = max(kernels, key=lambda kernel: kernel.size)
        center = np.zeros(last.shape[:2], bool)
        center[1, 1] = True
        assert not last[~center].any()
        assert last[center].any()


def fitted(model, x, y, epochs, optimizer):
    """Train one model from another start for each seed; yield it and a loss."""
    model.compile(optimizer, "sparse_categorical_crossentropy")
    for _ in each_seed(model):
        run = model.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
        yield model, run.history["loss"][-1]


def test_the_plain_net_trains_better_than_the_buggy_one(lesson, photographs):
    x, y, losses = photographs.x_train, photographs.y_train, []
    for build in (lesson.resnet_with_a_bug, lesson.plain_net):
        # With Adam, its work on many small variables is most of compiling a step.
        momentum = keras.optimizers.SGD(0.02, momentum=0.9)
        losses.append([loss for _, loss in fitted(build(), x, y, 3, momentum)])
    buggy, plain = np.array(losses)
    assert (plain < buggy).all()
    assert lesson.plain_net().count_params() < 261_238 / 3


# --- Spot the bug: the dice -----------------------------------------------------------


def test_one_seed_for_all_kernels_leaves_few_directions(lesson):
    ranks = {"bug": [], "name": []}
    for seed in SEEDS:
        x = np.random.default_rng(seed).normal(size=(64, 16, 16, 16)).astype("float32")
        for name, build in [
            ("bug", lesson.stack_with_a_bug),
            ("name", lesson.stack_by_name),
        ]:
            model = build(20, seed)
            kernels = {w.tobytes() for w in model.get_weights() if w.ndim == 4}
            assert len(kernels) == (1 if name == "bug" else 20)
            last = ops.convert_to_numpy(model(x)[-1])
            ranks[name].append(lesson.effective_rank(last))
    # A single draw strays (a bad one has 20 of 64): so the middle one.
    assert np.median(ranks["name"]) > 35
    assert np.median(ranks["bug"]) < 0.9 * np.median(ranks["name"])


@pytest.mark.parametrize("dimensions", [1, 3, 10])
def test_the_effective_rank_counts_equal_directions(lesson, dimensions):
    rng = np.random.default_rng(dimensions)
    rows, _ = np.linalg.qr(rng.normal(size=(32, dimensions)))
    rows -= rows.mean(axis=0)
    rows, _ = np.linalg.qr(rows)
    across, _ = np.linalg.qr(rng.normal(size=(50, dimensions)))
    assert lesson.effective_rank(rows @ across.T) == pytest.approx(dimensions, rel=1e-2)


# --- One's own image ------------------------------------------------------------------


def test_the_default_picture_comes_out_upright_on_white(lesson):
    names = dict(lesson.names, shapes=shapes)
    exec(cell_with("def phone_picture("), names)
    large, seen = names["large"][0], names["seen"]
    file = names["phone_picture"](large, seen)
    with Image.open(io.BytesIO(file)) as stored:
        assert stored.mode == "RGBA"
        sideways = np.asarray(stored)[..., :3]
    np.testing.assert_array_equal(np.rot90(sideways, -1), large)
    opened = images.open_image(file)
    np.testing.assert_array_equal(opened[seen], large[seen])
    assert (opened[~seen] == 255).all()
    assert 0 < (~seen).mean() < 0.2


def network_of_the_lesson(load_network, size):
    """Run the lesson's choice of a network with another `pretrained.load`."""
    module = SimpleNamespace(load=load_network, WeightsError=pretrained.WeightsError)
    course = SimpleNamespace(pick=lambda **sizes: size)
    names = {"pretrained": module, "course": course}
    exec(cell_with("def trained_network("), names)
    return names["classifier"]


def test_resnet_50_answers_where_its_weights_are(capsys):
    asked = []

    def load_network(name, **options):
        asked.append((name, options))
        return "a network"

    assert network_of_the_lesson(load_network, 224) == "a network"
    assert asked == [("resnet50", {"input_shape": (224, 224, 3)})]
    printed = capsys.readouterr().out
    assert printed == "ResNet-50 answers: its trained weights are here.\n"


def test_else_another_network_answers_and_one_line_says_why(
    capsys, tmp_path, monkeypatch
):
    def load_network(name, **options):
        if name == "efficientnet-lite0":
            return name
        return pretrained.load(name, **options)

    monkeypatch.setenv("COURSE_OFFLINE", "1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert network_of_the_lesson(load_network, 64) == "efficientnet-lite0"
    assert capsys.readouterr().out == (
        "EfficientNet-Lite0 answers: the weights of ResNet-50 are not here, and "
        "COURSE_OFFLINE keeps off the network.\n"
    )


def names_of_the_answer(network, size, my_image):
    """Run the lesson's cell for an image; give what it has named."""
    names = {"np": np, "ops": ops, "images": images, "pretrained": pretrained}
    names |= {"classifier": network, "size": size, "given": my_image}
    source = cell_with("my_image = None").replace("my_image = None", "my_image = given")
    exec(source, names)
    return SimpleNamespace(**names)


@pytest.fixture(scope="module")
def classify():
    """Give the answer of the network that needs no network."""
    network = pretrained.load("efficientnet-lite0")
    return lambda my_image: names_of_the_answer(network, 224, my_image)


def test_an_image_of_a_reader_s_own_goes_through_all_of_resnet_50(
    lesson, library, monkeypatch, capsys
):
    # Random weights in place of the file, which not every machine has.
    monkeypatch.setattr(pretrained, "_library_file", lambda *_: "a file")
    monkeypatch.setattr(keras.Model, "load_weights", lambda model, path: None)
    network = network_of_the_lesson(pretrained.load, 64)
    assert capsys.readouterr().out.startswith("ResNet-50 answers")
    numbers = random_weights(library, 0)
    numbers[0] /= 64  # pixels are larger than what follows expects
    for model in (network, library):
        model.set_weights(numbers)
    pixels, _, _ = shapes.render(1, size=100, seed=6, classes=["arrow"])
    file = lesson.phone_picture(pixels[0], np.ones((100, 100)))
    found = names_of_the_answer(network, 64, file)
    asked = images.open_image(file, size=64)[None].astype("float32")
    asked = keras.applications.resnet50.preprocess_input(asked)
    expected = ops.convert_to_numpy(library(asked))[0]
    np.testing.assert_allclose(found.probability, expected, rtol=1e-3, atol=1e-6)
    assert list(found.best) == list(np.argsort(-expected)[:3])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(pretrained.class_names()[expected.argmax()][:24])


def test_the_portrait_is_called_a_uniform(classify, capsys):
    found = classify(None)
    best = [found.names[place] for place in found.best]
    assert best[0] == "military uniform"
    lines = capsys.readouterr().out.splitlines()
    assert [line[:24].strip() for line in lines] == best
    assert all(re.fullmatch(r".{24} +\d+\.\d%", line) for line in lines)


def test_an_image_of_a_reader_s_own_is_handled_or_refused(lesson, classify, tmp_path):
    expected = classify(None)
    pixels = images.open_image(expected.portrait)
    file = lesson.phone_picture(pixels, np.ones(pixels.shape[:2]))
    (tmp_path / "mine.png").write_bytes(file)
    for mine in (tmp_path / "mine.png", file, {"mine.png": file}):
        found = classify(mine)
        np.testing.assert_array_equal(found.picture, expected.picture)
        np.testing.assert_array_equal(found.best, expected.best)
    with pytest.raises(ValueError, match="web page"):
        classify(b"<!DOCTYPE html><html><body>Not found")


@pytest.fixture(scope="module")
def by_preprocessing():
    """Accuracy of the six preprocessings, a row a seed, on smaller pictures."""
    kinds = ("square", "heart", "triangle", "ring", "cross", "arrow")
    drawn = load(
        "shapes",
        train=640,
        validation=0,
        test=192,
        image_size=16,
        classes=kinds,
        dtype="uint8",
    )
    names = {"np": np, "drawn": drawn}
    source = cell_with("def prepare(")
    exec(source.split("\n\n\nkeras.utils")[0], names)
    variants = cell_with("variants = {").split("accuracy = {}")[0]
    exec(variants, names)
    net = nets.cifar_resnet(depth=8, input_shape=(16, 16, 3), num_classes=6)
    x = names["prepare"](drawn.x_train)
    rows = []
    for model, _ in fitted(net, x, drawn.y_train, 5, keras.optimizers.Adam(0.01)):
        guesses = {
            name: model.predict(pictures.astype("float32"), verbose=0)
            for name, pictures in names["variants"].items()
        }
        rows.append(
            {
                name: ((guess.argmax(1) == drawn.y_test).mean(), guess.max(1).mean())
                for name, guess in guesses.items()
            }
        )
    return rows


def test_the_preprocessing_of_the_training_is_the_best(by_preprocessing):
    found = {
        name: np.mean([row[name][0] for row in by_preprocessing])
        for name in by_preprocessing[0]
    }
    right = found["as in training"]
    assert right > 0.35  # guessing: 0.17
    assert found["EXIF ignored"] < right - 0.07
    assert found["0 … 1"] < right - 0.12
    assert found["0 … 255"] < right - 0.12


def test_swapped_colors_and_each_image_s_own_mean_cost_little(by_preprocessing):
    for name in ("blue and red swapped", "each image's own mean"):
        gaps = [row["as in training"][0] - row[name][0] for row in by_preprocessing]
        assert abs(np.mean(gaps)) < 0.1, name


def test_bytes_make_the_network_sure_of_wrong_answers(by_preprocessing):
    for row in by_preprocessing:
        found, confidence = row["0 … 255"]
        assert confidence > 0.95
        assert confidence > found + 0.5
