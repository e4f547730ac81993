"""A lesson or an exercise from the template passes every test, or leaves no trace."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pair
import pytest
import template
from test_book_extension import glossary, unlinked

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]
LESSONS = [path.stem[:2] for path in pair.lessons()]
NEXT = f"{len(LESSONS):02d}"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of all that git knows or would add."""
    folder = tmp_path_factory.mktemp("course")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, done.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.notebook
def test_a_lesson_and_an_exercise_from_the_template_pass_all_that_lessons_must(
    copy, run_in
):
    # The command for the exercise records the lesson: once is enough.
    code = (
        "import sys; sys.path.insert(0, 'tools'); import template; "
        "template.record = lambda lesson: None; "
        f"sys.exit(template.main(['lesson', '{NEXT}', 'Attention']))"
    )
    status, said = run_in(copy, "-c", code)
    assert status == 0, said
    command = ["tools/template.py", "exercise", NEXT, "one_more", "--kind", "bug"]
    status, said = run_in(copy, *command)
    assert status == 0, said
    files = ["lessons", "quoted_numbers", "solutions", "course_data", "readme"]
    files += ["solution_leaks", "book_extension", "prose", f"{NEXT}_attention"]
    chosen = [f"tests/test_{name}.py" for name in files]
    # What is asked of this lesson, and what is asked of the lessons together. Absurd
    # answers are tried on every exercise of the course in the copy's own test run.
    words = (
        "attention or stands_in or described or derived or notebook_is or used_twice"
    )
    status, said = run_in(
        copy,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen),
        *("-k", f"({words}) and not absurd"),
    )
    assert status == 0, said
    passed = re.search(r"(\d+) passed", said)
    assert passed, said
    # Six exercises with their answers, the lints, and the run with the solutions.
    assert int(passed[1]) > 80


def test_what_fails_half_way_leaves_no_trace(copy, run_in):
    (copy / "benchmarks" / "__main__.py").rename(copy / "benchmarks" / "gone.py")
    before = content(copy)
    number = f"{len(list((copy / 'lessons').glob('*.md'))):02d}"
    status, said = run_in(copy, "tools/template.py", "lesson", number, "Of no use")
    (copy / "benchmarks" / "gone.py").rename(copy / "benchmarks" / "__main__.py")
    assert status == 1
    assert "every file is as it was" in said
    after = content(copy)
    after[Path("benchmarks/gone.py")] = after.pop(Path("benchmarks/__main__.py"))
    assert after == before
    assert not (copy / "solutions" / f"{number}_of_no_use").exists()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *((number, "function") for number in LESSONS),
        *((LESSONS[-1], kind) for kind in template.KINDS if kind != "function"),
    ],
)
def test_an_exercise_of_each_kind_fits_into_each_lesson(number, kind):
    files = template.exercise_files(number, "quite_new", kind, "Quite new")
    lesson, module, solution = files.values()
    titles = re.findall(r"^> \*\*Exercise (\d+)", lesson, re.MULTILINE)
    assert [int(title) for title in titles] == list(range(1, len(titles) + 1))
    assert "{{" not in module + solution
    assert unlinked(lesson, glossary()) == []
    names = template.names_in(module)
    (imported,) = (
        node
        for node in ast.parse(module).body
        if isinstance(node, ast.ImportFrom) and node.module == "course_utils.exercises"
    )
    assert {"Exercise", "Rule", "Failure", "expect_close"} & names <= {
        alias.name for alias in imported.names
    }
    old = next(path for path in files if path.parent.name == "checks").read_text()
    assert max(map(len, set(module.splitlines()) - set(old.splitlines()))) <= 88
    compile(module, "checks", "exec")


def test_an_exercise_in_the_middle_moves_the_others_on():
    files = template.exercise_files("00", "quite_new", "number", "New", "Set up")
    lesson = next(iter(files.values()))
    titles = re.findall(r"^> \*\*Exercise (\d+ · .+?)\*\*", lesson, re.MULTILINE)
    assert titles[:2] == ["1 · New", "2 · Output size"]


def lesson_of(**changed):
    plain = {"number": NEXT, "title": "New", "topic": "new", "prefix": "new"}
    return template.lesson_files(**(plain | {"needs": []} | changed))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: lesson_of(number="02"), f"the next lesson is {NEXT}"),
        (lambda: lesson_of(number="99"), f"the next lesson is {NEXT}"),
        (lambda: lesson_of(title="A | B"), "title: expected"),
        (lambda: lesson_of(title=""), "title: expected"),
        (lambda: lesson_of(topic="Quite New"), "topic: expected"),
        (lambda: lesson_of(topic="../x"), "topic: expected"),
        (lambda: lesson_of(topic="heat_maps"), "'heat_maps' is taken"),
        (lambda: lesson_of(prefix="heat"), "'heat' is taken"),
        (lambda: lesson_of(prefix="in"), "means something in Python"),
        (lambda: lesson_of(prefix="new2"), "prefix: expected"),
        (lambda: lesson_of(needs=["77"]), "no lesson '77'"),
        (
            lambda: template.exercise_files("77", "new", "bug", ""),
            "expected one of 00, 01",
        ),
        (
            lambda: template.exercise_files("00", "output_size", "bug", ""),
            "has an exercise",
        ),
        (lambda: template.exercise_files("00", "course", "bug", ""), "something else"),
        (lambda: template.exercise_files("00", "max", "bug", ""), "means something"),
        (lambda: template.exercise_files("00", "x" * 40, "bug", ""), "at most 20"),
        (
            lambda: template.exercise_files("00", "new", "bug", "", "Nowhere"),
            "under: expected one of",
        ),
    ],
)
def test_what_exists_or_has_a_bad_name_is_refused(ask, words):
    with pytest.raises(template.Refused, match=re.escape(words)):
        ask()
