"""How fast the course's input pipeline is, and whether the nets ever wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import nets

# Name on the page -> batch size; the side is that of the net's input.
WAITING = {
    "Dense classifier, 28 px": 128,
    "Small convnet, 28 px": 64,
    "Shallow convnet, 32 px": 64,
    "ResNet18 as found, 32 px": 64,
    "ResNet18 repaired, 32 px": 64,
    "Fast ResNet, 32 px": 64,
    "Enlarged Xception, 32 px": 16,
    "ResNet-20, 32 px": 64,
    "ResNet-32, 32 px": 64,
    "ResNet-56, 32 px": 64,
    "ResNet-110, 32 px": 64,
    "Plain convnet, 180 px": 32,
    "Mini-Xception, 180 px": 32,
    "EfficientNet-Lite0, 224 px": 16,
    "ResNet-50, 224 px": 8,
    "Xception, 299 px": 8,
}


def everything() -> list[dict[str, Any]]:
    """Return one table: the pipelines alone, then the nets that train from ours."""
    columns = ["What", "Batch", "Step", "Waiting", "At work", "Images/s"]
    rows = [*against_a_generator(), *waiting_nets()]
    title = "Input pipelines: alone, and with the nets of the course"
    return [{"title": title, "columns": columns, "rows": rows}]


def against_a_generator(
    count: int = 4096, side: int = 28, batch_size: int = 64, rounds: int = 5
) -> list[list[Any]]:
    """Time the course's pipeline and a Python generator that does the same work.

    Both give float32 images from 0 to 1, in a random order, each shifted by up to two
    pixels. Nothing is done with them. The rounds of the two alternate, so that slow
    drifts of the machine cancel out.

    Args:
        count: images of a pass.
        side: their sides, in pixels.
        batch_size: images of a batch.
        rounds: passes of each that are timed; the median counts.

    Returns:
        Three rows: both throughputs, and their ratio.
    """
    import tensorflow as tf

    from course_utils import pipelines

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, side, side, 1), dtype="uint8")
    labels = rng.integers(0, 10, count)

    def one_by_one() -> Iterator[tuple[np.ndarray, np.integer]]:
        random = np.random.default_rng(0)
        for i in random.permutation(count):
            image = images[i].astype("float32") / np.float32(255)
            top, left = random.integers(0, 5, size=2)
            padded = np.pad(image, [(2, 2), (2, 2), (0, 0)])
            yield padded[top : top + side, left : left + side], labels[i]

    signature = (
        tf.TensorSpec((side, side, 1), "float32"),
        tf.TensorSpec((), labels.dtype),
    )
    generator = tf.data.Dataset.from_generator(one_by_one, output_signature=signature)
    contenders = {
        "Python generator, one image at a time": generator.batch(batch_size),
        "course_utils.pipelines.input_pipeline": pipelines.input_pipeline(
            images, labels, batch_size=batch_size, augment=shift_by(side)
        ),
    }
    steps = count // batch_size
    rates: dict[str, list[float]] = {label: [] for label in contenders}
    for number in range(rounds):
        for label, dataset in contenders.items():
            print(f"  {label}, round {number + 1} of {rounds} …", flush=True)
            run = pipelines.measure(dataset, _nothing, steps=steps, warm_up=4)
            rates[label].append(run.images_per_second)
    medians = {label: float(np.median(values)) for label, values in rates.items()}
    slow, fast = medians.values()
    rows = [
        [f"{label}, {side} px", batch_size, *[""] * 3, f"{rate:,.0f}"]
        for label, rate in medians.items()
    ]
    return [*rows, ["The second over the first", *[""] * 4, f"{fast / slow:.1f}"]]


def waiting_nets(steps: int = 20) -> list[list[Any]]:
    """Train each net of the course from the course's pipeline; say how long it waits.

    Args:
        steps: measured training steps of each net.

    Returns:
        A row a net: time of a step, time of waiting, share of the time at work.
    """
    import keras

    from course_utils import pipelines

    rows = []
    for label, batch_size in WAITING.items():
        print(f"  {label} …", flush=True)
        name, settings = nets.NETS[label]
        model = nets.make(name, settings)
        shape = tuple(model.input_shape[1:])
        model.compile("sgd", _loss_of(model))
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (16 * batch_size, *shape), dtype="uint8")
        labels = rng.integers(0, 2, len(images))
        batches = pipelines.input_pipeline(
            images, labels, batch_size=batch_size, augment=shift_by(shape[0])
        )
        run = pipelines.measure(batches, model.train_on_batch, steps=steps, warm_up=3)
        rows.append(
            [
                label,
                batch_size,
                f"{run.step_time * 1e3:.3g} ms",
                f"{run.wait_time * 1e3:.3g} ms",
                f"{run.busy:.1%}",
                f"{run.images_per_second:,.0f}",
            ]
        )
        del model
        keras.backend.clear_session(free_memory=True)
    return rows


def shift_by(side: int) -> Callable[[Any, Any], Any]:
    """Return an augmentation: shifts by up to two pixels, each image by its own."""
    import tensorflow as tf

    def shift(images: Any, seed: Any) -> Any:
        size = (tf.shape(images)[0], 2)
        places = tf.random.stateless_uniform(size, seed, 0, 5, "int32")
        padded = tf.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])
        rows = places[:, :1] + tf.range(side)
        columns = places[:, 1:] + tf.range(side)
        padded = tf.gather(padded, rows, axis=1, batch_dims=1)
        return tf.gather(padded, columns, axis=2, batch_dims=1)

    return shift


def _loss_of(model: Any) -> str:
    one = model.output_shape[-1] == 1
    return "binary_crossentropy" if one else "sparse_categorical_crossentropy"


def _nothing(*batch: Any) -> None:
    """Take no time."""
