"""Full-size experiments, declared here and recorded once.

An experiment is data, a net, a recipe and seeds. One command runs it, resumes it where
it was stopped, and writes a record with all that a reader needs to judge it:

    python -m course_utils.experiments list
    python -m course_utils.experiments run cats_vs_dogs/mini_xception
    python -m course_utils.experiments run cats_vs_dogs/mini_xception --seeds 0
    python -m course_utils.experiments merge folder_from_another_machine

Each seed is a run of its own, written to the record as soon as it ends, so seeds and
experiments can be spread over processes and machines; `merge` brings the records
together. A run that was stopped goes on after its last finished epoch.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import _validate, records, runtime

__all__ = ["EXPERIMENTS", "Experiment", "fingerprint", "merge", "run"]

#: Counts up whenever the training procedure below changes what a recipe means.
PROCEDURE = 1


@dataclass(frozen=True)
class Experiment:
    """What is trained on what, and how.

    Attributes:
        name: "<study>/<experiment>".
        data: arguments of `course_utils.load`.
        net: a function of `course_utils.nets`.
        options: its arguments beside `input_shape` and `num_classes`.
        augmented: if True, `nets.augmentation()` changes the images in training.
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: Adam's at the start; it falls to 0 along a cosine.
        seeds: one run each.
        keep_weights: if True, the weights of the first seed are kept, as float16.
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

    def recipe(self) -> dict[str, Any]:
        """Return the declaration as plain values."""
        return {"procedure": PROCEDURE, **json.loads(json.dumps(asdict(self)))}

    def build(self) -> Any:
        """Return the net of this experiment, from the current seed."""
        from course_utils import nets

        size = self.data["image_size"]
        changes = nets.augmentation() if self.augmented else None
        return getattr(nets, self.net)(
            input_shape=(size, size, 3), augmentation=changes, **self.options
        )


def _cats_vs_dogs() -> list[Experiment]:
    """Mini-Xception, the plain net, and what each part of mini-Xception is worth."""
    data = {
        "name": "cats_vs_dogs",
        "train": 2000,
        "validation": 1000,
        "test": 1000,
        "image_size": 180,
        "dtype": "uint8",
    }
    mini: dict[str, Any] = {"data": data, "net": "mini_xception", "augmented": True}
    plain: dict[str, Any] = {"data": data, "net": "plain_convnet"}
    variants: dict[str, dict[str, Any]] = {
        "no_residual": {"residual": False},
        "no_normalization": {"normalization": False},
        "no_separable": {"separable": False},
        "inner_relu": {"inner_activation": "relu"},
        "flatten_head": {"head": "flatten"},
    }
    study = "cats_vs_dogs"
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
        Experiment(f"{study}/mini_xception", **mini, keep_weights=True),
        *(
            Experiment(f"{study}/{name}", **mini, options=options)
            for name, options in variants.items()
        ),
    ]


EXPERIMENTS: dict[str, Experiment] = {e.name: e for e in _cats_vs_dogs()}


def smaller(experiment: Experiment, profile: str) -> Experiment:
    """Return the experiment at the size of a profile.

    "full" is the experiment itself. "quick" takes all images at a side of 80 pixels and
    15 epochs, for a machine without a GPU. "smoke" is for tests: every line runs, and
    nothing is learned.
    """
    _validate.choice("profile", profile, runtime.PROFILES)
    if profile == "full":
        return experiment
    data = experiment.data | {"image_size": 80}
    if profile == "quick":
        changes: dict[str, Any] = {"data": data, "epochs": 15, "batch_size": 32}
    else:
        data |= {"train": 16, "validation": 8, "test": 8}
        changes = {"data": data, "epochs": 2, "batch_size": 8}
    return Experiment(**(vars(experiment) | changes))


def fingerprint(experiment: Experiment) -> str:
    """Return a digest of the recipe and of the net that it builds.

    It changes when the recipe does, and when a layer of the net gets another kind,
    shape or number of parameters. A record with another digest is stale.
    """
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
        ValueError: the data are a stand-in, or a record exists that was made by another
            recipe (move it away to begin anew).
        TrainingDiverged: the loss became NaN; earlier runs are kept.
    """
    results = records.folder() if results is None else Path(results)
    experiment = smaller(experiment, profile)
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
        say(f"{experiment.name}, seed {seed}: {experiment.epochs} epochs")
        result, weights = _train(experiment, data, seed, digest, results)
        result |= {
            "profile": profile,
            "command": command,
            "commit": commit,
            "date": datetime.date.today().isoformat(),
            "hardware": _hardware(),
            "versions": _versions(),
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


def _train(
    experiment: Experiment, data: Any, seed: int, digest: str, results: Path
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Train one seed from where it stopped; return its run and its kept weights."""
    import keras

    from course_utils.training import fit

    steps = _steps_folder(experiment, seed, digest, results)
    steps.mkdir(parents=True, exist_ok=True)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = experiment.build()
    per_epoch = -(-len(data.x_train) // experiment.batch_size)
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                experiment.learning_rate, experiment.epochs * per_epoch
            )
        ),
        "binary_crossentropy",
        metrics=["accuracy"],
    )
    clock = _Clock(steps / "seconds.txt")
    fit(
        model,
        data.x_train,
        data.y_train[:, None],
        epochs=experiment.epochs,
        batch_size=experiment.batch_size,
        validation_data=(data.x_validation, data.y_validation[:, None]),
        callbacks=[
            clock.callback(),
            keras.callbacks.CSVLogger(steps / "curves.csv", append=True),
            # Last, so that what it resumes after is written in full.
            keras.callbacks.BackupAndRestore(steps / "state", delete_checkpoint=False),
        ],
        label=f"{experiment.name.rpartition('/')[2]}, seed {seed}",
        curve=False,
    )
    curves = _read_curves(steps / "curves.csv")
    finished = len(curves["loss"])
    if finished < experiment.epochs:
        raise KeyboardInterrupt(
            f"stopped after {finished} of {experiment.epochs} epochs; the same command "
            "goes on from there"
        )
    loss, accuracy = _on_test_images(model, data)
    result = {
        "seed": seed,
        "seconds": round(clock.total(), 1),
        "curves": curves,
        "metrics": {"test_loss": loss, "test_accuracy": accuracy},
    }
    if not experiment.keep_weights or seed != experiment.seeds[0]:
        return result, None
    return result, _keep(experiment, model, data, seed, results)


def _on_test_images(model: Any, data: Any) -> tuple[float, float]:
    loss, accuracy = model.evaluate(
        data.x_test, data.y_test[:, None], batch_size=100, verbose=0
    )
    return round(float(loss), 5), round(float(accuracy), 5)


def _keep(
    experiment: Experiment, model: Any, data: Any, seed: int, results: Path
) -> dict[str, Any]:
    """Store the weights as float16, and measure what they are worth in this form."""
    halves = [np.asarray(w, "float16") for w in model.get_weights()]
    model.set_weights([w.astype("float32") for w in halves])
    _, accuracy = _on_test_images(model, data)
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
    """Adds up training time over interruptions, in a file beside the other steps."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = float(path.read_text()) if path.exists() else 0.0
        self.started = time.perf_counter()

    def total(self) -> float:
        return self.before + time.perf_counter() - self.started

    def callback(self) -> Any:
        import keras

        clock = self

        class Tick(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                clock.path.write_text(str(clock.total()))

        return Tick()


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


def _hardware() -> str:
    words, accelerated = runtime._device(runtime._import_keras().backend.backend())
    if accelerated:
        return words
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(x for x in lines if x.startswith("model name")).split(": ", 1)[1]
    except (OSError, StopIteration, IndexError):
        pass
    return f"{words}, {name}"


def _versions() -> dict[str, str]:
    backend = runtime._import_keras().backend.backend()
    return {
        "python": platform.python_version(),
        **runtime._versions((backend, "keras", "numpy")),
    }


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
    commands.add_parser("list", help="name the experiments, and which are recorded")
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
                state = "recorded" if name in recorded else "not recorded"
                print(f"{name:<40} {len(experiment.seeds)} seeds, {state}")
            return 0
        if chosen.command == "merge":
            gained = merge(chosen.source)
            print("\n".join(gained) or "Nothing new.")
            return 0
        return _run_command(chosen, arguments)
    except KeyboardInterrupt as stop:
        print(f"\n{stop or 'stopped; the same command goes on from there'}")
        return 130
    except (OSError, TypeError, ValueError, RuntimeError) as error:
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
    runtime._quiet_frameworks()
    for experiment in selected:
        run(
            experiment,
            seeds=chosen.seeds,
            results=chosen.results,
            profile=chosen.profile,
            commit=commit or chosen.commit,
            command=shlex.join(
                ["python", "-m", "course_utils.experiments", *arguments]
            ),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
