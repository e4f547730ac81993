"""Checks of lesson 03, *Residual connections*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils.compare import (
    INFERENCE,
    PARAMETERS,
    SHAPE,
    STEP,
    TRAINING,
    VARIABLES,
    block_model,
    model_rules,
)
from course_utils.exercises import (
    Exercise,
    Failure,
    Rule,
    as_array,
    call,
    describe,
    expect_close,
    expect_shape,
    once,
)

# --- residual.count -------------------------------------------------------------------

_IN, _OUT = 48, 96


def _count(*kernels: tuple[int, int, int], bias: bool = True) -> int:
    """Let Keras count: (kernel size, channels in, filters) for each convolution."""
    from keras import layers

    total = 0
    for size, channels, filters in kernels:
        layer = layers.Conv2D(filters, size, use_bias=bias)
        layer.build((None, 20, 20, channels))
        total += layer.count_params()
    return total


_MAIN = [(3, _IN, _OUT), (3, _OUT, _OUT)]
_PROJECTION = (1, _IN, _OUT)


def _counts_biases(answer: float) -> None:
    without = {
        _count(*_MAIN, _PROJECTION, bias=False),
        _count(*_MAIN, bias=False),
        _count(*_MAIN) + _count(_PROJECTION, bias=False),
    }
    if answer in without:
        raise Failure(
            f"{answer} leaves out biases: each of the convolutions has one number a "
            "filter beside its kernel."
        )


def _counts_projection(answer: float) -> None:
    if answer == _count(*_MAIN):
        raise Failure(f"{answer} is the main path alone.")


def _second_reads_first(answer: float) -> None:
    wrong = [(3, _IN, _OUT), (3, _IN, _OUT)]
    if answer in (_count(*wrong), _count(*wrong, _PROJECTION)):
        raise Failure(
            f"{answer} lets both 3×3 convolutions read {_IN} channels. "
            f"The first one writes {_OUT}."
        )


def _total(answer: float) -> None:
    right = _count(*_MAIN, _PROJECTION)
    if answer != right:
        words = "too many" if answer > right else "too few"
        raise Failure(f"{answer:,} is {words}.")


count = Exercise(
    "residual.count",
    kind="number",
    lesson="03",
    title="The parameters of a block",
    rules=[
        Rule(
            "counts the biases",
            _counts_biases,
            hints=(
                "Your number is a multiple of 48, the sum of kernels alone.",
                "A convolution with f filters has f biases.",
                "Add 96 for each of the convolutions, the 1×1 one too.",
            ),
        ),
        Rule(
            "counts the projection",
            _counts_projection,
            hints=(
                "Compare with the third case above: it lists one more convolution.",
                "Where the shape changes, the shortcut has weights of its own.",
                "Add a kernel of 1×1×48×96, and its biases.",
            ),
        ),
        Rule(
            "the second convolution reads what the first wrote",
            _second_reads_first,
            hints=(
                "In the second case above, the second convolution costs twice the "
                "first.",
                "A kernel has as many input channels as the tensor it reads.",
                "The second kernel is 3×3×96×96.",
            ),
        ),
        Rule(
            "the total",
            _total,
            hints=(
                "Count layer by layer, as the table of the third case does.",
                "Pooling, adding and activations have no parameters; the size of the "
                "maps plays no part.",
                "Three terms: height × width × channels in × filters + filters.",
            ),
        ),
    ],
    correct="two convolutions and a projection, kernels and biases",
)

# --- residual.pre_activation ----------------------------------------------------------

_MAPS, _FILTERS = (8, 8, 6), 10


def _pre_activation_oracle(filters: int) -> Callable[[], Any]:
    """He et al. (2016b), figure 4e, with the convolutions as library calls."""

    def build() -> Any:
        import keras
        from keras import layers, ops

        class Reference(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.norms = [layers.BatchNormalization() for _ in range(2)]
                self.convs = [layers.Conv2D(filters, 3, padding="same") for _ in "ab"]
                self.projection = None
                if filters != _MAPS[-1]:
                    self.projection = layers.Conv2D(filters, 1)

            def call(self, x: Any, training: bool = False) -> Any:
                y = x
                for norm, conv in zip(self.norms, self.convs, strict=True):
                    y = conv(ops.maximum(norm(y, training=training), 0.0))
                return y + (x if self.projection is None else self.projection(x))

        return Reference()

    return build


_same_filters = _pre_activation_oracle(_MAPS[-1])
_more_filters = _pre_activation_oracle(_FILTERS)


def _pre_activation_rules() -> list[Rule]:
    count_hints = (
        "Compare the parameters layer by layer with the list in the task.",
        "Two normalizations and two 3×3 convolutions; a 1×1 one only where the number "
        "of channels changes.",
        "Look at the condition in front of the 1×1 convolution, and at its bias.",
    )
    order_hints = (
        "With the same weights, your block computes something else.",
        "In this block the order is normalization, activation, convolution, and the "
        "shortcut stays untouched: nothing is applied to it, or after the sum.",
        "Look at which tensor the shortcut is taken from, and at the last line.",
    )
    same = model_rules(
        _same_filters,
        _MAPS,
        build=lambda answer: block_model(answer, _MAPS, _MAPS[-1]),
        without=(SHAPE, VARIABLES),
        prefix="same shape: ",
        seeds=(0, 1),
        statistics=False,
        hints={PARAMETERS: count_hints, INFERENCE: order_hints},
    )
    more = model_rules(
        _more_filters,
        _MAPS,
        build=lambda answer: block_model(answer, _MAPS, _FILTERS),
        without=(VARIABLES, STEP),
        prefix="more filters: ",
        seeds=(0,),
        statistics=False,
        hints={
            PARAMETERS: count_hints,
            INFERENCE: (
                "With equal filters the block is right; with more filters it is not.",
                "The 1×1 convolution replaces the identity: it reads what the block "
                "was given.",
                "Look at the argument that the 1×1 convolution is called on, and at "
                "its activation.",
            ),
        },
    )
    return [*same, *more]


pre_activation = Exercise(
    "residual.pre_activation",
    kind="function",
    lesson="03",
    title="The pre-activation block",
    rules=_pre_activation_rules(),
    correct=(
        "shapes, parameters, outputs in both modes and a step of training, with and "
        "without a change of filters"
    ),
)

# --- residual.skip_init ---------------------------------------------------------------

_SKIP_SHAPE = (2, 3, 3, 4)


def _pair() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=_SKIP_SHAPE).astype("float32") for _ in range(2)]


def _skip_layer(answer: Any) -> Any:
    """Make one layer of the learner's class, built by a first call."""

    def make() -> Any:
        layer = call(answer)
        call(layer, _pair())
        return layer

    return once("skip layer", make)


def _skip_shape(answer: Any) -> None:
    expect_shape(call(_skip_layer(answer), _pair()), _SKIP_SHAPE)


def _one_trainable(answer: Any) -> None:
    layer = _skip_layer(answer)
    shapes = [tuple(variable.shape) for variable in layer.trainable_variables]
    if sum(int(np.prod(shape)) for shape in shapes) != 1:
        listed = ", ".join(map(str, shapes)) or "none"
        raise Failure(
            "expected one trainable number in the layer, got trainable variables of "
            f"shape: {listed}."
        )


def _starts_as_shortcut(answer: Any) -> None:
    shortcut, branch = _pair()
    result = call(_skip_layer(answer), [shortcut, branch])
    expect_close(result, shortcut, what="the output of a new layer")


def _scales_branch(answer: Any) -> None:
    layer = _skip_layer(answer)
    shortcut, branch = _pair()
    (alpha,) = layer.trainable_variables
    for value in (0.5, -2.0):
        alpha.assign(np.full(tuple(alpha.shape), value, "float32"))
        result = call(layer, [shortcut, branch])
        expect_close(
            result, shortcut + value * branch, what=f"the output where α = {value}"
        )


skip_init = Exercise(
    "residual.skip_init",
    kind="layer",
    lesson="03",
    title="A sum that starts as the shortcut",
    parts=("build", "call"),
    rules=[
        Rule(
            "keeps the shape",
            _skip_shape,
            hints=(
                "Two tensors of one shape go in; one of the same shape comes out.",
                "The layer adds element by element.",
                "Look at what `call` returns.",
            ),
        ),
        Rule(
            "has one trainable number",
            _one_trainable,
            hints=(
                "Look at `layer.trainable_variables` after the first call.",
                "α is one number for the whole layer, and the optimizer must see it.",
                "Look at `self.add_weight(...)`: its shape, and `trainable`.",
            ),
        ),
        Rule(
            "starts as the shortcut",
            _starts_as_shortcut,
            hints=(
                "Call a new layer on two tensors: which of them should come out?",
                "At α = 0 the main path plays no part, and the shortcut is untouched.",
                "Look at the initializer, and at what α multiplies.",
            ),
        ),
        Rule(
            "scales the main path only",
            _scales_branch,
            hints=(
                "At another α the output is not the shortcut plus α times the branch.",
                "The shortcut always has weight 1, whatever α is.",
                "Look at the line that joins the two tensors.",
            ),
        ),
    ],
    correct="one trainable α, zero at the start, on the main path only",
)

# --- residual.loop --------------------------------------------------------------------

_TOWER_INPUT, _TOWER_FILTERS = (16, 16, 3), (4, 6, 5)


def _toy_block(x: Any, filters: int) -> Any:
    from keras import layers

    return layers.Conv2D(filters, 3, strides=2, padding="same", activation="tanh")(x)


def _build_tower(answer: Any) -> Any:
    return call(answer, _toy_block, _TOWER_FILTERS, _TOWER_INPUT)


def _tower_oracle() -> Any:
    import keras
    from keras import layers

    same = {"padding": "same"}
    return keras.Sequential(
        [
            keras.Input(_TOWER_INPUT),
            layers.Conv2D(8, 3, activation="relu", **same),
            *(
                layers.Conv2D(n, 3, strides=2, activation="tanh", **same)
                for n in _TOWER_FILTERS
            ),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )


def _chained(answer: Any) -> None:
    """Record what each block reads and writes."""
    read: list[int] = []
    asked: list[int] = []

    def recorder(x: Any, filters: int) -> Any:
        read.append(int(x.shape[-1]))
        asked.append(filters)
        return _toy_block(x, filters)

    call(answer, recorder, _TOWER_FILTERS, _TOWER_INPUT)
    if not read:
        raise Failure("your function never called the `block` that it was given.")
    if len(read) != len(_TOWER_FILTERS):
        raise Failure(
            f"expected {len(_TOWER_FILTERS)} blocks for filters={_TOWER_FILTERS}, got "
            f"{len(read)}."
        )
    if asked != list(_TOWER_FILTERS):
        raise Failure(
            f"the blocks were asked for {asked} filters, in this order; expected "
            f"{list(_TOWER_FILTERS)}."
        )
    for i, (came, wrote) in enumerate(zip(read[1:], _TOWER_FILTERS, strict=False)):
        if came != wrote:
            raise Failure(
                f"block {i + 2} reads a tensor of {came} channels, but block {i + 1} "
                f"wrote {wrote}."
            )


loop = Exercise(
    "residual.loop",
    kind="model",
    lesson="03",
    title="Spot the bug: the blocks that vanish",
    rules=[
        Rule(
            "each block reads the one before",
            _chained,
            hints=(
                "Compare what a block reads with what the block before it wrote.",
                "A network is a chain: the output of one layer is the input of the "
                "next.",
                "Look at the two names in the line inside the loop.",
            ),
        ),
        *model_rules(
            _tower_oracle,
            _TOWER_INPUT,
            build=_build_tower,
            without=(VARIABLES, STEP),
            statistics=False,
        ),
    ],
    correct=(
        "the chain of blocks, the shape, the parameters and the outputs in both modes"
    ),
)

# --- residual.pooling -----------------------------------------------------------------

_EVEN, _ODD, _DOWN = (8, 8, 6), (15, 15, 6), 10


def _downsample_oracle(shape: tuple[int, int, int]) -> Callable[[], Any]:
    """Pool by a sliding maximum over a map that is padded with −∞ where needed."""

    def build() -> Any:
        import keras
        from keras import layers, ops

        class Reference(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.first = layers.Conv2D(_DOWN, 3, padding="same")
                self.second = layers.Conv2D(_DOWN, 3, padding="same")
                self.projection = layers.Conv2D(_DOWN, 1)

            def call(self, x: Any) -> Any:
                y = self.second(ops.maximum(self.first(x), 0.0))
                odd = [(0, side % 2) for side in shape[:2]]
                y = ops.pad(y, [(0, 0), *odd, (0, 0)], constant_values=-1e9)
                rows = ops.maximum(y[:, ::2], y[:, 1::2])
                y = ops.maximum(rows[:, :, ::2], rows[:, :, 1::2])
                return ops.maximum(y + self.projection(x[:, ::2, ::2]), 0.0)

        return Reference()

    return build


_even_side, _odd_side = _downsample_oracle(_EVEN), _downsample_oracle(_ODD)


def _fits_on_odd(answer: Any) -> None:
    import keras

    try:
        call(answer, keras.Input(_ODD), _DOWN)
    except Failure:
        raise
    except Exception as error:
        original = getattr(error, "original", error)
        if not isinstance(original, ValueError):
            raise
        first = next((line for line in str(original).splitlines() if line), "")
        raise Failure(
            f"on maps of {_ODD[0]}×{_ODD[1]} the two paths do not fit: {first}"
        ) from None


pooling = Exercise(
    "residual.pooling",
    kind="function",
    lesson="03",
    title="Spot the bug: 7 against 8",
    rules=[
        *model_rules(
            _even_side,
            _EVEN,
            build=lambda answer: block_model(answer, _EVEN, _DOWN),
            without=(SHAPE, VARIABLES, TRAINING, STEP),
            prefix="even side: ",
            seeds=(0, 1),
            hints={
                PARAMETERS: (
                    "Compare the parameters with the third case of this lesson.",
                    "Pooling and padding have no parameters: the repair adds none.",
                    "Look for a layer that you added, or a kernel you enlarged.",
                ),
                INFERENCE: (
                    "On an even side the block was right, and now it is not.",
                    "A repair leaves alone what works: max pooling on the main path, "
                    "stride 2 on the shortcut.",
                    "Undo every change, then look at the arguments of the pooling.",
                ),
            },
        ),
        Rule(
            "fits on an odd side",
            _fits_on_odd,
            hints=(
                "Write down the side of both paths for an input of 15×15.",
                "Without padding, pooling drops a last odd row; a stride of 2 "
                "keeps it: ⌊15/2⌋ = 7, ⌈15/2⌉ = 8.",
                "Look at the arguments of the pooling layer.",
            ),
        ),
        *model_rules(
            _odd_side,
            _ODD,
            build=lambda answer: block_model(answer, _ODD, _DOWN),
            without=(PARAMETERS, VARIABLES, TRAINING, STEP),
            prefix="odd side: ",
            seeds=(0, 1),
            hints={
                SHAPE: (
                    "The paths fit, but the map is not 8×8.",
                    "Repair the path that loses a row, not the one that keeps it.",
                    "Look at what you did to the shortcut.",
                ),
                INFERENCE: (
                    "The map is 8×8, but its values are not those of a max pooling.",
                    "The last odd row is a maximum over what is there; nothing is "
                    "made up beside it.",
                    "Look at how the side of 15 becomes 8 on the main path.",
                ),
            },
        ),
    ],
    correct="even and odd sides: shapes, parameters and outputs",
)

# --- residual.head --------------------------------------------------------------------

_FEATURES = 7


def _head_oracle() -> Any:
    import keras
    from keras import layers, ops

    class Reference(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.score = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return 1 / (1 + ops.exp(-self.score(x)))

    return Reference()


def _build_head(answer: Any) -> Any:
    return block_model(answer, (_FEATURES,))


def _varies(answer: Any) -> None:
    model = once("head", lambda: _build_head(answer))
    x = np.random.default_rng(5).normal(size=(16, _FEATURES)).astype("float32")
    y = as_array(call(model, x), "the head's output")
    if np.ptp(y) < 1e-3:
        raise Failure(
            f"16 different images get the same output, {float(y.flat[0]):.4g}: "
            "no weight can change it."
        )


_head_rules = model_rules(
    _head_oracle,
    (_FEATURES,),
    build=_build_head,
    without=(VARIABLES, STEP),
    hints={
        INFERENCE: (
            "The output is not the probability of class 1.",
            "A single score z becomes a probability by 1 / (1 + exp(−z)).",
            "Look at the activation of the last layer.",
        ),
    },
)

head = Exercise(
    "residual.head",
    kind="function",
    lesson="03",
    title="Spot the bug: the head that knows only one answer",
    rules=[
        _head_rules[0],
        Rule(
            "differs between images",
            _varies,
            hints=(
                "Look at the output for different inputs.",
                "A softmax divides by the sum over the units; how many are there?",
                "Look at the activation of the last layer.",
            ),
        ),
        *_head_rules[1:],
    ],
    correct="one probability an image, and it depends on the image",
)

# --- residual.reads -------------------------------------------------------------------


def _strided(x: np.ndarray) -> np.ndarray:
    return x[::2, ::2]


def _windows(x: np.ndarray) -> np.ndarray:
    n = len(x) // 2
    return x.reshape(n, 2, n, 2).transpose(0, 2, 1, 3).reshape(n, n, 4)


_SHORTCUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "strided": _strided,
    "max": lambda x: _windows(x).max(-1),
    "average": lambda x: _windows(x).mean(-1),
}


def _positions_read(shortcut: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return the share of positions that change the output when nudged a little."""
    x = np.random.default_rng(0).permutation(64).reshape(8, 8).astype("float64")
    before = shortcut(x)
    moved = 0
    for place in np.ndindex(x.shape):
        nudged = x.copy()
        nudged[place] += 1e-3
        moved += bool((shortcut(nudged) != before).any())
    return moved / x.size


def _is_named(answer: str) -> None:
    if answer not in _SHORTCUTS:
        names = ", ".join(repr(name) for name in _SHORTCUTS)
        raise Failure(f"expected one of {names}, got {describe(answer)}.")


def _reads_all(answer: str) -> None:
    share = _positions_read(_SHORTCUTS[answer])
    if share < 1:
        raise Failure(
            f"with {answer!r}, a small nudge of the input changes the shortcut at "
            f"{share:.0%} of the positions."
        )


reads = Exercise(
    "residual.reads",
    kind="choice",
    lesson="03",
    title="The shortcut that reads every position",
    rules=[
        Rule(
            "is one of the three",
            _is_named,
            hints=(
                "The answer is one of the three words in the task.",
                "Each word stands for one way to halve the map before the 1×1.",
                "Copy the word, with its quotation marks.",
            ),
        ),
        Rule(
            "reads every position",
            _reads_all,
            hints=(
                "Take a 2×2 window and nudge one of its four numbers.",
                "An output whose gradient is zero at a position does not see it: "
                "that holds for a number that is skipped, and for one that loses.",
                "Which of the three gives all four numbers of a window a weight?",
            ),
        ),
    ],
    correct="a nudge of any position changes the shortcut",
)
