"""Lesson 02: its exact numbers, and its claims over several seeds.

The functions under test are the lesson's own: its cells are run from its Markdown.
"""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of, each_seed

from course_utils import fit, gradients, load
from course_utils.training import TrainingDiverged

import keras  # isort: skip
from keras import layers, ops  # isort: skip

LESSON = Path(__file__).parents[1] / "lessons" / "02_vanishing_gradients.md"
cell_with = cells_of("02_vanishing_gradients")
LOSS = "sparse_categorical_crossentropy"


@pytest.fixture(scope="module")
def lesson():
    """Give the functions that the lesson defines, and a batch, as one object."""
    data = load("mnist", train=1024, validation=0, test=0)
    x = (data.x_train - data.x_train.mean()) / data.x_train.std()
    names = {"np": np, "keras": keras, "layers": layers, "ops": ops, "data": data}
    names |= {"gradients": gradients, "images": x[:64], "labels": data.y_train[:64]}
    names |= {"x_train": x, "y_train": data.y_train, "pixels": x[:64].reshape(64, -1)}
    for text in (
        "def forecast",
        "def run_stack",
        "def draw",
        "def dense_net",
        "def plain_net",
    ):
        exec(cell_with(text), names)
    exec(cell_with("def conv_norms").split("\n\n\n")[0], names)
    source = cell_with("def relu_gradient")
    exec(source.split("\nx = rng")[0], names)  # the functions, without their use
    source = cell_with("def convolve")
    exec(source.split("\ndepth, width")[0], names)
    return SimpleNamespace(**names)


def draw_stack(lesson, depth, units, scheme, seed):
    rng = np.random.default_rng(seed)
    shapes = [(lesson.pixels.shape[1], units)] + [(units, units)] * (depth - 1)
    (head,) = lesson.draw([(units, 10)], "Glorot", rng)
    return lesson.draw(shapes, scheme, rng), head


STACKS = {
    "sigmoid": (ops.sigmoid, "Glorot"),
    "Glorot": (ops.relu, "Glorot"),
    "He": (ops.relu, "He"),
    "±0.05": (ops.relu, "±0.05"),
}


def measure_stacks(lesson, label, depth):
    """Measure one of the lesson's stacks: (seeds, 3 quantities, layers)."""
    activation, scheme = STACKS[label]
    stacks = [draw_stack(lesson, depth, 128, scheme, seed) for seed in SEEDS]
    found = [lesson.measure(lesson.pixels, *stack, activation) for stack in stacks]
    return np.array(found)


@pytest.fixture(scope="module")
def fifty(lesson):
    """Measure the lesson's four stacks at depth 50."""
    return {label: measure_stacks(lesson, label, 50) for label in STACKS}


def factor_back(profiles):
    """What one layer multiplies the gradient in the outputs by, for each seed."""
    return (profiles[:, 1, 0] / profiles[:, 1, -1]) ** (1 / (profiles.shape[-1] - 1))


# --- exact numbers --------------------------------------------------------------------


def test_products_of_many_factors():
    assert round(0.9**50, 3) == 0.005
    assert round(1.1**50) == 117
    assert round(0.5**0.5, 2) == 0.71
    assert f"{0.5 ** (50 / 2):.0e}" == "3e-08"
    assert 2 ** (20 / 2) == 1024
    assert f"{2 ** (50 / 2):.0e}" == "3e+07"
    assert round(math.log(10), 3) == 2.303
    assert round(math.sqrt(128 * 0.05**2 / 3 / 2), 2) == 0.23


def test_first_example_of_a_gradient():
    value, gradient = gradients.value_and_gradient(
        lambda x: ops.sum(x**2), np.array([1.0, 2.0, 3.0])
    )
    assert value == 14
    np.testing.assert_array_equal(gradient, [2, 4, 6])


def test_slope_of_the_sigmoid_is_at_most_a_quarter():
    z = np.linspace(-6, 6, 1201)
    _, slopes = gradients.value_and_gradient(lambda z: ops.sum(ops.sigmoid(z)), z)
    assert slopes.max() == pytest.approx(0.25, abs=1e-6)
    assert abs(z[slopes.argmax()]) < 1e-6


def test_fan_in_that_fits_a_uniform_of_a_twentieth():
    assert pytest.approx(1) == 2400 * (0.05**2 / 3) / 2


def test_parameters_that_the_hint_names():
    hidden = [layers.Dense(48, "relu") for _ in range(3)]
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), layers.Flatten(), *hidden, layers.Dense(10)]
    )
    assert model.count_params() == 42_874


def test_clipped_example_of_the_hint():
    norm = np.linalg.norm([3, 0, 0, 4])
    assert norm == 5
    np.testing.assert_allclose(np.array([3, 4]) / norm, [0.6, 0.8])


def test_adam_cannot_move_a_weight_by_a_gradient_this_small():
    step = 3e-3 * 1e-31 / (1e-31 + 1e-7)
    assert f"{step:.0e}" == "3e-27"
    assert np.float32(0.01) - np.float32(step) == np.float32(0.01)
    weight = keras.Variable([np.float32(0.01)])
    keras.optimizers.Adam(3e-3).apply([ops.convert_to_tensor([1e-31])], [weight])
    assert ops.convert_to_numpy(weight)[0] == np.float32(0.01)


# --- claims ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_formula_of_one_layer_agrees_with_the_backend(seed):
    rng = np.random.default_rng(seed)
    W, h, delta = (rng.normal(size=s).astype("float32") for s in [(4, 3), 3, 4])
    through = delta * (1 - np.tanh(W @ h) ** 2)

    def loss(parts):
        return ops.dot(delta, ops.tanh(ops.matmul(parts[0], parts[1])))

    _, (in_W, in_h) = gradients.value_and_gradient(loss, [W, h])
    np.testing.assert_allclose(in_h, W.T @ through, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(in_W, np.outer(through, h), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_forecast_without_weights_falls_where_the_gradient_grows(lesson, seed):
    rng = np.random.default_rng(seed)
    x, delta = rng.normal(size=(2, 8, 32)).astype("float32")
    drawn = rng.normal(size=(10, 32, 32)).astype("float32") / 32**0.5
    true, forecast = [], []
    for factor in (1, 2, 4, 8):
        kernels = list(factor * drawn)

        def loss(x, kernels=kernels):
            for kernel in kernels:
                x = ops.sigmoid(ops.matmul(x, kernel))
            return ops.sum(ops.multiply(delta, x))

        _, truth = gradients.value_and_gradient(loss, x, compile=False)
        found = lesson.pre_activations_of(x, kernels)
        true.append(np.linalg.norm(truth))
        forecast.append(np.linalg.norm(lesson.forecast(delta, found, kernels)))
    assert 0.5 < true[0] / forecast[0] < 2
    assert np.all(np.diff(true) > 0)
    assert np.all(np.diff(forecast) < 0)
    assert 10**4 < true[-1] / true[0] < 10**7
    assert 10**8 < true[-1] / forecast[-1] < 10**13


@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_without_slopes_passes_on_positive_numbers_only(lesson, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(8, 6)).astype("float32")
    kernels = [rng.uniform(size=(6, 6)).astype("float32") for _ in range(3)]
    assert lesson.largest_error(x, kernels) < 1e-5
    x = rng.normal(size=(8, 6)).astype("float32")
    kernels = [rng.normal(size=(6, 6)).astype("float32") for _ in range(2)]
    with np.errstate(divide="ignore", invalid="ignore"):
        assert not lesson.largest_error(x, kernels) < 0.1


def assert_near_one(ratios):
    """Fifty random layers: a single draw strays, their middle does not."""
    assert 0.2 < np.median(ratios) < 5
    assert np.all((ratios > 0.03) & (ratios < 30))


def test_forward_only_he_keeps_the_signal_under_relu(fifty):
    change = {k: v[:, 0, -1] / v[:, 0, 0] for k, v in fifty.items()}
    assert np.all(change["sigmoid"] > 0.3)
    assert_near_one(change["He"])
    assert np.all(change["Glorot"] < 1e-5)
    assert np.all(change["±0.05"] < 1e-26)


def test_backward_only_he_keeps_the_gradient_in_outputs(fifty):
    change = {k: v[:, 1, 0] / v[:, 1, -1] for k, v in fifty.items()}
    assert_near_one(change["He"])
    assert np.all(change["Glorot"] < 1e-5)
    assert np.all(change["sigmoid"] < 1e-28)
    assert np.all(change["±0.05"] < 1e-28)
    assert np.all(fifty["sigmoid"][:, 1, 0] < 1e-31)


def test_factor_of_the_sigmoid_is_by_chance_that_of_a_twentieth(fifty):
    assert np.all(factor_back(fifty["±0.05"]).round(2) == 0.23)
    assert np.all(np.isin(factor_back(fifty["sigmoid"]).round(2), [0.23, 0.24]))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sigmoid_s_outputs_hardly_depend_on_the_image(lesson, fifty, seed):
    """Ten layers: what differs between two images is then at rounding's size."""
    kernels, _ = draw_stack(lesson, 10, 128, "Glorot", seed)
    outputs = lesson.run_stack(lesson.pixels, kernels, [0.0] * 10, ops.sigmoid)
    outputs = np.array(outputs, "float64")  # (layers, images, units)
    own = (outputs - outputs.mean(axis=1, keepdims=True)).std(axis=(1, 2))
    assert own[-1] < 1e-5 * outputs[-1].std()
    forward = (own[-1] / own[0]) ** (1 / 9)
    assert forward == pytest.approx(factor_back(fifty["sigmoid"]).mean(), rel=0.1)


def test_only_the_sigmoid_starves_its_early_layers(fifty):
    weights = {k: v[:, 2] for k, v in fifty.items()}
    first_to_last = {k: v[:, 0] / v[:, -1] for k, v in weights.items()}
    assert np.all(first_to_last["sigmoid"] < 1e-29)
    for label in ("Glorot", "He", "±0.05"):
        assert 0.5 < np.median(first_to_last[label]) < 8
        assert np.all((first_to_last[label] > 0.1) & (first_to_last[label] < 40))
    assert np.all((weights["Glorot"] > 1e-9) & (weights["Glorot"] < 1e-6))
    assert np.all(weights["±0.05"] < 1e-29)
    assert 0.3 < np.median(weights["He"]) < 30


def test_first_layers_gradient_falls_exponentially_with_depth_except_with_he(
    lesson, fifty
):
    for label in STACKS:
        logs = {50: np.log(fifty[label][:, 2, 0])}
        for depth in (10, 30):
            logs[depth] = np.log(measure_stacks(lesson, label, depth)[:, 2, 0])
        early, late = logs[30] - logs[10], logs[50] - logs[30]
        if label == "He":
            assert np.all(np.abs(np.median([early, late], axis=1)) < math.log(5))
        else:
            np.testing.assert_allclose(early, late, rtol=0.2)
            assert np.all(early < -5)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_factor_on_all_weights_is_a_power_for_relu_and_tanh_forgives_more(
    lesson, seed
):
    def kept(activation, scheme, factor):
        kernels, head = draw_stack(lesson, 20, 128, scheme, seed)
        kernels = [np.float32(factor) * kernel for kernel in kernels]
        norms = lesson.measure(lesson.pixels, kernels, head, activation)[1]
        return norms[0] / norms[-1]

    at_one = kept(ops.relu, "He", 1)
    assert 0.3 < at_one < 3
    for factor in (0.9, 1.1):
        # Not to the digit: the head's softmax also answers to the size of the outputs.
        change = np.log(kept(ops.relu, "He", factor) / at_one) / np.log(factor)
        assert change == pytest.approx(19, rel=0.2)
    assert kept(ops.tanh, "Glorot", 0.9) < 0.15
    assert 0.3 < kept(ops.tanh, "Glorot", 1.25) < 3


def test_table_of_exercise_4_fits_one_stack_only(lesson):
    rows = [line for line in LESSON.read_text().splitlines() if "e-0" in line]
    rows = [line for line in rows if line.startswith("> | ")][:3]
    table = np.array([[float(n) for n in row.split("|")[2:5]] for row in rows])
    fits = {}
    for label, activation, scheme in [
        ("sigmoid-glorot", ops.sigmoid, "Glorot"),
        ("relu-glorot", ops.relu, "Glorot"),
        ("relu-he", ops.relu, "He"),
        ("relu-uniform", ops.relu, "±0.05"),
    ]:
        gaps = []
        for seed in SEEDS:
            stack = draw_stack(lesson, 30, 100, scheme, seed)
            found = np.array(lesson.measure(lesson.pixels, *stack, activation))
            gaps.append(np.abs(np.log10(found[:, [0, 14, 29]] / table)).max())
        fits[label] = max(gaps)
    assert fits.pop("relu-glorot") < 0.7  # within a factor of five
    assert min(fits.values()) > 2


def fifty_convolutions(lesson, width, scheme, seed):
    rng = np.random.default_rng(seed)
    shapes = [(3, 3, 1, width)] + [(3, 3, width, width)] * 49
    kernels = lesson.draw(shapes, scheme, rng)
    (head,) = lesson.draw([(width, 10)], "Glorot", rng)
    return kernels, head


@pytest.mark.parametrize("seed", SEEDS)
def test_glorot_starves_fifty_narrow_convolutions_alike(lesson, seed):
    stack = fifty_convolutions(lesson, 16, "Glorot", seed)
    images = lesson.images[:4]
    stds, _, norms = lesson.measure(images, *stack, ops.relu, lesson.convolve)
    assert stds[-1] < 1e-6
    assert max(norms) < 1e-5
    assert 0.01 < norms[0] / norms[-1] < 100


def test_he_does_not_keep_the_signal_of_narrow_convolutions(lesson):
    kept = {}
    for width, images, seeds in [(16, 16, range(8)), (64, 4, SEEDS)]:
        logs = []
        for seed in seeds:
            kernels, _ = fifty_convolutions(lesson, width, "He", seed)
            found = lesson.run_stack(
                lesson.images[:images], kernels, [0.0] * 50, ops.relu, lesson.convolve
            )
            logs.append(float(ops.log10(ops.std(found[-1]) / ops.std(found[0]))))
        kept[width] = np.mean(logs)
    assert -3 < kept[16] < -0.5
    assert kept[64] > kept[16] + 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_product_of_factors_that_are_1_on_average_is_usually_below_1(seed):
    factors = np.random.default_rng(seed).chisquare(16, (2000, 50)) / 16
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert np.mean(factors.prod(axis=1) < 1) > 0.75


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0, 4.0])
def test_he_predicts_the_factor_of_a_layer(lesson, gain):
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        kernels = rng.normal(0, (gain / 128) ** 0.5, (20, 128, 128)).astype("float32")
        x = rng.normal(size=(64, 128)).astype("float32")
        (head,) = lesson.draw([(128, 10)], "Glorot", rng)
        stds, in_outputs, _ = lesson.measure(x, list(kernels), head, ops.relu)
        predicted = pytest.approx((gain / 2) ** 0.5, rel=0.05)
        assert (stds[-1] / stds[0]) ** (1 / 19) == predicted
        assert (in_outputs[0] / in_outputs[-1]) ** (1 / 19) == predicted


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_of_he_s_argument(seed):
    rng = np.random.default_rng(seed)
    h = np.abs(rng.normal(size=256))  # one image; the draws of many units
    z = rng.normal(0, 0.1, (20_000, 256)) @ h
    assert z.var() == pytest.approx(256 * 0.1**2 * (h**2).mean(), rel=0.05)
    assert (np.maximum(z, 0) ** 2).mean() == pytest.approx(z.var() / 2, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_absolute_value_needs_half_of_he_s_variance(lesson, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(64, 256)).astype("float32")
    kernels = rng.normal(0, 256**-0.5, (20, 256, 256)).astype("float32")
    found = lesson.run_stack(x, list(kernels), [0.0] * 20, ops.absolute)
    squares = [float(ops.mean(h**2)) for h in found]
    assert (squares[-1] / squares[0]) ** (1 / 19) == pytest.approx(1, abs=0.05)


def test_an_initializer_object_repeats_itself_and_a_name_does_not():
    shared = keras.initializers.HeNormal()
    objects = [ops.convert_to_numpy(shared((30, 30))) for _ in range(2)]
    np.testing.assert_array_equal(*objects)
    named = [layers.Dense(30, kernel_initializer="he_normal") for _ in range(2)]
    for layer in named:
        layer.build((None, 30))
    first, second = (ops.convert_to_numpy(layer.kernel) for layer in named)
    assert np.abs(first - second).max() > 0.01


def test_glorot_is_the_standard_of_keras_and_a_twentieth_that_of_random_uniform():
    assert layers.Dense(3).kernel_initializer.__class__.__name__ == "GlorotUniform"
    uniform = keras.initializers.RandomUniform()
    assert (uniform.minval, uniform.maxval) == (-0.05, 0.05)


# --- training -------------------------------------------------------------------------


def start_again(model, build):
    """Give a compiled model new weights and its optimizer a new start."""
    model.set_weights(build().get_weights())
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(ops.zeros_like(variable))


def test_without_clipping_the_loss_is_lost_and_clipping_saves_the_run(lesson):
    models = {clip: lesson.dense_net(20, "relu", 4) for clip in (None, 1.0)}
    for clip, model in models.items():
        model.compile(keras.optimizers.SGD(0.01, global_clipnorm=clip), LOSS)

    def train(clip, gain, epochs):
        start_again(models[clip], lambda: lesson.dense_net(20, "relu", gain))
        options = {"epochs": epochs, "batch_size": 64, "curve": False}
        run = fit(models[clip], lesson.x_train, lesson.y_train, **options)
        return run.steps["loss"]

    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        with pytest.raises(TrainingDiverged) as diverged:
            train(clip=None, gain=4, epochs=1)
        assert diverged.value.step < 10
        clipped = train(clip=1.0, gain=4, epochs=2)
        assert clipped[0] > 200
        assert np.mean(clipped[-5:]) < clipped[0] / 2
        assert train(clip=None, gain=2, epochs=1)[0] < min(clipped) / 3


def test_a_starved_sigmoid_net_wakes_up_while_relu_never_slept(
    lesson, needs_real_images
):
    needs_real_images(lesson.data)
    sigmoid = lesson.dense_net(8, "sigmoid", 1.0)
    relu = lesson.dense_net(8, "relu", 2.0)
    on = gradients.weight_gradient_function(sigmoid, LOSS)

    def train(model, steps, watch):
        """As the lesson's `train_and_watch`, but without compiling for each seed."""
        rng, losses, norms = np.random.default_rng(0), [], []
        for step in range(steps):
            if watch and step % 10 == 0:
                _, slopes = on(lesson.images, lesson.labels)
                norms.append([np.linalg.norm(g) for g in slopes.values()][::2])
            batch = rng.integers(0, len(lesson.x_train), 64)
            x, y = lesson.x_train[batch], lesson.y_train[batch]
            losses.append(float(model.train_on_batch(x, y)))
        return np.array(losses), np.array(norms)

    for model in (sigmoid, relu):
        model.compile(keras.optimizers.Adam(3e-3), LOSS)
    peaks, falls = [], []
    for _ in each_seed(sigmoid):
        losses, norms = train(sigmoid, 200, watch=True)
        share = norms[:, 0] / norms[:, -1]  # of the first layer, in the output's
        assert 1e-5 < share[0] < 1e-3
        assert np.mean(losses[5:30]) == pytest.approx(math.log(10), abs=0.1)
        assert norms[:, 0].max() > 500 * norms[0, 0]
        assert share.max() > 1000 * share[0]
        peaks.append(share.max())
        falls.append((share[:-1] / share[1:]).max())
        assert np.mean(losses[-20:]) < 2.25
    assert max(peaks) > 0.5
    assert max(falls) > 5
    for _ in each_seed(relu):
        losses, _ = train(relu, 32, watch=False)
        assert np.mean(losses[-5:]) < 1.5


def test_deeper_plain_net_has_the_higher_training_loss_and_healthy_gradients(
    lesson, needs_real_images
):
    """On fewer images than the lesson's; only kernels train, which compiles faster."""
    needs_real_images(lesson.data)
    losses, spreads = {}, []
    for depth in (8, 32):
        model = lesson.plain_net(depth)
        for variable in model.trainable_variables:
            variable.trainable = variable.path.endswith("kernel")
        on = gradients.weight_gradient_function(model, LOSS, training=True)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), LOSS)
        for seed in each_seed(model):
            untrained = lesson.conv_norms(on) if depth == 32 else []
            options = {"epochs": 5, "batch_size": 64, "verbose": 0}
            run = model.fit(lesson.x_train[:512], lesson.y_train[:512], **options)
            losses[depth, seed] = run.history["loss"][-1]
            if depth == 32:
                assert 10 < untrained[0] / untrained[-1] < 1000
                trained = lesson.conv_norms(on)
                assert min(untrained + trained) > 0.001
                before, after = (max(n) / min(n) for n in (untrained, trained))
                assert after < before / 2
                spreads.append(after)
    assert np.median(spreads) < 15
    for seed in SEEDS:
        assert losses[32, seed] > losses[8, seed] + 0.3
