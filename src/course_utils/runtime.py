"""What a lesson runs on: profile, backend, device and seed, and a bug report."""

from __future__ import annotations

import logging
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from course_utils import _validate

__all__ = [
    "Session",
    "accelerated",
    "hardware",
    "processor",
    "quiet_frameworks",
    "report",
    "setup",
    "versions",
]

PROFILES = ("smoke", "quick", "full")
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}

Value = TypeVar("Value")


@dataclass(frozen=True)
class Session:
    """What `setup` found and chose.

    Attributes:
        profile: "smoke" (every line runs), "quick" (a laptop) or "full" (a GPU).
        backend: "tensorflow", "jax" or "torch".
        device: words for the hardware, such as "CPU (2 cores)".
        seed: the seed that was set.
        versions: version of each package that matters, by package name.
        data: words for where data will come from.
    """

    profile: str
    backend: str
    device: str
    seed: int
    versions: dict[str, str]
    data: str

    def pick(self, *, smoke: Value, quick: Value, full: Value) -> Value:
        """Return the argument of the current profile.

        Example:
            `epochs = course.pick(smoke=1, quick=5, full=20)`
        """
        return {"smoke": smoke, "quick": quick, "full": full}[self.profile]

    def __str__(self) -> str:
        backend = f"{BACKENDS[self.backend]} {self.versions[self.backend]}"
        return (
            f"{backend} · Keras {self.versions['keras']} · {self.device} · "
            f"{self.profile} profile · data: {self.data} · seed {self.seed}"
        )


def setup(seed: int = 0, *, profile: str | None = None) -> Session:
    """Seed everything, choose the profile and print one line that says what runs.

    Call it before `import keras`: it quiets the framework's start-up messages, lets a
    GPU grow its memory as needed, and makes runs repeatable. Taught in lesson 00.

    Args:
        seed: seeds Python, NumPy and the backend; an integer from 0 to 2**32 - 1.
        profile: "smoke", "quick" or "full". By default the environment variable
            COURSE_PROFILE decides, else "full" with a GPU and "quick" without.

    Returns:
        A `Session`; `session.pick(smoke=…, quick=…, full=…)` gives the size of an
        experiment.

    Raises:
        ValueError: for an unknown profile or a seed out of range.
        RuntimeError: where Keras or its backend cannot be imported.

    Example:
        `course = setup(seed=0)`
    """
    seed = _validate.integer("seed", seed, 0, 2**32 - 1)
    if profile is not None:
        profile = _validate.choice("profile", profile, PROFILES)
    elif os.environ.get("COURSE_PROFILE"):
        profile = _validate.choice(
            "COURSE_PROFILE", os.environ["COURSE_PROFILE"].strip().lower(), PROFILES
        )
    quiet_frameworks()
    keras = _import_keras()
    with _quiet_stderr():  # Keras also seeds TensorFlow, where it is installed
        keras.utils.set_random_seed(seed)
    backend = keras.backend.backend()
    device, accelerated = _device(backend)
    session = Session(
        profile=profile or ("full" if accelerated else "quick"),
        backend=backend,
        device=device,
        seed=seed,
        versions=_versions((backend, "keras", "numpy")),
        data=_data_source(),
    )
    if session.profile == "smoke":
        _run_graphs_as_traced(backend)
    print(session)
    return session


def report() -> None:
    """Print what a bug report needs: versions, hardware and settings.

    Nothing in it names a file or a user of this computer. Taught in lesson 00.

    Example:
        `report()`
    """
    quiet_frameworks()
    lines = ["Modern ConvNets: bug report", ""]
    wanted = ("course-utils", "keras", *BACKENDS, "numpy", "matplotlib", "pillow")
    versions = _versions(wanted)
    rows = {
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
        **{name: versions.get(name, "not installed") for name in wanted},
    }
    try:
        keras = _import_keras()
        backend = keras.backend.backend()
        rows["Backend"] = backend
        rows["Device"] = _device(backend)[0]
    except Exception as error:  # a bug report must come out whatever is broken
        rows["Backend"] = f"cannot be loaded: {type(error).__name__}: {error}"
    rows["Memory"] = _memory()
    rows["Data"] = _data_source()
    for name in ("COURSE_PROFILE", "COURSE_OFFLINE", "COURSE_CHECK", "KERAS_BACKEND"):
        rows[name] = os.environ.get(name, "not set")
    width = max(map(len, rows))
    lines += [f"{name:<{width}}  {value}" for name, value in rows.items()]
    print("\n".join(lines))


def hardware() -> str:
    """Return words for what the backend computes on, for a record or a report.

    Returns:
        The device, and the processor's name where it is the processor.

    Raises:
        RuntimeError: where Keras or its backend cannot be imported.

    Example:
        >>> hardware()
        'GPU (NVIDIA H100)'
    """
    words, has_gpu = _device(_import_keras().backend.backend())
    return words if has_gpu else f"{words}, {processor()}"


def accelerated() -> bool:
    """Return whether the backend computes on a GPU or the like.

    Raises:
        RuntimeError: where Keras or its backend cannot be imported.
    """
    return _device(_import_keras().backend.backend())[1]


def processor() -> str:
    """Return the processor's name, or its kind where the system tells no name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        line = next(line for line in lines if line.startswith("model name"))
        return line.split(":", 1)[1].strip()
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions that decide what a run computes, by name.

    Returns:
        The versions of Python, the backend, Keras and NumPy.

    Raises:
        RuntimeError: where Keras or its backend cannot be imported.
    """
    backend = _import_keras().backend.backend()
    return {
        "python": platform.python_version(),
        **_versions((backend, "keras", "numpy")),
    }


def quiet_frameworks() -> None:
    """Ask the frameworks for less noise and no greed for memory, before their import.

    What the user has set in the environment stays.
    """
    # Each of these only counts before the framework is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what compiled code writes to standard error; show it on failure.

    TensorFlow's libraries announce themselves there before any log level counts.
    """
    try:
        saved = os.dup(2)
    except OSError:  # no standard error to hold back
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _import_keras():
    wanted = os.environ.get("KERAS_BACKEND", "")
    if wanted and wanted not in BACKENDS:
        raise _no_backend(f"KERAS_BACKEND is {wanted!r}", None)
    try:
        with warnings.catch_warnings(), _quiet_stderr():
            warnings.simplefilter("ignore", FutureWarning)
            import keras

            keras.ops.zeros(1)  # the first operation starts the backend
        # TensorFlow warns where several small models are trained in turn.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    except ImportError as error:
        raise _no_backend(f"Keras cannot be imported ({error})", error) from error
    return keras


def _no_backend(what: str, error: ImportError | None) -> RuntimeError:
    names = ", ".join(BACKENDS)
    return RuntimeError(
        f"{what}. Set KERAS_BACKEND to one of {names} before Python starts, and "
        "install that package: for example `pip install tensorflow`."
    )


def _run_graphs_as_traced(backend: str) -> None:
    """Keep TensorFlow from optimizing graphs that will run only once or twice."""
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def _device(backend: str) -> tuple[str, bool]:
    """Return words for the device that the backend will use, and if it is a GPU."""
    cores = _cores()
    cpu = f"CPU ({cores} core{'s' if cores != 1 else ''})"
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            return cpu, False
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"GPU ({details.get('device_name', 'unnamed')})", True
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform == "cpu":
            return cpu, False
        return f"{device.platform.upper()} ({device.device_kind})", True
    import torch

    if torch.cuda.is_available():
        return f"GPU ({torch.cuda.get_device_name(0)})", True
    if torch.backends.mps.is_available():
        return "GPU (Apple)", True
    return cpu, False


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1


def _memory() -> str:
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return "unknown"
    return f"{size / 2**30:.1f} GiB"


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in names:
        # TensorFlow and PyTorch are also published under names such as tensorflow-cpu.
        for candidate in (name, f"{name}-cpu", f"{name}-intel", f"tf-{name}"):
            try:
                found[name] = metadata.version(candidate)
                break
            except metadata.PackageNotFoundError:
                continue
        else:
            module = sys.modules.get(name)
            if module is not None and hasattr(module, "__version__"):
                found[name] = str(module.__version__)
    return found


def _data_source() -> str:
    """Words for where `course_utils.load` will look, without naming a folder."""
    if os.environ.get("COURSE_DATA"):
        return "local mirror"
    if os.environ.get("COURSE_OFFLINE") == "1":
        return "cache or rendered stand-in"
    return "cache or download"
