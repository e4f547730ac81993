"""Spelling and the house's rules for prose, on every page and every file of code."""

from __future__ import annotations

import shutil
from pathlib import Path

import prose
import pytest

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]


def test_every_word_is_spelled_as_in_american_english():
    assert prose.misspelled() == []


@pytest.mark.parametrize(
    "path", prose.pages(), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_page_keeps_the_rules_of_the_house(path):
    found = prose.broken_rules(path.read_text(encoding="utf-8"))
    assert found == [], "\n".join(f"line {line}: {words}" for line, words in found)


def test_a_misspelled_and_a_british_word_are_found(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "page.md").write_text("Recieve the colour.\n")  # codespell:ignore
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("# A neighbour.\n")  # codespell:ignore
    found = [line.split(" ==> ")[0] for line in prose.misspelled(tmp_path)]
    assert found == [
        "page.md:1: Recieve",  # codespell:ignore
        "page.md:1: colour",  # codespell:ignore
        "src/a.py:1: neighbour",  # codespell:ignore
    ]


@pytest.mark.parametrize(
    ("markdown", "words"),
    [
        ("# T\n\nIt is the\nthe net.\n", [(3, "a word twice: “the the”")]),
        ("> In a box\n> box too.\n", [(1, "a word twice: “box box”")]),
        ("1. One.\n2. todo here.\n", [(2, "a note to oneself: “todo”")]),
        ("so it is " * 16 + "now.\n", [(1, "a sentence of 49 words: “so it is so")]),
        ("```\nthe the TODO\n```\n\nGood `x x` and $y y$.\n", []),
        ("| the the | TODO |\n", []),
        ("## References\n\n- Of of the the\n\n## Next\n\nGood.\n", []),
        ("A word that that means. Then Then is Then.", [(1, "a word twice: “Then Th")]),
        ("Ends in the\n\nthe next paragraph.", []),
    ],
)
def test_what_breaks_a_rule_is_found_where_it_stands(markdown, words):
    found = prose.broken_rules(markdown)
    assert len(found) == len(words)
    for (line, said), (wanted_line, start) in zip(found, words, strict=True):
        assert line == wanted_line
        assert said.startswith(start)


def test_the_longest_sentence_comes_first(tmp_path):
    (tmp_path / "a.md").write_text("Short one. This is the longer one of both.\n")
    assert prose.longest(tmp_path)[0].startswith("7 words, a.md:1: This is")
