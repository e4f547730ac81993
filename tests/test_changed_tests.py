"""A change is tested by what belongs to it."""

from __future__ import annotations

import subprocess

import changed_tests
import pytest

pytestmark = pytest.mark.repository


@pytest.mark.parametrize(
    ("name", "files", "topics"),
    [
        (
            "lessons/02_vanishing_gradients.md",
            {
                "lessons/02_vanishing_gradients.ipynb",
                "tests/test_02_vanishing_gradients.py",
                "tests/test_prose.py",
                "tests/test_lessons.py",
            },
            set(),
        ),
        (
            "solutions/13_heat_maps/hits.py",
            {"tests/test_solution_leaks.py", "lessons/13_heat_maps.ipynb"},
            {"heat"},
        ),
        (
            "src/course_utils/checks/resnet50.py",
            {"tests/test_prose.py", "tests/test_07_resnet50.py"},
            {"resnet"},
        ),
        ("README.md", {"tests/test_readme.py"}, set()),
        ("book/images/book.png", {"tests/test_readme.py"}, set()),
        ("book/editions/x.css", {"tests/test_editions.py"}, set()),
        (
            "results/cifar10/shallow.json",
            {"tests/test_experiments.py", "tests/test_quoted_numbers.py"},
            set(),
        ),
        (
            "src/course_utils/blocks.py",
            {"tests/test_blocks.py", "tests/test_05_separable_convolution.py"},
            set(),
        ),
        ("src/course_utils/_validate.py", {"tests/test_validate.py"}, set()),
        (
            "tools/pair.py",
            {"tests/test_lessons.py", "tests/test_tools.py", "tests/test_template.py"},
            set(),
        ),
        ("book/map.yml", {"tests/test_book_extension.py"}, set()),
        ("tests/test_shapes.py", {"tests/test_shapes.py"}, set()),
        ("requirements.lock", {"tests/test_tools.py"}, set()),
    ],
)
def test_a_changed_file_leads_to_its_tests(name, files, topics):
    found, proved = changed_tests.touched([name])
    assert files <= found
    assert proved == topics


def test_a_block_does_not_lead_to_every_test():
    found, _ = changed_tests.touched(["src/course_utils/shapes.py"])
    assert "tests/test_shapes.py" in found
    assert "tests/test_nets.py" not in found


def test_topics_are_proved_by_a_call_of_their_own():
    first, second = changed_tests.commands({"tests/test_a.py"}, {"heat", "resnet"})
    assert first[-1] == "tests/test_a.py"
    assert second[-2:] == ["-k", "heat. or resnet."]
    assert changed_tests.commands(set(), set()) == []


def test_a_lesson_that_did_not_change_is_not_run_again():
    files = {"lessons/02_x.ipynb", "tests/test_lessons.py", "tests/test_prose.py"}
    first, second = changed_tests.commands(files, set())
    assert first[-2:] == ["lessons/02_x.ipynb", "tests/test_prose.py"]
    assert second[-3:] == ["tests/test_lessons.py", "-k", "02_x or not notebook"]


def test_what_is_committed_changed_or_new_since_the_branch_counts(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(changed_tests, "ROOT", tmp_path)

    def git(*command):
        who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *who, *command], cwd=tmp_path, check=True)

    def write(name):
        (tmp_path / name).write_text(name + " again" * (tmp_path / name).exists())
        git("add", "--all")

    git("init", "--quiet", "--initial-branch", "main")
    for name in ("same.md", "changed.md"):
        write(name)
    git("commit", "--quiet", "--message", "First")
    git("checkout", "--quiet", "-b", "mine")
    write("committed.md")
    git("commit", "--quiet", "--message", "Second")
    write("changed.md")
    (tmp_path / "new.md").write_text("new")
    assert changed_tests.changed() == ["changed.md", "committed.md", "new.md"]
