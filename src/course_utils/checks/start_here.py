"""Checks of lesson 00, *Start here*."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.exercises import Exercise, Failure, Rule, call, expect_equal


def _positions(n: int, f: int, s: int, p: int) -> int:
    """Count the places where a filter fits, by walking along the padded input."""
    return len([i for i in range(n + 2 * p) if i % s == 0 and i + f <= n + 2 * p])


def _is_whole(answer: Any) -> None:
    size = call(answer, 8, 3, stride=1, padding=0)
    if size is None:
        raise Failure("output_size(8, 3): expected a whole number (int), got None.")
    if isinstance(size, (float, np.floating)):
        raise Failure(
            f"output_size(8, 3): expected a whole number (int), got {size!r}."
        )


def _compare(answer: Any, cases: list[tuple[int, int, int, int]]) -> None:
    for n, f, s, p in cases:
        size = call(answer, n, f, stride=s, padding=p)
        what = f"output_size({n}, {f}, stride={s}, padding={p})"
        expect_equal(size, _positions(n, f, s, p), what=what)


output_size = Exercise(
    "start.output_size",
    kind="function",
    lesson="00",
    title="Output size of a convolution",
    rules=[
        Rule(
            "a whole number",
            _is_whole,
            hints=(
                "The check got no number of type `int`.",
                "`/` always gives a float; `//` rounds down and keeps whole numbers.",
                "Look at the division, and at `return`: a printed number is lost.",
            ),
        ),
        Rule(
            "no padding, stride 1",
            lambda answer: _compare(answer, [(8, 3, 1, 0), (5, 5, 1, 0), (7, 1, 1, 0)]),
            hints=(
                "Lay a filter of 3 on an input of 8: the first place is 0, the last 5.",
                "The first place counts too, and so does the last.",
                "Look at the term that counts the first place itself.",
            ),
        ),
        Rule(
            "padding on both sides",
            lambda answer: _compare(answer, [(8, 3, 1, 1), (9, 5, 1, 2), (4, 3, 1, 3)]),
            hints=(
                "An input of 8 with a padding of 1 is 10 wide for the filter.",
                "Padding is added at the left and at the right.",
                "Look at the number in front of the padding.",
            ),
        ),
        Rule(
            "a stride that divides the way evenly",
            lambda answer: _compare(answer, [(7, 3, 2, 0), (9, 3, 3, 0), (8, 2, 2, 1)]),
            hints=(
                "A stride of 2 visits every second place: 0, 2, 4, …",
                "The stride divides the filter's way; the first place needs no step.",
                "Look at the order of the division and of adding the first place.",
            ),
        ),
        Rule(
            "a stride that leaves a rest",
            lambda answer: _compare(
                answer, [(8, 3, 2, 0), (6, 3, 2, 1), (11, 4, 3, 0)]
            ),
            hints=(
                "A step that would push the filter over the edge is not taken.",
                "⌊…⌋ rounds down; anything else counts places that are not there.",
                "Look at the operator of the division.",
            ),
        ),
    ],
    correct="sizes with padding, strides that fit and strides that leave a rest",
)


def _through_both(answer: float) -> None:
    if answer == _positions(224, 7, 2, 3):
        raise Failure(f"{answer} is the width after the convolution alone.")


def _padded(answer: float) -> None:
    bare = _positions(224, 7, 2, 0)
    half = {_positions(bare, 3, 2, 1), _positions(_positions(224, 7, 2, 3), 3, 2, 0)}
    if answer in {_positions(bare, 3, 2, 0), *half}:
        raise Failure(f"{answer} comes out where a padding is left away.")


def _rounded_down(answer: float) -> None:
    if answer != int(answer):
        raise Failure(f"{answer} is no whole number: a map has no half position.")
    if answer == _positions(_positions(224, 7, 2, 3) + 1, 3, 2, 1):
        raise Failure(f"{answer} comes out where a half position is rounded up.")


def _width(answer: float) -> None:
    right = _positions(_positions(224, 7, 2, 3), 3, 2, 1)
    if answer != right:
        raise Failure(f"{answer} is too {'wide' if answer > right else 'narrow'}.")


stem_width = Exercise(
    "start.stem_width",
    kind="number",
    lesson="00",
    title="The width after two layers",
    rules=[
        Rule(
            "goes through both layers",
            _through_both,
            hints=(
                "The pooling comes after the convolution and has a stride, too.",
                "Pooling slides a window as a convolution does: the same formula.",
                "Put your number into the formula as the new n.",
            ),
        ),
        Rule(
            "pads both layers",
            _padded,
            hints=(
                "Each of the two layers has a padding of its own.",
                "A padding of p makes the input 2p wider.",
                "Convolution: 230 wide with its padding. And the pooling?",
            ),
        ),
        Rule(
            "rounds down",
            _rounded_down,
            hints=(
                "The division leaves a rest in one layer or in both.",
                "The signs ⌊ and ⌋ mean: take the whole number below.",
                "Round after each layer, before you go on to the next.",
            ),
        ),
        Rule(
            "the width",
            _width,
            hints=(
                "Each layer halves the width once, or nearly so.",
                "There are two layers, each with a stride of 2.",
                "Write both lines down: n, f, s and p of each layer.",
            ),
        ),
    ],
    correct="convolution and pooling, both with their padding, rounded down",
)

_NAMES = ("n", "filter_sizes", "filter_size", "found")


def _is_a_name(answer: str) -> None:
    if answer not in _NAMES:
        listed = ", ".join(_NAMES)
        raise Failure(f"expected one of the names {listed}, got {answer[:40]!r}.")


def _is_the_one(answer: str) -> None:
    if answer == "found":
        raise Failure("`found` grows by one width in each round, as it should.")
    if answer == "filter_size":
        raise Failure("`filter_size` takes the next value in each round by itself.")
    if answer == "filter_sizes":
        raise Failure("`filter_sizes` describes the stack: it has to stay as it is.")


stale_name = Exercise(
    "start.stale_name",
    kind="choice",
    lesson="00",
    title="Spot the bug: three layers, one width",
    rules=[
        Rule(
            "is a name of the function",
            _is_a_name,
            hints=(
                "The answer is one of the four names in the function.",
                "Leave `range`, `widths` and operators aside: they are no variables.",
                "Read the function's argument list and its loop once more.",
            ),
        ),
        Rule(
            "is the name that goes stale",
            _is_the_one,
            hints=(
                "Go through two rounds by hand and write down what each name holds.",
                "The second layer reads what the first one wrote.",
                "Look at the subtraction: from what is it taken in round two?",
            ),
        ),
    ],
    correct="the loop has to hand each width on to the next layer",
)
