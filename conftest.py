"""Say where in a notebook a cell failed: nbmake names neither cell nor heading."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_configure():
    """Let kernels and tests, in whatever folder they run, mean the same mirror."""
    from run_lessons import make_mirror_absolute

    make_mirror_absolute()
    end_kernels_at_once()


def end_kernels_at_once():
    """After its last cell a kernel has nothing to save; its goodbye takes 2 s."""
    import functools

    from nbclient import NotebookClient
    from nbmake import nb_run

    nb_run.NotebookClient = functools.partial(
        NotebookClient, shutdown_kernel="immediate"
    )


def failed_cell(notebook, fallback: int) -> int:
    """Return the position of the cell that failed, from 0."""
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return index
    return fallback


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Put cell number and heading in front of nbmake's report of a failure."""
    report = yield
    if not (getattr(item, "nbmake", False) and call.excinfo and report.failed):
        return report
    result = call.excinfo.value.args[0] if call.excinfo.value.args else None
    error = getattr(result, "error", None)
    if error is None:
        return report
    from run_lessons import heading_of

    index = failed_cell(result.nb, error.failing_cell_index)
    cells = result.nb.cells
    number = sum(cell.cell_type == "code" for cell in cells[: index + 1])
    place = (
        f"{Path(item.filename).name}: cell {index + 1} (code cell {number}), "
        f"under the heading “{heading_of(cells, index) or 'none'}”"
    )
    report.longrepr.term = f"{place}\n\n{report.longrepr.term}"
    report.longrepr.reprcrash.message = f"{place}: {error.summary}"
    return report
