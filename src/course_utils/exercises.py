"""Exercises: what a check is, how it is run, and what a learner sees.

A lesson calls two functions, `check` and `hint`. Everything else here is for the
authors of checks. A check is a list of named rules, ordered from shape to mechanism.
This one is complete:

    from course_utils.exercises import (
        Exercise, Failure, Rule, call, expect_close, expect_shape
    )

    def _shape(answer):
        x = np.ones((4, 3), "float32")
        expect_shape(call(answer, x), (4, 3))

    def _values(answer):
        x = np.linspace(-2, 2, 12, dtype="float32").reshape(4, 3)
        expect_close(call(answer, x), np.maximum(x, 0), what="relu(x)")

    relu = Exercise(
        "gradients.relu",
        kind="function",
        lesson="02",
        title="The rectifier",
        rules=[
            Rule("keeps the shape", _shape, hints=(
                "Compare the shape that comes out with the shape that went in.",
                "The function works on each element by itself.",
                "Look at the line that picks the maximum: over which axis?",
            )),
            Rule("cuts off at zero", _values, hints=(..., ..., ...)),
        ],
        correct="shape, and values on both sides of zero",
    )

Put it at the top level of `course_utils/checks/<topic>.py`; the registry finds it.

- A rule is a function of the answer. It returns None, or raises `Failure` with a
  message that shows the shapes or values. Any other exception from our own code is
  state *broken*.
- Run the learner's code through `call(answer, ...)`. It passes copies of arrays,
  notices an answer that changes its input, and turns what the learner's code raises
  into state *error*.
- Look at results through `as_array`, `expect_shape`, `expect_close` and
  `expect_equal`: they cope with any object at all.
- A *number* or *choice* answer arrives in the rule as a plain int, float or str (a
  word in lower case without spaces around it); anything else was refused before.
- A *layer* names the methods that are stubs in the lesson: `parts=("build", "call")`.
  *functions* takes a dict of several functions, with their names as `parts`.
- `once(key, function)` keeps a value for the length of one check (a built model, say).
- Rules for models are made by `course_utils.compare.model_rules`.
- Import Keras inside the rules, not at the top: `import course_utils` stays light.

The learner's code has `COURSE_CHECK_SECONDS` of its own (by default 2, and 8 on JAX,
which compiles first); then it is stopped. What stops it is a timer signal in the main
thread of Linux and macOS, and an exception sent from a watching thread elsewhere.
Neither can stop a loop that stays inside compiled code for ever
(`sum(itertools.count())`), nor a crash of the process.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import html
import json
import operator
import os
import random
import re
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from course_utils import _validate
from course_utils._learners_code import (
    Clock,
    OutOfTime,
    describe,
    ends_with_learner,
    is_library,
    location_of,
    new_clock,
    owner_of,
    run_learner,
    steps_of,
    text_of,
    trace,
    within_a_check,
)

if TYPE_CHECKING:
    pass

__all__ = [
    "CheckFailed",
    "Exercise",
    "Failure",
    "Hint",
    "Result",
    "Rule",
    "as_array",
    "attempt",
    "built_in_rules",
    "call",
    "check",
    "expect",
    "expect_close",
    "expect_equal",
    "expect_shape",
    "forget",
    "hint",
    "once",
    "shape_of",
]

Kind = Literal["function", "functions", "layer", "model", "number", "choice"]
State = Literal[
    "not attempted", "incomplete", "incorrect", "error", "broken", "correct"
]

_HINT_TITLES = ("what is observed", "the concept", "the place in the code")


class Failure(Exception):
    """A rule does not hold; the message is what the learner reads.

    Args:
        message: what was expected and what came, with shapes or values.
        rule: the name of the rule, where it is not the one that is running.
    """

    def __init__(self, message: str, *, rule: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule


class CheckFailed(AssertionError):
    """Raised only when the environment variable COURSE_CHECK asks for it."""


class _LearnerError(Exception):
    """Carries what the learner's own code raised out of a rule."""

    def __init__(self, original: BaseException) -> None:
        super().__init__("the learner's code raised")
        self.original = original


# --- Definitions ----------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """One named thing that must hold for an answer to be correct.

    Args:
        name: a few words that say what holds ("keeps the shape").
        function: called with the answer; returns None or raises `Failure`.
        hints: three texts, from what is observed over the concept to the place.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an empty text, or not three hints.
    """

    name: str
    function: Callable[[Any], None]
    hints: tuple[str, str, str]

    def __post_init__(self) -> None:
        _validate.string("name", self.name)
        _validate.function("function", self.function)
        if isinstance(self.hints, str) or not isinstance(self.hints, Sequence):
            _validate.fail_type("hints", "three texts", self.hints)
        if len(self.hints) != 3:
            _validate.fail("hints", "three texts", self.hints)
        for text in self.hints:
            _validate.string("hints", text)


@dataclass(frozen=True)
class Exercise:
    """An exercise: its name, its kind and the rules an answer is judged by.

    Args:
        name: "<topic>.<exercise>", the name the lesson passes to `check`.
        kind: what the learner writes: "function", "functions" (a dict of them),
            "layer" (a class), "model" (a function that builds one), "number" or
            "choice" (a word).
        lesson: the two digits of the lesson ("02").
        title: a few words for tables.
        rules: in order; the first that fails is reported.
        correct: one line that says what was checked.
        parts: the stubs inside a layer class, or the names of several functions.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an unknown kind, a name of another form, an empty text, no rules,
            two of one name, or no parts where they are needed.
    """

    name: str
    kind: Kind
    lesson: str
    title: str
    rules: Sequence[Rule]
    correct: str
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _validate.string("name", self.name)
        if not re.fullmatch(r"[a-z]+\.[a-z0-9_]+", self.name):
            _validate.fail("name", "a name such as 'residual.block'", self.name)
        _validate.choice("kind", self.kind, get_args(Kind))
        for argument in ("lesson", "title", "correct"):
            _validate.string(argument, getattr(self, argument))
        if not isinstance(self.rules, Sequence):
            _validate.fail_type("rules", "a list of rules", self.rules)
        for rule in self.rules:
            if not isinstance(rule, Rule):
                _validate.fail_type("rules", "a list of rules", rule)
        names = [rule.name for rule in self.rules]
        if not names or len(set(names)) != len(names):
            _validate.fail("rules", "at least one rule, each with its own name", names)
        if not isinstance(self.parts, (tuple, list)):
            _validate.fail_type("parts", "a tuple of names", self.parts)
        for part in self.parts:
            _validate.string("parts", part)
        if self.kind in ("layer", "functions") and not self.parts:
            _validate.fail("parts", f"the names of the stubs of a {self.kind}", ())

    @property
    def prefix(self) -> str:
        """The part of the name before the dot: the topic."""
        return self.name.partition(".")[0]


# --- What a learner sees --------------------------------------------------------------

# White on each of these is at least 4.5 to 1, and so passes WCAG AA on any page.
_COLORS: dict[str, str] = {
    "not attempted": "#4a5568",
    "incomplete": "#7a4b00",
    "incorrect": "#a61b1b",
    "error": "#7b1fa2",
    "broken": "#1f2937",
    "correct": "#0b6b3a",
    "hint": "#0b5394",
}
_MARKS = {
    "not attempted": "○",
    "incomplete": "◐",
    "incorrect": "✗",
    "error": "!",
    "broken": "⚠",
    "correct": "✓",
}


def _escape(text: str) -> str:
    """Escape for HTML, and turn `code` into a code element."""
    parts = re.split(r"`([^`\n]+)`", text)
    return "".join(
        f"<code>{html.escape(part)}</code>" if i % 2 else html.escape(part)
        for i, part in enumerate(parts)
    )


def _box(state: str, badge: str, name: str, body: str) -> str:
    color = _COLORS[state]
    return (
        f'<div role="status" class="course-check" style="border-left:0.3em solid '
        f'{color};padding:0.3em 0.8em;margin:0.4em 0;color:inherit">'
        f'<p style="margin:0.2em 0"><strong style="background:{color};color:#ffffff;'
        f'padding:0.1em 0.5em;border-radius:0.3em">{html.escape(badge)}</strong> '
        f"<code>{html.escape(name)}</code></p>{body}</div>"
    )


def _paragraph(text: str) -> str:
    return f'<p style="margin:0.2em 0;white-space:pre-wrap">{_escape(text)}</p>'


@dataclass(frozen=True)
class Hint:
    """A hint; it displays itself in a notebook and in a terminal.

    Attributes:
        name: the exercise.
        rule: the rule the hint is about, or None.
        level: 1 to 3, or 0 where there is nothing to hint at.
        text: the hint itself.
    """

    name: str
    rule: str | None
    level: int
    text: str

    def _badge(self) -> str:
        if not self.level:
            return "No hint needed"
        return f"Hint {self.level} of 3: {_HINT_TITLES[self.level - 1]}"

    def __repr__(self) -> str:
        about = f"\n  about: {self.rule}" if self.rule else ""
        return f"{self._badge()} · {self.name}{about}\n  {_indent(self.text)}"

    def _repr_html_(self) -> str:
        body = _paragraph(f"About: {self.rule}") if self.rule else ""
        return _box("hint", self._badge(), self.name, body + _paragraph(self.text))


@dataclass(frozen=True)
class Result:
    """What a check found; it displays itself in a notebook and in a terminal.

    Attributes:
        name: the exercise.
        state: "not attempted", "incomplete", "incorrect", "error", "broken" or
            "correct".
        message: what the learner reads.
        rule: the rule that failed or during which the code raised, or None.
        level: the level (1 to 3) of the hint that `hint(name)` shows now, or 0.
        seconds: how long the check took.
    """

    name: str
    state: State
    message: str
    rule: str | None = None
    level: int = 0
    seconds: float = field(default=0.0, compare=False)

    @property
    def correct(self) -> bool:
        """Whether every rule holds."""
        return self.state == "correct"

    def _advice(self) -> str:
        if self.level:
            return f'Stuck? hint("{self.name}") shows hint {self.level} of 3.'
        return ""

    def __repr__(self) -> str:
        lines = [f"{_MARKS[self.state]} {self.state.upper()} · {self.name}"]
        if self.rule and self.state == "incorrect":
            lines.append(f"  rule: {self.rule}")
        lines.append("  " + _indent(self.message))
        if self._advice():
            lines.append("  " + self._advice())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = ""
        if self.rule and self.state == "incorrect":
            body += _paragraph(f"Rule: {self.rule}")
        if self.state in ("error", "broken"):
            first, _, rest = self.message.partition("\n")
            body += _paragraph(first)
            if rest:
                body += (
                    '<pre style="margin:0.2em 0;white-space:pre-wrap;color:inherit;'
                    f'background:transparent">{html.escape(rest)}</pre>'
                )
        else:
            body += _paragraph(self.message)
        if self._advice():
            body += _paragraph(self._advice())
        badge = f"{_MARKS[self.state]} {self.state.capitalize()}"
        return _box(self.state, badge, self.name, body)


def _indent(text: str) -> str:
    return text.replace("\n", "\n  ")


# --- Helpers for rules ----------------------------------------------------------------


class _Running:
    """What belongs to one run of a check."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.kept: dict[Any, Any] = {}
        self.calls = 0


class _Stack(threading.local):
    def __init__(self) -> None:
        self.checks: list[_Running] = []


# The checks that run in this thread; more than one where an answer calls `check`.
_RUNNING = _Stack()


def once(key: Any, function: Callable[[], Any]) -> Any:
    """Return `function()`, computed only once within the check that is running."""
    if not _RUNNING.checks:
        return function()
    kept = _RUNNING.checks[-1].kept
    if key not in kept:
        kept[key] = function()
    return kept[key]


def attempt(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run something in which the learner's code runs; what it raises is theirs.

    Unlike `call` it passes the arguments as they are.
    """
    running = _RUNNING.checks[-1] if _RUNNING.checks else None
    try:
        result = run_learner(function, args, kwargs)
    except _LearnerError:
        raise
    except BaseException as error:
        if running is None:
            raise
        raise _LearnerError(error) from error
    if running is not None:
        if running.clock.thrown:
            raise _LearnerError(OutOfTime())
        running.calls += 1
    return result


def call(answer: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the learner's function on copies, and notice if it changes its input.

    Args:
        answer: the learner's function, class, or an object made by one.
        *args: passed on; arrays, also inside lists, tuples and dicts, are copied.
        **kwargs: passed on in the same way.

    Returns:
        What the function returned, untouched.

    Raises:
        Failure: if the function changed an array that it was given.
    """
    given_args = [_copy(value) for value in args]
    given_kwargs = {key: _copy(value) for key, value in kwargs.items()}
    result = attempt(answer, *given_args, **given_kwargs)
    pairs = [*zip(args, given_args, strict=True)]
    pairs += [(kwargs[key], given_kwargs[key]) for key in kwargs]
    for position, (before, after) in enumerate(pairs):
        if not _unchanged(before, after):
            names = [f"number {i + 1}" for i in range(len(args))]
            names += [f"`{key}`" for key in kwargs]
            raise Failure(
                f"Your code changes argument {names[position]} that it was given. "
                "The caller still needs it: work on a copy.",
                rule=_UNCHANGED,
            )
    return result


def _is_torch(value: Any) -> bool:
    return type(value).__module__ == "torch" and hasattr(value, "detach")


def _copy(value: Any) -> Any:
    if type(value) is np.ndarray:
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(_copy(item) for item in value)
    if type(value) is dict:
        return {key: _copy(item) for key, item in value.items()}
    if _is_torch(value):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return value


def _unchanged(before: Any, after: Any) -> bool:
    if type(before) is np.ndarray:
        return before.shape == after.shape and bool(
            np.array_equal(before, after, equal_nan=before.dtype.kind in "fc")
        )
    if type(before) in (list, tuple):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    if type(before) is dict:
        return before.keys() == after.keys() and all(
            _unchanged(before[key], after[key]) for key in before
        )
    if _is_torch(before):
        return bool((before.detach() == after.detach()).all())
    return True


def as_array(value: Any, what: str = "the result") -> np.ndarray:
    """Return any array, tensor, number or nested list as a plain NumPy array.

    Args:
        value: what the learner's code returned.
        what: how the message calls it.

    Raises:
        Failure: if it is nothing of the kind, or its values are no numbers.
    """
    expected = f"{what}: expected an array of numbers, got {describe(value)}."
    numbers = (int, float, complex, np.generic, np.ndarray, list, tuple)
    if not isinstance(value, numbers) and not (
        hasattr(value, "shape") and hasattr(value, "dtype")
    ):
        raise Failure(expected)
    try:
        if _is_torch(value):
            value = value.detach().cpu()
            if "bfloat16" in str(value.dtype):
                raise Failure(expected)
        array = np.array(run_learner(np.asarray, (value,), {}), subok=False)
    except Failure:
        raise
    except Exception as error:
        if ends_with_learner(error):
            raise _LearnerError(error) from error
        raise Failure(expected) from None
    if array.dtype.kind not in "biufc":
        raise Failure(expected)
    return array


def expect(condition: bool, message: str) -> None:
    """Raise `Failure(message)` unless the condition holds."""
    if not condition:
        raise Failure(message)


def shape_of(value: Any, what: str = "the result") -> tuple[int | None, ...]:
    """Return the shape of an array or a (symbolic) tensor as a plain tuple."""
    if type(value) is np.ndarray:
        return value.shape
    if is_library(type(value)) and hasattr(value, "shape"):
        return tuple(None if n is None else operator.index(n) for n in value.shape)
    return as_array(value, what).shape


def expect_shape(
    actual: Any, shape: Sequence[int | None], *, what: str = "the result"
) -> None:
    """Require a shape; the message shows both.

    Args:
        actual: an array, a tensor or a symbolic Keras tensor.
        shape: the expected shape; None must be None (a batch of any size).
        what: how the message calls it.
    """
    came = shape_of(actual, what)
    if came != tuple(shape):
        raise Failure(f"{what}: expected shape {tuple(shape)}, got {came}.")


def expect_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    what: str = "the result",
    dtype: str | None = None,
) -> None:
    """Require equal shape, a fitting type and close values.

    Floats are expected where `expected` holds floats: whole numbers, booleans, complex
    numbers and half precision are refused (a plain Python int is fine).

    Args:
        actual: what the learner's code returned.
        expected: the oracle's array or number.
        rtol: relative tolerance.
        atol: absolute tolerance.
        what: how the message calls it.
        dtype: the exact type to require, such as "float32".
    """
    wanted = np.asarray(expected)
    try:
        came = as_array(actual, what)
    except Failure:
        if wanted.ndim:
            raise
        came = np.empty(0)
    if came.shape != wanted.shape:
        if wanted.ndim == 0:
            number = f"one number, {_number(wanted[()])}"
            raise Failure(f"{what}: expected {number}, got {describe(actual)}.")
        raise Failure(f"{what}: expected shape {wanted.shape}, got {came.shape}.")
    _expect_type(actual, came, wanted, what, dtype)
    bad = int(came.size - np.isfinite(came).sum())
    if bad and np.isfinite(wanted).all():
        raise Failure(f"{what}: {bad} of {came.size} values are NaN or infinite.")
    close = np.isclose(came, wanted, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return
    if came.ndim == 0:
        raise Failure(
            f"{what}: expected {_number(wanted[()])}, got {_number(came[()])}."
        )
    with np.errstate(invalid="ignore"):
        gap = np.where(close, -1.0, np.abs(came - wanted.astype("float64")))
    place = tuple(int(i) for i in np.unravel_index(np.nanargmax(gap), gap.shape))
    raise Failure(
        f"{what}: {int((~close).sum())} of {came.size} values differ, most at "
        f"{list(place)}: expected {_number(wanted[place])}, got {_number(came[place])}."
    )


def _expect_type(
    actual: Any, came: np.ndarray, wanted: np.ndarray, what: str, dtype: str | None
) -> None:
    kind = came.dtype.kind
    if dtype is not None:
        fits, asked = came.dtype == np.dtype(dtype), dtype
    elif wanted.dtype.kind == "f":
        weak = type(actual) is int
        fits, asked = (kind == "f" and came.dtype.itemsize >= 4) or weak, "a float type"
    elif wanted.dtype.kind in "iu":
        fits, asked = kind in "iu", "whole numbers (an integer type)"
    else:
        fits, asked = kind == wanted.dtype.kind, str(wanted.dtype)
    if not fits:
        raise Failure(f"{what}: expected {asked}, got {came.dtype}.")


def expect_equal(actual: Any, expected: Any, *, what: str = "the result") -> None:
    """Require the same whole number, word or truth value."""
    if isinstance(expected, str):
        if not isinstance(actual, str) or str.__str__(actual) != expected:
            raise Failure(f"{what}: expected {expected!r}, got {describe(actual)}.")
        return
    expect_close(actual, expected, rtol=0, atol=0, what=what)


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)


# --- Judging --------------------------------------------------------------------------

_UNCHANGED = "leaves its input unchanged"
_BUILT_IN_HINTS: dict[str, tuple[str, str, str]] = {
    _UNCHANGED: (
        "The array that goes in looks different after your function ran.",
        "NumPy's `+=`, `x[...] = …` and `out=x` write into the array itself.",
        "Look for a line that assigns into an argument; assign to a new name instead.",
    ),
    "is a function": (
        "The check got something that cannot be called.",
        "The check calls your function itself, with inputs of its own.",
        "Pass the function's name without parentheses in the check cell.",
    ),
    "is a layer class": (
        "The check got something that is no class of a Keras layer.",
        "The check makes its own layers from your class.",
        "Pass the class's name without parentheses; it derives from `layers.Layer`.",
    ),
    "is a model": (
        "The function that builds the model does not return a `keras.Model`.",
        "The check builds its own copy by calling your function.",
        "Look at the `return` line of the function.",
    ),
    "is a number": (
        "The check got something that is not one real number.",
        "The answer is a plain number such as `3` or `0.5`.",
        "Look at what stands behind `answer =`.",
    ),
    "is a word": (
        "The check got something that is not a text.",
        "The answer is a word between quotation marks.",
        "Look at what stands behind `answer =`.",
    ),
    "has all its parts": (
        "The check got fewer functions than the exercise asks for.",
        "Several functions go to the check as one dict, by their names.",
        "Restore the check cell as the lesson has it.",
    ),
}


def built_in_rules() -> tuple[str, ...]:
    """Return the names of the rules that every check has without stating them."""
    return tuple(_BUILT_IN_HINTS)


def _code_of(function: Any) -> types.CodeType | None:
    """Return the code of a function under decorators, methods and partials."""
    for _ in range(20):
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, (classmethod, staticmethod, types.MethodType)):
            function = function.__func__
        elif isinstance(function, types.FunctionType):
            inner = function.__dict__.get("__wrapped__")
            if inner is None:
                return function.__code__
            function = inner
        else:
            return None
    return None


_SILENT = {"RESUME", "NOP", "CACHE", "PRECALL", "PUSH_NULL", "MAKE_CELL"}
_SILENT |= {"COPY_FREE_VARS", "EXTENDED_ARG", "NOT_TAKEN"}
_STUB = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_CONST", "CALL", "CALL_FUNCTION"}


def _is_stub(function: Any) -> bool:
    """Tell whether a function's body is `raise NotImplementedError` and no more."""
    code = _code_of(function)
    if code is None:
        return False
    steps = [s for s in dis.get_instructions(code) if s.opname not in _SILENT]
    return (
        2 <= len(steps) <= 4
        and steps[-1].opname == "RAISE_VARARGS"
        and steps[0].argval == "NotImplementedError"
        and all(step.opname in _STUB for step in steps[:-1])
    )


def _stub_line(function: Any) -> str:
    code = _code_of(function)
    if code is None:
        return ""
    numbers = [line for _, _, line in code.co_lines() if line is not None]
    return f" (line {max(numbers)} of the cell)" if numbers else ""


@dataclass(frozen=True)
class _Verdict:
    state: State
    message: str
    rule: str | None = None


_BLANK_VALUE = "Not attempted yet. Replace the `...` behind `answer =` by your answer."


def _blank(exercise: Exercise, answer: Any) -> _Verdict | None:
    """Return the verdict on an answer of which something is still a stub."""
    if answer is ...:
        return _Verdict("not attempted", _BLANK_VALUE)
    if exercise.kind in ("layer", "functions"):
        if isinstance(answer, type):
            members: Mapping[str, Any] = answer.__dict__
        elif type(answer) is dict:
            members = answer
        else:
            return None
        stubs = [
            part
            for part in exercise.parts
            if members.get(part) is ... or _is_stub(members.get(part))
        ]
        names = ", ".join(f"`{part}`" for part in stubs)
        if len(stubs) == len(exercise.parts):
            text = f"Not attempted yet. Replace `raise NotImplementedError` in {names}."
            return _Verdict("not attempted", text)
        if stubs:
            text = f"Incomplete: {names} still raises `NotImplementedError`."
            return _Verdict("incomplete", text)
        return None
    if _is_stub(answer):
        return _Verdict("not attempted", _blank_function(answer))
    return None


def _blank_function(answer: Any) -> str:
    code = _code_of(answer)
    where = f" in `{code.co_name}`{_stub_line(answer)}" if code else ""
    return (
        f"Not attempted yet. Replace the line `raise NotImplementedError`{where} "
        "by your code."
    )


def _accept(exercise: Exercise, answer: Any) -> Any:
    """Return the answer as the rules take it, or refuse what is of the wrong kind."""
    kind = exercise.kind
    if kind == "number":
        return _plain_number(answer)
    if kind == "choice":
        if not isinstance(answer, str):
            raise Failure(
                f"expected a word in quotation marks, got {describe(answer)}.",
                rule="is a word",
            )
        return " ".join(str.__str__(answer).split()).casefold()
    if kind == "layer":
        import keras

        if not (isinstance(answer, type) and issubclass(answer, keras.layers.Layer)):
            raise Failure(
                f"expected a class that derives from layers.Layer, got "
                f"{describe(answer)}.",
                rule="is a layer class",
            )
    elif kind == "functions":
        if type(answer) is not dict or set(exercise.parts) - set(answer):
            raise Failure(
                f"expected a dict with the functions {', '.join(exercise.parts)}, got "
                f"{describe(answer)}.",
                rule="has all its parts",
            )
        for part in exercise.parts:
            _expect_function(answer[part], f"`{part}`")
    else:
        _expect_function(answer, "the answer")
    return answer


def _expect_function(answer: Any, what: str) -> None:
    keras = sys.modules.get("keras")
    built = keras is not None and isinstance(answer, keras.layers.Layer)
    if not callable(answer) or built:
        raise Failure(
            f"{what}: expected a function, got {describe(answer)}.",
            rule="is a function",
        )


def _plain_number(answer: Any) -> int | float:
    refusal = Failure(
        f"expected one real number, got {describe(answer)}.", rule="is a number"
    )
    if isinstance(answer, (bool, np.bool_)):
        raise refusal
    if isinstance(answer, (int, np.integer)):
        whole = int.__int__(answer) if isinstance(answer, int) else answer.item()
        if abs(whole) > sys.float_info.max:
            words = "expected a number that fits in a float, got a far larger one."
            raise Failure(words, rule="is a number")
        return whole
    if isinstance(answer, float):
        value = float.__float__(answer)
    elif isinstance(answer, (str, bytes, list, tuple, dict)) or not (
        isinstance(answer, (np.ndarray, np.floating)) or is_library(type(answer))
    ):
        raise refusal
    else:
        try:
            array = as_array(answer)
        except Failure:
            raise refusal from None
        if array.ndim or array.dtype.kind not in "iuf":
            raise refusal
        value = array.item()
    if not np.isfinite(value):
        raise refusal
    return value


def _judge(exercise: Exercise, answer: Any, running: _Running) -> _Verdict:
    """Hold an answer against the rules. Never raises."""
    rule: Rule | None = None
    try:
        verdict = within_a_check(_blank, exercise, answer)
        if verdict is not None:
            return verdict
        accepted = within_a_check(_accept, exercise, answer)
        for rule in exercise.rules:
            within_a_check(rule.function, accepted)
            if running.clock.thrown:
                raise OutOfTime
    except Failure as failure:
        name = failure.rule or (rule.name if rule else None)
        return _Verdict("incorrect", failure.message, name)
    except _LearnerError as error:
        return _verdict_on_error(exercise, answer, error.original, rule, running)
    except BaseException as error:
        theirs = isinstance(error, OutOfTime) or ends_with_learner(error)
        if theirs:
            return _verdict_on_error(exercise, answer, error, rule, running)
        return _fault(error, rule)
    return _Verdict("correct", f"Checked: {exercise.correct}")


def _verdict_on_error(
    exercise: Exercise,
    answer: Any,
    error: BaseException,
    rule: Rule | None,
    running: _Running,
) -> _Verdict:
    name = rule.name if rule else None
    location = location_of(error)
    if isinstance(error, OutOfTime) or running.clock.thrown:
        limit = running.clock.limit
        text = (
            f"Your code did not end within {limit:g} s and was stopped. Is there a "
            "loop that never ends?"
        )
        return _Verdict("error", text + (f"\n{location}" if location else ""), name)
    if isinstance(error, NotImplementedError):
        blank = _verdict_on_stub(exercise, answer, error, running)
        if blank is not None:
            return blank
    text = "Your code raised an exception."
    if not location:
        text = "Calling your code raised an exception."
    parts = [text, location, text_of(error)]
    if isinstance(error, SystemExit):
        parts.append("A function in a notebook returns; it does not exit.")
    return _Verdict("error", "\n".join(part for part in parts if part), name)


def _verdict_on_stub(
    exercise: Exercise, answer: Any, error: BaseException, running: _Running
) -> _Verdict | None:
    """Return the verdict on a NotImplementedError from the learner's own line."""
    steps = trace(error)
    if not steps or owner_of(steps[-1]) != "learner":
        return None
    code, line = steps[-1].tb_frame.f_code, steps[-1].tb_lineno
    raising = [s for s in dis.get_instructions(code) if s.opname == "RAISE_VARARGS"]
    if steps[-1].tb_lasti not in [step.offset for step in raising]:
        return None  # a library in compiled code raised it, not a `raise` of theirs
    if code is _code_of(answer) and not running.calls:
        return _Verdict("not attempted", _blank_function(answer))
    part = getattr(code, "co_qualname", code.co_name).replace("<locals>.", "")
    return _Verdict(
        "incomplete",
        f"Incomplete: `{part}` still raises `NotImplementedError` (line {line}).",
    )


def _fault(error: BaseException, rule: Rule | None) -> _Verdict:
    """Return the verdict that the check itself is at fault."""
    place = ""
    for step in steps_of(error):
        if owner_of(step) == "course":
            file = Path(step.tb_frame.f_code.co_filename).name
            place = f" at {file}:{step.tb_lineno}"
    text = (
        "This is a fault of the course, not yours: the check itself crashed. Please "
        f"report it{_issues_page()} with the output of `report()` and the lines below."
        f"\nrule: {rule.name if rule else 'none yet'}\n{text_of(error)}{place}"
    )
    return _Verdict("broken", text, rule.name if rule else None)


def _issues_page() -> str:
    with contextlib.suppress(Exception):
        from importlib.metadata import metadata

        for entry in metadata("course-utils").get_all("Project-URL") or ():
            label, _, address = entry.partition(", ")
            if label == "Repository":
                return f" at {address}/issues"
    return ""


@contextlib.contextmanager
def _own_random_numbers() -> Iterator[None]:
    """Give a check its own random numbers, and leave the notebook's as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    random.seed(0)
    np.random.seed(0)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextlib.contextmanager
def _quick_compilation() -> Iterator[None]:
    """Let JAX compile without optimizing: a check runs each operation only once."""
    jax = sys.modules.get("jax")
    setting = "jax_disable_most_optimizations"
    before = None
    with contextlib.suppress(Exception):  # another version may not have it
        before = jax.config.values[setting]  # type: ignore[union-attr]
    if jax is None or before is None:
        yield
        return
    jax.config.update(setting, True)
    try:
        yield
    finally:
        jax.config.update(setting, before)


def _photograph(answer: Any) -> Any:
    """Record weights, trainable flags and compile state of a Keras object."""
    keras = sys.modules.get("keras")
    # Of its type, since an object may say anything of its `__class__`, or raise.
    if keras is None or not issubclass(type(answer), keras.layers.Layer):
        return None
    weights = [keras.ops.convert_to_numpy(w).copy() for w in answer.variables]
    flags = [bool(w.trainable) for w in answer.variables]
    return weights, flags, bool(answer.trainable), id(getattr(answer, "optimizer", 0))


def _same_photograph(before: Any, after: Any) -> bool:
    if before is None or after is None:
        return before is after
    return before[1:] == after[1:] and all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in zip(before[0], after[0], strict=True)
    )


# --- Memory of where a learner is -----------------------------------------------------


@dataclass
class _Progress:
    rule: str | None = None
    level: int = 0
    done: bool = False
    stopped: bool = False


_PROGRESS: dict[str, _Progress] = {}


def _position(exercise: Exercise, rule: str | None) -> int:
    names = [entry.name for entry in exercise.rules]
    return names.index(rule) if rule in names else -1


def _remember(exercise: Exercise, verdict: _Verdict) -> int:
    """Move the hint level on, and return the level that `hint` shows now."""
    progress = _PROGRESS.setdefault(exercise.name, _Progress())
    if verdict.state == "correct":
        _PROGRESS[exercise.name] = _Progress(done=True)
        return 0
    progress.done = False
    progress.stopped = verdict.state == "error"
    if verdict.state == "incorrect" and verdict.rule is not None:
        same = verdict.rule == progress.rule
        progress.level = min(progress.level + 1, 3) if same else 1
        progress.rule = verdict.rule
        return progress.level
    return 0


def _hints(exercise: Exercise, rule: str) -> tuple[str, str, str]:
    for entry in exercise.rules:
        if entry.name == rule:
            return entry.hints
    return _BUILT_IN_HINTS[rule]


# --- The two functions a lesson calls -------------------------------------------------


def _find(name: str) -> Exercise:
    from course_utils import checks

    return checks.find(name)


def check(name: str, answer: Any) -> Result:
    """Hold an answer against the rules of an exercise.

    The answer can be anything at all: what it raises, how long it takes and what it
    returns end up in the result, not in an exception. The answer is not changed.

    Args:
        name: the exercise's name, such as "start.output_size".
        answer: the function, class, number or word that the exercise asks for.

    Returns:
        A result that displays itself: its state and what to do next.

    Raises:
        ValueError: if no exercise has that name.
        CheckFailed: only if the environment variable COURSE_CHECK is "blank" or
            "solved" and the state is not *not attempted* or *correct*.

    Example:
        >>> check("start.output_size", ...).state
        'not attempted'

    Taught in lesson 00.
    """
    exercise = _find(name)
    wanted = _wanted_state()
    result = _run(exercise, answer)
    _log(result)
    if wanted and result.state != wanted:
        raise CheckFailed(f"expected {wanted!r} (COURSE_CHECK), found:\n{result!r}")
    return result


def _run(exercise: Exercise, answer: Any) -> Result:
    start = time.perf_counter()
    running = _Running(Clock() if _RUNNING.checks else new_clock())
    _RUNNING.checks.append(running)
    try:
        before = _photograph(answer)
        with _own_random_numbers(), _quick_compilation(), running.clock:
            verdict = _judge(exercise, answer, running)
        if not _same_photograph(before, _photograph(answer)):
            error = RuntimeError("the check changed the object that it was given")
            verdict = _fault(error, None)
    except BaseException as error:
        verdict = _fault(error, None)
    finally:
        _RUNNING.checks.pop()
    level = _remember(exercise, verdict)
    seconds = time.perf_counter() - start
    return Result(
        exercise.name, verdict.state, verdict.message, verdict.rule, level, seconds
    )


def _wanted_state() -> State | None:
    mode = os.environ.get("COURSE_CHECK", "").strip()
    if not mode:
        return None
    wanted: dict[str, State] = {"blank": "not attempted", "solved": "correct"}
    return wanted[_validate.choice("COURSE_CHECK", mode, list(wanted))]


def _log(result: Result) -> None:
    """Append one JSON line to the file named by COURSE_CHECK_LOG, if any."""
    path = os.environ.get("COURSE_CHECK_LOG", "").strip()
    if not path:
        return
    record = {
        "exercise": result.name,
        "state": result.state,
        "rule": result.rule,
        "message": result.message,
        "seconds": round(result.seconds, 3),
    }
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    except OSError as error:
        print(f"COURSE_CHECK_LOG: cannot write to {path}: {error}", file=sys.stderr)


def hint(name: str) -> Hint:
    """Return the hint for where the learner is with an exercise.

    There are three levels: what is observed, the concept, the place in the code. When
    the same rule fails again in `check`, the hint moves one level up; progress to a
    later rule starts again at the first.

    Args:
        name: the exercise's name, such as "start.output_size".

    Returns:
        A hint that displays itself.

    Raises:
        ValueError: if no exercise has that name.

    Example:
        >>> hint("start.output_size").level
        1

    Taught in lesson 00.
    """
    exercise = _find(name)
    progress = _PROGRESS.get(name, _Progress())
    if progress.done:
        return Hint(name, None, 0, "Your answer is correct.")
    if progress.stopped:
        return Hint(
            name,
            None,
            0,
            "Your code stopped with an exception. Read its last line, and the line of "
            "yours that the check shows; print the shapes there.",
        )
    rule = progress.rule or exercise.rules[0].name
    level = max(progress.level, 1)
    return Hint(name, rule, level, _hints(exercise, rule)[level - 1])


def forget(name: str | None = None) -> None:
    """Start again at the first hint, of one exercise or (None) of all."""
    if name is None:
        _PROGRESS.clear()
    else:
        _PROGRESS.pop(_find(name).name, None)
