"""Every public function names the argument that is wrong, and says what came.

The functions come from each module's `__all__`, their parameters from their signatures,
and most bad values from the kind of the good one. So a new function, or a new parameter
of an old one, fails here until it has an example and refuses what is wrong. What only
one function can say (two shapes that do not fit, say) is in that module's own tests.
"""

import functools
import importlib
import inspect
import io
import os
import pkgutil
import re
import tempfile
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

import course_utils
from course_utils import (
    compare,
    exercises,
    experiments,
    grading,
    pipelines,
    records,
    training,
)

HERE = Path(__file__).parent
RESULTS = Path(tempfile.gettempdir()) / "course-bad-input"  # nothing is written there

# --- What is public -------------------------------------------------------------------

MODULES = [
    module.name
    for module in pkgutil.iter_modules(course_utils.__path__)
    if not module.ispkg and not module.name.startswith("_")
]


def parameters(function):
    """Return the names and defaults of what a caller can get wrong."""
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in found if p.kind not in loose}


def public():
    """Return each public function, class and method that takes arguments, by name."""
    found = {}
    for home in MODULES:
        module = importlib.import_module(f"course_utils.{home}")
        for name in module.__all__:
            value = getattr(module, name)
            # An exception is made where it is raised, by the package itself.
            is_class = isinstance(value, type)
            if not callable(value) or (is_class and issubclass(value, Exception)):
                continue
            found[f"{home}.{name}"] = value
            for part, method in vars(value).items() if is_class else ():
                # Matplotlib gives its figures methods of its own.
                ours = getattr(method, "__module__", None) == value.__module__
                if ours and inspect.isfunction(method) and part[0] != "_":
                    found[f"{home}.{name}.{part}"] = method
    return {
        name: value
        for name, value in found.items()
        if set(parameters(value)) - {"self"}
    }


RETURNED = "what a function returns; nobody else makes one"
ANSWER = "for rules: what is wrong with a learner's answer is a `Failure`"

#: What needs no bad input, and why.
EXCEPTIONS = {
    "costs.Table": RETURNED,
    "data.Dataset": RETURNED,
    "drawings.Drawing": RETURNED,
    "exercises.Hint": RETURNED,
    "exercises.Result": RETURNED,
    "grading.Row": RETURNED,
    "interpret.HeatMaps": RETURNED,
    "interpret.Visualizations": RETURNED,
    "judge.Curves": RETURNED,
    "pipelines.Timeline": RETURNED,
    "plots.CourseFigure": RETURNED,
    "records.Record": RETURNED,
    "runtime.Session": RETURNED,
    "training.History": RETURNED,
    "runtime.Session.pick": "takes and returns values of any kind",
    "experiments.Experiment": "a declaration; `load`, nets, recipes and `fit` check it",
    "exercises.as_array": ANSWER,
    "exercises.attempt": ANSWER,
    "exercises.call": ANSWER,
    "exercises.expect": ANSWER,
    "exercises.expect_close": ANSWER,
    "exercises.expect_equal": ANSWER,
    "exercises.expect_shape": ANSWER,
    "exercises.once": ANSWER,
    "exercises.shape_of": ANSWER,
}

# --- One good call of each ------------------------------------------------------------

IMAGES = np.linspace(0, 1, 2 * 8 * 8 * 3, dtype="float32").reshape(2, 8, 8, 3)
MAPS = np.linspace(0, 1, 2 * 8 * 8, dtype="float32").reshape(2, 8, 8)
MASKS = MAPS > 0.5
LABELS = np.array([0, 1])
X = np.array([1.0, 2.0, 3.0])
PROBABILITIES = np.array([[0.75, 0.25], [0.5, 0.5]])
SHAPE = (8, 8, 3)
WORDS = {"title": "A finding", "alt": "A line that rises."}
AXES = {"xlabel": "x", "ylabel": "y", **WORDS}
HINTS = ("what is observed", "the concept", "the place")
PNG = io.BytesIO()
Image.new("RGB", (2, 2)).save(PNG, "PNG")

# As much of a `tf.data.Dataset` as is asked for before TensorFlow is needed.
DATASET = SimpleNamespace(element_spec=(), with_options=None)
TINY = experiments.Experiment(
    "study/tiny",
    data={"name": "shapes", "train": 4, "validation": 2, "test": 2, "image_size": 16},
    net="small_convnet",
    epochs=1,
)


def build():
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(2, 3, name="maps"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


@functools.cache
def net():
    model = build()
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@functools.cache
def x_of_blocks():
    return keras.Input((8, 8, 8))


def of_a_block(filters, **options):
    block = {"x": x_of_blocks(), "filters": filters, "kernel_size": 3}
    return lambda: {**block, **options}


def of_a_net(**options):
    return lambda: {
        "input_shape": SHAPE,
        "num_classes": 2,
        "augmentation": keras.layers.Identity(),
        **options,
    }


def of_heat_maps(**options):
    return lambda: {"model": net(), "images": IMAGES, "classes": 1, **options}


def of_a_gradient(**options):
    batch = {"x": IMAGES, "y": LABELS, "loss": "sparse_categorical_crossentropy"}
    return lambda: {"model": net(), **batch, **options}


def of_curves():
    return of_heat_maps(maps=MAPS, fill=0.5)()


def history():
    return training.History("net", 2, {"loss": [2.0, 1.0]})


def timeline():
    return pipelines.simulate(2.0, 3.0, steps=2)


def first_weight(tensors):
    return keras.ops.sum(tensors[0])


PLAIN = {"activation": "relu", "kernel_initializer": "he_normal"}
BLOCK_NAME = {"name": "block"}
ROWS = [grading.Row("a.ipynb", "00", "start.size", "correct")]
RULE = exercises.Rule("holds", print, HINTS)
COMPARED = {"oracle": build, "input_shape": SHAPE, "seeds": (0,)}
COMPARED |= {"without": (compare.STEP,)}

#: One good call of each. Kept small: few of the calls get beyond their checks.
EXAMPLES = {
    "blocks.convolutional_block": of_a_block(2, **BLOCK_NAME),
    "blocks.grouped_convolution": of_a_block(4, groups=2),
    "blocks.identity_block": of_a_block(2, **BLOCK_NAME),
    "blocks.inverted_residual_block": of_a_block(2, **BLOCK_NAME),
    "blocks.plain_block": of_a_block(2, **PLAIN),
    "blocks.residual_block": of_a_block(2, **PLAIN),
    "blocks.separable_block": of_a_block(2, inner_activation="relu"),
    "compare.block_model": lambda: {"block": lambda x: x, "input_shape": SHAPE},
    "compare.compare_models": lambda: {"answer": build, **COMPARED},
    "compare.model_rules": lambda: {
        **COMPARED,
        "prefix": "net: ",
        "hints": {compare.SHAPE: HINTS},
    },
    "costs.flops": lambda: {"model": net(), "input_shape": SHAPE},
    "costs.latency": lambda: {"model": net(), "input_shape": SHAPE},
    "costs.memory": lambda: {"model": net(), "input_shape": SHAPE},
    "costs.table": lambda: {"models": {"net": net()}},
    "data.load": lambda: {
        "name": "shapes",
        "train": 4,
        "validation": 2,
        "test": 2,
        "image_size": 16,
        "classes": 2,
        "max_gigabytes": 1.0,
    },
    "drawings.architecture": lambda: {"model": net(), **WORDS},
    "drawings.convolution_steps": dict,
    "drawings.output_sizes": dict,
    "drawings.separable_steps": dict,
    "exercises.Exercise": lambda: {
        "name": "start.size",
        "kind": "layer",
        "lesson": "00",
        "title": "A size",
        "rules": [RULE],
        "correct": "all of it",
        "parts": ("call",),
    },
    "exercises.Rule": lambda: {"name": "holds", "function": print, "hints": HINTS},
    "exercises.check": lambda: {"name": "start.output_size", "answer": ...},
    "exercises.forget": lambda: {"name": "start.output_size"},
    "exercises.hint": lambda: {"name": "start.output_size"},
    "experiments.Experiment.at": lambda: {"self": TINY, "profile": "smoke"},
    "experiments.fingerprint": lambda: {"experiment": TINY},
    "experiments.merge": lambda: {"source": HERE, "results": RESULTS},
    "experiments.run": lambda: {
        "experiment": TINY,
        "seeds": (0,),
        "results": RESULTS,
        "profile": "smoke",
    },
    "gradients.differentiate": lambda: {"function": first_weight, "compile": False},
    "gradients.gradient_function": lambda: {"function": keras.ops.sum},
    "gradients.output_gradients": of_a_gradient(layers=["maps"]),
    "gradients.show_source": lambda: {"function": build},
    "gradients.value_and_gradient": lambda: {"function": keras.ops.sum, "x": X},
    "gradients.weight_gradient_function": lambda: {"model": net(), "loss": "mse"},
    "gradients.weight_gradients": of_a_gradient(),
    "grading.as_table": lambda: {"rows": ROWS},
    # No notebook is in this folder, so none would run.
    "grading.grade": lambda: {"folder": HERE, "timeout": 9.0, "progress": print},
    "grading.write_csv": lambda: {"rows": ROWS, "path": Path(os.devnull)},
    "images.open_image": lambda: {"source": PNG.getvalue(), "size": (8, 8)},
    "interpret.activations": lambda: {
        "model": net(),
        "images": IMAGES,
        "layers": ["maps"],
    },
    "interpret.color_basis": lambda: {"images": IMAGES},
    "interpret.convolutions": lambda: {"model": net()},
    "interpret.grad_cam": of_heat_maps(layer="maps"),
    "interpret.gradient": of_heat_maps(),
    "interpret.hires_cam": of_heat_maps(layer="maps"),
    "interpret.integrated_gradients": of_heat_maps(baseline=IMAGES),
    "interpret.overlay": lambda: {"images": IMAGES, "maps": MAPS},
    "interpret.smooth_grad": of_heat_maps(samples=1),
    "interpret.sparsity": lambda: {"maps": IMAGES},
    "interpret.visualize": lambda: {
        "model": net(),
        "layer": "maps",
        "filters": LABELS,
        "size": 8,
        "steps": 1,
        "colors": np.eye(3),
    },
    "judge.deletion": of_curves,
    "judge.edges": lambda: {"images": IMAGES},
    "judge.insertion": of_curves,
    "judge.pointing_game": lambda: {"maps": MAPS, "masks": MASKS},
    "judge.random_maps": lambda: {"images": IMAGES},
    "judge.randomized": lambda: {"model": net(), "layers": 1},
    "judge.similarity": lambda: {"maps": MAPS, "others": MAPS},
    "nets.augmentation": dict,
    "nets.cifar_resnet": of_a_net(depth=8),
    "nets.dense_classifier": of_a_net(),
    "nets.enlarged_xception": of_a_net(),
    "nets.fast_resnet": of_a_net(width=2),
    "nets.mini_xception": of_a_net(filters=(2,), inner_activation="relu"),
    "nets.plain_convnet": of_a_net(input_shape=(90, 90, 3)),
    "nets.resnet50": lambda: {
        "input_shape": (32, 32, 3),
        "preprocessing": keras.layers.Identity(),
    },
    "nets.shallow_convnet": of_a_net(),
    "nets.small_convnet": of_a_net(input_shape=(28, 28, 1)),
    "nets.strided_resnet": of_a_net(),
    "nets.xception": lambda: {"input_shape": (71, 71, 3)},
    "pipelines.Timeline.tracks": lambda: {"self": timeline(), "steps": 1},
    "pipelines.as_written": lambda: {"dataset": DATASET},
    "pipelines.input_pipeline": lambda: {
        "images": IMAGES,
        "labels": LABELS,
        "augment": lambda images, seed: images,
    },
    "pipelines.measure": lambda: {"batches": range(3), "consume": print, "steps": 1},
    "pipelines.profile": lambda: {
        "batches": DATASET,
        "consume": print,
        "folder": HERE,
    },
    "pipelines.simulate": lambda: {"produce": X, "consume": X, "steps": 3},
    "pipelines.stamp": lambda: {"dataset": DATASET},
    "pipelines.table": lambda: {"timelines": {"run": timeline()}},
    "plots.bars": lambda: {
        "labels": ["a", "b", "c"],
        "values": X,
        "errors": X,
        **AXES,
    },
    "plots.depth_profile": lambda: {"x": X, "series": {"a": X}, **AXES},
    "plots.explorable": lambda: {
        "x": X,
        "curves": {1: {"a": X}},
        "setting": "Slope",
        "start": 1,
        **AXES,
    },
    "plots.heat_map": lambda: {
        "values": PROBABILITIES,
        "colorbar": "share",
        "xticks": ["a", "b"],
        "yticks": ["a", "b"],
        **AXES,
    },
    "plots.image_grid": lambda: {
        "images": IMAGES,
        "labels": ["a", "b"],
        "masks": MASKS,
        **WORDS,
    },
    "plots.lines": lambda: {"x": X, "series": {"a": X}, **AXES},
    "plots.timeline": lambda: {
        "rows": {"run": {"at work": [[0, 1]]}},
        "xlabel": "Time (s)",
        **WORDS,
    },
    "plots.training_curves": lambda: {"histories": {"net": history()}, **WORDS},
    "pretrained.efficientnet_lite0": lambda: {"input_shape": (32, 32, 3)},
    "pretrained.load": lambda: {"name": "xception", "input_shape": (71, 71, 3)},
    "recipes.calibration_error": lambda: {
        "probabilities": PROBABILITIES,
        "labels": LABELS,
    },
    "recipes.flip_average": lambda: {"model": net(), "images": IMAGES},
    "recipes.optimizer": lambda: {"name": "sgd", "learning_rate": 0.1},
    "recipes.schedule": lambda: {"name": "cosine", "peak": 0.1, "steps": 9},
    "recipes.soften": lambda: {"probabilities": PROBABILITIES, "temperature": 2.0},
    "recipes.temperature": lambda: {"probabilities": PROBABILITIES, "labels": LABELS},
    "recipes.time_to_accuracy": lambda: {"seconds": X, "accuracy": X, "target": 2.0},
    "records.load": lambda: {"name": records.names()[0]},
    "records.read": lambda: {"path": records.folder() / f"{records.names()[0]}.json"},
    "records.read_weights": lambda: {"record": records.load(records.names()[0])},
    "records.trained_model": lambda: {"name": "mini_xception"},
    "runtime.setup": lambda: {"profile": "smoke"},
    "shapes.render": lambda: {"n": 1, "size": 16, "classes": 2},
    "training.History.last": lambda: {"self": history(), "name": "loss"},
    "training.eager_if_short": lambda: {"model": net(), "steps": 1},
    "training.fit": lambda: {
        "model": net(),
        "x": IMAGES,
        "y": LABELS,
        "epochs": 1,
        "validation_data": (IMAGES, LABELS),
        "callbacks": [keras.callbacks.TerminateOnNaN()],
        "label": "net",
        "curve": False,
    },
    "training.restart": lambda: {"model": net(), "build": build},
}

# --- What is wrong --------------------------------------------------------------------

TEXTS = ["title", "alt", "xlabel", "ylabel", "colorbar", "setting", "label", "prefix"]
TEXTS += ["commit", "command", "correct", "lesson", "exercises.Rule.name"]
TEXTS += [f"blocks.{kind}_block.name" for kind in ("convolutional", "identity")]
TEXTS += ["blocks.inverted_residual_block.name"]

#: Bad of its kind, but good for these parameters.
ALLOWED = {
    "of no use": {"exercises.check.answer"},
    "below zero": {"fill", "recipes.time_to_accuracy.target"},
    "empty": {
        "callbacks",
        "command",
        "commit",
        "compare.model_rules.hints",
        "grading.as_table.rows",
        "grading.write_csv.rows",
        "prefix",
        "without",
    },
    "unknown": {*TEXTS},
    "missing": {"results", "grading.write_csv.path"},
}
NOTHING = object()


def with_a_nan(values):
    changed = values.copy()
    changed.flat[0] = np.nan
    return changed


def bad_values(good):
    """Give (what is wrong with it, a bad value, how the message names it)."""
    yield "of no use", NOTHING, repr(NOTHING)
    if isinstance(good, np.ndarray):
        yield "empty", good[:0], r"(0,"
        if good.dtype.kind == "f":
            yield "NaN", with_a_nan(good), "1 NaN"
    elif isinstance(good, keras.Model):
        unbuilt = keras.Sequential([keras.layers.Dense(1)], name="unbuilt")
        yield "unbuilt", unbuilt, "unbuilt"
    elif isinstance(good, int) and not isinstance(good, bool):
        yield "below zero", -1, "-1"
    elif isinstance(good, float):
        yield "below zero", -1.0, "-1.0"
        yield "NaN", float("nan"), "NaN"
    elif isinstance(good, Path):
        yield "missing", HERE / "nowhere", "nowhere"
    elif isinstance(good, str):
        yield "empty", "", "''"
        yield "unknown", "no such thing", "'no such thing'"
    elif isinstance(good, bytes):
        yield "empty", b"", "0 bytes"
    elif isinstance(good, (tuple, list, dict)):
        yield "empty", type(good)(), repr(type(good)())


PUBLIC = public()
COVERED = [name for name in PUBLIC if name in EXAMPLES]
ARGUMENTS = [
    (name, argument)
    for name in COVERED
    for argument in parameters(PUBLIC[name])
    if argument != "self"
]


def test_every_public_module_lists_what_is_public():
    assert set(MODULES) == set(course_utils._MODULES)
    for name, home in course_utils._HOME.items():
        assert name in importlib.import_module(f"course_utils.{home}").__all__


def test_every_public_function_has_an_example_or_a_reason():
    assert set(EXAMPLES) | set(EXCEPTIONS) == set(PUBLIC)
    assert not set(EXAMPLES) & set(EXCEPTIONS)


def refuses(function, arguments, argument, came):
    with pytest.raises((TypeError, ValueError, FileNotFoundError)) as caught:
        function(**arguments)
    message = str(caught.value)
    # `x`, or a part of it: `x[1]`, `x['a']`.
    assert re.match(rf"`{argument}[`\[ ]", message), message
    assert came.lower() in message.lower(), message


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_what_is_wrong_with_an_argument_is_told(name, argument):
    function = PUBLIC[name]
    example = EXAMPLES[name]()
    good = example.get(argument, parameters(function)[argument])
    for wrong, value, came in bad_values(good):
        if not {argument, f"{name}.{argument}"} & ALLOWED.get(wrong, set()):
            refuses(function, {**example, argument: value}, argument, came)


#: What no kind of value tells: (function, argument, bad value, how it is named).
MORE = [
    ("compare.block_model", "input_shape", (8, 0), "0 (int)"),
    ("compare.compare_models", "seeds", [-1], "-1"),
    ("compare.compare_models", "without", ["nothing"], "'nothing'"),
    ("compare.model_rules", "input_shape", "888", "'888'"),
    ("compare.model_rules", "hints", {"nothing": HINTS}, "'nothing'"),
    ("compare.model_rules", "hints", {compare.SHAPE: "abc"}, "'abc'"),
    ("exercises.Exercise", "parts", [3], "3 (int)"),
    ("exercises.Exercise", "rules", ["holds"], "'holds'"),
    ("experiments.run", "seeds", [0.5], "0.5 (float)"),
    ("experiments.run", "seeds", [2**32], "4294967296"),
    ("gradients.differentiate", "compile", 1, "1 (int)"),
    ("grading.as_table", "rows", [3], "3 (int)"),
    ("grading.grade", "progress", lambda: None, "signature ()"),
    ("grading.write_csv", "rows", 3, "3 (int)"),
    ("grading.write_csv", "path", HERE / "nowhere" / "grades.csv", "nowhere"),
    ("images.open_image", "source", "nowhere.png", "'nowhere.png'"),
    ("interpret.color_basis", "images", np.ones((2, 4, 4, 3)), "one color"),
    ("interpret.color_basis", "images", MAPS, "(2, 8, 8)"),
    ("interpret.convolutions", "model", "net", "'net'"),
    ("interpret.overlay", "images", IMAGES - 1, "-1"),
    ("interpret.overlay", "images", IMAGES[..., :2], "(2, 8, 8, 2)"),
    ("interpret.overlay", "maps", MAPS[:1], "(1, 8, 8)"),
    ("interpret.overlay", "opacity", 1.5, "1.5 (float)"),
    ("interpret.sparsity", "maps", X, "(3,)"),
    ("nets.strided_resnet", "strides", [1.0] * 7, "1.0 (float)"),
    ("pipelines.measure", "batches", [], "got none"),
    ("pipelines.measure", "batches", iter([X]), "list_iterator"),
    ("plots.timeline", "rows", {"run": 3}, "3 (int)"),
    ("plots.timeline", "rows", {"run": {"at work": [[1, 0]]}}, "before its start"),
    ("plots.timeline", "rows", {"run": {"at work": [[0, np.nan]]}}, "1 NaN"),
    ("plots.timeline", "rows", {"a": {"b": [[0, 1]]}, "c": {"d": [[0, 1]]}}, "got d"),
    ("recipes.calibration_error", "labels", [0.5, 1], "0.5"),
    ("recipes.calibration_error", "probabilities", 2 * PROBABILITIES, "1.5"),
    ("recipes.flip_average", "batch_size", 0, "0 (int)"),
    ("recipes.optimizer", "learning_rate", "fast", "'fast'"),
    ("recipes.soften", "probabilities", -PROBABILITIES, "-0.75"),
    ("training.eager_if_short", "steps", 1.5, "1.5 (float)"),
]


@pytest.mark.parametrize(("name", "argument", "value", "came"), MORE)
def test_what_else_is_wrong_is_told(name, argument, value, came):
    example = {**EXAMPLES[name](), argument: value}
    refuses(PUBLIC[name], example, argument, came)


def test_what_a_derivative_is_taken_in_is_a_list():
    run = PUBLIC["gradients.differentiate"](first_weight, compile=False)
    refuses(run, {"arrays": X}, "arrays", "(3,)")
    assert run([X])[0] == 6
