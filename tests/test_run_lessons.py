"""Lessons are executed when, and only when, something that decides has changed."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
import run_lessons
from course_book import conditions
from nbformat.v4 import new_code_cell, new_markdown_cell

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]
FRONT = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
GOOD = (
    FRONT
    + """
# 00 · First

Some prose.

```{code-cell} ipython3
---
exercise: first.one
---
answer = 6 * 7
```

```{code-cell} ipython3
print("the answer is", answer)
```
"""
)
BAD = (
    FRONT
    + """
# 01 · Second

```{code-cell} ipython3
values = [1, 2, 3]
```

## Where it breaks

```{code-cell} ipython3
position = 7
values[position]
```
"""
)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Return a course of one small lesson, in a folder of its own."""
    for name in ("COURSE_DATA", "COURSE_OFFLINE", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_PROFILE", "smoke")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    conditions._runtime.cache_clear()
    shutil.copy(ROOT / "_config.yml", tmp_path)
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "00_first.md").write_text(GOOD, encoding="utf-8")
    (tmp_path / "src" / "course_utils").mkdir(parents=True)
    (tmp_path / "src" / "course_utils" / "blocks.py").write_text("x = 1\n")
    (tmp_path / "requirements.lock").write_text("numpy==2.0\n")
    write_toc(tmp_path, "00_first")
    yield tmp_path
    conditions._runtime.cache_clear()


def write_toc(folder: Path, *names: str) -> None:
    chapters = "".join(f"      - file: lessons/{name}\n" for name in names)
    text = "format: jb-book\nroot: book/welcome\nparts:\n  - caption: One\n"
    (folder / "_toc.yml").write_text(f"{text}    chapters:\n{chapters}")


def key(folder: Path) -> str:
    conditions._runtime.cache_clear()
    return conditions.current(folder).key


def test_heading_is_the_last_one_above_a_cell():
    cells = [
        new_markdown_cell("# Title\n\ntext\n\n## Set up"),
        new_code_cell("# not a heading"),
        new_markdown_cell("no heading here"),
        new_code_cell("x = 1"),
    ]
    assert run_lessons.heading_of(cells, 3) == "Set up"
    assert run_lessons.heading_of(cells[1:], 1) == ""


def test_a_change_of_any_condition_gives_another_cache(course, tmp_path, monkeypatch):
    keys = [key(course)]
    assert key(course) == keys[0]
    (course / "src" / "course_utils" / "blocks.py").write_text("x = 2\n")
    keys.append(key(course))
    (course / "src" / "course_utils" / "new.py").write_text("")
    keys.append(key(course))
    (course / "requirements.lock").write_text("numpy==2.1\n")
    keys.append(key(course))
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    keys.append(key(course))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keys.append(key(course))
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    keys.append(key(course))
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(mirror))
    keys.append(key(course))
    (mirror / "mnist.npz").write_bytes(b"12345")
    keys.append(key(course))
    (mirror / "mnist.npz").write_bytes(b"123456")
    keys.append(key(course))
    now = conditions.current(course)
    for change in ({"device": "GPU (Tesla)"}, {"python": "3.13.0"}):
        keys.append(dataclasses.replace(now, **change).key)
    assert len(set(keys)) == len(keys)


def test_compiled_files_change_nothing(course):
    before = key(course)
    cache = course / "src" / "course_utils" / "__pycache__"
    cache.mkdir()
    (cache / "blocks.pyc").write_bytes(b"compiled")
    assert key(course) == before


def test_an_unknown_backend_is_named(course, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(SystemExit, match=r"KERAS_BACKEND.*'theano'"):
        key(course)


def test_the_usual_time_is_the_one_that_was_measured(tmp_path):
    two = ["00_a", "01_b"]
    assert "not been measured yet" in run_lessons.usual_time(two, "quick", tmp_path)
    (tmp_path / "results").mkdir()
    found = {"quick": {"seconds": 90.0, "device": "CPU (2 cores)"}}
    path = tmp_path / "results" / "lesson_times.json"
    path.write_text(json.dumps({"lessons": {"00_a": found}}))
    words = run_lessons.usual_time(two, "quick", tmp_path)
    assert "took 90 s on CPU (2 cores) (1 not measured yet)" in words
    path.write_text(json.dumps({"lessons": {"00_a": found, "01_b": found}}))
    assert run_lessons.usual_time(two, "quick", tmp_path).endswith(
        "took 3 minutes on CPU (2 cores)"
    )
    assert "not been measured yet" in run_lessons.usual_time(two, "full", tmp_path)


def test_a_relative_mirror_means_the_same_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COURSE_DATA", os.pathsep.join(["data", "~/more", "/most"]))
    run_lessons.make_mirror_absolute()
    here = [str(tmp_path / "data"), str(tmp_path / "home" / "more"), "/most"]
    assert os.environ["COURSE_DATA"].split(os.pathsep) == here
    monkeypatch.setenv("COURSE_DATA", "")
    run_lessons.make_mirror_absolute()
    assert os.environ["COURSE_DATA"] == ""


def test_conditions_agree_with_what_setup_finds(monkeypatch):
    course_utils = pytest.importorskip("course_utils")
    conditions._runtime.cache_clear()
    found = conditions._runtime()
    conditions._runtime.cache_clear()
    session = course_utils.setup()
    assert found == (session.backend, session.device, session.profile)


def test_only_the_six_caches_used_last_are_kept(course):
    now = conditions.current(course)
    folders = [
        conditions.open_cache_folder(dataclasses.replace(now, lock=lock), course)
        for lock in "abcdefgh"
    ]
    assert folders[-1].is_dir()
    assert sum(folder.is_dir() for folder in folders) == conditions.CACHES_KEPT


def test_lessons_are_found_by_number_and_by_name(course):
    lesson = course / "lessons" / "00_first.md"
    for name in ("00", "00_first", "lessons/00_first.md"):
        assert run_lessons.find([name], course) == [lesson]
    with pytest.raises(ValueError, match="`07`: expected one of 00_first"):
        run_lessons.find(["07"], course)


@pytest.mark.notebook
def test_only_changed_code_is_executed_again(course):
    lesson = course / "lessons" / "00_first.md"
    assert run_lessons.run_lessons(root=course) == ["00_first"]
    folder = conditions.cache_folder(conditions.current(course), course)
    record = conditions.read_record(folder, lesson, course)
    assert record["profile"] == "smoke"
    assert record["data"] == {}
    assert run_lessons.run_lessons(root=course) == []

    lesson.write_text(GOOD.replace("Some prose", "Other prose"), encoding="utf-8")
    assert run_lessons.run_lessons(root=course) == []
    assert conditions.read_record(folder, lesson, course) == record

    lesson.write_text(GOOD.replace("6 * 7", "7 * 7"), encoding="utf-8")
    assert conditions.read_record(folder, lesson, course) == {}
    assert run_lessons.run_lessons(root=course) == ["00_first"]
    lesson.write_text(GOOD, encoding="utf-8")
    assert run_lessons.run_lessons(root=course) == []


@pytest.mark.notebook
def test_the_book_builder_finds_what_was_executed(course):
    from jupyter_cache import get_cache

    lesson = course / "lessons" / "00_first.md"
    run_lessons.run_lessons(root=course)
    folder = conditions.cache_folder(conditions.current(course), course)
    cache = get_cache(str(folder))
    notebook = conditions.read_lesson(lesson, course)
    _, merged = cache.merge_match_into_notebook(notebook)
    codes = [cell for cell in merged.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in codes] == [1, 2]
    assert codes[1].outputs[0].text == "the answer is 42\n"
    assert codes[0].metadata["exercise"] == "first.one"


@pytest.mark.notebook
def test_a_failing_lesson_says_where_and_is_not_kept(course, capsys):
    (course / "lessons" / "01_second.md").write_text(BAD, encoding="utf-8")
    write_toc(course, "00_first", "01_second")
    with pytest.raises(run_lessons.LessonsFailed) as failure:
        run_lessons.run_lessons(root=course, jobs=2)
    report = str(failure.value)
    for part in (
        "Lesson 01_second.md failed",
        "under the heading: Where it breaks",
        "in code cell 2 of 2",
        "    values[position]",
        "IndexError",
        "list index out of range",
    ):
        assert part in report
    # The lesson beside it is not lost, and the broken one is tried again.
    assert "done    00_first" in capsys.readouterr().out
    with pytest.raises(run_lessons.LessonsFailed):
        run_lessons.run_lessons(root=course)


@pytest.mark.notebook
def test_a_kernel_that_dies_is_a_failure_with_a_place(course):
    text = GOOD.replace("answer = 6 * 7", "import os\nos._exit(1)")
    (course / "lessons" / "00_first.md").write_text(text, encoding="utf-8")
    with pytest.raises(run_lessons.LessonsFailed) as failure:
        run_lessons.run_lessons(root=course)
    assert "under the heading: 00 · First" in str(failure.value)
    assert "DeadKernelError" in str(failure.value)


DIES_ONCE = """\
import os
from pathlib import Path
if not Path("died").exists():
    Path("died").touch()
    os.abort()
answer = 6 * 7"""


@pytest.mark.notebook
def test_a_kernel_that_dies_once_is_started_once_more(course, capsys):
    text = GOOD.replace("answer = 6 * 7", DIES_ONCE)
    (course / "lessons" / "00_first.md").write_text(text, encoding="utf-8")
    assert run_lessons.run_lessons(root=course) == ["00_first"]
    assert "its kernel died, and is started once more" in capsys.readouterr().out


def test_a_stand_in_is_replaced_once_the_data_can_be_had(course, monkeypatch):
    folder = course / "cache"
    path = conditions.record_path(folder, "00_first")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"data": {"mnist": "stand-in", "shapes": "rendered"}}))
    lesson = course / "lessons" / "00_first.md"
    monkeypatch.setattr(conditions, "can_be_had", lambda name: False)
    assert not run_lessons._has_old_stand_in(folder, lesson)
    monkeypatch.setattr(conditions, "can_be_had", lambda name: name == "mnist")
    assert run_lessons._has_old_stand_in(folder, lesson)
