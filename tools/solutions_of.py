"""Read `solutions/`: the answers, the notebooks they solve, and the lines to hide.

A solution file is `solutions/NN_topic/<exercise>.py` with one answer a cell:

    # %% canonical right="canonical"
    # %% with a loop right="other style"
    # %% forgets the padding wrong="padding on both sides"

The name behind `wrong` is the rule that the answer must trip. Tests, the run of the
solved lessons and the search for leaks read the files through this module only.
"""

from __future__ import annotations

import ast
import html
import importlib
import io
import json
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOLUTIONS = ROOT / "solutions"
LESSONS = ROOT / "lessons"

_HEADER = re.compile(r'^# %% (?P<title>.+?) (?P<kind>right|wrong)="(?P<value>[^"]+)"$')


@dataclass(frozen=True)
class Answer:
    """One answer of a solution file.

    Attributes:
        exercise: the exercise's name, such as "start.output_size".
        title: what is right or wrong about it, in a few words.
        right: "canonical", another style's name, or "" for a wrong answer.
        wrong: the rule that it must trip, or "" for a right answer.
        source: its Python code.
    """

    exercise: str
    title: str
    right: str
    wrong: str
    source: str

    def run(self) -> dict[str, Any]:
        """Return the names after running the code where lessons have imported."""
        return run_cell(self.source, f"<{self.exercise}: {self.title}>")


@dataclass(frozen=True)
class Place:
    """Where a lesson holds an exercise.

    Attributes:
        exercise: the name in the cell's metadata.
        lesson: the lesson's file name without its ending.
        stub: the source of the exercise's cell.
        expression: what the next cell passes to `check`.
    """

    exercise: str
    lesson: str
    stub: str
    expression: str


def run_cell(source: str, label: str) -> dict[str, Any]:
    """Run a cell's code with the names that lessons import; return all names."""
    import keras
    import numpy as np
    from keras import layers, ops

    names: dict[str, Any] = {"__name__": "__main__"}
    names.update(np=np, keras=keras, layers=layers, ops=ops)
    names.update(Callable=Callable, Iterable=Iterable)
    if re.search(r"\btf\.", source):
        names["tf"] = importlib.import_module("tensorflow")
    exec(compile(source, label, "exec"), names)
    return names


def answers(path: Path) -> list[Answer]:
    """Return the answers in one solution file.

    Raises:
        ValueError: for a cell header that is not as the module's docstring says.
    """
    found: list[Answer] = []
    header, lines = None, []
    name = exercise_of(path)

    def close() -> None:
        if header is not None:
            right = header["value"] if header["kind"] == "right" else ""
            wrong = header["value"] if header["kind"] == "wrong" else ""
            source = "\n".join(lines).strip() + "\n"
            found.append(Answer(name, header["title"], right, wrong, source))

    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# %%"):
            close()
            header, lines = _HEADER.match(line), []
            if header is None:
                raise ValueError(
                    f'{path.name}: expected `# %% words right="…"`: {line}'
                )
        else:
            lines.append(line)
    close()
    return found


def exercise_of(path: Path) -> str:
    """Return the name of the exercise that a solution file belongs to."""
    from course_utils import checks

    number = path.parent.name.partition("_")[0]
    for name, exercise in checks.every().items():
        if exercise.lesson == number and name.partition(".")[2] == path.stem:
            return name
    raise ValueError(f"{path.parent.name}/{path.name}: no exercise has this name.")


def files() -> list[Path]:
    """Return all solution files, in order."""
    return sorted(SOLUTIONS.glob("[0-9][0-9]_*/*.py"))


def canonical_answers() -> dict[str, Answer]:
    """Return the canonical answer of each exercise, by its name."""
    return {
        answer.exercise: answer
        for path in files()
        for answer in answers(path)
        if answer.right == "canonical"
    }


def canonical(lesson: str, exercise: str) -> str:
    """Return the canonical solution of an exercise.

    Args:
        lesson: the lesson's file name without its ending.
        exercise: the exercise's name.

    Returns:
        Python code for the exercise's cell.

    Raises:
        ValueError: if there is no file, or no canonical answer in it.
    """
    path = SOLUTIONS / lesson / f"{exercise.partition('.')[2]}.py"
    for answer in answers(path) if path.exists() else ():
        if answer.right == "canonical":
            return answer.source
    raise ValueError(f"{exercise}: expected a canonical answer in {path.name}.")


# --- Lessons --------------------------------------------------------------------------


def read_lesson(path: Path) -> Any:
    """Return a lesson's Markdown as a notebook."""
    import jupytext

    return jupytext.reads(path.read_text(encoding="utf-8"), fmt="md:myst")


def places(path: Path) -> list[Place]:
    """Return the exercises of one lesson, in order.

    Raises:
        ValueError: if the cell after an exercise is not its check.
    """
    cells = [c for c in read_lesson(path).cells if c.cell_type == "code"]
    found = []
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        name = cell.metadata.get("exercise")
        if name is None:
            continue
        asked, expression = _check_call(following.source if following else "")
        if asked != name:
            raise ValueError(
                f'{path.name}: expected the cell after {name} to be check("{name}", …).'
            )
        found.append(Place(name, path.stem, cell.source, expression))
    return found


def _check_call(source: str) -> tuple[str, str]:
    try:
        body = ast.parse(source).body
        call = body[-1].value  # type: ignore[attr-defined]
        if len(body) == 1 and call.func.id == "check" and not call.keywords:
            name, answer = call.args
            return ast.literal_eval(name), ast.unparse(answer)
    except (AttributeError, IndexError, SyntaxError, ValueError):
        pass
    return "", ""


def every_place() -> dict[str, Place]:
    """Return where each exercise is, by its name."""
    return {
        place.exercise: place
        for path in sorted(LESSONS.glob("[0-9][0-9]_*.md"))
        for place in places(path)
    }


# --- Lines to hide --------------------------------------------------------------------

# Lines that say nothing about an answer, wherever they stand.
_TRIVIAL = re.compile(
    r"^(def |class |@|\) -> |import |from |#|pass$|else:|try:|return \w+$"
    r"|super\(\)\.__init__\(|for _ in range\(|\w+ = keras\.Input\()"
)
_LONG, _SHORT = 30, 12
# A number that is worked out in one line, however short: it is all of the answer.
_WORKED_OUT = re.compile(r"answer = ([^\"']*\d[^\"']*[-+*/%][^\"']*)")


def _dense(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _code_lines(source: str) -> list[str]:
    """Return the lines of code without comments and docstrings, stripped."""
    hidden: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            text = body[0].value
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                hidden.update(range(text.lineno, (text.end_lineno or 0) + 1))
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return [
        line.strip()
        for number, line in enumerate(lines, 1)
        if number not in hidden and line.strip()
    ]


@cache
def secrets() -> dict[str, set[str]]:
    """Return what must not be found outside of `solutions/`, by exercise.

    A secret is a line of a right answer with at least 30 characters, or two lines that
    follow each other, both longer than a trivial one, or the formula of a number. White
    space is left out, so that another indentation hides nothing. Lines of the lesson's
    own stub are no secret.
    """
    stubs = {name: _dense(place.stub) for name, place in every_place().items()}
    found: dict[str, set[str]] = {}
    for path in files():
        for answer in answers(path):
            if not answer.right:
                continue
            known = found.setdefault(answer.exercise, set())
            stub = stubs.get(answer.exercise, "")
            previous = ""
            for line in _code_lines(answer.source):
                dense = _dense(line)
                plain = bool(_TRIVIAL.match(line)) or dense in stub
                if len(line) >= _LONG and not plain:
                    known.add(dense)
                if worked_out := _WORKED_OUT.fullmatch(line):
                    known.add(_dense(worked_out[1]))
                if plain or len(dense) < _SHORT:
                    previous = ""
                    continue
                if previous:
                    known.add(previous + dense)
                previous = dense
    return found


def _text_of(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".ipynb":
        strings: list[str] = []
        _strings(json.loads(text), strings)
        return "\n".join(strings)
    if path.suffix in (".html", ".htm"):
        return text + "\n" + html.unescape(re.sub(r"<[^>]*>", "", text))
    if path.suffix in (".js", ".json"):
        return text + "\n" + text.replace("\\n", "\n").replace('\\"', '"')
    return text


def _strings(value: Any, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, list):
        joined = all(isinstance(item, str) for item in value)
        for item in ["".join(value)] if joined else value:
            _strings(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _strings(item, found)


_TEXT = {
    ".py",
    ".md",
    ".ipynb",
    ".html",
    ".htm",
    ".js",
    ".json",
    ".txt",
    ".rst",
    ".css",
}
_TEXT |= {".xml", ".svg", ".yml", ".yaml", ".toml"}


def text_files(folder: Path) -> Iterator[Path]:
    """Yield the files under a folder in which a solution could stand."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TEXT and path.is_file() and "__pycache__" not in path.parts:
            yield path


def leaks(paths: Iterable[Path]) -> list[str]:
    """Return a sentence for each line of a solution that stands in a file.

    Args:
        paths: files, or folders that are searched: the lessons, the package, the
            built site.
    """
    hidden = secrets()
    found = []
    for start in paths:
        for path in text_files(start) if start.is_dir() else [start]:
            text = _dense(_text_of(path))
            found += [
                f"{path.name} holds a line of {exercise}: {secret}"
                for exercise, lines in hidden.items()
                for secret in sorted(lines)
                if secret in text
            ]
    return found
