"""How a net is trained and judged: rates, optimizers, averages, calibration.

Most of it is Keras' own under one name each, so that experiments can be declared in
words. The rest is short: predictions of an image and its mirror image, the time to an
accuracy, and how far a net's confidence can be believed. Importing this module loads
no framework.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from course_utils import _validate

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "calibration_error",
    "flip_average",
    "optimizer",
    "schedule",
    "soften",
    "temperature",
    "time_to_accuracy",
]

SCHEDULES = ("constant", "cosine", "one_cycle", "cyclical")
OPTIMIZERS = ("adadelta", "adam", "sgd")
_CYCLES = 4
_ROUNDING = 1e-3  # a softmax in half precision may end up so much above 1


def schedule(name: str, peak: float, steps: int) -> Any:
    """Return a learning rate that changes with the step. Taught in lesson 10.

    Args:
        name: "constant"; "cosine", from the peak to 0 along half a cosine;
            "one_cycle", up to the peak along a line in the first quarter, then down to
            0 along half a cosine; "cyclical", four times from the peak to 0.
        peak: the largest rate.
        steps: steps (mini-batches) of the whole training, not epochs.

    Returns:
        A `keras.optimizers.schedules.LearningRateSchedule`: called with a step, it
        gives the rate.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an unknown name, or a number out of range.

    Example:
        >>> float(schedule("cosine", 0.1, 1000)(500))
        0.05

    References:
        Loshchilov & Hutter (2017), the cosine and its restarts; Smith (2017), cycles;
        Smith & Topin (2018), the one cycle.
    """
    from keras.optimizers import schedules

    _validate.choice("name", name, SCHEDULES)
    _validate.number("peak", peak, low=0)
    _validate.integer("steps", steps, low=1)
    if name == "cyclical":
        return schedules.CosineDecayRestarts(peak, -(-steps // _CYCLES), t_mul=1.0)
    if name == "one_cycle":
        rise = max(steps // 4, 1)
        return schedules.CosineDecay(
            peak / 25, max(steps - rise, 1), warmup_target=peak, warmup_steps=rise
        )
    # A cosine whose end is as high as its start is a constant.
    return schedules.CosineDecay(peak, steps, alpha=1.0 if name == "constant" else 0.0)


def optimizer(
    name: str, learning_rate: Any, *, weight_decay: float = 0.0, ema: float = 0.0
) -> Any:
    """Return one of the optimizers that the course compares. Taught in lesson 10.

    Args:
        name: "adadelta"; "adam"; "sgd", which has Nesterov momentum of 0.9.
        learning_rate: a number, or what `schedule` returns.
        weight_decay: the part of each weight, times the rate, that a step takes away.
        ema: momentum of a moving average of the weights, such as 0.99; 0 for none. The
            average is in the model after training; in a validation during training it
            is only with the callback `keras.callbacks.SwapEMAWeights`.

    Returns:
        A new `keras.optimizers.Optimizer`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an unknown name, or a number out of range.

    Example:
        >>> model.compile(optimizer("sgd", schedule("one_cycle", 0.1, 1000)), "mse")

    References:
        Zeiler (2012), Adadelta; Kingma & Ba (2015), Adam; Sutskever, Martens, Dahl &
        Hinton (2013), Nesterov momentum; Polyak & Juditsky (1992), the average.
    """
    import keras

    _validate.choice("name", name, OPTIMIZERS)
    if not isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        _validate.number("learning_rate", learning_rate, low=0)
    _validate.number("weight_decay", weight_decay, low=0)
    _validate.number("ema", ema, low=0, high=0.99999)
    options: dict[str, Any] = {"weight_decay": weight_decay or None}
    if ema:
        options |= {"use_ema": True, "ema_momentum": ema}
    if name == "sgd":
        options |= {"momentum": 0.9, "nesterov": True}
    kinds = {"adadelta": "Adadelta", "adam": "Adam", "sgd": "SGD"}
    return getattr(keras.optimizers, kinds[name])(learning_rate, **options)


def flip_average(model: Any, images: Any, batch_size: int = 500) -> np.ndarray:
    """Average a model's outputs over each image and its mirror image.

    Taught in lesson 10.

    Args:
        model: a `keras.Model`.
        images: shape (n, height, width, channels).
        batch_size: images a step.

    Returns:
        The mean of both predictions, shape (n, ...) as `model.predict` gives it.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a model that is not built, images without four axes, NaN, or a
            `batch_size` below 1.

    Example:
        >>> flip_average(model, x_test).argmax(axis=1)

    References:
        Krizhevsky, Sutskever & Hinton (2012), section 4.1, test images and their
        reflections; Page (2018), flips alone.
    """
    _validate.keras_model("model", model)
    images = _validate.array("images", images, ndim=4)
    batch_size = _validate.integer("batch_size", batch_size, low=1)
    options = {"batch_size": batch_size, "verbose": 0}
    as_they_are = model.predict(images, **options)
    return (as_they_are + model.predict(images[:, :, ::-1], **options)) / 2


def time_to_accuracy(seconds: Any, accuracy: Any, target: float) -> float:
    """Return when an accuracy was first reached. Taught in lesson 10.

    Args:
        seconds: training time at the end of each epoch, shape (n,), rising.
        accuracy: accuracy at the end of each epoch, shape (n,).
        target: the accuracy to reach.

    Returns:
        The time at the end of the first epoch with at least that accuracy, or infinity
        where there is none.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: arrays of different lengths.

    Example:
        >>> time_to_accuracy([10, 20, 30], [0.5, 0.8, 0.7], 0.7)
        20.0

    References:
        Coleman et al. (2017), the figure of merit.
    """
    seconds = _validate.array("seconds", seconds, ndim=1)
    accuracy = _validate.array("accuracy", accuracy, ndim=1)
    if len(seconds) != len(accuracy):
        _validate.fail_with_words(
            "accuracy", f"{len(seconds)} values, one a time", f"{len(accuracy)}"
        )
    _validate.number("target", target)
    reached = np.flatnonzero(accuracy >= target)
    return float(seconds[reached[0]]) if len(reached) else math.inf


def calibration_error(probabilities: Any, labels: Any, bins: int = 15) -> float:
    """Return how far confidence and accuracy lie apart on average (ECE).

    The images are sorted into bins of equal width by their confidence, the probability
    of the class that was chosen. In each bin, confidence and accuracy are compared; the
    error is the mean difference, weighted with the images. Taught in lesson 10.

    Args:
        probabilities: shape (n, classes).
        labels: the right classes, shape (n,).
        bins: how many bins from 0 to 1.

    Returns:
        The expected calibration error, from 0 to 1.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: shapes that do not fit, NaN, probabilities that are none, labels
            that are no classes, or `bins` below 1.

    Example:
        >>> calibration_error([[0.9, 0.1], [0.1, 0.9]], [0, 0])
        0.4

    References:
        Guo, Pleiss, Sun & Weinberger (2017).
    """
    probabilities, labels = _scored(probabilities, labels)
    _validate.integer("bins", bins, low=1)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    # Images times difference, bin by bin, is the difference of two sums.
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def soften(probabilities: Any, temperature: float) -> np.ndarray:
    """Divide the scores behind probabilities by a temperature. Taught in lesson 10.

    Args:
        probabilities: shape (n, classes), as a softmax gave them.
        temperature: above 1 makes them less sure, below 1 surer; 1 changes nothing.

    Returns:
        Probabilities, shape (n, classes). The order of the classes stays.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> soften([[0.8, 0.2]], 2.0).round(2)
        array([[0.67, 0.33]])

    References:
        Guo, Pleiss, Sun & Weinberger (2017).
    """
    probabilities = _validate.array("probabilities", probabilities, ndim=2)
    if probabilities.min() < 0:
        _no_probabilities("probabilities of at least 0", probabilities)
    _validate.number("temperature", temperature, low=1e-6)
    # A softmax does not see what is added to all scores, so the logarithm will do.
    scores = np.log(np.maximum(probabilities.astype(float), 1e-30)) / temperature
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def temperature(probabilities: Any, labels: Any) -> float:
    """Return the temperature that explains the labels best. Taught in lesson 10.

    Args:
        probabilities: shape (n, classes), of images that were not trained on.
        labels: the right classes, shape (n,).

    Returns:
        The temperature from 0.05 to 20 with the least cross-entropy.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: shapes that do not fit, NaN, probabilities that are none, or labels
            that are no classes.

    Example:
        >>> soften(on_test, temperature(on_validation, y_validation))

    References:
        Guo, Pleiss, Sun & Weinberger (2017).
    """
    from scipy.optimize import minimize_scalar

    probabilities, labels = _scored(probabilities, labels)

    def cross_entropy(exponent: float) -> float:
        chosen = soften(probabilities, math.exp(exponent))
        return -float(np.log(np.maximum(chosen[rows, labels], 1e-30)).mean())

    rows = np.arange(len(labels))
    found = minimize_scalar(
        cross_entropy, bounds=(math.log(0.05), math.log(20)), method="bounded"
    )
    return math.exp(found.x)


def _scored(probabilities: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Check predictions and the right classes, and return both as arrays."""
    probabilities = _validate.array("probabilities", probabilities, ndim=2)
    if probabilities.min() < 0 or probabilities.max() > 1 + _ROUNDING:
        _no_probabilities("probabilities from 0 to 1", probabilities)
    labels = _validate.array("labels", labels, ndim=1)
    broken = labels[labels != np.round(labels)]
    if len(broken):
        _validate.fail_with_words("labels", "whole numbers", f"{broken[0]:g}")
    labels = labels.astype(int)
    if len(labels) != len(probabilities):
        _validate.fail_with_words(
            "labels", f"{len(probabilities)} classes, one a row", f"{len(labels)}"
        )
    classes = probabilities.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        came = f"classes from {labels.min()} to {labels.max()}"
        _validate.fail_with_words("labels", f"classes from 0 to {classes - 1}", came)
    return probabilities.astype(float), labels


def _no_probabilities(expected: str, probabilities: np.ndarray) -> None:
    came = f"values from {probabilities.min():g} to {probabilities.max():g}"
    _validate.fail_with_words("probabilities", expected, came)
