"""How good is a heat map? Tests that do not ask whether it looks right.

Three questions, each with a measure that a heat map can fail:

- does it depend on what the net has learned? (`randomized`, `similarity`)
- does it name the pixels that the net needs? (`deletion`, `insertion`)
- does it point at the object? (`pointing_game`, where the object is known)

and two opponents that know nothing of the net: `edges` and `random_maps`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils import _graph, _validate, interpret

__all__ = [
    "Curves",
    "deletion",
    "edges",
    "insertion",
    "pointing_game",
    "random_maps",
    "randomized",
    "similarity",
]


_IMAGES_A_RUN = 64


@dataclass(frozen=True)
class Curves:
    """The score of each image while pixels are changed, the most important ones first.

    Attributes:
        share: the share of the pixels that are changed, shape (steps + 1,).
        scores: the probability of the class, shape (n, steps + 1).
    """

    share: np.ndarray
    scores: np.ndarray

    @property
    def area(self) -> np.ndarray:
        """Return the area under each image's curve, shape (n,), from 0 to 1."""
        heights = (self.scores[:, 1:] + self.scores[:, :-1]) / 2
        return np.asarray((heights * np.diff(self.share)).sum(axis=1))


def deletion(
    model: Any,
    images: Any,
    maps: Any,
    classes: Any,
    *,
    steps: int = 20,
    fill: Any = None,
) -> Curves:
    """Replace the hottest pixels first and watch the probability of the class fall.

    Taught in lesson 13.

    Petsiuk et al. (2018). A small area is good: what was hottest was needed.

    Args:
        model: a classifier that gives probabilities: softmax, or one sigmoid unit.
        images: shape (n, height, width, channels), as the model takes them.
        maps: `HeatMaps`, or an array of shape (n, height, width).
        classes: a class for all images, or one for each.
        steps: in how many equal parts the pixels are replaced.
        fill: the value of a replaced pixel: a number, or one for each channel; by
            default the mean color of each image.

    Returns:
        `Curves`.

    Raises:
        TypeError: for anything but a Keras model, numbers and whole numbers.
        ValueError: for shapes that do not belong together, outputs that are no
            probabilities, a class out of range, NaN, or more steps than pixels.

    Example:
        >>> deletion(model, images, maps, maps.classes).area.mean()  # small is good
    """
    return _changed(model, images, maps, classes, steps, fill, delete=True)


def insertion(
    model: Any,
    images: Any,
    maps: Any,
    classes: Any,
    *,
    steps: int = 20,
    fill: Any = None,
) -> Curves:
    """Show the hottest pixels first and watch the probability of the class rise.

    Taught in lesson 13.

    Petsiuk et al. (2018). A large area is good: what was hottest is enough.

    Args:
        model: as in `deletion`.
        images: as in `deletion`.
        maps: as in `deletion`.
        classes: as in `deletion`.
        steps: in how many equal parts the pixels are shown.
        fill: the value of a pixel that is not shown, as in `deletion`.

    Returns:
        `Curves`.

    Raises:
        TypeError: as `deletion`.
        ValueError: as `deletion`.

    Example:
        >>> insertion(model, images, maps, maps.classes).area.mean()  # large is good
    """
    return _changed(model, images, maps, classes, steps, fill, delete=False)


def _changed(
    model: Any,
    images: Any,
    maps: Any,
    classes: Any,
    steps: int,
    fill: Any,
    *,
    delete: bool,
) -> Curves:
    _validate.keras_model("model", model)
    images = _validate.array("images", images, ndim=4, dtype="float32")
    n, height, width, channels = images.shape
    maps = _validate.array("maps", maps, shape=(n, height, width), dtype="float32")
    steps = _validate.integer("steps", steps, 1, height * width)
    classes = _validate.class_numbers("classes", classes, n)
    if fill is None:
        color = images.mean(axis=(1, 2))
    else:
        color = _validate.array("fill", fill, dtype="float32")
        if color.shape not in ((), (1,), (channels,)):
            _validate.fail("fill", f"a number, or {channels} of them", fill)
        color = np.broadcast_to(color, (n, channels))
    flat = images.reshape(n, -1, channels)
    # A stable sort: of equally hot pixels the first comes first, on every machine.
    order = np.argsort(-maps.reshape(n, -1), axis=1, kind="stable")
    share = np.round(np.linspace(0, height * width, steps + 1)).astype(int)
    blank = np.broadcast_to(color[:, None], flat.shape)
    current = np.array(flat if delete else blank)
    source = blank if delete else flat
    scores = []
    for k in range(steps + 1):
        if k:
            places = order[:, share[k - 1] : share[k]]
            new = np.take_along_axis(source, places[..., None], axis=1)
            np.put_along_axis(current, places[..., None], new, axis=1)
        outputs = _predicted(model, current.reshape(images.shape))
        scores.append(_probabilities(outputs, classes))
    return Curves(share / (height * width), np.stack(scores, axis=1))


def _predicted(model: Any, images: np.ndarray) -> np.ndarray:
    """Return the outputs; `predict` would make a pipeline for each of many calls."""
    batches = range(0, len(images), _IMAGES_A_RUN)
    rows = [model.predict_on_batch(images[k : k + _IMAGES_A_RUN]) for k in batches]
    return np.concatenate([np.asarray(row) for row in rows])


def _probabilities(outputs: Any, classes: np.ndarray) -> np.ndarray:
    outputs = np.asarray(outputs, dtype="float64")
    if outputs.ndim != 2:
        _validate.fail("model", "a classifier: one row of outputs an image", outputs)
    if outputs.shape[1] == 1:
        outputs = np.hstack([1 - outputs, outputs])
    if outputs.min() < -1e-6 or not np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        came = f"outputs from {outputs.min():.3g} to {outputs.max():.3g}"
        _validate.fail_with_words("model", "a model that gives probabilities", came)
    if classes.min() < 0 or classes.max() >= outputs.shape[1]:
        expected = f"classes from 0 to {outputs.shape[1] - 1}"
        came = f"classes from {classes.min()} to {classes.max()}"
        _validate.fail_with_words("classes", expected, came)
    return np.asarray(outputs[np.arange(len(outputs)), classes])


def pointing_game(maps: Any, masks: Any, *, tolerance: int = 0) -> np.ndarray:
    """Tell for each image whether the hottest pixel lies on the object.

    Taught in lesson 13.

    Zhang et al. (2018). Of several hottest pixels the first counts.

    Args:
        maps: `HeatMaps`, or an array of shape (n, height, width).
        masks: where the object is: True or above 0, shape (n, height, width).
        tolerance: a miss by so many pixels still counts as a hit.

    Returns:
        Booleans, shape (n,).

    Raises:
        TypeError: for anything but numbers.
        ValueError: for shapes that differ, an empty mask, NaN, or a negative tolerance.

    Example:
        >>> pointing_game(maps, masks).mean()  # the hit rate
    """
    maps = _validate.array("maps", maps, ndim=3)
    masks = _validate.array("masks", masks, shape=maps.shape) > 0
    tolerance = _validate.integer("tolerance", tolerance, 0)
    empty = int((~masks.any(axis=(1, 2))).sum())
    if empty:
        came = f"{empty} of {len(masks)} without one"
        _validate.fail_with_words("masks", "an object in each mask", came)
    hits = []
    for heat, mask in zip(maps, masks, strict=True):
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        rows, columns = np.nonzero(mask)
        nearest = ((rows - y) ** 2 + (columns - x) ** 2).min()
        hits.append(nearest <= tolerance**2)
    return np.array(hits)


def randomized(model: Any, layers: int | None = None, *, seed: int = 0) -> Any:
    """Return a copy of a model whose last layers have lost what they learned.

    Taught in lesson 13.

    Adebayo et al. (2018): the weights of each layer are shuffled, so that their
    distribution stays. A heat map that looks the same for this copy does not show what
    the net has learned.

    Args:
        model: a functional or Sequential Keras model; it stays as it was.
        layers: how many layers with weights, counted from the output; None for all.
        seed: of the shuffles.

    Returns:
        A new model. Running statistics are shuffled too.

    Raises:
        TypeError: for anything but a Keras model and whole numbers.
        ValueError: for a subclassed model, or more layers than there are.

    Example:
        >>> similarity(maps, grad_cam(randomized(model, layers=1), images))
    """
    import keras

    _graph.graph_model("model", model)
    rng = np.random.default_rng(_validate.integer("seed", seed, 0))
    count = len(_weighted(model))
    layers = count if layers is None else _validate.integer("layers", layers, 0, count)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in _weighted(copy)[count - layers :]:
        layer.set_weights([rng.permuted(w, axis=None) for w in layer.get_weights()])
    return copy


def _weighted(model: Any) -> list[Any]:
    """Return the layers with weights, from the input to the output."""
    found = {
        id(step.operation): step.operation
        for step in _graph.follow(model).steps
        if getattr(step.operation, "weights", None)
    }
    return list(found.values())


def similarity(maps: Any, others: Any) -> np.ndarray:
    """Return the rank correlation of two heat maps of each image.

    Taught in lesson 13.

    Spearman's, from SciPy: 1 for the same order of the pixels, about 0 for maps that
    have nothing to do with each other.

    Args:
        maps: `HeatMaps`, or an array of shape (n, height, width).
        others: the same shape.

    Returns:
        Shape (n,); NaN where a map is the same everywhere.

    Raises:
        TypeError: for anything but numbers.
        ValueError: for shapes that differ, or NaN.

    Example:
        >>> similarity(maps, edges(images))  # 1 would be an edge detector
    """
    from scipy import stats

    maps = _validate.array("maps", maps, ndim=3)
    others = _validate.array("others", others, shape=maps.shape)
    found = []
    for one, other in zip(maps, others, strict=True):
        flat = np.ptp(one) == 0 or np.ptp(other) == 0
        rank = np.nan if flat else stats.spearmanr(one, other, axis=None).statistic
        found.append(rank)
    return np.array(found, dtype=float)


def edges(images: Any, *, blur: float = 2.0) -> interpret.HeatMaps:
    """Return where an image has edges: an opponent that knows nothing of a net.

    Taught in lesson 13.

    Args:
        images: shape (n, height, width, channels).
        blur: the standard deviation of the Gaussian derivative, in pixels.

    Returns:
        `HeatMaps`: the size of the gradient of the gray image, from SciPy.

    Raises:
        TypeError: for anything but numbers.
        ValueError: for another shape, NaN, or a blur that is not positive.

    Example:
        >>> pointing_game(edges(images), masks).mean()
    """
    from scipy import ndimage

    images = _validate.array("images", images, ndim=4, dtype="float32")
    blur = _validate.number("blur", blur, 0.1)
    maps = [
        ndimage.gaussian_gradient_magnitude(image.mean(axis=-1), blur)
        for image in images
    ]
    return _of_no_class(np.stack(maps).astype("float32"), "edge detector")


def random_maps(images: Any, *, seed: int = 0) -> interpret.HeatMaps:
    """Return heat maps of noise: the opponent that everyone should beat.

    Taught in lesson 13.

    Args:
        images: shape (n, height, width, channels).
        seed: of the noise.

    Returns:
        `HeatMaps` of numbers between 0 and 1.

    Raises:
        TypeError: for anything but numbers.
        ValueError: for another shape, or a seed below 0.

    Example:
        >>> deletion(model, images, random_maps(images), classes)
    """
    images = _validate.array("images", images, ndim=4)
    rng = np.random.default_rng(_validate.integer("seed", seed, 0))
    return _of_no_class(rng.random(images.shape[:3], "float32"), "random")


def _of_no_class(maps: np.ndarray, method: str) -> interpret.HeatMaps:
    nothing = np.full(len(maps), np.nan)
    return interpret.HeatMaps(maps, np.full(len(maps), -1), nothing, method)
