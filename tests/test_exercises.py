"""What a learner meets: the states, the messages, the hints, and no exception."""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
import time

import numpy as np
import pytest

from course_utils import _learners_code, checks, exercises
from course_utils.exercises import (
    CheckFailed,
    Exercise,
    Failure,
    Rule,
    as_array,
    attempt,
    call,
    check,
    describe,
    expect,
    expect_close,
    expect_equal,
    expect_shape,
    hint,
    once,
)

HINTS = ("what you see", "the idea", "the line")


def doubles(answer):
    expect_close(call(answer, np.arange(3.0)), [0.0, 2.0, 4.0])


def keeps_shape(answer):
    expect_shape(call(answer, np.ones((2, 3))), (2, 3))


def an_exercise(*rules, kind="function", parts=(), name="start.test"):
    rules = [Rule(f"rule {i}", rule, hints=HINTS) for i, rule in enumerate(rules, 1)]
    return Exercise(
        name, kind, "00", "a test", rules, correct="all of it", parts=tuple(parts)
    )


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No setting from outside, and no memory of other tests."""
    for name in ("COURSE_CHECK", "COURSE_CHECK_LOG", "COURSE_CHECK_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    exercises.forget()


@pytest.fixture
def judge(monkeypatch):
    """Return check() for an exercise of rules given on the spot."""

    def run(answer, *rules, **options):
        exercise = an_exercise(*(rules or (keeps_shape, doubles)), **options)
        monkeypatch.setattr(checks, "find", lambda name: exercise)
        return check(exercise.name, answer)

    return run


# --- States ---------------------------------------------------------------------------


def test_a_right_answer_says_what_was_checked(judge):
    result = judge(lambda x: 2 * x)
    assert result.state == "correct"
    assert result.correct
    assert "all of it" in repr(result)


def test_the_first_rule_that_fails_is_reported_with_its_numbers(judge):
    result = judge(lambda x: 3 * x)
    assert (result.state, result.rule) == ("incorrect", "rule 2")
    assert "expected 4, got 6" in result.message


def test_a_stub_is_not_attempted_and_the_line_is_named(judge):
    def stub(x):
        """Double x."""
        raise NotImplementedError

    result = judge(stub)
    assert result.state == "not attempted"
    assert "raise NotImplementedError" in result.message
    assert "stub" in result.message
    line = stub.__code__.co_firstlineno + 2
    assert f"line {line} " in result.message


@pytest.mark.parametrize("kind", ["function", "model", "number", "choice"])
def test_dots_are_not_attempted(judge, kind):
    assert judge(..., kind=kind).state == "not attempted"


def test_a_stub_with_words_or_behind_a_decorator_is_not_attempted(judge):
    import functools

    def stub(x):
        raise NotImplementedError("your code here")

    @functools.wraps(stub)
    def wrapped(x):
        return stub(x)

    assert judge(stub).state == "not attempted"
    assert judge(wrapped).state == "not attempted"
    assert judge(functools.partial(stub)).state == "not attempted"


def test_a_stub_line_below_a_first_try_is_still_not_attempted(judge):
    def begun(x):
        _ = x * 2
        raise NotImplementedError

    assert judge(begun).state == "not attempted"


def test_a_branch_that_is_still_a_stub_is_incomplete(judge):
    def half(x):
        if x.ndim == 2:
            return x
        raise NotImplementedError

    result = judge(half)
    assert result.state == "incomplete"
    assert "half" in result.message


def test_a_helper_that_is_still_a_stub_is_incomplete(judge):
    def helper(x):
        raise NotImplementedError

    result = judge(lambda x: helper(x))
    assert result.state == "incomplete"
    assert "helper" in result.message


def test_a_not_implemented_error_of_a_library_is_an_error(judge):
    def answer(x):
        return np.random.BitGenerator().random_raw() + x

    result = judge(answer)
    assert result.state == "error"
    assert "NotImplementedError" in result.message


def test_parts_of_several_functions_are_named(judge):
    def stub(x):
        raise NotImplementedError

    def rule(answer):
        expect(call(answer["first"], 1) == 1, "first is not the identity")

    options = {"kind": "functions", "parts": ("first", "second")}
    good = {"first": lambda x: x, "second": lambda x: x}
    assert judge(good, rule, **options).state == "correct"
    blank = judge({"first": stub, "second": stub}, rule, **options)
    assert blank.state == "not attempted"
    part = judge({**good, "second": stub}, rule, **options)
    assert part.state == "incomplete"
    assert "`second`" in part.message
    assert "first" not in part.message
    for odd in ({"first": 3, "second": stub}, {"first": 3}, [1], None):
        assert judge(odd, rule, **options).state in ("incorrect", "incomplete")


def test_parts_of_a_layer_class_are_named(judge):
    keras = pytest.importorskip("keras")

    class Blank(keras.layers.Layer):
        def build(self, input_shape):
            """Make the weights."""
            raise NotImplementedError

        def call(self, inputs):
            raise NotImplementedError

    class Half(Blank):
        def build(self, input_shape):
            self.built = True

        def call(self, inputs):
            raise NotImplementedError

    class Whole(keras.layers.Layer):
        def build(self, input_shape):
            self.built = True

        def call(self, inputs):
            return inputs

    def rule(answer):
        layer = call(answer)
        expect_shape(call(layer, np.ones((2, 3), "float32")), (2, 3))

    options = {"kind": "layer", "parts": ("build", "call")}
    assert judge(Blank, rule, **options).state == "not attempted"
    half = judge(Half, rule, **options)
    assert half.state == "incomplete"
    assert "`call`" in half.message
    assert "build" not in half.message
    assert judge(Whole, rule, **options).state == "correct"
    assert judge(Whole(), rule, **options).rule == "is a layer class"
    assert judge(int, rule, **options).rule == "is a layer class"


def test_an_error_shows_the_learners_line_and_not_the_checkers(judge):
    def answer(x):
        return x @ np.ones((7, 7))  # the line that fails

    result = judge(answer)
    assert result.state == "error"
    assert "return x @ np.ones((7, 7))" in result.message
    assert "in answer" in result.message
    assert "ValueError" in result.message
    assert "_run_learner" not in result.message
    assert "Traceback" not in result.message


def test_wrong_arguments_are_an_error_of_the_call(judge):
    result = judge(lambda: 3)
    assert result.state == "error"
    assert "takes 0 positional arguments but 1 was given" in result.message


@pytest.mark.parametrize(
    "exception", [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), MemoryError()]
)
def test_nothing_that_is_raised_gets_out_of_a_check(judge, exception):
    def answer(x):
        raise exception

    result = judge(answer)
    assert result.state == "error"
    assert type(exception).__name__ in result.message


def test_an_exception_that_cannot_be_printed_is_an_error(judge):
    class Nasty(Exception):
        def __str__(self):
            raise RuntimeError("no")

    def answer(x):
        raise Nasty

    assert "Nasty" in judge(answer).message


def test_an_exception_whose_text_never_ends_is_stopped(judge, monkeypatch):
    monkeypatch.setenv("COURSE_CHECK_SECONDS", "0.3")

    class Endless(Exception):
        def __str__(self):
            while True:
                pass

    def answer(x):
        raise Endless

    assert judge(answer).state == "error"


def test_a_long_exception_is_cut(judge):
    def answer(x):
        raise ValueError("long\n" * 10_000)

    assert len(judge(answer).message) < 1500


def test_a_failure_raised_by_the_learner_is_an_error(judge):
    def answer(x):
        raise Failure("looks like a rule")

    assert judge(answer).state == "error"


def test_an_endless_recursion_is_an_error(judge):
    def answer(x):
        return answer(x)

    assert "RecursionError" in judge(answer).message


def test_a_crash_of_the_check_is_the_courses_fault(judge):
    def rule(answer):
        call(answer, 1)
        return {}["missing"]

    result = judge(lambda x: x, rule)
    assert result.state == "broken"
    assert "fault of the course, not yours" in result.message
    assert "report()" in result.message
    assert "KeyError: 'missing'" in result.message
    assert "rule 1" in result.message


# --- Hostile answers ------------------------------------------------------------------


def busy(x):
    while True:
        pass


def asleep(x):
    time.sleep(60)


def swallows(x):
    while True:
        try:  # noqa: SIM105
            time.sleep(60)
        except BaseException:
            pass


def generates(x):
    return sum(1 for _ in iter(lambda: 0, 1))


def never_leaves_a_library(x):
    threading.Event().wait(60)


ENDLESS = [busy, asleep, swallows, generates, never_leaves_a_library]


@pytest.mark.parametrize("answer", ENDLESS)
def test_an_endless_answer_is_stopped(judge, monkeypatch, answer):
    monkeypatch.setenv("COURSE_CHECK_SECONDS", "0.3")
    result = judge(answer)
    assert result.state == "error"
    assert "did not end within 0.3 s" in result.message
    assert "loop that never ends" in result.message


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers")
def test_an_answer_is_stopped_between_its_calls_of_a_library(monkeypatch):
    monkeypatch.setenv("COURSE_CHECK_SECONDS", "0.1")
    numbers = list(range(2000))

    def answer():
        while True:
            json.dumps(numbers, indent=1)  # with an indent, written in Python

    def rule():
        _learners_code.run_learner(answer, (), {})

    for _ in range(3):
        with (
            _learners_code.new_clock(),
            pytest.raises(_learners_code.OutOfTime) as stopped,
        ):
            _learners_code.within_a_check(rule)
        folders = {entry.path.parent.name for entry in stopped.traceback}
        assert "tests" in folders
        assert "json" not in folders
        assert sys.gettrace() is None


@pytest.mark.parametrize(
    ("backend", "seconds"), [("tensorflow", 2), ("torch", 2), ("jax", 8)]
)
def test_the_default_limit_leaves_room_for_an_answer_within_three_seconds(
    monkeypatch, backend, seconds
):
    monkeypatch.delenv("COURSE_CHECK_SECONDS", raising=False)
    monkeypatch.setattr("keras.backend.backend", lambda: backend)
    assert _learners_code.seconds_allowed() == seconds


def busy_and_swallows(x):
    while True:
        try:  # noqa: SIM105
            sum(range(100))
        except BaseException:
            pass


swallows = pytest.param(
    busy_and_swallows,
    marks=pytest.mark.skipif(
        sys.version_info < (3, 11),
        reason="Python 3.10 lets no exception of another thread strike before a `try`",
    ),
)


@pytest.mark.parametrize("answer", [busy, swallows, generates])
def test_an_endless_answer_is_stopped_in_another_thread(judge, monkeypatch, answer):
    monkeypatch.setenv("COURSE_CHECK_SECONDS", "0.3")
    found = []
    thread = threading.Thread(target=lambda: found.append(judge(answer)), daemon=True)
    thread.start()
    thread.join(30)
    assert found, "the check did not end"
    assert found[0].state == "error"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers")
def test_a_look_that_comes_late_does_not_start_the_timer_again():
    # It once did, and the next signal met the default action: the end of the process.
    clock = _learners_code.new_clock()
    with clock:
        look = signal.getsignal(signal.SIGALRM)
    look(signal.SIGALRM, None)
    timer = signal.setitimer(signal.ITIMER_REAL, 0)
    assert timer == (0.0, 0.0)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers")
def test_a_check_puts_the_timer_and_its_handler_back(judge):
    before = signal.getsignal(signal.SIGALRM)
    judge(lambda x: 2 * x)
    judge(lambda x: 1 / 0)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_slow_check_is_not_the_learners_fault(judge, monkeypatch):
    monkeypatch.setenv("COURSE_CHECK_SECONDS", "0.2")

    def rule(answer):
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            pass
        call(answer, 1)

    assert judge(lambda x: x, rule).state == "correct"


def test_a_check_within_an_answer_is_possible(judge):
    def answer(x):
        exercises._run(an_exercise(doubles), lambda y: 2 * y)
        return 2 * x

    assert judge(answer).state == "correct"


class Hostile:
    def __eq__(self, other):
        return True

    __hash__ = None

    def __repr__(self):
        raise RuntimeError("no repr")

    def __array__(self, *args, **kwargs):
        raise RuntimeError("no array")


class AlmostArray(Hostile):
    shape = (3,)
    dtype = "float32"


@pytest.mark.parametrize(
    "value",
    [
        None,
        Hostile(),
        [Hostile()],
        {"a": Hostile()},
        "text",
        b"bytes",
        range(3),
        [[1], [1, 2]],
        list(range(10**6)),
        np.array(["a"]),
        np.array([None]),
        np.full(3, np.nan),
        np.ma.masked,
        (i for i in range(3)),
        object,
        type,
        print,
        np.arange(3, dtype="float16"),
        np.array([0, 2, 4]),
        np.array([0, 2, 4], "complex64"),
        np.array([True, True, True]),
        AlmostArray(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_result_gets_a_short_verdict(judge, value):
    result = judge(lambda x: value, doubles)
    assert result.state in ("incorrect", "error")
    assert len(result.message) < 600


def test_an_answer_that_changes_its_input_is_told_so(judge):
    def answer(x):
        x *= 2
        return x

    given = np.ones(3)

    def rule(function):
        call(function, given)

    result = judge(answer, rule)
    assert result.rule == "leaves its input unchanged"
    assert (given == 1).all(), "the check's own array was handed out"


@pytest.mark.parametrize("wrap", [lambda a: [a], lambda a: {"key": (a,)}])
def test_a_change_inside_a_list_or_dict_is_noticed(judge, wrap):
    def answer(x):
        inner = x[0] if isinstance(x, list) else x["key"][0]
        inner[...] = 9

    result = judge(answer, lambda f: call(f, wrap(np.ones(2))))
    assert result.rule == "leaves its input unchanged"


@pytest.mark.parametrize("value", [1 + 1j, True, "3", None, [3], np.ones(2), Hostile()])
def test_what_is_no_number_is_refused(judge, value):
    result = judge(value, lambda n: None, kind="number")
    assert (result.state, result.rule) == ("incorrect", "is a number")


@pytest.mark.parametrize(
    "value", [3, 3.0, np.float32(3), np.int8(3), np.array(3), np.float64(3)]
)
def test_any_kind_of_number_arrives_as_a_plain_one(judge, value):
    def rule(number):
        expect(type(number) in (int, float) and number == 3, "not 3")

    assert judge(value, rule, kind="number").state == "correct"


def test_a_number_that_equals_everything_is_compared_as_what_it_is(judge):
    class Sly(float):
        def __eq__(self, other):
            return True

        __hash__ = float.__hash__

    result = judge(Sly(4), lambda n: expect(n == 3, "not 3"), kind="number")
    assert result.state == "incorrect"


def test_a_word_arrives_in_lower_case_without_spaces(judge):
    seen = []
    judge("  Two  Words ", seen.append, kind="choice")
    assert seen == ["two words"]
    assert judge(3, seen.append, kind="choice").rule == "is a word"


def test_a_check_leaves_a_model_and_the_random_numbers_alone(judge):
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.layers[0].trainable = False
    weights = [np.copy(w) for w in model.get_weights()]
    state = np.random.get_state()[1].copy()
    assert judge(model).rule == "is a function"
    np.random.rand()
    np.random.set_state(("MT19937", state, *np.random.get_state()[2:]))

    def rule(answer):
        np.random.rand(3)
        model.layers[0].trainable = True

    result = exercises._run(an_exercise(rule), lambda: 0)
    assert result.state == "correct"
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_check_that_changes_the_object_is_broken():
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    before = exercises._photograph(model)
    model.layers[0].trainable = False
    assert not exercises._same_photograph(before, exercises._photograph(model))
    model.layers[0].trainable = True
    assert exercises._same_photograph(before, exercises._photograph(model))
    model.compile("sgd", "mse")
    assert not exercises._same_photograph(before, exercises._photograph(model))


def test_the_notebooks_random_numbers_stay_as_they_were(judge):
    np.random.seed(3)
    wanted = np.random.rand(2)
    np.random.seed(3)
    first = np.random.rand()
    judge(lambda x: np.random.rand(*x.shape))
    assert [first, np.random.rand()] == list(wanted)


def test_a_check_gives_the_same_verdict_each_time(judge):
    def answer(x):
        return x * np.random.rand()

    assert judge(answer).message == judge(answer).message


# --- Hints ----------------------------------------------------------------------------


def test_the_same_rule_failing_again_moves_one_level_up(judge):
    levels = [judge(lambda x: 3 * x).level for _ in range(4)]
    assert levels == [1, 2, 3, 3]
    shown = hint("start.test")
    assert (shown.level, shown.text, shown.rule) == (3, "the line", "rule 2")


def test_progress_to_a_later_rule_starts_again(judge):
    for _ in range(3):
        judge(lambda x: x[0])
    assert hint("start.test").level == 3
    judge(lambda x: 3 * x)
    assert (hint("start.test").level, hint("start.test").rule) == (1, "rule 2")


def test_a_correct_answer_needs_no_hint_and_starts_again(judge):
    judge(lambda x: 3 * x)
    judge(lambda x: 2 * x)
    assert hint("start.test").level == 0
    assert "correct" in repr(hint("start.test"))
    assert judge(lambda x: 3 * x).level == 1


def test_an_error_or_a_stub_keeps_the_level(judge):
    judge(lambda x: 3 * x)
    judge(lambda x: 3 * x)
    judge(lambda x: 1 / 0)
    judge(...)
    assert hint("start.test").level == 2


def test_a_hint_before_any_check_is_about_the_first_rule(judge, monkeypatch):
    monkeypatch.setattr(checks, "find", lambda name: an_exercise(doubles))
    shown = hint("start.test")
    assert (shown.level, shown.rule) == (1, "rule 1")
    assert "what is observed" in repr(shown)


# --- Display --------------------------------------------------------------------------


def test_html_is_escaped_and_says_its_state_in_words(judge):
    def rule(answer):
        raise Failure("<script>alert(1)</script> & `a < b`")

    html = judge(lambda x: x, rule)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<code>a &lt; b</code>" in html
    assert "Incorrect" in html
    assert 'role="status"' in html


def test_an_error_in_html_keeps_its_lines_and_is_escaped(judge):
    def answer(x):
        raise ValueError("<b>bold</b>")

    html = judge(answer)._repr_html_()
    assert "<pre" in html
    assert "&lt;b&gt;bold" in html
    assert "<b>" not in html


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("color", exercises._COLORS.values())
def test_white_on_each_badge_has_the_contrast_of_wcag_aa(color):
    assert 1.05 / (luminance(color) + 0.05) >= 4.5


def test_no_text_but_the_badge_has_a_color_of_its_own(judge):
    html = judge(lambda x: 1 / 0)._repr_html_()
    colors = re.findall(r"(?<!-)color:([^;\"]+)", html)
    assert set(colors) == {"inherit", "#ffffff"}


def test_the_plain_form_has_the_same_words(judge):
    text = repr(judge(lambda x: 3 * x))
    assert text.startswith("✗ INCORRECT · start.test")
    assert 'hint("start.test")' in text
    assert "rule: rule 2" in text


# --- Settings -------------------------------------------------------------------------


def test_course_check_raises_unless_the_state_is_as_asked(judge, monkeypatch):
    monkeypatch.setenv("COURSE_CHECK", "blank")
    assert judge(...).state == "not attempted"
    with pytest.raises(CheckFailed, match="CORRECT"):
        judge(lambda x: 2 * x)
    monkeypatch.setenv("COURSE_CHECK", "solved")
    assert judge(lambda x: 2 * x).state == "correct"
    with pytest.raises(CheckFailed, match="rule 2"):
        judge(lambda x: 3 * x)
    monkeypatch.setenv("COURSE_CHECK", "sovled")
    with pytest.raises(ValueError, match=r"COURSE_CHECK.*'solved'"):
        judge(...)


def test_the_log_gets_one_json_line_for_each_check(judge, monkeypatch, tmp_path):
    path = tmp_path / "log.jsonl"
    monkeypatch.setenv("COURSE_CHECK_LOG", str(path))
    judge(...)
    judge(lambda x: 3 * x)
    first, second = map(json.loads, path.read_text("utf-8").splitlines())
    assert first["state"] == "not attempted"
    assert second["exercise"] == "start.test"
    assert second["rule"] == "rule 2"


def test_a_log_that_cannot_be_written_stops_nothing(
    judge, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("COURSE_CHECK_LOG", str(tmp_path / "no" / "folder" / "x"))
    assert judge(...).state == "not attempted"
    assert "COURSE_CHECK_LOG" in capsys.readouterr().err


# --- Bad input and the registry -------------------------------------------------------


@pytest.mark.parametrize("function", [lambda n: check(n, ...), hint])
def test_an_unknown_name_is_an_error_that_names_close_ones(function):
    with pytest.raises(ValueError, match=r"`name`.*did you mean 'start.output_size'"):
        function("start.output_sise")
    with pytest.raises(ValueError, match="`name`"):
        function("nothing")
    with pytest.raises(TypeError, match="`name`"):
        function(None)


def test_each_exercise_is_well_formed():
    for name, exercise in checks.every().items():
        assert name == exercise.name
        assert checks.find(name) is exercise
        assert checks.of_topic(exercise.prefix)[name] is exercise


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"name": "No Name"}, "name"),
        ({"kind": "essay"}, "kind"),
        ({"rules": []}, "rules"),
        ({"kind": "layer"}, "parts"),
        ({"correct": ""}, "correct"),
    ],
)
def test_an_exercise_that_is_not_well_formed_is_refused(change, argument):
    options = {
        "name": "start.a",
        "kind": "function",
        "lesson": "00",
        "title": "a",
        "rules": [Rule("a", doubles, hints=HINTS)],
        "correct": "a",
    }
    with pytest.raises((ValueError, TypeError), match=f"`{argument}`"):
        Exercise(**{**options, **change})


@pytest.mark.parametrize("hints", ["abc", (), ("a", "b"), ("a", "b", "")])
def test_a_rule_has_three_hints(hints):
    with pytest.raises((ValueError, TypeError), match="`hints`"):
        Rule("a", doubles, hints=hints)


# --- Helpers of check authors ---------------------------------------------------------


def test_close_values_pass_and_the_worst_is_shown():
    expect_close(np.ones(3, "float32") * 1.00005, np.ones(3))
    expect_close(3, 3.0)
    expect_close([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(Failure, match=r"2 of 3 values differ, most at \[2\]"):
        expect_close([0.0, 1.5, 9.0], [0.0, 1.0, 2.0])
    with pytest.raises(Failure, match=r"expected shape \(2,\), got \(3,\)"):
        expect_close([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(Failure, match="1 of 2 values are NaN"):
        expect_close([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(Failure, match="float64"):
        expect_close([1.0], [1.0], dtype="float32")
    with pytest.raises(Failure, match="NaN"):
        expect_close(np.full(2, np.nan), np.ones(2))


def test_whole_numbers_and_words_are_compared_exactly():
    expect_equal(3, 3)
    expect_equal(np.int64(3), 3)
    expect_equal("a", "a")
    for wrong in (3.0, 4, True, "3", None):
        with pytest.raises(Failure):
            expect_equal(wrong, 3)
    for wrong in (1, None, "b"):
        with pytest.raises(Failure):
            expect_equal(wrong, "a")


def test_tensors_and_symbolic_tensors_have_shapes():
    keras = pytest.importorskip("keras")
    expect_shape(keras.ops.ones((2, 3)), (2, 3))
    expect_shape(keras.Input((4,)), (None, 4))
    assert as_array(keras.ops.ones((2,))).tolist() == [1, 1]
    with pytest.raises(Failure, match="KerasTensor"):
        as_array(keras.Input((4,)))


def test_a_value_is_kept_for_the_length_of_one_check(judge):
    made = []

    def rule(answer):
        once("key", lambda: made.append(1))
        once("key", lambda: made.append(1))

    judge(lambda: 0, rule)
    judge(lambda: 0, rule)
    assert len(made) == 2


def test_outside_of_a_check_an_exception_stays_itself():
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call(lambda x: 1 / 0, np.ones(2))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (3, "3"),
        ("x" * 1000, "..."),
        (np.ones((2, 3)), r"shape \(2, 3\)"),
        (Hostile(), "a Hostile object"),
        (list(range(10**6)), r"\.\.\."),
        ([Hostile()], "a Hostile object"),
        (Hostile, "the class Hostile"),
        (describe, "the function describe"),
    ],
)
def test_anything_is_described_in_a_few_words(value, words):
    assert re.search(words, describe(value))
    assert len(describe(value)) < 200


def test_a_check_loads_no_framework_of_its_own():
    assert "keras" in sys.modules or checks.find("start.output_size")
    start = time.process_time()
    check("start.output_size", lambda n, f, stride=1, padding=0: 0)
    assert time.process_time() - start < 1
