"""What a trained net reacts to: activations, heat maps, and what excites a filter.

Arrays in, arrays out, the batch first, on TensorFlow, JAX and PyTorch. Everything
here looks into the layers while the model runs as it is, so it works alike on
functional, Sequential and subclassed models and on a net inside another one.

Heat maps start from the *logit* of a class: a softmax or sigmoid at the end of the
model is taken off while the gradient is computed, and put back. What a class of its
own writes into `call` is no layer and stays: a model that gives the probabilities of
several classes in this way is refused. (Of a single unit nobody can tell.)
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils import _graph, _validate
from course_utils.gradients import differentiate

__all__ = [
    "HeatMaps",
    "Visualizations",
    "activations",
    "color_basis",
    "convolutions",
    "grad_cam",
    "gradient",
    "hires_cam",
    "integrated_gradients",
    "overlay",
    "smooth_grad",
    "sparsity",
    "visualize",
]

_CONVOLUTIONS = ("BaseConv", "BaseDepthwiseConv", "BaseSeparableConv")
_EPSILON = 1e-12
_IMAGES_A_RUN = 16
_CALLS_WORTH_A_TRACE = 3


@dataclass(frozen=True)
class HeatMaps:
    """Heat maps of a batch, and what they are of. `np.asarray` gives the maps.

    Attributes:
        maps: float32, shape (n, height, width), of the size of the images.
        classes: the class of each map, shape (n,).
        scores: the logit of that class, shape (n,).
        method: the name of the method.
        layer: the layer that was looked at, or "" for the methods of the input.
        error: for integrated gradients the completeness error of each image, shape
            (n,): what the sum misses, as a part of the change of the score; else None.
    """

    maps: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    method: str
    layer: str = ""
    error: np.ndarray | None = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.maps, dtype=dtype)

    def __len__(self) -> int:
        return len(self.maps)


# ------------------------------------------------------------------------- activations


def convolutions(model: Any) -> list[str]:
    """Return the names of a model's convolutions, from the input to the output.

    Args:
        model: a built Keras model.

    Returns:
        Names, of layers in a nested model or in a block that is a class of its own as
        "outer/inner". A 1×1 convolution and a depthwise one count as convolutions too.

    Raises:
        TypeError: for anything but a Keras model.
        ValueError: for a model that is not built.

    Example:
        >>> convolutions(plain_convnet())[-1]  # the layer that Grad-CAM takes
    """
    _validate.keras_model("model", model)
    return [name for name, layer in _layers(model) if _is_convolution(layer)]


def activations(
    model: Any,
    images: Any,
    layers: Sequence[str] | None = None,
    *,
    batch_size: int = 32,
) -> dict[str, np.ndarray]:
    """Return what inner layers put out for images, at inference.

    Taught in lesson 11.

    Args:
        model: a built Keras model; it stays as it was.
        images: shape (n, height, width, channels), as the model takes them.
        layers: names of layers ("outer/inner" in a nested model); by default every
            convolution and pooling whose output is a stack of maps. A layer that is
            called several times gives its last call, under each of its names.
        batch_size: images at a time.

    Returns:
        The output of each layer, shape (n, height, width, filters) for a stack of
        maps, by its name in the order of `layers`.

    Raises:
        TypeError: for anything but a Keras model, numeric images and a list of names.
        ValueError: for an unknown layer, NaN, images of another shape than the model
            takes, or a model without convolutions where `layers` is None.

    Example:
        `maps = activations(model, images)["conv2d_3"]`
    """
    import keras

    images = _images(model, images)
    batch_size = _validate.integer("batch_size", batch_size, 1)
    known = dict(_layers(model))
    if layers is None:
        names = [
            name
            for name, layer in known.items()
            if _is_convolution(layer) or _is_a(layer, "BasePooling")
        ]
        if not names:
            _no_convolution(model)
    else:
        names = _names("layers", layers, known)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for start in range(0, len(images), batch_size):
        found: dict[str, Any] = {}
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(_watched(known[name], name, found))
            _forward(model, keras.ops.convert_to_tensor(images[start:][:batch_size]))
        for name in names:
            if name not in found:
                _validate.fail("layers", "layers that the model calls", name)
            parts[name].append(keras.ops.convert_to_numpy(found[name]))
    return {name: np.concatenate(part) for name, part in parts.items()}


def sparsity(maps: Any) -> tuple[float, float]:
    """Return how much of a stack of activations is zero, and how much of it is dead.

    Taught in lesson 11.

    Args:
        maps: the output of a layer with ReLU for many images, shape (n, …, filters).

    Returns:
        The share of all values that are zero; and the share of filters that are zero
        at every place of every image. A filter that is dead for a few images may live
        for others: ask with many.

    Raises:
        TypeError: for anything but numbers.
        ValueError: for fewer than two axes, an empty array, or NaN.

    Example:
        >>> sparsity(np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 3.0]]))
        (0.5, 0.3333333333333333)
    """
    maps = _validate.array("maps", maps)
    if maps.ndim < 2:
        _validate.fail("maps", "an array of shape (n, …, filters)", maps)
    zero = maps == 0
    return float(zero.mean()), float(zero.all(axis=tuple(range(maps.ndim - 1))).mean())


# --------------------------------------------------------------------------- heat maps


def grad_cam(
    model: Any,
    images: Any,
    classes: Any = None,
    *,
    layer: str | None = None,
) -> HeatMaps:
    """Return Grad-CAM heat maps: the maps of a layer, weighted by mean gradients.

    Taught in lesson 13.

    Selvaraju et al. (2017): each map is weighted by the mean over its places of the
    gradient of the class's logit; the ReLU of the sum is enlarged to the image.

    Args:
        model: a built Keras model with a convolution; it stays as it was.
        images: shape (n, height, width, channels), as the model takes them.
        classes: a class for all images, or one for each; by default the predicted one.
            A model with one sigmoid unit has the classes 0 and 1.
        layer: the layer to look at ("outer/inner" in a nested model); by default the
            last one whose output is a stack of maps after the last convolution.

    Returns:
        `HeatMaps`, in units of the logit, that name the layer.

    Raises:
        TypeError: for anything but a Keras model, numeric images and whole numbers.
        ValueError: for a model without a convolution, an unknown layer or one that
            puts out no stack of maps, a class out of range, NaN, another shape, or
            probabilities whose softmax cannot be taken off.

    Example:
        `heat = grad_cam(model, images, classes=1)`
    """
    return _cam("Grad-CAM", model, images, classes, layer)


def hires_cam(
    model: Any,
    images: Any,
    classes: Any = None,
    *,
    layer: str | None = None,
) -> HeatMaps:
    """Return HiResCAM heat maps: the maps of a layer times their own gradients.

    Taught in lesson 13.

    Draelos and Carin (2020): gradient and map are multiplied place by place. Where
    global average pooling follows the layer, this equals Grad-CAM.

    Args:
        model: as in `grad_cam`.
        images: as in `grad_cam`.
        classes: as in `grad_cam`.
        layer: as in `grad_cam`.

    Returns:
        `HeatMaps`, in units of the logit, that name the layer.

    Raises:
        TypeError: as `grad_cam`.
        ValueError: as `grad_cam`.

    Example:
        >>> hires_cam(model, images, classes=[1]).maps.shape  # one map an image
    """
    return _cam("HiResCAM", model, images, classes, layer)


def gradient(model: Any, images: Any, classes: Any = None) -> HeatMaps:
    """Return the size of the logit's gradient in each pixel, its largest channel.

    Taught in lesson 13.

    Simonyan et al. (2014).

    Args:
        model: a built Keras model; it stays as it was.
        images: as in `grad_cam`.
        classes: as in `grad_cam`.

    Returns:
        `HeatMaps`, never negative.

    Raises:
        TypeError: as `grad_cam`.
        ValueError: for a class out of range, NaN, images of another shape, or
            probabilities whose softmax cannot be taken off.

    Example:
        >>> gradient(model, images).maps.min() >= 0
        True
    """
    images = _images(model, images)
    units = _classifier_units(model, images)
    given = [] if classes is None else [_known_classes(classes, len(images), units)]
    model_of = weakref.ref(model)

    def score(tensors: Sequence[Any], *given: Any) -> Any:
        x, by_logits = tensors
        return _score_and_logits(_forward(model_of(), x), given, by_logits)

    by_logits = np.zeros((len(images), units), "float32")
    head = _head(model, images)
    slopes, logits = _at_logits(
        model, head, "gradient", score, [images, by_logits], *given
    )
    classes, scores = _scores_of(logits, given[0] if given else None)
    return HeatMaps(np.abs(slopes).max(axis=-1), classes, scores, "gradient")


def smooth_grad(
    model: Any,
    images: Any,
    classes: Any = None,
    *,
    samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
) -> HeatMaps:
    """Return the mean gradient of noisy copies of each image, its largest channel.

    Taught in lesson 13.

    Smilkov et al. (2017).

    Args:
        model: a built Keras model; it stays as it was.
        images: as in `grad_cam`.
        classes: as in `grad_cam`.
        samples: noisy copies of each image.
        noise: the standard deviation of the noise, as a part of the range of values
            of the image.
        seed: of the noise.

    Returns:
        `HeatMaps`, never negative.

    Raises:
        TypeError: as `gradient`, and for numbers of the wrong type.
        ValueError: as `gradient`, and for `samples` below 1 or a negative `noise`.

    Example:
        >>> smooth_grad(model, images, samples=50, noise=0.1)
    """
    samples = _validate.integer("samples", samples, 1)
    noise = _validate.number("noise", noise, 0)
    rng = np.random.default_rng(_validate.integer("seed", seed, 0))
    images = _images(model, images)
    head = _head(model, images)
    classes, scores = _classes(model, head, images, classes)
    axes = tuple(range(1, images.ndim))
    scale = noise * np.ptp(images, axis=axes, keepdims=True)

    def noisy(_: int) -> np.ndarray:
        return images + scale * rng.standard_normal(images.shape, dtype="float32")

    maps = np.abs(_mean_slopes(model, head, noisy, samples, classes)).max(axis=-1)
    return HeatMaps(maps, classes, scores, "SmoothGrad")


def integrated_gradients(
    model: Any,
    images: Any,
    classes: Any = None,
    *,
    baseline: Any = 0.0,
    steps: int = 32,
) -> HeatMaps:
    """Return integrated gradients: each pixel's part in the change of the logit.

    Taught in lesson 13.

    Sundararajan et al. (2017): the gradient is averaged along the straight line from
    the baseline to the image, and multiplied with the way. Completeness: the sum over
    all pixels is the logit of the image minus that of the baseline, up to the error of
    the numerical integral, which is returned.

    Args:
        model: a built Keras model; it stays as it was.
        images: as in `grad_cam`.
        classes: as in `grad_cam`.
        baseline: a number, or an array that can be broadcast to the images.
        steps: points on the line (the midpoint rule).

    Returns:
        `HeatMaps`, signed, summed over the channels, with `error`.

    Raises:
        TypeError: as `gradient`, and for numbers of the wrong type.
        ValueError: as `gradient`, and for `steps` below 1 or another baseline's shape.

    Example:
        >>> integrated_gradients(model, images, baseline=images.mean()).error
    """
    steps = _validate.integer("steps", steps, 1)
    images = _images(model, images)
    head = _head(model, images)
    classes, scores = _classes(model, head, images, classes)
    start = _validate.array("baseline", baseline, dtype="float32")
    try:
        start = np.broadcast_to(start, images.shape)
    except ValueError:
        _validate.fail(
            "baseline", f"a number, or an array for images of {images.shape}", baseline
        )

    def point(k: int) -> np.ndarray:
        return start + (k + 0.5) / steps * (images - start)

    parts = (images - start) * _mean_slopes(model, head, point, steps, classes)
    _, before = _classes(model, head, np.ascontiguousarray(start), classes)
    change = scores - before
    missed = np.abs(parts.reshape(len(parts), -1).sum(axis=1) - change)
    error = missed / np.maximum(np.abs(change), _EPSILON)
    maps = parts.sum(axis=-1)
    return HeatMaps(maps, classes, scores, "integrated gradients", error=error)


def overlay(images: Any, maps: Any, *, opacity: float = 0.5) -> np.ndarray:
    """Lay heat maps over images, each map from its own 0 to its own largest value.

    Taught in lesson 13.

    Args:
        images: shape (n, height, width, channels), 0 to 255, gray or RGB.
        maps: `HeatMaps`, or an array of shape (n, height, width); below 0 is 0.
        opacity: how much of the map is seen where it is largest, from 0 to 1.

    Returns:
        uint8, shape (n, height, width, 3).

    Raises:
        TypeError: for anything but numbers.
        ValueError: for shapes that do not belong together, values out of range, NaN.

    Example:
        >>> overlay(images, grad_cam(model, images)).dtype
        dtype('uint8')
    """
    from matplotlib import colormaps

    images = _validate.array("images", images, ndim=4, dtype="float32")
    n, height, width, channels = images.shape
    if channels not in (1, 3):
        _validate.fail("images", "images with 1 or 3 channels", images)
    if images.min() < 0 or images.max() > 255:
        came = f"values from {images.min():g} to {images.max():g}"
        _validate.fail_with_words("images", "values from 0 to 255", came)
    maps = _validate.array("maps", maps, shape=(n, height, width), dtype="float32")
    opacity = _validate.number("opacity", opacity, 0, 1)
    heat = np.maximum(maps, 0)
    heat /= np.maximum(heat.max(axis=(1, 2), keepdims=True), _EPSILON)
    colors = 255 * colormaps["inferno"](heat)[..., :3]
    share = opacity * heat[..., None]
    mixed = (1 - share) * images + share * colors
    return np.rint(mixed).astype("uint8")


def _cam(
    method: str, model: Any, images: Any, classes: Any, layer: str | None
) -> HeatMaps:
    images = _images(model, images)
    name, chosen = _maps_layer(model, layer)
    if classes is not None:
        classes = _known_classes(classes, len(images), _classifier_units(model, images))
    maps, slopes, logits = _maps_and_slopes(model, chosen, images, classes, name)
    classes, scores = _scores_of(logits, classes)
    if method == "Grad-CAM":
        slopes = slopes.mean(axis=(1, 2), keepdims=True)
    heat = np.maximum((maps * slopes).sum(axis=-1), 0)
    heat = _enlarged(heat, images.shape[1:3])
    return HeatMaps(heat, classes, scores, method, name)


def _enlarged(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    import keras

    resized = keras.ops.image.resize(
        maps[..., None].astype("float32"), tuple(size), data_format="channels_last"
    )
    return np.asarray(keras.ops.convert_to_numpy(resized)[..., 0])


# -------------------------------------------------------------- what a filter looks for


@dataclass(frozen=True)
class Visualizations:
    """Images that excite filters, and how much. `np.asarray` gives the images.

    Attributes:
        images: float32, shape (n, size, size, 3), in the range that was asked for.
        scores: the mean activation of each image's filter, shape (n,), at inference.
        history: the same during the ascent, shape (steps, n), for the moved image.
        layer: the name of the layer.
        filters: the filter of each image, shape (n,).
    """

    images: np.ndarray
    scores: np.ndarray
    history: np.ndarray
    layer: str
    filters: np.ndarray

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.images, dtype=dtype)

    def __len__(self) -> int:
        return len(self.images)


def visualize(
    model: Any,
    layer: str,
    filters: Any,
    *,
    size: int = 128,
    steps: int = 30,
    rate: float = 0.1,
    jitter: int = 0,
    fourier: bool = False,
    colors: Any = None,
    border: int = 1,
    value_range: tuple[float, float] = (0.0, 255.0),
    seed: int = 0,
) -> Visualizations:
    """Change noise by gradient ascent until it excites filters of a layer.

    Taught in lesson 12.

    All filters are followed in one batch, each in an image of its own, and each step is
    as long for each image: its gradient is divided by its own root mean square. Erhan
    et al. (2009); jitter after Mordvintsev et al. (2015); a basis of waves and colors
    without correlation after Olah et al. (2017).

    Args:
        model: a built Keras model; it stays as it was.
        layer: the name of a layer with a stack of maps ("outer/inner" where nested).
        filters: numbers of filters, shape (n,).
        size: side of the images, in pixels.
        steps: steps of the ascent.
        rate: root mean square of a step of the parameters, which start with a spread
            of 0.1.
        jitter: the image is moved by up to so many pixels before each step.
        fourier: if True, what is learned are the amplitudes of cosine waves, in which
            a slow wave moves faster than a quick one; if False, the pixels.
        colors: shape (3, 3), such as `color_basis` gives; None for plain RGB.
        border: places at the edge of the maps that do not count.
        value_range: the values of black and white, as the model takes them.
        seed: of the noise and the jitter.

    Returns:
        `Visualizations`.

    Raises:
        TypeError: for anything but a Keras model, a name and whole numbers.
        ValueError: for an unknown layer, one that puts out no stack of maps or maps too
            small for the border, a filter out of range, a number out of range, or a
            model that takes no color images of this size.

    Example:
        `found = visualize(model, "conv2d_3", range(8), jitter=8, fourier=True)`
    """
    import keras

    ops = keras.ops
    filters = _validate.array("filters", filters, ndim=1)
    if filters.dtype.kind not in "iu":
        _validate.fail_type("filters", "whole numbers", filters)
    size = _validate.integer("size", size, 8)
    steps = _validate.integer("steps", steps, 1)
    rate = _validate.number("rate", rate, 0)
    jitter = _validate.integer("jitter", jitter, 0, size)
    fourier = _validate.boolean("fourier", fourier)
    border = _validate.integer("border", border, 0)
    low, high = _value_range(value_range)
    seed = _validate.integer("seed", seed, 0)
    # Streams of their own: the first image is the same whatever else is in the batch.
    noise, moves = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    mixing = np.eye(3, dtype="float32")
    if colors is not None:
        mixing = _validate.array("colors", colors, shape=(3, 3), dtype="float32")

    one = _images(model, np.zeros((1, size, size, 3), "float32"), "size")
    found = dict(_layers(model))
    target = found[_validate.choice("layer", layer, found)]
    shape, _ = _output_shape(model, target, one, layer)
    if filters.min() < 0 or filters.max() >= shape[-1]:
        _validate.fail("filters", f"filters from 0 to {shape[-1] - 1}", filters)
    if min(shape[1:3]) <= 2 * border:
        came = f"maps of {shape[1]}×{shape[2]} at {size} pixels"
        _validate.fail_with_words("border", "a border that leaves a map", came)
    one_hot = np.eye(shape[-1], dtype="float32")[filters]

    side = size + jitter
    waves, weights = _cosine_waves(side)

    def picture(parameters: Any) -> Any:
        if fourier:
            scaled = ops.multiply(parameters, weights[:, :, None])
            parameters = ops.einsum("ki,nklc,lj->nijc", waves, scaled, waves)
        return low + (high - low) * ops.sigmoid(ops.matmul(parameters, mixing.T))

    def excitement(images: Any, wanted: Any) -> Any:
        seen: dict[str, Any] = {}
        with _watched(target, layer, seen):
            _forward(model, images)
        maps = seen[layer]
        inside = maps[:, border : shape[1] - border, border : shape[2] - border]
        return ops.sum(ops.mean(inside, axis=(1, 2)) * wanted, axis=-1)

    def ascend(tensors: Sequence[Any], wanted: Any, corner: Any) -> Any:
        parameters, ones = tensors
        moved = ops.slice(picture(parameters), corner, (len(filters), size, size, 3))
        # The gradient in `ones` is the excitement of each image.
        return ops.sum(excitement(moved, wanted) * ones)

    run = differentiate(ascend, compile=True)
    parameters = 0.1 * noise.standard_normal((len(filters), side, side, 3), "float32")
    ones = np.ones(len(filters), "float32")

    def step(y: int, x: int) -> Any:
        """Return the slope of the parameters, and the excitement of each image."""
        corner = np.array([0, y, x, 0], "int32")
        return run([parameters, ones], one_hot, corner)[1]

    history = []
    for _ in range(steps):
        slope, excited = step(*moves.integers(0, jitter + 1, 2))
        length = np.sqrt((slope**2).mean(axis=(1, 2, 3), keepdims=True))
        parameters = parameters + rate * slope / np.maximum(length, _EPSILON)
        history.append(excited)
    middle = jitter // 2
    _, scores = step(middle, middle)
    images = ops.convert_to_numpy(picture(ops.convert_to_tensor(parameters)))
    inside = slice(middle, middle + size)
    images = np.ascontiguousarray(images[:, inside, inside])
    return Visualizations(images, scores, np.array(history), layer, filters)


def color_basis(images: Any) -> np.ndarray:
    """Return how the colors of images vary together: a root of their covariance.

    Taught in lesson 12.

    Noise that is multiplied with it has colors like those of the images.

    Args:
        images: RGB, shape (n, height, width, 3), 0 to 255.

    Returns:
        float32, shape (3, 3), symmetric, with a largest eigenvalue of 1.

    Raises:
        TypeError: for anything but numbers.
        ValueError: for another shape, NaN, or images of one color.

    Example:
        >>> noise = rng.normal(size=(1, 64, 64, 3)) @ color_basis(photographs)
    """
    images = _validate.array("images", images, shape=(None, None, None, 3))
    covariance = np.cov(images.reshape(-1, 3).astype("float64").T)
    values, vectors = np.linalg.eigh(covariance)
    if not values[-1] > 0:
        _validate.fail_with_words("images", "images that vary", "images of one color")
    root = (vectors * np.sqrt(np.maximum(values, 0) / values[-1])) @ vectors.T
    return np.asarray(root, dtype="float32")


def _cosine_waves(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an orthonormal basis of cosine waves, and the weight of each pair."""
    places = (np.arange(side) + 0.5) * np.pi / side
    frequencies = np.arange(side)
    waves = np.sqrt(2 / side) * np.cos(frequencies[:, None] * places)
    waves[0] /= np.sqrt(2)
    both = np.hypot(frequencies[:, None], frequencies)
    weights = 1 / np.maximum(both, 1)
    weights *= side / np.sqrt((weights**2).sum())  # the image varies as much as noise
    return waves.astype("float32"), weights.astype("float32")


def _value_range(value_range: Any) -> tuple[float, float]:
    if not isinstance(value_range, (tuple, list)) or len(value_range) != 2:
        _validate.fail_type("value_range", "a pair (black, white)", value_range)
    low, high = (_validate.number("value_range", value) for value in value_range)
    if low >= high:
        _validate.fail("value_range", "black below white", value_range)
    return low, high


# ------------------------------------------------------------------ into a model's runs


def _layers(model: Any) -> list[tuple[str, Any]]:
    """Return each layer that computes, by its name, in the order of the calls."""
    if getattr(model, "inputs", None):
        pairs: list[tuple[str, Any]] = []
        for step in _graph.follow(model).steps:
            path = (*step.path, step.name)
            if _made_of_layers(step.operation):  # a block that is a class of its own
                pairs += _layers_of_a_class(step.operation, path)
            pairs.append(("/".join(path), step.operation))
    else:
        pairs = list(_layers_of_a_class(model, ()))
    return list(dict(pairs).items())


def _layers_of_a_class(model: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for layer in model._flatten_layers(recursive=False, include_self=False):
        if getattr(layer, "inputs", None) and hasattr(layer, "operations"):
            prefix = (*path, layer.name)
            for step in _graph.follow(layer).steps:
                yield "/".join((*prefix, *step.path, step.name)), step.operation
            continue
        inner = list(layer._flatten_layers(recursive=False, include_self=False))
        if inner:
            yield from _layers_of_a_class(layer, (*path, layer.name))
        else:
            yield "/".join((*path, layer.name)), layer


def _made_of_layers(operation: Any) -> bool:
    """Tell whether a layer calls other layers; an operation has none."""
    flat = getattr(operation, "_flatten_layers", None)
    return flat is not None and any(flat(recursive=False, include_self=False))


def _is_a(layer: Any, *kinds: str) -> bool:
    return any(base.__name__ in kinds for base in type(layer).__mro__)


def _is_convolution(layer: Any) -> bool:
    return _is_a(layer, *_CONVOLUTIONS)


def _no_convolution(model: Any) -> None:
    _validate.fail_with_words(
        "model", "a model with a convolution", f"{model.name!r}, which has none"
    )


def _names(argument: str, layers: Any, known: dict[str, Any]) -> list[str]:
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        _validate.fail_type(argument, "a list of layer names", layers)
    if not layers:
        _validate.fail(argument, "at least one layer name", layers)
    return [_validate.choice(argument, name, known) for name in layers]


def _images(model: Any, images: Any, argument: str = "images") -> np.ndarray:
    _validate.keras_model("model", model)
    images = _validate.array("images", images, ndim=4, dtype="float32")
    inputs = getattr(model, "inputs", None)
    if inputs:
        if len(inputs) != 1:
            came = f"{model.name!r}, which takes {len(inputs)}"
            _validate.fail_with_words("model", "a model with one input", came)
        wanted = tuple(inputs[0].shape[1:])
        fits = len(wanted) == 3 and all(
            side in (None, length)
            for side, length in zip(wanted, images.shape[1:], strict=True)
        )
        if not fits:
            _validate.fail(argument, f"images of shape {wanted}", images)
    return images


def _forward(model: Any, x: Any) -> Any:
    import keras

    # A stateless scope keeps what layers would write out of the model.
    with keras.StatelessScope():
        try:
            return model(x, training=False)
        except TypeError as error:
            if "training" not in str(error):
                raise
            return model(x)


@contextmanager
def _called_as(layer: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    """Let `change` have the output of a layer, whatever calls the layer."""
    original, before = layer.call, vars(layer).get("call")

    def call(*args: Any, **kwargs: Any) -> Any:
        return change(original(*args, **kwargs))

    # Past Keras' bookkeeping, which is for weights and layers.
    object.__setattr__(layer, "call", call)
    try:
        yield
    finally:
        # A layer with two names may be watched under both: inner first, outer after.
        if before is None:
            object.__delattr__(layer, "call")
        else:
            object.__setattr__(layer, "call", before)


@contextmanager
def _watched(layer: Any, name: str, found: dict[str, Any]) -> Iterator[None]:
    def keep(output: Any) -> Any:
        found[name] = output
        return output

    with _called_as(layer, keep):
        yield


_PASSING = ("Dropout", "Identity")
_SQUASHING = ("Softmax", "LogSoftmax", "Sigmoid")


def _head(model: Any, images: np.ndarray) -> Any:
    """Return the layer or operation whose output is that of the model, or None.

    The last one that is *called*: which one was defined last says nothing. A dropout
    behind it, or an activation that only changes the type, is passed over.
    """
    import keras

    if getattr(model, "inputs", None):
        graph = _graph.follow(model)
        makers: dict[tuple[int, ...], _graph.Step] = {
            step.outputs: step for step in graph.steps
        }
        step = makers.get(graph.outputs)
        while step is not None and (
            step.is_a(*_PASSING)
            or (step.is_a("Activation") and _is_linear(step.operation))
        ):
            step = makers.get(step.inputs)
        return None if step is None else step.operation
    known, found = dict(_layers(model)), dict[str, Any]()
    with ExitStack() as stack:
        for name, layer in known.items():
            stack.enter_context(_watched(layer, name, found))
        outputs = _forward(model, keras.ops.convert_to_tensor(images[:1]))
    return next((known[name] for name in found if found[name] is outputs), None)


def _is_linear(layer: Any) -> bool:
    import keras

    return getattr(layer, "activation", None) is keras.activations.linear


@contextmanager
def _taken_off(head: Any) -> Iterator[None]:
    """Let a model put out its logits for a while: its head does not squash them."""
    import keras

    known = keras.activations
    squashing = (known.softmax, known.log_softmax, known.sigmoid)
    if head is not None and _is_a(head, *_SQUASHING):
        object.__setattr__(head, "call", lambda inputs, *args, **kwargs: inputs)
        try:
            yield
        finally:
            object.__delattr__(head, "call")
    elif getattr(head, "activation", None) in squashing:
        activation, head.activation = head.activation, known.linear
        try:
            yield
        finally:
            head.activation = activation
    else:
        yield


def _score(logits: Any, classes: Any) -> Any:
    """Return the sum over the batch of each image's logit of its class."""
    import keras

    ops = keras.ops
    if logits.shape[-1] == 1:
        sign = 2.0 * ops.cast(classes, logits.dtype) - 1.0
        return ops.sum(sign * logits[:, 0])
    chosen = ops.one_hot(ops.cast(classes, "int32"), logits.shape[-1])
    return ops.sum(logits * ops.cast(chosen, logits.dtype))


def _score_and_logits(logits: Any, given: Sequence[Any], by_logits: Any) -> Any:
    """Return the score of the given or the predicted classes; zeros let logits out.

    The gradient in `by_logits`, an array of zeros, is the logits themselves.
    """
    import keras

    logits = keras.ops.cast(logits, "float32")  # a model may compute in fewer bits
    wanted = given[0] if given else _predicted(logits)
    return _score(logits, wanted) + keras.ops.sum(logits * by_logits)


def _classes(
    model: Any, head: Any, images: np.ndarray, classes: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return a class for each image, and its logit."""
    import keras

    with _taken_off(head):
        outputs = _forward(model, keras.ops.convert_to_tensor(images))
    logits = keras.ops.convert_to_numpy(_of_a_classifier(outputs))
    if classes is not None:
        classes = _known_classes(classes, len(images), logits.shape[1])
    return _scores_of(logits, classes)


def _scores_of(
    logits: np.ndarray, classes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes, the predicted ones by default, and the logit of each."""
    import keras

    if logits.shape[1] > 1 and _are_probabilities(logits):
        # Their gradient is another one, and next to nothing where a model is certain.
        _validate.fail_with_words(
            "model",
            "a model whose softmax is its last layer, so that it can be taken off",
            "outputs that are probabilities; let the model end in its logits",
        )

    if classes is None:
        classes = keras.ops.convert_to_numpy(_predicted(logits))
    if logits.shape[1] == 1:
        return classes, (2 * classes - 1) * logits[:, 0]
    return classes, logits[np.arange(len(logits)), classes]


def _are_probabilities(rows: np.ndarray) -> bool:
    return bool((rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-3))


def _predicted(logits: Any) -> Any:
    """Return the class of each row of logits; one unit has the classes 0 and 1."""
    import keras

    if logits.shape[-1] == 1:
        return keras.ops.cast(logits[:, 0] > 0, "int32")
    return keras.ops.argmax(logits, axis=-1)


def _known_classes(classes: Any, count: int, units: int) -> np.ndarray:
    """Return one class an image; fail where the model has no such class."""
    known = max(units, 2)
    chosen = _validate.class_numbers("classes", classes, count)
    if chosen.min() < 0 or chosen.max() >= known:
        _validate.fail("classes", f"classes from 0 to {known - 1}", classes)
    return chosen


def _classifier_units(model: Any, images: np.ndarray) -> int:
    """Return how many outputs a classifier has for each image."""
    import keras

    if getattr(model, "outputs", None):
        outputs = model.outputs[0] if len(model.outputs) == 1 else model.outputs
    else:
        outputs = _forward(model, keras.ops.convert_to_tensor(images[:1]))
    return int(_of_a_classifier(outputs).shape[1])


def _of_a_classifier(outputs: Any) -> Any:
    """Return outputs that have one row for each image; fail for others."""
    shape = tuple(getattr(outputs, "shape", ()))
    if len(shape) != 2:
        came = f"outputs of shape {shape}"
        _validate.fail_with_words("model", "a classifier: one row an image", came)
    return outputs


# How often a model was asked for gradients of one kind and shape, and the function that
# was compiled for it in the end. A score refers to its model weakly: what is kept for a
# model must not keep it alive.
_asked: weakref.WeakKeyDictionary[Any, dict[Any, tuple[int, Any]]]
_asked = weakref.WeakKeyDictionary()


def _at_logits(
    model: Any,
    head: Any,
    kind: Any,
    score: Any,
    tensors: list[np.ndarray],
    *constants: np.ndarray,
) -> list[np.ndarray]:
    """Return the gradients of a score of a model whose softmax is taken off.

    One picture is over sooner than TensorFlow has traced it. Who asks again and again
    gets a traced function. (JAX would bake the weights into it: there it stays eager.)
    """
    import keras

    asked = _asked.setdefault(model, {})
    # A compiled function knows the head of its day: another one is another function.
    ending = getattr(head, "activation", None)
    key = (kind, ending, *(array.shape for array in (*tensors, *constants)))
    calls, run = asked.get(key, (0, None))
    if run is None:
        worth_it = calls >= _CALLS_WORTH_A_TRACE
        run = differentiate(
            score, compile=worth_it and keras.backend.backend() == "tensorflow"
        )
        asked[key] = (calls + 1, run if worth_it else None)
    with _taken_off(head):
        _, slopes = run(tensors, *constants)
    return slopes


def _mean_slopes(
    model: Any,
    head: Any,
    changed: Callable[[int], np.ndarray],
    count: int,
    classes: np.ndarray,
) -> np.ndarray:
    """Return the mean gradient in `changed(0)` … `changed(count - 1)`.

    Of few images several changed copies share a run: it costs little more than one.
    """
    model_of = weakref.ref(model)

    def score(tensors: Sequence[Any], classes: Any) -> Any:
        return _score(_forward(model_of(), tensors[0]), classes)

    together = max(1, _IMAGES_A_RUN // len(classes))
    total: Any = 0.0
    for first in range(0, count, together):
        copies = [changed(k) for k in range(first, min(first + together, count))]
        batch = np.concatenate(copies).astype("float32")
        (slopes,) = _at_logits(
            model, head, "slopes", score, [batch], np.tile(classes, len(copies))
        )
        total = total + slopes.reshape(len(copies), *copies[0].shape).sum(axis=0)
    return np.asarray(total / count, dtype="float32")


def _maps_layer(model: Any, layer: str | None) -> tuple[str, Any]:
    """Return the layer for a class activation map, by name or the best choice."""
    known = dict(_layers(model))
    if layer is not None:
        name = _validate.choice("layer", layer, known)
        return name, known[name]
    names = [name for name, found in known.items() if _is_convolution(found)]
    if not names:
        _no_convolution(model)
    # After the last convolution, its normalization and activation still belong to it.
    chosen = names[-1]
    ordered = list(known)
    for name in ordered[ordered.index(chosen) + 1 :]:
        kinds = (
            "BatchNormalization",
            "Activation",
            "ReLU",
            "Add",
            "GroupNormalization",
        )
        if not _is_a(known[name], *kinds):
            break
        chosen = name
    return chosen, known[chosen]


def _maps_and_slopes(
    model: Any, layer: Any, images: np.ndarray, classes: np.ndarray | None, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a layer's output, the gradient of the logits in it, and the logits.

    All in one run. To the output h an offset of zero is added; a second zero array is
    multiplied with h and added to the score, a third one with the logits. The gradient
    in the first is that in h; those in the others are h itself and the logits.
    """
    import keras

    ops = keras.ops
    shape, calls = _output_shape(model, layer, images, name)
    model_of, layer_of = weakref.ref(model), weakref.ref(layer)

    def score(tensors: Sequence[Any], x: Any, *given: Any) -> Any:
        offset, by_maps, by_logits = tensors
        seen: list[Any] = []

        def change(output: Any) -> Any:
            # A layer that is called several times is asked about its last call.
            if len(seen) == calls - 1:
                output = output + ops.cast(offset, output.dtype)
            seen.append(output)
            return output

        with _called_as(layer_of(), change):
            logits = _forward(model_of(), x)
        value = _score_and_logits(logits, given, by_logits)
        return value + ops.sum(ops.cast(seen[-1], "float32") * by_maps)

    units = _classifier_units(model, images)
    offset, by_maps = np.zeros(shape, "float32"), np.zeros(shape, "float32")
    by_logits = np.zeros((len(images), units), "float32")
    given = [] if classes is None else [classes]
    slopes, maps, logits = _at_logits(
        model,
        _head(model, images),
        name,
        score,
        [offset, by_maps, by_logits],
        images,
        *given,
    )
    return maps, slopes, logits


def _output_shape(
    model: Any, layer: Any, images: np.ndarray, name: str
) -> tuple[tuple[int, ...], int]:
    """Return the shape of a layer's last output, and how often it is called."""
    import keras

    shapes: list[tuple[Any, ...]] = []
    if getattr(model, "inputs", None):
        shapes = [
            (len(images), *step.output_shapes[0][1:])
            for step in _graph.follow(model, [images.shape[1:]]).steps
            if step.operation is layer
        ]
    if not shapes:  # inside a class with a `call` of its own: only a run can tell

        def note(output: Any) -> Any:
            shapes.append(tuple(output.shape))
            return output

        with _called_as(layer, note):
            _forward(model, keras.ops.convert_to_tensor(images))
    shape = shapes[-1]
    if len(shape) != 4:
        _validate.fail_with_words(
            "layer",
            "a layer that puts out a stack of maps",
            f"{name!r}, with outputs of shape {shape}",
        )
    return shape, len(shapes)
