"""The steps of a model's forward pass, in order, whatever it is nested in.

What `costs` counts and `drawings` draws. A functional model records each call of a
layer; here those records become plain steps with known shapes, and a model inside a
model can be opened, at the size that it is called at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from course_utils import _validate

Shape = tuple[Any, ...]


@dataclass(frozen=True)
class Step:
    """One call of a layer or operation.

    Attributes:
        operation: the Keras layer, model or operation that is called.
        inputs: numbers of the tensors that it reads.
        outputs: numbers of the tensors that it makes.
        input_shapes: their shapes, the batch first (None).
        output_shapes: likewise.
        dtypes: the types of the outputs, such as "float32".
        path: names of the models that the layer is nested in, outermost first.
    """

    operation: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    dtypes: tuple[str, ...]
    path: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Return the name of the class of the layer or operation."""
        return type(self.operation).__name__

    @property
    def name(self) -> str:
        """Return the layer's name."""
        return str(getattr(self.operation, "name", self.kind))

    def is_a(self, *kinds: str) -> bool:
        """Tell whether the layer's class, or one that it derives from, has a name."""
        return any(base.__name__ in kinds for base in type(self.operation).__mro__)


@dataclass
class Graph:
    """The forward pass of a model.

    Attributes:
        steps: each call, after those that it needs.
        inputs: numbers of the tensors that go in.
        outputs: numbers of the tensors that come out.
        shapes: the shape of each tensor, by its number.
    """

    steps: list[Step] = field(default_factory=list)
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    shapes: dict[int, Shape] = field(default_factory=dict)


def graph_model(argument: str, value: Any) -> Any:
    """Return `value` if it is a functional or Sequential model that is built."""
    _validate.keras_model(argument, value)
    if not _is_graph(value):
        _validate.fail_with_words(
            argument,
            "a functional or Sequential model, whose layers can be followed",
            f"{value.name!r}, a {type(value).__name__} with a `call` of its own",
        )
    return value


def known_input_shapes(
    model: Any, input_shape: Sequence[int] | None = None
) -> tuple[Shape, ...]:
    """Return the shape of each input, without the batch, with every side known.

    Args:
        model: a functional or Sequential model.
        input_shape: the shape of its one input, for a model that leaves sides open.
    """
    recorded = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if input_shape is None:
        for shape in recorded:
            if None in shape:
                _validate.fail_with_words(
                    "input_shape",
                    "the shape of one image, such as (180, 180, 3)",
                    f"None, and the model {model.name!r} takes {shape}",
                )
        return tuple(recorded)
    if isinstance(input_shape, (str, bytes)) or not isinstance(input_shape, Sequence):
        _validate.fail_type(
            "input_shape", "a tuple of whole numbers or None", input_shape
        )
    wanted = tuple(
        _validate.integer("input_shape", length, low=1) for length in input_shape
    )
    fits = len(recorded) == 1 and len(wanted) == len(recorded[0])
    if not fits or any(
        known not in (None, length)
        for known, length in zip(recorded[0], wanted, strict=True)
    ):
        _validate.fail_with_words(
            "input_shape",
            "a shape that fits " + ", ".join(str(shape) for shape in recorded),
            str(wanted),
        )
    return (wanted,)


def follow(
    model: Any, input_shapes: Sequence[Shape] | None = None, *, nested: bool = True
) -> Graph:
    """Return the steps of one forward pass.

    Args:
        model: a functional or Sequential model.
        input_shapes: the shape of each input without the batch; by default the model's.
        nested: whether a model inside the model is opened. If not, it is one step.
    """
    graph = Graph()
    shapes = input_shapes or [tuple(tensor.shape[1:]) for tensor in model.inputs]
    graph.inputs = tuple(_new(graph, (None, *shape)) for shape in shapes)
    graph.outputs = _follow(graph, model, graph.inputs, nested, ())
    return graph


def _is_graph(value: Any) -> bool:
    """Tell whether a layer is a model whose own graph is known."""
    import keras

    return isinstance(value, keras.Model) and bool(getattr(value, "inputs", None))


def _new(graph: Graph, shape: Shape) -> int:
    number = len(graph.shapes)
    graph.shapes[number] = tuple(shape)
    return number


def _follow(
    graph: Graph,
    model: Any,
    inputs: Sequence[int],
    nested: bool,
    path: tuple[str, ...],
) -> tuple[int, ...]:
    """Append the steps of `model`, fed with `inputs`; return its outputs' numbers."""
    known = {
        id(tensor): number for tensor, number in zip(model.inputs, inputs, strict=True)
    }
    for node in _nodes_in_order(model):
        numbers = tuple(known[id(tensor)] for tensor in node.input_tensors)
        operation = node.operation
        if nested and _is_graph(operation):
            made = _follow(graph, operation, numbers, nested, (*path, operation.name))
        else:
            shapes = _output_shapes(graph, node, numbers)
            made = tuple(_new(graph, shape) for shape in shapes)
            graph.steps.append(
                Step(
                    operation=operation,
                    inputs=numbers,
                    outputs=made,
                    input_shapes=tuple(graph.shapes[number] for number in numbers),
                    output_shapes=tuple(shapes),
                    dtypes=tuple(str(tensor.dtype) for tensor in node.output_tensors),
                    path=path,
                )
            )
        for tensor, number in zip(node.output_tensors, made, strict=True):
            known[id(tensor)] = number
    return tuple(known[id(tensor)] for tensor in model.outputs)


def _nodes_in_order(model: Any) -> list[Any]:
    """Return the recorded calls between the inputs and outputs, each after its inputs.

    A main path comes before the shortcut that it is added to.
    """
    given = {id(tensor) for tensor in model.inputs}
    done: set[int] = set()
    order: list[Any] = []
    stack: list[tuple[Any, bool]] = [
        (_node_of(tensor), False)
        for tensor in reversed(model.outputs)
        if id(tensor) not in given
    ]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            order.append(node)
            continue
        stack.append((node, True))
        stack.extend(
            (_node_of(tensor), False)
            for tensor in reversed(node.input_tensors)
            if id(tensor) not in given
        )
    return order


def _node_of(tensor: Any) -> Any:
    """Return the recorded call that made a symbolic tensor."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def _output_shapes(graph: Graph, node: Any, numbers: Sequence[int]) -> list[Shape]:
    """Return the shapes of a call's outputs, for the inputs that it gets here."""
    recorded = [tuple(tensor.shape) for tensor in node.output_tensors]
    given = [graph.shapes[number] for number in numbers]
    if given == [tuple(tensor.shape) for tensor in node.input_tensors]:
        return recorded
    import keras

    tensors = {
        id(tensor): keras.KerasTensor(shape, dtype=tensor.dtype)
        for tensor, shape in zip(node.input_tensors, given, strict=True)
    }
    args, kwargs = node.arguments.fill_in(tensors)
    spec = node.operation.compute_output_spec(*args, **kwargs)
    return [tuple(tensor.shape) for tensor in keras.tree.flatten(spec)]
