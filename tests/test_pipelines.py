"""Pipelines: what comes out of them, the simulated clock, and wrong arguments."""

import builtins
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from course_utils import pipelines

tf = pytest.importorskip("tensorflow")


def numbered(count, side=3):
    """Return byte images that are all of their own number, and labels to match."""
    numbers = np.arange(count, dtype="uint8")
    images = np.tile(numbers[:, None, None, None], (1, side, side, 1))
    return images, np.arange(count) * 10


def one_pass(dataset):
    batches = [(x.numpy(), y.numpy()) for x, y in dataset]
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def order_of(dataset):
    return one_pass(dataset)[1] // 10


def add_noise(images, random):
    return images + tf.random.stateless_uniform(tf.shape(images), random)


def consume(*batch):
    """Take no time."""


# --- The simulated clock --------------------------------------------------------------


def test_without_prefetching_a_step_costs_the_sum():
    run = pipelines.simulate(2.0, 3.0, steps=10)
    assert run.seconds == 50
    assert run.busy == pytest.approx(3 / 5)
    assert run.step_time == pytest.approx(5)
    assert run.wait_time == pytest.approx(2)


@pytest.mark.parametrize(("make", "work"), [(2.0, 3.0), (3.0, 2.0), (2.5, 2.5)])
@pytest.mark.parametrize("places", [1, 2, 5])
def test_with_prefetching_a_step_costs_the_longer_of_the_two(make, work, places):
    run = pipelines.simulate(make, work, steps=10, prefetch=places)
    assert run.seconds == pytest.approx(make + 9 * max(make, work) + work)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_longer_buffer_is_never_slower_and_never_beats_either_of_the_two(seed):
    rng = np.random.default_rng(seed)
    make, work = rng.exponential(1.0, (2, 50))
    runs = [pipelines.simulate(make, work, prefetch=n).seconds for n in (0, 1, 2, 8)]
    assert runs == sorted(runs, reverse=True)
    assert runs[0] == pytest.approx(make.sum() + work.sum())
    assert runs[-1] >= max(make.sum() + work[-1], work.sum() + make[0]) - 1e-9


@pytest.mark.parametrize("places", [1, 3])
def test_the_producer_is_never_further_ahead_than_the_buffer_allows(places):
    run = pipelines.simulate(0.1, 5.0, steps=9, prefetch=places)
    for i in range(places, 9):
        assert run.made[i, 0] >= run.waited[i - places, 1]
    assert (run.made[1:, 0] >= run.made[:-1, 1]).all()  # one batch at a time


def test_tracks_are_the_bars_in_the_unit_that_was_asked_for():
    tracks = pipelines.simulate(0.004, 0.005, steps=8).tracks(2)
    np.testing.assert_allclose(tracks["making a batch"], [[0, 4], [9, 13]])
    np.testing.assert_allclose(tracks["working on it"], [[4, 9], [13, 18]])
    later = pipelines.simulate(0.004, 0.005, steps=8).tracks(1, skip=3)
    np.testing.assert_allclose(later["making a batch"], [[0, 4]])
    np.testing.assert_allclose(later["working on it"], [[4, 9]])


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"produce": -1.0}, ValueError, "`produce`: expected seconds"),
        ({"consume": [1.0, float("nan")]}, ValueError, "`consume`"),
        ({"produce": "1"}, TypeError, "`produce`"),
        ({"produce": [1.0, 2.0]}, ValueError, "`produce`: expected one number, or 4"),
        ({"steps": 0}, ValueError, "`steps`"),
        ({"steps": None}, ValueError, "`steps`: expected a number of steps"),
        ({"prefetch": -1}, ValueError, "`prefetch`"),
        ({"prefetch": True}, TypeError, "`prefetch`"),
    ],
)
def test_simulate_says_which_argument_is_wrong(changes, error, words):
    arguments = {"produce": 1.0, "consume": 2.0, "steps": 4, **changes}
    with pytest.raises(error, match=words):
        pipelines.simulate(**arguments)


@pytest.mark.parametrize(
    "bad", [{"steps": 0}, {"unit": 0}, {"unit": "ms"}, {"skip": 2}, {"skip": -1}]
)
def test_tracks_refuses_what_makes_no_sense(bad):
    with pytest.raises((ValueError, TypeError)):
        pipelines.simulate(1.0, 1.0, steps=2).tracks(**bad)


# --- The course's pipeline ------------------------------------------------------------


def test_batches_are_float32_from_0_to_1_and_the_last_may_be_smaller():
    images, labels = numbered(10)
    dataset = pipelines.input_pipeline(images, labels, batch_size=4, shuffle=False)
    x, y = dataset.element_spec
    assert (x.dtype, y.dtype) == (tf.float32, tf.int64)
    assert [len(batch) for batch, _ in dataset] == [4, 4, 2]
    came, answers = one_pass(dataset)
    np.testing.assert_allclose(came, images / 255, rtol=1e-6)
    np.testing.assert_array_equal(answers, labels)


def test_floats_stay_on_their_scale():
    images, labels = numbered(6)
    dataset = pipelines.input_pipeline(images * 2.5, labels, shuffle=False)
    came, _ = one_pass(dataset)
    assert came.dtype == np.float32
    np.testing.assert_allclose(came, images * 2.5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_pass_is_complete_has_its_own_order_and_follows_the_seed(seed):
    images, labels = numbered(100)

    def make(seed):
        return pipelines.input_pipeline(images, labels, batch_size=16, seed=seed)

    dataset = make(seed)
    first, second = order_of(dataset), order_of(dataset)
    assert sorted(first) == sorted(second) == list(range(100))
    assert (first != second).any()
    again = make(seed)
    np.testing.assert_array_equal(order_of(again), first)
    np.testing.assert_array_equal(order_of(again), second)
    assert (order_of(make(seed + 10)) != first).any()


def test_images_and_labels_stay_together():
    images, labels = numbered(50)
    came, answers = one_pass(pipelines.input_pipeline(images, labels, batch_size=8))
    np.testing.assert_allclose(came[:, 0, 0, 0] * 255 * 10, answers, rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_augmentation_is_new_in_each_pass_and_follows_the_seed(seed):
    images, labels = np.zeros((8, 3, 3, 1), "uint8"), np.zeros(8)

    def make():
        return pipelines.input_pipeline(
            images, labels, batch_size=4, augment=add_noise, seed=seed
        )

    dataset = make()
    first, second = one_pass(dataset)[0], one_pass(dataset)[0]
    assert (first != second).all()
    assert (first[:4] != first[4:]).all()  # each batch has its own numbers
    again = make()
    np.testing.assert_array_equal(one_pass(again)[0], first)
    np.testing.assert_array_equal(one_pass(again)[0], second)


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_prefetching_changes_when_batches_are_made_but_not_what_they_are(ahead):
    images, labels = numbered(40)
    options = {"batch_size": 8, "augment": add_noise, "seed": 5}
    usual = one_pass(pipelines.input_pipeline(images, labels, **options))
    other = one_pass(
        pipelines.input_pipeline(images, labels, prefetch=ahead, **options)
    )
    for one, two in zip(usual, other, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_model_can_be_fitted_on_it():
    if keras.backend.backend() == "torch":
        pytest.skip("one backend beside TensorFlow is enough")
    images, labels = numbered(12)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    dataset = pipelines.input_pipeline(images, labels * 0.001, batch_size=4)
    history = model.fit(dataset, epochs=2, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"images": np.zeros((4, 3, 3), "uint8")}, ValueError, "`images`"),
        ({"images": "cat.jpg"}, TypeError, "`images`"),
        ({"images": np.zeros((0, 3, 3, 1))}, ValueError, "`images`.*not empty"),
        ({"labels": np.zeros(3)}, ValueError, "`labels`: expected 4 labels"),
        ({"labels": None}, TypeError, "`labels`"),
        ({"batch_size": 0}, ValueError, "`batch_size`"),
        ({"batch_size": 2.0}, TypeError, "`batch_size`"),
        ({"shuffle": 1000}, TypeError, "`shuffle`"),
        ({"augment": "flip"}, TypeError, "`augment`"),
        ({"prefetch": -1}, ValueError, "`prefetch`"),
        ({"seed": -1}, ValueError, "`seed`"),
        ({"seed": 2**31}, ValueError, "`seed`"),
    ],
)
def test_input_pipeline_says_which_argument_is_wrong(changes, error, words):
    images, labels = numbered(4)
    arguments = {"images": images, "labels": labels, **changes}
    with pytest.raises(error, match=words):
        pipelines.input_pipeline(**arguments)


# --- Measuring ------------------------------------------------------------------------


def test_measure_counts_what_it_was_asked_to_and_begins_again_at_the_end():
    seen = []
    batches = [(np.full((5, 2), i), i) for i in range(3)]
    run = pipelines.measure(batches, lambda x, y: seen.append(y), steps=6, warm_up=2)
    assert seen == [0, 1, 2, 0, 1, 2, 0, 1]
    assert run.steps == 6
    assert list(run.images) == [5] * 6
    assert run.waited[0, 0] == 0
    assert (run.waited[:, 1] >= run.waited[:, 0]).all()
    np.testing.assert_array_equal(run.worked[:, 0], run.waited[:, 1])
    np.testing.assert_array_equal(run.made, run.waited)


@pytest.mark.parametrize("ahead", [0, 2])
def test_stamps_tell_when_a_batch_was_made(ahead):
    images, labels = numbered(40)
    plain = pipelines.input_pipeline(images, labels, batch_size=4, prefetch=0)
    dataset = plain.apply(pipelines.stamp)
    shapes = []
    if ahead:
        dataset = dataset.prefetch(ahead)
    run = pipelines.measure(
        dataset, lambda x, y: shapes.append(x.shape), steps=10, warm_up=0
    )
    assert {tuple(shape) for shape in shapes} == {(4, 3, 3, 1)}
    slack = 1e-4  # TensorFlow's clock and Python's are read at their own moments
    assert (run.made[:, 1] >= run.made[:, 0]).all()
    assert (run.made[:, 1] <= run.waited[:, 1] + slack).all()
    if not ahead:
        assert (run.made[:, 0] >= run.waited[:, 0] - slack).all()


def test_a_stamped_pipeline_gives_the_batches_of_the_plain_one():
    plain, stamped = (
        pipelines.input_pipeline(*numbered(20), batch_size=8, seed=1) for _ in range(2)
    )
    stamped = stamped.apply(pipelines.stamp).map(lambda element: element["batch"])
    for one, two in zip(one_pass(plain), one_pass(stamped), strict=True):
        np.testing.assert_array_equal(one, two)


def test_as_written_turns_the_rewriting_off_and_changes_no_batch():
    plain, other = (
        pipelines.input_pipeline(*numbered(20), batch_size=8, seed=1) for _ in range(2)
    )
    written = pipelines.as_written(other)
    options = written.options()
    assert options.experimental_optimization.apply_default_optimizations is False
    assert options.experimental_optimization.inject_prefetch is False
    assert options.autotune.enabled is False
    for one, two in zip(one_pass(plain), one_pass(written), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"batches": []}, ValueError, "`batches`: expected at least one batch"),
        ({"batches": iter([(1,)])}, TypeError, "`batches`.*gone through again"),
        ({"batches": {"x": 1}}, TypeError, "`batches`"),
        ({"batches": 3}, TypeError, "`batches`"),
        (
            {"batches": tf.data.Dataset.range(0)},
            ValueError,
            "`batches`: expected at least one batch",
        ),
        ({"consume": None}, TypeError, "`consume`"),
        ({"steps": 0}, ValueError, "`steps`"),
        ({"warm_up": -1}, ValueError, "`warm_up`"),
    ],
)
def test_measure_says_which_argument_is_wrong(changes, error, words):
    arguments = {"batches": [(np.zeros(3),)], "consume": consume, "steps": 1}
    with pytest.raises(error, match=words):
        pipelines.measure(**{**arguments, **changes})


def test_what_the_consumer_raises_comes_through():
    def fails(*batch):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        pipelines.measure([(np.zeros(3),)], fails, steps=1)


# --- Tables and profiles --------------------------------------------------------------


def test_a_table_has_a_row_for_each_timeline():
    runs = {
        "turns": pipelines.simulate(0.002, 0.003, steps=10),
        "<ahead>": pipelines.simulate(0.002, 0.003, steps=10, prefetch=1),
    }
    rows = pipelines.table(runs)
    assert [row["name"] for row in rows] == list(runs)
    assert rows[0]["step_time"] == pytest.approx(0.005)
    assert rows[0]["images_per_second"] == pytest.approx(200)
    assert rows[0]["busy"] == pytest.approx(0.6)
    lines = repr(rows).splitlines()
    assert lines[1].split() == ["turns", "5.00", "2.00", "200", "60%"]
    assert "&lt;ahead&gt;" in rows._repr_html_()


@pytest.mark.parametrize("bad", [{}, [], {"a": 1}, {"": None}])
def test_table_refuses_what_is_no_timeline(bad):
    with pytest.raises((ValueError, TypeError), match="`timelines"):
        pipelines.table(bad)


def test_a_profile_is_written_and_its_stages_are_read_back(tmp_path):
    images, labels = numbered(40)
    pairs = tf.data.Dataset.from_tensor_slices((images, labels))
    written = pipelines.as_written(pairs.batch(4).map(lambda x, y: (x * 2, y)))
    rows = pipelines.profile(written.prefetch(1), consume, tmp_path, steps=6)
    (path,) = tmp_path.rglob("*.xplane.pb")
    assert path.relative_to(tmp_path).parts[:2] == ("plugins", "profile")
    stages = [row["stage"] for row in rows]
    assert [name for name in stages if name.startswith("Batch")]
    assert [name for name in stages if "Map" in name]
    assert stages[-1] == "Prefetch"
    assert rows[-1]["calls"] >= 6
    assert min(row["seconds"] for row in rows) >= 0
    assert "Own time" in repr(rows)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"batches": []}, TypeError),
        ({"consume": 1}, TypeError),
        ({"steps": 0}, ValueError),
        ({"folder": "no such folder"}, FileNotFoundError),
        ({"folder": 3}, TypeError),
    ],
)
def test_profile_refuses_wrong_arguments(changes, error, tmp_path):
    dataset = tf.data.Dataset.from_tensors((np.zeros((1, 2)), 0))
    arguments = {"batches": dataset, "consume": consume, "folder": tmp_path}
    with pytest.raises(error):
        pipelines.profile(**{**arguments, **changes})


def test_a_profile_is_ended_where_the_consumer_fails(tmp_path):
    dataset = tf.data.Dataset.from_tensors((np.zeros((1, 2)), 0))
    calls = []

    def fails_later(*batch):
        calls.append(batch)
        if len(calls) == 2:
            raise KeyError("later")

    with pytest.raises(KeyError):
        pipelines.profile(dataset, fails_later, tmp_path, steps=1)
    tf.profiler.experimental.start(str(tmp_path))  # would fail if one were running
    with pytest.raises(RuntimeError, match="Another profile is running"):
        pipelines.profile(dataset, consume, tmp_path, steps=1)
    tf.profiler.experimental.stop(save=False)


# --- The benchmark --------------------------------------------------------------------


def test_the_benchmark_gives_rows_of_one_table():
    from benchmarks import nets
    from benchmarks import pipelines as benchmark

    rows = benchmark.against_a_generator(count=64, batch_size=16, rounds=1)
    assert [len(row) for row in rows] == [6, 6, 6]
    assert set(benchmark.WAITING) == set(nets.NETS)  # every net of the course


# --- Without TensorFlow ---------------------------------------------------------------


def test_importing_the_module_loads_no_framework():
    code = (
        "import sys; from course_utils import pipelines;"
        "pipelines.simulate(1, 2, steps=3);"
        "heavy = {'tensorflow', 'keras', 'jax', 'torch'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_where_tensorflow_is_missing_the_error_says_what_to_do(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "tensorflow":
            raise ImportError("No module named 'tensorflow'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    images, labels = numbered(4)
    with pytest.raises(RuntimeError, match="pip install tensorflow"):
        pipelines.input_pipeline(images, labels)
    with pytest.raises(RuntimeError, match="the backend of Keras may stay"):
        pipelines.stamp(SimpleNamespace(element_spec=(), with_options=None))
    pipelines.measure([(np.zeros(3),)], consume, steps=1)  # needs none
