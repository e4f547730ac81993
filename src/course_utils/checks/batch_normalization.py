"""Checks of lesson 04, *Batch normalization*."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.compare import (
    INFERENCE,
    PARAMETERS,
    SHAPE,
    STEP,
    TRAINING,
    VARIABLES,
    block_model,
    model_rules,
)
from course_utils.exercises import (
    Exercise,
    Failure,
    Rule,
    as_array,
    call,
    describe,
    expect_close,
    expect_shape,
    once,
)


def _draw(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _positive(seed: int, *shape: int) -> np.ndarray:
    draw = np.random.default_rng(seed).uniform(0.3, 2.0, shape)
    return draw.astype("float32")


# --- batchnorm.maps -------------------------------------------------------------------

# As many rows and columns as channels: a mean over the wrong axes has the right shape.
_MAPS = (5, 4, 4, 4)
_CHANNELS = _MAPS[-1]


def _case(seed: int) -> dict[str, Any]:
    """Return maps with a mean and a spread of their own in each channel."""
    spread, center = _positive(seed + 1, _CHANNELS), 3 * _draw(seed + 2, _CHANNELS)
    # Each place has its own center too, so that the mean over the batch alone differs.
    places = 0.5 * _draw(seed + 3, 1, *_MAPS[1:])
    return {
        "x": _draw(seed, *_MAPS) * spread + center + places,
        "gamma": _positive(seed + 4, _CHANNELS),
        "beta": _draw(seed + 5, _CHANNELS),
        "running": (_draw(seed + 6, _CHANNELS), _positive(seed + 7, _CHANNELS)),
    }


def _as_keras(
    case: dict[str, Any], *, training: bool, momentum: float, epsilon: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return what the library's layer gives, and its running statistics afterwards."""
    import keras
    from keras import layers

    layer = layers.BatchNormalization(momentum=momentum, epsilon=epsilon)
    layer.build(case["x"].shape)
    layer.set_weights([case["gamma"], case["beta"], *case["running"]])
    y = keras.ops.convert_to_numpy(layer(case["x"], training=training))
    kept = (layer.moving_mean, layer.moving_variance)
    return y, [keras.ops.convert_to_numpy(v) for v in kept]


def _normalized(
    answer: Any, case: dict[str, Any], **options: Any
) -> tuple[Any, list[np.ndarray]]:
    arguments = [case[name] for name in ("x", "gamma", "beta", "running")]
    result = call(answer, *arguments, **options)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Failure(
            "expected two things, (maps, (running mean, running variance)), got "
            f"{describe(result)}."
        )
    maps, running = result
    if not isinstance(running, (tuple, list)) or len(running) != 2:
        raise Failure(
            "expected the running statistics as a pair (mean, variance), got "
            f"{describe(running)}."
        )
    named = zip(running, ("mean", "variance"), strict=True)
    return maps, [as_array(value, f"the running {name}") for value, name in named]


def _maps_shape(answer: Any) -> None:
    for training in (True, False):
        options: dict[str, Any] = {
            "training": training,
            "momentum": 0.8,
            "epsilon": 0.01,
        }
        maps, running = _normalized(answer, _case(10), **options)
        expect_shape(maps, _MAPS, what="the maps")
        for value, name in zip(running, ("mean", "variance"), strict=True):
            expect_shape(value, (_CHANNELS,), what=f"the running {name}")


def _standardizes(answer: Any) -> None:
    case = _case(20) | {
        "gamma": np.ones(_CHANNELS, "float32"),
        "beta": np.zeros(_CHANNELS, "float32"),
    }
    options: dict[str, Any] = {"training": True, "momentum": 0.8, "epsilon": 1e-6}
    expect_close(
        _normalized(answer, case, **options)[0],
        _as_keras(case, **options)[0],
        atol=1e-4,
        what="the maps in training, with γ = 1, β = 0 and a tiny ε",
    )


def _uses_epsilon(answer: Any) -> None:
    case = _case(30) | {
        "gamma": np.ones(_CHANNELS, "float32"),
        "beta": np.zeros(_CHANNELS, "float32"),
    }
    options: dict[str, Any] = {"training": True, "momentum": 0.8, "epsilon": 0.5}
    expect_close(
        _normalized(answer, case, **options)[0],
        _as_keras(case, **options)[0],
        what="the maps in training, with γ = 1, β = 0 and ε = 0.5",
    )


def _scales(answer: Any) -> None:
    case = _case(40)
    options: dict[str, Any] = {"training": True, "momentum": 0.8, "epsilon": 1e-3}
    expect_close(
        _normalized(answer, case, **options)[0],
        _as_keras(case, **options)[0],
        what="the maps in training, with other γ and β",
    )


def _inference(answer: Any) -> None:
    case = _case(50)
    options: dict[str, Any] = {"training": False, "momentum": 0.8, "epsilon": 0.1}
    maps, running = _normalized(answer, case, **options)
    expect_close(maps, _as_keras(case, **options)[0], what="the maps at inference")
    for value, kept, name in zip(
        running, case["running"], ("mean", "variance"), strict=True
    ):
        expect_close(value, kept, what=f"the running {name} after inference")


def _moves(answer: Any) -> None:
    for momentum in (0.8, 0.25):
        case = _case(60)
        options: dict[str, Any] = {
            "training": True,
            "momentum": momentum,
            "epsilon": 0.1,
        }
        _, running = _normalized(answer, case, **options)
        _, wanted = _as_keras(case, **options)
        for value, kept, name in zip(
            running, wanted, ("mean", "variance"), strict=True
        ):
            expect_close(
                value,
                kept,
                what=f"the running {name} after training with momentum {momentum}",
            )


maps = Exercise(
    "batchnorm.maps",
    kind="function",
    lesson="04",
    title="Batch normalization of feature maps",
    rules=[
        Rule(
            "returns maps and a pair of statistics",
            _maps_shape,
            hints=(
                "Two things come back: maps, and a pair with one number a channel.",
                "A statistic has one value for each channel, in both modes.",
                "Look at the `return` line, and at the axes of mean and variance.",
            ),
        ),
        Rule(
            "one mean and variance a channel",
            _standardizes,
            hints=(
                "Print the mean and the standard deviation of each channel of the "
                "result.",
                "A channel is looked at over all images and all places at once, and "
                "divided by its standard deviation.",
                "Look at the `axis` of the statistics, and at what you divide by.",
            ),
        ),
        Rule(
            "ε stands with the variance",
            _uses_epsilon,
            hints=(
                "With a large ε, your result is not that of the formula.",
                "ε is added to the variance, before the root is taken.",
                "Look at the denominator: what stands inside the root?",
            ),
        ),
        Rule(
            "scales and shifts",
            _scales,
            hints=(
                "With γ = 1 and β = 0 your maps are right, with others they are not.",
                "γ multiplies what is normalized already; β is added last.",
                "Look at the order of the two in the last step.",
            ),
        ),
        Rule(
            "inference uses and keeps the running statistics",
            _inference,
            hints=(
                "Training is right. Call it with `training=False` and compare.",
                "At inference nothing is measured and nothing is moved.",
                "Look at which mean and variance stand in the formula when `training` "
                "is false, and at what you return for the pair.",
            ),
        ),
        Rule(
            "training moves the running statistics",
            _moves,
            hints=(
                "Compare the pair before and after one call in training mode.",
                "The momentum is the share of the old value; both mean and variance "
                "follow the same rule.",
                "Look at the two lines that make the new pair: what do they average?",
            ),
        ),
    ],
    correct="axes, ε, γ and β, both modes, and the running statistics",
)

# --- batchnorm.momentum ---------------------------------------------------------------


def _updated(answer: Any, running: Any, batch: Any, momentum: float) -> Any:
    return call(
        answer,
        np.asarray(running, "float32"),
        np.asarray(batch, "float32"),
        momentum,
    )


def _from_layer(running: Any, batch: Any, momentum: float) -> np.ndarray:
    """Ask the library's layer, with a batch whose mean is `batch`."""
    import keras
    from keras import layers

    layer = layers.BatchNormalization(momentum=momentum)
    layer.build((None, len(running)))
    ones = np.ones(len(running))
    layer.set_weights([ones, 0 * ones, np.asarray(running), ones])
    offsets = np.array([[-1.0], [1.0]])
    layer((np.asarray(batch) + offsets).astype("float32"), training=True)
    return keras.ops.convert_to_numpy(layer.moving_mean)


_OLD, _NEW = [1.0, -2.0, 0.5], [4.0, 0.0, 0.25]


def _update_shape(answer: Any) -> None:
    expect_shape(_updated(answer, _OLD, _NEW, 0.9), (3,), what="the new statistic")


def _steady(answer: Any) -> None:
    for momentum in (0.9, 0.6):
        expect_close(
            _updated(answer, _NEW, _NEW, momentum),
            np.asarray(_NEW, "float32"),
            what=f"momentum {momentum}, where running and batch are equal: the result",
        )


def _momentum_keeps(answer: Any) -> None:
    expect_close(
        _updated(answer, _OLD, _NEW, 1.0),
        np.asarray(_OLD, "float32"),
        what="the result at momentum 1",
    )


def _share(answer: Any) -> None:
    for momentum in (0.99, 0.9, 0.3, 0.0):
        expect_close(
            _updated(answer, _OLD, _NEW, momentum),
            _from_layer(_OLD, _NEW, momentum),
            what=f"the result at momentum {momentum}",
        )


momentum = Exercise(
    "batchnorm.momentum",
    kind="function",
    lesson="04",
    title="Spot the bug: a momentum from elsewhere",
    rules=[
        Rule(
            "one value a channel",
            _update_shape,
            hints=(
                "As many numbers come back as went in.",
                "Each channel is updated by itself.",
                "Look at the `return` line.",
            ),
        ),
        Rule(
            "a steady value stays",
            _steady,
            hints=(
                "Where the batch says what is known already, the result still moves.",
                "The two shares, of the old and of the new value, sum to 1.",
                "Look at the two factors in your sum.",
            ),
        ),
        Rule(
            "momentum 1 keeps the old value",
            _momentum_keeps,
            hints=(
                "Try a momentum of 1: what should be left of the new batch?",
                "In Keras, momentum is how much of the past is kept.",
                "Look at which of the two is multiplied by `momentum`.",
            ),
        ),
        Rule(
            "the share of the new batch",
            _share,
            hints=(
                "At momentum 1 you are right; at 0.9 the new batch has another share.",
                "What is not kept is replaced: the shares are m and 1 − m.",
                "Look at the factor of the step from the old to the new value.",
            ),
        ),
    ],
    correct="the same update as the library's layer, at five momenta",
)

# --- batchnorm.bottleneck -------------------------------------------------------------

_BLOCK = [(256, 128, 1), (128, 128, 3), (128, 512, 1), (256, 512, 1)]


def _layer_counts() -> dict[str, int]:
    """Let Keras count kernels, biases, trained and running numbers of the block."""
    from keras import layers

    found = dict.fromkeys(("kernels", "biases", "trained", "running"), 0)
    for channels, filters, size in _BLOCK:
        conv = layers.Conv2D(filters, size)
        conv.build((None, 8, 8, channels))
        norm = layers.BatchNormalization()
        norm.build((None, 8, 8, filters))
        for name, variables in (
            ("kernels", [conv.kernel]),
            ("biases", [conv.bias]),
            ("trained", norm.trainable_variables),
            ("running", norm.non_trainable_variables),
        ):
            found[name] += sum(int(np.prod(v.shape)) for v in variables)
    return found


def _no_biases(answer: float) -> None:
    n = _layer_counts()
    with_biases = n["kernels"] + n["biases"]
    if answer in (
        with_biases,
        with_biases + n["trained"],
        with_biases + n["trained"] + n["running"],
    ):
        raise Failure(f"{answer:,} still counts the biases of the convolutions.")


def _counts_normalization(answer: float) -> None:
    n = _layer_counts()
    if answer in (n["kernels"], n["kernels"] + n["trained"] // 2):
        raise Failure(
            f"{answer:,} leaves out what the normalizations train, or a half of it."
        )


def _only_trained(answer: float) -> None:
    n = _layer_counts()
    if answer == n["kernels"] + n["trained"] + n["running"]:
        raise Failure(f"{answer:,} counts numbers that follow no gradient.")


def _block_total(answer: float) -> None:
    n = _layer_counts()
    right = n["kernels"] + n["trained"]
    if answer != right:
        words = "too many" if answer > right else "too few"
        raise Failure(f"{answer:,} is {words}.")


bottleneck = Exercise(
    "batchnorm.bottleneck",
    kind="number",
    lesson="04",
    title="A bottleneck without dead weight",
    rules=[
        Rule(
            "no biases",
            _no_biases,
            hints=(
                "Some of the numbers that you count have a gradient of zero.",
                "What a convolution adds to a whole channel, the next layer subtracts.",
                "Leave out one number for each of the 1,280 filters.",
            ),
        ),
        Rule(
            "counts what the normalizations train",
            _counts_normalization,
            hints=(
                "Kernels alone are not all that the optimizer moves.",
                "Each normalization trains a scale and a shift for each channel.",
                "Add two numbers for each of the 1,280 filters.",
            ),
        ),
        Rule(
            "leaves out the running statistics",
            _only_trained,
            hints=(
                "Of the four numbers a channel, not all follow the gradient.",
                "Running mean and variance are moved by the batches, not by the "
                "optimizer.",
                "Count two numbers for each filter of a normalization, not four.",
            ),
        ),
        Rule(
            "the total",
            _block_total,
            hints=(
                "Count layer by layer: four convolutions, four normalizations.",
                "A kernel has height × width × channels in × filters numbers. The "
                "shortcut reads what the block reads.",
                "Only one of the kernels is 3×3; two of the four read 256 channels.",
            ),
        ),
    ],
    correct="four kernels, and two numbers for each of their filters",
)

# --- batchnorm.fold -------------------------------------------------------------------

# As many channels as filters: a factor on the wrong axis has the right shape.
_KERNEL = (3, 2, 4, 4)


def _fold_case(seed: int) -> list[np.ndarray]:
    """Return kernel, γ, β, mean and variance."""
    filters = _KERNEL[-1]
    return [
        _draw(seed, *_KERNEL),
        _positive(seed + 1, filters),
        _draw(seed + 2, filters),
        _draw(seed + 3, filters),
        _positive(seed + 4, filters),
    ]


def _folded(answer: Any, case: list[np.ndarray], epsilon: float) -> list[np.ndarray]:
    result = call(answer, *case, epsilon)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Failure(f"expected a pair (kernel, bias), got {describe(result)}.")
    named = zip(result, ("kernel", "bias"), strict=True)
    found = [as_array(value, f"the {name}") for value, name in named]
    for value in found:
        if value.dtype.kind != "f":
            raise Failure(f"expected arrays of a float type, got {value.dtype}.")
    return found


def _two_layers(case: list[np.ndarray], epsilon: float) -> Any:
    """Return a function that does what convolution and normalization do in a row."""
    import keras
    from keras import layers

    kernel, *statistics = case
    norm = layers.BatchNormalization(epsilon=epsilon)
    norm.build((None, None, None, _KERNEL[-1]))
    norm.set_weights(statistics)

    def run(x: np.ndarray) -> np.ndarray:
        y = keras.ops.conv(x, kernel, padding="same")
        return keras.ops.convert_to_numpy(norm(y, training=False))

    return run


def _fold_shape(answer: Any) -> None:
    kernel, bias = _folded(answer, _fold_case(10), 1e-3)
    expect_shape(kernel, _KERNEL, what="the kernel")
    expect_shape(bias, _KERNEL[-1:], what="the bias")


def _fold_kernel(answer: Any) -> None:
    """What is linear in the input: outputs of the pair, less those of a zero image."""
    import keras

    case = _fold_case(20)
    run, x = _two_layers(case, 1e-6), _draw(29, 2, 5, 5, _KERNEL[2])
    kernel, _ = _folded(answer, case, 1e-6)
    came = keras.ops.conv(x, kernel.astype("float32"), padding="same")
    expect_close(
        keras.ops.convert_to_numpy(came),
        run(x) - run(0 * x),
        atol=1e-4,
        what="the output of your kernel alone, for a tiny ε",
    )


def _fold_epsilon(answer: Any) -> None:
    import keras

    case = _fold_case(30)
    run, x = _two_layers(case, 0.5), _draw(39, 2, 5, 5, _KERNEL[2])
    kernel, _ = _folded(answer, case, 0.5)
    came = keras.ops.conv(x, kernel.astype("float32"), padding="same")
    expect_close(
        keras.ops.convert_to_numpy(came),
        run(x) - run(0 * x),
        atol=1e-4,
        what="the output of your kernel alone, for ε = 0.5",
    )


def _fold_bias(answer: Any) -> None:
    case = _fold_case(40)
    run = _two_layers(case, 0.1)
    _, bias = _folded(answer, case, 0.1)
    nothing = np.zeros((1, 1, 1, _KERNEL[2]), "float32")
    expect_close(bias, run(nothing)[0, 0, 0], what="the output for an image of zeros")


fold = Exercise(
    "batchnorm.fold",
    kind="function",
    lesson="04",
    title="Fold a normalization into its convolution",
    rules=[
        Rule(
            "returns a kernel and a bias",
            _fold_shape,
            hints=(
                "Two arrays come back: a kernel of the old shape, and a bias.",
                "There is one bias for each filter.",
                "Look at the `return` line.",
            ),
        ),
        Rule(
            "scales each filter",
            _fold_kernel,
            hints=(
                "Compare one filter of your kernel with the old one: what is the "
                "factor?",
                "Each filter writes one channel, and each channel has its own factor: "
                "γ over the standard deviation.",
                "Look at the axis of the kernel that the factor is multiplied along.",
            ),
        ),
        Rule(
            "ε stands with the variance",
            _fold_epsilon,
            hints=(
                "With a large ε the kernel is wrong.",
                "ε is added to the variance, before the root is taken.",
                "Look at what stands inside the root.",
            ),
        ),
        Rule(
            "the bias carries the rest",
            _fold_bias,
            hints=(
                "What do convolution and normalization give for an image of zeros?",
                "Put x = 0 into the formula: the mean is still subtracted, and still "
                "scaled.",
                "Look at the factor in front of the mean, and at its sign.",
            ),
        ),
    ],
    correct="one convolution gives what the two layers gave",
)

# --- batchnorm.pool -------------------------------------------------------------------


def _batches(seed: int, shift: float) -> np.ndarray:
    """Return batches of 6 values in 3 channels, each batch around its own mean."""
    centers = shift * _draw(seed, 5, 1, 3)
    return (2 + centers + _draw(seed + 1, 5, 6, 3)).astype("float32")


def _pooled(answer: Any, batches: np.ndarray) -> list[np.ndarray]:
    result = call(answer, batches.mean(axis=1), batches.var(axis=1))
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Failure(f"expected a pair (mean, variance), got {describe(result)}.")
    named = zip(result, ("mean", "variance"), strict=True)
    return [as_array(value, f"the {name}") for value, name in named]


def _pool_shape(answer: Any) -> None:
    for value, name in zip(
        _pooled(answer, _batches(10, 1.0)), ("mean", "variance"), strict=True
    ):
        expect_shape(value, (3,), what=f"the {name}")


def _pool_mean(answer: Any) -> None:
    batches = _batches(20, 1.0)
    everything = batches.reshape(-1, 3).astype("float64")
    expect_close(
        _pooled(answer, batches)[0], everything.mean(axis=0), what="the mean of all"
    )


def _centered(batches: np.ndarray) -> np.ndarray:
    return batches - batches.mean(axis=1, keepdims=True)


def _pool_within(answer: Any) -> None:
    batches = 2 + _centered(_batches(30, 0.0))
    everything = batches.reshape(-1, 3).astype("float64")
    expect_close(
        _pooled(answer, batches)[1],
        everything.var(axis=0),
        what="the variance of all, where all batches have the same mean",
    )


def _pool_between(answer: Any) -> None:
    batches = _batches(40, 3.0)
    everything = batches.reshape(-1, 3).astype("float64")
    expect_close(
        _pooled(answer, batches)[1],
        everything.var(axis=0),
        what="the variance of all, where the batches have different means",
    )


pool = Exercise(
    "batchnorm.pool",
    kind="function",
    lesson="04",
    title="Statistics of many batches",
    rules=[
        Rule(
            "one number a channel",
            _pool_shape,
            hints=(
                "Two arrays come back, each with one number a channel.",
                "The batches are averaged away; the channels stay apart.",
                "Look at the `axis` of each mean.",
            ),
        ),
        Rule(
            "the mean of all",
            _pool_mean,
            hints=(
                "Put all batches together and take their mean: yours differs.",
                "Batches of equal size count equally.",
                "Look at the first array that you return.",
            ),
        ),
        Rule(
            "the variance within the batches",
            _pool_within,
            hints=(
                "Where all batches have the same mean, your variance is wrong.",
                "Then the variance of all is the average of the batches' variances.",
                "Look for a sum, a maximum or a root in place of a mean.",
            ),
        ),
        Rule(
            "the variance between the batches",
            _pool_between,
            hints=(
                "Where the means of the batches differ, your variance is wrong.",
                "Values also differ because their batches do: the spread of the "
                "batches' means counts too.",
                "Look at what you do with `means` in the variance: how far are they "
                "from their own mean, squared?",
            ),
        ),
    ],
    correct="mean and variance of all values, from those of the batches",
)

# --- batchnorm.baked ------------------------------------------------------------------

_INPUT, _FILTERS = (6, 6, 3), 5


def _baked_oracle() -> Any:
    import keras
    from keras import layers, ops

    class Reference(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.conv = layers.Conv2D(_FILTERS, 3, padding="same", use_bias=False)
            self.norm = layers.BatchNormalization(momentum=0.9)

        def call(self, x: Any, training: bool = False) -> Any:
            return ops.maximum(self.norm(self.conv(x), training=training), 0.0)

    return Reference()


def _build_block(answer: Any) -> Any:
    return block_model(answer, _INPUT, _FILTERS)


def _call_alone(answer: Any) -> None:
    """Call the model as it is, without a word about the mode."""
    import keras

    model = once("called block", lambda: _build_block(answer))
    x = 2 + _draw(71, 4, *_INPUT)
    pair = keras.ops.convert_to_numpy(call(model, x[:2]))
    four = keras.ops.convert_to_numpy(call(model, x))
    expect_close(
        four[:2],
        pair,
        what="`model(x)` for two images, alone and together with two others",
    )


baked = Exercise(
    "batchnorm.baked",
    kind="function",
    lesson="04",
    title="Spot the bug: always in training",
    rules=[
        *model_rules(
            _baked_oracle,
            _INPUT,
            build=_build_block,
            without=(VARIABLES, INFERENCE, TRAINING, STEP),
            hints={
                SHAPE: (
                    "Call your block on maps and compare the shape.",
                    "Height and width stay, the channels become `filters`.",
                    "Look at the arguments of the convolution.",
                ),
                PARAMETERS: (
                    "Compare the parameters with those of the block above.",
                    "The repair adds no layer and removes none; the convolution has "
                    "no bias.",
                    "Look at `use_bias`, and at whether the normalization is there.",
                ),
            },
        ),
        Rule(
            "an image's output is its own",
            _call_alone,
            hints=(
                "`model(x)` gives one image different outputs in different company.",
                "In training mode the other images of the batch decide mean and "
                "variance.",
                "Look at how the normalization is called.",
            ),
        ),
        *model_rules(
            _baked_oracle,
            _INPUT,
            build=_build_block,
            without=(SHAPE, PARAMETERS, VARIABLES),
            seeds=(0,),
            hints={
                INFERENCE: (
                    "With the same weights, your block computes another output.",
                    "The order is convolution, normalization, ReLU.",
                    "Compare your block with the one above, line by line.",
                ),
                TRAINING: (
                    "At inference the block is right; in `fit` it does not normalize "
                    "by the batch, or keeps other running statistics.",
                    "The mode must be free to change: Keras hands it to each layer.",
                    "Look for a mode that you wrote down yourself, for `trainable`, "
                    "and at the momentum.",
                ),
                STEP: (
                    "The outputs agree, but after one step of training they do not.",
                    "Kernel, γ and β follow the gradient.",
                    "Look for something that stops the gradient.",
                ),
            },
        ),
    ],
    correct=(
        "an image's output is its own at inference, and training still uses the batch"
    ),
)
