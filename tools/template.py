"""Make a lesson, or an exercise of a lesson, that works and passes every test at once.

    python tools/template.py lesson 14 "Attention" --needs 06
    python tools/template.py exercise 05 channel_count --kind number

What is made is a small example that is true: the author changes it piece by piece, and
the tests stay green on the way. The command writes the lesson, its checks, its
solutions and its tests, lists it where lessons are listed, runs it, and keeps what it
printed. Where anything fails, every file is as it was before.

A template is a file of `tools/templates`, in which `{{ name }}` is filled in.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import contextlib
import io
import json
import keyword
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pair
import solutions_of
import yaml

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "tools" / "templates"
KINDS = ("number", "function", "choice", "bug", "bug_choice")
# The exercises of a new lesson: its tests ask for five, two of them with a bug.
FIRST_EXERCISES = (
    ("weights", "number", "Count the parameters"),
    ("zeros", "function", "The share of zeros"),
    ("low_bias", "choice", "A low bias"),
    ("leaky", "bug", "The leak that never comes"),
    ("average", "bug_choice", "A mean of nothing"),
)
LONGEST_NAME, LONGEST_TITLE = 20, 60
NEXT_STEPS = """\
It is a small example that works. Change it piece by piece; after each one:
  make lesson L={number}
and, where code has changed, to record what it prints:
  .venv/bin/python -m benchmarks lessons --only {number}"""
ONLY_A_PERSON = """\
Then read what only a person can renew: the lesson's question in README.md, the plan in
book/instructors.md, “What comes next” of the lesson before, and the number of lessons
in book/welcome.md."""


class Refused(ValueError):
    """What was asked for exists already, or has a name that cannot be used."""


@dataclass(frozen=True)
class Exercise:
    """One exercise to make.

    Attributes:
        number: the two digits of its lesson.
        prefix: the part of its name before the dot.
        name: the part behind it.
        kind: one of `KINDS`.
        title: a few words.
        count: its number within the lesson.
    """

    number: str
    prefix: str
    name: str
    kind: str
    title: str
    count: int

    def parts(self) -> dict[str, str]:
        """Return the text for the lesson, the checks and the solutions."""
        template = (TEMPLATES / f"exercise_{self.kind}.txt").read_text("utf-8")
        inside = self.title[:1].lower() + self.title[1:]
        values = {
            **{name: str(value) for name, value in vars(self).items()},
            "title_inside": inside,
            "quoted_title": json.dumps(self.title, ensure_ascii=False),
        }
        parts = re.split(r"^=== (\w+)\n", template, flags=re.MULTILINE)[1:]
        return {
            name: filled(text, values)
            for name, text in zip(parts[::2], parts[1::2], strict=True)
        }


def filled(template: str, values: dict[str, str]) -> str:
    """Return a template with its places filled in."""
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: values[match[1]], template)


# --- What may be made -----------------------------------------------------------------


def accept_title(title: str) -> str:
    """Return a title that reads the same in Markdown, YAML and Python, or refuse."""
    title = " ".join(title.split())
    if not 2 < len(title) <= LONGEST_TITLE or re.search(
        r"[|<>*_`\[\]{}$\\\"#:]", title
    ):
        raise Refused(
            f"title: expected 3 to {LONGEST_TITLE} letters, digits and simple signs, "
            f"got {title!r}."
        )
    return title


def accept_name(name: str, what: str, pattern: str = r"[a-z][a-z0-9_]*") -> str:
    """Return a name that can be a Python name and a file name, or refuse."""
    known = keyword.iskeyword(name) or keyword.issoftkeyword(name)
    if known or hasattr(builtins, name):
        raise Refused(f"{what}: {name!r} means something in Python already.")
    if not re.fullmatch(pattern, name) or len(name) > LONGEST_NAME:
        raise Refused(
            f"{what}: expected at most {LONGEST_NAME} of a to z"
            f"{'' if '_' not in pattern else ', digits and _'}, beginning with a "
            f"letter, got {name!r}."
        )
    return name


def find_lesson(number: str) -> Path:
    """Return the Markdown of a lesson, or refuse."""
    found = [path for path in pair.lessons() if path.stem.startswith(f"{number}_")]
    if len(found) != 1:
        known = ", ".join(path.stem[:2] for path in pair.lessons())
        raise Refused(f"lesson: expected one of {known}, got {number!r}.")
    return found[0]


def topics() -> dict[str, str]:
    """Return the prefix of each topic, with the module of its checks."""
    from course_utils import checks

    return checks.TOPICS


# --- A lesson -------------------------------------------------------------------------


def lesson_files(
    number: str, title: str, topic: str, prefix: str, needs: list[str]
) -> dict[Path, str]:
    """Return what each file of a new lesson, and each list of lessons, will hold.

    Args:
        number: two digits; the one behind the last lesson.
        title: the lesson's title.
        topic: the name of its files behind the number.
        prefix: the names of its exercises begin with it.
        needs: numbers of the lessons that it builds on.

    Raises:
        Refused: for what exists already, or a name that cannot be used.
    """
    title = accept_title(title)
    accept_name(topic, "topic")
    accept_name(prefix, "prefix", "[a-z]+")
    present = [path.stem[:2] for path in pair.lessons()]
    following = f"{len(present):02d}"
    if number != following:
        raise Refused(f"number: the next lesson is {following}, got {number!r}.")
    if unknown := sorted(set(needs) - set(present)):
        raise Refused(f"needs: there is no lesson {unknown[0]!r}.")
    if prefix in topics():
        raise Refused(f"prefix: {prefix!r} is taken by another lesson.")
    lesson = f"{number}_{topic}"
    checks = ROOT / "src" / "course_utils" / "checks"
    module = checks / f"{topic}.py"
    if module.exists():
        raise Refused(f"topic: {topic!r} is taken by another lesson.")
    words = {"number": number, "title": title, "lesson": lesson}
    words["needs_in_words"] = in_words(needs)
    exercises = [
        Exercise(number, prefix, name, kind, heading, count)
        for count, (name, kind, heading) in enumerate(FIRST_EXERCISES, 1)
    ]
    code = filled((TEMPLATES / "checks.txt").read_text("utf-8"), words)
    texts = ["## Exercises\n"]
    files: dict[Path, str] = {}
    for exercise in exercises:
        parts = exercise.parts()
        texts.append(parts["lesson"])
        code = with_check(code, exercise, parts["check"])
        files[ROOT / "solutions" / lesson / f"{exercise.name}.py"] = parts["solution"]
    words["exercises"] = "\n".join(texts)
    question = "How much does a rectifier take away?"
    files |= {
        ROOT / "lessons" / f"{lesson}.md": filled(
            (TEMPLATES / "lesson.md").read_text("utf-8"), words
        ),
        module: code,
        ROOT / "tests" / f"test_{lesson}.py": filled(
            (TEMPLATES / "test.txt").read_text("utf-8"), words
        ),
    }
    for path in files:
        if path.exists():
            raise Refused(f"{path.relative_to(ROOT)} exists already.")
    files[checks / "__init__.py"] = added(
        checks / "__init__.py", r'^    "\w+": "\w+",$', f'    "{prefix}": "{topic}",'
    )
    files[ROOT / "_toc.yml"] = added(
        ROOT / "_toc.yml",
        r"^ +- file: lessons/\d\d_\w+$",
        f"      - file: lessons/{lesson}",
    )
    listed = ", ".join(f'"{need}"' for need in needs)
    files[ROOT / "book" / "map.yml"] = added(
        ROOT / "book" / "map.yml",
        r"^    - \{number: .*\}$",
        f'    - {{number: "{number}", title: {plain_yaml(title)}, needs: [{listed}]}}',
    )
    files[ROOT / "README.md"] = added(
        ROOT / "README.md",
        r"^\| \d\d \| \[.*\]\(lessons/.*\|$",
        pair.readme_row(lesson, title, question),
    )
    return files


def in_words(needs: list[str]) -> str:
    """Return "lesson 06" or "lessons 03, 04 and 06"."""
    if not needs:
        return "Python and basic NumPy"
    *first, last = needs
    return f"lessons {', '.join(first)} and {last}" if first else f"lesson {last}"


def plain_yaml(text: str) -> str:
    """Return a text as it stands in a line of YAML, in quotes where it needs them."""
    inside = yaml.safe_load(f"[{text}]")
    return text if inside == [text] else json.dumps(text, ensure_ascii=False)


def added(path: Path, pattern: str, line: str) -> str:
    """Return a file's text with a line behind the last one that fits a pattern."""
    text = path.read_text(encoding="utf-8")
    last = list(re.finditer(pattern, text, re.MULTILINE))[-1]
    return f"{text[: last.end()]}\n{line}{text[last.end() :]}"


# --- An exercise ----------------------------------------------------------------------


def exercise_files(
    number: str, name: str, kind: str, title: str, under: str = ""
) -> dict[Path, str]:
    """Return what each file that a new exercise touches will hold.

    Args:
        number: the lesson's two digits.
        name: the part of its name behind the dot.
        kind: one of `KINDS`.
        title: a few words; "" makes them of the name.
        under: the heading of the section that it ends; "" for the last one before the
            quiz.

    Raises:
        Refused: for what exists already, or a name that cannot be used.
    """
    path = find_lesson(number)
    accept_name(name, "name")
    title = accept_title(title or name.replace("_", " ").capitalize())
    by_module = {module: prefix for prefix, module in topics().items()}
    module = ROOT / "src" / "course_utils" / "checks" / f"{path.stem[3:]}.py"
    if module.stem not in by_module:
        raise Refused(f"{path.name}: expected its checks in {module.name}.")
    solution = ROOT / "solutions" / path.stem / f"{name}.py"
    if solution.exists():
        raise Refused(f"name: {path.stem} has an exercise {name!r} already.")
    text, code = path.read_text("utf-8"), module.read_text("utf-8")
    cells = solutions_of.read_lesson(path).cells
    lesson_code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    for where, source in ((path, lesson_code), (module, code)):
        if {name, f"{name}_with_a_bug"} & names_in(source):
            raise Refused(f"name: {where.name} uses {name!r} for something else.")
    if f"\ndef _{name}_" in code:
        raise Refused(f"name: {module.name} has functions that begin with _{name}_.")
    start = insertion(text, under)
    before = re.findall(r"^> \*\*Exercise \d+", text[:start], re.M)
    exercise = Exercise(
        number, by_module[module.stem], name, kind, title, len(before) + 1
    )
    parts = exercise.parts()
    # Those that come later in the lesson move on by one.
    rest = re.sub(
        r"^(> \*\*Exercise )(\d+)",
        lambda match: f"{match[1]}{int(match[2]) + 1}",
        text[start:],
        flags=re.MULTILINE,
    )
    return {
        path: f"{text[:start]}{parts['lesson']}\n{rest}",
        module: with_check(code, exercise, parts["check"]),
        solution: parts["solution"],
    }


def names_in(source: str) -> set[str]:
    """Return the names that some code defines, imports or reads."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        for attribute in ("id", "name", "arg", "asname"):
            value = getattr(node, attribute, None)
            found |= {value} if isinstance(value, str) else set()
    return found


def insertion(text: str, under: str) -> int:
    """Return where in a lesson's text a new exercise begins."""
    headings = list(re.finditer(r"^#{2,3} (.+)$", text, re.MULTILINE))
    titles = [heading[1] for heading in headings]
    if not under:
        return headings[titles.index("Self-quiz")].start()
    if titles.count(under) != 1:
        raise Refused(f"under: expected one of {', '.join(titles)}, got {under!r}.")
    return headings[titles.index(under) + 1].start()


def with_check(code: str, exercise: Exercise, check: str) -> str:
    """Return a module of checks with one more, and the imports that it needs."""
    tree = ast.parse(code)
    (node,) = (
        node
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "course_utils.exercises"
    )
    from course_utils import exercises

    # `Any` and `np` are imported by every module of checks under these names.
    wanted = names_in(check) & set(vars(exercises)) - {"Any", "np"}
    names = {alias.name for alias in node.names} | wanted
    # As ruff sorts them: classes before functions.
    listed = sorted(names, key=lambda name: (not name[0].isupper(), name))
    line = f"from course_utils.exercises import {', '.join(listed)}"
    if len(line) > 88:
        inside = "".join(f"    {name},\n" for name in listed)
        line = f"from course_utils.exercises import (\n{inside})"
    for needed in ("import numpy as np", "from typing import Any"):
        if needed not in code:
            raise Refused(f"the lesson's module of checks lacks `{needed}`.")
    lines = code.splitlines()
    lines[node.lineno - 1 : node.end_lineno] = line.splitlines()
    head = f"# --- {exercise.prefix}.{exercise.name} "
    body = "\n".join(lines).rstrip()
    return f"{body}\n\n{head:-<88}\n\n\n{check.strip()}\n"


# --- Writing --------------------------------------------------------------------------


@contextlib.contextmanager
def all_or_nothing(paths: list[Path]) -> Iterator[None]:
    """Put files back as they were, if anything goes wrong inside."""
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    folders = {path.parent for path in paths if not path.parent.exists()}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is not None:
                path.write_bytes(content)
            else:
                path.unlink(missing_ok=True)
        for folder in folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def write_pair(lesson: Path) -> None:
    """Write what derives from one lesson; what others have unpaired stays as it is."""
    markdown, notebook = pair.derive(lesson)
    lesson.write_text(markdown, encoding="utf-8")
    lesson.with_suffix(".ipynb").write_text(notebook, encoding="utf-8")
    readme = ROOT / "README.md"  # quotes how long lessons run
    text = pair.derive_readme(readme.read_text(encoding="utf-8"))
    readme.write_text(text, encoding="utf-8")


def record(lesson: Path) -> None:
    """Run a lesson in the profiles of this machine, and keep what it prints.

    A test holds each lesson against its record.
    """
    print(f"Running {lesson.stem}, to record what it prints.", flush=True)
    sys.path.insert(0, str(ROOT))
    from benchmarks.__main__ import measure_lessons

    with contextlib.redirect_stdout(io.StringIO()):
        measure_lessons(only=(lesson.stem[:2],))
    write_pair(lesson)  # its line about time


def make(files: dict[Path, str]) -> None:
    """Write the files, pair the lesson among them, and record it."""
    lesson = next(path for path in files if path.parent.name == "lessons")
    printed = ROOT / "results" / "printed" / f"{lesson.stem}.txt"
    times = ROOT / "results" / "lesson_times.json"
    derived = [lesson.with_suffix(".ipynb"), ROOT / "README.md"]
    with all_or_nothing([*files, *derived, printed, times]):
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        write_pair(lesson)
        record(lesson)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    lesson = commands.add_parser("lesson", help="make a lesson")
    lesson.add_argument("number", help="two digits: the one behind the last lesson")
    lesson.add_argument("title", help='such as "Attention"')
    lesson.add_argument("--topic", help="for file names; default: made of the title")
    lesson.add_argument("--prefix", help="of its exercises; default: its first word")
    lesson.add_argument(
        "--needs", nargs="*", metavar="NN", help="lessons; default: the one before"
    )
    exercise = commands.add_parser("exercise", help="make an exercise of a lesson")
    exercise.add_argument("lesson", help="two digits")
    exercise.add_argument("name", help="such as channel_count")
    exercise.add_argument("--kind", choices=KINDS, default="function")
    exercise.add_argument("--title", default="", help="default: made of the name")
    exercise.add_argument(
        "--under", default="", help="heading; default: the last one before the quiz"
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "lesson":
            number = options.number
            plain = re.sub(r"[^a-z0-9]+", "_", options.title.lower()).strip("_")
            topic = options.topic or plain
            prefix = options.prefix or re.sub(r"[^a-z].*", "", topic)
            needs = options.needs
            if needs is None:
                needs = [pair.lessons()[-1].stem[:2]]
            files = lesson_files(number, options.title, topic, prefix, needs)
        else:
            number = options.lesson
            files = exercise_files(
                number, options.name, options.kind, options.title, options.under
            )
        make(files)
    except Refused as error:
        print(f"Nothing was made. {error}", file=sys.stderr)
        return 2
    except Exception as error:
        print(f"Nothing was made: every file is as it was. {error}", file=sys.stderr)
        return 1
    print("Made, and listed where it belongs:")
    for path in files:
        print(f"  {path.relative_to(ROOT).as_posix()}")
    print(NEXT_STEPS.format(number=number))
    if options.command == "lesson":
        print(ONLY_A_PERSON)
    return 0


if __name__ == "__main__":
    sys.exit(main())
