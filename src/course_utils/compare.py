"""Compare two models by what they do, not by how they are written.

A functional, a Sequential and a subclassed model can be the same right answer, with
other layer names, other classes and their variables in another order. So a model is
held against an oracle in this order: output shape at two batch sizes; numbers of
parameters; the shapes of the variables; equal outputs at inference and in training
mode, with the same weights filled in; equal predictions after one step of gradient
descent.

**How the same weights are filled in.** Two questions decide what a variable gets: its
role and its shape. Names do not tell the role (a learner may call a kernel `w`) and
neither does the order (a shortcut may be created before or after the main path). So the
role is found by behavior:

1. All variables of one shape that are both trainable (or both not) form a class, and
   every member of a class gets the same values. Any two equal models then compute the
   same function, whatever the order of their variables.
2. The gradient of a random sum of the outputs with respect to each variable is that
   variable's signature. Members of a class with different signatures play different
   roles: where the oracle and the answer agree on the signatures, the class is split,
   and each part gets values of its own.
3. Step 2 is repeated until nothing splits. If a class still has several members, they
   are interchangeable (twin branches): one of each model is singled out, and step 2
   follows again.

Where the two models do not agree on the signatures (which happens only to a wrong
answer), or where no gradient arrives, the class stays whole. So the order of variables
can never make a right answer wrong; a class that stays whole makes the comparison
weaker, but the step of gradient descent still sees what its members do.

Nothing is ever written into a model: values go in through Keras' `StatelessScope`, and
the step is taken by hand. Random layers (dropout) draw from the same state in both
models.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from course_utils import _validate
from course_utils.exercises import (
    Failure,
    Rule,
    as_array,
    attempt,
    call,
    describe,
    expect_close,
    once,
    shape_of,
)

__all__ = [
    "block_model",
    "compare_models",
    "model_rules",
]

SHAPE = "output shape"
PARAMETERS = "number of parameters"
VARIABLES = "shapes of the variables"
INFERENCE = "outputs at inference"
TRAINING = "outputs in training mode"
STEP = "one step of training"

#: The rules of a comparison, in order.
RULES = (SHAPE, PARAMETERS, VARIABLES, INFERENCE, TRAINING, STEP)

_HINTS: dict[str, tuple[str, str, str]] = {
    SHAPE: (
        "Call your model on a batch and compare the shape with the one asked for.",
        "Padding, strides and pooling change height and width, filters the channels.",
        "Follow the shape layer by layer; look at the first that is not as planned.",
    ),
    PARAMETERS: (
        "Compare `model.count_params()` with the number in the message.",
        "Kernel size, filters, biases and normalization decide how many there are.",
        "Compare the parameters layer by layer in `model.summary()`.",
    ),
    VARIABLES: (
        "The total is right, but it is spread over other shapes.",
        "A kernel's shape is (height, width, channels in, channels out).",
        "Look for a layer with other channels or another kernel size than asked for.",
    ),
    INFERENCE: (
        "With the same weights, your model computes other outputs.",
        "Same layers can be joined in another order, or with another activation.",
        "Follow the input along each path: what is applied, in which order, and when?",
    ),
    TRAINING: (
        "The outputs agree at inference, but not with `training=True`.",
        "Normalization and dropout behave in another way while a model trains.",
        "Look at the arguments of those layers, and whether `training` reaches them.",
    ),
    STEP: (
        "The outputs agree, but after one step of training they no longer do.",
        "Every trainable weight must get its gradient through all of its paths.",
        "Look for something on the way that stops the gradient or shares a layer.",
    ),
}

_BATCHES = (2, 3)
_BATCH = 8
_SAME = 1e-3


def block_model(
    block: Callable[..., Any],
    input_shape: Sequence[int],
    *arguments: Any,
    **options: Any,
) -> Any:
    """Build a model around a block that takes a Keras tensor and returns one.

    Args:
        block: the learner's (or the oracle's) function.
        input_shape: the shape of one input, without the batch.
        *arguments: passed on after the tensor.
        **options: passed on.

    Returns:
        A functional keras.Model.

    Raises:
        Failure: if the block returns something else than one Keras tensor.
        TypeError: if `block` is no function, or `input_shape` no shape.
        ValueError: for a side of `input_shape` below 1.
    """
    import keras

    _validate.function("block", block)
    inputs = keras.Input(_validate.integers("input_shape", input_shape, low=1))
    outputs = call(block, inputs, *arguments, **options)
    if not isinstance(outputs, keras.KerasTensor):
        raise Failure(
            f"the block: expected one Keras tensor back, got {describe(outputs)}."
        )
    return attempt(keras.Model, inputs, outputs)


class _Model:
    """A built model whose variables are given from outside at each run."""

    def __init__(
        self,
        model: Any,
        input_shape: Sequence[int],
        run: Callable[..., Any] = attempt,
    ) -> None:
        import keras

        # How its code is run: an answer's as the learner's, an oracle's as our own.
        self.do = run

        if not isinstance(model, keras.Model):
            raise Failure(
                f"expected a keras.Model, got {describe(model)}.", rule="is a model"
            )
        self.model = model
        self.input_shape = tuple(input_shape)
        if not model.built:
            shape = (1, *self.input_shape)
            ours_on_jax = run is _as_our_own and _jax() is not None
            # JAX builds from a symbolic input without compiling each operation.
            x = keras.KerasTensor(shape) if ours_on_jax else np.zeros(shape, "float32")
            self.do(model, x)
        self.trainable = list(model.trainable_variables)
        self.other = list(model.non_trainable_variables)
        self.variables = [*self.trainable, *self.other]
        # The variables that are compared: not the states of random number generators.
        self.places = [
            i for i, v in enumerate(self.variables) if str(v.dtype).startswith("float")
        ]
        self.kept: dict[Any, Any] = {}

    def kind(self, place: int) -> tuple[bool, tuple[int, ...]]:
        shape = tuple(int(n) for n in self.variables[place].shape)
        return place < len(self.trainable), shape

    def kinds(self) -> list[tuple[bool, tuple[int, ...]]]:
        return [self.kind(place) for place in self.places]

    def values(self, classes: Sequence[int], seed: int) -> list[np.ndarray]:
        """Return a value for each variable, equal within a class."""
        values = [
            np.arange(int(np.prod(v.shape)), dtype="int64").reshape(v.shape) * 0 + 7
            for v in self.variables
        ]
        for name, place in zip(classes, self.places, strict=True):
            values[place] = _fill(self.kind(place)[1], name, seed)
        return [
            value.astype(str(v.dtype))
            for value, v in zip(values, self.variables, strict=True)
        ]

    def outputs(self, values: Sequence[Any], x: Any, training: bool) -> tuple:
        """Return (list of outputs, list of non-trainable variables afterwards)."""
        import keras

        tensors = [
            keras.ops.convert_to_tensor(value, dtype=str(v.dtype))
            for value, v in zip(values, self.variables, strict=True)
        ]
        given = list(zip(self.variables, tensors, strict=True))
        with _same_noise(), keras.StatelessScope(state_mapping=given) as scope:
            result = self.model(x, training=training)
        other = [
            tensor if (new := scope.get_current_value(v)) is None else new
            for v, tensor in given[len(self.trainable) :]
        ]
        return keras.tree.flatten(result), other

    def evaluated(self, values: Sequence[Any], x: Any, training: bool) -> tuple:
        """Return what `outputs` does; on JAX, compiled as one.

        JAX compiles each operation for each shape on its first use, which takes far
        longer than one compilation of them all. What cannot be traced (a Python `if`
        on a value, say) runs operation by operation, as on the other backends.
        """
        jax = _jax()
        key = ("evaluated", training)
        if jax is not None and key not in self.kept:
            self.kept[key] = _quickly_compiled(
                functools.partial(self.outputs, training=training)
            )
        if jax is not None and self.kept[key] is not None:
            with contextlib.suppress(Exception):
                return self.kept[key](list(values), x)
            self.kept[key] = None
        return self.outputs(values, x, training)

    def shapes_of(self, values: Sequence[Any], x: Any) -> list[Any]:
        """Return outputs at inference, of which only the shape counts."""
        jax = _jax()
        if jax is not None:
            forward = functools.partial(self.outputs, training=False)
            with contextlib.suppress(Exception):
                return jax.eval_shape(forward, list(values), x)[0]
        return self.outputs(values, x, False)[0]

    def run(self, classes: Sequence[int], seed: int, training: bool) -> tuple:
        """Return outputs and non-trainable variables as NumPy arrays."""
        key = ("run", tuple(classes), seed, training)
        if key not in self.kept:
            values = self.values(classes, seed)
            self.kept[key] = self.numbers(values, self.inputs(seed), training)
        return self.kept[key]

    def numbers(self, values: Sequence[Any], x: Any, training: bool) -> tuple:
        outputs, other = self.do(self.evaluated, values, x, training)
        arrays = [as_array(y, "the output") for y in outputs]
        return arrays, [as_array(v) for v in other]

    def inputs(self, seed: int) -> np.ndarray:
        draw = np.random.default_rng([seed, *self.input_shape])
        return draw.normal(size=(_BATCH, *self.input_shape)).astype("float32")

    def signatures(self, classes: Sequence[int]) -> list[np.ndarray]:
        """Return the gradient of a random sum of outputs, a vector per variable."""
        key = ("signatures", tuple(classes))
        if key not in self.kept:

            def total(values: Sequence[Any], x: Any) -> Any:
                outputs = self.outputs(values, x, False)[0]
                return sum(_random_sum(y, i) for i, y in enumerate(outputs))

            values, x = self.values(classes, 0), self.inputs(0)
            self.kept[key] = self._gradients(total, self.places, values, x)
        return [gradient.ravel() for gradient in self.kept[key]]

    def step_gradients(self, classes: Sequence[int], seed: int) -> list[np.ndarray]:
        """Return the gradients of a squared error in training mode."""
        from keras import ops

        def loss(values: Sequence[Any], x: Any) -> Any:
            outputs = self.outputs(values, x, True)[0]
            return sum(
                ops.mean(ops.square(y - ops.convert_to_tensor(_draw(y.shape, 100 + i))))
                for i, y in enumerate(outputs)
            )

        places = [place for place in self.places if place < len(self.trainable)]
        values, x = self.values(classes, seed), self.inputs(seed)
        return self._gradients(loss, places, values, x)

    def _gradients(
        self,
        function: Callable[[Sequence[Any], Any], Any],
        places: Sequence[int],
        values: list[np.ndarray],
        x: np.ndarray,
    ) -> list[np.ndarray]:
        """Return the gradients of `function(values, x)` in the values at `places`."""
        from course_utils import gradients

        if not places:
            return []
        others = [place for place in range(len(values)) if place not in places]

        def scalar(wanted: Sequence[Any], x: Any, *rest: Any) -> Any:
            everything: list[Any] = list(values)
            for place, value in zip([*places, *others], [*wanted, *rest], strict=True):
                everything[place] = value
            return function(everything, x)

        key = ("gradients", function.__name__)
        if (jax := _jax()) is not None and key not in self.kept:
            self.kept[key] = _quickly_compiled(jax.grad(scalar))

        def slopes() -> list[np.ndarray]:
            wanted = [np.asarray(values[place], "float32") for place in places]
            rest = [values[place] for place in others]
            if self.kept.get(key) is not None:
                with contextlib.suppress(Exception):
                    return self.kept[key](wanted, x, *rest)
                self.kept[key] = None
            return gradients.differentiate(scalar, compile=False)(wanted, x, *rest)[1]

        return [as_array(gradient) for gradient in self.do(slopes)]


def _jax() -> Any:
    """Return the module JAX where it is the backend, else None."""
    import keras

    if keras.backend.backend() != "jax":
        return None
    import jax

    return jax


def _quickly_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let JAX compile a function that runs a few times, without fusing operations."""
    import jax

    try:
        options: Any = {"xla_cpu_use_fusion_emitters": False}
        return jax.jit(function, compiler_options=options)
    except TypeError:  # an older version
        return jax.jit(function)


@contextlib.contextmanager
def _same_noise() -> Iterator[None]:
    """Let random layers draw the same numbers each time, also on PyTorch.

    Keras' seed generators are variables, and given like the others; but on PyTorch,
    dropout draws from the process's own generator.
    """
    import keras

    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(7)
        yield


def _fill(shape: tuple[int, ...], name: int, seed: int) -> np.ndarray:
    """Return values of a class: signals neither die nor explode, variances positive."""
    draw = np.random.default_rng([seed, name, *shape])
    if len(shape) < 2:
        return draw.uniform(0.5, 1.5, shape)
    depthwise = len(shape) > 2 and shape[-1] == 1
    fan_in = int(np.prod(shape[:-2] if depthwise else shape[:-1]))
    return draw.normal(0, np.sqrt(2 / max(fan_in, 1)), shape)


def _draw(shape: Sequence[int], seed: int) -> np.ndarray:
    shape = tuple(int(n) for n in shape)
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype("float32")


def _random_sum(y: Any, seed: int) -> Any:
    from keras import ops

    return ops.sum(y * ops.convert_to_tensor(_draw(y.shape, seed)))


def _near(a: np.ndarray, b: np.ndarray, floor: float) -> bool:
    size = float(np.linalg.norm(a) + np.linalg.norm(b))
    return size <= floor or float(np.linalg.norm(a - b)) <= _SAME * size


def _roles(oracle: _Model, answer: _Model) -> tuple[list[int], list[int]]:
    """Return a class for each variable of both models; see the module's docstring."""
    known = {key: i for i, key in enumerate(sorted(set(oracle.kinds())))}
    ours = [known[key] for key in oracle.kinds()]
    theirs = [known[key] for key in answer.kinds()]
    count, whole = len(known), set[int]()
    for _ in range(12):
        crowded = [c for c, n in Counter(ours).items() if n > 1 and c not in whole]
        if not crowded:
            break
        first, second = oracle.signatures(ours), answer.signatures(theirs)
        split = False
        for name in sorted(crowded):
            groups = _group(name, ours, theirs, first, second)
            if groups is None:
                whole.add(name)
                continue
            for mine, yours in groups[1:]:
                split = True
                for i in mine:
                    ours[i] = count
                for i in yours:
                    theirs[i] = count
                count += 1
        if not split:
            twins = [name for name in sorted(crowded) if name not in whole]
            if not twins:
                break
            ours[ours.index(twins[0])] = count
            theirs[theirs.index(twins[0])] = count
            count += 1
    return ours, theirs


def _group(
    name: int,
    ours: list[int],
    theirs: list[int],
    first: list[np.ndarray],
    second: list[np.ndarray],
) -> list[tuple[list[int], list[int]]] | None:
    """Split a class by signature; None if the two models do not agree on it."""
    mine = [i for i, c in enumerate(ours) if c == name]
    yours = [i for i, c in enumerate(theirs) if c == name]
    sizes = [float(np.linalg.norm(first[i])) for i in mine]
    floor = 1e-6 * max(sizes)
    if min(sizes) <= floor:
        return None
    groups = []
    while mine:
        center = first[mine[0]]
        left = [i for i in mine if _near(center, first[i], floor)]
        right = [i for i in yours if _near(center, second[i], floor)]
        if len(left) != len(right):
            return None
        groups.append((left, right))
        mine = [i for i in mine if i not in left]
        yours = [i for i in yours if i not in right]
    return groups


class _Comparison:
    """One answer held against one oracle; each method is the body of a rule."""

    def __init__(
        self, oracle: _Model, answer: _Model, seeds: Sequence[int], statistics: bool
    ) -> None:
        self.oracle, self.answer = oracle, answer
        self.seeds, self.statistics = tuple(seeds), statistics

    def output_shape(self) -> None:
        for batch in _BATCHES:
            x = np.zeros((batch, *self.oracle.input_shape), "float32")
            wanted = self._shapes(self.oracle, x)
            came = self._shapes(self.answer, x)
            if came != wanted:
                raise Failure(
                    f"for an input of shape {x.shape}: expected output shape "
                    f"{_listed(wanted)}, got {_listed(came)}."
                )

    @staticmethod
    def _shapes(model: _Model, x: np.ndarray) -> list[tuple]:
        key = ("shapes", x.shape)
        if key not in model.kept:
            values = [np.asarray(v) for v in model.values([0] * len(model.places), 0)]
            outputs = model.do(model.shapes_of, values, x)
            model.kept[key] = [shape_of(y, "the output") for y in outputs]
        return model.kept[key]

    def parameters(self) -> None:
        wanted, came = _counts(self.oracle), _counts(self.answer)
        if came != wanted:
            raise Failure(
                f"expected {wanted[0]:,} trainable and {wanted[1]:,} other parameters, "
                f"got {came[0]:,} and {came[1]:,}.{self._too_many()}"
            )

    def _too_many(self) -> str:
        """Say what the answer has beyond all that is expected, if nothing else."""
        wanted, came = Counter(self.oracle.kinds()), Counter(self.answer.kinds())
        extra = sorted((came - wanted).elements(), key=_size, reverse=True)
        if wanted - came or not extra:
            return ""
        words = list(map(_in_words, extra[:4])) + ["…"] * (len(extra) > 4)
        return f" Beyond what is expected there is {', '.join(words)}."

    def shapes(self) -> None:
        wanted, came = Counter(self.oracle.kinds()), Counter(self.answer.kinds())
        if came == wanted:
            return
        missing = sorted((wanted - came).elements(), key=str)
        extra = sorted((came - wanted).elements(), key=str)
        raise Failure(
            f"expected variables of shape {_named(missing)}, "
            f"got {_named(extra)} instead."
        )

    @functools.cached_property
    def roles(self) -> tuple[list[int], list[int]]:
        if Counter(self.oracle.kinds()) != Counter(self.answer.kinds()):
            self.shapes()
        return _roles(self.oracle, self.answer)

    def inference(self) -> None:
        self._outputs(training=False)

    def training(self) -> None:
        self._outputs(training=True)
        if self.statistics:
            self._statistics()

    def _outputs(self, training: bool) -> None:
        ours, theirs = self.roles
        mode = "in training mode" if training else "at inference"
        for seed in self.seeds:
            wanted = self.oracle.run(ours, seed, training)[0]
            came = self.answer.run(theirs, seed, training)[0]
            for y, expected in zip(came, wanted, strict=True):
                expect_close(
                    y,
                    expected,
                    rtol=1e-4,
                    atol=1e-5 * _scale(expected),
                    what=f"the outputs {mode} with the same weights",
                )

    def _statistics(self) -> None:
        """Compare what a training batch leaves in the running statistics."""
        ours, theirs = self.roles
        seed = self.seeds[0]
        wanted = self._after(self.oracle, ours, seed)
        came = self._after(self.answer, theirs, seed)
        for name, expected in wanted:
            found = [value for other, value in came if other == name]
            if not any(np.allclose(v, expected, rtol=1e-4, atol=1e-5) for v in found):
                nearest = min(found, key=lambda v: float(np.abs(v - expected).sum()))
                expect_close(
                    nearest, expected, what="the running statistics after one batch"
                )

    @staticmethod
    def _after(model: _Model, classes: list[int], seed: int) -> list[tuple]:
        other = model.run(classes, seed, True)[1]
        split = len(model.trainable)
        return [
            (name, other[place - split])
            for name, place in zip(classes, model.places, strict=True)
            if place >= split
        ]

    def step(self) -> None:
        ours, theirs = self.roles
        seed = self.seeds[0]
        key = ("step", tuple(ours), seed)
        if key not in self.oracle.kept:
            gradient = self.oracle.step_gradients(ours, seed)
            rate = self._rate(ours, gradient, seed)
            after = self._predict(self.oracle, ours, gradient, rate, seed)
            self.oracle.kept[key] = rate, after
        rate, wanted = self.oracle.kept[key]
        gradient = self.answer.step_gradients(theirs, seed)
        came = self._predict(self.answer, theirs, gradient, rate, seed)
        for y, expected in zip(came, wanted, strict=True):
            expect_close(
                y,
                expected,
                rtol=1e-3,
                atol=1e-4 * _scale(expected),
                what="the predictions after one step of gradient descent",
            )

    def _rate(self, classes: list[int], gradient: list, seed: int) -> float:
        """Return a learning rate that changes the oracle's weights by 5 %."""
        values = self.oracle.values(classes, seed)
        places = [p for p in self.oracle.places if p < len(self.oracle.trainable)]
        weights = np.sqrt(sum(float(np.sum(values[p] ** 2)) for p in places))
        slopes = np.sqrt(sum(float(np.sum(g**2)) for g in gradient))
        return 0.05 * weights / slopes if slopes else 0.0

    @staticmethod
    def _predict(
        model: _Model, classes: list[int], gradient: list, rate: float, seed: int
    ) -> list[np.ndarray]:
        values = model.values(classes, seed)
        places = [p for p in model.places if p < len(model.trainable)]
        for place, slope in zip(places, gradient, strict=True):
            values[place] = values[place] - np.float32(rate) * slope
        return model.numbers(values, model.inputs(seed), False)[0]


def _scale(expected: np.ndarray) -> float:
    return float(np.abs(expected).max(initial=0.0)) or 1.0


def _listed(shapes: list[tuple]) -> str:
    if len(shapes) == 1:
        return str(shapes[0])
    return f"{len(shapes)} outputs {shapes}"


def _counts(model: _Model) -> tuple[int, int]:
    sizes = [(t, int(np.prod(shape))) for t, shape in model.kinds()]
    return sum(n for t, n in sizes if t), sum(n for t, n in sizes if not t)


def _named(keys: Sequence[tuple[bool, tuple[int, ...]]]) -> str:
    words = [str(s) if trainable else f"{s} (not trained)" for trainable, s in keys[:4]]
    return (", ".join(words) or "nothing") + (", …" if len(keys) > 4 else "")


def _size(key: tuple[bool, tuple[int, ...]]) -> int:
    return int(np.prod(key[1]))


def _in_words(key: tuple[bool, tuple[int, ...]]) -> str:
    trainable, shape = key
    if len(shape) == 4:
        words = f"a {shape[0]}×{shape[1]} kernel of shape {shape}"
    elif len(shape) == 1:
        words = f"a vector of {shape[0]} numbers"
    else:
        words = f"a kernel of shape {shape}" if shape else "a single number"
    return words if trainable else f"{words} that is not trained"


_ORACLES: dict[Any, _Model] = {}


def _as_our_own(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return function(*arguments, **options)


def _oracle_model(factory: Callable[[], Any], input_shape: Sequence[int]) -> _Model:
    """Build the oracle once a process; nothing ever writes into it."""
    key = (factory, tuple(input_shape))
    if key not in _ORACLES:
        _ORACLES[key] = _Model(factory(), input_shape, _as_our_own)
    return _ORACLES[key]


def _compare(
    answer: Any,
    oracle: Callable[[], Any],
    input_shape: Sequence[int],
    build: Callable[[Any], Any],
    seeds: Sequence[int],
    statistics: bool,
) -> _Comparison:
    def make() -> _Comparison:
        # The oracle first: JAX then has the operations compiled, at our expense.
        reference = _oracle_model(oracle, input_shape)
        model = _Model(build(answer), input_shape)
        return _Comparison(reference, model, seeds, statistics)

    return once(("comparison", oracle, build, tuple(input_shape)), make)


_BODIES: dict[str, Callable[[_Comparison], None]] = {
    SHAPE: _Comparison.output_shape,
    PARAMETERS: _Comparison.parameters,
    VARIABLES: _Comparison.shapes,
    INFERENCE: _Comparison.inference,
    TRAINING: _Comparison.training,
    STEP: _Comparison.step,
}


def model_rules(
    oracle: Callable[[], Any],
    input_shape: Sequence[int],
    *,
    build: Callable[[Any], Any] = call,
    hints: Mapping[str, tuple[str, str, str]] | None = None,
    without: Sequence[str] = (),
    prefix: str = "",
    seeds: Sequence[int] = (0, 1, 2),
    statistics: bool = True,
) -> list[Rule]:
    """Return the rules that hold an answer's model against an oracle's.

    Args:
        oracle: builds the right model; not the solution, but other mathematics or a
            library's own.
        input_shape: the shape of one input, without the batch.
        build: makes the model from the answer; by default calls it with no argument.
            For a block: `lambda f: block_model(f, (8, 8, 4), filters=4)`.
        hints: three hints for a rule of `RULES`, in place of the general ones.
        without: rules of `RULES` to leave out.
        prefix: put before each rule's name, for a check with several comparisons.
        seeds: of the weights and inputs that the outputs are compared on.
        statistics: whether what a training batch leaves in the running statistics (the
            momentum) is compared too.

    Returns:
        Rules in the order of `RULES`. Forward tolerances are rtol 1e-4 and atol 1e-5 of
        the largest output; after the step rtol 1e-3 and atol 1e-4.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: for an unknown rule in `hints` or `without`, a side of `input_shape`
            below 1, a negative seed, or no seed.
    """
    _validate.function("build", build)
    input_shape, seeds = _checked(oracle, input_shape, without, seeds, statistics)
    _validate.string("prefix", prefix, empty=True)
    if hints is not None and not isinstance(hints, Mapping):
        _validate.fail_type("hints", "a dict of rule -> three texts", hints)
    texts = dict(_HINTS)
    for name, three in (hints or {}).items():
        texts[_validate.choice("hints", name, RULES)] = three

    def rule(name: str) -> Rule:
        def body(answer: Any) -> None:
            comparison = _compare(answer, oracle, input_shape, build, seeds, statistics)
            _BODIES[name](comparison)

        return Rule(prefix + name, body, hints=texts[name])

    return [rule(name) for name in RULES if name not in without]


def compare_models(
    answer: Callable[[], Any],
    oracle: Callable[[], Any],
    input_shape: Sequence[int],
    *,
    without: Sequence[str] = (),
    seeds: Sequence[int] = (0, 1, 2),
    statistics: bool = True,
) -> None:
    """Hold the model that `answer` builds against the one that `oracle` builds.

    Args:
        answer: a function that builds a keras.Model.
        oracle: a function that builds the right one.
        input_shape: the shape of one input, without the batch.
        without: rules of `RULES` to leave out.
        seeds: of the weights and inputs that the outputs are compared on.
        statistics: whether running statistics after a batch are compared too.

    Raises:
        Failure: at the first rule that does not hold; `failure.rule` names it.
        TypeError: an argument of the wrong type.
        ValueError: as `model_rules`.
    """
    _validate.function("answer", answer)
    input_shape, seeds = _checked(oracle, input_shape, without, seeds, statistics)
    rules = model_rules(
        oracle, input_shape, without=without, seeds=seeds, statistics=statistics
    )
    model = _Model(call(answer), input_shape)
    comparison = _Comparison(
        _oracle_model(oracle, input_shape), model, seeds, statistics
    )
    for rule in rules:
        try:
            _BODIES[rule.name](comparison)
        except Failure as failure:
            failure.rule = failure.rule or rule.name
            raise


def _checked(
    oracle: Any, input_shape: Any, without: Any, seeds: Any, statistics: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Check what both comparisons take; return the shape and the seeds."""
    _validate.function("oracle", oracle)
    if isinstance(without, str) or not isinstance(without, Sequence):
        _validate.fail_type("without", "a list of names of rules", without)
    for name in without:
        _validate.choice("without", name, RULES)
    _validate.boolean("statistics", statistics)
    return (
        _validate.integers("input_shape", input_shape, low=1),
        _validate.integers("seeds", seeds, low=0),
    )
