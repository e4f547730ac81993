"""Gradients agree with mathematics done by hand, on whichever backend runs."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

from course_utils import gradients

TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


def dense_net(seed=0):
    """A 5-4-3 net with tanh, as a Keras model and as NumPy weights (float64)."""
    rng = np.random.default_rng(seed)
    weights = [
        rng.normal(size=shape).astype("float32") for shape in ((5, 4), 4, (4, 3), 3)
    ]
    inputs = keras.Input((5,))
    hidden = layers.Dense(4, activation="tanh", name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(3, name="out")(hidden))
    model.set_weights(weights)
    return model, [weight.astype("float64") for weight in weights]


def by_hand(weights, x, y):
    """Mean squared error of the net and its gradients, in float64."""
    w1, b1, w2, b2 = weights
    h = np.tanh(x @ w1 + b1)
    out = h @ w2 + b2
    loss = ((out - y) ** 2).mean()
    d_out = 2 * (out - y) / y.size
    d_h = d_out @ w2.T
    d_a = d_h * (1 - h**2)
    inner = {"hidden": (h, d_h), "out": (out, d_out)}
    return loss, [x.T @ d_a, d_a.sum(0), h.T @ d_out, d_out.sum(0)], inner


def batch(seed=1, n=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 5)), rng.normal(size=(n, 3))


@pytest.mark.parametrize("compile", [True, False])
def test_gradient_of_an_array_equals_the_formula(compile):
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    value, gradient = gradients.value_and_gradient(
        lambda t: ops.sum(ops.sin(t) * t), x, compile=compile
    )
    np.testing.assert_allclose(value, (np.sin(x) * x).sum(), **TOLERANCE)
    np.testing.assert_allclose(gradient, np.cos(x) * x + np.sin(x), **TOLERANCE)
    assert gradient.dtype == np.float32


def test_gradient_of_a_list_keeps_the_shapes_and_is_zero_where_unused():
    value, (first, second) = gradients.value_and_gradient(
        lambda parts: ops.sum(parts[0]) * 3, [np.ones(2), np.ones((3, 1))]
    )
    assert value == pytest.approx(6)
    np.testing.assert_array_equal(first, [3, 3])
    np.testing.assert_array_equal(second, np.zeros((3, 1)))


def test_a_value_that_ignores_x_has_a_zero_gradient():
    value, gradient = gradients.value_and_gradient(
        lambda t: ops.convert_to_tensor(2.0), np.ones(4)
    )
    assert value == 2
    np.testing.assert_array_equal(gradient, np.zeros(4))


def test_gradient_function_answers_for_several_shapes():
    slope = gradients.gradient_function(lambda t: ops.sum(t**2))
    for shape in ((3,), (2, 2), (3,)):
        value, gradient = slope(np.full(shape, 2.0))
        assert value == pytest.approx(4 * np.prod(shape))
        np.testing.assert_allclose(gradient, np.full(shape, 4.0))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weight_gradients_equal_backpropagation_by_hand(seed):
    model, weights = dense_net(seed)
    x, y = batch(seed)
    loss, found = gradients.weight_gradients(model, x, y, "mse")
    wanted_loss, wanted, _ = by_hand(weights, x, y)
    np.testing.assert_allclose(loss, wanted_loss, **TOLERANCE)
    assert list(found) == [variable.path for variable in model.trainable_variables]
    for mine, other in zip(found.values(), wanted, strict=True):
        np.testing.assert_allclose(mine, other, **TOLERANCE)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_output_gradients_equal_backpropagation_by_hand(seed):
    model, weights = dense_net(seed)
    x, y = batch(seed)
    loss, inner = gradients.output_gradients(model, x, y, "mse")
    wanted_loss, _, wanted = by_hand(weights, x, y)
    np.testing.assert_allclose(loss, wanted_loss, **TOLERANCE)
    assert list(inner) == ["hidden", "out"]
    for name, (output, gradient) in inner.items():
        np.testing.assert_allclose(output, wanted[name][0], **TOLERANCE)
        np.testing.assert_allclose(gradient, wanted[name][1], **TOLERANCE)


def branched_model():
    inputs = keras.Input((6, 6, 2))
    h = layers.Conv2D(3, 3, padding="same", name="conv")(inputs)
    side = layers.BatchNormalization(name="norm")(h)
    h = layers.Add(name="sum")([h, layers.ReLU(name="relu")(side)])
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="pool")(h))


def test_gradient_of_a_shared_output_adds_up_over_its_branches():
    model = branched_model()
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2))
    _, inner = gradients.output_gradients(model, x, np.zeros((4, 3)), "mse")
    d_sum = inner["sum"][1]
    # The sum hands its gradient to both branches; what reaches `conv` is the identity
    # branch plus what comes back through the batch norm.
    gamma, _, _, variance = model.get_layer("norm").get_weights()
    through = inner["norm"][1] * gamma / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(inner["conv"][1], d_sum + through, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(inner["relu"][1], d_sum, **TOLERANCE)


def test_gradients_of_a_convolution_equal_those_in_double_precision():
    rng = np.random.default_rng(0)
    inputs = keras.Input((5, 4, 2))
    maps = layers.Conv2D(3, 3, activation="tanh", name="conv")(inputs)
    flat = layers.Flatten()(maps)
    model = keras.Model(inputs, layers.Dense(2, name="dense")(flat))
    weights = [rng.normal(size=w.shape).astype("float32") for w in model.get_weights()]
    model.set_weights(weights)
    x, y = rng.normal(size=(3, 5, 4, 2)).astype("float32"), rng.normal(size=(3, 2))

    def loss(parts):
        kernel, bias, dense, offset = parts
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        maps = np.tanh(np.einsum("nhwcij,ijcf->nhwf", windows, kernel) + bias)
        out = maps.reshape(3, -1) @ dense + offset
        return ((out - y.astype("float32")) ** 2).mean()

    # A derivative by an imaginary step has no rounding error of a difference
    # (Squire and Trapp, 1998).
    exact = []
    for number, weight in enumerate(weights):
        gradient = np.empty(weight.shape)
        for place in np.ndindex(weight.shape):
            parts = [part.astype("complex128") for part in weights]
            parts[number][place] += 1e-30j
            gradient[place] = loss(parts).imag / 1e-30
        exact.append(gradient)
    value, found = gradients.weight_gradients(model, x, y, "mse")
    assert value == pytest.approx(float(loss(weights)), rel=1e-5)
    for ours, theirs in zip(found.values(), exact, strict=True):
        # A small entry is a sum that cancels: it has the rounding of the large ones.
        assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize("training", [False, True])
def test_no_gradient_moves_the_model(training):
    model = branched_model()
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2))
    before = [weight.copy() for weight in model.get_weights()]
    gradients.weight_gradients(model, x, np.zeros((4, 3)), "mse", training=training)
    gradients.output_gradients(model, x, np.zeros((4, 3)), "mse", training=training)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_training_mode_uses_the_batch_statistics():
    model = branched_model()
    x = np.random.default_rng(0).normal(3, 2, size=(4, 6, 6, 2))
    losses = [
        gradients.weight_gradients(model, x, np.zeros((4, 3)), "mse", training=mode)[0]
        for mode in (False, True)
    ]
    assert abs(losses[0] - losses[1]) > 1e-3


def test_weight_gradient_function_follows_the_weights():
    model, weights = dense_net()
    x, y = batch()
    on = gradients.weight_gradient_function(model, "mse")
    first, _ = on(x, y)
    model.set_weights([weight * 0 for weight in model.get_weights()])
    second, _ = on(x, y)
    assert first == pytest.approx(by_hand(weights, x, y)[0], rel=1e-5)
    assert second == pytest.approx((y**2).mean(), rel=1e-5)


def test_a_sequential_model_has_inner_gradients_too():
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, name="a"), layers.Dense(3, name="b")]
    )
    x, y = batch()
    _, inner = gradients.output_gradients(model, x, y, "mse", ["a"])
    assert list(inner) == ["a"]
    assert inner["a"][0].shape == inner["a"][1].shape == (6, 4)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(x)


def test_a_subclassed_model_has_weight_gradients_but_no_graph():
    model = Subclassed()
    x, y = batch()
    model(ops.convert_to_tensor(x))
    assert len(gradients.weight_gradients(model, x, y, "mse")[1]) == 2
    with pytest.raises(TypeError, match="functional or Sequential"):
        gradients.output_gradients(model, x, y, "mse")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_softmax_over_one_unit_has_no_gradient_unless_the_loss_finds_the_score(seed):
    """What lesson 03 says of its last bug, on each backend."""
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


def test_bad_input_is_named():
    model, _ = dense_net()
    x, y = batch()
    broken = x.copy()
    broken[0, 0] = np.nan
    cases = [
        (TypeError, "`function`", lambda: gradients.value_and_gradient(3, x)),
        (TypeError, "`x`", lambda: gradients.value_and_gradient(ops.sum, "x")),
        (ValueError, "NaN", lambda: gradients.value_and_gradient(ops.sum, broken)),
        (ValueError, "1 arg", lambda: gradients.value_and_gradient(ops.matmul, x)),
        (ValueError, "empty", lambda: gradients.value_and_gradient(ops.sum, [])),
        (
            ValueError,
            "scalar",
            lambda: gradients.value_and_gradient(lambda t: t, x, compile=False),
        ),
        (TypeError, "`model`", lambda: gradients.weight_gradients(3, x, y, "mse")),
        (ValueError, "`loss`", lambda: gradients.weight_gradients(model, x, y, "m")),
        (TypeError, "`loss`", lambda: gradients.weight_gradients(model, x, y, 3)),
        (
            ValueError,
            "`y`.*as many targets",
            lambda: gradients.weight_gradients(model, x, y[:2], "mse"),
        ),
        (
            ValueError,
            "did you mean 'hidden'",
            lambda: gradients.output_gradients(model, x, y, "mse", ["hiden"]),
        ),
        (
            TypeError,
            "`layers`",
            lambda: gradients.output_gradients(model, x, y, "mse", "hidden"),
        ),
        (TypeError, "`function`", lambda: gradients.show_source(len)),
    ]
    for error, words, call in cases:
        with pytest.raises(error, match=words):
            call()


def test_show_source_prints_the_code(capsys):
    gradients.show_source(gradients.differentiate)
    assert "GradientTape" in capsys.readouterr().out
