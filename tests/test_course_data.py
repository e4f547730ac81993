"""The course as data says what the lessons say, and nothing else."""

from __future__ import annotations

import json
import re
import types
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("sphinx")

from course_book import course_data

from course_utils import checks

pytestmark = pytest.mark.repository
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def course():
    return course_data.describe()


def test_each_lesson_is_described_and_its_files_exist(course):
    stems = [path.stem for path in sorted((ROOT / "lessons").glob("*.md"))]
    assert [Path(lesson["page"]).stem for lesson in course["lessons"]] == stems
    for lesson in course["lessons"]:
        assert (ROOT / lesson["notebook"]).is_file()
        assert lesson["question"].count("?") >= 1
        assert len(lesson["goals"]) >= 3
        assert lesson["runs"]["quick"]["seconds"] > 0
        texts = [lesson["title"], lesson["question"], lesson["needs_in_words"]]
        for text in [*texts, *lesson["goals"]]:
            assert not re.search(r"\]\(|\*\*|`|^>|\n", text), text


def test_the_exercises_are_those_of_the_lessons_and_of_the_registry(course):
    described = [e for lesson in course["lessons"] for e in lesson["exercises"]]
    names = [
        cell.metadata["exercise"]
        for path in sorted((ROOT / "lessons").glob("*.ipynb"))
        for cell in nbformat.read(path, 4).cells
        if "exercise" in cell.metadata
    ]
    assert [exercise["name"] for exercise in described] == names
    assert set(names) == set(checks.every())
    for exercise in described:
        assert exercise["kind"] == checks.find(exercise["name"]).kind
        assert 1 <= exercise["difficulty"] <= 3
        assert exercise["minutes"] > 0


def test_the_minutes_are_those_that_the_lesson_prints(course):
    for lesson in course["lessons"]:
        text = (ROOT / lesson["notebook"]).with_suffix(".md").read_text("utf-8")
        minutes = lesson["minutes"]
        assert f"about {minutes['reading']} minutes to read" in text
        assert f"{minutes['exercises']} minutes of exercises" in text


def test_who_follows_the_map_has_read_what_a_lesson_asks_for(course):
    """The text names lessons that it needs; the map leads there in some steps."""
    needs = {lesson["number"]: set(lesson["needs"]) for lesson in course["lessons"]}
    read: dict[str, set[str]] = {}
    for number, direct in needs.items():
        read[number] = direct.union(*(read[earlier] for earlier in direct))
    for lesson in course["lessons"]:
        words = re.split(r"[.;]", lesson["needs_in_words"])[0]
        for first, last in re.findall(r"\b(\d\d) to (\d\d)\b", words):
            words += "".join(f" {n:02d}" for n in range(int(first), int(last) + 1))
        missing = set(re.findall(r"\b\d\d\b", words)) - read[lesson["number"]]
        assert not missing, f"lesson {lesson['number']} asks for {sorted(missing)}"


def test_a_page_is_described_in_the_words_of_schema_org(course):
    lesson = course["lessons"][3]
    found = course_data.linked_data(course, lesson["page"].removesuffix(".html"))
    assert (found["@context"], found["@type"]) == (
        "https://schema.org",
        "LearningResource",
    )
    assert found["teaches"] == lesson["goals"]
    assert found["competencyRequired"] == ["Vanishing gradients"]
    assert found["timeRequired"] == f"PT{sum(lesson['minutes'].values())}M"
    welcome = course_data.linked_data(course, "book/welcome")
    assert welcome["@type"] == "Course"
    assert len(welcome["hasPart"]) == len(course["lessons"])
    assert course_data.linked_data(course, "book/glossary") is None


def test_the_head_of_a_page_gets_the_description_and_keeps_what_it_has(course):
    evil = {**course, "title": "</script><b>"}
    app = types.SimpleNamespace(course_data=evil)
    context = {"metatags": "<meta name='a'>"}
    course_data.add_linked_data(app, "book/welcome", "", context, None)
    head = context["metatags"]
    assert head.startswith("<meta name='a'>")
    assert head.count("</script>") == 1
    inside = re.search(r'ld\+json">(.*)</script>$', head)[1]
    assert json.loads(inside)["name"] == "</script><b>"


def test_the_file_is_written_with_the_pages_and_not_after_a_failure(course, tmp_path):
    app = types.SimpleNamespace(
        course_data=course,
        outdir=tmp_path,
        builder=types.SimpleNamespace(format="html"),
    )
    course_data.write(app, RuntimeError())
    assert not list(tmp_path.iterdir())
    course_data.write(app, None)
    written = json.loads((tmp_path / "course.json").read_text(encoding="utf-8"))
    assert written == course


def test_a_lesson_without_a_part_is_named(tmp_path):
    path = tmp_path / "02_topic.md"
    path.write_text("# 02 · Topic\n\n> Why?\n")
    with pytest.raises(ValueError, match=r"02_topic\.md: expected what you will learn"):
        course_data.read_lesson(path)


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("**Question.** Why `x`?", "Why x?"),
        ("a [link](b.md#c) and *stress*", "a link and stress"),
        ("snake_case_name stays", "snake_case_name stays"),
    ],
)
def test_marks_of_markdown_are_left_out(markdown, text):
    assert course_data.plain(markdown) == text
