"""What each net of the course costs, and how fast it is beside the library's.

    python -m benchmarks.nets FILE    the costs of every net, as a table in JSON

The book calls this while it is built, so that its table is of the machine that builds
it; `python -m benchmarks nets` compares with the library and takes longer.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Name on the page, and how to make the net at the size that its lesson uses.
NETS: dict[str, tuple[str, dict[str, Any]]] = {
    "Dense classifier, 28 px": ("dense_classifier", {}),
    "Small convnet, 28 px": ("small_convnet", {}),
    "Shallow convnet, 32 px": ("shallow_convnet", {}),
    "ResNet18 as found, 32 px": ("strided_resnet", {"strides": (1, *[2] * 6)}),
    "ResNet18 repaired, 32 px": ("strided_resnet", {}),
    "Fast ResNet, 32 px": ("fast_resnet", {}),
    "Enlarged Xception, 32 px": ("enlarged_xception", {}),
    "ResNet-20, 32 px": ("cifar_resnet", {"depth": 20}),
    "ResNet-32, 32 px": ("cifar_resnet", {"depth": 32}),
    "ResNet-56, 32 px": ("cifar_resnet", {"depth": 56}),
    "ResNet-110, 32 px": ("cifar_resnet", {"depth": 110}),
    "Plain convnet, 180 px": ("plain_convnet", {}),
    "Mini-Xception, 180 px": ("mini_xception", {}),
    "EfficientNet-Lite0, 224 px": ("efficientnet_lite0", {}),
    "ResNet-50, 224 px": ("resnet50", {}),
    "Xception, 299 px": ("xception", {}),
}
# Ours, the library's, and the side of the images that both are timed on.
PAIRS = {
    "ResNet-50": ("resnet50", "ResNet50", 224),
    "Xception": ("xception", "Xception", 299),
}


def make(name: str, settings: dict[str, Any]) -> Any:
    """Return one of the course's nets."""
    from course_utils import nets, pretrained

    home = pretrained if hasattr(pretrained, name) else nets
    return getattr(home, name)(**settings)


def cost_table(batch_size: int, repeats: int) -> dict[str, Any]:
    """Count and time one forward pass of each net, one net after the other.

    Args:
        batch_size: images of a timed batch.
        repeats: timed runs of each net.

    Returns:
        A table: title, columns, and rows of a name and numbers.
    """
    import keras

    from course_utils import costs

    rows = []
    for label, (name, settings) in NETS.items():
        model = make(name, settings)
        (row,) = costs.table({label: model}, batch_size=batch_size, repeats=repeats)
        rows.append(
            [
                label,
                row["parameters"],
                _rounded(row["flops"] / 1e6),
                _rounded(row["latency"] * 1000),
                _rounded(row["weights"] / 1e6),
                _rounded(row["activations"] / 1e6),
            ]
        )
        del model
        keras.backend.clear_session(free_memory=True)
    columns = ["Net", "Parameters", "FLOPs (M)", "Time (ms)"]
    columns += ["Weights (MB)", "Activations (MB)"]
    title = f"One image forward; its time is its part of a batch of {batch_size}"
    return {"title": title, "columns": columns, "rows": rows}


def _rounded(value: float) -> float:
    """Return about three digits; whole numbers from 100 on."""
    if value >= 100:
        return round(value)
    return round(value, 1 if value >= 10 else 2 if value >= 0.1 else 4)


def against_the_library(batch_size: int = 8, repeats: int = 3) -> list[dict[str, Any]]:
    """Time our nets and the library's in one run, each twice: ours, its, its, ours.

    Args:
        batch_size: images of a timed batch.
        repeats: timed steps of each measurement.

    Returns:
        One table, with the throughputs and their ratios.
    """
    rows: list[list[Any]] = []
    for label, (ours, its, side) in PAIRS.items():
        shape = (side, side, 3)
        for words, training in (("forward", False), ("training step", True)):
            print(f"  {label}, {words} …", flush=True)
            rates = _rates(
                lambda ours=ours, shape=shape: make(ours, {"input_shape": shape}),
                lambda its=its, shape=shape: _application(its, shape),
                batch_size=batch_size,
                repeats=repeats,
                training=training,
            )
            mine, other = rates
            rows.append(
                [
                    f"{label}, {words}",
                    f"{mine:.3g} images/s",
                    f"{other:.3g} images/s",
                    f"{mine / other:.2f}",
                ]
            )
    columns = ["Net", "Ours", "Keras Applications", "Ours / theirs"]
    title = f"Nets against the library's, batches of {batch_size}"
    return [{"title": title, "columns": columns, "rows": rows}]


def _application(name: str, shape: tuple[int, int, int]) -> Any:
    import keras

    return getattr(keras.applications, name)(weights=None, input_shape=shape)


def _rates(
    ours: Callable[[], Any],
    its: Callable[[], Any],
    *,
    batch_size: int,
    repeats: int,
    training: bool,
) -> tuple[float, float]:
    """Return images a second of two nets; slow drifts of the machine cancel out."""
    from course_utils import costs

    models = (ours(), its())
    seconds = [0.0, 0.0]
    for which in (0, 1, 1, 0):
        seconds[which] += costs.latency(
            models[which], batch_size=batch_size, training=training, repeats=repeats
        )
    return 2 / seconds[0], 2 / seconds[1]


def main(arguments: list[str]) -> int:
    """Write the table of costs to the file that is named."""
    from benchmarks.__main__ import provenance

    (target,) = arguments
    from course_utils import setup

    with contextlib.redirect_stdout(io.StringIO()):
        course = setup()
    batch_size = course.pick(smoke=1, quick=4, full=32)
    table = cost_table(batch_size, repeats=course.pick(smoke=1, quick=5, full=10))
    facts = provenance([])
    facts["command"] = "python -m benchmarks.nets FILE"
    facts["device"] = course.device
    facts["profile"] = course.profile
    del facts["data"]  # the images are noise
    content = {"provenance": facts, "tables": [table]}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    Path(target).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
