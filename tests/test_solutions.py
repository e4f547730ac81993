"""Proof that each check works: right, wrong, untouched and absurd answers.

An exercise is in these tests as soon as the registry, a lesson or the folder
`solutions/` knows it.
"""

from __future__ import annotations

import re
import socket
import sys
import unittest.mock
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import solutions_of

from course_utils import checks, exercises

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def seeded_as_in_a_lesson():
    """Do what `setup` has done before any check: on every backend, Keras' first seed
    imports TensorFlow where it is installed, which takes longer than an answer may."""
    import keras

    keras.utils.set_random_seed(0)


ANSWERS = [a for path in solutions_of.files() for a in solutions_of.answers(path)]
CANONICAL = {a.exercise: a for a in ANSWERS if a.right == "canonical"}
RIGHT = [answer for answer in ANSWERS if answer.right]
WRONG = [answer for answer in ANSWERS if answer.wrong]
EXERCISES = sorted(checks.every())


@cache
def places():
    return solutions_of.every_place()


def by_answer(answers):
    return pytest.mark.parametrize(
        "answer", answers, ids=lambda answer: f"{answer.exercise}: {answer.title}"
    )


by_exercise = pytest.mark.parametrize("name", EXERCISES)


@pytest.fixture(scope="module", autouse=True)
def no_network():
    """A check never needs the network: whoever asks for it fails."""
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*args, **kwargs):
            raise AssertionError("a check asked for the network")

        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


def handed_in(answer):
    """Return what the lesson's check cell would pass on for an answer."""
    names = answer.run()
    return eval(places()[answer.exercise].expression, names)


@pytest.fixture(autouse=True)
def _fresh_hints():
    exercises.forget()


def judge(name, value):
    return exercises._run(checks.find(name), value)


# --- Right, wrong, untouched ----------------------------------------------------------


@by_answer(RIGHT)
def test_a_right_answer_is_correct(answer):
    result = judge(answer.exercise, handed_in(answer))
    assert result.state == "correct", result


@by_answer(WRONG)
def test_a_wrong_answer_trips_the_rule_it_names(answer):
    result = judge(answer.exercise, handed_in(answer))
    assert (result.state, result.rule) == ("incorrect", answer.wrong), result


@by_exercise
def test_an_untouched_stub_is_not_attempted(name):
    place = places()[name]
    names = solutions_of.run_cell(place.stub, f"<{name}: stub>")
    result = judge(name, eval(place.expression, names))
    assert result.state == "not attempted", result


# --- Completeness ---------------------------------------------------------------------


@by_exercise
def test_an_exercise_stands_in_its_lesson(name):
    assert name in places(), "no lesson has a cell with this name in its metadata"
    assert places()[name].lesson.startswith(checks.find(name).lesson + "_")


def test_each_exercise_of_a_lesson_has_a_check():
    assert set(places()) <= set(EXERCISES)


@by_exercise
def test_an_exercise_has_enough_answers(name):
    mine = [answer for answer in ANSWERS if answer.exercise == name]
    styles = [answer.right for answer in mine if answer.right]
    assert styles.count("canonical") == 1
    assert len(styles) >= 2, "expected another right style"
    assert sum(bool(answer.wrong) for answer in mine) >= 3


@by_exercise
def test_every_rule_is_tripped_by_a_wrong_answer(name):
    rules = {rule.name for rule in checks.find(name).rules}
    tripped = {answer.wrong for answer in WRONG if answer.exercise == name}
    assert rules - tripped == set(), "no wrong answer trips these rules"
    assert tripped <= rules | set(exercises.built_in_rules())


@by_answer(WRONG)
def test_the_first_hint_gives_no_line_of_the_solution_away(answer):
    exercise = checks.find(answer.exercise)
    hint = solutions_of._dense(exercises._hints(exercise, answer.wrong)[0])
    for line in revealing_parts(answer.exercise):
        assert line not in hint, f"the first hint says {line}"


@cache
def revealing_parts(name):
    """Return what a first hint must not say: expressions, or the answer itself."""
    source = CANONICAL[name].source
    parts = set()
    for line in solutions_of._code_lines(source):
        if line.startswith(("def ", "class ", "@", "import ", "from ")):
            continue
        line = solutions_of._dense(line)
        parts.add(line)
        parts.add(re.split(r"^return|(?<![=<>!])=(?!=)", line, maxsplit=1)[-1])
    if checks.find(name).kind in ("number", "choice"):
        value = handed_in(CANONICAL[name])
        parts |= {str(value)} if isinstance(value, str) else {f"{value:,}", str(value)}
        return {part for part in parts if len(part) > 2}
    return {part for part in parts if len(part) >= 8}


# --- Automatic negatives --------------------------------------------------------------


class EqualToEverything:
    """Says yes to every comparison, and raises where it is looked at."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = object.__hash__

    def __bool__(self):
        return True

    def __repr__(self):
        raise RuntimeError("no repr")


class EqualText(str):
    """A text that is equal to every other text."""

    __eq__ = EqualToEverything.__eq__
    __hash__ = str.__hash__


class EqualNumber(float):
    """A number that is equal to every other number."""

    __eq__ = EqualToEverything.__eq__
    __ne__ = EqualToEverything.__ne__
    __hash__ = float.__hash__

    def __float__(self):
        return self


class NotToBeLookedAt:
    """Raises wherever something is asked of it."""

    def __getattribute__(self, name):
        raise RuntimeError(f"no {name}")


def endless():
    while True:
        yield 0.0


def change(result, on_array, on_tensor):
    """Apply a change to every array or tensor in a result."""
    import keras

    if isinstance(result, (list, tuple)):
        return type(result)(change(item, on_array, on_tensor) for item in result)
    if isinstance(result, dict):
        return {k: change(v, on_array, on_tensor) for k, v in result.items()}
    if isinstance(result, keras.Model):
        outputs = change(result.outputs, on_array, on_tensor)
        return keras.Model(result.inputs, outputs)
    if isinstance(result, (int, float, np.ndarray, np.generic)):
        return on_array(np.asarray(result))
    if hasattr(result, "element_spec"):
        return changed_dataset(result, on_array, on_tensor)
    if hasattr(result, "shape"):
        return on_tensor(result)
    return result


def changed_dataset(dataset, on_array, on_tensor):
    """Apply a change to every part of every element of a tf.data.Dataset."""
    import tensorflow as tf

    elements = [change(e, on_array, on_tensor) for e in dataset.as_numpy_iterator()]
    parts = (tf.data.Dataset.from_tensors(element) for element in elements)
    whole = next(parts)
    for part in parts:
        if part.element_spec != whole.element_spec:
            break  # a smaller batch at the end
        whole = whole.concatenate(part)
    return whole


def _ops():
    from keras import ops

    return ops


def zeros(result):
    return change(result, np.zeros_like, lambda t: _ops().zeros_like(t))


def constant(result):
    return change(result, lambda a: a * 0 + 7, lambda t: _ops().ones_like(t) * 7)


def complex_numbers(result):
    return change(result, lambda a: a.astype("complex64"), as_half)


def half_precision(result):
    return change(result, lambda a: a.astype("float16"), as_half)


def as_half(tensor):
    return _ops().cast(tensor, "float16")


def text(result):
    return change(result, lambda a: a.astype(str), as_half)


def identity(result, *inputs):
    return inputs[0] if inputs else None


def raises_at_the_end(result):
    raise KeyError("in the middle")


def never_ends(result):
    for _ in endless():
        pass


RESULTS = {
    "returns None": lambda result: None,
    "returns zeros": zeros,
    "returns a constant": constant,
    "returns complex numbers": complex_numbers,
    "returns half precision": half_precision,
    "returns text": text,
    "returns an endless generator": lambda result: endless(),
    "returns an object equal to everything": lambda result: EqualToEverything(),
    "raises in the middle": raises_at_the_end,
    "exits": lambda result: sys.exit(0),
    "interrupts": lambda result: (_ for _ in ()).throw(KeyboardInterrupt),
    "never ends": never_ends,
}


def spoiled(right, spoil, kind):
    """Return an answer of the same kind that does something absurd with the result."""
    if kind == "functions":
        return {key: spoiled(value, spoil, "function") for key, value in right.items()}
    if kind == "layer":

        class Spoiled(right):
            def call(self, *args, **kwargs):
                return spoil(super().call(*args, **kwargs))

        for part in checked_parts(right):
            setattr(Spoiled, part, Spoiled.__dict__.get(part) or getattr(right, part))
        return Spoiled
    if kind in ("number", "choice"):
        return spoil(right)
    return lambda *args, **kwargs: spoil(right(*args, **kwargs))


def checked_parts(layer):
    return [part for part in ("__init__", "build", "call") if part in vars(layer)]


def never_correct(name, value):
    result = judge(name, value)
    assert result.state in ("incorrect", "error"), result
    assert len(repr(result)) < 3000
    assert len(result._repr_html_()) < 6000
    return result


def right_of(name):
    return handed_in(CANONICAL[name])


VALUES = {
    "None": None,
    "an object equal to everything": EqualToEverything(),
    "an object that raises where it is looked at": NotToBeLookedAt(),
    "a mock": unittest.mock.MagicMock(),
    "a number of five thousand digits": 10**5000,
    "a number equal to every other": EqualNumber(-12345.678),
    "a text equal to every other": EqualText("no such word"),
    "an empty list": [],
    "a list of a million": list(range(10**6)),
    "an endless generator": endless(),
    "not a number": float("nan"),
    "infinity": float("inf"),
    "bytes": b"1",
    "True": True,
    "a complex number": 1 + 2j,
    "a module": np,
    "an exception": ValueError("x"),
    "a class": EqualToEverything,
    "a function of nothing": lambda: None,
}


@by_exercise
@pytest.mark.tensorflow_only
@pytest.mark.parametrize("absurd", VALUES)
def test_an_absurd_value_is_never_correct(name, absurd):
    never_correct(name, VALUES[absurd])


@by_exercise
@pytest.mark.tensorflow_only
@pytest.mark.parametrize("spoil", RESULTS.values(), ids=RESULTS.keys())
def test_an_absurd_result_is_never_correct(name, spoil, monkeypatch):
    kind = checks.find(name).kind
    if kind in ("number", "choice") and spoil in (
        half_precision,
        raises_at_the_end,
        never_ends,
        RESULTS["exits"],
        RESULTS["interrupts"],
        *([text] if kind == "choice" else []),
        *([zeros, constant, complex_numbers] if kind == "choice" else []),
    ):
        return  # a plain value runs no code and has no such type
    if spoil is never_ends:
        monkeypatch.setenv("COURSE_CHECK_SECONDS", "0.3")
    never_correct(name, spoiled(right_of(name), spoil, kind))


@by_exercise
def test_the_identity_is_never_correct(name):
    import keras

    kind = checks.find(name).kind

    def first(*args, **kwargs):
        return args[0] if args else next(iter(kwargs.values()), None)

    class Identity(keras.layers.Layer):
        build = keras.layers.Layer.build

        def call(self, inputs, *args, **kwargs):
            return inputs

    if kind == "functions":
        never_correct(name, dict.fromkeys(checks.find(name).parts, first))
    else:
        never_correct(name, Identity if kind == "layer" else first)


# Their answers get numbers, models or a framework's own tensors.
NO_ARRAY_AS_INPUT = {
    "batchnorm.baked",
    "cifar.cycle",
    "cifar.triangle",
    "dense.head",
    "dense.schedule",
    "dense.table",
    "gradients.missing_derivative",
    "pipeline.mirror",
    "pipeline.overlap",
    "residual.head",
    "residual.pooling",
    "residual.pre_activation",
    "resnet.option_a",
    "resnet.strided_middle",
    "separable.formula",
    "separable.intensity",
    "separable.layer",
    "separable.mask",
    "start.output_size",
    "transfer.freeze",
    "transfer.thaw",
    "xception.apart",
    "xception.middle_block",
}


def arrays_in(value):
    """Return the arrays in lists, tuples and dictionaries, however deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [array for entry in value for array in arrays_in(entry)]
    return [value] if isinstance(value, np.ndarray) and value.size else []


@by_exercise
def test_an_answer_that_changes_its_input_is_never_correct(name):
    kind = checks.find(name).kind
    if kind not in ("function", "functions"):
        return
    changed = []

    def spoil(function):
        def answer(*args, **kwargs):
            result = function(*args, **kwargs)
            for value in arrays_in([*args, kwargs]):
                value[...] = 1 - value
                changed.append(value)
            return result

        return answer

    right = right_of(name)
    if kind == "functions":
        answer = {key: spoil(value) for key, value in right.items()}
    else:
        answer = spoil(right)
    result = judge(name, answer)
    assert bool(changed) == (name not in NO_ARRAY_AS_INPUT), result
    if changed:
        assert result.state == "incorrect", result
        assert result.rule == "leaves its input unchanged"
