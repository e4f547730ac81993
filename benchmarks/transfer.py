"""How good and how fast feature extraction is: cats and dogs from 2,000 photographs.

    python -m benchmarks transfer

One process loads the photographs and the trained network, computes the features of all
training and test images once, trains a new last layer on them, and tests it. The clock
runs from the first to the last of these steps; only the import of the framework comes
before it. Training repeats with other seeds, on the same features.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

SIDE, SEEDS = 160, (0, 1, 2)


def measure() -> dict[str, Any]:
    """Run it all; return the seconds of each step, and the test accuracies."""
    import keras
    from keras import layers

    from course_utils import load, pretrained

    started = time.perf_counter()
    seconds: dict[str, float] = {}

    def lap(name: str) -> None:
        seconds[name] = time.perf_counter() - started - sum(seconds.values())

    data = load("cats_vs_dogs", image_size=SIDE, validation=0, dtype="uint8")
    lap("load the photographs")
    base = pretrained.load(
        "efficientnet-lite0", include_top=False, input_shape=data.image_shape
    )
    pooled = layers.GlobalAveragePooling2D()(base.output)
    extract = keras.Model(base.input, pooled)
    lap("load the network")
    x_train = extract.predict(data.x_train, batch_size=50, verbose=0)
    x_test = extract.predict(data.x_test, batch_size=50, verbose=0)
    lap("compute the features")
    accuracies = []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        head = keras.Sequential(
            [
                keras.Input(x_train.shape[1:]),
                layers.Dropout(0.2),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
        head.compile(
            keras.optimizers.Adam(0.002), "binary_crossentropy", metrics=["accuracy"]
        )
        head.fit(x_train, data.y_train, epochs=15, batch_size=50, verbose=0)
        _, accuracy = head.evaluate(x_test, data.y_test, verbose=0)
        accuracies.append(accuracy)
        if seed == SEEDS[0]:
            lap("train and test the last layer")
    return {
        "source": data.source,
        "train": len(x_train),
        "test": len(x_test),
        "seconds": seconds,
        "accuracies": accuracies,
    }


def feature_extraction() -> list[dict[str, Any]]:
    """Measure in a fresh process, as a learner would; return one table."""
    command = [sys.executable, "-m", "benchmarks.transfer"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    rows = [[name, f"{value:.1f} s"] for name, value in found["seconds"].items()]
    rows.append(["all of it", f"{sum(found['seconds'].values()):.1f} s"])
    for seed, accuracy in zip(SEEDS, found["accuracies"], strict=True):
        rows.append([f"test accuracy, seed {seed}", f"{accuracy:.1%}"])
    title = (
        "Feature extraction with EfficientNet-Lite0: cats and dogs "
        f"({found['source']}), {found['train']:,} training and {found['test']:,} test "
        f"images of {SIDE}×{SIDE}"
    )
    return [{"title": title, "columns": ["Step", "Measured"], "rows": rows}]


if __name__ == "__main__":
    print(json.dumps(measure()))
