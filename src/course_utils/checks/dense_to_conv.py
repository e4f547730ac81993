"""Checks of lesson 01, *From dense layers to convolutions*."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils.compare import (
    INFERENCE,
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
    call,
    describe,
    expect_close,
    expect_shape,
    once,
)

# --- dense.count ----------------------------------------------------------------------

_SIDE, _KERNEL, _FILTERS, _UNITS, _CLASSES = 28, 5, 16, 100, 10


def _layer_sizes() -> dict[str, int]:
    """Let Keras count the layers of the task."""
    from keras import layers

    maps = _SIDE - _KERNEL + 1
    pooled = (maps // 2) ** 2 * _FILTERS
    built = {
        "convolution": (layers.Conv2D(_FILTERS, _KERNEL), (_SIDE, _SIDE, 1)),
        "normalization": (layers.BatchNormalization(), (maps, maps, _FILTERS)),
        "dense": (layers.Dense(_UNITS), (pooled,)),
        "unpooled": (layers.Dense(_UNITS), (maps**2 * _FILTERS,)),
        "padded": (layers.Dense(_UNITS), ((_SIDE // 2) ** 2 * _FILTERS,)),
        "scores": (layers.Dense(_CLASSES), (_UNITS,)),
    }
    for layer, shape in built.values():
        layer.build((None, *shape))
    return {name: layer.count_params() for name, (layer, _) in built.items()}


def _sum_of(*names: str) -> int:
    sizes = once("layer sizes", _layer_sizes)
    return sum(sizes[name] for name in names)


_NAMES = ("convolution", "normalization", "dense", "scores")


def _counts_biases(answer: float) -> None:
    dense_biases = _UNITS + _CLASSES
    total = _sum_of(*_NAMES)
    if answer in (total - dense_biases - _FILTERS, total - _FILTERS):
        raise Failure(
            f"{answer:,} leaves out biases: each filter and each unit has one."
        )


def _counts_normalization(answer: float) -> None:
    rest = _sum_of("convolution", "dense", "scores")
    for share, words in ((0, "no number"), (2, "two numbers")):
        if answer == rest + share * _FILTERS:
            raise Failure(
                f"{answer:,} has {words} a channel for the batch normalization."
            )


def _reads_the_pooled_map(answer: float) -> None:
    rest = _sum_of("convolution", "normalization", "scores")
    for name, words in (
        ("unpooled", "the map before the pooling"),
        ("padded", "a map whose border was padded"),
    ):
        if answer == rest + _sum_of(name):
            raise Failure(f"{answer:,} lets the dense layer read {words}.")


def _total(answer: float) -> None:
    right = _sum_of(*_NAMES)
    if answer != right:
        words = "too many" if answer > right else "too few"
        raise Failure(f"{answer:,} is {words}.")


count = Exercise(
    "dense.count",
    kind="number",
    lesson="01",
    title="The parameters of a small convnet",
    rules=[
        Rule(
            "counts the biases",
            _counts_biases,
            hints=(
                "Compare with the table above: no layer there is its kernel alone.",
                "A convolution has one bias for each filter, a dense layer one for "
                "each unit.",
                "Add 16 for the convolution, and 100 and 10 for the dense layers.",
            ),
        ),
        Rule(
            "counts four numbers a channel for the normalization",
            _counts_normalization,
            hints=(
                "In the table above, the normalization of 32 channels has 128.",
                "Batch normalization keeps a scale, a shift, a running mean and a "
                "running variance.",
                "The convolution has 16 channels: how many numbers follow it?",
            ),
        ),
        Rule(
            "the dense layer reads the pooled map",
            _reads_the_pooled_map,
            hints=(
                "Write down the shape after each layer, as the table above does.",
                "A valid 5×5 convolution shortens a side by 4, the pooling halves it.",
                "The flattened map has (24/2) · (24/2) · 16 numbers.",
            ),
        ),
        Rule(
            "the total",
            _total,
            hints=(
                "Count layer by layer; only four layers have parameters.",
                "A kernel has height × width × channels in × filters weights, a dense "
                "layer numbers in × units.",
                "Check first the convolution: 25 weights a filter, and its biases.",
            ),
        ),
    ],
    correct="the convolution, its normalization and both dense layers",
)

# --- dense.matrix ---------------------------------------------------------------------


def _kernel(size: int) -> np.ndarray:
    return np.random.default_rng(size).normal(size=(size, size))


def _matrix(answer: Callable[..., Any], size: int, side: int) -> np.ndarray:
    key = ("matrix", size, side)
    return once(key, lambda: as_array(call(answer, _kernel(size), side), "the matrix"))


def _windows(image: np.ndarray, size: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(image, (size, size))


def _matrix_shape(answer: Callable[..., Any]) -> None:
    for size, side in ((3, 6), (2, 5)):
        expect_shape(
            call(answer, _kernel(size), side),
            ((side - size + 1) ** 2, side**2),
            what=f"the matrix for a {size}×{size} kernel and a side of {side}",
        )


def _first_row(answer: Callable[..., Any]) -> None:
    kernel, side = _kernel(3), 6
    wanted = np.zeros((side, side))
    wanted[:3, :3] = kernel
    row = _matrix(answer, 3, side)[0]
    if row.shape == (side**2,) and np.allclose(row.reshape(side, side), wanted):
        return
    flipped = np.zeros((side, side))
    flipped[:3, :3] = kernel[::-1, ::-1]
    if np.allclose(row.reshape(side, side), flipped):
        raise Failure("row 0 of the matrix holds the kernel turned by half a turn.")
    if np.allclose(row.reshape(side, side), wanted.T):
        raise Failure("row 0 of the matrix holds the kernel with its axes swapped.")
    expect_close(row.reshape(side, side), wanted, what="row 0, as an image of 6×6")


def _row_change(answer: Callable[..., Any]) -> None:
    kernel, side, size = _kernel(3), 6, 3
    maps = side - size + 1
    wanted = np.zeros((side, side))
    wanted[1 : 1 + size, :size] = kernel
    row = _matrix(answer, 3, side)[maps].reshape(side, side)
    if not np.allclose(row, wanted):
        raise Failure(
            f"row {maps} of the matrix belongs to output position (1, 0), and must "
            "hold the kernel at image rows 1 to 3, columns 0 to 2. Its first column "
            f"with a weight is {_first_column(row)}."
        )


def _first_column(image: np.ndarray) -> str:
    columns = np.flatnonzero(np.abs(image).sum(axis=0))
    return str(columns[0]) if len(columns) else "none"


def _convolves(answer: Callable[..., Any]) -> None:
    for size, side in ((3, 6), (2, 5), (1, 4)):
        image = np.random.default_rng(side).normal(size=(side, side))
        wanted = (_windows(image, size) * _kernel(size)).sum((-2, -1))
        came = _matrix(answer, size, side) @ image.ravel()
        expect_close(
            came,
            wanted.ravel(),
            what=f"matrix @ image for a {size}×{size} kernel and a side of {side}",
        )


matrix = Exercise(
    "dense.matrix",
    kind="function",
    lesson="01",
    title="A convolution as a matrix",
    rules=[
        Rule(
            "has one row a position of the output",
            _matrix_shape,
            hints=(
                "A 3×3 kernel on 6×6 pixels gives 4×4 numbers: 16 rows, 36 columns.",
                "A row holds the weights of one output, a column those of one pixel.",
                "A valid convolution has side − size + 1 positions along each axis.",
            ),
        ),
        Rule(
            "puts the kernel into the first row",
            _first_row,
            hints=(
                "Reshape row 0 to the shape of the image and print it.",
                "The layer does not flip its kernel: kernel[0, 0] meets the top left "
                "pixel of the window.",
                "Look at which kernel entry goes to which column of the matrix.",
            ),
        ),
        Rule(
            "starts again at the left edge",
            _row_change,
            hints=(
                "Follow the window from row to row of the matrix: when does it step "
                "down?",
                "After the last position of a line, the window goes to the left edge, "
                "one line down. That is more than one pixel further.",
                "Count output positions by two numbers, its row and its column.",
            ),
        ),
        Rule(
            "computes the convolution",
            _convolves,
            hints=(
                "Compare with Keras: one size is right, another is not.",
                "The kernel's size and the image's side are both free.",
                "Look for a number that should be computed from `kernel.shape`.",
            ),
        ),
    ],
    correct="shape, places, the step to the next line, and products with images",
)

# --- dense.error ----------------------------------------------------------------------


def _predictions(images: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, and probabilities of which a part names the right class."""
    rng = np.random.default_rng([images, 1])
    labels = rng.integers(0, 5, images)
    probabilities = rng.uniform(0, 0.19, (images, 5))
    hits = round(images * right)
    chosen = np.where(np.arange(images) < hits, labels, (labels + 2) % 5)
    probabilities[np.arange(images), chosen] += 0.2
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    order = rng.permutation(images)
    return labels[order], probabilities[order]


def _pair_of(answer: Callable[..., Any], images: int, right: float) -> list[Any]:
    result = call(answer, *_predictions(images, right))
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Failure(
            f"expected two numbers, (accuracy, standard error), got {describe(result)}."
        )
    return list(result)


def _two_numbers(answer: Callable[..., Any]) -> None:
    for value in _pair_of(answer, 400, 0.9):
        expect_shape(value, (), what="each of the two results")


def _accuracy(answer: Callable[..., Any]) -> None:
    for images, right in ((400, 0.9), (300, 0.67)):
        accuracy, _ = _pair_of(answer, images, right)
        expect_close(
            accuracy,
            round(images * right) / images,
            what=f"the accuracy where {round(images * right)} of {images} are right",
        )


def _standard_error(answer: Callable[..., Any]) -> None:
    for images, right in ((400, 0.9), (6400, 0.9), (300, 0.67)):
        p = round(images * right) / images
        _, error = _pair_of(answer, images, right)
        wanted = float(np.sqrt(p * (1 - p) / images))
        if np.size(as_array(error, "the standard error")) == 1 and np.isclose(
            as_array(error), wanted * np.sqrt(images / (images - 1)), rtol=1e-4
        ):
            continue  # with n − 1 in place of n: as good
        expect_close(
            error,
            wanted,
            what=f"the standard error of an accuracy of {p:g} on {images} images",
        )


error = Exercise(
    "dense.error",
    kind="function",
    lesson="01",
    title="An accuracy with its standard error",
    rules=[
        Rule(
            "returns two numbers",
            _two_numbers,
            hints=(
                "The task asks for two results.",
                "A mean over all images is one number, not one for each image.",
                "Look at your `return` line.",
            ),
        ),
        Rule(
            "counts the images whose likeliest class is right",
            _accuracy,
            hints=(
                "Work out by hand what three images with known labels should give.",
                "The prediction is the place of the largest number in each row.",
                "Look at the axis, and at what you compare with the labels.",
            ),
        ),
        Rule(
            "the error shrinks with the root of the number of images",
            _standard_error,
            hints=(
                "Four times as many images should halve the error: do they?",
                "One image is right or wrong, with variance p (1 − p). A mean of n "
                "of them has that variance divided by n.",
                "The standard error is the square root of the variance of the mean.",
            ),
        ),
    ],
    correct="accuracy and standard error, for three accuracies and sizes",
)

# --- dense.head -----------------------------------------------------------------------

_FEATURES, _HEAD_CLASSES = 7, 4


def _head_oracle() -> Any:
    import keras
    from keras import layers, ops

    class Reference(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.score = layers.Dense(_HEAD_CLASSES)

        def call(self, x: Any) -> Any:
            powers = ops.exp(self.score(x))
            return powers / ops.sum(powers, axis=-1, keepdims=True)

    return Reference()


def _build_head(answer: Any) -> Any:
    return block_model(answer, (_FEATURES,), _HEAD_CLASSES)


def _sums_to_one(answer: Any) -> None:
    model = once("head", lambda: _build_head(answer))
    x = np.random.default_rng(5).normal(size=(16, _FEATURES)).astype("float32")
    sums = as_array(call(model, x), "the head's output").sum(axis=-1)
    if not np.allclose(sums, 1, atol=1e-4):
        raise Failure(
            f"the outputs of one image sum to {sums.min():.2f} … {sums.max():.2f}, "
            "but an image belongs to exactly one class."
        )


_head_rules = model_rules(
    _head_oracle,
    (_FEATURES,),
    build=_build_head,
    without=(VARIABLES, STEP),
    hints={
        SHAPE: (
            "Count the outputs of one image.",
            "There is one probability for each class.",
            "Look at the number of units of the dense layer.",
        ),
        INFERENCE: (
            "The outputs sum to 1, but they are not the ones asked for.",
            "One more point of score must multiply a class's probability by e, "
            "against the other classes.",
            "Look at the activation of the dense layer.",
        ),
    },
)

head = Exercise(
    "dense.head",
    kind="function",
    lesson="01",
    title="Spot the bug: outputs that are no probabilities",
    rules=[
        _head_rules[0],
        Rule(
            "sums to one",
            _sums_to_one,
            hints=(
                "Add up the outputs of one image.",
                "A sigmoid answers each class by itself, as if an image could show "
                "several digits. Here the classes exclude each other.",
                "Look at the activation: it must see all scores at once.",
            ),
        ),
        *_head_rules[1:],
    ],
    correct="one probability a class; they sum to 1 and follow the scores",
)

# --- dense.schedule -------------------------------------------------------------------

_EPOCHS, _RATE, _SLOWDOWN = 100, 0.5, 300


def _rates(answer: Callable[..., Any]) -> list[Any]:
    """Ask for each epoch's rate as Keras does: the current one goes back in."""

    def ask() -> list[Any]:
        current, found = _RATE, []
        for epoch in range(_EPOCHS):
            result = call(answer, epoch, current)
            found.append(result)
            array = as_array(result, f"the rate of epoch {epoch}")
            number = array.shape == () and array.dtype.kind in "iuf"
            if not number or not np.isfinite(array):
                break
            current = float(array)
        return found

    return once("rates", ask)


def _starts(answer: Callable[..., Any]) -> None:
    expect_close(_rates(answer)[0], _RATE, what="the rate of epoch 0")


def _decays_once(answer: Callable[..., Any]) -> None:
    rates = [float(as_array(rate).ravel()[0]) for rate in _rates(answer)]
    if len(rates) == _EPOCHS and rates[-1] < _RATE * 1e-3:
        raise Failure(
            f"after {_EPOCHS} epochs the rate is {rates[-1]:.1e}. Planned was "
            f"{_RATE / (1 + (_EPOCHS - 1) / _SLOWDOWN):.3f}."
        )


def _as_planned(answer: Callable[..., Any]) -> None:
    for epoch, rate in enumerate(_rates(answer)):
        expect_close(
            rate, _RATE * _SLOWDOWN / (_SLOWDOWN + epoch), what=f"epoch {epoch}"
        )


schedule = Exercise(
    "dense.schedule",
    kind="function",
    lesson="01",
    title="Spot the bug: the rate that decays twice",
    rules=[
        Rule(
            "starts at 0.5",
            _starts,
            hints=(
                "Ask your function for epoch 0, with a current rate of 0.5.",
                "Epochs count from 0: the first one is trained with the full rate.",
                "Put epoch = 0 into your formula: the divisor must be 1.",
            ),
        ),
        Rule(
            "decays once",
            _decays_once,
            hints=(
                "Call your function for epochs 0, 1, 2 …, and give back to it what it "
                "returned. Compare with the plan.",
                "The plan's formula starts from the first rate. What Keras hands over "
                "has been divided already.",
                "Look at which rate your formula divides.",
            ),
        ),
        Rule(
            "follows the plan",
            _as_planned,
            hints=(
                "Compare the rates of the first three epochs with the plan.",
                "In epoch 300 the rate would be half of the first one.",
                "Look at the divisor: 1, and a 300th for each epoch.",
            ),
        ),
    ],
    correct="100 epochs, asked for as Keras asks",
)

# --- dense.table ----------------------------------------------------------------------

# What `model.evaluate` returns: the loss first, then the metrics.
_RESULTS = {
    "confident": [1.4142, 0.9107],
    "careful": [0.2653, 0.9049],
    "untrained": [2.3017, 0.1013],
    "best": [0.3791, 0.9531],
    "late": [0.3083, 0.9377],
}
_LOW_LOSS_WINS = {"first": [0.6931, 0.5703], "second": [0.2719, 0.8767]}


def _row(answer: Callable[..., Any], results: dict[str, list[float]]) -> list[Any]:
    row = call(answer, {name: list(pair) for name, pair in results.items()})
    if not isinstance(row, (tuple, list)) or len(row) != 3:
        raise Failure(
            f"expected three things, (name, loss, accuracy), got {describe(row)}."
        )
    if type(row[0]) is not str or row[0] not in results:
        raise Failure(
            f"expected one of the names first, got {describe(row[0])}.",
        )
    return list(row)


def _is_a_row(answer: Callable[..., Any]) -> None:
    _row(answer, _RESULTS)


def _chooses(answer: Callable[..., Any]) -> None:
    for results in (_RESULTS, _LOW_LOSS_WINS):
        name = _row(answer, results)[0]
        best = max(pair[1] for pair in results.values())
        if results[name][1] != best:
            raise Failure(
                f"chosen was {name!r}, of loss and accuracy {results[name]}. Another "
                f"has an accuracy of {best}."
            )


def _labels(answer: Callable[..., Any]) -> None:
    for results in (_RESULTS, _LOW_LOSS_WINS):
        name, *came = _row(answer, results)
        for value, expected, what in zip(
            came, results[name], ("the loss", "the accuracy"), strict=True
        ):
            expect_close(value, expected, what=f"{what} of {name!r}")


table = Exercise(
    "dense.table",
    kind="function",
    lesson="01",
    title="Spot the bug: swapped twice",
    rules=[
        Rule(
            "returns a name and two numbers",
            _is_a_row,
            hints=(
                "The task asks for three things about one network.",
                "One row of the table, not the whole table.",
                "Look at your `return` line.",
            ),
        ),
        Rule(
            "chooses the highest accuracy",
            _chooses,
            hints=(
                "Print both numbers of the network that your function chooses.",
                "`evaluate` returns the loss first, then the metrics in the order of "
                "`compile`. A loss is best where it is low.",
                "Look at which of the two numbers the choice compares.",
            ),
        ),
        Rule(
            "keeps loss and accuracy apart",
            _labels,
            hints=(
                "The choice is right. Now read the two numbers beside the name.",
                "The loss can be above 1, an accuracy cannot.",
                "Look at the order of the two numbers on your `return` line.",
            ),
        ),
    ],
    correct="the choice and both numbers, on two tables",
)

# --- dense.vgg ------------------------------------------------------------------------

_VGG = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_VGG_CLASSES = 1000


def _convolutions() -> int:
    widths = [3, *(filters for repeats, filters in _VGG for _ in range(repeats))]
    return sum(
        (9 * channels + 1) * filters for channels, filters in itertools.pairwise(widths)
    )


def _vgg_head(inputs: int, bias: bool = True) -> int:
    from keras import layers

    layer = layers.Dense(_VGG_CLASSES, use_bias=bias)
    layer.build((None, inputs))
    return layer.count_params()


def _keeps_convolutions(answer: float) -> None:
    if answer in (_vgg_head(512), _vgg_head(512, bias=False)):
        raise Failure(f"{answer:,} is the new head alone.")


def _reads_512(answer: float) -> None:
    kept = _convolutions()
    for inputs, words in (
        (7 * 7 * 512, "25,088 numbers: all positions of the last map"),
        (4096, "the 4,096 numbers of a layer that is gone"),
        (49, "49 numbers: one for each position"),
    ):
        if answer == kept + _vgg_head(inputs):
            raise Failure(f"{answer:,} has a dense layer that reads {words}.")


def _vgg_total(answer: float) -> None:
    right = _convolutions() + _vgg_head(512)
    if answer != right:
        words = "too many" if answer > right else "too few"
        raise Failure(f"{answer:,} is {words}.")


vgg = Exercise(
    "dense.vgg",
    kind="number",
    lesson="01",
    title="VGG16 with a small head",
    rules=[
        Rule(
            "keeps the convolutions",
            _keeps_convolutions,
            hints=(
                "The network still has its 13 convolutions.",
                "A new head replaces the dense layers, and nothing else.",
                "Add the five blocks of the table above.",
            ),
        ),
        Rule(
            "the head reads one number a channel",
            _reads_512,
            hints=(
                "Write down the shape of what the dense layer reads.",
                "Global average pooling turns a map of 7×7×512 into its 512 means.",
                "Look at the first factor of the dense layer's count.",
            ),
        ),
        Rule(
            "the total",
            _vgg_total,
            hints=(
                "The sum of two parts: what stays, and what is new.",
                "A dense layer has inputs × units weights, and a bias for each unit.",
                "The new layer has 512 inputs and 1,000 units; pooling has nothing.",
            ),
        ),
    ],
    correct="13 convolutions and one dense layer",
)
