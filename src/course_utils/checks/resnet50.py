"""Checks of lesson 07, *ResNet-50 from scratch*."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.compare import (
    INFERENCE,
    PARAMETERS,
    SHAPE,
    STEP,
    VARIABLES,
    block_model,
    model_rules,
)
from course_utils.exercises import (
    Exercise,
    Failure,
    Rule,
    as_array,
    attempt,
    call,
    expect_close,
    expect_shape,
    once,
)

# --- resnet.count ---------------------------------------------------------------------

_READ, _MIDDLE = 96, 48
_MAIN = ((1, _READ, _MIDDLE), (3, _MIDDLE, _MIDDLE), (1, _MIDDLE, 4 * _MIDDLE))
_SIDE = ((1, _READ, 4 * _MIDDLE),)


def _count(
    *kernels: tuple[int, int, int], bias: bool = True, kept: tuple[str, ...] = ()
) -> int:
    """Let Keras count convolutions, and the named weights of their normalizations."""
    from keras import layers

    total = 0
    for size, channels, filters in kernels:
        layer = layers.Conv2D(filters, size, use_bias=bias)
        layer.build((None, 8, 8, channels))
        total += layer.count_params()
        norm = layers.BatchNormalization()
        norm.build((None, 8, 8, filters))
        total += sum(
            int(np.prod(v.shape))
            for v in norm.variables
            if any(part in v.name for part in kept)
        )
    return total


_TRAINED = ("gamma", "beta")
_ALL = (*_TRAINED, "moving_mean", "moving_variance")


def _counts_normalization(answer: float) -> None:
    for kernels in (_MAIN + _SIDE, _MAIN):
        if answer in (_count(*kernels), _count(*kernels, bias=False)):
            raise Failure(f"{answer:,} are the convolutions alone.")


def _counts_statistics(answer: float) -> None:
    for kernels in (_MAIN + _SIDE, _MAIN):
        if answer == _count(*kernels, kept=_TRAINED):
            raise Failure(
                f"{answer:,} leaves out what batch normalization keeps without "
                "training it."
            )


def _counts_projection(answer: float) -> None:
    if answer == _count(*_MAIN, kept=_ALL):
        raise Failure(f"{answer:,} is the main path alone.")


def _total(answer: float) -> None:
    right = _count(*_MAIN, *_SIDE, kept=_ALL)
    if answer != right:
        words = "too many" if answer > right else "too few"
        raise Failure(f"{answer:,} is {words}.")


count = Exercise(
    "resnet.count",
    kind="number",
    lesson="07",
    title="Count a bottleneck",
    rules=[
        Rule(
            "counts the normalizations",
            _counts_normalization,
            hints=(
                "The block has two kinds of layers with parameters.",
                "Behind each convolution stands a layer with numbers of its own.",
                "Add what each of the four normalizations keeps for its channels.",
            ),
        ),
        Rule(
            "counts the running statistics",
            _counts_statistics,
            hints=(
                "The task asks for parameters that are trained or not.",
                "A normalization has a scale and a shift, which are trained, and a "
                "running mean and variance, which are not.",
                "Four numbers a channel, not two.",
            ),
        ),
        Rule(
            "counts the projection",
            _counts_projection,
            hints=(
                "The block has two paths.",
                "Where the shape changes, the shortcut is a convolution; here it is "
                "normalized as well.",
                "Add a 1×1 convolution from 96 to 192 channels and its normalization.",
            ),
        ),
        Rule(
            "the total",
            _total,
            hints=(
                "List the four convolutions first, then the normalizations.",
                "Kernel side squared × channels in × filters, and a bias a filter; "
                "four numbers a channel for a normalization.",
                "96 → 48 (1×1), 48 → 48 (3×3), 48 → 192 (1×1), 96 → 192 (1×1).",
            ),
        ),
    ],
    correct="four convolutions with biases, four normalizations",
)

# --- resnet.strided_middle ------------------------------------------------------------

_MAPS, _FILTERS = (8, 8, 6), 3


def _middle_oracle() -> Any:
    """The block with its strides as slices: a strided convolution skips positions."""
    import keras
    from keras import layers, ops

    class Reference(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            sizes = [(_FILTERS, 1), (_FILTERS, 3), (4 * _FILTERS, 1), (4 * _FILTERS, 1)]
            self.convs = [layers.Conv2D(n, k, padding="valid") for n, k in sizes]
            self.norms = [layers.BatchNormalization(epsilon=1.001e-5) for _ in sizes]

        def call(self, x: Any, training: bool = False) -> Any:
            def step(i: int, maps: Any) -> Any:
                return self.norms[i](self.convs[i](maps), training=training)

            y = ops.maximum(step(0, x), 0.0)
            # On even sides, "same" pads a strided 3×3 at the end only.
            y = ops.pad(y, ((0, 0), (0, 1), (0, 1), (0, 0)))
            y = self.norms[1](self.convs[1](y)[:, ::2, ::2], training=training)
            y = step(2, ops.maximum(y, 0.0))
            return ops.maximum(y + step(3, x[:, ::2, ::2]), 0.0)

    return Reference()


strided_middle = Exercise(
    "resnet.strided_middle",
    kind="function",
    lesson="07",
    title="The stride in the middle",
    rules=model_rules(
        _middle_oracle,
        _MAPS,
        build=lambda answer: block_model(answer, _MAPS, _FILTERS),
        without=(VARIABLES,),
        statistics=False,
        seeds=(0, 1),
        hints={
            SHAPE: (
                "The map must have half the side, and four times `filters` channels.",
                "One stride of 2 on each path, and a last 1×1 that widens.",
                "Look at both paths' strides, and at the filters of the last 1×1.",
            ),
            PARAMETERS: (
                "The block must have the parameters of `convolutional_block`.",
                "A stride moves no parameter: three convolutions on the main path, one "
                "on the shortcut, each with its bias and its normalization.",
                "Compare layer by layer with `convolutional_block`.",
            ),
            INFERENCE: (
                "Shape and parameters fit; the outputs do not.",
                "Only the 3×3 convolution of the main path skips positions; each "
                "convolution but a path's last is followed by ReLU, and the sum is.",
                "Look at which of the three convolutions has the stride.",
            ),
        },
    ),
    correct="shape, parameters, and outputs with the stride in the 3×3",
)

# --- resnet.features ------------------------------------------------------------------

_HEIGHT, _WIDTH, _CHANNELS = 288, 160, 2048


def _map_side(side: int) -> int:
    """Follow one side through the strided layers, by the formula of lesson 00."""
    for kernel, padding, stride in [(7, 3, 2), (3, 1, 2), (1, 0, 2), (1, 0, 2)]:
        side = (side + 2 * padding - kernel) // stride + 1
    return (side - 1) // 2 + 1


def _product(*sides: int) -> int:
    return int(np.prod(sides))


def _pools(answer: float) -> None:
    height, width = _map_side(_HEIGHT), _map_side(_WIDTH)
    if answer in (_product(height, width), _product(height, width, _CHANNELS)):
        raise Failure(f"{answer:,} are the numbers in front of the pooling.")


def _drops(answer: float) -> None:
    height, width = (-(-_map_side(side) // 2) for side in (_HEIGHT, _WIDTH))
    if answer in (_product(height, width), _product(height, width, _CHANNELS)):
        raise Failure(f"{answer:,} counts windows that are not full.")


def _channels(answer: float) -> None:
    height, width = _map_side(_HEIGHT) // 2, _map_side(_WIDTH) // 2
    if answer in (_product(height, width), _product(height, width, _CHANNELS // 4)):
        raise Failure(f"{answer:,} does not count all channels of the last stage.")


def _features(answer: float) -> None:
    right = _product(_map_side(_HEIGHT) // 2, _map_side(_WIDTH) // 2, _CHANNELS)
    if answer != right:
        words = "too many" if answer > right else "too few"
        raise Failure(f"{answer:,} features are {words}.")


features = Exercise(
    "resnet.features",
    kind="number",
    lesson="07",
    title="The features of a wide image",
    rules=[
        Rule(
            "pools the map",
            _pools,
            hints=(
                "Between the body and `Flatten` there is one more layer.",
                "An average pooling of 2×2 halves both sides.",
                "Divide both sides of the last map by two before you multiply.",
            ),
        ),
        Rule(
            "drops what fills no window",
            _drops,
            hints=(
                "The sides of the last map are odd.",
                "Pooling without padding takes whole windows only.",
                "Round down, not up.",
            ),
        ),
        Rule(
            "counts the channels",
            _channels,
            hints=(
                "A feature is one number, not one position.",
                "At each position there is a number for each channel.",
                "Multiply by the channels of the last stage, four times 512.",
            ),
        ),
        Rule(
            "the number of features",
            _features,
            hints=(
                "Follow height and width separately, from the image to the pooling.",
                "Five halvings lead to the last map: stem, pooling, the first block "
                "of each stage but the first.",
                "288 / 32 and 160 / 32 are the sides of the last map.",
            ),
        ),
    ],
    correct="both sides, the pooling and the channels",
)

# --- resnet.option_a ------------------------------------------------------------------

_WIDER = 10


def _option_a_oracle() -> Any:
    """Two constant matrices and a constant kernel: no slice and no padding."""
    import keras
    from keras import ops

    height, width, channels = _MAPS
    rows = np.zeros((height // 2, height), "float32")
    rows[np.arange(height // 2), np.arange(0, height, 2)] = 1
    columns = np.zeros((width // 2, width), "float32")
    columns[np.arange(width // 2), np.arange(0, width, 2)] = 1
    spread = np.zeros((channels, _WIDER), "float32")
    spread[np.arange(channels), np.arange(channels) + (_WIDER - channels) // 2] = 1

    class Reference(keras.Model):
        def call(self, x: Any) -> Any:
            return ops.einsum("ij,bjkc,lk,cd->bild", rows, x, columns, spread)

    return Reference()


option_a = Exercise(
    "resnet.option_a",
    kind="function",
    lesson="07",
    title="A shortcut without weights",
    rules=model_rules(
        _option_a_oracle,
        _MAPS,
        build=lambda answer: block_model(answer, _MAPS, _WIDER),
        without=(VARIABLES, STEP),
        hints={
            SHAPE: (
                "Half the side, and `filters` channels.",
                "Every second position is left out; channels of zeros are added.",
                "Look at both slices, and count the channels: old ones and zeros.",
            ),
            PARAMETERS: (
                "Your shortcut has weights.",
                "A convolution has weights, whatever its size. Taking and adding zeros "
                "needs none.",
                "Replace the layer that has them by a slice.",
            ),
            INFERENCE: (
                "The shape fits; the values do not.",
                "Of each window the top left position is kept; the zeros lie on both "
                "sides of the old channels, as many on each.",
                "Look at where the slice starts, and at the order of what is joined.",
            ),
        },
    ),
    correct="positions, zeros, and no weights",
)

# --- resnet.strides -------------------------------------------------------------------

_INPUT, _WIDTHS = (16, 16, 3), (4, 4, 6, 6, 9)


def _toy_block(x: Any, filters: int, strides: int) -> Any:
    from keras import layers

    return layers.Conv2D(
        filters, 3, strides=strides, padding="same", activation="tanh"
    )(x)


def _build_resnet(answer: Any) -> Any:
    return call(answer, _toy_block, _WIDTHS, _INPUT)


def _resnet_oracle() -> Any:
    import keras
    from keras import layers

    same = {"padding": "same"}
    pairs = [(4, 1), (4, 1), (6, 2), (6, 1), (9, 2)]
    return keras.Sequential(
        [
            keras.Input(_INPUT),
            layers.Conv2D(4, 3, activation="relu", **same),
            *(
                layers.Conv2D(n, 3, strides=step, activation="tanh", **same)
                for n, step in pairs
            ),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
            layers.Softmax(),
        ]
    )


def _recorded(answer: Any) -> list[tuple[int, int, int, int]]:
    """Return (side, channels, filters, strides) of each block, in order."""

    def run() -> list[tuple[int, int, int, int]]:
        found: list[tuple[int, int, int, int]] = []

        def recorder(x: Any, filters: int, strides: int = 1) -> Any:
            step = int(strides)
            found.append((int(x.shape[1]), int(x.shape[-1]), int(filters), step))
            return _toy_block(x, filters, strides)

        call(answer, recorder, _WIDTHS, _INPUT)
        return found

    return once("blocks", run)


def _each_block_once(answer: Any) -> None:
    asked = [filters for _, _, filters, _ in _recorded(answer)]
    if asked != list(_WIDTHS):
        raise Failure(
            f"for filters={_WIDTHS} the blocks were asked for {asked or 'nothing'}, in "
            "this order."
        )


def _halves_where_wider(answer: Any) -> None:
    for place, (side, came, filters, strides) in enumerate(_recorded(answer)):
        wanted = 2 if filters > came else 1
        if strides != wanted:
            words = "grows" if wanted == 2 else "stays"
            raise Failure(
                f"block {place + 1} reads a map of {side}×{side}×{came} and writes "
                f"{filters} channels: the number of filters {words}, and its stride "
                f"is {strides}."
            )


strides = Exercise(
    "resnet.strides",
    kind="model",
    lesson="07",
    title="Spot the bug: a residual network that loses",
    rules=[
        Rule(
            "one block for each number",
            _each_block_once,
            hints=(
                "Compare the blocks that were asked for with `filters`.",
                "Each entry of `filters` is one block, the first one included.",
                "Look at the loop, and at what it leaves out or repeats.",
            ),
        ),
        Rule(
            "halves where the filters grow",
            _halves_where_wider,
            hints=(
                "Follow the side of the map from block to block.",
                "A map is halved only where more channels make up for it.",
                "Look at the third argument of `block`: what does it depend on?",
            ),
        ),
        *model_rules(
            _resnet_oracle,
            _INPUT,
            build=_build_resnet,
            without=(VARIABLES, STEP),
            statistics=False,
            seeds=(0, 1),
        ),
    ],
    correct="blocks, strides, shape, parameters and outputs in both modes",
)

# --- resnet.initializers --------------------------------------------------------------

_DEPTH, _STACK, _SEED = 4, 16, 5


def _stack(answer: Any, seed: int, again: int = 0) -> Any:
    def make() -> Any:
        import keras

        model = call(answer, _DEPTH, _STACK, seed)
        if not isinstance(model, keras.Model):
            raise Failure("expected a keras.Model back.", rule="is a model")
        if not model.built:
            attempt(model.build, (None, 16, 16, _STACK))
        return model

    return once(("stack", seed, again), make)


def _kernels(model: Any) -> list[np.ndarray]:
    shape = (3, 3, _STACK, _STACK)
    return [
        as_array(v, "a kernel")
        for v in model.trainable_variables
        if tuple(v.shape) == shape
    ]


def _stack_oracle() -> Any:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((16, 16, _STACK)),
            *(layers.Conv2D(_STACK, 3, padding="same") for _ in range(_DEPTH)),
        ]
    )


def _stack_shape(answer: Any) -> None:
    x = np.random.default_rng(0).normal(size=(2, 16, 16, _STACK)).astype("float32")
    y = call(_stack(answer, _SEED), x)
    expect_shape(y, (2, 16, 16, _STACK), what="the output")
    if as_array(y, "the output").min() < 0:
        raise Failure("the output has negative values: no ReLU follows the last layer.")


def _stack_parameters(answer: Any) -> None:
    wanted = once("oracle", _stack_oracle).count_params()
    came = _stack(answer, _SEED).count_params()
    if came != wanted or len(_kernels(_stack(answer, _SEED))) != _DEPTH:
        raise Failure(
            f"for {_DEPTH} layers of {_STACK} filters: expected {wanted:,} parameters "
            f"in {_DEPTH} kernels and their biases, got {came:,}."
        )
    _computes(answer)


def _computes(answer: Any) -> None:
    """Compare the output with one convolution and one ReLU after the other."""
    from keras import ops

    x = np.random.default_rng(1).normal(size=(2, 16, 16, _STACK)).astype("float32")
    expected = ops.convert_to_tensor(x)
    for kernel in _kernels(_stack(answer, _SEED)):
        expected = ops.relu(ops.conv(expected, kernel, padding="same"))
    y = call(_stack(answer, _SEED), x)
    wanted = ops.convert_to_numpy(expected)
    expect_close(as_array(y, "the output"), wanted, what="the output", atol=1e-4)


def _all_different(answer: Any) -> None:
    kernels = _kernels(_stack(answer, _SEED))
    for i, first in enumerate(kernels):
        for j in range(i):
            alike = abs(float(np.corrcoef(first.ravel(), kernels[j].ravel())[0, 1]))
            if alike > 0.1:
                raise Failure(
                    f"kernels {j + 1} and {i + 1} are made of the same numbers "
                    f"(correlation {alike:.2f})."
                )


def _right_spread(answer: Any) -> None:
    wanted = np.sqrt(2 / (9 * _STACK))
    for i, kernel in enumerate(_kernels(_stack(answer, _SEED))):
        came = float(kernel.std())
        # 2,304 numbers: their spread is known to about 1.5 %. Glorot's is 0.7 of it.
        if not 0.9 < came / wanted < 1.1:
            raise Failure(
                f"kernel {i + 1} has a standard deviation of {came:.4f}; for "
                f"{9 * _STACK} inputs He's is {wanted:.4f}."
            )


def _repeatable(answer: Any) -> None:
    first = _kernels(_stack(answer, _SEED))
    second = _kernels(_stack(answer, _SEED, again=1))
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        expect_close(
            b, a, rtol=0, atol=0, what=f"kernel {i + 1}, built again with the same seed"
        )


def _seed_counts(answer: Any) -> None:
    first = _kernels(_stack(answer, _SEED))
    other = _kernels(_stack(answer, 100 * _SEED))
    for i, (a, b) in enumerate(zip(first, other, strict=True)):
        if np.allclose(a, b):
            raise Failure(f"kernel {i + 1} is the same for two different seeds.")


initializers = Exercise(
    "resnet.initializers",
    kind="model",
    lesson="07",
    title="Spot the bug: always the same dice",
    rules=[
        Rule(
            "keeps the shape, and ends in ReLU",
            _stack_shape,
            hints=(
                "The stack maps 16×16 maps to maps of the same shape, none negative.",
                "Same padding, the same number of filters, ReLU behind each layer.",
                "Look at `padding`, and at the activation of the last convolution.",
            ),
        ),
        Rule(
            "has the parameters",
            _stack_parameters,
            hints=(
                "Compare `count_params()` with the message.",
                "One 3×3 convolution a layer, each with its bias.",
                "Look at the loop, and whether one layer object is used again.",
            ),
        ),
        Rule(
            "every kernel is its own",
            _all_different,
            hints=(
                "Compare the first kernel with the second, number by number.",
                "An initializer with a fixed seed, or a shared one, gives the same "
                "numbers for the same shape.",
                "Look at what the initializer of each layer gets for its seed.",
            ),
        ),
        Rule(
            "starts with He's spread",
            _right_spread,
            hints=(
                "The kernels differ, but their size is not right.",
                "He's variance is 2 / fan-in (lesson 02).",
                "Look at the name of the initializer.",
            ),
        ),
        Rule(
            "the same seed gives the same model",
            _repeatable,
            hints=(
                "Build it twice with one seed and compare.",
                "Without any seed the numbers are new each time.",
                "Let what you give the initializers follow from `seed`.",
            ),
        ),
        Rule(
            "another seed gives another model",
            _seed_counts,
            hints=(
                "Build it with two seeds and compare.",
                "The argument `seed` must reach every kernel.",
                "Look at whether `seed` is used in the loop at all.",
            ),
        ),
    ],
    correct="shape, parameters, different kernels of He's size, repeatable by the seed",
)

# --- resnet.prepare -------------------------------------------------------------------

_MEAN = np.array([0.5, 0.4, 0.3])
_SPREAD = np.array([0.2, 0.25, 0.5])


def _picture() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 200, (5, 4, 3), np.uint8)


def _prepared(answer: Any) -> Any:
    return once(
        "prepared", lambda: call(answer, _picture(), _MEAN.copy(), _SPREAD.copy())
    )


def _wanted() -> np.ndarray:
    # One color at a time, over a table of all 256 bytes.
    table = np.arange(256) / 255.0
    parts = [
        ((table - m) / s)[_picture()[..., i]]
        for i, (m, s) in enumerate(zip(_MEAN, _SPREAD, strict=True))
    ]
    return np.stack(parts, axis=-1)[None].astype("float32")


def _batch_of_one(answer: Any) -> None:
    expect_shape(_prepared(answer), (1, 5, 4, 3), what="the batch")


def _is_float32(answer: Any) -> None:
    came = str(as_array(_prepared(answer), "the batch").dtype)
    if came != "float32":
        raise Failure(f"the batch: expected float32, got {came}.")


def _scale(answer: Any) -> None:
    came = as_array(_prepared(answer), "the batch")
    wanted = _wanted()
    if float(np.abs(came).max()) > 20 * float(np.abs(wanted).max()):
        raise Failure(
            f"the values go from {came.min():.4g} to {came.max():.4g}; here "
            f"{wanted.min():.2f} to {wanted.max():.2f} is right."
        )


def _fixed_numbers(answer: Any) -> None:
    """Two flat pictures, one dark and one light, must not come out alike."""
    results = []
    for level in (20, 220):
        flat = np.full((5, 4, 3), level, np.uint8)
        # A little texture, so that a picture's own spread is not zero.
        flat[::2] += 10
        results.append(as_array(call(answer, flat, _MEAN.copy(), _SPREAD.copy())))
    if np.allclose(results[0], results[1], atol=1e-3):
        raise Failure("a dark and a light picture come out as the same numbers.")


def _values(answer: Any) -> None:
    expect_close(_prepared(answer), _wanted(), what="the batch")


prepare = Exercise(
    "resnet.prepare",
    kind="function",
    lesson="07",
    title="Prepare one image",
    rules=[
        Rule(
            "is a batch of one",
            _batch_of_one,
            hints=(
                "A network takes a batch, even for a single image.",
                "The batch is the first axis.",
                "Add an axis of length 1 in front, and leave the others alone.",
            ),
        ),
        Rule(
            "is float32",
            _is_float32,
            hints=(
                "Look at the `dtype` of what you return.",
                "NumPy computes in float64 where it is not told otherwise.",
                "Convert at the end.",
            ),
        ),
        Rule(
            "is on the scale of 0 to 1",
            _scale,
            hints=(
                "The values are hundreds of times too large.",
                "Mean and spread belong to pixels between 0 and 1; bytes go to 255.",
                "Divide before you subtract.",
            ),
        ),
        Rule(
            "uses the numbers of the training",
            _fixed_numbers,
            hints=(
                "Try a dark picture and a light one.",
                "With a picture's own mean, dark and light cannot be told apart: "
                "the network was not trained so.",
                "Use the arguments `mean` and `spread`.",
            ),
        ),
        Rule(
            "the values",
            _values,
            hints=(
                "Take one pixel and compute it by hand, color by color.",
                "First the scale, then the mean, then the spread; red stays red.",
                "Look at the order of the three steps, and at the order of the colors.",
            ),
        ),
    ],
    correct="axes, type, scale, and the mean and spread of the training",
)
