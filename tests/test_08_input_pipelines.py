"""Lesson 08: its exact numbers, and its claims, none of them by a stopwatch.

The functions under test are the lesson's own: its cells are run from its Markdown.
What depends on time is tested on the simulated clock; the real one is for
`python -m benchmarks pipelines`.
"""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lesson_code import SEEDS, cells_of

from course_utils import load, pipelines

tf = pytest.importorskip("tensorflow")

import keras  # noqa: E402
from keras import layers  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
RECORDED = ROOT / "results" / "printed" / "08_input_pipelines.txt"
cell_with = cells_of("08_input_pipelines")
COUNT, BATCH = 96, 16


def names_for(seed):
    """Run the lesson's cells that define pipelines, on a few images."""
    data = load("mnist", train=COUNT, validation=0, test=0, dtype="uint8", seed=seed)
    names = {"np": np, "keras": keras, "layers": layers, "tf": tf}
    names |= {"pipelines": pipelines, "count": COUNT, "batch_size": BATCH}
    names |= {"images": data.x_train, "labels": data.y_train}
    for text in (
        "def one_by_one(",
        "def prepare(",
        "def augment_one(",
        "batched = ",
        "cached = ",
        "def input_pipeline(",
        "def build(",
    ):
        exec(cell_with(text), names)
    for text in ("def build_with_a_bug(", "def mirror_in_a_loop("):
        exec(cell_with(text).split("\n\n\n")[0], names)
    return SimpleNamespace(**names, names=names)


@pytest.fixture(scope="module", params=SEEDS)
def lesson(request):
    keras.utils.set_random_seed(request.param)
    return names_for(request.param)


@pytest.fixture(scope="module")
def one_lesson():
    keras.utils.set_random_seed(0)
    return names_for(0)


def one_pass(dataset):
    batches = [(x.numpy(), y.numpy()) for x, y in dataset]
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def is_a_shift_of(image, original, reach=2):
    """Tell whether an image is another one, moved by at most `reach` pixels."""
    inner = slice(reach, -reach)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            moved = np.roll(original, (down, right), axis=(0, 1))
            if np.allclose(image[inner, inner], moved[inner, inner], atol=1e-5):
                return True
    return False


# --- Memory ---------------------------------------------------------------------------


def test_8_gigabytes_in_float64_and_1_in_bytes():
    numbers = 15_000 * 150 * 150 * 3
    assert numbers * np.dtype("float64").itemsize == 8_100_000_000
    assert numbers * np.dtype("float32").itemsize == 4_050_000_000
    assert numbers * np.dtype("uint8").itemsize == 1_012_500_000


def test_numpy_divides_bytes_in_float64():
    assert (np.zeros(3, "uint8") / 255).dtype == np.float64


def test_no_variant_makes_float64(one_lesson):
    lesson = one_lesson
    variants = [
        lesson.generator,
        lesson.sample_map,
        lesson.batch_map,
        lesson.cached,
        lesson.input_pipeline(lesson.images, lesson.labels),
    ]
    for dataset in variants:
        images, labels = dataset.element_spec
        assert images.dtype == tf.float32
        assert images.shape[1:] == (28, 28, 1)
        assert labels.dtype == lesson.labels.dtype


# --- Two who take turns, on the simulated clock ---------------------------------------


def test_the_two_figures_of_eight_steps():
    assert pipelines.simulate(0.004, 0.005, steps=8).seconds == pytest.approx(0.072)
    ahead = pipelines.simulate(0.004, 0.005, steps=8, prefetch=1)
    assert ahead.seconds == pytest.approx(0.044)


@pytest.mark.parametrize("seed", SEEDS)
def test_prefetching_can_at_best_halve_the_time(seed):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        make, work = rng.uniform(0.1, 10, 2)
        turns = pipelines.simulate(make, work, steps=500).seconds
        ahead = pipelines.simulate(make, work, steps=500, prefetch=4).seconds
        assert 1 <= turns / ahead <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_with_uneven_times_the_first_place_in_the_buffer_gains_the_most(seed):
    uneven = np.random.default_rng(seed).exponential(0.004, size=200)
    seconds = [
        pipelines.simulate(uneven, 0.005, prefetch=places).seconds
        for places in (0, 1, 2, 4, 16)
    ]
    gains = -np.diff(seconds)
    assert (gains > 0).all()
    assert gains[0] > gains[1:].sum()


def test_the_quiz_has_its_numbers_right():
    text = (ROOT / "lessons" / "08_input_pipelines.md").read_text(encoding="utf-8")
    made, trained = re.search(
        r"A producer takes (\d+) ms a batch. A GPU takes (\d+) ms", text
    ).groups()
    turns = pipelines.simulate(float(made), float(trained), steps=100)
    ahead = pipelines.simulate(float(made), float(trained), steps=100, prefetch=2)
    assert f"<summary>{turns.step_time:.0f} ms: the work is still all there" in text
    assert f"<summary>{ahead.step_time:.0f} ms: the training is hidden" in text


# --- The ladder: the same images on each rung -----------------------------------------


def test_images_are_prepared_alike_on_each_rung(lesson):
    alone, _ = lesson.prepare(lesson.images[0], 0)
    together, _ = lesson.prepare(lesson.images, lesson.labels)
    np.testing.assert_allclose(together[0], alone, rtol=1e-5, atol=1e-5)
    flat = together.numpy().reshape(COUNT, -1)
    np.testing.assert_allclose(flat.mean(1), 0, atol=1e-4)
    np.testing.assert_allclose(flat.std(1), 1, atol=1e-3)


def test_each_rung_gives_every_image_shifted_by_up_to_two_pixels(lesson):
    wanted = lesson.prepare(lesson.images, lesson.labels)[0].numpy()
    shifting = (
        lesson.generator,
        lesson.sample_map,
        lesson.batch_map,
        lesson.batch_map.prefetch(2),
        lesson.cached.map(lesson.augment).prefetch(2),
    )
    for dataset in shifting:
        images, labels = one_pass(dataset)
        np.testing.assert_array_equal(labels, lesson.labels)
        for image, original in zip(images, wanted, strict=True):
            assert is_a_shift_of(image, original)
        assert (images != wanted).any()
    images, labels = one_pass(lesson.cached)  # rung 6 leaves the shift to the model
    np.testing.assert_allclose(images, wanted, rtol=1e-5, atol=1e-5)


def test_a_second_pass_of_the_generator_shifts_anew(lesson):
    first, second = one_pass(lesson.generator)[0], one_pass(lesson.generator)[0]
    changed = (first != second).any(axis=(1, 2, 3))
    assert changed.mean() > 0.8  # 24 of 25 shifts differ from the one before


def test_both_ways_to_pad_are_the_same():
    image = np.random.default_rng(0).uniform(size=(28, 28, 1)).astype("float32")
    (mode,) = re.findall(r"np\.pad\(.*mode=\"(\w+)\"", cell_with("def one_by_one("))
    (other,) = re.findall(r"tf\.pad\(.*\"(\w+)\"\)", cell_with("def shift("))
    margin = [(2, 2), (2, 2), (0, 0)]
    by_tensorflow = tf.pad(image, margin, other).numpy()
    np.testing.assert_array_equal(np.pad(image, margin, mode=mode), by_tensorflow)


def test_the_shift_reaches_all_25_places_and_follows_its_seed(one_lesson):
    picture = np.zeros((1, 28, 28, 1), "float32")
    picture[0, 14, 14] = 1
    batch = np.repeat(picture, 2000, axis=0)
    moved = one_lesson.shift(batch, (1, 2)).numpy()
    places = {tuple(place) for place in np.argwhere(moved)[:, 1:3]}
    assert places == {(r, c) for r in range(12, 17) for c in range(12, 17)}
    np.testing.assert_array_equal(one_lesson.shift(batch, (1, 2)), moved)
    assert (one_lesson.shift(batch, (3, 2)).numpy() != moved).any()


def test_the_layer_of_rung_6_shifts_in_training_only():
    names = {"layers": layers, "compiled": lambda **options: options}
    exec(cell_with("layers.RandomTranslation("), names)
    shifting = names["shifting"]
    images = np.random.default_rng(0).uniform(size=(8, 28, 28, 1)).astype("float32")
    at_inference = keras.ops.convert_to_numpy(shifting(images, training=False))
    in_training = keras.ops.convert_to_numpy(shifting(images, training=True))
    np.testing.assert_array_equal(at_inference, images)
    assert (in_training != images).any()


# --- What is random, and where the cache stands ---------------------------------------


def test_a_cache_behind_the_augmentation_freezes_it(lesson):
    suspect = lesson.build_with_a_bug(
        lesson.images, lesson.labels, lesson.prepare, lesson.augment, 32
    )
    first, second = one_pass(suspect)[0], one_pass(suspect)[0]
    np.testing.assert_array_equal(first, second)
    right = lesson.cached.map(lesson.augment)
    first, second = one_pass(right)[0], one_pass(right)[0]
    changed = (first != second).any(axis=(1, 2, 3))
    assert changed.mean() > 0.8  # 24 of 25 shifts differ from the one before


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeded_program_repeats_random_uniform_but_not_a_generator(seed):
    tf.random.set_seed(seed)
    generator = tf.random.Generator.from_seed(seed)
    numbers = tf.data.Dataset.range(6)
    simple = numbers.map(lambda _: tf.random.uniform(()))
    kept = numbers.map(lambda _: generator.uniform(()))
    passes = [[float(x) for x in simple] for _ in range(2)]
    assert passes[0] == passes[1]
    passes = [[float(x) for x in kept] for _ in range(2)]
    assert passes[0] != passes[1]


def test_shuffled_batches_of_sorted_images_hold_few_classes(lesson):
    names = lesson.names
    exec(cell_with("by_class = ").split("for _, batch in")[0], names)
    wrong = [len(np.unique(batch)) for _, batch in names["mixed"]]
    sorted_pairs = names["sorted_pairs"]
    right = sorted_pairs.shuffle(COUNT, seed=0).batch(16)
    mixed = [len(np.unique(batch)) for _, batch in right]
    assert max(wrong) <= 4
    assert np.mean(mixed) > 6
    assert np.mean(mixed) > 2 * np.mean(wrong)


def test_a_profile_of_a_filled_cache_has_no_stages_in_front_of_it(one_lesson, tmp_path):
    pipeline = one_lesson.cached.map(one_lesson.augment).prefetch(2)
    rows = pipelines.profile(pipeline, lambda *batch: None, tmp_path, steps=4)
    stages = [row["stage"] for row in rows]
    assert any("Cache" in stage for stage in stages)
    assert not any("Batch" in stage or "Tensor" in stage for stage in stages)


# --- The course's pipeline ------------------------------------------------------------


def test_the_lessons_pipeline_is_the_one_of_the_package(lesson):
    options = {"batch_size": BATCH, "augment": lesson.shift, "seed": 3}
    ours = lesson.input_pipeline(lesson.images, lesson.labels, **options)
    packed = pipelines.input_pipeline(lesson.images, lesson.labels, **options)
    for _ in range(2):
        for one, other in zip(one_pass(ours), one_pass(packed), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


# --- Five changes at once -------------------------------------------------------------


def settings(name):
    names = {}
    exec(cell_with("before = dict("), names)
    return names[name]


def test_exactly_five_things_differ():
    before, after = settings("before"), settings("after")
    assert set(before) == set(after)
    assert sum(before[name] != after[name] for name in before) == 5


def test_each_change_alone_is_one_change_and_all_five_are_covered():
    before, after = settings("before"), settings("after")
    cell = cell_with('"smaller batch": measured(')
    found = dict(re.findall(r'"([a-z ]+)": measured\((dict\(before, .+\))\)', cell))
    assert len(found) == 5
    changed = set()
    for expression in found.values():
        variant = eval(expression, {"dict": dict, "before": before})
        different = {name for name in before if variant[name] != before[name]}
        assert len(different) == 1
        assert {name: variant[name] for name in different}.items() <= after.items()
        changed |= different
    assert changed == set(before)


def test_the_five_change_neither_images_nor_their_order(one_lesson):
    lesson = one_lesson
    wanted = lesson.prepare(lesson.images, lesson.labels)[0].numpy()
    for changes in (
        {},
        *({name: settings("after")[name]} for name in settings("after")),
    ):
        dataset = lesson.build(**{**settings("before"), **changes})
        for _ in range(2):
            images, labels = one_pass(dataset)
            np.testing.assert_allclose(images, wanted, rtol=1e-4, atol=1e-5)
            np.testing.assert_array_equal(labels, lesson.labels)


def recorded_tables():
    """Return the tables of the recorded run, each {pipeline: (ms a step, images/s)}."""
    tables = []
    for line in RECORDED.read_text(encoding="utf-8").splitlines():
        if line.startswith("Pipeline "):
            tables.append({})
        row = re.fullmatch(r"(.+?) +([\d.]+) +[\d.]+ +([\d,]+) +\d+%", line)
        if row:
            name, step, images = row.groups()
            tables[-1][name] = float(step), int(images.replace(",", ""))
    return tables


def test_in_the_recorded_run_each_rung_up_to_prefetching_is_faster():
    *ladders, _ = recorded_tables()
    assert len(ladders) == 2  # beside the substitute for a GPU, and beside a net
    for ladder in ladders:
        images = [images for _, images in list(ladder.values())[:4]]
        assert images == sorted(images)
        assert images[3] > 4 * images[0]


def test_in_the_recorded_run_the_five_changes_do_what_the_lesson_says():
    *_, table = recorded_tables()
    step, images = zip(*table.values(), strict=True)
    assert list(table)[1:4] == ["smaller batch", "vectorized map", "parallel calls"]
    assert step[1] < step[0] / 3  # a fourth of the images a step ...
    assert images[1] < 1.05 * images[0]  # ... and not more of them a second
    assert images[3] < 1.05 * images[0]
    for alone in (images[2], images[4], images[5]):
        assert alone > 1.1 * images[0]
    assert images[2] < min(images[4:6])  # the cache and prefetching gain the most
    assert images[6] < 1.05 * max(images)  # all five gain no more than the best one
    assert list(table)[6:] == ["all five", "all but the batch"]
    assert images[6] < images[7] < 1.05 * max(images)  # a small batch costs images


def test_in_the_recorded_run_a_batch_is_handed_over_later_after_a_longer_rest():
    text = RECORDED.read_text(encoding="utf-8")
    found = re.findall(r"after a rest of +(\d+) ms: ([\d.]+) ms", text)
    assert [rest for rest, _ in found] == ["0", "1", "5", "20"]
    waits = [float(wait) for _, wait in found]
    assert waits[0] < 0.6 * min(waits[2:])
    assert max(waits) < 3  # and yet it is a small part of a step of a convnet


def test_in_the_recorded_table_only_the_dense_net_is_busy_less_than_95_percent():
    """Beside the networks of the course, with the course's own pipeline."""
    tables = json.loads((ROOT / "results" / "benchmarks.json").read_text("utf-8"))
    (rows,) = (t["rows"] for t in tables["tables"] if t["part"] == "pipelines")
    nets = [row for row in rows if row[4]]
    assert len(nets) > 10
    for name, _, step, waiting, busy, _ in nets:
        step, waiting = (float(text.removesuffix(" ms")) for text in (step, waiting))
        if name.startswith("Dense"):
            assert 8.5 < step < 9.5
            assert 0.08 < waiting / step < 0.12
            assert float(busy.rstrip("%")) < 95
        else:
            assert float(busy.rstrip("%")) > 95, name


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0, 5.0])
def test_gains_do_not_multiply(ratio):
    """A cache that removes all making, and prefetching, each alone and together."""
    before = pipelines.simulate(ratio, 1.0, steps=200).seconds
    cached = pipelines.simulate(0.0, 1.0, steps=200).seconds
    ahead = pipelines.simulate(ratio, 1.0, steps=200, prefetch=2).seconds
    both = pipelines.simulate(0.0, 1.0, steps=200, prefetch=2).seconds
    assert before / both < (before / cached) * (before / ahead)
    assert both == pytest.approx(200)  # the consumer is busy all the time
