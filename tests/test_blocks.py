"""Blocks have the shapes, parameters and start values that lesson 03 teaches."""

import keras
import numpy as np
import pytest
from keras import ops

import course_utils
from course_utils import blocks, gradients

BLOCKS = [blocks.residual_block, blocks.plain_block]


def model_of(block, shape, *arguments, **options):
    inputs = keras.Input(shape)
    return keras.Model(inputs, block(inputs, *arguments, **options))


def random_maps(shape, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *shape)).astype("float32")


def test_the_package_offers_the_block_by_its_own_name():
    assert course_utils.residual_block is blocks.residual_block


@pytest.mark.parametrize(
    ("filters", "options", "side", "parameters"),
    [
        (32, {}, 30, 2 * 9_248),
        (64, {}, 30, 18_496 + 36_928 + 2_112),
        (64, {"pooling": True}, 15, 18_496 + 36_928 + 2_112),
        (32, {"pooling": True}, 15, 2 * 9_248 + 32 * 32 + 32),
        (64, {"kernel_size": 1}, 30, 2_112 + 64 * 64 + 64 + 2_112),
        (32, {"normalization": True}, 30, 2 * (9_216 + 128)),
        (64, {"normalization": True}, 30, 18_432 + 36_864 + 2_048 + 3 * 256),
    ],
)
def test_a_residual_block_has_exact_shape_and_parameters(
    filters, options, side, parameters
):
    model = model_of(blocks.residual_block, (30, 30, 32), filters, **options)
    assert model.output.shape == (None, side, side, filters)
    assert model.count_params() == parameters


def test_a_plain_block_is_the_main_path_alone():
    plain = model_of(blocks.plain_block, (30, 30, 32), 64, pooling=True)
    assert plain.output.shape == (None, 15, 15, 64)
    assert plain.count_params() == 18_496 + 36_928


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("side", "half"), [(16, 8), (15, 8), (7, 4), (1, 1)])
def test_pooling_halves_a_side_and_rounds_up(block, side, half):
    model = model_of(block, (side, side, 3), 4, pooling=True)
    assert model.output.shape[1:3] == (half, half)
    assert model.predict_on_batch(random_maps((side, side, 3))).shape[1:3] == (
        half,
        half,
    )


def test_a_side_of_unknown_length_still_gets_its_projection():
    model = model_of(blocks.residual_block, (None, None, 4), 4, pooling=True)
    assert model.predict_on_batch(random_maps((9, 6, 4))).shape == (2, 5, 3, 4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_residual_block_adds_its_input_to_the_main_path(seed):
    keras.utils.set_random_seed(seed)
    residual = model_of(blocks.residual_block, (6, 6, 4), 4)
    linear = model_of(blocks.plain_block, (6, 6, 4), 4, activation="relu")
    linear.layers[-1].activation = keras.activations.linear
    linear.set_weights(residual.get_weights())
    x = random_maps((6, 6, 4), seed)
    expected = np.maximum(x + linear.predict_on_batch(x), 0)
    np.testing.assert_allclose(
        residual.predict_on_batch(x), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("normalization", [False, True])
def test_zero_init_starts_as_the_shortcut(normalization):
    model = model_of(
        blocks.residual_block,
        (6, 6, 4),
        4,
        normalization=normalization,
        zero_init=True,
    )
    x = random_maps((6, 6, 4))
    np.testing.assert_array_equal(model.predict_on_batch(x), np.maximum(x, 0))


def test_zero_init_lets_the_gradient_into_the_last_kernel():
    model = model_of(blocks.residual_block, (6, 6, 4), 4, zero_init=True)
    x = random_maps((6, 6, 4))
    _, slopes = gradients.weight_gradients(model, x, 0 * x, "mse")
    first, _, last, _ = slopes.values()
    assert not first.any()
    assert last.any()


@pytest.mark.parametrize("block", BLOCKS)
def test_the_two_kernels_start_apart(block):
    keras.utils.set_random_seed(0)
    kernels = [w for w in model_of(block, (6, 6, 4), 4).get_weights() if w.ndim == 4]
    assert not np.allclose(kernels[0], kernels[1])


@pytest.mark.parametrize("block", BLOCKS)
def test_normalization_leaves_no_dead_bias(block):
    model = model_of(block, (6, 6, 4), 8, normalization=True)
    convolutions = [la for la in model.layers if isinstance(la, keras.layers.Conv2D)]
    assert convolutions
    assert not any(layer.use_bias for layer in convolutions)


def test_options_reach_the_layers():
    model = model_of(
        blocks.residual_block,
        (6, 6, 4),
        4,
        kernel_size=5,
        activation="tanh",
        kernel_initializer="zeros",
    )
    kernels = [w for w in model.get_weights() if w.ndim == 4]
    assert [k.shape[:2] for k in kernels] == [(5, 5), (5, 5)]
    assert not any(k.any() for k in kernels)
    x = random_maps((6, 6, 4))
    np.testing.assert_allclose(
        model.predict_on_batch(x), ops.convert_to_numpy(ops.tanh(x)), rtol=1e-5
    )


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("x", np.zeros((2, 8, 8, 3), "float32"), TypeError),
        ("x", None, TypeError),
        ("x", "image", TypeError),
        ("filters", 0, ValueError),
        ("filters", -4, ValueError),
        ("filters", 8.0, TypeError),
        ("filters", True, TypeError),
        ("filters", None, TypeError),
        ("kernel_size", 0, ValueError),
        ("kernel_size", (3, 3), TypeError),
        ("pooling", 2, TypeError),
        ("pooling", "max", TypeError),
        ("normalization", "batch", TypeError),
        ("activation", "rleu", ValueError),
        ("activation", "", ValueError),
        ("activation", None, TypeError),
        ("kernel_initializer", "he_norml", ValueError),
        ("kernel_initializer", keras.initializers.HeNormal(), TypeError),
    ],
)
def test_bad_input_is_named(block, argument, value, error):
    arguments = {"x": keras.Input((8, 8, 3)), "filters": 4, argument: value}
    with pytest.raises(error, match=f"^`{argument}`: expected .*, got "):
        block(**arguments)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("shape", [(8,), (8, 3), (4, 8, 8, 3), (8, 8, None)])
def test_maps_of_another_form_are_refused(block, shape):
    with pytest.raises(ValueError, match="^`x`: expected .*height, width, channels"):
        block(keras.Input(shape), 4)


def test_a_mistyped_name_gets_a_suggestion():
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        blocks.plain_block(keras.Input((8, 8, 3)), 4, activation="rleu")


# --- Grouped convolution, lesson 05 ---------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "parameters"),
    [
        (1, 6 * 8 + 9 * 8 * 8 + 8),
        (2, 6 * 8 + 9 * 4 * 8 + 8),
        (4, 6 * 8 + 9 * 2 * 8 + 8),
        (8, 6 * 8 + 9 * 8 + 8),
    ],
)
def test_more_groups_take_fewer_weights(groups, parameters):
    model = model_of(blocks.grouped_convolution, (7, 5, 6), 8, groups=groups)
    assert model.output.shape == (None, 7, 5, 8)
    assert model.count_params() == parameters


def test_without_bias_only_the_kernels_are_left():
    model = model_of(
        blocks.grouped_convolution,
        (6, 6, 4),
        8,
        groups=2,
        kernel_size=5,
        use_bias=False,
    )
    assert model.count_params() == 4 * 8 + 25 * 4 * 8


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_a_grouped_convolution_is_one_with_zeros_between_the_groups(groups):
    model = model_of(blocks.grouped_convolution, (6, 6, 5), 8, groups=groups)
    rng = np.random.default_rng(groups)
    weights = [rng.normal(size=w.shape).astype("float32") for w in model.get_weights()]
    model.set_weights(weights)
    full, width = np.zeros((3, 3, 8, 8), "float32"), 8 // groups
    bias = np.concatenate([w for w in weights if w.ndim == 1])
    kernels = [w for w in weights[1:] if w.ndim == 4]
    if groups == 8:
        full[..., range(8), range(8)] = kernels[0][..., 0]
    else:
        for k, kernel in enumerate(kernels):
            own = slice(k * width, (k + 1) * width)
            full[:, :, own, own] = kernel
    x = random_maps((6, 6, 5))
    mixed = ops.conv(x, weights[0])
    expected = ops.convert_to_numpy(ops.conv(mixed, full, padding="same")) + bias
    np.testing.assert_allclose(
        model.predict_on_batch(x), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_every_weight_of_a_grouped_convolution_gets_a_gradient(groups):
    model = model_of(blocks.grouped_convolution, (6, 6, 5), 8, groups=groups)
    x = random_maps((6, 6, 5))
    y = np.ones((2, 6, 6, 8), "float32")
    _, slopes = gradients.weight_gradients(model, x, y, "mse")
    assert all(slope.any() for slope in slopes.values())


#: Each block, with the options that change which layers it is made of.
SAVED = [
    ("plain_block", {"pooling": True, "normalization": True}),
    ("residual_block", {}),
    ("residual_block", {"pooling": True, "normalization": True, "zero_init": True}),
    ("identity_block", {}),
    ("convolutional_block", {}),
    ("separable_block", {}),
    ("separable_block", {"normalization": "after", "separable": False}),
    ("inverted_residual_block", {"strides": 2}),
    ("grouped_convolution", {"groups": 4}),
]


def test_each_block_is_saved_somewhere_below():
    assert {name for name, _ in SAVED} == set(blocks.__all__)


@pytest.mark.parametrize(("name", "options"), SAVED)
def test_a_block_survives_saving_and_loading(name, options, tmp_path):
    channels = 32 if name == "identity_block" else 5  # it keeps its input's
    model = model_of(getattr(blocks, name), (6, 6, channels), 8, **options)
    x = random_maps((6, 6, channels))
    model.compile("sgd", "mse")  # a step, so that no weight is as it started
    model.train_on_batch(x, np.ones((2, *model.output.shape[1:]), "float32"))
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    found = again.predict_on_batch(x)
    np.testing.assert_allclose(found, model.predict_on_batch(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("x", np.zeros((2, 8, 8, 3), "float32"), TypeError),
        ("filters", 0, ValueError),
        ("filters", 8.0, TypeError),
        ("groups", 0, ValueError),
        ("groups", 3, ValueError),
        ("groups", 16, ValueError),
        ("groups", "all", TypeError),
        ("kernel_size", 0, ValueError),
        ("use_bias", 1, TypeError),
    ],
)
def test_bad_input_to_a_grouped_convolution_is_named(argument, value, error):
    arguments = {"x": keras.Input((8, 8, 3)), "filters": 8, "groups": 2}
    arguments[argument] = value
    with pytest.raises(error, match=f"^`{argument}`: expected .*, got "):
        blocks.grouped_convolution(**arguments)
