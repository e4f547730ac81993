"""`interpret`: activations and heat maps, on every kind of model and head."""

from __future__ import annotations

import numpy as np
import pytest

from course_utils import interpret, nets

import keras  # isort: skip
from keras import layers, ops  # isort: skip

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 1, (3, 16, 14, 3)).astype("float32")
METHODS = [
    interpret.grad_cam,
    interpret.hires_cam,
    interpret.gradient,
    interpret.smooth_grad,
    interpret.integrated_gradients,
]


def body(x):
    x = layers.Conv2D(4, 3, padding="same", name="first")(x)
    x = layers.ReLU(name="first_relu")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="second")(x)
    return x


SHAPE, ANY = IMAGES.shape[1:], (None, None, 3)


def functional(head="softmax", classes=4, flatten=False, shape=SHAPE):
    inputs = keras.Input(shape)
    x = body(inputs)
    x = layers.Flatten()(x) if flatten else layers.GlobalAveragePooling2D()(x)
    if head == "softmax layer":
        x = layers.Softmax()(layers.Dense(classes, name="logits")(x))
    elif head == "activation layer":
        x = layers.Activation("softmax")(layers.Dense(classes, name="logits")(x))
    elif head == "operation":
        x = ops.softmax(layers.Dense(classes, name="logits")(x))
    elif head == "logarithm":
        x = layers.Dense(classes, activation="log_softmax", name="logits")(x)
    elif head == "not the end":
        x = layers.Dense(classes, activation="softmax", name="logits")(x)
        x = layers.Activation("linear", dtype="float32")(layers.Dropout(0.5)(x))
    else:
        x = layers.Dense(classes, activation=head, name="logits")(x)
    return keras.Model(inputs, x)


def sequential(shape=SHAPE):
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(4, 3, padding="same", name="first"),
            layers.ReLU(name="first_relu"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Conv2D(5, 3, padding="same", activation="relu", name="second"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax", name="logits"),
        ]
    )


def nested(shape=SHAPE):
    inputs = keras.Input(ANY)
    base = keras.Model(inputs, body(inputs), name="base")
    inputs = keras.Input(shape)
    x = layers.GlobalAveragePooling2D()(base(inputs))
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="logits")(x))


class Subclassed(keras.Model):
    ending = "softmax"

    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(4, 3, padding="same", name="first")
        self.pool = layers.MaxPooling2D(2, name="pool")
        self.second = layers.Conv2D(5, 3, padding="same", name="second")
        self.logits = layers.Dense(4, activation=self.ending, name="logits")

    def call(self, x):
        x = self.pool(ops.relu(self.first(x)))
        return self.logits(ops.mean(ops.relu(self.second(x)), axis=(1, 2)))


def subclassed(shape=SHAPE, kind=Subclassed):
    del shape  # it takes any
    model = kind()
    model(IMAGES)
    return model


class HeadFirst(Subclassed):
    """The same, but the layer that is called last was made first, and one is unused."""

    def __init__(self):
        keras.Model.__init__(self)
        self.logits = layers.Dense(4, activation="softmax", name="logits")
        self.first = layers.Conv2D(4, 3, padding="same", name="first")
        self.pool = layers.MaxPooling2D(2, name="pool")
        self.second = layers.Conv2D(5, 3, padding="same", name="second")
        self.unused = layers.Softmax(name="unused")


class NoLayerAtTheEnd(Subclassed):
    """The softmax is written in `call`, where nothing can take it off."""

    ending = None

    def call(self, x):
        return ops.softmax(super().call(x))


class Block(layers.Layer):
    """What `body` does, as one layer with a `call` of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first = layers.Conv2D(4, 3, padding="same", name="first")
        self.pool = layers.MaxPooling2D(2, name="pool")
        self.second = layers.Conv2D(5, 3, padding="same", name="second")

    def build(self, shape):
        self.first.build(shape)
        self.second.build((None, None, None, 4))

    def call(self, x):
        return ops.relu(self.second(self.pool(ops.relu(self.first(x)))))


def of_blocks(shape=SHAPE):
    inputs = keras.Input(shape)
    x = layers.GlobalAveragePooling2D()(Block(name="block")(inputs))
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="logits")(x))


def same_weights(model, seed=1):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.get_weights()])
    return model


KINDS = {
    "functional": functional,
    "Sequential": sequential,
    "nested": nested,
    "subclassed": subclassed,
}


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return same_weights(KINDS[request.param]())


@pytest.fixture(scope="module")
def reference():
    """The model by hand, in NumPy from its maps on: maps, logits."""
    model = same_weights(functional())
    maps = keras.Model(model.input, model.get_layer("second").output)
    dense = model.get_layer("logits")
    kernel, bias = (ops.convert_to_numpy(w) for w in dense.weights)
    found = ops.convert_to_numpy(maps(IMAGES))
    return found, found.mean(axis=(1, 2)) @ kernel + bias, kernel


# ------------------------------------------------------------------------- activations


def test_activations_are_those_of_the_layers(model, reference):
    name = next(n for n in interpret.convolutions(model) if n.endswith("second"))
    maps = interpret.activations(model, IMAGES, [name], batch_size=2)[name]
    assert maps.shape == (3, 8, 7, 5)
    np.testing.assert_allclose(np.maximum(maps, 0), reference[0], atol=1e-5)


def test_convolutions_are_named_in_order(model):
    names = [name.rsplit("/", 1)[-1] for name in interpret.convolutions(model)]
    assert names == ["first", "second"]


def test_a_block_that_is_a_class_of_its_own_is_opened():
    model, flat = same_weights(of_blocks()), same_weights(functional())
    assert interpret.convolutions(model) == ["block/first", "block/second"]
    found = interpret.activations(model, IMAGES, ["block/first", "block"])
    expected = interpret.activations(flat, IMAGES, ["first", "second"])
    np.testing.assert_allclose(found["block/first"], expected["first"], rtol=1e-5)
    np.testing.assert_allclose(found["block"], expected["second"], rtol=1e-4, atol=1e-5)
    # The class activates behind its convolution, so its whole output is what counts.
    ours = interpret.grad_cam(model, IMAGES, layer="block")
    theirs = interpret.grad_cam(flat, IMAGES)
    np.testing.assert_allclose(ours.maps, theirs.maps, rtol=1e-4, atol=1e-5)
    assert interpret.grad_cam(model, IMAGES).maps.shape == theirs.maps.shape


def twice(shared):
    """Two calls of a convolution: of one layer, or of two."""
    inputs = keras.Input((12, 10, 3))
    one = layers.Conv2D(3, 3, padding="same", activation="tanh", name="one")
    two = layers.Conv2D(3, 3, padding="same", activation="tanh", name="two")
    x = (one if shared else two)(one(inputs))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="logits")(x))


def test_a_layer_that_is_called_twice_is_asked_about_its_last_call():
    shared, apart = same_weights(twice(True)), twice(False)
    kernel, bias, *dense = shared.get_weights()
    apart.set_weights([kernel, bias, kernel, bias, *dense])
    images = IMAGES[:, :12, :10]
    for method in (interpret.grad_cam, interpret.hires_cam):
        found = method(shared, images, layer="one").maps
        expected = method(apart, images, layer="two").maps
        assert expected.max() > 1e-3
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_layer_with_two_names_can_be_watched_under_both():
    conv = layers.Conv2D(3, 3, padding="same", name="conv")
    inputs = keras.Input((12, 10, 3))
    first, second = (
        keras.Sequential([keras.Input((12, 10, 3)), conv], name=n) for n in "ab"
    )
    x = layers.GlobalAveragePooling2D()(second(first(inputs)))
    model = same_weights(keras.Model(inputs, layers.Dense(4)(x)))
    images = IMAGES[:, :12, :10]
    found = interpret.activations(model, images, ["a/conv", "b/conv"])
    last = ops.convert_to_numpy(second(first(images)))
    for maps in found.values():
        np.testing.assert_allclose(maps, last, rtol=1e-5, atol=1e-6)
    assert "call" not in vars(conv)  # the layer is as it was


def test_a_model_of_mixed_precision_has_maps():
    usual = same_weights(functional())
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = same_weights(functional())
    finally:
        keras.config.set_dtype_policy(before)
    for method in (interpret.grad_cam, interpret.hires_cam, interpret.gradient):
        found, expected = (method(m, IMAGES, 1).maps for m in (half, usual))
        assert found.dtype == np.float32
        scale = expected.max()
        assert np.abs(found - expected).mean() < 0.05 * scale


def test_the_nine_maps_of_the_plain_convnet():
    net = nets.plain_convnet()
    maps = interpret.activations(net, np.zeros((1, 180, 180, 3)))
    widths = [m.shape[2] for m in maps.values()]
    assert widths == [178, 89, 87, 43, 41, 20, 18, 9, 7]


def test_sparsity_counts_zeros_and_dead_filters():
    maps = np.ones((2, 2, 2, 4))
    maps[..., 0] = 0
    maps[0, ..., 1] = 0
    assert interpret.sparsity(maps) == (0.375, 0.25)


# --------------------------------------------------------------------------- heat maps


def test_grad_cam_is_the_formula(model, reference):
    maps, logits, kernel = reference
    heat = interpret.grad_cam(model, IMAGES, classes=[0, 2, 3])
    assert heat.maps.shape == (3, 16, 14)
    np.testing.assert_array_equal(heat.classes, [0, 2, 3])
    np.testing.assert_allclose(heat.scores, logits[[0, 1, 2], [0, 2, 3]], atol=1e-5)
    weights = kernel[:, [0, 2, 3]].T / (8 * 7)
    small = np.maximum((maps * weights[:, None, None]).sum(-1), 0)
    enlarged = ops.convert_to_numpy(ops.image.resize(small[..., None], (16, 14)))
    if type(model) is not Subclassed:  # its ReLU is no layer: the maps are before it
        np.testing.assert_allclose(heat.maps, enlarged[..., 0], atol=1e-6)
        assert heat.layer.endswith("second")


def test_under_average_pooling_hires_cam_equals_grad_cam_and_with_flatten_not():
    pooled, flat = (same_weights(functional(flatten=f)) for f in (False, True))
    pairs = [
        [np.asarray(method(net, IMAGES, 1)) for method in METHODS[:2]]
        for net in (pooled, flat)
    ]
    np.testing.assert_allclose(*pairs[0], atol=1e-6)
    assert np.abs(pairs[1][0] - pairs[1][1]).max() > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_every_kind_of_model_gives_the_same_map(method):
    found = [
        method(same_weights(build()), IMAGES, 1).maps
        for name, build in KINDS.items()
        if name != "subclassed" or "cam" not in method.__name__
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_who_asks_often_gets_the_same_maps_and_sees_new_weights(method):
    model = same_weights(functional())
    first = method(model, IMAGES, [0, 1, 2])
    for _ in range(4):  # on TensorFlow the last ones are compiled
        again = method(model, IMAGES, [0, 1, 2])
    np.testing.assert_allclose(again.maps, first.maps, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(again.scores, first.scores, rtol=1e-5)
    same_weights(model, seed=2)
    other = method(model, IMAGES, [0, 1, 2])
    fresh = method(same_weights(functional(), seed=2), IMAGES, [0, 1, 2])
    np.testing.assert_allclose(other.maps, fresh.maps, rtol=1e-4, atol=1e-6)
    assert np.abs(other.maps - first.maps).max() > 1e-3


def test_what_is_kept_for_a_model_goes_with_it():
    import gc

    gc.collect()
    before = len(interpret._asked)
    model = same_weights(functional())
    for _ in range(5):
        interpret.grad_cam(model, IMAGES, 1)
    assert len(interpret._asked) == before + 1
    del model
    gc.collect()
    assert len(interpret._asked) <= before


HEADS = ["softmax", "softmax layer", "activation layer"]
HEADS += ["operation", "logarithm", "not the end"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("method", METHODS)
def test_a_softmax_at_the_end_changes_nothing(method, head):
    plain, ended = (same_weights(functional(h)) for h in (None, head))
    first, second = method(plain, IMAGES), method(ended, IMAGES)
    np.testing.assert_allclose(first.maps, second.maps, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first.scores, second.scores, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_head_is_the_layer_that_is_called_last(method):
    usual, strange = (subclassed(kind=kind) for kind in (Subclassed, HeadFirst))
    same_weights(usual)
    for name in ("first", "second", "logits"):
        getattr(strange, name).set_weights(getattr(usual, name).get_weights())
    first, second = method(usual, IMAGES, 1), method(strange, IMAGES, 1)
    np.testing.assert_allclose(first.maps, second.maps, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first.scores, second.scores, rtol=1e-4)
    assert strange.logits.activation is keras.activations.softmax


@pytest.mark.parametrize("method", METHODS)
def test_a_softmax_that_cannot_be_taken_off_is_no_logit(method):
    model = same_weights(subclassed(kind=NoLayerAtTheEnd))
    with pytest.raises(ValueError, match="let the model end in its logits"):
        method(model, IMAGES, 1)


@pytest.mark.parametrize("method", METHODS)
def test_a_sigmoid_at_the_end_changes_nothing(method):
    plain, ended = (same_weights(functional(h, classes=1)) for h in (None, "sigmoid"))
    for of_class in (0, 1):
        first, second = (method(net, IMAGES, of_class) for net in (plain, ended))
        np.testing.assert_allclose(first.maps, second.maps, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(first.scores, second.scores, rtol=1e-4, atol=1e-6)


def test_one_sigmoid_unit_has_two_classes():
    net = same_weights(functional("sigmoid", classes=1))
    ones, zeros = (interpret.integrated_gradients(net, IMAGES, c) for c in (1, 0))
    np.testing.assert_allclose(ones.maps, -zeros.maps, atol=1e-6)
    np.testing.assert_allclose(ones.scores, -zeros.scores, atol=1e-6)
    guessed = interpret.gradient(net, IMAGES).classes
    np.testing.assert_array_equal(guessed, (ones.scores > 0).astype(int))


def test_the_model_stays_as_it_was(model):
    before = [np.array(w) for w in model.get_weights()]
    outputs = ops.convert_to_numpy(model(IMAGES))
    for method in METHODS:
        method(model, IMAGES)
    interpret.activations(model, IMAGES, interpret.convolutions(model))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(outputs, ops.convert_to_numpy(model(IMAGES)))


def test_the_gradient_is_that_of_finite_differences():
    net = same_weights(functional(None))
    heat = interpret.gradient(net, IMAGES[:1], 2).maps[0]
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    slopes = []
    for channel in range(3):
        moved = np.repeat(IMAGES[:1], 2, axis=0)
        moved[0, y, x, channel] -= 0.01
        moved[1, y, x, channel] += 0.01
        low, high = ops.convert_to_numpy(net(moved))[:, 2]
        slopes.append(abs(high - low) / 0.02)
    assert max(slopes) == pytest.approx(heat[y, x], rel=0.05)


def test_integrated_gradients_are_complete():
    net = same_weights(functional())
    rough = interpret.integrated_gradients(net, IMAGES, 1, steps=1)
    fine = interpret.integrated_gradients(net, IMAGES, 1, steps=64)
    assert fine.error.max() < 0.01
    assert fine.error.mean() < rough.error.mean()


def test_smooth_grad_without_noise_is_the_gradient_and_has_a_seed():
    net = same_weights(functional())
    still = interpret.smooth_grad(net, IMAGES, 1, samples=2, noise=0)
    np.testing.assert_allclose(
        still.maps, interpret.gradient(net, IMAGES, 1).maps, rtol=1e-5, atol=1e-7
    )
    one, again, other = (
        interpret.smooth_grad(net, IMAGES, 1, samples=2, seed=s).maps for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0


def test_images_of_another_size_where_the_model_takes_them():
    net = functional(None, shape=ANY)
    assert interpret.grad_cam(net, np.ones((2, 22, 31, 3))).maps.shape == (2, 22, 31)


def test_an_overlay_is_an_image_and_keeps_what_is_cold():
    images = np.full((1, 4, 4, 3), 100.0)
    maps = np.zeros((1, 4, 4))
    maps[0, 1, 2] = 5
    mixed = interpret.overlay(images, maps)
    assert mixed.dtype == np.uint8
    assert (mixed[0, 0] == 100).all()
    assert (mixed[0, 1, 2] != 100).any()


# -------------------------------------------------------------- what a filter looks for


def stripes_net():
    """One filter looks for upright edges, one for lying ones."""
    inputs = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    maps = layers.Conv2D(2, 3, use_bias=False, name="edges")(x)
    net = keras.Model(inputs, layers.GlobalAveragePooling2D()(maps))
    upright = np.tile(np.array([-1, 2, -1.0]) / 9, (3, 1))
    kernel = np.stack([upright, upright.T], axis=-1)[:, :, None].repeat(3, axis=2)
    net.get_layer("edges").set_weights([kernel])
    return net


@pytest.mark.parametrize("fourier", [False, True])
@pytest.mark.parametrize("jitter", [0, 3])
def test_each_image_excites_its_own_filter_and_the_score_is_real(fourier, jitter):
    net = stripes_net()
    # The mean of an edge filter over an image is about zero; that of its ReLU is not.
    rectified = layers.ReLU(name="rectified")(net.get_layer("edges").output)
    net = keras.Model(net.input, rectified)
    found = interpret.visualize(
        net, "rectified", [0, 1], size=24, steps=12, fourier=fourier, jitter=jitter
    )
    assert found.images.shape == (2, 24, 24, 3)
    assert found.images.min() >= 0
    assert found.images.max() <= 255
    assert (found.history[-1] > 1.5 * found.history[0]).all()
    inside = ops.convert_to_numpy(net(found.images))[:, 1:-1, 1:-1]
    means = inside.mean(axis=(1, 2))
    np.testing.assert_allclose(found.scores, means[[0, 1], [0, 1]], rtol=1e-4)
    assert means[0, 0] > means[0, 1]
    assert means[1, 1] > means[1, 0]


def test_an_image_does_not_depend_on_the_others_of_its_batch():
    net = same_weights(functional(shape=ANY))
    wish = {"size": 16, "steps": 3, "jitter": 2}
    alone = interpret.visualize(net, "second", [2], **wish)
    among = interpret.visualize(net, "second", [2, 0, 1], **wish)
    np.testing.assert_allclose(alone.images[0], among.images[0], atol=0.05)
    other = interpret.visualize(net, "second", [2], **wish, seed=1)
    assert np.abs(alone.images - other.images).max() > 1


@pytest.mark.parametrize("kind", ["Sequential", "nested", "subclassed"])
def test_every_kind_of_model_gives_the_same_picture(kind):
    wish = {"size": 16, "steps": 3, "jitter": 2, "fourier": True}
    usual = same_weights(functional(shape=ANY))
    model = same_weights(KINDS[kind](shape=ANY))
    before = model.get_weights()
    name = next(n for n in interpret.convolutions(model) if n.endswith("first"))
    found = interpret.visualize(model, name, [0, 3], **wish)
    expected = interpret.visualize(usual, "first", [0, 3], **wish)
    np.testing.assert_allclose(found.images, expected.images, atol=0.05)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3, atol=1e-5)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_slow_waves_move_more_in_the_fourier_basis():
    waves, weights = interpret._cosine_waves(16)
    np.testing.assert_allclose(waves @ waves.T, np.eye(16), atol=1e-5)
    assert weights[0, 1] > weights[0, 2] > weights[3, 9]


def test_the_color_basis_is_a_root_of_the_covariance():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (4, 8, 8, 1)) + rng.normal(0, 5, (4, 8, 8, 3))
    root = interpret.color_basis(images)
    covariance = np.cov(images.reshape(-1, 3).T)
    scale = np.linalg.eigvalsh(covariance)[-1]
    np.testing.assert_allclose(root @ root, covariance / scale, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"layer": "secnd"}, ValueError, "did you mean 'second'"),
        ({"filters": [5]}, ValueError, "filters"),
        ({"filters": [0.5]}, TypeError, "filters"),
        ({"filters": []}, ValueError, "filters"),
        ({"size": 4}, ValueError, "size"),
        ({"steps": 0}, ValueError, "steps"),
        ({"border": 9}, ValueError, "border"),
        ({"colors": np.ones(3)}, ValueError, "colors"),
        ({"value_range": (1, 0)}, ValueError, "value_range"),
        ({"value_range": 255}, TypeError, "value_range"),
        ({"layer": "logits"}, ValueError, "stack of maps"),
    ],
)
def test_a_bad_wish_for_a_visualization_is_named(change, error, words):
    net = functional(shape=ANY)
    arguments = {"layer": "second", "filters": [0], "size": 16} | change
    with pytest.raises(error, match=words):
        interpret.visualize(net, **arguments)


@pytest.mark.parametrize("shape", [(24, 24, 3), (None, None, 1)])
def test_a_model_that_takes_no_such_pictures_is_named(shape):
    inputs = keras.Input(shape)
    maps = keras.layers.Conv2D(2, 3, name="maps")(inputs)
    outputs = keras.layers.GlobalAveragePooling2D()(maps)
    net = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match=r"`size`: expected images of shape"):
        interpret.visualize(net, "maps", [0], size=16)


# --------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("method", [*METHODS, interpret.activations])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": "net"}, TypeError, "model"),
        ({"images": IMAGES[0]}, ValueError, "images"),
        ({"images": np.full_like(IMAGES, np.nan)}, ValueError, "NaN"),
        ({"images": IMAGES[:, :5]}, ValueError, "images"),
        ({"images": IMAGES[:0]}, ValueError, "empty"),
        ({"images": "cat.png"}, TypeError, "images"),
    ],
)
def test_bad_images_are_named(method, change, error, words):
    arguments = {"model": functional(), "images": IMAGES} | change
    with pytest.raises(error, match=words):
        method(*arguments.values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("classes", "error"),
    [
        (4, ValueError),
        (-1, ValueError),
        ([0, 1], ValueError),
        (1.5, TypeError),
        ("cat", TypeError),
    ],
)
def test_a_class_that_is_none_is_named(method, classes, error):
    with pytest.raises(error, match="classes"):
        method(functional(), IMAGES, classes)


def test_an_impossible_layer_is_named():
    net = functional()
    with pytest.raises(ValueError, match="did you mean 'second'"):
        interpret.grad_cam(net, IMAGES, layer="secnd")
    with pytest.raises(ValueError, match="stack of maps"):
        interpret.grad_cam(net, IMAGES, layer="logits")
    dense = keras.Sequential(
        [keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2)]
    )
    for method in (interpret.grad_cam, interpret.activations):
        with pytest.raises(ValueError, match="convolution"):
            method(dense, np.ones((1, 4, 4, 3)))


@pytest.mark.parametrize(
    ("method", "name", "value", "error"),
    [
        (interpret.smooth_grad, "samples", 0, ValueError),
        (interpret.smooth_grad, "noise", -1, ValueError),
        (interpret.integrated_gradients, "steps", 0, ValueError),
        (interpret.integrated_gradients, "baseline", np.ones((2, 2)), ValueError),
        (interpret.activations, "batch_size", 0, ValueError),
    ],
)
def test_a_setting_out_of_range_is_named(method, name, value, error):
    with pytest.raises(error, match=name):
        method(functional(), IMAGES, **{name: value})
