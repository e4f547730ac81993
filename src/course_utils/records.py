"""Recorded runs: results that take too long for a lesson, shown wherever it runs.

A record is a small JSON file that `course_utils.experiments` wrote: what was run, on
which data, with which seeds, on which hardware, and every curve. Reading one loads no
framework. The records lie in the repository's folder `results/`, and travel with the
installed package.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import _validate

__all__ = ["Record", "load", "names", "read", "read_weights", "trained_model"]

#: Which recorded experiments keep the weights of which net; the largest images count.
TRAINED = {
    "mini_xception": (
        "cats_vs_dogs/mini_xception",
        "cats_vs_dogs/mini_xception_brief",
    ),
    "plain_convnet": (
        "cats_vs_dogs/plain_convnet_augmented",
        "cats_vs_dogs/plain_convnet_brief",
    ),
}


@dataclass(frozen=True)
class Record:
    """The runs of one experiment, one for each seed.

    Attributes:
        name: the experiment, such as "cats_vs_dogs/mini_xception".
        recipe: what was declared: data, net, optimizer, epochs and so on.
        recipe_hash: a digest of the recipe and of the net that it built.
        data: name, source, provenance and SHA-256 of the arrays that were used.
        runs: for each seed its curves, metrics, wall time, hardware and versions, and
            the epochs after which it was stopped and went on ("resumed_after"); in
            later ones how many processes shared the machine ("jobs"), and a digest of
            the settings of layers and optimizer ("configuration_hash").
        weights: the file with trained weights, its digest and its accuracy, or None.
    """

    name: str
    recipe: Mapping[str, Any]
    recipe_hash: str
    data: Mapping[str, Any]
    runs: tuple[Mapping[str, Any], ...]
    weights: Mapping[str, Any] | None = None

    @property
    def seeds(self) -> list[int]:
        """The seeds, in ascending order."""
        return [run["seed"] for run in self.runs]

    @property
    def metrics(self) -> dict[str, list[float]]:
        """Each final metric, such as "test_accuracy", with one value a seed."""
        return self._of_all_runs("metrics")

    @property
    def curves(self) -> dict[str, list[list[float]]]:
        """Each curve, such as "val_accuracy": for each seed one value an epoch.

        "seconds" is the time of training at the end of each epoch.
        """
        return self._of_all_runs("curves")

    def _of_all_runs(self, kind: str) -> dict[str, list[Any]]:
        """Return what every run has: early records lack some of it."""
        return {
            name: [run[kind][name] for run in self.runs]
            for name in self.runs[0][kind]
            if all(name in run[kind] for run in self.runs)
        }

    @property
    def seconds(self) -> list[float]:
        """Wall time of the training of each seed, in seconds."""
        return [run["seconds"] for run in self.runs]

    def caption(self) -> str:
        """Return one line that says where the figures come from.

        Example:
            >>> print(load("cats_vs_dogs/mini_xception").caption())
        """
        first = self.runs[0]
        versions = " and ".join(
            dict.fromkeys(
                ", ".join(f"{name} {version}" for name, version in of.items())
                for of in (run["versions"] for run in self.runs)
            )
        )
        dates = sorted({run["date"] for run in self.runs})
        when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        # Minutes of unlike machines have no sum that anyone could repeat.
        by_hardware: dict[str, list[Mapping[str, Any]]] = {}
        for run in self.runs:
            by_hardware.setdefault(run["hardware"], []).append(run)
        costs = []
        for hardware, runs in by_hardware.items():
            which, in_all = ("seed", "") if len(runs) == 1 else ("seeds", " in all")
            seeds = ", ".join(str(run["seed"]) for run in runs)
            minutes = f"{sum(run['seconds'] for run in runs) / 60:.1f} minutes{in_all}"
            costs.append(f"{which} {seeds} on {hardware} ({minutes})")
        side = self.recipe["data"]["image_size"]
        images = self.recipe["data"]["train"]
        budget = f"{self.recipe['epochs']} epochs"
        if "minutes" in self.recipe:
            budget = f"{self.recipe['minutes']:g} minutes of training a seed"
        stops = sum(len(run.get("resumed_after", ())) for run in self.runs)
        copy = str(self.data.get("provenance", ""))
        stored = ", stored as JPEG" if "stored as JPEG" in copy else ""
        stopped = f", stopped and resumed {stops}×" if stops else ""
        # Each seed may have been a command of its own; one command makes them all.
        listed = " ".join(map(str, self.seeds))
        command = re.sub(r"--seeds(?: \d+)+", f"--seeds {listed}", first["command"])
        return (
            f"Recorded run {self.name}: {first['profile']} profile, "
            f"{images:,} training images of {side}×{side} pixels, {budget}, "
            f"{' and '.join(costs)}, {versions}, {when}"
            f"{stopped}; data {self.data['name']} ({self.data['source']}"
            f"{stored}, SHA-256 {self.data['sha256'][:12]}…); to repeat: {command}"
        )

    def __repr__(self) -> str:
        return f"Record({self.name!r}, seeds={self.seeds})"


def folder() -> Path:
    """Return the folder of the records: the installed package's, or the checkout's."""
    installed = Path(__file__).parent / "recorded"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "results"


def names() -> list[str]:
    """Return the names of all records, in alphabetical order.

    Returns:
        Names such as "cifar10/shallow", for `load`. Empty where there are none.

    Example:
        >>> "cifar10/shallow" in names()
        True
    """
    here = folder()
    return sorted(
        path.relative_to(here).with_suffix("").as_posix()
        for path in here.glob("*/*.json")
    )


def load(name: str) -> Record:
    """Read the record of an experiment. Taught in lesson 06.

    Args:
        name: "<study>/<experiment>", such as "cats_vs_dogs/mini_xception".

    Returns:
        A `Record`.

    Raises:
        TypeError: `name` is not a text.
        ValueError: there is no such record, or its file is damaged.

    Example:
        >>> load("cats_vs_dogs/mini_xception").metrics["test_accuracy"]
    """
    _validate.string("name", name)
    _validate.choice("name", name, names())
    return read(folder() / f"{name}.json")


def read(path: Path) -> Record:
    """Read one record's file.

    Args:
        path: the JSON file.

    Returns:
        A `Record`.

    Raises:
        TypeError: `path` is no path.
        FileNotFoundError: there is no such file.
        ValueError: the file is not a record. It is named; `git checkout` or a new
            installation of the course brings the original back.

    Example:
        >>> read(folder() / "cifar10" / "shallow.json").name
        'cifar10/shallow'
    """
    if not isinstance(path, (str, os.PathLike)):
        _validate.fail_type("path", "the path of a record", path)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"`path`: expected the path of a record that exists, got {path}."
        )
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
        kept = (text.get("weights") or {}).get("file", "none.npz")
        # A record from elsewhere must not name files outside of its folder.
        if not re.fullmatch(r"\w+/\w+", text["name"]) or Path(kept).name != kept:
            raise ValueError(f"no such name: {text['name']}, {kept}")
        return Record(
            name=text["name"],
            recipe=text["recipe"],
            recipe_hash=text["recipe_hash"],
            data=text["data"],
            runs=tuple(sorted(text["runs"], key=lambda run: run["seed"])),
            weights=text.get("weights"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`path`: expected the record of a run, got {path.name} "
            f"({type(error).__name__}: {error}). Restore it from the repository, or "
            "install the course again."
        ) from error


def trained_model(name: str) -> Any:
    """Return a net with the weights that a recorded run left. Taught in lesson 06.

    The weights were trained by `course_utils.experiments` and are stored as float16;
    the record says what accuracy they have on the test images in this form.

    Args:
        name: "mini_xception" or "plain_convnet", both for cats (0) and dogs (1) on
            photographs with values from 0 to 255, of the size that they were trained
            on (`model.input_shape`).

    Returns:
        A new `keras.Model`, not compiled.

    Raises:
        TypeError: `name` is not a text.
        ValueError: an unknown name, or a file of weights that fails its check.
        FileNotFoundError: the installed course carries no such weights.

    Example:
        >>> model = trained_model("mini_xception")
        >>> model.predict(photographs)  # the probability of a dog
    """
    from course_utils import nets

    _validate.string("name", name)
    _validate.choice("name", name, list(TRAINED))
    there = set(names())
    kept = [load(home) for home in TRAINED[name] if home in there]
    kept = [record for record in kept if record.weights is not None]
    if not kept:
        raise FileNotFoundError(
            f"The weights of {name!r} are not there. Train them with "
            f"`python -m course_utils.experiments run {TRAINED[name][0]}`."
        )
    record = max(kept, key=lambda record: record.recipe["data"]["image_size"])
    side = record.recipe["data"]["image_size"]
    model = getattr(nets, name)(input_shape=(side, side, 3))
    model.set_weights(read_weights(record))
    return model


def read_weights(record: Record) -> list[np.ndarray]:
    """Return the float32 arrays of a record's weights, in the model's order.

    Args:
        record: a record whose `weights` is not None.

    Returns:
        The arrays for `model.set_weights`.

    Raises:
        TypeError: `record` is no record.
        ValueError: the record keeps no weights, or the file fails its check.
        FileNotFoundError: the file is not there.

    Example:
        >>> len(read_weights(load("cats_vs_dogs/mini_xception")))
    """
    if not isinstance(record, Record):
        _validate.fail_type("record", "a record, as `load` returns it", record)
    if record.weights is None:
        _validate.fail_with_words(
            "record", "a record that keeps weights", f"{record.name!r}, which has none"
        )
    path = (folder() / record.name).with_name(record.weights["file"])
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} is missing beside its record. Restore it from the "
            "repository, or install the course again."
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != record.weights["sha256"]:
        raise ValueError(
            f"{path.name} is damaged: its SHA-256 is not the recorded one. It was not "
            "used. Restore it from the repository, or install the course again."
        )
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"w{i}"].astype("float32") for i in range(len(stored.files))]
