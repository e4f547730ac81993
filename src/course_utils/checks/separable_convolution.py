"""Checks of lesson 05, *Depthwise separable convolution*."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.compare import (
    INFERENCE,
    PARAMETERS,
    SHAPE,
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
    expect_close,
    expect_equal,
    expect_shape,
    once,
)

# --- separable.kernel -----------------------------------------------------------------


def _pair(
    size: int, channels: int, patterns: int, filters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a depthwise and a pointwise kernel of random numbers."""
    rng = np.random.default_rng([size, channels, patterns, filters])
    depthwise = rng.normal(size=(size, size, channels, patterns))
    pointwise = rng.normal(size=(1, 1, channels * patterns, filters))
    return depthwise.astype("float32"), pointwise.astype("float32")


def _response(depthwise: np.ndarray, pointwise: np.ndarray) -> np.ndarray:
    """Let Keras' two convolutions answer to an impulse in each channel.

    What a convolution answers to a single 1 is its own kernel, turned round.
    """
    from keras import ops

    size, _, channels, _ = depthwise.shape
    side = 2 * size - 1
    impulses = np.zeros((channels, side, side, channels), "float32")
    impulses[np.arange(channels), size - 1, size - 1, np.arange(channels)] = 1
    answer = ops.conv(ops.depthwise_conv(impulses, depthwise), pointwise)
    return ops.convert_to_numpy(answer)[:, ::-1, ::-1].transpose(1, 2, 0, 3)


def _kernel_of(answer: Any, shape: tuple[int, int, int, int]) -> Any:
    def make() -> Any:
        return call(answer, *_pair(*shape))

    return once(("kernel", shape), make)


_ONE_PATTERN, _THREE_PATTERNS = (3, 4, 1, 5), (2, 4, 3, 5)


def _kernel_shape(answer: Any) -> None:
    for shape in (_ONE_PATTERN, _THREE_PATTERNS):
        size, channels, _, filters = shape
        expect_shape(_kernel_of(answer, shape), (size, size, channels, filters))


def _kernel_values(shape: tuple[int, int, int, int], words: str) -> Any:
    def rule(answer: Any) -> None:
        expected = _response(*_pair(*shape))
        expect_close(_kernel_of(answer, shape), expected, what=words, atol=1e-4)

    return rule


kernel = Exercise(
    "separable.kernel",
    kind="function",
    lesson="05",
    title="The kernel of the pair",
    rules=[
        Rule(
            "has the shape of an ordinary kernel",
            _kernel_shape,
            hints=(
                "Compare the shape with (k, k, c, f), also where m is 3.",
                "The m patterns of a channel all end in the same kernel entries: they "
                "are summed, not listed.",
                "Look at the axis of length m, or c·m: where does it go?",
            ),
        ),
        Rule(
            "one pattern for each channel",
            _kernel_values(_ONE_PATTERN, "the kernel for m = 1"),
            hints=(
                "For m = 1 the numbers differ from those of the lesson's product.",
                "Each entry is one number of the depthwise kernel times one number of "
                "the pointwise one, with the same channel.",
                "Check which axis of each array is the channel.",
            ),
        ),
        Rule(
            "several patterns for each channel",
            _kernel_values(_THREE_PATTERNS, "the kernel for m = 3"),
            hints=(
                "For m = 1 the numbers are right, for m = 3 they are not.",
                "A filter gets a channel in m ways, and adds them. Keras lists all "
                "patterns of the first channel, then all of the second.",
                "Look at how the long axis of the pointwise kernel is split in two: "
                "which of the two comes first?",
            ),
        ),
    ],
    correct="the shape, and the numbers for one and for three patterns a channel",
)

# --- separable.count ------------------------------------------------------------------

_CHANNELS, _FILTERS, _SIZE = 96, 160, 5


def _built(layer: Any, channels: int) -> int:
    layer.build((None, 9, 9, channels))
    return int(layer.count_params())


def _not_ordinary(answer: float) -> None:
    from keras import layers

    for bias in (True, False):
        conv = layers.Conv2D(_FILTERS, _SIZE, use_bias=bias)
        if answer == _built(conv, _CHANNELS):
            raise Failure(f"{answer:,} is the size of an ordinary convolution.")


def _depthwise_reads_channels(answer: float) -> None:
    wrong = _SIZE**2 * _FILTERS + _CHANNELS * _FILTERS
    if answer in (wrong, wrong + _FILTERS):
        raise Failure(
            f"{answer:,} gives the depthwise step {_FILTERS} kernels. It reads "
            f"{_CHANNELS} channels, with one kernel each."
        )


def _one_bias(answer: float) -> None:
    both = _SIZE**2 * _CHANNELS + _CHANNELS * _FILTERS
    if answer == both:
        raise Failure(f"{answer:,} are the two kernels alone.")
    if answer in (both + _CHANNELS, both + _CHANNELS + _FILTERS):
        raise Failure(
            f"{answer:,} counts a bias for the depthwise step, which has none."
        )


def _count_total(answer: float) -> None:
    from keras import layers

    right = _built(layers.SeparableConv2D(_FILTERS, _SIZE), _CHANNELS)
    if answer != right:
        raise Failure(f"{answer:,} is too {'many' if answer > right else 'few'}.")


count = Exercise(
    "separable.count",
    kind="number",
    lesson="05",
    title="The parameters of a separable layer",
    rules=[
        Rule(
            "is not an ordinary convolution",
            _not_ordinary,
            hints=(
                "Your number has a kernel for each pair of channel and filter.",
                "A separable layer has two small kernels in place of a large one.",
                "Count the depthwise kernel and the pointwise kernel, and add them.",
            ),
        ),
        Rule(
            "the depthwise kernel goes by the channels",
            _depthwise_reads_channels,
            hints=(
                "The depthwise part of your number has too many kernels.",
                "A depthwise step has one kernel for each channel that comes in.",
                "Which of the two, 96 or 160, comes in?",
            ),
        ),
        Rule(
            "one bias a filter, at the end",
            _one_bias,
            hints=(
                "The kernels are right; the biases are not.",
                "Keras' layer has its biases behind the pointwise step only.",
                "Compare with the list above: 45 + 15 + 3.",
            ),
        ),
        Rule(
            "the total",
            _count_total,
            hints=(
                "Count the three terms one by one.",
                "Window × channels, then channels × filters, then filters.",
                "The window has 5·5 positions here, and the pointwise step 1.",
            ),
        ),
    ],
    correct="the depthwise kernel, the pointwise kernel and the biases",
)

# --- separable.formula ----------------------------------------------------------------


def _formula_rule(cases: list[tuple[int, int, int, int]]) -> Any:
    def rule(answer: Any) -> None:
        from keras import layers

        for channels, filters, size, m in cases:
            layer = layers.SeparableConv2D(filters, size, depth_multiplier=m)
            came = call(answer, channels, filters, size, m)
            expect_equal(
                came,
                _built(layer, channels),
                what=f"channels={channels}, filters={filters}, kernel_size={size}, "
                f"depth_multiplier={m}",
            )

    return rule


formula = Exercise(
    "separable.formula",
    kind="function",
    lesson="05",
    title="Spot the bug: right by accident",
    rules=[
        Rule(
            "as many filters as channels",
            _formula_rule([(64, 64, 3, 1)]),
            hints=(
                "The case that agreed before no longer does.",
                "The result has three parts, and is a whole number.",
                "Undo the changes, and look for one wrong factor at a time.",
            ),
        ),
        Rule(
            "other kernel sizes",
            _formula_rule([(6, 6, 5, 1), (7, 7, 1, 1)]),
            hints=(
                "With 3×3 kernels the number is right, with others it is not.",
                "Only the depthwise kernel has a window.",
                "Look for a number in place of the argument.",
            ),
        ),
        Rule(
            "filters that differ from channels",
            _formula_rule([(64, 128, 3, 1), (11, 4, 3, 1)]),
            hints=(
                "The second and the third case above still differ.",
                "How many kernels has the depthwise step: one a channel, or one a "
                "filter? And what are the biases for?",
                "Look at each name in the lines, and ask what is read and what is "
                "written there.",
            ),
        ),
        Rule(
            "a depth multiplier",
            _formula_rule([(64, 64, 3, 2), (5, 7, 3, 3)]),
            hints=(
                "The last case above still differs.",
                "With m patterns a channel, the depthwise step puts out m times as "
                "many channels, and the next step reads them all.",
                "Look at both kernels: which of them knows of the multiplier?",
            ),
        ),
    ],
    correct="equal and different numbers of filters, kernel sizes, and multipliers",
)

# --- separable.layer ------------------------------------------------------------------

_MAPS, _WIDE = (7, 6, 4), 12


def _separable_oracle() -> Any:
    """Two plain operations on two kernels: other code than the library's layer."""
    import keras
    from keras import ops

    class Reference(keras.Model):
        def build(self, shape: Any) -> None:
            self.depthwise = self.add_weight(shape=(3, 3, _MAPS[-1], 1))
            self.pointwise = self.add_weight(shape=(1, 1, _MAPS[-1], _WIDE))
            self.bias = self.add_weight(shape=(_WIDE,))

        def call(self, x: Any) -> Any:
            x = ops.depthwise_conv(x, self.depthwise, padding="same")
            return ops.conv(x, self.pointwise) + self.bias

    return Reference()


def _build_layer(answer: Any) -> Any:
    return block_model(answer, _MAPS, _WIDE)


def _reads_every_channel(answer: Any) -> None:
    model = once("layer", lambda: _build_layer(answer))
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1, *_MAPS)).astype("float32")
    before = as_array(call(model, x), "the output")
    for channel in range(_MAPS[-1]):
        changed = x.copy()
        changed[..., channel] += rng.normal(size=_MAPS[:2])
        after = as_array(call(model, changed), "the output")
        moved = (np.abs(after - before) > 1e-7).any(axis=(0, 1, 2))
        if not moved.all():
            raise Failure(
                f"a change of input channel {channel} reaches {int(moved.sum())} of "
                f"{_WIDE} output channels."
            )


_layer_rules = model_rules(
    _separable_oracle,
    _MAPS,
    build=_build_layer,
    without=(VARIABLES,),
    seeds=(0, 1),
    hints={
        SHAPE: (
            "The output has another height, width or number of channels.",
            '"Same" padding keeps height and width; the second layer chooses the '
            "number of channels.",
            "Look at the padding of the 3×3 layer, and at the filters of the other.",
        ),
        PARAMETERS: (
            "Compare with 1,232 parameters for 16 channels and 64 filters.",
            "One pattern a channel, a 1×1 kernel, and biases behind the second layer "
            "only.",
            "Look at the kernel size of the second layer, the multiplier of the first, "
            "and the biases of both.",
        ),
        INFERENCE: (
            "With the same weights, the outputs are not those of Keras' layer.",
            "The pair is one linear operation: nothing stands between the two halves, "
            "and nothing behind them.",
            "Look for an activation, and at which of the two layers comes first.",
        ),
    },
)

layer = Exercise(
    "separable.layer",
    kind="function",
    lesson="05",
    title="Spot the bug: too cheap",
    rules=[
        _layer_rules[0],
        Rule(
            "every output reads every channel",
            _reads_every_channel,
            hints=(
                "Change one input channel and count the outputs that notice.",
                "A depthwise step never mixes channels, whatever its multiplier is.",
                "A layer is missing: the one that only mixes.",
            ),
        ),
        *_layer_rules[1:],
    ],
    correct="shape, who reads whom, parameters and outputs",
)

# --- separable.intensity --------------------------------------------------------------


def _traffic(side: int, channels: int, size: int) -> tuple[float, float]:
    """Count operations and bytes on real arrays, by a library convolution of ones."""
    from keras import ops

    maps = np.ones((1, side, side, channels), "float32")
    weights = np.ones((size, size, channels, 1), "float32")
    # Padded with ones, a sum of ones says how many products it has.
    margin = size // 2
    spread = [(0, 0), (margin, size - 1 - margin), (margin, size - 1 - margin), (0, 0)]
    products = ops.convert_to_numpy(
        ops.depthwise_conv(np.pad(maps, spread, constant_values=1), weights)
    )
    moved = maps.nbytes + products.nbytes + weights.nbytes
    return 2.0 * float(products.sum(dtype="float64")), float(moved)


def _intensity_rule(case: tuple[int, int, int], wrong: Any = None) -> Any:
    def rule(answer: Any) -> None:
        operations, moved = _traffic(*case)
        came = call(answer, *case)
        what = "side={}, channels={}, kernel_size={}".format(*case)
        if wrong is not None:
            wrong(as_array(came, what), operations, moved, what)
        expect_close(came, operations / moved, what=what)

    return rule


def _a_number(answer: Any) -> None:
    value = as_array(call(answer, 8, 4, 3))
    if value.shape != () or value.dtype.kind not in "fiu" or not value > 0:
        raise Failure("expected one number above 0: operations for each byte.")


def _both_ways(answer: Any) -> None:
    """A large map: only what goes in and out counts."""
    operations, moved = _traffic(64, 3, 3)
    came = float(as_array(call(answer, 64, 3, 3)))
    for factor, words in [
        (0.5, "half of the right value: a multiplication and an addition are two"),
        (2.0, "twice the right value: maps go in *and* come out"),
        (4.0, "four times the right value: a number has 4 bytes"),
        (8.0, "eight times the right value: maps go in and come out, 4 bytes a number"),
    ]:
        if abs(came / (operations / moved) - factor) < 0.02 * factor:
            raise Failure(f"64×64 maps, 3 channels, 3×3: {came:.3g} is {words}.")


def _channels_do_not_help(answer: Any) -> None:
    few, many = (float(as_array(call(answer, 16, n, 3))) for n in (2, 64))
    if abs(few / many - 1) > 1e-6:
        raise Failure(
            f"with 2 channels you get {few:.4g}, with 64 channels {many:.4g}: each "
            "channel has its own kernel and does the same work."
        )


intensity = Exercise(
    "separable.intensity",
    kind="function",
    lesson="05",
    title="Operations for each byte",
    rules=[
        Rule(
            "one number",
            _a_number,
            hints=(
                "The function returns one number above zero.",
                "Divide operations by bytes.",
                "Look at the line that returns.",
            ),
        ),
        Rule(
            "two operations, two maps, four bytes",
            _both_ways,
            hints=(
                "For large maps and 3×3 kernels the value must be near 2.25.",
                "18 operations for a number that is read and a number that is written.",
                "Check the factors 2 above and 4 below, and that both maps are there.",
            ),
        ),
        Rule(
            "the same for any number of channels",
            _channels_do_not_help,
            hints=(
                "Compare the results for 2 and for 64 channels.",
                "Operations, maps and kernel all grow with the channels in the same "
                "way.",
                "Look for a place where the channels stand twice, or not at all.",
            ),
        ),
        Rule(
            "the kernel is moved, too",
            _intensity_rule((4, 6, 3)),
            hints=(
                "For large maps the value is right; for small ones it is not.",
                "On maps of 4×4, the kernel of 3×3 is no longer small.",
                "Look at the sum of what is moved: three terms.",
            ),
        ),
        Rule(
            "other kernel sizes",
            _intensity_rule((12, 3, 5)),
            hints=(
                "With 3×3 kernels the value is right, with 5×5 it is not.",
                "The window has as many positions as its side squared.",
                "Look for a 9, or a side that is not squared.",
            ),
        ),
    ],
    correct="large and small maps, few and many channels, two kernel sizes",
)

# --- separable.mask -------------------------------------------------------------------


def _dependence(channels: int, filters: int, groups: int) -> np.ndarray:
    """Find out with the library's grouped convolution who reads whom."""
    from keras import ops

    weights = np.ones((1, 1, channels // groups, filters), "float32")
    one_channel_each = np.eye(channels, dtype="float32").reshape(-1, 1, 1, channels)
    return ops.convert_to_numpy(ops.conv(one_channel_each, weights)).reshape(
        channels, filters
    )


_MASKS = {
    "square": (6, 6, 2),
    "depthwise": (5, 5, 5),
    "wide": (4, 12, 2),
    "one": (3, 4, 1),
}


def _mask(answer: Any, name: str) -> Any:
    return once(("mask", name), lambda: call(answer, *_MASKS[name]))


def _words(name: str) -> str:
    return "channels={}, filters={}, groups={}".format(*_MASKS[name])


def _mask_shape(answer: Any) -> None:
    for name, (channels, filters, _) in _MASKS.items():
        expect_shape(_mask(answer, name), (channels, filters), what=_words(name))


def _mask_ones(answer: Any) -> None:
    for name, (channels, filters, groups) in _MASKS.items():
        values = as_array(_mask(answer, name))
        if not np.isin(values, (0, 1)).all():
            raise Failure(f"{_words(name)}: expected only zeros and ones.")
        wanted = channels * filters // groups
        if values.sum() != wanted:
            raise Failure(
                f"{_words(name)}: expected {wanted} ones, got {int(values.sum())}."
            )


def _mask_values(names: list[str]) -> Any:
    def rule(answer: Any) -> None:
        for name in names:
            expect_close(
                _mask(answer, name), _dependence(*_MASKS[name]), what=_words(name)
            )

    return rule


mask = Exercise(
    "separable.mask",
    kind="function",
    lesson="05",
    title="Who reads whom",
    rules=[
        Rule(
            "a row a channel, a column a filter",
            _mask_shape,
            hints=(
                "Compare the shape with (channels, filters), where the two differ.",
                "The kernel of a 1×1 convolution has this shape, too.",
                "Look at which of the two gets the new axis.",
            ),
        ),
        Rule(
            "the number of ones",
            _mask_ones,
            hints=(
                "Count the ones: a share of 1 / groups of all entries.",
                "A filter reads the channels of its own group and no others.",
                "Look at the size of a group of channels, and of filters: they differ.",
            ),
        ),
        Rule(
            "as many filters as channels",
            _mask_values(["square", "depthwise", "one"]),
            hints=(
                "The number of ones is right, but they are not where they should be.",
                "The first group holds the first channels, not every second one.",
                "Look at the operator that gives a channel its group.",
            ),
        ),
        Rule(
            "more filters than channels",
            _mask_values(["wide"]),
            hints=(
                "With equal numbers the mask is right; with 4 channels and 12 filters "
                "it is not.",
                "The filters have groups of their own size, in the same order.",
                "Look at how a filter gets its group.",
            ),
        ),
    ],
    correct="square, wide and depthwise masks, and one group",
)
