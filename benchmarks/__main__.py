"""Measure what the course promises, and write the tables of the book's appendix.

    python -m benchmarks              everything (more than an hour on two cores)
    python -m benchmarks lessons      only these: package, checks, nets, pipelines,
                                      transfer, heat_maps, lessons, book
    python -m benchmarks lessons --only 06 07    of the lessons, only these

Results go to results/benchmarks.json (tables, shown in the book),
results/lesson_times.json (quoted at the top of each lesson) and results/printed (what
each lesson printed, for the numbers that its prose quotes). What is not measured in a
run keeps its earlier table. Measure on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from course_utils import runtime

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
sys.path.insert(0, str(ROOT / "tools"))

PARTS = (
    "package",
    "checks",
    "nets",
    "pipelines",
    "transfer",
    "heat_maps",
    "lessons",
    "book",
)
PACKAGES = ("course-utils", "tensorflow", "keras", "numpy", "jupyter-book")


def provenance(arguments: list[str]) -> dict:
    """Return what a reader needs to judge or repeat the figures."""

    def git(*command: str) -> str:
        done = subprocess.run(
            ["git", *command], cwd=ROOT, capture_output=True, text=True
        )
        return done.stdout.strip()

    # What an earlier part wrote to results/ does not change what is measured here.
    changed = git("status", "--porcelain", "--", ".", ":!results")
    return {
        "command": " ".join(["python -m benchmarks", *arguments]),
        "date": datetime.date.today().isoformat(),
        "commit": git("describe", "--always") + ("-dirty" if changed else ""),
        "hardware": f"{runtime.processor()}, {_cores()} cores, {_memory():.0f} GiB",
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES},
        },
        "data": "local mirror" if os.environ.get("COURSE_DATA") else "no mirror",
    }


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> float:
    import psutil

    return psutil.virtual_memory().total / 2**30


def measure_package() -> list[dict]:
    """Import time of the package, and throughput of the renderer."""
    imports = {
        "import course_utils": "import course_utils",
        "import course_utils, NumPy included": "import course_utils, numpy",
        "the same, and setup, load, check, hint": (
            "import numpy; from course_utils import setup, load, check, hint"
        ),
    }
    rows = []
    for label, statement in imports.items():
        code = (
            f"import time; t = time.perf_counter(); {statement};"
            "print(time.perf_counter() - t)"
        )
        times = [float(_python(code)) for _ in range(11)]
        rows.append([label, f"{_median_ms(times)} ms"])

    # One core, as promised: NumPy's threads would otherwise help.
    render = (
        "import time; from course_utils import shapes;"
        "shapes.render(256, size={size}); t = time.perf_counter();"
        "shapes.render({n}, size={size}); print({n} / (time.perf_counter() - t))"
    )
    one_core = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for size, n in ((32, 4000), (64, 2000), (180, 200)):
        rates = [
            float(_python(render.format(size=size, n=n), **one_core)) for _ in range(3)
        ]
        label = f"render shapes, {size}×{size}, one core"
        rows.append([label, f"{statistics.median(rates):,.0f} images/s"])
    rows.append(["install cell of a learner's copy", f"{_install_seconds()} s"])
    return [{"title": "Package", "columns": ["What", "Median"], "rows": rows}]


def _install_seconds() -> str:
    """Return how long a bare environment takes to get the course, by its test."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/test_learner_copy.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = re.search(r"(\d+) s of them its install cell", done.stdout)
    assert found, done.stdout
    return found[1]


def _python(code: str, **settings: str) -> str:
    """Run code in a new Python as users have it, with bytecode; return what it prints.

    Imports without bytecode would measure the compiler.
    """
    environment = {**os.environ, **settings}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def _median_ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.3g}"


def measure_checks() -> list[dict]:
    """Latency of each exercise's check on its canonical solution."""
    import solutions_of  # in tools

    from course_utils import check, setup

    with contextlib.redirect_stdout(io.StringIO()):
        setup()
    rows = []
    places = solutions_of.every_place()
    for name, canonical in sorted(solutions_of.canonical_answers().items()):
        # What the lesson's own check cell would hand in.
        answer = eval(places[name].expression, canonical.run())
        times = []
        for _ in range(4):
            started = time.perf_counter()
            result = check(name, answer)
            times.append(time.perf_counter() - started)
        first, later = times[0], statistics.median(times[1:])
        state = str(getattr(result.state, "value", result.state))
        rows.append([name, state, f"{first:.2f} s", f"{later:.2f} s"])
    columns = ["Exercise", "State", "First check", "Later checks (median of 3)"]
    return [{"title": "Checks", "columns": columns, "rows": rows}]


def measure_nets() -> list[dict]:
    """Throughput of our nets and of the library's, and the ratio, in one run."""
    from benchmarks import nets

    return nets.against_the_library()


def measure_transfer() -> list[dict]:
    """Accuracy and time of feature extraction on cats and dogs."""
    from benchmarks import transfer

    return transfer.feature_extraction()


def measure_heat_maps() -> list[dict]:
    """Heat maps and filter pictures, beside the packages that others use."""
    from benchmarks import heat_maps

    return heat_maps.everything()


def measure_pipelines() -> list[dict]:
    """The course's input pipeline against a Python generator, and with each net."""
    from benchmarks import pipelines

    return pipelines.everything()


def run_lesson(path: Path, profile: str) -> tuple[dict, Any]:
    """Execute a lesson alone; return its seconds and peak memory in MiB, and itself."""
    import psutil
    from nbclient import NotebookClient
    from nbformat import read

    peak, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        me = psutil.Process()
        while not ended.wait(0.2):
            with contextlib.suppress(psutil.Error):
                kernels = me.children(recursive=True)
                peak = max(peak, sum(child.memory_info().rss for child in kernels))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    options = {"timeout": 1200, "kernel_name": "python3"}
    # As `make book` and the tests do: a kernel's goodbye is no part of the lesson.
    client = NotebookClient(read(path, 4), shutdown_kernel="immediate", **options)
    client.execute(env={**os.environ, "COURSE_PROFILE": profile})
    seconds = time.perf_counter() - started
    ended.set()
    watcher.join()
    found = {"seconds": round(seconds, 1), "memory_mib": round(peak / 2**20)}
    return found, client.nb


def measure_lessons(only: Sequence[str] = ()) -> list[dict]:
    """Time and peak memory of each lesson in each profile this machine can run."""
    import printed  # in tools

    from course_utils import setup

    with contextlib.redirect_stdout(io.StringIO()):
        device = setup().device
    profiles = ("smoke", "quick") if device.startswith("CPU") else ("quick", "full")
    recorded = RESULTS / "lesson_times.json"
    times = json.loads(recorded.read_text()) if recorded.exists() else {"lessons": {}}
    lessons = sorted((ROOT / "lessons").glob("*.ipynb"))
    for path in lessons:
        if only and path.stem[:2] not in only:
            continue
        for profile in profiles:
            print(f"  {path.stem} in {profile} …", flush=True)
            found, executed = run_lesson(path, profile)
            today = datetime.date.today().isoformat()
            times["lessons"].setdefault(path.stem, {})[profile] = {
                **found,
                "device": device,
                "date": today,
            }
            recorded.write_text(json.dumps(times, indent=2, sort_keys=True) + "\n")
            if profile == "quick":  # the profile whose numbers the prose quotes
                conditions = f"{path.stem} in {profile} on {device}, {today}"
                printed.keep(path.stem, executed, conditions)
    rows = [
        [
            path.stem,
            profile,
            f"{found['seconds']:.0f} s",
            f"{found['memory_mib']:,} MiB",
            found["device"],
            found["date"],
        ]
        for path in lessons
        for profile, found in sorted(times["lessons"].get(path.stem, {}).items())
    ]
    columns = ["Lesson", "Profile", "All cells", "Peak memory", "Device", "Date"]
    return [{"title": "Lessons, each alone", "columns": columns, "rows": rows}]


def measure_book() -> list[dict]:
    """In a fresh clone: a cold `make book`, warm ones, and `make test`."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "course"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        steps = [
            ("environment (make)", ["make", ".venv/.ready"]),
            ("cold make book, environment made", ["make", "book"]),
            ("make book again, nothing changed", ["make", "book"]),
            ("make book after an edit of prose", ["make", "book"]),
            ("make test, environment made", ["make", "test"]),
        ]
        for label, command in steps:
            if "test" in label:  # of what was committed
                subprocess.run(
                    ["git", "checkout", "--quiet", "."], cwd=clone, check=True
                )
            if "edit" in label:
                lesson = next((clone / "lessons").glob("02_*.md"))
                text = lesson.read_text(encoding="utf-8")
                edited = text.replace("## Take-away\n", "## Take-away\n\nIn short:\n")
                lesson.write_text(edited, encoding="utf-8")
            print(f"  {label} …", flush=True)
            started = time.perf_counter()
            done = subprocess.run(command, cwd=clone, stdout=subprocess.PIPE, text=True)
            if done.returncode:  # the clone is removed, and with it every trace
                print(done.stdout[-5000:], flush=True)
                done.check_returncode()
            rows.append([label, f"{time.perf_counter() - started:.0f} s"])
        shutil.rmtree(clone / ".venv", ignore_errors=True)
    return [{"title": "Book and tests", "columns": ["Step", "Time"], "rows": rows}]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--only", nargs="+", default=(), metavar="NN", help="lessons")
    chosen = parser.parse_args(arguments)
    parts = chosen.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown part {sorted(unknown)[0]!r}; known: {', '.join(PARTS)}")
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / "benchmarks.json"
    old = json.loads(target.read_text()) if target.exists() else {"tables": []}
    tables = {table["part"]: table for table in old["tables"]}
    # Asked before anything is written: the tables themselves make the tree dirty.
    conditions = provenance(
        [*parts, *(["--only", *chosen.only] if chosen.only else [])]
    )
    for part in parts:
        print(f"Measuring: {part}", flush=True)
        options = {"only": chosen.only} if part == "lessons" else {}
        for table in globals()[f"measure_{part}"](**options):
            tables[part] = {"part": part, **table, "provenance": conditions}
        # After each part, so that a run that is stopped keeps what it has.
        written = {
            "provenance": conditions,
            "tables": [tables[name] for name in PARTS if name in tables],
        }
        target.write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
