"""Run the tests that a change touches: minutes in place of the whole suite.

    python tools/changed_tests.py          what differs from the branch main
    python tools/changed_tests.py --list   only say which commands would run

A shortcut while you work, and no more: `make test` runs everything, and so does
continuous integration.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LESSON_LINTS = ("lessons", "quoted_numbers", "course_data", "solution_leaks")
SITE_TESTS = ("book_extension", "course_data")
RECORD_TESTS = ("experiments", "records", "quoted_numbers", "readme", "benchmarks")


def changed(base: str = "main") -> list[str]:
    """Return the files that differ from a branch, with those that git does not know.

    Args:
        base: a branch or a commit; where it does not exist, the last commit counts.
    """

    def git(*command: str) -> str:
        done = subprocess.run(
            ["git", *command], cwd=ROOT, capture_output=True, text=True
        )
        return done.stdout.strip() if not done.returncode else ""

    start = git("merge-base", "HEAD", f"origin/{base}") or git(
        "merge-base", "HEAD", base
    )
    names = git("diff", "--name-only", start or "HEAD").splitlines()
    names += git("ls-files", "--others", "--exclude-standard").splitlines()
    return sorted(set(names))


def touched(names: list[str]) -> tuple[set[str], set[str]]:
    """Return the test files and the topics of exercises that a change touches.

    Args:
        names: changed files, relative to the repository.

    Returns:
        Test files and notebooks; prefixes of exercises whose checks are to be proved.
    """
    from course_utils import checks

    prefixes = {module: prefix for prefix, module in checks.TOPICS.items()}
    sources = {
        path: path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "tests").glob("test_*.py"))
    }
    files: set[str] = set()
    topics: set[str] = set()

    def add(*found: str) -> None:
        files.update(name for name in found if (ROOT / name).is_file())

    for name in names:
        path = Path(name)
        if path.suffix in (".md", ".py", ".toml"):
            add("tests/test_prose.py")
        if name == "README.md":
            add("tests/test_readme.py")
        elif path.parts[0] == "results":
            add(*(f"tests/test_{test}.py" for test in RECORD_TESTS))
        elif path.parts[0] == "lessons":
            add(f"lessons/{path.stem}.ipynb", f"tests/test_{path.stem}.py")
            add(*(f"tests/test_{lint}.py" for lint in LESSON_LINTS))
        elif path.parts[0] == "solutions" and len(path.parts) > 1:
            topics.update(filter(None, [prefixes.get(path.parts[1][3:])]))
            add("tests/test_solution_leaks.py", "tests/test_lessons.py")
            add(f"lessons/{path.parts[1]}.ipynb")
        elif path.parent.name == "checks":
            topics.update(filter(None, [prefixes.get(path.stem)]))
            for lesson in (ROOT / "lessons").glob(f"??_{path.stem}.ipynb"):
                add(f"lessons/{lesson.name}", f"tests/test_{lesson.stem}.py")
        elif path.parts[0] in ("src", "tools", "benchmarks"):
            word = re.compile(rf"\b{re.escape(path.stem.lstrip('_'))}\b")
            imports = re.compile(r"^(?:from|import) .*?(?:\)|$)", re.M)
            for test, source in sources.items():
                if any(word.search(line) for line in imports.findall(source)):
                    add(f"tests/{test.name}")
            add(f"tests/test_{path.stem.lstrip('_')}.py")
        elif path.parts[0] == "book":
            add(*(f"tests/test_{test}.py" for test in SITE_TESTS))
            if path.match("book/images/*"):
                add("tests/test_readme.py")
            if path.match("book/editions/*"):
                add("tests/test_editions.py")
        elif path.parts[0] == "tests":
            add(name if path.suffix == ".py" and "site" not in path.parts else "")
        else:
            add("tests/test_tools.py", "tests/test_release.py")
    return {name for name in files if name}, topics


def commands(files: set[str], topics: set[str]) -> list[list[str]]:
    """Return the calls of pytest that run these tests."""
    start = [sys.executable, "-m", "pytest", "-q", "--nbmake"]
    lints = {f"tests/test_{lint}.py" for lint in LESSON_LINTS} & files
    lessons = sorted(Path(name).stem for name in files if name.endswith(".ipynb"))
    found = [[*start, *sorted(files - lints)]] if files - lints else []
    if lints:
        # Quick ones for every lesson; a run with the solutions for those that changed.
        words = " or ".join([*lessons, "not notebook"])
        found.append([*start, *sorted(lints), "-k", words])
    if topics:
        words = " or ".join(f"{topic}." for topic in sorted(topics))
        found.append([*start, "tests/test_solutions.py", "-k", words])
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="main", help="branch to compare with")
    parser.add_argument("--list", action="store_true", help="run nothing")
    options = parser.parse_args(arguments)
    names = changed(options.base)
    todo = commands(*touched(names))
    if any(name.startswith(("book/", "tests/site/", "_")) for name in names):
        print("The site changed: make book and make test-site judge it.")
    if not todo:
        print(
            f"Nothing that has a test differs from {options.base}. Work that is "
            f"committed on {options.base} itself: name a commit with --base."
        )
        return 0
    environment = {"COURSE_PROFILE": "smoke", "COURSE_CHECK": "blank", **os.environ}
    status = 0
    for command in todo:
        print("pytest", *command[3:], flush=True)
        if not options.list:
            done = subprocess.run(command, cwd=ROOT, env=environment)
            status = status or done.returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
