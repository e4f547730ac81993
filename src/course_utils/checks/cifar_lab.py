"""Checks of lesson 10, *CIFAR-10 lab*."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

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

# --- cifar.budget ---------------------------------------------------------------------

_SECONDS = np.array([60.0, 120.0, 180.0, 240.0])
_RISING = np.array([0.25, 0.5, 0.625, 0.75])
_PEAKED = np.array([0.25, 0.75, 0.5, 0.625])


def _expect_level(answer: Any, accuracy: np.ndarray, budget: float, right: float):
    found = call(answer, _SECONDS.copy(), accuracy.copy(), budget)
    what = (
        f"with epochs that end after {_SECONDS.astype(int).tolist()} s at "
        f"{accuracy.tolist()}, and a budget of {budget:g} s"
    )
    expect_close(found, np.float64(right), what=what)


def _one_number(answer: Any) -> None:
    found = as_array(call(answer, _SECONDS.copy(), _RISING.copy(), 1000.0))
    if found.shape != ():
        raise Failure(f"expected one number, got shape {found.shape}.")


def _nothing_in_time(answer: Any) -> None:
    try:
        _expect_level(answer, _RISING, 30.0, 0.0)
    except Failure:
        raise
    except Exception as error:
        original = getattr(error, "original", error)
        if not isinstance(original, (IndexError, ValueError)):
            raise
        raise Failure(
            "where no epoch ends in the budget, your function fails: "
            f"{type(original).__name__}: {original}"
        ) from None


budget = Exercise(
    "cifar.budget",
    kind="function",
    lesson="10",
    title="Spot the bug: more time for one of them",
    rules=[
        Rule(
            "one number",
            _one_number,
            hints=(
                "Look at the shape of what comes back.",
                "One run has one accuracy at the end of the budget.",
                "Which entry of the array do you return?",
            ),
        ),
        Rule(
            "looks at nothing after the budget",
            lambda answer: _expect_level(answer, _RISING, 200.0, 0.625),
            hints=(
                "Give the run a good epoch long after the budget has ended.",
                "An equal budget means: all runs are read at the same time.",
                "Which of the epochs does your code still look at?",
            ),
        ),
        Rule(
            "reads the last epoch, not the best",
            lambda answer: _expect_level(answer, _PEAKED, 200.0, 0.5),
            hints=(
                "Let a curve rise and fall again within the budget.",
                "The best of many epochs is partly luck (lesson 06).",
                "Which of the epochs within the budget does your code choose?",
            ),
        ),
        Rule(
            "an epoch may end with the budget",
            lambda answer: _expect_level(answer, _RISING, 120.0, 0.5),
            hints=(
                "Let an epoch end at the very second at which the budget ends.",
                "On time is not late.",
                "Look at the comparison with the budget.",
            ),
        ),
        Rule(
            "a run without an epoch has shown nothing",
            _nothing_in_time,
            hints=(
                "A run may need longer for its first epoch than the budget is.",
                "Who has measured nothing counts as 0.",
                "What does your code read where no time is small enough?",
            ),
        ),
    ],
    correct="the last epoch within the budget, or 0",
)

# --- cifar.cycle ----------------------------------------------------------------------

_PEAK, _EPOCHS, _IMAGES, _BATCH = 0.4, 3, 1000, 64
_PER_EPOCH = math.ceil(_IMAGES / _BATCH)
_CYCLE = _EPOCHS * _PER_EPOCH


def _rates(answer: Any) -> np.ndarray:
    """Return the rates of three cycles."""

    def read() -> np.ndarray:
        found = call(answer, 3 * _CYCLE, _PEAK, _EPOCHS, _IMAGES, _BATCH)
        expect_shape(found, (3 * _CYCLE,))
        return as_array(found)

    return once("rates", read)


def _one_a_step(answer: Any) -> None:
    _rates(answer)


def _starts_at_the_peak(answer: Any) -> None:
    first = _rates(answer)[0]
    expect_close(first, np.float64(_PEAK), what=f"peak={_PEAK}: the rate of step 0")


def _restarts(answer: Any) -> None:
    rates = _rates(answer)
    found = np.flatnonzero(np.diff(rates).real > 0.2 * _PEAK) + 1
    if not len(found):
        raise Failure(
            f"in {3 * _CYCLE} steps the rate never jumps from its foot to the peak; a "
            f"cycle should end after {_CYCLE} steps, and the next start at the peak."
        )
    if found[0] != _CYCLE:
        raise Failure(
            f"with {_IMAGES} images, batches of {_BATCH} and epochs={_EPOCHS} the rate "
            f"starts again at step {found[0]}, expected step {_CYCLE}."
        )


def _alike(answer: Any) -> None:
    first, second, third = _rates(answer).reshape(3, _CYCLE)
    for name, cycle in (("second", second), ("third", third)):
        if not np.allclose(cycle, first, atol=1e-4 * _PEAK):
            place = int(np.abs(cycle - first).argmax())
            raise Failure(
                f"the {name} cycle is another than the first: its step {place} has the "
                f"rate {cycle[place]:.4g}, that of the first {first[place]:.4g}."
            )


def _cosine(answer: Any) -> None:
    found = _rates(answer)[:_CYCLE]
    place = np.pi * np.arange(_CYCLE)
    angle = place / _CYCLE
    early = _PEAK * (1 + np.cos(place / (_CYCLE - 1))) / 2
    if np.allclose(found, early, rtol=1e-3, atol=1e-4):
        raise Failure(
            f"in a cycle of n = {_CYCLE} steps your rate is 0 at its last step, n - 1. "
            "Rate 0 would be step n, where the next cycle starts: at step s the rate "
            "is peak * (1 + cos(pi * s / n)) / 2."
        )
    expect_close(
        found,
        _PEAK * (1 + np.cos(angle)) / 2,
        what="the rate in the first cycle",
        rtol=1e-3,
        atol=1e-4,
    )


cycle = Exercise(
    "cifar.cycle",
    kind="function",
    lesson="10",
    title="Spot the bug: a cycle of ten steps",
    rules=[
        Rule(
            "one rate a step",
            _one_a_step,
            hints=(
                "Look at the shape of what comes back.",
                "An array is wanted that can be drawn: a number for each step.",
                "A Keras schedule is a function: call it with each step.",
            ),
        ),
        Rule(
            "starts at the peak",
            _starts_at_the_peak,
            hints=(
                "Look at the first of your rates.",
                "A cycle starts with its largest rate.",
                "Which of the arguments is the first rate?",
            ),
        ),
        Rule(
            "starts again after whole epochs",
            _restarts,
            hints=(
                "Count the steps of one epoch, the last and smaller batch included.",
                "A schedule counts steps. One epoch has as many as it has batches.",
                "Look at the length of the first cycle; a division that rounds down "
                "loses a batch.",
            ),
        ),
        Rule(
            "all cycles are alike",
            _alike,
            hints=(
                "Draw three cycles, not one.",
                "By default each cycle is longer than the one before.",
                "Look at the arguments that say how length and height change.",
            ),
        ),
        Rule(
            "falls along the cosine",
            _cosine,
            hints=(
                "Compare the rate in the middle of a cycle with half of the peak.",
                "At step s of a cycle of n steps, the rate is the peak times "
                "(1 + cos(π · s / n)) / 2.",
                "Look at the lowest rate that you ask for, and at what you divide the "
                "step by.",
            ),
        ),
    ],
    correct="cycles of whole epochs, from the peak along the cosine, all alike",
)

# --- cifar.triangle -------------------------------------------------------------------

_LOW, _HIGH, _HALF = 0.1, 0.6, 5


def _triangle_at(answer: Any, steps: Any) -> list[Any]:
    found = []
    for step in steps:
        found.append(call(answer, int(step), _LOW, _HIGH, _HALF))
    return found


def _expect_rates(answer: Any, steps: Any) -> None:
    steps = np.asarray(steps)
    corners = ([0, _HALF, 2 * _HALF], [_LOW, _HIGH, _LOW])
    wanted = np.interp(steps, *corners, period=2 * _HALF + 1e-12)
    wanted = np.where(steps % (2 * _HALF) == 0, _LOW, wanted)
    found = _triangle_at(answer, steps)
    for step, rate, right in zip(steps, found, wanted, strict=True):
        what = f"low={_LOW}, high={_HIGH}, half={_HALF}: the rate of step {step}"
        expect_close(rate, np.float64(right), what=what)


triangle = Exercise(
    "cifar.triangle",
    kind="function",
    lesson="10",
    title="A triangle of rates",
    rules=[
        Rule(
            "starts at the low rate",
            lambda answer: _expect_rates(answer, [0]),
            hints=(
                "Call it with step 0.",
                "The triangle begins at its foot.",
                "Look at what your formula gives where the step is 0.",
            ),
        ),
        Rule(
            "rises in a straight line",
            lambda answer: _expect_rates(answer, range(1, _HALF + 1)),
            hints=(
                "Call it with the steps from 1 to `half`.",
                "Each step adds the same, and after `half` steps the rate is `high`.",
                "Divide by `half`, and stretch to the distance from low to high.",
            ),
        ),
        Rule(
            "falls back the same way",
            lambda answer: _expect_rates(answer, range(_HALF + 1, 2 * _HALF)),
            hints=(
                "Call it with steps between `half` and twice `half`.",
                "The second half mirrors the first.",
                "How far is the step from the next foot?",
            ),
        ),
        Rule(
            "repeats",
            lambda answer: _expect_rates(answer, range(2 * _HALF, 6 * _HALF)),
            hints=(
                "Call it with a step far beyond the first triangle.",
                "After twice `half` steps everything begins anew.",
                "Take the step modulo the length of a cycle.",
            ),
        ),
    ],
    correct="up, down and again, in straight lines",
)

# --- cifar.smoothing ------------------------------------------------------------------

# Without the last class: the number of classes cannot be read off the labels.
_LABELS, _CLASSES, _AMOUNT = np.array([2, 0, 3, 2]), 5, 0.1


def _smoothed(answer: Any, amount: float = _AMOUNT) -> np.ndarray:
    targets = call(answer, _LABELS.copy(), _CLASSES, amount)
    expect_shape(targets, (len(_LABELS), _CLASSES))
    return as_array(targets)


def _smooth_shape(answer: Any) -> None:
    _smoothed(answer)


def _is_a_distribution(answer: Any) -> None:
    targets = _smoothed(answer)
    if targets.dtype.kind != "f":
        raise Failure(f"expected a float type, got {targets.dtype}.")
    sums = targets.sum(axis=1)
    if not np.allclose(sums, 1, atol=1e-5):
        raise Failure(f"the rows add up to {sums.round(3).tolist()}, expected 1 each.")


def _right_class_leads(answer: Any) -> None:
    found = _smoothed(answer).argmax(axis=1)
    if not np.array_equal(found, _LABELS):
        raise Failure(
            f"the largest target of each row should be that of {_LABELS.tolist()}, it "
            f"is that of {found.tolist()}."
        )


def _as_keras_smooths(answer: Any) -> None:
    """The cross-entropy with these targets must be that of Keras' own smoothing."""
    import keras

    logits = np.random.default_rng(0).normal(size=(len(_LABELS), _CLASSES))
    sharp = np.eye(_CLASSES)[_LABELS]
    for amount in (0.0, _AMOUNT, 1.0):
        targets = _smoothed(answer, amount)
        found = -(targets * np.log(_softmax(logits))).sum(axis=1)
        loss = keras.losses.CategoricalCrossentropy(
            label_smoothing=amount, reduction="none"
        )
        wanted = as_array(loss(sharp, _softmax(logits)))
        if not np.allclose(found, wanted, atol=1e-4):
            raise Failure(
                f"with amount={amount} the first row is "
                f"{targets[0].round(3).tolist()}, and its cross-entropy is not that "
                "of Keras' label smoothing."
            )


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


smoothing = Exercise(
    "cifar.smoothing",
    kind="function",
    lesson="10",
    title="Smooth labels",
    rules=[
        Rule(
            "one row an image, one column a class",
            _smooth_shape,
            hints=(
                "Look at the shape of what comes back.",
                "A label becomes a row of as many numbers as there are classes.",
                "Which axis is the images', which the classes'?",
            ),
        ),
        Rule(
            "each row adds up to one",
            _is_a_distribution,
            hints=(
                "Add up the numbers of a row.",
                "What the right class gives away, the classes receive.",
                "Is all that is taken away handed out again, and no more?",
            ),
        ),
        Rule(
            "the right class has the most",
            _right_class_leads,
            hints=(
                "Find the largest number of each row.",
                "Smoothing makes labels less sure, it does not change them.",
                "Which column is reduced, and which are raised?",
            ),
        ),
        Rule(
            "shares the amount among all classes",
            _as_keras_smooths,
            hints=(
                "Four classes, amount 0.2: what has a wrong class, what the right one?",
                "The amount is shared evenly among all classes, the right one too.",
                "By how many classes do you divide?",
            ),
        ),
    ],
    correct="the targets of Keras' own label smoothing",
)

# --- cifar.temperature ----------------------------------------------------------------


def _scores(factor: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities whose scores are `factor` times what the labels deserve."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 1.5, size=(600, 6))
    labels = np.array([rng.choice(6, p=row) for row in _softmax(honest)])
    return _softmax(factor * honest), labels


def _best(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Search by brute force: the oracle needs no minimizer."""
    scores = np.log(probabilities)
    candidates = np.geomspace(0.1, 10, 800)
    rows = np.arange(len(labels))
    losses = [
        -np.log(_softmax(scores / warmth)[rows, labels]).mean() for warmth in candidates
    ]
    return float(candidates[int(np.argmin(losses))])


def _warmth(answer: Any, factor: float, seed: int = 0) -> float:
    probabilities, labels = _scores(factor, seed)
    value = as_array(call(answer, probabilities.copy(), labels.copy()))
    kind = value.dtype
    if value.shape != () or kind.kind != "f" or kind.itemsize < 4:
        raise Failure(f"expected one float, got {describe(value)}.")
    found = float(value)
    if not (math.isfinite(found) and found > 0):
        raise Failure(f"expected a number above 0, got {found}.")
    return found


def _one_temperature(answer: Any) -> None:
    _warmth(answer, 3.0)


def _above_one(answer: Any) -> None:
    found = _warmth(answer, 3.0)
    if found <= 1:
        raise Failure(
            "these outputs are too sure of themselves, so that only a temperature "
            f"above 1 helps; yours is {found:.3g}."
        )


def _near_best(answer: Any, factor: float) -> None:
    for seed in (0, 1):
        right = once(("best", factor, seed), lambda: _best(*_scores(factor, seed)))  # noqa: B023
        found = _warmth(answer, factor, seed)
        if abs(math.log(found / right)) > 0.05:
            raise Failure(
                f"the cross-entropy is least at a temperature of {right:.3g}; yours is "
                f"{found:.3g}."
            )


temperature = Exercise(
    "cifar.temperature",
    kind="function",
    lesson="10",
    title="The temperature of a net",
    rules=[
        Rule(
            "one number above zero",
            _one_temperature,
            hints=(
                "Print what your function returns.",
                "One temperature is for all images and all classes.",
                "Look at what you return: the temperature, or its loss?",
            ),
        ),
        Rule(
            "cools what is too sure",
            _above_one,
            hints=(
                "For a net that is too sure, is your number above 1?",
                "Scores are divided by the temperature; a large one makes them alike.",
                "Divided, or multiplied? And is the best loss the smallest?",
            ),
        ),
        Rule(
            "has the least cross-entropy",
            lambda answer: _near_best(answer, 3.0),
            hints=(
                "Compare the cross-entropy at your number with that at its neighbors.",
                "The probability of the right class counts, through its logarithm.",
                "What do you compare: cross-entropy, accuracy, or something else? Are "
                "your candidates close enough together?",
            ),
        ),
        Rule(
            "warms what is too shy",
            lambda answer: _near_best(answer, 0.5),
            hints=(
                "Try outputs that are less sure than they could be.",
                "A net trained with smooth labels may need a temperature below 1.",
                "Where does your search begin?",
            ),
        ),
    ],
    correct="the temperature of the least cross-entropy, above and below 1",
)
