"""No line of a solution reaches a lesson, a notebook, the package or the site."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
import solutions_of

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]

SITE = ROOT / "_build" / "html"
LINE = "return (n + 2 * padding - filter_size) // stride + 1"


@pytest.mark.parametrize("folder", ["lessons", "book", "src"])
def test_no_solution_line_stands_in(folder):
    assert solutions_of.leaks([ROOT / folder]) == []


@pytest.mark.skipif(not SITE.exists(), reason="the site is not built")
def test_no_solution_line_stands_in_the_built_site():
    assert solutions_of.leaks([SITE]) == []


def test_every_exercise_has_something_to_hide():
    hidden = solutions_of.secrets()
    canonical = solutions_of.canonical_answers().values()
    assert set(hidden) == {answer.exercise for answer in canonical}
    # A single word of the lesson's own cannot be hidden: anyone may write it.
    words = {
        answer.exercise
        for answer in canonical
        if re.fullmatch(r'answer = "\w+"\s*', answer.source)
    }
    assert {exercise for exercise, lines in hidden.items() if not lines} == words


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lesson.md", f"```python\n    {LINE}\n```"),
        ("search.js", f'{{"terms": "{LINE}"}}'),
        ("page.py", f"def f():\n  {LINE.replace(' * ', '*')}\n"),
        (
            "page.html",
            "<span>return</span> (n <b>+</b> 2 <b>*</b> padding - filter_size)"
            "<span> // stride + 1</span>",
        ),
    ],
)
def test_a_line_is_found_however_it_is_written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert solutions_of.leaks([tmp_path])


def test_a_line_is_found_in_the_output_of_a_notebook(tmp_path):
    output = nbformat.v4.new_output("stream", text=LINE[:20] + "\n" + LINE[20:])
    cell = nbformat.v4.new_code_cell("1", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "page.ipynb")
    assert solutions_of.leaks([tmp_path])


def test_the_stub_and_trivial_lines_are_no_leak(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("def output_size(n, filter_size, stride=1, padding=0):\n    pass")
    assert solutions_of.leaks([path]) == []
