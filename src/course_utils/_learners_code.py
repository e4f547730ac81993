"""Tell the learner's code from ours, describe what it returns, and limit its time."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import linecache
import os
import re
import reprlib
import signal
import sys
import sysconfig
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from typing_extensions import Self


class OutOfTime(BaseException):
    """Thrown into the learner's code when its time is spent."""


# --- Words for any object at all ------------------------------------------------------


class _ShortRepr(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 6
        self.maxstring = self.maxlong = self.maxother = 60
        self.maxlevel = 3

    def repr1(self, x: Any, level: int) -> str:
        kind = type(x)
        if kind in (list, tuple, dict, set, frozenset, str, int):
            return super().repr1(x, level)
        if kind in (bool, float, complex, type(None), type(...)):
            return repr(x)
        if isinstance(x, np.generic):
            return repr(x.item())[:60]
        return describe(x)


def describe(value: Any) -> str:
    """Say in a few words what any object is, without running code of its class.

    Args:
        value: anything, also a list of a million numbers or an object whose `repr`
            raises.

    Returns:
        One short line: "[0, 1, 2, 3, 4, 5, ...]", "an array of shape (2, 3) and type
        float32", "a Flatten object".
    """
    kind = type(value)
    try:
        if isinstance(value, np.ndarray):
            return f"an array of shape {value.shape} and type {value.dtype}"
        if kind in (list, tuple, dict, set, frozenset, str, int, bool, float, complex):
            return _SHORT.repr(value)
        if value is None or value is ...:
            return repr(value)
        if isinstance(value, np.generic):
            return f"{_SHORT.repr(value)} ({value.dtype})"
        if isinstance(value, type):
            return f"the class {value.__name__}"
        if isinstance(value, (types.FunctionType, types.BuiltinFunctionType)):
            return f"the function {value.__name__}"
        if is_library(kind) and hasattr(value, "shape") and hasattr(value, "dtype"):
            shape = tuple(value.shape)
            return f"a {kind.__name__} of shape {shape} and type {value.dtype}"
        article = "an" if kind.__name__[:1].lower() in "aeiou" else "a"
        return f"{article} {kind.__name__} object"
    except Exception:
        return "an object that cannot be described"


_SHORT = _ShortRepr()


def is_library(kind: type) -> bool:
    top = str(getattr(kind, "__module__", "")).partition(".")[0]
    return top in ("numpy", "keras", "tensorflow", "torch", "jax", "jaxlib")


def text_of(error: BaseException) -> str:
    """Return "Type: message" of an exception, short, in plain characters."""
    kind = type(error).__name__
    try:
        text = within_a_check(run_learner, str, (error,), {})
    except BaseException:
        text = ""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(
        r"^Exception encountered when calling .*?\n\n", "", text, flags=re.DOTALL
    )
    text = text.split("\n\nArguments received by")[0].strip()
    lines = text.splitlines()
    if len(lines) > 12:
        text = "\n".join([*lines[:12], "…"])
    if len(text) > 1000:
        text = text[:1000] + "…"
    return f"{kind}: {text}" if text else kind


# --- Whose code is it? ----------------------------------------------------------------

_PACKAGE = str(Path(__file__).resolve().parent) + os.sep


@functools.lru_cache(maxsize=1)
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    for name in ("numpy", "keras", "tensorflow", "torch", "jax", "IPython"):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:  # it may be installed elsewhere, as in Debian's dist-packages
            folders.add(str(Path(file).parent.parent))
    return tuple(folder + os.sep for folder in folders)


@functools.lru_cache(maxsize=4096)
def _owner(filename: str) -> Literal["learner", "course", "library", "compiler"]:
    """Tell from a code object's file whose code it is."""
    if filename.startswith(_PACKAGE):
        return "course"
    if filename.startswith(("<frozen", "<__array_function__", "<attrs", "<string>")):
        return "library"
    if filename.startswith(_library_folders()) or "site-packages" in filename:
        parts = Path(filename).parts
        # JAX compiles each operation on its first use: the time is not the learner's.
        compiles = "jax" in parts and {"interpreters", "compiler.py"} & set(parts)
        return "compiler" if compiles else "library"
    return "learner"


def within_a_check(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a rule. Its frame tells the clock and the traces where a check begins."""
    return function(*arguments)


def run_learner(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Run the learner's code. Its frame tells the clock whose time it is."""
    return function(*args, **kwargs)


def steps_of(error: BaseException) -> list[types.TracebackType]:
    found = []
    step = error.__traceback__
    while step is not None:
        found.append(step)
        step = step.tb_next
    return found


def trace(error: BaseException) -> list[types.TracebackType]:
    """Return the steps of an exception, from the one below the rule inwards."""
    steps = steps_of(error)
    for index, step in enumerate(steps):
        if step.tb_frame.f_code is within_a_check.__code__:
            # The frame next to this one is the rule, wherever its file is.
            return steps[index + 2 :]
    return steps


def owner_of(step: types.TracebackType) -> str:
    return _owner(step.tb_frame.f_code.co_filename)


def ends_with_learner(error: BaseException) -> bool:
    """Tell whether the last frame that is no library's is the learner's."""
    owners = [owner_of(step) for step in trace(error)]
    ours = [owner for owner in owners if owner in ("learner", "course")]
    return bool(ours) and ours[-1] == "learner"


def _last_of_learner(error: BaseException) -> types.TracebackType | None:
    steps = [step for step in trace(error) if owner_of(step) == "learner"]
    return steps[-1] if steps else None


def _place(filename: str) -> str:
    """Name the notebook cell or the file that a line belongs to."""
    shell = sys.modules.get("IPython")
    if shell is not None:
        with contextlib.suppress(Exception):
            label, name = shell.get_ipython().compile.format_code_name(filename)
            return f"{label} {name}"
    if "ipykernel" in filename or filename.startswith("<"):
        return "notebook cell"
    return f"file {Path(filename).name}"


def location_of(error: BaseException) -> str:
    """Return the learner's last frame in words: place, line, function, source."""
    last = _last_of_learner(error)
    if last is None:
        return ""
    code, line = last.tb_frame.f_code, last.tb_lineno
    source = linecache.getline(code.co_filename, line).strip()
    text = f"{_place(code.co_filename)}, line {line}, in {code.co_name}"
    return text + (f"\n    {source[:120]}" if source else "")


# --- The learner's time ---------------------------------------------------------------

_TICK = 0.05
_PATIENCE = 0.5  # seconds that a library gets to return to the learner's code


def seconds_allowed() -> float:
    """Return how long the learner's code may run before it is stopped."""
    keras = sys.modules.get("keras")
    # JAX compiles on the first call, which may take longer than the answer itself.
    usual = 8.0 if keras and keras.backend.backend() == "jax" else 2.0
    try:
        return max(float(os.environ.get("COURSE_CHECK_SECONDS", usual)), 0.1)
    except ValueError:
        return usual


def _runs_learners_code(frame: types.FrameType | None) -> bool:
    """Tell whether a check called the learner's code, and it is running now."""
    below: list[types.CodeType] = []
    while frame is not None and frame.f_code is not within_a_check.__code__:
        below.append(frame.f_code)
        frame = frame.f_back
    if frame is None:
        return False
    owners = {_owner(code.co_filename) for code in below[:-1]}  # the last is the rule
    theirs = "learner" in owners or run_learner.__code__ in below
    return theirs and "compiler" not in owners


class Clock:
    """Counts the time spent in the learner's code and stops that code at the limit.

    It looks at the running frame 20 times a second. Only a look that finds the
    learner's code on the stack counts, so a slow check is not the learner's fault, and
    the exception can only be thrown where the learner's code is running. Code that
    swallows it meets it again, ever faster, until it also strikes outside of the `try`.

    What counts is processor time, so that a busy machine does not fail a right answer;
    but code that hardly uses the processor is asleep, and then every second counts.
    """

    def __init__(self) -> None:
        self.limit = seconds_allowed()
        self.busy = 0.0
        self.passed = 0.0
        self.thrown = 0
        self._last = time.monotonic(), time.process_time()

    def _over(self, frame: types.FrameType | None) -> bool:
        now, cpu = time.monotonic(), time.process_time()
        gap = min(now - self._last[0], 0.5)
        work = min(cpu - self._last[1], gap)
        self._last = now, cpu
        if not _runs_learners_code(frame):
            return False
        self.passed += gap
        self.busy += work
        asleep = self.busy < 0.1 * self.passed
        spent = self.passed if asleep else self.busy
        return spent >= self.limit or self.passed >= 15 * self.limit

    def _pause(self) -> float:
        """Return the seconds to the next look; of no fixed length in the end."""
        if self.thrown < 3:
            return (_TICK, 0.01, 0.001)[self.thrown]
        return 2e-5 * (1 + 7 * self.thrown % 23)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        return None


class _SignalClock(Clock):
    """The clock of the main thread, where the system has interval timers.

    An exception in the middle of a framework can leave that in a state from which the
    whole process crashes later: half a graph, a tape that still records. So while a
    library runs, the exception waits for the next line of the learner's own code. A
    library that does not return in time is interrupted all the same.
    """

    def __enter__(self) -> Self:
        self._left = False
        self._looking = False
        self._asked: float | None = None
        self._handler = signal.signal(signal.SIGALRM, self._on_tick)
        self._timer = signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)
        return self

    def __exit__(self, *details: object) -> None:
        self._left = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        # The last signal may still be on its way to another thread. The default action
        # would then end the process; to ignore the signal discards it.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, self._handler or signal.SIG_DFL)
        self._withdraw()
        if self._timer[0]:
            signal.setitimer(signal.ITIMER_REAL, *self._timer)

    def _on_tick(self, number: int, frame: types.FrameType | None) -> None:
        if self._left:  # a last look would start the timer again
            return
        over = False
        if not self._looking:  # this look may be interrupted by the next signal
            self._looking = True
            over = self._over(frame)
            self._looking = False
        if over and self._waits_for_line(frame):
            return
        self.thrown += over
        # And again later: a signal just before a system call does not interrupt it.
        signal.setitimer(signal.ITIMER_REAL, self._pause(), _TICK)
        if over:
            self._withdraw()
            raise OutOfTime

    def _waits_for_line(self, frame: types.FrameType | None) -> bool:
        """Ask for the next line of the learner's, if a library runs; else say no."""
        while frame is not None and frame.f_code.co_filename == __file__:
            frame = frame.f_back  # the tick found this clock at work
        if frame is None or _owner(frame.f_code.co_filename) != "library":
            return False
        # Code that swallows the exception, and a debugger at work, are not waited for.
        if self.thrown >= 3 or sys.gettrace() not in (None, self._on_line):
            return False
        now = time.monotonic()
        if self._asked is None:
            self._asked = now
            step: types.FrameType | None = frame
            while step is not None and step.f_code is not within_a_check.__code__:
                if _owner(step.f_code.co_filename) == "learner":
                    step.f_trace = self._on_line
                step = step.f_back
            sys.settrace(self._on_line)
        return now - self._asked < _PATIENCE

    def _withdraw(self) -> None:
        self._asked = None
        if sys.gettrace() == self._on_line:
            sys.settrace(None)

    def _on_line(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if _owner(frame.f_code.co_filename) != "learner":
            return None
        if event == "line" and self._asked and _runs_learners_code(frame):
            self.thrown += 1
            self._withdraw()
            raise OutOfTime
        return self._on_line


class _ThreadClock(Clock):
    """The clock elsewhere: another thread watches, and throws the exception over.

    On Python 3.10 code that swallows every exception in an endless loop escapes it:
    there the exception never strikes between a loop's turn and its `try`.
    """

    def __enter__(self) -> Self:
        self._target = threading.get_ident()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        while True:  # an exception may still be on its way: wait until none is
            try:
                self._stop.set()
                self._thread.join()
                self._throw(None)
                return
            except OutOfTime:
                continue

    def _throw(self, kind: type[BaseException] | None) -> None:
        thread = ctypes.c_ulong(self._target)
        thrown = ctypes.py_object(kind) if kind else None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, thrown)

    def _watch(self) -> None:
        while not self._stop.wait(self._pause()):
            if self._over(sys._current_frames().get(self._target)):
                self.thrown += 1
                self._throw(OutOfTime)


def new_clock() -> Clock:
    """Return the clock that works in this thread on this system."""
    main = threading.current_thread() is threading.main_thread()
    if main and hasattr(signal, "setitimer"):
        return _SignalClock()
    if hasattr(ctypes, "pythonapi"):
        return _ThreadClock()
    return Clock()
