"""The rendered pictures: exact masks, balanced classes, the same for the same seed."""

import numpy as np
import pytest

from course_utils import shapes
from course_utils.shapes import KINDS, render


@pytest.mark.parametrize("size", [16, 31, 64, 97, 256])
def test_shapes_types_and_ranges_at_any_size(size):
    images, labels, masks = render(12, size=size, seed=1)
    assert images.shape == (12, size, size, 3)
    assert images.dtype == np.uint8
    assert labels.shape == (12,)
    assert labels.dtype == np.int32
    assert masks.shape == (12, size, size)
    assert masks.dtype == bool
    share = masks.mean(axis=(1, 2))
    assert share.min() > 0.03  # every object is large enough to be seen
    assert share.max() < 0.6
    assert images.std(axis=(1, 2, 3)).min() > 10  # no empty picture


def test_ten_kinds_with_different_names():
    assert len(KINDS) == len(set(KINDS)) == 10


def test_same_seed_same_pictures_other_seed_others():
    first, again, other = (render(5, size=32, seed=seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("n", [1, 7, 63, 64, 65])
def test_a_picture_does_not_depend_on_how_many_are_rendered(n):
    many = render(130, size=24, seed=5)
    for few, all_of_them in zip(render(n, size=24, seed=5), many, strict=True):
        assert np.array_equal(few, all_of_them[:n])


def test_rendering_in_small_pieces_gives_the_same(monkeypatch):
    whole = render(20, size=40, seed=2)
    monkeypatch.setattr(shapes, "_CHUNK_PIXELS", 3 * 40 * 40)
    for pieces, at_once in zip(render(20, size=40, seed=2), whole, strict=True):
        assert np.array_equal(pieces, at_once)


def test_every_run_of_ten_holds_every_kind_once():
    labels = render(40, size=16, seed=0)[1]
    for start in range(0, 40, 10):
        assert sorted(labels[start : start + 10]) == list(range(10))


def test_the_scene_does_not_depend_on_the_size():
    small = render(10, size=64, seed=0)[2]
    large = render(10, size=128, seed=0)[2]
    halved = large.reshape(10, 64, 2, 64, 2).mean(axis=(2, 4)) >= 0.5
    assert (halved == small).mean() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_has_the_area_and_place_of_the_object(kind):
    # The mask is the outline's inside at the pixel centers: its area converges to the
    # outline's, measured on a grid eight times finer.
    coarse = render(8, size=32, seed=9, classes=[kind])[2]
    fine = render(8, size=256, seed=9, classes=[kind])[2]
    area, exact = (mask.mean(axis=(1, 2)) for mask in (coarse, fine))
    assert np.abs(area / exact - 1).max() < 0.12
    rows = np.arange(32) + 0.5
    center = (coarse.sum(axis=2) @ rows) / coarse.sum(axis=(1, 2))
    fine_rows = (np.arange(256) + 0.5) / 8
    fine_center = (fine.sum(axis=2) @ fine_rows) / fine.sum(axis=(1, 2))
    assert np.abs(center - fine_center).max() < 0.5


def test_objects_stay_inside_the_picture():
    masks = render(200, size=64, seed=0)[2]
    border = np.ones((64, 64), bool)
    border[1:-1, 1:-1] = False
    assert (masks & border).any(axis=(1, 2)).mean() < 0.1


def test_the_object_stands_out_where_the_mask_says():
    images, _, masks = render(200, size=64, seed=0)
    pixels = images.astype(float)
    inside = np.stack([x[m].mean(axis=0) for x, m in zip(pixels, masks, strict=True)])
    outside = np.stack([x[~m].mean(axis=0) for x, m in zip(pixels, masks, strict=True)])
    distance = np.linalg.norm(inside - outside, axis=1)
    assert np.median(distance) > 60
    assert np.quantile(distance, 0.05) > 20


def test_color_does_not_give_the_class_away():
    images, labels, masks = render(400, size=24, seed=0)
    mean = np.stack([x[m].mean(axis=0) for x, m in zip(images, masks, strict=True)])
    centers = np.stack([mean[:200][labels[:200] == k].mean(axis=0) for k in range(10)])
    distance = ((mean[200:, None] - centers) ** 2).sum(axis=2)
    assert (distance.argmin(axis=1) == labels[200:]).mean() < 0.3


def test_the_outlines_tell_the_classes_apart():
    # Nearest class mean on masks that are moved to the middle and scaled: no network
    # needed to see that the ten outlines differ.
    _, labels, masks = render(600, size=32, seed=0)
    features = np.stack([_normalized(mask) for mask in masks])
    centers = np.stack(
        [features[:400][labels[:400] == k].mean(axis=0) for k in range(10)]
    )
    distance = ((features[400:, None] - centers) ** 2).sum(axis=2)
    assert (distance.argmin(axis=1) == labels[400:]).mean() > 0.8


def _normalized(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pick = [np.linspace(0, n - 1, 16).round().astype(int) for n in box.shape]
    return box[np.ix_(*pick)].astype(float).ravel()


def test_classes_by_number_and_by_name():
    labels = render(20, size=16, classes=3)[1]
    assert set(labels.tolist()) == {0, 1, 2}
    assert sorted(np.bincount(labels).tolist()) == [6, 7, 7]
    # The names' order is the labels' order: the same kind, drawn alone or not.
    chosen = shapes.select_kinds(["ring", "disk"])
    assert chosen == ("ring", "disk")
    assert shapes.select_kinds(None) == KINDS


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"n": 0}, ValueError, "`n`: expected an integer of at least 1, got 0"),
        ({"n": 2.0}, TypeError, "`n`"),
        ({"n": True}, TypeError, "`n`"),
        ({"n": None}, TypeError, "`n`"),
        ({"n": np.array([])}, TypeError, "`n`"),
        ({"n": 10**8}, ValueError, "`n`: expected at most"),
        ({"size": 15}, ValueError, "`size`: expected an integer from 16 to 256"),
        ({"size": 257}, ValueError, "`size`"),
        ({"size": float("nan")}, TypeError, "`size`"),
        ({"size": "64"}, TypeError, "`size`"),
        ({"seed": -1}, ValueError, "`seed`"),
        ({"seed": None}, TypeError, "`seed`"),
        ({"classes": 0}, ValueError, "`classes`: expected an integer from 1 to 10"),
        ({"classes": 11}, ValueError, "`classes`"),
        ({"classes": []}, ValueError, "`classes`"),
        ({"classes": ["disc"]}, ValueError, "did you mean 'disk'"),
        ({"classes": ["disk", "disk"]}, ValueError, "`classes`"),
        ({"classes": [1]}, TypeError, "`classes`"),
        ({"classes": "disk"}, TypeError, "`classes`"),
        ({"classes": True}, TypeError, "`classes`"),
        ({"classes": 2.5}, TypeError, "`classes`"),
    ],
)
def test_bad_input_is_named(arguments, error, says):
    with pytest.raises(error) as caught:
        render(**{"n": 1, "size": 16, **arguments})
    assert says in str(caught.value)
    assert "got" in str(caught.value)
