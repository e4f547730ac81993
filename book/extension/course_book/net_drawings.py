"""The directive `net-drawings`: every block and net of the course, drawn from itself.

    python -m course_book.net_drawings FILE    draw all of them, as HTML in JSON

Building the models takes a while and loads a framework, so this is done in a process of
its own, once for the same code (see `conditions`); a later build shows the same.
"""

from __future__ import annotations

import html
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from course_book import conditions as course
from course_book.net_costs import made_once


class Drawn(NamedTuple):
    """What is drawn: how it is called, how it is made, and what the drawing shows."""

    title: str
    maker: str
    settings: dict[str, Any]
    alt: str


# For blocks: the maps that go in, in front of the settings.
MAPS = {
    "plain_block": (32, 32, 32),
    "residual_block": (32, 32, 32),
    "grouped_convolution": (32, 32, 32),
    "separable_block": (45, 45, 64),
    "identity_block": (56, 56, 256),
    "convolutional_block": (56, 56, 256),
    "inverted_residual_block": (28, 28, 40),
}
BLOCKS = [
    Drawn(
        "Plain block, with pooling",
        "plain_block",
        {"filters": 64, "pooling": True},
        "One path: two 3×3 convolutions to 64 channels, the second without activation, "
        "max pooling that halves the side, and ReLU. There is no shortcut.",
    ),
    Drawn(
        "Residual block, with pooling",
        "residual_block",
        {"filters": 64, "pooling": True},
        "Two paths that end in a sum: two 3×3 convolutions to 64 channels with max "
        "pooling, and a shortcut through one 1×1 convolution with stride 2.",
    ),
    Drawn(
        "Grouped convolution: four groups",
        "grouped_convolution",
        {"filters": 64, "groups": 4},
        "One chain: a 1×1 convolution to 64 channels, then a 3×3 convolution in four "
        "groups, each of which sees 16 of them.",
    ),
    Drawn(
        "Separable block of mini-Xception",
        "separable_block",
        {"filters": 128},
        "Two paths that end in a sum: twice batch normalization, ReLU and a separable "
        "3×3 convolution to 128 channels, then max pooling with stride 2; and a "
        "shortcut through one 1×1 convolution with stride 2.",
    ),
    Drawn(
        "Identity block of ResNet-50",
        "identity_block",
        {"filters": 64},
        "Two paths that end in a sum: a bottleneck of a 1×1, a 3×3 and a 1×1 "
        "convolution, each with batch normalization, and a shortcut without layers.",
    ),
    Drawn(
        "Convolutional block of ResNet-50",
        "convolutional_block",
        {"filters": 128},
        "Two paths that end in a sum: a bottleneck of a 1×1 convolution with stride 2, "
        "a 3×3 and a 1×1 convolution, and a shortcut through one 1×1 convolution with "
        "stride 2. Each convolution has batch normalization.",
    ),
    Drawn(
        "Inverted residual block of EfficientNet-Lite0",
        "inverted_residual_block",
        {"filters": 40},
        "Two paths that end in a sum: a 1×1 convolution from 40 to 240 channels, a "
        "depthwise 3×3 convolution and a 1×1 convolution back to 40 channels; and a "
        "shortcut without layers.",
    ),
]
NETS = [
    Drawn(
        "Dense classifier, 28×28",
        "dense_classifier",
        {},
        "One chain: the image is flattened, then two hidden dense layers of 256 and "
        "128 units, and ten classes.",
    ),
    Drawn(
        "Small convnet, 28×28",
        "small_convnet",
        {},
        "One chain: two 3×3 convolutions of 32 and 64 filters, each with max pooling, "
        "then a dense layer of 512 units and ten classes.",
    ),
    Drawn(
        "Shallow convnet, 32×32",
        "shallow_convnet",
        {},
        "One chain: three stages of two 3×3 convolutions and a max pooling, with 32, "
        "64 and 128 filters, then three dense layers down to ten classes.",
    ),
    Drawn(
        "ResNet18 with strides repaired, 32×32",
        "strided_resnet",
        {},
        "A 3×3 convolution, seven blocks of two 3×3 convolutions, each with a "
        "shortcut; the maps halve at the fourth and the seventh. Then ten classes.",
    ),
    Drawn(
        "Fast ResNet, 32×32",
        "fast_resnet",
        {},
        "A chain of 3×3 convolutions with batch normalization and max pooling; two "
        "pairs of them have a shortcut without layers around them. Then ten classes.",
    ),
    Drawn(
        "Enlarged Xception, 32×32",
        "enlarged_xception",
        {},
        "The image is enlarged to 71×71 and goes through Xception: two convolutions, "
        "three blocks that halve the maps, eight alike, one more that halves, two "
        "separable convolutions. Then ten classes.",
    ),
    Drawn(
        "ResNet-20, 32×32",
        "cifar_resnet",
        {"depth": 20},
        "A 3×3 convolution to 16 channels, three stages of three blocks on maps "
        "of 32×32, 16×16 and 8×8 with shortcuts that hold no weights, global average "
        "pooling and ten classes.",
    ),
    Drawn(
        "Plain convnet, 180×180",
        "plain_convnet",
        {},
        "One chain: five convolutions with 3×3 kernels, the number of filters "
        "doubling, max pooling between them, and one output for cat or dog.",
    ),
    Drawn(
        "Mini-Xception, 180×180",
        "mini_xception",
        {},
        "A 5×5 convolution, then blocks of two separable convolutions, each with a "
        "shortcut through a 1×1 convolution and half the side of the one before, "
        "global average pooling, dropout and one output for cat or dog.",
    ),
    Drawn(
        "EfficientNet-Lite0, 224×224",
        "efficientnet_lite0",
        {},
        "A 3×3 convolution, seven stages of inverted residual blocks, a 1×1 "
        "convolution to 1,280 channels, global average pooling and 1,000 classes.",
    ),
    Drawn(
        "ResNet-50, 224×224",
        "resnet50",
        {},
        "A 7×7 convolution and max pooling, four stages of 3, 4, 6 and 3 bottleneck "
        "blocks with shortcuts, global average pooling and 1,000 classes.",
    ),
    Drawn(
        "Xception, 299×299",
        "xception",
        {},
        "Two convolutions, three blocks that halve the maps, eight alike in the "
        "middle, one more that halves, two separable convolutions, global average "
        "pooling and 1,000 classes. Each block has two or three separable convolutions "
        "and a shortcut.",
    ),
]


def make(what: Drawn) -> Any:
    """Return the net, or the block as a model on maps that the course gives it."""
    import keras

    from course_utils import blocks, nets, pretrained

    if what.maker not in MAPS:
        home = pretrained if what.maker == "efficientnet_lite0" else nets
        return getattr(home, what.maker)(**what.settings)
    inputs = keras.Input(MAPS[what.maker])
    outputs = getattr(blocks, what.maker)(inputs, **what.settings)
    return keras.Model(inputs, outputs)


def draw(what: Drawn) -> dict[str, Any]:
    """Return the drawing as HTML, with its title and its number of parameters."""
    import keras

    from course_utils import drawings

    model = make(what)
    drawing = drawings.architecture(model, title=what.title, alt=what.alt)
    parameters = model.count_params()
    del model
    keras.backend.clear_session(free_memory=True)
    page = drawing._repr_html_()
    return {"title": what.title, "parameters": parameters, "html": page}


class NetDrawings(SphinxDirective):
    """Show all drawings, each folded below its name. The argument: blocks or nets."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.app.config.nb_execution_cache_path)
        try:
            path = drawn(folder)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            raise self.error(f"The nets could not be drawn: {said}") from error
        self.env.note_dependency(str(Path(__file__)))
        found = json.loads(path.read_text(encoding="utf-8"))
        kind = self.arguments[0]
        if kind not in found:
            raise self.error(f"`{kind}`: expected blocks or nets.")
        return [nodes.raw("", folded(one), format="html") for one in found[kind]]


def folded(one: dict[str, Any]) -> str:
    """Return one drawing, folded below its name and its number of parameters."""
    title = f"{html.escape(one['title'])} · {one['parameters']:,} parameters"
    summary = f"<summary>{title}</summary>"
    return f'<details class="net-drawing">{summary}{one["html"]}</details>'


def drawn(folder: Path, root: Path = course.ROOT) -> Path:
    """Return the file with the drawings: a list of `draw` for blocks, one for nets."""
    script = Path(__file__)
    return made_once(folder, "net_drawings", script, __name__, root)


def setup(app: Sphinx) -> None:
    """Add the directive."""
    app.add_directive("net-drawings", NetDrawings)


if __name__ == "__main__":
    everything = {"blocks": BLOCKS, "nets": NETS}
    pictures = {kind: [draw(one) for one in everything[kind]] for kind in everything}
    Path(sys.argv[1]).write_text(json.dumps(pictures), encoding="utf-8")
