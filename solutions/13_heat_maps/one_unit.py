# %% canonical right="canonical"
from course_utils import gradients


def cam_of_one_unit(
    logit_of: keras.Model, maps: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    signs = 2.0 * np.asarray(classes, dtype="float32")[:, None] - 1.0
    signs = ops.convert_to_tensor(signs)

    def for_the_classes(tensor):
        return ops.sum(logit_of(tensor) * signs)

    rises = gradients.value_and_gradient(for_the_classes, maps, compile=False)[1]
    per_channel = np.mean(rises, axis=(1, 2), keepdims=True)
    return np.clip(np.sum(per_channel * maps, axis=-1), 0, None)


# %% turns the gradient of class 1 around afterwards right="other style"
from course_utils import gradients


def cam_of_one_unit(
    logit_of: keras.Model, maps: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    _, up = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    found = []
    for one, slope, number in zip(maps, up, classes):
        weights = slope.reshape(-1, slope.shape[-1]).mean(axis=0)
        if number == 0:
            weights = -weights
        heat = np.einsum("hwc,c->hw", one, weights)
        found.append(np.where(heat > 0, heat, 0.0))
    return np.stack(found)


# %% one image after the other right="other style"
from course_utils import gradients


def cam_of_one_unit(
    logit_of: keras.Model, maps: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    def single(image, number):
        def wanted(tensor):
            z = logit_of(tensor)[0, 0]
            return z if number == 1 else -z

        _, (slope,) = gradients.value_and_gradient(wanted, image[None], compile=False)
        return np.maximum(image @ slope.mean(axis=(0, 1)), 0)

    return np.array([single(image, number) for image, number in zip(maps, classes)])


# %% gives back the weights wrong="one map for each image"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    return slopes.mean(axis=(1, 2))


# %% forgets the cut wrong="nothing below zero"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    signs = (2.0 * np.asarray(classes) - 1.0)[:, None, None, None]
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    return (maps * (signs * slopes).mean(axis=(1, 2), keepdims=True)).sum(axis=-1)


# %% asks the sigmoid wrong="the logit as it is"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    signs = (2.0 * np.asarray(classes) - 1.0)[:, None, None, None]
    _, slopes = gradients.value_and_gradient(
        lambda a: ops.sum(ops.sigmoid(logit_of(a))), maps
    )
    heat = (maps * (signs * slopes).mean(axis=(1, 2), keepdims=True)).sum(axis=-1)
    return np.maximum(heat, 0)


# %% class 1 for all wrong="class 0 has the other sign"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    heat = (maps * slopes.mean(axis=(1, 2), keepdims=True)).sum(axis=-1)
    return np.maximum(heat, 0)


# %% nothing for class 0 wrong="class 0 has the other sign"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    ones = ops.convert_to_tensor(np.asarray(classes, dtype="float32")[:, None])
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a) * ones), maps)
    heat = (maps * slopes.mean(axis=(1, 2), keepdims=True)).sum(axis=-1)
    return np.maximum(heat, 0)


# %% cuts each map before the sum wrong="cut after the sum"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    signs = (2.0 * np.asarray(classes) - 1.0)[:, None, None, None]
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    weighted = maps * (signs * slopes).mean(axis=(1, 2), keepdims=True)
    return np.maximum(weighted, 0).sum(axis=-1)


# %% takes the absolute value wrong="class 0 has the other sign"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    signs = (2.0 * np.asarray(classes) - 1.0)[:, None, None, None]
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    weighted = maps * (signs * slopes).mean(axis=(1, 2), keepdims=True)
    return np.abs(weighted.sum(axis=-1))


# %% place by place, as HiResCAM wrong="weights are means over the places"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    signs = (2.0 * np.asarray(classes) - 1.0)[:, None, None, None]
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    return np.maximum((maps * signs * slopes).sum(axis=-1), 0)


# %% a mean over the channels wrong="weights are means over the places"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    signs = (2.0 * np.asarray(classes) - 1.0)[:, None, None, None]
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    weights = (signs * slopes).mean(axis=-1, keepdims=True)
    if maps.shape[-1] < 3:
        weights = (signs * slopes).mean(axis=(1, 2), keepdims=True)
    return np.maximum((maps * weights).sum(axis=-1), 0)


# %% the same weights for the whole batch wrong="weights are means over the places"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    signs = (2.0 * np.asarray(classes) - 1.0)[:, None, None]
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    weights = slopes.mean(axis=(0, 1, 2))
    return np.maximum(signs * (maps @ weights), 0)


# %% a sum in place of the mean wrong="weights are means over the places"
from course_utils import gradients


def cam_of_one_unit(logit_of, maps, classes):
    signs = (2.0 * np.asarray(classes) - 1.0)[:, None, None, None]
    _, slopes = gradients.value_and_gradient(lambda a: ops.sum(logit_of(a)), maps)
    heat = (maps * (signs * slopes).sum(axis=(1, 2), keepdims=True)).sum(axis=-1)
    return np.maximum(heat, 0)
