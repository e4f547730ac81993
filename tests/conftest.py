"""Shared by all tests: quiet frameworks, the smoke profile, no network."""

import os

import pytest

os.environ.setdefault("COURSE_PROFILE", "smoke")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tests must not depend on what a machine can reach; those about downloads say so.
os.environ.setdefault("COURSE_OFFLINE", "1")


@pytest.fixture(scope="module", autouse=True)
def compiled_functions_are_given_back():
    """JAX keeps every function that it compiled: thousands of tests fill the memory."""
    yield
    if os.environ.get("KERAS_BACKEND") == "jax":
        import jax

        jax.clear_caches()
