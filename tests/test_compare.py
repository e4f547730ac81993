"""The comparison of models: every right style passes, every wrong model is caught."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, ops  # noqa: E402

from course_utils.compare import (  # noqa: E402
    INFERENCE,
    PARAMETERS,
    RULES,
    SHAPE,
    STEP,
    TRAINING,
    VARIABLES,
    block_model,
    compare_models,
    model_rules,
)
from course_utils.exercises import Failure  # noqa: E402

SIZE = (6, 6, 3)


def residual(activation="relu", momentum=0.9, rate=0.3):
    """A small residual net with normalization and dropout: the oracle."""
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    shortcut = x
    for _ in range(2):
        x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=momentum)(x)
        x = layers.Activation(activation)(x)
    x = layers.Add()([x, shortcut])
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(rate)(x)
    return keras.Model(inputs, layers.Dense(2)(x))


class Subclassed(keras.Model):
    """The same net with its layers made in another order, under other names."""

    def __init__(self):
        super().__init__()
        self.head = layers.Dense(2, name="first")
        self.drop = layers.Dropout(0.3)
        self.norms = [layers.BatchNormalization(momentum=0.9) for _ in range(2)]
        self.convs = [
            layers.Conv2D(4, 3, padding="same", use_bias=False) for _ in range(2)
        ][::-1]
        self.stem = layers.Conv2D(4, 3, padding="same")

    def call(self, inputs, training=None):
        x = shortcut = self.stem(inputs)
        for conv, norm in zip(self.convs, reversed(self.norms), strict=True):
            x = ops.relu(norm(conv(x), training=training))
        x = ops.mean(x + shortcut, axis=(1, 2))
        return self.head(self.drop(x, training=training))


def first_failure(answer, oracle=residual, size=SIZE, **options):
    """Return the name of the rule that fails, or None."""
    try:
        compare_models(answer, oracle, size, **options)
    except Failure as failure:
        return failure.rule
    return None


@pytest.mark.parametrize(
    "style",
    [residual, lambda: residual(ops.relu), lambda: residual(layers.ReLU()), Subclassed],
)
def test_right_models_of_every_style_pass(style):
    assert first_failure(style) is None


def test_a_sequential_model_without_an_input_equals_a_functional_one():
    def oracle():
        inputs = keras.Input((5,))
        hidden = layers.Dense(5, activation="tanh")(inputs)
        return keras.Model(inputs, layers.Dense(5)(hidden))

    def answer():
        return keras.Sequential(
            [layers.Dense(5), layers.Activation("tanh"), layers.Dense(5)]
        )

    assert first_failure(answer, oracle, (5,)) is None


def stem_without_bias():
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def test_an_output_of_another_shape_is_named_with_both_shapes():
    def answer():
        inputs = keras.Input(SIZE)
        return keras.Model(inputs, layers.Conv2D(4, 3)(inputs))

    with pytest.raises(Failure, match=r"\(2, 2\), got \(2, 4, 4, 4\)") as caught:
        compare_models(answer, residual, SIZE)
    assert caught.value.rule == SHAPE


def test_a_batch_size_baked_into_the_model_is_caught():
    def answer():
        inputs = keras.Input((2, 2))
        return keras.Model(inputs, layers.Flatten()(inputs))

    def fixed():
        inputs = keras.Input((2, 2))
        return keras.Model(inputs, ops.sum(layers.Flatten()(inputs), axis=0))

    assert first_failure(answer, answer, (2, 2)) is None
    assert first_failure(fixed, answer, (2, 2)) == SHAPE


def test_a_missing_bias_is_a_matter_of_parameters():
    assert first_failure(stem_without_bias) == PARAMETERS


def test_the_message_says_in_words_what_there_is_too_much_of():
    def answer():
        inputs = keras.Input(SIZE)
        x = layers.Conv2D(4, 1)(inputs)
        return keras.Model(inputs, layers.Conv2D(4, 3)(x))

    def oracle():
        inputs = keras.Input(SIZE)
        x = inputs[..., :1] * ops.ones((1, 1, 1, 4))
        return keras.Model(inputs, layers.Conv2D(4, 3)(x))

    with pytest.raises(Failure) as failed:
        compare_models(answer, oracle, SIZE)
    assert "expected 148 trainable and 0 other parameters, got 164" in str(failed.value)
    extra = "a 1×1 kernel of shape (1, 1, 3, 4), a vector of 4 numbers."
    assert f"Beyond what is expected there is {extra}" in str(failed.value)
    with pytest.raises(Failure) as failed:
        compare_models(oracle, answer, SIZE)
    assert "Beyond" not in str(failed.value)


def test_equal_totals_in_other_shapes_are_caught():
    def oracle():
        inputs = keras.Input((4,))
        x = layers.Dense(3, use_bias=False)(inputs)
        return keras.Model(inputs, layers.Dense(4, use_bias=False)(x))

    def answer():
        inputs = keras.Input((4,))
        x = layers.Dense(4, use_bias=False)(inputs)
        x = layers.Dense(2)(ops.concatenate([x], axis=-1)[:, :3])
        return keras.Model(inputs, layers.Concatenate()([x, x]))

    assert first_failure(answer, oracle, (4,)) == VARIABLES


def test_a_frozen_layer_is_caught():
    def answer():
        model = residual()
        model.layers[1].trainable = False
        return model

    assert first_failure(answer) == PARAMETERS


@pytest.mark.parametrize("activation", ["gelu", "linear", "leaky_relu"])
def test_another_activation_is_caught(activation):
    assert first_failure(lambda: residual(activation)) == INFERENCE


def test_a_missing_shortcut_is_caught():
    def answer():
        inputs = keras.Input(SIZE)
        x = layers.Conv2D(4, 3, padding="same")(inputs)
        for _ in range(2):
            x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
        return keras.Model(inputs, layers.Dense(2)(x))

    assert first_failure(answer) == INFERENCE


def test_another_dropout_rate_is_caught():
    assert first_failure(lambda: residual(rate=0.5)) == TRAINING


def test_another_momentum_is_caught_where_statistics_count():
    answer = lambda: residual(momentum=0.99)  # noqa: E731
    assert first_failure(answer) == TRAINING
    assert first_failure(answer, statistics=False) is None


def test_a_stopped_gradient_is_caught_by_the_step():
    def stopped():
        inputs = keras.Input((5,))
        x = layers.Dense(5, activation="tanh")(inputs)
        x = ops.stop_gradient(layers.Dense(5, activation="tanh")(x))
        return keras.Model(inputs, layers.Dense(5)(x))

    def oracle():
        inputs = keras.Input((5,))
        x = layers.Dense(5, activation="tanh")(inputs)
        x = layers.Dense(5, activation="tanh")(x)
        return keras.Model(inputs, layers.Dense(5)(x))

    assert first_failure(stopped, oracle, (5,)) == STEP


def test_a_layer_used_twice_in_place_of_two_is_caught():
    def oracle():
        inputs = keras.Input((4,))
        return keras.Model(inputs, layers.Dense(4)(inputs) + layers.Dense(4)(inputs))

    def answer():
        inputs = keras.Input((4,))
        first, unused = layers.Dense(4), layers.Dense(4)
        return keras.Model(inputs, 2 * first(inputs) + 0 * unused(inputs))

    assert first_failure(answer, oracle, (4,)) in (INFERENCE, STEP)


def chain(order):
    """Dense layers of equal shape, made in an order of their own."""

    class Chain(keras.Model):
        def __init__(self):
            super().__init__()
            made = {name: layers.Dense(4) for name in order}
            self.parts = [made[name] for name in order]
            self.used = [made[name] for name in "abcd"]

        def call(self, x):
            for layer in self.used:
                x = ops.tanh(layer(x))
            return x

    return Chain


@pytest.mark.parametrize("order", ["abcd", "dcba", "cadb"])
def test_the_order_in_which_equal_layers_are_made_does_not_matter(order):
    assert first_failure(chain(order), chain("abcd"), (4,)) is None


def twins(order):
    """Two branches of two equal layers each: interchangeable, but only as pairs."""

    def build():
        made = {}
        for name in order:
            made[name] = layers.Dense(4, activation="tanh")
        inputs = keras.Input((4,))
        first = made["b"](made["a"](inputs))
        second = made["d"](made["c"](inputs))
        return keras.Model(inputs, layers.Multiply()([first, second]))

    return build


@pytest.mark.parametrize("order", ["abcd", "cdab", "adcb", "bcda"])
def test_twin_branches_are_matched_as_pairs(order):
    assert first_failure(twins(order), twins("abcd"), (4,)) is None


def test_a_role_is_found_without_a_name():
    class Affine(layers.Layer):
        """Batch-free scale and shift, both of one shape, made in reverse order."""

        def build(self, shape):
            self.w2 = self.add_weight(shape=(shape[-1],), name="w2")
            self.w1 = self.add_weight(shape=(shape[-1],), name="w1")

        def call(self, x):
            return ops.sin(x * self.w1) + self.w2

    class Named(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")
            self.shift = self.add_weight(shape=(shape[-1],), name="shift")

        def call(self, x):
            return ops.sin(x * self.scale) + self.shift

    def model(layer):
        return lambda: keras.Sequential([keras.Input((3,)), layer()])

    assert first_failure(model(Affine), model(Named), (3,)) is None


def test_a_learners_model_keeps_its_weights_flags_and_compile_state():
    model = residual()
    model.compile("sgd", "mse")
    model.layers[1].trainable = True
    before = [np.copy(w) for w in model.get_weights()]
    optimizer = model.optimizer
    assert first_failure(lambda: model) is None
    assert model.optimizer is optimizer
    assert model.compiled
    assert all(w.trainable for w in model.trainable_variables)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("answer", [None, 3, "model", [1], layers.Dense])
def test_what_is_no_model_is_refused_in_words(answer):
    with pytest.raises(Failure, match=r"expected a keras\.Model") as caught:
        compare_models(lambda: answer, residual, SIZE)
    assert caught.value.rule == "is a model"


def test_a_block_becomes_a_model_and_what_returns_no_tensor_is_refused():
    model = block_model(
        lambda x, filters: layers.Conv2D(filters, 3)(x), SIZE, filters=2
    )
    assert model.output_shape == (None, 4, 4, 2)
    with pytest.raises(Failure, match="expected one Keras tensor"):
        block_model(lambda x: None, SIZE)


def test_rules_come_in_order_and_can_be_left_out_and_hinted():
    rules = model_rules(
        residual, SIZE, without=[STEP], hints={SHAPE: ("a", "b", "c")}, prefix="net: "
    )
    assert [rule.name for rule in rules] == [f"net: {name}" for name in RULES[:-1]]
    assert rules[0].hints == ("a", "b", "c")
    with pytest.raises(ValueError, match="`without`"):
        model_rules(residual, SIZE, without=["nothing"])
    with pytest.raises(ValueError, match="`hints`"):
        model_rules(residual, SIZE, hints={"nothing": ("a", "b", "c")})
    with pytest.raises(TypeError, match="`oracle`"):
        model_rules(3, SIZE)
