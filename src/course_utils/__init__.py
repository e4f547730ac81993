"""The shared package of Modern ConvNets, an executable course.

Importing it is cheap: no framework is loaded until something that needs one is used.
The names that lessons use most are importable from here; the rest lives in the
submodules that `dir(course_utils)` lists.
"""

from __future__ import annotations

import importlib
from typing import Any

# Where each public name lives. Looked up on first use (PEP 562), so that
# `import course_utils` stays in the milliseconds.
_HOME = {
    "setup": "runtime",
    "report": "runtime",
    "load": "data",
    "fit": "training",
    "restart": "training",
    "check": "exercises",
    "hint": "exercises",
    "show_source": "gradients",
    "convolutional_block": "blocks",
    "grouped_convolution": "blocks",
    "identity_block": "blocks",
    "residual_block": "blocks",
    "separable_block": "blocks",
    "cifar_resnet": "nets",
    "dense_classifier": "nets",
    "fast_resnet": "nets",
    "mini_xception": "nets",
    "plain_convnet": "nets",
    "resnet50": "nets",
    "shallow_convnet": "nets",
    "small_convnet": "nets",
    "strided_resnet": "nets",
    "xception": "nets",
}
_MODULES = (
    "blocks",
    "compare",
    "costs",
    "data",
    "drawings",
    "exercises",
    "experiments",
    "gradients",
    "grading",
    "images",
    "interpret",
    "judge",
    "nets",
    "pipelines",
    "plots",
    "pretrained",
    "recipes",
    "records",
    "runtime",
    "shapes",
    "training",
)

__all__ = ["__version__", *_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module = importlib.import_module(f"{__name__}.{_HOME[name]}")
        value = getattr(module, name)
        globals()[name] = value
        return value
    if name == "__version__":
        from importlib.metadata import version

        return version("course-utils")
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
