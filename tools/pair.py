"""Write each lesson's notebook from its Markdown, and what both derive from elsewhere.

    python tools/pair.py            write
    python tools/pair.py --check    change nothing; fail where something would change

A lesson's Markdown is the source. Three parts of it are derived: the front matter, the
install cell (from the repository address and version in pyproject.toml) and the line
about time (from the words, the exercises and results/lesson_times.json). The links to
Colab and the measured numbers of README.md, and address and version in CITATION.cff,
are derived as well.

The notebook is read where there is no book around it, in Colab for example: its links
to other pages lead to the repository, and citation marks, which only the book can
resolve, are left out (the references are written out beside them).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

import jupytext
import nbformat
import yaml

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
WORDS_PER_MINUTE = 180  # slow readers of technical prose
FRONT_MATTER = {
    "jupytext": {
        "formats": "ipynb,md:myst",
        # Without the tool's version: an upgrade would change every file.
        "notebook_metadata_filter": "-jupytext.text_representation.jupytext_version",
        "text_representation": {
            "extension": ".md",
            "format_name": "myst",
            "format_version": 0.13,
        },
    },
    "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    },
}


def repository() -> tuple[str, str]:
    """Return the repository's address and the version, from their one place."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["urls"]["Repository"], project["version"]


def install_line() -> str:
    """Return the one line that installs the course where it is missing.

    Where it is there, the line does nothing, so that lessons run without a network.
    It is Python, not `%pip`, because a failed magic command would pass in silence. The
    semicolon at its end keeps the notebook from showing a value.
    """
    address, version = repository()
    return (
        "import importlib.util, subprocess, sys; "
        'importlib.util.find_spec("course_utils") or subprocess.check_call('
        f'[sys.executable, "-m", "pip", "install", "-q", "git+{address}@v{version}"]);'
    )


def lessons() -> list[Path]:
    """Return the Markdown files of all lessons, in order."""
    return sorted((ROOT / "lessons").glob("[0-9][0-9]_*.md"))


def time_line(name: str, text: str) -> str:
    """Return the line that says how long a lesson takes.

    Args:
        name: the lesson's file name without its ending.
        text: the lesson's Markdown.
    """
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    reading = 5 * max(1, round(len(prose.split()) / WORDS_PER_MINUTE / 5))
    minutes = sum(map(int, re.findall(r"^> \*\*Exercise.*?(\d+) minutes?", text, re.M)))
    parts = [f"about {reading} minutes to read", f"{minutes} minutes of exercises"]
    recorded = ROOT / "results" / "lesson_times.json"
    times = json.loads(recorded.read_text())["lessons"] if recorded.exists() else {}
    runs = [
        f"{measured['seconds']:.0f} s ({profile}, {measured['device']})"
        for profile in ("smoke", "quick", "full")
        if (measured := times.get(name, {}).get(profile))
    ]
    if runs:
        parts.append("all cells run in " + ", ".join(runs))
    return "**Time**: " + "; ".join(parts) + "."


def standing_alone(text: str) -> str:
    """Return Markdown whose links and references need no book around them."""
    address, version = repository()
    files = f"{address}/blob/v{version}"
    text = re.sub(r"\s*\{cite:[pt]\}`[^`]*`", "", text)
    text = re.sub(r"\]\(\.\./([^)]+)\)", rf"]({files}/\1)", text)
    return re.sub(
        r"\]\((\d\d_\w+)\.md(#[^)]*)?\)",
        rf"]({files}/lessons/\1.ipynb)",
        text,
    )


def derive(path: Path) -> tuple[str, str]:
    """Return what a lesson's Markdown and notebook should hold.

    Raises:
        ValueError: if the lesson lacks a part that is derived.
    """
    text = path.read_text(encoding="utf-8")
    if not text.startswith("---\n"):
        raise ValueError(f"{path.name}: expected front matter at the top.")
    body = text.split("\n---\n", 1)[1]
    header = yaml.safe_dump(FRONT_MATTER, sort_keys=False)
    text = f"---\n{header}---\n{body}"
    text, stamped = re.subn(
        r"<!-- time -->.*?<!-- /time -->",
        lambda _: f"<!-- time -->\n{time_line(path.stem, body)}\n<!-- /time -->",
        text,
        flags=re.DOTALL,
    )
    if stamped != 1:
        raise ValueError(f"{path.name}: expected one <!-- time --> … <!-- /time -->.")
    notebook = jupytext.reads(text, fmt="md:myst")
    installs = [
        cell for cell in notebook.cells if "install" in cell.metadata.get("tags", [])
    ]
    if len(installs) != 1:
        raise ValueError(f"{path.name}: expected one cell tagged `install`.")
    installs[0].source = install_line()
    installs[0].metadata["tags"] = ["install", "hide-input"]
    markdown = jupytext.writes(notebook, fmt="md:myst")
    notebook = jupytext.reads(markdown, fmt="md:myst")
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        # An id from the content stays the same at each conversion; a counter keeps
        # two equal cells apart.
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = standing_alone(cell.source)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return markdown, nbformat.writes(notebook) + "\n"


def colab(lesson: str) -> str:
    """Return the address at which Colab opens a lesson's notebook.

    It is the notebook of the version that its own install cell brings: a newer one may
    call what that version of the package lacks.
    """
    address, version = repository()
    place = address.partition("://")[2].partition("/")[2]
    host = "https://colab.research.google.com/github"
    return f"{host}/{place}/blob/v{version}/lessons/{lesson}.ipynb"


def readme_row(lesson: str, title: str, question: str) -> str:
    """Return a lesson's row of the table in README.md."""
    page = f"[{title}](lessons/{lesson}.md)"
    return f"| {lesson[:2]} | {page} | {question} | [Colab]({colab(lesson)}) |"


def result_rows() -> list[str]:
    """Return rows of a table: what was measured, what came out, and on what."""
    read = {
        name: json.loads((ROOT / "results" / f"{name}.json").read_text("utf-8"))
        for name in (
            "cats_vs_dogs/mini_xception",
            "cats_vs_dogs/mini_xception_brief",
            "cats_vs_dogs/plain_convnet_brief",
            "lesson_times",
            "benchmarks",
        )
    }
    small = read["cats_vs_dogs/mini_xception"]
    runs, recipe = small["runs"], small["recipe"]["data"]
    accuracies = sorted(100 * run["metrics"]["test_accuracy"] for run in runs)
    rows = [
        (
            f"Mini-Xception, {recipe['train']:,} photographs of cats and dogs of "
            f"{recipe['image_size']}×{recipe['image_size']} pixels, test images",
            f"{accuracies[0]:.1f} to {accuracies[-1]:.1f} % right ({len(runs)} seeds)",
            runs[0]["hardware"],
        )
    ]
    large = [
        read[f"cats_vs_dogs/{net}_brief"] for net in ("plain_convnet", "mini_xception")
    ]
    side = large[0]["recipe"]["data"]["image_size"]
    epochs = [record["recipe"]["epochs"] for record in large]
    plain, mini = (
        100 * record["runs"][0]["metrics"]["test_accuracy"] for record in large
    )
    rows.append(
        (
            f"The same photographs at {side}×{side}: the plain convnet after "
            f"{epochs[0]} epochs, mini-Xception after {epochs[1]}",
            f"{plain:.1f} and {mini:.1f} % right (one seed each)",
            large[0]["runs"][0]["hardware"],
        )
    )
    race = {
        path.stem: json.loads(path.read_text("utf-8"))["runs"]
        for path in (ROOT / "results" / "cifar10_ten_minutes").glob("*.json")
    }
    shares = {
        name: 100 * sum(run["metrics"]["test_accuracy"] for run in runs) / len(runs)
        for name, runs in race.items()
    }
    best = max(share for name, share in shares.items() if name != "modern_cpu")
    fewest = min(map(len, race.values()))
    seeds = "one seed each" if fewest == 1 else f"means of {fewest} seeds or more"
    rows.append(
        (
            "CIFAR-10 after ten minutes of training: our recipe, the best classic one",
            f"{shares['modern_cpu']:.1f} and {best:.1f} % right ({seeds})",
            race["modern_cpu"][0]["hardware"],
        )
    )
    quick = [
        times["quick"]
        for times in read["lesson_times"]["lessons"].values()
        if "quick" in times
    ]
    for device in sorted({run["device"] for run in quick}):
        times = sorted(run["seconds"] for run in quick if run["device"] == device)
        span = f"{times[0]:.0f} to {times[-1]:.0f} s"
        rows.append(("A lesson in the `quick` profile, all cells", span, device))
    tables = {table["part"]: table for table in read["benchmarks"]["tables"]}
    hardware = {part: table["provenance"]["hardware"] for part, table in tables.items()}
    of_transfer = dict(tables["transfer"]["rows"])
    right = sorted(
        float(share.rstrip("%"))
        for name, share in of_transfer.items()
        if name.startswith("test accuracy")
    )
    rows += [
        (
            "Cats and dogs by feature extraction, all steps (lesson 09)",
            f"{right[0]} to {right[-1]} % right ({len(right)} seeds), "
            f"{of_transfer['all of it']}",
            hardware["transfer"],
        ),
        (
            "Images a second: the course's input pipeline over a Python generator",
            f"{_last(tables['pipelines'], 'The second over the first')} times",
            hardware["pipelines"],
        ),
    ]
    wanted = {
        "Grad-CAM, ours": "Grad-CAM of 4 images, `course_utils`",
        "Grad-CAM, Xplique": "the same, Xplique",
        "Grad-CAM, tf-keras-vis": "the same, tf-keras-vis",
        "import course_utils, NumPy included": "`import course_utils, numpy`",
    }
    found = {
        row[0]: (wanted[row[0]], row[1], hardware[part])
        for part, table in tables.items()
        for row in table["rows"]
        if row[0] in wanted
    }
    rows += [found[name] for name in wanted if name in found]
    return [f"| {' | '.join(row)} |" for row in rows]


def _last(table: dict, name: str) -> str:
    """Return the last cell of a table's row."""
    (row,) = (row for row in table["rows"] if row[0] == name)
    return str(row[-1])


def derive_readme(text: str) -> str:
    """Return README.md with addresses and measured numbers derived anew."""
    head = "| measured | result | on |\n| --- | --- | --- |"
    table = "\n".join([head, *result_rows()])
    text = re.sub(
        r"<!-- results -->.*?<!-- /results -->",
        lambda _: f"<!-- results -->\n{table}\n<!-- /results -->",
        text,
        flags=re.DOTALL,
    )
    text = re.sub(
        r"^\| \d\d \| \[([^]]+)\]\(lessons/(\w+)\.md\) \| ([^|]+?) \|.*$",
        lambda match: readme_row(match[2], match[1], match[3]),
        text,
        flags=re.MULTILINE,
    )
    return derive_clone(text)


def derive_clone(text: str) -> str:
    """Return a text whose call of git clone names the repository."""
    return re.sub(r"(?<=git clone )https://\S+", repository()[0], text)


def derive_citation(text: str) -> str:
    """Return CITATION.cff with address and version derived anew."""
    address, version = repository()
    text = re.sub(r"^version: .*$", f"version: {version}", text, flags=re.MULTILINE)
    line = f"repository-code: {address}"
    return re.sub(r"^repository-code: .*$", line, text, flags=re.MULTILINE)


def derived() -> dict[Path, str]:
    """Return what each derived file should hold."""
    parts = {
        "README.md": derive_readme,
        "CITATION.cff": derive_citation,
    }
    files = {
        ROOT / name: part((ROOT / name).read_text(encoding="utf-8"))
        for name, part in parts.items()
    }
    for path in lessons():
        files[path], files[path.with_suffix(".ipynb")] = derive(path)
    return files


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args(arguments).check
    stale = []
    for target, wanted in derived().items():
        if target.exists() and target.read_text(encoding="utf-8") == wanted:
            continue
        stale.append(target.relative_to(ROOT).as_posix())
        if not check:
            target.write_text(wanted, encoding="utf-8")
            print(f"wrote {stale[-1]}")
    if check and stale:
        print(f"Run `make pair`: not as derived: {', '.join(stale)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
