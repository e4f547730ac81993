"""The nets have the exact sizes that the course quotes, and the library's outputs."""

import keras
import numpy as np
import pytest

import course_utils
from course_utils import blocks, nets


def trained(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_weights)


def map_sides(model):
    """Sides of the feature maps, each once, in order of appearance."""
    sides = [la.output.shape[1] for la in model.layers if len(la.output.shape) == 4]
    return list(dict.fromkeys(sides))


def images(shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (2, *shape)).astype("float32")


@pytest.mark.parametrize(
    "name",
    ["cifar_resnet", "mini_xception", "plain_convnet", "resnet50", "xception"],
)
def test_the_package_offers_each_net_by_its_own_name(name):
    assert getattr(course_utils, name) is getattr(nets, name)


def test_mini_xception_has_the_size_of_the_classic_one():
    model = nets.mini_xception()
    assert model.count_params() == 721_857
    assert trained(model) == 718_849
    assert map_sides(model) == [180, 176, 88, 44, 22, 11, 6]
    assert model.output.shape == (None, 1)


def test_the_plain_convnet_has_nine_maps():
    model = nets.plain_convnet()
    assert model.count_params() == 991_041
    assert map_sides(model)[1:] == [178, 89, 87, 43, 41, 20, 18, 9, 7]


@pytest.mark.parametrize(
    ("include_top", "size"), [(True, 22_910_480), (False, 20_861_480)]
)
def test_xception_has_the_size_of_the_library_s(include_top, size):
    assert nets.xception(include_top=include_top).count_params() == size


def test_resnet50_has_the_size_of_the_classic_one():
    model = nets.resnet50(input_shape=(64, 64, 3), num_classes=6)
    assert model.count_params() == 23_600_006
    assert trained(model) == 23_546_886
    assert model.count_params() - trained(model) == 53_120
    assert nets.resnet50().count_params() == 25_636_712


@pytest.mark.parametrize(
    ("depth", "size"), [(20, 269_722), (32, 464_154), (56, 853_018), (110, 1_727_962)]
)
def test_the_cifar_family_has_the_sizes_of_the_paper(depth, size):
    assert trained(nets.cifar_resnet(depth=depth)) == size


@pytest.mark.parametrize(
    ("ours", "library", "side"),
    [
        (nets.resnet50, "ResNet50", 32),
        (nets.resnet50, "ResNet50", 224),
        (nets.xception, "Xception", 71),
    ],
)
def test_with_the_library_s_weights_the_outputs_are_the_library_s(
    ours, library, side, tmp_path
):
    shape = (side, side, 3)
    theirs = getattr(keras.applications, library)(
        weights=None, input_shape=shape, classes=10
    )
    model = ours(input_shape=shape, num_classes=10)
    rng = np.random.default_rng(0)
    # Every weight counts: no scale of 1, no shift of 0, no variance of 1.
    values = []
    for variable in theirs.weights:
        if len(variable.shape) > 1:
            fan_in = np.prod(variable.shape[:-1])
            values.append(rng.normal(0, fan_in**-0.5, variable.shape))
        else:
            values.append(rng.uniform(0.5, 1.0, variable.shape))
    theirs.set_weights(values)
    model.set_weights(values)
    x = rng.normal(size=(2, *shape)).astype("float32")
    expected = theirs.predict_on_batch(x)
    assert expected.std() > 1e-3  # not saturated
    np.testing.assert_allclose(model.predict_on_batch(x), expected, rtol=1e-4)
    # And they still are after a round trip through a file.
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_allclose(again.predict_on_batch(x), expected, rtol=1e-4)


def test_mini_xception_counts_its_separable_layers_as_the_library_does():
    """Each separable layer has as many weights as Xception's of the same channels."""
    layers = [
        layer
        for layer in keras.applications.Xception(
            weights=None, input_shape=(71, 71, 3), include_top=False
        ).layers
        if isinstance(layer, keras.layers.SeparableConv2D)
    ]
    theirs = {
        (layer.input.shape[-1], layer.filters): layer.count_params() for layer in layers
    }
    found = 0
    for layer in nets.mini_xception(filters=(64, 128, 256)).layers:
        if isinstance(layer, keras.layers.SeparableConv2D):
            key = (layer.input.shape[-1], layer.filters)
            if key in theirs:
                found += 1
                assert layer.count_params() == theirs[key]
    assert found == 4  # 64→128, 128→128, 128→256, 256→256


@pytest.mark.parametrize(
    ("factory", "options"),
    [
        (nets.plain_convnet, {"input_shape": (78, 78, 3)}),
        (
            nets.mini_xception,
            {"input_shape": (32, 32, 3), "filters": (8, 16), "num_classes": 5},
        ),
        (nets.cifar_resnet, {"depth": 8}),
        (nets.enlarged_xception, {}),
        (nets.dense_classifier, {"input_shape": (8, 8, 1)}),
        (nets.small_convnet, {"input_shape": (16, 16, 1)}),
        (nets.shallow_convnet, {"input_shape": (16, 16, 3)}),
        (nets.strided_resnet, {}),
        (nets.fast_resnet, {"width": 4}),
    ],
)
def test_a_net_survives_saving_and_loading(factory, options, tmp_path):
    model = factory(**options)
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    x = images(options.get("input_shape", (32, 32, 3)))
    np.testing.assert_allclose(
        loaded.predict_on_batch(x), model.predict_on_batch(x), rtol=1e-5, atol=1e-6
    )


def test_a_net_with_augmentation_survives_saving_and_loading(tmp_path):
    model = nets.cifar_resnet(depth=8, augmentation=nets.augmentation(shift=0.1))
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    x = images((32, 32, 3))
    expected = model.predict_on_batch(x)
    np.testing.assert_allclose(loaded.predict_on_batch(x), expected, rtol=1e-5)
    in_training = keras.ops.convert_to_numpy(loaded(x, training=True))
    turned = keras.ops.convert_to_numpy(loaded(x, training=True))
    assert np.abs(in_training - turned).max() > 1e-4  # it still changes the images


SMALL = {"input_shape": (32, 32, 3), "filters": (8, 16)}


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"residual": False}, "fewer"),
        ({"normalization": False}, "fewer"),
        ({"separable": False}, "more"),
        ({"inner_activation": "relu"}, "same"),
        ({"head": "flatten"}, "more"),
    ],
)
def test_each_ablation_changes_the_net_as_it_says(options, change):
    keras.utils.set_random_seed(0)
    base = nets.mini_xception(**SMALL)
    other = nets.mini_xception(**SMALL, **options)
    difference = other.count_params() - base.count_params()
    assert {"fewer": difference < 0, "same": difference == 0, "more": difference > 0}[
        change
    ]
    if change == "same":
        other.set_weights(_by_shape(base, other))
        x = images((32, 32, 3))
        assert not np.allclose(base.predict_on_batch(x), other.predict_on_batch(x))


def _by_shape(base, other):
    """The weights of one net in the order of another with the same shapes."""
    values = [np.array(w) for w in base.get_weights()]
    taken = []
    for variable in other.weights:
        index = next(i for i, v in enumerate(values) if v.shape == variable.shape)
        taken.append(values.pop(index))
    return taken


def test_augmentation_changes_images_in_training_only():
    layer = nets.augmentation()
    x = images((32, 32, 3))
    np.testing.assert_allclose(np.asarray(layer(x, training=False)), x)
    changed = keras.ops.convert_to_numpy(layer(x, training=True))
    assert changed.shape == x.shape
    assert np.abs(changed - x).mean() > 1


def test_an_empty_augmentation_is_named():
    with pytest.raises(ValueError, match="`augmentation`: .* without any layer"):
        nets.mini_xception(**SMALL, augmentation=keras.Sequential())


def test_an_augmented_net_has_the_same_weights():
    model = nets.mini_xception(**SMALL, augmentation=nets.augmentation())
    assert model.count_params() == nets.mini_xception(**SMALL).count_params()


@pytest.mark.parametrize(
    ("factory", "options", "argument"),
    [
        (nets.mini_xception, {"input_shape": (180, 180)}, "input_shape"),
        (nets.mini_xception, {"input_shape": "180"}, "input_shape"),
        (nets.mini_xception, {"input_shape": (4, 4, 3)}, "input_shape"),
        (nets.mini_xception, {"num_classes": 1}, "num_classes"),
        (nets.mini_xception, {"num_classes": 2.0}, "num_classes"),
        (nets.mini_xception, {"filters": ()}, "filters"),
        (nets.mini_xception, {"filters": 32}, "filters"),
        (nets.mini_xception, {"filters": (32, 0)}, "filters"),
        (nets.mini_xception, {"residual": 1}, "residual"),
        (nets.mini_xception, {"head": "max"}, "head"),
        (nets.mini_xception, {"dropout": 1.0}, "dropout"),
        (nets.mini_xception, {"dropout": float("nan")}, "dropout"),
        (nets.mini_xception, {"inner_activation": "rleu"}, "inner_activation"),
        (
            nets.mini_xception,
            {"inner_activation": "relu", "separable": False},
            "inner_activation",
        ),
        (nets.mini_xception, {"augmentation": "flip"}, "augmentation"),
        (nets.plain_convnet, {"input_shape": (64, 64, 3)}, "input_shape"),
        (nets.xception, {"input_shape": (32, 32, 3)}, "input_shape"),
        (nets.xception, {"include_top": None}, "include_top"),
        (nets.resnet50, {"input_shape": (16, 16, 3)}, "input_shape"),
        (nets.resnet50, {"include_top": 1}, "include_top"),
        (nets.resnet50, {"preprocessing": "caffe"}, "preprocessing"),
        (nets.cifar_resnet, {"depth": 18}, "depth"),
        (nets.cifar_resnet, {"depth": "20"}, "depth"),
        (nets.augmentation, {"rotation": 1.5}, "rotation"),
        (nets.augmentation, {"zoom": -0.1}, "zoom"),
        (nets.augmentation, {"shift": 1.0}, "shift"),
        (nets.shallow_convnet, {"input_shape": (7, 8, 3)}, "input_shape"),
        (nets.strided_resnet, {"strides": (1, 2)}, "strides"),
        (nets.strided_resnet, {"strides": (1, 1, 1, 2, 1, 1, 3)}, "strides"),
        (nets.strided_resnet, {"strides": 2}, "strides"),
        (nets.fast_resnet, {"width": 0}, "width"),
        (nets.fast_resnet, {"augmentation": "flip"}, "augmentation"),
        (nets.enlarged_xception, {"side": 64}, "side"),
        (nets.cifar_resnet, {"augmentation": "flip"}, "augmentation"),
        (nets.augmentation, {"flip": False, "rotation": 0, "zoom": 0}, "flip"),
    ],
)
def test_a_wrong_argument_is_named(factory, options, argument):
    with pytest.raises((TypeError, ValueError), match=f"^`{argument}`"):
        factory(**options)


@pytest.mark.parametrize(
    ("block", "arguments", "options", "argument"),
    [
        (blocks.separable_block, (np.zeros((1, 8, 8, 3)), 8), {}, "x"),
        (blocks.separable_block, (8,), {"strides": 3}, "strides"),
        (blocks.separable_block, (8,), {"normalization": True}, "normalization"),
        (blocks.separable_block, ((),), {}, "filters"),
        (blocks.identity_block, (8,), {}, "x"),
        (blocks.convolutional_block, (8,), {"name": 3}, "name"),
        (blocks.convolutional_block, (0,), {}, "filters"),
        (blocks.convolutional_block, (8,), {"strides": 0}, "strides"),
    ],
)
def test_a_block_names_a_wrong_argument(block, arguments, options, argument):
    if not isinstance(arguments[0], np.ndarray):
        arguments = (keras.Input((8, 8, 3)), *arguments)
    with pytest.raises((TypeError, ValueError), match=f"^`{argument}`"):
        block(*arguments, **options)


@pytest.mark.parametrize(
    ("filters", "options", "shape"),
    [
        (16, {}, (None, 8, 8, 16)),
        ((8, 16), {}, (None, 8, 8, 16)),
        (16, {"strides": 1}, (None, 15, 15, 16)),
        ((3, 3, 3), {"strides": 1}, (None, 15, 15, 3)),
    ],
)
def test_a_separable_block_has_the_shape_it_says(filters, options, shape):
    x = keras.Input((15, 15, 3))
    assert blocks.separable_block(x, filters, **options).shape == shape


def test_a_separable_block_that_keeps_its_shape_has_a_free_shortcut():
    x = keras.Input((15, 15, 4))
    with_shortcut = keras.Model(x, blocks.separable_block(x, 4, strides=1))
    without = keras.Model(x, blocks.separable_block(x, 4, strides=1, residual=False))
    assert with_shortcut.count_params() == without.count_params()


def test_the_bottlenecks_have_the_sizes_of_resnet50_s_second_stage():
    x = keras.Input((56, 56, 256))
    identity = keras.Model(x, blocks.identity_block(x, 64))
    convolutional = keras.Model(x, blocks.convolutional_block(x, 128))
    assert identity.output.shape == (None, 56, 56, 256)
    assert convolutional.output.shape == (None, 28, 28, 512)
    # Kernels and biases, and four numbers a channel for the normalization.
    assert identity.count_params() == sum(
        k * k * i * o + o + 4 * o
        for k, i, o in [(1, 256, 64), (3, 64, 64), (1, 64, 256)]
    )
    assert convolutional.count_params() == sum(
        k * k * i * o + o + 4 * o
        for k, i, o in [(1, 256, 128), (3, 128, 128), (1, 128, 512), (1, 256, 512)]
    )


# --- The nets of lesson 10 ------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "options", "parameters"),
    [
        (nets.shallow_convnet, {}, 845_738),
        (nets.strided_resnet, {"strides": (1, 2, 2, 2, 2, 2, 2)}, 261_238),
        (nets.strided_resnet, {}, 258_582),
        (nets.fast_resnet, {}, 6_577_610),
        (nets.fast_resnet, {"width": 16}, 414_074),
    ],
)
def test_the_nets_of_the_lab_have_exact_parameters(factory, options, parameters):
    assert factory(**options).count_params() == parameters


def test_the_repaired_net_keeps_its_map_where_the_found_one_loses_it():
    def last_map(**options):
        layers = nets.strided_resnet(**options).layers
        return next(x for x in reversed(layers) if len(x.output.shape) == 4).output

    assert last_map().shape == (None, 8, 8, 128)
    assert last_map(strides=(1, 2, 2, 2, 2, 2, 2)).shape == (None, 1, 1, 128)


def test_the_enlarged_net_is_the_library_s():
    model = nets.enlarged_xception()
    body = keras.applications.Xception(
        weights=None, include_top=False, pooling="avg", input_shape=(71, 71, 3)
    )
    assert model.count_params() == body.count_params() + 2048 * 10 + 10 == 20_881_970
    assert model.output.shape == (None, 10)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_shift_moves_each_image_its_own_way_by_whole_pixels(seed):
    images = np.random.default_rng(seed).normal(size=(16, 16, 16, 1)).astype("float32")
    layer = nets.augmentation(flip=False, rotation=0, zoom=0, shift=0.25, seed=seed)
    moved = keras.ops.convert_to_numpy(layer(images, training=True))
    offsets = set()
    for before, after in zip(images, moved, strict=True):
        middle = after[4:12, 4:12]
        places = [
            (dy, dx)
            for dy in range(-4, 5)
            for dx in range(-4, 5)
            if np.allclose(middle, before[4 + dy : 12 + dy, 4 + dx : 12 + dx])
        ]
        assert len(places) == 1
        offsets |= set(places)
    assert len(offsets) > 4
    still = keras.ops.convert_to_numpy(layer(images, training=False))
    np.testing.assert_array_equal(still, images)


@pytest.mark.parametrize(
    ("factory", "options"),
    [
        (nets.shallow_convnet, {}),
        (nets.strided_resnet, {}),
        (nets.fast_resnet, {"width": 2}),
        (nets.cifar_resnet, {"depth": 8}),
        (nets.resnet50, {"input_shape": (32, 32, 3), "num_classes": 3}),
        (nets.xception, {"input_shape": (71, 71, 3), "num_classes": 3}),
    ],
)
def test_the_output_stays_in_float32_in_mixed_precision(factory, options):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = factory(**options)
    finally:
        keras.config.set_dtype_policy(before)
    dtypes = {layer.compute_dtype for layer in model.layers}
    assert "bfloat16" in dtypes
    assert model.layers[-1].compute_dtype == "float32"
