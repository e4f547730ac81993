"""Input pipelines: build one that keeps up, and see where the time of a step goes.

`input_pipeline` is the course's pipeline, on TensorFlow's `tf.data`. `measure` runs any
pipeline against a consumer and returns a `Timeline`: when each batch was made, when the
consumer waited, when it worked. `simulate` computes the same with a clock of its own,
so that the arithmetic of overlapping can be seen without noise. `profile` writes what
TensorBoard opens, and reads it back.

`tf.data` is a part of TensorFlow, whatever backend Keras runs on. Nothing here imports
it before it is needed, and `measure` and `simulate` do without it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import _validate
from course_utils.costs import Table

__all__ = [
    "Timeline",
    "as_written",
    "input_pipeline",
    "measure",
    "profile",
    "simulate",
    "stamp",
    "table",
]

_STAMPED = {"batch", "stamps"}


@dataclass(frozen=True, eq=False)
class Timeline:
    """When batches were made and used, in seconds since the first request.

    Attributes:
        made: start and end of making each batch, shape (steps, 2).
        waited: when the consumer asked for each batch and when it got it, (steps, 2).
        worked: start and end of the consumer's work on each batch, (steps, 2).
        images: images in each batch, shape (steps,).
    """

    made: np.ndarray
    waited: np.ndarray
    worked: np.ndarray
    images: np.ndarray

    @property
    def steps(self) -> int:
        """The number of batches."""
        return len(self.images)

    @property
    def step_time(self) -> float:
        """Seconds of a step, from the request to the end of the work: the median."""
        return float(np.median(self.worked[:, 1] - self.waited[:, 0]))

    @property
    def wait_time(self) -> float:
        """Seconds that the consumer waits for a batch: the median."""
        return float(np.median(self.waited[:, 1] - self.waited[:, 0]))

    @property
    def work_time(self) -> float:
        """Seconds that the consumer works on a batch: the median."""
        return float(np.median(self.worked[:, 1] - self.worked[:, 0]))

    @property
    def images_per_second(self) -> float:
        """Images in a batch over the time of a step, both the median."""
        return float(np.median(self.images)) / max(self.step_time, 1e-9)

    @property
    def busy(self) -> float:
        """The share of all the time in which the consumer works, from 0 to 1."""
        waited = float((self.waited[:, 1] - self.waited[:, 0]).sum())
        worked = float((self.worked[:, 1] - self.worked[:, 0]).sum())
        return worked / max(waited + worked, 1e-9)

    @property
    def seconds(self) -> float:
        """From the first request to the end of the last step."""
        return float(self.worked[-1, 1] - self.waited[0, 0])

    def tracks(
        self, steps: int | None = None, *, skip: int = 0, unit: float = 1e-3
    ) -> dict[str, np.ndarray]:
        """Return the bars that `plots.timeline` draws.

        Args:
            steps: how many steps, or as many as there are; None for all.
            skip: how many steps to leave out before that; time begins behind them.
            unit: the seconds of one unit of the axis: 0.001 for milliseconds.

        Returns:
            {"making a batch": …, "working on it": …}, each of shape (steps, 2).

        Raises:
            ValueError: `steps` below 1, no step left after `skip`, or a unit that is
                not positive.
        """
        if steps is not None:
            _validate.integer("steps", steps, 1)
        if _validate.number("unit", unit) <= 0:
            _validate.fail("unit", "a positive number of seconds", unit)
        first = _validate.integer("skip", skip, 0, self.steps - 1)
        last = None if steps is None else first + steps
        made, worked = self.made[first:last], self.worked[first:last]
        start = min(made[0, 0], self.waited[first, 0])
        return {
            "making a batch": (made - start) / unit,
            "working on it": (worked - start) / unit,
        }

    def __repr__(self) -> str:
        return (
            f"Timeline({self.steps} steps of {self.step_time * 1e3:.3g} ms, "
            f"{self.images_per_second:,.0f} images/s, consumer busy {self.busy:.0%})"
        )


def simulate(
    produce: Any, consume: Any, *, steps: int | None = None, prefetch: int = 0
) -> Timeline:
    """Run a producer and a consumer on a simulated clock.

    Without prefetching the producer makes a batch when it is asked for one. With a
    buffer of `prefetch` batches it works on its own, as long as there is a free place:
    a place is free as soon as the consumer has taken the batch from it.
    Taught in lesson 08.

    Args:
        produce: seconds to make a batch: a number, or one for each step.
        consume: seconds to work on a batch: a number, or one for each step.
        steps: the number of batches; None takes the length of `produce` or `consume`.
        prefetch: the places of the buffer; 0 for no prefetching.

    Returns:
        A `Timeline` of batches of one image.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: negative or infinite times, `steps` below 1, a negative buffer,
            lengths that differ, or no number of steps at all.

    Example:
        >>> simulate(2.0, 3.0, steps=10).seconds
        50.0
        >>> simulate(2.0, 3.0, steps=10, prefetch=1).seconds
        32.0

    References:
        Murray et al. (2021), "tf.data: a machine learning data processing framework".
    """
    prefetch = _validate.integer("prefetch", prefetch, 0)
    if steps is not None:
        steps = _validate.integer("steps", steps, 1)
    made_in = _durations("produce", produce)
    used_in = _durations("consume", consume)
    for argument, values in (("produce", made_in), ("consume", used_in)):
        if values.ndim:
            if steps is not None and len(values) != steps:
                _validate.fail_with_words(
                    argument, f"one number, or {steps}", f"{len(values)} numbers"
                )
            steps = len(values)
    if steps is None:
        _validate.fail_with_words(
            "steps", "a number of steps where both times are one number", "None"
        )
    made_in = np.broadcast_to(made_in, steps)
    used_in = np.broadcast_to(used_in, steps)
    made, waited, worked = (np.zeros((steps, 2)) for _ in range(3))
    now = 0.0  # the consumer's clock
    for i in range(steps):
        start = now
        if prefetch:
            before = made[i - 1, 1] if i else 0.0
            place = waited[i - prefetch, 1] if i >= prefetch else 0.0
            start = max(before, place)
        made[i] = start, start + made_in[i]
        waited[i] = now, max(now, made[i, 1])
        now = waited[i, 1] + used_in[i]
        worked[i] = waited[i, 1], now
    return Timeline(made, waited, worked, np.ones(steps, int))


def measure(
    batches: Iterable[Any],
    consume: Callable[..., Any],
    *,
    steps: int,
    warm_up: int = 2,
) -> Timeline:
    """Let a consumer work through batches, and note when it waits and when it works.

    At the end of the data it begins again. A `tf.data.Dataset` runs as it is written
    (see `as_written`), and is repeated, so that no time goes into making iterators.
    When its batches were made is known where it was stamped (see `stamp`); else a batch
    counts as made while the consumer waited for it, which is true where nothing is
    prefetched. Taught in lesson 08.

    Args:
        batches: a `tf.data.Dataset`, a list, or another iterable that can be gone
            through again; each element is a batch or a tuple such as (images, labels).
        consume: called with the parts of each batch: `model.train_on_batch`, say. It
            must return only when its work is done.
        steps: batches to measure.
        warm_up: batches before that, which are not counted: the first trains of a model
            are compiled, the first pass fills a cache.

    Returns:
        A `Timeline`.

    Raises:
        TypeError: an argument of the wrong type, or batches that can be gone through
            only once.
        ValueError: `steps` below 1, a negative `warm_up`, or no batches at all.

    Example:
        >>> timeline = measure(dataset, model.train_on_batch, steps=50)
        >>> timeline.images_per_second, timeline.busy
    """
    if isinstance(batches, (str, bytes, Mapping)) or not isinstance(batches, Iterable):
        _validate.fail_type("batches", "a tf.data.Dataset or a list", batches)
    if isinstance(batches, Iterator):
        _validate.fail_type(
            "batches", "something that can be gone through again", batches
        )
    _validate.function("consume", consume)
    steps = _validate.integer("steps", steps, 1)
    warm_up = _validate.integer("warm_up", warm_up, 0)
    if _is_dataset(batches):
        batches = as_written(batches).repeat()
    made, waited, worked, images = [], [], [], []
    iterator = iter(batches)
    for step in range(-warm_up, steps):
        asked = time.time()  # the clock of the stamps
        try:
            element = next(iterator)
        except StopIteration:
            iterator = iter(batches)
            element = next(iterator, None)
            if element is None:
                _validate.fail_with_words("batches", "at least one batch", "none")
        batch, stamps = _unstamped(element)
        got = time.time()
        consume(*batch)
        done = time.time()
        if step >= 0:
            made.append((asked, got) if stamps is None else tuple(stamps))
            waited.append((asked, got))
            worked.append((got, done))
            images.append(_length(batch[0]))
    start = waited[0][0]
    return Timeline(
        np.array(made, float) - start,
        np.array(waited, float) - start,
        np.array(worked, float) - start,
        np.array(images, int),
    )


def stamp(dataset: Any) -> Any:
    """Note in each element of a dataset when it was asked for and when it was ready.

    Use it behind the work and before `prefetch`, so that `measure` can tell when the
    producer was at work: `dataset.apply(stamp).prefetch(2)`. The clock is read by
    TensorFlow, not by Python. Taught in lesson 08.

    Args:
        dataset: a `tf.data.Dataset`.

    Returns:
        A `tf.data.Dataset` of {"batch": the element, "stamps": two times in seconds}.

    Raises:
        TypeError: something else than a dataset.
        RuntimeError: TensorFlow is not installed.

    Example:
        >>> measure(dataset.apply(stamp).prefetch(2), step)
    """
    _check_dataset("dataset", dataset)
    tf = _tensorflow()
    # `zip` asks its parts in turn: first the clock, then the dataset.
    as_it_is = tf.autograph.experimental.do_not_convert
    clock = tf.data.Dataset.counter().map(as_it_is(lambda _: tf.timestamp()))

    @as_it_is
    def ready(asked: Any, batch: Any) -> Any:
        return {"batch": batch, "stamps": tf.stack([asked, tf.timestamp()])}

    return tf.data.Dataset.zip((clock, dataset)).map(ready)


def as_written(dataset: Any) -> Any:
    """Keep TensorFlow from rewriting a pipeline before it runs.

    By default `tf.data` fuses steps, runs some of them in parallel and may put a
    prefetch at the end. That is welcome in training, and in the way where the effect of
    one change is to be measured. Taught in lesson 08.

    Args:
        dataset: a `tf.data.Dataset`.

    Returns:
        The same dataset, without rewriting and without automatic tuning.

    Raises:
        TypeError: something else than a dataset.
        RuntimeError: TensorFlow is not installed.

    Example:
        >>> slow = as_written(dataset.map(decode))
    """
    _check_dataset("dataset", dataset)
    tf = _tensorflow()
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.experimental_optimization.inject_prefetch = False
    options.autotune.enabled = False
    return dataset.with_options(options)


def input_pipeline(
    images: Any,
    labels: Any,
    *,
    batch_size: int = 64,
    shuffle: bool = True,
    augment: Callable[[Any, Any], Any] | None = None,
    prefetch: int = 2,
    seed: int = 0,
) -> Any:
    """Return the course's input pipeline: batches that are ready when they are wanted.

    The images stay as they are in memory, as bytes if they come as bytes. What is
    shuffled is their numbers. All that is done to images is done to a whole batch at
    once, and `prefetch` does it while the consumer works. Taught in lesson 08.

    Args:
        images: array (n, height, width, channels): bytes from 0 to 255, or floats.
        labels: n labels.
        batch_size: images in a batch; the last batch of a pass may be smaller.
        shuffle: whether each pass has an order of its own.
        augment: called with float32 images (batch, height, width, channels) and two
            whole numbers to seed random operations (`tf.random.stateless_uniform`);
            returns images. Random numbers are new in each pass.
        prefetch: batches that are made ahead; 0 makes each when it is asked for.
        seed: of the order and of the random numbers. The same seed gives the same
            passes, in the same order.

    Returns:
        A `tf.data.Dataset` of (images, labels): float32 images, from 0 to 1 if they
        were bytes and else as they were.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: images without four axes, empty ones, NaN, another number of labels,
            or a number out of range.
        RuntimeError: TensorFlow is not installed.

    Example:
        >>> batches = input_pipeline(data.x_train, data.y_train, batch_size=64)
        >>> model.fit(batches, epochs=5)

    References:
        Murray et al. (2021), "tf.data: a machine learning data processing framework".
    """
    images = _validate.array("images", images, ndim=4)
    labels = _validate.array("labels", labels)
    if len(labels) != len(images):
        _validate.fail("labels", f"{len(images)} labels, one an image", labels)
    batch_size = _validate.integer("batch_size", batch_size, 1)
    shuffle = _validate.boolean("shuffle", shuffle)
    if augment is not None:
        _validate.function("augment", augment)
    prefetch = _validate.integer("prefetch", prefetch, 0)
    seed = _validate.integer("seed", seed, 0, 2**31 - 1)
    tf = _tensorflow()
    scale = 1 / 255 if images.dtype.kind == "u" else None
    with tf.device("CPU:0"):  # a GPU's memory is for the model
        stored = tf.constant(images), tf.constant(labels)

    def assemble(numbers: Any, random: Any) -> Any:
        chosen, answers = (tf.gather(part, numbers) for part in stored)
        chosen = tf.cast(chosen, tf.float32)
        if scale is not None:
            chosen *= scale
        return chosen if augment is None else augment(chosen, random), answers

    numbers = tf.data.Dataset.range(len(images))
    if shuffle:
        numbers = numbers.shuffle(len(images), seed, reshuffle_each_iteration=True)
    random = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
    batches = tf.data.Dataset.zip((numbers.batch(batch_size), random)).map(assemble)
    return batches.prefetch(prefetch) if prefetch else batches


class _Timelines(Table):
    """Rows of `table`: dicts, that a notebook shows as a table."""

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        headers = ["Pipeline", "Step (ms)", "Waiting (ms)", "Images/s", "Consumer busy"]
        return headers, [
            [
                row["name"],
                f"{row['step_time'] * 1e3:.2f}",
                f"{row['wait_time'] * 1e3:.2f}",
                f"{row['images_per_second']:,.0f}",
                f"{row['busy']:.0%}",
            ]
            for row in self
        ]


def table(timelines: Mapping[str, Timeline]) -> Table:
    """Set timelines side by side, one row each.

    Args:
        timelines: label -> `Timeline`.

    Returns:
        A list of dicts with "name", "step_time" and "wait_time" (seconds),
        "images_per_second" and "busy" (from 0 to 1). At the end of a cell it is shown
        as a table.

    Raises:
        TypeError: something else than a dict of timelines.
        ValueError: no timeline.

    Example:
        >>> table({"without": simulate(2, 3, steps=9)})
    """
    if not isinstance(timelines, Mapping):
        _validate.fail_type("timelines", "a dict of label -> Timeline", timelines)
    if not timelines:
        _validate.fail("timelines", "at least one labeled Timeline", timelines)
    rows = _Timelines()
    for label, timeline in timelines.items():
        _validate.string("timelines", label)
        if not isinstance(timeline, Timeline):
            _validate.fail_type(f"timelines[{label!r}]", "a Timeline", timeline)
        names = ("step_time", "wait_time", "images_per_second", "busy")
        rows.append(
            {"name": label, **{name: getattr(timeline, name) for name in names}}
        )
    return rows


class _Stages(Table):
    """Rows of `profile`: dicts, that a notebook shows as a table."""

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        headers = ["Stage of the pipeline", "Calls", "Own time (ms)"]
        return headers, [
            [row["stage"], f"{row['calls']:,}", f"{row['seconds'] * 1e3:.2f}"]
            for row in self
        ]


def profile(
    batches: Any, consume: Callable[..., Any], folder: Any, *, steps: int = 5
) -> Table:
    """Write a profile of some steps for TensorBoard, and read the pipeline's part.

    The profile is a file under `folder`/plugins/profile. TensorBoard opens it where its
    profile plugin is installed; writing and reading it here needs neither. Nothing is
    sent anywhere. Taught in lesson 08.

    Args:
        batches: a `tf.data.Dataset` of tuples such as (images, labels), not stamped.
        consume: called with the parts of each batch.
        folder: where to write; it must exist.
        steps: batches to profile, at most those of one pass. A whole pass goes before
            it, which is not profiled.

    Returns:
        A list of dicts, one a stage of the pipeline in the order of the data: "stage",
        "calls", and "seconds": the stage's own time, without the stages that it asks.
        For a `Prefetch` that is the time that the consumer waited. At the end of a cell
        it is shown as a table.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: `steps` below 1.
        FileNotFoundError: no such folder.
        RuntimeError: TensorFlow is not installed, or another profile is running.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(profile(dataset, model.train_on_batch, folder))
    """
    _check_dataset("batches", batches)
    _validate.function("consume", consume)
    folder = _validate.folder("folder", folder)
    steps = _validate.integer("steps", steps, 1)
    tf = _tensorflow()
    for batch in batches:  # compile the model and fill a cache
        consume(*_parts(batch))
    known = set(_profiles(folder))
    iterator = iter(batches)
    try:
        tf.profiler.experimental.start(folder)
    except tf.errors.AlreadyExistsError as error:
        raise RuntimeError(
            "Another profile is running. End it with tf.profiler.experimental.stop()."
        ) from error
    try:
        for step, batch in zip(range(steps), iterator, strict=False):
            with tf.profiler.experimental.Trace("train", step_num=step, _r=1):
                consume(*_parts(batch))
    finally:
        tf.profiler.experimental.stop()
    written = [path for path in _profiles(folder) if path not in known]
    return _stages(written[-1])


# ------------------------------------------------------------------------------ parts


def _tensorflow() -> Any:
    """Import TensorFlow, or say what to do without it."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise RuntimeError(
            "This needs tf.data, a part of TensorFlow, which is not installed here. "
            "Install it (`pip install tensorflow`) and restart; the backend of Keras "
            "may stay what it is."
        ) from error
    return tf


def _is_dataset(value: Any) -> bool:
    return hasattr(value, "element_spec") and hasattr(value, "with_options")


def _check_dataset(argument: str, dataset: Any) -> None:
    if not _is_dataset(dataset):
        _validate.fail_type(argument, "a tf.data.Dataset", dataset)


def _durations(argument: str, value: Any) -> np.ndarray:
    values = _validate.array(argument, value, ndim=(0, 1)).astype(float)
    if (values < 0).any():
        _validate.fail_with_words(
            argument, "seconds of at least 0", f"{values.min():g}"
        )
    return values


def _parts(batch: Any) -> tuple[Any, ...]:
    """Return the parts of a batch as the consumer takes them.

    Keras on JAX and on PyTorch does not know TensorFlow's tensors.
    """
    parts = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
    keras = sys.modules.get("keras")
    if keras is not None and keras.backend.backend() != "tensorflow":
        return tuple(
            part.numpy() if type(part).__module__.startswith("tensorflow") else part
            for part in parts
        )
    return parts


def _unstamped(element: Any) -> tuple[tuple[Any, ...], np.ndarray | None]:
    if isinstance(element, Mapping) and set(element) == _STAMPED:
        return _parts(element["batch"]), np.asarray(element["stamps"])
    return _parts(element), None


def _length(part: Any) -> int:
    shape = getattr(part, "shape", None)
    return int(shape[0]) if shape else 1


def _profiles(folder: str) -> list[Path]:
    return sorted(Path(folder).glob("plugins/profile/*/*.xplane.pb"))


def _stages(path: Path) -> Table:
    """Add up the events that `tf.data` left in a profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    seconds: dict[str, float] = {}
    calls: dict[str, int] = {}
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name.partition("#")[0]
                if not name.startswith("Iterator::Root::"):
                    continue
                seconds[name] = seconds.get(name, 0.0) + event.duration_ps / 1e12
                calls[name] = calls.get(name, 0) + 1
    rows = _Stages()
    for name in _data_first(seconds):
        inner = sum(
            spent
            for other, spent in seconds.items()
            if other.rpartition("::")[0] == name
        )
        stage = name.rpartition("::")[2]
        own = seconds[name] if stage == "Prefetch" else max(seconds[name] - inner, 0.0)
        rows.append({"stage": stage, "calls": calls[name], "seconds": own})
    return rows


def _data_first(names: Iterable[str]) -> Sequence[str]:
    """Sort stages so that the source of the data comes first."""
    return sorted(names, key=lambda name: (-name.count("::"), name))
