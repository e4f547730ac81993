"""Checks of lesson 11, *Intermediate activations*."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from course_utils.exercises import (
    Exercise,
    Failure,
    Rule,
    as_array,
    call,
    describe,
    expect_close,
    expect_equal,
    expect_shape,
    once,
)

# --- activations.model ----------------------------------------------------------------


def _chain() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((9, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(5, 2, activation="tanh", name="second")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, layers.Dense(2, name="scores")(x))


def _branches() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((9, 8, 3))
    left = layers.Conv2D(3, 3, padding="same", activation="tanh", name="left")(inputs)
    right = layers.Conv2D(3, 3, padding="same", name="right")(inputs)
    x = layers.Add(name="sum")([left, right])
    return keras.Model(inputs, layers.Conv2D(2, 1, name="last")(x))


def _photographs() -> np.ndarray:
    draw = np.random.default_rng(110)
    return draw.uniform(-1, 1, (2, 9, 8, 3)).astype("float32")


_CHAIN_NAMES, _BRANCH_NAMES = ("first", "pool", "second"), ("left", "right")


def _built(answer: Any, kind: str) -> tuple[Any, Any]:
    """Return one of our models, and the learner's model of its activations."""

    def build() -> tuple[Any, Any]:
        import keras

        model = _chain() if kind == "chain" else _branches()
        names = _CHAIN_NAMES if kind == "chain" else _BRANCH_NAMES
        result = call(answer, model, list(names))
        if not isinstance(result, keras.Model):
            raise Failure(
                f"expected a keras.Model, got {describe(result)}.", rule="is a model"
            )
        return model, result

    return once(("activation model", kind), build)


def _outputs(answer: Any, kind: str) -> dict[str, Any]:
    _, built = _built(answer, kind)
    names = _CHAIN_NAMES if kind == "chain" else _BRANCH_NAMES
    with warnings.catch_warnings():
        # Keras warns of an array where the inputs were given as a list of one.
        warnings.simplefilter("ignore")
        outputs = call(built, _photographs())
    if not isinstance(outputs, dict):
        raise Failure(
            f"the outputs: expected a dict with the keys {', '.join(names)}, got "
            f"{describe(outputs)}."
        )
    keys = [key for key in outputs if isinstance(key, str)]
    if len(outputs) != len(keys) or set(keys) != set(names):
        raise Failure(
            f"the outputs: expected the keys {', '.join(names)}, got "
            f"{', '.join(map(describe, outputs)) or 'none'}."
        )
    return outputs


def _one_for_each_name(answer: Any) -> None:
    _outputs(answer, "chain")


def _same_as_watched(answer: Any, kind: str) -> None:
    """Compare with what the layers really put out while the model runs."""
    from course_utils import interpret

    model, _ = _built(answer, kind)
    outputs = _outputs(answer, kind)
    wanted = interpret.activations(model, _photographs(), list(outputs))
    for name, value in wanted.items():
        expect_close(outputs[name], value, what=f"the output {name!r}")


def _follows_weights(answer: Any) -> None:
    model, _ = _built(answer, "chain")
    layer = model.get_layer("first")
    kept = layer.get_weights()
    draw = np.random.default_rng(111)
    try:
        layer.set_weights([draw.normal(size=w.shape) for w in kept])
        _same_as_watched(answer, "chain")
    except Failure as failure:
        raise Failure(
            "after new weights were set in the given model, the activations are still "
            f"the old ones: {failure.message}"
        ) from None
    finally:
        layer.set_weights(kept)


model = Exercise(
    "activations.model",
    kind="model",
    lesson="11",
    title="The activation model",
    rules=[
        Rule(
            "one output for each name",
            _one_for_each_name,
            hints=(
                "Call your model on a batch of images and look at the type and at the "
                "keys of what comes back.",
                "What a model returns has the structure that it was given as outputs: "
                "a list gives a list, a dict gives a dict.",
                "Look at the second argument of `keras.Model`.",
            ),
        ),
        Rule(
            "what the layers put out",
            lambda answer: _same_as_watched(answer, "chain"),
            hints=(
                "Compare the shapes with those of the layer that is named.",
                "Each layer knows two tensors: what it reads and what it gives back.",
                "Look at the attribute that you take from each layer.",
            ),
        ),
        Rule(
            "uses the layers of the given model",
            _follows_weights,
            hints=(
                "Change a weight of the given model, and compare again.",
                "A copy of a layer has weights of its own.",
                "Look for a line that clones or copies. The tensors of the given model "
                "can be used as they are.",
            ),
        ),
        Rule(
            "also where the model branches",
            lambda answer: _same_as_watched(answer, "branches"),
            hints=(
                "Two layers of this model read the images themselves.",
                "The list of layers is no recipe: what a layer reads need not be what "
                "the layer before it in the list wrote.",
                "Look for a loop that calls one layer after the other. The tensors "
                "are connected already.",
            ),
        ),
    ],
    correct="the outputs by name, shared weights, a chain and a branched model",
)

# --- activations.one_map --------------------------------------------------------------

_CHANNELS = 5


def _stack() -> np.ndarray:
    draw = np.random.default_rng(112)
    return draw.normal(size=(2, 4, 3, _CHANNELS)).astype("float32")


def _map_shape(answer: Any) -> None:
    for channel in (0, 3):
        expect_shape(call(answer, _stack(), channel), (2, 4, 3), what=f"map {channel}")


def _map_values(answer: Any) -> None:
    stack = _stack()
    for channel in (0, 3, _CHANNELS - 1):
        pick = np.zeros(_CHANNELS, "float32")
        pick[channel] = 1
        wanted = np.einsum("nhwc,c->nhw", stack, pick)
        expect_close(call(answer, stack, channel), wanted, what=f"map {channel}")


def _refuses(answer: Any) -> None:
    asked = f"map {_CHANNELS} of {_CHANNELS} (they count from 0)"
    try:
        result = call(answer, _stack(), _CHANNELS)
    except Failure:
        raise
    except Exception as error:
        original = getattr(error, "original", error)
        if isinstance(original, IndexError):
            return
        if isinstance(original, (ValueError, LookupError)):
            kind = type(original).__name__
            raise Failure(f"{asked}: expected an IndexError, got {kind}.") from None
        raise
    raise Failure(f"{asked}: expected an IndexError, got {describe(result)}.")


one_map = Exercise(
    "activations.one_map",
    kind="function",
    lesson="11",
    title="Spot the bug: a map that is not there",
    rules=[
        Rule(
            "one map an image",
            _map_shape,
            hints=(
                "Print the shape for number 0 and for number 3.",
                "The images stay, the channels go: three axes of four are left.",
                "A slice keeps its axis, a single number drops it.",
            ),
        ),
        Rule(
            "the map that was asked for",
            _map_values,
            hints=(
                "The shape is right, but these are the values of something else.",
                "Channels are the last axis, and they count from 0.",
                "Look at the place of the number between the brackets.",
            ),
        ),
        Rule(
            "no such map is an error",
            _refuses,
            hints=(
                "Ask for a number that is one too large.",
                "Slices and some functions bend a number that is out of range; plain "
                "indexing refuses it.",
                "Put the number itself at the last axis.",
            ),
        ),
    ],
    correct="one map of every image, and an error where there is none",
)

# --- activations.receptive_field ------------------------------------------------------

_CONV, _POOL = (3, 1), (2, 2)
_LAYERS = [_CONV, _POOL] * 4 + [_CONV]


def _pixels_seen(layers: Sequence[tuple[int, int]]) -> int:
    """Follow one number back to the pixels, as a set of their positions."""
    places = {0}
    for window, stride in reversed(layers):
        places = {place * stride + i for place in places for i in range(window)}
    return len(places)


def _drifts_apart(answer: float) -> None:
    near = [(window, 1) for window, _ in _LAYERS]
    convs = [(window, 1) for window, stride in _LAYERS if stride == 1]
    if answer in (_pixels_seen(near), _pixels_seen(convs)):
        raise Failure(
            f"{answer:g} takes neighbors to be one pixel apart in every layer. Behind "
            "a pooling they are two apart, behind two of them four."
        )


def _windows_of_poolings(answer: float) -> None:
    strides_only = [(1, 2) if layer == _POOL else layer for layer in _LAYERS]
    if answer == _pixels_seen(strides_only):
        raise Failure(
            f"{answer:g} lets the poolings halve the map, but not look: each of them "
            "reads two neighbors."
        )


def _all_nine(answer: float) -> None:
    for count in range(1, len(_LAYERS)):
        if answer == _pixels_seen(_LAYERS[:count]):
            raise Failure(f"{answer:g} is the field after {count} of the nine layers.")


def _width(answer: float) -> None:
    right = _pixels_seen(_LAYERS)
    if answer != right:
        words = "too wide" if answer > right else "too narrow"
        raise Failure(f"{answer:g} is {words}.")


receptive_field = Exercise(
    "activations.receptive_field",
    kind="number",
    lesson="11",
    title="How far does it see?",
    rules=[
        Rule(
            "neighbors drift apart",
            _drifts_apart,
            hints=(
                "Your number is small: less than one eye of the cat.",
                "A stride of 2 doubles the distance of neighbors, measured in pixels.",
                "Multiply what a layer adds by the product of all strides before it.",
            ),
        ),
        Rule(
            "poolings look, too",
            _windows_of_poolings,
            hints=(
                "Compare with the text above: behind the first pooling it is 4, not 3.",
                "A pooling has a window of two, so it adds one distance.",
                "Add 1, 2, 4 and 8 for the four poolings.",
            ),
        ),
        Rule(
            "all nine layers",
            _all_nine,
            hints=(
                "Your number belongs to an earlier layer.",
                "The question is about the last convolution, behind four poolings.",
                "Go on: five convolutions and four poolings in turn.",
            ),
        ),
        Rule(
            "the width",
            _width,
            hints=(
                "Check your numbers after two layers (4) and after four (10).",
                "First a layer adds (window − 1) times the distance; only then does "
                "its stride change the distance for the layers behind it.",
                "Write a table: layer, distance before it, what it adds, the sum.",
            ),
        ),
    ],
    correct="windows and strides of all nine layers",
)

# --- activations.sparsity -------------------------------------------------------------


def _relu_maps(seed: int, count: int, zeros: float) -> np.ndarray:
    draw = np.random.default_rng([113, seed])
    maps = draw.uniform(0.1, 1, (count, 3, 2, 4)).astype("float32")
    maps[draw.uniform(size=maps.shape) < zeros] = 0
    maps[0, 0, 0] = 0.5  # no channel is dead by chance
    return maps


def _sparsity(
    answer: Any, batches: Sequence[np.ndarray], once_only: bool = False
) -> tuple[Any, Any]:
    given: Any = list(batches)
    if once_only:

        def one_by_one() -> Iterator[np.ndarray]:
            yield from (batch.copy() for batch in batches)

        given = one_by_one()
    result = call(answer, given)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Failure(
            "expected two things, a share and an array of truth values, got "
            f"{describe(result)}."
        )
    return result[0], result[1]


def _wanted(batches: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
    """Count value by value, with all images in one array."""
    maps = np.concatenate(batches)
    filters = maps.shape[-1]
    by_channel = np.moveaxis(maps, -1, 0).reshape(filters, -1)
    nonzero = [np.count_nonzero(row) for row in by_channel]
    return 1 - sum(nonzero) / maps.size, np.array([n == 0 for n in nonzero])


def _two_results(answer: Any) -> None:
    share, dead = _sparsity(answer, [_relu_maps(0, 2, 0.3)])
    expect_shape(share, (), what="the share")
    came = as_array(dead, "the dead channels")
    if came.dtype.kind != "b":
        raise Failure(f"the dead channels: expected booleans, got {came.dtype}.")
    expect_shape(came, (4,), what="the dead channels")


def _compare(answer: Any, batches: Sequence[np.ndarray], part: str = "both") -> None:
    share, dead = _sparsity(answer, batches)
    wanted_share, wanted_dead = _wanted(batches)
    if part in ("share", "both"):
        expect_close(share, wanted_share, what="the share of zeros")
    if part in ("dead", "both"):
        expect_close(dead, wanted_dead, rtol=0, atol=0, what="the dead channels")


def _share_of_one(answer: Any) -> None:
    _compare(answer, [_relu_maps(1, 3, 0.4)], "share")


def _share_of_unequal(answer: Any) -> None:
    _compare(answer, [_relu_maps(2, 6, 0.1), _relu_maps(3, 1, 0.9)], "share")


def _dead_everywhere(answer: Any) -> None:
    first, second = _relu_maps(4, 3, 0.4), _relu_maps(5, 2, 0.4)
    first[..., 1] = 0
    second[..., 1] = 0
    first[..., 2] = 0  # silent in the first batch only
    second[..., 3] = 0  # silent in the last batch only
    _compare(answer, [first, second], "dead")


def _negative_values(answer: Any) -> None:
    maps = _relu_maps(6, 2, 0.3)
    maps[..., 0] = -0.2
    maps[..., 1] = 0
    maps[0, 0, 0, 1], maps[0, 1, 0, 1] = 1.0, -1.0  # the sum is zero, the map is not
    _compare(answer, [maps])


def _one_pass(answer: Any) -> None:
    batches = [_relu_maps(7, 2, 0.4), _relu_maps(8, 3, 0.4)]
    for batch in batches:
        batch[..., 2] = 0
    wanted_share, wanted_dead = _wanted(batches)
    share, dead = _sparsity(answer, batches, once_only=True)
    expect_close(
        share, wanted_share, what="the share of zeros, batches from a generator"
    )
    expect_close(
        dead, wanted_dead, rtol=0, atol=0, what="the dead channels, from a generator"
    )


sparsity = Exercise(
    "activations.sparsity",
    kind="function",
    lesson="11",
    title="Sparsity in batches",
    rules=[
        Rule(
            "a share and a truth value a channel",
            _two_results,
            hints=(
                "Look at what your function returns: how many things, which shapes?",
                "Channels are the last axis; images and places are gone.",
                "Look at the axes over which you ask whether everything is zero.",
            ),
        ),
        Rule(
            "the share of zeros",
            _share_of_one,
            hints=(
                "Count by hand in a small array: zeros over all values.",
                "The share is about single values, not about maps or images.",
                "Look at the comparison, and at what you divide by.",
            ),
        ),
        Rule(
            "each image counts alike",
            _share_of_unequal,
            hints=(
                "With two batches of 6 and of 1 images the share is off.",
                "The mean of two means is the mean of all only for equal sizes.",
                "Add up zeros and values in the loop; divide once, behind it.",
            ),
        ),
        Rule(
            "dead is dead in every batch",
            _dead_everywhere,
            hints=(
                "One channel is silent in the first batch only, one in the last only.",
                "A channel that lives once is not dead.",
                "Look at how a new batch changes the array that you keep.",
            ),
        ),
        Rule(
            "negative is not zero",
            _negative_values,
            hints=(
                "Try a layer with negative values.",
                "Not above zero, or a sum of zero, is something else than zero.",
                "Compare each value with zero; sums and maxima lose what you need.",
            ),
        ),
        Rule(
            "goes through the batches once",
            _one_pass,
            hints=(
                "A list can be gone through twice; what arrives here may be gone "
                "after the first time.",
                "A generator computes each batch when it is asked for, and forgets it.",
                "Do everything in one loop.",
            ),
        ),
    ],
    correct="the share over all values, and what is zero in every batch",
)

# --- activations.pictures -------------------------------------------------------------


def _flat_steps() -> np.ndarray:
    """Maps of very different sizes, none of which reaches a limit."""
    draw = np.random.default_rng(114)
    maps = draw.uniform(0, 1, (9, 7, 3))
    return (maps * [1e-1, 1.0, 50.0] + [0.0, 3.0, -20.0]).astype("float32")


def _picture_of(one: np.ndarray) -> np.ndarray:
    """The recipe for one map, in double precision and before rounding."""
    values = one.astype("float64").ravel()
    middle = sum(values) / len(values)
    spread = np.sqrt(sum((values - middle) ** 2) / len(values))
    score = (one - middle) / spread if spread else np.zeros(one.shape)
    return np.minimum(np.maximum(score * 64 + 128, 0), 255)


def _expect_pictures(answer: Any, maps: np.ndarray, what: str) -> None:
    result = as_array(call(answer, maps), what)
    expect_shape(result, maps.shape, what=what)
    channels = range(maps.shape[-1])
    wanted = np.stack([_picture_of(maps[..., c]) for c in channels], axis=-1)
    # Rounded or cut off, both are right.
    off = np.abs(result.astype("float64") - wanted)
    if not (off <= 1.01).all():
        place = np.unravel_index(np.nanargmax(off), off.shape)
        raise Failure(
            f"{what}: {int((off > 1.01).sum())} of {off.size} gray values are off, "
            f"most at {[int(i) for i in place]}: expected {wanted[place]:.0f}, got "
            f"{result[place]}."
        )


def _bytes_of_shape(answer: Any) -> None:
    maps = _flat_steps()
    result = as_array(call(answer, maps), "the pictures")
    expect_shape(result, maps.shape, what="the pictures")
    if result.dtype != np.uint8:
        raise Failure(f"the pictures: expected uint8, got {result.dtype}.")


def _by_itself(answer: Any) -> None:
    _expect_pictures(answer, _flat_steps(), "maps of different sizes")


def _limited(answer: Any) -> None:
    maps = _flat_steps()
    maps[4, 3] = [2.0, 15.0, -600.0]
    _expect_pictures(answer, maps, "maps with one value far out")


def _flat_maps(answer: Any) -> None:
    maps = _flat_steps()
    maps[..., 0], maps[..., 2] = 0.0, 0.5
    _expect_pictures(answer, maps, "maps of which two are the same everywhere")


pictures = Exercise(
    "activations.pictures",
    kind="function",
    lesson="11",
    title="Spot the bug: looking changes the measurement",
    rules=[
        Rule(
            "bytes of the same shape",
            _bytes_of_shape,
            hints=(
                "Print the shape and the type of what comes back.",
                "A gray picture is made of bytes, one for each number of the map.",
                "Look at the last thing that your function does.",
            ),
        ),
        Rule(
            "each map by itself",
            _by_itself,
            hints=(
                "One map of the three has values a thousand times smaller.",
                "Mean and spread belong to one channel, over all of its places.",
                "Look at the axes of the mean and of the spread, and at 64 and 128.",
            ),
        ),
        Rule(
            "limits before bytes",
            _limited,
            hints=(
                "A value far above the others should be white.",
                "A byte holds 0 to 255. What is outside comes out as something else.",
                "Look at the order of the last two steps.",
            ),
        ),
        Rule(
            "a flat map is gray",
            _flat_maps,
            hints=(
                "A map that is the same everywhere: what is it divided by?",
                "Zero divided by zero is no number, and no byte either.",
                "Put something harmless in the place of a spread of zero.",
            ),
        ),
    ],
    correct="each map by itself, limited, gray where flat, and the stack untouched",
)

# --- activations.dog_channel ----------------------------------------------------------

_FIT = np.array([0] * 5 + [1] * 5)
_NEW = np.array([0] * 4 + [1] * 4)


def _columns(*columns: Sequence[float]) -> np.ndarray:
    return np.stack([np.asarray(column, "float32") for column in columns], axis=1)


_STEP, _NEW_STEP = [0.0] * 5 + [1.0] * 5, [0.0] * 4 + [1.0] * 4
_WEAK = [0.0, 0, 1, 1, 0, 1, 1, 0, 0, 1]  # right in 6 of 10
_OUTLIER = [0.0] * 5 + [100.0, 0, 0, 0, 0]  # large means, right in 6 of 10
_CHANCE = [0.0, 1, 0, 1, 1, 0, 1, 0]


def _chosen(
    answer: Any, features: np.ndarray, new_features: np.ndarray
) -> tuple[Any, Any]:
    result = call(answer, features, _FIT, new_features, _NEW)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Failure(
            f"expected two things, a channel and a share, got {describe(result)}."
        )
    return result[0], result[1]


def _two_numbers(answer: Any) -> None:
    features = _columns(_WEAK, _STEP)
    channel, share = _chosen(answer, features, _columns(_CHANCE, _NEW_STEP))
    expect_shape(channel, (), what="the channel")
    expect_shape(share, (), what="the share")


def _chooses_by_first(answer: Any) -> None:
    features = _columns(_WEAK, _OUTLIER, _STEP, _WEAK)
    new = _columns(_NEW_STEP, _CHANCE, _CHANCE, _NEW_STEP)
    channel, _ = _chosen(answer, features, new)
    expect_equal(channel, 2, what="the channel that is right in all first images")


def _judges_on_new(answer: Any) -> None:
    new = [0.1, 0.2, 0.3, 0.9, 0.8, 0.7, 0.9, 0.1]  # right in 6 of 8
    features = _columns(_WEAK, _STEP)
    channel, share = _chosen(answer, features, _columns(_CHANCE, new))
    expect_equal(channel, 1, what="the channel")
    expect_close(share, 0.75, what="a channel that is right in 6 of 8 new images")


def _limit_of_first(answer: Any) -> None:
    # All new values lie above the limit: all are called dogs, and half of them are.
    new = [value + 10 for value in _NEW_STEP]
    _, share = _chosen(answer, _columns(_WEAK, _STEP), _columns(_CHANCE, new))
    expect_close(
        share, 0.5, what="new images that all lie above the limit of the first ones"
    )


def _larger_for_cats(answer: Any) -> None:
    down = [1 - value for value in _STEP]
    new = [1 - value for value in _NEW_STEP]
    channel, share = _chosen(
        answer, _columns(_WEAK, down), _columns(_CHANCE, [*new[:-1], 1.0])
    )
    expect_equal(channel, 1, what="the channel that is larger for every cat")
    expect_close(share, 0.875, what="the share, right in 7 of 8 new images")


dog_channel = Exercise(
    "activations.dog_channel",
    kind="function",
    lesson="11",
    title="Spot the bug: the dog channel",
    rules=[
        Rule(
            "gives a channel and a share",
            _two_numbers,
            hints=(
                "Look at what your function returns.",
                "Two numbers: which channel it is, and how often it is right.",
                "The share is of one channel, not an array of all of them.",
            ),
        ),
        Rule(
            "chooses the channel by the first images",
            _chooses_by_first,
            hints=(
                "In this test one channel is right in all of the first images.",
                "A choice that has seen the new images is no longer judged by them; "
                "and a large difference of means is not the same as many hits.",
                "Look at which images, and which number, the choice is made with.",
            ),
        ),
        Rule(
            "judges on the new images",
            _judges_on_new,
            hints=(
                "The share that comes back is that of the first images.",
                "The best of many is best by luck, too; luck does not repeat.",
                "Count again, for the chosen channel, in the new images.",
            ),
        ),
        Rule(
            "keeps the limits of the first images",
            _limit_of_first,
            hints=(
                "New images with values that are 10 larger: what becomes of the limit?",
                "A rule is finished before it meets the new images.",
                "Look for a mean that is taken over the new features.",
            ),
        ),
        Rule(
            "a channel may be larger for cats",
            _larger_for_cats,
            hints=(
                "In this test the best channel falls where there is a dog.",
                "A rule with the signs exchanged is as good a rule.",
                "Ask which of the two class means is the larger one.",
            ),
        ),
    ],
    correct="chosen on the first images, judged on the new ones",
)
