"""Checks of lesson 00, *Start here*."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.exercises import Exercise, Failure, Rule, call, expect_equal


def _positions(n: int, f: int, s: int, p: int) -> int:
    """Count the places where a filter fits, by walking along the padded input."""
    return len([i for i in range(n + 2 * p) if i % s == 0 and i + f <= n + 2 * p])


def _compare(answer: Any, cases: list[tuple[int, int, int, int]]) -> None:
    for n, f, s, p in cases:
        size = call(answer, n, f, stride=s, padding=p)
        what = f"output_size({n}, {f}, stride={s}, padding={p})"
        if isinstance(size, (float, np.floating)):
            raise Failure(f"{what}: expected a whole number (int), got {size!r}.")
        expect_equal(size, _positions(n, f, s, p), what=what)


output_size = Exercise(
    "start.output_size",
    kind="function",
    lesson="00",
    title="Output size of a convolution",
    rules=[
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
