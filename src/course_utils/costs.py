"""What a network costs: operations, seconds and bytes.

Operations and bytes are counted from the model's own layers, without running it; the
seconds are measured. They tell different stories, which is what lesson 05 is about.
"""

from __future__ import annotations

import html
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from course_utils import _graph, _validate

__all__ = ["Table", "flops", "latency", "memory", "table"]


def flops(model: Any, *, input_shape: Sequence[int] | None = None) -> int:
    """Count the floating-point operations of one forward pass of one image.

    A multiplication and an addition are one operation each, so a multiply-add is two.
    Taught in lesson 05. Counted are, for each number that a layer puts out:

    - convolutions and `Dense`: 2 for each weight that it is multiplied with (padding
      counts as any other pixel), and 1 for the bias. `SeparableConv2D` is its depthwise
      convolution and then its pointwise one;
    - batch normalization: 2, the scale and shift that it comes down to at inference;
      layer and group normalization: 7 for each number that comes in;
    - pooling: 1 for each number under its window; global pooling: 1 for each that
      comes in;
    - activations: 1, whatever the function, also inside another layer;
    - sums and products of several tensors: 1 less than there are tensors;
    - `Rescaling` and `Normalization`: 2;
    - nothing where numbers are only moved (`Flatten`, padding, concatenation) or where
      the layer does something in training only (dropout, augmentation);
    - anything else without weights: 1.

    Args:
        model: a built functional or Sequential `keras.Model`; models inside it are
            opened, and a layer that is called twice counts twice.
        input_shape: the shape of one image, for a model that leaves its sides open.

    Returns:
        The number of operations, an int.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` is not built, is no graph of layers, leaves its sides open
            without an `input_shape`, or has a layer with weights that is not known
            here.

    Example:
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(3)])
        >>> flops(model)  # 3 units × 10 weights × 2, and 3 biases
        63
    """
    return sum(_flops(step) for step in _steps(model, input_shape))


def memory(
    model: Any, batch_size: int = 1, *, input_shape: Sequence[int] | None = None
) -> dict[str, int]:
    """Count the bytes of a model's weights and of its activations.

    The activations are what every layer puts out in one forward pass, all of them
    together: what training has to keep for the backward pass. Inference can free most
    of them on the way. Layers that hand on the numbers they got (`Flatten`, `Reshape`,
    dropout) make none, and gradients and the optimizer's state are not counted.
    Taught in lesson 05.

    Args:
        model: a built functional or Sequential `keras.Model`.
        batch_size: the number of images that go through at once.
        input_shape: the shape of one image, for a model that leaves its sides open.

    Returns:
        `{"weights": bytes, "activations": bytes}`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: `batch_size` below 1, or as in `flops`.

    Example:
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(3)])
        >>> memory(model, batch_size=2)  # 33 weights and 2 × 3 outputs of 4 bytes
        {'weights': 132, 'activations': 24}
    """
    batch_size = _validate.integer("batch_size", batch_size, low=1)
    steps = _steps(model, input_shape)
    weights = sum(
        math.prod(weight.shape) * _bytes_of(weight.dtype) for weight in model.weights
    )
    activations = sum(
        _size(shape) * _bytes_of(dtype)
        for step in steps
        if not _hands_on(step)
        for shape, dtype in zip(step.output_shapes, step.dtypes, strict=True)
    )
    return {"weights": int(weights), "activations": int(activations) * batch_size}


def latency(
    model: Any,
    batch_size: int = 32,
    training: bool = False,
    repeats: int = 10,
    *,
    input_shape: Sequence[int] | None = None,
) -> float:
    """Measure the seconds that one image takes, as the median of several runs.

    It times the compiled forward pass, or with `training` a whole training step
    (forward, backward, an update by plain SGD), on a batch of noise that is in the
    device's memory already; two runs before that are not counted. The model stays as it
    was: its weights and running statistics are put back, and how it was compiled is not
    touched. Taught in lesson 05.

    Args:
        model: a built functional or Sequential `keras.Model`.
        batch_size: the number of images in the batch.
        training: whether to time a training step.
        repeats: the number of timed runs.
        input_shape: the shape of one image, for a model that leaves its sides open.

    Returns:
        Seconds per image: the median over the runs, divided by `batch_size`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: `batch_size` or `repeats` below 1, a model that is not built, is no
            graph of layers or leaves its sides open, or `training` where no weight of
            the model is trainable.

    Example:
        >>> images_per_second = 1 / latency(model, batch_size=32)
    """
    import keras

    batch_size = _validate.integer("batch_size", batch_size, low=1)
    training = _validate.boolean("training", training)
    repeats = _validate.integer("repeats", repeats, low=1)
    _graph.graph_model("model", model)
    shapes = _graph.known_input_shapes(model, input_shape)
    if training and not model.trainable_weights:
        _validate.fail_with_words(
            "model", "a model with trainable weights", f"{model.name!r}, with none"
        )
    rng = np.random.default_rng(0)
    batch = [
        keras.ops.convert_to_tensor(
            rng.uniform(size=(batch_size, *shape)).astype("float32"),
            dtype=tensor.dtype,
        )
        for shape, tensor in zip(shapes, model.inputs, strict=True)
    ]
    # A model of its own on the same layers: compiled here, while the learner's is not
    # touched. A learning rate of zero does the same work and keeps the numbers sane.
    measured = keras.Model(_one(model.inputs), _one(model.outputs), name="measured")
    losses = ["mse"] * len(model.outputs)
    optimizer = keras.optimizers.SGD(0.0) if training else None
    measured.compile(optimizer=optimizer or "sgd", loss=_one(losses))
    run: Callable[[], Any]
    if training:
        targets = [
            keras.ops.zeros(tuple(output.shape))
            for output in _listed(measured.predict_on_batch(_one(batch)))
        ]

        def run() -> Any:
            return measured.train_on_batch(_one(batch), _one(targets))
    else:

        def run() -> Any:
            return measured.predict_on_batch(_one(batch))

    changed = model.variables if training else []
    before = [
        np.array(keras.ops.convert_to_numpy(variable.value), copy=True)
        for variable in changed
    ]
    seconds = []
    try:
        for _ in range(_WARM_UP):
            run()
        for _ in range(repeats):
            started = time.perf_counter()
            run()  # returns numbers, so that a GPU has finished by then
            seconds.append(time.perf_counter() - started)
    finally:
        for variable, value in zip(changed, before, strict=True):
            variable.assign(value)
    return statistics.median(seconds) / batch_size


class Table(list):
    """Rows of `table`: dicts, that a notebook shows as a table."""

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        names = list(self[0]) if self else []
        headers = [_COLUMNS[name][0] for name in names]
        return headers, [
            [_COLUMNS[name][1](row[name]) for name in names] for row in self
        ]

    def __repr__(self) -> str:
        headers, rows = self._cells()
        columns = list(zip(headers, *rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        return "\n".join(
            "  ".join(
                text.ljust(width) if place == 0 else text.rjust(width)
                for place, (text, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in (headers, *rows)
        )

    def _repr_html_(self) -> str:
        headers, rows = self._cells()
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in headers)
        body = "".join(
            f'<tr><th scope="row">{html.escape(row[0])}</th>'
            + "".join(f'<td style="text-align: right">{text}</td>' for text in row[1:])
            + "</tr>"
            for row in rows
        )
        return (
            '<div class="course-costs" style="overflow-x: auto">'
            '<table class="measured"><thead>'
            f"<tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )


def table(
    models: Mapping[str, Any],
    *,
    batch_size: int = 32,
    training: bool = False,
    repeats: int = 10,
    timed: bool = True,
) -> Table:
    """Count and measure several models, one row each.

    Args:
        models: label -> built functional or Sequential `keras.Model`, whose input
            shapes are known.
        batch_size: the number of images of a timed batch; memory is that of one image.
        training: whether the time is that of a training step.
        repeats: the number of timed runs of each model.
        timed: whether to measure the time at all.

    Returns:
        A list of dicts with "name", "parameters", "flops", "weights" and "activations"
        (bytes, one image) and, if `timed`, "latency" (seconds per image). At the end of
        a cell it is shown as a table.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: no model, or as in `flops` and `latency`.

    Example:
        >>> table({"plain": plain, "residual": residual}, timed=False)
    """
    if not isinstance(models, Mapping):
        _validate.fail_type("models", "a dict of label -> keras.Model", models)
    if not models:
        _validate.fail("models", "at least one labeled model", models)
    timed = _validate.boolean("timed", timed)
    _validate.integer("batch_size", batch_size, low=1)
    _validate.boolean("training", training)
    _validate.integer("repeats", repeats, low=1)
    rows = Table()
    for label, model in models.items():
        row = {
            "name": _validate.string("models", label),
            "parameters": int(_graph.graph_model("models", model).count_params()),
            "flops": flops(model),
            **memory(model),
        }
        if timed:
            row["latency"] = latency(
                model, batch_size=batch_size, training=training, repeats=repeats
            )
        rows.append(row)
    return rows


# ------------------------------------------------------------------------ counting

_WARM_UP = 2

# Layers that put out the numbers that they got, at inference. From
# BaseImagePreprocessingLayer derives what augments, in training only.
_HANDS_ON = (
    "InputLayer",
    "Flatten",
    "Reshape",
    "Identity",
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
    "BaseImagePreprocessingLayer",
)
# Layers and operations that copy numbers to other places.
_COPIES = (
    "Permute",
    "Transpose",
    "Concatenate",
    "RepeatVector",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CenterCrop",
    "RandomCrop",
    "GetItem",
    "Pad",
    "Squeeze",
    "ExpandDims",
    "Split",
    "Stack",
    "Cast",
    "BroadcastTo",
)
_ELEMENTWISE = ("Merge", "Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum")


def _flops(step: _graph.Step) -> int:
    """Return the operations of one call, for one image."""
    layer = step.operation
    out = sum(_size(shape) for shape in step.output_shapes)
    into = sum(_size(shape) for shape in step.input_shapes)
    bias = out if getattr(layer, "use_bias", False) else 0
    activation = _activation(layer, out)
    if step.is_a("SeparableConv1D", "SeparableConv2D"):
        places = out // layer.filters
        weights = _weights(layer.depthwise_kernel) + _weights(layer.pointwise_kernel)
        return 2 * places * weights + bias + activation
    if step.is_a("DepthwiseConv1D", "DepthwiseConv2D"):
        return 2 * out * math.prod(layer.kernel_size) + bias + activation
    if step.is_a("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"):
        *sides, filters, _ = layer.kernel.shape
        return 2 * into * math.prod(sides) * filters + bias + activation
    if step.is_a("Conv1D", "Conv2D", "Conv3D"):
        # A kernel holds the channels of one group only.
        return 2 * out * math.prod(layer.kernel.shape[:-1]) + bias + activation
    if step.is_a("Dense"):
        return 2 * out * int(layer.kernel.shape[0]) + bias + activation
    if step.is_a("Matmul"):
        return 2 * out * int(step.input_shapes[0][-1])
    if step.is_a("BatchNormalization", "Rescaling", "Normalization"):
        return 2 * out
    if step.is_a("LayerNormalization", "GroupNormalization"):
        return 7 * into
    if step.is_a("BaseGlobalPooling", "Mean", "Sum", "Max"):
        return into
    if step.is_a("BasePooling"):
        return out * math.prod(layer.pool_size)
    if _hands_on(step) or step.is_a(*_COPIES):
        return 0
    if step.is_a(*_ELEMENTWISE):
        return out * max(1, len(step.inputs) - 1)
    if step.is_a("Activation"):
        return activation
    if getattr(layer, "weights", None) and not step.is_a("PReLU"):
        _refuse(step, "a layer with weights")
    if step.is_a(
        "Conv", "DepthwiseConv", "SeparableConv", "Einsum", "Tensordot", "Dot"
    ):
        _refuse(step, "an operation with weights")
    return out


def _hands_on(step: _graph.Step) -> bool:
    """Tell whether a layer puts out the very numbers that it got."""
    return step.is_a(*_HANDS_ON) and not step.is_a("Resizing", *_COPIES)


def _refuse(step: _graph.Step, what: str) -> None:
    _validate.fail_with_words(
        "model",
        "layers whose operations are known here (convolutions, Dense, normalization, "
        "pooling, activations, sums)",
        f"{step.name!r}, {what} of the class {step.kind}",
    )


def _activation(layer: Any, out: int) -> int:
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", "")
    return 0 if function is None or name == "linear" else out


def _steps(model: Any, input_shape: Sequence[int] | None) -> list[_graph.Step]:
    _graph.graph_model("model", model)
    shapes = _graph.known_input_shapes(model, input_shape)
    return _graph.follow(model, shapes).steps


def _size(shape: _graph.Shape) -> int:
    """Return how many numbers a tensor holds for one image."""
    return math.prod(shape[1:])


def _weights(weight: Any) -> int:
    return math.prod(weight.shape)


def _bytes_of(dtype: Any) -> int:
    name = str(dtype)
    if name == "bfloat16":
        return 2
    if name.startswith("float8"):
        return 1
    return np.dtype(name).itemsize


def _one(values: Sequence[Any]) -> Any:
    """Return the one value, or the list of several."""
    return values[0] if len(values) == 1 else list(values)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _in_units(value: float, units: Sequence[str]) -> str:
    """Return a number with three digits and the unit that fits, 1,000 apart."""
    power = 0
    while value >= 999.5 and power < len(units) - 1:
        value /= 1000
        power += 1
    digits = 0 if value >= 99.95 or power == 0 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {units[power]}".rstrip()


def _bytes(value: float) -> str:
    return _in_units(value, ("B", "kB", "MB", "GB"))


# Name of a column: its heading, and how a value is written.
_COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "name": ("Net", str),
    "parameters": ("Parameters", "{:,}".format),
    "flops": ("FLOPs", lambda value: _in_units(value, ("", "k", "M", "G", "T"))),
    "weights": ("Weights", _bytes),
    "activations": ("Activations", _bytes),
    "latency": ("Time per image", lambda value: f"{value * 1000:.3g} ms"),
}
