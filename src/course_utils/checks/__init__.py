"""The registry of exercises: which module holds the checks of which topic.

A check is found by the part of its name before the dot, and its module is imported
only then. A new lesson adds one line to `TOPICS` and one module beside this one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from course_utils import _validate

if TYPE_CHECKING:
    from course_utils.exercises import Exercise

#: Prefix of the exercises' names -> module with their checks.
TOPICS: dict[str, str] = {
    "start": "start_here",
    "dense": "dense_to_conv",
    "gradients": "vanishing_gradients",
    "residual": "residual_connections",
    "separable": "separable_convolution",
    "batchnorm": "batch_normalization",
    "xception": "mini_xception",
    "resnet": "resnet50",
    "pipeline": "input_pipelines",
    "transfer": "transfer_learning",
    "cifar": "cifar_lab",
    "activations": "intermediate_activations",
    "filters": "feature_visualization",
    "heat": "heat_maps",
}

_loaded: dict[str, dict[str, Exercise]] = {}


def of_topic(prefix: str) -> dict[str, Exercise]:
    """Return the exercises of one topic by name, in the order of their definition.

    Args:
        prefix: the part of the names before the dot, such as "residual".

    Raises:
        ValueError: if there is no such topic.
    """
    _validate.choice("prefix", prefix, list(TOPICS))
    if prefix not in _loaded:
        from course_utils.exercises import Exercise

        module = importlib.import_module(f"{__name__}.{TOPICS[prefix]}")
        found: dict[str, Exercise] = {}
        for value in vars(module).values():
            for entry in value if isinstance(value, (list, tuple)) else (value,):
                if not isinstance(entry, Exercise):
                    continue
                if entry.prefix != prefix:
                    raise ValueError(
                        f"{module.__name__}: expected names that begin with "
                        f"{prefix!r}, got {entry.name!r}."
                    )
                if found.setdefault(entry.name, entry) is not entry:
                    raise ValueError(
                        f"{module.__name__}: two exercises are named {entry.name!r}."
                    )
        _loaded[prefix] = found
    return _loaded[prefix]


def every() -> dict[str, Exercise]:
    """Return all exercises of the course by name."""
    found: dict[str, Exercise] = {}
    for prefix in TOPICS:
        found |= of_topic(prefix)
    return found


def find(name: str) -> Exercise:
    """Return the exercise of that name.

    Args:
        name: "<topic>.<exercise>", such as "start.output_size".

    Raises:
        TypeError: if the name is not a text.
        ValueError: if no exercise has that name; the message names close ones.
    """
    _validate.string("name", name)
    prefix = name.partition(".")[0]
    if prefix in TOPICS and name in of_topic(prefix):
        return of_topic(prefix)[name]
    names = list(of_topic(prefix)) if prefix in TOPICS else list(every())
    return _validate.choice("name", name, names)
