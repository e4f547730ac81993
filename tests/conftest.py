"""Shared by all tests: quiet frameworks, the smoke profile, no network."""

import gc
import os
import subprocess
import sys

import pytest

os.environ.setdefault("COURSE_PROFILE", "smoke")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tests must not depend on what a machine can reach; those about downloads say so.
os.environ.setdefault("COURSE_OFFLINE", "1")
# A test runs what it compiles a few times at most: on JAX the compiler's optimizations
# cost three times what they save. As everywhere, a setting of one's own wins.
if os.environ.get("KERAS_BACKEND") == "jax":
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
    )
# Beside other processes, more threads cost a small network more than they bring.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
# The search for dead cycles took an eighth of the time: it is made less often, and
# leaves out what the frameworks' modules hold.
gc.set_threshold(10_000, 10, 10)


def pytest_collection_finish():
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def compiled_functions_are_given_back():
    """JAX keeps every function that it compiled: thousands of tests fill the memory."""
    yield
    if os.environ.get("KERAS_BACKEND") == "jax":
        import jax

        jax.clear_caches()


@pytest.fixture(scope="session", autouse=True)
def graphs_run_as_traced():
    """As in a lesson in smoke: optimizing a graph costs more than its few runs save."""
    if "tensorflow" in sys.modules:
        from course_utils import runtime

        runtime._run_graphs_as_traced("tensorflow")


@pytest.fixture(scope="session")
def needs_real_images():
    """A function that skips a claim on images where drawn shapes stand in for them."""

    def skip_a_stand_in(data):
        if data.source == "stand-in":
            pytest.skip("about images that are not here (set COURSE_DATA)")

    return skip_a_stand_in


@pytest.fixture(scope="session")
def run_in():
    """A function that runs Python in a copy of the course, with the copy's package."""

    def run(folder, *command):
        environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
        environment |= {"COURSE_CHECK": "", "COURSE_PROFILE": "smoke"}
        done = subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    return run
