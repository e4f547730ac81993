"""Operations and bytes against numbers counted by hand; the time leaves no trace."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from course_utils import costs

PIXELS = 8 * 8


def net(*steps, shape=(8, 8, 3)):
    return keras.Sequential([keras.Input(shape), *steps])


# Each layer on an 8×8 image of 3 channels, with its operations written out.
COUNTED = [
    (layers.Conv2D(4, 3, padding="same"), PIXELS * 4 * (2 * 27 + 1)),
    (layers.Conv2D(4, 3, use_bias=False), 6 * 6 * 4 * 2 * 27),
    (layers.Conv2D(4, 3, strides=2, padding="same"), 4 * 4 * 4 * (2 * 27 + 1)),
    (layers.Conv2D(4, 3, dilation_rate=2), 4 * 4 * 4 * (2 * 27 + 1)),
    (layers.Conv2D(6, 3, groups=3, use_bias=False), 6 * 6 * 6 * 2 * 9),
    (layers.Conv2D(4, 1, activation="relu"), PIXELS * 4 * (2 * 3 + 2)),
    (layers.Conv2DTranspose(4, 2, strides=2), PIXELS * 3 * 16 * 2 + 16 * 16 * 4),
    (layers.DepthwiseConv2D(3, use_bias=False), 6 * 6 * 3 * 2 * 9),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), 6 * 6 * 6 * (2 * 9 + 1)),
    (
        layers.SeparableConv2D(5, 3, padding="same"),
        PIXELS * 3 * 2 * 9 + PIXELS * 5 * (2 * 3 + 1),
    ),
    (
        layers.SeparableConv2D(5, 3, strides=2, depth_multiplier=2, use_bias=False),
        3 * 3 * 6 * 2 * 9 + 3 * 3 * 5 * 2 * 6,
    ),
    (layers.Dense(7), PIXELS * 7 * (2 * 3 + 1)),
    (layers.BatchNormalization(), PIXELS * 3 * 2),
    (layers.GroupNormalization(1), PIXELS * 3 * 7),
    (layers.MaxPooling2D(2), 16 * 3 * 4),
    (layers.AveragePooling2D(3, strides=2, padding="same"), 16 * 3 * 9),
    (layers.GlobalAveragePooling2D(), PIXELS * 3),
    (layers.ReLU(), PIXELS * 3),
    (layers.Activation("relu"), PIXELS * 3),
    (layers.Activation("linear"), 0),
    (layers.Rescaling(1 / 255), PIXELS * 3 * 2),
    (layers.Flatten(), 0),
    (layers.Dropout(0.5), 0),
    (layers.RandomFlip("horizontal"), 0),
    (layers.ZeroPadding2D(1), 0),
    (layers.UpSampling2D(2), 16 * 16 * 3),
]


@pytest.mark.parametrize(
    ("layer", "expected"), COUNTED, ids=[layer.name for layer, _ in COUNTED]
)
def test_each_layer_counts_as_by_hand(layer, expected):
    assert costs.flops(net(layer)) == expected


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's own profiler"
)
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Conv2D(8, 3, strides=2, padding="same"),
        lambda: layers.Conv2D(8, 3, dilation_rate=2),
        lambda: layers.DepthwiseConv2D(3, use_bias=False, depth_multiplier=2),
        lambda: layers.SeparableConv2D(16, 3),
        lambda: layers.MaxPooling2D(3, strides=2, padding="same"),
        lambda: layers.AveragePooling2D(2),
        lambda: layers.GlobalAveragePooling2D(),
        lambda: layers.Rescaling(1 / 255),
    ],
)
def test_the_frameworks_own_profiler_counts_the_same(make):
    # Not compared: activations and grouped convolutions, which it leaves out, and
    # batch normalization, where it adds the folding of the statistics.
    model = net(make())
    assert costs.flops(model) == profiled(model)


def profiled(model):
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    spec = tf.TensorSpec((1, *model.inputs[0].shape[1:]))
    traced = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    frozen = convert_to_constants.convert_variables_to_constants_v2(traced)
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return profiler.profile(frozen.graph, options=options, cmd="op").total_float_ops


def test_the_librarys_resnet_has_its_published_operations():
    # He et al. (2016) give 3.8 billion multiply-adds, for the strides of their paper
    # (on the 1×1 convolutions, as here) and convolutions alone.
    model = keras.applications.ResNet50(weights=None)
    assert costs.flops(model) == pytest.approx(2 * 3.86e9, rel=0.01)


def test_a_sum_counts_one_addition_and_each_path_once():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 1, use_bias=False)(inputs)
    model = keras.Model(inputs, layers.Add()([x, inputs]))
    assert costs.flops(model) == PIXELS * 3 * 2 * 3 + PIXELS * 3


def test_an_operator_counts_like_the_layer():
    inputs = keras.Input((8, 8, 3))
    assert costs.flops(keras.Model(inputs, inputs + inputs)) == PIXELS * 3
    moved = keras.ops.pad(inputs[:, ::2, ::2], [[0, 0], [0, 0], [0, 0], [1, 2]])
    assert costs.flops(keras.Model(inputs, moved)) == 0


def test_a_layer_that_is_called_twice_counts_twice():
    inputs = keras.Input((8, 8, 3))
    shared = layers.Conv2D(3, 1, use_bias=False)
    model = keras.Model(inputs, shared(shared(inputs)))
    assert costs.flops(model) == 2 * PIXELS * 3 * 2 * 3
    assert costs.memory(model)["weights"] == 9 * 4


def test_nested_models_are_opened_at_the_size_they_are_called_at():
    base_input = keras.Input((None, None, 3))
    base = keras.Model(base_input, layers.Conv2D(4, 3, use_bias=False)(base_input))
    outer = net(keras.Sequential([base, layers.ReLU()]), layers.Flatten())
    assert costs.flops(outer) == 6 * 6 * 4 * (2 * 27 + 1)
    assert costs.flops(base, input_shape=(8, 8, 3)) == 6 * 6 * 4 * 2 * 27


def test_only_what_leads_to_the_output_counts():
    inputs = keras.Input((8, 8, 3))
    first = layers.Conv2D(4, 1, use_bias=False)(inputs)
    layers.Conv2D(99, 3)(first)
    assert costs.flops(keras.Model(inputs, first)) == PIXELS * 4 * 2 * 3


def test_memory_is_weights_and_what_layers_put_out():
    model = net(layers.Conv2D(4, 3), layers.ReLU(), layers.Flatten(), layers.Dense(2))
    weights = (27 + 1) * 4 + (144 + 1) * 2
    activations = 144 + 144 + 2
    assert costs.memory(model) == {
        "weights": weights * 4,
        "activations": activations * 4,
    }
    assert costs.memory(model, batch_size=16)["activations"] == activations * 4 * 16


def test_half_precision_halves_the_activations():
    model = net(layers.Conv2D(4, 3, dtype="mixed_float16"))
    found = costs.memory(model)
    assert found == {"weights": 112 * 4, "activations": 144 * 2}


@pytest.mark.parametrize("training", [False, True])
def test_measuring_leaves_the_model_as_it_was(training):
    model = net(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Dropout(0.5))
    model.compile("adam", "mse")
    optimizer = model.optimizer
    before = numbers(model)
    seconds = costs.latency(model, batch_size=2, training=training, repeats=2)
    assert isinstance(seconds, float)
    assert seconds > 0
    assert model.optimizer is optimizer
    assert model.loss == "mse"
    assert int(keras.ops.convert_to_numpy(optimizer.iterations.value)) == 0
    for old, new in zip(before, numbers(model), strict=True):
        assert np.array_equal(old, new)
    fresh = net(layers.ReLU())
    costs.latency(fresh, batch_size=1, repeats=1)
    assert not fresh.compiled


def numbers(model):
    values = [keras.ops.convert_to_numpy(v.value) for v in model.variables]
    return [np.array(value, copy=True) for value in values]


def test_the_seconds_are_the_median_per_image(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 14.0, 20.0, 22.0])
    monkeypatch.setattr(costs.time, "perf_counter", lambda: next(clock))
    steady = net(layers.ReLU())
    assert costs.latency(steady, batch_size=4, repeats=3) == 0.5


def test_random_numbers_go_on_as_if_nothing_was_measured():
    model = net(layers.Dropout(0.5), layers.Dense(1))
    draws = []
    for measure in (False, True):
        keras.utils.set_random_seed(3)
        if measure:
            costs.latency(model, batch_size=2, training=True, repeats=1)
        draws.append(keras.ops.convert_to_numpy(keras.random.normal((3,))))
    assert np.array_equal(*draws)


def test_a_table_has_one_row_a_model_and_reads_in_text_and_html():
    models = {"small <1>": net(layers.Dense(1)), "large": net(layers.Dense(1000))}
    rows = costs.table(models, timed=False)
    assert [row["name"] for row in rows] == ["small <1>", "large"]
    assert rows[0]["parameters"] == 4
    assert rows[0]["flops"] == PIXELS * 7
    assert rows[1]["weights"] == 16_000
    text = repr(rows)
    assert text.splitlines()[0].split()[:3] == ["Net", "Parameters", "FLOPs"]
    assert "16.0 kB" in text
    page = rows._repr_html_()
    assert "small &lt;1&gt;" in page
    assert page.count("<tr>") == 3
    timed = costs.table({"a": models["large"]}, batch_size=1, repeats=1)
    assert timed[0]["latency"] > 0
    assert "ms" in repr(timed)


class Unknown(keras.layers.Layer):
    def build(self, input_shape):
        self.weight = self.add_weight(shape=(3,))

    def call(self, x):
        return x * self.weight


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 3), "float32"))
    return model


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: costs.flops(None), TypeError, "`model`: expected a keras.Model"),
        (lambda: costs.flops(layers.Dense(1)), TypeError, "`model`"),
        (
            lambda: costs.flops(keras.Sequential([layers.Dense(1)])),
            ValueError,
            "built",
        ),
        (lambda: costs.flops(subclassed()), ValueError, "a `call` of its own"),
        (lambda: costs.flops(net(Unknown(name="mine"))), ValueError, "'mine'"),
        (
            lambda: costs.flops(net(layers.ReLU(), shape=(None, None, 3))),
            ValueError,
            "`input_shape`",
        ),
        (
            lambda: costs.flops(net(layers.ReLU()), input_shape=(9, 9, 3)),
            ValueError,
            "`input_shape`",
        ),
        (
            lambda: costs.flops(net(layers.ReLU()), input_shape=8),
            TypeError,
            "`input_shape`",
        ),
        (
            lambda: costs.flops(net(layers.ReLU()), input_shape=(8.0, 8, 3)),
            TypeError,
            "`input_shape`",
        ),
        (lambda: costs.memory(net(layers.ReLU()), 0), ValueError, "`batch_size`"),
        (lambda: costs.latency(net(layers.ReLU()), 0), ValueError, "`batch_size`"),
        (lambda: costs.latency(net(layers.ReLU()), True), TypeError, "`batch_size`"),
        (
            lambda: costs.latency(net(layers.ReLU()), repeats=0),
            ValueError,
            "`repeats`",
        ),
        (
            lambda: costs.latency(net(layers.ReLU()), training="yes"),
            TypeError,
            "`training`",
        ),
        (
            lambda: costs.latency(net(layers.ReLU()), training=True),
            ValueError,
            "trainable weights",
        ),
        (lambda: costs.table({}), ValueError, "`models`"),
        (lambda: costs.table([net(layers.ReLU())]), TypeError, "`models`"),
        (lambda: costs.table({"a": 3}), TypeError, "`models`"),
        (
            lambda: costs.table({"a": net(layers.ReLU())}, timed=1),
            TypeError,
            "`timed`",
        ),
    ],
)
def test_wrong_arguments_are_named(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)
    assert "got" in str(caught.value)


def test_importing_it_loads_no_framework():
    code = (
        "import sys, course_utils.costs; "
        "print({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
