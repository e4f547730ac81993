"""What heat maps and filter pictures cost, beside the packages that others use.

    python -m benchmarks heat_maps

All methods explain the same images with the same network. One round calls each of them
once; the table shows the medians over the rounds, so that a slow moment hits all alike.
(Called again and again, ours are traced, as Xplique's are; a first call is not.)
tf-keras-vis comes with the extra `test`; Xplique is measured where it is installed.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIDE, IMAGES, STEPS, ROUNDS, NOISE = 224, 4, 16, 5, 0.15
FILTERS, SMALL, ASCENT = 64, 128, 30
LAYER, MIDDLE = "head", "block_3b_expand_norm"


def everything() -> list[dict[str, Any]]:
    """Measure heat maps and filter pictures; return one table."""
    rows = heat_maps()
    rows += filter_pictures()
    title = (
        f"Heat maps of {IMAGES} images, {SIDE}×{SIDE}, with EfficientNet-Lite0; "
        f"median of {ROUNDS} rounds"
    )
    columns = ["What", "Time", "÷ one pass, traced"]
    note = (
        "Pictures of filters come from waves, in ours as in Xplique. Ours are products "
        "of matrices, the same on every backend; Xplique's come from a fast Fourier "
        "transform. The row with pixels in place of waves says what the waves cost."
    )
    return [{"title": title, "columns": columns, "rows": rows, "note": note}]


def heat_maps() -> list[list[str]]:
    """Time each method; return a row for each."""
    import keras

    from course_utils import pretrained

    model = pretrained.load("efficientnet-lite0", input_shape=(SIDE, SIDE, 3))
    # The packages do not know where our model keeps its softmax: all get the logits.
    logits = keras.Model(model.input, model.get_layer("logits").output)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (IMAGES, SIDE, SIDE, 3)).astype("float32")
    classes = [281, 282, 283, 285][:IMAGES]
    methods = {
        **ours(logits, images, classes),
        **of_tf_keras_vis(logits, images, classes),
        **of_xplique(logits, images, classes),
    }
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for run in methods.values():
        for _ in range(4):  # the calls that trace do not count
            run()
    for _ in range(ROUNDS):
        for name, run in methods.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    whole = medians["one forward and backward pass, traced"]
    return [
        [name, f"{value:.2f} s", f"{value / whole:.2f}"]
        for name, value in medians.items()
    ]


def ours(model: Any, images: Any, classes: list[int]) -> dict[str, Callable[[], Any]]:
    """The methods of `interpret`, and the pass that they are compared with."""
    import keras

    from course_utils import gradients, interpret

    one_hot = np.eye(model.output.shape[-1], dtype="float32")[classes]

    def score(tensors: Any) -> Any:
        return keras.ops.sum(model(tensors[0], training=False) * one_hot)

    as_written = gradients.differentiate(score, compile=False)
    traced = gradients.differentiate(score, compile=True)
    return {
        "one forward and backward pass, traced": lambda: traced([images]),
        "one forward and backward pass, as written": lambda: as_written([images]),
        "Grad-CAM, ours": lambda: interpret.grad_cam(
            model, images, classes, layer=LAYER
        ),
        "gradient, ours (and the logits, which the others leave out)": lambda: (
            interpret.gradient(model, images, classes)
        ),
        f"SmoothGrad, {STEPS} copies, ours": lambda: interpret.smooth_grad(
            model, images, classes, samples=STEPS, noise=NOISE
        ),
        f"integrated gradients, {STEPS} steps, ours": lambda: (
            interpret.integrated_gradients(model, images, classes, steps=STEPS)
        ),
    }


def of_tf_keras_vis(
    model: Any, images: Any, classes: list[int]
) -> dict[str, Callable[[], Any]]:
    """The same by tf-keras-vis (Kubota), which has no integrated gradients."""
    if not importlib.util.find_spec("tf_keras_vis"):
        return {}
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    score = CategoricalScore(classes)
    cam, saliency = Gradcam(model, clone=False), Saliency(model, clone=False)
    return {
        "Grad-CAM, tf-keras-vis": lambda: cam(
            score, images, penultimate_layer=LAYER, normalize_cam=False
        ),
        "gradient, tf-keras-vis": lambda: saliency(score, images, normalize_map=False),
        f"SmoothGrad, {STEPS} copies, tf-keras-vis": lambda: saliency(
            score,
            images,
            smooth_samples=STEPS,
            smooth_noise=NOISE,
            normalize_map=False,
        ),
    }


def of_xplique(
    model: Any, images: Any, classes: list[int]
) -> dict[str, Callable[[], Any]]:
    """The same by Xplique (Fel et al., 2022), where it is installed."""
    if not importlib.util.find_spec("xplique"):
        return {}
    from xplique import attributions

    one_hot = np.eye(model.output.shape[-1], dtype="float32")[classes]
    cam = attributions.GradCAM(model, conv_layer=LAYER)
    saliency = attributions.Saliency(model)
    smooth = attributions.SmoothGrad(model, nb_samples=STEPS, noise=255 * NOISE)
    integrated = attributions.IntegratedGradients(model, steps=STEPS)
    return {
        "Grad-CAM, Xplique": lambda: cam(images, one_hot),
        "gradient, Xplique": lambda: saliency(images, one_hot),
        f"SmoothGrad, {STEPS} copies, Xplique": lambda: smooth(images, one_hot),
        f"integrated gradients, {STEPS} steps, Xplique": lambda: integrated(
            images, one_hot
        ),
    }


def filter_pictures() -> list[list[str]]:
    """Time pictures of 64 filters of a middle layer; return a row for each way.

    All follow the mean of each filter's map for the same number of steps, move the
    image at each, and change all pictures in one batch. Each is asked twice, and the
    faster answer counts: nothing is kept from one to the next.
    """
    import keras

    from course_utils import interpret, pretrained

    model = pretrained.load(
        "efficientnet-lite0", include_top=False, input_shape=(SMALL, SMALL, 3)
    )
    filters = list(range(FILTERS))
    maps = keras.Model(model.input, model.get_layer(MIDDLE).output)

    def pictures(fourier: bool) -> Any:
        return interpret.visualize(
            model, MIDDLE, filters, size=SMALL, steps=ASCENT, jitter=8, fourier=fourier
        )

    ways: dict[str, Callable[[], Any]] = {
        "ours, pixels in place of waves": lambda: pictures(False),
        "ours": lambda: pictures(True),
        **pictures_of_tf_keras_vis(maps, filters),
        **pictures_of_xplique(model, filters),
    }
    what = f"pictures of {FILTERS} filters of {MIDDLE}, {SMALL}×{SMALL}, {ASCENT} steps"
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(2):
        for name, run in ways.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return [
        [f"{what}, {name}", f"{min(both):.1f} s", ""] for name, both in seconds.items()
    ]


def pictures_of_tf_keras_vis(
    maps: Any, filters: list[int]
) -> dict[str, Callable[[], Any]]:
    """Pixels that move, in the same noise as ours starts from, without its extras."""
    if not importlib.util.find_spec("tf_keras_vis"):
        return {}
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.activation_maximization.input_modifiers import Jitter
    from tf_keras_vis.utils.scores import CategoricalScore

    ascend = ActivationMaximization(maps, clone=False)
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 255, (len(filters), SMALL, SMALL, 3)).astype("float32")
    return {
        "tf-keras-vis": lambda: ascend(
            CategoricalScore(filters),
            seed_input=noise,
            input_modifiers=[Jitter(8)],
            regularizers=[],
            steps=ASCENT,
        )
    }


def pictures_of_xplique(model: Any, filters: list[int]) -> dict[str, Callable[[], Any]]:
    """Waves that move, as ours, where Xplique is installed."""
    if not importlib.util.find_spec("xplique"):
        return {}
    from xplique import features_visualizations as features
    from xplique.features_visualizations import transformations

    return {
        "Xplique": lambda: features.optimize(
            features.Objective.channel(model, MIDDLE, filters),
            nb_steps=ASCENT,
            values_range=(0, 255),
            transformations=transformations.random_jitter(8),
            custom_shape=(SMALL, SMALL),
        )
    }
