"""Checks of lesson 12, *What a filter looks for*."""

from __future__ import annotations

from typing import Any

import numpy as np

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


def _draw(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


# --- filters.count --------------------------------------------------------------------

_READ, _WRITTEN = 256, 728


def _parameters(kind: str, **options: Any) -> int:
    """Let Keras count the parameters of one convolution."""
    from keras import layers

    options = {"kernel_size": 3, "use_bias": False} | options
    layer = getattr(layers, kind)(**options)
    layer.build((None, 20, 20, _READ))
    return layer.count_params()


def _pointwise() -> int:
    return _parameters("Conv2D", filters=_WRITTEN, kernel_size=1)


def _is_separable(answer: float) -> None:
    ordinary = {
        _parameters("Conv2D", filters=_WRITTEN, use_bias=bias) for bias in (True, False)
    }
    if answer in ordinary:
        raise Failure(f"{answer:,} is an ordinary 3×3 convolution.")


def _has_both_parts(answer: float) -> None:
    parts: dict[float, str] = {
        _parameters("DepthwiseConv2D"): "the 3×3 kernels, one a channel,",
        _pointwise(): "the 1×1 convolution",
    }
    if answer in parts:
        raise Failure(f"{answer:,} is {parts[answer]} alone.")


def _has_no_bias(answer: float) -> None:
    right = _parameters("SeparableConv2D", filters=_WRITTEN)
    if answer in (right + _WRITTEN, right + _READ + _WRITTEN, right + _READ):
        raise Failure(f"{answer:,} counts biases. These layers have none.")


def _count_total(answer: float) -> None:
    right = _parameters("SeparableConv2D", filters=_WRITTEN)
    if answer != right:
        words = "too many" if answer > right else "too few"
        raise Failure(f"{answer:,} is {words}.")


count = Exercise(
    "filters.count",
    kind="number",
    lesson="12",
    title="One convolution further",
    rules=[
        Rule(
            "is separable",
            _is_separable,
            hints=(
                "Your number is more than eight times too large.",
                "A separable convolution never multiplies all three: kernel size, "
                "channels and filters.",
                "Write two products and add them.",
            ),
        ),
        Rule(
            "has two parts",
            _has_both_parts,
            hints=(
                "Compare with the third layer of the table: 64 channels, 128 filters.",
                "A separable convolution is a depthwise one and a pointwise one.",
                "One term holds the 3×3 kernels, the other the 1×1 convolution.",
            ),
        ),
        Rule(
            "has no biases",
            _has_no_bias,
            hints=(
                "The first number of the table has no bias in it, either.",
                "Batch normalization follows each convolution, and brings its own "
                "shift.",
                "Leave out the term that is added for each filter.",
            ),
        ),
        Rule(
            "the total",
            _count_total,
            hints=(
                "Try your way of counting on the third layer of the table.",
                "The 3×3 kernels go by the channels that are read.",
                "Look at which of the two numbers, 256 and 728, stands in which term.",
            ),
        ),
    ],
    correct="a 3×3 kernel for each channel, a 1×1 convolution, and no bias",
)

# --- filters.loss ---------------------------------------------------------------------


def _excitement(answer: Any, maps: np.ndarray, filters: Any, border: int) -> np.ndarray:
    from keras import ops

    given = ops.convert_to_tensor(maps)
    return as_array(call(answer, given, np.array(filters), border))


def _expect_excitement(
    answer: Any, maps: np.ndarray, filters: list[int], border: int, what: str
) -> None:
    """Compare with a loop over places, in plain Python."""
    _, height, width, _ = maps.shape
    expected = []
    for image, k in zip(maps, filters, strict=True):
        inside = [
            float(image[y, x, k])
            for y in range(border, height - border)
            for x in range(border, width - border)
        ]
        expected.append(sum(inside) / len(inside))
    result = _excitement(answer, maps, filters, border)
    expect_close(result, np.array(expected, "float32"), what=what)


def _one_number_an_image(answer: Any) -> None:
    result = _excitement(answer, _draw(0, 3, 5, 7, 4), [2, 0, 3], 1)
    expect_shape(result, (3,))


def _same_everywhere(seed: int, side: int) -> np.ndarray:
    return np.tile(_draw(seed, 3, 1, 1, 4), (1, side, side, 1))


def _own_filter(answer: Any) -> None:
    _expect_excitement(
        answer, _same_everywhere(1, 3), [2, 0, 3], 1, "maps with one place inside"
    )


def _is_a_mean(answer: Any) -> None:
    _expect_excitement(
        answer, _same_everywhere(2, 6), [1, 1, 2], 1, "maps with 16 places inside"
    )


def _without_border(answer: Any) -> None:
    _expect_excitement(
        answer, _draw(3, 2, 7, 9, 3), [0, 2], 2, "maps of 7×9 without a border of 2"
    )


def _border_of_none(answer: Any) -> None:
    _expect_excitement(
        answer, _draw(4, 2, 4, 5, 3), [1, 0], 0, "maps of 4×5 with a border of 0"
    )


def _gradient_flows(answer: Any) -> None:
    from keras import ops

    from course_utils.gradients import value_and_gradient

    def total(maps: Any) -> Any:
        return ops.sum(ops.convert_to_tensor(answer(maps, np.array([2, 0]), 1)))

    try:
        _, slopes = value_and_gradient(total, _draw(5, 2, 5, 6, 3), compile=False)
    except Exception as error:  # each backend says it in another way
        raise Failure(
            "no gradient of your result in the maps can be computed: "
            f"{type(error).__name__} in your code."
        ) from None
    expected = np.zeros((2, 5, 6, 3), "float32")
    for image, k in enumerate((2, 0)):
        expected[image, 1:4, 1:5, k] = 1 / 12
    expect_close(slopes, expected, what="the gradient of your result in the maps")


loss = Exercise(
    "filters.loss",
    kind="function",
    lesson="12",
    title="The loss without the border",
    rules=[
        Rule(
            "one number an image",
            _one_number_an_image,
            hints=(
                "For three images three numbers come out.",
                "The mean is over places, never over images.",
                "Look at the axes of the mean, and at how many filters are left.",
            ),
        ),
        Rule(
            "each image has its own filter",
            _own_filter,
            hints=(
                "With a single place inside, there is nothing to average. The value "
                "is another one.",
                "Image 0 belongs to the first number in `filters`, image 1 to the "
                "second.",
                "Look at the index of the last axis: it differs from image to image.",
            ),
        ),
        Rule(
            "is a mean",
            _is_a_mean,
            hints=(
                "All places hold the same number, and another one comes out.",
                "A larger map must not count more: mean, not sum.",
                "Look at the function that joins the places.",
            ),
        ),
        Rule(
            "leaves out the border",
            _without_border,
            hints=(
                "Where places differ, your number does, too.",
                "All four edges are cut off: rows above and below, columns left and "
                "right. What is left counts evenly.",
                "Look at both slices: where each begins and where it ends.",
            ),
        ),
        Rule(
            "a border of 0 keeps all places",
            _border_of_none,
            hints=(
                "With a border of 0 the mean is over nothing.",
                "In Python, a slice that ends at −0 ends at 0.",
                "Let the end of the slice be computed from the height and the width.",
            ),
        ),
        Rule(
            "lets the gradient through",
            _gradient_flows,
            hints=(
                "The numbers are right, and gradient ascent could not use them.",
                "A gradient exists only where each step is the backend's own. NumPy "
                "leaves its record.",
                "Look for NumPy functions that are applied to the maps; `keras.ops` "
                "has the same ones.",
            ),
        ),
    ],
    correct="one mean an image, of its own filter, with a border and with none",
)

# --- filters.normalize ----------------------------------------------------------------


def _norms(gradients: np.ndarray) -> np.ndarray:
    flat = gradients.reshape(len(gradients), -1).astype("float64")
    return np.sqrt(np.einsum("ni,ni->n", flat, flat))


def _step(answer: Any, gradient: np.ndarray) -> np.ndarray:
    step = as_array(call(answer, gradient))
    if step.dtype.kind != "f":
        raise Failure(f"the step: expected a float type, got {step.dtype}.")
    return step


def _keeps_the_shape(answer: Any) -> None:
    expect_shape(call(answer, _draw(0, 2, 5, 4, 3)), (2, 5, 4, 3))


def _length_one(answer: Any) -> None:
    step = _step(answer, 0.01 * _draw(1, 1, 20, 20, 3))
    norm = float(_norms(step)[0])
    if not np.isclose(norm, 1, rtol=1e-3):
        raise Failure(
            f"one image of 20×20: expected a step of total norm 1, got {norm:.4g}."
        )


def _same_direction(answer: Any) -> None:
    # The pixels of the upper half are a thousand times weaker.
    gradient = _draw(2, 1, 6, 6, 3)
    gradient[:, :3] *= 1e-3
    expect_close(
        _step(answer, gradient),
        gradient / np.linalg.norm(gradient.ravel()),
        what="the step of an image whose upper half hardly counts",
    )


def _own_length(answer: Any) -> None:
    gradient = _draw(3, 3, 4, 4, 3) * np.array([1, 10, 0.1], "float32").reshape(
        3, 1, 1, 1
    )
    expect_close(
        _norms(_step(answer, gradient)),
        np.ones(3),
        rtol=1e-3,
        what="the norms of the steps of three images",
    )


def _zero_stays_zero(answer: Any) -> None:
    gradient = np.zeros((1, 4, 4, 3), "float32")
    expect_close(call(answer, gradient), gradient, what="the step of a zero gradient")


normalize = Exercise(
    "filters.normalize",
    kind="function",
    lesson="12",
    title="Spot the bug: a step that is too long",
    rules=[
        Rule(
            "keeps the shape",
            _keeps_the_shape,
            hints=(
                "A step has the shape of the gradient it comes from.",
                "The norm is one number an image. It divides all of its pixels.",
                "Look at the shape of the norm: it needs axes of length 1.",
            ),
        ),
        Rule(
            "each image's step has length 1",
            _length_one,
            hints=(
                "Square all numbers of the step, add them up, take the root.",
                "The norm is over rows, columns and channels together, and it is a "
                "root of a sum.",
                "Look at the axes that the squares are added over.",
            ),
        ),
        Rule(
            "keeps the direction",
            _same_direction,
            hints=(
                "Pixels with a weak gradient move as much as those with a strong one.",
                "Dividing by one number changes the length alone.",
                "Look for a sign, or for a norm that differs from place to place.",
            ),
        ),
        Rule(
            "images do not share a norm",
            _own_length,
            hints=(
                "One image works, three do not.",
                "Each image is climbed on its own: it has its own norm.",
                "Keep axis 0 out of the sum.",
            ),
        ),
        Rule(
            "a gradient of zero stays zero",
            _zero_stays_zero,
            hints=(
                "Without any slope there is nowhere to go, and the result is no "
                "number.",
                "Zero divided by zero is not a number.",
                "Keep what you divide by above some tiny number.",
            ),
        ),
    ],
    correct="shape, length 1 for each image, the direction, and a gradient of zero",
)

# --- filters.jitter -------------------------------------------------------------------

_DOWN, _RIGHT = 2, 3


def _plain(value: Any) -> np.ndarray:
    try:
        return as_array(value).astype("float32")
    except Failure:
        return np.empty(0, "float32")


def _asked(answer: Any, dy: int, dx: int) -> tuple[list[np.ndarray], Any]:
    """Return the images that the gradient was asked for, and the answer's result."""
    image, weights = _draw(5, 1, 7, 9, 3), _draw(6, 1, 7, 9, 3)
    asked: list[np.ndarray] = []

    def gradient_at(images: Any) -> np.ndarray:
        # Within the learner's code nothing fails: the rules look at it afterwards.
        moved = _plain(images)
        asked.append(moved)
        fits = moved.shape == image.shape
        return weights * np.tanh(moved) if fits else np.zeros_like(image)

    return asked, call(answer, gradient_at, image, dy, dx)


def _places_moved(array: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Move by counting places: what leaves on one side comes in on the other."""
    _, height, width, _ = array.shape
    rows = [(y - dy) % height for y in range(height)]
    columns = [(x - dx) % width for x in range(width)]
    return array[:, rows][:, :, columns]


def _jitter_shape(answer: Any) -> None:
    expect_shape(_asked(answer, _DOWN, _RIGHT)[1], (1, 7, 9, 3))


def _asks_for_the_moved(answer: Any) -> None:
    image = _draw(5, 1, 7, 9, 3)
    for dy, dx in ((_DOWN, 0), (0, _RIGHT), (_DOWN, _RIGHT)):
        asked, _ = _asked(answer, dy, dx)
        if len(asked) != 1:
            raise Failure(f"expected one gradient, asked for {len(asked)}.")
        expect_close(
            asked[0],
            _places_moved(image, dy, dx),
            what=f"the image that the gradient is taken at, for dy={dy}, dx={dx}",
        )


def _moves_back(answer: Any) -> None:
    image, weights = _draw(5, 1, 7, 9, 3), _draw(6, 1, 7, 9, 3)
    for dy, dx in ((_DOWN, 0), (0, _RIGHT), (-_DOWN, _RIGHT)):
        slope = weights * np.tanh(_places_moved(image, dy, dx))
        expect_close(
            _asked(answer, dy, dx)[1],
            _places_moved(slope, -dy, -dx),
            what=f"the gradient for the image that lies still, dy={dy}, dx={dx}",
        )


jitter = Exercise(
    "filters.jitter",
    kind="function",
    lesson="12",
    title="A jittered gradient",
    rules=[
        Rule(
            "keeps the shape",
            _jitter_shape,
            hints=(
                "The gradient belongs to the image, so it has its shape.",
                "Moving changes where pixels lie, not how many there are.",
                "Look at what `return` gives back.",
            ),
        ),
        Rule(
            "asks for the gradient of the moved image",
            _asks_for_the_moved,
            hints=(
                "The network saw another image than the one it should have seen.",
                "Rows are axis 1 and move down by dy; columns are axis 2 and move "
                "right by dx.",
                "Look at the line before the call of `gradient_at`: shifts, their "
                "signs, and the axes.",
            ),
        ),
        Rule(
            "moves the gradient back",
            _moves_back,
            hints=(
                "The network saw the right image. The gradient lies in the wrong "
                "place.",
                "A pixel that went to the right got its gradient there. It has to "
                "come home.",
                "Look at the line after the call: the opposite way, along both axes.",
            ),
        ),
    ],
    correct="the image that the network sees, and the way back along both axes",
)

# --- filters.traces -------------------------------------------------------------------

_WANTED = [4, 1, 3, 1, 0]


def _kernels() -> np.ndarray:
    return _draw(7, 5, 4, 4, 3)


class _Record:
    """What an answer compiled and what it gave to the compiled functions."""

    def __init__(self, answer: Any) -> None:
        self.made = 0
        self.inputs: list[list[np.ndarray]] = []
        self.image = _draw(8, 1, 4, 4, 3)
        self.result = call(answer, _response, self.image, list(_WANTED), self._compiled)

    def _compiled(self, function: Any) -> Any:
        from course_utils.gradients import differentiate

        self.made += 1
        run = differentiate(function, compile=True)

        def recorded(arrays: Any, *constants: Any) -> Any:
            self.inputs.append([_plain(value) for value in (*arrays, *constants)])
            return run([_plain(array) for array in arrays], *constants)

        return recorded


def _response(images: Any, k: Any) -> Any:
    from keras import ops

    kernel = ops.take(ops.convert_to_tensor(_kernels()), k, axis=0)
    return ops.sum(kernel * ops.tanh(images[0]))


def _record(answer: Any) -> _Record:
    return once("traces", lambda: _Record(answer))


def _one_gradient_a_filter(answer: Any) -> None:
    shape = (len(_WANTED), 1, 4, 4, 3)
    expect_shape(_record(answer).result, shape, what=f"gradients for {_WANTED}")


def _compiled_once(answer: Any) -> None:
    made = _record(answer).made
    if made == 0:
        raise Failure("your code never called `compiled`, so nothing was compiled.")
    if made != 1:
        raise Failure(
            f"for {len(_WANTED)} filters your code compiled {made} functions; "
            "expected 1."
        )


def _filter_is_an_input(answer: Any) -> None:
    inputs = _record(answer).inputs
    first = inputs[0] if inputs else []
    same = all(
        len(other) == len(first) and all(map(np.array_equal, first, other))
        for other in inputs
    )
    if same:
        raise Failure(
            f"the compiled function was called {len(inputs)} times, each time with "
            "the same inputs. So it cannot know which filter is meant."
        )


def _right_gradients(answer: Any) -> None:
    record = _record(answer)
    slope = 1 - np.tanh(record.image.astype("float64")) ** 2
    expected = np.stack([_kernels()[k] * slope for k in _WANTED]).astype("float32")
    expect_close(record.result, expected, what=f"the gradients for {_WANTED}")


traces = Exercise(
    "filters.traces",
    kind="function",
    lesson="12",
    title="Spot the bug: compiled again for each filter",
    rules=[
        Rule(
            "one gradient a filter",
            _one_gradient_a_filter,
            hints=(
                "For five filters five gradients are expected, each with the shape "
                "of the image.",
                "A filter may be asked for twice; it gets two gradients.",
                "Look at what the loop collects, and how it is joined at the end.",
            ),
        ),
        Rule(
            "compiles one function",
            _compiled_once,
            hints=(
                "Count how often your code calls `compiled`.",
                "Compiling pays off only for a function that runs many times.",
                "Look at which lines stand inside the loop and need not.",
            ),
        ),
        Rule(
            "the filter goes in as an input",
            _filter_is_an_input,
            hints=(
                "All calls of the compiled function look alike from outside.",
                "What a function reads from around it is frozen when it is compiled. "
                "Only its arguments stay open.",
                "Give your inner function a second argument, and hand it over at each "
                "call.",
            ),
        ),
        Rule(
            "the gradients",
            _right_gradients,
            hints=(
                "There is one compiled function, and its gradients are off.",
                "Each gradient is that of the filter at the same place in the list.",
                "Look at which number is handed over, and which of the two results is "
                "kept.",
            ),
        ),
    ],
    correct="one compiled function, the filter as its input, the gradients in order",
)
