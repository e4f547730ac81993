"""Execute the lessons that have not been executed under today's conditions.

`make book` calls it before the book builder, which then finds every output in the
execution cache. What decides whether a lesson is executed is its code and the
conditions (see `book/extension/course_book/conditions.py`); its prose does not.

    python tools/run_lessons.py            every lesson of _toc.yml
    python tools/run_lessons.py 02 03      these
    python tools/run_lessons.py --again 02 even where it is in the cache
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import os
import queue
import re
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "extension"))

from course_book import conditions as course  # noqa: E402

CELL_SECONDS = 1200
MEMORY_FOR_A_LESSON = 3.5 * 2**30
# Runs in the lesson's kernel after its last cell, to learn what was used. It is not
# part of the lesson and not stored.
PROBE = """
import gc as _gc, json as _json
_facts = {"data": {}}
for _value in _gc.get_objects():
    _kind = type(_value)
    if str(_kind.__module__).partition(".")[0] == "course_utils":
        if _kind.__name__ == "Session":
            _facts.update({_name: getattr(_value, _name) for _name in
                           ("profile", "backend", "device", "seed", "versions")})
        elif _kind.__name__ == "Dataset":
            _facts["data"][_value.name] = _value.source
print(_json.dumps(_facts))
"""


@dataclass
class Lesson:
    """One lesson on its way through a kernel."""

    path: Path
    notebook: Any
    cell: int = -1
    started: float = 0.0
    seconds: float = 0.0
    failure: str = ""
    warned: list[int] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    client: Any = None

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def progress(self) -> str:
        """Return which code cell runs now, in words."""
        codes = [i for i, cell in enumerate(self.notebook.cells) if is_code(cell)]
        done = sum(1 for index in codes if index <= self.cell)
        return f"{self.name} cell {done}/{len(codes)}"


class LessonsFailed(Exception):
    """At least one lesson did not reach its last cell; the message says where."""


def is_code(cell: Any) -> bool:
    """Tell whether a notebook cell is a code cell."""
    return cell["cell_type"] == "code"


def heading_of(cells: list[Any], index: int) -> str:
    """Return the last heading above a cell.

    Args:
        cells: a notebook's cells.
        index: position of the cell, from 0.

    Returns:
        The heading's words, without its number signs; "" where there is none.
    """
    for cell in reversed(cells[: index + 1]):
        if cell["cell_type"] != "markdown":
            continue
        headings = re.findall(r"^#{1,6}\s+(.+?)\s*$", cell["source"], re.MULTILINE)
        if headings:
            return str(headings[-1])
    return ""


def describe_failure(lesson: Path, cells: list[Any], index: int, trace: str) -> str:
    """Return the report of a failed cell: where it is, what it says, what happened.

    Args:
        lesson: the lesson's Markdown file.
        cells: the notebook's cells.
        index: position of the failed cell, from 0; -1 where none had started.
        trace: the traceback or a sentence, colors allowed.

    Returns:
        Several lines for a terminal.
    """
    lines = [f"Lesson {lesson.name} failed."]
    if index >= 0:
        number = sum(1 for cell in cells[: index + 1] if is_code(cell))
        lines += [
            f"  under the heading: {heading_of(cells, index) or '(none)'}",
            f"  in code cell {number} of {sum(map(is_code, cells))}:",
            "",
            *(f"    {line}" for line in cells[index]["source"].splitlines()),
        ]
    lines += ["", *(f"  {line}" for line in trace.rstrip().splitlines()), ""]
    return "\n".join(lines)


def run_lessons(
    paths: list[Path] | None = None,
    *,
    root: Path = ROOT,
    again: bool = False,
    jobs: int | None = None,
) -> list[str]:
    """Execute what the cache does not hold, and store it there.

    Args:
        paths: lessons to look at; all of the table of contents by default.
        root: the folder of the course.
        again: execute them even where the cache holds them.
        jobs: how many at once; by default two, or one where memory or a GPU asks.

    Returns:
        The names of the lessons that were executed.

    Raises:
        LessonsFailed: when a cell raised, took too long, or killed its kernel.
    """
    from jupyter_cache import get_cache

    now = course.current(root)
    folder = course.open_cache_folder(now, root)
    cache = get_cache(str(folder))
    todo: list[Lesson] = []
    paths = course.lessons(root) if paths is None else paths
    for path in paths:
        notebook = course.read_lesson(path, root)
        if again or not _is_cached(cache, notebook) or _has_old_stand_in(folder, path):
            todo.append(Lesson(path, notebook))
    print(f"Lessons: {now.words}", flush=True)
    if not todo:
        print(f"All {len(paths)} lessons are in the execution cache.", flush=True)
        return []
    jobs = min(jobs or _jobs(now), len(todo))
    print(
        f"Executing {len(todo)} of {len(paths)} lessons, {jobs} at a time: "
        f"{usual_time([lesson.name for lesson in todo], now.profile, root)}.",
        flush=True,
    )
    failures = []
    for lesson in _execute_all(todo, jobs):
        if lesson.failure:
            failures.append(lesson.failure)
            print(f"  FAILED  {lesson.progress}", flush=True)
            continue
        _store(cache, folder, lesson, now, root)
        note = ""
        if lesson.warned:
            cells = ", ".join(map(str, lesson.warned))
            note = f" (standard error is not empty in code cell {cells})"
        print(f"  done    {lesson.name} in {lesson.seconds:.0f} s{note}", flush=True)
    if failures:
        raise LessonsFailed("\n".join(failures))
    return [lesson.name for lesson in todo]


def _is_cached(cache: Any, notebook: Any) -> bool:
    try:
        record = cache.match_cache_notebook(notebook)
        cache.get_cache_bundle(record.pk)
    except KeyError:
        return False
    return True


def _has_old_stand_in(folder: Path, path: Path) -> bool:
    """Tell whether a lesson used a stand-in for data that can be had by now."""
    try:
        text = course.record_path(folder, path.stem).read_text(encoding="utf-8")
    except OSError:
        return False
    sources = json.loads(text).get("data", {})
    missing = [name for name, source in sources.items() if source == "stand-in"]
    return any(course.can_be_had(name) for name in missing)


def _jobs(now: Any) -> int:
    """Return how many lessons to execute at once."""
    if not now.device.startswith("CPU"):
        return 1
    return max(1, min(2, os.cpu_count() or 1, int(_free() // MEMORY_FOR_A_LESSON)))


def _free() -> float:
    """Return the bytes of memory that new programs can have."""
    try:
        import psutil
    except ImportError:
        return 2 * MEMORY_FOR_A_LESSON
    return float(psutil.virtual_memory().available)


def make_mirror_absolute() -> None:
    """Write each folder of COURSE_DATA in full: kernels run in the lessons' folder."""
    folders = filter(None, os.environ.get("COURSE_DATA", "").split(os.pathsep))
    written = [os.path.abspath(os.path.expanduser(folder)) for folder in folders]
    if written:
        os.environ["COURSE_DATA"] = os.pathsep.join(written)


def usual_time(names: list[str], profile: str, root: Path = ROOT) -> str:
    """Return in words how long lessons took when `make bench` measured them alone.

    Args:
        names: file names of lessons, without ending.
        profile: "smoke", "quick" or "full".
        root: the folder of the course.
    """
    path = root / "results" / "lesson_times.json"
    times = json.loads(path.read_text())["lessons"] if path.exists() else {}
    found = [times.get(name, {}).get(profile) for name in names]
    known = [one for one in found if one]
    if not known:
        return "how long they take has not been measured yet"
    seconds = sum(one["seconds"] for one in known)
    length = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"
    words = f"one after the other they took {length} on {known[0]['device']}"
    if len(known) < len(names):
        words += f" ({len(names) - len(known)} not measured yet)"
    return words


def _execute_all(todo: list[Lesson], jobs: int) -> Any:
    """Execute lessons in threads; yield each as it ends, and show progress."""
    waiting: queue.SimpleQueue[Lesson] = queue.SimpleQueue()
    ended: queue.SimpleQueue[Lesson] = queue.SimpleQueue()
    for lesson in todo:
        waiting.put(lesson)

    def work() -> None:
        while not waiting.empty():
            try:
                lesson = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                execute(lesson)
            except Exception:  # a fault of this program must not end in silence
                lesson.failure = f"{lesson.name}:\n{traceback.format_exc()}"
            ended.put(lesson)

    for _ in range(jobs):
        threading.Thread(target=work, daemon=True).start()
    display = _Progress(todo)
    try:
        for _ in todo:
            while True:
                try:
                    lesson = ended.get(timeout=1.0)
                    break
                except queue.Empty:
                    display.show()
            display.clear()
            yield lesson
    except BaseException:
        for lesson in todo:
            _kill_kernel(lesson)
        raise


def _kill_kernel(lesson: Lesson) -> None:
    provisioner = getattr(getattr(lesson.client, "km", None), "provisioner", None)
    process = getattr(provisioner, "process", None)
    if process is not None and process.poll() is None:
        process.kill()


class _Progress:
    """One line that is rewritten in a terminal; a line every 20 s in a log."""

    def __init__(self, lessons: list[Lesson]) -> None:
        self.lessons = lessons
        self.live = sys.stdout.isatty()
        self.began = self.printed = time.monotonic()

    def show(self) -> None:
        running = [x for x in self.lessons if x.started and not x.seconds]
        line = " · ".join(lesson.progress for lesson in running) or "starting"
        line = f"  {time.monotonic() - self.began:4.0f} s  {line}"
        if self.live:
            sys.stdout.write(f"\r\x1b[K{line[:110]}")
            sys.stdout.flush()
        elif time.monotonic() - self.printed > 20:
            self.printed = time.monotonic()
            print(line, flush=True)

    def clear(self) -> None:
        if self.live:
            sys.stdout.write("\r\x1b[K")


def execute(lesson: Lesson) -> Lesson:
    """Execute a lesson in a kernel of its own; never raises for what its cells do.

    Args:
        lesson: the lesson; its notebook gets the outputs, and it gets the rest.

    Returns:
        The same lesson.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from nbformat.v4 import new_code_cell

    def note(cell: Any, cell_index: int, **_: Any) -> None:
        lesson.cell = cell_index

    def run() -> Any:
        notebook = copy.deepcopy(lesson.notebook)
        notebook.cells.append(new_code_cell(PROBE))
        lesson.client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            shutdown_kernel="immediate",  # nothing to save; its goodbye takes 2 s
            resources={"metadata": {"path": str(lesson.path.parent)}},
            on_cell_start=note,
            # Times in the cells' metadata would give the notebook another cache key.
            record_timing=False,
            # A kernel's notices about itself are not for a reader of this output.
            extra_arguments=["--log-level=40"],
        )
        lesson.started = time.monotonic()
        lesson.client.execute()
        return notebook

    cells = lesson.notebook.cells
    lesson.started = time.monotonic()
    try:
        try:
            notebook = run()
        except DeadKernelError:  # see `reruns` in pyproject.toml
            print(f"  {lesson.name}: its kernel died, and is started once more.")
            notebook = run()
    except CellExecutionError:
        outputs = lesson.client.nb.cells[lesson.cell].get("outputs", [])
        trace = [o for o in outputs if o["output_type"] == "error"]
        text = "\n".join(trace[-1]["traceback"]) if trace else "(no traceback)"
        lesson.failure = describe_failure(lesson.path, cells, lesson.cell, text)
    except Exception as error:  # a dead kernel, a cell that never ends, no kernel
        what = f"{type(error).__name__}: {error}"
        lesson.failure = describe_failure(lesson.path, cells, lesson.cell, what)
    lesson.seconds = time.monotonic() - lesson.started
    if not lesson.failure:
        cells = notebook.cells
        lesson.facts = json.loads("".join(o["text"] for o in cells.pop().outputs))
        codes = [cell for cell in cells if is_code(cell)]
        lesson.warned = [
            number
            for number, cell in enumerate(codes, 1)
            if any(output.get("name") == "stderr" for output in cell.outputs)
        ]
        lesson.notebook = notebook
    return lesson


def _store(cache: Any, folder: Path, lesson: Lesson, now: Any, root: Path) -> None:
    """Put an executed lesson in the cache, with a record of what it used."""
    from jupyter_cache.base import CacheBundleIn

    stored = cache.cache_notebook_bundle(
        CacheBundleIn(
            lesson.notebook,
            str(lesson.path),
            data={"execution_seconds": round(lesson.seconds, 2)},
        ),
        check_validity=False,
        overwrite=True,
    )
    record = {
        "lesson": lesson.name,
        "key": stored.hashkey,
        "seconds": round(lesson.seconds, 1),
        "date": datetime.date.today().isoformat(),
        "commit": course.commit(root),
        "profile": now.profile,
        "backend": now.backend,
        "device": now.device,
        "data_from": now.data,
        "python": now.python,
        "versions": now.packages,
        **lesson.facts,
    }
    path = course.record_path(folder, lesson.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def find(names: list[str], root: Path = ROOT) -> list[Path]:
    """Return the lessons that a person names by number or by file name.

    Args:
        names: "02", "02_vanishing_gradients" or "lessons/02_vanishing_gradients.md".
        root: the folder of the course.

    Returns:
        Paths of Markdown files.

    Raises:
        ValueError: for a name that fits no lesson.
    """
    known = course.lessons(root)
    found = []
    for name in names:
        stem = Path(name).stem
        fits = [p for p in known if p.stem == stem or p.stem.startswith(f"{stem}_")]
        if len(fits) != 1:
            available = ", ".join(path.stem for path in known)
            raise ValueError(f"`{name}`: expected one of {available}.")
        found.append(fits[0])
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        description="Execute the lessons that the execution cache does not hold."
    )
    parser.add_argument("lessons", nargs="*", help="02, or 02_topic; default: all")
    parser.add_argument("--again", action="store_true", help="execute cached ones too")
    parser.add_argument("--jobs", type=int, help="how many at once")
    options = parser.parse_args(arguments)
    make_mirror_absolute()
    try:
        paths = find(options.lessons) if options.lessons else None
        run_lessons(paths, again=options.again, jobs=options.jobs)
    except LessonsFailed as failure:
        report = str(failure)
        if not sys.stderr.isatty():
            report = re.sub(r"\x1b\[[0-9;]*m", "", report)
        print(f"\n{report}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
