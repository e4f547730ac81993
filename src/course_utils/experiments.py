"""Full-size experiments, declared here and recorded once.

An experiment is data, a net, a recipe and seeds. One command runs it, resumes it where
it was stopped, and writes a record with all that a reader needs to judge it:

    python -m course_utils.experiments list
    python -m course_utils.experiments run cats_vs_dogs/mini_xception
    python -m course_utils.experiments run cats_vs_dogs/mini_xception --seeds 0
    python -m course_utils.experiments run cifar10_ten_minutes
    python -m course_utils.experiments merge folder_from_another_machine

Each seed is a run of its own, written to the record as soon as it ends, so seeds and
experiments can be spread over processes and machines; `merge` brings the records
together. A run that was stopped goes on after its last finished epoch.

The budget of a run is a number of epochs, or minutes of training. In the second case
the learning rate follows the clock, so that a schedule ends with the budget on any
machine, and the last epoch may be cut short.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import _validate, nets, recipes, records, runtime

__all__ = ["EXPERIMENTS", "Experiment", "fingerprint", "merge", "run"]

#: Counts up whenever the training procedure below changes what a recipe means.
PROCEDURE = 1


#: Marks a field that older recipes did not have: its default is left out of them.
_LATER = {"later": True}


@dataclass(frozen=True)
class Experiment:
    """What is trained on what, and how.

    Attributes:
        name: "<study>/<experiment>".
        data: arguments of `course_utils.load`, with the side of the images.
        net: a function of `course_utils.nets`.
        options: its arguments beside `input_shape`, `num_classes` and `augmentation`.
        augmented: if True, `nets.augmentation(**augmentation)` changes the images in
            training, on the device.
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: the largest.
        seeds: one run each.
        keep_weights: if True, the weights of the first seed are kept, as float16.
        minutes: wall time of training, compilation included and validation not, in
            place of a number of epochs.
        optimizer: a name that `recipes.optimizer` knows.
        schedule: a name that `recipes.schedule` knows.
        augmentation: arguments of `nets.augmentation`.
        scale: (factor, offset) for pixels, where a net does not scale them itself.
        weight_decay: see `recipes.optimizer`.
        ema: momentum of the average of the weights that is judged; 0 for none.
        label_smoothing: the part of each label that is spread over all classes.
        mixed_precision: if True, a GPU computes in bfloat16.
        flip_at_test: if True, the test outputs are means over both mirror images.
        sizes: profile -> the fields that are different in it.
    """

    name: str
    data: dict[str, Any]
    net: str
    options: dict[str, Any] = field(default_factory=dict)
    augmented: bool = False
    epochs: int = 80
    batch_size: int = 64
    learning_rate: float = 1e-3
    seeds: tuple[int, ...] = (0, 1, 2)
    keep_weights: bool = False
    minutes: float | None = field(default=None, metadata=_LATER)
    optimizer: str = field(default="adam", metadata=_LATER)
    schedule: str = field(default="cosine", metadata=_LATER)
    augmentation: dict[str, Any] = field(default_factory=dict, metadata=_LATER)
    scale: tuple[float, float] | None = field(default=None, metadata=_LATER)
    weight_decay: float = field(default=0.0, metadata=_LATER)
    ema: float = field(default=0.0, metadata=_LATER)
    label_smoothing: float = field(default=0.0, metadata=_LATER)
    mixed_precision: bool = field(default=False, metadata=_LATER)
    flip_at_test: bool = field(default=False, metadata=_LATER)
    sizes: dict[str, dict[str, Any]] = field(default_factory=dict, metadata=_LATER)

    def at(self, profile: str) -> Experiment:
        """Return the experiment at the size of a profile.

        Args:
            profile: "full", the experiment itself; "quick", for a machine without a
                GPU; "smoke", for tests: every line runs, and nothing is learned.

        Raises:
            ValueError: an unknown profile.
        """
        _validate.choice("profile", profile, runtime.PROFILES)
        changes = dict(self.sizes.get(profile, {}))
        changes["data"] = self.data | changes.get("data", {})
        return replace(self, **changes, sizes={})

    def recipe(self) -> dict[str, Any]:
        """Return the declaration as plain values, without the other profiles' sizes.

        A field that was added later is left out where it has its default, so that the
        digests of earlier records stay true.
        """
        declared: dict[str, Any] = {"procedure": PROCEDURE}
        for entry in fields(self):
            value = getattr(self, entry.name)
            default = entry.default
            if entry.default_factory is not MISSING:
                default = entry.default_factory()
            hidden = entry.metadata.get("later") and value == default
            if entry.name != "sizes" and not hidden:
                declared[entry.name] = value
        return json.loads(json.dumps(declared))

    def build(self) -> Any:
        """Return the net of this experiment, from the current seed."""
        import keras

        size = self.data["image_size"]
        before = [nets.augmentation(**self.augmentation)] if self.augmented else []
        if self.scale is not None:
            factor, offset = self.scale
            before.append(keras.layers.Rescaling(factor, offset=offset))
        if len(before) > 1:
            before = [keras.Sequential(before)]
        options = {"input_shape": (size, size, 3), **self.options}
        with _precision(self.mixed_precision and runtime.accelerated()):
            return getattr(nets, self.net)(
                augmentation=before[0] if before else None, **options
            )


@contextmanager
def _precision(mixed: bool) -> Iterator[None]:
    """Let the layers that are made inside compute in bfloat16."""
    import keras

    before = keras.config.dtype_policy()
    if mixed:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


# --------------------------------------------------------------- what the course record


def _cats_vs_dogs_data() -> dict[str, Any]:
    return {
        "name": "cats_vs_dogs",
        "train": 2000,
        "validation": 1000,
        "test": 1000,
        "image_size": 180,
        "dtype": "uint8",
    }


#: In smoke every line runs on a few small images, in one step.
_CATS_VS_DOGS_SMOKE: dict[str, Any] = {
    "data": {"image_size": 80, "train": 8, "validation": 8, "test": 8},
    "epochs": 1,
    "batch_size": 8,
}


def _cats_vs_dogs() -> list[Experiment]:
    """Mini-Xception and the plain net, with and without augmentation."""
    study = "cats_vs_dogs"
    common: dict[str, Any] = {
        "data": _cats_vs_dogs_data(),
        "sizes": {
            "quick": {"data": {"image_size": 80}, "epochs": 15, "batch_size": 32},
            "smoke": _CATS_VS_DOGS_SMOKE,
        },
    }
    plain: dict[str, Any] = {"net": "plain_convnet", **common}
    return [
        Experiment(f"{study}/plain_convnet", **plain, epochs=30),
        Experiment(
            f"{study}/plain_convnet_augmented",
            **plain,
            augmented=True,
            keep_weights=True,
        ),
        # The net of lesson 11 where no GPU can be had: full size, one seed, few epochs.
        Experiment(
            f"{study}/plain_convnet_brief",
            **plain,
            augmented=True,
            epochs=20,
            batch_size=32,
            seeds=(0,),
            keep_weights=True,
        ),
        Experiment(
            f"{study}/mini_xception",
            **common,
            net="mini_xception",
            augmented=True,
            keep_weights=True,
        ),
    ]


def _mini_xception_parts() -> list[Experiment]:
    """What each part of mini-Xception is worth: the whole net, and it without one."""
    variants: dict[str, dict[str, Any]] = {
        "mini_xception": {},
        "no_residual": {"residual": False},
        "no_normalization": {"normalization": False},
        "no_separable": {"separable": False},
        "inner_relu": {"inner_activation": "relu"},
        "flatten_head": {"head": "flatten"},
    }
    return [
        Experiment(
            f"mini_xception_parts/{name}",
            data=_cats_vs_dogs_data(),
            net="mini_xception",
            options=options,
            augmented=True,
            sizes={
                # 18 runs: smaller than the other study, so that a CPU can make them.
                "quick": {"data": {"image_size": 48}, "epochs": 8, "batch_size": 32},
                "smoke": _CATS_VS_DOGS_SMOKE,
            },
        )
        for name, options in variants.items()
    ]


#: As the "ResNet18" of lesson 07 was found: six halvings leave one position.
_BROKEN = (1, 2, 2, 2, 2, 2, 2)
_FLIP_AND_SHIFT = {"rotation": 0.0, "zoom": 0.0, "shift": 0.125}


def _cifar10_data(**changes: Any) -> dict[str, Any]:
    return {
        "name": "cifar10",
        "train": 45000,
        "validation": 5000,
        "test": 10000,
        "image_size": 32,
        "dtype": "uint8",
        **changes,
    }


_CIFAR10_SIZES: dict[str, dict[str, Any]] = {
    "quick": {
        "data": {"train": 5000, "validation": 1000, "test": 2000},
        "epochs": 10,
        "batch_size": 50,
    },
    "smoke": {
        "data": {"train": 8, "validation": 8, "test": 8},
        "epochs": 1,
        "batch_size": 8,
    },
}


def _cifar10() -> list[Experiment]:
    """One harness, one budget, several nets; and the course's best recipe."""
    study = "cifar10"
    # Equal for all: images, epochs, augmentation, optimizer and schedule.
    common: dict[str, Any] = {
        "data": _cifar10_data(),
        "sizes": _CIFAR10_SIZES,
        "epochs": 30,
        "batch_size": 125,
        "augmented": True,
        "augmentation": _FLIP_AND_SHIFT,
        "schedule": "one_cycle",
        "learning_rate": 2e-3,
    }
    competitors: dict[str, dict[str, Any]] = {
        "shallow": {"net": "shallow_convnet"},
        "resnet18_broken": {"net": "strided_resnet", "options": {"strides": _BROKEN}},
        "resnet18_repaired": {"net": "strided_resnet"},
        "resnet20": {"net": "cifar_resnet", "scale": nets.SCALE_OF_PHOTOGRAPHS},
        "resnet32": {
            "net": "cifar_resnet",
            "options": {"depth": 32},
            "scale": nets.SCALE_OF_PHOTOGRAPHS,
        },
        "mini_xception": {"net": "mini_xception", "options": {"num_classes": 10}},
        "xception": {"net": "enlarged_xception", "mixed_precision": True},
        "fast_resnet": {"net": "fast_resnet", "options": {"width": 16}},
    }
    modern: dict[str, Any] = {
        "net": "fast_resnet",
        "sizes": {p: {**s, "options": {"width": 8}} for p, s in _CIFAR10_SIZES.items()},
        "batch_size": 500,
        "optimizer": "sgd",
        "learning_rate": 0.4,
        "weight_decay": 5e-3,
        "ema": 0.99,
        "label_smoothing": 0.1,
        "mixed_precision": True,
        "flip_at_test": True,
    }
    return [
        *(Experiment(f"{study}/{n}", **common | o) for n, o in competitors.items()),
        Experiment(f"{study}/modern", **common | modern),
    ]


def _cifar10_schedules() -> list[Experiment]:
    """Three optimizers, four schedules, one net."""
    rates = {"adadelta": 0.5, "adam": 2e-3, "sgd": 0.1}
    depth = {"options": {"depth": 8}}
    return [
        Experiment(
            f"cifar10_schedules/{optimizer}_{schedule}",
            data=_cifar10_data(),
            sizes={p: {**s, **depth} for p, s in _CIFAR10_SIZES.items()},
            net="cifar_resnet",
            scale=nets.SCALE_OF_PHOTOGRAPHS,
            augmented=True,
            augmentation=_FLIP_AND_SHIFT,
            epochs=30,
            batch_size=125,
            optimizer=optimizer,
            schedule=schedule,
            learning_rate=rate,
        )
        for optimizer, rate in rates.items()
        for schedule in recipes.SCHEDULES
    ]


def _cifar10_ten_minutes() -> list[Experiment]:
    """Four recipes of a classic project and ours: ten minutes on two cores for each."""
    found: dict[str, Any] = {"net": "strided_resnet", "options": {"strides": _BROKEN}}
    declared: dict[str, dict[str, Any]] = {
        "classic_shallow": {
            "net": "shallow_convnet",
            "optimizer": "adadelta",
            "schedule": "constant",
            "learning_rate": 0.5,
        },
        "classic_resnet18": {
            **found,
            "optimizer": "adadelta",
            "schedule": "constant",
            "learning_rate": 0.5,
        },
        "classic_resnet18_cyclical": {**found, "schedule": "cyclical"},
        "classic_xception": {
            "net": "enlarged_xception",
            "optimizer": "adadelta",
            "schedule": "constant",
            "learning_rate": 0.9,
        },
        "modern_cpu": {
            "net": "fast_resnet",
            "options": {"width": 16},
            "augmented": True,
            "augmentation": {"rotation": 0.0, "zoom": 0.0},
            "optimizer": "sgd",
            "schedule": "one_cycle",
            "learning_rate": 0.1,
            "weight_decay": 5e-3,
            "label_smoothing": 0.1,
            "ema": 0.98,
            "flip_at_test": True,
        },
    }
    sizes = {
        "quick": {"minutes": 1.0},
        "smoke": {**_CIFAR10_SIZES["smoke"], "minutes": 1.0},
    }
    return [
        Experiment(
            f"cifar10_ten_minutes/{name}",
            data=_cifar10_data(),
            sizes=sizes,
            epochs=1000,  # more than ten minutes hold
            minutes=10.0,
            batch_size=125,
            **recipe,
        )
        for name, recipe in declared.items()
    ]


EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for study in (
        _cats_vs_dogs,
        _mini_xception_parts,
        _cifar10,
        _cifar10_schedules,
        _cifar10_ten_minutes,
    )
    for experiment in study()
}


def fingerprint(experiment: Experiment) -> str:
    """Return a digest of the recipe and of the net that it builds.

    It changes when the recipe does, and when a layer of the net gets another kind,
    shape or number of parameters. A record with another digest is stale.

    Args:
        experiment: one of `EXPERIMENTS`, at the size of a profile.

    Returns:
        64 hexadecimal digits.

    Raises:
        TypeError: for anything but an `Experiment`.
    """
    if not isinstance(experiment, Experiment):
        _validate.fail_type("experiment", "an Experiment", experiment)
    layers = [
        [type(layer).__name__, str(layer.output.shape), layer.count_params()]
        for layer in experiment.build().layers
    ]
    text = json.dumps([experiment.recipe(), layers], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def run(
    experiment: Experiment,
    *,
    seeds: Sequence[int] | None = None,
    results: Path | None = None,
    profile: str = "full",
    commit: str = "",
    command: str = "",
    say: Callable[[str], None] = print,
) -> records.Record:
    """Train an experiment for each seed and write its record.

    A seed that the record already holds is not run again; one that was stopped goes on
    after its last finished epoch. Earlier runs in the record stay whatever happens.

    Args:
        experiment: one of `EXPERIMENTS`.
        seeds: which seeds, or None for all that it declares.
        results: the folder for records, or None for the course's own.
        profile: "full"; "quick" without a GPU; "smoke" for a rehearsal.
        commit: the commit that is run, for the record.
        command: the command line, for the record.
        say: gets a line of text as each seed begins and ends.

    Returns:
        The record, with all runs so far.

    Raises:
        TypeError: for anything but an `Experiment`.
        ValueError: the data are a stand-in, or a record exists that was made by another
            recipe (move it away to begin anew).
        TrainingDiverged: the loss became NaN; earlier runs are kept.
        MemoryError: the device's memory does not hold a step; earlier runs are kept.
    """
    if not isinstance(experiment, Experiment):
        _validate.fail_type("experiment", "one of EXPERIMENTS", experiment)
    results = records.folder() if results is None else Path(results)
    experiment = experiment.at(profile)
    target = results / f"{experiment.name}.json"
    wanted = list(experiment.seeds if seeds is None else seeds)
    digest = fingerprint(experiment)
    done: set[int] = set()
    if target.exists():
        record = records.read(target)
        _same_recipe(record, digest, target)
        done = set(record.seeds)
    missing = [seed for seed in wanted if seed not in done]
    for seed in wanted:
        if seed in done:
            say(f"{experiment.name}, seed {seed}: recorded already")
    if missing:
        data, facts = _data_of(experiment, say)
    for seed in missing:
        say(f"{experiment.name}, seed {seed}: {_budget(experiment)}")
        with _clear_memory_errors(experiment):
            result, weights = _train(experiment, data, seed, digest, results)
        result |= {
            "profile": profile,
            "command": command,
            "commit": commit,
            "date": datetime.date.today().isoformat(),
            "hardware": runtime.hardware(),
            "versions": runtime.versions(),
        }
        _add(target, experiment, digest, facts, [result], weights)
        steps = _steps_folder(experiment, seed, digest, results)
        shutil.rmtree(steps, ignore_errors=True)
        accuracy = result["metrics"]["test_accuracy"]
        say(f"{experiment.name}, seed {seed}: test accuracy {accuracy:.1%}")
    return records.read(target)


def merge(source: Path, results: Path | None = None) -> list[str]:
    """Add the runs of another folder's records to the course's own.

    Args:
        source: a folder with records, as another machine wrote it.
        results: the folder to add to, or None for the course's own.

    Returns:
        One line for each record that gained runs.

    Raises:
        ValueError: a record that was made by another recipe; nothing of it is taken.
        FileNotFoundError: no record in `source`.
    """
    results = records.folder() if results is None else Path(results)
    source = Path(source)
    paths = sorted(source.glob("*/*.json"))
    if not paths:
        raise FileNotFoundError(f"No record in {source}: expected <study>/<name>.json.")
    gained = []
    for path in paths:
        record = records.read(path)
        target = results / f"{record.name}.json"
        known: set[int] = set()
        if target.exists():
            mine = records.read(target)
            _same_recipe(mine, record.recipe_hash, target)
            known = set(mine.seeds)
        new = [dict(run) for run in record.runs if run["seed"] not in known]
        weights = None
        if record.weights and record.weights["seed"] not in known:
            weights = dict(record.weights)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path.with_name(weights["file"]), target.parent)
        if new:
            _write(target, _with_runs(target, record, new, weights))
            gained.append(f"{record.name}: seeds {[r['seed'] for r in new]}")
    return gained


# ------------------------------------------------------------------------- one training


def _budget(experiment: Experiment) -> str:
    if experiment.minutes is None:
        return f"{experiment.epochs} epochs"
    return f"{experiment.minutes:g} minutes"


def _train(
    experiment: Experiment, data: Any, seed: int, digest: str, results: Path
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Train one seed from where it stopped; return its run and its kept weights."""
    import keras

    from course_utils.training import eager_if_short, fit

    steps = _steps_folder(experiment, seed, digest, results)
    steps.mkdir(parents=True, exist_ok=True)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = experiment.build()
    rate: Any = experiment.learning_rate  # then the clock changes it
    if experiment.minutes is None:
        per_epoch = -(-len(data.x_train) // experiment.batch_size)
        rate = recipes.schedule(
            experiment.schedule, rate, experiment.epochs * per_epoch
        )
    optimizer = recipes.optimizer(
        experiment.optimizer,
        rate,
        weight_decay=experiment.weight_decay,
        ema=experiment.ema,
    )
    loss: Any = "binary_crossentropy"
    if model.output_shape[-1] > 1:
        loss = keras.losses.CategoricalCrossentropy(
            label_smoothing=experiment.label_smoothing
        )
    model.compile(optimizer, loss, metrics=["accuracy"])
    clock = _Clock(steps / "clock.csv")
    callbacks = [clock.callback()]
    epochs = experiment.epochs
    if experiment.minutes is not None:
        callbacks.append(_follow_the_clock(experiment, clock))
        if clock.trained() >= 60 * experiment.minutes:
            epochs = clock.epochs  # the budget is spent: only take up the weights
    if experiment.ema:
        callbacks.append(keras.callbacks.SwapEMAWeights())
    fit(
        model,
        data.x_train,
        _targets(model, data.y_train),
        epochs=epochs,
        batch_size=experiment.batch_size,
        validation_data=(data.x_validation, _targets(model, data.y_validation)),
        callbacks=[
            *callbacks,
            keras.callbacks.CSVLogger(steps / "curves.csv", append=True),
            # Last, so that what it resumes after is written in full.
            keras.callbacks.BackupAndRestore(steps / "state", delete_checkpoint=False),
        ],
        label=f"{experiment.name.rpartition('/')[2]}, seed {seed}",
        curve=False,
    )
    curves = _read_curves(steps / "curves.csv")
    finished = len(curves["loss"])
    if experiment.minutes is None:
        stopped = finished < experiment.epochs
    else:
        stopped = clock.trained() < 60 * experiment.minutes and finished < epochs
    if stopped:
        raise KeyboardInterrupt(
            f"stopped after {finished} of {experiment.epochs} epochs; the same command "
            "goes on from there"
        )
    result = {
        "seed": seed,
        "seconds": round(clock.total(), 1),
        "curves": curves | clock.curve(finished),
    }
    batches = -(-(len(data.x_test) + len(data.x_validation)) // experiment.batch_size)
    with eager_if_short(model, batches):
        result["metrics"] = _judge(experiment, model, data)
        if not experiment.keep_weights or seed != experiment.seeds[0]:
            return result, None
        return result, _keep(experiment, model, data, seed, results)


def _targets(model: Any, labels: np.ndarray) -> np.ndarray:
    """Return labels as the loss wants them: a column, or one column a class."""
    import keras

    classes = model.output_shape[-1]
    if classes == 1:
        return labels[:, None]
    return keras.utils.to_categorical(labels, classes).astype("float32")


def _judge(experiment: Experiment, model: Any, data: Any) -> dict[str, float]:
    """Measure a trained model on the test images.

    With more than two classes the loss is that of the outputs themselves, whatever was
    smoothed in training, and the calibration is measured, too.
    """
    if model.output_shape[-1] == 1:
        loss, accuracy = model.evaluate(
            data.x_test, data.y_test[:, None], batch_size=100, verbose=0
        )
        return {
            "test_loss": round(float(loss), 5),
            "test_accuracy": round(float(accuracy), 5),
        }

    def outputs(images: np.ndarray) -> np.ndarray:
        if experiment.flip_at_test:
            return recipes.flip_average(model, images, experiment.batch_size)
        return model.predict(images, batch_size=experiment.batch_size, verbose=0)

    test, labels = outputs(data.x_test), data.y_test
    warmth = recipes.temperature(outputs(data.x_validation), data.y_validation)
    likelihood = np.maximum(test[np.arange(len(labels)), labels], 1e-30)
    found = {
        "test_loss": -np.log(likelihood).mean(),
        "test_accuracy": (test.argmax(axis=1) == labels).mean(),
        "test_ece": recipes.calibration_error(test, labels),
        "temperature": warmth,
        "test_ece_softened": recipes.calibration_error(
            recipes.soften(test, warmth), labels
        ),
    }
    return {name: round(float(value), 5) for name, value in found.items()}


def _keep(
    experiment: Experiment, model: Any, data: Any, seed: int, results: Path
) -> dict[str, Any]:
    """Store the weights as float16, and measure what they are worth in this form."""
    halves = [np.asarray(w, "float16") for w in model.get_weights()]
    model.set_weights([w.astype("float32") for w in halves])
    accuracy = _judge(experiment, model, data)["test_accuracy"]
    path = results / f"{experiment.name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    arrays: dict[str, Any] = {f"w{i}": w for i, w in enumerate(halves)}
    np.savez_compressed(partial, **arrays)
    os.replace(partial, path)
    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "dtype": "float16",
        "seed": seed,
        "test_accuracy": accuracy,
    }


class _Clock:
    """Adds up time over interruptions, in a file beside the other steps.

    It tells the whole time, and the time of training alone, without validation.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epochs = 0
        self._at_epoch: dict[int, tuple[float, float]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                epoch, total, trained = line.split(",")
                self._at_epoch[int(epoch)] = (float(total), float(trained))
            self.epochs = max(self._at_epoch) + 1
        self._before = self._at_epoch.get(self.epochs - 1, (0.0, 0.0))
        self._started = time.perf_counter()
        self._validated = 0.0

    def total(self) -> float:
        return self._before[0] + time.perf_counter() - self._started

    def trained(self) -> float:
        now = time.perf_counter() - self._started
        return self._before[1] + now - self._validated

    def curve(self, epochs: int) -> dict[str, list[float]]:
        """Return the seconds of training at the end of each epoch."""
        return {"seconds": [round(self._at_epoch[i][1], 2) for i in range(epochs)]}

    def callback(self) -> Any:
        import keras

        clock = self

        class Tick(keras.callbacks.Callback):
            def on_test_begin(self, logs=None):
                self.began = time.perf_counter()

            def on_test_end(self, logs=None):
                clock._validated += time.perf_counter() - self.began

            def on_epoch_end(self, epoch, logs=None):
                times = (clock.total(), clock.trained())
                clock._at_epoch[epoch] = times
                with open(clock.path, "a", encoding="utf-8") as file:
                    file.write(f"{epoch},{times[0]:.3f},{times[1]:.3f}\n")

        return Tick()


def _follow_the_clock(experiment: Experiment, clock: _Clock) -> Any:
    """Let the rate follow the time that is spent, and stop where the budget ends."""
    import keras

    parts = 1000
    seconds = 60 * (experiment.minutes or 0)
    schedule = recipes.schedule(experiment.schedule, experiment.learning_rate, parts)

    @functools.cache  # when it is needed: on JAX a thousand calls take a minute
    def rate_of(part: int) -> float:
        return float(schedule(part))

    class FollowTheClock(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            spent = min(clock.trained() / seconds, 1.0)
            if spent == 1.0:
                self.model.stop_training = True  # after this step
            rate = rate_of(int(spent * parts))
            if rate != getattr(self, "rate", None):
                if hasattr(self.model, "jax_state_sync"):
                    self.model.jax_state_sync()
                self.model.optimizer.learning_rate = self.rate = rate

        def on_epoch_end(self, epoch, logs=None):
            if clock.trained() >= seconds:
                self.model.stop_training = True

    return FollowTheClock()


@contextmanager
def _clear_memory_errors(experiment: Experiment) -> Iterator[None]:
    """Say in one sentence what a full memory means; each backend has its own error."""
    signs = ("out of memory", "resource_exhausted", "resourceexhausted", "oom when")
    try:
        yield
    except Exception as error:
        text = f"{type(error).__name__} {error}".lower()
        if not isinstance(error, MemoryError) and not any(x in text for x in signs):
            raise
        raise MemoryError(
            f"{experiment.name}: the memory does not hold a step of "
            f"{experiment.batch_size} images. Free it, or run on a larger device. "
            "Earlier runs are as they were; this one goes on after its last epoch."
        ) from error


def _steps_folder(
    experiment: Experiment, seed: int, digest: str, results: Path
) -> Path:
    """Where an unfinished run keeps its state; another recipe has another folder."""
    name = experiment.name.replace("/", "-")
    return results / ".unfinished" / f"{name}-{seed}-{digest[:12]}"


def _read_curves(path: Path) -> dict[str, list[float]]:
    """Read the log of the epochs; of one that was run twice, the second counts."""
    rows: dict[int, dict[str, float]] = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            numbers = {k: float(v) for k, v in row.items() if k and v}
            rows[int(numbers.pop("epoch"))] = numbers
    ordered = [rows[epoch] for epoch in sorted(rows)]
    kept = ("loss", "accuracy", "val_loss", "val_accuracy")
    return {name: [round(row[name], 5) for row in ordered] for name in kept}


def _data_of(
    experiment: Experiment, say: Callable[[str], None]
) -> tuple[Any, dict[str, Any]]:
    from course_utils.data import load

    options = dict(experiment.data)
    data = load(options.pop("name"), **options)
    if data.source == "stand-in":
        raise ValueError(
            f"{experiment.name} needs the data set {data.name!r}, and only a rendered "
            "stand-in can be had. Nothing was recorded. Set COURSE_DATA, or connect to "
            "a network."
        )
    digest = hashlib.sha256()
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        digest.update(np.ascontiguousarray(array).tobytes())
    return data, {
        "name": data.name,
        "source": data.source,
        "sha256": digest.hexdigest(),
        "train": len(data.x_train),
        "validation": len(data.x_validation),
        "test": len(data.x_test),
    }


# ---------------------------------------------------------------------- writing records


def _same_recipe(record: records.Record, digest: str, path: Path) -> None:
    if record.recipe_hash != digest:
        raise ValueError(
            f"{path.name} holds runs of another recipe of {record.name!r}. Move it "
            "away to begin anew; nothing was changed."
        )


def _add(
    target: Path,
    experiment: Experiment,
    digest: str,
    facts: dict[str, Any],
    runs: list[dict[str, Any]],
    weights: dict[str, Any] | None,
) -> None:
    mine = records.Record(
        name=experiment.name,
        recipe=experiment.recipe(),
        recipe_hash=digest,
        data=facts,
        runs=(),
    )
    _write(target, _with_runs(target, mine, runs, weights))


def _with_runs(
    target: Path,
    record: records.Record,
    runs: list[dict[str, Any]],
    weights: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the text of the record at `target` with some runs added."""
    # Read again: another process may have added a seed meanwhile.
    old = records.read(target) if target.exists() else None
    kept = [] if old is None else [dict(run) for run in old.runs]
    seeds = {run["seed"] for run in kept}
    kept += [run for run in runs if run["seed"] not in seeds]
    return {
        "name": record.name,
        "recipe": dict(record.recipe),
        "recipe_hash": record.recipe_hash,
        "data": dict(record.data),
        "weights": weights or (dict(old.weights) if old and old.weights else None),
        "runs": sorted(kept, key=lambda run: run["seed"]),
    }


def _write(target: Path, text: dict[str, Any]) -> None:
    """Replace a record in one step, so that a full disk leaves the old one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.partial")
    try:
        lines = _compact(json.dumps(text, indent=1))
        partial.write_text(lines + "\n", encoding="utf-8")
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _compact(text: str) -> str:
    """Put each list of plain numbers on one line: a curve is one line of a diff."""
    return re.sub(
        r"\[[\s\d.,eE+-]+\]", lambda match: " ".join(match.group().split()), text
    )


def _commit() -> tuple[str, bool]:
    """Return the checkout's commit, and whether what was committed is what runs."""
    root = Path(__file__).parents[2]
    commands = (
        ["git", "rev-parse", "--short=12", "HEAD"],
        # The records themselves may be in the making.
        ["git", "status", "--porcelain", "--", "src", "pyproject.toml"],
    )
    try:
        head, status = (
            subprocess.run(c, cwd=root, capture_output=True, text=True, check=True)
            for c in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return "", False
    return head.stdout.strip(), not status.stdout.strip()


# ------------------------------------------------------------------------- command line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.experiments",
        description="Run the course's full-size experiments and record them.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the experiments and count their records")
    runner = commands.add_parser("run", help="train and record")
    runner.add_argument("names", nargs="+", help="experiments; a study stands for all")
    runner.add_argument("--seeds", type=int, nargs="+", help="only these seeds")
    runner.add_argument("--profile", default="full", choices=runtime.PROFILES)
    runner.add_argument("--results", type=Path, help="folder for the records")
    runner.add_argument(
        "--commit", default="", help="the commit, where this is no git checkout"
    )
    merger = commands.add_parser("merge", help="add another folder's runs")
    merger.add_argument("source", type=Path)
    chosen = parser.parse_args(arguments)

    try:
        if chosen.command == "list":
            recorded = set(records.names())
            for name, experiment in EXPERIMENTS.items():
                made = records.load(name).seeds if name in recorded else ()
                print(f"{name:<46} {len(made)} of {len(experiment.seeds)} recorded")
            return 0
        if chosen.command == "merge":
            gained = merge(chosen.source)
            print("\n".join(gained) or "Nothing new.")
            return 0
        return _run_command(chosen, arguments)
    except KeyboardInterrupt as stop:
        print(f"\n{stop or 'stopped; the same command goes on from there'}")
        return 130
    except (OSError, TypeError, ValueError, RuntimeError, MemoryError) as error:
        print(error, file=sys.stderr)
        return 2


def _shared_command(arguments: Sequence[str]) -> str:
    """Return the command without what holds on one machine only."""
    kept = list(arguments)
    for option in ("--results", "--commit"):
        if option in kept:
            place = kept.index(option)
            del kept[place : place + 2]
    return shlex.join(["python", "-m", "course_utils.experiments", *kept])


def _run_command(chosen: argparse.Namespace, arguments: list[str]) -> int:
    selected = [
        experiment
        for name, experiment in EXPERIMENTS.items()
        if name in chosen.names or name.partition("/")[0] in chosen.names
    ]
    studies = {name.partition("/")[0] for name in EXPERIMENTS}
    for name in chosen.names:
        _validate.choice("names", name, sorted({*EXPERIMENTS, *studies}))
    commit, clean = _commit()
    if chosen.profile != "smoke":
        if commit and not clean:
            raise ValueError(
                "The package has changes that are not committed, so a record could not "
                "say what was run. Commit them first; nothing was run."
            )
        if not commit and not chosen.commit:
            raise ValueError(
                "This is no git checkout: name the commit that runs with --commit."
            )
    elif chosen.results is None:
        raise ValueError(
            "A rehearsal in the smoke profile is not recorded in the course: name a "
            "folder for it with --results."
        )
    runtime.quiet_frameworks()
    for experiment in selected:
        run(
            experiment,
            seeds=chosen.seeds,
            results=chosen.results,
            profile=chosen.profile,
            commit=commit or chosen.commit,
            command=_shared_command(arguments),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
