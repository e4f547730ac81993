"""The conditions that a lesson runs under, and the cache that belongs to them.

A lesson is executed once for the same code under the same conditions: the sources of
`course_utils`, the lock file, Python and the packages that compute, the profile, the
backend, the device and the data. Each set of conditions has a folder of its own below
`_build/.jupyter_cache`; inside it, jupyter-cache keeps one executed notebook for each
version of a lesson's code. Changed prose changes nothing here.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
COMPUTE_PACKAGES = ("keras", "numpy", "matplotlib", "pillow")
CACHES_KEPT = 6
DATA_HOST = "storage.googleapis.com"  # where Keras' own data sets come from


@dataclass(frozen=True)
class Conditions:
    """What decides, beside a lesson's own code, what its cells print.

    Attributes:
        profile: "smoke", "quick" or "full".
        backend: "tensorflow", "jax" or "torch".
        device: words for the hardware, such as "CPU (2 cores)".
        data: words for where data comes from, such as "local mirror".
        data_identity: a digest of the mirror's files; "" without a mirror.
        python: Python's version.
        packages: versions of the packages that compute, by name.
        source: a digest of the files of `course_utils` and of the recorded runs.
        lock: a digest of the lock file.
    """

    profile: str
    backend: str
    device: str
    data: str
    data_identity: str
    python: str
    packages: dict[str, str]
    source: str
    lock: str

    @property
    def key(self) -> str:
        """Return the name of the cache folder: readable, then a digest."""
        text = json.dumps(asdict(self), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return f"{self.profile}-{self.backend}-{digest}"

    @property
    def words(self) -> str:
        """Return one line for a person."""
        backend = BACKENDS[self.backend]
        version = self.packages.get(self.backend, "")
        return (
            f"{self.profile} profile, {backend} {version}, {self.device}, "
            f"data: {self.data}"
        )


def current(root: Path = ROOT) -> Conditions:
    """Return the conditions of this computer, environment and checkout.

    Args:
        root: the folder of the course.

    Returns:
        The `Conditions`; nothing is executed and no framework is loaded, unless a GPU
        is in sight.
    """
    backend, device, profile = _runtime()
    names = (*COMPUTE_PACKAGES, backend)
    return Conditions(
        profile=profile,
        backend=backend,
        device=device,
        data=_data_words(),
        data_identity=_data_identity(),
        python=platform.python_version(),
        packages={name: version for name in names if (version := _version(name))},
        source=_digest(root / "src" / "course_utils", *_recorded(root)),
        lock=_digest(root / "requirements.lock"),
    )


def cache_folder(conditions: Conditions, root: Path = ROOT) -> Path:
    """Return the folder of jupyter-cache for these conditions."""
    return root / "_build" / ".jupyter_cache" / conditions.key


def open_cache_folder(conditions: Conditions, root: Path = ROOT) -> Path:
    """Make the cache folder, write down its conditions, and drop the oldest others.

    Args:
        conditions: what the lessons run under.
        root: the folder of the course.

    Returns:
        The folder, which exists.
    """
    folder = cache_folder(conditions, root)
    folder.mkdir(parents=True, exist_ok=True)
    # Written each time: its age tells which caches were used last.
    (folder / "conditions.json").write_text(
        json.dumps(asdict(conditions), indent=2) + "\n", encoding="utf-8"
    )
    marks = sorted(
        folder.parent.glob("*/conditions.json"),
        key=lambda mark: mark.stat().st_mtime,
        reverse=True,
    )
    for mark in marks[CACHES_KEPT:]:
        shutil.rmtree(mark.parent, ignore_errors=True)
    return folder


def read_lesson(path: Path, root: Path = ROOT) -> Any:
    """Read a lesson exactly as the book builder does.

    Args:
        path: the lesson's Markdown file.
        root: the folder of the course.

    Returns:
        The notebook, with a `source_map` of line numbers in its metadata.
    """
    from myst_nb.core.read import read_myst_markdown_notebook
    from myst_parser.config.main import MdParserConfig

    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    extensions = settings["parse"]["myst_enable_extensions"]
    return read_myst_markdown_notebook(
        path.read_text(encoding="utf-8"),
        config=MdParserConfig(enable_extensions=set(extensions)),
        add_source_map=True,
        path=str(path),
    )


def lesson_key(path: Path, folder: Path, root: Path = ROOT) -> str:
    """Return the digest under which jupyter-cache keeps a lesson's code."""
    from jupyter_cache import get_cache

    return get_cache(str(folder)).create_hashed_notebook(read_lesson(path, root))[1]


def record_path(folder: Path, lesson: str) -> Path:
    """Return where the record of a lesson's last execution lies."""
    return folder / "runs" / f"{lesson}.json"


def read_record(folder: Path, path: Path, root: Path = ROOT) -> dict[str, Any]:
    """Return the record of a lesson's execution; {} where its code has changed since.

    Args:
        folder: the cache folder.
        path: the lesson's Markdown file.
        root: the folder of the course.
    """
    record = record_path(folder, path.stem)
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if content.get("key") == lesson_key(path, folder, root) else {}


def lessons(root: Path = ROOT) -> list[Path]:
    """Return the lessons of the table of contents, in its order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    entries = [entry for part in toc["parts"] for entry in part["chapters"]]
    return [
        root / f"{entry['file']}.md"
        for entry in entries
        if entry["file"].startswith("lessons/")
    ]


def can_be_had(name: str) -> bool:
    """Tell whether a data set can be loaded without a stand-in by now.

    The mirrors are part of the conditions already; what is left is a file in the cache
    or a network.
    """
    from course_utils import data

    if any(
        (data.cache_folder() / f"{name}{end}").is_file() for end in (".npz", ".zip")
    ):
        return True
    offline = os.environ.get("COURSE_OFFLINE", "").strip().lower() not in ("", "0")
    return not offline and data._reachable(DATA_HOST)


def project(root: Path = ROOT) -> tuple[str, str]:
    """Return the repository's address and the version, from pyproject.toml."""
    with open(root / "pyproject.toml", "rb") as file:
        settings = tomllib.load(file)["project"]
    return settings["urls"]["Repository"].rstrip("/"), settings["version"]


def commit(root: Path = ROOT) -> str:
    """Return the short commit of the checkout, with a word on changes; "" if none."""
    try:
        name = _git(root, "rev-parse", "--short=10", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{name} with local changes" if changed else name


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ("git", "-C", str(root), *arguments),
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    )
    return done.stdout.strip()


@lru_cache(maxsize=1)
def _runtime() -> tuple[str, str, str]:
    """Return backend, device and profile, as `course_utils.setup` will find them."""
    backend = os.environ.get("KERAS_BACKEND", "") or _configured_backend()
    if backend not in BACKENDS:
        raise SystemExit(
            f"KERAS_BACKEND: expected one of {', '.join(BACKENDS)}, got {backend!r}."
        )
    profile = os.environ.get("COURSE_PROFILE", "").strip().lower()
    if _accelerator_in_sight(backend):
        # Only the framework itself knows whether it can use it.
        return _ask_course_utils()
    from course_utils import runtime

    cores = runtime._cores()
    device = f"CPU ({cores} core{'s' if cores != 1 else ''})"
    return backend, device, profile or "quick"


def _configured_backend() -> str:
    """Return the backend of Keras' own settings file, as Keras reads it."""
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        settings = json.loads((folder / "keras.json").read_text(encoding="utf-8"))
        return str(settings.get("backend", "tensorflow"))
    except (OSError, ValueError):
        return "tensorflow"


def _accelerator_in_sight(backend: str) -> bool:
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if sys.platform == "darwin":
        return backend != "tensorflow"
    devices = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/accel0", "/dev/dxg")
    return any(Path(device).exists() for device in devices)


def _ask_course_utils() -> tuple[str, str, str]:
    script = (
        "import json, course_utils\n"
        "session = course_utils.setup()\n"
        "print(json.dumps([session.backend, session.device, session.profile]))\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise SystemExit(f"course_utils.setup() failed:\n{done.stderr}")
    backend, device, profile = json.loads(done.stdout.splitlines()[-1])
    return backend, device, profile


def _data_words() -> str:
    from course_utils import runtime

    return runtime._data_source()


def _data_identity() -> str:
    """Return a digest of the mirrors' files: name, size and time of each."""
    facts = []
    for mirror in filter(None, os.environ.get("COURSE_DATA", "").split(os.pathsep)):
        for path in sorted([*Path(mirror).glob("*"), *Path(mirror).glob("*/*")]):
            if path.is_file():
                status = path.stat()
                facts.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16] if facts else ""


def _version(name: str) -> str:
    for candidate in (name, f"{name}-cpu", f"{name}-intel"):
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _recorded(root: Path) -> list[Path]:
    """Return the folders of recorded runs, which lessons show."""
    folders = (root / "results").glob("[!.]*/")
    return sorted(folder for folder in folders if folder.is_dir())


def _digest(*paths: Path) -> str:
    """Return a digest of files, and of every source file below folders."""
    digest = hashlib.sha256()
    for path in paths:
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if not file.is_file() or "__pycache__" in file.parts:
                continue
            digest.update(file.relative_to(path.parent).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
