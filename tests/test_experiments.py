"""Experiments are recorded once, resumed where they stopped, and never half written."""

import dataclasses
import datetime
import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from course_utils import data, experiments, nets, recipes, records, runtime, training

TINY = experiments.Experiment(
    "study/tiny",
    data={
        "name": "shapes",
        "classes": 2,
        "train": 16,
        "validation": 8,
        "test": 8,
        "image_size": 16,
        "dtype": "uint8",
    },
    net="mini_xception",
    options={"filters": (4,)},
    epochs=3,
    batch_size=8,
    seeds=(0, 1),
    keep_weights=True,
)


def record(results, experiment=TINY, **options):
    """Run an experiment quietly; return its record and what was said."""
    said = []
    made = experiments.run(experiment, results=results, say=said.append, **options)
    return made, said


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One seed of the tiny experiment, recorded; copy before changing it."""
    results = tmp_path_factory.mktemp("results")
    record(results, seeds=[0], command="python -m course_utils.experiments run")
    return results


@pytest.fixture
def results(recorded, tmp_path):
    """A copy of the folder with one recorded seed."""
    return shutil.copytree(recorded, tmp_path / "results")


def text_of(results):
    return (results / "study" / "tiny.json").read_text(encoding="utf-8")


def test_a_record_says_what_a_reader_needs(recorded):
    made = records.read(recorded / "study" / "tiny.json")
    assert made.seeds == [0]
    assert len(made.curves["val_accuracy"][0]) == TINY.epochs
    run = made.runs[0]
    for key in ("command", "date", "hardware", "versions", "profile", "commit"):
        assert key in run
    assert run["jobs"] == 1
    assert len(run["configuration_hash"]) == 64
    assert run["seconds"] > 0
    assert made.data["source"] == "rendered"
    assert len(made.data["sha256"]) == 64
    assert "Recorded run study/tiny" in made.caption()
    assert f"{TINY.data['train']} training images" in made.caption()
    assert "resumed" not in made.caption()
    assert "JPEG" not in made.caption()
    assert str(recorded) not in text_of(recorded)


def test_a_caption_names_every_version_and_a_copy_that_lost_something(recorded):
    made = records.read(recorded / "study" / "tiny.json")
    later = {**made.runs[0], "seed": 1, "versions": {"Keras": "99.0"}}
    words = "CIFAR-10 from the local mirror (cifar10.zip, stored as JPEG, so pixels …)"
    changed = dataclasses.replace(
        made,
        runs=(made.runs[0], later),
        data={**made.data, "source": "mirror", "provenance": words},
    )
    first = ", ".join(f"{n} {v}" for n, v in made.runs[0]["versions"].items())
    assert f"{first} and Keras 99.0, " in changed.caption()
    assert "(mirror, stored as JPEG, SHA-256 " in changed.caption()


def test_a_caption_adds_up_the_minutes_of_like_machines_only(recorded):
    made = records.read(recorded / "study" / "tiny.json")

    def caption(*machines):
        runs = tuple(
            {**made.runs[0], "seed": seed, "hardware": hardware, "seconds": seconds}
            for seed, (hardware, seconds) in enumerate(machines)
        )
        return dataclasses.replace(made, runs=runs).caption()

    small, large = ("CPU (1 core)", 90), ("GPU", 6)
    assert "epochs, seed 0 on GPU (0.1 minutes), python" in caption(large)
    assert "epochs, seeds 0, 1 on GPU (0.2 minutes in all), " in caption(large, large)
    assert (
        "epochs, seeds 0, 2 on CPU (1 core) (3.0 minutes in all) "
        "and seed 1 on GPU (0.1 minutes), python"
    ) in caption(small, large, small)


def test_a_recorded_seed_is_not_run_again(results, monkeypatch):
    monkeypatch.setattr(experiments, "_train", None)
    _, said = record(results, seeds=[0])
    assert said == ["study/tiny, seed 0: recorded already"]


def test_another_seed_is_added_and_differs(results):
    before = records.read(results / "study" / "tiny.json").runs[0]
    made, _ = record(results)
    assert made.seeds == [0, 1]
    assert made.runs[0] == before
    assert made.curves["loss"][0] != made.curves["loss"][1]


class StopAfter(keras.callbacks.Callback):
    """Ends the process of training as Ctrl-C would, after some epochs."""

    def __init__(self, epochs):
        super().__init__()
        self.left = epochs

    def on_epoch_end(self, epoch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_a_stopped_run_goes_on_after_its_last_epoch(results, monkeypatch):
    counted = []
    fit = training.fit

    def stopping(model, *arguments, callbacks, **options):
        return fit(model, *arguments, callbacks=[*callbacks, StopAfter(2)], **options)

    def counting(model, *arguments, **options):
        history = fit(model, *arguments, **options)
        counted.append(len(history.curves["loss"]))
        return history

    before = text_of(results)
    monkeypatch.setattr(training, "fit", stopping)
    with pytest.raises(KeyboardInterrupt, match="2 of 3 epochs"):
        record(results, seeds=[1])
    assert text_of(results) == before

    monkeypatch.setattr(training, "fit", counting)
    made, _ = record(results, seeds=[1])
    assert counted == [1]
    assert len(made.curves["loss"][1]) == 3
    assert [run["resumed_after"] for run in made.runs] == [[], [2]]
    assert f"{made.runs[0]['date']}, stopped and resumed 1×; data" in made.caption()
    assert not list((results / ".unfinished").glob("*"))


def test_a_loss_that_is_no_number_leaves_the_record_as_it_was(results):
    before = text_of(results)
    # The recipe differs only where this test needs it to; its digest is the same.
    wild = dataclasses.replace(TINY, learning_rate=1e30)
    made = json.loads(before)
    configuration = made["runs"][0]["configuration_hash"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "fingerprint", lambda _: made["recipe_hash"])
        patch.setattr(experiments, "_configuration_hash", lambda _: configuration)
        # PyTorch refuses such outputs before there is a loss.
        with pytest.raises(RuntimeError):
            record(results, wild, seeds=[1])
    assert text_of(results) == before
    assert not list((results / ".unfinished").glob("*/*"))


def test_an_epoch_that_ends_without_a_number_is_not_kept(tmp_path):
    model = compiled(TINY)
    model.optimizer.build(model.trainable_variables)
    clock = experiments._Clock()
    steps = experiments._Steps(tmp_path, TINY, clock, {"commit": "a"}, print)
    good = {"loss": 0.5, "accuracy": 0.5, "val_loss": 0.6, "val_accuracy": 0.5}
    steps.save(model, good)
    with pytest.raises(RuntimeError, match=r"val_loss became nan in epoch 2\. .*kept"):
        steps.save(model, good | {"val_loss": float("nan")})
    assert [path.name for path in tmp_path.glob("*")] == ["after-00001.npz"]
    assert len(steps.log) == 1


def test_a_full_disk_leaves_all_as_it_was(results, monkeypatch):
    before = text_of(results)
    move, full_for = os.replace, ["after-00002"]

    def full(source, target):
        if os.path.basename(target).startswith(full_for[0]):
            raise OSError(errno.ENOSPC, "No space left on device")
        move(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"after epoch 2 could not .*No space.*epoch 1\."):
        record(results, seeds=[1])
    assert text_of(results) == before
    kept = list((results / ".unfinished").glob("*/*"))
    assert [path.name for path in kept] == ["after-00001.npz"]

    full_for[0] = "tiny.json"
    with pytest.raises(OSError, match=r"No space.*Make room.*same command.*as they"):
        record(results, seeds=[1])
    assert text_of(results) == before
    left = {path.name for path in (results / "study").glob("*")}
    assert left == {"tiny.json", "tiny.npz"}


@pytest.mark.parametrize(
    ("home", "writer"),
    [
        # What numpy and Python write, in the middle of which the system says no.
        (experiments.np, "savez_compressed"),
        (experiments, "_copy"),
        (experiments, "_write"),
    ],
)
def test_a_write_that_the_system_breaks_off_costs_no_earlier_run(
    home, writer, tmp_path, monkeypatch, capsys
):
    """A limit on the size of files is as real as a full disk, and needs no root."""
    resource = pytest.importorskip("resource")
    results = tmp_path / "results"
    record(results, seeds=[1])  # the first seed keeps weights, this one does not
    before = text_of(results)
    write = getattr(home, writer)

    def with_little_room(*arguments, **options):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
        try:
            return write(*arguments, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    with monkeypatch.context() as patch:
        patch.setattr(home, writer, with_little_room)
        with pytest.raises(OSError, match="could not be written.*same command"):
            record(results, seeds=[0])
    assert text_of(results) == before
    left = {path.name for path in (results / "study").glob("*")}
    assert left <= {"tiny.json", "tiny.npz"}  # no half file, no lock
    capsys.readouterr()
    record(results, seeds=[0])  # with room again
    assert "tiny, seed 0: 0 epochs in" in capsys.readouterr().out  # none anew
    assert records.read(results / "study" / "tiny.json").seeds == [0, 1]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What a process leaves that was killed in the middle of its third epoch."""
    results = tmp_path_factory.mktemp("killed")
    program = f"""
        import time
        import keras
        from course_utils import experiments, training

        class Wait(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.epoch = epoch

            def on_train_batch_end(self, batch, logs=None):
                if self.epoch == 2:
                    print("in the third epoch", flush=True)
                    time.sleep(600)

        fit = training.fit
        training.fit = lambda *a, callbacks, **o: fit(
            *a, callbacks=[*callbacks, Wait()], **o
        )
        tiny = experiments.Experiment(**{dataclasses.asdict(TINY)!r})
        experiments.run(tiny, results={str(results)!r}, seeds=[1])
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        lines = []
        for line in child.stdout:
            lines.append(line)
            if "in the third epoch" in line:
                break
        child.kill()  # SIGKILL: it cannot tidy up
    assert "third" in "".join(lines)
    (folder,) = (results / ".unfinished").glob("*")
    return folder


def steps_of(folder, said, **more):
    by = {"commit": "", "hardware": "", "versions": runtime.versions(), **more}
    return experiments._Steps(folder, TINY, experiments._Clock(), by, said.append)


def test_a_killed_run_goes_on_after_its_last_epoch(killed):
    assert sorted(path.name for path in killed.glob("*")) == [
        "after-00001.npz",
        "after-00002.npz",
    ]
    said, model = [], compiled(TINY)
    steps = steps_of(killed, said)
    assert steps.restore(model) == len(steps.log) == 2
    assert int(model.optimizer.iterations) == 2 * 2  # two steps an epoch
    assert not said


def compiled(experiment):
    model = experiment.build()
    experiments._compile(experiment, model, experiment.data["train"])
    return model


@pytest.mark.parametrize("part", [0, 0.5, 0.999])
def test_a_file_that_was_cut_short_costs_one_epoch(part, killed, tmp_path):
    folder = shutil.copytree(killed, tmp_path / "steps")
    for epochs in (2, 1):
        path = folder / f"after-0000{epochs}.npz"
        os.truncate(path, int(part * path.stat().st_size))
        said = []
        steps = steps_of(folder, said)
        assert steps.restore(compiled(TINY)) == len(steps.log) == epochs - 1
        assert f"after-0000{epochs}.npz is damaged" in "".join(said)


def test_a_run_with_a_file_cut_short_is_recorded_in_full(killed, tmp_path, monkeypatch):
    folder = shutil.copytree(killed, tmp_path / ".unfinished" / killed.name)
    os.truncate(folder / "after-00002.npz", 1000)
    (folder / "partial-1").write_bytes(b"killed while it was saved")
    counted, fit = [], training.fit

    def counting(model, *arguments, **options):
        history = fit(model, *arguments, **options)
        counted.append(len(history.curves["loss"]))
        return history

    monkeypatch.setattr(training, "fit", counting)
    made, said = record(tmp_path, seeds=[1])
    assert counted == [2]
    assert len(made.curves["loss"][0]) == len(made.curves["seconds"][0]) == 3
    assert "damaged" in said[1]
    assert not folder.exists()


def test_another_recipe_does_not_mix_with_a_record(results):
    before = text_of(results)
    other = dataclasses.replace(TINY, batch_size=4)
    with pytest.raises(ValueError, match="another recipe"):
        record(results, other, seeds=[1])
    assert text_of(results) == before


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 4},
        {"options": {"filters": (5,)}},
        {"augmented": True},
        {"data": TINY.data | {"train": 8}},
    ],
)
def test_the_fingerprint_changes_with_the_recipe(change):
    changed = dataclasses.replace(TINY, **change)
    assert experiments.fingerprint(changed) != experiments.fingerprint(TINY)
    assert experiments.fingerprint(TINY) == experiments.fingerprint(TINY)


def test_the_fingerprint_changes_with_the_net(monkeypatch):
    before = experiments.fingerprint(TINY)
    original = nets.mini_xception
    monkeypatch.setattr(
        nets, "mini_xception", lambda **o: original(**o, normalization=False)
    )
    assert experiments.fingerprint(TINY) != before


def moved(monkeypatch):
    change = nets.augmentation
    monkeypatch.setattr(nets, "augmentation", lambda **o: change(**o | {"shift": 0.25}))


def without_dropout(monkeypatch):
    net = nets.mini_xception
    monkeypatch.setattr(nets, "mini_xception", lambda **o: net(**o, dropout=0.0))


def with_settings(kind, **settings):
    """A change: the layers of one kind have other settings."""

    def change(monkeypatch):
        net = nets.mini_xception

        def changed(**options):
            model = net(**options)
            for layer in model.layers:
                if isinstance(layer, kind):
                    vars(layer).update(settings)
            return model

        monkeypatch.setattr(nets, "mini_xception", changed)

    return change


def with_less_momentum(monkeypatch):
    make = recipes.optimizer

    def changed(*arguments, **options):
        optimizer = make(*arguments, **options)
        optimizer.momentum = 0.8
        return optimizer

    monkeypatch.setattr(recipes, "optimizer", changed)


def with_other_rates(monkeypatch):
    rates = recipes.schedule
    monkeypatch.setattr(recipes, "schedule", lambda _, *rest: rates("cosine", *rest))


def with_a_plain_loss(monkeypatch):
    loss = keras.losses.CategoricalCrossentropy
    monkeypatch.setattr(keras.losses, "CategoricalCrossentropy", lambda **_: loss())


def digests(experiment):
    whole = experiments.fingerprint(experiment)
    return whole, experiments._configuration_hash(experiment)


@pytest.fixture(scope="module")
def unchanged():
    """Both digests of a lively experiment, and of one with a budget of minutes."""
    return {minutes: digests(lively(minutes=minutes)) for minutes in (None, 1.0)}


@pytest.mark.parametrize(
    ("change", "minutes"),
    [
        (moved, None),
        (without_dropout, None),
        (with_settings(keras.layers.BatchNormalization, momentum=0.5), None),
        (with_settings(keras.layers.Dense, activation=keras.activations.relu), None),
        (with_less_momentum, None),
        (with_a_plain_loss, None),
        (with_other_rates, None),
        (with_other_rates, 1.0),
    ],
)
def test_the_configuration_changes_with_what_the_fingerprint_does_not_see(
    change, minutes, unchanged, monkeypatch
):
    change(monkeypatch)
    whole, configuration = digests(lively(minutes=minutes))
    assert whole == unchanged[minutes][0]
    assert configuration != unchanged[minutes][1]


def test_the_configuration_changes_with_where_a_shortcut_begins(monkeypatch):
    def net(*, shortcut, input_shape, augmentation):
        inputs = keras.Input(input_shape)
        outputs = [inputs]
        for _ in range(3):
            outputs.append(keras.layers.Conv2D(3, 1)(outputs[-1]))
        x = keras.layers.Add()([outputs[-1], outputs[shortcut]])
        x = keras.layers.Flatten()(x)
        return keras.Model(inputs, keras.layers.Dense(1)(x))

    found = []
    for shortcut in (0, 1, 1):
        monkeypatch.setattr(
            nets, "mini_xception", lambda filters, s=shortcut, **o: net(shortcut=s, **o)
        )
        found.append(digests(TINY))
    assert len({whole for whole, _ in found}) == 1
    assert found[0] != found[1] == found[2]


def test_the_configuration_is_that_of_any_device(monkeypatch):
    """And that of each time that a net is built: Keras gives its layers other names."""
    kinds, found = [], []
    for accelerated in (False, True):
        monkeypatch.setattr(runtime, "accelerated", lambda on=accelerated: on)
        kinds.append(lively().build().layers[2].dtype_policy.name)
        found.append(experiments._configuration_hash(lively()))
    assert kinds == ["float32", "mixed_bfloat16"]
    assert found[0] == found[1]


def another_run(results, folder, **changes):
    """Copy a record to `folder` with changes to what its run says; None leaves out."""
    made = json.loads(text_of(shutil.copytree(results, folder)))
    run = made["runs"][0] | changes
    made["runs"] = [{key: value for key, value in run.items() if value is not None}]
    (folder / "study" / "tiny.json").write_text(json.dumps(made), encoding="utf-8")
    return folder


def test_runs_of_another_configuration_do_not_come_together(
    results, tmp_path, monkeypatch
):
    change = {"seed": 1, "configuration_hash": "0" * 64}
    other = another_run(results, tmp_path / "other", **change)
    before = text_of(results)
    with pytest.raises(ValueError, match="other settings.*Move it away.*nothing"):
        experiments.merge(other, results)
    assert text_of(results) == before

    monkeypatch.setattr(experiments, "_train", None)  # nor would hours be spent
    without_dropout(monkeypatch)
    with pytest.raises(ValueError, match="other settings.*Move it away.*nothing"):
        record(results)
    assert text_of(results) == before


@pytest.mark.parametrize(
    "change",
    [
        {"versions": {"keras": "99.0"}, "configuration_hash": "0" * 64},
        {"configuration_hash": None, "jobs": None},  # as the earliest runs are
    ],
)
def test_a_configuration_that_nobody_can_compare_is_accepted(change, results, tmp_path):
    other = another_run(results, tmp_path / "other", seed=1, **change)
    assert experiments.merge(other, results) == ["study/tiny: seeds [1]"]
    assert records.read(results / "study" / "tiny.json").seeds == [0, 1]
    assert experiments.merge(results, other) == ["study/tiny: seeds [0]"]
    made, said = record(other)
    assert len(said) == 2  # both are recorded already
    assert "Recorded run study/tiny" in made.caption()


def test_a_run_does_not_go_on_with_other_settings(killed, tmp_path):
    folder = shutil.copytree(killed, tmp_path / "steps")
    said = []
    steps = steps_of(folder, said, configuration_hash="0" * 64)
    assert steps.restore(compiled(TINY)) == 0
    assert "after-00002.npz is of layers or an optimizer with other" in said[0]


def test_a_stand_in_is_never_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(data, "cache_folder", lambda: tmp_path / "empty")
    pets = dataclasses.replace(TINY, data=TINY.data | {"name": "cats_vs_dogs"})
    with pytest.raises(ValueError, match="stand-in"):
        record(tmp_path / "results", pets)
    assert not (tmp_path / "results" / "study").exists()


def test_seeds_from_two_machines_come_together(results, tmp_path):
    other = tmp_path / "other"
    record(other, seeds=[1])
    assert experiments.merge(other, results) == ["study/tiny: seeds [1]"]
    merged = records.read(results / "study" / "tiny.json")
    assert merged.seeds == [0, 1]
    assert merged.weights["seed"] == 0
    assert experiments.merge(other, results) == []


def test_merging_another_recipe_takes_nothing(results, tmp_path):
    other = tmp_path / "other"
    record(other, dataclasses.replace(TINY, batch_size=4), seeds=[1])
    before = text_of(results)
    with pytest.raises(ValueError, match="another recipe"):
        experiments.merge(other, results)
    assert text_of(results) == before


@pytest.mark.parametrize("which", ["sha256", "sha256_validation"])
def test_runs_on_other_arrays_do_not_come_together(results, tmp_path, which):
    other = tmp_path / "other"
    record(other, seeds=[1])
    path = other / "study" / "tiny.json"
    made = json.loads(path.read_text(encoding="utf-8"))
    made["data"][which] = "0" * 64
    path.write_text(json.dumps(made), encoding="utf-8")
    before = text_of(results)
    with pytest.raises(ValueError, match="other arrays.*COURSE_DATA.*nothing"):
        experiments.merge(other, results)
    assert text_of(results) == before


@pytest.fixture
def other_arrays(monkeypatch):
    """Call it, and images with another pixel are what `load` gives from then on."""

    def change():
        load = data.load

        def changed(*arguments, **options):
            found = load(*arguments, **options)
            found.x_train[0, 0, 0] ^= 1
            return found

        monkeypatch.setattr(data, "load", changed)

    return change


def test_other_arrays_are_refused_before_an_hour_of_training(
    results, monkeypatch, other_arrays
):
    other_arrays()
    monkeypatch.setattr(experiments, "_train", None)
    before = text_of(results)
    with pytest.raises(ValueError, match="other arrays.*COURSE_DATA.*nothing"):
        record(results, seeds=[1])
    assert text_of(results) == before


def test_a_run_does_not_go_on_with_other_arrays(tmp_path, monkeypatch, other_arrays):
    fit = training.fit

    def stopping(model, *arguments, callbacks, **options):
        return fit(model, *arguments, callbacks=[*callbacks, StopAfter(2)], **options)

    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", stopping)
        with pytest.raises(KeyboardInterrupt):
            record(tmp_path, seeds=[0])
    other_arrays()
    made, _ = record(tmp_path, seeds=[0])
    assert made.runs[0]["resumed_after"] == []


def test_a_record_names_each_commit_that_took_part(tmp_path, monkeypatch):
    fit = training.fit

    def stopping(model, *arguments, callbacks, **options):
        return fit(model, *arguments, callbacks=[*callbacks, StopAfter(1)], **options)

    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", stopping)
        for commit in ("first", "second"):
            with pytest.raises(KeyboardInterrupt):
                record(tmp_path, seeds=[0], commit=commit)
    made, _ = record(tmp_path, seeds=[0], commit="third")
    assert made.runs[0]["commit"] == "third"
    earlier = made.runs[0]["earlier_processes"]
    assert [by["commit"] for by in earlier] == ["first", "second"]
    assert all(by["hardware"] and by["versions"] for by in earlier)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda path: path.unlink(), "it is not there"),
        (lambda path: os.truncate(path, 1000), "its SHA-256 is not the recorded one"),
    ],
)
def test_merging_takes_no_weights_that_are_not_those_of_the_record(
    damage, what, recorded, results, tmp_path
):
    other = shutil.copytree(recorded, tmp_path / "other")
    damage(other / "study" / "tiny.npz")
    here = tmp_path / "here"
    with pytest.raises(ValueError, match=rf"tiny\.npz, and {what} in .*Copy.*Nothing"):
        experiments.merge(other, here)
    assert [path for path in here.rglob("*") if path.is_file()] == []
    # Where the seed is recorded already, its weights are not needed.
    kept = (results / "study" / "tiny.npz").read_bytes()
    assert experiments.merge(other, results) == []
    assert (results / "study" / "tiny.npz").read_bytes() == kept


def test_merging_from_an_empty_folder_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="No record"):
        experiments.merge(tmp_path)


# --- What is declared -----------------------------------------------------------------

SHAPES = {"name": "shapes", "dtype": "uint8"}


def lively(**changes):
    """A tiny experiment that uses what later recipes can do."""
    base = dataclasses.replace(
        TINY,
        name="study/lively",
        data=TINY.data | {"classes": 4},
        options={"filters": (4,), "num_classes": 4},
        augmented=True,
        augmentation={"rotation": 0, "zoom": 0, "shift": 0.125},
        scale=(1 / 64, -1.9),
        optimizer="sgd",
        schedule="one_cycle",
        weight_decay=0.005,
        ema=0.5,
        label_smoothing=0.1,
        mixed_precision=True,
        flip_at_test=True,
        keep_weights=False,
        seeds=(0,),
    )
    return dataclasses.replace(base, **changes)


def test_a_field_that_came_later_is_left_out_where_it_has_its_default():
    recipe = TINY.recipe()
    assert set(recipe) == {
        *("procedure", "name", "data", "net", "options", "augmented", "epochs"),
        *("batch_size", "learning_rate", "seeds", "keep_weights"),
    }
    assert lively().recipe()["ema"] == 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"minutes": 1.0},
        {"optimizer": "sgd"},
        {"schedule": "constant"},
        {"weight_decay": 0.1},
        {"ema": 0.9},
        {"label_smoothing": 0.1},
        {"mixed_precision": True},
        {"flip_at_test": True},
        {"scale": (1 / 64, -2)},
    ],
)
def test_the_fingerprint_changes_with_the_later_fields(change):
    changed = dataclasses.replace(TINY, **change)
    assert experiments.fingerprint(changed) != experiments.fingerprint(TINY)


def test_the_size_of_another_profile_is_no_part_of_a_recipe():
    sized = dataclasses.replace(
        TINY, sizes={"quick": {"data": {"train": 4}, "epochs": 1}}
    )
    assert experiments.fingerprint(sized) == experiments.fingerprint(TINY)
    assert sized.at("full") == TINY
    small = sized.at("quick")
    assert small.data == TINY.data | {"train": 4}
    assert small.epochs == 1
    with pytest.raises(ValueError, match="`profile`"):
        TINY.at("fast")


def test_the_nets_of_the_lab_differ_in_the_net_alone():
    one = [e for n, e in experiments.EXPERIMENTS.items() if n.startswith("cifar10/")]
    nets = [e for e in one if not e.name.endswith("/modern")]
    assert {e.net for e in nets} == {
        *("shallow_convnet", "strided_resnet", "cifar_resnet", "mini_xception"),
        *("enlarged_xception", "fast_resnet"),
    }
    own = {"name", "net", "options", "scale", "mixed_precision"}
    rest = [{k: v for k, v in e.recipe().items() if k not in own} for e in nets]
    assert all(recipe == rest[0] for recipe in rest)
    assert all(len(e.seeds) == 3 for e in one)


def test_three_optimizers_meet_four_schedules():
    study = [
        e
        for n, e in experiments.EXPERIMENTS.items()
        if n.startswith("cifar10_schedules/")
    ]
    assert len({(e.optimizer, e.schedule) for e in study}) == 12
    assert len({(e.net, e.epochs, e.batch_size, str(e.data)) for e in study}) == 1


def test_the_ten_minutes_are_ten_minutes_for_all():
    study = [
        e
        for n, e in experiments.EXPERIMENTS.items()
        if n.startswith("cifar10_ten_minutes/")
    ]
    assert len(study) == 5
    assert {(e.minutes, e.batch_size, str(e.data)) for e in study} == {
        (10.0, 125, str(study[0].data))
    }
    rates = {e.name.rpartition("/")[2]: (e.optimizer, e.learning_rate) for e in study}
    assert rates["classic_shallow"] == ("adadelta", 0.5)
    assert rates["classic_resnet18"] == ("adadelta", 0.5)
    assert rates["classic_resnet18_cyclical"][0] == "adam"
    assert rates["classic_xception"] == ("adadelta", 0.9)


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_the_optimizer_and_the_rates_of_an_experiment_take_a_step(name):
    """On a net of one layer, and so on each backend."""
    experiment = experiments.EXPERIMENTS[name]
    classes = 1 if experiment.data["name"] == "cats_vs_dogs" else 10
    last = keras.layers.Dense(classes, "sigmoid" if classes == 1 else "softmax")
    model = keras.Sequential([keras.Input((4,)), last])
    experiments._compile(experiment, model, experiment.data["train"])
    model.run_eagerly = True  # on TensorFlow tracing would cost more than the step
    if experiment.minutes is not None:
        follow = experiments._follow_the_clock(experiment, experiments._Clock())
        follow.set_model(model)
        follow.on_train_batch_begin(0)
        assert 0 < follow.rate < 1.001 * experiment.learning_rate
    before = last.get_weights()[0]
    labels = np.zeros((2, 1)) if classes == 1 else np.eye(10)[:2]
    logs = model.train_on_batch(np.ones((2, 4)), labels, return_dict=True)
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
    assert np.isfinite(logs["loss"])
    assert np.abs(last.get_weights()[0] - before).max() > 0
    assert int(model.optimizer.iterations) == 1


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_an_experiment_runs_in_smoke(name, tmp_path):
    """On rendered images of the same size, which every machine can make."""
    small = experiments.EXPERIMENTS[name].at("smoke")
    classes = 2 if small.data["name"] == "cats_vs_dogs" else 10
    small = dataclasses.replace(small, data=small.data | SHAPES | {"classes": classes})
    if small.minutes is not None:  # a few steps, not a minute
        small = dataclasses.replace(small, epochs=1)
    made, _ = record(tmp_path, small, seeds=[0])
    assert 0 <= made.metrics["test_accuracy"][0] <= 1
    assert np.isfinite(made.metrics["test_loss"]).all()
    assert len(made.curves["seconds"][0]) == 1


def test_a_net_with_one_output_is_judged_as_its_recipe_says():
    """The first pixel is the probability, so the mirror image has another answer."""
    images = np.zeros((4, 1, 2, 1), "float32")
    images[:, 0, :, 0] = [[0.9, 0.3], [0.6, 0.1], [0.4, 0.2], [0.1, 0.7]]
    labels = np.array([1, 1, 0, 0])
    data = SimpleNamespace(x_test=images, y_test=labels)
    first = keras.layers.Cropping2D(((0, 0), (0, 1)))
    model = keras.Sequential([keras.Input((1, 2, 1)), first, keras.layers.Flatten()])
    recipe = experiments.EXPERIMENTS["cats_vs_dogs/mini_xception"]
    found = experiments._judge(recipe, model, data)
    assert found == {
        "test_loss": pytest.approx(-np.log([0.9, 0.6, 0.6, 0.9]).mean(), abs=1e-5),
        "test_accuracy": 1.0,
    }
    both = dataclasses.replace(recipe, flip_at_test=True)
    found = experiments._judge(both, model, data)
    assert found == {
        "test_loss": pytest.approx(-np.log([0.6, 0.35, 0.7, 0.6]).mean(), abs=1e-5),
        "test_accuracy": 0.75,
    }


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_labels_of_a_net_with_one_output_are_smoothed(smoothing):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Activation("linear")])
    recipe = dataclasses.replace(
        experiments.EXPERIMENTS["cats_vs_dogs/mini_xception"], label_smoothing=smoothing
    )
    experiments._compile(recipe, model, 10)
    measure = keras.losses.get(model.loss)
    values = measure(np.ones((1, 1)), np.full((1, 1), 0.8, "float32"))
    loss = float(keras.ops.mean(values))
    target = 1 - smoothing / 2
    expected = -(target * np.log(0.8) + (1 - target) * np.log(0.2))
    assert loss == pytest.approx(expected, abs=1e-5)


def test_a_rich_recipe_is_recorded_with_its_calibration(tmp_path):
    made, _ = record(tmp_path, lively())
    assert set(made.metrics) == {
        *("test_loss", "test_accuracy", "test_ece"),
        *("temperature", "test_ece_softened"),
    }
    (seconds,) = made.curves["seconds"]
    assert len(seconds) == TINY.epochs
    assert seconds == sorted(seconds)
    assert made.recipe["label_smoothing"] == 0.1


@pytest.mark.usefixtures("capsys")  # so that output is no terminal
def test_each_epoch_leaves_a_line_where_output_is_no_terminal(tmp_path):
    said = record(tmp_path, lively())[1]
    assert len(said) == 4  # it begins, two epochs of three, the accuracy
    for epoch, line in enumerate(said[1:3], 1):
        assert re.match(
            rf"lively, seed 0: epoch {epoch} of 3 · loss [\d.]+ · validation loss "
            r"[\d.]+ · accuracy [\d.]+ % · validation accuracy [\d.]+ %",
            line,
        )


class State(keras.callbacks.Callback):
    """Notes weights and optimizer at the end of one epoch or the start of another."""

    def __init__(self):
        super().__init__()
        self.ends, self.begins, self.losses = {}, {}, []

    def now(self):
        optimizer = self.model.optimizer
        average = optimizer._model_variables_moving_average
        return {
            "steps": int(optimizer.iterations),
            "weights": self.model.get_weights(),
            "optimizer": [np.array(v) for v in optimizer.variables],
            "average": [keras.ops.convert_to_numpy(v) for v in average],
        }

    def on_epoch_begin(self, epoch, logs=None):
        self.begins[epoch] = self.now()

    def on_epoch_end(self, epoch, logs=None):
        self.ends[epoch] = self.now()
        self.losses.append(round(logs["loss"], 5))


def test_a_rich_recipe_goes_on_with_all_that_it_had(tmp_path, monkeypatch):
    """Weights, optimizer and average are those of the last epoch before.

    The order of the images is another one: each start of a seed draws the same orders
    anew, so the third epoch here sees that of a first.
    """
    noted = []
    fit = training.fit

    def noting(*arguments, callbacks, **options):
        more = [StopAfter(2)] if not noted else []
        noted.append(State())
        return fit(*arguments, callbacks=[*callbacks, noted[-1], *more], **options)

    monkeypatch.setattr(training, "fit", noting)
    with pytest.raises(KeyboardInterrupt, match="2 of 3 epochs"):
        record(tmp_path, lively())
    made, _ = record(tmp_path, lively())
    first, second = noted
    assert list(first.ends) == [0, 1]
    assert list(second.begins) == [2]
    before, after = first.ends[1], second.begins[2]
    assert before["steps"] == after["steps"] == 2 * 2
    for part in ("weights", "optimizer", "average"):
        assert len(before[part]) == len(after[part]) > 0
        for old, new in zip(before[part], after[part], strict=True):
            np.testing.assert_array_equal(old, new)
    # The average is no copy of the weights, which would hide that it was lost.
    assert any(
        (average != weight).any()
        for average, weight in zip(
            after["average"], second.model.trainable_variables, strict=True
        )
    )
    assert made.curves["loss"][0] == pytest.approx(first.losses + second.losses)


def test_a_stop_behind_the_last_step_records_nothing_until_it_went_on(
    tmp_path, monkeypatch
):
    """Without that, the raw weights would be recorded in place of their average."""
    whole, _ = record(tmp_path / "whole", lively())
    fit, epochs = training.fit, []

    def stopping(*arguments, callbacks, **options):
        more = [StopAfter(3)] if not epochs else []
        history = fit(*arguments, callbacks=[*callbacks, *more], **options)
        epochs.append(len(history.steps["loss"]) // 2)
        return history

    monkeypatch.setattr(training, "fit", stopping)
    with pytest.raises(KeyboardInterrupt, match="3 of 3 epochs"):
        record(tmp_path, lively())
    assert not (tmp_path / "study" / "lively.json").exists()
    made, _ = record(tmp_path, lively())
    assert epochs == [3, 0]
    assert made.curves == whole.curves | {"seconds": made.curves["seconds"]}
    for metric, values in whole.metrics.items():
        assert made.metrics[metric] == pytest.approx(values, abs=1e-3), metric


class Ticking:
    """A clock on which each look takes a second."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 1.0
        return self.now


def timed(**changes):
    return lively(minutes=1.0, epochs=1000, **changes)


def test_a_budget_of_minutes_ends_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "time", Ticking())
    made, said = record(tmp_path, timed())
    assert said[0].endswith("1 minutes")
    assert not any(" of 1000" in line for line in said)
    (seconds,) = made.curves["seconds"]
    assert 1 < len(seconds) < 60
    assert seconds[-2] < 60 <= seconds[-1] < 70
    assert "1 minutes of training" in made.caption()


def test_the_rate_follows_the_clock(tmp_path, monkeypatch):
    seen = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(self.model.optimizer.learning_rate))

    fit = training.fit

    def noting(model, *arguments, callbacks, **options):
        return fit(model, *arguments, callbacks=[*callbacks, Note()], **options)

    monkeypatch.setattr(training, "fit", noting)
    monkeypatch.setattr(experiments, "time", Ticking())
    record(tmp_path, timed(schedule="cosine", learning_rate=0.1))
    assert 0.09 < seen[0] <= 0.1
    assert (np.diff(seen) < 0).all()
    # The last step began some looks at the clock before the end.
    assert seen[-1] < 0.003


def test_validation_costs_nothing_of_the_budget(monkeypatch):
    clock = experiments._Clock()
    ticking = Ticking()
    monkeypatch.setattr(experiments, "time", ticking)
    clock._started = 0.0
    tick = clock.callback()
    tick.on_test_begin()
    ticking.now += 500
    tick.on_test_end()
    assert clock.total() > 500
    assert clock.trained() < 10


def test_a_spent_budget_is_not_spent_again(tmp_path, monkeypatch):
    """Killed between the end of the training and the record."""
    monkeypatch.setattr(experiments, "time", Ticking())
    with monkeypatch.context() as patch:

        def killed(*_):
            raise RuntimeError("killed")

        patch.setattr(experiments, "_judge", killed)
        with pytest.raises(RuntimeError, match="killed"):
            record(tmp_path, timed())
    last = max((tmp_path / ".unfinished").glob("*/after-*"))
    epochs = len(experiments._read_step(last)[0])
    made, _ = record(tmp_path, timed())
    assert len(made.curves["loss"][0]) == epochs


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's own, which is no RuntimeError."""


@pytest.mark.parametrize(
    "error",
    [
        ResourceExhaustedError("failed to allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),
        MemoryError("Unable to allocate 9 GiB"),
    ],
)
def test_a_full_memory_is_named_and_leaves_the_record(error, results, monkeypatch):
    before = text_of(results)

    def full(*_, **__):
        raise error

    monkeypatch.setattr(training, "fit", full)
    with pytest.raises(MemoryError, match=r"study/tiny.*8 images"):
        record(results, seeds=[1])
    assert text_of(results) == before


def test_another_error_stays_itself(results, monkeypatch):
    def wrong(*_, **__):
        raise RuntimeError("something else")

    monkeypatch.setattr(training, "fit", wrong)
    with pytest.raises(RuntimeError, match="something else"):
        record(results, seeds=[1])


# --- Several processes ----------------------------------------------------------------

#: Adds one run to the record that stands in a folder, as a process that trained would.
ADD = """
import os, sys
from pathlib import Path
from course_utils import experiments, records

def add(results, seed, of="study/tiny"):
    target = Path(results) / f"{of}.json"
    template = records.read(Path(results) / "template.json")
    run = dict(template.runs[0]) | {"seed": seed}
    facts = template.data
    found = records.Record(of, template.recipe, template.recipe_hash, facts, (run,))
    experiments._add(target, found, target.parent)
"""


def with_template(recorded, results):
    results.mkdir(exist_ok=True)
    shutil.copy(recorded / "study" / "tiny.json", results / "template.json")
    return results


def test_two_processes_lose_no_run_of_one_record(recorded, tmp_path):
    results = with_template(recorded, tmp_path)
    # Each waits for the other, so that both write at once.
    program = ADD + textwrap.dedent("""
        results, me, other = sys.argv[1:]
        Path(results, me).touch()
        while not Path(results, other).exists():
            pass
        for seed in range(20):
            add(results, 2 * seed + int(me))
    """)
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(results), *pair])
        for pair in (("0", "1"), ("1", "0"))
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert records.read(results / "study" / "tiny.json").seeds == list(range(40))
    assert [path.name for path in (results / "study").glob("*")] == ["tiny.json"]


def test_a_lock_that_a_killed_process_left_is_taken_away(results, monkeypatch):
    target = results / "study" / "tiny.json"
    lock = target.with_suffix(".lock")
    lock.touch()
    monkeypatch.setattr(experiments, "_SECONDS_OF_A_LOCK", 0.1)
    with experiments._only_writer(target):
        assert lock.exists()
    assert not lock.exists()


@pytest.mark.skipif(os.name != "posix", reason="needs a script that can be executed")
def test_jobs_are_processes_and_one_that_fails_leaves_the_others(
    recorded, tmp_path, monkeypatch, capfd
):
    results = with_template(recorded, tmp_path / "results")
    name = "cifar10/shallow"
    # In place of Python, a program that records without training, and fails for one.
    stub = tmp_path / "stub.py"
    stub.write_text(
        ADD
        + textwrap.dedent("""
        options = dict(zip(sys.argv[4::2], sys.argv[5::2]))
        name, seed = sys.argv[4], int(sys.argv[6])
        assert sys.argv[1:4] == ["-m", "course_utils.experiments", "run"]
        assert sys.argv[7:9] == ["--profile", "smoke"], sys.argv
        assert sys.argv[11:] == ["--beside", "2"], sys.argv
        if seed == 1:
            sys.exit("the device is full")
        if seed == 3:
            os.kill(os.getpid(), 9)
        add(sys.argv[10], seed, of=name)
        print("done")
        """)
    )
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stub}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(experiments.sys, "executable", str(python))
    options = ["--profile", "smoke", "--results", str(results), "--jobs", "2"]
    seeds = ["--seeds", "0", "1", "2", "3"]
    assert experiments.main(["run", name, *seeds, *options]) == 2
    told = capfd.readouterr()
    assert f"[{name} 0] done" in told.out
    assert f"[{name} 1] the device is full" in told.out
    assert "2 of 4 runs" in told.out
    assert f"{name}, seed 1 (status 1)" in told.err
    assert f"{name}, seed 3 (killed, as systems do where the memory is full" in told.err
    assert records.read(results / f"{name}.json").seeds == [0, 2]


def test_a_budget_of_minutes_is_not_shared(tmp_path, capsys):
    options = ["--profile", "smoke", "--results", str(tmp_path), "--jobs", "2"]
    assert experiments.main(["run", "cifar10_ten_minutes", *options]) == 2
    assert "--jobs 1" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopping_the_parent_stops_its_jobs(sent, tmp_path, needs_real_images):
    needs_real_images(data.load("cifar10", train=1, validation=0, test=1))
    psutil = pytest.importorskip("psutil")
    options = ["--profile", "smoke", "--results", str(tmp_path), "--jobs", "2"]
    command = ["run", "cifar10/xception", "--seeds", "0", "1", *options]
    with subprocess.Popen(
        [sys.executable, "-m", "course_utils.experiments", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Where this very process was told to ignore Ctrl-C, the parent must not be.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as parent:
        begun = []
        for line in parent.stdout:
            begun.append(line)
            if sum("1 epochs" in line for line in begun) == 2:
                break  # both have begun, and one of them works
        jobs = psutil.Process(parent.pid).children()
        assert jobs, "".join(begun)
        parent.send_signal(sent)
        rest = parent.communicate(timeout=120)[0]
    assert parent.returncode not in (0, 2), rest
    assert "Traceback" not in rest.rpartition("] ")[2], rest
    assert not any(job.is_running() for job in jobs)
    # On a busy machine the first may have ended before the second began.
    for record in tmp_path.glob("*/*.json"):
        assert len(json.loads(record.read_text("utf-8"))["runs"]) == 1


# --- The command line -----------------------------------------------------------------


@pytest.fixture
def git(tmp_path, monkeypatch):
    """A function that gives git a command in `tmp_path`."""
    if not shutil.which("git"):
        pytest.skip("needs git")
    # A hook of git sets these, and they would lead to the repository of the course.
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def run(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=0"]
        command = ["git", *who, *arguments]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        return done.stdout.decode().strip()

    return run


def test_what_decides_a_run_must_be_committed(git, tmp_path, monkeypatch):
    module = tmp_path / "src" / "course_utils" / "experiments.py"
    module.parent.mkdir(parents=True)
    paths = [module, tmp_path / "pyproject.toml", tmp_path / "requirements.lock"]
    monkeypatch.setattr(experiments, "__file__", str(module))
    assert experiments._commit() == ("", False)
    git("init", "--quiet")
    for path in paths:
        path.write_text("before\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    head = git("rev-parse", "--short=12", "HEAD")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new.json").write_text("{}")
    assert experiments._commit() == (head, True)
    for path in paths:
        path.write_text("after\n")
        assert experiments._commit() == (head, False)
        git("checkout", "--", ".")
    module.with_name("new.py").touch()
    assert experiments._commit() == (head, False)
    module.with_name("new.py").unlink()
    # In a hook, too.
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert experiments._commit() == (head, True)


@pytest.mark.parametrize(
    "home",
    [
        ".venv/lib/python3.12/site-packages",  # anybody's repository
        "vendor",  # its root has the course in it, and another copy runs
        "src",  # a copy that was never committed
    ],
)
def test_a_package_inside_a_repository_is_none_of_its_commits(
    home, git, tmp_path, monkeypatch
):
    git("init", "--quiet")
    committed = tmp_path / "src" / "course_utils" / "experiments.py"
    if home == "src":
        committed = tmp_path / "README.md"
        (tmp_path / ".gitignore").write_text("src\n")
    committed.parent.mkdir(parents=True, exist_ok=True)
    committed.write_text("before\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    module = tmp_path / home / "course_utils" / "experiments.py"
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text("what runs\n")
    monkeypatch.setattr(experiments, "__file__", str(module))
    assert experiments._commit() == ("", False)


def test_a_commit_that_is_named_must_be_the_one_that_runs(monkeypatch, capsys):
    told = {}
    monkeypatch.setattr(experiments, "run", lambda experiment, **how: told.update(how))
    monkeypatch.setattr(experiments, "_commit", lambda: ("0123456789ab", True))
    command = ["run", "cats_vs_dogs/mini_xception", "--commit"]
    for wrong in ("0123", "0123456789ac", "main"):
        assert experiments.main([*command, wrong]) == 2
        assert f"names {wrong}, but" in capsys.readouterr().err
    assert not told
    for right in ("0123456", "0123456789ab", "0123456789ab" + 28 * "c"):
        assert experiments.main([*command, right]) == 0
        assert told["commit"] == "0123456789ab"


def test_an_uncommitted_package_is_not_recorded(monkeypatch, capsys):
    monkeypatch.setattr(experiments, "_commit", lambda: ("abc", False))
    monkeypatch.setattr(experiments, "run", None)
    status = experiments.main(["run", "cats_vs_dogs/mini_xception"])
    assert status == 2
    assert "not committed" in capsys.readouterr().err


def test_the_course_records_nothing_from_uncommitted_code(monkeypatch):
    monkeypatch.setattr(experiments, "_commit", lambda: ("abc", False))
    monkeypatch.setattr(experiments, "fingerprint", None)  # nothing is even built
    for commit in ("", "abc", "0123456789ab"):
        with pytest.raises(ValueError, match="not committed"):
            experiments.run(TINY, commit=commit)
    monkeypatch.setattr(experiments, "_commit", lambda: ("0123456789ab", True))
    with pytest.raises(ValueError, match="names abcdef0, but this is a checkout of 01"):
        experiments.run(TINY, commit="abcdef0")


def test_without_a_checkout_the_commit_must_be_named(monkeypatch, capsys):
    monkeypatch.setattr(experiments, "_commit", lambda: ("", False))
    monkeypatch.setattr(experiments, "run", None)
    assert experiments.main(["run", "cats_vs_dogs/mini_xception"]) == 2
    assert "--commit" in capsys.readouterr().err


def test_a_rehearsal_never_lands_among_the_records(monkeypatch, capsys):
    monkeypatch.setattr(experiments, "run", None)
    arguments = ["run", "cats_vs_dogs/mini_xception", "--profile", "smoke"]
    assert experiments.main(arguments) == 2
    assert "--results" in capsys.readouterr().err


def test_an_unknown_experiment_is_named(capsys):
    assert experiments.main(["run", "cats_vs_dogs/mini_xeption", "--commit", "a"]) == 2
    assert "cats_vs_dogs/mini_xception" in capsys.readouterr().err


def test_the_list_says_what_is_recorded(capsys):
    assert experiments.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(experiments.EXPERIMENTS)
    for line in lines:
        name, count = line.split()[:2]
        there = records.load(name).seeds if name in records.names() else ()
        assert int(count) == len(there)
        assert "of 3 recorded" in line or "of 1 recorded" in line


def test_a_recorded_command_names_no_folder(monkeypatch):
    told = {}
    monkeypatch.setattr(experiments, "run", lambda experiment, **how: told.update(how))
    monkeypatch.setattr(experiments, "_commit", lambda: ("", False))
    name = "cats_vs_dogs/mini_xception"
    wanted = f"python -m course_utils.experiments run {name} --seeds 0"
    for place in (["--results", "somewhere"], ["--results=somewhere", "--jobs=1"]):
        options = [*place, "--seeds", "0", "--commit", "abc", "--beside", "2"]
        assert experiments.main(["run", name, *options]) == 0
        assert told["command"] == wanted
        assert told["jobs"] == 2


def test_what_is_said_gets_through_a_pipe_at_once(monkeypatch):
    reached = []
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe))

    def run(experiment, say, **_):
        say("an epoch")
        reached.append(pipe.getvalue().strip())

    monkeypatch.setattr(experiments, "run", run)
    monkeypatch.setattr(experiments, "_commit", lambda: ("", False))
    name = "cats_vs_dogs/mini_xception"
    assert experiments.main(["run", name, "--commit", "abc"]) == 0
    assert reached == [b"an epoch"]


# --- What the course has recorded -----------------------------------------------------


@pytest.mark.parametrize("name", records.names())
def test_a_record_belongs_to_what_is_declared_today(name):
    made = records.load(name)
    for profile in {run["profile"] for run in made.runs}:
        declared = experiments.EXPERIMENTS[name].at(profile)
        assert made.recipe_hash == experiments.fingerprint(declared)
        runs = [run for run in made.runs if run["profile"] == profile]
        if any("configuration_hash" in run for run in runs):
            digest = experiments._configuration_hash(declared)
            today = {"configuration_hash": digest, "versions": runtime.versions()}
            assert not experiments._contradict(runs, [today])
    assert made.data["source"] not in ("stand-in", "rendered")
    assert "stand-in" not in made.caption()
    for run in made.runs:
        assert re.fullmatch(r"[0-9a-f]{12}", run["commit"])
        study = name.partition("/")[0]
        assert re.search(rf" run ({name}|{study})( |$)", run["command"])
        assert datetime.date.fromisoformat(run["date"])
        assert all((run["hardware"], run["versions"]))


def _with_weights():
    return [name for name in records.names() if records.load(name).weights]


@pytest.mark.parametrize("name", _with_weights())
def test_kept_weights_reach_the_accuracy_that_is_recorded(name):
    made = records.load(name)
    experiment = experiments.EXPERIMENTS[name].at(made.runs[0]["profile"])
    options = dict(experiment.data)
    images = data.load(options.pop("name"), **options | {"train": 2, "validation": 0})
    if images.source == "stand-in":
        pytest.skip("the photographs cannot be had here")
    model = experiment.build()
    model.set_weights(records.read_weights(made))
    scores = model.predict(images.x_test, batch_size=100, verbose=0)[:, 0]
    accuracy = ((scores > 0.5) == images.y_test).mean()
    # One image in a thousand may sit on the fence on another machine.
    assert abs(accuracy - made.weights["test_accuracy"]) <= 0.002


@pytest.mark.parametrize("name", sorted(records.TRAINED))
def test_a_trained_net_can_be_had_or_says_how(name):
    if any(home in records.names() for home in records.TRAINED[name]):
        model = records.trained_model(name)
        x = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:]))
        assert model.predict_on_batch(x).shape == (2, 1)
    else:
        with pytest.raises(FileNotFoundError, match="experiments run"):
            records.trained_model(name)


def test_damaged_weights_are_never_used(results, monkeypatch):
    monkeypatch.setattr(records, "folder", lambda: results)
    path = results / "study" / "tiny.npz"
    made = records.read(results / "study" / "tiny.json")
    assert len(records.read_weights(made)) == len(TINY.build().weights)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="damaged"):
        records.read_weights(made)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="missing"):
        records.read_weights(made)


@pytest.mark.parametrize("name", ["", "mini_xception", "../x", "cats_vs_dogs/none"])
def test_an_unknown_record_is_named(name):
    with pytest.raises(ValueError, match="`name`"):
        records.load(name)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"name": "a"}', "\0"])
def test_a_file_that_is_no_record_is_named(text, tmp_path):
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"broken\.json"):
        records.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../elsewhere/record"},
        {"name": "study"},
        {"weights": {"file": "../../weights.npz", "sha256": "", "seed": 0}},
        {"weights": [1]},
    ],
)
def test_a_record_that_names_files_elsewhere_is_refused(recorded, tmp_path, change):
    text = json.loads((recorded / "study" / "tiny.json").read_text()) | change
    path = tmp_path / "study" / "tiny.json"
    path.parent.mkdir()
    path.write_text(json.dumps(text))
    with pytest.raises(ValueError, match=r"the record of a run, got tiny\.json"):
        experiments.merge(tmp_path, tmp_path / "results")
    assert not (tmp_path / "results").exists()
