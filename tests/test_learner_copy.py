"""A learner's copy stands alone: one notebook, an empty folder, a bare environment.

The environment holds TensorFlow, Keras, NumPy and Matplotlib with what they need, a
kernel, and nothing of the course. The notebook's own install cell brings the course;
git is told to find the repository's address in a copy of this checkout.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from importlib import metadata
from pathlib import Path

import nbformat
import pair
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]

BROUGHT = ["tensorflow", "keras", "numpy", "matplotlib", "ipykernel"]
LESSON = "02_vanishing_gradients"


def closure(names):
    """All installed distributions that these names need."""
    found, waiting = {}, list(names)
    while waiting:
        distribution = metadata.distribution(waiting.pop())
        key = distribution.metadata["Name"].lower().replace("_", "-")
        if key in found:
            continue
        found[key] = distribution
        for text in distribution.requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def site_packages(python):
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return Path(done.stdout.strip())


def bare_environment(folder):
    """Make an environment whose packages are links into the one that runs the test."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    target = site_packages(python)
    here = site_packages(sys.executable)
    for distribution in closure(BROUGHT).values():
        for file in distribution.files or []:
            top = file.parts[0]
            link = target / top
            if top != ".." and top != "__pycache__" and not link.exists():
                link.symlink_to(here / top)
    return python


def versions(python):
    code = (
        "import json; from importlib.metadata import distributions as d;"
        "print(json.dumps({x.metadata['Name'].lower(): x.version for x in d()}))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return json.loads(done.stdout)


def published_copy(folder):
    """Copy what git would publish of this checkout into a repository with the tag."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, names.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        [*who, "commit", "--quiet", "--message", "Copy"],
        ["tag", f"v{pair.repository()[1]}"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)


@pytest.mark.notebook
@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_one_notebook_runs_where_only_the_framework_is(tmp_path, monkeypatch, capsys):
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient

    python = bare_environment(tmp_path / "bare")
    before = versions(python)
    assert "course-utils" not in before
    assert {"tensorflow", "keras", "numpy", "matplotlib"} <= set(before)

    repository = tmp_path / "repository"
    repository.mkdir()
    published_copy(repository)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copyfile(ROOT / "lessons" / f"{LESSON}.ipynb", alone / "lesson.ipynb")

    spec = tmp_path / "kernels" / "bare"
    spec.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    description = {"argv": command, "display_name": "bare", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(description))
    monkeypatch.setattr(
        KernelSpecManager, "kernel_dirs", [str(tmp_path / "kernels")], raising=False
    )

    address, _ = pair.repository()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "COURSE_DATA"}
    }
    environment |= {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
        "COURSE_PROFILE": "smoke",
        "COURSE_OFFLINE": "1",
        "COURSE_CHECK": "blank",
        "COURSE_CACHE": str(tmp_path / "cache"),
    }
    notebook = nbformat.read(alone / "lesson.ipynb", as_version=4)
    started = time.monotonic()
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="bare",
        resources={"metadata": {"path": str(alone)}},
        record_timing=True,
    )
    client.execute(env=environment)
    install = next(cell for cell in notebook.cells if "pip" in cell.source)
    begun, ended = (
        datetime.fromisoformat(install.metadata.execution[moment])
        for moment in ("iopub.execute_input", "shell.execute_reply")
    )
    with capsys.disabled():
        took, installed = time.monotonic() - started, (ended - begun).total_seconds()
        words = f"{took:.0f} s, {installed:.0f} s of them its install cell"
        print(f"\nlearner's copy of {LESSON}: {words}")

    after = versions(python)
    assert after["course-utils"] == pair.repository()[1]
    kept = {name: after.get(name) for name in before}
    assert kept == before, "the install cell changed what was there"
    assert list(alone.iterdir()) == [alone / "lesson.ipynb"], "the lesson left files"
