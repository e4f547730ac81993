"""Lesson 11: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of, functions_in

from course_utils import gradients, interpret, load, nets, pretrained, records

import keras  # isort: skip
from keras import layers, ops  # isort: skip
from PIL import Image  # isort: skip

SIDE = 180
WIDTHS = [178, 89, 87, 43, 41, 20, 18, 9, 7]
FILTERS = [32, 32, 64, 64, 128, 128, 256, 256, 256]
cell_with = cells_of("11_intermediate_activations")


@pytest.fixture(scope="module")
def lesson():
    """Give the functions that the lesson defines, and what its first cells make."""
    photographs = pytest.importorskip("skimage.data")
    names = {"np": np, "keras": keras, "layers": layers, "ops": ops, "Image": Image}
    names |= {"nets": nets, "interpret": interpret, "records": records}
    for text in (
        "def resized(",
        "def pictures_of(",
        "def likeness(",
        "def summary(",
        "def stretched(",
        "def picture_with_a_bug(",
        "def probe(",
        "def dog_channel_with_a_bug(",
    ):
        exec(functions_in(cell_with(text)), names)
    names["square"] = photographs.chelsea()[:, 75:375]
    names["photograph"] = names["resized"](names["square"], 180)
    names["net"] = records.trained_model("plain_convnet")
    exec(cell_with("activation_model = "), names)
    return SimpleNamespace(**names, namespace=names)


@pytest.fixture(scope="module")
def data(needs_real_images):
    counts = {"train": 1, "validation": 300, "test": 300}
    data = load("cats_vs_dogs", image_size=SIDE, dtype="uint8", **counts)
    needs_real_images(data)
    return data


@pytest.fixture(scope="module")
def untrained():
    """The same network with the random weights of each seed."""
    made = []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        made.append(nets.plain_convnet(input_shape=(SIDE, SIDE, 3)))
    return made


@pytest.fixture(scope="module")
def summaries(lesson, data, untrained):
    """(means, zeros, live) of the trained network, and of each untrained one."""
    images = data.x_test[:100]
    return [lesson.summary(model, images) for model in (lesson.net, *untrained)]


# --- The activation model -------------------------------------------------------------


def test_the_nine_maps_have_exact_shapes(lesson):
    shapes = [stack.shape for stack in lesson.maps]
    assert shapes == [(1, w, w, f) for w, f in zip(WIDTHS, FILTERS, strict=True)]
    assert lesson.photograph.size == 97_200
    assert lesson.maps[0].size == 1_013_888
    assert lesson.maps[-1].size == 12_544
    assert [layer.output.shape[1] for layer in lesson.shown] == WIDTHS


def test_the_activation_model_is_what_the_package_watches(lesson):
    watched = interpret.activations(lesson.net, lesson.photograph)
    assert list(watched) == [layer.name for layer in lesson.shown]
    for ours, theirs in zip(lesson.maps, watched.values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_it_has_no_weights_of_its_own(lesson):
    ours = {id(v) for v in lesson.activation_model.variables}
    assert ours <= {id(v) for v in lesson.net.variables}


def test_a_nested_network_cannot_be_cut_from_outside_but_watched(lesson):
    nested = keras.Sequential([keras.Input((180, 180, 3)), lesson.net])
    with pytest.raises(ValueError, match="input"):
        keras.Model(nested.inputs, lesson.shown[-1].output)
    inner = f"{lesson.net.name}/{lesson.shown[-1].name}"
    found = interpret.activations(nested, lesson.photograph, [inner])[inner]
    np.testing.assert_allclose(found, lesson.maps[-1], rtol=1e-4, atol=1e-5)


def test_the_plain_network_calls_the_cat_a_cat(lesson):
    image = lesson.resized(lesson.square, SIDE)
    assert float(lesson.net.predict_on_batch(image)[0, 0]) < 0.3


def test_the_map_that_is_not_there_has_no_values(lesson):
    empty = lesson.maps[0][0, :, :, :0]
    assert empty.shape == (178, 178, 0)
    assert (empty == 0).all()
    assert not (empty == 0).any()


def test_a_number_of_the_last_convolution_sees_78_pixels():
    steps = []
    for stage in range(5):
        steps.append(layers.Conv2D(1, 3, kernel_initializer="ones"))
        if stage < 4:
            steps.append(layers.AveragePooling2D(2))
    model = keras.Sequential([keras.Input((180, 180, 1)), *steps])
    image = np.ones((1, 180, 180, 1), "float32")
    _, slope = gradients.value_and_gradient(lambda x: model(x)[0, 3, 3, 0], image)
    assert model.outputs[0].shape[1] == 7
    assert np.count_nonzero(slope[0].any(axis=0)) == 78


# --- Like the photograph --------------------------------------------------------------


def test_maps_lose_the_photograph_with_depth_trained_or_not(lesson, data, untrained):
    images = data.x_test[:16]
    gray = images.astype("float32").mean(axis=-1, keepdims=True)
    learned = np.array(lesson.likeness(lesson.net, images, gray))
    random = np.array([lesson.likeness(model, images, gray) for model in untrained])
    assert learned[0] > 0.9
    assert learned[0] - learned[-1] > 0.15
    assert (random[:, 0] > 0.9).all()
    assert (random[:, 0] - random[:, -1] > 0.1).all()
    assert (learned[2:] < random[:, 2:]).all()
    other = np.array(lesson.likeness(lesson.net, images, np.roll(gray, 1, axis=0)))
    assert (other[:-1] < learned[:-1]).all()
    assert other[-1] > other[0] + 0.15
    assert abs(learned[-1] - other[-1]) < 0.15


# --- Zeros and dead channels ----------------------------------------------------------


def test_the_summary_in_batches_is_that_of_all_images(lesson, data):
    images = data.x_test[:7]
    means, zeros, live = lesson.summary(lesson.net, images, batch_size=3)
    for k, stack in enumerate(interpret.activations(lesson.net, images).values()):
        share, dead = interpret.sparsity(stack)
        np.testing.assert_allclose(zeros[k], share, rtol=1e-6)
        np.testing.assert_allclose((~live[k].any(axis=0)).mean(), dead)
        np.testing.assert_allclose(
            means[k], stack.mean(axis=(1, 2)), rtol=1e-3, atol=1e-5
        )


def test_training_made_the_network_sparser_behind_the_second_layer(summaries):
    learned, *random = (zeros for _, zeros, _ in summaries)
    assert ((learned[2:] > 0.55) & (learned[2:] < 0.87)).all()
    assert (np.mean(random, axis=0)[2:] < learned[2:] - 0.05).all()
    assert all(zeros[2:].mean() < learned[2:].mean() - 0.1 for zeros in random)
    assert all(abs(zeros[2:].mean() - 0.5) < 0.1 for zeros in random)


def test_a_pooling_has_fewer_zeros_than_the_convolution_below(summaries):
    for _, zeros, _ in summaries:
        assert (zeros[1:8:2] < zeros[0:8:2]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_more_images_the_fewer_channels_are_dead(summaries, seed):
    live = summaries[0][2][::2]
    order = np.random.default_rng(seed).permutation(len(live[0]))
    dead = [
        [(~layer[order[:n]].any(axis=0)).mean() for n in (1, 16, len(order))]
        for layer in live
    ]
    assert all(one >= few >= many for one, few, many in dead)
    assert np.mean([one for one, _, _ in dead]) > np.mean([m for _, _, m in dead])
    # Of the first layer all but one channel speak on some image.
    assert (~live[0].any(axis=0)).sum() <= 1


def test_training_silenced_a_fifth_of_the_last_layer(summaries):
    silent = [(~live[8].any(axis=0)).mean() for _, _, live in summaries]
    assert 0.15 < silent[0] < 0.3
    assert max(silent[1:]) < silent[0] - 0.05
    assert np.mean(silent[1:]) < 0.15


@pytest.mark.parametrize("seed", SEEDS)
def test_silent_filters_get_no_gradient(summaries, data, lesson, seed):
    silent = ~summaries[0][2][-1].any(axis=0)
    pick = np.random.default_rng(seed).choice(100, 8, replace=False)
    x = data.x_test[pick].astype("float32")
    y = data.y_test[pick, None].astype("float32")
    _, slopes = gradients.weight_gradients(lesson.net, x, y, "binary_crossentropy")
    kernel = lesson.shown[-1].kernel
    slope = np.abs(slopes[kernel.path]).max(axis=(0, 1, 2))
    assert slope[silent].max() == 0
    assert slope[~silent].max() > 0


# --- Scales ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_standardized_noise_has_the_contrast_of_the_cat(lesson, seed):
    noise = np.random.default_rng(seed).normal(0, 1, lesson.photograph.shape)
    card = (128 + noise).astype("float32")
    first = lesson.shown[0].name
    on_card = interpret.activations(lesson.net, card, [first])[first][0]
    on_cat = lesson.maps[0][0]
    spreads = [stack.std(axis=(0, 1)) for stack in (on_cat, on_card)]
    vary = np.flatnonzero((spreads[0] > 1e-6) & (spreads[1] > 1e-6))
    ratio = spreads[0][vary] / spreads[1][vary]
    assert len(vary) >= 4
    assert ratio.max() > 20
    assert ratio.min() < 2
    drawn = [lesson.stretched(on_card[..., channel]) for channel in vary]
    assert np.median([one.std() for one in drawn]) == pytest.approx(0.25, rel=0.05)
    assert np.mean([one.mean() for one in drawn]) == pytest.approx(0.5, abs=0.02)


def test_the_weakest_maps_are_black_on_the_scale_of_the_layer(lesson):
    stack = lesson.maps[0][0]
    largest = stack.max(axis=(0, 1))
    weakest = np.sort(largest[largest > 0])[:4] / largest.max()
    assert weakest[0] < 0.05
    assert weakest[-1] < 0.1


def test_drawing_with_the_bug_changes_what_is_measured(lesson):
    stack = lesson.maps[0].copy()
    share, silent = interpret.sparsity(stack)
    assert share > 0.5
    assert silent > 0.1
    for channel in range(stack.shape[-1]):
        lesson.picture_with_a_bug(stack, channel)
    assert interpret.sparsity(stack) == (0.0, 0.0)


# --- Probes ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_probe_is_ridge_regression(lesson, seed):
    rng = np.random.default_rng(seed)
    x, new_x = rng.normal(size=(40, 6)) * 3 + 1, rng.normal(size=(500, 6)) * 3 + 1
    y = (x @ rng.normal(size=6) > 0).astype(int)
    center, spread = x.mean(axis=0), x.std(axis=0)
    t = 2.0 * y - 1
    # The penalty as more rows of an ordinary least-squares problem.
    rows = np.concatenate([(x - center) / spread, np.sqrt(0.1 * 40) * np.eye(6)])
    weights = np.linalg.lstsq(rows, np.append(t - t.mean(), np.zeros(6)), rcond=None)[0]
    said = (new_x - center) / spread @ weights + t.mean() > 0
    assert lesson.probe(x, y, new_x, said.astype(int)) == 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_probe_of_noise_is_at_chance_and_a_dead_channel_does_no_harm(lesson, seed):
    rng = np.random.default_rng(seed)
    x, new_x = rng.normal(size=(300, 64)), rng.normal(size=(2000, 64))
    x[:, 5] = new_x[:, 5] = 0
    y, new_y = rng.integers(0, 2, 300), rng.integers(0, 2, 2000)
    assert abs(lesson.probe(x, y, new_x, new_y) - 0.5) < 0.05
    assert lesson.probe(x, y, x, y) > 0.6


@pytest.fixture(scope="module")
def last_means(lesson, data, untrained):
    """The means of the last convolution's maps: validation and test images."""
    images = np.concatenate([data.x_validation, data.x_test])
    found = []
    for model in (lesson.net, *untrained):
        last = next(k for k in reversed(model.layers) if isinstance(k, layers.Conv2D))
        means = layers.GlobalAveragePooling2D()(last.output)
        found.append(keras.Model(model.input, means).predict(images, verbose=0))
    return found


def test_training_helps_the_last_probe_and_depth_alone_does_not(
    lesson, data, last_means
):
    n = len(data.x_validation)
    learned, *random = (
        lesson.probe(means[:n], data.y_validation, means[n:], data.y_test)
        for means in last_means
    )
    assert 0.68 < learned < 0.84
    assert all(0.5 < accuracy < learned - 0.05 for accuracy in random)
    assert abs(np.mean(random) - 0.6) < 0.05


def test_in_a_network_that_learned_much_the_classes_part_with_depth(lesson, data):
    net = pretrained.load("efficientnet-lite0", input_shape=(SIDE, SIDE, 3))
    images, labels = data.x_test[:200], data.y_test[:200]
    stages = ["stem", "block_3b", "block_6d"]
    means, _, _ = lesson.summary(net, images, stages)
    found = []
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(200)
        a, b = order[:120], order[120:]
        found.append(
            [lesson.probe(stage[a], labels[a], stage[b], labels[b]) for stage in means]
        )
    first, middle, last = np.mean(found, axis=0)
    assert first + 0.1 < last
    assert middle + 0.02 < last


@pytest.mark.parametrize("place", range(len(SEEDS)))
def test_the_best_of_many_channels_is_best_by_luck(lesson, last_means, data, place):
    seed, means = SEEDS[place], last_means[1 + place]
    features = means[:40]
    labels = np.random.default_rng(seed).permutation(data.y_validation[:40])
    channel, right = lesson.dog_channel_with_a_bug(features, labels)
    assert right > 0.62
    cats, dogs = (features[labels == k].mean(axis=0) for k in (0, 1))
    limits, signs = (cats + dogs) / 2, np.where(dogs > cats, 1, -1)
    again = lesson.hits(means[300:], data.y_test, limits, signs)
    assert again[channel] < 0.6
