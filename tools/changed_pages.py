"""List the pages of the book that a change touches, as a Markdown list.

    python tools/changed_pages.py BASE

A page changes when its source does. A change of the package, of the lock file or of the
book's look can change any page: that is said instead of listing them all.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVERYWHERE = ("src/", "requirements.lock", "_config.yml", "_toc.yml", "book/extension/")


def pages(changed: list[str]) -> tuple[list[str], list[str]]:
    """Split changed files into pages, and files that can change every page.

    Args:
        changed: paths relative to the repository, as git prints them.

    Returns:
        Paths of pages in the built site, and the files that matter everywhere.
    """
    sources = [
        name
        for name in changed
        if name.startswith(("lessons/", "book/")) and name.endswith(".md")
    ]
    everywhere = [name for name in changed if name.startswith(EVERYWHERE)]
    return sorted(f"{name[:-3]}.html" for name in sources), sorted(everywhere)


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    command = ["git", "diff", "--name-only", f"{arguments[0]}...HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr.strip(), file=sys.stderr)
        return done.returncode
    found, everywhere = pages(done.stdout.splitlines())
    print("### Preview of the book\n")
    print("The built site is this run's artifact `preview-of-the-book`.\n")
    if found:
        print("Changed pages:\n")
        print("\n".join(f"- `{page}`" for page in found))
    else:
        print("No page's source changed.")
    if everywhere:
        print("\nCan change any page: " + ", ".join(f"`{x}`" for x in everywhere))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
