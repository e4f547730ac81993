"""Grade a folder of learners' notebooks.

    python -m course_utils.grading FOLDER --out grades.csv --timeout 300 --jobs 2

Each notebook runs from its first cell to its last in a process of its own, in an empty
folder, and an exception in a cell does not keep the next ones from running. Each
`check("…", answer)` in it is then answered by this program with the course's own check,
so it does not matter whether the notebook brings a `check` of its own, or what it
writes into a log. The last state of each exercise counts. Exercises of the lesson that
the notebook never reached are listed as *missing*.

A notebook that is no notebook, runs for ever, ends its own process, kills its parent,
prints megabytes or leaves processes behind costs only itself: its process, and what it
started, is killed when its time is over. This guards against accidents and jokes, not
against an attack: the learner's code runs as you, with your files and your network, in
one process with the check, which it could replace. Run what you do not trust in a
container, and read an answer that is too good.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import csv
import importlib.util
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

from course_utils import _validate

__all__ = [
    "Row",
    "as_table",
    "grade",
    "write_csv",
]

_LARGEST = 100 * 2**20  # bytes of a notebook; outputs can make one large, not so large
_MOST_RESULTS = 10 * 2**20
_TOKEN = "COURSE_GRADING_TOKEN"

#: A process between this one and the notebook's: killing one's parent kills this.
_SITTER = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"


@dataclass(frozen=True)
class Row:
    """One line of the table of grades.

    Attributes:
        file: the notebook, relative to the folder.
        lesson: the lesson's two digits, or "" if it cannot be told.
        exercise: the exercise's name, or "" for a line about the notebook itself.
        state: a state of a check, "missing", or "not graded" for the notebook itself.
        rule: the rule that failed, or "".
        note: what the check said, or what happened to the notebook.
    """

    file: str
    lesson: str
    exercise: str
    state: str
    rule: str = ""
    note: str = ""


class _NotANotebook(Exception):
    """The file cannot be graded; the message says why."""


# --- Reading a notebook ---------------------------------------------------------------


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the code cells of a notebook, each with `source` and `metadata`."""
    try:
        if path.stat().st_size > _LARGEST:
            raise _NotANotebook("the file is larger than 100 MB")
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _NotANotebook(f"the file cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise _NotANotebook(f"the file is no valid JSON: {error}") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise _NotANotebook("the file is JSON, but no notebook of format 4")
    cells = []
    for cell in notebook["cells"]:
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source, metadata = cell.get("source", ""), cell.get("metadata", {})
        if isinstance(source, list):
            source = "".join(line for line in source if isinstance(line, str))
        if isinstance(source, str) and isinstance(metadata, dict):
            if not isinstance(metadata.get("tags"), list):
                metadata = metadata | {"tags": []}
            cells.append({"source": source, "metadata": metadata})
    return cells


def _calls_of_check(source: str) -> list[tuple[str, str]]:
    """Return (exercise, expression) for each `check("…", …)` in a cell."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if getattr(node.func, "id", getattr(node.func, "attr", "")) != "check":
            continue
        given = dict(zip(("name", "answer"), node.args, strict=False))
        given |= {word.arg: word.value for word in node.keywords if word.arg}
        first = given.get("name")
        text = first.value if isinstance(first, ast.Constant) else None
        if set(given) == {"name", "answer"} and isinstance(text, str):
            found.append((text, ast.unparse(given["answer"])))
    return found


def _lessons_of(cells: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the exercises that a notebook should hold, by lesson.

    Which lessons it holds is told from the exercises that are in it.
    """
    from course_utils import checks

    named = {str(cell["metadata"].get("exercise", "")) for cell in cells}
    for cell in cells:
        named |= {name for name, _ in _calls_of_check(cell["source"])}
    every = checks.every()
    lessons = {every[name].lesson for name in named if name in every}
    return {
        lesson: [name for name, entry in every.items() if entry.lesson == lesson]
        for lesson in sorted(lessons)
    }


# --- In the notebook's own process ----------------------------------------------------


def _run_notebook(order: dict[str, Any]) -> None:
    """Run a notebook's cells and write a line for each check into a file."""
    # What is needed later is taken before the first cell could replace it.
    from course_utils import _learners_code, checks, exercises

    judge, find, known = exercises._run, checks.find, checks.every()
    write, own, pid_of = os.write, os.getpid(), os.getpid
    leave, dumps, key = os._exit, json.dumps, order["key"]
    file = os.open(order["results"], os.O_WRONLY | os.O_APPEND)

    def tell(**record: Any) -> None:
        with contextlib.suppress(OSError):
            write(file, (key + dumps(record) + "\n").encode())

    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    if shell.history_manager is not None:
        shell.history_manager.enabled = False
    for number, cell in enumerate(order["cells"], 1):
        if "install" in cell["metadata"]["tags"]:
            continue
        tell(cell=number)
        calls = _calls_of_check(cell["source"])
        if not _is_only_a_check(cell["source"], calls):
            shell.run_cell(cell["source"])
        if pid_of() != own:
            leave(0)  # a child that the cell forked, and that came back here
        for name, expression in calls:
            if name not in known:
                continue
            try:
                answer = eval(expression, shell.user_ns)
            except BaseException as error:
                text = _learners_code.text_of(error)[:300]
                tell(exercise=name, state="error", rule="", note=text)
                continue
            result = judge(find(name), answer)
            tell(
                exercise=name,
                state=result.state,
                rule=result.rule or "",
                note=result.message[:600],
            )
            if pid_of() != own:
                leave(0)
    tell(end=True)


def _is_only_a_check(source: str, calls: Sequence[Any]) -> bool:
    if len(calls) != 1:
        return False
    body = ast.parse(source).body
    return len(body) == 1 and isinstance(body[0], ast.Expr) and _is_check(body[0].value)


def _is_check(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check"


# --- Beside it ------------------------------------------------------------------------


def _grade_one(
    path: Path, name: str, timeout: float, profile: str
) -> tuple[list[Row], str]:
    """Return a notebook's rows, and a sentence if something happened to it."""
    try:
        cells = _read(path)
        lessons = _lessons_of(cells)
        if not lessons:
            raise _NotANotebook("no exercise of the course is in the notebook")
    except _NotANotebook as error:
        return [Row(name, "", "", "not graded", note=str(error))], str(error)
    with (
        tempfile.TemporaryDirectory(
            prefix="grading-", ignore_cleanup_errors=True
        ) as folder,
        # Opened before a learner's code runs: what a cell does to the name, or puts in
        # its place, is not read.
        open(Path(folder) / "results", "w+b") as results,
    ):
        records, happened = _supervise(cells, Path(folder), results, timeout, profile)
    latest = {r["exercise"]: r for r in records if "exercise" in r}
    rows = []
    for lesson, expected in lessons.items():
        for exercise in expected:
            record = latest.get(exercise)
            if record is None:
                note = happened or "the notebook does not check this exercise"
                rows.append(Row(name, lesson, exercise, "missing", note=note))
                continue
            words = [str(record.get(part, "")) for part in ("state", "rule", "note")]
            rows.append(Row(name, lesson, exercise, *words))
    return rows, happened


def _supervise(
    cells: list[dict[str, Any]],
    folder: Path,
    results: BinaryIO,
    timeout: float,
    profile: str,
) -> tuple[list[dict[str, Any]], str]:
    """Run the cells in a process of their own; return its records and its fate."""
    key, token = secrets.token_hex(16), secrets.token_hex(16)
    work = folder / "work"
    work.mkdir()
    order = {"key": key, "results": str(folder / "results"), "cells": cells}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COURSE_CHECK", "COURSE_CHECK_LOG")
    }
    environment |= {_TOKEN: token, "COURSE_PROFILE": profile, "MPLBACKEND": "agg"}
    environment["IPYTHONDIR"] = str(folder / "ipython")
    runner = [sys.executable, "-m", "course_utils.grading", "--run"]
    options: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        options = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    process = subprocess.Popen(
        [sys.executable, "-c", _SITTER, *runner],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=work,
        env=environment,
        **options,
    )
    late = False
    try:
        process.communicate(json.dumps(order).encode(), timeout=timeout)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        _kill_all(process, token)
    records = _records(results, key)
    if any(record.get("end") for record in records):
        return records, ""
    cell = max((record.get("cell", 0) for record in records), default=0)
    where = f"in code cell {cell}" if cell else "before its first cell"
    if late:
        return records, f"stopped {where} after {timeout:g} s"
    code = process.returncode
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return records, f"its process ended {where} {how}"


def _kill_all(process: subprocess.Popen[bytes], token: str) -> None:
    """Kill a process, its group, and what carries its token in its environment."""
    with contextlib.suppress(OSError):
        if os.name == "nt":
            subprocess.run(
                ["taskkill", "/T", "/F", "/PID", str(process.pid)],
                capture_output=True,
                check=False,
            )
        else:
            os.killpg(process.pid, signal.SIGKILL)
    mark = f"{_TOKEN}={token}".encode()
    for _ in range(20):  # again, for what was forked while this looked
        found = False
        for entry in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in entry.read_bytes():
                    os.kill(int(entry.parent.name), signal.SIGKILL)
                    found = True
        if not found:
            break
        time.sleep(0.02)
    with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
        process.communicate(timeout=10)


def _records(file: BinaryIO, key: str) -> list[dict[str, Any]]:
    """Return the records with the right key; whatever else is there is not ours."""
    file.seek(0)
    lines = file.read(_MOST_RESULTS).decode("utf-8", "replace").splitlines()
    records = []
    for line in lines:
        if line.startswith(key):
            with contextlib.suppress(ValueError):
                records.append(json.loads(line[len(key) :]))
    return records


# --- The command ----------------------------------------------------------------------


def grade(
    folder: str | os.PathLike[str],
    *,
    timeout: float = 300,
    jobs: int = 2,
    profile: str = "smoke",
    progress: Callable[[str], None] | None = None,
) -> list[Row]:
    """Run every notebook in a folder, and return the states of its exercises.

    Args:
        folder: searched with its subfolders for files that end in `.ipynb`.
        timeout: seconds that one notebook may take.
        jobs: notebooks that run at the same time.
        profile: the profile that they run in; "smoke" is enough for the checks.
        progress: called with a line of words after each notebook.

    Returns:
        Rows by file, lesson and exercise. A file that cannot be graded has one row.

    Raises:
        FileNotFoundError: if the folder does not exist, or holds no notebook.
        ValueError: for a timeout or number of jobs below the smallest that makes sense,
            or an unknown profile.
        TypeError: for an argument of the wrong type.
        RuntimeError: if IPython is not installed.

    Example:
        >>> rows = grade("handed_in", timeout=120)  # doctest: +SKIP
    """
    _validate.number("timeout", timeout, low=1)
    _validate.integer("jobs", jobs, low=1, high=64)
    _validate.choice("profile", profile, ["smoke", "quick", "full"])
    if progress is not None:
        _validate.function("progress", progress, takes=1)
    root = Path(_validate.folder("folder", folder))
    paths = [p for p in sorted(root.rglob("*.ipynb")) if not _is_hidden(p, root)]
    if not paths:
        raise FileNotFoundError(
            f"`folder`: expected notebooks (files that end in .ipynb) in {root}, "
            "found none."
        )
    if importlib.util.find_spec("IPython") is None:
        raise RuntimeError(
            "Grading runs notebooks and needs IPython, which is not installed here. "
            'Install it with: pip install "course-utils[test]"'
        )
    rows: list[Row] = []
    with ThreadPoolExecutor(jobs) as pool:
        names = {path: path.relative_to(root).as_posix() for path in paths}
        waiting = {
            pool.submit(_grade_one, path, names[path], timeout, profile): names[path]
            for path in paths
        }
        for done, future in enumerate(as_completed(waiting), 1):
            try:
                found, happened = future.result()
            except Exception as error:  # whatever it is, it costs this notebook only
                happened = f"could not be graded: {type(error).__name__}: {error}"
                found = [Row(waiting[future], "", "", "not graded", note=happened)]
            rows += found
            if progress is not None:
                words = happened or _in_words(found)
                line = f"{done}/{len(paths)} {waiting[future]}: {words}"
                progress(_printable(line))
    order = {name: i for i, name in enumerate(names.values())}
    return sorted(rows, key=lambda row: order[row.file])


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _in_words(rows: Sequence[Row]) -> str:
    counts = Counter(row.state for row in rows)
    return ", ".join(f"{count} {state}" for state, count in counts.most_common())


def _printable(text: str) -> str:
    """Return text on one line without control characters (colors, bells)."""
    return "".join(c if c.isprintable() else " " for c in text)


def write_csv(rows: Sequence[Row], path: str | os.PathLike[str]) -> None:
    """Write the table of grades.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.

    Args:
        rows: what `grade` returned.
        path: the file to write, replaced if it exists.

    Raises:
        TypeError: for a path that is none, or rows that `grade` did not return.
        FileNotFoundError: if the folder of the file does not exist.
    """
    _check_rows(rows)
    if not isinstance(path, (str, os.PathLike)):
        _validate.fail_type("path", "the path of a file", path)
    if not Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(
            f"`path`: expected a file in a folder that exists, got {path}."
        )
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([entry.name for entry in fields(Row)])
        for row in rows:
            texts = [_printable(text) for text in asdict(row).values()]
            writer.writerow(
                [f"'{text}" if re.match(r"[=+\-@]", text) else text for text in texts]
            )


def as_table(rows: Sequence[Row]) -> str:
    """Return the grades as lines of text: file, exercise, state, rule that failed.

    Args:
        rows: what `grade` returned.

    Raises:
        TypeError: for rows that `grade` did not return.
    """
    _check_rows(rows)
    lines = [("file", "exercise", "state", "rule")]
    for row in rows:
        last = row.rule or (row.note if row.state in ("missing", "not graded") else "")
        lines.append((row.file, row.exercise or "-", row.state, last[:80]))
    lines = [tuple(map(_printable, line)) for line in lines]  # type: ignore[misc]
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    texts = []
    for line in lines:
        padded = [f"{text:<{width}}" for text, width in zip(line, widths, strict=False)]
        texts.append("  ".join([*padded, line[3]]).rstrip())
    return "\n".join(texts)


def _check_rows(rows: Any) -> None:
    if isinstance(rows, str) or not isinstance(rows, Sequence):
        _validate.fail_type("rows", "what `grade` returned", rows)
    for row in rows:
        if not isinstance(row, Row):
            _validate.fail_type("rows", "what `grade` returned", row)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.grading",
        description="Grade a folder of learners' notebooks.",
    )
    parser.add_argument("folder", help="holds the notebooks, also in subfolders")
    parser.add_argument("--out", default="grades.csv", help="the table to write")
    parser.add_argument(
        "--timeout", type=float, default=300, help="seconds for a notebook"
    )
    parser.add_argument("--jobs", type=int, default=2, help="notebooks at a time")
    parser.add_argument("--profile", default="smoke", help="smoke, quick or full")
    chosen = parser.parse_args(arguments)
    if not Path(chosen.out).absolute().parent.is_dir():
        print(f"--out: its folder does not exist: {chosen.out}", file=sys.stderr)
        return 2
    try:
        with open(chosen.out, "a", encoding="utf-8"):
            pass  # now, and not after an hour of grading
    except OSError as error:
        print(f"--out: cannot be written: {error}", file=sys.stderr)
        return 2
    start = time.monotonic()
    try:
        rows = grade(
            chosen.folder,
            timeout=chosen.timeout,
            jobs=chosen.jobs,
            profile=chosen.profile,
            progress=lambda line: print(line, flush=True),
        )
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    write_csv(rows, chosen.out)
    print("\n" + as_table(rows))
    files = len({row.file for row in rows})
    seconds = time.monotonic() - start
    print(f"\n{files} notebooks in {seconds:.0f} s; the table is in {chosen.out}")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--run"]:
        _run_notebook(json.loads(sys.stdin.read()))
        sys.stdout.flush()
        os._exit(0)  # no thread that a cell has left keeps the process alive
    sys.exit(main())
