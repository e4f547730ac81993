"""`judge`: measures that a heat map can fail, on nets whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from course_utils import interpret, judge

import keras  # isort: skip
from keras import layers  # isort: skip

SIDE = 8
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 1, (4, SIDE, SIDE, 3)).astype("float32")
IMAGES[:, :2, :2] += 3


def corner_net(head="softmax"):
    """A classifier that reads only the upper left corner: bright means class 1."""
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Cropping2D(((0, SIDE - 2), (0, SIDE - 2)))(inputs)
    x = layers.Flatten()(x)
    net = keras.Model(inputs, layers.Dense(1 if head == "sigmoid" else 2, head)(x))
    kernel = np.full((12, 1), 0.3)
    one_unit = head == "sigmoid"
    weights = 2 * kernel if one_unit else np.hstack([-kernel, kernel])
    net.set_weights([weights, np.full(1, -6.0) if one_unit else np.array([3.0, -3.0])])
    return net


def corner_maps(hot=True):
    maps = np.zeros((4, SIDE, SIDE))
    maps[:, :2, :2] = 1 if hot else -1
    return maps


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_the_right_map_wins_deletion_and_insertion(head):
    net = corner_net(head)
    for measure, sign in [(judge.deletion, -1), (judge.insertion, 1)]:
        right, wrong, chance = (
            measure(net, IMAGES, maps, 1, steps=16, fill=0.0).area
            for maps in (corner_maps(), corner_maps(False), judge.random_maps(IMAGES))
        )
        assert (sign * right > sign * chance).all()
        assert (sign * chance > sign * wrong).all()


def test_the_curves_begin_and_end_where_they_must():
    net = corner_net()
    shown = net.predict(IMAGES, verbose=0)[:, 1]
    blank = net.predict(np.zeros_like(IMAGES), verbose=0)[:, 1]
    away = judge.deletion(net, IMAGES, corner_maps(), 1, steps=5, fill=0)
    back = judge.insertion(net, IMAGES, corner_maps(), 1, steps=5, fill=0)
    np.testing.assert_allclose(away.share, back.share)
    assert away.share[0] == 0
    assert away.share[-1] == 1
    for curves, first, last in [(away, shown, blank), (back, blank, shown)]:
        np.testing.assert_allclose(curves.scores[:, 0], first, rtol=1e-5)
        np.testing.assert_allclose(curves.scores[:, -1], last, rtol=1e-5)


def test_the_area_is_that_under_the_curve():
    share = np.array([0, 0.25, 1.0])
    curves = judge.Curves(share, np.array([[1.0, 0.5, 0.0]]))
    assert curves.area == pytest.approx([0.25 * 0.75 + 0.75 * 0.25])


def test_the_default_fill_is_the_mean_color():
    curves = judge.deletion(corner_net(), IMAGES, corner_maps(), 1, steps=1)
    mean = np.broadcast_to(IMAGES.mean(axis=(1, 2), keepdims=True), IMAGES.shape)
    wanted = corner_net().predict(mean, verbose=0)[:, 1]
    np.testing.assert_allclose(curves.scores[:, -1], wanted, rtol=1e-4)


def test_the_pointing_game_counts_the_hottest_pixel():
    maps = np.zeros((3, 5, 5))
    maps[0, 1, 1] = maps[1, 4, 4] = maps[2, 0, 3] = 1
    masks = np.zeros((3, 5, 5), bool)
    masks[:, 1:3, 1:3] = True
    assert judge.pointing_game(maps, masks).tolist() == [True, False, False]
    assert judge.pointing_game(maps, masks, tolerance=2).tolist() == [True, False, True]


def test_a_randomized_copy_has_the_same_numbers_elsewhere():
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(4, 3, name="early")(inputs)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, name="late")(x))
    net = keras.Model(inputs, layers.Dense(2, name="head")(x))
    before = [w.copy() for w in net.get_weights()]
    copy = judge.randomized(net, 2)
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for name, moved in [("early", False), ("late", True), ("head", True)]:
        ours, theirs = (m.get_layer(name).get_weights()[0] for m in (net, copy))
        assert (np.abs(ours - theirs).max() > 0) == moved
        np.testing.assert_allclose(np.sort(ours, None), np.sort(theirs, None))
    again = judge.randomized(net, 2)
    for one, two in zip(copy.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_nested_model_is_randomized_inside():
    inputs = keras.Input((None, None, 3))
    base = keras.Model(inputs, layers.Conv2D(4, 3)(inputs), name="base")
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.GlobalAveragePooling2D()(base(inputs))
    net = keras.Model(inputs, layers.Dense(2)(x))
    copy = judge.randomized(net)
    moved = [
        np.abs(ours - theirs).max()
        for ours, theirs in zip(net.get_weights(), copy.get_weights(), strict=True)
        if ours.ndim > 1
    ]
    assert min(moved) > 0


def test_similarity_is_a_rank_correlation():
    maps = RNG.normal(size=(2, 6, 6))
    np.testing.assert_allclose(judge.similarity(maps, np.exp(maps)), 1)
    np.testing.assert_allclose(judge.similarity(maps, -maps), -1)
    assert np.isnan(judge.similarity(maps, np.zeros_like(maps))).all()


def test_edges_are_found_where_the_image_changes():
    image = np.zeros((1, 16, 16, 3))
    image[:, :, 8:] = 1
    heat = judge.edges(image, blur=1.0)
    assert heat.maps.shape == (1, 16, 16)
    assert heat.maps[0].max(axis=0).argmax() in (7, 8)
    assert heat.maps[0, :, 2].max() < 0.01
    assert isinstance(heat, interpret.HeatMaps)


@pytest.mark.parametrize("measure", [judge.deletion, judge.insertion])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": None}, TypeError, "model"),
        ({"images": IMAGES[:, :4]}, ValueError, "maps"),
        ({"maps": np.full((4, SIDE, SIDE), np.nan)}, ValueError, "maps"),
        ({"classes": 2}, ValueError, "classes"),
        ({"classes": [0, 1]}, ValueError, "classes"),
        ({"classes": 0.5}, TypeError, "classes"),
        ({"steps": 65}, ValueError, "steps"),
        ({"fill": [1, 2]}, ValueError, "fill"),
        ({"model": corner_net(None)}, ValueError, "probabilities"),
    ],
)
def test_bad_input_is_named(measure, change, error, words):
    arguments = {
        "model": corner_net(),
        "images": IMAGES,
        "maps": corner_maps(),
        "classes": 1,
    }
    with pytest.raises(error, match=words):
        measure(**(arguments | change))


def test_bad_maps_are_named():
    maps = corner_maps()
    with pytest.raises(ValueError, match="masks"):
        judge.pointing_game(maps, np.zeros_like(maps))
    with pytest.raises(ValueError, match="masks"):
        judge.pointing_game(maps, np.ones((4, 3, 3)))
    with pytest.raises(ValueError, match="others"):
        judge.similarity(maps, maps[:2])
    with pytest.raises(ValueError, match="layers"):
        judge.randomized(corner_net(), 2)
    with pytest.raises(ValueError, match="images"):
        judge.edges(np.ones((3, 3)))
