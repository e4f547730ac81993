# %% canonical right="canonical"
from course_utils import gradients


def class_gradient(model: keras.Model, images: np.ndarray, number: int) -> np.ndarray:
    before_softmax = keras.Model(model.inputs, model.layers[-1].input)

    def logit(pixels):
        return ops.sum(before_softmax(pixels)[..., number])

    _, rises = gradients.value_and_gradient(logit, images, compile=False)
    return rises


# %% walks through the layers right="other style"
from course_utils import gradients


def class_gradient(model: keras.Model, images: np.ndarray, number: int) -> np.ndarray:
    def logit(pixels):
        for layer in model.layers[:-1]:
            if not isinstance(layer, layers.InputLayer):
                pixels = layer(pixels)
        return ops.sum(ops.take(pixels, number, axis=-1))

    return gradients.value_and_gradient(logit, images)[1]


# %% gives back the pair wrong="keeps the shape"
from course_utils import gradients


def class_gradient(model, images, number):
    to_logits = keras.Model(model.inputs, model.layers[-1].input)
    value, slopes = gradients.value_and_gradient(
        lambda x: ops.sum(to_logits(x)[:, number]), images
    )
    return np.abs(slopes).max(axis=-1)


# %% the probability, as it was wrong="alive where the softmax is certain"
from course_utils import gradients


def class_gradient(model, images, number):
    return gradients.value_and_gradient(lambda x: ops.sum(model(x)[:, number]), images)[1]


# %% the logarithm of the probability wrong="alive where the softmax is certain"
from course_utils import gradients


def class_gradient(model, images, number):
    return gradients.value_and_gradient(
        lambda x: ops.sum(ops.log(model(x)[:, number] + 1e-7)), images
    )[1]


# %% the winner, whatever was asked wrong="asks for one class alone"
from course_utils import gradients


def class_gradient(model, images, number):
    to_logits = keras.Model(model.inputs, model.layers[-1].input)
    return gradients.value_and_gradient(
        lambda x: ops.sum(ops.max(to_logits(x), axis=-1)), images
    )[1]


# %% all logits wrong="asks for one class alone"
from course_utils import gradients


def class_gradient(model, images, number):
    to_logits = keras.Model(model.inputs, model.layers[-1].input)
    return gradients.value_and_gradient(lambda x: ops.sum(to_logits(x)), images)[1]


# %% the mean over the batch wrong="asks for one class alone"
from course_utils import gradients


def class_gradient(model, images, number):
    to_logits = keras.Model(model.inputs, model.layers[-1].input)
    return gradients.value_and_gradient(
        lambda x: ops.mean(to_logits(x)[:, number]), images
    )[1]


# %% takes the softmax off for good wrong="leaves the model as it was"
from course_utils import gradients


def class_gradient(model, images, number):
    object.__setattr__(model.layers[-1], "call", lambda inputs, **options: inputs)
    return gradients.value_and_gradient(
        lambda x: ops.sum(model(x)[:, number]), images, compile=False
    )[1]
