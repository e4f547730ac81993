"""Build the site: execute what changed, write the pages, say where they are.

    python tools/build_book.py

Every warning of the book builder is an error.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import run_lessons  # noqa: E402


def build_pages(root: Path = ROOT, *, every: bool = False) -> int:
    """Write the pages with Jupyter Book.

    Args:
        root: the folder of the course.
        every: write all pages afresh, not only those that changed.

    Returns:
        The builder's exit status.
    """
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(root)]
    command += ["-W", "-n", "--keep-going", "-q"]
    if every:
        command.append("--all")
    # What the builder prints is many lines a page; its warnings are what counts.
    builder = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    while True:
        try:
            status = builder.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if sys.stdout.isatty():
                seconds = time.monotonic() - began
                print(f"\r  writing the pages: {seconds:.0f} s", end="", flush=True)
            continue
        except BaseException:
            builder.terminate()
            raise
        if sys.stdout.isatty():
            print()
        return status


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description="Build the site of the course.")
    parser.add_argument(
        "--profile",
        choices=("smoke", "quick", "full"),
        help="size of the experiments; default: COURSE_PROFILE, or by the hardware",
    )
    parser.add_argument(
        "--all", action="store_true", help="write every page, changed or not"
    )
    options = parser.parse_args(arguments)
    if options.profile:
        os.environ["COURSE_PROFILE"] = options.profile
    began = time.monotonic()
    print("Step 1 of 2: executing the lessons whose code or conditions changed.")
    status = run_lessons.main([])
    if status:
        print("\nThe book was not built: fix the lesson above first.", file=sys.stderr)
        return status
    print(
        "Step 2 of 2: writing the pages and, where conditions changed, measuring what "
        "the nets cost; usually about a minute the first time, less after that.",
        flush=True,
    )
    status = build_pages(every=options.all)
    if status:
        print(
            "\nThe book was not built: each warning above is an error.",
            file=sys.stderr,
        )
        return status
    index = ROOT / "_build" / "html" / "index.html"
    print(f"Done in {time.monotonic() - began:.0f} s. Open it in a browser:\n{index}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
