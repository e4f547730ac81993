"""The shape of a network: what follows what, what runs side by side, what repeats.

From the steps of a forward pass (`_graph`) to what a drawing shows: boxes one under the
other, forks that come together again, and runs that repeat. Any network is drawn: where
paths cross so that no fork is found, its boxes stand in one column with arrows past
each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from course_utils._graph import Graph, Shape, Step

__all__ = ["Box", "Column", "Fork", "Item", "Repeat", "structure"]


@dataclass
class Box:
    """One box: a layer, or several that belong together.

    Attributes:
        parts: the words for each layer, in the order of the computation.
        shapes: the shape of each output, without the batch.
        parameters: how many numbers the layers hold.
        role: "input", "weights" (it has parameters), "join" or "plain".
    """

    parts: tuple[str, ...]
    shapes: tuple[Shape, ...]
    parameters: int
    role: str

    @property
    def facts(self) -> str:
        """Return output shape and number of parameters, in words."""
        words = ", ".join(shape_words(shape) for shape in self.shapes)
        if self.parameters:
            words += f" · {count_words(self.parameters)}"
        return words


@dataclass
class Fork:
    """Paths that run side by side; a path without items is a plain shortcut.

    `alike` is how many paths the one that is kept stands for.
    """

    paths: list[list[Item]]
    alike: int = 1


@dataclass
class Repeat:
    """A run of items that comes `times` times, with the same shapes."""

    items: list[Item]
    times: int


@dataclass
class Column:
    """Boxes whose connections cross: (from, to) are places in `boxes`.

    −1 is what comes before the column, and `len(boxes)` what follows it.
    """

    boxes: list[Box]
    arrows: list[tuple[int, int]] = field(default_factory=list)


Item: TypeAlias = "Box | Fork | Repeat | Column"


def structure(graph: Graph, *, merge: bool = True) -> list[Item]:
    """Return the items of a network, from its input to its output.

    Args:
        graph: the steps of a forward pass.
        merge: whether a convolution and the normalization and activation next to it
            share a box, and blocks that repeat are drawn once.
    """
    nodes: dict[int, Any] = {}
    made_by: dict[int, int] = {}
    for number in graph.inputs:
        nodes[len(nodes)] = graph.shapes[number]
        made_by[number] = len(nodes) - 1
    edges: set[tuple[int, int]] = set()
    shared: set[int] = set()  # layers whose parameters are counted already
    for step in graph.steps:
        here = len(nodes)
        nodes[here] = step
        for number in step.inputs:
            edges.add((made_by[number], here))
        for number in step.outputs:
            made_by[number] = here
    places = list(nodes)
    start, end = -1, len(places)
    edges |= {(start, made_by[number]) for number in graph.inputs}
    edges |= {(made_by[number], end) for number in graph.outputs}
    read = {source for source, _ in edges}
    edges |= {(node, end) for node in places if node not in read}

    def boxes(group: Sequence[int]) -> list[Box]:
        return [
            _box([nodes[node] for node in one], shared)
            for one in _groups([(node, nodes[node]) for node in group], merge)
        ]

    raw = _chain(start, places, end, edges)
    items = _with_boxes(raw, boxes)
    return _folded(items) if merge else items


# ---------------------------------------------------------------- forks and joins


@dataclass
class _RawFork:
    paths: list[list[Any]]


@dataclass
class _RawColumn:
    start: int
    nodes: list[int]
    end: int
    edges: list[tuple[int, int]]


def _chain(start: int, nodes: list[int], end: int, edges: set) -> list[Any]:
    """Split what lies between two nodes at each node that all paths go through."""
    order = [start, *nodes, end]
    place = {node: index for index, node in enumerate(order)}
    inside = set(nodes)
    own = [
        (a, b)
        for a, b in edges
        if a in place and b in place and (a in inside or b in inside)
    ]
    crossed = [0] * (len(order) + 1)  # how many connections go past each node
    for a, b in own:
        if place[b] - place[a] > 1:
            crossed[place[a] + 1] += 1
            crossed[place[b]] -= 1
    items: list[Any] = []
    before, past = 0, 0
    for here in range(1, len(order)):
        past += crossed[here]
        if past and here < len(order) - 1:
            continue
        between = order[before + 1 : here]
        if between:
            first, last = order[before], order[here]
            parts = _components(between, own)
            straight = (first, last) in own
            if len(parts) == 1 and not straight:
                reach = {first, last, *between}
                kept = [(a, b) for a, b in own if a in reach and b in reach]
                items.append(_RawColumn(first, between, last, sorted(kept)))
            else:
                parts.sort(key=len, reverse=True)  # the main path first
                paths = [_chain(first, part, last, set(own)) for part in parts]
                items.append(_RawFork(paths + ([[]] if straight else [])))
        if here < len(order) - 1:
            items.append(order[here])
        before = here
    return items


def _components(nodes: list[int], edges: list[tuple[int, int]]) -> list[list[int]]:
    """Group nodes that are connected with each other, whatever the direction."""
    group = {node: node for node in nodes}

    def root(node: int) -> int:
        while group[node] != node:
            group[node] = group[group[node]]
            node = group[node]
        return node

    for a, b in edges:
        if a in group and b in group:
            group[root(b)] = root(a)
    found: dict[int, list[int]] = {}
    for node in nodes:
        found.setdefault(root(node), []).append(node)
    return list(found.values())


def _with_boxes(raw: list[Any], boxes: Any) -> list[Item]:
    """Replace each run of nodes by its boxes."""
    items: list[Item] = []
    run: list[int] = []
    for entry in [*raw, None]:
        if isinstance(entry, int):
            run.append(entry)
            continue
        items += boxes(run)
        run = []
        if isinstance(entry, _RawFork):
            items.append(Fork([_with_boxes(path, boxes) for path in entry.paths]))
        elif isinstance(entry, _RawColumn):
            place = {node: index for index, node in enumerate(entry.nodes)}
            place[entry.start] = -1
            place[entry.end] = len(entry.nodes)
            items.append(
                Column(
                    [boxes([node])[0] for node in entry.nodes],
                    sorted((place[a], place[b]) for a, b in entry.edges),
                )
            )
    return items


# ------------------------------------------------------------- what shares a box

_HEAVY = ("BaseConv", "BaseDepthwiseConv", "BaseSeparableConv", "BaseConvTranspose")
_LIGHT = (
    "BatchNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "Activation",
    "ReLU",
    "Relu",
    "LeakyReLU",
    "PReLU",
    "ELU",
    "Softmax",
)
_PREFIXES = ("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")


def _groups(nodes: list[tuple[int, Any]], merge: bool) -> list[list[int]]:
    """Say which nodes of a run share a box.

    A convolution takes what follows it (normalization, activation) into its box; in a
    run that begins with those, it takes what precedes it.
    """
    if not merge:
        return [[node] for node, _ in nodes]
    steps = [step for _, step in nodes if isinstance(step, Step)]
    first = bool(steps) and len(steps) == len(nodes) and steps[0].is_a(*_LIGHT)
    groups: list[list[int]] = []
    waiting: list[int] = []
    takes = False  # whether the last group takes what follows into its box
    for node, step in nodes:
        if not isinstance(step, Step):
            groups.append([node])
            takes = False
        elif step.is_a("Dropout") and groups and not waiting:
            groups[-1].append(node)
        elif step.is_a(*_PREFIXES):
            waiting.append(node)
        elif step.is_a(*_LIGHT):
            if takes and not first and not waiting:
                groups[-1].append(node)
            else:
                waiting.append(node)
        else:
            heavy = step.is_a(*_HEAVY, "Dense")
            padded = waiting and _steps_are(nodes, waiting, _PREFIXES)
            if waiting and not (heavy or padded):
                if groups:
                    groups[-1] += waiting
                else:
                    groups.append(waiting)
                waiting = []
            groups.append([*waiting, node])
            waiting = []
            takes = heavy or len(step.inputs) > 1
    if waiting:
        if groups and takes:
            groups[-1] += waiting
        else:
            groups.append(waiting)
    return groups


def _steps_are(nodes: list[tuple[int, Any]], chosen: list[int], kinds: Any) -> bool:
    return all(step.is_a(*kinds) for node, step in nodes if node in chosen)


def _box(steps: list[Any], shared: set[int]) -> Box:
    """Return the box of one or several steps (an input is given by its shape)."""
    if not isinstance(steps[0], Step):
        return Box(("Input",), (tuple(steps[0][1:]),), 0, "input")
    parameters = 0
    for step in steps:
        layer = step.operation
        if id(layer) not in shared and hasattr(layer, "count_params"):
            shared.add(id(layer))
            parameters += layer.count_params()
    words = [part for step in steps for part in layer_words(step)]
    role = "join" if len(steps[0].inputs) > 1 else "weights" if parameters else "plain"
    shapes = tuple(tuple(shape[1:]) for shape in steps[-1].output_shapes)
    return Box(tuple(words), shapes, parameters, role)


# --------------------------------------------------------------------- repetition


def _signature(item: Item) -> Any:
    if isinstance(item, Box):
        return (item.parts, item.shapes, item.parameters, item.role)
    if isinstance(item, Fork):
        return ("fork", item.alike, *(tuple(map(_signature, p)) for p in item.paths))
    if isinstance(item, Repeat):
        return ("repeat", item.times, *map(_signature, item.items))
    return ("column", *map(_signature, item.boxes), *item.arrows)


def _folded(items: list[Item]) -> list[Item]:
    """Draw blocks that follow each other with the same shapes once."""
    inner: list[Item] = []
    for item in items:
        if isinstance(item, Fork):
            paths = [_folded(path) for path in item.paths]
            alike = len({repr([_signature(i) for i in path]) for path in paths}) == 1
            if alike and len(paths) > 2:
                item = Fork(paths[:1], alike=len(paths))
            else:
                item = Fork(paths)
        inner.append(item)
    marks = [_signature(item) for item in inner]
    folded: list[Item] = []
    here = 0
    while here < len(inner):
        best = (0, 0)  # items covered, length of the run
        for length in range(1, (len(inner) - here) // 2 + 1):
            run = marks[here : here + length]
            times = 1
            while marks[here + times * length : here + (times + 1) * length] == run:
                times += 1
            items_of_run = inner[here : here + length]
            # A block begins with its fork; plain layers must come three times.
            block = isinstance(items_of_run[0], Fork)
            if isinstance(items_of_run[0], Box) and items_of_run[0].role == "join":
                continue
            if times >= (2 if block else 3) and times * length > best[0]:
                best = (times * length, length)
        if best[0]:
            covered, length = best
            folded.append(Repeat(inner[here : here + length], covered // length))
            here += covered
        else:
            folded.append(inner[here])
            here += 1
    return folded


# -------------------------------------------------------------------------- words

_NAMES = {
    "BatchNormalization": "batch norm",
    "LayerNormalization": "layer norm",
    "ReLU": "ReLU",
    "Relu": "ReLU",
    "LeakyReLU": "leaky ReLU",
    "PReLU": "PReLU",
    "ELU": "ELU",
    "Add": "add",
    "Pad": "pad with zeros",
    "GetItem": "take a part",
}
_FUNCTIONS = {"relu": "ReLU", "relu6": "ReLU6", "silu": "SiLU", "elu": "ELU"}


def layer_words(step: Step) -> list[str]:
    """Return what a layer does, in the field's words: one entry, or two with ReLU."""
    layer = step.operation
    words = [_main_words(step)]
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", "linear")
    if step.is_a("Activation"):
        return [_FUNCTIONS.get(name, name)]
    if name != "linear" and not step.is_a("ReLU", "LeakyReLU", "ELU"):
        words.append(_FUNCTIONS.get(name, name))
    return words


def _main_words(step: Step) -> str:
    layer = step.operation
    if step.is_a("BaseSeparableConv"):
        return _convolution("separable conv", layer, layer.filters)
    if step.is_a("BaseDepthwiseConv"):
        return _convolution("depthwise conv", layer, None)
    if step.is_a("BaseConvTranspose"):
        return _convolution("transposed conv", layer, layer.filters)
    if step.is_a("BaseConv"):
        return _convolution("conv", layer, layer.filters)
    if step.is_a("Dense"):
        return f"dense, {layer.units:,} unit{'' if layer.units == 1 else 's'}"
    if step.is_a("BaseGlobalPooling"):
        return (
            "global average pooling" if "Average" in step.kind else "global max pooling"
        )
    if step.is_a("BasePooling"):
        kind = "average pooling" if "Average" in step.kind else "max pooling"
        strides = _sides(layer.strides)
        pool = _sides(layer.pool_size)
        stride = "" if strides == pool else f", stride {_short(layer.strides)}"
        return f"{kind} {pool}{stride}"
    if step.is_a("GroupNormalization"):
        return f"group norm, {layer.groups} groups"
    if step.is_a("Dropout"):
        return f"dropout {layer.rate:g}"
    if step.is_a(*_PREFIXES):
        return "zero padding"
    if hasattr(layer, "layers") and hasattr(layer, "count_params"):
        return f"model {layer.name}"
    if step.is_a("ReLU") and layer.max_value is not None:
        return f"ReLU{layer.max_value:g}"
    if step.kind in _NAMES:
        return _NAMES[step.kind]
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"[123]D$", "", step.kind))
    return spaced.lower()


def _convolution(kind: str, layer: Any, filters: int | None) -> str:
    words = f"{kind} {_sides(layer.kernel_size)}"
    if filters is not None:
        words += f", {filters:,} filter{'' if filters == 1 else 's'}"
    elif layer.depth_multiplier > 1:
        words += f", {layer.depth_multiplier} for each channel"
    if max(layer.strides) > 1:
        words += f", stride {_short(layer.strides)}"
    if max(getattr(layer, "dilation_rate", (1,))) > 1:
        words += f", dilation {_short(layer.dilation_rate)}"
    if getattr(layer, "groups", 1) > 1:
        words += f", {layer.groups} groups"
    return words


def _sides(sides: Sequence[int]) -> str:
    return "×".join(str(side) for side in sides)


def _short(sides: Sequence[int]) -> str:
    return str(sides[0]) if len(set(sides)) == 1 else _sides(sides)


def shape_words(shape: Shape) -> str:
    """Return (180, 180, 3) as "180×180×3"; a side that is left open is a "?"."""
    if not shape:
        return "a number"
    return "×".join("?" if side is None else f"{side:,}" for side in shape)


def count_words(parameters: int) -> str:
    """Return 896 as "896 parameters"."""
    return f"{parameters:,} parameter{'' if parameters == 1 else 's'}"
