"""Heat maps equal those of well-kept packages, on the models that those support.

tf-keras-vis comes with the extra `test`. Xplique wants an older TensorFlow than the
lock has: its test runs where somebody has installed it.
"""

from __future__ import annotations

import numpy as np
import pytest

from course_utils import interpret

import keras  # isort: skip
from keras import layers  # isort: skip

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


def functional(activation="softmax"):
    inputs = keras.Input(IMAGES.shape[1:])
    x = layers.GlobalAveragePooling2D()(body(inputs))
    return keras.Model(inputs, layers.Dense(4, activation=activation)(x))


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
    explain = Saliency(model, model_modifier=ReplaceToLinear(), clone=True)
    theirs = explain(CategoricalScore(CLASSES), IMAGES, normalize_map=False)
    close(interpret.gradient(model, IMAGES, CLASSES).maps, np.asarray(theirs))


@pytest.mark.parametrize(
    ("build", "layer", "error"),
    [(sequential, "maps", AttributeError), (nested, "base/maps", ValueError)],
)
def test_where_tf_keras_vis_fails_ours_gives_the_same_map(build, layer, error):
    model = filled(build(), 0)
    with pytest.raises(error):
        their_grad_cam(model, None)
    same = filled(functional(), 0)
    expected = interpret.grad_cam(same, IMAGES, CLASSES, layer="maps")
    close(interpret.grad_cam(model, IMAGES, CLASSES, layer=layer).maps, expected.maps)


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
