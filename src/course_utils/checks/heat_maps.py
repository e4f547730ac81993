"""Checks of lesson 13, *Where it looks: heat maps*."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.exercises import (
    Exercise,
    Failure,
    Rule,
    as_array,
    call,
    expect_close,
    expect_shape,
)

# --- heat.one_unit --------------------------------------------------------------------

_MAPS = (3, 4, 5)  # images, height, width


def _maps(channels: int) -> np.ndarray:
    rng = np.random.default_rng(130)
    return rng.uniform(0.2, 2, (*_MAPS, channels)).astype("float32")


def _straight(weights: list[float], bias: float = 0.0) -> Any:
    """Return a model whose logit is the weighted sum of all places of each map."""
    import keras
    from keras import layers, ops

    inputs = keras.Input((*_MAPS[1:], len(weights)))
    dense = layers.Dense(1)
    model = keras.Model(inputs, dense(ops.sum(inputs, axis=(1, 2))))
    dense.set_weights([np.array(weights)[:, None], np.array([bias])])
    return model


def _curved(channels: int) -> tuple[Any, np.ndarray]:
    """Return a model whose logit is a weighted sum of squares, and the weights."""
    import keras
    from keras import layers, ops

    inputs = keras.Input((*_MAPS[1:], channels))
    dense = layers.Dense(1)
    model = keras.Model(inputs, dense(layers.Flatten()(ops.square(inputs))))
    kernel = np.random.default_rng(131).normal(0.1, 1, (*_MAPS[1:], channels))
    dense.set_weights([kernel.reshape(-1, 1) / 2, np.zeros(1)])
    return model, kernel


def _heat(
    answer: Any, model: Any, maps: np.ndarray, classes: tuple[int, ...] = (1, 1, 1)
) -> np.ndarray:
    heat = call(answer, model, maps, np.array(classes))
    expect_shape(heat, _MAPS, what="the heat maps")
    return as_array(heat, "the heat maps")


def _same_picture(came: np.ndarray, wanted: np.ndarray, words: str) -> None:
    """Require maps that are equal up to one factor for all."""
    if not np.isfinite(came).all():
        raise Failure("the heat maps hold NaN or infinite values.")
    came, wanted = (m / max(float(np.abs(m).max()), 1e-12) for m in (came, wanted))
    if not np.allclose(came, wanted, atol=1e-4):
        raise Failure(words)


def _one_map_each(answer: Any) -> None:
    _heat(answer, _straight([0.3, 0.5]), _maps(2))


def _nothing_below_zero(answer: Any) -> None:
    for weights in ([-0.5], [0.5]):
        heat = _heat(answer, _straight(weights), _maps(1))
        if not (heat >= 0).all():
            raise Failure(f"the smallest value is {heat.min():.3g}, below 0.")


def _logit_as_it_is(answer: Any) -> None:
    maps = _maps(1)
    for bias in (0.0, 60.0):
        _same_picture(
            _heat(answer, _straight([0.5], bias), maps),
            maps[..., 0],
            f"the logit is the sum of one map, plus {bias:g}: the heat map should show "
            "that map.",
        )


def _signs(answer: Any) -> None:
    for weight in (0.5, -0.5):
        heat = _heat(answer, _straight([weight]), _maps(1), (1, 0, 0))
        came = [bool(m.max() > 1e-6) for m in heat]
        wanted = [weight > 0, weight < 0, weight < 0]
        if came != wanted:
            words = "rises" if weight > 0 else "falls"
            raise Failure(
                f"where the logit {words} with the map, images of the classes 1, 0, 0 "
                f"should have heat: {wanted}, got {came}."
            )


def _cut_last(answer: Any) -> None:
    maps, weights = _maps(2), np.array([0.5, -0.4])
    _same_picture(
        _heat(answer, _straight(list(weights)), maps),
        np.maximum(maps @ weights, 0),
        "with one map for the class and one against it, the two should be summed "
        "before anything is cut off.",
    )


def _means_of_places(answer: Any) -> None:
    model, kernel = _curved(4)
    maps = _maps(4)
    weights = (kernel * maps).mean(axis=(1, 2))  # the gradient of the squares
    for classes in ((1, 1, 1), (0, 1, 0)):
        sign = 2 * np.array(classes) - 1
        wanted = np.einsum("nhwc,nc->nhw", maps, sign[:, None] * weights)
        came = call(answer, model, maps, np.array(classes))
        expect_close(
            came,
            np.maximum(wanted, 0),
            rtol=1e-3,
            atol=1e-4,
            what=f"the heat maps of the classes {classes}",
        )


one_unit = Exercise(
    "heat.one_unit",
    kind="function",
    lesson="13",
    title="Grad-CAM for one unit",
    rules=[
        Rule(
            "one map for each image",
            _one_map_each,
            hints=(
                "Compare the shape of the result with that of the maps.",
                "The channels are summed, the images and the places stay.",
                "Look at the axis of your sums and means.",
            ),
        ),
        Rule(
            "nothing below zero",
            _nothing_below_zero,
            hints=(
                "Look at the smallest value of your result.",
                "What speaks against the class is no heat.",
                "Cut the negative part off at the end.",
            ),
        ),
        Rule(
            "the logit as it is",
            _logit_as_it_is,
            hints=(
                "Try a model with a logit near 60.",
                "A sigmoid is flat where the network is certain, and its gradient "
                "is gone.",
                "The model gives logits already: put nothing behind it.",
            ),
        ),
        Rule(
            "class 0 has the other sign",
            _signs,
            hints=(
                "Ask twice for the same maps, once for class 1 and once for class 0.",
                "What raises the logit speaks for class 1 and against class 0, in each "
                "image by its own class.",
                "Look at what each logit is multiplied by before the sum.",
            ),
        ),
        Rule(
            "cut after the sum",
            _cut_last,
            hints=(
                "Try two maps, one with a positive and one with a negative weight.",
                "A map that speaks against the class lowers the heat; it must take "
                "part in the sum.",
                "Look at the order of the sum over the channels and the cut.",
            ),
        ),
        Rule(
            "weights are means over the places",
            _means_of_places,
            hints=(
                "The picture is right for simple models, the values are not right for "
                "all.",
                "Each image has one weight a channel: the mean of its gradient over "
                "rows and columns.",
                "Look at the axes of the mean, and at what became of the batch.",
            ),
        ),
    ],
    correct="one map an image, for the class asked, with weights that are means",
)

# --- heat.softmax ---------------------------------------------------------------------

_IMAGES, _CLASSES = (2, 4, 5, 3), 5


def _images() -> np.ndarray:
    return np.random.default_rng(132).normal(size=_IMAGES).astype("float32")


def _ending_in_softmax(
    sequential: bool, bias: np.ndarray | None = None
) -> tuple[Any, np.ndarray]:
    """Return a linear classifier with a softmax layer, and its kernel."""
    import keras
    from keras import layers

    dense = layers.Dense(_CLASSES)
    stack = [layers.Flatten(), dense, layers.Softmax()]
    inputs = keras.Input(_IMAGES[1:])
    if sequential:
        model = keras.Sequential([inputs, *stack])
    else:
        x = inputs
        for layer in stack:
            x = layer(x)
        model = keras.Model(inputs, x)
    rng = np.random.default_rng(133)
    kernel = rng.normal(0, 0.1, (int(np.prod(_IMAGES[1:])), _CLASSES))
    dense.set_weights([kernel, np.zeros(_CLASSES) if bias is None else bias])
    return model, kernel


def _softmax_shape(answer: Any) -> None:
    model, _ = _ending_in_softmax(False)
    expect_shape(call(answer, model, _images(), 1), _IMAGES, what="the gradient")


def _alive(answer: Any) -> None:
    bias = np.zeros(_CLASSES)
    bias[2] = 200.0
    model, kernel = _ending_in_softmax(False, bias)
    came = as_array(call(answer, model, _images(), 2), "the gradient")
    largest = float(np.abs(came).max())
    if not largest > 0.2 * np.abs(kernel[:, 2]).max():
        raise Failure(
            "where the model gives the class a probability of 1, the largest gradient "
            f"is {largest:.1e}; that of the logit is {np.abs(kernel[:, 2]).max():.2f}."
        )


def _one_class_alone(answer: Any) -> None:
    for sequential in (False, True):
        model, kernel = _ending_in_softmax(sequential)
        words = "Sequential" if sequential else "functional"
        for number in (0, 3):
            wanted = np.broadcast_to(kernel[:, number].reshape(_IMAGES[1:]), _IMAGES)
            expect_close(
                call(answer, model, _images(), number),
                wanted,
                what=f"the gradient of class {number} in a {words} model",
            )


def _model_stays(answer: Any) -> None:
    import keras

    for sequential in (False, True):
        model, _ = _ending_in_softmax(sequential)
        images = _images()
        before = keras.ops.convert_to_numpy(model(images))
        count = len(model.layers)
        call(answer, model, images, 1)
        after = keras.ops.convert_to_numpy(model(images))
        same = after.shape == before.shape and np.allclose(before, after, atol=1e-6)
        if not same or len(model.layers) != count:
            raise Failure(
                "after your function ran, the model puts out something else: a row "
                f"sums up to {after[0].sum():.3g}, before to {before[0].sum():.3g}."
            )


softmax = Exercise(
    "heat.softmax",
    kind="function",
    lesson="13",
    title="Spot the bug: a probability in place of the logit",
    rules=[
        Rule(
            "keeps the shape",
            _softmax_shape,
            hints=(
                "Compare the shape of the result with that of the images.",
                "Each value of each image has a slope of its own.",
                "`value_and_gradient` returns two things; the second is asked for.",
            ),
        ),
        Rule(
            "alive where the softmax is certain",
            _alive,
            hints=(
                "Try a model that is certain: its gradient should not depend on that.",
                "A softmax is flat where one class has everything, and so is its "
                "logarithm.",
                "The score must not pass through the last layer.",
            ),
        ),
        Rule(
            "asks for one class alone",
            _one_class_alone,
            hints=(
                "Change the weights of another class: the gradient should stay.",
                "The logit of a class knows nothing of the others.",
                "Look at which column of the logits you sum, and at nothing else.",
            ),
        ),
        Rule(
            "leaves the model as it was",
            _model_stays,
            hints=(
                "Look at the output of the model before and after your function.",
                "Someone else still needs the probabilities.",
                "Build a second model in place of changing the first.",
            ),
        ),
    ],
    correct="the gradient of one logit, on two kinds of models that stay as they were",
)

# --- heat.error -----------------------------------------------------------------------

_PARTS, _LOGIT, _AT_BASELINE = (3.1, 2.9, -0.4, 1.6), 7.5, -0.5


def _near(answer: float, value: float) -> bool:
    return bool(np.isclose(answer, value, rtol=2e-3, atol=1e-6))


def _signed_parts(answer: float) -> None:
    size, change = float(np.abs(_PARTS).sum()), _LOGIT - _AT_BASELINE
    kept = float(sum(part for part in _PARTS if part > 0))
    for wrong in (size, kept):
        if _near(answer, abs(wrong - change) / change):
            raise Failure(
                f"{answer:g} comes out where the parts are taken as {wrong:g} in all. "
                "One of the parts is negative."
            )


def _from_the_baseline(answer: float) -> None:
    total = float(sum(_PARTS))
    for change in (_LOGIT, _LOGIT + _AT_BASELINE):
        if _near(answer, abs(total - change) / change):
            raise Failure(
                f"{answer:g} compares the sum with {change:g}, which is not the change "
                "from the baseline to the image."
            )


def _as_a_part(answer: float) -> None:
    total, change = float(sum(_PARTS)), _LOGIT - _AT_BASELINE
    missed = abs(total - change)
    for wrong, words in (
        (missed, "is what the sum misses, in units of the logit"),
        (100 * missed / change, "is in percent"),
        (missed / total, "is a part of the sum"),
    ):
        if _near(answer, wrong):
            raise Failure(f"{answer:g} {words}; asked for is a part of the change.")


def _the_error(answer: float) -> None:
    change = _LOGIT - _AT_BASELINE
    wanted = abs(1 - float(np.dot(_PARTS, np.ones(4))) / change)
    if not _near(answer, wanted):
        words = "too large" if answer > wanted else "too small"
        raise Failure(
            f"{answer:g} is {words}: it would mean that the sum of the parts and the "
            f"change differ by {100 * answer:.3g} % of the change."
        )


error = Exercise(
    "heat.error",
    kind="number",
    lesson="13",
    title="What the sum misses",
    rules=[
        Rule(
            "keeps the signs",
            _signed_parts,
            hints=(
                "Add the four parts up once more.",
                "A part that speaks against the class counts with its minus.",
                "Look at the third part.",
            ),
        ),
        Rule(
            "compares with the change",
            _from_the_baseline,
            hints=(
                "By how much does the logit rise from the baseline to the image?",
                "The baseline's logit is below zero; the way up from there is longer.",
                "Subtract a negative number.",
            ),
        ),
        Rule(
            "a part of the change",
            _as_a_part,
            hints=(
                "Read again in which unit the answer is asked for.",
                "An error says more next to the size of what it is an error of.",
                "Divide what is missing by the change, and stop there.",
            ),
        ),
        Rule(
            "the error",
            _the_error,
            hints=(
                "Do it in two steps: what is missing, and then which part that is.",
                "Completeness: the sum of the parts should be the change of the logit.",
                "|sum − change| / change.",
            ),
        ),
    ],
    correct="what the sum misses, as a part of the change from the baseline",
)

# --- heat.path ------------------------------------------------------------------------

_PIXELS = (3, 4, 2)


def _way() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return an image, a baseline below it and the slope of a straight score."""
    rng = np.random.default_rng(134)
    image = rng.uniform(1, 2, _PIXELS).astype("float32")
    baseline = rng.uniform(-1, 0.2, _PIXELS).astype("float32")
    return image, baseline, rng.normal(1, 0.3, _PIXELS).astype("float32")


def _along(answer: Any, slope: Any, image: Any, baseline: Any, steps: int) -> Any:
    result = call(answer, slope, image, baseline, steps)
    expect_shape(result, _PIXELS, what="the parts")
    return result


def _path_shape(answer: Any) -> None:
    image, baseline, flat = _way()
    _along(answer, lambda x: flat.copy(), image, baseline, 3)


def _proportional(came: Any, wanted: np.ndarray, words: str) -> None:
    ratio = as_array(came, "the parts") / wanted
    if not np.isfinite(ratio).all():
        raise Failure(f"{words} Some of your parts are NaN or infinite.")
    if np.ptp(ratio) > 1e-3 * abs(ratio.mean()):
        raise Failure(
            f"{words} Yours are that times a factor that runs from {ratio.min():.3g} "
            f"to {ratio.max():.3g}."
        )


def _times_the_way(answer: Any) -> None:
    image, _, flat = _way()
    came = _along(answer, lambda x: flat.copy(), image, np.zeros_like(image), 4)
    _proportional(
        came,
        flat * image,
        "for a score with a constant slope and a black baseline, each part should be "
        "proportional to slope × pixel.",
    )


def _from_its_baseline(answer: Any) -> None:
    image, baseline, flat = _way()
    came = _along(answer, lambda x: flat.copy(), image, baseline, 4)
    _proportional(
        came,
        flat * (image - baseline),
        "for a score with a constant slope, each part should be proportional to slope "
        "× (pixel − baseline).",
    )


def _mean_of_the_way(answer: Any) -> None:
    image, baseline, flat = _way()
    for words, slope, wanted in (
        ("constant", lambda x: flat.copy(), flat * (image - baseline)),
        ("growing", lambda x: 2 * x, image**2 - baseline**2),
        ("curved", lambda x: 3 * x**2, image**3 - baseline**3),
    ):
        came = _along(answer, slope, image, baseline, 200)
        expect_close(
            came,
            wanted,
            rtol=0.02,
            atol=0.03,
            what=f"the parts of a score with a {words} slope, in 200 steps",
        )


def _asked_as_told(answer: Any) -> None:
    image, baseline, flat = _way()
    for steps in (3, 7):
        asked: list[int] = []

        def slope(x: Any, asked: list[int] = asked) -> np.ndarray:
            asked.append(1)
            return flat.copy()

        _along(answer, slope, image, baseline, steps)
        if len(asked) != steps:
            raise Failure(f"`slope` was asked {len(asked)} times, expected {steps}.")


path = Exercise(
    "heat.path",
    kind="function",
    lesson="13",
    title="Along the way",
    rules=[
        Rule(
            "keeps the shape",
            _path_shape,
            hints=(
                "Compare the shape of the result with that of the image.",
                "Each value of the image gets a part of its own.",
                "Look for an axis that is summed, or one that is left over.",
            ),
        ),
        Rule(
            "multiplies with the way",
            _times_the_way,
            hints=(
                "Try a score that is 2 × pixel: the part of a pixel of 3 is 6.",
                "A slope says how much a change of one would do; how far did the pixel "
                "go?",
                "Something is missing after the mean.",
            ),
        ),
        Rule(
            "the way starts at the baseline",
            _from_its_baseline,
            hints=(
                "Try a baseline that is not black.",
                "A pixel that is equal to the baseline has not moved, so it has no "
                "part in the change.",
                "Look at what you multiply with.",
            ),
        ),
        Rule(
            "a mean along the way",
            _mean_of_the_way,
            hints=(
                "Try `slope = lambda x: 2 * x` from 1 to 3: 8 should come out.",
                "The slope changes on the way; all of it counts, each piece alike.",
                "Look at the points between the two ends, and at what you divide by.",
            ),
        ),
        Rule(
            "asks as often as told",
            _asked_as_told,
            hints=(
                "Count the calls of `slope`.",
                "Each call costs a run of the network; the caller decides on that.",
                "Look at the length of your loop.",
            ),
        ),
    ],
    correct="the mean slope along the straight way, times the way",
)

# --- heat.randomize -------------------------------------------------------------------

_SMALL = (3, 6, 6, 2)


class _Trial:
    """A model, an `explain` that writes down what it was asked, and the images."""

    def __init__(self) -> None:
        import keras
        from keras import layers

        self.model = keras.Sequential(
            [
                keras.Input(_SMALL[1:]),
                layers.Flatten(),
                layers.Dense(24, activation="relu"),
                layers.Dense(20),
            ]
        )
        rng = np.random.default_rng(135)
        self.before = [
            rng.normal(size=w.shape).astype("float32") for w in self.model.get_weights()
        ]
        self.model.set_weights(self.before)
        self.images = rng.normal(size=_SMALL).astype("float32")
        self.seen: list[tuple[list[np.ndarray], np.ndarray]] = []

    def explain(self, model: Any, images: Any) -> np.ndarray:
        weights = [np.array(w) for w in model.get_weights()]
        mixed = np.asarray(images) @ weights[0][:2, 0] + weights[1][0] * images[..., 1]
        maps = np.exp(2 * np.tanh(mixed))  # so that ranks differ from values
        self.seen.append((weights, maps))
        return maps.copy()

    def run(self, answer: Any, seed: int = 5) -> np.ndarray:
        found = call(answer, self.explain, self.model, self.images, seed)
        expect_shape(found, _SMALL[:1], what="the correlations")
        return as_array(found, "the correlations")

    def is_before(self, weights: list[np.ndarray]) -> bool:
        pairs = zip(weights, self.before, strict=False)
        return len(weights) == len(self.before) and all(
            np.array_equal(a, b) for a, b in pairs
        )

    def both(self) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        """Return the maps of the model, then weights and maps of the other one."""
        ours = [maps for weights, maps in self.seen if self.is_before(weights)]
        others = [entry for entry in self.seen if not self.is_before(entry[0])]
        if not ours or not others:
            which = "shuffled" if others else "learned"
            raise Failure(
                f"`explain` was called {len(self.seen)} times, and saw the {which} "
                "weights only."
            )
        return ours[0], *others[0]


def _one_number_each(answer: Any) -> None:
    _Trial().run(answer)


def _two_networks(answer: Any) -> None:
    trial = _Trial()
    trial.run(answer)
    trial.both()


def _keeps_numbers(answer: Any) -> None:
    trial = _Trial()
    trial.run(answer)
    _, weights, _ = trial.both()
    for old, new in zip(trial.before, weights, strict=True):
        if old.shape != new.shape or not np.allclose(
            np.sort(old, None), np.sort(new, None), atol=1e-6
        ):
            raise Failure(
                f"an array of shape {old.shape} holds other numbers than before: mean "
                f"{new.mean():.3f}, it was {old.mean():.3f}."
            )


def _shuffles_all(answer: Any) -> None:
    trial = _Trial()
    trial.run(answer)
    _, weights, _ = trial.both()
    kept = [
        old.shape
        for old, new in zip(trial.before, weights, strict=True)
        if np.mean(old == new) > 0.5
    ]
    if kept:
        raise Failure(f"still in the learned order: arrays of shape {kept}.")
    for old, new in zip(trial.before, weights, strict=True):
        for axis in range(old.ndim if old.ndim > 1 else 0):
            if _same_slices(old, new, axis):
                raise Failure(
                    f"an array of shape {old.shape}: each slice along axis {axis} "
                    "still holds the numbers of a learned one, so not all numbers "
                    "were shuffled with each other."
                )


def _same_slices(old: np.ndarray, new: np.ndarray, axis: int) -> bool:
    """Tell whether each slice along an axis holds a learned slice's numbers."""

    def contents(array: np.ndarray) -> np.ndarray:
        rows = np.sort(np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1))
        return rows[np.lexsort(rows.T)]

    return np.allclose(contents(old), contents(new), atol=1e-6)


def _ranks(answer: Any) -> None:
    trial = _Trial()
    came = trial.run(answer)
    ours, _, others = trial.both()

    def ranked(maps: np.ndarray) -> np.ndarray:
        rows = maps.reshape(len(maps), -1).argsort(axis=1).argsort(axis=1)
        return rows - rows.mean(axis=1, keepdims=True)

    a, b = ranked(ours), ranked(others)
    wanted = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    expect_close(came, wanted, atol=1e-4, what="the rank correlations")


def _seed_decides(answer: Any) -> None:
    shuffles = []
    for seed in (5, 5, 6):
        trial = _Trial()
        trial.run(answer, seed)
        shuffles.append(trial.both()[1][0])
    same, other = (np.array_equal(shuffles[0], new) for new in shuffles[1:])
    if not same:
        raise Failure("two calls with the same seed shuffle in different ways.")
    if other:
        raise Failure("two calls with different seeds shuffle in the same way.")


def _weights_stay(answer: Any) -> None:
    trial = _Trial()
    trial.run(answer)
    if not trial.is_before([np.array(w) for w in trial.model.get_weights()]):
        raise Failure("after your function ran, the model has other weights.")


randomize = Exercise(
    "heat.randomize",
    kind="function",
    lesson="13",
    title="Spot the bug: everything fails",
    rules=[
        Rule(
            "one number for each image",
            _one_number_each,
            hints=(
                "Compare the shape of the result with the number of images.",
                "Each image has two maps, and their correlation is one number.",
                "Look at what you compare: two maps, or two whole batches?",
            ),
        ),
        Rule(
            "explains two networks",
            _two_networks,
            hints=(
                "Print a weight each time `explain` is called.",
                "An assignment gives a model a second name. It makes no second model.",
                "Look at where the second network comes from.",
            ),
        ),
        Rule(
            "keeps the numbers of each weight",
            _keeps_numbers,
            hints=(
                "Compare mean and spread of each array before and after.",
                "Shuffled weights have the distribution of the learned ones; new ones "
                "have another.",
                "Look at which numbers you shuffle: those of the model, or of the "
                "clone?",
            ),
        ),
        Rule(
            "shuffles every array",
            _shuffles_all,
            hints=(
                "Compare each array of the copy with the learned one.",
                "A first layer that is still trained still finds the learned edges.",
                "Look for arrays that your loop leaves out, and at the axes along "
                "which the others are shuffled.",
            ),
        ),
        Rule(
            "a rank correlation",
            _ranks,
            hints=(
                "Square all values of a positive map: the result should not change.",
                "Spearman's correlation looks at the order of the pixels, not at their "
                "values.",
                "Look at the function that compares, and at its two arguments.",
            ),
        ),
        Rule(
            "the seed decides",
            _seed_decides,
            hints=(
                "Call your function twice with one seed, then with another one.",
                "What depends on chance should be repeatable.",
                "Look at where the random numbers come from.",
            ),
        ),
        Rule(
            "leaves the model as it was",
            _weights_stay,
            hints=(
                "Compare the weights of the model before and after your function.",
                "A test must not break what it tests.",
                "Look at which model gets the shuffled weights.",
            ),
        ),
    ],
    correct="two networks, the same numbers in another order, and ranks compared",
)

# --- heat.hits ------------------------------------------------------------------------


_HEIGHT, _WIDTH = 6, 8


def _pointed(places: list[tuple[int, int]]) -> np.ndarray:
    """Return maps with a hottest pixel each, and mild heat elsewhere."""
    rng = np.random.default_rng(136)
    maps = rng.uniform(0, 0.5, (len(places), _HEIGHT, _WIDTH)).astype("float32")
    for heat, (row, column) in zip(maps, places, strict=True):
        heat[row, column] = 1.0
    return maps


def _masked(places: list[tuple[slice, slice]]) -> np.ndarray:
    masks = np.zeros((len(places), _HEIGHT, _WIDTH), bool)
    for mask, place in zip(masks, places, strict=True):
        mask[place] = True
    return masks


def _expect_hits(answer: Any, maps: Any, masks: Any, wanted: list[bool]) -> None:
    came = call(answer, maps, masks)
    expect_shape(came, (len(wanted),), what="the hits")
    came = as_array(came, "the hits")
    if came.dtype.kind != "b":
        raise Failure(f"the hits: expected booleans, got {came.dtype}.")
    if came.tolist() != wanted:
        raise Failure(f"expected {wanted}, got {came.tolist()}.")


_CORNER, _REST = (slice(0, 3), slice(0, 3)), (slice(3, 6), slice(3, 6))


def _booleans(answer: Any) -> None:
    """Only the form: values are for the rules that follow."""
    maps = _pointed([(1, 1), (4, 4), (2, 2)])
    came = call(answer, maps, _masked([_CORNER] * 3))
    expect_shape(came, (3,), what="the hits")
    kind = as_array(came, "the hits").dtype
    if kind.kind != "b":
        raise Failure(f"the hits: expected booleans, got {kind}.")


def _hottest(answer: Any) -> None:
    maps = _pointed([(1, 1), (4, 4), (2, 2), (5, 5)])
    maps[1] *= 2  # another scale: each image has a maximum of its own
    masks = _masked([_CORNER, _CORNER, _REST, _REST])
    maps[2][3:, 3:] += 0.3  # much heat on the object, but not the most
    maps[:, 0, 7] = -3  # some methods give signed maps: far below zero is not hot
    _expect_hits(answer, maps, masks, [True, False, False, True])


def _row_first(answer: Any) -> None:
    low, high = slice(0, 3), slice(3, 6)
    maps = _pointed([(1, 4), (4, 1), (2, 5)])
    masks = _masked([(low, high), (low, high), (high, low)])
    _expect_hits(answer, maps, masks, [True, False, False])


def _first_of_several(answer: Any) -> None:
    maps = _pointed([(1, 1), (1, 1)])
    maps[:, 4, 4] = 1.0
    _expect_hits(answer, maps, _masked([_CORNER, _REST]), [True, False])


hits = Exercise(
    "heat.hits",
    kind="function",
    lesson="13",
    title="Point and count",
    rules=[
        Rule(
            "one boolean for each image",
            _booleans,
            hints=(
                "Look at the shape and the dtype of what comes back.",
                "Each image is a hit or it is not.",
                "Look at the last line: what does it pick out of the mask?",
            ),
        ),
        Rule(
            "the hottest pixel of each image",
            _hottest,
            hints=(
                "Draw three maps, one with larger values than the others.",
                "Only one pixel of each map counts: the one with the most heat.",
                "Look at what the maximum is taken over.",
            ),
        ),
        Rule(
            "row first, then column",
            _row_first,
            hints=(
                "Put the hottest pixel at the upper right, and the object too.",
                "An index of a picture is (row, column); a point on paper is (x, y), "
                "the other way around.",
                "Look at the order of the two indices of the mask.",
            ),
        ),
        Rule(
            "the first of several",
            _first_of_several,
            hints=(
                "Give a map two equally hot pixels, one of them on the object.",
                "A finger can point at one place only; the task says at which.",
                "`argmax` takes the first; a comparison with the maximum takes all.",
            ),
        ),
    ],
    correct="one pixel for each image, row first, the first of several",
)
