"""Gradients on every backend: one function, one implementation a backend.

Keras 3 runs on TensorFlow, JAX and PyTorch, but `keras.ops` has no gradient: each
backend differentiates in its own way. `value_and_gradient` is the one place where the
course meets that difference; everything else here is built on it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course_utils import _validate

__all__ = [
    "differentiate",
    "gradient_function",
    "output_gradients",
    "show_source",
    "value_and_gradient",
    "weight_gradient_function",
    "weight_gradients",
]


def value_and_gradient(
    function: Callable[..., Any], x: Any, *, compile: bool = True
) -> tuple[float, Any]:
    """Return a scalar function's value at `x`, and its gradient there.

    Taught in lesson 02.

    Args:
        function: takes a tensor of the backend and returns a scalar tensor; write it
            with `keras.ops`, layers and models, so that it runs on any backend.
        x: an array of any shape, or a list of arrays. `function` gets the same.
        compile: trace the function first where the backend can (TensorFlow, JAX).
            Tracing costs more than it saves for a function that runs once and briefly.

    Returns:
        The value as a float, and the gradient as a float32 NumPy array of the shape of
        `x` (a list of arrays where `x` is a list). Where the value does not depend on
        `x`, the gradient is zero.

    Raises:
        TypeError: if `function` cannot be called, or `x` is not numeric.
        ValueError: if `function` does not take one argument, `x` is empty or has a
            NaN, or the value is not a scalar.

    Example:
        `value, gradient = value_and_gradient(lambda x: ops.sum(x**2), np.ones(3))`
    """
    return gradient_function(function, compile=compile)(x)


def gradient_function(
    function: Callable[..., Any], *, compile: bool = True
) -> Callable[[Any], tuple[float, Any]]:
    """Return a function that gives `function`'s value and gradient at any `x`.

    Taught in lesson 12.

    What `value_and_gradient` does once, ready to be called many times: the function is
    traced on the first call, and again only for another shape of `x`.

    Args:
        function: as in `value_and_gradient`.
        compile: as in `value_and_gradient`.

    Raises:
        TypeError, ValueError: as `value_and_gradient`, here or when called.

    Example:
        `slope = gradient_function(ops.sum)`, then `value, gradient = slope(x)`
    """
    _validate.function("function", function, takes=1)
    _validate.boolean("compile", compile)
    from_list = differentiate(lambda parts: function(parts), compile)
    from_array = differentiate(lambda parts: function(parts[0]), compile)

    def at(x: Any) -> tuple[float, Any]:
        arrays, is_list = _as_arrays("x", x)
        if is_list:
            return from_list(arrays)
        value, gradients = from_array(arrays)
        return value, gradients[0]

    return at


def differentiate(
    function: Callable[..., Any], compile: bool
) -> Callable[..., tuple[float, list[np.ndarray]]]:
    """Return a function that differentiates `function` on the backend in use.

    The course's one implementation for each backend.

    Args:
        function: takes a list of tensors, and constants; returns a scalar tensor.
        compile: whether to trace it first, on TensorFlow and JAX.

    Returns:
        A function of a list of arrays, and constants: it returns the value and the
        list of its gradients in the arrays.

    Raises:
        TypeError: if `function` cannot be called, `compile` is not True or False, or,
            when called, for anything but a list of arrays.
        ValueError: when called, if the value is not a scalar.
    """
    import keras

    _validate.function("function", function)
    _validate.boolean("compile", compile)

    def scalar(tensors, *constants):
        return _scalar(function(tensors, *constants))

    to_tensor = keras.ops.convert_to_tensor
    backend = keras.backend.backend()

    if backend == "tensorflow":
        import tensorflow as tf

        def with_tape(tensors, *constants):
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                value = scalar(tensors, *constants)
            zero = tf.UnconnectedGradients.ZERO
            return value, tape.gradient(value, tensors, unconnected_gradients=zero)

        traced = tf.function(with_tape)

        def compiled(tensors, *constants):
            if not compile:
                return with_tape(tensors, *constants)
            # Straight to the concrete function of these shapes: TensorFlow would warn
            # that many small functions, each traced once, are traced too often.
            concrete = traced.get_concrete_function(tensors, *constants)
            return concrete(tensors, *constants)

    elif backend == "jax":
        import jax

        compiled = jax.value_and_grad(scalar)
        if compile:
            compiled = jax.jit(compiled)

    else:
        import torch

        def compiled(tensors, *constants):
            tensors = [tensor.requires_grad_(True) for tensor in tensors]
            with torch.enable_grad():
                value = scalar(tensors, *constants)
            if not value.requires_grad:  # it does not depend on any of the tensors
                return value, [torch.zeros_like(tensor) for tensor in tensors]
            return value.detach(), torch.autograd.grad(
                value, tensors, allow_unused=True, materialize_grads=True
            )

    def run(arrays, *constants):
        if not isinstance(arrays, (list, tuple)):  # an array would fall into its rows
            _validate.fail_type("arrays", "a list of arrays", arrays)
        value, gradients = compiled(
            [to_tensor(array) for array in arrays], *map(to_tensor, constants)
        )
        return float(value), [keras.ops.convert_to_numpy(g) for g in gradients]

    return run


def weight_gradients(
    model: Any, x: Any, y: Any, loss: Any, *, training: bool = False
) -> tuple[float, dict[str, np.ndarray]]:
    """Return a model's loss on a batch, and its gradient in each trainable weight.

    Taught in lesson 03.

    The model stays as it was: no weight and no running statistic moves.

    Args:
        model: a built Keras model.
        x: inputs, shape (batch, …).
        y: targets, in the form that the loss expects, first axis of the same length.
        loss: the name of a Keras loss, a `keras.losses.Loss`, or a function
            `loss(y, predictions)`; the mean of what it returns is differentiated.
        training: whether layers run in training mode (dropout, batch statistics).

    Returns:
        The loss, and a dict from the path of each trainable weight to its gradient,
        in the order of `model.trainable_variables`.

    Raises:
        TypeError: for anything but a Keras model, a loss, and numeric arrays.
        ValueError: for empty arrays, NaN, unequal lengths, a model with no trainable
            weight, or a loss that does not take two arguments.

    Example:
        `loss, gradients = weight_gradients(model, x, y, "mse")`
    """
    import keras

    # On TensorFlow one call costs less than tracing it would.
    compile = keras.backend.backend() != "tensorflow"
    return _weight_gradient_function(model, loss, training, compile)(x, y)


def weight_gradient_function(
    model: Any, loss: Any, *, training: bool = False
) -> Callable[[Any, Any], tuple[float, dict[str, np.ndarray]]]:
    """Return a function of a batch that does what `weight_gradients` does.

    It is traced on the first call, and uses the weights that the model has at each
    call: made for following gradients while a model trains.

    Args:
        model: a built Keras model.
        loss: as in `weight_gradients`.
        training: as in `weight_gradients`.

    Raises:
        TypeError, ValueError: as `weight_gradients`.

    Example:
        `gradients_on = weight_gradient_function(model, "mse")`, then
        `loss, gradients = gradients_on(x, y)` after each step
    """
    return _weight_gradient_function(model, loss, training, compile=True)


def _weight_gradient_function(
    model: Any, loss: Any, training: bool, compile: bool
) -> Callable[[Any, Any], tuple[float, dict[str, np.ndarray]]]:
    import keras

    _validate.keras_model("model", model)
    _validate.boolean("training", training)
    loss_of = _loss_function(loss)
    if not model.trainable_variables:
        _validate.fail_with_words(
            "model", "a model with trainable weights", "one that has none"
        )
    paths = [variable.path for variable in model.trainable_variables]
    # A subclassed model whose call has no training mode has nothing to be told.
    takes_mode = "training" in inspect.signature(model.call).parameters
    mode = {"training": training} if takes_mode else {}

    def loss_at(weights, x, y, *fixed):
        predictions, _ = model.stateless_call(weights, fixed, x, **mode)
        return keras.ops.mean(loss_of(y, predictions))

    differentiated = differentiate(loss_at, compile=compile)

    def on(x: Any, y: Any) -> tuple[float, dict[str, np.ndarray]]:
        x, y = _batch(x, y)
        weights, fixed = (
            [keras.ops.convert_to_numpy(variable.value) for variable in variables]
            for variables in (model.trainable_variables, model.non_trainable_variables)
        )
        value, gradients = differentiated(weights, x, y, *fixed)
        return value, dict(zip(paths, gradients, strict=True))

    return on


def output_gradients(
    model: Any,
    x: Any,
    y: Any,
    loss: Any,
    layers: Sequence[str] | None = None,
    *,
    training: bool = False,
) -> tuple[float, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return the outputs of inner layers, and the loss's gradient in each of them.

    A layer's output h is given an offset of zero, h + e; the gradient of the loss in e
    is its gradient in h. That works alike on every backend. Taught in lesson 02.

    Args:
        model: a functional or Sequential Keras model, built.
        x: inputs, shape (batch, …).
        y: targets, in the form that the loss expects.
        loss: as in `weight_gradients`.
        layers: names of layers; by default each layer but the inputs. Each must be
            called once in the model and return one tensor.
        training: whether layers run in training mode.

    Returns:
        The loss, and a dict from layer name to (output, gradient), both of the shape
        of the layer's output, in the order of `layers`.

    Raises:
        TypeError: for a model that is not functional or Sequential.
        ValueError: for an unknown layer, empty arrays, NaN or unequal lengths.

    Example:
        `loss, inner = output_gradients(model, x, y, "mse", ["dense", "dense_1"])`
    """
    import keras

    _validate.keras_model("model", model)
    _validate.boolean("training", training)
    x, y = _batch(x, y)
    loss_of = _loss_function(loss)
    graph = _functional(model)
    names = _layer_names(graph, layers)
    outputs: dict[str, Any] = {}

    def run(x, offsets):
        """Walk the graph, adding each offset to its layer's output."""

        def operation(layer):
            def call(*args, **kwargs):
                if getattr(layer, "_call_has_training_arg", False):
                    kwargs.setdefault("training", training)
                result = layer(*args, **kwargs)
                if layer.name in offsets:
                    result = result + offsets[layer.name]
                if layer.name in names:
                    outputs[layer.name] = result
                return result

            return call

        # A stateless scope keeps what layers would write, such as running
        # statistics, out of the model.
        with keras.StatelessScope():
            return graph._run_through_graph([x], operation_fn=operation)

    def loss_at(offsets, x, y):
        predictions = run(x, dict(zip(names, offsets, strict=True)))
        return keras.ops.mean(loss_of(y, predictions))

    run(keras.ops.convert_to_tensor(x), {})
    values = {name: keras.ops.convert_to_numpy(outputs[name]) for name in names}
    zeros = [np.zeros_like(values[name]) for name in names]
    # Traced, a function that runs once takes longer than it saves.
    value, gradients = differentiate(loss_at, compile=False)(zeros, x, y)
    pairs = zip(names, gradients, strict=True)
    return value, {name: (values[name], gradient) for name, gradient in pairs}


def show_source(function: Callable[..., Any]) -> None:
    """Print the source of a function or class of this package, to be read.

    Args:
        function: a function, method or class written in Python.

    Raises:
        TypeError: for anything whose source cannot be shown.

    Example:
        `show_source(gradients.differentiate)`
    """
    try:
        source = inspect.getsource(function)
    except (TypeError, OSError):
        _validate.fail_type("function", "a function with Python source", function)
    try:
        from IPython import get_ipython
        from IPython.display import Code, display
    except ImportError:
        get_ipython = None
    if get_ipython is not None and get_ipython() is not None:
        display(Code(source, language="python"))
    else:
        print(source)


def _scalar(value: Any) -> Any:
    import keras

    shape = tuple(getattr(value, "shape", ()))
    if value is None or shape not in ((), (1,)):
        came = "None" if value is None else f"a result of shape {shape}"
        _validate.fail_with_words("function", "a function that returns a scalar", came)
    return keras.ops.reshape(value, ())


def _as_arrays(argument: str, x: Any) -> tuple[list[np.ndarray], bool]:
    is_list = isinstance(x, (list, tuple)) and any(np.ndim(part) for part in x)
    parts = list(x) if is_list else [x]
    names = [f"{argument}[{i}]" if is_list else argument for i in range(len(parts))]
    pairs = zip(names, parts, strict=True)
    return [_validate.array(n, p, dtype="float32") for n, p in pairs], is_list


def _batch(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = _validate.array("x", x), _validate.array("y", y)
    if x.ndim < 2:
        _validate.fail("x", "inputs of shape (batch, …)", x)
    if y.ndim < 1 or len(x) != len(y):
        _validate.fail("y", f"as many targets as inputs, {len(x)}", y)
    return x, y


def _loss_function(loss: Any) -> Callable[[Any, Any], Any]:
    import keras

    if isinstance(loss, (str, keras.losses.Loss)):
        try:
            return keras.losses.get(loss)
        except ValueError:
            _validate.fail("loss", "the name of a Keras loss", loss)
    return _validate.function("loss", loss, takes=2)


def _functional(model: Any) -> Any:
    """Return the functional graph of a model."""
    import keras

    if isinstance(model, keras.Sequential):
        model = model._functional
    if not hasattr(model, "_run_through_graph"):
        _validate.fail_type(
            "model", "a functional or Sequential model (a graph of layers)", model
        )
    return model


def _layer_names(graph: Any, layers: Sequence[str] | None) -> list[str]:
    import keras

    known = [
        operation.name
        for operation in graph.operations
        if not isinstance(operation, keras.layers.InputLayer)
        and len(operation._inbound_nodes) >= 1
    ]
    if layers is None:
        return known
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        _validate.fail_type("layers", "a list of layer names", layers)
    if not layers:
        _validate.fail("layers", "at least one layer name", layers)
    return [_validate.choice("layers", name, known) for name in layers]
