"""README.md shows the course on one screen, and nothing in it goes stale."""

from __future__ import annotations

import re
from pathlib import Path

import pair
import pytest

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_each_lesson_and_its_notebook_in_colab_have_a_derived_link():
    address, version = pair.repository()
    place = address.removeprefix("https://github.com/")
    for path in pair.lessons():
        (row,) = re.findall(rf"^\| {path.stem[:2]} \|.*\|$", TEXT, re.MULTILINE)
        assert f"(lessons/{path.name})" in row
        assert f"/github/{place}/blob/v{version}/lessons/{path.stem}.ipynb)" in row


def test_another_address_or_version_changes_every_link_to_colab(monkeypatch):
    monkeypatch.setattr(pair, "repository", lambda: ("https://github.com/a/b", "1.2"))
    moved = pair.derive_readme(TEXT)
    assert moved.count("/github/a/b/blob/v1.2/") == len(pair.lessons())
    assert "git clone https://github.com/a/b convnets" in moved
    monkeypatch.undo()
    assert pair.derive_readme(moved) == TEXT


def test_the_measured_numbers_are_derived_from_the_records():
    rows = pair.result_rows()
    assert len(rows) >= 4
    assert "\n".join(rows) in TEXT
    changed = TEXT.replace(rows[0], "| Mini-Xception | 99 % | a dream |")
    assert pair.derive_readme(changed) == TEXT
    for row in rows:
        assert len(row.split(" | ")[2]) > 8, f"no hardware: {row}"


def test_the_picture_of_the_book_is_there_and_small():
    ((words, name),) = re.findall(r"!\[([^]]+)\]\(([^)]+)\)", TEXT)
    assert len(words) > 30
    assert 10_000 < (ROOT / name).stat().st_size <= 150 * 1024


def test_every_file_that_is_named_exists():
    for name in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (ROOT / name).exists(), name


def test_it_fits_on_a_screen_or_little_more():
    assert len(TEXT.splitlines()) <= 75
