"""Checks of arguments, with one shape of error for the whole package.

Every message names the argument, says what was expected and what came, so that a
learner can mend the call without reading our source.
"""

from __future__ import annotations

import difflib
import inspect
import math
import numbers
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

_LONGEST = 80


def describe(value: Any) -> str:
    """Return a short description of any value, even one whose `repr` fails."""
    kind = type(value).__name__
    try:
        if value is None:
            return "None"
        if isinstance(value, np.ndarray):
            return f"an array of shape {value.shape} and dtype {value.dtype}"
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            return f"a {kind} of shape {tuple(value.shape)} and dtype {value.dtype}"
        text = repr(value)
    except Exception:
        return f"a {kind}"
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return f"{text} ({kind})"


def _message(argument: str, expected: str, received: Any) -> str:
    came = received if isinstance(received, _Said) else describe(received)
    return f"`{argument}`: expected {expected}, got {came}."


class _Said(str):
    """A description that is already words, not a value to describe."""


def fail(argument: str, expected: str, received: Any) -> NoReturn:
    """Raise a ValueError about `argument` in the package's one shape."""
    raise ValueError(_message(argument, expected, received))


def fail_with_words(argument: str, expected: str, came: str) -> NoReturn:
    """Raise a ValueError whose `came` part is given in words."""
    raise ValueError(_message(argument, expected, _Said(came)))


def fail_type(argument: str, expected: str, received: Any) -> NoReturn:
    """Raise a TypeError about `argument` in the package's one shape."""
    raise TypeError(_message(argument, expected, received))


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    if high is not None:
        return f" of at most {high}"
    return ""


def integer(
    argument: str, value: Any, low: int | None = None, high: int | None = None
) -> int:
    """Return `value` as an int within [low, high]; booleans and floats are refused."""
    expected = "an integer" + _range(low, high)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        fail_type(argument, expected, value)
    whole = int(value)
    if (low is not None and whole < low) or (high is not None and whole > high):
        fail(argument, expected, value)
    return whole


def number(
    argument: str, value: Any, low: float | None = None, high: float | None = None
) -> float:
    """Return `value` as a finite float within [low, high]."""
    expected = "a finite number" + _range(low, high)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        fail_type(argument, expected, value)
    value = float(value)
    if not math.isfinite(value):
        fail(argument, expected, value)
    if (low is not None and value < low) or (high is not None and value > high):
        fail(argument, expected, value)
    return value


def choice(argument: str, value: Any, options: Iterable[Any]) -> Any:
    """Return `value` if it is one of `options`; the error names close matches."""
    options = list(options)
    plain = value is None or isinstance(value, (str, numbers.Number))
    if plain and value in options:
        return value
    listed = ", ".join(repr(option) for option in options)
    text = value if isinstance(value, str) else ""
    close = difflib.get_close_matches(text, [str(o) for o in options], n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    error = ValueError if isinstance(value, str) else TypeError
    raise error(_message(argument, f"one of {listed}{hint}", value))


def integers(
    argument: str, value: Any, low: int | None = None, high: int | None = None
) -> tuple[int, ...]:
    """Return a tuple or list of integers within [low, high], at least one of them."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        fail_type(argument, "a tuple or list of integers", value)
    if not value:
        fail(argument, "at least one integer", value)
    return tuple(integer(argument, number, low, high) for number in value)


def string(argument: str, value: Any, *, empty: bool = False) -> str:
    """Return `value` if it is a string, with something in it unless `empty`."""
    if not isinstance(value, str):
        fail_type(argument, "a text (str)", value)
    if not empty and not value.strip():
        fail(argument, "a text that is not empty", value)
    return value


def boolean(argument: str, value: Any) -> bool:
    """Return `value` if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        fail_type(argument, "True or False", value)
    return bool(value)


def function(argument: str, value: Any, takes: int | None = None) -> Callable[..., Any]:
    """Return `value` if it can be called, and with `takes` arguments if told so."""
    if not callable(value):
        fail_type(argument, "a function", value)
    if takes is None:
        return value
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # written in C, and says nothing
        return value
    try:
        signature.bind(*range(takes))
    except TypeError:
        plural = "" if takes == 1 else "s"
        fail_with_words(
            argument,
            f"a function that can be called with {takes} argument{plural}",
            f"one with the signature {signature}",
        )
    return value


def array(
    argument: str,
    value: Any,
    *,
    ndim: int | tuple[int, ...] | None = None,
    shape: Sequence[int | None] | None = None,
    finite: bool = True,
    dtype: Any = None,
) -> np.ndarray:
    """Return `value` as a NumPy array, refusing empty, ragged and NaN input.

    Args:
        argument: the name to use in the error.
        value: anything `np.asarray` or a Keras backend can turn into numbers.
        ndim: the number of axes, or the allowed ones.
        shape: the expected shape; None stands for any length.
        finite: whether NaN and infinity are refused.
        dtype: convert to this type at the end.
    """
    expected = "a numeric array"
    if shape is not None:
        words = ", ".join("any" if n is None else str(n) for n in shape)
        expected += f" of shape ({words})"
        ndim = len(shape)
    elif ndim is not None:
        allowed = (ndim,) if isinstance(ndim, int) else ndim
        expected += " with " + " or ".join(str(n) for n in allowed) + " axes"
    if value is None or isinstance(value, (str, bytes, dict, set)):
        fail_type(argument, expected, value)
    try:
        if hasattr(value, "detach"):  # a PyTorch tensor that may track gradients
            value = value.detach().cpu()
        result = np.asarray(value)
    except Exception as error:
        raise TypeError(_message(argument, expected, value)) from error
    if result.dtype.kind not in "buif":
        fail_type(argument, expected, value)
    if ndim is not None:
        allowed = (ndim,) if isinstance(ndim, int) else ndim
        if result.ndim not in allowed:
            fail(argument, expected, result)
    if shape is not None:
        for length, wanted in zip(result.shape, shape, strict=True):
            if wanted is not None and length != wanted:
                fail(argument, expected, result)
    if result.size == 0:
        fail_with_words(
            argument, expected + " that is not empty", f"an empty one, {result.shape}"
        )
    if finite and result.dtype.kind == "f":
        bad = int(result.size - np.isfinite(result).sum())
        if bad:
            fail_with_words(
                argument,
                expected + " of finite numbers",
                f"{bad} NaN or infinite of {result.size} values",
            )
    return result if dtype is None else result.astype(dtype)


def image_shape(
    input_shape: Any, smallest: int, *, colors: int | None = None
) -> tuple[int, int, int]:
    """Return (height, width, channels) with sides of at least `smallest` pixels.

    Args:
        input_shape: the shape of one image.
        smallest: the least height and width.
        colors: the number of channels; None allows any.
    """
    channels_of = "channels" if colors is None else colors
    expected = (
        f"(height, width, {channels_of}) with sides of at least {smallest} pixels, "
        "such as (180, 180, 3)"
    )
    if not isinstance(input_shape, Sequence) or isinstance(input_shape, (str, bytes)):
        fail_type("input_shape", expected, input_shape)
    if len(input_shape) != 3:
        fail("input_shape", expected, input_shape)
    height, width, channels = (
        integer("input_shape", size, low=1) for size in input_shape
    )
    if min(height, width) < smallest or colors not in (None, channels):
        fail("input_shape", expected, input_shape)
    return height, width, channels


def class_numbers(argument: str, value: Any, count: int) -> np.ndarray:
    """Return `count` whole numbers: `value` itself, or one for all."""
    given = array(argument, value)
    if given.dtype.kind not in "iu":
        fail_type(argument, "whole numbers", value)
    if given.shape not in ((), (count,)):
        fail(argument, f"one class, or {count}", value)
    return np.broadcast_to(given, (count,)).astype(int)


def keras_model(argument: str, value: Any) -> Any:
    """Return `value` if it is a built Keras model."""
    import keras

    if not isinstance(value, keras.Model):
        fail_type(argument, "a keras.Model", value)
    if not value.built:
        fail_with_words(
            argument,
            "a keras.Model that is built (with an Input, or called once on a batch)",
            f"the unbuilt model {value.name!r}",
        )
    return value


def folder(argument: str, value: Any) -> str:
    """Return the path of a folder that exists."""
    if not isinstance(value, (str, os.PathLike)):
        fail_type(argument, "the path of a folder", value)
    path = os.fspath(value)
    if not os.path.isdir(path):
        expected = "the path of a folder that exists"
        raise FileNotFoundError(_message(argument, expected, _Said(path)))
    return path
