"""The directive `net-costs`: what each net costs on the machine that builds the book.

It is measured in a process of its own, once for the same code and conditions (see
`conditions`); a later build shows the same table.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from course_book import conditions as course
from course_book.measurements import show

SECONDS = 900  # a machine where it takes longer has another problem


class NetCosts(SphinxDirective):
    """Show the table of costs, measured now where it has not been yet."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        folder = Path(self.env.app.config.nb_execution_cache_path)
        try:
            path = measured(folder, root)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            raise self.error(f"The nets could not be measured: {said}") from error
        self.env.note_dependency(str(root / "benchmarks" / "nets.py"))
        return show(json.loads(path.read_text(encoding="utf-8")))


def measured(folder: Path, root: Path = course.ROOT) -> Path:
    """Return the file with the table, as `benchmarks.nets` writes it."""
    script = root / "benchmarks" / "nets.py"
    return made_once(folder, "net_costs", script, "benchmarks.nets", root)


def made_once(folder: Path, name: str, script: Path, module: str, root: Path) -> Path:
    """Return a file that a program of its own writes, after running it where needed.

    Args:
        folder: the cache folder of today's conditions.
        name: what the file is called, in front of a digest of the program.
        script: the program.
        module: the program as Python imports it; it is given the file to write.
        root: the folder of the course.

    Returns:
        The file, complete.

    Raises:
        subprocess.SubprocessError: the program failed or took too long.
    """
    digest = hashlib.sha256(script.read_bytes()).hexdigest()[:12]
    path = folder / f"{name}-{digest}.json"
    if path.is_file():
        return path
    unfinished = path.with_suffix(".part")
    places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [sys.executable, "-m", module, str(unfinished)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))},
        check=True,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    unfinished.replace(path)
    return path


def setup(app: Sphinx) -> dict[str, Any] | None:
    """Add the directive."""
    app.add_directive("net-costs", NetCosts)
    return None
