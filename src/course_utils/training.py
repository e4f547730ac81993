"""Training with progress to look at, one tidy line, and a history that plots take.

`fit` is `model.fit` with a callback: whatever trains with Keras trains with it, on
TensorFlow, JAX and PyTorch. It adds checks of the arguments, live progress, the loss of
every step, and a stop as soon as the loss is no longer a number.
"""

from __future__ import annotations

import html
import math
import numbers
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course_utils import _validate

__all__ = ["History", "TrainingDiverged", "eager_if_short", "fit", "restart"]

_UPDATES_PER_SECOND = 5
_SECONDS_BETWEEN_READS = 0.1
_STEPS_NOT_WORTH_A_TRACE = 2


@dataclass
class History:
    """What a training run left behind.

    Attributes:
        label: the name of the run, used in legends and messages.
        epochs: the number of whole epochs that were trained.
        curves: metric -> its value at the end of each whole epoch: "loss", "accuracy",
            and "val_loss", "val_accuracy" where validation data were given.
        steps: {"loss": the loss of each step (mini-batch)}, all epochs in a row.
        seconds: wall time, validation and compilation included.
        steps_per_epoch: the number of steps in a whole epoch.
        note: one sentence where the run ended before its time, else "".
        interrupted: whether it was stopped by Ctrl-C or the notebook's stop button,
            be it behind the last step.
    """

    label: str
    epochs: int = 0
    curves: dict[str, list[float]] = field(default_factory=dict)
    steps: dict[str, list[float]] = field(default_factory=lambda: {"loss": []})
    seconds: float = 0.0
    steps_per_epoch: int = 0
    note: str = ""
    interrupted: bool = False

    def last(self, name: str) -> float:
        """Return a metric at the end of the last whole epoch.

        Args:
            name: a key of `curves`, such as "val_accuracy".

        Returns:
            The value.

        Raises:
            ValueError: no such metric, or not one whole epoch was trained.

        Example:
            >>> fit(model, x, y, epochs=3).last("loss")
        """
        if not self.curves:
            _validate.fail_with_words(
                "name", "the metric of a whole epoch", "a run that finished none"
            )
        return self.curves[_validate.choice("name", name, self.curves)][-1]

    def __str__(self) -> str:
        return _final_line(self)

    def __repr__(self) -> str:
        return f"History({_final_line(self)})"


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite, and training was stopped at that step.

    Attributes:
        label: the name of the run.
        epoch: the epoch it happened in, counted from 1.
        step: the step within that epoch, counted from 1.
        last_loss: the loss of the last step that had a finite one, or None.
        history: the History up to that step.
    """

    def __init__(
        self,
        message: str,
        *,
        label: str,
        epoch: int,
        step: int,
        last_loss: float | None,
        history: History,
    ) -> None:
        super().__init__(message)
        self.label = label
        self.epoch = epoch
        self.step = step
        self.last_loss = last_loss
        self.history = history


def fit(
    model: Any,
    x: Any,
    y: Any,
    *,
    epochs: int,
    batch_size: int = 32,
    validation_data: tuple[Any, Any] | None = None,
    callbacks: Sequence[Any] = (),
    label: str | None = None,
    curve: bool = True,
    spent: Callable[[], float] | None = None,
    say: Callable[[str], None] | None = None,
) -> History:
    """Train a compiled model with `model.fit`, showing how it goes.

    In a notebook a progress bar moves in place; at its end one line stays, and a small
    figure of the curves. In a terminal the progress is one line that is overwritten.
    Interrupting (the stop button, or Ctrl-C) ends the run after the current step and
    returns what was trained so far; interrupting twice raises KeyboardInterrupt, which
    also ends a loop around `fit`.

    Args:
        model: a compiled keras.Model.
        x: inputs, shape (n, ...), finite.
        y: targets, shape (n, ...): class numbers for a sparse cross-entropy.
        epochs: passes over the data, at least 1.
        batch_size: images a step, at least 1.
        validation_data: (x, y) to evaluate after each epoch.
        callbacks: further keras.callbacks.Callback objects.
        label: a name for the run; None takes the model's.
        curve: whether a notebook also shows the curves.
        spent: for a run that a callback ends by the clock, and not its epochs: a
            function without arguments that returns which part of its time is spent,
            from 0 to 1. The progress follows it.
        say: gets a line of text at the end of each epoch but the last where output is
            neither a notebook nor a terminal; None for no such lines.

    Returns:
        A History: `.curves`, `.steps`, `.seconds`, `.last("val_accuracy")`.

    Raises:
        ValueError: a model that is not compiled, empty arrays, NaN or infinite values,
            lengths that differ, images of another shape than the model takes, class
            numbers that the model has no output for, or a number out of range.
        TypeError: an argument of the wrong type.
        TrainingDiverged: the loss became NaN or infinite. The exception names the epoch
            and the step, and carries the History up to there.

    Example:
        >>> loss = "sparse_categorical_crossentropy"
        >>> model.compile("sgd", loss, metrics=["accuracy"])
        >>> history = fit(model, x, y, epochs=5, label="plain net")
        plain net: 5 epochs in 12.3 s · loss 1.234 → 0.456 · accuracy 81.2 %
    """
    import keras

    _check_model(model)
    x, y = _check_pair(model, x, y, "x", "y")
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            _validate.fail_type("validation_data", "a pair (x, y)", validation_data)
        validation_data = _check_pair(
            model, *validation_data, "validation_data[0]", "validation_data[1]"
        )
    epochs = _validate.integer("epochs", epochs, 1)
    batch_size = _validate.integer("batch_size", batch_size, 1)
    if isinstance(callbacks, keras.callbacks.Callback):
        callbacks = [callbacks]
    if not isinstance(callbacks, (list, tuple)):
        _validate.fail_type("callbacks", "a list of Keras callbacks", callbacks)
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            _validate.fail_type("callbacks", "Keras callbacks only", callback)
    label = model.name if label is None else _validate.string("label", label)
    curve = _validate.boolean("curve", curve)
    if spent is not None:
        _validate.function("spent", spent, takes=0)
    if say is not None:
        _validate.function("say", say, takes=1)

    steps_per_epoch = -(-len(x) // batch_size)
    history = History(label, steps_per_epoch=steps_per_epoch)
    progress = _Progress(label, epochs, steps_per_epoch, spent, say)
    progress.start()
    started = time.perf_counter()
    diverged: _Diverged | None = None
    short = eager_if_short(model, epochs * steps_per_epoch)
    with short, _soft_interrupt() as interrupt:
        _make_variables(model, x, y)
        watch = _Watch(history, progress, interrupt, len(x), batch_size)
        listed = _callback_list(
            watch,
            callbacks,
            model=model,
            epochs=epochs,
            steps=steps_per_epoch,
            verbose=0,
        )
        try:
            model.fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                validation_data=validation_data,
                callbacks=listed,
                verbose=0,
            )
        except _Diverged as error:
            diverged = error
            history.note = (
                f"stopped in epoch {error.epoch}: the loss became {error.loss}"
            )
        except KeyboardInterrupt:
            if interrupt.again:
                progress.close()
                raise
            history.note = f"interrupted in epoch {progress.of_all(watch.epoch)}"
            history.interrupted = True
        except BaseException:
            progress.close()
            raise
        finally:
            history.seconds = time.perf_counter() - started
            _tidy_model(model)
    if not history.note and history.epochs < epochs:
        if spent is None:
            history.note = f"ended by a callback, of {epochs} epochs"
        elif spent() < 1:
            history.note = "ended by a callback before its time"
    progress.finish(_final_line(history))
    if diverged is not None:
        # `from None`: the frames between are Keras' and say nothing about the cause.
        epoch = progress.of_all(diverged.epoch)
        raise _divergence(model, history, diverged, epoch) from None
    if curve and progress.in_notebook and history.steps["loss"]:
        from IPython.display import display

        display(_curve_figure(history))
    return history


def restart(model: Any, build: Callable[[], Any]) -> Any:
    """Give a compiled model the weights of a new one, and an optimizer without a past.

    A training that follows is one of a new model, but TensorFlow and JAX go on with the
    step that they have compiled, which takes seconds for a deep model. So several seeds
    of one model are cheaper. (On JAX and PyTorch the order of the images is another
    one: there the first `fit` of a model draws one more.) Taught in lesson 05.

    Args:
        model: a compiled keras.Model; its weights, the state of its random layers and
            that of its optimizer are replaced.
        build: a function without arguments that builds the same model anew.

    Returns:
        The model.

    Raises:
        TypeError: for anything but a Keras model and a function that returns one.
        ValueError: for a model that is not compiled, or a new one of other shapes.

    Example:
        `keras.utils.set_random_seed(1); restart(model, build_model)`
    """
    import keras

    _check_model(model)
    if isinstance(build, keras.Model):
        _validate.fail_type("build", "a function that builds a model", build)
    _validate.function("build", build, takes=0)
    fresh = build()
    _validate.keras_model("build", fresh)
    shapes = [[tuple(v.shape) for v in one.variables] for one in (model, fresh)]
    if shapes[0] != shapes[1]:
        expected = f"a function that builds a model like {model.name!r}"
        _validate.fail_with_words("build", expected, f"one like {fresh.name!r}")
    optimizer = model.optimizer
    twin = type(optimizer).from_config(optimizer.get_config())
    twin.build(fresh.trainable_variables)
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    pairs = [(model.variables, fresh.variables), (optimizer.variables, twin.variables)]
    for old, new in pairs:
        for variable, value in zip(old, new, strict=True):
            variable.assign(value)
    return model


# ----------------------------------------------------------------------------- checks


def _check_model(model: Any) -> None:
    import keras

    if not isinstance(model, keras.Model):
        _validate.fail_type("model", "a compiled keras.Model", model)
    if not model.compiled:
        _validate.fail_with_words(
            "model",
            "a compiled model (call model.compile(optimizer, loss) first)",
            f"the model {model.name!r}, which is not compiled",
        )


def _check_pair(
    model: Any, x: Any, y: Any, x_name: str, y_name: str
) -> tuple[np.ndarray, np.ndarray]:
    x = _validate.array(x_name, x)
    y = _validate.array(y_name, y)
    for name, array in ((x_name, x), (y_name, y)):
        if array.ndim == 0:
            _validate.fail(name, "an array with one entry for each sample", array)
    if len(x) != len(y):
        _validate.fail_with_words(
            y_name,
            f"{len(x)} targets, as many as `{x_name}` has samples",
            f"{len(y)}",
        )
    expected = _shape(model, "input_shape")
    if expected is not None and not _fits(x.shape[1:], expected[1:]):
        words = ", ".join("any" if n is None else str(n) for n in expected[1:])
        _validate.fail(x_name, f"samples of shape ({words}) for this model", x)
    _check_classes(model, y, y_name)
    return x, y


def _shape(model: Any, name: str) -> tuple[int | None, ...] | None:
    """Return the model's only input or output shape, or None where that is unclear."""
    try:
        shape = getattr(model, name)
    except (AttributeError, ValueError):  # not built, or subclassed
        return None
    if isinstance(shape, tuple) and all(n is None or isinstance(n, int) for n in shape):
        return shape
    return None


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    # Keras itself adds or removes a last axis of length 1.
    for candidate in (shape, (*shape, 1), shape[:-1] if shape[-1:] == (1,) else shape):
        if len(candidate) == len(expected) and all(
            wanted is None or wanted == n
            for n, wanted in zip(candidate, expected, strict=True)
        ):
            return True
    return False


def _check_classes(model: Any, y: np.ndarray, name: str) -> None:
    loss = getattr(model, "loss", None)
    words = loss if isinstance(loss, str) else getattr(loss, "__name__", None)
    words = words or type(loss).__name__
    if words.lower().replace("_", "") != "sparsecategoricalcrossentropy":
        return
    if getattr(loss, "ignore_class", None) is not None:
        return
    shape = _shape(model, "output_shape")
    classes = shape[-1] if shape else None
    if classes is None:
        return
    low, high = y.min(), y.max()
    if low < 0 or high >= classes or (y != np.floor(y)).any():
        _validate.fail_with_words(
            name,
            f"whole class numbers from 0 to {classes - 1}, as the model has "
            f"{classes} output{'s' if classes != 1 else ''}",
            f"values from {low:g} to {high:g}"
            + ("" if (y == np.floor(y)).all() else ", not all whole"),
        )


# ---------------------------------------------------------------------------- watching


class _Diverged(Exception):
    """Leaves `model.fit` from the callback that saw a loss that is not finite."""

    def __init__(self, loss: str, epoch: int, step: int) -> None:
        super().__init__(loss)
        self.loss = loss
        self.epoch = epoch
        self.step = step


@dataclass
class _Interrupt:
    asked: bool = False
    again: bool = False


@contextmanager
def _soft_interrupt() -> Iterator[_Interrupt]:
    """Turn the first Ctrl-C into a request that the callback answers after its step.

    An exception in the middle of a step would leave a JAX model without its weights
    (they are donated to the step), so the step is finished first.
    """
    interrupt = _Interrupt()

    def ask(*_: Any) -> None:
        interrupt.again = interrupt.asked
        interrupt.asked = True
        if interrupt.again:
            raise KeyboardInterrupt

    changed = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if changed:
        signal.signal(signal.SIGINT, ask)
    try:
        yield interrupt
    finally:
        if changed:
            signal.signal(signal.SIGINT, signal.default_int_handler)


class _Watch:
    """Follows a run: collects losses, moves the progress, ends the run where needed.

    Reading a loss waits for its step, and waiting at every step would keep the machine
    from preparing the next one. So losses are read ten times a second, all at once.
    """

    def __init__(
        self,
        history: History,
        progress: _Progress,
        interrupt: _Interrupt,
        samples: int,
        batch_size: int,
    ) -> None:
        self.epoch = 1
        self._history = history
        self._progress = progress
        self._interrupt = interrupt
        self._samples = samples
        self._batch_size = batch_size
        self._waiting: list[tuple[int, Any]] = []
        self._seen = 0
        self._total = 0.0
        self._next = 0.0

    def epoch_begins(self, epoch: int) -> None:
        self.epoch = epoch + 1
        self._seen, self._total = 0, 0.0

    def step_ended(self, step: int, mean: Any) -> None:
        if mean is not None:
            self._waiting.append((step, mean))
        if time.perf_counter() >= self._next:
            self.read()
            self._next = time.perf_counter() + _SECONDS_BETWEEN_READS
        if self._interrupt.asked:
            self.read()
            raise KeyboardInterrupt

    def epoch_ended(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.read()
        for name, value in logs.items():
            if isinstance(value, numbers.Real):
                self._history.curves.setdefault(name, []).append(float(value))
        self._history.epochs = epoch + 1
        self._progress.epoch_ended(epoch + 1, logs)
        if self._interrupt.asked:
            raise KeyboardInterrupt

    def read(self) -> None:
        """Read the losses that wait, and stop at the first that is not finite."""
        waiting, self._waiting = self._waiting, []
        for step, value in waiting:
            # Keras logs the mean over the samples of the epoch so far; the loss of one
            # step is what it added to their sum.
            # `item` is five times faster than `float` on a JAX array.
            mean = float(value.item() if hasattr(value, "item") else value)
            seen = min(step * self._batch_size, self._samples)
            loss = (mean * seen - self._total) / max(seen - self._seen, 1)
            if not math.isfinite(loss):
                words = "NaN" if math.isnan(mean) else "infinite"
                raise _Diverged(words, self.epoch, step)
            self._seen, self._total = seen, mean * seen
            self._history.steps["loss"].append(loss)
        if waiting:
            self._progress.update(self.epoch, step, mean)


def _callback_list(
    watch: _Watch, callbacks: Sequence[Any], **fit_arguments: Any
) -> Any:
    """Return the callbacks for `model.fit`, the watch among them.

    A callback of our own with `on_train_batch_end` would make Keras wait for the
    numbers of every step, which costs a small net on JAX more than half of its speed.
    The list that calls the callbacks gets the same numbers without a wait.
    """
    import keras

    class Epochs(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            watch.epoch_begins(epoch)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            watch.epoch_ended(epoch, logs or {})

    class Callbacks(keras.callbacks.CallbackList):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(batch, logs)
            watch.step_ended(batch + 1, (logs or {}).get("loss"))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            watch.read()  # before a callback keeps weights that have diverged
            super().on_epoch_end(epoch, logs)

    return Callbacks([*callbacks, Epochs()], add_history=True, **fit_arguments)


def eager_if_short(model: Any, steps: int) -> AbstractContextManager[None]:
    """Run a few steps as they are: on TensorFlow, tracing them would take longer.

    Args:
        model: a compiled keras.Model; its `fit`, `evaluate` and `predict` are meant.
        steps: how many steps (mini-batches) will run inside.

    Returns:
        What stands behind `with`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a model that is not compiled, or a negative number of steps.

    Example:
        `with eager_if_short(model, steps=1): model.evaluate(x, y)`
    """
    # Here and not in the generator, which would only begin with the `with`.
    _check_model(model)
    return _eager_if_short(model, _validate.integer("steps", steps, 0))


@contextmanager
def _eager_if_short(model: Any, steps: int) -> Iterator[None]:
    import keras

    if keras.backend.backend() != "tensorflow" or steps > _STEPS_NOT_WORTH_A_TRACE:
        yield
        return
    asked, model.run_eagerly = model.run_eagerly, True
    traced = model.train_function, model.test_function, model.predict_function
    try:
        yield
    finally:
        model.run_eagerly = asked
        # What was traced before stays; what was made in this mode does not.
        model.train_function, model.test_function, model.predict_function = traced


def _make_variables(model: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Let metrics and optimizer make their variables before TensorFlow needs them.

    A step that makes variables is traced twice: once with them, once without. JAX and
    PyTorch do the same by themselves.
    """
    import keras

    build = getattr(model, "_symbolic_build", None)
    traced = keras.backend.backend() == "tensorflow" and not model.run_eagerly
    if traced and build is not None:
        with suppress(Exception):  # then the first step makes them, as ever
            build(data_batch=(x[:1], y[:1]))


def _tidy_model(model: Any) -> None:
    """Leave the model usable where `model.fit` was left by an exception."""
    if callable(getattr(model, "jax_state_sync", None)):
        model.jax_state_sync()
        model._jax_state = None
    if getattr(model, "_eval_epoch_iterator", None) is not None:
        del model._eval_epoch_iterator


def _divergence(
    model: Any, history: History, error: _Diverged, epoch: str
) -> TrainingDiverged:
    losses = history.steps["loss"]
    last = losses[-1] if losses else None
    before = (
        "it was so from the first step on"
        if last is None
        else f"the last finite loss was {last:.4g}"
    )
    try:
        rate = f" (it is {float(model.optimizer.learning_rate):.3g})"
    except (
        AttributeError,
        TypeError,
        ValueError,
    ):  # an optimizer without one, or a schedule that cannot be read
        rate = ""
    return TrainingDiverged(
        f"Training of {history.label!r} diverged: the loss became {error.loss} in "
        f"epoch {epoch}, step {error.step} of "
        f"{history.steps_per_epoch}; "
        f"{before}. Try a learning rate ten times smaller{rate}, clip the gradients "
        "(clipnorm=1.0 in the optimizer), check that inputs are scaled (for example to "
        "0…1), and that the loss fits the last layer (from_logits).",
        label=history.label,
        epoch=error.epoch,
        step=error.step,
        last_loss=last,
        history=history,
    )


# ---------------------------------------------------------------------------- progress


def _in_notebook() -> bool:
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None) is not None


class _Progress:
    """Progress on the one place that fits: notebook, terminal, or lines that stay."""

    def __init__(
        self,
        label: str,
        epochs: int,
        steps: int,
        spent: Callable[[], float] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.label = label
        self.epochs = epochs
        self.steps = steps
        self.spent = spent
        self.say = say
        self.in_notebook = _in_notebook()
        self.in_terminal = not self.in_notebook and sys.stdout.isatty()
        self.live = self.in_notebook or self.in_terminal
        self._handle: Any = None
        self._first: tuple[float, float] | None = None
        self._next = 0.0
        self._drawn = False

    def of_all(self, epoch: int) -> str:
        """Return an epoch's number, with that of all where they are what ends it."""
        return f"{epoch}" if self.spent is not None else f"{epoch} of {self.epochs}"

    def start(self) -> None:
        """Say that it began: compiling the first step can take a while."""
        self._draw(f"{self.label}: preparing the first step", 0.0)

    def update(self, epoch: int, step: int, loss: float | None) -> None:
        """Show the state, at most a few times a second."""
        now = time.perf_counter()
        # Where nothing is drawn, only the first look counts: time is told from there.
        if now < self._next or (self._first is not None and not self.live):
            return
        self._next = now + 1 / _UPDATES_PER_SECOND
        done = self._done(epoch, step)
        if self._first is None:
            self._first = now, done
        text = f"{self.label}: epoch {self.of_all(epoch)}, {done:.0%}"
        if loss is not None:
            text += f" · loss {loss:.4g}"
        self._draw(text + self._left(now, done), done)

    def epoch_ended(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Say how far it is where nothing is drawn; the last line is said anyway."""
        done = self._done(epoch, self.steps)
        if self.say is None or self.live or done >= 1:
            return
        text = f"{self.label}: epoch {self.of_all(epoch)}"
        if self.spent is not None:
            text += f", {done:.0%}"
        name = _shown_metric(logs)
        for key in ("loss", "val_loss", name, f"val_{name}"):
            if key and logs.get(key) is not None:
                text += f" · {metric_words(key)} {_value(key, float(logs[key]))}"
        self.say(text + self._left(time.perf_counter(), done))

    def _done(self, epoch: int, step: int) -> float:
        """Return the part that is done, from 0 to 1: of the time, or of the epochs."""
        done = ((epoch - 1) * self.steps + step) / (self.epochs * self.steps)
        return done if self.spent is None else max(self.spent(), done)

    def _left(self, now: float, done: float) -> str:
        """Return words for the time that is left, or "" where nobody can tell.

        It follows from what was done since the first step that was seen. What lies
        before it tells nothing: epochs of an earlier process, and the compilation.
        """
        begun, before = self._first or (now, done)
        passed, gained = now - begun, done - before
        if done >= 1 or passed <= 1 or gained <= 0:
            return ""
        return f" · about {_duration(passed * (1 - done) / gained)} left"

    def _draw(self, text: str, done: float) -> None:
        if self.in_notebook:
            bar = (
                f'<progress value="{done:.3f}" max="1" aria-label="training progress" '
                'style="vertical-align: middle"></progress>'
            )
            self._show(text, f"{bar} {html.escape(text)}")
        elif self.in_terminal:
            width = shutil.get_terminal_size().columns
            text = f"[{'#' * round(10 * done):<10}] {text}"
            self._write("\r" + text[: width - 1].ljust(width - 1))
            self._drawn = True

    def finish(self, line: str) -> None:
        """Replace the progress by one line that stays."""
        if self.in_notebook:
            self._show(line, html.escape(line))
            return
        self.close()
        print(line, flush=True)

    def close(self) -> None:
        """Clear what is drawn, before an error is reported."""
        if self.in_terminal and self._drawn:
            width = shutil.get_terminal_size().columns
            self._write("\r" + " " * (width - 1) + "\r")

    def _show(self, text: str, markup: str) -> None:
        from IPython.display import display

        bundle = {
            "text/plain": text,
            "text/html": f'<div class="course-fit">{markup}</div>',
        }
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


# --------------------------------------------------------------------------- reporting


def _duration(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def _shown_metric(curves: Mapping[str, Any]) -> str | None:
    """Return the metric to report beside the loss: an accuracy, else the first one."""
    names = [
        name
        for name in curves
        if not name.startswith("val_") and name not in ("loss", "learning_rate")
    ]
    return next((name for name in names if "acc" in name), next(iter(names), None))


def _value(name: str, value: float) -> str:
    return f"{100 * value:.1f} %" if "acc" in name else f"{value:.4g}"


def _final_line(history: History) -> str:
    from_to = history.curves.get("loss") or history.steps["loss"]
    epochs = f"{history.epochs} epoch{'' if history.epochs == 1 else 's'}"
    parts = [f"{history.label}: {epochs} in {_duration(history.seconds)}"]
    if from_to:
        ends = [
            f"{value:.3f}" if 0.001 <= abs(value) < 1000 else f"{value:.3g}"
            for value in (from_to[0], from_to[-1])
        ]
        parts.append("loss " + (" → ".join(ends) if len(from_to) > 1 else ends[0]))
    name = _shown_metric(history.curves)
    shown = [name, f"val_{name}"] if name else ["val_loss"]
    for key in shown:
        if history.curves.get(key):
            words = metric_words(key)
            parts.append(f"{words} {_value(key, history.curves[key][-1])}")
    if history.note:
        parts.append(history.note)
    return " · ".join(parts)


def metric_words(name: str) -> str:
    """Return a metric's name as words: "val_accuracy" -> "validation accuracy"."""
    words = " ".join(name.replace("_", " ").split())
    return "validation" + words[3:] if words.startswith("val ") else words


def _curve_figure(history: History) -> Any:
    from course_utils import plots

    losses = history.curves.get("loss") or history.steps["loss"]
    name = _shown_metric(history.curves)
    unit = "epoch" if history.curves.get("loss") else "step"
    count = f"{len(losses)} {unit}{'' if len(losses) == 1 else 's'}"
    alt = [f"Training curves of {history.label} over {count}."]
    for key in ("loss", "val_loss", name, f"val_{name}"):
        values = losses if key == "loss" else history.curves.get(key or "")
        if key and values:
            words = metric_words(key).capitalize()
            alt.append(
                f"{words}: from {_value(key, values[0])} to {_value(key, values[-1])}."
                if len(values) > 1
                else f"{words}: {_value(key, values[0])}."
            )
    return plots._run_summary(
        history, title=history.label, alt=" ".join(alt), metric=name
    )
