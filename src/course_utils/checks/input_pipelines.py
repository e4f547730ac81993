"""Checks of lesson 08, *Fast input pipelines*."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils import pipelines
from course_utils.exercises import (
    Exercise,
    Failure,
    Rule,
    as_array,
    attempt,
    call,
    describe,
    expect_close,
    expect_shape,
    once,
)

# --- pipeline.bytes -------------------------------------------------------------------

_PHOTOGRAPHS, _SIDE, _COLORS = 20_000, 128, 3


def _bytes_of(dtype: str, colors: int = _COLORS) -> int:
    """Ask NumPy, on one photograph."""
    one = np.zeros((_SIDE, _SIDE, colors), dtype)
    return _PHOTOGRAPHS * one.nbytes


def _counts_colors(answer: float) -> None:
    if answer in [_bytes_of(dtype, 1) for dtype in ("uint8", "float32", "float64")]:
        raise Failure(f"{answer:,} is what gray photographs would take.")


def _counts_type(answer: float) -> None:
    for dtype in ("uint8", "float32"):
        if answer == _bytes_of(dtype):
            raise Failure(
                f"{answer:,} is right for {dtype}, which is not the result's."
            )


def _bytes_in_all(answer: float) -> None:
    right = _bytes_of(str((np.zeros(1, "uint8") / 255).dtype))
    for unit in (1e3, 1e6, 1e9, 2**10, 2**20, 2**30):
        if abs(answer * unit / right - 1) < 0.01:
            raise Failure(f"{answer:,} is not in bytes: write out all of them.")
    if answer != right:
        words = "too many" if answer > right else "too few"
        raise Failure(f"{answer:,} is {words}.")


bytes_ = Exercise(
    "pipeline.bytes",
    kind="number",
    lesson="08",
    title="Count the bytes",
    rules=[
        Rule(
            "counts the colors",
            _counts_colors,
            hints=(
                "Your number is a third of what it should be.",
                "A color photograph has several numbers at each position.",
                "Multiply with the channels, too.",
            ),
        ),
        Rule(
            "counts the bytes of the result's type",
            _counts_type,
            hints=(
                "The array has the right count of numbers, but another type.",
                "NumPy divides whole numbers in the type of Python's own floats.",
                "Look at what the cell above printed last, and divide its bits by 8.",
            ),
        ),
        Rule(
            "the total",
            _bytes_in_all,
            hints=(
                "Write the product out: five factors.",
                "Images, height, width, channels, and the bytes of one number.",
                "A gigabyte is a thousand million bytes; the answer is in bytes.",
            ),
        ),
    ],
    correct="images, sides, colors and the bytes of float64",
)

# --- pipeline.overlap -----------------------------------------------------------------


def _simulated(make: float, work: float, steps: int, prefetch: bool) -> float:
    run = pipelines.simulate(make, work, steps=steps, prefetch=int(prefetch))
    return run.seconds


def _total_is(*cases: tuple[float, float, int, bool]) -> Callable[[Any], None]:
    def rule(answer: Any) -> None:
        for case in cases:
            make, work, steps, prefetch = case
            expect_close(
                call(answer, *case),
                float(_simulated(*case)),
                what=f"total_time({make}, {work}, {steps}, {prefetch})",
            )

    return rule


overlap = Exercise(
    "pipeline.overlap",
    kind="function",
    lesson="08",
    title="What can it gain?",
    rules=[
        Rule(
            "taking turns",
            _total_is((4.0, 5.0, 8, False), (0.5, 0.25, 3, False)),
            hints=(
                "Without prefetching, compare with the first row of the figure.",
                "Nothing overlaps: each step costs both times.",
                "Look at what you return where `prefetch` is False.",
            ),
        ),
        Rule(
            "a single step",
            _total_is((4.0, 5.0, 1, True), (5.0, 4.0, 1, True)),
            hints=(
                "With one step only, what can overlap with what?",
                "The consumer cannot start before its batch is there.",
                "Put 1 for the steps into your formula.",
            ),
        ),
        Rule(
            "a slow consumer",
            _total_is((4.0, 5.0, 8, True), (1.0, 3.0, 20, True)),
            hints=(
                "The producer is the faster one here. Compare with the figure's "
                "second row.",
                "The first batch is waited for; then the consumer works without a "
                "pause.",
                "Look at which of the two times you take `steps` times.",
            ),
        ),
        Rule(
            "a slow producer",
            _total_is((5.0, 4.0, 8, True), (3.0, 1.0, 20, True)),
            hints=(
                "The producer is the slower one here. Draw its bars first.",
                "Now the producer works without a pause, and the last batch is still "
                "to be worked on.",
                "Look for a place that takes it for granted which one is slower.",
            ),
        ),
    ],
    correct="turns and overlap, with either of the two as the slower one",
)

# --- pipeline.mirror ------------------------------------------------------------------


def _mirror_images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(6).uniform(size=(count, 3, 4, 2)).astype("float32")


_FLIPS = np.array([True, False, False, True, True])


def _mirrored(answer: Any) -> Any:
    tf = pipelines._tensorflow()
    images, flips = tf.constant(_mirror_images()), tf.constant(_FLIPS)
    return once("mirrored", lambda: call(answer, images, flips))


def _mirror_shape(answer: Any) -> None:
    result = _mirrored(answer)
    expect_shape(result, _mirror_images().shape)
    came = as_array(result).dtype
    if came != np.float32:
        raise Failure(f"the result: expected float32, got {came}.")


def _leaves_others(answer: Any) -> None:
    came = as_array(_mirrored(answer))
    expect_close(came[~_FLIPS], _mirror_images()[~_FLIPS], what="the images that stay")


def _mirrors(answer: Any) -> None:
    came = as_array(_mirrored(answer))
    # Read from right to left, position by position.
    right = np.take(_mirror_images(), [3, 2, 1, 0], axis=2)
    expect_close(came[_FLIPS], right[_FLIPS], what="the images that are mirrored")


def _any_size(answer: Any) -> None:
    tf = pipelines._tensorflow()
    pairs = tf.data.Dataset.from_tensor_slices((_mirror_images(), _FLIPS))

    def run() -> list[np.ndarray]:
        return [batch.numpy() for batch in pairs.batch(3).map(answer)]

    try:
        batches = attempt(run)
    except Failure:
        raise
    except Exception as error:
        original = getattr(error, "original", error)
        if not isinstance(original, Exception):
            raise
        # TensorFlow puts where it happened first, and what happened last.
        lines = [line.strip() for line in str(original).splitlines() if line.strip()]
        last = lines[-1] if lines else type(original).__name__
        last = last.split(". ")[0].rstrip(".")
        raise Failure(
            "it works on a batch by itself, but not inside `map`, where the size of "
            f"the batch is not known yet: {last[:200]}."
        ) from None
    expect_close(
        np.concatenate(batches),
        as_array(_mirrored(answer)),
        what="inside `map`, batches of 3 and 2",
    )


mirror = Exercise(
    "pipeline.mirror",
    kind="function",
    lesson="08",
    title="From a loop to a batch",
    rules=[
        Rule(
            "keeps shape and type",
            _mirror_shape,
            hints=(
                "Compare the shape and the `dtype` of what comes out with the images.",
                "The batch keeps its four axes; a condition of one axis lines up with "
                "the last one, unless it gets axes of length 1.",
                "Look at the shape of what you choose by.",
            ),
        ),
        Rule(
            "leaves the others alone",
            _leaves_others,
            hints=(
                "An image whose flip is False has changed.",
                "What is chosen where the condition is False is the third argument.",
                "Look at the order of the two, and at whether you choose at all.",
            ),
        ),
        Rule(
            "mirrors left to right",
            _mirrors,
            hints=(
                "Look at an image whose flip is True, before and after.",
                "The axes are images, height, width, channels. Left and right are "
                "the width.",
                "Look at the axis that you turn around.",
            ),
        ),
        Rule(
            "works on a batch of any size",
            _any_size,
            hints=(
                "Try it in `tf.data.Dataset.map`, on a dataset of batches.",
                "Inside `map` tensors have no values yet, and the first axis no "
                "length: Python cannot loop over it.",
                "Look for a loop, for `len`, and for NumPy.",
            ),
        ),
    ],
    correct="mirrored and plain images, by itself and inside `map`",
)

# --- What the pipelines are asked -----------------------------------------------------

_MOST_BATCHES = 60


def _expect_pairs(dataset: Any, what: str = "the pipeline") -> Any:
    """Require a dataset of (images, labels); return it as it is written."""
    tf = pipelines._tensorflow()
    if not isinstance(dataset, tf.data.Dataset):
        raise Failure(f"{what}: expected a tf.data.Dataset, got {describe(dataset)}.")
    spec = dataset.element_spec
    plain = isinstance(spec, tuple) and len(spec) == 2
    if not plain or not all(isinstance(part, tf.TensorSpec) for part in spec):
        raise Failure(f"{what}: expected elements (images, labels), got {spec}.")
    if spec[0].dtype.is_complex or not (
        spec[0].dtype.is_floating or spec[0].dtype.is_integer
    ):
        raise Failure(f"{what}: expected images of numbers, got {spec[0].dtype.name}.")
    return pipelines.as_written(dataset)


def _one_pass(dataset: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Go through a dataset once, on the learner's clock."""

    def run() -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            (images.numpy(), labels.numpy())
            for images, labels in dataset.take(_MOST_BATCHES)
        ]

    return attempt(run)


def _sizes(batches: list[tuple[np.ndarray, np.ndarray]]) -> list[int]:
    return [int(images.shape[0]) if images.ndim else 0 for images, _ in batches]


def _expect_batches(
    batches: list[tuple[np.ndarray, np.ndarray]],
    size: int,
    shape: tuple[int, ...],
    what: str = "the first batch",
) -> None:
    if not batches:
        raise Failure(f"{what}: the pipeline gives nothing.")
    images, labels = batches[0]
    expect_shape(images, (size, *shape), what=f"{what}, images")
    expect_shape(labels, (size,), what=f"{what}, labels")


class _Recorder:
    """A function of a batch that notes when it is called, and on what."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls: list[tuple[float, float, int]] = []

    def _run(self, images: np.ndarray) -> np.ndarray:
        begun = time.perf_counter()
        if self.seconds:
            time.sleep(self.seconds)
        count = images.shape[0] if images.ndim == 4 else -1
        self.calls.append((begun, time.perf_counter(), count))
        return 2 * images.astype("float32")

    def on_batches(self) -> Callable[[Any, Any], Any]:
        """Return the function that the learner's pipeline maps."""
        tf = pipelines._tensorflow()

        @tf.autograph.experimental.do_not_convert
        def prepare(images: Any, labels: Any) -> Any:
            doubled = tf.numpy_function(self._run, [images], tf.float32)
            doubled.set_shape(images.shape)
            return doubled, labels

        return prepare

    def sizes(self) -> list[int]:
        return [count for _, _, count in self.calls]


def _numbered(count: int, side: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return images that are all of their own number, and labels sorted by class."""
    numbers = np.arange(count, dtype="uint8")
    images = np.broadcast_to(numbers[:, None, None, None], (count, side, side, 1))
    return images.copy(), (np.arange(count) // 10).astype("int64")


def _whole(sizes: list[int]) -> bool:
    return all(size > 0 for size in sizes)


# --- pipeline.cached ------------------------------------------------------------------

_CACHED, _CACHED_BATCH = 10, 4


def _two_passes(answer: Any) -> tuple[_Recorder, list[Any], list[Any]]:
    def run() -> tuple[_Recorder, list[Any], list[Any]]:
        tf = pipelines._tensorflow()
        recorder = _Recorder()
        # Its state lives on between passes; that of `tf.random.uniform` need not.
        random = tf.random.Generator.from_seed(5)

        @tf.autograph.experimental.do_not_convert
        def augment(images: Any, labels: Any) -> Any:
            noise = random.uniform(tf.shape(images), 0.1, 0.9)
            return tf.cast(images, tf.float32) + noise, labels

        images, labels = _numbered(_CACHED)
        prepare = recorder.on_batches()
        made = call(answer, images, labels, prepare, augment, _CACHED_BATCH)
        dataset = _expect_pairs(made)
        return recorder, _one_pass(dataset), _one_pass(dataset)

    return once("two passes", run)


def _cached_batches(answer: Any) -> None:
    recorder, first, _ = _two_passes(answer)
    _expect_batches(first, _CACHED_BATCH, (2, 2, 1))
    if not _whole(recorder.sizes()):
        raise Failure("`prepare` was called on single images, not on batches.")


def _cached_complete(answer: Any) -> None:
    _, *passes = _two_passes(answer)
    _, labels = _numbered(_CACHED)
    for batches in passes:
        came = np.concatenate([part for _, part in batches])
        if len(came) != _CACHED:
            raise Failure(
                f"{_CACHED} images go in, {len(came)} come out, in batches of "
                f"{_sizes(batches)}."
            )
        numbers = np.concatenate([images[:, 0, 0, 0] for images, _ in batches])
        order = np.floor(numbers / 2).astype(int)
        if not np.array_equal(order, np.arange(_CACHED)) or (came != labels).any():
            raise Failure(
                "the images do not come out in their order, each with its label; their "
                f"numbers are {order.tolist()}."
            )


def _cached_once(answer: Any) -> None:
    recorder, *_ = _two_passes(answer)
    prepared = sum(recorder.sizes())
    if prepared != _CACHED:
        raise Failure(
            f"in two passes over {_CACHED} images, {prepared} images were prepared."
        )


def _cached_anew(answer: Any) -> None:
    _, first, second = _two_passes(answer)
    for (a, _), (b, _) in zip(first, second, strict=True):
        if np.array_equal(a, b):
            raise Failure("the second pass gives the very images of the first.")


cached = Exercise(
    "pipeline.cached",
    kind="function",
    lesson="08",
    title="Spot the bug: the same surprise in each epoch",
    rules=[
        Rule(
            "works on batches",
            _cached_batches,
            hints=(
                "Look at the shape of the first element of your pipeline.",
                "Both functions take a whole batch, so batches are made first.",
                "Look at where `batch` stands.",
            ),
        ),
        Rule(
            "gives every image, in order",
            _cached_complete,
            hints=(
                "Go through one pass and count the images.",
                "The last batch may be smaller, and it counts. Nothing is shuffled "
                "here.",
                "Look at the arguments of `batch`.",
            ),
        ),
        Rule(
            "prepares each image once",
            _cached_once,
            hints=(
                "Count how many images go through `prepare` in two passes.",
                "Only what stands in front of `cache` is done once.",
                "Look at what stands between the source and `cache`.",
            ),
        ),
        Rule(
            "augments anew in each pass",
            _cached_anew,
            hints=(
                "Compare one image in the first pass and in the second.",
                "A cache keeps what goes into it, random or not.",
                "Look at what stands between `cache` and the end.",
            ),
        ),
    ],
    correct="batches, order, what is done once and what is done in each pass",
)

# --- pipeline.shuffled ----------------------------------------------------------------

# More images than a buffer of 1,000 holds, and no whole number of batches.
_SHUFFLED, _SHUFFLED_BATCH = 2003, 64


def _numbered_widely(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images whose first two bytes are their number, and sorted labels."""
    numbers = np.arange(count)
    images = np.zeros((count, 2, 2, 1), "uint8")
    images[:, 0, 0, 0], images[:, 0, 1, 0] = numbers % 256, numbers // 256
    return images, (numbers // 10).astype("int64")


def _numbers(images: np.ndarray) -> np.ndarray:
    low, high = images[:, 0, 0, 0], images[:, 0, 1, 0]
    return low.astype(int) + 256 * high.astype(int)


def _orders(answer: Any, seed: int, key: str) -> list[list[tuple[Any, Any]]]:
    """Return two passes of a pipeline that is made with a seed."""

    def run() -> list[list[tuple[Any, Any]]]:
        images, labels = _numbered_widely(_SHUFFLED)
        made = call(answer, images, labels, _SHUFFLED_BATCH, seed)
        dataset = _expect_pairs(made)
        return [_one_pass(dataset), _one_pass(dataset)]

    return once(key, run)


def _order(batches: list[tuple[Any, Any]]) -> np.ndarray:
    return np.concatenate([_numbers(images) for images, _ in batches])


def _shuffled_batches(answer: Any) -> None:
    for batches in _orders(answer, 3, "seed 3"):
        _expect_batches(batches, _SHUFFLED_BATCH, (2, 2, 1))


def _shuffled_complete(answer: Any) -> None:
    for batches in _orders(answer, 3, "seed 3"):
        order = _order(batches)
        if sorted(order) != list(range(_SHUFFLED)):
            missing = len(set(range(_SHUFFLED)) - set(order.tolist()))
            raise Failure(
                f"one pass gives {len(order)} images of {_SHUFFLED}; {missing} of "
                "them are missing."
            )
        labels = np.concatenate([part for _, part in batches])
        if (labels != order // 10).any():
            raise Failure("images and labels were torn apart.")


def _mixes(answer: Any) -> None:
    for batches in _orders(answer, 3, "seed 3"):
        if all(np.ptp(_numbers(images)) < len(images) for images, _ in batches):
            raise Failure(
                "each batch holds images that were neighbors in the data, none from "
                "elsewhere."
            )


def _mixes_all(answer: Any) -> None:
    for batches in _orders(answer, 3, "seed 3"):
        farthest = int(_numbers(batches[0][0]).max())
        if farthest < 3 * _SHUFFLED // 4:  # of 64 at random: once in 10**8
            raise Failure(
                f"the first batch has images from the first {farthest + 1} of "
                f"{_SHUFFLED} only."
            )


def _new_order(answer: Any) -> None:
    first, second = _orders(answer, 3, "seed 3")
    if np.array_equal(_order(first), _order(second)):
        raise Failure("the second pass has the order of the first.")


def _seed_decides(answer: Any) -> None:
    passes = _orders(answer, 3, "seed 3")
    again = _orders(answer, 3, "seed 3 again")
    for number, (one, other) in enumerate(zip(passes, again, strict=True), 1):
        if not np.array_equal(_order(one), _order(other)):
            raise Failure(f"two pipelines with the same seed differ in pass {number}.")
    other_seed = _orders(answer, 4, "seed 4")
    if np.array_equal(_order(passes[0]), _order(other_seed[0])):
        raise Failure("two pipelines with different seeds have the same order.")


shuffled = Exercise(
    "pipeline.shuffled",
    kind="function",
    lesson="08",
    title="Spot the bug: shuffled, and yet in order",
    rules=[
        Rule(
            "gives batches of pairs",
            _shuffled_batches,
            hints=(
                "Look at the shape of the first element of your pipeline.",
                "The pipeline gives batches (images, labels).",
                "Look for the call that makes batches, and at its number.",
            ),
        ),
        Rule(
            "gives every image once, with its label",
            _shuffled_complete,
            hints=(
                "Collect one pass: is every image there, and only once?",
                "One order for both: images and labels travel as pairs.",
                "Look for `repeat`, for two shuffles, and at the arguments of `batch`.",
            ),
        ),
        Rule(
            "mixes images, not batches",
            _mixes,
            hints=(
                "Look at which images are in a batch together.",
                "A batch that is made first is moved as a whole.",
                "Look at which call comes first.",
            ),
        ),
        Rule(
            "mixes over the whole data",
            _mixes_all,
            hints=(
                "Look at the first batch: how far back do its images come from?",
                "A buffer can only give what is in it, and it is filled from the "
                "front.",
                "Look at the size of the buffer, and at the number of images.",
            ),
        ),
        Rule(
            "has a new order in each pass",
            _new_order,
            hints=(
                "Go through the pipeline twice and compare.",
                "What happens while the pipeline is built happens once.",
                "Look at what fixes the order, and when.",
            ),
        ),
        Rule(
            "follows the seed",
            _seed_decides,
            hints=(
                "Build it twice with one seed, and once with another.",
                "A shuffle without a seed of its own begins somewhere.",
                "Look at where the argument `seed` goes.",
            ),
        ),
    ],
    correct="complete passes, mixed over all the data, anew each time, by the seed",
)

# --- pipeline.fair --------------------------------------------------------------------

_FAIR, _FAIR_BATCH = 48, 8
_WORDS = ("the first pipeline", "the second pipeline")


def _pair(answer: Any) -> list[tuple[_Recorder, Any]]:
    """Return the two pipelines, each with its own record of `prepare`."""

    def run() -> list[tuple[_Recorder, Any]]:
        images, labels = _numbered(_FAIR)
        found = []
        for place, words in enumerate(_WORDS):
            recorder = _Recorder(seconds=0.004)
            made = call(answer, images, labels, recorder.on_batches(), _FAIR_BATCH)
            if not isinstance(made, (tuple, list)) or len(made) != 2:
                raise Failure(f"expected two pipelines, got {describe(made)}.")
            found.append((recorder, _expect_pairs(made[place], words)))
        return found

    return once("pair", run)


def _ran(answer: Any) -> list[tuple[list[Any], list[Any], list[Any]]]:
    """Go through both twice; return the passes and the calls of `prepare`."""

    def run() -> list[tuple[list[Any], list[Any], list[Any]]]:
        result = []
        for recorder, dataset in _pair(answer):
            recorder.calls.clear()
            first, second = _one_pass(dataset), _one_pass(dataset)
            result.append((first, second, list(recorder.calls)))
        return result

    return once("ran", run)


def _made_ahead(recorder: _Recorder, dataset: Any, patience: float) -> int:
    """Take one batch, wait, and count the batches that were prepared by then."""

    def run() -> int:
        recorder.calls.clear()
        iterator = iter(dataset)
        next(iterator)
        ends = time.perf_counter() + patience
        while time.perf_counter() < ends and len(recorder.calls) < 2:
            time.sleep(0.005)
        return len(recorder.calls)

    return attempt(run)


def _two_pipelines(answer: Any) -> None:
    _pair(answer)


def _same_batches(answer: Any) -> None:
    images, labels = _numbered(_FAIR)
    for words, (first, second, _) in zip(_WORDS, _ran(answer), strict=True):
        for batches in (first, second):
            sizes = _sizes(batches)
            if sizes != [_FAIR_BATCH] * (_FAIR // _FAIR_BATCH):
                raise Failure(
                    f"{words}: expected {_FAIR // _FAIR_BATCH} batches of "
                    f"{_FAIR_BATCH}, got {sizes}."
                )
            expect_close(
                np.concatenate([part for part, _ in batches]),
                (images.astype("float32") + images).astype("float32"),
                what=f"{words}, images",
            )
            came = np.concatenate([part for _, part in batches])
            expect_close(came, labels, what=f"{words}, labels")


def _whole_batches(answer: Any) -> None:
    for words, (_, _, calls) in zip(_WORDS, _ran(answer), strict=True):
        sizes = {count for _, _, count in calls}
        if sizes != {_FAIR_BATCH}:
            kind = "single images" if -1 in sizes else f"batches of {sorted(sizes)}"
            raise Failure(f"{words}: `prepare` was called on {kind}.")


def _same_work(answer: Any) -> None:
    wanted = 2 * math.ceil(_FAIR / _FAIR_BATCH)
    for words, (_, _, calls) in zip(_WORDS, _ran(answer), strict=True):
        if len(calls) != wanted:
            raise Failure(
                f"{words}: in two passes `prepare` ran {len(calls)} times, not "
                f"{wanted} times."
            )


def _not_ahead(answer: Any) -> None:
    count = _made_ahead(*_pair(answer)[0], patience=0.06)
    if count != 1:
        raise Failure(
            f"the first pipeline: one batch was taken, {count} were prepared."
        )


def _ahead(answer: Any) -> None:
    count = _made_ahead(*_pair(answer)[1], patience=1.0)
    if count < 2:
        raise Failure(
            "the second pipeline: one batch was taken, and no other is being made."
        )


def _one_at_a_time(answer: Any) -> None:
    for words, (_, _, calls) in zip(_WORDS, _ran(answer), strict=True):
        ordered = sorted(calls)
        for (_, ended, _), (begun, _, _) in itertools.pairwise(ordered):
            if begun < ended:
                raise Failure(
                    f"{words}: `prepare` works on several batches at the same time."
                )


fair = Exercise(
    "pipeline.fair",
    kind="function",
    lesson="08",
    title="Spot the bug: many times as fast by prefetching",
    rules=[
        Rule(
            "gives two pipelines",
            _two_pipelines,
            hints=(
                "Look at what your function returns.",
                "A comparison needs two: one without, one with.",
                "Return both in a tuple, the one without prefetching first.",
            ),
        ),
        Rule(
            "both give the same batches",
            _same_batches,
            hints=(
                "Go through both and compare, batch by batch.",
                "What is compared must be the same: images, order, sizes.",
                "Look at the number that each `batch` gets, and for `shuffle`.",
            ),
        ),
        Rule(
            "both prepare whole batches",
            _whole_batches,
            hints=(
                "Look at the shape that `prepare` gets in each of the two.",
                "A map over images and a map over batches are two different things.",
                "Look at the order of `batch` and `map`, in both.",
            ),
        ),
        Rule(
            "both do the same work",
            _same_work,
            hints=(
                "Count the calls of `prepare` in two passes, for each of the two.",
                "A pipeline that keeps its results does less, with or without "
                "prefetching.",
                "Look for a `cache` in either of them.",
            ),
        ),
        Rule(
            "both prepare one batch at a time",
            _one_at_a_time,
            hints=(
                "Watch `prepare`: in one of the two it runs twice at once.",
                "Parallel calls use more cores. That is another change.",
                "Look at the arguments of `map`.",
            ),
        ),
        Rule(
            "the first makes no batch ahead",
            _not_ahead,
            hints=(
                "Take one batch from the first pipeline, and count the calls.",
                "Without prefetching nothing happens before it is asked for.",
                "Look at which of the two comes first in what you return.",
            ),
        ),
        Rule(
            "the second makes batches ahead",
            _ahead,
            hints=(
                "Take one batch from the second pipeline, wait, and count the calls.",
                "Prefetching starts on the next batch by itself.",
                "Look for the call in the second pipeline that the first lacks.",
            ),
        ),
    ],
    correct="the same batches, the same work, and prefetching in the second alone",
)
