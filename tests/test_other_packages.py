"""Heat maps equal those of well-kept packages, on the models that those support.

tf-keras-vis comes with the extra `test`. Xplique wants an older TensorFlow than the
lock has: its test runs where somebody has installed it.
"""

from __future__ import annotations

import numpy as np
import pytest

from course_utils import interpret

import keras  # isort: skip
from keras import layers, ops  # isort: skip

if keras.backend.backend() != "tensorflow":
    pytest.skip("these packages know TensorFlow only", allow_module_level=True)
pytest.importorskip("tf_keras_vis")

from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
from tf_keras_vis.utils.scores import CategoricalScore

IMAGES = np.random.default_rng(0).uniform(0, 1, (3, 16, 14, 3)).astype("float32")
CLASSES = [0, 1, 3]


def body(x):
    """Maps as large as the image, so that nobody's way to enlarge them counts."""
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="maps")(x)
    return x


def functional(activation="softmax", end=None):
    inputs = keras.Input(IMAGES.shape[1:])
    x = layers.GlobalAveragePooling2D()(body(inputs))
    x = layers.Dense(4, activation=activation)(x)
    return keras.Model(inputs, x if end is None else end(x))


def flattened(activation="softmax"):
    inputs = keras.Input(IMAGES.shape[1:])
    x = layers.Flatten()(body(inputs))
    return keras.Model(inputs, layers.Dense(4, activation=activation)(x))


def sequential():
    steps = [step for step in functional().layers if step.weights]
    pooling = layers.GlobalAveragePooling2D()
    inputs = keras.Input(IMAGES.shape[1:])
    return keras.Sequential([inputs, *steps[:2], pooling, steps[2]])


def nested():
    inputs = keras.Input(IMAGES.shape[1:])
    base = keras.Model(inputs, body(inputs), name="base")
    inputs = keras.Input(IMAGES.shape[1:])
    x = layers.GlobalAveragePooling2D()(base(inputs))
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(x))


def inside():
    """A whole classifier as the only layer of another model."""
    inputs = keras.Input(IMAGES.shape[1:])
    return keras.Model(inputs, functional()(inputs))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        options = {"padding": "same", "activation": "relu"}
        self.first = layers.Conv2D(4, 3, **options)
        self.maps = layers.Conv2D(5, 3, **options, name="maps")
        self.head = layers.Dense(4, activation="softmax")

    def call(self, x):
        return self.head(ops.mean(self.maps(self.first(x)), axis=(1, 2)))


def subclassed():
    model = Subclassed()
    model(IMAGES)
    return model


def softmax_layer():
    return functional(None, layers.Softmax())


def softmax_operation():
    return functional(None, ops.softmax)


def float32_at_the_end():
    """As models of mixed precision have it."""
    return functional(end=layers.Activation("linear", dtype="float32"))


def filled(model, seed):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.get_weights()])
    return model


def close(ours, theirs):
    """Compare to 1e-4 of the largest value."""
    assert ours.max() > 0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(ours).max())


def their_grad_cam(model, layer):
    explain = Gradcam(model, model_modifier=ReplaceToLinear(), clone=True)
    score = CategoricalScore(CLASSES)
    return explain(score, IMAGES, penultimate_layer=layer, normalize_cam=False)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("build", [functional, flattened])
@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
def test_grad_cam_is_that_of_tf_keras_vis(build, seed):
    model = filled(build(), seed)
    ours = interpret.grad_cam(model, IMAGES, CLASSES, layer="maps")
    close(ours.maps, np.asarray(their_grad_cam(model, "maps")))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("build", [functional, flattened])
@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
def test_the_gradient_is_that_of_tf_keras_vis(build, seed):
    model = filled(build(), seed)
    ours = interpret.gradient(model, IMAGES, CLASSES)
    close(ours.maps, their_gradient(model))


def their_gradient(model):
    explain = Saliency(model, model_modifier=ReplaceToLinear(), clone=True)
    score = CategoricalScore(CLASSES)
    return np.asarray(explain(score, IMAGES, normalize_map=False))


#: Where it raises an error, and where it gives the map of the probability in silence.
ITS_ERRORS = [
    (sequential, AttributeError),
    (nested, ValueError),
    (inside, ValueError),
    (subclassed, TypeError),
    (softmax_operation, ValueError),
]
ITS_OTHER_MAPS = [softmax_layer, float32_at_the_end]


@pytest.mark.parametrize(("build", "error"), ITS_ERRORS)
def test_where_tf_keras_vis_fails_ours_gives_the_same_map(build, error):
    model = filled(build(), 0)
    with pytest.raises(error):
        their_grad_cam(model, None)
    is_that_of_the_plain_model(model)


@pytest.mark.parametrize("build", ITS_OTHER_MAPS)
@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
def test_where_tf_keras_vis_keeps_the_softmax_ours_takes_it_off(build):
    model = filled(build(), 0)
    ours = interpret.gradient(model, IMAGES, CLASSES).maps
    assert np.abs(their_gradient(model) - ours).max() > 0.1 * ours.max()
    maps = np.asarray(their_grad_cam(model, "maps"))
    cam = interpret.grad_cam(model, IMAGES, CLASSES, layer="maps").maps
    assert np.abs(maps - cam).max() > 0.1 * cam.max()
    is_that_of_the_plain_model(model)


def is_that_of_the_plain_model(model):
    """Compare with a functional model of the same weights, which tf-keras-vis knows."""
    same = filled(functional(), 0)
    layer = next(n for n in interpret.convolutions(model) if n.endswith("maps"))
    for ours, plain in [
        (
            interpret.grad_cam(model, IMAGES, CLASSES, layer=layer),
            interpret.grad_cam(same, IMAGES, CLASSES, layer="maps"),
        ),
        (
            interpret.gradient(model, IMAGES, CLASSES),
            interpret.gradient(same, IMAGES, CLASSES),
        ),
        (
            interpret.integrated_gradients(model, IMAGES, CLASSES, steps=4),
            interpret.integrated_gradients(same, IMAGES, CLASSES, steps=4),
        ),
    ]:
        close(ours.maps, plain.maps)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_grad_cam_and_integrated_gradients_are_those_of_xplique(seed):
    xplique = pytest.importorskip("xplique.attributions")
    one_hot = np.eye(4, dtype="float32")[CLASSES]
    model = filled(flattened(None), seed)
    theirs = xplique.GradCAM(model, conv_layer="maps")(IMAGES, one_hot)
    ours = interpret.grad_cam(model, IMAGES, CLASSES, layer="maps")
    close(ours.maps, np.asarray(theirs)[..., 0])
    # Without kinks, its trapezoids and our midpoints have the same limit.
    inputs = keras.Input(IMAGES.shape[1:])
    x = layers.Conv2D(4, 3, activation="tanh")(inputs)
    smooth = filled(keras.Model(inputs, layers.Dense(4)(layers.Flatten()(x))), seed)
    explain = xplique.IntegratedGradients(smooth, steps=200, reducer="sum")
    ours = interpret.integrated_gradients(smooth, IMAGES, CLASSES, steps=100)
    close(ours.maps, np.asarray(explain(IMAGES, one_hot))[..., 0])
