"""Checks of lesson 06, *Mini-Xception*."""

from __future__ import annotations

import math
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
    expect_close,
    expect_shape,
    once,
)


def _one_real(result: Any, what: str) -> float:
    """Return the one real number that a function gave back."""
    expect_shape(result, (), what=what)
    number = as_array(result, what)
    exact = number.dtype.kind == "f" and number.dtype.itemsize >= 4
    if not exact and type(result) is not int:
        raise Failure(f"{what}: expected a float, got {number.dtype}.")
    return float(number)


# --- xception.count -------------------------------------------------------------------

_IN, _OUT = 96, 160


def _counted(*made: tuple[Any, int]) -> int:
    """Let Keras count: (layer, channels that it reads) for each."""
    total = 0
    for layer, channels in made:
        layer.build((None, 20, 20, channels))
        total += layer.count_params()
    return total


def _parts() -> dict[str, int]:
    from keras import layers

    options = {"padding": "same", "use_bias": False}
    return {
        "convolutions": _counted(
            (layers.SeparableConv2D(_OUT, 3, **options), _IN),
            (layers.SeparableConv2D(_OUT, 3, **options), _OUT),
        ),
        "ordinary": _counted(
            (layers.Conv2D(_OUT, 3, **options), _IN),
            (layers.Conv2D(_OUT, 3, **options), _OUT),
        ),
        "normalization": _counted(
            (layers.BatchNormalization(), _IN), (layers.BatchNormalization(), _OUT)
        ),
        "after": _counted(
            (layers.BatchNormalization(), _OUT), (layers.BatchNormalization(), _OUT)
        ),
        "shortcut": _counted((layers.Conv2D(_OUT, 1, strides=2, use_bias=False), _IN)),
    }


def _counts_separable(answer: float) -> None:
    part = _parts()
    if answer in (
        part["ordinary"] + part["normalization"] + part["shortcut"],
        part["ordinary"] + part["shortcut"],
        part["ordinary"] + part["normalization"],
    ):
        raise Failure(f"{answer:,} is what ordinary 3×3 convolutions would cost.")


def _counts_normalization(answer: float) -> None:
    part = _parts()
    convolutions = part["convolutions"] + part["shortcut"]
    half = convolutions + part["normalization"] // 2
    if answer in (convolutions, half, part["convolutions"]):
        words = "half of" if answer == half else "all of"
        raise Failure(
            f"{answer:,} leaves out {words} the numbers that the normalizations keep."
        )
    if answer == convolutions + part["after"]:
        raise Failure(
            f"{answer:,} puts the first normalization behind its convolution."
        )


def _counts_shortcut(answer: float) -> None:
    part = _parts()
    main = part["convolutions"] + part["normalization"]
    if answer == main:
        raise Failure(f"{answer:,} is the main path alone.")


def _leaves_out_biases(answer: float) -> None:
    part = _parts()
    right = part["convolutions"] + part["normalization"] + part["shortcut"]
    with_biases = {right + k * _OUT for k in (1, 2, 3)}
    with_biases |= {right + _IN + k * _OUT for k in (1, 2, 3, 4)}
    if answer in with_biases:
        raise Failure(f"{answer:,} has biases in it; this block has none.")


def _total(answer: float) -> None:
    part = _parts()
    right = part["convolutions"] + part["normalization"] + part["shortcut"]
    if answer != right:
        words = "too many" if answer > right else "too few"
        raise Failure(f"{answer:,} is {words}.")


count = Exercise(
    "xception.count",
    kind="number",
    lesson="06",
    title="The parameters of a separable block",
    rules=[
        Rule(
            "counts separable convolutions",
            _counts_separable,
            hints=(
                "Your number is far above that of the block in the cell above.",
                "A separable convolution keeps one small window a channel, and one "
                "1×1 kernel that mixes the channels.",
                "For each of the two: 9 × channels read, plus channels read × filters.",
            ),
        ),
        Rule(
            "counts the normalizations",
            _counts_normalization,
            hints=(
                "Compare with the first line of the table above: it is not zero.",
                "A normalization keeps four numbers for each channel that it reads, "
                "two that train and two that follow the data.",
                "The first one reads what the block reads, the second what the first "
                "convolution wrote.",
            ),
        ),
        Rule(
            "counts the shortcut",
            _counts_shortcut,
            hints=(
                "Compare with the last lines of the table above.",
                "Where the shape changes, the shortcut has a kernel of its own.",
                "Add a 1×1 kernel from the channels read to the filters.",
            ),
        ),
        Rule(
            "has no biases",
            _leaves_out_biases,
            hints=(
                "Your number is a little too large.",
                "A bias in front of a normalization is subtracted again; the block "
                "sets none.",
                "Look at `use_bias` in the block's convolutions.",
            ),
        ),
        Rule(
            "the total",
            _total,
            hints=(
                "Count layer by layer, as the table above does.",
                "ReLU, pooling and the sum keep nothing; the size of the maps plays "
                "no part.",
                "Five layers count: two normalizations, two separable convolutions, "
                "one 1×1 convolution.",
            ),
        ),
    ],
    correct="two normalizations, two separable convolutions and a shortcut",
)

# --- xception.loop --------------------------------------------------------------------

_BODY_INPUT, _BODY_FILTERS = (13, 13, 3), (4, 6)


def _build_body(answer: Any) -> Any:
    return call(answer, _BODY_FILTERS, _BODY_INPUT)


def _body_oracle() -> Any:
    """The net from depthwise and 1×1 convolutions, sums and maxima."""
    import keras
    from keras import layers, ops

    class Reference(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            bare = {"use_bias": False}
            self.stem = layers.Conv2D(32, 5, **bare)
            self.blocks = [
                {
                    "norms": [layers.BatchNormalization() for _ in "ab"],
                    "depth": [
                        layers.DepthwiseConv2D(3, padding="same", **bare) for _ in "ab"
                    ],
                    "point": [layers.Conv2D(filters, 1, **bare) for _ in "ab"],
                    "side": layers.Conv2D(filters, 1, **bare),
                }
                for filters in _BODY_FILTERS
            ]
            self.score = layers.Dense(1)

        def call(self, x: Any, training: bool = False) -> Any:
            x = self.stem(x)
            for block in self.blocks:
                y = x
                for norm, depth, point in zip(
                    block["norms"], block["depth"], block["point"], strict=True
                ):
                    y = ops.maximum(norm(y, training=training), 0.0)
                    y = point(depth(y))
                y = ops.max_pool(y, 3, strides=2, padding="same")
                x = y + block["side"](x[:, ::2, ::2])
            return 1 / (1 + ops.exp(-self.score(ops.mean(x, axis=(1, 2)))))

    return Reference()


def _every_block_counts(answer: Any) -> None:
    whole = once("body", lambda: _build_body(answer))
    last = once("last block", lambda: call(answer, _BODY_FILTERS[-1:], _BODY_INPUT))
    sizes = [getattr(model, "count_params", lambda: None)() for model in (whole, last)]
    if type(sizes[0]) is int and sizes[0] == sizes[1]:
        raise Failure(
            f"filters={_BODY_FILTERS} and filters={_BODY_FILTERS[-1:]} give models of "
            f"{sizes[0]:,} parameters each: the earlier blocks are not in the model."
        )


loop = Exercise(
    "xception.loop",
    kind="model",
    lesson="06",
    title="Spot the bug: half a network",
    rules=[
        Rule(
            "every block is part of the model",
            _every_block_counts,
            hints=(
                "Build the model with one block and with two, and compare.",
                "A layer is part of a model only if the output depends on it.",
                "Follow both names through two rounds of the loop: what does the "
                "second round read?",
            ),
        ),
        *model_rules(
            _body_oracle,
            _BODY_INPUT,
            build=lambda answer: once("body", lambda: _build_body(answer)),
            without=(VARIABLES, STEP),
            statistics=False,
            seeds=(0, 1),
            hints={
                PARAMETERS: (
                    "All blocks are there, but something has another size.",
                    "The repair adds no layer: the numbers of filters, the kernels "
                    "and the missing biases stay.",
                    "Compare layer by layer with the function that has the bug.",
                ),
                INFERENCE: (
                    "With the same weights, your model computes something else.",
                    "Both paths of a block start from the output of the block before.",
                    "Look at which tensor the shortcut reads, and when that name is "
                    "given a new value.",
                ),
            },
        ),
    ],
    correct=(
        "the chain of blocks, the shape, the parameters and the outputs in both modes"
    ),
)

# --- xception.middle_block ------------------------------------------------------------

_MAPS = (8, 8, 6)


def _middle_oracle() -> Any:
    """Chollet (2017), figure 5, middle flow, with the separable layers taken apart."""
    import keras
    from keras import layers, ops

    class Reference(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            channels, bare = _MAPS[-1], {"use_bias": False}
            self.depth = [
                layers.DepthwiseConv2D(3, padding="same", **bare) for _ in range(3)
            ]
            self.point = [layers.Conv2D(channels, 1, **bare) for _ in range(3)]
            self.norms = [layers.BatchNormalization() for _ in range(3)]

        def call(self, x: Any, training: bool = False) -> Any:
            y = x
            for depth, point, norm in zip(
                self.depth, self.point, self.norms, strict=True
            ):
                y = norm(point(depth(ops.maximum(y, 0.0))), training=training)
            return x + y

    return Reference()


middle_block = Exercise(
    "xception.middle_block",
    kind="function",
    lesson="06",
    title="The block of Xception's middle flow",
    rules=model_rules(
        _middle_oracle,
        _MAPS,
        build=lambda answer: block_model(answer, _MAPS),
        without=(VARIABLES,),
        seeds=(0, 1),
        statistics=False,
        hints={
            SHAPE: (
                "The block must give back the shape that it was given.",
                "Nothing in the middle flow halves the maps or changes the channels.",
                "Look at padding, strides, and the number of filters.",
            ),
            PARAMETERS: (
                "Compare with 306 trainable parameters for 6 channels.",
                "Three separable convolutions without biases, each with its own "
                "normalization; the shortcut costs nothing.",
                "Look at `use_bias`, at the number of layers, and at the shortcut.",
            ),
            INFERENCE: (
                "With the same weights, your block computes something else.",
                "Xception activates first, then convolves, then normalizes; and "
                "leaves the sum alone.",
                "Look at the order of the three layers, and at what follows the sum.",
            ),
            TRAINING: (
                "At inference the outputs agree, while training they do not.",
                "Only the normalizations behave in another way while a net trains.",
                "Look for a layer that is not in the task, and at `training=`.",
            ),
        },
    ),
    correct="shape, parameters, outputs in both modes and a step of training",
)

# --- xception.classify ----------------------------------------------------------------

_PIXELS, _BIAS = 0.05, 0.5


def _toy() -> Any:
    """A net that rescales by itself, and says how bright its input was."""

    def build() -> Any:
        import keras
        from keras import layers

        inputs = keras.Input((6, 8, 3))
        x = layers.Rescaling(_PIXELS)(inputs)
        x = layers.GlobalAveragePooling2D()(x)
        model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
        model.set_weights([np.array([[1.0], [3.0], [-4.0]]), np.array([_BIAS])])
        return model

    return once("toy", build)


def _photo(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype("uint8")


def _probability(image: np.ndarray) -> float:
    red, green, blue = image.astype("float64").mean((0, 1)) * _PIXELS
    return 1 / (1 + math.exp(-(red + 3 * green - 4 * blue + _BIAS)))


def _classified(answer: Any, image: np.ndarray) -> float:
    return _one_real(call(answer, _toy(), image), "the probability of one image")


def _one_number(answer: Any) -> None:
    _classified(answer, _photo(0))


def _not_scaled_twice(answer: Any) -> None:
    for seed in range(3):
        image = _photo(seed)
        came, right = _classified(answer, image), _probability(image)
        if not 0 < came < 1:
            continue
        score, whole = (math.log(p / (1 - p)) - _BIAS for p in (came, right))
        if abs(score - whole / 255) < 0.05 * abs(whole / 255):
            raise Failure(
                f"the model saw pixels from 0 to 1 and rescaled them again: {came:.4f} "
                f"for this image in place of {right:.4f}."
            )


def _is_probability(answer: Any) -> None:
    for seed in range(3):
        image = _photo(seed)
        expect_close(
            np.float64(_classified(answer, image)),
            _probability(image),
            rtol=1e-3,
            atol=1e-4,
            what=f"the probability of class 1 for image {seed}",
        )


classify = Exercise(
    "xception.classify",
    kind="function",
    lesson="06",
    title="Spot the bug: the night photographs",
    rules=[
        Rule(
            "gives one number",
            _one_number,
            hints=(
                "Look at the shape of what you return.",
                "A model takes and gives a whole batch, even a batch of one.",
                "Pick the one number out of the batch, at the end.",
            ),
        ),
        Rule(
            "pixels are scaled once",
            _not_scaled_twice,
            hints=(
                "Look at the range of the pixels right behind the model's first layer.",
                "What the model does itself must not be done in front of it, too.",
                "Look at the line that makes the batch: what does it do beside that?",
            ),
        ),
        Rule(
            "is the model's probability",
            _is_probability,
            hints=(
                "The number is not what the model says about these pixels.",
                "The model expects bytes from 0 to 255, and gives the probability of "
                "class 1.",
                "Pass the pixels on as they are, and return the output as it is.",
            ),
        ),
    ],
    correct="one probability, from pixels that are scaled once",
)

# --- xception.report ------------------------------------------------------------------

_VALIDATION = np.array([0.62, 0.71, 0.83, 0.79, 0.82, 0.80])
_TEST = np.array([0.60, 0.72, 0.78, 0.85, 0.80, 0.77])


def _reported(answer: Any, validation: np.ndarray, test: np.ndarray) -> float:
    return _one_real(call(answer, validation, test), "the reported accuracy")


def _gives_one_accuracy(answer: Any) -> None:
    _reported(answer, _VALIDATION, _TEST)


def _reports_test(answer: Any) -> None:
    came = _reported(answer, _VALIDATION, _TEST)
    if abs(came - _VALIDATION.max()) < 1e-9:
        raise Failure(
            f"{came:.2f} was measured on the validation images, which made the choice."
        )


def _chooses_without_test(answer: Any) -> None:
    came = _reported(answer, _VALIDATION, _TEST)
    if abs(came - _TEST.max()) < 1e-9:
        raise Failure(
            f"{came:.2f} is the largest test accuracy: the test images made the choice."
        )


def _reports_the_chosen(answer: Any) -> None:
    rng = np.random.default_rng(1)
    cases = [(_VALIDATION, _TEST)]
    for length in (1, 4, 9):
        cases.append((rng.permutation(length) / 10, rng.uniform(0.5, 1, length)))
    for validation, test in cases:
        best = max(range(len(test)), key=lambda i: validation[i])
        expect_close(
            np.float64(_reported(answer, validation, test)),
            test[best],
            rtol=1e-6,
            what=f"the accuracy to report for validation {validation.tolist()}",
        )


report = Exercise(
    "xception.report",
    kind="function",
    lesson="06",
    title="Spot the bug: the best of many epochs",
    rules=[
        Rule(
            "gives one accuracy",
            _gives_one_accuracy,
            hints=(
                "Print what your function returns for three epochs.",
                "A report states one accuracy, that of the epoch that was chosen.",
                "Look at the last line: is it one number from the array?",
            ),
        ),
        Rule(
            "reports the test accuracy",
            _reports_test,
            hints=(
                "Your number stands in the wrong one of the two arrays.",
                "What made the choice is too good; the test images had no part in it.",
                "Look at which array the number is taken from at the end.",
            ),
        ),
        Rule(
            "the test images do not choose",
            _chooses_without_test,
            hints=(
                "Change the test accuracies of the other epochs: does your answer "
                "change?",
                "The choice of the epoch is a part of training. Only the validation "
                "images may make it.",
                "Find the place of the best epoch in one array, and read the other "
                "one there.",
            ),
        ),
        Rule(
            "reports the chosen epoch",
            _reports_the_chosen,
            hints=(
                "For some histories your number is that of another epoch.",
                "The epoch with the highest validation accuracy counts, wherever it "
                "stands.",
                "Look at how you find the place of the largest validation accuracy.",
            ),
        ),
    ],
    correct="the epoch is chosen on validation images and reported on test images",
)

# --- xception.apart -------------------------------------------------------------------


def _binomial_error(p: float, n: int) -> float:
    """The spread of n answers, each 1 with probability p, from its definition."""
    return math.sqrt(sum(q * (x - p) ** 2 for x, q in ((0, 1 - p), (1, p))) / n)


def _apart(p: float, q: float, n: int) -> float:
    return (q - p) / math.hypot(_binomial_error(p, n), _binomial_error(q, n))


def _answered(answer: Any, p: float, q: float, n: int) -> float:
    return _one_real(call(answer, p, q, n), "the number of standard errors")


def _one_answer(answer: Any) -> None:
    _answered(answer, 0.8, 0.9, 1000)


def _keeps_sign(answer: Any) -> None:
    better, worse = (_answered(answer, *pair, 400) for pair in [(0.7, 0.8), (0.8, 0.7)])
    if not (better > 0 > worse):
        raise Failure(
            "expected a positive number where the second net is better and a negative "
            f"one where it is worse, got {better:.3g} and {worse:.3g}."
        )


def _both_err(answer: Any) -> None:
    p, q, n = 0.5, 0.9, 900
    came = _answered(answer, p, q, n)
    for name, accuracy in (("first", p), ("second", q)):
        if math.isclose(came, (q - p) / _binomial_error(accuracy, n), rel_tol=1e-6):
            raise Failure(
                f"{came:.4g} has only the {name} net's error in it; both accuracies "
                "are measured on a sample."
            )


def _squares_add(answer: Any) -> None:
    p, q, n = 0.6, 0.9, 900
    came = _answered(answer, p, q, n)
    whole = (q - p) / (_binomial_error(p, n) + _binomial_error(q, n))
    if math.isclose(came, whole, rel_tol=1e-6):
        raise Failure(
            f"{came:.4g} adds the two errors themselves. Independent errors add up to "
            "less than that, as they seldom point the same way."
        )


def _the_value(answer: Any) -> None:
    for p, q, n in [(0.6, 0.9, 900), (0.8, 0.75, 1000), (0.99, 0.98, 10_000)]:
        expect_close(
            np.float64(_answered(answer, p, q, n)),
            _apart(p, q, n),
            rtol=1e-5,
            what=f"the distance of {p} and {q}, each on {n} images",
        )


apart = Exercise(
    "xception.apart",
    kind="function",
    lesson="06",
    title="How far apart are two accuracies?",
    rules=[
        Rule(
            "gives one number",
            _one_answer,
            hints=(
                "Three numbers go in, one comes out.",
                "A distance in standard errors has no unit and no axes.",
                "Look at what your function returns.",
            ),
        ),
        Rule(
            "keeps the sign",
            _keeps_sign,
            hints=(
                "Swap the two accuracies: what does the sign do?",
                "Positive means that the second net is the better one.",
                "Look at the order in the subtraction, and at absolute values.",
            ),
        ),
        Rule(
            "both accuracies have an error",
            _both_err,
            hints=(
                "Which of the two accuracies is in the denominator?",
                "Each net was measured on a sample, so each has a standard error.",
                "Write down the standard error of each net first, then join them.",
            ),
        ),
        Rule(
            "squares of errors add",
            _squares_add,
            hints=(
                "Your distance is a little too small.",
                "The variances of independent numbers add, their standard deviations "
                "do not.",
                "Square both errors, add, and take the root of the sum.",
            ),
        ),
        Rule(
            "the distance",
            _the_value,
            hints=(
                "Try 0.8 and 0.9 with 1,000 images: the distance is 6.3.",
                "The standard error is the root of p(1 − p)/n, with p from 0 to 1.",
                "Look at the square root, at n, and at factors of 100.",
            ),
        ),
    ],
    correct="sign, both errors, and how they add",
)
