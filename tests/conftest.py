"""Shared by all tests: quiet frameworks, the smoke profile, no network."""

import os

os.environ.setdefault("COURSE_PROFILE", "smoke")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tests must not depend on what a machine can reach; those about downloads say so.
os.environ.setdefault("COURSE_OFFLINE", "1")
