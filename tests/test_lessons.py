"""What every lesson must have, and every lesson with its solutions put in.

The lessons untouched are run by `pytest --nbmake lessons` itself.
"""

import ast
import contextlib
import os
import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pair
import pytest
from run_lessons import heading_of

from course_utils import data

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]

LESSONS = sorted((ROOT / "lessons").glob("*.ipynb"))
SECTIONS = [
    "What you will learn",
    "Time and needs",
    "Set up",
    "Self-quiz",
    "Take-away",
    "References",
    "What comes next",
]


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def exercises(notebook):
    """The exercise cells, each with the code cell that follows."""
    cells = code_cells(notebook)
    pairs = zip(cells, [*cells[1:], None], strict=True)
    return [(cell, after) for cell, after in pairs if "exercise" in cell.metadata]


def by_name(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_there_are_lessons():
    assert len(LESSONS) >= 3
    assert [path.with_suffix(".md") for path in LESSONS] == pair.lessons()


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
@by_name(LESSONS)
def test_no_profile_asks_for_more_images_than_there_are(path, profile):
    """No test runs the full profile: what it asks for is looked at here."""
    asked = []

    def load(name, *, image_size=None, classes=None, dtype="float32", **counts):
        spec = data._SPECS[name]
        layout, splits = spec.layout, ("train", "validation", "test")
        classes = layout.class_names if classes is None else tuple(classes)
        request = data._Request(
            spec,
            {split: counts.get(split) for split in splits},
            image_size or layout.size,
            classes,
            counts.get("seed", 0),
            dtype,
            data.DEFAULT_MEMORY_GB,
        )
        asked.append(name)
        if name == "shapes":  # drawn on the spot, as many as memory holds
            request.check_memory({split: counts.get(split, 0) for split in splits})
            return
        share = len(classes) / len(layout.class_names)
        held = {split: int(n * share) for split, n in spec.sizes.items()}
        request.check_memory(data._counts(request, held))

    course = SimpleNamespace(pick=lambda **sizes: sizes[profile], profile=profile)
    names = {"np": np, "course": course, "load": load}
    calls = 0
    for cell in code_cells(read(path)):
        for node in ast.parse(cell.source).body:
            source = ast.unparse(node)
            here = bool(re.match(r"\w+ = load\(", source))
            calls += sum(
                isinstance(part, ast.Call) and ast.unparse(part.func) == "load"
                for part in ast.walk(node)
            )
            sizes = re.match(r"[\w, ()]+ = (course\.pick\(|['\w, ()]+$)", source)
            if here or sizes:
                with (
                    contextlib.nullcontext() if here else contextlib.suppress(NameError)
                ):
                    exec(source, names)
    assert len(asked) == calls


def test_each_notebook_is_what_its_markdown_says():
    assert pair.main(["--check"]) == 0


def test_a_notebook_alone_has_no_link_into_the_book_and_no_mark_of_its_builder():
    for path in LESSONS:
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "markdown":
                assert not re.search(r"\]\((?!https?://|#)", cell.source), cell.source
                assert not re.search(r"\{\w+(:\w+)?\}`", cell.source), cell.source


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("See [skip](../book/glossary.md#term-skip).", "/book/glossary.md#t"),
        (
            "See [03](03_residual_connections.md).",
            "/lessons/03_residual_connections.ip",
        ),
        (
            "He et al. (2016). *Title*. {cite:p}`he2016deep`",
            "He et al. (2016). *Title*.",
        ),
        ("![figure](https://a.b/c.md)", "](https://a.b/c.md)"),
    ],
)
def test_links_and_citations_stand_alone(text, wanted):
    assert wanted in pair.standing_alone(text)
    assert "cite" not in pair.standing_alone(text)


def test_writing_a_notebook_twice_gives_the_same_ids():
    for path in pair.lessons():
        assert pair.derive(path) == pair.derive(path)


@by_name(LESSONS)
def test_a_notebook_has_no_outputs(path):
    for cell in code_cells(read(path)):
        assert cell.outputs == []
        assert cell.execution_count is None


@by_name(LESSONS)
def test_nothing_lets_nbmake_pass_a_failure_in_silence(path):
    notebook = read(path)
    assert code_cells(notebook), "nbmake passes a notebook that runs nothing"
    assert "execution" not in notebook.metadata
    for cell in code_cells(notebook):
        assert not {"raises-exception", "skip-execution"} & set(
            cell.metadata.get("tags", [])
        )
        for line in cell.source.splitlines():
            assert not re.match(r"\s*[!%]", line), f"a failed command passes: {line}"


@by_name(LESSONS)
def test_code_fits_on_a_screen(path):
    for cell in code_cells(read(path)):
        if "install" in cell.metadata.get("tags", []):
            continue
        lines = cell.source.splitlines()
        assert len(lines) <= 25, f"{len(lines)} lines: {lines[0]}"
        assert max(map(len, lines)) <= 88, max(lines, key=len)


@by_name(LESSONS)
def test_pages_have_one_shape(path):
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert re.search(rf"^# {path.stem[:2]} · ", text, re.MULTILINE)
    assert [heading for heading in headings if heading in SECTIONS] == SECTIONS
    assert "### Spot the bug: " in text


def quiz(source):
    """Return a self-quiz: for each question its text and its (choice, answer) pairs."""
    section = source.split("\n## Self-quiz\n")[1].split("\n## ")[0]
    choice = (
        r"<details><summary>([^\n]*)</summary>\n\n((?:(?!<details).)*?)\n\n</details>"
    )
    return [
        (question.split("\n<details")[0], re.findall(choice, question, re.DOTALL))
        for question in re.split(r"^\*\*\d\.\*\* ", section, flags=re.MULTILINE)[1:]
    ]


def quiz_faults(source):
    """Return what is wrong with a lesson's self-quiz, in words."""
    questions = quiz(source)
    faults = [] if len(questions) >= 3 else [f"{len(questions)} questions"]
    choices = [choice for _, answers in questions for choice, _ in answers]
    if source.split("\n## Self-quiz\n")[1].count("<details") != len(choices):
        faults.append("a choice of another form")
    for number, (text, answers) in enumerate(questions, 1):
        marks = [answer.partition(" ")[0] for _, answer in answers]
        if "?" not in text:
            faults.append(f"{number}: no question")
        if len({choice for choice, _ in answers}) not in (3, 4):
            faults.append(f"{number}: {len(answers)} choices")
        if sorted(marks) != ["**No.**"] * (len(marks) - 1) + ["**Yes.**"]:
            faults.append(f"{number}: {marks}")
        for choice, answer in answers:
            if re.search(r"[$`*]", choice):
                faults.append(f"{number}: a page shows the marks in: {choice}")
            if len(answer.split()) < 6:
                faults.append(f"{number}: not explained: {choice}")
    return faults


@by_name(LESSONS)
def test_each_choice_of_a_quiz_is_explained_and_one_is_right(path):
    assert quiz_faults(path.with_suffix(".md").read_text(encoding="utf-8")) == []


def test_a_broken_quiz_is_found():
    def question(
        number, marks="Yes No No", text="How wide?", why="A stride of 2 halves."
    ):
        folds = "".join(
            f"<details><summary>{place}</summary>\n\n**{mark}.** {why}\n\n</details>\n"
            for place, mark in enumerate(marks.split())
        )
        return f"**{number}.** {text}\n\n{folds}\n"

    def faults(*questions):
        return quiz_faults("\n## Self-quiz\n\n" + "".join(questions) + "\n## Next\n")

    good = [question(1), question(2, "No Yes No No"), question(3)]
    assert faults(*good) == []
    assert faults(*good[:2]) == ["2 questions"]
    assert faults(*good[:2], question(3, text="Wide.")) == ["3: no question"]
    assert "3: 2 choices" in faults(*good[:2], question(3, "Yes No"))
    assert "3: 5 choices" in faults(*good[:2], question(3, "Yes No No No No"))
    assert len(faults(*good[:2], question(3, "Yes Yes No"))) == 1
    assert len(faults(*good[:2], question(3, "No No No"))) == 1
    assert len(faults(*good[:2], question(3, why="Just so, always."))) == 3
    loose = question(3).replace("</summary>\n", "</summary>", 1)
    assert "a choice of another form" in faults(*good[:2], loose)
    marked = question(3).replace(">0</summary>", ">$2^3$</summary>")
    assert faults(*good[:2], marked) == ["3: a page shows the marks in: $2^3$"]


def test_the_right_choice_has_no_favorite_place():
    places = [
        [answer.startswith("**Yes.**") for _, answer in answers].index(True)
        for path in LESSONS
        for _, answers in quiz(path.with_suffix(".md").read_text(encoding="utf-8"))
        if any(answer.startswith("**Yes.**") for _, answer in answers)
    ]
    assert max(map(places.count, places)) <= len(places) / 2, places


@by_name(LESSONS)
def test_text_reads_well_outside_the_book(path):
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert ":::" not in text
    assert not re.search(r"^```\{(?!code-cell)", text, re.MULTILINE)


@by_name(LESSONS)
def test_first_the_install_cell_then_the_setup_cell(path):
    first, second = code_cells(read(path))[:2]
    assert first.source == pair.install_line()
    assert first.source.count("\n") == 0
    assert "setup(seed=" in second.source


@by_name(LESSONS)
def test_each_exercise_has_a_stub_a_check_and_a_box(path):
    notebook = read(path)
    found = exercises(notebook)
    assert len(found) >= (1 if path.stem.startswith("00") else 5)
    for cell, after in found:
        name = cell.metadata["exercise"]
        assert after.source.startswith(f'check("{name}", ')
        assert "raise NotImplementedError" in cell.source or re.search(
            r"^answer = \.\.\.", cell.source, re.MULTILINE
        )
        index = notebook.cells.index(cell)
        box = notebook.cells[index - 1].source
        wanted = (
            r"> \*\*Exercise \d+ · .+\*\* (?:· spot the bug )?"
            r"· difficulty [★☆]{3} · about \d+ minutes?"
        )
        title = re.search(wanted, box)
        assert title, f"{name}: no box above the stub"
        assert len(re.findall(r"<summary>Hint [123]", box)) == 3


def stub_faults(source):
    """Return what a stub leaves out, in words: a type, or what it is about."""
    tree = ast.parse(source)
    faults = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            faults += [] if ast.get_docstring(node) else [f"{node.name}: no docstring"]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            given = node.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            named += filter(None, [given.vararg, given.kwarg])
            faults += [
                f"{node.name}: no type of {argument.arg}"
                for argument in named
                if argument.annotation is None and argument.arg != "self"
            ]
            faults += [] if node.returns else [f"{node.name}: no type of its result"]
    return faults


@by_name(LESSONS)
def test_each_stub_has_types_and_a_docstring(path):
    for cell, _ in exercises(read(path)):
        assert stub_faults(cell.source) == [], cell.metadata["exercise"]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("answer = ...", []),
        ('def f(n: int, *, m: int = 1) -> int:\n    """An int."""', []),
        ('def f(n, m: int) -> int:\n    """An int."""', ["f: no type of n"]),
        ('def f(*, n=1) -> int:\n    """An int."""', ["f: no type of n"]),
        ('def f(*all) -> int:\n    """An int."""', ["f: no type of all"]),
        ('def f(n: int):\n    """An int."""', ["f: no type of its result"]),
        ("def f() -> int:\n    raise NotImplementedError", ["f: no docstring"]),
        (
            'class C:\n    """A layer."""\n    def call(self, x) -> int:\n        pass',
            ["call: no type of x"],
        ),
        ("class C:\n    def call(self) -> int:\n        pass", ["C: no docstring"]),
    ],
)
def test_what_a_stub_leaves_out_is_found(source, wanted):
    assert stub_faults(source) == wanted


@by_name([path for path in LESSONS if not path.stem.startswith("00")])
def test_two_exercises_are_bugs_to_spot(path):
    notebook = read(path)
    headings = [
        heading_of(notebook.cells, notebook.cells.index(cell))
        for cell, _ in exercises(notebook)
    ]
    assert sum(heading.startswith("Spot the bug") for heading in headings) >= 2


@by_name(LESSONS)
def test_a_recorded_number_stands_beside_its_origin(path):
    text = path.read_text(encoding="utf-8")
    loads, captions = (text.count(part) for part in ("records.load(", ".caption()"))
    assert captions >= loads


def test_no_exercise_name_is_used_twice():
    names = [c.metadata["exercise"] for p in LESSONS for c, _ in exercises(read(p))]
    assert len(names) == len(set(names))


@pytest.mark.notebook
@by_name(LESSONS)
def test_a_lesson_runs_with_the_solutions_put_in(path, monkeypatch, tmp_path):
    from nbclient import NotebookClient
    from solutions_of import canonical

    notebook = read(path)
    for cell, _ in exercises(notebook):
        cell.source = canonical(path.stem, cell.metadata["exercise"])
    monkeypatch.setenv("COURSE_CHECK", "solved")
    monkeypatch.setenv("COURSE_PROFILE", "smoke")
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        shutdown_kernel="immediate",  # it has nothing to save, and goodbyes take 2 s
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute(env=dict(os.environ))
