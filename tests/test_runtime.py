"""`setup` seeds, chooses the profile and prints one line; `report` never fails."""

import subprocess
import sys

import numpy as np
import pytest

import course_utils
from course_utils import report, setup
from course_utils.runtime import BACKENDS


def test_importing_the_package_loads_no_framework():
    heavy = ["tensorflow", "jax", "torch", "keras", "matplotlib", "PIL", "IPython"]
    code = (
        "import sys, course_utils, course_utils.data, course_utils.exercises\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    for name in course_utils.__all__:
        assert getattr(course_utils, name) is not None
    assert "setup" in dir(course_utils)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        course_utils.nothing  # noqa: B018  (the access is the test)


def test_setup_prints_one_line_with_all_that_matters(capsys, monkeypatch):
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    session = setup(seed=3, profile="smoke")
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    backend = BACKENDS[session.backend]
    for words in (backend, "Keras", "smoke profile", "seed 3", "data:"):
        assert words in line


def test_setup_makes_runs_repeatable(capsys):
    import keras

    def draw():
        setup(seed=7)
        initial = keras.initializers.HeNormal()((4, 4))
        return keras.ops.convert_to_numpy(initial), np.random.random(3)

    first, second = draw(), draw()
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_the_environment_chooses_the_profile(profile, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROFILE", profile)
    session = setup()
    assert session.profile == profile
    assert session.pick(smoke="smoke", quick="quick", full="full") == profile


def test_without_a_setting_the_hardware_chooses(monkeypatch, capsys):
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    session = setup()
    assert session.profile == ("quick" if session.device.startswith("CPU") else "full")


def test_bad_arguments_are_named(monkeypatch):
    with pytest.raises(ValueError, match="`profile`.*did you mean 'smoke'"):
        setup(profile="smok")
    with pytest.raises(TypeError, match="`seed`"):
        setup(seed="0")
    with pytest.raises(ValueError, match="`seed`"):
        setup(seed=-1)
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    with pytest.raises(ValueError, match="`COURSE_PROFILE`"):
        setup()


def test_an_unknown_backend_is_an_error_that_names_the_choices(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(RuntimeError, match="tensorflow, jax, torch"):
        setup()


def test_the_report_holds_versions_and_settings_but_no_path(capsys, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "/some/private/folder")
    report()
    text = capsys.readouterr().out
    for words in ("Python", "keras", "Backend", "Device", "local mirror"):
        assert words in text
    assert "private" not in text


def test_the_report_comes_out_even_where_the_backend_is_broken(capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    report()
    assert "cannot be loaded" in capsys.readouterr().out
