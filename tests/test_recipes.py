"""Schedules end where they should, averages are means, and calibration is measured."""

import math

import keras
import numpy as np
import pytest

from course_utils import recipes

SEEDS = (0, 1, 2)


def rates(name, steps, peak=0.1):
    schedule = recipes.schedule(name, peak, steps)
    return np.array([float(schedule(step)) for step in range(steps)])


# --- Schedules ------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
@pytest.mark.parametrize("name", recipes.SCHEDULES)
def test_a_rate_lies_between_zero_and_its_peak(name, steps):
    found = rates(name, steps)
    assert (found >= 0).all()
    assert (found <= 0.1 * 1.0001).all()


def test_a_constant_rate_is_constant():
    np.testing.assert_allclose(rates("constant", 40), 0.1, rtol=1e-6)


def test_a_cosine_falls_to_zero():
    wanted = 0.1 * (1 + np.cos(np.pi * np.arange(40) / 40)) / 2
    np.testing.assert_allclose(rates("cosine", 40), wanted, atol=1e-7)


def test_one_cycle_rises_for_a_quarter_and_falls_to_zero():
    found = rates("one_cycle", 400)
    assert found.argmax() == 100
    np.testing.assert_allclose(np.diff(found[:100], n=2), 0, atol=1e-7)
    assert (np.diff(found[100:]) < 0).all()
    assert found[0] < 0.005
    assert found[-1] < 1e-5


def test_cyclical_rates_repeat_four_times():
    cycles = rates("cyclical", 400).reshape(4, 100)
    np.testing.assert_allclose(cycles, cycles[:1] + 0 * cycles, atol=1e-6)
    assert cycles[0, 0] == pytest.approx(0.1)
    assert (np.diff(cycles[0]) < 0).all()
    assert cycles[0, -1] < 1e-4


# --- Optimizers -----------------------------------------------------------------------


def test_sgd_has_nesterov_momentum():
    settings = recipes.optimizer("sgd", 0.1, weight_decay=0.01).get_config()
    assert settings["momentum"] == 0.9
    assert settings["nesterov"] is True
    assert settings["weight_decay"] == 0.01
    assert settings["use_ema"] is False


@pytest.mark.parametrize("name", recipes.OPTIMIZERS)
def test_each_optimizer_can_average_its_weights(name):
    settings = recipes.optimizer(name, 0.1, ema=0.97).get_config()
    assert settings["use_ema"] is True
    assert settings["ema_momentum"] == 0.97
    assert settings["weight_decay"] is None


# --- Judging --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_an_image_and_its_mirror_image_get_the_same_average(seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(3, 3, activation="relu")(inputs)
    outputs = keras.layers.Dense(4, activation="softmax")(keras.layers.Flatten()(x))
    model = keras.Model(inputs, outputs)
    images = np.random.default_rng(seed).normal(size=(5, 6, 6, 2)).astype("float32")
    found = recipes.flip_average(model, images)
    np.testing.assert_allclose(
        found, recipes.flip_average(model, images[:, :, ::-1]), rtol=1e-5
    )
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert np.abs(found - model.predict(images, verbose=0)).max() > 1e-4


def test_the_time_to_an_accuracy_is_that_of_the_first_epoch_to_reach_it():
    seconds, accuracy = [10, 20, 30], [0.5, 0.8, 0.7]
    assert recipes.time_to_accuracy(seconds, accuracy, 0.7) == 20
    assert recipes.time_to_accuracy(seconds, accuracy, 0.5) == 10
    assert recipes.time_to_accuracy(seconds, accuracy, 0.9) == math.inf


def test_the_calibration_error_of_two_sure_answers_one_wrong():
    probabilities = [[0.9, 0.1], [0.1, 0.9]]
    assert recipes.calibration_error(probabilities, [0, 0]) == pytest.approx(0.4)
    assert recipes.calibration_error([[1.0, 0.0]], [0]) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_honest_outputs_are_calibrated_and_sharpened_ones_are_not(seed):
    honest, labels = outcomes(seed)
    error = recipes.calibration_error(honest, labels)
    sharp = recipes.soften(honest, 1 / 3)
    assert error < 0.03
    assert recipes.calibration_error(sharp, labels) > 4 * error
    # One temperature brings them back, on other images than it was fitted on.
    others, right = outcomes(seed + 100)
    warmth = recipes.temperature(recipes.soften(others, 1 / 3), right)
    assert warmth == pytest.approx(3, rel=0.15)
    repaired = recipes.soften(sharp, warmth)
    assert recipes.calibration_error(repaired, labels) < 2 * error + 0.01
    assert (repaired.argmax(axis=1) == honest.argmax(axis=1)).all()


def outcomes(seed, count=4000):
    """Return probabilities, and labels that were drawn with them."""
    rng = np.random.default_rng(seed)
    honest = recipes.soften(np.exp(rng.normal(0, 1.5, (count, 5))), 1.0)
    drawn = (honest.cumsum(axis=1) < rng.uniform(size=(count, 1))).sum(axis=1)
    return honest, np.minimum(drawn, 4)


def test_a_temperature_of_one_changes_nothing():
    honest, _ = outcomes(0, 50)
    np.testing.assert_allclose(recipes.soften(honest, 1.0), honest, rtol=1e-12)
    certain = recipes.soften([[1.0, 0.0]], 2.0)
    assert np.isfinite(certain).all()


# --- Wrong arguments ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "arguments", "argument"),
    [
        (recipes.schedule, ("cosin", 0.1, 10), "name"),
        (recipes.schedule, ("cosine", -1, 10), "peak"),
        (recipes.schedule, ("cosine", 0.1, 0), "steps"),
        (recipes.schedule, ("cosine", 0.1, 10.0), "steps"),
        (recipes.optimizer, ("adamw", 0.1), "name"),
        (recipes.flip_average, (None, np.zeros((1, 4, 4, 3))), "model"),
        (recipes.time_to_accuracy, ([1, 2], [0.5], 0.5), "accuracy"),
        (recipes.calibration_error, ([0.5, 0.5], [0]), "probabilities"),
        (recipes.calibration_error, ([[0.5, 0.5]], [2]), "labels"),
        (recipes.calibration_error, ([[0.5, 0.5]], [0, 1]), "labels"),
        (recipes.soften, ([[0.5, 0.5]], 0), "temperature"),
        (recipes.temperature, ([[0.5, 0.5]], [-1]), "labels"),
    ],
)
def test_a_wrong_argument_is_named(function, arguments, argument):
    with pytest.raises((TypeError, ValueError), match=f"^`{argument}`"):
        function(*arguments)
