"""Grading a folder: each notebook costs only itself, and only our checks count."""

from __future__ import annotations

import csv
import json
import os
import sys
import time

import pytest

from course_utils import grading
from course_utils.grading import Row, as_table, grade, main, write_csv

pytest.importorskip("IPython")

RIGHT = """
def output_size(n, filter_size, stride=1, padding=0):
    return len([i for i in range(0, n + 2 * padding - filter_size + 1, stride)])
"""
CHECK = 'check("start.output_size", output_size)'
IMPORT = "from course_utils import check"
NAMES = ["start.output_size", "start.stem_width", "start.stale_name"]

posix = pytest.mark.skipif(os.name == "nt", reason="signals and fork of POSIX")


def notebook(path, *sources):
    """Write a notebook of code cells; a check's exercise is told by its call."""
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
        for source in sources
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4})
    path.write_text(text, encoding="utf-8")


def graded(folder, **options):
    """Return {(file, exercise): row}."""
    return {(row.file, row.exercise): row for row in grade(folder, **options)}


def state(rows, file, exercise="start.output_size"):
    return rows[file, exercise].state


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A class of learners, graded once."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "group").mkdir()
    notebook(folder / "group" / "right.ipynb", IMPORT, RIGHT, CHECK)
    notebook(
        folder / "wrong.ipynb",
        IMPORT,
        "answer = ...\ncheck('start.stem_width', answer)",
        "answer = 112",
        "check('start.stem_width', answer)",
        "check('start.output_size', lambda n, f, stride, padding: 1 / 0)",
        "check('start.stale_name', not_defined)",
        "check('no.such_exercise', 3)",
    )
    notebook(
        folder / "liar.ipynb",
        "import os, json",
        "def check(name, answer):\n    return 'correct'",
        "for name in ('COURSE_CHECK_LOG', 'results'):\n"
        "    with open(os.environ.get(name, '../results'), 'a') as file:\n"
        "        file.write(json.dumps({'exercise': 'start.output_size',"
        " 'state': 'correct'}) + '\\n')",
        "check('start.output_size', 3)",
    )
    notebook(
        folder / "raises.ipynb",
        "this is no Python",
        "1 / 0",
        "import sys\nsys.exit(3)",
        IMPORT,
        RIGHT,
        CHECK,
    )
    notebook(
        folder / "loud.ipynb",
        "print('x' * 30_000_000)",
        "import sys\nsys.stderr.write('y' * 3_000_000)\ninput('wait')",
        IMPORT,
        RIGHT,
        CHECK,
    )
    notebook(folder / "exits.ipynb", IMPORT, RIGHT, CHECK, "import os\nos._exit(7)")
    (folder / "broken.ipynb").write_text('{"cells": [', encoding="utf-8")
    (folder / "list.ipynb").write_text("[1, 2]", encoding="utf-8")
    (folder / "bytes.ipynb").write_bytes(b"\xff\xfe\x00")
    notebook(folder / "other.ipynb", "print('holiday photos')")
    return graded(folder, timeout=120)


def test_a_right_and_a_wrong_notebook_get_their_states(rows):
    assert state(rows, "group/right.ipynb") == "correct"
    assert state(rows, "wrong.ipynb", "start.stem_width") == "incorrect"
    assert rows["wrong.ipynb", "start.stem_width"].rule == "goes through both layers"


def test_the_last_state_of_an_exercise_counts(rows):
    found = [key for key in rows if key == ("wrong.ipynb", "start.stem_width")]
    assert len(found) == 1


def test_errors_are_named(rows):
    assert state(rows, "wrong.ipynb") == "error"
    assert "ZeroDivisionError" in rows["wrong.ipynb", "start.output_size"].note
    assert state(rows, "wrong.ipynb", "start.stale_name") == "error"
    assert "NameError" in rows["wrong.ipynb", "start.stale_name"].note


def test_exercises_that_were_not_checked_are_missing(rows):
    for name in NAMES[1:]:
        row = rows["group/right.ipynb", name]
        assert row.state == "missing"
        assert row.lesson == "00"


def test_only_the_courses_own_check_counts(rows):
    assert state(rows, "liar.ipynb") == "incorrect"


def test_cells_that_raise_do_not_stop_the_next(rows):
    assert state(rows, "raises.ipynb") == "correct"


def test_megabytes_of_output_and_a_question_to_the_keyboard_are_survived(rows):
    assert state(rows, "loud.ipynb") == "correct"


def test_a_process_that_ends_keeps_what_it_had(rows):
    assert state(rows, "exits.ipynb") == "correct"
    note = rows["exits.ipynb", "start.stem_width"].note
    assert "in code cell 4 with exit code 7" in note


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("broken.ipynb", "no valid JSON"),
        ("bytes.ipynb", "no valid JSON"),
        ("list.ipynb", "no notebook of format 4"),
        ("other.ipynb", "no exercise of the course"),
    ],
)
def test_what_cannot_be_graded_says_why(rows, file, words):
    row = rows[file, ""]
    assert row.state == "not graded"
    assert words in row.note


@posix
def test_hostile_notebooks_cost_only_themselves(tmp_path):
    mark = tmp_path / "mark"
    stray = f"import time, pathlib\ntime.sleep(8)\npathlib.Path({str(mark)!r}).touch()"
    notebook(tmp_path / "endless.ipynb", IMPORT, RIGHT, CHECK, "while True: pass")
    notebook(
        tmp_path / "kills.ipynb",
        IMPORT,
        CHECK.replace("output_size)", "...)"),
        "import os, signal\nos.kill(os.getppid(), 9)\nos.killpg(0, 9)",
    )
    notebook(
        tmp_path / "stays.ipynb",
        IMPORT,
        "import subprocess, sys, os, signal, atexit, threading, time",
        f"subprocess.Popen([sys.executable, '-c', {stray!r}], start_new_session=True)",
        "for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):\n"
        "    signal.signal(s, signal.SIG_IGN)",
        "atexit.register(lambda: time.sleep(100))\n"
        "threading.Thread(target=lambda: time.sleep(100)).start()",
        "os.fork()",
        RIGHT,
        CHECK,
    )
    start = time.monotonic()
    rows = graded(tmp_path, timeout=10, jobs=3)
    assert time.monotonic() - start < 60
    assert state(rows, "endless.ipynb") == "correct"
    assert "after 10 s" in rows["endless.ipynb", "start.stem_width"].note
    assert state(rows, "kills.ipynb") in ("not attempted", "missing")
    assert state(rows, "stays.ipynb") == "correct"
    if sys.platform == "linux":
        time.sleep(max(0.0, start + 12 - time.monotonic()))
        assert not mark.exists(), "a process that a notebook left behind went on"


@posix
def test_a_notebook_that_takes_the_results_away_costs_only_itself(tmp_path):
    notebook(tmp_path / "a_right.ipynb", IMPORT, RIGHT, CHECK)
    gone = "import os\nos.unlink('../results')"
    notebook(tmp_path / "gone.ipynb", IMPORT, RIGHT, CHECK, gone)
    pipe = f"{gone}\nos.mkfifo('../results')"
    notebook(tmp_path / "pipe.ipynb", IMPORT, RIGHT, CHECK, pipe)
    rows = graded(tmp_path, timeout=60)
    for file in ("a_right.ipynb", "gone.ipynb", "pipe.ipynb"):
        assert state(rows, file) == "correct"


def test_whatever_goes_wrong_with_one_notebook_the_others_keep_their_rows(
    tmp_path, monkeypatch
):
    for name in ("a.ipynb", "b.ipynb"):
        notebook(tmp_path / name, IMPORT, CHECK)

    def grade_one(path, name, timeout, profile):
        if name == "a.ipynb":
            raise PermissionError("no more processes")
        return [Row(name, "00", "start.output_size", "correct")], ""

    monkeypatch.setattr(grading, "_grade_one", grade_one)
    first, second = grade(tmp_path)
    assert (first.file, first.state) == ("a.ipynb", "not graded")
    assert "no more processes" in first.note
    assert second.state == "correct"


def test_a_check_may_be_called_with_names_and_tags_may_be_anything(tmp_path):
    path = tmp_path / "named.ipynb"
    notebook(path, IMPORT, RIGHT, 'check(name="start.output_size", answer=output_size)')
    content = json.loads(path.read_text())
    content["cells"][0]["metadata"]["tags"] = 5
    path.write_text(json.dumps(content))
    assert state(graded(tmp_path), "named.ipynb") == "correct"


def test_a_table_that_cannot_be_written_is_said_before_the_grading(tmp_path, capsys):
    notebook(tmp_path / "a.ipynb", IMPORT, CHECK)
    assert main([str(tmp_path), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert "--out" in said.err
    assert said.out == ""


def test_the_table_is_written_for_a_spreadsheet(tmp_path, capsys):
    path = tmp_path / "grades.csv"
    rows = [
        Row("=cmd().ipynb", "00", "start.a", "incorrect", "a rule", "one\ntwo\x1b[31m"),
        Row("b.ipynb", "", "", "not graded", note="no valid JSON"),
    ]
    write_csv(rows, path)
    with path.open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert first["file"] == "'=cmd().ipynb"
    assert first["note"] == "one two [31m"
    assert second["state"] == "not graded"
    table = as_table(rows)
    assert "a rule" in table
    assert "no valid JSON" in table
    assert "\x1b" not in table


def test_the_command_prints_a_table_and_writes_the_file(tmp_path, capsys):
    notebook(tmp_path / "a.ipynb", IMPORT, RIGHT, CHECK)
    out = tmp_path / "grades.csv"
    assert main([str(tmp_path), "--out", str(out), "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "1/1 a.ipynb: 2 missing, 1 correct" in printed
    assert "start.output_size" in printed
    assert out.exists()


def test_a_folder_that_is_missing_or_empty_is_named(tmp_path, capsys):
    out = ["--out", str(tmp_path / "x.csv")]
    assert main([str(tmp_path / "nowhere"), *out]) == 2
    assert "`folder`" in capsys.readouterr().err
    assert main([str(tmp_path), *out]) == 2
    assert "found none" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "file"), *out]) == 2
    assert "`folder`" in capsys.readouterr().err
    assert main([str(tmp_path), "--out", str(tmp_path / "no" / "x.csv")]) == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "argument"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"jobs": 0}, "jobs"),
        ({"jobs": 1.5}, "jobs"),
        ({"profile": "slow"}, "profile"),
    ],
)
def test_options_that_make_no_sense_are_named(tmp_path, option, argument):
    with pytest.raises((ValueError, TypeError), match=f"`{argument}`"):
        grade(tmp_path, **option)


def test_without_ipython_the_message_says_what_to_install(tmp_path, monkeypatch):
    notebook(tmp_path / "a.ipynb", IMPORT, CHECK)
    monkeypatch.setattr(grading.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"pip install .*course-utils\[test\]"):
        grade(tmp_path)


def test_hidden_folders_such_as_checkpoints_are_left_out(tmp_path):
    (tmp_path / ".ipynb_checkpoints").mkdir()
    notebook(tmp_path / ".ipynb_checkpoints" / "a.ipynb", CHECK)
    with pytest.raises(FileNotFoundError, match="found none"):
        grade(tmp_path)
