"""The small programs behind `make`, and what the tree promises about versions."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import changed_pages
import changed_versions
import nbformat
import pair
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

pytestmark = pytest.mark.repository

ROOT = Path(__file__).resolve().parents[1]


def run_notebook(tmp_path, cells, *options):
    notebook = tmp_path / "broken.ipynb"
    nbformat.write(new_notebook(cells=cells), notebook)
    command = [sys.executable, "-m", "pytest", "--nbmake", "-p", "conftest"]
    command += ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    return subprocess.run(
        [*command, *options, str(notebook)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.notebook
def test_only_a_notebook_whose_kernel_died_is_run_again(tmp_path):
    flag = tmp_path / "died"
    dies = (
        "import os, pathlib\n"
        f"flag = pathlib.Path({str(flag)!r})\n"
        "if not flag.exists():\n    flag.touch(); os.abort()"
    )
    done = run_notebook(tmp_path, [new_code_cell(dies)])
    assert "1 passed, 1 rerun" in done.stdout
    assert "RERUN" in done.stdout
    flag.unlink()
    done = run_notebook(tmp_path, [new_code_cell(dies.replace("flag.touch(); ", ""))])
    assert "1 failed, 1 rerun" in done.stdout
    assert "DeadKernelError" in done.stdout


@pytest.mark.notebook
@pytest.mark.parametrize("parallel", [[], ["-n", "2"]], ids=["alone", "in parallel"])
def test_a_failed_notebook_is_reported_with_cell_and_heading(tmp_path, parallel):
    cells = [
        new_markdown_cell("# A title\n\n## The broken part"),
        new_code_cell("1 + 1"),
        new_code_cell("1 / 0"),
        new_markdown_cell("## Never reached"),
    ]
    done = run_notebook(tmp_path, cells, *parallel)
    assert done.returncode == 1
    assert "RERUN" not in done.stdout
    place = "broken.ipynb: cell 3 (code cell 2), under the heading “The broken part”"
    assert place in done.stdout
    assert "ZeroDivisionError" in done.stdout


def test_the_lock_names_no_registry_and_pins_each_package():
    text = (ROOT / "requirements.lock").read_text()
    assert "//" not in text
    for line in filter(None, text.splitlines()):
        assert re.match(r"[\w.-]+==[\w.+!]+( ; .+)?$", line), line


def test_the_environment_file_pins_nothing_of_its_own():
    text = (ROOT / "environment.yml").read_text()
    assert "--constraint requirements.lock" in text
    assert "==" not in text


def test_the_version_stands_in_one_place():
    import course_utils

    assert course_utils.__version__ == pair.repository()[1]


def test_a_package_that_differs_from_the_lock_is_listed():
    pins = changed_versions.locked("Keras==3.0 ; python_version > '3'\nnumpy==2.0\n")
    assert pins == {"keras": "3.0", "numpy": "2.0"}
    installed = {"keras": "3.1", "numpy": "2.0", "new": "1"}
    assert changed_versions.changes(pins, installed) == [
        ["keras", "3.0", "3.1"],
        ["new", "not pinned", "1"],
    ]


def test_a_changed_lesson_is_a_changed_page_and_the_package_may_change_all():
    changed = ["lessons/02_x.md", "lessons/02_x.ipynb", "book/welcome.md", "src/a.py"]
    pages, everywhere = changed_pages.pages(changed)
    assert pages == ["book/welcome.html", "lessons/02_x.html"]
    assert everywhere == ["src/a.py"]


def lesson(tmp_path, body):
    path = tmp_path / "02_topic.md"
    path.write_text(f"---\nkernelspec: {{name: python3}}\n---\n\n{body}")
    return path


TIMED = "# 02 · Topic\n\n<!-- time -->\n<!-- /time -->\n"
INSTALL = "\n```{code-cell} ipython3\n---\ntags: [install]\n---\nold()\n```\n"
STUB = "\n```{code-cell} ipython3\n---\nexercise: topic.part\n---\nanswer = ...\n```\n"


def test_pairing_stamps_the_install_line_and_keeps_exercise_names(tmp_path):
    markdown, notebook = pair.derive(lesson(tmp_path, TIMED + INSTALL + STUB))
    address, version = pair.repository()
    assert f"git+{address}@v{version}" in markdown
    assert "old()" not in markdown
    cells = nbformat.reads(notebook, as_version=4).cells
    assert cells[-1].metadata["exercise"] == "topic.part"
    assert "about 5 minutes to read" in markdown


def test_pairing_is_stable(tmp_path):
    path = lesson(tmp_path, TIMED + INSTALL + STUB + STUB)
    markdown, notebook = pair.derive(path)
    path.write_text(markdown)
    assert pair.derive(path) == (markdown, notebook)
    ids = [cell["id"] for cell in nbformat.reads(notebook, as_version=4).cells]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("body", "words"),
    [(INSTALL, "expected one <!-- time -->"), (TIMED, "tagged `install`")],
)
def test_pairing_says_what_a_lesson_lacks(tmp_path, body, words):
    with pytest.raises(ValueError, match=words):
        pair.derive(lesson(tmp_path, body))


def test_the_install_line_does_nothing_where_the_course_is_installed(monkeypatch):
    def never(*_):
        raise AssertionError("nothing should be installed")

    monkeypatch.setattr(subprocess, "check_call", never)
    exec(pair.install_line(), {})


def test_no_file_names_this_machine_or_a_registry():
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    forbidden = re.compile(r"pypi\.(?:org)|python(?:hosted)|/(?:home|Users)/\w+")
    for name in filter(None, done.stdout.split("\0")):
        path = ROOT / name
        binary = path.suffix in {".png", ".ico", ".woff2", ".keras", ".npz"}
        if binary or not path.is_file():
            continue
        found = forbidden.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{name}: {found.group()}"


def test_the_map_of_the_code_names_every_module_and_only_calls_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.split("## A map of the code")[1].split("\n## ")[0]
    package = ROOT / "src" / "course_utils"
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert modules <= set(re.findall(r"`(\w+)/?`", table))
    for cell in re.findall(r"^\| [\w ]*\| (.*?) \|", table, re.MULTILINE):
        for chain in cell.split(";"):
            steps = [re.findall(r"`(\w+)/?`", step) for step in chain.split("→")]
            for callers, called in itertools.pairwise(steps):
                where = package / f"{callers[-1]}.py"
                if not where.exists():
                    where = package / callers[-1] / "heat_maps.py"
                if not where.exists():
                    continue  # a folder outside of the package
                source = where.read_text(encoding="utf-8")
                for name in called:
                    assert re.search(rf"import.*\b{name}\b|\b{name} import", source), (
                        f"{callers[-1]} → {name}"
                    )
