"""Checks of lesson 02, *Vanishing gradients*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course_utils.compare import (
    INFERENCE,
    PARAMETERS,
    SHAPE,
    STEP,
    VARIABLES,
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


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / (1 + np.exp(z))


def _complex_step(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Differentiate by an imaginary step: no chain rule and no rounding."""
    x = x.astype("float64")
    slopes = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = x.astype("complex128")
        moved[place] += 1e-30j
        slopes[place] = np.imag(function(moved)) / 1e-30
    return slopes


def _draw(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


# --- gradients.dense_backward ---------------------------------------------------------


def _layer(seed: int, batch: int, features: int, units: int) -> list[np.ndarray]:
    """Return delta, inputs and kernel of a layer."""
    return [
        _draw(seed, batch, units),
        2 * _draw(seed + 1, batch, features),
        _draw(seed + 2, features, units),
    ]


def _pair(answer: Any, layer: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    result = call(answer, *layer)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Failure(
            "expected two gradients, (in the inputs, in the kernel), got "
            f"{describe(result)}."
        )
    in_inputs = as_array(result[0], "the gradient in the inputs")
    return in_inputs, as_array(result[1], "the gradient in the kernel")


def _true_pair(layer: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    delta, inputs, kernel = layer
    return (
        _complex_step(lambda x: np.sum(delta * _sigmoid(x @ kernel)), inputs),
        _complex_step(lambda w: np.sum(delta * _sigmoid(inputs @ w)), kernel),
    )


def _returns_pair(answer: Any) -> None:
    in_inputs, in_kernel = _pair(answer, _layer(0, 3, 4, 4))
    expect_shape(in_inputs, (3, 4), what="the gradient in the inputs")
    expect_shape(in_kernel, (4, 4), what="the gradient in the kernel")


def _uses_slope(answer: Any) -> None:
    delta, inputs, _ = _layer(1, 3, 4, 4)
    layer = [delta, inputs, np.eye(4, dtype="float32")]
    expect_close(
        _pair(answer, layer)[0],
        _true_pair(layer)[0],
        what="the gradient in the inputs, where the kernel is the identity",
    )


def _uses_kernel(answer: Any) -> None:
    layer = _layer(2, 3, 4, 4)
    expect_close(
        _pair(answer, layer)[0],
        _true_pair(layer)[0],
        what="the gradient in the inputs of a layer of 4 units",
    )


def _kernel_gradient(answer: Any) -> None:
    layer = _layer(3, 1, 3, 5)
    expect_close(
        _pair(answer, layer)[1],
        _true_pair(layer)[1],
        what="the gradient in the kernel, for a batch of one",
    )


def _sums_batch(answer: Any) -> None:
    layer = _layer(4, 6, 3, 5)
    expect_close(
        _pair(answer, layer)[1],
        _true_pair(layer)[1],
        what="the gradient in the kernel, for a batch of six",
    )


dense_backward = Exercise(
    "gradients.dense_backward",
    kind="function",
    lesson="02",
    title="One step back through a dense layer",
    rules=[
        Rule(
            "returns a pair of gradients",
            _returns_pair,
            hints=(
                "Two arrays come back: one shaped as the inputs, one as the kernel.",
                "A gradient always has the shape of what it is taken in.",
                "Look at the `return` line: what stands there, and in which order?",
            ),
        ),
        Rule(
            "uses the slope at z",
            _uses_slope,
            hints=(
                "With the identity as kernel, the weights play no part. What is left?",
                "The slope of the sigmoid is s(z) · (1 − s(z)), taken at z, what goes "
                "in, not at what comes out.",
                "Look at the line that makes the slope: is its argument "
                "`inputs @ kernel`?",
            ),
        ),
        Rule(
            "sends what is left through the kernel",
            _uses_kernel,
            hints=(
                "With the identity as kernel your gradient was right; with another "
                "one it is not.",
                "First the slope, then the weights, and the weights transposed: going "
                "back, a unit hands its share to each of its inputs.",
                "Look at the matrix product: its order, its transpose, and whether "
                "the slope is applied before it.",
            ),
        ),
        Rule(
            "the kernel's gradient",
            _kernel_gradient,
            hints=(
                "The first array is right, the second is not, even for one image.",
                "A weight's gradient is what came in at one end times what comes back "
                "at the other.",
                "Look at the two factors of the second product: inputs on one side, "
                "delta times slope on the other.",
            ),
        ),
        Rule(
            "sums over the batch",
            _sums_batch,
            hints=(
                "For one image the kernel's gradient is right, for six it is not.",
                "All images share the kernel, so each adds its own gradient. Where a "
                "mean is wanted, the loss has divided already, inside delta.",
                "Look for a mean or a division by the size of the batch.",
            ),
        ),
    ],
    correct="both gradients, for square and other kernels, for one image and for six",
)

# --- gradients.missing_weights --------------------------------------------------------

_BATCH, _WIDTH, _DEPTH = 3, 4, 3


def _sigmoid_stack(seed: int, depth: int) -> tuple[Any, Any, Any, Any]:
    """Return x, delta, the pre-activations and the kernels of a stack."""
    x = _draw(seed, _BATCH, _WIDTH)
    delta = _draw(seed + 1, _BATCH, _WIDTH)
    kernels = [_draw(seed + 2 + layer, _WIDTH, _WIDTH) for layer in range(depth)]
    h, pre_activations = x, []
    for kernel in kernels:
        pre_activations.append(h @ kernel)
        h = _sigmoid(pre_activations[-1])
    return x, delta, pre_activations, kernels


def _run_stack(x: Any, kernels: Sequence[np.ndarray]) -> Any:
    for kernel in kernels:
        x = _sigmoid(x @ kernel)
    return x


def _input_shape(answer: Any) -> None:
    _, delta, pre_activations, kernels = _sigmoid_stack(10, _DEPTH)
    result = call(answer, delta, pre_activations, kernels)
    expect_shape(result, (_BATCH, _WIDTH), what="the gradient at the input")


def _weights_count(answer: Any) -> None:
    _, delta, pre_activations, _ = _sigmoid_stack(20, _DEPTH)
    eye = np.eye(_WIDTH, dtype="float32")
    small, large = (
        as_array(call(answer, delta, pre_activations, [scale * eye] * _DEPTH))
        for scale in (1, 3)
    )
    expect_close(
        large,
        3**_DEPTH * small.astype("float64"),
        what=f"the gradient of {_DEPTH} layers, after all weights were made three "
        "times larger (pre-activations as before)",
    )


def _slope_counts(answer: Any) -> None:
    _, delta, pre_activations, _ = _sigmoid_stack(30, 2)
    result = call(answer, delta, pre_activations, [np.eye(_WIDTH, dtype="float32")] * 2)
    first, second = (
        _complex_step(lambda z: np.sum(_sigmoid(z)), z) for z in pre_activations
    )
    expect_close(
        result,
        first * second * delta,
        what="the gradient at the input, where both kernels are the identity",
    )


def _transposed(answer: Any) -> None:
    x, delta, pre_activations, kernels = _sigmoid_stack(40, 1)
    expect_close(
        call(answer, delta, pre_activations, kernels),
        _complex_step(lambda v: np.sum(delta * _run_stack(v, kernels)), x),
        what="the gradient at the input of one layer",
    )


def _last_to_first(answer: Any) -> None:
    x, delta, pre_activations, kernels = _sigmoid_stack(50, _DEPTH)
    expect_close(
        call(answer, delta, pre_activations, kernels),
        _complex_step(lambda v: np.sum(delta * _run_stack(v, kernels)), x),
        what=f"the gradient at the input of {_DEPTH} layers",
    )


missing_weights = Exercise(
    "gradients.missing_weights",
    kind="function",
    lesson="02",
    title="Spot the bug: a forecast blind to the weights",
    rules=[
        Rule(
            "one gradient, shaped as the input",
            _input_shape,
            hints=(
                "One array of the input's shape is expected.",
                "What comes back is the gradient at the input alone: not its norm, "
                "and not the gradients of all layers.",
                "Look at the `return` line.",
            ),
        ),
        Rule(
            "the weights count",
            _weights_count,
            hints=(
                "Your result does not follow the size of the weights.",
                "Each layer multiplies the gradient by its weights, so three layers "
                "with weights three times larger make it 27 times larger.",
                "Look inside the loop: is each kernel used, once a layer?",
            ),
        ),
        Rule(
            "the slope counts",
            _slope_counts,
            hints=(
                "With identity kernels only the slopes are left, and they are off.",
                "Adding the missing factor must not cost the other one.",
                "Look inside the loop: does the slope of that layer's z still multiply "
                "the gradient?",
            ),
        ),
        Rule(
            "slope first, then the transposed kernel",
            _transposed,
            hints=(
                "For a single layer with a kernel that is not symmetric, the result "
                "is off.",
                "Forward, the kernel leads from features to units; back, from units "
                "to features. And the slope belongs to the units.",
                "Look at the matrix product: transposed, and after the slope?",
            ),
        ),
        Rule(
            "from the last layer to the first",
            _last_to_first,
            hints=(
                "One layer works, three do not.",
                "The gradient starts at the loss: the last layer is the first to "
                "multiply it.",
                "Look at the order in which the loop meets the layers.",
            ),
        ),
    ],
    correct="weights, slopes, their order and the order of the layers",
)

# --- gradients.missing_derivative -----------------------------------------------------

_MOST = 100_000  # numbers in one array of a learner's test case


def _float_matrix(value: Any, what: str) -> np.ndarray:
    array = as_array(value, what)
    if array.ndim != 2 or 0 in array.shape:
        raise Failure(f"{what}: expected two axes, got shape {array.shape}.")
    if array.dtype.kind != "f" or array.dtype.itemsize < 4:
        raise Failure(f"{what}: expected a float type, got {array.dtype}.")
    if array.size > _MOST:
        raise Failure(f"{what}: {array.size} numbers; a small case shows as much.")
    if not np.isfinite(array).all():
        raise Failure(f"{what}: not all of its numbers are finite.")
    return array.astype("float64")


def _read_case(answer: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    result = call(answer)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Failure(f"expected the pair (x, kernels), got {describe(result)}.")
    x = _float_matrix(result[0], "x")
    stack = result[1]
    if not isinstance(stack, (tuple, list, np.ndarray)) or not 1 <= len(stack) <= 100:
        raise Failure(
            f"kernels: expected a list of 1 to 100 arrays, got {describe(stack)}."
        )
    kernels = [_float_matrix(k, f"kernels[{i}]") for i, k in enumerate(stack)]
    width = x.shape[1]
    for i, kernel in enumerate(kernels):
        if kernel.shape[0] != width:
            raise Failure(
                f"kernels[{i}] has shape {kernel.shape}, but what reaches it has "
                f"{width} features."
            )
        width = kernel.shape[1]
    return x, kernels


def _judge_case(answer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the true gradient of the sum of all outputs, and the buggy one."""
    x, kernels = once("case", lambda: _read_case(answer))
    ways = np.broadcast_to(np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))
    blind, h = ways, x
    for kernel in kernels:
        # Forward mode: carry each input's influence along with the values.
        z = h @ kernel
        ways = (ways @ kernel) * (z > 0)[:, None, :]
        blind = blind @ kernel
        h = np.maximum(z, 0)
    return ways.sum(-1), blind.sum(-1)


def _is_case(answer: Any) -> None:
    once("case", lambda: _read_case(answer))


def _case_fails(answer: Any) -> None:
    true, buggy = _judge_case(answer)
    largest = max(float(np.abs(true).max()), float(np.abs(buggy).max()))
    gap = float(np.abs(true - buggy).max())
    if gap <= 0.01 * largest:
        raise Failure(
            "on your case the buggy function is right: its largest error is "
            f"{gap:.2g}, among gradients up to {largest:.2g}."
        )


def _case_is_alive(answer: Any) -> None:
    true, _ = _judge_case(answer)
    if not np.abs(true).max() > 0:
        raise Failure(
            "on your case the true gradient is zero everywhere: no unit of some layer "
            "is on for any image."
        )


missing_derivative = Exercise(
    "gradients.missing_derivative",
    kind="function",
    lesson="02",
    title="Spot the bug: a test that cannot fail",
    rules=[
        Rule(
            "a batch and kernels that fit",
            _is_case,
            hints=(
                "The check could not run a stack on what came back.",
                "x has shape (batch, features); a kernel has as many rows as what "
                "reaches it has columns. All are floats.",
                "Look at the `return` line and at the shapes of the arrays.",
            ),
        ),
        Rule(
            "the buggy function fails on it",
            _case_fails,
            hints=(
                "The buggy function passes your test too.",
                "What it leaves out is the slope of the ReLU. Where is that slope not "
                "1?",
                "Look at the signs: some pre-activations must be below zero.",
            ),
        ),
        Rule(
            "some gradient gets through",
            _case_is_alive,
            hints=(
                "On your case the right answer is zero for each input.",
                "A test on a dead stack shows little: a function that returns zeros "
                "would pass it.",
                "Look at the signs again: some pre-activations must be above zero, in "
                "each layer.",
            ),
        ),
    ],
    correct="the case runs, tells the two functions apart, and its gradient is alive",
)

# --- gradients.which_stack ------------------------------------------------------------

_STACKS = ("sigmoid-glorot", "relu-glorot", "relu-he", "relu-uniform")


def _is_stack(answer: str) -> None:
    if answer not in _STACKS:
        raise Failure(f"{answer!r} is none of the four: {', '.join(_STACKS)}.")


def _signal_shrinks(answer: str) -> None:
    if answer in ("sigmoid-glorot", "relu-he"):
        raise Failure(
            f"in {answer!r} the standard deviation of the activations would stay; "
            "here it falls."
        )


def _right_pace(answer: str) -> None:
    if answer != "relu-glorot":
        raise Failure(f"{answer!r} would fall much faster than this.")


which_stack = Exercise(
    "gradients.which_stack",
    kind="choice",
    lesson="02",
    title="Which stack is it?",
    rules=[
        Rule(
            "one of the four",
            _is_stack,
            hints=(
                "The answer is one of four words, with its hyphen.",
                "The activation comes first, then the initialization.",
                "Look at the list in the task.",
            ),
        ),
        Rule(
            "the activations fit",
            _signal_shrinks,
            hints=(
                "Compare the first row with the first figure above.",
                "Two of the four stacks keep the size of their activations.",
                "Look at the standard deviation in layers 1, 15 and 30.",
            ),
        ),
        Rule(
            "the pace fits",
            _right_pace,
            hints=(
                "The direction is right; the pace is not.",
                "Divide the last standard deviation by the first, and take the 29th "
                "root: that is the factor of one layer.",
                "Compare the factor with the slope of the lines in the first figure.",
            ),
        ),
    ],
    correct="the stack whose activations fall at this pace",
)

# --- gradients.fan_in -----------------------------------------------------------------

_LIMIT = 0.05


def _second_moment_of_uniform() -> float:
    """Average x² over a fine grid of the interval, in place of the formula."""
    edges = np.linspace(-_LIMIT, _LIMIT, 20_001)
    return float(np.mean(((edges[1:] + edges[:-1]) / 2) ** 2))


def _is_width(answer: float) -> None:
    # The formula itself is off a whole number by a rounding error.
    if answer < 0.5 or abs(answer - round(answer)) > 1e-6:
        raise Failure(f"{answer} is no number of inputs: expected a whole number.")


def _variance_of_uniform(answer: float) -> None:
    if round(answer) in (400, 800, 4800, 9600):
        raise Failure(
            f"{answer:.0f} does not follow from the variance of numbers drawn evenly "
            f"from −{_LIMIT} to {_LIMIT}."
        )


def _counts_relu(answer: float) -> None:
    if abs(answer * _second_moment_of_uniform() - 1) < 0.01:
        raise Failure(
            f"with {answer:.0f} inputs the variance of z is the mean square of its "
            "inputs; the ReLU then still takes its share."
        )


def _keeps_signal(answer: float) -> None:
    factor = answer * _second_moment_of_uniform() / 2
    # One input more or less is the rounding of 6 / 0.05², which is 2399.99… to Python.
    if abs(factor - 1) > 5e-4:
        raise Failure(
            f"with {answer:.0f} inputs, each layer multiplies the mean square by "
            f"{factor:.4g}."
        )


fan_in = Exercise(
    "gradients.fan_in",
    kind="number",
    lesson="02",
    title="The width that ±0.05 fits",
    rules=[
        Rule(
            "a number of inputs",
            _is_width,
            hints=(
                "The answer is a whole number of at least 1.",
                "The fan-in counts the inputs of a unit.",
                "Look at what you solved the equation for.",
            ),
        ),
        Rule(
            "the variance of the uniform",
            _variance_of_uniform,
            hints=(
                "The variance of the weights that you used is not theirs.",
                "0.05 is neither their standard deviation nor the length of the "
                "interval: the interval reaches from −a to a.",
                "The mean of x² over [−a, a] is a²/3.",
            ),
        ),
        Rule(
            "counts the ReLU",
            _counts_relu,
            hints=(
                "Your width would fit a stack without activation.",
                "The ReLU sets half of a symmetric z to zero, and with it half of the "
                "mean square.",
                "Look at the condition above: the factor in front of the variance.",
            ),
        ),
        Rule(
            "keeps the signal",
            _keeps_signal,
            hints=(
                "Put your width into the condition above: the factor is not 1.",
                "The factor of a layer is half the fan-in times the variance.",
                "Solve n · a²/3 / 2 = 1 for n.",
            ),
        ),
    ],
    correct="with this fan-in each layer keeps the mean square",
)

# --- gradients.deep_stack -------------------------------------------------------------

_IMAGE = (28, 28, 1)
_STACK = (3, 48)  # depth and units; one size, so that JAX compiles once


def _stack_oracle() -> Any:
    import keras
    from keras import layers, ops

    depth, units = _STACK

    class Reference(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = [layers.Dense(units) for _ in range(depth)]
            self.scores = layers.Dense(10)

        def call(self, x: Any) -> Any:
            x = ops.reshape(x, (-1, int(np.prod(_IMAGE))))
            for layer in self.hidden:
                x = ops.maximum(layer(x), 0.0)
            scores = ops.exp(self.scores(x))
            return scores / ops.sum(scores, axis=-1, keepdims=True)

    return Reference()


def _hidden_kernels(answer: Any) -> list[np.ndarray]:
    def read() -> list[np.ndarray]:
        import keras

        model = call(answer, *_STACK)
        if not isinstance(model, keras.Model):
            raise Failure(f"expected a keras.Model, got {describe(model)}.")
        call(model, np.zeros((1, *_IMAGE), "float32"))  # builds a subclassed model
        weights = [keras.ops.convert_to_numpy(w) for w in model.trainable_variables]
        return [w for w in weights if w.ndim == 2 and w.shape[1] == _STACK[1]]

    return once("hidden kernels", read)


def _he_variance(answer: Any) -> None:
    kernels = _hidden_kernels(answer)
    if len(kernels) != _STACK[0]:
        raise Failure(
            f"in the model of `build_stack{_STACK}`: expected {_STACK[0]} trainable "
            f"kernels with {_STACK[1]} columns, one for each hidden layer, got "
            f"{len(kernels)}."
        )
    for number, kernel in enumerate(kernels, 1):
        variance = float(np.mean(kernel.astype("float64") ** 2))
        wanted = 2 / kernel.shape[0]
        if not 0.8 < variance / wanted < 1.2:
            raise Failure(
                f"the kernel of hidden layer {number}, with a fan-in of "
                f"{kernel.shape[0]}: expected a variance of about {wanted:.2g} at the "
                f"start, got {variance:.2g}."
            )


def _kernels_differ(answer: Any) -> None:
    kernels = _hidden_kernels(answer)
    for i, kernel in enumerate(kernels):
        for j in range(i):
            if kernel.shape == kernels[j].shape and np.allclose(kernel, kernels[j]):
                raise Failure(
                    f"the kernels of hidden layers {j + 1} and {i + 1}: expected "
                    "numbers drawn for each, got the same in both (the first is "
                    f"{kernel.flat[0]:.4g})."
                )


deep_stack = Exercise(
    "gradients.deep_stack",
    kind="model",
    lesson="02",
    title="A stack that keeps its signal",
    rules=[
        *model_rules(
            _stack_oracle,
            _IMAGE,
            build=lambda answer: call(answer, *_STACK),
            without=(VARIABLES, STEP),
            seeds=(0, 1),
            hints={
                SHAPE: (
                    "Ten probabilities for each image are expected.",
                    "A dense layer works along the last axis only: it leaves height "
                    "and width alone.",
                    "Look at what stands between the input and the first dense layer.",
                ),
                PARAMETERS: (
                    f"Compare `build_stack{_STACK}.count_params()` with the number in "
                    "the message.",
                    "Each of the `depth` layers has weights of its own and reads the "
                    "one before; then come the ten outputs.",
                    "Look at the loop: how often does it run, does it make a new layer "
                    "each time, and what does the layer read?",
                ),
                INFERENCE: (
                    "The layers are there, but with the same weights your model "
                    "computes something else.",
                    "Hidden layers end in a ReLU, the last layer in a softmax.",
                    "Look at the `activation` of each layer.",
                ),
            },
        ),
        Rule(
            "starts with He's variance",
            _he_variance,
            hints=(
                "Your model computes the right thing, from the wrong starting weights.",
                "Keras starts dense layers with Glorot's variance unless it is told "
                "otherwise.",
                "Look at the `kernel_initializer` of each hidden layer.",
            ),
        ),
        Rule(
            "each layer starts with its own numbers",
            _kernels_differ,
            hints=(
                "Compare the kernels of two hidden layers of your model.",
                "An initializer object has one seed: asked twice, it gives the same "
                "numbers. A name makes a new object for each layer.",
                "Look at where the initializer is made: once, or for each layer?",
            ),
        ),
    ],
    correct="shape, parameters, outputs, and the weights that it starts with",
)

# --- gradients.clip -------------------------------------------------------------------


def _clipped(answer: Any, arrays: list[np.ndarray], limit: float) -> list[np.ndarray]:
    result = call(answer, arrays, limit)
    if not isinstance(result, (tuple, list)) or len(result) != len(arrays):
        raise Failure(
            f"expected a list of {len(arrays)} arrays, got {describe(result)}."
        )
    return [as_array(array, f"gradient {i}") for i, array in enumerate(result)]


def _norm(arrays: list[np.ndarray]) -> float:
    return float(np.linalg.norm(np.concatenate([a.ravel() for a in arrays])))


def _clip_shapes(answer: Any) -> None:
    arrays = [_draw(60, 2, 3), _draw(61, 5)]
    for i, array in enumerate(_clipped(answer, arrays, 1.0)):
        expect_shape(array, arrays[i].shape, what=f"gradient {i}")


def _leaves_small(answer: Any) -> None:
    arrays = [0.1 * _draw(62, 2, 3), 0.1 * _draw(63, 4)]
    for i, array in enumerate(_clipped(answer, arrays, 5.0)):
        expect_close(
            array,
            arrays[i],
            what=f"gradient {i}, where the norm is {_norm(arrays):.2g} and the limit 5",
        )


def _keeps_direction(answer: Any) -> None:
    array = np.array([3.0, -0.5, 0.25, 6.0], "float32")
    (result,) = _clipped(answer, [array], 1.0)
    size = _norm([result])
    if not size > 0:
        raise Failure("nothing is left of the gradient: its norm is 0.")
    expect_close(
        result / size,
        array / _norm([array]),
        what="the direction of the clipped gradient (divided by its norm)",
    )


def _norm_is_limit(answer: Any) -> None:
    for limit in (0.5, 2.0):
        array = 3 * _draw(64, 4, 5)
        result = _clipped(answer, [array], limit)
        expect_close(
            _norm(result), limit, what=f"the norm of one array, with the limit {limit}"
        )


def _one_norm(answer: Any) -> None:
    arrays = [4 * _draw(65, 3, 2), 0.2 * _draw(66, 5), _draw(67, 2, 2)]
    norm = _norm(arrays)
    for i, array in enumerate(_clipped(answer, arrays, 1.5)):
        expect_close(
            array,
            arrays[i] * (1.5 / norm),
            what=f"gradient {i} of 3, with norm {norm:.3g} together and the limit 1.5",
        )


clip = Exercise(
    "gradients.clip",
    kind="function",
    lesson="02",
    title="Clip by the global norm",
    rules=[
        Rule(
            "keeps the list and the shapes",
            _clip_shapes,
            hints=(
                "As many arrays come back as went in, each of its old shape.",
                "Clipping changes the size of a gradient, not its form.",
                "Look at the `return` line.",
            ),
        ),
        Rule(
            "leaves small gradients alone",
            _leaves_small,
            hints=(
                "A gradient below the limit comes back changed.",
                "A limit is not a target: what is below it stays.",
                "Look for the case where the factor would be larger than 1.",
            ),
        ),
        Rule(
            "keeps the direction",
            _keeps_direction,
            hints=(
                "The clipped gradient points elsewhere than the one that went in.",
                "All numbers are multiplied by the same factor; cutting them one by "
                "one turns the gradient.",
                "Look for `clip`, `minimum` or `maximum` on single values.",
            ),
        ),
        Rule(
            "brings the norm to the limit",
            _norm_is_limit,
            hints=(
                "After clipping, the norm of a large gradient is not the limit.",
                "The norm is the square root of the sum of squares.",
                "Look at the factor: the limit divided by what?",
            ),
        ),
        Rule(
            "one norm for all arrays",
            _one_norm,
            hints=(
                "One array alone is right; three together are not.",
                "All weights make one vector: its norm takes the squares of all "
                "arrays, and one factor serves all of them.",
                "Look at where the norm is computed: for each array, or once?",
            ),
        ),
    ],
    correct="small gradients, direction, norm, and one factor for all arrays",
)
