"""Errors about arguments name the argument, what was expected and what came."""

import numpy as np
import pytest

from course_utils import _validate


class HostileRepr:
    def __repr__(self):
        raise RuntimeError("no repr for you")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (3, "3 (int)"),
        ("x" * 500, "…"),
        (np.zeros((2, 3)), "shape (2, 3)"),
        (HostileRepr(), "a HostileRepr"),
    ],
)
def test_any_value_can_be_described_briefly(value, words):
    text = _validate.describe(value)
    assert words in text
    assert len(text) < 120


@pytest.mark.parametrize("value", [True, 2.0, "2", None, [2]])
def test_integer_refuses_what_only_looks_like_one(value):
    with pytest.raises(TypeError, match="`depth`: expected an integer"):
        _validate.integer("depth", value, 1)


@pytest.mark.parametrize("value", [0, 11])
def test_integer_refuses_what_is_out_of_range(value):
    with pytest.raises(ValueError, match="from 1 to 10, got"):
        _validate.integer("depth", value, 1, 10)


def test_integer_takes_numpy_integers():
    assert _validate.integer("depth", np.int32(4)) == 4


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (3, TypeError, "a tuple or list of integers, got 3"),
        ("12", TypeError, "a tuple or list of integers, got '12'"),
        ([], ValueError, r"at least one integer, got \[\]"),
        ([1, 2.0], TypeError, "an integer of at least 1, got 2.0"),
        ([1, 0], ValueError, "an integer of at least 1, got 0"),
    ],
)
def test_integers_are_several_and_each_is_one(value, error, words):
    with pytest.raises(error, match=f"`sizes`: expected {words}"):
        _validate.integers("sizes", value, 1)
    assert _validate.integers("sizes", [1, np.int64(2)], 1) == (1, 2)


def test_a_text_may_be_empty_only_where_that_is_said():
    assert _validate.string("prefix", "", empty=True) == ""
    with pytest.raises(ValueError, match="`prefix`: expected a text that is not empty"):
        _validate.string("prefix", " ")
    with pytest.raises(TypeError, match="`prefix`"):
        _validate.string("prefix", 3, empty=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_number_refuses_nan_infinity_and_out_of_range(value):
    with pytest.raises(ValueError, match="`rate`"):
        _validate.number("rate", value, 0)


def test_choice_names_the_options_and_a_close_match():
    with pytest.raises(ValueError, match="did you mean 'cifar10'") as error:
        _validate.choice("name", "cifar_10", ["mnist", "cifar10"])
    assert "'mnist'" in str(error.value)


@pytest.mark.parametrize("value", [[], {}, object()])
def test_choice_of_the_wrong_type_is_a_type_error(value):
    with pytest.raises(TypeError, match="`name`"):
        _validate.choice("name", value, ["mnist"])


@pytest.mark.parametrize("value", [None, "abc", {}, [[1], [1, 2]], np.array(["a"])])
def test_array_refuses_what_holds_no_numbers(value):
    with pytest.raises(TypeError, match="`x`: expected a numeric array"):
        _validate.array("x", value)


@pytest.mark.parametrize(
    ("value", "options", "words"),
    [
        (np.zeros((0, 3)), {}, "not empty"),
        ([1.0, np.nan], {}, "1 NaN or infinite of 2"),
        (np.zeros(3), {"ndim": 2}, r"with 2 axes, got an array of shape \(3,\)"),
        (np.zeros((2, 3)), {"shape": (None, 4)}, r"of shape \(any, 4\)"),
    ],
)
def test_array_says_what_is_wrong_with_the_numbers(value, options, words):
    with pytest.raises(ValueError, match=words):
        _validate.array("x", value, **options)


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (lambda: 0, 1),
        (lambda a, b: 0, 1),
        (lambda a, *, b: 0, 1),
        (lambda a: 0, 2),
        (abs, 2),
    ],
)
def test_a_function_of_other_arguments_is_told_by_its_signature(function, takes):
    with pytest.raises(ValueError, match=f"`f`: .* with {takes} argument"):
        _validate.function("f", function, takes=takes)


@pytest.mark.parametrize("function", [lambda a: 0, lambda *a: 0, lambda a, b=1: 0, max])
def test_a_function_that_can_be_called_so_is_taken(function):
    assert _validate.function("f", function, takes=1) is function


def test_model_must_be_built():
    keras = pytest.importorskip("keras")
    with pytest.raises(ValueError, match="built"):
        _validate.keras_model("model", keras.Sequential([keras.layers.Dense(1)]))
    with pytest.raises(TypeError, match="keras.Model"):
        _validate.keras_model("model", 3)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        _validate.folder("submissions", tmp_path / "nowhere")
