"""`fit`: a history of real numbers, a stop at NaN, progress that leaves one line."""

from __future__ import annotations

import io
import os
import re
import signal
import sys

import keras
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from course_utils import training
from course_utils.training import History, TrainingDiverged, fit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


def net(rate=0.1, loss=None, outputs=2, metrics=("accuracy",)):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(outputs)])
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=list(metrics))
    return model


@pytest.fixture(scope="module")
def run():
    """Return a run of two epochs, the model's start weights, and its last line."""
    keras.utils.set_random_seed(1)
    model = net()
    start = [np.array(w) for w in model.get_weights()]
    printed, sys.stdout = sys.stdout, io.StringIO()
    try:
        history = fit(
            model,
            X,
            Y,
            epochs=2,
            batch_size=32,
            validation_data=(X[:20], Y[:20]),
            label="plain net",
        )
        text = sys.stdout.getvalue()
    finally:
        sys.stdout = printed
    return model, start, history, text


def test_the_history_holds_curves_steps_and_seconds(run):
    _, _, history, _ = run
    assert history.label == "plain net"
    assert history.epochs == 2
    assert set(history.curves) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(len(curve) == 2 for curve in history.curves.values())
    assert history.steps_per_epoch == 4
    assert len(history.steps["loss"]) == 8
    assert all(type(value) is float for value in history.steps["loss"])
    assert history.seconds > 0
    assert history.last("loss") == history.curves["loss"][-1]
    assert history.note == ""


def test_the_loss_of_each_step_averages_to_that_of_the_epoch(run):
    _, _, history, _ = run
    samples = np.array([32, 32, 32, 4])
    for epoch in range(2):
        steps = np.array(history.steps["loss"][4 * epoch : 4 * epoch + 4])
        mean = (steps * samples).sum() / 100
        assert mean == pytest.approx(history.curves["loss"][epoch], rel=1e-5)


def test_the_loss_of_a_step_is_that_of_its_own_batch():
    # With a learning rate of 0 and one sample repeated in each batch the losses are
    # known: each step must show its own, not the mean so far.
    model = net(rate=0.0)
    order = np.argsort(Y, kind="stable")
    singles = []
    for index in order[:3]:
        singles.append(
            float(model.evaluate(X[index][None], Y[index][None], verbose=0)[0])
        )
    history = fit(model, X[order[:3]], Y[order[:3]], epochs=1, batch_size=1)
    assert sorted(history.steps["loss"]) == pytest.approx(sorted(singles), rel=1e-4)


def test_fit_trains_exactly_as_model_fit_does(run):
    _, start, history, _ = run
    keras.utils.set_random_seed(1)
    twin = net()
    for ours, theirs in zip(start, twin.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    theirs = twin.fit(
        X, Y, epochs=2, batch_size=32, validation_data=(X[:20], Y[:20]), verbose=0
    )
    for name, curve in theirs.history.items():
        assert history.curves[name] == pytest.approx(curve, rel=1e-5)


def test_one_tidy_line_is_left_where_output_is_no_terminal(run):
    *_, text = run
    assert re.fullmatch(
        r"plain net: 2 epochs in \d[\d.]* s · loss \d\.\d{3} → \d\.\d{3} · "
        r"accuracy \d+\.\d % · validation accuracy \d+\.\d %\n",
        text,
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_progress_on_one_line_that_is_overwritten(monkeypatch):
    monkeypatch.setattr(training, "_UPDATES_PER_SECOND", 1e9)
    monkeypatch.setattr(training, "_SECONDS_BETWEEN_READS", 0)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    fit(net(), X, Y, epochs=2, label="plain")
    shown = terminal.getvalue()
    assert f"\r[{10 * ' '}] plain: preparing the first step" in shown
    assert "plain: epoch 1 of 2, " in shown
    assert f"\r[{10 * '#'}] plain: epoch 2 of 2, 100%" in shown
    assert shown.count("\n") == 1
    assert shown.split("\r")[-1].startswith("plain: 2 epochs in")


def test_progress_is_drawn_at_most_five_times_a_second(monkeypatch):
    drawn = []
    progress = training._Progress("net", 1, 1000)
    progress.live = True
    monkeypatch.setattr(progress, "_draw", lambda text, done: drawn.append(text))
    clock = iter(np.arange(1000) * 0.01)
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(clock))
    for step in range(500):  # five seconds
        progress.update(1, step + 1, 1.0)
    assert 20 <= len(drawn) <= 26


class Seconds:
    """A clock that tells what it is set to."""

    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def progress_at(monkeypatch):
    """A function that makes a progress; call that to see its words at some second."""
    clock = Seconds()
    monkeypatch.setattr(training, "time", clock)

    def make(*arguments, **options):
        progress = training._Progress(*arguments, **options)
        progress.live = True
        shown = []
        monkeypatch.setattr(progress, "_draw", lambda text, done: shown.append(text))

        def words(second, epoch, step):
            clock.now = second
            progress.update(epoch, step, None)
            return shown[-1]

        return words

    return make


@pytest.mark.parametrize("epoch", [1, 26])
def test_the_time_left_follows_from_what_this_process_has_done(epoch, progress_at):
    words = progress_at("net", 30, 10)
    # The first step took 25 s of compilation, each other one takes 2 s.
    assert words(25, epoch, 1).endswith("%")
    steps = 300 - 10 * (epoch - 1) - 6
    left = f"{2 * steps / 60:.0f} min" if steps > 60 else f"{2 * steps:.0f} s"
    assert words(35, epoch, 6).endswith(f" · about {left} left")
    assert words(500, 30, 10) == "net: epoch 30 of 30, 100%"


@pytest.mark.parametrize("before", [0, 300])
def test_the_time_left_of_a_budget_of_minutes_is_that_of_its_clock(before, progress_at):
    """Ten minutes, of which another process may have spent five."""
    spent = [0.0]
    words = progress_at("net", 1000, 10, spent=lambda: spent[0])
    for second, part in [(20, (before + 20) / 600), (80, (before + 80) / 600)]:
        spent[0] = part
        said = words(second, 1 + second // 20, 1)
    minutes = (600 - before - 80) / 60
    assert said == f"net: epoch 5, {part:.0%} · about {minutes:.0f} min left"


def test_each_epoch_but_the_last_leaves_a_line_where_nothing_is_drawn(capsys):
    said = []
    options = {"epochs": 3, "validation_data": (X[:20], Y[:20]), "label": "net"}
    fit(net(), X, Y, **options, say=said.append)
    assert len(said) == 2
    for epoch, line in enumerate(said, 1):
        assert re.match(
            rf"net: epoch {epoch} of 3 · loss [\d.]+ · validation loss [\d.]+ · "
            r"accuracy [\d.]+ % · validation accuracy [\d.]+ %",
            line,
        )
    assert capsys.readouterr().out.count("\n") == 1
    fit(net(), X, Y, epochs=1, spent=lambda: 0.1, say=said.append)
    assert len(said) == 2  # no epoch is left, whatever the clock says


def test_a_terminal_that_shows_progress_gets_no_lines(monkeypatch):
    said = []
    monkeypatch.setattr(sys, "stdout", Terminal())
    fit(net(), X, Y, epochs=3, say=said.append)
    assert not said


def test_a_run_by_the_clock_names_no_number_of_epochs():
    """That number is only more than the time holds."""

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    history = fit(net(), X, Y, epochs=1000, callbacks=[Stop()], spent=lambda: 1.0)
    assert history.epochs == 2
    assert history.note == ""
    history = fit(net(), X, Y, epochs=1000, callbacks=[Stop()], spent=lambda: 0.5)
    assert history.note == "ended by a callback before its time"


def test_divergence_stops_at_once_and_says_what_to_try(monkeypatch):
    monkeypatch.setattr(training, "_SECONDS_BETWEEN_READS", 0)
    # A squared error at a far too high rate: each step makes it a billion times worse.
    model = net(rate=1000.0, loss="mse", outputs=1, metrics=())
    with pytest.raises(TrainingDiverged) as caught:
        fit(model, X * 100, X[:, :1], epochs=50, label="plain <net>")
    error = caught.value
    message = str(error)
    assert "'plain <net>' diverged" in message
    assert f"in epoch {error.epoch} of 50, step {error.step} of 4" in message
    assert "learning rate ten times smaller (it is 1e+03)" in message
    assert "the loss became infinite" in message or "became NaN" in message
    assert error.epoch <= 3
    assert np.isfinite(error.last_loss)
    assert error.last_loss == error.history.steps["loss"][-1]
    done = (error.epoch - 1) * 4 + error.step - 1
    assert len(error.history.steps["loss"]) == done
    assert error.history.epochs == error.epoch - 1
    assert np.asarray(model.predict(X[:2], verbose=0)).shape == (2, 1)


def test_a_loss_that_is_nan_from_the_first_step_on_is_named():
    def nan(y, prediction):
        return keras.ops.sum(prediction, -1) * float("nan")

    with pytest.raises(TrainingDiverged, match="so from the first step on") as caught:
        fit(net(loss=nan, metrics=()), X, Y, epochs=1)
    assert caught.value.last_loss is None
    assert (caught.value.epoch, caught.value.step) == (1, 1)


class AtStep(keras.callbacks.Callback):
    """Calls a function after the sixth step of the run."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
        if self.count == 6:
            self.function()


@pytest.fixture
def ctrl_c():
    """Ctrl-C as a person has it; a shell's background job would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to oneself")
@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupt_returns_what_was_trained_and_leaves_the_model_usable():
    model = net()
    before = signal.getsignal(signal.SIGINT)
    stop = AtStep(lambda: os.kill(os.getpid(), signal.SIGINT))
    history = fit(model, X, Y, epochs=50, callbacks=[stop])
    assert history.note == "interrupted in epoch 2 of 50"
    assert history.epochs == 1
    assert len(history.steps["loss"]) == 6
    assert signal.getsignal(signal.SIGINT) is before
    assert model.predict(X[:2], verbose=0).shape == (2, 2)
    again = fit(model, X, Y, epochs=1)
    assert again.epochs == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to oneself")
@pytest.mark.usefixtures("ctrl_c")
def test_interrupting_twice_raises():
    def twice():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            signal.getsignal(signal.SIGINT)  # lets the handler run in between

    with pytest.raises(KeyboardInterrupt):
        fit(net(), X, Y, epochs=50, callbacks=[AtStep(twice)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_a_callback_is_the_callers():
    def fail():
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fit(net(), X, Y, epochs=3, callbacks=[AtStep(fail)])


def test_a_run_that_a_callback_ends_says_so():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    history = fit(net(), X, Y, epochs=9, callbacks=Stop())
    assert history.epochs == 1
    assert str(history).endswith("ended by a callback, of 9 epochs")


def test_targets_of_a_regression_and_a_metric_that_is_no_accuracy():
    history = fit(
        net(loss="mse", outputs=1, metrics=["mae"]), X, X[:, :1], epochs=1, label="fit"
    )
    assert re.match(r"fit: 1 epoch in .* · loss [\d.]+ · mae [\d.]+$", str(history))


def test_the_curve_says_its_numbers_in_words():
    history = History(
        "net",
        2,
        {"loss": [2.0, 1.0], "accuracy": [0.5, 0.75], "val_accuracy": [0.4, 0.6]},
        {"loss": [2.5, 1.5, 1.2, 0.8]},
        seconds=1.0,
        steps_per_epoch=2,
    )
    figure = training._curve_figure(history)
    assert figure.alt == (
        "Training curves of net over 2 epochs. Loss: from 2 to 1. Accuracy: from "
        "50.0 % to 75.0 %. Validation accuracy: from 40.0 % to 60.0 %."
    )
    assert len(figure.axes) == 2
    # No whole epoch, no metric: still a figure.
    short = History("net", steps={"loss": [2.5, 1.5]}, steps_per_epoch=9)
    assert "over 2 steps. Loss: from 2.5 to 1.5." in training._curve_figure(short).alt


def test_a_history_names_the_metrics_it_has():
    history = History("net", 1, {"loss": [1.0]})
    with pytest.raises(ValueError, match=r"`name`.*did you mean 'loss'"):
        history.last("los")
    with pytest.raises(ValueError, match="finished none"):
        History("net").last("loss")


UNCOMPILED = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
COMPILED = net()
PAIR = (X[:4], Y[:4])
WRONG = [
    ({"model": UNCOMPILED}, ValueError, r"`model`.*model\.compile"),
    ({"model": None}, TypeError, "`model`.*keras.Model"),
    ({"x": X[:0], "y": Y[:0]}, ValueError, "`x`.*empty"),
    ({"x": X[:50]}, ValueError, "`y`: expected 50 targets.*got 100"),
    ({"x": np.full_like(X, np.nan)}, ValueError, "`x`.*600 NaN"),
    ({"x": X[:, :5]}, ValueError, r"`x`: expected samples of shape \(6\)"),
    ({"x": "images"}, TypeError, "`x`"),
    ({"x": None}, TypeError, "`x`"),
    ({"y": None}, TypeError, "`y`"),
    ({"y": Y * 2}, ValueError, "`y`: expected whole class numbers from 0 to 1"),
    ({"y": Y - 1}, ValueError, "`y`.*values from -1 to 0"),
    ({"y": Y + 0.5}, ValueError, "`y`"),
    ({"y": np.where(Y, np.nan, 0)}, ValueError, "`y`.*NaN"),
    ({"epochs": 0}, ValueError, "`epochs`.*at least 1"),
    ({"epochs": 1.5}, TypeError, "`epochs`"),
    ({"epochs": True}, TypeError, "`epochs`"),
    ({"batch_size": 0}, ValueError, "`batch_size`"),
    ({"batch_size": None}, TypeError, "`batch_size`"),
    ({"validation_data": X}, TypeError, "`validation_data`.*pair"),
    ({"validation_data": (X, Y[:3])}, ValueError, r"`validation_data\[1\]`"),
    ({"validation_data": (X[:0], Y[:0])}, ValueError, r"`validation_data\[0\]`.*empty"),
    ({"callbacks": [print]}, TypeError, "`callbacks`"),
    ({"callbacks": 3}, TypeError, "`callbacks`"),
    ({"label": ""}, ValueError, "`label`"),
    ({"label": 3}, TypeError, "`label`"),
    ({"curve": "yes"}, TypeError, "`curve`"),
]


@pytest.mark.parametrize(("changes", "error", "message"), WRONG)
def test_wrong_arguments_are_named(changes, error, message, capsys):
    arguments = {"model": COMPILED, "x": X, "y": Y, "epochs": 1, **changes}
    with pytest.raises(error, match=message):
        fit(**arguments)
    assert capsys.readouterr().out == ""


def test_class_numbers_are_checked_for_every_way_to_name_the_loss():
    for loss in (
        "sparse_categorical_crossentropy",
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.SparseCategoricalCrossentropy(),
    ):
        with pytest.raises(ValueError, match=r"`y`.*from 0 to 1"):
            fit(net(loss=loss), X, Y + 1, epochs=1)


def test_a_notebook_keeps_one_line_and_one_curve():
    prepare = (
        "import keras, numpy as np\nfrom course_utils import training\n"
        "training._SECONDS_BETWEEN_READS = 0\ntraining._UPDATES_PER_SECOND = 1e9\n"
        "x = np.random.default_rng(0).normal(size=(64, 4)).astype('float32')\n"
        "y = (x[:, 0] > 0).astype('int32')\n"
        "model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])\n"
        "model.compile('sgd', 'mse', metrics=['accuracy'])\n"
        "y = np.eye(2)[y]"
    )
    cells = [
        prepare,
        "history = training.fit(model, x, y, epochs=2, label='<b>net</b>')",
        "history = training.fit(model, x, y, epochs=2, label='quiet', curve=False)",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(c) for c in cells]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = [
        output
        for output in notebook.cells[1].outputs
        if output.output_type == "display_data"
    ]
    line, curve = shown
    assert line.data["text/plain"].startswith("<b>net</b>: 2 epochs in")
    assert "&lt;b&gt;net&lt;/b&gt;: 2 epochs in" in line.data["text/html"]
    assert "<progress" not in line.data["text/html"]
    alt = curve.metadata["image/png"]["alt"]
    assert alt.startswith("Training curves of <b>net</b> over 2 epochs. Loss: from ")
    assert len(curve.data["image/png"]) < 80_000
    assert [output.output_type for output in notebook.cells[2].outputs] == [
        "display_data"
    ]


def test_a_run_of_a_few_steps_trains_as_a_traced_one_and_leaves_the_mode_as_it_was():
    short, traced = net(), net()
    traced.set_weights(short.get_weights())
    fit(short, X[:4], Y[:4], epochs=2, batch_size=4)
    traced.fit(X[:4], Y[:4], epochs=2, batch_size=4, verbose=0)
    for ours, theirs in zip(short.get_weights(), traced.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert short.run_eagerly is False
    assert fit(short, X, Y, epochs=2).epochs == 2


def test_a_model_that_was_asked_to_run_eagerly_still_does():
    model = net()
    model.run_eagerly = True
    fit(model, X[:4], Y[:4], epochs=1, batch_size=4)
    assert model.run_eagerly is True


def convnet():
    """Return a small compiled net with everything that remembers."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecay(0.1, 12)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, use_ema=True)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(True))
    return model


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_restarted_training_is_that_of_a_new_model(seed):
    x = RNG.normal(size=(48, 8, 8, 1)).astype("float32")
    y = np.arange(48) % 2

    def trained(model):
        history = fit(model, x, y, epochs=2, batch_size=8, label="net", curve=False)
        return history.steps["loss"], model.get_weights()

    def restarted(model, seed):
        keras.utils.set_random_seed(seed)
        training.restart(model, convnet)
        return trained(model)

    keras.utils.set_random_seed(seed)
    losses, weights = trained(convnet())
    used = convnet()
    other, _ = restarted(used, seed + 100)
    again, same = restarted(used, seed)
    assert again != other
    if keras.backend.backend() != "tensorflow":
        # There the first `fit` of a model draws an order of the images more.
        restarted(used, seed + 100)
        losses, weights = restarted(used, seed)
    assert again == losses
    for one, two in zip(weights, same, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_model_restarts_only_as_what_it_is():
    model = net()
    with pytest.raises(ValueError, match="build"):
        training.restart(model, convnet)
    with pytest.raises(TypeError, match="build"):
        training.restart(model, net())
    with pytest.raises(TypeError, match="build"):
        training.restart(model, lambda: None)
    with pytest.raises(ValueError, match="compiled"):
        training.restart(keras.Sequential([keras.Input((6,))]), net)
    with pytest.raises(TypeError, match="model"):
        training.restart("net", net)
