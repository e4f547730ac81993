"""Checks of lesson 09, *Transfer learning and fine-tuning*."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course_utils.exercises import (
    Exercise,
    Failure,
    Rule,
    attempt,
    call,
    describe,
    expect_close,
    expect_shape,
    once,
)

# --- transfer.count -------------------------------------------------------------------

_FEATURES, _CLASSES = 1280, 7
_BASE = 3_371_008  # of the base, were it not frozen


def _new_layers() -> tuple[Any, Any]:
    """Let Keras make the two new layers that have weights."""
    from keras import layers

    norm, dense = layers.BatchNormalization(), layers.Dense(_CLASSES)
    for layer in (norm, dense):
        layer.build((None, _FEATURES))
    return norm, dense


def _sizes() -> dict[str, int]:
    norm, dense = _new_layers()
    return {
        "norm": norm.count_params(),
        "scale and shift": sum(int(np.prod(v.shape)) for v in norm.trainable_weights),
        "dense": dense.count_params(),
        "bias": _CLASSES,
    }


def _leaves_base(answer: float) -> None:
    if answer >= _BASE:
        raise Failure(f"{answer:,} is as much as the base has, and the base is frozen.")


def _leaves_statistics(answer: float) -> None:
    sizes = _sizes()
    with_statistics = sizes["dense"] + sizes["norm"]
    if answer in (with_statistics, with_statistics - sizes["bias"]):
        raise Failure(
            f"{answer:,} counts four numbers for each feature of the normalization. "
            "Two of them are moved by the batches, not by the optimizer."
        )


def _counts_norm(answer: float) -> None:
    sizes = _sizes()
    if answer in (sizes["dense"], sizes["dense"] - sizes["bias"]):
        raise Failure(f"{answer:,} is the dense layer alone.")


def _counts_all(answer: float) -> None:
    sizes = _sizes()
    wanted = sizes["dense"] + sizes["scale and shift"]
    if answer != wanted:
        words = "too many" if answer > wanted else "too few"
        if answer == wanted - sizes["bias"]:
            words += ": the biases are missing"
        raise Failure(f"{answer:,} is {words}.")


count = Exercise(
    "transfer.count",
    kind="number",
    lesson="09",
    title="What is trained?",
    rules=[
        Rule(
            "leaves out the base",
            _leaves_base,
            hints=(
                "Your number is in the millions.",
                "What is frozen gets no update.",
                "Count the new layers only.",
            ),
        ),
        Rule(
            "leaves out the running statistics",
            _leaves_statistics,
            hints=(
                "Compare with `trainable_variables` of a batch normalization.",
                "Mean and variance are measured, scale and shift are trained.",
                "Halve the number that you took for the normalization.",
            ),
        ),
        Rule(
            "counts the normalization",
            _counts_norm,
            hints=(
                "One of the new layers is missing in your sum.",
                "The new normalization is not part of the base: it is not frozen.",
                "Add two numbers for each feature.",
            ),
        ),
        Rule(
            "the total",
            _counts_all,
            hints=(
                "Count layer by layer: pooling and dropout have nothing to train.",
                "A dense layer has a weight for each pair of input and output, and a "
                "bias for each output.",
                "Write the sum of three terms: normalization, weights, biases.",
            ),
        ),
    ],
    correct="the scale and shift of the normalization, and the dense layer",
)

# --- transfer.prepare -----------------------------------------------------------------


def _bytes(high: int = 255) -> np.ndarray:
    rng = np.random.default_rng(91)
    images = rng.integers(0, high + 1, (2, 4, 5, 3)).astype("uint8")
    images[0, 0, 0] = (0, high, high // 2)
    return images


def _floats() -> np.ndarray:
    images = np.random.default_rng(92).uniform(0, 1, (2, 4, 5, 3)).astype("float32")
    images[0, 0, 0] = (0.0, 1.0, 0.5)
    return images


def _line(images: np.ndarray, white: float) -> np.ndarray:
    """Interpolate between black at −1 and white at 1."""
    return np.interp(images.astype("float64"), [0, white], [-1, 1]).astype("float32")


def _keeps_shape(answer: Any) -> None:
    for images in (_bytes(), _floats()):
        expect_shape(call(answer, images), images.shape, what="the prepared images")


def _prepares_bytes(answer: Any) -> None:
    images = _bytes()
    expect_close(
        call(answer, images),
        _line(images, 255),
        atol=1e-4,
        what="the values made of bytes",
    )


def _prepares_floats(answer: Any) -> None:
    for kind in ("float32", "float64"):
        images = _floats().astype(kind)
        expect_close(
            call(answer, images),
            _line(images, 1),
            atol=1e-4,
            what=f"the values made of {kind} numbers",
        )


def _asks_type(answer: Any) -> None:
    images = _bytes(high=1)  # nearly black, and bytes all the same
    expect_close(
        call(answer, images),
        _line(images, 255),
        atol=1e-4,
        what="the values made of a nearly black image of bytes",
    )


def _is_float32(answer: Any) -> None:
    for words, images in (("bytes", _bytes()), ("floats", _floats())):
        expect_close(
            call(answer, images),
            _line(images, 255 if words == "bytes" else 1),
            atol=1e-4,
            what=f"the values made of {words}",
            dtype="float32",
        )


prepare = Exercise(
    "transfer.prepare",
    kind="function",
    lesson="09",
    title="Spot the bug: scaled for another network",
    rules=[
        Rule(
            "keeps the shape",
            _keeps_shape,
            hints=(
                "The images come back in another shape.",
                "Scaling works on each value by itself.",
                "Look for an axis that was added or lost.",
            ),
        ),
        Rule(
            "bytes from −1 to 1",
            _prepares_bytes,
            hints=(
                "Look at what becomes of the bytes 0 and 255.",
                "The lowest byte stands for −1, the highest for 1, and 0 lies between.",
                "Check the number you divide by, and the one you subtract.",
            ),
        ),
        Rule(
            "floats from −1 to 1",
            _prepares_floats,
            hints=(
                "Look at what becomes of the floats 0.0 and 1.0.",
                "Floats are on another scale than bytes: white is 1.",
                "Treat the two forms apart before the common step.",
            ),
        ),
        Rule(
            "the type decides, not the values",
            _asks_type,
            hints=(
                "A nearly black image of bytes comes out too bright.",
                "The largest value of one image says nothing about its scale.",
                "Look at the condition: it should ask for the dtype.",
            ),
        ),
        Rule(
            "gives float32",
            _is_float32,
            hints=(
                "Look at the dtype of what comes back.",
                "float64 takes twice the memory, and no network uses it.",
                "Convert once, at the end or at the start.",
            ),
        ),
    ],
    correct="bytes and floats, from −1 to 1, in float32",
)

# --- transfer.freeze and transfer.thaw ------------------------------------------------

_WIDTH, _ROWS = 6, 8


def _setting(nested: bool, frozen: bool) -> dict[str, Any]:
    """Return a model that has been trained, with its base, and what they were.

    The base ends in a batch normalization; where it is nested, that lies in a model of
    its own inside.
    """
    import keras
    from keras import layers

    def norm() -> Any:
        return layers.BatchNormalization(momentum=0.5)

    inner = [layers.Dense(_WIDTH, activation="tanh"), norm()]
    if nested:
        inner = [
            layers.Dense(_WIDTH),
            norm(),
            keras.Sequential([keras.Input((_WIDTH,)), layers.Dense(_WIDTH), norm()]),
        ]
    base = keras.Sequential([keras.Input((_WIDTH,)), *inner], name="base")
    inputs = keras.Input((_WIDTH,))
    outputs = layers.Dense(1, activation="sigmoid", name="head")(base(inputs))
    model = keras.Model(inputs, outputs)
    base.trainable = not frozen
    model.compile(keras.optimizers.SGD(0.5), "mse")
    _take_step(model)
    return {
        "model": model,
        "base": base,
        "optimizer": model.optimizer,
        "before": [_numbers(v) for v in base.variables],
        "head": [_numbers(v) for v in model.get_layer("head").variables],
    }


def _take_step(model: Any) -> None:
    rng = np.random.default_rng(93)
    x = rng.normal(1, 2, (_ROWS, _WIDTH)).astype("float32")
    model.train_on_batch(x, np.arange(_ROWS)[:, None] % 2)


def _numbers(variable: Any) -> np.ndarray:
    import keras

    return np.array(keras.ops.convert_to_numpy(variable.value))


def _norms(layer: Any) -> list[Any]:
    """Return all layers of batch normalization in a model, however deep."""
    from keras import layers

    if isinstance(layer, layers.BatchNormalization):
        return [layer]
    return [norm for inner in getattr(layer, "layers", []) for norm in _norms(inner)]


def _returned(result: Any, setting: dict[str, Any]) -> None:
    if result is not setting["model"]:
        raise Failure(
            f"expected the model that you were given back, got {describe(result)}."
        )


def _has_new_adam(setting: dict[str, Any], rate: float) -> None:
    """Require an Adam made after the change, of this rate, and the right loss."""
    import keras

    model = setting["model"]
    optimizer = model.optimizer
    if optimizer is setting["optimizer"]:
        raise Failure(
            "the model goes on with the optimizer, and with the training step, that "
            "were made before."
        )
    if type(optimizer).__name__ != "Adam":  # PyTorch has a class of its own for it
        raise Failure(f"expected Adam, got {type(optimizer).__name__}.")
    found = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    if not math.isclose(found, rate, rel_tol=1e-4):
        raise Failure(f"expected a learning rate of {rate:g}, got {found:g}.")
    loss = model.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", None)
    name = name or getattr(loss, "__name__", describe(loss))
    if "binarycrossentropy" not in str(name).lower().replace("_", ""):
        raise Failure(f"expected the loss 'binary_crossentropy', got {name!r}.")


def _after_step(setting: dict[str, Any]) -> None:
    """Train one step with what the answer left."""
    try:
        _take_step(setting["model"])
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line), "")
        raise Failure(
            f"training then fails: {type(error).__name__}: {first[:120]}"
        ) from None


def _largest_move(variables: list[Any], before: list[np.ndarray]) -> float:
    pairs = zip(variables, before, strict=True)
    return max(float(np.abs(_numbers(v) - old).max()) for v, old in pairs)


def _frozen_by(answer: Any) -> dict[str, Any]:
    def make() -> dict[str, Any]:
        setting = _setting(nested=False, frozen=False)
        setting["result"] = attempt(answer, setting["model"], setting["base"])
        return setting

    return once("frozen", make)


def _only_head_is_trainable(answer: Any) -> None:
    setting = _frozen_by(answer)
    _returned(setting["result"], setting)
    left = len(setting["base"].trainable_variables)
    if left:
        raise Failure(f"{left} variables of the base are still trainable.")
    if len(setting["model"].trainable_variables) != 2:
        raise Failure("the head, outside the base, is not trainable any more.")


def _freeze_compiles(answer: Any) -> None:
    _has_new_adam(_frozen_by(answer), 1e-3)


def _only_head_moves(answer: Any) -> None:
    setting = _frozen_by(answer)
    _after_step(setting)
    base, model = setting["base"], setting["model"]
    move = _largest_move(base.variables, setting["before"])
    if move:
        raise Failure(
            f"a number of the base is no longer what it was when you got it: it moved "
            f"by {move:.2g}."
        )
    if not _largest_move(model.get_layer("head").variables, setting["head"]):
        raise Failure("a step of training does not move the head.")


freeze = Exercise(
    "transfer.freeze",
    kind="function",
    lesson="09",
    title="Spot the bug: frozen too late",
    rules=[
        Rule(
            "only the head is trainable",
            _only_head_is_trainable,
            hints=(
                "Look at `trainable_variables` of the base, and of the model.",
                "Freezing a model freezes all that is in it, and nothing else.",
                "Look at what you set `trainable` of, and at what you return.",
            ),
        ),
        Rule(
            "compiled anew",
            _freeze_compiles,
            hints=(
                "Look at `model.optimizer` before and after.",
                "A step of training belongs to the compilation that it was made for.",
                "Compare optimizer, rate and loss with the task.",
            ),
        ),
        Rule(
            "only the head moves",
            _only_head_moves,
            hints=(
                "Compare the base before your function with the base after a step.",
                "Nothing may train before the base is frozen, statistics included.",
                "Look for a step of training inside your function.",
            ),
        ),
    ],
    correct="a new compilation, after which a step moves the head and nothing else",
)

_RATE = 3e-4


def _thawed_by(answer: Any) -> dict[str, Any]:
    def make() -> dict[str, Any]:
        setting = _setting(nested=True, frozen=True)
        setting["result"] = attempt(answer, setting["model"], setting["base"], _RATE)
        return setting

    return once("thawed", make)


def _kernels(base: Any) -> list[Any]:
    return [v for v in base.variables if len(v.shape) == 2]


def _base_is_trainable(answer: Any) -> None:
    setting = _thawed_by(answer)
    _returned(setting["result"], setting)
    trained = {id(v) for v in setting["model"].trainable_variables}
    kernels = _kernels(setting["base"])
    frozen = sum(id(v) not in trained for v in kernels)
    if frozen:
        raise Failure(f"{frozen} of the {len(kernels)} kernels are still frozen.")


def _norms_are_frozen(answer: Any) -> None:
    setting = _thawed_by(answer)
    norms = _norms(setting["base"])
    free = sum(bool(norm.trainable) for norm in norms)
    if free:
        raise Failure(
            f"{free} of the {len(norms)} layers of batch normalization are not frozen."
        )


def _thaw_compiles(answer: Any) -> None:
    _has_new_adam(_thawed_by(answer), _RATE)


def _right_ones_move(answer: Any) -> None:
    setting = _thawed_by(answer)
    _after_step(setting)
    base = setting["base"]
    held = {id(v) for norm in _norms(base) for v in norm.variables}
    pairs = list(zip(base.variables, setting["before"], strict=True))
    fixed = [(v, old) for v, old in pairs if id(v) in held]
    move = _largest_move([v for v, _ in fixed], [old for _, old in fixed])
    if move:
        raise Failure(
            "a number of the normalization is no longer what it was when you got it: "
            f"it moved by {move:.2g}."
        )
    for kernel, old in pairs:
        if len(kernel.shape) != 2:
            continue
        move = float(np.abs(_numbers(kernel) - old).max())
        if not 0 < move < 2 * _RATE:  # Adam's first step is the rate itself
            raise Failure(
                f"after one step a kernel of the base lies {move:.2g} from where it "
                f"was when you got it; with Adam at {_RATE:g} it would be {_RATE:g}."
            )


thaw = Exercise(
    "transfer.thaw",
    kind="function",
    lesson="09",
    title="Spot the bug: the thaw that never came",
    rules=[
        Rule(
            "the base is trainable",
            _base_is_trainable,
            hints=(
                "Look at `model.trainable_variables`: are all kernels in it?",
                "What you set on the base itself decides. On TensorFlow, a model that "
                "says True already passes nothing on when it is told True again.",
                "Look at what you set `trainable` of, and at what you return.",
            ),
        ),
        Rule(
            "normalization is frozen",
            _norms_are_frozen,
            hints=(
                "Look for batch normalization at every depth of the base.",
                "A model passes `trainable` on to all that is in it; whoever comes "
                "last wins.",
                "Look at the order of your lines, and at models inside the base.",
            ),
        ),
        Rule(
            "compiled anew",
            _thaw_compiles,
            hints=(
                "Look at `model.optimizer` before and after.",
                "An optimizer knows the weights that it was made for, and no others.",
                "Compare optimizer, rate and loss with the task.",
            ),
        ),
        Rule(
            "the right weights move",
            _right_ones_move,
            hints=(
                "Compare all weights before your function and after a step.",
                "Your function trains nothing and changes no weight itself.",
                "Look for a step of training, or for new weights, in your function.",
            ),
        ),
    ],
    correct="a new compilation; kernels move at the rate given, normalization stays",
)

# --- transfer.mcnemar -----------------------------------------------------------------


def _pair(both: int, first: int, second: int, neither: int) -> list[np.ndarray]:
    """Return two boolean arrays with these numbers of images, mixed."""
    counts = (both, first, second, neither)
    a = np.repeat([True, True, False, False], counts)
    b = np.repeat([True, False, True, False], counts)
    order = np.random.default_rng(94).permutation(len(a))
    return [a[order], b[order]]


def _p_value(first: int, second: int) -> float:
    """Twice the smaller tail of a fair coin, from binomial coefficients."""
    throws, fewer = first + second, min(first, second)
    tail = sum(math.comb(throws, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / 2**throws)


def _p_of(answer: Any, both: int, first: int, second: int, neither: int) -> float:
    value = call(answer, *_pair(both, first, second, neither))
    array = np.asarray(value) if np.isscalar(value) or hasattr(value, "shape") else None
    if array is None or array.shape != () or array.dtype.kind not in "fiu":
        raise Failure(f"expected one number, got {describe(value)}.")
    found = float(array)
    if not 0 <= found <= 1 + 1e-9:
        raise Failure(f"expected a number from 0 to 1, got {found:g}.")
    return found


def _is_p_value(answer: Any) -> None:
    _p_of(answer, 40, 3, 5, 7)


def _expect(answer: Any, *counts: int) -> None:
    found, wanted = _p_of(answer, *counts), _p_value(*counts[1:3])
    if not math.isclose(found, wanted, rel_tol=1e-4, abs_tol=1e-9):
        raise Failure(
            f"{counts[1]} images right by the first alone, {counts[2]} by the second "
            f"alone, {counts[0]} by both, {counts[3]} by none: expected "
            f"p = {wanted:.4g}, got {found:.4g}."
        )


def _ignores_shared(answer: Any) -> None:
    values = [_p_of(answer, both, 2, 9, 10) for both in (5, 50, 400)]
    if not np.allclose(values, values[0], rtol=1e-4):
        raise Failure(
            "2 images by the first alone and 9 by the second alone, with 5, 50 and 400 "
            "right by both: p = " + ", ".join(f"{p:.3g}" for p in values) + ". Images "
            "that both get right say nothing about which is better."
        )


def _two_sided(answer: Any) -> None:
    for first, second in ((2, 9), (9, 2)):
        _expect(answer, 30, first, second, 4)


def _exact(answer: Any) -> None:
    for first, second in ((3, 0), (1, 4), (17, 20), (60, 35)):
        _expect(answer, 30, first, second, 4)


def _even(answer: Any) -> None:
    for first in (1, 6):
        _expect(answer, 30, first, first, 4)


def _none_apart(answer: Any) -> None:
    _expect(answer, 20, 0, 0, 3)


mcnemar = Exercise(
    "transfer.mcnemar",
    kind="function",
    lesson="09",
    title="McNemar's test",
    rules=[
        Rule(
            "gives a probability",
            _is_p_value,
            hints=(
                "Look at what your function returns for any two arrays.",
                "A p-value is one number from 0 to 1.",
                "`stats.binomtest` returns an object; the number is a part of it.",
            ),
        ),
        Rule(
            "counts only images that tell them apart",
            _ignores_shared,
            hints=(
                "The answer changes with images that both get right.",
                "Only images that exactly one of the two gets right are throws of the "
                "coin.",
                "Look at how many throws you count.",
            ),
        ),
        Rule(
            "two-sided",
            _two_sided,
            hints=(
                "Exchange the two classifiers: the answer should stay as it is.",
                "Surprising is a large difference to either side.",
                "Look at the alternative of the test, or at a tail that is missing.",
            ),
        ),
        Rule(
            "exact",
            _exact,
            hints=(
                "For few images your value is off.",
                "The exact test adds probabilities of the coin; the one with χ² is an "
                "approximation.",
                "Look at which distribution you ask.",
            ),
        ),
        Rule(
            "even counts",
            _even,
            hints=(
                "As many images for the one as for the other: how surprising is that?",
                "No outcome is less surprising than an even one: p is 1.",
                "Look at what doubling the tail does to the middle.",
            ),
        ),
        Rule(
            "nothing tells them apart",
            _none_apart,
            hints=(
                "Try two equal arrays.",
                "With no throws there is nothing surprising, and p is 1.",
                "Add a line for the case that both counts are zero.",
            ),
        ),
    ],
    correct="the exact p-value, two-sided, of the images that tell the two apart",
)
